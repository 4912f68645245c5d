"""Functions that move or copy elements, join arrays, and split them."""

import math
from itertools import accumulate
from typing import Literal

import numpy as np

from ..conversions import as_python_number, astype, widened
from ..graph import adding_dtype
from ..table import defconstant, defvjp, find_tensor, primitive, sequence
from .composition import defstandin
from .indexing import scatter

# ---- One array ------------------------------------------------------------------------------------------------------

# The orders A and K depend on the layout of the array in memory, which a VJP cannot see. So they are replaced when the
# arguments are bound: by C or F or, if the layout is neither, by a tuple of the axes from the outermost to the innermost.


def _reshape_a(g, a_shape, shape=None, newshape=None, order: Literal["C", "F"] = "C", copy=None):
    return np.reshape(g, a_shape, order=order)


def _ravel_a(g, a_shape, order="C"):
    if isinstance(order, str):
        return np.reshape(g, a_shape, order=order)
    return np.transpose(np.reshape(g, [a_shape[i] for i in order]), _inverse(order))


def _inverse(permutation):
    permutation = np.atleast_1d(permutation)  # for a vector, NumPy takes a number too
    return tuple(np.argsort(permutation % len(permutation)))


@primitive
def in_memory(a, order):
    """Return what the order A or K means for an array: "C", "F", or a tuple of axes."""
    a = np.asarray(a)
    if order.upper() == "A":
        return "F" if np.isfortran(a) else "C"
    if a.flags.c_contiguous or a.flags.f_contiguous:
        return "C" if a.flags.c_contiguous else "F"
    if any(stride == 0 and n > 1 for stride, n in zip(a.strides, a.shape)):
        raise NotImplementedError("order='K' has no derivative for an array that was broadcast; use order='C'")
    return tuple(np.argsort([-abs(stride) for stride in a.strides], kind="stable"))


defconstant(in_memory)


def _order_in_words(given):
    """Return the arguments of a call, with the orders A and K replaced."""
    order = given.get("order")
    return given | {"order": in_memory(given["a"], order)} if isinstance(order, str) and order.upper() in ("A", "K") else given


defvjp(np.reshape, _order_in_words, a=_reshape_a)
defvjp(np.ravel,   _order_in_words, a=_ravel_a)
defvjp(np.squeeze,      a=lambda g, a_shape, axis=None: np.reshape(g, a_shape))
defvjp(np.expand_dims,  a=lambda g, a_shape, axis: np.reshape(g, a_shape))
defvjp(np.transpose,    a=lambda g, axes=None: np.transpose(g, None if axes is None else _inverse(axes)))
defvjp(np.swapaxes,     a=lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2))
defvjp(np.moveaxis,     a=lambda g, source, destination: np.moveaxis(g, destination, source))
defvjp(np.broadcast_to, array=lambda g, shape: g)
defvjp(np.copy,         a=lambda g, order="K": g)
defvjp(np.real,         val=lambda g: g)
defvjp(np.imag,         val=lambda g: g * -1j)


def _rollaxis_a(g, axis, start=0):
    axis, start = axis % np.ndim(g), start + np.ndim(g) if start < 0 else start
    return np.moveaxis(g, start - (axis < start), axis)


def _minus(shift):
    return np.negative(shift) if np.ndim(shift) == 0 else tuple(np.negative(shift).tolist())


defvjp(np.rollaxis, a=_rollaxis_a)
defvjp(np.flip,     m=lambda g, axis=None: np.flip(g, axis))
defvjp(np.fliplr,   m=lambda g: np.fliplr(g))
defvjp(np.flipud,   m=lambda g: np.flipud(g))
defvjp(np.rot90,    m=lambda g, k=1, axes=(0, 1): np.rot90(g, -k, axes))
defvjp(np.roll,     a=lambda g, shift, axis=None: np.roll(g, _minus(shift), axis))


defvjp(astype, x=lambda g, dtype, casting="unsafe", order="K": g)
defvjp(as_python_number, x=lambda g: g)
defvjp(np.astype, x=lambda g, dtype, copy=True, device=None: g)

# ---- Repeating elements, and leaving some out -----------------------------------------------------------------------
# Where does an element of the result come from? To find out, number the elements, and call the same function with the
# array of numbers.


