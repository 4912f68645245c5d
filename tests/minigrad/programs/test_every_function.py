"""Programs of every function that has a derivative give what the engine gives: its value and its gradient."""

import warnings

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.programs.tracing import ConcretizationTypeError

from .. import test_rules_special
from ..test_surface import CALLS, LACKING, METHODS, NOT_DISPATCHED, SURFACE, ZERO, A, find
from .support import MORE_ULPS, ULPS, WAYS, assert_same, changed, held

# The shapes of their results depend on values, or they are asked for a truth value. They are refused, as in jax.jit.
REFUSED = {"trim_zeros", "nonzero", "flatnonzero", "argwhere", "ndarray.nonzero", "ndarray.__bool__", "ndarray.__contains__"}


def same(way, fun, parameters, ulps=ULPS):
    fun = held(fun)
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
        def run(parameters):
            return call.run(fun, parameters)

        if name in REFUSED:
            with pytest.raises(ConcretizationTypeError, match=f"The shape of the result of np.{name} needs the value of an array, in .*test_surface"):
                WAYS[way](held(run), call.parameters())
        else:
            same(way, run, call.parameters(), MORE_ULPS.get(name, ULPS))


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:numpy.fix is deprecated")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in ZERO if name not in LACKING])
def test_numpy_without_derivatives(name, way):
    def run(parameters):
        return ZERO[name](find(np, name), parameters[0]), parameters[0]

    if name in REFUSED:
        with pytest.raises(ConcretizationTypeError, match="needs the value of an array, in .*test_"):
            WAYS[way](held(run), [A])
    elif name == "empty_like":  # there may be anything in it
        assert WAYS[way](np.empty_like, A)(A).shape == A.shape
    else:
        same(way, run, [A])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SURFACE["ufunc_methods"])
def test_ufunc_methods(name, way):
    ufunc, method = name.split(".")
    call = METHODS[method]

    def run(parameters):
        if method != "at":
            return call.run(getattr(getattr(np, ufunc), method), parameters)
        x = parameters[0] + 0 * np.sum(parameters[1])
        call.run(getattr(np, ufunc).at, [x, parameters[1]])
        return x

    same(way, run, call.parameters())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", test_rules_special.CASES, ids=lambda case: case.fun.__name__)
def test_scipy(case, way):
    numbers = [np.asarray(x) for x in case.args]
    places = [i for i, x in enumerate(numbers) if x.dtype.kind == "f"]

    def run(parameters):
        args = list(case.args)
        for i, x in zip(places, parameters):
            args[i] = x
        return case.fun(*args)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        same(way, run, [numbers[i] for i in places])
