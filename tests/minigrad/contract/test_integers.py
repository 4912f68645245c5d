"""Contract A9: allow_int, and float0."""

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import grad, value_and_grad

from .support import check, rows, same


def allowed(m: Any, fun: Any, *args: Any, argnums: Any = 0) -> Any:
    return m.grad(fun, argnums=argnums, allow_int=True)(*args)


REAL = "grad requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got "


@rows(
    same("A9.1", lambda m: allowed(m, lambda x: x + 0.0, 1)),
    same("A9.1 NumPy scalar", lambda m: allowed(m, lambda x: x + 0.0, np.int8(1))),
    same("A9.1 0-d", lambda m: allowed(m, lambda x: x + 0.0, np.array(1))),
    same("A9.2", lambda m: allowed(m, lambda x: m.np.sum(x + 0.0), np.arange(6).reshape(2, 3))),
    same("A9.2 unsigned", lambda m: allowed(m, lambda x: m.np.sum(x + 0.0), np.ones((0, 2), np.uint16))),
    same("A9.3", lambda m: allowed(m, lambda x: m.np.where(x, 1.0, 2.0), True)),
    same("A9.3 array", lambda m: allowed(m, lambda x: m.np.where(x, 1.0, 2.0).sum(), np.array([True, False]))),
    same("A9.4", lambda m: (m.float0, np.dtype(m.float0).itemsize, m.float0 == np.dtype([("float0", np.void, 0)]))),
    same("A9.6", lambda m: allowed(m, lambda x, i: x[i], np.ones(2), 1, argnums=(0, 1))),
    same("A9.7", lambda m: allowed(m, lambda x: x * 2, 1.0)),
    same("A9.7 complex", lambda m: allowed(m, lambda z: abs(z), 3 + 4j)),
    same("A9.8", lambda m: allowed(m, lambda x: x + 0.0, 1) + 1),
    same("A9.9", lambda m: m.np.add(allowed(m, lambda x: x + 0.0, 1), 1.0)),
    same("A9.10", lambda m: allowed(m, lambda x: x * 2, 1), REAL + "int64"),
    same("A9.10 the identity", lambda m: allowed(m, lambda x: x, True), REAL + "bool"),
    same("A9.11", lambda m: allowed(m, lambda x: 1.0, "a"), "of type <class"),
    same("A9.11 in a tree", lambda m: allowed(m, lambda p: 1.0, [1, "a"]), "of type <class"),
    same("A9.11 object array", lambda m: allowed(m, lambda p: 1.0, np.array([1, 2], object))),
    same("A9.12", lambda m: allowed(m, lambda p: p["a"] * p["n"], {"a": 2.0, "n": 3})),
    same(
        "A9.12 of all kinds",
        lambda m: allowed(m, lambda p: p[0] * p[1] * p[2][0], (3, 2.0, [1j, None, True])), REAL + "complex128",
    ),
    same("A9.12 real", lambda m: allowed(m, lambda p: p[0] * p[1] * p[2][0].imag, (3, 2.0, [1j, None, True]))),
    same("A9.13", lambda m: m.value_and_grad(lambda x: x * 1.5, allow_int=True)(2)),
    same("A9.14", lambda m: allowed(m, lambda x: m.np.sum(x + 0.0), np.ones((2, 4), int)).reshape(4, 2)),
    same("A9.15", lambda m: m.vjp(lambda x, i: x[i], np.ones(2) * 2, 1)[1](1.0)),
    same(
        "A9 an index array",
        lambda m: allowed(m, lambda x, i: (x[i] ** 2).sum(), np.arange(3.0), np.array([0, 2, 2]), argnums=(0, 1)),
    ),
    same(
        "A9 a mask",
        lambda m: allowed(m, lambda x, k: (x * k).sum(), np.arange(3.0), np.array([True, False, True]), argnums=(1, 0)),
    ),
    same("A9 not used", lambda m: allowed(m, lambda n: 1.0, np.arange(3))),
    same("A9 aux", lambda m: m.grad(lambda n: (n * 1.5, n * 2), allow_int=True, has_aux=True)(2)),
    same("A9 control", lambda m: allowed(m, lambda x, n: sum(x for _ in range(int(n))), 1.5, 3, argnums=(0, 1))),
    same("A9 exponent", lambda m: allowed(m, lambda x, n: x**n, 1.5, 3, argnums=(0, 1))),
    same(
        "A9 nested",
        lambda m: m.grad(lambda y: allowed(m, lambda x, n: x**2 * n * y, 3.0, 2, argnums=(0, 1))[0])(5.0),
    ),
    same("A9 without", lambda m: m.grad(lambda x: x + 0.0, allow_int=False)(1), "allow_int"),
)
def test_allow_int(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("leaf", [1, True, np.int64(1), np.uint8([[1], [2]]), np.array(3), np.zeros((0, 3), bool)])
def test_a_float0_is_an_array_of_nothing(leaf: Any) -> None:
    """A9.5: an ndarray of the leaf's shape, whose elements take no memory."""
    value, g = value_and_grad(lambda n: np.sum(n * 1.5), allow_int=True)(leaf)
    assert value == np.sum(leaf) * 1.5
    assert type(g) is np.ndarray
    assert g.shape == np.shape(leaf) and g.dtype == minigrad.float0 and g.nbytes == 0
    with pytest.raises(TypeError):
        g + 1.0
    with pytest.raises(TypeError):
        g * g


def test_what_the_function_receives_behaves_as_an_integer() -> None:
    """With allow_int too, an integer can index and count."""
    table = np.array([10.0, 20.0, 30.0])
    x, i = grad(lambda x, i: x * table[i] + np.arange(3.0)[i:].sum(), (0, 1), allow_int=True)(2.0, 1)
    assert x == 20.0 and i.dtype == minigrad.float0
    x, n = grad(lambda x, n: (x.reshape(n, -1) ** 2)[n - 1].sum(), (0, 1), allow_int=True)(np.arange(4.0), 2)
    assert x.tolist() == [0.0, 0.0, 4.0, 6.0] and n.dtype == minigrad.float0
