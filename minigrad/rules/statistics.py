"""Weighted means, covariances, and correlations."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .composition import defstandin

# ---- Means ----------------------------------------------------------------------------------------------------------


def _average(a, axis=None, weights=None, returned=False, keepdims=False):
    shape = np.shape(a)
    axes = normalize_axis_tuple(range(len(shape)) if axis is None else axis, len(shape))
    if weights is None:
        y = np.mean(a, axis=axes, keepdims=keepdims)
        return (y, 0.0) if returned else y  # the number of elements is a constant
    if np.shape(weights) != shape:  # then they only have the axes of the mean
        weights = np.transpose(weights, np.argsort(axes))
        weights = np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(shape)])
    total = np.sum(weights, axis=axes, keepdims=keepdims)
    y = np.sum(a * weights, axis=axes, keepdims=keepdims) / total
    return (y, np.broadcast_to(total, np.shape(y))) if returned else y


defstandin(np.average, _average, "a", "weights")

# ---- Covariances ----------------------------------------------------------------------------------------------------

# With rowvar=False a row is an observation. But in a matrix of one row, some versions of NumPy treat the row as a variable.
_ROW_IS_VARIABLE = np.ndim(np.cov(np.ones((1, 2)), rowvar=False, bias=True)) == 0


def _variables(a, rowvar, row_is_variable):
    """Return a matrix with a row for each variable."""
    if np.ndim(a) < 2:
        return np.reshape(a, (1, -1))
    return a if rowvar or np.shape(a)[0] == 1 and row_is_variable else np.transpose(a)


def _cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, dtype=None):
    """Return the covariances X W X' / n, with deviations X from the mean and weights W. n is computed as in np.cov."""
    x = _variables(m, rowvar, _ROW_IS_VARIABLE)
    if y is not None:
        x = np.concatenate([x, _variables(y, rowvar, True)])
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = np.ones(np.shape(x)[1], np.result_type(x)) if fweights is None else np.asarray(fweights)
    relative = 1
    if aweights is not None:
        w = w * aweights
        relative = np.sum(w * aweights) / np.sum(w)
    n = np.sum(w) - ddof * relative
    x = x - np.sum(x * w, axis=1, keepdims=True) / np.sum(w)
    return np.squeeze(np.matmul(x * w, np.conjugate(np.transpose(x))) / np.where(n > 0, n, 0))


def _corrcoef(x, y=None, rowvar=True, dtype=None):
    c = _cov(x, y, rowvar)
    if np.ndim(c) == 0:
        return c / c
    deviations = np.sqrt(np.real(np.diagonal(c)))
    return c / deviations[:, None] / deviations


defstandin(np.cov, _cov, "m", "y", "aweights")
defstandin(np.corrcoef, _corrcoef, "x", "y")
