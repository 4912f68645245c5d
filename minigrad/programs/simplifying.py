"""A recording with less in it, that computes the same numbers."""

from __future__ import annotations

import inspect
import operator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from .. import memory, tree
from ..operands import PYTHON_NUMBERS
from .operations import COPY, Method, Operation, Recording, Variable, is_pure, may_share, replaced, variables


def simplified(recording: Recording) -> Recording:
    """Return the recording without what is computed in vain, or twice, or is known before."""
    new = Simplifier(recording.constants)
    for operation in recording.operations:
        new.add(operation)
    outputs = tree.map(lambda leaf: new.same.get(leaf, leaf) if isinstance(leaf, Variable) else leaf, recording.outputs)
    return without_dead_code(replace(recording, operations=new.operations, outputs=outputs, constants=new.constants))


def without_dead_code(recording: Recording) -> Recording:
    """Return the recording without the operations and constants that no output depends on."""
    needed = set(variables(tree.leaves(recording.outputs)))
    operations: list[Operation] = []
    for operation in reversed(recording.operations):
        if not needed.isdisjoint(operation.results):
            operations.insert(0, operation)
            needed.update(operation.operands)
    constants = {variable: array for variable, array in recording.constants.items() if variable in needed}
    return replace(recording, operations=operations, constants=constants)


def with_own_outputs(recording: Recording) -> Recording:
    """Return the recording with copies in its end, so that no output shares memory with an input, a constant, or another output."""
    origins: dict[Variable, set] = {v: {v} for v in (*recording.inputs, *recording.constants)}  # in whose memory a value may lie
    for operation in recording.operations:
        shared = set().union(*(origins[v] for v in operation.operands)) if may_share(operation) else set()
        origins |= {v: shared or {v} for v in operation.results}
    taken, copies = {*recording.inputs, *recording.constants}, []

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, Variable) or leaf.is_weak:
            return leaf
        if taken.isdisjoint(origins[leaf]):
            taken.update(origins[leaf])
            return leaf
        copies.append(Operation(Variable("", leaf.shape, leaf.dtype), COPY, (leaf,), {}, "", "end"))
        return copies[-1].result

    outputs = tree.map(own, recording.outputs)
    return replace(recording, outputs=outputs, operations=[*recording.operations, *copies])


