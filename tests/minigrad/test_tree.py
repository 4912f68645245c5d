"""Pytrees: every tree comes apart and together again, in the order that JAX gives its leaves."""

import functools
import operator
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace

import jax
import numpy as np
import pytest

from minigrad import custom_vjp, grad, jacrev, jvp, linearize, tree, value_and_grad, vjp

from .support import cases

Pair = namedtuple("Pair", "a b")
Other = namedtuple("Other", "a b")


class Child(Pair):
    """A class made from a namedtuple, as `typing.NamedTuple` and users make them."""


ARRAY = np.arange(3.0)
TREES = {
    "number": (1.0, ["1.0"], [""]),
    "array": (ARRAY, ["ARRAY"], [""]),
    "text": ("text", ["'text'"], [""]),
    "None": (None, [], []),
    "list": ([1.0, 2.0], ["1.0", "2.0"], ["[0]", "[1]"]),
    "tuple": ((1.0, ARRAY), ["1.0", "ARRAY"], ["[0]", "[1]"]),
    "dict": ({"w": 1.0, "b": 2.0}, ["2.0", "1.0"], ["['b']", "['w']"]),
    "dict of numbers": ({10: 1.0, 9: 2.0, -1: 3.0}, ["3.0", "2.0", "1.0"], ["[-1]", "[9]", "[10]"]),
    "dict of tuples": ({(1, "b"): 1.0, (0, "c"): 2.0}, ["2.0", "1.0"], ["[(0, 'c')]", "[(1, 'b')]"]),
    "namedtuple": (Pair(1.0, 2.0), ["1.0", "2.0"], [".a", ".b"]),
    "class of a namedtuple": (Child(1.0, 2.0), ["1.0", "2.0"], [".a", ".b"]),
    "OrderedDict": (OrderedDict([("w", 1.0), ("b", 2.0)]), ["1.0", "2.0"], ["['w']", "['b']"]),
    "OrderedDict of any keys": (OrderedDict([("w", 1.0), (3, 2.0)]), ["1.0", "2.0"], ["['w']", "[3]"]),
    "defaultdict": (defaultdict(list, {"w": 1.0, "b": 2.0}), ["2.0", "1.0"], ["['b']", "['w']"]),
    "empty": ([], [], []),
    "empty ones": ({"a": [], "b": (), "c": {}, "d": [None, None]}, [], []),
    "nested": (
        {"layers": [(1.0, 2.0), Pair({"x": 3.0}, None)], "b": 4.0},
        ["4.0", "1.0", "2.0", "3.0"],
        ["['b']", "['layers'][0][0]", "['layers'][0][1]", "['layers'][1].a['x']"],
    ),
    "one object twice": ([ARRAY, {"a": ARRAY}], ["ARRAY", "ARRAY"], ["[0]", "[1]['a']"]),
}
LEAVES = {
    "set": {1.0},
    "deque": deque([1.0]),
    "Counter": Counter(a=1),
    "SimpleNamespace": SimpleNamespace(a=1.0),
    "MappingProxyType": MappingProxyType({"a": 1.0}),
    "dict subclass": type("D", (dict,), {})(a=1.0),
    "list subclass": type("L", (list,), {})([1.0]),
    "tuple subclass": type("T", (tuple,), {})([1.0]),
    "OrderedDict subclass": type("O", (OrderedDict,), {})(a=1.0),
    "generator": (i for i in [1.0]),
    "function": len,
    "type": Pair,
}


@cases(TREES)
def test_apart_and_together_again(case):
    given, expected, paths = case
    leaves, structure = tree.flatten(given)
    assert ["ARRAY" if leaf is ARRAY else repr(leaf) for leaf in leaves] == expected
    assert all(ours is theirs for ours, theirs in zip(leaves, jax.tree.leaves(given), strict=True))
    again = tree.unflatten(structure, leaves)
    assert jax.tree.structure(again) == jax.tree.structure(given)
    assert all(one is other for one, other in zip(tree.leaves(again), leaves, strict=True))
    assert tree.structure(given) == structure == tree.structure(again)
    assert structure.num_leaves == len(leaves)
    assert tree.leaves(given) == leaves
    assert list(map(tree.keystr, tree.paths(structure))) == paths


@cases(LEAVES)
def test_everything_else_is_a_leaf(case):
    leaves, structure = tree.flatten([case])
    assert leaves[0] is case and len(leaves) == 1
    assert structure == tree.structure([1.0])
    assert tree.unflatten(structure, leaves)[0] is case


@cases(TREES)
def test_containers_are_new_and_of_the_same_type(case):
    given, _, _ = case
    again = tree.map(lambda leaf: leaf, given)
    assert type(again) is type(given)
    if isinstance(given, (list, dict)):
        assert again is not given
    if isinstance(given, OrderedDict):
        assert list(again) == list(given)
    elif isinstance(given, dict):
        assert list(again) == sorted(given)
    if isinstance(given, defaultdict):
        assert again.default_factory is given.default_factory


