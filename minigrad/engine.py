"""The graph, the table of rules, and the backward pass.

Reverse-mode differentiation in four parts, in the order in which one would explain them:

1. While the user's function runs, every operation leaves a ``Node``: its parents and, for each parent, the
   vector-Jacobian product (VJP) that takes the operation's cotangent to the parent's.
2. ``backward`` walks from the node of the output to the leaves, newest node first, and adds up cotangents.
3. Where the VJPs come from: a table with one ``Rule`` for each NumPy function, filled by ``defvjp``.
4. A ``Level`` for each running call of ``grad``, so that calls can be nested.

Nothing here knows what a Tensor is. A value may be a number, an array, or anything that speaks NumPy's protocols.
"""

from __future__ import annotations

import inspect
import os
import sys
from functools import cache, wraps
from heapq import heappop, heappush
from itertools import count
from types import CodeType
from typing import Any, Callable, get_args
from weakref import WeakValueDictionary

import numpy as np
from numpy import float64, ndarray

# ---- 1. The graph ---------------------------------------------------------------------------------------------------

class Edge:
    """The way from a node back to one of its parents.

    Attributes
    ----------
    parent : Node
    vjp : callable
    residuals : tuple
        ``vjp(g, *residuals)`` is what the parent's cotangent receives when the node's own is `g`.
    next_edge : Edge or None
        To the node's next parent, if it has more of them.
    """

    # No constructor: to call one takes longer than to fill these in, and each operation would call three.
    __slots__ = ("parent", "vjp", "residuals", "next_edge")
    parent: Any
    vjp: Any
    residuals: tuple
    next_edge: Edge | None


# Counts downwards: the newest node has the smallest number, and comes first out of a heap.
node_numbers = count(0, -1)
FLOAT64 = np.dtype(float64)
BORROWED = object()  # in place of the VJP that a leaf does not have: its value is the user's own array. See `settled`
MARK = "__is_part_of_minigrad__"  # in the globals of all its modules: what they call, the user has called


class Node(Edge):
    """One recorded operation, or a leaf: where a value came from, and what its derivative needs. See `new_node`.

    A node is its own first edge. Most have no other, and Python's garbage collector goes through all live objects
    again and again: a long chain of operations takes two thirds of the time if each leaves one object, not three.

    Attributes
    ----------
    number : int
        Smaller for newer nodes.
    shape, dtype
        Those of the value, and so of its cotangent. The value itself is not kept: it lives as long as the user's
        own variable, or as a rule that named it. See `describe`.
    parent : Node or None
        None for a leaf, which has no edges.
    code, instruction
        The place in the user's program that recorded it, if that was noted. See `note_line`.
    """

    __slots__ = ("number", "shape", "dtype", "code", "instruction")
    number: int
    shape: Any
    dtype: Any
    code: CodeType
    instruction: int

    @property
    def edges(self) -> list[Edge]:
        """All edges: none for a leaf."""
        edges: list[Edge] = []
        edge: Edge | None = None if self.parent is None else self
        while edge is not None:
            edges.append(edge)
            edge = edge.next_edge
        return edges

    @property
    def line(self) -> str:
        """The line of the user's program that recorded it."""
        lines = [position[0] for position in self.code.co_positions()]
        return f"{self.code.co_filename}, line {lines[self.instruction // 2]}, in {self.code.co_name}"


def new_node(
    value: Any, parent: Any = None, vjp: Any = None, residuals: tuple = (), next_edge: Edge | None = None
) -> Node:
    """Return the node for a value: with a first edge, and those that come after it; or, without a parent, a leaf.

    Raises
    ------
    TypeError
        If the value is an array of Python objects.
    """
    node = Node()
    node.number = next(node_numbers)
    node.parent = parent
    node.vjp = vjp
    node.residuals = residuals
    node.next_edge = next_edge
    node.shape, node.dtype = describe(value)
    if node.dtype == object:
        raise TypeError("an array of Python objects cannot be differentiated; convert it, or np.stack its elements")
    if parent is not None:
        note_line(node)
    return node


def note_line(node: Node) -> None:
    """Let a node know the place in the user's program that is recording it: the innermost that is not in minigrad."""
    frame: Any = sys._getframe(1)
    while MARK in frame.f_globals and frame.f_back is not None:
        frame = frame.f_back
    node.code = frame.f_code
    node.instruction = frame.f_lasti


