"""What happened in one call: every operation, with the user's line and the user's names, and every step backwards.

A `Trace` is an observer of the engine (see `minigrad.graph.Observer`). The other files of this folder show what it saw.
"""

from __future__ import annotations

import linecache
import sys
import types
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Iterator

import numpy as np

from .. import tree
from ..arguments import Arguments
from ..boundary import Options
from ..functions import check_callable, name_of
from ..grad import differentiate
from ..graph import Node, Observer
from ..libraries import is_library, user_frame
from ..memory import innermost
from ..table import rule_of
from ..tensor import Tensor
from ..views import tensors


@dataclass(frozen=True)
class Line:
    """A line of the user's program."""

    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """The source, or an empty text if there is none."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}, in {self.function}"


@dataclass(eq=False)
class Value:
    """A number or array that takes part: a leaf, a result of an operation, or a constant.

    Attributes
    ----------
    name : str
        The user's name for it, such as ``theta['w']`` or ``loss``. Without one, ``v3``; for a constant ``c0``, or the number.
    value : number or numpy.ndarray
        A copy of what it was at that time.
    node : Node or None
        None for a constant.
    operation : Operation or None
        The operation whose result it is.
    """

    name: str
    value: Any
    node: Node | None = field(default=None, repr=False)
    operation: Operation | None = field(default=None, repr=False)
    is_named: bool = False


@dataclass(eq=False)
class Operation:
    """An operation that was recorded.

    Attributes
    ----------
    number : int
        0, 1, 2, and so on, in the order in which they were recorded.
    function : callable
    args, kwargs
        What it was called with. A `Value` stands in the place of each number and array.
    results : list of Value
        One, or several if the function returns several arrays.
    node : Node
    line : Line
    in_backward : bool
        It is a step of the backward pass of an inner derivative. Then `line` is the line that asked for this derivative.
    """

    number: int
    function: Any
    args: tuple
    kwargs: dict[str, Any]
    node: Node
    line: Line
    in_backward: bool = False
    results: list[Value] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The function's name as users write it."""
        title = self.function.__name__ if hasattr(self.function, "fwd") else rule_of(self.function).title
        return title if title.startswith(("np.", "scipy.")) else title.rpartition(".")[2]

    @property
    def operands(self) -> list[Value]:
        """The values that it was called with, in order, also those in lists and tuples."""
        return _values((self.args, self.kwargs))

    @property
    def parents(self) -> list[Value]:
        """The operands that are not constants."""
        return [value for value in self.operands if value.node is not None]


@dataclass(eq=False)
class Share:
    """What one step of the backward pass handed to one parent.

    Attributes
    ----------
    parent : Value
    vjp : callable
        The rule's function, without the keywords of the call.
    residuals : tuple
        What it was called with, besides the cotangent.
    value
        The share.
    total
        The cotangent of the parent so far: the sum of the shares that it has received.
    """

    parent: Value
    vjp: Callable
    residuals: tuple
    value: Any
    total: Any


@dataclass(eq=False)
class Visit:
    """One step of the backward pass: an operation, the cotangent of its result, and what its parents received."""

    operation: Operation
    cotangent: Any
    shares: list[Share] = field(default_factory=list)


