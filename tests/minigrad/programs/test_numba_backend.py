"""The backend that compiles kernels: NumPy's numbers to a few units in the last place, for every function, dtype and shape."""

import math
import threading
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from minigrad import jit, tree, value_and_grad
from minigrad.programs import numba_backend
from minigrad.programs.kernels import Kernel, compiled
from minigrad.programs.numba_backend import Plan, compile_recording
from minigrad.programs.operations import variables
from minigrad.programs.simplifying import simplified
from minigrad.programs.steps import TEXTS
from minigrad.programs.tracing import trace

from .support import run

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 50))
A = RNG.normal(size=(4, 5))
MAXIMA = {np.maximum, np.minimum, np.fmax, np.fmin}
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1.7e308, 1.0, -1.0, 0.5, -2.5])


def planned(recording):
    """The operations of a recording, with calls of kernels."""
    return Plan(recording.operations, variables(recording.outputs)).with_kernels()


def kernels_of(fun, *args):
    """The sources of the kernels of a function."""
    recording = simplified(trace(fun, args, {}))
    return [operation.function.source for operation in planned(recording) if isinstance(operation.function, Kernel)]


def assert_near(found, expected, ulp=4):
    """Assert that results have the same type, dtype, shape, signs of zeros, and numbers up to some units in the last place."""
    assert type(found) is type(expected)
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if found.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected)
        return
    np.testing.assert_allclose(found, expected, rtol=ulp * np.finfo(found.dtype).eps, atol=0)
    for part in ("real", "imag"):
        a, b = getattr(found, part), getattr(expected, part)
        np.testing.assert_array_equal(np.signbit(a[b == 0]), np.signbit(b[b == 0]))


def check(fun, *args, ulp=4, stay: list | None = []):
    """Assert that a function and the program with kernels return the same, and that only `stay` are calls of NumPy."""
    with np.errstate(all="ignore"):
        recording = simplified(trace(fun, args, {}))
        expected = tree.leaves(run(recording, *args))
    before = [np.copy(arg) for arg in tree.leaves(args)]
    program = compile_recording(recording)
    for _ in range(2):
        for a, b in zip(program(*tree.leaves(args)), expected, strict=True):
            assert_near(a, b, ulp)
    for arg, copy in zip(tree.leaves(args), before):
        np.testing.assert_array_equal(arg, copy)  # nothing was written into an input
    remaining = [operation.name for operation in planned(recording) if not isinstance(operation.function, Kernel)]
    assert stay is None or sorted(remaining) == sorted(stay)


# ---- Each function --------------------------------------------------------------------------------------------------


def every_function(kinds):
    """A function that returns the result of each ufunc that kernels can compute for such dtypes, and how many there are.

    Of 0.0 and -0.0, NumPy's maxima return the first or the second, which depends on the machine. So theirs get a positive sign.
    """
    ufuncs = [ufunc for ufunc, (has, _) in TEXTS.items() if set(kinds) <= set(has) or (has == "b" and ufunc is not np.invert)]

    def fun(a, b):
        results = {ufunc: ufunc(*(a, b)[: ufunc.nin]) for ufunc in ufuncs}
        return [y + y.dtype.type(0) if ufunc in MAXIMA else y for ufunc, y in results.items()]

    return fun, len(ufuncs)


def pairs(values, dtype):
    """All pairs of some values, in two arrays."""
    return tuple(values.astype(dtype)[i.ravel()] for i in np.indices((len(values), len(values))))


@pytest.mark.parametrize("dtype, least", [("d", 50), ("f", 50), ("q", 20), ("i", 20), ("b", 20), ("B", 20), ("Q", 20), ("?", 8)])
def test_every_function_at_special_values(dtype, least):
    """NaN, infinities, zeros of both signs, a subnormal number, the largest, and integers at which int8 overflows."""
    kind = np.dtype(dtype).kind
    values = SPECIAL if kind == "f" else np.array([0, 1, 2, 3, 5, 7, 11, 100, 127, 64, 128]) * (1 if kind in "ub" else -1)
    with np.errstate(all="ignore"):
        a, b = pairs(values, dtype)
    fun, count = every_function(kind)
    assert count >= least
    check(fun, a, b, ulp=4)


@pytest.mark.parametrize("dtype", ["D", "F"])
def test_complex_numbers(dtype):
    a, b = RNG.normal(size=(2, 30)).astype(dtype) + np.array(1j, dtype) * RNG.normal(size=30).astype(dtype)
    check(lambda a, b: [a + b, a - b, a * (2 - 1j), -a, a == b, a != b, np.square(b), (a + b).sum(), np.mean(a - b)], a, b, ulp=10)


