"""Functions whose derivatives follow from a program of other functions.

There are two ways to use such a program:

- A *composition* replaces the function. A call on Tensors runs the program instead, and the program is recorded.
- A *stand-in* replaces the function only in the backward pass. In the forward pass NumPy computes the value, and one
  node is recorded. In the backward pass the stand-in runs on the same arguments, and is differentiated.

A composition has to return exactly what NumPy returns. A stand-in need not, because its result is thrown away.
"""

import inspect
from functools import cached_property

import numpy as np

from .. import graph, operands, tensor
from ..conversions import astype, widened
from ..table import defcomposition, defconstant, defvjp, primitive

# ---- Stand-ins ------------------------------------------------------------------------------------------------------


def through(fun, x, g):
    """Return the cotangent of x for the cotangent `g` of ``fun(x)``. Both x and the result may be lists of arrays.

    The function runs here, at a level of its own.
    """
    several = isinstance(x, (list, tuple))
    level = tensor.GradLevel()
    given = [tensor.Tensor(value, graph.Node(value), level) if _is_inexact(value) else value for value in (x if several else [x])]
    try:
        y = fun(given if several else given[0])
        if tensor.top_level(y) is not level:
            found = {}
        elif isinstance(y, (list, tuple)):
            y = [0.0 if unused(one) else value for value, one in zip(y, g)]
            found = graph.backward(level.node_of(y), list(g))
        else:
            found = graph.backward(y.node, graph.fit(g, y.node))
    finally:
        level.close()
    shares = [found.get(t.node, _zeros(t)) if isinstance(t, tensor.Tensor) else None for t in given]
    return shares if several else shares[0]


def _is_inexact(value):
    return np.result_type(value).kind in "fc"


def _zeros(leaf):
    return np.zeros(leaf.shape, leaf.dtype) if leaf.shape else 0.0


def unused(g):
    """Whether a cotangent is a plain array of zeros. Then the program did not use that result.

    A Tensor never counts as unused: its value is zero only at the present point, and its derivative may not be zero.
    """
    return type(g) is np.ndarray and not g.any()


