"""Contract A4: has_aux, for functions that return more than the number that is differentiated."""

import math
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, rows, same

Pair = namedtuple("Pair", "a b")
NO_PAIR = "expected function with aux output to return a two-element tuple, but got type <class "


@rows(
    same("A4.1", lambda m: m.grad(lambda x: (x**3, [x**2]), has_aux=True)(3.0)),
    same("A4.2", lambda m: m.value_and_grad(lambda x: (x**3, [x**2]), has_aux=True)(3.0)),
    same("A4.3", lambda m: m.value_and_grad(lambda x: x**3)(3.0)),
    same("A4.4", lambda m: m.grad(lambda x, y: (x * y, (x, y)), argnums=(0, 1), has_aux=True)(2.0, 3.0)),
    same("A4.4 value_and_grad", lambda m: m.value_and_grad(lambda x, y: (x * y, (x, y)), (0,), has_aux=True)(2.0, 3.0)),
    same("A4.8", lambda m: m.grad(lambda x: [x, 1.0], has_aux=True)(1.0)),
    same("A4.8 value_and_grad", lambda m: m.value_and_grad(lambda x: [x, 1.0], has_aux=True)(1.0)),
    same("A4.9", lambda m: m.grad(lambda x: Pair(x, 1.0), has_aux=True)(1.0)),
    same("A4.9 value_and_grad", lambda m: m.value_and_grad(lambda x: Pair(x, 1.0), has_aux=True)(1.0)),
    same("A4.26", lambda m: m.grad(lambda x: (x, 5), has_aux=1)(1.0)),
    same("A4.26 falsy", lambda m: m.grad(lambda x: x * 2, has_aux=0)(1.0)),
)
def test_what_comes_back(row: Any) -> None:
    check(row)


@rows(
    same("A4.5", lambda m: m.grad(lambda x: (1, 2, 3), has_aux=True)(1.0), NO_PAIR + "'tuple'> with value (1, 2, 3)"),
    same("A4.5 value_and_grad", lambda m: m.value_and_grad(lambda x: (1, 2, 3), has_aux=True)(1.0), NO_PAIR),
    same("A4.6", lambda m: m.grad(lambda x: x, has_aux=True)(1.0), NO_PAIR),
    same("A4.6 an array of two elements", lambda m: m.grad(lambda x: x, has_aux=True)(np.ones(2)), NO_PAIR),
    same("A4.6 a dict", lambda m: m.grad(lambda x: {"a": x, "b": x}, has_aux=True)(1.0), NO_PAIR + "'dict'>"),
    same("A4.6 a string", lambda m: m.grad(lambda x: "ab", has_aux=True)(1.0), NO_PAIR + "'str'> with value "),
    same("A4.7", lambda m: m.grad(lambda x: (x,), has_aux=True)(1.0), NO_PAIR + "'tuple'> with value ("),
    same("A4.7 empty", lambda m: m.grad(lambda x: (), has_aux=True)(1.0), NO_PAIR + "'tuple'> with value ()"),
    same("A4.10", lambda m: m.grad(lambda x: None, has_aux=True)(1.0), NO_PAIR + "'NoneType'> with value None"),
    same("A4.21", lambda m: m.grad(
        lambda x: (x, x))(1.0), "Gradient only defined for scalar-output functions. Output was ("),
    same("A4.25", lambda m: m.grad(lambda x: (x, 1), has_aux=True)(np.ones(2)), "Output had shape: (2,)"),
    same("A4.25 an integer", lambda m: m.grad(lambda x: (3, x), has_aux=True)(1.0), "but got int64"),
    same("A4.25 a nested pair", lambda m: m.grad(lambda x: ((x, x), 1), has_aux=True)(1.0), "Output was ("),
)
def test_what_is_no_pair(row: Any) -> None:
    check(row)


class Opaque:
    pass


def opaque(m: Any) -> list:
    o = Opaque()
    g, aux = m.grad(lambda x: (x, o), has_aux=True)(1.0)
    h, deep = m.grad(lambda x: (x, {"k": (o, math.sin, {1, 2})}), has_aux=True)(1.0)
    return [g, aux is o, h, deep["k"][0] is o, deep["k"][1] is math.sin, sorted(deep["k"][2])]


def rebuilt(m: Any) -> list:
    d = {"k": [1, 2], "a": ()}
    g, aux = m.grad(lambda x: (x, d), has_aux=True)(1.0)
    return [g, aux is d, aux["k"] is d["k"], aux, list(d)]


def array_in_aux(m: Any) -> list:
    a = np.arange(3)
    g, aux = m.grad(lambda x: (x, [a]), has_aux=True)(1.0)
    return [g, aux[0] is a]


def registered(m: Any) -> list:
    @m.register_pytree_node_class
    class Box:
        def __init__(self, a):
            self.a = a

        def tree_flatten(self):
            return (self.a,), None

        @classmethod
        def tree_unflatten(cls, rest, children):
            return cls(*children)

    g, aux = m.grad(lambda x: (x, Box(x * 2)), has_aux=True)(1.0)
    return [g, type(aux) is Box, aux.a]


def leaves(m: Any) -> Any:
    return m.grad(
        lambda x: (x, {"i": 1, "f": 2.0, "x": x, "y": x * 2, "np": np.arange(2), "own": m.np.arange(2), "b": True}),
        has_aux=True,
    )(1.0)


