"""The bowl: the loss over two numbers, and the path of the descent in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from ..data import standardise
from ..problem import Problem, vector
from .style import LEARNED, Names, number, scaled_ticks, wrapped

ELEVATION = 38  # the angle from which one looks down on the plane, in degrees


@dataclass(frozen=True)
class Bowl:
    """The loss over two numbers: ``lowest + |steepness @ (place - center)|**2``.

    Attributes
    ----------
    title, note : str
    labels : tuple of two str
        The names of the two numbers.
    short : tuple of two str
        The same in few words.
    lowest : float
        The smallest loss, in the units of the data.
    center : array of shape (2,)
        The place of the smallest loss.
    steepness : array of shape (2, 2)
    shape : array of shape (2, 2)
        It turns the unit circle into the rim: the ellipse that is drawn, without its center.
    path : array of shape (number of steps, 2)
        The places of the descent.
    is_round : bool
        Whether both numbers have the same unit, so that the picture must have the same scale on both axes.
    """

    title: str
    note: str
    labels: tuple[str, str]
    short: tuple[str, str]
    lowest: float
    center: np.ndarray
    steepness: np.ndarray
    shape: np.ndarray
    path: np.ndarray
    is_round: bool

    def loss(self, places: np.ndarray) -> np.ndarray:
        """The loss at places, of shape (..., 2)."""
        return self.lowest + np.sum(((places - self.center) @ self.steepness.T) ** 2, axis=-1)

    def mesh(self, rings: int, spokes: int) -> np.ndarray:
        """Places all over the bowl, of shape (rings, spokes, 2): the first ring is the center, the last one the rim."""
        angle = np.linspace(0, 2 * math.pi, spokes)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return self.center + np.linspace(0, 1, rings)[:, None, None] * (circle @ self.shape.T)

    @property
    def highest(self) -> float:
        """The largest loss on the rim."""
        return float(self.loss(self.mesh(2, 361)).max())

    def colours(self) -> ScalarMappable:
        """How colours stand for losses: in even steps of the distance, not of the loss, which grows with its square."""
        return ScalarMappable(PowerNorm(0.5, self.lowest, self.highest), "viridis")


def bowl_of(problem: Problem, path: np.ndarray, names: Names) -> Bowl:
    """The bowl of one feature: over slope and intercept. Of several: over the steepest and the flattest direction."""
    return _bowl_of_line(problem, path, names) if problem.x.ndim == 1 else _bowl_of_plane(problem, path, names)


def _bowl_of_line(problem: Problem, path: np.ndarray, names: Names) -> Bowl:
    """The bowl over slope and intercept, in the data's own units.

    Standardised columns would make the same round bowl of every file. In the units of the data, the further x is from
    0, the narrower is the valley: a steeper slope can make up for a smaller intercept. If the valley were too narrow to be
    seen, the height of the line at another x takes the place of the intercept, which is the height at 0.
    """
    middle, spread = standardise(problem.data.x)[1] if problem.n_rows is None else problem.x_scale
    at = 0.0
    if abs(middle) > 3 * spread:
        unit = 10.0 ** math.floor(math.log10(spread))
        at = round((middle - math.copysign(3 * spread, middle)) / unit) * unit
    lines = np.array([problem.in_data_units(problem.theta(parameters)) for parameters in [*path, vector(problem.best)]])
    places = lines + np.outer(lines[:, 0], [0, at])
    # The mean of ((slope * (x - at) + height - y)**2 - smallest) is (slope * spread)**2 + (slope * (middle - at) + height)**2,
    # both counted from the best line.
    steepness = np.array([[spread, 0], [middle - at, 1]])
    inverse = np.array([[1 / spread, 0], [(at - middle) / spread, 1]])
    slope, intercept = ("w", "b") if problem.true else (f"slope of {names.features[0]}", "intercept")
    height = intercept if at == 0 else f"height of the line at {names.features[0]} = {number(at, 15)}"
    kind = "" if problem.true else ", in the units of the data"
    note = "The training ran on standardised columns. There the bowl is round and the way straight, so it is straight here too."
    return Bowl(
        f"The loss over {wrapped(slope, 40, 1)} and {wrapped(height, 60, 1)}{kind}, and the path of the descent",
        "" if problem.true else note,
        (wrapped(slope, 40, 2), wrapped(height, 40, 2)),
        (slope.split()[0], height.partition(" at ")[0]),
        problem.loss(problem.best) * problem.loss_unit,
        places[-1],
        steepness,
        _around(places[:-1] - places[-1], inverse),
        places[:-1],
        False,
    )


def _bowl_of_plane(problem: Problem, path: np.ndarray, names: Names) -> Bowl:
    """The bowl over the steepest and the flattest direction from the minimum.

    Several features give a bowl in many dimensions. Descent moves along each eigenvector of the Hessian as if the
    others were not there, so its projection onto a plane of two eigenvectors is itself a descent in that plane. The
    eigenvectors with the largest and the smallest eigenvalue show what makes a problem hard. With several outputs, each
    eigenvector stands for one direction in each output. Descent shrinks all of them alike, so it follows one mixture of them.
    """
    eigenvalues, directions = problem.modes
    away = (path - vector(problem.best)).reshape(len(path), len(eigenvalues), -1)
    columns, notes = [], []
    curvature = problem.loss_unit * eigenvalues[[0, -1]] / 2
    for kind, direction, growth, side in zip(("steepest", "flattest"), directions[[0, -1]], curvature, (-1, 1)):
        outputs = direction @ away
        first = outputs[0] if np.any(outputs[0]) else np.ones(outputs.shape[1])
        mixture = side * first / np.linalg.norm(first)  # so the start is at the back, whatever the eigenvector's sign
        columns.append(outputs @ mixture)
        notes.append(
            f"{kind} direction: {_mixed(direction * np.sign(mixture[0]), names)}; "
            f"1 away from the minimum, the loss is {number(growth, 3)} above the smallest"
        )
    places = np.stack(columns, axis=-1)
    reach = np.abs(places).max(axis=0)
    rim = np.sqrt(2 / eigenvalues[[0, -1]])
    rim *= np.max(np.linalg.norm(places / rim, axis=1)) or 1.0
    rim[1] = min(rim[1], max(rim[0], reach[1]))  # a long valley is cut off
    rim = np.maximum(rim, rim.max() / 3)  # and a narrow one gets more of its walls
    return Bowl(
        f"The loss in the plane of its steepest and its flattest direction ({len(vector(problem.best))} parameters, "
        f"{problem.units}), and the path of the descent",
        "\n".join(notes),
        ("way from the minimum in the steepest direction", "way from the minimum in the flattest direction"),
        ("steepest direction", "flattest direction"),
        problem.loss(problem.best) * problem.loss_unit,
        np.zeros(2),
        np.diag(np.sqrt(curvature)),
        _around(places, np.diag(rim)),
        places,
        True,
    )


def _around(places: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The shape of an ellipse, scaled so that all places lie well inside."""
    reach = np.max(np.linalg.norm(np.linalg.solve(shape, places.T), axis=0))
    return shape * (1.15 * reach or 1.0)


