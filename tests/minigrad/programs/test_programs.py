"""program: what it prints, what it runs, what it refuses."""

import collections
import random
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pandas
import pytest

import minigrad
from linear import linear_model, mseloss
from minigrad import (
    Tensor, checkpoint, custom_vjp, defvjp, grad, hessian, hvp, jacfwd, jacrev, jvp, linearize, primitive, program, stop_gradient,
    tree, value_and_grad, vjp,
)
from minigrad.operands import ForeignArrayError
from minigrad.programs.tracing import ConcretizationTypeError, TraceLevel

from .support import WAYS, assert_close, assert_same

X, Y = np.array([0.5, -1.0, 2.0, 0.3]), np.array([1.0, 0.0, 3.0, -0.5])
M = np.array([[1.0, 2.0, -0.5, 0.1], [0.3, -1.2, 0.7, 2.0], [1.1, 0.2, 0.4, -0.3]])
THETA = {"w": np.array(2.0), "b": np.array(1.0)}
every_way = pytest.mark.parametrize("way", WAYS)


def run_alone(source, tmp_path, *lines):
    """Run a source in a process of its own, in which minigrad cannot be imported, and return what it prints."""
    script = "\n".join(["import sys", "sys.modules['minigrad'] = None", str(source), *lines])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- What it prints -------------------------------------------------------------------------------------------------

LINEAR = '''\
import numpy as np


def mseloss(theta, model, x, y):
    """Compute the value of mseloss, and its gradient with respect to the argument 0."""
    b = theta['b']                   # float64
    w = theta['w']                   # float64
    # Forward
    v0 = w * x                       # float64[4]
    prediction = v0 + b              # float64[4]
    difference = prediction - y      # float64[4]
    v1 = np.square(difference)       # float64[4]
    value = np.mean(v1)              # float64
    # Backward: the derivatives, from the last operation to the first
    d_prediction = 0.5 * difference  # float64[4]
    d_b = np.sum(d_prediction)       # float64
    v2 = d_prediction * x            # float64[4]
    d_w = np.sum(v2)                 # float64
    return value, {'b': d_b, 'w': d_w}
'''


def test_the_linear_model_reads_like_the_derivation():
    assert str(program(value_and_grad(mseloss))(THETA, linear_model, X, Y)) == LINEAR


