"""The derivatives of functions of one element are right over the whole range of each dtype."""

import numpy as np
import pytest
import scipy.special as special
from mpmath import mp, mpf

from minigrad import hessian, table
from minigrad.rules import special_integrals
from minigrad.rules.special import _table, register

from .precision import DTYPES, ELEMENTWISE, EXACT, PRECISION, SPECIAL, derivatives, describe, errors, slope_along

register()

TABLE = _table(special) | special_integrals.table(special)
KNOWN = [*ELEMENTWISE, *(name for name in SPECIAL if name in TABLE and name not in ELEMENTWISE)]
CALLS = [(name, dtype) for name in KNOWN for dtype in (ELEMENTWISE | SPECIAL)[name].dtypes]


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
              and (rule.vjps or rule.composition) and fun.__name__ not in ("matmul", "vecdot", "matvec", "vecmat")}
    assert ufuncs - EXACT == ELEMENTWISE.keys()
    assert TABLE.keys() <= SPECIAL.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", [[1e3, 1e-3], [3.0], [1.0, 1e-6, -1e-9], [[2.0, 1e-4], [-1e-5, 0.0]], [0.3, -0.4, 1.2]], ids=str)
def test_second_derivatives_of_a_norm(x, dtype):
    """The second derivative by x[i] and x[j] is -x[i] x[j] / r**3, or for i = j the sum of the squares of the others / r**3."""
    x = np.array(x, dtype)
    n = x.size
    with mp.workprec(200):
        flat = [mpf(float(v)) for v in x.ravel()]
        r = mp.sqrt(sum(v * v for v in flat))
        true = [[sum(v * v for k, v in enumerate(flat) if k != i) / r**3 if i == j else -flat[i] * flat[j] / r**3 for j in range(n)]
                for i in range(n)]
    true = np.array(true, float).reshape(x.shape * 2)
    for fun in (np.linalg.norm, np.linalg.vector_norm, lambda x: np.linalg.norm(x.ravel(), 2), lambda x: np.linalg.norm(x[..., None], axis=None)):
        found = hessian(fun)(x)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, true, rtol=16 * np.finfo(dtype).eps, atol=1e-44)


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_that_are_no_ufuncs(dtype):
    """sinc and i0, whose derivatives come from power series."""
    eps = float(np.finfo(dtype).eps)
    x = np.array([1e-4, 0.01, 0.2, 0.6, 0.63, 0.65, 0.95, 1, 1.3, 1.27, 1.28, 2.4, 5.1, 9.7], dtype)
    first, second = derivatives(np.sinc, [x], [(0,), (0, 0)]).values()
    for t, slope, bend in zip(x.tolist(), first.tolist(), second.tolist()):
        with mp.workprec(200):
            true = [mp.diff(lambda t: mp.sinc(mp.pi * t), mpf(t), n) for n in (1, 2, 3)]
        assert abs(slope - true[0]) <= 16 * eps * (abs(true[0]) + abs(t * true[1]))
        assert abs(bend - true[1]) <= 32 * eps * (abs(true[1]) + abs(t * true[2]))
    x = np.array([1e-4, 0.01, 0.2, 1, 3, 7.5, 8.5], dtype)
    first, second = derivatives(np.i0, [x], [(0,), (0, 0)]).values()
    for t, slope, bend in zip(x.tolist(), first.tolist(), second.tolist()):
        with mp.workprec(200):
            true = [mp.besseli(1, t), (mp.besseli(0, t) + mp.besseli(2, t)) / 2]
        assert abs(slope - true[0]) <= 32 * eps * true[0] and abs(bend - true[1]) <= 32 * eps * true[1]


@pytest.mark.parametrize("name", [*ELEMENTWISE, *SPECIAL])
def test_references_agree_with_each_other(name):
    """Each derivative is that of the function, by differences."""
    reference = (ELEMENTWISE | SPECIAL)[name]
    orders = {"expn": (2, 0.7), "betainc": (1.2, 0.7, 0.4), "hyp1f1": (0.6, 1.3, 0.4), "hyp2f1": (0.6, 0.8, 1.3, 0.4), "zeta": (2.5, 0.7)}
    orders |= {"betaincc": (1.2, 0.7, 0.4), "betaincinv": (1.2, 0.7, 0.4), "betainccinv": (1.2, 0.7, 0.4)}
    point = orders.get(name) or {1: (1.7 if name == "arccosh" else 0.7,), 2: (2.0, 0.3)}[len(reference.slopes)]
    with mp.workprec(PRECISION):
        x = [mpf(v) for v in point]
        for order in reference.orders:
            lower = reference.f if len(order) == 1 else reference.slopes[order[0]]
            true, found = reference.derivative(order)(*x), slope_along(lower, order[-1], *x)
            assert abs(true - found) <= 1e-20 * (1 + abs(true))
