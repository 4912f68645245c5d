"""Checks and conversions at both ends of a transform: what a leaf may be, what a function may return, what comes back.

Nothing here is about derivatives. It has its own file, so that you can read `grad` and `transforms` without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy import ndarray

from . import guards, memory, operands, tree
from .arguments import Arguments
from .conversions import as_python_number
from .graph import Level, Node, Observer, describe
from .memory import innermost
from .libraries import advice, called_in
from .tensor import Tensor

# An integer has no derivative. Its gradient is an array of this dtype, whose elements have no bytes. (The dtype is JAX's.)
float0 = np.dtype([("float0", "V")])

# ---- The leaves of the argument -------------------------------------------------------------------------------------


class Options(NamedTuple):
    """The name of a transform, for error messages, and what the transform accepts."""

    name: str
    holomorphic: bool = False
    allow_int: bool = False
    allow_objects: bool = False


def check_leaf(leaf: Any, options: Options, place: Callable[[], str]) -> str:
    """Return the kind of a leaf (see `kind_of`). Raise if the transform cannot take the leaf."""
    try:
        operands.refuse_foreign(leaf)
    except operands.ForeignArrayError as error:
        raise operands.ForeignArrayError(f"{place()}: {error}") from None
    kind = kind_of(leaf)
    if kind == "O" and not options.allow_objects:
        dtype = f" and dtype {leaf.dtype}" if isinstance(leaf, (ndarray, np.generic)) else ""
        raise TypeError(f"{place()} is {leaf!r} of type {type(leaf)}{dtype}, which cannot be differentiated")
    if options.holomorphic and kind in "fbiu":
        _refuse_dtype(f"{options.name} with holomorphic=True requires inputs with complex dtype", leaf, place, "Make it complex")
    if options.name == "jacfwd" and kind in "cbiu" and not options.holomorphic:
        wanted = "jacfwd requires real-valued inputs (input dtype that is a sub-dtype of np.floating)"
        _refuse_dtype(wanted, leaf, place, "For holomorphic differentiation, pass holomorphic=True; otherwise use jvp")
    if kind in "biu" and not options.allow_int:
        wanted = f"{options.name} requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact)"
        remedy = "Make it a float, pass it in an argument that is not differentiated, or set allow_int=True"
        _refuse_dtype(wanted, leaf, place, remedy)
    return kind


def tensor_for(leaf: Any, level: Level, options: Options, place: Callable[[], str]) -> Any:
    """Return the Tensor for a leaf. If the leaf has no derivative, and the transform allows this, return the leaf itself.

    The leaf is copied. So its value stays the same during the call, even if the function writes into the array.
    """
    if check_leaf(leaf, options, place) not in "fc":
        return leaf
    value = memory.to_keep(as_array(leaf))
    if not isinstance(value, (np.generic, ndarray, Tensor)):  # a Python number; its type may be a subclass
        value = float(value) if isinstance(value, float) else complex(value)
    return Tensor(value, Node(value), level)


def tensors_for(
    leaves: list, structure: tree.Structure, level: Level, options: Options, arguments: Arguments, args: tuple
) -> tuple[list, list]:
    """Return the Tensors for all leaves of a call's arguments, and their nodes."""
    inputs = [tensor_for(leaf, level, options, partial(arguments.place, i, structure, args)) for i, leaf in enumerate(leaves)]
    return inputs, [x.node if isinstance(x, Tensor) else None for x in inputs]


def as_array(leaf: Any) -> Any:
    """Return an array of a subclass as a plain array, and anything else as it is."""
    operands.refuse_foreign(leaf)
    return leaf.view(ndarray) if isinstance(leaf, ndarray) and type(leaf) is not ndarray else leaf


def kind_of(value: Any) -> str:
    """Return the kind of a value for a transform.

    "f" is real, "c" is complex, and "b", "i" and "u" have no derivative (float0 counts as "i"). All else is "O".
    """
    if isinstance(value, (ndarray, np.generic, Tensor)):
        kind = "i" if value.dtype == float0 else value.dtype.kind
        return kind if kind in "fcbiu" else "O"
    for number, kind in ((int, "i"), (float, "f"), (complex, "c")):
        if isinstance(value, number):
            return kind
    return "O"


def dtype_of(value: Any) -> np.dtype:
    """Return the dtype of a value. A Python number has the dtype that NumPy gives it."""
    return np.dtype(describe(value)[1])


def _refuse_dtype(wanted: str, leaf: Any, place: Callable[[], str], remedy: str) -> NoReturn:
    raise TypeError(f"{wanted}, but got {dtype_of(leaf)}: {place()} is {leaf!r}. {remedy}")


# ---- The result -----------------------------------------------------------------------------------------------------


def split_aux(out: Any) -> tuple[Any, Any]:
    """Return the value and the auxiliary data. Raise if the function did not return a pair of them."""
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(
            f"expected function with aux output to return a two-element tuple, but got type {type(out)} with value {out}"
        )
    return out[0], out[1]


def check_output(out: Any, options: Options, level: Level) -> None:
    """Raise if a result is not a single number, or if the transform cannot differentiate it."""
    operands.refuse_foreign(out)
    if out is None or isinstance(out, (tuple, list, dict)):
        raise TypeError(f"Gradient only defined for scalar-output functions. Output was {out}.")
    if kind_of(out) == "O":
        raise TypeError(f"grad requires a function that returns a number, and it returned {out!r} of type {type(out)}")
    shape = describe(out)[0]
    if shape != ():
        example = "its only element, with .sum()" if np.size(out) == 1 else "its .sum() or .mean()"
        raise TypeError(f"Gradient only defined for scalar-output functions. Output had shape: {shape}. Return {example}")
    check_output_dtype(out, options)
    guards.check_dependence([out], level)