def test_the_list_of_leaves_is_not_the_tree():
    given = [1.0, 2.0]
    leaves, structure = tree.flatten(given)
    leaves.append(3.0)
    assert given == [1.0, 2.0]
    leaves = [5.0, 6.0]
    again = tree.unflatten(structure, leaves)
    leaves[0] = 7.0
    assert again == [5.0, 6.0]
    keys = {"b": 1.0, "a": 2.0}
    structure = tree.structure(keys)
    keys["c"] = 3.0
    tree.unflatten(structure, [1.0, 2.0])["d"] = 4.0
    assert tree.unflatten(structure, [1.0, 2.0]) == {"a": 1.0, "b": 2.0}


def test_leaves_come_from_any_iterable():
    assert tree.unflatten(tree.structure({"w": 0, "b": 0}), iter([1.0, 2.0])) == {"b": 1.0, "w": 2.0}
    assert tree.unflatten(tree.structure([0, (0,)]), range(2)) == [0, (1,)]


@cases({
    "too few": ({"w": 1.0, "b": 2.0}, [1.0]),
    "too many": ({"w": 1.0, "b": 2.0}, [1.0, 2.0, 3.0]),
    "none for a leaf": (1.0, []),
    "two for a leaf": (1.0, [1.0, 2.0]),
    "one for an empty tree": ([], [1.0]),
    "one for None": (None, [1.0]),
    "nested": ([1.0, (2.0, {"a": 3.0})], [1.0, 2.0]),
    "as many as there are children": ([1.0, (2.0, 3.0)], [1.0, 2.0]),
})
def test_a_wrong_number_of_leaves(case):
    given, leaves = case
    with pytest.raises(ValueError, match=f"has {len(tree.leaves(given))} leaves, and got {len(leaves)}"):
        tree.unflatten(tree.structure(given), leaves)


@cases({
    "mixed": {"a": 1.0, 1: 2.0},
    "None": {"a": 1.0, None: 2.0},
    "complex": {1j: 1.0, 2j: 2.0},
    "in a tree": [{"x": {"a": 1.0, 1: 2.0}}],
    "defaultdict": defaultdict(float, {"a": 1.0, 1: 2.0}),
})
def test_keys_that_cannot_be_sorted(case):
    for function in (tree.flatten, tree.leaves, tree.structure, lambda t: tree.map(abs, t)):
        with pytest.raises(ValueError, match="sort"):
            function(case)


def test_equality_of_structures():
    distinct = [
        1.0, None, [], (), {}, [1.0], (1.0,), [1.0, 2.0], [[1.0], 2.0], [1.0, [2.0]], {"a": 1.0}, {"b": 1.0},
        {"a": 1.0, "b": 2.0}, Pair(1.0, 2.0), Other(1.0, 2.0), Child(1.0, 2.0), (1.0, 2.0),
        OrderedDict(a=1.0, b=2.0), OrderedDict(b=1.0, a=2.0), defaultdict(float, a=1.0, b=2.0),
        defaultdict(int, a=1.0, b=2.0), [None], [[]], {"a": None},
    ]
    structures = [tree.structure(t) for t in distinct]
    for i, one in enumerate(structures):
        for j, other in enumerate(structures):
            assert (one == other) is (i == j)
            assert (one != other) is (i != j)
    assert tree.structure({"a": 1.0, "b": ARRAY}) == tree.structure({"b": "text", "a": object()})
    assert tree.structure([ARRAY, 1.0]) == tree.structure([1.0, ARRAY])


@cases({
    "leaf": (1.0, "*"),
    "list": ([1.0, (2.0, 3.0)], "[*, (*, *)]"),
    "dict": ({"w": [1.0], "b": None}, "{'b': None, 'w': [*]}"),
    "namedtuple": (Pair(1.0, 2.0), "Pair(a=*, b=*)"),
    "empty": ({}, "{}"),
})
def test_repr_shows_the_form(case):
    given, text = case
    assert repr(tree.structure(given)) == f"Structure({text})"


def test_map():
    p, g = {"w": [1.0, 2.0], "b": None}, {"b": None, "w": [10.0, 20.0]}
    assert tree.map(lambda p, g: p - 0.1 * g, p, g) == {"b": None, "w": [0.0, 0.0]}
    assert tree.map(lambda *rows: rows, (1, 2), (3, 4), (5, 6)) == ((1, 3, 5), (2, 4, 6))
    assert tree.map(str, 1.0) == "1.0"
    assert tree.map(lambda leaf, other: other, [1.0, 2.0], [(3.0, 4.0), None]) == [(3.0, 4.0), None]  # as in JAX
    assert tree.map(lambda x: [x, x], (1.0,)) == ([1.0, 1.0],)
    assert p == {"w": [1.0, 2.0], "b": None}


@cases({
    "keys": ({"a": 1.0}, {"b": 1.0}),
    "type": ([1.0], (1.0,)),
    "length": ([1.0], [1.0, 2.0]),
    "shallower": ([[1.0]], [1.0]),
    "None": ([None], [1.0]),
})
def test_map_over_trees_that_differ(case):
    with pytest.raises(ValueError, match="differ in structure"):
        tree.map(lambda *rows: rows, *case)


