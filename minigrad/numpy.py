"""NumPy for programs written against `jax.numpy` or `autograd.numpy`: change one import, and they run.

Plain NumPy hands nearly every function over to minigrad, and needs no replacement. This module is for the rest: making an
array of Tensors; lists of Tensors where NumPy takes an array; and arguments in which NumPy does not look for Tensors.
Everything else is NumPy's own, and so is every call without Tensors.

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

from copy import copy as _copy
from functools import wraps as _wraps
from types import SimpleNamespace as _Namespace
from typing import Any

import numpy as _np

from .engine import find_recorded as _find
from .engine import rule_of as _rule_of
from .rules import compositions as _compositions
from .rules.compositions import apply_along_axis, apply_over_axes  # noqa: F401  (here also of plain arrays)
from .rules.compositions import stacked as _stacked
from .tensor import record as _record

__is_part_of_minigrad__ = True  # as `engine.MARK` says; this module is imported later than those that are marked there


def __getattr__(name: str) -> Any:
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np), *globals()})


def _with_tensors(function: Any) -> Any:
    """Have calls with Tensors answered by the decorated function, and all others by NumPy's, whose place it takes."""

    def decorate(ours: Any) -> Any:
        return _wraps(function)(lambda *args, **kwargs: (ours if _find((args, kwargs)) is not None else function)(*args, **kwargs))

    return decorate


# ---- Arrays of Tensors. Their order in memory is NumPy's choice -----------------------------------------------------


@_with_tensors(_np.array)
def array(object, dtype=None, *, copy=True, order=None, subok=False, ndmin=0, device=None, like=None):
    if like is not None:
        raise NotImplementedError("an array of Tensors cannot be made with like=")
    result = _stacked(object)
    is_another = result is not object or (dtype is not None and result.dtype != dtype)
    if is_another and copy is False:
        raise ValueError("this array of Tensors cannot be made without a copy; leave out copy=False")
    if is_another or copy:
        result = result.astype(result.dtype if dtype is None else dtype)
    return _np.reshape(result, (1,) * (ndmin - _np.ndim(result)) + _np.shape(result)) if _np.ndim(result) < ndmin else result


@_with_tensors(_np.asarray)
def asarray(a, dtype=None, order=None, *, copy=None, **options):
    return array(a, dtype, copy=copy, **options)


asanyarray = ascontiguousarray = asfortranarray = asarray


@_with_tensors(_np.asarray_chkfinite)
def asarray_chkfinite(a, dtype=None, order=None):
    result = asarray(a)
    if not _np.all(_np.isfinite(result)):
        raise ValueError("array must not contain infs or NaNs")
    return asarray(result, dtype)


@_with_tensors(_np.require)
def require(a, dtype=None, requirements=None, *, like=None):
    return asarray(a, dtype, like=like)


@_with_tensors(_np.full)
def full(shape, fill_value, dtype=None, order="C", **options):
    return array(_np.broadcast_to(array(fill_value, dtype), shape), **options)


@_with_tensors(_np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, **options):
    if _find(fill_value) is None:
        return _np.full_like(a, fill_value, dtype, order, subok, shape, **options)
    return full(_np.shape(a) if shape is None else shape, fill_value, _np.result_type(a) if dtype is None else dtype, **options)


class _Joined:
    """`numpy.r_` and `numpy.c_`, also with Tensors among what they join."""

    def __init__(self, plain, as_columns):
        self.plain, self.as_columns = plain, as_columns

    def __getitem__(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        if _find(parts) is None:
            return self.plain[key]
        if any(isinstance(part, str) for part in parts):
            raise NotImplementedError("r_ and c_ of Tensors take no directives; write np.concatenate or np.stack")
        parts = [_np.r_[part] if isinstance(part, slice) else _stacked(part) for part in parts]
        dtype = _np.result_type(*parts)  # in which Python's numbers are weak
        arrays = [_np.atleast_1d(part).astype(dtype, copy=False) for part in parts]
        if not self.as_columns:
            return _np.concatenate(arrays)
        return _np.concatenate([array[:, None] if array.ndim == 1 else array for array in arrays], axis=-1)


r_, c_ = _Joined(_np.r_, False), _Joined(_np.c_, True)

kaiser = _with_tensors(_np.kaiser)(_compositions.kaiser)

# ---- Tensors in lists, and in arguments in which NumPy does not look for them ---------------------------------------


def _everywhere(function):
    """The function, looking for Tensors in all its arguments, and taking lists of them for arrays."""
    rule = _copy(_rule_of(function))
    bind_arguments = rule.bind

    def bind(args, kwargs):
        given = bind_arguments(args, kwargs)
        for name, vjp in rule.vjps.items():
            if isinstance(given.get(name), (list, tuple)) and vjp and not vjp.sequence and _find(given[name]) is not None:
                given[name] = _stacked(given[name])
        return given

    rule.bind, rule.fun = bind, _with_tensors(function)(lambda *args, **kwargs: _record(rule, args, kwargs))  # type: ignore
    return rule.fun


for _name in (
    "sum prod max min amax amin nansum nanprod nanmax nanmin mean var std nanvar nanstd dot cumsum append ravel interp pad "
    "select nan_to_num polyint histogram histogram_bin_edges"
).split():
    globals()[_name] = _everywhere(getattr(_np, _name))


def _with(module, **others):
    """What a module holds, with other functions for some of it."""
    return _Namespace(**{**{name: getattr(module, name) for name in dir(module) if name[0] != "_"}, **others})


fft = _with(_np.fft, **{f.__name__: _with_tensors(f)(_compositions.frequencies(f)) for f in (_np.fft.fftfreq, _np.fft.rfftfreq)})
linalg = _with(_np.linalg, norm=_everywhere(_np.linalg.norm))