def test_the_source_runs_with_numpy_alone(tmp_path):
    f = value_and_grad(mseloss)
    p = program(f)(THETA, linear_model, X, Y)
    call = "print(mseloss({'w': np.array(3.0), 'b': np.array(-1.0)}, None, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4)))"
    value, gradient = f({"w": np.array(3.0), "b": np.array(-1.0)}, linear_model, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    expected = (value, {name: g[()] for name, g in gradient.items()})
    assert run_alone(p, tmp_path, call).strip() == str(expected)


def test_what_the_rules_need_stands_in_front(tmp_path):
    def f(x):
        y = np.zeros_like(x)
        y[np.array([0, 0, 1])] += x[:3]
        return np.sum(np.sinc(x) * np.i0(y)) + np.linalg.norm(np.diag(y))

    p = program(grad(f))(X)
    printed = run_alone(p, tmp_path, f"print(f(np.array({X.tolist()})).tolist())")
    assert_close(np.array(eval(printed)), grad(f)(X))
    assert "import math" in p.source and "minigrad" not in p.source


def test_operations():
    p = program(value_and_grad(mseloss))(THETA, linear_model, X, Y)
    assert repr(p) == "<Program mseloss: 9 operations>"
    names = "np.multiply np.add np.subtract np.square np.mean np.multiply np.sum np.multiply np.sum".split()
    assert [operation.name for operation in p.operations] == names
    first, mean, last = p.operations[0], p.operations[4], p.operations[-1]
    assert [v.name for v in first.operands] == ["w", "x"] and first.shape == (4,) and first.dtype == np.float64
    assert first.part == mean.part == "forward" and last.part == "backward" and last.result.name == "d_w"
    # A step of the backward pass has the line of the operation that it is the derivative of.
    assert first.line == last.line and first.line.endswith("in linear_model") and "model.py, line " in first.line
    assert mean.line == p.operations[5].line and mean.line.endswith("in mseloss")


def test_names_of_inputs_and_results():
    def f(layers, scale):
        total = 0.0
        for layer in layers:
            hidden = np.tanh(layer["w"] * scale)
            total = total + np.sum(hidden)
        return total

    p = program(grad(f))([{"w": X}, {"w": Y}], 0.5)
    for line in ("layers_0_w = layers[0]['w']", "layers_1_w = layers[1]['w']", "[{'w': d_layers_0_w}, {'w': d_layers_1_w}]"):
        assert line in p.source, p.source
    assert "total" not in p.source  # it is not needed for the gradient
    assert "total_2 = total + " in str(program(f)([{"w": X}, {"w": Y}], 0.5))


def test_names_are_looked_for_only_in_frames_that_have_moved_on(monkeypatch):
    looked = []
    find_names = TraceLevel.find_names
    monkeypatch.setattr(TraceLevel, "find_names", lambda level, frame: looked.append(frame) or find_names(level, frame))

    def deep(x, depth):
        if depth:
            return deep(x, depth - 1)
        for _ in range(100):
            inner = x = x * 0.5
        return inner

    p = program(lambda x: deep(x, 30))(2.0)
    assert len(p.operations) == 100 and "x_100 = x_99 * 0.5" in str(p)
    assert len(looked) < 2 * 100 + 2 * 31 + 10


def test_what_is_not_used_is_not_there():
    p = program(grad(lambda theta, x: np.sum(theta["w"] * x) + theta["b"]))({"w": X, "b": 1.0, "c": Y}, Y)
    assert body(grad(lambda theta, x: np.sum(theta["w"] * x) + theta["b"]), {"w": X, "b": 1.0, "c": Y}, Y) == [
        '"""Compute the gradient of <lambda> with respect to the argument 0."""',
        "v0 = c0.copy()", "v1 = x.copy()", "return {'b': 1.0, 'c': v0, 'w': v1}",
    ]
    assert_close(p({"w": Y, "b": 2.0, "c": X}, X), {"w": X, "b": 1.0, "c": 0 * X})


def test_names_that_are_taken():
    sin = np.sin

    def f(np, sum, v0):
        """Say "hello" with a \\ in it."""
        d_sum = sin(sum) * v0
        return np * d_sum + 1.0

    p = program(f)(2.0, X, 3.0)
    assert "def f(np_, sum, v0):" in p.source and "Say 'hello'" in p.source
    assert_close(p(3.0, Y, 2.0), f(3.0, Y, 2.0))


def test_what_was_recorded_is_shown():
    text = str(program(value_and_grad(mseloss), simplify=False)(THETA, linear_model, X, Y))
    for line in ("c0 = np.full(4, 0.5)", "v1 = difference ** 2", "d_prediction = c0 * ", "np.sum(d_prediction, axis=(0,), dtype=None)"):
        assert line in text, text


def test_parts_of_a_training_step():
    def step(theta, x, y, rate):
        value, g = value_and_grad(lambda theta: np.mean((theta["w"] * x + theta["b"] - y) ** 2))(theta)
        return value, tree.map(lambda p, d: p - rate * d, theta, g)

    p = program(step)(THETA, X, Y, 0.1)
    lines = p.source.splitlines()
    forward, backward, after = (next(i for i, line in enumerate(lines) if word in line) for word in ("# Forward", "# Backward", "# After"))
    assert forward < backward < after and lines[after + 1].split("#")[0].strip().endswith("= rate * d_b")
    assert_close(p(THETA, Y, X, 0.3), step(THETA, Y, X, 0.3))
    assert "# Forward" not in str(program(lambda x: x * 2.0)(X))


# ---- What it simplifies ---------------------------------------------------------------------------------------------


def body(fun, *args):
    lines = str(program(fun)(*args)).partition("def ")[2].splitlines()[1:]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("fun", "lines"), [
    (lambda x: np.square(x) + 0 * (x > 0).sum(), None),
    (lambda x: (x * 1) * 1.0 / 1 ** 1, ["v0 = x.copy()", "return v0"]),
    (lambda x: (x - 0.0) + -0.0, ["v0 = x.copy()", "return v0"]),
    (lambda x: x + 0.0, ["v0 = x + 0.0", "return v0"]),  # of -0.0, it is 0.0
    (lambda x: x - -0.0, ["v0 = x - (-0.0)", "return v0"]),
    (lambda x: 1.0 / x, ["v0 = 1.0 / x", "return v0"]),
    (lambda x: 0.0 - x, ["v0 = 0.0 - x", "return v0"]),
    (lambda x: x * np.ones((2, 4)), ["v0 = x * c0", "return v0"]),  # it broadcasts
    (lambda x: x.astype(np.float32) * np.float64(1), ["v0 = x.astype(np.float32)", "v1 = v0 * np.float64(1.0)", "return v1"]),
    (lambda x: x * np.ones(4), ["v0 = x.copy()", "return v0"]),
    (lambda x: (x + 0j) * 1, ["v0 = x + 0j", "v1 = v0 * 1", "return v1"]),  # (inf + 1j) * 1 has a NaN
    (lambda x: -(-x) * 2.0, ["v0 = x * 2.0", "return v0"]),
    (lambda x: np.conj(x.real), ["v0 = x.copy()", "return v0"]),
    (lambda x: x**2 + np.power(x, 2.0), ["v0 = np.square(x)", "v1 = v0 + v0", "return v1"]),
    (lambda x: x[...].reshape(4)[()], ["v0 = x.copy()", "return v0"]),
    (lambda x: np.broadcast_to(x, (3, 4)) * np.zeros((3, 1)) + 1.0, ["v0 = x * c0", "v1 = v0 + 1.0", "return v1"]),
    (lambda x: np.broadcast_to(x, (3, 4)) * 2.0, ["v0 = np.broadcast_to(x, (3, 4))", "v1 = v0 * 2.0", "return v1"]),
    (lambda x: (np.sin(x), np.sin(x) * 2.0, np.cos(x))[1], ["v0 = np.sin(x)", "v1 = v0 * 2.0", "return v1"]),
    (lambda x: x * np.zeros_like(x).sum(), ["v0 = x * 0.0", "return v0"]),
    (lambda x: np.sum(x, axis=(0,), keepdims=False), ["v0 = np.sum(x)", "return v0"]),
    (lambda x: np.max(x, initial=0), ["v0 = np.max(x, initial=0)", "return v0"]),
    (lambda x: np.sum(x, initial=0.0, where=x > 0.4), ["v0 = x > 0.4", "v1 = np.sum(x, initial=0.0, where=v0)", "return v1"]),
    (lambda x: np.concatenate([x, x], 0), ["v0 = np.concatenate([x, x])", "return v0"]),
    (lambda x: np.diff(x, 1, -1) + np.roll(x, 1, None)[1:], ["v0 = np.diff(x)", "v1 = np.roll(x, 1)", "v2 = v1[1:]", "v3 = v0 + v2", "return v3"]),
    (lambda x: np.where(x > 0, 1.0, 1.0) + x, ["v0 = 1.0 + x", "return v0"]),
    (lambda x: np.where(x > 0, x * 2.0, x), ["v0 = x > 0", "v1 = x * 2.0", "v2 = np.where(v0, v1, x)", "return v2"]),
    (lambda x: x.reshape(2, 2).reshape(4, 1).sum(1), ["v0 = np.reshape(x, (4, 1))", "v1 = np.sum(v0, 1)", "return v1"]),
    (lambda x: np.reshape(np.reshape(x, (2, 2)), (4,), "F"), ["v0 = np.reshape(x, (2, 2))", "v1 = np.reshape(v0, (4,), 'F')", "v2 = v1.copy()", "return v2"]),
    (lambda x: (x[0], x[1:][0]), ["v0 = x[0]", "v1 = x[1:]", "v2 = v1[0]", "return v0, v2"]),
    (lambda x: (np.zeros_like(x).sum(), np.ones_like(x)), ["v0 = c0.copy()", "return np.float64(0.0), v0"]),
    (lambda x: np.full(4, -0.0) + x, ["v0 = x.copy()", "return v0"]),
])
def test_simplified(fun, lines):
    assert lines is None or body(fun, X) == lines
    for way in WAYS:
        assert_same(way, fun, (X,), (Y,))