def test_large_and_deep_trees():
    wide = {f"p{i:05}": [float(i), (ARRAY,)] for i in reversed(range(5_000))}
    leaves, structure = tree.flatten(wide)
    assert len(leaves) == structure.num_leaves == 10_000
    assert leaves[:4:2] == [0.0, 1.0] and leaves[1] is ARRAY
    assert tree.map(lambda x: x, wide) == wide
    assert tree.structure(wide) == structure
    assert tree.keystr(tree.paths(structure)[-1]) == "['p04999'][1][0]"
    deep = 1.0
    for _ in range(100):
        deep = [deep, None]
    assert tree.leaves(deep) == [1.0]
    assert tree.unflatten(tree.structure(deep), [1.0]) == deep
    assert list(map(tree.keystr, tree.paths(tree.structure(deep)))) == ["[0]" * 100]


def test_an_error_in_the_function_passes_through():
    error = KeyError("boom")

    def fail(leaf):
        raise error

    with pytest.raises(KeyError) as caught:
        tree.map(fail, [1.0])
    assert caught.value is error


# ---- is_leaf --------------------------------------------------------------------------------------------------------


def is_tuple(node):
    return isinstance(node, tuple)


NESTED = {"b": (1.0, 2.0), "a": [None, ((3.0, None), [4.0, ()])], "c": Pair(5.0, {"d": (6.0,)})}


@cases({
    "tuples": (NESTED, is_tuple),
    "None": (NESTED, lambda node: node is None),
    "lists": (NESTED, lambda node: isinstance(node, list)),
    "namedtuples": (NESTED, lambda node: isinstance(node, Pair)),
    "dicts": (NESTED, lambda node: isinstance(node, dict)),
    "never": (NESTED, lambda node: False),
    "always": (NESTED, lambda node: True),
    "the whole is None": (None, lambda node: node is None),
    "empty ones": ([(), [], {}], lambda node: not node),
    "a leaf": (1.0, lambda node: True),
})
def test_is_leaf_makes_leaves_of_what_jax_makes_leaves_of(case):
    given, is_leaf = case
    leaves, structure = tree.flatten(given, is_leaf)
    expected, expected_structure = jax.tree.flatten(given, is_leaf)
    assert all(ours is theirs for ours, theirs in zip(leaves, expected, strict=True))
    assert tree.leaves(given, is_leaf) == expected
    assert tree.structure(given, is_leaf) == structure
    assert structure.num_leaves == expected_structure.num_leaves
    assert tree.unflatten(structure, leaves) == given
    numbers = list(range(len(leaves)))
    assert tree.unflatten(structure, numbers) == jax.tree.unflatten(expected_structure, numbers)
    assert tree.map(repr, given, is_leaf=is_leaf) == jax.tree.map(repr, given, is_leaf=is_leaf)
    ours = tree.map_with_path(lambda path, leaf: (tree.keystr(path), leaf), given, is_leaf=is_leaf)
    theirs = jax.tree.map_with_path(lambda path, leaf: (jax.tree_util.keystr(path), leaf), given, is_leaf=is_leaf)
    assert ours == theirs


def test_is_leaf_is_asked_from_the_outside_in_and_not_below_a_leaf():
    asked = []

    def is_leaf(node):
        asked.append(node)
        return isinstance(node, tuple)

    tree.flatten([(1.0, [2.0]), {"a": "text"}], is_leaf)
    containers = [node for node in asked if not isinstance(node, str)]
    assert containers == [[(1.0, [2.0]), {"a": "text"}], (1.0, [2.0]), {"a": "text"}]


def test_map_with_is_leaf_takes_the_others_apart_only_so_far():
    given, other = [(1.0, 2.0), [3.0]], [(10.0, 20.0, 30.0), [40.0]]
    expected = jax.tree.map(lambda *row: list(row), given, other, is_leaf=is_tuple)
    assert tree.map(lambda *row: list(row), given, other, is_leaf=is_tuple) == expected
    assert expected == [[(1.0, 2.0), (10.0, 20.0, 30.0)], [[3.0, 40.0]]]
    with pytest.raises(ValueError, match="differ in structure"):
        tree.map(lambda *row: row, given, other)


# ---- reduce and all -------------------------------------------------------------------------------------------------


@cases({
    "sum": (operator.add, NESTED, ()),
    "sum from a start": (operator.add, NESTED, (100.0,)),
    "order": (lambda text, leaf: f"({text} {leaf})", NESTED, ("",)),
    "order without start": (lambda text, leaf: f"({text} {leaf})", NESTED, ()),
    "one leaf": (operator.add, [3.0], ()),
    "a leaf": (operator.add, 3.0, ()),
    "no leaves": (operator.add, [None, ()], (7.0,)),
    "None to start from": (lambda first, leaf: (first, leaf), [1.0], (None,)),
    "the list of leaves": (lambda seen, leaf: [*seen, leaf], NESTED, ([],)),
})
def test_reduce_is_that_of_jax_and_of_functools(case):
    function, given, start = case
    result = tree.reduce(function, given, *start)
    assert result == jax.tree.reduce(function, given, *start)
    assert result == functools.reduce(function, tree.leaves(given), *start)


def test_reduce_with_is_leaf_and_without_leaves():
    def count(total, leaf):
        return total + len(leaf)

    given = [(1.0, 2.0), {"a": (3.0,)}]
    assert tree.reduce(count, given, 0, is_leaf=is_tuple) == jax.tree.reduce(count, given, 0, is_leaf=is_tuple) == 3
    for module in (tree, jax.tree):
        with pytest.raises(TypeError, match="empty"):
            module.reduce(operator.add, [None])


