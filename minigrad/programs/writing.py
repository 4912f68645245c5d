"""A recording as source: a function of NumPy, one operation a line."""

from __future__ import annotations

import builtins
import inspect
import keyword
import operator
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .. import tree
from ..functions import name_of
from ..inside.writing import INFIX
from . import helpers
from .operations import Method, Operation, Recording, Variable, name_of_function, variables

OPERATORS = INFIX | {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.lt: "<", operator.le: "<=",
    operator.gt: ">", operator.ge: ">=", operator.eq: "==", operator.ne: "!=", np.bitwise_and: "&", np.bitwise_or: "|",
    np.bitwise_xor: "^", np.left_shift: "<<", np.right_shift: ">>",
}
SIGNS = {np.negative: "-", operator.neg: "-", np.invert: "~"}
SMALL = 20  # numbers: a larger constant is not written out
COMMENTS = {"forward": "# Forward", "backward": "# Backward: the derivatives, from the last operation to the first", "end": ""}


class Source:
    """The source of a program, in parts.

    Attributes
    ----------
    name : str
        The name of the function.
    imports, given, helpers, body : str
        The imports; the lines that say where large arrays and functions of the user come from; constants and helpers; the function.
    handed_over : dict
        These arrays and functions, by name.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.handed_over: dict[str, Any] = {}
        name = name_of(recording.fun)
        self.name = name if name.isidentifier() else "program"
        give_names(recording, self.name)
        self.names = {id(fun): fun for operation in recording.operations for fun in [operation.function] if not is_written(fun)}
        constants = [self.constant(variable, array) for variable, array in recording.constants.items()]
        self.body = "\n".join(self.lines())
        self.constants = "\n".join(line for line in constants if line)
        self.helpers = "\n\n\n".join(source_of(fun) for fun in dict.fromkeys(o.function for o in recording.operations) if is_helper(fun))
        self.imports = "\n".join(["import numpy as np", *self.modules()])
        self.given = "\n".join(self.origins())

    def __str__(self) -> str:
        return "\n\n\n".join(filter(None, ["\n\n".join(filter(None, [self.imports, self.given, self.constants])), self.helpers, self.body])) + "\n"

    @property
    def code(self) -> str:
        """What is compiled: everything but the lines for what is handed over."""
        return "\n".join([self.imports, self.constants, self.helpers, self.body])

    def modules(self) -> list[str]:
        """The imports that the program needs besides NumPy."""
        text = self.body + self.helpers
        return [f"import {name}" for name in ("math", "scipy.special", "scipy.linalg") if f"{name}." in text]

    def origins(self) -> list[str]:
        """Lines that get what is handed over."""
        arrays = [name for name, value in self.handed_over.items() if isinstance(value, ndarray)]
        others = {name: value for name, value in self.handed_over.items() if name not in arrays}
        lines = [f"from {value.__module__} import {value.__name__} as {name}" if getattr(value, "__module__", "__main__") != "__main__" and "<" not in value.__qualname__
                 else f"# {name} is a function of yours: define it here" for name, value in others.items()]
        if arrays:
            lines += ["# Stored by np.savez('constants.npz', **program.constants):", "constants = np.load('constants.npz')"]
            lines += [f"{name} = constants['{name}']" for name in arrays]
        return lines

    def constant(self, variable: Variable, array: ndarray) -> str:
        """Return the line for a constant array, or hand the array over."""
        text = array_text(array)
        if text is None:
            self.handed_over[variable.name] = array
            return ""
        return f"{variable.name} = {text}"

    def lines(self) -> list[str]:
        """The lines of the function."""
        recording = self.recording
        lines = [f"def {self.name}({self.parameters()}):"]
        doc = (getattr(recording.fun, "__doc__", None) or "").partition("\n")[0]
        if doc:
            lines.append(f'    """{doc}"""')
        rows = [(f"{v.name} = {v.path}", describe(v)) for v in recording.inputs if v.path != v.name]
        part = ""
        for operation in recording.operations:
            if operation.part != part:
                part = operation.part
                rows.append((COMMENTS[part], ""))
            left = ", ".join(v.name for v in operation.results) + ("," if isinstance(operation.result, tuple) and len(operation.results) == 1 else "")
            rows.append((f"{left} = {self.call(operation)}", "; ".join(map(describe, operation.results))))
        width = min(max([len(left) for left, right in rows if right], default=0), 60)
        lines += [f"    {left:{width}}  # {right}".rstrip() if right else f"    {left}" for left, right in rows if left]
        return [*lines, f"    return {self.tree_text(recording.outputs)}"]

    def parameters(self) -> str:
        """The parameters of the function: the arguments of the recorded call."""
        args, kwargs = self.recording.in_tree
        names = positional_names(self.recording.fun, len(args))
        if len(names) < len(args) or any(name.startswith("*") for name in names):
            names = [name for name in names if not name.startswith("*")] + [name for name in names if name.startswith("*")]
        return ", ".join([*names, *(["*", *kwargs] if kwargs else [])])

    def call(self, operation: Operation) -> str:
        """Return an operation as an expression."""
        function, args, kwargs = operation.function, operation.args, operation.kwargs
        is_weak = isinstance(function, np.ufunc) and all(v.is_weak for v in operation.operands)
        if not kwargs and function in OPERATORS and len(args) == 2 and not is_weak:
            return f"{self.atom(args[0])} {OPERATORS[function]} {self.atom(args[1])}"
        if not kwargs and function in SIGNS and not is_weak:
            return f"{SIGNS[function]}{self.atom(args[0])}"
        if function is operator.getitem:
            return f"{self.atom(args[0])}[{self.index(args[1])}]"
        given = [self.text(a) for a in args] + [f"{name}={self.text(value)}" for name, value in kwargs.items()]
        if isinstance(function, Method):
            return f"{given[0]}.{function.__name__}({', '.join(given[1:])})"
        return f"{self.function(function)}({', '.join(given)})"

    def function(self, function: Any) -> str:
        """Return the name of a function. One of the user's is handed over."""
        if is_written(function):
            return name_of_function(function)
        name = function.__name__ if function.__name__.isidentifier() else "function"
        while self.handed_over.get(name, function) is not function:
            name += "_"
        self.handed_over[name] = function
        return name

    def atom(self, value: Any) -> str:
        text = self.text(value)
        return f"({text})" if text.startswith("-") or isinstance(value, (complex, tuple)) else text

    def index(self, index: Any) -> str:
        return ", ".join(map(self.text, index)) + ("," if len(index) == 1 else "") if isinstance(index, tuple) and index else self.text(index)

    def text(self, value: Any) -> str:
        """Return an argument as an expression."""
        if isinstance(value, Variable):
            return value.name
        if isinstance(value, slice):
            parts = ["" if part is None else self.text(part) for part in (value.start, value.stop, value.step)]
            return ":".join(parts[: 2 if value.step is None else 3])
        if isinstance(value, (list, tuple)):
            inside = ", ".join("slice(None)" if member == slice(None) else self.text(member) if not isinstance(member, slice) else repr(member) for member in value)
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self.text(member)}" for key, member in value.items()) + "}"
        if value is ...:
            return "..."
        if isinstance(value, np.dtype):
            return f"np.{value.name}" if hasattr(np, value.name) else f"np.dtype({value.str!r})"
        if isinstance(value, type) and issubclass(value, np.generic):
            return f"np.{value.__name__}"
        if isinstance(value, type) or callable(value):
            return value.__name__ if getattr(builtins, value.__name__, None) is value else self.function(value)
        return number_text(value)

    def tree_text(self, out: Any) -> str:
        """Return an expression for a pytree."""
        if isinstance(out, Variable):
            return out.name if out not in self.recording.constants else f"{out.name}.copy()"
        if hasattr(out, "_fields"):
            return f"{self.function(type(out))}({', '.join(map(self.tree_text, out))})"
        if type(out) in (list, tuple):
            inside = ", ".join(map(self.tree_text, out))
            return f"[{inside}]" if type(out) is list else f"({inside}{',' if len(out) == 1 else ''})"
        if type(out) is dict:
            return "{" + ", ".join(f"{key!r}: {self.tree_text(member)}" for key, member in out.items()) + "}"
        leaves, structure = tree.flatten(out)
        if structure and leaves != [out]:
            self.handed_over["join"] = None
        return self.text(out)


