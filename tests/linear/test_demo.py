"""The demo as its users run it: a process, what it prints, its exit status, and the files that it leaves."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from linear import dmseloss, least_squares, linear_model, read_csv, simulate, standardise

ROOT = Path(__file__).parents[2]
NORRIS = ROOT / "examples" / "data" / "norris.csv"
LONGLEY = ROOT / "examples" / "data" / "longley.csv"
DRAWN = ["loss.png", "fit.png", "bowl.png", "parameters.png", "matrix.png", "network.png", "graph.png", "descent.gif"]
PICTURES = sorted(DRAWN)

COMMAND = [sys.executable, "-m", "linear"]
# To import JAX takes longer than all else that the demo does, and most tests have no use for it.
WITHOUT_JAX = "import sys; sys.modules['jax'] = None; from linear.__main__ import main; sys.exit(main())"
QUICK_COMMAND = [sys.executable, "-c", WITHOUT_JAX]


def environment(*folders, **variables):
    paths = os.pathsep.join(map(str, [*folders, ROOT]))
    return {**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "Agg", **variables}


def demo(folder, *arguments, env=None, command=COMMAND):
    """Run the demo in a folder; return its exit status, standard output and standard error."""
    command = [*command, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=env or environment(), capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


def succeed(folder, *arguments, env=None, command=QUICK_COMMAND):
    status, output, errors = demo(folder, *arguments, env=env, command=command)
    assert (status, errors) == (0, "")
    return output


def rows(output, name):
    """The numbers of each table row of that name."""
    found = re.findall(rf"^  {re.escape(name)}  +(.*)$", output, re.MULTILINE)
    return [[float(number.replace(",", "")) for number in row.split()] for row in found]


def png_files(folder):
    """The names of the pictures in a folder, after making sure that each can be read and is not one flat colour."""
    for file in folder.iterdir():
        pixels = imread(file)
        assert pixels.shape[0] > 300 and pixels.shape[1] > 300 and pixels.std() > 0.05
    return sorted(file.name for file in folder.iterdir())


def test_without_arguments(tmp_path):
    output = succeed(tmp_path, command=COMMAND)
    np.random.seed(0)
    x, y = simulate(100)
    best = least_squares(x, y)
    for name, truth in (("w", 2), ("b", 1)):
        (start, *gradients), (learned, exact, true) = rows(output, name)
        assert true == truth
        np.testing.assert_allclose([learned, exact], best[name], rtol=1e-11)
        assert len(gradients) == 3  # minigrad, finite differences, JAX
        np.testing.assert_allclose(gradients, gradients[0], rtol=1e-9)
    start = {name: rows(output, name)[0][0] for name in "wb"}
    assert start == pytest.approx({"w": np.random.normal(), "b": np.random.normal()}, rel=1e-11)
    gradient = dmseloss(start, linear_model, x, y)
    assert rows(output, "w")[0][1] == pytest.approx(gradient["w"], rel=1e-9)

    progress = re.findall(r"^ +([\d,]+)  +(\S+)  +(\S+)$", output.split("The descent")[1], re.MULTILINE)
    assert [step for step, _, _ in progress] == ["0", "10", "30", "100", "300", "1,000", "3,000"]
    distances = [float(distance) for _, _, distance in progress]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-12
    [(final, smallest, of_truth)] = rows(output, "mean squared error")
    np.testing.assert_allclose([final, smallest], np.mean((best["w"] * x + best["b"] - y) ** 2), rtol=1e-11)
    np.testing.assert_allclose(of_truth, np.mean((2 * x + 1 - y) ** 2), rtol=1e-11)
    assert re.search(r"^Converged: \S+ from the least-squares answer, norm of the gradient \d", output, re.MULTILINE)
    assert f"\nLoss      {final:.10g} at the end (mean squared error)\n" in output
    assert re.search(r"^Time      \d+\.\d\d s, \d+ us a step$", output, re.MULTILINE)

    last = output.splitlines()[-1]
    assert last == "Pictures  " + ", ".join(str(Path("pictures", name)) for name in DRAWN)
    assert os.listdir(tmp_path) == ["pictures"]
    assert png_files(tmp_path / "pictures") == PICTURES


def test_with_jit(tmp_path):
    plain, output = (succeed(tmp_path, "--no-pictures", "--steps", 300, *options) for options in ([], ["--jit"]))
    assert rows(output, "w") == rows(plain, "w") and output.startswith(plain.split("Time")[0])
    times = re.search(r"^Program   a step takes ([\d.]+) us as a program, and ([\d.]+) us without --jit$", output, re.MULTILINE)
    assert 0 < float(times[1]) < float(times[2])


def test_certified_answer_norris(tmp_path):
    output = succeed(tmp_path, "--data", NORRIS, "--out", "a/b", command=COMMAND)
    for name, certified in (("slope of x", 1.00211681802045), ("intercept", -0.262323073774029)):
        np.testing.assert_allclose(rows(output, name)[-1], [certified] * 2, rtol=1e-10)
    [(final, smallest)] = rows(output, "mean squared error")
    np.testing.assert_allclose([final, smallest], 0.884796396144373**2 * 34 / 36, rtol=1e-11)
    assert "\nConverged: " in output
    assert png_files(tmp_path / "a" / "b") == PICTURES


def test_longley_does_not_converge_and_says_so(tmp_path):
    output = succeed(tmp_path, "--data", LONGLEY)
    certified = {
        "gnp_deflator": 15.0618722713733,
        "gnp": -0.0358191792925910,
        "unemployed": -2.02022980381683,
        "armed_forces": -1.03322686717359,
        "population": -0.0511041056535807,
        "year": 1829.15146461355,
    }
    for name, value in certified.items():
        learned, exact = rows(output, f"slope of {name}")[-1]
        np.testing.assert_allclose(exact, value, rtol=1e-11)
        assert abs(learned - value) > 0.1 * abs(value)
    np.testing.assert_allclose(rows(output, "intercept")[-1][1], -3482258.63459582, rtol=1e-11)

    # The numbers in the verdict, found again from the data and the starting values alone.
    data = read_csv(LONGLEY)
    (x, _), (y, _) = standardise(data.x), standardise(data.y)
    theta = {"w": np.array([rows(output, f"slope of {name}")[0][0] for name in certified])}
    theta["b"] = rows(output, "intercept")[0][0]
    for _ in range(3000):
        residual = x @ theta["w"] + theta["b"] - y
        theta = {"w": theta["w"] - 0.02 * x.T @ residual / 16, "b": theta["b"] - 0.02 * residual.mean()}
    residual = x @ theta["w"] + theta["b"] - y
    gradient = np.hypot(np.linalg.norm(2 * x.T @ residual / 16), 2 * residual.mean())
    best = least_squares(x, y)
    distance = np.hypot(np.linalg.norm(theta["w"] - best["w"]), theta["b"] - best["b"])
    eigenvalues = np.linalg.eigvalsh(2 / 16 * x.T @ x)
    assert f"""
