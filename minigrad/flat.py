"""`t.flat`: the elements of a Tensor, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from .operands import Guarded
from .views import placed


class Flat:
    """The elements of an array, one after the other, as in `numpy.ndarray.flat`. What is taken from it is a copy."""

    def __init__(self, array: Any) -> None:
        self.base = array if array.ndim else array.reshape(1)  # the view of a number that has an axis to count along

    def __getitem__(self, index: Any) -> Any:
        return self.copy()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Guarded) and placed(value)[0] is placed(self.base)[0]:
            raise NotImplementedError("t.flat[i] = x moves elements one by one if x shares memory with t; write x.copy()")
        numbers = np.arange(self.base.size)[index]  # NumPy begins again with the first of the values if there are too few
        if not numbers.size:
            return
        value = np.reshape(np.resize(value, numbers.size), numbers.shape) if np.size(value) else value
        self.base[np.unravel_index(numbers, self.base.shape)] = value

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Any:
        return (self.base[np.unravel_index(i, self.base.shape)] for i in range(len(self)))

    def copy(self) -> Any:
        return self.base.flatten()

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        return function(*(a.copy() if isinstance(a, Flat) else a for a in args), **kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*(a.copy() if isinstance(a, Flat) else a for a in inputs), **kwargs)
