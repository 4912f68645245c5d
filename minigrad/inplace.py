"""Writing into a Tensor: ``t[i] = v`` and ``t += u``. The ufuncs that write into one are in `ufunc_calls`.

A write changes no array, because rules may have kept the array. Instead, the operation `replace` makes a copy of the old
value with other elements at an index. The Tensor gets this new value, and the node of the operation.

Arrays can share memory: the Tensor may be a view, or have views (see `views`). Then the root gets its new value first.
After it, each view of the root that touches what was written gets its new value.
"""

from __future__ import annotations

import sys
from collections import deque
from contextlib import contextmanager
from itertools import starmap
from opcode import opmap
from typing import Any, Callable, Iterator

import numpy as np
from numpy import ndarray

from . import guards, memory, operands
from .graph import Level, describe, node_numbers
from .memory import innermost
from .rules.indexing import replace
from .tensor import Tensor
from .views import View, placed, replaced, taken, tensors

# ---- Writing --------------------------------------------------------------------------------------------------------


def write(t: Any, index: Any, value: Any) -> None:
    """Do ``t[index] = value``."""
    index, value = operands.admitted(_plain(index, memory.undifferentiated)), operands.admitted(value)
    where = _plain(index, innermost)  # the same, unless it is a value of a program that is being recorded
    array, family = innermost(t), getattr(value, "family", None)
    if type(family) is View and isinstance(array, ndarray):
        root, place = placed(t)
        if family.root is root:
            target = array[where]
            if np.may_share_memory(target, array) and family.place.same_as(place.inside(array, target)):
                return  # Python runs y[i] += u as v = y[i]; v += u; y[i] = v. Here v is a view, and v += u has written into y
            _refuse_swap(sys._getframe(1))
    target = writable(t)[where]
    new = replace(t, index, fitting(t, target, value))
    if t.family is not None and not isinstance(target, ndarray):  # a single element, as an array of no axes
        target = array[(*(where if isinstance(where, tuple) else (where,)), ...)]
    renew(t, new, None if tensors(index) else target)


def _refuse_swap(frame: Any) -> None:
    """Raise if a program in C does this write, and not the line of Python in the frame.

    NumPy's `shuffle` swaps rows, x[i], x[j] = x[j], x[i]. If rows are views, both are then the same.
    """
    if frame.f_code.co_code[frame.f_lasti] not in (opmap["STORE_SUBSCR"], opmap.get("STORE_SLICE")):
        raise NotImplementedError("a function in C, like shuffle, cannot move rows of a Tensor; write t = t[rng.permutation(len(t))]")


def _plain(index: Any, value_of: Callable) -> Any:
    return value_of(index) if isinstance(index, Tensor) else operands.within(index, lambda part: _plain(part, value_of))


def filled(t: Any, result: Any) -> Any:
    """Write a result into all of `t`, and return `t`."""
    array = writable(t)
    shape, kind = describe(result)
    if shape != array.shape and np.broadcast_shapes(shape, array.shape) != array.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {array.shape} doesn't match the broadcast shape {shape}"
        )
    if not np.can_cast(kind, array.dtype, "same_kind"):
        raise TypeError(f"a result of dtype {np.dtype(kind)} cannot be written into an array of dtype {array.dtype}")
    is_alike = type(result) is type(t) and (shape, kind) == (array.shape, array.dtype)
    renew(t, result if is_alike else replace(t, ..., result))
    return t


def writable(t: Any) -> ndarray:
    """Return the array in a Tensor. Raise if it may not be written into."""
    array = innermost(t)
    if not isinstance(array, ndarray):
        raise TypeError("a number does not support item assignment, only an array does")
    if not memory.is_writable(array):
        raise ValueError("assignment destination is read-only; write into a copy of it: t = t + 0")
    return array


def fitting(t: Any, target: Any, value: Any) -> Any:
    """Return a value in a shape that can be written into `target`. Raise if this would drop imaginary parts."""
    if np.iscomplexobj(value) and t.dtype.kind != "c":
        raise TypeError("complex numbers cannot be written into a real array, which would drop their imaginary parts")
    added = np.ndim(value) - np.ndim(target)
    return np.reshape(value, np.shape(value)[added:]) if added > 0 and set(np.shape(value)[:added]) == {1} else value


def _lies_like(t: Any, array: ndarray) -> bool:
    """Whether the array in a Tensor has the layout of another. The layout decides which operations return a view."""
    other = innermost(t)
    if not isinstance(other, ndarray):
        return False
    return all(n == 1 or one == another for n, one, another in zip(array.shape, array.strides, other.strides))


def renew(t: Any, new: Any, target: ndarray | None = None) -> None:
    """Give the Tensor `t` the value and the node of `new`. Its root, and all views that touch what was written, change too.

    `target` is the part of t's array that was written. Without it, all of the array was written.
    """
    guards.check_thread(t.level)
    array = innermost(t)
    if not (array if target is None else target).size:
        return
    root = t.family.root if type(t.family) is View else t
    if root.node.number > root.level.oldest_writable:
        raise NotImplementedError("a checkpointed function may not write into a value from outside; pass it, and return the new one")
    changes = [(t, new)]  # compute everything before anything changes: an error must not stop halfway
    is_alike = _lies_like(new, array)
    if t.family is not None or not is_alike:
        place = placed(t)[1]
        value = new if root is t and is_alike else replaced(root, place, new)
        changes = [(root, value), (t, new if is_alike else taken(value, place))]
        if root.family is not None:
            is_part = target is not None and np.may_share_memory(target, array)
            others = root.family.others(t, place.inside(array, target) if is_part else place, innermost(root))
            changes += [(view, taken(value, view.family.place)) for view in others]
    settings = [(tensor, name, getattr(new, name)) for tensor, new in changes for name in ("value", "node", "level")]
    deque(starmap(setattr, settings), maxlen=0)  # one step of the interpreter: an interrupt could stop a loop halfway


@contextmanager
def only_new_values(level: Level) -> Iterator[None]:
    """Within this context, Tensors of a level can be written into only if they were made within it."""
    before = level.oldest_writable
    level.oldest_writable = next(node_numbers)
    try:
        yield
    finally:
        level.oldest_writable = before


# ---- The methods of Tensors -----------------------------------------------------------------------------------------


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    """Return the method for ``a *= b``. It uses the method for ``a * b``."""

    def method(self: Tensor, other: Any) -> Any:
        result = getattr(self, f"__{name}__")(other)
        if result is NotImplemented or not isinstance(innermost(self), ndarray):
            return result  # a number cannot be written into: the variable gets the result
        return filled(self, result)

    return method


Tensor.__setitem__ = write
for _name in "add sub mul truediv floordiv mod pow matmul".split():
    setattr(Tensor, f"__i{_name}__", _in_place(_name))
