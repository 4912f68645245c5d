"""The functions that are differentiated: what they must be, and the name and docstring of what is made of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


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
    while isinstance(fun, functools.partial):
        fun = fun.func
    return getattr(fun, "__name__", "<unnamed function>")


def wraps(fun: Any, doc: str) -> Callable[[Callable], Callable]:
    """Like `functools.wraps`, but put the line `doc` before the docstring. In it, ``{fun}`` becomes the function's name."""

    def decorate(wrapper: Callable) -> Callable:
        functools.update_wrapper(wrapper, fun)
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
