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
from ..functions import name_of, signature_of
from ..inside.writing import INFIX
from ..operands import PYTHON_NUMBERS
from .operations import UFUNC_OF, Method, Operation, Recording, Variable, name_of_function, text_of, variables

OPERATORS = INFIX | {
    np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^", np.left_shift: "<<", np.right_shift: ">>", np.negative: "-", np.invert: "~"
}
SMALL = 20  # numbers: a larger constant is not written out
DTYPES = {"float64": "float", "int64": "int", "bool": "bool", "complex128": "complex"}


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
        made = [v for operation in recording.operations for v in operation.results]
        self.taken = {self.name, *(v.name for v in (*recording.inputs, *recording.constants, *made))}
        constants = [self.constant(variable, array) for variable, array in recording.constants.items()]
        self.body = "\n".join(self.lines())
        self.constants = "\n".join(line for line in constants if line)
        functions = dict.fromkeys(operation.function for operation in recording.operations)
        self.helpers = "\n\n\n".join(source_of(function) for function in functions if is_helper(function))
        self.imports = "\n".join(["import numpy as np", *self.modules()])
        self.given = "\n".join(self.origins())

    def __str__(self) -> str:
        top = "\n\n".join(filter(None, [self.imports, self.given, self.constants]))
        return "\n\n\n".join(filter(None, [top, self.helpers, self.body])) + "\n"

    @property
    def code(self) -> str:
        """The source that is compiled. The lines for large arrays and objects of the user are not in it: these are handed over."""
        return "\n".join([self.imports, self.constants, self.helpers, self.body])

    def modules(self) -> list[str]:
        """The imports that the program needs besides NumPy."""
        text = self.body + self.helpers
        found = [f"import {name}" for name in ("math", "scipy.special", "scipy.linalg") if f"{name}." in text]
        return found + ["from minigrad import tree"] * (" tree." in text)

    def origins(self) -> list[str]:
        """Lines that say where the arrays and objects that are handed over come from."""
        arrays = [name for name, value in self.handed_over.items() if isinstance(value, ndarray)]
        others = {name: value for name, value in self.handed_over.items() if name not in arrays}
        lines = []
        for name, value in others.items():
            module, path = getattr(value, "__module__", "__main__"), getattr(value, "__qualname__", "<")
            if module == "__main__" or not path.isidentifier():
                lines.append(f"# {name}, of your own program, has to be defined here")
            else:
                lines.append(f"from {module} import {path}" + (f" as {name}" if name != path else ""))
        if arrays:
            lines += ["# np.savez('constants.npz', **program.constants) stores them", "constants = np.load('constants.npz')"]
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
        doc = (getattr(recording.fun, "__doc__", None) or "").strip().partition("\n")[0]
        if doc:
            lines.append('    """' + doc.replace("\\", "\\\\").replace('"', "'") + '"""')
        leaves = tree.leaves(recording.in_tree)
        used = {*variables(tree.leaves(recording.outputs)), *(v for operation in recording.operations for v in operation.operands)}
        rows = [(f"{v.name} = {self.place(v, leaves)}", describe(v)) for v in recording.inputs if v.path != v.name and v in used]
        part, has_derivatives = "", False
        for operation in recording.operations:
            if operation.part != part:
                part = operation.part
                rows += [(comment, "") for comment in [self.comment(part, has_derivatives)] if comment]
                has_derivatives |= part == "backward"
            left = ", ".join(v.name for v in operation.results)
            comma = "," * (isinstance(operation.result, tuple) and len(operation.results) == 1)
            rows.append((f"{left}{comma} = {self.call(operation)}", "; ".join(map(describe, operation.results))))
        width = min(max([len(left) for left, right in rows if right], default=0), 60)
        lines += [f"    {left:{width}}  # {right}" if right else f"    {left}" for left, right in rows]
        out = recording.outputs
        text = ", ".join(map(self.text, out)) if type(out) is tuple and len(out) > 1 else self.text(out)
        return [*lines, f"    return {text}"]

    def comment(self, part: str, has_derivatives: bool) -> str:
        """The comment line where a part begins. A function without derivatives has only one part."""
        if all(operation.part != "backward" for operation in self.recording.operations):
            return ""
        if part == "forward":
            return "# After the backward pass" if has_derivatives else "# Forward"
        return "# Backward: the derivatives, from the last operation to the first" if part == "backward" else ""

    def place(self, variable: Variable, leaves: list) -> str:
        """Return an expression for an input. Some containers that the user registered have no names for their members."""
        if "<" not in variable.path:
            return variable.path
        args, kwargs = self.recording.in_tree
        names = positional_names(self.recording.fun, len(args))
        given = "{" + ", ".join(f"{name!r}: {name}" for name in kwargs) + "}"
        return f"tree.leaves((({', '.join(names)},), {given}))[{leaves.index(variable)}]"

    def parameters(self) -> str:
        """The parameters of the function: the arguments of the recorded call."""
        args, kwargs = self.recording.in_tree
        names = positional_names(self.recording.fun, len(args))
        takes_rest = any(name.startswith("*") for name in names)
        return ", ".join([*names, *(["*"] if kwargs and not takes_rest else []), *kwargs])

    def call(self, operation: Operation) -> str:
        """Return an operation as an expression."""
        function, args, kwargs = operation.function, operation.args, operation.kwargs
        is_weak = isinstance(function, np.ufunc) and all(v.is_weak for v in operation.operands)
        sign = OPERATORS.get(UFUNC_OF.get(function, function))
        if sign and not kwargs and not is_weak:
            return f" {sign} ".join(map(self.atom, args)) if len(args) == 2 else f"{sign}{self.atom(args[0])}"
        if function is operator.getitem:
            return f"{self.atom(args[0])}[{self.index(args[1])}]"
        given = [self.text(a) for a in args] + [f"{name}={self.text(value)}" for name, value in kwargs.items()]
        if isinstance(function, Method):
            return f"{given[0]}.{function.__name__}({', '.join(given[1:])})"
        return f"{self.function(function)}({', '.join(given)})"

    def atom(self, value: Any) -> str:
        text = self.text(value)
        return f"({text})" if text.startswith("-") or isinstance(value, tuple) else text

    def index(self, index: Any) -> str:
        """Return an index as it stands between brackets."""
        if isinstance(index, tuple) and index:
            return ", ".join(map(self.index_part, index)) + "," * (len(index) == 1)
        return self.index_part(index)

    def index_part(self, part: Any) -> str:
        if not isinstance(part, slice):
            return self.text(part)
        ends = ["" if end is None else self.text(end) for end in (part.start, part.stop, part.step)]
        return ":".join(ends[: 2 if part.step is None else 3])

    def text(self, value: Any) -> str:
        """Return an argument, or what the program returns, as an expression."""
        if isinstance(value, Variable):
            return value.name
        if hasattr(value, "_fields"):
            return f"{self.function(type(value))}({', '.join(map(self.text, value))})"
        if type(value) in (list, tuple, dict, slice):
            return text_of(value, self.text)
        if isinstance(value, np.dtype):
            return f"np.{value.type.__name__}" if value.isnative and value.isbuiltin else f"np.{value!r}"
        if value is ... or isinstance(value, (*PYTHON_NUMBERS, np.generic, str, bytes, type(None))):
            return number_text(value)
        leaves, structure = tree.flatten(value)
        if not structure:
            return self.function(value)
        # A container of another type, which minigrad.tree can build.
        return f"tree.unflatten({self.handed(structure, 'structure')}, [{', '.join(map(self.text, leaves))}])"

    def function(self, function: Any) -> str:
        """Return the name of a function or a type. A function of the user is handed over, and so is any other object."""
        name = getattr(function, "__name__", type(function).__name__.lower())
        if isinstance(function, type) and issubclass(function, np.generic):
            return f"np.{name}"
        if callable(function) and is_written(function):
            return name_of_function(function)
        return name if getattr(builtins, name, None) is function else self.handed(function, name)

    def handed(self, value: Any, name: str) -> str:
        """Hand an object over, and return its name."""
        name = name if name.isidentifier() else "function"
        while name in self.taken or self.handed_over.get(name, value) is not value:
            name += "_"
        self.handed_over[name] = value
        return name


