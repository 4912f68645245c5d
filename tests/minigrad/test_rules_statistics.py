"""Weighted means, and how variables vary together."""

import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad

from .support import *


AVERAGE = [
    case(np.average, array((3,))),
    case(np.average, array((2, 3)), 0),
    case(np.average, array((2, 3, 2)), (0, 2)),
    case(np.average, array((2, 3)), None, positive((2, 3))),
    case(np.average, array((2, 3)), 0, positive((2, 3))),
    case(np.average, array((2, 3)), 1, positive((3,))),
    case(np.average, array((2, 3)), -2, positive((2,))),
    case(np.average, array((2, 3, 2)), 1, positive((3,)), True),
    case(np.average, array((2, 3)), 1, positive((2, 3)), returned=True),
    case(np.average, array((2, 3)), 1, returned=True),
    case(np.average, array((2, 3)), 1, positive((3,)), keepdims=True),
    case(np.average, array((2, 3)), None, positive((2, 3)), True, keepdims=True),
    case(np.average, array((2, 3)), 0, keepdims=True),
    case(np.average, np.arange(3), None, positive((3,))),
    case(np.average, complex_array((3,)), None, positive((3,))),
]
# Weights along several axes, in any order.
BY_AXES = [
    case(np.average, array((2, 3, 4)), axes, positive([(2, 3, 4)[i] for i in axes]), True)
    for axes in [(0, 2), (2, 0), [1, 2], (-1, 0, 1)]
]
_F = np.array([1, 2, 1, 3])
COV = [
    case(np.cov, array((4,))),
    case(np.cov, array((3, 4))),
    case(np.cov, array((4, 3)), rowvar=False),
    case(np.cov, array((4,)), rowvar=False),
    case(np.cov, array((3, 4)), array((4,), 1)),
    case(np.cov, array((4,)), array((4,), 1)),
    case(np.cov, array((4, 3)), array((4, 2), 1), False),
    case(np.cov, array((3, 4)), bias=True),
    case(np.cov, array((3, 4)), ddof=2),
    case(np.cov, array((3, 4)), None, True, False, None, _F),
    case(np.cov, array((3, 4)), None, True, False, None, None, positive((4,))),
    case(np.cov, array((3, 4)), array((2, 4), 1), True, False, None, _F, positive((4,))),
    case(np.cov, array((4, 2)), array((4, 1), 1), False, True, None, _F, positive((4,))),
    case(np.cov, array((2, 4)), None, True, False, 0, None, positive((4,))),
    case(np.cov, array((2, 4)), None, True, False, 2, fweights=_F),
    case(np.cov, array((1, 4))),
    case(np.cov, complex_array((3, 4))),
    case(np.cov, complex_array((3, 4)), array((1, 4)), True, False, None, None, positive((4,))),
    case(np.corrcoef, array((3, 4))),
    case(np.corrcoef, array((4,)), array((4,), 1)),
    case(np.corrcoef, array((4, 3)), array((4, 2), 1), False),
    case(np.corrcoef, array((4, 2)), rowvar=False),
    case(np.corrcoef, array((4,))),
    case(np.corrcoef, complex_array((3, 4))),
]
OF_DTYPE = [
    Case(np.cov, (array((3, 4)), array((1, 4), 1), True, False, None, None, positive((4,))), {"dtype": np.float64},
         lambda *args, dtype: jnp.cov(*args)),
    Case(np.corrcoef, (array((3, 4)), array((1, 4), 1)), {"dtype": np.float64},
         lambda *args, dtype: jnp.corrcoef(*args)),
]

# JAX takes y for one observation here.
ONE_VARIABLE = [case(fun, array((4, 2)), array((4,), 1), False) for fun in (np.cov, np.corrcoef)]

IN_JAX = [*AVERAGE, *COV, *OF_DTYPE]
ONLY_IN_NUMPY = [*BY_AXES, *ONE_VARIABLE]
CASES = [*IN_JAX, *ONLY_IN_NUMPY]

test_value_and_derivatives = for_each(IN_JAX, check)
test_value_and_derivatives_of_what_jax_does_not_have = for_each(ONLY_IN_NUMPY, check, against_jax=False)
test_float32 = for_each([one for one in CASES if "dtype" not in one.kwargs], check_precision, np.float32, 2e-5)


def test_numbers_of_observations_have_no_derivative():
    with pytest.raises(NotImplementedError, match="fweights"):
        grad(lambda x: np.sum(np.cov(array((2, 3)), fweights=x)))(np.array([1.0, 2.0, 1.0]))
