"""The backward pass of `fast`: nodes that cost less, cotangents that are computed later, and VJPs that are faster."""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy import float64, ndarray

from .graph import NOBODY
from .rules import products, reductions
from .rules.indexing import scatter
from .table import rule_of
from .transforms import graph  # minigrad.graph itself is a function
from .views import getitem

FLOAT64 = np.dtype(float64)
add_reduce = np.add.reduce
node_numbers = graph.node_numbers

# ---- Nodes ---------------------------------------------------------------------------------------------------------
# A node of the core is three objects or more: the node, the edges, and the sequence of edges. Python's garbage collector
# goes through all living objects again and again. This doubles the time of a long chain of operations. So here a node is
# its own first edge, and most nodes have no other edge.


class Edge:
    """One edge of a node. It refers to the node's next edge."""

    __slots__ = ("parent", "vjp", "residuals", "next_edge")


class FastNode(graph.Node):
    """A node that is its own first edge. A leaf has no parent.

    The constructor sets no attributes. This takes half the time. The caller sets them, as in `fast_node`.
    """

    __slots__ = ("parent", "vjp", "residuals", "next_edge")
    __init__ = object.__init__

    @property
    def edges(self: Any) -> list[graph.Edge]:
        """The edges in the form that the core uses."""
        found: list = []
        edge = None if self.parent is None else self
        while edge is not None:
            found.append(graph.Edge(edge.parent, edge.vjp, edge.residuals))
            edge = edge.next_edge
        return found


def fast_node(value: Any, edges: Any = ()) -> Any:
    """Return a new node, as `graph.Node` does."""
    node: Any = FastNode()
    node.number = next(node_numbers)
    node.shape, node.dtype = graph.describe(value)
    next_edge: Any = None
    for parent, vjp, residuals in reversed(edges[1:]):
        edge: Any = Edge()
        edge.parent, edge.vjp, edge.residuals, edge.next_edge = parent, vjp, residuals, next_edge
        next_edge = edge
    node.parent, node.vjp, node.residuals = edges[0] if edges else (None, None, ())
    node.next_edge = next_edge
    return node


# ---- Cotangents that wait -------------------------------------------------------------------------------------------


class Parts:
    """The cotangent of an array whose elements were taken one by one. It collects their shares, and adds them up at the end.

    Otherwise each share would need an array of zeros. Then a loop over the elements would take time that grows with the
    square of their number.
    """

    __slots__ = ("shares", "indices", "shape")

    def __init__(self, share: Any, index: Any, a_shape: tuple) -> None:
        self.shares, self.indices, self.shape = [share], [index], a_shape

    def add(self, other: Any) -> Parts:
        """Add the shares of another `Parts`, or a cotangent of the whole array."""
        self.shares += other.shares if type(other) is Parts else [other]
        self.indices += other.indices if type(other) is Parts else [...]
        return self

    def total(self) -> Any:
        return scatter(self.shares, self.indices, self.shape)


class Scaled:
    """The cotangent of an array as a product that is not computed yet: `array` times the finite number `factor`.

    Often the next step sums the cotangent to a number. An example is the gradient of a mean of squares by the slope of a
    line. Then the array is summed first, and only the sum is multiplied. This saves one pass over the data. A sum of products
    may overflow or vanish without the factor. Then the array is multiplied after all.
    """

    __slots__ = ("array", "factor")

    def __init__(self, array: ndarray, factor: float) -> None:
        self.array, self.factor = array, factor

    def __neg__(self) -> Scaled:
        return Scaled(self.array, -self.factor)

    def total(self) -> ndarray:
        return self.array * self.factor


def fit(share: Any, parent: Any) -> Any:
    """Do the same as `graph.fit`, also for `Parts` and `Scaled`, and faster for a number that was combined with an array."""
    shape, dtype = parent.shape, parent.dtype
    if type(share) is dtype or type(share) is Parts:
        return share
    if type(share) is Scaled:
        product = share.factor * add_reduce(share.array, None) if shape == () and share.factor else math.inf
        share = product if math.isfinite(product) else share.total()
    if type(share) is ndarray and share.dtype is FLOAT64:
        added = share.ndim - len(shape)
        if shape == ():
            share = add_reduce(share, None)
        elif added > 0 and dtype is FLOAT64 and share.shape[added:] == shape:  # such as the cotangent of a bias
            return add_reduce(share, tuple(range(added)))
    return float(share) if dtype is float and type(share) is float64 else graph.fit(share, parent)


def add(g: Any, share: Any) -> Any:
    """Do the same as `graph.add`, also for `Parts` and `Scaled`."""
    if type(g) is dict:
        g.update(share)  # `graph.of_result` made this dict, and nothing else uses it
        return g
    g = g.total() if type(g) is Scaled else g
    share = share.total() if type(share) is Scaled else share
    if type(g) is Parts:
        return g.add(share)
    return share.add(g) if type(share) is Parts else g + share


