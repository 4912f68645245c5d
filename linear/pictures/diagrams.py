"""The model as diagrams: the matrices with their shapes, the network, and the compute graph of the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from minigrad import graph

from ..model import linear_model, mseloss
from .style import BIAS, DATA, IDENTITY, WEIGHT, Names, count, folded, number, wrapped

NEUTRAL = "#555555"
WHITE = {"facecolor": "white", "edgecolor": "none", "boxstyle": "square,pad=0.15"}  # behind text that lies on lines

# ---- The matrices ---------------------------------------------------------------------------------------------------


def draw_matrix(figure: Figure, x: np.ndarray, theta: dict[str, Any], n_rows: int | None = None) -> None:
    """Draw ``x @ w + b`` as boxes with their shapes and numbers; many rows or columns are folded.

    Parameters
    ----------
    x : array of shape (n,) or (n, k)
    theta : dict
        'w' and 'b': two numbers; shapes (k,) and (); or (k, m) and (m,).
    n_rows : int, optional
        How many rows there are, if `x` has only some of them.
    """
    w, b = np.asarray(theta["w"]), np.asarray(theta["b"])
    n, k, m = len(x), x.shape[1] if x.ndim > 1 else 1, np.size(b)
    y = linear_model(theta, x)
    n_rows = n_rows or n
    rows, inputs, outputs = count(n_rows, "row"), count(k, "input"), count(m, "output")
    boxes = [
        ("x", (n_rows, *x.shape[1:]), x.reshape(n, k), NEUTRAL, f"{rows},\n{inputs}"),
        ("w", w.shape, w.reshape(k, m), WEIGHT, f"{inputs},\n{outputs}"),
        ("b", b.shape, b.reshape(1, m), BIAS, f"{outputs},\nadded to every row"),
        ("prediction of y", (n_rows, *y.shape[1:]), y.reshape(n, m), DATA, f"{rows},\n{outputs}"),
    ]
    signs = ["@" if w.ndim else "*", "+", "="]
    axes = figure.add_axes((0, 0, 1, 1))
    left, tops = 0.0, []
    for (name, shape, cells, colour, words), sign in zip(boxes, [*signs, ""]):
        width, height = _draw_cells(axes, left, cells, colour)
        middle = left + width / 2
        axes.text(middle, height / 2 + 0.85, name, color=colour, ha="center", va="center", fontsize=16, weight="bold")
        axes.text(middle, height / 2 + 0.4, f"shape {shape}" if shape else "a number", color=colour, ha="center", va="center", fontsize=11)
        axes.text(middle, -height / 2 - 0.2, words, color=colour, ha="center", va="top", fontsize=10)
        tops.append(height / 2)
        left += max(width, 1.0)
        axes.text(left + 0.75, 0, sign, ha="center", va="center", fontsize=22)
        left += 1.5
    right = left - 1.5
    axes.text(right / 2, max(tops) + 1.25, f"The linear model: x {signs[0]} w + b", ha="center", va="bottom", fontsize=14)
    _frame(figure, axes, (-1.2, right + 1.2), (-max(tops) - 1.2, max(tops) + 1.75), 0.8)


def _draw_cells(axes: Any, left: float, cells: np.ndarray, colour: str) -> tuple[float, float]:
    """Draw a matrix, its middle at height 0; return its width and height."""
    rows, columns = folded(len(cells), 6), folded(cells.shape[1], 6)
    wide, high = 1.25, 0.5
    top = len(rows) * high / 2
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            corner = (left + j * wide, top - (i + 1) * high)
            dots = row is None or column is None
            axes.add_patch(Rectangle(corner, wide, high, facecolor="none" if dots else colour, alpha=0.18, linewidth=0))
            style = ":" if dots else "-"
            axes.add_patch(Rectangle(corner, wide, high, facecolor="none", edgecolor=colour, linewidth=0.8, linestyle=style))
            if dots:
                text = "⋱" if row is column else "⋮" if row is None else "…"
            else:
                text = _short(cells[row, column])
            size = 9 if len(text) < 11 else 8
            axes.text(corner[0] + wide / 2, corner[1] + high / 2, text, ha="center", va="center", fontsize=size)
    return len(columns) * wide, len(rows) * high


def _short(value: Any) -> str:
    text = number(value, 5)
    return text if len(text) < 11 else number(value, 3)


# ---- The network ----------------------------------------------------------------------------------------------------


def draw_network(figure: Figure, theta: dict[str, Any], names: Names, units: str) -> None:
    """Draw the model as a network: inputs, weights, bias, sums, the identity function, outputs; many are folded.

    The lines are thicker for larger weights. So the weights should be in units that can be compared.

    Parameters
    ----------
    theta : dict
        'w' and 'b', as for `draw_matrix`.
    units : str
        A sentence about the units of the weights.
    """
    m, k = len(names.targets), len(names.features)
    w, b = np.reshape(theta["w"], (k, m)), np.reshape(theta["b"], m)
    inputs, outputs = folded(k, 12), folded(m, 6)
    shown = [i for i in inputs if i is not None]
    largest = np.abs(w[shown]).max() or 1.0
    b = np.where(np.abs(b) < 1e-9 * largest, 0, b)  # rounding errors
    with_numbers = len(shown) * m <= (12 if m == 1 else 6)
    axes = figure.add_axes((0, 0, 1, 1))
    high = max(len(inputs), 2 * len(outputs))
    at = _spread(len(inputs) + 1, high + 1)  # the last place is for the bias
    sums = _spread(len(outputs), high + 1 if len(outputs) > 1 else 1)
    starts = [height for height, feature in zip(at, [*inputs, "bias"]) if feature is not None]
    edges = _Edges([(start, end) for start in starts for end in sums], [])
    for j, output in enumerate(outputs):
        y = sums[j]
        if output is None:
            axes.text(6, y, "⋮", ha="center", va="center", fontsize=20)
            axes.text(10.6, y, f"{m - len(outputs) + 1:,} more outputs", ha="left", va="center", fontsize=9, color=NEUTRAL)
            continue
        for i, feature in enumerate(inputs):
            if feature is not None:
                label = number(w[feature, output], 4) if with_numbers else ""
                _draw_weight(axes, at[i], y, w[feature, output], abs(w[feature, output]) / largest, WEIGHT, label, edges)
        label = number(b[output], 4) if with_numbers else ""
        _draw_weight(axes, at[-1], y, b[output], min(abs(b[output]) / largest, 1), BIAS, label, edges)
        _draw_node(axes, 6, y, "+", NEUTRAL)
        _draw_arrow(axes, (6.38, y), (7.62, y), IDENTITY, linestyle="--")
        _draw_node(axes, 8, y, "z ↦ z", IDENTITY, linestyle="--")
        _draw_arrow(axes, (8.38, y), (9.62, y), NEUTRAL)
        _draw_node(axes, 10, y, "", DATA)
        axes.text(10.6, y, wrapped(names.targets[output], 24, 3), ha="left", va="center", fontsize=10)
    axes.text(8, sums[0] + 0.62, "the identity function", color=IDENTITY, ha="center", va="bottom", fontsize=10)
    for i, feature in enumerate(inputs):
        if feature is None:
            axes.text(0, at[i], "⋮", ha="center", va="center", fontsize=16)
            axes.text(-0.6, at[i], f"{k - len(shown):,} more inputs", ha="right", va="center", fontsize=9, color=NEUTRAL)
        else:
            _draw_node(axes, 0, at[i], "", NEUTRAL)
            axes.text(-0.6, at[i], wrapped(names.features[feature], 28, 2), ha="right", va="center", fontsize=10)
    _draw_node(axes, 0, at[-1], "1", BIAS)
    axes.text(-0.6, at[-1], "bias", ha="right", va="center", fontsize=11, color=BIAS)
    handles = [
        Line2D([], [], color=WEIGHT, linewidth=3, label="weight, positive"),
        Line2D([], [], color=WEIGHT, linewidth=3, linestyle=(0, (2, 1)), alpha=0.55, label="weight, negative"),
        Line2D([], [], color=BIAS, linewidth=3, label="bias"),
        Line2D([], [], color=IDENTITY, linewidth=1.5, linestyle="--", label="identity"),
    ]
    bottom, top = at[-1] - 0.7, max(at[0], sums[0] + 0.6) + 0.5
    axes.legend(handles=handles, loc="lower center", ncols=4, frameon=False, bbox_to_anchor=(0.5, 0), fontsize=9)
    words = f"The linear model as a network\nThe thicker a line, the larger is its weight. {units}"
    words += "" if with_numbers else "; parameters.png has the numbers"
    axes.text(4.5, top + 0.25, words, ha="center", va="bottom", fontsize=12)
    _frame(figure, axes, (-5.2, 14.2), (bottom - 0.7, top + 1.6), 0.5)


def _spread(n: int, height: float) -> np.ndarray:
    """Heights of n nodes, from the top."""
    return np.linspace(height / 2, -height / 2, n) if n > 1 else np.zeros(1)


def _draw_weight(
    axes: Any, start: float, end: float, value: float, size: float, colour: str, label: str, edges: _Edges
) -> None:
    negative = value < 0
    style: Any = (0, (2, 1)) if negative else "-"
    pale = 0.55 if negative else 1.0
    axes.plot([0.38, 5.62], [start, end], color=colour, linewidth=0.5 + 6 * size, linestyle=style, alpha=pale, zorder=1)
    if label:
        x, y = edges.place_of_number(start, end)
        axes.text(x, y, label, color=colour, ha="center", va="center", fontsize=9, bbox=WHITE, zorder=3)


class _Edges(NamedTuple):
    """The weights' edges, by their heights at the two ends, and the places of the numbers that are drawn already."""

    ends: list[tuple[float, float]]
    numbers: list[tuple[float, float]]

    def place_of_number(self, start: float, end: float) -> tuple[float, float]:
        """The place on an edge that is furthest from the other edges, and that no number covers."""

        def at(part: float) -> tuple[float, float]:
            return 0.38 + 5.24 * part, start + (end - start) * part

        def is_free(part: float) -> bool:  # a number is at most 1.1 wide and 0.4 high
            x, y = at(part)
            return not any(abs(x - other[0]) < 1.1 and abs(y - other[1]) < 0.4 for other in self.numbers)

        def gap(part: float) -> float:
            others = [low + (high - low) * part for low, high in self.ends if (low, high) != (start, end)]
            return min(abs(at(part)[1] - other) for other in others)

        parts = np.linspace(0.25, 0.75, 21)
        place = at(max(filter(is_free, parts), key=gap, default=parts[0]))
        self.numbers.append(place)
        return place


