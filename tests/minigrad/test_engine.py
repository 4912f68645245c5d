"""The graph, the backward pass, what is kept and for how long, and rules of one's own.

Cost is shown by counting (visits of nodes, calls of Python functions, living arrays), because a clock depends on the
day. What is freed is watched through weak references with the garbage collector off, so that only the end of the last
reference can free it.
"""

import gc
import sys
import threading
import tracemalloc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import checkpoint, custom_vjp, defvjp, grad, hvp, primitive, stop_gradient, value_and_grad, vjp
from minigrad.engine import sequence

from .support import cases


VISITS: list = []


@primitive
def step(x):
    """x + 1, whose VJP leaves a mark when it is called."""
    return x + 1.0


@primitive
def plus(a, b):
    return a + b


def marked(g):
    VISITS.append(g)
    return g


defvjp(step, x=marked)
defvjp(plus, a=marked, b=marked)


def visits(fun, x):
    """The gradient, and how many VJPs were called."""
    VISITS.clear()
    return grad(fun)(x), len(VISITS)


# ---- The order of the backward pass ---------------------------------------------------------------------------------


def diamond(x):
    a = x * 2
    b = a * a
    c = a + b
    return c * b


def uneven(x):
    """The long way is newer than the short one, and comes together with it at the start."""
    short = x * 3.0
    long = x
    for _ in range(10):
        long = long * 2.0
    return long * short + short * x


@cases({
    "used twice": (lambda x: x * x, 3.0, 6.0),
    "used three times": (lambda x: x * x * x, 2.0, 12.0),
    "used twice by one addition": (lambda x: x + x, 2.0, 2.0),
    "used twice, and cancelled": (lambda x: x - x, 2.0, 0.0),
    "diamond": (diamond, 1.0, 88.0),
    "uneven diamond": (uneven, 1.0, 2 * 3 * 2.0**10 + 6),
    "used 2,000 times": (lambda x: sum([x] * 2000), 1.0, 2000.0),
    "an intermediate used 2,000 times": (lambda x: sum([x * 1.0] * 2000), 1.0, 2000.0),
    "used 2,000 times in one operation": (lambda x: np.stack([x] * 2000).sum(), 1.0, 2000.0),
    "not used": (lambda x: 5.0, 1.0, 0.0),
    "used for nothing": (lambda x: (x * x, 7.0)[1], 1.0, 0.0),
    "the result itself": (lambda x: x, 1.0, 1.0),
})
def test_every_use_of_a_value_counts_once(case):
    fun, x, expected = case
    assert grad(fun)(x) == expected
    np.testing.assert_array_equal(grad(lambda a: fun(a).sum() if fun(a) is a else np.sum(fun(a)))(np.full(3, x)), 
                                  np.full(3, expected))


def test_60_doublings_visit_60_nodes():
    def f(x):
        for _ in range(60):
            x = plus(x, x)
        return x

    assert visits(f, 1.0) == (2.0**60, 120)


def test_a_node_is_visited_only_when_everything_after_it_has_been():
    def ladder(x):
        a, b = step(x), step(x)
        for _ in range(30):
            a, b = plus(a, b), plus(b, a)
        return plus(a, b)

    assert visits(ladder, 1.0) == (2.0**31, 2 + 30 * 4 + 2)


@pytest.mark.parametrize("seed", range(20))
def test_nodes_in_any_arrangement_are_visited_once(seed):
    rng = np.random.default_rng(seed)
    pairs = [(int(rng.integers(max(0, k - 6), k)), int(rng.integers(k))) for k in range(1, 40)]

    def f(x):
        values = [x]
        for i, j in pairs:
            values.append(plus(values[i], values[j]))
        return values[-1]

    ways, reached = [1.0], {len(pairs)}  # how many ways lead from x to each value; and from which the last one comes
    for i, j in pairs:
        ways.append(ways[i] + ways[j])
    for k in range(len(pairs), 0, -1):
        reached |= set(pairs[k - 1]) if k in reached else set()
    assert visits(f, 1.0) == (ways[-1], 2 * len(reached - {0}))


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_a_chain_has_as_many_visits_as_operations(n):
    def chain(x):
        for _ in range(n):
            x = step(x)
        return x

    assert visits(chain, 1.0) == (1.0, n)


def test_what_does_not_lead_to_the_result_is_not_visited():
    def f(x):
        y = step(x)
        for _ in range(5):
            step(step(y))
        return y

    assert visits(f, 1.0) == (1.0, 1)


