"""The checks of the exercises: right answers of every style pass, and wrong ones are told what is wrong."""

import functools
import itertools
import re
import string
from collections import namedtuple
from pathlib import Path

import jax
import numpy as np
import pytest

import linear
from linear import answers, mistakes
from linear.check_texts import LANGUAGES, TEXTS
from minigrad import grad, stop_gradient, value_and_grad

MODEL, START, LOSS, GRADIENT, LOOP = (
    linear.check_linear_model,
    linear.check_initialize_linear_params,
    linear.check_mseloss,
    linear.check_dmseloss,
    linear.check_model_optimization_loop,
)
Line = namedtuple("Line", "w b")
normal = np.random.normal

# ---- Right answers --------------------------------------------------------------------------------------------------


def model_by_names(theta, x):
    w, b = theta["w"], theta["b"]
    return w * x + b


class Model:
    def __call__(self, theta, x):
        return np.add(theta["b"], np.multiply(x, theta["w"]))


def start_by_generator():
    w, b = np.random.default_rng().standard_normal(2)
    return {"b": b, "w": w}


def loss_by_loop(theta, model, x, y):
    total = 0
    for xi, yi in zip(x, y):
        total += (yi - model(theta, xi)) ** 2
    return total / len(x)


def loss_that_prints(theta, model, x, y):
    loss = np.mean(np.square(model(theta, x) - y))
    print("the loss is", loss)
    return loss


def gradient_by_hand(theta, model, x, y):
    error = model(theta, x) - y
    return {"w": (2 * error * x).mean(), "b": 2 * error.sum() / len(y)}


def gradient_by_differences(theta, model, x, y):
    def moved(name, step):
        return linear.mseloss({**theta, name: theta[name] + step}, model, x, y)

    return {name: (moved(name, 1e-5) - moved(name, -1e-5)) / 2e-5 for name in theta}


def loop_with_copy(theta, model, loss_fn, x, y, n_steps=3000):
    theta = dict(theta)
    losses = []
    for _ in range(n_steps):
        grads = grad(loss_fn)(theta, model, x, y)
        losses.append(loss_fn(theta, model, x, y))
        theta["w"] -= 0.01 * grads["w"]
        theta["b"] -= 0.01 * grads["b"]
    return losses, theta


def loop_with_array(theta, model, loss_fn, x, y, n_steps=3000, learning_rate=0.01):
    losses = np.zeros(n_steps)
    for step in range(n_steps):
        losses[step], grads = value_and_grad(loss_fn)(theta, model, x, y)
        theta = {name: theta[name] - learning_rate * grads[name] for name in theta}
    return [losses, theta]


def loop_with_tuple(theta, model, loss_fn, x, y, n_steps=3000):
    w, b = theta
    losses = []
    while len(losses) < n_steps:
        losses.append(float(loss_fn((w, b), model, x, y)))
        dw, db = grad(loss_fn)((w, b), model, x, y)
        w, b = w - 0.01 * dw, b - 0.01 * db
    return losses, (w, b)


def loop_with_jax(theta, model, loss_fn, x, y, n_steps=3000):
    losses = []
    for _ in range(n_steps):
        losses.append(loss_fn(theta, model, x, y))
        grads = jax.grad(loss_fn)(theta, model, x, y)
        theta = jax.tree.map(lambda leaf, slope: leaf - 0.01 * slope, theta, grads)
    return losses, theta


RIGHT = [
    (MODEL, linear.linear_model, {}),
    (MODEL, model_by_names, {}),
    (MODEL, Model(), {}),
    (MODEL, lambda theta, x: x * theta["w"] + theta["b"], {}),
    (MODEL, lambda theta, x, *rest, bias=True: theta["b"] + theta["w"] * x, {}),
    (MODEL, functools.partial(lambda unit, theta, x: unit * theta["w"] * x + theta["b"], 1.0), {}),
    (MODEL, lambda theta, x: theta[0] * x + theta[1], {"kind": tuple}),
    (MODEL, lambda theta, x: theta[0] * x + theta[1], {"kind": list}),
    (MODEL, lambda theta, x: np.polyval(theta, x), {"kind": np.ndarray}),
    (MODEL, lambda theta, x: x @ theta["w"] + theta["b"], {"n_inputs": 3}),
    (MODEL, lambda theta, x: (theta["w"] * x).sum(axis=1) + theta["b"], {"n_inputs": 3}),
    (MODEL, lambda theta, x: np.dot(x, theta["w"]) + theta["b"], {"n_inputs": 3, "n_outputs": 2}),
    (MODEL, linear.linear_model, {"n_inputs": 1, "n_outputs": 1, "kind": tuple}),
    (START, linear.initialize_linear_params, {}),
    (START, start_by_generator, {}),
    (START, lambda: dict(zip("wb", np.random.randn(2))), {}),
    (START, lambda: Line(normal(), normal()), {"kind": tuple}),
    (START, lambda: normal(size=2), {"kind": np.ndarray}),
    (LOSS, linear.mseloss, {}),
    (LOSS, loss_by_loop, {}),
    (LOSS, loss_that_prints, {}),
    (LOSS, lambda theta, model, x, y: np.dot(y - model(theta, x), y - model(theta, x)) / y.size, {"kind": tuple}),
    (LOSS, lambda theta, model, x, y: np.sum(abs(model(theta, x) - y) ** 2) / len(x), {"kind": np.ndarray}),
    (LOSS, lambda theta, model, x, y: np.linalg.norm(model(theta, x) - y) ** 2 / len(x), {}),
    (GRADIENT, linear.dmseloss, {}),
    (GRADIENT, gradient_by_hand, {}),
    (GRADIENT, gradient_by_differences, {}),
    (GRADIENT, linear.dmseloss, {"kind": tuple}),
    (GRADIENT, linear.dmseloss, {"kind": np.ndarray}),
    (GRADIENT, jax.grad(linear.mseloss), {}),
    (LOOP, linear.model_optimization_loop, {}),
    (LOOP, linear.model_optimization_loop, {"kind": np.ndarray}),
    (LOOP, loop_with_copy, {}),
    (LOOP, loop_with_array, {}),
    (LOOP, loop_with_tuple, {"kind": tuple}),
    (LOOP, loop_with_jax, {}),
]


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def exercise_of(check):
    return check.__name__.removeprefix("check_")


