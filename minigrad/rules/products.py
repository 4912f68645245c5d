"""Products of vectors and matrices."""

import math

import numpy as np

from ..engine import defvjp

# In y = a @ b a vector counts as one row on the left, or as one column on the right; y lacks that axis. With the axis
# put back, the rules are those of matrices: g @ b.T for a, and a.T @ g for b.


def _as_matrices(g, a_ndim, b_ndim):
    if b_ndim == 1:
        g = np.expand_dims(g, -1)
    return np.expand_dims(g, -2) if a_ndim == 1 else g


def _matmul_a(g, a_shape, b):
    g = _as_matrices(g, len(a_shape), np.ndim(b))
    b = np.expand_dims(b, -1) if np.ndim(b) == 1 else b
    product = np.matmul(g, np.swapaxes(b, -1, -2))
    return product[..., 0, :] if len(a_shape) == 1 else product


def _matmul_b(g, a, b_shape):
    g = _as_matrices(g, np.ndim(a), len(b_shape))
    a = np.expand_dims(a, 0) if np.ndim(a) == 1 else a
    product = np.matmul(np.swapaxes(a, -1, -2), g)
    return product[..., 0] if len(b_shape) == 1 else product


defvjp(np.matmul, a=_matmul_a, b=_matmul_b)

# np.dot pairs every row of a (its last axis) with every column of b (its last axis but one). It is a product of two
# matrices, when all other axes of each are taken as one.


def _rows(a_shape):
    return math.prod(a_shape[:-1]), a_shape[-1]


def _dot_a(g, a_shape, b):
    if a_shape == () or np.ndim(b) == 0:
        return g * b
    m, n = _rows(a_shape)
    b_shape = np.shape(b)
    count = math.prod(b_shape[:-2] + b_shape[-1:]) if len(b_shape) > 1 else 1
    columns = np.reshape(np.moveaxis(b, -2, 0) if len(b_shape) > 1 else b, (n, count))
    return np.reshape(np.matmul(np.reshape(g, (m, count)), np.transpose(columns)), a_shape)


def _dot_b(g, a, b_shape):
    if np.ndim(a) == 0 or b_shape == ():
        return g * a
    m, n = _rows(np.shape(a))
    outer, last = b_shape[:-2], b_shape[-1:] if len(b_shape) > 1 else ()
    product = np.matmul(np.transpose(np.reshape(a, (m, n))), np.reshape(g, (m, math.prod(outer + last))))
    product = np.reshape(product, (n, *outer, *last))
    return np.moveaxis(product, 0, -2) if len(b_shape) > 1 else product


defvjp(np.dot, a=_dot_a, b=_dot_b)