def describe(variable: Variable) -> str:
    """Return the dtype and the shape of a variable."""
    return variable.dtype.__name__ if variable.is_weak else f"{variable.dtype}{list(variable.shape)}" if variable.shape else str(variable.dtype)


def number_text(value: Any) -> str:
    """Return a number, a string or None as an expression with the same value."""
    if isinstance(value, np.generic):
        return f"np.{type(value).__name__}({number_text(value.item())})"
    if isinstance(value, complex):
        if np.isfinite(value):
            return repr(value)
        return f"complex({number_text(value.real)}, {number_text(value.imag)})"
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, list):
        return f"[{', '.join(map(number_text, value))}]"
    return repr(value)


def array_text(array: ndarray) -> str | None:
    """Return an expression for a constant array, or None if it is too large."""
    dtype = "" if array.dtype in (float, int, bool, complex) else f", np.{array.dtype.name}"
    shape = repr(array.shape) if array.ndim != 1 else str(array.size)
    first = array[(0,) * array.ndim] if array.size else array.dtype.type(0)
    if array.tobytes() == first.tobytes() * array.size:
        if array.tobytes().strip(b"\0") == b"":
            return f"np.zeros({shape}{f', {self_dtype(array)}' if array.dtype != float else ''})"
        return f"np.full({shape}, {number_text(first.item())}{f', {self_dtype(array)}' if array.dtype not in (float, int, bool, complex) else ''})"
    if array.ndim == 1 and array.dtype == int and np.array_equal(array, np.arange(first, first + array.size)):
        return f"np.arange({first}, {first + array.size})" if first else f"np.arange({array.size})"
    return f"np.array({number_text(array.tolist())}{dtype})" if array.size <= SMALL else None


