"""Contract A17: jvp. Not here: A17.25, the text of JAX's own tracer."""

from typing import Any

import numpy as np
import pytest

from minigrad import Tensor, grad, jvp

from .support import check, differs, rows, same

EYE = np.eye(2)
STRUCTURE, SHAPES, DTYPES = "structure", "shape", "dtype"  # what the message is about


@rows(
    same("A17.1", lambda m: m.jvp(m.np.sin, (0.1,), (0.2,))),
    same("A17.2", lambda m: m.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.5))),
    same("A17.3", lambda m: m.jvp(lambda x: x * x, [2.0], [1.0])),
    same("A17.13", lambda m: m.jvp(lambda x: x * 1.5, (1,), (np.zeros((), m.float0),))),
    same(
        "A17.13 array",
        lambda m: m.jvp(lambda x, n: x[n], (np.arange(3.0), np.array([2, 0])), (np.ones(3), np.zeros(2, m.float0))),
    ),
    same("A17.15", lambda m: m.jvp(lambda p: {"o": p["a"] * p["b"]}, ({"a": 2.0, "b": 3.0},), ({"a": 1.0, "b": 0.0},))),
    same("A17.15 several", lambda m: m.jvp(lambda p: (p[0], [p[1] * p[0], None]), ((2.0, 3.0),), ((1.0, 10.0),))),
    same("A17.16", lambda m: m.jvp(lambda x: (x**3, [x**2]), (3.0,), (4.0,), has_aux=True)),
    same(
        "A17.16 strings",
        lambda m: m.jvp(lambda x: (x**3, {"s": "aux", "n": 3, "b": x > 0}), (3.0,), (4.0,), has_aux=True),
    ),
    same("A17.17", lambda m: m.jvp(lambda x: 5.0, (3.0,), (1.0,))),
    same("A17.17 array", lambda m: m.jvp(lambda x: np.ones(2, np.float32), (3.0,), (1.0,))),
    same("A17.17 no arguments", lambda m: m.jvp(lambda: 3.0, (), ())),
    same("A17.18", lambda m: m.jvp(lambda x: x.astype(int), (3.0,), (1.0,))),
    same("A17.18 constant", lambda m: m.jvp(lambda x: (x, 3), (3.0,), (1.0,))),
    same("A17.18 comparison", lambda m: m.jvp(lambda x: x > 1, (np.arange(3.0),), (np.ones(3),))),
    same("A17.19", lambda m: m.jvp(lambda x: None, (3.0,), (1.0,))),
    same("A17.19 None in", lambda m: m.jvp(lambda x, y: y * y, (None, 3.0), (None, 1.0))),
    same("A17.20", lambda m: m.jvp(lambda x: m.jvp(lambda y: y**3, (x,), (1.0,))[1], (2.0,), (1.0,))),
    same("A17.20 closure", lambda m: m.jvp(lambda x: x * m.jvp(lambda y: x + y**2, (3.0,), (1.0,))[1], (2.0,), (1.0,))),
    same("A17.20 tangent", lambda m: m.jvp(lambda t: m.jvp(lambda y: y**3, (2.0,), (t,))[1], (1.0,), (5.0,))),
    same("A17.20 grad of jvp", lambda m: m.grad(lambda x: m.jvp(lambda y: y**3, (x,), (x,))[1])(2.0)),
    same("A17.21", lambda m: m.jvp(m.grad(lambda x: m.np.sum(x**3)), (np.array([1.0, 2.0]),), (np.ones(2),))),
    same("A17.21 a rosenbrock", lambda m: m.jvp(
        m.grad(lambda x: m.np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)),
        (np.arange(4.0),),
        (np.array([1.0, -1, 2, 0]),),
    )),
    same("A17.24", lambda m: m.jvp(lambda x: x * 2, (np.ones(2),), (np.zeros(2),))),
    same("A17.27", lambda m: m.jvp(lambda x: x * 2 if x > 0 else x, (1.0,), (1.0,))),
    same(
        "A17 matmul",
        lambda m: m.jvp(
            lambda a, x: a @ x, (np.arange(6.0).reshape(2, 3), np.ones(3)), (np.ones((2, 3)), np.arange(3.0))
        ),
    ),
    same(
        "A17 broadcast",
        lambda m: m.jvp(lambda x, y: x * y + y, (np.ones((2, 1)), np.arange(3.0)), (np.ones((2, 1)), np.ones(3))),
    ),
    same(
        "A17 reductions",
        lambda m: m.jvp(
            lambda x: (x.max(), x.prod(), x.var(), x.mean(0)), (np.array([[1.0, 2], [4, 3]]),), (np.ones((2, 2)),)
        ),
    ),
    same("A17 shapes", lambda m: m.jvp(
        lambda x: m.np.concatenate([x[::-1].T.ravel(), m.np.stack([x[0, 0], x[1, 1]])]),
        (np.arange(6.0).reshape(2, 3),),
        (np.eye(2, 3),),
    )),
    same(
        "A17 where",
        lambda m: m.jvp(lambda x: m.np.where(x > 1, x**2, m.np.exp(x)), (np.arange(3.0),), (np.arange(3.0) + 1,)),
    ),
    same(
        "A17 float32",
        lambda m: m.jvp(lambda x: x * np.float32(2), (np.ones(2, np.float32),), (np.ones(2, np.float32),)),
    ),
    same(
        "A17 to float64",
        lambda m: m.jvp(lambda x: x * np.ones(2), (np.ones(2, np.float32),), (np.ones(2, np.float32),)),
    ),
    same("A17 a weak float", lambda m: m.jvp(lambda x: x * np.ones(2, np.float32), (1.0,), (1.0,))),
    differs("A17 a matrix", lambda m: m.jvp(lambda x: x * x, (EYE,), (EYE.view(np.matrix),)), TypeError, "np.matrix multi"),
    differs("A17 matrices", lambda m: m.jvp(lambda x: x * x, (EYE.view(np.matrix),), (EYE.view(np.matrix),)), TypeError, "np.matrix"),
    same("A17 empty", lambda m: m.jvp(lambda x: x * 2, (np.zeros((0, 2)),), (np.zeros((0, 2)),))),
    same("A17 to complex", lambda m: m.jvp(lambda x: m.np.exp(x * 1j), (1.0,), (2.0,))),
    same("A17 complex", lambda m: m.jvp(lambda z: z**2 * m.np.exp(z), (3 + 4j,), (1 - 2j,))),
    same("A17 abs", lambda m: m.jvp(lambda z: m.np.abs(z), (3 + 4j,), (1j,))),
    same("A17 conj", lambda m: m.jvp(lambda z: m.np.conj(z) * z.real, (3 + 4j,), (1 + 2j,))),
)
def test_jvp(row: Any) -> None:
    check(row)


