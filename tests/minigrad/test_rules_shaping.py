"""Moving elements about, copying them, and joining arrays."""

import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.rules.shaping import astype
from minigrad.tensor import TensorConversionError

from .support import (
    assert_alike,
    assert_close,
    assert_identical,
    case,
    check,
    check_precision,
    each,
    gradient_of,
    program,
)

A = np.random.default_rng(0).uniform(-2, 2, (2, 3, 4))
CUBE = A[:, :2, :2]  # whose axes can be mixed up without an error
ONES_AXES = A[:1, :, :1]
ROW = A[0, 0, :3]
TABLE = A[:, :, 0]
COMPLEX = TABLE + 1j * A[:, :, 1]
EMPTY = np.zeros((0, 3))

# ---- One array ------------------------------------------------------------------------------------------------------

CASES = [
    case(np.reshape, A, (4, 6)),
    case(np.reshape, A, -1),
    case(np.reshape, A, [3, -1]),
    case(np.reshape, A, (4, 6), "F"),
    case(np.reshape, A, (3, -1), order="F"),
    case(np.reshape, A.T, (4, 6), order="C"),
    case(np.reshape, ROW[:1], ()),
    case(np.reshape, 1.5, (1, 1)),
    case(np.reshape, EMPTY, (3, 0)),
    case(np.ravel, A),
    case(np.ravel, A, "F"),
    case(np.ravel, A.T, order="C"),
    case(np.ravel, 1.5),
    case(np.ravel, EMPTY),
    case(np.squeeze, ONES_AXES),
    case(np.squeeze, ONES_AXES, 0),
    case(np.squeeze, ONES_AXES, axis=-1),
    case(np.squeeze, ONES_AXES, axis=(0, -1)),
    case(np.squeeze, ROW[:1]),
    case(np.squeeze, 1.5),
    case(np.expand_dims, A, 0),
    case(np.expand_dims, A, axis=-2),
    case(np.expand_dims, A, (0, -1)),
    case(np.expand_dims, TABLE, [0, 2]),
    case(np.expand_dims, 1.5, 0),
    case(np.transpose, A),
    case(np.transpose, ROW),
    case(np.transpose, 1.5),
    case(np.transpose, A, (2, 0, 1)),
    case(np.transpose, CUBE, axes=(1, 2, 0)),
    case(np.transpose, CUBE, (-1, 0, 1)),
    case(np.transpose, CUBE, [1, -1, -3]),
    case(np.swapaxes, A, 0, 2),
    case(np.swapaxes, CUBE, -1, 0),
    case(np.swapaxes, A, axis1=1, axis2=1),
    case(np.moveaxis, A, 0, -1),
    case(np.moveaxis, CUBE, [0, 1], [-1, 0]),
    case(np.moveaxis, CUBE, (2, -3), (0, 1)),
    case(np.moveaxis, A, source=1, destination=0),
    case(np.broadcast_to, ROW, (2, 3)),
    case(np.broadcast_to, ONES_AXES, (2, 3, 4)),
    case(np.broadcast_to, ONES_AXES, shape=(5, 2, 3, 1)),
    case(np.broadcast_to, ROW[:1], 3),
    case(np.broadcast_to, ROW, (3,)),
    case(np.broadcast_to, ROW[:, None], (3, 0)),
    case(np.broadcast_to, 1.5, (2, 2)),
    case(np.broadcast_to, np.float64(1.5), ()),
    case(np.copy, A),
    case(np.copy, A, order="F"),
    case(np.copy, 1.5),
    case(np.real, A),
    case(np.imag, A),
    case(np.real, COMPLEX),
    case(np.imag, COMPLEX),
    case(np.real, 1.5),
    case(np.real, 1.5 + 2j),
    case(np.imag, 1.5 + 2j),
    case(astype, TABLE, np.float64),
    case(astype, TABLE, complex),
    case(astype, TABLE, "complex128"),
    case(astype, COMPLEX, np.complex128),
    case(astype, 1.5, float),
    case(astype, TABLE, float, casting="safe"),
]
if np.lib.NumpyVersion(np.__version__) >= "2.1.0":  # before, they have other names, or none
    CASES += [case(np.reshape, A, shape=(6, 4)), case(np.reshape, A, (4, 6), copy=True)]

# ---- Several arrays -------------------------------------------------------------------------------------------------

CASES += [
    case(np.concatenate, [TABLE, 2 * TABLE[:1]]),
    case(np.concatenate, (TABLE, 2 * TABLE[:1])),
    case(np.concatenate, [TABLE, 2 * TABLE[:, :2]], 1),
    case(np.concatenate, [TABLE, 2 * TABLE[:, :2]], axis=-1),
    case(np.concatenate, [TABLE, 2 * ROW, ONES_AXES], axis=None),
    case(np.concatenate, [TABLE]),
    case(np.concatenate, [ROW, ROW[:0], ROW[:1]]),
    case(np.concatenate, [EMPTY, TABLE]),
    case(np.concatenate, [EMPTY, EMPTY], axis=1),
    case(np.concatenate, A),
    case(np.concatenate, A, axis=1),
    case(np.concatenate, A, axis=None),
    case(np.concatenate, [TABLE, COMPLEX]),
    case(np.concatenate, [TABLE, TABLE + 1], dtype=np.float64),
    case(np.concatenate, [TABLE, TABLE + 1], dtype=np.complex128),
    case(np.concatenate, [TABLE, TABLE + 1], casting="unsafe"),
    case(np.stack, [TABLE, TABLE + 1]),
    case(np.stack, (TABLE, TABLE + 1), 1),
    case(np.stack, [TABLE, TABLE + 1], axis=-1),
    case(np.stack, [TABLE, TABLE + 1], axis=-2),
    case(np.stack, [TABLE]),
    case(np.stack, [1.5, 2.5]),
    case(np.stack, [np.float64(1.5), np.array(2.5)]),
    case(np.stack, [1.5, 2.5 + 1j]),
    case(np.stack, [ROW[:0], ROW[:0]], axis=1),
    case(np.stack, A),
    case(np.stack, A, axis=-1),
    case(np.stack, [TABLE, TABLE + 1], dtype=np.complex128),
    case(np.stack, [TABLE, TABLE + 1], casting="unsafe"),
    program("several times", lambda np, x: np.concatenate([x, x * x, x]), TABLE),
    program("between constants", lambda np, x: np.concatenate([np.ones((1, 3)), x, np.zeros((2, 3))]), TABLE),
    program("with integers", lambda np, x: np.concatenate([np.arange(3), x]), ROW),
    program("stacked with numbers", lambda np, x: np.stack([x[0], 2.0, x[1] * x[2], 1]), ROW),
    program("taken apart and stacked", lambda np, x: np.stack([row * i for i, row in enumerate(x)], axis=1), TABLE),
]


@each(CASES)
def test_value_and_derivatives(case):
    check(case)


@each([case for case in CASES if "dtype" not in case.kwargs and case.fun is not astype])
def test_float32(case):
    check_precision(case, np.float32, 1e-7)


# ---- astype ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64, "f4", float, complex])
@pytest.mark.parametrize("x", [1.5, np.float64(1.5), np.array(1.5), ROW, ROW.astype(np.float32)], ids=str)
def test_astype(x, dtype):
    """The value is in the new dtype, the gradient in the leaf's own."""
    (_, value), gradient = value_and_grad(lambda x: (2 * np.sum(x.astype(dtype).real), x.astype(dtype)), has_aux=True)(x)
    assert_identical(value, np.asarray(x).astype(dtype))
    assert_alike(gradient, x)
    np.testing.assert_array_equal(gradient, np.full(np.shape(x), 2.0))


def test_astype_of_a_complex_number_to_a_real_one_is_a_warning_of_numpys():
    with pytest.warns(np.exceptions.ComplexWarning):
        gradient = grad(lambda z: np.sum(z.astype(float) * np.array([1.0, 2.0])))(np.array([1 + 2j, 3j]))
    np.testing.assert_array_equal(gradient, [1 + 0j, 2 + 0j])


@pytest.mark.parametrize("dtype", [int, bool, np.uint8, "i4"])
def test_integers_are_plain(dtype):
    x = np.array([1.5, 0.0])

    def f(x):
        whole = x.astype(dtype)
        assert type(whole) is np.ndarray
        assert_identical(whole, np.array([1.5, 0.0]).astype(dtype))
        return np.sum(whole * x)

    np.testing.assert_array_equal(grad(f)(x), [1.0, 0.0])


# ---- Sequences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [[4.0, 5.0], (4, 5, 6), [[7.0], [8.0]], np.arange(2)], ids=str)
def test_joining_with_plain_lists(other):
    axis = None if np.ndim(other) > 1 else 0

    def joined(x):
        return np.concatenate([other, x, x * x, other], axis)

    weights = np.arange(1.0, 7 + 2 * np.size(other))
    (_, value), gradient = value_and_grad(lambda x: (np.sum(weights * joined(x)), joined(x)), has_aux=True)(ROW)
    assert_identical(value, joined(ROW))
    first = np.size(other) + 1
    np.testing.assert_allclose(gradient, weights[first - 1 : first + 2] + 2 * ROW * weights[first + 2 : first + 5], rtol=1e-15)


def test_stacking_with_a_plain_list():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.stack([[1.0, 2.0], x, (3, 4)]) ** 2))(np.array([5.0, 6.0])), [10.0, 12.0])


def test_one_array_as_a_whole_and_in_parts():
    """A Tensor in the place of the sequence stands for its rows."""
    for join in (np.stack, np.concatenate):
        for axis in (0, 1, -1):
            whole = gradient_of(case(join, A, axis=axis))["0"]
            assert_close(whole, np.array(gradient_of(case(join, list(A), axis=axis))["0"]), 1e-15)


def test_a_list_with_tensors_in_place_of_an_array_is_refused():
    for call in (
        lambda x: np.concatenate([[x[0], 2.0], x]),
        lambda x: np.reshape([x[0], x[1]], (2, 1)),
        lambda x: np.ravel([x, x]),
        lambda x: np.sum([x[0], x[1]]),
        lambda x: x + [x[0], 1.0, 2.0],
        lambda x: [x[0], 1.0, 2.0] * x,
    ):
        with pytest.raises(TensorConversionError, match="np.stack"):
            grad(lambda x: np.sum(call(x)))(ROW)


# ---- Methods --------------------------------------------------------------------------------------------------------

METHODS = {
    "T": lambda a: a.T,
    "mT": lambda a: a.mT,
    "real": lambda a: a.real,
    "imag": lambda a: a.imag,
    "reshape(4, 6)": lambda a: a.reshape(4, 6),
    "reshape((4, 6))": lambda a: a.reshape((4, 6)),
    "reshape([-1, 3])": lambda a: a.reshape([-1, 3]),
    "reshape(-1)": lambda a: a.reshape(-1),
    "reshape(4, 6, order='F')": lambda a: a.reshape(4, 6, order="F"),
    "transpose()": lambda a: a.transpose(),
    "transpose(None)": lambda a: a.transpose(None),
    "transpose(2, 0, 1)": lambda a: a.transpose(2, 0, 1),
    "transpose((-1, 0, 1))": lambda a: a.transpose((-1, 0, 1)),
    "swapaxes(0, -1)": lambda a: a.swapaxes(0, -1),
    "squeeze()": lambda a: a[:1].squeeze(),
    "squeeze(0)": lambda a: a[:1].squeeze(0),
    "squeeze(axis=(0,))": lambda a: a[:1].squeeze(axis=(0,)),
    "ravel()": lambda a: a.ravel(),
    "ravel('F')": lambda a: a.ravel("F"),
    "flatten()": lambda a: a.flatten(),
    "flatten('F')": lambda a: a.flatten("F"),
    "copy()": lambda a: a.copy(),
    "conj()": lambda a: a.conj(),
    "conjugate()": lambda a: a.conjugate(),
    "astype(complex)": lambda a: a.astype(complex),
    "astype(np.float64, copy=False)": lambda a: a.astype(np.float64, copy=False),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    # An array of JAX has these methods too.
    check(program(name, lambda _, a: METHODS[name](a), COMPLEX if name in ("real", "imag", "conj()", "conjugate()") else A))


# ---- What memory layout decides -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["A", "K"])
def test_memory_order_is_refused_where_it_is_called(order):
    calls = [lambda x: np.ravel(x, order), lambda x: x.flatten(order), lambda x: x.ravel(order=order)]
    if order == "A":  # NumPy does not take K here
        calls += [lambda x: np.reshape(x, -1, order), lambda x: x.reshape(-1, order=order)]
    for call in calls:

        def f(x):
            with pytest.raises(NotImplementedError, match=f"order='{order}'"):
                call(x)
            return np.sum(x)

        np.testing.assert_array_equal(grad(f)(ROW), np.ones(3))


def test_axes_that_do_not_exist_are_an_error_of_numpys():
    for call in (
        lambda x: np.swapaxes(x, 0, 2),
        lambda x: np.moveaxis(x, 2, 0),
        lambda x: np.expand_dims(x, 4),
        lambda x: np.squeeze(x, 2),
        lambda x: np.stack([x, x], axis=3),
        lambda x: np.concatenate([x, x], axis=2),
    ):
        with pytest.raises(np.exceptions.AxisError):
            grad(lambda x: np.sum(call(x)))(TABLE)
    for call in (lambda x: np.reshape(x, (4, 2)), lambda x: np.transpose(x, (0, 0)), lambda x: np.broadcast_to(x, (3, 2))):
        with pytest.raises(ValueError):
            grad(lambda x: np.sum(call(x)))(TABLE)