def python_calls(fun, *args):
    """How many functions are called, Python's and C's."""
    calls = 0

    def count(frame, event, arg):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        fun(*args)
    finally:
        sys.setprofile(before)
    return calls


def chain_of(n):
    def chain(x):
        for _ in range(n):
            x = np.sin(x * 1.5 + 0.5)
        return x

    return chain


def uses_of(n):
    def uses(x):
        y = x * 1.0
        for _ in range(n):
            y = y + x * 2.0
        return y

    return uses


@cases({"chain": chain_of, "many uses": uses_of})
@pytest.mark.parametrize("x", [0.3, np.array([0.3, 0.4])], ids=["float", "array"])
def test_the_cost_of_an_operation_does_not_depend_on_how_many_there_are(case, x, no_collector):
    def total(n):
        f = case(n)
        return python_calls(grad(lambda x: f(x).sum()), x)

    total(1)  # whatever is done only once
    short, middle, long = total(100), total(200), total(1100)
    assert (long - middle) == 9 * (middle - short)


def test_a_chain_of_a_million_operations_has_a_gradient(no_collector):
    def f(x):
        for _ in range(1_000_000):
            x = x * 1.000001
        return x

    assert grad(f)(1.0) == pytest.approx(1.000001**1_000_000, rel=1e-9)


def test_a_chain_of_a_million_operations_can_be_dropped(no_collector):
    def f(x):
        y = x
        for _ in range(1_000_000):
            y = y * 1.0
        del y
        return x * 2.0

    assert grad(f)(1.0) == 2.0


# ---- Cotangents that are multiplied out late ------------------------------------------------------------------------
# Those of a mean or sum of squares: on the way from there to a number, there is no array of the products.

X, Y = np.random.default_rng(0).normal(size=(2, 3, 4))
NUMBERS = {"w": 0.7, "b": -0.4}
ARRAYS = {"w": X[:, :1] + 1.0, "b": Y[0]}
SQUARES = {
    "numbers": (lambda np, p: np.mean((p["w"] * X + p["b"] - Y) ** 2), NUMBERS),
    "a sum": (lambda np, p: np.sum(np.square(p["w"] * X + p["b"] - Y)), NUMBERS),
    "the other way": (lambda np, p: np.mean((Y - (p["b"] + X * p["w"])) ** 2), NUMBERS),
    "a minus": (lambda np, p: np.mean((-(p["w"] * X) - p["b"]) ** 2), NUMBERS),
    "a difference of both": (lambda np, p: np.mean((p["w"] * X - p["b"] * Y) ** 2), NUMBERS),
    "a sum of both": (lambda np, p: np.mean((p["w"] * X + p["b"] * Y) ** 2), NUMBERS),
    "arrays": (lambda np, p: np.mean((p["w"] * X + p["b"] - Y) ** 2), ARRAYS),
    "a difference of arrays": (lambda np, p: np.mean((p["w"] - p["b"]) ** 2), ARRAYS),
    "an array and a number": (lambda np, p: np.mean((p["w"] * X + p["b"]) ** 2), {"w": X, "b": 0.3}),
    "arrays without axes": (lambda np, p: np.mean((p["w"] * X + p["b"]) ** 2), {"w": np.array(0.7), "b": np.float64(0.3)}),
    "one element": (lambda np, p: np.mean((p["w"] + X) ** 2 + p["b"]), {"w": np.array([[0.5]]), "b": np.array([1.0])}),
    "leaves": (lambda np, p: np.mean(p["w"] ** 2) * np.mean(p["b"] ** 2), ARRAYS),
    "two uses": (lambda np, p: (lambda r: np.mean(r**2) + np.sum(r * X) + np.mean(r**2) ** 2)(p["w"] * X - p["b"]), NUMBERS),
    "parts": (lambda np, p: np.mean(p["w"][0] ** 2) + np.mean((p["w"] - X) ** 2) + p["w"][1, 2] * p["b"], {"w": Y, "b": 2.0}),
    "a power of it": (lambda np, p: np.exp(-np.mean((p["w"] * X + p["b"]) ** 2)), NUMBERS),
    "integers": (lambda np, p: np.mean((p["w"] * np.arange(5) + p["b"]) ** 2), NUMBERS),
    "long": (lambda np, p: np.mean((p["w"] * np.arange(25_000.0) / 1e4 + p["b"]) ** 2), NUMBERS),
}


