"""Every code block of the README does what the README says."""

import contextlib
import io
import linecache
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PICTURES = ["bowl.png", "descent.gif", "fit.png", "graph.png", "loss.png", "matrix.png", "network.png", "parameters.png"]


def blocks_of(file):
    """The code blocks of a file, as pairs of language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / file).read_text(encoding="utf-8"), re.M | re.S)


BLOCKS = blocks_of("README.md")
SET_UP = re.compile(r'python3 -m venv \.venv && \.venv/bin/pip install -q (\S+) && \.venv/bin/python (.*)\n')


@pytest.mark.parametrize("file, programs", [
    ("README.md", 5), ("minigrad/README.md", 2), ("minigrad/inside/README.md", 7), ("minigrad/programs/README.md", 5),
])
def test_python_blocks_print_what_stands_below_them(file, programs, monkeypatch):
    namespace = {}
    blocks = blocks_of(file)
    for (language, source), (following, expected) in zip(blocks, [*blocks[1:], ("", "")]):
        if language == "python":
            assert following in ("text", "mermaid")
            monkeypatch.setitem(linecache.cache, "program.py", (len(source), None, source.splitlines(True), "program.py"))
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, "program.py", "exec"), namespace)
            assert without_rounding(printed.getvalue().strip()) == without_rounding(expected.strip())
            programs -= 1
    assert programs == 0


def without_rounding(text):
    """The text without rounding errors, such as 1.3e-13, which are others on another machine."""
    return re.sub(r"\d\.\de-1\d", "0", text)


def test_the_test_command_is_what_continuous_integration_runs():
    commands = [source for language, source in BLOCKS if language == "sh"]
    assert len(commands) == 3
    demo, test = (SET_UP.fullmatch(command) for command in commands[:2])
    assert test[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (test[1], test[2]) == ('".[test]"', "-m pytest -n auto")
    assert demo[1] == "."


def test_the_commands_for_windows_are_the_same():
    """In PowerShell, ";" stands for "&&", the launcher is called py, and programs of an environment are in Scripts."""
    ours = [source for language, source in BLOCKS if language == "sh"][:2]
    [theirs] = [source for language, source in BLOCKS if language == "powershell"]
    for old, new in (("python3 -m venv", "py -m venv"), (" &&", ";"), (".venv/bin/", ".venv\\Scripts\\")):
        ours = [command.replace(old, new) for command in ours]
    assert theirs == "".join(ours)


@pytest.mark.parametrize("number", [0, 2])
def test_the_demo_commands_run(number, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = [source for language, source in BLOCKS if language == "sh"][number].split("&&")[-1]
    _, *arguments = shlex.split(command)
    result = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "1.0021168180" in result.stdout
    assert "-0.26232307377" in result.stdout
    [folder] = {path.parent for path in tmp_path.rglob("bowl.png")}
    assert sorted(path.name for path in folder.iterdir()) == PICTURES


@pytest.mark.parametrize("file", ["README.md", "linear/README.md"])
def test_the_pictures_that_are_shown_are_those_of_the_demo(file):
    shown = [(ROOT / file).parent / path for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / file).read_text(encoding="utf-8"))]
    assert shown and all(path.is_file() for path in shown)
    assert {path.name for path in shown if path.parent == ROOT / "linear"} <= {"parts.png"}  # which a benchmark draws
    for folder in {path.parent for path in shown} - {ROOT / "linear"}:
        assert sorted(path.name for path in folder.iterdir()) == PICTURES
        command = f"python -m linear --data examples/data/{folder.name}.csv --out linear/gallery/{folder.name}"
        assert command in (ROOT / "linear" / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in (ROOT / "linear" / "gallery").rglob("*.*")) < 1_500_000
