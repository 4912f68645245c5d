"""Cotangents of means and sums of squares are multiplied out late: there is no array of the products on the way back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad

X, Y = np.random.default_rng(0).normal(size=(2, 3, 4))
NUMBERS = {"w": 0.7, "b": -0.4}
ARRAYS = {"w": X[:, :1] + 1.0, "b": Y[0]}
SQUARES = {
    "numbers": (lambda np, p: np.mean((p["w"] * X + p["b"] - Y) ** 2), NUMBERS),
    "a sum": (lambda np, p: np.sum(np.square(p["w"] * X + p["b"] - Y)), NUMBERS),
    "the other way": (lambda np, p: np.mean((Y - (p["b"] + X * p["w"])) ** 2), NUMBERS),
    "a minus": (lambda np, p: np.mean((-(p["w"] * X) - p["b"]) ** 2), NUMBERS),
    "a difference of both": (lambda np, p: np.mean((p["w"] * X - p["b"] * Y) ** 2), NUMBERS),
    "a sum of both": (lambda np, p: np.mean((p["w"] * X + p["b"] * Y) ** 2), NUMBERS),
    "arrays": (lambda np, p: np.mean((p["w"] * X + p["b"] - Y) ** 2), ARRAYS),
    "a difference of arrays": (lambda np, p: np.mean((p["w"] - p["b"]) ** 2), ARRAYS),
    "an array and a number": (lambda np, p: np.mean((p["w"] * X + p["b"]) ** 2), {"w": X, "b": 0.3}),
    "arrays without axes": (lambda np, p: np.mean((p["w"] * X + p["b"]) ** 2), {"w": np.array(0.7), "b": np.float64(0.3)}),
    "one element": (lambda np, p: np.mean((p["w"] + X) ** 2 + p["b"]), {"w": np.array([[0.5]]), "b": np.array([1.0])}),
    "leaves": (lambda np, p: np.mean(p["w"] ** 2) * np.mean(p["b"] ** 2), ARRAYS),
    "two uses": (lambda np, p: (lambda r: np.mean(r**2) + np.sum(r * X) + np.mean(r**2) ** 2)(p["w"] * X - p["b"]), NUMBERS),
    "parts": (lambda np, p: np.mean(p["w"][0] ** 2) + np.mean((p["w"] - X) ** 2) + p["w"][1, 2] * p["b"], {"w": Y, "b": 2.0}),
    "a power of it": (lambda np, p: np.exp(-np.mean((p["w"] * X + p["b"]) ** 2)), NUMBERS),
    "integers": (lambda np, p: np.mean((p["w"] * np.arange(5) + p["b"]) ** 2), NUMBERS),
    "long": (lambda np, p: np.mean((p["w"] * np.arange(25_000.0) / 1e4 + p["b"]) ** 2), NUMBERS),
}


@pytest.mark.parametrize("name", SQUARES)
def test_means_of_squares(name):
    f, p = SQUARES[name]
    value, gradient = value_and_grad(lambda p: f(np, p))(p)
    in_jax = jax.value_and_grad(lambda p: f(jnp, p))(p)
    v = {"w": 0.3, "b": -1.1}
    second = grad(lambda p: sum(np.sum(g * v[k]) for k, g in grad(lambda p: f(np, p))(p).items()))(p)
    second_in_jax = jax.grad(lambda p: sum(jnp.sum(g * v[k]) for k, g in jax.grad(lambda p: f(jnp, p))(p).items()))(p)
    for ours, theirs in ((value, in_jax[0]), *((gradient[k], in_jax[1][k]) for k in p), *((second[k], second_in_jax[k]) for k in p)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    for k in p:
        assert type(gradient[k]) is type(p[k]) and np.shape(gradient[k]) == np.shape(p[k])


def test_means_of_squares_in_float32():
    x = X.astype(np.float32)
    p = {"w": x + 1, "b": np.float32(0.5), "c": 0.25}
    f = lambda p: np.mean((p["w"] * p["c"] - p["b"] - x) ** 2)
    gradient, wide = grad(f)(p), grad(f)({**p, "w": p["w"].astype(float), "b": 0.5})
    assert gradient["w"].dtype == gradient["b"].dtype == np.float32 and type(gradient["c"]) is float
    for k in p:
        np.testing.assert_allclose(gradient[k], wide[k], rtol=1e-5)
    wide_mean = grad(lambda p: np.mean((p["w"] * p["c"] - p["b"] - x) ** 2, dtype=float))(p)
    np.testing.assert_allclose(wide_mean["w"], gradient["w"], rtol=1e-5)
    assert wide_mean["w"].dtype == np.float32


def test_infinite_cotangents_of_squares():
    """Infinity meets each element, as it does in JAX: times zero it is nan."""
    f = lambda np, b: np.mean((b + X * 0.0) ** 2) * np.inf
    for b in (0.0, 2.0):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(grad(lambda b: f(np, b))(b), jax.grad(lambda b: f(jnp, b))(b))
    x = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        assert np.isnan(grad(lambda b: np.mean((b * x) ** 2) * np.inf)(1.0))
    assert np.isnan(jax.grad(lambda b: jnp.mean((b * x) ** 2) * jnp.inf)(1.0))


@pytest.mark.parametrize("kind", [float, np.float64, lambda w: np.full(1, w)], ids=["float", "float64", "array"])
@pytest.mark.parametrize("x, w, factor, expected", [
    (1e300, 1e-290, 1e-20, 2e290),
    (1e-170, 1e10, 1e300, 2e-30),
    (1e-200, 0.0, 1.0, 0.0),
    (-1e-160, 1e-130, 1e290, 2e-160),
])
def test_products_that_are_too_large_or_too_small_without_the_factor(kind, x, w, factor, expected):
    """The residual times x overflows, or vanishes. The cotangent of the residual times x does neither."""
    with np.errstate(over="ignore"):
        gradient = grad(lambda w: factor * np.mean((w * np.full(3, x)) ** 2))(kind(w))
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_sums_that_are_too_large_without_the_factor():
    f = lambda b: np.exp(-np.sum((b + np.full(4, 1.5e308)) ** 2))
    with np.errstate(over="ignore"):
        assert grad(f)(1.0) == 0.0


def test_the_gradient_of_an_infinite_mean_may_be_finite():
    with np.errstate(over="ignore"):
        assert grad(lambda b: np.mean((b + np.full(4, 5e307)) ** 2))(0.0) == 1e308


@pytest.mark.parametrize("n", [9_000, 70_000])
def test_sums_of_products_in_float16(n):
    """float16 ends at 65,504, so the sum is taken in float32, as everywhere."""
    k = np.full(n, 10, np.float16)
    assert grad(lambda w: np.sum(w * k, dtype=np.float32))(1.0) == 10 * n
    assert grad(lambda w: np.sum((w * k) ** 2, dtype=np.float32))(1.0) == 200 * n


def test_what_is_multiplied_out_late_shares_no_memory():
    x = np.arange(3.0)
    seen = []
    gradient = grad(lambda p: (seen.append(p["a"] + 0.0), np.mean(seen[0] ** 2))[1])({"a": x})["a"]
    np.testing.assert_allclose(gradient, 2 * x / 3, rtol=1e-15)
    assert not np.shares_memory(gradient, seen[0].value) and gradient.flags.writeable and gradient.flags.owndata
