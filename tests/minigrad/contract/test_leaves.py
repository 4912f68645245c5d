"""Contract A6: the kinds and dtypes of leaves.

Not here: A6.38 and A6.44 (device arrays and __jax_array__).
"""

import array
import decimal
import fractions
from typing import Any

import numpy as np
import pytest

from minigrad import grad, value_and_grad

from .support import check, differs, rows, same

longdouble = np.longdouble


class FloatOf(float):
    pass


class ComplexOf(complex):
    pass


class ArrayOf(np.ndarray):
    pass


class WithArray:
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.arange(3.0)


def square(m: Any, leaf: Any) -> Any:
    return m.grad(lambda x: m.np.sum(x * x))(leaf)


def read_only(a: np.ndarray) -> np.ndarray:
    a.setflags(write=False)
    return a


@rows(
    same("A6.1", lambda m: square(m, 3.0)),
    same("A6.2", lambda m: square(m, np.float64(3.0))),
    same("A6.3", lambda m: square(m, np.float32(3.0))),
    same("A6.4", lambda m: square(m, np.float16(3.0))),
    differs("A6.5", lambda m: square(m, longdouble(3.0)), longdouble(6.0)),
    same("A6.6", lambda m: square(m, np.array(3.0))),
    same("A6.7", lambda m: square(m, np.array(3.0, np.float32))),
    same("A6.8", lambda m: square(m, np.arange(3.0))),
    same("A6.9", lambda m: square(m, np.arange(3, dtype=np.float32))),
    same("A6.10", lambda m: square(m, np.arange(3, dtype=np.float16))),
    same("A6.11", lambda m: square(m, np.zeros((2, 0)))),
    differs("A6.12", lambda m: square(m, np.arange(3, dtype=">f8")), np.array([0, 2, 4], ">f8")),
    differs("A6.13", lambda m: square(m, np.arange(3, dtype=longdouble)), np.array([0, 2, 4], longdouble)),
    same("A6.14", lambda m: square(m, np.asfortranarray(np.arange(6.0).reshape(2, 3)))),
    same("A6.15", lambda m: square(m, np.arange(6.0)[::2])),
    same("A6.15 reversed", lambda m: square(m, np.arange(6.0).reshape(2, 3)[::-1, ::-2])),
    same("A6.16", lambda m: square(m, read_only(np.arange(2.0)))),
    differs("A6.17", lambda m: square(m, np.matrix([[1.0, 2.0]])), TypeError, "np.matrix multiplies matrices with *"),
    same("A6.39", lambda m: square(m, FloatOf(3.0))),
    same("A6.39 complex", lambda m: m.grad(lambda x: m.np.abs(x) ** 2)(ComplexOf(3 + 1j))),
    same("A6.40", lambda m: square(m, np.arange(3.0).view(ArrayOf))),
    same("A6.46", lambda m: square(m, float("nan"))),
    same("A6.47", lambda m: square(m, float("inf"))),
    same("A6.47 negative", lambda m: square(m, -float("inf"))),
    same("A6.49", lambda m: square(m, -0.0)),
    same("A6.49 the sign", lambda m: bool(m.np.signbit(square(m, -0.0)))),
)
def test_what_can_be_a_leaf(row: Any) -> None:
    check(row)


NOT_A_NUMBER = "of type <class"
INTEGER = "grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact), but got "


