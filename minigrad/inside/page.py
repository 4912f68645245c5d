"""An explanation as a page for the browser: one file, which needs no network."""

from __future__ import annotations

import html
import itertools
import json
import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import tree
from .drawing import Graph
from .layout import positions
from .trace import Line, Trace, Value
from .writing import formula, operation_text, short

STEP_X, STEP_Y, WIDTH, HEIGHT = 240, 84, 200, 62  # of the picture, in pixels
MOST_STEPS = 400  # of a longer computation, the middle is left out
numbers = itertools.count()


def page(trace: Trace) -> str:
    """Return the whole page."""
    before, _, after = _template("page.html").partition("{{BODY}}")
    return before.replace("{{TITLE}}", html.escape(trace.title)) + fragment(trace) + after


def fragment(trace: Trace, with_style: bool = False) -> str:
    """Return the part of the page that shows the explanation. A notebook shows it as it is, with the style."""
    parts = {
        "ID": f"explain-{next(numbers)}", "SOURCE": _source(trace), "SVG": _svg(Graph(trace)),
        "STEPS": json.dumps(_steps(trace)).replace("</", "<\\/"),
    }
    text = re.sub("{{(ID|SOURCE|SVG|STEPS)}}", lambda match: parts[match[1]], _template("page_body.html"))
    style = _template("page.html").partition("<style>")[2].partition("</style>")[0]
    return f"<style>{style}</style>{text}" if with_style else text


