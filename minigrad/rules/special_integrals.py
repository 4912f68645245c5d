"""Special functions of SciPy that are integrals: the incomplete gamma and beta functions, exponential integrals and others.

Numbers of formulas refer to the DLMF (see `special`).

The incomplete gamma function is the integral of a density f(t; a) from 0 to x. Its derivative by the parameter a is the
integral of the derivative of f. There is no closed form, so it is computed numerically. Three things make it accurate:

- The integral of f over all t is 1 for every a. So the integral of the derivative over all t is 0, and the part from 0 to x is
  minus the part from x to infinity. The derivative of f is negative below some point, and positive above it. The integral is
  taken over the part in which the sign does not change, so that nothing cancels.
- f(t) is computed as f(x) times exp of a difference, which is small where the integral comes from.
- The quadrature has an error far below the precision of float64 (see `quadrature`).

The derivative of f of order m is f times a polynomial in log(t). So the derivatives of all orders come from the same program.
The incomplete beta function is differentiated in the same way by its two parameters.
"""

import math

import numpy as np

from ..table import defvjp, primitive
from .composition import unused

PI = float(np.pi)
TINY = 1e-300  # stands for a parameter 0, so that the limit is computed


# ---- Quadrature -----------------------------------------------------------------------------------------------------

STEP = 1 / 8


def quadrature(integrand, scale, tail):
    """Return the integral of a function from 0 to infinity, for each element of `scale`.

    The substitution v = scale exp(s - exp(-s)) makes the integrand fall off doubly exponentially to the left, and as
    exp(-exp(s)) to the right. For such functions the trapezoidal rule converges exponentially (H. Takahasi and M. Mori,
    "Double exponential formulas for numerical integration", Publ. RIMS 9, 1974).

    `scale` is the distance over which the integrand falls off at first. It falls off to e**-60 up to `tail` times 60.
    """
    last = math.log(60 * max(1.0, np.max(tail / scale, initial=1.0)))
    s = np.arange(-3.75, last + STEP, STEP)[:, None]
    v = np.exp(s - np.exp(-s)) * scale
    return np.sum(integrand(v) * v * (STEP * (1 + np.exp(-s))), axis=0)


def by_parts(fun, *arrays):
    """Return ``fun(*arrays)`` for arrays of any size: element by element, a thousand at a time, in float64."""
    dtype = np.result_type(*arrays)
    dtype = dtype if dtype.kind == "f" else np.float64
    arrays = np.broadcast_arrays(*(np.asarray(x, float) for x in arrays))
    shape = arrays[0].shape
    arrays = [x.ravel() for x in arrays]
    parts = [fun(*(x[i : i + 1000] for x in arrays)) for i in range(0, arrays[0].size, 1000)]
    return np.concatenate([*parts, np.zeros(0)]).reshape(shape).astype(dtype)[()]


def deviance(x, mean):
    """Return u - log(1 + u), where 1 + u = x / mean. For small u, the terms cancel.

    There, with z = u / (2 + u), it is u z - 2 (z**3/3 + z**5/5 + ...): DLMF 4.6.4.
    """
    u = (x - mean) / mean
    near = np.abs(u) < 0.5
    z = np.where(near, u / (2 + u), 0)
    series = sum(z ** (2 * k) / (2 * k + 3) for k in range(16))
    return np.where(near, u * z - 2 * z**3 * series, u - np.log(x / mean))


def factorials(s, a):
    """Return log(gamma(a)) minus Stirling's formula for it: DLMF 5.11.1."""
    t = 1 / np.square(np.maximum(a, 10))
    series = (1 / 12 - t * (1 / 360 - t * (1 / 1260 - t * (1 / 1680 - t * (1 / 1188 - t * (691 / 360360 - t / 156)))))) / np.maximum(a, 10)
    small = np.minimum(a, 10)
    return np.where(a < 10, s.gammaln(small) - (small - 0.5) * np.log(small) + small - math.log(2 * PI) / 2, series)


def polynomial(m, n, logarithm):
    """Return the derivative of order m by a, and n by b, of exp(l(a, b)), divided by exp(l(a, b)).

    ``logarithm(i, j)`` is the derivative of l of order i and j. The result is a complete Bell polynomial of them, and the
    recurrence is Leibniz' rule for the derivative of exp(l) times the derivative of l.
    """
    found = {(0, 0): 1.0}
    for i in range(m + 1):
        for j in range(n + 1):
            p, q, di, dj = (i - 1, j, 1, 0) if i else (i, j - 1, 0, 1)
            if p >= 0 and q >= 0:
                found[i, j] = sum(
                    math.comb(p, k) * math.comb(q, h) * found[p - k, q - h] * logarithm(k + di, h + dj)
                    for k in range(p + 1)
                    for h in range(q + 1)
                )
    return found[m, n]


