"""Polynomials, given by their coefficients; and those that fit data best."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad

from .support import *


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
    case(np.polyval, array((4,)), array((3,), 1)),
    case(np.polyval, array((4,)), np.array([0.0, 1.5])),
    case(np.polyval, array((1,)), array((3,), 1)),
    case(np.polyval, array((0,)), array((3,), 1)),
    case(np.polyval, array((3,)), 1.5),
    case(np.polyval, array((3,)), array((2, 1, 3), 1)),
    case(np.polyval, array((3, 2)), array((4, 1), 1)),
    case(np.polyval, array((3, 4, 1)), array((2,), 1)),
    case(np.polyval, complex_array((3,)), complex_array((2,))),
    case(np.polyval, array((3,)), complex_array((2,))),
    case(np.polyval, array((3,)), np.array([2, 0, -1])),
    case(np.polyval, np.array([2, 0, -1]), array((3,))),
    *(
        case(fun, *args)
        for fun in (np.polyadd, np.polysub)
        for args in [
            (array((3,)), array((3,), 1)),
            (array((4,)), array((2,), 1)),
            (array((2,)), array((4,), 1)),
            (complex_array((2,)), array((3,))),
        ]
    ),
    Case(np.polyadd, (1.5, array((3,))), in_jax=lambda a, b: jnp.polyadd(jnp.atleast_1d(a), b)),
    Case(np.polysub, (array((3,)), 1.5), in_jax=lambda a, b: jnp.polysub(a, jnp.atleast_1d(b))),
    case(np.polymul, array((3,)), array((2,), 1)),
    case(np.polymul, array((2,)), array((4,), 1)),
    case(np.polymul, complex_array((2,)), array((3,))),
    Case(np.polymul, (1.5, array((3,))), in_jax=lambda a, b: a * b),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0, 3.0]), np.array([1.0, 0.5, -2.0])),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0]), np.array([0.5, 1.0, 1.5, -1.0])),
    _like_numpy(np.polydiv, np.array([1.5, -2.0, 0.25, 1.0]), np.array([2.0])),
    _like_numpy(np.polydiv, np.array([1.5 + 1j, -2.0, 0.25j, 1.0]), np.array([2.0, 1.5])),
    _like_numpy(np.polydiv, np.array([1.0, 1.5, -1.0]), np.array([1.0, 2.0])),  # which leaves nothing
    case(np.polyder, array((4,))),
    case(np.polyder, array((4,)), 2),
    case(np.polyder, array((4,)), m=0),
    case(np.polyder, array((1,))),
    case(np.polyder, complex_array((3,)), m=1),
    case(np.polyint, array((3,))),
    case(np.polyint, array((3,)), 2),
    case(np.polyint, array((3,)), m=0),
    case(np.polyint, complex_array((3,)), m=1),
    case(np.polyint, array((3,)), m=2, k=np.array([1, 2])),
    Case(np.vander, (array((3,)),)),
    case(np.vander, array((3,)), 4),
    case(np.vander, array((3,)), N=2, increasing=True),
    case(np.vander, array((3,)), 1),
    case(np.vander, array((3,)), 0),
    case(np.vander, complex_array((2,)), 3),
]
# At zero, JAX has powers of it that are not a number.
AT_ZERO = [
    case(np.vander, np.array([0.0, 1.5, -0.5]), 4),
    case(np.polyfit, np.array([0.0, 1.5, -0.5, 1.0]), array((4,)), 1),
]
# NumPy does not divide where there is nothing to divide, and JAX has no quotient then.
SHORT = [case(np.polydiv, array((2,)), positive((4,))), case(np.polydiv, 1.5, positive((2,)))]

# ---- Zeros ----------------------------------------------------------------------------------------------------------

POLY = [
    case(np.poly, array((3,))),
    case(np.poly, np.array([0.0, 1.5, 1.5, -2.0])),
    case(np.poly, array((1,))),
    case(np.poly, complex_array((3,))),
]
_PAIR = np.array([1 + 2j, 1 - 2j, 0.5 + 0j])  # the product of the factors is real
OF_MATRIX = [
    case(np.poly, array((3, 3))),
    case(np.poly, np.array([[0.0, 1.0], [-1.0, 0.0]]) * 1.5),
    case(np.poly, array((1, 1))),
    case(np.poly, complex_array((3, 3))),
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
    case(np.polyfit, _X, array((6,)), 2),
    case(np.polyfit, _X, array((6, 2)), 1),
    case(np.polyfit, _X, array((6,)), 2, None, False, positive((6,))),
    case(np.polyfit, _X, array((6,)), 1, cov=True),
]
MORE_FIT = [
    case(np.polyfit, _X, array((6,)), 0),
    case(np.polyfit, _X[:3], array((3,)), 2),
    case(np.polyfit, _X, array((6, 2)), 2, None, False, positive((6,))),
    case(np.polyfit, _X, array((6,)), 2, None, False, np.array([1.0, 2, 0.5, 0, 1, 1])),
    case(np.polyfit, _X, array((6, 2)), 1, cov=True),
    case(np.polyfit, _X, array((6,)), 1, None, False, positive((6,)), True),
    case(np.polyfit, _X, array((6, 2)), 2, None, False, positive((6,)), True),
    case(np.polyfit, _X, array((6,)), 1, None, False, positive((6,)), "unscaled"),
    case(np.polyfit, _X, array((6, 2)), 1, cov="unscaled"),
    case(np.polyfit, _X, array((6,)), 1, 0, False, positive((6,))),
    case(np.polyfit, _X, array((6,)), 1, None, True, positive((6,))),
    case(np.polyfit, _X, np.array([1, 2, 2, 3, 5, 4]), 1),
]

# NumPy hands over no calls in which only these are traced.
NOT_ALONE = [
    case(np.polyint, array((3,)), 2, array((2,), 1)),
    case(np.polyint, array((3,)), 3, 1.5),
]
IN_JAX = [*COEFFICIENTS, *POLY, *FIT]
ONLY_IN_NUMPY = [*AT_ZERO, *SHORT, *OF_MATRIX, *ROOTS, *MORE_FIT]
CASES = [*IN_JAX, *ONLY_IN_NUMPY, *NOT_ALONE]

test_value_and_derivatives = for_each(IN_JAX, check)
test_value_and_derivatives_of_what_is_not_differentiated_twice_in_jax = for_each(ONLY_IN_NUMPY, check, against_jax=False)
test_gradient_of_what_jax_differentiates_once = for_each([*ROOTS, *OF_MATRIX], check_gradient_in_jax, 1e-10)
test_gradient_of_what_is_not_handed_over_alone = for_each(NOT_ALONE, check_gradient_in_jax, 1e-13)

TRACED_WITH_OTHERS = [
    program("constants of integration", lambda xp, k: xp.polyint(array((3,)) + 0 * k[0], 2, k), array((2,))),
    program("one constant of integration", lambda xp, k: xp.polyint(array((3,)) + 0 * k, 3, k), 1.5),
]
test_derivatives_of_what_is_not_handed_over_alone = for_each(TRACED_WITH_OTHERS, check)


@each([*IN_JAX, *ONLY_IN_NUMPY])
def test_float32(case):
    check_precision(case, np.float32, 1e-3 if case.fun in (np.polyfit, np.roots) else 2e-5)


# ---- Special points -------------------------------------------------------------------------------------------------

SPECIAL = [
    # zeros in front are coefficients
    (case(np.polymul, np.array([0.0, 1.0, 2.0]), np.array([3, 1])), [1.0, 4.0, 4.0]),
    (case(np.roots, np.array([0.0, 1.0, -2.0])), [-4.0, -2.0, -1.0]),
    (case(np.roots, np.array([1.0, -2.0, 0.0])), [-2.0, -1.0, 0.0]),
    (case(np.roots, np.array([0.0, 0.0])), [0.0, 0.0]),
    (case(np.poly, np.array([])), []),
]

test_special_points = for_each(SPECIAL, check_special_point)


def test_zeros_of_a_real_polynomial():
    """The coefficients are real because the zeros are conjugate to each other."""
    y = np.poly(_PAIR)
    assert y.dtype == float
    weights = array((4,))
    (_, value), gradient = value_and_grad(lambda z: (np.sum(weights * np.poly(z)), np.poly(z)), has_aux=True)(_PAIR)
    assert_identical(value, y)
    expected = jax.grad(lambda z: jnp.real(jnp.sum(weights * jnp.poly(z))))(_PAIR)
    assert_close(gradient, expected, 1e-13)


def test_lists_and_poly1d():
    assert_close(grad(lambda x: np.polyval([1, 2, 3], x))(2.0), 6.0, 1e-15)
    assert_close(grad(lambda x: np.polyval(np.poly1d([1, 2, 3]), x))(2.0), 6.0, 1e-15)
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.polyadd(np.poly1d([1, 2]), x) ** 2))(np.ones(2)), [4.0, 6.0])
    with pytest.raises(AttributeError, match="coef"):  # NumPy makes a poly1d of it, which holds plain numbers
        grad(lambda x: np.sum(np.polyadd(np.poly1d([1, 2]), x).coef))(np.ones(2))


# ---- What has no derivative -----------------------------------------------------------------------------------------

def test_a_multiple_root_has_no_derivative():
    with pytest.raises(ValueError, match="multiple root"):
        grad(lambda p: np.sum(np.real(np.roots(p))))(np.array([1.0, 1.0, 0.0, 0.0]))


@pytest.mark.filterwarnings("ignore:Polyfit may be poorly conditioned")
def test_a_fit_that_is_not_determined_has_no_derivative():
    x, w = _X[:3], np.array([1.0, 0.0, 2.0])
    for x, kwargs in [(np.array([1.0, 1.0, 2.0]), {}), (x, {"rcond": 0.5}), (x, {"w": w})]:
        with pytest.raises(ValueError, match="do not determine"):
            grad(lambda y: np.sum(np.polyfit(x, y, 2, **kwargs)))(np.ones(3))


def test_what_is_traced_alone_is_refused():
    with pytest.raises(TypeError, match="Tensor|being differentiated"):
        grad(lambda k: np.sum(np.polyint(array((3,)), 1, k)))(2.0)
