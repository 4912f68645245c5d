"""Contract A19: jacrev, jacfwd, jacobian and hessian.

Outer products and arrays of Tensors (A19.4, A19.5, A19.7) are spelled with indices and stack.
"""

import inspect
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, grad, hessian, jacfwd, jacobian, jacrev

from .support import check, differs, rows, same

X = np.array([1.0, 2.0])
Pair = namedtuple("Pair", "a b")


def outer(x: Any) -> Any:
    return x[:, None] * x


def powers(m: Any) -> Any:
    return lambda x: m.np.stack([x, x**2])


def product(p: Any) -> dict:
    return {"o": p["a"] * p["b"]}


TREE = {"a": np.array([1.0, 2.0]), "b": 3.0}
TWO = (np.array([2.0], np.float16), np.array([3.0], np.float32))


def mixed(t: Any) -> tuple:
    return t[0], t[1], t[0] + t[1]


def both(m: Any, fun: Any, *args: Any, **kwargs: Any) -> tuple:
    return m.jacrev(fun, **kwargs)(*args), m.jacfwd(fun, **kwargs)(*args)


@rows(
    same("A19.1", lambda m: m.jacrev(lambda x: x**2)(X)),
    same("A19.2", lambda m: m.jacfwd(lambda x: x**2)(X)),
    same("A19.3", lambda m: m.jacobian(lambda x: x**2)(X)),
    same("A19.4", lambda m: m.jacrev(outer)(np.arange(3.0))),
    same("A19.5", lambda m: m.jacfwd(outer)(np.arange(3.0))),
    same("A19.5 matrices", lambda m: both(m, lambda x: x.T * 2 + x[0, 0], np.arange(6.0).reshape(2, 3))),
    same("A19.6", lambda m: both(m, m.np.sin, 0.0)),
    same("A19.7", lambda m: m.jacfwd(powers(m))(3.0)),
    same("A19.7 jacrev", lambda m: m.jacrev(powers(m))(3.0)),
    same("A19.8", lambda m: m.jacrev(lambda x: m.np.sum(x**2))(np.arange(4.0).reshape(2, 2))),
    same("A19.8 jacfwd", lambda m: m.jacfwd(lambda x: m.np.sum(x**2))(np.arange(4.0).reshape(2, 2))),
    same("A19.9", lambda m: m.jacrev(product)(TREE)),
    same("A19.10", lambda m: m.jacfwd(product)(TREE)),
    same("A19.10 namedtuples", lambda m: both(m, lambda p: [p.b, Pair(p.a * p.b, None)], Pair(2.0, X))),
    same("A19.11", lambda m: m.jacrev(lambda x, y: (x, y), (0, 1))(0.0, 1.0)),
    same("A19.12", lambda m: m.jacfwd(lambda x, y: (x, y), (0, 1))(0.0, 1.0)),
    same(
        "A19.12 in trees",
        lambda m: both(m, lambda p, k, y: {"o": p["a"] * k + y[0]}, TREE, 2, (X, 1.0), argnums=(2, 0)),
    ),
    same("A19.12 one", lambda m: both(m, lambda x, y: x * y, X, 3.0, argnums=[1])),
    same("A19.13", lambda m: m.jacrev(lambda x: x[:2])((1.0, 2.0, 3.0))),
    same("A19.13 jacfwd", lambda m: m.jacfwd(lambda x: x[:2])((1.0, 2.0, 3.0))),
    same("A19.21", lambda m: m.jacfwd(lambda x: x * 1j)(1.0)),
    same("A19.21 arrays", lambda m: m.jacfwd(lambda x: m.np.exp(x * 1j))(X)),
    same("A19.23", lambda m: m.jacfwd(lambda x: x.astype(int))(1.0)),
    same("A19.23 arrays", lambda m: m.jacfwd(lambda x: (x.astype(int), x))(X)),
    same("A19.24", lambda m: m.jacrev(lambda x: x**2, holomorphic=True)(np.array([1 + 2j]))),
    same("A19.25", lambda m: m.jacfwd(lambda x: x**2, holomorphic=True)(np.array([1 + 2j]))),
    same("A19.25 outer", lambda m: both(m, outer, np.array([1 + 2j, 3j]), holomorphic=True)),
    same("A19.29", lambda m: m.jacrev(lambda x: x * 2)(np.zeros(0))),
    same("A19.30", lambda m: m.jacfwd(lambda x: x * 2)(np.zeros(0))),
    same("A19.30 empty results", lambda m: both(m, lambda x: x[:, :0], np.ones((2, 3)))),
    same("A19.32", lambda m: m.jacfwd(lambda x: x * 2 if x.sum() > 0 else x)(np.ones(2))),
    same("A19.33", lambda m: m.jacrev(lambda x: x * 2 if x.sum() > 0 else x)(np.ones(2))),
    same("A19.36", lambda m: both(m, lambda x, y: x * y, 2.0, 3.0, argnums=-1)),
    same("A19.37", lambda m: (m.jacrev(lambda x, *, k: x * k)(X, k=3.0), m.jacfwd(lambda x, *, k: x * k)(X, k=3.0))),
    same("A19.48", lambda m: m.jacrev(mixed)(TWO)),
    same("A19.49", lambda m: m.jacfwd(mixed)(TWO)),
    same("A19.49 float32 in, float64 out", lambda m: both(m, lambda x: x * np.ones(2), np.ones(2, np.float32))),
    same("A19.54", lambda m: both(m, lambda p: m.np.stack(p), [1.0, 2.0])),
    same("A19.54 a weak float jacrev", lambda m: m.jacrev(lambda x: x * np.ones(2, np.float32))(1.0)),
    same("A19.54 a weak float", lambda m: m.jacfwd(lambda x: x * np.ones(2, np.float32))(1.0)),
    differs("A19.54 a matrix", lambda m: m.jacrev(lambda x: x * x)(np.eye(2).view(np.matrix)), TypeError, "np.matrix multiplies"),
    differs("A19.54 a matrix jacfwd", lambda m: m.jacfwd(lambda x: x * x)(np.eye(2).view(np.matrix)), TypeError, "np.matrix multiplies"),
    same("A19.54 other arguments", lambda m: both(m, lambda x, s: x * len(s), X, "abc")),
    same("A19.54 0-d", lambda m: both(m, lambda x: x.reshape(1, 1), np.array(2.0))),
    same("A19 constant", lambda m: both(m, lambda x: np.ones(3), X)),
    same("A19 constant number", lambda m: both(m, lambda x: (5.0, x), X)),
    same("A19 None in the result", lambda m: both(m, lambda x: (x, None), X)),
    same("A19 None in the argument", lambda m: both(m, lambda p: p[0] * 2, (X, None))),
    same("A19 complex in, real out", lambda m: m.jacrev(lambda z: m.np.abs(z) ** 2)(np.array([1 + 2j, 3j]))),
    same("A19 matmul", lambda m: both(m, lambda a, x: a @ x, np.arange(6.0).reshape(2, 3), np.ones(3), argnums=(0, 1))),
    same("A19 nested", lambda m: m.grad(lambda x: m.np.sum(m.jacrev(lambda y: y**2 * x)(x) ** 2))(X)),
    same("A19 nested jacfwd", lambda m: m.grad(lambda x: m.np.sum(m.jacfwd(lambda y: y**2 * x)(x) ** 2))(X)),
)
def test_jacobians(row: Any) -> None:
    check(row)