def along(axis, index):
    """Return the index that takes a part of an array along one axis."""
    return (*(slice(None),) * axis, index)


def length(shape, axis):
    """Return the number of elements along an axis, or of all elements if there is no axis.

    A number has no axes, but NumPy allows ``axis=0`` for it.
    """
    return math.prod(shape) if axis is None or not shape else shape[axis]


def put_back(g, numbers, shape, axis=None):
    """Return the cotangent of an array from which the elements with those numbers were taken.

    The numbers count along an axis or, if there is no axis, through all elements.
    """
    if axis is None or not shape:
        return np.reshape(scatter([g], [numbers], (math.prod(shape),)), shape)
    return scatter([g], [along(axis % len(shape), numbers)], shape)


def _tile_A(g, A_shape, reps):
    """Give `g` one axis more for each axis of A, which counts the copies. The cotangent is the sum over these axes."""
    reps = np.atleast_1d(reps).tolist()
    ndim = max(len(reps), len(A_shape))
    pairs = zip((1,) * (ndim - len(reps)) + tuple(reps), (1,) * (ndim - len(A_shape)) + A_shape)
    copies = np.reshape(g, [n for pair in pairs for n in pair])
    return np.reshape(np.sum(copies, axis=tuple(range(0, 2 * ndim, 2)), dtype=adding_dtype(np.result_type(g))), A_shape)


def _repeat_a(g, a_shape, repeats, axis=None):
    return put_back(g, np.repeat(np.arange(length(a_shape, axis)), repeats), a_shape, axis)


def _resize_a(g, a_shape, new_shape):
    size = math.prod(a_shape)
    if size == 0:
        return np.zeros(a_shape, np.result_type(g))
    return put_back(np.ravel(g), np.arange(np.size(g)) % size, a_shape)


def _delete_arr(g, arr_shape, obj, axis=None):
    return put_back(g, np.delete(np.arange(length(arr_shape, axis)), obj), arr_shape, axis)


def _insert_arr(g, arr_shape, obj, values_shape, axis=None):
    old = np.insert(np.ones(arr_shape, bool), obj, np.zeros(values_shape, bool), axis)
    return np.reshape(g[old], arr_shape)


def _insert_values(g, arr_shape, obj, values_shape, axis=None):
    numbers = np.arange(math.prod(values_shape)).reshape(values_shape)
    numbers = np.insert(np.full(arr_shape, -1), obj, numbers, axis)
    return put_back(g[numbers >= 0], numbers[numbers >= 0], values_shape)


def _trim_zeros_filt(g, filt, trim="fb", axis=None):
    """An axis was trimmed to the part from the first to the last index at which some element is not zero."""
    shape = np.shape(filt)
    if np.size(g) == 0:
        return np.zeros(shape, np.result_type(g))
    ends = []
    for i, numbers in enumerate(np.nonzero(filt)):
        trimmed = axis is None or i in [k % len(shape) for k in np.atleast_1d(axis)]
        start = numbers.min() if trimmed and "f" in trim.lower() else 0
        stop = numbers.max() + 1 if trimmed and "b" in trim.lower() else shape[i]
        ends.append(slice(int(start), int(stop)))
    return scatter([g], [tuple(ends)], shape)


defvjp(np.tile,       A=_tile_A)
def _sliding_window_view_x(g, x_shape, window_shape, axis=None):
    numbers = np.arange(math.prod(x_shape)).reshape(x_shape)
    return put_back(g, np.lib.stride_tricks.sliding_window_view(numbers, window_shape, axis), x_shape)


defvjp(np.lib.stride_tricks.sliding_window_view, x=_sliding_window_view_x)
defvjp(np.repeat,     a=_repeat_a)
defvjp(np.resize,     a=_resize_a)
defvjp(np.delete,     arr=_delete_arr)
defvjp(np.insert,     arr=_insert_arr, values=_insert_values)
defvjp(np.trim_zeros, filt=_trim_zeros_filt)

# ---- Padding --------------------------------------------------------------------------------------------------------
# The stand-in pads one axis after the other, as NumPy does.


