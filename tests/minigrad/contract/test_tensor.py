"""Contract A13: what stands for a value while a function is being differentiated, seen as a Python object."""

import math
import pickle
import weakref
from typing import Any, Callable

import numpy as np
import pytest

import minigrad

from .support import MINIGRAD, check, differs, rows, same

# Not here: A13.2 (isinstance of jax.Array).

ONES = np.ones(2)


def seen(m: Any, look: Callable[[Any], Any], x: Any) -> Any:
    """What `look` returns of a value that is being differentiated; a Tensor of a finished call is none to return."""
    found: list = []
    m.grad(lambda t: (found.append(look(t)), 0.0)[1])(x)
    return found


# ---- Kind, text, and comparison -------------------------------------------------------------------------------------


@rows(
    same("A13.3", lambda m: seen(m, lambda x: isinstance(x, np.ndarray), ONES)),
    same("A13.4", lambda m: seen(m, lambda x: isinstance(x, float), 1.0)),
    differs("A13.9", lambda m: seen(m, lambda x: f"{x:.2f}", 1.0), ["1.00"]),
    same("A13.9, array", lambda m: seen(m, lambda x: f"{x:.2f}", ONES), "unsupported format string"),
    same("A13.10", lambda m: seen(m, lambda x: "%.2f" % x, 1.0), "float"),
    same("A13.12", lambda m: seen(m, hash, 1.0), "unhashable type"),
    same("A13.13", lambda m: m.grad(lambda x: {x: 1.0}[x] * x)(1.0), "unhashable type"),
    same("A13.14", lambda m: seen(m, lambda x: [bool(x == 1.0), bool(x == 2.0)], 1.0)),
    same("A13.14, array", lambda m: seen(m, lambda x: x == np.array([1.0, 2.0]), ONES)),
    same("A13.15", lambda m: seen(m, lambda x: str(x == None), 1.0)),  # noqa: E711
    same("A13.16", lambda m: seen(m, lambda x: str(x == "a"), 1.0)),
    same("A13.17", lambda m: seen(m, lambda x: x is None, 1.0)),
    same("A13.18", lambda m: seen(m, lambda x: bool(x != 1.0), 1.0)),
    same("A13.19", lambda m: m.grad(lambda x: x < "a")(1.0), "not supported between instances"),
)
def test_kind_text_and_comparison(row: Any) -> None:
    check(row)


def test_the_type_and_a13_23_that_of_elements() -> None:
    assert seen(MINIGRAD, type, 1.0) == [minigrad.Tensor]
    assert seen(MINIGRAD, lambda x: [type(v) for v in x], ONES) == [[minigrad.Tensor] * 2]


@pytest.mark.parametrize(
    "look, x, text",
    [
        (repr, 1.0, "Tensor(1.0)"),
        (repr, ONES, "Tensor(array([1., 1.]))"),
        (str, 1.0, "Tensor(1.0)"),
        (lambda x: f"{x}", 1.0, "Tensor(1.0)"),
        (lambda x: str(x * 2), 1.0, "Tensor(2.0)"),
    ],
    ids=["A13.5", "A13.6", "A13.7", "A13.8", "A13.11"],
)
def test_the_text_says_that_it_is_a_tensor_and_which_value_it_has(look: Any, x: Any, text: str) -> None:
    assert seen(MINIGRAD, look, x) == [text]


def test_format_specs_are_those_of_the_number() -> None:
    specs = [".3f", "8.2e", "+g", "<10", "%"]
    assert seen(MINIGRAD, lambda x: [format(x, spec) for spec in specs], 1.5) == [[format(1.5, spec) for spec in specs]]
    assert seen(MINIGRAD, lambda x: f"{(x * 2).sum():.1f}", ONES) == ["4.0"]


def test_comparisons_are_plain_and_combine_as_masks() -> None:
    assert seen(MINIGRAD, lambda x: type(x == 1.0), 1.0) in ([bool], [np.bool_])
    ((mask, kind),) = seen(MINIGRAD, lambda x: ((x > 0) & ~(x > 2), type(x > 0)), np.array([1.0, 3.0]))
    assert kind is np.ndarray and mask.tolist() == [True, False]


# ---- A sequence of elements -----------------------------------------------------------------------------------------


@rows(
    same("A13.20", lambda m: m.grad(lambda x: x * len(x))(1.0), "len() of unsized object"),
    same("A13.20, 0-d", lambda m: m.grad(lambda x: x * len(x))(np.array(1.0)), "len() of unsized object"),
    same("A13.21", lambda m: m.grad(lambda x: x.sum() * len(x))(np.ones(3))),
    same("A13.22", lambda m: m.grad(lambda x: sum(x))(1.0), "iteration over a 0-d array"),
    same("A13.24", lambda m: m.grad(lambda x: [v * i for i, v in enumerate(reversed(x))][1])(ONES)),
    same("A13.25", lambda m: m.grad(lambda x: sum(a * b for a, b in zip(x, [1.0, 2.0])))(ONES)),
    same("A13.26", lambda m: m.grad(lambda x: sum(i * v for i, v in enumerate(x)))(np.ones(3))),
    same("A13.27", lambda m: m.grad(lambda x: x.sum() if 1.0 in x else 0.0)(ONES)),
    same("A13.27, not", lambda m: m.grad(lambda x: x.sum() if 2.0 not in x else 0.0)(ONES)),
    same("A13.28", lambda m: m.grad(lambda x: (lambda a, *b: a * b[0])(*x))(np.array([2.0, 3.0]))),
    same("A13.29", lambda m: seen(m, lambda x: len(list(x)), ONES)),
    same("A13.29, rows", lambda m: seen(m, lambda x: [v.shape for v in x], np.ones((3, 2)))),
)
def test_elements(row: Any) -> None:
    check(row)


