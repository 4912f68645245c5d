"""Kernels: several operations as one loop over the elements of arrays, which Numba compiles.

NumPy computes ``((w * x + b - y) ** 2).sum()`` in five passes over memory. A kernel does it in one:

    def kernel(n0, s0, s1, a0, a1):
        x0 = 0.0; x0c = 0.0
        for start in range(0, n0, 128):
            x0b = 0.0
            for j0 in range(uintp(start), uintp(min(start + 128, n0))):
                t1 = a0[j0]
                t2 = s0 * t1
                ...
                x0b = reordered(x0b, t6)
            x0, x0c = carried(x0, x0c, x0b)
        t7 = total(x0, x0c)
        return t7

Steps over the same elements share a loop, unless one needs the result of a reduction in the loop. Computations with single
numbers stand between the loops. The source names no sizes and no variables of the program. So equal steps of a recurrence have
equal sources, and a source is compiled once in a process. Nothing is kept on disk: Numba does this only for functions in files.

Kernels run on one processor. On two, Numba's threads would take half the time for 100,000 elements and more. But Numba ends the process
if two threads of the program use them at once, or, with the other implementation of its threads, if the program forks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from .operations import Variable
from .steps import SUPPORTED, Step, dtype_of, without_ones

AS_THEY_ARE = tuple(map(np.dtype, ("?", "q", "d", "D")))  # the dtypes of Python's numbers
TAKE_IN = {"sum": "{} + {}", "max": "maximum({}, {})", "min": "minimum({}, {})"}  # how a reduction takes in an element
BLOCK = 128  # elements whose sum is computed in any order


@dataclass(eq=False)
class Kernel:
    """A call of a kernel: ``results = function(*sizes, *numbers, *arrays, *made)``. It writes into the arrays `made`."""

    source: str
    sizes: list[int]
    numbers: list[Variable]
    arrays: list[Variable]
    made: list[Variable]
    results: list[Variable]

    __name__ = "kernel"
    makes_new = True  # its results share memory with nothing else


class Writer:
    """The source of a kernel while it is written.

    Attributes
    ----------
    names : dict of Variable to str
        The names of numbers, and of the elements that the loop has computed.
    arrays : dict of Variable to str
        The names of arrays: a0 is given, o0 is made for the program, and m0 is only for the kernel.
    stored : set of Variable
        The results that are arrays. Others are only there while the loop is at an element.
    sizes : list of int
        How often each loop runs.
    """

    def __init__(self, steps: list[Step], wanted: set[Variable]) -> None:
        """Write it. `wanted` are the results that are used outside of the kernel."""
        self.lines: list[str] = []
        self.sizes: list[int] = []
        self.count = 0
        loops = in_loops(steps, wanted)
        steps = [step for _, members in loops for step in members]
        home = {step.result: i for i, (_, members) in enumerate(loops) for step in members}
        used = {v for i, (_, members) in enumerate(loops) for step in members for v in step.variables if home.get(v, i) != i}
        self.stored = {step.result for step in steps if step.is_array and (step.reduction or step.result in wanted | used)}
        given = dict.fromkeys(v for step in steps for v in step.variables if v not in home)
        numbers, arrays = ([v for v in given if bool(without_ones(v.shape)) == is_array] for is_array in (False, True))
        made = [step.result for step in steps if step.result in self.stored & wanted]
        results = [step.result for step in steps if step.result in wanted - self.stored]
        self.names = {v: f"s{i}" for i, v in enumerate(numbers)}
        self.arrays = {v: f"a{i}" for i, v in enumerate(arrays)} | {v: f"o{i}" for i, v in enumerate(made)}
        for v in numbers:
            if dtype_of(v) not in AS_THEY_ARE:
                self.line(0, f"{self.names[v]} = {code(dtype_of(v))}({self.names[v]})")
        for space, members in loops:
            if space:
                Loop(self, space, members).write()
            else:
                for step in members:
                    self.line(0, f"{self.new(step.result)} = {expression(step, [self.names.get(x) for x in step.operands])}")
        self.line(0, f"return {', '.join(self.names[v] for v in results)}".rstrip())
        names = [f"n{i}" for i in range(len(self.sizes))] + [f"s{i}" for i in range(len(numbers))]
        names += [self.arrays[v] for v in [*arrays, *made]]
        source = "\n".join([f"def kernel({', '.join(names)}):", *self.lines, ""])
        self.kernel = Kernel(source, self.sizes, numbers, arrays, made, results)

    def line(self, depth: int, text: str) -> None:
        """Append a line."""
        self.lines.append("    " * (depth + 1) + text)

    def fresh(self, letter: str) -> str:
        """Return a new name."""
        self.count += 1
        return f"{letter}{self.count - 1}"

    def new(self, v: Variable) -> str:
        """Return the new name of a value."""
        self.names[v] = self.fresh("t")
        return self.names[v]


class Loop:
    """A loop over all elements of some shape, or several loops, one in the other.

    Axes next to each other are joined into one if each array has all or none of them. So contiguous arrays of two axes need
    a single loop. A sum over the last axes is made in a variable. Any other sum, such as the sum of rows, is made in its array.

    Attributes
    ----------
    has : dict of access to list of bool
        Which of the loops go through an array. An access is the number of an operand and its step; or a step, whose result is
        stored.
    places : dict of access to str
        The expression for the element, such as ``a0[j0, j1]``.
    accumulators : dict of Step to (int, str)
        Of each reduction in a variable, the number of the first loop that it goes over, and the name.
    blocked : list of Step
        Those of them that are sums of floats.
    """

    def __init__(self, writer: Writer, space: tuple, members: list[Step]) -> None:
        self.writer, self.line, self.members = writer, writer.line, members
        axes = self.axes(space)
        columns = list(zip(*axes.values()))
        starts = [i for i in range(len(space)) if i == 0 or columns[i] != columns[i - 1]]
        self.depth = len(starts)
        self.sizes = [f"n{len(writer.sizes) + i}" for i in range(self.depth)]
        writer.sizes += [math.prod(space[a:b]) for a, b in zip(starts, [*starts[1:], len(space)])]
        self.has = {access: [pattern[i] for i in starts] for access, pattern in axes.items()}
        for step in members:
            if step.result in writer.stored and step.result not in writer.arrays:
                writer.arrays[step.result] = writer.fresh("m")
                count = " * ".join(size for size, has in zip(self.sizes, self.has[step]) if has)
                self.line(0, f"{writer.arrays[step.result]} = np.empty({count}, {code(dtype_of(step.result))})")
        self.places = {access: self.place(access) for access in self.has if self.array(access) in writer.arrays}
        in_a_variable = [step for step in members if step.reduction and sorted(self.has[step], reverse=True) == self.has[step]]
        self.accumulators = {step: (self.has[step].index(False), writer.fresh("x")) for step in in_a_variable}
        self.blocked = [step for step in in_a_variable if step.reduction == "sum" and dtype_of(step.result).kind in "fc"]

    def axes(self, space: tuple) -> dict[Any, tuple]:
        """Return for each access which axes of the space the array has."""
        elements = {step.result for step in self.members if not step.reduction}
        axes: dict[Any, tuple] = {}
        for step in self.members:
            for i, (x, shape) in enumerate(zip(step.operands, step.shapes)):
                if isinstance(x, Variable) and x not in elements and without_ones(x.shape):
                    axes[i, step] = tuple(n != 1 for n, m in zip(shape, step.space) if m != 1)
            if step.reduction:
                axes[step] = tuple(is_kept for is_kept, m in zip(step.kept or (), step.space) if m != 1)
            elif step.result in self.writer.stored:
                axes[step] = (True,) * len(space)
        return axes

    def array(self, access: Any) -> Variable:
        """The variable that is read or stored."""
        return access.result if isinstance(access, Step) else access[1].operands[access[0]]

    def place(self, access: Any) -> str:
        """The expression for an element of an array. If the array has other axes than the loops, write a line that changes them."""
        v = self.array(access)
        name = self.writer.arrays[v]
        through = [i for i in range(self.depth) if self.has[access][i]]
        axes_of_array = 1 if name[0] == "m" else len(v.shape)
        if axes_of_array != len(through) or (name[0] != "m" and len(without_ones(v.shape)) != len(through)):
            array = f"np.ascontiguousarray({name})" if name[0] == "a" else name
            name = self.writer.fresh("v")
            self.line(0, f"{name} = {array}.reshape(({''.join(self.sizes[i] + ', ' for i in through)}))")
        return f"{name}[{', '.join(f'j{i}' for i in through)}]"

    def write(self) -> None:
        """Write the lines."""
        for step in self.members:
            if step.reduction and step not in self.accumulators:
                self.line(0, f"{self.places[step].partition('[')[0]}[...] = {start_of(step)}")
        for i in range(self.depth):
            for step, (first, name) in self.accumulators.items():
                if first == i:
                    self.line(i, f"{name} = {start_of(step)}" + (f"; {name}c = {start_of(step)}" if step in self.blocked else ""))
            if i == self.depth - 1 and self.blocked:
                self.line(i, f"for start in range(0, {self.sizes[i]}, {BLOCK}):")
                for step in self.blocked:
                    self.line(i + 1, f"{self.accumulators[step][1]}b = {start_of(step)}")
                self.line(i + 1, f"for j{i} in range(uintp(start), uintp(min(start + {BLOCK}, {self.sizes[i]}))):")
            else:
                self.line(i, f"for j{i} in range({self.sizes[i]}):")
        self.write_body(self.depth + bool(self.blocked))
        for step in self.blocked:
            name = self.accumulators[step][1]
            self.line(self.depth, f"{name}, {name}c = carried({name}, {name}c, {name}b)")
        for step, (first, name) in sorted(self.accumulators.items(), key=lambda item: -item[1][0]):
            text = f"total({name}, {name}c)" if step in self.blocked else name
            self.line(first, f"{self.places.get(step) or self.writer.new(step.result)} = {text}")
        for step in self.members:
            if step.is_array:
                self.writer.names.pop(step.result, None)

    def write_body(self, depth: int) -> None:
        """Write what is done for each element."""
        read: dict[str, str] = {}  # the names of the elements of arrays
        for step in self.members:
            texts = []
            for i, x in enumerate(step.operands):
                place = self.places.get((i, step))
                if place and place not in read:
                    read[place] = self.writer.fresh("t")
                    self.line(depth, f"{read[place]} = {place}")
                texts.append(read[place] if place else self.writer.names.get(x))
            text = expression(step, texts)
            if step in self.blocked:
                name = self.accumulators[step][1] + "b"
                self.line(depth, f"{name} = reordered({name}, {text})")
            elif step.reduction:
                name = self.accumulators[step][1] if step in self.accumulators else self.places[step]
                self.line(depth, f"{name} = {in_dtype(TAKE_IN[step.reduction].format(name, text), dtype_of(step.result))}")
            else:
                self.line(depth, f"{self.writer.new(step.result)} = {text}")
                if step in self.places:
                    self.line(depth, f"{self.places[step]} = {self.writer.names[step.result]}")


def in_loops(steps: list[Step], wanted: set[Variable]) -> list[tuple[tuple, list[Step]]]:
    """Return the loops of a kernel, in order: the shape of each, and its steps.

    Loops have odd levels. What computes with numbers between two loops has an even level. A step comes as early as it can; or with the
    first step that uses it, if nothing more has to be stored for it then.
    """
    made = {step.result: step for step in steps}
    users: dict[Variable, list[Step]] = {step.result: [] for step in steps}
    level: dict[Variable, int] = {}
    for step in steps:
        lowest = 1 if step.loop else 0
        for x in step.variables:
            if x in made:
                users[x].append(step)
                before = level[x]
                if not step.loop:
                    lowest = max(lowest, before + before % 2)
                elif made[x].loop and (made[x].loop != step.loop or made[x].reduction):
                    lowest = max(lowest, before + 2)
                else:
                    lowest = max(lowest, before + 1 - before % 2)
        level[step.result] = lowest
    for step in reversed(steps):
        if step.is_array and not step.reduction and step.result not in wanted:
            levels = [level[user.result] - 2 * (user.loop != step.loop) for user in users[step.result]]
            last = min(levels, default=level[step.result])
            maps = [x for x in step.variables if x in made and made[x].is_array and not made[x].reduction]
            if all(level[user.result] >= last for x in maps for user in users[x] if user is not step):
                level[step.result] = last
    loops: dict[tuple, list[Step]] = {}
    for step in steps:
        loops.setdefault((level[step.result], step.loop), []).append(step)
    return [(loop, members) for (_, loop), members in sorted(loops.items(), key=lambda item: item[0][0])]


# ---- Expressions ----------------------------------------------------------------------------------------------------


def expression(step: Step, names: list[str | None]) -> str:
    """The expression for what a step computes from its operands, in the dtype of its result. Numbers have no name."""
    texts = [
        converted(name, dtype_of(x), dtype) if name else literal(x, dtype)
        for x, name, dtype in zip(step.operands, names, step.dtypes)
    ]
    if step.text == "{}":
        return converted(texts[0], step.dtypes[0], dtype_of(step.result))
    return in_dtype(step.text.format(*texts), dtype_of(step.result))


def in_dtype(text: str, dtype: np.dtype) -> str:
    """The expression for a result. Numba computes with small integers in int64, and some functions of float32 in float64."""
    return text if dtype in AS_THEY_ARE or dtype.kind == "c" else f"{code(dtype)}({text})"


def converted(text: str, given: np.dtype, wanted: np.dtype) -> str:
    """The expression for a value in another dtype."""
    if given == wanted:
        return text
    if given.kind == "b":
        return f"({literal(1, wanted)} if {text} else {literal(0, wanted)})"
    return f"({text} != 0)" if wanted.kind == "b" else f"{code(wanted)}({text})"


def literal(value: Any, dtype: np.dtype) -> str:
    """The expression for a number."""
    number = dtype.type(value).item()
    text = f"({number!r})".replace("inf", "np.inf").replace("nan", "np.nan")
    if isinstance(number, complex):
        text = f"complex({literal(number.real, np.dtype(float))}, {literal(number.imag, np.dtype(float))})"
    return text if dtype in AS_THEY_ARE else f"{code(dtype)}{text if text[0] == '(' else f'({text})'}"


def code(dtype: np.dtype) -> str:
    """The name of a dtype in the source, such as f4."""
    return dtype.str[1:]


def start_of(step: Step) -> str:
    """What a reduction starts with."""
    dtype = dtype_of(step.result)
    if step.reduction == "sum":
        return literal(0, dtype)
    limits = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return literal(limits[step.reduction == "min"], dtype)


# ---- Functions in kernels -------------------------------------------------------------------------------------------
# A sum is made of the sums of blocks. Within a block the compiler may choose the order, and use vector instructions. This is allowed
# for these additions alone: everything else is computed as it is written. The rounding errors of the additions of blocks are carried
# along, so that a sum of millions is as exact as NumPy's.


def reordered(a: Any, b: Any) -> Any:
    """a + b, where the compiler may choose the order of several such additions."""
    return a + b


def carried(a: Any, c: Any, b: Any) -> Any:
    """a + b, and the sum of rounding errors. The formula of Knuth, "The Art of Computer Programming", volume 2, 4.2.2."""
    s = a + b
    d = s - a
    return s, c + ((a - (s - d)) + (b - d))


def total(a: Any, c: Any) -> Any:
    """A sum with its rounding errors. These are NaN if it is infinite."""
    return a + c if c == c else a


def maximum(a: Any, b: Any) -> Any:
    return a if a >= b or a != a else b


def minimum(a: Any, b: Any) -> Any:
    return a if a <= b or a != a else b


def sign(x: Any) -> Any:
    return 1.0 if x > 0 else -1.0 if x < 0 else 0.0 if x == 0 else x


def remainder(a: Any, b: Any) -> Any:
    c = np.fmod(a, b)
    return np.copysign(0.0, b) if c == 0 else c + b if (c < 0) != (b < 0) else c


OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
NAMESPACE: dict[str, Any] = {dtype.str[1:]: dtype.type for dtype in SUPPORTED}
NAMESPACE |= {"np": np, "uintp": np.uintp, "reordered": numba.njit(fastmath={"reassoc"}, **OPTIONS)(reordered)}
HELPERS = (carried, total, maximum, minimum, sign, remainder)
NAMESPACE |= {function.__name__: numba.njit(**OPTIONS)(function) for function in HELPERS}


FUNCTIONS: dict[str, Callable] = {}  # of the sources so far


def compiled(source: str) -> Callable:
    """Return the function of a source. Equal sources have one. Numba compiles it at the first call."""
    if source not in FUNCTIONS:
        namespace = dict(NAMESPACE)
        exec(compile(source, "<a kernel of minigrad.jit>", "exec"), namespace)
        FUNCTIONS[source] = numba.njit(**OPTIONS)(namespace["kernel"])
    return FUNCTIONS[source]
