"""The list of what can be differentiated: it is complete, it is what the documentation shows, and the command prints it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy

from minigrad import Tensor, coverage, grad
from minigrad.operands import TensorConversionError

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "minigrad" / "rules" / "README.md").read_text(encoding="utf-8")
SURFACE = json.loads(Path(__file__).with_name("surface.json").read_text(encoding="utf-8"))
IS_DOCUMENTED = np.__version__.startswith("2.4.") and scipy.__version__.startswith("1.17.")
# What is not in NumPy 2.4 any more.
GONE = {"np.in1d", "np.ndarray.itemset", "np.ndarray.newbyteorder", "np.ndarray.ptp", "np.ndarray.tostring"}


def documented():
    """The table in the documentation, as `coverage.table` returns it."""
    found = {}
    for title, text in re.findall(r"^\*\*(\w+)\*\* \(\d+\):(.*?)(?=^\*\*|\Z)", README, re.M | re.S):
        rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", text, re.M)
        found[title] = [f"{part}.{name}" for part, names in rows for name in names.split()]
    return found


def test_the_table_in_the_documentation():
    """To the letter for the version of NumPy that it names; for others, the kinds of what both have are the same."""
    if IS_DOCUMENTED:
        assert README.endswith("\n\n" + coverage.markdown())
        assert documented() == coverage.table()
    kinds = {name: kind for kind, names in documented().items() for name in names}
    found = {name: kind for kind, names in coverage.table().items() for name in names}
    assert {name: kinds[name] for name in found if name in kinds} == {name: found[name] for name in found if name in kinds}
    if np.lib.NumpyVersion(np.__version__) < "2.5.0":
        assert {name for name in found.keys() - kinds.keys() if name.startswith("np.")} <= GONE


def test_nothing_of_numpy_is_unknown():
    """Of the versions there are. A later one may have more, which `--list unknown` shows."""
    if np.lib.NumpyVersion(np.__version__) < "2.5.0":
        assert [name for name in coverage.table()["unknown"] if name.startswith("np.")] == []


@pytest.mark.parametrize("name", [name for name in coverage.table()["unknown"] if name.startswith("scipy.")])
def test_what_is_unknown_of_scipy_raises(name):
    """An error that names it, and says how to add a rule."""
    ufunc = coverage.functions()[name]
    with pytest.raises(NotImplementedError, match=re.escape(f"{name} has no derivative rule") + r".* minigrad\.defvjp\("):
        grad(lambda x: np.sum(ufunc(*[x] * ufunc.nin)))(np.ones(2))


def test_the_files_are_in_the_documentation():
    files = {path.name for path in (ROOT / "minigrad" / "rules").glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"^\| \[(\w+\.py)\]\(\1\) \|", README, re.M)) == files


@pytest.mark.parametrize("kind, pinned", [("differentiable", "differentiable"), ("constant", "zero")])
def test_the_pinned_names_are_of_their_kinds(kind, pinned):
    found = {name.removeprefix("np."): kind for kind, names in coverage.table().items() for name in names}
    # choose() is refused. The sign of a complex number has a derivative, where JAX has zero.
    names = [name for name in SURFACE[pinned] if name in found and name not in ("ndarray.choose", "sign")]
    assert {name: found[name] for name in names} == dict.fromkeys(names, kind)
    assert sum(name in found for name in SURFACE[pinned]) > 0.7 * len(SURFACE[pinned])


# ---- What the kinds mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in coverage.table()["refused"] if not name.startswith("np.ndarray.")])
def test_what_is_refused_raises(name):
    """An error that names it, whatever is in its other arguments."""
    function = coverage.functions()[name]

    def f(x):
        with pytest.raises((NotImplementedError, TensorConversionError), match=re.escape(f"np.{function.__name__} ")):
            x.__array_function__(function, (Tensor,), (x, x), {})
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(np.ones(2)), np.ones(2))


@pytest.mark.parametrize("name", [name for name in coverage.table()["refused"] if name.startswith("np.ndarray.")])
def test_what_is_refused_of_arrays_raises(name):
    name = name.removeprefix("np.ndarray.")

    def f(x):
        with pytest.raises((AttributeError, TypeError), match=name):
            getattr(x, name)()
            pytest.fail(f"{name} was not refused")
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(np.ones(2)), np.ones(2))


def test_polynomials_of_the_newer_kind():
    """They are made of operators, and need no rules: in x. Their coefficients become arrays, which is refused."""
    x, c = np.array([0.5, 2.0]), np.array([3.0, 1.0, 2.0])
    value = np.polynomial.polynomial.polyval
    np.testing.assert_allclose(grad(lambda x: np.sum(value(x, c)))(x), c[1] + 2 * c[2] * x)
    second = grad(lambda x: np.sum(grad(lambda x: np.sum(value(x, c)))(x) * x))(x)
    np.testing.assert_allclose(second, c[1] + 4 * c[2] * x)
    for refused in (lambda c: value(x, c), lambda c: np.polynomial.Polynomial(c), lambda x: np.polynomial.Polynomial(c)(x)):
        with pytest.raises(TensorConversionError):
            grad(lambda t: (refused(t), np.sum(t))[1])(c)


# ---- The command ----------------------------------------------------------------------------------------------------


def run(*arguments):
    command = [sys.executable, "-m", "minigrad.coverage", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_command():
    result = run()
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"NumPy {np.__version__} and scipy.special {scipy.__version__}: ")
    assert [line.split()[:2] for line in lines[2:]] == [[str(len(names)), kind] for kind, names in coverage.table().items()]


def test_the_names(capsys):
    coverage.main(["--list", "constant", "refused"])
    printed = capsys.readouterr().out.split()
    for kind in ("constant", "refused"):
        start = printed.index(f"{kind}:") + 1
        names = coverage.table()[kind]
        assert printed[start:start + len(names)] == names
    assert max(map(len, capsys.readouterr().out.splitlines()), default=0) <= 110


def test_the_markdown(capsys):
    coverage.main(["--markdown"])
    assert capsys.readouterr().out == coverage.markdown()


def test_help():
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("--list", "--markdown", *coverage.KINDS, "example:"):
        assert word in result.stdout


@pytest.mark.parametrize("arguments, said", [
    (["--lst"], "unrecognized arguments: --lst"),
    (["--list", "differentiabel"], "invalid choice: 'differentiabel'"),
    (["--list"], "expected at least one argument"),
    (["unknown"], "unrecognized arguments: unknown"),
])
def test_a_typing_error_is_told_in_one_line(arguments, said):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("python -m minigrad.coverage: ") and said in result.stderr and "--help" in result.stderr