@rows(
    same("A17.4", lambda m: m.jvp(lambda x: x * x, (2.0,), [1.0]), STRUCTURE),
    same("A17.5", lambda m: m.jvp(lambda x: x, 2.0, 1.0), "must be tuples or lists; found float and float"),
    same(
        "A17.6",
        lambda m: m.jvp(lambda x: x, (0.0,), np.array([1.0])), "must be tuples or lists; found tuple and ndarray",
    ),
    same("A17.7", lambda m: m.jvp(lambda x, y: x * y, (2.0,), ()), STRUCTURE),
    same("A17.7 other keys", lambda m: m.jvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)), STRUCTURE),
    same("A17.8", lambda m: m.jvp(lambda x: x, (np.ones(3),), (np.ones(4),)), SHAPES),
    same("A17.9", lambda m: m.jvp(lambda x: x, (np.ones(3),), (1.0,)), SHAPES),
    same("A17.9 the other way", lambda m: m.jvp(lambda x: x, (1.0,), (np.ones(1),)), SHAPES),
    same("A17.10", lambda m: m.jvp(lambda x: -x, (np.float16(2),), (np.float32(4),)), DTYPES),
    same("A17.11", lambda m: m.jvp(lambda x: -x, (np.float32(2),), (1.0,)), DTYPES),
    same("A17.12", lambda m: m.jvp(lambda x: x * 1.0, (1,), (1,)), DTYPES),
    same("A17.14", lambda m: m.jvp(lambda x: x, (1.0,), (1,)), DTYPES),
    same("A17.14 complex", lambda m: m.jvp(lambda x: x, (np.ones(2),), (np.ones(2, complex),)), DTYPES),
    same("A17.14 in a tree", lambda m: m.jvp(lambda x: x[0], ([1.0, 2.0],), ([1.0, 2],)), DTYPES),
    same("A17.23", lambda m: m.jvp(3, (1.0,), (1.0,)), "Expected a callable value, got 3"),
    same("A17.26", lambda m: m.jvp(lambda x: 1.0, ("a",), ("b",)), "'a'"),
    same("A17.26 tangent", lambda m: m.jvp(lambda x: 1.0, (1.0,), ("b",)), "tangent"),
    same("A17.26 result", lambda m: m.jvp(lambda x: "s", (1.0,), (1.0,)), "of type <class 'str'>"),
    same("A17.28", lambda m: m.jvp(lambda x: x * float(x), (1.0,), (1.0,))),
    same(
        "A17 too many",
        lambda m: m.jvp(lambda x: x, (1.0, 2.0), (1.0, 2.0)), "takes 1 positional argument but 2 were given",
    ),
    # JAX unpacks the pair without a look at it, and a ValueError says so
    differs(
        "A17.16 no pair",
        lambda m: m.jvp(lambda x: (x,), (1.0,), (1.0,), has_aux=True), TypeError, "two-element tuple",
    ),
)
def test_what_does_not_fit(row: Any) -> None:
    check(row)


