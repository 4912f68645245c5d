"""Contract A24: the conventions at kinks, ties, zeros and infinities, of the functions that have rules."""

import math
from typing import Any

import numpy as np

from .support import check, differs, rows, same

# Needs a rule that does not exist yet: accumulate, clip, norm, sinc, angle, cumprod, sort, median, interp, det, inv,
# solve, cholesky, eigh, svd, nan_to_num, nansum, ptp. Where the point is a composition, it is written out here.

NAN, INF = np.nan, np.inf
EDGES = np.array([0.0, -0.0, NAN, INF, -INF, 1.5, -1.5])


def _each(m: Any, f: Any, *args: Any) -> Any:
    """The gradients of elementwise f, with respect to all of its arguments."""
    return m.grad(lambda *args: m.np.sum(f(*args)), argnums=tuple(range(len(args))))(*args)


def _second(m: Any, f: Any, x: Any) -> Any:
    """The second derivative of elementwise f."""
    return m.grad(lambda x: m.np.sum(m.grad(lambda x: m.np.sum(f(x)))(x)))(x)


# ---- Absolute values and steps --------------------------------------------------------------------------------------


@rows(
    same("A24, abs", lambda m: _each(m, m.np.abs, EDGES)),
    same("A24, abs at 0", lambda m: [m.grad(f)(x) for f in (m.np.abs, abs, m.np.fabs) for x in (0.0, -0.0)]),
    same("A24, builtin abs", lambda m: _each(m, abs, EDGES)),
    same("A24, fabs", lambda m: _each(m, m.np.fabs, EDGES)),
    same("A24, absolute in float32", lambda m: _each(m, m.np.absolute, EDGES.astype(np.float32))),
    same("A24, abs at complex 0", lambda m: m.grad(m.np.abs)(0j)),
    same("A24, abs of complex numbers", lambda m: _each(m, m.np.abs, np.array([0j, 3 + 4j, -2.0, 1j]))),
    same("A24, abs, second", lambda m: _second(m, m.np.abs, np.array([0.0, -0.0, 1.0, -1.0]))),
    same("A24, sign", lambda m: _each(m, m.np.sign, EDGES)),
    same("A24, floor", lambda m: _each(m, m.np.floor, EDGES)),
    same("A24, ceil", lambda m: _each(m, m.np.ceil, EDGES)),
    same("A24, rint", lambda m: _each(m, m.np.rint, EDGES)),
    same("A24, trunc", lambda m: _each(m, m.np.trunc, EDGES)),
    same("A24, round", lambda m: _each(m, m.np.round, EDGES)),
    same("A24, sign times x", lambda m: _each(m, lambda x: m.np.sign(x) * x, np.array([0.0, 2.0, -2.0]))),
    same("A24, comparison", lambda m: _each(m, lambda x: (x > 0) * 1.0, EDGES)),
    same("A24, heaviside", lambda m: _each(m, m.np.heaviside, np.array([0.0, 1.0, -1.0]), np.array([0.5, 0.5, 0.5]))),
    same("A24, copysign", lambda m: m.grad(lambda x: m.np.sum(m.np.copysign(x, np.array([1.0, -1.0, 1.0, -1.0]))))(
        np.array([2.0, 2.0, -2.0, -2.0]))),
)
def test_absolute_values_and_steps(row: Any) -> None:
    check(row)


# ---- The larger of two ----------------------------------------------------------------------------------------------

LEFT = np.array([2.0, 1.0, 3.0, NAN, 2.0, NAN, INF, 0.0])
RIGHT = np.array([2.0, 3.0, 1.0, 2.0, NAN, NAN, INF, -0.0])


