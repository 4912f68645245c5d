"""Gradients inside gradients: higher derivatives, closures over what an outer gradient differentiates, threads.

An engine that confuses the levels gives wrong numbers only here, and without a word: hence the many small functions,
each of which some way of confusing them gets wrong. Functions that take `np` are run by JAX as well.
"""

import functools
import math
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import Tensor, grad, jvp, stop_gradient, value_and_grad

from .support import assert_alike, assert_close, cases


def repeated(transform, fun, n):
    for _ in range(n):
        fun = transform(fun)
    return fun


# ---- Higher derivatives ---------------------------------------------------------------------------------------------

SMOOTH = {
    "sin": (np.sin, 1.0),
    "exp": (np.exp, 1.0),
    "x ** 4": (lambda x: x**4, 2.0),
    "x ** -1": (lambda x: x**-1, 1.5),
    "1 / x": (lambda x: 1 / x, 1.5),
    "x ** 2.5": (lambda x: x**2.5, 1.5),
    "2 ** x": (lambda x: 2**x, 1.5),
    "x ** x": (lambda x: x**x, 1.5),
    "tanh": (np.tanh, 0.7),
    "log": (np.log, 1.5),
    "sqrt": (np.sqrt, 1.5),
    "product": (lambda x: x * np.sin(x) * x, 1.2),
    "quotient": (lambda x: np.exp(x) / (1 + x * x), 0.8),
    "composite": (lambda x: np.exp(np.sin(x)), 0.6),
    "polynomial by powers": (lambda x: sum([x**i for i in range(6)]), 1.1),
}


def derivatives(fun, x, orders=6, radius=0.5, points=128):
    """Derivatives by Cauchy's formula: from the values on a circle around x in the complex plane."""
    turns = np.exp(2j * np.pi * np.arange(points) / points)
    values = fun(x + radius * turns)
    return [np.mean(values / turns**n).real * math.factorial(n) / radius**n for n in range(1, orders + 1)]


@cases(SMOOTH)
@pytest.mark.parametrize("kind", [float, np.float64, np.array], ids=["float", "np.float64", "0-d"])
def test_derivatives_up_to_the_sixth(case, kind):
    fun, x = case
    found = [repeated(grad, fun, order)(kind(x)) for order in range(1, 7)]
    assert_alike(found, [kind(x)] * 6)
    expected = derivatives(fun, x)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11 * np.max(np.abs(expected)))


def test_a_polynomial_ends_at_its_degree():
    assert [repeated(grad, lambda x: x**2, n)(2.0) for n in range(1, 5)] == [4.0, 2.0, 0.0, 0.0]
    assert repeated(grad, lambda x: 3.0 * x, 2)(1.0) == 0.0
    assert repeated(grad, lambda x: x**4, 4)(0.0) == 24.0


def test_a_tower_of_recursive_gradients():
    def p(n):
        return np.sin if n == 0 else grad(p(n - 1))

    for n in range(9):
        np.testing.assert_allclose(p(n)(1.0), math.sin(1.0 + n * math.pi / 2), rtol=1e-13)


def test_mixed_partials_in_any_order():
    def f(x, y):
        return x**2 * y**3 * np.exp(x * y)

    xy, yx = grad(grad(f, 0), 1)(1.2, 0.7), grad(grad(f, 1), 0)(1.2, 0.7)
    np.testing.assert_allclose(xy, yx, rtol=1e-14)
    assert grad(grad(lambda x, y: x**2 * y**3, 0), 1)(2.0, 3.0) == 108.0
    assert grad(lambda x, y: sum(grad(lambda a, b: a**2 * b**3, (0, 1))(x, y)), (0, 1))(2.0, 3.0) == (
        2 * 27 + 6 * 2 * 9.0,
        6 * 2 * 9 + 6 * 4 * 3.0,
    )


