"""hvp: products of the Hessian and a vector, held against JAX's jvp of grad; and what hvp refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, hessian, hvp, jacfwd, jacrev, jvp

from .support import Counted, assert_alike, assert_close, cases

MATRIX = np.array([[2.0, 0.5, -1.0], [0.5, 3.0, 0.25], [-1.0, 0.25, 4.0]])
VECTOR, DIRECTION = np.array([0.3, -0.7, 1.1]), np.array([1.0, 10.0, -3.0])
PARAMS = {"w": np.array([[0.5, -0.25, 0.75], [1.5, 0.1, -0.3]]), "b": [np.array([0.1, 0.2]), 0.3]}
STEP = {"w": np.array([[1.0, 0.5, -2.0], [0.25, 3.0, 1.0]]), "b": [np.array([-1.0, 2.0]), 0.5]}


def rosenbrock(m, x):
    return m.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def perceptron(m, p):
    return m.sum(m.tanh(p["w"] @ VECTOR + p["b"][0]) ** 2) * m.exp(p["b"][1])


HVP = {
    "a number": (lambda m, x: m.sin(x) * x**3, (0.7,), (2.0,)),
    "squares": (lambda m, x: m.sum(x**2), (VECTOR,), (DIRECTION,)),
    "cubes": (lambda m, x: m.sum(x**3), (VECTOR,), (DIRECTION,)),
    "a quadratic form": (lambda m, x: x @ MATRIX @ x / 2, (VECTOR,), (DIRECTION,)),
    "linear": (lambda m, x: m.sum(x * VECTOR), (VECTOR,), (DIRECTION,)),
    "constant": (lambda m, x: 3.0 * m.sum(VECTOR), (VECTOR,), (DIRECTION,)),
    "rosenbrock": (rosenbrock, (VECTOR,), (DIRECTION,)),
    "log of a sum of exponentials": (lambda m, x: m.log(m.sum(m.exp(MATRIX @ x))), (VECTOR,), (DIRECTION,)),
    "variance": (lambda m, x: m.var(x) * m.max(x), (VECTOR,), (DIRECTION,)),
    "products": (lambda m, x: m.prod(x), (VECTOR,), (DIRECTION,)),
    "a matrix": (lambda m, a: m.sum((a @ a) ** 2), (MATRIX,), (MATRIX[::-1].copy(),)),
    "float32": (lambda m, x: m.sum(x**3), (VECTOR.astype(np.float32),), (DIRECTION.astype(np.float32),)),
    "a 0-d array": (lambda m, x: m.exp(2.0 * x), (np.array(0.5),), (np.array(3.0),)),
    "a tree": (perceptron, (PARAMS,), (STEP,)),
    "two arguments": (lambda m, x, y: x**2 * y**3, (2.0, 3.0), (0.5, 0.25)),
    "two, one unused": (lambda m, x, y: m.sum(x**3), (VECTOR, 3.0), (DIRECTION, 0.25)),
    "three, with a tree": (
        lambda m, x, p, y: perceptron(m, p) * m.sum(x**2) * y, (VECTOR, PARAMS, 2.0), (DIRECTION, STEP, 0.5)),
}


@cases(HVP)
def test_hvp_is_jvp_of_grad_in_jax(case):
    fun, primals, tangents = case
    ours = hvp(functools.partial(fun, np), primals, tangents)
    gradient = jax.grad(functools.partial(fun, jnp), tuple(range(len(primals))))
    theirs = jax.jvp(gradient, primals, tangents)[1]
    narrow = getattr(primals[0], "dtype", None) == np.float32
    one = len(primals) == 1
    assert jax.tree.structure(ours) == jax.tree.structure(theirs[0] if one else theirs)
    assert_alike(ours, primals[0] if one else primals)
    assert_close(ours, theirs[0] if one else theirs, 1e-6 if narrow else 1e-12)
    again = jvp(grad(functools.partial(fun, np), tuple(range(len(primals)))), primals, tangents)[1]
    assert_close(ours, again[0] if one else again, 1e-6 if narrow else 1e-12)
    assert_close(hvp(functools.partial(fun, np), list(primals), list(tangents)), ours, 1e-15)


def test_hvp_is_the_hessian_times_the_vector():
    def fun(x):
        return rosenbrock(np, x)

    def form(x):
        return x @ MATRIX @ x / 2

    expected = hessian(fun)(VECTOR) @ DIRECTION
    np.testing.assert_allclose(hvp(fun, (VECTOR,), (DIRECTION,)), expected, rtol=1e-13)
    np.testing.assert_allclose(hvp(form, (VECTOR,), (DIRECTION,)), MATRIX @ DIRECTION, rtol=1e-14)


def test_hvp_calls_the_function_once_and_needs_no_hessian():
    n = 100_000
    x, v = np.linspace(0.1, 1.0, n), np.linspace(-1.0, 1.0, n)
    fun = Counted(lambda x: np.sum(x**3) / 3 + np.sum(x) ** 2 / 2)
    np.testing.assert_allclose(hvp(fun, (x,), (v,)), 2 * x * v + v.sum(), rtol=1e-12, atol=1e-12)
    assert fun.calls == 1


def test_hvp_under_other_transforms():
    def fun(c, x):
        return c * rosenbrock(np, x)

    def product(c, x, v):
        return hvp(lambda x: fun(c, x), (x,), (v,))

    def in_jax(c, x, v):
        return jax.jvp(jax.grad(lambda x: c * rosenbrock(jnp, x)), (x,), (v,))[1]

    ours = grad(lambda *args: np.sum(product(*args) ** 2), (0, 1, 2))(2.0, VECTOR, DIRECTION)
    theirs = jax.grad(lambda *args: jnp.sum(in_jax(*args) ** 2), (0, 1, 2))(2.0, VECTOR, DIRECTION)
    assert_close(ours, theirs, 1e-12)
    h = jacrev(lambda v: product(2.0, VECTOR, v))(DIRECTION)
    np.testing.assert_allclose(h, hessian(lambda x: fun(2.0, x))(VECTOR), rtol=1e-13, atol=1e-12)
    third = jax.jacfwd(in_jax, 1)(2.0, VECTOR, DIRECTION)
    np.testing.assert_allclose(jacfwd(product, 1)(2.0, VECTOR, DIRECTION), third, rtol=1e-12, atol=1e-10)


def cubes(x):
    return np.sum(x**3)


@cases({
    "no function": (lambda: hvp(3, (1.0,), (1.0,)), TypeError, "callable"),
    "primals without a tuple": (lambda: hvp(cubes, 1.0, (1.0,)), TypeError, "tuples or lists"),
    "tangents without a tuple": (lambda: hvp(cubes, (1.0,), 1.0), TypeError, "tuples or lists"),
    "arrays in place of tuples": (lambda: hvp(cubes, VECTOR, DIRECTION), TypeError, "tuples or lists"),
    "too few tangents": (lambda: hvp(lambda x, y: x * y, (1.0, 2.0), (1.0,)), TypeError, "same length"),
    "too many tangents": (lambda: hvp(cubes, (1.0,), (1.0, 2.0)), TypeError, "same length"),
    "no arguments": (lambda: hvp(lambda: 1.0, (), ()), ValueError, "empty"),
    "a complex argument": (lambda: hvp(lambda z: (z * z).real, (1j,), (1j,)), TypeError, "real-valued inputs"),
    "a complex one in a tree": (
        lambda: hvp(lambda p: p["a"], ({"a": 1.0, "z": VECTOR + 0j},), ({"a": 1.0, "z": VECTOR + 0j},)),
        TypeError, "real-valued inputs"),
    "an integer": (lambda: hvp(cubes, (3,), (1.0,)), TypeError, "x is 3"),
    "a text": (lambda: hvp(cubes, ("text",), (1.0,)), TypeError, "x is 'text'"),
    "a complex result": (lambda: hvp(lambda x: x * 1j, (1.0,), (1.0,)), TypeError, "real-valued outputs"),
    "an array as the result": (lambda: hvp(lambda x: x, (VECTOR,), (VECTOR,)), TypeError, r"Output had shape: \(3,\)"),
    "an integer result": (lambda: hvp(lambda x: 3, (1.0,), (1.0,)), TypeError, "real-valued outputs"),
    "a wrong shape": (lambda: hvp(cubes, (VECTOR,), (np.ones(2),)), ValueError, r"float64\[2\].*float64\[3\]"),
    "a number for an array": (lambda: hvp(cubes, (VECTOR,), (1.0,)), ValueError, r"float64\[\].*float64\[3\]"),
    "a wrong dtype": (lambda: hvp(cubes, (VECTOR,), (VECTOR.astype(np.float32),)), ValueError, "float32.*float64"),
    "integers for floats": (lambda: hvp(cubes, (VECTOR,), (np.arange(3),)), ValueError, "int64.*float64"),
    "complex for real": (lambda: hvp(cubes, (VECTOR,), (VECTOR + 0j,)), ValueError, "complex128.*float64"),
    "another structure": (
        lambda: hvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)), ValueError, "structure"),
    "a list for an array": (lambda: hvp(cubes, (VECTOR,), ([1.0, 2.0, 3.0],)), ValueError, "structure"),
    "a text as a tangent": (lambda: hvp(cubes, (1.0,), ("text",)), TypeError, "'text'"),
    "None as a tangent": (lambda: hvp(cubes, (1.0,), (None,)), ValueError, "structure"),
})
def test_what_hvp_refuses(case):
    call, error, message = case
    with pytest.raises(error, match=message):
        call()


def test_the_place_of_a_wrong_tangent_of_hvp_is_named():
    with pytest.raises(ValueError, match=r"\[1\]\['w'\]"):
        hvp(lambda x, p: x * cubes(p["w"]), (1.0, {"w": VECTOR}), (1.0, {"w": np.ones(2)}))
