"""Matrices, in the last two axes of arrays: the notation in which their rules are written."""

import numpy as np


def T(x):
    """The transpose."""
    return np.swapaxes(x, -1, -2)


def conj(x):
    """The conjugate; of a real array the array itself."""
    return np.conjugate(x) if np.iscomplexobj(x) else x


def H(x):
    """The conjugate transpose."""
    return conj(T(x))


def eye(like):
    """The identity with as many columns as an array has, of real numbers of the same precision."""
    return np.eye(np.shape(like)[-1], dtype=np.finfo(like.dtype).dtype)


def row(d):
    """Vectors as matrices of one row."""
    return np.expand_dims(d, -2)


def column(d):
    """Vectors as matrices of one column."""
    return np.expand_dims(d, -1)


def scalar(d):
    """Numbers, one for each matrix, such that they multiply the matrices."""
    return np.expand_dims(d, (-2, -1))


def as_diagonal(d):
    """The matrix with that diagonal."""
    return column(d) * eye(d)


def product(a, b, c):
    """a @ b @ c, in the cheaper order of the two: so that tall and wide matrices do not make large square ones."""
    (m, k), (n, p) = np.shape(a)[-2:], np.shape(c)[-2:]
    if m * n * (k + p) <= k * p * (m + n):
        return np.matmul(np.matmul(a, b), c)
    return np.matmul(a, np.matmul(b, c))


def require_zero(x, message, *scales):
    """Raise if x is not zero, as far as rounding goes in comparison with the largest number in some arrays."""
    for_each = np.stack([np.max(np.abs(scale), initial=0) for scale in scales])
    if np.any(np.abs(x) > np.sqrt(np.finfo(x.dtype).eps) * np.max(for_each)):
        raise ValueError(message)