@cases({
    "true": {"a": [True, 1.0], "b": "text"},
    "one false": {"a": [True, 0.0], "b": "text"},
    "none": [],
    "only None": [None, {"a": None}],
    "empty text": ["", 1.0],
    "arrays": [np.array(1.0), np.array([True])],
    "an array of False": (np.array([0]), 1.0),
    "a leaf": 0.0,
    "false before what has no truth": [False, np.ones(2)],
})
def test_all_is_that_of_jax(case):
    assert tree.all(case) is jax.tree.all(case)


def test_all_with_is_leaf():
    for module in (tree, jax.tree):
        assert module.all([(0.0,), [1.0]], is_leaf=is_tuple) is True
        assert module.all([(), [1.0]], is_leaf=is_tuple) is False
        assert module.all([(), [1.0]]) is True
        with pytest.raises(ValueError, match="ambiguous"):
            module.all([np.ones(2)])


# ---- Ways to leaves -------------------------------------------------------------------------------------------------


def described(path):
    """A path as the names of the types of its keys and what is in them."""
    slots = {"DictKey": "key", "SequenceKey": "idx", "GetAttrKey": "name", "FlattenedIndexKey": "key"}
    return [(type(key).__name__, getattr(key, slots[type(key).__name__])) for key in path]


@cases({name: given for name, (given, _, _) in TREES.items()} | {"nested more": NESTED})
def test_keys_and_paths_are_those_of_jax(case):
    ours = tree.paths(tree.structure(case))
    theirs = [path for path, _ in jax.tree_util.tree_flatten_with_path(case)[0]]
    assert [described(path) for path in ours] == [described(path) for path in theirs]
    assert [tree.keystr(path) for path in ours] == [jax.tree_util.keystr(path) for path in theirs]
    assert all(isinstance(path, tuple) for path in ours)


def test_keys_of_a_registered_type_are_those_of_jax():
    class Line:
        def __init__(self, w, b):
            self.w, self.b = w, b

    for module in (tree, jax.tree_util):
        module.register_pytree_node(Line, lambda line: ((line.w, line.b), None), lambda _, children: Line(*children))
    given = [Line(1.0, {"a": Line(2.0, 3.0)})]
    ours = tree.paths(tree.structure(given))
    theirs = [path for path, _ in jax.tree_util.tree_flatten_with_path(given)[0]]
    assert [described(path) for path in ours] == [described(path) for path in theirs]
    assert list(map(tree.keystr, ours)) == list(map(jax.tree_util.keystr, theirs))
    assert tree.keystr(ours[1]) == "[0][<flat index 1>]['a'][<flat index 0>]"


@cases({
    "nothing": ((), ""),
    "dict": ((tree.DictKey("w"),), "['w']"),
    "dict of numbers": ((tree.DictKey(3),), "[3]"),
    "sequence": ((tree.SequenceKey(3),), "[3]"),
    "attribute": ((tree.GetAttrKey("w"),), ".w"),
    "index": ((tree.FlattenedIndexKey(3),), "[<flat index 3>]"),
    "all": ((tree.GetAttrKey("a"), tree.SequenceKey(0), tree.DictKey("b")), ".a[0]['b']"),
    "quotes": ((tree.DictKey("it's"),), '["it\'s"]'),
})
def test_keystr(case):
    path, text = case
    assert tree.keystr(path) == text
    assert jax.tree_util.keystr(tuple(getattr(jax.tree_util, type(key).__name__)(*key) for key in path)) == text
    assert "".join(map(str, path)) == text


def test_map_with_path_over_several_trees():
    def row(path, *leaves):
        return len(path), list(leaves)

    others = {"b": (10.0, 20.0), "a": [None, ((30.0, None), [[40.0], ()])], "c": Pair(50.0, {"d": ({"e": 60.0},)})}
    assert tree.map_with_path(row, NESTED, others) == jax.tree.map_with_path(row, NESTED, others)
    assert tree.map_with_path(lambda path, leaf: path, 1.0) == ()
    for module in (tree, jax.tree):
        with pytest.raises(ValueError):
            module.map_with_path(row, NESTED, {"b": 1.0})


# ---- match ----------------------------------------------------------------------------------------------------------

FORM = {"a": [1.0, (2.0, 3.0)], "b": 4.0, "c": {}}


@cases({
    "the same": ({"a": [1, (2, 3)], "b": 4, "c": {}}, [1, 2, 3, 4]),
    "None for all": (None, [None] * 4),
    "None for a container": ({"a": None, "b": 4, "c": {}}, [None, None, None, 4]),
    "None further in": ({"a": [1, None], "b": 4, "c": {}}, [1, None, None, 4]),
    "None for an empty container": ({"a": [1, (2, 3)], "b": 4, "c": None}, [1, 2, 3, 4]),
    "None for leaves": ({"a": [None, (2, None)], "b": None, "c": {}}, [None, 2, None, None]),
    "containers for leaves": ({"a": [[1], ({}, 3)], "b": (4, 5), "c": {}}, [[1], {}, 3, (4, 5)]),
})
def test_match(case):
    given, expected = case
    assert tree.match(tree.structure(FORM), given) == expected


