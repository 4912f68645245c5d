"""Contract A3: keyword arguments reach the function as they are, and are not differentiated unless argnames says so."""

from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, rows, same


def kinds(m: Any) -> list:
    seen: list = []

    def fun(x, k, w=None, n=0, **others):
        seen.extend(type(value).__name__ for value in (k, w, n, *others.values()))
        return x * k

    m.grad(fun)(2.0, k=3.0, w=np.ones(2), n=4, s="s", f=np.float32(1))
    return seen


def identical(m: Any) -> list:
    given = {"a": object(), "b": np.ones(3), "c": {"z": 1, "a": 2}, "d": [1.0]}
    seen: dict = {}

    def fun(x, **kwargs):
        seen.update(kwargs)
        return x

    m.grad(fun)(2.0, **given)
    return [list(seen), [seen[name] is given[name] for name in seen], list(seen["c"])]


@rows(
    same("A3.1", lambda m: m.grad(lambda x, *, k: x * k)(2.0, k=3.0)),
    same("A3.1 value_and_grad", lambda m: m.value_and_grad(lambda x, *, k: x * k)(2.0, k=3.0)),
    same("A3.1 beside argnums", lambda m: m.grad(lambda x, y, *, k: x * y**k, (1, 0))(2.0, 3.0, k=2)),
    same("A3.1 beside has_aux", lambda m: m.grad(lambda x, *, k: (x * k, k), has_aux=True)(2.0, k=3.0)),
    same("A3.2", kinds),
    same("A3.2 the same object", identical),
    same("A3.3", lambda m: m.grad(lambda x, *, flag: x if flag == "yes" else -x)(2.0, flag="yes")),
    same("A3.4", lambda m: m.grad(lambda x, *, w: (x * w).sum())(np.ones(3), w=np.arange(3.0))),
    same("A3.5", lambda m: m.grad(lambda x, y: x * y, argnums=1)(2.0, y=3.0),
         "argnums=1 requires at least 2 positional arguments to be passed by the caller, but got "
         "only 1 positional arguments."),
    same("A3.6", lambda m: m.grad(lambda x: x)(2.0, foo=1), "got an unexpected keyword argument 'foo'"),
    same("A3.7", lambda m: m.grad(lambda x, argnums: x * argnums)(2.0, argnums=5.0)),
    same("A3.7 other names", lambda m: m.grad(
        lambda x, fun, has_aux, args, kwargs, self: x * (fun + has_aux * args * kwargs - self))(
        2.0, fun=1.0, has_aux=2.0, args=3.0, kwargs=4.0, self=5.0)),
    same("A3.7 value_and_grad", lambda m: m.value_and_grad(lambda x, fun: x * fun)(2.0, fun=5.0)),
)
def test_keyword_arguments(row: Any) -> None:
    check(row)


@rows(
    same("A3.1 an outer gradient", lambda m: m.grad(lambda k: m.grad(lambda x, *, k: x**2 * k**3)(2.0, k=k))(3.0)),
    same("A3.1 a second gradient", lambda m: m.grad(m.grad(lambda x, *, k: x**3 * k))(2.0, k=3.0)),
)
def test_a_keyword_argument_may_belong_to_an_outer_gradient(row: Any) -> None:
    check(row)


def weighted(x, y=3.0, *, k=5.0):
    return x**2 * y * k


def test_argnames_selects_an_argument_however_it_is_passed() -> None:
    assert minigrad.grad(weighted, argnames="y")(2.0, 3.0) == 20.0
    assert minigrad.grad(weighted, argnames="y")(2.0, y=3.0) == 20.0
    assert minigrad.grad(weighted, argnames="y")(2.0) == 20.0
    assert minigrad.grad(weighted, argnames="k")(2.0, k=1.0) == 12.0
    assert minigrad.grad(weighted, argnames=("k", "x"))(x=2.0) == (12.0, 60.0)
    assert minigrad.grad(weighted, argnames=["y"])(2.0) == (20.0,)
    assert minigrad.value_and_grad(weighted, argnames="k")(2.0) == (60.0, 12.0)
    assert minigrad.grad(lambda **kwargs: kwargs["a"] * kwargs["b"], argnames="a")(a=2.0, b=3.0) == 3.0
    assert minigrad.grad(lambda a, b=2.0, c=5.0, /: a * b * c, argnames="c")(3.0) == 6.0
    assert minigrad.grad(lambda a, /, **kwargs: a * kwargs["a"], argnames="a")(3.0, a=5.0) == 5.0
    g = minigrad.grad(lambda *, p: p["a"] * p["b"].sum(), argnames="p")(p={"b": np.ones(2), "a": 3.0})
    assert list(g) == ["a", "b"] and g["a"] == 2.0 and g["b"].tolist() == [3.0, 3.0]


def test_argnames_that_are_no_arguments() -> None:
    with pytest.raises(TypeError, match="'z'"):
        minigrad.grad(weighted, argnames="z")(2.0)
    with pytest.raises(TypeError, match="'x'"):
        minigrad.grad(weighted, argnames="x")(y=2.0)
    with pytest.raises(TypeError):
        minigrad.grad(weighted, argnames=3)
    with pytest.raises(ValueError, match="twice"):
        minigrad.grad(weighted, argnames=("x", "x"))
    with pytest.raises(ValueError, match="argnames"):
        minigrad.grad(weighted, 1, argnames="x")
