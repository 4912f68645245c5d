"""Which Tensors share memory, and where: after ``row = y[0]``, writing into ``row`` writes into ``y``, and the other way round.

A Tensor is a view if its array lies in the memory of another Tensor's array. That Tensor may be a view too. At the end there
is a Tensor that is not a view: the root. The root has a list of its views that are still alive.

A `Place` says where a view lies in its root. It comes from the addresses of the arrays, so it does not matter which function
made the view. A write gives the root a new array, in which everything lies at the same place as in the old one.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np
from numpy import ndarray

from . import guards, memory, operands
from .memory import innermost
from .table import defvjp, primitive


@primitive
def getitem(a: Any, index: Any) -> Any:
    """``a[index]``"""
    return (a if hasattr(a, "shape") else np.asarray(a))[index]


# ---- Places ---------------------------------------------------------------------------------------------------------


class Place:
    """Where an array lies in the memory of its root. All distances are counted in elements of the root.

    Attributes
    ----------
    root : tuple
        The dtype, the shape and the steps of the root. A step is the distance to the next element along an axis.
    start, low, high : int
        The distances from the root's lowest element in memory to the array's first element, and to its lowest and highest.
    shape, steps : tuple of int
    part : str
        "real" or "imag" if the root is complex, and the array holds these parts of its elements. Otherwise "".
    is_writable : bool
    """

    __slots__ = ("root", "start", "low", "high", "shape", "steps", "part", "is_writable")

    def __init__(self, root: tuple, start: int, array: ndarray, part: str = "") -> None:
        self.root, self.start, self.shape, self.part = root, start, array.shape, part
        self.steps, self.is_writable = _steps(array, root[0].itemsize), memory.is_writable(array)
        self.low, self.high = (start + end for end in _ends(array.shape, self.steps))

    def inside(self, outer: ndarray, array: ndarray) -> Place:
        """The place of an array that lies in the memory of `outer`, where `outer` is the array at this place."""
        dtype = self.root[0]
        half = dtype.itemsize // 2
        distance = array.__array_interface__["data"][0] - outer.__array_interface__["data"][0]
        start, rest = divmod(distance + half * (self.part == "imag"), dtype.itemsize)
        is_part = dtype.kind == "c" and array.itemsize == half
        return Place(self.root, self.start + start, array, ("imag" if rest else "real") if is_part else "")

    def same_as(self, other: Place) -> bool:
        """Whether two places in one root are the same."""
        return all(getattr(self, name) == getattr(other, name) for name in ("start", "shape", "steps", "part"))

    def of(self, array: ndarray) -> ndarray:
        """The view that lies at this place in an array that has the layout of the root."""
        size = array.itemsize
        view = ndarray(self.shape, array.dtype, memory.span(array), self.start * size, [step * size for step in self.steps])
        return getattr(view, self.part) if self.part else view

    def laid_out(self, a: Any, dtype: Any = None) -> ndarray:
        """A copy of an array (or a number) that has the shape and the layout of the root."""
        dtype = dtype or np.result_type(a)
        copy = memory.with_strides(self.root[1], [step * dtype.itemsize for step in self.root[2]], dtype)
        copy[...] = a
        return copy

    def turned(self, g: Any) -> Any:
        """If x and y have the cotangents p and q, x + iy has p - iq. So the sign changes if the view is the imaginary part."""
        return -g if self.part == "imag" else g


def whole(array: ndarray) -> Place:
    """The place of a root in itself."""
    steps = _steps(array, array.itemsize)
    return Place((array.dtype, array.shape, steps), -_ends(array.shape, steps)[0], array)


def _steps(array: ndarray, itemsize: int) -> tuple[int, ...]:
    return tuple([stride // itemsize for stride in array.strides])


def _ends(shape: tuple, steps: tuple) -> tuple[int, int]:
    """Return the distances from the first element of an array to its lowest and highest in memory."""
    moves = [(n - 1) * step for n, step in zip(shape, steps)]
    return sum(move for move in moves if move < 0), sum(move for move in moves if move > 0)


@primitive
def taken(a: Any, place: Place) -> Any:
    """The view at a place in an array."""
    view = place.of(a if _steps(a, a.itemsize) == place.root[2] else place.laid_out(a))
    view.flags.writeable = place.is_writable and view.flags.writeable
    return view


@primitive
def put(g: Any, place: Place) -> Any:
    """Zeros, with `g` at a place. If the view holds an element of the root several times, these are added up."""
    out = place.laid_out(0, np.result_type(g, 1j) if place.part else np.result_type(g))
    view = place.of(out)
    if place.is_writable:
        view[...] = g
    else:
        np.add.at(view, ..., g)  # type: ignore[arg-type]  # the stubs of NumPy have no ... here
    return out


@primitive
def replaced(a: Any, place: Place, value: Any) -> Any:
    """A copy of an array, with a value at a place."""
    out = place.laid_out(a)
    place.of(out)[...] = value
    return out


defvjp(taken,    a=lambda g, place: put(place.turned(g), place))
defvjp(put,      g=lambda g, place: place.turned(taken(g, place)))
defvjp(replaced, a=lambda g, place: replaced(g, place, 0), value=lambda g, place: place.turned(taken(g, place)))

# ---- Who is a view of whom ------------------------------------------------------------------------------------------


class View:
    """What a Tensor knows if it is a view. Most views are never written into, so the place is computed when it is needed.

    Attributes
    ----------
    root : Tensor
    outer, inner
        The value of the Tensor that the view was taken from, and the value of the view. `inner` lies in the memory of `outer`.
    of_outer : Place or None
        The place of `outer` in the root. None if `outer` was the value of the root.
    """

    __slots__ = ("root", "of_outer", "outer", "inner", "known")

    def __init__(self, root: Any, of_outer: Place | None, outer: Any, inner: Any) -> None:
        self.root, self.of_outer, self.outer, self.inner = root, of_outer, outer, inner
        self.known: Place | None = None

    @property
    def place(self) -> Place:
        """Where the view lies in the root."""
        if self.known is None:
            outer = innermost(self.outer)
            self.known = (self.of_outer or whole(outer)).inside(outer, innermost(self.inner))
            self.outer = self.inner = None
        return self.known


class Views(list):
    """Weak references to the views of a root."""

    def drop_dead(self) -> None:
        """Drop the views that no longer exist. Meanwhile another thread may append more."""
        n = len(self)
        self[:n] = [found for found in self[:n] if found() is not None]

    def others(self, t: Any, place: Place, array: ndarray) -> list:
        """Return the views that hold elements of a place, without `t`, where `array` is the array of the root."""
        alive = [(view, view.family.place) for found in self[:] if (view := found()) is not None and view is not t]
        near = [(view, its_place) for view, its_place in alive if its_place.low <= place.high and place.low <= its_place.high]
        part = place.of(array)
        return [view for view, its_place in near if np.shares_memory(part, its_place.of(array))]


def note_view(t: Any, origin: Any) -> None:
    """Remember that a Tensor is a view of another."""
    family = origin.family
    if type(family) is not View:
        view = View(origin, None, origin.value, t.value)
    elif family.known is None:
        view = View(family.root, family.of_outer, family.outer, t.value)
    else:
        view = View(family.root, family.known, origin.value, t.value)
    views = view.root.family
    if views is None:
        with guards.changing:
            views = view.root.family = Views() if view.root.family is None else view.root.family
    elif len(views) & (len(views) - 1) == 0:
        with guards.changing:
            views.drop_dead()
    views.append(ref(t))
    t.family = view


def placed(t: Any) -> tuple:
    """Return the root of a Tensor, and the place of its array in the root."""
    family = t.family
    if type(family) is View:
        return family.root, family.place
    return t, whole(innermost(t))


def note_views(result: Any, given: Any) -> None:
    """Remember which results of a call share memory with which of its arguments, or with another result."""
    results, origins = tensors(result), tensors(given)
    if len(results) > 1:
        results.sort(key=lambda t: -np.size(innermost(t)))  # an array comes before its parts
    for t in results:
        array = innermost(t)
        if not isinstance(array, ndarray):
            continue
        for origin in origins:
            if memory.share_memory(array, innermost(origin)):
                note_view(t, origin)
                break
        else:
            origins.append(t)


def tensors(value: Any, kind: type = operands.Guarded) -> list:
    """Return the Tensors in a value. It may be a Tensor, or a list, tuple or dict of values."""
    if isinstance(value, kind):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for member in members for tensor in tensors(member, kind)]
