"""Results and arguments belong to the caller: no two share memory, and writing into one changes no later result.

Several threads may work with the same function and the same arrays.
"""

import threading

import numpy as np
import pytest

from minigrad import checkpoint, defvjp, grad, linearize, primitive, stop_gradient, tree, vjp

from .support import cases, read_only

# ---- Results that the caller writes into ----------------------------------------------------------------------------

SOURCES = {
    "the argument itself": lambda x, c: x,
    "a view": lambda x, c: x[::-1],
    "a slice": lambda x, c: x[1:],
    "reshaped": lambda x, c: x.reshape(2, -1),
    "raveled": lambda x, c: x.ravel(),
    "transposed": lambda x, c: x.reshape(2, -1).T,
    "exp": lambda x, c: np.exp(x),
    "tanh": lambda x, c: np.tanh(x),
    "square": lambda x, c: x * x,
    "divided": lambda x, c: c / x,
    "a power": lambda x, c: 2.0**x * x**3,
    "times a constant": lambda x, c: x * c,
    "two outputs": lambda x, c: (np.exp(x), {"y": x * x}),
    "one output twice": lambda x, c: [y := np.exp(x), y],
    "argument and result": lambda x, c: (x, np.exp(x)),
    "max": lambda x, c: x.max() * x,
    "matmul": lambda x, c: np.outer(c, c) @ x if x.size < 100 else x @ c * x,
    "added": lambda x, c: x + c,
    "indexed": lambda x, c: x[np.array([0, 0, 1])] * x[:3],
}


@cases(SOURCES)
@pytest.mark.parametrize("n", [4, 50_000], ids=["small", "large"])
def test_writing_into_anything_does_not_change_later_calls_of_vjp_fun(case, n):
    x, c = np.linspace(0.5, 1.5, n), np.linspace(2.0, 1.0, n)
    value, vjp_fun, aux = vjp(lambda x: (case(x, c), [x, np.exp(x)]), x, has_aux=True)
    g = tree.map(lambda y: np.linspace(-1.0, 2.0, y.size).reshape(y.shape), value)
    expected_value, g_before = tree.map(np.copy, value), tree.map(np.copy, g)
    (first,) = vjp_fun(g)
    expected = first.copy()
    assert np.abs(expected).max() > 0

    def overwrite(array):
        assert array.flags.writeable
        array[...] = 77.0

    for written in (value, x, c, first, aux, g):
        tree.map(overwrite, written)
        g = tree.map(np.copy, g_before)
        (again,) = vjp_fun(g)
        np.testing.assert_array_equal(again, expected)
        tree.map(np.testing.assert_array_equal, g, g_before)
        again[...] = 88.0
    np.testing.assert_array_equal(x, np.full(n, 77.0), "the gradient is no view of it")
    assert not any(np.array_equal(y, e) for y, e in zip(tree.leaves(value), tree.leaves(expected_value)))


@cases(SOURCES)
def test_writing_into_anything_does_not_change_later_calls_of_jvp_fun(case):
    x, c = np.linspace(0.5, 1.5, 4), np.linspace(2.0, 1.0, 4)
    value, jvp_fun = linearize(lambda x: case(x, c), x)
    t = np.array([1.0, -2.0, 3.0, 0.5])
    first = jvp_fun(t)
    expected = tree.map(np.copy, first)
    for written in (value, x, c, first):
        for array in tree.leaves(written):
            array[...] = 77.0
        again = jvp_fun(t)
        tree.map(np.testing.assert_array_equal, again, expected)
        np.testing.assert_array_equal(t, [1.0, -2.0, 3.0, 0.5])
        for array in tree.leaves(again):
            array[...] = 88.0


@cases({
    "vjp": lambda f, x: vjp(f, x)[1],
    "vjp of checkpoint": lambda f, x: vjp(checkpoint(f), x)[1],
    "linearize": lambda f, x: lambda t: (linearize(f, x)[1](t),),
    "one jvp_fun for all": lambda f, x: (lambda jvp_fun: lambda t: (jvp_fun(t),))(linearize(f, x)[1]),
    "grad of vjp_fun": lambda f, x: (lambda vjp_fun: lambda g: (
        grad(lambda g: (vjp_fun(g)[0] * vjp_fun(g)[0]).sum())(g),))(vjp(f, x)[1]),
})
def test_several_threads_can_use_one_vjp_fun(case):
    def fun(x):
        a, b = np.modf(x * 1.5)[0] * x, np.exp(np.sin(x) * x)
        return np.concatenate([a * b, (a + b)[::-1]])[:5]

    apply = case(fun, np.linspace(0.5, 1.5, 5))
    cotangents = [np.linspace(-i, 2.0, 5) for i in range(8)]
    expected = [apply(g)[0] for g in cotangents]
    assert not np.allclose(expected[0], expected[1])
    wrong, barrier = [], threading.Barrier(8)

    def work(i):
        try:
            barrier.wait(60)
            for _ in range(100):
                np.testing.assert_array_equal(apply(cotangents[i])[0], expected[i])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)


# ---- Memory of the caller and of the graph --------------------------------------------------------------------------


def test_the_values_of_the_graph_cannot_be_reached():
    def f(x):
        y = np.exp(x)
        for plain in (stop_gradient(y), stop_gradient({"y": y})["y"], np.floor(y), y.round(), y.argsort()):
            plain *= 0
        inner, (aux, _) = grad(lambda z: (z.sum(), (z * 2.0, z)), has_aux=True)(np.ones(2))
        aux *= 0
        inner *= 0
        return y.sum()

    np.testing.assert_array_equal(grad(f)(np.zeros(2)), [1.0, 1.0])


@cases({
    "nothing": lambda x, w: 0.0,
    "an error": lambda x, w: 1 // 0,
    "an error in the backward pass": lambda x, w: refusing(x).sum(),
    "an inner gradient": lambda x, w: grad(lambda y: (y * w).sum())(x).sum(),
})
def test_arrays_are_neither_locked_nor_unlocked(case):
    w, constant, leaf = np.ones(3), read_only(np.ones(3)), read_only(np.ones(3))
    for x in (leaf, w):
        try:
            grad(lambda x: (x * w * constant).sum() + case(x, w))(x)
        except ZeroDivisionError:
            pass
        assert w.flags.writeable and not constant.flags.writeable and not leaf.flags.writeable


@primitive
def refusing(x):
    return x + 0.0


defvjp(refusing, x=lambda g: 1 // 0)


def test_threads_share_constants_and_arguments():
    w, x = np.array([1.0, 2.0]), np.ones(2)

    def work():
        for _ in range(300):
            gradient = grad(lambda x: (x * w).sum() + grad(lambda y: (y * w * x).sum())(x).sum())(x)
            np.testing.assert_array_equal(gradient, [2.0, 4.0])

    errors = []
    threads = [threading.Thread(target=lambda: errors.append(raised(work))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == [None] * 8


def raised(function):
    """The error that a function raises, or None."""
    try:
        function()
    except BaseException as error:
        return error


@pytest.mark.parametrize("gradients", [
    lambda f, *args: grad(lambda *args: f(*args).sum(), (0, 1, 2))(*args),
    lambda f, *args: vjp(f, *args)[1](np.ones(3)),
])
def test_gradients_share_memory_with_nothing(gradients):
    found = gradients(lambda a, b, c: np.exp(a + b + c), np.zeros(3), np.zeros(3), np.zeros(3))
    for i, g in enumerate(found):
        np.testing.assert_array_equal(g, np.ones(3))
        g *= 10.0 + i
    np.testing.assert_array_equal(found, np.repeat([[10.0], [11.0], [12.0]], 3, axis=1))
