"""Functions that turn wrong use into an error, or keep values as they were when they were used.

The core calls them where a mistake could go unnoticed. The errors say what happened, and what to write instead. To learn
how differentiation works, you can read the core without this file.
"""

from __future__ import annotations

import os
import sys
from array import array as buffer
from collections import UserList, deque
from copy import deepcopy
from threading import RLock, get_ident
from typing import Any, Callable, Iterator, NoReturn

import numpy as np
from numpy import ndarray
from numpy.lib.array_utils import byte_bounds

from . import libraries
from .operands import PYTHON_NUMBERS, Guarded, TensorConversionError, refuse_foreign, within


class EscapedTensorError(TypeError):
    """A Tensor was used after the call that it belonged to had ended."""


def check_call(rule: Any, differentiated: list[str], given: dict[str, Any]) -> None:
    """Raise if a call has no derivative by one of the differentiated arguments, or if a rule does not support another."""
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
    """Raise if a rule has a VJP for an argument that its function does not have, or if a VJP asks for one."""
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
            f"a rule returned a cotangent of shape {found} for a value of shape {shape}: it has to be of that shape, or "
            f"of one to which that shape broadcasts"
        )


def check_open(level: Any) -> None:
    """Raise if a level is closed: the call that the Tensor belongs to has ended."""
    if not level.open:
        raise EscapedTensorError(
            "a Tensor was used after the grad call that made it had ended: it escaped through a global, a list "
            "or an attribute. Return it from the differentiated function instead (has_aux=True)"
        )


changing = RLock()  # for what two threads may change at once: the rule of a function, the list of a Tensor's views
if hasattr(os, "register_at_fork"):  # a copy of the process must not wait for a thread that is not in it
    os.register_at_fork(after_in_child=changing._at_fork_reinit)  # type: ignore[attr-defined]


def check_thread(level: Any) -> None:
    """Raise if this is not the thread that a level began in. Of two writes at the same time, one would be lost."""
    if level.thread != get_ident():
        raise NotImplementedError(
            "a Tensor can be written into only in the thread that called grad; let the other threads return their results, "
            "and write them, or join them with np.stack, in that thread"
        )


def check_encloses(other: Any, level: Any) -> None:
    """Raise if a result of a level holds a Tensor of another level that is not an outer one, which began before."""
    check_open(other)
    if other.number > level.number:
        raise EscapedTensorError(
            "the result depends on a Tensor of another grad call, which runs in another thread and began later: let that "
            "call end, and use what it returns"
        )


# ---- Plain numbers that are taken out of Tensors ---------------------------------------------------------------------


def taken(t: Any, call: str) -> Any:
    """Return the plain value in a Tensor, for `item()` or `int()`. Its level, and the levels below it, note the line."""
    is_own = True
    while isinstance(t, Guarded):
        level: Any = t.level  # type: ignore[attr-defined]
        if level.taken is None or (is_own and not level.taken[1]):
            level.taken = f"{call} was called in {user_line()}", is_own
        t, is_own = t.value, False  # type: ignore[attr-defined]
    return t


