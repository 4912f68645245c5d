"""A training with too large a learning rate: how it climbs out of the bowl."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..problem import Problem, vector
from ..progress import Training
from ..ways import Way
from .style import EXACT, LEARNED, count_ticks, number, spaced

MOST_JUMPS = 8


def draw_divergence(figure: Figure, problem: Problem, training: Training, way: Way, loss_name: str) -> None:
    """Draw the loss at every step, and the first jumps from one side of the bowl to the other."""
    left, right = figure.subplots(1, 2)
    losses = np.array([*training.losses, problem.loss(training.theta)]) * problem.loss_unit
    steps = spaced(len(losses), 3000)
    left.plot(steps, losses[steps], color=LEARNED, marker="." if len(losses) < 50 else "", label="the loss")
    smallest = problem.loss(problem.best) * problem.loss_unit
    if smallest > 0:
        left.axhline(smallest, color=EXACT, linestyle="--", linewidth=1, label=f"least squares: {number(smallest)}")
    left.set_yscale("log")
    left.set(title="The loss rises", xlabel="step", ylabel=loss_name)
    count_ticks(left.xaxis)
    _draw_jumps(right, problem, training, way)
    for axes in (left, right):
        axes.legend(loc="upper left" if axes is left else "upper center")
        axes.grid(alpha=0.3)


def _draw_jumps(axes: Any, problem: Problem, training: Training, way: Way) -> None:
    """Draw a cut through the bowl in its steepest direction, and the first places on it."""
    eigenvalue, direction = problem.modes[0][0], problem.modes[1][0]
    away = direction @ (training.path - vector(problem.best)).reshape(len(training.path), len(direction), -1)
    mixture = away[0] / (np.linalg.norm(away[0]) or 1.0)  # of several targets
    # The first steps are all kept in the path, one after the other.
    kept = np.array([step == i for i, step in enumerate(training.steps)])
    count = int(np.argmin(kept)) if not kept.all() else len(kept)
    places = (away @ mixture)[: min(count, MOST_JUMPS)]
    reach = 1.15 * np.abs(places).max()
    across = np.linspace(-reach, reach, 200)
    # The loss of several targets is the mean of their losses, and the eigenvalue belongs to this mean.
    height = eigenvalue / 2 * problem.loss_unit
    axes.plot(across, height * across**2, color="gray", linewidth=1.5, label="the loss in the steepest direction")
    axes.plot(places, height * places**2, "o-", color=LEARNED, linewidth=1, label=f"the first {len(places)} places")
    for i, place in enumerate(places):
        if abs(place) > reach / 20:  # closer to the minimum, the numbers would cover each other
            axes.annotate(f" {i} ", (place, height * place**2), ha="left" if place > 0 else "right", va="top")
    title = "Each step overshoots"
    if way.method == "descent":
        title += f": it multiplies the distance by {number(1 - way.rate * float(eigenvalue), 4)}"
    axes.set(title=title, xlabel=f"distance from the minimum ({problem.units})", ylabel="loss above the smallest")
