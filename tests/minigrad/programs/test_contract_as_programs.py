"""The rows of the contract with JAX, through programs: they return what they return without, or are refused as in jax.jit."""

import importlib
import threading
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, jit, program, tree
from minigrad.programs.tracing import ConcretizationTypeError

from ..contract import support
from .support import COMPILES, ULPS

MODULES = "complex integers jacobians outputs pytrees simple_functions special_points".split()
# These look at values: by an if, or by round().
REFUSED = {"A10.34", "A19.32", "A19.33"}
recording = threading.local()


def jitted(backend, fun, args, kwargs):
    made = jit(fun, backend=backend)
    made(*args, **kwargs)
    return made


WAYS = {"program": lambda fun, args, kwargs: program(fun)(*args, **kwargs), "jit, NumPy": partial(jitted, "numpy")}
if COMPILES:
    WAYS["jit, Numba"] = partial(jitted, "numba")


def through(transform, way):
    """The transform, whose functions are recorded, and then run as programs. Within a recording, it is the transform itself."""

    def made(*args, **kwargs):
        fun = transform(*args, **kwargs)

        def run(*args, **kwargs):
            if getattr(recording, "depth", 0) or any(isinstance(leaf, Tensor) for leaf in tree.leaves((args, kwargs))):
                return fun(*args, **kwargs)
            recording.depth = 1
            try:
                recorded = WAYS[way](fun, args, kwargs)
            finally:
                recording.depth = 0
            return recorded(*args, **kwargs)

        return run

    return made


def as_programs(way):
    family = {name: through(getattr(minigrad, name), way) for name in "grad value_and_grad jacrev jacfwd jacobian hessian".split()}
    return SimpleNamespace(**{**vars(support.MINIGRAD), **family})


def rows():
    for name in MODULES:
        module = importlib.import_module(f"{support.__package__}.test_{name}")
        for test in [value for key, value in vars(module).items() if key.startswith("test_")]:
            for mark in getattr(test, "pytestmark", []):
                yield from (row for row in mark.args[1] if isinstance(row, support.Row))


ROWS = list(rows())


def test_there_are_rows():
    assert len(ROWS) > 300 and REFUSED <= {row.number for row in ROWS}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_row(row, way):
    programs = as_programs(way)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = row.code(support.MINIGRAD)
        except Exception as error:
            with pytest.raises(type(error)):
                row.code(programs)
            return
        if row.number in REFUSED:
            with pytest.raises(ConcretizationTypeError):
                row.code(programs)
            return
        support._compare_values(row.code(programs), expected, ULPS * np.finfo(float).eps, "")
