"""The training loop, its errors, and the largest stable learning rate."""

import copy
import math
import pickle
import warnings
from collections import namedtuple

import numpy as np
import pytest

from linear import (
    DivergenceError,
    largest_stable_rate,
    least_squares,
    linear_model,
    model_optimization_loop,
    mseloss,
    simulate,
)
from minigrad import tree

Line = namedtuple("Line", "w b")


@pytest.fixture
def line():
    """Points around a line, and the answer to which every descent must come."""
    np.random.seed(1)
    x, y = simulate(100)
    return x, y, least_squares(x, y)


def nested_model(theta, x):
    return theta["slopes"][0] * x + theta["slopes"][1][0] * x + theta["shift"]


@pytest.mark.parametrize(
    "theta",
    [
        {"w": 0.0, "b": 0.0},
        {"w": np.float64(0.0), "b": np.array(0.0)},
        (0.0, 0.0),
        [0.0, 0.0],
        Line(0.0, 0.0),
        np.zeros(2),
    ],
    ids=["dict", "scalars", "tuple", "list", "namedtuple", "array"],
)
def test_descent_reaches_the_least_squares_answer(line, theta):
    x, y, best = line
    before = copy.deepcopy(theta)
    losses, found = model_optimization_loop(theta, linear_model, mseloss, x, y)
    w, b = (found["w"], found["b"]) if isinstance(found, dict) else found
    np.testing.assert_allclose([w, b], [best["w"], best["b"]], rtol=1e-11)
    assert type(found) is type(theta)
    assert tree.structure(found) == tree.structure(theta)
    np.testing.assert_equal(theta, before)
    assert len(losses) == 3000
    assert {type(loss) for loss in losses} == {float}
    assert losses[0] == mseloss(theta, linear_model, x, y)
    np.testing.assert_allclose(losses[-1], mseloss(best, linear_model, x, y), rtol=1e-14)


def test_any_nesting_of_parameters(line):
    x, y, best = line
    theta = {"slopes": (0.0, [np.array(0.5)]), "shift": 0.0}
    _, found = model_optimization_loop(theta, nested_model, mseloss, x, y)
    total = found["slopes"][0] + found["slopes"][1][0]
    np.testing.assert_allclose([total, found["shift"]], [best["w"], best["b"]], rtol=1e-11)
    # The gradient is the same for both slopes, so they keep the difference that they had.
    np.testing.assert_allclose(found["slopes"][1][0] - found["slopes"][0], 0.5, rtol=1e-12)


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)) * [1.0, 2.0, 0.5] + [0.0, 1.0, 0.3]
    y = x @ rng.normal(size=(3, 2)) + [5.0, -1.0] + rng.normal(size=(60, 2))
    theta = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
    _, found = model_optimization_loop(theta, linear_model, mseloss, x, y, 20_000, 0.05)
    design = np.column_stack([x, np.ones(60)])
    best = np.linalg.solve(design.T @ design, design.T @ y)
    np.testing.assert_allclose(found["w"], best[:3], rtol=1e-10)
    np.testing.assert_allclose(found["b"], best[3], rtol=1e-10)
    assert not theta["w"].any() and not theta["b"].any()


def test_every_step_is_that_of_the_textbook(line):
    x, y, _ = line
    w, b, rate, expected = 0.5, -0.5, 0.03, []
    for _ in range(20):
        residual = w * x + b - y
        expected.append(np.mean(residual**2))
        w, b = w - rate * 2 * np.mean(residual * x), b - rate * 2 * np.mean(residual)
    losses, found = model_optimization_loop({"w": 0.5, "b": -0.5}, linear_model, mseloss, x, y, 20, rate)
    np.testing.assert_allclose(losses, expected, rtol=1e-13)
    np.testing.assert_allclose([found["w"], found["b"]], [w, b], rtol=1e-13)


def test_float32_stays_float32(line):
    x, y, best = line
    x, y = x.astype(np.float32), y.astype(np.float32)
    theta = {"w": np.zeros(1, np.float32), "b": np.float32(0)}
    _, found = model_optimization_loop(theta, linear_model, mseloss, x[:, None], y, learning_rate=np.float64(0.02))
    assert found["w"].dtype == np.float32 and found["b"].dtype == np.float32
    np.testing.assert_allclose([found["w"][0], found["b"]], [best["w"], best["b"]], rtol=1e-5)


def test_any_loss_function(line):
    x, y, _ = line

    def huber_like(theta, model, x, y):
        return np.sqrt(1 + (model(theta, x) - y) ** 2).mean()

    losses, found = model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, huber_like, x, y, 3000, 0.1)
    residual = linear_model(found, x) - y
    slopes = residual / np.sqrt(1 + residual**2)
    np.testing.assert_allclose([np.mean(slopes * x), np.mean(slopes)], 0, atol=1e-12)
    assert max(np.diff(losses)) < 1e-15


