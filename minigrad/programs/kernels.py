"""Kernels: several operations as one loop over the elements of arrays, which Numba compiles.

NumPy computes ``((w * x + b - y) ** 2).sum()`` in five passes over memory. A kernel does it in one:

    def kernel(n0, s0, s1, a0, a1):
        x0 = 0.0; x0c = 0.0
        for start in range(0, n0, 128):
            x0b = 0.0
            for j0 in range(uintp(start), uintp(min(start + 128, n0))):
                t0 = s0 * a0[j0]
                ...
                x0b = reordered(x0b, t3)
            x0, x0c = carried(x0, x0c, x0b)
        t4 = total(x0, x0c)
        return t4

An operation becomes one or two steps: a map (an element of the result is computed from one element of each operand) or a
reduction. Steps over the same elements, none of which needs the result of a reduction among them, share a loop. The source names
no sizes and no variables of the program, so that equal steps of a recurrence have equal sources, which are compiled once.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from .numpy_backend import UFUNCS as OF_PYTHON
from .numpy_backend import summed_axes
from .operations import Method, Operation, Variable

# ---- What steps compute ---------------------------------------------------------------------------------------------

# What computes one element: the kinds of dtypes (bool, int, unsigned, float, complex) for which the text does what NumPy does.
TEXTS: dict[Any, tuple[str, str]] = {
    np.add: ("iufc", "{} + {}"), np.subtract: ("iufc", "{} - {}"), np.multiply: ("iufc", "{} * {}"), np.divide: ("f", "{} / {}"),
    np.negative: ("iufc", "-{}"), np.positive: ("iufc", "{}"), np.square: ("iufc", "{0} * {0}"), np.absolute: ("if", "abs({})"),
    np.fabs: ("f", "abs({})"), np.conjugate: ("iuf", "{}"), np.power: ("f", "{} ** {}"), np.sqrt: ("f", "np.sqrt({})"),
    np.equal: ("biufc", "{} == {}"), np.not_equal: ("biufc", "{} != {}"), np.less: ("iuf", "{} < {}"),
    np.less_equal: ("iuf", "{} <= {}"), np.greater: ("iuf", "{} > {}"), np.greater_equal: ("iuf", "{} >= {}"),
    np.bitwise_and: ("biu", "{} & {}"), np.bitwise_or: ("biu", "{} | {}"), np.bitwise_xor: ("biu", "{} ^ {}"),
    np.logical_and: ("b", "{} & {}"), np.logical_or: ("b", "{} | {}"), np.logical_not: ("b", "not {}"), np.invert: ("b", "not {}"),
    np.maximum: ("iuf", "maximum({}, {})"), np.minimum: ("iuf", "minimum({}, {})"), np.sign: ("f", "sign({})"),
    np.remainder: ("f", "remainder({}, {})"),
}
# Functions that Numba has under the same name.
TEXTS |= {
    getattr(np, name): ("f", f"np.{name}({', '.join(['{}'] * getattr(np, name).nin)})")
    for name in "isnan isinf isfinite signbit floor ceil trunc rint reciprocal fmax fmin copysign hypot cbrt deg2rad rad2deg "
    "logaddexp exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh arctan2".split()
}
# NumPy computes these with vector instructions, and Numba does not. For more elements than that, NumPy takes less time.
VECTORIZED = {np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sin, np.cos, np.tan, np.arcsin, np.arccos,
              np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh, np.arctan2, np.power}
FEW = 128
SUPPORTED = {np.dtype(code) for code in "? b h i l q B H I L Q f d F D".split()}
SAME_ELEMENTS = {np.broadcast_to, np.reshape, np.expand_dims, np.squeeze, np.ravel, operator.getitem}
PRODUCTS = {np.matmul, np.dot, np.vdot, np.inner, np.outer}
# Reductions, and how each takes in an element.
REDUCTIONS: dict[Any, tuple[str, str]] = {
    np.sum: ("sum", "{} + {}"), np.mean: ("sum", "{} + {}"), np.max: ("max", "maximum({}, {})"), np.min: ("min", "minimum({}, {})"),
}


@dataclass(eq=False)
class Step:
    """What a kernel does for an operation.

    Attributes
    ----------
    result : Variable
    operands : list
        Variables and numbers.
    shapes : list of tuple
        The shapes of the operands, as they are aligned with `space`. They have ones where an operand is broadcast.
    dtypes : list of numpy.dtype
        To what each operand is converted first.
    text : str
        What is computed for each element, a format string.
    space : tuple of int
        The shape of the loop.
    kept : tuple of bool, or None
        Of a reduction, the axes of `space` that the result has. Of a map, None.
    reduction : str
        "sum", "max", "min", or "" for a map.
    """

    result: Variable
    operands: list
    shapes: list
    dtypes: list
    text: str
    space: tuple
    kept: tuple | None = None
    reduction: str = ""

    def read_through(self, aliases: dict[Variable, tuple[Variable, list[bool]]]) -> None:
        """Take the operands of `aliases` in place of their results."""
        for i, x in enumerate(self.operands):
            while x in aliases:
                x, has = aliases[x]
                axes = iter(has)
                self.shapes[i] = tuple(n if n == 1 or next(axes) else 1 for n in self.shapes[i])
                self.operands[i] = x

    @property
    def loop(self) -> tuple:
        """The shape of the loop without axes of length 1. () means that there is none, and the step computes with numbers."""
        return without_ones(self.space)


def without_ones(shape: tuple) -> tuple:
    """Return a shape without the axes of length 1."""
    return tuple(n for n in shape if n != 1)


def dtype_of(value: Any) -> np.dtype:
    """Return the dtype with which a kernel computes with a variable or number."""
    return np.dtype(value.dtype) if isinstance(value, (Variable, np.generic)) else np.asarray(value).dtype


def steps_of(operation: Operation) -> list[Step]:
    """Return the steps that do what an operation does. The list is empty if kernels cannot do it."""
    function, args, kwargs = operation.function, operation.args, operation.kwargs
    result = operation.result
    if isinstance(result, tuple) or dtype_of(result) not in SUPPORTED or any(v.dtype not in SUPPORTED for v in operation.operands if not v.is_weak):
        return []
    if any(0 in v.shape for v in (result, *operation.operands)):
        return []
    axes = summed_axes(operation) if function in REDUCTIONS else None
    if axes is not None:
        return reduction_steps(operation, axes)
    if function in PRODUCTS and len(args) == 2 and not kwargs and dtype_of(result).kind == "f":
        return product_steps(operation)
    ufunc = OF_PYTHON.get(function, function)
    if isinstance(ufunc, np.ufunc):
        return map_steps(operation, ufunc)
    if function in (float, complex) and isinstance(args[0], Variable) and dtype_of(args[0]).kind in "iufb":
        return [mapped(result, args, "{}")]
    if function is np.where and len(args) == 3 and not kwargs:
        dtypes = [np.dtype(bool), dtype_of(result), dtype_of(result)]
        return [mapped(result, args, "{1} if {0} else {2}", dtypes)] if all(map(is_operand, args)) else []
    if function == Method("astype") and isinstance(args[0], Variable) and np.can_cast(dtype_of(args[0]), result.dtype, "same_kind"):
        return [mapped(result, args[:1], "{}")]
    return []


def is_operand(value: Any) -> bool:
    """Whether a value is an operand that a kernel can take."""
    return isinstance(value, (Variable, bool, int, float, complex)) or (isinstance(value, np.generic) and value.dtype in SUPPORTED)


def alias(operation: Operation) -> tuple[Variable, list[bool]] | None:
    """Return where a kernel finds the elements of a result that has those of its operand in the same order, broadcast or not.

    Returns
    -------
    pair or None
        The operand, and for each axis of the result that is longer than 1, whether the operand has it. None for other operations.
    """
    function, args, result = operation.function, operation.args, operation.result
    if function not in SAME_ELEMENTS or operation.operands != [args[0]] or operation.kwargs.keys() - {"axis", "shape"}:
        return None
    x = args[0]
    if function is np.broadcast_to:
        return x, [n != 1 for n, m in zip(aligned(x.shape, result.shape), result.shape) if m != 1]
    if function is operator.getitem:
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        if not all(part is None or part is Ellipsis or (isinstance(part, slice) and part == slice(None)) for part in index):
            return None
    return (x, [True] * len(without_ones(x.shape))) if without_ones(x.shape) == without_ones(result.shape) else None


def aligned(shape: tuple, space: tuple) -> tuple:
    """Return a shape with ones in front, as NumPy broadcasts it."""
    return (1,) * (len(space) - len(shape)) + tuple(shape)


def mapped(result: Variable, args: Any, text: str, dtypes: list | None = None) -> Step:
    """Return the step that computes each element of the result from one element of each operand."""
    shapes = [aligned(x.shape if isinstance(x, Variable) else (), result.shape) for x in args]
    return Step(result, list(args), shapes, dtypes or [dtype_of(result)] * len(args), text, result.shape)


def map_steps(operation: Operation, ufunc: np.ufunc) -> list[Step]:
    """Return the step of a ufunc. NumPy says to which dtypes it converts the operands."""
    args, result = operation.args, operation.result
    kinds, text = TEXTS.get(ufunc, ("", ""))
    if not kinds or len(args) != ufunc.nin or any(value is not None for value in operation.kwargs.values()) or not all(map(is_operand, args)):
        return []
    if ufunc in VECTORIZED and math.prod(result.shape) > FEW:
        return []
    if kinds == "b" and ufunc is not np.invert:  # of a logical function, which has a loop for each dtype
        dtypes = [np.dtype(bool)] * len(args)
    else:
        types = [x.dtype if isinstance(x, (Variable, np.generic)) else type(x) for x in args]
        if all(isinstance(dtype, type) for dtype in types) or bool in types:
            types = [np.dtype(dtype) for dtype in types]
        dtypes = list(ufunc.resolve_dtypes((*types, *[None] * ufunc.nout))[: ufunc.nin])
    if len(set(dtypes)) > 1 or dtypes[0].kind not in kinds or dtypes[0] not in SUPPORTED:
        return []
    try:
        for x, dtype in zip(args, dtypes):
            isinstance(x, int) and dtype.type(x)
    except OverflowError:  # an integer that NumPy compares with others as it is
        return []
    return [mapped(result, args, text, dtypes)]


def product_steps(operation: Operation) -> list[Step]:
    """Return the step of a product of two vectors, or of a column and a row. Other products are NumPy's."""
    (a, b), result = operation.args, operation.result
    if not isinstance(a, Variable) or not isinstance(b, Variable):
        return []
    dtypes = [dtype_of(result)] * 2
    if len(a.shape) == len(b.shape) == 1 and result.shape == () and a.shape != (1,):
        return [Step(result, [a, b], [a.shape, b.shape], dtypes, "{} * {}", a.shape, (False,), "sum")]
    if operation.function is np.outer and len(a.shape) == len(b.shape) == 1:
        return [Step(result, [a, b], [(*a.shape, 1), (1, *b.shape)], dtypes, "{} * {}", result.shape)]
    if operation.function in (np.matmul, np.dot) and len(a.shape) == len(b.shape) == 2 and a.shape[1] == 1:
        return [Step(result, [a, b], [a.shape, b.shape], dtypes, "{} * {}", result.shape)]
    return []


