"""The data and the line, or, with several features, the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..model import linear_model
from ..problem import Problem
from .style import DATA, EXACT, LEARNED, TRUE, Names, equation, wrapped

MANY = 5000  # points: more of them would be one blob, so their density is drawn
MOST_PANELS = 12


def draw_fit(figure: Figure, problem: Problem, theta: dict[str, Any], names: Names) -> None:
    """Draw the data with the fitted line and its residuals, or predicted against observed values for each target."""
    if problem.data.x.ndim == 1:
        _draw_line(figure, problem, theta, names)
    else:
        _draw_predictions(figure, problem, theta, names)


def _draw_line(figure: Figure, problem: Problem, theta: dict[str, Any], names: Names) -> None:
    data = problem.data
    learned, exact = problem.in_data_units(theta), problem.in_data_units(problem.best)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    ends = np.array([data.x.min(), data.x.max()])
    _draw_points(top, data.x, data.y, problem.rows, "data")
    top.plot(ends, learned[0] * ends + learned[1], color=LEARNED, linewidth=2, label="learned line")
    top.plot(ends, exact[0] * ends + exact[1], color=EXACT, linewidth=1, linestyle="--", label="least squares")
    if problem.true:
        truth = problem.in_data_units(problem.true)
        top.plot(ends, truth[0] * ends + truth[1], color=TRUE, linestyle=":", linewidth=2, label="true line")
    _draw_points(bottom, data.x, data.y - (learned[0] * data.x + learned[1]), problem.rows, "")
    bottom.axhline(0, color=LEARNED, linewidth=2)
    top.set_title(equation(names, *learned))
    top.set_ylabel(wrapped(names.targets[0]))
    bottom.set_xlabel(wrapped(names.features[0], 70))
    bottom.set_ylabel("residual")
    # To find the best place among many points takes seconds. The corner beside the line is as good.
    top.legend(loc="upper left" if learned[0] >= 0 else "upper right")
    for axes in (top, bottom):
        axes.grid(alpha=0.3)


def _draw_predictions(figure: Figure, problem: Problem, theta: dict[str, Any], names: Names) -> None:
    targets = problem.data.y.reshape(len(problem.data.y), -1)
    learned, exact = (
        (linear_model(p, problem.shown[0]) * problem.y_scale.spread + problem.y_scale.center).reshape(targets.shape)
        for p in (theta, problem.best)
    )
    shown = names.targets[:MOST_PANELS]
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    figure.set_size_inches(8 if columns == 1 else 4.5 * columns, 6 if rows == 1 else 4.5 * rows)
    panels = [figure.add_subplot(rows, columns, i + 1) for i in range(len(shown))]
    for i, (axes, name) in enumerate(zip(panels, shown)):
        observed = targets[:, i]
        ends = [observed.min(), observed.max()]
        axes.plot(ends, ends, color="gray", linewidth=1, label="predicted = observed")
        if len(observed) <= MANY:
            axes.scatter(observed, exact[:, i], s=45, facecolors="none", edgecolors=EXACT, label="least squares")
        _draw_points(axes, observed, learned[:, i], problem.rows, "learned", LEARNED)
        axes.set_title(wrapped(name, 70 if len(panels) == 1 else 30))
        axes.set(xlabel="observed", ylabel="predicted")
        axes.legend(loc="upper left")
        axes.grid(alpha=0.3)
        axes.locator_params(nbins=8 if len(panels) == 1 else 5)
    left_out = "" if shown == names.targets else f": the first {len(shown)} of {len(names.targets)} targets"
    figure.suptitle(f"Predicted from {len(names.features)} features{left_out}")


def _draw_points(axes: Any, x: np.ndarray, y: np.ndarray, n_rows: int, name: str, colour: str = DATA) -> None:
    """Draw points, or, of very many, how dense they are."""
    some = "" if len(x) == n_rows else f"{len(x):,} of "
    if len(x) <= MANY:
        label = f"{name} ({some}{n_rows:,} points)" if name else None
        axes.scatter(x, y, s=18, color=colour, alpha=0.7, linewidths=0, label=label)
        return
    axes.hexbin(x, y, gridsize=(70, 35), bins="log", mincnt=1, cmap="Blues" if colour == DATA else "Reds", linewidths=0.2)
    if name:
        axes.plot([], [], "h", color=colour, label=f"{name} ({some}{n_rows:,} points:\ndarker where there are more)")
