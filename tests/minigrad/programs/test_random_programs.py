"""Random programs, those of tests/fuzz, recorded: on the numbers of the recording and on others, they give what the engine gives."""

import random
import warnings

import numpy as np
import pytest

from minigrad import program, value_and_grad
from minigrad.programs.tracing import ConcretizationTypeError

from ...fuzz.checks import NARROW, OURS, Run, random_like, weighted
from ...fuzz.programs import Writer
from .support import assert_close


def compared(seed):
    """Hold a program against the engine. Return whether that was possible: the engine, or program, may refuse it."""
    pick = random.Random(seed).randrange
    written = Writer(pick, 1 + pick(8)).finished()
    run = Run(written)
    names = run.names(OURS, NARROW)

    def loss(leaves):
        outputs = names["program"](*leaves)
        return weighted(outputs, [random_like(y, i) for i, y in enumerate(outputs)]), outputs

    fun = value_and_grad(loss, has_aux=True)
    try:
        fun(run.leaves(names))
        recorded = program(fun)(run.leaves(names))
    except ConcretizationTypeError:
        return False
    except Exception:
        with pytest.raises(Exception):
            fun(run.leaves(names))
        return False
    eps = max(np.finfo(NARROW[name]).eps for name in written.palette)
    for dense in (run.dense, [x * 1.01 for x in run.dense]):
        expected = fun(run.leaves(names, dense))
        try:
            ours = recorded(run.leaves(names, dense))
        except ValueError as error:
            assert "the program was recorded for a result" in str(error)
            return False
        assert_close(ours, expected, 1000, eps)
    return True


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_random_programs(start):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        assert sum(compared(seed) for seed in range(start, start + 20)) >= 12
