"""Contract A5: pytrees as arguments.

Not here: A5.30 (jax.tree_util.Partial) and A5.40 as it stands (register_static): objects of JAX only.
"""

import array
import collections
import dataclasses
import functools
import types
import typing
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest

from minigrad import Tensor, grad, tree

from .support import check, differs, rows, same

Point = collections.namedtuple("Point", "a b")


class TypedPoint(typing.NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Unregistered:
    a: float
    b: float


class Plain:
    def __init__(self, a: Any) -> None:
        self.a = a


class DictOf(dict):
    pass


class ListOf(list):
    pass


class TupleOf(tuple):
    pass


class Unknown(OrderedDict):
    pass


NOT_A_NODE = "of type <class"


@rows(
    same("A5.1", lambda m: m.grad(lambda p: p["w"] * p["b"])({"w": 2.0, "b": 3.0})),
    same("A5.2", lambda m: list(m.grad(lambda p: p["a"] * p["b"])({"b": 2.0, "a": 3.0}).keys())),
    same("A5.3", lambda m: m.grad(lambda p: p["a"] * p[1])({"a": 2.0, 1: 3.0})),
    same("A5.4", lambda m: m.grad(lambda p: p[2] * p[1])({2: 2.0, 1: 3.0})),
    same("A5.5", lambda m: m.grad(lambda p: p["b"] * p["a"])(OrderedDict([("b", 2.0), ("a", 3.0)]))),
    same("A5.6", lambda m: m.grad(lambda p: p["b"] * p["a"])(defaultdict(float, {"b": 2.0, "a": 3.0}))),
    same(
        "A5.6 the factory",
        lambda m: m.grad(lambda p: p["b"] * p["a"])(defaultdict(float, {"b": 2.0, "a": 3.0})).default_factory is float,
    ),
    same(
        "A5.8",
        lambda m: m.grad(lambda p: p["l"][0] * p["l"][1][0] + p["t"][0]["z"])({"l": [2.0, (3.0,)], "t": ({"z": 1.0},)}),
    ),
    same("A5.9", lambda m: m.grad(lambda p: p[0] * p[1])([2.0, 3.0])),
    same("A5.10", lambda m: m.grad(lambda p: p[0] * p[1])((2.0, 3.0))),
    same("A5.11", lambda m: m.grad(lambda p: p.a * p.b)(Point(2.0, 3.0))),
    same("A5.12", lambda m: m.grad(lambda p: p.a * p.b)(TypedPoint(2.0, 3.0))),
    same("A5.12 nested", lambda m: m.grad(lambda p: p.a[0] * p.b.b)(TypedPoint([2.0], Point(None, 3.0)))),
    same("A5.16", lambda m: m.grad(lambda p: p[0] * 2.0 if p[1] is None else 0.0)((2.0, None))),
    same("A5.17", lambda m: m.grad(lambda p: 1.0)(None)),
    same("A5.18", lambda m: m.grad(lambda p: 1.0)([])),
    same("A5.19", lambda m: m.grad(lambda p: p["a"] * 1.0)({"a": 1.0, "e": {}, "t": (), "l": []})),
    same("A5.24", lambda m: m.grad(lambda p: p[0][0] * p[1][1])([[1.0, 2.0], [3.0, 4.0]])),
    same("A5.27", lambda m: (lambda a: m.grad(lambda p: (p[0] * p[1]).sum())([a, a]))(np.ones(2))),
)
def test_containers(row: Any) -> None:
    check(row)


@rows(
    # np.array takes its elements out of the list and asks each for its number: the derivative would be lost
    differs("A5.25", lambda m: m.grad(lambda p: (m.np.array(p) ** 2).sum())([1.0, 2.0]), TypeError, "np.stack"),
    same("A5.25 with stack", lambda m: m.grad(lambda p: (m.np.stack(p) ** 2).sum())([1.0, 2.0])),
    same("A5.26", lambda m: m.grad(lambda p: m.np.sum(p))([1.0, 2.0])),
    same("A5.26 the builtin", lambda m: m.grad(lambda p: sum(p))([1.0, 2.0])),
)
def test_a_list_of_floats_is_no_array(row: Any) -> None:
    check(row)


@rows(
    same("A5.7", lambda m: m.grad(lambda p: p["a"])(DictOf(a=1.0)), NOT_A_NODE),
    same("A5.7 of an OrderedDict", lambda m: m.grad(lambda p: p["a"])(Unknown(a=1.0)), NOT_A_NODE),
    same("A5.13", lambda m: m.grad(lambda p: p.a * p.b)(Unregistered(2.0, 3.0)), NOT_A_NODE),
    same("A5.21", lambda m: m.grad(lambda n: n.a)(Plain(2.0)), NOT_A_NODE),
    same("A5.22", lambda m: m.grad(lambda p: p[0])(ListOf([1.0])), NOT_A_NODE),
    same("A5.23", lambda m: m.grad(lambda p: p[0])(TupleOf([1.0])), NOT_A_NODE),
    same("A5.28", lambda m: m.grad(lambda p: 1.0)({1.0, 2.0}), NOT_A_NODE),
    same("A5.28 frozen", lambda m: m.grad(lambda p: 1.0)(frozenset({1.0})), NOT_A_NODE),
    same("A5.29", lambda m: m.grad(lambda p: 1.0)(functools.partial(max, 1.0)), NOT_A_NODE),
    same("A5.31", lambda m: m.grad(lambda p: p[0])(deque([1.0])), NOT_A_NODE),
    same("A5.32", lambda m: m.grad(lambda p: p.a)(types.SimpleNamespace(a=1.0)), NOT_A_NODE),
    same("A5.33", lambda m: m.grad(lambda p: p["a"])(types.MappingProxyType({"a": 1.0})), NOT_A_NODE),
    same("A5.34", lambda m: m.grad(lambda p: p["a"])({"a": 1.0, "s": "txt"}), NOT_A_NODE),
    same("A5.35", lambda m: m.grad(lambda p: p["a"])({"a": 1.0, "n": 3}), "real- or complex-valued inputs"),
    same("A5.37", lambda m: m.grad(lambda p: p["a"])(Counter({"a": 1})), NOT_A_NODE),
    same("A5 in a tree", lambda m: m.grad(lambda p: p[0])((1.0, {"k": [Plain(2.0)]})), NOT_A_NODE),
    same("A5 in one of two", lambda m: m.grad(lambda p, q: p, (0, 1))(1.0, array.array("d", [1.0])), NOT_A_NODE),
)
def test_what_is_no_container(row: Any) -> None:
    check(row)


# ---- Registered classes: each row makes its own class, since a class is registered once -----------------------------


def node(m: Any, functions: bool = True) -> Any:
    """A new class with the children `a` and `b`, and a name that is not differentiated."""

    class Node:
        def __init__(self, a: Any, b: Any, name: str = "n") -> None:
            self.a, self.b, self.name = a, b, name

        def tree_flatten(self) -> tuple:
            return (self.a, self.b), self.name

        @classmethod
        def tree_unflatten(cls, name: str, children: Any) -> "Node":
            return cls(children[0], children[1], name)

    if functions:
        m.register_pytree_node(Node, Node.tree_flatten, Node.tree_unflatten)
        return Node
    return m.register_pytree_node_class(Node)


def record(m: Any, **kwargs: Any) -> Any:
    """A new dataclass with the fields `a` and `n`."""

    @dataclasses.dataclass
    class Record:
        a: Any
        n: Any

    assert m.register_dataclass(Record, **kwargs) is Record
    return Record


def parts(result: Any) -> tuple:
    return type(result).__name__, vars(result)


def twice(m: Any) -> None:
    kind = node(m)
    m.register_pytree_node(kind, kind.tree_flatten, kind.tree_unflatten)


def derived(m: Any) -> Any:
    class Derived(node(m)):  # type: ignore[misc]
        pass

    return m.grad(lambda p: p.a)(Derived(1.0, 2.0))


@rows(
    same("A5.14", lambda m: parts(m.grad(lambda p: p.a * p.n)(record(m)(2.0, 3.0)))),
    same("A5.14 all fields are data", lambda m: m.grad(lambda p: p.a * p.n)(record(m)(2.0, 3)), "got int64"),
    same(
        "A5.15",
        lambda m: parts(m.grad(lambda p: p.a**p.n)(record(m, data_fields=["a"], meta_fields=["n"])(2.0, 3))),
    ),
    same(
        "A5.15 nested",
        lambda m: parts(
            m.grad(lambda p: p.a["w"] * p.a["v"][0] * len(p.n))(
                record(m, data_fields=["a"], meta_fields=["n"])({"w": 2.0, "v": (3.0, None)}, "name")
            )
        ),
    ),
    same("A5.20", lambda m: parts(m.grad(lambda n: n.a * n.b)(node(m)(2.0, 3.0, "name")))),
    same("A5.20 as a decorator", lambda m: parts(m.grad(lambda n: n.a * n.b)(node(m, False)(2.0, 3.0, "name")))),
    same(
        "A5.20 inside others",
        lambda m: (lambda kind: [parts(g) for g in m.grad(lambda p: p["k"][1].a * p["k"][0].b[1])(
            {"k": [kind(1.0, (None, 2.0)), kind(3.0, [])]}
        )["k"]])(node(m)),
    ),
    same(
        "A5.20 what the function receives",
        lambda m: m.grad(lambda n: n.a * len(n.name))(node(m)(2.0, 3.0, "name")).a,
    ),
    same(
        "A5.20 arrays",
        lambda m: parts(m.grad(lambda n: (n.a * n.b).sum())(node(m)(np.arange(3.0), np.ones((2, 3))))),
    ),
    same(
        "A5.20 as aux",
        lambda m: parts((lambda kind: m.grad(lambda x: (x, kind(x * 2, [x])), has_aux=True)(3.0))(node(m))[1]),
    ),
    same("A5.20 tree.map", lambda m: parts(m.tree.map(lambda x: x * 2, node(m)(1.0, (2.0, 3.0))))),
    same("A5.20 tree.leaves", lambda m: m.tree.leaves([node(m)(1.0, {"z": 2.0, "c": 3.0}), None])),
    same(
        "A5.20 other name",
        lambda m: (lambda kind: m.tree.map(lambda x, y: x + y, kind(1.0, 2.0, "p"), kind(1.0, 2.0, "q")))(node(m)),
    ),
    same("A5.20 twice", twice),
    same("A5.21 a class derived from it", derived, NOT_A_NODE),
    same(
        "A5.40 by a dataclass without data",
        lambda m: (lambda g: (g[0], parts(g[1])))(
            m.grad(lambda p: p[0] * p[1].n)((2.0, record(m, data_fields=[], meta_fields=["a", "n"])("s", 3)))
        ),
    ),
)
def test_registered_classes(row: Any) -> None:
    check(row)


# ---- What the function receives, and what comes back ----------------------------------------------------------------


def received(m: Any) -> list:
    seen = []

    def fun(p: Any) -> Any:
        seen.append((type(p).__name__, list(p), type(p["l"]).__name__))
        return p["a"]

    m.grad(fun)({"l": [], "b": 2.0, "a": 1.0})
    return seen


def mutated(m: Any) -> tuple:
    p = {"a": 1.0, "l": [2.0]}

    def fun(q: Any) -> Any:
        value = q["a"] * q["l"].pop()
        q["a"], q["z"] = None, 3
        return value

    return m.grad(fun)(p), p


def fresh(m: Any) -> tuple:
    p: list = [np.ones(2), {"k": [3.0]}]
    g = m.grad(lambda p: p[0].sum() * p[1]["k"][0])(p)
    return g, g is p, g[0] is p[0], g[1] is p[1], g[1]["k"] is p[1]["k"], np.shares_memory(np.asarray(g[0]), p[0]), p


@rows(
    same("A5.36", fresh),
    same("A5.38", received),
    same("A5.39", mutated),
)
def test_containers_are_fresh(row: Any) -> None:
    check(row)


def test_the_same_array_twice_gives_two_arrays() -> None:
    """A5.27: of their own, which may be changed without changing the other."""
    a = np.ones(2)
    first, second = grad(lambda p: (p[0] + p[1]).sum())([a, a])
    first[0] = 9.0
    assert second.tolist() == [1.0, 1.0]
    assert a.tolist() == [1.0, 1.0]


def test_a_message_says_where_the_leaf_is() -> None:
    with pytest.raises(TypeError, match=r"\['layers'\]\[1\]\.b"):
        grad(lambda p: p["a"])({"a": 1.0, "layers": [2.0, Point(1.0, "txt")]})
    with pytest.raises(TypeError, match=r"\['n'\].*3"):
        grad(lambda p: p["a"])({"a": 1.0, "n": 3})


def test_leaves_are_tensors_inside_and_numbers_outside() -> None:
    kinds: list = []

    def fun(p: Any) -> Any:
        kinds.extend(type(leaf) for leaf in tree.leaves(p))
        return p.a["w"].sum() * p.b

    result = grad(fun)(Point({"w": np.ones(2)}, 3.0))
    assert kinds == [Tensor, Tensor]
    assert type(result) is Point and type(result.a) is dict
    assert type(result.a["w"]) is np.ndarray and result.a["w"].tolist() == [3.0, 3.0]
    assert type(result.b) is float and result.b == 2.0
