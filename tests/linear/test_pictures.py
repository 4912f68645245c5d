"""The pictures: what they show is true, and every text can be read."""

import io
import itertools
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from PIL import Image

from linear import initialize_linear_params, linear_model, pictures, read_csv, simulate
from linear.pictures import animation, bowl, diagrams, fit, loss, parameters, style
from linear.problem import Problem, vector
from linear.progress import train
from linear.reading import Data
from linear.ways import Way

ROOT = Path(__file__).parents[2]
LONG = "the number of people who were counted in the census of the year before, in thousands, without those who live abroad"


def some_data(n, features, targets):
    random = np.random.default_rng(0)
    x = random.normal(size=(n, len(features))) + 3
    y = x @ random.normal(size=(len(features), len(targets))) + random.normal(size=(n, len(targets)))
    one = len(targets) == 1
    return Data(x[:, 0] if len(features) == 1 else x, y[:, 0] if one else y, features, targets[0] if one else targets)


def problem_of(name):
    if name == "simulated":
        np.random.seed(0)
        return Problem.simulated(*simulate(100), {"w": 2.0, "b": 1.0})
    data = {
        "norris": lambda: read_csv(ROOT / "examples" / "data" / "norris.csv"),
        "longley": lambda: read_csv(ROOT / "examples" / "data" / "longley.csv"),
        "year": lambda: read_csv(ROOT / "examples" / "data" / "longley.csv", features=["year"]),
        "sixty": lambda: some_data(100, [f"feature_{i}" for i in range(60)], ["sales"]),
        "three outputs": lambda: some_data(50, list("abcdef"), ["red", "green", "blue"]),
        "a long name": lambda: some_data(50, [LONG], [LONG.replace(" ", "_").upper()]),
        "long names": lambda: some_data(50, [f"{LONG} ({i})" for i in range(5)], [LONG.upper()]),
        "constant": lambda: Data(some_data(20, ["a", "b"], ["y"]).x, np.full(20, 5.0), ["a", "b"], "y"),
        "many rows": lambda: some_data(100_000, ["age"], ["income"]),
    }[name]()
    return Problem.standardised(data)


@cache
def trained(name, steps=1000):
    problem = problem_of(name)
    np.random.seed(0)
    sizes = [None if problem.x.ndim == 1 else problem.x.shape[1], None if problem.y.ndim == 1 else problem.y.shape[1]]
    return problem, train(problem, initialize_linear_params(*sizes), Way("descent", steps, min(0.01, problem.stable_rate / 2)))


# ---- Every text can be read -----------------------------------------------------------------------------------------


