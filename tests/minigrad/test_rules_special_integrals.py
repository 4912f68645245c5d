"""SciPy's special functions that are integrals: against JAX, finite differences, and numbers of 40 digits from mpmath."""

import jax.scipy.special
import mpmath
import numpy as np
import pytest
import scipy.special as special

from minigrad import grad
from minigrad.rules.special import register
from minigrad.rules.special_integrals import table

from .support import *

register()

X = np.array([0.2, 0.4, 1.1, 2.7, 7.0, 25.0])
Y = np.array([-8.0, -1.3, -0.2, 0.0, 0.4, 3.0, 15.0])
Z = np.array([-2.3, -0.7, 0.4, 1.8, 3.2])
A, B = np.array([0.2, 0.7, 1.0, 2.5, 6.0]), np.array([3.1, 0.4, 2.0, 0.8, 9.0])
P = np.array([0.1, 0.35, 0.5, 0.75, 0.9])

CALLS = [
    ("exp1", X),
    ("expi", np.array([-8.0, -1.3, 0.4, 3.0, 15.0])),
    ("expn", np.array([1, 2, 3, 4, 5, 7]), X),
    ("dawsn", Y),
    ("dawsn", np.array([9.9, 10.1, -30.0])),
    ("erfi", Z),
    ("fresnel", Z),
    ("sici", X),
    ("shichi", np.array([0.3, 0.49, 0.51, 1.1, 2.7])),
    ("owens_t", Z, Z[::-1].copy()),
    ("poch", A, B),
    ("poch", np.array([-0.4, -1.3, 22.0, 31.0]), np.array([2.3, 0.6, 1.5, -2.5])),
    ("gammainc", A, B),
    ("gammainc", B, A),
    ("gammaincc", A, B),
    ("gammaincinv", A + 0.3, P),
    ("gammainccinv", A + 0.3, P),
    ("betainc", A, B, P),
    ("betainc", B, A, P),
    ("betaincc", A, B, P),
    ("betaincinv", A + 0.3, B + 0.3, P),
    ("betainccinv", A + 0.3, B + 0.3, P),
]
# What JAX lacks, or differentiates once, or by some arguments only.
NOT_IN_JAX = {"erfi", "shichi", "gammaincinv", "gammainccinv", "betaincinv", "betaincc", "betainccinv", "betainc"}
ONCE_IN_JAX = {"exp1", "expn", "gammainc", "gammaincc"}
NEW = {"betaincc": "1.11", "betainccinv": "1.11"}
CASES = [
    Case(getattr(special, name), args, {}, getattr(jax.scipy.special, name, None))
    for name, *args in CALLS
    if hasattr(special, name) or name not in NEW
]


@each(CASES)
def test_value_and_derivatives(case):
    name = case.fun.__name__
    against_jax = name not in NOT_IN_JAX and hasattr(jax.scipy.special, name)
    check(Case(case.fun, tuple(case.args), {}, case.in_jax), against_jax, second_in_jax=name not in ONCE_IN_JAX)


@each(CASES)
def test_float32(case):
    check_precision(Case(case.fun, tuple(case.args)), np.float32, 1e-4)


@pytest.mark.parametrize("name", ["exp1", "expi", "dawsn", "erfi", "fresnel", "sici", "shichi"])
def test_complex(name):
    check(case(getattr(special, name), np.array([0.3 + 0.8j, 1.7 - 0.4j])), against_jax=False)


def test_every_derivative_is_tested():
    assert table(special).keys() == {name for name, *_ in CALLS}


# ---- Against mpmath -------------------------------------------------------------------------------------------------


def exact(fun, i, *args):
    """The derivative of a function of mpmath by argument number i."""
    with mpmath.workdps(60):
        args = [mpmath.mpf(x) for x in args]
        return float(mpmath.diff(lambda x: fun(*args[:i], x, *args[i + 1:]), args[i], h=mpmath.mpf(10) ** -18))


def gammainc(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def betainc(a, b, x):
    return mpmath.betainc(a, b, 0, x, regularized=True)


@pytest.mark.parametrize("a", [1e-3, 0.1, 0.5, 1.0, 2.5, 10.0, 50.0, 300.0, 3000.0])
@pytest.mark.parametrize("factor", [1e-6, 0.01, 0.3, 0.97, 1.0, 1.03, 1.5, 3.0, 20.0])
def test_gammainc_in_its_whole_range(a, factor):
    """Where the derivative itself is tiny, too: the relative error stays small."""
    x = max(a, 2.0) * factor
    for i in (0, 1):
        expected = exact(gammainc, i, a, x)
        if abs(expected) > 1e-280:
            np.testing.assert_allclose(grad(special.gammainc, i)(a, x), expected, rtol=3e-13)
            np.testing.assert_allclose(grad(special.gammaincc, i)(a, x), -expected, rtol=3e-13)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 3.0, 40.0, 500.0])
@pytest.mark.parametrize("b", [0.01, 0.7, 1.0, 5.0, 60.0])
def test_betainc_in_its_whole_range(a, b):
    mean = a / (a + b)
    for x in (1e-8, mean * 0.1, mean * 0.7, mean, 1 - (1 - mean) * 0.7, 1 - (1 - mean) * 0.1, 1 - 1e-6):
        for i in (0, 1, 2):
            expected = exact(betainc, i, a, b, x)
            if abs(expected) > 1e-280:
                np.testing.assert_allclose(grad(special.betainc, i)(a, b, x), expected, rtol=1e-12)


