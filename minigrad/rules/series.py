"""`sinc` and `i0`. Their derivatives are functions that NumPy lacks, and are computed from power series."""

import math

import numpy as np

from ..table import defvjp, primitive


@primitive
def sinc_derivative(x, k):
    """Return the derivative of order k of sin(pi x) / (pi x). It is precise at 0 and near 0 too."""
    x = np.asarray(x)
    u = np.pi * x.astype(np.result_type(x, float))  # the powers below are too large for float16
    small = np.abs(u) < 2 + k
    # Let f = sin(u) / u. Near 0, its power series is differentiated term by term. Elsewhere u f = sin(u) is differentiated
    # k times, which gives u f(k) + k f(k-1) = sin(k), where (k) is the order of a derivative.
    t = np.where(small, u, 0)
    orders = range((k + 1) // 2, 20 + 2 * k)
    series = sum((-1) ** j / ((2 * j + 1) * math.factorial(2 * j - k)) * t ** (2 * j - k) for j in orders)
    u = np.where(small, 1, u)
    f = np.sin(u) / u
    for i in range(1, k + 1):
        f = ((np.sin(u), np.cos(u), -np.sin(u), -np.cos(u))[i % 4] - i * f) / u
    return (np.pi**k * np.where(small, series, f)).astype(x.dtype)[()]


@primitive
def bessel_i(x, n):
    """Return the modified Bessel function I_n(x) for a whole number n, from its power series (DLMF 10.25.2)."""
    half = np.asarray(x).astype(float) / 2
    term = half**n / math.factorial(n)
    total, m = term, 0
    while np.any(np.abs(term) > np.finfo(float).eps / 4 * np.abs(total)):
        m += 1
        term = term * half * half / (m * (m + n))
        total = total + term
    return total.astype(np.asarray(x).dtype)[()]


defvjp(np.sinc,         x=lambda g, x: g * sinc_derivative(x, 1))
defvjp(sinc_derivative, x=lambda g, x, k: g * sinc_derivative(x, k + 1))
defvjp(np.i0,           x=lambda g, x: g * bessel_i(x, 1))
defvjp(bessel_i,        x=lambda g, x, n: g * (bessel_i(x, abs(n - 1)) + bessel_i(x, n + 1)) / 2)  # DLMF 10.29.1