@pytest.fixture
def drawn_texts(monkeypatch):
    """Each text that is drawn, with the corners of its box."""
    texts = []
    before = Text.draw

    def draw(text, renderer, *args, **kwargs):
        if text.get_visible() and text.get_text().strip():
            texts.append((text, text.get_window_extent(renderer)))
        return before(text, renderer, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", draw)
    return texts


def is_upright(text):
    return text.get_rotation() % 90 == 0


def check(texts, figure, may_leave=False):
    """No text leaves the figure, and no two overlap."""
    assert texts
    for text, box in texts if not may_leave else []:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text.get_text()
    for (text, box), (other, other_box) in itertools.combinations(texts, 2):
        if text is not other and is_upright(text) and is_upright(other):
            width = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            height = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            assert width < 1 or height < 1, (text.get_text(), other.get_text())


@pytest.mark.parametrize(
    "name, steps",
    [
        ("norris", 0),
        ("longley", 20_000),
        ("sixty", 100),
        ("three outputs", 100),
        ("a long name", 100),
        ("long names", 100),
        ("simulated", 1000),
        ("year", 100),
    ],
)
def test_no_text_is_cut_and_none_overlap(name, steps, drawn_texts, monkeypatch):
    figures = []
    monkeypatch.setattr(animation, "Figure", lambda **options: figures.append(Figure(**options)) or figures[0])
    monkeypatch.setattr(animation, "FRAMES", 3)
    drawn = pictures.draw_all(*trained(name, steps))
    captions = [i for i, (text, _) in enumerate(drawn_texts) if re.match("step .* loss", text.get_text())]
    last = captions[-1]
    still = [(text, box) for text, box in drawn_texts[:last] if not text.get_animated()]
    title = [(text, box) for text, box in drawn_texts[last - 1 : last + 1]]
    check([*{text: (text, box) for text, box in [*still, *title]}.values()], figures[0])
    for figure in drawn.figures.values():
        drawn_texts.clear()
        FigureCanvasAgg(figure).draw()
        # PNG files are as large as their texts need. GIF files are not.
        check(drawn_texts, figure, may_leave="long" in name and name != "longley")


def test_names():
    assert style.wrapped("short") == "short"
    assert style.wrapped("a cost of 3$", 7) == "a cost\nof 3\\$"
    for width, lines in ((10, 1), (24, 2), (40, 3)):
        rows = style.wrapped(LONG, width, lines).split("\n")
        assert len(rows) <= lines and all(len(row) <= width for row in rows)
        assert rows[0].startswith("the n") and rows[-1].endswith("oad") and ("…" in "".join(rows)) == (width < 40)
    assert style.shortened("abcdefgh", 5) == "ab…gh"
    assert style.wrapped("身高体重" * 3, 12, 3) == "身高体重身高\n体重身高体重"  # each takes the room of two letters


def test_a_font_that_has_the_characters_is_found(tmp_path, monkeypatch):
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    builder = FontBuilder(1000, isTTF=True)
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 700), (700, 700), (700, 0)):
        (pen.lineTo if point != (0, 0) else pen.moveTo)(point)
    pen.closePath()
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap({ord(mark): "box" for mark in "身高"})
    builder.setupGlyf({name: pen.glyph() for name in (".notdef", "box")})
    builder.setupHorizontalMetrics({name: (750, 0) for name in (".notdef", "box")})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "A Chinese Font", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "font.ttf")
    characters = {*"身高 cm"}
    assert style.fonts_for(characters)[1] == {*"身高"}  # of the fonts of this machine, none has them
    monkeypatch.setattr(fontManager, "ttflist", [*fontManager.ttflist])
    fontManager.addfont(tmp_path / "font.ttf")
    assert style.fonts_for(characters) == (["DejaVu Sans", "A Chinese Font"], set())
    assert style.fonts_for({*"身高体"})[1] == {"体"}
    assert style.fonts_for({*"cm"}) == (["DejaVu Sans"], set())
    names = style.Names.of(Problem.standardised(some_data(9, ["身高", "体"], ["y"])))
    assert names == style.Names(["身高", "feature 2"], ["y"], ["DejaVu Sans", "A Chinese Font"], {"feature 2": "体"})


def test_numbers():
    numbers = [1.00211681802, -0.25, 53_200_000.0, 4364.0, 1e-7, -3.5e120, 0.0, 123_456.0]
    expected = ["1.00212", "−0.25", "53,200,000", "4364", "1 · 10⁻⁷", "−3.5 · 10¹²⁰", "0", "123,456"]
    assert [style.number(value) for value in numbers] == expected
    assert style.number(4364.0, 3) == "4,360"
    assert style.number(1_712_345_678.5, 15) == "1,712,345,678.5"
    assert style.with_error(1.00211681802, 0.00042979) == "1.00212 ± 0.00043"
    assert style.with_error(-3482258.63, 890420.4) == "−3,482,259 ± 890,420"
    assert style.with_error(2.0, np.nan) == "2"
    assert style.with_error(2e120, 3e118) == "2 · 10¹²⁰ ± 3 · 10¹¹⁸"


