"""Functions of each element on its own: arithmetic, powers, exponentials, trigonometry."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.rules.elementwise import clip_method

from .support import *

inf, nan = np.inf, np.nan

# ---- Ordinary points ------------------------------------------------------------------------------------------------

ANY = np.array([[-1.7, -0.6, 0.3], [0.9, 2.2, -3.1]])
OTHER = np.array([[0.8, -1.3, 2.6], [-0.7, 1.9, 1.1]])
POSITIVE = np.array([[0.2, 0.7, 1.0], [1.6, 4.3, 2.4]])
INSIDE = np.array([[-0.8, -0.3, 0.1], [0.5, 0.7, -0.6]])  # between -1 and 1
ABOVE = np.array([[1.2, 1.9, 3.5], [2.1, 1.4, 5.0]])  # 1
COMPLEX = np.array([0.6 + 0.4j, -0.5 + 1.2j, 0.3 - 0.6j, -0.7 - 0.8j])
RIGHT = np.array([0.6 + 0.4j, 0.3 - 0.6j, 1.7 + 0.2j])  # of the imaginary axis
INTEGERS = np.array([[2, 0, 3], [1, -1, -2]])

UNARY = {
    np.negative: (ANY, COMPLEX),
    np.positive: (ANY, COMPLEX),
    np.square: (ANY, COMPLEX),
    np.reciprocal: (ANY, COMPLEX),
    np.conjugate: (ANY, COMPLEX),
    np.absolute: (ANY, COMPLEX),
    np.fabs: (ANY,),
    np.sqrt: (POSITIVE, COMPLEX),
    np.cbrt: (ANY,),
    np.exp: (ANY, COMPLEX),
    np.exp2: (ANY, COMPLEX),
    np.expm1: (ANY, COMPLEX),
    np.log: (POSITIVE, COMPLEX),
    np.log2: (POSITIVE, COMPLEX),
    np.log10: (POSITIVE, COMPLEX),
    np.log1p: (POSITIVE, COMPLEX),
    np.sin: (ANY, COMPLEX),
    np.cos: (ANY, COMPLEX),
    np.tan: (ANY, COMPLEX),
    np.arcsin: (INSIDE, COMPLEX),
    np.arccos: (INSIDE, COMPLEX),
    np.arctan: (ANY, COMPLEX),
    np.sinh: (ANY, COMPLEX),
    np.cosh: (ANY, COMPLEX),
    np.tanh: (ANY, COMPLEX),
    np.arcsinh: (ANY, COMPLEX),
    np.arccosh: (ABOVE, RIGHT),
    np.arctanh: (INSIDE, COMPLEX),
    np.deg2rad: (ANY,),
    np.radians: (ANY,),
    np.rad2deg: (ANY,),
    np.degrees: (ANY,),
    np.modf: (ANY,),
    np.frexp: (ANY,),
}
BINARY = {
    np.add: [(ANY, OTHER), (COMPLEX, RIGHT[0]), (ANY, 2 - 1j)],
    np.subtract: [(ANY, OTHER), (COMPLEX, RIGHT[0]), (ANY, 2 - 1j)],
    np.multiply: [(ANY, OTHER), (COMPLEX, RIGHT[0]), (ANY, 2 - 1j)],
    np.divide: [(ANY, OTHER), (COMPLEX, RIGHT[0]), (ANY, 2 - 1j)],
    np.power: [(POSITIVE, OTHER), (RIGHT, COMPLEX[:3]), (POSITIVE, 2 - 1j), (POSITIVE, 3.0), (ANY, INTEGERS), (ANY, 3), (2.5, ANY)],
    np.float_power: [(POSITIVE, OTHER), (ANY, INTEGERS), (RIGHT, COMPLEX[:3])],
    np.remainder: [(ANY, OTHER)],
    np.fmod: [(ANY, OTHER)],
    np.divmod: [(ANY, OTHER)],
    np.hypot: [(ANY, OTHER)],
    np.logaddexp: [(ANY, OTHER)],
    np.logaddexp2: [(ANY, OTHER)],
    np.arctan2: [(ANY, OTHER)],
    np.maximum: [(ANY, OTHER)],
    np.minimum: [(ANY, OTHER)],
    np.fmax: [(ANY, OTHER)],
    np.fmin: [(ANY, OTHER)],
    np.copysign: [(ANY, OTHER)],
    np.heaviside: [(ANY, OTHER), (INTEGERS, OTHER)],
    np.ldexp: [(ANY, INTEGERS)],
}
CASES = [case(fun, x) for fun, points in UNARY.items() for x in points]
CASES += [case(fun, *operands) for fun, table in BINARY.items() for operands in table]

LOW, HIGH = OTHER - 1.5, OTHER + 1.2
HOLES = np.array([[-1.7, nan, 0.3], [inf, 2.2, -inf]])
CASES += [
    case(np.clip, ANY, -1.0, 0.5),
    case(clip_method, ANY, LOW, HIGH),
    case(np.clip, ANY, LOW, HIGH),
    case(np.clip, ANY, LOW[0], None),
    case(np.clip, ANY, None, HIGH),
    Case(np.clip, (ANY,), {"a_min": -1.0, "a_max": HIGH}, in_jax=lambda a, a_min, a_max: jnp.clip(a, a_min, a_max)),
    case(np.clip, ANY, HIGH, LOW),
    case(np.clip, 0.3, -1.0, 0.5),
    case(np.clip, ANY, 0, 2),
    case(np.nan_to_num, ANY),
    case(np.nan_to_num, COMPLEX, nan=0.5),
    case(np.angle, COMPLEX),
    case(np.angle, COMPLEX, deg=True),
    case(np.angle, ANY),
]
if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
    CASES += [case(np.clip, ANY, min=LOW, max=HIGH), case(np.clip, ANY, max=0.5), case(np.clip, ANY, min=-1.0)]
    CASES += [case(np.clip, ANY, min=None, max=None)]
# JAX lacks real_if_close, and takes no traced numbers to put in place of NaN and infinity.
IN_NUMPY = [
    case(np.real_if_close, ANY),
    case(np.real_if_close, COMPLEX, tol=10),
    case(np.nan_to_num, ANY, nan=0.5, posinf=3.5, neginf=-2.5),
]

test_value_and_derivatives = for_each(CASES, check)
test_value_and_derivatives_where_jax_differs = for_each(IN_NUMPY, check, against_jax=False)


@pytest.mark.parametrize("exponent", [2, 2.0, np.float64(2), np.array(2.0)], ids=repr)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, float, np.complex64, complex])
def test_the_square_of_numbers_is_that_of_numpy_to_the_bit(dtype, shape, exponent):
    """For complex numbers, NumPy computes x ** 2.0 and x ** 2 in different ways."""
    x = array(shape, 3) if np.dtype(dtype).kind == "f" else complex_array(shape, 3)
    x = np.asarray(x, dtype)
    value = value_and_grad(lambda x: (np.sum(np.real(x)), x**exponent), has_aux=True)(x)[0][1]
    np.testing.assert_array_equal(value, x**exponent, strict=True)


@pytest.mark.parametrize("kind", [float, complex])
def test_numbers_in_place_of_nan_and_infinity(kind):
    """Where one was put, the cotangent is its; elsewhere it is that of the array."""
    x = np.empty(HOLES.shape, kind)
    x.real = HOLES
    if kind is complex:
        x.imag = HOLES[::-1]
    parts = [np.real] if kind is float else [np.real, np.imag]
    weights = np.linspace(0.5, 1.5, 6).reshape(HOLES.shape)

    def f(x, *numbers):
        y = np.nan_to_num(x, **dict(zip(("nan", "posinf", "neginf"), numbers)))
        return sum(np.sum(weights * part(y) ** 3) for part in parts)

    for numbers in [(0.5, 3.5, -2.5), (OTHER, OTHER[0], np.float64(-2.5))]:
        gradient = grad(f, range(1 + len(numbers)))
        x_share, *shares = gradient(x, *numbers)
        _, *curved = grad(lambda *args: sum(map(np.sum, gradient(*args)[1:])), range(1 + len(numbers)))(x, *numbers)
        expected = np.zeros(x.shape, kind)
        for part, unit in zip(parts, (1, -1j)):
            finite = np.where(np.isfinite(part(x)), part(x), 0)
            expected += unit * 3 * weights * finite**2
        assert_close(x_share, expected, 1e-14)
        for number, share, bend, at in zip(numbers, shares, curved, (np.isnan, np.isposinf, np.isneginf)):
            for actual, slope in (share, 3 * weights * number**2), (bend, 6 * weights * number):
                total = sum(np.where(at(part(x)), slope, 0) for part in parts)
                assert_close(actual, total.sum(axis=tuple(range(2 - np.ndim(number)))), 1e-14)
                assert_alike(actual, number)


test_float32 = for_each(CASES, check_precision, np.float32, 3e-6)
test_float16 = for_each([case for case in CASES if not any(map(np.iscomplexobj, case.args))], check_precision, np.float16, 3e-2)


def test_arccosh_left_of_the_imaginary_axis():
    # JAX takes the square root of (z-1)(z+1), which there is of the wrong sign.
    check(case(np.arccosh, COMPLEX), against_jax=False)


def test_hypot_of_equal_operands():
    # JAX's second derivative is 0 there: it divides by the larger operand, and takes that for a constant.
    check(case(np.hypot, ANY, np.abs(ANY)), against_jax=False)


# ---- Numbers of every kind ------------------------------------------------------------------------------------------

ROWS_OF_UNARY = [(fun, points[0].ravel()) for fun, points in UNARY.items()]


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.array], ids=["float", "float64", "float32", "0-d"])
@pytest.mark.parametrize("fun, x", ROWS_OF_UNARY, ids=lambda value: getattr(value, "__name__", ""))
def test_numbers(fun, x, kind):
    """A number is an array of one element; and one of Python's own stays one of Python's own."""
    for element, in_array in zip(x, gradient_of(case(fun, x))["0"]):
        number = kind(element)
        one = case(fun, number)
        check_kind = jax.tree.map(lambda leaf: leaf.item() if kind is float else leaf, one(one.parameters))
        (_, value), gradient = value_and_grad(_summed(fun), has_aux=True)(number)
        assert_identical(value, check_kind)
        assert [type(v) for v in _floating(value)] == [type(v) for v in _floating(check_kind)]
        assert_alike(gradient, number)
        assert_close(gradient, in_array, 1e-6 if kind is np.float32 else 1e-14)


def _summed(fun):
    def f(x):
        results = fun(x)
        return sum(_floating(results)), results

    return f


def _floating(results):
    """Those of the results that are not integers (as the exponent of frexp is)."""
    return [r for r in (results if isinstance(results, tuple) else (results,)) if np.result_type(r).kind == "f"]


# ---- Shapes ---------------------------------------------------------------------------------------------------------

# Broadcast in the first operand, the second, both; with a new axis, a stretched one, or a number; and nothing at all.
SHAPES = {
    "(2,3) (2,3)": ((2, 3), (2, 3)),
    "(2,3) (3,)": ((2, 3), (3,)),
    "(2,3) (1,3)": ((2, 3), (1, 3)),
    "(2,1) (1,3)": ((2, 1), (1, 3)),
    "(1,) (2,3)": ((1,), (2, 3)),
    "(2,1,1) (3,)": ((2, 1, 1), (3,)),
    "(1,3) (4,2,1)": ((1, 3), (4, 2, 1)),
    "() (2,3)": ((), (2, 3)),
    "(1,1) ()": ((1, 1), ()),
    "number (3,)": (None, (3,)),
    "(2,3) number": ((2, 3), None),
    "(1,) number": ((1,), None),
    "(0,) number": ((0,), None),
    "(0,3) (3,)": ((0, 3), (3,)),
    "(1,3) (0,1)": ((1, 3), (0, 1)),
    "(2,0) (2,1)": ((2, 0), (2, 1)),
}
TWO_FLOATS = [fun for fun in BINARY if fun is not np.ldexp]


def _numbers(shape, low, high):
    return 0.5 * (low + high) if shape is None else np.linspace(low, high, int(np.prod(shape))).reshape(shape)


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("fun", TWO_FLOATS, ids=lambda fun: fun.__name__)
def test_broadcasting(fun, shapes):
    """The gradient of an operand that was repeated is the sum of those of its copies."""
    a, b = _numbers(shapes[0], 0.6, 2.3), _numbers(shapes[1], 0.7, 1.9)
    gradients = gradient_of(case(fun, a, b))
    assert_alike(gradients, {"0": a, "1": b})
    copies = [np.array(copy) for copy in np.broadcast_arrays(a, b)]
    for operand, gradient, each_copy in zip((a, b), gradients.values(), gradient_of(case(fun, *copies)).values()):
        shape = np.shape(operand)
        new = each_copy.ndim - len(shape)
        added = each_copy.sum(axis=tuple(i for i in range(each_copy.ndim) if i < new or shape[i - new] == 1))
        assert_close(gradient, added.reshape(shape), 1e-13)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (1, 1), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("fun, x", ROWS_OF_UNARY, ids=lambda value: getattr(value, "__name__", ""))
def test_shapes_of_one_array(fun, x, shape):
    x = np.resize(x, shape)
    gradient = gradient_of(case(fun, x))
    assert_alike(gradient, {"0": x})
    for one, element in zip(gradient["0"].ravel(), x.ravel()):
        assert_close(one, gradient_of(case(fun, np.array([element])))["0"][0], 1e-14)


# ---- Special points -------------------------------------------------------------------------------------------------
# Where there is no derivative, or only a limit, the number is a convention: JAX's.

X = np.array
LIKE_JAX = [
    (case(np.absolute, X([0.0, -0.0, nan, -inf])), [1, 1, -1, -1]),
    (case(np.fabs, X([0.0, -0.0, nan])), [1, 1, -1]),
    (case(np.absolute, X([0j])), [0]),
    (case(np.sqrt, X([0.0, inf])), [inf, 0]),
    (case(np.sqrt, X([-1.0])), [nan]),
    (case(np.cbrt, X([0.0])), [inf]),
    (case(np.log, X([0.0, -2.0, inf])), [inf, -0.5, 0]),
    (case(np.log2, X([0.0])), [inf]),
    (case(np.log10, X([0.0])), [inf]),
    (case(np.log1p, X([-1.0])), [inf]),
    (case(np.reciprocal, X([0.0])), [-inf]),
    (case(np.arcsin, X([1.0, -1.0, 2.0])), [inf, inf, nan]),
    (case(np.arccos, X([1.0, -1.0, 2.0])), [-inf, -inf, nan]),
    (case(np.arccosh, X([1.0, 0.5])), [inf, nan]),
    (case(np.arctanh, X([1.0, -1.0])), [inf, inf]),
    (case(np.exp, X([-inf, inf])), [0, inf]),
    (case(np.tanh, X([-inf, inf])), [0, 0]),
    (case(np.arctan, X([-inf, inf])), [0, 0]),
    # Ties are shared; a NaN leaves nothing to anybody; 0 and -0 tie
    (case(np.maximum, X([1.0, 1.0, 2.0, 0.0]), X([1.0, 2.0, 1.0, -0.0])), [0.5, 0, 1, 0.5], [0.5, 1, 0, 0.5]),
    (case(np.minimum, X([1.0, 1.0, 2.0, 0.0]), X([1.0, 2.0, 1.0, -0.0])), [0.5, 1, 0, 0.5], [0.5, 0, 1, 0.5]),
    (case(np.maximum, X([nan, 1.0, nan]), X([1.0, nan, nan])), [0, 0, 0], [0, 0, 0]),
    (case(np.minimum, X([nan, 1.0, nan]), X([1.0, nan, nan])), [0, 0, 0], [0, 0, 0]),
    (case(np.maximum, X([-1.0, 0.0, 1.0]), 0), [0, 0.5, 1]),
    # but fmax and fmin give a tie to the second operand, and with a NaN look at the other
    (case(np.fmax, X([1.0, nan, 1.0, nan]), X([1.0, 1.0, nan, nan])), [0, 0, 1, 1], [1, 1, 0, 0]),
    (case(np.fmin, X([1.0, nan, 1.0, nan]), X([1.0, 1.0, nan, nan])), [0, 0, 1, 1], [1, 1, 0, 0]),
    # An integer exponent is exact at 0 and for negative numbers
    (case(np.power, X([0.0, -2.0]), 0), [0, 0]),
    (case(np.power, X([0.0, -2.0]), 1), [1, 1]),
    (case(np.power, X([0.0, -2.0]), 2), [0, -4]),
    (case(np.power, X([0.0, -2.0]), 3), [0, 12]),
    (case(np.power, X([0.0, -2.0]), -1), [-inf, -0.25]),
    (case(np.power, X([0.0, 0.0]), X([1.0, 2.0])), [1, 0], [0, 0]),
    (case(np.power, X([0.0, 0.0]), X([0.5, -1.0])), [inf, -inf], [0, nan]),
    (case(np.power, X([-2.0, -2.0]), X([2.0, 3.0])), [-4, 12], [nan, nan]),
    (case(np.arctan2, 0.0, 0.0), nan, nan),
    (case(np.hypot, X([0.0, 3.0, 0.0]), X([0.0, 0.0, -2.0])), [0.5, 1, 0], [0.5, 0, -1]),
    (case(np.logaddexp, X([-inf, inf, inf, 1.0]), X([-inf, inf, -inf, -inf])), [nan, 1, 1, 1], [nan, 1, 0, 0]),
    (case(np.logaddexp2, X([-inf, inf, inf, 1.0]), X([-inf, inf, -inf, -inf])), [nan, 1, 1, 1], [nan, 1, 0, 0]),
    (case(np.remainder, X([6.0, -7.0, 7.0]), X([3.0, 2.0, -2.0])), [1, 1, 1], [-2, 4, 4]),
    (case(np.fmod, X([6.0, -7.0, 7.0]), X([3.0, 2.0, -2.0])), [1, 1, 1], [-2, 3, 3]),
    # The quotient counts as it is after rounding: 1 / 0.1 is 10, though as a float 0.1 goes only 9 times into 1
    (case(np.remainder, X([1.0]), X([0.1])), [1], [-10]),
    (case(np.fmod, X([1.0]), X([0.1])), [1], [-10]),
    (case(np.divmod, X([6.0, -7.0, 7.0]), X([3.0, 2.0, -2.0])), [1, 1, 1], [-2, 4, 4]),
    (case(np.heaviside, X([-1.0, 0.0, 2.0]), X([0.5, 0.5, 0.5])), [0, 0, 0], [0, 1, 0]),
    (case(np.copysign, X([0.0, -0.0, 1.0, -1.0]), X([1.0, 1.0, -1.0, -0.0])), [1, 1, -1, 1], [0, 0, 0, 0]),
    (case(np.modf, X([2.0, -0.5, 0.0])), [1, 1, 1]),
    # clip is minimum(maximum(a, low), high), and shares at an edge as these do
    (case(np.clip, X([0.0, 1.0, 1.5, 2.0, 3.0, nan]), X([1.0] * 6), X([2.0] * 6)),
     [0, 0.5, 1, 0.5, 0, 0], [1, 0.5, 0, 0, 0, 0], [0, 0, 0, 0.5, 1, 0]),
    (case(np.clip, X([1.0]), X([1.0]), X([1.0])), [0.25], [0.25], [0.5]),
    (case(np.clip, X([0.0, 1.5, 3.0]), X([2.0] * 3), X([1.0] * 3)), [0, 0, 0], [0, 0, 0], [1, 1, 1]),
    (case(np.clip, X([inf, -inf, 0.0]), X([-inf] * 3), X([inf] * 3)), [0.5, 0.5, 1], [0, 0.5, 0], [0.5, 0, 0]),
    (case(np.nan_to_num, X([1.0, nan, inf, -inf])), [1, 0, 0, 0]),
    (case(np.angle, X([2.0, -2.0])), [0, 0]),
    (case(np.angle, X([0.0])), [nan]),
    (case(np.frexp, X([4.0, -0.75])), [0.125, 1]),
    (case(np.divide, X([1.0, 0.0]), X([0.0, 0.0])), [inf, inf], [-inf, nan]),
]
UNLIKE_JAX = [
    (case(np.real_if_close, X([1 + 1e-15j, 2 - 1e-15j])), [1, 1]),
    (case(np.nan_to_num, X([nan, inf, -inf, 1.0]), nan=0.5, posinf=3.5, neginf=-2.5), [0, 0, 0, 1], 1, 1, 1),
    # x**0 is 1 at every x, so its derivative is 0, where JAX computes 0 times infinity.
    (case(np.power, X([0.0, 2.0]), X([0.0, 0.0])), [0, 0], [0, np.log(2)]),
    (case(np.float_power, X([0.0, 2.0]), X([0.0, 0.0])), [0, 0], [0, np.log(2)]),
    (case(np.power, X([0.0, -1.0]), 0.0), [0, 0], nan),
    # x * 2**n has the slope 2**n also at 0, where JAX says 1. (So does frexp, whose mantissa there has no slope.)
    (case(np.ldexp, X([0.0, 3.0, -0.0]), X([3, 3, -1])), [8, 8, 0.5]),
    # Infinite operands have limits: the finite one of the two does not count.
    (case(np.logaddexp, X([inf, 1.0]), X([1.0, inf])), [1, 0], [0, 1]),
    (case(np.logaddexp2, X([inf, 1.0]), X([1.0, inf])), [1, 0], [0, 1]),
    (case(np.hypot, X([inf, 1.0]), X([1.0, -inf])), [nan, 0], [0, nan]),
]

test_special_points = for_each(LIKE_JAX + UNLIKE_JAX, check_special_point)


@rows(LIKE_JAX)
def test_special_points_in_jax(case, expected):
    # Number by number, because JAX compiles anew for each shape.
    shape = np.broadcast_shapes(*map(np.shape, case.args))
    for i in np.ndindex(shape):
        args = (arg if np.shape(arg) == () else arg[i] for arg in case.args)
        check_special_point_in_jax(Case(case.fun, tuple(args)), [np.broadcast_to(e, shape)[i] for e in expected])


@pytest.mark.parametrize("n, expected", [(0, 0), (1, 0), (2, 2), (3, 0), (0.0, 0), (1.0, 0), (2.0, 2), (3.0, 0)])
@pytest.mark.parametrize("power", [operator.pow, np.power, np.float_power], ids=lambda fun: fun.__name__)
def test_second_derivative_of_a_power_at_zero(power, n, expected):
    # JAX has NaN for the exponent 1.0.
    assert grad(grad(lambda x: power(x, n)))(0.0) == expected
    array = grad(lambda x: np.sum(grad(lambda x: np.sum(power(x, n)))(x)))(np.zeros(2))
    np.testing.assert_array_equal(array, [expected, expected])


@pytest.mark.parametrize("power", [operator.pow, np.power, np.float_power], ids=lambda fun: fun.__name__)
@pytest.mark.parametrize("kind", [float, np.float64, np.array, lambda x: np.full(3, x)], ids=["float", "float64", "0-d", "1-d"])
def test_mixed_derivatives_of_a_power_at_exponent_zero(power, kind):
    # d/da x**n is n x**(n-1): at n = 0 it vanishes, but its derivative with respect to n does not.
    def slope(i, a, b):
        return np.sum(grad(lambda a, b: np.sum(power(a, b)), i)(a, b))

    for i in (0, 1):
        mixed = grad(slope, 2 - i)(i, kind(2.0), kind(0.0))
        np.testing.assert_allclose(mixed, kind(0.5), rtol=1e-14)


# ---- Whole numbers --------------------------------------------------------------------------------------------------

WHOLE = {
    "int": 3,
    "bool": True,
    "int8": np.int8(2),
    "0-d": np.array(2),
    "array": np.array([2, 1, 3]),
    "unsigned": np.array([2, 0, 1], np.uint8),
    "booleans": np.array([True, False, True]),
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("fun", TWO_FLOATS, ids=lambda fun: fun.__name__)
def test_whole_numbers_count_as_floats(fun, whole):
    """Beside a value that is differentiated, on either side; also those from which one cannot subtract 1."""
    x, v = np.array([1.2, 0.7, 2.3]), np.array([0.9, 1.3, 1.1])

    def derivatives(apply):
        first = grad(lambda x: _total(apply(x))[0])
        return first(x), grad(lambda x: np.sum(v * first(x)))(x)

    number = np.asarray(whole, float)[()]
    with np.errstate(divide="ignore", invalid="ignore"):  # remainders of a division by 0
        assert_close(derivatives(lambda x: fun(x, whole)), derivatives(lambda x: fun(x, number)), 1e-15)
        assert_close(derivatives(lambda x: fun(whole, x)), derivatives(lambda x: fun(number, x)), 1e-15)


# ---- Complex numbers ------------------------------------------------------------------------------------------------


def test_gradient_of_a_real_function_of_a_complex_number():
    """It is the derivative for the real part, minus i times that for the imaginary part."""
    assert grad(lambda z: np.abs(z) ** 2)(2 + 3j) == pytest.approx(4 - 6j, rel=1e-15)
    assert grad(lambda z: np.real(z * z))(1 + 2j) == 2 + 4j
    assert grad(np.imag)(1 + 2j) == -1j
    assert type(grad(np.real)(1 + 2j)) is complex


# JAX's own sign of a complex number has the derivative 0.
SIGNS = [
    Case(np.sign, (COMPLEX,), in_jax=lambda z: z / jnp.abs(z)),
    Case(np.sign, (COMPLEX[0],), in_jax=lambda z: z / jnp.abs(z)),
    program("sign of a product", lambda np, z, x: z * x / np.abs(z * x) if np is jnp else np.sign(z * x), COMPLEX, 1.5),
]


@each(SIGNS)
def test_the_sign_of_a_complex_number(case):
    check(case)
    check_precision(case, np.float32, 1e-6)


def test_signs_that_are_constant():
    assert grad(lambda z: np.real(np.sign(z)))(0j) == 0
    assert grad(grad(lambda x: np.sign(x) * x**3))(-2.0) == 12.0
    signs = []
    grad(lambda x: signs.append(np.sign(x)) or x)(-2.0)
    assert signs == [-1.0] and type(signs[0]) is float, "the sign of a real number is no Tensor"


@pytest.mark.parametrize("z, slope", [
    (complex(inf, 0), 1), (complex(-inf, 3), -1), (complex(0, inf), -1j), (complex(2, -inf), 1j), (3e-320 + 4e-320j, 0.6 - 0.8j),
    (1e308 + 1e308j, np.sqrt(0.5) * (1 - 1j)),
])
def test_absolute_values_at_the_ends_of_the_range(z, slope):
    np.testing.assert_allclose(grad(np.abs)(z), slope, rtol=1e-3)
    np.testing.assert_allclose(grad(lambda z: np.sum(np.abs(z)))(np.array([z])), [slope], rtol=1e-3)


@pytest.mark.parametrize("fun, true", [
    (np.tanh, lambda z: 4 * np.exp(-2 * np.abs(z.real)) * np.exp(-2j * np.sign(z.real) * z.imag)),
    (np.tan, lambda z: 4 * np.exp(-2 * np.abs(z.imag)) * np.exp(2j * np.sign(z.imag) * z.real)),
    (np.arctan, lambda z: 1 / z / z), (np.arctanh, lambda z: -1 / z / z),
    (np.arcsinh, lambda z: np.where(z.real < 0, -1, 1) / z),
])
@pytest.mark.parametrize("kind, size", [(np.complex64, 1e25), (np.complex128, 1e200), (np.complex128, 1e10)])
def test_large_complex_numbers(fun, true, kind, size):
    if fun in (np.tanh, np.tan):  # they are nearly 1 or i at 12, already
        size = 12
    z = (size * np.array([3 + 2j, -1 + 3j, -2 - 1j, 1 - 2j])).astype(kind)
    for part, unit in (np.real, 1), (np.imag, -1j):
        slope = grad(lambda z: np.sum(part(fun(z))))(z)
        assert slope.dtype == kind
        np.testing.assert_allclose(slope, unit * true(z.astype(complex)), rtol=1e-5 if kind is np.complex64 else 1e-10, atol=1e-37)


THROUGH_COMPLEX = [
    program("cos_of_exp", lambda np, x: np.real(np.exp(1j * x)), ANY),
    program("modulus", lambda np, x: np.abs(x + 2j * x * x), ANY),
    program("division", lambda np, x: np.imag(x / (x - 1j)), ANY),
    program("both", lambda np, x, z: np.real(x * z * np.conjugate(z) ** x), POSITIVE[0], COMPLEX[:3]),
    program("power", lambda np, x: np.real((1 + 2j) ** x) + np.imag(x ** (0.5 - 1j)), POSITIVE),
    program("number", lambda np, x: np.real(np.sqrt(x * 1j)), 1.5),
]


@each(THROUGH_COMPLEX)
def test_real_numbers_in_complex_arithmetic(case):
    check(case)
    check_precision(case, np.float32, 1e-6)


def test_nothing_is_written_into_the_array():
    with pytest.raises(NotImplementedError, match="copy="):
        grad(lambda x: np.sum(np.nan_to_num(x, copy=False)))(ANY)


# ---- Operators ------------------------------------------------------------------------------------------------------

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "%": operator.mod,
    "divmod": divmod,
}
NUMPYS = dict(zip(OPERATORS, [np.add, np.subtract, np.multiply, np.divide, np.power, np.remainder, np.divmod]))
OPERANDS = {
    "float": 2.5,
    "int": 3,
    "bool": True,
    "float64": np.float64(2.5),
    "float32": np.float32(2.5),
    "int64": np.int64(3),
    "0-d": np.array(2.5),
    "array": np.array([2.5, 1.5, 0.5]),
    "integers": np.array([3, 1, 2]),
    "float32 array": np.array([2.5, 1.5, 0.5], np.float32),
    "column": np.array([[2.5], [1.5]]),
    "list": [2.5, 1.5, 0.5],
    "tuple": (3, 1, 2),
}
TRACED = {
    "float": 1.2,
    "float64": np.float64(1.2),
    "0-d": np.array(1.2),
    "array": np.array([1.2, 0.7, 2.3]),
    "float32": np.array([1.2, 0.7, 2.3], np.float32),
}


@pytest.mark.parametrize("x", TRACED.values(), ids=TRACED)
@pytest.mark.parametrize("other", OPERANDS.values(), ids=OPERANDS)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name, other, x):
    """On either side, an operator has the value that it has for plain operands, and the derivative of its function."""
    for apply, call in [
        (lambda x: OPERATORS[name](x, other), lambda x: NUMPYS[name](x, other)),
        (lambda x: OPERATORS[name](other, x), lambda x: NUMPYS[name](other, x)),
    ]:
        plain = (call if type(other) in (list, tuple) else apply)(x)
        (_, value), gradient = value_and_grad(lambda x: _total(apply(x)), has_aux=True)(x)
        assert_identical(value, plain)
        assert [type(v) for v in _floating(value)] == [type(v) for v in _floating(plain)]
        reference, _ = grad(lambda x: _total(call(x)), has_aux=True)(x)
        assert_alike(gradient, x)
        assert_close(gradient, reference, 1e-6 if np.result_type(x) == np.float32 else 1e-14)


def _total(results):
    """All numbers of a result or several, each with a weight of its own."""
    total = 0.0
    for i, result in enumerate(results if isinstance(results, tuple) else (results,)):
        weights = np.linspace(1 + i, 2 + i, np.size(result), dtype=np.result_type(result)).reshape(np.shape(result))
        total = total + np.sum(weights * result)
    return total, results


@pytest.mark.parametrize("fun, of_larger", [(np.maximum, 1), (np.fmax, 1), (np.minimum, 0), (np.fmin, 0)])
def test_complex_python_numbers_are_compared_as_numpy_does(fun, of_larger):
    for value, slope in ((2.5 + 0.5j, of_larger), (0.5 + 2.5j, 1 - of_larger)):
        assert grad(lambda z: fun(z, 1 + 1j).real)(value) == slope
        assert grad(lambda z: fun(1 + 1j, z).real)(value) == slope