def check_dependence(results: list, level: Any) -> None:
    """Raise if a result does not depend on what is differentiated, perhaps because a plain number was taken out of a Tensor.

    Several results may depend on it in part. If the plain number was taken for an inner call, such as the first of two
    derivatives, its result may depend on this level nowhere, and rightly. So then the error comes only if no result does.
    """
    lost = [result for result in results if getattr(result, "level", None) is not level]
    if level.taken and lost and (level.taken[1] or len(lost) == len(results)):
        raise TensorConversionError(
            f"the result does not depend on what is differentiated, so its derivative would be 0, and {level.taken[0]}: "
            f"such a plain number has no derivative. Keep the Tensor; or, where a constant is wanted, write "
            f"minigrad.stop_gradient(t)"
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
    """Return the line of the user's program that is running: the innermost line outside minigrad and NumPy."""
    frame: Any = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("minigrad", "numpy"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"


# ---- Values as they were --------------------------------------------------------------------------------------------


def to_keep(value: Any) -> Any:
    """Return what a rule can keep of an argument. It stays the same if the user writes into the argument later.

    All arrays in the argument are copied, with one exception. An array that is read-only and is not a view is trusted: it
    is kept as it is. So a program that makes its data read-only saves a copy of them in every step. Such an array can still
    change in two ways: through a view that was taken before it became read-only, and when its flag is set back. Neither is
    detected, and then the derivative is wrong.
    """
    if isinstance(value, ndarray) and value.base is None and not value.flags.writeable:
        return value
    return within(value, to_keep) if isinstance(value, (list, tuple, dict, slice)) else own(value)


def own(value: Any) -> Any:
    """Return a value with copies in place of its arrays, Tensors, and containers. Nobody else can write into them."""
    if isinstance(value, ndarray):
        return copied(value)
    if isinstance(value, COPIED_WHOLE):
        return deepcopy(value)
    return value.snapshot() if isinstance(value, Guarded) else within(value, own)


COPIED_WHOLE = (set, bytearray, buffer, deque, UserList)


def own_all(values: list) -> list:
    """Return copies of values, as `own` does. Where arrays share memory, their copies share memory in the same way."""
    arrays = {i: v for i, v in enumerate(values) if isinstance(v, ndarray) and v.size and not v.dtype.hasobject}
    groups: list[list[int]] = []  # the numbers of arrays between whose first and last bytes others lie
    end = 0
    for low, high, i in sorted((*byte_bounds(array), i) for i, array in arrays.items()):
        if not groups or low >= end:
            groups.append([])
        groups[-1].append(i)
        end = max(end, high)
    copies = {}
    for group in groups:
        if len(group) > 1:
            low = min(byte_bounds(arrays[i])[0] for i in group)
            block = np.empty(max(byte_bounds(arrays[i])[1] for i in group) - low, np.uint8)
            for i in group:
                array = arrays[i]
                copy = ndarray(array.shape, array.dtype, block, array.__array_interface__["data"][0] - low, array.strides)
                copy[...] = array
                copy.flags.writeable = not _overlaps_itself(copy)
                copies[i] = copy
    return [copies[i] if i in copies else own(value) for i, value in enumerate(values)]


def copied(array: ndarray) -> ndarray:
    """Return a copy that lies in memory as the array does: in the same order, backwards or with gaps where the array does so.

    So the elements come in the same order for every value of NumPy's ``order=``, and `ravel` and `reshape` return a view
    where they do so for the array. A broadcast array stays broadcast and read-only. Large gaps become small.
    """
    if array.dtype.hasobject:
        return deepcopy(array)  # the objects may be arrays too
    shape = array.shape
    if 0 in array.strides and array.size:
        array = array[tuple([slice(1) if stride == 0 else slice(None) for stride in array.strides])]
    copy = array.copy("K")
    if copy.strides != array.strides and copy.size:
        strides = _with_small_gaps(array)
        if any(n > 1 and a != b for n, a, b in zip(array.shape, strides, copy.strides)):
            copy = with_strides(array.shape, strides, array.dtype)
            copy[...] = array
            copy.flags.writeable = not _overlaps_itself(array)
    return copy if copy.shape == shape else np.broadcast_to(copy, shape)


def is_of_constant(result: Any, args: Any, level: Any) -> bool:
    """Return whether a result is an argument that is a constant to the level, or a view of one.

    `numpy.broadcast_arrays` and `numpy.histogram` have such results. They have no derivative. The caller gets them as they
    are, so that they change with the argument, as in NumPy.
    """
    origins = _origins(result, args)
    return bool(origins) and not _has_variable(origins, level)


def result_to_keep(result: Any, args: Any, level: Any) -> Any:
    """Return what a rule can keep of a result. Only those of several results that are constants can change."""
    if not isinstance(result, (list, tuple)):
        return result
    return within(result, lambda member: to_keep(member) if is_of_constant(member, args, level) else member)


def apart(result: Any, args: Any, level: Any, constants_stay: bool = False) -> Any:
    """Return the result of a function of the user. It is copied, because the function may keep it and write into it later.

    A view of a Tensor of the level stays one. So does a view of a constant, if `constants_stay`. Otherwise its copy is
    read-only, because NumPy would write into the constant too.
    """
    leaves = _leaves(result)
    origins = [_origins(leaf, args) for leaf in leaves]
    stays = [_has_variable(found, level) or (constants_stay and bool(found)) for found in origins]
    copies = own_all([None if is_kept else leaf for leaf, is_kept in zip(leaves, stays)])
    parts = iter([
        leaf if is_kept else read_only(copy) if found else copy
        for leaf, is_kept, found, copy in zip(leaves, stays, origins, copies)
    ])
    return _with_leaves(result, parts)


def was_used(constant: Any, before: Any, results: list) -> bool:
    """Return whether a function wrote into a constant, or returned a view of it. `before` is a copy of the constant."""
    if isinstance(constant, Guarded):
        has_changed = constant.node is not before.node  # type: ignore[attr-defined]
    else:
        has_changed = constant.tobytes() != before.tobytes() if isinstance(constant, ndarray) else (
            isinstance(constant, COPIED_WHOLE) and constant != before
        )
    return has_changed or any(_origins(result, [constant]) for result in results)


def _origins(result: Any, args: Any) -> list:
    """Return those of the arguments of a call with which a result shares memory."""
    array = innermost(result)
    return [leaf for leaf in _leaves(args) if share_memory(array, innermost(leaf))] if isinstance(array, ndarray) else []


def _has_variable(leaves: list, level: Any) -> bool:
    return any(isinstance(leaf, Guarded) and leaf.level is level for leaf in leaves)


def _leaves(value: Any) -> list:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return [value] if members is None else [leaf for member in members for leaf in _leaves(member)]


def _with_leaves(value: Any, leaves: Iterator) -> Any:
    """Return a value with other leaves, in the order of `_leaves`."""
    is_container = isinstance(value, (list, tuple, dict))
    return within(value, lambda member: _with_leaves(member, leaves)) if is_container else next(leaves)


def innermost(t: Any) -> Any:
    """Return the plain value in a Tensor. If there is another Tensor in it, go on to the value in that one."""
    while isinstance(t, Guarded):
        t = t.value
    return t


def share_memory(array: ndarray, other: Any) -> bool:
    """Return whether a result shares memory with another value."""
    return array is other or isinstance(other, ndarray) and array.base is not None and np.shares_memory(array, other)


def _with_small_gaps(array: ndarray) -> list[int]:
    """Return strides for which an array has gaps in the same places, each as large as one element."""
    end = new_end = size = array.itemsize  # where the elements along the inner axes end, in the array and in the copy
    strides = list(array.strides)
    for axis in sorted(range(array.ndim), key=lambda axis: (abs(strides[axis]), -axis)):
        n, stride = array.shape[axis], strides[axis]
        if n > 1:
            new = new_end if abs(stride) == end else new_end + size
            strides[axis] = new if stride > 0 else -new
            end, new_end = n * abs(stride), n * new
    return strides


def with_strides(shape: tuple, strides: list[int], dtype: Any) -> ndarray:
    """Return a new array with these strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    moves = [(n - 1) * stride for n, stride in zip(shape, strides)]
    buffer = np.empty(1 + sum(map(abs, moves)) // dtype.itemsize, dtype)
    return ndarray(shape, dtype, buffer, -sum(min(0, move) for move in moves), strides)


def memory(array: ndarray) -> ndarray:
    """Return the memory of an array, from its lowest element to its highest, as an array without gaps."""
    if array.flags.c_contiguous or not array.size:
        return array
    lowest = array[tuple([slice(None, None, -1 if stride < 0 else 1) for stride in array.strides])]
    n = 1 + sum((n - 1) * stride for n, stride in zip(lowest.shape, lowest.strides)) // array.itemsize
    return np.lib.stride_tricks.as_strided(lowest, (n,), (array.itemsize,))


def is_writable(array: ndarray) -> bool:
    """Whether an array may be written into. In an array that overlaps itself, a write into an element would change others."""
    flags = array.flags
    return bool(flags.num & 0x400) and (flags.forc or not _overlaps_itself(array))  # after np.broadcast_arrays, flags.writeable warns


def _overlaps_itself(array: ndarray) -> bool:
    end = array.itemsize
    for stride, n in sorted((abs(stride), n) for stride, n in zip(array.strides, array.shape) if n > 1):
        if stride < end:
            return array.size > 0
        end += (n - 1) * stride
    return False


def locked(value: Any) -> Any:
    """Return a value with read-only views in place of its arrays, for a function that must not write into them."""
    if isinstance(value, ndarray):
        value = value.view()
        value.flags.writeable = False
        return value
    return within(value, locked)


def read_only(value: Any) -> Any:
    """Do the same as `locked` for a number, an array, or a Tensor."""
    return type(value)(read_only(value.value), value.node, value.level) if isinstance(value, Guarded) else locked(value)


# ---- Python's numbers -----------------------------------------------------------------------------------------------


def weak(y: Any, operands: Any) -> Any:
    """Return a result as a Python number if all operands are Python numbers: weak operands have a weak result."""
    if not all(type(x) in PYTHON_NUMBERS for x in operands):
        return y
    if isinstance(y, tuple):
        return tuple(weak(member, ()) for member in y)
    return y.item() if isinstance(y, np.generic) or (isinstance(y, ndarray) and y.ndim == 0) else y


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
