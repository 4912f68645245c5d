"""`minigrad.scipy.special`, and what is said where SciPy, or a function of NumPy's in Python, meets a Tensor."""

import jax
import jax.scipy.special
import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.spatial
import scipy.special
import scipy.stats

import minigrad.numpy as mnp
from minigrad import checkpoint, custom_vjp, defvjp, grad, jacrev, libraries, primitive, vjp
from minigrad import scipy as minigrad_scipy
from minigrad.operands import TensorConversionError
from minigrad.scipy import special

from .support import *

A = np.array([[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]])
P, B = np.array([1.3, 2.2, 4.1]), np.array([0.5, 2.0, 1.0])

# ---- The functions of minigrad.scipy.special ------------------------------------------------------------------------


def in_jax(name):
    return {"softplus": jax.nn.softplus}.get(name) or getattr(jax.scipy.special, name, None)


def special_case(name, *args, **kwargs):
    return Case(getattr(special, name), args, kwargs, in_jax(name))


CASES = [
    special_case("logsumexp", A),
    special_case("logsumexp", A, axis=1),
    special_case("logsumexp", A, axis=(0, 1), keepdims=True),
    special_case("logsumexp", A, None, B),
    special_case("logsumexp", A, 1, -B, return_sign=True),
    special_case("logsumexp", A, 0, np.array([1.0, -2.0, 3.0]), True, True),
    special_case("softmax", A),
    special_case("softmax", A, axis=1),
    special_case("log_softmax", A, axis=0),
    special_case("log_softmax", A, axis=-1),
    special_case("softplus", A),
    special_case("polygamma", 2, P),
    special_case("polygamma", np.array([0, 1, 3]), P),
    special_case("multigammaln", P, 3),
    special_case("factorial", P),
]
NOT_IN_JAX = [
    special_case("factorial", np.array([-0.5, 2.5])),
    special_case("comb", P + 3, P),
    special_case("comb", P + 3, P, repetition=True),
    special_case("perm", P + 3, P),
    special_case("logsumexp", A[0] + 1j * A[1]),
]


@each(CASES)
def test_value_and_derivatives(case):
    check(case)


test_without_jax = for_each(NOT_IN_JAX, check, against_jax=False)


def test_values_are_scipys():
    assert special.erf is scipy.special.erf and set(dir(special)) >= set(scipy.special.__all__)
    for case in CASES + NOT_IN_JAX:
        theirs = getattr(scipy.special, case.fun.__name__, lambda x: np.logaddexp(0, x))
        for found, expected in zip(np.atleast_1d(case.fun(*case.args, **case.kwargs)), np.atleast_1d(theirs(*case.args, **case.kwargs))):
            np.testing.assert_array_equal(found, expected)


def test_special_points():
    np.testing.assert_array_equal(grad(special.logsumexp)(np.array([-np.inf, 1.0])), [0, 1])
    np.testing.assert_array_equal(grad(lambda n: np.sum(special.factorial(n)))(np.array([-3.0, -1.0])), [0, 0])
    assert grad(lambda n: special.comb(n, 5))(3.0) == 0
    np.testing.assert_allclose(grad(lambda n: special.factorial(n))(3.0), 6 * (1 / 3 + 1 / 2 + 1 - np.euler_gamma), rtol=1e-14)


def test_options_without_derivative():
    with pytest.raises(NotImplementedError, match="factorial does not support exact="):
        grad(lambda n: special.factorial(n, exact=True))(3.0)
    with pytest.raises(NotImplementedError, match="polygamma has no derivative with respect to 'n'"):
        grad(lambda n: special.polygamma(n, 2.0))(3.0)
    with pytest.raises(NotImplementedError, match="scipy.special.zeta has no derivative with respect to 'x'"):
        grad(scipy.special.zeta)(3.0)


def test_the_error_knows_what_there_is():
    assert sorted(f.__name__ for f in minigrad_scipy.FUNCTIONS) == sorted(libraries.IN_MINIGRAD_SCIPY)


# ---- Functions that make plain arrays -------------------------------------------------------------------------------

V = np.array([1.0, 2.0, 3.0])


