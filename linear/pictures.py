"""The demo's pictures: the loss curve, the fit, and the bowl."""

from __future__ import annotations

import errno
import io
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends import BackendFilter, backend_registry
from matplotlib.figure import Figure

from .cells import cut, printable
from .problem import Problem, vector
from .progress import Training
from .signals import finish_first

plt.rcdefaults()  # the settings of a user may need what is not there, such as TeX

DATA, LINE, EXACT = "#4c72b0", "#d1495b", "black"


def has_display() -> bool:
    """Whether windows can be shown here. A backend that cannot be loaded raises an error, of any kind."""
    plt.switch_backend(plt.get_backend())
    return plt.get_backend().lower() not in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)


def draw_all(problem: Problem, training: Training, show: bool = False) -> dict[str, Figure]:
    """Draw the pictures of a training, as windows for `matplotlib.pyplot.show` if asked; return them by file name."""
    figures = {}
    for name, size in (("loss", (9, 4.5)), ("fit", (8, 6)), ("bowl", (12, 5.2))):
        figures[f"{name}.png"] = (plt.figure if show else Figure)(figsize=size, dpi=120, layout="constrained")
    draw_loss(figures["loss.png"], problem, training)
    draw_fit(figures["fit.png"], problem, training.theta)
    draw_bowl(figures["bowl.png"], problem, training.path)
    return figures


def save(figures: dict[str, Figure], folder: Path) -> list[Path]:
    """Write the figures as PNG files, all of them or none; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in figures]
    for file in filter(Path.is_dir, files):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a picture", str(file))
    contents = [_png(figure) for figure in figures.values()]
    # Beside each picture, so that to rename it is all that is left to do when all are written.
    parts = [file.with_name(f".{file.name}.part") for file in files]
    with finish_first():
        try:
            for file, part, content in zip(files, parts, contents):
                part.write_bytes(content)
            for file, part in zip(files, parts):
                part.replace(file)
        except OSError as error:  # of a full disk, it does not name the file
            raise OSError(error.errno, error.strerror, str(file)) from None
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
    return files


def _png(figure: Figure) -> bytes:
    """The content of a PNG file. To draw takes seconds, to write it no time."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A column name may hold characters that the font lacks. The box in their place says so.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(content, format="png")
    return content.getvalue()


def draw_loss(figure: Figure, problem: Problem, training: Training) -> None:
    """Draw the loss at every step and after the last, and how far it is above the smallest possible loss."""
    smallest = problem.loss(problem.best) * problem.loss_unit
    losses = np.array([*training.losses, problem.loss(training.theta)]) * problem.loss_unit
    # A long run has more steps than the picture has dots, and a run of no steps only one.
    steps = np.unique(np.linspace(0, len(losses) - 1, 3000).astype(int))
    values, marker = losses[steps], "." if len(losses) < 50 else ""
    left, right = figure.subplots(1, 2)
    left.plot(steps, values, color=LINE, marker=marker, label="descent")
    left.axhline(smallest, color=EXACT, linestyle="--", linewidth=1, label="least squares")
    if values.max() > 20 * max(smallest, values.min()) > 0:
        left.set_yscale("log")
    left.set(title="The loss", xlabel="step", ylabel=_loss_name(problem))
    left.legend(loc="upper right")
    # Rounding may put the last losses a hair below the smallest; they have no place on a log scale.
    right.semilogy(steps, values - smallest, color=LINE, marker=marker, nonpositive="mask")
    right.set(title="Its distance to the smallest loss", xlabel="step", ylabel=_loss_name(problem))
    for axes in (left, right):
        axes.grid(alpha=0.3)


def draw_fit(figure: Figure, problem: Problem, theta: dict[str, Any]) -> None:
    """Draw the data with the fitted line and its residuals, or predicted against observed values."""
    data = problem.data
    target = _plain(data.target)
    learned, exact = problem.in_data_units(theta), problem.in_data_units(problem.best)
    x = data.x.reshape(len(data.y), -1)
    predicted, exactly = (x @ p[:-1] + p[-1] for p in (learned, exact))
    if data.x.ndim == 1:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        order = np.argsort(data.x)[[0, -1]]
        top.scatter(data.x, data.y, s=18, color=DATA, alpha=0.7, label=f"data ({len(data.y)} points)")
        top.plot(data.x[order], predicted[order], color=LINE, linewidth=2, label="learned line")
        top.plot(data.x[order], exactly[order], color=EXACT, linewidth=1, linestyle="--", label="least squares")
        if problem.true:
            truth = problem.in_data_units(problem.true)
            top.plot(data.x[order], truth[0] * data.x[order] + truth[1], color="gray", linestyle=":", label="true line")
        bottom.scatter(data.x, data.y - predicted, s=18, color=DATA, alpha=0.7)
        bottom.axhline(0, color=LINE, linewidth=2)
        top.set(title=f"{target} and the learned line", ylabel=target)
        bottom.set(xlabel=_plain(data.features[0]), ylabel="residual")
        axes = [top, bottom]
    else:
        top = figure.subplots()
        ends = [data.y.min(), data.y.max()]
        top.plot(ends, ends, color="gray", linewidth=1, label="predicted = observed")
        top.scatter(data.y, exactly, s=45, facecolors="none", edgecolors=EXACT, label="least squares")
        top.scatter(data.y, predicted, s=18, color=LINE, label="learned")
        top.set(
            title=f"{target}, predicted from {len(data.features)} features",
            xlabel=f"{target}, observed",
            ylabel=f"{target}, predicted",
        )
        axes = [top]
    # To find the best place among many points takes seconds. The corner beside the line is as good.
    rises = data.x.ndim > 1 or learned[0] >= 0
    top.legend(loc="upper left" if rises else "upper right")
    for each in axes:
        each.grid(alpha=0.3)


