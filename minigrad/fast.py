"""The same in less time.

The core says what is meant. This file does the same faster, and replaces a few names of the core when minigrad is imported
(`install`, at the end, lists them). The environment variable MINIGRAD_PLAIN=1 leaves it out. The tests run both ways.

Nothing here has a meaning of its own. Whatever is not one of the usual cases is handed to the plain way, and so is every
level with an observer. What this file keeps of a rule, it keeps in the rule, and a rule that is defined anew is another one.
"""

from __future__ import annotations

import math
import operator
import os
from functools import cache, partial
from heapq import heappop, heappush
from typing import Any, Callable
from weakref import WeakValueDictionary

import numpy as np
from numpy import float64, ndarray

from . import boundary, custom, graph, guards, table, tensor
from .graph import Node, describe, fit, node_numbers
from .guards import PYTHON_NUMBERS, copied, weak
from .rules import products, reductions
from .rules.indexing import scatter
from .table import Rule, rule_of, rules, shape_of
from .tensor import GradLevel, Tensor
from .views import View, call_again, getitem, note_view, note_views

FLOAT64 = np.dtype(float64)
new = object.__new__
add_reduce = np.add.reduce

# ---- Nodes ----------------------------------------------------------------------------------------------------------
# A node of the core, with an edge for each parent in a tuple, is three objects or more. Python's garbage collector goes
# through all living objects again and again, and a long chain of operations takes twice the time. So a node is its own
# first edge here, and most nodes have no other.


class Edge:
    """One edge; the next one hangs on it."""

    # No constructor: to call one takes longer than to fill these in.
    __slots__ = ("parent", "vjp", "residuals", "next_edge")
    parent: Any
    vjp: Any
    residuals: tuple
    next_edge: Any


class FastNode(Node):
    """A node that is its own first edge. A leaf has no parent."""

    __slots__ = ("parent", "vjp", "residuals", "next_edge")
    parent: Any
    vjp: Any
    residuals: tuple
    next_edge: Any

    def __init__(self, value: Any, edges: Any = ()) -> None:
        self.number = next(node_numbers)
        self.shape, self.dtype = describe(value)
        self.parent = self.vjp = self.next_edge = None
        self.residuals = ()
        for parent, vjp, residuals in reversed(edges[1:]):
            edge = Edge()
            edge.parent, edge.vjp, edge.residuals, edge.next_edge = parent, vjp, residuals, self.next_edge
            self.next_edge = edge
        if edges:
            self.parent, self.vjp, self.residuals = edges[0]

    @property
    def edges(self) -> list[graph.Edge]:  # type: ignore[override]
        """As the core has them."""
        found, edge = [], None if self.parent is None else self
        while edge is not None:
            found.append(graph.Edge(edge.parent, edge.vjp, edge.residuals))
            edge = edge.next_edge
        return found


# ---- Levels ---------------------------------------------------------------------------------------------------------


class FastLevel(GradLevel):
    """A level that may take the short ways."""

    is_fast: bool  # the one thing that every short way asks: is the level open, and without an observer?

    def __init__(self, observer: Any = None) -> None:
        self.number = next(graph.level_numbers)
        self.observer = observer
        self.open = True
        self.is_fast = observer is None
        self.copies: Any = None

    def close(self) -> None:
        self.open = self.is_fast = False

    def frozen(self, value: Any) -> Any:
        """As in the core; but an array that is not small is copied once for all its uses, as long as it does not change."""
        if type(value) is not ndarray:
            return value.snapshot() if type(value) is Tensor else guards.within(value, self.frozen)
        flags = value.flags
        if not flags.writeable and value.base is None:
            return value
        if value.nbytes < 16_384:
            return value.copy() if flags.c_contiguous else copied(value)
        prime_allocator(value)
        if self.copies is None:
            self.copies = WeakValueDictionary()
        copy = self.copies.get(id(value))
        if copy is None or not same_bits(copy, value):
            copy = self.copies[id(value)] = copied(value)
        return copy


def same_bits(a: ndarray, b: ndarray) -> bool:
    """Whether two arrays are equal to the bit: unlike ==, with NaN equal to itself, and -0.0 not to 0.0."""
    if a.dtype != b.dtype or a.itemsize > 8:
        return False
    bits = f"u{a.itemsize}"
    return np.array_equal(a.view(bits), b.view(bits))