def in_the_words_of(check, function, text):
    """The text, with the name that the function has in the program in place of its own."""
    name = getattr(function, "__name__", exercise_of(check))
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", exercise_of(check), text)


@pytest.mark.parametrize("check, function, options", RIGHT)
def test_right_answers_pass(check, function, options):
    verdict = check(function, **options)
    assert verdict and verdict.passed, verdict
    assert in_the_words_of(check, function, str(verdict)) == f"Correct: {exercise_of(check)} does what the exercise asks."
    assert str(check(function, "zh", **options)).startswith("正确：")


# ---- Wrong answers --------------------------------------------------------------------------------------------------


def column(model):
    return lambda theta, x: model(theta, x).reshape(-1, 1)


def model_that_swaps(x, theta):
    return theta["w"] * x + theta["b"]


def model_that_unpacks(theta, x):
    w, b = theta
    return w * x + b


def model_that_prints(theta, x):
    print(theta["w"] * x + theta["b"])


def model_that_changes_x(theta, x):
    x *= theta["w"]
    x += theta["b"]
    return x


def model_with_a_typo(theta, x):
    w, b = theta["w"], theta["b"]
    return w * X + b  # noqa: F821


def model_without_a_body(theta, x):
    ...


def floats(theta):
    return {name: float(str(value)) for name, value in theta.items()}


def weight_that_was_there_before(theta, x, w=3.0, b=-2.0):
    return w * x + b


POINTS = np.array([-1.0, 0.5, 2.0, 3.0])
WRONG_MODELS = [
    (model_that_swaps,
     "other order. linear_model has to take (theta, x), but it works only when it is called with (x, theta)"),
    (model_that_unpacks,
     "but linear_model works only with the type tuple. Take the parameters out by their names"),
    (model_that_prints, "prints something and returns None. Write `return`"),
    (model_without_a_body, "returns None. Its result has to stand after `return`"),
    (model_with_a_typo, "NameError: name 'X' is not defined"),
    (lambda theta, x: theta["w"] @ x + theta["b"], "the shapes on the two sides of @ do not fit together"),
    (lambda theta, x: theta.w * x + theta.b, "taken out by their names in brackets, such as theta['w']"),
    (model_that_changes_x, "changes x, which belongs to the caller"),
    (weight_that_was_there_before, "the result is the same for another theta"),
    (lambda theta, x: theta["w"] * POINTS + theta["b"], "the result is the same for another x"),
    (lambda theta, x: theta["w"] * x - theta["b"], "b has the wrong sign"),
    (lambda theta, x: theta["b"] - theta["w"] * x, "w has the wrong sign"),
    (lambda theta, x: -(theta["b"] + theta["w"] * x), "the result has the wrong sign"),
    (lambda theta, x: theta["b"] * x + theta["w"], "w and b have changed places"),
    (lambda theta, x: theta["w"] * x, "b is missing"),
    (lambda theta, x: x + theta["b"], "w is missing"),
    (lambda theta, x: theta["w"] + x + theta["b"], "w is added"),
    (lambda theta, x: theta["w"] * (x + theta["b"]), "b is multiplied by w, too"),
    (lambda theta, x: x ** theta["w"] + theta["b"], "x is raised to the power w"),
    (lambda theta, x: theta["w"] * x + 5 * theta["b"],
     "the numbers are not right.\nFor theta = {'w': 3, 'b': -2}, x = [-1, 0.5"),
    (lambda theta, x: 3 * x + theta["b"], "the numbers are not right.\nFor theta = {'w': -1, 'b': 4}"),
    (column(model_by_names), "returns the shape (4, 1), a column, but the shape has to be (4,)"),
    (lambda theta, x: x[:, None] * theta["w"] + theta["b"] + 0 * x, "returns the shape (4, 4)"),
    (lambda theta, x: theta["w"] * x[:2] + theta["b"], "returns the shape (2,), but it has to be (4,)"),
    (lambda theta, x: np.mean(theta["w"] * x + theta["b"]), "returns one number, but there are 4 points"),
    (lambda theta, x: [theta["w"] * xi + theta["b"] for xi in x], "returns a list"),
    (lambda theta, x: (theta["w"] * x, theta["b"]), "returns 2 values side by side"),
    (lambda theta, x: "w * x + b", "has to return numbers, but it returns str 'w * x + b'"),
    (lambda theta, x: {"y": x}, "has to return numbers, but it returns dict {'y': [-1, 0.5, 2, 3]}"),
    (lambda theta: theta, "has to take the arguments (theta, x), but it takes (theta)"),
    (model_by_names({"w": 3.0, "b": -2.0}, POINTS), "linear_model is ndarray [-5, -0.5, 4, 7], not a function"),
    (lambda theta, x: model_by_names(floats(theta), x), "grad cannot differentiate linear_model"),
]


