"""Functions of `minigrad.numpy` that make arrays of Tensors, and windows and frequencies from Tensors.

Plain NumPy does not look for Tensors in the arguments of ``np.array`` and its kind. `minigrad.numpy` calls these
functions instead, if there are Tensors among the arguments.
"""

import numpy as np

from ..conversions import astype, checked
from ..operands import some
from ..table import find_tensor
from .composition import stacked
from .shaping import in_memory


def array(object, dtype=None, *, copy=True, order=None, subok=False, ndmin=0, device=None, like=None):
    """Return an array of numbers and Tensors, which may be in nested lists."""
    if like is not None:
        raise NotImplementedError("an array of Tensors cannot be made with like=")
    whole = stacked(object)
    order = "C" if whole is not object and order in (None, "K", "A") else order or "K"
    result = whole.astype(whole.dtype if dtype is None else dtype, order, copy=bool(copy))
    if copy is False and result is not object:
        raise ValueError("this array of Tensors cannot be made without a copy; leave out copy=False")
    return np.reshape(result, (1,) * (ndmin - np.ndim(result)) + np.shape(result)) if np.ndim(result) < ndmin else result


def asarray(a, dtype=None, order=None, *, copy=None, **options):
    """Do the same as `array`, but copy only where it is necessary."""
    return array(a, dtype, copy=copy, order=order, **options)


def ascontiguousarray(a, dtype=None, *, like=None):
    """Do the same as `asarray` with ``order="C"``. The result has at least one axis."""
    return array(a, dtype, copy=None, order="C", ndmin=1, like=like)


def asfortranarray(a, dtype=None, *, like=None):
    """Do the same as `asarray` with ``order="F"``. The result has at least one axis."""
    return array(a, dtype, copy=None, order="F", ndmin=1, like=like)


def asarray_chkfinite(a, dtype=None, order=None):
    """Do the same as `asarray`, and raise if a number is infinite or NaN."""
    result = asarray(a, order=order)
    is_wrong = ~np.isfinite(result)
    result = checked(result, is_wrong, "array must not contain infs or NaNs") if some(is_wrong) else result
    return asarray(result, dtype, order)


def require(a, dtype=None, requirements=None, *, like=None):
    """Do the same as `asarray`, with the order that the requirements name. A copy meets all others."""
    required = {name[0].upper() for name in requirements or ()}
    order = "F" if "F" in required else "C" if "C" in required else None
    return array(a, dtype, copy=True if required - {"C", "F", "E"} else None, order=order, like=like)


def full(shape, fill_value, dtype=None, order="C", **options):
    """Return an array of that shape, with the value broadcast to it."""
    return array(np.broadcast_to(array(fill_value, dtype), shape), order=order, **options)


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, **options):
    """Do the same as `full`, with the shape and dtype of another array."""
    a = stacked(a)
    if find_tensor(fill_value) is None:
        return np.full_like(a, fill_value, dtype, order, subok, shape, **options)
    order = ("F" if in_memory(a, "A") == "F" else "C") if order in ("K", "A") else order
    shape = np.shape(a) if shape is None else shape
    return full(shape, fill_value, np.result_type(a) if dtype is None else dtype, order, **options)


class Joined:
    """`numpy.r_` or `numpy.c_` that also joins Tensors."""

    def __init__(self, plain, as_columns):
        self.plain, self.as_columns = plain, as_columns

    def __getitem__(self, key):
        parts = key if isinstance(key, tuple) else (key,)
        if find_tensor(parts) is None:
            return self.plain[key]
        if any(isinstance(part, str) for part in parts):
            raise NotImplementedError("r_ and c_ of Tensors take no directives; write np.concatenate or np.stack")
        parts = [np.r_[part] if isinstance(part, slice) else stacked(part) for part in parts]
        dtype = np.result_type(*parts)  # Python's numbers are weak here
        arrays = [astype(np.atleast_1d(part), dtype) for part in parts]
        if not self.as_columns:
            return np.concatenate(arrays)
        return np.concatenate([array[:, None] if array.ndim == 1 else array for array in arrays], axis=-1)


def kaiser(M, beta):
    """Return the window I0(beta sqrt(1 - t**2)) / I0(beta) at M points t from -1 to 1 (see `numpy.kaiser`)."""
    t = (np.arange(M) - (M - 1) / 2.0) / ((M - 1) / 2.0 or 1.0)
    beta = beta * np.float64(1)  # NumPy computes in float64, also for a narrow beta
    return np.i0(beta * np.sqrt(1 - t**2.0)) / np.i0(beta)


def frequencies(fftfreq):
    """Return `numpy.fft.fftfreq` or `rfftfreq` as a function of the spacing d: whole numbers divided by n d."""
    return lambda n, d=1.0, **options: np.rint(fftfreq(n, 1.0 / n, **options)) * (1.0 / (n * d))