def test_the_loss_function_is_called_once_a_step(line):
    x, y, _ = line
    calls = []

    def counting(theta, model, x, y):
        calls.append(model)
        return mseloss(theta, model, x, y)

    model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, counting, x, y, 7)
    assert calls == [linear_model] * 7


def test_no_steps(line):
    x, y, _ = line
    assert model_optimization_loop({"w": 1.0, "b": 2.0}, linear_model, mseloss, x, y, 0) == ([], {"w": 1.0, "b": 2.0})


@pytest.mark.parametrize("theta", [{"w": 0.0, "b": 0.0}, Line(0.0, np.float64(0.0)), [np.float64(0.0), 0.0]], ids=repr)
def test_steps_that_run_as_a_program(line, theta):
    x, y, _ = line
    calls, seen = [], []

    def counting(theta, model, x, y):
        calls.append(model)
        return mseloss(theta, model, x, y)

    plain = model_optimization_loop(theta, linear_model, mseloss, x, y, 50)
    losses, found = model_optimization_loop(
        theta, linear_model, counting, x, y, 50, jit=True, callback=lambda step, theta, loss: seen.append((step, loss))
    )
    assert calls == [linear_model]  # the first step is recorded, and the others run without it
    np.testing.assert_allclose(losses, plain[0], rtol=1e-13)
    assert seen == list(enumerate(losses)) and tree.structure(found) == tree.structure(plain[1])
    for a, b in zip(tree.leaves(found), tree.leaves(plain[1])):
        assert type(a) is type(b) and type(losses[0]) is float
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_a_program_that_diverges(line):
    x, y, _ = line
    with pytest.raises(DivergenceError, match="the last finite loss was .* gradient descent was stable at the start below"):
        model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, mseloss, x, y, learning_rate=1.0, jit=True)


def test_callback_sees_each_step_before_its_update(line):
    x, y, _ = line
    seen = []
    losses, found = model_optimization_loop(
        {"w": np.array(0.0), "b": 0.0}, linear_model, mseloss, x, y, 5, callback=lambda *args: seen.append(args)
    )
    assert [step for step, _, _ in seen] == [0, 1, 2, 3, 4]
    assert [loss for _, _, loss in seen] == losses
    assert [mseloss(theta, linear_model, x, y) for _, theta, _ in seen] == losses
    assert mseloss(found, linear_model, x, y) < losses[-1]


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "n_steps must be 0 or more, got -1", {"n_steps": -1}),
        (TypeError, "'float' object cannot be interpreted as an integer", {"n_steps": 3.0}),
        (ValueError, "learning_rate must be a finite positive number, got 0.0", {"learning_rate": 0}),
        (ValueError, "learning_rate must be a finite positive number, got -0.1", {"learning_rate": -0.1}),
        (ValueError, "learning_rate must be a finite positive number, got nan", {"learning_rate": math.nan}),
        (ValueError, "learning_rate must be a finite positive number, got inf", {"learning_rate": math.inf}),
    ],
)
def test_arguments_are_checked(line, error, message, arguments):
    with pytest.raises(error) as info:
        model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, mseloss, *line[:2], **arguments)
    assert str(info.value) == message


def hessian_of(x):
    design = np.column_stack([x, np.ones(len(x))])
    return 2 / len(x) * design.T @ design