def describe(variable: Variable) -> str:
    """Return the dtype and the shape of a variable."""
    shape = list(variable.shape) if variable.shape else ""
    return variable.dtype.__name__ if variable.is_weak else f"{variable.dtype}{shape}"


def number_text(value: Any) -> str:
    """Return a number, a string or None as an expression with the same value."""
    if isinstance(value, np.longdouble):
        return f"np.longdouble('{value}')"
    if isinstance(value, np.generic):
        return f"np.{type(value).__name__}({number_text(value.item())})"
    if isinstance(value, complex):
        is_negative = np.signbit(value.real) or (np.signbit(value.imag) and 0 in (value.real, value.imag))
        if np.isfinite(value) and not is_negative:  # Python reads 1 - 0j as 1 + 0j
            return repr(value)
        return f"complex({number_text(value.real)}, {number_text(value.imag)})"
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    if value is ...:
        return "..."
    if isinstance(value, list):
        return f"[{', '.join(map(number_text, value))}]"
    return repr(value)


def array_text(array: ndarray) -> str | None:
    """Return an expression for a constant array, or None if it is too large."""
    is_usual = array.dtype.isnative and array.dtype.kind in "fcbiu"
    name = DTYPES.get(array.dtype.name, f"np.{array.dtype.type.__name__}") if is_usual else f"np.{array.dtype!r}"
    dtype = "" if name in DTYPES.values() else f", {name}"
    shape = repr(array.shape) if array.ndim != 1 else str(array.size)
    first: Any = array[(0,) * array.ndim] if array.size else np.zeros((), array.dtype)[()]
    if array.tobytes() == first.tobytes() * array.size:
        is_zero = not array.tobytes().strip(b"\0")
        if is_zero:
            return f"np.zeros({shape})" if array.dtype == float else f"np.zeros({shape}, {name})"
        return f"np.full({shape}, {number_text(first.item())}{dtype})"
    if array.ndim == 1 and array.dtype == int and np.array_equal(array, np.arange(first, first + array.size)):
        return f"np.arange({first}, {first + array.size})" if first else f"np.arange({array.size})"
    return f"np.array({number_text(array.tolist())}{dtype})" if array.size <= SMALL else None


