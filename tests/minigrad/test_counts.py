"""Sums and means of more numbers than float16 can count: it ends at 65,504, and above 2,048 it leaves out whole numbers."""

import numpy as np
import pytest

from minigrad import grad, jvp, value_and_grad

HALF = np.float16


# In values, where NumPy counts and adds in float16.
OVERFLOWS = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:invalid value:RuntimeWarning")


def _close(gradient, expected):
    """A gradient in float16 differs from the expected one by rounding errors. Below 6e-5, float16 has fewer digits."""
    assert gradient.dtype == HALF
    np.testing.assert_allclose(gradient.astype(float), expected, rtol=4e-3, atol=1.2e-7)


def _numbers(n):
    return (np.arange(n) * 7919 % 1001 / 500 - 1).astype(HALF)


def _table(n):
    """Functions of a vector of n numbers, of a matrix of n rows, or of two numbers that are used n times."""
    x, ones, two = _numbers(n), np.ones(n, HALF), np.array([0.5, -0.25], HALF)
    rows, where = np.stack([x, -x], axis=1), np.arange(n) % 9 > 0
    y = np.where(where, x, np.nan).astype(HALF)
    index, shuffled = np.arange(n) % 2, _numbers(n)[::-1] + x / 2
    weights = np.abs(x) + HALF(0.5)
    return {
        "mean": (lambda t: np.mean(t), x),
        "mean, method": (lambda t: t.mean(), x),
        "mean of squares": (lambda t: np.mean(t**2), x),
        "mean of a product": (lambda t: np.mean(np.square(t * x)), two[0]),
        "mean, axis": (lambda t: np.sum(np.mean(t, axis=0) * two), rows),
        "mean, axes": (lambda t: np.mean(t, axis=(0, 1)), rows),
        "mean, keepdims": (lambda t: np.sum(np.mean(t, axis=0, keepdims=True) * two), rows),
        "mean, where": (lambda t: np.mean(t, where=where), x),
        "mean, where, axis": (lambda t: np.sum(np.mean(t, axis=0, where=where[:, None]) * two), rows),
        "nanmean": (lambda t: np.nanmean(t), y),
        "nanmean, axis": (lambda t: np.nanmean(t, axis=0, keepdims=True)[0], y),
        "var": (lambda t: np.var(t) * HALF(9), x),
        "var, ddof": (lambda t: np.sum(np.var(t, axis=0, ddof=1)) * HALF(9), rows),
        "var, where": (lambda t: np.var(t, where=where) * HALF(9), x),
        "var, mean": (lambda t: np.var(x, mean=t), two[:1] / 10),
        "std": (lambda t: np.std(t) * HALF(9), x),
        "nanvar": (lambda t: np.nanvar(t) * HALF(9), y),
        "nanstd, axis": (lambda t: np.nanstd(t, axis=0) * HALF(9), y),
        "average": (lambda t: np.average(t), x),
        "average, weights": (lambda t: np.average(t, weights=weights) * HALF(9), x),
        "average, by weights": (lambda t: np.average(x, weights=t) * HALF(9), weights),
        "cov": (lambda t: np.cov(t) * HALF(9), x),
        "cov, two": (lambda t: np.cov(t, shuffled)[0, 1] * HALF(9), x),
        "cov, aweights": (lambda t: np.cov(t, aweights=weights) * HALF(9), x),
        "corrcoef": (lambda t: np.corrcoef(t, shuffled)[0, 1] * HALF(9), x),
        "max": (lambda t: np.max(t), ones),
        "min, axis": (lambda t: np.min(t, axis=0), ones),
        "max, initial": (lambda t: np.max(t, initial=1), ones),
        "max, where": (lambda t: np.max(t, where=where, initial=0), ones),
        "nanmax": (lambda t: np.nanmax(t), np.where(where, 1, np.nan).astype(HALF)),
        "maximum.reduce": (lambda t: np.maximum.reduce(t), ones),
        "ptp": (lambda t: np.ptp(t), np.concatenate([ones, -ones])),
        "norm, inf": (lambda t: np.linalg.norm(t, np.inf), ones),
        "norm, -inf": (lambda t: np.linalg.norm(t, -np.inf), ones),
        "norm, 3": (lambda t: np.linalg.norm(t, 3), x / 8),
        "vector_norm, inf": (lambda t: np.linalg.vector_norm(t, ord=np.inf), ones),
        "median": (lambda t: np.median(t), x),
        "nanmedian": (lambda t: np.nanmedian(t), y),
        "broadcasting": (lambda t: np.mean(t * rows + t), two),
        "broadcasting a number": (lambda t: np.mean(t * (rows + HALF(1))), two[0]),
        "broadcasting a row": (lambda t: np.mean(np.broadcast_to(t, (n, 2))), two),
        "broadcasting a column": (lambda t: np.mean(t[:, None] + np.ones((2, n), HALF)), two),
        "take": (lambda t: np.mean(t[index]), two),
        "repeat": (lambda t: np.mean(np.repeat(t, n)), two),
        "tile": (lambda t: np.mean(np.tile(t, n)), two),
        "pad": (lambda t: np.mean(np.pad(t, (0, n), "edge")), two),
        "meshgrid": (lambda t: np.mean(np.meshgrid(t, ones)[0]), two),
        "matmul": (lambda t: np.mean((rows + HALF(1)) @ t), two),
        "einsum": (lambda t: np.mean(np.einsum("ij,j->ij", rows + HALF(1), t)), two),
        "vecdot": (lambda t: np.mean(np.vecdot(rows + HALF(1), t)), two),
        "cumsum": (lambda t: np.mean(np.cumsum(t)), x),
        "cumsum of ones": (lambda t: np.sum(np.cumsum(t) / HALF(16)), x),
        "cumsum, axis": (lambda t: np.mean(np.cumsum(t, axis=0)), rows),
        "linspace": (lambda t: np.mean(np.linspace(t, HALF(1), n, dtype=HALF)), two[0]),
        "linspace, stop": (lambda t: np.mean(np.linspace(HALF(1), t, n, dtype=HALF)), two[0]),
        "trapezoid": (lambda t: np.trapezoid(t, dx=2.0 / n), x),
        "trapezoid, dx": (lambda t: np.trapezoid(x / 8, dx=t), HALF(0.01)),
        "interp": (lambda t: np.mean(np.interp(x, [-1.0, 1.0], t)), two),
    }