def test_transposes():
    assert body(lambda a: a.T.T * 2.0, M) == ["v0 = a * 2.0", "return v0"]
    cube = np.zeros((2, 3, 4))
    assert body(lambda a: a.transpose(1, 2, 0).transpose(1, 2, 0), cube) == ["v0 = np.transpose(a, (2, 0, 1))", "v1 = v0.copy()", "return v1"]
    assert body(lambda a: a.swapaxes(0, 1).swapaxes(0, 1) * 2.0, M) == ["v0 = a * 2.0", "return v0"]
    for way in WAYS:
        assert_same(way, lambda a: a.transpose(1, 2, 0).transpose(1, 2, 0), (np.arange(24.0).reshape(2, 3, 4),))


def test_signed_zeros_and_nan_stay():
    special = np.array([-0.0, 0.0, np.nan, np.inf, -np.inf])
    for fun in (lambda x: x * 1.0, lambda x: x + 0.0, lambda x: x - 0.0, lambda x: -(-x), lambda x: x + -0.0, lambda x: x * 0.0):
        for way in WAYS:
            with np.errstate(invalid="ignore"):
                ours, expected = WAYS[way](fun, special)(special), fun(special)
            assert ours.tobytes() == expected.tobytes()


def test_numbers_are_written_exactly():
    constants = [np.inf, -np.inf, np.nan, 0.1, -0.0, 1e-300, np.float32(0.1), np.float64(1 / 3), 1 + 2j, complex(-0.0, np.inf), complex(1, -0.0), complex(-0.0, 1), -1j, np.int8(3)]
    for c in constants:
        with np.errstate(invalid="ignore"):
            p = program(lambda x: x * c)(X)
            assert p(X).tobytes() == (X * c).tobytes(), p.source