def self_dtype(array: ndarray) -> str:
    return {"float64": "float", "int64": "int", "bool": "bool", "complex128": "complex"}.get(array.dtype.name, f"np.{array.dtype.name}")


def is_helper(function: Any) -> bool:
    """Return whether the source of a function stands in front of the program."""
    return getattr(function, "__module__", "").startswith("minigrad.") and not isinstance(function, Method)


def is_written(function: Any) -> bool:
    """Return whether a function has a name that the program knows: of NumPy, SciPy, Python, or a helper."""
    if isinstance(function, Method) or is_helper(function) or isinstance(function, np.ufunc) or isinstance(getattr(function, "__self__", None), np.ufunc):
        return True
    return getattr(function, "__module__", None) in ("builtins", "_operator") or name_of_function(function).startswith(("np.", "scipy."))


def source_of(function: Any) -> str:
    """Return the source of a helper, without its decorators and without the comment signs of the engine."""
    lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
    return "\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("def ")):])


def positional_names(fun: Callable, n: int) -> list[str]:
    """Return the names of the parameters that take the first n positional arguments of a call."""
    from ..functions import signature_of
    names = []
    for parameter in signature_of(fun).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL and len(names) < n:
            return [*names, f"*{parameter.name}"]
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) and len(names) < n:
            names.append(parameter.name)
    return names


def give_names(recording: Recording, *reserved: str) -> None:
    """Give each variable a name of its own: the user's name or, without one, v0, v1, and so on; a constant c0, c1."""
    args, kwargs = recording.in_tree
    parameters = {name.lstrip("*") for name in [*positional_names(recording.fun, len(args)), *kwargs]}
    used = {"np", "math", "scipy", "constants", *reserved, *parameters, *keyword.kwlist, *dir(builtins), *(f.__name__ for f in vars(helpers).values() if is_helper(f) and hasattr(f, "__name__"))}
    numbers = {"v": 0, "c": 0}
    for variable in [*recording.inputs, *recording.constants, *(v for operation in recording.operations for v in operation.results)]:
        base, prefix = variable.base, "c" if variable in recording.constants else "v"
        if variable.path == base and base in parameters:
            variable.name = base
            continue
        name, i = base, 1
        while not name or name in used:
            if base:
                i += 1
                name = f"{base}_{i}"
            else:
                name = f"{prefix}{numbers[prefix]}"
                numbers[prefix] += 1
        variable.name = name
        used.add(name)
