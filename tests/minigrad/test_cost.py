"""What a call costs: how often the function runs, and how much work the backward pass does for each operation.

Calls are counted, because measured times change from day to day.
"""

import sys

import numpy as np
import pytest

from minigrad import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, vjp

from .support import PLAIN, Counted, cases

# ---- How often the function is called -------------------------------------------------------------------------------


def test_jacrev_of_many_outputs_calls_the_function_once():
    t = np.linspace(0.0, 3.0, 1000)
    fun = Counted(lambda p: p[0] * np.sin(p[1] * t) + np.exp(-p[2] * t))
    p = np.array([1.5, 2.0, 0.5])
    expected = np.stack([np.sin(2.0 * t), 1.5 * t * np.cos(2.0 * t), -t * np.exp(-0.5 * t)], axis=1)
    found = jacrev(fun)(p)
    assert fun.calls == 1 and found.shape == (1000, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_jacfwd_of_many_arguments_calls_the_function_once():
    x = np.linspace(0.1, 2.0, 1000)
    fun = Counted(lambda x: np.stack([np.sum(x**2), np.sum(np.sin(x)), x[0] * x[-1]]))
    corner = np.zeros(1000)
    corner[[0, -1]] = x[[-1, 0]]
    found = jacfwd(fun)(x)
    assert fun.calls == 1 and found.shape == (3, 1000)
    np.testing.assert_allclose(found, np.stack([2 * x, np.cos(x), corner]), rtol=1e-13, atol=1e-13)


def test_the_jacobian_of_every_element_of_a_wide_elementwise_function():
    x = np.linspace(0.1, 2.0, 300)
    for transform in (jacrev, jacfwd, jacobian):
        fun = Counted(lambda x: np.exp(x) * x)
        np.testing.assert_allclose(transform(fun)(x), np.diag(np.exp(x) * (1 + x)), rtol=1e-13, atol=0)
        assert fun.calls == 1


def test_a_hessian_of_200_parameters():
    n = 200
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(50, n)) / np.sqrt(n), rng.normal(size=n)

    def loss(x):
        return np.log(np.sum(np.exp(w @ x))) + np.sum(x**4) / 12

    p = np.exp(w @ x) / np.sum(np.exp(w @ x))
    expected = w.T @ (np.diag(p) - np.outer(p, p)) @ w + np.diag(x**2)
    fun = Counted(loss)
    found = hessian(fun)(x)
    assert fun.calls == 1 and found.shape == (n, n)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found, found.T, rtol=1e-11, atol=1e-14)


X, ROW = np.array([0.5, 1.5]), np.array([1.0, 10.0])


@cases({
    "vjp": lambda f: vjp(f, X)[1](ROW),
    "vjp, five times": lambda f: [vjp_fun(ROW) for vjp_fun in [vjp(f, X)[1]] * 5],
    "linearize": lambda f: linearize(f, X)[1](ROW),
    "linearize, five times": lambda f: [jvp_fun(ROW) for jvp_fun in [linearize(f, X)[1]] * 5],
    "jvp": lambda f: jvp(f, (X,), (ROW,)),
    "jacrev": lambda f: jacrev(f)(X),
    "jacfwd": lambda f: jacfwd(f)(X),
    "hessian": lambda f: hessian(f)(X),
    "jvp of jvp": lambda f: jvp(lambda x: jvp(f, (x,), (ROW,))[1], (X,), (ROW,)),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f))(X),
    "vjp of grad": lambda f: vjp(grad(lambda x: f(x).sum()), X)[1](ROW),
    "hvp": lambda f: hvp(lambda x: f(x).sum(), (X,), (ROW,)),
})
def test_the_function_is_called_once(case):
    fun = Counted(lambda x: np.sin(x) * x[::-1])
    case(fun)
    assert fun.calls == 1


# ---- Many operations ------------------------------------------------------------------------------------------------


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


# ---- Elements in a loop ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(PLAIN, reason="the plain way makes an array of zeros for each element")
@pytest.mark.parametrize("kind", [int, np.intp])
@pytest.mark.parametrize("shape", [(50,), (50, 2)])
def test_elements_in_a_loop_need_one_array_of_zeros(kind, shape, monkeypatch):
    """With the numbers of range, and with those that arrays hold, such as a permutation of the rows."""
    x, zeros = np.linspace(0.5, 1.5, 50 * len(shape)).reshape(shape), Counted(np.zeros)
    order = [kind(i) for i in np.random.default_rng(0).permutation(50)]
    monkeypatch.setattr(np, "zeros", zeros)
    gradient = grad(lambda x: sum(np.sum(x[i] ** 3) for i in order))(x)
    assert zeros.calls == 1
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-15)
