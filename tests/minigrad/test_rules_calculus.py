"""Differences, sums and slopes along an axis, and interpolation."""

import numpy as np
import pytest

from minigrad import grad

from .support import *

# ---- Interpolation --------------------------------------------------------------------------------------------------

_XP, _FP = np.array([0.0, 1.0, 1.5, 3.0]), array((4,), 1)
INTERP = [
    case(np.interp, np.array([-0.5, 0.2, 0.4, 1.2, 2.0, 3.5]), _XP, _FP),
    case(np.interp, np.array([[0.2], [2.0]]), _XP, _FP),
    case(np.interp, 1.7, _XP, _FP),
    case(np.interp, np.array([-0.5, 0.2, 3.5]), _XP, _FP, left=-1.0, right=2.0),
    case(np.interp, np.array([-0.5, 0.2, 3.5]), _XP, _FP, right=2.0),
    case(np.interp, np.array([-7.4, -0.2, 0.4, 1.2, 3.4, 3.9, 9.0]), _XP + 0.5, _FP, period=4.0),
    case(np.interp, np.array([-0.2, 0.4, 1.2, 3.3]), np.array([1.5, -0.6, 7.1]), _FP[:3], period=-4.0),
    case(np.interp, np.array([0.5, 1.2]), np.array([1, 2]), array((2,))),
    case(np.interp, np.array([-0.5, 1.5, 3.5]), np.array([1.0]), np.array([2.0]), left=5.0),
]
_COMPLEX = [case(np.interp, np.array([-0.5, 0.2, 1.2, 3.5]), _XP, complex_array((4,)))]

# ---- Differences and sums along an axis -----------------------------------------------------------------------------

DIFF = [
    case(np.diff, array((4,))),
    case(np.diff, array((4,)), 2),
    case(np.diff, array((4,)), 4),
    case(np.diff, array((4,)), 7),
    case(np.diff, array((4,)), n=0),
    case(np.diff, array((3, 4))),
    case(np.diff, array((3, 4, 2)), n=2, axis=1),
    case(np.diff, array((3, 4)), 1, 0),
    case(np.diff, array((1,))),
    case(np.diff, array((4,)), 1, -1, 1.5),
    case(np.diff, array((4,)), 2, -1, 1.5, array((2,), 1)),
    case(np.diff, array((2, 3)), 1, 0, array((1, 3), 1), 2.5),
    case(np.diff, array((2, 3)), 3, -1, array((2, 2), 1), np.float64(2.5)),
    case(np.diff, complex_array((4,)), n=2),
    case(np.ediff1d, array((4,))),
    case(np.ediff1d, array((2, 3))),
    case(np.ediff1d, array((4,)), array((2,), 1)),
    case(np.ediff1d, array((2, 2)), array((2, 1), 1), array((3,), 2)),
    case(np.ediff1d, array((1,)), None, array((2,), 1)),
    case(np.unwrap, np.array([0.5, 3.0, -2.5, 1.0, 6.5])),
    case(np.unwrap, np.array([[0.5, 3.0], [-2.5, 1.0]]), axis=0),
    case(np.unwrap, np.array([0.5, 3.5, 1.2, 7.1]), discont=2.0, period=3.0),
    case(np.trapezoid, array((4,))),
    case(np.trapezoid, array((4,)), array((4,), 1)),
    case(np.trapezoid, array((4,)), None, 0.5),
    case(np.trapezoid, array((2, 3)), array((3,), 1)),
    case(np.trapezoid, array((2, 3, 2)), array((3,), 1), axis=1),
    case(np.trapezoid, array((2, 3)), array((2, 3), 1), axis=0),
    case(np.trapezoid, array((2, 3)), array((1, 3), 1), axis=-1),
    case(np.trapezoid, array((2, 3, 2)), None, 0.5, -2),
    case(np.trapezoid, array((1,)), array((1,), 1)),
    case(np.trapezoid, complex_array((4,)), array((4,), 1)),
]
_H = np.array([0.5, 1.1, 2.0, 3.2, 3.9])
GRADIENT = [
    case(np.gradient, array((5,))),
    case(np.gradient, array((5,)), 0.5),
    case(np.gradient, array((5,)), _H),
    case(np.gradient, array((5,)), np.arange(5.0)),
    case(np.gradient, array((2,)), _H[:2]),
    case(np.gradient, array((3, 5))),
    case(np.gradient, array((3, 5)), 0.5),
    case(np.gradient, array((3, 5)), 0.5, _H),
    case(np.gradient, array((3, 5)), _H, axis=1),
    case(np.gradient, array((5, 3)), _H, 2.0, axis=(0, -1)),
    case(np.gradient, array((3, 5)), _H, 2.0, axis=(1, 0)),
    case(np.gradient, array((2, 3, 5)), axis=-2),
    case(np.gradient, complex_array((5,)), _H),
]
SECOND_ORDER_EDGES = [
    case(np.gradient, array((5,)), edge_order=2),
    case(np.gradient, array((3,)), 0.5, edge_order=2),
    case(np.gradient, array((2, 3)), 0.5, axis=[1], edge_order=2),
    case(np.gradient, array((3,)), _H[:3], edge_order=2),
    case(np.gradient, array((4, 5)), 0.5, _H, edge_order=2),
    case(np.gradient, array((5, 2)), np.arange(5.0), axis=0, edge_order=2),
]

