"""Which functions can be differentiated, and the name and docstring of the functions that transforms return."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from types import MethodType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

import numpy as np

P = ParamSpec("P")  # the parameters of a function; what a transform returns has the same parameters
Function = TypeVar("Function", bound=Callable[..., Any])
Options = ParamSpec("Options")  # the other arguments of a transform


class Transform(Protocol[Options]):
    """The type of a transform, for type checkers: what it makes of a function takes the arguments of the function.

    What it makes of a ufunc takes anything: NumPy declares several forms of a ufunc's call, and some checkers use only the
    first, which takes numbers and no arrays.
    """

    @overload
    def __call__(self, fun: np.ufunc, *args: Options.args, **kwargs: Options.kwargs) -> Callable[..., Any]: ...
    @overload
    def __call__(self, fun: Callable[P, Any], *args: Options.args, **kwargs: Options.kwargs) -> Callable[P, Any]: ...


def check_callable(fun: Any) -> None:
    """Raise if `fun` is not a function that can be differentiated."""
    if isinstance(fun, staticmethod):
        raise TypeError(f"staticmethod arguments are not supported, got {fun}")
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun}")
    if inspect.isgeneratorfunction(fun):
        raise TypeError(f"Expected a function, got a generator function: {fun}")


def name_of(fun: Any) -> str:
    """Return the name of a function. A partial has the name of the function in it."""
    while isinstance(fun, functools.partial) and not isinstance(fun, Transformed):
        fun = fun.func
    return getattr(fun, "__name__", "<unnamed function>")


class Transformed(functools.partial):
    """What a transform such as `grad` returns: it calls a function that is defined inside of the transform.

    Python cannot pickle such a function, because it has no name from outside. This object can be pickled. It is
    stored as the call that made it, with the user's function in it, and loading it makes that call again. It is a partial,
    because Python calls a partial faster than an object whose class is written in Python.
    """

    origin = ()  # the transform, and the arguments of the call

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)  # as a function in a class, it is a method

    def __repr__(self) -> str:
        made_by = name_of(self.origin[0]) if self.origin else "a transform"
        return f"<{made_by} of {self.__qualname__}>"  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        place: Any = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):  # type: ignore[attr-defined]
            place = getattr(place, name, None)
        if place is self:  # the transform was a decorator, so this is what the module calls by the name of the function
            return self.__qualname__
        return (_make_again, self.origin) if self.origin else super().__reduce__()


def _make_again(transform: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    return transform(*args, **kwargs)


def transform(make: Callable[Concatenate[Any, Options], Any]) -> Transform[Options]:
    """Decorate a transform, so that what it returns can be pickled if its arguments can be."""

    @functools.wraps(make)
    def transform(*args: Any, **kwargs: Any) -> Any:
        made: Any = make(*args, **kwargs)
        made.origin = transform, args, kwargs
        return made

    return transform


def wraps(fun: Any, doc: str) -> Callable[[Callable], Callable]:
    """Like `functools.wraps`, but put the line `doc` before the docstring. In it, ``{fun}`` becomes the function's name."""

    def decorate(function: Callable) -> Callable:
        wrapper: Any = functools.update_wrapper(Transformed(function), fun)
        with suppress(AttributeError, NameError):  # it may have none, or ones that name what is defined later
            wrapper.__annotations__ = fun.__annotations__  # from Python 3.14 on, update_wrapper leaves them out
        wrapper.__dict__.pop("origin", None)  # the origin of `fun`, if a transform made `fun`
        wrapper.__name__ = name_of(fun)
        wrapper.__qualname__ = getattr(fun, "__qualname__", wrapper.__name__)
        own = f"\n\n{fun.__doc__}" if getattr(fun, "__doc__", None) else ""
        wrapper.__doc__ = doc.format(fun=wrapper.__name__) + own
        return wrapper

    return decorate


def signature_of(fun: Callable) -> inspect.Signature:
    """Return the signature of a function."""
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return inspect.signature(lambda *args, **kwargs: None)