@rows(
    same("A24, maximum", lambda m: _each(m, m.np.maximum, LEFT, RIGHT)),
    same("A24, minimum", lambda m: _each(m, m.np.minimum, LEFT, RIGHT)),
    same("A24, relu by maximum", lambda m: _each(m, lambda x: m.np.maximum(x, 0), np.array([0.0, 1.0, -1.0]))),
    same("A24, relu by maximum, left", lambda m: m.grad(lambda x: m.np.maximum(0.0, x))(0.0)),
    same("A24, relu by where", lambda m: _each(m, lambda x: m.np.where(x > 0, x, 0.0), np.array([0.0, 1.0, -1.0]))),
    same("A24, relu, second", lambda m: _second(m, lambda x: m.np.maximum(x, 0) ** 2, np.array([0.0, 1.0, -1.0]))),
    same("A24, fmax", lambda m: _each(m, m.np.fmax, LEFT, RIGHT)),
    same("A24, fmin", lambda m: _each(m, m.np.fmin, LEFT, RIGHT)),
    same("A24, clip written out", lambda m: _each(
        m, lambda x, lo, hi: m.np.minimum(m.np.maximum(x, lo), hi),
        np.array([1.0, 3.0, 2.0, 0.0, 5.0]), np.array([1.0, 1.0, 2.0, 1.0, 1.0]), np.array([3.0, 3.0, 2.0, 3.0, 3.0]))),
    same("A24, maximum of itself", lambda m: m.grad(lambda x: m.np.maximum(x, x))(1.0)),
)
def test_the_larger_of_two(row: Any) -> None:
    check(row)


# ---- The largest ----------------------------------------------------------------------------------------------------

TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])


@rows(
    same("A24, max", lambda m: m.grad(m.np.max)(TIES)),
    same("A24, amax", lambda m: m.grad(m.np.amax)(np.full(4, 2.0))),
    same("A24, min", lambda m: m.grad(m.np.min)(np.array([1.0, 1.0, 2.0]))),
    same("A24, max by rows", lambda m: _each(m, lambda x: m.np.max(x, axis=1), TIES)),
    same("A24, min by columns", lambda m: _each(m, lambda x: m.np.min(x, axis=0, keepdims=True), TIES)),
    same("A24, ptp written out", lambda m: m.grad(lambda x: m.np.max(x) - m.np.min(x))(np.array([1.0, 1.0, 3.0, 3.0]))),
    same("A24, ptp of a constant", lambda m: m.grad(lambda x: m.np.max(x) - m.np.min(x))(np.ones(3))),
    same("A24, max with NaN", lambda m: m.grad(m.np.max)(np.array([1.0, NAN, 2.0]))),
    same("A24, max with NaN by rows", lambda m: _each(
        m, lambda x: m.np.max(x, axis=1), np.array([[1.0, NAN], [2.0, 3.0]]))),
    same("A24, max with infinities", lambda m: m.grad(m.np.max)(np.array([INF, 1.0, INF]))),
    same("A24, initial ties", lambda m: m.grad(lambda x: m.np.max(x, initial=1.0))(np.array([1.0, 1.0]))),
    same("A24, initial wins", lambda m: m.grad(lambda x: m.np.max(x, initial=5.0))(np.array([1.0, 1.0]))),
    same("A24, initial loses", lambda m: m.grad(lambda x: m.np.max(x, initial=0.0))(np.array([1.0, 1.0]))),
    same("A24, initial differentiated", lambda m: m.grad(lambda x, v: m.np.max(x, initial=v), (0, 1))(
        np.array([1.0, 1.0]), 1.0)),
    same("A24, norm of order inf written out", lambda m: m.grad(
        lambda x: m.np.max(m.np.abs(x), initial=0.0))(np.zeros(2))),
)
def test_the_largest(row: Any) -> None:
    check(row)


# ---- Roots, norms and statistics ------------------------------------------------------------------------------------


