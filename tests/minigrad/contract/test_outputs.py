"""Contract A7: what a function may return; and what is refused, with which message."""

import math
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same

SCALAR = "Gradient only defined for scalar-output functions. Output "
REAL = "grad requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got "
Point = namedtuple("Point", "a b")


def forgotten(m: Any) -> Any:
    def fun(x):
        x * 2

    return m.grad(fun)(1.0)


@rows(
    same("A7.1", lambda m: m.grad(lambda x: x)(np.zeros(3)), SCALAR + "had shape: (3,)."),
    same("A7.2", lambda m: m.grad(lambda x: x)(np.zeros(1)), SCALAR + "had shape: (1,)."),
    same("A7.3", lambda m: m.grad(lambda x: x)(np.zeros((1, 1))), SCALAR + "had shape: (1, 1)."),
    same("A7.4", lambda m: m.grad(lambda x: x)(np.zeros(0)), SCALAR + "had shape: (0,)."),
    same("A7.5", lambda m: m.grad(lambda x: (x, x))(1.0), SCALAR + "was ("),
    same("A7.5 value_and_grad", lambda m: m.value_and_grad(lambda x: (x, x))(1.0), SCALAR + "was ("),
    same("A7.5 a namedtuple", lambda m: m.grad(lambda x: Point(x, 2.0))(1.0), SCALAR + "was Point(a="),
    same("A7.6", lambda m: m.grad(lambda x: (x,))(1.0), SCALAR + "was ("),
    same("A7.7", lambda m: m.grad(lambda x: [x])(1.0), SCALAR + "was ["),
    same("A7.8", lambda m: m.grad(lambda x: {"a": x})(1.0), SCALAR + "was {'a': "),
    same("A7.9", lambda m: m.grad(lambda x: ())(np.zeros(3)), SCALAR + "was ()."),
    same("A7.10", lambda m: m.grad(lambda x: None)(1.0), SCALAR + "was None."),
    same("A7.25", lambda m: m.grad(lambda x: np.array([2.5]))(np.ones(3)), SCALAR + "had shape: (1,)."),
    same("A7.29", lambda m: m.value_and_grad(lambda x: x)(np.zeros(3)), SCALAR + "had shape: (3,)."),
    same("A7.30", forgotten, SCALAR + "was None."),
    same("A7.31", lambda m: m.grad(lambda x: [1.0, 2.0])(1.0), SCALAR + "was [1.0, 2.0]."),
    same("A7.38", lambda m: m.grad(lambda x: x * 1j)(np.ones(2)), SCALAR + "had shape: (2,)."),
    same("A7.38 integers", lambda m: m.grad(lambda x: x > 0)(np.ones(2)), SCALAR + "had shape: (2,)."),
    same("A7.38 holomorphic", lambda m: m.grad(
        lambda z: z, holomorphic=True)(np.ones(2) * 1j), SCALAR + "had shape: (2,)."),
)
def test_a_number_is_needed(row: Any) -> None:
    check(row)


@rows(
    same("A7.11", lambda m: m.grad(lambda x: "s")(1.0), "'str'"),
    same("A7.12", lambda m: m.grad(lambda x: object())(1.0), "'object'"),
    same("A7.13", lambda m: m.grad(lambda x: math.sin)(1.0), "'builtin_function_or_method'"),
    same("A7.32", lambda m: m.grad(lambda x: np.array(None))(1.0), "object"),
    same("A7.32 a string array", lambda m: m.grad(lambda x: np.array("s"))(1.0)),
    same("A7.33", lambda m: m.grad(lambda x: (i for i in [x]))(1.0), "'generator'"),
    same("A7.34", lambda m: m.grad(lambda x: np.ma.masked)(1.0), "masked array"),
)
def test_other_objects(row: Any) -> None:
    check(row)


