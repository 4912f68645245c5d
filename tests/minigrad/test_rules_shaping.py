"""Moving elements about, copying them, and joining arrays."""

from inspect import signature

import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.conversions import as_python_number, astype, checked
from minigrad.operands import TensorConversionError
from minigrad.rules.shaping import in_memory

from .support import *

A = array((2, 3, 4))
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
    case(astype, TABLE, float, order="F"),
    case(np.astype, TABLE, np.complex128),
    case(np.astype, TABLE, float, copy=False),
    *([case(np.astype, TABLE, float, device="cpu")] if "device" in signature(np.astype).parameters else []),
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

# ---- Rearranged -----------------------------------------------------------------------------------------------------

AT_LEAST = [np.atleast_1d, np.atleast_2d, np.atleast_3d]
MORE = [case(fun, x) for fun in AT_LEAST for x in (1.5, ROW, A)]
MORE += [case(fun, 1.5, ROW, TABLE) for fun in AT_LEAST]
MORE += [
    case(np.rollaxis, A, 2),
    case(np.rollaxis, CUBE, 0, 3),
    case(np.rollaxis, CUBE, -1, start=1),
    case(np.rollaxis, CUBE, 0, start=-1),
    case(np.rollaxis, CUBE, 1, start=1),
    case(np.flip, A),
    case(np.flip, A, 1),
    case(np.flip, A, axis=(0, -1)),
    case(np.flip, 1.5),
    case(np.fliplr, TABLE),
    case(np.flipud, TABLE),
    case(np.rot90, CUBE),
    case(np.rot90, A, 3),
    case(np.rot90, A, k=-1, axes=(2, 0)),
    case(np.roll, A, 5),
    case(np.roll, A, -2, axis=1),
    case(np.roll, A, (1, -3), axis=(0, 2)),
    case(np.roll, A, 1, (0, 2)),
    case(np.tile, TABLE, 3),
    case(np.tile, TABLE, (2, 1)),
    case(np.tile, ROW, (2, 1, 3)),
    case(np.tile, A, [2, 3]),
    case(np.tile, 1.5, 2),
    case(np.tile, TABLE, (0, 2)),
    case(np.repeat, TABLE, 2),
    case(np.repeat, TABLE, 3, axis=1),
    case(np.repeat, TABLE, np.array([1, 3]), axis=0),
    case(np.repeat, 1.5, 2),
    case(np.resize, TABLE, (4, 2)),
    case(np.resize, TABLE, 4),
    case(np.resize, EMPTY, (2, 2)),
    case(np.resize, TABLE, (0,)),
    case(np.delete, TABLE, 1),
    case(np.delete, TABLE, slice(0, 2), -1),
    case(np.delete, TABLE, np.array([True, False]), axis=0),
    case(np.insert, TABLE, 1, 1.5),
    case(np.insert, TABLE, 1, ROW),
    case(np.insert, TABLE, 1, ROW, axis=0),
    case(np.insert, TABLE, -1, np.array([1.5, 2.5]), axis=1),
    case(np.insert, TABLE, slice(0, 2), 0.5, axis=1),
    case(np.append, TABLE, ROW),
    case(np.append, TABLE, 1.5),
    case(np.append, TABLE, TABLE[:1], axis=0),
    case(np.append, TABLE, TABLE[:, :2], -1),
    case(np.hstack, [ROW, 1.5, ROW[:0]]),
    case(np.hstack, (TABLE, TABLE[:, :1])),
    case(np.hstack, A),
    case(np.hstack, [TABLE, TABLE], dtype=np.complex128, casting="safe"),
    case(np.vstack, [ROW, TABLE]),
    case(np.vstack, [1.5, 2.5]),
    case(np.vstack, [A, A[:1]], dtype=np.float64, casting="unsafe"),
    case(np.column_stack, [TABLE, TABLE[:, 0], COMPLEX]),
    case(np.column_stack, [1.5, 2.5]),
    case(np.dstack, [ROW, ROW]),
    case(np.dstack, [TABLE, A]),
    case(np.dstack, [1.5, 2.5]),
    case(np.block, [ROW, 1.5]),
    case(np.block, [[TABLE, TABLE[:, :1]], [ROW, 1.5]]),
    case(np.block, [[[A, A], [A[:, :1], A[:, :1]]]]),
    case(np.block, A),
    case(np.broadcast_arrays, TABLE, ROW, 1.5),
    case(np.broadcast_arrays, TABLE),
    case(np.meshgrid, ROW, ROW[:2]),
    case(np.meshgrid, ROW, ROW[:2], indexing="ij", sparse=True),
    case(np.meshgrid, ROW, ROW[:2], sparse=True),
    case(np.split, A, 2),
    case(np.split, A, 2, axis=-1),
    case(np.split, A, [1, 3], 2),
    case(np.array_split, ROW, 2),
    case(np.array_split, A, 3, axis=-1),
    case(np.hsplit, ROW, [1]),
    case(np.hsplit, A, 3),
    case(np.vsplit, A, 2),
    case(np.dsplit, A, [1, 2]),
    case(np.linspace, 1.5, 4.0),
    case(np.linspace, ROW, 4.0, 5),
    case(np.linspace, ROW, TABLE, 4, False, axis=1),
    case(np.linspace, ROW, TABLE, num=4, axis=-1),
    case(np.linspace, ROW, 4.0, 3, retstep=True),
    case(np.linspace, 1.5, 4.0, 3, endpoint=False, retstep=True),
    case(np.linspace, 1.5, 4.0, 1),
    case(np.linspace, 1.5, 4.0, 0),
    case(np.linspace, 1.5, 2 + 4j, 3, dtype=np.complex128),
    case(np.logspace, 0.5, 1.5, 4),
    case(np.logspace, ROW / 4, 0.5, num=4, endpoint=False, base=2.5, axis=1),
    case(np.logspace, ROW / 4, 0.5, 4, base=np.array([2.5, 1.5, 0.5])),
    case(np.logspace, 0.5, 1.5, 4, dtype=np.float64),
    case(np.geomspace, 0.5, 1.5, 4),
    case(np.geomspace, ROW * ROW, 0.5, num=4, endpoint=False, axis=-1),
    case(np.geomspace, -0.5, -1.5, 4, dtype=np.float64),
    case(np.geomspace, 0.5 + 1j, -1.5 + 0.5j, 4),
    case(np.full_like, TABLE, fill_value=1.5),
    case(np.full_like, TABLE, fill_value=ROW),
    case(np.full_like, TABLE, fill_value=ROW, dtype=np.complex128, order="F"),
    case(np.full_like, TABLE, fill_value=ROW, shape=(4, 3)),
]
if hasattr(np, "unstack"):
    MORE += [case(np.unstack, A), case(np.unstack, A, axis=-1)]