def _template(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


# ---- Steps ----------------------------------------------------------------------------------------------------------


def _steps(trace: Trace) -> list[dict[str, Any]]:
    """Return what the page shows at each step: the text, a table, and which parts of the picture are lit or get a text."""
    name_of = {value: f"n{i}" for i, value in enumerate(Graph(trace).nodes)}
    given = {name_of[value]: _in_box(value.value) for value in name_of if value.operation is None}
    rows = [[value.name, short(value.value)] for value in trace.inputs]
    steps = [_step("inputs", "", ["name", "value"], rows, list(given), sets=given)]
    for operation in trace.operations:
        names = [name_of[result] for result in operation.results]
        edges = [f"{name_of[value]}-{name}" for value in operation.operands for name in names]
        rows = [[result.name, short(result.value)] for result in operation.results]
        sets = {name_of[result]: _in_box(result.value) for result in operation.results}
        text = f"{', '.join(result.name for result in operation.results)} = {operation_text(operation)}"
        text += " (in the backward pass of an inner derivative)" if operation.in_backward else ""
        steps.append(_step("forward", text, ["name", "value"], rows, names, edges, operation.line, sets))
    for visit in trace.visits:
        names = [name_of[result] for result in visit.operation.results]
        rows = [
            [formula(visit.operation, share), short(share.value), share.parent.name, short(share.total)] for share in visit.shares
        ]
        cotangent = {name_of[share.parent]: _in_box(share.total) for share in visit.shares if share.parent in name_of}
        cotangent |= _cotangents(names, visit.cotangent)
        edges = [f"{name_of[share.parent]}-{name}" for share in visit.shares for name in names if share.parent in name_of]
        text = f"the cotangent of {visit.operation.results[0].name if names else '?'} is g = {short(visit.cotangent)}"
        titles = ["rule", "hands", "to", "sum so far"]
        steps.append(_step("backward", text, titles, rows, names, edges, visit.operation.line, cotangent=cotangent))
    leaves = [[value.name, short(g)] for value, g in zip(trace.inputs, tree.leaves(trace.gradient))]
    steps.append(_step("gradient", "", ["by", "value"], leaves, [name_of[value] for value in trace.inputs]))
    if len(steps) > MOST_STEPS:
        steps = _folded(steps)
    return steps


def _step(
    stage: str, text: str, titles: list[str], rows: list, nodes: list[str], edges: list[str] = [], line: Line | None = None,
    sets: dict[str, str] = {}, cotangent: dict[str, str] = {},
) -> dict[str, Any]:
    return {
        "stage": stage, "text": text, "titles": titles, "rows": rows, "nodes": nodes, "edges": edges,
        "line": _id(line) if line else "", "sets": sets, "cotangent": cotangent,
    }


def _folded(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first and the last steps, and one step for all in between."""
    half = MOST_STEPS // 2
    middle = _step("...", f"{len(steps) - 2 * half} steps are left out here", [], [], [])
    for step in steps[half:-half]:
        middle["sets"] = middle["sets"] | step["sets"]
        middle["cotangent"] = middle["cotangent"] | step["cotangent"]
    return [*steps[:half], middle, *steps[-half:]]


# ---- The source -----------------------------------------------------------------------------------------------------


def _id(line: Line) -> str:
    return f"{Path(line.file).name}:{line.number}"


def _source(trace: Trace) -> str:
    """Return the lines that ran, with a few around them, as HTML."""
    lines: dict[str, set[int]] = {}
    for operation in trace.operations:
        lines.setdefault(operation.line.file, set()).update(range(operation.line.number - 2, operation.line.number + 2))
    parts = []
    for file, wanted in lines.items():
        spans = []
        last = None
        for number in sorted(wanted):
            text = linecache.getline(file, number).rstrip("\n")
            if not text and not linecache.getline(file, number):
                continue
            if last is not None and number > last + 1:
                spans.append("<span>...</span>")
            last = number
            place = html.escape(_id(Line(file, number, "")), quote=True)
            spans.append(f'<span data-line="{place}">{number:4}  {html.escape(text)}</span>')
        parts.append(f"<div>{html.escape(Path(file).name)}</div><pre>{''.join(spans)}</pre>")
    return "".join(parts)


# ---- The picture ----------------------------------------------------------------------------------------------------


def _svg(graph: Graph) -> str:
    """Return the graph as SVG, with empty places for values and cotangents."""
    at, points = positions(graph.nodes, graph.edges, graph.trace.inputs if len(graph.nodes) <= 40 else [])
    name_of = {value: f"n{i}" for i, value in enumerate(graph.nodes)}
    ys = [y for _, y in at.values()] + [y for chain in points.values() for _, y in chain]
    low = min(ys, default=0)

    def place(point: tuple) -> tuple[float, float]:
        return round(point[0] * STEP_X + WIDTH / 2 + 10, 1), round((point[1] - low) * STEP_Y + HEIGHT / 2 + 10, 1)

    width = max((x for x, _ in at.values()), default=0) * STEP_X + WIDTH + 20
    height = (max(ys, default=0) - low) * STEP_Y + HEIGHT + 20
    parts = [f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img">']
    for (start, end), chain in points.items():
        (x0, y0), (x1, y1) = place(at[start]), place(at[end])
        between = [(x + side * WIDTH / 2, y) for x, y in map(place, chain) for side in (-1, 1)]  # straight past boxes
        knots = [(x0 + WIDTH / 2, y0), *between, (x1 - WIDTH / 2, y1)]
        path = f"M{knots[0][0]} {knots[0][1]}"
        for (a, b), (c, d) in zip(knots, knots[1:]):
            path += f"C{(a + c) / 2:.1f} {b} {(a + c) / 2:.1f} {d} {c} {d}"
        parts.append(f'<path class="edge" data-edge="{name_of[start]}-{name_of[end]}" d="{path}"/>')
    for value, point in at.items():
        x, y = place(point)
        kind = "constant" if value.node is None else "input" if value.operation is None else "operation"
        parts.append(
            f'<g class="node {kind}" data-node="{name_of[value]}" transform="translate({x} {y})">'
            f'<title>{html.escape(_title(value))}</title>'
            f'<rect x="{-WIDTH / 2}" y="{-HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
            f'<text class="name" y="-14">{html.escape(_cut(graph.label(value)[0]))}</text>'
            f'<text class="value" y="4"></text><text class="g" y="22"></text></g>'
        )
    return "".join(parts) + "</svg>"


def _in_box(value: Any) -> str:
    """Return a value as a text that fits in a box: whole if it is small, else its form and its mean."""
    texts = [short(value, 4, 3), short(value, 3, 3)] if np.size(value) <= 3 else []
    if isinstance(value, np.ndarray) and value.size:
        form = f"{value.dtype}[{', '.join(map(str, value.shape))}]"
        texts += [f"{form}, mean {short(np.mean(value), 3)}", form]
    return next((text for text in texts if len(text) <= 25), "...")


def _cotangents(names: list[str], g: Any) -> dict[str, str]:
    """Return what to show as the cotangents of the results of an operation."""
    return dict(zip(names, map(_in_box, g if isinstance(g, list) else [g])))


def _title(value: Value) -> str:
    return value.name if value.operation is None else f"{value.name} = {operation_text(value.operation)}"


def _cut(text: str) -> str:
    return text if len(text) <= 22 else text[:20] + "..."
