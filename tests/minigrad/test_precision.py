"""The derivatives of functions of one element are right over the whole range of each dtype."""

import numpy as np
import pytest
import scipy.special as special

from minigrad import grad, table
from minigrad.rules.special import _table, register

from .precision import ELEMENTWISE, EXACT, SPECIAL, describe, errors

register()

CALLS = [(name, dtype) for references in (ELEMENTWISE, SPECIAL) for name in references for dtype in references[name].dtypes]


@pytest.mark.parametrize("name, dtype", CALLS, ids=lambda value: getattr(value, "__name__", value))
def test_derivatives_over_the_whole_range(name, dtype):
    if name in ELEMENTWISE:
        found = errors(name, ELEMENTWISE[name], dtype)
    else:
        found = errors(name, SPECIAL[name], dtype, most=60 if dtype is np.float64 else 20)
    wrong = [row for row in found if row[0] > 1]
    assert not wrong, f"{len(wrong)} of {len(found)}: {describe(max(wrong))}"


def test_every_function_has_a_reference():
    """Or its derivative is 0, 1 or an argument, and other tests compare it exactly."""
    ufuncs = {fun.__name__ for fun, rule in table.rules.items() if isinstance(fun, np.ufunc) and getattr(np, fun.__name__, None) is fun
              and (rule.vjps or rule.composition) and fun not in (np.matmul, np.vecdot, np.matvec, np.vecmat)}
    assert ufuncs - EXACT == ELEMENTWISE.keys()
    assert _table(special).keys() <= SPECIAL.keys()
