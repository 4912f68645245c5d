"""Polynomials, and fitting them to data. A polynomial is given by its coefficients, the highest power first."""

import math
import sys

import numpy as np

from ..conversions import checked
from ..table import Rule, defvjp, late_rules, rules
from .composition import defstandin, stacked
from .products import convolve_a, summed_to

# ---- Values ---------------------------------------------------------------------------------------------------------


def _polyval_p(g, p_shape, x):
    """Return a row for each coefficient: `g` times a power of x."""
    rows = [g]
    for _ in range(p_shape[0] - 1):
        rows.append(rows[-1] * x)
    if not p_shape[0]:
        return np.zeros(p_shape, np.result_type(g))
    return np.stack([summed_to(row, p_shape[1:]) for row in rows[::-1]])


def _polyval_x(g, p, x):
    p = np.asarray(p) if isinstance(p, np.poly1d) else p
    powers = np.arange(len(p) - 1, 0, -1).reshape(-1, *[1] * (np.ndim(p) - 1)).astype(np.result_type(g))
    return g * np.polyval(p[:-1] * powers, x)


def _vander_x(g, x, N=None, increasing=False):
    n = np.shape(g)[1]
    if n < 2:
        return np.zeros(np.shape(x))
    g = g if increasing else g[:, ::-1]
    return np.sum(g[:, 1:] * np.vander(x, n - 1, increasing=True) * np.arange(1, n), axis=1)


defvjp(np.polyval, p=_polyval_p, x=_polyval_x)
defvjp(np.vander,  x=_vander_x)

# ---- Values of the newer kind ---------------------------------------------------------------------------------------
# numpy.polynomial has the lowest power first. Two of its functions look for Tensors. The others are in `minigrad.numpy`.


def _horner(x, c, tensor=True):
    c = np.reshape(c, np.shape(c) + (1,) * np.ndim(x)) if tensor else c
    y = c[-1] + x * 0
    for i in range(2, len(c) + 1):
        y = c[-i] + y * x
    return y


def _inexact(*arrays):
    return [np.add(stacked(x), 0.0) for x in arrays]


def _polyval2d(x, y, c):
    x, y, c = _inexact(x, y, c)
    if np.shape(x) != np.shape(y):
        raise ValueError("x, y are incompatible")
    return _horner(y, _horner(x, c), tensor=False)


def _polygrid2d(x, y, c):
    x, y, c = _inexact(x, y, c)
    return _horner(y, _horner(x, c))


def _register():
    """Define these compositions once ``numpy.polynomial`` is loaded. NumPy loads it at its first use."""
    polynomial = sys.modules.get("numpy.polynomial.polynomial")
    if hasattr(polynomial, "polygrid2d"):
        rules.setdefault(polynomial.polyval2d, Rule(polynomial.polyval2d, composition=_polyval2d))
        rules.setdefault(polynomial.polygrid2d, Rule(polynomial.polygrid2d, composition=_polygrid2d))


late_rules.append(_register)

# ---- Sums, products and quotients -----------------------------------------------------------------------------------
# Coefficients of the same power are added. So two arrays of coefficients are aligned at the last one.


def _last(values, n):
    """Return the last n numbers. If there are fewer, zeros come before them."""
    missing = max(n - len(values), 0)
    return np.concatenate([np.zeros(missing, np.result_type(values)), values[len(values) + missing - n:]])


def _shared(g, shape):
    """Return the cotangent of coefficients of that shape. `g` is the cotangent of a sum, which may have more coefficients.

    For a single number the result has one element, and the backward pass makes a number of it.
    """
    return _last(g, math.prod(shape))


def _polymul_a1(g, a1_shape, a2):
    """A product of polynomials is a convolution. NumPy removes zeros at the front first, but they have a derivative."""
    return convolve_a(_last(g, math.prod(a1_shape) + np.size(a2) - 1), a1_shape, a2)


