"""Contract A2: argnums at call time."""

from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same


@rows(
    same("A2.1", lambda m: m.grad(lambda x, y: x * y, argnums=1)(2.0, 3.0)),
    same("A2.2", lambda m: m.grad(lambda x, y: x * y, argnums=(1,))(2.0, 3.0)),
    same("A2.3", lambda m: m.grad(lambda x, y, z: x + 2 * y + 3 * z, argnums=(2, 0))(1.0, 1.0, 1.0)),
    same("A2.3 the value too", lambda m: m.value_and_grad(lambda x, y, z: x + 2 * y + 3 * z, (2, 0))(1.0, 1.0, 1.0)),
    same("A2.3 trees and arrays", lambda m: m.grad(lambda x, y, z: x["a"] * y * m.np.sum(z[0] ** 2), argnums=(2, 0))(
        {"a": 2.0}, 3.0, [np.arange(3.0)])),
    same("A2.4", lambda m: m.grad(lambda x, y: x * y, argnums=-1)(2.0, 3.0)),
    same("A2.5", lambda m: m.grad(lambda x, y: x * y, argnums=-2)(2.0, 3.0)),
    same("A2.7", lambda m: m.grad(lambda x, y, z: x + 2 * y + 3 * z, argnums=(-1, 0))(1.0, 1.0, 1.0)),
    same("A2.16", lambda m: m.grad(lambda x, y=2.0: x * y, argnums=1)(3.0, 5.0)),
    same("A2.17", lambda m: m.grad(lambda *a: sum(a[i] * i for i in range(len(a))), argnums=(1, 2))(1.0, 1.0, 1.0)),
    same("A2.17 the last of any number", lambda m: (lambda g: [g(2.0), g(2.0, 3.0), g(2.0, 3.0, 4.0)])(
        m.grad(lambda *a: a[0] * a[-1], argnums=-1))),
    same("A2.22", lambda m: m.grad(lambda x, y: x * y, argnums=(np.int32(1),))(2.0, 3.0)),
    same("A2.22 reused with other numbers of arguments", lambda m: (lambda g: [g(2.0, 3.0), g(2.0, 3.0, 4.0)])(
        m.grad(lambda *a: a[0] * a[1], argnums=(1, 0)))),
)
def test_argnums(row: Any) -> None:
    check(row)


@rows(
    same("A2.6", lambda m: m.grad(lambda x, y: x * y, argnums=-3)(2.0, 3.0)),
    same("A2.6 in a tuple", lambda m: m.grad(lambda x, y: x * y, argnums=(0, -3))(2.0, 3.0)),
    same("A2.6 value_and_grad", lambda m: m.value_and_grad(lambda x, y: x * y, argnums=-3)(2.0, 3.0)),
    same("A2.8", lambda m: m.grad(lambda x, y: x * y, argnums=2)(2.0, 3.0),
         "differentiating with respect to argnums=2 requires at least 3 positional arguments to be passed by the "
         "caller, but got only 2 positional arguments."),
    same("A2.9", lambda m: m.grad(lambda x, y: x * y, argnums=(0, 5))(2.0, 3.0),
         "argnums=(0, 5) requires at least 6 positional arguments"),
    same("A2.13", lambda m: m.grad(lambda x: x)(), "but got only 0 positional arguments."),
    same("A2.14", lambda m: m.grad(lambda x: x * x)(x=3.0), "argnums=0 requires at least 1 positional arguments"),
    same("A2.15", lambda m: m.grad(lambda x, y=2.0: x * y, argnums=1)(3.0), "but got only 1 positional arguments."),
    same("A2.23", lambda m: m.grad(lambda x: x)(1.0, 2.0), "takes 1 positional argument but 2 were given"),
    same("A2.24", lambda m: m.grad(lambda x, y: x * y)(1.0), "missing 1 required positional argument: 'y'"),
)
def test_arguments_that_are_not_there(row: Any) -> None:
    check(row)


@rows(
    differs("A2.10", lambda m: m.grad(lambda x, y: x * y, argnums=(0, 0))(2.0, 3.0), ValueError, "twice"),
    differs("A2.10 value_and_grad", lambda m: m.value_and_grad(
        lambda x, y: x * y, (1, 1))(2.0, 3.0), ValueError, "twice"),
    differs("A2.11", lambda m: m.grad(lambda x, y: x * y, argnums=(0, -2))(2.0, 3.0), ValueError, "twice"),
    differs("A2.11 three", lambda m: m.grad(lambda x, y: x * y, argnums=(1, 0, -1))(2.0, 3.0), ValueError, "twice"),
)
def test_an_argument_twice(row: Any) -> None:
    check(row)


def test_the_function_does_not_see_an_argument_that_is_named_twice() -> None:
    calls: list = []
    with pytest.raises(ValueError, match="twice"):
        minigrad.grad(lambda *a: calls.append(a), argnums=(0, 0))
    with pytest.raises(ValueError, match="twice"):
        minigrad.grad(lambda *a: calls.append(a), argnums=(0, -2))(2.0, 3.0)
    assert calls == []


def passed_on(m: Any) -> list:
    obj, array, tree = object(), np.ones(3), {"b": [1], "a": "s"}
    seen: list = []

    def fun(x, *others):
        seen.extend([a is b for a, b in zip(others, (obj, array, tree))] + [list(others[2])])
        return x

    m.grad(fun)(2.0, obj, array, tree)
    return seen


def kinds(m: Any) -> list:
    seen: list = []

    def fun(x, *others):
        seen.extend(type(other).__name__ for other in others)
        return x * others[1].sum()

    m.grad(fun)(2.0, 3.0, np.ones(3), [1, 2], np.float32(1), True)
    return seen


def identical(m: Any) -> Any:
    obj = object()
    return m.grad(lambda x, o: x * (1.0 if o is obj else 0.0))(2.0, obj)


@rows(
    same("A2.18", lambda m: m.grad(lambda x, s, o: x * len(s) if o is None else x)(2.0, "abc", None)),
    same("A2.18 integers", lambda m: m.grad(lambda n, x, i: x[i] ** n, argnums=1)(2, np.array([3.0, 4.0]), 1)),
    same("A2.18 before and after", lambda m: m.grad(lambda s, x, t: x * len(s + t), argnums=1)("abc", 2.0, "de")),
    same("A2.19", identical),
    same("A2.19 of every kind", passed_on),
    same("A2.20", kinds),
)
def test_the_other_arguments_are_passed_on(row: Any) -> None:
    check(row)


def test_a_selected_array_arrives_as_a_tensor() -> None:
    seen: list = []

    def fun(x, y, z):
        seen.extend([type(x), type(y), type(z)])
        return (x * y * z).sum()

    x, y, z = np.arange(3.0), np.ones(3), 2.0
    gx, gz = minigrad.grad(fun, (0, 2))(x, y, z)
    assert seen == [minigrad.Tensor, np.ndarray, minigrad.Tensor]
    assert type(gx) is np.ndarray and gx.tolist() == [2.0, 2.0, 2.0]
    assert type(gz) is float and gz == 3.0