def rosenbrock(np, x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(np, p):
    hidden = np.tanh(p["x"] @ p["w"] + p["b"])
    return np.mean((hidden @ p["v"] - 1.0) ** 2) + 0.1 * np.sum(p["w"] ** 2)


def in_numpy_and_jax(fun):
    return functools.partial(fun, np), functools.partial(fun, jnp)


def test_hessian_vector_products():
    x, v = np.array([0.5, -1.2, 0.3, 2.0]), np.array([1.0, 0.5, -2.0, 0.25])
    ours, theirs = in_numpy_and_jax(rosenbrock)
    product = grad(lambda x: np.dot(grad(ours)(x), v))(x)
    hessian = np.array(jax.jit(jax.hessian(theirs))(x))
    np.testing.assert_allclose(product, hessian @ v, rtol=1e-13)
    rows = [grad(lambda x: grad(ours)(x)[i])(x) for i in range(4)]
    np.testing.assert_allclose(rows, hessian, rtol=1e-13, atol=1e-12)
    third = grad(lambda x: np.dot(grad(lambda x: np.dot(grad(ours)(x), v))(x), v))(x)
    jax_third = jax.grad(lambda x: jnp.dot(jax.grad(lambda x: jnp.dot(jax.grad(theirs)(x), v))(x), v))
    np.testing.assert_allclose(third, jax.jit(jax_third)(x), rtol=1e-12)


def test_second_order_of_a_tree_of_parameters():
    rng = np.random.default_rng(0)
    p = {"x": rng.normal(size=(5, 3)), "w": rng.normal(size=(3, 2)), "b": 0.3, "v": rng.normal(size=2)}

    def norm(np, grad, fun):
        return lambda p: sum(np.sum(g**2) for g in jax.tree.leaves(grad(fun)(p)))

    ours, theirs = in_numpy_and_jax(network)
    second = grad(norm(np, grad, ours))(p)
    assert_alike(second, p)
    assert_close(second, jax.jit(jax.grad(norm(jnp, jax.grad, theirs)))(p), 1e-12)


def test_a_step_of_meta_learning():
    def loss(w, x):
        return (w * x - 1.0) ** 2

    assert grad(lambda w: loss(w - 0.1 * grad(loss)(w, 2.0), 3.0))(0.5) == pytest.approx(0.6, rel=1e-14)

    def trained(grad, np, w):
        for _ in range(3):
            w = w - 0.1 * grad(lambda w: np.sum(np.sin(w * w)))(w)
        return np.sum(w**3)

    w = np.array([0.3, 0.9])
    in_jax = jax.jit(jax.grad(functools.partial(trained, jax.grad, jnp)))
    assert_close(grad(functools.partial(trained, grad, np))(w), in_jax(w), 1e-13)


def test_differentiating_a_learning_rate_through_the_training():
    x, y = np.linspace(-1, 1, 20), np.linspace(-1, 1, 20) * 2.0 + 0.5

    def final_loss(np, grad, rate):
        theta = {"w": 0.1, "b": 0.0}

        def loss(theta):
            return ((theta["w"] * x + theta["b"] - y) ** 2).mean()

        for _ in range(10):
            gradient = grad(loss)(theta)
            theta = {name: theta[name] - rate * gradient[name] for name in theta}
        return loss(theta)

    ours, theirs = grad(functools.partial(final_loss, np, grad)), jax.grad(functools.partial(final_loss, jnp, jax.grad))
    np.testing.assert_allclose((ours(0.1), grad(ours)(0.1)), jax.jit(lambda r: (theirs(r), jax.grad(theirs)(r)))(0.1),
                               rtol=1e-12)


# ---- Levels that must not be confused -------------------------------------------------------------------------------

ONE_TWO, TWO_THREE = np.array([1.0, 2.0]), np.array([2.0, 3.0])
SQUARE = np.array([[1.0, 2.0], [0.5, 1.5]])
MASK = np.array([True, False])  # which JAX wants as a constant

# Each is a function of np, grad and x.
CONFUSING = {
    "x * d/dy (x + y)": (lambda np, grad, x: x * grad(lambda y: x + y)(1.0), 1.0),
    "x * d/dy (x * y)": (lambda np, grad, x: x * grad(lambda y: x * y)(2.0), 3.0),
    "inner ignores its argument": (lambda np, grad, x: grad(lambda y: x * x)(1.0) + x, 3.0),
    "inner ignores the outer one": (lambda np, grad, x: grad(lambda y: y**2)(3.0) + 0.0 * x, 1.0),
    "independent": (lambda np, grad, x: grad(lambda y: y**2)(3.0), 1.0),
    "inner at the outer value": (lambda np, grad, x: grad(lambda y: y * y)(x), 3.0),
    "inner at a function of it": (lambda np, grad, x: grad(lambda y: y * y * x)(x * x), 3.0),
    "product of both": (lambda np, grad, x: grad(lambda y: np.sin(x * y) * x)(x), 0.7),
    "three levels": (lambda np, grad, x: grad(lambda y: grad(lambda z: x * y * z)(4.0) * y)(5.0) * x, 3.0),
    "three levels at one value": (lambda np, grad, x: grad(lambda y: grad(lambda z: x * y * z * z)(x) * y)(x) * x, 1.3),
    "shift": (lambda np, grad, x: grad(lambda y: grad(lambda u: np.exp((y + u) * x))(0.0))(x), 0.5),
    "middle level unused": (lambda np, grad, x: grad(lambda y: grad(lambda z: x * z)(2.0) * x)(1.0) + x, 2.0),
    "outer value in a tree": (lambda np, grad, x: grad(lambda d: d[0] ** 2 * d[1]["b"])([x, {"b": 2.0 * x}])[0], 3.0),
    "outer value not selected": (lambda np, grad, x: grad(lambda y, c: y * c, 0)(2.0, x), 3.0),
    "outer value selected twice": (lambda np, grad, x: sum(grad(lambda y, c: y * y * c, (0, 1))(x, x)), 3.0),
    "same function at two levels": (lambda np, grad, x: (lambda f: grad(f)(x) * f(x) + grad(grad(f))(x))(np.sin), 0.4),
    "array of the outer level": (lambda np, grad, w: np.sum(grad(lambda x: np.sum(w * x * x))(w * 2.0)), ONE_TWO),
    "gradient's norm": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(np.sin(y)))(x) ** 2), ONE_TWO),
    "outer exponent": (lambda np, grad, x: grad(lambda y: y**x)(x), 1.7),
    "outer base": (lambda np, grad, x: grad(lambda y: x**y)(x), 1.7),
    "outer condition": (lambda np, grad, x: grad(lambda y: np.where(x > y, x * y, y * y))(1.0), 2.0),
    "inner maximum": (lambda np, grad, x: grad(lambda y: np.maximum(x * y, y * y))(1.0), 2.0),
    "division": (lambda np, grad, x: grad(lambda y: x / y + y / x)(x), 1.7),
    "broadcast": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(x[:, None] * y * y))(x * x)), TWO_THREE),
    "index": (lambda np, grad, x: np.sum(grad(lambda y: y[0] ** 2 * y[1])(x)), TWO_THREE),
    "fancy index": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(y[np.array([0, 0, 1])] ** 3))(x)), TWO_THREE),
    "mask": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(y[MASK] ** 3) * x[0])(x)), TWO_THREE),
    "max with ties": (lambda np, grad, x: np.sum(grad(np.max)(x) * x), np.array([2.0, 2.0])),
    "max of squares": (lambda np, grad, x: np.sum(grad(lambda y: np.max(y**2))(x)), TWO_THREE),
    "where": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(np.where(y > 2.5, y**3, y**2)))(x)), TWO_THREE),
    "concatenate": (
        lambda np, grad, x: np.sum(grad(lambda y: np.sum(np.concatenate([x, y, x * y]) ** 3))(x)), TWO_THREE
    ),
    "stack": (lambda np, grad, x: np.sum(grad(lambda y: np.sum(np.stack([x[0], y, y * y]) ** 2))(x[1])), TWO_THREE),
    "matmul": (lambda np, grad, x: np.sum(grad(lambda y: np.sum((x @ y @ x) ** 2))(x)), SQUARE),
    "prod with a zero": (lambda np, grad, x: np.sum(grad(np.prod)(x) * x[::-1]), np.array([2.0, 0.0, 3.0])),
    "var": (lambda np, grad, x: np.sum(grad(lambda y: np.var(y * x))(x)), np.array([2.0, 1.0, 3.0])),
    "std": (lambda np, grad, x: np.sum(grad(lambda y: np.std(y * x))(x)), np.array([2.0, 1.0, 3.0])),
    "modf": (lambda np, grad, x: grad(lambda y: np.modf(y * y * x)[0])(x), 1.7),
    "divmod": (lambda np, grad, x: grad(lambda y: divmod(y * y * x, x)[1])(x), 1.7),
    "inner gradient twice": (lambda np, grad, x: (lambda g: g(x) * g(x * 2.0))(grad(lambda y: y**3)), 1.2),
    "inner gradient in a loop": (lambda np, grad, x: sum(grad(lambda y: y ** (i + 1) * x)(x) for i in range(4)), 1.2),
    "captured late": (lambda np, grad, x: sum(f(x) for f in [grad(lambda y, k=k: x * y**k) for k in (1, 2, 3)]), 1.2),
    "relu": (lambda np, grad, x: grad(lambda y: np.maximum(y, 0.0))(x), 0.0),
    "abs": (lambda np, grad, x: grad(np.abs)(x) * x, 0.0),
}


