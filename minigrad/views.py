"""Which Tensors share memory: after ``row = y[0]``, writing into ``row`` writes into ``y``, and the other way round.

A Tensor that is a view of another Tensor has a `View`. The `View` says which Tensor the other one is (the origin), and how
the view was taken. The origin may be a view too. If you go from origin to origin, you end at a Tensor that is not a
view: the root. The root has a list of its views that are still alive. `inplace` uses these notes.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable
from weakref import ref

import numpy as np
from numpy import ndarray

from . import guards, operands
from .table import primitive


@primitive
def getitem(a: Any, index: Any) -> Any:
    """``a[index]``"""
    return (a if hasattr(a, "shape") else np.asarray(a))[index]


class View:
    """How a Tensor is a view of another Tensor.

    Attributes
    ----------
    origin : Tensor
        The view was taken of this Tensor.
    root : Tensor
        The last Tensor in the chain of origins. It is not a view.
    index
        If `call` is None, the view is ``origin[index]``.
    call : callable or None
        If it is not None, the view is ``call(origin)``.
    """

    __slots__ = ("origin", "root", "index", "call", "places")

    def __init__(self, origin: Any, root: Any, index: Any, call: Callable | None) -> None:
        self.origin, self.root, self.index, self.call = origin, root, index, call
        self.places: Any = None

    def of(self, origin: Any) -> Any:
        """Take the same view of another value."""
        return self.call(origin) if self.call else origin[self.index]


def note_view(t: Any, origin: Any, index: Any, call: Callable | None = None) -> None:
    """Remember that a Tensor is a view of another."""
    family = origin.family
    root = family.root if type(family) is View else origin
    views = root.family
    if views is None:
        with guards.changing:
            views = root.family = [] if root.family is None else root.family
    elif len(views) & (len(views) - 1) == 0:  # now and then, drop the views that no longer exist
        with guards.changing:
            n = len(views)  # another thread may append more
            views[:n] = [view for view in views[:n] if view() is not None]
    views.append(ref(t))
    t.family = View(origin, root, index, call)


def note_views(result: Any, given: dict[str, Any], fun: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    """Remember which results of a call share memory with which of its arguments."""
    results = tensors(result)
    for i, t in enumerate(results):
        array = innermost(t)
        for origin in tensors(given) if isinstance(array, ndarray) else ():
            other = innermost(origin)
            if array is other or isinstance(other, ndarray) and array.base is not None and np.shares_memory(array, other):
                call = partial(call_again, fun, args, kwargs, origin, i if len(results) > 1 else None)
                note_view(t, origin, *((args[1],) if fun is getitem else (None, call)))
                break


def call_again(fun: Any, args: tuple, kwargs: dict[str, Any], origin: Any, i: int | None, value: Any) -> Any:
    """Repeat a call with another value in place of the Tensor `origin`."""
    result = fun(*_replaced(args, origin, value), **_replaced(kwargs, origin, value))
    return result if i is None else result[i]


def _replaced(argument: Any, origin: Any, value: Any) -> Any:
    return value if argument is origin else operands.within(argument, lambda member: _replaced(member, origin, value))


def tensors(value: Any) -> list:
    """Return the Tensors in a value. It may be a Tensor, or a list, tuple or dict of values."""
    if isinstance(value, operands.Guarded):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for member in members for tensor in tensors(member)]


def innermost(t: Any) -> Any:
    """Return the plain value in a Tensor. If there is another Tensor in it, go on to the value in that one."""
    while isinstance(t, operands.Guarded):
        t = t.value
    return t
