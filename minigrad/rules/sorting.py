"""Functions that sort elements, and functions that select elements by rank: `sort`, `unique`, quantiles."""

import numpy as np

from ..conversions import astype
from ..graph import describe
from ..table import defconstant, defvjp
from .indexing import scatter
from .reductions import reduced_axes
from .shaping import put_back

# Equal elements keep the order that they have in the array.


def _order(a, axis=-1):
    return np.argsort(a, axis=axis, kind="stable")


# ---- Sorting --------------------------------------------------------------------------------------------------------


def _sort_a(g, a, axis=-1, kind=None, order=None, stable=None):
    """Put the cotangents back to where the elements came from."""
    if axis is None:
        return np.reshape(_sort_a(g, np.ravel(a)), np.shape(a))
    return np.take_along_axis(g, np.argsort(_order(a, axis), axis=axis), axis)


def _partition_a(g, a, y, kth, axis=-1, kind="introselect", order=None):
    """The order of the elements in y is arbitrary. Sorting `g` as y is sorted makes it a cotangent of np.sort."""
    along_axis = -1 if axis is None else axis
    return _sort_a(np.take_along_axis(g, _order(y, along_axis), along_axis), a, axis)


def _unique_ar(
    g, ar, y, axis=None, return_index=False, return_inverse=False, return_counts=False, equal_nan=True, sorted=True
):
    g, y = (g[0], y[0]) if isinstance(y, tuple) else (g, y)
    _, first = np.unique(ar, return_index=True, axis=axis, equal_nan=equal_nan)
    return put_back(g if sorted or axis is not None else g[_order(y)], first, np.shape(ar), axis)


def _unique_values_x(g, x, y):
    """NumPy returns the values in any order, so they are sorted first."""
    g, y = (g[0], y[0]) if isinstance(y, tuple) else (g, y)
    _, first = np.unique(x, return_index=True, equal_nan=False)
    return put_back(g[_order(y)], first, np.shape(x))


defvjp(np.sort,         a=_sort_a)
defvjp(np.partition,    a=_partition_a)
defvjp(np.sort_complex, a=lambda g, a: _sort_a(g, a))
defvjp(np.unique,       ar=_unique_ar)
for unique in (np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all):
    defvjp(unique, x=_unique_values_x)

# ---- Quantiles ------------------------------------------------------------------------------------------------------
# A quantile is an element of the array, or it lies between two elements that are neighbours in the sorted array. Which two?
# To find out, replace each element by its rank, 0, 1, 2, ..., and let NumPy compute the same quantile of the ranks. If the
# answer is 3.2, the neighbours have the ranks 3 and 4, with the weights 0.8 and 0.2.


def _rows(a, axis):
    """Join the axes that a quantile is taken along into one axis, which is the last."""
    reduced = list(reduced_axes(axis, np.ndim(a)))
    a = np.moveaxis(a, reduced, range(-len(reduced), 0))
    return np.reshape(a, (*np.shape(a)[:np.ndim(a) - len(reduced)], -1))


def _from_rows(rows, shape, axis):
    reduced = list(reduced_axes(axis, len(shape)))
    rest = [n for i, n in enumerate(shape) if i not in reduced]
    return np.moveaxis(np.reshape(rows, (*rest, *[shape[i] for i in reduced])), range(-len(reduced), 0), reduced)


def _neighbours(quantile, skip_nan, a, axis, dtype=np.float16):
    """Return two indices in the rows of a: of the lower and of the upper neighbour. Return the weight of the upper one,
    and whether there is a quantile at all.

    `quantile` is a function of an array of ranks in the shape of a. The ranks have the precision of a, or more digits if
    `dtype` has more.
    """
    rows = _rows(a, axis)
    *shape, n = np.shape(rows)
    dtype = np.real(np.zeros(0, np.result_type(rows, dtype))).dtype
    if n > 2 ** (np.finfo(dtype).nmant + 1):
        raise NotImplementedError(f"a quantile of {n} numbers has no derivative in {dtype}; take it of x.astype(float)")
    order, missing = _order(rows), np.isnan(rows)
    none = np.all(missing, axis=-1) if skip_nan else np.any(missing, axis=-1)
    places = np.argsort(order, axis=-1).astype(dtype)
    if skip_nan:
        places = np.where(missing & ~none[..., None], np.nan, places).astype(dtype)
    place = quantile(_from_rows(places, np.shape(a), axis))
    grid = np.ix_(*map(np.arange, shape))
    at = [(*grid, order[(*grid, end(place).astype(int))]) for end in (np.floor, np.ceil)]
    return *at, place - np.floor(place), ~none