class Trace(Observer):
    """The record of one call of a function and of its gradient.

    Attributes
    ----------
    inputs : list of Value
        The leaves of the differentiated arguments.
    operations : list of Operation
    visits : list of Visit
        In the order of the backward pass.
    value, gradient
        What `value_and_grad` returns.
    """

    def __init__(self) -> None:
        self.title = ""
        self.inputs: list[Value] = []
        self.operations: list[Operation] = []
        self.visits: list[Visit] = []
        self.value: Any = None
        self.gradient: Any = None
        self.cotangents: dict[Value, Any] = {}
        self.values: dict[Node, Value] = {}  # by node
        self.constants: dict[int, tuple[Any, Value]] = {}  # by id; the object is kept, so that its id stays its own
        self.uses: dict[str, int] = {}  # how often a name was given
        self.dealers: dict[Node, tuple[Visit, Callable]] = {}  # nodes that only deal out the cotangents of a sequence, and its VJP
        self.unnamed = 0  # how many constants have no name
        self.visit: Visit | None = None
        self.edges: Iterator = iter(())

    # ---- The observer ----

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Node) -> None:
        frame, in_backward = user_frame()
        self._find_names(frame)
        line = Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        new_args, new_kwargs = self._referred(args, frame), self._referred(kwargs, frame)
        operation = Operation(len(self.operations), function, new_args, new_kwargs, node, line, in_backward)
        name = f"v{operation.number}"
        found = tensors(result)
        for i, t in enumerate(found):
            own_name = name if t.node is node or len(found) == 1 else f"{name}[{i}]"
            value = Value(own_name, _copy(t.value), t.node, operation)
            self.values[t.node] = value
            operation.results.append(value)
        self.values.setdefault(node, operation.results[0] if operation.results else Value(name, None, node, operation))
        self.operations.append(operation)

    def visited(self, node: Node, g: Any) -> None:
        value = self.values.get(node)
        self.edges = iter(node.edges)
        if node in self.dealers:
            self.visit = self.dealers[node][0]
        elif value is None or value.operation is None or value.operation.node is not node:
            self.visit = None  # one of several results, which hands its cotangent to the node of all of them
        else:
            self.visit = Visit(value.operation, _copy(g[0] if isinstance(g, list) and len(g) == 1 else g))
            self.visits.append(self.visit)
        if value is not None and not isinstance(g, (list, dict)):
            self.cotangents[value] = _copy(g)

    def handed_back(self, node: Node, parent: Node, share: Any, total: Any) -> None:
        _, vjp, residuals = next(self.edges)
        if self.visit is None:
            return
        if parent not in self.values:
            self.dealers[parent] = self.visit, getattr(vjp, "func", vjp)
            return
        value = self.values[parent]
        if isinstance(total, dict):
            return
        if node in self.dealers:
            vjp, residuals = self.dealers[node][1], ()
        self.visit.shares.append(Share(value, getattr(vjp, "func", vjp), residuals, _copy(share), _copy(total)))
        self.cotangents[value] = _copy(total)

    # ---- Names ----

    def _referred(self, value: Any, frame: Any) -> Any:
        """Return an argument with a `Value` in the place of each number, array and Tensor."""
        if isinstance(value, Tensor) and value.node in self.values:
            return self.values[value.node]
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return type(value)(self._referred(member, frame) for member in value)
        if isinstance(value, dict):
            return {key: self._referred(member, frame) for key, member in value.items()}
        if isinstance(value, (np.ndarray, Tensor)) or (isinstance(value, np.generic) and value.dtype.kind in "fc"):
            if id(value) not in self.constants:
                self.constants[id(value)] = value, Value(self._name_of_constant(value, frame), _copy(value))
            return self.constants[id(value)][1]
        return value

    def _name_of_constant(self, value: Any, frame: Any) -> str:
        """Return the name of the variable, attribute or entry that holds a constant. A number without one is its own name."""
        for names in (frame.f_locals, frame.f_globals):
            for name, other in _places(names):
                if other is value:
                    return name
        for name, other in frame.f_locals.items():
            if _are_equal(other, value):
                return name
        if np.ndim(value) == 0 and not isinstance(value, Tensor):
            return f"{np.real_if_close(value).item():.4g}"
        self.unnamed += 1
        return f"c{self.unnamed - 1}"

    def _find_names(self, frame: Any) -> None:
        """Give the values that the variables of a frame hold the names of these variables."""
        for name, t in list(frame.f_locals.items()):
            value = self.values.get(t.node) if isinstance(t, Tensor) else None
            if value is not None and not value.is_named and name.isidentifier():
                self.uses[name] = uses = self.uses.get(name, 0) + 1
                value.name, value.is_named = name if uses == 1 else f"{name}_{uses}", True

    # ---- The run ----

    @property
    def named_constants(self) -> list[Value]:
        """The constants that are not numbers of the source."""
        return [value for _, value in self.constants.values() if np.ndim(value.value) or value.name[0].isalpha()]

    def final_values(self) -> list:
        """The leaves of the value and of the gradient."""
        return [leaf for leaf in tree.leaves((self.value, self.gradient)) if isinstance(leaf, (float, complex, np.ndarray, np.generic))]

    def run(self, fun: Callable, args: tuple, kwargs: dict[str, Any], argnums: Any = 0, has_aux: bool = False) -> Trace:
        """Differentiate a call of `fun`, and watch it. If it raises, what happened before is in the trace."""
        check_callable(fun)
        self.title = f"The gradient of {name_of(fun)}"
        arguments = Arguments(fun, argnums)

        def watched(*new_args: Any, **new_kwargs: Any) -> Any:
            leaves, structure = tree.flatten(arguments.selected(new_args, new_kwargs))
            for i, t in enumerate(leaves):
                if isinstance(t, Tensor):
                    place = arguments.place(i, structure, args)
                    self.values[t.node] = value = Value(place, _copy(t.value), t.node, None, True)
                    self.inputs.append(value)
            with watching_frames(lambda frame, result: None if is_library(frame) else self._find_names(frame)):
                return fun(*new_args, **new_kwargs)

        try:
            self.value, self.gradient = differentiate(watched, arguments, Options("grad"), has_aux, args, kwargs, self)
        except Exception as error:
            if self.visits:
                note_place(error, self.visits[-1].operation.line)
            raise
        for value, g in zip(self.inputs, tree.leaves(self.gradient)):
            self.cotangents.setdefault(value, _copy(g))  # also of an input that no operation has used
        return self


