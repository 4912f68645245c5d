"""What is said of a fit: the certified standard errors of the NIST, and numbers worked out in other ways."""

import math
import re

import numpy as np
import pytest

from linear import read_csv
from linear.problem import Problem
from linear.reading import Data
from linear.statistics import moving_together, standard_errors, statistics_of


def statistics(x, y, features=None, theta=None):
    x, y = np.asarray(x, float), np.asarray(y, float)
    features = features or [f"c{i}" for i in range(x.size // len(x))]
    problem = Problem.standardised(Data(x, y, features, "y" if y.ndim == 1 else [f"y{i}" for i in range(y.shape[1])]))
    return statistics_of(problem, theta or problem.best)


# NIST Statistical Reference Datasets: standard errors of the slopes and the intercept, R squared, residual standard deviation.
CERTIFIED = {
    "norris": ([0.429796848199937e-3, 0.232818234301152], 0.999993745883712, 0.884796396144373),
    "longley": (
        [84.9149257747669, 0.334910077722432e-1, 0.488399681651699, 0.214274163161675, 0.226073200069370, 455.478499142212,
         890420.383607373],
        0.995479004577296, 304.854073561965,
    ),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_certified_standard_errors(name):
    problem = Problem.standardised(read_csv(f"examples/data/{name}.csv"))
    [found] = statistics_of(problem, problem.best)
    errors, r_squared, noise = CERTIFIED[name]
    np.testing.assert_allclose(found.errors, errors, rtol=1e-10)
    np.testing.assert_allclose(found.t_values, found.parameters / errors, rtol=1e-10)
    assert found.r_squared == pytest.approx(r_squared, rel=1e-13)
    assert found.noise == pytest.approx(noise, rel=1e-12)
    n, k = len(problem.y), len(errors)
    assert found.freedom == n - k
    assert found.adjusted_r_squared == pytest.approx(1 - (1 - r_squared) * (n - 1) / (n - k), rel=1e-12)


def test_standard_errors_of_several_targets_in_both_units():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 2)) * [3, 0.1] + [5, -1], rng.normal(size=(40, 3)) * [1, 20, 0.5]
    problem = Problem.standardised(Data(x, y, ["a", "b"], ["u", "v", "w"]))
    for in_data_units, columns, targets in ((True, x, y), (False, problem.x, problem.y)):
        design = np.column_stack([columns, np.ones(40)])
        noise = np.linalg.norm(targets - design @ np.linalg.lstsq(design, targets)[0], axis=0) / np.sqrt(37)
        expected = np.outer(np.sqrt(np.diag(np.linalg.inv(design.T @ design))), noise)
        found = standard_errors(problem, in_data_units)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_array_equal(standard_errors(problem)[:, 1], statistics_of(problem, problem.best)[1].errors)


def test_as_many_rows_as_parameters_have_no_standard_errors():
    problem = Problem.standardised(Data(np.array([0.0, 1.0]), np.array([1.0, 3.0]), ["x"], "y"))
    assert np.isnan(standard_errors(problem)).all()


@pytest.mark.parametrize("name", ["norris", "longley"])
def test_the_equation_predicts_as_the_line_does(name):
    problem = Problem.standardised(read_csv(f"examples/data/{name}.csv"))
    [found] = statistics_of(problem, problem.best)
    target, _, formula = found.equation.partition(" = ")
    columns = dict(zip(problem.data.features, problem.data.x.reshape(len(problem.y), -1).T))
    assert target == problem.data.target
    predicted = eval(formula, {}, columns)
    assert np.abs(predicted - (problem.data.y - found.residuals)).max() < found.noise / 100


def test_the_form_of_the_equation():
    area, noise = np.array([50.0, 60, 70, 80, 90]), np.array([100.0, -200, 0, 200, -100])
    price = 1522 * area + 80.4 + noise
    [found] = statistics(area, price, ["area"])
    assert found.equation.startswith("y = 15") and " * area " in found.equation
    [found] = statistics([[1.0, 2], [2, 1], [3, 5], [4, 4]], [3.0, 0, 7, 4], ["a", "b c"])  # exact
    assert found.equation == "y = -1 * a + 2 * b c"
    [found] = statistics([1.0, 2, 3, 4], [5.0, 5, 5, 5])
    assert found.equation == "y = 0 * c0 + 5"
    [found] = statistics([1.0, 2, 3, 4], [1e9, 2e9, 3.1e9, 4e9])
    assert re.fullmatch(r"y = 1\d{9} \* c0 \+ 0|y = 1\d{9} \* c0|y = 1\d{9} \* c0 [+-] \d+", found.equation)


def test_matrices_by_hand():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)) * [1, 100, 0.01] + [5, 0, 1], rng.normal(size=(40, 2)) * [1, 1e4]
    design = np.column_stack([x, np.ones(40)])
    solution, squares, *_ = np.linalg.lstsq(design, y)
    for i, found in enumerate(statistics(x, y)):
        errors = np.sqrt(squares[i] / 36 * np.diag(np.linalg.inv(design.T @ design)))
        np.testing.assert_allclose(found.errors, errors, rtol=1e-9)
        np.testing.assert_allclose(found.parameters, solution[:, i], rtol=1e-9)
        np.testing.assert_allclose(found.residuals, y[:, i] - design @ solution[:, i], rtol=1e-9, atol=1e-10)
        assert found.r_squared == pytest.approx(1 - squares[i] / np.sum((y[:, i] - y[:, i].mean()) ** 2), rel=1e-10)
        assert found.target == f"y{i}"