def always_seeded():
    np.random.seed(1)
    return {"w": normal(), "b": normal()}


def drawn_once():
    value = normal()
    return {"w": value, "b": value}


WRONG_STARTS = [
    (lambda: {"w": 0.0, "b": 1.0}, "returns the same numbers at every call"),
    (always_seeded, "returns the same numbers at every call"),
    (lambda: {"w": normal(), "b": 0.0}, "b is the same at every call"),
    (drawn_once, "w and b are the same number"),
    (lambda: {"w": np.random.rand(), "b": np.random.rand()}, "of 1,000 numbers for w, none lies outside of 0.00 to 1.00"),
    (lambda: {"w": np.random.uniform(-1.73, 1.73), "b": np.random.uniform(-1.73, 1.73)}, "uniform distribution"),
    (lambda: {"w": normal(50.0), "b": normal()}, "w has the mean 49.9"),
    (lambda: {"w": normal(5.0), "b": normal()}, "w has the mean 4.9"),
    (lambda: {"w": normal(), "b": normal(scale=0.1)}, "and the standard deviation 0.10"),
    (lambda: {"w": normal(size=1), "b": normal()}, "w has the shape (1,), but it has to be one number"),
    (lambda: {"w": normal, "b": normal}, "w is a function. To draw a number, call it"),
    (lambda: {"weight": normal(), "bias": normal()}, "have the keys 'w' and 'b', but it has 'weight', 'bias'"),
    (lambda: (0.5, 0.25), "has to return a dict with w and b, but it returns tuple (0.5, 0.25)"),
    (lambda: {"w": "0.5", "b": 0.1}, "has to return numbers, but it returns str '0.5'"),
    (lambda n: {"w": normal(), "b": normal()}, "has to take the arguments (), but it takes (n)"),
    (lambda: print({"w": normal(), "b": normal()}), "prints something and returns None"),
    ({"w": 0.5, "b": 0.1}, "is dict {'w': 0.5, 'b': 0.1}, not a function"),
]


def errors(theta, model, x, y):
    return model(theta, x) - y


def loss_of_first(theta, model, x, y):
    for xi, yi in zip(x, y):
        return (model(theta, xi) - yi) ** 2


def loss_of_last(theta, model, x, y):
    for xi, yi in zip(x, y):
        loss = (model(theta, xi) - yi) ** 2
    return loss


def loss_without_derivative(theta, model, x, y):
    return np.mean([float(error) ** 2 for error in errors(theta, model, x, y)])


def loss_that_drops_an_error(theta, model, x, y):
    difference = model(theta, x) - y
    return difference.squares().mean()


def rows(array):
    return np.asarray(array).reshape(-1, 1)


WRONG_LOSSES = [
    (lambda theta, model, x, y: np.sum(errors(theta, model, x, y) ** 2), "that is the sum of the squares, not their mean"),
    (lambda theta, model, x, y: np.mean(errors(theta, model, x, y)), "the square is missing"),
    (lambda theta, model, x, y: np.mean(y - model(theta, x)), "the square is missing"),
    (lambda theta, model, x, y: np.mean(abs(errors(theta, model, x, y))), "mean of the absolute differences"),
    (lambda theta, model, x, y: np.sqrt(np.mean(errors(theta, model, x, y) ** 2)), "root of the mean squared error"),
    (lambda theta, model, x, y: np.mean(errors(theta, model, x, y)) ** 2, "the mean is squared"),
    (lambda theta, model, x, y: np.mean(errors(theta, model, x, y) ** 2) / 2, "half of the mean squared error"),
    (lambda theta, model, x, y: -np.mean(errors(theta, model, x, y) ** 2), "the loss has the wrong sign"),
    (lambda theta, model, x, y: np.mean(model(theta, x) ** 2 - y**2), "squared first and subtracted then"),
    (lambda theta, model, x, y: np.mean(errors(theta, model, x, y) ** 4), "the numbers are not right"),
    (lambda theta, model, x, y: errors(theta, model, x, y) ** 2, "the loss has the shape (4,), a number for each point"),
    (lambda theta, model, x, y: np.mean(errors(theta, model, x, y) ** 2, keepdims=True), "but it has the shape (1,)"),
    (lambda theta, model, x, y: np.mean((model(theta, x) - rows(y)) ** 2),
     "every prediction is compared with every observation"),
    (lambda theta, model, x, y: np.mean((model(theta, rows(x)) - y) ** 2),
     "broadcast against one of shape (4,), which gives (4, 4)"),
    (lambda theta, model, x, y: (model(theta, rows(x)) - y) ** 2, "every prediction is compared with every observation"),
    (loss_of_first, "only the first point counts. Does `return` stand inside of the loop?"),
    (loss_of_last, "only the last point counts"),
    (lambda model, theta, x, y: linear.mseloss(theta, model, x, y), "called with (model, theta, x, y)"),
    (lambda x, y, theta, model: linear.mseloss(theta, model, x, y), "called with (x, y, theta, model)"),
    (lambda theta, model, y, x: np.mean((model(theta, x) - y) ** 2), "called with (theta, model, y, x)"),
    (lambda theta, model, x, y: np.mean((model(x, theta) - y) ** 2),
     "does not call the model with its arguments in their order"),
    (lambda theta, model, x, y: np.mean((model(theta["w"], x) - y) ** 2), "Write model(theta, x): theta first"),
    (lambda theta, model, x, y: np.mean((theta["w"] * x + theta["b"] - y) ** 2), "does not use its argument model"),
    (lambda theta, model, x, y: np.sum(errors(theta, model, x, y) ** 2) / 4, "right for 4 points, but not for 3"),
    (lambda theta, model, x, y: print(np.mean(errors(theta, model, x, y) ** 2)), "prints something and returns None"),
    (lambda theta, x, y: np.mean(errors(theta, model_by_names, x, y) ** 2),
     "(theta, model, x, y), but it takes (theta, x, y)"),
    (loss_without_derivative, "grad cannot differentiate mseloss"),
    (lambda theta, model, x, y: 2 * linear.mseloss(theta, model, x, y) - stop_gradient(linear.mseloss(theta, model, x, y)),
     "the values are right, but the derivative of mseloss is not"),
    (lambda theta, model, x, y: np.mean((model(theta, x) - y) ^ 2), "the power is written with two stars"),
    (lambda theta, model, x, y: np.mean((model(x) - y) ** 2), "does not call the model with its arguments in their order"),
    (lambda theta, model, x, y: np.mean(model(theta, x) - y**2), "only y is squared"),
    (lambda theta, model, x, y: (errors(theta, model, x, y) ** 2).mean, "Call it, with brackets: .mean()"),
    (loss_that_drops_an_error, "'numpy.ndarray' object has no attribute 'squares'"),
]


