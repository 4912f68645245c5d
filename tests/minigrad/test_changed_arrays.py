"""Arrays that change after they were used: the gradient is taken at the values that the operations used.

The arrays are constants, arguments, indices, or views of others.
"""

import jax
import numpy as np
import pytest

from minigrad import checkpoint, custom_vjp, defvjp, grad, hvp, primitive, value_and_grad, vjp

from .support import cases, read_only

USES = {
    "x + w": lambda x, w: x + w,
    "w - x": lambda x, w: w - x,
    "x * w": lambda x, w: x * w,
    "w * x": lambda x, w: w * x,
    "x / w": lambda x, w: x / w,
    "w / x": lambda x, w: w / x,
    "x ** w": lambda x, w: x**w,
    "w ** x": lambda x, w: w**x,
    "x % w": lambda x, w: x % w,
    "w % x": lambda x, w: w % x,
    "x @ w": lambda x, w: x @ w,
    "w @ x": lambda x, w: w @ x,
    "x > w": lambda x, w: np.where(x > w, x, 0.0),
    "np.multiply": lambda x, w: np.multiply(w, x),
    "np.maximum": lambda x, w: np.maximum(w, x),
    "np.arctan2": lambda x, w: np.arctan2(x, w),
    "np.dot": lambda x, w: np.dot(w, x),
    "condition": lambda x, w: np.where(w, x, 0.0),
    "chosen between": lambda x, w: np.where(x > 2.0, x, w),
    "where=": lambda x, w: np.sum(x, where=w > 1.0) + np.max(x, where=w > 1.0, initial=-1.0),
    "a mask": lambda x, w: x[w > 1.0],
    "concatenate": lambda x, w: np.concatenate([w, x]) ** 2,
    "stack": lambda x, w: np.stack([x, w]) * w,
    "a list": lambda x, w: x * [*w],
    "twice": lambda x, w: x * w + np.sin(x * w),
    "inner gradient": lambda x, w: grad(lambda y: (y * y * x * w).sum())(x),
    "own primitive": lambda x, w: combined(x, w),
    "own primitive, by keyword": lambda x, w: combined(w=w, x=x),
}


@primitive
def combined(x, w):
    return x * w


defvjp(combined, x=lambda g, w: g * w, w=None)


@cases(USES)
@pytest.mark.parametrize("n", [3, 30_000], ids=["small", "large"])
def test_a_gradient_is_that_of_the_values_that_were_used(case, n):
    """Also when an array is used again after it changed: a copy that was made for the first use will not do."""
    first, second = np.resize([1.0, 2.0, 3.0], n), np.resize([3.0, 1.0, 2.0], n)
    w, x = first.copy(), np.resize([1.5, 2.5, 3.5], n)

    def changing(x):
        y = case(x, w)
        w[:] = second
        z = case(x, w)
        w[:] = first
        u = case(x, w)
        w[:] = 100.0
        return y.sum() + z.sum() * 2.0 + u.sum() * 4.0

    def constant(x):
        return case(x, first).sum() + case(x, second).sum() * 2.0 + case(x, first).sum() * 4.0

    np.testing.assert_array_equal(grad(changing)(x), grad(constant)(x))
    np.testing.assert_array_equal(w, np.full(n, 100.0))


@cases({
    "one element of many": (1.0, lambda w: w.__setitem__(-1, 5.0), lambda x, w: x * w),
    "the sign of zero": (0.0, lambda w: np.negative(w, out=w), lambda x, w: np.copysign(x, w)),
    "from nan": (np.nan, lambda w: w.fill(2.0), lambda x, w: np.where(np.isnan(w), x, x * np.nan_to_num(w))),
    "the shape": (1.0, lambda w: setattr(w, "shape", (3, -1)), lambda x, w: x[: len(w.T)] * w),
    "the dtype": (1.0, lambda w: setattr(w, "dtype", np.int64), lambda x, w: x * (w % 7)),
})
@pytest.mark.parametrize("n", [3, 30_000], ids=["small", "large"])
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype):DeprecationWarning")
def test_a_change_between_two_uses_counts_however_small(case, n):
    start, change, use = case
    w, x = np.full(n, start), np.ones(n)
    before, after = w.copy(), w.copy()
    change(after)

    def f(x):
        y = use(x, w)
        change(w)
        return y.sum() + 10.0 * use(x, w).sum()

    np.testing.assert_array_equal(grad(f)(x), grad(lambda x: use(x, before).sum() + 10.0 * use(x, after).sum())(x))


@pytest.mark.parametrize("n", [3, 30_000])
def test_an_argument_is_what_it_was_when_the_call_began(n):
    """Only where the array itself is used, as a constant, is it what it is by then."""
    a = np.ones(n)

    def f(x):
        y = x * a
        a[:] = 2.0
        return y.sum() + 10.0 * (x * a).sum() + 100.0 * (x * x).sum()

    value, gradient = value_and_grad(f)(a)
    assert value == n * (1.0 + 20.0 + 100.0)
    np.testing.assert_array_equal(gradient, np.full(n, 1.0 + 20.0 + 200.0))


