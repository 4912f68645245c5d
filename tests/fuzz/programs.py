"""Random NumPy programs, written as text.

A program grows statement by statement. Each statement is run at once, in plain NumPy, so the next one can use what is
there: `Writer.env` holds the values of all names. A statement that NumPy refuses, or whose numbers get too large, is
dropped. So every program that comes out runs in NumPy. All decisions are drawn from one function, ``pick(n)``, which
returns a number below n. Hypothesis provides it, and so can make a program that fails smaller.

A program has these parts. `leaves` gives the arguments their layout in memory; the arrays X0, X1, ... are dense.

    def leaves(X0, X1):
        return [np.asfortranarray(X0), X1]

    def program(x0, x1):
        v0 = np.sin(x0)
        v0[0] = x1
        return [x0, x1, v0]
"""

from __future__ import annotations

import textwrap
import warnings
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np

from . import reference, statements
from .reference import NARROW

HELPERS = '''
def frozen(a):
    """A copy that cannot be written into."""
    a = a.copy()
    a.flags.writeable = False
    return a


def symmetric(a):
    return (a + a.T) / 2


def squared(x):
    return x * x


def minus_square(x):
    return -x * x


def scaled(row):
    return row * row.sum()


def total(a, axis):
    return a.sum(axis)


class Index:
    """A number that an index asks for."""

    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number
'''

FUNCTIONS: dict[str, Any] = {}
exec(HELPERS, FUNCTIONS)

# The dtypes that the arrays of a program have. The first is the usual one.
PALETTES = [
    ["F64"],
    ["F64", "C128"],
    ["F32"],
    ["F64", "F32"],
    ["C128", "F64"],
    ["F16"],
    ["C64", "F32"],
    ["F16", "F32"],
    ["F64"],
]
SHAPES = [(3,), (2, 3), (3, 3), (), (4,), (2, 2), (3, 1), (2, 2, 2), (1,), (3, 2)]
LAYOUTS = {
    "plain": "{0}",
    "Fortran": "np.asfortranarray({0})",
    "backwards": "{0}[::-1].copy()[::-1]",
    "gaps": "np.repeat({0}, 2, -1)[..., ::2]",
    "rows with gaps": "np.repeat({0}, 2, 0)[::2]",
    "transposed": "{0}.T.copy().T",
    "broadcast": "np.broadcast_to({0}[:1], {0}.shape)",
    "read-only": "frozen({0})",
    "a column": "np.stack([{0}, {0}], -1)[..., 0]",
}
NUMBERS = {"array": "{0}", "NumPy scalar": "{0}[()]", "Python number": "{0}.item()"}


def numbers(shape: tuple, salt: int, is_complex: bool = False) -> np.ndarray:
    """Different numbers, of both signs for some salts. They are exact in float16."""
    rng = np.random.default_rng(salt)
    size = int(np.prod(shape))
    found = (rng.choice(52, size, replace=size > 52) + 11) / 32
    if salt % 3 == 2:
        found = found * rng.choice([-1, 1], size)
    if is_complex:
        found = found + 1j * (rng.choice(52, size, replace=size > 52) - 20) / 32
    return found.reshape(shape)


@dataclass
class Leaf:
    """An argument: numbers, the name of their dtype, and an expression for their layout."""

    dense: np.ndarray
    dtype: str
    layout: str


@dataclass
class Program:
    """A program, and where its values come from."""

    leaves: list[Leaf]
    statements: list[str]
    outputs: list[str]
    palette: list[str]
    used: list[str] = field(default_factory=list)  # the names of functions, for the summary
    is_rough: bool = False  # it has a gradient inside, which the reference knows to a few digits less

    @property
    def text(self) -> str:
        names = [f"x{i}" for i in range(len(self.leaves))]
        arrays = [f"X{i}" for i in range(len(self.leaves))]
        layouts = ", ".join(leaf.layout.format(array) for leaf, array in zip(self.leaves, arrays))
        body = textwrap.indent("\n".join([*self.statements, f"return [{', '.join(self.outputs)}]"]), "    ")
        return (
            f"def leaves({', '.join(arrays)}):\n    return [{layouts}]\n\n\n" f"def program({', '.join(names)}):\n{body}\n"
        )

    @property
    def code(self) -> Any:
        return compile(self.text, "<program>", "exec")


