"""Exceptions at any place, threads, generators, tasks, forks: what comes after is right, or it is an error.

The programs in tests/faults try thousands of places, and take minutes. Here they try a few of each kind.
"""

import asyncio
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from minigrad import checkpoint, custom_vjp, defvjp, grad, jvp, linearize, primitive, value_and_grad, vjp
from minigrad.guards import EscapedTensorError

from ..faults.interrupts import Bomb, Fault
from .support import cases

X = np.array([0.5, 1.5, 2.5])


ROOT = Path(__file__).parents[2]


def python(*arguments):
    """Run Python in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


def run(program, *arguments):
    """Run one of the programs in tests/faults, and return what it printed last."""
    done = python("-W", "ignore", "-m", f"tests.faults.{program}", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


# ---- Interrupts and first uses --------------------------------------------------------------------------------------

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="the program copies its process for each place")


@NEEDS_FORK
@cases({
    "any exception": ("--every", "3001", "--others", "100000"),
    "an interrupt": ("--every", "9001", "--first", "77", "--error", "KeyboardInterrupt"),
    "no memory": ("--every", "9001", "--first", "1333", "--error", "MemoryError"),
    "all in one process": ("--how", "same-process", "--every", "1511", "--first", "13"),
    "no room on the stack": ("--how", "depth", "--every", "11"),
})
def test_after_an_exception_at_any_place_the_next_result_is_right(case):
    assert ", 0 wrong results afterwards" in run("interrupts", *case)


@NEEDS_FORK
def test_the_program_of_interrupts_notices_what_is_left_half_done():
    program = """
import sys
from tests.faults import interrupts
from minigrad.rules import special

def hasty(register=special.register):
    if not hasty.is_done:
        hasty.is_done = True  # too early: an interrupt leaves the rest undone
        register()

hasty.is_done = False
special.late_rules[:] = [hasty]
sys.exit(interrupts.main(["--every", "401", "--pieces", "special_functions"]))
"""
    done = python("-W", "ignore", "-c", program)
    assert done.returncode == 1 and "no derivative rule" in done.stdout, done.stdout + done.stderr


def test_first_uses_in_many_threads_are_right():
    assert ", 0 processes with a wrong result" in run("threads", "--processes", "1")


def test_memory_stays_the_same():
    assert run("memory", "--steps", "510").endswith(" 0 kinds that keep something")


def test_a_rule_of_ones_own_for_a_function_of_scipy_stays():
    program = """
import scipy.special as s
from minigrad import defvjp, grad
defvjp(s.erf, x=lambda g, x: 100.0 * g)
assert grad(s.erf)(0.5) == 100.0
assert 0 < grad(s.expit)(0.5) < 1  # this is the first call that lacks a rule: now SciPy's functions get theirs
assert grad(s.erf)(0.5) == 100.0
defvjp(s.expit, x=lambda g, x: 200.0 * g)
assert grad(s.expit)(0.5) == 200.0
"""
    done = python("-c", program)
    assert done.returncode == 0, done.stderr


def test_two_threads_may_define_the_derivatives_of_one_function():
    names = "abcdefghij"

    @primitive
    def product(a, b, c, d, e, f, g_, h, i, j):
        return a * b * c * d * e * f * g_ * h * i * j

    barrier = threading.Barrier(len(names))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def define(name):
        barrier.wait()
        defvjp(product, **{name: lambda g: g * 2.0})

    try:
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(define, [name if name != "g" else "g_" for name in names]))
    finally:
        sys.setswitchinterval(interval)
    assert grad(product, argnums=tuple(range(10)))(*np.ones(10)) == (2.0,) * 10


# ---- Tensors in several threads -------------------------------------------------------------------------------------


def in_thread(call):
    """The result of a call in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_a_tensor_may_be_used_in_another_thread():
    assert grad(lambda x: in_thread(lambda: np.sin(x) * x) + x)(0.5) == grad(lambda x: np.sin(x) * x + x)(0.5)
    found = grad(lambda x: in_thread(lambda: grad(lambda y: y**3 * x)(x)))(2.0)  # 3 x^3
    assert found == 36.0
    assert in_thread(lambda: grad(lambda x: in_thread(lambda: x**3))(2.0)) == 12.0
    _, vjp_fun = vjp(np.sin, X)
    np.testing.assert_array_equal(in_thread(lambda: vjp_fun(X)[0]), vjp_fun(X)[0])


