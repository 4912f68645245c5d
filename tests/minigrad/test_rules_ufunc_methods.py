"""The methods of ufuncs: reduce, accumulate, outer, reduceat."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import Tensor, grad, value_and_grad
from minigrad.rules import ufunc_methods
from minigrad.rules.ufunc_methods import accumulate, constant, of_method, reduce, reduceat

from .support import *

A = np.random.default_rng(0).uniform(0.5, 2, (2, 3, 4))
ROW = A[0, 0]
OTHER = np.random.default_rng(1).uniform(0.5, 2, (2, 3))
COMPLEX = A[0] + 1j * A[1]
BINARY = [
    *(np.add, np.subtract, np.multiply, np.divide, np.power, np.remainder, np.fmod, np.hypot, np.arctan2, np.copysign),
    *(np.logaddexp, np.logaddexp2, np.maximum, np.minimum, np.fmax, np.fmin, np.heaviside, np.float_power),
]
REORDERED = [np.add, np.multiply, np.logaddexp, np.logaddexp2, np.hypot, np.maximum, np.minimum, np.fmax, np.fmin]
WITH_JAX = [np.add, np.multiply, np.subtract, np.logaddexp, np.maximum]
PARTS = np.array([0, 2, 1, 3])

# ---- The operations of this file ------------------------------------------------------------------------------------

CASES = [
    case(accumulate, np.logaddexp, A, axis=1),
    case(accumulate, np.divide, COMPLEX),
    case(reduce, np.logaddexp, A),
    case(reduce, np.logaddexp, A, axis=(0, 2), keepdims=True),
    case(reduce, np.logaddexp, A, axis=1, initial=0.4),
    case(reduce, np.hypot, A, axis=None, keepdims=True, initial=np.float64(0.4)),
    case(reduce, np.subtract, COMPLEX, axis=-1, initial=0.4 - 1j),
    case(reduceat, np.logaddexp, A, PARTS, axis=-1),
    case(reduceat, np.divide, COMPLEX, [1, 0]),
]


def _method(ufunc, method, *args, **kwargs):
    """The method itself, as a case."""

    def call(*args):
        return getattr(ufunc, method)(*args, **kwargs)

    call.__name__ = f"{ufunc.__name__}.{method}"
    return Case(call, args, in_jax=lambda *args: getattr(getattr(jnp, ufunc.__name__), method)(*args, **kwargs))


IN_JAX = [_method(ufunc, "accumulate", A, axis=1) for ufunc in WITH_JAX]
IN_JAX += [_method(ufunc, "reduce", A, axis=-1) for ufunc in WITH_JAX]
IN_JAX += [_method(ufunc, "reduce", A) for ufunc in WITH_JAX]
IN_JAX += [_method(ufunc, "outer", OTHER, ROW) for ufunc in WITH_JAX]
IN_JAX += [_method(ufunc, "reduceat", A, indices=PARTS, axis=2) for ufunc in WITH_JAX]
OTHERS = [ufunc for ufunc in BINARY if ufunc not in WITH_JAX]
MISTAKEN = [np.power, np.arctan2]  # NumPy itself loses elements when it reduces with these, on some processors
REDUCED = [ufunc for ufunc in OTHERS if ufunc not in MISTAKEN]
IN_NUMPY = [_method(ufunc, "accumulate", A, axis=1) for ufunc in OTHERS]
IN_NUMPY += [_method(ufunc, "accumulate", A) for ufunc in BINARY[::5]]
IN_NUMPY += [_method(ufunc, "reduce", A, axis=-1) for ufunc in REDUCED]
IN_NUMPY += [_method(ufunc, "reduce", A, axis=(2, 0), keepdims=True) for ufunc in REORDERED]
IN_NUMPY += [_method(ufunc, "reduce", A, axis=1, initial=0.4) for ufunc in REORDERED]
IN_NUMPY += [_method(ufunc, "reduce", A, dtype=np.float64) for ufunc in (np.maximum, np.minimum)]
IN_NUMPY += [_method(ufunc, "outer", OTHER, ROW) for ufunc in OTHERS]
PAIRS = [(ROW, 1.5), (1.5, ROW), (ROW[:0], OTHER)]
IN_NUMPY += [_method(ufunc, "outer", *pair) for ufunc in BINARY[::4] for pair in PAIRS]
IN_NUMPY += [_method(ufunc, "reduceat", A, indices=PARTS, axis=2) for ufunc in REDUCED]
IN_NUMPY += [_method(ufunc, "reduceat", ROW, indices=np.array([1, 3])) for ufunc in REDUCED[::3]]
IN_NUMPY += [_method(ufunc, "outer", [1, 2], ROW) for ufunc in BINARY[::6]]


def _in_order(ufunc, method, *args, **kwargs):
    """A method in which NumPy makes mistakes. Of plain arrays, the last results on the way are right."""

    def reduce(a, axis=0, keepdims=False, initial=None):
        rows = np.moveaxis(a, axis, 0) if axis is not None else a.ravel()
        rows = rows if initial is None else np.concatenate([np.full_like(rows[:1], initial), rows])
        y = ufunc.accumulate(rows)[-1]
        return np.expand_dims(y, axis) if keepdims else y

    def reduceat(a, indices, axis=0):
        rows, ends = np.moveaxis(a, axis, 0), [*indices[1:], a.shape[axis]]
        return np.stack([reduce(rows[i : max(i + 1, end)]) for i, end in zip(indices, ends)], axis=axis)

    def call(*args):
        is_plain = not any(isinstance(x, Tensor) for x in args)
        in_order = reduce if method == "reduce" else reduceat
        return (in_order if is_plain else getattr(ufunc, method))(*args, **kwargs)

    call.__name__ = f"{ufunc.__name__}.{method}"
    return Case(call, args)


IN_ORDER = []
for _ufunc in MISTAKEN:
    IN_ORDER += [_in_order(_ufunc, "reduce", A, axis=axis) for axis in (0, 1, -1)]
    IN_ORDER += [_in_order(_ufunc, "reduce", A, axis=1, keepdims=True, initial=1.4), _in_order(_ufunc, "reduce", ROW, axis=None)]
    IN_ORDER += [_in_order(_ufunc, "reduceat", A, PARTS, axis=axis) for axis in (-1, 2)]
    IN_ORDER += [_in_order(_ufunc, "reduceat", ROW, np.array([1, 3]))]


test_derivatives = for_each(IN_JAX, check)
test_derivatives_of_what_jax_lacks = for_each(CASES + IN_NUMPY + IN_ORDER, check, against_jax=False)
test_float32 = for_each(CASES + IN_JAX + IN_NUMPY + IN_ORDER, check_precision, np.float32, 1e-4)


# ---- Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ufunc", [*BINARY, np.greater, np.logical_and, np.floor_divide], ids=lambda fun: fun.__name__)
def test_of_method_is_the_method(ufunc):
    """Also of values that are not differentiated."""
    assert_identical(of_method(ufunc, "outer")(OTHER, ROW), ufunc.outer(OTHER, ROW))
    assert_identical(of_method(ufunc, "outer")(ROW.astype(np.float32), ROW), ufunc.outer(ROW.astype(np.float32), ROW))
    if ufunc is np.greater:  # whose results are no numbers that it could compare
        return
    for args in ((A,), (A, -1), (A.astype(np.float32), 1)):
        assert_identical(of_method(ufunc, "accumulate")(*args), ufunc.accumulate(*args))
    if ufunc in MISTAKEN:
        return
    for args in ((A,), (A, -1), (A.astype(np.float32), 1)):
        assert_identical(of_method(ufunc, "reduce")(*args), ufunc.reduce(*args))
    assert_identical(of_method(ufunc, "reduce")(A, axis=1, keepdims=True), ufunc.reduce(A, axis=1, keepdims=True))
    assert_identical(of_method(ufunc, "reduceat")(A, [0, 1], 1), ufunc.reduceat(A, [0, 1], 1))
    if ufunc in (np.add, np.multiply):
        options = {"axis": 1, "initial": 0.4, "where": A > 1}
        assert_identical(of_method(ufunc, "reduce")(A, **options), ufunc.reduce(A, **options))


@pytest.mark.parametrize("ufunc", MISTAKEN, ids=lambda fun: fun.__name__)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_no_element_is_lost(ufunc, dtype, tolerance):
    """Also of long arrays, on processors on which NumPy loses some."""
    for n in (1, 2, 3, 8, 17, 64):
        x = np.linspace(0.9, 1.1, n).astype(dtype)
        value, gradient = value_and_grad(ufunc.reduce)(x)
        assert value.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(value, functools.reduce(ufunc, x), rtol=tolerance)
        parts = value_and_grad(lambda x: (np.sum(y := ufunc.reduceat(x, [0, n // 2, 0])), y), has_aux=True)(x)[0][1]
        expected = [functools.reduce(ufunc, part) for part in (x[: max(1, n // 2)], x[n // 2 : n // 2 + 1], x)]
        np.testing.assert_allclose(parts, expected, rtol=tolerance)


def test_no_initial_value():
    """initial=None says that there is none."""
    for ufunc in (np.logaddexp, np.power):
        expected = grad(lambda x: np.sum(ufunc.reduce(x, axis=1)))(A)
        np.testing.assert_array_equal(grad(lambda x: np.sum(ufunc.reduce(x, axis=1, initial=None)))(A), expected)


def test_constants():
    def f(x):
        for y in (
            np.greater.outer(x, x),
            np.logical_and.reduce(x, axis=0),
            np.floor_divide.accumulate(x),
            np.logical_or.reduceat(x, [0, 2]),
            constant(np.floor_divide, "reduce", x),
        ):
            assert type(y) is not Tensor
        return np.sum(np.less.outer(x, x) * x)

    np.testing.assert_array_equal(grad(f)(ROW), np.sum(np.less.outer(ROW, ROW), axis=0))


# ---- Special points -------------------------------------------------------------------------------------------------


def test_ties():
    """Each new element shares equally with the greatest before; at once, all share equally."""
    x = np.array([2.0, 2.0, 2.0])
    np.testing.assert_array_equal(grad(lambda x: np.maximum.accumulate(x)[-1])(x), [0.25, 0.25, 0.5])
    np.testing.assert_allclose(grad(np.maximum.reduce)(x), [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(grad(lambda x: np.maximum.reduceat(x, [0, 2])[0])(x), [0.5, 0.5, 0])
    np.testing.assert_array_equal(grad(np.fmax.reduce)(x), [0, 0, 1])
    assert jax.grad(lambda x: jnp.maximum.accumulate(x)[-1])(x).tolist() == [0.25, 0.25, 0.5]


def test_infinities():
    """What has no part in a sum of exponentials does no harm, also where there is nothing but it so far."""
    x = np.array([-np.inf, -np.inf, 0.0, 0.0])
    for sums, parts in [(np.logaddexp.reduce, [0, 0, 0.5, 0.5]), (lambda x: np.logaddexp2.reduceat(x, [0, 3])[0], [0, 0, 1, 0])]:
        np.testing.assert_array_equal(grad(sums)(x), parts)
    assert jax.grad(jnp.logaddexp.reduce)(x).tolist() == [0, 0, 0.5, 0.5]


def test_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.multiply.accumulate(x)))(x), [1, 8, 0, 0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.multiply.reduceat(x, [0, 2])))(x), [0, 2, 0, 3])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.multiply.outer(x, x)))(x), [10, 10, 10, 10])


@pytest.mark.parametrize("ufunc", [np.add, np.logaddexp, np.subtract], ids=lambda ufunc: ufunc.__name__)
def test_arrays_without_elements(ufunc):
    for x in (np.zeros((0, 3)), np.zeros((2, 0))):
        value, gradient = value_and_grad(lambda x: np.sum(ufunc.accumulate(x, axis=0)))(x)
        assert value == 0 and gradient.shape == x.shape
    if ufunc is np.add:
        assert grad(np.add.reduce)(np.zeros(0)).shape == (0,)
    for x, axis in ((np.zeros((0, 3)), 1), (np.zeros((2, 0)), 0), (np.zeros((2, 0)), 1)):
        assert grad(lambda x: np.sum(ufunc.reduce(x, axis=axis, initial=0.5)))(x).shape == x.shape
    assert grad(lambda x: np.sum(ufunc.reduceat(x, [], axis=0)))(OTHER).tolist() == np.zeros((2, 3)).tolist()


def test_of_one_element():
    x = np.array([1.5])
    for ufunc in BINARY:
        assert_close(grad(lambda x: np.sum(ufunc.accumulate(x)))(x), np.ones(1), 1e-15)
    for ufunc in REDUCED:
        assert_close(grad(ufunc.reduce)(x), np.ones(1), 1e-15)


# ---- What is refused ------------------------------------------------------------------------------------------------


def test_what_has_no_derivative_is_refused():
    for call, match in (
        (lambda x: np.power.reduce(x, where=ROW > 1, initial=1.0), "where="),
        (lambda x: np.nextafter.reduce(x), r"np\.nextafter\.reduce has no derivative rule"),
        (lambda x: np.logaddexp.reduce(x, where=ROW > 1, initial=0.0), "where="),
        (lambda x: np.logaddexp.accumulate(x, dtype=np.float32), "dtype="),
        (lambda x: np.add.accumulate(x, out=np.zeros(4)), "out="),
        (lambda x: np.multiply.outer(x, x, out=np.zeros((4, 4))), "out="),
        (lambda x: np.add.reduceat(x, [0, 1], out=np.zeros(2)), "out="),
    ):
        with pytest.raises(NotImplementedError, match=match):
            grad(lambda x: np.sum(call(x)))(ROW)


def test_several_axes_of_what_cannot_be_reordered_are_an_error_of_numpys():
    with pytest.raises(ValueError, match="not reorderable"):
        grad(lambda x: np.sum(np.subtract.reduce(x, axis=(0, 1))))(A)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.logaddexp, np.arctan2, np.hypot], ids=lambda ufunc: ufunc.__name__)
def test_reduceat_of_parts_of_any_length(ufunc):
    """Parts of one length are computed together. They may overlap, and be in any order."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, (40, 2))
    indices = np.concatenate([np.cumsum(rng.integers(1, 4, 12)), rng.integers(0, 40, 12)])
    weights = rng.uniform(0.5, 1.5, (24, 2))

    def by_parts(x):
        ends = [max(start + 1, end) for start, end in zip(indices, [*indices[1:], 40])]
        return sum((ufunc.reduce(x[start:end]) * w).sum() for start, end, w in zip(indices, ends, weights))

    value, gradient = value_and_grad(lambda x: (ufunc.reduceat(x, indices) * weights).sum())(x)
    np.testing.assert_allclose(value, by_parts(x), rtol=1e-14)
    np.testing.assert_allclose(gradient, grad(by_parts)(x), rtol=1e-12, atol=1e-14)


def test_reduceat_computes_all_parts_of_one_length_at_once(monkeypatch):
    calls, reduce_array = [], ufunc_methods._reduce_array
    monkeypatch.setattr(ufunc_methods, "_reduce_array", lambda *args: calls.append(args) or reduce_array(*args))
    x, indices = np.linspace(0.0, 1.0, 3000), np.cumsum(np.resize([1, 2], 1999))
    gradient = grad(lambda x: np.logaddexp.reduceat(x, indices).sum())(x)
    assert len(calls) == 2
    np.testing.assert_allclose(np.add.reduceat(gradient, indices), np.ones(1999), rtol=1e-13)
