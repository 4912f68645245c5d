"""Functions that turn wrong use into an error.

The core calls them where a mistake could go unnoticed. The errors say what happened, and what to write instead. To learn
how differentiation works, you can read the core without this file.
"""

from __future__ import annotations

import os
from threading import RLock, get_ident
from typing import Any, Callable, NoReturn

import numpy as np
from numpy import ndarray

from . import libraries
from .operands import PYTHON_NUMBERS, Guarded, TensorConversionError, refuse_foreign


class EscapedTensorError(TypeError):
    """A Tensor was used after the call that it belonged to had ended."""


def check_call(rule: Any, differentiated: list[str], given: dict[str, Any]) -> None:
    """Raise if the rule has no derivative by a differentiated argument, or does not support one of the other arguments."""
    if not rule.vjps:
        _refuse_function(rule)
    for name in differentiated:
        if name not in rule.vjps:
            raise NotImplementedError(f"{rule.title} has no derivative with respect to {name!r}")
        vjp = rule.vjps[name]
        for other, value in given.items() if vjp else ():
            if other in vjp.choices and value not in vjp.choices[other]:
                honoured = f"{other}={value!r}, only {vjp.choices[other]}"
                raise NotImplementedError(f"the derivative of {rule.title} does not support {honoured}")
            if other not in rule.vjps and other not in vjp.needs and not _is_default(rule, other, value):
                remedy = f"write a = {rule.title}(...)" if other == "out" else "leave it out"
                raise NotImplementedError(f"the derivative of {rule.title} does not support {other}=; {remedy}")


def check_out(rule: Any, kwargs: dict[str, Any]) -> None:
    """Raise if a function without a derivative would write its result into a Tensor."""
    if isinstance(kwargs.get("out"), Guarded):
        raise NotImplementedError(f"{rule.title} cannot write into a Tensor (out=); write t[...] = {rule.title}(...)")


def _is_default(rule: Any, name: str, value: Any) -> bool:
    default = rule.defaults.get(name, {"where": True, "casting": "same_kind", "order": "K", "subok": True}.get(name))
    return value is default or (isinstance(value, (str, bool)) and value == default)


def _refuse_function(rule: Any) -> NoReturn:
    if rule.fun.__name__ in ("copyto", "put", "place", "putmask", "fill_diagonal", "put_along_axis"):
        raise TensorConversionError(
            f"{rule.title} writes into an array, which would drop the derivative of a Tensor; write t[index] = value "
            f"instead, into a Tensor (np.zeros_like makes one), or build the array with np.stack or np.where"
        )
    if rule.title.startswith("scipy.special.") and rule.fun.__name__.startswith("_"):
        raise NotImplementedError(libraries.advice(rule.title))  # the user has not called this ufunc
    raise NotImplementedError(
        f"{rule.title} has no derivative rule, so it cannot be applied to a value that is being differentiated. Add "
        f"one with minigrad.defvjp({rule.title}, x=lambda g, x: ...), one VJP for each argument that has a "
        f"derivative; or, if its derivative is not wanted, pass minigrad.stop_gradient(x)"
    )


def check_rule(rule: Any) -> None:
    """Raise if a rule names an argument that its function does not have: for a VJP, or among what a VJP needs."""
    takes_any = any(p.kind is p.VAR_KEYWORD for p in rule.parameters.values())
    if isinstance(rule.fun, np.ufunc) and not rule.constant and len(rule.vjps) != rule.fun.nin:
        raise TypeError(f"{rule.title} takes {rule.fun.nin} arguments: give a VJP, or None, for each of them")
    names = [*rule.parameters, "y"]
    names += [f"{name}_shape" for name in names]
    for name, vjp in rule.vjps.items():
        if name not in rule.parameters and not takes_any:
            raise TypeError(f"{rule.title} has no argument {name}, it has {', '.join(rule.parameters)}")
        # A keyword of a NumPy function may be newer than the installed NumPy.
        for needed in (vjp.residuals if rule.title.startswith("np.") else vjp.residuals + vjp.keywords) if vjp else ():
            if needed not in names and not takes_any:
                raise TypeError(f"a rule for {rule.title} can name {', '.join(names)}, but not {needed}")


# ---- What comes out -------------------------------------------------------------------------------------------------


def check_result(rule: Any, y: Any) -> None:
    """Raise if the result of an operation is not a number or array, or a list or tuple of them."""
    if isinstance(y, (list, tuple)):
        for member in y:
            check_result(rule, member)
        return
    refuse_foreign(y)
    kind = np.dtype(getattr(y, "dtype", type(y))).kind
    if kind == "O" and isinstance(y, ndarray):
        raise TypeError(
            f"{rule.title} returned an array of dtype object, which cannot be differentiated: an argument is such an array; make "
            f"it an array of numbers first, with x.astype(float)"
        )
    if kind not in "fcbiu":
        raise TypeError(f"{rule.title} returned {y!r} of type {type(y)}, which cannot be differentiated")


