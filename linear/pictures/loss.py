"""The loss at every step."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..problem import Problem
from ..progress import Training
from .style import EXACT, LEARNED, count, count_ticks, number, spaced


def draw_loss(figure: Figure, problem: Problem, training: Training, loss_name: str) -> None:
    """Draw the loss at every step and after the last, and how far it is above the smallest possible loss."""
    smallest = problem.loss(problem.best) * problem.loss_unit
    losses = np.array([*training.losses, problem.loss(training.theta)]) * problem.loss_unit
    above = losses - smallest
    end = rounding_begins(above)
    marker = "." if len(losses) < 50 else ""
    left, right = figure.subplots(1, 2)
    # A long run has more steps than the picture has dots.
    steps = spaced(len(losses), 3000)
    left.plot(steps, losses[steps], color=LEARNED, marker=marker, label="descent")
    left.axhline(smallest, color=EXACT, linestyle="--", linewidth=1, label=f"least squares: {number(smallest)}")
    if losses.max() > 20 * max(smallest, losses.min()) > 0:
        left.set_yscale("log")
    left.set(title="The loss", ylabel=loss_name)
    left.legend(loc="upper right")
    steps = spaced(max(end, 1), 3000)
    # At least one step can be shown, or the descent began at the minimum.
    right.semilogy(steps, above[steps], color=LEARNED, marker=marker or None, nonpositive="mask", label="descent")
    if end < len(above):
        last = max(end - 1, 0)
        label = f"after {count(last, 'step')},\nrounding errors hide it"
        right.semilogy(last, above[last], "o", markerfacecolor="white", color=LEARNED, nonpositive="mask", label=label)
    right.set(title="Its distance to the smallest loss", ylabel=loss_name)
    right.legend(loc="upper right")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.set_xlim(*np.array([-0.03, 1.03]) * max(len(losses) - 1, 1))
        axes.grid(alpha=0.3)
        count_ticks(axes.xaxis)


def rounding_begins(above: np.ndarray) -> int:
    """How many steps, from the first on, have a loss that is above the smallest loss by more than rounding errors.

    At a stable learning rate every step makes the loss smaller. So where it grows, it grows by rounding errors, and the
    largest of these tells their size. A perfect fit has no such errors: there the loss becomes tiny, and then hardly
    moves, because the steps are smaller than the rounding errors of the parameters.
    """
    steps = np.diff(above)
    rounding = np.max(steps, initial=0.0)
    if len(steps) and above[-1] < 1e-20 * above[0] and -steps[-1] < 1e-6 * above[-1]:
        rounding = max(rounding, above[-1])
    hidden = above <= 10 * rounding
    return int(np.argmax(hidden)) if hidden.any() else len(above)
