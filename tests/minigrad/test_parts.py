"""Losses over parts of the rows, held against the same losses over all rows."""

import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from minigrad import parts, tree, value_and_grad

from .support import cases

RNG = np.random.default_rng(3)
ROWS = 40_000  # more than a block
X = RNG.normal(size=(ROWS, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.3 + RNG.normal(size=ROWS)
LABELS = (Y > 0).astype(float)
LINE = {"w": np.array([0.3, 0.1, -0.2]), "b": 0.1}


def linear(theta, x, y):
    return ((x @ theta["w"] + theta["b"] - y) ** 2).mean()


def logistic(theta, x, y):
    return np.mean(np.logaddexp(0.0, (1 - 2 * y) * (x @ theta["w"] + theta["b"])))


def ridge(theta, x, y):
    return linear(theta, x, y) + 0.1 * np.sum(theta["w"] ** 2)


def huber(theta, x, y):
    away = np.abs(x @ theta["w"] + theta["b"] - y)
    return np.mean(np.where(away < 1, away**2 / 2, away - 0.5))


def network(theta, x, y):
    (W, b), (v, c) = theta
    return ((np.tanh(x @ W + b) @ v + c - y) ** 2).mean()


NETWORK = [(RNG.normal(size=(3, 4)), np.zeros(4)), (RNG.normal(size=4), 0.2)]
LOSSES = {
    "linear": (linear, LINE, Y), "logistic": (logistic, LINE, LABELS), "ridge": (ridge, LINE, Y), "huber": (huber, LINE, Y),
    "network": (network, NETWORK, Y),
}


def unequal(n, *columns):
    """The rows in n parts of unequal sizes, one of them empty if there are more than two."""
    cuts = np.sort(np.random.default_rng(n).integers(0, ROWS, n - 1))
    if n > 2:
        cuts[1] = cuts[0]
    return list(zip(*(np.split(column, cuts) for column in columns)))


def equal(result, expected, tolerance=1e-12):
    assert tree.structure(result) == tree.structure(expected)
    for one, other in zip(tree.leaves(result), tree.leaves(expected)):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@cases(LOSSES)
@pytest.mark.parametrize("n", [1, 2, 7, 256])
def test_equal_to_the_loss_over_all_rows(case, n):
    loss, theta, y = case
    value, gradient = parts.value_and_grad(loss)(theta, unequal(n, X, y))
    expected_value, expected = value_and_grad(loss)(theta, X, y)
    assert type(value) is float
    equal((value, gradient), (float(expected_value), expected))


def sent(function, *args):
    """A future that is done."""
    future = Future()
    try:
        future.set_result(function(*args))
    except Exception as error:
        future.set_exception(error)
    return future


class Counting:
    """An executor that does the work at once, and counts the calls."""

    def __init__(self):
        self.calls = []

    def submit(self, function, *args):
        self.calls.append((function, args))
        return sent(function, *args)


@pytest.mark.parametrize("n", [4, 256])
def test_the_number_of_calls_is_the_number_of_tasks(n):
    executor = Counting()
    f = parts.value_and_grad(linear, executor, tasks=4)
    first = f(LINE, unequal(n, X, Y))
    executor.calls.clear()  # before the first step, it is checked that the loss is a mean
    assert tree.map(np.array_equal, first, f(LINE, unequal(n, X, Y))) == (True, {"w": True, "b": True})
    assert [function for function, _ in executor.calls] == [parts.sum_over] * 4
    dealt = [len(args[2]) for _, args in executor.calls]
    assert sum(dealt) == n and max(dealt) - min(dealt) <= 1
    equal(first, value_and_grad(linear)(LINE, X, Y))


def test_threads_and_processes():
    expected = value_and_grad(linear)(LINE, X, Y)
    some = [partial(make, seed) for seed in range(5)]
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        equal(parts.value_and_grad(linear, threads)(LINE, unequal(5, X, Y)), expected)
        by_threads = parts.value_and_grad(linear, threads)(LINE, some)
        by_processes = parts.value_and_grad(linear, processes)(LINE, some)
    assert by_threads[0] == by_processes[0] and np.array_equal(by_threads[1]["w"], by_processes[1]["w"])
    whole = [np.concatenate(columns) for columns in zip(*(part() for part in some))]
    equal(by_threads, value_and_grad(linear)(LINE, *whole))


def make(seed, rows=100):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    return x, x[:, 0] + rng.normal(size=rows)


# ---- Losses that are no means ----------------------------------------------------------------------------------------

NO_MEANS = {
    "the root of a mean": lambda theta, x, y: np.sqrt(linear(theta, x, y)),
    "a sum": lambda theta, x, y: linear(theta, x, y) * len(y),
    "half a sum": lambda theta, x, y: np.sum((x @ theta["w"] - y) ** 2) / 2,
    "a maximum": lambda theta, x, y: np.max(np.abs(x @ theta["w"] - y)),
    "a median": lambda theta, x, y: np.median(np.abs(x @ theta["w"] - y)),
    "normalised by the batch": lambda theta, x, y: linear(theta, (x - x.mean(0)) / x.std(0), y),
    "a variance": lambda theta, x, y: np.var(x @ theta["w"] - y),
    "a log of a mean": lambda theta, x, y: np.log(linear(theta, x, y)),
}


@pytest.mark.parametrize("executor", [None, Counting()], ids=["here", "executor"])
@cases(NO_MEANS)
def test_a_loss_that_is_no_mean_is_refused(case, executor):
    counted = []

    def loss(theta, x, y):
        counted.append(len(y))
        return case(theta, x, y)

    with pytest.raises(ValueError, match=r"only a mean over rows can be computed in parts\. Return a mean over rows, such as"):
        parts.value_and_grad(loss, executor)(LINE, unequal(7, X, Y))
    assert sorted(counted) == [61, 97, 158]  # and nothing else was computed


def test_what_is_checked_is_as_exact_as_the_data():
    theta = {"w": LINE["w"].astype(np.float32), "b": np.float32(0.1)}
    x, y = X.astype(np.float32), Y.astype(np.float32)
    value, gradient = parts.value_and_grad(linear)(theta, unequal(7, x, y))
    assert gradient["w"].dtype == np.float32 and type(gradient["b"]) is np.float32
    equal((value, gradient), (float(linear(theta, x, y)), value_and_grad(linear)(theta, x, y)[1]), 1e-5)
    with pytest.raises(ValueError, match="only a mean"):
        parts.value_and_grad(NO_MEANS["a median"])(theta, unequal(7, x, y))


def test_sums_of_float32_are_taken_in_float64():
    """The error of a sum over 2,000 blocks in float32 would be 1e-5."""
    some = [partial(make_float32, seed) for seed in range(2000)]
    theta = {"w": np.ones(3, np.float32), "b": np.float32(0)}
    gradient = parts.value_and_grad(linear)(theta, some)[1]["w"]
    exact = sum(10 * value_and_grad(linear)(theta, *part())[1]["w"].astype(float) for part in some) / 20_000
    np.testing.assert_allclose(gradient, exact, rtol=1e-7)


def make_float32(seed):
    return tuple(column.astype(np.float32) for column in make(seed, 10))


# ---- Errors ---------------------------------------------------------------------------------------------------------

GOOD = (X[:9], Y[:9])


def missing(path):
    return np.load(path)


BAD_PARTS = {
    "a file that is missing": (partial(missing, "part-1.npy"), r"part 1, missing\('part-1.npy'\): FileNotFoundError: .*part-1.npy"),
    "unequal numbers of rows": ((X[:9], Y[:8]), r"part 1: its arrays must have equal numbers of rows, and their shapes are"),
    "a number": ((X[:9], 1.0), r"part 1: its arrays must have equal numbers of rows"),
    "NaN in the data": ((X[:9], np.full(9, np.nan)), r"part 1: its loss is NaN: there is a NaN or an infinity in array number 1"),
    "infinity in the data": ((np.full((9, 3), np.inf), Y[:9]), r"part 1: its loss is (NaN|infinite): .* in array number 0"),
    "overflow": ((X[:9] * 1e200, Y[:9]), r"part 1: its loss is infinite$"),
    "another number of columns": ((X[:9, :2], Y[:9]), r"part 1: ValueError: .*"),
}


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("executor", [None, Counting()], ids=["here", "executor"])
@cases(BAD_PARTS)
def test_an_error_names_the_part(case, executor):
    part, message = case
    with pytest.raises(parts.PartError, match=message):
        parts.value_and_grad(linear, executor, tasks=2)(LINE, [GOOD, part, GOOD])


def test_an_infinite_gradient():
    def loss(theta, x):
        return np.mean(np.sqrt(theta - x))

    with pytest.raises(parts.PartError, match="part 1: its gradient is infinite$"), np.errstate(divide="ignore"):
        parts.value_and_grad(loss)(1.0, [(np.zeros(3),), (np.array([0.0, 1.0]),), (np.zeros(3),)])


WRONG_USE = {
    "no parts": (lambda: parts.value_and_grad(linear)(LINE, []), ValueError, "there are no parts"),
    "no rows": (lambda: parts.value_and_grad(linear)(LINE, [(X[:0], Y[:0])]), ValueError, "the parts have no rows"),
    "an array": (lambda: parts.value_and_grad(linear)(LINE, [X]), TypeError, "a part is a tuple of arrays, .*; part 0 is a ndarray"),
    "a function that returns None": (
        lambda: parts.value_and_grad(linear)(LINE, [lambda: None]), TypeError, "part 0 returned a NoneType",
    ),
    "no executor": (lambda: parts.value_and_grad(linear, 4), TypeError, "an executor must have a method submit, .* and 4 does not have it"),
    "no tasks": (lambda: parts.value_and_grad(linear, tasks=0), ValueError, "tasks must be 1 or more, got 0"),
    "no loss": (lambda: parts.value_and_grad(3), TypeError, "callable"),
}


@cases(WRONG_USE)
def test_wrong_use(case):
    call, error, message = case
    with pytest.raises(error, match=message):
        call()


def slow():
    time.sleep(1)
    return GOOD


def test_time_is_up():
    with ThreadPoolExecutor(1) as executor:
        f = parts.value_and_grad(linear, executor, tasks=3, timeout=0.05)
        start = time.monotonic()
        with pytest.raises(TimeoutError, match="a step over parts took longer than 0.05 seconds: a worker may be paused"):
            f(LINE, [slow] * 3)
    assert time.monotonic() - start < 3.5  # what had not begun was cancelled


def test_the_time_is_that_of_the_step_and_not_of_a_task():
    with ThreadPoolExecutor(1) as executor:
        f = parts.value_and_grad(linear, executor, tasks=4, timeout=1.5)
        with pytest.raises(TimeoutError, match="longer than 1.5 seconds"):
            f(LINE, [GOOD, *[slow] * 2, GOOD])  # each of them takes a second


def test_lists_and_tuples_in_the_place_of_arrays():
    equal(parts.value_and_grad(linear)(LINE, [[X[:9].tolist(), Y[:9].tolist()]]), value_and_grad(linear)(LINE, X[:9], Y[:9]))


def test_what_a_part_holds_is_read_once_a_step():
    read = []

    def part(i):
        read.append(i)
        return GOOD

    f = parts.value_and_grad(linear)
    f(LINE, [partial(part, i) for i in range(3)])
    assert read == [0, 2, 0, 1, 2]  # the first and the last for the check
    f(LINE, [partial(part, i) for i in range(3)])
    assert read[5:] == [0, 1, 2]