def reduction_steps(operation: Operation, axes: tuple) -> list[Step]:
    """Return the step of a reduction, and for a mean a second one, which divides."""
    x, result = operation.args[0], operation.result
    reduction, _ = REDUCTIONS[operation.function]
    dtype = dtype_of(result)
    if reduction != "sum" and dtype.kind not in "iuf" or dtype.kind == "b":
        return []
    kept = tuple(i not in axes for i in range(len(x.shape)))
    count = math.prod(n for n, is_kept in zip(x.shape, kept) if not is_kept)
    total = Variable("", result.shape, dtype) if operation.function is np.mean else result
    if count > 1:
        first = Step(total, [x], [x.shape], [dtype], "{}", x.shape, kept, reduction)
    elif reduction == "sum":
        first = Step(total, [x, 0], [result.shape, ()], [dtype] * 2, "{} + {}", result.shape)  # the sum of -0.0 is 0.0
    else:
        first = Step(total, [x], [result.shape], [dtype], "{}", result.shape)
    return [first, mapped(result, [total, float(count)], "{} / {}")] if operation.function is np.mean else [first]


# ---- The source of a kernel -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Kernel:
    """A call of a kernel: ``numbers = function(*sizes, *numbers, *arrays, *made)``. It writes into the arrays `made`."""

    source: str
    sizes: list[int]
    numbers: list[Variable]
    arrays: list[Variable]
    made: list[Variable]
    results: list[Variable]

    __name__ = "kernel"

    def compiled(self) -> Callable:
        """Return the function."""
        return compiled(self.source)