@pytest.mark.parametrize("n", [3, 30_000])
@pytest.mark.parametrize("pair", [np.atleast_1d, np.broadcast_arrays])
def test_one_array_may_be_passed_for_two_arguments(pair, n):
    """Each argument is differentiated on its own, so a write into one, or into a view of it, does not change the other."""
    a = np.ones(n)

    def f(x, y):
        _, view = pair(x, y)
        y[0] = 100.0 * x[1]
        return np.sum(x) + 10.0 * np.sum(view) + 1_000.0 * y[0]

    value, (of_x, of_y) = value_and_grad(f, argnums=(0, 1))(a, a)
    assert value == n + 10.0 * (n - 1 + 100.0) + 100_000.0
    np.testing.assert_array_equal(of_x[:3], [1.0, 101_001.0, 1.0])
    np.testing.assert_array_equal(of_y[:3], [0.0, 10.0, 10.0])


@pytest.mark.parametrize("n", [3, 30_000])
def test_an_argument_that_changes_between_operations(n):
    """JAX takes what is in it by then. That would be the derivative of another function at another place."""

    def results(engine):
        a = np.ones(n)

        def f(x):
            y = (x * 3.0).sum()
            a[:] = 2.0
            return y + (x * x).sum()

        return engine(f)(a)

    value, gradient = results(value_and_grad)
    assert value == 4.0 * n and results(jax.value_and_grad)[0] == 7.0 * n
    np.testing.assert_array_equal(gradient, np.full(n, 5.0))


@custom_vjp
def own_square(x):
    return x * x


own_square.defvjp(lambda x: (x * x, x), lambda x, g: (2.0 * g * x,))


@custom_vjp
def own_product(x, y):
    return x * y


own_product.defvjp(lambda x, y: (x * y, (x, y)), lambda xy, g: (g * xy[1], g * xy[0]))


USES_OF_AN_ARGUMENT = {
    "a product of Tensors": lambda x: x * x,
    "a product with a result": lambda x: x * np.sin(x * 2.0),
    "a result times it": lambda x: np.sin(x * 2.0) * x,
    "a power": lambda x: x**3,
    "a square": lambda x: x**2,
    "a base": lambda x: 1.5**x,
    "a number divided by it": lambda x: 2.0 / x,
    "its quotient": lambda x: x / np.array([4.0]),
    "arctan2 with a constant": lambda x: np.arctan2(x, 2.0) + np.arctan2(2.0, x),
    "a ufunc of its own": lambda x: np.log(x),
    "a ufunc with out": lambda x: np.multiply(x, x, out=np.zeros_like(x)),
    "a slice": lambda x: x[1:] ** 2,
    "elements": lambda x: x[[0, 1, 1]] ** 2,
    "a reshape": lambda x: x.reshape(-1, 3) ** 2,
    "a transpose": lambda x: x.reshape(3, -1).T ** 2,
    "a view of a view": lambda x: x[::-1][1:] ** 2,
    "matmul": lambda x: x @ x,
    "einsum": lambda x: np.einsum("i,i", x, x),
    "a reduction": lambda x: np.prod(x[:3]) + np.var(x),
    "a method with options": lambda x: x.std(ddof=1),
    "a function of a list": lambda x: np.concatenate([x, x]) ** 2,
    "a broadcast list": lambda x: np.broadcast_arrays(x, 1.0)[0] ** 2,
    "a condition": lambda x: np.where(x > 1.5, x, 2.0) * x,
    "complex numbers": lambda x: np.abs(np.exp(1j * x) * x),
    "a copy": lambda x: x.copy() ** 2,
    "itself, written into": lambda x: write(x) ** 2,
    "a rule of one's own": own_square,
    "a checkpoint": checkpoint(lambda x: x * x),
    "an inner gradient of it": lambda x: grad(lambda z: (z**3).sum())(x),
    "an inner gradient with it": lambda x: grad(lambda z: (z * z * x).sum())(np.ones(x.shape)) * x,
    "an inner gradient with a view of it": lambda x: grad(lambda z: (z * z * x[::-1]).sum())(np.ones(x.shape)),
    "an inner gradient with a list of both": lambda x: grad(lambda z: (np.broadcast_arrays(z, x)[1] * z * z).sum())(x * 1.0),
    "what an inner gradient returns beside": lambda x: grad(lambda z: (z.sum(), z), has_aux=True)(x)[1] * x,
}


def write(x):
    x[0] = 3.0
    return x


@cases(USES_OF_AN_ARGUMENT)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_argument_that_changes_after_it_was_used(case, dtype):
    start = np.linspace(1.0, 2.0, 6).astype(dtype)
    expected = grad(lambda x: case(x).sum())(start)
    second = hvp(lambda x: case(x).sum(), (start,), (start[::-1].copy(),))
    a = start.copy()

    def f(x):
        y = case(x).sum()
        a[:] = 100.0
        return y

    value, vjp_fun = vjp(f, a)
    np.testing.assert_array_equal(a, np.full(6, 100.0))
    np.testing.assert_array_equal(vjp_fun(value * 0 + 1)[0], expected)
    a[:] = start
    np.testing.assert_array_equal(grad(f)(a), expected)
    a[:] = start
    np.testing.assert_array_equal(hvp(f, (a,), (start[::-1].copy(),)), second)
    np.testing.assert_array_equal(start, np.linspace(1.0, 2.0, 6).astype(dtype))