def _pairs(array, pad_width):
    """Return a pair of numbers for each axis: how many elements are added before, and after."""
    ndim = np.ndim(array)
    if isinstance(pad_width, dict):  # since NumPy 2.4; the keys are axes
        by_axis = {axis % ndim: width for axis, width in pad_width.items()}
        return [np.broadcast_to(by_axis.get(axis, 0), 2).tolist() for axis in range(ndim)]
    return np.broadcast_to(pad_width, (ndim, 2)).tolist()


_STATISTICS = {"maximum": np.amax, "minimum": np.amin, "mean": np.mean, "median": np.median}


def _padded(
    array, pad_width, mode="constant", stat_length=None, constant_values=0, end_values=0, reflect_type="even"
):
    if callable(mode):
        raise NotImplementedError("np.pad has no derivative if mode= is a function; join the parts with np.concatenate")
    if np.size(array) == 0 and mode != "constant":  # there is nothing to extend
        return np.pad(array, pad_width)
    mode = "constant" if mode == "empty" else mode
    values = constant_values if mode == "constant" else end_values
    values = np.broadcast_to(astype(values, np.result_type(array)), (np.ndim(array), 2))
    lengths = np.broadcast_to(stat_length, (np.ndim(array), 2))
    for axis, widths in enumerate(_pairs(array, pad_width)):
        rows = np.moveaxis(array, axis, 0)
        if mode == "constant":
            before, after = (np.broadcast_to(value, (n, *rows.shape[1:])) for value, n in zip(values[axis], widths))
            rows = np.concatenate([before, rows, after])
        elif mode == "linear_ramp":
            up, down = (np.arange(n) / max(n, 1) for n in widths)
            before = values[axis, 0] + _weighted(up, rows[:1] - values[axis, 0])
            after = values[axis, 1] + _weighted(down[::-1], rows[-1:] - values[axis, 1])
            rows = np.concatenate([before, rows, after])
        elif mode in _STATISTICS:
            n = len(rows)
            first, last = (n if length is None else min(int(length), n) for length in lengths[axis])
            ends = [_STATISTICS[mode](part, axis=0, keepdims=True) for part in (rows[:first], rows[n - last:])]
            rows = np.concatenate([np.repeat(ends[0], widths[0], axis=0), rows, np.repeat(ends[1], widths[1], axis=0)])
        elif reflect_type == "odd" and mode in ("reflect", "symmetric") and len(rows) > 1:
            rows = _oddly_reflected(rows, widths, mode)
        else:
            rows = rows[np.pad(np.arange(len(rows)), widths, mode)]
        array = np.moveaxis(rows, 0, axis)
    return array


def _oddly_reflected(rows, widths, mode):
    """Pad with ``reflect_type="odd"``. Each new row is a linear combination of three rows.

    These are the first row, the last row, and the row that is reflected. Padding unit vectors gives the weights of the
    first row and of the last row. The three weights of each new row sum to 1, which gives the third one.
    """
    n = len(rows)
    own = np.pad(np.arange(n), widths, mode)
    of_first = np.pad(1.0 * (np.arange(n) == 0), widths, mode, reflect_type="odd")
    of_last = np.pad(1.0 * (np.arange(n) == n - 1), widths, mode, reflect_type="odd")
    of_own = np.where((own > 0) & (own < n - 1), 1 - of_first - of_last, 0)
    return _weighted(of_own, rows[own]) + _weighted(of_first, rows[:1]) + _weighted(of_last, rows[-1:])


def _weighted(weights, rows):
    """Multiply each row by its weight."""
    return np.reshape(weights, (-1, *[1] * (np.ndim(rows) - 1))).astype(np.result_type(rows)) * rows


defstandin(np.pad, _padded, "array", "constant_values", "end_values")

# ---- Several arrays -------------------------------------------------------------------------------------------------


def _cut(g, lengths, shapes, axis=0):
    """Cut `g` along an axis into parts of those lengths, and give each part its shape."""
    ends = accumulate(lengths)
    return [np.reshape(g[along(axis, slice(end - n, end))], shape) for end, n, shape in zip(ends, lengths, shapes)]


@sequence
def _concatenate_arrays(g, arrays_shape, axis=0, dtype=None, casting=None):
    return _cut(g, [length(shape, axis) for shape in arrays_shape], arrays_shape, 0 if axis is None else axis % g.ndim)


@sequence
def _stack_arrays(g, arrays_shape, axis=0, dtype=None, casting=None):
    before = axis % g.ndim
    return [g[along(before, i)] for i in range(len(arrays_shape))]


