"""Functions that are made of others: with functions of the user's, histograms, sets, and what turns complex."""

import numpy as np
import pytest

from minigrad import Tensor, grad
from minigrad.rules.composition import looked_up
from minigrad.table import rules

from .support import *

RNG = np.random.default_rng(0)
A = RNG.uniform(0.2, 1, (2, 3, 4))
POINTS = RNG.uniform(0.2, 1, (9, 2))
WEIGHTS = RNG.uniform(0.5, 1.5, 9)
EDGES = np.array([0.1, 0.4, 0.7, 1.1])
SET = np.array([[0.3, 0.9], [0.5, 0.2]])
BEYOND = np.array([-1.3, 0.4, 1.7])
COMPLEX = A[0] + 1j * A[1]


def scaled(row):
    return row * row.sum()


def greatest(row):
    return row.max()


def of_two(row, factor, power=1):
    return [row[0] * factor, row[1] ** power]


def table(row):
    return row[:, None] * row[::-1]


IN_JAX = [
    case(np.apply_along_axis, scaled, 0, A),
    case(np.apply_along_axis, scaled, -1, COMPLEX),
    case(np.apply_along_axis, greatest, 1, A),
    case(np.apply_along_axis, greatest, 0, A[0, 0]),
    case(np.apply_along_axis, table, 1, A),
    Case(np.apply_over_axes, (np.sum, A, [0, -1]), in_jax=lambda _, a, axes: a.sum((0, 2), keepdims=True)),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1], EDGES, weights=WEIGHTS),
    case(np.histogramdd, POINTS, [EDGES, EDGES], weights=WEIGHTS),
]
IN_NUMPY = [
    case(np.apply_along_axis, of_two, 1, A, 3, power=2),
    case(np.apply_over_axes, np.cumsum, A, 1),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1]),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1], 3, None, True, WEIGHTS),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1], EDGES, density=True),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1], [EDGES, EDGES[1:]], density=True),
    case(np.histogram2d, POINTS[:, 0], POINTS[:, 1], 2, range=np.array([[0.1, 1], [0, 0.8]])),
    case(np.histogramdd, POINTS, weights=WEIGHTS),
    case(np.histogramdd, POINTS, (3, 2), density=True),
    case(np.histogramdd, [POINTS[:, 0], POINTS[:, 1], WEIGHTS], 2, density=True, weights=WEIGHTS),
    case(np.histogramdd, POINTS, (3, 2), [(0.25, 0.9), None], weights=WEIGHTS),
    case(np.histogramdd, WEIGHTS, [EDGES], density=True),
    case(np.histogramdd, POINTS[:1], 2, density=True),
    case(np.union1d, SET, EDGES),
    case(np.setdiff1d, SET, EDGES),
    case(np.setdiff1d, EDGES, SET[0], True),
    case(np.setxor1d, SET, EDGES),
    case(np.setxor1d, EDGES, SET[0], assume_unique=True),
    *(case(fun, BEYOND) for fun in (np.emath.sqrt, np.emath.log, np.emath.log2, np.emath.log10)),
    *(case(fun, BEYOND) for fun in (np.emath.arccos, np.emath.arcsin, np.emath.arctanh)),
    *(case(fun, x) for fun in (np.emath.sqrt, np.emath.arccos, np.emath.arcsin) for x in (0.4, -1.7, COMPLEX)),
    case(np.emath.logn, BEYOND, EDGES[:3]),
    case(np.emath.logn, 2.0, -3.0),
    case(np.emath.power, BEYOND, EDGES[:3]),
    case(np.emath.power, BEYOND, [2, -3, 1]),
]

test_derivatives = for_each(IN_JAX, check)
test_derivatives_of_what_jax_lacks = for_each(IN_NUMPY, check, against_jax=False)


NO_HISTOGRAMS = [case for case in IN_JAX + IN_NUMPY if "histogram" not in case.fun.__name__]
test_float32 = for_each(NO_HISTOGRAMS, check_precision, np.float32, 1e-4)


def test_a_histogram_of_float32_has_a_gradient_of_float32():
    points, weights = POINTS.astype(np.float32), WEIGHTS.astype(np.float32)
    for gradient in grad(lambda x, w: np.histogramdd(x, 3, weights=w, density=True)[0][0, 1] ** 2, (0, 1))(points, weights):
        assert gradient.dtype == np.float32 and gradient.any()


def test_each_is_a_composition():
    assert all(rules[case.fun].composition for case in IN_JAX + IN_NUMPY)


def test_what_is_plain_stays_plain():
    def f(x):
        assert type(np.apply_along_axis(np.argmax, 1, x)) is np.ndarray
        assert_identical(np.apply_along_axis(np.argmax, 1, x), np.apply_along_axis(np.argmax, 1, A))
        assert type(np.histogramdd([x.ravel()], [EDGES])[0]) is np.ndarray
        assert type(looked_up(np.sin, x)) is np.ndarray
        assert type(np.emath.sqrt(-x).imag) is Tensor
        return x.sum()

    np.testing.assert_array_equal(grad(f)(A), np.ones(A.shape))


def test_the_first_result_decides_on_the_dtype():
    """As in NumPy, which makes the array before it knows the others."""

    def whole_first(row):
        return 1 if row[0] == A[0, 0, 0] else row.sum()

    grad(lambda x: (assert_identical(np.apply_along_axis(whole_first, 1, x), np.apply_along_axis(whole_first, 1, A)), x.sum())[1])(A)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda x: np.apply_along_axis(scaled, 3, x), ValueError, "out of bounds"),
        (lambda x: np.apply_along_axis(scaled, 0, x[:, :0]), ValueError, "iteration dimensions are 0"),
        (lambda x: np.apply_over_axes(lambda a, axis: a[0, 0], x, [0]), ValueError, "correct shape"),
        (lambda x: np.histogramdd(x[0], 2, [(0, 1)]), ValueError, "one entry per dimension"),
        (lambda x: np.histogramdd(x[0], [2, 2]), ValueError, "dimension of bins"),
        (lambda x: np.histogram2d(x[0, 0], x[0, 0, :2]), ValueError, "same length"),
        (lambda x: np.histogramdd(x[0], 0), ValueError, "must be positive"),
    ],
)
def test_errors_are_those_of_numpy(call, error, match):
    for run in (call, lambda x: grad(lambda x: (call(x), x.sum())[1])(x)):
        with pytest.raises(error, match=match):
            run(A)
