"""Functions that turn wrong use into an error, or keep values as they were when they were used.

The core calls them where a mistake could go unnoticed. The errors say what happened, and what to write instead. To learn
how differentiation works, you can read the core without this file.
"""

from __future__ import annotations

import sys
from array import array as buffer
from collections import UserList, deque
from typing import Any, Callable, NoReturn

import numpy as np
from numpy import ndarray

PYTHON_NUMBERS = (float, int, complex, bool)


class TensorConversionError(TypeError):
    """A Tensor was about to become a plain number or array, which would drop its derivative."""


class EscapedTensorError(TypeError):
    """A Tensor was used after the call that it belonged to had ended."""


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
ARRAY_LIKE = (range, buffer, memoryview, bytearray, deque, UserList)
ORDINARY = {ndarray, *PYTHON_NUMBERS, str, bytes, type, type(None), type(...)}  # taken as they are


class ForeignArrayError(TypeError, ValueError):
    """An array was used in a differentiated computation, and arrays of its kind cannot be."""


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
    raise ForeignArrayError(f"a {name} cannot take part in what is being differentiated: {remedy}")


def admitted(value: Any) -> Any:
    """Return an argument of an operation. If NumPy would convert an object in it to an array, convert it here.

    This is done once, before the operation. So the operation and its derivative use the same numbers, even if the object
    changes in between. An object is refused if its class has operations of its own.
    """
    kind = type(value)
    if kind in ORDINARY or isinstance(value, (Guarded, np.generic)):
        return value
    if kind is tuple or kind is list:
        return kind(map(admitted, value))
    if kind is dict or kind is slice:
        return within(value, admitted)
    refuse_foreign(value)
    if hasattr(kind, "__array__"):
        if getattr(kind, "__array_ufunc__", None) is not None and not isinstance(value, np.memmap):
            _refuse_array(value, "it has operations of its own; pass np.asarray(x)")
        return np.asarray(value)
    if isinstance(value, ARRAY_LIKE) or hasattr(value, "__array_interface__") or hasattr(value, "__array_struct__"):
        return np.asarray(value)
    return within(value, admitted)


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
        value = given.get(name)
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


def check_call(rule: Any, differentiated: list[str], given: dict[str, Any]) -> None:
    """Raise if a call has no derivative by one of the differentiated arguments, or if a rule does not support another."""
    if not rule.vjps:
        _refuse_function(rule)
    for name in differentiated:
        if name not in rule.vjps:
            raise NotImplementedError(f"{rule.title} has no derivative with respect to {name!r}")
        vjp = rule.vjps[name]
        for other, value in given.items() if vjp else ():
            if other in vjp.choices and value not in vjp.choices[other]:
                honoured = f"{other}={value!r}, only {vjp.choices[other]}"
                raise NotImplementedError(f"the derivative of {rule.title} does not support {honoured}")
            if other not in rule.vjps and other not in vjp.needs and not _is_default(rule, other, value):
                remedy = f"write a = {rule.title}(...)" if other == "out" else "leave it out"
                raise NotImplementedError(f"the derivative of {rule.title} does not support {other}=; {remedy}")


def check_out(rule: Any, kwargs: dict[str, Any]) -> None:
    """Raise if a function without a derivative would write its result into a Tensor."""
    if isinstance(kwargs.get("out"), Guarded):
        raise NotImplementedError(f"{rule.title} cannot write into a Tensor (out=); write t[...] = {rule.title}(...)")


def _is_default(rule: Any, name: str, value: Any) -> bool:
    default = rule.defaults.get(name, {"where": True, "casting": "same_kind", "order": "K", "subok": True}.get(name))
    return value is default or (isinstance(value, (str, bool)) and value == default)


def _refuse_function(rule: Any) -> NoReturn:
    if rule.fun.__name__ in ("copyto", "put", "place", "putmask", "fill_diagonal", "put_along_axis"):
        raise TensorConversionError(
            f"{rule.title} writes into an array, which would drop the derivative of a Tensor; write t[index] = value "
            f"instead, into a Tensor (np.zeros_like makes one), or build the array with np.stack or np.where"
        )
    raise NotImplementedError(
        f"{rule.title} has no derivative rule, so it cannot be applied to a value that is being differentiated. Add "
        f"one with minigrad.defvjp({rule.title}, x=lambda g, x: ...), one VJP for each argument that has a "
        f"derivative; or, if its derivative is not wanted, pass minigrad.stop_gradient(x)"
    )


