"""Contract A16: vjp. A16.4 is in A16.5: what JAX prints for a VJP is its own."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from minigrad import Tensor, grad, vjp

from .support import check, differs, rows, same

Pair = namedtuple("Pair", "a b")


class ArrayOf(np.ndarray):
    pass


EYE = np.eye(2)
STRUCTURE = "unexpected tree structure"
EXPECTED = "but expected"


def value_and_pullback(m: Any, cotangent: Any, fun: Any, *primals: Any) -> tuple:
    value, pullback = m.vjp(fun, *primals)
    return value, pullback(cotangent)


def pulled(m: Any, cotangent: Any, fun: Any, *primals: Any) -> Any:
    return m.vjp(fun, *primals)[1](cotangent)


def pair(x: Any) -> tuple:
    return x, x


@rows(
    same("A16.1", lambda m: value_and_pullback(m, 1.0, lambda x, y: m.np.sin(x) * y, 0.5, 2.0)),
    same("A16.2", lambda m: pulled(m, 1.0, m.np.sin, 0.5)),
    same(
        "A16.3",
        lambda m: value_and_pullback(m, (1.0, {"c": 2.0}), lambda x, y: (m.np.sin(x), {"c": m.np.cos(y)}), 0.5, 1.0),
    ),
    same(
        "A16.3 namedtuple",
        lambda m: value_and_pullback(m, Pair(1.0, [2.0]), lambda x, y: Pair(x * y, [y]), 0.5, 3.0),
    ),
    same("A16.3 shared", lambda m: value_and_pullback(m, [1.0, 10.0, 100.0], lambda x: [x, x, x * x], 3.0)),
    same("A16.3 arrays", lambda m: value_and_pullback(
        m, (np.arange(6.0).reshape(2, 3), 2.0), lambda x, y: (x * y, m.np.sum(x)), np.ones((2, 1)), np.arange(3.0)
    )),
    same("A16.5", lambda m: value_and_pullback(m, 1.0, lambda: 3.0)),
    same("A16.6", lambda m: pulled(m, np.array([1.0, 2.0, 3.0]), lambda x: x * 2, np.arange(3.0))),
    same("A16.6 indexing", lambda m: pulled(m, np.arange(4.0), lambda x: x[np.array([0, 2, 2, 1])], np.arange(3.0))),
    same(
        "A16.6 matmul",
        lambda m: pulled(m, np.array([1.0, -2]), lambda a, x: a @ x, np.arange(6.0).reshape(2, 3), np.ones(3)),
    ),
    same(
        "A16.6 float32",
        lambda m: pulled(m, np.ones(2, np.float32), lambda x, y: x * y, np.arange(2, dtype="f4"), np.float32(3)),
    ),
    same("A16.6 to float64", lambda m: pulled(m, np.ones(2), lambda x, y: x * y, np.arange(2, dtype="f4"), np.ones(2))),
    differs("A16.6 a matrix", lambda m: pulled(m, EYE.view(np.matrix), lambda x: x * x, EYE), TypeError, "np.matrix"),
    same("A16.6 a subclass", lambda m: pulled(m, EYE.view(ArrayOf), lambda x: x * x, EYE.view(ArrayOf))),
    same("A16.24", lambda m: pulled(m, 1.0, lambda p: p["a"] * p["b"], {"a": 2.0, "b": 3.0})),
    same("A16.24 None", lambda m: value_and_pullback(m, 1.0, lambda p, n: p[0] * p[1][0], (2.0, [3.0, None]), None)),
    same("A16.25", lambda m: pulled(m, 1.0, lambda x, n: x * n, 2.0, 3)),
    same("A16.25 array", lambda m: pulled(m, 1.0, lambda x, n: (x * n).sum(), 2.0, np.array([True, False]))),
    same("A16.26", lambda m: value_and_pullback(m, 1, lambda x: x.astype(int), 2.0)),
    same("A16.27", lambda m: pulled(m, np.zeros((), m.float0), lambda x: x.astype(int), 2.0)),
    same("A16.27 in a tree", lambda m: pulled(
        m, {"n": np.zeros(2, m.float0), "x": 5.0}, lambda x: {"n": x.astype(int), "x": x[1] * 2}, np.array([2.0, 3.0])
    )),
    same("A16.28", lambda m: pulled(m, 1.0, lambda x: 1.0, np.ones(2))),
    same("A16.28 two", lambda m: pulled(m, 1.0, lambda x, y: y * 2, np.ones(2, np.float32), 3.0)),
    same("A16.29", lambda m: value_and_pullback(m, None, lambda x: None, 1.0)),
    same("A16.29 in a tuple", lambda m: value_and_pullback(m, (None, 2.0), lambda x: (None, x * 3), 1.0)),
    same("A16.31", lambda m: pulled(m, 0.0, lambda x: x**2, 3.0)),
    same("A16.37", lambda m: pulled(m, 3 + 4j, lambda z: (1 + 2j) * z, 1j)),
    same("A16.37 both", lambda m: pulled(m, 3 + 4j, lambda x, z: x * z * z.conj() * z, 2.0, 1 - 1j)),
)
def test_cotangents(row: Any) -> None:
    check(row)


@rows(
    same("A16.7", lambda m: pulled(m, (1.0, 2.0), lambda x: x, 1.0), STRUCTURE),
    same("A16.7 None", lambda m: pulled(m, None, lambda x: x, 1.0), STRUCTURE),
    same("A16.7 too few", lambda m: pulled(m, (1.0,), pair, 1.0), STRUCTURE),
    same("A16.7 other keys", lambda m: pulled(m, {"b": 1.0}, lambda x: {"a": x}, 1.0), STRUCTURE),
    same("A16.8", lambda m: pulled(m, [1.0, 2.0], pair, 1.0), STRUCTURE),
    same("A16.9", lambda m: pulled(m, np.ones(2), lambda x: x * 2, np.ones(3)), EXPECTED),
    same("A16.9 broadcasts", lambda m: pulled(m, np.ones((1, 3)), lambda x: x * 2, np.ones(3)), EXPECTED),
    same("A16.9 one element", lambda m: pulled(m, np.ones(1), lambda x: x * 2, 1.0), EXPECTED),
    same("A16.9 in a tree", lambda m: pulled(m, (1.0, np.ones(2)), pair, 1.0), EXPECTED),
    same("A16.9 constant result", lambda m: pulled(m, np.ones(2), lambda x: 5.0, 1.0), EXPECTED),
    same("A16.10", lambda m: pulled(m, 1.0, lambda x: x * 2, np.ones(3)), EXPECTED),
    same("A16.11", lambda m: pulled(m, np.float16(1), lambda x: x * 2, np.float32(1)), EXPECTED),
    same("A16.12", lambda m: pulled(m, np.float64(1), lambda x: x * 2, np.float32(1)), EXPECTED),
    same("A16.13", lambda m: pulled(m, 1.0, lambda x: x * 2, np.float32(1)), EXPECTED),
    same("A16.14", lambda m: pulled(m, 1, lambda x: x * 2, 1.0), EXPECTED),
    same("A16.14 bool", lambda m: pulled(m, True, lambda x: x * 2, 1.0), EXPECTED),
    same("A16.15", lambda m: pulled(m, 1j, lambda x: x * 2, 1.0), EXPECTED),
    same("A16.16", lambda m: pulled(m, 1.0, lambda x: x * 2j, 1.0), EXPECTED),
    same("A16.17", lambda m: pulled(m, [1.0, 1.0], lambda x: x * 2, np.ones(2)), STRUCTURE),
    same("A16.18", lambda m: m.vjp(pair, 1.0)[1](1.0, 1.0), "argument"),
    same("A16.19", lambda m: m.vjp(lambda x: x, 1.0)[1]()),
    same("A16 a string", lambda m: pulled(m, "a", lambda x: x, 1.0)),
)
def test_cotangents_that_do_not_fit(row: Any) -> None:
    check(row)


def several_times(m: Any) -> tuple:
    value, pullback = m.vjp(lambda x, y: (x * x * y, m.np.sin(y)), 3.0, np.arange(2.0))
    e, zero = np.array([1.0, 0.0]), np.zeros(2)
    return value, pullback((e, zero)), pullback((zero, e)), pullback((e, zero)), pullback((2 * e, e))


def calls(m: Any) -> tuple:
    n: list = []

    def fun(x: Any) -> Any:
        n.append(1)
        return x * x

    pullback = m.vjp(fun, 2.0)[1]
    return pullback(1.0), pullback(1.0), len(n)


@rows(
    same("A16.20", lambda m: (lambda f: (f(1.0), f(2.0), f(1.0)))(m.vjp(lambda x: x * x, 3.0)[1])),
    same("A16.20 several arrays", several_times),
    same("A16.21", lambda m: m.vjp(lambda x: (x * x, {"a": x + 1}), 3.0, has_aux=True)[::2]),
    same("A16.21 strings", lambda m: m.vjp(lambda x: [x * x, ("s", x > 1, None, 3)], 3.0, has_aux=True)[::2]),
    same("A16.21 pullback", lambda m: m.vjp(lambda x: ([x * x, x], x**9), 3.0, has_aux=True)[1]([1.0, 5.0])),
    same(
        "A16.22",
        lambda m: m.vjp(lambda x: x, 3.0, has_aux=True), "function with aux output to return a two-element tuple",
    ),
    same("A16.23", lambda m: m.vjp(lambda x, k: x * k, 3.0, k=2.0), "unexpected keyword argument 'k'"),
    same("A16.30", lambda m: m.vjp(lambda x: "s", 1.0), "of type <class 'str'>"),
    same("A16.30 in a tree", lambda m: m.vjp(lambda x: (x, {"a": object()}), 1.0), "<class 'object'>"),
    same("A16.32", lambda m: m.grad(lambda x: m.vjp(lambda y: y**3, x)[1](1.0)[0])(2.0)),
    same("A16.32 value", lambda m: m.grad(lambda x: m.vjp(lambda y: y**3, x)[0] * x)(2.0)),
    same("A16.32 closure", lambda m: m.grad(lambda x: m.vjp(lambda y: y**3 * x**2, 2.0)[1](1.0)[0])(3.0)),
    same("A16.32 aux", lambda m: m.grad(lambda x: m.vjp(lambda y: (y, y**3), x, has_aux=True)[2])(2.0)),
    same("A16.33", lambda m: m.grad(lambda c: m.vjp(lambda y: y**3, 2.0)[1](c)[0])(1.0)),
    same("A16.33 both", lambda m: m.grad(lambda x: m.vjp(lambda y: y**3, x)[1](x)[0])(2.0)),
    same(
        "A16.33 arrays",
        lambda m: m.grad(lambda c: m.np.sum(m.vjp(m.np.sin, np.arange(3.0))[1](c)[0] ** 2))(np.ones(3)),
    ),
    same("A16.33 vjp of vjp", lambda m: m.vjp(lambda x, c: m.vjp(lambda y: y**3, x)[1](c)[0], 2.0, 5.0)[1](1.0)),
    same("A16.34", calls),
    same("A16.35", lambda m: m.vjp(3, 1.0), "Expected a callable value, got 3"),
    same("A16.36", lambda m: m.vjp(lambda x: x, "a"), "of type <class 'str'>"),
    same("A16 an exception", lambda m: m.vjp(lambda x: {}["key"], 1.0), "key"),
    same("A16 an unused int", lambda m: value_and_pullback(m, 2.0, lambda n, x: x, 3, 4.0)),
    same("A16 control", lambda m: value_and_pullback(m, 2.0, lambda x: x * 2 if x > 0 else x, 3.0)),
)
def test_vjp(row: Any) -> None:
    check(row)


@rows(
    differs(
        "A16 longdouble",
        lambda m: pulled(m, np.longdouble(2), lambda x: x * x, np.longdouble(3)), (np.longdouble(12),),
    ),
)
def test_where_numpy_has_more(row: Any) -> None:
    check(row)


def test_kinds() -> None:
    """Each cotangent is of the kind of its primal, and a value is as NumPy would have it."""
    value, pullback = vjp(lambda x, y, a, z: x * y * a.sum() * z, 2.0, np.float32(3), np.array(4.0), 1 + 1j)
    assert value == 24 + 24j
    assert not isinstance(value, Tensor)
    x, y, a, z = pullback(np.complex128(1))
    assert [type(g) for g in (x, y, a, z)] == [float, np.float32, np.ndarray, complex]
    assert (x, y, a, z) == (12.0, 8.0, 6.0, 24.0)
    assert a.shape == () and a.dtype == float


def test_nothing_is_shared() -> None:
    """The gradients are new arrays: not the cotangent's memory, the primals', nor another call's."""
    x, ct = np.arange(3.0), np.ones(3)
    value, pullback = vjp(lambda x, y: x + y, x, x)
    first = pullback(ct)
    second = pullback(ct)
    for a in (*first, *second):
        assert a.flags.writeable
        a[:] = 9.0
    assert ct.tolist() == [1.0] * 3 and x.tolist() == [0.0, 1.0, 2.0]
    assert value.tolist() == [0.0, 2.0, 4.0]
    assert [a.tolist() for a in pullback(ct)] == [[1.0] * 3] * 2