def table(special):
    """Return the derivatives, by the name of the function and of the argument."""
    s = special

    def polygamma(k, x):  # DLMF 5.15.1
        return s.psi(x) if k == 0 else (-1) ** (k + 1) * math.factorial(k) * s.zeta(k + 1.0, x)

    def psi_difference(z, m):
        """psi(z + m) - psi(z). If both are positive, nothing cancels.

        The recurrence (DLMF 5.5.2) leads to arguments above 20. There the terms of the expansion (DLMF 5.11.2) are subtracted,
        each on its own.
        """
        positive = (z > 0) & (z + m > 0)
        a, d = np.where(positive, z, 1.0), np.where(positive, m, 0.0)
        steps = sum(d / ((a + k) * (a + d + k)) for k in range(20))
        a = a + 20
        b = a + d

        def rest(x):
            t = 1 / np.square(x)
            return t * (1 / 12 - t * (1 / 120 - t * (1 / 252 - t * (1 / 240 - t * (1 / 132 - t * 691 / 32760)))))

        found = steps + np.log1p(d / a) + d / (2 * a * b) + rest(a) - rest(b)
        z = np.where(positive, 1.5, z)
        return np.where(positive, found, s.psi(z + np.where(positive, 0.0, m)) - s.psi(z))

    # ---- The gamma distribution: its density times x is x**a exp(-x) / gamma(a), DLMF 8.2.4 ----

    def gamma_mass(a, x):
        return np.sqrt(a / (2 * PI)) * np.exp(-a * deviance(x, a) - factorials(s, a))

    def gamma_polynomial(m, log_t, a):
        return polynomial(m, 0, lambda i, j: log_t - s.psi(a) if i == 1 else -polygamma(i - 1, a))

    @primitive
    def gamma_density(a, x):
        """The derivative of gammainc by x: DLMF 8.8.13."""

        def density(a, x):
            at_0 = np.where(a > 1, 0, np.where(a == 1, 1, np.inf))
            inside = (x > 0) & (x < np.inf) & (a > 0)
            a, x = np.where(inside, a, 1), np.where(inside, x, 1)
            return inside * gamma_mass(a, x) / x, at_0

        def complete(a, x):
            y, at_0 = density(a, x)
            return np.where((a < 0) | (x < 0) | np.isnan(a + x), np.nan, np.where((x == 0) & (a > 0), at_0, y))

        return by_parts(complete, a, x)

    def gamma_density_x(g, a, x, y):
        at_0 = np.where(a == 1, -1.0, np.where(a == 2, 1.0, np.where(a > 2, 0.0, np.where(a > 1, np.inf, -np.inf))))
        return g * np.where(x == 0, at_0, y * (np.subtract(a, 1.0) / np.where(x == 0, 1.0, x) - 1.0))

    def times_polynomial(m, a, x):
        """The density at x times its polynomial, which has log(x) in it. Where the density is 0, so is the product."""
        density = gamma_density(a, x)
        gone = density == 0
        product = density * gamma_polynomial(m, np.log(np.where(gone, 1.0, x)), np.where(gone, 1.0, a))
        return np.where(gone, 0.0, product)

    def below(m, a, x):
        """The integral from 0 to x, from gammainc(a, x) = gammainc(a + 1, x) + x**a exp(-x) / gamma(a + 1): DLMF 8.8.5."""
        log_x, b = np.log(x), a + 1

        def integrand(v):  # t = x exp(-v)
            return np.exp(-b * v - x * np.expm1(-v)) * gamma_polynomial(m, log_x - v, b)

        scale = 1 / (b - x + np.sqrt(x))
        first = gamma_mass(a, x) / a * gamma_polynomial(m, log_x, b)
        return first + gamma_mass(b, x) * quadrature(integrand, scale, scale)

    def above(m, a, x):
        """The integral from x to infinity."""
        log_x, b = np.log(x), np.maximum(a - 1, 0)

        def integrand(v):  # t = x (1 + v)
            log = np.log1p(v)
            return np.exp((a - 1) * log - x * v) * gamma_polynomial(m, log_x + log, a)

        scale = 1 / (x - b + np.sqrt(b))
        return gamma_mass(a, x) * quadrature(integrand, scale, scale)

    @primitive
    def gammainc_slope(m, a, x):
        """The derivative of gammainc(a, x) of order m by a."""

        def both(a, x):
            result = np.where((a < 0) | (x < 0) | np.isnan(a + x), np.nan, 0)
            a = np.maximum(a, TINY)
            inside = (result == 0) & (x > 0) & (x < np.inf) & (a < np.inf)
            left = inside & (np.log(np.where(inside, x, 1)) < s.psi(np.where(inside, a, 1) + 1))
            right = inside & ~left
            result[left] = below(m, a[left], x[left])
            result[right] = -above(m, a[right], x[right])
            return result

        return by_parts(both, a, x)

    defvjp(gamma_density,
           a=lambda g, a, x: g * times_polynomial(1, a, x),
           x=gamma_density_x)
    defvjp(gammainc_slope,
           a=lambda g, m, a, x: g * gammainc_slope(m + 1, a, x),
           x=lambda g, m, a, x: g * times_polynomial(m, a, x))

    # ---- The beta distribution: DLMF 8.17.1 ----

    def beta_mass(a, b, x, y):
        """x**a y**b / B(a, b), where x + y = 1."""
        n = a + b
        exponent = a * deviance(n * x, a) + b * deviance(n * y, b)
        return np.sqrt(a / n * b / (2 * PI)) * np.exp(factorials(s, n) - factorials(s, a) - factorials(s, b) - exponent)

    def beta_polynomial(m, n, log_t, log_1_t, a, b):
        def logarithm(i, j):  # of log(t**a (1 - t)**b / B(a, b))
            if i + j == 1:
                return log_t + psi_difference(a, b) if i else log_1_t + psi_difference(b, a)
            return polygamma(i + j - 1, a + b) - (0.0 if i and j else polygamma(i + j - 1, a if i else b))

        return polynomial(m, n, logarithm)

    @primitive
    def beta_density(a, b, x):
        """The derivative of betainc by x."""

        def density(a, b, x):
            inside = (x > 0) & (x < 1) & (a > 0) & (b > 0)
            at_0 = np.where(a > 1, 0, np.where(a == 1, b, np.inf))
            at_1 = np.where(b > 1, 0, np.where(b == 1, a, np.inf))
            ends = np.where(x == 0, at_0, np.where(x == 1, at_1, np.nan))
            a, b, x = np.where(inside, a, 1), np.where(inside, b, 1), np.where(inside, x, 0.5)
            return np.where(inside, beta_mass(a, b, x, 1 - x) / x / (1 - x), ends)

        return by_parts(density, a, b, x)

    def beta_density_x(g, a, b, x, y):
        at_0 = np.where(a == 1, b - b * b, np.where(a == 2, b * b + b, np.where(a > 2, 0, np.where(a > 1, np.inf, -np.inf))))
        at_1 = np.where(b == 1, a * a - a, np.where(b == 2, -a * a - a, np.where(b > 2, 0, np.where(b > 1, -np.inf, np.inf))))
        is_end = (x == 0) | (x == 1)
        z = np.where(is_end, 0.5, x)
        slope = y * (np.subtract(a, 1.0) / z - np.subtract(b, 1.0) / (1 - z))
        return g * np.where(is_end, np.where(x == 0, at_0, at_1), slope)

    def times_beta_polynomial(m, n, a, b, x):
        density = beta_density(a, b, x)
        gone = density == 0
        z, a, b = np.where(gone, 0.5, x), np.where(gone, 1.0, a), np.where(gone, 1.0, b)
        return np.where(gone, 0.0, density * beta_polynomial(m, n, np.log(z), np.log1p(-z), a, b))

    def beta_below(m, n, a, b, x, y):
        """The integral from 0 to x, from betainc(a, b, x) = betainc(a + 1, b, x) + x**a y**b / (a B(a, b)): DLMF 8.17.20."""
        log_x, log_y, c, ratio = np.log(x), np.log(y), a + 1, x / y

        def integrand(v):  # t = x exp(-v)
            log = np.log1p(-ratio * np.expm1(-v))  # of (1 - t) / y
            return np.exp((b - 1) * log - c * v) * beta_polynomial(m, n, log_x - v, log_y + log, c, b)

        bend = np.sqrt(np.maximum(b - 1, 0) * ratio * (1 + ratio))
        scale = 1 / (np.maximum(c - (b - 1) * ratio, 0) + bend)

        def logarithm(i, j):  # of the first term, x**a y**b gamma(a + b) / (gamma(c) gamma(b))
            if i + j == 1:
                return log_x + psi_difference(c, b - 1) if i else log_y + psi_difference(b, a)
            return polygamma(i + j - 1, a + b) - (0.0 if i and j else polygamma(i + j - 1, c if i else b))

        first = beta_mass(a, b, x, y) / a * polynomial(m, n, logarithm)
        return first + beta_mass(c, b, x, y) / y * quadrature(integrand, scale, 1 / c)

    @primitive
    def betainc_slope(m, n, a, b, x):
        """The derivative of betainc(a, b, x) of order m by a, and n by b."""

        def both(a, b, x):
            result = np.where((a < 0) | (b < 0) | (x < 0) | (x > 1) | np.isnan(a + b + x), np.nan, 0)
            a, b, y = np.maximum(a, TINY), np.maximum(b, TINY), 1 - x
            inside = (result == 0) & (x > 0) & (x < 1) & np.isfinite(a + b)
            total = s.psi(np.where(inside, a + b + 1, 1))
            if m >= n:
                left = x < np.exp(s.psi(a + 1) - total)
            else:
                left = y >= np.exp(s.psi(b + 1) - total)
            left, right = inside & left, inside & ~left
            result[left] = beta_below(m, n, *(z[left] for z in (a, b, x, y)))
            result[right] = -beta_below(n, m, *(z[right] for z in (b, a, y, x)))
            return result

        return by_parts(both, a, b, x)

    defvjp(beta_density,
           a=lambda g, a, b, x: g * times_beta_polynomial(1, 0, a, b, x),
           b=lambda g, a, b, x: g * times_beta_polynomial(0, 1, a, b, x),
           x=beta_density_x)
    defvjp(betainc_slope,
           a=lambda g, m, n, a, b, x: g * betainc_slope(m + 1, n, a, b, x),
           b=lambda g, m, n, a, b, x: g * betainc_slope(m, n + 1, a, b, x),
           x=lambda g, m, n, a, b, x: g * times_beta_polynomial(m, n, a, b, x))

    # ---- Rising factorials ----

    def poch_z(g, z, m, y):
        # y is gamma(z + m) / gamma(z), and its logarithmic derivative is psi(z + m) - psi(z). Where gamma(z) has a pole:
        # - If gamma(z + m) has no pole there, 1 / gamma(z) is differentiated, from the reflection formula (DLMF 5.5.3).
        # - If gamma(z + m) has a pole too, m is whole. Then psi(z + m) - psi(z) is psi(1 - z - m) - psi(1 - z) (DLMF 5.5.4).
        pole, end = (z <= 0) & (z == np.rint(z)), np.add(z, m)
        single = pole & (end > 0)
        double = pole & np.logical_not(single)
        z_1, end_1 = np.where(single, z, -1.0), np.where(single, end, 1.0)
        r = s.rgamma(z_1)
        crossing = s.gamma(end_1) * (s.psi(end_1) * r + np.cos(PI * z_1) * s.gamma(1 - z_1) - r * s.psi(1 - z_1))
        between_poles = -y * psi_difference(np.where(double, 1 - end, 1.0), np.where(double, m, 0.0))
        usual = y * psi_difference(np.where(pole, 1.0, z), np.where(pole, 0.0, m))
        return g * np.where(single, crossing, np.where(double, between_poles, usual))

    # ---- Integrals of elementary functions ----

    def expn_x(g, n, x):
        # DLMF 8.19.13. The function of order 0 is exp(-x) / x: DLMF 8.19.1.
        first = np.less(n, 1)
        slope = np.exp(-x) * (1 + 1 / np.where(first, x, 1.0)) / np.where(first, x, 1.0)
        return -g * np.where(first, slope, s.expn(np.maximum(np.subtract(n, 1), 0), x))

    def dawsn_x(g, x, y):
        # The derivative is 1 - 2 x y. For large x the terms cancel, so there it is from the expansion of y (DLMF 7.12.1).
        large = np.abs(x) > 10
        t = 1 / (2 * np.square(np.where(large, x, 10.0)))
        series = 0.0
        for k in range(16, 0, -1):
            series = (2 * k - 1) * t * (1 + series)
        return g * np.where(large, -series, 1 - 2 * np.where(large, 0.0, x) * y)

    def fresnel_z(g, z):
        # The angle is pi z**2 / 2. With z = n + f, where n is even, it is pi f (2 n + f) / 2 and a multiple of 2 pi.
        n = 2 * np.rint(np.real(z) / 2)
        f = z - n
        angle = PI / 2 * f * (2 * n + f)
        return g[0] * np.sin(angle) + g[1] * np.cos(angle)

    def over_x(fun, x):
        """``fun(x) / x`` for sin or sinh. It is 1 at 0, and near 0 it is computed from the power series."""
        small = np.abs(x) < 0.5
        square = np.square(np.where(small, x, 0.0)) * (-1 if fun is np.sin else 1)
        series = 1.0
        for k in range(16, 0, -2):
            series = 1 + square / (k * (k + 1)) * series
        x = np.where(small, 1.0, x)
        return np.where(small, series, fun(x) / x)

    def sum_over_x(g, odd, even, x):
        share = g[0] * over_x(odd, x)
        return share if unused(g[1]) else share + g[1] * even(x) / x  # the second is infinite at 0

    def no_derivative(fun, name):
        def refuse(g):
            raise NotImplementedError(
                f"scipy.special.{fun} has no derivative with respect to {name!r}; where none is wanted, pass "
                f"minigrad.stop_gradient({name})"
            )

        return refuse

    return {
        # DLMF 8.8.13, 8.17.1
        "gammainc":     {"a": lambda g, a, x: g * gammainc_slope(1, a, x),
                         "x": lambda g, a, x: g * gamma_density(a, x)},
        "gammaincc":    {"a": lambda g, a, x: -g * gammainc_slope(1, a, x),
                         "x": lambda g, a, x: -g * gamma_density(a, x)},
        "gammaincinv":  {"a": lambda g, a, y: -g * gammainc_slope(1, a, y) / gamma_density(a, y),
                         "p": lambda g, a, y: g / gamma_density(a, y)},
        "gammainccinv": {"a": lambda g, a, y: -g * gammainc_slope(1, a, y) / gamma_density(a, y),
                         "p": lambda g, a, y: -g / gamma_density(a, y)},
        "betainc":      {"a": lambda g, a, b, x: g * betainc_slope(1, 0, a, b, x),
                         "b": lambda g, a, b, x: g * betainc_slope(0, 1, a, b, x),
                         "x": lambda g, a, b, x: g * beta_density(a, b, x)},
        "betaincc":     {"a": lambda g, a, b, x: -g * betainc_slope(1, 0, a, b, x),
                         "b": lambda g, a, b, x: -g * betainc_slope(0, 1, a, b, x),
                         "x": lambda g, a, b, x: -g * beta_density(a, b, x)},
        "betaincinv":   {"a": lambda g, a, b, y: -g * betainc_slope(1, 0, a, b, y) / beta_density(a, b, y),
                         "b": lambda g, a, b, y: -g * betainc_slope(0, 1, a, b, y) / beta_density(a, b, y),
                         "p": lambda g, a, b, y: g / beta_density(a, b, y)},
        "betainccinv":  {"a": lambda g, a, b, y: -g * betainc_slope(1, 0, a, b, y) / beta_density(a, b, y),
                         "b": lambda g, a, b, y: -g * betainc_slope(0, 1, a, b, y) / beta_density(a, b, y),
                         "p": lambda g, a, b, y: -g / beta_density(a, b, y)},
        "poch":    {"z": poch_z, "m": lambda g, z, m, y: g * y * s.psi(np.add(z, m))},

        # DLMF 6.2.1, 6.2.5, 6.2.9, 6.2.11, 6.2.15, 6.2.16, 7.2.5, 7.2.7, 7.2.8
        "exp1":    {"x": lambda g, x: -g * np.exp(-x) / x},
        "expi":    {"x": lambda g, x: g * np.exp(x) / x},
        "expn":    {"n": no_derivative("expn", "n"), "x": expn_x},
        "dawsn":   {"x": dawsn_x},
        "erfi":    {"x": lambda g, x: g * (2 / PI**0.5) * np.exp(x * x)},
        "fresnel": {"z": fresnel_z},
        "sici":    {"x": lambda g, x: sum_over_x(g, np.sin, np.cos, x)},
        "shichi":  {"x": lambda g, x: sum_over_x(g, np.sinh, np.cosh, x)},

        # D. B. Owen, "Tables for computing bivariate normal probabilities", Annals of Mathematical Statistics 27, 1956
        "owens_t": {"h": lambda g, h, a: -g * np.exp(-h * h / 2) * s.erf(a * h / 2**0.5) / (8 * PI) ** 0.5,
                    "a": lambda g, h, a: g * np.exp(-h * h * (1 + a * a) / 2) / (2 * PI * (1 + a * a))},
    }
