"""Tensor: a value with its place in the graph, which plain NumPy code takes for an array.

An operation on Tensors reaches this file by one of three doors:

- an operator, ``a * t``, has a short path of its own, because programs consist of operators: see `_binary`;
- a ufunc, ``np.sin(t)``, is handed over by NumPy to `Tensor.__array_ufunc__`;
- any other function, ``np.sum(t)``, is handed over to `Tensor.__array_function__`.

All three do what `record` does. Find the highest level among the arguments. Take the Tensors of that level out of
their wrapping. Let NumPy compute the value. Make a node with an edge to each of those Tensors' nodes. What is inside a
Tensor may be a Tensor of an outer `grad`, and then computing the value comes here again, one level further out.
"""

from __future__ import annotations

import operator
from functools import partial
from operator import itemgetter
from typing import Any, Callable, Iterable, Iterator, NoReturn

import numpy as np
from numpy import float64, ndarray

from . import inplace, tree
from .engine import BORROWED, FLOAT64, Edge, Level, Node, Rule, describe, new_node, node_numbers, note_line, rule_of, title
from .inplace import View, note_view
from .methods import ArrayMethods
from .rules import special
from .rules.compositions import COMPOSITIONS
from .rules.elementwise import sum_of_products
from .rules.indexing import getitem
from .rules.products import matmul_operator
from .rules.ufunc_methods import of_method

_PYTHON_NUMBERS = (float, int, complex, bool)
_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True}


class TensorConversionError(TypeError):
    """A Tensor was about to become a plain number or array, which would drop its derivative."""


class EscapedTensorError(TypeError):
    """A Tensor was used after the call that it belonged to had ended."""


# ---- Recording, in general ------------------------------------------------------------------------------------------


