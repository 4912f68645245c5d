"""Newton's method, momentum, Adam and L-BFGS: certified answers, their formulas, and what they refuse."""

import numpy as np
import pytest
import scipy.optimize

from linear import DivergenceError, linear_model, mseloss, read_csv
from linear.methods import adam, best_momentum, lbfgs, momentum, newton
from linear.problem import Problem, vector
from minigrad import grad

# The certified answers of the NIST Statistical Reference Datasets: slopes, intercept.
CERTIFIED = {
    "norris": [1.00211681802045, -0.262323073774029],
    "longley": [
        15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807, 1829.15146461355,
        -3482258.63459582,
    ],
}
PROBLEMS = {name: Problem.standardised(read_csv(f"examples/data/{name}.csv")) for name in CERTIFIED}


def run_momentum(*args):
    problem = Problem.standardised(read_csv("examples/data/longley.csv")) if args[3].ndim == 2 else PROBLEMS["norris"]
    return momentum(*args, 3000, *best_momentum(*problem.modes[0][[0, -1]]))


WAYS = {
    "newton": lambda *args: newton(*args),
    "one step of newton": lambda *args: newton(*args, 1),
    "momentum": run_momentum,
    "lbfgs": lambda theta, model, loss, x, y: lbfgs(theta, model, x, y),
}


@pytest.mark.parametrize("name", CERTIFIED)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(2))
def test_every_coefficient_has_eleven_certified_digits(name, way, seed):
    problem = PROBLEMS[name]
    draw = np.random.default_rng(seed).normal
    start = {"w": draw(size=problem.x.shape[1:])[()], "b": draw()}
    losses, theta = WAYS[way](start, linear_model, mseloss, problem.x, problem.y)
    np.testing.assert_allclose(problem.in_data_units(theta), CERTIFIED[name], rtol=1e-11)
    assert losses[0] == mseloss(start, linear_model, problem.x, problem.y)


def test_the_second_step_of_newton_removes_rounding_errors():
    problem = PROBLEMS["longley"]
    start = {"w": np.ones(6), "b": 1.0}
    distances = [np.linalg.norm(problem.from_best(newton(start, linear_model, mseloss, problem.x, problem.y, n)[1])) for n in (1, 2)]
    assert distances[1] < 1e-13 < distances[0] / 2


def test_rounds_of_lbfgs_give_digits_that_one_round_cannot():
    problem = PROBLEMS["longley"]
    start = {"w": np.ones(6), "b": 1.0}
    distances = [np.linalg.norm(problem.from_best(lbfgs(start, linear_model, problem.x, problem.y, rounds=n)[1])) for n in (1, 2)]
    assert distances[1] < 1e-3 * distances[0] < 1e-6


def test_newton_on_a_loss_that_is_not_quadratic():
    losses, w = newton(0.0, None, lambda w, *_: np.exp(w) - 2 * w, None, None, 6)
    assert len(losses) == 6 and w == pytest.approx(np.log(2), rel=1e-15)


def test_momentum_is_the_heavy_ball():
    x, y = np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, 2.0])
    theta = {"w": 0.5, "b": -1.0}
    losses, found = momentum(theta, linear_model, mseloss, x, y, 5, 0.1, 0.6)
    place, move = np.array([0.5, -1.0]), np.zeros(2)
    for loss in losses:
        slopes = grad(mseloss)({"w": place[0], "b": place[1]}, linear_model, x, y)
        assert loss == pytest.approx(np.mean((place[0] * x + place[1] - y) ** 2), rel=1e-14)
        move = 0.6 * move - 0.1 * np.array([slopes["w"], slopes["b"]])
        place = place + move
    np.testing.assert_allclose(vector(found), place, rtol=1e-14)
    assert theta == {"w": 0.5, "b": -1.0}


@pytest.mark.parametrize("rate", [None, 0.1, 1.0, 3.9])
def test_best_momentum_is_the_best(rate):
    """The spectral radius of the iteration, over a grid of frictions: none has a smaller one."""
    def radius(rate, friction):
        matrices = [[[1 + friction - rate * curve, -friction], [1, 0]] for curve in (1.0, 0.01)]
        return max(abs(np.linalg.eigvals(matrix)).max() for matrix in matrices)

    best, friction = best_momentum(1.0, 0.01, rate)
    assert rate is None or best == rate
    assert radius(best, friction) == pytest.approx(np.sqrt(friction), abs=1e-6)
    for other in np.linspace(0, 0.999, 300):
        assert radius(best, other) > radius(best, friction) - 1e-6
        if rate is None:
            assert min(radius(r, other) for r in np.linspace(0.1, 3.9, 39)) > radius(best, friction) - 1e-6


