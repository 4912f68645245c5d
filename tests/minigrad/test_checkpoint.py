"""checkpoint: it saves memory, and gives the derivatives that the function has without it.

Where JAX can compute the same, its result is the expected one.
"""

import functools
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import checkpoint, grad, jacfwd, jacobian, jacrev, vjp

from .contract.support import JAX, MINIGRAD
from .support import assert_alike, assert_close, cases


def deep(x, w):
    """A layer that keeps ten arrays on its way, or twenty, with those of the products."""
    for _ in range(10):
        x = np.sin(x * w)
    return x


def peak(fun, *args):
    tracemalloc.start()
    try:
        result = fun(*args)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_checkpoint_lowers_the_peak_memory_of_a_chain_of_layers():
    n, layers = 50_000, 20
    x, w = np.linspace(0.1, 1.0, n), np.linspace(1.0, 1.5, n)

    def chain(layer):
        def loss(p):
            y = p["x"]
            for _ in range(layers):
                y = layer(y, p["w"])
            return y.sum()

        return grad(loss)

    small = {"x": x[:10], "w": w[:10]}
    chain(deep)(small), chain(checkpoint(deep))(small)
    plain, plain_peak = peak(chain(deep), {"x": x, "w": w})
    saved, saved_peak = peak(chain(checkpoint(deep)), {"x": x, "w": w})
    assert_close(saved, plain, 1e-13)
    assert plain_peak > 10 * layers * x.nbytes
    assert saved_peak < 5 * layers * x.nbytes
    blocks, blocks_peak = peak(chain(checkpoint(checkpoint(deep))), {"x": x, "w": w})
    assert_close(blocks, plain, 1e-13)
    assert blocks_peak < 5 * layers * x.nbytes


def test_nested_checkpoints_keep_only_what_the_outer_ones_do():
    x = np.linspace(0.1, 1.0, 50_000)
    inner = checkpoint(lambda y: deep(y, 1.1))

    def block(y):
        for _ in range(6):
            y = inner(y)
        return y

    def loss(block):
        def total(x):
            for _ in range(6):
                x = block(x)
            return x.sum()

        return grad(total)

    plain, _ = peak(loss(block), x)
    flat, flat_peak = peak(loss(block), x)
    nested, nested_peak = peak(loss(checkpoint(block)), x)
    np.testing.assert_allclose(nested, plain, rtol=1e-13)
    np.testing.assert_array_equal(flat, plain)
    assert nested_peak < flat_peak - 10 * x.nbytes


def layered(m, ck, x, w, scale):
    """Two layers, with a value of the outer function in one of them, and keyword arguments."""
    first = ck(lambda x, *, w: m.tanh(x * w["a"]) * w["b"][0])
    second = ck(lambda x: m.sin(x) * scale)
    return m.sum(second(first(x, w=w)) ** 2)


LAYER_ARGS = (np.array([0.3, -0.8]), {"a": np.array([1.5, 0.5]), "b": [2.0]}, 1.25)


def test_checkpoint_with_keywords_trees_and_values_from_outside():
    every = (0, 1, 2)
    ours = grad(functools.partial(layered, np, checkpoint), every)(*LAYER_ARGS)
    plain = grad(functools.partial(layered, np, lambda f: f), every)(*LAYER_ARGS)
    theirs = jax.grad(functools.partial(layered, jnp, jax.checkpoint), every)(*LAYER_ARGS)
    assert_close(ours, plain, 1e-14)
    assert_close(ours, theirs, 1e-13)
    assert_alike(ours, LAYER_ARGS)
    nested = grad(functools.partial(layered, np, lambda f: checkpoint(checkpoint(checkpoint(f)))), every)(*LAYER_ARGS)
    assert_close(nested, plain, 1e-14)