def trace(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Trace]:
    """Return the function that differentiates a call of `fun`, and returns the `Trace` of it."""
    return lambda *args, **kwargs: Trace().run(fun, args, kwargs, argnums, has_aux)


def note_place(error: Exception, line: Line) -> None:
    """Add a note to an error of the backward pass, as `grad` does."""
    error.add_note(f"This is an error in the backward pass, at an operation that was recorded in {line}")


# ---- Frames ---------------------------------------------------------------------------------------------------------


@contextmanager
def watching_frames(returned: Callable[[Any, Any], None]) -> Iterator[None]:
    """Call a function with the frame and the result of every function that returns. The frame has the names of variables."""
    if sys.getprofile() is not None:  # a profiler is at work, and is left alone
        yield
        return
    sys.setprofile(lambda frame, event, argument: returned(frame, argument) if event == "return" else None)
    try:
        yield
    finally:
        sys.setprofile(None)


def _places(names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Go through the variables, then through the entries and attributes of what they hold."""
    holders = [(name, holder) for name, holder in names.items() if name.isidentifier() and not name.startswith("__")]
    yield from holders
    for name, holder in holders:
        if isinstance(holder, tuple) and hasattr(holder, "_fields"):
            yield from ((f"{name}.{key}", member) for key, member in zip(holder._fields, holder))
        elif isinstance(holder, (list, tuple, dict)) and len(holder) <= 100:
            entries = holder.items() if isinstance(holder, dict) else enumerate(holder)
            yield from ((f"{name}[{key!r}]", member) for key, member in entries)
        elif not isinstance(holder, (types.ModuleType, Tensor)):
            for attributes in (getattr(holder, "__dict__", {}), type(holder).__dict__):
                yield from ((f"{name}.{key}", member) for key, member in list(attributes.items()))


# ---- Values ---------------------------------------------------------------------------------------------------------


def _copy(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_copy(member) for member in value]
    value = innermost(value)
    return value.copy() if isinstance(value, np.ndarray) else value


def _values(argument: Any) -> list[Value]:
    if isinstance(argument, Value):
        return [argument]
    members = argument.values() if isinstance(argument, dict) else argument if isinstance(argument, (list, tuple)) else ()
    return [value for member in members for value in _values(member)]


def _are_equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) is np.ndarray and a.shape == b.shape and a.dtype == b.dtype and a.size > 0 and bool(np.array_equal(a, b))