# ---- Padded ---------------------------------------------------------------------------------------------------------

WIDTHS = [2, (1, 3), ((2, 1), (0, 3))]
MORE += [case(np.pad, TABLE, width) for width in WIDTHS]
MORE += [case(np.pad, TABLE, 2, mode) for mode in ("constant", "edge", "symmetric", "wrap")]
MORE += [case(np.pad, TABLE, 2, mode) for mode in ("minimum", "median", "linear_ramp")]
MORE += [case(np.pad, TABLE, WIDTHS[2], mode=mode) for mode in ("reflect", "maximum", "mean")]
MORE += [case(np.pad, TABLE, ((5, 4), (7, 6)), mode=mode) for mode in ("reflect", "symmetric", "wrap")]
MORE += [case(np.pad, TABLE, ((5, 4), (7, 6)), mode=mode, reflect_type="odd") for mode in ("reflect", "symmetric")]
MORE += [
    case(np.pad, TABLE[:1], ((5, 4), (1, 2)), mode="reflect", reflect_type="odd"),
    case(np.pad, TABLE, 3, mode="mean", stat_length=2),
    case(np.pad, TABLE, 3, mode="median", stat_length=((1, 2), (3, 9))),
    case(np.pad, EMPTY, ((0, 0), (1, 2)), mode="edge"),
    case(np.pad, COMPLEX, 2, mode="linear_ramp"),
]
IN_NUMPY = [
    case(np.lib.stride_tricks.sliding_window_view, TABLE, 2, axis=1),
    case(np.lib.stride_tricks.sliding_window_view, TABLE, (2, 2)),
    case(as_python_number, np.array(1.5)),
    case(checked, TABLE, False, "not raised"),
    case(np.logspace, 0.5, 1.5, 4, base=2.5, dtype=np.float64),
    case(np.logspace, 0.5, 1.5, 4, base=np.array([2.5, 1.5, 0.5])),
    case(np.logspace, ROW / 4, 1.5, 4, base=np.array([[2.5], [1.5]]), axis=-1),
    case(np.pad, TABLE, 2, constant_values=0.5),
    case(np.pad, TABLE, WIDTHS[2], constant_values=np.array([0.5, 1.5])),
    case(np.pad, TABLE, WIDTHS[2], mode="constant", constant_values=np.array([[0.5, 1.5], [2.5, 3.5]])),
    case(np.pad, EMPTY, 1, constant_values=0.5),
    case(np.pad, 1.5, 0),
    case(np.pad, TABLE, 2, mode="linear_ramp", end_values=0.5),
    case(np.pad, TABLE, WIDTHS[2], mode="linear_ramp", end_values=np.array([[0.5, 1.5], [2.5, 3.5]])),
    case(np.repeat, TABLE, [2, 0, 1], -1),
    case(np.delete, TABLE, [0, -1], axis=1),
    case(np.insert, TABLE, [0, 4, 4], ROW),
    case(np.insert, TABLE, [1], np.array([[1.5], [2.5]]), axis=1),
    case(np.insert, TABLE, [0, 2], TABLE[:, :1], 1),
    case(np.meshgrid, ROW, ROW[:2], 1.5, ROW[:1]),
    case(np.meshgrid, ROW, copy=False),
    # Sections out of order overlap
    case(np.split, A, [3, 1], axis=2),
    case(np.array_split, ROW, [2, -2, 1]),
]
for order in "AK":
    IN_NUMPY += [case(np.ravel, x, order) for x in (A, 1.5)]
