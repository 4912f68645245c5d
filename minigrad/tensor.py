"""Tensor: a value with its place in a graph. Plain NumPy code can use it like an array.

NumPy passes operations on a Tensor on to the Tensor. An operator, ``a * t``, comes to a method of the Tensor. A ufunc,
``np.sin(t)``, comes to `Tensor.__array_ufunc__`, and any other function, ``np.sum(t)``, to
`Tensor.__array_function__`. All of them call `record`, which does four things:

1. It finds the highest level among the arguments.
2. It unwraps the Tensors of that level, and of no other.
3. It lets NumPy compute the value.
4. It makes a node, with an edge to the node of each of those Tensors, and wraps the value in a new Tensor.

Calls of ``grad`` can be nested, and the levels keep them apart. Here the inner derivative is 1 for every x, because
the inner function is y -> x + y. So the outer function is x -> x, and the answer is 1:

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)

An engine that only asks "is this being differentiated?" treats x like y, gets 2 for the inner derivative, and
answers 2. This mistake is called perturbation confusion. Here the inner call has the higher level. To it, x is a
constant: ``x + y`` is recorded at the level of y, with one parent. Its value is computed by the same ``x + y``, where
y is now a plain number. So it comes to `record` once more, and is recorded at the level of x. This is why the value
in a Tensor of the inner level is a Tensor of the outer level. Derivatives of derivatives need nothing else.
"""

from __future__ import annotations

import operator
from operator import itemgetter
from typing import Any, Callable, Iterator

import numpy as np

from . import guards, memory, operands
from .graph import Edge, Level, Node, of_result
from .methods import ArrayMethods
from .table import Rule, rule_of, ufunc_methods
from .views import getitem, note_views, tensors

# ---- Recording ------------------------------------------------------------------------------------------------------


def record(rule: Rule, args: tuple, kwargs: dict[str, Any], compute: Callable | None = None) -> Any:
    """Call a function whose arguments are Tensors, or hold some. All operations come here.

    If `compute` is given, it computes the value instead of the function.
    """
    args, kwargs = operands.admitted(args), operands.admitted(kwargs)
    return top_level([args, kwargs]).record(rule, args, kwargs, compute or rule.fun)


class GradLevel(Level):
    """A level that records in order to differentiate."""

    differentiates = True
    to_keep = staticmethod(memory.to_keep)  # what a rule can keep of a value

    def record(self, rule: Rule, args: tuple, kwargs: dict[str, Any], compute: Callable) -> Any:
        """Compute a value, and record how, unless the derivative is zero."""
        if rule.composition:
            return rule.composition(*args, **kwargs)
        if rule.constant:
            guards.check_out(rule, kwargs)
            args, kwargs = memory.locked(unwrap(args, self)), memory.locked(unwrap(kwargs, self))
            return guards.weak(compute(*args, **kwargs), args)
        given = operands.as_arrays(rule, rule.bind(args, kwargs))  # the arguments by name
        differentiated = [name for name, value in given.items() if top_level(value) is self]
        guards.check_call(rule, differentiated, given)

        # What the VJPs name is kept as it is now: the arguments may change later.
        vjps = {name: rule.vjps[name] for name in differentiated if rule.vjps[name]}
        named = {name: value for name, value in given.items() if any(name in vjp.needs for vjp in vjps.values())}
        values = unwrap(given | self.to_keep(named), self)

        # The value. If all operands are Python numbers, which are weak, it is one too.
        y = compute(*unwrap(args, self), **unwrap(kwargs, self))
        if given.get("dtype") is None:
            y = guards.weak(y, [values[name] for name in rule.vjps if name in values])
        guards.check_result(rule, y)

        # An edge for each argument whose derivative is not zero.
        known = {"y": memory.result_to_keep(y, [args, kwargs], self), **rule.defaults, **values}
        edges = [Edge(self.node_of(given[name]), *vjp.prepared(values, known)) for name, vjp in vjps.items()]

        node = Node(y, edges)
        result = self.wrapped(y, node, [args, kwargs])
        recorded = [t if top_level(t) is self else None for t in result] if isinstance(result, (list, tuple)) else result
        note_views(recorded, given)
        self.observer.recorded(rule.fun, args, kwargs, result, node)
        return result

    def node_of(self, value: Any) -> Node:
        """The node of a Tensor. For a sequence, a new node, which hands each Tensor in it one of a list of cotangents."""
        if isinstance(value, Tensor):
            return value.node
        edges = [Edge(self.node_of(m), itemgetter(i), ()) for i, m in enumerate(value) if top_level(m) is self]
        return Node(unwrap(value, self), edges)

    def wrapped(self, y: Any, node: Node, args: Any = ()) -> Any:
        """The Tensor for a result, or a Tensor for each of several results. Integers and constants among them stay plain."""
        if isinstance(y, (list, tuple)):
            members = [
                member if memory.is_of_constant(member, args, self)
                else self.wrapped(member, Node(member, [Edge(node, of_result(i), ())]))
                for i, member in enumerate(y)
            ]
            return type(y)(*members) if hasattr(y, "_fields") else type(y)(members)
        if np.dtype(node.dtype).kind in "biu":
            return memory.own(y)  # a rule may keep them, and the caller may write into them
        return Tensor(y.snapshot() if isinstance(y, Tensor) else y, node, self)