@cases({
    "a leaf for a container": {"a": 1, "b": 4, "c": {}},
    "another container": {"a": (1, (2, 3)), "b": 4, "c": {}},
    "too few": {"a": [1], "b": 4, "c": {}},
    "too many": {"a": [1, (2, 3), 4], "b": 4, "c": {}},
    "other keys": {"a": [1, (2, 3)], "b": 4, "d": {}},
    "a leaf": 1.0,
})
def test_match_of_what_differs(case):
    with pytest.raises(ValueError, match="differ in structure"):
        tree.match(tree.structure(FORM), case)


def test_match_of_a_leaf_is_anything():
    for anything in (1.0, None, [], {"a": 1.0}, (2.0, 3.0)):
        assert tree.match(tree.structure(1.0), anything) == [anything]


# ---- Registered types -----------------------------------------------------------------------------------------------


def line_class(name="Line"):
    """A new class, that no engine knows."""

    class Line:
        def __init__(self, w, b, rest="rest"):
            self.w, self.b, self.rest = w, b, rest

        def tree_flatten(self):
            return (self.w, self.b), self.rest

        @classmethod
        def tree_unflatten(cls, rest, children):
            return cls(*children, rest)

    Line.__name__ = name
    return Line


def by_functions(cls, module):
    return module.register_pytree_node(cls, cls.tree_flatten, cls.tree_unflatten)


def by_methods(cls, module):
    return module.register_pytree_node_class(cls)


@cases({"register_pytree_node": (by_functions, False), "register_pytree_node_class": (by_methods, True)})
def test_a_registered_class_comes_apart_as_in_jax(case):
    register, returns_it = case
    cls = line_class()
    given = {"x": [cls(1.0, (ARRAY, None), "r")], "y": 2.0}
    assert tree.leaves(given) == [given["x"][0], 2.0]  # not yet
    for module in (tree, jax.tree_util):
        assert register(cls, module) is (cls if returns_it else None)
    leaves, structure = tree.flatten(given)
    assert all(ours is theirs for ours, theirs in zip(leaves, jax.tree.leaves(given), strict=True))
    assert structure.num_leaves == 3
    again = tree.unflatten(structure, [10.0, 20.0, 30.0])
    line = again["x"][0]
    assert type(line) is cls and (line.w, line.b, line.rest) == (10.0, (20.0, None), "r") and again["y"] == 30.0
    assert tree.structure(again) == structure
    assert jax.tree.structure(again) == jax.tree.structure(given)
    doubled = tree.map(lambda a, b: (a, b), cls(1.0, 2.0), cls(3.0, 4.0))
    assert (doubled.w, doubled.b) == ((1.0, 3.0), (2.0, 4.0))
    assert tree.reduce(operator.add, cls(1.0, cls(2.0, 3.0))) == 6.0
    assert tree.leaves([cls(1.0, 2.0)], lambda node: type(node) is cls)[0].w == 1.0


@cases({"register_pytree_node": by_functions, "register_pytree_node_class": by_methods})
def test_a_type_is_registered_once(case):
    cls = line_class()
    for module in (tree, jax.tree_util):
        case(cls, module)
        with pytest.raises(ValueError, match="Line"):
            case(cls, module)
        with pytest.raises(ValueError, match="Line"):
            module.register_dataclass(cls, ["w", "b", "rest"], [])
    assert tree.leaves(cls(1.0, 2.0)) == [1.0, 2.0]


@cases({kind.__name__: kind for kind in (dict, list, tuple, OrderedDict, defaultdict, type(None))})
def test_builtin_containers_cannot_be_registered(case):
    for module in (tree, jax.tree_util):
        with pytest.raises(ValueError, match=case.__name__):
            module.register_pytree_node(case, lambda node: ((), None), lambda rest, children: case())


def test_a_subclass_of_a_registered_type_is_a_leaf():
    cls = line_class()

    class Sub(cls):
        pass

    for module in (tree, jax.tree_util):
        module.register_pytree_node_class(cls)
    given = Sub(1.0, 2.0)
    assert tree.leaves(given) == [given]
    assert jax.tree.leaves(given) == [given]
    for module in (tree, jax.tree_util):
        module.register_pytree_node_class(Sub)
    assert tree.leaves(given) == jax.tree.leaves(given) == [1.0, 2.0]
    assert type(tree.map(abs, given)) is Sub


def test_a_registered_namedtuple_is_what_it_was_registered_as():
    Point = namedtuple("Point", "x y")
    for module in (tree, jax.tree_util):
        module.register_pytree_node(Point, lambda p: ((p.y,), p.x), lambda x, children: Point(x, *children))
    assert tree.leaves(Point("name", 2.0)) == jax.tree.leaves(Point("name", 2.0)) == [2.0]
    assert tree.map(lambda leaf: leaf * 10, Point("name", 2.0)) == Point("name", 20.0)


def test_two_registered_types_never_have_equal_structures():
    class One:
        def __init__(self, x):
            self.x = x

    class Two(One):
        pass

    def split(node):
        return (node.x,), None

    @dataclass
    class Three:
        x: float

    @dataclass
    class Four:
        x: float

    for module in (tree, jax.tree_util):
        module.register_pytree_node(One, split, lambda rest, children: One(*children))
        module.register_pytree_node(Two, split, lambda rest, children: Two(*children))
    tree.register_dataclass(Three)
    tree.register_dataclass(Four)
    in_jax = [One(1.0), Two(1.0), [1.0], (1.0,), Pair(1.0, None)]
    for module, every in ((jax.tree, in_jax), (tree, [*in_jax, Three(1.0), Four(1.0)])):
        for i, one in enumerate(every):
            for j, other in enumerate(every):
                assert (module.structure(one) == module.structure(other)) is (i == j)
                assert (module.structure([one, 1.0]) != module.structure([other, 1.0])) is (i != j)
                if i != j:
                    with pytest.raises(ValueError):
                        module.map(lambda a, b: a, one, other)


