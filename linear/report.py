"""What the demo prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import dmseloss, linear_model, mseloss
from .problem import TOLERANCE, Problem, vector
from .progress import Training
from .signals import finish_first


def print_start(problem: Problem, start: dict[str, Any]) -> None:
    """Print the starting values, and the gradient there as three independent ways find it."""
    gradients = {
        "minigrad": vector(dmseloss(start, linear_model, problem.x, problem.y)),
        "finite differences": _finite_differences(problem, start),
    }
    try:
        with finish_first():
            gradients["JAX"] = _jax_gradient(problem, start)
        note = ""
    except ImportError:
        note = "; JAX is not installed"
    except Exception as error:  # an installation can be broken in any way, and the demo does not depend on it
        note = f"; JAX is installed but failed ({type(error).__name__})"

    print(f"\nThe start, drawn at random, and the gradient there ({problem.units})\n")
    print_table(problem.names, {"start": vector(start)} | gradients)
    ours = gradients.pop("minigrad")
    differences = [
        f"{engine} {np.linalg.norm(gradient - ours) / np.linalg.norm(ours):.0e}"
        for engine, gradient in gradients.items()
    ]
    print(f"\n  relative difference from minigrad: {', '.join(differences)}{note}")


def print_result(problem: Problem, training: Training, learning_rate: float) -> None:
    """Print what was learned beside the least-squares answer and the truth, if known, and whether it converged."""
    theta = training.theta
    lines = {"learned": theta, "least squares": problem.best} | ({"true": problem.true} if problem.true else {})
    columns = {
        title: np.append(problem.in_data_units(line), problem.losses_in_data_units(line))
        for title, line in lines.items()
    }
    print("\nThe result (units of the data)\n")
    names = [*problem.names, *(f"mean squared error{of}" for of in problem.of_targets)]
    # The parameters of a target, and its error, stand together.
    order = np.arange(len(names)).reshape(-1, len(problem.of_targets)).T.ravel()
    print_table([names[i] for i in order], {title: column[order] for title, column in columns.items()})

    distance = np.linalg.norm(problem.from_best(theta))
    gradient = np.linalg.norm(vector(dmseloss(theta, linear_model, problem.x, problem.y)))
    facts = f"{distance:.1e} from the least-squares answer, norm of the gradient {gradient:.1e} ({problem.units})"
    if distance <= TOLERANCE:
        print(f"\nConverged: {facts}.")
    else:
        eigenvalues = problem.modes[0]
        print(f"\nNot converged: {facts}.")
        print(f"  Converged means a distance of at most {TOLERANCE:g}. At this learning rate that takes about")
        print(f"  {float(f'{problem.steps_needed(theta, learning_rate):.2g}'):,.0f} more steps; ", end="")
        print(f"the condition number of the Hessian is {eigenvalues[0] / eigenvalues[-1]:.3g}.")
    n_steps = len(training.losses)
    each = f", {1e6 * training.seconds / n_steps:.0f} us a step" if n_steps else ""
    print(f"\nLoss      {problem.loss(theta) * problem.loss_unit:.10g} at the end (mean squared error){problem.loss_note}")
    print(f"Time      {training.seconds:.2f} s{each}")


def print_table(rows: list[str], columns: dict[str, np.ndarray]) -> None:
    """Print columns of numbers under their titles, with the decimal points of a column in one line."""
    cells = [[title, *_aligned(column)] for title, column in columns.items()]
    widths = [max(map(len, column)) for column in cells]
    width_of_names = max(map(len, rows))
    for name, *line in zip(["", *rows], *cells):
        padded = [name.ljust(width_of_names), *(cell.rjust(width) for cell, width in zip(line, widths))]
        print("  " + "   ".join(padded).rstrip())


def _aligned(values: np.ndarray) -> list[str]:
    numbers = [f"{value:.12g}" for value in values]
    after = [len(number) - (number + ".").index(".") for number in numbers]
    return [number + " " * (max(after) - places) for number, places in zip(numbers, after)]


def _finite_differences(problem: Problem, theta: dict[str, Any]) -> np.ndarray:
    """Central differences. On a quadratic loss they are exact, so a step this wide costs nothing."""
    step, at = 1e-3, vector(theta)

    def loss(parameters: np.ndarray) -> float:
        return problem.loss(problem.theta(parameters))

    return np.array([(loss(at + move) - loss(at - move)) / (2 * step) for move in step * np.eye(len(at))])


def _jax_gradient(problem: Problem, theta: dict[str, Any]) -> np.ndarray:
    import jax

    before = getattr(jax.config, "jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        return vector(jax.grad(mseloss)(theta, linear_model, problem.x, problem.y))
    finally:
        jax.config.update("jax_enable_x64", before)