# ---- The backward pass ----------------------------------------------------------------------------------------------

plain_backward = graph.backward


def backward(node: Any, g: Any, observer: Any = NOBODY) -> dict[Any, Any]:
    """Do the same as `graph.backward`. Nothing else uses the arrays that it returns.

    The newest pending node waits in `ready`. It goes into the heap, to the other nodes, only if a newer node comes. A VJP
    with at most one residual is called without a star. A share that has the right shape and dtype is not passed to `fit`.
    """
    if observer is not NOBODY or node.parent is None:
        return {leaf: g.copy() if type(g) is ndarray else g for leaf, g in plain_backward(node, g, observer).items()}
    of_leaves: dict[Any, Any] = {}
    pending: dict[int, tuple[Any, Any]] = {}  # node number to the node and its cotangent so far
    numbers: list[int] = []  # of the pending nodes, as a heap
    owned = set()  # leaves whose cotangents were made here, or are known to be new arrays
    while True:
        kind = type(g)
        if kind is dict:
            g = graph.completed(g, node)
        elif kind is Parts or (kind is Scaled and node.vjp not in TAKE_SCALED):
            g = g.total()
        edge: Any = node
        ready = None
        while edge is not None:
            parent, vjp, residuals = edge.parent, edge.vjp, edge.residuals
            try:
                if not residuals:
                    share = vjp(g)
                else:
                    share = vjp(g, residuals[0]) if len(residuals) == 1 else vjp(g, *residuals)
                kind = type(share)
                if kind is ndarray:
                    if share.shape != parent.shape or share.dtype is not parent.dtype:
                        share = fit(share, parent)
                elif kind is float64:
                    if parent.dtype is float:
                        share = float(share)
                    elif parent.dtype is not FLOAT64 or parent.shape:
                        share = fit(share, parent)
                elif kind is Scaled:
                    if share.array.shape != parent.shape or parent.dtype is not FLOAT64:
                        share = fit(share, parent)
                elif kind is not parent.dtype:
                    share = fit(share, parent)
            except (ZeroDivisionError, OverflowError):  # from Python's numbers, where NumPy's are infinite
                share = graph.fit(graph.call(vjp, g, residuals), parent)
            edge = edge.next_edge
            if parent.parent is None:
                total = of_leaves.get(parent)
                if total is None:
                    of_leaves[parent] = share
                    if kind is ndarray and vjp in RETURN_NEW_ARRAYS:
                        owned.add(parent)
                elif parent in owned and type(total) is ndarray and type(share) is ndarray:
                    total += share
                else:
                    of_leaves[parent] = add(total, share)
                    owned.add(parent)
            elif ready is None and (not numbers or parent.number < numbers[0]):
                ready, ready_g = parent, share
            elif parent.number in pending:
                pending[parent.number] = parent, add(pending[parent.number][1], share)
            elif parent is ready:
                ready_g = add(ready_g, share)
            else:
                if ready is not None and parent.number < ready.number:
                    parent, share, ready, ready_g = ready, ready_g, parent, share
                pending[parent.number] = parent, share
                heappush(numbers, parent.number)
        if ready is not None:
            node, g = ready, ready_g
        elif numbers:
            node, g = pending.pop(heappop(numbers))
        else:
            break
    for leaf, g in of_leaves.items():
        if type(g) is Parts or type(g) is Scaled:
            of_leaves[leaf] = g.total()
        elif type(g) is ndarray and (leaf not in owned or g.base is not None):
            of_leaves[leaf] = g.copy()
    return of_leaves


# ---- VJPs -----------------------------------------------------------------------------------------------------------
# Some VJPs of the table have a faster version here. Either only `backward` in this file understands what it returns, or it is
# too long for the table. The keys are the functions in the table. So a VJP that the user defines has no faster version.
# The parameters of a version in `FASTER` have the names that the rule has, because the names say what it needs.

BLOCK = 10_000


def twice_times(g: Any, x: Any) -> Any:
    """Return 2 g x. If all elements of `g` are the same number, as after a mean, do not multiply yet: return a `Scaled`."""
    is_spread = type(g) is type(x) is ndarray and type(g.base) is float64 and x.dtype is FLOAT64
    if is_spread and math.isfinite(factor := 2 * float(g.base)):
        return Scaled(x, factor)
    return 2 * g * x


def sum_of_products(g: Any, array: ndarray) -> Any:
    """Return the cotangent of a number that multiplied an array, in one pass, without an array of the products."""
    if type(g) is Scaled:
        total = float(dot(g.array, array))
        product = g.factor * total
        if total * total > 1e-280 and product * product < 1e280:  # neither too small nor too large, nor NaN
            return product
        g = g.total()
    return dot(g, array) if type(g) is ndarray and g.dtype.char in "fd" else g * array  # a sum in float16 could overflow


