"""How a program is held against the engine: on the arguments that it was recorded with, and on others.

On other arguments a program is wrong if it has kept a value of the recorded call, or taken a way that this call took.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from typing import Any, Callable

import numpy as np

from minigrad import jit, program, tree, value_and_grad
from minigrad.programs.numpy_backend import again
from minigrad.programs.operations import Variable
from minigrad.programs.tracing import trace


def run(recording: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the operations one by one."""
    given = zip(tree.leaves(recording.in_tree), tree.leaves((args, kwargs)))
    inputs = [leaf for variable, leaf in given if isinstance(variable, Variable)]
    return tree.unflatten(tree.structure(recording.outputs), again(recording, *inputs))


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


ULPS = 4  # by which the results of a way may differ from those of the engine
# The derivative by a spacing is a sum of differences, which cancel.
MORE_ULPS = {"gradient": 8}


def _jitted(fun: Callable, backend: str, args: tuple) -> Callable:
    jitted = jit(fun, backend=backend)
    jitted(*args)
    return jitted


def assert_same(way: str, fun: Callable, args: tuple, *others: tuple, ulps: float = ULPS) -> None:
    """A way to run a program of these arguments gives what the function gives: for them, and for others."""
    recorded = WAYS[way](fun, *args)
    for given in (args, *others):
        assert_close(recorded(*given), fun(*given), ulps)


def assert_close(ours: Any, expected: Any, ulps: float = ULPS, narrowest: Any = None) -> None:
    """Two trees have the same structure, and their numbers the same shapes, dtypes and values, up to a few ulp.

    An ulp is the distance between the largest number of a leaf and the next one, of its dtype or of the narrowest dtype that it
    was computed with.
    """
    assert tree.structure(ours) == tree.structure(expected)
    for a, b in zip(tree.leaves(ours), tree.leaves(expected)):
        if not isinstance(b, (float, complex, np.ndarray, np.generic)):
            assert type(a) is type(b) and a == b
            continue
        assert np.shape(a) == np.shape(b) and np.result_type(a) == np.result_type(b), f"{a!r} and {b!r}"
        sizes = np.abs(b)
        largest = np.max(sizes, initial=0, where=np.isfinite(sizes))
        ulp = max(np.spacing(largest), np.finfo(narrowest or largest).eps * largest) if largest.dtype.kind == "f" else 0
        np.testing.assert_allclose(a, b, rtol=0, atol=ulps * ulp)


def held(fun: Callable) -> Callable:
    """Return the function of parameters that returns all that is compared: the results of a function, their sum, and its gradient.

    The sum has a weight for each number. All weights are positive, so that they let nothing cancel in the gradient. The sum stands
    beside that of the absolute values: in whichever order numbers are added, their sum is exact to a few ulp of that one.
    """

    def loss(parameters: Any) -> Any:
        total, size, results = 0.0, 0.0, fun(parameters)
        for i, leaf in enumerate(tree.leaves(results)):
            numbers = i + np.arange(np.size(leaf)).reshape(np.shape(leaf))
            for terms in ((1.5 + np.cos(numbers)) * np.real(leaf), (1.5 + np.sin(numbers)) * np.imag(leaf)):
                total, size = total + np.sum(terms), size + np.sum(np.abs(terms))
        return total, (results, np.stack([total, size]))

    def all_of_it(parameters: Any) -> Any:
        (_, (results, sums)), gradient = value_and_grad(loss, has_aux=True)(parameters)
        return results, sums, gradient

    return all_of_it


def changed(values: list) -> list[list]:
    """Other arguments of the same form: all a little larger, and each vector in reverse."""
    larger = [x * (1 + 0.02 * np.cos(np.arange(np.size(x))).reshape(np.shape(x))) for x in values]
    return [[y if np.ndim(x) else type(x)(y) for x, y in zip(values, larger)], [x[::-1].copy() if np.ndim(x) == 1 else x for x in values]]
