"""The same as the core, in less time.

The core defines what minigrad computes: the plain way. This file computes the same faster. It replaces a few names of the
core when minigrad is imported; `install`, at the end, lists them. The environment variable MINIGRAD_PLAIN=1 leaves this
file out, and the tests run both ways. It has two parts: this file is about recording, and `fast_backward` about the backward
pass, as `tensor` and `graph` in the core.

It handles the usual cases. It passes all other cases on to the plain way, and so everything at a level with an observer.
What it finds out about a rule, it stores in that rule. A function that gets a new rule starts with nothing stored. The
results are equal to the results of the plain way, to the bit, with a few exceptions: the cotangents of a number that
multiplied or was added to an array, small products of matrices, and the derivative of tanh. A test bounds the difference.
"""

from __future__ import annotations

import operator
import os
from functools import cache, partial
from threading import get_ident
from typing import Any, Callable
from weakref import ref

import numpy as np
from numpy import float64, ndarray

from . import boundary, calls, checkpoints, guards, memory, operands, table, tensor
from .fast_backward import FASTER, FLOAT64, OF_A_NUMBER, Edge, FastNode, Parts, add_reduce, backward, fast_node
from .fast_backward import node_numbers, spread, twice_times, vjp_of
from .graph import NOBODY
from .guards import of_python_numbers, weak
from .memory import copied
from .operands import PYTHON_NUMBERS
from .rules import reductions
from .table import Rule, rule_of, rules, shape_of
from .tensor import Tensor
from .transforms import graph  # minigrad.graph itself is a function
from .views import View, getitem, note_view, note_views

# The text of the templates below uses some of the names that are imported here, and this one.
new = object.__new__  # it takes longer to call the constructor of Tensor than to set the attributes

# ---- Levels ---------------------------------------------------------------------------------------------------------


class FastLevel(tensor.GradLevel):
    """A level that may take the short ways while it is open, unless it has an observer. Every short way checks `is_fast`."""

    __slots__ = ("is_fast", "copies")

    def __init__(self, observer: Any = NOBODY) -> None:
        self.number = next(graph.level_numbers)
        self.observer = observer
        self.open = True
        self.thread = get_ident()
        self.is_fast = observer is NOBODY
        self.copies: Any = None  # a dict from the id of a large array to a weak reference to its copy, if there is one

    def close(self) -> None:
        self.open = self.is_fast = False

    def to_keep(self, value: Any, is_leaf: bool = False) -> Any:
        """Do the same as the core, but copy a large array only once for all its uses, as long as it does not change.

        Each leaf has a copy of its own. So two leaves do not share memory, even if the user passes one array for both.
        """
        if type(value) is not ndarray or (value.dtype is not FLOAT64 and value.dtype.hasobject):
            return operands.within(value, self.to_keep) if type(value) in CONTAINERS else memory.to_keep(value)
        flags = value.flags
        if value.base is None and not flags.writeable:
            return value
        copy = self.copies[id(value)]() if self.copies and not is_leaf and id(value) in self.copies else None
        if copy is None or not is_copy(copy, value):
            copy = value.copy() if flags.c_contiguous else copied(value)
            if value.nbytes >= 131_072:
                prime_allocator()
            if value.nbytes >= 16_384:
                self.copies = self.copies or {}
                self.copies[id(value)] = ref(copy)
        return copy


def is_copy(copy: ndarray, value: ndarray) -> bool:
    """Return whether a copy is still like its array. The array may have changed, or a new array may have the same id."""
    is_alike = copy.dtype == value.dtype and copy.shape == value.shape and copy.flags.fnc == value.flags.fnc
    return is_alike and copy.tobytes() == value.tobytes()


CONTAINERS = {dict, list, tuple}


@cache
def prime_allocator() -> None:
    """Make glibc keep the memory of large arrays, and use it for later arrays. This is done once, at the first large array.

    For a block above a threshold (at first 128 KiB), glibc takes fresh pages from the system. It returns the pages when the
    block is freed. Then a gradient step spends most of its time waiting for pages. When a larger block is freed, the
    threshold rises to its size. So this function makes a large block, does not touch its pages, and frees it. After that,
    up to twice its size may stay with the process. Without glibc, the function has no effect. The environment variable
    MINIGRAD_PRIME_ALLOCATOR=0 turns it off.
    """
    if os.environ.get("MINIGRAD_PRIME_ALLOCATOR") != "0":
        np.empty(16_000_000, np.uint8)


