"""Short names for operations on matrices. Matrices are in the last two axes of an array."""

import numpy as np

from ..conversions import checked


def T(x):
    """Return the transpose."""
    return np.swapaxes(x, -1, -2)


def conj(x):
    """Return the conjugate. A real array is returned as it is."""
    return np.conjugate(x) if np.iscomplexobj(x) else x


def H(x):
    """Return the conjugate transpose."""
    return conj(T(x))


def eye(like):
    """Return the identity, with as many columns as an array has, and with real numbers of the same precision."""
    return np.eye(np.shape(like)[-1], dtype=np.finfo(like.dtype).dtype)


def row(d):
    """Return vectors as matrices of one row."""
    return np.expand_dims(d, -2)


def column(d):
    """Return vectors as matrices of one column."""
    return np.expand_dims(d, -1)


def scalar(d):
    """Return numbers, one for each matrix, with two more axes, so that they multiply the matrices."""
    return np.expand_dims(d, (-2, -1))


def as_diagonal(d):
    """Return the matrix with that diagonal, and zeros elsewhere."""
    return column(d) * eye(d)


def product(a, b, c):
    """Return a @ b @ c, in the cheaper of the two orders. With tall and wide matrices, one order is much cheaper."""
    (m, k), (n, p) = np.shape(a)[-2:], np.shape(c)[-2:]
    if m * n * (k + p) <= k * p * (m + n):
        return np.matmul(np.matmul(a, b), c)
    return np.matmul(a, np.matmul(b, c))


def with_zero(value, x, message, *scales):
    """Return the value. Raise if x is not zero, up to rounding errors, relative to the largest number in the arrays `scales`."""
    for_each = np.stack([np.max(np.abs(scale), initial=0) for scale in scales])
    return checked(value, np.abs(x) > np.sqrt(np.finfo(x.dtype).eps) * np.max(for_each), message)
