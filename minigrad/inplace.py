"""Writing into a Tensor: ``t[i] = v``, ``t += u``, ``np.add.at(t, i, u)`` and ``np.add(a, b, out=t, where=mask)``.

No array is changed by any of them, for rules may have kept it. Instead the Tensor gets a new value, and with it the
node of the operation that made it: a copy of the old value with other elements at an index (`replace`).

Arrays can share memory: after ``row = y[0]``, writing into ``row`` writes into ``y``, and the other way round. So a
Tensor that is a view remembers of what (`View`), and the Tensor that all these views lead to, their root, knows which
of them are alive. When one of them is written into, the root gets a new value, and then the others do.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import ref

import numpy as np
from numpy import ndarray

from .engine import title
from .rules.indexing import replace, scatter

# ---- Views ----------------------------------------------------------------------------------------------------------


class View:
    """What is known of a Tensor that is a view of another.

    Attributes
    ----------
    origin, root : Tensor
        What it is a view of; and what that is a view of, and so on, to the last.
    index
        It is ``origin[index]``, or
    call : callable or None
        ``call(origin)``.
    """

    __slots__ = ("origin", "root", "index", "call", "_places")

    def __init__(self, origin: Any, root: Any, index: Any, call: Any) -> None:
        self.origin = origin
        self.root = root
        self.index = index
        self.call = call
        self._places: Any = None

    def of(self, origin: Any) -> Any:
        """The same view of another value."""
        return self.call(origin) if self.call else origin[self.index]

    def written(self, view: Any) -> Any:
        """The value of the origin, with another value of the view in it."""
        if not self.call:
            return replace(self.origin, self.index, view)
        if self._places is None:
            self._places = self._find_places(innermost(view))
        return replace(self.origin.ravel(), self._places, view).reshape(self.origin.shape)

    def _find_places(self, view: ndarray) -> ndarray:
        """Where the view's elements are among those of the origin: NumPy does the same with their numbers."""
        array = innermost(self.origin)
        numbers = np.empty_like(array, int)
        numbers[...] = np.arange(array.size).reshape(array.shape)
        places = self.call(numbers)
        if view.dtype != array.dtype or not isinstance(places, ndarray) or places.shape != view.shape:
            raise NotImplementedError("this view (of a real or imaginary part, or of several arrays) cannot be written into")
        return places.astype(int)  # astype makes floats of them


def note_view(t: Any, origin: Any, index: Any, call: Any = None) -> None:
    """Remember that a Tensor is a view of another."""
    family = origin.family
    root = family.root if type(family) is View else origin
    views = root.family
    if views is None:
        root.family = [ref(t)]
    else:
        if len(views) & (len(views) - 1) == 0:  # now and then, forget those that are gone
            views[:] = [view for view in views if view() is not None]
        views.append(ref(t))
    t.family = View(origin, root, index, call)