INEXACT = "requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact), but got int64"
FLOATING = "requires real-valued inputs (input dtype that is a sub-dtype of np.floating), but got "
OUTPUT = "requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got "


@rows(
    same("A19.17", lambda m: m.jacrev(lambda x: x**2)(3), "jacrev " + INEXACT),
    same("A19.18", lambda m: m.jacfwd(lambda x: x**2)(3), "jacfwd " + FLOATING + "int64"),
    same("A19.19", lambda m: m.jacfwd(lambda x: x**2)(3.0 + 1j), "jacfwd " + FLOATING + "complex128"),
    same("A19.20", lambda m: m.jacrev(lambda x: m.np.sin(x))(1 + 2j), "jacrev " + OUTPUT + "complex128"),
    same("A19.22", lambda m: m.jacrev(lambda x: x.astype(int))(1.0), "jacrev " + OUTPUT + "int64"),
    same("A19.22 in a tree", lambda m: m.jacrev(lambda x: [x, 3])(1.0), "jacrev " + OUTPUT + "int64"),
    same(
        "A19.26",
        lambda m: m.jacrev(lambda x: x**2, holomorphic=True)(3.0), "requires inputs with complex dtype",
    ),
    same(
        "A19.27",
        lambda m: m.jacfwd(lambda x: x**2, holomorphic=True)(3.0), "requires inputs with complex dtype",
    ),
    same(
        "A19.27 output",
        lambda m: m.jacrev(lambda z: z.real, holomorphic=True)(1j), "requires outputs with complex dtype, but got",
    ),
    same(
        "A19.27 output jacfwd",
        lambda m: m.jacfwd(lambda z: z.real, holomorphic=True)(1j), "requires outputs with complex dtype",
    ),
    same("A19.34", lambda m: m.jacrev(lambda x: x, argnums=1)(1.0)),
    same("A19.35", lambda m: m.jacfwd(lambda x: x, argnums=1)(1.0)),
    same("A19.35 negative", lambda m: both(m, lambda x: x, 1.0, argnums=-2)),
    same("A19.44", lambda m: m.hessian(lambda z: m.np.abs(z) ** 2)(1 + 1j), FLOATING + "complex128"),
    same("A19.44 int", lambda m: m.hessian(lambda x: x**2)(3), "but got int64"),
    same("A19.52", lambda m: m.jacrev(3), "Expected a callable value, got 3"),
    same("A19.52 jacfwd", lambda m: m.jacfwd(3), "Expected a callable value, got 3"),
    same("A19.52 jacobian", lambda m: m.jacobian(3), "Expected a callable value, got 3"),
    same("A19.53", lambda m: m.hessian(3), "Expected a callable value, got 3"),
    same("A19 argnums", lambda m: m.jacfwd(lambda x: x, "x")),
    same("A19 a string", lambda m: m.jacrev(lambda x: "s")(1.0), "of type <class 'str'>"),
    same("A19 a string jacfwd", lambda m: m.jacfwd(lambda x: "s")(1.0), "of type <class 'str'>"),
    same("A19 a string argument", lambda m: m.jacrev(lambda x: 1.0)("s"), "of type <class 'str'>"),
    differs("A19 argnums twice", lambda m: m.jacrev(lambda x, y: x * y, argnums=(0, 0))(1.0, 2.0), ValueError, "twice"),
    same("A19.14 no pair", lambda m: m.jacrev(lambda x: x, has_aux=True)(1.0), "to return a two-element tuple"),
)
def test_what_they_refuse(row: Any) -> None:
    check(row)


