"""Random programs, those of tests/fuzz: on the numbers of the recording and on others, they give what the engine gives."""

import random
import warnings

import numpy as np
import pytest

from minigrad.programs.tracing import ConcretizationTypeError

from ...fuzz.checks import NARROW, OURS, Run
from ...fuzz.programs import Writer
from .support import ULPS, WAYS, assert_close, held


def compared(seed, way):
    """Hold a program against the engine. Return whether that was possible: the engine, or program, may refuse it."""
    pick = random.Random(seed).randrange
    written = Writer(pick, 1 + pick(8)).finished()
    run = Run(written)
    names = run.names(OURS, NARROW)
    fun = held(lambda leaves: names["program"](*leaves))
    try:
        fun(run.leaves(names))
        recorded = WAYS[way](fun, run.leaves(names))
    except ConcretizationTypeError:
        return False
    except Exception:
        with pytest.raises(Exception):
            fun(run.leaves(names))
        return False
    # A kernel rounds the functions of float32 better than NumPy. NumPy before 2.1 rounds them in another way for an array with
    # gaps. So what is made of them differs by ulp of float32.
    is_rounded_otherwise = way == "jit, Numba" or np.lib.NumpyVersion(np.__version__) < "2.1.0"
    narrowest = max([NARROW[name] for name in written.palette], key=lambda dtype: np.finfo(dtype).eps) if is_rounded_otherwise else None
    for dense in (run.dense, [x * 1.01 for x in run.dense]):
        expected = fun(run.leaves(names, dense))
        try:
            ours = recorded(run.leaves(names, dense))
        except ValueError as error:
            assert "the program was recorded for a result" in str(error)
            return False
        assert_close(ours, expected, ULPS, narrowest)
    return True


# Compiling takes a second for each.
@pytest.mark.parametrize(("way", "start"), [(way, start) for way in WAYS for start in range(0, 20 if way == "jit, Numba" else 120, 20)])
def test_random_programs(way, start):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        assert sum(compared(seed, way) for seed in range(start, start + 20)) >= 12
