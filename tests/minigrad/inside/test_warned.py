"""NumPy's warnings point at the user's line: in the forward pass, and in the backward pass."""

import linecache
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest

import minigrad

from ..support import cases

PROGRAM = """
import numpy as np
import minigrad

def f(x):
    y = BODY  # here
    return np.sum(y)

x = np.array([0.0, -1.0, 2.0])
CALL  # the call
"""


def shown(body, call):
    """What Python writes to standard error, with the numbers of the lines replaced by their marks."""
    source = PROGRAM.replace("BODY", body).replace("CALL", call)
    done = subprocess.run([sys.executable, "-c", "import sys; exec(compile(sys.stdin.read(), 'program.py', 'exec'))"],
                          input=source, capture_output=True, text=True, check=True)
    return [line for line in done.stderr.splitlines() if "Warning" in line]


@cases({
    "forward": ("np.log(x)", "minigrad.grad(f)(x)", "program.py:6: RuntimeWarning: divide by zero encountered in log"),
    "forward, an operator": ("1.0 / x", "minigrad.grad(f)(x)", "program.py:6: RuntimeWarning: divide by zero encountered in divide"),
    "forward, in vjp": ("np.log(x)", "minigrad.vjp(f, x)", "program.py:6: RuntimeWarning: divide by zero encountered in log"),
    "backward": ("np.sqrt(np.abs(x))", "minigrad.grad(f)(x)",
                 "program.py:6: RuntimeWarning: divide by zero encountered in divide, in the backward pass of this operation"),
    "backward, a power": ("np.abs(x) ** 0.5", "minigrad.value_and_grad(f)(x)",
                          "program.py:6: RuntimeWarning: divide by zero encountered in power, in the backward pass of this operation"),
    "backward, in vjp": ("np.sqrt(np.abs(x))", "minigrad.vjp(f, x)[1](1.0)",
                         "program.py:6: RuntimeWarning: divide by zero encountered in divide, in the backward pass of this operation"),
})
def test_the_line(case):
    body, call, expected = case
    assert shown(body, call)[0] == expected


def test_other_warnings_are_as_they_were():
    call = "import warnings; warnings.warn('mine', RuntimeWarning); np.log(0.0)"
    assert shown("x", call) == ["program.py:10: RuntimeWarning: mine", "program.py:10: RuntimeWarning: divide by zero encountered in log"]


def test_the_users_settings_count():
    assert shown("np.log(x)", "np.seterr(all='ignore'); minigrad.grad(f)(x)") == []
    assert shown("np.log(x)", "import warnings; warnings.simplefilter('ignore'); minigrad.grad(f)(x)") == []


# ---- In this process: what records warnings ----------------------------------------------------------------------------------

ZERO = np.array([0.0, 2.0])
RNG = np.random.default_rng(0)


def two_lines(x):
    a = np.sqrt(x)  # the root
    b = np.abs(x) ** 0.5  # the power
    return np.sum(a) + np.sum(b)


def line_of(mark):
    return next(i for i, text in enumerate(linecache.getlines(__file__), 1) if text.rstrip().endswith(f"# {mark}"))


def recorded(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(warning.filename, warning.lineno) for warning in caught]


def test_recorded_warnings_have_the_line_of_their_own_operation():
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in (divide|power), in the backward pass") as caught:
        minigrad.grad(two_lines)(ZERO)
    assert {(warning.filename, warning.lineno) for warning in caught} == {(__file__, line_of("the root")), (__file__, line_of("the power"))}
    assert recorded(lambda: minigrad.grad(lambda x: np.sum(np.log(x)))(ZERO))[0] == (__file__, sys._getframe().f_lineno)


@pytest.mark.parametrize("call, has_line", [
    (lambda: minigrad.vjp(two_lines, ZERO)[1](1.0), True), (lambda: minigrad.jacrev(two_lines)(ZERO), True),
    (lambda: minigrad.jvp(two_lines, (ZERO,), (ZERO,)), False), (lambda: minigrad.hessian(two_lines)(ZERO), False),
], ids=["vjp", "jacrev", "jvp", "hessian"])
def test_other_transforms_name_a_line_of_the_program(call, has_line):
    """The second backward pass, of jvp and hessian, has only the line of the call."""
    found = recorded(call)
    assert {file for file, _ in found} == {__file__} and {number for _, number in found} <= {
        line_of("the root"), line_of("the power"), call.__code__.co_firstlineno
    }
    assert not has_line or (__file__, line_of("the root")) in found


def test_functions_of_one_decorator_are_told_apart():
    def decorated(f):
        return lambda x: np.sum(f(x))

    first = decorated(lambda x: np.sqrt(x))  # one
    second = decorated(lambda x: np.sqrt(x))  # another
    for f, mark in ((first, "one"), (second, "another"), (minigrad.grad(first), "one"), (minigrad.grad(second), "another")):
        x = ZERO if f in (first, second) else ZERO * 1.0
        call = (lambda: minigrad.grad(f)(x)) if f in (first, second) else (lambda: f(x))
        assert recorded(call) == [(__file__, line_of(mark))]


def test_random_numbers_are_those_that_would_come_without_a_warning():
    def noisy(x):
        return np.sum(np.sqrt(x) * RNG.normal(size=2) * np.random.normal(size=2) * random.random())

    numbers = []
    for action in ("always", "ignore"):
        RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state
        np.random.seed(1)
        random.seed(1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter(action)
            minigrad.grad(noisy)(ZERO)
        assert bool(caught) == (action == "always")
        numbers.append((RNG.normal(), np.random.normal(), random.random()))
    assert numbers[0] == numbers[1]


def test_the_function_runs_again_once_only():
    calls = []

    def counted(x):
        calls.append(1)
        return np.sum(np.sqrt(x))

    for expected in (2, 3, 4):
        recorded(lambda: minigrad.grad(counted)(ZERO))
        assert len(calls) == expected


def test_showwarning_stays_the_programs_own(monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, category, filename, lineno, file=None, line=None: shown.append((filename, lineno)))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        minigrad.grad(two_lines)(ZERO)
    assert (__file__, line_of("the root")) in shown