def _polydiv(u, v, y):
    """This is long division. Each digit of the quotient is multiplied by v, and subtracted from the rest.

    The result `y` tells the length of the remainder.
    """
    rest, v = np.ravel(u), np.ravel(v)
    digits = []
    for _ in range(len(rest) - len(v) + 1):
        digits.append(rest[0] / v[0])
        rest = np.concatenate([rest[1:len(v)] - digits[-1] * v[1:], rest[len(v):]])
    return np.stack(digits) if digits else 0.0, _last(rest, len(y[1]))


defvjp(np.polyadd, a1=lambda g, a1_shape: _shared(g, a1_shape), a2=lambda g, a2_shape: _shared(g, a2_shape))
defvjp(np.polysub, a1=lambda g, a1_shape: _shared(g, a1_shape), a2=lambda g, a2_shape: -_shared(g, a2_shape))
defvjp(np.polymul, a1=_polymul_a1, a2=lambda g, a1, a2_shape: _polymul_a1(g, a2_shape, a1))
defstandin(np.polydiv, _polydiv, "u", "v")

# ---- Derivatives and integrals --------------------------------------------------------------------------------------


def _polyder(p, m=1):
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def _polyint(p, m=1, k=None):
    constants = np.zeros(m) if k is None else np.reshape(k, -1)
    for i in range(m):
        constant = constants[i: i + 1] if len(constants) > 1 else constants
        p = np.concatenate([p / np.arange(len(p), 0, -1), constant])
    return p


defstandin(np.polyder, _polyder, "p")
defstandin(np.polyint, _polyint, "p", "k")

# ---- Zeros ----------------------------------------------------------------------------------------------------------


def _poly(seq_of_zeros):
    """Return the coefficients of the product of all t - z or, for a matrix, of det(t - z).

    For a matrix this is the algorithm of Faddeev and LeVerrier (F. R. Gantmacher, "The theory of matrices", 1959, IV.5).
    """
    z = seq_of_zeros
    one = np.ones(1, np.result_type(z))
    if np.ndim(z) < 2:
        y = one
        for i in range(np.size(z)):
            y = np.convolve(y, np.concatenate([one, -np.reshape(z, -1)[i: i + 1]]))
        return y
    coefficients, adjugate, identity = [one], 0, np.eye(len(z), dtype=one.dtype)
    for i in range(1, len(z) + 1):
        adjugate = np.matmul(z, adjugate) + coefficients[-1] * identity if i > 1 else identity
        coefficients.append(-np.trace(np.matmul(z, adjugate)) / i * one)
    return np.concatenate(coefficients)


def _roots_p(g, p, y):
    """If p changes by dp, a root y changes by -dp(y) / p'(y)."""
    coefficients = np.reshape(p, -1)
    slope = _polyval_x(np.ones_like(y), coefficients, y)
    slope = checked(slope, slope == 0, "np.roots has no derivative at a multiple root")
    return np.reshape(_polyval_p(-g / slope, (len(coefficients),), y), np.shape(p))


defstandin(np.poly, _poly, "seq_of_zeros")
defvjp(np.roots, p=_roots_p)

# ---- Fitting --------------------------------------------------------------------------------------------------------


def _polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """Solve by least squares, as NumPy does. The columns of powers are scaled to the norm 1."""
    powers = np.vander(x, deg + 1)
    if w is not None:
        powers = powers * w[:, None]
        y = y * (w if np.ndim(y) == 1 else w[:, None])
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    powers = powers / scale
    rcond = len(x) * np.finfo(powers.dtype).eps if rcond is None else rcond
    c, squares, rank, s = np.linalg.lstsq(powers, y, rcond)
    c = checked(c, rank <= deg, "np.polyfit has no derivative where the data do not determine the polynomial")
    c = c / (scale if np.ndim(y) == 1 else scale[:, None])
    if full:
        return c, squares, rank, s, rcond
    if not cov:
        return c
    inverse = np.linalg.inv(np.matmul(np.transpose(powers), powers)) / (scale[:, None] * scale)
    size = 1 if cov == "unscaled" else squares / (len(x) - deg - 1)
    return c, (inverse if np.ndim(y) == 1 else inverse[:, :, None]) * size


defstandin(np.polyfit, _polyfit, "x", "y", "w")
