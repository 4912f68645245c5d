"""Contract A1: what `grad(fun, ...)` accepts, and what it refuses, before and at the first call."""

import functools
import inspect
import math
from typing import Any

import jax
import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same


def never_called(m: Any) -> tuple:
    calls: list = []

    def fun(x):
        calls.append(1)
        return x

    made = [m.grad(fun), m.grad(fun, 5), m.grad(fun, ()), m.grad(fun, has_aux=True), m.value_and_grad(fun)]
    return [callable(g) for g in made], len(calls)


def generator(x):
    yield x


async def coroutine(x):
    return x


def awaited(m: Any) -> str:
    """Ends the error here, and with it the coroutine: Python warns about one that is never awaited."""
    try:
        m.grad(coroutine)(1.0)
    except TypeError:
        return "TypeError"
    return "nothing"


class Keeper:
    def __init__(self, x):
        self.x = x


@rows(
    same("A1.1", never_called),
    same("A1.2", lambda m: m.grad(3), "Expected a callable value, got 3"),
    same("A1.2 value_and_grad", lambda m: m.value_and_grad(3), "Expected a callable value, got 3"),
    same("A1.2 vjp", lambda m: m.vjp(3, 1.0), "Expected a callable value, got 3"),
    same("A1.2 jvp", lambda m: m.jvp(3, (1.0,), (1.0,)), "Expected a callable value, got 3"),
    same("A1.2 linearize", lambda m: m.linearize(3, 1.0), "Expected a callable value, got 3"),
    same("A1.2 jacrev", lambda m: m.jacrev(3), "Expected a callable value, got 3"),
    same("A1.2 jacfwd", lambda m: m.jacfwd(3), "Expected a callable value, got 3"),
    same("A1.2 hessian", lambda m: m.hessian(3), "Expected a callable value, got 3"),
    same("A1.3", lambda m: m.grad(None), "Expected a callable value, got None"),
    same("A1.3 an array", lambda m: m.grad(np.ones(2)), "Expected a callable value, got "),
    same("A1.4", lambda m: m.grad(staticmethod(lambda x: x)), "staticmethod arguments are not supported, got "),
    same("A1.5", lambda m: m.grad(generator), "Expected a function, got a generator function: "),
    same("A1.5 value_and_grad", lambda m: m.value_and_grad(generator), "got a generator function: "),
    same("A1.22", lambda m: m.grad(), "missing 1 required positional argument: 'fun'"),
    same("A1.22 value_and_grad", lambda m: m.value_and_grad(), "missing 1 required positional argument: 'fun'"),
    same("A1.32", awaited),
)
def test_the_function(row: Any) -> None:
    check(row)


@rows(
    same("A1.6", lambda m: m.grad(lambda x: x, argnums=1.0)),
    same("A1.6 value_and_grad", lambda m: m.value_and_grad(lambda x: x, argnums=1.0)),
    same("A1.7", lambda m: m.grad(lambda x: x, argnums="x")),
    same("A1.8", lambda m: m.grad(lambda x: x, argnums=None)),
    same("A1.9", lambda m: m.grad(lambda x, y: x * y, argnums=[0, 1])(2.0, 3.0)),
    same("A1.10", lambda m: m.grad(lambda x, y: x * y, argnums=range(2))(2.0, 3.0)),
    same("A1.10 a generator", lambda m: (lambda g: [g(2.0, 3.0), g(4.0, 5.0)])(
        m.grad(lambda x, y: x * y, argnums=(i for i in (1, 0))))),
    same("A1.11", lambda m: m.grad(lambda x, y: x * y, argnums=np.int64(1))(2.0, 3.0)),
    same("A1.12", lambda m: m.grad(lambda x, y: x * y, argnums=np.array([0, 1]))(2.0, 3.0)),
    same("A1.12 one element", lambda m: m.grad(lambda x, y: x * y, argnums=np.array([1]))(2.0, 3.0)),
    same("A1.13", lambda m: m.grad(lambda x, y: x * y, argnums=np.array(1))(2.0, 3.0)),
    same("A1.14", lambda m: m.grad(lambda x, y: x * y, argnums=True)(2.0, 3.0)),
    same("A1.15", lambda m: callable(m.grad(lambda x: x, argnums=()))),
    same("A1.16", lambda m: m.grad(lambda x: x, argnums=())(1.0)),
    same("A1.17", lambda m: m.grad(lambda x: x, argnums=(0, 1.0)), "cannot be interpreted as an integer"),
    same("A1.20", lambda m: m.grad(lambda x, y: x * y, 1)(2.0, 3.0)),
    same("A1.20 value_and_grad", lambda m: m.value_and_grad(lambda x, y: x * y, 1)(2.0, 3.0)),
    same("A1.30", lambda m: m.grad(lambda x, y: x * y, argnums={0, 1})(2.0, 3.0)),
)
def test_argnums_are_integers(row: Any) -> None:
    check(row)


