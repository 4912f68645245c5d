"""What the command says of a fit, and its ways to the minimum, as their users see them."""

import json
import os
import re

import numpy as np
import pytest
from matplotlib.image import imread

from .test_demo import LONGLEY, NORRIS
from .test_methods import CERTIFIED
from .test_saved import run


def fit(folder, *arguments):
    status, output, errors = run(folder, *arguments)
    assert (status, errors) == (0, "")
    return output


@pytest.mark.parametrize("file, name", [(NORRIS, "norris"), (LONGLEY, "longley")])
@pytest.mark.parametrize("method", ["newton", "momentum", "lbfgs"])
def test_certified_digits_by_each_method(tmp_path, file, name, method):
    output = fit(tmp_path, file, "--method", method, "--no-pictures", "--save", "m.json")
    assert "\nConverged: " in output and "use either" in output and "\nThe learned line" in output
    [line] = json.loads((tmp_path / "m.json").read_text())["lines"].values()
    np.testing.assert_allclose([*line["slopes"].values(), line["intercept"]], CERTIFIED[name], rtol=1e-11)


def test_adam_finds_norris(tmp_path):
    output = fit(tmp_path, NORRIS, "--method", "adam", "--no-pictures", "--save", "m.json")
    assert "3,000 steps of Adam" in output and "with learning rate 0.1, which falls to 0" in output and "\nConverged" in output
    line = json.loads((tmp_path / "m.json").read_text())["lines"]["y"]
    np.testing.assert_allclose([line["slopes"]["x"], line["intercept"]], CERTIFIED["norris"], rtol=1e-11)


@pytest.mark.parametrize("method", ["descent", "adam"])
def test_longley_is_not_reached_and_the_least_squares_line_is_named(tmp_path, method):
    output = fit(tmp_path, LONGLEY, "--method", method, "--no-pictures", "--save", "m.json")
    verdict = output.partition("\nNot converged: ")[2]
    assert "  Use the least-squares line: it is exact up to rounding. These ways lead to it too:\n    --method newton" in verdict
    assert ("2,700,000 more steps" in verdict) == (method == "descent")
    assert "\nThe least-squares line (units of the data)\n" in verdict
    [line] = json.loads((tmp_path / "m.json").read_text())["lines"].values()
    np.testing.assert_allclose([*line["slopes"].values(), line["intercept"]], CERTIFIED["longley"], rtol=1e-11)


