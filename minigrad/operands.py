"""Which values may take part in an operation, and which are refused. Also what keeps a Tensor from losing its derivative.

NumPy would turn many objects into arrays by itself. minigrad does it once, before the operation. It refuses arrays whose
operations mean something else. And it gives the Tensor, through `Guarded`, a clear error for each way to lose the
derivative.
"""

from __future__ import annotations

import operator
import sys
from typing import Any, Callable, NoReturn

import numpy as np
from numpy import ndarray

from .libraries import advice, called_in, running

PYTHON_NUMBERS = (float, int, complex, bool)


class TensorConversionError(TypeError):
    """A Tensor was about to become a plain number or array, which would drop its derivative."""


class ForeignArrayError(TypeError, ValueError):
    """An array was used in a differentiated computation, and arrays of its kind cannot be."""


def within(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a list, tuple, dict or slice with its members changed, and any other value as it is."""
    if isinstance(value, dict):
        return {key: change(member) for key, member in value.items()}
    if isinstance(value, slice):
        return slice(change(value.start), change(value.stop), change(value.step))
    if isinstance(value, (list, tuple)):
        members = map(change, value)
        return type(value)(*members) if hasattr(value, "_fields") else type(value)(members)
    return value


# ---- What may take part ---------------------------------------------------------------------------------------------

# These arrays are refused. Their operations mean something else, or run later, or NumPy does not see them. A key is the
# name of a library, or of a type in NumPy.
FOREIGN = {
    "pandas": "pandas aligns values by their labels; pass x.to_numpy()",
    "xarray": "xarray aligns values by their labels; pass x.to_numpy()",
    "dask": "Dask computes later, when its data may have changed; pass x.compute()",
    "jax": "JAX's operations are not NumPy's; pass np.asarray(x)",
    "jaxlib": "JAX's operations are not NumPy's; pass np.asarray(x)",
    "torch": "PyTorch's operations are not NumPy's; pass x.detach().numpy()",
    "scipy": "a sparse matrix has operations of its own; pass x.toarray()",
    "numpy.MaskedArray": "a masked array leaves elements out; pass x.filled(), or use where=",
    "numpy.matrix": "np.matrix multiplies matrices with *; pass np.asarray(x), and write @",
}
ORDINARY = {ndarray, *PYTHON_NUMBERS, str, bytes, type, type(None), type(...)}  # taken as they are


def refuse_foreign(value: Any) -> None:
    """Raise if a value is an array of another library, or of a NumPy subclass with other operations."""
    kind = type(value)
    if kind is ndarray or not (hasattr(kind, "__array__") or hasattr(kind, "toarray")):
        return
    for base in kind.__mro__:
        library = base.__module__.partition(".")[0]
        remedy = FOREIGN.get(f"numpy.{base.__name__}" if library == "numpy" else library)
        if remedy and (hasattr(base, "__array__") or hasattr(base, "toarray")):
            _refuse_array(value, remedy)


def _refuse_array(value: Any, remedy: str) -> NoReturn:
    name = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    raise ForeignArrayError(f"a {name} cannot take part in a differentiated computation: {remedy}")


def admitted(value: Any) -> Any:
    """Return an argument of an operation. If NumPy would convert an object in it to an array, convert it here.

    This is done once, before the operation. So the operation and its derivative use the same numbers, even if the object
    changes in between. For the same reason, an object that NumPy would ask for a whole number becomes that number. An object
    is refused if its class has operations of its own.
    """
    kind = type(value)
    if kind in ORDINARY or isinstance(value, (Guarded, np.generic)):
        return value
    if kind is tuple or kind is list:
        return kind(map(admitted, value))
    if kind is slice:
        return within(value, _whole_number)
    refuse_foreign(value)
    if isinstance(value, (dict, list, tuple)):
        return within(value, admitted)
    if hasattr(kind, "__array__"):
        if getattr(kind, "__array_ufunc__", None) is not None and not isinstance(value, np.memmap):
            _refuse_array(value, "it has operations of its own; pass np.asarray(x)")
        return np.asarray(value)
    return _whole_number(value) if hasattr(kind, "__index__") else _as_numbers(value)


def _whole_number(value: Any) -> Any:
    """Return an object as a whole number if NumPy would ask it for one."""
    return operator.index(value) if hasattr(value, "__index__") and not isinstance(value, (int, Guarded)) else value


def _as_numbers(value: Any) -> Any:
    """Return an object as an array if NumPy finds numbers in it: it may be a sequence, or lend its memory as a buffer."""
    if isinstance(value, (str, type)) or callable(value) or hasattr(value, "keys"):
        return value
    try:
        array = np.asarray(value)
    except (ValueError, LookupError, NotImplementedError) as error:
        if isinstance(error.__cause__, TensorConversionError):
            raise
        return value
    return array if array.dtype.kind in "fcbiu" else value


def operand(value: Any) -> Any:
    """Return the other operand of an operator as a number or array. Return NotImplemented if it is neither."""
    if type(value) is ndarray or isinstance(value, (*PYTHON_NUMBERS, Guarded)):
        return value
    if getattr(type(value), "__array_ufunc__", True) is None:
        return NotImplemented  # this tells NumPy, and minigrad too, to leave operators to the class
    value = admitted(value)
    value = np.asarray(value) if isinstance(value, (list, tuple)) else value
    return value if isinstance(value, (np.number, np.bool_, *PYTHON_NUMBERS, ndarray)) else NotImplemented


def as_arrays(rule: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Turn a list into an array where a rule expects an array. Turn an array into a list where it expects a sequence."""
    for name, vjp in rule.vjps.items():
        value: Any = given.get(name)
        if vjp and vjp.of_sequence:
            given[name] = [_as_array(rule, name, member) for member in value]
        elif isinstance(value, (list, tuple)):
            given[name] = _as_array(rule, name, value)
    return given


def _as_array(rule: Any, name: str, value: Any) -> Any:
    try:
        return np.asarray(value) if isinstance(value, (list, tuple)) else value
    except TensorConversionError:
        raise TensorConversionError(
            f"{rule.title} got a list with Tensors in it for {name!r}, where it takes an array: make it one Tensor "
            f"first, with np.stack"
        ) from None


def some(condition: Any) -> bool:
    """Return whether a condition holds for some element. A rule asks this before it handles a special case.

    While a program is recorded, a condition is a Tensor. The program will run with other values, so the answer is yes. So
    what a rule does for the special case must be right in all cases.
    """
    if type(condition) in (bool, np.bool_):
        return bool(condition)
    return isinstance(condition, Guarded) or bool(np.count_nonzero(condition))


# ---- What would lose the derivative ---------------------------------------------------------------------------------


def refused(what: str, instead: str) -> Callable[..., NoReturn]:
    """Return a method that raises, and says what to write instead."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        name = called_in(running(sys._getframe(1)))
        said = f"{what} would drop the derivative of a value that is being differentiated; {instead}"
        raise TensorConversionError(advice(name) or (f"{name}: {said}" if name else said))

    return refuse


class Guarded:
    """A base class of `Tensor`. It raises an error for each way to lose the derivative."""

    __slots__ = ()
    __array_priority__ = __pandas_priority__ = 10_000  # so that other libraries ask the Tensor first

    __array__ = refused(
        "turning a Tensor into an array",
        "keep it a Tensor: np.stack([a, b]) instead of np.array([a, b]), np.sin(t) instead of np.sin(np.asarray(t)), "
        "array = np.zeros_like(t, shape=...) before array[0] = t; x.toarray(), x.to_numpy() or x.filled() in "
        "place of an operand x of another library; and minigrad.stop_gradient(t) where no derivative is wanted",
    )
    __float__ = refused(
        "float()",
        "write np.sin(t) instead of math.sin(t) or float(t), array = np.zeros_like(t, shape=...) before array[0] = t; "
        "and t.item() for a plain number, which has no derivative",
    )
    __complex__ = refused("complex()", "write t + 0j; and t.item() for a plain number, which has no derivative")
    __reduce__ = refused("pickling a Tensor", "pickle what grad returns, or minigrad.stop_gradient(t)")
    tolist = refused("tolist()", "write list(t)")

    def __getattr__(self, name: str) -> Any:  # not NoReturn: a type checker does not see what `methods` defines in a loop
        if name in ("variable", "dims"):  # xarray asks its other operand for these first
            raise ForeignArrayError(f"an array of xarray cannot take part in a differentiated computation: {FOREIGN['xarray']}")
        hint = f"; write np.{name}(t)" if hasattr(ndarray, name) and hasattr(np, name) else ""
        hint = {"put": "; write t[index] = value", "fill": "; write t[...] = value"}.get(name, hint)
        raise AttributeError(f"'Tensor' object has no attribute {name!r}{hint}")