def describe(value: Any) -> tuple[Any, Any]:
    """Return the shape and dtype of a value, as nodes store them.

    The "dtype" of a Python number is its type: like the number, it is weak, and turns no float32 array into float64.
    Some functions take or return several arrays: for a list the "shape" is a list of such pairs.
    """
    value = getattr(value, "node", value)  # a value that is itself recorded, by an outer grad
    if isinstance(value, (Node, np.generic)):
        return value.shape, value.dtype
    for number in (float, complex, bool, int):
        if isinstance(value, number):
            return (), number
    if isinstance(value, (list, tuple)):
        return [describe(member) for member in value], list
    if isinstance(value, ndarray) and type(value) is not ndarray:
        raise TypeError(f"a {type(value).__name__} cannot be combined with a value being differentiated; make it an array")
    return value.shape, value.dtype


def shape_of(value: Any) -> Any:
    """Return the shape of a value; for a list, a list of shapes."""
    if isinstance(value, (list, tuple)):
        return [shape_of(member) for member in value]
    return describe(value)[0]


# ---- 2. The backward pass -------------------------------------------------------------------------------------------


def backward(node: Node, g: Any) -> dict[Node, Any]:
    """Return the cotangents of the leaves that `node` depends on, when its own cotangent is `g`.

    A node must not be visited before everything that used its value, for only then is its cotangent complete. All
    of that is newer, so the newest of the pending nodes is always ready. (It waits in `ready` while it is the newest,
    and is put to the others, in a heap, only if a newer one comes.) Once visited, a node is forgotten here; if the
    caller has let go of the graph too, that frees what the node kept.
    """
    if node.parent is None:
        return {node: g}
    of_leaves: dict[Node, Any] = {}
    pending: dict[int, tuple[Node, Any]] = {}  # node number to the node and its cotangent so far
    numbers: list[int] = []  # of the pending nodes, as a heap
    summed: set[Node] = set()  # leaves of which the cotangent is a sum
    while True:
        kind = type(g)
        if kind is dict:
            g = _fill(g, node.shape)
        elif kind is Parts or (kind is Scaled and node.vjp not in takes_scaled):
            g = _total(g, node)
        edge: Any = node
        ready = None
        while edge is not None:
            parent, vjp, residuals = edge.parent, edge.vjp, edge.residuals
            if vjp is unchanged and node.shape == parent.shape and node.dtype is parent.dtype:
                share = g  # most sums: nothing to call, and nothing to undo
            else:
                try:
                    if not residuals:  # calls without a star are faster, and hardly any VJP has more than one residual
                        share = vjp(g)
                    else:
                        share = vjp(g, residuals[0]) if len(residuals) == 1 else vjp(g, *residuals)
                    # Most operations have nothing to undo: no call for an array or number that fits.
                    kind = type(share)
                    if kind is ndarray:
                        if share.shape != parent.shape or share.dtype is not parent.dtype:
                            share = fit(share, parent.shape, parent.dtype)
                    elif kind is float64:
                        if parent.dtype is float:
                            share = float(share)
                        elif parent.dtype is not FLOAT64 or parent.shape:
                            share = fit(share, parent.shape, parent.dtype)
                    elif kind is not parent.dtype:
                        share = fit(share, parent.shape, parent.dtype)
                except (ZeroDivisionError, OverflowError):  # of Python's numbers, where NumPy's are infinite
                    share = _with_numpy_numbers(g, edge, node)
                except Exception as error:
                    _add_line(error, node)
                    raise
            edge = edge.next_edge
            if parent.parent is None:
                total = of_leaves.get(parent)
                if total is None:
                    of_leaves[parent] = share
                elif parent in summed and type(total) is ndarray and type(share) is ndarray:
                    total += share  # into the sum itself, which was made here and is nobody else's
                else:
                    of_leaves[parent] = add(total, share)
                    summed.add(parent)
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
    return of_leaves


def unchanged(g: Any) -> Any:
    """The VJP of a sum, for each of its terms. The backward pass knows it, and does without the call."""
    return g


def _add_line(error: Exception, node: Node) -> None:
    """Say in an error which line of the user's program recorded the node; or that it remains to be found out."""
    if hasattr(node, "code"):
        error.add_note(f"This is an error in the backward pass, at an operation that was recorded in {node.line}")
        vars(error).pop(LACKS_LINE, None)
    else:
        setattr(error, LACKS_LINE, True)