def test_the_estimate_for_momentum(tmp_path):
    output = fit(tmp_path, LONGLEY, "--no-pictures", "--steps", 0)
    steps = int(re.search(r"--method momentum  about ([\d,]+) steps", output)[1].replace(",", ""))
    assert "\nConverged" in fit(tmp_path, LONGLEY, "--no-pictures", "--method", "momentum", "--steps", int(1.5 * steps))
    assert "\nNot converged" in fit(tmp_path, LONGLEY, "--no-pictures", "--method", "momentum", "--steps", steps // 2)


def test_the_report_on_longley(tmp_path):
    report = fit(tmp_path, LONGLEY, "--method", "newton", "--no-pictures").partition("\nThe learned line")[2]
    assert report == """ (units of the data)

  employed = 15.062 * gnp_deflator - 0.035819 * gnp - 2.0202 * unemployed - 1.0332 * armed_forces - 0.051104 *
    population + 1829.1515 * year - 3482258.6

                                     value   standard error     t value
    slope of gnp_deflator     15.0619             84.9149      0.177376
    slope of gnp              -0.0358192           0.033491   -1.06952
    slope of unemployed       -2.02023             0.4884     -4.13643
    slope of armed_forces     -1.03323             0.214274   -4.82199
    slope of population       -0.0511041           0.226073   -0.226051
    slope of year           1829.15              455.478       4.01589
    intercept                 -3.48226e+06    890420          -3.9108

  R squared 0.995479 (adjusted 0.992465)
  residuals: least -410.1, quartiles -157.7, -28.16, 101.6, largest 455.4
  residual standard deviation 304.854 (9 degrees of freedom)

  These features move together. So their slopes are uncertain: they would change much with a few other rows, or with
  one column less. Predictions for rows like these are not affected. How many times larger the variance of a slope is
  than with unrelated features (variance inflation; above 10 is large):

    'gnp' 1,789, 'year' 759, 'population' 399, 'gnp_deflator' 136, 'unemployed' 34
    Together: 'gnp', 'year', 'population', 'unemployed'
"""


def test_the_report_on_several_targets(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    y = x @ [[1.0, -2.0], [0.5, 3.0]] + [10, -10] + rng.normal(scale=0.1, size=(20, 2))
    table = np.column_stack([x, y, np.full(20, 5.0)])
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="a,b,y,z,five", comments="")
    output = fit(tmp_path, "t.csv", "--target", "y,z,five", "--method", "newton", "--no-pictures")
    report = output.partition("\nThe learned line")[2]
    assert len(re.findall(r"^  [yz] = ", report, re.MULTILINE)) == 2
    assert "  five = 0 * a + 0 * b + 5\n\n  five is constant: it is the same in every row, so there is nothing to explain.\n" in report
    design = np.column_stack([x, np.ones(20)])
    for i in range(2):
        squares = np.linalg.lstsq(design, y[:, i])[1][0]
        assert f"R squared {1 - squares / np.sum((y[:, i] - y[:, i].mean()) ** 2):.6g} " in report
        assert f"residual standard deviation {np.sqrt(squares / 17):.6g} (17 degrees of freedom)" in report
    assert "move together" not in report


@pytest.mark.parametrize("rows, note", [
    ("1,3\n2,5\n3,7\n", "The line goes through all points, up to rounding. So nothing says how uncertain its parameters are."),
    ("1,3\n2,5\n", "The line goes through all points, up to rounding."),
    ("1,4\n2,4\n3,4\n", "y is constant: it is the same in every row, so there is nothing to explain."),
])
def test_lines_of_which_there_is_little_to_say(tmp_path, rows, note):
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    output = fit(tmp_path, "t.csv", "--no-pictures", "--method", "newton")
    assert f"  {note}" in output and "nan" not in output and "standard error" not in output


@pytest.mark.parametrize("method", ["descent", "newton", "momentum", "lbfgs"])
def test_columns_that_hardly_differ(tmp_path, method):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    table = np.column_stack([a, b, a + b + 1e-11 * rng.normal(size=30), a + rng.normal(size=30)])
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="a,b,sum,y", comments="", fmt="%.17g")
    status, output, errors = run(tmp_path, "t.csv", "--method", method, "--no-pictures")
    assert status == 0 and "Not converged" in output or errors.startswith("linear: error: the Hessian is singular")
    if status == 0:
        assert "No standard errors: the features move together so closely that rounding hides how they differ." in output
        assert "Together: " in output and "nan" not in output


def test_names_cannot_steer_the_terminal(tmp_path):
    (tmp_path / "t.csv").write_text("a\x1b[31m,b,y\n1,1.01,3\n2,2,5\n3,3.02,8\n4,3.99,8\n5,5.01,12\n")
    output = fit(tmp_path, "t.csv", "--no-pictures")
    assert "Together: 'a\\x1b[31m', 'b'" in output and "\x1b" not in output and " * a\\x1b[31m" in output


def test_too_large_a_learning_rate_can_be_watched(tmp_path):
    output = fit(tmp_path, "--learning-rate", "0.4", "--diverge", "--steps", "50")
    [_, factor, squared] = re.search(
        r"\nDiverged: the loss rose from 28.44 to (\S+) in 50 steps.\n.* multiplies the distance to the minimum by (\S+)\. So it "
        r"leads to the\n  other side, further away, and multiplies the loss by about (\S+)\.\n  Below a learning rate of 0.3823,",
        output,
    ).groups()
    progress = re.findall(r"^ +[\d,]+  +(\S+)  +\S+$", output.split("The descent")[1], re.MULTILINE)
    losses = [float(loss) for loss in progress]
    assert losses == sorted(losses) and float(squared) == pytest.approx(float(factor) ** 2, rel=1e-3)
    assert (losses[-1] / losses[-2]) ** (1 / 20) == pytest.approx(float(squared), rel=1e-2)  # from step 30 to step 50
    assert output.endswith("\nPictures  pictures/divergence.png\n")
    assert imread(tmp_path / "pictures" / "divergence.png").std() > 0.05
    assert "least-squares line" not in output and "Converged" not in output


@pytest.mark.parametrize("arguments", [
    ["--learning-rate", "1", "--steps", "100000"],  # until the loss overflows
    [LONGLEY, "--learning-rate", "0.3"],
    ["--learning-rate", "5", "--method", "momentum", "--steps", "3"],
    [LONGLEY, "--target", "gnp,employed", "--learning-rate", "1", "--steps", "20"],
    ["--learning-rate", "0.9", "--steps", "1"],
])
def test_what_diverges_is_drawn(tmp_path, arguments):
    output = fit(tmp_path, *arguments, "--diverge")
    assert "\nDiverged: the loss rose from " in output and "inf" not in output and "nan" not in output
    assert imread(tmp_path / "pictures" / "divergence.png").std() > 0.05