def prime_allocator(array: ndarray) -> None:
    """Make glibc keep the memory of large arrays for the next ones: once, with the first array of that size.

    It serves blocks above a threshold, at first 128 KiB, with fresh pages from the system, and returns them when they are
    freed; a gradient step then spends most of its time waiting for pages. The threshold rises to the size of a block that
    is freed: so one is, whose pages were never touched. Up to twice that size may then stay with the process. Elsewhere it
    has no effect. The environment variable MINIGRAD_PRIME_ALLOCATOR=0 turns it off.
    """
    if array.nbytes >= 131_072:
        _prime_allocator()


@cache
def _prime_allocator() -> None:
    if os.environ.get("MINIGRAD_PRIME_ALLOCATOR") != "0":
        np.empty(16_000_000, np.uint8)


# ---- Cotangents that wait -------------------------------------------------------------------------------------------


class Parts:
    """The cotangent of an array of which elements were taken: shares of those, not added up before all are there.

    An array with zeros for all other elements, for each of them, would make the time of a loop over the elements grow with
    the square of their number.
    """

    __slots__ = ("shares", "indices", "shape")

    def __init__(self, share: Any, index: Any, shape: tuple) -> None:
        self.shares, self.indices, self.shape = [share], [index], shape

    def add(self, other: Any) -> Parts:
        """Take in the parts of another, or the cotangent of all elements."""
        self.shares += other.shares if type(other) is Parts else [other]
        self.indices += other.indices if type(other) is Parts else [...]
        return self

    def total(self) -> Any:
        """The whole."""
        return scatter(self.shares, self.indices, self.shape)


class Scaled:
    """The cotangent of an array, not multiplied out: `array` times the number `factor`, which is finite.

    Where it ends in a number, as on the way from a mean of squares to the weight of a line, the sum is taken first, and
    only the sum is multiplied: one pass over the data less.
    """

    __slots__ = ("array", "factor")

    def __init__(self, array: ndarray, factor: float64) -> None:
        self.array, self.factor = array, factor

    def __neg__(self) -> Scaled:
        return Scaled(self.array, -self.factor)

    def total(self) -> ndarray:
        """The product."""
        return self.array * self.factor


def fast_fit(share: Any, parent: Any) -> Any:
    """`graph.fit`, for these too, and with short ways where a number was combined with an array."""
    shape, dtype = parent.shape, parent.dtype
    kind = type(share)
    if kind is dtype or kind is Parts:
        return share
    if kind is Scaled:
        if share.array.shape == shape and share.array.dtype is dtype:
            return share
        share = share.factor * add_reduce(share.array, None) if shape == () else share.total()
    if shape == () and type(share) is ndarray:
        share = add_reduce(share, None)
    if dtype is float and type(share) is float64:
        return float(share)
    return fit(share, parent)


def fast_add(g: Any, share: Any) -> Any:
    """`graph.add`, for these too."""
    if type(g) is dict:
        g.update(share)  # made by `graph.of_result`, and held by nobody else
        return g
    g = g.total() if type(g) is Scaled else g
    share = share.total() if type(share) is Scaled else share
    if type(g) is Parts:
        return g.add(share)
    return share.add(g) if type(share) is Parts else g + share


# ---- The backward pass ----------------------------------------------------------------------------------------------

plain_backward = graph.backward


def backward(node: Any, g: Any, observer: Any = None) -> dict[Any, Any]:
    """`graph.backward`. The arrays that it returns belong to nobody else.

    The newest of the pending nodes waits in `ready`, and is put to the others, in a heap, only if a newer one comes. A VJP
    is called without a star where that is possible, and what fits is not fitted.
    """
    if observer is not None or node.parent is None:
        return {leaf: own(g) for leaf, g in plain_backward(node, g, observer).items()}
    of_leaves: dict[Any, Any] = {}
    pending: dict[int, tuple[Any, Any]] = {}  # node number to the node and its cotangent so far
    numbers: list[int] = []  # of the pending nodes, as a heap
    owned = set()  # leaves with cotangents that were made here, or are known to be new
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
                        share = fast_fit(share, parent)
                elif kind is float64:
                    if parent.dtype is float:
                        share = float(share)
                    elif parent.dtype is not FLOAT64 or parent.shape:
                        share = fast_fit(share, parent)
                elif kind is Scaled:
                    if share.array.shape != parent.shape:
                        share = fast_fit(share, parent)
                elif kind is not parent.dtype:
                    share = fast_fit(share, parent)
            except (ZeroDivisionError, OverflowError):  # of Python's numbers, where NumPy's are infinite
                share = fit(graph.call(vjp, g, residuals), parent)
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
                    of_leaves[parent] = fast_add(total, share)
                    owned.add(parent)
            elif ready is None and (not numbers or parent.number < numbers[0]):
                ready, ready_g = parent, share
            elif parent.number in pending:
                pending[parent.number] = parent, fast_add(pending[parent.number][1], share)
            elif parent is ready:
                ready_g = fast_add(ready_g, share)
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
        kind = type(g)
        if kind is ndarray:
            if leaf not in owned or g.base is not None:
                of_leaves[leaf] = g.copy()
        elif kind is Parts or kind is Scaled:
            of_leaves[leaf] = g.total()
    return of_leaves


