"""Contract A12: what the body of a function may do: Python's control flow, conversions, NumPy's functions, indexing, mutation."""

import copy
import functools
import math
import operator
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same

# Not here: A12.86 (x.at, jax.Array only). Need a rule that does not exist yet: A12.47 (norm).

ONES = np.ones(2)


# ---- Control flow ---------------------------------------------------------------------------------------------------


def _while(x: Any) -> Any:
    while x < 10:
        x = x * 2
    return x


def _powers(x: Any, n: int) -> Any:
    y = x
    for _ in range(n):
        y = y * x
    return y


def _assert(x: Any) -> Any:
    assert x > 0
    return x


def _try(x: Any) -> Any:
    try:
        raise ValueError
    except ValueError:
        return x * 3


def _containers(x: Any) -> Any:
    d = {"k": [x, x * 2]}
    d["k"].append(x**2)
    return sum(d["k"])


def _factorial(x: Any, n: int) -> Any:
    return x if n == 1 else x * _factorial(x - 1, n - 1)


@rows(
    same("A12.1", lambda m: m.grad(lambda x: x * 2 if x > 0 else x * 3)(1.0)),
    same("A12.2", lambda m: m.grad(lambda x: x * 2 if x > 0 else x * 3)(-1.0)),
    same("A12.3", lambda m: m.grad(_while)(1.0)),
    same("A12.4", lambda m: m.grad(lambda x: _powers(x, 2))(2.0)),
    same("A12.5", lambda m: m.grad(lambda x: _powers(x, int(x)))(2.0)),
    same("A12.14", lambda m: m.grad(lambda x: (x and 2 * x) if not (x < 0) else x)(2.0)),
    same("A12.15", lambda m: m.grad(lambda x: x.sum() if x > 0 else 0.0)(ONES),
         "The truth value of an array with more than one element is ambiguous"),
    same("A12.16", lambda m: m.grad(lambda x: x if 0 < x < 2 else -x)(1.0)),
    same("A12.17", lambda m: m.grad(_assert)(1.0)),
    same("A12.17, fails", lambda m: m.grad(_assert)(-1.0)),
    same("A12.18", lambda m: m.grad(lambda x: x * 2 if x == 3.0 else x)(3.0)),
    same("A12.19", lambda m: m.grad(lambda x: x * 2 if x in [1.0, 3.0] else x)(3.0)),
    same("A12.20", lambda m: m.grad(lambda x: max(x, 0.0))(2.0)),
    same("A12.21", lambda m: m.grad(lambda x: max(x, 0.0))(0.0)),
    same("A12.22", lambda m: m.grad(lambda x: max(0.0, x))(0.0)),
    same("A12.23", lambda m: m.grad(lambda p: sorted(p)[0])([3.0, 1.0, 2.0])),
    same("A12.24", lambda m: m.grad(lambda x: sum(x))(np.ones(3))),
    same("A12.25", lambda m: m.grad(lambda x: min(x))(np.array([3.0, 1.0]))),
    same("A12.30", lambda m: m.grad(_try)(1.0)),
    same("A12.31", lambda m: m.grad(_containers)(3.0)),
    same("A12.32", lambda m: m.grad(lambda x: sum([x**i for i in range(4)]))(2.0)),
    same("A12.33", lambda m: m.grad(lambda x: functools.reduce(operator.mul, [x] * 4))(2.0)),
    same("A12.34", lambda m: m.grad(lambda x: _factorial(x, 3))(4.0)),
)
def test_control_flow(row: Any) -> None:
    check(row)


# ---- Conversions ----------------------------------------------------------------------------------------------------