def _joined(form, axis):
    """Return the VJP of a function that brings arrays into a form, and then joins them along an axis.

    If the arrays have too few axes, the function joins them along the last one.
    """

    @sequence
    def vjp(g, tup_shape, dtype=None, casting=None):
        at = min(axis, g.ndim - 1)
        lengths = [form(np.broadcast_to(0, shape)).shape[at] for shape in tup_shape]
        return _cut(g, lengths, tup_shape, at)

    return vjp


defvjp(np.concatenate,  arrays=_concatenate_arrays)
defvjp(np.stack,        arrays=_stack_arrays)
defvjp(np.hstack,       tup=_joined(np.atleast_1d, 1))
defvjp(np.vstack,       tup=_joined(np.atleast_2d, 0))
defvjp(np.dstack,       tup=_joined(np.atleast_3d, 2))
defvjp(np.column_stack, tup=_joined(lambda a: a if a.ndim > 1 else np.atleast_2d(a).T, 1))
defvjp(np.append,
       arr=lambda g, arr_shape, axis=None: _concatenate_arrays(g, [arr_shape], axis)[0],
       values=lambda g, arr_shape, values_shape, axis=None: _concatenate_arrays(g, [arr_shape, values_shape], axis)[1])

# The blocks are in nested lists. When the arguments are bound, they are put into one list, because a VJP takes one list.


@sequence
def _block_arrays(g, arrays_shape, nesting=None):
    """Number the elements of all blocks, and put the numbers together as the blocks were. Sorting them undoes that."""
    sizes = [math.prod(shape) for shape in arrays_shape]
    numbers = _cut(np.arange(sum(sizes)), sizes, arrays_shape)
    in_order = np.ravel(g)[np.argsort(np.ravel(np.block(_nested(nesting, numbers))))]
    return _cut(in_order, sizes, arrays_shape)


def _nested(nesting, blocks):
    return [_nested(part, blocks) for part in nesting] if isinstance(nesting, list) else blocks[nesting]


def _flattened(blocks, into):
    """Append the blocks to the list `into`. Return the nested lists, with the number of each block in its place."""
    if isinstance(blocks, list):
        return [_flattened(block, into) for block in blocks]
    into.append(blocks)
    return len(into) - 1


def _in_one_list(given):
    """Return the arguments of a call, with all blocks in one list. ``nesting`` says how they were nested."""
    if find_tensor(given["arrays"]) is None:
        return given
    blocks = []
    return {"nesting": _flattened(given["arrays"], blocks), "arrays": blocks}


defvjp(np.block, _in_one_list, arrays=_block_arrays)

# ---- Results that are several arrays --------------------------------------------------------------------------------


@sequence
def _reshaped(g, arys_shape):
    return [np.reshape(one, shape) for one, shape in zip(g if isinstance(g, list) else [g], arys_shape)]


@sequence
def _meshgrid_xi(g, xi_shape, copy=True, sparse=False, indexing="xy"):
    """Each array was put along one axis, and repeated along all others. The cotangent is the sum over the others."""
    axes = list(range(len(xi_shape)))
    axes[:2] = axes[:2] if indexing == "ij" else axes[1::-1]
    return [
        np.reshape(np.sum(widened(one), axis=tuple(other for other in axes if other != axis)), shape)
        for one, shape, axis in zip(g, xi_shape, axes)
    ]


for at_least in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    defvjp(at_least, arys=_reshaped)
defvjp(np.broadcast_arrays, args=sequence(lambda g: g))
defvjp(np.meshgrid, xi=_meshgrid_xi)


def _array_split_ary(g, ary_shape, indices_or_sections, axis=0):
    numbers = np.arange(ary_shape[axis])
    taken = np.concatenate(np.array_split(numbers, indices_or_sections))
    joined = np.concatenate(g, axis=axis)
    # If the ends of the sections are not in order, sections overlap, or leave elements out.
    return joined if np.array_equal(numbers, taken) else put_back(joined, taken, ary_shape, axis)


def _hsplit_ary(g, ary_shape, indices_or_sections):
    return _array_split_ary(g, ary_shape, indices_or_sections, min(len(ary_shape), 2) - 1)


