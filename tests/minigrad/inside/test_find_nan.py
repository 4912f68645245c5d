"""find_nan names the operation, the line and the element, for the usual causes; and says what to write instead."""

import warnings

import numpy as np
import pytest

import minigrad
from minigrad import find_nan

from ..support import cases

ZERO, ONE, NEGATIVE, LARGE = np.array([4.0, 0.0]), np.array([0.5, 1.0]), np.array([4.0, -1.0]), np.array([1.0, 1000.0])


# Name: the function, its argument, the stage, the operation, the element, and a word of the advice.
USUAL = {
    "sqrt behind a mask": (lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)), ZERO, "backward", "np.sqrt", (1,), "np.where"),
    "sqrt of a negative behind a mask": (lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)), NEGATIVE, "forward", "np.sqrt", (1,), "safe"),
    "log behind a mask": (lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), ZERO, "forward", "np.log", (1,), "safe"),
    "log of 0": (lambda x: np.sum(np.log(x)), ZERO, "forward", "np.log", (1,), "1e-12"),
    "log of a negative": (lambda x: np.sum(np.log(x)), NEGATIVE, "forward", "np.log", (1,), "negative"),
    "x log x": (lambda x: np.sum(x * np.log(x)), ZERO, "forward", "np.log", (1,), "xlogy"),
    "cross-entropy": (lambda x: -np.sum(np.log(x / x.sum())), ZERO, "forward", "np.log", (1,), "logsumexp"),
    "log2": (lambda x: np.sum(np.log2(x)), ZERO, "forward", "np.log2", (1,), "1e-12"),
    "log1p": (lambda x: np.sum(np.log1p(x)), NEGATIVE, "forward", "np.log1p", (1,), "-1"),
    "norm of a vector": (lambda x: np.linalg.norm(x), np.zeros(2), "backward", "np.linalg.norm", (0,), "1e-12"),
    "norm of a row": (lambda x: np.sum(np.linalg.norm(x, axis=1)), np.array([[1.0, 2.0], [0.0, 0.0]]), "backward", "np.linalg.norm", (1, 0), "1e-12"),
    "distance": (lambda x: np.sqrt(np.sum((x - 1.0) ** 2)), np.ones(2), "backward", "np.sqrt", (), "1e-12"),
    "softmax": (lambda x: (np.exp(x) / np.sum(np.exp(x)))[0], LARGE, "forward", "np.exp", (1,), "z.max()"),
    "log(exp + exp)": (lambda x: np.log(np.exp(x[0]) + np.exp(x[1])), LARGE, "forward", "np.exp", (), "logaddexp"),
    "softplus": (lambda x: np.sum(np.log(1 + np.exp(x))), LARGE, "forward", "np.exp", (1,), "np.logaddexp(0, x)"),
    "sigmoid": (lambda x: np.sum(1 / (1 + np.exp(-x))), -LARGE, "forward", "np.exp", (1,), "tanh"),
    "cosh": (lambda x: np.sum(np.log(np.cosh(x))), LARGE, "forward", "np.cosh", (1,), "overflow"),
    "x / n with n = 0": (lambda x: np.sum(x) / np.sum(x > 9), ZERO, "forward", "np.divide", (), "np.maximum(n, 1)"),
    "0 / 0": (lambda x: np.sum(x / x), ZERO, "forward", "np.divide", (1,), "safe"),
    "1 / x": (lambda x: np.sum(1 / x), ZERO, "forward", "np.divide", (1,), "division by 0"),
    "a unit vector": (lambda x: np.sum(x / np.sqrt(np.sum(x * x))), np.zeros(2), "forward", "np.divide", (0,), "division by 0"),
    "reciprocal": (lambda x: np.sum(np.reciprocal(x)), ZERO, "forward", "np.reciprocal", (1,), "division by 0"),
    "a root as a power": (lambda x: np.sum(x ** 0.5), ZERO, "backward", "np.power", (1,), "infinite slope"),
    "a power of a negative": (lambda x: np.sum(x ** 1.5), NEGATIVE, "forward", "np.power", (1,), "not whole"),
    "0 to the power x": (lambda x: np.sum(x ** -1.0), ZERO, "forward", "np.power", (1,), "infinite"),
    "arccos at 1": (lambda x: np.sum(np.arccos(x)), ONE, "backward", "np.arccos", (1,), "np.clip"),
    "arcsin beyond 1": (lambda x: np.sum(np.arcsin(2 * x)), ONE, "forward", "np.arcsin", (1,), "np.clip"),
    "arctanh at 1": (lambda x: np.sum(np.arctanh(x)), ONE, "forward", "np.arctanh", (1,), "np.clip"),
    "arccosh at 1": (lambda x: np.sum(np.arccosh(x + 0.5)), ONE, "backward", "np.arccosh", (0,), "np.maximum"),
    "the spread of equal numbers": (lambda x: np.std(x), np.ones(3), "backward", "np.std", (0,), "np.var"),
    "the variance of one number": (lambda x: np.var(x[:1], ddof=1), ONE, "forward", "np.var", (), "ddof"),
    "a cube root": (lambda x: np.sum(np.cbrt(x)), ZERO, "backward", "np.cbrt", (1,), "infinite slope"),
    "squares that overflow": (lambda x: np.sum((x * 1e200) ** 2), ONE, "forward", "np.power", (0,), "overflow"),
    "float16": (lambda x: np.sum(x * x), np.array([1.0, 300.0], np.float16), "forward", "np.multiply", (1,), "float64"),
}


