"""Pytrees: every tree comes apart and together again, in the order that JAX gives its leaves."""

from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from types import MappingProxyType, SimpleNamespace

import jax
import numpy as np
import pytest

from minigrad import tree

Pair = namedtuple("Pair", "a b")
Other = namedtuple("Other", "a b")


class Child(Pair):
    """A class made from a namedtuple, as `typing.NamedTuple` and users make them."""


def cases(table):
    """Parametrize by a dict, whose keys are the names of the cases."""
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


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
