"""Functions that select elements by number, by mask or by condition, such as `take`, `compress` and `choose`."""

import numpy as np

from ..conversions import astype
from ..table import defcomposition, defvjp, sequence
from .composition import stacked
from .indexing import replace, scatter
from .shaping import length, put_back

# ---- Elements of one array ------------------------------------------------------------------------------------------


def _in_bounds(indices, n, mode):
    """Return the indices with those that are out of bounds replaced, as the mode says."""
    if mode == "wrap":
        return np.mod(indices, n)
    return np.clip(indices, 0, n - 1) if mode == "clip" else np.asarray(indices)


def _take_a(g, a_shape, indices, axis=None, mode="raise"):
    return put_back(g, _in_bounds(indices, length(a_shape, axis), mode), a_shape, axis)


def _take_along_axis_arr(g, arr_shape, indices, axis=-1):
    if axis is None:
        return put_back(g, indices, arr_shape)
    index = list(np.ogrid[tuple(slice(n) for n in arr_shape)])
    index[axis] = indices
    return scatter([g], [tuple(index)], arr_shape)


def _compress_a(g, a_shape, condition, axis=None):
    return put_back(g, np.flatnonzero(condition), a_shape, axis)


defvjp(np.take,            a=_take_a)
defvjp(np.take_along_axis, arr=_take_along_axis_arr)
defvjp(np.compress,        condition=None, a=_compress_a)
defvjp(np.extract,         condition=None, arr=lambda g, condition, arr_shape: _compress_a(g, arr_shape, condition))

# ---- One of several arrays, element by element ----------------------------------------------------------------------


@sequence
def _choose_choices(g, a, choices_shape, mode="raise"):
    a = _in_bounds(a, len(choices_shape), mode)
    return [np.where(a == i, g, 0) for i in range(len(choices_shape))]


@sequence
def _select_choicelist(g, condlist):
    """The first condition that holds decides."""
    shares = []
    for condition in condlist:
        shares.append(np.where(condition, g, 0))
        g = np.where(condition, 0, g)
    return shares


def _select_default(g, condlist):
    for condition in condlist:
        g = np.where(condition, 0, g)
    return g


defvjp(np.choose, choices=_choose_choices)
defvjp(np.select, choicelist=_select_choicelist, default=_select_default)


def piecewise(x, condlist, funclist, *args, **kw):
    """Call each function with the elements for which its condition holds, as `numpy.piecewise` does.

    All functions are called now. A function that is called again in the backward pass may return something else by then.
    """
    conditions = np.asarray(stacked(condlist), bool)
    if conditions.ndim == 0 or conditions.ndim == 1 and np.ndim(x) > 0:
        conditions = conditions[None]
    if len(conditions) == len(funclist) - 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    if len(conditions) != len(funclist):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")  # NumPy's error
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist):
        part = x[condition]
        if not callable(function):
            y = replace(y, condition, function)
        elif np.size(part):
            y = replace(y, condition, astype(function(part, *args, **kw), y.dtype))
    return y


defcomposition(np.piecewise, piecewise)
