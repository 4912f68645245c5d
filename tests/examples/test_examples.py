"""The examples as their readers run them: as processes, in a folder of their own."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CHAPTERS = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
DERIVATIVE, ENGINE, ARRAYS, LINE, MATRIX, LOGISTIC = CHAPTERS[:6]
AGAINST_JAX = EXAMPLES / "11_against_jax.py"
BENCHMARK = EXAMPLES / "benchmark.py"
SCIPY = EXAMPLES / "scipy_minimize.py"

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")


def run(folder, *command, **variables):
    """Run Python in a folder; return its exit status, standard output and standard error."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "MPLBACKEND": "Agg", **variables}
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def succeed(folder, *command, **variables):
    status, output, errors = run(folder, *command, **variables)
    assert (status, errors) == (0, "")
    return output


def numbers(output, name):
    """The numbers in the line that begins with that name."""
    [line] = [line for line in output.splitlines() if line.startswith(name)]
    return [float(number) for number in re.findall(r"(?<![\w.])-?\d+\.\d+", line)]


def promised(program):
    """What the comments of a program say that it prints."""
    return "".join(re.findall(r"^# prints: ?(.*\n)", program.read_text(), re.MULTILINE))


# The comparison with JAX needs JAX, and has a test of its own.
@pytest.mark.parametrize("program", [c for c in CHAPTERS if c != AGAINST_JAX], ids=lambda program: program.stem)
def test_prints_what_its_comments_say_and_saves_nothing(program, tmp_path):
    assert succeed(tmp_path, program) == promised(program)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", CHAPTERS, ids=lambda program: program.stem)
def test_has_two_pages_in_cells(program):
    """A page has 72 lines. The file begins with prose and goes on with code; an editor that knows cells shows both."""
    lines = program.read_text().splitlines()
    cells = [line for line in lines if line.startswith("# %%")]
    assert len(lines) <= 2 * 72 and max(map(len, lines)) <= 125
    assert lines[0] == "# %% [markdown]" and lines[1].startswith(f"# # {int(program.name[:2])}. ")
    assert set(cells) == {"# %%", "# %% [markdown]"} and len(cells) >= 6
    for cell in program.read_text().split("# %% [markdown]\n")[1:]:
        assert all(line.startswith("#") for line in cell.split("# %%")[0].splitlines() if line)


def test_scipys_solvers_find_the_least_squares_answer(tmp_path):
    output = succeed(tmp_path, SCIPY)
    assert output == promised(SCIPY)
    learned, exact = ([line for line in output.splitlines() if line.startswith(name)] for name in (("weights", "biases"), "least"))
    assert [line.split(None, 1)[1] for line in learned] == [line.split(None, 2)[2] for line in exact]
    assert output.endswith("distances         [ 10. -10.]\n")


def test_the_derivatives_of_numbers_are_right():
    """What the first two chapters print, held against the formulas, and their mistakes against what they must give."""
    output = promised(DERIVATIVE)
    for w, by_hand, by_grad in re.findall(r"w = +(\S+) +by hand +(\S+) +by grad +(\S+)", output):
        assert float(by_hand) == float(by_grad) == 2 * float(w) + 3
    for step, error in re.findall(r"^step (1e\S+) .* error (\S+)$", output, re.MULTILINE):
        h = float(step)
        assert float(error) <= 1.5 * (h + 16 * np.spacing(23.0) / h)
        assert h < 1e-4 or float(error) == pytest.approx(h)
    for rate, w in re.findall(r"^learning rate +(\S+) .* steps +(\S+)$", output, re.MULTILINE):
        assert float(w) == pytest.approx(-1.5 + 5.5 * (1 - 2 * float(rate)) ** 50, abs=1e-6)

    output = promised(ENGINE)
    assert output.count("x * x at 3: 3.0 is wrong") == output.count("x * x at 3: 6.0\n") == 1  # 2 x
    assert output.count("a + a at 3: 18.0 is wrong") == output.count("a + a at 3: 12.0\n") == 1  # 4 x
    assert f"16 doublings: {2**16} is right, after {2**17 - 1} calls" in output  # 1 + 2 + ... + 2**16 calls
    assert f"16 doublings: {2**16}, after 17 visits" in output
    assert output.count(f"{4 + np.cos(2.0):.6f}") == 2