def test_many_threads_may_compute_with_one_tensor():
    weights = np.random.default_rng(0).normal(size=(40, 3))

    def f(x, each):
        terms = each(lambda row: np.tanh(x @ row) * np.sum(x[1:] * row[:2]) + x.sum(), weights)
        return sum(terms)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            value, gradient = value_and_grad(f)(X, lambda fun, rows: list(pool.map(fun, rows)))
            expected = value_and_grad(f)(X, lambda fun, rows: list(map(fun, rows)))
            assert value == expected[0]
            np.testing.assert_allclose(gradient, expected[1], rtol=1e-13)


def test_vjp_fun_may_be_called_in_many_threads():
    _, vjp_fun = vjp(lambda x: np.tanh(x) * x[::-1], X)
    _, push = linearize(lambda x: np.tanh(x) * x[::-1], X)
    given = list(np.random.default_rng(0).normal(size=(50, 3)))
    with ThreadPoolExecutor(8) as pool:
        np.testing.assert_array_equal(list(pool.map(lambda g: vjp_fun(g)[0], given)), [vjp_fun(g)[0] for g in given])
        np.testing.assert_array_equal(list(pool.map(push, given)), [push(g) for g in given])


class Suspended:
    """A call of grad that stands still in another thread, in the middle of its function, which hands out a Tensor."""

    def __init__(self, x=2.0):
        self.tensors, self.answers = queue.Queue(), queue.Queue()
        self.thread = threading.Thread(target=self.run, args=(x,), daemon=True)
        self.thread.start()
        self.tensor = self.tensors.get(timeout=60)

    def run(self, x):
        def f(y):
            self.tensors.put(y * 3.0)
            return y * self.answers.get(timeout=60)

        self.result = grad(f)(x)

    def go_on(self, answer):
        """Let its function return its argument times the answer, and return the gradient."""
        self.answers.put(answer)
        self.thread.join()
        return self.result


def written(value):
    def f(x):
        y = x * 1.0
        y[0] = value()
        return y.sum()

    return f


MIXED = {
    "grad": lambda t: grad(lambda x: x * x * t())(2.0),
    "value_and_grad": lambda t: value_and_grad(lambda x: x * 2.0 + t())(2.0),
    "vjp": lambda t: vjp(lambda x: x * t(), X),
    "vjp, one of two results": lambda t: vjp(lambda x: (x * 2.0, x * t()), X),
    "auxiliary data": lambda t: grad(lambda x: (x * 2.0, x * t()), has_aux=True)(2.0),
    "jvp": lambda t: jvp(lambda x: x * t(), (X,), (X,)),
    "the Tensor itself": lambda t: grad(lambda x: t())(2.0),
    "written into another": lambda t: grad(written(t))(X),
    "checkpoint": lambda t: grad(lambda x: checkpoint(lambda y: y * t())(x))(2.0),
    "in a nested call": lambda t: grad(lambda x: grad(lambda y: x * y * t())(2.0))(3.0),
}


@cases(MIXED)
def test_a_tensor_of_a_later_call_in_another_thread_cannot_be_in_the_result(case):
    """The result would be a constant for the call that began first, and its derivative 0."""
    others = []

    def late():
        others.append(Suspended())
        return others[-1].tensor

    with pytest.raises(EscapedTensorError, match="another thread"):
        case(late)
    assert [other.go_on(7.0) for other in others] == [7.0] * len(others)


def test_a_tensor_of_an_earlier_call_in_another_thread_is_like_one_of_an_outer_call():
    other = Suspended(2.0)
    product = grad(lambda x: x * x * other.tensor)(5.0)  # 2 x t, where t is 3 y
    assert other.go_on(product) == 10.0 * 2 * 3.0 * 2.0  # the function there is y * 10 * 3 y
    with pytest.raises(EscapedTensorError):
        product * 2.0


def test_a_call_that_never_ends_in_another_thread_changes_nothing():
    other = Suspended()
    for _ in range(3):
        assert grad(lambda x: x * grad(lambda y: x * y)(1.0))(3.0) == 6.0
    assert other.go_on(5.0) == 5.0


def test_a_tensor_can_be_written_into_only_in_the_thread_of_its_call():
    def f(x):
        y = np.zeros_like(x, shape=8)

        def write(i):
            y[i] = x[i % 3] * i

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(8)))
        return y.sum()

    with pytest.raises(NotImplementedError, match="only in the thread that called grad"):
        grad(f)(X)
    changes = [
        lambda y: y.__iadd__(1.0),
        lambda y: np.add.at(y, 0, y[1]),
        lambda y: np.add(y, y, out=y),
        lambda y: y[:2].__imul__(2.0),
    ]
    for change in changes:
        with pytest.raises(NotImplementedError, match="only in the thread that called grad"):
            grad(lambda x: in_thread(lambda: change(x * 1.0)))(X)
    np.testing.assert_array_equal(in_thread(lambda: grad(written(lambda: 2.0))(X)), [0.0, 1.0, 1.0])


