"""The graph of a computation, and the pass that goes backwards over it.

While the user's function runs, every operation leaves a `Node`. A node points to its parents: the nodes of the values
that the operation took. Take f(x) = x * x + sin(x) at x = 2. There is a node for x itself, and the operations leave three more:

    node   value                parents and VJPs
    0      x = 2                none: a leaf
    1      a = x * x = 4        x by g -> g * x, and x again by g -> g * x
    2      b = sin(x) = 0.909   x by g -> g * cos(x)
    3      y = a + b = 4.909    a by g -> g, and b by g -> g

A VJP (vector-Jacobian product) takes the cotangent of the operation's result, and returns a share of the cotangent of
one parent. The cotangent of a value is the derivative of the final result with respect to it. So the last node has the
cotangent 1, and `backward` visits the nodes, the newest first:

    visit   cotangent       what it hands to its parents               the cotangent of x so far
    3       1               1 to a, 1 to b
    2       1               1 * cos(2) = -0.416 to x                   -0.416
    1       1               1 * 2 = 2 to x, and once more 2 to x       -0.416 + 2 + 2 = 3.584

x is a leaf, so the pass ends here. And indeed the derivative 2 x + cos(x) is 3.584 at x = 2.

Why the newest first? A node may be visited only when its cotangent is complete, that is, when all nodes that use its
value have been visited. An operation's arguments exist before its result does. So whatever uses a value is newer than
the value, and "newest first" is a topological order. No recursion is needed to find that order. A recursive
program would be shorter, but it would reach Python's limit at a thousand operations.

Nothing here knows what a Tensor is. A value may be a number, an array, or anything that speaks NumPy's protocols.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from threading import get_ident
from typing import Any, Callable, NamedTuple

import numpy as np

from . import guards

# ---- The graph ------------------------------------------------------------------------------------------------------

node_numbers = count(0, -1)  # downwards, because a heap hands out the smallest number first


class Edge(NamedTuple):
    """The way back to one parent. If the node's cotangent is `g`, the parent's receives ``vjp(g, *residuals)``."""

    parent: Node
    vjp: Callable
    residuals: tuple  # what the VJP needs to remember of the operation


class Node:
    """An operation that was recorded, or a leaf: a value to differentiate with respect to.

    The value itself is not kept. It lives as long as the user's variable holds it, or a rule that needs it.

    Attributes
    ----------
    number : int
        Smaller for newer nodes: the numbers count downwards. (The table above counts upwards, to be easier to read.)
    shape, dtype
        The shape and dtype of the value. Its cotangent has the same. See `describe`.
    edges : sequence of Edge
        A leaf has none.
    """

    __slots__ = ("number", "shape", "dtype", "edges")

    def __init__(self, value: Any, edges: Any = ()) -> None:
        self.number = next(node_numbers)
        self.shape, self.dtype = describe(value)
        self.edges = edges

    def __lt__(self, other: Node) -> bool:
        return self.number < other.number


def describe(value: Any) -> tuple[Any, Any]:
    """Return the shape and dtype of a value.

    The "dtype" of a Python number is its type. NumPy calls such numbers weak: they do not turn a float32 array into
    float64. For a list of values, the "shape" is a list of such pairs.
    """
    value = getattr(value, "node", value)
    if isinstance(value, (list, tuple)):
        return [describe(member) for member in value], list
    if isinstance(value, (int, float, complex)) and not isinstance(value, np.generic):
        return (), next(kind for kind in (bool, int, float, complex) if isinstance(value, kind))
    return value.shape, value.dtype


# ---- Who records, and who watches ------------------------------------------------------------------------------------


class Observer:
    """It watches, and changes nothing. A level tells its observer what it records, and what the backward pass does."""

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Node) -> None:
        """The call ``function(*args, **kwargs)`` gave the result, and left the node."""

    def visited(self, node: Node, g: Any) -> None:
        """The backward pass has come to a node, whose cotangent is `g`.

        An operation with several results, or with a sequence for an argument, has more nodes than the one that was
        recorded. They only deal out cotangents.
        """

    def handed_back(self, node: Node, parent: Node, share: Any, total: Any) -> None:
        """The node has handed a share to a parent, whose cotangent so far is the total."""


NOBODY = Observer()
level_numbers = count(1)


class Level:
    """One running call that records, such as a call of ``grad``. The level ends with the call.

    Calls can be nested, and an inner one has the higher number. An operation is recorded by the highest level among
    its arguments. To that level, values of lower levels are constants.
    """

    differentiates = False  # to a level that does, integers are constants
    oldest_writable = 1  # Tensors of older nodes, with higher numbers, may not be written into; see `inplace.only_new_values`
    number_taken: Any = None  # the call that took a plain number out of one of its Tensors; see `guards.take_number`

    def __init__(self, observer: Observer = NOBODY) -> None:
        self.number = next(level_numbers)
        self.open = True
        self.thread = get_ident()
        self.observer = observer

    def close(self) -> None:
        """After this, nothing can be recorded."""
        self.open = False


# ---- The backward pass ----------------------------------------------------------------------------------------------


def backward(node: Node, g: Any, observer: Observer = NOBODY) -> dict[Node, Any]:
    """Return the cotangents of the leaves that a node depends on, if the cotangent of the node is `g`."""
    cotangents = {node: g}
    pending = [node] if node.edges else []  # a heap: the newest node comes out first
    while pending:
        node = heappop(pending)
        g = completed(cotangents.pop(node), node)
        observer.visited(node, g)
        for parent, vjp, residuals in node.edges:
            share = fit(call(vjp, g, residuals), parent)
            if parent in cotangents:
                cotangents[parent] = add(cotangents[parent], share)
            else:
                cotangents[parent] = share
                if parent.edges:
                    heappush(pending, parent)
            observer.handed_back(node, parent, share, cotangents[parent])
    return cotangents  # only the cotangents of leaves are left


def call(vjp: Callable, g: Any, residuals: tuple) -> Any:
    """Apply a VJP. For 1 / 0.0 Python raises an error. NumPy's numbers give infinity or NaN, so they take over then."""
    try:
        return vjp(g, *residuals)
    except (ZeroDivisionError, OverflowError):
        return vjp(*(np.array(x)[()] if type(x) in (float, complex) else x for x in (g, *residuals)))