@pytest.mark.parametrize("n", [3, 50_000])
def test_the_pullback_is_that_of_the_moment_of_the_call(n: int) -> None:
    """Neither the primal nor the value may change it afterwards, when they are written to."""
    x = np.full(n, 2.0)
    value, pullback = vjp(lambda x: np.exp(x) * x, x)
    expected = np.exp(x) * (x + 1)
    x[:] = 99.0
    value[:] = 99.0
    np.testing.assert_allclose(pullback(np.ones(n))[0], expected, rtol=1e-14)
    np.testing.assert_allclose(pullback(np.full(n, 3.0))[0], 3 * expected, rtol=1e-14)


def test_the_message_names_the_function() -> None:
    def loss(x: Any) -> Any:
        return x, x

    with pytest.raises(TypeError, match="loss"):
        vjp(loss, 1.0)[1](1.0, 1.0)


def test_jacobian_by_rows_agrees_with_grad() -> None:
    x = np.array([0.5, 1.5, -2.0])

    def fun(x: Any) -> Any:
        return np.stack([np.sin(x).prod(), x[0] * x[2], np.sum(x**2), np.exp(x[1])])

    value, pullback = vjp(fun, x)
    np.testing.assert_array_equal(value, fun(x))
    for i in range(4):
        np.testing.assert_allclose(pullback(np.eye(4)[i])[0], grad(lambda x: fun(x)[i])(x), rtol=1e-15)
