"""The backend that calls NumPy: the same numbers as the recording, and no more memory than its live values."""

import gc
import math
import tracemalloc
import warnings

import numpy as np
import pytest

from minigrad import grad, jit, tree, value_and_grad
from minigrad.programs.numpy_backend import again, compile_recording, sum_of_products
from minigrad.programs.operations import Operation, Recording, Variable
from minigrad.programs.tracing import trace

from .support import run

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 50))
A = RNG.normal(size=(4, 5))


def both(fun, *args):
    """The results of a recording, one operation after the other, and those of the function that the backend makes of it."""
    recording = trace(fun, args, {})
    expected = tree.leaves(run(recording, *args))
    return compile_recording(recording)(*tree.leaves(args)), expected


def check(fun, *args, rtol=4e-15):
    before = [np.copy(arg) for arg in tree.leaves(args)]
    found, expected = both(fun, *args)
    for a, b in zip(found, expected, strict=True):
        assert type(a) is type(b) and getattr(a, "dtype", 0) == getattr(b, "dtype", 0) and np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=0)
    for arg, copy in zip(tree.leaves(args), before):
        np.testing.assert_array_equal(arg, copy)  # nothing was written into an input


# ---- The same numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.complex128, np.int64])
@pytest.mark.parametrize("fun", [
    lambda a, s: a * s + a - s, lambda a, s: (a * 2.0 + 1) / 3.0, lambda a, s: a.mean() * s, lambda a, s: a.sum(axis=0) * a.mean(axis=1, keepdims=True),
    lambda a, s: np.sum(a * a), lambda a, s: np.mean(np.square(a[0])), lambda a, s: np.sum(a[0] * a[1]) + s * s,
    lambda a, s: a @ a.T, lambda a, s: np.dot(a, a[0]), lambda a, s: a.T.ravel() * s, lambda a, s: np.sum(a, axis=(0, 1), keepdims=True),
    lambda a, s: a.max(axis=1) + a.min(), lambda a, s: np.prod(a, axis=-1), lambda a, s: np.where(a > s, a, s), lambda a, s: s * s + s / 3 - -s,
    lambda a, s: np.split(a, [1, 3]), lambda a, s: np.concatenate([a, a]) * s, lambda a, s: a[1:, [0, 2]] + s, lambda a, s: np.stack([a[0], a[1] * s]),
    lambda a, s: np.einsum("ij->ji", a) + np.einsum("ij->ji", a * s), lambda a, s: np.exp(a) * np.exp(a), lambda a, s: (a * s) ** 3,
    lambda a, s: np.add.reduce(a * s), lambda a, s: np.divmod(a, 2.0), lambda a, s: np.broadcast_to(s, (2,)) * a[:2, :1],
], ids=lambda fun: None)
def test_operations(fun, dtype):
    if dtype is np.complex128 and any(name in fun.__code__.co_names for name in ("divmod", "max")):
        return  # complex numbers have no order and no remainder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        check(fun, A.astype(dtype) + dtype(2), dtype(3), rtol=4e-3 if dtype is np.float16 else 1e-6 if dtype is np.float32 else 4e-15)


@pytest.mark.parametrize("a", [1.5, np.float64(1.5), np.float32(1.5), np.array(1.5), np.array(1.5, np.float32), 1.5 + 2j, np.complex64(1.5)])
@pytest.mark.parametrize("b", [-0.3, np.float64(-0.3), np.float32(-0.3), np.array(-0.3), X, X.astype(np.float32), X.astype(np.float16), np.arange(3, dtype=np.int8)])
def test_numbers_of_all_kinds_keep_their_dtypes(a, b):
    check(lambda a, b: [a + b, a * b - 1, (a / 2) * b, -a * (b * 3), np.square(a) * b, a * a * 2.0 + b, b / (a + 2), np.exp(a) * b, a], a, b, rtol=1e-6)


def test_numbers_that_are_not_finite():
    for x in (2.0, np.float64(2.0), X):
        check(lambda x: (x * math.inf, (x * x) * math.nan, x * 2.0 - math.inf, -math.inf + x * 1j), x)


def test_a_long_chain_of_numbers():
    def f(y, target):
        for _ in range(200):
            y = y * 0.99 + 0.01
        return (y - target) ** 2

    for y in (2.0, np.float64(2.0), np.array(2.0)):
        found, expected = both(value_and_grad(f), y, 0.7)
        assert found == expected  # to the bit