def by_hand(w, b=None):
    """A gradient by hand: the derivative for w, and for b, of the errors, x, and the number of points."""

    def gradient(theta, model, x, y):
        error = model(theta, x) - y
        return {"w": w(error, x, len(x)), "b": (b or (lambda e, x, n: 2 * e.mean()))(error, x, len(x))}

    return gradient


def right_w(e, x, n):
    return (2 * e * x).mean()


def gradient_of(loss):
    return grad(lambda theta, model, x, y: loss(model(theta, x), y))


WRONG_GRADIENTS = [
    (..., "Write your code in their place"),
    (grad(linear.mseloss, argnums=2), "the gradient with respect to x, not theta"),
    (grad(linear.mseloss, argnums=3), "the gradient with respect to y, not theta"),
    (linear.mseloss, "the loss itself, not its gradient"),
    (value_and_grad(linear.mseloss), "returns the loss and the gradient together"),
    (lambda *args: tuple(linear.dmseloss(*args).values()),
     "the numbers are right, but the gradient has to have the structure of theta"),
    (lambda *args: np.array([*linear.dmseloss(*args).values()]), "a dict with w and b. It is ndarray ["),
    (lambda *args: {"dw": linear.dmseloss(*args)["w"], "db": linear.dmseloss(*args)["b"]},
     "It is dict {'dw': 5.25, 'db': 0.5}"),
    (grad(linear.mseloss, argnums=(0,)), "the numbers are right, but the gradient has to have the structure of theta"),
    (lambda *args: linear.dmseloss(*args)["w"],
     "the gradient has to have the structure of theta, a dict with w and b. It is "),
    (lambda *args: {"w": None}, "has to have the structure of theta"),
    (lambda *args: "2 * e", "has to return numbers, but it returns str '2 * e'"),
    (linear.dmseloss({"w": 3.0, "b": -2.0}, linear.linear_model, POINTS, POINTS), "the gradient at one point"),
    (5.0, "dmseloss is float 5, not a function"),
    (gradient_of(lambda p, y: -np.mean((p - y) ** 2)), "grads['w'], grads['b']: the sign is wrong"),
    (by_hand(lambda e, x, n: -(2 * e * x).mean()), "grads['w']: the sign is wrong"),
    (lambda theta, model, x, y: linear.dmseloss, "returns a function. Either call that"),
    (by_hand(right_w, lambda e, x, n: -2 * e.mean()), "grads['b']: the sign is wrong"),
    (gradient_of(lambda p, y: np.sum((p - y) ** 2)), "grads['w'], grads['b']: this is a sum over the points"),
    (by_hand(lambda e, x, n: (e * x).mean(), lambda e, x, n: e.mean()), "grads['w'], grads['b']: this is half"),
    (by_hand(lambda e, x, n: (2 * e).mean()), "grads['w']: the factor x is missing"),
    (by_hand(right_w, right_w), "grads['b']: there is a factor x too many"),
    (by_hand(lambda e, x, n: 2 * e.mean(), right_w), "the derivatives for w and b have changed places"),
    (gradient_of(lambda p, y: np.mean(p - y)), "The square is missing"),
    (gradient_of(lambda p, y: np.mean(y - p)), "The square is missing"),
    (gradient_of(lambda p, y: np.sqrt(np.mean((p - y) ** 2))), "the derivative of the root of the mean squared error"),
    (gradient_of(lambda p, y: np.mean((p - y.reshape(-1, 1)) ** 2)),
     "grads['w']: every prediction is compared with every observation"),
    (by_hand(lambda e, x, n: 2 * e * x), "grads['w']: the shape is (4,), but it has to be one number"),
    (by_hand(lambda e, x, n: (2 * e * x).mean() + 1), "grads['w']: the number is not right"),
    (by_hand(lambda e, x, n: (2 * e * x).sum() / 4), "right for 4 points, but not for 3"),
    (lambda model, theta, x, y: linear.dmseloss(theta, model, x, y), "called with (model, theta, x, y)"),
    (lambda theta, model, y, x: gradient_by_hand(theta, model, x, y), "called with (theta, model, y, x)"),
    (grad(lambda theta, model, x, y: (model(theta, x) - y) ** 2), "dmseloss raises an error, TypeError: "),
    (lambda theta, model, x, y: print("2 * e"), "prints something and returns None"),
]


