"""The way into a program and out of it: a function that is written for arguments of one form.

A program takes a flat list of numbers and arrays, and returns one. A small program takes less time than `tree.flatten` and
a search for the form of the arguments. So `quick` writes a function for arguments of one form. The function only checks that
the arguments have this form, and it knows where the inputs are in them. For ``step({'w': 0.5}, x)`` it is

    def call(args, kwargs):
        if type(args) is not tuple: return MISS
        if len(args) != 2: return MISS
        v0, v1 = args
        if type(v0) is not dict: return MISS
        if len(v0) != 1: return MISS
        try: v2 = v0['w']
        except KeyError: return MISS
        if type(v2) is not float: return MISS
        if type(v1) is not ndarray or v1.shape != (100,) or v1.dtype != float64: return MISS
        if type(kwargs) is not dict: return MISS
        if len(kwargs) != 0: return MISS
        r0, r1 = run(v2, v1)
        return (r0, {'w': r1})
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .. import tree
from .operations import Name

MISS = object()  # what the function returns if the arguments have another form


def quick(args: tuple, kwargs: dict[str, Any], is_input: list[bool], run: Callable[..., list], outputs: Any) -> Callable | None:
    """Return a function of the arguments, ``(args, kwargs)``, that runs a program if they have the form of these.

    Parameters
    ----------
    args, kwargs
        The arguments of a call.
    is_input : list of bool
        For each leaf of ``(args, kwargs)``, whether it is an input, and not static.
    run : callable
        The program. It takes the inputs, and returns a list of results.
    outputs : pytree
        The form of the results.

    Returns
    -------
    callable or None
        None if there is no quick way: a static leaf has a type with an equality of its own.
    """
    writer = Writer(is_input)
    writer.open("args", args)
    writer.open("kwargs", kwargs)
    if writer.is_slow:
        return None
    results = [f"r{i}" for i in range(tree.structure(outputs).num_leaves)]
    writer.lines.append(f"{''.join(f'{result}, ' for result in results) or '[]'} = run({', '.join(writer.inputs)})")
    writer.lines.append(f"return {writer.joined(outputs, iter(results))}")
    source = "def call(args, kwargs):\n " + "\n ".join(writer.lines)
    exec(compile(source, "<a call of minigrad.jit>", "exec"), writer.namespace)
    writer.namespace["run"] = run
    return writer.namespace.pop("call")


class Writer:
    """The lines of the function while it is written."""

    def __init__(self, is_input: list[bool]) -> None:
        self.is_input = iter(is_input)
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self.is_slow = False
        self.namespace: dict[str, Any] = {"MISS": MISS, "ndarray": ndarray}
        self.variables = 0

    def name(self) -> str:
        """A new name of a variable."""
        self.variables += 1
        return f"v{self.variables - 1}"

    def constant(self, value: Any) -> str:
        """The expression for an object."""
        if type(value) in (int, bool, str):
            return repr(value)
        name = f"c{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def open(self, name: str, value: Any) -> None:
        """Write how to take apart what a variable holds, which has the form of `value`."""
        container = tree.container_of(value)
        if container is None or value is None:
            self.check_leaf(name, value)
            return
        children, rest = container.split(value)
        children = list(children)
        names = [self.name() for _ in children]
        members = name
        self.lines.append(f"if type({name}) is not {self.constant(type(value))}: return MISS")
        if type(value) not in (dict, tuple, list):
            members = f"{name}_"
            self.lines.append(f"{members}, rest = {self.constant(container.split)}({name})")
            self.lines.append(f"if rest != {self.constant(rest)}: return MISS")
        self.lines.append(f"if len({members}) != {len(names)}: return MISS")
        if names and type(value) is dict:
            items = ", ".join(f"{name}[{self.constant(key)}]" for key in rest)
            self.lines += [f"try: {', '.join(names)}, = {items},", "except KeyError: return MISS"]
        elif names:
            self.lines.append(f"{', '.join(names)}, = {members}")
        for child_name, child in zip(names, children):
            self.open(child_name, child)

    def check_leaf(self, name: str, value: Any) -> None:
        """Write how to see whether a leaf is like `value`."""
        kind = type(value)
        if value is None:
            is_other = f"{name} is not None"
        elif next(self.is_input):
            self.inputs.append(name)
            is_other = f"type({name}) is not {self.constant(kind)}"
            if kind is ndarray:
                is_other += f" or {name}.shape != {self.constant(value.shape)} or {name}.dtype != {self.constant(value.dtype)}"
            elif kind not in (float, complex) and not issubclass(kind, np.generic):
                self.is_slow = True
        elif kind.__eq__ is object.__eq__:
            is_other = f"{name} is not {self.constant(value)}"
        elif kind in (int, bool, str, bytes) or (kind is float and value):  # 0.0 and -0.0 are equal, but not the same
            is_other = f"type({name}) is not {self.constant(kind)} or {name} != {self.constant(value)}"
        else:
            self.is_slow, is_other = True, "True"
        self.lines.append(f"if {is_other}: return MISS")

    def joined(self, value: Any, results: Any) -> str:
        """The expression for a tree like `value`, with the results at its leaves."""
        container = tree.container_of(value)
        if container is None or value is None:
            return "None" if value is None else next(results)
        children, rest = container.split(value)
        members = [Name(self.joined(child, results)) for child in children]
        if type(value) is dict:
            return repr({Name(self.constant(key)): member for key, member in zip(rest, members)})
        if type(value) in (tuple, list):
            return repr(type(value)(members))
        return f"{self.constant(container.join)}({self.constant(rest)}, [{', '.join(members)}])"