def test_the_derivatives_of_arrays_are_right():
    rng = np.random.default_rng(0)
    w, b, x = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(5, 3))
    by_b = 2 * (x @ w + b).sum(axis=0)
    assert f"by b[0]: {by_b[0]:.6f}, by finite differences {by_b[0]:.6f}\n" in promised(ARRAYS)


def test_line_is_the_least_squares_line():
    np.random.seed(42)
    x = np.linspace(-5, 5, 100)
    y = 2.0 * x + 20.0 + np.random.normal(size=100)
    best = np.linalg.lstsq(np.column_stack([x, np.ones(100)]), y)[0]
    output = promised(LINE)
    np.testing.assert_allclose(numbers(output, "learned"), best, rtol=0, atol=1e-10)
    np.testing.assert_allclose(numbers(output, "least squares"), best, rtol=0, atol=1e-10)
    [last_loss] = numbers(output, "loss at step 2999")
    assert last_loss == pytest.approx(np.mean((x * best[0] + best[1] - y) ** 2), abs=1e-6)


@needs_jax
def test_line_is_the_program_written_for_jax(tmp_path):
    """Changing the import back gives a JAX program that prints the same, digit for digit."""
    ours, theirs = "from minigrad import grad\n", "from jax import grad\n"
    source = LINE.read_text()
    assert source.count(ours) == 1
    (tmp_path / "with_jax.py").write_text(source.replace(ours, theirs))
    assert succeed(tmp_path, "with_jax.py", JAX_ENABLE_X64="1", JAX_PLATFORMS="cpu") == promised(LINE)


def test_line_draws_its_losses_when_asked(tmp_path):
    assert succeed(tmp_path, LINE, "--plot", "losses.png") == promised(LINE)
    assert imread(tmp_path / "losses.png").std() > 0.05


@pytest.mark.parametrize("file, complaint", [("missing/losses.png", "No such file"), ("losses.xyz", "not supported")])
def test_line_says_that_it_cannot_save_its_picture(file, complaint, tmp_path):
    status, output, errors = run(tmp_path, LINE, "--plot", file)
    assert (status, output) == (1, promised(LINE))
    assert errors.count("\n") == 1 and errors.startswith("there is no picture: ") and complaint in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program, pictures", [(LINE, 1), *((program, 0) for program in CHAPTERS[5:8])])  # those that read data
def test_runs_as_a_notebook(program, pictures):
    """A notebook has no __file__, runs in its folder, has the arguments of its kernel, and shows pictures by itself."""
    before = list(EXAMPLES.iterdir())
    notebook = """if True:
        import pathlib, sys
        import matplotlib.pyplot as plt
        sys.modules["ipykernel"] = sys
        plt.show = lambda: print("pictures:", len(plt.get_fignums()))
        exec(pathlib.Path(sys.argv[1]).read_text(), {"__name__": "__main__"})
    """
    shown = f"pictures: {pictures}\n" * pictures
    assert succeed(EXAMPLES, "-c", notebook, program.name, "-f", "kernel.json") == promised(program) + shown
    assert list(EXAMPLES.iterdir()) == before


def test_matrix_is_the_least_squares_matrix():
    np.random.seed(0)
    x = np.random.normal(size=(200, 3))
    w = np.array([[1.0, -2.0], [0.5, 3.0], [4.0, 0.0]])
    y = x @ w + np.array([10.0, -10.0]) + np.random.normal(scale=0.1, size=(200, 2))
    best = np.linalg.lstsq(np.column_stack([x, np.ones(200)]), y)[0]
    output = promised(MATRIX)
    table = np.array([numbers(output, name) for name in ("w[0] ", "w[1] ", "w[2] ", "b ")])
    np.testing.assert_allclose(table[:, 0:2], best, rtol=0, atol=1e-8)  # learned
    np.testing.assert_allclose(table[:, 2:4], best, rtol=0, atol=1e-8)  # least squares


