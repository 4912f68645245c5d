"""Whole calls of a function of the user that are recorded as one operation: `custom_vjp` and `checkpoint` do this.

The function gets the values of the Tensors of one level (`inner_arguments`). Its results become Tensors again
(`as_one_operation`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from . import memory, operands
from .boundary import kind_of
from .functions import name_of
from .graph import Edge, Level, Node
from .memory import innermost
from .tensor import Tensor, top_level
from .views import View, note_views, placed, taken, tensors


def check_numbers(fun: Callable, results: list) -> None:
    """Raise if a function returned anything but numbers and arrays."""
    for result in results:
        operands.refuse_foreign(result)
        if kind_of(result) == "O":
            raise TypeError(
                f"{name_of(fun)} returned {result!r} of type {type(result)}: a checkpoint or custom_vjp function returns numbers "
                f"and arrays only; leave the rest out, or compute it outside of the function"
            )


def as_one_operation(
    fun: Callable, args: tuple, kwargs: dict[str, Any], results: list, arguments: list[Tensor], level: Any, vjp: Callable,
    given: Sequence = (),
) -> list:
    """Record a call as one operation, and return Tensors for its results.

    `vjp` takes a list of the results' cotangents, and returns a list of the arguments' cotangents. Results that are views of
    constants among the values in `given` stay as they are.
    """
    check_numbers(fun, results)
    node = Node(results, [Edge(level.node_of(arguments), vjp, ())])
    outputs = level.wrapped(unlocked(results, list(map(innermost, arguments))), node, given)
    note_views(outputs, arguments)
    level.observer.recorded(fun, args, kwargs, outputs, node)
    return outputs


def differentiating(leaves: list) -> Any:
    """Return the highest level among the Tensors in a list, or None if it records a program and does not differentiate."""
    level = top_level(leaves)
    return level if level is not None and level.differentiates else None


def is_of(leaf: Any, level: Level) -> bool:
    return type(leaf) is Tensor and leaf.level is level


def inner_arguments(leaves: list, level: Level) -> list:
    """Return arguments for a function that is recorded as one operation.

    A Tensor of the level becomes its value, which is read-only. So the results that are views of it are found by their
    memory, and a write into it raises. Anything else is copied.
    """
    return [memory.read_only(leaf.value) if is_of(leaf, level) else own for leaf, own in zip(leaves, memory.own_all(leaves))]


def in_root(leaf: Any) -> Any:
    """Return a view with its array in the memory of its root. After a write into the view, it has an array of its own."""
    if type(leaf) is not Tensor or type(leaf.family) is not View or np.shares_memory(innermost(leaf), innermost(leaf.family.root)):
        return leaf
    return taken(*placed(leaf))


def unlocked(result: Any, args: Any) -> Any:
    """Undo `memory.locked` in a result that is a view of one of these arrays, if this array is not read-only itself."""
    if isinstance(result, (list, tuple)):
        return operands.within(result, lambda member: unlocked(member, args))
    if isinstance(result, Tensor):
        value = unlocked(result.value, args)
        return result if value is result.value else type(result)(value, result.node, result.level)
    if isinstance(result, ndarray) and not result.flags.writeable:
        if any(array.flags.writeable and np.shares_memory(array, result) for array in tensors(args, ndarray)):
            result = result.view()
            result.flags.writeable = True
    return result


def reaches(leaves: list, level: Level) -> bool:
    """Return whether a result depends on a Tensor of this level or a higher one. The arguments had no such Tensor."""
    return any(type(leaf) is Tensor and leaf.level.number >= level.number for leaf in leaves)