LACKS_LINE = "lacks_line"  # an attribute of such errors


def _total(g: Any, node: Node) -> Any:
    try:
        return g.total()
    except Exception as error:
        _add_line(error, node)
        raise


def _with_numpy_numbers(g: Any, edge: Edge, node: Node) -> Any:
    try:
        share = edge.vjp(*map(_numpy_number, (g, *edge.residuals)))
        return fit(share, edge.parent.shape, edge.parent.dtype)
    except Exception as error:
        _add_line(error, node)
        raise


def _numpy_number(value: Any) -> Any:
    return np.asarray(value)[()] if type(value) in (float, complex) else value


def fit(share: Any, shape: Any, dtype: Any) -> Any:
    """Undo, in a cotangent, what NumPy did to a value of that shape and dtype to combine it with others.

    Broadcasting used the value several times, so the cotangent is summed over those axes. Promotion is undone by a
    cast, and the cotangent of a real value in complex arithmetic is the real part.
    """
    if type(share) is dtype or dtype is list or type(share) is Parts:
        return share  # a number for a number; several arrays, each fitted on its own; parts that fit
    if type(share) is Scaled:
        if share.array.shape == shape and share.array.dtype is dtype:
            return share
        share = share.factor * np.add.reduce(share.array, None) if shape == () else share.total()
    if shape == () and type(share) is ndarray:  # a number that was combined with an array
        share = np.add.reduce(share, None)
    if dtype is float and type(share) is float64:
        return float(share)
    if not isinstance(share, (int, float, complex)) and not hasattr(share, "dtype"):
        raise TypeError(f"a rule returned {share!r} where a number or an array was expected (x=None defines a zero derivative)")
    found, its_dtype = describe(share)
    if found != shape:
        added = len(found) - len(shape)
        if added < 0 or any(n not in (1, m) for n, m in zip(shape, found[added:])):
            raise ValueError(
                f"a rule returned a cotangent of shape {found} for a value of shape {shape}: it has to be of that "
                f"shape, or of one to which that shape broadcasts"
            )
        axes = (*range(added), *(added + i for i, n in enumerate(shape) if n != found[added + i]))
        share = np.add.reduce(share, axes) if type(share) is ndarray else share.sum(axis=axes)
        if len(axes) > added:
            share = share.reshape(shape)
    if np.dtype(its_dtype).kind == "c" and np.dtype(dtype).kind != "c":
        share = share.real
    if isinstance(dtype, type):  # a Python number; what an outer grad records stays as it is
        return share if hasattr(share, "node") else dtype(share)
    if its_dtype == dtype and not isinstance(its_dtype, type):
        return share
    return share.astype(dtype) if hasattr(share, "astype") else dtype.type(share)


def add(g: Any, share: Any) -> Any:
    """Add two cotangents of one node. Those of a node with several outputs are dicts, output number to cotangent."""
    if type(g) is dict:
        for i, more in share.items():
            g[i] = add(g[i], more) if i in g else more
        return g
    g = g.total() if type(g) is Scaled else g
    share = share.total() if type(share) is Scaled else share
    if type(g) is Parts:
        return g.add(share)
    if type(share) is Parts:
        return share.add(g)
    return g + share


class Parts:
    """The cotangent of an array of which elements were taken: shares of those, not added up before all are there.

    An array with zeros for all other elements, for each of them, would make the time of a loop over the elements
    grow with the square of their number.
    """

    __slots__ = ("shares", "indices", "shape", "combine")

    def __init__(self, share: Any, index: Any, shape: tuple, combine: Callable) -> None:
        self.shares = [share]
        self.indices = [index]
        self.shape = shape
        self.combine = combine

    def add(self, other: Any) -> Parts:
        """Take in the parts of another, or the cotangent of all elements."""
        self.shares += other.shares if type(other) is Parts else [other]
        self.indices += other.indices if type(other) is Parts else [...]
        return self

    def total(self) -> Any:
        """The whole."""
        return self.combine(self.shares, self.indices, self.shape)


class Scaled:
    """The cotangent of an array, not multiplied out: `array` times the number `factor`, which is finite.

    Where it ends in a number, as on the way from a mean of squares to the weight of a line, the sum is taken first,
    and only that is multiplied: one pass over the data less.
    """

    __slots__ = ("array", "factor")

    def __init__(self, array: ndarray, factor: float64) -> None:
        self.array = array
        self.factor = factor

    def __neg__(self) -> Scaled:
        return Scaled(self.array, -self.factor)

    def total(self) -> ndarray:
        """The product."""
        return self.array * self.factor


