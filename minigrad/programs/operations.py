"""What a program is made of: variables, operations on them, and the recording of one call of a function.

The other files of this folder work on these: `tracing` makes a `Recording`, `simplifying` makes a shorter one of it, and
`writing` makes source of it.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import operands


@dataclass(eq=False)
class Variable:
    """A value of a program: an input, a constant array, or the result of an operation. It is equal only to itself.

    Attributes
    ----------
    name : str
        It is unique in its recording, once that is complete.
    shape : tuple of int
    dtype : numpy.dtype or type
        For a Python number, its type. NumPy calls such numbers weak.
    path : str
        Of an input, how it is reached from the arguments, such as ``theta['w']``. Otherwise "".
    base : str
        What the name is made of: the user's name for the value, or "".
    """

    name: str
    shape: tuple
    dtype: Any
    path: str = ""
    base: str = ""

    @property
    def is_weak(self) -> bool:
        """Whether the value is a Python number."""
        return isinstance(self.dtype, type)

    def __str__(self) -> str:
        return self.name


@dataclass(eq=False)
class Operation:
    """One call of a function.

    Attributes
    ----------
    result : Variable, or tuple of Variable
        A tuple if the function returns several values.
    function : callable
        A public function of NumPy or SciPy, a ufunc, a method of a ufunc (``np.add.reduce``), a function of Python's `operator`
        module, ``float``, ``complex``, a `Method`, a function of `helpers`, or a primitive of the user. It has no side effect.
        The result of a ufunc is a NumPy scalar or array, also if all operands are Python numbers. If the result is a Python
        number, the function is one of `operator`, or ``float`` or ``complex``.
    args, kwargs
        What it is called with. A `Variable` stands for each value and for each constant array, also in lists, tuples and slices.
        Everything else is itself.
    line : str
        The line of the user's program: of a step of the backward pass, the line whose operation is differentiated.
    part : str
        "forward", "backward", or "end" for the copies that make all outputs arrays of their own.
    """

    result: Any
    function: Any
    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)
    line: str = ""
    part: str = "forward"

    @property
    def name(self) -> str:
        """The name of the function, as one writes it."""
        return name_of_function(self.function)

    @property
    def results(self) -> tuple[Variable, ...]:
        """The results, also if there is only one."""
        return self.result if isinstance(self.result, tuple) else (self.result,)

    @property
    def operands(self) -> list[Variable]:
        """The variables that it is called with, in order."""
        return variables([self.args, self.kwargs])

    @property
    def shape(self) -> Any:
        """The shape of the result, or a tuple of shapes."""
        return tuple(v.shape for v in self.result) if isinstance(self.result, tuple) else self.result.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the result, or a tuple of dtypes."""
        return tuple(v.dtype for v in self.result) if isinstance(self.result, tuple) else self.result.dtype


@dataclass(eq=False)
class Recording:
    """What one call of a function did.

    Attributes
    ----------
    fun : callable
    inputs : list of Variable
        The traced leaves of the arguments, in the order of `tree.leaves`. A leaf that is not traced (a Python integer, a string,
        a function) is part of the program.
    in_tree : pair
        The arguments, ``(args, kwargs)``, with the inputs in the place of the traced leaves.
    operations : list of Operation
    outputs : pytree
        What the function returned, with variables, or other objects, at its leaves.
    constants : dict of Variable to numpy.ndarray
        The arrays that are not computed from the inputs. They are read-only copies.
    """

    fun: Callable
    inputs: list[Variable] = field(default_factory=list)
    in_tree: Any = ((), {})
    operations: list[Operation] = field(default_factory=list)
    outputs: Any = None
    constants: dict[Variable, np.ndarray] = field(default_factory=dict)


class Method:
    """A method of arrays as a function: ``Method("astype")(x, float)`` is ``x.astype(float)``. Equal names are equal methods."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, self.__name__)(*args, **kwargs)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Method) and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash(self.__name__)


# The functions with which a program computes with Python's numbers, and the ufuncs that do the same with other values.
UFUNC_OF = {
    operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.truediv: np.divide, operator.neg: np.negative,
    operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater, operator.ge: np.greater_equal, operator.eq: np.equal,
    operator.ne: np.not_equal,
}


def variables(value: Any) -> list[Variable]:
    """Return the variables in an argument, in order, also those in containers and slices."""
    found: list[Variable] = []
    replaced(value, found.append)
    return found


class Name(str):
    """A text that stands in a container as it is: ``repr([Name("a")])`` is ``[a]``."""

    __repr__ = str.__str__


def text_of(container: Any, text: Callable[[Any], str]) -> str:
    """Return a list, tuple, dict or slice as an expression, with the texts of its members."""
    container = tuple(container) if hasattr(container, "_fields") else container
    return repr(operands.within(container, lambda member: Name(text(member))))


def replaced(value: Any, change: Callable[[Variable], Any]) -> Any:
    """Return an argument with other things in the place of its variables."""
    return change(value) if isinstance(value, Variable) else operands.within(value, lambda member: replaced(member, change))


COPY = Method("copy")

# Functions whose results are always new, and never share memory with an argument.
FRESH = {np.sum, np.mean, np.prod, np.max, np.min, np.var, np.std, np.dot, np.where, np.concatenate, np.stack,
         np.cumsum, np.cumprod, np.outer, np.tensordot, np.linalg.inv, np.linalg.solve, COPY, np.copy, np.array}


def may_share(operation: Operation) -> bool:
    """Return whether a result of the operation may lie in the memory of an operand."""
    function = operation.function
    if function is operator.getitem and operation.shape == ():  # a number, which is a copy, or a view without axes
        index = operation.args[1]
        return any(part is ... for part in (index if isinstance(index, tuple) else (index,)))
    is_ufunc = isinstance(function, np.ufunc) or isinstance(getattr(function, "__self__", None), np.ufunc)
    is_fresh = function in FRESH or getattr(function, "makes_new", False)
    return not (is_ufunc or is_fresh or all(v.is_weak for v in operation.results))


def is_pure(function: Any) -> bool:
    """Return whether equal calls of a function have equal results. Of a primitive of the user, this is not known."""
    return not hasattr(function, "is_primitive")


def name_of_function(function: Any) -> str:
    """Return the name of a function as one writes it after ``import numpy as np``."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):  # np.add.reduce
        return f"{name_of_function(owner)}.{function.__name__}"
    name = function.__name__
    for module, prefix in ((np, "np"), (np.linalg, "np.linalg"), (np.fft, "np.fft")):
        if getattr(module, name, None) is function:
            return f"{prefix}.{name}"
    if isinstance(function, np.ufunc):  # a ufunc does not tell where it is from
        special = sys.modules.get("scipy.special")
        homes = ((special, "scipy.special."), (getattr(special, "_ufuncs", None), "scipy.special._ufuncs."))
        return next((f"{prefix}{name}" for home, prefix in homes if getattr(home, name, None) is function), name)
    home = getattr(function, "__module__", None) or ""
    return f"{home.replace('numpy', 'np', 1)}.{name}" if home.startswith(("numpy", "scipy")) else name