def own(g: Any) -> Any:
    return g.copy() if type(g) is ndarray else g


# ---- What users hand in and get back --------------------------------------------------------------------------------


def owned(g: Any, dtype: Any) -> ndarray:
    """`boundary.owned`, of what `backward` returns."""
    return g if type(g) is ndarray and g.dtype == dtype else np.array(g, dtype)


def tensors_for(leaves: list, structure: Any, level: Any, options: Any, arguments: Any, args: tuple) -> tuple[list, list]:
    """`boundary.tensors_for`, shorter for the usual leaves."""
    inputs, nodes = [], []
    for leaf in leaves:
        kind = type(leaf)
        if kind is float and not options.holomorphic:
            t = item(leaf, level, None, None, ())
        elif kind is ndarray and leaf.dtype is FLOAT64 and not options.holomorphic:
            t = item(level.frozen(leaf), level, None, None, ())
        else:
            t = boundary.tensor_for(leaf, level, options, partial(arguments.place, len(inputs), structure, args))
        inputs.append(t)
        nodes.append(t.node if type(t) is Tensor else None)
    return inputs, nodes


def gradients_for(leaves: list, nodes: list, level: Any, cotangents: dict) -> list:
    """`boundary.gradients_for`, shorter for the usual gradients."""
    gradients = []
    for leaf, node in zip(leaves, nodes):
        g = cotangents.get(node)
        kind = type(g)
        if kind is not float and not (kind is type(leaf) is ndarray and g.dtype is leaf.dtype):
            g = boundary.gradient_for(leaf, node, level, g)
        gradients.append(g)
    return gradients


def one_like(value: Any) -> Any:
    """`boundary.one_like`"""
    return ONE if type(value) is float64 else plain_one_like(value)


def check_output(out: Any, options: Any) -> None:
    """`boundary.check_output`, for the usual results."""
    if type(out) is not Tensor or type(out.value) not in (float64, float) or options.holomorphic:
        plain_check_output(out, options)


ONE = float64(1)
plain_one_like, plain_check_output = boundary.one_like, boundary.check_output


# ---- VJPs -----------------------------------------------------------------------------------------------------------
# For some VJPs of the table there is a faster one, which only `backward` above understands, or which would need too many
# words in the table. For a rule that was defined anew there is none: the function of the table is the key.

BLOCK = 10_000


def twice_times(g: Any, x: Any) -> Any:
    """2 g x, the VJP of a square. A mean hands one number to all its elements, and then there is no hurry to multiply."""
    if type(g) is type(x) is ndarray and type(g.base) is float64 and x.dtype is FLOAT64 and math.isfinite(g.base):
        return Scaled(x, 2 * g.base)
    return 2 * g * x


def sum_of_products(g: Any, array: ndarray) -> Any:
    """The cotangent of a number that multiplied an array: one pass over both, and no array of the products."""
    if type(g) is Scaled:
        return g.factor * sum_of_products(g.array, array)
    if type(g) is not ndarray or g.shape != array.shape:
        return g * array
    if g.ndim != 1:
        g, array = g.ravel(), array.ravel()
    if g.size <= BLOCK:
        return g.dot(array)
    if g.dtype.kind == "c":  # of which vecdot takes the conjugate
        return g * array
    # BLAS deals longer vectors out to threads, and waits long for them when the processor is busy.
    blocks = g.size // BLOCK
    n = blocks * BLOCK
    return np.vecdot(g[:n].reshape(blocks, BLOCK), array[:n].reshape(blocks, BLOCK)).sum() + g[n:].dot(array[n:])