class Simplifier:
    """The new recording, while it grows.

    Attributes
    ----------
    same : dict
        For a variable that is not needed, what stands for it: another variable, or a number.
    calls : dict
        The results of the calls so far.
    makers : dict
        The operation that a variable is a result of.
    """

    def __init__(self, constants: dict[Variable, ndarray]) -> None:
        self.constants = dict(constants)
        self.operations: list[Operation] = []
        self.same: dict[Variable, Any] = {}
        self.calls: dict[tuple, Any] = {}
        self.makers: dict[Variable, Operation] = {}

    def add(self, operation: Operation) -> None:
        """Add an operation, if its result is not known without it."""
        args, kwargs = (replaced(given, lambda v: self.same.get(v, v)) for given in (operation.args, operation.kwargs))
        new: Any = _without_defaults(replace(operation, args=args, kwargs=kwargs))
        for step in (self.folded, self.shorter, self.neutral, self.without_broadcasts, self.known):
            new = step(new) if isinstance(new, Operation) else new
        if isinstance(new, Operation):
            self.operations.append(new)
            self.makers |= dict.fromkeys(new.results, new)
            return
        for variable, value in zip(operation.results, new if isinstance(operation.result, tuple) else (new,)):
            self.same[variable] = value
            if isinstance(value, Variable):
                value.base = value.base or variable.base

    def constant(self, value: Any) -> Variable:
        """Return a new variable for a constant array."""
        variable = Variable("", np.shape(value), np.result_type(value))
        self.constants[variable] = memory.locked(np.array(value))
        return variable

    def number(self, value: Any) -> Any:
        """Return the number that all elements of a constant are, or that an array was broadcast from, or None."""
        if isinstance(value, Variable) and value in self.constants:
            array = self.constants[value]
            first = array[(0,) * array.ndim] if array.size else None
            one = first is not None and (not any(array.strides) or array.tobytes() == first.tobytes() * array.size)
            return first if one else None
        maker = self.makers.get(value) if isinstance(value, Variable) else None
        return maker.args[0] if maker is not None and maker.function is np.broadcast_to else None

    # ---- Steps. Each returns an operation, or what is known to be its result. ----

    def folded(self, new: Operation) -> Any:
        """Compute an operation on constants. Of some functions, the form of the argument is enough."""
        operands = new.operands
        values = {v: self.constants[v] for v in operands if v in self.constants}
        like = new.args[0] if new.args and new.function in (np.zeros_like, np.ones_like, np.full_like) else None
        if isinstance(like, Variable):
            values.setdefault(like, np.broadcast_to(np.zeros((), like.dtype), like.shape))
        if new.function is np.where and _are_equal_numbers(new.args[1:]):
            return self.constant(np.full(new.shape, new.args[1], new.dtype))
        if not is_pure(new.function) or any(v not in values for v in operands):
            return new
        with np.errstate(all="ignore"):
            y = new.function(*replaced(new.args, values.__getitem__), **replaced(new.kwargs, values.__getitem__))
        folded = [value if np.ndim(value) == 0 and not isinstance(value, ndarray) else self.constant(value)
                  for value in (y if isinstance(new.result, tuple) else (y,))]
        return tuple(folded) if isinstance(new.result, tuple) else folded[0]

    def shorter(self, new: Operation) -> Any:
        """Drop what does nothing, or is undone."""
        function, x = new.function, new.args[0] if new.args else None
        if not isinstance(x, Variable) or x.is_weak:
            return x if isinstance(x, Variable) and new.function is x.dtype else new  # float(x) of a Python float
        before: Any = self.makers.get(x)
        rest, result = new.args[1:], new.result
        inner = before.args[0] if before is not None and before.args else None
        is_again = before is not None and before.function == function and not (new.kwargs or before.kwargs)
        if is_again and function in (np.negative, np.conjugate) or (is_again and function is np.swapaxes and rest == before.args[1:]):
            return inner
        if function is np.transpose and not new.kwargs:
            if is_again:
                order = [_axes(before)[i] for i in _axes(new)]
                return inner if order == sorted(order) else replace(new, args=(inner, tuple(order)))
            return x if _axes(new) == sorted(_axes(new)) else new
        if function is np.power and rest and type(rest[0]) in (int, float) and rest[0] == 2 and x.dtype == result.dtype:
            return replace(new, function=np.square, args=(x,))
        if function in (np.sum, np.mean, np.max, np.min, np.prod) and isinstance(new.kwargs.get("axis"), tuple):
            axis = new.kwargs["axis"]
            if len(axis) == 1:
                kept = {name: value for name, value in new.kwargs.items() if name != "axis"}
                return replace(new, kwargs=kept if len(x.shape) == 1 else new.kwargs | {"axis": axis[0]})
        if isinstance(result, tuple) or (x.shape, x.dtype) != (result.shape, result.dtype):
            is_merged = is_again and function in (np.reshape, np.broadcast_to) and len(new.args) == len(before.args) == 2
            return replace(new, args=(inner, *rest)) if is_merged else new
        is_whole = function is operator.getitem and (new.args[1] is ... or new.args[1] == ())
        is_real = function in (np.real, np.conjugate) and np.dtype(x.dtype).kind != "c"
        is_same = is_whole or is_real or (function in OF_SAME_FORM and not new.kwargs.get("order"))
        return x if is_same and (before is None or is_pure(before.function)) else new

    def neutral(self, new: Operation) -> Any:
        """Drop the neutral elements of arithmetic, where this is exact: x + 0.0 is not if x is -0.0, and x + -0.0 is."""
        if len(new.args) != 2 or new.kwargs or isinstance(new.result, tuple):
            return new
        for (x, c), is_second in ((new.args, True), (new.args[::-1], False)):
            c = self.number(c) if isinstance(c, Variable) and not isinstance(self.number(c), Variable) else c
            if not isinstance(x, Variable) or isinstance(c, (Variable, bool, np.bool_)) or not isinstance(c, (int, float, np.number)):
                continue
            if (x.shape, x.dtype) != (new.result.shape, new.result.dtype) or np.dtype(x.dtype).kind not in "fiu" or np.ndim(c):
                continue
            is_zero = c == 0 and (np.dtype(x.dtype).kind in "iu" or bool(np.signbit(c)) == (new.function in (np.add, operator.add)))
            if c == 1 and (new.function in BY_ONE or (is_second and new.function in BY_ONE_SECOND)):
                return x
            if is_zero and (new.function in BY_ZERO or (is_second and new.function in BY_ZERO_SECOND)):
                return x
        return new

    def without_broadcasts(self, new: Operation) -> Any:
        """Take the operand of a broadcast where NumPy broadcasts anyway, and plain numbers for arrays of equal numbers."""
        is_ufunc = isinstance(new.function, np.ufunc) and new.function.signature is None
        if not (is_ufunc or (new.function is np.where and len(new.args) == 3)) or new.kwargs or isinstance(new.result, tuple):
            return new
        args = list(new.args)
        for i, value in enumerate(args):
            number = self.number(value)
            while number is not None and self.number(number) is not None:
                number = self.number(number)
            if number is not None and getattr(number, "dtype", None) == value.dtype:
                others = [_form(other) for other in (*args[:i], number, *args[i + 1:])]
                if np.broadcast_shapes(*(shape for shape, _ in others)) == new.result.shape:
                    args[i] = number
        dtypes = [x.dtype for x in args if isinstance(x, Variable) and not x.is_weak]
        for i, value in enumerate(args if is_ufunc and dtypes else ()):  # a weak number, if it makes no difference
            if isinstance(value, (np.floating, np.integer)) and np.result_type(*dtypes, value.item()) == np.result_type(*dtypes, value):
                args[i] = value.item()
        return replace(new, args=tuple(args))

    def known(self, new: Operation) -> Any:
        """Take the result of an equal call."""
        if not is_pure(new.function):
            return new
        key = new.function, _key([new.args, new.kwargs])
        if key in self.calls:
            return self.calls[key]
        self.calls[key] = new.result
        return new