def test_many_threads_may_take_views_which_a_later_write_changes():
    """No view is forgotten, and none comes before the view that it was taken of."""

    def f(x, pool):
        y = np.ones((64, 3)) * x
        barrier = threading.Barrier(8)

        def take(i):
            barrier.wait()
            rows = [y[j] for j in range(i, 64, 8)]
            return rows + [row[:2] for row in rows]

        views = [view for found in pool.map(take, range(8)) for view in found]
        y *= 2.0
        return sum(np.sum(view) for view in views)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(60):
                value, gradient = value_and_grad(f)(X, pool)
                assert value == 2 * 64 * (4.5 + 2.0) and list(gradient) == [256.0, 256.0, 128.0]
    finally:
        sys.setswitchinterval(interval)


# ---- Generators and tasks -------------------------------------------------------------------------------------------


def test_a_generator_that_outlives_its_call_raises_when_it_goes_on():
    def parts(x):
        for i in range(3):
            yield x[i] * 2.0

    generators = []

    def f(x):
        generators.append(parts(x))
        return next(generators[-1])

    np.testing.assert_array_equal(grad(f)(X), [2.0, 0.0, 0.0])
    with pytest.raises(EscapedTensorError):
        next(generators[0])
    np.testing.assert_array_equal(grad(f)(X), [2.0, 0.0, 0.0])
    generators[1].close()


def test_generators_with_gradients_in_them_may_take_turns():
    def descent(loss, w):
        while True:
            w = w - 0.1 * grad(loss)(w)
            yield w

    def alone(loss):
        steps = descent(loss, X)
        return [next(steps) for _ in range(5)]

    losses = [lambda w: np.sum(w**2), lambda w: np.sum(np.cosh(w)), lambda w: np.prod(w)]
    running = [descent(loss, X) for loss in losses]
    turns = [[next(steps) for steps in running] for _ in range(5)]
    for steps in running:
        steps.close()
    np.testing.assert_array_equal(list(zip(*turns)), [alone(loss) for loss in losses])


def test_a_generator_of_an_outer_call_may_go_on_in_an_inner_one():
    def powers(x):
        y = x
        while True:
            y = y * x
            yield y

    def f(x):
        steps = powers(x)
        inner = grad(lambda y: y * next(steps) * next(steps))(x)  # x^5
        return inner + next(steps)  # x^4

    assert grad(f)(2.0) == 5 * 16.0 + 4 * 8.0


def test_tasks_may_take_turns():
    async def descent(loss, w):
        for _ in range(5):
            w = w - 0.1 * grad(loss)(w)
            await asyncio.sleep(0)
        return w

    async def in_threads(loss, w):
        for _ in range(5):
            w = w - 0.1 * await asyncio.to_thread(grad(loss), w)
        return w

    losses = [lambda w, i=i: np.sum(np.sin(w * i) * w) for i in range(6)]

    async def together(*ways):
        return await asyncio.gather(*(way(loss, X) for way in ways for loss in losses))

    alone = [asyncio.run(descent(loss, X)) for loss in losses]
    np.testing.assert_array_equal(asyncio.run(together(descent, in_threads)), alone + alone)


def test_tasks_may_take_turns_within_a_call():
    async def term(x, power, order):
        y = x
        for _ in range(power - 1):
            await asyncio.sleep(0)
            y = grad(lambda z: z * z / 2 * y)(x)  # y * x
            order.append(power)
        return y

    order = []

    def f(x):
        async def together():
            return sum(await asyncio.gather(*(term(x, power, order) for power in (2, 3, 4))))

        return asyncio.run(together())

    assert grad(f)(2.0) == 4.0 + 12.0 + 32.0
    assert order == [2, 3, 4, 3, 4, 4]


def test_a_coroutine_is_not_a_result():
    async def f(x):
        return x

    made = []
    with pytest.raises(TypeError, match="coroutine"):
        grad(lambda x: made.append(f(x)) or made[0])(1.0)
    made[0].close()


# ---- Writes ---------------------------------------------------------------------------------------------------------