def test_dtypes_are_those_of_numpy():
    """A Python number takes part in the dtype of an array, and a NumPy scalar brings its own. Small integers wrap."""
    f, i, u, t = X.astype("f"), np.arange(50, dtype="b"), np.arange(50, dtype="B") * 5, X > 0

    def fun(f, i, u, t, s):
        return [
            f * 2.0 + 1, f * s, f + np.float64(0.1), i * 100, i + u, i + np.int64(1), u - 1, f + i, f + i.astype("q"), t * f, t + 1, t & (f > 0.5),
            i / 3, -u, u.astype("f") * f, f.astype("d") * 0.1, np.where(t, f, 0.1), np.where(t, i, u), np.sum(t), np.sum(u), np.mean(i),
            np.mean(f), np.sum(f * 0.1), np.max(u), np.min(f), s * 2, f.sum() * s, 1 - t, np.sum(f) + 0.1,
        ]

    check(fun, f, i, u, t, 0.3)
    check(lambda x, y, z: [x * y, y * 0.1, x + y + z, np.sin(y), (x > y) + z], np.float64(0.3), np.float32(0.7), np.int16(3), stay=None)


def test_constants_that_are_not_finite():
    check(lambda x, s: [x * np.inf + s, x - np.nan, s * np.inf, s + np.nan, (x > -np.inf) & (x < np.inf), x * complex(np.inf, 1) + 1], X, 2.0, stay=None)


def test_numpy_does_what_kernels_cannot():
    """Half precision, complex division, comparison of signed and unsigned integers, and integers that no element can be."""
    half, q, u = X.astype("e"), np.arange(5) - 2, np.arange(5, dtype="Q")
    names = ["np.multiply", "np.divide", "np.less", "np.less", "np.power", "np.sort"]
    check(lambda h, q, u, z, x: [h * 2, z / z, q < u, u < -1, q**u, np.sort(x)], half, q, u, X + 1j, X, stay=names)


# ---- Shapes ---------------------------------------------------------------------------------------------------------


def test_broadcasting():
    row, column, cube, one = A[0], A[:, :1], RNG.normal(size=(3, 4, 5)), np.array([[2.0]])

    def fun(a, row, column, cube, one, number):
        return [
            a + row, a * column - row, row + column, cube * a + row, cube * column, one * a + one, number * cube, one + one, one * row,
            (cube + row).sum(), (a * row).sum(axis=1) * column[:, 0], (cube * a).sum(axis=1), cube.sum(axis=(0, 2)) + 1, np.outer(row, a[:, 0]) * 2,
            (a - a.mean(axis=1, keepdims=True)) ** 2, a.sum(axis=0, keepdims=True) + row, cube.max(axis=0), a.min(axis=-1), one.sum(axis=0) + row,
            np.broadcast_to(row, (4, 5)) * a, np.reshape(row, (5, 1)) + row, row[:, None] * row, np.sum(one * 3), np.sum(row[:, None] * 2, axis=1),
            column @ row[None] + a, np.mean(row) * row, row @ row + row, np.sum(a * a, axis=0, keepdims=True), np.sum(cube * cube, axis=1, keepdims=True),
        ]

    check(fun, A, row, column, cube, one, np.array(0.5), ulp=20, stay=["getitem"] * 2)


@pytest.mark.parametrize("change", [
    lambda a: np.asfortranarray(a), lambda a: a[::-1], lambda a: a[:, ::2], lambda a: np.broadcast_to(a[0], a.shape), lambda a: a.T[:2].T,
], ids=["Fortran", "backwards", "every second", "broadcast", "columns"])
def test_strides_of_inputs(change):
    a = change(RNG.normal(size=(6, 8)))
    check(lambda a: [a * 2 + 1, a + a[0], (a * a).sum(), (a + 1).sum(axis=0), (a + 1).sum(axis=1)], a, stay=["getitem", "np.add"])


def test_inputs_may_share_memory_and_be_read_only():
    x = np.arange(20.0)
    x.flags.writeable = False
    found = jit(lambda a, b, c: (a + b * c, np.sum(a * b)), backend="numba")(x[1:], x[:-1], x[1:])
    np.testing.assert_array_equal(found[0], x[1:] + x[:-1] * x[1:])
    assert found[1] == np.sum(x[1:] * x[:-1])


