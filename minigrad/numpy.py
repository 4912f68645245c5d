"""NumPy for programs written against `jax.numpy` or `autograd.numpy`: change one import, and they run.

Plain NumPy hands nearly every function over to minigrad, and needs no replacement. This module is for the rest: making an
array of Tensors; lists of Tensors where NumPy takes an array; and arguments in which NumPy does not look for Tensors.
Everything else is NumPy's own.

Examples
--------
>>> import minigrad.numpy as np
>>> from minigrad import grad
>>> grad(lambda a: np.sum(np.array([a, 2 * a, 1.0]) ** 2))(3.0)
30.0
>>> grad(lambda left: np.interp(-1.0, [0.0, 1.0], [2.0, 3.0], left=left))(5.0)
1.0
"""

from __future__ import annotations

import copy as _copy
from functools import wraps as _wraps
from types import SimpleNamespace as _Namespace
from typing import Any

import numpy as _np

from .engine import find_recorded as _find
from .engine import rule_of as _rule_of
from .rules.compositions import apply_along_axis, apply_over_axes  # noqa: F401  (here also of plain arrays)
from .rules.compositions import stacked as _stacked
from .tensor import lower as _lower
from .tensor import record as _record

__is_part_of_minigrad__ = True  # as `engine.MARK` says; this module is imported later than those that are marked there


def __getattr__(name: str) -> Any:
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np), *globals()})


# ---- Arrays of Tensors ----------------------------------------------------------------------------------------------


def array(object: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, **options: Any) -> Any:
    """Same as `numpy.array`, also of Tensors, and of lists of them, for which `order` and `subok` have no meaning."""
    if _find(object) is None:
        return _np.array(object, dtype, copy=copy, ndmin=ndmin, **options)
    for name in options.keys() - {"order", "subok", "device"}:
        if options[name] is not None:
            raise NotImplementedError(f"an array of Tensors cannot be made with {name}=")
    stacked = _stacked(object)
    is_another = stacked is not object or (dtype is not None and stacked.dtype != dtype)
    if is_another and copy is False:
        raise ValueError("this array of Tensors cannot be made without a copy; leave out copy=False")
    if is_another or copy:
        stacked = stacked.astype(stacked.dtype if dtype is None else dtype)
    shape = _np.shape(stacked)
    return stacked if len(shape) >= ndmin else _np.reshape(stacked, (1,) * (ndmin - len(shape)) + shape)


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None, **options: Any) -> Any:
    """Same as `numpy.asarray`, also of Tensors, and of lists of them."""
    if _find(a) is None:
        return _np.asarray(a, dtype, order, copy=copy, **options)
    return array(a, dtype, copy=copy, order=order, **options)


asanyarray = ascontiguousarray = asfortranarray = asarray


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """Same as `numpy.asarray_chkfinite`, also of Tensors."""
    if _find(a) is None:
        return _np.asarray_chkfinite(a, dtype, order)
    if not _np.all(_np.isfinite(asarray(a))):
        raise ValueError("array must not contain infs or NaNs")
    return asarray(a, dtype)


def require(a: Any, dtype: Any = None, requirements: Any = None, **options: Any) -> Any:
    """Same as `numpy.require`, also of Tensors, which meet all requirements."""
    return _np.require(a, dtype, requirements, **options) if _find(a) is None else asarray(a, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **options: Any) -> Any:
    """Same as `numpy.full`, also with a Tensor."""
    if _find(fill_value) is None:
        return _np.full(shape, fill_value, dtype, order, **options)
    return array(_np.broadcast_to(array(fill_value, dtype), shape), **options)


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None) -> Any:
    """Same as `numpy.full_like`, also with a Tensor."""
    if _find(fill_value) is None:
        return _np.full_like(a, fill_value, dtype, order, subok, shape)
    return full(_np.shape(a) if shape is None else shape, fill_value, _np.result_type(a) if dtype is None else dtype)


