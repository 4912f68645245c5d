"""Which arguments of a function are differentiated.

`grad` takes `argnums` or `argnames`. `Arguments` finds these arguments in a call, and replaces them.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import tree
from .functions import name_of, signature_of


def whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    """Return a sequence of whole numbers as a tuple. `name` is the name of the argument, for the error."""
    try:
        return tuple(int(operator.index(i)) for i in (value if isinstance(value, Iterable) else [value]))
    except TypeError as error:
        raise TypeError(f"{name} must be a whole number, or a sequence of whole numbers, and is {value!r}: {error}") from None


class Arguments:
    """Which arguments of a function a transform differentiates: by position (`argnums`) or by name (`argnames`)."""

    def __init__(self, fun: Callable, argnums: Any, argnames: Any = None) -> None:
        self.fun, self.by_name = fun, argnames is not None
        if self.by_name:
            if argnums != 0:
                raise ValueError("give argnums or argnames, not both")
            self.is_one = isinstance(argnames, str) or not isinstance(argnames, Iterable)
            self.each: tuple = (argnames,) if self.is_one else tuple(argnames)
            self._check_names()
        else:
            try:
                self.each, self.is_one = (int(operator.index(argnums)),), True
            except TypeError:
                self.each, self.is_one = whole_numbers("argnums", argnums), False
        self.wanted = self.each[0] if self.is_one else self.each
        self._check_unique(self.each)

    def __str__(self) -> str:
        return f"the argument{'' if self.is_one else 's'} {self.wanted}"

    def _check_unique(self, found: Sequence) -> None:
        if len(set(found)) < len(found):
            raise ValueError(f"{'argnames' if self.by_name else 'argnums'}={self.wanted} names an argument twice")

    def _check_names(self) -> None:
        if not all(isinstance(name, str) for name in self.each):
            raise TypeError(f"argnames must be a name, or a sequence of names, and is {self.each!r}")
        self.signature = signature_of(self.fun)
        kinds = {name: p.kind for name, p in self.signature.parameters.items()}
        self.rest = next((name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD), "")  # **rest
        self.names = [name for name, kind in kinds.items() if kind is not inspect.Parameter.VAR_POSITIONAL and name != self.rest]
        for name in self.each:
            if name not in self.names and not self.rest:
                raise TypeError(f"{name_of(self.fun)} has no argument {name!r}, only {', '.join(self.names) or 'none'}")

    def _places(self, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, list[tuple[Any, Any]]]:
        """Return a call's arguments, and the places of the selected ones in them, as pairs of a container and a key."""
        if not self.each:
            raise ValueError(f"{'argnames' if self.by_name else 'argnums'} is empty: there is nothing to differentiate with respect to")
        if self.by_name:
            call = self.signature.bind_partial(*args, **kwargs)
            call.apply_defaults()
            places = [(call.arguments if name in self.names else call.arguments[self.rest], name) for name in self.each]
            for container, name in places:
                if name not in container:
                    raise TypeError(f"{name_of(self.fun)} is differentiated with respect to {name!r}, which was not passed")
            return call, places
        if not all(-len(args) <= i < len(args) for i in self.each):
            needed = max(i + 1 if i >= 0 else -i for i in self.each)
            raise (TypeError if max(self.each) >= len(args) else ValueError)(
                f"differentiating with respect to argnums={self.wanted} requires at least {needed} positional arguments "
                f"to be passed by the caller, but got only {len(args)} positional arguments. Those passed by keyword, "
                f"or left at their defaults, do not count: select them by name, with argnames="
            )
        positions = [i % len(args) for i in self.each]
        self._check_unique(positions)
        new_args = list(args)
        return new_args, [(new_args, i) for i in positions]

    def selected(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the selected argument of a call, or a tuple of the selected arguments."""
        if type(self.wanted) is int and 0 <= self.wanted < len(args):  # the usual case
            return args[self.wanted]
        values = tuple(container[key] for container, key in self._places(args, kwargs)[1])
        return values[0] if self.is_one else values

    def replaced(self, args: tuple, kwargs: dict[str, Any], new: Any) -> tuple[Sequence, dict[str, Any]]:
        """Return the arguments of a call, with new values for the selected arguments."""
        if type(self.wanted) is int:
            new_args = list(args)
            new_args[self.wanted] = new
            return new_args, kwargs
        call, places = self._places(args, kwargs)
        for (container, key), value in zip(places, (new,) if self.is_one else new):
            container[key] = value
        return (call.args, call.kwargs) if self.by_name else (call, kwargs)

    def place(self, i: int, structure: tree.Structure, args: tuple) -> str:
        """Return the place of leaf number i, as the user would write it: ``params['w'][0]``."""
        path = tree.paths(structure)[i]
        which, rest = (self.each[0], path) if self.is_one else (self.each[path[0].idx], path[1:])
        if not self.by_name:
            kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            names = [name for name, p in signature_of(self.fun).parameters.items() if p.kind in kinds]
            position = which % len(args)
            which = names[position] if position < len(names) else f"args[{position}]"
        return which + tree.keystr(rest)
