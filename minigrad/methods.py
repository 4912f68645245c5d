"""The attributes and methods of arrays: most of them call the NumPy function of that name."""

from __future__ import annotations

from typing import Any, Callable, NoReturn

import numpy as np

from . import guards
from .conversions import astype
from .flat import Flat
from .memory import innermost, is_writable, undifferentiated


def _fill(array: Any, value: Any) -> None:
    array[...] = value


class ArrayMethods:
    """The attributes and methods that `Tensor` inherits. They do not know how an operation is recorded."""

    __slots__ = ()
    __setitem__: Any  # see `inplace`

    # Its form

    ndim = property(lambda self: len(self.shape), doc="Number of axes.")
    size = property(lambda self: int(np.prod(self.shape)), doc="Number of elements.")
    itemsize = property(lambda self: self.dtype.itemsize, doc="Bytes of an element.")
    nbytes = property(lambda self: self.size * self.itemsize, doc="Bytes of all elements.")
    device = property(lambda self: "cpu", doc="Where NumPy keeps arrays.")

    # The array in other forms

    T = property(lambda self: self.transpose(), doc="The transpose.")
    mT = property(lambda self: self.swapaxes(-1, -2), doc="The transpose of the last two axes.")
    real = property(lambda self: np.real(self), lambda self, x: _fill(self.real, x), doc="The real part.")
    imag = property(lambda self: np.imag(self), lambda self, x: _fill(self.imag, x), doc="The imaginary part.")

    flat = property(Flat, lambda self, x: _fill(self.flat, x), doc="The elements, one after the other. A write into them is a write into this Tensor.")

    def reshape(self: Any, *shape: Any, **kwargs: Any) -> Any:
        """Same as `numpy.reshape`. The new shape is a tuple or separate numbers."""
        if not shape and "shape" not in kwargs:
            raise TypeError("reshape() takes at least 1 argument (0 given)")
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self: Any, *axes: Any) -> Any:
        """Same as `numpy.transpose`. The axes are a tuple or separate numbers."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self: Any, order: Any = "C") -> Any:
        """A copy of the elements in one dimension."""
        return np.ravel(self, order).copy()

    def astype(self: Any, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True) -> Any:
        """The value in another dtype. A dtype without derivatives (int, bool) gives a plain array."""
        array = innermost(self)
        if not copy and (array.astype(dtype, order, copy=False) is array if isinstance(array, np.ndarray) else dtype == self.dtype):
            return self
        return astype(self, dtype, casting, order)

    def conj(self: Any) -> Any:
        """The complex conjugate. Of real numbers, it is the Tensor itself, and not a copy."""
        return np.conj(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def view(self: Any, dtype: Any = None, type: Any = None) -> Any:
        """A view of the whole Tensor."""
        if type is not None or (dtype is not None and dtype != self.dtype):
            raise TypeError("the bytes of a Tensor cannot be seen as another dtype or class; for other numbers, write t.astype(dtype)")
        return self[...] if isinstance(innermost(self), np.ndarray) else self[()]  # of a number, a number

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The Tensor itself. NumPy has only the device "cpu"."""
        if device != "cpu" or stream is not None:
            raise ValueError(f'a Tensor is an array of NumPy, whose only device is "cpu" (without stream=), not {device!r}')
        return self

    def clip(self: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
        """Same as `numpy.clip`. One of the bounds may be left out."""
        return np.clip(self, kwargs.pop("a_min", min), kwargs.pop("a_max", max), out, **kwargs)

    def compress(self: Any, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """The elements where a condition is true. Same as `numpy.compress`."""
        return np.compress(condition, self, axis=axis, out=out)

    def copy(self: Any, order: Any = "C") -> Any:
        """Another Tensor with the same value. It shares no memory with this one."""
        array = innermost(self)
        is_laid_out = not isinstance(array, np.ndarray) or array.flags.c_contiguous and order == "C" and is_writable(array)
        return self.snapshot() if is_laid_out else np.copy(self, order)

    __copy__ = copy

    def __deepcopy__(self, memo: dict) -> Any:
        return self.copy()

    # Its value without the derivative, where the caller asks for a plain value

    def item(self, *index: Any) -> Any:
        """The value (or one element) as a plain Python number, without its derivative. See `guards.check_dependence`."""
        value = guards.take_number(self, "item()")
        return value.item(*index) if hasattr(value, "item") else value

    def __int__(self) -> int:
        return int(guards.take_number(self, "int()"))

    def __round__(self, ndigits: int = 0) -> Any:
        return round(undifferentiated(self), ndigits)

    def __array_namespace__(self, /, *, api_version: Any = None) -> Any:
        """NumPy: the module whose functions take this Tensor."""
        return np.empty(0).__array_namespace__(api_version=api_version)

    def __contains__(self, value: Any) -> bool:
        return undifferentiated(value) in undifferentiated(self)

    def __format__(self, spec: str) -> str:
        return format(innermost(self), spec) if spec else str(self)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> NoReturn:
        """Refused. `choose` needs an array of integers, and a Tensor never holds integers."""
        raise TypeError("choose() needs an array of integers, and a Tensor never holds integers; write np.choose(index, choices)")


def _method(name: str) -> Callable[..., Any]:
    """Return a method that calls the NumPy function of the same name."""
    function = getattr(np, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"Same as `numpy.{name}`."
    return method


for _name in (
    "sum mean prod max min var std dot squeeze swapaxes ravel round argmax argmin argsort all any nonzero "
    "cumprod cumsum diagonal repeat take trace argpartition searchsorted"
).split():
    setattr(ArrayMethods, _name, _method(_name))
