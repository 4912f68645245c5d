"""Where a transform meets the user: which arguments, what a leaf may be, what a function may return, what comes back.

None of it is about derivatives. It stands apart so that `transforms` can be read without it.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy import ndarray

from . import tree
from .engine import BORROWED, LACKS_LINE, Level, Node, describe, prime_allocator
from .tensor import EscapedTensorError, Tensor, TensorConversionError, recorded, same, settled, strip

# The dtype of what comes back for an integer, which has no derivative: its elements have no bytes. (It is JAX's.)
float0 = np.dtype([("float0", "V")])

# ---- The function ---------------------------------------------------------------------------------------------------


def check_callable(fun: Any) -> None:
    """Raise if `fun` is not a function that can be differentiated."""
    if isinstance(fun, staticmethod):
        raise TypeError(f"staticmethod arguments are not supported, got {fun}")
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun}")
    if inspect.isgeneratorfunction(fun):
        raise TypeError(f"Expected a function, got a generator function: {fun}")


def name_of(fun: Any) -> str:
    """The name of a function; a partial has that of the function in it."""
    while isinstance(fun, functools.partial):
        fun = fun.func
    return getattr(fun, "__name__", "<unnamed function>")


def wraps(fun: Any, doc: str) -> Callable[[Callable], Callable]:
    """Like `functools.wraps`, with a line before the docstring, in which ``{fun}`` is the function's name."""

    def decorate(wrapper: Callable) -> Callable:
        functools.update_wrapper(wrapper, fun)
        wrapper.__name__ = name_of(fun)
        wrapper.__qualname__ = getattr(fun, "__qualname__", wrapper.__name__)
        own = f"\n\n{fun.__doc__}" if getattr(fun, "__doc__", None) else ""
        wrapper.__doc__ = doc.format(fun=wrapper.__name__) + own
        return wrapper

    return decorate


# ---- Which arguments ------------------------------------------------------------------------------------------------


