"""crosscheck: ten functions, planted errors that must be found, and the command."""

import functools
import subprocess
import sys

import numpy as np
import numpy as numpy_itself
import numpy.fft as fourier
import pytest
import scipy.special
from numpy import sin as sine
from numpy.linalg import norm

import minigrad
from minigrad import crosscheck

from ..support import cases

RNG = np.random.default_rng(0)
A, B, V = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)), np.array([0.5, 1.5, 2.5])


def linear_model(theta, x):
    return theta["w"] * x + theta["b"]


def mseloss(theta, model, x, y):
    return np.mean((model(theta, x) - y) ** 2)


def with_namespace(w, x, xp):
    return xp.sum(xp.tanh(w @ x))


def with_closure():
    k = np.array([2.0, 3.0, 4.0])

    def inner(x):
        return np.sum(np.exp(-k * x))

    return lambda x: inner(x) + np.linalg.norm(x)


FUNCTIONS = {
    "mseloss": (mseloss, ({"w": 1.5, "b": 0.5}, linear_model, V, V ** 2), ["theta['b']", "theta['w']", "x", "y"]),
    "operators and methods only": (lambda x: ((x * x - 3.0) ** 2).sum(), (V,), ["x"]),
    "xp": (with_namespace, (A, V), ["w", "x"]),
    "a closure": (with_closure(), (V,), ["x"]),
    "linalg": (lambda a: np.linalg.slogdet(a)[1] + np.trace(np.linalg.inv(a)), (A @ A.T + np.eye(3),), ["a"]),
    "einsum": (lambda a, b: np.einsum("ij,jk,ki->", a, b, a), (A, B), ["a", "b"]),
    "numpy's own": (np.sin, (0.5,), ["args[0]"]),
    "logistic": (lambda w: np.mean(np.logaddexp(0.0, -(A @ w))), (V,), ["w"]),
    "sorting": (lambda x: np.sum(np.sort(x) * np.arange(3.0)), (V[::-1].copy(),), ["x"]),
    "a float32 leaf": (lambda w: np.sum(np.tanh(w)), (V.astype(np.float32),), ["w"]),
}


@cases(FUNCTIONS)
def test_functions_agree(case):
    f, args, names = case
    comparison = crosscheck(f, *args, show=False)
    assert comparison.agrees and comparison.note == "", comparison
    if f is not np.sin:
        assert [row.leaf for row in comparison.rows] == names
    for row in comparison.rows:
        assert row.jax is not None
        np.testing.assert_allclose(row.minigrad, row.jax, rtol=1e-5 if np.asarray(row.minigrad).dtype == np.float32 else 1e-9, atol=1e-12)


@pytest.mark.parametrize("function, argument, wrong, f", [
    (np.tanh, "x", lambda g, y: g * (1 - y), lambda x: np.sum(np.tanh(x))),
    (np.sinh, "x", lambda g, x: -g * np.cosh(x), lambda x: np.sum(np.sinh(x))),
    (np.roll, "a", lambda g, shift, axis=None: np.roll(g, shift, axis), lambda x: np.sum(np.roll(x, 1) * V)),
], ids=["a missing square", "a sign", "the wrong way round"])
def test_planted_errors_are_found(function, argument, wrong, f, monkeypatch):
    before = minigrad.table.rules[function]
    try:
        minigrad.defvjp(function, **{argument: wrong})
        comparison = crosscheck(f, V, show=False)
    finally:
        minigrad.table.define(before)
    assert not comparison.agrees and "DIFFERS" in str(comparison)
    row, = comparison.rows
    np.testing.assert_allclose(row.jax, row.differences, rtol=1e-8)
    distance = np.abs(np.asarray(row.minigrad) - row.jax)
    assert row.largest == pytest.approx(distance.max(), rel=1e-6) and row.worst == (int(np.argmax(distance)),)
    assert crosscheck(f, V, show=False).agrees


class Model:
    scale = V * 2
    activation = staticmethod(np.tanh)

    def loss(self, x):
        return np.sum(np.sin(x * self.scale)) + np.sum(self.activation(x))

    def __call__(self, x):
        return self.loss(x) + np.sum(np.cos(x))


def in_logarithm(f):
    @functools.wraps(f)
    def wrapped(*args):
        return np.log(f(*args))

    return wrapped


@in_logarithm
def decorated(x):
    return numpy_itself.sum(sine(x) ** 2) + norm(x)


@minigrad.custom_vjp
def with_own_vjp(x):
    return np.sin(x)


with_own_vjp.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x),))
BY_NAME = {"sine": np.sin, "others": [np.cos]}