# ---- What it runs ---------------------------------------------------------------------------------------------------


def training(params, x, y):
    for _ in range(2):
        _, g = value_and_grad(lambda p: np.mean((np.tanh(x @ p["w"] + p["b"]) - y) ** 2))(params)
        params = tree.map(lambda p, d: p - 0.1 * d, params, g)
    return params


@custom_vjp
def clipped(x):
    return x * x


clipped.defvjp(lambda x: (x * x, x), lambda x, g: (np.minimum(2 * x * g, 1.0),))


@primitive
def cube(x):
    return x**3


defvjp(cube, x=lambda g, x: g * 3 * x**2)


@every_way
@pytest.mark.parametrize(("fun", "args", "other"), [
    (grad(grad(lambda t: np.sin(t) * t**3)), (2.0,), (1.5,)),
    (hessian(lambda x: np.sum(np.sin(x) * x**3)), (X,), (Y,)),
    (lambda x, t: jvp(np.cumprod, (x,), (t,)), (X, Y), (Y, X)),
    (jacfwd(lambda x: np.outer(x, np.tanh(x))), (X,), (Y,)),
    (jacrev(lambda x: np.outer(x, np.tanh(x))), (X,), (Y,)),
    (lambda x, t: hvp(lambda x: np.sum(np.exp(x) * x), (x,), (t,)), (X, Y), (Y, X)),
    (lambda x, t: linearize(lambda x: np.exp(x) * x, x)[1](t), (X, Y), (Y, X)),
    (lambda x, t: vjp(lambda x: np.exp(x) * x, x)[1](t), (X, Y), (Y, X)),
    (grad(lambda x: np.sum(checkpoint(lambda x: np.tanh(np.sin(x)))(x) * x)), (X,), (Y,)),
    (lambda x: checkpoint(lambda x: np.tanh(np.sin(x)))(x), (X,), (Y,)),
    (grad(lambda x: np.sum(clipped(x))), (X,), (Y,)),
    (clipped, (X,), (Y,)),
    (grad(lambda x: np.sum(cube(x) * x)), (X,), (Y,)),
    (cube, (X,), (Y,)),
    (grad(lambda x: np.sum(stop_gradient(x) * x**2)), (X,), (Y,)),
    (lambda x: stop_gradient(x) * x**2, (X,), (Y,)),
    (value_and_grad(lambda x: (np.sum(x**2), {"a": x * 2, "n": 3, "text": "abc"}), has_aux=True), (X,), (Y,)),
    (grad(lambda a, b: np.sum(a + b), argnums=(0, 1)), (X, Y), (Y, X)),
    (grad(lambda t: np.sum(t[..., None] * X) + t[()]), (2.0,), (3.0,)),
    (grad(lambda t: sum(divmod(t, 0.7)) * np.float32(2)), (2.0,), (3.1,)),
    (lambda t: [np.sum(t * 2, axis=-1), np.max(t, -1)], (np.array(2.0),), (np.array(3.0),)),
    (lambda x: np.histogramdd(M.T, 3, weights=x), (X,), (Y,)),
    (lambda x: np.histogramdd(x[:, :2], (3, 2)), (M,), (M * M,)),
    (grad(lambda x: np.sum(np.histogramdd(x, 3, weights=x[:, 0])[0] ** 2)), (M,), (M * M,)),
    (grad(lambda x: np.mean(np.tanh(x) ** 2 * 0.1)), (X.astype(np.float32),), (Y.astype(np.float32),)),
    (grad(lambda x: np.mean(np.tanh(x) ** 2 * 0.1)), (X.astype(np.float16),), (Y.astype(np.float16),)),
    (grad(lambda z: np.sum(np.abs(z * z + 1) ** 2)), (X + 1j * Y,), (Y - 1j * X,)),
    (lambda x, keep: np.where(keep & (x > 0) | ~keep, x, 0) + (keep ^ keep), (X, X > 0.4), (Y, X < 0.4)),
    (training, ({"w": M.T, "b": np.zeros(3)}, M, np.ones((3, 3))), ({"w": M.T * 2, "b": np.ones(3)}, M + 1, np.zeros((3, 3)))),
    (lambda x: (x, x, x.T, M, M[0], 3, None, "text"), (M,), (M + 1,)),
    (lambda p: [p[0][1] * 2, {"a": (p[1]["z"],)}], (((1.0, X), {"z": X}),), (((2.0, Y), {"z": X}),)),
    (lambda x: [*np.split(x, 2), *np.modf(x), *np.frexp(x), np.linalg.eigh(np.outer(x, x))[0]], (X,), (Y,)),
])
def test_same_as_the_engine(fun, args, other, way):
    assert_same(way, fun, args, other)


