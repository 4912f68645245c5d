"""The workshop: both notebooks run from top to bottom, in a real kernel, with the answers that stand in them."""

import io
import json
import re
import tokenize
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {"en": ROOT / "examples" / "workshop.ipynb", "zh": ROOT / "examples" / "workshop.zh.ipynb"}
ANSWER = re.compile(r"<details>\n<summary>[^\n]*</summary>\n\n```python\n(.*)\n```\n\n</details>", re.S)
WRONG = """def linear_model(theta, x):
    w, b = theta['w'], theta['c']
    return w * x + b


check_linear_model(linear_model, language)"""
EXERCISES = ["model", "start", "loss", "hand", "gradient", "loop", "matrix"]


def read(language):
    return nbformat.read(NOTEBOOKS[language], as_version=4)


def is_exercise(cell):
    return "exercise" in cell.metadata.get("tags", [])


def answers_of(notebook):
    """The answers, by the id of the exercise: they are folded up at the end."""
    answers = {cell.id.removesuffix("-answer"): cell.source for cell in notebook.cells[-len(EXERCISES) :]}
    return {name: ANSWER.fullmatch(source)[1] for name, source in answers.items()}


def executed(language):
    """The cells by their ids, after they have run with the answers, and with a wrong one at the end."""
    notebook = read(language)
    for cell in notebook.cells:
        cell.source = answers_of(notebook).get(cell.id, cell.source)
    notebook.cells.append(nbformat.v4.new_code_cell(WRONG, id="wrong"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("MPLBACKEND", raising=False)
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(ROOT / "examples"))
    return {cell.id: cell for cell in notebook.cells}


def data_of(cell, kind):
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def printed(cell):
    assert all(output.name == "stdout" for output in cell.outputs if output.output_type == "stream")
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@pytest.mark.parametrize(
    "language, right, line", [("en", "Correct: ", "It happens in line 2:"), ("zh", "正确：", "出错的是第 2 行：")]
)
def test_a_run_with_the_answers(language, right, line):
    """One test, because to start a kernel takes seconds."""
    cells = executed(language)
    for name in EXERCISES:
        (text,) = data_of(cells[name], "text/plain")
        assert text.startswith(right)

    # An error is shown with the line of the cell.
    (text,) = data_of(cells["wrong"], "text/plain")
    assert "KeyError" in text and "'c'" in text
    assert text.splitlines()[1] == f"{line}  w, b = theta['w'], theta['c']"
    (shown,) = data_of(cells["wrong"], "text/html")
    assert "border-left: 6px solid #d1495b" in shown

    # The pictures, the explanation and the graph are shown, and the tools print.
    pictures = [name for name, cell in cells.items() if cell.cell_type == "code" and data_of(cell, "image/png")]
    assert pictures == ["make-data", "draw-start", "bowl", "draw"]
    (page,) = data_of(cells["explain"], "text/html")
    assert "-5.333" in page and "<script" in page
    (drawing,) = data_of(cells["graph"], "image/svg+xml")
    assert "mean" in drawing
    assert "np.log(v1) at [0] gave nan" in printed(cells["more-tools"]) and "np.multiply" in printed(cells["more-tools"])

    # The program finds the least-squares line, and grad gives the numbers of the gradient by hand.
    numbers = [list(map(float, re.findall(r"-?\d+\.\d+", line))) for line in printed(cells["train"]).splitlines()]
    np.random.seed(0)
    x = np.linspace(-2, 4, 40)
    best = np.polyfit(x, 2 * x + 1 + np.random.normal(scale=0.5, size=40), 1)
    np.testing.assert_allclose(numbers[1], best, rtol=1e-12)
    np.testing.assert_allclose(numbers[2], best, rtol=1e-7)
    for line in printed(cells["compare"]).splitlines():
        by_hand, by_grad = map(float, line.split()[1:])
        assert by_hand == pytest.approx(by_grad, rel=1e-14)
    found = [float(number) for number in re.findall(r"-?\d+\.\d+", printed(cells["train-many"]))]
    np.testing.assert_allclose(found, [1.0, -2.0, 0.5, 3.0], atol=0.03)


@pytest.mark.parametrize("language, word", [("en", "Not yet: "), ("zh", "还不对：")])
def test_without_an_answer_the_checks_say_what_to_do(language, word):
    cells = {cell.id: cell for cell in read(language).cells}
    names = {}
    exec(cells["imports"].source, names)
    for name in EXERCISES:
        definition, check = cells[name].source.rsplit("\n", 1)
        exec(definition, names)
        text = eval(check, names).text
        assert text.startswith(word) and ("`return`" in text or name == "gradient")


def code_without_words(source):
    """The tokens of a program without its comments, and with its strings left empty."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return ["''" if token.type == tokenize.STRING else token.string for token in tokens if token.type != tokenize.COMMENT]


def test_both_notebooks_have_the_same_cells():
    english, chinese = (read(language) for language in NOTEBOOKS)
    assert [(cell.id, cell.cell_type, cell.metadata) for cell in english.cells] == [
        (cell.id, cell.cell_type, cell.metadata) for cell in chinese.cells
    ]
    for ours, theirs in zip(english.cells, chinese.cells):
        if ours.cell_type == "code":
            assert code_without_words(ours.source) == code_without_words(theirs.source), ours.id
            assert ours.id == "imports" or "language = " not in ours.source
        else:
            assert headings(ours) == headings(theirs)
            assert re.search("[\u4e00-\u9fff]", theirs.source)
            assert not re.search("[\u4e00-\u9fff]", ours.source.replace("[中文版]", ""))
            assert re.findall(r"\$\$.*?\$\$", ours.source, re.S) == re.findall(r"\$\$.*?\$\$", theirs.source, re.S)
    ours, theirs = (answers_of(notebook) for notebook in (english, chinese))
    assert [*ours] == [*theirs] == EXERCISES
    assert all(code_without_words(ours[name]) == code_without_words(theirs[name]) for name in ours)


def headings(cell):
    """The numbers of a cell's headings, such as ['## 1.', ...]."""
    return re.findall(r"^#+ (?:\d+\.)?", cell.source, re.M)


@pytest.mark.parametrize("language", NOTEBOOKS)
def test_an_answer_differs_from_its_exercise_by_what_stands_for_the_dots(language):
    notebook = read(language)
    exercises = {cell.id: cell.source for cell in notebook.cells if is_exercise(cell)}
    assert [*exercises] == EXERCISES
    for name, answer in answers_of(notebook).items():
        dots = next(line for line in exercises[name].splitlines() if "..." in line)
        before, after = exercises[name].split(dots)
        assert answer.startswith(before) and answer.endswith(after)


@pytest.mark.parametrize("language", NOTEBOOKS)
def test_nothing_of_a_run_is_stored(language):
    """The pictures are for the reader to make. And a notebook that was saved after a run may hold paths of a machine."""
    text = NOTEBOOKS[language].read_text(encoding="utf-8")
    notebook = read(language)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"/home/|/Users/|/tmp/|[A-Z]:\\\\", text)
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("language", NOTEBOOKS)
def test_links_lead_to_files(language):
    text = "\n".join(cell.source for cell in read(language).cells)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 7
    for link in links:
        assert (ROOT / "examples" / link).exists()


@pytest.mark.parametrize("language", NOTEBOOKS)
def test_the_instructions_name_the_extra_and_the_file(language):
    text = read(language).cells[0].source
    assert '.venv/bin/pip install ".[workshop]"' in text
    assert f"jupyter lab examples/{NOTEBOOKS[language].name}" in text
    assert re.search(r"^workshop =\n    jupyterlab", (ROOT / "setup.cfg").read_text(encoding="utf-8"), re.M)