@rows(
    same("A12.6", lambda m: m.grad(lambda x: x * float(x))(2.0), "float"),
    same("A12.7", lambda m: m.grad(lambda x: float(x))(2.0), "float"),
    same("A12.8", lambda m: m.grad(lambda x: x * int(x))(2.0)),
    same("A12.9", lambda m: m.grad(lambda x: x * bool(x))(2.0)),
    same("A12.10", lambda m: m.grad(lambda x: abs(complex(x)) * x)(2.0), "complex"),
    same("A12.11", lambda m: m.grad(lambda x: x * x.item())(2.0)),
    same("A12.11, array", lambda m: m.grad(lambda x: (x * x[1:].item()).sum())(np.array([2.0, 3.0]))),
    same("A12.12", lambda m: m.grad(lambda x: x.sum() * x.tolist()[0])(ONES), "tolist"),
    same("A12.13", lambda m: m.grad(lambda x: x * [1.0, 2.0, 3.0][x.astype(int)])(2.0)),
    same("A12.26", lambda m: m.grad(lambda x: math.sqrt(x))(4.0), "float"),
    same("A12.27", lambda m: m.grad(lambda x: x * math.floor(x))(2.5), "float"),
    same("A12.28", lambda m: m.grad(lambda x: round(x) + x)(2.4)),
    same("A12.29", lambda m: m.grad(lambda x: round(x, 1) + x)(2.44)),
    same("A12.35", lambda m: m.grad(lambda x: x * len(str(x)) * 0 + x)(1.0)),
    same("A12.36", lambda m: m.grad(lambda x: copy.copy(x) * copy.deepcopy(x))(3.0)),
    same("A12.37", lambda m: m.grad(lambda x: np.asarray(x).sum())(ONES), "array"),
    same("A12.38", lambda m: m.grad(lambda x: np.array(x) * 1.0)(2.0), "array"),
    same("A12.39", lambda m: m.grad(lambda x: np.float64(x) * 1.0)(2.0), "array"),
    same("A12.65", lambda m: m.grad(lambda x: np.array([x, x]).sum())(1.0), "array"),
    differs("A12.66", lambda m: m.grad(lambda x: m.np.array([x, 2 * x]).sum())(1.0), TypeError, "np.stack"),
    same("A12.66, stack", lambda m: m.grad(lambda x: m.np.stack([x, 2 * x]).sum())(1.0)),
)
def test_conversions(row: Any) -> None:
    check(row)


# ---- NumPy's functions ----------------------------------------------------------------------------------------------


@rows(
    differs("A12.40", lambda m: m.grad(lambda x: np.sin(x))(1.0), math.cos(1.0)),
    differs("A12.41", lambda m: m.grad(lambda x: np.add(x, 1.0))(1.0), 1.0),
    same("A12.42", lambda m: m.grad(lambda x: np.sum(x))(ONES)),
    differs("A12.43", lambda m: m.grad(lambda x: np.dot(np.array([3.0, 4.0]), x))(ONES), np.array([3.0, 4.0])),
    differs("A12.44", lambda m: m.grad(lambda x: np.concatenate([x, x]).sum())(ONES), np.array([2.0, 2.0])),
    differs("A12.45", lambda m: m.grad(lambda x: np.where(x > 0, x, 0.0).sum())(ONES), ONES),
    same("A12.46", lambda m: m.grad(lambda x: np.mean(x))(ONES)),
    differs("A12.48", lambda m: m.grad(lambda x: np.maximum(x, 0.0))(1.0), 1.0),
    same("A12.49", lambda m: m.grad(lambda x: x.sum() * np.shape(x)[0])(ONES)),
    same("A12.50", lambda m: m.grad(lambda x: x.sum() * np.ndim(x) * np.size(x))(ONES)),
    differs("A12.51", lambda m: m.grad(lambda x: (x + np.zeros_like(x)).sum())(ONES), ONES),
    same("A12.52", lambda m: m.grad(lambda x: x * (2 if np.isscalar(x) else 3))(1.0)),
    same("A12.53", lambda m: m.grad(lambda x: x * (2 if np.result_type(x) == np.float64 else 3))(1.0)),
    same("A12.54", lambda m: m.grad(lambda x: x * (2 if np.iscomplexobj(x) else 3))(1.0)),
)
def test_numpy_functions(row: Any) -> None:
    check(row)


def _accumulate(x: Any) -> Any:
    a = np.zeros(2)
    a += x
    return a.sum()


def _accumulate_from_a_tensor(x: Any) -> Any:
    a = 0.0 * x
    for _ in range(3):
        a += x * np.ones(2)
    return a.sum()


@rows(
    same("A12.55", lambda m: m.grad(lambda x: (np.ones(2) + x).sum())(ONES)),
    same("A12.56", lambda m: m.grad(lambda x: (np.arange(2.0) * x).sum())(ONES)),
    same("A12.57", lambda m: m.grad(lambda x: (np.ones((2, 2)) @ x).sum())(ONES)),
    same("A12.58", lambda m: m.grad(lambda x: np.float64(3.0) * x)(2.0)),
    same("A12.59", lambda m: m.grad(lambda x: np.float64(3.0) - x)(2.0)),
    same("A12.60", lambda m: m.grad(lambda x: np.float64(3.0) ** x)(2.0)),
    same("A12.61", lambda m: m.grad(lambda x: m.np.where(np.ones(2) < x, x, 0.0).sum())(ONES * 2)),
    # An array that is written into would keep no derivative, and here nothing tells += from np.add(a, x, out=a).
    differs("A12.62", lambda m: m.grad(_accumulate)(ONES), NotImplementedError, "a = a + t"),
    same("A12.62, Tensor", lambda m: m.grad(_accumulate_from_a_tensor)(ONES)),
)
def test_arrays_and_tensors_as_operands(row: Any) -> None:
    check(row)


# ---- Indexing -------------------------------------------------------------------------------------------------------