@cases(CONFUSING)
def test_levels_are_not_confused(case):
    fun, x = case

    def all_orders(np, grad, x):
        """The value, its gradient, and the gradient of the sum of that."""
        f = functools.partial(fun, np, grad)
        return f(x), grad(f)(x), grad(lambda x: np.sum(grad(f)(x)))(x)

    ours = all_orders(np, grad, x)
    assert_alike(ours[1:], (x, x))
    for one, other in zip(ours, jax.jit(functools.partial(all_orders, jnp, jax.grad))(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_the_amazing_bug():
    """A shift operator applied to itself: each use of it has to get a level of its own when it is called."""

    def derivative_of_shift(f):
        return lambda x: grad(lambda u: f(x + u))(0.0)

    np.testing.assert_allclose(derivative_of_shift(derivative_of_shift(np.exp))(0.5), math.exp(0.5), rtol=1e-14)
    np.testing.assert_allclose(repeated(derivative_of_shift, np.sin, 5)(0.5), math.cos(0.5), rtol=1e-14)


@pytest.mark.parametrize("function", [value_and_grad, lambda f: lambda x: (grad(f, has_aux=False)(x), 0.0)],
                         ids=["value_and_grad", "grad"])
def test_what_comes_back_from_an_inner_call_belongs_to_the_outer_one(function):
    kinds = []

    def f(x):
        results = function(lambda y: y**3 * x)(x)
        kinds.extend(type(result) for result in results if type(result) is not float)
        return sum(results)

    # The value x**4 and the gradient 3 x**3 have the slopes 4 x**3 and 9 x**2.
    assert grad(f)(2.0) == (32.0 + 36.0 if function is value_and_grad else 36.0)
    assert set(kinds) == {Tensor}


def test_aux_of_an_inner_call_belongs_to_the_outer_one():
    def f(x):
        _, aux = grad(lambda y: (y**3, {"cube": [y**3], "n": 3, "s": "text", "outer": x * 2.0}), has_aux=True)(x)
        assert aux["n"] == 3 and aux["s"] == "text"
        return aux["cube"][0] * np.sin(x) + aux["outer"]

    np.testing.assert_allclose(grad(f)(4.0), grad(lambda x: x**3 * np.sin(x) + 2.0 * x)(4.0), rtol=1e-15)

    def g(x):
        (value, (aux,)), gradient = value_and_grad(lambda y: (y**2, (y**4,)), has_aux=True)(x)
        return value + aux + gradient

    assert grad(g)(2.0) == 2 * 2 + 4 * 8 + 2


def test_what_an_inner_call_returns_is_plain_where_nothing_outer_is_in_it():
    def f(x):
        value, gradient = value_and_grad(lambda y: y * y)(3.0)
        assert (value, gradient) == (9.0, 6.0) and type(value) is type(gradient) is float
        return x * gradient

    assert grad(f)(1.0) == 6.0


@cases({
    "float": 2.0,
    "np.float64": np.float64(2),
    "np.float32": np.float32(2),
    "0-d": np.array(2.0),
    "array": np.array([2.0, 3.0]),
    "float32 array": np.array([2.0, 3.0], np.float32),
    "empty": np.zeros((0, 2)),
    "complex": 2.0 + 1.0j,
    "complex array": np.array([2.0 + 1.0j]),
})
def test_an_inner_gradient_is_of_the_kind_of_its_leaf(case):
    """What an outer gradient records has the shape and dtype that it would have without it."""

    def norm(x):
        for fun in (lambda y: np.sum(y * np.conjugate(y)).real, lambda y: 1.0, lambda y: np.sum(y).real,
                    lambda y: np.sum(np.abs(y) * np.ones((3,) + (1,) * np.ndim(y)))):
            plain = grad(fun)(case)
            inner = grad(fun)(x)
            assert np.shape(inner) == np.shape(plain)
            assert np.result_type(inner) == np.result_type(plain)
        return np.sum(np.abs(x) ** 2)

    assert_alike(grad(norm)(case), case)


def test_a_stopped_gradient_stops_all_levels():
    assert grad(lambda x: grad(lambda y: stop_gradient(y * x) * y)(x))(3.0) == 0.0
    assert grad(lambda x: grad(lambda y: stop_gradient(x) * y * x)(x))(3.0) == 3.0


def test_complex_numbers_between_the_levels():
    def energy(np, grad, z):
        inner = grad(lambda w: np.sum(np.abs(w * z) ** 2))(z)
        return np.sum(np.abs(inner) ** 2)

    z = np.array([1.0 + 2.0j, -0.5 + 0.3j])
    gradient = grad(functools.partial(energy, np, grad))(z)
    np.testing.assert_allclose(gradient, jax.grad(functools.partial(energy, jnp, jax.grad))(z), rtol=1e-13)


def test_an_error_inside_leaves_the_outer_gradient_right():
    def f(x):
        for fun in (lambda y: y * x * (1 // 0), lambda y: np.ones(2) * y, float, lambda y: y * np.ones(3) @ np.ones(2)):
            with pytest.raises((ZeroDivisionError, TypeError, ValueError)):
                grad(fun)(x)
        return x * grad(lambda y: y * y)(x)

    assert grad(f)(3.0) == 12.0


def test_fifty_levels():
    def tower(n, x):
        return x if n == 0 else grad(lambda y: tower(n - 1, x) * y)(x)

    assert grad(lambda x: tower(50, x))(3.0) == 1.0


# ---- Threads --------------------------------------------------------------------------------------------------------


def in_threads(*functions):
    """Run each in a thread of its own, all at once, and return the errors that they raised."""
    start, errors = threading.Barrier(len(functions)), []

    def run(function):
        start.wait(60)
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_nested_gradients_in_threads():
    """A counter of levels that threads share would confuse those of one thread with those of another."""
    weights = np.array([1.0, 2.0])
    wrong = []

    def work(i):
        for k in range(1000):
            x = 1.0 + 0.01 * i + 0.001 * k
            if grad(lambda x: x * grad(lambda y: x * y * weights[1])(x))(x) != 2 * 2.0 * x:
                wrong.append((i, k))
            third = grad(grad(grad(lambda x: (x**4 * weights).sum() / 3))) if k % 10 == 0 else lambda x: 24 * x
            if third(x) != pytest.approx(24 * x, rel=1e-13):
                wrong.append((i, k))

    assert in_threads(*[functools.partial(work, i) for i in range(8)]) == []
    assert wrong == []


def test_one_gradient_function_in_many_threads():
    g = grad(lambda x: np.sum(np.sin(x)))
    results = [None] * 8
    assert in_threads(*[lambda i=i: results.__setitem__(i, g(float(i))) for i in range(8)]) == []
    assert results == [math.cos(i) for i in range(8)]


def test_inner_gradients_of_one_outer_gradient_in_threads():
    def f(x):
        parts = [None] * 4
        errors = in_threads(*[lambda i=i: parts.__setitem__(i, grad(lambda y: x * y ** (i + 1))(x)) for i in range(4)])
        assert errors == []
        return sum(parts)  # of (i + 1) x ** (i + 1)

    assert grad(f)(2.0) == sum((i + 1) ** 2 * 2.0**i for i in range(4))


def test_an_error_in_one_thread_does_not_reach_another():
    weights = np.ones(2)

    def failing():
        for _ in range(200):
            with pytest.raises(ZeroDivisionError):
                grad(lambda x: (x * weights).sum() * (1 // 0))(1.0)

    def working():
        for _ in range(200):
            assert grad(lambda x: grad(lambda y: (x * y * weights).sum())(x) * x)(3.0) == 12.0

    assert in_threads(failing, working, failing, working) == []


@pytest.mark.parametrize("z", [1.5 + 0.5j, np.complex128(1.5 + 0.5j), np.array(1.5 + 0.5j)], ids=["Python", "NumPy", "array"])
def test_the_gradient_of_a_complex_number_is_complex_inside_another_transform(z):
    """Also if nothing but its real part counts."""
    gradient = grad(lambda z: np.real(z) ** 2)
    value, tangent = jvp(gradient, (z,), (z * 0 + 1,))
    assert value == 3 and tangent == 2
    assert np.iscomplexobj(value) and np.iscomplexobj(tangent)
    assert grad(lambda z: np.abs(gradient(z) + 1j * z))(1.5 + 0.5j) == pytest.approx(2.22948161 + 0.85749293j)
