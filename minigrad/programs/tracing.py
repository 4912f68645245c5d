"""Recording what a function does: a level, outside of all others, that notes the calls which NumPy gets.

The arguments become `Traced` values, Tensors of that level, and the function runs once. Its own transforms, ``grad`` and the
others, make levels inside. To them a traced value is a constant, and all that they compute with it, forward and backward,
comes to the `record` of this level as one call of a NumPy function after the other. So the derivative needs no code here.
"""

from __future__ import annotations

import hashlib
import operator
import re
import sys
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy import ndarray

from .. import boundary, guards, memory, operands, tree, views
from ..functions import check_callable
from ..graph import Level, Node, describe, node_numbers
from ..libraries import is_library, user_frame
from ..rules.composition import looked_up
from ..table import Rule, rule_of, ufunc_methods
from ..tensor import Tensor, record, top_level, unwrap
from . import helpers, writing
from .operations import COPY, UFUNC_OF, Operation, Recording, Variable, is_pure, name_of_function


class ConcretizationTypeError(operands.TensorConversionError):
    """A program would depend on a value in a way that cannot be recorded, such as by an ``if``."""


class OuterTensorError(TypeError):
    """A program would depend on a value that an enclosing call differentiates, and that is not among its arguments."""


# ---- Values ---------------------------------------------------------------------------------------------------------