def _mixed(direction: np.ndarray, names: Names) -> str:
    """The largest parts of a direction in the space of the parameters: ``0.8 year − 0.6 gnp + …``."""
    words = [*names.features, "intercept"]
    order = np.argsort(-np.abs(direction), kind="stable")
    large = [i for i in order if abs(direction[i]) > 0.05][:3]
    text = " ".join(f"{'−' if direction[i] < 0 else '+'} {abs(direction[i]):.2f} {wrapped(words[i], 18, 1)}" for i in large)
    rest = " + …" if np.abs(np.delete(direction, large)).max(initial=0) > 0.05 else ""
    return text.removeprefix("+ ").replace("− ", "−", 1 if text.startswith("−") else 0) + rest


def draw_bowl(figure: Figure, bowl: Bowl, loss_name: str) -> None:
    """Draw the bowl in space, and from above."""
    # The layouts of matplotlib do not know where the labels of a picture in space stand.
    solid: Any = figure.add_axes((0.0, 0.14, 0.47, 0.81), projection="3d", computed_zorder=False)
    draw_solid(solid, bowl)
    walls = bowl.loss(bowl.path)
    solid.plot(*bowl.path.T, walls, color=LEARNED, linewidth=2.5, zorder=2)
    solid.plot(*bowl.path[:1].T, walls[:1], "o", color=LEARNED, markersize=7, zorder=2)
    solid.plot(*bowl.center, bowl.lowest, "*", color="white", markeredgecolor="black", markersize=11, zorder=2)

    flat = figure.add_axes((0.56, 0.24, 0.32, 0.66))
    draw_flat(flat, bowl)
    flat.plot(*bowl.path.T, color=LEARNED, linewidth=2, label="descent")
    flat.plot(*bowl.path[0], "o", color=LEARNED, markersize=8, linestyle="none", label="start")
    frame: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": LEARNED, "markeredgewidth": 2, "markersize": 15}
    flat.plot(*bowl.path[-1], "s", linestyle="none", label="end", **frame)
    flat.plot(*bowl.center, "*", color="white", markeredgecolor="black", markersize=12, linestyle="none", label="minimum")
    bar = figure.colorbar(bowl.colours(), cax=figure.add_axes((0.905, 0.24, 0.018, 0.66)))
    bar.set_label(scaled_ticks(bar.ax.yaxis, bowl.lowest, bowl.highest, loss_name))
    figure.legend(*flat.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.06), ncols=4)
    figure.suptitle(bowl.title)
    figure.text(0.5, 0.015, bowl.note, ha="center", va="bottom", fontsize=9)