# ---- What they show is true -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["norris", "simulated", "year"])
def test_the_bowl_of_a_line_is_the_loss_in_the_units_of_the_data(name):
    problem, training = trained(name)
    shape = bowl.bowl_of(problem, training.path, style.Names.of(problem))
    losses = [*training.losses, problem.loss(training.theta)]
    expected = np.array([losses[step] for step in training.steps]) * problem.loss_unit
    np.testing.assert_allclose(shape.loss(shape.path), expected, rtol=1e-7)
    at = 1941 if name == "year" else 0
    places = shape.mesh(3, 7).reshape(-1, 2)
    predicted = np.outer(places[:, 0], problem.data.x - at) + places[:, 1:]
    np.testing.assert_allclose(shape.loss(places), np.mean((predicted - problem.data.y) ** 2, axis=1), rtol=1e-9)
    assert ("height of the line at year = 1941" in shape.labels) == (name == "year")


@pytest.mark.parametrize("name", ["longley", "three outputs"])
def test_the_bowl_of_a_plane_is_the_loss_there(name):
    problem, training = trained(name)
    shape = bowl.bowl_of(problem, training.path, style.Names.of(problem))
    away = (training.path - vector(problem.best)).reshape(len(training.path), len(problem.modes[0]), -1)
    for place, step in zip(shape.path, away):
        shadow = np.zeros_like(step)
        for direction in problem.modes[1][[0, -1]]:
            shadow += np.outer(direction, direction @ step)
        expected = problem.loss(problem.theta(vector(problem.best) + shadow.ravel())) * problem.loss_unit
        np.testing.assert_allclose(shape.loss(place), expected, rtol=1e-7)
    assert shape.path[0, 0] < 0 < shape.path[0, 1]


@pytest.mark.parametrize("name", ["norris", "longley", "simulated", "year"])
def test_the_near_wall_of_the_bowl_is_glass_and_the_far_wall_shows_its_inside(name):
    problem, training = trained(name)
    shape = bowl.bowl_of(problem, training.path, style.Names.of(problem))
    figure = Figure()
    axes = figure.add_subplot(projection="3d", computed_zorder=False)
    bowl.draw_solid(axes, shape)
    FigureCanvasAgg(figure).draw()
    walls = [wall for wall in axes.collections if isinstance(wall, Poly3DCollection)]
    far, glass = ([path.vertices for wall in walls if wall.zorder == zorder for path in wall.get_paths()] for zorder in (1, 3))
    areas = np.array([signed_area(face) for face in far])
    # Seen from one side, all faces turn the same way. Those at the center have no area, and those at the outline little.
    assert np.abs(areas[areas < 0]).sum() < 0.003 * areas.sum()
    assert len(glass) == 1
    mesh = 23 * 72
    assert 0.3 * mesh < len(far) < mesh
    # The path is on the far wall at its start, or behind the glass.
    assert all(line.zorder <= 2 for line in axes.lines)


def signed_area(corners):
    x, y = corners[:, 0], corners[:, 1]
    return np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2


def test_the_loss_ends_where_rounding_begins():
    def above(name, steps=3000):
        problem, training = trained(name, steps)
        return np.array([*training.losses, problem.loss(training.theta)]) - problem.loss(problem.best)

    distance = above("norris")
    end = loss.rounding_begins(distance)
    assert np.all(np.diff(distance[: end - 100]) < 0) and np.all(distance[:end] > 0)
    # The exact distance shrinks by the same factor at every step. So does what is shown, up to its end.
    factors = distance[1:end] / distance[: end - 1]
    np.testing.assert_allclose(factors[: end - 200], factors[0], rtol=1e-3)
    assert distance[end] < 1e-15
    assert loss.rounding_begins(above("longley")) == 3001
    assert loss.rounding_begins(above("norris", 0)) == 1
    assert loss.rounding_begins(np.array([1.0, 1e-5, 1e-30, 1e-30])) == 2
    assert loss.rounding_begins(np.array([0.0])) == 0


