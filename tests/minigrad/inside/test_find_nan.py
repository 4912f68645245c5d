"""find_nan names the operation, the line and the element, for the usual causes; and says what to write instead."""

import warnings

import numpy as np
import pytest

import minigrad
import minigrad.scipy
from minigrad import find_nan

from ..support import cases

scipy = minigrad.scipy
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


# Name: the function, what its author writes after reading the advice, the argument, the operation, the element, words of the advice.
HIDDEN, HALF = np.array([[True, True], [False, False]]), np.array([0.5, 0.5])
POINTS, FULL = np.arange(6.0).reshape(3, 2), np.ones((2, 2))


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return np.sum(e / e.sum(-1, keepdims=True) * POINTS[:2])


def logsumexp(s):
    return s.max() + np.log(np.sum(np.exp(s - s.max())))


def normal(x, s):
    return np.sum(-0.5 * ((x - 1.0) / s) ** 2 - np.log(s))


def where_twice(ok, fun, x, instead=1.0):
    return np.sum(np.where(ok(x), fun(np.where(ok(x), x, instead)), 0.0))


REMEDIED = {
    "attention with a hidden row": (lambda x: softmax(np.where(HIDDEN, x, -np.inf)), lambda x: softmax(np.where(HIDDEN, x, -1e4)),
                                    FULL, "np.subtract", (1, 0), "-1e4"),
    "logsumexp of -inf only": (lambda x: logsumexp(np.where(x > 9, x, -np.inf)), lambda x: logsumexp(np.where(x > 9, x, -1e4)),
                               ONE, "np.subtract", (0,), "-1e4"),
    "SciPy's logsumexp of -inf only": (lambda x: scipy.special.logsumexp(np.where(x > 9, x, -np.inf)),
                                       lambda x: scipy.special.logsumexp(np.where(x > 9, x, -1e4)), ONE, "logsumexp", (0,), "-1e4"),
    "KL divergence, p = 0": (lambda p: np.sum(p * np.log(p / HALF)), lambda p: np.sum(p * np.log(np.maximum(p / HALF, 1e-12))),
                             np.array([1.0, 0.0]), "np.log", (1,), "x * np.log(np.maximum(x, 1e-12))"),
    "KL divergence, q = 0": (lambda q: np.sum(HALF * np.log(HALF / q)), lambda q: np.sum(HALF * np.log(HALF / np.maximum(q, 1e-12))),
                             np.array([1.0, 0.0]), "np.divide", (1,), "division by 0"),
    "a normal with sigma 0": (lambda s: normal(POINTS, s), lambda s: normal(POINTS, np.exp(s)), 0.0, "np.divide", (0, 0), "exp of a parameter"),
    "cosine of a zero vector": (lambda x: np.dot(x, HALF) / (np.linalg.norm(x) * np.linalg.norm(HALF)),
                                lambda x: np.dot(x, HALF) / (np.sqrt(np.sum(x ** 2) + 1e-12) * np.linalg.norm(HALF)),
                                np.zeros(2), "np.divide", (), "np.sqrt(np.sum(x ** 2) + 1e-12)"),
    "log of a determinant": (lambda a: np.log(np.linalg.det(a)), lambda a: np.linalg.slogdet(a + 1e-6 * np.eye(2))[1],
                             FULL, "np.log", (), "np.linalg.slogdet(a)[1]"),
    "slogdet of a singular matrix": (lambda a: np.linalg.slogdet(a)[1], lambda a: np.linalg.slogdet(a + 1e-6 * np.eye(2))[1],
                                     0 * FULL, "np.linalg.slogdet", (), "np.eye(n)"),
    "the spread of one number": (lambda x: np.std(x, ddof=1), lambda x: np.sqrt(np.var(x) + 1e-12), np.ones(1), "np.std", (), "np.var(x)"),
    "the spread of columns": (lambda x: np.sum(np.std(x, axis=0)), lambda x: np.sum(np.sqrt(np.var(x, axis=0) + 1e-12)),
                              np.array([[1.0, 2.0], [1.0, 3.0]]), "np.std", (0, 0), "axis="),
    "distances by roots": (lambda x: np.sum(np.sqrt(np.sum((x[:, None] - x) ** 2, -1))),
                           lambda x: np.sum(np.sqrt(np.sum((x[:, None] - x) ** 2, -1) + 1e-12)), POINTS, "np.sqrt", (0, 0), "1e-12"),
    "distances by norms": (lambda x: np.sum(np.linalg.norm(x[:, None] - x, axis=-1)),
                           lambda x: np.sum(np.sqrt(np.sum((x[:, None] - x) ** 2, axis=-1) + 1e-12)), POINTS, "np.linalg.norm", (0, 0, 0), "axis="),
    "arccos of a dot product": (lambda x: np.arccos(np.dot(x, x) / np.sum(x * x)),
                                lambda x: np.arccos(np.clip(np.dot(x, x) / np.sum(x * x), -1 + 1e-7, 1 - 1e-7)), ONE, "np.arccos", (), "np.clip"),
    "arctan2 at the origin": (lambda x: np.sum(np.arctan2(x[0], x[1:])),
                              lambda x: where_twice(lambda b: b != 0, lambda b: np.arctan2(x[0], b), x[1:]), np.zeros(2), "np.arctan2", None, "safe"),
    "a root of a square": (lambda x: np.sum((x * x) ** 0.5), lambda x: where_twice(lambda a: a > 0, lambda a: a ** 0.5, x * x),
                           ZERO, "np.power", (1,), "safe ** b"),
    "a power below 0": (lambda x: np.sum(x ** -0.5), lambda x: where_twice(lambda a: a > 0, lambda a: a ** -0.5, x), ZERO, "np.power", (1,), "safe ** b"),
    "normalised equal numbers": (lambda x: np.sum((x - x.mean()) / x.std()), lambda x: np.sum((x - x.mean()) / np.sqrt(np.var(x) + 1e-12)),
                                 np.ones(3), "np.divide", (0,), "np.sqrt(np.var(x) + 1e-12)"),
    "scaled to 0 to 1": (lambda x: np.sum((x - x.min()) / (x.max() - x.min())),
                         lambda x: np.sum((x - x.min()) / np.maximum(x.max() - x.min(), 1e-12)), np.ones(3), "np.divide", (0,), "division by 0"),
    "0 times infinity": (lambda x: np.sum((x > 1) * np.exp(1000 * x)), lambda x: where_twice(lambda x: x < 0.1, lambda x: np.exp(1000 * x), x, 0.0),
                         ONE, "np.exp", (1,), "overflows"),
    "a mask that multiplies": (lambda x: np.sum(x * np.array([0.0, np.inf]) * 0.0), lambda x: np.sum(np.where(np.isinf([0.0, np.inf]), 0.0, x)),
                               ZERO, "np.multiply", (1,), "0 times infinity"),
    "sums in float16": (lambda x: np.sum(x ** 2), lambda x: np.sum(x.astype(np.float64) ** 2), np.full(5, 150, np.float16), "np.sum", (), "float64"),
    "a root in float16": (lambda x: np.sum(np.sqrt(x)), lambda x: np.sum(np.sqrt(x + 1e-4)), np.array([0, 1], np.float16), "np.sqrt", (0,), "x + 1e-4"),
    "a logarithm in float16": (lambda x: np.sum(np.log(x)), lambda x: np.sum(np.log(x + 1e-4)), np.array([0, 1], np.float16), "np.log", (0,), "x + 1e-4"),
    "arctanh in float32": (lambda x: np.sum(np.arctanh(x)), lambda x: np.sum(np.arctanh(np.clip(x, -1 + 1e-7, 1 - 1e-7))),
                           np.array([0.5, 1], np.float32), "np.arctanh", (1,), "1 - 1e-7"),
    "log1p in float32": (lambda x: np.sum(np.log1p(-x)), lambda x: np.sum(np.log1p(np.maximum(-x, -1 + 1e-7))),
                         np.array([0.5, 1], np.float32), "np.log1p", (1,), "-1 + 1e-7"),
    "binary cross-entropy": (lambda p: -np.mean(np.array([1.0, 0.0]) * np.log(p) + np.array([0.0, 1.0]) * np.log(1 - p)),
                             lambda p: -np.mean(np.array([1.0, 0.0]) * np.log(p + 1e-12) + np.array([0.0, 1.0]) * np.log(1 - p + 1e-12)),
                             np.ones(2), "np.log", (0,), "1e-12"),
    "log of a sigmoid": (lambda x: np.sum(np.log(1 / (1 + np.exp(-x)))), lambda x: np.sum(-np.logaddexp(0, -x)), -LARGE, "np.exp", (1,), "-np.logaddexp(0, -x)"),
    "log of a softmax": (lambda x: np.sum(np.log(np.exp(x) / np.sum(np.exp(x)))), lambda x: np.sum(x - scipy.special.logsumexp(x)),
                         np.array([-800.0, 0.0]), "np.log", (0,), "scipy.special.logsumexp(z)"),
    "log(cosh)": (lambda x: np.sum(np.log(np.cosh(x))), lambda x: np.sum(np.logaddexp(x, -x) - np.log(2)), LARGE, "np.cosh", (1,), "np.logaddexp(x, -x)"),
    "a mean of nothing": (lambda x: np.mean(x[x > 9]), lambda x: x[x > 9].sum() / np.maximum(x[x > 9].size, 1), ONE, "np.mean", (), "np.maximum(x.size, 1)"),
    "sin(x) / x": (lambda x: np.sum(np.where(x != 0, np.sin(x) / x, 1.0)), lambda x: where_twice(lambda x: x != 0, lambda x: np.sin(x) / x, x),
                   ZERO, "np.divide", (1,), "safe"),
    "entropy by xlogy": (lambda p: np.sum(scipy.special.xlogy(p, p)), lambda p: np.sum(p * np.log(np.maximum(p, 1e-12))),
                         np.array([1.0, 0.0]), "scipy.special.xlogy", (1,), "np.maximum(y, 1e-12)"),
    "erfinv at 1": (lambda x: np.sum(scipy.special.erfinv(x)), lambda x: np.sum(scipy.special.erfinv(np.clip(x, -1 + 1e-7, 1 - 1e-7))),
                    ONE, "scipy.special.erfinv", (1,), "np.clip"),
    "equal eigenvalues": (lambda a: np.sum(np.linalg.eigh(a)[1][0]), lambda a: np.sum(np.linalg.eigh(a + np.diag([1e-3, 2e-3]))[1][0]),
                          np.eye(2), "np.linalg.eigh", (0, 0), "diagonal"),
    "a write in place": (lambda x: written(x, x), lambda x: written(x, np.maximum(x, 1e-12)), ZERO, "np.divide", (1,), "division by 0"),
}