EYE2 = np.array([[2.0, 0.0], [0.0, 2.0]])


@rows(
    same("A19.14", lambda m: m.jacrev(lambda x: (x**2, "aux"), has_aux=True)(np.ones(2))),
    differs("A19.15", lambda m: m.jacfwd(lambda x: (x**2, "aux"), has_aux=True)(np.ones(2)), (EYE2, "aux")),
    same("A19.16", lambda m: m.jacfwd(lambda x: (x**2, x), has_aux=True)(np.ones(2))),
    same("A19.16 a tree", lambda m: both(m, lambda x: ({"o": x**2}, (x * 2, [x.sum()])), np.ones(2), has_aux=True)),
    same("A19.42", lambda m: m.hessian(lambda x: (x**3, x * 2), has_aux=True)(2.0)),
    differs("A19.42 a string", lambda m: m.hessian(lambda x: (x**3, "aux"), has_aux=True)(2.0), (12.0, "aux")),
    differs("A19.28", lambda m: m.jacrev(lambda x: x * 1.5, allow_int=True)(3), np.zeros((), minigrad.float0)),
    differs(
        "A19.28 and a float",
        lambda m: m.jacrev(lambda x, n: x * n, (0, 1), allow_int=True)(2.0, np.arange(3)),
        (np.arange(3.0), np.zeros((3, 3), minigrad.float0)),
    ),
    same("A19.28 a float", lambda m: m.jacrev(lambda x: x * 1.5, allow_int=True)(3.0)),
    differs("A19.31", lambda m: m.jacrev(lambda x: None)(1.0), None),
    same("A19.31 jacfwd", lambda m: m.jacfwd(lambda x: None)(1.0)),
)
def test_aux_and_integers(row: Any) -> None:
    check(row)


def symmetric(m: Any) -> Any:
    h = m.hessian(lambda x: m.np.prod(m.np.sin(x)))(np.arange(3.0) + 1)
    return h, bool(np.allclose(h, h.T, rtol=1e-14))