@pytest.mark.filterwarnings("ignore:Degrees of freedom:RuntimeWarning")
@cases(USUAL)
def test_usual_causes(case):
    fun, x, stage, title, index, word = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Degrees of freedom")
        finding = find_nan(fun)(x)
    assert (finding.stage, finding.operation.title, finding.index) == (stage, title, index)
    assert word in finding.advice
    assert not np.isfinite(finding.result)
    assert finding.line.file == __file__ and finding.line.number == fun.__code__.co_firstlineno
    assert word in str(finding) and title.removeprefix("np.") in str(finding).replace("**", "power").replace("/", "divide").replace("*", "multiply")


def test_the_operands_at_the_element():
    finding = find_nan(lambda p: np.sum(p["a"] / p["b"]))({"a": np.array([[1.0, 2.0]]), "b": np.array([[3.0], [0.0]])})
    assert finding.index == (1, 0) and finding.operands == {"p['a']": 1.0, "p['b']": 0.0} and finding.result == np.inf


def test_finite_numbers_give_none():
    assert find_nan(lambda x: np.sum(np.sin(x)))(np.ones(3)) is None
    assert find_nan(lambda p: p["a"] * p["b"])({"a": 1.0, "b": 2.0}) is None


def test_inputs_that_are_not_finite():
    finding = find_nan(lambda p, y: np.sum(p["w"] * y))({"w": np.array([1.0, np.nan])}, np.ones(2))
    assert (finding.stage, finding.text, finding.index) == ("input", "p['w']", (1,))
    finding = find_nan(lambda w, y: np.sum(w * y))(np.ones(2), np.array([np.inf, 1.0]))
    assert (finding.stage, finding.text, finding.index, finding.result) == ("input", "y", (0,), np.inf)


def test_an_infinity_that_does_no_harm_is_said_to_do_none():
    finding = find_nan(lambda x: np.sum(x * np.sign(np.exp(x))))(np.array([1000.0]))
    assert finding.operation.title == "np.exp" and finding.ends_finite and "finite all the same" in str(finding)


def test_the_twice_used_where_is_the_remedy():
    def remedied(x):
        ok = x > 0
        return np.sum(np.where(ok, np.sqrt(np.where(ok, x, 1.0)), 0.0))

    assert find_nan(remedied)(ZERO) is None
    np.testing.assert_allclose(minigrad.grad(remedied)(ZERO), [0.25, 0.0], rtol=1e-15)
