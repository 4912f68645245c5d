"""The special functions of SciPy, for programs that have imported ``scipy.special``. minigrad does not import it.

These functions are ufuncs. `register` defines their derivatives once ``scipy.special`` is loaded. The formulas are from
the Digital Library of Mathematical Functions (DLMF, https://dlmf.nist.gov), which is cited by equation. For some
arguments, such as the order of a Bessel function, there is no closed form. Their derivatives are refused.
"""

import math
import sys
from functools import wraps

import numpy as np

from ..conversions import astype
from ..operands import some
from ..table import VJP, Rule, defvjp, late_rules, primitive, rules
from . import special_integrals
from .elementwise import cosine

PI, LN10 = float(np.pi), float(np.log(10))
ROOT_PI, ROOT_2, ROOT_2PI = PI**0.5, 2**0.5, (2 * PI) ** 0.5

_registered = False


def register():
    """Define the derivatives of SciPy's special functions, once they are loaded. If the user has defined one, it stays.

    A call that is interrupted has defined some of them. Then the next call does everything again. Several threads may do
    this at once, because they all define the same.
    """
    global _registered
    special = sys.modules.get("scipy.special")
    is_loading = getattr(getattr(special, "__spec__", None), "_initializing", False)  # by another thread
    if _registered or special is None or is_loading:
        return
    found = {getattr(special, name, None): vjps for name, vjps in (_table(special) | special_integrals.table(special)).items()}
    # zeta(x, q) calls a ufunc _zeta, and zeta(x) a ufunc _riemann_zeta. DLMF 25.11.17
    zeta, riemann = (getattr(getattr(special, "_ufuncs", None), name, None) for name in ("_zeta", "_riemann_zeta"))
    found[zeta] = {"x": _refused("zeta", "x"), "q": lambda g, x, q: -g * x * zeta(np.add(x, 1.0), q)}
    found[riemann] = {"x": _refused("zeta", "x")}
    for ufunc, vjps in found.items():
        if isinstance(ufunc, np.ufunc):
            wide = {argument: vjp and VJP(_in_float64(vjp)) for argument, vjp in vjps.items()}
            rules.setdefault(ufunc, Rule(ufunc, wide))
    for constant in (special.gammasgn, getattr(special, "round", None)):
        if isinstance(constant, np.ufunc):
            rules.setdefault(constant, Rule(constant, constant=True))
    _registered = True


late_rules.append(register)


def _in_float64(vjp):
    """Return a VJP that computes in float64 or complex128. SciPy's functions do so too, for all arguments."""

    @wraps(vjp)
    def widened(g, *residuals):
        return vjp(g, *(astype(x, _WIDE[x.dtype]) if getattr(x, "dtype", None) in _WIDE else x for x in residuals))

    return widened