# The VJPs that can do with that. (In a difference, there is -g besides the first of these.)
takes_scaled: set[Callable] = {unchanged}


def _fill(g: dict[int, Any], outputs: list) -> list:
    """The cotangents of all outputs, with zeros for those that were not used."""
    return [g[i] if i in g else np.zeros(shape, dtype) for i, (shape, dtype) in enumerate(outputs)]


# ---- 3. The table of rules ------------------------------------------------------------------------------------------


class Rule:
    """What is known of one function: its parameters, and the VJP for each argument that has a derivative.

    Attributes
    ----------
    fun : callable
    names : list of str
        The parameters, in order.
    variadic : int or None
        Which of them takes any number of arguments (``*operands``).
    defaults : dict
        The defaults of those that have one.
    vjps : dict
        Argument to `VJP`, or to None where the derivative is zero.
    constant : bool
        Piecewise constant (`numpy.floor`), or not about values at all (`numpy.shape`): nothing is recorded.
    final : bool
        Operators have taken their VJPs from it, and it can no longer be changed.
    short
        A faster way to record its simplest calls, or None.
    plans : dict
        What is known of its calls by the names of the arguments that are given: see `tensor.record_simple`.
    """

    def __init__(self, fun: Callable) -> None:
        self.fun = fun
        self.names: list[str] = []
        self.defaults: dict[str, Any] = {}
        self.variadic: int | None = None
        self.vjps: dict[str, Any] = {}
        self.constant = False
        self.final = False
        self.short: Any = None
        self.plans: dict[tuple, Any] = {}
        self.unread: dict[str, Any] = {}  # definitions that `read` has not seen

    def read(self) -> None:
        """Find out what the definitions say, and whether they make sense."""
        vjps, self.unread = self.unread, {}
        if isinstance(self.fun, np.ufunc):
            self.names = list(vjps)
            if len(vjps) != self.fun.nin:
                raise TypeError(f"{title(self.fun)} takes {self.fun.nin} arguments: give a VJP, or None, for each of them")
        else:
            parameters = [p for p in _signature(self.fun).parameters.values() if p.kind is not p.VAR_KEYWORD]
            self.names = [p.name for p in parameters]
            self.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
            self.variadic = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
        for name in vjps:
            if name not in self.names:
                raise TypeError(f"{title(self.fun)} has no argument {name}, it has {', '.join(self.names)}")
        self.vjps |= {name: vjp and VJP(vjp, self) for name, vjp in vjps.items()}
        self.short = None
        self.plans = {}

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name."""
        if self.variadic is not None:
            args = (*args[: self.variadic], args[self.variadic :])
        given = dict(zip(self.names, args))
        given.update(kwargs)
        return given


class VJP:
    """One line of the table, and what the names of its parameters ask for.

    Attributes
    ----------
    fun : callable
        ``fun(g, *residuals, **keywords)``
    residuals : list of str
        The parameters without a default: what is kept of the forward pass.
    keywords : list of str
        The parameters with a default: keywords of the function that this VJP honours.
    pick : callable
        Takes the function's arguments, and its result, to the tuple of residuals.
    pick_named : callable
        The same, from a dict of arguments, with the result as ``y``.
    choices : dict
        Of the keywords that are annotated with a `Literal`, the values that are honoured.
    sequence : bool
        The argument is a sequence of arrays, and its cotangent a list.
    """

    def __init__(self, fun: Callable, rule: Rule) -> None:
        _, *parameters = inspect.signature(fun).parameters.values()
        self.fun = fun
        self.residuals = [p.name for p in parameters if p.default is p.empty]
        self.keywords = [p.name for p in parameters if p.default is not p.empty]
        self.choices = {p.name: get_args(p.annotation) for p in parameters if get_args(p.annotation)}
        self.sequence = getattr(fun, "sequence", False)
        names = list(dict.fromkeys([*rule.names, "y"]))
        sources = {name: name for name in names}
        sources |= {f"{name}_shape": f"{name}.shape if type({name}) is ndarray else shape_of({name})" for name in names}
        # A keyword of a NumPy function may be newer than the installed NumPy.
        for name in self.residuals if title(rule.fun).startswith("np.") else (*self.residuals, *self.keywords):
            if name not in sources:
                raise TypeError(f"a rule for {title(rule.fun)} can name {', '.join(sources)}, but not {name}")
        # As source, because nothing picks faster than a tuple display: "lambda a=None, b=None, y=None: (b,)"
        residuals = "".join(sources[name] + "," for name in self.residuals)
        known = {"ndarray": ndarray, "shape_of": shape_of}
        self.pick = eval(f"lambda {', '.join(f'{name}=None' for name in names)}: ({residuals})", known)
        self.pick_named = lambda given: self.pick(**{name: given[name] for name in names if name in given})


_rules: dict[Any, Rule] = {}
# A rule of minigrad's own is read when it is first needed: all of them would take as long as importing NumPy.
table_is_loading = True


def rule_of(fun: Any) -> Rule:
    """Return the rule of a function, an empty one if it has none yet."""
    rule = _rules.get(fun)
    if rule is None:
        rule = _rules[fun] = Rule(fun)
    elif rule.unread:
        rule.read()
    return rule


def defvjp(fun: Callable, **vjps: Callable | None) -> None:
    """Define the derivative of a NumPy function, a ufunc, or a function made by `primitive`.

    Parameters
    ----------
    fun : callable
    **vjps : callable or None
        For each differentiable argument, under its name, a function ``vjp(g, ...)``: it takes the cotangent `g` of
        the result to the cotangent of that argument. Its further parameters say what it needs:

        - without a default, an argument of `fun`, ``y`` for its result (unless `fun` has a parameter ``y``), or
          ``<argument>_shape``. Only what is named is kept until the backward pass.
        - with a default, a keyword of `fun` that the VJP honours. A call with any other keyword is refused.

        It may leave broadcasting, dtypes and real parts as they come out: the backward pass undoes them. Written
        with NumPy functions that have rules themselves, it is differentiable, and higher derivatives need no more.
        None says that the derivative is zero. The parameters of a ufunc have no names: give all its arguments, in
        order.

    Raises
    ------
    TypeError
        If `fun` is neither a function of NumPy's nor made by `primitive`, or if a VJP is given for, or names,
        something that is not a parameter of it.
    ValueError
        If `fun` is a ufunc behind an operator (`numpy.add`): their rules are fixed.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> @minigrad.primitive
    ... def softplus(x):
    ...     return np.logaddexp(x, 0)
    >>> minigrad.defvjp(softplus, x=lambda g, x: g / (1 + np.exp(-x)))
    >>> minigrad.grad(softplus)(0.0)
    0.5
    """
    rule = rule_of(fun)
    if not isinstance(fun, np.ufunc) and not hasattr(fun, "_implementation") and not hasattr(fun, "is_primitive"):
        raise TypeError(f"{title(fun)} is neither a function of NumPy's nor one made by minigrad.primitive")
    if rule.final:
        raise ValueError(f"the rule of {title(fun)} is built into the operators, and cannot be changed")
    rule.unread = vjps
    if not table_is_loading:
        rule.read()


def sequence(vjp: Callable) -> Callable:
    """Mark a VJP as one for an argument that is a sequence of arrays: it returns a list, a cotangent for each."""
    vjp.sequence = True  # type: ignore[attr-defined]
    return vjp


def defconstant(*funs: Callable) -> None:
    """Say of functions that their results do not change with small changes of their arguments: zero derivative."""
    for fun in funs:
        rule_of(fun).constant = True


def primitive(fun: Callable) -> Callable:
    """Make a function one operation of the graph, instead of all that happens inside it. See `defvjp`."""

    @wraps(fun)
    def operation(*args: Any, **kwargs: Any) -> Any:
        tensor = find_recorded((args, kwargs))
        if tensor is None:
            return fun(*args, **kwargs)
        return tensor.__array_function__(operation, (type(tensor),), args, kwargs)

    operation.is_primitive = True  # type: ignore[attr-defined]
    return operation


def find_recorded(value: Any) -> Any:
    """A value that has a node, among arguments; they may be in lists."""
    if isinstance(value, (list, tuple, dict)):
        found = map(find_recorded, value.values() if isinstance(value, dict) else value)
        return next((tensor for tensor in found if tensor is not None), None)
    return value if isinstance(getattr(value, "node", None), Node) else None


def title(fun: Any) -> str:
    """A function's name as users write it."""
    module = getattr(fun, "__module__", None) or "numpy"
    if isinstance(fun, np.ufunc) and getattr(np, fun.__name__, None) is not fun:  # ufuncs do not tell where they are from
        module = "scipy.special" if hasattr(sys.modules.get("scipy.special"), fun.__name__) else ""
    return f"{module.replace('numpy', 'np', 1)}.{fun.__name__}".lstrip(".")