def test_structures_with_unequal_rests_are_unequal():
    cls = line_class()

    @dataclass
    class Power:
        base: float
        exponent: int = field(metadata={"static": True})

    for module in (tree, jax.tree_util):
        module.register_pytree_node_class(cls)
        module.register_dataclass(Power)
    for one, same, other in (
        (cls(1.0, 2.0, "a"), cls(3.0, 4.0, "a"), cls(1.0, 2.0, "b")),
        (cls(1.0, 2.0, (1, "a")), cls(3.0, 4.0, (1, "a")), cls(1.0, 2.0, (2, "a"))),
        (Power(1.0, 2), Power(3.0, 2), Power(1.0, 3)),
        ([Power(1.0, 2), 4.0], [Power(3.0, 2), 5.0], [Power(1.0, 3), 4.0]),
    ):
        for module in (tree, jax.tree):
            assert module.structure(one) == module.structure(same)
            assert not module.structure(one) != module.structure(same)
            assert module.structure(one) != module.structure(other)
            assert not module.structure(one) == module.structure(other)
            assert module.leaves(module.map(lambda a, b: a + b, one, same))[0] == 4.0
            with pytest.raises(ValueError):
                module.map(lambda a, b: a + b, one, other)


def test_a_registered_type_may_have_any_number_of_children_in_any_iterable():
    class Bag:
        def __init__(self, items):
            self.items = items

    def split(bag):
        return iter(bag.items), len(bag.items)

    tree.register_pytree_node(Bag, split, lambda n, children: Bag([n, *children]))
    for n in range(4):
        leaves, structure = tree.flatten(Bag([float(i) for i in range(n)]))
        assert leaves == [float(i) for i in range(n)]
        assert tree.unflatten(structure, leaves).items == [n, *leaves]
        assert [tree.keystr(path) for path in tree.paths(structure)] == [f"[<flat index {i}>]" for i in range(n)]


def test_the_children_are_handed_to_unflatten_as_a_tuple():
    seen = []

    class Box:
        pass

    def rebuild(rest, children):
        seen.append((rest, children))
        return Box()

    for module in (tree, jax.tree_util):
        module.register_pytree_node(Box, lambda box: ([1.0, [2.0]], "rest"), rebuild)
    for module in (tree, jax.tree):
        seen.clear()
        module.map(lambda leaf: -leaf, Box())
        assert seen == [("rest", (-1.0, [-2.0]))]


# ---- Dataclasses ----------------------------------------------------------------------------------------------------


def test_a_dataclass_comes_apart_as_in_jax():
    @tree.register_dataclass
    @dataclass
    class Layer:
        w: object
        b: object = 0.5
        name: str = field(default="layer", metadata={"static": True})
        also: int = field(default=3, metadata={"static": False})
        rest: list = field(default_factory=list)

    assert jax.tree_util.register_dataclass(Layer) is Layer
    given = Layer(ARRAY, name="first")
    leaves, structure = tree.flatten(given)
    assert leaves[0] is ARRAY and leaves[1:] == [0.5, 3]
    assert all(ours is theirs for ours, theirs in zip(leaves, jax.tree.leaves(given), strict=True))
    assert [tree.keystr(path) for path in tree.paths(structure)] == [".w", ".b", ".also"]
    theirs = [path for path, _ in jax.tree_util.tree_flatten_with_path(given)[0]]
    assert [described(path) for path in tree.paths(structure)] == [described(path) for path in theirs]
    again = tree.unflatten(structure, [1.0, 2.0, 3.0])
    assert again == Layer(1.0, 2.0, "first", 3.0) == jax.tree.unflatten(jax.tree.structure(given), [1.0, 2.0, 3.0])
    assert repr(structure) == f"Structure({again!r})".replace("1.0", "*").replace("2.0", "*").replace("3.0", "*")


def test_the_fields_can_be_named():
    @dataclass(frozen=True)
    class Layer:
        w: float
        name: str
        b: float = 2.0

    for module in (tree, jax.tree_util):
        assert module.register_dataclass(Layer, data_fields=["b", "w"], meta_fields=("name",)) is Layer
    given = Layer(1.0, "first")
    assert tree.leaves(given) == jax.tree.leaves(given) == [2.0, 1.0]
    for module in (tree, jax.tree):
        assert module.map(lambda leaf: leaf * 10, given) == Layer(10.0, "first", 20.0)
    assert tree.structure(given) != tree.structure(Layer(1.0, "second"))


def test_a_class_that_is_no_dataclass_can_be_registered_by_the_names_of_its_attributes():
    class Line:
        def __init__(self, *, w, b):
            self.w, self.b = w, b

    for module in (tree, jax.tree_util):
        module.register_dataclass(Line, data_fields=["w"], meta_fields=["b"])
    again = tree.map(lambda leaf: leaf * 10, Line(w=1.0, b=2.0))
    assert (again.w, again.b) == (10.0, 2.0)
    assert tree.keystr(tree.paths(tree.structure(again))[0]) == ".w"