def loop(
    update=lambda value, slope: value - 0.01 * slope,
    *,
    copy=dict,
    steps=range,
    record=lambda loss, grads: loss,
    late=False,
    end=lambda losses, theta: (losses, theta),
):
    """A loop with one thing in it changed."""

    def model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000):
        theta, losses = copy(theta), []
        for _ in steps(n_steps):
            loss, grads = value_and_grad(loss_fn)(theta, model, x, y)
            for name in theta:
                theta[name] = update(theta[name], grads[name])
            losses.append(record(loss_fn(theta, model, x, y) if late else loss, grads))
        return end(losses, theta)

    return model_optimization_loop


def loop_of(step):
    """A loop whose step is given: from the losses, the start, theta and the other arguments to the next theta."""

    def model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000):
        losses, start = [], theta
        for _ in range(n_steps):
            theta = step(losses, start, theta, (model, x, y), loss_fn)
        return losses, theta

    return model_optimization_loop


def moved(theta, grads, rates=(0.01, 0.01)):
    return {name: theta[name] - rate * grads[name] for name, rate in zip("wb", rates)}


def recorded(next_theta):
    def step(losses, start, theta, data, loss_fn):
        losses.append(loss_fn(theta, *data))
        return next_theta(start, theta, data, loss_fn)

    return loop_of(step)


def with_rates(*rates):
    return recorded(lambda start, theta, data, loss_fn: moved(theta, grad(loss_fn)(theta, *data), rates))


def slope_of_the_other(start, theta, data, loss_fn):
    return {name: theta[name] - 0.01 * grad(loss_fn)(theta, *data)["w"] for name in theta}


def slope_without_the_mean(start, theta, data, loss_fn):
    model, x, y = data
    return {"w": theta["w"] - 0.01 * (model(theta, x) - y) * x, "b": theta["b"]}


def step_with_mseloss(losses, start, theta, data, loss_fn):
    losses.append(linear.mseloss(theta, *data))
    return moved(theta, grad(loss_fn)(theta, *data))


def one_after_other(start, theta, data, loss_fn):
    theta = moved(theta, grad(loss_fn)(theta, *data), (0.01, 0.0))
    return moved(theta, grad(loss_fn)(theta, *data), (0.0, 0.01))


def loop_that_returns_early(theta, model, loss_fn, x, y, n_steps=3000):
    losses = []
    for _ in range(n_steps):
        losses.append(loss_fn(theta, model, x, y))
        theta = moved(theta, grad(loss_fn)(theta, model, x, y))
        return losses, theta


def loop_that_records_first(theta, model, loss_fn, x, y, n_steps=3000):
    losses = [loss_fn(theta, model, x, y)] * n_steps
    for _ in range(n_steps):
        theta = moved(theta, grad(loss_fn)(theta, model, x, y))
    return losses, theta


def loop_that_records_last(theta, model, loss_fn, x, y, n_steps=3000):
    for _ in range(n_steps):
        losses = [loss_fn(theta, model, x, y)]
        theta = moved(theta, grad(loss_fn)(theta, model, x, y))
    return losses, theta


def loop_that_slows_down(theta, model, loss_fn, x, y, n_steps=3000):
    losses = []
    for step in range(n_steps):
        losses.append(loss_fn(theta, model, x, y))
        theta = moved(theta, grad(loss_fn)(theta, model, x, y), [0.01 / (1 + step)] * 2)
    return losses, theta


def loop_of_the_author(theta, model, loss_fn, x, y, n_steps=3000):
    losses = []
    for _ in range(n_steps):
        losses.append(loss_fn(theta, model, x, y))
        grads = grad(loss_fn)(theta, model, x, y)
        theta["w"] -= 0.01 * grads["w"]
        theta["b"] -= 0.01 * grads["b"]
    return losses, theta


