"""Programs of every function that has a derivative give what the engine gives: its value and its gradient."""

import warnings

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import value_and_grad
from minigrad.programs.tracing import ConcretizationTypeError

from .. import test_rules_special
from ..test_surface import CALLS, LACKING, NOT_DISPATCHED, find
from .support import WAYS, assert_same, changed, total

# The shapes of their results depend on values. They are refused, as in jax.jit.
REFUSED = {"trim_zeros"}
# Where the program and the engine add in another order, and an error is magnified.
LESS_PRECISE = {"linalg.svd", "linalg.eig", "linalg.eigh", "polyfit", "linalg.cond", "corrcoef", "linalg.pinv"}


def same(way, loss, parameters, ulps):
    fun = value_and_grad(loss)
    others = []
    for given in changed(parameters):
        try:
            fun(given)
        except (ValueError, np.linalg.LinAlgError):  # such as knots that do not increase
            continue
        others.append((given,))
    assert_same(way, fun, (parameters,), *others, ulps=ulps)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in CALLS if name not in LACKING])
def test_numpy(name, way):
    fun = find(mnp if name in NOT_DISPATCHED else np, name)
    for call in CALLS[name]:
        def loss(parameters):
            return total(call.run(fun, parameters))

        if name in REFUSED:
            with pytest.raises(ConcretizationTypeError, match=f"The shape of the result of np.{name} needs the value of an array, in .*test_surface"):
                WAYS[way](value_and_grad(loss), call.parameters())
        else:
            same(way, loss, call.parameters(), 1000 if name in LESS_PRECISE else 16)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", test_rules_special.CASES, ids=lambda case: case.fun.__name__)
def test_scipy(case, way):
    numbers = [np.asarray(x) for x in case.args]
    places = [i for i, x in enumerate(numbers) if x.dtype.kind == "f"]

    def loss(parameters):
        args = list(case.args)
        for i, x in zip(places, parameters):
            args[i] = x
        return total(case.fun(*args))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        same(way, loss, [numbers[i] for i in places], 64)