def note_views(results: list, arguments: list, fun: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    """Remember of the results of a call which of them share memory with which of its arguments."""
    for i, t in enumerate(results):
        array = innermost(t)
        for origin in arguments if type(array) is ndarray else ():
            its = innermost(origin)
            if array is its or type(its) is ndarray and array.base is not None and np.shares_memory(array, its):
                note_view(t, origin, None, partial(call_again, fun, args, kwargs, origin, i if len(results) > 1 else None))
                break


def call_again(fun: Any, args: tuple, kwargs: dict[str, Any], origin: Any, i: int | None, value: Any) -> Any:
    """Do what has been done to a Tensor to another value."""
    new_args = [_replaced(argument, origin, value) for argument in args]
    result = fun(*new_args, **{name: _replaced(argument, origin, value) for name, argument in kwargs.items()})
    return result if i is None else result[i]


def _replaced(argument: Any, origin: Any, value: Any) -> Any:
    if type(argument) is list or type(argument) is tuple:
        return type(argument)(_replaced(member, origin, value) for member in argument)
    return value if argument is origin else argument


# ---- Writing --------------------------------------------------------------------------------------------------------


def write(t: Any, index: Any, value: Any) -> None:
    """Do ``t[index] = value``."""
    array = _writable(t)
    family = getattr(value, "family", None)
    if type(family) is View and family.origin is t and _are_same(family.index, index):
        return  # to Python, y[i] += u is v = y[i]; v += u; y[i] = v: the last of it has been done
    _renew(t, replace(t, index, _fitting(t, array[index], value)))


def update(t: Any, result: Any) -> Any:
    """Return `t` with the result of an in-place operator in it, if it is an array. A number is replaced by another."""
    return _filled(t, result) if isinstance(innermost(t), ndarray) else result


def _filled(t: Any, result: Any) -> Any:
    """Put a new result into all of `t`, and return that."""
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


def update_at(ufunc: np.ufunc, t: Any, index: Any, *operands: Any) -> None:
    """Do ``ufunc.at(t, index, *operands)``: the operation in place, as often as the index names an element."""
    if not hasattr(t, "node"):
        raise NotImplementedError(
            f"np.{ufunc.__name__}.at was to write a value that is being differentiated into a plain array, which would "
            f"drop its derivative; write into np.zeros_like(x, shape=...), where x is being differentiated"
        )
    elements = np.arange(t.size).reshape(_writable(t).shape)[index]
    spread = [np.broadcast_to(_fitting(t, elements, operand), elements.shape) for operand in operands]
    if ufunc in (np.add, np.subtract):
        _renew(t, replace(t, ..., ufunc(t, scatter(spread, [index], t.shape))))
        return
    # The operation for each element's first turn, then for its second, and so on.
    where = elements.ravel()
    flat, spread, turns = t.ravel(), [operand.ravel() for operand in spread], _turns(where)
    for turn in range(turns.max(initial=-1) + 1):
        now = np.flatnonzero(turns == turn)
        flat = replace(flat, where[now], ufunc(flat[where[now]], *(operand[now] for operand in spread)))
    _renew(t, flat.reshape(t.shape))


def call_ufunc(ufunc: np.ufunc, inputs: tuple, out: Any = None, where: Any = True, dtype: Any = None) -> Any:
    """Do ``ufunc(*inputs, out=out, where=where, dtype=dtype)``.

    Where the condition does not hold, nothing is computed: `out` stays as it is there, and its derivative too.

    Raises
    ------
    NotImplementedError
        If the result would have to be written into a plain array.
    """
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not hasattr(target, "node"):
        raise NotImplementedError(
            f"the derivative of {title(ufunc)} does not support out=a, nor a += t, for a plain array a, which cannot hold "
            f"a value that is being differentiated; write a = a + t, or begin with a = np.zeros_like(t)"
        )
    if dtype is not None:
        for x in inputs:
            if hasattr(x, "dtype") and not np.can_cast(x.dtype, dtype, "same_kind"):
                raise TypeError(f"{title(ufunc)} with dtype={np.dtype(dtype)} cannot take a {x.dtype}")
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
    """For each number, how often it has come before."""
    order = np.argsort(numbers, kind="stable")
    turns = np.empty_like(order)
    turns[order] = np.arange(order.size) - np.searchsorted(numbers, numbers[order], sorter=order)
    return turns


def innermost(t: Any) -> Any:
    """The plain value: what is in a Tensor, or in the Tensor in that, and so on."""
    while hasattr(t, "node"):
        t = t.value
    return t


def _writable(t: Any) -> ndarray:
    """The array in a Tensor, if it may be written into."""
    array = innermost(t)
    if not isinstance(array, ndarray):
        raise TypeError("a number does not support item assignment, only an array does")
    if not array.flags.writeable:
        raise ValueError("assignment destination is read-only; write into a copy of it: t = t + 0")
    return array


def _are_same(a: Any, b: Any) -> bool:
    """Whether two indices are the same, of which the first is simple."""
    if type(a) is tuple and type(b) is tuple and len(a) == len(b):
        return all(map(_are_same, a, b))
    return type(a) is type(b) and type(a) is not tuple and a is not None and bool(a == b)


def _fitting(t: Any, target: Any, value: Any) -> Any:
    """A value in a form that can be written where `target` is."""
    if np.iscomplexobj(value) and t.dtype.kind != "c":
        raise TypeError("complex numbers were to be written into a real array, which would drop their imaginary parts")
    added = np.ndim(value) - np.ndim(target)
    return np.reshape(value, np.shape(value)[added:]) if added > 0 and set(np.shape(value)[:added]) == {1} else value


def _layout(array: Any) -> Any:
    """How the elements of an array lie in memory; None for a number."""
    if not isinstance(array, ndarray):
        return None
    return [stride for length, stride in zip(array.shape, array.strides) if length > 1] if array.size else []


def _renew(t: Any, new: Any) -> None:
    """Give a Tensor the value and the node of another, and with it its root and all views of that."""
    root, value = t, new
    while type(root.family) is View:
        root, value = root.family.origin, root.family.written(value)
    if _layout(innermost(value)) != _layout(innermost(root)):  # it decides what will be a view, and what a copy
        raise NotImplementedError("an array with this layout in memory cannot be written into; write into a copy: t = t + 0")
    changes = {id(root): (root, value)}  # all is computed before anything is changed, lest an error leave half of it
    for found in root.family or ():  # in the order in which they were made, so that origins come before their views
        view = found()
        if view is not None:
            changes[id(view)] = view, view.family.of(changes[id(view.family.origin)][1])
    for tensor, its in changes.values():
        tensor.value, tensor.node, tensor.level = its.value, its.node, its.level