class Writer:
    """Writes a program. ``pick(n)`` decides, `length` is the number of tries, and `without` names kinds to leave out.

    Attributes
    ----------
    env : dict
        All names, and their values in plain NumPy.
    traced : list of str
        The names of values that depend on an argument of the program.
    constants : list of str
        Those of arrays, lists and dicts that do not. They may be changed.
    """

    def __init__(self, pick: Callable[[int], int], length: int, without: frozenset[str] = frozenset()) -> None:
        self.pick, self.without = pick, without
        self.palette = PALETTES[pick(len(PALETTES))]
        self.is_wide = not {"F16", "F32", "C64"} & set(self.palette)
        self.is_rough = False
        self.limit = 50.0 if "F16" in self.palette else 1e3
        self.leaves = [self.leaf() for _ in range(1 + pick(2))]
        self.lines: list[str] = []
        self.used: list[str] = []
        self.count = 0
        self.env = self.start()
        self.traced = [f"x{i}" for i in range(len(self.leaves))]
        self.constants: list[str] = []
        kinds = [kind for kind in statements.KINDS if kind.__name__ not in without]
        weights = [statements.KINDS[kind] for kind in kinds]
        for _ in range(length):
            number = pick(sum(weights))
            kind = next(kind for i, kind in enumerate(kinds) if number < sum(weights[: i + 1]))
            pending = self.lines[:], self.traced[:], self.constants[:], self.used[:]
            try:
                kind(self)
            except statements.Impossible:  # what it has done is undone: the lines before it run again
                self.lines, self.traced, self.constants, self.used = pending
                self.env = self.start()
                for line in self.lines:
                    self.run(line)

    # What is decided

    def one_of(self, options: Any) -> Any:
        return options[self.pick(len(options))]

    def chance(self, n: int) -> bool:
        """True once in n times. It gets false when a program is made smaller."""
        return self.pick(n) == n - 1

    def leaf(self) -> Leaf:
        shape, dtype = self.one_of(SHAPES), self.one_of(self.palette)
        # A Python number among narrow arrays is left out: there, np.sin(x) is narrow in minigrad, and float64 in NumPy.
        layouts = (
            LAYOUTS if shape else NUMBERS if self.is_wide else {k: v for k, v in NUMBERS.items() if k != "Python number"}
        )
        layout = layouts[self.one_of(list(layouts))]
        return Leaf(numbers(shape, self.pick(1000), dtype.startswith("C")), dtype, layout)

    def finished(self) -> Program:
        outputs = [name for name in self.traced if name in self.env and statements.is_numeric(self.env[name])]
        return Program(self.leaves, self.lines, outputs, self.palette, self.used, self.is_rough)

    # What is run

    def start(self) -> dict[str, Any]:
        env = {"np": np, **reference.plain_names(), **NARROW, **FUNCTIONS}
        for i, leaf in enumerate(self.leaves):
            env[f"x{i}"] = eval(leaf.layout.format("X"), env | {"X": leaf.dense.astype(NARROW[leaf.dtype])})
        return env

    def run(self, line: str) -> None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exec(compile(line, "<statement>", "exec"), self.env)

    def add(self, line: str) -> None:
        """Add a statement, or give up all that were added by this `statements.KINDS`."""
        try:
            self.run(line)
        except Exception as error:
            raise statements.Impossible from error
        for name in (*self.traced, *self.constants):
            value = self.env.get(name)
            if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc":
                if value.size > 100 or not np.isfinite(value).all() or np.abs(value).max(initial=0) > self.limit:
                    raise statements.Impossible
        self.lines.append(line)

    def define(self, expression: str, traced: bool = True) -> str:
        """Give an expression a name. Several results get names each."""
        name = self.new("v" if traced else "k")
        self.add(f"{name} = {expression}")
        value = self.env[name]
        if isinstance(value, (tuple, list)) and traced:
            for i, member in enumerate(value[:3]):
                if statements.is_numeric(member):
                    part = self.new("v")
                    self.add(f"{part} = {name}[{i}]")
                    self.traced.append(part)
        else:
            (self.traced if traced else self.constants).append(name)
        for part in self.traced[-3:] if traced else ():
            value = self.env[part]
            if not statements.is_numeric(value) or np.size(value) > 100 or not np.isfinite(value).all():
                raise statements.Impossible
        return name

    def new(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"
