"""Contract A18: linearize."""

from typing import Any

import numpy as np
import pytest

from minigrad import jvp, linearize

from .support import check, rows, same

EXPECTED = "but expected "


def concrete(m: Any) -> list:
    seen = []

    def fun(x: Any) -> Any:
        seen.append(bool(x > 0))
        return x

    out, linear = m.linearize(fun, 3.0)
    return [out, linear(1.0), linear(2.0), seen]


def value_and(m: Any, tangents: Any, fun: Any, *primals: Any, **kwargs: Any) -> tuple:
    value, linear, *aux = m.linearize(fun, *primals, **kwargs)
    return value, [linear(*t) for t in tangents], aux


def after(m: Any, fun: Any, *primals: Any) -> Any:
    return m.linearize(fun, *primals)[1]


@rows(
    same("A18.1", lambda m: value_and(m, [(1.0,), (2.0,), (0.0,)], lambda x: m.np.sin(x) * 3.0, 2.0)),
    same("A18.2", lambda m: value_and(m, [(1.0, 1.0), (0.0, 2.0)], lambda x, y: x * y, 2.0, 3.0)),
    same("A18.3", lambda m: value_and(m, [(5.0,)], lambda x: (x * 2 - 3, x > 0), 3.4, has_aux=True)),
    same("A18.3 strings", lambda m: value_and(m, [(5.0,)], lambda x: [x * 2, ("s", x, None, 3.0)], 3.5, has_aux=True)),
    same(
        "A18.7",
        lambda m: value_and(m, [({"a": 1.0, "b": 0.0},)], lambda p: {"o": p["a"] * p["b"]}, {"a": 2.0, "b": 3.0}),
    ),
    same("A18.8", lambda m: value_and(m, [(1.0,)], lambda x: (x, 1.0), 3.0)),
    same("A18.8 alone", lambda m: value_and(m, [(1.0,)], lambda x: 1.0, 3.0)),
    same("A18.8 None", lambda m: value_and(m, [(1.0,)], lambda x: [x * 2, None], 3.0)),
    same("A18.8 int", lambda m: value_and(m, [(1.0,)], lambda x: x.astype(int), 3.0)),
    same("A18.9", lambda m: value_and(m, [(1.0,)], lambda x: x * 2 if x > 0 else x, 3.0)),
    same("A18.10", concrete),
    same("A18.11", lambda m: value_and(m, [(np.zeros(2, m.float0),)], lambda x: x * 1.0, np.ones(2, int))),
    same("A18.11 and a float", lambda m: value_and(m, [(2.0, np.zeros((), m.float0))], lambda x, n: x**n, 3.0, 2)),
    same("A18 arrays", lambda m: value_and(
        m,
        [(np.ones((2, 1)), np.arange(3.0)), (np.zeros((2, 1)), np.ones(3))],
        lambda x, y: m.np.exp(x * y),
        np.ones((2, 1)),
        np.arange(3.0),
    )),
    same(
        "A18 float32",
        lambda m: value_and(m, [(np.ones(2, np.float32),)], lambda x: x * np.ones(2), np.ones(2, np.float32)),
    ),
    same("A18 a weak float", lambda m: value_and(m, [(2.0,)], lambda x: x * np.ones(2, np.float32), 1.0)),
    same("A18 a weak float, twice", lambda m: value_and(m, [(2.0, 3.0)], lambda x, y: x * np.float32(2) * y, 1.0, 5.0)),
    same("A18 complex", lambda m: value_and(m, [(1j,), (2 + 0j,)], lambda z: (z.conj() * z**2, z.real), 1 + 2j)),
    same("A18 grad through", lambda m: m.grad(lambda x: m.linearize(lambda y: y**3, x)[1](1.0))(2.0)),
    same("A18 grad of the tangent", lambda m: m.grad(lambda t: m.linearize(lambda y: y**3, 2.0)[1](t) ** 2)(3.0)),
    same(
        "A18 of a gradient",
        lambda m: value_and(m, [(np.ones(3),)], m.grad(lambda x: m.np.sum(x**3 * x[0])), np.arange(3.0)),
    ),
)
def test_linearize(row: Any) -> None:
    check(row)


@rows(
    same("A18.4", lambda m: after(m, lambda x, y: x * y, 2.0, 3.0)(1.0)),
    same("A18.4 too many", lambda m: after(m, lambda x: x * x, 2.0)(1.0, 2.0)),
    same("A18.4 a tree", lambda m: after(m, lambda p: p["a"], {"a": 2.0})({"b": 1.0})),
    same("A18.4 keyword", lambda m: after(m, lambda x: x * x, 2.0)(x=1.0)),
    same("A18.5", lambda m: after(m, lambda x: x, 1.0)(1), EXPECTED),
    same("A18.5 a float for float32", lambda m: after(m, lambda x: x, np.float32(1))(1.0), EXPECTED),
    same("A18.5 complex", lambda m: after(m, lambda x: x * 1j, 1.0)(1j), EXPECTED),
    same("A18.6", lambda m: after(m, lambda x: x, np.ones(2))(np.ones(3)), EXPECTED),
    same("A18.6 broadcasts", lambda m: after(m, lambda x: x, np.ones(2))(1.0), EXPECTED),
    same("A18 a string", lambda m: m.linearize(lambda x: x, "a"), "of type <class 'str'>"),
    same("A18 a string for a result", lambda m: m.linearize(lambda x: "s", 1.0), "of type <class 'str'>"),
    same("A18 not callable", lambda m: m.linearize(3, 1.0), "Expected a callable value, got 3"),
    same("A18 no pair", lambda m: m.linearize(lambda x: x, 1.0, has_aux=True), "to return a two-element tuple"),
    same("A18 no arguments", lambda m: m.linearize(lambda x: x), "missing 1 required positional argument: 'x'"),
)
def test_what_does_not_fit(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("n", [3, 50_000])
def test_it_is_linear_at_the_point_where_it_was_made(n: int) -> None:
    """Also when the primal is written to afterwards; and it agrees with jvp."""
    x, rng = np.linspace(-1, 1, n), np.random.default_rng(0)
    calls = []

    def fun(x: Any) -> Any:
        calls.append(1)
        return np.exp(x) * np.sin(x) + x.sum()

    u, v = rng.normal(size=(2, n))
    expected = [jvp(fun, (x,), (t,))[1] for t in (u, v, 2 * u - 3 * v)]
    calls.clear()
    value, linear = linearize(fun, x)
    x[:] = 99.0
    np.testing.assert_allclose([linear(u), linear(v), linear(2 * u - 3 * v)], expected, rtol=1e-12, atol=1e-12 * n)
    assert len(calls) == 1
