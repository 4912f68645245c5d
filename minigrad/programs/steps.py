"""Operations as steps of loops: what a kernel computes for each element.

An operation becomes one or two steps: a map, which computes an element of the result from one element of each operand, or a
reduction. An operation that is not in the tables below stays a call of NumPy. A step does what NumPy does, to a few units in the last place: in
NumPy's dtype, and with its results at NaN, infinities and zeros of both signs.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .numpy_backend import FEW, summed_axes
from .operations import UFUNC_OF, Method, Operation, Variable

# What computes one element, and the kinds of dtypes (bool, int, unsigned, float, complex) for which it does what NumPy does.
# Division of complex numbers, and their functions, are NumPy's: at infinities, Numba has other results.
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
# Functions that Numba has under the same name. Numba's cbrt is less exact than NumPy's, so it is not among them.
TEXTS |= {
    getattr(np, name): ("f", f"np.{name}({', '.join(['{}'] * getattr(np, name).nin)})")
    for name in "isnan isinf isfinite signbit floor ceil trunc rint reciprocal fmax fmin copysign hypot deg2rad rad2deg "
    "logaddexp exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh arctan2".split()
}
# NumPy computes these with vector instructions, and Numba does not. For more than a few elements, NumPy takes less time.
VECTORIZED = {np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sin, np.cos, np.tan, np.arcsin, np.arccos,
              np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh, np.arctan2, np.power}
SUPPORTED = {np.dtype(code) for code in "? b h i l q B H I L Q f d F D".split()}
SAME_ELEMENTS = {np.broadcast_to, np.reshape, np.expand_dims, np.squeeze, np.ravel, operator.getitem}
PRODUCTS = {np.matmul, np.dot, np.vdot, np.inner, np.outer}
REDUCTIONS = {np.sum: "sum", np.mean: "sum", np.max: "max", np.min: "min"}


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
    def variables(self) -> list[Variable]:
        """The operands that are variables."""
        return [x for x in self.operands if isinstance(x, Variable)]

    @property
    def is_array(self) -> bool:
        """Whether the result has several elements."""
        return bool(without_ones(self.result.shape))

    @property
    def loop(self) -> tuple:
        """The shape of the loop without axes of length 1. () means that there is no loop: the step computes with numbers."""
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
    if isinstance(result, tuple) or any(dtype_of(v) not in SUPPORTED or 0 in v.shape for v in (result, *operation.operands)):
        return []
    axes = summed_axes(operation) if function in REDUCTIONS else None
    if axes is not None:
        return reduction_steps(operation, axes)
    if function in PRODUCTS and len(args) == 2 and not kwargs and dtype_of(result).kind == "f":
        return product_steps(operation)
    ufunc = UFUNC_OF.get(function, function)
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
    """Return where a kernel finds the elements of a result, if they are the elements of an operand in the same order.

    Returns
    -------
    pair or None
        The operand, and for each axis of the result that is longer than 1, whether the operand has it. None for other
        operations.
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
    has_options = any(value is not None for value in operation.kwargs.values())
    if not kinds or has_options or len(args) != ufunc.nin or not all(map(is_operand, args)):
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
    reduction, dtype = REDUCTIONS[operation.function], dtype_of(result)
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