def are_small(a: Any, b: Any) -> bool:
    """Whether both are plain matrices or vectors for which `numpy.ndarray.dot` does what matmul does, in half the time."""
    return type(a) is type(b) is ndarray and a.ndim <= 2 and b.ndim <= 2 and a.size <= 1_000 and b.size <= 1_000


def matmul_a(g: Any, b: Any) -> Any:
    if not are_small(g, b) or g.ndim != b.ndim:
        return products.matmul_a(g, b)
    return g[:, None].dot(b[None]) if b.ndim == 1 else g.dot(b.T)


def matmul_b(g: Any, a: Any) -> Any:
    if not are_small(g, a) or g.ndim > a.ndim:
        return products.matmul_b(g, a)
    if a.ndim == 1:
        return a[:, None].dot(g[None])
    return g.dot(a) if g.ndim == 1 else a.T.dot(g)


# Since NumPy 2.4, dot reports an overflow as matmul does.
DOT_REPORTS = np.lib.NumpyVersion(np.__version__) >= "2.4.0"


def matmul(a: Any, b: Any) -> Any:
    """a @ b. For a single row or a view, matmul may add up in another order than dot."""
    if are_small(a, b) and DOT_REPORTS and b.ndim == 1 and a.ndim == 2 and len(a) > 1 and a.dtype is FLOAT64:
        if a.base is b.base is None and len(b) == a.shape[1]:
            return a.dot(b)
    return np.matmul(a, b)


def spread(g: Any, shape: tuple, axis: Any, where: Any = True) -> Any:
    """`reductions._spread`: most losses end in one number, and broadcast_to takes its time to do the same."""
    if type(g) is float64 and where is True:
        return ndarray(shape, float64, g, 0, (0,) * len(shape))
    return plain_spread(g, shape, axis, where)


plain_spread = reductions._spread


