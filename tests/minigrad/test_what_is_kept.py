"""What the graph keeps for the backward pass, when it is freed, and how much memory a gradient takes at most.

Weak references show what is alive. The garbage collector is off meanwhile, so only the end of the last reference frees
an object.
"""

import gc
import tracemalloc
import weakref

import numpy as np

from minigrad import defvjp, grad, primitive

from .support import PLAIN, cases

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
    "tanh": (np.tanh, True, False),
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
    assert peak < (110 if PLAIN else 5) * matrix.nbytes  # the plain core copies it for each use


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
    """Python keeps freed tuples and numbers, up to some thousands, to use them again. After that, more calls add nothing."""
    x = np.ones(10_000)
    for fun in (sines, additions, lambda x: (x * x[::-1] * 2.0).sum()):
        tracemalloc.start()
        try:
            taken = []
            for _ in range(5):
                for _ in range(20):
                    grad(fun)(x)
                taken.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        # If a call left one small object for each of its 50 operations, each round would add 50,000 bytes.
        assert min(np.diff(taken)) < 2_000
