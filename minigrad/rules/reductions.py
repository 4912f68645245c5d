"""Reductions along axes: sums, products, extremes, variances. Also running sums and products, and histograms."""

import math

import numpy as np

from ..conversions import astype, widened
from ..graph import adding_dtype
from ..operands import some
from ..table import C_FUNCTIONS, defvjp
from ..views import getitem


def reduced_axes(axis, ndim):
    """Return the numbers of the reduced axes, none of them negative."""
    if axis is None or ndim == 0:
        return range(ndim)
    return [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]


def _keep(r, shape, axis):
    """Return the result of a reduction with the reduced axes put back, so that it broadcasts with the array."""
    if axis is None or np.ndim(r) == len(shape):
        return r
    reduced = reduced_axes(axis, len(shape))
    return np.reshape(r, tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def _spread(g, shape, axis, where=True):
    """Return the cotangent of an array that was summed: each element that took part gets the `g` of its sum."""
    return _masked(np.broadcast_to(_keep(g, shape, axis), shape), where)


def _masked(g, where):
    return g if where is True else np.where(where, g, 0)


def _divided(g, shape, axis, where, ddof=0):
    """Divide `g` by the number of elements in each result, minus ddof. NumPy uses 0 if this is negative."""
    if where is True:
        n = math.prod(shape if axis is None else [shape[i] for i in reduced_axes(axis, len(shape))]) - ddof
        return _per_element(g, n) if n > 0 else np.divide(g, 0)
    n = np.sum(np.broadcast_to(where, shape), axis=axis, keepdims=True) - ddof
    return _per_element(_keep(g, shape, axis), np.maximum(n, 0))


def _per_element(g, n):
    """Return g / n in the dtype of g. The division is in float32 at least, because float16 has no n above 65,504."""
    wide = widened(g)
    n = n if isinstance(n, (int, float)) else astype(n, np.result_type(wide))
    return wide / n if wide is g else astype(wide / n, np.result_type(g))


def _computed(a, dtype):
    """Return the array in the dtype in which the reduction computes."""
    return a if dtype is None else astype(a, dtype)


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


def others(a, axis, combine=np.multiply):
    """Return, for each element, the product of all others along the axes. There is no division, so zeros do no harm.

    This is the product of the elements before it, times the product of the elements after it. Both are running
    products. They are computed for all elements at once: first products of 1 element, then of up to 2, up to 4, ...
    With ``combine=np.add`` it is the sum of all others, computed without a subtraction.
    """
    reduced = list(reduced_axes(axis, np.ndim(a)))
    last = range(-len(reduced), 0)
    rows = np.moveaxis(a, reduced, last)
    rest = np.ndim(a) - len(reduced)
    flat = np.reshape(rows, (*rows.shape[:rest], math.prod(rows.shape[rest:])))
    ones = np.full(flat.shape, combine.identity, flat.dtype)
    before = np.concatenate([ones[..., :1], flat[..., :-1]], axis=-1)
    after = np.concatenate([flat[..., 1:], ones[..., :1]], axis=-1)
    step = 1
    while step < flat.shape[-1]:
        before = combine(before, np.concatenate([ones[..., :step], before[..., :-step]], axis=-1))
        after = combine(after, np.concatenate([after[..., step:], ones[..., :step]], axis=-1))
        step *= 2
    return np.moveaxis(np.reshape(combine(before, after), rows.shape), last, reduced)


def _prod_a(g, a, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    a = _computed(a, dtype)
    taking_part = a if where is True else np.where(where, a, 1)
    return _spread(g, np.shape(a), axis, where) * (1 if initial is None else initial) * others(taking_part, axis)


def _prod_initial(g, a, axis=None, dtype=None, keepdims=False, where=True):
    return g * np.prod(_computed(a, dtype), axis=axis, keepdims=keepdims, where=where)


defvjp(np.prod, a=_prod_a, initial=_prod_initial)

# ---- Extremes -------------------------------------------------------------------------------------------------------
# Elements that tie share the cotangent equally. If `initial` ties with the extreme of the elements, it gets one half, and
# the elements share the other half.


def _chosen(a, y, axis, where):
    """Return a mask of the elements that equal the extreme, and their number."""
    chosen = (a == _keep(y, np.shape(a), axis)) & where
    return chosen, np.sum(chosen, axis=axis, keepdims=True)


def _extreme_a(g, a, y, axis=None, keepdims=False, initial=None, where=True):
    chosen, count = _chosen(a, y, axis, where)
    g, y = _keep(g, np.shape(a), axis), _keep(y, np.shape(a), axis)
    if initial is not None:
        g = np.where(y == initial, g / 2, g)
        count = np.where((count == 0) & ((y == initial) | (initial != initial)), 1, count)
    return chosen * _per_element(g, count)


def _extreme_initial(g, a, y, initial, axis=None, keepdims=False, where=True):
    _, count = _chosen(a, y, axis, where)
    return np.where(y == initial, np.where(np.reshape(count, np.shape(y)) > 0, g / 2, g), 0)


for extreme in dict.fromkeys((np.max, np.amax, np.min, np.amin)):
    defvjp(extreme, a=_extreme_a, initial=_extreme_initial)

# ---- Variance and standard deviation --------------------------------------------------------------------------------


def _var_a(g, a, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    """2 g (a - mean) / (n - ddof). The mean depends on a, but this adds nothing, as the deviations sum to 0."""
    shape, a, g, mean = np.shape(a), widened(a), widened(g), widened(mean)
    if mean is None:  # NumPy uses the dtype for the mean alone
        mean = _divided(np.sum(widened(_computed(a, dtype)), axis=axis, keepdims=True, where=where), shape, axis, where)
    deviation = np.conjugate(a - mean) if np.iscomplexobj(a) else a - mean
    per_element = _divided(2 * g, shape, axis, where, ddof if correction is None else correction)
    return _masked(_spread(per_element, shape, axis) * deviation, where)


def _define_spread(var, std, var_a):
    """Define the rules of a variance and of its square root, from the VJP of the variance for the elements.

    The VJP for mean= is minus that VJP. The core sums the result over the elements that have a mean in common.
    """

    def var_mean(g, a, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
        return -var_a(g, a, axis, dtype, ddof, keepdims, where, mean, correction)

    def std_a(g, a, y, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
        return var_a(g / (2 * y), a, axis, dtype, ddof, keepdims, where, mean, correction)

    def std_mean(g, a, y, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
        return -std_a(g, a, y, axis, dtype, ddof, keepdims, where, mean, correction)

    defvjp(var, a=var_a, mean=var_mean)
    defvjp(std, a=std_a, mean=std_mean)


_define_spread(np.var, np.std, _var_a)

# ---- Running sums and products --------------------------------------------------------------------------------------


def _from_behind(x, axis):
    return np.flip(np.cumsum(np.flip(x, axis), axis, adding_dtype(np.result_type(x))), axis)


def _cumsum_a(g, a_shape, axis=None, dtype=None):
    return np.reshape(_from_behind(g, 0 if axis is None else axis), a_shape)


def recurrence(b, m):
    """Return the solution x of x[i] = b[i] + m[i] x[i+1] along the first axis. m is shorter than b by one.

    It is solved by doubling: an equation that gives x[i] from x[i + step], applied twice, gives x[i] from
    x[i + 2 * step] (G. E. Blelloch, "Prefix sums and their applications", 1990).
    """
    step = 1
    while step < len(b):
        b = np.concatenate([b[:-step] + m * b[step:], b[-step:]])
        m = m[:-step] * m[step:]
        step *= 2
    return b


def _cumprod_a(g, a, y, axis=None, dtype=None):
    """The product of the elements before a[i], times x[i] = g[i] + a[i+1] x[i+1]."""
    if np.size(a) == 0:
        return np.zeros(np.shape(a), np.result_type(g))
    a = _computed(a, dtype)
    axis = axis if np.ndim(a) else None
    rows, y, g = (np.ravel(x) if axis is None else np.moveaxis(x, axis, 0) for x in (a, y, g))
    before = np.concatenate([np.ones(np.shape(y[:1]), np.result_type(y)), y[:-1]])
    share = before * recurrence(g, rows[1:])
    return np.reshape(share, np.shape(a)) if axis is None else np.moveaxis(share, 0, axis)


def _without_initial(g, axis, include_initial):
    return np.moveaxis(np.moveaxis(g, axis or 0, 0)[1:], 0, axis or 0) if include_initial else g


def _cumulative_sum_x(g, x_shape, axis=None, dtype=None, include_initial=False):
    return _cumsum_a(_without_initial(g, axis, include_initial), x_shape, axis)


def _cumulative_prod_x(g, x, y, axis=None, dtype=None, include_initial=False):
    g, y = (_without_initial(part, axis, include_initial) for part in (g, y))
    return _cumprod_a(g, x, y, axis, dtype)


defvjp(np.cumsum,  a=_cumsum_a)
defvjp(np.cumprod, a=_cumprod_a)
if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    defvjp(np.cumulative_sum,  x=_cumulative_sum_x)
    defvjp(np.cumulative_prod, x=_cumulative_prod_x)

# ---- Functions that leave NaN out -----------------------------------------------------------------------------------
# NaN does not take part, and its cotangent is 0. 0 * NaN is NaN, so NaN is replaced before it is multiplied.


def _without_nan(a, number):
    missing = np.isnan(a)
    return np.where(missing, number, a) if some(missing) else a


def _nansum_a(g, a, axis=None, dtype=None, keepdims=False, initial=0, where=True):
    return _spread(g, np.shape(a), axis, ~np.isnan(a) & where)


def _nanmean_a(g, a, axis=None, dtype=None, keepdims=False, where=True):
    return _mean_a(g, np.shape(a), axis, dtype, keepdims, ~np.isnan(a) & where)


def _nanprod_a(g, a, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    return _masked(_prod_a(g, _without_nan(a, 1), axis, dtype, keepdims, initial, where), ~np.isnan(a))


def _nanprod_initial(g, a, axis=None, dtype=None, keepdims=False, where=True):
    return _prod_initial(g, _without_nan(a, 1), axis, dtype, keepdims, where)


def _nanextreme_a(g, a, y, axis=None, keepdims=False, initial=None, where=True):
    here = ~np.isnan(a) & where
    return _masked(_extreme_a(g, a, y, axis, keepdims, initial, here), here)


def _nanextreme_initial(g, a, y, initial, axis=None, keepdims=False, where=True):
    return _extreme_initial(g, a, y, initial, axis, keepdims, ~np.isnan(a) & where)


def _nanvar_a(g, a, axis=None, dtype=None, ddof=0, keepdims=False, where=True, mean=None, correction=None):
    """If there are too few elements, the variance is NaN. Then the cotangent is 0."""
    here = np.broadcast_to(~np.isnan(a) & where, np.shape(a))
    enough = np.sum(here, axis=axis, keepdims=True) > (ddof if correction is None else correction)
    if mean is not None and not np.iscomplexobj(a):
        mean = np.real(mean)
    share = _var_a(g, _without_nan(a, 0), axis, dtype, ddof, keepdims, here & enough, mean, correction)
    return _masked(share, here & enough)


def _nancumsum_a(g, a, axis=None, dtype=None):
    return _masked(_cumsum_a(g, np.shape(a), axis), ~np.isnan(a))


def _nancumprod_a(g, a, y, axis=None, dtype=None):
    return _masked(_cumprod_a(g, _without_nan(a, 1), y, axis, dtype), ~np.isnan(a))


defvjp(np.nansum,     a=_nansum_a,     initial=_sum_initial)
defvjp(np.nanmean,    a=_nanmean_a)
defvjp(np.nanprod,    a=_nanprod_a,    initial=_nanprod_initial)
defvjp(np.nanmax,     a=_nanextreme_a, initial=_nanextreme_initial)
defvjp(np.nanmin,     a=_nanextreme_a, initial=_nanextreme_initial)
defvjp(np.nancumsum,  a=_nancumsum_a)
defvjp(np.nancumprod, a=_nancumprod_a)
_define_spread(np.nanvar, np.nanstd, _nanvar_a)

# ---- Range ----------------------------------------------------------------------------------------------------------


def _ptp_a(g, a, axis=None, keepdims=False):
    highest, lowest = np.max(a, axis=axis, keepdims=True), np.min(a, axis=axis, keepdims=True)
    return _extreme_a(g, a, highest, axis) - _extreme_a(g, a, lowest, axis)


defvjp(np.ptp, a=_ptp_a)

# ---- Histograms -----------------------------------------------------------------------------------------------------
# A small change of an element does not move it into another bin. But the edges depend on the least and the greatest
# element.

# Before NumPy 2.4, `inspect.signature` fails for bincount.
C_FUNCTIONS.update(bincount=lambda x, /, weights=None, minlength=0: ...)


def _edges(g, a, bins, range):
    """Return the cotangents of a, of the bins and of the range, for the cotangent `g` of the edges."""
    dtype = np.result_type(g)
    a_share, no_share, range_share = np.zeros(np.shape(a), dtype), np.zeros((), dtype), np.zeros(2, dtype)
    if np.ndim(bins) == 1:
        return a_share, g, range_share
    g = widened(g)
    t = np.linspace(0, 1, np.size(g), dtype=np.result_type(g))
    first, last = np.sum(g * (1 - t)), np.sum(g * t)
    if range is not None:
        range_share = np.stack([first, last])
    elif np.size(a) > 0:
        a_share = _extreme_a(first, a, np.min(a)) + _extreme_a(last, a, np.max(a))
    return a_share, no_share, range_share


def _histogram(g, a, y, bins, range, density, weights):
    """Return the cotangents of a, of the bins, of the range, and of the weights."""
    (g_values, g_edges), (values, edges) = g, y
    a, end = np.ravel(a), np.size(edges) - 1
    bin = np.where(np.searchsorted(edges, a, "left") == end, end, np.searchsorted(edges, a, "right")) - 1
    inside = (bin >= 0) & (bin < end)
    bin = np.where(inside, bin, 0)
    if density:  # the values were divided by their sum, and by the lengths of the bins
        total = np.sum(inside) if weights is None else np.sum(widened(np.ravel(weights)), where=inside)
        lengths, g_values = np.diff(edges), widened(g_values)
        g_lengths = np.real(-g_values * values / lengths)
        zero = np.zeros_like(g_lengths[:1])
        g_edges = g_edges + np.concatenate([zero, g_lengths]) - np.concatenate([g_lengths, zero])
        g_values = g_values / lengths / total - np.sum(g_values * values) / total
    a_share, bins_share, range_share = _edges(g_edges, a, bins, range)
    return a_share, bins_share, range_share, np.where(inside, getitem(g_values, bin), 0)


def _histogram_a(g, a, y, bins=10, range=None, density=None, weights=None):
    return np.reshape(_histogram(g, a, y, bins, range, density, weights)[0], np.shape(a))


def _histogram_bins(g, a, y, bins, range=None, density=None, weights=None):
    return _histogram(g, a, y, bins, range, density, weights)[1]


def _histogram_range(g, a, y, range, bins=10, density=None, weights=None):
    return _histogram(g, a, y, bins, range, density, weights)[2]


def _histogram_weights(g, a, y, weights, bins=10, range=None, density=None):
    return np.reshape(_histogram(g, a, y, bins, range, density, weights)[3], np.shape(weights))


defvjp(np.histogram, a=_histogram_a, bins=_histogram_bins, range=_histogram_range, weights=_histogram_weights)
defvjp(np.histogram_bin_edges,
       a=lambda g, a, bins=10, range=None: _edges(g, a, bins, range)[0],
       bins=lambda g, a, bins, range=None: _edges(g, a, bins, range)[1],
       range=lambda g, a, range, bins=10: _edges(g, a, bins, range)[2],
       weights=None)
defvjp(np.bincount, weights=lambda g, x, minlength=0: np.take(g, x))