def test_gradients_of_many_kinds():
    check(lambda x, y: value_and_grad(lambda x: np.sum(np.logaddexp(0.0, x) - y * x))(x), X, Y)
    check(lambda w, x: value_and_grad(lambda w: np.sum(np.tanh(x @ w) ** 2))(w), RNG.normal(size=(5, 3)), A)
    check(lambda a: grad(lambda a: np.linalg.norm(a) + a[1:].sum() * a.prod())(a), X[:7])
    check(lambda a: grad(lambda a: np.linalg.slogdet(a)[1] + np.sum(np.linalg.inv(a)))(a), A[:, :4])


def test_ufuncs_that_take_integers():
    special = pytest.importorskip("scipy.special")
    check(lambda x: np.ldexp(x, 2) + np.ldexp(x[0], 3), X)
    check(lambda x: special.jv(2, x) + special.eval_legendre(3, x) + special.jv(2.0, x), X)


def test_methods_that_take_less_than_the_functions():
    check(lambda a: (np.reshape(a, (2, 10), "F") * 1.0, np.ravel(a, "F") * 1.0, np.swapaxes(a, 0, 1) * 1.0, np.transpose(a, (1, 0)) * 1.0), A)
    check(lambda a: (np.squeeze(a[None], 0) * 1.0, np.squeeze(a[None]) * 1.0, np.sum(a, 1, keepdims=True), np.mean(a, (0, 1)), np.max(a, -1)), A)


def test_a_number_that_is_returned_twice():
    check(lambda x: (lambda s, n: (s, s, n, n, x))(np.sum(x), x[0] * 2.0), X)


def test_a_program_without_inputs_or_operations():
    check(lambda: (1.0, 2, np.ones(3)))
    check(lambda x: (x, x), 1.0)
    check(lambda x: x, X)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_constants_that_are_not_finite():
    check(lambda s: [s * np.inf, s + np.nan, np.sum(s - np.inf)], np.float64(2.0))
    check(lambda s: [s * -np.inf, s + np.nan], 2.0)


# ---- Sums of products -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 8192, 8193, 9216, 10_001, 300_000])
def test_sums_of_products_are_as_exact_as_sums(n):
    a, b = RNG.uniform(0.5, 1.5, (2, n))
    exact = math.fsum((a * b).tolist())
    assert abs(sum_of_products(a, b) - exact) <= 4e-15 * exact
    assert type(sum_of_products(a, b)) is np.float64


def test_sums_of_products_of_every_other_element():
    a, b = RNG.normal(size=(2, 40_000))
    np.testing.assert_allclose(sum_of_products(a[::2], b[::-2]), np.sum(a[::2] * b[::-2]), rtol=1e-12)


def test_a_product_that_is_used_twice_is_computed():
    check(lambda x, y: (lambda p: (np.sum(p), p[0]))(x * y), X, Y)
    check(lambda x, y: (lambda p: (np.sum(p), p))(x * y), X, Y)
    check(lambda x, y: (lambda p: (np.sum(p), np.mean(p)))(x * y), X, Y)


# ---- Where Python and NumPy differ ------------------------------------------------------------------------------------


def test_division_by_zero_is_numpys():
    f = jit(lambda a, b: a / b, backend="numpy")
    for a, b in ((1.0, 2.0), (np.float64(1.0), np.float64(2.0))):
        assert f(a, b) == 0.5
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            found = f(a, type(b)(0.0))
        assert found == np.inf and type(found) is type(a)
        with pytest.warns(RuntimeWarning, match="invalid value"):
            assert np.isnan(f(type(a)(0.0), type(b)(0.0)))


def test_an_overflow_warns_as_it_does_in_numpy():
    f = jit(lambda a: a * a, backend="numpy")
    assert f(np.float64(2.0)) == 4.0
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert f(np.float64(1e200)) == np.inf
    assert f(1e200) == np.inf  # Python's numbers do not warn


def test_an_overflow_in_a_sum_of_products_warns():
    f = jit(lambda x: np.sum(x * x) * 0.5, backend="numpy")
    f(X)
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert f(X * 1e200) == np.inf


def test_warnings_are_numpys():
    jitted = jit(lambda x: np.log(x) + 1.0, backend="numpy")
    np.testing.assert_array_equal(jitted(X + 9), np.log(X + 9) + 1.0)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        assert jitted(np.zeros(3))[0] == -np.inf
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        jitted(np.zeros(3))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        jitted(np.zeros(3))