def test_adam_is_the_published_algorithm():
    x, y = np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, 2.0])
    _, found = adam({"w": 0.5, "b": -1.0}, linear_model, mseloss, x, y, 4, 0.2)
    place, m, v = np.array([0.5, -1.0]), np.zeros(2), np.zeros(2)
    for t, rate in enumerate(0.2 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2, 1):
        residual = place[0] * x + place[1] - y
        g = 2 * np.array([np.mean(residual * x), np.mean(residual)])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        place = place - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(vector(found), place, rtol=1e-12)


def test_adam_reaches_the_line_of_norris_but_not_longleys():
    for name, rtol in (("norris", 1e-11), ("longley", None)):
        problem = PROBLEMS[name]
        start = {"w": np.zeros(problem.x.shape[1:])[()], "b": 0.5}
        theta = adam(start, linear_model, mseloss, problem.x, problem.y)[1]
        if rtol:
            np.testing.assert_allclose(problem.in_data_units(theta), CERTIFIED[name], rtol=rtol)
        else:
            assert 1e-3 < np.linalg.norm(problem.from_best(theta)) < 4


def test_all_take_several_targets_and_call_back_at_every_step():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    best = np.linalg.lstsq(np.column_stack([x, np.ones(30)]), y)[0]
    start = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
    for run in (newton, lambda *a, callback: momentum(*a, 1000, 0.3, 0.5, callback=callback),
                lambda t, m, _, x, y, callback: lbfgs(t, m, x, y, callback=callback)):
        seen = []
        losses, theta = run(start, linear_model, mseloss, x, y, callback=lambda *args: seen.append(args))
        np.testing.assert_allclose(np.vstack([theta["w"], theta["b"]]), best, atol=1e-11)
        assert [step for step, _, _ in seen] == [*range(len(losses))]
        assert [loss for _, _, loss in seen] == losses
        for _, place, loss in seen[:10]:
            assert loss == pytest.approx(mseloss(place, linear_model, x, y), rel=1e-12)


def test_no_steps_leave_theta():
    x, y = np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0, 2.0])
    theta = {"w": 0.5, "b": -1.0}
    for run in (newton, momentum, adam):
        assert run(theta, linear_model, mseloss, x, y, 0) == ([], theta)
    assert lbfgs(theta, linear_model, x, y, 0) == ([], theta)


def test_singular_hessians_and_divergence_are_said():
    x = np.ones((3, 2))
    with pytest.raises(DivergenceError, match="the Hessian is singular"):
        newton({"w": np.zeros(2), "b": 0.0}, linear_model, lambda t, m, x, y: t["w"].sum() * 0.0 + t["b"] ** 2, x, x[:, 0])
    with pytest.raises(DivergenceError, match="the loss is inf at step") as caught:
        momentum({"w": 0.0, "b": 0.0}, linear_model, mseloss, np.arange(3.0), np.ones(3), 5000, 10.0, 0.9)
    assert caught.value.step > 1
    with pytest.raises(DivergenceError, match="the loss is nan at step 0"):
        newton({"w": 0.0, "b": 0.0}, linear_model, mseloss, np.array([np.nan, 1.0]), np.ones(2))
    with pytest.raises(DivergenceError, match="the loss is nan at step 0"):
        lbfgs({"w": 0.0, "b": 0.0}, linear_model, np.array([np.nan, 1.0]), np.ones(2))


def test_the_curvature_that_lbfgs_sees_is_that_of_the_loss():
    """The change of the loss that it minimises has the minimum of the loss, whatever the start."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=20), rng.normal(size=20)
    direct = scipy.optimize.minimize(lambda v: np.mean((v[0] * x + v[1] - y) ** 2), [5.0, 5.0])
    found = lbfgs({"w": 5.0, "b": 5.0}, linear_model, x, y)[1]
    np.testing.assert_allclose(vector(found), direct.x, atol=1e-5)