class _Joined:
    """`numpy.r_` and `numpy.c_`, also with Tensors among what they join."""

    def __init__(self, plain: Any, as_columns: bool) -> None:
        self.plain = plain
        self.as_columns = as_columns

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if _find(parts) is None:
            return self.plain[key]
        if any(isinstance(part, str) for part in parts):
            raise NotImplementedError("r_ and c_ of Tensors take no directives; write np.concatenate or np.stack")
        joining = [_np.r_[part] if isinstance(part, slice) else _stacked(part) for part in parts]
        dtype = _np.result_type(*joining)  # in which Python's numbers are weak
        arrays = [_np.atleast_1d(one) for one in joining]
        if self.as_columns:
            arrays = [one if one.ndim > 1 else one[:, None] for one in arrays]
        joined = _np.concatenate(arrays, axis=-1 if self.as_columns else 0)
        return joined if joined.dtype == dtype else joined.astype(dtype)


r_, c_ = _Joined(_np.r_, False), _Joined(_np.c_, True)

# ---- Tensors in lists, and in arguments in which NumPy does not look for them ---------------------------------------


def _everywhere(function: Any) -> Any:
    """The function, looking for Tensors in all its arguments, and taking lists of them for arrays."""
    rule = _copy.copy(_rule_of(function))
    bind_arguments = rule.bind

    def bind(args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = bind_arguments(args, kwargs)
        for name, vjp in rule.vjps.items():
            if isinstance(given.get(name), (list, tuple)) and vjp and not vjp.sequence and _find(given[name]) is not None:
                given[name] = _stacked(given[name])
        return given

    @_wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if _find((args, kwargs)) is None else _record(rule, args, kwargs)

    rule.bind, rule.fun = bind, call  # type: ignore[method-assign]
    return call


sum, prod, max, min, amax, amin = map(_everywhere, (_np.sum, _np.prod, _np.max, _np.min, _np.amax, _np.amin))
nansum, nanprod, nanmax, nanmin = map(_everywhere, (_np.nansum, _np.nanprod, _np.nanmax, _np.nanmin))
mean, var, std, nanvar, nanstd = map(_everywhere, (_np.mean, _np.var, _np.std, _np.nanvar, _np.nanstd))
dot, cumsum, append, ravel, interp = map(_everywhere, (_np.dot, _np.cumsum, _np.append, _np.ravel, _np.interp))
pad, select, nan_to_num, polyint = map(_everywhere, (_np.pad, _np.select, _np.nan_to_num, _np.polyint))
histogram, histogram_bin_edges = map(_everywhere, (_np.histogram, _np.histogram_bin_edges))

# ---- What NumPy computes with numbers only --------------------------------------------------------------------------


def kaiser(M: int, beta: Any) -> Any:
    """Same as `numpy.kaiser`: the window I0(beta sqrt(1 - t**2)) / I0(beta), for t from -1 to 1."""
    if _find(beta) is None or M < 1:
        return _np.kaiser(M, _lower(beta, None))
    middle = (M - 1) / 2.0
    t = (_np.arange(M) - middle) / middle if M > 1 else _np.zeros(1)
    return _np.i0(beta * _np.sqrt(1 - t**2.0)) / _np.i0(beta)


def _of_spacing(function: Any) -> Any:
    """The frequencies; these are whole numbers over the length, which is that many spacings."""

    @_wraps(function)
    def frequencies(n: int, d: Any = 1.0, **options: Any) -> Any:
        if _find(d) is None:
            return function(n, d, **options)
        return _np.rint(function(n, 1.0 / n, **options)) * (1.0 / (n * d))

    return frequencies


def _with(module: Any, **others: Any) -> Any:
    """What a module holds, with other functions for some of it."""
    return _Namespace(**{**{name: getattr(module, name) for name in dir(module) if name[0] != "_"}, **others})


fft = _with(_np.fft, fftfreq=_of_spacing(_np.fft.fftfreq), rfftfreq=_of_spacing(_np.fft.rfftfreq))
linalg = _with(_np.linalg, norm=_everywhere(_np.linalg.norm))
