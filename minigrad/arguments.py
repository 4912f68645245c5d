"""Which arguments of a function are differentiated, and which name and docstring its derivative has.

`grad` takes `argnums` or `argnames`. `Arguments` finds these arguments in a call, and replaces them.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import tree

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
        """Return where the arguments are in a call: an index into args, or a key of kwargs.

        If neither has the argument, it was not passed, and has its default.
        """
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
        """Return the selected argument of a call, or a tuple of the selected arguments."""
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
        """Return the arguments of a call, with new values for the selected arguments."""
        new_args = list(args)
        if type(self.wanted) is int:
            new_args[self.wanted] = new
            return new_args, kwargs
        new_kwargs = dict(kwargs)
        for key, value in zip(self._keys(args, kwargs), (new,) if self.is_one else new):
            if type(key) is int:
                while key >= len(new_args):  # it was not passed, and cannot be passed by keyword
                    new_args.append(self.defaults[self.positional[len(new_args)]])
                new_args[key] = value
            else:
                new_kwargs[key] = value  # type: ignore[index]
        return new_args, new_kwargs

    def place(self, i: int, structure: tree.Structure, args: tuple) -> str:
        """Return the place of leaf number i, as the user would write it: ``params['w'][0]``."""
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
    except (TypeError, ValueError):  # some functions written in C have no signature
        return []