class Writer:
    """The source of a kernel while it is written.

    Attributes
    ----------
    wanted : set of Variable
        The results that are used outside of the kernel.
    names : dict of Variable to str
        The names of numbers, and of the elements of arrays that the loop has computed or read.
    arrays : dict of Variable to str
        The names of arrays.
    """

    def __init__(self, steps: list[Step], wanted: set[Variable]) -> None:
        self.lines: list[str] = []
        self.names: dict[Variable, str] = {}
        self.arrays: dict[Variable, str] = {}
        self.sizes: list[int] = []
        self.count = 0
        loops = in_loops(steps)
        self.home = {step.result: i for i, (_, members) in enumerate(loops) for step in members}
        used_elsewhere = {v for i, (_, members) in enumerate(loops) for step in members for v in variables_of(step) if self.home.get(v, i) != i}
        self.stored = {step.result for step in steps if without_ones(step.result.shape) and (step.reduction or step.result in wanted | used_elsewhere)}
        operands = dict.fromkeys(v for _, members in loops for step in members for v in variables_of(step) if v not in self.home)
        numbers = [v for v in operands if not without_ones(v.shape)]
        arrays = [v for v in operands if without_ones(v.shape)]
        made = [step.result for _, members in loops for step in members if step.result in self.stored & wanted]
        results = [step.result for _, members in loops for step in members if step.result in wanted - self.stored]
        self.names |= {v: f"s{i}" for i, v in enumerate(numbers)}
        self.arrays |= {v: f"a{i}" for i, v in enumerate(arrays)} | {v: f"o{i}" for i, v in enumerate(made)}
        for v in numbers:
            self.convert_number(v)
        for space, members in loops:
            if space:
                self.loop(space, members)
            else:
                for step in members:
                    self.line(0, f"{self.new(step.result)} = {self.expression(step, {})}")
        self.line(0, f"return {', '.join(self.names[v] for v in results)}")
        names = [f"n{i}" for i in range(len(self.sizes))] + [f"s{i}" for i in range(len(numbers))]
        names += [self.arrays[v] for v in [*arrays, *made]]
        source = "\n".join([f"def kernel({', '.join(names)}):", *self.lines, ""])
        self.kernel = Kernel(source, self.sizes, numbers, arrays, made, results)

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * (depth + 1) + text)

    def fresh(self, letter: str) -> str:
        """Return a new name."""
        self.count += 1
        return f"{letter}{self.count - 1}"

    def new(self, v: Variable, letter: str = "t") -> str:
        """Return the new name of a value."""
        self.names[v] = self.fresh(letter)
        return self.names[v]

    def convert_number(self, v: Variable) -> None:
        """Numbers come in as Python's. Give them their dtype."""
        dtype = dtype_of(v)
        if dtype not in map(np.dtype, ("?", "q", "d", "D")):
            self.line(0, f"{self.names[v]} = {code(dtype)}({self.names[v]})")

    # ---- Expressions

    def expression(self, step: Step, elements: dict) -> str:
        """The expression for what a step computes from one element of each operand, in the dtype of its result."""
        texts = []
        for i, (x, dtype) in enumerate(zip(step.operands, step.dtypes)):
            if isinstance(x, Variable):
                texts.append(converted(elements.get((i, step)) or self.names[x], dtype_of(x), dtype))
            else:
                texts.append(literal(x, dtype))
        text, result = step.text.format(*texts), dtype_of(step.result)
        if step.text == "{}":
            return converted(texts[0], step.dtypes[0], result)
        # Numba computes with small integers in int64, and with some functions of float32 in float64.
        is_sure = result.kind in "bc" or result in (np.dtype("q"), np.dtype("d"))
        return text if is_sure else f"{code(result)}({text})"

    # ---- A loop

    def loop(self, space: tuple, members: list[Step]) -> None:
        """Write a loop, with the reductions that are made in it."""
        here = {step.result for step in members if not step.reduction}
        patterns: dict[Any, tuple] = {}  # of each access, which axes of the loop the array has
        for step in members:
            for i, (x, shape) in enumerate(zip(step.operands, step.shapes)):
                if isinstance(x, Variable) and x not in here and without_ones(x.shape):
                    patterns[i, step] = tuple(n != 1 for n, m in zip(shape, step.space) if m != 1)
            if step.reduction:
                patterns[step] = tuple(kept for kept, m in zip(step.kept, step.space) if m != 1)
            elif step.result in self.stored:
                patterns[step] = (True,) * len(space)
        columns = list(zip(*patterns.values()))
        starts = [i for i in range(len(space)) if i == 0 or columns[i] != columns[i - 1]]  # axes that no array tells apart are one
        groups = [range(a, b) for a, b in zip(starts, [*starts[1:], len(space)])]
        sizes = [f"n{len(self.sizes) + i}" for i in range(len(groups))]
        self.sizes += [math.prod(space[i] for i in group) for group in groups]
        depth = len(groups)
        kept = {key: [pattern[start] for start in starts] for key, pattern in patterns.items()}
        for step in members:
            if step.result in self.stored and step.result not in self.arrays:
                self.arrays[step.result] = name = self.fresh("m")
                has = [size for size, is_kept in zip(sizes, kept[step]) if is_kept]
                self.line(0, f"{name} = np.empty({' * '.join(has)}, {code(dtype_of(step.result))})")
        places: dict[Any, str] = {}
        for key, pattern in kept.items():
            v = key.result if isinstance(key, Step) else key[1].operands[key[0]]
            if v in self.arrays:
                places[key] = self.place(v, patterns[key], groups, pattern, sizes)
        accumulators: dict[Step, tuple[int, str]] = {}  # the depth at which it starts, and its name
        for step in members:
            if step.reduction:
                first = kept[step].index(False)
                if any(kept[step][first:]):  # its result is a row, and the loop goes over rows
                    self.line(0, f"{places[step].partition('[')[0]}[...] = {start_of(step)}")
                else:
                    accumulators[step] = first, self.fresh("x")
        blocked = [step for step in accumulators if step.reduction == "sum" and dtype_of(step.result).kind in "fc"]
        for i in range(depth):
            for step, (first, name) in accumulators.items():
                if first == i:
                    self.line(i, f"{name} = {start_of(step)}" + (f"; {name}c = {start_of(step)}" if step in blocked else ""))
            if i == depth - 1 and blocked:
                self.line(i, f"for start in range(0, {sizes[i]}, {BLOCK}):")
                for step in blocked:
                    self.line(i + 1, f"{accumulators[step][1]}b = {start_of(step)}")
                self.line(i + 1, f"for j{i} in range(uintp(start), uintp(min(start + {BLOCK}, {sizes[i]}))):")
            else:
                self.line(i, f"for j{i} in range({sizes[i]}):")
        body = depth + bool(blocked)
        elements: dict = {}
        read: dict[str, str] = {}
        for step in members:
            for key in [(i, step) for i in range(len(step.operands)) if (i, step) in places]:
                if places[key] not in read:
                    read[places[key]] = self.fresh("t")
                    self.line(body, f"{read[places[key]]} = {places[key]}")
                elements[key] = read[places[key]]
            text = self.expression(step, elements)
            if not step.reduction:
                self.line(body, f"{self.new(step.result)} = {text}")
                if step in places:
                    self.line(body, f"{places[step]} = {self.names[step.result]}")
                continue
            take_in = {"sum": "{} + {}", "max": "maximum({}, {})", "min": "minimum({}, {})"}[step.reduction]
            if step in blocked:
                name = accumulators[step][1] + "b"
                self.line(body, f"{name} = reordered({name}, {text})")
            else:
                name = accumulators[step][1] if step in accumulators else places[step]
                dtype = dtype_of(step.result)
                self.line(body, f"{name} = {converted(take_in.format(name, text), np.dtype('q') if dtype.kind in 'iu' else dtype, dtype)}")
        for i in reversed(range(depth)):
            if i == depth - 1:
                for step in blocked:
                    name = accumulators[step][1]
                    self.line(i + 1, f"{name}, {name}c = carried({name}, {name}c, {name}b)")
            for step, (first, name) in accumulators.items():
                if first == i:
                    text = f"total({name}, {name}c)" if step in blocked else name
                    target = places.get(step) or self.new(step.result)
                    self.line(i, f"{target} = {text}")
        for step in members:
            if without_ones(step.result.shape):
                self.names.pop(step.result, None)

    def place(self, v: Variable, pattern: tuple, groups: list[range], kept: list[bool], sizes: list[str]) -> str:
        """The expression for an element of an array. Write a line before that gives the array the axes of the loop, if it has others."""
        name = self.arrays[v]
        has = [i for i, is_kept in enumerate(kept) if is_kept]
        is_temporary = name.startswith("m")
        if len(without_ones(v.shape)) != len(has) or len(v.shape) != len(has) or (is_temporary and len(has) > 1):
            array = name if name[0] in "mo" else f"np.ascontiguousarray({name})"
            name = self.fresh("v")
            self.line(0, f"{name} = {array}.reshape(({''.join(sizes[i] + ', ' for i in has)}))")
        return f"{name}[{', '.join(f'j{i}' for i in has)}]"