OF_SAME_FORM = {
    np.reshape, np.broadcast_to, np.ravel, np.squeeze, np.positive, np.copy, COPY, Method("astype"), np.atleast_1d, np.atleast_2d,
}
BY_ONE, BY_ONE_SECOND = {np.multiply, operator.mul}, {np.divide, np.power, operator.truediv}
BY_ZERO, BY_ZERO_SECOND = {np.add, operator.add}, {np.subtract, operator.sub}


def _axes(transpose: Operation) -> list[int]:
    n = len(transpose.args[0].shape)
    axes = transpose.args[1] if len(transpose.args) > 1 else None
    return list(range(n))[::-1] if axes is None else [int(i) % n for i in axes]


def _are_equal_numbers(values: tuple) -> bool:
    return len(values) == 2 and all(type(x) in (int, float) for x in values) and repr(float(values[0])) == repr(float(values[1]))


def _form(value: Any) -> tuple:
    return (value.shape, value.dtype) if isinstance(value, Variable) else (np.shape(value), np.result_type(value))


def _without_defaults(new: Operation) -> Operation:
    """Return a call without the arguments that have their default."""
    names, defaults = _defaults(new.function)
    kept = {name: value for name, value in new.kwargs.items() if not _is_default(value, defaults.get(name, EMPTY))}
    args = new.args
    while not kept and args and len(args) <= len(names) and _is_default(args[-1], defaults[names[len(args) - 1]]):
        args = args[:-1]
    return replace(new, args=args, kwargs=kept)


EMPTY = inspect.Parameter.empty


def _is_default(value: Any, default: Any) -> bool:
    if default is np._NoValue:  # of keepdims=, initial= and where=
        return value is False
    return default is not EMPTY and (value is default or (type(value) is type(default) in (bool, str) and value == default))


@cache
def _defaults(function: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the positional parameters of a function, and the defaults of all parameters."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return [], {}
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return [] if takes_any else positional, {p.name: p.default for p in parameters}


def _key(value: Any) -> Any:
    """Return a key that is equal for equal arguments only: it tells 1 from 1.0, and 0.0 from -0.0."""
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_key, value))
    if isinstance(value, dict):
        return dict, tuple((name, _key(value[name])) for name in sorted(value))
    if isinstance(value, slice):
        return slice, _key((value.start, value.stop, value.step))
    if isinstance(value, (*PYTHON_NUMBERS, np.generic)):
        return type(value), repr(value)
    return value if isinstance(value, (str, np.dtype)) else id(value)
