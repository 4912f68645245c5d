"""Hold the derivatives of functions of one element against mpmath, over the whole range of each dtype.

``python -m tests.minigrad.precision`` goes through all functions at many more points than the tests do, and prints the
largest error for each. ``python -m tests.minigrad.precision tanh hypot`` goes through some.

`ELEMENTWISE` and `SPECIAL` hold, for each function, the true derivatives in mpmath. A derivative T is accepted if it differs
by no more than a few roundings of T, or of the arguments: ``|error| <= tolerance * eps * (|T| + sum |x dT/dx|)``. Below the
smallest normal number, a rounding is that of the smallest subnormal number. If T overflows, the derivative must be infinite.
Points at which the value of the function overflows, or underflows, are left out, since a rule may use the value.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Callable

import mpmath
import numpy as np
import scipy.special as special
from mpmath import mp, mpf

from minigrad import grad

DTYPES = (np.float16, np.float32, np.float64)
PRECISION = 240  # bits

# ---- Points ---------------------------------------------------------------------------------------------------------

SIZES = [
    *(0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 1.1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 17, 20, 25, 30, 40, 50, 70, 85),
    *(100, 150, 200, 300, 350, 500, 700, 1e3, 2e3, 1e4, 3e4, 6e4, 1e-4, 1e-5, 1e-6, 6e-8, 1e-7, 1e5, 1e6, 1e7),
    *(1e-10, 1e-15, 1e-17, 1e-20, 1e-30, 1e-37, 1e-44, 1e9, 1e10, 1e13, 1e15, 1e17, 1e19, 1e20, 1e25, 1e30, 1e37, 3e38),
    *(1e-50, 1e-100, 1e-153, 1e-160, 1e-200, 1e-250, 1e-300, 1e-307, 1e-310, 5e-324),
    *(1e50, 1e100, 1e150, 1e155, 1e200, 1e250, 1e300, 1.7e308),
]


def points(dtype: Any, near: tuple = (), more: int = 0) -> np.ndarray:
    """Return numbers of both signs from the smallest to the largest of a dtype, and the neighbours of some numbers."""
    kind = np.finfo(dtype)
    with np.errstate(all="ignore"):
        sizes = np.array([*SIZES, kind.tiny, 3 * kind.tiny, kind.smallest_subnormal, kind.max, kind.max / 4], float)
        found = [sizes.astype(dtype)]
        if more:
            low, high = np.log(float(kind.smallest_subnormal)), np.log(float(kind.max))
            rng = np.random.default_rng(0)
            found += [np.exp(rng.uniform(low, high, more)).astype(dtype), np.exp(rng.uniform(-5, 5, more)).astype(dtype)]
        both = np.concatenate(found)
        all_found = [both, -both]
        for one in near:
            steps = np.array([0, 1, 2, 5, 30, 1000]) * float(kind.eps) * max(abs(one), 1)
            steps = np.concatenate([steps, np.array([1e-4, 1e-3, 0.01, 0.1, 0.3])])
            all_found += [(one + steps).astype(dtype), (one - steps).astype(dtype)]
    x = np.unique(np.concatenate(all_found))
    return x[np.isfinite(x) & (x != 0)]


# ---- References -----------------------------------------------------------------------------------------------------


def number(x: Any) -> Any:
    """Return a number of NumPy in mpmath, without rounding."""
    return mpf(float(x))


@dataclass(frozen=True)
class Reference:
    """The true derivatives of a function.

    Attributes
    ----------
    f : callable
        The function in mpmath.
    slopes : list of callable
        The derivative by each argument, or None if it is refused or the argument is whole.
    bends : dict
        (i, j) to the second derivative. Any that is missing is computed by differences.
    inside : callable
        Whether a point belongs to the domain, which leaves out the places where SciPy or mpmath cannot compute.
    near : tuple
        Numbers whose neighbours are points too.
    tolerance, second : float
        For the first and the second derivatives.
    grid : list, optional
        Numbers for each argument, instead of the range of the dtype.
    """

    f: Callable
    slopes: list
    bends: dict[tuple[int, int], Callable] | None = None
    inside: Callable = lambda *x: True
    near: tuple = ()
    tolerance: float = 8
    second: float = 16
    grid: list | None = None
    dtypes: tuple = DTYPES
    slow: bool = False  # in mpmath, so the tests look at few points

    @cached_property
    def orders(self) -> list[tuple[int, ...]]:
        firsts = [i for i, slope in enumerate(self.slopes) if slope]
        return [(i,) for i in firsts] + [(i, j) for i in firsts for j in firsts]

    def derivative(self, order: tuple[int, ...]) -> Callable:
        if len(order) == 1:
            return self.slopes[order[0]]
        bends = self.bends or {}
        if order in bends or order[::-1] in bends:
            return bends.get(order) or bends[order[::-1]]
        return partial(slope_along, self.slopes[order[0]], order[1])


def slope_along(fun: Callable, i: int, *x: Any) -> Any:
    """Return the derivative of a function by its argument i."""
    with mp.workprec(PRECISION + 180):
        step = mp.ldexp(x[i], -120)
        right, left = (fun(*x[:i], x[i] + s * step, *x[i + 1:]) for s in (1, -1))
        return (right - left) / (2 * step)


def unary(f: Callable, slope: Callable, bend: Callable | None = None, inside: Callable = lambda x: True, **options: Any) -> Reference:
    return Reference(f, [slope], {(0, 0): bend} if bend else None, inside, **options)


def sign(x: Any) -> Any:
    return mp.sign(x)


def radius(a: Any, b: Any) -> Any:
    return mp.sqrt(a * a + b * b)


def share(a: Any, b: Any, base: Any = mp.e) -> Any:
    return 1 / (1 + mp.power(base, b - a))


def ln(x: Any) -> Any:
    return mp.log(x)


LN2, LN10 = (lambda: mp.ln(2)), (lambda: mp.ln(10))
HALF_PI = 1.5707963267948966
above, inside_one = (lambda x: x > 0), (lambda x: abs(x) < 1)

# Whose derivatives are 0, 1, or another argument: other tests compare them exactly.
EXACT = set(
    "add subtract multiply negative positive conjugate absolute fabs maximum minimum fmax fmin copysign heaviside remainder fmod "
    "divmod modf frexp ldexp clip sign".split()
)
ELEMENTWISE = {
    "square": unary(lambda x: x * x, lambda x: 2 * x, lambda x: mpf(2)),
    "reciprocal": unary(lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "sqrt": unary(mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * x * mp.sqrt(x)), above),
    "cbrt": unary(
        lambda x: sign(x) * mp.cbrt(abs(x)), lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2), lambda x: -2 / (9 * x * mp.cbrt(abs(x)) ** 2)
    ),
    "exp": unary(mp.exp, mp.exp, mp.exp),
    "exp2": unary(lambda x: mpf(2) ** x, lambda x: LN2() * mpf(2) ** x, lambda x: LN2() ** 2 * mpf(2) ** x),
    "expm1": unary(mp.expm1, mp.exp, mp.exp, near=(-1,)),
    "log": unary(ln, lambda x: 1 / x, lambda x: -1 / x**2, above, near=(1,)),
    "log2": unary(lambda x: ln(x) / LN2(), lambda x: 1 / x / LN2(), lambda x: -1 / x**2 / LN2(), above, near=(1,)),
    "log10": unary(lambda x: ln(x) / LN10(), lambda x: 1 / x / LN10(), lambda x: -1 / x**2 / LN10(), above, near=(1,)),
    "log1p": unary(mp.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2, lambda x: x > -1, near=(-1,)),
    "sin": unary(mp.sin, mp.cos, lambda x: -mp.sin(x), near=(HALF_PI, 2 * HALF_PI)),
    "cos": unary(mp.cos, lambda x: -mp.sin(x), lambda x: -mp.cos(x), near=(HALF_PI, 2 * HALF_PI)),
    "tan": unary(mp.tan, lambda x: mp.sec(x) ** 2, lambda x: 2 * mp.tan(x) * mp.sec(x) ** 2, near=(HALF_PI, 2 * HALF_PI)),
    "arcsin": unary(mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), lambda x: x / (1 - x * x) ** 1.5, inside_one, near=(1, -1)),
    "arccos": unary(mp.acos, lambda x: -1 / mp.sqrt(1 - x * x), lambda x: -x / (1 - x * x) ** 1.5, inside_one, near=(1, -1)),
    "arctan": unary(mp.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2, near=(1,)),
    "sinh": unary(mp.sinh, mp.cosh, mp.sinh),
    "cosh": unary(mp.cosh, mp.sinh, mp.cosh),
    "tanh": unary(mp.tanh, lambda x: mp.sech(x) ** 2, lambda x: -2 * mp.tanh(x) * mp.sech(x) ** 2, near=(1,)),
    "arcsinh": unary(mp.asinh, lambda x: 1 / mp.sqrt(1 + x * x), lambda x: -x / (1 + x * x) ** 1.5, near=(1,)),
    "arccosh": unary(
        mp.acosh, lambda x: 1 / mp.sqrt(x * x - 1), lambda x: -x / (x * x - 1) ** 1.5, lambda x: x > 1, near=(1,)
    ),
    "arctanh": unary(mp.atanh, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2, inside_one, near=(1, -1)),
    **{name: unary(lambda x: x * mp.pi / 180, lambda x: mp.pi / 180, lambda x: mpf(0)) for name in ("deg2rad", "radians")},
    **{name: unary(lambda x: x * 180 / mp.pi, lambda x: 180 / mp.pi, lambda x: mpf(0)) for name in ("rad2deg", "degrees")},
    "divide": Reference(
        lambda a, b: a / b, [lambda a, b: 1 / b, lambda a, b: -a / b**2],
        {(0, 0): lambda a, b: mpf(0), (0, 1): lambda a, b: -1 / b**2, (1, 1): lambda a, b: 2 * a / b**3},
    ),
    "hypot": Reference(
        radius, [lambda a, b: a / radius(a, b), lambda a, b: b / radius(a, b)],
        {(0, 0): lambda a, b: b * b / radius(a, b) ** 3, (0, 1): lambda a, b: -a * b / radius(a, b) ** 3,
         (1, 1): lambda a, b: a * a / radius(a, b) ** 3}, near=(1,),
    ),
    "arctan2": Reference(
        mp.atan2, [lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b)],
        {(0, 0): lambda a, b: -2 * a * b / (a * a + b * b) ** 2, (0, 1): lambda a, b: (a - b) * (a + b) / (a * a + b * b) ** 2,
         (1, 1): lambda a, b: 2 * a * b / (a * a + b * b) ** 2}, near=(1,),
    ),
    "logaddexp": Reference(
        lambda a, b: ln(mp.exp(a) + mp.exp(b)), [lambda a, b: share(a, b), lambda a, b: share(b, a)],
        {(i, j): lambda a, b, s=1 if i == j else -1: s * share(a, b) * share(b, a) for i in (0, 1) for j in (0, 1)},
        lambda a, b: abs(a) < 1e5 and abs(b) < 1e5 and abs(a) > 1e-30 and abs(b) > 1e-30,
    ),
    "logaddexp2": Reference(
        lambda a, b: ln(mpf(2) ** a + mpf(2) ** b) / LN2(), [lambda a, b: share(a, b, 2), lambda a, b: share(b, a, 2)],
        {(i, j): lambda a, b, s=1 if i == j else -1: s * LN2() * share(a, b, 2) * share(b, a, 2) for i in (0, 1) for j in (0, 1)},
        lambda a, b: abs(a) < 1e5 and abs(b) < 1e5 and abs(a) > 1e-30 and abs(b) > 1e-30,
    ),
    "power": Reference(
        lambda a, b: a**b, [lambda a, b: b * a ** (b - 1), lambda a, b: a**b * ln(a)],
        {(0, 0): lambda a, b: b * (b - 1) * a ** (b - 2), (0, 1): lambda a, b: a ** (b - 1) * (1 + b * ln(a)),
         (1, 1): lambda a, b: a**b * ln(a) ** 2}, lambda a, b: a > 0 and abs(b) > 1e-6 and abs(b * ln(a)) < 800, near=(1,),
        tolerance=64, second=128,  # the rounding of b - 1 counts log(a) times
    ),
}
ELEMENTWISE["float_power"] = Reference(**{**vars(ELEMENTWISE["power"]), "dtypes": (np.float64,)})

# ---- Special functions ----------------------------------------------------------------------------------------------


def density(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def ndtr(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def erfcx(x: Any) -> Any:
    return mp.exp(x * x) * mp.erfc(x)


def erfcx_slope(x: Any) -> Any:
    return 2 * x * erfcx(x) - 2 / mp.sqrt(mp.pi)


def solved(f: Callable, start: Callable, x: Any) -> Any:
    """Return the solution t of f(t) = x, from an approximation."""
    return mp.findroot(lambda t: f(t) / x - 1, mpf(start(float(x))), tol=1e-60, maxsteps=60)


def erfcinv(x: Any) -> Any:
    return solved(mp.erfc, special.erfcinv, x)


def ndtri(x: Any) -> Any:
    return solved(ndtr, special.ndtri, x)


def erfinv(x: Any) -> Any:
    return solved(mp.erf, special.erfinv, x)


def expit(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def psi(x: Any) -> Any:
    return mp.psi(0, x)


def exprel_slope(x: Any) -> Any:
    return mp.hyp1f1(2, 3, x) / 2


def besseli(v: Any, z: Any) -> Any:
    return (-1) ** int(v) * mp.besseli(v, -z) if z < 0 else mp.besseli(v, z)  # for large negative z, mpmath's result is complex


def ive(v: Any, z: Any) -> Any:
    return besseli(v, z) * mp.exp(-abs(z))


def ive_slope(v: Any, z: Any) -> Any:
    return (besseli(v - 1, z) + besseli(v + 1, z) - 2 * sign(z) * besseli(v, z)) / 2 * mp.exp(-abs(z))


def between(low: float, high: float) -> Callable:
    """Return whether the sizes of all arguments are in an interval."""
    return lambda *x: all(low <= abs(one) <= high for one in x)


def psi_fall(a: Any, b: Any) -> Any:
    return psi(a) - psi(a + b)


def log1p_ratio_slope(u: Any) -> Any:
    return (1 / (1 + u) - mp.log1p(u) / u) / u


def bent(c: Any, r: Any) -> Any:
    return c * (radius(c, r) - c)


def ive_bend(v: Any, z: Any) -> Any:
    rise = (besseli(v - 2, z) + 2 * besseli(v, z) + besseli(v + 2, z)) / 4
    fall = (besseli(v - 1, z) + besseli(v + 1, z)) * sign(z)
    return (rise - fall + besseli(v, z)) * mp.exp(-abs(z))


ARGUMENTS = [1e-20, 1e-9, 1e-4, 0.01, 0.3, 0.9, 1.9, 2.1, 4, 7, 10, 17, 19, 26, 60, 300]
# With the signs in 2 f_v' = s f_(v-1) + t f_(v+1): DLMF 10.6.1, 10.29.1
BESSEL = [("j", mp.besselj, (1, -1)), ("y", mp.bessely, (1, -1)), ("i", mp.besseli, (1, 1)), ("k", mp.besselk, (-1, -1))]
SMALL = [0.05, 0.3, 0.7, 1, 1.5, 2.5, 6, 20]
BETA = [[1e-10, 1e-3, 0.3, 1, 2.5, 10, 300, 1e5]] * 2
both_above = lambda a, b: a > 0 and b > 0  # noqa: E731

SPECIAL = {
    "erf": unary(mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda x: -4 * x / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "erfc": unary(mp.erfc, lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda x: 4 * x / mp.sqrt(mp.pi) * mp.exp(-x * x),
                  inside=lambda x: x < 25),
    "erfcx": unary(erfcx, erfcx_slope, lambda x: 2 * erfcx(x) + 2 * x * erfcx_slope(x), lambda x: -20 < x < 1e6,
                   near=(2, -0.5), tolerance=16, second=64),
    "erfinv": unary(erfinv, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(erfinv(x) ** 2),
                    lambda x: mp.pi / 2 * erfinv(x) * mp.exp(2 * erfinv(x) ** 2), inside_one, near=(1, -1)),
    "erfcinv": unary(erfcinv, lambda x: -mp.sqrt(mp.pi) / 2 * mp.exp(erfcinv(x) ** 2),
                     lambda x: mp.pi / 2 * erfcinv(x) * mp.exp(2 * erfcinv(x) ** 2), lambda x: 1e-300 < x < 2 and x != 1,
                     near=(1, 2), tolerance=16, second=32),
    "ndtr": unary(ndtr, density, lambda x: -x * density(x), lambda x: x > -37),
    "ndtri": unary(ndtri, lambda x: 1 / density(ndtri(x)), lambda x: ndtri(x) / density(ndtri(x)) ** 2,
                   lambda x: 1e-300 < x < 1 and x != 0.5, near=(0.5, 1), tolerance=16, second=32),
    "log_ndtr": unary(lambda x: ln(ndtr(x)), lambda x: density(x) / ndtr(x),
                      lambda x: -density(x) / ndtr(x) * (x + density(x) / ndtr(x)), lambda x: -1e4 < x < 37, second=64),
    "expit": unary(expit, lambda x: expit(x) * expit(-x), lambda x: -expit(x) * expit(-x) * mp.tanh(x / 2)),
    "logit": unary(lambda x: ln(x / (1 - x)), lambda x: 1 / (x * (1 - x)), lambda x: (2 * x - 1) / (x * (1 - x)) ** 2,
                   lambda x: 0 < x < 1, near=(0.5, 1)),
    "log_expit": unary(lambda x: -mp.log1p(mp.exp(-x)), lambda x: expit(-x), lambda x: -expit(x) * expit(-x)),
    "cosm1": unary(lambda x: mp.cos(x) - 1, lambda x: -mp.sin(x), lambda x: -mp.cos(x), lambda x: abs(x) > 1e-30),
    "expm1": ELEMENTWISE["expm1"],
    "log1p": ELEMENTWISE["log1p"],
    "cbrt": ELEMENTWISE["cbrt"],
    "exp2": ELEMENTWISE["exp2"],
    "exp10": unary(lambda x: mpf(10) ** x, lambda x: LN10() * mpf(10) ** x, lambda x: LN10() ** 2 * mpf(10) ** x),
    "exprel": unary(lambda x: mp.expm1(x) / x, exprel_slope, lambda x: mp.hyp1f1(3, 4, x) / 3, between(1e-300, 700), near=(1, -1),
                    tolerance=16, second=64),
    "gamma": unary(mp.gamma, lambda x: mp.gamma(x) * psi(x), lambda x: mp.gamma(x) * (psi(x) ** 2 + mp.psi(1, x)),
                   lambda x: x > 0 or -20 < x != mp.floor(x), near=(1.4616321449683622, -1, -0.5), tolerance=32, second=64),
    "gammaln": unary(lambda x: ln(abs(mp.gamma(x))) if abs(x) < 1e8 else mp.loggamma(x), psi, lambda x: mp.psi(1, x),
                     lambda x: x > 0 or -20 < x != mp.floor(x), near=(1.4616321449683622, -0.5), tolerance=16),
    "loggamma": unary(mp.loggamma, psi, lambda x: mp.psi(1, x), above, near=(1.4616321449683622,), tolerance=16),
    "rgamma": unary(mp.rgamma, lambda x: mp.diff(mp.rgamma, x, relative=False), lambda x: mp.diff(mp.rgamma, x, 2),
                    lambda x: -20 < x < 100, near=(1.4616321449683622, -1, -2.5), tolerance=64, second=256),
    "psi": unary(psi, lambda x: mp.psi(1, x), lambda x: mp.psi(2, x), lambda x: x > 0 or -30 < x != mp.floor(x), near=(-1, -2.5)),
    "beta": Reference(mp.beta, [lambda a, b: mp.beta(a, b) * psi_fall(a, b), lambda a, b: mp.beta(a, b) * psi_fall(b, a)],
                      {(0, 0): lambda a, b: mp.beta(a, b) * (psi_fall(a, b) ** 2 + mp.psi(1, a) - mp.psi(1, a + b)),
                       (0, 1): lambda a, b: mp.beta(a, b) * (psi_fall(a, b) * psi_fall(b, a) - mp.psi(1, a + b)),
                       (1, 1): lambda a, b: mp.beta(a, b) * (psi_fall(b, a) ** 2 + mp.psi(1, b) - mp.psi(1, a + b))},
                      grid=[[0.05, 0.3, 1, 2.5, 10, 100]] * 2, tolerance=256, second=8192),
    "betaln": Reference(lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b), [psi_fall, lambda a, b: psi_fall(b, a)],
                        {(0, 0): lambda a, b: mp.psi(1, a) - mp.psi(1, a + b), (0, 1): lambda a, b: -mp.psi(1, a + b),
                         (1, 1): lambda a, b: mp.psi(1, b) - mp.psi(1, a + b)}, both_above, grid=BETA),
    **{f"{kind}{n}": Reference(
        partial(f, n), [lambda z, f=f, n=n, signs=signs: (signs[0] * f(n - 1, z) + signs[1] * f(n + 1, z)) / 2],
        {(0, 0): lambda z, f=f, n=n, signs=signs: (f(n - 2, z) + 2 * signs[0] * signs[1] * f(n, z) + f(n + 2, z)) / 4},
        grid=[ARGUMENTS], tolerance=64, second=128, slow=kind != "j")
        for kind, f, signs in BESSEL for n in (0, 1)},
    **{f"{kind}{end}": Reference(
        f, [None, lambda v, z, f=f, signs=signs: (signs[0] * f(v - 1, z) + signs[1] * f(v + 1, z)) / 2],
        {(1, 1): lambda v, z, f=f, signs=signs: (f(v - 2, z) + 2 * signs[0] * signs[1] * f(v, z) + f(v + 2, z)) / 4},
        grid=[[0, 1, 2, 5], ARGUMENTS[3:]], tolerance=128, second=512, slow=kind != "j")
        for kind, f, signs in BESSEL for end in ("v", "n")[:2 if kind == "y" else 1]},
    "i0e": unary(partial(ive, 0), partial(ive_slope, 0), partial(ive_bend, 0), between(1e-10, 1e12), near=(18,), tolerance=64, second=256),
    "i1e": unary(partial(ive, 1), partial(ive_slope, 1), partial(ive_bend, 1), between(1e-10, 1e12), near=(18,), tolerance=64, second=256),
    "ive": Reference(ive, [None, ive_slope], {(1, 1): ive_bend}, grid=[[0, 1, 2, 5], [*ARGUMENTS[3:], 1e6, 1e9]], tolerance=256, second=4096),
    "zeta": Reference(mp.zeta, [None, lambda x, q: -x * mp.zeta(x + 1, q)], grid=[[1.5, 2, 3, 8], SMALL], tolerance=16, second=32),
    "gammainc": Reference(lambda a, x: mp.gammainc(a, 0, x, regularized=True),
                          [None, lambda a, x: mp.exp((a - 1) * ln(x) - x - mp.loggamma(a))], grid=[SMALL, SMALL], tolerance=64, second=128),
    "gammaincc": Reference(lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
                           [None, lambda a, x: -mp.exp((a - 1) * ln(x) - x - mp.loggamma(a))], grid=[SMALL, SMALL], tolerance=64, second=128),
    "betainc": Reference(lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
                         [None, None, lambda a, b, x: x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b)],
                         grid=[SMALL, SMALL, [1e-5, 0.01, 0.3, 0.5, 0.8, 0.99]], tolerance=64, second=256),
    "xlogy": Reference(lambda a, b: a * ln(b), [lambda a, b: ln(b), lambda a, b: a / b],
                       {(0, 0): lambda a, b: mpf(0), (0, 1): lambda a, b: 1 / b, (1, 1): lambda a, b: -a / b**2},
                       lambda a, b: b > 0, near=(1,)),
    "xlog1py": Reference(lambda a, b: a * mp.log1p(b), [lambda a, b: mp.log1p(b), lambda a, b: a / (1 + b)],
                         {(0, 0): lambda a, b: mpf(0), (0, 1): lambda a, b: 1 / (1 + b), (1, 1): lambda a, b: -a / (1 + b) ** 2},
                         lambda a, b: b > -1, near=(-1,)),
    "entr": unary(lambda x: -x * ln(x), lambda x: -ln(x) - 1, lambda x: -1 / x, above, near=(1, 0.36787944117144233)),
    "rel_entr": Reference(lambda a, b: a * ln(a / b), [lambda a, b: ln(a / b) + 1, lambda a, b: -a / b],
                          {(0, 0): lambda a, b: 1 / a, (0, 1): lambda a, b: -1 / b, (1, 1): lambda a, b: a / b**2}, both_above, near=(1,)),
    "kl_div": Reference(lambda a, b: a * ln(a / b) - a + b, [lambda a, b: ln(a / b), lambda a, b: 1 - a / b],
                        {(0, 0): lambda a, b: 1 / a, (0, 1): lambda a, b: -1 / b, (1, 1): lambda a, b: a / b**2}, both_above, near=(1,)),
    "huber": Reference(
        lambda c, r: r * r / 2 if abs(r) <= c else c * (abs(r) - c / 2),
        [lambda c, r: mpf(0) if abs(r) <= c else abs(r) - c, lambda c, r: r if abs(r) <= c else c * sign(r)],
        {(0, 0): lambda c, r: mpf(0 if abs(r) <= c else -1), (0, 1): lambda c, r: 0 if abs(r) <= c else sign(r),
         (1, 1): lambda c, r: mpf(1 if abs(r) <= c else 0)}, lambda c, r: c > 0 and abs(r) != c),
    "pseudo_huber": Reference(
        bent, [lambda c, r: (radius(c, r) - c) ** 2 / radius(c, r), lambda c, r: c * r / radius(c, r)],
        {(0, 0): lambda c, r: -((radius(c, r) - c) / radius(c, r)) ** 2 * (2 + c / radius(c, r)),
         (0, 1): lambda c, r: (r / radius(c, r)) ** 3, (1, 1): lambda c, r: (c / radius(c, r)) ** 3},
        lambda c, r: c > 0 and 1e-30 < abs(r / c) < 1e30 and between(1e-150, 1e150)(c, r), near=(1,), tolerance=16, second=32),
    "boxcox": Reference(lambda x, m: mp.expm1(m * ln(x)) / m, [lambda x, m: x ** (m - 1), lambda x, m: ln(x) ** 2 * exprel_slope(m * ln(x))],
                        inside=lambda x, m: x > 0 and m != 0 and abs(m * ln(x)) < 600, near=(1,),
                        grid=[[1e-100, 1e-5, 0.1, 0.5, 0.99, 1.01, 3, 50, 1e10, 1e100], [-3, -1, -0.1, -1e-9, 1e-9, 0.1, 0.5, 1, 2.5]],
                        tolerance=64, second=512),
    "boxcox1p": Reference(lambda x, m: mp.expm1(m * mp.log1p(x)) / m,
                          [lambda x, m: (1 + x) ** (m - 1), lambda x, m: mp.log1p(x) ** 2 * exprel_slope(m * mp.log1p(x))],
                          inside=lambda x, m: x > -1 and m != 0 and x != 0 and abs(m * mp.log1p(x)) < 600,
                          grid=[[-0.999, -0.5, -1e-9, 1e-9, 0.1, 3, 50, 1e10, 1e100], [-3, -1, -0.1, -1e-9, 1e-9, 0.1, 0.5, 1, 2.5]],
                          tolerance=64, second=512),
    "inv_boxcox": Reference(
        lambda x, m: mp.exp(mp.log1p(m * x) / m),
        [lambda x, m: mp.exp(mp.log1p(m * x) * (1 / m - 1)),
         lambda x, m: mp.exp(mp.log1p(m * x) / m) * x * x * log1p_ratio_slope(m * x)],
        inside=lambda x, m: m * x > -1 and m != 0 and abs(mp.log1p(m * x) / m) < 600 and 1e-30 < abs(x) < 1e60,
        grid=[[-1e10, -20, -1.99, -0.5, -1e-6, 1e-6, 0.1, 1, 20, 1e5, 1e20, 1e100], [-3, -0.5, -1e-6, 1e-6, 0.1, 0.5, 1, 2.5, 50]],
        tolerance=256, second=4096),
    "spence": unary(lambda x: mp.polylog(2, 1 - x) if x < 2 else -mp.polylog(2, 1 - 1 / x) - ln(x) ** 2 / 2,
                    lambda x: ln(x) / (1 - x), lambda x: 1 / (x * (1 - x)) + ln(x) / (1 - x) ** 2,
                    lambda x: x > 0 and x != 1, near=(1, 0.5, 1.5), second=32),
    "exp1": unary(mp.e1, lambda x: -mp.exp(-x) / x, lambda x: mp.exp(-x) * (1 + x) / x**2, lambda x: 1e-30 < x < 700, tolerance=16, second=32),
    "expi": unary(mp.ei, lambda x: mp.exp(x) / x, lambda x: mp.exp(x) * (x - 1) / x**2, between(1e-30, 700), near=(1,), tolerance=16, second=32),
    "expn": Reference(mp.expint, [None, lambda n, x: -mp.expint(n - 1, x)], grid=[[1, 2, 3, 6], [0.01, 0.5, 1, 3, 20, 100]], tolerance=64, second=256),
    "dawsn": unary(lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), lambda x: 1 - mp.sqrt(mp.pi) * x * mp.exp(-x * x) * mp.erfi(x),
                   inside=between(1e-10, 20), tolerance=1024, second=4096),
    "owens_t": Reference(
        lambda h, a: mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a]) / (2 * mp.pi),
        [lambda h, a: -density(h) * mp.erf(a * h / mp.sqrt(2)) / 2, lambda h, a: mp.exp(-h * h * (1 + a * a) / 2) / (1 + a * a) / (2 * mp.pi)],
        bends={order: lambda h, a: -h * mp.exp(-h * h * (1 + a * a) / 2) / (2 * mp.pi) for order in ((0, 1), (1, 0))},
        grid=[[0.01, 0.5, 1, 3, 6], [-2, -0.3, 0.1, 1, 4]], tolerance=64, second=128),
    "poch": Reference(mp.rf, [lambda a, m: mp.rf(a, m) * (psi(a + m) - psi(a)), lambda a, m: mp.rf(a, m) * psi(a + m)],
                      grid=[[0.3, 1, 2.5, 10, 40], [0.2, 1, 2.5, 8, 20]], tolerance=256, second=4096),
    "fresnel": unary(mp.fresnels, lambda x: mp.sin(mp.pi * x * x / 2), lambda x: mp.pi * x * mp.cos(mp.pi * x * x / 2), between(1e-10, 100),
                     tolerance=16, second=32),
    "sici": unary(mp.si, mp.sinc, lambda x: (mp.cos(x) - mp.sinc(x)) / x, between(0.01, 1e4), tolerance=16, second=4096),
    "hyp1f1": Reference(mp.hyp1f1, [None, None, lambda a, b, x: a / b * mp.hyp1f1(a + 1, b + 1, x)],
                        grid=[[0.5, 1, 2.5], [1, 1.5, 3], [-5, -0.5, 0.01, 0.7, 3, 20]], tolerance=256, second=256),
    "hyp2f1": Reference(mp.hyp2f1, [None, None, None, lambda a, b, c, z: a * b / c * mp.hyp2f1(a + 1, b + 1, c + 1, z)],
                        grid=[[0.5, 1, 2.5], [1, 2], [1.5, 3], [-3, -0.5, 0.01, 0.4, 0.8]], tolerance=256, second=256),
}

SPECIAL["erfi"] = unary(mp.erfi, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(x * x), lambda x: 4 * x / mp.sqrt(mp.pi) * mp.exp(x * x),
                        lambda x: 1e-300 < abs(x) < 26)
SPECIAL["shichi"] = unary(mp.shi, lambda x: mp.sinh(x) / x, lambda x: (mp.cosh(x) - mp.sinh(x) / x) / x, between(0.01, 600), second=1024)
SPECIAL["betaincc"] = Reference(
    lambda a, b, x: mp.betainc(a, b, x, 1, regularized=True), [None, None, lambda *x: -SPECIAL["betainc"].slopes[2](*x)],
    grid=SPECIAL["betainc"].grid, tolerance=64, second=256)


def inverse(name: str, of: str) -> Reference:
    """The inverse of another function by its last argument, whose slope is one over that of the other."""
    other = SPECIAL[of]

    def f(*x: Any) -> Any:
        start = getattr(special, name)(*map(float, x))
        return mp.findroot(lambda t: other.f(*x[:-1], t) - x[-1], mpf(start), tol=mpf(10) ** -100, maxsteps=50)

    def slope(*x: Any) -> Any:
        return 1 / other.slopes[-1](*x[:-1], f(*x))

    n = len(other.slopes) - 1
    return Reference(f, [*[None] * n, slope], grid=[*[[0.7, 1.5, 4]] * n, [0.05, 0.4, 0.8]], tolerance=64, second=512, slow=True)


for _name, _of in (("gammaincinv", "gammainc"), ("gammainccinv", "gammaincc"), ("betaincinv", "betainc"), ("betainccinv", "betaincc")):
    SPECIAL[_name] = inverse(_name, _of)

# ---- Comparison -----------------------------------------------------------------------------------------------------


def function(name: str) -> Callable:
    """Return the function of that name. Of several results, it returns the first."""
    fun = getattr(np, name) if name in ELEMENTWISE else getattr(special, name)
    return fun if fun.nout == 1 else lambda *x: fun(*x)[0]


def grids(reference: Reference, dtype: Any, more: int) -> list[np.ndarray]:
    """Return the points, as an array for each argument."""
    n = len(reference.slopes)
    if reference.grid:
        with np.errstate(all="ignore"):
            axes = [np.unique(np.array(axis, float).astype(dtype)) for axis in reference.grid]
        axes = [axis[np.isfinite(axis)] for axis in axes]
        return [np.ravel(x) for x in np.meshgrid(*axes)]
    if n == 1:
        return [points(dtype, reference.near, more)]
    one = points(dtype, reference.near)
    rng = np.random.default_rng(1)
    first = rng.choice(one, 300 + 10 * more)
    second = rng.choice(one, first.size)
    with np.errstate(all="ignore"):  # many pairs are of the same size
        second[::3] = (first[::3].astype(float) * rng.uniform(0.1, 10, first[::3].size)).astype(dtype)
        second[1::9] = (first[1::9].astype(float) * 10 ** rng.uniform(-4, 4, first[1::9].size)).astype(dtype)
    second[2::30] = first[2::30]
    fine = np.isfinite(second) & (second != 0)
    return [first[fine], second[fine]]


def derivatives(fun: Callable, x: list[np.ndarray], orders: list[tuple[int, ...]]) -> dict[tuple[int, ...], np.ndarray]:
    """Return minigrad's derivatives of a function of each element."""

    def slope(i: int) -> Callable:
        return grad(lambda *x: np.sum(fun(*x)), i)

    found = {}
    with np.errstate(all="ignore"):
        for order in orders:
            first = slope(order[0])
            found[order] = first(*x) if len(order) == 1 else grad(lambda *x, f=first: np.sum(f(*x)), order[1])(*x)
            assert found[order].dtype == x[0].dtype
    return found


