"""Writing into a Tensor: ``t[i] = v``, ``t += u``, ``np.add.at(t, i, u)`` and ``np.add(a, b, out=t, where=mask)``.

A write changes no array, because rules may have kept the array. Instead, the operation `replace` makes a copy of the old
value with other elements at an index. The Tensor gets this new value, and the node of the operation.

Arrays can share memory: the Tensor may be a view, or have views (see `views`). Then the root gets its new value first.
After it, each view of the root that is still alive gets its new value.
"""

from __future__ import annotations

from collections import deque
from itertools import starmap
from typing import Any, Callable

import numpy as np
from numpy import ndarray

from . import guards, operands
from .rules.indexing import replace, scatter
from .table import rule_of, ufunc_methods
from .tensor import Tensor, record
from .views import View, innermost

# ---- Writing --------------------------------------------------------------------------------------------------------


def write(t: Any, index: Any, value: Any) -> None:
    """Do ``t[index] = value``."""
    index, value = operands.admitted(_plain(index)), operands.admitted(value)
    array = _writable(t)
    family = getattr(value, "family", None)
    if type(family) is View and family.origin is t and _are_same(family.index, index):
        return  # Python runs y[i] += u as v = y[i]; v += u; y[i] = v. Here v is a view, and v += u has written into y
    _renew(t, replace(t, index, _fitting(t, array[index], value)))


def _plain(index: Any) -> Any:
    return innermost(index) if isinstance(index, Tensor) else operands.within(index, _plain)


def update(t: Any, result: Any) -> Any:
    """Finish an in-place operator. Write its result into `t` and return `t`; if `t` is a number, return the result."""
    return _filled(t, result) if isinstance(innermost(t), ndarray) else result


def _filled(t: Any, result: Any) -> Any:
    """Write a result into all of `t`, and return `t`."""
    array = _writable(t)
    if np.broadcast_shapes(np.shape(result), array.shape) != array.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {array.shape} doesn't match the broadcast shape {np.shape(result)}"
        )
    dtype = np.result_type(result)
    if not np.can_cast(dtype, array.dtype, "same_kind"):
        raise TypeError(f"a result of dtype {dtype} cannot be written into an array of dtype {array.dtype}")
    is_alike = type(result) is type(t) and (np.shape(result), dtype) == (array.shape, array.dtype)
    _renew(t, result if is_alike and _layout(innermost(result)) == _layout(array) else replace(t, ..., result))
    return t


def update_at(ufunc: np.ufunc, t: Any, index: Any, *values: Any) -> None:
    """Do ``ufunc.at(t, index, *values)``. If the index names an element twice, the operation is applied to it twice."""
    if not isinstance(t, Tensor):
        raise NotImplementedError(
            f"np.{ufunc.__name__}.at was to write a value that is being differentiated into a plain array, which would "
            f"drop its derivative; write into np.zeros_like(x, shape=...), where x is being differentiated"
        )
    index, values = operands.admitted(index), operands.admitted(values)
    elements = np.arange(t.size).reshape(_writable(t).shape)[index]
    spread = [np.broadcast_to(_fitting(t, elements, value), elements.shape) for value in values]
    if ufunc in (np.add, np.subtract):
        _renew(t, replace(t, ..., ufunc(t, scatter(spread, [index], t.shape))))
        return
    # If the index names an element twice, it has two turns. All first turns are done, then all second turns, and so on.
    where = elements.ravel()
    flat, spread, turns = t.ravel(), [operand.ravel() for operand in spread], _turns(where)
    for turn in range(turns.max(initial=-1) + 1):
        now = np.flatnonzero(turns == turn)
        flat = replace(flat, where[now], ufunc(flat[where[now]], *(operand[now] for operand in spread)))
    _renew(t, flat.reshape(t.shape))


def call_ufunc(ufunc: np.ufunc, *inputs: Any, out: Any = None, where: Any = True, dtype: Any = None, **others: Any) -> Any:
    """Do ``ufunc(*inputs, out=out, where=where, dtype=dtype)``.

    Where `where` is false, nothing is computed: these elements of `out` keep their values and their derivatives.

    Raises
    ------
    NotImplementedError
        If the result would have to be written into a plain array.
    """
    rule, inputs, where = rule_of(ufunc), operands.admitted(inputs), operands.admitted(where)
    if others or ufunc.nout > 1 or ufunc.signature or not (rule.vjps or rule.constant):
        options = {"out": (out, None), "where": (where, True), "dtype": (dtype, None)}
        return record(rule, inputs, others | {name: given for name, (given, default) in options.items() if given is not default})
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not isinstance(target, Tensor):
        raise NotImplementedError(
            f"the derivative of {rule.title} does not support out=a, nor a += t, for a plain array a, which cannot hold "
            f"a value that is being differentiated; write a = a + t, or begin with a = np.zeros_like(t)"
        )
    if dtype is not None:
        for x in inputs:
            if hasattr(x, "dtype") and not np.can_cast(x.dtype, dtype, "same_kind"):
                raise TypeError(f"{rule.title} with dtype={np.dtype(dtype)} cannot take a {x.dtype}")
        inputs = tuple(x.astype(dtype) if hasattr(x, "dtype") else x for x in inputs)
    if where is True:
        result = ufunc(*inputs)
        if target is None:
            return result
    else:
        mask = np.asarray(innermost(where), bool)
        shapes = [mask.shape, *map(np.shape, inputs), *([] if target is None else [target.shape])]
        mask = np.broadcast_to(mask, np.broadcast_shapes(*shapes))
        chosen = ufunc(*(np.broadcast_to(x, mask.shape)[mask] if np.shape(x) else x for x in inputs))
        if target is None:
            return replace(np.empty(mask.shape, chosen.dtype), mask, chosen)
        if mask.shape != target.shape:
            raise ValueError(f"non-broadcastable output operand with shape {target.shape} doesn't match {mask.shape}")
        result = replace(target, mask, chosen)
    return _filled(target, result)