def test_an_error_that_no_operation_raises_is_not_hidden():
    recording = trace(lambda x: x * 2.0, (X,), {})
    with pytest.raises(TypeError, match="of the function itself"):
        again(recording, X, error=TypeError("of the function itself"))
    np.testing.assert_array_equal(again(recording, X, error=ZeroDivisionError())[0], X * 2.0)


# ---- Memory -----------------------------------------------------------------------------------------------------------


def peak(fun, *args):
    """The most bytes that a call had in use at a time, once it has run."""
    fun(*args)
    gc.collect()
    tracemalloc.start()
    result = fun(*args)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return most


N = 100_000
LARGE = np.linspace(0.0, 1.0, N)


@pytest.mark.parametrize("fun, arrays", [
    (lambda x: np.sum(x * 2.0 + 1.0 - x), 1),  # all in one
    (lambda x: x * 2.0 + 1.0 - x, 1),
    (lambda x: np.sum(np.sin(x) * np.cos(x) * np.exp(x)), 2),
    (lambda x: np.sum(x * x), 0),  # the products are never stored
    (lambda x: grad(lambda w: np.mean((w * x + 1.0 - x) ** 2))(0.5), 2),
    (lambda x: [np.sum(np.sin(x * k)) for k in (1.0, 2.0, 3.0)], 1),
    (lambda x: (lambda y: y.reshape(10, -1).sum(axis=0).sum() + y[::2].sum())(x * 2.0), 1),
    (lambda x: [(x * k).reshape(10, -1)[:, ::2].sum(axis=0).sum() for k in (1.0, 2.0, 3.0)], 1),  # a view does not keep it
    (lambda x: [np.modf(x * k)[0].sum() for k in (1.0, 2.0, 3.0)], 3),
    (lambda x: grad(lambda x: np.sum(np.sin(np.sin(np.sin(x)))))(x), 3),
])
def test_no_more_memory_than_the_values_that_are_needed(fun, arrays):
    most = peak(jit(fun, backend="numpy"), LARGE)
    assert most <= (arrays + 0.2) * LARGE.nbytes, most / LARGE.nbytes  # NumPy needs buffers, before 2.1 larger ones


def test_nothing_is_held_between_calls():
    f = jit(lambda x: np.sum(np.sin(x) * np.cos(x)), backend="numpy")
    f(LARGE)
    gc.collect()
    tracemalloc.start()
    f(LARGE)
    left = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert left < 1000


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logaddexp_of_a_number_and_a_large_array(dtype):
    x = np.concatenate([np.linspace(-800, 800, 401), [0.5, -0.0, np.inf, -np.inf, np.nan, 1e-300, 5e-324]]).astype(dtype)
    for number in (0.0, 0.5, -3, 1e300, True):
        for f in (lambda x: np.logaddexp(number, x), lambda x: np.logaddexp(x, number)):
            with np.errstate(over="ignore", invalid="ignore"):  # 1e300 is infinite in float32; NumPy warns of NaN
                expected = f(x)
                found = jit(f, backend="numpy")(x)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps)
    integers = np.arange(200)
    np.testing.assert_array_equal(jit(lambda i: np.logaddexp(1, i), backend="numpy")(integers), np.logaddexp(1, integers))
    slopes = value_and_grad(lambda x: np.sum(np.logaddexp(0.0, x)))
    with np.errstate(all="raise", under="ignore"):
        for ours, theirs in zip(jit(slopes, backend="numpy")(x[:400]), slopes(x[:400])):
            np.testing.assert_allclose(ours, theirs, rtol=4 * np.finfo(dtype).eps)


# ---- Operands ----------------------------------------------------------------------------------------------------------


def test_a_recording_made_by_hand():
    x, y, z = Variable("x", (3,), np.dtype(float)), Variable("y", (3,), np.dtype(float)), Variable("z", (), np.dtype(float))
    recording = Recording(None, [x], ((x,), {}), [Operation(y, np.multiply, (x, 2.0)), Operation(z, np.sum, (y,))], {"z": z, "y": y})
    found = compile_recording(recording)(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(found[0], [2.0, 4.0, 6.0])
    assert found[1] == 12.0


def test_an_operand_is_written_over_only_after_its_last_use():
    def f(x):
        y = x * 2.0
        view = y[1:]
        z = y + 1.0  # y is not used any more, but the view is
        return z[0] + view[0] + np.sum(z)

    check(f, X)
    check(lambda x: (lambda y: (y + y[::-1], y * 1.0))(x * 2.0), X)
    check(lambda x: (lambda y: y + y.T + y)(np.outer(x, x) * 2.0), X)