@rows(
    same("A24, sqrt at 0", lambda m: m.grad(m.np.sqrt)(0.0)),
    same("A24, sqrt", lambda m: _each(m, m.np.sqrt, np.array([0.0, -1.0, INF, NAN, 4.0]))),
    same("A24, cbrt", lambda m: _each(m, m.np.cbrt, np.array([0.0, 8.0, -8.0]))),
    same("A24, norm written out, at 0", lambda m: m.grad(lambda x: m.np.sqrt(m.np.sum(x * x)))(np.zeros(2))),
    same("A24, norm of order 1 written out", lambda m: m.grad(lambda x: m.np.sum(m.np.abs(x)))(np.array([0.0, -2.0]))),
    same("A24, hypot", lambda m: _each(m, m.np.hypot, np.array([0.0, 3.0, 0.0, -3.0]), np.array([0.0, 4.0, 2.0, 0.0]))),
    # JAX divides by the larger of the two, and loses the second derivative where neither is.
    differs("A24, hypot, second", lambda m: m.grad(m.grad(m.np.hypot))(3.0, -3.0), 1 / (6 * math.sqrt(2.0))),
    differs("A24, hypot, infinite", lambda m: m.grad(m.np.hypot)(2.0, INF), 0.0),
    same("A24, std of a constant", lambda m: m.grad(m.np.std)(np.ones(3))),
    same("A24, var of a constant", lambda m: m.grad(m.np.var)(np.ones(3))),
    same("A24, mean of nothing", lambda m: m.value_and_grad(m.np.mean)(np.zeros(0))),
    same("A24, sum of nothing", lambda m: m.value_and_grad(m.np.sum)(np.zeros(0))),
    same("A24, prod with a zero", lambda m: m.grad(m.np.prod)(np.array([2.0, 0.0, 3.0]))),
    same("A24, prod with two zeros", lambda m: m.grad(m.np.prod)(np.array([2.0, 0.0, 0.0]))),
    same("A24, prod by rows", lambda m: _each(m, lambda x: m.np.prod(x, axis=1), np.array([[0.0, 2.0], [0.0, 0.0]]))),
    same("A24, prod, second", lambda m: _second(m, m.np.prod, np.array([2.0, 0.0, 0.0, 5.0]))),
)
def test_roots_norms_and_statistics(row: Any) -> None:
    check(row)


# ---- Powers ---------------------------------------------------------------------------------------------------------

BASES = np.array([0.0, -0.0, 2.0, -2.0])


@rows(
    same("A24, x**0", lambda m: m.grad(lambda x: x**0)(0.0)),
    same("A24, x**1", lambda m: m.grad(lambda x: x**1)(0.0)),
    same("A24, x**2", lambda m: m.grad(lambda x: x**2)(0.0)),
    same("A24, x**3", lambda m: m.grad(lambda x: x**3)(0.0)),
    same("A24, integer exponents", lambda m: [_each(m, lambda x: x**n, BASES) for n in (0, 1, 2, 3, -1)]),
    same("A24, float exponents", lambda m: [_each(m, lambda x: x**p, BASES) for p in (1.0, 2.0, 3.0, 0.5)]),
    same("A24, x**0, second", lambda m: _second(m, lambda x: x**0, BASES)),
    same("A24, x**1, second", lambda m: _second(m, lambda x: x**1, BASES)),
    same("A24, x**2, second", lambda m: _second(m, lambda x: x**2, BASES)),
    same("A24, x**2.0, second", lambda m: m.grad(m.grad(lambda x: x**2.0))(0.0)),
    differs("A24, x**0.0", lambda m: m.grad(lambda x: x**0.0)(0.0), 0.0),
    differs("A24, power(0, 0)", lambda m: m.grad(m.np.power, (0, 1))(0.0, 0.0), (0.0, 0.0)),
    differs("A24, x**1.0, second", lambda m: m.grad(m.grad(lambda x: x**1.0))(0.0), 0.0),
    differs("A24, integer exponents in an array, second", lambda m: _second(
        m, lambda x: x ** np.array([0, 1, 2, 3]), np.zeros(4)), np.array([0.0, 0.0, 2.0, 0.0])),
    same("A24, integer exponents in an array", lambda m: _each(
        m, lambda x: x ** np.array([0, 1, 2, 3, -1]), np.array([2.0, 0.0, 0.0, 0.0, 0.0]))),
    same("A24, exponent at base 0", lambda m: m.grad(lambda y: m.np.sum(0.0**y))(np.array([0.0, 0.5, 1.0, 2.0, -1.0]))),
    same("A24, exponent at base 0.0", lambda m: _each(m, m.np.power, np.zeros(3), np.array([0.5, 1.0, 2.0]))[1]),
    same("A24, exponent at base -0", lambda m: m.grad(lambda y: m.np.power(-0.0, y))(2.0)),
    same("A24, exponent at negative base", lambda m: m.grad(lambda y: m.np.power(-2.0, y))(2.0)),
    same("A24, power(0, 2)", lambda m: m.grad(m.np.power, (0, 1))(0.0, 2.0)),
)
def test_powers(row: Any) -> None:
    check(row)