# ---- Short ways -----------------------------------------------------------------------------------------------------
# `tensor.record` handles all operations. A short way does the same for only one: an operator, a ufunc, or a function of
# one array. In these templates, `a` and `b` are the arguments, and `x` and `z` are their values. The text names the
# residuals of the rule.

ONE_OR_TWO = """
def way({me}, {other}):
    level = {me}.level
    if not level.is_fast:
        return plain({me}, {other})
    {mine} = {me}.value
    vjp = vjp_{me}
    next_edge = None
    kind = type({other})
    if kind is Tensor:
        if {other}.level is not level:
            return plain({me}, {other})
        {others} = {other}.value
        y = compute(x, z)
        next_edge = Edge()
        next_edge.parent, next_edge.vjp = {other}.node, vjp_{other}
        next_edge.residuals, next_edge.next_edge = {kept_other}, None
    else:
        if kind is float or kind is float64 or kind is int:
            {others} = {other}
        elif kind is ndarray:
            {others} = {theirs_kept}
            if type({mine}) is float:
                vjp = number_vjp_{me}
        else:
            return plain({me}, {other})
        y = compute(x, z)
    parent = {me}.node
    residuals = {kept_me}
"""
ONE = """
def way(a):
    level = a.level
    if not level.is_fast:
        return plain(a)
    x = a.value
    y = compute(x)
    if type(x) is not ndarray and type(x) in PYTHON_NUMBERS:
        y = weak(y, (x,))
    parent = a.node
    vjp = vjp_a
    residuals = {kept_me}
    next_edge = None
"""
RESULT = """
def way(y, level, parent, vjp, residuals):
    next_edge = None
"""
MAKE = """
    kind = type(y)
    if kind is ndarray and y.dtype is FLOAT64:
        shape, dtype = y.shape, FLOAT64
    elif kind is float64:
        shape, dtype = (), FLOAT64
    elif kind is float:
        shape, dtype = (), float
    else:
        return of_another_kind(rule, y, level, parent, vjp, residuals, next_edge)
    node = FastNode()
    node.number, node.parent, node.vjp = next(node_numbers), parent, vjp
    node.residuals, node.next_edge = residuals, next_edge
    node.shape, node.dtype = shape, dtype
    t = new(Tensor)
    t.value, t.node = y, node
    t.level, t.family = level, None
    return t
"""


SHAPE = "({0}.shape if type({0}) is ndarray else shape_of({0}))"


def of_another_kind(rule: Any, y: Any, level: Any, parent: Any, vjp: Any, residuals: tuple, next_edge: Any) -> Any:
    """Return the Tensor for a result that is not a float and does not have the dtype float64."""
    if type(y) is not Tensor:
        guards.check_result(rule, y)
    node = fast_node(y)
    node.parent, node.vjp, node.residuals, node.next_edge = parent, vjp, residuals, next_edge
    return level.wrapped(y, node)


def generated(template: str, rule: Any, compute: Any = None, plain: Any = None, me: str = "a") -> Any:
    """Make a short way from a template. The argument `me` is a Tensor. The other argument may be something else."""
    other = "b" if me == "a" else "a"
    local = {"a": "x", "b": "z"}
    names, vjps = list(rule.vjps), [vjp for vjp in rule.vjps.values() if vjp]
    known = globals() | {"rule": rule, "compute": compute, "plain": plain}
    fill = {"me": me, "other": other, "mine": local[me], "others": local[other]}
    values = {"y": "y", **dict(zip(names, local.values()))}  # an argument may be called y too, and then it is meant
    for argument, vjp in zip("ab", vjps):
        kept = [values[name] if name in values else SHAPE.format(values[name[:-6]]) for name in vjp.residuals]
        fill["kept_me" if argument == me else "kept_other"] = f"({''.join(text + ',' for text in kept)})"
        known[f"vjp_{argument}"] = FASTER.get(vjp.fun, vjp.fun)
        known[f"number_vjp_{argument}"] = OF_A_NUMBER.get(vjp.fun, known[f"vjp_{argument}"])
        if argument == me and len(names) == 2:
            is_kept = names["ab".index(other)] in vjp.residuals
            fill["theirs_kept"] = f"level.to_keep({other})" if is_kept else other
    exec(compile(template.format(**fill) + MAKE, f"<a short way for {rule.title}>", "exec"), known)
    return known["way"]


with_one_parent = generated(RESULT, Rule(getitem))  # for an operation with one parent, or for a leaf


def is_usual(rule: Any) -> bool:
    """Return whether the rule of a ufunc has a VJP for each argument."""
    return not rule.constant and len(rule.vjps) == rule.fun.nin and None not in rule.vjps.values()