SHUFFLED, RANGE = np.array([1.0, 3.0, 2.0]), np.arange(3.0)


@rows(
    same("A12.67", lambda m: m.grad(lambda x: x * RANGE[x.astype(int)])(1.0)),
    same("A12.68", lambda m: m.grad(lambda x: x * RANGE[x])(1.0), "array"),
    same("A12.69", lambda m: m.grad(lambda x: x * [1.0, 2.0][x])(1.0), "integer"),
    same("A12.70", lambda m: m.grad(lambda x: x[m.np.argmax(x)])(SHUFFLED)),
    same("A12.71", lambda m: m.grad(lambda x: x[x > 1].sum())(SHUFFLED)),
    same("A12.72", lambda m: m.grad(lambda x: x[np.array([True, False, True])].sum())(SHUFFLED)),
    same("A12.73", lambda m: m.grad(lambda x: x[1:].sum())(RANGE)),
    same("A12.74", lambda m: m.grad(lambda x: x[: x[0].astype(int)].sum())(np.array([2.0, 3.0, 4.0]))),
    same("A12.75", lambda m: m.grad(lambda x: x[-1])(RANGE)),
    differs("A12.76", lambda m: m.grad(lambda x: x[10])(RANGE), IndexError, "out of bounds"),
    differs("A12.77", lambda m: m.grad(lambda x: x[np.array([10])].sum())(RANGE), IndexError, "out of bounds"),
    same("A12.78", lambda m: m.grad(lambda x: x[..., None].sum())(RANGE)),
    differs("A12.79", lambda m: m.grad(lambda x: x[1.0])(RANGE), IndexError, "integers"),
    differs("A12.80", lambda m: m.grad(lambda x: x[[0, 1]].sum())(RANGE), np.array([1.0, 1.0, 0.0])),
    same("A12.81", lambda m: m.grad(lambda x: x[np.array([0, 1]), np.array([1, 1])].sum())(np.ones((2, 2)))),
    differs("A12.82", lambda m: m.grad(lambda x: x["a"])(RANGE), IndexError, "integers"),
    same("A12.83", lambda m: m.grad(lambda x: x[0, 0])(RANGE), "indexed"),
)
def test_indexing(row: Any) -> None:
    check(row)


# ---- Mutation -------------------------------------------------------------------------------------------------------


def _set_element(x: Any) -> Any:
    a = np.zeros(2)
    a[0] = x
    return a.sum()


def _set_slice(x: Any) -> Any:
    a = np.zeros(2)
    a[:] = x
    return a.sum()


def _set_in_the_argument(x: Any) -> Any:
    x[0] = 0.0
    return x.sum()


def _rebind(x: Any) -> Any:
    x += 1
    x *= 2
    return x


def _delete(x: Any) -> Any:
    del x[0]
    return x.sum()


def _set_shape(x: Any) -> Any:
    x.shape = (2, 1)
    return x.sum()


@rows(
    differs("A12.63", lambda m: m.grad(_set_element)(1.0), TypeError, "zeros_like"),
    same("A12.64", lambda m: m.grad(_set_slice)(ONES), "array"),
    differs("A12.84", lambda m: m.grad(_set_in_the_argument)(ONES), np.array([0.0, 1.0])),  # NumPy's arrays can be written into
    same("A12.85", lambda m: m.grad(_rebind)(1.0)),
    differs("A12.87", lambda m: m.grad(lambda x: (x.sort() * np.array([1.0, 2.0])).sum())(np.array([3.0, 1.0])),
            AttributeError, "np.sort"),
    same("A12.88", lambda m: m.grad(lambda x: x.fill(0.0))(ONES), "fill"),
    same("A12.89", lambda m: m.grad(_delete)(ONES), "__delitem__"),
    same("A12.90", lambda m: m.grad(lambda x: x.resize(3))(ONES), "resize"),
    same("A12.91", lambda m: m.grad(_set_shape)(ONES), "shape"),
    same("A12.92", lambda m: m.grad(lambda x: m.np.add(x, 1.0, out=np.zeros(2)).sum())(ONES), "out"),
    same("A12.93", lambda m: m.grad(lambda x: m.np.sum(x, out=np.zeros(())))(ONES), "out"),
)
def test_mutation(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("f", [_set_element, _set_slice], ids=["element", "slice"])
def test_an_assignment_that_is_refused_says_what_to_write(f: Any) -> None:
    with pytest.raises(TypeError, match=r"np\.zeros_like"):
        minigrad.grad(f)(1.0 if f is _set_element else ONES)


def test_rebinding_leaves_the_argument_as_it_was() -> None:
    x = np.ones(2)
    np.testing.assert_array_equal(minigrad.grad(lambda x: _rebind(x).sum())(x), [2.0, 2.0])
    np.testing.assert_array_equal(x, [1.0, 1.0])
