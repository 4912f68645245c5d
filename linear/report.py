"""What the demo prints."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from .cells import counted, cut, listed, printable, quoted, width
from .model import dmseloss, linear_model, mseloss
from .problem import TOLERANCE, Problem, vector
from .progress import Training
from .signals import finish_first
from .statistics import LARGEST_INFLATION, Together, moving_together, statistics_of
from .ways import NAMES, Way, other_ways, rounded


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


def print_result(problem: Problem, training: Training, way: Way) -> bool:
    """Print what was learned beside the least-squares answer and the truth, if known; return whether it converged."""
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
    has_converged = bool(distance <= TOLERANCE)
    if has_converged:
        print(f"\nConverged: {facts}.")
        print("  The learned line and the least-squares line are the same to rounding: use either.")
    else:
        eigenvalues, needed = problem.modes[0], way.steps_needed(problem, theta)
        print(f"\nNot converged: {facts}.")
        if needed == needed:
            print(f"  Converged means a distance of at most {TOLERANCE:g}. At this learning rate that takes about")
            print(f"  {rounded(needed, 'more step')}; ", end="")
        else:
            print(f"  Converged means a distance of at most {TOLERANCE:g}; ", end="")
        print(f"the condition number of the Hessian is {eigenvalues[0] / eigenvalues[-1]:.3g}.")
        print("  Use the least-squares line: it is exact up to rounding. These ways lead to it too:")
        for line in other_ways(problem, way, theta):
            print(f"    {line}")
    n_steps = len(training.losses)
    each = f", {1e6 * training.seconds / n_steps:.0f} us a step" if n_steps else ""
    print(f"\nLoss      {problem.loss(theta) * problem.loss_unit:.10g} at the end (mean squared error){problem.loss_note}")
    print(f"Time      {training.seconds:.2f} s{each}")
    return has_converged


def print_divergence(problem: Problem, training: Training, way: Way) -> None:
    """Print how fast a training diverged."""
    first, last = (loss * problem.loss_unit for loss in (training.losses[0], problem.loss(training.theta)))
    print(f"\nDiverged: the loss rose from {first:.4g} to {last:.4g} in {counted(len(training.losses), 'step')}.")
    if way.method == "descent":
        factor = 1 - way.rate * float(problem.modes[0][0])
        print(f"  In the steepest direction, each step multiplies the distance to the minimum by {factor:.4g}. So it leads to the")
        print(f"  other side, further away, and multiplies the loss by about {factor**2:.4g}.")
    print(f"  Below a learning rate of {way.limit(problem):.4g}, {NAMES[way.method]} converges on these data.")


def print_fit(problem: Problem, theta: dict[str, Any], name: str) -> None:
    """Print what there is to know about a line: its equation, how certain it is, and what it leaves unexplained."""
    print(f"\nThe {name} line (units of the data)")
    for found in statistics_of(problem, theta):
        print("\n" + textwrap.fill(found.equation, 116, initial_indent="  ", subsequent_indent="    ", break_long_words=False))
        if found.is_constant:
            print(f"\n  {printable(cut(found.target))} is constant: it is the same in every row, so there is nothing to explain.")
            continue
        names = [*(f"slope of {printable(cut(feature))}" for feature in found.features), "intercept"]
        columns = {"value": found.parameters}
        if np.isfinite(found.errors).all() and not found.is_exact:
            columns |= {"standard error": found.errors, "t value": found.t_values}
        print()
        print_table(names, columns, digits=6, indent=4)
        print(f"\n  R squared {found.r_squared:.6g}", end="")
        print(f" (adjusted {found.adjusted_r_squared:.6g})" if found.freedom else "")
        if found.is_exact:
            print("  The line goes through all points, up to rounding. So nothing says how uncertain its parameters are.")
            continue
        if len(found.residuals) == found.rows:  # and no few rows stand for all
            low, *quartiles, high = np.quantile(found.residuals, [0, 0.25, 0.5, 0.75, 1])
            print(f"  residuals: least {low:.4g}, quartiles {', '.join(f'{q:.4g}' for q in quartiles)}, largest {high:.4g}")
        if not found.freedom:
            print("  There are as many rows as parameters, so nothing says how uncertain the parameters are.")
            continue
        print(f"  residual standard deviation {found.noise:.6g} ({counted(found.freedom, 'degree')} of freedom)")
        if not np.isfinite(found.errors).all():
            print("  No standard errors: the features move together so closely that rounding hides how they differ.")
    _print_moving_together(moving_together(problem))


def _print_moving_together(together: Together) -> None:
    if not together.inflation:
        return
    print("\n  These features move together. So their slopes are uncertain: they would change much with a few other rows, or with")
    print("  one column less. Predictions for rows like these are not affected. How many times larger the variance of a slope is")
    print(f"  than with unrelated features (variance inflation; above {LARGEST_INFLATION} is large):\n")
    shown = [f"{printable(quoted(name))} {number:,.0f}" for name, number in together.inflation.items()]
    more = f", and {len(shown) - 12} more" if shown[12:] else ""
    text = ", ".join(shown[:12]) + more
    print(textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="    ", break_long_words=False))
    for group in together.groups:
        text = f"Together: {printable(listed(group, 12))}"
        print(textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="    ", break_long_words=False))


def print_table(rows: list[str], columns: dict[str, np.ndarray], digits: int = 12, indent: int = 2) -> None:
    """Print columns of numbers under their titles, with the decimal points of a column in one line."""
    cells = [[title, *_aligned(column, digits)] for title, column in columns.items()]
    widths = [max(map(len, column)) for column in cells]
    width_of_names = max(map(width, rows))
    for name, *line in zip(["", *rows], *cells):
        padded = [name + " " * (width_of_names - width(name)), *(cell.rjust(width) for cell, width in zip(line, widths))]
        print(" " * indent + "   ".join(padded).rstrip())


def _aligned(values: np.ndarray, digits: int) -> list[str]:
    numbers = [f"{value:.{digits}g}" for value in values]
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
