"""Contract A21: arguments and signatures, long and wide graphs, mixed dtypes, and the kinds of results."""

import inspect
from typing import Any, Callable

import jax
import numpy as np
import pytest

import minigrad
from minigrad.operands import TensorConversionError

from .support import check, differs, rows, same

# Not here: A21.14 (an error of jit), A21.35 to A21.44 (autograd).

ONES32 = np.ones(2, np.float32)


@rows(
    differs("A21.1", lambda m: m.grad(lambda x, y: y * 1.0 if x is None else x * y, argnums=(0, 0))(2.0, 3.0),
            ValueError, "twice"),
    same("A21.28", lambda m: (lambda g: (g(1.0), g(1.0)))(m.grad(_with_state([])))),
    same("A21.31", lambda m: m.grad(lambda p, q: p * q["n"])(2.0, {"n": 3})),
    same("A21.32", lambda m: m.grad(lambda p, q: p * len(q["n"]))(2.0, {"n": "abc"})),
    same("A21.33", lambda m: m.grad(lambda p, y: p["a"] * y, (0, 1))({"a": 2.0}, 3.0)),
    same("A21.34", lambda m: m.grad(lambda x: np.sqrt(float(x)))(4.0), "float"),
)
def test_arguments(row: Any) -> None:
    check(row)


def _with_state(state: list) -> Callable:
    def f(x, s=state):
        s.append(1)
        return x * len(s)

    return f


@pytest.mark.parametrize(
    "number, name",
    [
        ("A1.29", "grad"), ("A21.2", "value_and_grad"), ("A21.3", "vjp"), ("A21.4", "jvp"), ("A21.5", "linearize"),
        ("A21.6", "jacrev"), ("A21.7", "jacfwd"), ("A21.8", "hessian"), ("A21.9", "jacobian"),
    ],
)
def test_signatures(number: str, name: str) -> None:
    """The parameters of JAX's function, in order, with their kinds and defaults; what is added is keyword-only."""
    theirs = dict(inspect.signature(getattr(jax, name)).parameters)
    ours = dict(inspect.signature(getattr(minigrad, name)).parameters)
    if name == "vjp":
        del theirs["reduce_axes"]  # deprecated
    added = [ours.pop(extra).kind for extra in list(ours) if extra not in theirs]
    assert set(added) <= {inspect.Parameter.KEYWORD_ONLY}
    assert list(ours) == list(theirs)
    for parameter in theirs:
        assert ours[parameter].kind == theirs[parameter].kind, parameter
        assert ours[parameter].default == theirs[parameter].default, parameter


def test_jacobian_does_what_jacrev_does() -> None:
    x = np.array([1.0, 2.0])
    assert inspect.signature(minigrad.jacobian) == inspect.signature(minigrad.jacrev)
    np.testing.assert_array_equal(minigrad.jacobian(lambda x: x**2)(x), minigrad.jacrev(lambda x: x**2)(x))


def test_errors_of_conversion_are_type_errors() -> None:
    assert issubclass(TensorConversionError, TypeError)


# ---- Long and wide graphs -------------------------------------------------------------------------------------------


def _repeat(n: int, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def f(x):
        for _ in range(n):
            x = step(x)
        return x

    return f


@rows(
    same("A21.10", lambda m: m.grad(_repeat(2000, lambda x: x * 1.0001))(1.0), rtol=1e-12),
    same("A21.11", lambda m: m.grad(_repeat(5000, lambda x: x + 1.0))(1.0)),
    same("A21.12", lambda m: m.grad(_repeat(60, lambda x: x + x))(1.0)),
    same("A21.12, second", lambda m: m.grad(m.grad(_repeat(10, lambda x: x + x * x)))(0.01), rtol=1e-12),
    same("A21.29", lambda m: m.grad(lambda x: divmod(x, 2.0)[1])(3.0)),
)
def test_graphs(row: Any) -> None:
    check(row)


# ---- Dtypes ---------------------------------------------------------------------------------------------------------


@rows(
    same("A21.15", lambda m: m.grad(lambda x: m.np.where(x > 0, x, 0))(2.0)),
    same("A21.16", lambda m: m.value_and_grad(lambda x: m.np.where(x > 0, x, 0))(np.float32(2.0))),
    same("A21.17", lambda m: m.value_and_grad(lambda x: m.np.sum(x + np.ones(2)))(np.float32(2.0))),
    differs("A21.18", lambda m: m.value_and_grad(lambda x: m.np.sum(x + np.arange(2)))(np.float32(2.0)),
            (np.float64(5.0), np.float32(2.0))),
    same("A21.19", lambda m: m.value_and_grad(lambda x: x + 1.5)(np.float16(2.0))),
    same("A21.20", lambda m: m.grad(lambda x: (x * (1 + 2j)).real)(2.0)),
    same("A21.21", lambda m: m.value_and_grad(lambda x: m.np.sum(x * ONES32))(1.0)),
    same("A21.22", lambda m: m.grad(lambda x: m.np.sum(x.astype(np.float64) * 2) + m.np.sum(x * 3))(ONES32)),
    same("A21.23", lambda m: m.grad(lambda x: m.np.sum(x.astype(np.float32) * np.float32(0.1)))(np.ones(1))),
)
def test_dtypes(row: Any) -> None:
    check(row)


# ---- Results --------------------------------------------------------------------------------------------------------


@rows(
    same("A21.24", lambda m: m.grad(lambda x: m.np.dot(x, x))(np.arange(3.0))),
    same("A21.25", lambda m: m.grad(lambda x: x[0, 0])(np.ones((2, 2)))),
    differs("A21.26", lambda m: m.value_and_grad(lambda x: (x * x).item())(3.0), TensorConversionError, "item() was called in"),
    differs("A21.27", lambda m: m.value_and_grad(lambda x: int(x) * 1.0)(3.5), TensorConversionError, "int() was called in"),
    same("A21.30", lambda m: m.grad(lambda x: m.np.arange(3.0)[x.astype(int)] * 1.0)(1.0)),
)
def test_results(row: Any) -> None:
    check(row)


def test_kinds_of_results() -> None:
    value, g = minigrad.value_and_grad(lambda x: 9.0)(3.0)
    assert (type(value), value) == (float, 9.0) and (type(g), g) == (float, 0.0)