def check_rule(rule: Any) -> None:
    """Raise if a rule has a VJP for an argument that its function does not have, or if a VJP asks for one."""
    takes_any = any(p.kind is p.VAR_KEYWORD for p in rule.parameters.values())
    if isinstance(rule.fun, np.ufunc) and not rule.constant and len(rule.vjps) != rule.fun.nin:
        raise TypeError(f"{rule.title} takes {rule.fun.nin} arguments: give a VJP, or None, for each of them")
    names = [*rule.parameters, "y"]
    names += [f"{name}_shape" for name in names]
    for name, vjp in rule.vjps.items():
        if name not in rule.parameters and not takes_any:
            raise TypeError(f"{rule.title} has no argument {name}, it has {', '.join(rule.parameters)}")
        # A keyword of a NumPy function may be newer than the installed NumPy.
        for needed in (vjp.residuals if rule.title.startswith("np.") else vjp.residuals + vjp.keywords) if vjp else ():
            if needed not in names and not takes_any:
                raise TypeError(f"a rule for {rule.title} can name {', '.join(names)}, but not {needed}")


# ---- What comes out -------------------------------------------------------------------------------------------------


def check_result(rule: Any, y: Any) -> None:
    """Raise if the result of an operation is not a number or array, or a list or tuple of them."""
    if isinstance(y, (list, tuple)):
        for member in y:
            check_result(rule, member)
        return
    refuse_foreign(y)
    if np.dtype(getattr(y, "dtype", type(y))).kind not in "fcbiu":
        raise TypeError(f"{rule.title} returned {y!r} of type {type(y)}, which cannot be differentiated")


def check_share(share: Any, shape: Any) -> None:
    """Raise if the share that a VJP returned cannot be a cotangent of a value of that shape."""
    refuse_foreign(share)
    if not isinstance(share, (int, float, complex)) and not hasattr(share, "dtype"):
        raise TypeError(f"a rule returned {share!r} where a number or an array was expected (x=None defines a zero derivative)")
    found = np.shape(share)
    added = len(found) - len(shape)
    if added < 0 or any(n not in (1, m) for n, m in zip(shape, found[added:])):
        raise ValueError(
            f"a rule returned a cotangent of shape {found} for a value of shape {shape}: it has to be of that shape, or "
            f"of one to which that shape broadcasts"
        )


def check_open(level: Any) -> None:
    """Raise if a level is closed: the call that the Tensor belongs to has ended."""
    if not level.open:
        raise EscapedTensorError(
            "a Tensor was used after the grad call that made it had ended: it escaped through a global, a list "
            "or an attribute. Return it from the differentiated function instead (has_aux=True)"
        )


class Lines:
    """An observer that notes, for each node, which line of the user's program recorded it."""

    def __init__(self) -> None:
        self.lines: dict[Any, str] = {}
        self.line: str | None = None  # the line of the node that the backward pass visits now

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Any) -> None:
        self.lines[node] = user_line()

    def visited(self, node: Any, g: Any) -> None:
        self.line = self.lines.get(node)

    def handed_back(self, node: Any, parent: Any, share: Any, total: Any) -> None:
        pass