def calls(m: Any) -> int:
    n: list = []

    def fun(x: Any) -> Any:
        n.append(1)
        return x * x

    m.jvp(fun, (2.0,), (1.0,))
    return len(n)


@rows(same("A17.22", calls))
def test_the_function_runs_once(row: Any) -> None:
    check(row)


def test_the_tangent_is_the_directional_derivative() -> None:
    """Against finite differences, through many functions."""

    def fun(x: Any, y: Any) -> Any:
        z = np.tanh(x @ y) * np.exp(-(x**2)).sum(axis=1, keepdims=True)
        return np.sqrt(z**2 + 1)[::-1] / (1 + np.abs(y[0])) + np.log(x.std() + y.max())

    rng = np.random.default_rng(0)
    x, y, u, v = (rng.normal(size=shape) for shape in [(3, 2), (2, 4), (3, 2), (2, 4)])
    value, tangent = jvp(fun, (x, y), (u, v))
    assert type(value) is np.ndarray and type(tangent) is np.ndarray
    np.testing.assert_array_equal(value, fun(x, y))
    h = 1e-6
    slope = (fun(x + h * u, y + h * v) - fun(x - h * u, y - h * v)) / (2 * h)
    np.testing.assert_allclose(tangent, slope, rtol=1e-7, atol=1e-8)


def test_agrees_with_the_gradient() -> None:
    x, v = np.array([0.5, 1.5, -2.0]), np.array([1.0, -1.0, 3.0])

    def fun(x: Any) -> Any:
        return np.prod(np.sin(x)) + x[0] ** 3 / x[2]

    value, tangent = jvp(fun, (x,), (v,))
    assert value == fun(x)
    np.testing.assert_allclose(tangent, grad(fun)(x) @ v, rtol=1e-14)


def test_plain_kinds_and_no_shared_memory() -> None:
    value, tangent = jvp(lambda x: x * 2, (3.0,), (1.0,))
    assert (value, tangent) == (6.0, 2.0)
    assert not isinstance(value, Tensor) and not isinstance(tangent, Tensor)
    x, v = np.ones(3), np.arange(3.0)
    value, tangent = jvp(lambda x: x, (x,), (v,))
    np.testing.assert_array_equal(value, x)
    np.testing.assert_array_equal(tangent, v)
    tangent[0] = 9.0
    assert v.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("value", [-0.0, 0.0])
def test_a_kink_is_as_in_grad(value: float) -> None:
    assert jvp(np.abs, (value,), (1.0,))[1] == grad(np.abs)(value)
    assert jvp(lambda x: np.maximum(x, 0), (value,), (3.0,))[1] == 3 * grad(lambda x: np.maximum(x, 0))(value)