def written(x, by):
    y = np.ones_like(x)
    y[0] = 3.0
    y /= by
    return y.sum()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@cases(REMEDIED)
def test_the_advice_works(case):
    """The element is found, and after the change that the advice names, the value and the gradient are finite."""
    fun, remedied, x, title, index, words = case
    finding = find_nan(fun)(x)
    assert (finding.operation.title, finding.index) == (title, index or finding.index) and words in finding.advice
    assert find_nan(remedied)(x) is None
    assert np.isfinite(remedied(x)) and np.all(np.isfinite(minigrad.grad(remedied)(x)))


@cases({
    "a mask of -inf": (lambda x: softmax(np.where(np.array([True, False]), x, -np.inf)), FULL),
    "an added mask of -inf": (lambda x: softmax(x + np.array([0.0, -np.inf])), FULL),
    "the largest of some": (lambda x: np.max(np.where(x > 0, x, -np.inf)), ONE),
    "a running least": (lambda x: np.min(np.minimum(x, np.array([np.inf, 2.0]))), ONE),
    "products with zeros": (lambda x: np.sum(np.cumprod(x)) + np.prod(x) + np.hypot(x[1], x[1]), ZERO),
})
def test_infinities_of_the_program_that_do_no_harm(case):
    fun, x = case
    assert find_nan(fun)(x) is None and np.all(np.isfinite(minigrad.grad(fun)(x)))


def test_what_lies_inside_is_said_to():
    inner = find_nan(lambda x: np.sum(minigrad.grad(lambda y: np.sum(np.sqrt(y)))(x)))(ZERO)
    assert "inner derivative" in inner.advice and inner.line.text in str(inner)
    assert "inside of the function" in find_nan(lambda x: np.sum(minigrad.checkpoint(lambda y: np.sqrt(y))(x)))(ZERO).advice


def test_an_error_comes_through_at_its_line_unless_it_comes_of_a_nan():
    def fails(x):
        y = x * 2.0
        return y[7]  # here

    with pytest.raises(IndexError) as caught:
        find_nan(fails)(ZERO)
    assert any("# here" in str(entry.statement) for entry in caught.traceback)
    with pytest.raises(np.linalg.LinAlgError):
        find_nan(lambda a: np.sum(np.linalg.inv(a)))(FULL)
    finding = find_nan(lambda x: np.sum(np.linalg.svd(np.outer(x, 1 / x))[1]))(ZERO)
    assert finding.operation.title == "np.divide"


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