@cases({
    "grad(grad)": lambda m, f, x: m.grad(lambda x: m.np.sum(m.grad(f)(x) ** 2))(x),
    "grad(grad(grad))": lambda m, f, x: m.grad(lambda x: m.np.sum(
        m.grad(lambda x: m.np.sum(m.grad(f)(x) ** 2))(x) ** 2))(x),
    "jacrev of grad": lambda m, f, x: m.jacrev(m.grad(f))(x),
    "jacfwd of grad": lambda m, f, x: m.jacfwd(m.grad(f))(x),
    "hessian": lambda m, f, x: m.hessian(f)(x),
    "jvp of grad": lambda m, f, x: m.jvp(m.grad(f), (x,), (x,)),
    "jvp": lambda m, f, x: m.jvp(f, (x,), (x,)),
    "vjp of grad": lambda m, f, x: m.vjp(m.grad(f), x)[1](x),
})
@pytest.mark.parametrize("nested", [1, 2], ids=["once", "in itself"])
@pytest.mark.parametrize("outside", [False, True], ids=["arguments alone", "a value from outside"])
def test_checkpoint_under_other_transforms(case, nested, outside):
    def loss(xp, ck):
        def wrapped(f):
            for _ in range(nested):
                f = ck(f)
            return f

        def total(x):
            layer = wrapped(lambda y, k: xp.sin(y) * y**2 * k * (x[::-1] if outside else 1.0))
            return xp.sum(wrapped(lambda y: layer(y, 2.0) * xp.exp(y))(x * 1.5))

        return total

    ours = case(MINIGRAD, loss(np, checkpoint), LAYER_ARGS[0])
    plain = case(MINIGRAD, loss(np, lambda f: f), LAYER_ARGS[0])
    theirs = case(JAX, loss(jnp, jax.checkpoint), LAYER_ARGS[0])
    assert_close(ours, plain, 1e-12)
    assert_close(ours, theirs, 1e-11)


def test_the_jacobian_of_a_checkpointed_layer():
    x, w = np.linspace(0.1, 1.0, 5), np.linspace(1.0, 2.0, 5)
    expected = np.diag(w * np.cos(x * w)), np.diag(x * np.cos(x * w))
    layer = checkpoint(lambda x, w: np.sin(x * w))
    for transform in (jacrev, jacfwd, jacobian):
        for found, wanted in zip(transform(layer, (0, 1))(x, w), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=0)


@cases({
    "an argument": lambda layer, x, w: layer(x, w),
    "a keyword": lambda layer, x, w: layer(x, w=w),
    "in a tree": lambda layer, x, w: checkpoint(lambda p, x: layer(x, p["w"][0]))({"w": [w, None]}, x),
    "nested": lambda layer, x, w: checkpoint(checkpoint(layer))(x, w),
    "a view": lambda layer, x, w: layer(x, w[:]),
})
@pytest.mark.parametrize("n", [4, 50_000], ids=["small", "large"])
def test_an_array_that_changes_after_a_checkpointed_call(case, n):
    layer = checkpoint(lambda x, w: np.sin(x * w))
    x, w = np.linspace(0.1, 1.0, n), np.linspace(1.0, 2.0, n)
    expected = w * np.cos(x * w)

    def loss(x):
        y = case(layer, x, w)
        w[:] = 100.0
        return y.sum()

    np.testing.assert_allclose(grad(loss)(x), expected, rtol=1e-14)
    np.testing.assert_array_equal(w, np.full(n, 100.0))


def test_the_argument_of_a_checkpointed_vjp_may_change():
    x = np.linspace(0.1, 1.0, 4)
    expected = np.cos(x)
    _, vjp_fun = vjp(checkpoint(np.sin), x)
    x[:] = 100.0
    for _ in range(2):
        np.testing.assert_allclose(vjp_fun(np.ones(4))[0], expected, rtol=1e-15)


def test_a_checkpointed_function_may_write_into_its_arrays():
    def layer(x, w):
        w *= 2.0
        return x * w

    for layered in (checkpoint(layer), checkpoint(checkpoint(layer))):
        w = np.array([1.0, 2.0])
        np.testing.assert_array_equal(grad(lambda x: layered(x, w).sum())(np.ones(2)), [2.0, 4.0])
        w = np.array([1.0, 2.0])
        np.testing.assert_array_equal(jacrev(lambda x: layered(x, w))(np.ones(2)), np.diag([2.0, 4.0]))


def test_checkpoint_as_a_method():
    class Layer:
        def __init__(self, w):
            self.w = w

        @checkpoint
        def __call__(self, x):
            return np.sin(self.w * x)

    x = np.array([0.5, 1.5])
    np.testing.assert_allclose(grad(lambda x: Layer(2.0)(x).sum())(x), 2.0 * np.cos(2.0 * x), rtol=1e-15)
    assert grad(lambda w: Layer(w)(x).sum())(2.0) == pytest.approx((x * np.cos(2.0 * x)).sum(), rel=1e-15)