@rows(
    same("A4.11", lambda m: m.grad(lambda x: (x, None), has_aux=True)(1.0)),
    same("A4.12", lambda m: m.grad(lambda x: (x, "hi"), has_aux=True)(1.0)),
    same("A4.13", opaque),
    same("A4.14", lambda m: m.grad(lambda x: (x, {"c": "s", "b": x, "a": 1}), has_aux=True)(1.0)),
    same("A4.15", leaves),
    same("A4.15 an array is the same", array_in_aux),
    same("A4.15 empty", lambda m: m.grad(lambda x: (x, [(), {}, [], None]), has_aux=True)(1.0)),
    same("A4.15 a namedtuple", lambda m: m.grad(lambda x: (x, Pair(x, [x * x])), has_aux=True)(3.0)),
    same("A4.16", lambda m: m.grad(lambda x: (x, (x > 0, (x * 3).astype(int))), has_aux=True)(1.0)),
    same("A4.19", lambda m: m.grad(lambda x: (x, x * 1j), has_aux=True)(2.0)),
    same("A4.20", lambda m: m.grad(lambda x: (x.sum(), x * 2), has_aux=True)(np.ones(2))),
    same("A4.20 float32", lambda m: m.grad(lambda x: (x.sum(), x[:1] * 2), has_aux=True)(np.ones((2, 3), np.float32))),
    same("A4.22", rebuilt),
    same("A4.22 keys that cannot be sorted", lambda m: m.grad(lambda x: (x, {1: 2, "a": 3}), has_aux=True)(1.0)),
    same("A4.23", lambda m: m.grad(lambda x: (x, math.sin), has_aux=True)(1.0)[1] is math.sin),
    same("A4.24", registered),
    same("A4.27", lambda m: m.value_and_grad(lambda x: (x * 2, ("s", x)), has_aux=True)(3.0)),
)
def test_aux_is_anything(row: Any) -> None:
    check(row)


def through_aux(m: Any) -> list:
    def fun(x):
        g, aux = m.grad(lambda x: (x**3, [x**3]), has_aux=True)(x)
        return aux[0] * m.np.sin(x)

    return [m.grad(fun)(4.0), m.grad(lambda x: x**3 * m.np.sin(x))(4.0), m.grad(m.grad(fun))(4.0)]


def through_both(m: Any) -> Any:
    def fun(x):
        (value, aux), g = m.value_and_grad(lambda y: (x * y**3, {"k": (x * y, "s")}), has_aux=True)(x)
        return value * aux["k"][0] * g

    return m.value_and_grad(fun)(2.0)


@rows(
    same("A4.17", lambda m: m.grad(lambda x: (x, x**100), has_aux=True)(2.0)[0]),
    same("A4.17 a NaN", lambda m: m.grad(lambda x: (x * 2, m.np.log(x)), has_aux=True)(-1.0)),
    same("A4.18", through_aux),
    same("A4.18 value and gradient", through_both),
    same("A4.18 aux of the outer one", lambda m: m.grad(
        lambda x: (lambda g, aux: (g * x, [aux, g]))(
            *m.grad(lambda y: (x * y**2, y), has_aux=True)(x)), has_aux=True)(3.0)),
    same("A4.18 a second gradient", lambda m: m.grad(lambda x: m.grad(lambda y: (y**3, y), has_aux=True)(x)[0])(2.0)),
)
def test_aux_and_derivatives(row: Any) -> None:
    check(row)


def test_no_tensor_comes_out() -> None:
    seen: list = []

    def fun(x):
        seen.append(x)
        return x.sum(), {"x": x, "list": [x[0], (x > 1, None)], "pair": Pair(x.sum(), x.shape)}

    g, aux = minigrad.grad(fun, has_aux=True)(np.array([1.0, 2.0]))
    assert type(seen[0]) is minigrad.Tensor
    assert type(aux["x"]) is np.ndarray and aux["x"].tolist() == [1.0, 2.0]
    assert type(aux["list"][0]) is np.float64 and aux["list"][0] == 1.0
    assert type(aux["list"][1][0]) is np.ndarray and aux["list"][1][0].tolist() == [False, True]
    assert type(aux["pair"]) is Pair and type(aux["pair"].a) is np.float64 and aux["pair"] == (3.0, (2,))
    assert g.tolist() == [1.0, 1.0]


def test_aux_and_the_gradient_share_no_memory_with_the_argument_that_a_change_would_reach() -> None:
    x = np.array([1.0, 2.0])
    g, aux = minigrad.grad(lambda x: (x.sum(), x), has_aux=True)(x)
    g[0] = 7.0
    assert x.tolist() == [1.0, 2.0] and aux.tolist() == [1.0, 2.0]
    if aux.flags.writeable:  # else it cannot be changed by accident
        aux[0] = 9.0
        assert x.tolist() == [1.0, 2.0]
    x[0] = 5.0  # the argument has stayed writable
    assert g.tolist() == [7.0, 1.0]


def test_a_pair_is_needed_and_the_next_call_works() -> None:
    with pytest.raises(TypeError, match="two-element tuple"):
        minigrad.grad(lambda x: x, has_aux=True)(2.0)
    assert minigrad.grad(lambda x: (x * x, 1), has_aux=True)(3.0) == (6.0, 1)
