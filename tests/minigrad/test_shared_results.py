"""Functions of `checkpoint`, `custom_vjp` and `primitive` whose arguments and results share memory, and are written into."""

import numpy as np
import pytest

from minigrad import checkpoint, custom_vjp, defvjp, grad, primitive, value_and_grad
from minigrad.memory import own_all
from minigrad.operands import TensorConversionError

from .support import assert_close, cases, differences

X = np.array([0.7, -1.2, 1.5, 0.4])
V = np.array([0.3, 1.0, -0.6, 0.8])


def bent(*arrays):
    return sum((np.cos(np.arange(np.size(y)) + i).reshape(np.shape(y)) * (y + 0.3 * y * y)).sum() for i, y in enumerate(arrays))


def written_constant(x, k):
    b = np.arange(4.0)

    def f(p, k, q):
        q[...] = q * 2 + 1
        return p * q * k

    y = checkpoint(f)(x, k, b)
    return bent(y, x * b)


def two_names_of_a_constant(x, k):
    b = np.arange(4.0)

    def f(p, k, q):
        q[0][0] = 9.0
        return p * k * q[1]

    y = checkpoint(f)(x, k, (b, b[::-1]))
    return bent(y, x * b)


def views_among_the_results(x, k):
    y = checkpoint(lambda p, k: [p[1:], p, p.reshape(2, 2) * k, k])(x * 1.0, k)
    y[0][:] *= y[3]
    y[1][2] = y[2][0, 0]
    y[2][...] = y[0][:2]
    return bent(*y)


def written_views_among_the_results(x, k):
    b = np.arange(4.0)

    def f(p, q, k):
        k += 1
        u = p * k
        v = u[1:]
        v *= q[1:]
        return {"u": u, "v": v, "k": k * k}

    y = checkpoint(f)(x, b, k)
    y["v"][0] = y["k"] * 3
    b[:] = 7.0
    k += y["k"]
    return bent(y["u"], y["v"], k)


def a_constant_among_the_results(x, k):
    b = np.arange(4.0)
    y, c = checkpoint(lambda p, q: [p * 2, q])(x, b)
    b *= -1.0
    return bent(y * c, x * k)


def a_view_of_a_constant_among_the_results(x, k):
    b = np.arange(4.0)
    y, c = checkpoint(lambda p, q: [p * 2, q[::-1]])(x, b)
    b *= -1.0
    return bent(y * c, x * k)


@cases({f.__name__: f for f in (
    written_constant, two_names_of_a_constant, views_among_the_results, written_views_among_the_results,
    a_constant_among_the_results, a_view_of_a_constant_among_the_results,
)})
def test_a_checkpoint_does_what_numpy_does(case):
    value, (dx, dk) = value_and_grad(case, argnums=(0, 1))(X, 1.3)
    assert value == pytest.approx(case(X.copy(), 1.3), rel=1e-13)
    assert_close((dx * V).sum(), differences(lambda x: case(x.copy(), 1.3), X, V), 1e-8)
    assert_close(dk, differences(lambda k: case(X.copy(), k), 1.3, 1.0), 1e-8)
    second = grad(lambda x: (grad(case)(x, 1.3) * V).sum())(X)
    assert_close((second * V).sum(), differences(lambda x: (grad(case)(x, 1.3) * V).sum(), X, V), 1e-7)


def test_a_checkpoint_does_not_lose_what_it_writes_into_a_constant():
    b = np.zeros(4)

    def f(p, q):
        q[...] = p * 2
        return p * 1.0

    def loss(x):
        checkpoint(f)(x, b)
        return (b * b).sum() + x.sum()

    with pytest.raises(TensorConversionError):
        grad(loss)(X)


def test_a_constant_among_the_results_of_a_checkpoint_saves_memory():
    calls = []
    grad(lambda x: bent(*checkpoint(lambda p, q: (calls.append(type(p)), p * q, q)[1:])(x, np.ones(4))))(X)
    assert calls[0] is np.ndarray and len(calls) == 2


def straight_through(x, c):
    return c


kept = custom_vjp(straight_through)
kept.defvjp(lambda x, c: (c, None), lambda _, g: (g, None))
part = primitive(lambda x: x[1:])
defvjp(part, x=lambda g: np.concatenate([np.zeros(1), g]))
block = np.empty(4)
both = primitive(lambda x: (np.multiply(x, x, out=block), block[1:]))
defvjp(both, x=lambda g, x: 2 * g[0] * x + np.concatenate([np.zeros(1), 2 * g[1] * x[1:]]))


def test_a_result_that_is_a_constant_cannot_be_written_into():
    c = np.arange(4.0)
    np.testing.assert_array_equal(grad(lambda x: (kept(x, c) * c).sum())(X), c)

    def f(x):
        y = kept(x, c)
        y *= 2.0
        return y.sum()

    for g in grad(f), lambda x: grad(lambda x: grad(f)(x).sum())(x):
        with pytest.raises(ValueError, match="read-only"):
            g(X)


def test_views_of_the_argument_and_of_results_of_a_primitive():
    def f(x):
        y = x * 1.0
        v = part(y)
        v *= 2.0
        y[2] = v[0] * y[0]
        a, b = both(y)
        a[2] = 9 * b[0]
        b *= a[1:]
        return bent(y, v, a, b)

    value, gradient = value_and_grad(f)(X)
    assert value == pytest.approx(f(X), rel=1e-13)
    assert_close((gradient * V).sum(), differences(f, X, V), 1e-8)


def test_a_view_of_a_number_is_a_number():
    def f(x):
        y = x.view()
        y[None][...] = 3.0
        return y * y

    assert f(np.float64(0.5)) == 0.25
    assert value_and_grad(f)(np.float64(0.5)) == (0.25, 1.0)


def test_copies_of_arrays_that_share_memory_share_it_in_the_same_way():
    z = np.arange(24.0).reshape(2, 3, 4) * (1 + 2j)
    b = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    arrays = [
        z[1, ::-1], b, z.real, b[::2, ::-1], z[:, 1, 1:2].imag, np.ones(2), b.T, np.broadcast_to(b[0], (2, 4)), b[:0], z[0, 0, 0],
        np.lib.stride_tricks.sliding_window_view(b[:, 0], 2), np.array(["a"], object), 3.0, z.view(float)[0, ::2],
    ]
    copies = own_all(arrays)
    for i, (array, copy) in enumerate(zip(arrays, copies)):
        np.testing.assert_array_equal(array, copy)
        if isinstance(array, np.ndarray):
            assert array.dtype == copy.dtype and (array.strides == copy.strides or not array.size) and not np.shares_memory(array, copy)
            for other, its_copy in zip(arrays[:i], copies):
                if isinstance(other, np.ndarray):
                    assert np.shares_memory(array, other) == np.shares_memory(copy, its_copy)
    copies[0][0, 1] = 50.0
    copies[1][0, 0] = 70.0
    assert copies[2][1, 2, 1] == 50.0 and copies[3][0, 3] == copies[6][0, 0] == copies[10][0, 0] == 70.0
    assert not copies[7].flags.writeable


def test_a_value_of_an_outer_level_among_the_results_of_a_checkpoint():
    def f(x):
        def inner(s):
            w = x * 1.0
            y, v = checkpoint(lambda p, q: (p * q, q))(s, w)
            w[0] = w[1] * 5
            return bent(y * v)

        return bent(grad(inner)(x * 2))

    value, gradient = value_and_grad(f)(X)
    assert value == pytest.approx(f(X), rel=1e-13)
    assert_close((gradient * V).sum(), differences(f, X, V), 1e-8)
