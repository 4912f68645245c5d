"""The special functions of SciPy, for programs that have imported ``scipy.special``. minigrad does not import it.

These functions are ufuncs. `register` defines their derivatives once ``scipy.special`` is loaded. The formulas are from
the Digital Library of Mathematical Functions (DLMF, https://dlmf.nist.gov), which is cited by equation. For some
arguments, such as the order of a Bessel function, there is no closed form. Their derivatives are refused.
"""

import sys

import numpy as np

from ..methods import astype
from ..table import defconstant, defvjp, late_rules
from . import special_integrals

PI, LN10 = float(np.pi), float(np.log(10))
ROOT_PI, ROOT_2, ROOT_2PI = PI**0.5, 2**0.5, (2 * PI) ** 0.5

_registered = False


def register():
    """Define the derivatives of SciPy's special functions, if they are loaded and this was not done yet."""
    global _registered
    special = sys.modules.get("scipy.special")
    if _registered or special is None or not hasattr(special, "xlogy"):
        return
    for name, vjps in (_table(special) | special_integrals.table(special)).items():
        ufunc = getattr(special, name, None)
        if isinstance(ufunc, np.ufunc):
            defvjp(ufunc, **vjps)
    defconstant(special.gammasgn, *[f for f in [getattr(special, "round", None)] if isinstance(f, np.ufunc)])
    zeta = getattr(getattr(special, "_ufuncs", None), "_zeta", None)  # zeta(x, q) calls this ufunc
    if isinstance(zeta, np.ufunc):
        # DLMF 25.11.17
        defvjp(zeta, x=_refused("zeta", "x"), q=lambda g, x, q: -g * x * zeta(np.add(x, 1.0), q))
    riemann = getattr(getattr(special, "_ufuncs", None), "_riemann_zeta", None)  # zeta(x) calls this ufunc
    if isinstance(riemann, np.ufunc):
        defvjp(riemann, x=_refused("zeta", "x"))
    _registered = True


late_rules.append(register)


def _refused(fun, name):
    def refuse(g):
        raise NotImplementedError(
            f"scipy.special.{fun} has no derivative with respect to {name!r}; where none is wanted, pass "
            f"minigrad.stop_gradient({name})"
        )

    return refuse


def _real(fun, x):
    """Return x, and raise if it is complex, because the formula is wrong for complex numbers."""
    if np.iscomplexobj(x):
        raise NotImplementedError(f"the derivative of scipy.special.{fun} does not support complex numbers")
    return x


