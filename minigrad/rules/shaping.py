"""Moving elements about, copying them, and joining arrays."""

import math
from itertools import accumulate
from typing import Literal

import numpy as np

from ..methods import astype
from ..table import defconstant, defvjp, find_tensor, primitive, sequence
from .composition import defstandin
from .indexing import scatter

# ---- One array ------------------------------------------------------------------------------------------------------

# The orders A and K depend on how the array lies in memory. When they are bound to their names, it is put in words: as
# C or F, or, where there is no such word, as the axes from the outermost to the innermost.


def _reshape_a(g, a_shape, shape=None, newshape=None, order: Literal["C", "F"] = "C", copy=None):
    return np.reshape(g, a_shape, order=order)


def _ravel_a(g, a_shape, order="C"):
    if isinstance(order, str):
        return np.reshape(g, a_shape, order=order)
    return np.transpose(np.reshape(g, [a_shape[i] for i in order]), _inverse(order))


def _inverse(permutation):
    return tuple(np.argsort([i % len(permutation) for i in permutation]))


@primitive
def in_memory(a, order):
    """What the order A or K means for an array."""
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
    """The arguments of a call, without the orders A and K."""
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


defvjp(astype, x=lambda g, dtype, casting="unsafe": g)
defvjp(np.astype, x=lambda g, dtype, copy=True, device=None: g)

# ---- Repeating elements, and leaving some out -----------------------------------------------------------------------
# Which elements these are is asked of NumPy: it does the same to their numbers.


def along(axis, index):
    """The index of a part along one axis."""
    return (*(slice(None),) * axis, index)


def length(shape, axis):
    """The number of elements along an axis; of all elements, if there is no axis."""
    return math.prod(shape) if axis is None else shape[axis]


def put_back(g, numbers, shape, axis=None):
    """The cotangent of an array, of which the elements with those numbers were taken (along an axis, or of all)."""
    if axis is None:
        return np.reshape(scatter([g], [numbers], (math.prod(shape),)), shape)
    return scatter([g], [along(axis % len(shape), numbers)], shape)


def _tile_A(g, A_shape, reps):
    """The sum over the copies: g, with an axis for the copies before each axis of A."""
    reps = np.atleast_1d(reps).tolist()
    ndim = max(len(reps), len(A_shape))
    pairs = zip((1,) * (ndim - len(reps)) + tuple(reps), (1,) * (ndim - len(A_shape)) + A_shape)
    copies = np.reshape(g, [n for pair in pairs for n in pair])
    return np.reshape(np.sum(copies, axis=tuple(range(0, 2 * ndim, 2))), A_shape)


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
    """All axes are trimmed, or those that are named, to what is not zero in any of the others."""
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
defvjp(np.repeat,     a=_repeat_a)
defvjp(np.resize,     a=_resize_a)
defvjp(np.delete,     arr=_delete_arr)
defvjp(np.insert,     arr=_insert_arr, values=_insert_values)
defvjp(np.trim_zeros, filt=_trim_zeros_filt)

# ---- Padding --------------------------------------------------------------------------------------------------------
# But for the simplest case, the derivative is that of a composition: one axis is padded after the other.


def _pairs(array, pad_width):
    """How many elements are added before and after, along each axis."""
    ndim = np.ndim(array)
    if isinstance(pad_width, dict):  # since NumPy 2.4: axis to a number or a pair
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
    """Each row is plus or minus one of its own, and so much of the first and the last: unit vectors tell how much."""
    n = len(rows)
    own = np.pad(np.arange(n), widths, mode)
    of_first = np.pad(1.0 * (np.arange(n) == 0), widths, mode, reflect_type="odd")
    of_last = np.pad(1.0 * (np.arange(n) == n - 1), widths, mode, reflect_type="odd")
    of_own = np.where((own > 0) & (own < n - 1), 1 - of_first - of_last, 0)
    return _weighted(of_own, rows[own]) + _weighted(of_first, rows[:1]) + _weighted(of_last, rows[-1:])


def _weighted(weights, rows):
    """Each row times its weight."""
    return np.reshape(weights, (-1, *[1] * (np.ndim(rows) - 1))).astype(np.result_type(rows)) * rows


defstandin(np.pad, _padded, "array", "constant_values", "end_values")

# ---- Several arrays -------------------------------------------------------------------------------------------------


def _cut(g, lengths, shapes, axis=0):
    """The parts of g that have those lengths along an axis, in those shapes."""
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
    """The VJP of a function that brings arrays into a form, and then joins them: along that axis, or along the last."""

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

# The blocks are in lists of lists. When they are bound to their name, these are flattened.


@sequence
def _block_arrays(g, arrays_shape, nesting=None):
    """The elements of g in their old order, which is that of their numbers."""
    sizes = [math.prod(shape) for shape in arrays_shape]
    numbers = _cut(np.arange(sum(sizes)), sizes, arrays_shape)
    in_order = np.ravel(g)[np.argsort(np.ravel(np.block(_nested(nesting, numbers))))]
    return _cut(in_order, sizes, arrays_shape)


def _nested(nesting, blocks):
    return [_nested(part, blocks) for part in nesting] if isinstance(nesting, list) else blocks[nesting]


def _flattened(blocks, into):
    """Put the blocks into one list; return the lists they were in, with the numbers of the blocks instead."""
    if isinstance(blocks, list):
        return [_flattened(block, into) for block in blocks]
    into.append(blocks)
    return len(into) - 1


def _in_one_list(given):
    """The arguments of a call, with all blocks in one list, and with what tells how they were nested."""
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
    """Each array was laid along an axis of its own, and repeated along all others."""
    axes = list(range(len(xi_shape)))
    axes[:2] = axes[:2] if indexing == "ij" else axes[1::-1]
    return [
        np.reshape(np.sum(one, axis=tuple(other for other in axes if other != axis)), shape)
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
    # Sections whose ends are out of order overlap, or leave something out.
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

# Their derivatives are zero. But they are Tensors, into which other Tensors can be written.
defvjp(np.zeros_like, a=None)
defvjp(np.ones_like,  a=None)
defvjp(np.empty_like, prototype=None)
defvjp(np.full_like,  a=None, fill_value=lambda g, dtype=None, order="K", shape=None: g)

# With t between 0 and 1, linspace is (1 - t) start + t stop; geomspace, and logspace of the base, are powers with such
# exponents: start**(1-t) stop**t, and base**((1 - t) start + t stop).


def _of_ends(g, num, endpoint, axis):
    """The cotangents of start and stop, from that of (1 - t) start + t stop."""
    t = np.arange(num, dtype=np.real(np.zeros(0, np.result_type(g))).dtype) / max(num - 1 if endpoint else num, 1)
    t = np.reshape(t, (-1, *[1] * (np.ndim(g) - 1 - axis % max(np.ndim(g), 1))))
    return np.sum(g * (1 - t), axis=axis), np.sum(g * t, axis=axis)


def _linspace_ends(g, num, endpoint, retstep, axis):
    g, g_step = g if retstep else (g, 0)
    n = num - 1 if endpoint else num
    g_step = g_step / n if n > 0 else 0  # the step is (stop - start) / n
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
    return np.log(base).item() if type(base) in (float, int) else np.log(base)  # as weak as it is


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