def test_descent_as_a_program_and_what_diverges_in_it(tmp_path):
    output = fit(tmp_path, NORRIS, "--jit", "--no-pictures")
    assert "\nConverged" in output and re.search(r"\nProgram   a step takes \S+ us as a program", output)
    assert "\nDiverged: " in fit(tmp_path, "--jit", "--learning-rate", "1", "--diverge", "--no-pictures")


def test_one_feature_takes_one_step_with_the_best_rate(tmp_path):
    x = np.random.default_rng(0).normal(size=(10, 2)) * 1e149  # the best friction is 0 here, to the last bit
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header="a,b", comments="")
    assert "    --method momentum  about 1 step\n" in fit(tmp_path, "t.csv", "--no-pictures", "--steps", "5")
    assert "    --method momentum  about 1 step\n" in fit(tmp_path, NORRIS, "--no-pictures", "--steps", "5")
    assert "\nConverged" in fit(tmp_path, "t.csv", "--no-pictures", "--method", "momentum", "--steps", "1")


def test_what_diverges_before_or_in_its_first_step(tmp_path):
    status, _, errors = run(tmp_path, "--learning-rate", "1e300", "--diverge")
    message = "with the learning rate 1e+300, the loss overflows at the first step; name a smaller one"
    assert (status, errors) == (2, f"linear: error: {message}\n") and os.listdir(tmp_path) == []
    output = fit(tmp_path, "--learning-rate", "2", "--diverge", "--steps", "0", "--no-pictures")
    assert "Converged means a distance of at most 1e-08; the condition number" in output and " more step" not in output


def test_diverge_with_a_stable_rate_converges(tmp_path):
    assert "\nConverged" in fit(tmp_path, "--learning-rate", "0.1", "--diverge", "--no-pictures")


@pytest.mark.parametrize("arguments, message", [
    ("--method magic", "argument --method: invalid choice: 'magic'"),
    ("--method newton --learning-rate 1", "--learning-rate: Newton's method has no learning rate"),
    ("--method lbfgs --learning-rate 1", "--learning-rate: L-BFGS has no learning rate"),
    ("--method newton --jit", "--jit: only gradient descent runs as a program"),
    ("--method newton --diverge", "--diverge: Newton's method has no largest stable learning rate"),
    ("--method momentum --learning-rate 1", "the learning rate 1 is too large: on these data gradient descent with momentum "
     "converges only below 0.764"),
    ("--learning-rate 1", "the learning rate 1 is too large: on these data gradient descent converges only below 0.382"),
])
def test_methods_refuse_what_does_not_fit(tmp_path, arguments, message):
    status, output, errors = run(tmp_path, *arguments.split())
    assert (status, output) == (2, "") and errors.startswith(f"linear: error: {message}") and errors.count("\n") == 1


README = (NORRIS.parents[2] / "linear" / "README.md").read_text()


def test_the_readme_shows_what_is_printed(tmp_path):
    report = re.search(r"```text\n(The learned line.*?)```", README, re.DOTALL)[1]
    assert "\n" + report in fit(tmp_path, NORRIS, "--no-pictures")


def test_the_commands_of_the_readme(tmp_path):
    (tmp_path / "examples").symlink_to(NORRIS.parents[1])
    (tmp_path / "houses.csv").write_text("area,rooms,price\n50,2,150\n60,2,190\n80,3,240\n95,4,330\n")
    (tmp_path / "new.csv").write_text("rooms,area\n2,55\n")
    section = README.split("## Other ways to the minimum")[1].split("## Tables of pandas")[0]
    commands = re.findall(r"^python -m linear (.*?)(?: *#.*| > predicted.csv)?$", section, re.MULTILINE)
    assert len(commands) == 6
    outputs = [fit(tmp_path, *command.split(), *(["--no-pictures"] if "--predict" not in command else [])) for command in commands]
    assert outputs[5].startswith("price\n") and len(outputs[5].splitlines()) == 2
    steps = len(re.findall(r"^ +\d+  +\S+  +\S+$", outputs[2].split("The descent")[1], re.MULTILINE))
    assert steps > 10 and "momentum  about 1,100 steps" in fit(tmp_path, LONGLEY, "--no-pictures")


def test_lbfgs_without_scipy(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    status, output, errors = run(tmp_path, "--method", "lbfgs")
    assert (status, output) == (2, "") and errors.count("\n") == 1
    assert errors.startswith("linear: error: --method lbfgs needs SciPy (") and "--method newton does without" in errors
