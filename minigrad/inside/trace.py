"""What happened in one call: every operation, with the user's line and the user's names, and every step backwards.

A `Trace` is an observer of the engine (see `minigrad.graph.Observer`). The other files of this folder show what it saw.
"""

from __future__ import annotations

import linecache
import sys
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
from ..guards import innermost
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
        The user's name for it, such as ``theta['w']`` or ``loss``. If it has none, ``v3``.
    value : number or numpy.ndarray
        A copy of what it was at that time.
    node : Node or None
        A constant has none.
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
    """

    number: int
    function: Any
    args: tuple
    kwargs: dict[str, Any]
    node: Node
    line: Line
    results: list[Value] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The function's name as users write it."""
        return rule_of(self.function).title if not hasattr(self.function, "fwd") else self.function.__name__

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
        self.dealers: dict[Node, Visit] = {}  # nodes that only deal out the cotangents of a sequence
        self.visit: Visit | None = None
        self.edges: Iterator = iter(())

    # ---- The observer ----

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Node) -> None:
        frame = user_frame()
        self._find_names(frame)
        line = Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        new_args, new_kwargs = self._referred(args, frame), self._referred(kwargs, frame)
        operation = Operation(len(self.operations), function, new_args, new_kwargs, node, line)
        name = f"v{operation.number}"
        found = tensors(result)
        for i, t in enumerate(found):
            own_name = name if t.node is node else f"{name}[{i}]"
            value = Value(own_name, _copy(t.value), t.node, operation)
            self.values[t.node] = value
            operation.results.append(value)
        self.values.setdefault(node, operation.results[0] if operation.results else Value(name, None, node, operation))
        self.operations.append(operation)

    def visited(self, node: Node, g: Any) -> None:
        value = self.values.get(node)
        self.edges = iter(node.edges)
        if node in self.dealers:
            self.visit = self.dealers[node]
        elif value is None or value.operation is None or value.operation.node is not node:
            self.visit = None  # one of several results, which hands its cotangent to the node of all of them
        else:
            self.visit = Visit(value.operation, _copy(g))
            self.visits.append(self.visit)
        if value is not None and not isinstance(g, (list, dict)):
            self.cotangents[value] = _copy(g)

    def handed_back(self, node: Node, parent: Node, share: Any, total: Any) -> None:
        _, vjp, residuals = next(self.edges)
        if self.visit is None:
            return
        if parent not in self.values:
            self.dealers[parent] = self.visit
            return
        value = self.values[parent]
        if isinstance(total, dict):
            return
        if node in self.dealers:
            vjp, residuals = self.visit.shares[-1].vjp if self.visit.shares else vjp, ()
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
        for name, other in frame.f_locals.items():
            if other is value or _are_equal(other, value):
                return name
        return ""

    def _find_names(self, frame: Any) -> None:
        """Give the values that the variables of a frame hold the names of these variables."""
        for name, t in list(frame.f_locals.items()):
            value = self.values.get(t.node) if isinstance(t, Tensor) else None
            if value is not None and not value.is_named and name.isidentifier():
                self.uses[name] = uses = self.uses.get(name, 0) + 1
                value.name, value.is_named = name if uses == 1 else f"{name}_{uses}", True

    @contextmanager
    def _watching_frames(self) -> Iterator[None]:
        """Look for names whenever a function of the user's returns."""
        before = sys.getprofile()

        def profile(frame: Any, event: str, argument: Any) -> None:
            if event == "return" and not _is_library(frame):
                self._find_names(frame)

        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(before)

    # ---- The run ----

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
            with self._watching_frames():
                return fun(*new_args, **new_kwargs)

        self.value, self.gradient = differentiate(watched, arguments, Options("grad"), has_aux, args, kwargs, self)
        return self


def trace(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Trace]:
    """Return the function that differentiates a call of `fun`, and returns the `Trace` of it."""
    return lambda *args, **kwargs: Trace().run(fun, args, kwargs, argnums, has_aux)


# ---- Frames ---------------------------------------------------------------------------------------------------------


def _is_library(frame: Any) -> bool:
    module = frame.f_globals.get("__name__", "").partition(".")[0]
    return module in ("minigrad", "numpy") or module in sys.stdlib_module_names


def user_frame() -> Any:
    """Return the frame of the user's line that is running."""
    frame: Any = sys._getframe(1)
    while frame.f_back and _is_library(frame):
        frame = frame.f_back
    return frame


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
