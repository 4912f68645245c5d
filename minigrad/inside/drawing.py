"""graph: the recorded graph of a computation, as a picture, as DOT, and as Mermaid."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .layout import positions
from .trace import Trace, Value
from .writing import INFIX, operation_sign, short

INPUT, OPERATION, CONSTANT = "#cfe3ff", "#ffffff", "#eeeeee"
FORWARD, BACKWARD = "#555555", "#d6336c"
MOST_NODES = 500  # of a picture
MOST_ON_THE_LEFT = 40  # in a larger graph, the inputs stand where they are first used: else the picture is all edges


class Graph:
    """The graph of one call: inputs, constants, operations, and what they use.

    Attributes
    ----------
    trace : minigrad.inside.trace.Trace
    nodes : list of Value
        Every value comes after the values that it was computed from. A constant that is a number in the source is not a
        node, but part of the operation's label.
    edges : list of pairs of Value
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.nodes: list[Value] = list(trace.inputs)
        self.edges: list[tuple[Value, Value]] = []
        known = set(self.nodes)
        for operation in trace.operations:
            for value in operation.operands:
                if value not in known:
                    known.add(value)
                    self.nodes.append(value)
            for result in operation.results:
                known.add(result)
                self.nodes.append(result)
                self.edges += [(value, result) for value in dict.fromkeys(operation.operands)]
        self.cotangents = trace.cotangents

    def label(self, value: Value, grad: bool = False) -> list[str]:
        """Return the lines of a node's label: its name and operation, its value, and its cotangent."""
        if value.operation is None:
            lines = [value.name]
        else:
            sign = operation_sign(value.operation)
            number = next((a for a in value.operation.args[1:] if isinstance(a, (int, float)) and not isinstance(a, bool)), None)
            sign = f"{sign} {number}" if number is not None and value.operation.function in INFIX else sign
            lines = [sign if not value.is_named else f"{value.name}:  {sign}"]
        text = short(value.value, 3, 3)
        if not (value.node is None and value.name == text):
            lines.append(_form(value.value))
        if grad and value in self.cotangents:
            lines.append("g = " + _form(self.cotangents[value]))
        return lines

    def draw(self, ax: Any = None, grad: bool = False, file: Any = None) -> Any:
        """Draw the graph with matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. By default, a new figure of the fitting size.
        grad : bool, default False
            Show the cotangents too, and the edges that carried them back, in another colour.
        file : str, path or file, optional
            Save the picture there.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the graph has no nodes, or more than 500.
        """
        if not 0 < len(self.nodes) <= MOST_NODES:
            raise ValueError(
                f"a picture has 1 to {MOST_NODES} nodes, and this graph has {len(self.nodes)}; minigrad.explain folds long "
                f"computations, and Graphviz can draw to_dot()"
            )
        inputs = self.trace.inputs if len(self.nodes) <= MOST_ON_THE_LEFT else []
        at, points = positions(self.nodes, self.edges, inputs)
        labels = {value: self.label(value, grad) for value in self.nodes}
        width = 0.12 + 0.075 * max(len(line) for lines in labels.values() for line in lines)
        height = 0.12 + 0.17 * max(map(len, labels.values()))
        step_x, step_y = width + 0.55, height + 0.22
        xs, ys = [x for x, _ in at.values()], [y for _, y in at.values()]
        ys += [y for chain in points.values() for _, y in chain]
        size = (max(xs) - min(xs)) * step_x + width + 0.4, (max(ys) - min(ys)) * step_y + height + 0.4
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=size, dpi=min(110, 20_000 / max(size))).add_axes((0, 0, 1, 1))
        place = {value: (x * step_x, -y * step_y) for value, (x, y) in at.items()}
        for (start, end), chain in points.items():
            inner = [(x * step_x, -y * step_y) for x, y in chain]
            carried = grad and start in self.cotangents and end in self.cotangents
            _draw_edge(ax, place[start], place[end], inner, width, FORWARD, forwards=True, offset=0.05 if carried else 0)
            if carried:
                _draw_edge(ax, place[start], place[end], inner, width, BACKWARD, forwards=False, offset=-0.05)
        for value, (x, y) in place.items():
            _draw_node(ax, labels[value], x, y, width, height, value)
        ax.set_xlim(min(x for x, _ in place.values()) - width / 2 - 0.2, max(x for x, _ in place.values()) + width / 2 + 0.2)
        low, high = -max(ys) * step_y - height / 2 - 0.2, -min(ys) * step_y + height / 2 + 0.2
        ax.set_ylim(low, high)
        ax.set_aspect("equal")
        ax.axis("off")
        if file is not None:
            ax.figure.savefig(file)
        return ax

    def to_dot(self, grad: bool = False) -> str:
        """Return the graph in the language of Graphviz."""
        names = {value: f"n{i}" for i, value in enumerate(self.nodes)}
        lines = ["digraph {", "    rankdir=LR;", "    node [shape=box, style=filled, fontname=Helvetica];"]
        for value, name in names.items():
            text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in self.label(value, grad))
            lines.append(f'    {name} [label="{text}", fillcolor="{_colour(value)}"];')
        for start, end in dict.fromkeys(self.edges):
            lines.append(f"    {names[start]} -> {names[end]};")
            if grad and start in self.cotangents and end in self.cotangents:
                lines.append(f'    {names[end]} -> {names[start]} [color="{BACKWARD}", constraint=false];')
        return "\n".join([*lines, "}"]) + "\n"

    def to_mermaid(self, grad: bool = False) -> str:
        """Return the graph in the language of Mermaid, which GitHub shows in Markdown."""
        names = {value: f"n{i}" for i, value in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for value, name in names.items():
            text = "<br>".join(re.sub(r'["<>#&]', lambda match: f"#{ord(match[0])};", line) for line in self.label(value, grad))
            lines.append(f'    {name}["{text}"]')
        for start, end in dict.fromkeys(self.edges):
            lines.append(f"    {names[start]} --> {names[end]}")
            if grad and start in self.cotangents and end in self.cotangents:
                lines.append(f"    {names[end]} -.-> {names[start]}")
        return "\n".join(lines) + "\n"

    def _repr_svg_(self) -> str | None:
        """Show the graph in a notebook. A graph that is too large is shown as text."""
        if not 0 < len(self.nodes) <= MOST_NODES:
            return None
        buffer = io.StringIO()
        self.draw().figure.savefig(buffer, format="svg")
        return buffer.getvalue()

    def __repr__(self) -> str:
        return f"<graph of {len(self.trace.operations)} operations on {len(self.trace.inputs)} inputs>"


def graph(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Graph]:
    """Return the function that differentiates a call of `fun`, and returns its recorded graph.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `minigrad.grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns a `Graph`.

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`.

    Examples
    --------
    >>> import minigrad
    >>> print(minigrad.graph(lambda w: w * w + 3 * w)(2.0).to_mermaid(), end="")
    flowchart LR
        n0["w<br>2"]
        n1["*<br>4"]
        n2["*<br>6"]
        n3["+<br>10"]
        n0 --> n1
        n0 --> n2
        n1 --> n3
        n2 --> n3
    """
    return lambda *args, **kwargs: Graph(Trace().run(fun, args, kwargs, argnums, has_aux))


# ---- Parts of a picture ---------------------------------------------------------------------------------------------


def _form(value: Any) -> str:
    """Return a short text for a value: a number, a few numbers, or the shape."""
    if isinstance(value, (list, tuple)):
        return "..."
    return short(value, 3, 3) if np.size(value) <= 3 else f"{value.dtype}[{', '.join(map(str, value.shape))}]"


def _colour(value: Value) -> str:
    return CONSTANT if value.node is None else INPUT if value.operation is None else OPERATION


def _draw_node(ax: Any, lines: list[str], x: float, y: float, width: float, height: float, value: Value) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2 + 0.04, y - height / 2 + 0.04)
    box = FancyBboxPatch(
        corner, width - 0.08, height - 0.08, boxstyle="round,pad=0.04", facecolor=_colour(value), edgecolor="#333333", linewidth=0.8, zorder=2
    )
    ax.add_patch(box)
    for i, line in enumerate(lines):
        colour = BACKWARD if line.startswith("g = ") else "black"
        middle = y + (len(lines) - 1) * 0.085 - i * 0.17
        weight = "bold" if i == 0 else "normal"
        ax.text(x, middle, line, ha="center", va="center", fontsize=8, color=colour, weight=weight, zorder=3, parse_math=False)


def _draw_edge(
    ax: Any, start: tuple, end: tuple, inner: list, width: float, colour: str, forwards: bool, offset: float
) -> None:
    """Draw a smooth line through the points, with an arrow at its end."""
    from matplotlib.path import Path
    from matplotlib.patches import FancyArrowPatch

    ends = (start[0] + width / 2, start[1] + offset), (end[0] - width / 2, end[1] + offset)
    knots = [ends[0], *((x + side * width / 2, y + offset) for x, y in inner for side in (-1, 1)), ends[1]]  # straight past boxes
    if not forwards:
        knots.reverse()
    vertices, codes = [knots[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in zip(knots, knots[1:]):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Path.CURVE4] * 3
    arrow = FancyArrowPatch(path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=8, color=colour, linewidth=0.9, zorder=1)
    ax.add_patch(arrow)