def _shared(g, a, axis, low, high, way, some):
    """Return the cotangent of a. The neighbours share `g` by their weights."""
    g = np.where(some, np.reshape(g, np.shape(way)), 0)
    return _from_rows(scatter([g * (1 - way), g * way], [low, high], np.shape(_rows(a, axis))), np.shape(a), axis)


# If q changes, the rank of the quantile of n elements changes by n + 1 - alpha - beta times as much. The table holds
# 1 - alpha - beta (R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50,
# 1996). For the other methods the quantile is piecewise constant in q.
_SLOPES = {
    "linear": -1,
    "interpolated_inverted_cdf": 0,
    "hazen": 0,
    "weibull": 1,
    "median_unbiased": 1 / 3,
    "normal_unbiased": 1 / 4,
}


def _define(fun, skip_nan, whole):
    """Define the rules of a function of a and q. q goes from 0 to `whole`, which is 1, or 100 for percentiles."""

    def find(a, q, axis, method, weights):
        if skip_nan and np.ndim(q) > 1 and np.ndim(axis) == 1 and len(axis) != 1:
            raise NotImplementedError(f"np.{fun.__name__} mixes up the axes of the result, if there are several in q and in axis=")
        if describe(q)[1] in (float, int) and np.result_type(a).kind == "f":
            q = astype(q, np.result_type(a))  # as NumPy does
        given = {} if weights is None else {"weights": weights}
        return _neighbours(lambda places: fun(places, q, axis=axis, method=method, **given), skip_nan, a, axis)

    def of_a(g, a, q, axis=None, method="linear", keepdims=False, weights=None):
        if np.size(a) == 0:
            return np.zeros(np.shape(a), np.result_type(g))
        return _shared(g, a, axis, *find(a, q, axis, method, weights))

    def of_q(g, a, q, axis=None, method="linear", keepdims=False, weights=None):
        if method not in _SLOPES or np.size(a) == 0:
            return np.zeros(np.shape(q), np.result_type(g))
        low, high, way, some = find(a, q, axis, method, weights)
        rows = _rows(a, axis)
        n = np.sum(~np.isnan(rows), axis=-1) if skip_nan else np.shape(rows)[-1]
        distance = np.where(some, rows[high] - rows[low], 0)
        slope = np.reshape(g, np.shape(way)) * distance * astype((n + _SLOPES[method]) / whole, np.result_type(g))
        return np.sum(slope, axis=tuple(range(np.ndim(q), np.ndim(slope))))

    defvjp(fun, a=of_a, q=of_q, weights=None)


def _define_median(fun, skip_nan):
    def of_a(g, a, axis=None, keepdims=False):
        if np.size(a) == 0:
            return np.zeros(np.shape(a), np.result_type(g))
        return _shared(g, a, axis, *_neighbours(lambda places: fun(places, axis=axis), skip_nan, a, axis, np.float32))

    defvjp(fun, a=of_a)


_define(np.quantile,      skip_nan=False, whole=1)
_define(np.percentile,    skip_nan=False, whole=100)
_define(np.nanquantile,   skip_nan=True,  whole=1)
_define(np.nanpercentile, skip_nan=True,  whole=100)
_define_median(np.median,    skip_nan=False)
_define_median(np.nanmedian, skip_nan=True)

# ---- Indices --------------------------------------------------------------------------------------------------------

defconstant(np.argpartition, np.lexsort, np.searchsorted, np.digitize, np.nanargmax, np.nanargmin, np.isin)
if hasattr(np, "in1d"):  # up to NumPy 2.3, an older name of isin
    defconstant(np.in1d)