# ---- Angles, logarithms, remainders ---------------------------------------------------------------------------------

DIVIDENDS, DIVISORS = np.array([7.5, -7.5, 6.0, -6.0, 0.0, 7.5]), np.array([2.0, 2.0, 3.0, 3.0, 3.0, -2.0])


@rows(
    same("A24, arctan2(0, 0)", lambda m: m.grad(m.np.arctan2, (0, 1))(0.0, 0.0)),
    same("A24, arctan2", lambda m: _each(
        m, m.np.arctan2, np.array([0.0, 0.0, 1.0, -1.0]), np.array([1.0, -1.0, 0.0, 0.0]))),
    same("A24, logaddexp", lambda m: _each(
        m, m.np.logaddexp, np.array([-INF, INF, INF, -INF, 0.0, 1e3]), np.array([-INF, INF, -INF, 1.0, 0.0, -1e3]))),
    same("A24, logaddexp2", lambda m: _each(
        m, m.np.logaddexp2, np.array([-INF, INF, INF, -INF, 0.0]), np.array([-INF, INF, -INF, 1.0, 0.0]))),
    same("A24, log", lambda m: _each(m, m.np.log, np.array([0.0, -1.0, INF]))),
    same("A24, log1p", lambda m: _each(m, m.np.log1p, np.array([-1.0, 0.0, INF]))),
    same("A24, exp", lambda m: _each(m, m.np.exp, np.array([-INF, INF, 0.0, NAN]))),
    same("A24, tanh", lambda m: _each(m, m.np.tanh, np.array([-INF, INF, 0.0, 400.0]))),
    same("A24, arcsin at the ends", lambda m: _each(m, m.np.arcsin, np.array([1.0, -1.0, 2.0]))),
    same("A24, arccos at the ends", lambda m: _each(m, m.np.arccos, np.array([1.0, -1.0, 2.0]))),
    same("A24, arccosh at the end", lambda m: _each(m, m.np.arccosh, np.array([1.0, 2.0]))),
    same("A24, arctanh at the ends", lambda m: _each(m, m.np.arctanh, np.array([1.0, -1.0]))),
    same("A24, 1/x", lambda m: _each(m, lambda x: 1 / x, np.array([0.0, -0.0, INF]))),
    same("A24, reciprocal", lambda m: _each(m, m.np.reciprocal, np.array([0.0, -0.0, INF]))),
    same("A24, mod", lambda m: _each(m, m.np.mod, DIVIDENDS, DIVISORS)),
    same("A24, remainder", lambda m: _each(m, m.np.remainder, DIVIDENDS, DIVISORS)),
    same("A24, mod by infinity", lambda m: _each(m, m.np.mod, np.array([-1.5, 1.5]), np.array([INF, INF]))),
    same("A24, operator %", lambda m: _each(m, lambda x, y: x % y, DIVIDENDS, DIVISORS)),
    same("A24, fmod", lambda m: _each(m, m.np.fmod, DIVIDENDS, DIVISORS)),
    same("A24, floor_divide", lambda m: _each(m, m.np.floor_divide, DIVIDENDS, DIVISORS)),
    same("A24, modf", lambda m: _each(m, lambda x: m.np.modf(x)[0], np.array([0.0, 1.5, -1.5, 2.0]))),
    same("A24, frexp", lambda m: _each(m, lambda x: m.np.frexp(x)[0], np.array([1.5, -3.0, 0.25]))),
    same("A24, ldexp", lambda m: _each(m, lambda x: m.np.ldexp(x, 3), np.array([1.5, -3.0]))),
    differs("A24, ldexp at 0", lambda m: m.grad(lambda x: m.np.ldexp(x, 3))(0.0), 8.0),
)
def test_angles_logarithms_and_remainders(row: Any) -> None:
    check(row)
