"""`minigrad.numpy.polynomial`: values to the bit as NumPy's, derivatives against finite differences of NumPy's functions."""

import sys

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import Tensor, grad, jacrev
from minigrad.polynomial import BASES

from .support import cases

X, Y = np.array([0.3, -0.7, 0.9]), np.array([0.2, 0.4, -0.5])
C, D = np.array([1.0, 2.0, -0.5, 0.3]), np.array([0.4, -1.1, 0.7])
C2, C3 = np.arange(1.0, 7.0).reshape(3, 2) / 5, np.cos(np.arange(12.0)).reshape(3, 2, 2)
POINTS = np.linspace(-1, 1, 7)

CALLS = {
    "val": [(X, C), (X, C2), (0.3, C)],
    "val2d": [(X, Y, C2)],
    "val3d": [(X, Y, X * 0.5, C3)],
    "grid2d": [(X, Y, C2)],
    "grid3d": [(X, Y, X * 0.5, C3)],
    "vander": [(X, 3)],
    "vander2d": [(X, Y, [2, 1])],
    "vander3d": [(X, Y, X * 0.5, [1, 2, 1])],
    "add": [(C, D), (C, [1, 2])],
    "sub": [(C, D), (D, C)],
    "mul": [(C, D), (D, (1, 2))],
    "mulx": [(C,)],
    "div": [(C, D)],
    "pow": [(C, 3)],
    "der": [(C,), (C, 2), (C, 1, 0.5), (C2, 1, 1.0, 1), ([1, 2, 3], 1, 0.5)],
    "int": [(C,), (C, 2, np.array([0.3, 0.4])), (C, 1, np.array([0.2]), 0.3, 0.7), (C2,)],
    "fit": [(POINTS, np.cos(POINTS) + 0.1 * POINTS, 3)],
    "fromroots": [(D,), (np.array([1.0, 2.0, -0.5, 0.3]),)],
    "valfromroots": [(X, D)],
    "roots": [(C,), (D,), (np.array([0.5, 2.0]),)],
    "companion": [(C,)],
    "line": [(0.3, 0.7)],
    "trim": [(C,)],
    "weight": [(X,)],
    "2poly": [(C,)],
}
FUNCTIONS = [
    (module.__name__.rpartition(".")[2], name, args)
    for prefix, module in BASES.items()
    for word, calls in [*CALLS.items(), ("poly2", CALLS["2poly"])]
    for args in calls
    for name in [f"poly2{prefix}" if word == "poly2" else prefix + word]
    if hasattr(module, name)
]


def total(y):
    if isinstance(y, (list, tuple)):
        return sum(map(total, y))
    products = y * np.cos(np.arange(np.size(y)).reshape(np.shape(y)))
    return np.sum(np.real(products)) + (np.sum(np.imag(products)) if np.result_type(y).kind == "c" else 0)


def plain(y):
    return type(y)(map(plain, y)) if isinstance(y, (list, tuple)) else y.value if isinstance(y, Tensor) else y


def listed(y):
    return y if isinstance(y, (list, tuple)) else [y]


def differences(f, x, h=1e-6):
    x = np.asarray(x, float)
    units = np.eye(x.size).reshape(-1, *x.shape)
    return np.reshape([(f(x + h * unit) - f(x - h * unit)) / (2 * h) for unit in units], x.shape)