IN_NUMPY += [case(np.reshape, x, (-1, 1), order="A") for x in (A, 1.5)]
if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
    IN_NUMPY += [case(np.pad, TABLE, {-1: (1, 2)}), case(np.pad, TABLE, {0: 2}, mode="edge")]

# Zeros that are trimmed are found again where they were. (With differences, they would be no zeros.)
ZEROS = np.array([0.0, 0.0, 1.5, 0.0, 2.5, 0.0])
TRIMMED = [
    (case(np.trim_zeros, ZEROS), [0, 0, 1, 1, 1, 0]),
    (case(np.trim_zeros, ZEROS, "f"), [0, 0, 1, 1, 1, 1]),
    (case(np.trim_zeros, ZEROS, trim="B"), [1, 1, 1, 1, 1, 0]),
    (case(np.trim_zeros, TABLE[0]), [1, 1, 1]),
    (case(np.trim_zeros, np.zeros(3)), [0, 0, 0]),
    (case(np.trim_zeros, np.zeros(3), "b"), [0, 0, 0]),
]
if np.lib.NumpyVersion(np.__version__) >= "2.2.0":
    FRAMED = np.pad(ONES_AXES[0], ((1, 1), (0, 2)))
    TRIMMED += [
        (case(np.trim_zeros, FRAMED), np.pad(np.ones((3, 1)), ((1, 1), (0, 2)))),
        (case(np.trim_zeros, FRAMED, "b", axis=1), np.pad(np.ones((5, 1)), ((0, 0), (0, 2)))),
    ]
if np.lib.NumpyVersion(np.__version__) >= "2.4.0":
    TRIMMED += [(case(np.trim_zeros, FRAMED, axis=(0, -1)), np.pad(np.ones((3, 1)), ((1, 1), (0, 2))))]
CASES += MORE

test_value_and_derivatives = for_each(CASES, check)
test_value_and_derivatives_where_jax_differs = for_each(IN_NUMPY, check, against_jax=False)


@rows(TRIMMED)
def test_zeros_that_are_trimmed(case, expected):
    check_special_point(case, expected)
    mask = case.args[0] != 0
    rest = program("rest", lambda np, x: case.fun(x * mask, *case.args[1:], **case.kwargs), mask + 1.0)
    check(rest, against_jax=False)


@each([case for case in CASES + IN_NUMPY if "dtype" not in case.kwargs and case.fun not in (astype, np.astype)])
def test_float32(case):
    check_precision(case, np.float32, 3e-6 if case.fun in (np.pad, np.linspace, np.logspace, np.geomspace) else 1e-7)


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


ORDERED = {
    "ravel": lambda x, order: x.ravel(order),
    "ravel(order=)": lambda x, order: x.ravel(order=order),
    "flatten": lambda x, order: x.flatten(order),
    "of a transpose": lambda x, order: x.T.ravel(order),
    "of a step": lambda x, order: x[:, ::2].T.flatten(order),
    "of a copy": lambda x, order: np.copy(x.T).ravel(order),
    "of a sum": lambda x, order: np.ravel(x.T + x.T, order),
}


@pytest.mark.parametrize("order", ["A", "K", "a", "k"])
@pytest.mark.parametrize("name", ORDERED)
def test_memory_order(name, order):
    """What is differentiated lies in memory as it does in NumPy."""
    for turn in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        check(program(name, lambda _, x: ORDERED[name](x.transpose(turn), order), A), against_jax=False)
    x = A.T
    value = value_and_grad(lambda x: (np.sum(x), ORDERED[name](x, order)), has_aux=True)(x)[0][1]
    assert_identical(value, ORDERED[name](x, order))


LAYOUTS = {
    "with gaps": lambda x: x[:, ::2],
    "in Fortran's order, with gaps": lambda x: np.asfortranarray(x)[::2],
    "in Fortran's order, backwards": lambda x: np.asfortranarray(x)[:, ::-1],
    "backwards": lambda x: x[::-1, :, ::-1],
    "with exchanged axes, and gaps": lambda x: x.swapaxes(0, 1)[:, :2],
    "of one column": lambda x: x.T[1:2],
    "broadcast": lambda x: np.broadcast_to(x[1, 1], x.shape),
    "broadcast along the last axis": lambda x: np.broadcast_to(x[:, :1, :1], x.shape),
}


