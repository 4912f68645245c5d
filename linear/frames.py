"""Data in the tables of other libraries: as arrays, by position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray


def as_array(data: Any, name: str = "x") -> Any:
    """Return a Series, DataFrame or DataArray as an array, and anything else as it is.

    Raises
    ------
    TypeError
        If it holds values that are not numbers.

    Examples
    --------
    >>> as_array([1.0, 2.0])
    [1.0, 2.0]
    """
    if type(data) is ndarray or not hasattr(data, "to_numpy"):
        return data
    array = data.to_numpy()
    if array.dtype.kind == "O":  # columns of several types, or those in which pandas marks missing values with NA
        try:
            text = next((value for value in array.flat if isinstance(value, str)), None)
            if text is not None:  # NumPy would read it as a number, if it can
                raise TypeError(f"the text {text!r}")
            array = array.astype(float)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{_described(data, name)} holds values that are not numbers: {error}") from None
    if array.dtype.kind not in "fcbiu":
        raise TypeError(f"{_described(data, name)} holds values that are not numbers, of dtype {array.dtype}")
    return array


def as_arrays(x: Any, y: Any) -> tuple[Any, Any]:
    """Return x and y as arrays. They are paired by position, so labels that say otherwise are refused.

    Raises
    ------
    ValueError
        If both have an index (of their rows), and these differ.
    TypeError
        As for `as_array`.
    """
    if type(x) is ndarray and type(y) is ndarray:
        return x, y
    ours, theirs = _index(x), _index(y)
    if ours is not None and theirs is not None and not ours.equals(theirs):
        place = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        here, there = (_label(index, place) for index in (ours, theirs))
        order = "y = y.reindex_like(x)" if hasattr(x, "dims") and hasattr(y, "dims") else "y = y.loc[x.index]"
        raise ValueError(
            f"{_described(x, 'x')} and {_described(y, 'y')} have different indices: in row {place}, {here} and {there}. Rows are "
            f"paired by position. Bring them into one order, for example with {order}, or pass y.to_numpy()"
        )
    return as_array(x, "x"), as_array(y, "y")


def _index(data: Any) -> Any:
    """The labels of the rows: the index of pandas, or what xarray has for the first dimension. None if there are none."""
    if not hasattr(data, "to_numpy"):
        return None
    if hasattr(data, "dims"):
        return data.indexes.get(data.dims[0]) if data.dims else None
    return getattr(data, "index", None) if hasattr(getattr(data, "index", None), "equals") else None


def _label(index: Any, place: int) -> str:
    if place >= len(index):
        return "nothing"
    return repr(index[place].item() if isinstance(index[place], np.generic) else index[place])


def _described(data: Any, name: str) -> str:
    """Such as ``the Series 'price' (y)``."""
    own = getattr(data, "name", None)
    own = repr(own) if own is not None else ", ".join(repr(column) for column in list(getattr(data, "columns", []))[:5])
    return f"the {type(data).__name__}{' ' * bool(own)}{own} ({name})"