def test_as_many_rows_as_parameters_have_no_standard_errors():
    problem = Problem.standardised(Data(np.array([0.0, 1.0]), np.array([1.0, 3.0]), ["x"], "y"))
    assert parameters.in_numbers(problem, problem.best) == ["2", "1"]


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_rounding_errors_of_a_perfect_fit_are_no_distance(slope):
    x = np.arange(9.0)
    problem = Problem.standardised(Data(x, slope * x + 7, ["x"], "y"))
    learned = {name: value + 1e-15 for name, value in problem.best.items()}
    figure = Figure()
    parameters.draw_parameters(figure, problem, learned, style.Names.of(problem))
    left, right, *_ = figure.axes
    drawn = [line for line in right.lines if line.get_marker() in ("o", "<", ">") and len(line.get_xdata())]
    assert [(line.get_marker(), *line.get_xdata()) for line in drawn] == [("o", 0.0, 0.0)]
    assert left.get_xlim()[1] >= 1.0


def test_the_parameters_and_the_equation():
    problem, training = trained("norris", 3000)
    names = style.Names.of(problem)
    assert parameters.in_numbers(problem, training.theta) == ["1.00212 ± 0.00043", "−0.26 ± 0.23"]
    written = style.equation(names, *problem.in_data_units(training.theta))
    assert written.replace("\u00a0", " ") == "y = 1.00212 · x − 0.262323"
    hundred = Problem.standardised(some_data(200, [f"f{i}" for i in range(100)], ["y"]))
    shown = parameters.rows_of(hundred, hundred.best)
    size = np.abs(vector(hundred.best))
    assert len(shown) == parameters.MOST and shown == sorted(shown)
    assert size[shown].min() >= np.delete(size, shown).max()
    outputs = style.Names.of(problem_of("three outputs"))
    assert parameters.labels_of(outputs)[:4] == ["red: a", "green: a", "blue: a", "red: b"]
    assert parameters.labels_of(outputs)[-1] == "blue: intercept"


@pytest.mark.parametrize(
    "name, w, b, words",
    [
        ("norris", "a number", "a number", "36 rows,\n1 input"),
        ("longley", "shape (6,)", "a number", "16 rows,\n6 inputs"),
        ("sixty", "shape (60,)", "a number", "100 rows,\n60 inputs"),
        ("three outputs", "shape (6, 3)", "shape (3,)", "50 rows,\n6 inputs"),
    ],
)
def test_the_matrices(name, w, b, words):
    problem = problem_of(name)
    theta = problem.theta(problem.in_data_units(problem.best))
    figure = Figure()
    diagrams.draw_matrix(figure, problem.data.x, theta)
    (axes,) = figure.axes
    texts = [(text.get_text(), to_hex(text.get_color())) for text in axes.texts]
    assert {("w", diagrams.WEIGHT), (w, diagrams.WEIGHT), ("b", diagrams.BIAS), (b, diagrams.BIAS)} <= {*texts}
    assert words in dict(texts) and f"shape {problem.data.x.shape}" in dict(texts) and f"shape {problem.y.shape}" in dict(texts)
    cells = sum(isinstance(patch, Rectangle) for patch in axes.patches) // 2
    k, m = problem.x.reshape(len(problem.y), -1).shape[1], problem.y.reshape(len(problem.y), -1).shape[1]
    assert cells == 6 * min(k, 6) + min(k, 6) * m + m + 6 * m
    first = linear_model(theta, problem.data.x)[:1].ravel()[0]
    assert diagrams._short(first) in dict(texts) and "⋮" in dict(texts)