# ---- Attributes -----------------------------------------------------------------------------------------------------

LOOKS = lambda x: (x.shape, x.ndim, x.size, str(x.dtype))  # noqa: E731


@rows(
    same("A13.30", lambda m: seen(m, LOOKS, np.ones((2, 3)))),
    same("A13.30, number", lambda m: seen(m, LOOKS, 1.0)),
    same("A13.30, complex64", lambda m: seen(m, LOOKS, np.ones((0, 3), np.complex64))),
    same("A13.30, result", lambda m: seen(m, lambda x: LOOKS((x * x).sum()), np.ones(3, np.float16))),
    same("A13.31", lambda m: m.grad(lambda x: (x.T @ x).sum())(np.ones((2, 1)))),
    same("A13.32", lambda m: m.grad(lambda x: x.real + x.imag)(2.0)),
    same("A13.32, complex", lambda m: m.grad(lambda z: (z.real * z.imag).sum())(np.array([1 + 2j, 3j]))),
    differs("A13.33", lambda m: m.grad(lambda x: x.flat[0])(ONES), np.array([1.0, 0.0])),
    same("A13.34", lambda m: seen(m, lambda x: (x.itemsize, x.nbytes), ONES)),
    same("A13.35", lambda m: m.grad(lambda x: x.foo)(1.0), "foo"),
)
def test_attributes(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("name", ["strides", "flags", "base", "data", "ctypes", "__array_interface__"])
def test_nothing_leads_to_the_memory(name: str) -> None:
    assert seen(MINIGRAD, lambda x: hasattr(x, name), ONES) == [False]


def test_numpy_hands_its_functions_over() -> None:
    names = ["__array__", "__array_ufunc__", "__array_function__"]
    assert seen(MINIGRAD, lambda x: [hasattr(x, name) for name in names], 1.0) == [[True, True, True]]


# ---- Other protocols ------------------------------------------------------------------------------------------------


def _set_attribute(x: Any) -> Any:
    x.foo = 1
    return x


@rows(
    same("A13.37", lambda m: m.grad(lambda x: len(pickle.dumps(x)) * x)(1.0), "pickl"),
    same("A13.38", lambda m: m.grad(lambda x: weakref.ref(x)() * 2)(1.0)),
    same("A13.39", lambda m: m.grad(lambda x: x())(1.0), "object is not callable"),
    same("A13.40", lambda m: m.grad(_set_attribute)(1.0), "foo"),
    same("A13.41", lambda m: m.grad(lambda x: x * 2 if math.isnan(x) else x)(1.0), "float"),
    differs("A13.42", lambda m: m.grad(lambda x: x * 2 if np.isnan(x) else x)(1.0), 1.0),
    same("A13.43", lambda m: m.grad(lambda x: x * 2 if m.np.isnan(x) else x)(1.0)),
)
def test_other_protocols(row: Any) -> None:
    check(row)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_refusal_to_be_pickled_says_what_to_pickle(protocol: int) -> None:
    with pytest.raises(TypeError, match="pickling a Tensor .*stop_gradient"):
        seen(MINIGRAD, lambda x: pickle.dumps({"x": [x]}, protocol), 1.0)


# ---- Operators ------------------------------------------------------------------------------------------------------

NOT_SUPPORTED = "unsupported operand type(s) for"


@rows(
    same("A13.44", lambda m: m.grad(lambda x: 1 + x)(1.0)),
    same("A13.45", lambda m: m.grad(lambda x: x + "a")(1.0), NOT_SUPPORTED),
    same("A13.46", lambda m: m.grad(lambda x: x + None)(1.0), NOT_SUPPORTED),
    differs("A13.47", lambda m: m.grad(lambda x: (x + [1.0, 2.0]).sum())(ONES), ONES),
    differs("A13.48", lambda m: m.grad(lambda x: (x * (1.0, 2.0)).sum())(ONES), np.array([1.0, 2.0])),
    differs("A13.49", lambda m: m.grad(lambda x: ([1.0, 2.0] * x).sum())(ONES), np.array([1.0, 2.0])),
    same("A13.50", lambda m: m.grad(lambda x: x & 1)(1.0)),
    same("A13.51", lambda m: m.grad(lambda x: ~x)(1.0)),
    same("A13.52", lambda m: m.grad(lambda x: x << 1)(1.0)),
    same("A13.53", lambda m: m.grad(lambda x: divmod(x, 2.0)[1] + divmod(x, 2.0)[0])(3.5)),
    same("A13.54", lambda m: m.grad(lambda x: pow(x, 2, 3))(3.5)),
    same("A13.55", lambda m: m.grad(lambda x: x @ 2.0)(ONES), "matmul"),
    differs("A13.56", lambda m: m.grad(lambda x: (x + np.ones(3)).sum())(ONES), ValueError, "broadcast"),
    differs("A13.57", lambda m: m.grad(lambda x: (x @ np.ones(3)).sum())(ONES), ValueError, "matmul"),
)
def test_operators(row: Any) -> None:
    check(row)