def is_helper(function: Any) -> bool:
    """Return whether the source of a function stands in front of the program."""
    return (getattr(function, "__module__", None) or "").startswith("minigrad.") and not isinstance(function, Method)


def is_written(function: Any) -> bool:
    """Return whether a function has a name that the program knows: of NumPy, SciPy, Python, or a helper."""
    ufunc = getattr(function, "__self__", function)
    if isinstance(function, Method) or is_helper(function):
        return True
    return name_of_function(ufunc if isinstance(ufunc, np.ufunc) else function).startswith(("np.", "scipy."))


def source_of(function: Any) -> str:
    """Return the source of a helper, without its decorators."""
    lines = textwrap.dedent(inspect.getsource(function)).rstrip().splitlines()
    return "\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("def ")):])


def positional_names(fun: Callable, n: int) -> list[str]:
    """Return the names of the parameters that take the first n positional arguments of a call, other than names of modules."""
    names: list[str] = []
    for parameter in signature_of(fun).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL and len(names) < n:
            return [*names, f"*{parameter.name}"]
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) and len(names) < n:
            names.append(parameter.name + "_" * (parameter.name in ("np", "math", "scipy", "tree")))
    return names if len(names) >= n else [*names, "*args"]


def give_names(recording: Recording, *reserved: str) -> None:
    """Give each variable a name of its own: the user's name or, without one, v0, v1, and so on; a constant c0, c1."""
    args, kwargs = recording.in_tree
    parameters = {name.lstrip("*") for name in [*positional_names(recording.fun, len(args)), *kwargs]}
    used = {"np", "math", "scipy", "constants", "tree", *reserved, *parameters, *keyword.kwlist, *dir(builtins)}
    used |= {name_of_function(operation.function) for operation in recording.operations}
    numbers: dict[str, int] = {}  # the last number that was given to a name
    for variable in [*recording.inputs, *recording.constants, *(v for operation in recording.operations for v in operation.results)]:
        base = variable.base or ("c" if variable in recording.constants else "v")
        name, separator = variable.base, "_" if variable.base else ""
        while not name or (name in used and name != variable.path):
            numbers[base] = numbers.get(base, 1 if separator else -1) + 1
            name = f"{base}{separator}{numbers[base]}"
        variable.name = name
        used.add(name)
