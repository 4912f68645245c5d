"""graph: the recorded graph as a picture, as DOT, and as Mermaid; and its layout, without overlap."""

import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from minigrad import graph
from minigrad.inside.layout import positions


def linear_model(theta, x):
    return theta["w"] * x + theta["b"]


def mseloss(theta, model, x, y):
    residual = model(theta, x) - y
    return np.mean(residual ** 2)


LINEAR = graph(mseloss)({"w": 1.5, "b": 0.5}, linear_model, np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 8.0]))


def network(layers):
    rng = np.random.default_rng(0)
    theta = [(rng.normal(size=(3, 3)), rng.normal(size=3)) for _ in range(layers)]

    def loss(theta, x):
        for w, b in theta:
            x = np.tanh(x @ w + b)
        return np.sum(x * x)

    return graph(loss)(theta, rng.normal(size=(4, 3)))


def recurrence(steps):
    def loss(w, xs):
        h, losses = 0.0, []
        for x in xs:
            h = np.tanh(w[0] * x + w[1] * h)
            losses.append(h * h)
        return sum(losses)

    return graph(loss)(np.array([0.5, 0.3]), np.arange(1.0, steps + 1))


def test_nodes_and_edges_of_the_linear_model():
    names = [value.name for value in LINEAR.nodes]
    assert names == ["theta['b']", "theta['w']", "x", "v0", "v1", "y", "residual", "v3", "v4"]
    edges = {(start.name, end.name) for start, end in LINEAR.edges}
    assert edges == {
        ("theta['w']", "v0"), ("x", "v0"), ("v0", "v1"), ("theta['b']", "v1"), ("v1", "residual"), ("y", "residual"),
        ("residual", "v3"), ("v3", "v4"),
    }
    labels = {value.name: LINEAR.label(value, grad=True) for value in LINEAR.nodes}
    assert labels["theta['w']"] == ["theta['w']", "1.5", "g = -5.33"]
    assert labels["residual"] == ["residual:  -", "[0, 0.5, -3]", "g = [0, 0.333, -2]"]
    assert labels["v3"][0] == "** 2"


@pytest.mark.parametrize("drawn", [LINEAR, network(5), network(40), recurrence(8), recurrence(20)], ids=repr)
def test_no_nodes_overlap_and_all_edges_run_to_the_right(drawn):
    at, points = positions(drawn.nodes, drawn.edges, drawn.trace.inputs)
    assert len(at) == len(drawn.nodes)
    occupied = [*at.values(), *(point for chain in points.values() for point in chain)]
    columns = {}
    for x, y in occupied:
        columns.setdefault(x, []).append(y)
    assert min(np.min(np.diff(sorted(ys)), initial=np.inf) for ys in columns.values()) > 1 - 1e-9
    for (start, end), chain in points.items():
        xs = [at[start][0], *(x for x, _ in chain), at[end][0]]
        assert np.all(np.diff(xs) == 1)
    assert {at[value][0] for value in drawn.trace.inputs} == {0.0}


@pytest.mark.parametrize("grad", [False, True])
def test_the_picture_has_a_box_for_each_node_and_an_arrow_for_each_edge(grad):
    file = io.BytesIO()
    ax = LINEAR.draw(grad=grad, file=file)
    assert file.getvalue().startswith(b"\x89PNG")
    boxes = [patch for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]
    arrows = [patch for patch in ax.patches if type(patch).__name__ == "FancyArrowPatch"]
    back = 6 if grad else 0  # not to x and y, which are constants
    assert (len(boxes), len(arrows)) == (9, 8 + back)
    assert len({arrow.get_edgecolor() for arrow in arrows}) == 1 + grad
    texts = [text.get_text() for text in ax.texts]
    assert ("g = -5.33" in texts) == grad and "theta['w']" in texts
    # No text is wider than its box.
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    widest = max(text.get_window_extent(renderer).width for text in ax.texts)
    assert widest < min(box.get_window_extent(renderer).width for box in boxes)


def test_dot():
    dot = LINEAR.to_dot(grad=True)
    assert dot.count("->") == 8 + 6 and dot.count("label=") == 9
    assert 'n0 [label="theta[\'b\']\\n0.5\\ng = -1.67"' in dot
    quoted = graph(lambda p: p['say "w"'] * 2.0)({'say "w"': 1.0}).to_dot()
    assert "p['say \\\"w\\\"']" in quoted


def test_mermaid():
    assert graph(lambda w: w * w)(2.0).to_mermaid(grad=True) == (
        'flowchart LR\n    n0["w<br>2<br>g = 4"]\n    n1["*<br>4<br>g = 1"]\n    n0 --> n1\n    n1 -.-> n0\n'
    )
    assert "#60;" in graph(lambda p: p["<"] * 2.0)({"<": 1.0}).to_mermaid()


def test_a_notebook_shows_svg():
    root = ElementTree.fromstring(re.sub(r"^.*?(<svg)", r"\1", LINEAR._repr_svg_(), flags=re.S))
    assert root.tag.endswith("svg")


def test_a_graph_that_is_too_large_or_empty_has_no_picture():
    def long(x):
        for _ in range(600):
            x = x * 1.5
        return x

    for too_much in (graph(long)(0.5), graph(lambda p: 1.0)({})):
        with pytest.raises(ValueError, match="to_dot"):
            too_much.draw()
        assert too_much._repr_svg_() is None and too_much.to_dot().startswith("digraph")