def test_empty_arrays_and_arrays_of_one_element():
    empty = np.zeros((0, 3))
    check(lambda e: [e * 2 + e, np.sum(e * e), np.sum(e + 1, axis=0)], empty, stay=["np.multiply", "np.add", "np.multiply", "np.sum", "np.add", "np.sum"])
    check(lambda x: [x * 2 + x, np.sum(x * x), np.exp(x) + 1, x.max() * x, np.mean(x, axis=0, keepdims=True) + x], np.array([3.0]), stay=None)


def test_a_shape_that_calls_of_several_stages_need():
    """The operation that gives it runs before the first of them, which is one that a kernel could do."""
    check(lambda x: [(y := np.reshape(x * 2 + x, (1, 50))) + 1, np.sort(np.sort(x))[:3] * 2, np.cumsum(y)], X, stay=None)
    check(lambda x: [(y := np.reshape(x, (1, 50))) * 2, np.cumsum(y)], X, stay=None)
    check(lambda x: [(y := np.reshape(np.sort(x), (1, 50))) * 2, np.cumsum(y)], X, stay=None)


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed):
    """Operations of random kinds, on values of random shapes and dtypes, most of which are used several times."""
    rng = np.random.default_rng(seed)
    shapes = [(), (4,), (3, 1), (3, 4), (2, 3, 4), (2, 1, 1), (1,)]
    inputs = [(rng.normal(size=shapes[i % 7]) * 3).astype(("dq" if seed % 3 else "fq")[int(rng.integers(5) == 0)])[()] for i in range(10)]
    unary = [np.sin, np.tanh, np.square, np.absolute, np.negative, np.exp, lambda x: np.sum(x, axis=-1) if np.ndim(x) else x, np.mean, np.max,
             lambda x: np.mean(x, axis=0, keepdims=True) if np.ndim(x) else x, lambda x: x * 0.5 + 1, lambda x: np.reshape(x, (-1,))]
    binary = [np.add, np.multiply, np.subtract, np.maximum, np.less, lambda a, b: a / (1 + b * b), lambda a, b: np.where(a > 0, a, b), np.hypot]
    choices = rng.integers(1 << 30, size=(40, 3))

    def fun(*inputs):
        values = list(inputs)
        for kind, i, j in choices:
            a, b = (values[-1 - k % min(len(values), 12)] for k in (i, j))
            try:
                np.broadcast_shapes(np.shape(a), np.shape(b))
            except ValueError:
                b = 0.5
            if kind % 2:
                values.append(unary[kind // 2 % len(unary)](a + 0.0))
            else:
                values.append(binary[kind // 2 % len(binary)](a + 0.0, b))
            values[-1] = np.tanh(values[-1]) if np.result_type(values[-1]).kind == "f" and kind % 5 == 0 else values[-1]
        return values[-12:]

    with np.errstate(all="ignore"):
        recording = simplified(trace(fun, tuple(inputs), {}))
        expected = tree.leaves(run(recording, *inputs))
        found = compile_recording(recording)(*inputs)
    for a, b in zip(found, expected, strict=True):
        assert (type(a), a.dtype, a.shape) == (type(b), b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-11 if seed % 3 else 1e-3, atol=1e-12 if seed % 3 else 1e-4)


# ---- Sums -----------------------------------------------------------------------------------------------------------


def errors_of_sums(x, exact):
    """The error of the sum in a kernel, and of NumPy's, in units in the last place."""
    recording = simplified(trace(lambda x: (np.sum(x), np.max(x)), (x,), {}))
    total, largest = compile_recording(recording)(x)
    assert largest == x.max() and len(planned(recording)) == 1
    unit = np.spacing(x.dtype.type(abs(exact)))
    return abs(Fraction(float(total)) - exact) / Fraction(float(unit)), abs(Fraction(float(np.sum(x))) - exact) / Fraction(float(unit))


@pytest.mark.parametrize("size, times", [(10**7, 1), (10**5, 8), (1000, 50), (100, 100)])
@pytest.mark.parametrize("dtype", ["d", "f"])
def test_sums_are_as_exact_as_those_of_numpy(size, times, dtype):
    """The largest error is at most four times NumPy's, and that of 10^7 numbers below one unit in the last place."""
    worst, of_numpy = 0, Fraction(1, 2)
    for seed in range(times):
        x = np.random.default_rng(seed).uniform(size=size).astype(dtype)
        error, other = errors_of_sums(x, Fraction(math.fsum(x)))
        worst, of_numpy = max(worst, error), max(of_numpy, other)
    assert worst <= 4 * of_numpy
    assert size < 10**7 or worst <= 1


def test_sums_that_cancel_overflow_or_hold_nan():
    big = np.array([1e308, 1e308, -1e308, -1e308] * 100)
    many = np.concatenate([np.full(1280, 1e16), np.ones(1280), np.full(1280, -1e16)])

    def sums(*arrays):
        return [(np.sum(x), np.min(x)) for x in arrays]

    with np.errstate(all="ignore"):
        found = jit(sums, backend="numba")(many, big[:1], np.array([1.0, np.inf] * 300), np.array([np.inf, -np.inf] * 300), np.array([np.nan, 1.0]), np.array([-0.0] * 9))
    np.testing.assert_array_equal([total for total, _ in found], [1280.0, 1e308, np.inf, np.nan, np.nan, 0.0])
    assert np.signbit(found[-1][0]) == np.signbit(np.sum([-0.0] * 9))
    assert np.isnan(found[-2][1])  # a minimum with a NaN


# ---- Programs -------------------------------------------------------------------------------------------------------


def step(theta, x, y):
    loss, slopes = value_and_grad(lambda theta: np.mean((theta["w"] * x + theta["b"] - y) ** 2))(theta)
    return loss, {name: theta[name] - 0.1 * slopes[name] for name in theta}


def test_a_step_of_the_linear_model_is_one_kernel_with_one_loop():
    theta = {"w": 0.5, "b": -0.5}
    [source] = kernels_of(step, theta, X, Y)
    assert source.count(" in range(uintp") == 1
    check(step, theta, X, Y)


def recurrence(steps):
    def loss(theta, x):
        h = 0 * theta["b"]
        for t in range(steps):
            h = np.tanh(theta["W"] @ h + theta["u"] * x[t] + theta["b"])
        return np.sum(h * h)

    return value_and_grad(loss)


def test_equal_steps_of_a_recurrence_are_compiled_once():
    theta = {"W": 0.3 * RNG.normal(size=(16, 16)), "u": RNG.normal(size=16), "b": np.zeros(16)}
    few, many = (kernels_of(recurrence(steps), theta, X) for steps in (5, 20))
    assert len(many) == len(few) + 30 and set(many) == set(few)
    (loss, slopes), (expected, exact) = jit(recurrence(20), backend="numba")(theta, X), recurrence(20)(theta, X)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    for name in theta:
        np.testing.assert_allclose(slopes[name], exact[name], rtol=1e-10, atol=1e-13)
    assert all(len(compiled(source).signatures) == 1 for source in set(many))


def test_a_chain_of_numbers_is_one_kernel_and_a_long_one_several(monkeypatch):
    def chain(length):
        def fun(y):
            for _ in range(length // 2):
                y = y * 0.99 + 0.01
            return y * y

        return value_and_grad(fun)

    assert len(kernels_of(chain(400), np.float64(2.0))) == 1
    check(chain(100), 2.0)
    monkeypatch.setattr(numba_backend, "MANY", 100)
    monkeypatch.setattr(numba_backend, "PART", 50)
    long = kernels_of(chain(400), np.float64(2.0))
    assert len(long) == 12 and len(set(long)) < 6
    check(chain(400), np.float64(2.0), stay=None)


def test_of_a_long_chain_without_a_period_only_some_kernels_are_compiled(monkeypatch):
    def fun(y):
        for i in range(200):
            y = y * (0.8005 + i / 1000) + 0.01
        return y

    monkeypatch.setattr(numba_backend, "MANY", 100)
    monkeypatch.setattr(numba_backend, "PART", 50)
    monkeypatch.setattr(numba_backend, "MOST", 3)
    assert len(kernels_of(fun, np.float64(2.0))) == 3
    check(fun, np.float64(2.0), stay=["np.multiply", "np.add"] * 125)


def test_large_arrays_take_the_functions_that_numpy_computes_faster():
    x = RNG.normal(size=1000)
    fun = lambda x: np.exp(x * 2 + 1) * 3 + 1  # noqa: E731
    check(fun, x[:100])
    check(fun, x, stay=["np.exp"])


def test_logaddexp_of_large_arrays():
    a, b = pairs(SPECIAL, "d")
    a, b = np.concatenate([a, RNG.normal(size=500) * 30]), np.concatenate([b, RNG.normal(size=500) * 30])
    for dtype in "df":
        with np.errstate(all="ignore"):
            x, y = a.astype(dtype), b.astype(dtype)
            found = jit(lambda a, b: (np.logaddexp(a, b), np.logaddexp(0.0, b), np.logaddexp(a, 1)), backend="numba")(x, y)
            expected = np.logaddexp(x, y), np.logaddexp(0.0, y), np.logaddexp(x, 1)
        for p, q in zip(found, expected):
            assert p.dtype == q.dtype
            np.testing.assert_allclose(p, q, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
    assert jit(lambda i: np.logaddexp(i, i), backend="numba")(np.arange(500))[3] == np.logaddexp(3, 3)
    check(lambda s, x: np.logaddexp(s, x) + np.logaddexp(x[:, None], x[:3])[:, 0], np.float64(0.3), RNG.normal(size=200), stay=None)


def test_values_are_kept_in_the_shortest_form():
    """What is made of z after a call of NumPy is made when it is needed, so that z alone is kept, and not all that is made of it."""
    def fun(x, z):
        z = z * x + x
        y = np.sort(z)
        return [y * np.maximum(z, 0), y * (z * z), y + (z > 1)]

    first, second = kernels_of(fun, X, Y)
    assert "o0" in first and "o1" not in first
    check(fun, X, Y, stay=["np.sort"])


# ---- Calls ----------------------------------------------------------------------------------------------------------


def test_kernels_do_not_warn():
    """NumPy would warn of a division by zero, of an overflow and of an invalid value."""
    fun = jit(lambda x: (1 / x + 1, np.exp(x * 1e5) * 2, np.sqrt(-x) + 1, np.sum(x / x)), backend="numba")
    fun(np.array([-1e-9, -1e-9]))  # the first call runs with NumPy
    a, b, c, d = fun(np.array([0.0, 1.0]))
    np.testing.assert_array_equal([a[0], b[1], c[1], d], [np.inf, np.inf, np.nan, np.nan])


def test_results_are_new_arrays():
    x = np.arange(5.0)
    fun = jit(lambda x: [x, x + 1, x[1:], (x * 2 + 1)[::2], x * 3 + 1], backend="numba")
    first, second = fun(x), fun(x)
    for i, a in enumerate([*first, *second]):
        assert not np.shares_memory(a, x) and a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in [*first, *second][:i])


def test_a_call_holds_no_more_than_what_is_needed():
    """Of each step, the operand and the result; and nothing after the call but its result."""
    def fun(x):
        for _ in range(6):
            x = np.exp(x * 0.5 - 1)
        return x * 2 + np.sum(x)

    x = RNG.normal(size=100_000)
    fun = jit(fun, backend="numba")
    fun(x)
    tracemalloc.start()
    result = fun(x)
    now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2.1 * x.nbytes and now < 1.1 * result.nbytes


def test_threads_run_one_program_at_once():
    fun = jit(lambda x, s: (np.sum(np.sin(x * s) @ x), np.cumsum(x * s + 1) * s), backend="numba")
    inputs = [(RNG.normal(size=40_000), float(i)) for i in range(4)]
    expected, wrong = [(np.sum(np.sin(x * s) @ x), np.cumsum(x * s + 1) * s) for x, s in inputs], []

    def work(i):
        for _ in range(50):
            total, array = fun(*inputs[i])
            if not (math.isclose(total, expected[i][0], rel_tol=1e-9) and np.allclose(array, expected[i][1], rtol=1e-9, atol=1e-9)):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_call_that_fails_names_the_line():
    fun = jit(lambda a: np.linalg.inv(a * 2 + 1).sum(), backend="numba")
    fun(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError) as caught:
        fun(np.zeros((2, 2)))
    assert "test_numba_backend.py" in caught.value.__notes__[0]


def test_a_kernel_that_numba_refuses_is_an_error(monkeypatch):
    """It must not run NumPy in its place forever, after an attempt to compile in each call."""
    monkeypatch.setitem(TEXTS, np.sin, ("f", "no_such_function({})"))
    with pytest.raises(RuntimeError, match="backend='numpy'"):
        jit(lambda x: np.sin(x) + 1, backend="numba")(X)


def test_long_compilations_are_announced(monkeypatch, capsys):
    fun = lambda x: x * 12.5 + 7 - x  # noqa: E731
    monkeypatch.setattr(numba_backend, "WAIT", 0.1)
    for said in ("minigrad.jit: Numba compiles 1 loops in the first call", ""):
        recording = simplified(trace(fun, (X,), {}))
        compile_recording(recording)(X)
        streams = capsys.readouterr()
        assert streams.out == "" and streams.err.startswith(said) and bool(streams.err) == bool(said)