@rows(
    same("A6.18", lambda m: square(m, np.ma.array([1.0, 2.0], mask=[0, 1])), "filled()"),
    same("A6.19", lambda m: square(m, np.zeros(2, dtype=[("a", float)]))),
    same("A6.19 recarray", lambda m: square(m, np.zeros(2, dtype=[("a", float)]).view(np.recarray))),
    same("A6.19 scalar", lambda m: square(m, np.zeros(2, dtype=[("a", float)])[0])),
    same("A6.20", lambda m: square(m, np.array([1.0, 2.0], dtype=object))),
    same("A6.21", lambda m: square(m, np.array(["a"]))),
    same("A6.22", lambda m: square(m, np.array(["2020-01-01"], dtype="M8[D]"))),
    same("A6.22 timedelta", lambda m: square(m, np.timedelta64(1, "s"))),
    same("A6.23", lambda m: square(m, 3), INTEGER + "int64"),
    same("A6.24", lambda m: square(m, np.int64(3)), INTEGER + "int64"),
    same("A6.25", lambda m: square(m, np.arange(3)), INTEGER + "int64"),
    same("A6.25 empty", lambda m: square(m, np.zeros((0, 2), int)), INTEGER + "int64"),
    same("A6.26", lambda m: square(m, np.arange(3, dtype=np.uint8)), INTEGER + "uint8"),
    same("A6.27", lambda m: square(m, True), INTEGER + "bool"),
    same("A6.28", lambda m: square(m, np.bool_(True)), INTEGER + "bool"),
    same("A6.29", lambda m: square(m, np.array([True, False])), INTEGER + "bool"),
    same("A6.30", lambda m: square(m, "foo"), NOT_A_NUMBER),
    same("A6.31", lambda m: square(m, b"x"), NOT_A_NUMBER),
    same("A6.32", lambda m: square(m, None), "NoneType"),
    same("A6.35", lambda m: square(m, object()), NOT_A_NUMBER),
    same("A6.36", lambda m: square(m, decimal.Decimal("1.5")), NOT_A_NUMBER),
    same("A6.37", lambda m: square(m, fractions.Fraction(1, 2)), NOT_A_NUMBER),
    same("A6.41", lambda m: square(m, memoryview(np.arange(3.0))), NOT_A_NUMBER),
    same("A6.42", lambda m: square(m, array.array("d", [1.0, 2.0])), NOT_A_NUMBER),
    same("A6.43", lambda m: square(m, WithArray()), NOT_A_NUMBER),
    same("A6.45", lambda m: square(m, range(3)), NOT_A_NUMBER),
    differs("A6.48", lambda m: square(m, 2**70), TypeError, INTEGER),  # JAX: an OverflowError
    same("A6.50", lambda m: square(m, np.str_("a"))),
    same("A6.51", lambda m: square(m, (i for i in [1.0])), NOT_A_NUMBER),
    same("A6 not even started", lambda m: m.grad(lambda x: 1 / 0)(3), INTEGER + "int64"),
)
def test_what_cannot(row: Any) -> None:
    check(row)


def several(m: Any) -> Any:
    return m.grad(lambda t: m.np.square(m.np.abs(t[0])) + t[1])((np.array(1 + 1j), np.array(2.0)))


REAL = "grad requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got complex128"


@rows(
    same("A6.33", lambda m: square(m, 1 + 2j), REAL),
    same("A6.34", lambda m: square(m, np.array([1 + 2j])), REAL),
    same("A6.60", lambda m: m.grad(lambda z: m.np.abs(z) ** 2)(1 + 2j)),
    same("A6.61", lambda m: m.grad(m.np.real)(1 + 2j)),
    same("A6.62", lambda m: m.grad(m.np.imag)(1 + 2j)),
    same("A6.63", lambda m: m.grad(lambda z: m.np.real(z**2))(1 + 2j)),
    same("A6.64", lambda m: m.grad(lambda z: m.np.sum(m.np.abs(z) ** 2))(np.array([1 + 2j], np.complex64))),
    same(
        "A6.64 in double",
        lambda m: m.grad(lambda z: (abs(z) * np.float64(3)).sum())(np.array([3 + 4j], np.complex64)),
    ),
    same("A6.65", several),
    same("A6.66", lambda m: m.grad(lambda x: m.np.real((x * 1j + 2) ** 2))(3.0)),
)
def test_complex_leaves(row: Any) -> None:
    check(row)


def both(m: Any, fun: Any, leaf: Any) -> Any:
    return m.value_and_grad(fun)(leaf)


ONES32 = np.ones(2, np.float32)


