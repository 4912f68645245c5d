"""The parameters: how large they are, how certain, and how far the descent has come."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..problem import Problem, vector
from ..statistics import standard_errors
from .style import BIAS, EXACT, LEARNED, TRUE, WEIGHT, Names, with_error, wrapped

MOST = 70  # rows
ROUNDING = 1e-12  # distances below this, in the units of the training, are rounding errors


def draw_parameters(figure: Figure, problem: Problem, theta: dict[str, Any], names: Names) -> None:
    """Draw each parameter as learned, exact and, where it is known, true, with its standard error.

    The left picture has the units of the training, so that slopes can be compared with each other. The right one shows the
    distance from the least-squares answer in standard errors. The numbers are in the units of the data.
    """
    exact, learned = vector(problem.best), vector(theta)
    errors = standard_errors(problem, in_data_units=False).ravel()
    shown = rows_of(problem, theta)
    height = np.arange(len(shown))[::-1]
    labels = np.array(labels_of(names, bool(problem.true)))[shown]
    numbers = in_numbers(problem, theta)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    colours = [WEIGHT if i < len(exact) - len(names.targets) else BIAS for i in shown]
    certain = np.isfinite(errors).all()
    spans = errors[shown] if certain else np.zeros(len(shown))
    left.axvline(0, color="gray", linewidth=0.8)
    left.hlines(height, 0, exact[shown], colors=colours, linewidth=5, alpha=0.25)
    label = "least squares, ± 2 standard errors" if certain else "least squares"
    ring: dict[str, Any] = {"fmt": "o", "markersize": 7, "markerfacecolor": "none", "color": EXACT}
    left.errorbar(exact[shown], height, xerr=2 * spans, elinewidth=1.2, capsize=3, label=label, **ring)
    left.plot(learned[shown], height, "o", color=LEARNED, markersize=4, label="learned")
    if problem.true:
        left.plot(vector(problem.true)[shown], height, "x", color=TRUE, markersize=8, markeredgewidth=2, label="true")
    left.set_yticks(height, labels)
    for text, colour in zip(left.get_yticklabels(), colours):
        text.set_color(colour)
    left.set_xlabel("value" if problem.true else "value, in standardised units")
    left.set_ylim(-0.7, len(shown) - 0.3)
    left.locator_params(axis="x", nbins=7)
    if max(np.abs(exact).max(), np.abs(learned).max()) < ROUNDING:  # the target is constant
        left.set_xlim(-1, 1)

    if certain:
        right.axvline(0, color=EXACT, linewidth=0.8)
        right.axvspan(-2, 2, color=EXACT, alpha=0.08, linewidth=0)
        _draw_away(right, (learned - exact)[shown], spans, height, "o", LEARNED, 4)
        if problem.true:
            _draw_away(right, (vector(problem.true) - exact)[shown], spans, height, "x", TRUE, 8)
    else:
        words = "no standard errors:\nas many parameters\nas rows"
        right.text(0.5, 0.5, words, ha="center", va="center", transform=right.transAxes)
    right.set_xlim(-5, 5)
    right.set_xlabel("standard errors from\nthe least-squares answer")
    beside = right.secondary_yaxis("right")
    beside.set_yticks(height, [numbers[i] for i in shown])
    beside.tick_params(length=0)
    heading = "learned\n± standard error" if certain else "learned"
    right.text(1.03, 1.01, heading, va="bottom", transform=right.transAxes)
    for axes in (left, right):
        axes.grid(alpha=0.3, axis="x")
        axes.tick_params(axis="y", length=0)
    right.tick_params(labelleft=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    title = "The parameters" if len(shown) == len(exact) else f"The {len(shown)} largest of {len(exact)} parameters"
    figure.suptitle(title + ("" if problem.true else "\nThe numbers on the right are in the units of the data"))


def _draw_away(axes: Any, away: np.ndarray, errors: np.ndarray, height: np.ndarray, mark: str, colour: str, size: int) -> None:
    """Draw how many standard errors a value is away. A value outside of the picture becomes an arrow at its edge."""
    with np.errstate(divide="ignore", invalid="ignore"):
        count = np.where(np.abs(away) < ROUNDING, 0.0, away / errors)  # a perfect fit has hardly any errors
    inside = np.abs(count) < 4.8
    axes.plot(count[inside], height[inside], mark, color=colour, markersize=size, markeredgewidth=2 if mark == "x" else None)
    for side, arrow in ((-1, "<"), (1, ">")):
        outside = side * count >= 4.8
        axes.plot(np.full(outside.sum(), 4.8 * side), height[outside], arrow, color=colour, markersize=7)


def rows_of(problem: Problem, theta: dict[str, Any]) -> list[int]:
    """Which parameters are shown, in the order of `vector`: all, or the largest."""
    size = np.maximum(np.abs(vector(problem.best)), np.abs(vector(theta)))
    return sorted(np.argsort(-size, kind="stable")[:MOST].tolist())


def labels_of(names: Names, is_simulated: bool = False) -> list[str]:
    """The label of each parameter, in the order of `vector`."""
    if is_simulated:
        return ["w", "b"]
    several = len(names.targets) > 1
    # Two lines at most: the rows are low.
    return [
        wrapped(f"{target}: {name}" if several else name, 32, 2)
        for name in [*names.features, "intercept"]
        for target in names.targets
    ]


def in_numbers(problem: Problem, theta: dict[str, Any]) -> list[str]:
    """Each learned parameter with its standard error, in the units of the data."""
    return [*map(with_error, problem.in_data_units(theta), standard_errors(problem).ravel())]