def _draw_node(axes: Any, x: float, y: float, text: str, colour: str, linestyle: str = "-") -> None:
    axes.add_patch(Circle((x, y), 0.38, facecolor="white", edgecolor=colour, linewidth=2, linestyle=linestyle, zorder=2))
    axes.text(x, y, text, color=colour, ha="center", va="center", fontsize=11 if len(text) == 1 else 8, zorder=3)


def _draw_arrow(axes: Any, start: tuple, end: tuple, colour: str, linestyle: str = "-") -> None:
    line: dict[str, Any] = {"color": colour, "linewidth": 1.8, "linestyle": linestyle, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, **line))


def _frame(figure: Figure, axes: Any, across: tuple[float, float], upright: tuple[float, float], inches: float) -> None:
    """Show this part of the plane, and give the figure the size for it: so many inches for each unit."""
    axes.set(xlim=across, ylim=upright, aspect="equal")
    axes.axis("off")
    figure.set_size_inches((across[1] - across[0]) * inches, (upright[1] - upright[0]) * inches)


# ---- The compute graph ----------------------------------------------------------------------------------------------


def draw_graph(figure: Figure, theta: dict[str, Any], x: np.ndarray, y: np.ndarray) -> None:
    """Draw what minigrad records of the loss at theta, and the cotangents that its backward pass hands back."""
    recorded = graph(mseloss)(theta, linear_model, x, y)
    axes = recorded.draw(figure.add_axes((0, 0, 1, 1)), grad=True)
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    middle = (left + right) / 2
    axes.text(
        middle, high + 0.05, "The compute graph of the loss, at the starting values", ha="center", va="bottom", fontsize=13
    )
    words = ["blue: what is learned", "grey: data", "white: operations", "dark arrows: the loss is computed"]
    words.append("red arrows: the gradient comes back, g is the cotangent")
    axes.text(middle, low - 0.1, "      ".join(words), ha="center", va="top", fontsize=8)
    _frame(figure, axes, (left, right), (low - 0.4, high + 0.45), 1)