def check_share(share: Any, shape: Any) -> None:
    """Raise if the share that a VJP returned cannot be a cotangent of a value of that shape."""
    refuse_foreign(share)
    if not isinstance(share, (int, float, complex)) and not hasattr(share, "dtype"):
        raise TypeError(f"a rule returned {share!r} where a number or an array was expected (x=None defines a zero derivative)")
    found = np.shape(share)
    added = len(found) - len(shape)
    if added < 0 or any(n not in (1, m) for n, m in zip(shape, found[added:])):
        raise ValueError(
            f"a rule returned a cotangent of shape {found} for a value of shape {shape}: it must have the shape of the value, "
            f"or a shape to which the value broadcasts"
        )


def check_open(level: Any) -> None:
    """Raise if a level is closed: the call that the Tensor belongs to has ended."""
    if not level.open:
        raise EscapedTensorError(
            "a Tensor was used after the grad call that made it had ended: it escaped through a global, a list "
            "or an attribute. Return it from the differentiated function instead (has_aux=True)"
        )


changing = RLock()  # for what two threads may change at once: the rule of a function, the list of a Tensor's views
if hasattr(os, "register_at_fork"):  # a forked process must not wait for a thread that it does not have
    os.register_at_fork(after_in_child=changing._at_fork_reinit)  # type: ignore[attr-defined]


def check_thread(level: Any) -> None:
    """Raise if this is not the thread that a level began in. Of two writes at the same time, one would be lost."""
    if level.thread != get_ident():
        raise NotImplementedError(
            "a Tensor can be written into only in the thread that called grad; let the other threads return their results, "
            "and write them, or join them with np.stack, in that thread"
        )


def check_encloses(other: Any, level: Any) -> None:
    """Raise if a result of a level holds a Tensor of a level that is not an outer one. Outer levels began earlier."""
    check_open(other)
    if other.number > level.number:
        raise EscapedTensorError(
            "the result depends on a Tensor of another grad call, which runs in another thread and began later: let that "
            "call end, and use what it returns"
        )


# ---- Plain numbers that are taken out of Tensors ---------------------------------------------------------------------


def take_number(t: Any, call: str) -> Any:
    """Return the plain value in a Tensor, for `item()` or `int()`. The levels of all Tensors in it note the line."""
    is_own = True
    while isinstance(t, Guarded):
        level: Any = t.level
        if level.number_taken is None or (is_own and not level.number_taken[1]):
            level.number_taken = f"{call} was called in {user_line()}", is_own
        t, is_own = t.value, False
    return t


def check_dependence(results: list, level: Any) -> None:
    """Raise if a result does not depend on what is differentiated, perhaps because a plain number was taken out of a Tensor.

    If the number was taken out of a Tensor of this level, the error comes if one of the results does not depend on the
    level. If it was taken out of a Tensor of an inner level, some results may rightly not depend on this level. Then the
    error comes only if no result does.
    """
    lost = [result for result in results if getattr(result, "level", None) is not level]
    if level.number_taken and lost and (level.number_taken[1] or len(lost) == len(results)):
        raise TensorConversionError(
            f"the result does not depend on what is differentiated, so its derivative would be 0, and "
            f"{level.number_taken[0]}: such a plain number has no derivative. Keep the Tensor; or, where a constant is "
            f"wanted, write minigrad.stop_gradient(t)"
        )


class Lines:
    """An observer that notes, for each node, which line of the user's program recorded it."""

    def __init__(self) -> None:
        self.lines: dict[Any, str] = {}
        self.line: str | None = None  # the line of the node that the backward pass visits now

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Any) -> None:
        self.lines[node] = user_line()

    def visited(self, node: Any, g: Any) -> None:
        self.line = self.lines.get(node)

    def handed_back(self, node: Any, parent: Any, share: Any, total: Any) -> None:
        pass


def user_line() -> str:
    """Return the line of the user's program that is running."""
    frame, _ = libraries.user_frame()
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"


# ---- Python's numbers -----------------------------------------------------------------------------------------------


def weak(y: Any, operands: Any) -> Any:
    """Return a result as a Python number if all operands are Python numbers: weak operands have a weak result.

    A truth value stays NumPy's, because the operator ~ does not negate Python's: ``~False`` is -1, and ``~True`` is -2.
    """
    if not all(type(x) in PYTHON_NUMBERS for x in operands):
        return y
    if isinstance(y, tuple):
        return tuple(weak(member, ()) for member in y)
    is_number = isinstance(y, np.number) or (isinstance(y, ndarray) and y.ndim == 0 and y.dtype.kind != "b")
    return y.item() if is_number else y


def of_python_numbers(ufunc: np.ufunc, operate: Callable) -> Callable:
    """Return an operator that calls the ufunc where Python raises (1 / 0.0) or returns a complex number ((-8) ** 0.5)."""

    def compute(a: Any, b: Any) -> Any:
        try:
            y = operate(a, b)
        except (ZeroDivisionError, OverflowError):
            return weak(ufunc(a, b), (a, b))
        turned_complex = type(y) is complex and complex not in (type(a), type(b))
        return weak(ufunc(a, b), (a, b)) if turned_complex else y

    return compute