def errors(name: str, reference: Reference, dtype: Any, more: int = 0, most: int = 1000) -> list[tuple[float, tuple, tuple, float, float]]:
    """Return, for each derivative at each point: the error as a part of what is allowed, the order, the point, and both values."""
    kind = np.finfo(dtype)
    eps, tiny, smallest, largest = (float(v) for v in (kind.eps, kind.tiny, kind.smallest_subnormal, kind.max))
    found = []
    with mp.workprec(PRECISION):
        x = grids(reference, dtype, more)
        exact = [tuple(map(number, point)) for point in zip(*x)]
        used = [i for i, point in enumerate(exact) if reference.inside(*point) and _is_normal(reference.f(*point), tiny, largest)]
        x, exact = [axis[used] for axis in x], [exact[i] for i in used]
        step = -(-len(exact) // (most // 10 if reference.slow else most))
        x, exact = [axis[::step] for axis in x], exact[::step]
        assert exact, f"{name} has no points in {kind.dtype}"
        for order, values in derivatives(function(name), x, reference.orders).items():
            tolerance = reference.tolerance if len(order) == 1 else reference.second
            true = reference.derivative(order)
            for point, value in zip(exact, values.tolist()):
                wanted = true(*point)
                allowed = tolerance * (eps * abs(wanted) + smallest)
                if abs(wanted) > largest:
                    part = 0.0 if abs(value) > largest / 2 or (np.isnan(value) and len(order) > 1) else np.inf
                elif not np.isfinite(value):  # right if the derivative, or a term that it is a sum of, overflows
                    terms = [abs(slope_along(true, i, *point) * t) for i, t in enumerate(point) if reference.slopes[i]]
                    part = 0.0 if max(abs(wanted), *terms) * (1 + tolerance * eps) > largest else np.inf
                else:
                    error = abs(mpf(value) - wanted)
                    if error > allowed:  # what may come from a rounding of the arguments
                        turns = [abs(slope_along(true, i, *point) * t) for i, t in enumerate(point) if reference.slopes[i]]
                        allowed += tolerance * eps * sum(turns)
                    part = float(error / allowed)
                found.append((part, order, tuple(map(float, point)), value, float(wanted)))
    return found


def _is_normal(y: Any, tiny: float, largest: float) -> bool:
    return isinstance(y, mpmath.ctx_mp_python._mpf) and tiny <= abs(y) <= largest


def describe(worst: tuple) -> str:
    part, order, point, value, wanted = worst
    return f"{part:.3g} times the tolerance: derivative {order} at {point} is {value!r}, and should be {wanted!r}"


def main(names: list[str]) -> None:
    """Print the largest error of each function in each dtype."""
    for table, more in ((ELEMENTWISE, 200), (SPECIAL, 60)):
        for name, reference in table.items():
            for dtype in reference.dtypes:
                if not names or name in names:
                    worst = {}
                    for row in errors(name, reference, dtype, more):
                        worst[row[1]] = max(worst.get(row[1], row), row, key=lambda row: row[0])
                    for row in worst.values():
                        print("FAIL" if row[0] > 1 else "    ", name, np.dtype(dtype), describe(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