def _table(special):
    """Return the derivatives, by the name of the function and of the argument."""
    s = special

    # ---- Error functions ----

    def erfcx_x(g, x, y):
        # The derivative is 2 x y - 2 / sqrt(pi). For large x the terms cancel, so there it is from the expansion of y (DLMF
        # 7.12.1), differentiated term by term.
        if np.iscomplexobj(x):
            return g * (2 * x * y - 2 / ROOT_PI)
        large = x > 30
        t = 1 / np.square(np.where(large, x, 30.0 * np.sign(x) + (x == 0)))
        series = 1 - t * (1.5 - t * (3.75 - t * (13.125 - t * (59.0625 - t * 324.84375))))
        return g * np.where(large, -t * series / ROOT_PI, 2 * np.where(large, 0, x) * y - 2 / ROOT_PI)

    def log_ndtr_x(g, x, y):
        # The density divided by its integral. For negative x both may underflow, so there their quotient is from erfcx.
        right = np.real(x) > 0
        density = np.exp(-np.square(np.where(right, x, 0)) / 2 - np.where(right, y, 0)) / ROOT_2PI
        return g * np.where(right, density, 2 / ROOT_2PI / s.erfcx(-np.where(right, 0, x) / ROOT_2))

    # ---- Gamma functions ----

    def rgamma_x(g, x, y):
        # For x < 1/2 the reflection formula (DLMF 5.5.3) is used, because it also holds at the poles of gamma.
        left = np.real(x) < 0.5
        z = np.where(left, 1 - x, 0.5)
        reflected = np.cos(PI * np.where(left, x, 0)) * s.gamma(z) - y * s.psi(z)
        return g * np.where(left, reflected, -y * s.psi(np.where(left, 1, x)))

    # ---- Kinks and limits ----

    def huber_delta(g, delta, r):
        return g * np.where(delta < 0, np.nan, np.where(np.abs(r) <= delta, 0, np.abs(r) - delta))

    def huber_r(g, delta, r):
        outside = np.where(r < 0, -delta, delta)
        return g * np.where(delta < 0, np.nan, np.where(np.abs(r) <= delta, r, outside))

    def pseudo_huber_delta(g, delta, r):
        size = np.hypot(delta, r)
        size = np.where(size == 0, 1, size)
        return g * np.where(delta < 0, np.nan, r / size * r * np.square(r / np.where(delta < 0, 1, size + delta)))

    def pseudo_huber_r(g, delta, r):
        size = np.hypot(delta, r)
        return g * np.where(delta < 0, np.nan, r * (delta / np.where(size == 0, 1, size)))

    def exprel_slope(x):
        # exprel(x) is M(1, 2, x). The derivative of that is M(2, 3, x) / 2: DLMF 13.3.15. For infinite x, SciPy's hyp1f1
        # does not return.
        return s.hyp1f1(2.0, 3.0, np.where(np.isinf(x), 1e30 * np.sign(x), x)) / 2

    def boxcox_slope(log, lmbda):
        # With u = lmbda log(x), boxcox is log(x) exprel(u). At x = 0 it is -1 / lmbda.
        zero = (log == -np.inf) & (lmbda > 0)
        log = np.where(zero, 0, log)
        return np.where(zero, 1 / np.square(np.where(zero, lmbda, 1)), np.square(log) * exprel_slope(lmbda * log))

    def ratio(a, b):  # unless both are positive, the function is 0 or infinite, and the slope is 0
        inside = (a > 0) & (b > 0)
        return np.where(inside, a, 0) / np.where(inside, b, 1)

    def log_ratio(a, b, more):
        inside = (a > 0) & (b > 0)
        return np.where(inside, np.log(np.where(inside, a, 1) / np.where(inside, b, 1)) + more, 0)

    def log1p_ratio_slope(u):
        # log(1 + u) / u is F(1, 1; 2; -u). The derivative of that is -F(2, 2; 3; -u) / 2: DLMF 15.4.1, 15.5.1.
        return -hyp2f1(2.0, 2.0, 3.0, -u) / 2

    def hyp2f1(a, b, c, z):
        # If a, b and c are Python numbers, SciPy returns float64 even if z is float32.
        y = s.hyp2f1(a, b, c, z)
        return astype(y, np.float32) if getattr(z, "dtype", None) == np.float32 else y

    def inv_boxcox_slope(x, lmbda):
        return np.square(x) * log1p_ratio_slope(lmbda * x)

    def half_sum(fun, v, z):
        return (fun(np.subtract(v, 1.0), z) + fun(np.add(v, 1.0), z)) / 2

    def half_difference(fun, v, z):
        return (fun(np.subtract(v, 1.0), z) - fun(np.add(v, 1.0), z)) / 2

    return {
        # Error functions, and the normal distribution: DLMF 7.2.1, 7.2.2, 7.10.1. (ndtr(x) is erfc(-x / sqrt(2)) / 2.)
        "erf":      {"x": lambda g, x: g * (2 / ROOT_PI) * np.exp(-x * x)},
        "erfc":     {"x": lambda g, x: -g * (2 / ROOT_PI) * np.exp(-x * x)},
        "erfcx":    {"x": erfcx_x},
        "erfinv":   {"x": lambda g, y: g * (ROOT_PI / 2) * np.exp(y * y)},
        "erfcinv":  {"x": lambda g, y: -g * (ROOT_PI / 2) * np.exp(y * y)},
        "ndtr":     {"x": lambda g, x: g * np.exp(-x * x / 2) / ROOT_2PI},
        "ndtri":    {"x": lambda g, y: g * ROOT_2PI * np.exp(y * y / 2)},
        "log_ndtr": {"x": log_ndtr_x},

        # The logistic function, exponentials and logarithms
        "expit":     {"x": lambda g, x, y: g * y * s.expit(-x)},
        "logit":     {"x": lambda g, x: g / (x * (1 - x))},
        "log_expit": {"x": lambda g, x: g * s.expit(-x)},
        "cosm1":     {"x": lambda g, x: -g * np.sin(x)},
        "expm1":     {"x": lambda g, x: g * np.exp(x)},
        "log1p":     {"x": lambda g, x: g / (1 + x)},
        "cbrt":      {"x": lambda g, y: g * np.power(y, -2.0) / 3},
        "exp2":      {"x": lambda g, y: g * y * float(np.log(2))},
        "exp10":     {"x": lambda g, y: g * y * LN10},
        "exprel":    {"x": lambda g, x: g * exprel_slope(x)},

        # Gamma functions: DLMF 5.2.2, 5.12.1, 5.15.1
        "gamma":    {"x": lambda g, x, y: g * y * s.psi(x)},
        "gammaln":  {"x": lambda g, x: g * s.psi(x)},
        "loggamma": {"x": lambda g, x: g * s.psi(x)},
        "rgamma":   {"x": rgamma_x},
        "psi":      {"x": lambda g, x: g * s.zeta(2.0, _real("psi", x))},
        "beta":     {"a": lambda g, a, b, y: g * y * (s.psi(a) - s.psi(a + b)),
                     "b": lambda g, a, b, y: g * y * (s.psi(b) - s.psi(a + b))},
        "betaln":   {"a": lambda g, a, b: g * (s.psi(a) - s.psi(a + b)),
                     "b": lambda g, a, b: g * (s.psi(b) - s.psi(a + b))},

        # Bessel functions: DLMF 10.6.1, 10.6.3, 10.29.1, 10.29.3; those with e are multiplied by exp(-|z|)
        "j0": {"z": lambda g, z: -g * s.j1(z)},
        "y0": {"z": lambda g, z: -g * s.y1(z)},
        "i0": {"z": lambda g, z: g * s.i1(z)},
        "k0": {"z": lambda g, z: -g * s.k1(z)},
        "j1": {"z": lambda g, z: g * (s.j0(z) - s.jv(2.0, z)) / 2},
        "y1": {"z": lambda g, z: g * (s.y0(z) - s.yv(2.0, z)) / 2},
        "i1": {"z": lambda g, z: g * (s.i0(z) + s.iv(2.0, z)) / 2},
        "k1": {"z": lambda g, z: -g * (s.k0(z) + s.kv(2.0, z)) / 2},
        "i0e": {"z": lambda g, z, y: g * (s.i1e(z) - np.sign(z) * y)},
        "i1e": {"z": lambda g, z, y: g * ((s.i0e(z) + s.ive(2.0, z)) / 2 - np.sign(z) * y)},
        "jv": {"v": _refused("jv", "v"), "z": lambda g, v, z: g * half_difference(s.jv, v, z)},
        "yv": {"v": _refused("yv", "v"), "z": lambda g, v, z: g * half_difference(s.yv, v, z)},
        "yn": {"n": _refused("yn", "n"),  # which SciPy rounds toward 0
               "z": lambda g, n, z: g * half_difference(s.yn, np.trunc(n), z)},
        "iv": {"v": _refused("iv", "v"), "z": lambda g, v, z: g * half_sum(s.iv, v, z)},
        "kv": {"v": _refused("kv", "v"), "z": lambda g, v, z: -g * half_sum(s.kv, v, z)},
        "ive": {"v": _refused("ive", "v"),
                "z": lambda g, v, z, y: g * (half_sum(s.ive, v, z) - np.sign(_real("ive", z)) * y)},

        # Entropies
        "xlogy":    {"a": lambda g, b: g * np.log(b),   "b": lambda g, a, b: g * a / b},
        "xlog1py":  {"a": lambda g, b: g * np.log1p(b), "b": lambda g, a, b: g * a / (1 + b)},
        "entr":     {"x": lambda g, x: -g * (np.log(x) + 1)},
        "rel_entr": {"a": lambda g, a, b: g * log_ratio(a, b, 1), "b": lambda g, a, b: -g * ratio(a, b)},
        "kl_div":   {"a": lambda g, a, b: g * (log_ratio(a, b, 1) - 1), "b": lambda g, a, b: g * (1 - ratio(a, b))},

        # Losses and transformations
        "huber":        {"delta": huber_delta, "r": huber_r},
        "pseudo_huber": {"delta": pseudo_huber_delta, "r": pseudo_huber_r},
        "boxcox":   {"x": lambda g, x, lmbda: g * np.power(x, np.subtract(lmbda, 1.0)),
                     "lmbda": lambda g, x, lmbda: g * boxcox_slope(np.log(x), lmbda)},
        "boxcox1p": {"x": lambda g, x, lmbda: g * np.power(1 + x, np.subtract(lmbda, 1.0)),
                     "lmbda": lambda g, x, lmbda: g * boxcox_slope(np.log1p(x), lmbda)},
        "inv_boxcox": {"x": lambda g, lmbda, y: g * np.power(y, np.subtract(1.0, lmbda)),
                       "lmbda": lambda g, x, lmbda, y: g * y * inv_boxcox_slope(x, lmbda)},
        "spence":   {"x": lambda g, x: -g * hyp2f1(1.0, 1.0, 2.0, 1 - x)},  # log(x) / (1 - x): DLMF 25.12.2, 15.4.1

        # Confluent and Gaussian hypergeometric functions, which the rules above use: DLMF 13.3.15, 15.5.1
        "hyp1f1": {"a": _refused("hyp1f1", "a"), "b": _refused("hyp1f1", "b"),
                   "x": lambda g, a, b, x: g * (a / b) * s.hyp1f1(np.add(a, 1.0), np.add(b, 1.0), x)},
        "hyp2f1": {"a": _refused("hyp2f1", "a"), "b": _refused("hyp2f1", "b"), "c": _refused("hyp2f1", "c"),
                   "z": lambda g, a, b, c, z:
                       g * (a * b / c) * hyp2f1(np.add(a, 1.0), np.add(b, 1.0), np.add(c, 1.0), z)},
    }