@cases({
    "a method": Model().loss,
    "an object": Model(),
    "names from NumPy, decorated": decorated,
    "a function in a dict": lambda x: np.sum(BY_NAME["sine"](x) * BY_NAME["others"][0](x)),
    "a default": lambda x, f=np.exp: np.sum(f(x)),
    "a partial function": functools.partial(lambda a, x: np.sum(np.sin(a * x)), 2.0),
    "Fourier": lambda x: np.sum(np.abs(fourier.rfft(x)) ** 2),
    "SciPy": lambda x: np.sum(scipy.special.expit(x)),
    "custom_vjp": lambda x: np.sum(with_own_vjp(x)),
    "checkpoint": lambda x: np.sum(minigrad.checkpoint(lambda y: np.sin(y))(x)),
    "complex numbers": lambda x: np.sum(np.abs(np.exp(1j * x) * x) ** 2),
})
def test_jax_runs_what_uses_numpy_anywhere(case):
    names = dict(globals())
    comparison = crosscheck(case, V, show=False)
    assert comparison.agrees and comparison.rows[0].jax is not None, comparison
    assert globals() == names and Model.activation is np.tanh and BY_NAME == {"sine": np.sin, "others": [np.cos]}


def test_complex_leaves():
    comparison = crosscheck(lambda z: np.sum(np.abs(z) ** 2) + np.real(np.sum(z ** 3)), V + 1j * V[::-1], show=False)
    assert comparison.agrees and comparison.rows[0].jax is not None


def test_without_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "jax.numpy", None)
    comparison = crosscheck(lambda x: np.sum(np.sin(x)), V, show=False)
    assert comparison.agrees and comparison.rows[0].jax is None and comparison.note.startswith("JAX is not installed")


def test_a_kink_is_said_to_be_one():
    comparison = crosscheck(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]), show=False)
    assert not comparison.agrees and "minigrad and JAX agree" in comparison.note


def test_the_table_is_printed(capsys):
    comparison = crosscheck(lambda w: w * w, 3.0)
    assert capsys.readouterr().out == str(comparison) + "\n"
    assert str(comparison).splitlines()[2].split()[:4] == ["w", "6", "6", "6"]


def test_large_leaves_are_sampled():
    comparison = crosscheck(lambda a: np.sum(np.sin(a)), RNG.normal(size=(60, 50)), show=False)
    assert comparison.agrees and "2000 elements of 3000" in comparison.note
    assert np.isnan(comparison.rows[0].differences).sum() == 1000


def test_what_jax_cannot_run_is_said():
    def f(x):
        x = x * 1.0
        x[0] = 2.0
        return np.sum(x * x)

    comparison = crosscheck(f, V, show=False)
    assert comparison.agrees and comparison.note.startswith("JAX cannot run the function: TypeError") and comparison.rows[0].jax is None


def test_no_argument_that_can_be_differentiated():
    with pytest.raises(TypeError, match="none of the arguments"):
        crosscheck(lambda n: n * 2.0, 3)


# ---- The command ----------------------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np
import minigrad

@minigrad.primitive
def cube(x):
    return x ** 3

minigrad.defvjp(cube, x=lambda g, x: 2 * g * x ** 2)

def right(x):
    return np.sum(np.sin(x) * x)

def wrong(x):
    return np.sum(cube(x))

def of_two(a, k):
    return np.sum(a * k)

POINT = np.array([0.5, 2.0])

def point():
    return np.ones(3), 2.0
"""


@cases({
    "agrees": (["right", "--shape", "3,4"], 0, "agrees"),
    "differs": (["wrong", "--args", "POINT"], 1, "DIFFERS"),
    "two arguments": (["of_two", "--shape", "2", "--shape", ""], 0, "agrees"),
    "arguments from a function": (["of_two", "--args", "point"], 0, "agrees"),
    "another seed": (["right", "--shape", "2", "--seed", "5"], 0, "agrees"),
    "no such function": (["no_such", "--shape", "3"], 2, "has no no_such"),
    "no arguments": (["right"], 2, "needs arguments"),
    "a bad shape": (["right", "--shape", "3,x"], 2, "ValueError"),
})
def test_the_command(case, tmp_path):
    words, status, text = case
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    words = [f"{file}:{word}" if word in ("right", "wrong", "of_two", "no_such", "POINT", "point") else word for word in words]
    done = subprocess.run([sys.executable, "-m", "minigrad.crosscheck", *words], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert text in (done.stderr if status == 2 else done.stdout)
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == (status == 2)


def test_help_and_a_missing_file():
    done = subprocess.run([sys.executable, "-m", "minigrad.crosscheck", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--shape" in done.stdout
    done = subprocess.run([sys.executable, "-m", "minigrad.crosscheck", "missing.py:f"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "minigrad.crosscheck: ValueError: there is no file missing.py\n"