def record(rule: Rule, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Call ``rule.fun(*args, **kwargs)``, with arguments that are or hold Tensors, and record the operation."""
    if rule.constant:
        if type(kwargs.get("out")) is Tensor:
            raise NotImplementedError(f"{title(rule.fun)} cannot write into a Tensor (out=); write t[...] = {title(rule.fun)}(...)")
        stripped = [_locked(value) if type(value) is Tensor else strip(value) for value in args]
        y = rule.fun(*stripped, **strip(kwargs))
        if rule.fun in _LIKE:
            return _to_write_into(y, top_level((*args, *kwargs.values())))
        return _as_weak(y) if all(type(value) in _PYTHON_NUMBERS for value in stripped) else y
    if not rule.vjps:
        if rule.fun in COMPOSITIONS:
            return COMPOSITIONS[rule.fun](*args, **kwargs)
        _refuse_function(rule.fun)
    given = _as_arrays(rule, rule.bind(args, kwargs))
    level: Any = None
    traced: list[str] = []
    for name, value in given.items():
        its = top_level((value,)) if type(value) in _HOLDERS else None
        if its is not None and (level is None or its.number > level.number):
            level, traced = its, [name]
        elif its is not None and its is level:
            traced.append(name)
    for name in traced:
        _check_call(rule, name, given)

    values = {name: lower(value, level) if type(value) in _HOLDERS else value for name, value in given.items()}
    y = rule.fun(*lower(args, level), **(lower(kwargs, level) if kwargs else kwargs))
    if (type(y) is not ndarray or y.ndim == 0) and given.get("dtype") is None:
        if all(type(values.get(name, 0)) in _PYTHON_NUMBERS for name in rule.vjps):
            y = _as_weak(y)

    edges = []
    known = {"y": y, **rule.defaults, **values}
    for name in traced:
        vjp = rule.vjps[name]
        if vjp is not None:
            for kept in (*vjp.residuals, *vjp.keywords):
                if kept not in traced and type(values.get(kept)) in _CHANGEABLE:
                    known[kept] = values[kept] = _frozen(values[kept], level)
            keywords = {keyword: values[keyword] for keyword in vjp.keywords if keyword in values}
            fun = partial(vjp.fun, **keywords) if keywords else vjp.fun
            edges.append((_parent(given[name], level), fun, vjp.pick_named(known)))
    if not edges:
        return _to_write_into(y, level) if rule.fun in _LIKE else y
    result = _wrap(rule, level, y, edges)
    if type(y) in _HOLDERS or type(y) is ndarray and (
        y.base is not None or rule.variadic is not None or any(y is value for value in values.values())
    ):  # it may share memory with an argument
        inplace.note_views(_tensors([result]), _tensors(given.values()), rule.fun, args, kwargs)
    return result


def _as_arrays(rule: Rule, given: dict[str, Any]) -> dict[str, Any]:
    """Make arrays of lists where an array is expected, and a list of an array where a sequence of arrays is."""
    for name, vjp in rule.vjps.items():
        value: Any = given.get(name)
        if vjp is not None and vjp.sequence:
            members = list(value) if isinstance(value, (Tensor, ndarray)) else value
            given[name] = [_as_array(rule, name, member) for member in members]
        elif isinstance(value, (list, tuple)):
            given[name] = _as_array(rule, name, value)
    return given


def _as_array(rule: Rule, name: str, value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    if top_level(value):
        raise TensorConversionError(
            f"{title(rule.fun)} got a list with Tensors in it for {name!r}, where it takes an array: "
            f"make it one Tensor first, with np.stack"
        )
    return np.asarray(value)


def _check_call(rule: Rule, name: str, given: dict[str, Any]) -> None:
    """Raise if there is no derivative with respect to this argument, or not with the other arguments of the call."""
    if name not in rule.vjps:
        raise NotImplementedError(f"{title(rule.fun)} has no derivative with respect to {name!r}")
    vjp = rule.vjps[name]
    if vjp is None:
        return
    for other, honoured in vjp.choices.items():
        if other in given and given[other] not in honoured:
            raise NotImplementedError(
                f"the derivative of {title(rule.fun)} does not support {other}={given[other]!r}, only {honoured}"
            )
    for other, value in given.items():
        if other not in rule.vjps and other not in vjp.residuals and other not in vjp.keywords:
            default = rule.defaults.get(other, _UFUNC_DEFAULTS.get(other))
            if value is not default and not (isinstance(value, (str, bool)) and value == default):
                remedy = f"write a = {title(rule.fun)}(...)" if other == "out" else "leave it out"
                raise NotImplementedError(f"the derivative of {title(rule.fun)} does not support {other}=; {remedy}")


def _locked(t: Tensor) -> Any:
    """The plain value, for a function that shall not write into it."""
    value = strip(t)
    if type(value) is ndarray:
        value = value.view()
        value.flags.writeable = False
    return value


def _to_write_into(y: Any, level: Any) -> Any:
    """A new array, which depends on no Tensor, as a Tensor: then Tensors can be written into it."""
    return recorded(y, level) if type(y) is ndarray and y.dtype.kind in "fc" else y


def _as_weak(y: Any) -> Any:
    """The result of Python numbers alone is as weak as they are: a Python number, or several."""
    if isinstance(y, tuple):
        return tuple(map(_as_weak, y))
    return y.item() if isinstance(y, np.generic) or (isinstance(y, ndarray) and y.ndim == 0) else y


def _parent(value: Any, level: Level) -> Node:
    """The node of an argument that is a Tensor, or a sequence with Tensors."""
    return value.node if type(value) is Tensor else node_of(value, level)  # type: ignore[return-value]


def node_of(values: list, level: Level) -> Node | None:
    """The node of several values, which deals the list of their cotangents out to the Tensors among them, if any."""
    edges = [(_parent(m, level), itemgetter(i), ()) for i, m in enumerate(values) if top_level((m,)) is level]
    return _node([lower(m, level) for m in values], edges) if edges else None


def _node(value: Any, edges: list) -> Node:
    """A node with any number of edges, each given as (parent, vjp, residuals)."""
    next_edge = None
    for parent, vjp, residuals in reversed(edges[1:]):
        edge = Edge()
        edge.parent, edge.vjp, edge.residuals, edge.next_edge = parent, vjp, residuals, next_edge
        next_edge = edge
    parent, vjp, residuals = edges[0]
    return new_node(value, parent, vjp, residuals, next_edge)


def _wrap(rule: Rule, level: Level, y: Any, edges: list) -> Any:
    """The Tensor for a result, or a tuple of them for several. A result of integers has no derivative."""
    if isinstance(y, (list, tuple)):
        node = _node(y, edges)
        outputs = [_wrap(rule, level, output, [(node, partial(_only, i), ())]) for i, output in enumerate(y)]
        return type(y)(*outputs) if hasattr(y, "_fields") else type(y)(outputs)
    kind = y.dtype.kind if type(y) is ndarray else np.dtype(getattr(y, "dtype", type(y))).kind
    if kind in "biu":
        return y
    if kind not in "fc":
        raise TypeError(f"{title(rule.fun)} returned {y!r} of type {type(y)}, which cannot be differentiated")
    if type(y) is Tensor:
        y = same(y)  # what is inside a Tensor is nobody else's, and never written into
    return _tensor(y, _node(y, edges), level)


def _only(i: int, g: Any) -> dict[int, Any]:
    return {i: g}


def record_call(results: list, arguments: list[Tensor], level: Level, vjp: Callable[[list], list]) -> list:
    """Record a whole call as one operation: return Tensors for its results, which are plain, or of outer levels.

    `vjp` takes the list of the results' cotangents to that of the arguments'. All arguments are Tensors of the level.
    """
    node = new_node(results, node_of(arguments, level), vjp)
    return [
        recorded(y, level, node, partial(_only, i)) if np.dtype(describe(y)[1]).kind in "fc" else y
        for i, y in enumerate(results)
    ]


def top_level(values: Iterable) -> Level | None:
    """The highest level among Tensors, also those in lists and tuples."""
    top = None
    for value in values:
        level: Level | None
        if type(value) is Tensor:
            level = value.level
        elif type(value) is list or type(value) is tuple:
            level = top_level(value)
        else:
            continue
        if top is None or (level is not None and level.number > top.number):
            top = level
    return top


def lower(value: Any, level: Level | None) -> Any:
    """Take the Tensors of one level out of their wrapping, also those in containers. (None: of all levels.)"""
    kind = type(value)
    if kind is Tensor:
        if level is None:
            return lower(value.value, None)
        return settled(value) if value.level is level else value
    if kind is list or kind is tuple:
        return kind([lower(member, level) for member in value])
    if kind is dict:
        return {name: lower(member, level) for name, member in value.items()}
    return value


def strip(value: Any) -> Any:
    """Take all Tensors out of their wrapping, of all levels: what is left are the plain values."""
    return lower(value, None)


def _tensors(values: Iterable) -> list[Tensor]:
    """The Tensors among values, also those in lists and tuples."""
    found = []
    for value in values:
        if type(value) is Tensor:
            found.append(value)
        elif type(value) is list or type(value) is tuple:
            found += _tensors(value)
    return found


def _frozen(value: Any, level: Level) -> Any:
    """What a rule can keep of an argument that is not differentiated. See `Level.frozen`."""
    if isinstance(value, ndarray):
        return level.frozen(value)
    if type(value) is Tensor:  # of an outer level; it may be written into
        return same(value)
    if type(value) is list or type(value) is tuple:
        return type(value)([_frozen(member, level) for member in value])
    return value


def settled(t: Tensor) -> Any:
    """The value of a Tensor, in a form that a rule can keep.

    A leaf begins with the user's own array, and many end with it: what the weights of a first layer receive depends
    on the data that they were multiplied by, and not on them. So an array is frozen when a rule does keep it. If the
    function writes into it before that, operations take what it holds then, as they do in JAX and in NumPy.
    """
    if t.node.vjp is BORROWED:
        t.value = t.level.frozen(t.value)
        t.node.vjp = None
    return t.value


def _refuse_function(fun: Any) -> NoReturn:
    if fun.__name__ in ("copyto", "put", "place", "putmask", "fill_diagonal", "put_along_axis"):
        raise TensorConversionError(
            f"{title(fun)} writes into an array, which would drop the derivative of a Tensor; write t[index] = value "
            f"instead, into a Tensor (np.zeros_like makes one), or build the array with np.stack or np.where"
        )
    raise NotImplementedError(
        f"{title(fun)} has no derivative rule, so it cannot be applied to a value that is being differentiated. Add "
        f"one with minigrad.defvjp({title(fun)}, x=lambda g, x: ...), one VJP for each argument that has a "
        f"derivative; or, if its derivative is not wanted, pass minigrad.stop_gradient(x)"
    )


# ---- Recording operators: the same, for one or two arguments, with every unneeded step left out ----------------------


def recorded(
    y: Any, level: Level, parent: Any = None, vjp: Any = None, residuals: tuple = (), next_edge: Edge | None = None
) -> Tensor:
    """Return the Tensor for a result, with its node: `new_node` says what that takes.

    Every operation comes here. For the usual values, what `new_node` and `_tensor` do is done in place, in half the time.
    """
    kind = type(y)
    if kind is float:
        shape: tuple = ()
        dtype: Any = float
    elif kind is ndarray and y.dtype is FLOAT64:
        shape, dtype = y.shape, FLOAT64
    elif kind is float64:
        shape, dtype = (), FLOAT64
    else:
        return _tensor(y, new_node(y, parent, vjp, residuals, next_edge), level)
    node = Node()
    node.number = next(node_numbers)
    node.parent = parent
    node.vjp = vjp
    node.residuals = residuals
    node.next_edge = next_edge
    node.shape = shape
    node.dtype = dtype
    if not level.is_plain:
        if not level.open:
            _refuse_escaped()
        note_line(node)
    t = Tensor()
    t.value = y
    t.node = node
    t.level = level
    return t


def _tensor(value: Any, node: Node, level: Level) -> Tensor:
    """The Tensor of a value that has its node."""
    if not level.open:
        _refuse_escaped()
    t = Tensor()
    t.value = value
    t.node = node
    t.level = level
    return t


def _refuse_escaped() -> NoReturn:
    raise EscapedTensorError(
        "a Tensor was used after the grad call that made it had ended: it escaped through a global, a list "
        "or an attribute. Return it from the differentiated function instead (has_aux=True)"
    )


def _binary(
    ufunc: np.ufunc, compute: Callable[[Any, Any], Any] | None = None, number_vjp: Callable | None = None
) -> tuple[Callable, Callable]:
    """Return the methods for ``a * b`` and for its reflection, when only b is a Tensor.

    `compute` finds the value, where it is not the ufunc itself. `number_vjp` takes the place of the rule's VJP where
    a number meets an array: its cotangent is a sum over that array, which may have a shorter way than elements first.
    """
    rule = rule_of(ufunc)
    a_vjp, b_vjp = rule.vjps.values()
    a_is_kept, b_is_kept = rule.names[0] in b_vjp.residuals, rule.names[1] in a_vjp.residuals
    # Operators spend their time in calls. So there is none to pick nothing, or the other operand alone.
    pick_a, pick_b = a_vjp.residuals and a_vjp.pick, b_vjp.residuals and b_vjp.pick
    only_b, only_a = a_vjp.residuals == rule.names[1:], b_vjp.residuals == rule.names[:1]
    vjp_a, vjp_b = a_vjp.fun, b_vjp.fun
    number_vjp_a, number_vjp_b = number_vjp or vjp_a, number_vjp or vjp_b
    compute = compute or ufunc

    def apply(a: Tensor, b: Any) -> Any:
        x, level = a.value, a.level
        if type(b) is Tensor:
            if b.level is not level:
                return record(rule, (a, b), {})
            node_a, node_b = a.node, b.node
            if node_a.vjp is BORROWED:
                x = settled(a)
            z = settled(b) if node_b.vjp is BORROWED else b.value
            y = compute(x, z)
            edge_b = Edge()
            edge_b.parent = node_b
            edge_b.vjp = vjp_b
            edge_b.residuals = (x,) if only_a else pick_b(x, z, y) if pick_b else ()
            edge_b.next_edge = None
            return recorded(y, level, node_a, vjp_a, (z,) if only_b else pick_a(x, z, y) if pick_a else (), edge_b)
        its, vjp, z = type(b), vjp_a, b
        if its is not float and its is not float64:
            if b_is_kept or its is not ndarray:
                z = _operand(b, level)
                if z is NotImplemented:
                    return z
            if type(x) is float and type(z) is ndarray:
                vjp = number_vjp_a
        y = compute(x, z)
        return recorded(y, level, a.node, vjp, (z,) if only_b else pick_a(settled(a), z, y) if pick_a else ())

    def reflected(b: Tensor, a: Any) -> Any:
        z, level = b.value, b.level
        its, vjp, x = type(a), vjp_b, a
        if its is not float and its is not float64:
            if a_is_kept or its is not ndarray:
                x = _operand(a, level)
                if x is NotImplemented:
                    return x
            if type(z) is float and type(x) is ndarray:
                vjp = number_vjp_b
        y = compute(x, z)
        return recorded(y, level, b.node, vjp, (x,) if only_a else pick_b(x, settled(b), y) if pick_b else ())

    return apply, reflected


def _operator(
    ufunc: np.ufunc, compute: Callable[[Any, Any], Any] | None = None, number_vjp: Callable | None = None
) -> tuple[Callable, Callable]:
    """Return the methods of an operator. See `_binary`."""
    rule = rule_of(ufunc)
    rule.final = True  # from here on, a change of it would go unnoticed
    apply, reflected = _binary(ufunc, compute, number_vjp)
    rule.short = _either(apply, reflected)
    return apply, reflected


def _either(apply: Callable, reflected: Callable) -> Callable[[Any, Any], Any]:
    """The function of two values, of which at least one is a Tensor."""
    return lambda a, b: apply(a, b) if type(a) is Tensor else reflected(b, a)


def _shorten(rule: Rule) -> Any:
    """Give the rule of a ufunc a short path, if it can have one."""
    ufunc: Any = rule.fun
    if rule.constant or ufunc.nout != 1 or ufunc.nin > 2 or len(rule.vjps) != ufunc.nin or None in rule.vjps.values():
        return None

    def compute(a: Any, b: Any) -> Any:
        y = ufunc(a, b)
        return y if type(y) is ndarray or not {type(a), type(b)}.issubset(_PYTHON_NUMBERS) else _as_weak(y)

    rule.short = _unary(ufunc) if ufunc.nin == 1 else _either(*_binary(ufunc, compute))
    return rule.short


def _unary(fun: Callable, compute: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    """Return the function of a Tensor alone, without further arguments."""
    rule = rule_of(fun)
    name, vjp = next(iter(rule.vjps.items()))
    vjp_x = vjp.fun
    only_x, only_y, pick = vjp.residuals == [name], vjp.residuals == ["y"], vjp.pick
    compute = compute or fun

    def apply(a: Any) -> Any:
        node = a.node
        x = settled(a) if node.vjp is BORROWED else a.value
        y = compute(x)
        if type(x) is not ndarray and type(x) in _PYTHON_NUMBERS:
            y = _as_weak(y)
        return recorded(y, a.level, node, vjp_x, (x,) if only_x else (y,) if only_y else pick(x, y=y))

    return apply


def _method_without_arguments(fun: Callable, compute: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    """Return the short path that a method or operator takes. See `_unary`."""
    rule = rule_of(fun)
    rule.short = _unary(fun, compute)
    rule.final = True
    return rule.short


def record_simple(rule: Rule, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Do what `record` does, for calls like ``np.sum(t, axis=0)``: of one Tensor, which comes first, with options.

    `record` looks at every argument: what it is, and whether the rule knows its name. The names are the same in all
    calls that are written alike, so they are looked at once.
    """
    t = args[0] if args else None
    if type(t) is not Tensor or type(settled(t)) not in _INDEXED:
        return record(rule, args, kwargs)
    for option in (*args[1:], *kwargs.values()):
        if type(option) not in _OPTIONS and not (type(option) is tuple and _OPTIONS.issuperset(map(type, option))):
            return record(rule, args, kwargs)
    form = (len(args), *kwargs)
    plan = rule.plans.get(form)
    if plan is None:
        plan = rule.plans[form] = _plan(rule, [*rule.names[1 : len(args)], *kwargs])
    vjp, keywords = plan
    if vjp is None:
        return record(rule, args, kwargs)
    x, level = t.value, t.level
    y = rule.fun(x, *args[1:], **kwargs)
    fun = vjp.fun
    if keywords:
        given = dict(zip(rule.names[1:], args[1:]), **kwargs)
        fun = partial(fun, **{name: given[name] for name in keywords})
    residuals = vjp.pick(x, *args[1:], y=y, **kwargs)
    if type(y) is ndarray and y.dtype.kind == "f":
        result = recorded(y, level, t.node, fun, residuals)
        if y is x or y.base is not None and (y.base is x or y.base is x.base):
            note_view(result, t, None, partial(inplace.call_again, rule.fun, args, kwargs, t, None))
        return result
    result = _wrap(rule, level, y, [(t.node, fun, residuals)])
    if type(y) in _HOLDERS or type(y) is ndarray:  # several arrays, complex ones, or those of an outer level
        inplace.note_views(_tensors([result]), [t], rule.fun, args, kwargs)
    return result


def _plan(rule: Rule, options: list[str]) -> tuple[Any, list[str]]:
    """The VJP for the first argument of calls with these options, and which of them it takes; None, if it needs more."""
    vjp = rule.vjps.get(rule.names[0]) if rule.vjps and rule.variadic is None else None
    if vjp is None or vjp.sequence or "y" in rule.names or ("order" in options and "bind" in vars(rule)):
        return None, []
    kept = {name.removesuffix("_shape") for name in vjp.residuals}
    is_simple = kept <= {rule.names[0], "y", *options} and not vjp.choices.keys() & set(options)
    is_known = all(name in (*rule.vjps, *vjp.residuals, *vjp.keywords) for name in options)
    return (vjp, [name for name in vjp.keywords if name in options]) if is_simple and is_known else (None, [])


def _operand(value: Any, level: Level) -> Any:
    """An operand that is not differentiated, if it can be one, in a form that a rule can keep."""
    if type(value) is ndarray:
        return level.frozen(value)
    if isinstance(value, (int, float, complex, np.number, np.bool_, Tensor)):
        return value
    if isinstance(value, (list, tuple)):
        return np.asarray(value)
    return value if getattr(value, "__array_ufunc__", None) is not None else NotImplemented


def _weak(ufunc: Callable[[Any, Any], Any], operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Like `operate`; but of Python numbers, inf or nan where Python raises (1 / 0.0) or turns complex ((-8) ** 0.5)."""

    def compute(a: Any, b: Any) -> Any:
        try:
            y = operate(a, b)
        except (ZeroDivisionError, OverflowError):
            return _as_weak(ufunc(a, b))
        if type(y) is complex and type(a) is not complex and type(b) is not complex:
            return _as_weak(ufunc(a, b))
        return y

    return compute


_add_reduce = np.add.reduce


def _total(x: Any) -> Any:
    """What numpy.sum returns, in half the time where it is simple."""
    return _add_reduce(x, None) if type(x) is ndarray else np.sum(x)


def _average(x: Any) -> Any:
    """What numpy.mean returns, in half the time where it is simple."""
    if type(x) is ndarray and x.dtype.char in "fd" and x.size:
        return _add_reduce(x, None) / x.size
    return np.mean(x)


_square = _method_without_arguments(np.square)
_negative = _method_without_arguments(np.negative)
_absolute = _method_without_arguments(np.absolute)
_sum = _method_without_arguments(np.sum, _total)
_mean = _method_without_arguments(np.mean, _average)


def _constant(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method for an operator that is piecewise constant: its results are plain."""
    return lambda self, other: compare(strip(self), strip(other))


def _in_place(operate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method for ``a *= b``, from that for ``a * b``."""

    def method(self: Tensor, other: Any) -> Any:
        result = operate(self, other)
        return result if result is NotImplemented else inplace.update(self, result)

    return method


def _refused(what: str, instead: str) -> Callable[..., NoReturn]:
    def refuse(self: Tensor, *args: Any, **kwargs: Any) -> NoReturn:
        raise TensorConversionError(f"{what} would drop the derivative of a value that is being differentiated; {instead}")

    return refuse


# ---- The Tensor -----------------------------------------------------------------------------------------------------


class Tensor(ArrayMethods):
    """A number or array that is being differentiated.

    `grad` makes Tensors of what it differentiates, and operations on Tensors make more. They have the operators of
    `numpy.ndarray`, its methods that have a derivative, and go where NumPy's functions take an array. They can be
    written into, ``t[0] = 1`` or ``t += 1``, as far as NumPy allows it: see `inplace`.

    Attributes
    ----------
    value : number, numpy.ndarray, or Tensor of an outer `grad`
    node : Node
    level : Level
        Of the `grad` call that it belongs to.
    family : View, list, or None
        What it is a view of; or its living views.
    """

    __slots__ = ("value", "node", "level", "family", "__weakref__")
    value: Any
    node: Node
    level: Level
    family: Any
    __hash__ = None  # type: ignore[assignment]  # it is compared by value, like an array

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        rule = rule_of(ufunc)
        short = rule.short
        if short is not None and not kwargs and method == "__call__":  # calls without a star are faster
            return short(inputs[0]) if len(inputs) == 1 else short(*inputs)
        if not rule.vjps and not rule.constant:
            special.register()  # perhaps it is one of SciPy's, of which the rules are needed for the first time
        if method == "__call__":
            if not kwargs and _shorten(rule):
                return rule.short(*inputs)
            if kwargs and kwargs.keys() <= {"out", "where", "dtype"} and ufunc.nout == 1 and not ufunc.signature:
                if rule.vjps or rule.constant:
                    return inplace.call_ufunc(ufunc, inputs, **kwargs)
            return record(rule, inputs, kwargs)
        if method == "at":
            return inplace.update_at(ufunc, *inputs)
        kwargs = {name: value for name, value in kwargs.items() if name == "axis" or value is not None}
        return of_method(ufunc, method)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        rule = rule_of(function)
        if rule.short and not kwargs and len(args) == 1 and type(args[0]) is Tensor:
            return rule.short(args[0])
        return record_simple(rule, args, kwargs)

    # Operators

    __add__, __radd__ = _operator(np.add, operator.add)
    __sub__, __rsub__ = _operator(np.subtract, operator.sub)
    __mul__, __rmul__ = _operator(np.multiply, operator.mul, sum_of_products)
    __truediv__, __rtruediv__ = _operator(np.divide, _weak(np.divide, operator.truediv))
    __mod__, __rmod__ = _operator(np.remainder, _weak(np.remainder, operator.mod))
    __matmul__, __rmatmul__ = _operator(np.matmul, matmul_operator)
    __neg__ = _negative
    __abs__ = _absolute

    def __pos__(self) -> Any:
        return np.positive(self)

    # operator.pow knows fast ways for some exponents of an array, and so do the rules for the most usual one.
    _power, __rpow__ = _operator(np.power, _weak(np.power, operator.pow))

    def __pow__(self, exponent: Any) -> Any:
        return _square(self) if type(exponent) in _PYTHON_NUMBERS and exponent == 2 else self._power(exponent)

    def __divmod__(self, other: Any) -> Any:
        return np.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return np.divmod(other, self)

    __lt__, __le__ = _constant(operator.lt), _constant(operator.le)
    __gt__, __ge__ = _constant(operator.gt), _constant(operator.ge)
    __eq__, __ne__ = _constant(operator.eq), _constant(operator.ne)  # type: ignore[assignment]
    __floordiv__ = _constant(_weak(np.floor_divide, operator.floordiv))
    __rfloordiv__ = _constant(_weak(lambda b, a: np.floor_divide(a, b), lambda b, a: operator.floordiv(a, b)))

    __iadd__, __isub__, __imul__ = _in_place(__add__), _in_place(__sub__), _in_place(__mul__)
    __itruediv__, __ifloordiv__, __imod__ = _in_place(__truediv__), _in_place(__floordiv__), _in_place(__mod__)
    __ipow__, __imatmul__ = _in_place(__pow__), _in_place(__matmul__)

    # What it looks like

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.shape

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.node.dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"

    def __format__(self, spec: str) -> str:
        return format(strip(self), spec) if spec else str(self)

    # Its elements, and the array in other forms

    def __getitem__(self, index: Any) -> Any:
        simple = type(index) in _SIMPLE_INDICES or (type(index) is tuple and _SIMPLE_INDICES.issuperset(map(type, index)))
        if simple and type(self.value) in _INDEXED:  # the same, for indices that are no arrays
            y, node = settled(self)[index], self.node
            t = recorded(y, self.level, node, _GETITEM_VJP, (index, node.shape))
            if type(y) is ndarray or (type(y) is Tensor and type(y.family) is View):
                note_view(t, self, index)
            return t
        return getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        inplace.write(self, strip(index), value)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return strip(value) in strip(self)

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        """Same as `numpy.sum`."""
        return record_simple(_SUM, (self, *args), kwargs) if args or kwargs else _sum(self)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Same as `numpy.mean`."""
        return record_simple(_MEAN, (self, *args), kwargs) if args or kwargs else _mean(self)

    def copy(self, order: str = "C") -> Tensor:
        """Another Tensor with this value, with memory of its own."""
        array = strip(self)
        is_laid_out = type(array) is not ndarray or array.flags.c_contiguous and order == "C"
        return same(self) if is_laid_out else record(rule_of(np.copy), (self,), {"order": order})

    __copy__ = copy

    def __deepcopy__(self, memo: dict) -> Tensor:
        return self.copy()

    # What leaves the derivative behind: allowed where that is what the words say, refused where it is not

    def __bool__(self) -> bool:
        return bool(strip(self))

    def __int__(self) -> int:
        return int(strip(self))

    def __round__(self, ndigits: int = 0) -> Any:
        return round(strip(self), ndigits)

    def item(self, *index: Any) -> Any:
        """The value (or one element) as a plain Python number, without its derivative."""
        value = strip(self)
        return value.item(*index) if hasattr(value, "item") else value

    __array__ = _refused(
        "turning a Tensor into an array",
        "keep it a Tensor: np.stack([a, b]) instead of np.array([a, b]), np.sin(t) instead of np.sin(np.asarray(t)), "
        "array = np.zeros_like(t, shape=...) before array[0] = t; and minigrad.stop_gradient(t) where no derivative is wanted",
    )
    __float__ = _refused(
        "float()",
        "write np.sin(t) instead of math.sin(t) or float(t), array = np.zeros_like(t, shape=...) before array[0] = t; "
        "and t.item() where only the number is wanted",
    )
    __complex__ = _refused("complex()", "write t + 0j; and t.item() where only the number is wanted")
    tolist = _refused("tolist()", "write list(t)")
    __reduce__ = _refused("pickling a Tensor", "pickle what grad returns, or minigrad.stop_gradient(t)")

    def __getattr__(self, name: str) -> Any:
        if name == "family":  # most Tensors have none, and do without the time it takes to say so
            return None
        hint = f"; write np.{name}(t)" if hasattr(ndarray, name) and hasattr(np, name) else ""
        hint = {"put": "; write t[index] = value", "fill": "; write t[...] = value"}.get(name, hint)
        raise AttributeError(f"'Tensor' object has no attribute {name!r}{hint}")


_SUM, _MEAN = rule_of(np.sum), rule_of(np.mean)
_HOLDERS = {Tensor, list, tuple, dict}  # what can be or hold a Tensor
_CHANGEABLE = {ndarray, list, tuple, Tensor}  # what can be or hold what can be written into
_LIKE = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}  # they make arrays to write into
_INDEXED = {ndarray, Tensor}
_OPTIONS = {int, float, bool, str, type, type(None)}
_SIMPLE_INDICES = {int, slice, type(None), type(...)}
_GETITEM_VJP = rule_of(getitem).vjps["a"].fun


def same(t: Tensor) -> Tensor:
    """Another Tensor with the same value and the same place in the graph. What is written into one is not in the other."""
    return _tensor(settled(t), t.node, t.level)


def stop_gradient(x: Any) -> Any:
    """Return a value without its derivative, as `jax.lax.stop_gradient` does.

    Parameters
    ----------
    x : number, array or pytree
        What is not being differentiated comes back as it is.

    Examples
    --------
    >>> from minigrad import grad, stop_gradient
    >>> grad(lambda x: stop_gradient(x) * x)(3.0)
    3.0
    """
    return tree.map(lambda leaf: _plain(leaf) if type(leaf) is Tensor else leaf, x)


def _plain(t: Tensor) -> Any:
    value = strip(t)
    return value.copy() if type(value) is ndarray else value  # a rule may rely on the array itself
