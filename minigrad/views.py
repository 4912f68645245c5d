"""Which Tensors share memory: after ``row = y[0]``, writing into ``row`` writes into ``y``, and the other way round.

A Tensor that is a view remembers of which Tensor, and how it was taken (`View`). That Tensor may be a view too. The
last one, which is none, is the root. The root knows which of its views are alive. `inplace` goes by what is noted here.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable
from weakref import ref

import numpy as np
from numpy import ndarray

from . import guards
from .table import primitive


@primitive
def getitem(a: Any, index: Any) -> Any:
    """``a[index]``"""
    return (a if hasattr(a, "shape") else np.asarray(a))[index]


class View:
    """What is known of a Tensor that is a view of another.

    Attributes
    ----------
    origin, root : Tensor
        What it is a view of; and the last in the chain of origins.
    index
        It is ``origin[index]``, unless there is a
    call : callable or None
        It is ``call(origin)``.
    """

    __slots__ = ("origin", "root", "index", "call", "places")

    def __init__(self, origin: Any, root: Any, index: Any, call: Callable | None) -> None:
        self.origin, self.root, self.index, self.call = origin, root, index, call
        self.places: Any = None

    def of(self, origin: Any) -> Any:
        """The same view of another value."""
        return self.call(origin) if self.call else origin[self.index]


def note_view(t: Any, origin: Any, index: Any, call: Callable | None = None) -> None:
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


def note_views(result: Any, given: dict[str, Any], fun: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    """Remember of the results of a call which of them share memory with which of its arguments."""
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
    """Do what was done to a Tensor to another value."""
    result = fun(*_replaced(args, origin, value), **_replaced(kwargs, origin, value))
    return result if i is None else result[i]


def _replaced(argument: Any, origin: Any, value: Any) -> Any:
    return value if argument is origin else guards.within(argument, lambda member: _replaced(member, origin, value))


def tensors(value: Any) -> list:
    """The Tensors in a value, also those in lists, tuples and dicts."""
    if isinstance(value, guards.Guarded):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for member in members for tensor in tensors(member)]


def innermost(t: Any) -> Any:
    """The plain value: what is in a Tensor, or in the Tensor in that, and so on."""
    while isinstance(t, guards.Guarded):
        t = t.value
    return t