# NumPy hands over no calls in which only these are traced.
NOT_ALONE = [
    case(np.interp, np.array([-0.5, -0.7, 0.2, 3.5]), _XP, _FP, -1.0, 2.0),
    case(np.interp, np.array([-0.5, -0.7, 0.2, 3.5]), _XP, _FP, -1.0, 2.0, 4),
    case(np.interp, np.array([0.2, 3.5]), _XP, _FP, 1.5, right=2.5, period=4),
]
# Where there is nothing to add up; a distance that an array of coordinates takes the place of.
EMPTY = [
    case(np.trapezoid, np.zeros((2, 0)), np.zeros(0)),
    case(np.trapezoid, np.zeros((2, 0)), np.zeros((1, 0)), 0.5),
    case(np.trapezoid, array((3,)), array((3,), 1), 0.5, axis=0),
    case(np.diff, np.zeros((2, 0)), 1, -1, array((2, 1)), 1.5),
]
IN_JAX = [*INTERP, *DIFF, *GRADIENT]
ONLY_IN_NUMPY = [*_COMPLEX, *SECOND_ORDER_EDGES, *EMPTY]
CASES = [*IN_JAX, *ONLY_IN_NUMPY, *NOT_ALONE]

test_value_and_derivatives = for_each(IN_JAX, check)
test_value_and_derivatives_of_what_jax_does_not_have = for_each(ONLY_IN_NUMPY, check, against_jax=False)
test_gradient_of_what_is_not_handed_over_alone = for_each(NOT_ALONE, check_gradient_in_jax, 1e-13)

TRACED_WITH_OTHERS = [
    program("values beyond the knots", lambda xp, x, v: xp.interp(x, _XP, _FP + 0 * v[0], v[0], v[1]),
            np.array([-0.5, 0.2, 3.5]), array((2,))),
]
test_derivatives_of_what_is_not_handed_over_alone = for_each(TRACED_WITH_OTHERS, check)
test_float32 = for_each([*IN_JAX, *ONLY_IN_NUMPY], check_precision, np.float32, 2e-5)


# ---- Special points -------------------------------------------------------------------------------------------------

SPECIAL = [
    # at a knot, the slope to the right; at the last one, that to the left; outside none
    (case(np.interp, 1.0, [0, 1, 2], [0, 1, 5]), 4.0),
    (case(np.interp, 0.0, [0, 1, 2], [0, 1, 5]), 1.0),
    (case(np.interp, 2.0, [0, 1, 2], [0, 1, 5]), 4.0),
    (case(np.interp, -0.5, [0, 1, 2], [0, 1, 5]), 0.0),
    (case(np.interp, 2.5, [0, 1, 2], [0, 1, 5]), 0.0),
    (case(np.ediff1d, np.array([])), []),
    (case(np.trapezoid, np.array([])), []),
    # no step: the value goes on from the right
    (case(np.interp, 1.0, [0, 1, 1, 2], np.array([0.0, 1.0, 3.0, 5.0])), 2.0, [0.0, 0.0, 1.0, 0.0]),
    # the only knot, and two at the end in one place: the value is the last one, and goes on
    (case(np.interp, 1.0, [1], np.array([2.0])), 0.0, [1.0]),
    (case(np.interp, 1.0, [0, 1, 1], np.array([0.0, 1.0, 3.0])), 0.0, [0.0, 0.0, 1.0]),
]

test_special_points = for_each(SPECIAL, check_special_point)


# ---- What has no derivative -----------------------------------------------------------------------------------------

NONE = [
    (lambda x: np.sum(np.interp(x, _XP, _FP, period=x[0])), "period"),
    (lambda x: np.sum(np.unwrap(x, period=x[0])), "period"),
]


@pytest.mark.parametrize("f, name", NONE, ids=["interp", "unwrap"])
def test_where_there_is_no_derivative(f, name):
    with pytest.raises(NotImplementedError, match=name):
        grad(f)(np.array([1.0]))


def test_what_is_traced_alone_is_refused():
    with pytest.raises(TypeError, match="Tensor|being differentiated"):
        grad(lambda left: np.interp(-1.0, _XP, _FP, left))(2.0)
