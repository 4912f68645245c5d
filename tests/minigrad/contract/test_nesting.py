"""Contract A11: higher derivatives, calls of grad inside functions that are being differentiated, and closures."""

from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, rows, same


def _times(n: int, transform: Any, f: Any) -> Any:
    for _ in range(n):
        f = transform(f)
    return f


def _recursive(m: Any, n: int) -> Any:
    return m.np.sin if n == 0 else m.grad(_recursive(m, n - 1))


@rows(
    same("A11.1", lambda m: m.grad(m.grad(lambda x: x**4))(2.0)),
    same("A11.2", lambda m: m.grad(m.grad(m.grad(lambda x: x**4)))(2.0)),
    same("A11.3", lambda m: m.grad(m.grad(m.grad(lambda x: x**2)))(2.0)),
    same("A11.4", lambda m: m.grad(m.grad(m.np.sin))(1.0)),
    same("A11.5", lambda m: _times(6, m.grad, m.np.exp)(1.0)),
    same("A11.6", lambda m: m.grad(m.grad(lambda x: 3.0 * x))(1.0)),
    same("A11.7", lambda m: m.grad(m.grad(lambda x, y: x**2 * y**3, 0), 1)(2.0, 3.0)),
    same("A11.8", lambda m: m.grad(m.grad(lambda x, y: x**2 * y**3, 1), 0)(2.0, 3.0)),
    same("A11.30", lambda m: _recursive(m, 4)(1.0)),
)
def test_higher_derivatives(row: Any) -> None:
    check(row)


def _hat(m: Any, f: Any, x: Any) -> Any:
    """The "amazing bug" of nested forward derivatives: the derivative of f, shifted to x, at 0."""
    return m.grad(lambda u: f(x + u))(0.0)


def _outer_flows_out(m: Any) -> Any:
    def f(x):
        box = []

        def g(y):
            box.append(x * 2)
            return y * x

        return m.grad(g)(3.0) * box[0]

    return m.grad(f)(2.0)


def _inner_leaks(m: Any) -> Any:
    def f(x):
        box = []

        def g(y):
            box.append(y * y)
            return y * x

        return m.grad(g)(3.0) * box[0]

    return m.grad(f)(2.0)


@rows(
    same("A11.10", lambda m: m.grad(lambda x: x * m.grad(lambda y: x + y)(1.0))(1.0)),
    same("A11.11", lambda m: m.grad(lambda x: x * m.grad(lambda y: x * y)(2.0))(3.0)),
    same("A11.12", lambda m: m.grad(lambda x: m.grad(lambda y: x * x)(1.0) + x)(3.0)),
    same("A11.13", lambda m: _hat(m, lambda y: _hat(m, lambda z: m.np.exp(z), y), 0.5)),
    same("A11.14", lambda m: m.grad(
        lambda x: m.grad(lambda y: m.grad(lambda z: x * y * z)(4.0) * y)(5.0) * x)(3.0)),
    same("A11.15", lambda m: m.grad(lambda x: m.jvp(lambda y: x * y * y, (2.0,), (1.0,))[1])(3.0)),
    same("A11.16", lambda m: m.jvp(lambda x: m.grad(lambda y: x * y * y)(2.0), (3.0,), (1.0,))),
    same("A11.17", _outer_flows_out),
    same("A11.18", _inner_leaks, "escape"),
)
def test_perturbations_are_not_confused(row: Any) -> None:
    check(row)


def test_the_same_leak_through_a_value_that_is_returned() -> None:
    def f(x):
        box = []
        minigrad.grad(lambda y: (box.append(y), y * x)[1])(3.0)
        return box[0]

    with pytest.raises((TypeError, RuntimeError), match="escaped"):
        minigrad.grad(f)(2.0)
    assert minigrad.grad(lambda x: x * x)(3.0) == 6.0  # and nothing is left behind


def _product_with_vector(m: Any) -> Any:
    x, v = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    return m.grad(lambda x: m.np.dot(m.grad(lambda x: m.np.sum(x**3))(x), v))(x)


def _meta(m: Any) -> Any:
    def loss(w, x):
        return (w * x - 1.0) ** 2

    return m.grad(lambda w: loss(w - 0.1 * m.grad(loss)(w, 2.0), 3.0))(0.5)


def _sum_sin(m: Any) -> Any:
    return m.grad(lambda x: m.np.sum(m.np.sin(x)))


def _norm(m: Any) -> Any:
    return lambda x: m.np.sqrt(m.np.sum(x * x))


@rows(
    same("A11.9", _product_with_vector),
    same("A11.19", lambda m: m.grad(
        lambda w: m.np.sum(m.grad(lambda x: m.np.sum(w * x * x))(np.ones(2))))(np.array([1.0, 2.0]))),
    same("A11.20", lambda m: m.grad(lambda x: m.value_and_grad(lambda y: y**3)(x)[0])(2.0)),
    same("A11.21", lambda m: m.grad(lambda x: m.np.sum(_sum_sin(m)(x) ** 2))(np.array([1.0, 2.0]))),
    same("A11.22", _meta),
    same("A11.23", lambda m: m.grad(lambda x: m.np.sum(m.grad(lambda y: y[0] ** 2 * y[1])(x)))(np.array([2.0, 3.0]))),
    same("A11.24", lambda m: m.grad(lambda x: m.np.sum(m.grad(m.np.max)(x) * x))(np.array([2.0, 2.0]))),
    same("A11.25", lambda m: m.grad(m.grad(lambda x: m.np.maximum(x, 0.0)))(0.0)),
    same("A11.26", lambda m: m.grad(m.grad(m.np.abs))(0.0)),
    same("A11.27", lambda m: m.grad(lambda x: m.np.sum(m.grad(_norm(m))(x)))(np.array([3.0, 4.0]))),
)
def test_gradients_in_a_loss(row: Any) -> None:
    check(row)


@rows(
    same("A11.28", lambda m: m.grad(lambda x: m.grad(lambda y: y**2)(3.0) + 0.0 * x)(1.0)),
    same("A11.29", lambda m: m.grad(lambda x: m.grad(lambda y: y**2)(3.0))(1.0)),
    same("A11.31", lambda m: m.grad(lambda x: m.grad(lambda y: y * y)(x))(3.0)),
    same("A11.32", lambda m: m.grad(lambda x: m.grad(lambda y, c: y * c, 0)(2.0, x))(3.0)),
    same("A11.33", lambda m: m.grad(
        lambda x: m.grad(lambda d: d["a"] ** 2 * d["b"])({"a": x, "b": 2.0 * x})["a"])(3.0)),
)
def test_what_the_inner_call_is_given(row: Any) -> None:
    check(row)
