"""Functions that put elements in order, or pick them by their place in it."""

import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad

from .support import *

nan = np.nan
A = array((2, 3, 4))
TABLE = A[:, :, 0]
ROW = A[0].ravel()
COMPLEX = TABLE + 1j * A[:, :, 1]
HOLES = np.where(np.arange(24).reshape(A.shape) % 5 == 2, nan, A)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 1.5, A.shape)
SMOOTH = ["linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased"]
STEPS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest"]
JAX_METHODS = ["linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf"]
QUANTILES = [np.quantile, np.percentile, np.nanquantile, np.nanpercentile]
AXES = [{"axis": 1}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": (-1, 0), "keepdims": True}]


def _q(fun, q):
    return 100 * q if "percentile" in fun.__name__ else q


# ---- Cases ----------------------------------------------------------------------------------------------------------

IN_JAX = [
    case(np.sort, A),
    case(np.sort, A, 0),
    case(np.sort, A, axis=None),
    case(np.sort, A, axis=1, stable=True),
    case(np.sort, ROW[:0]),
    Case(np.unique, (TABLE,), in_jax=lambda a: jnp.unique(a, size=6)),
    Case(np.unique_values, (TABLE,), in_jax=lambda a: jnp.unique(a, size=6)),
    *(case(fun, A, **axis) for fun in (np.median, np.nanmedian) for axis in ({}, *AXES[1:3])),
    *(case(fun, A, 0.3, method=method, axis=1) for fun in (np.quantile, np.nanquantile) for method in JAX_METHODS),
    *(case(fun, A, _q(fun, np.array([0.15, 0.6])), **axis) for fun in QUANTILES for axis in AXES[2:]),
    *(case(fun, A, _q(fun, 0.85)) for fun in QUANTILES),
    case(np.quantile, ROW, 0.3, weights=WEIGHTS[0].ravel(), method="inverted_cdf"),
]
IN_NUMPY = [
    case(np.sort, A, -1, "mergesort"),
    case(np.sort, A, axis=0, order=None),
    case(np.sort, COMPLEX),
    case(np.sort_complex, COMPLEX),
    case(np.sort_complex, TABLE),
    case(np.partition, A, 1),
    case(np.partition, A, [2, 5], axis=None),
    case(np.partition, A, (0, 1), axis=1, kind="introselect", order=None),
    case(np.partition, COMPLEX, 1, axis=0),
    case(np.unique, TABLE, return_index=True),
    case(np.unique, TABLE, return_inverse=True, return_counts=True),
    case(np.unique, A, axis=1),
    case(np.unique, A, equal_nan=False, axis=-1),
    case(np.unique, COMPLEX),
    case(np.unique_counts, TABLE),
    case(np.unique_inverse, TABLE),
    case(np.unique_all, TABLE),
    case(np.median, A, (0, 1)),
    case(np.nanmedian, A, (0, 1)),
    case(np.median, COMPLEX),
    case(np.median, 1.5),
    case(np.quantile, 1.5, 0.3),
    case(np.quantile, ROW, np.array([[0.1, 0.5], [0.9, 0.3]])),
    case(np.quantile, A, np.array([[0.1, 0.45], [0.9, 0.3]]), 1),
    *(case(fun, A, _q(fun, q), method=method) for fun in QUANTILES for method in SMOOTH for q in (0.37,)),
    *(case(np.quantile, A, q, axis=2, method=method) for method in SMOOTH + STEPS for q in (0.01, 0.62)),
    *(case(np.nanpercentile, A, q, axis=2, method=method) for method in SMOOTH + STEPS for q in (1.0, 62.0)),
    *(case(fun, A, _q(fun, 0.3), weights=WEIGHTS, method="inverted_cdf") for fun in QUANTILES),
    *(case(fun, A, _q(fun, 0.6), axis=1, weights=WEIGHTS, method="inverted_cdf", keepdims=True) for fun in QUANTILES),
    # NumPy's nan functions take no weights for an axis alone: they do not repeat them for the others.
    *(case(fun, A, _q(fun, 0.6), axis=1, weights=WEIGHTS[0, :, 0], method="inverted_cdf") for fun in QUANTILES[:2]),
    *(case(fun, A, _q(fun, 0.6), axis=(2, 0), weights=WEIGHTS[:, 0].T, method="inverted_cdf") for fun in QUANTILES[:2]),
]
if np.lib.NumpyVersion(np.__version__) >= "2.3.0":
    IN_NUMPY += [case(np.unique, TABLE, sorted=False), case(np.unique, A, axis=1, sorted=False)]
CASES = IN_JAX + IN_NUMPY

PROGRAMS = [
    program("ranked", lambda np, x: np.sort(x * x, axis=1) * np.array([1.0, 2.0, 3.0]), TABLE),
    program("deviation", lambda np, x: np.median(np.abs(x - np.median(x, axis=1, keepdims=True)), axis=1), TABLE),
    program("quantile of the mean", lambda np, x: np.quantile(x * x, 1 / (1 + np.exp(-np.mean(x)))), TABLE),
]

test_value_and_derivatives = for_each(IN_JAX + PROGRAMS, check)
test_value_and_derivatives_where_jax_differs = for_each(IN_NUMPY, check, against_jax=False)
test_float32 = for_each(CASES, check_precision, np.float32, 5e-6)


# ---- Special points -------------------------------------------------------------------------------------------------

X = np.array
LIKE_JAX = [
    # What is equal stays in order
    (program("sort", lambda np, x: np.sort(x) * np.array([1.0, 2.0, 3.0]), X([2.0, 1.0, 2.0])), [2, 1, 3]),
    (program("sort", lambda np, x: np.sort(x) * np.array([1.0, 2.0, 3.0]), X([0.0, -0.0, -1.0])), [2, 3, 1]),
    (case(np.median, X([2.0, 1.0, 2.0, 2.0])), [0.5, 0, 0.5, 0]),
    (case(np.median, X([2.0, 1.0, 2.0, 2.0, 3.0])), [0, 0, 1, 0, 0]),
    (program("unique", lambda np, x: np.unique(x, **({} if np is not jnp else {"size": 3})) * np.array([1.0, 2.0, 3.0]),
             X([2.0, 1.0, 2.0, 3.0])), [2, 1, 0, 3]),
    # A NaN makes the result NaN, which does not depend on anything; or it is left out
    (case(np.median, X([1.0, nan, 2.0])), [0, 0, 0]),
    (program("quartile", lambda np, x: np.quantile(x, 0.25, axis=1), X([[1.0, nan, 2.0], [1.0, 2.0, 4.0]])),
     [[0, 0, 0], [0.5, 0.5, 0]]),
    (case(np.nanmedian, X([1.0, nan, 2.0, 5.0])), [0, 0, 1, 0]),
    (case(np.nanquantile, X([1.0, nan, 2.0, 5.0]), 0.25), [0.5, 0, 0.5, 0], 2),
    # On an element, the quantile does not move with q
    (case(np.quantile, X([1.0, 2.0, 4.0]), 0.5), [0, 1, 0], 0),
    (case(np.quantile, X([1.0, 2.0, 4.0]), 0.0), [1, 0, 0], 0),
    (case(np.quantile, X([1.0, 2.0, 4.0]), 1.0), [0, 0, 1], 0),
    (case(np.percentile, X([4.0, 1.0, 2.0]), 75.0), [0.5, 0, 0.5], 0.04),
    (case(np.quantile, X([4.0, 1.0, 2.0]), 0.75, method="lower"), [0, 0, 1], 0),
    (case(np.quantile, X([4.0, 1.0, 2.0]), 0.75, method="higher"), [1, 0, 0], 0),
    (case(np.quantile, X([4.0, 1.0, 2.0]), 0.7, method="midpoint"), [0.5, 0, 0.5], 0),
]
IN_NUMPYS_WORDS = [
    # In JAX this q has the slope NaN.
    (case(np.quantile, X([[1.0, nan, 2.0], [1.0, 2.0, 4.0]]), 0.25, axis=1), [[0, 0, 0], [0.5, 0.5, 0]], 2),
    (case(np.nanmedian, X([[nan, nan], [1.0, 3.0]]), axis=1), [[0, 0], [0.5, 0.5]]),
    (case(np.nanquantile, X([[nan, nan], [1.0, 3.0]]), 0.25, axis=1), [[0, 0], [0.75, 0.25]], 2),
    (case(np.quantile, X([2.0, 1.0, 2.0, 3.0]), 0.5, weights=X([1.0, 1.0, 1.0, 0.0]), method="inverted_cdf"),
     [1, 0, 0, 0], 0, [0, 0, 0, 0]),
    (case(np.quantile, X([1.0, 2.0]), 0.1, method="hazen"), [1, 0], 0),
    (program("unique", lambda np, x: np.unique(x) * X([1.0, 2.0, 3.0]), X([nan, 1.0, nan, 0.0])), [3, 2, 0, 1]),
    (program("unique", lambda np, x: np.unique(x, equal_nan=False) * X([1.0, 2.0, 3.0, 4.0]), X([nan, 1.0, nan, 0.0])),
     [3, 2, 4, 1]),
]


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@rows(LIKE_JAX + IN_NUMPYS_WORDS)
def test_special_points(case, expected):
    check_special_point(case, expected)


test_special_points_in_jax = for_each(LIKE_JAX, check_special_point_in_jax)


@each([case for case in IN_NUMPY if case.fun in QUANTILES and "method" in case.kwargs and "weights" not in case.kwargs])
def test_values_that_are_missing_are_left_out(case):
    """The gradient is that of the values that are there."""
    if "nan" not in case.fun.__name__:
        return assert_not_numbers(case)
    case = Case(case.fun, (HOLES[0], case.args[1]), {"method": case.kwargs["method"]})
    there = Case(case.fun, (HOLES[0][~np.isnan(HOLES[0])], case.args[1]), case.kwargs)
    gradient, expected = gradient_of(case), gradient_of(there)
    assert_close(gradient["0"][~np.isnan(HOLES[0])], expected["0"], 1e-14)
    assert not gradient["0"][np.isnan(HOLES[0])].any()
    assert_close(gradient["1"], expected["1"], 1e-14)


def assert_not_numbers(case):
    gradient = gradient_of(Case(case.fun, (HOLES[0], case.args[1]), {"method": case.kwargs["method"]}))
    assert not gradient["0"].any() and gradient["1"] == 0


@pytest.mark.parametrize("q", [0.3, np.float32(0.3), np.float64(0.3), np.array([0.3, 0.7])], ids=repr)
@pytest.mark.parametrize("method", ["linear", "lower", "higher", "inverted_cdf"])
def test_the_place_is_where_numpy_looks(method, q):
    """0.3 in float32 is a little more than 0.3 in float64, and so another element of 11 is the next higher."""
    x = np.random.default_rng(0).permutation(11).astype(np.float32)
    for axis in (None, 0):
        value, gradient = value_and_grad(lambda x: np.sum(np.quantile(x, q, method=method, axis=axis)))(x)
        np.testing.assert_allclose(np.sum(gradient * x), value, rtol=1e-6)
        assert_alike(gradient, x)


def test_partition_that_numpy_orders_in_its_own_way():
    x = np.random.default_rng(0).permutation(500).astype(float)
    w = np.arange(500.0)
    gradient = grad(lambda x: np.sum(w * np.partition(x, [100, 300])))(x)
    for place, value in enumerate(np.partition(x, [100, 300])):
        assert gradient[x == value] == place


def test_places_are_constant():
    def f(x):
        places = np.argpartition(x, 2), np.lexsort((x, x)), np.searchsorted(x, x), np.digitize(x, [0.0]), np.nanargmax(x)
        return np.sum(x) * sum(map(np.sum, places))

    x = np.arange(4.0)
    np.testing.assert_array_equal(grad(f)(x), np.full(4, grad(f)(x)[0]))


def test_what_would_write_into_the_array_is_refused():
    for fun in (np.median, np.nanmedian, lambda x, **options: np.quantile(x, 0.5, **options)):
        with pytest.raises(NotImplementedError, match="overwrite_input="):
            grad(lambda x: fun(x, overwrite_input=True))(ROW)
    for fun in (np.median, lambda x, **options: np.percentile(x, 0.5, **options)):
        with pytest.raises(NotImplementedError, match="out="):
            grad(lambda x: fun(x, out=np.zeros(())))(ROW)


def test_axes_that_numpy_mixes_up_are_refused():
    for fun in (np.nanquantile, np.nanpercentile):
        with pytest.raises(NotImplementedError, match="mixes up the axes"):
            grad(lambda x: np.sum(fun(x, [[0.2, 0.7, 0.4]], axis=(0, 2))))(A)


def test_quantiles_of_nothing():
    for fun in (np.median, lambda x, axis: np.quantile(x, [0.2, 0.7], axis=axis), np.nanmedian):
        assert_alike(grad(lambda x: np.sum(fun(x, axis=1)))(np.zeros((0, 3))), np.zeros((0, 3)))


def test_quantiles_of_more_numbers_than_a_dtype_can_count_are_refused():
    x = np.linspace(0, 1, 5000).astype(np.float16)
    with pytest.raises(NotImplementedError, match="astype"):
        grad(lambda x: np.quantile(x, 0.5))(x)