@pytest.mark.parametrize("a, x", [(0.3, 0.1), (2.5, 1.0), (2.5, 7.0), (30.0, 28.0)])
def test_the_second_and_third_derivative_by_the_parameter(a, x):
    with mpmath.workdps(60):
        second, third = (float(mpmath.diff(lambda a: gammainc(a, x), a, n, h=mpmath.mpf(10) ** -14)) for n in (2, 3))
    np.testing.assert_allclose(grad(grad(special.gammainc))(a, x), second, rtol=1e-11)
    np.testing.assert_allclose(grad(grad(grad(special.gammainc)))(a, x), third, rtol=1e-10)


def test_the_mixed_derivative_by_both_parameters():
    with mpmath.workdps(60):
        expected = float(mpmath.diff(lambda a, b: betainc(a, b, 0.3), (1.3, 2.6), (1, 1), h=mpmath.mpf(10) ** -14))
    for one, other in ((0, 1), (1, 0)):
        np.testing.assert_allclose(grad(grad(special.betainc, one), other)(1.3, 2.6, 0.3), expected, rtol=1e-11)


@pytest.mark.parametrize("z, m", [(-2.0, 3), (-2.0, 2), (-2.0, 1), (-3.0, 2), (-1.0, 5), (0.0, 3), (0.0, 1), (1e8, 2)])
def test_poch_is_a_polynomial_for_whole_m(z, m):
    """At the poles of the gamma function, too."""
    polynomial = np.poly(-np.arange(m))
    first, second = np.polyval(np.polyder(polynomial), z), np.polyval(np.polyder(polynomial, 2), z)
    np.testing.assert_allclose(grad(special.poch)(z, m), first, rtol=1e-14)
    np.testing.assert_allclose(grad(grad(special.poch))(z, m), second, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name, fun, points", [
    ("dawsn", lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x), [1e-9, 0.5, 5.0, 9.99, 10.01, 1e3]),
    ("exp1", mpmath.e1, [1e-9, 0.5, 30.0]),
    ("expi", mpmath.ei, [-30.0, 1e-9, 30.0]),
])
def test_against_mpmath(name, fun, points):
    for x in points:
        np.testing.assert_allclose(grad(getattr(special, name))(x), exact(fun, 0, x), rtol=1e-13)


def test_fresnel_far_out():
    """The angle pi x**2 / 2 is reduced before it is rounded."""
    x = 1000.3
    with mpmath.workdps(40):
        angle = mpmath.pi * mpmath.mpf(x) ** 2 / 2
        expected = [float(mpmath.sin(angle)), float(mpmath.cos(angle))]
    found = [grad(lambda x: special.fresnel(x)[i])(x) for i in (0, 1)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


# ---- Special points -------------------------------------------------------------------------------------------------

inf, nan = np.inf, np.nan


@pytest.mark.parametrize("name, i, args, expected", [
    ("gammainc", 0, (0.0, 0.7), -special.exp1(0.7)),  # the limit
    ("gammainc", 0, (1.5, 0.0), 0),
    ("gammainc", 0, (1.5, inf), 0),
    ("gammainc", 0, (nan, 1.0), nan),
    ("gammainc", 1, (1.0, 0.0), 1),
    ("gammainc", 1, (2.0, 0.0), 0),
    ("gammainc", 1, (0.5, 0.0), inf),
    ("gammainc", 1, (2.0, inf), 0),
    ("betainc", 0, (2.0, 2.0, 0.0), 0),
    ("betainc", 1, (2.0, 2.0, 1.0), 0),
    ("betainc", 0, (2.0, 2.0, nan), nan),
    ("betainc", 2, (1.0, 3.0, 0.0), 3),
    ("betainc", 2, (3.0, 1.0, 1.0), 3),
    ("sici", 0, (0.0,), 1),
    ("shichi", 0, (0.0,), 1),
    ("expn", 1, (3, 0.0), -1),
])
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_special_points(name, i, args, expected):
    def value(*args):
        y = getattr(special, name)(*args)
        return y[0] if isinstance(y, tuple) else y

    np.testing.assert_allclose(grad(value, i)(*args), expected, rtol=1e-14)


def test_second_derivatives_at_the_ends():
    assert grad(grad(special.gammainc, 1), 1)(1.0, 0.0) == -1
    assert grad(grad(special.gammainc, 1), 1)(2.0, 0.0) == 1
    assert grad(grad(special.betainc, 2), 2)(1.0, 3.0, 0.0) == -6
    assert grad(grad(special.betainc, 2), 2)(2.0, 1.0, 1.0) == 2


def test_the_order_of_expn_has_no_derivative():
    with pytest.raises(NotImplementedError, match="scipy.special.expn has no derivative with respect to 'n'"):
        grad(special.expn)(2.0, 1.0)


def test_large_arrays():
    """They are computed part by part."""
    a = np.linspace(0.5, 30, 2_500).reshape(50, 50)
    x = a[::-1].copy()
    found = grad(lambda a: np.sum(special.gammainc(a, x)))(a)
    expected = [grad(special.gammainc)(p, q) for p, q in zip(a[7, ::9], x[7, ::9])]
    np.testing.assert_allclose(found[7, ::9], expected, rtol=1e-14)