def both_ways(rule: Any, compute: Any, plain: Any, plain_reflected: Any) -> tuple[Callable, Callable]:
    """Return the short ways of a function of two arguments: for ``t * other``, and for ``other * t``."""
    if not is_usual(rule):
        return plain, plain_reflected
    return generated(ONE_OR_TWO, rule, compute, plain), generated(ONE_OR_TWO, rule, compute, plain_reflected, "b")


def short_way(rule: Any) -> Any:
    """Return the short way of a ufunc or of a function of one array, or None. Store it in the rule."""
    try:
        return rule.short_way
    except AttributeError:
        rule.short_way = found = _short_way(rule)
        return found


def _short_way(rule: Any) -> Any:
    def plain(*args: Any) -> Any:
        return tensor.record(rule, args, {})

    fun = rule.fun
    if fun in ALONE:
        return generated(ONE, Rule(fun, {"a": rule.vjps["a"]}), ALONE[fun], plain) if plan_for(rule, (None,), {}) else plain
    if not isinstance(fun, np.ufunc) or fun.nout != 1 or fun.nin > 2 or not is_usual(rule):
        return None
    if fun.nin == 1:
        return generated(ONE, rule, fun, plain)

    def compute(a: Any, b: Any) -> Any:
        y = fun(a, b)
        return y if type(y) is ndarray else weak(y, (a, b))

    forward, reflected = both_ways(rule, compute, plain, lambda b, a: plain(a, b))
    return lambda a, b: forward(a, b) if type(a) is Tensor else reflected(b, a)


def average(x: Any) -> Any:
    """Do the same as `numpy.mean`, in half the time for a plain array of floats."""
    if type(x) is ndarray and (x.dtype is FLOAT64 or x.dtype.char in "fd") and x.size:
        return add_reduce(x, None) / x.size
    return np.mean(x)


# Functions of one array. Each has a function that computes its value in a call without options.
ALONE = {np.sum: lambda x: add_reduce(x, None) if type(x) is ndarray else np.sum(x), np.mean: average}
# The ufuncs behind operators of two operands. Each has the name of the operator, and a function that computes its value.
OPERATORS = {
    np.add: ("add", operator.add),
    np.subtract: ("sub", operator.sub),
    np.multiply: ("mul", operator.mul),
    np.divide: ("truediv", of_python_numbers(np.divide, operator.truediv)),
    np.remainder: ("mod", of_python_numbers(np.remainder, operator.mod)),
    np.power: ("pow", of_python_numbers(np.power, operator.pow)),
    np.matmul: ("matmul", operator.matmul),
}
plain_methods = {name: getattr(Tensor, name) for name in dir(Tensor) if name.startswith("__")}
power_a = vjp_of(np.power, "a")


def postpone(ufunc: np.ufunc) -> None:
    """Let the short way of an operator be made at its first use. Otherwise importing would take longer."""
    name = OPERATORS[ufunc][0]
    for method in (f"__{name}__", f"__r{name}__"):
        setattr(Tensor, method, first_use(ufunc, method))


def first_use(ufunc: np.ufunc, method: str) -> Callable:
    def first(*args: Any) -> Any:
        set_operator(ufunc)
        return getattr(Tensor, method)(*args)

    return first


def set_operator(ufunc: np.ufunc) -> None:
    """Give Tensor the short way of an operator, from the rule that the ufunc has now."""
    with guards.changing:  # another thread must not define the rule again meanwhile
        name, compute = OPERATORS[ufunc]
        rule, plain = rule_of(ufunc), plain_methods[f"__{name}__"]
        way, reflected = both_ways(rule, compute, plain, plain_methods[f"__r{name}__"])
        if any(vjp and vjp.fun is power_a for vjp in rule.vjps.values()):
            way = with_squares(way, compute, plain)
        setattr(Tensor, f"__{name}__", way)
        setattr(Tensor, f"__r{name}__", reflected)


def with_squares(power: Callable, compute: Callable, plain: Callable) -> Callable:
    """Return the operator ** with a short way for the exponent 2. For complex numbers, NumPy computes x ** 2.0 in another way."""
    rule = Rule(np.square, {"x": table.VJP(twice_times)})
    square = generated(ONE, rule, lambda x: np.square(x) if type(x) is ndarray else compute(x, 2), lambda a: plain(a, 2))

    def square_or_power(a: Any, b: Any) -> Any:
        is_two = (type(b) is int and b == 2) or (type(b) is float and b == 2 and a.dtype.kind != "c")
        return square(a) if is_two else power(a, b)

    return square_or_power


