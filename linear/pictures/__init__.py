"""The demo's pictures. Each subject has a file; what all share is in `style`."""

from __future__ import annotations

import errno
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.backends import BackendFilter, backend_registry
from matplotlib.figure import Figure

from ..problem import Problem
from ..progress import Training
from ..signals import finish_first
from ..ways import Way
from .animation import animate
from .bowl import bowl_of, draw_bowl
from .diagrams import draw_graph, draw_matrix, draw_network
from .divergence import draw_divergence
from .fit import draw_fit
from .loss import draw_loss
from .parameters import draw_parameters, rows_of
from .style import Names, wrapped

plt.rcdefaults()  # the settings of a user may need something that is not installed, such as TeX


def has_display() -> bool:
    """Whether windows can be shown here. A backend that cannot be loaded raises an error, of any kind."""
    plt.switch_backend(plt.get_backend())
    return plt.get_backend().lower() not in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)


@dataclass(frozen=True)
class Drawn:
    """The pictures of a training.

    Attributes
    ----------
    figures : dict
        From the name of a PNG file to its figure.
    animations : dict
        From the name of a GIF file to its content.
    replaced : dict
        From what the pictures call a column to its name, where no font of this machine has the name's characters.
    """

    figures: dict[str, Figure]
    animations: dict[str, bytes]
    replaced: dict[str, str]

    @property
    def files(self) -> list[str]:
        """The names of all files."""
        return [*self.figures, *self.animations]


def draw_all(problem: Problem, training: Training, show: bool = False) -> Drawn:
    """Draw the pictures of a training. With `show`, they are windows for `matplotlib.pyplot.show`."""
    names = Names.of(problem)
    theta = training.theta
    in_units = problem.in_data_units(theta)
    loss_name = _loss_name(problem, names)
    figures: dict[str, Figure] = {}

    def new(name: str, width: float, height: float, layout: Any = "constrained") -> Figure:
        figure = (plt.figure if show else Figure)(figsize=(width, height), dpi=100, layout=layout)
        figures[f"{name}.png"] = figure
        return figure

    with plt.rc_context({"font.family": names.fonts}):
        bowl = bowl_of(problem, training.path, names)
        draw_loss(new("loss", 9, 4.5), problem, training, loss_name)
        draw_fit(new("fit", 8, 6), problem, theta, names)
        draw_bowl(new("bowl", 12, 6.2, None), bowl, loss_name)
        draw_parameters(new("parameters", 11, 2.8 + 0.28 * len(rows_of(problem, theta))), problem, theta, names)
        draw_matrix(new("matrix", 1, 1, None), problem.data.x, problem.theta(in_units), problem.rows)
        comparable = problem.x.ndim > 1 and not problem.true
        weights = theta if comparable else problem.theta(in_units)
        units = "standardised units" if comparable else "the units of the data"
        draw_network(new("network", 1, 1, None), weights, names, f"Weights in {units}")
        draw_graph(new("graph", 1, 1, None), problem.theta(training.path[0]), problem.x, problem.y)
        animation = animate(problem, training, bowl, names)
    return Drawn(figures, {"descent.gif": animation}, names.replaced)


def draw_diverging(problem: Problem, training: Training, way: Way, show: bool = False) -> Drawn:
    """Draw a training that diverged. There is no line to draw."""
    names = Names.of(problem)
    figure = (plt.figure if show else Figure)(figsize=(11, 4.8), dpi=100, layout="constrained")
    with plt.rc_context({"font.family": names.fonts}):
        draw_divergence(figure, problem, training, way, _loss_name(problem, names))
    return Drawn({"divergence.png": figure}, {}, names.replaced)


def _loss_name(problem: Problem, names: Names) -> str:
    if problem.true:
        return "mean squared error"
    if len(names.targets) > 1:
        return "mean squared error,\nof standardised targets"
    return f"mean squared error,\nin squared units of {wrapped(names.targets[0], 30, 2)}"


def save(drawn: Drawn, folder: Path) -> list[Path]:
    """Write the pictures as files, all of them or none; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in drawn.files]
    for file in filter(Path.is_dir, files):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a picture", str(file))
    contents = [*map(_png, drawn.figures.values()), *drawn.animations.values()]
    # Each file is written beside its picture. When all are written, only renaming is left.
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
    """The content of a PNG file. Drawing takes seconds, and writing takes no time."""
    content = io.BytesIO()
    figure.savefig(content, format="png", bbox_inches="tight", pad_inches=0.1)  # as large as its texts need
    return content.getvalue()
