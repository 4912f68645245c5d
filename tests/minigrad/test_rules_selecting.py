"""Choosing elements by number, by mask or by condition."""

import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad
from minigrad.operands import TensorConversionError

from .support import *

A = array((2, 3, 4))
TABLE = A[:, :, 0]
ROW = A[0, 0]
COMPLEX = TABLE + 1j * A[:, :, 1]
INDICES = np.array([[0, 5], [2, 0]])
WHICH = np.array([[0, 1, 2], [2, 1, 0]])
POSITIVE = TABLE > 0
CONDITIONS = [TABLE > 1, TABLE > -0.5]


def _piecewise(x, condlist, funclist):
    """JAX's, where a single condition has to be in a list."""
    functions = [getattr(jnp, part.__name__) if callable(part) else part for part in funclist]
    return jnp.piecewise(x, list(np.asarray(condlist).reshape(-1, *np.shape(x))), functions)


def _masked(fun, condition, *args, **kwargs):
    """A case for which JAX gets the indices: how many they are must not depend on values."""
    numbers = np.flatnonzero(condition)
    return Case(fun, (condition, *args), kwargs, in_jax=lambda _, a, axis=None: jnp.take(a, numbers, axis))


# ---- Cases ----------------------------------------------------------------------------------------------------------

IN_JAX = [
    case(np.take, TABLE, INDICES, mode="wrap"),
    case(np.take, TABLE, np.array([7, -9, 1]), mode="wrap"),
    case(np.take, TABLE, np.array([7, 9, 1]), mode="clip"),
    case(np.take, A, np.array([1, 1, 0]), axis=1, mode="clip"),
    case(np.take, A, INDICES % 3, 1, mode="wrap"),
    case(np.take, COMPLEX, 2, axis=-1, mode="wrap"),
    case(np.take_along_axis, TABLE, WHICH, 1),
    case(np.take_along_axis, TABLE, WHICH % 2, axis=0),
    case(np.take_along_axis, A, np.array([[[1], [0], [1]]]), -1),
    case(np.take_along_axis, A[:, :1], np.array([[[1, 0, 1, 1], [0, 1, 0, 0]]]), axis=0),
    case(np.take_along_axis, TABLE, np.array([5, 0, 5]), axis=None),
    _masked(np.compress, np.array([True, False, True]), TABLE, axis=1),
    _masked(np.compress, np.array([False, True]), A, 0),
    _masked(np.compress, np.array([False, True, True]), A),
    _masked(np.compress, np.array([True]), ROW),
    _masked(np.extract, POSITIVE, TABLE),
    _masked(np.extract, POSITIVE.ravel(), COMPLEX),
    case(np.choose, WHICH, [TABLE, 1.5, TABLE[0]], mode="clip"),
    case(np.choose, WHICH, A[:, 0, :3], mode="wrap"),
    case(np.choose, WHICH + 1, (TABLE, TABLE[:, :1]), mode="clip"),
    case(np.choose, WHICH - 5, (TABLE, TABLE[:, :1]), mode="wrap"),
    case(np.select, CONDITIONS, [TABLE, 2 * TABLE]),
    case(np.select, CONDITIONS, [TABLE, TABLE[0]], default=0.5),
    case(np.select, CONDITIONS, [1.5, COMPLEX], default=TABLE[:, :1]),
    *(
        Case(np.piecewise, (x, condlist, funclist), in_jax=_piecewise)
        for x, condlist, funclist in [
            (TABLE, CONDITIONS, [np.sin, np.square]),
            (TABLE, [TABLE < 0, TABLE > 1], [np.exp, 2, np.square]),
            (ROW, ROW > 0, [np.exp, 1]),
        ]
    ),
    program("the others of a sort", lambda np, x: np.take_along_axis(x, np.argsort(-x, axis=1), axis=1)[:, :2], TABLE),
    program("from traced conditions", lambda np, x: np.select([x > 1, x > x.mean()], [x * x, 1 / x]), TABLE),
]
IN_NUMPY = [
    case(np.choose, WHICH, [TABLE, 1.5, COMPLEX[0]]),
    case(np.take, TABLE, [0, -1, 5, 0]),
    case(np.take, TABLE, INDICES),
    case(np.take, A, -1, 2),
    case(np.take, A, [2, 0, 2], axis=1, mode="raise"),
    case(np.take, TABLE, np.zeros((0, 2), int), axis=0),
    case(np.compress, [True, False, True], TABLE, axis=1),
    case(np.compress, TABLE[0], TABLE, axis=1),
    case(np.extract, TABLE, TABLE.T),
    case(np.choose, [0, 1, 0], [TABLE, TABLE[:1]], mode="raise"),
    case(np.piecewise, 1.5, [False, True], [np.sin, np.square]),
    case(np.piecewise, TABLE, CONDITIONS, [lambda x, a: a * x**3, lambda x, a: np.cumsum(x) + a], 3),
    case(np.piecewise, TABLE, [TABLE < 1], [lambda x: x * np.mean(x), lambda x: np.sum(x)]),
]
CASES = IN_JAX + IN_NUMPY

