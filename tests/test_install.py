"""Installed as the README says, the package works wherever Python is started, and is the code of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import linear
import minigrad

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^python3 -m venv \.venv && (\.venv/bin/pip install .*?) && ", README, re.M)
TEXTS = [
    path
    for kind in ("*.py", "*.md", "*.cfg", "*.toml", ".ci/*")
    for path in ROOT.rglob(kind)
    if not {".venv", "build"} & {*path.relative_to(ROOT).parts}
]


def files_of(package, folder):
    """The files that a package in a folder should have, where it is installed: its modules, its README, py.typed."""
    found = [path for kind in ("*.py", "*.md", "py.typed") for path in (folder / package).rglob(kind)]
    return {str(path.relative_to(folder)) for path in found}


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A folder that contains a checkout. Its name has a space. PYTHONPATH has what else a network would give."""
    container = tmp_path / "a folder"
    clone = container / "minigrad"
    for name in ("minigrad", "linear"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    tools = tmp_path / "tools"
    tools.mkdir()
    for package, patterns in (("numpy", ["numpy*"]), ("setuptools", ["setuptools*", "_distutils_hack", "pkg_resources*"])):
        site = Path(find_spec(package).origin).parents[1]
        for path in (path for pattern in patterns for path in site.glob(pattern)):
            (tools / path.name).symlink_to(path)
    for name in [name for name in os.environ if name.startswith(("PIP_", "PYTHON"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(tools))
    return container


def run(folder, *command):
    """Run a command in a folder, and return what it prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_found_from_the_folder_that_contains_the_clone(container):
    clone, python = container / "minigrad", "minigrad/.venv/bin/python"
    command = COMMANDS[0].replace("pip install", "pip install --no-deps --no-build-isolation").split()
    run(clone, sys.executable, "-m", "venv", ".venv")
    run(clone, *command)
    (site,) = clone.glob(".venv/lib/python*/site-packages")

    program = "import minigrad; from minigrad import grad; print(minigrad.__file__, grad(lambda x: x * x)(3.0))"
    assert run(container, python, "-c", program) == f"{site / 'minigrad' / '__init__.py'} 6.0\n"

    # Type checkers read the files in site-packages, and run nothing.
    for package in ("minigrad", "linear"):
        assert files_of(package, site) == files_of(package, ROOT)
    program = "from importlib.metadata import files, version; print(version('minigrad-numpy'), *files('minigrad-numpy'))"
    version, *recorded = run(container, python, "-c", program).split()
    assert version == minigrad.__version__
    assert {"minigrad/py.typed", "linear/py.typed", "minigrad/grad.py", "minigrad/rules/__init__.py"} <= {*recorded}

    # The same command again installs what the checkout holds by now, and nothing that it held before.
    (clone / "minigrad" / "new.py").write_text("")
    with (clone / "minigrad" / "tree.py").open("a") as file:
        file.write("changed = True\n")
    (clone / "minigrad" / "coverage.py").unlink()
    run(clone, *command)
    assert files_of("minigrad", site) == files_of("minigrad", clone) != files_of("minigrad", ROOT)
    assert run(container, python, "-c", "from minigrad import tree; print(tree.changed)") == "True\n"


def test_both_commands_install_the_same_package():
    assert [re.fullmatch(r"\.venv/bin/pip install -q (.*)", command)[1] for command in COMMANDS] == [".", '".[test]"']
    assert f"python3 -m venv .venv && {COMMANDS[1]} && " in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("package", [minigrad, linear])
def test_the_tests_test_this_checkout(package):
    assert Path(package.__file__).parents[1] == ROOT


def test_nobody_is_told_to_install_the_package_of_that_name():
    """On the public index, `minigrad` is another project."""
    assert len(TEXTS) > 50
    told = re.compile(r"""pip install\b.*["' ]minigrad\b|["'`]minigrad\[""")
    assert told.search('pip install -q "minigrad[test]"') and told.search("pip install minigrad")
    mine = Path(__file__).read_text("utf-8").splitlines()
    lines = [(path.name, line) for path in TEXTS for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if told.search(line[1]) and line[1] not in mine] == []
