"""Settings that all tests share."""

import gc
import json
import os
from collections import Counter
from pathlib import Path

import jax
import numpy
import pytest

jax.config.update("jax_enable_x64", True)  # else JAX turns float64 into float32 without a word
jax.config.update("jax_disable_most_optimizations", True)  # what is run once is not worth the time to optimise it
if jax.__version_info__[:2] == (0, 10):  # others end the process at a flag that they do not know
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_use_fusion_emitters=false"  # a third faster


@pytest.fixture
def no_collector():
    """Nothing is freed but by its last reference. (What is there already is frozen: a test may collect many times.)"""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()


def pytest_collection_finish():
    """Spare the garbage collector the modules and the ten thousand tests, which live to the end."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say for how many of NumPy's names the tests of test_surface.py have passed, if they were run."""
    passed = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    names = [value for report in passed for name, value in report.user_properties if name == "surface"]
    if not names:
        return
    surface = json.loads((Path(__file__).parent / "minigrad" / "surface.json").read_text(encoding="utf-8"))
    held = Counter(name.split()[0] for name in names)
    kinds = {"differentiable": "names differentiable", "zero": "zero", "refused": "refused", "ufunc_methods": "methods of ufuncs"}
    line = ", ".join(f"{held[kind]} of {len(surface[kind])} {words}" for kind, words in kinds.items())
    line = line.replace(" refused", f" refused and {held['allowed']} allowed")
    lacking = f"; NumPy {numpy.__version__} lacks {held['lacking']} names" if held["lacking"] else ""
    terminalreporter.write_line(f"NumPy's surface: {line}{lacking}")