def of_scipy(name, call):
    """A call, and where its error points: to `minigrad.scipy` if that has the function, to `primitive` otherwise."""
    own = name.startswith("special.") and name[8:] in libraries.IN_MINIGRAD_SCIPY
    return call, f"scipy.{name}", f"minigrad.scipy.{name}" if own else "minigrad.primitive"


def used_inside(solve, function=lambda x, t: x - t[0]):
    """A call of a solver with a function that uses a Tensor from outside."""
    return lambda t: solve(lambda *x: function(x[0], t))


SCIPY = [
    of_scipy("special.logsumexp", lambda t: scipy.special.logsumexp(t)),
    of_scipy("special.softmax", lambda t: scipy.special.softmax(t)),
    of_scipy("special.log_softmax", lambda t: scipy.special.log_softmax(t, axis=0)),
    of_scipy("special.polygamma", lambda t: scipy.special.polygamma(1, t)),
    of_scipy("special.multigammaln", lambda t: scipy.special.multigammaln(t[0], 2)),
    of_scipy("special.factorial", lambda t: scipy.special.factorial(t)),
    of_scipy("special.comb", lambda t: scipy.special.comb(t, 2)),
    of_scipy("special.diric", lambda t: scipy.special.diric(t, 2)),
    of_scipy("special.spherical_jn", lambda t: scipy.special.spherical_jn(1, t)),
    *([of_scipy("special.sph_harm_y", lambda t: scipy.special.sph_harm_y(2, 1, t, t).real)] * hasattr(scipy.special, "sph_harm_y")),
    of_scipy("linalg.expm", lambda t: scipy.linalg.expm(np.outer(t, t))),
    of_scipy("linalg.solve", lambda t: scipy.linalg.solve(np.eye(3), t)),
    of_scipy("fft.fft", lambda t: scipy.fft.fft(t)),
    of_scipy("ndimage.gaussian_filter", lambda t: scipy.ndimage.gaussian_filter(t, 1)),
    of_scipy("signal.convolve", lambda t: scipy.signal.convolve(V, t)),
    of_scipy("spatial.distance.cdist", lambda t: scipy.spatial.distance.cdist(t[None], t[None])),
    of_scipy("interpolate.CubicSpline", lambda t: scipy.interpolate.CubicSpline(V, t)),
    of_scipy("integrate.simpson", lambda t: scipy.integrate.simpson(t)),
    of_scipy("stats.", lambda t: scipy.stats.norm.logpdf(t)),
    of_scipy("optimize.linprog", lambda t: scipy.optimize.linprog(t)),
    of_scipy("optimize.brentq", used_inside(lambda f: scipy.optimize.brentq(f, -5, 5))),
    of_scipy("optimize.root_scalar", used_inside(lambda f: scipy.optimize.root_scalar(f, bracket=[-5, 5]).root)),
    of_scipy("optimize.minimize", used_inside(lambda f: scipy.optimize.minimize(lambda x: f(x[0]) ** 2, [0.0]).x[0])),
    of_scipy("optimize.minimize", lambda t: scipy.optimize.minimize(lambda x: np.sum(x**2), t).x[0]),
    of_scipy("optimize.minimize_scalar", used_inside(lambda f: scipy.optimize.minimize_scalar(lambda x: f(x) ** 2).x)),
    of_scipy("optimize.least_squares", used_inside(lambda f: scipy.optimize.least_squares(f, [0.0]).x[0])),
    of_scipy("optimize.fsolve", used_inside(lambda f: scipy.optimize.fsolve(f, [0.0])[0])),
    of_scipy("optimize.root", used_inside(lambda f: scipy.optimize.root(f, [0.0]).x[0])),
    of_scipy("integrate.quad", used_inside(lambda f: scipy.integrate.quad(f, 0, 1)[0])),
    of_scipy("integrate.quad", lambda t: scipy.integrate.quad(np.sin, 0, t[0])[0]),
    of_scipy("integrate.dblquad", used_inside(lambda f: scipy.integrate.dblquad(f, 0, 1, 0, 1)[0])),
    of_scipy("integrate.odeint", used_inside(lambda f: scipy.integrate.odeint(f, [1.0], [0, 1])[0, 0])),
    of_scipy("integrate.solve_ivp", used_inside(lambda f: scipy.integrate.solve_ivp(f, (0, 1), [1.0]).y[0, 0])),
]