def _dsplit_ary(g, ary_shape, indices_or_sections):
    return _array_split_ary(g, ary_shape, indices_or_sections, 2)


defvjp(np.array_split, ary=_array_split_ary)
defvjp(np.split,       ary=_array_split_ary)
defvjp(np.hsplit,      ary=_hsplit_ary)
defvjp(np.vsplit,      ary=_array_split_ary)
defvjp(np.dsplit,      ary=_dsplit_ary)
if hasattr(np, "unstack"):  # since NumPy 2.1
    defvjp(np.unstack, x=lambda g, x_shape, axis=0: np.stack(g, axis=axis) if g else np.zeros(x_shape))

# ---- Arrays made of few numbers -------------------------------------------------------------------------------------


def _as_array(given):
    """Name a dtype. Then the result stays an array, even if `a` is a number of Python. So it can be written into."""
    return {"dtype": float} | {name: value for name, value in given.items() if value is not None}


# Their derivatives are zero, but they are not constants: their results are Tensors, so that Tensors can be written
# into them.
defvjp(np.zeros_like, _as_array, a=None)
defvjp(np.ones_like,  _as_array, a=None)
defvjp(np.empty_like, _as_array, prototype=None)
defvjp(np.full_like,  _as_array, a=None, fill_value=lambda g, dtype=None, order="K", shape=None: g)

# For t from 0 to 1,
#     linspace is (1 - t) start + t stop,
#     geomspace is start**(1 - t) stop**t,
#     logspace is base**((1 - t) start + t stop).


def _of_ends(g, num, endpoint, axis):
    """Return the cotangents of start and stop for the cotangent `g` of (1 - t) start + t stop."""
    g = widened(g)
    t = np.arange(num, dtype=np.real(np.zeros(0, np.result_type(g))).dtype) / max(num - 1 if endpoint else num, 1)
    t = np.reshape(t, (-1, *[1] * (np.ndim(g) - 1 - axis % max(np.ndim(g), 1))))
    return np.sum(g * (1 - t), axis=axis), np.sum(g * t, axis=axis)


def _linspace_ends(g, num, endpoint, retstep, axis):
    g, g_step = g if retstep else (g, 0)
    n = num - 1 if endpoint else num
    g_step = widened(g_step) / n if n > 0 else 0  # the step is (stop - start) / n
    of_start, of_stop = _of_ends(g, num, endpoint, axis)
    return of_start - g_step, of_stop + g_step


def _linspace_start(g, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    return _linspace_ends(g, num, endpoint, retstep, axis)[0]


def _linspace_stop(g, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    return _linspace_ends(g, num, endpoint, retstep, axis)[1]


def _geomspace_start(g, y, start, num=50, endpoint=True, dtype=None, axis=0):
    return _of_ends(g * y, num, endpoint, axis)[0] / start


def _geomspace_stop(g, y, stop, num=50, endpoint=True, dtype=None, axis=0):
    return _of_ends(g * y, num, endpoint, axis)[1] / stop


def _log(base):
    return np.log(base).item() if type(base) in (float, int) else np.log(base)  # of a Python number, a Python number


def _logspace_start(g, y, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    return _of_ends(g * y, num, endpoint, axis)[0] * _log(base)


def _logspace_stop(g, y, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    return _of_ends(g * y, num, endpoint, axis)[1] * _log(base)


def _logspace_base(g, y, start, stop, base, num=50, endpoint=True, dtype=None, axis=0):
    of_start, of_stop = _of_ends(g * y, num, endpoint, axis)
    return (of_start * start + of_stop * stop) / base


defvjp(np.linspace,  start=_linspace_start,  stop=_linspace_stop)
defvjp(np.geomspace, start=_geomspace_start, stop=_geomspace_stop)
defvjp(np.logspace,  start=_logspace_start,  stop=_logspace_stop, base=_logspace_base)

# ---- Not about values -----------------------------------------------------------------------------------------------

defconstant(np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj,
            np.result_type, np.array_repr, np.array_str, np.array2string, np.can_cast, np.may_share_memory, np.ix_,
            np.common_type, np.min_scalar_type, np.shares_memory, np.einsum_path, np.diag_indices_from,
            np.tril_indices_from, np.triu_indices_from, np.ravel_multi_index, np.unravel_index)