WRONG_LOOPS = [
    (loop(lambda value, slope: value + 0.01 * slope), "the losses rise: the update has the wrong sign"),
    (loop(lambda value, slope: value), "theta is not changed: it comes back where it started"),
    (loop(lambda value, slope: value - 0.1 * slope), "the learning rate is 0.1, but it has to be 0.01"),
    (loop(lambda value, slope: value - slope), "the learning rate is 1, but it has to be 0.01"),
    (loop(lambda value, slope: value - 0.01 * slope - 0.0123), "the first step leads to a wrong theta"),
    (loop(lambda value, slope: -0.01 * slope), "theta becomes the step alone"),
    (loop(lambda value, slope: value + 0.01 * slope, steps=lambda n: range(n - 1)), "the losses rise"),
    (recorded(lambda start, theta, data, loss_fn: theta - 0.01 * grad(loss_fn)(theta, *data)),
     "but model_optimization_loop works only with the type ndarray. There is no arithmetic with a whole dict"),
    (recorded(lambda start, theta, data, loss_fn: dict(theta) - 0.01 * dict(grad(loss_fn)(theta, *data))),
     "no arithmetic with a whole dict. Compute with each of its parts"),
    (recorded(lambda start, theta, data, loss_fn: moved(theta, grad(loss_fn(theta, *data)))),
     "grad takes a function, not a value"),
    (recorded(lambda start, theta, data, loss_fn: {name: theta[name] - 0.01 * loss_fn(theta, *data) for name in theta}),
     "theta moves by the loss itself"),
    (with_rates(0.01, 0.0), "theta['b']: it is never changed"),
    (with_rates(0.01, -0.01), "theta['b']: it moves in the wrong direction"),
    (with_rates(1.0, 0.01), "theta['w']: it moves with the learning rate 1,"),
    (recorded(slope_of_the_other),
     "theta['b']: it moves by the gradient of the other parameter"),
    (recorded(one_after_other), "w is changed first, and the gradient for b is computed with the new w"),
    (recorded(lambda start, theta, data, loss_fn: moved(theta, grad(loss_fn)(start, *data))),
     "the gradient is computed only once"),
    (recorded(lambda start, theta, data, loss_fn: moved(start, grad(loss_fn)(start, *data))),
     "begins at the first theta again"),
    (loop_that_slows_down, "the first step is right, but the later ones are not"),
    (loop(steps=lambda n: range(n - 1)), "theta has made 4 steps, though model_optimization_loop is called with n_steps=5"),
    (loop(steps=lambda n: range(n + 1)), "theta has made 6 steps"),
    (loop(steps=lambda n: range(300)), "makes 300 steps, though it is called with n_steps=5"),
    (loop_that_returns_early, "Does `return` stand inside of the loop?"),
    (loop(late=True), "the losses are recorded after the update"),
    (loop_that_records_first, "the loss is computed only once"),
    (loop_that_records_last, "5 steps were made, but the number of losses is 1"),
    (loop(end=lambda losses, theta: (losses[1:], theta)), "the number of losses is 4"),
    (loop(end=lambda losses, theta: ([], theta)), "the number of losses is 0"),
    (loop(end=lambda losses, theta: (losses[::-1], theta)), "theta is right, but the losses are not"),
    (loop(record=lambda loss, grads: grads), "the losses are not numbers, but gradients"),
    (loop(end=lambda losses, theta: (losses[-1], theta)),
     "the losses have to be a list with one number for each step, but they are "),
    (loop(end=lambda losses, theta: (theta, losses)), "returns theta first"),
    (loop(end=lambda losses, theta: theta), "returns theta alone"),
    (loop(end=lambda losses, theta: losses), "returns the losses alone"),
    (loop(end=lambda losses, theta: (losses, theta, 0)), "has to return two things, losses and theta, but it returns tuple"),
    (loop(end=lambda losses, theta: (losses, theta["w"])), "theta has to come back as it went in"),
    (recorded(slope_without_the_mean),
     "theta['w']: it comes back with the shape (4,)"),
    (loop(end=lambda losses, theta: print(losses[-1])), "prints something and returns None"),
    (loop(end=lambda losses, theta: None), "returns None. Its result has to stand after `return`"),
    (loop_of_the_author, "has altered the caller's theta, so that the start is lost"),
    (lambda theta, model, loss_fn, x, y: None, "has to take the argument n_steps, with 3000 as its default"),
    (lambda theta, model, loss_fn, x, y, n_steps: None, "has to take the argument n_steps, with 3000 as its default"),
    (lambda theta, model, x, y, n_steps=3000: None, "has to take the arguments (theta, model, loss_fn, x, y), but it takes"),
    (lambda theta, model, loss_fn, x, y, n_steps=100: loop_with_copy(theta, model, loss_fn, x, y, n_steps),
     "the number of steps has to be 3000, but it is 100"),
    (lambda model, theta, loss_fn, x, y, n_steps=3000: loop_with_copy(theta, model, loss_fn, x, y, n_steps),
     "called with (model, theta, loss_fn, x, y)"),
    (lambda theta, model, loss_fn, y, x, n_steps=3000: loop_with_copy(theta, model, loss_fn, x, y, n_steps),
     "called with (theta, model, loss_fn, y, x)"),
    (recorded(lambda start, theta, data, loss_fn: moved(theta, linear.dmseloss(theta, *data))),
     "with another loss function, the steps"),
    (loop_of(step_with_mseloss),
     "with another loss function, the losses"),
    (lambda theta, model, loss_fn, x, y, n_steps=3000: loop_with_copy(theta, model_by_names, loss_fn, x, y, n_steps),
     "with another model"),
    (lambda theta, model, loss_fn, x, y, n_steps=3000: loop_with_copy(theta, x, loss_fn, model, y, n_steps),
     "does not call loss_fn, or its gradient, with the arguments in their order"),
    (lambda theta, model, loss_fn, x, y, n_steps=3000: loss_fn(theta, x, y), "Write loss_fn(theta, model, x, y)"),
]