@cases({
    "it is an argument of the inner one": lambda x, change: grad(lambda z: change((z**3).sum()))(x),
    "it is one of its arguments": lambda x, change: grad(lambda x, z: change((x * z).sum()), (0, 1))(x, np.ones(6))[1],
    "a checkpoint takes it": lambda x, change: grad(lambda z: change(checkpoint(np.multiply)(z, x).sum()))(np.ones(6)),
    "a rule of one's own takes it": lambda x, change: grad(lambda z: change(own_product(z, x).sum()))(np.ones(6)),
    "it is a constant there": lambda x, change: grad(lambda z: change((z * z * x).sum()))(np.ones(6)),
    "it is in a list there": lambda x, change: grad(
        lambda z: (np.broadcast_arrays(z, x)[1] * z * change(z)).sum()
    )(np.ones(6)),
})
def test_an_argument_that_changes_while_an_inner_gradient_is_computed(case):
    start = np.linspace(1.0, 2.0, 6)
    expected = value_and_grad(lambda x: (case(x, lambda y: y) ** 2).sum())(start)
    a = start.copy()

    def change(y):
        a[:] = 100.0
        return y

    value, gradient = value_and_grad(lambda x: (case(x, change) ** 2).sum())(a)
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])
    np.testing.assert_array_equal(a, np.full(6, 100.0))


def test_an_argument_that_is_returned_beside_the_loss_is_a_copy():
    a, weights = np.ones(3), np.ones(3)
    _, same = grad(lambda x: (x @ weights, x), has_aux=True)(a)
    _, view = grad(lambda x: (x @ weights, x[1:]), has_aux=True)(a)
    value, _ = vjp(lambda x: x, a)
    a[:] = 2.0
    for found in (same, view, value):
        np.testing.assert_array_equal(found, np.ones(len(found)))
        assert not np.shares_memory(found, a)


def test_a_new_array_in_the_place_of_an_old_one():
    """Memory is used again, and so are the numbers by which one could tell arrays apart."""

    def f(x):
        total = 0.0
        for i in range(5):
            constant = np.full(30_000, float(i))
            total = total + (x * constant).sum()
            del constant
        return total

    np.testing.assert_array_equal(grad(f)(np.ones(30_000)), np.full(30_000, 10.0))


@cases({
    "array": (lambda x, i: x[i], np.array([0, 0])),
    "in a tuple": (lambda x, i: x[i, 1], np.array([0, 0])),
    "in a tuple with others": (lambda x, i: x[None, i, 1:], np.array([0, 0])),
    "mask": (lambda x, i: x[i], np.array([True, False])),
    "list": (lambda x, i: x[i], [0, 0]),
    "list in a tuple": (lambda x, i: x[i, 1], [0, 0]),
    "keyword of a reduction": (lambda x, i: np.sum(x, where=i), np.array([True, False])),
})
def test_an_index_that_changes_after_it_was_used(case):
    use, i = case
    before = np.array(i)
    expected = grad(lambda x: use(x, before).sum())(np.ones((2, 2)))

    def f(x):
        y = use(x, i)
        i[:] = [1, 1]
        return y.sum()

    np.testing.assert_array_equal(grad(f)(np.ones((2, 2))), expected)


VIEWS = {
    "slice": lambda base: base[1:4],
    "every other": lambda base: base[::2],
    "reshape": lambda base: base.reshape(2, 3)[0],
    "transpose": lambda base: base.reshape(3, 2).T[0],
    "view of a view": lambda base: base[::-1][1:4],
    "the array, through an older view": lambda base: base[:3],
    "broadcast_to, which is read-only": lambda base: np.broadcast_to(base[1], 3),
    "diagonal, which is read-only": lambda base: np.diagonal(np.lib.stride_tricks.as_strided(base, (3, 3), (8, 8))),
    "a view made read-only": lambda base: read_only(base[1:4]),
    "of a buffer": lambda base: np.frombuffer(base.data)[:3],
}


@cases(VIEWS)
@pytest.mark.parametrize("use", ["constant", "argument", "inner argument"])
def test_what_changes_behind_a_view_does_not_reach_the_gradient(case, use):
    base = np.arange(1.0, 7.0)
    view = case(base)
    expected = (1.0 if use == "constant" else 2.0) * view.copy()

    def f(x):
        y = x * view if use == "constant" else x * x
        base[:] = 100.0
        return y.sum()

    g = grad(f) if use != "inner argument" else lambda x: grad(lambda c: (c * grad(f)(x)).sum())(np.ones(3))
    np.testing.assert_array_equal(g(np.ones(3) if use == "constant" else view), expected)
    np.testing.assert_array_equal(base, np.full(6, 100.0))