def variables_of(step: Step) -> list[Variable]:
    """Return the operands that are variables."""
    return [x for x in step.operands if isinstance(x, Variable)]


def in_loops(steps: list[Step]) -> list[tuple[tuple, list[Step]]]:
    """Return the loops of a kernel, in order: the shape of each, and its steps.

    Loops have odd levels. What computes with numbers between two loops has an even level.
    """
    made = {step.result: step for step in steps}
    level: dict[Variable, int] = {}
    loops: dict[tuple, list[Step]] = {}
    for step in steps:
        lowest = 1 if step.loop else 0
        for x in variables_of(step):
            if x in made:
                before = level[x]
                if not step.loop:
                    lowest = max(lowest, before + before % 2)
                elif made[x].loop and (made[x].loop != step.loop or made[x].reduction):
                    lowest = max(lowest, before + 2)
                else:
                    lowest = max(lowest, before + 1 - before % 2)
        level[step.result] = lowest
        loops.setdefault((lowest, step.loop), []).append(step)
    return [(loop, members) for (_, loop), members in sorted(loops.items(), key=lambda item: item[0][0])]


def code(dtype: np.dtype) -> str:
    """The name of a dtype in the source, such as f4."""
    return dtype.str[1:]


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
    text = repr(number).replace("inf", "np.inf").replace("nan", "np.nan")
    if isinstance(number, complex):
        text = f"complex({literal(number.real, np.dtype(float))}, {literal(number.imag, np.dtype(float))})"
    return f"({text})" if dtype in map(np.dtype, ("?", "q", "d", "D")) else f"{code(dtype)}({text})"