class StandIn:
    """The VJP of one argument of a function. It differentiates a stand-in, which takes the same arguments.

    The signature tells the table what the VJP needs. Its residuals are that argument, and the arguments without a
    default. The other arguments are keywords.
    """

    def __init__(self, fun, name):
        self.fun = fun
        self.name = name

    @cached_property
    def __signature__(self):
        given = inspect.signature(self.fun).parameters.values()
        kept = [p.replace(default=p.empty) for p in given if p.default is p.empty or p.name == self.name]
        keywords = [p for p in given if p.default is not p.empty and p.name != self.name]
        g = inspect.Parameter("g", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return inspect.Signature([g, *kept, *keywords])

    def __call__(self, g, *residuals, **keywords):
        arguments = _widened(dict(zip(list(self.__signature__.parameters)[1:], residuals)) | keywords)
        return through(lambda x: self.fun(**{**arguments, self.name: x}), arguments[self.name], g)


def _widened(value):
    """Return the arguments of a stand-in, in float32 instead of float16."""
    return widened(operands.within(value, _widened))


def defstandin(fun, standin, *names):
    """Define the derivatives of a function, for the arguments that are named, as the derivatives of a stand-in."""
    defvjp(fun, **{name: StandIn(standin, name) for name in names})


# ---- Compositions ---------------------------------------------------------------------------------------------------
# A composition sometimes needs an answer that has no derivative, such as the bin that a number is in. It calls NumPy's
# function through `looked_up`.


@primitive
def looked_up(fun, *args, **kwargs):
    """Call a function, and treat the result as a constant."""
    return fun(*args, **kwargs)


defconstant(looked_up)

# ---- Functions that call a function of the user ---------------------------------------------------------------------


def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """Call the function with each row, and put the result in the place of the row."""
    rows = np.moveaxis(arr, axis, -1)
    shape = np.shape(rows)[:-1]
    if 0 in shape:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")  # NumPy's error
    results = [stacked(func1d(rows[index], *args, **kwargs)) for index in np.ndindex(shape)]
    joined, dtype = np.stack(results), np.result_type(results[0])
    if np.result_type(joined) != dtype:  # NumPy takes the dtype of the first result
        joined = astype(joined, dtype)
    joined = np.reshape(joined, shape + np.shape(results[0]))
    first, last, axis = len(shape), np.ndim(joined), axis % np.ndim(arr)
    return np.moveaxis(joined, range(first, last), range(axis, axis + last - first))


def stacked(value):
    """Return one array for nested lists of numbers and Tensors. Any other value is returned as it is."""
    return np.stack([stacked(member) for member in value]) if isinstance(value, (list, tuple)) else value


def apply_over_axes(func, a, axes):
    """Call the function for one axis after the other. If it removes the axis, put the axis back with length 1."""
    for axis in np.atleast_1d(axes).tolist():
        axis = axis + np.ndim(a) if axis < 0 else axis
        result = func(a, axis)
        if np.ndim(result) != np.ndim(a):
            result = np.expand_dims(result, axis)
            if np.ndim(result) != np.ndim(a):
                raise ValueError("function is not returning an array of the correct shape")
        a = result
    return a


# ---- Histograms in several dimensions -------------------------------------------------------------------------------
# A small change of a point does not move it into another bin. So the counts have no derivative with respect to the
# points. The weights have one. So do the edges: they depend on the range, or on the least and the greatest coordinates.


def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    """Return the sum of the weights in each bin, and the edges of the bins along each axis."""
    sample = np.transpose(stacked(sample)) if isinstance(sample, (list, tuple)) else sample
    sample = sample if np.ndim(sample) > 1 else np.reshape(sample, (-1, 1))
    # This call checks the arguments. It also finds how many edges there are, and where, if they are constants.
    _, plain_edges = looked_up(np.histogramdd, sample, bins, range)
    columns = [sample[:, i] for i in np.arange(len(plain_edges))]
    bins = bins if _several(bins) else [bins] * len(columns)
    ranges = [None] * len(columns) if range is None else range
    edges = [_edges(*given) for given in zip(columns, bins, ranges, plain_edges)]

    place = tuple(looked_up(_bin, column, one) for column, one in zip(columns, edges))
    lengths = [np.size(one) + 1 for one in edges]  # one more bin on each side, for the points outside
    values = np.bincount(np.ravel_multi_index(place, lengths), weights, int(np.prod(lengths)))
    values = np.reshape(values, lengths)[(slice(1, -1),) * len(lengths)]
    values = astype(values, float) if weights is None else values
    if density:
        total = np.sum(values)
        for i, one in enumerate(edges):
            values = values / np.reshape(np.diff(one), [-1 if i == k else 1 for k in np.arange(len(edges))])
        values = values / total
    return values, edges if isinstance(plain_edges, list) else tuple(edges)


def _several(bins):
    return isinstance(bins, (list, tuple)) or np.ndim(bins) > 0


def _edges(column, bins, limits, plain_edges):
    if _several(bins):
        return stacked(bins)
    if limits is None and np.size(column) == 0:
        return plain_edges
    low, high = (np.min(column), np.max(column)) if limits is None else limits
    if operands.some(low == high):
        low, high = np.where(low == high, low - 0.5, low), np.where(low == high, high + 0.5, high)
    return np.linspace(low, high, np.size(plain_edges))


def _bin(column, edges):
    """Return the number of the bin, counted from 1. A point on the last edge belongs to the last bin."""
    return np.searchsorted(edges, column, "right") - (column == edges[-1])


def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    """Do the same for points in the plane."""
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    both = _several(bins) and len(bins) not in (1, 2)
    values, (x_edges, y_edges) = histogramdd([x, y], [bins, bins] if both else bins, range, density, weights)
    return values, x_edges, y_edges


# ---- Sets -----------------------------------------------------------------------------------------------------------


def union1d(ar1, ar2):
    """Return the numbers that are in at least one of the arrays."""
    return np.unique(np.concatenate([ar1, ar2], axis=None))


def setdiff1d(ar1, ar2, assume_unique=False):
    """Return the numbers that are in the first array, and not in the second."""
    ar1 = np.ravel(ar1) if assume_unique else np.unique(ar1)
    return ar1[np.isin(ar1, ar2, invert=True)]


def setxor1d(ar1, ar2, assume_unique=False):
    """Return the numbers that are in exactly one of the arrays."""
    return np.sort(np.concatenate([setdiff1d(ar1, ar2, assume_unique), setdiff1d(ar2, ar1, assume_unique)]))


# ---- Functions that return complex numbers where there is no real result --------------------------------------------


def _opened(x, outside):
    """Return x. It becomes complex if one of its numbers is outside of the real domain of the function."""
    x = stacked(x)
    dtype = np.result_type(x)
    return astype(x, np.result_type(dtype, np.complex64)) if dtype.kind != "c" and np.any(outside(x)) else x


def _below_zero(x):
    return np.less(x, 0)


def _beyond_one(x):
    return np.greater(x, 1) | np.less(x, -1)


def _extended(fun, outside):
    return lambda x: fun(_opened(x, outside))


def _power(x, p):
    p = stacked(p)
    negative = np.result_type(p).kind in "iu" and np.any(np.less(p, 0))
    return np.power(_opened(x, _below_zero), p * 1.0 if negative else p)


defcomposition(np.apply_along_axis, apply_along_axis)
defcomposition(np.apply_over_axes, apply_over_axes)
defcomposition(np.histogram2d, histogram2d)
defcomposition(np.histogramdd, histogramdd)
defcomposition(np.union1d, union1d)
defcomposition(np.setdiff1d, setdiff1d)
defcomposition(np.setxor1d, setxor1d)
for _name in "sqrt log log2 log10".split():
    defcomposition(getattr(np.emath, _name), _extended(getattr(np, _name), _below_zero))
for _name in "arccos arcsin arctanh".split():
    defcomposition(getattr(np.emath, _name), _extended(getattr(np, _name), _beyond_one))
defcomposition(np.emath.logn, lambda n, x: np.log(_opened(x, _below_zero)) / np.log(_opened(n, _below_zero)))
defcomposition(np.emath.power, _power)