def top_level(value: Any) -> Any:
    """Return the highest level among the Tensors in a value. Return None if there is no Tensor."""
    return max((t.level for t in tensors(value)), key=lambda level: level.number, default=None)


def unwrap(value: Any, level: Level) -> Any:
    """Return a value in which each Tensor of the level is replaced by the value in it."""
    if isinstance(value, Tensor):
        return value.value if value.level is level else value
    return operands.within(value, lambda member: unwrap(member, level))


# ---- The Tensor -----------------------------------------------------------------------------------------------------


def binary(ufunc: np.ufunc, operate: Callable) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the methods of an operator: for ``t * other``, and for ``other * t``."""
    compute = guards.of_python_numbers(ufunc, operate)

    def method(self: Tensor, other: Any) -> Any:
        other = operands.operand(other)
        return other if other is NotImplemented else record(rule_of(ufunc), (self, other), {}, compute)

    def reflected(self: Tensor, other: Any) -> Any:
        other = operands.operand(other)
        return other if other is NotImplemented else record(rule_of(ufunc), (other, self), {}, compute)

    return method, reflected


class Tensor(ArrayMethods, operands.Guarded):
    """A number or array that is being differentiated.

    `grad` makes a Tensor of each leaf, and operations on Tensors make more. They have the operators of
    `numpy.ndarray`, its methods that have a derivative, and go where NumPy's functions take an array. They can be
    written into, ``t[0] = 1`` or ``t += 1``, as far as NumPy allows it (see `inplace`).

    Attributes
    ----------
    value : number, numpy.ndarray, or Tensor of an outer level
    node : Node
    level : Level
    family : View, Views, or None
        A `View` if this Tensor is a view of another one. `Views` if others are views of it. See `views`.
    """

    __slots__ = ("value", "node", "level", "family", "__weakref__")
    __hash__ = None  # type: ignore[assignment]  # it is compared by value, like an array

    def __init__(self, value: Any, node: Node, level: Level) -> None:
        guards.check_open(level)
        self.value, self.node, self.level, self.family = value, node, level, None

    def snapshot(self) -> Tensor:
        """Another Tensor with the same value and node. To write into one does not change the other."""
        return Tensor(self.value, self.node, self.level)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            return record(rule_of(ufunc), inputs, {})
        return ufunc_methods[method](ufunc, *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        return record(rule_of(function), args, kwargs)

    # Operators

    __add__, __radd__ = binary(np.add, operator.add)
    __sub__, __rsub__ = binary(np.subtract, operator.sub)
    __mul__, __rmul__ = binary(np.multiply, operator.mul)
    __truediv__, __rtruediv__ = binary(np.divide, operator.truediv)
    __floordiv__, __rfloordiv__ = binary(np.floor_divide, operator.floordiv)
    __mod__, __rmod__ = binary(np.remainder, operator.mod)
    __divmod__, __rdivmod__ = binary(np.divmod, np.divmod)
    __pow__, __rpow__ = binary(np.power, operator.pow)
    __matmul__, __rmatmul__ = binary(np.matmul, operator.matmul)
    (__lt__, _), (__le__, _) = binary(np.less, operator.lt), binary(np.less_equal, operator.le)
    (__gt__, _), (__ge__, _) = binary(np.greater, operator.gt), binary(np.greater_equal, operator.ge)
    (__eq__, _), (__ne__, _) = binary(np.equal, operator.eq), binary(np.not_equal, operator.ne)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __pos__(self) -> Any:
        return np.positive(self)

    def __abs__(self) -> Any:
        return np.absolute(self)

    # Form and elements

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.shape

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.node.dtype)

    def __getitem__(self, index: Any) -> Any:
        return getitem(self, index)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"
