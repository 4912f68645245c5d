"""How a program is held against the engine: on the arguments that it was recorded with, and on others.

On other arguments a program is wrong if it has kept a value of the recorded call, or taken a way that this call took.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable

import numpy as np

from minigrad import jit, program, tree
from minigrad.programs.operations import run
from minigrad.programs.tracing import trace

# The ways to run what was recorded: each takes a function and its arguments, and returns a function.
WAYS: dict[str, Callable[..., Callable]] = {
    "the source": lambda fun, *args: program(fun)(*args),
    "as recorded": lambda fun, *args: partial(run, trace(fun, args, {})),
    "jit, NumPy": lambda fun, *args: _jitted(fun, "numpy", args),
}
# Compiling takes two minutes. So it is not done again for the plain way, which records the same.
COMPILES = find_spec("numba") is not None and os.environ.get("MINIGRAD_PLAIN", "0") in ("", "0")
if COMPILES:
    WAYS["jit, Numba"] = lambda fun, *args: _jitted(fun, "numba", args)


def _jitted(fun: Callable, backend: str, args: tuple) -> Callable:
    jitted = jit(fun, backend=backend)
    jitted(*args)
    return jitted


def assert_same(way: str, fun: Callable, args: tuple, *others: tuple, ulps: int = 8) -> None:
    """A way to run a program of these arguments gives what the function gives: for them, and for others."""
    ulps *= {"jit, NumPy": 4, "jit, Numba": 32}.get(way, 1)  # sums, which may cancel, are added in another order
    recorded = WAYS[way](fun, *args)
    for given in (args, *others):
        assert_close(recorded(*given), fun(*given), ulps)


def assert_close(ours: Any, expected: Any, ulps: int = 8, least_eps: float = 0.0) -> None:
    """Two trees have the same structure, and their numbers the same shapes, dtypes and values, up to rounding.

    `least_eps` is the rounding error of the narrowest dtype that was computed with.
    """
    assert tree.structure(ours) == tree.structure(expected)
    for a, b in zip(tree.leaves(ours), tree.leaves(expected)):
        if not isinstance(b, (float, complex, np.ndarray, np.generic)):
            assert type(a) is type(b) and a == b
            continue
        assert np.shape(a) == np.shape(b) and np.result_type(a) == np.result_type(b), f"{a!r} and {b!r}"
        if np.result_type(b).kind in "fc":
            eps = max(np.finfo(np.result_type(b)).eps, least_eps)
            size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
            np.testing.assert_allclose(a, b, rtol=ulps * eps, atol=ulps * eps * size)
        else:
            np.testing.assert_array_equal(a, b)


def changed(values: list) -> list[list]:
    """Other arguments of the same form: all a little larger, and each vector in reverse."""
    larger = [x * (1 + 0.02 * np.cos(np.arange(np.size(x))).reshape(np.shape(x))) for x in values]
    return [[y if np.ndim(x) else type(x)(y) for x, y in zip(values, larger)], [x[::-1].copy() if np.ndim(x) == 1 else x for x in values]]


def total(y: Any) -> Any:
    """One real number for all that a function returns, with a weight for each element."""
    result = 0.0
    for i, leaf in enumerate(tree.leaves(y)):
        weights = np.cos(np.arange(np.size(leaf)) + i).reshape(np.shape(leaf))
        result = result + np.sum(weights * np.real(leaf)) + np.sum(np.sin(3 * weights) * np.imag(leaf))
    return result