WRITES = {
    "an element": lambda y, x: y.__setitem__((0, 1), x[0] * 5.0),
    "a row": lambda y, x: y.__setitem__(1, x * 2.0),
    "all": lambda y, x: y.__imul__(x),
    "through a view": lambda y, x: y.T[1:].__iadd__(x[:2, None]),
    "where": lambda y, x: np.multiply(y, x, out=y, where=X > 1.0),
    "at": lambda y, x: np.add.at(y, ([0, 0], [1, 1]), x[:2]),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # if it hits a generator that ends
@cases(WRITES)
def test_an_interrupted_write_is_done_wholly_or_not_at_all(case):
    """The function catches the interrupt and goes on, and uses the array and its views."""

    def result(run):
        def f(x):
            y = np.ones((3, 3)) * x
            views = [y[0], y[:, 1], y.T, y[1:, ::2]]
            run(lambda: case(y, x))
            return sum(np.sum(np.arange(1.0, 1 + t.size).reshape(t.shape) ** 2 * t) for t in [y, *views])

        value, gradient = value_and_grad(f)(X)
        return [value, *gradient]

    allowed = [result(lambda write: None), result(lambda write: write())]
    whole = Bomb()
    result(whole.run)
    seen = set()
    for place in [*range(1, whole.count - 40, 37), *range(max(1, whole.count - 40), whole.count + 1)]:
        bomb = Bomb(Fault, place)
        found = result(bomb.run)
        assert found in allowed, bomb.where
        seen.add(allowed.index(found))
    assert seen == {0, 1}


# ---- Errors and recursion -------------------------------------------------------------------------------------------


@primitive
def failing(x):
    return x * 1.0


defvjp(failing, x=lambda g: g["no"])


@custom_vjp
def misshapen(x):
    return x * 1.0


misshapen.defvjp(lambda x: (x * 1.0, None), lambda _, g: (np.ones(7),))


def endless(x):
    return endless(x * 1.0)


FAILURES = {
    "in the function": lambda y: y / {}["a"],
    "in a rule": lambda y: failing(y),
    "in a backward function": lambda y: misshapen(y),
    "in a checkpoint": lambda y: checkpoint(failing)(y),
    "in a write": lambda y: (y * X).__setitem__(7, y),
    "without end": endless,
    "of a result": lambda y: y * X,
    "of an inner call": lambda y: grad(lambda z: failing(z * y))(y),
}


@cases(FAILURES)
def test_a_function_may_catch_an_error_of_an_inner_call_and_go_on(case):
    def f(x):
        y = x * np.ones(3)
        with pytest.raises((TypeError, KeyError, IndexError, ValueError, RecursionError)):
            y[0] = grad(lambda z: case(z * x))(2.0)
        y[1] = x * 2.0
        return np.sum(y * y)

    assert grad(f)(3.0) == 2 * 3.0 * 2 + 8 * 3.0  # of x^2 + 4 x^2 + x^2
    assert grad(grad(f))(3.0) == 12.0


@pytest.mark.parametrize("n", [10, 200])
def test_a_recursive_function_is_right_up_to_the_limit(n):
    def power(x, n):
        return x * power(x, n - 1) if n else x

    assert grad(power)(1.0, n) == n + 1
    with pytest.raises(RecursionError):
        grad(power)(1.0, 1_000_000)
    assert grad(power)(1.0, n) == n + 1


# ---- Forks ----------------------------------------------------------------------------------------------------------


@NEEDS_FORK
@cases({"in the function": "f", "in the backward pass": "vjp", "while another thread is in a call": "thread"})
def test_a_process_may_be_copied_in_the_middle_of_a_call(case):
    program = f"""
import os, threading, time
import numpy as np
from minigrad import defvjp, grad, primitive

where, parent, children = {case!r}, os.getpid(), []

def fork(name):
    if name == where and os.getpid() == parent:
        children.append(os.fork())

@primitive
def forking(x):
    return x * x

defvjp(forking, x=lambda g, x: (fork("vjp"), 2 * g * x)[1])

def f(x):
    fork("f")
    y = np.zeros_like(x, shape=3)
    y[1] = grad(lambda z: np.sin(z) * x)(x)
    return np.sum(y) + forking(x) * np.exp(x)

def busy():
    while os.getpid() == parent and not is_done:
        grad(lambda x: np.prod(np.hypot(x, x[::-1])) + x[:2].sum())(np.ones(50))

is_done = False
if where == "thread":
    threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
    for thread in threads: thread.start()
    for _ in range(20):
        time.sleep(0.002)
        children.append(os.fork())
        if not children[-1]:
            break
expected = np.cos(0.5) - 0.5 * np.sin(0.5) + (2 * 0.5 + 0.25) * np.exp(0.5)
is_right = bool(abs(grad(f)(0.5) - expected) < 1e-14)
if os.getpid() != parent:
    os._exit(0 if is_right else 3)
is_done = True
print(is_right, len(children), {{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}})
"""
    done = python("-W", "ignore", "-c", program)
    assert done.stdout == f"True {20 if case == 'thread' else 1} {{0}}\n", done.stdout + done.stderr