def refused(what: str, instead: str) -> Callable[..., NoReturn]:
    """Return a method that raises: the value is not known when the program runs."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse_value(what, instead)

    return refuse


def refuse_value(what: str, instead: str) -> NoReturn:
    raise ConcretizationTypeError(
        f"{what} needs the value of an array, in {guards.user_line()}. But a program is recorded once, and runs with other values. "
        f"{instead}"
    )


STATIC = "Or pass a value that is a part of the program: a Python int, bool or string, or a constant from outside of the function."


class Traced(Tensor):
    """A value of a function while it is recorded. It may also hold integers and truth values."""

    __slots__ = ()

    @property
    def variable(self) -> Variable:
        """What stands for it in the recording."""
        return self.level.variables[self.node]  # type: ignore[attr-defined]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out")
        if isinstance(out, ndarray) or isinstance(out, tuple) and isinstance(out[0], ndarray):
            refuse_value("Writing into a plain array", f"Write a = np.{ufunc.__name__}(a, t), or begin with a = np.zeros_like(t, shape=...).")
        if method == "__call__" and not kwargs:
            return record(rule_of(ufunc), inputs, {})
        if method in ("reduce", "accumulate", "reduceat", "outer") and top_level([inputs, kwargs]) is self.level:
            return record(Rule(getattr(ufunc, method)), inputs, kwargs)
        return ufunc_methods[method](ufunc, *inputs, **kwargs)

    def snapshot(self) -> Traced:
        return Traced(self.value, self.node, self.level)

    __bool__ = refused(
        "A condition (of if, while, assert, and, or, not)",
        f"Write np.where(condition, a, b), and & or | between conditions. {STATIC}",
    )
    __float__ = refused("float()", "Keep the array: NumPy's functions take it as it is.")
    __complex__ = refused("complex()", "Write t + 0j.")
    __int__ = refused("int()", f"For an array of integers, write t.astype(int). {STATIC}")
    __index__ = refused("An index of a list, or a number of elements,", f"Of an array, write np.take(a, t). {STATIC}")
    __round__ = refused("round()", "Write np.round(t).")
    __contains__ = refused("The operator in", "Write np.any(t == x).")
    __array__ = refused(
        "Turning a traced value into a plain array",
        "Keep it: write np.stack([a, b]) in place of np.array([a, b]), np.sin(t) in place of np.sin(np.asarray(t)), np.take(a, t) in "
        "place of a[t] for a plain array a, and array = np.zeros_like(t, shape=...) before array[0] = t.",
    )
    __reduce__ = refused("Pickling", "Return it from the function.")
    item = refused("item()", "Keep the array: NumPy's functions take it as it is.")
    tolist = refused("tolist()", "Write list(t).")

    def __repr__(self) -> str:
        return f"Traced({self.dtype}{list(self.shape)})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)


for _name in "and rand or ror xor rxor lshift rlshift rshift rrshift invert".split():  # which Tensors do not have
    setattr(Traced, f"__{_name}__", getattr(np.lib.mixins.NDArrayOperatorsMixin, f"__{_name}__"))

# ---- The level ------------------------------------------------------------------------------------------------------

# Functions that ask for the form of an array, and not for its values. They are answered at once.
OF_FORM = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type, np.iscomplexobj, np.isrealobj,
    np.may_share_memory, np.shares_memory,
}
PYTHON_OF = {ufunc: function for function, ufunc in UFUNC_OF.items()}
WRITE = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}
# The shape of the result depends on the values.
FORM_BY_VALUES = {
    getattr(np, name) for name in (
        "nonzero flatnonzero argwhere unique unique_all unique_counts unique_inverse unique_values union1d intersect1d setdiff1d "
        "setxor1d trim_zeros".split()
    ) if hasattr(np, name)
}
# Arguments, under the names that they have in NumPy, which decide about the shape of a result.
SHAPE_ARGUMENTS = set(
    "shape newshape new_shape num reps repeats axis axes N M pad_width indices_or_sections minlength deg obj offset n ddof".split()
)
NO_MASK = "Keep all elements: np.where(mask, t, 0), or where=mask in a reduction such as np.sum."
# The dtype or the shape of the result may be another one for other values. A program raises then.
FORM_IS_CHECKED = {
    np.bincount, np.linalg.eig, np.linalg.eigvals, np.linalg.lstsq, np.roots, np.poly, np.polydiv, np.polymul, np.polyadd, np.polysub,
    np.real_if_close, *(getattr(np.emath, name) for name in "sqrt log log10 log2 logn power arccos arcsin arctanh".split()),
}


class TraceLevel(Level):
    """The level of a function that is being recorded. It is the outermost one."""

    is_fast = False

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording
        self.variables: dict[Node, Variable] = {}
        self.constants: dict[tuple, Variable] = {}  # by content
        self.held: dict[Node, Variable] = {}  # for Tensors of inner levels with a name, what they hold
        # The frames from that of `trace` inwards, at the last operation. For each, the innermost frames so far of the user, and of a
        # backward pass.
        self.frames: dict[Any, tuple[Any, Any]] = {}
        self.lines: list[tuple[int, str]] = []  # for each operation, a number between the numbers of the nodes before and after it, and its line

    # A plain number was taken out of a Tensor that holds a traced value. See `guards.take_number`.

    number_taken = property(lambda self: None, lambda self, note: refuse_value(note[0].partition(" ")[0], STATIC))

    def close(self) -> None:
        super().close()
        self.variables, self.held, self.frames = {}, {}, {}  # they refer to the level by way of nodes and variables

    def input(self, leaf: Any, path: str) -> Traced:
        """Return the traced value for a leaf of the arguments."""
        t = self.traced(memory.to_keep(plain(leaf)))
        t.variable.path = path
        self.recording.inputs.append(t.variable)
        return t

    def traced(self, value: Any) -> Traced:
        """Return a new traced value."""
        t = Traced(value, Node(value), self)
        self.variables[t.node] = Variable("", *describe(value))
        return t

    def record(self, rule: Rule, args: tuple, kwargs: dict[str, Any], compute: Callable) -> Any:
        """Compute a value, and note how."""
        function, values, options = rule.fun, unwrap(args, self), unwrap(kwargs, self)
        if function in OF_FORM:
            return compute(*values, **options)
        if function is looked_up and (getattr(args[0], "__module__", None) or "").startswith("minigrad."):
            return args[0](*args[1:], **kwargs)
        if function in helpers.HELPERS:
            function, args, kwargs = helpers.HELPERS[function](*args, **kwargs)
        elif (getattr(function, "__module__", None) or "").startswith("minigrad."):
            return function.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]  # one of NumPy's functions after the other
        elif rule.composition and any(map(_is_function, (*args, *kwargs.values()))):
            return rule.composition(*args, **kwargs)  # it calls functions of the user
        self._check(rule, function, args, kwargs)
        y = compute(*values, **options)
        if isinstance(y, str):  # it is for printing
            return y
        # If all operands are Python numbers, the result is one too, as in `GradLevel.record`.
        given = rule.bind(values, options) if rule.vjps else {}
        numbers = values if rule.constant else [given[name] for name in rule.vjps if name in given]
        weak = guards.weak(y, numbers) if numbers and given.get("dtype", options.get("dtype")) is None else y
        if isinstance(function, np.ufunc) and type(weak) in operands.PYTHON_NUMBERS:
            function = _of_python_numbers(function, args)
            y = np.asarray(y)[()] if isinstance(function, np.ufunc) else weak
        result = self._noted(function, args, kwargs, y)
        if function in FORM_IS_CHECKED:
            result = self._through(result, lambda t: (helpers.as_recorded, (t, t.shape, t.dtype)))
        if not is_pure(function):  # it may write into its result later
            result = self._through(result, lambda t: (COPY, (t,)))
        is_several = isinstance(weak, tuple) and type(result) is tuple
        result = tuple(map(self._as_number, result, weak)) if is_several else self._as_number(result, weak)
        views.note_views(result, [args, kwargs])
        return result

    def _as_number(self, t: Any, weak: Any) -> Any:
        """Return a result as a Python number, if `weak` is a Python number."""
        is_number = type(weak) in operands.PYTHON_NUMBERS and isinstance(t, Traced) and not t.variable.is_weak
        return self._noted(type(weak), (t,), {}, weak) if is_number else t

    def _through(self, result: Any, call: Callable[[Traced], tuple]) -> Any:
        """Return a result after one more call, of each array in it, which changes no values."""
        if not isinstance(result, Traced) or result.variable.is_weak:
            return operands.within(result, lambda member: self._through(member, call))
        function, args = call(result)
        return self._noted(function, args, {}, result.value)

    def _noted(self, function: Any, args: tuple, kwargs: dict[str, Any], y: Any) -> Any:
        """Append an operation to the recording, and return what stands for its result."""
        guards.check_result(Rule(function), y)
        if isinstance(y, (list, tuple)) and any(isinstance(member, (list, tuple)) for member in y):
            first, *rest = self._noted(helpers.flattened, (function, *args), kwargs, (y[0], *y[1]))
            return first, rest
        if isinstance(y, (list, tuple)):
            results = [self.traced(member) for member in y]
            for name, t in zip(getattr(y, "_fields", ()), results):
                self.name(t, name)
            variable: Any = tuple(t.variable for t in results)
            # A constant among the results stays what it is, as in `GradLevel.wrapped`.
            results = [m if memory.is_of_constant(m, [args, kwargs], self) else t for m, t in zip(y, results)]
            result: Any = type(y)(*results) if hasattr(y, "_fields") else type(y)(results)
        else:
            result = self.traced(y)
            variable = result.variable
        line, part = self.place()
        self.recording.operations.append(Operation(variable, function, self.referred(args), self.referred(kwargs), line, part))
        return result

    def _check(self, rule: Rule, function: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise if a call writes into an array, or if the form of its result depends on values."""
        name, given = name_of_function(function), rule.bind(args, kwargs)
        out = given.get("out")
        if function in WRITE or any(isinstance(x, (ndarray, Tensor)) for x in (out if isinstance(out, tuple) else (out,))):
            raise NotImplementedError(f"{name} would write into an array, which a program cannot do: write t[index] = value, or t[...] = {name}(...)")
        if function in FORM_BY_VALUES or (function is np.where and len(args) + len(kwargs) == 1):
            refuse_value(f"The shape of the result of {name}", f"{NO_MASK} {STATIC}")
        if function is operator.getitem and any(t.dtype == bool for t in views.tensors([args[1]])):
            refuse_value("The shape of a[mask]", f"{NO_MASK} {STATIC}")
        for argument, value in given.items():
            decides = argument in SHAPE_ARGUMENTS or (argument == "condition" and function is not np.where) or (
                argument == "bins" and np.ndim(value) == 0)
            if decides and views.tensors([value]):
                refuse_value(f"{name}({argument}=), which decides about the shape of the result,", STATIC)

    def referred(self, value: Any) -> Any:
        """Return an argument, or a result, with variables in the place of traced values and arrays."""
        if isinstance(value, Tensor):
            if value.level is not self:
                raise OuterTensorError("the function uses a value from outside that is being differentiated: pass it as an argument, and "
                                       "call program outside of grad")
            return value.variable
        if isinstance(value, ndarray):
            return self.constant(value)
        return operands.within(value, self.referred)

    def constant(self, array: ndarray) -> Variable:
        """Return the variable of a constant array. Arrays with the same content have one."""
        key = array.shape, array.dtype.str, array.strides, hashlib.sha256(array.tobytes()).digest()
        if key not in self.constants:
            variable = self.constants[key] = Variable("", array.shape, array.dtype, base=self.name_of_constant(array))
            self.recording.constants[variable] = memory.locked(memory.copied(array))
        return self.constants[key]

    # ---- Lines and names ----

    def name_of_constant(self, array: ndarray) -> str:
        """Return the name of the user's variable that holds an array, or "" if there is none."""
        frame, _ = user_frame()
        found = (name for names in (frame.f_locals, frame.f_globals) for name, value in names.items() if value is array)
        return next(found, "")

    def place(self) -> tuple[str, str]:
        """Return the line of the user's program, and the part of the program. On the way, find names.

        In the backward pass, the line is the line of the operation whose derivative is computed. Since the last operation, some
        frames have ended, others are new, and the frame that called them has moved on. Only these are looked at: frames further
        outside are where they were.
        """
        frame: Any = sys._getframe(1)
        new = []
        while frame not in self.frames:  # at the latest, it is that of `trace`
            if not is_library(frame) or frame.f_code.co_name in WATCHED:
                new.append(frame)
            frame = frame.f_back
        self.leave(frame)
        for running in (*new, frame):
            self.find_names(running)
        for running in reversed(new):
            user, backward = next(reversed(self.frames.values()))
            if not is_library(running):
                user = running
            elif running.f_code.co_name in BACKWARD:
                backward = running
            self.frames[running] = user, backward
        user, backward = next(reversed(self.frames.values()))
        line = f"{user.f_code.co_filename}, line {user.f_lineno}, in {user.f_code.co_name}" if user else ""
        node = backward.f_locals.get("node") if backward and backward.f_code.co_name == "backward" else None
        if node is not None and "g" in backward.f_locals:
            self.name(backward.f_locals["g"], self.held.get(node))
            before = bisect_left(self.lines, (-node.number, ""))
            line = self.lines[before - 1][1] if before else line
        self.lines.append((-next(node_numbers), line))
        return line, "backward" if backward else "forward"

    def leave(self, outer: Any) -> None:
        """Find names in the frames inside of one, which have ended. They still have their variables."""
        while next(reversed(self.frames)) is not outer:
            frame, _ = self.frames.popitem()
            self.find_names(frame)
            if is_library(frame) and frame.f_code.co_name in DIFFERENTIATES:
                names = frame.f_locals
                gradients = names.get("gradients") or map(names.get("cotangents", {}).get, names.get("nodes", ()))
                for leaf, g in zip(names.get("leaves", ()), gradients):
                    self.name(g, getattr(self.of_level(leaf), "variable", None))
                self.name(names.get("value"), "value")

    def of_level(self, t: Any) -> Any:
        """Return the traced value in a Tensor of an inner level, and anything else as it is."""
        while isinstance(t, Tensor) and t.level is not self:
            t = t.value
        return t

    def find_names(self, frame: Any) -> None:
        """Give values the names of the variables of the user that hold them. Note what Tensors hold."""
        if not is_library(frame):
            for name, t in list(frame.f_locals.items()):
                value = self.of_level(t) if isinstance(t, Tensor) else None
                if isinstance(value, Traced):
                    self.held[t.node] = value.variable
                    if name.isidentifier() and not name.startswith("_"):
                        self.name(value, name)

    def name(self, value: Any, name: str | Variable | None) -> None:
        """Name a value: by a name, or if it is the gradient of ``w``, ``d_w``."""
        value = self.of_level(value)
        if isinstance(name, Variable):
            name = f"d_{name.base}" if name.base else ""
        if isinstance(value, Traced) and name:
            value.variable.base = value.variable.base or name