Not converged: {distance:.1e} from the least-squares answer, norm of the gradient {gradient:.1e} (standardised units).
  Converged means a distance of at most 1e-08. At this learning rate that takes about
  2,700,000 more steps; the condition number of the Hessian is {eigenvalues[-1] / eigenvalues[0]:.3g}.
""" in output
    assert png_files(tmp_path / "pictures") == PICTURES


def test_the_estimate_of_the_steps_that_are_missing(tmp_path):
    arguments = ["--data", LONGLEY, "--features", "unemployed,year", "--no-pictures"]
    output = succeed(tmp_path, *arguments, "--steps", 100)
    more = int(re.search(r"([\d,]+) more steps", output)[1].replace(",", ""))
    assert "\nNot converged" in succeed(tmp_path, *arguments, "--steps", 100 + int(0.9 * more))
    assert "\nConverged" in succeed(tmp_path, *arguments, "--steps", 100 + int(1.03 * more))


def test_choice_of_columns(tmp_path):
    (tmp_path / "t.csv").write_text('name,"a,1",b,c\nx,1,5,2\ny,2,7,1\nz,4,6,4\nu,3,1,0\n')
    output = succeed(tmp_path, "--data", "t.csv", "--target", "b", "--features", '"a,1",c', "--no-pictures")
    answer = least_squares(np.array([[1.0, 2], [2, 1], [4, 4], [3, 0]]), np.array([5.0, 7, 6, 1]))
    for name, exact in (("slope of a,1", answer["w"][0]), ("slope of c", answer["w"][1]), ("intercept", answer["b"])):
        np.testing.assert_allclose(rows(output, name)[-1], [exact] * 2, rtol=1e-10)
    assert os.listdir(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("unit", [1e-120, 1e-6, 1e9, 1e120])
def test_any_scale_works_without_tuning(tmp_path, unit):
    np.random.seed(3)
    x = np.random.uniform(size=(30, 3)) * [1.0, unit, 1 / unit] + [1e3, 0, 0]
    y = x @ [1.0, 1 / unit, unit] + np.random.normal(size=30)
    np.savetxt(tmp_path / "t.csv", np.column_stack([x, y * unit]), delimiter=",", header="p,q,r,s", comments="")
    output = succeed(tmp_path, "--data", "t.csv", "--no-pictures")
    best = least_squares(x, y * unit)
    for name, exact in zip(("slope of p", "slope of q", "slope of r", "intercept"), [*best["w"], best["b"]]):
        np.testing.assert_allclose(rows(output, name)[-1], [exact] * 2, rtol=1e-9)
    assert "\nConverged" in output


def test_many_features_that_move_together_need_no_tuning(tmp_path):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(300, 1)) + 0.5 * rng.normal(size=(300, 150))
    columns[:, -1] += columns[:, :5].sum(axis=1)
    np.savetxt(tmp_path / "t.csv", columns, delimiter=",", header=",".join(f"c{i}" for i in range(150)), comments="")
    output = succeed(tmp_path, "--data", "t.csv", "--no-pictures", "--steps", 300)
    rates = re.search(r"learning rate (\S+) \(on these data it must be below (\S+)\)", output).groups()
    rate, stable = map(float, rates)
    assert rate == pytest.approx(stable / 2, rel=1e-3) and rate < 0.01
    progress = re.findall(r"^ +[\d,]+  +(\S+)  +\S+$", output.split("The descent")[1], re.MULTILINE)
    losses = [float(loss) for loss in progress]
    assert len(losses) == 5 and losses == sorted(losses, reverse=True)
    status, _, errors = demo(tmp_path, "--data", "t.csv", "--learning-rate", 0.01)
    assert status == 2 and "the learning rate 0.01 is too large" in errors


def test_seed(tmp_path):
    def run(seed):
        return succeed(tmp_path, "--seed", seed, "--steps", 20, "--no-pictures").split("Time")[0]

    assert run(5) == run(5) != run(6)


def test_learning_rate(tmp_path):
    np.random.seed(0)
    x, _ = simulate(100)
    stable = 100 / np.linalg.norm(np.column_stack([x, np.ones(100)]), 2) ** 2
    status, output, errors = demo(tmp_path, "--learning-rate", 0.5)
    assert (status, output) == (2, "")
    assert errors == (
        "linear: error: the learning rate 0.5 is too large: on these data gradient descent converges only below "
        f"{stable:.6g}, 2 / (largest eigenvalue of the Hessian); to watch how it diverges, add --diverge\n"
    )
    assert "\nConverged" in succeed(tmp_path, "--learning-rate", 0.98 * stable, "--no-pictures")
    assert not os.listdir(tmp_path)


def test_no_steps(tmp_path):
    output = succeed(tmp_path, "--steps", 0)
    assert rows(output, "w")[1][0] == rows(output, "w")[0][0]
    assert re.search(r"^Time      0.00 s$", output, re.MULTILINE)
    assert png_files(tmp_path / "pictures") == PICTURES


HINT = "  (see python -m linear --help)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--steps -1", "argument --steps: expected a whole number, 0 or more, got '-1'" + HINT),
        ("--steps 1.5", "argument --steps: expected a whole number, 0 or more, got '1.5'" + HINT),
        ("--steps", "argument --steps: expected one argument" + HINT),
        ("--learning-rate 0", "argument --learning-rate: expected a number greater than 0, got '0'" + HINT),
        ("--learning-rate nan", "argument --learning-rate: expected a number greater than 0, got 'nan'" + HINT),
        ("--learning-rate fast", "argument --learning-rate: expected a number greater than 0, got 'fast'" + HINT),
        ("--seed -1", "argument --seed: expected a whole number from 0 to 4294967295, got '-1'" + HINT),
        ("--stpes 5", "unrecognized arguments: --stpes" + HINT),
        ("--step 5", "unrecognized arguments: --step" + HINT),
        ("data.csv", "data.csv: No such file or directory"),
        ("--target y", "--target needs a file" + HINT),
        (
            '--data t.csv --features "height',
            "argument --features: expected names with commas between them, got '\"height'" + HINT,
        ),
        ("--features=", "--features needs a file" + HINT),
        ("--show --no-pictures", "argument --no-pictures: not allowed with argument --show" + HINT),
        ("--show", "--show needs a display and there is none here; without --show the pictures become files"),
        ("--out file", "--out: file is a file, not a folder"),
        ("--out file/below", "--out: file is a file, not a folder"),
        (f"--out {'x' * 300}", f"--out: {'x' * 57}...: {os.strerror(errno.ENAMETOOLONG)}"),
        ("--data none.csv", "none.csv: No such file or directory"),
        ("--data .", "t.csv has no column 'a', 'b', unlike gap.csv"),
        ("--data t.csv --target hight", "t.csv has no column 'hight', only 'height', 'weight'; did you mean 'height'?"),
        ("--data t.csv --target height --features height", "'height' is the target, so it cannot be a feature as well"),
        (
            "--data gap.csv",
            "gap.csv: 2 rows have missing values; the first is line 3, column 'b'; leave such rows out with "
            "--missing drop, or put in the mean of the column with --missing mean",
        ),
        ("--data file", "file is empty: expected a header line with the names of the columns"),
    ],
)
def test_bad_input(tmp_path, arguments, message):
    (tmp_path / "t.csv").write_text("height,weight\n1,2\n2,3\n3,5\n")
    (tmp_path / "gap.csv").write_text("a,b\n1,2\n2,\n3,5\n,4\n")
    (tmp_path / "file").touch()
    assert demo(tmp_path, *arguments.split()) == (2, "", f"linear: error: {message}\n")
    assert sorted(os.listdir(tmp_path)) == ["file", "gap.csv", "t.csv"]


def test_pictures_are_written_all_or_none(tmp_path):
    (tmp_path / "pictures" / "bowl.png").mkdir(parents=True)
    status, _, errors = demo(tmp_path, "--steps", 5)
    expected = f"linear: error: {Path('pictures', 'bowl.png')}: is a folder, not a picture\n"
    assert (status, errors) == (2, expected)
    assert os.listdir(tmp_path / "pictures") == ["bowl.png"]


def test_help(tmp_path):
    output = succeed(tmp_path, "--help")
    assert "examples:\n  python -m linear\n" in output
    for option in "data target features steps learning-rate seed out no-pictures show help".split():
        assert f"  --{option}" in output or f", --{option}" in output


def test_names_that_the_terminal_cannot_show(tmp_path):
    (tmp_path / "t.csv").write_text("Größe,$y$\n1,2\n2,4.1\n3,5.8\n", encoding="utf-8")
    output = succeed(tmp_path, "--data", "t.csv", env=environment(PYTHONIOENCODING="ascii"))
    assert "slope of Gr\\xf6\\xdfe" in output
    assert png_files(tmp_path / "pictures") == PICTURES


def test_names_that_no_font_can_draw(tmp_path):
    (tmp_path / "t.csv").write_text("a,身高 (cm),🚀\n1,2,3\n2,4.1,5\n3,5.8,4\n4,9,1\n", encoding="utf-8")
    own_font_only = (
        "from matplotlib.font_manager import fontManager\n"
        "fontManager.ttflist = [font for font in fontManager.ttflist if font.name == 'DejaVu Sans']\n"
    )
    command = [sys.executable, "-c", own_font_only + WITHOUT_JAX]
    output = succeed(tmp_path, "--data", "t.csv", "--steps", 5, command=command)
    assert output.splitlines()[-4:-1] == [
        "Drawing   the pictures and an animation, which takes a few seconds",
        "          feature 2 stands for 身高 (cm): no font here has its characters",
        "          target 1 stands for 🚀: no font here has its characters",
    ]
    assert png_files(tmp_path / "pictures") == PICTURES


@pytest.mark.parametrize(
    ("trouble", "note"),
    [
        ("raise ImportError", "; JAX is not installed\n"),
        ("raise RuntimeError('jaxlib is too old')", "; JAX is installed but failed (RuntimeError)\n"),
    ],
)
def test_without_jax(tmp_path, trouble, note):
    (tmp_path / "jax.py").write_text(trouble)
    output = succeed(tmp_path, "--no-pictures", env=environment(tmp_path), command=COMMAND)
    assert len(rows(output, "w")[0]) == 3
    assert re.search("relative difference from minigrad: finite differences [^,]*$", output.split(note)[0])
    assert "\nConverged" in output


def test_without_matplotlib(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no such module')")
    env = environment(tmp_path)
    assert demo(tmp_path, env=env) == (
        2,
        "",
        "linear: error: the pictures need matplotlib (no such module); leave them out with --no-pictures\n",
    )
    assert "\nConverged" in succeed(tmp_path, "--no-pictures", env=env)


def test_show_opens_a_window_for_each_picture(tmp_path):
    (tmp_path / "windows.py").write_text(
        "from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas\n"
        "from matplotlib.backend_bases import FigureManagerBase as FigureManager\n"
        "from matplotlib import pyplot\n"
        "def show(*, block=None): print('windows', len(pyplot.get_fignums()))\n"
    )
    output = succeed(tmp_path, "--show", "--steps", 5, env=environment(tmp_path, MPLBACKEND="module://windows"))
    assert output.endswith("descent.gif\nwindows 7\n")
    assert png_files(tmp_path / "pictures") == PICTURES


def test_a_reader_that_stops_reading():
    command = [*QUICK_COMMAND, "--steps", "30000", "--no-pictures"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*QUICK_COMMAND, "--no-pictures"], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "linear: error: the output cannot be written: No space left on device\n"


def test_interrupt_and_progress_bar(tmp_path):
    """On a terminal a training that lasts shows a bar; when it is interrupted, one line says so."""
    ours, terminal = os.openpty()
    command = [*QUICK_COMMAND, "--steps", "100000000"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    while b" s left" not in shown:
        shown += os.read(ours, 1000)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    shown += os.read(ours, 10000)
    os.close(ours)
    assert re.search(r"\[\.{30}\] [\d,]+ of 100,000,000 steps, \d+ s left ", shown.decode())
    *_, wiped, message, end = shown.decode().split("\r")
    assert (wiped, message, end) == (" " * 79, "linear: interrupted", "\n")
    assert not os.listdir(tmp_path)


def test_a_short_training_shows_no_bar():
    ours, terminal = os.openpty()
    command = [*QUICK_COMMAND, "--no-pictures", "--steps", "50"]
    subprocess.run(command, env=environment(), stdout=subprocess.DEVNULL, stderr=terminal, check=True)
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(ours)
    os.close(terminal)


def test_readme():
    """The program in the README prints what the README says, and so does the demo on Norris."""
    text = (ROOT / "linear" / "README.md").read_text()
    program, printed = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (printed, "")
    shown = re.search(r"```text\n(The result.*?)```", text, re.DOTALL)[1]
    output = succeed(ROOT, "--data", NORRIS, "--no-pictures")
    for name in ("slope of x", "intercept", "mean squared error"):
        # The last digit may depend on the machine.
        np.testing.assert_allclose(rows(output, name)[-1], rows(shown, name)[0], rtol=1e-10)
    assert shown.split("\n")[2].split() == ["learned", "least", "squares"]