WRONG = [
    (check, function, phrase)
    for check, answers in (
        (MODEL, WRONG_MODELS), (START, WRONG_STARTS), (LOSS, WRONG_LOSSES), (GRADIENT, WRONG_GRADIENTS), (LOOP, WRONG_LOOPS),
    )
    for function, phrase in answers
]


def pattern_of(key, language):
    """What finds the text of that key."""
    pieces = string.Formatter().parse(TEXTS[key][LANGUAGES.index(language)])
    return re.compile("".join(re.escape(text) + (".*" if name else "") for text, name, *_ in pieces), re.S)


def key_of(text, language):
    """The key of the fault in what a check says: the text with the most letters that is found there."""
    first = text.removeprefix("Not yet: ").removeprefix("还不对：")
    keys = [key for key in TEXTS if key not in ("wrong", "right") and pattern_of(key, language).match(first)]
    return max(keys, key=lambda key: len(TEXTS[key][LANGUAGES.index(language)]))


@pytest.mark.parametrize("check, function, phrase", WRONG)
def test_wrong_answers_are_told_what_is_wrong(check, function, phrase, capsys):
    verdict = check(function)
    assert not verdict and verdict.passed is False
    assert verdict.text.startswith("Not yet: ")
    assert phrase in in_the_words_of(check, function, verdict.text)
    chinese = check(function, "zh")
    assert chinese.text.startswith("还不对：")
    assert key_of(verdict.text, "en") == key_of(chinese.text, "zh")
    assert len(verdict.text.splitlines()) == len(chinese.text.splitlines())


def test_every_text_is_said_to_somebody():
    """And every text for wrong answers is tried, in both languages, by the test above."""
    said = {key_of(check(function).text, "en") for check, function, _ in WRONG}
    frame = {"right", "wrong", "evidence", "where"}
    advice = {"take_out_dict", "take_out_other", "take_out_array"}
    elsewhere = {"each_input"}
    assert set(TEXTS) - said == frame | advice | elsewhere


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_have_the_same_places(key):
    english, chinese = ({name for _, name, *_ in string.Formatter().parse(text) if name} for text in TEXTS[key])
    assert english == chinese
    assert re.search("[\u4e00-\u9fff]", TEXTS[key][1]) and TEXTS[key][0].isascii()


def test_mistakes_have_different_results():
    """Else a wrong answer would be told of another mistake."""
    w, b = mistakes.START
    x, y = mistakes.X, mistakes.Y
    prediction = w * x + b
    for right, wrong in (
        (prediction, mistakes._wrong_predictions(w, b, x)),
        (np.mean((prediction - y) ** 2), mistakes._wrong_losses(prediction, y)),
    ):
        for (key, one), (other_key, other) in itertools.combinations([("", right), *wrong], 2):
            assert key == other_key or not answers.same(one, other), (key, other_key)


# ---- What a verdict shows -------------------------------------------------------------------------------------------


def test_an_error_shows_the_line_of_the_user():
    assert MODEL(model_with_a_typo).text.splitlines()[1] == (
        f"It happens in line {line_number(model_with_a_typo, 2)}:  return w * X + b  # noqa: F821"
    )
    assert str(line_number(loss_that_drops_an_error, 2)) in LOSS(loss_that_drops_an_error).text.splitlines()[-1]
    assert LOSS(loss_that_drops_an_error, "zh").text.endswith("return difference.squares().mean()")


def line_number(function, below):
    return function.__code__.co_firstlineno + below


def test_a_model_that_is_called_wrongly_is_shown_where():
    def mseloss(theta, model, x, y):
        return np.mean((model(x, theta) - y) ** 2)

    verdict = LOSS(mseloss)
    assert "Write model(theta, x)" in verdict.text
    assert verdict.text.splitlines()[-1].endswith("return np.mean((model(x, theta) - y) ** 2)")


def test_numbers_are_shown_with_the_fault():
    assert MODEL(lambda theta, x: theta["w"] * x - theta["b"]).text.splitlines()[1] == (
        "For theta = {'w': 3, 'b': -2}, x = [-1, 0.5, 2, 3], linear_model should give [-5, -0.5, 4, 7], "
        "but it gives [-1, 3.5, 8, 11]."
    )


def test_the_name_of_the_user_is_used():
    def my_model(theta, x):
        return x

    assert MODEL(my_model).text.startswith("Not yet: the result is the same for another theta.")
    assert "my_model should give" in MODEL(my_model).text
    assert "dmseloss raises an error" in GRADIENT(grad(lambda theta, model, x, y: model(theta, x))).text


def test_what_the_function_prints_is_shown(capsys):
    LOSS(loss_that_prints)
    assert capsys.readouterr().out.startswith("the loss is 3.75\n")


def test_a_notebook_shows_the_verdict_with_a_bar():
    right, wrong = MODEL(model_by_names)._repr_html_(), MODEL(lambda theta, x: "<b>")._repr_html_()
    assert "solid #2a9d4a" in right and "solid #d1495b" in wrong
    assert "&lt;b&gt;" in wrong and "<b>" not in wrong
    assert repr(MODEL(model_by_names)) == MODEL(model_by_names).text