def _signature(fun: Callable) -> inspect.Signature:
    try:
        return inspect.signature(fun)
    except ValueError:  # before NumPy 2.4, functions written in C do not tell
        return inspect.signature(C_FUNCTIONS[fun.__name__])


C_FUNCTIONS: dict[str, Callable] = {
    "concatenate": lambda arrays, axis=0, out=None, *, dtype=None, casting="same_kind": ...,
    "where": lambda condition, x=None, y=None: ...,
    "dot": lambda a, b, out=None: ...,
}


# ---- 4. Levels ------------------------------------------------------------------------------------------------------

_level_numbers = count(1)


class Level:
    """One running call of ``grad``: what it records belongs to it, and it is over when the call returns.

    Calls nest, and an inner one has the higher number. That is all that higher derivatives need: an operation on
    Tensors of several levels is recorded at the highest, with the others as constants, and its value is computed
    (and so recorded again) without that level. There is no global state, so threads do not disturb each other.
    """

    __slots__ = ("number", "open", "is_plain", "copies")

    def __init__(self, notes_lines: bool = False) -> None:
        self.number = next(_level_numbers)
        self.open = True
        self.is_plain = not notes_lines  # the one thing that every operation asks: is this level open, without notes?
        self.copies: WeakValueDictionary[int, ndarray] | None = None

    def close(self) -> None:
        """From here on, its Tensors cannot be used."""
        self.open = self.is_plain = False

    def frozen(self, array: ndarray) -> ndarray:
        """Return what a rule can keep of an array of the user's: something that will still be the same afterwards.

        The function may write into its arrays after it has used them, and the derivative depends on what was in them
        then. So a rule gets a copy, unless the array is read-only (and not a view, which changes with its base). An
        array that is not small is copied once for all its uses, as long as it does not change. (That a view taken
        before an array became read-only can still change it, is not seen.)
        """
        prime_allocator(array)
        if not array.flags.writeable and array.base is None:
            return array
        if array.nbytes < 16_384:
            return copied(array)
        if self.copies is None:
            self.copies = WeakValueDictionary()
        copy = self.copies.get(id(array))
        if copy is None or not _same_bits(copy, array):
            copy = self.copies[id(array)] = copied(array)
        return copy