@pytest.mark.parametrize("name", SQUARES)
def test_means_of_squares(name):
    f, p = SQUARES[name]
    value, gradient = value_and_grad(lambda p: f(np, p))(p)
    in_jax = jax.value_and_grad(lambda p: f(jnp, p))(p)
    v = {"w": 0.3, "b": -1.1}
    second = grad(lambda p: sum(np.sum(g * v[k]) for k, g in grad(lambda p: f(np, p))(p).items()))(p)
    second_in_jax = jax.grad(lambda p: sum(jnp.sum(g * v[k]) for k, g in jax.grad(lambda p: f(jnp, p))(p).items()))(p)
    for ours, theirs in ((value, in_jax[0]), *((gradient[k], in_jax[1][k]) for k in p), *((second[k], second_in_jax[k]) for k in p)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    for k in p:
        assert type(gradient[k]) is type(p[k]) and np.shape(gradient[k]) == np.shape(p[k])


def test_means_of_squares_in_float32():
    x = X.astype(np.float32)
    p = {"w": x + 1, "b": np.float32(0.5), "c": 0.25}
    f = lambda p: np.mean((p["w"] * p["c"] - p["b"] - x) ** 2)
    gradient, wide = grad(f)(p), grad(f)({**p, "w": p["w"].astype(float), "b": 0.5})
    assert gradient["w"].dtype == gradient["b"].dtype == np.float32 and type(gradient["c"]) is float
    for k in p:
        np.testing.assert_allclose(gradient[k], wide[k], rtol=1e-5)
    wide_mean = grad(lambda p: np.mean((p["w"] * p["c"] - p["b"] - x) ** 2, dtype=float))(p)
    np.testing.assert_allclose(wide_mean["w"], gradient["w"], rtol=1e-5)
    assert wide_mean["w"].dtype == np.float32


def test_infinite_cotangents_of_squares():
    """Infinity meets each element, as it does in JAX: times zero it is nan."""
    f = lambda np, b: np.mean((b + X * 0.0) ** 2) * np.inf
    for b in (0.0, 2.0):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(grad(lambda b: f(np, b))(b), jax.grad(lambda b: f(jnp, b))(b))
    x = np.array([0.0, 1.0])
    with np.errstate(all="ignore"):
        assert np.isnan(grad(lambda b: np.mean((b * x) ** 2) * np.inf)(1.0))
    assert np.isnan(jax.grad(lambda b: jnp.mean((b * x) ** 2) * jnp.inf)(1.0))


def test_what_is_multiplied_out_late_shares_no_memory():
    x = np.arange(3.0)
    seen = []
    gradient = grad(lambda p: (seen.append(p["a"] + 0.0), np.mean(seen[0] ** 2))[1])({"a": x})["a"]
    np.testing.assert_allclose(gradient, 2 * x / 3, rtol=1e-15)
    assert not np.shares_memory(gradient, seen[0].value) and gradient.flags.writeable and gradient.flags.owndata


# ---- What a node keeps ----------------------------------------------------------------------------------------------

# Of a = x * 1.0 and y = op(a): are a's array and y's alive, once the function has let go of both?
KEPT = {
    "a + 1": (lambda a: a + 1.0, False, False),
    "a - array": (lambda a: a - np.ones(3), False, False),
    "array - a": (lambda a: np.ones(3) - a, False, False),
    "-a": (lambda a: -a, False, False),
    "a * 2": (lambda a: a * 2.0, False, False),
    "a * array": (lambda a: a * np.ones(3), False, False),
    "a / 2": (lambda a: a / 2.0, False, False),
    "a @ array": (lambda a: a @ np.ones((3, 3)), False, False),
    "np.add": (lambda a: np.add(a, 1.0), False, False),
    "np.multiply": (lambda a: np.multiply(np.ones(3), a), False, False),
    "np.where": (lambda a: np.where(np.array([True, False, True]), a, 0.0), False, False),
    "a * a": (lambda a: a * a, True, False),
    "a ** 2": (lambda a: a**2, True, False),
    "a ** 3": (lambda a: a**3, True, False),
    "2 ** a": (lambda a: 2**a, False, True),
    "1 / a": (lambda a: 1 / a, True, True),
    "sin": (np.sin, True, False),
    "log": (np.log, True, False),
    "exp": (np.exp, False, True),
    "tanh": (np.tanh, False, True),
    "sqrt": (np.sqrt, False, True),
    "concatenate": (lambda a: np.concatenate([a, a]), False, False),
    "stack": (lambda a: np.stack([a, np.ones(3)]), False, False),
    "fancy index": (lambda a: a[np.array([0, 1])], False, False),
    "conj": (lambda a: np.conjugate(a), False, False),
    "modf": (lambda a: np.modf(a)[0], False, False),
}


@cases(KEPT)
def test_a_node_keeps_only_what_its_rule_names(case, no_collector):
    op, keeps_input, keeps_output = case
    alive = []

    def f(x):
        a = x * 1.0
        y = op(a)
        refs = weakref.ref(a.value), weakref.ref(y.value)
        result = y.sum()
        del a, y
        alive.extend(ref() is not None for ref in refs)
        return result

    x = np.array([0.4, 0.5, 0.6])
    gradient = grad(f)(x)
    assert alive == [keeps_input, keeps_output]
    slope = [(op(x + e).sum() - op(x - e).sum()) / 2e-6 for e in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(gradient, slope, rtol=1e-7)


def kept_arrays(op, x, constant):
    """How many arrays of the size of x an operation leaves behind, besides its result."""
    kept = []

    def f(x):
        y = op(x, constant)
        result = y.sum()
        del y
        before, _ = tracemalloc.get_traced_memory()
        y = op(x, constant)
        result = result + y.sum()
        del y
        after, _ = tracemalloc.get_traced_memory()
        kept.append((after - before) / x.size / 8)
        return result

    tracemalloc.start()
    try:
        grad(f)(x)
    finally:
        tracemalloc.stop()
    return kept[0]


@cases({
    "x + c": lambda x, c: x + c,
    "c - x": lambda x, c: c - x,
    "c / x, only x and y": lambda x, c: (c + 0.0 * x) * 1.0,
    "np.add": lambda x, c: np.add(c, x),
    "concatenate": lambda x, c: np.concatenate([x, c]),
    "stack": lambda x, c: np.stack([x, c]),
    "where, chosen between": lambda x, c: np.where(x[:1] > 0, x, c),
    "x * 2": lambda x, c: x * 2.0,
})
def test_a_constant_that_no_rule_names_is_not_kept(case):
    n = 100_000
    assert kept_arrays(case, np.ones(n), np.ones(n)) < 0.1


@cases({
    "x * c": lambda x, c: x * c,
    "x / c": lambda x, c: x / c,
    "np.multiply": lambda x, c: np.multiply(c, x),
    "c ** x, and the result": lambda x, c: c @ x * x,
    "x * x": lambda x, c: x * x * 1.0,
})
def test_a_constant_that_a_rule_names_is_kept_once_at_most(case):
    n = 100_000
    assert kept_arrays(case, np.ones(n), np.ones(n)) < 1.1


def test_a_constant_is_kept_once_however_often_it_is_used():
    matrix = np.eye(300)

    def f(x):
        for _ in range(100):
            x = matrix @ x
        return x.sum()

    grad(f)(np.ones(300))
    tracemalloc.start()
    try:
        grad(f)(np.ones(300))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * matrix.nbytes


def test_a_dead_branch_is_freed_at_once(no_collector):
    alive = []

    def f(x):
        constant = np.full(3, 2.0)
        a = x * constant
        b = np.exp(np.sin(a))
        parts = np.modf(b)
        refs = [weakref.ref(array) for array in (constant, a.value, b.value, parts[0].value)]
        nodes = len([o for o in gc.get_objects() if type(o) is type(x.node)])
        del constant, a, b, parts
        alive.extend(ref() for ref in refs)
        alive.append(nodes - len([o for o in gc.get_objects() if type(o) is type(x.node)]))
        return x.sum()

    grad(f)(np.ones(3))
    assert alive[:4] == [None] * 4
    assert alive[4] >= 4


def test_a_residual_is_freed_when_it_has_been_used(no_collector):
    """The VJP of the older operation runs after the newer one's, whose residual has to be gone by then."""
    refs, alive = [], []

    @primitive
    def watch(x):
        return x + 0.0

    def look(g):
        alive.append([ref() is not None for ref in refs])
        return g

    defvjp(watch, x=look)

    def f(x):
        a = watch(x)
        b = watch(np.sin(a))
        c = np.sin(b)
        refs.extend(weakref.ref(t.value) for t in (a, b))
        del a, b
        return c.sum()

    grad(f)(np.ones(3))
    assert alive == [[True, False], [False, False]]


CYCLES = {
    "elementwise": lambda x: np.sin(np.exp(x) * x).sum(),
    "several results": lambda x: divmod(x, 2.0)[1].sum() + np.modf(x)[0].sum() + np.frexp(x)[0].sum(),
    "lists": lambda x: np.concatenate([x, np.stack([x, x]).sum(axis=0), np.ones(2)]).sum(),
    "indexing": lambda x: x[np.array([0, 0])].sum() + x[1] + sum(v for v in x),
    "reductions": lambda x: x.max() * x.prod() + x.var() + x.mean(),
    "constants": lambda x: (x * ONES).sum(),
    "nested": lambda x: grad(lambda y: (np.sin(y) * x * ONES).sum())(x).sum(),
    "nested, of lists": lambda x: grad(lambda p: (np.concatenate(p) ** 3).sum())([x, x * 2])[1].sum(),
    "zero division": lambda x: (1 / (x.sum() * 0.0 + np.exp(x.sum()))),
    "an error of the function": lambda x: x.sum() * (1 // 0),
    "an unknown function": lambda x: np.unwrap(x).sum(),
    "no number": lambda x: x,
    "a wrong shape": lambda x: (x + np.ones(4)).sum(),
    "an unknown keyword": lambda x: np.sum(x, dtype=None, out=np.zeros(())),
    "np.asarray": lambda x: np.asarray(x).sum(),
    "float": lambda x: float(x),
    "array[0] = t": lambda x: np.zeros(3).__setitem__(0, x.sum()),
    "array[:] = t": lambda x: np.zeros(3).__setitem__(slice(None), x),
    "an error in a nested gradient": lambda x: grad(lambda y: (y * x).sum() * (1 // 0))(x).sum(),
    "array[0] = t in a nested gradient": lambda x: grad(lambda y: np.zeros(3).__setitem__(0, y.sum()))(x).sum(),
}
ONES = np.ones(3)


@cases(CYCLES)
def test_no_reference_cycles(case, no_collector):
    x = np.array([1.0, 2.0, 3.0])
    for call in (grad(case), value_and_grad(lambda x: (case(x), {"aux": [x]}), has_aux=True)):
        for _ in range(2):  # with the first, rules are read, and Python's inspect leaves something
            gc.collect()
            try:
                call(x)
            except (TypeError, ValueError, NotImplementedError, ZeroDivisionError):
                pass
        assert gc.collect() == 0


def test_no_reference_cycles_where_an_argument_is_refused(no_collector):
    for call in (lambda: grad(np.sin)(3), lambda: grad(np.sin, 1)(3.0), lambda: grad(np.sin)({"a": 1.0, 2: 3.0})):
        gc.collect()
        try:
            call()
        except (TypeError, ValueError):
            pass
        assert gc.collect() == 0


def additions(x):
    for _ in range(50):
        x = x + 1.0
    return x.sum()


def sines(x):
    for _ in range(50):
        x = np.sin(x)
    return x.sum()


def dead_branches(x):
    for _ in range(50):
        np.sin(np.sin(x) * np.ones(x.shape))
    return x.sum()


def dead_branches_with_constants(x):
    for constant in CONSTANTS:
        np.sin(x * constant[: x.size])
    return x.sum()


CONSTANTS = np.ones((50, 200_000))


def fifty_uses(x):
    y = x * 1.0
    return sum(y.sum() for _ in range(50))


@cases({
    "50 additions": (additions, 6),
    "50 sines": (sines, 55),
    "50 dead branches": (dead_branches, 8),
    "50 dead branches, each with a constant": (dead_branches_with_constants, 8),
    "50 uses": (fifty_uses, 6),
    "50 additions, second order": (lambda x: grad(additions)(x).sum(), 8),
})
def test_peak_memory(case):
    fun, arrays = case
    x = np.ones(200_000)
    grad(fun)(x)  # the first array of that size primes the allocator, which counts as memory taken
    tracemalloc.start()
    try:
        grad(fun)(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < arrays * x.nbytes


def test_nothing_is_left_after_the_call(no_collector):
    x = np.ones(100_000)
    for fun in (sines, additions, lambda x: (x * x[::-1] * 2.0).sum()):
        grad(fun)(x)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            grad(fun)(x)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 10_000


# ---- Arrays that change after they were used ------------------------------------------------------------------------

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
def test_an_argument_that_is_also_used_as_a_constant(n):
    """Operations take what is in the array then, as NumPy's do, and JAX's; rules keep what it was."""
    a = np.ones(n)

    def f(x):
        y = x * a
        a[:] = 2.0
        return y.sum() + 10.0 * (x * a).sum() + 100.0 * (x * x).sum()

    value, gradient = value_and_grad(f)(a)
    assert value == n * (1.0 + 40.0 + 400.0)
    np.testing.assert_array_equal(gradient, np.full(n, 1.0 + 20.0 + 400.0))


@pytest.mark.parametrize("n", [3, 30_000])
def test_an_argument_that_changes_between_operations_is_as_in_jax(n):
    def gradients(engine):
        a = np.ones(n)

        def f(x):
            y = (x * 3.0).sum()
            a[:] = 2.0
            return y + (x * x).sum()

        return engine(f)(a)

    value, gradient = gradients(value_and_grad)
    expected_value, expected = gradients(jax.value_and_grad)
    assert value == expected_value == 7.0 * n
    np.testing.assert_array_equal(gradient, expected)


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


def read_only(array):
    array.flags.writeable = False
    return array


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


# ---- Rules of one's own ---------------------------------------------------------------------------------------------


@primitive
def power(x, n=2, *, scale=1.0):
    """scale * x ** n"""
    return scale * np.asarray(x) ** n if isinstance(x, np.ndarray) else scale * x**n


defvjp(power, x=lambda g, x, n=2, scale=1.0: g * scale * n * x ** (n - 1))


@cases({
    "default": (lambda x: power(x), 6.0, 2.0),
    "by position": (lambda x: power(x, 3), 27.0, 18.0),
    "by keyword": (lambda x: power(x, n=3), 27.0, 18.0),
    "keyword-only": (lambda x: power(x, 3, scale=2.0), 54.0, 36.0),
    "all by keyword": (lambda x: power(scale=2.0, n=3, x=x), 54.0, 36.0),
    "an array": (lambda x: power(x * np.ones(2), 3).sum(), 54.0, 36.0),
})
def test_a_rule_honours_the_keywords_that_it_names(case):
    fun, first, second = case
    assert grad(fun)(3.0) == first
    assert grad(grad(fun))(3.0) == second


def test_a_primitive_is_an_ordinary_function_elsewhere():
    assert power(3.0, 3, scale=2.0) == 54.0
    assert power.__name__ == "power" and power.__doc__ == "scale * x ** n"


def test_a_residual_that_the_call_leaves_out_has_the_default_of_the_function():
    @primitive
    def scaled(x, factor=5.0):
        return x * factor

    defvjp(scaled, x=lambda g, factor: g * factor)
    assert grad(scaled)(1.0) == 5.0
    assert grad(lambda x: scaled(x, 7.0))(1.0) == 7.0


def test_a_keyword_that_the_rule_does_not_name_is_refused_before_anything_is_computed():
    @primitive
    def plain(x, extra=None):
        calls.append(extra)
        return x * 1.0

    calls = []
    defvjp(plain, x=lambda g: g)
    assert grad(plain)(1.0) == 1.0
    assert grad(lambda x: plain(x, extra=None))(1.0) == 1.0
    calls.clear()
    with pytest.raises(NotImplementedError, match="plain.*extra"):
        grad(lambda x: plain(x, extra=3))(1.0)
    assert not calls


@cases({
    "out": lambda x, o: np.add(x, 1.0, out=o),
    "out in a tuple": lambda x, o: np.multiply(x, 2.0, out=(o,)),
    "out by position": lambda x, o: np.sin(x, o),
    "out of sum": lambda x, o: np.sum(np.stack([x, x]), axis=0, out=o),
    "order of a ufunc": lambda x, o: np.add(x, 1.0, order="F"),
    "casting of a ufunc": lambda x, o: np.add(x, 1.0, casting="unsafe"),
    "+= into an array": lambda x, o: o.__iadd__(x),
    "@= into an array": lambda x, o: np.ones((2, 2)).__imatmul__(np.stack([x, x])),
})
def test_keywords_of_numpy_that_no_rule_honours_are_refused(case):
    o = np.zeros(2)
    with pytest.raises(NotImplementedError, match="out|order|casting"):
        grad(lambda x: case(x, o).sum())(np.ones(2))
    np.testing.assert_array_equal(o, np.zeros(2), "nothing was computed before it was refused")


@cases({
    "no such argument": (lambda: defvjp(power, z=lambda g: g), "no argument z.*x, n, scale"),
    "no such residual": (lambda: defvjp(power, x=lambda g, q: g), "can name .*x.*but not q"),
    "no such keyword": (lambda: defvjp(power, x=lambda g, x, q=3: g), "but not q"),
    "too few for a ufunc": (lambda: defvjp(np.frompyfunc(max, 2, 1), a=lambda g: g), "2 arguments"),
})
def test_a_rule_that_does_not_fit_its_function_is_refused(case):
    define, message = case
    with pytest.raises(TypeError, match=message):
        define()
    assert grad(power)(3.0) == 6.0


def test_the_rules_of_operators_cannot_be_changed():
    with pytest.raises(ValueError, match="np.add"):
        defvjp(np.add, a=lambda g: g * 2, b=lambda g: g)
    assert grad(lambda x: x + 1.0)(1.0) == 1.0


def test_a_rule_for_a_ufunc_of_ones_own():
    triple = np.frompyfunc(lambda a: 3 * a, 1, 1)
    with pytest.raises(NotImplementedError, match="defvjp"):
        grad(lambda x: triple(x))(2.0)
    defvjp(triple, x=lambda g: 3 * g)
    assert grad(lambda x: triple(x))(2.0) == 3.0


def test_none_is_the_rule_of_an_argument_without_derivative():
    @primitive
    def choose(x, which):
        return x * 2.0 if which > 0 else x * 3.0

    defvjp(choose, x=lambda g, which: g * (2.0 if which > 0 else 3.0), which=None)
    assert grad(choose, (0, 1))(1.0, -1.0) == (3.0, 0.0)
    assert grad(lambda w: choose(1.0, w))(1.0) == 0.0


def test_a_rule_that_nothing_would_ever_use_is_refused():
    """Without `primitive`, a plain function is not one operation, but all of those inside it."""

    def plain(x):
        return x * 2.0

    with pytest.raises(TypeError, match="primitive"):
        defvjp(plain, x=lambda g: g * 100.0)
    assert grad(plain)(1.0) == 2.0


def test_an_argument_without_rule_is_refused():
    @primitive
    def product(a, b):
        return a * b

    defvjp(product, a=lambda g, b: g * b)
    assert grad(product)(2.0, 3.0) == 3.0
    with pytest.raises(NotImplementedError, match="product.*'b'"):
        grad(product, 1)(2.0, 3.0)


def test_a_rule_for_a_sequence_of_arrays():
    @primitive
    def total(arrays, weight=1.0):
        return weight * sum(np.sum(a) for a in arrays)

    defvjp(total, arrays=sequence(
        lambda g, arrays_shape, weight=1.0: [g * weight * np.ones(shape) for shape in arrays_shape]))
    x, c = np.ones(2), np.ones(3)
    for fun, expected in (
        (lambda x: total([x, c, x]), 2.0),
        (lambda x: total((c, x * 2.0), weight=3.0), 6.0),
        (lambda x: total([x[0], x[1], 5.0]), 1.0),
        (lambda x: total(arrays=[x]), 1.0),
        (lambda x: total(x), 1.0),
    ):
        np.testing.assert_array_equal(grad(fun)(x), np.full(2, expected))
        np.testing.assert_array_equal(grad(lambda y: grad(fun)(y * y).sum())(x), np.zeros(2))


def test_a_rule_with_variadic_arguments():
    @primitive
    def product(first, *others, scale=1.0):
        return scale * first * np.prod(others)

    defvjp(
        product,
        first=lambda g, others, scale=1.0: g * scale * np.prod(np.stack(others)),
        others=sequence(lambda g, first, others, scale=1.0: [
            g * scale * first * np.prod(np.stack([1.0, *others[:i], *others[i + 1:]])) for i in range(len(others))]),
    )
    for args in ((2.0, 3.0, 5.0), (2.0, 3.0)):
        every = tuple(range(len(args)))
        plain = grad(lambda *p: np.prod(np.stack(p)), every)(*args)
        np.testing.assert_allclose(grad(product, every)(*args), plain)
        np.testing.assert_allclose(grad(lambda *p: product(*p, scale=2.0), every)(*args), 2 * np.array(plain))


def test_a_rule_for_one_of_several_results():
    @primitive
    def both(x):
        return x * 2.0, x * 3.0

    defvjp(both, x=lambda g: 2.0 * g[0] + 3.0 * g[1])
    assert grad(lambda x: both(x)[0])(1.0) == 2.0
    assert grad(lambda x: both(x)[1])(1.0) == 3.0
    assert grad(lambda x: both(x)[0] * both(x)[1])(1.0) == 12.0

    def f(x):
        a, b = both(x)
        return a * b * b

    assert grad(f)(1.0) == 54.0
    assert grad(grad(f))(1.0) == 108.0


def test_shapes_are_available_without_keeping_arrays(no_collector):
    alive = []

    @primitive
    def total(x):
        return np.sum(x)

    defvjp(total, x=lambda g, x_shape: g * np.ones(x_shape))

    def f(x):
        a = x * 1.0
        ref = weakref.ref(a.value)
        result = total(a)
        del a
        alive.append(ref() is not None)
        return result

    np.testing.assert_array_equal(grad(f)(np.ones((2, 3))), np.ones((2, 3)))
    assert alive == [False]


@primitive
def tripled(x):
    return x * 3.0


WRONG = {
    "shape": (lambda g: np.ones(7), ValueError, r"shape \(7,\).*shape \(2,\)"),
    "too few axes": (lambda g: 1.0, ValueError, r"shape \(\).*shape \(2,\)"),
    "None": (lambda g: None, TypeError, "None"),
    "str": (lambda g: "text", TypeError, "text|str"),
    "error": (lambda g: 1 // 0, ZeroDivisionError, "zero"),
}


@cases(WRONG)
def test_a_rule_that_returns_no_cotangent(case):
    vjp, error, message = case
    defvjp(tripled, x=vjp)
    with pytest.raises(error, match=message):
        grad(lambda x: tripled(x).sum())(np.ones(2))


@cases({
    "int": (lambda g: 3, 3.0),
    "float": (lambda g: 3.0, 3.0),
    "np.float32": (lambda g: np.float32(3), 3.0),
    "complex": (lambda g: 3.0 + 2.0j, 3.0),
    "0-d array": (lambda g: np.array(3.0), 3.0),
    "an array to sum up": (lambda g: np.ones((2, 3)) / 2, 3.0),
    "bool": (lambda g: True, 1.0),
})
@pytest.mark.parametrize("leaf", [2.0, np.float64(2), np.float32(2), np.array(2.0), np.array(2, np.float32), 2.0 + 0j],
                         ids=["float", "np.float64", "np.float32", "0-d", "0-d float32", "complex"])
def test_a_cotangent_is_made_to_fit_its_value(case, leaf):
    vjp, expected = case
    defvjp(tripled, x=vjp)
    for fun in (tripled, lambda x: tripled(x * 1.0), lambda x: tripled(np.stack([x])[0])):
        gradient = grad(lambda x: fun(x).real)(leaf)
        assert type(gradient) is type(leaf)
        assert getattr(gradient, "dtype", None) == getattr(leaf, "dtype", None)
        assert gradient.real == expected


SHARED = np.array([1.0, 2.0, 3.0])


@primitive
def multiplied(x, w):
    return x * w


def test_a_gradient_that_nobody_else_holds_is_not_copied():
    addresses = []

    def vjp_x(g, w):
        share = g * w
        addresses.append(share.ctypes.data)
        return share

    defvjp(multiplied, x=vjp_x, w=None)
    w = np.arange(3.0)
    gradient = grad(lambda x: np.sum(multiplied(x, w)))(np.ones(3))
    (cotangent,) = vjp(lambda x: multiplied(x, w), np.ones(3))[1](np.ones(3))
    assert [gradient.ctypes.data, cotangent.ctypes.data] == addresses
    np.testing.assert_array_equal([gradient, cotangent], [w, w])


@cases({
    "the cotangent": lambda g, w: g,
    "the result": lambda g, y: y,
    "the argument": lambda g, x: x,
    "a constant": lambda g, w: w,
    "an array of its own": lambda g: SHARED,
    "a view": lambda g, w: w[::-1],
    "a read-only array": lambda g, w: read_only(g * w),
})
def test_a_gradient_never_aliases_what_a_rule_returned(case):
    defvjp(multiplied, x=case, w=None)
    x, w = np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0])

    def f(p):
        y = multiplied(p["a"], w)
        return (y + multiplied(p["b"], w)).sum() + p["c"].sum(), y

    (value, aux), gradient = value_and_grad(f, has_aux=True)({"a": x, "b": x.copy(), "c": x})
    arrays = [x, w, SHARED, aux, *gradient.values()]
    for i, array in enumerate(arrays):
        assert not any(np.may_share_memory(array, other) for other in arrays[:i] if other is not array or i > 3)
        assert array.flags.writeable


def test_a_result_of_a_kind_that_cannot_be_recorded_is_refused():
    @primitive
    def boxed(x):
        return {"a": x}

    defvjp(boxed, x=lambda g: g)
    with pytest.raises(TypeError):
        grad(lambda x: boxed(x)["a"] * 1.0)(3.0)


def test_integer_results_are_plain():
    @primitive
    def signs(x):
        return np.sign(x).astype(int)

    defvjp(signs, x=lambda g: g)
    np.testing.assert_array_equal(grad(lambda x: (x * signs(x)).sum())(np.array([-2.0, 3.0])), [-1.0, 1.0])