@cases({
    "data alone": (["w", "b"], None),
    "meta alone": (None, ["w", "b"]),
    "one missing": (["w"], []),
    "one missing, of the others": ([], ["b"]),
    "one too many": (["w", "b", "c"], []),
    "another": (["w", "c"], []),
    "one in both": (["w", "b"], ["b"]),
})
def test_wrong_fields_are_refused_as_in_jax(case):
    @dataclass
    class Layer:
        w: float
        b: float

    for module in (tree, jax.tree_util):
        with pytest.raises(TypeError if None in case else ValueError, match="fields"):
            module.register_dataclass(Layer, *case)
    assert len(tree.leaves(Layer(1.0, 2.0))) == 1  # it has not been registered
    tree.register_dataclass(Layer)
    assert tree.leaves(Layer(1.0, 2.0)) == [1.0, 2.0]


def test_a_field_without_init_is_no_field_to_name():
    @dataclass
    class Layer:
        w: float
        twice: float = field(init=False)

        def __post_init__(self):
            self.twice = [self.w, self.w]

    for module in (tree, jax.tree_util):
        with pytest.raises(ValueError, match="fields"):
            module.register_dataclass(Layer, ["w", "twice"], [])
        module.register_dataclass(Layer, ["w"], [])
    assert tree.leaves(Layer(1.0)) == jax.tree.leaves(Layer(1.0)) == [1.0]
    assert tree.map(lambda leaf: leaf * 10, Layer(1.0)).twice == [10.0, 10.0]

    @tree.register_dataclass
    @dataclass
    class Other:
        w: float
        twice: float = field(init=False, default=3.0)

    assert tree.leaves(Other(1.0)) == [1.0]
    assert tree.map(lambda leaf: leaf * 10, Other(1.0)) == Other(10.0)


def test_a_dataclass_is_registered_once_and_only_a_dataclass_without_fields():
    @dataclass
    class Layer:
        w: float

    class Plain:
        pass

    for module in (tree, jax.tree_util):
        module.register_dataclass(Layer)
        for again in (lambda: module.register_dataclass(Layer), lambda: module.register_dataclass(Layer, ["w"], []),
                      lambda: module.register_pytree_node(Layer, lambda x: ((), None), lambda rest, x: Layer(1.0))):
            with pytest.raises(ValueError, match="Layer"):
                again()
        with pytest.raises(TypeError, match="Plain|dataclass"):
            module.register_dataclass(Plain)
        for bad in (3, "Layer"):
            with pytest.raises(TypeError):
                module.register_dataclass(bad)


def test_fields_of_a_subclass_are_inherited_and_it_is_registered_on_its_own():
    @tree.register_dataclass
    @dataclass
    class Base:
        w: float

    @dataclass
    class Sub(Base):
        b: float = 2.0

    assert tree.leaves(Sub(1.0)) == [Sub(1.0)]
    tree.register_dataclass(Sub)
    assert tree.leaves([Sub(1.0), Base(3.0)]) == [1.0, 2.0, 3.0]
    assert tree.map(lambda leaf: leaf * 10, Sub(1.0)) == Sub(10.0, 20.0)


def checked_class():
    """A dataclass that takes nothing but vectors."""

    @dataclass
    class Checked:
        w: object

        def __post_init__(self):
            if self.w.ndim != 1:
                raise ValueError("w must be a vector")

    for module in (tree, jax.tree_util):
        module.register_dataclass(Checked)
    return Checked


def test_a_dataclass_may_check_its_fields_where_those_are_arrays():
    Checked = checked_class()
    given = [Checked(np.ones(2))]
    assert list(grad(lambda p: (p[0].w ** 2).sum())(given)[0].w) == [2.0, 2.0]
    for module in (tree, jax.tree):
        found = module.map_with_path(lambda path, leaf: leaf * len(path), given)
        assert type(found[0]) is Checked and list(found[0].w) == [2.0, 2.0]
        with pytest.raises(ValueError, match="must be a vector"):
            module.map(lambda leaf: leaf.sum(), given)


def test_messages_about_a_dataclass_that_checks_its_fields():
    Checked = checked_class()
    assert "Checked" in repr(tree.structure([Checked(np.ones(2))]))
    with pytest.raises(ValueError, match="unexpected tree structure.*Checked"):
        vjp(lambda w: Checked(w * 2.0), np.ones(2))[1](np.ones(2))
    with pytest.raises(ValueError, match="differ in structure.*Checked"):
        tree.map(lambda a, b: a, [Checked(np.ones(2))], [1.0])
    with pytest.raises(ValueError, match="1 leaves, and got 2"):
        tree.unflatten(tree.structure(Checked(np.ones(2))), [np.ones(2), np.ones(2)])


# ---- Registered types under the transforms --------------------------------------------------------------------------


@tree.register_dataclass
@dataclass
class Dense:
    w: object
    b: object = 0.0
    activation: object = field(default=np.tanh, metadata={"static": True})


@tree.register_dataclass
@dataclass
class Model:
    layers: list
    scale: object = 1.0