def _expected(f, t):
    """The gradient in float64. The constants of f are in float16, and do not matter beside a float64 argument."""
    return grad(f)(t.astype(float) if isinstance(t, np.ndarray) else np.float64(t))


@pytest.mark.parametrize("n", [65_520, 70_000])
@pytest.mark.parametrize("name", _table(3))
@OVERFLOWS
def test_gradients_in_float16(name, n):
    f, t = _table(n)[name]
    expected = _expected(f, t)
    assert np.any(expected)
    _close(grad(f)(t), expected)


@pytest.mark.parametrize("n", [65_520, 70_000])
@OVERFLOWS
def test_second_derivatives_in_float16(n):
    x = _numbers(n)
    for f, scale in [(lambda t: np.mean(t**3), 1), (lambda t: np.var(t) * t[0], 9), (lambda t: np.average(t * t), 1)]:
        v = (x[::-1] * scale).astype(HALF)
        expected = jvp(grad(f), (x.astype(float),), (v.astype(float),))[1]
        _close(jvp(grad(f), (x,), (v,))[1], expected)


def test_a_line_is_fitted_to_70000_points_in_float16():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 70_000).astype(HALF)
    y = (3 * x + 0.5).astype(HALF)

    def loss(w, b):
        return np.mean((w * x + b - y) ** 2)

    w, b = HALF(0), HALF(0)
    for _ in range(60):
        value, (gw, gb) = value_and_grad(loss, (0, 1))(w, b)
        w, b = w - HALF(0.5) * gw, b - HALF(0.5) * gb
    assert abs(w - 3) < 0.02 and abs(b - 0.5) < 0.01 and value < 1e-4


def test_counts_beyond_float32_are_whole_numbers():
    """Adding ones in float32 ends at 2**24. So elements are counted as whole numbers."""
    where = np.ones((2**24 + 64, 1), bool)
    g = grad(lambda t: np.mean(np.broadcast_to(t, where.shape), axis=0, where=where)[0])(np.ones((1, 1)))
    np.testing.assert_allclose(g, 1, rtol=1e-9)