def test_logistic_regression_has_found_the_minimum():
    """SciPy finds the same smallest loss, and recognises the same tumours."""
    table = np.loadtxt(EXAMPLES / "data" / "breast_cancer.csv", delimiter=",", skiprows=1)
    assert (table.shape, table[:, -1].sum()) == ((569, 31), 212)
    x, y = table[:, :-1], table[:, -1]
    x = np.column_stack([(x - x[:400].mean(axis=0)) / x[:400].std(axis=0), np.ones(569)])

    def loss(theta):
        z = x[:400] @ theta
        p = scipy.special.expit(z)
        value = scipy.special.xlogy(y[:400], p).sum() + scipy.special.xlog1py(1 - y[:400], -p).sum()
        weights = np.append(theta[:-1], 0)
        return -value / 400 + 0.01 * weights @ weights, x[:400].T @ (p - y[:400]) / 400 + 0.02 * weights

    best = scipy.optimize.minimize(loss, np.zeros(31), jac=True, method="BFGS", options={"gtol": 1e-10})
    output = promised(LOGISTIC)
    assert numbers(output, "loss at step 2999") == [pytest.approx(best.fun, abs=1e-6)]
    malignant = x[400:] @ best.x > 0
    assert f"malignant: {np.sum(malignant & (y[400:] == 1))} of 39 are recognised" in output
    assert f"benign   : {np.sum(~malignant & (y[400:] == 0))} of 130 are recognised" in output


def test_without_a_price_for_large_weights_logistic_regression_has_no_minimum():
    """As its chapter says: there are weights without an error in the 400 rows."""
    table = np.loadtxt(EXAMPLES / "data" / "breast_cancer.csv", delimiter=",", skiprows=1)[:400]
    x = (table[:, :-1] - table[:, :-1].mean(axis=0)) / table[:, :-1].std(axis=0)
    sides = -np.where(table[:, -1:] == 1, 1, -1) * np.column_stack([x, np.ones(400)])
    found = scipy.optimize.linprog(np.zeros(31), A_ub=sides, b_ub=-np.ones(400), bounds=(None, None))
    assert found.success and (sides @ found.x < 0).all()


@needs_jax
def test_no_difference_to_jax(tmp_path):
    output = succeed(tmp_path, AGAINST_JAX, JAX_PLATFORMS="cpu")
    assert output == promised(AGAINST_JAX)
    rows = re.findall(r"^(\[.*\]) +(-?\d+\.\d+) +(-?\d+\.\d+)$", output, re.MULTILINE)
    assert len(rows) == 22
    assert all(ours == theirs for _, ours, theirs in rows)
    assert output.endswith("largest difference below 1e-13: True\n")

    # And both are right, where the answer is easily worked out
    found = {name: float(number) for name, number, _ in rows}
    x = np.linspace(-1, 1, 20)
    residuals = 0.5 * x - 0.5 - (3 * x + 1)
    assert found["['w']"] == pytest.approx(2 * np.mean(residuals * x), abs=1e-12)
    assert found["['b']"] == pytest.approx(2 * np.mean(residuals), abs=1e-12)
    assert found["[3]"] == 12.0  # the slope of 4 x**2 at 1.5
    assert found["['scale']"] == pytest.approx(np.log(1.5) + np.log(2.5), abs=1e-12)


