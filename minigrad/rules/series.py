"""Functions of each element, with derivatives that NumPy lacks: from their power series."""

import math

import numpy as np

from ..table import defvjp, primitive

@primitive
def sinc_derivative(x, k):
    """The derivative of that order of sin(pi x) / (pi x); also where x is 0, or so small that the quotient is noise."""
    x = np.asarray(x)
    u = np.pi * x
    small = np.abs(u) < 2 + k
    # Of sin(u) / u: the power series is differentiated term by term; or u f = sin(u) is, k times.
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
    """The modified Bessel function of the first kind and of whole order n, by its power series (DLMF 10.25.2)."""
    x = np.asarray(x)
    term = (x / 2) ** n / math.factorial(n)
    total, m = term, 0
    while np.any(np.abs(term) > np.finfo(x.dtype).eps / 4 * np.abs(total)):
        m += 1
        term = term * (x / 2) ** 2 / (m * (m + n))
        total = total + term
    return total[()]


defvjp(np.sinc,         x=lambda g, x: g * sinc_derivative(x, 1))
defvjp(sinc_derivative, x=lambda g, x, k: g * sinc_derivative(x, k + 1))
defvjp(np.i0,           x=lambda g, x: g * bessel_i(x, 1))
defvjp(bessel_i,        x=lambda g, x, n: g * (bessel_i(x, abs(n - 1)) + bessel_i(x, n + 1)) / 2)  # DLMF 10.29.1
