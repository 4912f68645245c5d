"""The methods of ufuncs: ``np.hypot.reduce``, ``np.maximum.accumulate``, ``np.multiply.outer``, ``np.add.reduceat``.

If a NumPy function does the same (`np.sum` does what `np.add.reduce` does), it is called instead, and its rules are used.
Otherwise the derivative follows from the chain rule: the method calls the ufunc once for each element, and the rules of
the ufunc give the slopes of each of these calls.
"""

import math
from functools import partial
from typing import Any, Callable

import numpy as np

from .. import operands
from ..conversions import astype
from ..operands import some
from ..graph import describe
from ..table import defconstant, defvjp, primitive, rule_of, ufunc_methods
from .composition import looked_up
from .indexing import scatter
from .reductions import recurrence, reduced_axes


def of_method(ufunc: np.ufunc, method: str) -> Callable[..., Any]:
    """Return a function that does what the method of the ufunc does, and takes the same arguments.

    Raises
    ------
    NotImplementedError
        If the method has no derivative.
    """
    if rule_of(ufunc).constant:
        function: Callable = partial(constant, ufunc, method)
    elif ufunc.nin == 2 and rule_of(ufunc).vjps and method in _METHODS:
        function = _FUNCTIONS.get((ufunc, method)) or partial(_METHODS[method], ufunc)
    else:
        raise NotImplementedError(f"np.{ufunc.__name__}.{method} has no derivative rule")

    def call(*inputs: Any, **kwargs: Any) -> Any:
        # NumPy passes some arguments that are given by name twice: once by position, and once by name.
        again = ("array", "indices")[:len(inputs)]
        given = {name: value for name, value in kwargs.items() if name not in again and (name == "axis" or value is not None)}
        return function(*inputs, **given)

    return call


@primitive
def constant(ufunc, method, *args, **kwargs):
    """Call a method of a ufunc that is piecewise constant."""
    return getattr(ufunc, method)(*args, **kwargs)


defconstant(constant)

# ---- The methods of any ufunc of two arguments ----------------------------------------------------------------------


def outer(ufunc, a, b, /, **kwargs):
    """Call the ufunc for each element of a with each element of b. Here NumPy makes arrays of Python's numbers."""
    a, b = map(_as_array, operands.admitted((a, b)))
    return ufunc(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b, **kwargs)


def _as_array(x):
    if isinstance(x, (list, tuple)):
        return np.asarray(x)
    return astype(x, np.result_type(x)) if isinstance(describe(x)[1], type) else x


@primitive
def accumulate(ufunc, array, axis=0, dtype=None, out=None):
    """Call the ufunc for each element. The first argument is the result for the elements before."""
    return ufunc.accumulate(array, axis, dtype, out)


@primitive
def reduce(ufunc, array, axis=0, dtype=None, out=None, keepdims=False, initial=np._NoValue, where=True):
    """Return the last result of `accumulate`."""
    y = ufunc.reduce(array, axis, dtype, out, keepdims, initial, where)
    return _last(ufunc, _rows(array, axis, initial), y) if ufunc in _LEAVE_ELEMENTS_OUT else y


@primitive
def reduceat(ufunc, array, indices, axis=0, dtype=None, out=None):
    """Call `reduce` for the part from each index to the next. If the next is not greater, the part is one element."""
    y = ufunc.reduceat(array, indices, axis, dtype, out)
    if ufunc in _LEAVE_ELEMENTS_OUT and y.size:
        rows, results = np.moveaxis(array, axis, 0), np.moveaxis(y, axis, 0)
        for parts, elements in _parts(indices, len(rows)):
            results[parts] = _last(ufunc, rows[elements], results[parts])
    return y


# On some processors NumPy leaves out elements when it reduces with these ufuncs, but not when it accumulates. So the value
# is taken from `accumulate`. NumPy's own method is called too: it checks the arguments, and has the right shape and dtype.
_LEAVE_ELEMENTS_OUT = {np.power, np.arctan2}


def _last(ufunc, rows, like):
    """Return the last result of `accumulate`, in the form of `like`, which is the result of `reduce`."""
    return np.reshape(ufunc.accumulate(rows)[-1], np.shape(like))[()] if len(rows) else like


def _has_initial(initial):
    return initial is not np._NoValue and initial is not None


def _rows(array, axis, initial):
    """Join the reduced axes into one, and make it the first. If there is an initial value, it comes before the elements."""
    reduced = list(reduced_axes(axis, np.ndim(array)))
    rows = np.moveaxis(array, reduced, range(len(reduced)))
    rest = np.shape(rows)[len(reduced):]
    rows = np.reshape(rows, (math.prod(np.shape(rows)[:len(reduced)]), *rest))
    if not _has_initial(initial):
        return rows
    return np.concatenate([np.broadcast_to(initial, (1, *rest)).astype(np.result_type(array)), rows])


def _parts(indices, n):
    """Put parts of the same length together. Return the numbers of these parts, and of their elements: a column for each part."""
    starts = np.asarray(indices)
    lengths = np.maximum(np.diff(starts, append=n), 1)
    for length in np.unique(lengths):
        parts = np.flatnonzero(lengths == length)
        yield parts, starts[parts] + np.arange(length)[:, None]


