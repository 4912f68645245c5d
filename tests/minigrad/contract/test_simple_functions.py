"""Contract A10: what a gradient is, for functions of every simple form, and what a call of grad leaves alone."""

import warnings
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, rows, same


@rows(
    same("A10.1", lambda m: m.grad(lambda x: 1.0)(2.0)),
    same("A10.2", lambda m: m.grad(lambda x: 1.0)(np.ones((2, 3), np.float32))),
    same("A10.3", lambda m: m.grad(lambda p: p["a"] * 1.0)({"a": 1.0, "b": np.ones(2)})),
    same("A10.4", lambda m: m.grad(lambda x, y: x * 1.0, (0, 1))(1.0, np.ones(2))),
    same("A10.6", lambda m: m.grad(lambda x: np.ones(3).sum())(2.0)),
    same("A10.6, value", lambda m: m.value_and_grad(lambda x: m.np.ones(3).sum())(np.ones(2, np.float32))),
)
def test_the_result_does_not_depend_on_the_argument(row: Any) -> None:
    check(row)


def test_independence_is_no_reason_for_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g = minigrad.grad(lambda x: 1.0)(2.0)
    assert type(g) is float and g == 0.0


@rows(
    same("A10.7", lambda m: m.grad(lambda x: x)(2.0)),
    same("A10.8", lambda m: m.grad(lambda x: x)(np.array(2.0, np.float32))),
    same("A10.9", lambda m: m.grad(lambda x: x + x)(2.0)),
    same("A10.10", lambda m: m.grad(lambda x: x * x)(3.0)),
    same("A10.11", lambda m: m.grad(lambda x: x - x)(3.0)),
    same("A10.12", lambda m: m.grad(lambda x: x / x)(3.0)),
    same("A10.26", lambda m: m.grad(lambda x: ((x + 1) * 2 - 3) / 4**2)(1.0)),
    same("A10.27", lambda m: m.grad(lambda x: x**2)(3.0)),
    same("A10.28", lambda m: m.grad(lambda x: 2**x)(3.0)),
    same("A10.29", lambda m: m.grad(lambda x: x**0.5)(4.0)),
    same("A10.30", lambda m: m.grad(lambda x: x**3)(-2.0)),
    same("A10.31", lambda m: m.grad(lambda x: x**3.0)(-2.0)),
    same("A10.32", lambda m: m.grad(lambda x: x % 3.0 + x // 3.0)(7.5)),
    same("A10.32, divmod", lambda m: m.grad(lambda x, y: divmod(x, y)[1], (0, 1))(7.5, 3.0)),
    same("A10.33", lambda m: m.grad(lambda x: abs(x))(-2.0)),
    same("A10.34", lambda m: m.grad(lambda x: round(x) * x)(2.4)),
    same("A10.35", lambda m: m.grad(lambda x: +x)(2.0)),
    same("A10.36", lambda m: m.grad(lambda x: (x @ x).sum())(np.arange(4.0).reshape(2, 2))),
)
def test_operators(row: Any) -> None:
    check(row)


def _both_arguments(m: Any) -> Any:
    a = np.ones(2) * 3
    return m.grad(lambda x, y: m.np.sum(x * x * y), (0, 1))(a, a)


def _diamond(x: Any) -> Any:
    a = x * 2
    b = a * a
    c = a + b
    return c * b


def _unused_nan(m: Any) -> Any:
    def f(x):
        m.np.log(x - 1.0)
        return x * 2.0

    return m.grad(f)(1.0)


@rows(
    same("A10.13", _both_arguments),
    same("A10.14", lambda m: m.grad(_diamond)(1.0)),
    same("A10.15", _unused_nan),
    same("A10.16", lambda m: m.grad(lambda x: 0.0 * m.np.log(x) + x)(0.0)),
    same("A10.17", lambda m: m.grad(lambda x: m.np.where(x > 0, m.np.sqrt(x), 0.0))(0.0)),
    same("A10.18", lambda m: m.grad(lambda x: m.np.where(x > 0, m.np.sqrt(m.np.where(x > 0, x, 1.0)), 0.0))(0.0)),
    same("A10.42", lambda m: m.grad(lambda x: x * m.np.nan)(1.0)),
    same("A10.43", lambda m: m.grad(lambda x: 1 / x)(0.0)),
)
def test_paths(row: Any) -> None:
    check(row)


def _unpack(x: Any) -> Any:
    a, b = x
    return a * b


@rows(
    same("A10.19", lambda m: m.grad(lambda x: x[0] * x[1])(np.array([2.0, 3.0]))),
    same("A10.20", lambda m: m.grad(lambda x: x[np.array([0, 0, 1])].sum())(np.array([2.0, 3.0]))),
    same("A10.21", lambda m: m.grad(lambda x: sum(v * v for v in x))(np.array([2.0, 3.0]))),
    same("A10.22", lambda m: m.grad(_unpack)(np.array([2.0, 3.0]))),
    same("A10.23", lambda m: m.grad(lambda x, y: m.np.sum(x * y), (0, 1))(2.0, np.ones((2, 3)))),
    same("A10.24", lambda m: m.grad(lambda x, y: m.np.sum(x * y), (0, 1))(np.ones((3, 1)), np.ones((1, 4)))),
    same("A10.25", lambda m: m.grad(lambda x: m.np.sum(x))(np.zeros((0, 3)))),
)
def test_arrays(row: Any) -> None:
    check(row)


def _calls(m: Any) -> Any:
    calls: list = []

    def f(x):
        calls.append(1)
        return x * x

    return m.grad(f)(2.0), m.value_and_grad(f)(2.0), len(calls)


def _inputs(m: Any) -> Any:
    x = np.arange(3.0)
    g = m.grad(lambda x: m.np.sum(x**2))(x)
    return g, x, x is not g


def _reuse(m: Any) -> Any:
    g = m.grad(lambda x: m.np.sum(x * x))
    return g(1.0), g(np.ones(2)), g(np.ones((1, 2))), g(1.0)


def _escaped(m: Any) -> Any:
    escaped: list = []
    m.grad(lambda x: (escaped.append(x), x * 2)[1])(1.0)
    return escaped[0] + 1


@rows(
    same("A10.37", _calls),
    same("A10.38", _inputs),
    same("A10.39", _reuse),
    same("A10.41", _escaped, "escape"),
)
def test_calls(row: Any) -> None:
    check(row)


def test_inputs_of_every_kind_are_left_as_they_were() -> None:
    tree = {"a": np.arange(3.0), "b": [np.ones((2, 1), np.float32), 2.0], "c": (np.array(1.0),)}
    copies = [np.array(leaf) for leaf in minigrad.tree.leaves(tree)]
    grads = minigrad.grad(lambda p: (p["a"] ** 2).sum() * p["b"][0].sum() * p["b"][1] * p["c"][0])(tree)
    for leaf, copy, g in zip(minigrad.tree.leaves(tree), copies, minigrad.tree.leaves(grads)):
        np.testing.assert_array_equal(leaf, copy)
        assert not np.shares_memory(np.asarray(leaf), np.asarray(g))
    tree["a"][0] = 7.0  # nor have they become read-only


def test_what_escapes_is_a_tensor_and_can_be_looked_at() -> None:
    escaped: list = []
    minigrad.grad(lambda x: (escaped.append(x), x * 2)[1])(1.0)
    assert type(escaped[0]) is minigrad.Tensor
    assert escaped[0].shape == () and escaped[0].dtype == np.float64 and "1.0" in repr(escaped[0])
    with pytest.raises((TypeError, RuntimeError), match="has_aux"):  # the message says how to let it out
        escaped[0] + 1