@rows(
    same("A19.38", lambda m: m.hessian(lambda x: x[0] ** 3 - 2 * x[0] * x[1] - x[1] ** 6)(X)),
    same("A19.39", lambda m: m.hessian(lambda x: x**3)(2.0)),
    same("A19.40", lambda m: m.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 2.0, "b": 3.0})),
    same("A19.40 arrays", lambda m: m.hessian(lambda p: m.np.sum(p["a"] ** 2 * p["b"]))(TREE)),
    same("A19.41", lambda m: m.hessian(lambda x, y: x**2 * y, (0, 1))(2.0, 3.0)),
    same("A19.41 arrays", lambda m: m.hessian(lambda x, y, k: m.np.sum(x**k * y), (1, 0))(X, 3.0, 3)),
    same("A19.43", lambda m: m.hessian(lambda z: z**3, holomorphic=True)(1 + 1j)),
    same("A19.45", lambda m: m.hessian(lambda x: x**2)(np.ones(3))),
    same("A19.45 a tree", lambda m: m.hessian(lambda x: {"o": x**2, "p": x[0] ** 3})(X)),
    same("A19.46", symmetric, rtol=1e-12),
    same("A19.47", lambda m: m.jacrev(m.jacfwd(lambda x: m.np.sum(x**3)))(X)),
    same(
        "A19.47 the others",
        lambda m: [
            outer_of(inner(lambda x: m.np.sum(x**3 * x[0])))(X)
            for outer_of in (m.jacrev, m.jacfwd)
            for inner in (m.jacrev, m.jacfwd)
        ],
    ),
    same("A19.47 third", lambda m: m.jacfwd(m.hessian(lambda x: m.np.sum(x**3 * x[0])))(X)),
    same("A19 hessian of a product with a zero", lambda m: m.hessian(lambda x: x.prod())(np.array([0.0, 2.0, 3.0]))),
    same("A19 hessian of a maximum", lambda m: m.hessian(lambda x: x.max() ** 2)(np.array([0.0, 3.0, 3.0]))),
    same("A19 hessian of a norm", lambda m: m.hessian(lambda x: m.np.sqrt(m.np.sum(x**2)))(np.array([0.0, 3.0, 4.0]))),
    same("A19 hessian weak", lambda m: m.hessian(lambda x: x**3 * np.float32(2))(1.0)),
    same("A19 hessian linear", lambda m: m.hessian(lambda x: m.np.sum(x))(X)),
    same("A19 hessian constant", lambda m: m.hessian(lambda x: 5.0)(X)),
    same("A19 hessian float32", lambda m: m.hessian(lambda x: m.np.sum(x**3))(np.array([1, 2], np.float32))),
    same("A19 hessian keywords", lambda m: m.hessian(lambda x, *, k: m.np.sum(x**k))(X, k=4)),
)
def test_hessians(row: Any) -> None:
    check(row)


def calls(m: Any) -> list:
    counts = []
    for transform in (m.jacrev, m.jacfwd, m.jacobian, m.hessian):
        n: list = []

        def fun(x: Any) -> Any:
            n.append(1)
            return x**2

        transform(fun)(np.ones(3))
        counts.append(len(n))
    return counts


@rows(same("A19.50 and A19.51", calls))
def test_the_function_runs_once(row: Any) -> None:
    check(row)


def test_aux_is_taken_at_the_point() -> None:
    """A19.42: no Tensor of an inner call comes out of it."""
    for transform in (jacrev, jacfwd, jacobian, hessian):
        jacobian_of, aux = transform(lambda x: (x**3, {"x": x, "y": [x * 2, "s"]}), has_aux=True)(2.0)
        assert aux == {"x": 2.0, "y": [4.0, "s"]}
        assert not isinstance(aux["x"], Tensor) and not isinstance(aux["y"][0], Tensor)
        assert jacobian_of == 12.0


def test_jacobians_by_finite_differences() -> None:
    x = np.array([[0.5, 1.5, -2.0], [0.1, 0.2, 0.3]])

    def fun(x: Any) -> Any:
        return np.tanh(x @ x.T) * np.exp(x[:, 1]) + np.abs(x).max()

    h, expected = 1e-6, np.zeros((2, 2, 2, 3))
    for i in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[i] = h
        expected[(..., *i)] = (fun(x + step) - fun(x - step)) / (2 * h)
    for transform in (jacrev, jacfwd, jacobian):
        result = transform(fun)(x)
        assert type(result) is np.ndarray and result.flags.writeable
        np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-8)


def test_hessian_agrees_with_the_gradient_of_the_gradient() -> None:
    x = np.array([0.5, 1.5, -2.0])

    def fun(x: Any) -> Any:
        return np.sum(np.sin(x) * x[::-1] ** 2) + np.prod(x) + np.log(np.sum(np.exp(x)))

    rows_of = [grad(lambda x: grad(fun)(x)[i])(x) for i in range(3)]
    np.testing.assert_allclose(hessian(fun)(x), rows_of, rtol=1e-12)


@pytest.mark.parametrize("transform", [jacrev, jacfwd, jacobian, hessian])
def test_they_look_like_the_function(transform: Any) -> None:
    def cubes(x: float) -> float:
        return x**3

    assert transform(cubes).__name__ == "cubes"
    assert inspect.unwrap(transform(cubes)) is cubes
    assert transform(cubes)(np.float64(2)) == 12.0