@rows(
    same("A7.14", lambda m: m.grad(lambda x: 3)(1.0), REAL + "int64"),
    same("A7.15", lambda m: m.grad(lambda x: x.astype(int))(1.0), REAL + "int64"),
    same("A7.16", lambda m: m.grad(lambda x: x > 0)(1.0), REAL + "bool"),
    same("A7.17", lambda m: m.grad(lambda x: m.np.argmax(x))(np.ones(3)), REAL + "int64"),
    same("A7.18", lambda m: m.grad(lambda x: True)(1.0), REAL + "bool"),
    same("A7.18 numpy's", lambda m: m.grad(lambda x: np.bool_(True))(1.0), REAL + "bool"),
    same("A7.19", lambda m: m.grad(lambda x: x**2 + 1j)(3.0), REAL + "complex128"),
    same("A7.20", lambda m: m.grad(lambda x: 1j)(3.0), REAL + "complex128"),
    same("A7.21", lambda m: m.grad(lambda x: m.np.sin(x))(1 + 2j), REAL + "complex128"),
    same("A7.21 complex64", lambda m: m.grad(lambda x: x * x)(np.complex64(1j)), REAL + "complex64"),
    same("A7.36", lambda m: m.grad(lambda x: np.uint8(3))(1.0), REAL + "uint8"),
    same("A7.36 value_and_grad", lambda m: m.value_and_grad(lambda x: np.uint8(3))(1.0), "real-valued outputs"),
)
def test_a_real_number_is_needed(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("out", [3, True, np.int32(2), np.array(4)], ids=repr)
def test_the_message_names_the_remedy_for_integers(out: Any) -> None:
    with pytest.raises(TypeError, match="vjp"):
        minigrad.grad(lambda x: out)(1.0)


def test_the_message_names_the_remedies_for_complex_numbers() -> None:
    with pytest.raises(TypeError, match="holomorphic=True.*vjp"):
        minigrad.grad(lambda x: x * 1j)(1.0)


@rows(
    same("A7.22", lambda m: m.grad(lambda x: 2.5)(1.0)),
    same("A7.23", lambda m: m.grad(lambda x: np.float64(2.5))(np.ones(3))),
    same("A7.24", lambda m: m.grad(lambda x: np.array(2.5))(np.ones(3))),
    same("A7.24 value_and_grad", lambda m: m.value_and_grad(
        lambda x: np.array(2.5, np.float32))(np.ones(3, np.float16))),
    same("A7.26", lambda m: m.value_and_grad(lambda x: x.astype(np.float32))(1.0)),
    same("A7.26 float16", lambda m: m.value_and_grad(lambda x: x.astype(np.float16))(np.float32(3.0))),
    same("A7.26 a wider one", lambda m: m.value_and_grad(
        lambda x: (x.astype(np.float64) ** 2).sum())(np.ones(2, np.float32))),
    same("A7.27", lambda m: m.value_and_grad(lambda x: 2.5)(1.0)),
    same("A7.28", lambda m: m.value_and_grad(lambda x: x)(1.0)),
    same("A7.28 an array", lambda m: m.value_and_grad(lambda x: x)(np.array(1.0, np.float32))),
    same("A7.35", lambda m: m.value_and_grad(lambda x: x * np.nan)(1.0)),
    same("A7.35 inf", lambda m: m.value_and_grad(lambda x: x * np.inf)(1.0)),
    differs("A7.26 longdouble", lambda m: m.value_and_grad(
        lambda x: x * np.longdouble(2))(1.0), (np.longdouble(2), 2.0)),
)
def test_real_numbers_of_every_kind(row: Any) -> None:
    check(row)


def order_of_checks(m: Any) -> list:
    calls: list = []

    def fun(x):
        calls.append(1)
        return x

    for argument in (3, np.arange(2), True, "s", None, {"a": 1.0, "b": 2}):
        try:
            m.grad(fun)(argument)
        except TypeError:
            pass
    return calls


def nothing_to_differentiate(m: Any) -> list:
    """None and an empty container are arguments without leaves: the function is called."""
    calls: list = []

    def fun(x):
        calls.append(x)
        return 1.0

    return [m.grad(fun)(None), m.grad(fun)([]), m.grad(fun)({}), calls]


def checked_after_the_call(m: Any) -> list:
    calls: list = []

    def fun(x):
        calls.append(1)
        return (x, x)

    try:
        m.grad(fun)(1.0)
    except TypeError:
        calls.append("refused")
    return calls


@rows(
    same("A7.37", order_of_checks),
    same("A7.37 no leaves", nothing_to_differentiate),
    same("A7.37 the output", checked_after_the_call),
)
def test_the_order_of_the_checks(row: Any) -> None:
    check(row)


def test_the_value_is_what_the_function_returned() -> None:
    out = np.array(2.5)
    value, g = minigrad.value_and_grad(lambda x: out)(1.0)
    assert value is out and type(g) is float and g == 0.0
    value, g = minigrad.value_and_grad(lambda x: x)(2.0)
    assert type(value) is float and value == 2.0 and type(g) is float and g == 1.0
    value, g = minigrad.value_and_grad(lambda x: x.sum())(np.ones(2))
    assert type(value) is np.float64 and value == 2.0