@pytest.mark.parametrize("module, name, args", FUNCTIONS, ids=[f"{name}{[np.shape(a) for a in args]}" for _, name, args in FUNCTIONS])
def test_functions(module, name, args):
    theirs, ours = getattr(getattr(np.polynomial, module), name), getattr(getattr(mnp.polynomial, module), name)
    expected = theirs(*args)
    for one, other in zip(listed(ours(*args)), listed(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    for i, x in enumerate(args):
        if not isinstance(x, (float, np.ndarray)):
            continue
        values = []

        def loss(t, fun=ours):
            y = fun(*args[:i], t, *args[i + 1:])
            values.append(y)
            return total(y)

        gradient = grad(loss)(x)
        for one, other in zip(listed(plain(values[0])), listed(expected), strict=True):
            np.testing.assert_array_equal(one, other)
            assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(gradient, differences(lambda x: loss(x, theirs), x), rtol=1e-7, atol=1e-7)
        direction = np.cos(np.arange(np.size(x)).reshape(np.shape(x)) + 1.0)
        second = grad(lambda t: np.sum(grad(loss)(t) * direction))(x)
        slopes = differences(lambda x: np.sum(grad(loss)(x) * direction), x, 1e-5)
        np.testing.assert_allclose(second, slopes, rtol=1e-6, atol=1e-6)


def test_everything_is_there():
    for module in BASES.values():
        ours = getattr(mnp.polynomial, module.__name__.rpartition(".")[2])
        assert {name for name in dir(module) if name[0] != "_"} <= set(vars(ours))


# ---- Zeros at the end of the coefficients, which NumPy drops ---------------------------------------------------------


@pytest.mark.parametrize("prefix", BASES)
def test_zeros_that_numpy_drops_have_a_derivative(prefix):
    """As far as the result goes. The derivative is the one for coefficients near zero, which NumPy does not drop."""
    ours = getattr(mnp.polynomial, BASES[prefix].__name__.rpartition(".")[2])
    c, d = np.array([0.5, 0.0]), np.array([2.0, -0.7, 0.3])

    def near(f, x, length):
        return jacrev(lambda c: np.stack([value for value in f(c)[:length]]))(x)

    for f in (
        lambda c: getattr(ours, prefix + "mul")(c, d), lambda c: getattr(ours, prefix + "mul")(d, c),
        lambda c: getattr(ours, prefix + "add")(c, d), lambda c: getattr(ours, prefix + "sub")(d, c),
        lambda c: getattr(ours, prefix + "mulx")(c), lambda c: getattr(ours, prefix + "pow")(c, 2),
        lambda c: getattr(ours, prefix + "div")(np.stack([c[0], c[0], c[1]]), d[:2])[0],
    ):
        length = len(f(c))
        np.testing.assert_allclose(near(f, c, length), near(f, c + [0, 1e-9], length), atol=1e-7)
    # A line through the root 1 of Laguerre's has the coefficients 0 and -1.
    roots = np.array([1.0, 2.0, -0.5, 0.3])
    theirs = getattr(BASES[prefix], prefix + "fromroots")
    gradient = grad(lambda r: total(getattr(ours, prefix + "fromroots")(r)))(roots)
    np.testing.assert_allclose(gradient, differences(lambda r: total(theirs(r)), roots), rtol=1e-7, atol=1e-7)


def test_multiple_roots_have_no_derivative():
    with pytest.raises(ValueError, match="chebroots has no derivative at a multiple root"):
        grad(lambda c: np.sum(np.real(mnp.polynomial.chebyshev.chebroots(c))))(np.polynomial.chebyshev.chebfromroots([1.0, 1.0]))


# ---- Classes --------------------------------------------------------------------------------------------------------

CLASSES = "Polynomial Chebyshev Legendre Laguerre Hermite HermiteE".split()
USES = {
    "call": lambda K, c: K(c)(0.4),
    "call, array": lambda K, c: total(K(c)(np.array([0.1, 0.2]))),
    "sum": lambda K, c: (K(c) + D)(0.4),
    "difference": lambda K, c: (D - K(c))(0.4),
    "product": lambda K, c: (K(c) * K(D))(0.4),
    "power": lambda K, c: (K(c) ** 2)(0.4),
    "quotient": lambda K, c: (K(c) // K(D))(0.4) + (K(c) % K(D))(0.3),
    "by a number": lambda K, c: (K(D) * c[0])(0.4) + (c[1] * K(D))(0.2) + (K(c) / c[1])(0.3),
    "deriv": lambda K, c: K(c).deriv(2)(0.4),
    "integ": lambda K, c: K(c).integ(1, [0.3])(0.4),
    "roots": lambda K, c: total(K(c).roots()),
    "convert": lambda K, c: total(K(c).convert(kind=np.polynomial.Chebyshev if K.__module__[:3] == "num" else mnp.polynomial.Chebyshev).coef),
    "fit": lambda K, c: K.fit(np.linspace(-1, 1, 4), c, 2)(0.3),
    "fromroots": lambda K, c: K.fromroots(c)(0.2),
    "basis": lambda K, c: K.basis(2)(c[0]),
    "linspace": lambda K, c: total(K(c).linspace(5)[1]),
    "truncate": lambda K, c: K(c).truncate(2)(0.3),
    "domain": lambda K, c: K(c, domain=[0, 2])(0.3) + K(D, domain=np.stack([c[0], c[1] + 2]))(0.3),
}


@pytest.mark.parametrize("name", CLASSES)
@cases(USES)
def test_classes(name, case):
    ours, theirs = getattr(mnp.polynomial, name), getattr(np.polynomial, name)
    assert issubclass(ours, theirs)
    np.testing.assert_array_equal(case(ours, C), case(theirs, C))
    np.testing.assert_allclose(grad(lambda c: case(ours, c))(C), differences(lambda c: case(theirs, c), C), rtol=1e-6, atol=1e-6)


# ---- Plain NumPy ----------------------------------------------------------------------------------------------------


HANDED_OVER = [name for name in ("polyval2d", "polygrid2d") if hasattr(getattr(np.polynomial.polynomial, name), "_implementation")]


@pytest.mark.parametrize("name", HANDED_OVER)
def test_what_plain_numpy_hands_over(name):
    """Two functions look for Tensors. The others are made of operators, so points may be Tensors, but not coefficients."""
    plain_function, ours = getattr(np.polynomial.polynomial, name), getattr(mnp.polynomial.polynomial, name)
    for i in range(3):
        args = [X, Y, C2]

        def loss(t, fun):
            return total(fun(*args[:i], t, *args[i + 1:]) ** 2)

        for derivative in (grad, lambda f: grad(lambda t: np.sum(grad(f)(t) ** 2))):
            found, expected = (derivative(lambda t: loss(t, fun))(args[i]) for fun in (plain_function, ours))
            np.testing.assert_allclose(found, expected, rtol=1e-13)
    with pytest.raises(ValueError, match="x, y are incompatible"):
        grad(lambda x: np.sum(np.polynomial.polynomial.polyval2d(x, Y[:2], C2)))(X)


def test_minigrad_does_not_load_it():
    import subprocess

    program = "import sys, minigrad, minigrad.numpy; print('numpy.polynomial.chebyshev' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr
