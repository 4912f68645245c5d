"""NumPy's warnings point at the user's line: in the forward pass, and in the backward pass."""

import subprocess
import sys

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
                         "program.py:10: RuntimeWarning: divide by zero encountered in divide"),
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