def first(x):
    y = np.zeros_like(x)
    y[0] = x[1]
    y[1:3] = x[:2] * 2
    y += x
    y[np.array([0, 0, 1])] += 1.0
    return np.sum(y**3)


def views(x):
    y = x * 1.0
    v = y[1:]
    v *= 2
    w = v[::2]
    w[0] = x[0]
    v[-1] = 3.0
    return np.sum(y**2) + np.sum(w)


def parts(x):
    y = x * (1 + 1j)
    y.real[0] = y.imag[1]
    y.imag *= 2.0
    r = y.real
    r[1] = 3.0
    return np.sum(np.abs(y) ** 2)


def by_traced_indices(x):
    y, i = x.copy(), np.argsort(x)
    v = y[::2]
    y[i] = np.arange(4.0) * x
    y[np.argmax(x)] = 7.0
    y[x > 1] *= 2.0 if False else 1.0
    return np.sum(y**2 * np.arange(4)) + np.sum(v**3)


def by_masks(x):
    y = x.copy()
    y[x > 0.4] = 0.5
    return np.sum(y**2)


def ufuncs(x):
    y = x.copy()
    np.add.at(y, np.array([0, 0, 2]), x[:3])
    np.multiply(y, 2, out=y)
    y.flat[1:3] = x[0]
    return np.sum(np.sin(y))


@every_way
@pytest.mark.parametrize("fun", [first, views, parts, by_masks, ufuncs])
def test_writes(fun, way):
    assert_same(way, fun, (X,), (Y,))
    assert_same(way, grad(fun), (X,), (Y,))


def test_outputs_share_no_memory():
    p = program(lambda x: (x, x[1:], x.T, M, M, x.real, np.broadcast_to(x[0], (4, 4))))(M)
    results = p(M)
    for i, y in enumerate(results):
        assert y.flags.writeable and not any(np.shares_memory(y, other) for other in (*results[:i], M))
    results[3][...] = 0.0
    assert_close(p(M)[3], M)
    gradients = program(grad(lambda a, b: np.sum(a + b), argnums=(0, 1)))(X, Y)(X, Y)
    assert not np.shares_memory(*gradients) and all(g.flags.writeable for g in gradients)


