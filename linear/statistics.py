"""What one learns from a fit: how much it explains, how certain its parameters are, and which columns move together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from minigrad import jacobian

from .cells import cut, printable
from .data import Scale, restore
from .model import linear_model
from .problem import Problem, vector

# Above this variance inflation, a slope counts as hard to tell from the others.
LARGEST_INFLATION = 10
# A column belongs to a group that moves together if at least this part of its variance comes from one direction.
LARGE_SHARE = 0.5


@dataclass(frozen=True)
class Statistics:
    """What is known about a line and one target. Everything is in the units of the data.

    Attributes
    ----------
    features : list of str
    target : str
    parameters : array of shape (k + 1,)
        The slopes of the k features, and the intercept.
    errors : array of shape (k + 1,)
        The standard error of each parameter of the least-squares line. NaN if there are no more rows than parameters.
    residuals : array of shape (n,)
        What was observed, minus what the line predicts. If a few rows stand for all rows, the residuals of these few: the
        mean of their squares is the same.
    rows : int
        How many rows were fitted.
    spread : float
        The standard deviation of the target, with n in the denominator.
    reach : array of shape (k + 1,)
        The largest absolute value of each feature (in the rows that are at hand), and 1 for the intercept.
    """

    features: list[str]
    target: str
    parameters: np.ndarray
    errors: np.ndarray
    residuals: np.ndarray
    rows: int
    spread: float
    reach: np.ndarray

    @property
    def freedom(self) -> int:
        """The degrees of freedom: the number of rows minus the number of parameters."""
        return self.rows - len(self.parameters)

    @cached_property
    def noise(self) -> float:
        """The residual standard deviation, with the degrees of freedom in the denominator. NaN without any."""
        if not self.freedom:
            return math.nan
        return float(_norm(self.residuals)) / math.sqrt(len(self.residuals)) * math.sqrt(self.rows / self.freedom)

    @property
    def is_constant(self) -> bool:
        """Whether the target has the same value in every row."""
        return self.spread == 0

    @property
    def is_exact(self) -> bool:
        """Whether the residuals are no more than rounding errors."""
        return bool(np.abs(self.residuals).max() <= 1e-12 * self.spread)

    @property
    def r_squared(self) -> float:
        """The share of the target's variance that the line explains. NaN for a constant target."""
        if self.is_constant:
            return math.nan
        return 1 - float(np.mean(np.square(self.residuals / self.spread)))

    @property
    def adjusted_r_squared(self) -> float:
        """R squared with both variances divided by their degrees of freedom (H. Theil, Economic Forecasts and Policy, 1961)."""
        return 1 - (1 - self.r_squared) * (self.rows - 1) / self.freedom if self.freedom else math.nan

    @property
    def t_values(self) -> np.ndarray:
        """Each parameter divided by its standard error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.parameters / self.errors

    @property
    def equation(self) -> str:
        """The line as one would write it: ``price = 1522 * area + 80.4``.

        The numbers are rounded. But all roundings together change no prediction for these data by more than a hundredth
        of the residual standard deviation.
        """
        rounding = 1e-12 * float(np.abs(self.parameters * self.reach).max())
        accuracy = max(0.0 if math.isnan(self.noise) else self.noise, 1e-6 * self.spread, rounding) / 100 / len(self.parameters)
        terms = []
        for number, reach, name in zip(self.parameters, self.reach, [*self.features, ""]):
            # Rounding to d digits changes a number by half a unit of its last digit at most.
            unit = 2 * accuracy / (reach or 1)
            digits = math.floor(math.log10(abs(number))) - math.floor(math.log10(unit)) + 1 if number and unit else 1
            text = f"{abs(number):.{min(max(digits, 3), 15)}g}" if digits > 0 else "0"
            if "e+" in text and float(text) < 1e15:  # 28570, not 2.857e+04
                text = f"{float(text):.0f}"
            if name or text != "0":
                terms.append(("- " if number < 0 and text != "0" else "+ ") + text + (f" * {printable(cut(name))}" if name else ""))
        line = " ".join(terms)
        return f"{printable(cut(self.target))} = " + (line[2:] if line[0] == "+" else "-" + line[2:])


def statistics_of(problem: Problem, theta: dict[str, Any]) -> list[Statistics]:
    """Return the statistics of a line, for each target."""
    kept, data = len(problem.y), problem.data
    observed, predicted = (y.reshape(kept, -1) for y in (problem.y, linear_model(theta, problem.x)))
    spreads = np.atleast_1d(problem.y_scale.spread)
    parameters = problem.in_data_units(theta).reshape(-1, len(spreads))
    errors = standard_errors(problem)
    reach = np.append(np.abs(data.x).reshape(len(data.x), -1).max(axis=0), 1.0)
    found = []
    for i, target in enumerate(data.targets):
        residuals = (observed[:, i] - predicted[:, i]) * spreads[i]
        spread = float(observed[:, i].std() * spreads[i]) if np.ptp(observed[:, i]) else 0.0
        found.append(Statistics(data.features, target, parameters[:, i], errors[:, i], residuals, problem.rows, spread, reach))
    return found


def standard_errors(problem: Problem, in_data_units: bool = True) -> np.ndarray:
    """How uncertain each parameter of the least-squares line is: an array of shape (k + 1, m), for k features and m targets.

    The residuals are taken as independent draws with the same variance, which is estimated from them. Then the covariance of
    the parameters is this variance times the inverse of X^T X, where X is the design matrix. The Hessian of the mean squared
    error is 2/n X^T X, and minigrad computes it. (J. Wooldridge, Introductory Econometrics, chapter 3.) A Jacobian turns the
    parameters into the units of the data. NaN if there are no more rows than parameters.
    """
    n, kept, parameters = problem.rows, len(problem.y), len(problem.hessian)
    residuals = (problem.y - linear_model(problem.best, problem.x)).reshape(kept, -1)
    if n <= parameters:
        return np.full((parameters, residuals.shape[1]), math.nan)
    noise = np.linalg.norm(residuals, axis=0) / math.sqrt(kept) * math.sqrt(n / (n - parameters)) * math.sqrt(2 / n)
    roots = root_of_inverse(problem.hessian)
    if not in_data_units:
        return np.outer(_norm(roots), noise)
    centers, spreads = map(np.atleast_1d, problem.y_scale)
    in_units = [
        jacobian(lambda v: vector(restore(problem.of_one_target(v), problem.x_scale, Scale(center, spread))))(np.zeros(parameters))
        for center, spread in zip(centers, spreads)
    ]
    return np.column_stack([_norm(roots @ to_units.T) for to_units in in_units]) * noise


def _norm(columns: np.ndarray) -> Any:
    """The norm of each column. The squares of very large or very small numbers would overflow or vanish."""
    largest = np.abs(columns).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    return largest * np.linalg.norm(columns / unit, axis=0)


def root_of_inverse(hessian: np.ndarray) -> np.ndarray:
    """A matrix R for which R^T R is the inverse of the Hessian: the inverse of its Cholesky factor.

    It is NaN if some direction is so flat that rounding errors hide its curvature.
    """
    eigenvalues = np.linalg.eigvalsh(hessian)
    if eigenvalues[0] <= 1e-13 * eigenvalues[-1]:
        return np.full(hessian.shape, math.nan)
    return np.linalg.solve(np.linalg.cholesky(hessian), np.eye(len(hessian)))


@dataclass(frozen=True)
class Together:
    """Which features move together.

    Attributes
    ----------
    inflation : dict
        From the name of a feature to its variance inflation, if that is too large; the largest first.
    groups : list of lists of str
        The features that move together, from the strongest dependence on.
    """

    inflation: dict[str, float]
    groups: list[list[str]]


def moving_together(problem: Problem) -> Together:
    """Find the features whose slopes are hard to tell apart, because they move together.

    The variance inflation of a slope says how many times larger its variance is than if its feature were uncorrelated with
    the others. It is on the diagonal of the inverse of the correlation matrix, and above 10 it counts as large (D. Marquardt,
    "Generalized Inverses, Ridge Regression, Biased Linear Estimation, and Nonlinear Estimation", Technometrics 12, 1970).
    Each eigenvector of that matrix has a share in each variance. Features move together if more than half of their variance
    comes from the same eigenvector (D. Belsley, E. Kuh and R. Welsch, Regression Diagnostics, 1980, chapter 3).
    """
    if problem.x.ndim == 1:
        return Together({}, [])
    # Of standardised columns, the Hessian is twice the correlation matrix, and a row and a column for the intercept.
    eigenvalues, vectors = np.linalg.eigh(problem.hessian[:-1, :-1] / 2)
    eigenvalues = np.maximum(eigenvalues, 1e-16 * eigenvalues[-1])  # rounding errors may make it 0 or less
    parts = vectors**2 / eigenvalues
    inflation = parts.sum(axis=1)
    shares = parts / inflation[:, None]
    names = problem.data.features
    large = [i for i in np.argsort(-inflation, kind="stable") if inflation[i] > LARGEST_INFLATION]
    groups = [[names[i] for i in large if share[i] > LARGE_SHARE] for share in shares.T]
    return Together({names[i]: float(inflation[i]) for i in large}, [group for group in groups if len(group) > 1])