def user_line() -> str:
    """Return the line of the user's program that is running: the innermost line outside minigrad and NumPy."""
    frame: Any = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("minigrad", "numpy"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"


# ---- Values as they were --------------------------------------------------------------------------------------------


def to_keep(value: Any) -> Any:
    """Return what a rule can keep of an argument. It stays the same if the user writes into the argument later.

    An array is copied, unless it is read-only and is not a view. (Such an array can still change: through a view that was
    taken before it became read-only. This is not detected.)
    """
    if isinstance(value, ndarray):
        return value if not value.flags.writeable and value.base is None else copied(value)
    return value.snapshot() if isinstance(value, Guarded) else within(value, to_keep)


def copied(array: ndarray) -> ndarray:
    """Return a copy that lies in memory as the array does: in the same order, backwards or with gaps where the array does so.

    So the elements come in the same order for every value of NumPy's ``order=``, and `ravel` and `reshape` return a view
    where they do so for the array. A broadcast array stays broadcast and read-only. Large gaps become small.
    """
    shape = array.shape
    if 0 in array.strides and array.size:
        array = array[tuple([slice(1) if stride == 0 else slice(None) for stride in array.strides])]
    copy = array.copy("K")
    if copy.strides != array.strides and copy.size:
        strides = _with_small_gaps(array)
        if any(n > 1 and a != b for n, a, b in zip(array.shape, strides, copy.strides)):
            copy = with_strides(array.shape, strides, array.dtype)
            copy[...] = array
            copy.flags.writeable = not _overlaps_itself(array)
    return copy if copy.shape == shape else np.broadcast_to(copy, shape)


def _with_small_gaps(array: ndarray) -> list[int]:
    """Return strides for which an array has gaps in the same places, each as large as one element."""
    end = new_end = size = array.itemsize  # where the elements along the inner axes end, in the array and in the copy
    strides = list(array.strides)
    for axis in sorted(range(array.ndim), key=lambda axis: (abs(strides[axis]), -axis)):
        n, stride = array.shape[axis], strides[axis]
        if n > 1:
            new = new_end if abs(stride) == end else new_end + size
            strides[axis] = new if stride > 0 else -new
            end, new_end = n * abs(stride), n * new
    return strides


def with_strides(shape: tuple, strides: list[int], dtype: Any) -> ndarray:
    """Return a new array with these strides."""
    if 0 in shape:
        return np.empty(shape, dtype)
    moves = [(n - 1) * stride for n, stride in zip(shape, strides)]
    buffer = np.empty(1 + sum(map(abs, moves)) // dtype.itemsize, dtype)
    return ndarray(shape, dtype, buffer, -sum(min(0, move) for move in moves), strides)


def memory(array: ndarray) -> ndarray:
    """Return the memory of an array, from its lowest element to its highest, as an array without gaps."""
    if array.flags.c_contiguous or not array.size:
        return array
    lowest = array[tuple([slice(None, None, -1 if stride < 0 else 1) for stride in array.strides])]
    n = 1 + sum((n - 1) * stride for n, stride in zip(lowest.shape, lowest.strides)) // array.itemsize
    return np.lib.stride_tricks.as_strided(lowest, (n,), (array.itemsize,))


def is_writable(array: ndarray) -> bool:
    """Whether an array may be written into. In an array that overlaps itself, a write into an element would change others."""
    flags = array.flags
    return bool(flags.num & 0x400) and (flags.forc or not _overlaps_itself(array))  # after np.broadcast_arrays, flags.writeable warns


def _overlaps_itself(array: ndarray) -> bool:
    end = array.itemsize
    for stride, n in sorted((abs(stride), n) for stride, n in zip(array.strides, array.shape) if n > 1):
        if stride < end:
            return array.size > 0
        end += (n - 1) * stride
    return False


def locked(value: Any) -> Any:
    """Return a value with read-only views in place of its arrays, for a function that must not write into them."""
    if isinstance(value, ndarray):
        value = value.view()
        value.flags.writeable = False
        return value
    return within(value, locked)


# ---- Python's numbers -----------------------------------------------------------------------------------------------


def weak(y: Any, operands: Any) -> Any:
    """Return a result as a Python number if all operands are Python numbers: weak operands have a weak result."""
    if not all(type(x) in PYTHON_NUMBERS for x in operands):
        return y
    if isinstance(y, tuple):
        return tuple(weak(member, ()) for member in y)
    return y.item() if isinstance(y, np.generic) or (isinstance(y, ndarray) and y.ndim == 0) else y


def of_python_numbers(ufunc: np.ufunc, operate: Callable) -> Callable:
    """Return an operator that calls the ufunc where Python raises (1 / 0.0) or returns a complex number ((-8) ** 0.5)."""

    def compute(a: Any, b: Any) -> Any:
        try:
            y = operate(a, b)
        except (ZeroDivisionError, OverflowError):
            return weak(ufunc(a, b), (a, b))
        turned_complex = type(y) is complex and complex not in (type(a), type(b))
        return weak(ufunc(a, b), (a, b)) if turned_complex else y

    return compute


# ---- What would lose the derivative ---------------------------------------------------------------------------------


def refused(what: str, instead: str) -> Callable[..., NoReturn]:
    """Return a method that raises, and says what to write instead."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise TensorConversionError(f"{what} would drop the derivative of a value that is being differentiated; {instead}")

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
        "and t.item() where only the number is wanted",
    )
    __complex__ = refused("complex()", "write t + 0j; and t.item() where only the number is wanted")
    __reduce__ = refused("pickling a Tensor", "pickle what grad returns, or minigrad.stop_gradient(t)")
    tolist = refused("tolist()", "write list(t)")

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("variable", "dims"):  # xarray asks its other operand for these first
            raise ForeignArrayError(f"an array of xarray's cannot take part in what is being differentiated: {FOREIGN['xarray']}")
        hint = f"; write np.{name}(t)" if hasattr(ndarray, name) and hasattr(np, name) else ""
        hint = {"put": "; write t[index] = value", "fill": "; write t[...] = value"}.get(name, hint)
        raise AttributeError(f"'Tensor' object has no attribute {name!r}{hint}")
