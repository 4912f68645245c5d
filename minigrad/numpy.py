"""NumPy for programs written against `jax.numpy` or `autograd.numpy`: change one import, and they run.

Plain NumPy hands nearly every function over to minigrad, and needs no replacement. This module is for the few that it
cannot: making an array of Tensors, and functions that get lists of them. Everything else is NumPy's own.

Examples
--------
>>> import minigrad.numpy as np
>>> from minigrad import grad
>>> grad(lambda a: np.sum(np.array([a, 2 * a, 1.0]) ** 2))(3.0)
30.0
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as _np

from .engine import _find_recorded as _find


def __getattr__(name: str) -> Any:
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np), *globals()})


def array(object: Any, dtype: Any = None, *, copy: bool | None = True, order: Any = "K", subok: bool = False, ndmin: int = 0) -> Any:
    """Same as `numpy.array`, also of Tensors in lists. A Tensor itself comes back as it is, since it never changes."""
    if _find(object) is None:
        return _np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)
    stacked = _stacked(object)
    if dtype is not None:
        stacked = stacked.astype(dtype)
    shape = _np.shape(stacked)
    return stacked if len(shape) >= ndmin else _np.reshape(stacked, (1,) * (ndmin - len(shape)) + shape)


def _stacked(value: Any) -> Any:
    return _np.stack([_stacked(member) for member in value]) if isinstance(value, (list, tuple)) else value


def asarray(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """Same as `numpy.asarray`, also of Tensors. See `array`."""
    return array(a, dtype) if _find(a) is not None else _np.asarray(a, dtype, order)


asanyarray = ascontiguousarray = asfortranarray = asarray_chkfinite = asarray


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C") -> Any:
    """Same as `numpy.full`, also with a Tensor."""
    if _find(fill_value) is None:
        return _np.full(shape, fill_value, dtype, order)
    return _np.broadcast_to(array(fill_value, dtype), shape)


def kaiser(M: int, beta: Any) -> Any:
    """Same as `numpy.kaiser`: the window I0(beta sqrt(1 - t**2)) / I0(beta), for t from -1 to 1."""
    if _find(beta) is None:
        return _np.kaiser(M, beta)
    if M == 1:
        return _np.ones(1) + 0 * beta
    t = _np.linspace(-1.0, 1.0, M)
    return _np.i0(beta * _np.sqrt(1 - t * t)) / _np.i0(beta)


def _of_lists(function: Any) -> Any:
    """A function that takes one array, also a list with Tensors."""

    def of_array(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(array(a) if isinstance(a, (list, tuple)) and _find(a) is not None else a, *args, **kwargs)

    of_array.__name__ = function.__name__
    of_array.__doc__ = f"Same as `numpy.{function.__name__}`, also of a list with Tensors."
    return of_array


sum, mean, std, var, prod, max, min = map(_of_lists, (_np.sum, _np.mean, _np.std, _np.var, _np.prod, _np.max, _np.min))
dot, cumsum, append, ravel = map(_of_lists, (_np.dot, _np.cumsum, _np.append, _np.ravel))


class _Joined:
    """`numpy.r_` and `numpy.c_`, also with Tensors among what they join."""

    def __init__(self, plain: Any, as_columns: bool) -> None:
        self.plain = plain
        self.as_columns = as_columns

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if _find(list(parts)) is None:
            return self.plain[key]
        if any(isinstance(part, str) for part in parts):
            raise NotImplementedError("r_ and c_ of Tensors take no directives; write np.concatenate or np.stack")
        arrays = [self.plain[part] if isinstance(part, slice) else _np.atleast_1d(asarray(part)) for part in parts]
        return _np.column_stack(arrays) if self.as_columns else _np.concatenate(arrays)


r_, c_ = _Joined(_np.r_, False), _Joined(_np.c_, True)


def _fftfreq(n: int, d: Any = 1.0) -> Any:
    """Same as `numpy.fft.fftfreq`, also with a Tensor for the spacing."""
    return _np.fft.fftfreq(n) / d


def _rfftfreq(n: int, d: Any = 1.0) -> Any:
    """Same as `numpy.fft.rfftfreq`, also with a Tensor for the spacing."""
    return _np.fft.rfftfreq(n) / d


fft = SimpleNamespace(**{name: getattr(_np.fft, name) for name in _np.fft.__all__ if hasattr(_np.fft, name)})
fft.fftfreq, fft.rfftfreq = _fftfreq, _rfftfreq
linalg = SimpleNamespace(**{name: getattr(_np.linalg, name) for name in _np.linalg.__all__})
linalg.norm = _of_lists(_np.linalg.norm)