@tree.register_pytree_node_class
class Both:
    def __init__(self, one, other):
        self.one, self.other = one, other

    def tree_flatten(self):
        return (self.one, self.other), None

    @classmethod
    def tree_unflatten(cls, rest, children):
        return cls(*children)


def network(params, x):
    for layer in params.layers:
        x = layer.activation(layer.w * x + layer.b)
    return params.scale * x


def test_gradients_of_dataclasses():
    params = Model([Dense(0.5, 0.1), Dense(np.array([0.3, 0.2]), activation=np.sin)], 2.0)
    x = 0.7
    gradient = grad(lambda params: network(params, x).sum())(params)
    a = np.tanh(0.5 * x + 0.1)
    w = params.layers[1].w
    da = 2.0 * (w * np.cos(w * a)).sum() * (1 - a * a)
    np.testing.assert_allclose(gradient.layers[0].w, da * x, rtol=1e-14)
    np.testing.assert_allclose(gradient.layers[0].b, da, rtol=1e-14)
    np.testing.assert_allclose(gradient.layers[1].w, 2.0 * a * np.cos(w * a), rtol=1e-14)
    np.testing.assert_allclose(gradient.layers[1].b, 2.0 * np.cos(w * a).sum(), rtol=1e-14)
    np.testing.assert_allclose(gradient.scale, np.sin(w * a).sum(), rtol=1e-14)
    assert tree.structure(gradient) == tree.structure(params)
    assert gradient.layers[1].activation is np.sin
    new = tree.map(lambda p, g: p - 0.1 * g, params, gradient)
    assert network(new, x).sum() < network(params, x).sum()


def test_every_transform_takes_and_returns_registered_types():
    params, direction = Dense(2.0, 3.0), Dense(0.5, 0.25)

    def fun(params):
        return Both(params.w * params.b, [params.w**2])

    value, vjp_fun = vjp(fun, params)
    assert (value.one, value.other) == (6.0, [4.0])
    assert vjp_fun(Both(1.0, [10.0])) == (Dense(43.0, 2.0),)
    for tangent in (jvp(fun, (params,), (direction,))[1], linearize(fun, params)[1](direction)):
        assert (tangent.one, tangent.other) == (2.0, [2.0])
    jacobian = jacrev(fun)(params)
    assert (jacobian.one, jacobian.other) == (Dense(3.0, 2.0), [Dense(4.0, 0.0)])
    assert value_and_grad(lambda p: (fun(p).one, fun(p)), has_aux=True)(params)[0][1].other == [4.0]

    square = custom_vjp(lambda p: p.w * p.b)
    square.defvjp(lambda p: (p.w * p.b, p), lambda p, g: (Dense(100.0 * g * p.b, None),))
    assert grad(square)(params) == Dense(300.0, 0.0)


@cases({
    "a text": ("text", "'text'"),
    "a number": (3, "int"),
    "an array of numbers": (np.array([1, 2]), "int64"),
    "an object": (len, "built-in function len"),
})
def test_messages_name_the_place_of_a_leaf_as_one_would_write_it(case):
    leaf, named = case
    good, bad = Model([Dense(1.0)]), Model([Dense(1.0), Dense(leaf)])

    def loss(params, other=None):
        return params.layers[0].w * 1.0

    for call, place in (
        (lambda: grad(loss)(Model([Dense(leaf)])), "params.layers[0].w is"),
        (lambda: grad(loss)(bad), "params.layers[1].w is"),
        (lambda: grad(loss, (0, 1))(good, bad), "other.layers[1].w is"),
        (lambda: grad(loss, -1)(good, {"a": [bad]}), "other['a'][0].layers[1].w is"),
        (lambda: grad(loss, argnames="other")(good, other=bad), "other.layers[1].w is"),
        (lambda: grad(loss, argnames=["params", "other"])(good, bad), "other.layers[1].w is"),
        (lambda: jacrev(loss)(bad), "params.layers[1].w is"),
        (lambda: grad(loss)(Both(1.0, [leaf])), "params[<flat index 1>][0] is"),
        (lambda: grad(loss)(Pair(1.0, Both(Dense(0.0, leaf), 1.0))), "params.b[<flat index 0>].b is"),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert place in str(caught.value) and named in str(caught.value)


def test_messages_name_the_place_of_a_cotangent_and_of_a_tangent():
    _, vjp_fun = vjp(lambda w: Model([Dense(w, w[0])]), np.ones(2))
    with pytest.raises(ValueError, match=r"cotangent\.layers\[0\]\.w.*float64\[3\].*float64\[2\]"):
        vjp_fun(Model([Dense(np.ones(3), 1.0)]))
    with pytest.raises(TypeError, match=r"cotangent\.layers\[0\]\.b is 'text'"):
        vjp_fun(Model([Dense(np.ones(2), "text")]))
    with pytest.raises(ValueError, match=r"tangents\[0\]\.layers\[0\]\.w has shape \(3,\)"):
        jvp(lambda m: m.layers[0].w, (Model([Dense(np.ones(2))]),), (Model([Dense(np.ones(3))]),))
    with pytest.raises(ValueError, match=r"tangent\[0\]\.layers\[0\]\.w does not match"):
        linearize(lambda m: m.layers[0].w, Model([Dense(np.ones(2))]))[1](Model([Dense(np.ones(3))]))
