"""custom_vjp: functions with a derivative of their own, under each transform, as methods, and with trees."""

import jax
import numpy as np

from minigrad import checkpoint, custom_vjp, grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, vjp

from .contract.support import JAX, MINIGRAD
from .support import assert_close, cases


def scaled(m, factor):
    """x ** 3, with a derivative that is `factor` times too large."""
    f = m.custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, x), lambda x, g: (factor * 3.0 * g * x**2,))
    return f


def test_custom_vjp_under_jacobian_hessian_and_jvp():
    x, v = np.array([0.5, 1.5, -2.0]), np.array([1.0, 10.0, -3.0])
    f = scaled(MINIGRAD, 10.0)
    first, second = 30.0 * x**2, 60.0 * x
    for transform in (jacrev, jacfwd, jacobian):
        np.testing.assert_allclose(transform(f)(x), np.diag(first), rtol=1e-15, atol=0)
    np.testing.assert_allclose(jacrev(f)(x), jax.jacrev(scaled(jax, 10.0))(x), rtol=1e-14)
    np.testing.assert_allclose(hessian(lambda x: f(x).sum())(x), np.diag(second), rtol=1e-15, atol=0)
    value, tangent = jvp(f, (x,), (v,))
    np.testing.assert_array_equal(value, x**3)
    np.testing.assert_allclose(tangent, first * v, rtol=1e-15)
    np.testing.assert_allclose(linearize(f, x)[1](v), first * v, rtol=1e-15)
    np.testing.assert_allclose(hvp(lambda x: f(x).sum(), (x,), (v,)), second * v, rtol=1e-15)
    np.testing.assert_allclose(vjp(f, x)[1](v)[0], first * v, rtol=1e-15)
    np.testing.assert_allclose(grad(lambda x: checkpoint(f)(np.sin(x)).sum())(x), 30.0 * np.sin(x) ** 2 * np.cos(x),
                               rtol=1e-14)


def test_the_derivative_of_a_custom_derivative_is_that_of_its_backward_function():
    f = custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, x), lambda x, g: (g * np.sin(x),))
    assert grad(f)(0.5) == np.sin(0.5)
    assert grad(grad(f))(0.5) == np.cos(0.5)
    assert hessian(f)(0.5) == np.cos(0.5)
    assert grad(grad(grad(f)))(0.5) == -np.sin(0.5)


class Gate:
    def __init__(self, factor):
        self.factor = factor

    @custom_vjp
    def __call__(self, x):
        return x * self.factor

    @custom_vjp
    def of_two(self, x, y=2.0):
        return x * y * self.factor

    __call__.defvjp(lambda self, x: (x * self.factor, self), lambda self, g: (None, g * self.factor * 10.0))
    of_two.defvjp(lambda self, x, y: (x * y * self.factor, (self, x, y)),
                  lambda r, g: (None, g * r[2] * r[0].factor * 100.0, g * r[1] * r[0].factor * 1000.0))


def test_custom_vjp_as_a_method():
    gate, x = Gate(3.0), np.array([1.0, 2.0])
    np.testing.assert_array_equal(gate(x), [3.0, 6.0])
    np.testing.assert_array_equal(grad(lambda x: gate(x).sum())(x), [30.0, 30.0])
    np.testing.assert_array_equal(jacrev(gate)(x), np.diag([30.0, 30.0]))
    np.testing.assert_array_equal(jacfwd(gate)(x), np.diag([30.0, 30.0]))
    np.testing.assert_array_equal(jvp(gate, (x,), (x,))[1], [30.0, 60.0])
    assert grad(gate.of_two)(5.0) == 600.0
    assert grad(lambda y: gate.of_two(5.0, y))(7.0) == 15000.0
    assert grad(lambda y: gate.of_two(x=5.0, y=y))(7.0) == 15000.0
    assert grad(gate.of_two, (0, 1))(5.0, 7.0) == (2100.0, 15000.0)
    assert hessian(lambda x: gate.of_two(x, x))(2.0) == 3.0 * (100.0 + 1000.0)
    assert Gate.of_two(gate, 5.0) == gate.of_two(5.0) == 30.0
    assert gate.of_two.func is Gate.of_two and Gate.of_two.__name__ == "of_two"


def trees_of(m):
    @m.custom_vjp
    def dense(p, x):
        return {"y": p["w"] * x + p["b"][0], "norm": (m.np.sum(p["w"] ** 2),)}

    def fwd(p, x):
        return dense(p, x), {"p": p, "x": x}

    def bwd(r, g):
        by_w = g["y"] * r["x"] + 2.0 * g["norm"][0] * r["p"]["w"]
        return {"w": 10.0 * by_w, "b": [m.np.sum(g["y"]) * 100.0]}, g["y"] * r["p"]["w"] * 1000.0

    dense.defvjp(fwd, bwd)
    return dense


@cases({
    "grad": lambda m, f, p, x: m.grad(lambda p, x: m.np.sum(f(p, x)["y"] ** 2) * f(p, x)["norm"][0], (0, 1))(p, x),
    "one result alone": lambda m, f, p, x: m.grad(lambda p, x: f(p, x)["norm"][0], (0, 1))(p, x),
    "vjp": lambda m, f, p, x: m.vjp(f, p, x)[1]({"y": x, "norm": (m.np.float64(2.0),)}),
    "jacrev": lambda m, f, p, x: m.jacrev(f, (0, 1))(p, x),
    "hessian": lambda m, f, p, x: m.jacrev(m.jacrev(f))(p, x),
    "grad(grad)": lambda m, f, p, x: m.grad(
        lambda p: m.np.sum(m.grad(lambda p: m.np.sum(f(p, x)["y"] ** 2))(p)["w"] ** 2))(p),
})
def test_custom_vjp_with_trees(case):
    p, x = {"w": np.array([0.5, -1.5]), "b": [0.25]}, np.array([3.0, 0.75])
    ours, theirs = case(MINIGRAD, trees_of(MINIGRAD), p, x), case(JAX, trees_of(JAX), p, x)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert_close(ours, theirs, 1e-13)


def test_custom_vjp_with_trees_forwards():
    f = trees_of(MINIGRAD)
    p, x = {"w": np.array([0.5, -1.5]), "b": [0.25]}, np.array([3.0, 0.75])
    dp, dx = {"w": np.array([1.0, 2.0]), "b": [0.5]}, np.array([-1.0, 0.1])
    value, tangent = jvp(f, (p, x), (dp, dx))
    np.testing.assert_array_equal(value["y"], p["w"] * x + 0.25)
    np.testing.assert_allclose(tangent["y"], 10.0 * dp["w"] * x + 50.0 + 1000.0 * dx * p["w"], rtol=1e-14)
    np.testing.assert_allclose(tangent["norm"][0], 20.0 * (p["w"] * dp["w"]).sum(), rtol=1e-14)
    columns = jacfwd(f)(p, x)
    np.testing.assert_allclose(columns["y"]["w"], 10.0 * np.diag(x), rtol=1e-14, atol=0)
    np.testing.assert_allclose(columns["y"]["b"][0], [100.0, 100.0], rtol=1e-15)
    np.testing.assert_allclose(columns["norm"][0]["w"], 20.0 * p["w"], rtol=1e-14)
    assert columns["norm"][0]["b"][0] == 0.0