def dot(a: ndarray, b: ndarray) -> Any:
    """Return the sum of the products of the elements of two real arrays of the same shape."""
    if a.ndim != 1:
        a, b = a.ravel(), b.ravel()
    if a.size <= BLOCK:
        return a.dot(b)
    # BLAS splits longer vectors between threads, and waits long for them when the processor is busy.
    blocks = a.size // BLOCK
    n = blocks * BLOCK
    return np.vecdot(a[:n].reshape(blocks, BLOCK), b[:n].reshape(blocks, BLOCK)).sum() + a[n:].dot(b[n:])


def matmul_a(g: Any, b: Any) -> Any:
    # For small arrays, `numpy.ndarray.dot` gives the same as matmul in half the time. For large ones it takes longer, because it
    # clears the result first. The same holds in `matmul_b`.
    is_outer = type(g) is type(b) is ndarray and g.ndim == b.ndim == 1 and g.size * b.size <= 1_000
    return g[:, None].dot(b[None]) if is_outer else products.matmul_a(g, b)


def matmul_b(g: Any, a: Any) -> Any:
    is_small = type(a) is type(g) is ndarray and a.ndim == 2 and g.ndim == 1 and a.size <= 1_000
    return g.dot(a) if is_small else products.matmul_b(g, a)


plain_spread, plain_mean_a = reductions._spread, reductions._mean_a


def spread(g: Any, shape: tuple, axis: Any, where: Any = True) -> Any:
    """Do the same as `reductions._spread`, for a number, or for one axis, without the checks of `numpy.broadcast_to`."""
    if type(g) is float64 and where is True:
        return ndarray(shape, float64, g, 0, (0,) * len(shape))
    if type(axis) is int and where is True and type(g) is ndarray and g.ndim == len(shape) - 1 and g.flags.c_contiguous:
        steps = list(g.strides)
        steps.insert(axis % len(shape), 0)
        view = ndarray(shape, g.dtype, g, 0, steps)
        view.flags.writeable = False
        return view
    return plain_spread(g, shape, axis, where)


def mean_a(g: Any, a_shape: tuple, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Any:
    if type(g) is float64 and where is True:
        return spread(g / math.prod(a_shape), a_shape, axis)
    return plain_mean_a(g, a_shape, axis, dtype, keepdims, where)


def tanh_x(g: Any, x: Any) -> Any:
    """Do the same as the rule of tanh, without asking whether there are Tensors among plain arrays. It rounds once less."""
    if type(x) is ndarray and x.dtype is FLOAT64 and (x.dot(x) if x.ndim == 1 else np.vdot(x, x)) < 1e5:
        return g / np.square(np.cosh(x))
    return plain_tanh_x(g, x)


def logaddexp_b(g: Any, a: Any, b: Any) -> Any:
    """Do the same as the rule of logaddexp, for a number and an array, as in the loss of logistic regression."""
    if type(a) is float and math.isfinite(a) and type(b) is ndarray and b.dtype is FLOAT64 and b.size:
        difference = b - a
        if difference.min() > -700:
            return g * (1 / (1 + np.exp(-difference)))
    return plain_logaddexp_b(g, a, b)


def vjp_of(fun: Any, name: str) -> Any:
    return rule_of(fun).vjps[name].fun


plain_tanh_x, plain_logaddexp_b = vjp_of(np.tanh, "x"), vjp_of(np.logaddexp, "b")
FASTER: dict[Any, Any] = {
    plain_logaddexp_b: logaddexp_b,
    plain_tanh_x: tanh_x,
    vjp_of(np.square, "x"): twice_times,
    vjp_of(np.matmul, "a"): matmul_a,
    vjp_of(np.matmul, "b"): matmul_b,
    vjp_of(np.mean, "a"): mean_a,
    vjp_of(getitem, "a"): Parts,
}
OF_A_NUMBER = {vjp_of(np.multiply, name): sum_of_products for name in "ab"}  # the number multiplied an array
# VJPs that take a `Scaled`. Only a node's first VJP is looked up. The second VJP of a difference is -g, which takes it too.
TAKE_SCALED = {vjp_of(np.add, "a"), vjp_of(np.add, "b"), vjp_of(np.subtract, "a"), sum_of_products}
ARITHMETIC = (np.multiply, np.divide, np.power, np.negative, np.square, np.exp, np.log, np.sin, np.cos, np.tanh, np.sqrt)
RETURN_NEW_ARRAYS = {matmul_a, matmul_b, tanh_x} | {vjp.fun for ufunc in ARITHMETIC for vjp in rule_of(ufunc).vjps.values() if vjp}
