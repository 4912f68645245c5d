"""An answer to an exercise: the user's function, what is wrong with it, and how numbers are compared and shown."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import os
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import tree

# theta as the exercises may state it, made of w and b.
KINDS: dict[type, Callable[[Any, Any], Any]] = {
    dict: lambda w, b: {"w": w, "b": b},
    tuple: lambda w, b: (w, b),
    list: lambda w, b: [w, b],
    np.ndarray: lambda w, b: np.array([w, b]),
}


# Errors whose words do not help a beginner: the key of a text that helps, and what the error says.
KNOWN_ERRORS = (
    ("caret", "bitwise_xor"), ("caret", "for ^"), ("shapes_of_product", "matmul: "),
    ("grad_of_value", "Expected a callable value"), ("attribute_of_dict", "'dict' object has no attribute"),
    ("whole_dict", "and 'dict'"), ("whole_dict", "'dict' and"),
)


class Fault(Exception):
    """What is wrong: the key of a text, and the values for its places.

    There may be evidence: the inputs, the right result, and what came back. There may also be the line of the user's code.
    """

    def __init__(self, key: str, evidence: Sequence[str] = (), line: tuple[int, str] | None = None, **values: Any) -> None:
        super().__init__(key)
        self.key, self.evidence, self.line, self.values = key, evidence, line, values


@dataclass
class Answer:
    """The user's function, as the checks call it, and what the exercise says of it."""

    function: Callable
    exercise: str  # the name that the function has in the program
    arguments: tuple[str, ...]
    kind: type[Any]
    order: tuple[int, ...] | None = None  # in which the function gets the arguments
    quiet: bool = False
    changed: str | None = None  # the first argument that a call has changed

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the function with copies. Raise a fault if it raises an error, or returns nothing."""
        given = copy.deepcopy(arguments)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                result = self.function(*self.ordered(given), **keywords)
        except Fault as fault:
            fault.line = line_of(fault)
            raise
        except Exception as error:
            known = (key for key, part in KNOWN_ERRORS if part in str(error))
            raise raised(next(known, "raises"), error) from None
        finally:
            if not self.quiet:
                sys.stdout.write(printed.getvalue())
        if result is None or result is Ellipsis:
            raise Fault("prints" if printed.getvalue() else "none")
        for name, before, after in zip(self.arguments, arguments, given):
            if not callable(before) and not equal(before, after):
                self.changed = self.changed or name
        return result

    @property
    def name(self) -> str:
        """The name that the user gave to the function. A function from grad has the name of the loss, which does not count."""
        name = getattr(self.function, "__name__", "")
        given = isinstance(self.function, types.FunctionType) and not hasattr(self.function, "__wrapped__")
        return name if given and name.isidentifier() else self.exercise

    def ordered(self, arguments: Sequence[Any]) -> Sequence[Any]:
        """The arguments in the order in which the function gets them."""
        return [arguments[i] for i in self.order] if self.order else arguments

    def theta(self, w: Any, b: Any) -> Any:
        return KINDS[self.kind](w, b)

    def parts(self, value: Any) -> tuple[Any, Any] | None:
        """w and b in a value that has the structure of theta; None if it has another one."""
        if self.kind is dict:
            return (value["w"], value["b"]) if isinstance(value, dict) and value.keys() == {"w", "b"} else None
        if self.kind is np.ndarray:
            is_pair = hasattr(value, "dtype") and np.shape(value) == (2,)
        else:
            is_pair = isinstance(value, self.kind) and len(value) == 2
        return (value[0], value[1]) if is_pair else None

    def leaf(self, i: int, of: str) -> str:
        """How the user writes w (0) or b (1) of theta, or of the gradient."""
        return f"{of}[{'wb'[i]!r}]" if self.kind is dict else f"{of}[{i}]"

    def has_the_names(self) -> bool:
        """Do the parameters have the names that the exercise gives them?"""
        signature = self.signature()
        return signature is not None and tuple(signature.parameters)[: len(self.arguments)] == self.arguments

    def signature(self) -> inspect.Signature | None:
        """The parameters of the function; None if Python does not know them."""
        try:
            return inspect.signature(self.function)
        except (TypeError, ValueError):
            return None


def raised(key: str, error: Exception) -> Fault:
    """The fault of a function that raises an error."""
    return Fault(key, line=line_of(error), kind=type(error).__name__, error=str(error))


def examine_changes(answer: Answer) -> None:
    """Has the function changed what the caller handed over?"""
    if answer.changed:
        raise Fault("changes", what=answer.changed)


# Where the code lies that is not the user's.
INSTALLED = tuple(
    os.path.join(folder, "")
    for folder in (
        *(str(Path(__file__).parents[1] / package) for package in ("linear", "minigrad")),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    )
)


def line_of(error: BaseException) -> tuple[int, str] | None:
    """The number and the text of the user's line that an error comes from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.lineno and frame.line and not frame.filename.startswith(INSTALLED):
            return frame.lineno, frame.line
    return None


# ---- Numbers --------------------------------------------------------------------------------------------------------


def as_array(value: Any) -> np.ndarray | None:
    """A value as an array of numbers; None if it is something else."""
    try:
        array = np.asarray(value)
    except Exception:  # lists of different lengths, for one
        return None
    return array if array.dtype.kind in "biuf" else None


def numbers(value: Any) -> np.ndarray:
    """A value as an array of numbers. It is a fault if it is something else."""
    array = as_array(value)
    if array is None:
        raise Fault("not_numbers", got=describe(value))
    return array


def same(value: Any, other: Any) -> bool:
    """Are the numbers the same, except for rounding errors, also of float32 and of finite differences?"""
    one, two = as_array(value), as_array(other)
    return one is not None and two is not None and one.shape == two.shape and np.allclose(one, two, rtol=1e-4, atol=1e-6)


def equal(value: Any, other: Any) -> bool:
    """Are two arguments the same, in all their leaves?"""
    leaves, others = tree.leaves(value), tree.leaves(other)
    return len(leaves) == len(others) and all(map(np.array_equal, leaves, others))


def compare(
    result: np.ndarray, right: Any, mistakes: Sequence[tuple[str, Any]], evidence: Sequence[str], **values: Any
) -> None:
    """Raise the fault whose result this is."""
    if same(result, right):
        return
    for key, wrong in mistakes:
        if same(result, wrong):
            raise Fault(key, evidence, **values)
    raise Fault("value", evidence)


def show(value: Any) -> str:
    """Write numbers, or what holds them, as short as one can."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {show(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (tuple, list)) and not hasattr(value, "dtype"):
        inside = ", ".join(map(show, value)) + ("," if isinstance(value, tuple) and len(value) == 1 else "")
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    array = as_array(value)
    if array is None:
        return repr(value)
    formatter: Any = {"float_kind": lambda number: f"{number:.6g}"}
    return np.array2string(array, separator=", ", threshold=20, formatter=formatter).replace("\n", "")


def describe(value: Any) -> str:
    """Write the type of a value, and its beginning."""
    text = show(value)
    name = type(value).__name__
    text = text if len(text) <= 80 else text[:77] + "..."
    return text if text.startswith("<") else f"{name} {text}"


def inputs(**values: Any) -> str:
    """Write what a function was called with."""
    return ", ".join(f"{name} = {show(value)}" for name, value in values.items())
