"""Copies of values, in the same memory layout, so that they stay as they were. And what shares memory with what.

A rule keeps values until the backward pass, and the user may write into arrays meanwhile. So what a rule keeps is copied, with
`to_keep`. What functions of the user get and return is copied or made read-only, unless NumPy would share memory there too.
"""

from __future__ import annotations

from array import array as buffer
from collections import UserList, deque
from copy import deepcopy
from typing import Any, Iterator

import numpy as np
from numpy import ndarray
from numpy.lib.array_utils import byte_bounds

from .operands import Guarded, within


# ---- Copies ---------------------------------------------------------------------------------------------------------


def to_keep(value: Any) -> Any:
    """Return what a rule can keep of an argument. It stays the same if the user writes into the argument later.

    All arrays in the argument are copied, with one exception. An array that is read-only and is not a view is trusted: it
    is kept as it is. So a program that makes its data read-only saves a copy of them in every step. Such an array can still
    change in two ways: through a view that was taken before it became read-only, and when its flag is set back. Neither is
    detected, and then the derivative is wrong.
    """
    if isinstance(value, ndarray) and value.base is None and not value.flags.writeable:
        return value
    return within(value, to_keep) if isinstance(value, (list, tuple, dict, slice)) else own(value)


def own(value: Any) -> Any:
    """Return a value with copies in place of its arrays, Tensors, and containers. Nobody else can write into them."""
    if isinstance(value, ndarray):
        return copied(value)
    if isinstance(value, COPIED_WHOLE):
        return deepcopy(value)
    return value.snapshot() if isinstance(value, Guarded) else within(value, own)


COPIED_WHOLE = (set, bytearray, buffer, deque, UserList)


def own_all(values: list) -> list:
    """Return copies of values, as `own` does. Where arrays share memory, their copies share memory in the same way."""
    arrays = {i: v for i, v in enumerate(values) if isinstance(v, ndarray) and v.size and not v.dtype.hasobject}
    groups: list[list[int]] = []  # the numbers of arrays whose stretches of memory overlap
    end = 0
    for low, high, i in sorted((*byte_bounds(array), i) for i, array in arrays.items()):
        if not groups or low >= end:
            groups.append([])
        groups[-1].append(i)
        end = max(end, high)
    copies = {}
    for group in groups:
        if len(group) > 1:
            low = min(byte_bounds(arrays[i])[0] for i in group)
            block = np.empty(max(byte_bounds(arrays[i])[1] for i in group) - low, np.uint8)
            for i in group:
                array = arrays[i]
                copy = ndarray(array.shape, array.dtype, block, array.__array_interface__["data"][0] - low, array.strides)
                copy[...] = array
                copy.flags.writeable = not _overlaps_itself(copy)
                copies[i] = copy
    return [copies[i] if i in copies else own(value) for i, value in enumerate(values)]


def copied(array: ndarray) -> ndarray:
    """Return a copy with the memory layout of the array: the same order of axes, the same direction, gaps in the same places.

    So the elements come in the same order for every value of NumPy's ``order=``. `ravel` and `reshape` return a view of the
    copy if they return a view of the array. A broadcast array stays broadcast and read-only. Large gaps become small.
    """
    if array.dtype.hasobject:
        return deepcopy(array)  # the objects may be arrays too
    shape = array.shape
    if 0 in array.strides and array.size:
        array = array[tuple([slice(1) if stride == 0 else slice(None) for stride in array.strides])]
    copy = array.copy("K")
    if copy.strides != array.strides and copy.size:
        strides = _with_small_gaps(array)
        if any(n > 1 and a != b for n, a, b in zip(array.shape, strides, copy.strides)):
            copy = with_strides(array.shape, strides, array.dtype)
            copy[...] = array
            copy.flags.writeable = not _overlaps_itself(array)
    return copy if copy.shape == shape else np.broadcast_to(copy, shape)


# ---- What shares memory ---------------------------------------------------------------------------------------------


def is_of_constant(result: Any, args: Any, level: Any) -> bool:
    """Return whether a result is an argument that is a constant to the level, or a view of one.

    `numpy.broadcast_arrays` and `numpy.histogram` have such results. They have no derivative. The caller gets them as they
    are, so that they change with the argument, as in NumPy.
    """
    origins = _origins(result, args)
    return bool(origins) and not _has_variable(origins, level)


def result_to_keep(result: Any, args: Any, level: Any) -> Any:
    """Return what a rule can keep of a result. A new array does not change, but one of several results may be a constant."""
    if not isinstance(result, (list, tuple)):
        return result
    return within(result, lambda member: to_keep(member) if is_of_constant(member, args, level) else member)


def apart(result: Any, args: Any, level: Any, constants_stay: bool = False) -> Any:
    """Return the result of a function of the user. It is copied, because the function may keep it and write into it later.

    A view of a Tensor of the level stays one. So does a view of a constant, if `constants_stay`. Otherwise its copy is
    read-only, because NumPy would write into the constant too.
    """
    leaves = _leaves(result)
    origins = [_origins(leaf, args) for leaf in leaves]
    stays = [_has_variable(found, level) or (constants_stay and bool(found)) for found in origins]
    copies = own_all([None if is_kept else leaf for leaf, is_kept in zip(leaves, stays)])
    parts = iter([
        leaf if is_kept else read_only(copy) if found else copy
        for leaf, is_kept, found, copy in zip(leaves, stays, origins, copies)
    ])
    return _with_leaves(result, parts)


