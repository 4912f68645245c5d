"""Steps of minigrad's rules that are not one function of NumPy: what a program calls in their place.

The functions below use NumPy alone. A program that needs one has its source in front.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from .. import conversions, views
from ..graph import describe
from ..rules import indexing, linalg, series, ufunc_methods
from ..rules.composition import looked_up
from .operations import FRESH, Method


def scatter(values, indices, shape, part="real"):
    """Return zeros of that shape, with each value added at its index. Of complex zeros, it may be added to the imaginary part."""
    dtype = np.result_type(*values, 1j) if part == "imag" else np.result_type(*values)
    out = np.zeros(shape, np.float32 if dtype == np.float16 else dtype)
    target = out.imag if part == "imag" else out
    for value, index in zip(values, indices):
        if all(i is None or isinstance(i, (int, slice)) for i in (index if isinstance(index, tuple) else (index,))):
            target[index] += value
        else:
            np.add.at(target, index, value)  # the index may name an element twice
    return out.astype(dtype, copy=False)


def replace(a, index, value, part=""):
    """Return a copy of `a` after ``a[index] = value``. If a part is named, "real" or "imag", only this part changes."""
    out = np.array(a)
    (getattr(out, part) if part else out)[index] = value
    return out


def of_number(number, index):
    """Return a view of a Python number as an array without axes: the index may add axes."""
    return np.asarray(number)[index]


def as_recorded(y, shape, dtype):
    """Return a result whose shape and dtype depend on values. It is an error if they are not as in the recorded call."""
    if np.shape(y) != shape or np.result_type(y) != dtype:
        raise ValueError(
            f"the program was recorded for a result {np.dtype(dtype)}{list(shape)}, and this one is "
            f"{np.result_type(y)}{list(np.shape(y))}"
        )
    return y


def checked(x, is_wrong, message):
    """Return x. It is an error if a condition holds for some element."""
    if np.any(is_wrong):
        raise ValueError(message)
    return x


def flattened(fun, *args, **kwargs):
    """Return the results of `fun`, a value and a list, as one tuple."""
    first, rest = fun(*args, **kwargs)
    return first, *rest


FRESH.update((scatter, replace))


def _astype(x: Any, dtype: Any, casting: Any = "unsafe", order: str = "K") -> tuple:
    if isinstance(describe(x)[1], type):  # a Python number
        return np.dtype(dtype).type, (x,), {}
    options = {"casting": casting} if casting != "unsafe" else {}
    return Method("astype"), (x, np.dtype(dtype)), options | ({"order": order} if order != "K" else {})


def _index(place: views.Place) -> tuple:
    """Return the index of the elements of the root that lie at a place."""
    numbers = np.arange(math.prod(place.root[1])).reshape(place.root[1])
    found = place.of(place.laid_out(numbers * (1 + 1j) if place.part else numbers)).astype(int)
    return np.unravel_index(found, place.root[1]) if place.root[1] else (None,) * len(place.shape)  # a number has no elements


def _taken(a: Any, place: views.Place) -> tuple:
    return operator.getitem, (getattr(a, place.part) if place.part else a, _index(place)), {}


def _put(g: Any, place: views.Place) -> tuple:
    value = g + 0j if place.part == "real" else g
    return scatter, ([value], [_index(place)], place.root[1], *(["imag"] if place.part == "imag" else [])), {}


def _replaced(a: Any, place: views.Place, value: Any) -> tuple:
    return replace, (a, _index(place), value, *([place.part] if place.part else [])), {}


def _itself(primitive: Any) -> Any:
    return lambda *args, **kwargs: (primitive.__wrapped__, args, kwargs)


def _getitem(a: Any, index: Any) -> tuple:
    return of_number if isinstance(describe(a)[1], type) else operator.getitem, (a, index), {}


def _number(x: Any) -> tuple:
    return (complex if np.iscomplexobj(x) else float), (x,), {}


HELPERS = {
    views.getitem: _getitem,
    conversions.astype: _astype,
    conversions.as_python_number: _number,
    indexing.scatter: lambda values, indices, shape: (scatter, (values, indices, shape), {}),
    indexing.replace: lambda a, index, value: (replace, (a, index, value), {}),
    views.taken: _taken,
    views.put: _put,
    views.replaced: _replaced,
    ufunc_methods.constant: lambda ufunc, method, *args, **kwargs: (getattr(ufunc, method), args, kwargs),
    ufunc_methods.accumulate: lambda ufunc, *args, **kwargs: (ufunc.accumulate, args, kwargs),
    linalg.on_diagonal: _itself(linalg.on_diagonal),
    series.sinc_derivative: _itself(series.sinc_derivative),
    series.bessel_i: _itself(series.bessel_i),
    conversions.checked: lambda x, is_wrong, message: (checked, (x, is_wrong, message), {}),
    looked_up: lambda fun, *args, **kwargs: (fun, args, kwargs),
}