def mean_a(g: Any, a_shape: tuple, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Any:
    if type(g) is float64 and where is True:
        return spread(g / math.prod(a_shape), a_shape, axis)
    return plain_mean_a(g, a_shape, axis, dtype, keepdims, where)


plain_mean_a = reductions._mean_a


def total(x: Any) -> Any:
    """`numpy.sum`, in half the time where it is simple."""
    return add_reduce(x, None) if type(x) is ndarray else np.sum(x)


def average(x: Any) -> Any:
    """`numpy.mean`, in half the time where it is simple."""
    if type(x) is ndarray and x.dtype.char in "fd" and x.size:
        return add_reduce(x, None) / x.size
    return np.mean(x)


def vjp_of(fun: Any, name: str) -> Any:
    return rule_of(fun).vjps[name].fun  # type: ignore[union-attr]


FASTER = {
    vjp_of(np.square, "x"): twice_times,
    vjp_of(np.matmul, "a"): matmul_a,
    vjp_of(np.matmul, "b"): matmul_b,
    vjp_of(np.mean, "a"): mean_a,
    vjp_of(getitem, "a"): Parts,
}
# Of a number that multiplied an array.
OF_A_NUMBER = {vjp_of(np.multiply, "a"): sum_of_products, vjp_of(np.multiply, "b"): sum_of_products}
# VJPs that can do with a `Scaled`. (In a difference, there is -g besides the first of these.)
TAKE_SCALED = {vjp_of(np.add, "a"), vjp_of(np.add, "b"), vjp_of(np.subtract, "a"), sum_of_products}
RETURN_NEW_ARRAYS = {matmul_a, matmul_b} | {
    vjp.fun
    for ufunc in (np.multiply, np.divide, np.power, np.matmul, np.negative, np.square, np.exp, np.log, np.sin, np.cos, np.tanh, np.sqrt)
    for vjp in rule_of(ufunc).vjps.values() if vjp
}

# ---- Short ways -----------------------------------------------------------------------------------------------------
# An operator, a ufunc, or a function of one Tensor that is called without options: what `tensor.record` does for all of them
# is written out for each, with what its rule keeps. The names: a and b are the arguments, x and z their values.

BINARY = """
def apply(a, b):
    level = a.level
    if not level.is_fast:
        return plain(a, b)
    x = a.value
    vjp = vjp_a
    kind = type(b)
    if kind is Tensor:
        if b.level is not level:
            return plain(a, b)
        z = b.value
        y = compute(x, z)
        next_edge = Edge()
        next_edge.parent = b.node
        next_edge.vjp = vjp_b
        next_edge.residuals = {kept_b}
        next_edge.next_edge = None
    else:
        next_edge = None
        if kind is float or kind is float64 or kind is int:
            z = b
        elif kind is ndarray:
            z = {frozen_b}
            if type(x) is float:
                vjp = number_vjp_a
        else:
            return plain(a, b)
        y = compute(x, z)
    parent = a.node
    residuals = {kept_a}
"""
REFLECTED = """
def reflected(b, a):
    level = b.level
    if not level.is_fast:
        return plain_reflected(b, a)
    z = b.value
    vjp = vjp_b
    kind = type(a)
    if kind is float or kind is float64 or kind is int:
        x = a
    elif kind is ndarray:
        x = {frozen_a}
        if type(z) is float:
            vjp = number_vjp_b
    else:
        return plain_reflected(b, a)
    y = compute(x, z)
    parent = b.node
    residuals = {kept_b}
    next_edge = None
"""
UNARY = """
def apply(a):
    level = a.level
    if not level.is_fast:
        return plain(a)
    x = a.value
    y = compute(x)
    if type(x) is not ndarray and type(x) in PYTHON_NUMBERS:
        y = weak(y, (x,))
    parent = a.node
    vjp = vjp_a
    residuals = {kept_a}
    next_edge = None
"""
ITEM = """
def item(y, level, parent, vjp, residuals):
    next_edge = None
"""
MAKE = """
    kind = type(y)
    if kind is ndarray and y.dtype is FLOAT64:
        shape = y.shape
        dtype = FLOAT64
    elif kind is float64:
        shape = ()
        dtype = FLOAT64
    elif kind is float:
        shape = ()
        dtype = float
    else:
        return of_another_kind(rule, y, level, parent, vjp, residuals, next_edge)
    node = new(FastNode)
    node.number = next(node_numbers)
    node.parent = parent
    node.vjp = vjp
    node.residuals = residuals
    node.next_edge = next_edge
    node.shape = shape
    node.dtype = dtype
    t = new(Tensor)
    t.value = y
    t.node = node
    t.level = level
    t.family = None
    return t
"""


def of_another_kind(rule: Rule, y: Any, level: Any, parent: Any, vjp: Any, residuals: tuple, next_edge: Any) -> Any:
    """The Tensor for a result that is neither a float nor of dtype float64."""
    if type(y) is not Tensor:
        guards.check_result(rule, y)
    node = FastNode(y)
    node.parent, node.vjp, node.residuals, node.next_edge = parent, vjp, residuals, next_edge
    return level.wrapped(y, node)


def generate(name: str, template: str, rule: Rule, compute: Any = None, **others: Any) -> Any:
    """Make the function of that name from a template, for a rule."""
    names, vjps = list(rule.vjps), [vjp for vjp in rule.vjps.values() if vjp]
    local = {**dict(zip(names, "xz")), "y": "y"}
    known = globals() | {"rule": rule, "compute": compute} | others
    fill = {}
    for argument, vjp in zip("ab", vjps):
        of_residual = [f"shape_of({local[r[:-6]]})" if r.endswith("_shape") else local[r] for r in vjp.residuals]
        fill[f"kept_{argument}"] = f"({''.join(text + ',' for text in of_residual)})"
        known[f"vjp_{argument}"] = FASTER.get(vjp.fun, vjp.fun)
        known[f"number_vjp_{argument}"] = OF_A_NUMBER.get(vjp.fun, known[f"vjp_{argument}"])
    if len(names) > 1 and len(vjps) > 1:
        fill["frozen_a"] = "level.frozen(a)" if names[0] in vjps[1].residuals else "a"
        fill["frozen_b"] = "level.frozen(b)" if names[1] in vjps[0].residuals else "b"
    exec(compile(template.format(**fill) + MAKE, f"<{name} of {rule.title}>", "exec"), known)
    return known[name]


def either(apply: Callable, reflected: Callable) -> Callable:
    """The function of two values, of which at least one is a Tensor."""
    return lambda a, b: apply(a, b) if type(a) is Tensor else reflected(b, a)


def binary(rule: Rule, compute: Any, plain: Any, plain_reflected: Any) -> tuple[Callable, Callable]:
    return (
        generate("apply", BINARY, rule, compute, plain=plain),
        generate("reflected", REFLECTED, rule, compute, plain_reflected=plain_reflected),
    )


def has_short_way(rule: Rule) -> bool:
    return not rule.constant and 0 < len(rule.vjps) <= 2 and None not in rule.vjps.values()


def short_way(rule: Rule) -> Any:
    """The short way of a ufunc, or of a function of one array; None if there is none. It is kept in the rule."""
    try:
        return rule.short  # type: ignore[attr-defined]
    except AttributeError:
        rule.short = make_short_way(rule)  # type: ignore[attr-defined]
        return rule.short  # type: ignore[attr-defined]


def make_short_way(rule: Rule) -> Any:
    fun, plain = rule.fun, partial(record_of, rule)
    if fun in ALONE and rule.vjps:
        first = Rule(fun, dict([next(iter(rule.vjps.items()))]))
        return generate("apply", UNARY, first, ALONE[fun], plain=plain)
    if not isinstance(fun, np.ufunc) or not has_short_way(rule) or fun.nout != 1 or fun.nin != len(rule.vjps):
        return None
    if fun.nin == 1:
        return generate("apply", UNARY, rule, fun, plain=plain)

    def compute(a: Any, b: Any) -> Any:
        y = fun(a, b)
        return y if type(y) is ndarray else weak(y, (a, b))

    compute = OPERATORS[fun][1] if fun in EXACT else compute
    return either(*binary(rule, compute, plain, lambda b, a: plain(a, b)))


def record_of(rule: Rule, *args: Any) -> Any:
    return tensor.record(rule, args, {})


# Functions of one array that have a short way without options.
ALONE = {np.sum: total, np.mean: average}
# The ufuncs behind operators: the name of the operator, and what finds the value.
OPERATORS = {
    np.add: ("add", operator.add),
    np.subtract: ("sub", operator.sub),
    np.multiply: ("mul", operator.mul),
    np.divide: ("truediv", guards.of_python_numbers(np.divide, operator.truediv)),
    np.remainder: ("mod", guards.of_python_numbers(np.remainder, operator.mod)),
    np.power: ("pow", guards.of_python_numbers(np.power, operator.pow)),
    np.matmul: ("matmul", matmul),
}
EXACT = (np.add, np.subtract, np.multiply, np.divide, np.matmul)  # of numbers, the operator gives what the ufunc does
UNARY_OPERATORS = {np.negative: "neg", np.absolute: "abs"}
plain_methods = {name: getattr(Tensor, name) for name in dir(Tensor) if name.startswith("__")}


def define_operator(ufunc: np.ufunc) -> None:
    """Give Tensor the short way of an operator, from the rule that the ufunc has now."""
    rule = rule_of(ufunc)
    if ufunc in UNARY_OPERATORS:
        name = f"__{UNARY_OPERATORS[ufunc]}__"
        setattr(Tensor, name, short_way(rule) or plain_methods[name])
        return
    name, compute = OPERATORS[ufunc]
    apply, reflected = plain_methods[f"__{name}__"], plain_methods[f"__r{name}__"]
    if has_short_way(rule):
        apply, reflected = binary(rule, compute, apply, reflected)
    setattr(Tensor, f"__{name}__", with_squares(rule, apply) if ufunc is np.power else apply)
    setattr(Tensor, f"__r{name}__", reflected)


def with_squares(rule: Rule, power: Callable) -> Callable:
    """The power, with a short way for t ** 2, as long as that has its rule from the table."""
    square = rule_of(np.square)
    if rule.vjps["a"].fun is not POWER or square.vjps["x"].fun not in FASTER:  # type: ignore[union-attr]
        return power
    plain, compute = plain_methods["__pow__"], OPERATORS[np.power][1]
    of_two = generate(
        "apply", UNARY, square, lambda x: np.square(x) if type(x) is ndarray else compute(x, 2), plain=lambda a: plain(a, 2)
    )

    def power_or_square(a: Any, b: Any) -> Any:
        return of_two(a) if (type(b) is int or type(b) is float) and b == 2 else power(a, b)

    return power_or_square


POWER = vjp_of(np.power, "a")


def comparison(name: str) -> Callable:
    """The short way of a comparison: its result is plain, so nothing is recorded."""
    operate, plain = getattr(operator, name), plain_methods[f"__{name}__"]

    def compare(a: Any, b: Any) -> Any:
        if a.level.is_fast and type(a.value) in NUMERIC:
            if type(b) in NUMERIC:
                return operate(a.value, b)
            if type(b) is Tensor and b.level is a.level:
                return operate(a.value, b.value)
        return plain(a, b)

    return compare


NUMERIC = {ndarray, float64, float, int}
# ---- Calls with options, like np.sum(t, axis=0) -----------------------------------------------------------------------
# `tensor.record` looks at every argument: what it is, and whether the rule knows its name. The names are the same in all
# calls that are written alike, so here they are looked at once, and what was found is kept in the rule, as a plan.

OPTIONS = {int, float, bool, str, type, type(None)}
INDEXED = {ndarray, Tensor}
SIMPLE_INDICES = {int, slice, type(None), type(...)}


def record_simple(rule: Rule, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Do what `tensor.record` does, for calls of one Tensor, which comes first, with options."""
    t = args[0] if args else None
    if type(t) is not Tensor or not t.level.is_fast or type(t.value) not in INDEXED:
        return tensor.record(rule, args, kwargs)
    for option in (*args[1:], *kwargs.values()):
        if type(option) not in OPTIONS and not (type(option) is tuple and OPTIONS.issuperset(map(type, option))):
            return tensor.record(rule, args, kwargs)
    form = (len(args), *kwargs)
    plans = vars(rule).setdefault("plans", {})
    plan = plans.get(form)
    if plan is None:
        plan = plans[form] = make_plan(rule, args, kwargs)
    vjp, keywords, pick = plan
    if vjp is None:
        return tensor.record(rule, args, kwargs)
    x, level = t.value, t.level
    y = rule.fun(x, *args[1:], **kwargs)
    if keywords:
        given = dict(zip(rule.parameters, args), **kwargs)
        vjp = partial(vjp, **{name: given[name] for name in keywords})
    result = item(y, level, t.node, vjp, pick(x, *args[1:], y=y, **kwargs))
    if type(y) is type(x) is ndarray:
        if y is x or y.base is not None and (y.base is x or y.base is x.base):
            note_view(result, t, None, partial(call_again, rule.fun, args, kwargs, t, None))
    elif type(y) is not float64:
        note_views(result, {"": t}, rule.fun, args, kwargs)
    return result


def make_plan(rule: Rule, args: tuple, kwargs: dict[str, Any]) -> tuple:
    """The VJP for the first argument of calls like this one, which of the options it takes, and what picks the residuals."""
    names = list(rule.parameters)
    options = [*names[1 : len(args)], *kwargs]
    vjp = rule.vjps.get(names[0]) if names else None
    variadic = any(p.kind is p.VAR_POSITIONAL for p in rule.parameters.values())
    if vjp is None or rule.constant or variadic or vjp.of_sequence or "y" in names or (rule.adapt and "order" in options):
        return None, [], None
    kept = {name.removesuffix("_shape") for name in vjp.residuals}
    is_simple = kept <= {names[0], "y", *options} and not vjp.choices.keys() & set(options)
    is_known = all(name in (*rule.vjps, *vjp.needs) for name in options)
    if not (is_simple and is_known):
        return None, [], None
    residuals = "".join(f"shape_of({r[:-6]})," if r.endswith("_shape") else f"{r}," for r in vjp.residuals)
    named = ", ".join(f"{name}=None" for name in dict.fromkeys([*names, *options, "y"]))
    pick = eval(f"lambda {named}: ({residuals})", {"shape_of": shape_of})
    return FASTER.get(vjp.fun, vjp.fun), [name for name in vjp.keywords if name in options], pick


item = generate("item", ITEM, Rule(record_simple))


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    if not kwargs and method == "__call__":
        short = short_way(rules.get(ufunc) or rule_of(ufunc))
        if short is not None:
            return short(inputs[0]) if len(inputs) == 1 else short(*inputs)
    return plain_methods["__array_ufunc__"](self, ufunc, method, *inputs, **kwargs)


def array_function(self: Any, function: Any, types: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    rule = rules.get(function) or rule_of(function)
    if not kwargs and len(args) == 1 and type(args[0]) is Tensor and function in ALONE:
        return short_way(rule)(args[0])
    return record_simple(rule, args, kwargs)


def array_sum(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Same as `numpy.sum`."""
    rule = rules[np.sum]
    return record_simple(rule, (self, *args), kwargs) if args or kwargs else short_way(rule)(self)


def array_mean(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Same as `numpy.mean`."""
    rule = rules[np.mean]
    return record_simple(rule, (self, *args), kwargs) if args or kwargs else short_way(rule)(self)


def getitem_method(self: Any, index: Any) -> Any:
    simple = type(index) in SIMPLE_INDICES or (type(index) is tuple and SIMPLE_INDICES.issuperset(map(type, index)))
    if simple and type(self.value) in INDEXED and self.level.is_fast:  # the same, for indices that are no arrays
        vjp = rules[getitem].vjps["a"].fun  # type: ignore[union-attr]
        if vjp in FASTER:
            y, node = self.value[index], self.node
            t = item(y, self.level, node, Parts, (index, node.shape))
            if type(y) is ndarray or (type(y) is Tensor and type(y.family) is View):
                note_view(t, self, index)
            return t
    return getitem(self, index)


# ---- All other calls ------------------------------------------------------------------------------------------------
# What `tensor.record` asks of every argument, with the usual types first.

LEAVES = {ndarray, float, int, bool, str, complex, type(None), float64, type, np.dtype}


def within(value: Any, change: Callable) -> Any:
    """`guards.within`"""
    kind = type(value)
    if kind in LEAVES:
        return value
    if kind is tuple or kind is list:
        return kind([change(member) for member in value])
    return plain_within(value, change)


def admitted(value: Any) -> Any:
    """`guards.admitted`"""
    kind = type(value)
    if kind in LEAVES or kind is Tensor:
        return value
    return kind([admitted(member) for member in value]) if kind is tuple or kind is list else plain_admitted(value)


def unwrap(value: Any, level: Any) -> Any:
    """`tensor.unwrap`"""
    kind = type(value)
    if kind is Tensor:
        return value.value if value.level is level else value
    if kind is dict:
        return {name: unwrap(member, level) for name, member in value.items()}
    if kind is tuple or kind is list:
        return kind([unwrap(member, level) for member in value])
    return value if kind in LEAVES else plain_unwrap(value, level)


def top_level(value: Any) -> Any:
    """`tensor.top_level`"""
    kind = type(value)
    if kind is Tensor:
        return value.level
    if kind is not tuple and kind is not list:
        return None if kind in LEAVES else plain_top_level(value)
    top = None
    for member in value:
        level = top_level(member)
        if level is not None and (top is None or level.number > top.number):
            top = level
    return top


plain_within, plain_admitted, plain_unwrap, plain_top_level = guards.within, guards.admitted, tensor.unwrap, tensor.top_level

# ---- What is replaced -----------------------------------------------------------------------------------------------

plain_enter = table.enter


def enter(rule: Rule) -> None:
    """`table.enter`: a new rule of an operator takes effect at once."""
    plain_enter(rule)
    if rule.fun in OPERATORS or rule.fun in UNARY_OPERATORS:
        define_operator(rule.fun)
    if rule.fun is np.square:
        define_operator(np.power)


def install() -> None:
    """Replace the names of the core that have a faster counterpart here."""
    graph.Level.is_fast = False  # type: ignore[attr-defined]  # of levels that are not ours
    graph.backward = backward
    for module in (graph, tensor, boundary, custom):
        module.Node = FastNode  # type: ignore[attr-defined, misc]
    tensor.GradLevel = FastLevel  # type: ignore[misc]
    boundary.tensors_for, boundary.gradients_for, boundary.owned = tensors_for, gradients_for, owned
    boundary.check_output, boundary.one_like = check_output, one_like
    reductions._spread = spread
    guards.within, guards.admitted = within, admitted
    tensor.unwrap, tensor.top_level = unwrap, top_level
    table.enter = enter
    for ufunc in (*OPERATORS, *UNARY_OPERATORS):
        define_operator(ufunc)
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Tensor, f"__{name}__", comparison(name))
    Tensor.__array_ufunc__ = array_ufunc  # type: ignore[method-assign]
    Tensor.__array_function__ = array_function  # type: ignore[method-assign]
    Tensor.__getitem__ = getitem_method  # type: ignore[method-assign]
    Tensor.sum, Tensor.mean = array_sum, array_mean  # type: ignore[attr-defined]


install()