@pytest.mark.parametrize("name", ["norris", "longley", "sixty", "three outputs"])
def test_the_network(name):
    problem = problem_of(name)
    names = style.Names.of(problem)
    figure = Figure()
    diagrams.draw_network(figure, problem.best, names, "")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    k, m = len(names.features), len(names.targets)
    inputs = [*range(k)] if k <= 12 else [*range(10), k - 1]
    weights = np.reshape(problem.best["w"], (k, m))[inputs]
    lines = [line for line in axes.lines if to_hex(line.get_color()) == diagrams.WEIGHT]
    assert len(lines) == weights.size and len(axes.lines) == weights.size + m
    for line, weight in zip(lines, weights.T.ravel()):
        assert line.get_linewidth() == pytest.approx(0.5 + 6 * abs(weight) / np.abs(weights).max())
        assert (line.get_linestyle() == "-") == (weight >= 0)
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    identities = [circle for circle in circles if to_hex(circle.get_edgecolor()) == diagrams.IDENTITY]
    assert len(identities) == m and all(patch.get_linestyle() == "--" for patch in identities)
    assert {*names.targets, *(names.features[i] for i in inputs), "the identity function"} <= {*texts}
    assert ("48 more inputs" in texts or "49 more inputs" in texts) == (k == 60)
    assert (style.number(weights[0, 0], 4) in texts) == (m == 1)


@pytest.mark.parametrize("k, m", [(1, 1), (12, 1), (1, 6), (2, 3), (3, 2)])
def test_the_numbers_of_the_network_do_not_cover_each_other(k, m):
    names = style.Names([f"x{i}" for i in range(k)], [f"y{i}" for i in range(m)], ["DejaVu Sans"], {})
    figure = Figure()
    diagrams.draw_network(figure, {"w": np.linspace(-0.51234, -0.21234, k * m).reshape(k, m), "b": np.full(m, -0.11234)}, names, "")
    figure.canvas.draw()
    numbers = [text for text in figure.axes[0].texts if re.fullmatch(r"\W0\.\d+", text.get_text())]
    assert len(numbers) == (k + 1) * m
    boxes = [text.get_window_extent() for text in numbers]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_the_compute_graph():
    problem, training = trained("longley")
    figure = Figure()
    diagrams.draw_graph(figure, problem.theta(training.path[0]), problem.x, problem.y)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"theta['w']", "theta['b']", "x", "y", "@", "mean", "g = 1"} <= {*texts}
    assert style.number(training.losses[0], 3) in texts


def test_many_points_become_a_density_and_the_legend_says_so():
    problem, training = trained("many rows", 10)
    figure = Figure()
    fit.draw_fit(figure, problem, training.theta, style.Names.of(problem))
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["data (100,000 points:\ndarker where there are more)", "learned line", "least squares"]
    (density,) = figure.axes[0].collections
    assert density.get_array().sum() == 100_000


@pytest.mark.parametrize("name, steps", [("norris", 1000), ("longley", 1000), ("norris", 0), ("constant", 100)])
def test_the_animation_ends_within_ten_seconds(name, steps):
    problem, training = trained(name, steps)
    names = style.Names.of(problem)
    content = animation.animate(problem, training, bowl.bowl_of(problem, training.path, names), names)
    picture = Image.open(io.BytesIO(content))
    assert "loop" not in picture.info  # it plays once
    frames, milliseconds = [], 0
    for i in range(picture.n_frames):
        picture.seek(i)
        frames.append(np.array(picture.convert("RGB")))
        milliseconds += picture.info["duration"]
    assert len(frames) == (60 if steps else 1)
    assert milliseconds == (60 - 1) * 120 + 1500 if steps else 1500
    assert (frames[0][0, 0] == 255).all() and len(content) < 400_000
    changes = [np.mean(old != new) for old, new in zip(frames, frames[1:])]
    assert all(0 < change < 0.2 for change in changes)


def test_the_frames_follow_the_path():
    problem, training = trained("norris")
    frames = animation.frames_of(training.path)
    assert frames[0] == 0 and frames[-1] == len(training.path) - 1 and frames == sorted({*frames})
    assert training.steps[0] == 0 and training.steps[-1] == 1000 and len(training.steps) == len(training.path)
    moves = np.linalg.norm(np.diff(training.path[frames], axis=0), axis=1)
    assert moves.max() < 0.1 * np.linalg.norm(training.path[0] - training.path[-1])