def draw_bowl(figure: Figure, problem: Problem, path: np.ndarray) -> None:
    """Draw the loss over two parameters, or over the plane in which it is steepest and flattest, and the descent.

    Several features give a bowl in many dimensions. Descent moves along each eigenvector of the Hessian as if the
    others were not there, so its shadow on a plane of two eigenvectors is itself a descent in that plane. Those with
    the largest and the smallest eigenvalue show what makes a problem hard.
    """
    eigenvalues, directions = problem.modes
    best = vector(problem.best)
    if problem.x.ndim == 1:
        center, axes = best, np.eye(2)
        short = [_plain(name) for name in problem.names]
        labels = short if problem.true else [f"{name} (standardised units)" for name in short]
        title = f"The loss over {short[0]} and {short[1]}"
    else:
        center, axes = np.zeros(2), directions[[0, -1]].T
        # An eigenvector may as well point backward. So that the surface does not hide it, the start is back left.
        axes = axes * np.where((path[0] - best) @ axes * [-1, 1] < 0, -1, 1)
        short = ["steepest", "flattest"]
        labels = [
            f"way from the minimum in the {kind} direction\n(standardised units; Hessian's eigenvalue {value:.2g})"
            for kind, value in zip(short, eigenvalues[[0, -1]])
        ]
        title = f"The loss in the plane of its steepest and flattest direction ({len(best)} parameters)"
    hessian = axes.T @ directions.T @ np.diag(eigenvalues) @ directions @ axes
    points = center + (path - best) @ axes

    def surface(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        away = np.stack([a - center[0], b - center[1]], axis=-1)
        return (problem.loss(problem.best) + np.sum(away @ hessian * away, axis=-1) / 2) * problem.loss_unit

    # The same scale on both axes: only then does the path cross the contours at right angles.
    reach = 1.25 * np.abs(points - center).max() or 1.0
    a, b = np.meshgrid(*(np.linspace(c - reach, c + reach, 121) for c in center))
    heights = surface(a, b)
    low, high = heights.min(), heights.max()
    # Rings at equal steps of the distance, not of the loss, which grows with its square.
    levels = low + (high - low) * np.linspace(0, 1, 15) ** 2

    solid: Any = figure.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
    solid.plot_surface(a, b, heights, cmap="viridis", alpha=0.75, rstride=4, cstride=4, linewidth=0, zorder=1)
    solid.plot(*points.T, surface(*points.T), color=LINE, linewidth=2.5, zorder=2)
    solid.scatter(*points[0], surface(*points[0]), color=LINE, s=40, zorder=3)
    solid.scatter(*center, low, color="white", edgecolors="black", marker="*", s=160, zorder=3)
    solid.set(xlabel=short[0], ylabel=short[1], zticks=[])
    solid.set_zlabel("loss", labelpad=-10)
    solid.locator_params(nbins=5)

    flat = figure.add_subplot(1, 2, 2)
    filled = flat.contourf(a, b, heights, levels=levels, cmap="viridis")
    flat.contour(a, b, heights, levels=levels, colors="white", linewidths=0.4)
    flat.plot(*points.T, color=LINE, linewidth=2, label="descent")
    flat.plot(*points[0], "o", color=LINE, markersize=8, label="start")
    flat.plot(*points[-1], "s", color=LINE, markersize=7, label="end")
    flat.plot(*center, "*", color="white", markeredgecolor="black", markersize=15, label="minimum")
    flat.set(xlabel=labels[0], ylabel=labels[1], aspect="equal")
    flat.legend()
    figure.colorbar(filled, ax=flat, label=_loss_name(problem), format="%.3g")
    figure.suptitle(title + ", and the path of the descent")


def _loss_name(problem: Problem) -> str:
    unit = "" if problem.true else f", in squared units of {_plain(problem.data.target)}"
    return "mean squared error" + unit


def _plain(name: str) -> str:
    """A column's name, safe from matplotlib's formulas, and no longer than a label may be."""
    return printable(cut(name, 40)).replace("$", r"\$")