_WIDE = {np.dtype(np.float16): np.float64, np.dtype(np.float32): np.float64, np.dtype(np.complex64): np.complex128}


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
        # The derivative is 2 x y - 2 / sqrt(pi). For x > 2 the terms cancel. With the continued fraction y = 1 / (x + rest) /
        # sqrt(pi) (DLMF 7.9.1), it is -2 rest y.
        if np.iscomplexobj(x):
            return g * (2 * x * y - 2 / ROOT_PI)
        large = x > 2
        far, rest = np.where(large, x, 2), 0.0
        for k in range(60, 0, -1):
            rest = k / 2 / (far + rest)
        return g * np.where(large, -2 * rest * y, 2 * np.where(large, 0, x) * y - 2 / ROOT_PI)

    def exp_of_square(y, tail):
        # For y = erfcinv(x), exp(y**2) is erfcx(|y|) / x, or with 2 - x instead of x, whichever is smaller. The square of a
        # large y has an error that is too large for exp.
        near = (np.abs(y) < 1) | (tail == 0)
        size = np.abs(np.where(near, 1, y))
        return np.where(near, np.exp(np.square(np.where(near, y, 0))), s.erfcx(size) / np.where(near, 1, tail))

    def log_ndtr_x(g, x, y):
        # The density divided by its integral. For negative x both may underflow, so there their quotient is from erfcx.
        right = np.real(x) > 0
        density = np.exp(-np.square(np.where(right, x, 0)) / 2 - np.where(right, y, 0)) / ROOT_2PI
        return g * np.where(right, density, 2 / ROOT_2PI / s.erfcx(-np.where(right, 0, x) / ROOT_2))

    @primitive
    def expit_slope(x):
        return s.expit(x) * s.expit(-x)

    defvjp(expit_slope, x=lambda g, x, y: -g * y * np.tanh(x / 2))

    # ---- Gamma functions ----

    def is_pole(x):
        return (x <= 0) & (x == np.floor(x))

    def psi_x(g, x):
        # For x < 0 by reflection: DLMF 5.15.6
        left = _real("psi", x) < 0
        z = np.where(left, x, 0.5)
        sine = np.sin(PI * (z - np.rint(z)))
        whole = left & (z == np.rint(z))
        square = np.square(PI / np.where(whole, 1, sine))
        return g * np.where(whole, np.inf, np.where(left, square, 0) + np.where(left, -1, 1) * s.zeta(2.0, np.where(left, 1 - z, x)))

    @primitive
    def zeta_fall(n, a, b):
        # The sum of 1 / (a + k)**n - 1 / (a + b + k)**n over all k, for positive a and b. For n = 1 it is psi(a + b) - psi(a).
        # All terms are positive. From k = 10 on, it is from the Euler-Maclaurin formula (DLMF 2.10.1, as in 25.11.5).
        def fall(power, a):
            return -np.power(a, -1.0 * power) * np.expm1(-power * np.log1p(b / a))

        far = a + 10
        total = sum(fall(n, a + k) for k in range(10)) + fall(n, far) / 2
        total = total + (np.log1p(b / far) if n == 1 else fall(n - 1, far) / (n - 1))
        factor = n
        for j, bernoulli in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6), start=1):
            total = total + bernoulli / math.factorial(2 * j) * factor * fall(n + 2 * j - 1, far)
            factor = factor * (n + 2 * j - 1) * (n + 2 * j)
        return total

    defvjp(zeta_fall, a=lambda g, n, a, b: -n * g * zeta_fall(n + 1, a, b),
                      b=lambda g, n, a, b: n * g * s.zeta(n + 1.0, a + b))

    def psi_fall(a, b):
        # psi(a) - psi(a + b). If both are infinite, it is psi(1 - a) - psi(1 - a - b): DLMF 5.5.4.
        positive, poles = (a > 0) & (b > 0), is_pole(a) & is_pole(a + b)
        rise = zeta_fall(1, np.where(positive, a, 1), np.where(positive, b, 1))
        a, total = np.where(positive, 1, np.where(poles, 1 - a, a)), np.where(positive, 1, np.where(poles, 1 - a - b, a + b))
        return np.where(positive, -rise, s.psi(a) - s.psi(total))

    def beta_a(g, a, b, y):
        # If a + b is a pole of gamma, but a and b are not, 1 / gamma(a + b) is 0. So beta is 0, but its slope is not.
        zero = is_pole(a + b) & np.logical_not(is_pole(a) | is_pole(b))
        if not some(zero):
            return g * y * psi_fall(a, b)
        at_a, at_b = np.where(zero, a, 1), np.where(zero, b, 1)
        inverse = s.rgamma(at_a + at_b)
        slope = s.gamma(at_a) * s.gamma(at_b) * (s.psi(at_a) * inverse + rgamma_x(1, at_a + at_b, inverse))
        return g * np.where(zero, slope, y * psi_fall(np.where(zero, 1, a), np.where(zero, 1, b)))

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

    # With h = hypot(delta, r), C = delta / h and S = r / h, pseudo_huber is delta (h - delta). Its slopes are (h - delta)**2 / h
    # and delta S. Their slopes are C**3, S**3, and -((h - delta) / h)**2 (2 + C), and h - delta is S r / (1 + C).

    @primitive
    def pseudo_huber_slope(delta, r):
        return np.where(delta < 0, np.nan, delta * sine(delta, r))

    @primitive
    def pseudo_huber_bend(delta, r):
        return np.where(delta < 0, np.nan, np.square(gap(delta, r)) * np.hypot(delta, r))

    def gap(delta, r):  # (h - delta) / h
        return np.square(sine(delta, r)) / np.where(delta < 0, 1, 1 + sine(r, delta))

    def sine(a, b):
        return cosine(b, a, np.hypot(a, b))

    def cubed(x):
        return x * x * x

    defvjp(pseudo_huber_slope, delta=lambda g, delta, r: g * cubed(sine(delta, r)),
                               r=lambda g, delta, r: g * cubed(sine(r, delta)))
    defvjp(pseudo_huber_bend, delta=lambda g, delta, r: -g * np.square(gap(delta, r)) * (2 + sine(r, delta)),
                              r=lambda g, delta, r: g * cubed(sine(delta, r)))

    def exprel_slope(x):
        # exprel(x) is (exp(x) - 1) / x. Near 0, where the terms of the derivative cancel, it is M(2, 3, x) / 2 (DLMF 13.3.15).
        near = np.abs(x) < 1
        far = np.where(near | np.isinf(x), 1, x)
        slope = (np.exp(far) - s.exprel(far)) / far
        slope = np.where(near, s.hyp1f1(2.0, 3.0, np.where(near, x, 0)) / 2, slope)
        return np.where(np.isinf(x), np.where(x > 0, np.inf, 0), slope)

    def exprel_bend(x):  # the second derivative, in the same way
        near = np.abs(x) < 1
        far = np.where(near | np.isinf(x), 1, x)
        bend = (np.exp(far) - 2 * exprel_slope(far)) / far
        bend = np.where(near, s.hyp1f1(3.0, 4.0, np.where(near, x, 0)) / 3, bend)
        return np.where(np.isinf(x), np.where(x > 0, np.inf, 0), bend)

    @primitive
    def boxcox_slope(log, lmbda):
        # With u = lmbda log(x), boxcox is log(x) exprel(u). At x = 0 the slope is -1 / lmbda.
        zero = (log == -np.inf) & (lmbda > 0)
        log = np.where(zero, 0, log)
        return np.where(zero, 1 / np.square(np.where(zero, lmbda, 1)), np.square(log) * exprel_slope(lmbda * log))

    defvjp(boxcox_slope, log=lambda g, log, lmbda: g * log * np.exp(lmbda * log),
                         lmbda=lambda g, log, lmbda: g * log * (np.square(log) * exprel_bend(lmbda * log)))

    def boxcox1p_x(g, x, lmbda):
        # (1 + x)**(lmbda - 1). Its logarithm has more digits for small x.
        small = np.abs(x) < 0.5
        near, power = np.where(small, x, 0), np.subtract(lmbda, 1.0)
        return g * np.where(small, np.exp(power * np.log1p(near)), np.power(1 + np.where(small, 1, x), power))

    def ratio(a, b):  # unless both are positive, the function is 0 or infinite, and the slope is 0
        inside = (a > 0) & (b > 0)
        return np.where(inside, a, 0) / np.where(inside, b, 1)

    def log_ratio(a, b, more):
        inside = (a > 0) & (b > 0)
        a, b = np.where(inside, a, 1), np.where(inside, b, 1)
        quotient = a / b
        normal = (quotient > 1e-300) & (quotient < 1e300)  # any other has lost its digits
        log = np.where(normal, np.log(np.where(normal, quotient, 1)), np.log(a) - np.log(b))
        return np.where(inside, log + more, 0)

    def spence_x(g, x):
        # log(x) / (1 - x): DLMF 25.12.2. Near 1, where the terms of its derivative cancel, it is -F(1, 1; 2; 1 - x) (DLMF 15.4.1).
        near = np.abs(x - 1) < 0.5
        far = np.where(near, 2, x)
        return g * np.where(near, -s.hyp2f1(1.0, 1.0, 2.0, np.where(near, 1 - x, 0)), np.log(far) / (1 - far))

    def log1p_ratio_slope(u):
        # log(1 + u) / u is F(1, 1; 2; -u). The derivative of that is -F(2, 2; 3; -u) / 2: DLMF 15.4.1, 15.5.1. Far from 0, the
        # terms of the derivative do not cancel.
        near = np.abs(u) < 0.5
        far = np.where(near, 1, u)
        return np.where(near, -s.hyp2f1(2.0, 2.0, 3.0, np.where(near, -u, 0)) / 2, (1 / (1 + far) - np.log1p(far) / far) / far)

    def inv_boxcox_x(g, x, lmbda, y):
        # y / (1 + lmbda x), but y**(1 - lmbda) where this is 0 / 0
        base = 1 + lmbda * x
        end = (base == 0) | np.isinf(base)
        return g * np.where(end, np.power(np.where(end, y, 1), np.subtract(1.0, lmbda)), y / np.where(end, 1, base))

    def scaled_bessel_slope(slope, v, z):
        # The derivative of exp(-|z|) I_v(z). For large z, its terms cancel. There it is from the expansion of the function
        # (DLMF 10.40.1), differentiated term by term.
        far = (np.abs(z) > 18) & (np.abs(z) > np.square(v))
        size = np.abs(np.where(far, z, 18.0 + np.square(v)))
        total = 36.5
        for k in range(36, 0, -1):
            total = k - 0.5 + (np.square(2 * k - 1) - 4 * np.square(v)) / (8 * k) / size * total
        sign = np.where(z < 0, np.where(np.mod(v, 2) == 0, -1, 1), 1)
        return np.where(far, -sign * total / size / np.sqrt(size) / ROOT_2PI, slope(np.where(far, 0.5, z)))

    def half_sum(fun, v, z):
        return (fun(np.subtract(v, 1.0), z) + fun(np.add(v, 1.0), z)) / 2

    def order_one(fun0, fun1, near_slope, z):
        # f0 - f1 / z (DLMF 10.6.2, 10.29.2). Near 0, its second derivative would cancel. For z > 1e9, SciPy's jv fails.
        near = np.abs(z) < 2
        far = np.where(near, 2, z)
        return np.where(near, near_slope(np.where(near, z, 0)), fun0(far) - fun1(far) / far)

    def half_difference(fun, v, z):
        return (fun(np.subtract(v, 1.0), z) - fun(np.add(v, 1.0), z)) / 2

    return {
        # Error functions, and the normal distribution: DLMF 7.2.1, 7.2.2, 7.10.1. (ndtr(x) is erfc(-x / sqrt(2)) / 2.)
        "erf":      {"x": lambda g, x: g * (2 / ROOT_PI) * np.exp(-x * x)},
        "erfc":     {"x": lambda g, x: -g * (2 / ROOT_PI) * np.exp(-x * x)},
        "erfcx":    {"x": erfcx_x},
        "erfinv":   {"x": lambda g, y: g * (ROOT_PI / 2) * np.exp(y * y)},
        "erfcinv":  {"x": lambda g, x, y: -g * (ROOT_PI / 2) * exp_of_square(y, np.minimum(x, 2 - x))},
        "ndtr":     {"x": lambda g, x: g * np.exp(-x * x / 2) / ROOT_2PI},
        "ndtri":    {"x": lambda g, x, y: g * ROOT_2PI * exp_of_square(y / ROOT_2, 2 * np.minimum(x, 1 - x))},
        "log_ndtr": {"x": log_ndtr_x},

        # The logistic function, exponentials and logarithms
        "expit":     {"x": lambda g, x: g * expit_slope(x)},
        "logit":     {"x": lambda g, x: g / (x * (1 - x))},
        "log_expit": {"x": lambda g, x: g * s.expit(-x)},
        "cosm1":     {"x": lambda g, x: -g * np.sin(x)},
        "expm1":     {"x": lambda g, x: g * np.exp(x)},
        "log1p":     {"x": lambda g, x: g / (1 + x)},
        "cbrt":      {"x": lambda g, y: g / (3 * y) / y},
        "exp2":      {"x": lambda g, y: g * y * float(np.log(2))},
        "exp10":     {"x": lambda g, y: g * y * LN10},
        "exprel":    {"x": lambda g, x: g * exprel_slope(x)},

        # Gamma functions: DLMF 5.2.2, 5.12.1, 5.15.1
        "gamma":    {"x": lambda g, x, y: g * y * s.psi(x)},
        "gammaln":  {"x": lambda g, x: g * s.psi(x)},
        "loggamma": {"x": lambda g, x: g * s.psi(x)},
        "rgamma":   {"x": rgamma_x},
        "psi":      {"x": psi_x},
        "beta":     {"a": beta_a, "b": lambda g, a, b, y: beta_a(g, b, a, y)},
        "betaln":   {"a": lambda g, a, b: g * psi_fall(a, b), "b": lambda g, a, b: g * psi_fall(b, a)},

        # Bessel functions: DLMF 10.6.1, 10.6.3, 10.29.1, 10.29.3; those with e are multiplied by exp(-|z|)
        "j0": {"z": lambda g, z: -g * s.j1(z)},
        "y0": {"z": lambda g, z: -g * s.y1(z)},
        "i0": {"z": lambda g, z: g * s.i1(z)},
        "k0": {"z": lambda g, z: -g * s.k1(z)},
        "j1": {"z": lambda g, z: g * order_one(s.j0, s.j1, lambda z: (s.j0(z) - s.jv(2.0, z)) / 2, z)},
        "y1": {"z": lambda g, z, y: g * (s.y0(z) - y / z)},
        "i1": {"z": lambda g, z: g * order_one(s.i0, s.i1, lambda z: (s.i0(z) + s.iv(2.0, z)) / 2, z)},
        "k1": {"z": lambda g, z, y: -g * (s.k0(z) + y / z)},
        "i0e": {"z": lambda g, z: g * scaled_bessel_slope(lambda z: s.i1e(z) - np.sign(z) * s.i0e(z), 0, z)},
        "i1e": {"z": lambda g, z: g * scaled_bessel_slope(lambda z: half_sum(s.ive, 1.0, z) - np.sign(z) * s.i1e(z), 1, z)},
        "jv": {"v": _refused("jv", "v"), "z": lambda g, v, z: g * half_difference(s.jv, v, z)},
        "yv": {"v": _refused("yv", "v"), "z": lambda g, v, z: g * half_difference(s.yv, v, z)},
        "yn": {"n": _refused("yn", "n"),  # which SciPy rounds toward 0
               "z": lambda g, n, z: g * half_difference(s.yn, np.trunc(n), z)},
        "iv": {"v": _refused("iv", "v"), "z": lambda g, v, z: g * half_sum(s.iv, v, z)},
        "kv": {"v": _refused("kv", "v"), "z": lambda g, v, z: -g * half_sum(s.kv, v, z)},
        "ive": {"v": _refused("ive", "v"),
                "z": lambda g, v, z: g * scaled_bessel_slope(
                    lambda z: half_sum(s.ive, v, z) - np.sign(z) * s.ive(v, z), v, _real("ive", z))},

        # Entropies
        "xlogy":    {"a": lambda g, b: g * np.log(b),   "b": lambda g, a, b: g * a / b},
        "xlog1py":  {"a": lambda g, b: g * np.log1p(b), "b": lambda g, a, b: g * a / (1 + b)},
        "entr":     {"x": lambda g, x: -g * (np.log(x) + 1)},
        "rel_entr": {"a": lambda g, a, b: g * log_ratio(a, b, 1), "b": lambda g, a, b: -g * ratio(a, b)},
        "kl_div":   {"a": lambda g, a, b: g * (log_ratio(a, b, 1) - 1), "b": lambda g, a, b: g * (1 - ratio(a, b))},

        # Losses and transformations
        "huber":        {"delta": huber_delta, "r": huber_r},
        "pseudo_huber": {"delta": lambda g, delta, r: g * pseudo_huber_bend(delta, r),
                         "r": lambda g, delta, r: g * pseudo_huber_slope(delta, r)},
        "boxcox":   {"x": lambda g, x, lmbda: g * np.power(x, np.subtract(lmbda, 1.0)),
                     "lmbda": lambda g, x, lmbda: g * boxcox_slope(np.log(x), lmbda)},
        "boxcox1p": {"x": boxcox1p_x,
                     "lmbda": lambda g, x, lmbda: g * boxcox_slope(np.log1p(x), lmbda)},
        "inv_boxcox": {"x": inv_boxcox_x, "lmbda": lambda g, x, lmbda, y: g * y * (x * log1p_ratio_slope(lmbda * x) * x)},
        "spence":   {"x": spence_x},

        # Confluent and Gaussian hypergeometric functions, which the rules above use: DLMF 13.3.15, 15.5.1
        "hyp1f1": {"a": _refused("hyp1f1", "a"), "b": _refused("hyp1f1", "b"),
                   "x": lambda g, a, b, x: g * (a / b) * s.hyp1f1(np.add(a, 1.0), np.add(b, 1.0), x)},
        "hyp2f1": {"a": _refused("hyp2f1", "a"), "b": _refused("hyp2f1", "b"), "c": _refused("hyp2f1", "c"),
                   "z": lambda g, a, b, c, z:
                       g * (a * b / c) * s.hyp2f1(np.add(a, 1.0), np.add(b, 1.0), np.add(c, 1.0), z)},
    }
