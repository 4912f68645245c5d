"""Random programs with fixed seeds; and that the fuzzer finds faults, if there are any."""

import random
from contextlib import contextmanager

import numpy as np
import pytest

import minigrad
from minigrad import inplace, memory
from minigrad.views import Views

from . import checks, reference, statements
from .__main__ import main
from .fuzzer import Found, Fuzzer, explore, hunt
from .programs import Leaf, Program, Writer

# What JAX cannot do, or what takes it long.
NOT_IN_JAX = frozenset("write change shuffled own_rule closure with_dict of_surface other_name checkpointed".split())


@pytest.mark.parametrize("seed", range(3))
def test_programs(seed):
    """Hypothesis makes a program that fails small. (`str` of the error is a script.)"""
    hunt(Fuzzer(), seed, 150)


@pytest.mark.parametrize("seed", range(8))
def test_more_programs(seed, capsys):
    """These are less alike. Few are refused, or not smooth."""
    fuzzer = Fuzzer()
    explore(fuzzer, seed, 500)
    assert not fuzzer.failures, capsys.readouterr().out
    assert fuzzer.counts["right"] > 420, fuzzer.counts


def test_programs_in_jax(capsys):
    """The reference and JAX agree, where JAX can run the program."""
    fuzzer = Fuzzer(in_jax=1, without=NOT_IN_JAX, length=3)
    explore(fuzzer, 0, 30)
    assert not fuzzer.failures, capsys.readouterr().out
    assert fuzzer.counts["also in JAX"] >= 10, fuzzer.counts


@pytest.mark.parametrize("name", statements.NAMES)
def test_each_name(name):
    """Each function of the table of test_surface.py is in a program that is right: none is always dropped."""
    for start in range(20):
        pick = random.Random(start).randrange
        writer = Writer(pick, 0)
        try:
            statements.of_surface(writer, name)
            checks.examine(writer.finished(), "gradient", start)
        except (statements.Impossible, checks.Rough):
            continue
        return
    pytest.fail(f"{name} is in no program")


# ---- The reference --------------------------------------------------------------------------------------------------


def program(text, *leaves, outputs=("y",)):
    """A program, from its text."""
    return Program([Leaf(np.asarray(x), "F64", "{0}") for x in leaves], [text], list(outputs), ["F64"])


def slope_of(text, x, v):
    run = checks.Run(program(text, x))
    run.along([v], 0.0)
    return run.slope([v])


def test_reference_of_a_program_with_views_and_writes():
    x, v = np.array([0.5, 1.5, 2.0]), np.array([1.0, -2.0, 0.5])
    text = "y = x0 * 2\nrow = y[1:]\nrow *= x0[0]\ny[0] = np.sin(x0[2])\nc = np.array([1.0, 2.0])\nrow += c\nc[:] = 9"
    expected = [np.cos(2.0) * 0.5, 2 * (-2.0 * 0.5 + 1.5 * 1.0), 2 * (0.5 * 0.5 + 2.0 * 1.0)]
    np.testing.assert_allclose(slope_of(text, x, v), expected, rtol=1e-11)


def test_reference_of_a_gradient_within():
    text = "y = x0 * 1\ndef f(p):\n    y[0] = y[0] * 2\n    return np.sum(p**3 * y)\nz = grad(f)(x0)\ny = y * z"
    x, v = np.array([0.5, 1.5]), np.array([1.0, -1.0])
    y, dy = x * [2, 1], v * [2, 1]
    np.testing.assert_allclose(slope_of(text, x, v), 2 * y * dy * 3 * x**2 + y * y * 6 * x * v, rtol=1e-8)


@pytest.mark.parametrize(
    "text", ["np.abs(x0)", "np.maximum(x0, 0)", "np.floor(x0)", "np.sign(x0) * x0", "np.sqrt(np.abs(x0))"]
)
def test_reference_notices_a_kink(text):
    with pytest.raises(reference.Rough):
        slope_of(f"y = np.ravel({text})", np.array([0.0, 1.5]), np.array([1.0, 1.0]))


def test_reference_keeps_what_is_stopped():
    found = slope_of("y = stop_gradient(x0) * x0 + stop_gradient(x0 * x0)", np.array([0.5, 2.0]), np.array([1.0, 3.0]))
    np.testing.assert_allclose(found, [0.5, 6.0], rtol=1e-11)


# ---- Planted faults -------------------------------------------------------------------------------------------------


@contextmanager
def wrong_sine():
    minigrad.defvjp(np.sin, x=lambda g, x: -g * np.cos(x))
    yield
    minigrad.defvjp(np.sin, x=lambda g, x: g * np.cos(x))


@contextmanager
def patched(owner, name, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, value)
        yield


FAULTS = {
    "wrong sine": wrong_sine,
    "constants are not copied": lambda: patched(memory, "copied", lambda array: array),
    "views keep their values": lambda: patched(Views, "others", lambda views, t, place, array: []),
    "a write drops the derivative": lambda: patched(
        inplace, "fitting", lambda t, target, value: minigrad.stop_gradient(value)
    ),
}


def first_failure():
    """The first program that fails, made short."""
    fuzzer = Fuzzer(length=6)
    for start in range(2000):
        try:
            fuzzer.one(random.Random(start).randrange)
        except Found as found:
            return found


def by_hypothesis():
    with pytest.raises(Found) as caught:
        hunt(Fuzzer(length=6), 0, 1000)
    return caught.value


@pytest.mark.parametrize(
    "fault, find",
    [*((name, first_failure) for name in FAULTS), ("wrong sine", by_hypothesis)],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_a_planted_fault_is_found(fault, find, capsys):
    """It is found, and made small. The script prints numbers that differ from those that are right."""
    with FAULTS[fault]():
        text = str(find())
        exec(compile(text, "<script>", "exec"), {"__name__": "script"})
    assert text.count("\n    ") < 25, text
    assert "minigrad" in capsys.readouterr().out and "# right:" in text


def test_command(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["fuzz", "--programs", "20", "--seed", "1"])
    assert main() == 0
    assert "20 programs" in capsys.readouterr().err