@cases(LAYOUTS)
@pytest.mark.parametrize("order", "CFAK")
def test_memory_order_of_what_comes_in(case, order):
    """The function is given copies. In every order, their elements come as those of the arrays do."""
    for x in (case(A), case(np.random.default_rng(0).normal(size=(2, 3, 4000)))):
        weights = 1 + np.arange(float(x.size))
        calls = [lambda x: np.copy(x, order).ravel("K")]
        if order != "K" or 0 not in x.strides:  # else it is refused: see below
            calls += [lambda x: np.ravel(x, order), lambda x: x.flatten(order)]
        for call in calls if order == "K" else [*calls, lambda x: np.reshape(x, -1, order=order)]:
            gradient, value = grad(lambda x: (np.sum(weights * call(x)), call(x)), has_aux=True)(x)
            np.testing.assert_array_equal(value, call(x))
            if 0 not in x.strides:  # else there are equal elements, and it cannot be told which is which
                np.testing.assert_array_equal(gradient.ravel()[np.argsort(x.ravel())], weights[np.argsort(value)])


def test_writing_into_what_comes_in_with_gaps():
    x = np.asfortranarray(A)[:, ::2]

    def f(x):
        x[0] *= x[1]
        return np.sum(x.ravel("A") * np.arange(float(x.size)))

    numbers = np.arange(float(x.size)).reshape(x.shape)
    np.testing.assert_array_equal(grad(f)(x), np.stack([numbers[0] * x[1], numbers[0] * x[0] + numbers[1]]))


def test_memory_order_of_all_arrays():
    """The order K, put in words, is what NumPy takes it for."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        axes = rng.permutation(4)[: rng.integers(1, 5)]
        x = np.arange(256).reshape(4, 4, 4, 4)[tuple(slice(None) if i in axes else 0 for i in range(4))]
        x = x.transpose(rng.permutation(x.ndim))
        steps = [slice(rng.integers(0, 3), None, rng.integers(1, 3)), slice(None, None, -1), slice(None)]
        x = x[tuple(steps[rng.integers(3)] for _ in axes)]
        order = in_memory(x, "K")
        in_words = x.ravel(order) if isinstance(order, str) else x.transpose(order).ravel()
        np.testing.assert_array_equal(in_words, x.ravel("K"))


def test_memory_order_of_what_was_broadcast_is_refused():
    def broadcast(x):
        return np.broadcast_to(x, (2, 3)).T[::2]

    def f(x, its):
        with pytest.raises(NotImplementedError, match="order='K'"):
            np.ravel(its(x), "K")
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(ROW, broadcast), np.ones(3))
    np.testing.assert_array_equal(grad(f)(broadcast(ROW), lambda x: x), np.ones((2, 2)))


# ---- Special points -------------------------------------------------------------------------------------------------


def test_padding_with_extremes_that_tie():
    x = np.array([2.0, 1.0, 2.0, 1.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.pad(x, 2, "maximum")))(x), [3, 1, 3, 1])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.pad(x, 2, "median")))(x), [3, 1, 1, 3])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.pad(x, 2, "empty")[2:-2] ** 2))(x), 2 * x)


def test_padding_by_a_function_is_refused():
    def put(row, widths, axis, kwargs):
        row[: widths[0]] = row[widths[0]]

    with pytest.raises(NotImplementedError, match="np.concatenate"):
        grad(lambda x: np.sum(np.pad(x, 1, put)))(ROW)


def test_values_that_numpy_does_not_look_at_are_refused_alone():
    for call in (
        lambda t: np.pad(ROW, 1, constant_values=t),
        lambda t: np.pad(ROW, 1, "linear_ramp", end_values=t),
        lambda t: np.full_like(ROW, t),
    ):
        with pytest.raises(TensorConversionError):
            grad(lambda t: np.sum(call(t)))(1.5)


def test_pairs_of_traced_values_for_padding_have_to_be_stacked():
    with pytest.raises(TensorConversionError, match="np.stack"):
        grad(lambda x: np.sum(np.pad(x, 1, constant_values=(x[0], x[1]))))(ROW)
    stacked = program("stacked", lambda np, x: np.pad(x, 1, constant_values=np.stack([x[0], x[1]])), ROW)
    check(stacked, against_jax=False)


def test_indices_that_are_not_floats_are_constant():
    def f(x):
        grid = np.ix_([0, 1], [2, 0])
        return np.sum(x[grid] ** 2) + np.sum(np.tri(2, 3) * x)

    np.testing.assert_array_equal(grad(f)(TABLE), 2 * TABLE * [[1, 0, 1]] + np.tri(2, 3))


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
