"""The descent as an animation: the point in the bowl, beside the line that turns into place."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..model import linear_model
from ..problem import Problem
from ..progress import Training
from .bowl import Bowl, draw_solid
from .style import DATA, EXACT, LEARNED, Names, equation, number, spaced, wrapped

FRAMES, MILLISECONDS, PAUSE = 60, 120, 1500  # the last of the frames stays longer; all take 8.6 s
POINTS = 300  # of the data


def animate(problem: Problem, training: Training, bowl: Bowl, names: Names) -> bytes:
    """Draw the animation; return the content of a GIF file, which plays once.

    The parts that stand still are drawn once. For each picture, the moving parts are drawn on a copy of them.
    """
    figure = Figure(figsize=(9, 4.2), dpi=80)
    canvas = FigureCanvasAgg(figure)
    solid: Any = figure.add_axes((0.02, 0.04, 0.42, 0.86), projection="3d", computed_zorder=False)
    axes = figure.add_axes((0.6, 0.17, 0.36, 0.7))
    draw_solid(solid, bowl)
    near = [wall for wall in solid.collections if wall.zorder == 3]
    walls = bowl.loss(bowl.path)
    (trail,) = solid.plot([], [], [], color=LEARNED, linewidth=2)
    (ball,) = solid.plot([], [], [], "o", color=LEARNED, markeredgecolor="white", markersize=10)
    solid.plot(*bowl.center, bowl.lowest, "*", color="white", markeredgecolor="black", markersize=10, zorder=2)
    caption = figure.text(0.02, 0.95, "", fontsize=12, va="center")
    draw = _draw_line if problem.x.ndim == 1 else _draw_predictions
    turning, turn = draw(axes, problem, names)

    moving = [trail, ball, *near, turning, axes.get_legend(), axes.title, caption]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    pictures = []
    for i in frames_of(training.path):
        theta = problem.theta(training.path[i])
        trail.set_data_3d(*bowl.path[: i + 1].T, walls[: i + 1])
        ball.set_data_3d(*bowl.path[i : i + 1].T, walls[i : i + 1])
        turn(theta)
        caption.set_text(f"step {training.steps[i]:,}     loss {number(problem.loss(theta) * problem.loss_unit, 5)}")
        canvas.restore_region(still)
        for artist in moving:
            artist.draw(canvas.get_renderer())
        pictures.append(np.array(canvas.buffer_rgba())[..., :3])
    return _gif(pictures)


def frames_of(path: np.ndarray) -> list[int]:
    """Which places of the path are shown: as it comes close to the end, and the end itself."""
    left = np.linalg.norm(path - path[-1], axis=1)
    arrived = int(np.argmax(left <= 0.005 * left[0]))
    return [*spaced(arrived, FRAMES - 1).tolist(), len(path) - 1] if arrived else [len(path) - 1]


def _draw_line(axes: Any, problem: Problem, names: Names) -> tuple[Any, Callable[[dict[str, Any]], None]]:
    """Draw the data and the line. Return the line, and a function that turns it."""
    data = problem.data
    shown = spaced(len(data.y), POINTS)
    sample = _sample(len(shown), problem.rows)
    axes.scatter(data.x[shown], data.y[shown], s=14, color=DATA, alpha=0.6, linewidths=0, label=sample)
    axes.set_xlabel(wrapped(names.features[0], 40, 2))
    axes.set_ylabel(wrapped(names.targets[0], 30, 2))
    ends = np.array([data.x.min(), data.x.max()])
    exact = problem.in_data_units(problem.best)
    axes.plot(ends, exact[0] * ends + exact[1], color=EXACT, linestyle="--", linewidth=1, label="least squares")
    axes.legend(loc="upper left" if exact[0] >= 0 else "upper right")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    (line,) = axes.plot([], [], color=LEARNED, linewidth=2.5)

    def turn(theta: dict[str, Any]) -> None:
        slope, intercept = problem.in_data_units(theta)
        line.set_data(ends, slope * ends + intercept)
        axes.set_title(equation(names, slope, intercept, 10, 4), fontsize=10)

    return line, turn


def _draw_predictions(axes: Any, problem: Problem, names: Names) -> tuple[Any, Callable[[dict[str, Any]], None]]:
    """Draw where predictions equal observations, and the predictions. Return the predictions, and a function that moves them."""
    shown = spaced(len(problem.data.y), POINTS)
    x, y = (array[shown] for array in problem.shown)
    one = y.ndim == 1
    center, spread = problem.y_scale if one else (0.0, 1.0)
    ends = np.array([y.min(), y.max()]) * spread + center
    room = np.ptp(ends)
    axes.plot(ends, ends, color=EXACT, linestyle="--", linewidth=1, label="predicted = observed")
    axes.set(xlim=(ends[0] - room / 10, ends[1] + room / 10), ylim=(ends[0] - room / 2, ends[1] + room / 2))
    name = wrapped(names.targets[0], 24, 2) if one else "all outputs, standardised"
    axes.set(xlabel=f"{name}, observed", ylabel=f"{name}, predicted")
    sample = _sample(len(shown), problem.rows)
    (points,) = axes.plot([], [], "o", color=LEARNED, markersize=4, alpha=0.7, label=sample)
    axes.legend(loc="upper left")

    def turn(theta: dict[str, Any]) -> None:
        points.set_data((y * spread + center).ravel(), (linear_model(theta, x) * spread + center).ravel())

    return points, turn


def _sample(shown: int, n: int) -> str:
    return f"{n:,} points" if shown == n else f"{shown:,} of {n:,} points"


def _gif(pictures: list[np.ndarray]) -> bytes:
    """Pictures as a GIF file. All share the colours of the last one. The parts that stand still are stored once."""
    white, nothing = 126, 127  # Pillow might take another colour for white; `nothing` is transparent
    colours = Image.fromarray(pictures[-1]).quantize(white)
    palette = [*(colours.getpalette() or [])[: 3 * white], *(255, 255, 255), *(0, 0, 0)]
    images = []
    before = None
    for pixels in pictures:
        indices = np.array(Image.fromarray(pixels).quantize(palette=colours, dither=Image.Dither.NONE))
        indices[(pixels == 255).all(axis=-1)] = white
        image = Image.fromarray(indices if before is None else np.where(indices == before, np.uint8(nothing), indices))
        image.putpalette(palette)
        images.append(image)
        before = indices
    durations = [MILLISECONDS] * (len(images) - 1) + [PAUSE]
    content = io.BytesIO()
    options: dict[str, Any] = {"transparency": nothing, "disposal": 1, "duration": durations, "optimize": False}
    images[0].save(content, format="GIF", save_all=True, append_images=images[1:], **options)
    return content.getvalue()
