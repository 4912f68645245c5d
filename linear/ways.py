"""The demo's ways to the minimum: their numbers, such as the learning rate, and what the report says about them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .methods import adam, best_momentum, lbfgs, momentum, newton
from .model import linear_model, mseloss
from .problem import TOLERANCE, Problem
from .training import model_optimization_loop

NAMES = {
    "descent": "gradient descent",
    "momentum": "gradient descent with momentum",
    "adam": "Adam",
    "newton": "Newton's method",
    "lbfgs": "L-BFGS",
}
ROUNDS = 3  # of L-BFGS


class UsageError(Exception):
    """The command cannot be carried out as it was given."""


@dataclass(frozen=True)
class Way:
    """A method with its numbers.

    Attributes
    ----------
    method : str
        One of `NAMES`.
    n_steps : int
        How many steps it takes, or for L-BFGS how many a round takes at most.
    rate, friction : float
        0 if the method has none.
    may_diverge : bool
        Whether the user asked to see how the training diverges.
    jit : bool
        Whether the steps of gradient descent run as a program.
    """

    method: str
    n_steps: int
    rate: float = 0.0
    friction: float = 0.0
    may_diverge: bool = False
    jit: bool = False

    def run(self, problem: Problem, start: dict[str, Any], callback: Callable) -> tuple[list[float], dict[str, Any]]:
        """Run the training; return the losses and the parameters."""
        about = (start, linear_model, mseloss, problem.x, problem.y, self.n_steps)
        if self.method == "newton":
            return newton(*about, callback=callback)
        if self.method == "momentum":
            return momentum(*about, self.rate, self.friction, callback=callback)
        if self.method == "adam":
            return adam(*about, self.rate, callback=callback)
        if self.method == "lbfgs":
            return lbfgs(start, linear_model, problem.x, problem.y, self.n_steps, rounds=ROUNDS, callback=callback)
        return model_optimization_loop(*about, self.rate, callback=callback, jit=self.jit)

    @property
    def takes_few_steps(self) -> bool:
        return self.method in ("newton", "lbfgs")

    def limit(self, problem: Problem) -> float:
        """The learning rate from which the method diverges on these data."""
        # With momentum, it is 2 * (1 + friction) / (largest eigenvalue), and the friction is chosen for the rate.
        return {"descent": 1, "momentum": 2}.get(self.method, math.inf) * problem.stable_rate

    def lines(self, problem: Problem) -> list[str]:
        """What there is to say before the training, in two lines."""
        count = f"at most {self.n_steps:,}" if self.method == "lbfgs" else f"{self.n_steps:,}"
        steps = "step" if self.n_steps == 1 else "steps"
        limit = f"(on these data it must be below {self.limit(problem):.4g})"
        return [
            f"{count} {steps} of {NAMES[self.method]} on the mean squared error, in {problem.units},",
            {
                "descent": f"with learning rate {self.rate:g} {limit}",
                "momentum": f"with learning rate {self.rate:g} {limit} and friction {self.friction:.6g}",
                "adam": f"with learning rate {self.rate:g}, which falls to 0",
                "newton": "with the Hessian that minigrad computes",
                "lbfgs": f"in each of at most {ROUNDS} rounds, with SciPy",
            }[self.method],
        ]

    def steps_needed(self, problem: Problem, theta: dict[str, Any]) -> float:
        """How many more steps take theta to within the tolerance of the least-squares answer; NaN if nobody knows."""
        if self.method == "descent":
            return problem.steps_needed(theta, self.rate)
        if self.method == "momentum" and 0 < self.friction < 1:
            left = float(np.linalg.norm(problem.from_best(theta))) / TOLERANCE
            return math.log(max(left, 1)) / -math.log(math.sqrt(self.friction))
        return math.nan


def choose_way(
    problem: Problem, method: str, n_steps: int | None, rate: float | None, may_diverge: bool = False, jit: bool = False
) -> Way:
    """Return a method with the numbers that the user gave, or else with good ones.

    Raises
    ------
    UsageError
        If a number does not fit the method or the data.
    """
    if n_steps is None:
        n_steps = 2 if method == "newton" else 3000
    if method in ("newton", "lbfgs"):
        if rate is not None:
            raise UsageError(f"--learning-rate: {NAMES[method]} has no learning rate")
        if method == "lbfgs":
            check_scipy()
        return Way(method, n_steps)
    friction = 0.0
    eigenvalues = problem.modes[0]
    if method == "momentum":
        rate, friction = best_momentum(float(eigenvalues[0]), float(eigenvalues[-1]), rate)
    elif method == "adam":
        rate = rate or 0.1
    else:
        # With many features that move together, even the default may be too much. The loss is a mean over the targets,
        # so the more of them there are, the smaller is the gradient of each.
        rate = rate or min(0.01 * len(problem.data.targets), problem.stable_rate / 2)
    way = Way(method, n_steps, rate, friction, may_diverge, jit)
    limit = way.limit(problem)
    if rate >= limit and not may_diverge:
        quotient = {"descent": "2 / (largest eigenvalue of the Hessian)", "momentum": "4 / (largest eigenvalue of the Hessian)"}
        raise UsageError(
            f"the learning rate {rate:g} is too large: on these data {NAMES[method]} converges only below "
            f"{limit:.6g}, {quotient[method]}; to watch how it diverges, add --diverge"
        )
    if rate < 1e-15 * problem.stable_rate:
        raise UsageError(
            f"the learning rate {rate:g} is too small: on these data {NAMES[method]} stands still below "
            f"{1e-15 * problem.stable_rate:.2g}"
        )
    return way


def check_scipy() -> None:
    """Refuse L-BFGS where SciPy is not installed, or broken in any way."""
    try:
        import scipy.optimize  # noqa: F401
    except Exception as error:
        raise UsageError(f"--method lbfgs needs SciPy ({error}): pip install scipy; --method newton does without") from None


def other_ways(problem: Problem, way: Way, theta: dict[str, Any]) -> list[str]:
    """The ways that reach the least-squares answer where this one did not, one line each."""
    eigenvalues = problem.modes[0]
    faster = Way("momentum", 1, *best_momentum(float(eigenvalues[0]), float(eigenvalues[-1])))
    ways = {
        "newton": "one step with the Hessian, and one more against rounding errors",
        "lbfgs": "some steps of SciPy's L-BFGS, with the gradients from minigrad",
        "momentum": f"about {rounded(faster.steps_needed(problem, theta))} steps",
    }
    return [f"--method {method:10}{text}" for method, text in ways.items() if method != way.method]


def rounded(steps: float) -> str:
    """A number of steps that is estimated."""
    return f"{float(f'{steps:.2g}'):,.0f}"