@rows(
    differs("A1.18", lambda m: m.grad(lambda x, y: x * x * y, argnames="x")(3.0, y=5.0), 30.0),
    differs("A1.18 value_and_grad", lambda m: m.value_and_grad(lambda x: x * x, argnames=("x",))(x=3.0), (9.0, (6.0,))),
    same("A1.18 another keyword", lambda m: m.grad(lambda x: x, argname="x"), "unexpected keyword argument 'argname'"),
    same("A1.19", lambda m: m.grad(lambda x: x, reduce_axes=("i",)), "reduce_axes"),
    same("A1.19 value_and_grad", lambda m: m.value_and_grad(lambda x: x, reduce_axes=("i",)), "reduce_axes"),
    same("A1.19 empty", lambda m: m.grad(lambda x: x * x, reduce_axes=())(3.0)),
    same("A1.21", lambda m: m.grad(lambda x, y: (x * y, 7), 1, True)(2.0, 3.0)),
    same("A1.21 holomorphic fourth", lambda m: m.grad(lambda z: (z**2, 7), 0, True, True)(1 + 2j)),
    same("A1.21 allow_int fifth", lambda m: m.grad(lambda x: x * 2.0, 0, False, False, True)(3)),
    same("A1.21 reduce_axes sixth", lambda m: m.grad(lambda x: x * x, 0, False, False, False, ())(3.0)),
    same("A1.21 nothing seventh", lambda m: m.grad(lambda x: x * x, 0, False, False, False, (), "x")),
)
def test_the_other_arguments(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("name", ["grad", "value_and_grad"])
def test_the_signature_is_that_of_jax_with_more_keywords(name: str) -> None:
    ours = list(inspect.signature(getattr(minigrad, name)).parameters.values())
    theirs = list(inspect.signature(getattr(jax, name)).parameters.values())
    assert len(theirs) == 6
    assert [(p.name, p.default, p.kind) for p in ours[:6]] == [(p.name, p.default, p.kind) for p in theirs]
    assert [(p.name, p.default, p.kind) for p in ours[6:]] == [
        ("argnames", None, inspect.Parameter.KEYWORD_ONLY),
        ("allow_objects", False, inspect.Parameter.KEYWORD_ONLY),
    ]


def decorated(m: Any) -> Any:
    @functools.partial(m.grad, argnums=1)
    def fun(x, y):
        return x * y**2

    return fun(2.0, 3.0)


def decorated_plainly(m: Any) -> Any:
    @m.grad
    def fun(x, y=2.0):
        return x**3 * y

    return fun(3.0), fun(3.0, y=5.0)


@rows(
    same("A1.23", lambda m: m.grad(Keeper)(1.0)),
    same("A1.24", lambda m: m.grad(abs)(-2.0)),
    same("A1.25", lambda m: m.grad(sum)([1.0, 2.0, 3.0])),
    same("A1.26", lambda m: m.grad(max)([1.0, 2.0, 3.0])),
    same("A1.26 min of an array", lambda m: m.grad(min)(np.array([2.0, 1.0, 3.0]))),
    same("A1.27", lambda m: m.grad(pow, (0, 1))(2.0, 3.0)),
    same("A1.28", lambda m: m.grad(math.sin)(1.0)),
    same("A1.31", decorated),
    same("A1.31 without arguments", decorated_plainly),
)
def test_functions_of_every_kind(row: Any) -> None:
    check(row)


def test_the_message_says_what_to_write_instead() -> None:
    with pytest.raises(TypeError, match="np."):
        minigrad.grad(math.sin)(1.0)