def check_output_dtype(out: Any, options: Options) -> None:
    """Raise if a result is not real (or, for a holomorphic function, not complex)."""
    kind = kind_of(out)
    if options.holomorphic and kind != "c":
        raise TypeError(f"{options.name} with holomorphic=True requires outputs with complex dtype, but got {dtype_of(out)}")
    if not options.holomorphic and kind != "f":
        holomorphic = "For holomorphic differentiation, pass holomorphic=True. " if kind == "c" else ""
        raise TypeError(
            f"{options.name} requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got "
            f"{dtype_of(out)}. {holomorphic}For other functions with such outputs, use vjp"
        )


def value_of(leaf: Any, level: Level) -> Any:
    """Return the value in a Tensor of this level, and anything else as it is."""
    if not isinstance(leaf, Tensor):
        return leaf
    if leaf.level is level:
        return leaf.value.snapshot() if isinstance(leaf.value, Tensor) else leaf.value
    guards.check_encloses(leaf.level, level)
    return leaf


# ---- The gradient ---------------------------------------------------------------------------------------------------


def gradient_for(leaf: Any, node: Node | None, level: Level, g: Any) -> Any:
    """Return the gradient for a leaf. It has the kind of the leaf.

    If it is an array, it is writable, and shares memory with no other array.

    `node` is the node of the leaf. It is None for an integer or an object. `g` is the cotangent of the node. It is None if
    the result does not depend on the leaf.
    """
    if node is None:
        return None if kind_of(leaf) == "O" else zero_cotangent(as_array(leaf))
    if isinstance(g, Tensor) and g.level is level:
        raise TypeError("a rule uses a value that is being differentiated and is not one of its arguments")
    if isinstance(g, Tensor):
        if isinstance(node.dtype, type) and not isinstance(g.node.dtype, type):
            g = as_python_number(g)  # the leaf is a Python number, so its gradient is one too
        g = g + 0j if node.dtype is complex and g.dtype.kind != "c" else g
        array = innermost(g)
        is_read_only = isinstance(array, ndarray) and not array.flags.writeable
        return np.positive(g) if is_read_only else g.snapshot()
    g = zero_cotangent(as_array(leaf)) if g is None else g
    if isinstance(leaf, ndarray):
        return np.array(g, node.dtype)  # a copy: g may be a view, or a rule or another leaf may hold it
    return g[()] if isinstance(g, ndarray) and not isinstance(leaf, Tensor) else g


def gradients_for(leaves: list, nodes: list, level: Level, cotangents: dict) -> list:
    """Return the gradients for all leaves, from the cotangents of their nodes."""
    return [gradient_for(leaf, node, level, cotangents.get(node)) for leaf, node in zip(leaves, nodes)]


def zero_cotangent(value: Any) -> Any:
    """Return the cotangent of a value if nothing depends on the value."""
    shape, dtype = describe(value)
    if kind_of(value) not in "fc":
        return np.zeros(shape, float0)
    return dtype(0) if isinstance(dtype, type) else np.zeros(shape, dtype)


def one_like(value: Any) -> Any:
    """Return the derivative of a number with respect to itself: 1, in the dtype of the number."""
    dtype = describe(value)[1]
    return dtype(1) if isinstance(dtype, type) else dtype.type(1)


# ---- Errors ---------------------------------------------------------------------------------------------------------


def show_cause(error: Exception) -> None:
    """If a library met a Tensor, and its error does not say so, raise minigrad's own error instead.

    NumPy says "setting an array element with a sequence". SciPy raises errors of its own or, from programs written in C, a
    SystemError.
    """
    ours = error.__cause__
    hides = isinstance(error, SystemError) or str(error).startswith("setting an array element")
    if isinstance(ours, operands.TensorConversionError) and hides:
        error.__cause__ = None
        try:
            raise ours.with_traceback(error.__traceback__) from None
        finally:  # else the two exceptions and this frame would refer to each other
            del ours, error
    if isinstance(error, operands.TensorConversionError):
        return
    frames: list[Any] = []
    traceback = error.__traceback__
    while traceback:
        frames.insert(0, traceback.tb_frame)
        traceback = traceback.tb_next
    name = "np.nditer" if str(error).startswith("Iterator operand") else called_in(frames)
    given = [dict(frame.f_locals) for frame in frames if frame.f_globals.get("__name__", "").startswith("scipy.")]
    if name == "np.nditer" or (name.startswith("scipy.") and _knows_tensor(given)):
        raise operands.TensorConversionError(advice(name)) from error


def _knows_tensor(value: Any, depth: int = 4) -> bool:
    """Return whether a value is a Tensor, contains one, or is a function that uses one."""
    if isinstance(value, Tensor) or not depth:
        return isinstance(value, Tensor)
    if isinstance(value, partial):
        value = [value.func, value.args, value.keywords]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    used = inspect.getclosurevars(value).nonlocals.values() if inspect.isfunction(value) else ()
    return any(_knows_tensor(member, depth - 1) for member in [*members, *used])


def note_line(error: Exception, run_again: Callable[[Observer], Any]) -> None:
    """Add a note to an error of the backward pass: the line of the user's program that recorded the operation.

    It takes time to note all lines. So they are noted only in a second run, which fails in the same way. If the second
    run does something else, the error gets no note.
    """
    lines: Any = guards.Lines()  # an observer
    try:
        run_again(lines)
    except Exception as again:
        note = f"This is an error in the backward pass, at an operation that was recorded in {lines.line}"
        if type(again) is type(error) and lines.line and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    finally:
        lines.lines.clear()  # its keys are the nodes of the second run, which may refer back to it