def test_what_comes_from_outside_is_kept(tmp_path):
    large = np.arange(100.0) ** 2
    p = program(lambda x: np.sum(x * large[::25]) + np.sum(x[0] * large))(X)
    expected = p(X)
    large[...] = 0.0
    assert p(X) == expected and list(p.constants) == ["large"]
    np.savez(tmp_path / "constants.npz", **p.constants)
    assert float(run_alone(p, tmp_path, f"print(program(np.array({X.tolist()})))")) == expected


def test_side_effects_happen_once():
    calls = []

    def f(x):
        calls.append(1)
        return x * random.random() + np.random.default_rng().normal()

    p = program(f)(X)
    assert_close(p(X), p(X))
    assert len(calls) == 1


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray


class Box:
    def __init__(self, value):
        self.value = value


tree.register_pytree_node(Box, lambda box: ((box.value,), None), lambda _, children: Box(*children))


def test_containers():
    p = program(lambda pair: Pair(pair.b * 2, pair.a))(Pair(X, Y))
    result = p(Pair(Y, X))
    assert type(result) is Pair and "a = pair.a" in p.source and "return Pair(" in p.source
    assert_close(result, Pair(X * 2, Y))
    box = program(lambda box, other: Box(box.value * other))(Box(X), 2.0)(Box(Y), 3.0)
    assert type(box) is Box
    assert_close(box.value, Y * 3)
    ordered = program(lambda d: collections.OrderedDict(z=d["z"] * 2, a=1.0))(collections.OrderedDict(z=X))
    assert_close(ordered(collections.OrderedDict(z=Y)), collections.OrderedDict(z=Y * 2, a=1.0))


def test_forms_of_calls():
    def f(a, *rest, scale=1.0, **others):
        return a * scale + sum(rest) + others.get("shift", 0.0)

    p = program(f)(X, Y, 2.0, shift=0.5)
    assert p.source.partition("def ")[2].startswith("f(a, *rest, shift):")
    assert_close(p(Y, X, 3.0, shift=1.5), f(Y, X, 3.0, shift=1.5))
    p = program(f)(X, scale=2.0)
    assert_close(p(Y, scale=3.0), Y * 3.0)


def test_other_arguments_are_refused():
    p = program(lambda x, n, t: x[0]["a"] ** n * t)([{"a": X}], 3, 2.0)
    assert_close(p([{"a": Y}], 3, 4.0), Y**3 * 4.0)
    with pytest.raises(TypeError, match=r"recorded for x\[0\]\['a'\] of shape \(4,\) and dtype float64, and got shape \(3,\) and float64"):
        p([{"a": X[:3]}], 3, 2.0)
    with pytest.raises(TypeError, match=r"dtype float64, and got shape \(4,\) and float32"):
        p([{"a": X.astype(np.float32)}], 3, 2.0)
    with pytest.raises(TypeError, match="recorded for arguments of the structure"):
        p([{"b": X}], 3, 2.0)
    with pytest.raises(ValueError, match="recorded for n = 3, which is a part of it, and got 4. Make another program"):
        p([{"a": X}], 4, 2.0)


def test_the_form_of_a_result_is_checked():
    p = program(np.emath.sqrt)(np.array([1.0, 4.0]))
    assert_close(p(np.array([9.0, 16.0])), np.array([3.0, 4.0]))
    with pytest.raises(ValueError, match=r"recorded for a result float64\[2\], and this one is complex128\[2\]"):
        p(np.array([9.0, -16.0]))
    p = program(grad(lambda p: np.sum(np.abs(np.roots(p)))))(np.array([1.0, -3.0, 2.0]))
    with pytest.raises(ValueError, match="no derivative at a multiple root"):
        p(np.array([1.0, -2.0, 1.0]))


# ---- What it refuses ------------------------------------------------------------------------------------------------


def is_positive(x):
    return x if x[0] > 0 else -x