def was_used(constant: Any, before: Any, results: list) -> bool:
    """Return whether a function wrote into a constant, or returned a view of it. `before` is a copy of the constant."""
    if isinstance(constant, Guarded):
        has_changed = constant.node is not before.node
    else:
        has_changed = constant.tobytes() != before.tobytes() if isinstance(constant, ndarray) else (
            isinstance(constant, COPIED_WHOLE) and constant != before
        )
    return has_changed or any(_origins(result, [constant]) for result in results)


def _origins(result: Any, args: Any) -> list:
    """Return the arguments of a call that share memory with a result."""
    array = innermost(result)
    return [leaf for leaf in _leaves(args) if share_memory(array, innermost(leaf))] if isinstance(array, ndarray) else []


def _has_variable(leaves: list, level: Any) -> bool:
    return any(isinstance(leaf, Guarded) and leaf.level is level for leaf in leaves)


def _leaves(value: Any) -> list:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return [value] if members is None else [leaf for member in members for leaf in _leaves(member)]


def _with_leaves(value: Any, leaves: Iterator) -> Any:
    """Return a value with other leaves, in the order of `_leaves`."""
    is_container = isinstance(value, (list, tuple, dict))
    return within(value, lambda member: _with_leaves(member, leaves)) if is_container else next(leaves)


def innermost(t: Any) -> Any:
    """Return the plain value in a Tensor. If there is another Tensor in it, go on to the value in that one."""
    while isinstance(t, Guarded):
        t = t.value
    return t


def undifferentiated(t: Any) -> Any:
    """Return the value in a Tensor that is being differentiated. A Tensor whose level only records a program stays as it is."""
    while isinstance(t, Guarded) and t.level.differentiates:
        t = t.value
    return t


def share_memory(array: ndarray, other: Any) -> bool:
    """Return whether a result shares memory with another value."""
    return array is other or isinstance(other, ndarray) and array.base is not None and np.shares_memory(array, other)


# ---- Layouts --------------------------------------------------------------------------------------------------------


def _with_small_gaps(array: ndarray) -> list[int]:
    """Return strides for which an array has gaps in the same places, each as large as one element."""
    end = new_end = size = array.itemsize  # where the elements along the inner axes end, in the array and in the copy
    strides = list(array.strides)
    for axis in sorted(range(array.ndim), key=lambda axis: (abs(strides[axis]), -axis)):
        n, stride = array.shape[axis], strides[axis]
        if n > 1:
            new = new_end if abs(stride) == end else new_end + size
            strides[axis] = new if stride > 0 else -new
            end, new_end = n * abs(stride), n * new
    return strides


def with_strides(shape: tuple, strides: list[int], dtype: Any) -> ndarray:
    """Return a new array with these strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    moves = [(n - 1) * stride for n, stride in zip(shape, strides)]
    buffer = np.empty(1 + sum(map(abs, moves)) // dtype.itemsize, dtype)
    return ndarray(shape, dtype, buffer, -sum(min(0, move) for move in moves), strides)


def span(array: ndarray) -> ndarray:
    """Return the memory that an array spans, from its lowest element to its highest, as an array without gaps."""
    if array.flags.c_contiguous or not array.size:
        return array
    lowest = array[tuple([slice(None, None, -1 if stride < 0 else 1) for stride in array.strides])]
    n = 1 + sum((n - 1) * stride for n, stride in zip(lowest.shape, lowest.strides)) // array.itemsize
    return np.lib.stride_tricks.as_strided(lowest, (n,), (array.itemsize,))


# ---- What may be written into ---------------------------------------------------------------------------------------


def is_writable(array: ndarray) -> bool:
    """Whether an array may be written into. In an array that overlaps itself, a write into an element would change others."""
    flags = array.flags
    return bool(flags.num & 0x400) and (flags.forc or not _overlaps_itself(array))  # after np.broadcast_arrays, flags.writeable warns


def _overlaps_itself(array: ndarray) -> bool:
    end = array.itemsize
    for stride, n in sorted((abs(stride), n) for stride, n in zip(array.strides, array.shape) if n > 1):
        if stride < end:
            return array.size > 0
        end += (n - 1) * stride
    return False


def locked(value: Any) -> Any:
    """Return a value with read-only views in place of its arrays, for a function that must not write into them."""
    if isinstance(value, ndarray):
        value = value.view()
        value.flags.writeable = False
        return value
    return within(value, locked)


def read_only(value: Any) -> Any:
    """Do the same as `locked` for a number, an array, or a Tensor."""
    kind: Any = type(value)
    return kind(read_only(value.value), value.node, value.level) if isinstance(value, Guarded) else locked(value)