def test_largest_stable_rate_is_2_over_the_largest_eigenvalue(line):
    x, y, _ = line
    expected = 2 / np.linalg.eigvalsh(hessian_of(x)).max()
    for theta in ({"w": 0.0, "b": 0.0}, np.array([3.0, -7.0])):
        np.testing.assert_allclose(largest_stable_rate(theta, linear_model, mseloss, x, y), expected, rtol=1e-12)

    features = np.random.default_rng(0).normal(size=(200, 100))
    theta = {"w": np.zeros(100), "b": 0.0}
    expected = 2 / np.linalg.eigvalsh(hessian_of(features)).max()
    found = largest_stable_rate(theta, linear_model, mseloss, features, features[:, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_largest_stable_rate_where_the_loss_curves_downward_too():
    def saddle(theta, model, x, y):  # eigenvalues 2, -2 and -6
        return theta["a"] * theta["b"] * 2 - 3 * theta["c"] ** 2

    theta = {"a": 0.1, "b": 0.2, "c": 0.3}
    np.testing.assert_allclose(largest_stable_rate(theta, None, saddle, None, None), 1, rtol=1e-12)
    assert largest_stable_rate(theta, None, lambda theta, *_: -(theta["a"] ** 2), None, None) == math.inf
    assert largest_stable_rate(theta, None, lambda theta, *_: theta["a"] + 1, None, None) == math.inf


def test_the_largest_stable_rate_divides_descent_from_divergence(line):
    x, y, best = line
    theta = {"w": 0.0, "b": 0.0}
    rate = largest_stable_rate(theta, linear_model, mseloss, x, y)
    losses, found = model_optimization_loop(theta, linear_model, mseloss, x, y, 5000, 0.99 * rate)
    np.testing.assert_allclose([found["w"], found["b"]], [best["w"], best["b"]], rtol=1e-10)
    losses, _ = model_optimization_loop(theta, linear_model, mseloss, x, y, 1000, 1.01 * rate)
    assert losses[-1] > 1e15 * losses[0]


def test_divergence_is_one_clear_error(line):
    x, y, _ = line
    stable = 2 / np.linalg.eigvalsh(hessian_of(x)).max()
    seen = []
    with warnings.catch_warnings(), pytest.raises(DivergenceError) as info:
        warnings.simplefilter("error")
        model_optimization_loop(
            {"w": 0.0, "b": 0.0}, linear_model, mseloss, x, y, learning_rate=1.0, callback=lambda *a: seen.append(a)
        )
    error = info.value
    # The first step whose loss is not finite is the one after the last that was seen.
    assert error.step == len(seen) == seen[-1][0] + 1
    assert math.isfinite(seen[-1][2])
    np.testing.assert_allclose(error.largest_stable_rate, stable, rtol=1e-12)
    assert str(error) == (
        f"the loss is inf at step {error.step} (the last finite loss was {seen[-1][2]:.6g}) with learning_rate=1: "
        f"gradient descent was stable at the start below {stable:.6g}, 2 / (largest eigenvalue of the Hessian)"
    )
    assert isinstance(error, ArithmeticError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.step, again.largest_stable_rate) == (str(error), error.step, error.largest_stable_rate)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y, theta: x.__setitem__(3, np.nan), "the loss is nan at step 0: x holds values that are not finite"),
        (lambda x, y, theta: y.__setitem__(3, np.inf), "the loss is inf at step 0: y holds values that are not finite"),
        (
            lambda x, y, theta: theta.update(w=np.nan),
            "the loss is nan at step 0: the starting theta holds values that are not finite",
        ),
        (
            lambda x, y, theta: theta.update(w=1e200),
            "the loss is inf at step 0, before any update, though x, y and the starting theta are finite: "
            "look at the model and the loss function, and for values too large to square",
        ),
    ],
)
def test_the_learning_rate_is_not_blamed_for_bad_data(line, spoil, message):
    x, y, _ = line
    theta = {"w": 0.0, "b": 0.0}
    spoil(x, y, theta)
    with pytest.raises(DivergenceError) as info:
        model_optimization_loop(theta, linear_model, mseloss, x, y, learning_rate=1000)
    assert str(info.value) == message
    assert info.value.step == 0 and math.isnan(info.value.largest_stable_rate)


def test_divergence_in_python_floats(line):
    def ridge(theta, model, x, y):  # 1e200 ** 2 is an OverflowError in Python, and must be inf here
        return mseloss(theta, model, x, y) + theta["w"] ** 2

    with pytest.raises(DivergenceError, match="the loss is inf at step"):
        model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, ridge, *line[:2], learning_rate=1.0)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered", "ignore:divide by zero")
def test_no_data():
    with pytest.raises(DivergenceError, match="the loss is nan at step 0: x is empty"):
        model_optimization_loop({"w": 0.0, "b": 0.0}, linear_model, mseloss, np.zeros(0), np.zeros(0))


def test_a_gradient_that_is_not_finite_at_the_last_step():
    def root(theta, model, x, y):
        return np.sqrt(theta["w"] ** 2).sum()

    with np.errstate(all="ignore"), pytest.raises(DivergenceError, match="the loss is nan at step 1"):
        model_optimization_loop({"w": np.zeros(1)}, None, root, np.zeros(1), np.zeros(1), n_steps=1)


def test_divergence_on_a_loss_that_is_not_quadratic():
    def steep(theta, model, x, y):  # flat on the right, where it starts, and steep on the left
        return np.exp(-theta["w"]) + 0.01 * theta["w"] ** 2

    with pytest.raises(DivergenceError) as info:
        model_optimization_loop({"w": 5.0}, None, steep, np.zeros(1), np.zeros(1), learning_rate=70.0)
    np.testing.assert_allclose(info.value.largest_stable_rate, 2 / (np.exp(-5) + 0.02), rtol=1e-12)
    assert str(info.value).endswith(
        "; the loss is not quadratic and curves more strongly further on, so choose a smaller rate still"
    )
