"""Polynomials, interpolation, differences, and statistics of several variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.engine import title
from minigrad.rules.polynomials import bessel_i, sinc_derivative

from .support import (
    Case,
    assert_close,
    assert_identical,
    case,
    check,
    check_precision,
    check_special_point,
    each,
    gradient_of,
    jax_gradient_of,
    program,
    rows,
)


def _array(shape, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, shape)


def _complex(shape):
    return _array(shape) + 1j * _array(shape, 1)


def _positive(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2, shape)


def _like_numpy(fun, *names):
    """What JAX computes, with as many of the last numbers as NumPy leaves: it does not leave zeros in front away."""

    def in_jax(*args):
        lengths = [len(y) for y in (lambda y: y if isinstance(y, tuple) else (y,))(fun(*map(np.asarray, names)))]
        results = getattr(jnp, fun.__name__)(*args)
        if not isinstance(results, tuple):
            return results[len(results) - lengths[0]:]
        return tuple(y[len(y) - n:] for y, n in zip(results, lengths))

    return Case(fun, names, in_jax=in_jax)


# ---- Polynomials, given by their coefficients ------------------------------------------------------------------------

COEFFICIENTS = [
    case(np.polyval, _array((4,)), _array((3,), 1)),
    case(np.polyval, _array((4,)), np.array([0.0, 1.5])),
    case(np.polyval, _array((1,)), _array((3,), 1)),
    case(np.polyval, _array((0,)), _array((3,), 1)),
    case(np.polyval, _array((3,)), 1.5),
    case(np.polyval, _array((3,)), _array((2, 1, 3), 1)),
    case(np.polyval, _array((3, 2)), _array((4, 1), 1)),
    case(np.polyval, _array((3, 4, 1)), _array((2,), 1)),
    case(np.polyval, _complex((3,)), _complex((2,))),
    case(np.polyval, _array((3,)), _complex((2,))),
    case(np.polyval, _array((3,)), np.array([2, 0, -1])),
    case(np.polyval, np.array([2, 0, -1]), _array((3,))),
    *(
        case(fun, *args)
        for fun in (np.polyadd, np.polysub)
        for args in [
            (_array((3,)), _array((3,), 1)),
            (_array((4,)), _array((2,), 1)),
            (_array((2,)), _array((4,), 1)),
            (_complex((2,)), _array((3,))),
        ]
    ),
    Case(np.polyadd, (1.5, _array((3,))), in_jax=lambda a, b: jnp.polyadd(jnp.atleast_1d(a), b)),
    Case(np.polysub, (_array((3,)), 1.5), in_jax=lambda a, b: jnp.polysub(a, jnp.atleast_1d(b))),
    case(np.polymul, _array((3,)), _array((2,), 1)),
    case(np.polymul, _array((2,)), _array((4,), 1)),
    case(np.polymul, _complex((2,)), _array((3,))),
    Case(np.polymul, (1.5, _array((3,))), in_jax=lambda a, b: a * b),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0, 3.0]), np.array([1.0, 0.5, -2.0])),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0]), np.array([0.5, 1.0, 1.5, -1.0])),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0]), np.array([2.0])),
    _like_numpy(np.polydiv, np.array([1.5 + 1j, -2.0, 0.25j, 1.0]), np.array([2.0, 1.5])),
    _like_numpy(np.polydiv, np.array([1.0, 1.5, -1.0]), np.array([1.0, 2.0])),  # which leaves nothing
    case(np.polyder, _array((4,))),
    case(np.polyder, _array((4,)), 2),
    case(np.polyder, _array((4,)), m=0),
    case(np.polyder, _array((1,))),
    case(np.polyder, _complex((3,)), m=1),
    case(np.polyint, _array((3,))),
    case(np.polyint, _array((3,)), 2),
    case(np.polyint, _array((3,)), m=0),
    case(np.polyint, _complex((3,)), m=1),
    case(np.polyint, _array((3,)), m=2, k=np.array([1, 2])),
    Case(np.vander, (_array((3,)),)),
    case(np.vander, _array((3,)), 4),
    case(np.vander, _array((3,)), N=2, increasing=True),
    case(np.vander, _array((3,)), 1),
    case(np.vander, _array((3,)), 0),
    case(np.vander, _complex((2,)), 3),
]
# At zero, JAX has powers of it that are not a number.
AT_ZERO = [
    case(np.vander, np.array([0.0, 1.5, -0.5]), 4),
    case(np.polyfit, np.array([0.0, 1.5, -0.5, 1.0]), _array((4,)), 1),
]
# NumPy does not divide where there is nothing to divide, and JAX has no quotient then.
SHORT = [case(np.polydiv, _array((2,)), _positive((4,))), case(np.polydiv, 1.5, _positive((2,)))]

# ---- Zeros ----------------------------------------------------------------------------------------------------------

POLY = [
    case(np.poly, _array((3,))),
    case(np.poly, np.array([0.0, 1.5, 1.5, -2.0])),
    case(np.poly, _array((1,))),
    case(np.poly, _complex((3,))),
]
_PAIR = np.array([1 + 2j, 1 - 2j, 0.5 + 0j])  # the product of the factors is real
OF_MATRIX = [
    case(np.poly, _array((3, 3))),
    case(np.poly, np.array([[0.0, 1.0], [-1.0, 0.0]]) * 1.5),
    case(np.poly, _array((1, 1))),
    case(np.poly, _complex((3, 3))),
]
ROOTS = [
    Case(np.roots, args, in_jax=lambda p: jnp.roots(p, strip_zeros=False))
    for args in [
        (np.array([1.0, 0.5, -4.0, -1.0]),),
        (np.array([2.0, 1.0]),),
        (np.array([1.5, 0.5, 2.0]),),  # a pair of complex ones
        (np.array([1.0 + 1j, -2.0, 0.5j]),),
    ]
]

# ---- Fitting --------------------------------------------------------------------------------------------------------

_X = np.array([-1.5, -0.4, 0.3, 1.1, 1.9, 2.2])
FIT = [
    case(np.polyfit, _X, _array((6,)), 2),
    case(np.polyfit, _X, _array((6,)), 0),
    case(np.polyfit, _X, _array((6, 2)), 1),
    case(np.polyfit, _X[:3], _array((3,)), 2),
    case(np.polyfit, _X, _array((6,)), 2, None, False, _positive((6,))),
    case(np.polyfit, _X, _array((6, 2)), 2, None, False, _positive((6,))),
    case(np.polyfit, _X, _array((6,)), 2, None, False, np.array([1.0, 2, 0.5, 0, 1, 1])),
    case(np.polyfit, _X, _array((6,)), 1, cov=True),
    case(np.polyfit, _X, _array((6, 2)), 1, cov=True),
    case(np.polyfit, _X, _array((6,)), 1, None, False, _positive((6,)), True),
    case(np.polyfit, _X, _array((6, 2)), 2, None, False, _positive((6,)), True),
    case(np.polyfit, _X, _array((6,)), 1, None, False, _positive((6,)), "unscaled"),
    case(np.polyfit, _X, _array((6,)), 1, 0, False, _positive((6,))),
    case(np.polyfit, _X, np.array([1, 2, 2, 3, 5, 4]), 1),
]

# ---- Interpolation --------------------------------------------------------------------------------------------------

_XP, _FP = np.array([0.0, 1.0, 1.5, 3.0]), _array((4,), 1)
INTERP = [
    case(np.interp, np.array([-0.5, 0.2, 0.4, 1.2, 2.0, 3.5]), _XP, _FP),
    case(np.interp, np.array([[0.2], [2.0]]), _XP, _FP),
    case(np.interp, 1.7, _XP, _FP),
    case(np.interp, np.array([-0.5, 0.2, 3.5]), _XP, _FP, left=-1.0, right=2.0),
    case(np.interp, np.array([-0.5, 0.2, 3.5]), _XP, _FP, right=2.0),
    case(np.interp, np.array([-7.4, -0.2, 0.4, 1.2, 3.4, 3.9, 9.0]), _XP + 0.5, _FP, period=4.0),
    case(np.interp, np.array([-0.2, 0.4, 1.2, 3.3]), np.array([1.5, -0.6, 7.1]), _FP[:3], period=-4.0),
    case(np.interp, np.array([0.5, 1.2]), np.array([1, 2]), _array((2,))),
    case(np.interp, np.array([-0.5, 1.5, 3.5]), np.array([1.0]), np.array([2.0]), left=5.0),
]
COMPLEX_INTERP = [case(np.interp, np.array([-0.5, 0.2, 1.2, 3.5]), _XP, _complex((4,)))]

# ---- Differences and sums along an axis -----------------------------------------------------------------------------

DIFF = [
    case(np.diff, _array((4,))),
    case(np.diff, _array((4,)), 2),
    case(np.diff, _array((4,)), 4),
    case(np.diff, _array((4,)), 7),
    case(np.diff, _array((4,)), n=0),
    case(np.diff, _array((3, 4))),
    case(np.diff, _array((3, 4, 2)), n=2, axis=1),
    case(np.diff, _array((3, 4)), 1, 0),
    case(np.diff, _array((1,))),
    case(np.diff, _array((4,)), 1, -1, 1.5),
    case(np.diff, _array((4,)), 2, -1, 1.5, _array((2,), 1)),
    case(np.diff, _array((2, 3)), 1, 0, _array((1, 3), 1), 2.5),
    case(np.diff, _array((2, 3)), 3, -1, _array((2, 2), 1), np.float64(2.5)),
    case(np.diff, _complex((4,)), n=2),
    case(np.ediff1d, _array((4,))),
    case(np.ediff1d, _array((2, 3))),
    case(np.ediff1d, _array((4,)), _array((2,), 1)),
    case(np.ediff1d, _array((2, 2)), _array((2, 1), 1), _array((3,), 2)),
    case(np.ediff1d, _array((1,)), None, _array((2,), 1)),
    case(np.unwrap, np.array([0.5, 3.0, -2.5, 1.0, 6.5])),
    case(np.unwrap, np.array([[0.5, 3.0], [-2.5, 1.0]]), axis=0),
    case(np.unwrap, np.array([0.5, 3.5, 1.2, 7.1]), discont=2.0, period=3.0),
    case(np.trapezoid, _array((4,))),
    case(np.trapezoid, _array((4,)), _array((4,), 1)),
    case(np.trapezoid, _array((4,)), None, 0.5),
    case(np.trapezoid, _array((2, 3)), _array((3,), 1)),
    case(np.trapezoid, _array((2, 3, 2)), _array((3,), 1), axis=1),
    case(np.trapezoid, _array((2, 3)), _array((2, 3), 1), axis=0),
    case(np.trapezoid, _array((2, 3)), _array((1, 3), 1), axis=-1),
    case(np.trapezoid, _array((2, 3, 2)), None, 0.5, -2),
    case(np.trapezoid, _array((1,)), _array((1,), 1)),
    case(np.trapezoid, _complex((4,)), _array((4,), 1)),
]
_H = np.array([0.5, 1.1, 2.0, 3.2, 3.9])
GRADIENT = [
    case(np.gradient, _array((5,))),
    case(np.gradient, _array((5,)), 0.5),
    case(np.gradient, _array((5,)), _H),
    case(np.gradient, _array((5,)), np.arange(5.0)),
    case(np.gradient, _array((2,)), _H[:2]),
    case(np.gradient, _array((3, 5))),
    case(np.gradient, _array((3, 5)), 0.5),
    case(np.gradient, _array((3, 5)), 0.5, _H),
    case(np.gradient, _array((3, 5)), _H, axis=1),
    case(np.gradient, _array((5, 3)), _H, 2.0, axis=(0, -1)),
    case(np.gradient, _array((3, 5)), _H, 2.0, axis=(1, 0)),
    case(np.gradient, _array((2, 3, 5)), axis=-2),
    case(np.gradient, _complex((5,)), _H),
]
SECOND_ORDER_EDGES = [
    case(np.gradient, _array((5,)), edge_order=2),
    case(np.gradient, _array((3,)), 0.5, edge_order=2),
    case(np.gradient, _array((2, 3)), 0.5, axis=[1], edge_order=2),
    case(np.gradient, _array((3,)), _H[:3], edge_order=2),
    case(np.gradient, _array((4, 5)), 0.5, _H, edge_order=2),
    case(np.gradient, _array((5, 2)), np.arange(5.0), axis=0, edge_order=2),
]

# ---- Functions of each element --------------------------------------------------------------------------------------


def _jax_sinc(x, k):
    f = jnp.sinc
    for _ in range(k):
        f = jax.grad(f)
    return jnp.vectorize(f)(x)


ELEMENTS = [
    case(np.sinc, np.array([0.0, 0.3, -0.7, 1.0, 1.4, -2.5, 7.3])),
    case(np.sinc, 0.4),
    case(np.sinc, _complex((3,))),
    case(np.i0, np.array([0.3, -0.7, 2.0, -5.0, 12.0])),
    case(np.i0, _array((2, 3))),
    Case(sinc_derivative, (np.array([0.6, -0.7, 1.4]), 1), in_jax=_jax_sinc),
    Case(bessel_i, (np.array([0.6, -0.7, 2.4]), 1), in_jax=lambda x, n: jax.scipy.special.i1(x)),
    Case(bessel_i, (np.array([0.6, -1.9]), 0), in_jax=lambda x, n: jax.scipy.special.i0(x)),
]

# ---- Statistics -----------------------------------------------------------------------------------------------------

AVERAGE = [
    case(np.average, _array((3,))),
    case(np.average, _array((2, 3)), 0),
    case(np.average, _array((2, 3, 2)), (0, 2)),
    case(np.average, _array((2, 3)), None, _positive((2, 3))),
    case(np.average, _array((2, 3)), 0, _positive((2, 3))),
    case(np.average, _array((2, 3)), 1, _positive((3,))),
    case(np.average, _array((2, 3)), -2, _positive((2,))),
    case(np.average, _array((2, 3, 2)), 1, _positive((3,)), True),
    case(np.average, _array((2, 3)), 1, _positive((2, 3)), returned=True),
    case(np.average, _array((2, 3)), 1, returned=True),
    case(np.average, _array((2, 3)), 1, _positive((3,)), keepdims=True),
    case(np.average, _array((2, 3)), None, _positive((2, 3)), True, keepdims=True),
    case(np.average, _array((2, 3)), 0, keepdims=True),
    case(np.average, np.arange(3), None, _positive((3,))),
    case(np.average, _complex((3,)), None, _positive((3,))),
]
# Weights along several axes, in any order.
BY_AXES = [
    case(np.average, _array((2, 3, 4)), axes, _positive([(2, 3, 4)[i] for i in axes]), True)
    for axes in [(0, 2), (2, 0), [1, 2], (-1, 0, 1)]
]
_F = np.array([1, 2, 1, 3])
COV = [
    case(np.cov, _array((4,))),
    case(np.cov, _array((3, 4))),
    case(np.cov, _array((4, 3)), rowvar=False),
    case(np.cov, _array((4,)), rowvar=False),
    case(np.cov, _array((3, 4)), _array((4,), 1)),
    case(np.cov, _array((4,)), _array((4,), 1)),
    case(np.cov, _array((4, 3)), _array((4, 2), 1), False),
    case(np.cov, _array((3, 4)), bias=True),
    case(np.cov, _array((3, 4)), ddof=2),
    case(np.cov, _array((3, 4)), None, True, False, None, _F),
    case(np.cov, _array((3, 4)), None, True, False, None, None, _positive((4,))),
    case(np.cov, _array((3, 4)), _array((2, 4), 1), True, False, None, _F, _positive((4,))),
    case(np.cov, _array((4, 2)), _array((4, 1), 1), False, True, None, _F, _positive((4,))),
    case(np.cov, _array((2, 4)), None, True, False, 0, None, _positive((4,))),
    case(np.cov, _array((2, 4)), None, True, False, 2, fweights=_F),
    case(np.cov, _array((1, 4))),
    case(np.cov, _complex((3, 4))),
    case(np.cov, _complex((3, 4)), _array((1, 4)), True, False, None, None, _positive((4,))),
    case(np.corrcoef, _array((3, 4))),
    case(np.corrcoef, _array((4,)), _array((4,), 1)),
    case(np.corrcoef, _array((4, 3)), _array((4, 2), 1), False),
    case(np.corrcoef, _array((4, 2)), rowvar=False),
    case(np.corrcoef, _array((4,))),
    case(np.corrcoef, _complex((3, 4))),
]
OF_DTYPE = [
    Case(np.cov, (_array((3, 4)), _array((1, 4), 1), True, False, None, None, _positive((4,))), {"dtype": np.float64},
         lambda *args, dtype: jnp.cov(*args)),
    Case(np.corrcoef, (_array((3, 4)), _array((1, 4), 1)), {"dtype": np.float64},
         lambda *args, dtype: jnp.corrcoef(*args)),
]

# JAX takes y for one observation here.
ONE_VARIABLE = [case(fun, _array((4, 2)), _array((4,), 1), False) for fun in (np.cov, np.corrcoef)]

# NumPy hands over no calls in which only these are traced.
NOT_ALONE = [
    case(np.polyint, _array((3,)), 2, _array((2,), 1)),
    case(np.polyint, _array((3,)), 3, 1.5),
    case(np.interp, np.array([-0.5, -0.7, 0.2, 3.5]), _XP, _FP, -1.0, 2.0),
    case(np.interp, np.array([-0.5, -0.7, 0.2, 3.5]), _XP, _FP, -1.0, 2.0, 4),
]
IN_JAX = [*COEFFICIENTS, *POLY, *FIT, *INTERP, *DIFF, *GRADIENT, *ELEMENTS, *AVERAGE, *COV, *OF_DTYPE]
ONLY_IN_NUMPY = [*AT_ZERO, *ONE_VARIABLE, *SHORT, *OF_MATRIX, *ROOTS, *COMPLEX_INTERP, *SECOND_ORDER_EDGES, *BY_AXES]
CASES = [*IN_JAX, *ONLY_IN_NUMPY, *NOT_ALONE]


@each(IN_JAX)
def test_value_and_derivatives(case):
    check(case)


@each(ONLY_IN_NUMPY)
def test_value_and_derivatives_of_what_is_not_differentiated_twice_in_jax(case):
    check(case, against_jax=False)


@each([*ROOTS, *OF_MATRIX])
def test_gradient_of_what_jax_differentiates_once(case):
    assert_close(gradient_of(case), jax_gradient_of(case), 1e-10)


@each(NOT_ALONE)
def test_gradient_of_what_is_not_handed_over_alone(case):
    assert_close(gradient_of(case), jax_gradient_of(case), 1e-13)


@each(
    [
        program("constants of integration", lambda xp, k: xp.polyint(_array((3,)) + 0 * k[0], 2, k), _array((2,))),
        program("one constant of integration", lambda xp, k: xp.polyint(_array((3,)) + 0 * k, 3, k), 1.5),
        program("values beyond the knots", lambda xp, x, v: xp.interp(x, _XP, _FP + 0 * v[0], v[0], v[1]),
                np.array([-0.5, 0.2, 3.5]), _array((2,))),
    ]
)
def test_derivatives_of_what_is_not_handed_over_alone(case):
    check(case)


@each([one for one in [*IN_JAX, *ONLY_IN_NUMPY] if "dtype" not in one.kwargs])
def test_float32(case):
    check_precision(case, np.float32, 1e-3 if case.fun in (np.polyfit, np.roots) else 2e-5)


# ---- Special points -------------------------------------------------------------------------------------------------

SPECIAL = [
    # at a knot, the slope to the right; at the last one, that to the left; outside none
    (case(np.interp, 1.0, [0, 1, 2], [0, 1, 5]), 4.0),
    (case(np.interp, 0.0, [0, 1, 2], [0, 1, 5]), 1.0),
    (case(np.interp, 2.0, [0, 1, 2], [0, 1, 5]), 4.0),
    (case(np.interp, -0.5, [0, 1, 2], [0, 1, 5]), 0.0),
    (case(np.interp, 2.5, [0, 1, 2], [0, 1, 5]), 0.0),
    (case(np.sinc, 0.0), 0.0),
    (case(np.sinc, 1.0), -1.0),
    (case(np.i0, 0.0), 0.0),
    (case(bessel_i, 0.0, 1), 0.5),
    (case(bessel_i, 0.0, 0), 0.0),
    # zeros in front are coefficients
    (case(np.polymul, np.array([0.0, 1.0, 2.0]), np.array([3, 1])), [1.0, 4.0, 4.0]),
    (case(np.roots, np.array([0.0, 1.0, -2.0])), [-4.0, -2.0, -1.0]),
    (case(np.roots, np.array([1.0, -2.0, 0.0])), [-2.0, -1.0, 0.0]),
    (case(np.roots, np.array([0.0, 0.0])), [0.0, 0.0]),
    (case(np.poly, np.array([])), []),
    (case(np.ediff1d, np.array([])), []),
    (case(np.trapezoid, np.array([])), []),
    # no step: the value goes on from the right
    (case(np.interp, 1.0, [0, 1, 1, 2], np.array([0.0, 1.0, 3.0, 5.0])), 2.0, [0.0, 0.0, 1.0, 0.0]),
]


@rows(SPECIAL)
def test_special_points(case, expected):
    check_special_point(case, expected)


def test_second_derivative_of_sinc_at_and_near_zero():
    for x in (0.0, 1e-9, -1e-5):
        assert_close(grad(grad(np.sinc))(x), -np.pi**2 / 3, 1e-9)
    assert_close(grad(grad(grad(grad(np.sinc))))(0.0), np.pi**4 / 5, 1e-14)


def test_sinc_is_smooth_where_the_series_ends():
    """Derivatives of all orders agree on both sides of the point where they are computed in another way."""
    for k in range(6):
        edge = (2 + k) / np.pi
        inside, outside = sinc_derivative(np.array([edge * (1 - 1e-13), edge * (1 + 1e-13)]), k)
        assert_close(inside, outside, 1e-11 * np.pi**k)


def test_large_bessel_function():
    # https://dlmf.nist.gov/10.40.E1, and the recurrence 10.29.1
    x = np.array([700.0])
    assert_close(bessel_i(x, 0) / np.i0(x), np.ones(1), 1e-12)
    assert_close((bessel_i(x, 0) - bessel_i(x, 2)) * x / (2 * bessel_i(x, 1)), np.ones(1), 1e-10)


def test_zeros_of_a_real_polynomial():
    """The coefficients are real because the zeros are conjugate to each other."""
    y = np.poly(_PAIR)
    assert y.dtype == float
    weights = _array((4,))
    (_, value), gradient = value_and_grad(lambda z: (np.sum(weights * np.poly(z)), np.poly(z)), has_aux=True)(_PAIR)
    assert_identical(value, y)
    expected = jax.grad(lambda z: jnp.real(jnp.sum(weights * jnp.poly(z))))(_PAIR)
    assert_close(gradient, expected, 1e-13)


def test_lists_and_poly1d():
    assert_close(grad(lambda x: np.polyval([1, 2, 3], x))(2.0), 6.0, 1e-15)
    assert_close(grad(lambda x: np.polyval(np.poly1d([1, 2, 3]), x))(2.0), 6.0, 1e-15)
    with pytest.raises(TypeError, match="poly1d"):
        grad(lambda x: np.sum(np.polyadd(np.poly1d([1, 2]), x).coef))(np.ones(2))


# ---- What has no derivative -----------------------------------------------------------------------------------------

NONE = [
    (lambda x: np.sum(np.real(np.roots(x))), np.array([1.0, 1.0, 0.0, 0.0]), ValueError, "multiple root"),
    (lambda x: np.sum(np.interp(x, _XP, _FP, period=x[0])), np.array([1.0]), NotImplementedError, "period"),
    (lambda x: np.sum(np.unwrap(x, period=x[0])), np.array([1.0]), NotImplementedError, "period"),
    (lambda x: np.sum(np.polyfit(x, x, 1, full=True)[0]), _X, NotImplementedError, "full"),
    (lambda x: np.sum(np.cov(_array((2, 3)), fweights=x)), np.array([1.0, 2.0, 1.0]), NotImplementedError, "fweights"),
]


@pytest.mark.parametrize("f, x, error, message", NONE, ids=["roots", "interp", "unwrap", "polyfit", "cov"])
def test_where_there_is_no_derivative(f, x, error, message):
    with pytest.raises(error, match=message):
        grad(f)(x)


@pytest.mark.filterwarnings("ignore:Polyfit may be poorly conditioned")
def test_a_fit_that_is_not_determined_has_no_derivative():
    x, w = _X[:3], np.array([1.0, 0.0, 2.0])
    for x, kwargs in [(np.array([1.0, 1.0, 2.0]), {}), (x, {"rcond": 0.5}), (x, {"w": w})]:
        with pytest.raises(ValueError, match="do not determine"):
            grad(lambda y: np.sum(np.polyfit(x, y, 2, **kwargs)))(np.ones(3))


@pytest.mark.parametrize("fun", [np.polyint, np.interp], ids=title)
def test_what_is_traced_alone_is_refused(fun):
    with pytest.raises(TypeError, match="Tensor|being differentiated"):
        if fun is np.interp:
            grad(lambda left: np.interp(-1.0, _XP, _FP, left))(2.0)
        else:
            grad(lambda k: np.sum(np.polyint(_array((3,)), 1, k)))(2.0)