def test_the_random_state_of_the_user_stays():
    np.random.seed(5)
    START(linear.initialize_linear_params)
    START(always_seeded)
    drawn = normal()
    np.random.seed(5)
    assert drawn == normal()


def test_matrix_form():
    verdict = MODEL(lambda theta, x: theta["w"] * x + theta["b"], n_inputs=3)
    assert "returns the shape (4, 3), one number for each input of each point" in verdict.text
    assert "b is missing" in MODEL(lambda theta, x: x @ theta["w"], n_inputs=3).text
    assert "b has the wrong sign" in MODEL(lambda theta, x: x @ theta["w"] - theta["b"], n_inputs=2, n_outputs=4).text
    verdict = MODEL(lambda theta, x: theta["w"] @ x + theta["b"], n_inputs=3)
    assert "With several inputs, x comes first: x @ w." in verdict.text
    assert "TypeError" in MODEL(lambda theta, x: x @ float(theta["w"]) + theta["b"], n_inputs=3).text


def test_other_kinds_of_theta():
    verdict = MODEL(model_by_names, kind=tuple)
    assert "theta has the type tuple here, but model_by_names works only with the type dict" in verdict.text
    assert "Take the parameters out in their order: w, b = theta." in MODEL(model_by_names, kind=np.ndarray).text
    assert "请按顺序取出参数" in MODEL(model_by_names, "zh", kind=list).text
    verdict = GRADIENT(gradient_by_hand, kind=tuple)
    assert "the numbers are right, but the gradient has to have the structure of theta: a tuple" in verdict.text
    assert "grads[0]: the sign is wrong" in GRADIENT(lambda *args: -linear.dmseloss(*args) * [1, -1], kind=np.ndarray).text
    verdict = START(linear.initialize_linear_params, kind=tuple)
    assert "has to return a tuple with w and b, but it returns dict" in verdict.text

    def in_place(theta, model, loss_fn, x, y, n_steps=3000):
        losses = []
        for _ in range(n_steps):
            losses.append(loss_fn(theta, model, x, y))
            theta -= 0.01 * grad(loss_fn)(theta, model, x, y)
        return losses, theta

    assert "has altered the caller's theta" in LOOP(in_place, kind=np.ndarray).text
    assert "theta.copy()" in LOOP(in_place, kind=np.ndarray).text


@pytest.mark.parametrize("check", [MODEL, START, LOSS, GRADIENT, LOOP])
def test_bad_options_are_refused(check):
    with pytest.raises(ValueError, match="language must be one of 'en', 'zh', got 'de'"):
        check(print, "de")
    with pytest.raises(ValueError, match="kind must be dict, tuple, list or numpy.ndarray, got <class 'set'>"):
        check(print, kind=set)
    with pytest.raises(ValueError, match="n_outputs needs n_inputs"):
        MODEL(print, n_outputs=2)
    with pytest.raises(ValueError, match="theta cannot be an array"):
        MODEL(print, n_inputs=2, kind=np.ndarray)


def test_anything_may_be_handed_over():
    for thing in (None, 3, "linear_model", print, len, dict, np.sin, np.mean, str, type, lambda *args, **keywords: object()):
        for check in (MODEL, START, LOSS, GRADIENT, LOOP):
            assert not check(thing) and check(thing, "zh").text.startswith("还不对：")


def test_a_start_that_changes_its_mind():
    answers = itertools.chain([{"w": 0.1, "b": 0.2}] * 3, itertools.repeat((0.1, 0.2)))
    assert "has to return a dict with w and b, but it returns tuple" in START(lambda: next(answers)).text


def test_any_result_may_come_back():
    results = (
        [], (), {}, "", "a", 0, True, 1j, np.nan, np.float32(2), {1, 2}, range(5), (x for x in "ab"), object(),
        np.array([]), np.array(["a"]), np.array(None), np.datetime64(0, "s"), [np.datetime64(0, "s"), 1.0], [[1], [2, 3]], [None],
        {"w": None, "b": []}, {"w": [1, 2], "b": 3}, ([], {}), ({}, []), ([1, 2], 3), ([1.0], {"w": "a", "b": 0.0}),
        ([1.0] * 5, {"w": [1, 2], "b": 3}), (np.zeros((5, 1)), {"w": 0.0, "b": 0.0}), ([np.nan] * 5, {"w": np.nan, "b": 0.0}),
    )
    for result in results:
        for check in (MODEL, START, LOSS, GRADIENT, LOOP):
            function = (lambda: result) if check is START else lambda theta, model, *rest, n_steps=3000: result
            assert not check(function) and check(function, "zh").text.startswith("还不对："), (result, check)


def test_the_readme_shows_what_a_check_says(capsys):
    text = (Path(__file__).parents[2] / "linear" / "README.md").read_text(encoding="utf-8")
    program, shown = re.search(r"## The exercises\n.*?```python\n(.*?)```\n\n```text\n(.*?)```", text, re.S).groups()
    exec(program, {})
    assert capsys.readouterr().out == shown
    checks = [check.__name__ for check in (MODEL, START, LOSS, GRADIENT, LOOP)]
    assert re.findall(r"^\| `(check_\w+)` \|", text, re.M) == checks
