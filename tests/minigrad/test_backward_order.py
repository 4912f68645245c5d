"""The backward pass calls the VJP of each operation once, after those of all operations that use its result."""

import numpy as np
import pytest

from minigrad import defvjp, grad, primitive

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