@rows(
    same("A6.67", lambda m: m.grad(lambda x: m.np.sum(x.astype(np.float64) * np.float64(2)))(ONES32)),
    same("A6.68", lambda m: m.grad(lambda x, y: m.np.sum(x * y), (0, 1))(ONES32, np.ones(2))),
    same("A6.68 16", lambda m: m.grad(lambda x, y: m.np.sum(x * y), (1, 0))(ONES32, np.full(2, 3, np.float16))),
    same("A6.68 complex", lambda m: m.grad(lambda x, y: (x * y).real.sum(), (0, 1))(ONES32, np.array([1 + 2j, 3j]))),
    same("A6.69", lambda m: both(m, lambda x: m.np.sum(x * 2), ONES32)),
    same("A6.70", lambda m: both(m, lambda x: x * 2.5, np.float32(1))),
    same("A6.70 from the left", lambda m: both(m, lambda x: 2.5 * x - 1 + 1.0 / x, np.float32(2))),
    same("A6.71", lambda m: both(m, lambda x: x * np.float64(2.5), np.float32(1))),
    same("A6.71 from the left", lambda m: both(m, lambda x: np.float64(2.5) * x, np.float32(1))),
    same("A6.72", lambda m: m.grad(lambda x: x)(1.0)),
    same("A6.72 value", lambda m: both(m, lambda x: x, np.array(1.0, np.float16))),
    same("A6.73", lambda m: m.grad(lambda x, n: x * n)(2.0, 3)),
    same("A6.74", lambda m: m.grad(lambda x, n: x * n, (0, 1))(2.0, 3), INTEGER + "int64"),
    same("A6.76", lambda m: both(m, lambda x: m.np.sum(x * x), np.ones(2, np.float16))),
    same("A6.77", lambda m: both(m, lambda x: m.np.sum(x * ONES32), 1.0)),
    same("A6.77 twice", lambda m: both(m, lambda x: m.np.sum((2.0 * x + 1) * ONES32 * x), 1.0)),
    same("A6.77 division", lambda m: both(m, lambda x: m.np.sum(ONES32 / x - x), 2.0)),
    same("A6.77 nested", lambda m: m.grad(lambda x: m.grad(lambda y: m.np.sum(y * ONES32) * y)(x) * x)(1.0)),
    same("A6.77 a nested gradient", lambda m: both(m, lambda x: m.grad(lambda y: m.np.sum(y * y * ONES32))(x), 1.0)),
    same("A6.77 a nested cotangent", lambda m: m.vjp(lambda c: m.vjp(lambda x: x * ONES32, 1.0)[1](c)[0], ONES32)[0]),
    same("A6.77 a float64 is not weak", lambda m: both(m, lambda x: m.np.sum(x * ONES32), np.float64(1))),
)
def test_dtypes(row: Any) -> None:
    check(row)


def overwritten(m: Any) -> Any:
    x = np.ones(2)
    g = m.grad(lambda x: m.np.sum(x))(x)
    x[0] = 99.0
    return g


def assigned(m: Any) -> Any:
    g = m.grad(lambda x: m.np.sum(x * x))(np.ones(2))
    g[0] = 1.0
    return g


@rows(
    differs("A6.75", assigned, np.array([1.0, 2.0])),  # JAX: its arrays are immutable
    same("A6.78", overwritten),
)
def test_the_memory_of_the_gradient(row: Any) -> None:
    check(row)


@pytest.mark.parametrize(
    "leaf",
    [
        3.0, 3 + 0j, np.float64(3), np.float32(3), np.float16(3), longdouble(3), np.complex64(3), np.complex128(3),
        np.array(3.0), np.array(3, np.float32), np.array(3 + 0j), np.array([3.0]), np.zeros((0, 2)),
    ],
    ids=lambda leaf: f"{type(leaf).__name__}-{getattr(leaf, 'dtype', '')}-{np.shape(leaf)}",
)
def test_a_gradient_is_of_the_kind_of_its_leaf(leaf: Any) -> None:
    """JAX has only arrays; here a float has a float, a NumPy scalar a NumPy scalar, and a 0-d array a 0-d array."""
    for fun in (
        lambda x: np.sum(np.abs(x) ** 2),
        lambda x: np.real(x).sum() * 2,
        lambda x: 1.0,
        lambda x: np.sum(x.imag * 2 + x.real),
    ):
        value, g = value_and_grad(fun)(leaf)
        assert type(g) is type(leaf)
        assert np.shape(g) == np.shape(leaf) and np.asarray(g).dtype == np.asarray(leaf).dtype
        assert np.shape(value) == () and isinstance(value, (float, np.floating, np.ndarray))
        if isinstance(g, np.ndarray):
            assert g.flags.writeable and not np.shares_memory(g, leaf)


def test_subclasses_of_arrays_give_arrays() -> None:
    for leaf in (np.arange(3.0).view(ArrayOf), np.rec.array(np.arange(2.0))):
        g = grad(lambda x: np.sum(x * x))(leaf)
        assert type(g) is np.ndarray
        np.testing.assert_array_equal(g, 2 * np.asarray(leaf))


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">c16", "<f2"])
def test_byte_order_is_kept(dtype: str) -> None:
    g = grad(lambda x: np.sum(np.abs(x) ** 2))(np.arange(3).astype(dtype))
    assert g.dtype.str == dtype
    np.testing.assert_allclose(g, [0, 2, 4], rtol=1e-3)


def test_longdouble_keeps_its_digits() -> None:
    third = longdouble(1) / 3
    g = grad(lambda x: x * third * third + x * 1.0)(longdouble(2))
    assert type(g) is longdouble and g == third * third + 1
    np.testing.assert_array_equal(grad(lambda x: np.sum(third / x))(np.full(2, third)), np.full(2, -1 / third))
