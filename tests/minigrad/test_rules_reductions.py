"""Sums, products, extremes and statistics along axes."""

import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.operands import TensorConversionError

from .support import *

inf, nan = np.inf, np.nan
SUMS = [np.sum, np.mean, np.prod]
EXTREMES = [np.max, np.min, np.amax, np.amin]
SPREADS = [np.var, np.std]

# ---- Ordinary points ------------------------------------------------------------------------------------------------

A = np.array([[[-1.7, 0.6], [0.3, 2.2], [0.9, -3.1]], [[1.4, -0.2], [-0.8, 1.1], [2.7, 0.5]]])
ROW = A[0].ravel()
COMPLEX = A + 1j * A[::-1, ::-1]
MASK = A > -0.5  # in every slice along the second axis, and along the first and third, at least two
COLUMN = np.array([[True], [False], [True]])
AXES = [{}, {"axis": None, "keepdims": True}, {"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}]
AXES += [{"axis": (-1, 0), "keepdims": True}]

CASES = [case(fun, A, **axis) for fun in SUMS + EXTREMES + SPREADS for axis in AXES]
CASES += [case(fun, A, 1) for fun in (np.sum, np.max, np.std)]
# Over no axes at all, every element is its own sum. (It has no spread, and std no slope.)
CASES += [case(fun, A, axis=()) for fun in [*SUMS, *EXTREMES, np.var]]
CASES += [case(fun, A[:, :1], axis=1) for fun in [*SUMS, *EXTREMES, np.var]]
CASES += [case(fun, x) for fun in [*SUMS, *EXTREMES, np.var] for x in (1.5, np.float64(1.5), np.array(1.5))]

CASES += [case(fun, A, where=MASK, **axis) for fun in SUMS + SPREADS for axis in AXES[::2]]
CASES += [case(fun, A, where=COLUMN, axis=1, keepdims=True) for fun in SUMS + SPREADS]
CASES += [case(fun, A, where=MASK, initial=start, axis=1) for fun in EXTREMES for start in (-0.3, 0.4)]
CASES += [case(fun, A, where=COLUMN, initial=0.4, axis=(0, 1), keepdims=True) for fun in EXTREMES]

STARTS = [(0.4, {}), (np.float64(-5.0), {"axis": 1}), (np.array(5.0), {"axis": (0, 2), "keepdims": True})]
CASES += [case(fun, A, initial=start, **axis) for fun in [np.sum, np.prod, *EXTREMES] for start, axis in STARTS]
CASES += [case(fun, A, initial=0.4, axis=1, where=COLUMN) for fun in [np.sum, np.prod]]
CASES += [case(np.sum, COMPLEX, initial=0.4), case(np.prod, COMPLEX, initial=0.4 - 1j, axis=1)]

for options in ({"ddof": 1}, {"ddof": 1.5, "axis": 1}, {"correction": 1, "axis": (0, 2), "keepdims": True}):
    CASES += [case(fun, A, **options) for fun in SPREADS]
CASES += [case(fun, A, ddof=1, where=MASK, axis=1) for fun in SPREADS]
CASES += [case(fun, A, correction=0.5, where=COLUMN) for fun in SPREADS]
# A mean that is given is an argument like any other, whether it is the mean or not.
for mean, options in [
    (np.mean(A, axis=1, keepdims=True), {"axis": 1}),
    (np.full((2, 1, 2), 0.3), {"axis": 1, "keepdims": True, "ddof": 1}),
    (np.full((1, 1, 1), 0.3), {}),
    (0.3, {"axis": 0}),
    (np.full((1, 1, 2), 0.3), {"axis": (0, 1), "where": COLUMN}),
]:
    CASES += [case(fun, A, mean=mean, **options) for fun in SPREADS]

CASES += [case(fun, COMPLEX, **axis) for fun in SUMS + SPREADS for axis in AXES[:3:2]]
CASES += [case(fun, COMPLEX, where=MASK, axis=1) for fun in SUMS + SPREADS]
CASES += [case(fun, A, axis=1, dtype=dtype) for fun in SUMS + SPREADS for dtype in (np.float64, np.complex128)]
CASES += [case(fun, A, axis=1, dtype=np.float64, initial=0.4) for fun in (np.sum, np.prod)]
CASES += [case(fun, A, mean=np.full((2, 1, 2), 0.3), correction=1, axis=1, dtype=np.float64) for fun in SPREADS]

CASES += [
    program("mask from traced values", lambda np, x: np.sum(x * x, where=x > 0), A),
    program("mean above the mean", lambda np, x: np.mean(x, axis=1, where=x > np.mean(x, axis=1, keepdims=True)), A),
    program("max below a bound", lambda np, x: np.max(x, axis=1, where=x < 1, initial=-9.0), A),
    program("initial from x", lambda np, x: np.prod(x, axis=0, initial=x[0, 0, 0]) + np.sum(x, initial=x[0, 0, 1]), A),
    program("normalised", lambda np, x: (x - x.mean(axis=0)) / x.std(axis=0), A),
    program("softmax", lambda np, x: np.exp(x - x.max()) / np.sum(np.exp(x - x.max())), ROW),
]


# ---- Running sums and products; what leaves NaN out; range; histograms ----------------------------------------------

HOLES = np.where(np.arange(12).reshape(A.shape) % 5 == 2, nan, A)
MANY = np.linspace(0.6, 1.7, 11)
RUNNING = [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod]
MORE = [case(fun, A, **axis) for fun in RUNNING for axis in ({}, {"axis": 0}, {"axis": -1})]
MORE += [case(fun, A, 1, dtype=dtype) for fun in RUNNING for dtype in (np.float64, np.complex128)]
MORE += [case(fun, COMPLEX, axis=1) for fun in RUNNING]
MORE += [case(fun, x) for fun in RUNNING[:2] for x in (1.5, MANY, ROW[:1], ROW[:0])]
MORE += [case(fun, A[:0], axis=1) for fun in RUNNING[:2]]
if hasattr(np, "cumulative_sum"):
    for fun in (np.cumulative_sum, np.cumulative_prod):
        MORE += [case(fun, MANY), case(fun, A, axis=1, include_initial=True), case(fun, A, axis=-1, dtype=np.float64)]
        MORE += [case(fun, ROW, include_initial=True), case(fun, COMPLEX, axis=0)]

NAN_SUMS = [np.nansum, np.nanmean, np.nanprod]
NAN_EXTREMES = [np.nanmax, np.nanmin]
NAN_SPREADS = [np.nanvar, np.nanstd]
MORE += [case(fun, A, **axis) for fun in NAN_SUMS + NAN_EXTREMES + NAN_SPREADS for axis in AXES[::3]]
MORE += [case(fun, A, where=MASK, axis=1) for fun in NAN_SUMS + NAN_SPREADS]
WITH_INITIAL = [np.nansum, np.nanprod, *NAN_EXTREMES]
MORE += [case(fun, A, where=COLUMN, axis=1, initial=0.4, keepdims=True) for fun in WITH_INITIAL]
MORE += [case(fun, A, axis=(0, 2), dtype=np.float64) for fun in NAN_SUMS + NAN_SPREADS]
MORE += [case(fun, A, initial=0.4, dtype=np.float64, keepdims=True, axis=1) for fun in (np.nansum, np.nanprod)]
MORE += [case(fun, COMPLEX, axis=1) for fun in NAN_SUMS + NAN_SPREADS]
MORE += [case(fun, A, ddof=1, axis=1) for fun in NAN_SPREADS]
for options in ({"correction": 0.5}, {"where": MASK, "keepdims": True, "ddof": 1, "dtype": np.float64}):
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        MORE += [case(fun, A, axis=1, mean=np.full((2, 1, 2), 0.3), **options) for fun in NAN_SPREADS]
MORE += [case(np.ptp, A, **axis) for axis in AXES] + [case(np.ptp, ROW, 0)]

WEIGHTS = np.linspace(0.5, 1.6, 12).reshape(A.shape)
EDGES = np.array([-2.0, -0.5, 0.45, 1.3, 4.0])
IN_NUMPY = [
    case(np.histogram, A, 3, weights=WEIGHTS),
    case(np.histogram, A, bins=3, density=True),
    case(np.histogram, A, bins=3, density=True, weights=WEIGHTS),
    case(np.histogram, A, EDGES, weights=WEIGHTS),
    case(np.histogram, A, EDGES, density=True, range=np.array([-1.5, 2.5])),  # which is not used
    case(np.histogram, A, bins=EDGES, density=True, weights=WEIGHTS),
    case(np.histogram, A, bins=3, range=np.array([-1.45, 2.45]), weights=WEIGHTS),
    case(np.histogram, A, 3, range=np.array([-1.45, 2.45]), density=True),
    case(np.histogram, A, 3, range=np.array([-1.45, 2.45]), density=True, weights=WEIGHTS),
    case(np.histogram, A, bins="sturges", density=True),
    case(np.histogram, A, 3, weights=WEIGHTS * (1 + 2j)),
    case(np.histogram_bin_edges, A, 3),
    case(np.histogram_bin_edges, A, bins=EDGES),
    case(np.histogram_bin_edges, A, 3, range=np.array([-1.45, 2.45])),
    case(np.histogram_bin_edges, A, EDGES, range=np.array([-1.45, 2.45])),
    case(np.histogram_bin_edges, A, 2, weights=WEIGHTS),
]
IN_NUMPY += [
    case(np.bincount, np.array([0, 2, 2, 5]), weights=MANY[:4]),
    case(np.bincount, np.array([0, 2, 2, 5]), MANY[:4], 9),
    case(np.bincount, np.zeros(0, int), MANY[:0], minlength=2),
    case(np.prod, A, axis=1, initial=None),
]
# A dtype for real numbers takes the real part, but not of what var and std compare with the mean.
TO_REAL = [case(fun, COMPLEX, axis=1, dtype=np.float64) for fun in (np.prod, *SPREADS, *RUNNING[::2])]
TO_REAL += [case(np.prod, COMPLEX, axis=1, dtype=np.float64, initial=0.4)]
CASES += MORE + IN_NUMPY


@each(CASES[: -len(IN_NUMPY)])
def test_value_and_derivatives(case):
    # The old names have the same rules, so finite differences are enough for them.
    # So may be what differs from another case only in a dtype.
    other_name = case.fun in (np.amax, np.amin)
    other_name |= "dtype" in case.kwargs and case.fun in NAN_SUMS + NAN_SPREADS + RUNNING
    other_name |= "correction" in case.kwargs and case.fun in NAN_SPREADS  # which JAX does not have there
    check(case, against_jax=not other_name)


test_value_and_derivatives_where_jax_differs = for_each(IN_NUMPY, check, against_jax=False)


def test_edges_that_change_afterwards():
    def f(weights):
        edges = EDGES.copy()
        values = np.histogram(A, edges, weights=weights)[0]
        edges[:] = 0
        return np.sum(values)

    np.testing.assert_array_equal(grad(f)(WEIGHTS), (A >= EDGES[0]) * 1.0)


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
@each(TO_REAL)
def test_complex_numbers_in_a_real_dtype(case):
    check(case, against_jax=False)


REAL_HISTOGRAMS = [case for case in IN_NUMPY if "complex" not in repr(case) and case.fun is not np.bincount]
NO_DTYPE = [case for case in CASES[: -len(IN_NUMPY)] if "dtype" not in case.kwargs]
test_histograms_in_float32 = for_each(REAL_HISTOGRAMS, check_precision, np.float32, 2e-5)
test_float32 = for_each(NO_DTYPE, check_precision, np.float32, 2e-5)


# ---- dtypes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("fun", SUMS + SPREADS, ids=lambda fun: fun.__name__)
def test_computing_in_another_dtype(fun, axis):
    """dtype= is that of the result; the gradient is in the leaf's own."""
    narrow = case(fun, A, axis=axis, dtype=np.float32)
    assert_identical(value_and_grad(lambda a: (np.sum(narrow({"0": a})), narrow({"0": a})), has_aux=True)(A)[0][1], narrow({}))
    gradient = gradient_of(narrow)
    assert_alike(gradient, {"0": A})
    assert_close(gradient, gradient_of(case(fun, A, axis=axis)), 1e-5)
    assert_close(gradient, jax_gradient_of(narrow), 1e-5)

    single = A.astype(np.float32)
    gradient = gradient_of(case(fun, single, axis=axis, dtype=np.float64))
    assert_alike(gradient, {"0": single})
    assert_close(gradient, gradient_of(case(fun, A, axis=axis)), 1e-5)


def test_sum_as_integers_has_no_derivative():
    np.testing.assert_array_equal(grad(lambda x: np.sum(x, dtype=int) * np.sum(x))(np.array([1.5, 2.5])), [3, 3])


# ---- Special points -------------------------------------------------------------------------------------------------

X = np.array
NONE = np.zeros(2, bool)
TABLE = X([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, nan, 1.0]])
LIKE_JAX = [
    # The product of the others is found without a division, however many of them are 0
    (case(np.prod, X([1.0, 2.0, 3.0, 0.0])), [0, 0, 0, 6]),
    (case(np.prod, X([0.0, 2.0, 0.0, 3.0])), [0, 0, 0, 0]),
    (case(np.prod, X([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0]]), axis=1), [[6, 0, 0], [0, 0, 0]]),
    (case(np.prod, X([0.0, 2.0, 3.0]), initial=0.0), [0, 0, 0], 0),
    (case(np.prod, X([0.0, 2.0, 5.0]), where=X([True, True, False])), [2, 0, 0]),
    # Elements that tie for an extreme share it, in each slice
    (case(np.max, X([2.0, 1.0, 2.0, 2.0, 1.0])), [1 / 3, 0, 1 / 3, 1 / 3, 0]),
    (case(np.min, X([2.0, 1.0, 2.0, 2.0, 1.0])), [0, 0.5, 0, 0, 0.5]),
    (case(np.amax, X([2.0, 1.0, 2.0, 2.0, 1.0])), [1 / 3, 0, 1 / 3, 1 / 3, 0]),
    (case(np.amin, X([2.0, 1.0, 2.0, 2.0, 1.0])), [0, 0.5, 0, 0, 0.5]),
    (case(np.max, X([0.0, -0.0, -1.0])), [0.5, 0.5, 0]),
    (case(np.max, X([inf, -inf, inf])), [0.5, 0, 0.5]),
    (case(np.max, TABLE, axis=1), [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [nan, nan, nan]]),
    (case(np.min, TABLE, axis=1), [[0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [nan, nan, nan]]),
    (case(np.max, TABLE[:2], axis=(0, 1), keepdims=True), [[0.5, 0.5, 0], [0, 0, 0]]),
    # as do the elements together and the initial value
    (case(np.max, X([1.0, 1.0]), initial=1.0), [0.25, 0.25], 0.5),
    (case(np.min, X([1.0, 1.0]), initial=1.0), [0.25, 0.25], 0.5),
    (case(np.max, X([[1.0, 1.0], [0.0, 2.0]]), axis=1, initial=1.0), [[0.25, 0.25], [0, 1]], 0.5),
    (case(np.max, X([1.0, 2.0]), initial=3.0), [0, 0], 1),
    (case(np.max, X([1.0, 1.0, 5.0]), where=X([True, True, False]), initial=1.0), [0.25, 0.25, 0], 0.5),
    (case(np.max, X([1.0, 5.0]), where=NONE, initial=1.0), [0, 0], 1),
    (case(np.var, X([2.0, 2.0, 2.0])), [0, 0, 0]),
    (case(np.sum, X([1.0, nan, 3.0]), where=X([True, False, True])), [1, 0, 1]),
    (case(np.mean, X([1.0, nan, 3.0]), where=X([True, False, True])), [0.5, 0, 0.5]),
    (case(np.mean, X([1.0, 2.0]), where=NONE), [0, 0]),
    (case(np.prod, X([2.0, nan, 3.0]), where=X([True, False, True])), [3, 0, 2]),
    (case(np.max, X([2.0, nan, 3.0]), where=X([True, False, True]), initial=0.0), [0, 0, 1], 0),
    (case(np.std, X([2.0, 2.0, 2.0])), [nan, nan, nan]),
    (case(np.std, X([[2.0, 2.0], [1.0, 3.0]]), axis=1), [[nan, nan], [-0.5, 0.5]]),
    (case(np.std, X([1.0, 2.0]), axis=()), [nan, nan]),
    (case(np.var, X([1.0, nan])), [nan, nan]),
]
LIKE_JAX += [
    # Running products are found without a division, too
    (case(np.cumprod, X([1.0, 0.0, 2.0, 0.0])), [1, 3, 0, 0]),
    (case(np.cumprod, X([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0]]), axis=1), [[9, 0, 0], [1, 0, 0]]),
    (case(np.nancumprod, X([nan, 2.0, 0.0, 3.0])), [0, 1, 8, 0]),
    (case(np.nancumsum, X([nan, 2.0, nan, 3.0])), [0, 3, 0, 1]),
    (case(np.nansum, X([nan, 2.0])), [0, 1]),
    (case(np.nansum, X([nan, nan])), [0, 0]),
    (case(np.nanmean, X([nan, 2.0, 3.0])), [0, 0.5, 0.5]),
    (case(np.nanmean, X([[nan, nan], [2.0, 3.0]]), axis=1), [[0, 0], [0.5, 0.5]]),
    (case(np.nanprod, X([nan, 2.0, 0.0, 3.0])), [0, 0, 6, 0]),
    (case(np.nanmax, X([1.0, nan, 2.0, 2.0])), [0, 0, 0.5, 0.5]),
    (case(np.nanmin, X([[nan, nan], [2.0, 3.0]]), axis=1), [[0, 0], [1, 0]]),
    (case(np.nanvar, X([nan, 2.0, 0.0, 4.0])), [0, 0, -4 / 3, 4 / 3]),
    (case(np.nanvar, X([nan, nan])), [0, 0]),
    (case(np.nanvar, X([nan, 1.0])), [0, 0]),
    (case(np.nanstd, X([nan, 1.0])), [0, nan]),
    (case(np.nanstd, X([nan, 1.0, 3.0])), [0, -0.5, 0.5]),
    (case(np.ptp, X([2.0, 1.0, 2.0, 2.0, 3.0, 1.0])), [0, -0.5, 0, 0, 1, -0.5]),
    (case(np.ptp, X([2.0, 2.0])), [0, 0]),
    (case(np.ptp, X([2.0, nan])), [nan, nan]),
]
UNLIKE_JAX = [
    (case(np.nanvar, X([[nan, 1.0], [1.0, 3.0]]), axis=1, ddof=1), [[0, 0], [-2, 2]]),
    (case(np.nansum, X([1.0, nan, 3.0]), where=X([True, False, False])), [1, 0, 0]),
    # Elements that no bin holds, and the last edge, which belongs to the bin before it
    (case(np.histogram, X([1, 2, 3, 4]), X([1, 2, 3]), weights=X([1.0, 1.0, 1.0, 1.0])), [1, 1, 1, 0]),
    # With as many degrees of freedom as elements, NumPy divides by 0, and the slopes are infinite, but for the mean's
    # element. JAX makes NaN of all, and with fewer degrees still, where NumPy keeps on dividing by 0, it makes 0.
    (case(np.var, X([1.0, 2.0, 3.0]), ddof=3), [-inf, nan, inf]),
    (case(np.var, X([1.0, 2.0, 3.0]), ddof=4), [-inf, nan, inf]),
    (case(np.var, X([1.0, 2.0, 3.0]), ddof=4, where=np.ones(3, bool)), [-inf, nan, inf]),
    (case(np.var, X([3.0]), ddof=1), [nan]),
    # What does not take part is not there, so it does no harm. In JAX it makes everything NaN.
    (case(np.var, X([1.0, nan, 3.0, inf]), where=X([True, False, True, False])), [-1, 0, 1, 0]),
    (case(np.std, X([1.0, nan, 3.0, inf]), where=X([True, False, True, False])), [-0.5, 0, 0.5, 0]),
    (case(np.var, X([1.0, 2.0]), where=NONE), [0, 0]),
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")  # which NumPy says of itself
@pytest.mark.filterwarnings("ignore:All-NaN")
@rows(LIKE_JAX + UNLIKE_JAX)
def test_special_points(case, expected):
    check_special_point(case, expected)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN", "ignore:Degrees of freedom")
@rows(LIKE_JAX)
def test_special_points_in_jax(case, expected):
    check_special_point_in_jax(case, expected)


# ---- Shapes without elements, and without axes ----------------------------------------------------------------------

EMPTY = [
    case(fun, x, **axis)
    for fun in [np.sum, np.prod]
    for x, axis in [
        (np.zeros(0), {}),
        (np.zeros((0, 3)), {"axis": 0}),
        (np.zeros((0, 3)), {"axis": 1}),
        (np.zeros((2, 0)), {"axis": 1, "keepdims": True}),
    ]
]
EMPTY += [case(fun, np.zeros((0, 3)), axis=1) for fun in EXTREMES + [np.mean, np.var, np.std]]
EMPTY += [case(fun, np.zeros((0, 3)), axis=0, initial=2.0) for fun in [np.sum, np.prod]]

test_empty_arrays = for_each(EMPTY, check)


@each([case(fun, np.zeros((0, 3)), axis=0, initial=2.0) for fun in EXTREMES])
def test_extremes_of_nothing_but_an_initial_value(case):
    check(case, against_jax=False)  # where the second derivative of an initial value without competition is NaN


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")
@pytest.mark.parametrize("fun", [np.mean, *SPREADS], ids=lambda fun: fun.__name__)
def test_mean_and_spread_of_nothing(fun):
    with np.errstate(all="ignore"):
        value, gradient = value_and_grad(fun)(np.zeros(0))
    assert np.isnan(value)
    assert_alike(gradient, np.zeros(0))


@pytest.mark.parametrize("fun", EXTREMES, ids=lambda fun: fun.__name__)
def test_extreme_of_nothing_is_an_error_of_numpys(fun):
    with pytest.raises(ValueError, match="zero-size array to reduction operation"):
        grad(fun)(np.zeros(0))


@pytest.mark.parametrize("axis", [None, (), 0, -1])
@pytest.mark.parametrize("x", [1.5, np.float64(1.5), np.array(1.5)], ids=["float", "float64", "0-d"])
@pytest.mark.parametrize("fun", [np.sum, np.prod, *EXTREMES], ids=lambda fun: fun.__name__)
def test_numbers_have_the_axes_that_numpy_gives_them(fun, x, axis):
    gradient = grad(lambda x: fun(x, axis=axis))(x)
    assert_alike(gradient, x)
    assert gradient == 1


# ---- Holes ----------------------------------------------------------------------------------------------------------


@each([case(fun, HOLES, axis=axis) for fun in NAN_SUMS + NAN_EXTREMES + NAN_SPREADS + RUNNING[2:] for axis in (None, 1)])
def test_what_is_missing_has_no_part_in_any_derivative(case):
    """The gradient and the second derivatives are those with the missing values left out."""
    here = ~np.isnan(HOLES)
    (values,) = case.parameters.values()

    def loss(x):
        return np.sum(case.fun(np.where(here, x, nan), **case.kwargs) ** 2 * 0.3)

    first = grad(lambda x: np.sum(case.fun(x, **case.kwargs) ** 2 * 0.3))(values)
    second = grad(lambda x: np.sum(grad(lambda x: np.sum(case.fun(x, **case.kwargs) ** 2 * 0.3))(x)[here] ** 2))(values)
    step, direction = 1e-5, np.where(here, np.linspace(0.5, 1.5, 12).reshape(A.shape), 0)
    filled = np.where(here, HOLES, 0)
    slope = (loss(filled + step * direction) - loss(filled - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(first * direction), slope, rtol=1e-7, atol=1e-7)
    right, left = (np.sum(grad(loss)(filled + sign * step * direction)[here] ** 2) for sign in (1, -1))
    bend = (right - left) / (2 * step)
    np.testing.assert_allclose(np.sum(second * direction), bend, rtol=1e-6, atol=1e-6)
    assert not first[~here].any() and not second[~here].any()


# ---- Other ways to call them ----------------------------------------------------------------------------------------

AS_METHODS = [{}, {"axis": 1}, {"axis": (0, -1), "keepdims": True}]


@pytest.mark.parametrize("options", AS_METHODS, ids=repr)
@pytest.mark.parametrize("name", "sum mean prod max min var std".split())
def test_methods(name, options):
    def total(result):
        return np.sum(result * np.linspace(1, 2, np.size(result)).reshape(np.shape(result))), result

    (_, value), gradient = value_and_grad(lambda a: total(getattr(a, name)(**options)), has_aux=True)(A)
    (_, expected), reference = value_and_grad(lambda a: total(getattr(np, name)(a, **options)), has_aux=True)(A)
    assert_identical(value, getattr(A, name)(**options))
    assert_identical(expected, getattr(np, name)(A, **options))
    assert_close(gradient, reference, 1e-15)


REDUCTIONS = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
REDUCE = [((), {}), ((1,), {}), ((), {"axis": None}), ((), {"axis": (0, 2), "keepdims": True}), ((-1, None, None, True), {})]
REDUCE += [((), {"axis": 1, "initial": 0.4}), ((), {"axis": 1, "initial": 0.4, "where": MASK})]


@pytest.mark.parametrize("ufunc", REDUCTIONS, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("args, kwargs", REDUCE, ids=repr)
def test_reduce(ufunc, args, kwargs):
    """np.add.reduce is np.sum, but for its axis, which is the first if none is given; and so for the others."""
    check(program("reduce", lambda _, a: ufunc.reduce(a, *args, **kwargs), A), against_jax=False)
    function, axis = REDUCTIONS[ufunc], {"axis": args[0] if args else 0, "keepdims": len(args) > 3} | kwargs
    gradient = gradient_of(program("reduce", lambda _, a: ufunc.reduce(a, *args, **kwargs), A))
    assert_close(gradient, gradient_of(program("function", lambda _, a: function(a, **axis), A)), 1e-15)


def test_an_initial_value_alone_is_refused():
    # NumPy does not look at initial= when it decides whom to ask, so a plain array hides it.
    for fun in (np.sum, np.prod, np.max):
        with pytest.raises(TensorConversionError):
            grad(lambda start: fun(np.ones(3), initial=start))(0.5)