def _slope(ufunc, name, a, b, y):
    """Return the derivative of y = ufunc(a, b) with respect to one argument, element by element."""
    vjp = rule_of(ufunc).vjps[name]
    before, after = rule_of(ufunc).vjps
    known = {before: a, after: b, "y": y}
    return np.zeros_like(y) if vjp is None else vjp.fun(np.ones_like(y), *(known[name] for name in vjp.residuals))


def _accumulate_rows(g, ufunc, rows, y):
    """Return the cotangent of the rows. A row affects its own result, and through it all later results."""
    if len(rows) == 0:
        return np.zeros(np.shape(rows), np.result_type(g))
    before, after = rule_of(ufunc).vjps
    late = recurrence(g, _slope(ufunc, before, y[:-1], rows[1:], y[1:]))
    return np.concatenate([late[:1], late[1:] * _slope(ufunc, after, y[:-1], rows[1:], y[1:])])


def _accumulate_array(g, ufunc, array, y, axis=0):
    g, rows, y = (np.moveaxis(x, axis, 0) for x in (g, array, y))
    return np.moveaxis(_accumulate_rows(g, ufunc, rows, y), 0, axis)


# The derivative of a logarithm of a sum of exponentials is known without the intermediate results. It is used because the
# chain rule gives NaN if a number is -inf.
_EXPONENTIALS = {np.logaddexp: np.exp, np.logaddexp2: np.exp2}


def _shares(rows, exp):
    """Return the share that each exponential has in their sum. If numbers are inf, each of them has the share 1."""
    largest = looked_up(np.max, rows, axis=0)
    parts = exp(rows - np.where(largest == np.inf, 0, largest))
    shares = parts / np.sum(parts, axis=0)
    return np.where(largest == np.inf, rows == np.inf, shares) if some(looked_up(np.isinf, largest)) else shares


def _reduce(g, ufunc, array, axis, initial):
    """Return the cotangents of the elements in the form of `_rows`. If there is an initial value, it comes first."""
    rows = _rows(array, axis, initial)
    if len(rows) == 0:
        return rows
    g = np.reshape(g, (1, *np.shape(rows)[1:]))
    if ufunc in _EXPONENTIALS:
        return g * _shares(rows, _EXPONENTIALS[ufunc])
    g = np.concatenate([np.zeros(np.shape(rows[1:]), np.result_type(g)), g])
    return _accumulate_rows(g, ufunc, rows, accumulate(ufunc, rows))


def _reduce_array(g, ufunc, array, axis=0, keepdims=False, initial=np._NoValue):
    rows = _reduce(g, ufunc, array, axis, initial)[1 if _has_initial(initial) else 0:]
    shape, reduced = np.shape(array), list(reduced_axes(axis, np.ndim(array)))
    rows = np.reshape(rows, [*(shape[i] for i in reduced), *np.shape(rows)[1:]])
    return np.moveaxis(rows, range(len(reduced)), reduced)


def _reduce_initial(g, ufunc, array, initial, axis=0, keepdims=False):
    return _reduce(g, ufunc, array, axis, initial)[0]


def _reduceat_array(g, ufunc, array, indices, axis=0):
    g, rows = np.moveaxis(g, axis, 0), np.moveaxis(array, axis, 0)
    if np.size(g) == 0:
        return np.zeros(np.shape(array), np.result_type(g))
    parts, elements = zip(*_parts(indices, len(rows)))
    shares = [_reduce_array(g[one], ufunc, rows[other]) for one, other in zip(parts, elements)]
    return np.moveaxis(scatter(shares, list(elements), np.shape(rows)), 0, axis)


defvjp(accumulate, array=_accumulate_array)
defvjp(reduce,     array=_reduce_array, initial=_reduce_initial)
defvjp(reduceat,   array=_reduceat_array)

_METHODS: dict[str, Callable] = {"outer": outer, "accumulate": accumulate, "reduce": reduce, "reduceat": reduceat}

# ---- Methods for which NumPy has another function -------------------------------------------------------------------


def _over_first_axis(function):
    """Return a reduction whose default is the first axis, as in ``reduce``."""

    def reduce(array, axis=0, dtype=None, out=None, keepdims=False, initial=np._NoValue, where=True):
        options = {"dtype": dtype, "out": out, "initial": initial, "where": where}
        defaults = {"dtype": None, "out": None, "initial": np._NoValue, "where": True}
        given = {name: value for name, value in options.items() if value is not defaults[name]}
        return function(array, axis=axis, keepdims=keepdims, **given)

    return reduce


def _with_dtype(function):
    """Return a reduction that takes dtype=, from one that does not."""
    return lambda array, dtype=None, **options: function(array if dtype is None else astype(array, dtype), **options)


_FUNCTIONS: dict[tuple, Callable] = {
    (np.add, "reduce"): _over_first_axis(np.sum),
    (np.multiply, "reduce"): _over_first_axis(np.prod),
    (np.maximum, "reduce"): _over_first_axis(_with_dtype(np.max)),
    (np.minimum, "reduce"): _over_first_axis(_with_dtype(np.min)),
    (np.add, "accumulate"): lambda array, axis=0, dtype=None, out=None: np.cumsum(array, axis, dtype, out),
    (np.multiply, "accumulate"): lambda array, axis=0, dtype=None, out=None: np.cumprod(array, axis, dtype, out),
}


def _call(method: str, ufunc: np.ufunc, *inputs: Any, **kwargs: Any) -> Any:
    return of_method(ufunc, method)(*inputs, **kwargs)


for _method in _METHODS:
    ufunc_methods[_method] = partial(_call, _method)