def draw_solid(axes: Any, bowl: Bowl) -> None:
    """Draw the bowl in space.

    One sees the inside of the far wall. The near wall is in front of everything in the bowl. So the far wall gets the
    zorder 1. The near wall gets 3, and is transparent. Everything in the bowl is drawn between them.
    """
    places = bowl.mesh(24, 73)
    heights = bowl.loss(places)
    lows, highs = places.min(axis=(0, 1)), places.max(axis=(0, 1))
    box = np.array([4.0, 4.0, 2.8])
    scale = box / np.append(highs - lows, bowl.highest - bowl.lowest)
    start = (bowl.path[0] - bowl.center) * scale[:2]
    azimuth = max((-60, 30, 120, 210), key=lambda angle: -start @ _compass(angle))  # the start is at the back

    # A wall stands upright to the eye where its slope towards the eye is the tangent of the angle below. In the plane
    # that is a straight line: toward @ u == 1, if places are center + shape @ u.
    steepest = math.tan(math.radians(ELEVATION))
    slope = 2 * scale[2] * bowl.steepness.T @ bowl.steepness / scale[:2, None]
    toward = bowl.shape.T @ slope.T @ _compass(azimuth) / steepest

    corners = np.concatenate([places, heights[..., None]], axis=-1)
    faces = np.stack([corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]], axis=2).reshape(-1, 4, 3)
    middles = faces.mean(axis=1)
    far = np.linalg.solve(bowl.shape, (middles[:, :2] - bowl.center).T).T @ toward < 1
    colours = bowl.colours().to_rgba(middles[far, 2])
    axes.add_collection3d(Poly3DCollection(faces[far], facecolors=colours, edgecolors=colours, linewidths=0.3, zorder=1))
    axes.plot(*corners[-1].T, color="gray", linewidth=0.7, zorder=1)
    if np.linalg.norm(toward) > 1:
        half = math.acos(1 / np.linalg.norm(toward))
        angle = math.atan2(toward[1], toward[0]) + np.linspace(-half, half, 60)
        rim = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        outline = np.concatenate([rim, np.linspace(rim[-1], rim[0], 60)]) @ bowl.shape.T + bowl.center
        glass = np.column_stack([outline, bowl.loss(outline)])
        wall = Poly3DCollection([glass], facecolor="#6080a0", alpha=0.35, edgecolor="gray", linewidth=0.7, zorder=3)
        axes.add_collection3d(wall)

    axes.set(xlim=(lows[0], highs[0]), ylim=(lows[1], highs[1]), zlim=(bowl.lowest, bowl.highest))
    axes.set_proj_type("ortho")
    axes.set_box_aspect(box, zoom=0.85)
    axes.view_init(elev=ELEVATION, azim=azimuth)
    axes.set_xlabel(scaled_ticks(axes.xaxis, lows[0], highs[0], bowl.short[0], 5, 0.08), labelpad=10)
    axes.set_ylabel(scaled_ticks(axes.yaxis, lows[1], highs[1], bowl.short[1], 5, 0.08), labelpad=10)
    axes.set_zlabel(scaled_ticks(axes.zaxis, bowl.lowest, bowl.highest, "loss", 5, 0.08), labelpad=8)


def draw_flat(axes: Any, bowl: Bowl) -> None:
    """Draw the bowl from above."""
    rim = bowl.mesh(2, 181)[-1]
    x, y = np.meshgrid(*np.linspace(rim.min(axis=0), rim.max(axis=0), 151).T)
    levels = bowl.lowest + (bowl.highest - bowl.lowest) * np.linspace(0, 1, 15) ** 2
    heights = np.minimum(bowl.loss(np.stack([x, y], axis=-1)), levels[-1])
    colours = bowl.colours()
    edge = axes.add_patch(Polygon(rim, facecolor="none", edgecolor="gray", linewidth=0.7))
    for contours in (
        axes.contourf(x, y, heights, levels=levels, cmap=colours.cmap, norm=colours.norm),
        axes.contour(x, y, heights, levels=levels[1:-1], colors="white", linewidths=0.4),
    ):
        contours.set_clip_path(edge)
    narrow = bowl.is_round and np.ptp(x) < 0.7 * np.ptp(y)
    axes.set_xlabel(scaled_ticks(axes.xaxis, x.min(), x.max(), bowl.labels[0], 3 if narrow else 5))
    axes.set_ylabel(scaled_ticks(axes.yaxis, y.min(), y.max(), bowl.labels[1]))
    if bowl.is_round:
        axes.set_aspect("equal")  # only then does the path cross the contours at right angles


def _compass(angle: float) -> np.ndarray:
    """The direction of an angle in degrees."""
    return np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