@pytest.mark.parametrize("call, name, remedy", SCIPY, ids=[name for _, name, _ in SCIPY])
@pytest.mark.parametrize("transform", [grad, jacrev, lambda f: lambda x: vjp(f, x)], ids=["grad", "jacrev", "vjp"])
def test_the_error_names_the_function_of_scipy(call, name, remedy, transform, capfd):
    with pytest.raises(TensorConversionError) as caught:
        transform(lambda t: np.sum(call(t) * t))(V)
    message = str(caught.value)
    assert message.startswith(name) and remedy in message and "np.array" not in message


@pytest.mark.parametrize("call, said", [
    (lambda t: np.kaiser(3, t[0]), "np.kaiser makes a plain array .* import minigrad.numpy as np"),
    (lambda t: np.polynomial.polynomial.polyval(2.0, t), "np.polynomial.polynomial.polyval .* import minigrad.numpy as np"),
    (lambda t: np.polynomial.chebyshev.chebval(2.0, t), "np.polynomial.chebyshev.chebval .* import minigrad.numpy as np"),
    (lambda t: np.polynomial.Legendre(t), "np.polynomial.legendre.Legendre .* import minigrad.numpy as np"),
    (lambda t: np.lib.stride_tricks.as_strided(t, (2,), (8,)), "np.lib.stride_tricks.as_strided .*sliding_window_view"),
    (lambda t: list(np.nditer(t)), "np.nditer .* write for x in t.flat"),
    (lambda t: np.ndenumerate(t), "np.ndenumerate: turning a Tensor into an array would drop"),
    (lambda t: np.vectorize(np.sin)(t), "np.vectorize: turning a Tensor into an array would drop"),
    (lambda t: np.array(t), "^turning a Tensor into an array would drop"),
])
def test_the_error_names_the_function_of_numpy(call, said):
    with pytest.raises(TensorConversionError, match=said):
        grad(lambda t: np.sum(call(t)))(V)


def test_errors_of_scipy_that_have_nothing_to_do_with_tensors():
    with pytest.raises(ValueError, match="different signs"):
        grad(lambda t: t * scipy.optimize.brentq(lambda x: x**2 + 1, -5, 5))(1.0)
    with pytest.raises(ZeroDivisionError):  # of the user's function
        grad(lambda t: t * scipy.optimize.brentq(lambda x: 1 / (0 * int(x)), -5, 5))(1.0)


def test_what_the_error_recommends():
    @primitive
    def root(p):
        return scipy.optimize.brentq(lambda x: x**3 - p, 0, 10)

    defvjp(root, p=lambda g, y: g / (3 * y**2))
    np.testing.assert_allclose(grad(root)(8.0), 1 / 12, rtol=1e-9)
    np.testing.assert_allclose(grad(grad(root))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-9)
    assert grad(lambda beta: mnp.sum(mnp.kaiser(3, beta)))(1.0) < 0


# ---- Other messages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argnums", [1.0, "1", None, [0.0], (0, "x"), np.float64(1)], ids=repr)
def test_argnums_are_whole_numbers(argnums):
    for transform in (grad, jacrev):
        with pytest.raises(TypeError, match="^argnums must be a whole number, or a sequence of whole numbers, and is"):
            transform(lambda a, b: a * b, argnums=argnums)
    if argnums is not None:
        with pytest.raises(TypeError, match="^nondiff_argnums must be a whole number, or a sequence of whole numbers, and is"):
            custom_vjp(lambda a, b: a * b, nondiff_argnums=argnums)


def test_a_checkpoint_returns_numbers():
    for other in ("text", object()):
        layer = checkpoint(lambda x, other=other: (2 * x, other))
        with pytest.raises(TypeError, match="<lambda> returned .* a checkpoint or custom_vjp function returns numbers and arrays only"):
            grad(lambda x: layer(x)[0])(1.0)
        with pytest.raises(TypeError, match="a checkpoint or custom_vjp function returns numbers and arrays only"):
            grad(lambda x: np.sum(layer(x)[0]))(V)
        assert layer(1.0) == (2.0, other)
    assert grad(lambda x: checkpoint(lambda x: (2 * x, None))(x)[0])(1.0) == 2.0