def comparison(name: str) -> Callable:
    """Return the short way of a comparison. The result of a comparison is plain, so nothing is recorded."""
    operate, plain = getattr(operator, name), plain_methods[f"__{name}__"]

    def compare(a: Any, b: Any) -> Any:
        level = a.level
        z = b.value if type(b) is Tensor and b.level is level else b
        return operate(a.value, z) if level.is_fast and type(a.value) in NUMERIC and type(z) in NUMERIC else plain(a, b)

    return compare


NUMERIC = {ndarray, float64, float, int}

# ---- Calls with options, like np.sum(t, axis=0) -----------------------------------------------------------------------
# `tensor.record` checks every argument: its type, and whether the rule knows its name. Calls of the same form have the same
# names. So the names are checked once for each form. The result, a plan, is stored in the rule.

OPTIONS = {int, float, bool, str, type, type(None)}
INDEXED = {ndarray, Tensor}
SIMPLE_INDICES = {int, np.intp, slice, type(None), type(...)}
# What some functions of NumPy call in the end. Only its default of axis= differs.
REDUCE = {np.sum: add_reduce, np.prod: np.multiply.reduce, np.max: np.maximum.reduce, np.min: np.minimum.reduce}


def record_with_options(rule: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Do the same as `tensor.record`, for calls in which the first argument is a Tensor, and the others are options."""
    t: Any = args[0] if args else None
    if len(args) == 1 and not kwargs and rule.fun in ALONE and type(t) is Tensor:
        return short_way(rule)(t)
    if type(t) is not Tensor or not t.level.is_fast or type(t.value) not in INDEXED:  # type: ignore[attr-defined]
        return tensor.record(rule, args, kwargs)
    for option in (*args[1:], *kwargs.values()):
        if type(option) not in OPTIONS and not (type(option) is tuple and OPTIONS.issuperset(map(type, option))):
            return tensor.record(rule, args, kwargs)
    form = (len(args), *kwargs)
    plans = vars(rule).setdefault("plans", {})
    plan = plans[form] if form in plans else plans.setdefault(form, plan_for(rule, args, kwargs))
    if plan is None or (plan[2] and tuple in map(type, (*args[1:], *kwargs.values()))):  # the tuple may stand for an array
        return tensor.record(rule, args, kwargs)
    compute, vjp, _ = plan
    x, level = t.value, t.level
    y = (compute if type(x) is ndarray else rule.fun)(x, *args[1:], **kwargs)
    given = dict(zip(rule.parameters, (x, *args[1:])), **kwargs)
    result = with_one_parent(y, level, t.node, *vjp.prepared(given, {**given, "y": y}))
    if type(y) is type(x) is ndarray and (y is x or y.base is x):
        note_view(result, t)
    elif type(y) is not float64 and (type(y) is not ndarray or y.base is not None):
        note_views(result, t)
    return result


def plan_for(rule: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Return the plan for calls of this form. Return None if they must go the plain way.

    A plan has a function that computes the value for an array, and the VJP of the first argument. It also says whether other
    arguments of the call may be arrays.
    """
    names = list(rule.parameters)
    options = [*names[1 : len(args)], *kwargs]
    vjp = rule.vjps.get(names[0]) if names and not rule.constant else None
    is_variadic = any(p.kind is p.VAR_POSITIONAL for p in rule.parameters.values())
    if vjp is None or is_variadic or vjp.of_sequence or "y" in names or (rule.adapt and "order" in options):
        return None
    kept = {name.removesuffix("_shape") for name in vjp.residuals}
    is_simple = kept <= {names[0], "y", *options} and not vjp.choices.keys() & set(options)
    if not is_simple or not all(name in (*rule.vjps, *vjp.needs) for name in options):
        return None
    compute = REDUCE.get(rule.fun, rule.fun) if "axis" in options else rule.fun
    return compute, table.VJP(FASTER.get(vjp.fun, vjp.fun)), not rule.vjps.keys().isdisjoint(options)


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    if not kwargs and method == "__call__":
        way = short_way(rules.get(ufunc) or rule_of(ufunc))
        if way is not None:
            return way(inputs[0]) if len(inputs) == 1 else way(*inputs)
    return plain_methods["__array_ufunc__"](self, ufunc, method, *inputs, **kwargs)


def array_function(self: Any, function: Any, types: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    return record_with_options(rules.get(function) or rule_of(function), args, kwargs)


def method_of(fun: Any) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        rule = rules[fun]
        return record_with_options(rule, (self, *args), kwargs) if args or kwargs else short_way(rule)(self)

    method.__name__, method.__doc__ = fun.__name__, f"Same as `numpy.{fun.__name__}`."
    return method


def item(self: Any, index: Any) -> Any:
    """Do the same as `Tensor.__getitem__`, faster for indices without arrays, which would make a copy."""
    kind = type(index)
    is_simple = kind in SIMPLE_INDICES or (kind is tuple and SIMPLE_INDICES.issuperset(map(type, index)))
    if not is_simple or not self.level.is_fast or type(self.value) not in INDEXED or vjp_of(getitem, "a") not in FASTER:
        return getitem(self, index)
    index = index if kind is int else operands.admitted(index)  # an object in a slice could change: it becomes a number
    y, node = self.value[index], self.node
    t = with_one_parent(y, self.level, node, Parts, (index, node.shape))
    if type(y) is ndarray or (type(y) is Tensor and type(y.family) is View):
        note_view(t, self)
    return t


# ---- All calls ------------------------------------------------------------------------------------------------------
# These functions run for every leaf, every gradient or every argument. They check for the usual types first.

plain_one_like, plain_check_output = boundary.one_like, boundary.check_output


def tensors_for(leaves: list, structure: Any, level: Any, options: Any, arguments: Any, args: tuple) -> tuple[list, list]:
    """Do the same as `boundary.tensors_for`."""
    inputs, nodes = [], []  # type: ignore[var-annotated]
    for leaf in leaves:
        kind = type(leaf)
        if kind is float and not options.holomorphic:
            t = with_one_parent(leaf, level, None, None, ())
        elif kind is ndarray and leaf.dtype is FLOAT64 and not options.holomorphic:
            t = with_one_parent(level.to_keep(leaf, True), level, None, None, ())
        else:
            t = boundary.tensor_for(leaf, level, options, partial(arguments.place, len(inputs), structure, args))
        inputs.append(t)
        nodes.append(t.node if type(t) is Tensor else None)
    return inputs, nodes


def gradients_for(leaves: list, nodes: list, level: Any, cotangents: dict) -> list:
    """Do the same as `boundary.gradients_for`."""
    gradients = []
    for leaf, node in zip(leaves, nodes):
        g = cotangents.get(node)
        is_usual = type(g) is float or (type(g) is type(leaf) is ndarray and g.dtype is leaf.dtype)
        gradients.append(g if is_usual else boundary.gradient_for(leaf, node, level, g))
    return gradients


def one_like(value: Any) -> Any:
    """Do the same as `boundary.one_like`."""
    return type(value)(1) if type(value) in (float64, float) else plain_one_like(value)


def check_output(out: Any, options: Any, level: Any) -> None:
    """Do the same as `boundary.check_output`."""
    if type(out) is not Tensor or type(out.value) not in (float64, float) or options.holomorphic or out.level is not level:
        plain_check_output(out, options, level)


# ---- What is replaced -----------------------------------------------------------------------------------------------

plain_define = table.define


def define(rule: Any) -> None:
    """Do the same as `table.define`. A new rule of an operator takes effect at once.

    The short way of the old rule is dropped before and after. So it is never used with the new rule in the table, even if
    this function is interrupted.
    """
    if rule.fun in OPERATORS:
        postpone(rule.fun)
    plain_define(rule)
    if rule.fun in OPERATORS:
        postpone(rule.fun)


def install() -> None:
    """Replace the names of the core that have a faster version here."""
    graph.Level.is_fast = False  # type: ignore[attr-defined]  # for levels that are not made here
    graph.backward = backward
    for module in (graph, tensor, boundary, calls, checkpoints):
        module.Node = fast_node  # type: ignore[attr-defined]
    tensor.GradLevel = FastLevel  # type: ignore[misc]
    boundary.tensors_for, boundary.gradients_for = tensors_for, gradients_for
    boundary.one_like, boundary.check_output = one_like, check_output
    reductions._spread = spread
    table.define = define
    for ufunc in OPERATORS:
        postpone(ufunc)
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Tensor, f"__{name}__", comparison(name))
    Tensor.__array_ufunc__, Tensor.__array_function__ = array_ufunc, array_function  # type: ignore[method-assign]
    Tensor.__getitem__ = item  # type: ignore[method-assign]
    Tensor.sum, Tensor.mean = method_of(np.sum), method_of(np.mean)  # type: ignore[attr-defined]