def start_of(step: Step) -> str:
    """What a reduction starts with."""
    dtype = dtype_of(step.result)
    if step.reduction == "sum":
        return literal(0, dtype)
    least = -np.inf if dtype.kind == "f" else np.iinfo(dtype).min
    most = np.inf if dtype.kind == "f" else np.iinfo(dtype).max
    return literal(least if step.reduction == "max" else most, dtype)


# ---- Functions in kernels -------------------------------------------------------------------------------------------
# A sum is made of the sums of blocks. Within a block the compiler may choose the order, and use vector instructions. This is allowed
# for these additions alone: everything else is computed as it is written. The rounding errors of the additions of blocks are carried
# along, so that a sum of millions is as exact as NumPy's sum by halves.

BLOCK = 128


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
NAMESPACE |= {function.__name__: numba.njit(**OPTIONS)(function) for function in (carried, total, maximum, minimum, sign, remainder)}


FUNCTIONS: dict[str, Callable] = {}  # of the sources so far


def compiled(source: str) -> Callable:
    """Return the function of a source. Equal sources have one. Numba compiles it at the first call."""
    if source not in FUNCTIONS:
        namespace = dict(NAMESPACE)
        exec(compile(source, "<a kernel of minigrad.jit>", "exec"), namespace)
        FUNCTIONS[source] = numba.njit(**OPTIONS)(namespace["kernel"])
    return FUNCTIONS[source]