def test_errors_are_those_of_repeated_experiments():
    """The standard deviation of the slopes over many draws of the noise is the standard error."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2)) @ [[1, 0.9], [0, 0.4]]
    y = (x @ [1.0, 2.0])[:, None] + rng.normal(size=(50, 2000))
    slopes = np.linalg.lstsq(np.column_stack([x, np.ones(50)]), y)[0]
    errors = np.mean([found.errors**2 for found in statistics(x, y)], axis=0)
    np.testing.assert_allclose(slopes.var(axis=1), errors, rtol=0.1)


def test_special_cases():
    zero = Problem.standardised(Data(np.arange(4.0), np.zeros(4), ["x"], "y"))
    assert statistics_of(zero, {"w": 1e-30, "b": -1e-30})[0].equation == "y = 0 * x"
    [constant] = statistics([1.0, 2, 3, 4], [5.0, 5, 5, 5])
    assert constant.is_constant and math.isnan(constant.r_squared)
    [exact] = statistics([1.0, 2, 3, 4], [3.0, 5, 7, 9])
    assert exact.is_exact and exact.r_squared == 1 and exact.equation.startswith("y = 2 * c0 + 1")
    [full] = statistics([[1.0, 2], [2, 1], [3, 5]], [1.0, 2, 2])
    assert full.freedom == 0 and np.isnan(full.errors).all() and math.isnan(full.adjusted_r_squared)
    [poor] = statistics([1.0, 2, 3, 4], [1.0, 2, 4, 3], theta={"w": 0.0, "b": 0.0})
    assert poor.r_squared == pytest.approx(0, abs=1e-12)


def problem_of(x, names):
    return Problem.standardised(Data(x, x[:, 0] + np.random.default_rng(1).normal(size=len(x)), names, "y"))


def test_inflation_is_that_of_regressions_on_the_other_columns():
    problem = Problem.standardised(read_csv("examples/data/longley.csv"))
    found = moving_together(problem)
    x = problem.data.x - problem.data.x.mean(axis=0)
    for i, name in enumerate(problem.data.features):
        others = np.delete(x, i, axis=1)
        rest = x[:, i] - others @ np.linalg.lstsq(others, x[:, i])[0]
        inflation = np.sum(x[:, i] ** 2) / np.sum(rest**2)
        assert found.inflation.get(name, 0) == pytest.approx(inflation if inflation > 10 else 0, rel=1e-8)
    assert list(found.inflation)[:2] == ["gnp", "year"] and "armed_forces" not in found.inflation
    assert found.groups == [["gnp", "year", "population", "unemployed"]]


def test_groups_of_columns_that_move_together():
    rng = np.random.default_rng(0)
    a, b, c, d, e = rng.normal(size=(5, 200))
    x = np.column_stack([a, a + 0.01 * b, c, c + d + 0.05 * e, d])
    problem = problem_of(x, ["a", "like a", "c", "c + d", "d"])
    found = moving_together(problem)
    assert [set(group) for group in found.groups] == [{"a", "like a"}, {"c", "c + d", "d"}]
    x = rng.normal(size=(200, 4))
    problem = problem_of(x, list("abcd"))
    found = moving_together(problem)
    assert (found.inflation, found.groups) == ({}, [])


def test_columns_that_differ_by_rounding_errors_only():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    problem = problem_of(np.column_stack([a, b, a + b + 3e-9 * rng.normal(size=50)]), ["a", "b", "a + b"])
    found = moving_together(problem)
    assert {*found.inflation} == {"a", "b", "a + b"} and found.groups and min(found.inflation.values()) > 1e11
    [fit] = statistics_of(problem, problem.best)
    assert np.isnan(fit.errors).all() and fit.r_squared > 0