def copied(array: ndarray) -> ndarray:
    """Return a copy, of which the elements come in the same order as those of the array, in whatever order is asked for.

    "A" is the order of Fortran for an array that lies in memory that way and without gaps. So a copy of one with gaps
    must not be without. And what was broadcast stays so (which makes the copy read-only, as that is).
    """
    shape = array.shape
    if 0 in array.strides:
        array = array[tuple([slice(1) if stride == 0 else slice(None) for stride in array.strides])]
    copy = array.copy("K")
    if copy.flags.fnc and not array.flags.fnc:
        copy = np.empty((2, *array.shape), array.dtype, "F")[0]
        copy[...] = array
    return copy if copy.shape == shape else np.broadcast_to(copy, shape)


def _same_bits(a: ndarray, b: ndarray) -> bool:
    """Whether two arrays are equal to the bit: unlike ==, with NaN equal to itself, and -0.0 not to 0.0."""
    if a.dtype != b.dtype or a.itemsize > 8:
        return False
    bits = f"u{a.itemsize}"
    return np.array_equal(a.view(bits), b.view(bits))


def prime_allocator(array: ndarray) -> None:
    """Make glibc keep the memory of large arrays for the next ones: once, with the first array of that size.

    It serves blocks above a threshold, at first 128 KiB, with fresh pages from the system, and returns them when
    they are freed; a gradient step then spends most of its time waiting for pages. The threshold rises to the size
    of a block that is freed: so one is, whose pages were never touched. Up to twice that size may then stay with
    the process. Elsewhere it has no effect. The environment variable MINIGRAD_PRIME_ALLOCATOR=0 turns it off.
    """
    if array.nbytes >= 131_072:
        _prime_allocator()


@cache
def _prime_allocator() -> None:
    if os.environ.get("MINIGRAD_PRIME_ALLOCATOR") != "0":
        np.empty(16_000_000, np.uint8)