REFUSED = [
    (is_positive, r"A condition .*in is_positive\. .*Write np\.where"),
    (lambda x: x if np.isnan(x).any() else -x, r"A condition .*Write np\.where"),
    (lambda x: max(x[0], x[1]), "A condition"),
    (lambda x: float(x[0]), r"float\(\) needs the value"),
    (lambda x: x[0].item(), r"item\(\) needs the value of an array, in .*test_programs.py, line \d+, in <lambda>"),
    (lambda x: int(x[0]), r"int\(\) needs the value.*t\.astype\(int\)"),
    (lambda x: x[x > 0], r"The shape of a\[mask\] needs.*np\.where\(mask, t, 0\)"),
    (lambda x: np.nonzero(x), r"The shape of the result of np\.nonzero"),
    (lambda x: np.where(x > 0), r"The shape of the result of np\.where"),
    (lambda x: np.unique(x), r"The shape of the result of np\.unique"),
    (lambda x: [1, 2, 3][x.astype(int)[0]], "An index of a list"),
    (lambda x: range(x.astype(int)[0]), "a number of elements"),
    (lambda x: np.arange(9.0)[x.astype(int)], r"np\.take\(a, t\) in place of a\[t\]"),
    (lambda x: np.array([x[0], x[1]]), r"write np\.stack\(\[a, b\]\)"),
    (lambda x: np.zeros(3).__setitem__(0, x[0]), r"float\(\) needs the value"),
    (lambda x: np.add(np.zeros(4), x, out=np.zeros(4)), r"Writing into a plain array .*np\.zeros_like"),
    (lambda x: 2.0 in x, "The operator in"),
    (lambda x: round(x[0]), r"Write np\.round"),
    (lambda x: np.repeat(x, x.astype(int)), r"np\.repeat\(repeats=\), which decides about the shape"),
    (lambda x: np.linspace(0, x[0], x.astype(int)[1]), r"np\.linspace\(num=\)"),
    (lambda x: np.sum(x, axis=x.astype(int)[0]), r"np\.sum\(axis=\)"),
    (lambda x: x.tolist(), r"Write list\(t\)"),
    (lambda x: np.random.default_rng(0).normal(x), "into a plain array"),
]


@pytest.mark.parametrize(("fun", "match"), REFUSED)
def test_what_needs_a_value_is_refused(fun, match):
    with pytest.raises(ConcretizationTypeError, match=match):
        program(fun)(X)


@pytest.mark.parametrize("fun", [
    is_positive, lambda x: x[0].item() * x, lambda x: int(x[0]) * x, lambda x: x[x > 0], lambda x: x * (2.0 in x), lambda x: x * round(x[0])
])
def test_it_is_refused_within_a_gradient_too(fun):
    with pytest.raises(ConcretizationTypeError):
        program(grad(lambda x: np.sum(fun(x))))(X)


@pytest.mark.parametrize(("fun", "error", "match"), [
    (lambda x: np.sum(x, out=np.zeros(())), NotImplementedError, r"np\.sum would write into an array"),
    (lambda x: np.copyto(np.zeros(4), x), NotImplementedError, r"np\.copyto would write into an array"),
    (lambda x: np.cumsum(x, out=x), NotImplementedError, r"write t\[index\] = value"),
    (lambda x: {x: 1}, TypeError, "unhashable"),
    (lambda x: x + pandas.Series([1.0] * 4), ForeignArrayError, r"pass x.to_numpy\(\)"),
])
def test_other_refusals(fun, error, match):
    with pytest.raises(error, match=match):
        program(fun)(X)


def test_arrays_of_other_libraries_are_refused():
    with pytest.raises(ForeignArrayError, match="pandas.Series"):
        program(np.sum)(pandas.Series([1.0]))


def test_values_that_are_differentiated_outside_are_refused():
    with pytest.raises(TypeError, match="recorded outside of grad"):
        grad(lambda x: np.sum(program(np.sin)(x)(x)))(X)
    with pytest.raises(TypeError, match="a value from outside that is being differentiated"):
        grad(lambda w: program(lambda x: np.sum(w * x))(X)(X))(2.0)


def test_a_traced_value_shows_its_form_only():
    seen = []

    def f(x):
        seen.extend([repr(x), f"{x:.3f}", isinstance(x, Tensor), len(x), x.shape])
        return x

    program(f)(X)
    assert seen == ["Traced(float64[4])", "Traced(float64[4])", True, 4, (4,)]


# ---- Where it stands ------------------------------------------------------------------------------------------------


def test_it_is_loaded_when_it_is_used():
    script = "import sys, minigrad; assert not any(name.startswith('minigrad.programs') for name in sys.modules); minigrad.program"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
    assert {"program"} <= set(minigrad.__all__) and {"program", "jit"} <= set(dir(minigrad)) and minigrad.Program.__name__ == "Program"
