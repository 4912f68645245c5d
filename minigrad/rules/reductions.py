"""Sums, products, extremes and statistics along axes."""

import math

import numpy as np

from ..engine import defvjp


def _axes(axis, ndim):
    """The reduced axes, as numbers from 0 on."""
    if axis is None or ndim == 0:
        return range(ndim)
    return [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]


def _keep(r, shape, axis):
    """The result of a reduction over an array of that shape, such that it broadcasts with that array again."""
    if axis is None or np.ndim(r) == len(shape):
        return r
    reduced = _axes(axis, len(shape))
    return np.reshape(r, tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def _spread(g, shape, axis, where=True):
    """The cotangent of an array that was summed: g, for every element that took part."""
    if type(g) is np.float64 and math.prod(shape) <= 10_000:  # most losses end so, and broadcast_to takes its time
        spread = np.empty(shape)
        spread.fill(g)
        return _masked(spread, where)
    return _masked(np.broadcast_to(_keep(g, shape, axis), shape), where)


def _masked(g, where):
    return g if where is True else np.where(where, g, 0)


def _divided(g, shape, axis, where, ddof=0):
    """g over the number of elements that went into each result (as NumPy has it, minus ddof, but not below 0)."""
    if where is True:
        n = math.prod(shape if axis is None else [shape[i] for i in _axes(axis, len(shape))]) - ddof
        return g / n if n > 0 else np.divide(g, 0)
    n = np.sum(np.broadcast_to(where, shape), axis=axis, keepdims=True, dtype=np.result_type(g)) - ddof
    return np.divide(_keep(g, shape, axis), np.maximum(n, 0))


# ---- Sums -----------------------------------------------------------------------------------------------------------


def _sum_a(g, a_shape, axis=None, dtype=None, keepdims=False, initial=0, where=True):
    return _spread(g, a_shape, axis, where)


def _sum_initial(g, axis=None, dtype=None, keepdims=False, where=True):
    return g


def _mean_a(g, a_shape, axis=None, dtype=None, keepdims=False, where=True):
    return _spread(_divided(g, a_shape, axis, where), a_shape, axis, where)


defvjp(np.sum,  a=_sum_a, initial=_sum_initial)
defvjp(np.mean, a=_mean_a)

# ---- Products -------------------------------------------------------------------------------------------------------


def _others(a, axis):
    """For each element, the product of all others along the axes: without a division, so that zeros are no matter.

    It is the product of what comes before, times that of what comes after. Either is a running product, found for all
    elements at once by doubling: of 1 element, of up to 2, of up to 4...
    """
    reduced = list(_axes(axis, np.ndim(a)))
    last = range(-len(reduced), 0)
    rows = np.moveaxis(a, reduced, last)
    flat = np.reshape(rows, (*rows.shape[: len(rows.shape) - len(reduced)], -1))
    ones = np.ones(flat.shape, flat.dtype)
    before = np.concatenate([ones[..., :1], flat[..., :-1]], axis=-1)
    after = np.concatenate([flat[..., 1:], ones[..., :1]], axis=-1)
    step = 1
    while step < flat.shape[-1]:
        before = before * np.concatenate([ones[..., :step], before[..., :-step]], axis=-1)
        after = after * np.concatenate([after[..., step:], ones[..., :step]], axis=-1)
        step *= 2
    return np.moveaxis(np.reshape(before * after, rows.shape), last, reduced)


def _prod_a(g, a, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    if np.size(a) == 0:
        return np.zeros(np.shape(a))
    taking_part = a if where is True else np.where(where, a, 1)
    return _spread(g, np.shape(a), axis, where) * initial * _others(taking_part, axis)


def _prod_initial(g, a, axis=None, dtype=None, keepdims=False, where=True):
    return g * np.prod(a, axis=axis, keepdims=keepdims, where=where)


defvjp(np.prod, a=_prod_a, initial=_prod_initial)

# ---- Extremes -------------------------------------------------------------------------------------------------------
# Elements that tie share the cotangent. `initial` competes with the result of the others, and ties with that as one.


def _chosen(a, y, axis, where):
    """Where the extreme is, and how many times."""
    chosen = (a == _keep(y, np.shape(a), axis)) & where
    return chosen, np.sum(chosen, axis=axis, keepdims=True)


def _extreme_a(g, a, y, axis=None, keepdims=False, initial=None, where=True):
    chosen, count = _chosen(a, y, axis, where)
    g, y = _keep(g, np.shape(a), axis), _keep(y, np.shape(a), axis)
    if initial is not None:
        g = np.where(y == initial, g / 2, g)
        count = np.where((count == 0) & ((y == initial) | (initial != initial)), 1, count)
    return chosen * (g / count.astype(np.result_type(g)))


def _extreme_initial(g, a, y, initial, axis=None, keepdims=False, where=True):
    _, count = _chosen(a, y, axis, where)
    return np.where(y == initial, np.where(np.reshape(count, np.shape(y)) > 0, g / 2, g), 0)


for extreme in {np.max, np.amax, np.min, np.amin}:
    defvjp(extreme, a=_extreme_a, initial=_extreme_initial)

# ---- Variance and standard deviation --------------------------------------------------------------------------------


def _var_a(g, a, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    """2 g (a - mean) / (n - ddof). That the mean moves with a changes nothing: the deviations from it sum to 0."""
    shape = np.shape(a)
    if mean is None:
        mean = _divided(np.sum(a, axis=axis, keepdims=True, where=where), shape, axis, where)
    per_element = _divided(2 * g, shape, axis, where, ddof if correction is None else correction)
    return _masked(_spread(per_element, shape, axis) * np.conjugate(a - mean), where)


def _var_mean(g, a, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    return -_var_a(g, a, axis, dtype, ddof, keepdims, where, mean, correction)


def _std_a(g, a, y, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    return _var_a(g / (2 * y), a, axis, dtype, ddof, keepdims, where, mean, correction)


def _std_mean(g, a, y, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    return -_std_a(g, a, y, axis, dtype, ddof, keepdims, where, mean, correction)


defvjp(np.var, a=_var_a, mean=_var_mean)
defvjp(np.std, a=_std_a, mean=_std_mean)