class Arguments:
    """Which arguments of a function a transform differentiates: by position (`argnums`) or by name (`argnames`)."""

    def __init__(self, fun: Callable, argnums: Any, argnames: Any = None) -> None:
        self.fun = fun
        self.by_name = argnames is not None
        if self.by_name and argnums != 0:
            raise ValueError("give argnums or argnames, not both")
        if isinstance(argnames, str):
            self.wanted: Any = argnames
        elif self.by_name:
            self.wanted = tuple(argnames) if isinstance(argnames, Iterable) else (argnames,)
        else:
            try:
                self.wanted = int(operator.index(argnums))
            except TypeError:
                self.wanted = tuple(int(operator.index(i)) for i in argnums)
        self.is_one = type(self.wanted) is not tuple
        self.each: tuple = (self.wanted,) if self.is_one else self.wanted
        self._check_unique(self.each)
        if self.by_name:
            self._check_names()

    def __str__(self) -> str:
        return f"the argument{'' if self.is_one else 's'} {self.wanted}"

    def _check_unique(self, found: Sequence) -> None:
        if len(set(found)) < len(found):
            raise ValueError(f"{'argnames' if self.by_name else 'argnums'}={self.wanted} names an argument twice")

    def _check_names(self) -> None:
        if not all(isinstance(name, str) for name in self.each):
            raise TypeError(f"argnames must be a name, or a sequence of names, and is {self.wanted!r}")
        self.parameters = _parameters(self.fun)
        self.positional = [p.name for p in self.parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.only_positional = [p.name for p in self.parameters if p.kind is p.POSITIONAL_ONLY]
        self.defaults = {p.name: p.default for p in self.parameters if p.default is not p.empty}
        takes_any = not self.parameters or any(p.kind is p.VAR_KEYWORD for p in self.parameters)
        names = [*self.positional, *(p.name for p in self.parameters if p.kind is p.KEYWORD_ONLY)]
        for name in self.each:
            if name not in names and not takes_any:
                raise TypeError(f"{name_of(self.fun)} has no argument {name!r}, only {', '.join(names) or 'none'}")

    def _keys(self, args: tuple, kwargs: dict[str, Any]) -> list[int | str]:
        """Where the arguments are in a call: an index into args, or a key of kwargs (or, if in neither, its default)."""
        if not self.each:
            raise ValueError(f"{'argnames' if self.by_name else 'argnums'} is empty: there is nothing to differentiate with respect to")
        if self.by_name:
            given = self.positional[: len(args)]
            for name in self.each:
                by_keyword = name in kwargs and name not in self.only_positional
                if name not in given and not by_keyword and name not in self.defaults:
                    raise TypeError(f"{name_of(self.fun)} is differentiated with respect to {name!r}, which was not passed")
            return [self.positional.index(name) if name in given or name in self.only_positional else name for name in self.each]
        if not all(-len(args) <= i < len(args) for i in self.each):
            needed = max(i + 1 if i >= 0 else -i for i in self.each)
            raise (TypeError if max(self.each) >= len(args) else ValueError)(
                f"differentiating with respect to argnums={self.wanted} requires at least {needed} positional arguments "
                f"to be passed by the caller, but got only {len(args)} positional arguments. Those passed by keyword, "
                f"or left at their defaults, do not count: select them by name, with argnames="
            )
        keys = [i % len(args) for i in self.each]
        self._check_unique(keys)
        return keys  # type: ignore[return-value]

    def selected(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the argument of a call, or a tuple of the arguments."""
        if type(self.wanted) is int and 0 <= self.wanted < len(args):  # the usual case
            return args[self.wanted]
        values = []
        for key in self._keys(args, kwargs):
            if type(key) is int:
                values.append(args[key] if key < len(args) else self.defaults[self.positional[key]])
            else:
                values.append(kwargs[key] if key in kwargs else self.defaults[key])  # type: ignore[index]
        return values[0] if self.is_one else tuple(values)

    def replaced(self, args: tuple, kwargs: dict[str, Any], new: Any) -> tuple[list, dict[str, Any]]:
        """Return the arguments of a call with others in place of those that are differentiated."""
        new_args = list(args)
        if type(self.wanted) is int:
            new_args[self.wanted] = new
            return new_args, kwargs
        new_kwargs = dict(kwargs)
        for key, value in zip(self._keys(args, kwargs), (new,) if self.is_one else new):
            if type(key) is int:
                while key >= len(new_args):  # it was left at its default, and cannot be passed by keyword
                    new_args.append(self.defaults[self.positional[len(new_args)]])
                new_args[key] = value
            else:
                new_kwargs[key] = value  # type: ignore[index]
        return new_args, new_kwargs

    def place(self, i: int, structure: tree.Structure, args: tuple) -> str:
        """Where leaf number i is, as the user would write it: ``params['w'][0]``."""
        path = tree.paths(structure)[i]
        which, rest = (self.each[0], path) if self.is_one else (self.each[path[0].idx], path[1:])
        if type(which) is int:
            names = [p.name for p in _parameters(self.fun) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            position = which % len(args)
            which = names[position] if position < len(names) else f"args[{position}]"
        return which + tree.keystr(rest)


def _parameters(fun: Callable) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(fun).parameters.values())
    except (TypeError, ValueError):  # some functions written in C do not tell
        return []


# ---- The leaves of the argument -------------------------------------------------------------------------------------


class Options(NamedTuple):
    """The name of a transform, for messages, and what it accepts."""

    name: str
    holomorphic: bool = False
    allow_int: bool = False
    allow_objects: bool = False


def check_leaf(leaf: Any, options: Options, place: Callable[[], str]) -> str:
    """Return what kind of leaf it is (see `kind_of`), or raise if the transform cannot take it."""
    kind = kind_of(leaf)
    if kind == "O" and not options.allow_objects:
        dtype = f" and dtype {leaf.dtype}" if isinstance(leaf, (ndarray, np.generic)) else ""
        raise TypeError(f"{place()} is {leaf!r} of type {type(leaf)}{dtype}, which cannot be differentiated")
    if options.holomorphic and kind in "fbiu":
        _refuse_dtype(f"{options.name} with holomorphic=True requires inputs with complex dtype", leaf, place, "Make it complex")
    if options.name == "jacfwd" and kind in "cbiu" and not options.holomorphic:
        wanted = "jacfwd requires real-valued inputs (input dtype that is a sub-dtype of np.floating)"
        _refuse_dtype(wanted, leaf, place, "For holomorphic differentiation, pass holomorphic=True; otherwise use jvp")
    if kind in "biu" and not options.allow_int:
        wanted = f"{options.name} requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact)"
        remedy = "Make it a float, pass it in an argument that is not differentiated, or set allow_int=True"
        _refuse_dtype(wanted, leaf, place, remedy)
    if isinstance(leaf, np.ma.MaskedArray):
        raise ValueError(f"{place()} is a masked array; use its filled() to convert it to an array")
    return kind


def enter(leaf: Any, level: Level, options: Options, place: Callable[[], str]) -> Any:
    """Return the Tensor for a leaf; or the leaf itself, if it has no derivative and that is allowed."""
    if check_leaf(leaf, options, place) not in "fc":
        return leaf
    value = plain(leaf)
    if type(value) is ndarray:
        prime_allocator(value)
        return recorded(value, level, vjp=BORROWED)
    if type(value) is Tensor:
        value = same(value)
    elif not isinstance(leaf, (np.generic, Tensor)):  # also a subclass of float
        value = float(leaf) if isinstance(leaf, float) else complex(leaf)
    return recorded(value, level)


def plain(leaf: Any) -> Any:
    """A matrix, or an array of another subclass, as an array; anything else as it is."""
    if isinstance(leaf, np.ma.MaskedArray):
        raise ValueError("masked arrays cannot be differentiated; use filled() to convert one to an array")
    return leaf.view(ndarray) if isinstance(leaf, ndarray) and type(leaf) is not ndarray else leaf


def kind_of(value: Any) -> str:
    """What a value is to a transform: "f" real, "c" complex, "b", "i" or "u" (and float0) without a derivative, or "O"."""
    if isinstance(value, (ndarray, np.generic, Tensor)):
        kind = "i" if value.dtype == float0 else value.dtype.kind
        return kind if kind in "fcbiu" else "O"
    for number, kind in ((int, "i"), (float, "f"), (complex, "c")):
        if isinstance(value, number):
            return kind
    return "O"


def dtype_of(value: Any) -> np.dtype:
    """The dtype of a value; of a Python number, the one that NumPy gives it."""
    return np.dtype(describe(value)[1])


def _refuse_dtype(wanted: str, leaf: Any, place: Callable[[], str], remedy: str) -> NoReturn:
    raise TypeError(f"{wanted}, but got {dtype_of(leaf)}: {place()} is {leaf!r}. {remedy}")


# ---- The result -----------------------------------------------------------------------------------------------------


def split_aux(out: Any) -> tuple[Any, Any]:
    """Take apart what a function with auxiliary data returned."""
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(
            f"expected function with aux output to return a two-element tuple, but got type {type(out)} with value {out}"
        )
    return out[0], out[1]


def check_scalar(out: Any) -> None:
    """Raise if a result is not a single number."""
    if out is None or isinstance(out, (tuple, list, dict)):
        raise TypeError(f"Gradient only defined for scalar-output functions. Output was {out}.")
    if isinstance(out, np.ma.MaskedArray):
        raise ValueError("the function returned a masked array; use its filled() to convert it to an array")
    if kind_of(out) == "O":
        raise TypeError(f"grad requires a function that returns a number, and it returned {out!r} of type {type(out)}")
    shape = describe(out)[0]
    if shape != ():
        example = "its only element, with .sum()" if np.size(out) == 1 else "its .sum() or .mean()"
        raise TypeError(
            f"Gradient only defined for scalar-output functions. Output had shape: {shape}. Return {example}"
        )


def check_output_dtype(out: Any, options: Options) -> None:
    """Raise if a result is not real; or, for a holomorphic function, not complex."""
    kind = kind_of(out)
    if options.holomorphic and kind != "c":
        raise TypeError(
            f"{options.name} with holomorphic=True requires outputs with complex dtype, but got {dtype_of(out)}"
        )
    if not options.holomorphic and kind != "f":
        holomorphic = "For holomorphic differentiation, pass holomorphic=True. " if kind == "c" else ""
        raise TypeError(
            f"{options.name} requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got "
            f"{dtype_of(out)}. {holomorphic}For other functions with such outputs, use vjp"
        )


def leave(leaf: Any, level: Level) -> Any:
    """What a Tensor of this level stands for; anything else is itself."""
    if type(leaf) is not Tensor:
        return leaf
    if leaf.level is level:
        value = settled(leaf)
        return same(value) if type(value) is Tensor else value
    if not leaf.level.open:
        raise EscapedTensorError("the function returned a Tensor of a grad call that had ended: it escaped from an inner function")
    return leaf


# ---- The gradient ---------------------------------------------------------------------------------------------------


def gradient_for(leaf: Any, node: Node | None, level: Level, g: Any) -> Any:
    """Return the gradient for a leaf with that node: of the leaf's own kind, writable, and sharing memory with nothing.

    A leaf without a node is not differentiated. The cotangent that arrives, None where there is none, may be a view (a
    sum hands out one number for all elements), or be held elsewhere: by another leaf (both operands of an addition
    receive the same), or by whatever a rule took it from. References tell: here it has three, the variable g, that of
    the caller, and the argument of getrefcount.
    """
    if node is None:
        return None if kind_of(leaf) == "O" else zero_cotangent(plain(leaf))
    dtype = node.dtype
    if isinstance(g, Tensor) and g.level is level:
        raise TypeError("a rule uses a value that is being differentiated and is not one of its arguments")
    if type(leaf) is not Tensor and isinstance(dtype, type) and isinstance(g, Tensor) and dtype_of(g) != np.dtype(dtype):
        g = g.astype(dtype)  # like a Python number, it was weak, but it leaves as what it is
    if g is None:  # the result does not depend on this leaf
        g = zero_cotangent(plain(leaf))
    elif isinstance(g, Tensor):
        array = strip(g)
        g = np.positive(g) if type(array) is ndarray and not array.flags.writeable else same(g)
    elif type(g) is ndarray and (g.base is not None or not g.flags.writeable or sys.getrefcount(g) > 3):
        g = g.copy()
    if isinstance(leaf, ndarray) and not isinstance(g, Tensor):
        return g if type(g) is ndarray and g.dtype == dtype else np.array(g, dtype)
    return g[()] if isinstance(leaf, np.generic) and type(g) is ndarray else g


def zero_cotangent(value: Any) -> Any:
    """The cotangent of a value that nothing depends on."""
    shape, dtype = describe(value)
    if kind_of(value) not in "fc":
        return np.zeros(shape, float0)
    return dtype(0) if isinstance(dtype, type) else np.zeros(shape, dtype)


# ---- Errors ---------------------------------------------------------------------------------------------------------


def explain(error: Exception) -> None:
    """Raise our own error where NumPy has hidden it behind "setting an array element with a sequence"."""
    ours = error.__cause__
    if isinstance(ours, TensorConversionError) and str(error).startswith("setting an array element"):
        error.__cause__ = None
        try:
            raise ours.with_traceback(error.__traceback__) from None
        finally:  # without these, the two exceptions and this frame would refer to each other
            del ours, error


def find_line(error: Exception, run_again: Callable[[], Any]) -> None:
    """Add to an error of the backward pass the line that recorded the operation, if the operation did not note it.

    To note them all takes time. So they are noted in a second run, which fails in the same way. Only a function that
    does not do the same again remains without.
    """
    if not vars(error).pop(LACKS_LINE, False):
        return
    try:
        run_again()
    except Exception as again:
        if type(again) is type(error):
            for note in getattr(again, "__notes__", ()):
                if note not in getattr(error, "__notes__", ()):
                    error.add_note(note)
