"""The plain way and the fast way compute the same numbers, to the bit, except where minigrad/README.md says that they round
differently.

Each way runs in a process of its own: `MINIGRAD_PLAIN` is read when minigrad is imported.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAMS = '''
import json
import numpy as np
from minigrad import checkpoint, grad, hessian, hvp, jvp, value_and_grad, vjp

rng = np.random.default_rng(0)
X, Y = rng.uniform(0.5, 1.5, (333, 3)), rng.uniform(0.5, 1.5, 333)
V = rng.uniform(0.5, 1.5, 7)
M = rng.uniform(0.5, 1.5, (7, 7)) / 7


def recurrence(p):
    h = 0 * p["b"]
    for t in range(6):
        h = np.tanh(p["W"] @ h + p["u"] * V[t] + p["b"])
    return np.sum(h * h)


def network(p):
    h = np.maximum(X @ p["W1"] + p["b1"], 0.0)
    z = h @ p["W2"] + p["b2"]
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(X * z, axis=1))


def written(x):
    y = np.zeros_like(x)
    y[0] = x[1] ** 2
    y[1:] = x[1:] * x[0]
    y[2] += y[1]
    return np.sum(y / x)


SAME = {
    "scalars": (lambda y: [y := y * 0.99 + 0.01 / y for _ in range(50)][-1] ** 2, 2.0),
    "powers": (lambda y: y**2 + y**3 + y**0.5 + 2.0**y + (y % 0.7) + 3.0 // y, 1.7),
    "elementwise": (lambda x: np.sum(np.sin(x) * np.exp(-x) / (1 + x * x) - abs(-x) + np.hypot(x, 2.0)), V),
    "elements": (lambda x: sum(v * v for v in x) + x[1] * x[2] + x[-1], V),
    "slices": (lambda x: np.sum(x[1:] / x[:-1]) + np.sum(x[[0, 0, 2]] ** 2), V),
    "statistics": (lambda x: np.mean(x, axis=0).sum() + x.std() + np.max(x) + np.prod(x, axis=1).mean(), X),
    "a mean of squares": (lambda x: np.mean((x - Y[:7]) ** 2), V),
    "sums along axes": (lambda x: sum(np.sum(np.sin(fun(a * a, axis=axis, keepdims=keepdims)) ** 2)
                                      for fun in (np.sum, np.mean, np.max, np.prod) for a in (x, x.T, x.reshape(3, 1, 3))
                                      for axis in (0, 1, -1, (0,), (0, -1), None) for keepdims in (False, True)), X[:3]),
    "biases": (lambda x: np.sum(np.cos(X[:4, None] + x[0]) * x[1]) + np.sum(np.sin(x[2:]) * X[:3, None, :]), X[:3]),
    "no elements": (lambda x: np.sum(np.sum(x[:0], axis=0) * x[0] + np.sum(x[:, :0], axis=1)), X[:3]),
    "shapes": (lambda x: np.sum(x.reshape(3, -1).T[1:] ** 2) + np.concatenate([x[0], x[1]]).sum(), X),
    "conditions": (lambda x: np.sum(np.where(x > 1.0, x, 0.1 * x) * (x <= 1.2) + np.clip(x, 0.8, 1.1)), V),
    "float32": (lambda x: np.sum(x * x[::-1] + x / 3), V.astype(np.float32)),
    "complex": (lambda x: np.abs(np.sum(np.exp(1j * x) * x)), V),
    "writing": (written, V),
    "a checkpoint": (lambda x: checkpoint(lambda z: np.sum(np.sin(z) * z))(x), V),
    "second order": (lambda x: np.sum(grad(lambda z: np.sum(np.sin(z) * z**2))(x) ** 2), V),
    "a large product": (lambda w: np.sum((X @ w) ** 2), rng.uniform(size=(3, 900))),
}
CLOSE = {
    "linear": (lambda p: ((p["w"] * Y + p["b"] - X[:, 0]) ** 2).mean(), {"w": 0.7, "b": 0.2}),
    "logistic": (lambda p: np.mean(np.logaddexp(0.0, X @ p["w"] + p["b"]) - Y * (X @ p["w"])), {"w": X[0], "b": 0.3}),
    "recurrence": (recurrence, {"W": M, "u": V, "b": V / 7}),
    "network": (network, {"W1": X[:3], "b1": X[0], "W2": X[3:6], "b2": X[1]}),
    "a large sum": (lambda w: np.sum(w * np.linspace(0.5, 1.5, 100_000)), 0.7),
}


def numbers(tree):
    leaves = [tree[k] for k in sorted(tree)] if isinstance(tree, dict) else tree if isinstance(tree, tuple) else [tree]
    return [[str(np.asarray(v).dtype), list(np.shape(v)), [float(n).hex() for n in np.ravel(v)]] for v in leaves]


found = {}
for name, (f, x) in {**SAME, **CLOSE}.items():
    value, gradient = value_and_grad(f)(x)
    found[name] = numbers(value) + numbers(gradient)
found["vjp"] = numbers(vjp(lambda x: np.sin(x) * x, V)[1](V))
found["jvp"] = numbers(jvp(lambda x: np.sin(x) * x, (V,), (V,)))
found["hessian"] = numbers(hessian(lambda x: np.sum(np.sin(x) * x))(V))
print(json.dumps({"found": found, "close": list(CLOSE)}))
'''


@pytest.fixture(scope="module")
def both():
    found = []
    for plain in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAMS], env={**os.environ, "MINIGRAD_PLAIN": plain}, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout))
    return found


def test_they_are_the_same_but_for_the_order_of_sums(both):
    fast, plain = both
    assert fast["found"].keys() == plain["found"].keys() and len(plain["found"]) > 20
    for name in fast["found"]:
        for one, other in zip(fast["found"][name], plain["found"][name], strict=True):
            assert one[:2] == other[:2], name  # dtypes and shapes
            if name not in plain["close"]:
                assert one == other, name


def test_where_sums_are_taken_in_another_order_a_few_units_in_the_last_place_differ(both):
    fast, plain = both
    differ = 0
    for name in plain["close"]:
        for one, other in zip(fast["found"][name], plain["found"][name], strict=True):
            a, b = (np.array([float.fromhex(n) for n in numbers[2]]) for numbers in (one, other))
            assert np.all(np.abs(a - b) <= 8 * np.spacing(np.maximum(np.abs(a), np.max(np.abs(a)) / 8))), name
            differ += np.count_nonzero(a != b)
    assert differ > 0, "else the exceptions that the documentation names are none"


def test_the_environment_decides():
    for plain, expected in (("1", "False"), ("0", "True"), ("", "True")):
        program = "import sys, minigrad; print('minigrad.fast' in sys.modules)"
        run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "MINIGRAD_PLAIN": plain}, capture_output=True, text=True)
        assert run.stdout.strip() == expected, run.stderr
