"""A recording with less in it, that computes the same numbers."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from .. import memory, tree
from ..operands import PYTHON_NUMBERS
from ..table import rule_of
from .operations import COPY, UFUNC_OF, Method, Operation, Recording, Variable, is_pure, may_share, replaced, variables


def simplified(recording: Recording) -> Recording:
    """Return the recording without operations that nothing uses, that are done twice, or whose result is known."""
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
            operations.append(operation)
            needed.update(operation.operands)
    constants = {variable: array for variable, array in recording.constants.items() if variable in needed}
    return replace(recording, operations=operations[::-1], constants=constants)


def with_own_outputs(recording: Recording) -> Recording:
    """Return the recording with copies in its end, so that no output shares memory with an input, a constant, or another output."""
    origins: dict[Variable, set] = {v: {v} for v in (*recording.inputs, *recording.constants)}  # the variables whose memory a value may share
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
        """Return a number as it is, and a constant array of equal numbers as that number. Return None for anything else."""
        if isinstance(value, Variable) and value in self.constants and value.shape and 0 not in value.shape:
            array = self.constants[value]
            first = array[(0,) * array.ndim]
            return first if not any(array.strides) or array.tobytes() == first.tobytes() * array.size else None
        return value if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else None

    def narrow(self, value: Any) -> Any:
        """Return what an array was broadcast from, or the number that all its elements are equal to, or None."""
        found, maker = None, self.makers.get(value) if isinstance(value, Variable) else None
        while maker is not None and maker.function is np.broadcast_to:
            found = maker.args[0]
            maker = self.makers.get(found) if isinstance(found, Variable) else None
        number = self.number(value if found is None else found)
        return number if number is not None and isinstance(value, Variable) else found

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
        """Drop the neutral elements of arithmetic."""
        if len(new.args) == 2 and not new.kwargs and not isinstance(new.result, tuple):
            for x, c, is_second in ((*new.args, True), (*new.args[::-1], False)):
                c = self.number(c)
                is_alike = isinstance(x, Variable) and (x.shape, x.dtype) == (new.result.shape, new.result.dtype)
                if c is not None and is_alike and _is_neutral(new.function, c, is_second, np.dtype(x.dtype).kind):
                    return x
        return new

    def without_broadcasts(self, new: Operation) -> Any:
        """Take the operand of a broadcast where NumPy broadcasts anyway, and plain numbers for arrays of equal numbers."""
        is_ufunc = isinstance(new.function, np.ufunc) and new.function.signature is None
        if not (is_ufunc or (new.function is np.where and len(new.args) == 3)) or new.kwargs or isinstance(new.result, tuple):
            return new
        args = list(new.args)
        for i, value in enumerate(args):
            narrow = self.narrow(value)
            if narrow is not None and getattr(narrow, "dtype", None) == value.dtype:
                shapes = [getattr(other, "shape", ()) for other in (*args[:i], narrow, *args[i + 1:])]
                if np.broadcast_shapes(*shapes) == new.result.shape:
                    args[i] = narrow
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


def _is_neutral(function: Any, c: Any, is_second: bool, kind: str) -> bool:
    """Return whether an operation with c returns its other operand, to the bit.

    x + 0.0 does not if x is -0.0, and x + -0.0 does. Of complex numbers, infinite ones have parts that become NaN.
    """
    if kind not in "fiu":
        return False
    function = UFUNC_OF.get(function, function)
    if function is np.add:
        return c == 0 and (kind != "f" or bool(np.signbit(c)))
    if function is np.subtract:
        return is_second and c == 0 and (kind != "f" or not np.signbit(c))
    if function is np.multiply:
        return c == 1
    return is_second and c == 1 and function in (np.divide, np.power)


def _axes(transpose: Operation) -> list[int]:
    n = len(transpose.args[0].shape)
    axes = transpose.args[1] if len(transpose.args) > 1 else None
    return list(range(n))[::-1] if axes is None else [int(i) % n for i in axes]


def _are_equal_numbers(values: tuple) -> bool:
    return len(values) == 2 and all(type(x) in (int, float) for x in values) and repr(float(values[0])) == repr(float(values[1]))


def _without_defaults(new: Operation) -> Operation:
    """Return a call without the arguments that have their default."""
    rule, args = cached_rule(new.function), new.args
    kept = {name: value for name, value in new.kwargs.items() if not _is_default(value, rule.defaults.get(name, NONE))}
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in rule.parameters.values())
    names = [] if takes_any or kept else list(rule.parameters)
    while args and len(args) <= len(names) and _is_default(args[-1], rule.defaults.get(names[len(args) - 1], NONE)):
        args = args[:-1]
    return replace(new, args=args, kwargs=kept)


cached_rule = cache(rule_of)
NONE = object()  # no default


def _is_default(value: Any, default: Any) -> bool:
    if default is np._NoValue:  # of keepdims=, initial= and where=
        return value is False
    return value is default or (type(value) is type(default) in (bool, str) and value == default)


def _key(value: Any) -> Any:
    """Return a key that is equal for equal arguments only: it tells 1 from 1.0, and 0.0 from -0.0."""
    if isinstance(value, (list, tuple, dict)):
        return type(value), tuple(map(_key, sorted(value.items()) if isinstance(value, dict) else value))
    if isinstance(value, slice):
        return slice, _key((value.start, value.stop, value.step))
    if isinstance(value, (*PYTHON_NUMBERS, np.generic)):
        return type(value), repr(value)
    return value if isinstance(value, (str, np.dtype)) else id(value)
