"""SciPy's special functions."""

import jax.scipy.special
import numpy as np
import pytest
import scipy.special as special

from minigrad import grad
from minigrad.rules.special import register

from .support import *

register()

ANY = np.array([[-1.7, -0.6, 0.3], [0.9, 2.2, -3.1]])
POSITIVE = np.array([0.2, 0.7, 1.1, 1.6, 4.3])
OTHER = np.array([0.9, 0.4, 2.3, 1.2, 3.1])
INSIDE = np.array([0.1, 0.3, 0.55, 0.7, 0.9])  # between 0 and 1
ORDERS = np.array([0, 1, 2, 3, 4])

UNARY = [
    (ANY, "erf erfc erfcx ndtr log_ndtr expit log_expit cosm1 expm1 exp2 exp10 exprel rgamma cbrt"),
    (np.array([0.3, 0.9, 2.2, -1.5, -0.5]), "gamma gammaln psi"),
    (ANY, "j0 j1 i0 i1 i0e i1e"),
    (POSITIVE, "loggamma y0 y1 k0 k1 log1p entr spence"),
    (INSIDE, "erfinv erfcinv ndtri logit"),
]
CALLS = [(name, x) for x, names in UNARY for name in names.split()]
PAIRS = "beta betaln xlogy xlog1py rel_entr kl_div boxcox boxcox1p inv_boxcox"
CALLS += [(name, POSITIVE, OTHER) for name in PAIRS.split()]
CALLS += [(name, OTHER, np.array([[-1.7], [0.5]])) for name in ("huber", "pseudo_huber")]
CALLS += [(name, ORDERS, POSITIVE) for name in ("jv", "yv", "yn", "iv", "kv", "ive")]
CALLS += [
    ("hyp1f1", 2, 3, ANY),
    ("hyp2f1", 2, 2, 3, -POSITIVE),
    ("zeta", 3, POSITIVE),
    ("boxcox", POSITIVE, np.array([0.0, 1e-9, 0.5, 1.0, 2.0])),
    ("inv_boxcox", POSITIVE, np.array([0.0, 1e-9, 0.5, 1.0, 2.0])),
]
# What JAX has not, differentiates with errors above the tolerance, or does not at these points.
NOT_JAX = {"hyp1f1", "hyp2f1", "boxcox", "spence"}


def special_case(name, *args):
    return Case(getattr(special, name), args, {}, getattr(jax.scipy.special, name.replace("psi", "digamma"), None))


CASES = [special_case(*call) for call in CALLS]


@each(CASES)
def test_value_and_derivatives(case):
    check(case, against_jax=case.in_jax is not None and case.fun.__name__ not in NOT_JAX)


@each(CASES)
def test_float32(case):
    if np.asarray(case.args[0]).dtype.kind == "f":  # with an array of integers, SciPy answers in float64
        check_precision(case, np.float32, 3e-5)


def test_every_derivative_is_in_a_table():
    from minigrad.rules.special import _table

    assert _table(special).keys() <= {name for name, *_ in CALLS}
    assert not register(), "once is enough"


inf, nan = np.inf, np.nan
X = np.array
SPECIAL = [
    (special_case("xlogy", X([0.0]), X([2.0])), [np.log(2)], [0]),
    (special_case("entr", X([0.0])), [inf]),
    (special_case("rel_entr", X([0.0, -1.0]), X([1.0, -2.0])), [0, 0], [0, 0]),
    (special_case("kl_div", X([0.0]), X([1.0])), [-1], [1]),
    (special_case("boxcox", X([0.0]), X([0.5])), [inf], [4]),
    (special_case("exprel", X([0.0])), [0.5]),
    (special_case("spence", X([1.0])), [-1]),
    (special_case("i1", X([0.0])), [0.5]),
    (special_case("i0e", X([0.0])), [0]),
    (special_case("i1e", X([0.0])), [0.5]),
    (special_case("j1", X([0.0])), [0.5]),
    (special_case("rgamma", X([0.0, -1.0, -2.0])), [1, -1, 2]),
    (special_case("expit", X([-inf, inf])), [0, 0]),
    (special_case("log_ndtr", X([20.0])), [np.exp(-200.0) / np.sqrt(2 * np.pi)]),
    (special_case("pseudo_huber", X([0.0]), X([0.0])), [0], [0]),
    (special_case("huber", 1.0, X([1.0, -1.0, 3.0])), [2], [1, -1, 1]),
]

test_special_points = for_each(SPECIAL, check_special_point)


@pytest.mark.parametrize(
    "call",
    [lambda a: special.jv(a, 1.0), lambda a: special.hyp1f1(a, 1.0, 2.0)],
    ids=["jv", "hyp1f1"],
)
def test_arguments_without_derivative_are_refused(call):
    with pytest.raises(NotImplementedError, match=r"scipy\.special\.\w+ has no derivative with respect to '[av]'"):
        grad(call)(1.5)


@pytest.mark.filterwarnings("ignore:floating point number truncated")
def test_an_order_that_scipy_truncates():
    np.testing.assert_allclose(grad(lambda z: special.yn(1.9, z))(0.7), grad(special.y1)(0.7), rtol=1e-14)


def test_large_arguments():
    """Where the usual formulas cancel."""
    np.testing.assert_allclose(grad(special.erfcx)(1e6), -1e-12 / np.sqrt(np.pi), rtol=1e-11)
    np.testing.assert_allclose(grad(special.log_ndtr)(-1e6), 1e6, rtol=1e-11)


def test_beta_where_one_over_gamma_is_zero():
    """There beta is 0, and psi is infinite. The slope is the limit of those nearby."""
    for a, b in [(-0.5, -0.5), (0.25, -1.25), (-2.5, 1.5)]:
        near = [(special.beta(a + h, b) - special.beta(a - h, b)) / (2 * h) for h in (1e-4, 1e-3)]
        np.testing.assert_allclose(grad(special.beta, (0, 1))(a, b), [near[0] + (near[0] - near[1]) / 99] * 2, rtol=1e-6)
        np.testing.assert_allclose(grad(lambda a: np.sum(special.beta(a, b)))(np.array([a, a + 2])), [
            grad(special.beta)(a, b), grad(special.beta)(a + 2, b)], rtol=1e-14)
    assert grad(special.beta)(-3.0, 2.0) == pytest.approx(5 / 36, rel=1e-13)  # beta(a, 2) is 1 / (a (a + 1))


def test_where_a_helper_of_scipy_fails():
    for x in (1e9, 1e12, 1e15):
        np.testing.assert_allclose(grad(special.i1e)(x), -0.5 / np.sqrt(2 * np.pi) * x**-1.5, rtol=1e-8)
        np.testing.assert_allclose(grad(special.i0e)(-x), 0.5 / np.sqrt(2 * np.pi) * x**-1.5, rtol=1e-8)
        np.testing.assert_allclose(grad(special.j1)(x), special.j0(x) - special.j1(x) / x, rtol=1e-14)
    for x in (1e-16, 1e-300, 1e14, 1e300):
        np.testing.assert_allclose(grad(special.spence)(x), np.log(x) / (1 - x), rtol=1e-14)
    u = 2.0 * 1e20
    np.testing.assert_allclose(grad(special.inv_boxcox)(1e20, 2.0), np.sqrt(u) / u, rtol=1e-13)