test_value_and_derivatives = for_each(IN_JAX, check)
test_value_and_derivatives_where_jax_differs = for_each(IN_NUMPY, check, against_jax=False)
test_float32 = for_each([case for case in CASES if "cumsum" not in repr(case)], check_precision, np.float32, 2e-6)


# ---- How they meet --------------------------------------------------------------------------------------------------


def test_repeated_elements_add_up():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.take(x, [0, 0, -1])))(ROW), [2, 0, 0, 1])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.take_along_axis(x, np.array([1, 1, 1]), 0)))(ROW), [0, 3, 0, 0])


@pytest.mark.parametrize("x", [np.array(2.0), np.float64(2.0), 2.0])
def test_a_number_has_an_axis_for_some_functions(x):
    """NumPy takes it for an array of one element."""
    assert grad(lambda x: np.take(x, [0, 0, 0], axis=0)[1])(x) == 1
    assert grad(lambda x: np.take(x, 0, axis=-1))(x) == 1
    assert grad(lambda x: np.sum(np.repeat(x, 3, axis=0)))(x) == 3
    assert grad(lambda x: np.compress([True], x, axis=0)[0])(x) == 1
    for fun in (np.cumsum, np.nancumsum, np.cumprod, np.nancumprod):
        for axis in (0, -1):
            assert grad(lambda x: 3 * np.sum(fun(x, axis=axis)))(x) == 3


def test_where_several_conditions_hold():
    """select takes the first of them, piecewise the last."""
    x = np.array([0.5, 2.0])
    conditions = [x > 0, x > 1]
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.select(conditions, [3 * x, 5 * x])))(x), [3, 3])
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(np.piecewise(x, conditions, [lambda v: 3 * v, lambda v: 5 * v])))(x), [3, 5]
    )


def test_what_was_not_chosen_does_no_harm():
    x = np.array([0.0, 4.0])

    def f(x):
        with np.errstate(divide="ignore"):
            return np.sum(np.piecewise(x, [x > 0], [np.sqrt, lambda v: v * 0]))

    np.testing.assert_array_equal(grad(f)(x), [0, 0.25])


def test_indices_out_of_bounds_are_an_error_of_numpys():
    for call in (lambda x: np.take(x, 4), lambda x: np.choose([0, 1], [x[:2]]), lambda x: np.compress([0] * 4 + [1], x)):
        with pytest.raises((IndexError, ValueError)):
            grad(lambda x: np.sum(call(x)))(ROW)


@cases({
    "from outside": lambda x: np.piecewise(x, [x > 1], [lambda v: v * x[0], lambda v: v * v]),
    "as an argument": lambda x: np.piecewise(x, [x > 1], [lambda v, a: v * a, lambda v, a: v * v], x[0]),
    "by keyword": lambda x: np.piecewise(x, [x > 1], [lambda v, a: v * a, lambda v, a: v * v], a=x[0]),
    "as a value": lambda x: np.piecewise(x, [x > 1], [x[0] * x[0], lambda v: v * v]),
})
def test_functions_of_piecewise_use_other_values_too(case):
    x = np.array([0.5, 1.5, -2.0, 3.0])
    last = [0.0, 0.5, 0.0, 0.5] if case(x)[1] == 0.75 else [0.0] * 4
    slope = (x * (x > 1)).sum() if case(x)[1] == 0.75 else 2 * 0.5 * (x > 1).sum()
    np.testing.assert_allclose(grad(lambda x: case(x).sum())(x), np.where(x > 1, last, 2 * x) + [slope, 0, 0, 0], rtol=1e-15)


def test_the_functions_of_piecewise_are_called_once():
    """A function of a loop's variable may be another one by the time of the backward pass."""
    calls = []

    def f(x):
        y = 0.0
        for k in (1.0, 2.0, 3.0):
            y = y + np.piecewise(x, [x > 0], [lambda v: calls.append(k) or k * v * v, lambda v: k * v])
        return y.sum()

    np.testing.assert_array_equal(grad(f)(np.array([-1.0, 2.0])), [6.0, 24.0])
    assert calls == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="either 1 or 2 functions are expected"):
        grad(lambda x: np.piecewise(x, [x > 0], [np.sin] * 3).sum())(ROW)


def test_what_cannot_be_seen_is_refused():
    """A default alone."""
    with pytest.raises(TensorConversionError):
        grad(lambda t: np.sum(np.select(CONDITIONS, [TABLE, TABLE], default=t)))(1.5)
    with pytest.raises(NotImplementedError, match="out="):
        grad(lambda x: np.sum(np.take(x, 0, out=np.zeros(()))))(ROW)


def test_gradients_of_parts_and_the_whole():
    """choose among the rows of one array, and among the rows as several."""
    whole = grad(lambda x: np.sum(np.choose([0, 1, 0], x) ** 2))(TABLE)
    parts = grad(lambda rows: np.sum(np.choose([0, 1, 0], rows) ** 2))(list(TABLE))
    assert_close(whole, np.array(parts), 1e-15)
