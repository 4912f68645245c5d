"""Steps of minigrad's rules that are not one function of NumPy: what a program calls in their place.

The functions below use NumPy alone. A program that needs one has its source in front.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import methods, views
from ..rules import indexing
from ..rules.composition import looked_up
from .operations import Method


def scatter(values, indices, shape):
    """Return zeros of that shape, with each value added at its index."""
    out = np.zeros(shape, np.result_type(*values))
    for value, index in zip(values, indices):
        np.add.at(out, index, value)
    return out


def replace(a, index, value):
    """Return a copy of `a` after ``a[index] = value``."""
    out = np.array(a)
    out[index] = value
    return out


def _astype(x: Any, dtype: Any, casting: Any = "unsafe", order: str = "K") -> tuple:
    return Method("astype"), (x, np.dtype(dtype), order, casting), {}


def _number(x: Any) -> tuple:
    return (complex if np.iscomplexobj(x) else float), (x,), {}


HELPERS = {
    views.getitem: lambda a, index: (operator.getitem, (a, index), {}),
    methods.astype: _astype,
    methods.as_python_number: _number,
    indexing.scatter: lambda values, indices, shape: (scatter, (values, indices, shape), {}),
    indexing.replace: lambda a, index, value: (replace, (a, index, value), {}),
    looked_up: lambda fun, *args, **kwargs: (fun, args, kwargs),
}