def adding_dtype(dtype: Any) -> Any:
    """Return the ``dtype=`` of a sum of such numbers. float16 ends at 65,504 and has 11 bits, so float32 adds them up."""
    return np.float32 if dtype == np.float16 else None


def fit(share: Any, parent: Node) -> Any:
    """Undo, in a cotangent, what NumPy did to the parent's value to combine it with others.

    Broadcasting used the value several times, so those uses are summed. Complex arithmetic on a real value leaves the
    real part. Promotion to another dtype is undone by a cast.
    """
    if parent.dtype is list:
        return share  # several cotangents, each of which is fitted on its own
    guards.check_share(share, parent.shape)
    shape, dtype = describe(share)
    if shape != parent.shape:
        added = len(shape) - len(parent.shape)
        stretched = [added + i for i, n in enumerate(parent.shape) if n != shape[added + i]]
        share = np.sum(share, axis=(*range(added), *stretched), dtype=adding_dtype(dtype))
        share = np.reshape(share, parent.shape) if stretched else share
        dtype = describe(share)[1]
    if np.dtype(dtype).kind == "c" and np.dtype(parent.dtype).kind != "c":
        share = share.real
    if isinstance(parent.dtype, type):  # a Python number; a Tensor of an outer level stays as it is
        return share if hasattr(share, "node") else parent.dtype(share)
    if dtype == parent.dtype and not isinstance(dtype, type):
        return share
    return share.astype(parent.dtype) if hasattr(share, "astype") else parent.dtype.type(share)


def add(g: Any, share: Any) -> Any:
    """Add two cotangents of one node."""
    return g | share if isinstance(g, dict) else g + share


# An operation with several results leaves one node for all of them, and one node for each result. The node of a result
# hands {number of the result: its cotangent} to the common node. Results that were not used are missing there.


def of_result(i: int) -> Callable:
    """The VJP of the node of result number i. The parent is the common node."""
    return lambda g: {i: g}


def completed(g: Any, node: Node) -> Any:
    """The cotangents of all results as a list. A result that was not used has zeros."""
    if isinstance(g, dict):
        return [g[i] if i in g else np.zeros(shape, dtype) for i, (shape, dtype) in enumerate(node.shape)]
    return g
