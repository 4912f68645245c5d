"""The examples as their readers run them: as processes, in a folder of their own."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LINE = EXAMPLES / "1_linear_regression.py"
MATRIX = EXAMPLES / "2_many_inputs_many_outputs.py"
AGAINST_JAX = EXAMPLES / "11_against_jax.py"
BENCHMARK = EXAMPLES / "benchmark.py"

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


@pytest.mark.parametrize("program", [LINE, MATRIX], ids=lambda program: program.stem)
def test_prints_what_its_comments_say_and_saves_nothing(program, tmp_path):
    assert succeed(tmp_path, program) == promised(program)
    assert list(tmp_path.iterdir()) == []


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
    ],
)
def test_benchmark_refuses_bad_arguments(arguments, complaint, tmp_path):
    status, output, errors = run(tmp_path, BENCHMARK, *arguments)
    assert (status, output) == (2, "")
    assert errors.count("\n") == 1 and complaint in errors


def test_readme_leads_to_every_program():
    readme = (EXAMPLES / "README.md").read_text()
    for program in EXAMPLES.glob("*.py"):
        assert f"python examples/{program.name}" in readme
        assert f"python examples/{program.name}" in program.read_text()