def _turns(numbers: ndarray) -> ndarray:
    """Return, for each number, how many times it has occurred before."""
    order = np.argsort(numbers, kind="stable")
    turns = np.empty_like(order)
    turns[order] = np.arange(order.size) - np.searchsorted(numbers, numbers[order], sorter=order)
    return turns


def _writable(t: Any) -> ndarray:
    """Return the array in a Tensor. Raise if it may not be written into."""
    array = innermost(t)
    if not isinstance(array, ndarray):
        raise TypeError("a number does not support item assignment, only an array does")
    if not array.flags.writeable:
        raise ValueError("assignment destination is read-only; write into a copy of it: t = t + 0")
    return array


def _are_same(a: Any, b: Any) -> bool:
    """Return whether two indices are the same. The first one made a view, so it contains no array."""
    if type(a) is tuple and type(b) is tuple and len(a) == len(b):
        return all(map(_are_same, a, b))
    return type(a) is type(b) and type(a) is not tuple and a is not None and bool(a == b)


def _fitting(t: Any, target: Any, value: Any) -> Any:
    """Return a value in a shape that can be written into `target`. Raise if this would drop imaginary parts."""
    if np.iscomplexobj(value) and t.dtype.kind != "c":
        raise TypeError("complex numbers were to be written into a real array, which would drop their imaginary parts")
    added = np.ndim(value) - np.ndim(target)
    return np.reshape(value, np.shape(value)[added:]) if added > 0 and set(np.shape(value)[:added]) == {1} else value


def _layout(array: Any) -> Any:
    """Return how the elements of an array lie in memory. Return None for a number."""
    if not isinstance(array, ndarray):
        return None
    return [stride for length, stride in zip(array.shape, array.strides) if length > 1] if array.size else []


def _renew(t: Any, new: Any) -> None:
    """Give the Tensor `t` the value and the node of `new`. Its root, and all views of the root, change with it."""
    guards.check_thread(t.level)
    root, value = t, new
    while type(root.family) is View:
        root, value = root.family.origin, _written(root.family, value)
    if _layout(innermost(value)) != _layout(innermost(root)):  # the layout decides which operations return a view
        raise NotImplementedError("an array with this layout in memory cannot be written into; write into a copy: t = t + 0")
    changes = {id(root): (root, value)}  # compute everything before anything changes: an error must not stop halfway
    for found in root.family or ():  # the oldest first, so that an origin comes before its views
        view = found()
        if view is not None:
            changes[id(view)] = view, view.family.of(changes[id(view.family.origin)][1])
    names = ("value", "node", "level")
    settings = [(tensor, name, getattr(changed, name)) for tensor, changed in changes.values() for name in names]
    deque(starmap(setattr, settings), maxlen=0)  # one step of the interpreter: no interrupt comes in between, as in a loop


def _written(view: View, value: Any) -> Any:
    """Return the origin of a view, with a new value in the place of the view."""
    if not view.call:
        return replace(view.origin, view.index, value)
    if view.places is None:
        view.places = _find_places(view, innermost(value))
    return replace(view.origin.ravel(), view.places, value).reshape(view.origin.shape)


def _find_places(view: View, value: ndarray) -> ndarray:
    """Return the places of a view's elements in the origin: the same view of an array that holds 0, 1, 2, and so on."""
    array = innermost(view.origin)
    numbers = np.empty_like(array, int)
    numbers[...] = np.arange(array.size).reshape(array.shape)
    places = view.of(numbers)
    if value.dtype != array.dtype or not isinstance(places, ndarray) or places.shape != value.shape:
        raise NotImplementedError("this view (of a real or imaginary part, or of several arrays) cannot be written into")
    return places.astype(int)  # if the view comes from astype, the numbers are floats


# ---- The methods of Tensors -----------------------------------------------------------------------------------------


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    """Return the method for ``a *= b``. It uses the method for ``a * b``."""

    def method(self: Tensor, other: Any) -> Any:
        result = getattr(self, f"__{name}__")(other)
        return result if result is NotImplemented else update(self, result)

    return method


Tensor.__setitem__ = write  # type: ignore[attr-defined]
for _name in "add sub mul truediv floordiv mod pow matmul".split():
    setattr(Tensor, f"__i{_name}__", _in_place(_name))
ufunc_methods.update({"__call__": call_ufunc, "at": update_at})
