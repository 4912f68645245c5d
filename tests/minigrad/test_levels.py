"""Levels of other kinds than a gradient's, and observers, which are told what is recorded and what the backward pass does."""

from importlib import import_module

import numpy as np
import pytest

from minigrad import Tensor, grad, hessian, value_and_grad
from minigrad.graph import Level, Node, Observer, backward
from minigrad.tensor import GradLevel, unwrap
from minigrad.memory import innermost

grad_module = import_module("minigrad.grad")  # which the function of that name hides

# ---- A level that notes calls, as one does that makes a program of them -----------------------------------------------


class Tracing(Level):
    """A level that writes down the calls that are made on its values, and computes them."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def record(self, rule, args, kwargs, compute):
        y = compute(*unwrap(args, self), **unwrap(kwargs, self))
        self.calls.append(rule.title)
        return self.value(y)

    def value(self, y):
        return Tensor(y, Node(y), self) if isinstance(y, (np.ndarray, np.floating, float)) else y


X, Y = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, 3.0])


def loss(w, x, y):
    return np.mean((w * x - y) ** 2) + np.sum(np.where(x > 0.6, x, 0.0))


def test_gradients_inside_of_a_level_see_its_values_as_arrays():
    level = Tracing()
    value, gradient = value_and_grad(loss)(0.7, level.value(X), level.value(Y))
    assert type(value) is type(gradient) is Tensor and value.level is gradient.level is level
    expected = value_and_grad(loss)(0.7, X, Y)
    assert innermost(value) == expected[0]
    assert abs(innermost(gradient) - expected[1]) <= 4e-16 * abs(expected[1])
    # The forward calls are there, the comparison among them, and the calls of the rules.
    for name in ("np.multiply", "np.subtract", "np.mean", "np.greater", "np.where", "np.sum"):
        assert name in level.calls, level.calls


def test_a_value_of_such_a_level_may_be_differentiated_with_respect_to():
    level = Tracing()
    x = level.value(X)
    first = grad(lambda x: np.sum(x**3))(x)
    second = hessian(lambda x: np.sum(x**3))(x)
    assert first.level is second.level is level
    np.testing.assert_allclose(innermost(first), 3 * X**2, rtol=1e-15)
    np.testing.assert_allclose(innermost(second), np.diag(6 * X), rtol=1e-15)


class Holding(Tracing):
    """One that also takes values that an outer level is differentiating."""

    def value(self, y):
        return Tensor(y, Node(y), self)


def test_such_a_level_inside_of_a_gradient_holds_what_is_differentiated():
    def f(w):
        level = Holding()
        y = level.value(X) * w * 2.0
        assert y.level is level and type(y.value) is Tensor and level.calls == ["np.multiply"] * 2
        return np.sum(unwrap(y, level))

    assert grad(f)(1.5) == 2 * X.sum()


# ---- Observers ------------------------------------------------------------------------------------------------------


class Notes(Observer):
    def __init__(self):
        self.operations, self.steps, self.names = [], [], {}

    def recorded(self, function, args, kwargs, result, node):
        self.names[node] = function.__name__
        self.operations.append((function.__name__, [innermost(a) for a in args], innermost(result)))

    def visited(self, node, g):
        self.steps.append((self.names.get(node), g))  # none for a node that only deals out cotangents

    def handed_back(self, node, parent, share, total):
        self.steps.append((self.names.get(parent, "x"), share, total))


def observed(fun, x):
    """The gradient at a level with an observer, and what that has seen."""
    notes = Notes()
    options, arguments = grad_module.boundary.Options("grad"), grad_module.Arguments(fun, 0)
    _, gradient = grad_module.differentiate(fun, arguments, options, False, (x,), {}, notes)
    return gradient, notes


def test_the_example_in_the_docstring_of_graph():
    """x * x + sin(x) at x = 2, forward and backward, as it is worked there."""
    sine, cosine = float(np.sin(2.0)), float(np.cos(2.0))
    gradient, notes = observed(lambda x: x * x + np.sin(x), 2.0)
    assert notes.operations == [("multiply", [2.0, 2.0], 4.0), ("sin", [2.0], sine), ("add", [4.0, sine], 4.0 + sine)]
    assert notes.steps == [
        ("add", 1.0), ("multiply", 1.0, 1.0), ("sin", 1.0, 1.0),
        ("sin", 1.0), ("x", cosine, cosine),
        ("multiply", 1.0), ("x", 2.0, cosine + 2.0), ("x", 2.0, cosine + 2.0 + 2.0),
    ]
    assert gradient == cosine + 2.0 + 2.0
    assert (round(sine, 3), round(cosine, 3), round(gradient, 3)) == (0.909, -0.416, 3.584)


@pytest.mark.parametrize("fun", [
    lambda x: np.sum(x[1:] * x[:-1]) + np.mean(x**2),
    lambda x: np.concatenate([x, np.modf(x)[0]]).sum() + np.linalg.norm(x),
    lambda x: sum(v * v for v in x) + x.sum() * x.mean(),
    lambda x: np.sum(grad(lambda y: np.sum(np.sin(y) * x * y))(x)),
])
def test_an_observer_changes_nothing(fun):
    gradient, notes = observed(fun, X)
    np.testing.assert_allclose(gradient, grad(fun)(X), rtol=1e-14)
    assert notes.operations and notes.steps


def test_every_operation_is_told_whichever_way_it_is_written():
    def f(x):
        y = np.zeros_like(x)
        y[0] = (x * 2.0 + np.exp(x))[1]
        y += x.reshape(3)
        return np.sum(y) + x @ x

    _, notes = observed(f, X)
    names = [name for name, *_ in notes.operations]
    for name in ("zeros_like", "multiply", "exp", "add", "getitem", "replace", "reshape", "sum", "matmul"):
        assert name in names, names


def test_the_cotangents_of_leaves_are_what_is_left():
    level = GradLevel()
    x, y = Tensor(2.0, Node(2.0), level), Tensor(3.0, Node(3.0), level)
    z = x * y + x
    found = backward(z.node, 1.0)
    assert {x.node: found.pop(x.node), y.node: found.pop(y.node)} == {x.node: 4.0, y.node: 2.0} and not found
