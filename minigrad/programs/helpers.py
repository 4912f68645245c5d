"""Steps of minigrad's rules that are not one function of NumPy: what a program calls in their place.

The functions below use NumPy alone. A program that needs one has its source in front.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import methods, views
from ..graph import describe
from ..rules import indexing, linalg, series, ufunc_methods
from ..rules.composition import looked_up
from .operations import Method


def scatter(values, indices, shape):
    """Return zeros of that shape, with each value added at its index."""
    dtype = np.result_type(*values)
    out = np.zeros(shape, np.float32 if dtype == np.float16 else dtype)
    for value, index in zip(values, indices):
        np.add.at(out, index, value)
    return out.astype(dtype, copy=False)


def as_recorded(y, shape, dtype):
    """Return a result whose shape and dtype depend on values. It is an error if they are not as in the recorded call."""
    if np.shape(y) != shape or np.result_type(y) != dtype:
        raise ValueError(f"the program was recorded for a result {dtype}{list(shape)}, and this one is {np.result_type(y)}{list(np.shape(y))}")
    return y


def checked(x, is_wrong, message):
    """Return x. It is an error if a condition holds for some element."""
    if np.any(is_wrong):
        raise ValueError(message)
    return x


def replace(a, index, value):
    """Return a copy of `a` after ``a[index] = value``."""
    out = np.array(a)
    out[index] = value
    return out


def _astype(x: Any, dtype: Any, casting: Any = "unsafe", order: str = "K") -> tuple:
    if isinstance(describe(x)[1], type):  # a Python number
        return np.dtype(dtype).type, (x,), {}
    options = {"casting": casting} if casting != "unsafe" else {}
    return Method("astype"), (x, np.dtype(dtype)), options | ({"order": order} if order != "K" else {})


def _of_ufunc(method: str) -> Any:
    return lambda ufunc, *args, **kwargs: (getattr(ufunc, method), args, kwargs)


def _itself(primitive: Any) -> Any:
    return lambda *args, **kwargs: (primitive.__wrapped__, args, kwargs)


def _number(x: Any) -> tuple:
    return (complex if np.iscomplexobj(x) else float), (x,), {}


HELPERS = {
    views.getitem: lambda a, index: (operator.getitem, (a, index), {}),
    methods.astype: _astype,
    methods.as_python_number: _number,
    indexing.scatter: lambda values, indices, shape: (scatter, (values, indices, shape), {}),
    indexing.replace: lambda a, index, value: (replace, (a, index, value), {}),
    ufunc_methods.constant: lambda ufunc, method, *args, **kwargs: (getattr(ufunc, method), args, kwargs),
    ufunc_methods.accumulate: _of_ufunc("accumulate"),
    linalg.on_diagonal: _itself(linalg.on_diagonal),
    series.sinc_derivative: _itself(series.sinc_derivative),
    series.bessel_i: _itself(series.bessel_i),
    methods.checked: lambda x, is_wrong, message: (checked, (x, is_wrong, message), {}),
    looked_up: lambda fun, *args, **kwargs: (fun, args, kwargs),
}