BACKWARD = ("backward", "gradient_for")  # functions of minigrad in which the backward part runs
DIFFERENTIATES = ("differentiate", "vjp_fun")  # functions of minigrad that return gradients
WATCHED = (*BACKWARD, *DIFFERENTIATES)


def _of_python_numbers(function: Any, args: tuple) -> Any:
    """Return the operator of Python for a ufunc, where it gives the same for Python numbers and does not raise."""
    may_raise = function is np.divide and not (type(args[1]) is float and args[1])
    return function if may_raise else PYTHON_OF.get(function, function)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, (type, Tensor))


def is_traced(leaf: Any) -> bool:
    """Return whether a leaf of the arguments is an input of the program, and not a part of it."""
    if isinstance(leaf, (ndarray, np.generic)):
        return leaf.dtype.kind in "fcbiu"
    return isinstance(leaf, (float, complex, Tensor))


ANY_LEAF = boundary.Options("program", allow_int=True, allow_objects=True)


def plain(leaf: Any) -> Any:
    """Return an input as a number or array of no subclass."""
    if isinstance(leaf, (ndarray, np.generic)):
        return boundary.as_array(leaf)
    return float(leaf) if isinstance(leaf, float) else complex(leaf)


def trace(fun: Callable, args: tuple, kwargs: dict[str, Any], is_input: list[bool] | None = None) -> Recording:
    """Run a function once, and return what it did. `is_input` says which leaves are inputs; by default, `is_traced` decides."""
    check_callable(fun)
    recording = Recording(fun)
    level = TraceLevel(recording)
    leaves, structure = tree.flatten((args, kwargs))
    try:
        if any(isinstance(leaf, Tensor) for leaf in leaves):
            raise TypeError("a program is recorded outside of grad: its arguments must not be values that are being differentiated")
        paths = [place_of(fun, path) for path in tree.paths(structure)]
        for leaf, path in zip(leaves, paths):
            boundary.check_leaf(leaf, ANY_LEAF, lambda: path)
        inputs = is_input or map(is_traced, leaves)
        given = [level.input(leaf, path) if traced else leaf for leaf, path, traced in zip(leaves, paths, inputs)]
        recording.in_tree = tree.unflatten(structure, [level.referred(x) if isinstance(x, Traced) else x for x in given])
        for variable, name in zip(recording.inputs, names_of_inputs([v.path for v in recording.inputs])):
            variable.base = name
        new_args, new_kwargs = tree.unflatten(structure, given)
        frame = sys._getframe()
        level.frames[frame] = None, None
        outputs = fun(*new_args, **new_kwargs)
        level.leave(frame)
        recording.outputs = tree.map(level.referred, outputs)
    except Exception as error:
        boundary.show_cause(error)
        raise
    finally:
        level.close()
    writing.give_names(recording)
    return recording


def place_of(fun: Callable, path: tuple) -> str:
    """Return the path to a leaf as one writes it in the function: ``theta['w']``."""
    where, which = (key.idx if hasattr(key, "idx") else key.key for key in path[:2])  # in args or in kwargs
    if where:
        return f"{which}{tree.keystr(path[2:])}"
    names = writing.positional_names(fun, which + 1)
    name = names[which] if which < len(names) and names[which][0] != "*" else f"{names[-1][1:]}[{which - len(names) + 1}]"
    return f"{name}{tree.keystr(path[2:])}"


def names_of_inputs(paths: list[str]) -> list[str]:
    """Return a name for each input: the last name in its path or, where others have the same, all names and numbers in the path."""
    parts = [re.findall(r"\w+", path) for path in paths]
    last = [found[-1] for found in parts]
    return [end if last.count(end) == 1 and not end.isdigit() else "_".join(found[1:] if found[1:] and not found[1].isdigit() else found)
            for found, end in zip(parts, last)]