def test_the_digits_are_those_of_the_archive():
    """1,797 rows, with as many pictures of each digit as its description says."""
    table = np.loadtxt(EXAMPLES / "data" / "digits.csv.gz", delimiter=",", dtype=int)
    assert table.shape == (1797, 65) and (table[:, :64].min(), table[:, :64].max()) == (0, 16)
    assert np.bincount(table[:, 64]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_network_reads_most_digits_and_a_hidden_layer_helps():
    """The shares are of 1,400 and 397 rows. Whoever says the most frequent digit each time is right in 10 per cent."""
    found = re.findall(r"right: ([\d.]+)% of the rows seen, ([\d.]+)% of the others", promised(EXAMPLES / "07_a_small_network.py"))
    (one_seen, one_new), (two_seen, two_new) = np.array(found, dtype=float)
    assert 88 < one_new < two_new < two_seen and one_new < one_seen < two_seen < 100
    for share, rows in (one_seen, 1400), (one_new, 397), (two_seen, 1400), (two_new, 397):
        assert abs(share - 100 * round(share * rows / 100) / rows) < 0.051


def test_newton_finds_the_certified_answer_and_descent_does_not():
    """The last columns of chapter 8: descent, Newton's method, and the answer that stands in the description of the data."""
    certified = re.search(r"longley\.csv .*intercept (\S+); (.*);", (EXAMPLES / "data" / "README.md").read_text())
    expected = [float(number) for number in (*certified[2].split(", "), certified[1])]
    rows = [line.split() for line in promised(EXAMPLES / "08_second_derivatives.py").splitlines()[-7:]]
    descent, newton, shown = np.array(rows, dtype=float).T
    np.testing.assert_allclose(shown, expected, rtol=1e-10)
    np.testing.assert_allclose(newton, expected, rtol=1e-10)
    assert np.all(np.abs(descent / expected - 1) > 0.1)


def test_says_that_jax_is_not_installed(tmp_path):
    without_jax = "import runpy, sys; sys.modules['jax'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    status, output, errors = run(tmp_path, "-c", without_jax, AGAINST_JAX)
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1 and 'pip install ".[test]"' in errors


def test_benchmark_helps(tmp_path):
    assert "example:  python examples/benchmark.py" in succeed(tmp_path, BENCHMARK, "--help")


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--rounds", "0"], "whole number, 1 or more, and got '0'"),
        (["--sizes", "100", "many"], "whole number, 1 or more, and got 'many'"),
        (["--engines", "numpy", "tensorflow"], "'tensorflow'"),
        (["--fast"], "--fast"),
        (["--readme", "--parts", "steps"], "leave out --engines, --sizes, --parts and --picture"),
    ],
)
def test_benchmark_refuses_bad_arguments(arguments, complaint, tmp_path):
    status, output, errors = run(tmp_path, BENCHMARK, *arguments)
    assert (status, output) == (2, "")
    assert errors.count("\n") == 1 and complaint in errors


def test_glossary_points_to_where_a_word_is_shown():
    rows = re.findall(r"^\| (.+) \| .+ \| (.+) \|$", (EXAMPLES / "GLOSSARY.md").read_text(), re.MULTILINE)[2:]
    words = [word for word, _ in rows]
    assert len(rows) > 30 and words == sorted(words, key=str.lower)
    for word, where in rows:
        stem = word.lower().split()[0].rstrip("s")
        files = re.findall(r"\]\((.+?)\)", where)
        assert files, word
        for file in files:
            assert stem in (EXAMPLES / file).read_text().lower(), (word, file)


def test_readme_leads_to_every_program():
    readme = (EXAMPLES / "README.md").read_text()
    for program in EXAMPLES.glob("*.py"):
        assert f"python examples/{program.name}" in readme
        assert f"python examples/{program.name}" in program.read_text()
    named = re.findall(r"^\| `python examples/(\d\d_\w+\.py)` \|", readme, re.MULTILINE)
    assert named == [program.name for program in CHAPTERS]


def test_a_command_fills_in_what_a_chapter_prints(tmp_path):
    chapter = next(program for program in CHAPTERS if program.name.startswith("09_"))
    copy = tmp_path / chapter.name
    copy.write_text(re.sub(r"(^# prints:.*\n)+", "# prints: what?\n", chapter.read_text(), flags=re.MULTILINE))
    assert succeed(tmp_path, ROOT / "tests" / "examples" / "fill.py", copy.name) == ""
    assert copy.read_text() == chapter.read_text()


PARTS_BENCHMARK = EXAMPLES / "parts_benchmark.py"


def test_the_benchmark_of_parts_helps_and_refuses(tmp_path):
    assert "example:  python examples/parts_benchmark.py" in succeed(tmp_path, PARTS_BENCHMARK, "--help")
    for arguments, complaint in ((["--rows", "5"], "10000 or more, and got '5'"), (["--readme", "--rows", "10000"], "leave out --rows")):
        status, output, errors = run(tmp_path, PARTS_BENCHMARK, *arguments)
        assert (status, output) == (2, "")
        assert errors.count("\n") == 1 and complaint in errors


def test_the_table_of_parts_has_the_lines_that_are_measured(tmp_path):
    """With few rows, the times mean nothing."""
    measured = succeed(tmp_path, PARTS_BENCHMARK, "--rows", "10000", "--measure", "processor").splitlines()
    table = (ROOT / "linear" / "README.md").read_text(encoding="utf-8").split("<!-- parts -->\n")[1].split("\n<!-- end -->")[0]
    shown = [line.split(" | ")[0] for line in table.splitlines()]
    assert len(measured) == 5 and {line.split(" | ")[0] for line in measured} <= set(shown)
