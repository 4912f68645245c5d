"""Operations, values and rules as text: as one would write them."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from functools import cache
from typing import Any, Callable

import numpy as np

from ..memory import innermost
from ..rules.indexing import replace
from ..rules.shaping import astype
from ..table import rule_of
from ..views import getitem, put, replaced, taken
from .trace import Operation, Share, Value

INFIX = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.floor_divide: "//", np.remainder: "%",
    np.power: "**", np.matmul: "@", np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=",
    np.equal: "==", np.not_equal: "!=",
}

# The formulas of rules that are too long for a lambda, or that have helpers for special points. `g` is the cotangent of the
# result, `y` is the result. Some are in words. For every other rule, the formula is the source of its VJP.
FORMULAS: dict[tuple[Any, str], str] = {
    (np.exp2, "x"): "g * y * np.log(2)",
    (np.log2, "x"): "g / (x * np.log(2))",
    (np.log10, "x"): "g / (x * np.log(10))",
    (np.logaddexp, "a"): "g * np.exp(a - y)",
    (np.logaddexp, "b"): "g * np.exp(b - y)",
    (np.logaddexp2, "a"): "g * np.exp2(a - y)",
    (np.logaddexp2, "b"): "g * np.exp2(b - y)",
    (np.tan, "x"): "g * (1 + y * y)",
    (np.tanh, "x"): "g * (1 - y * y)",
    (np.arctan, "x"): "g / (1 + x * x)",
    (np.arcsinh, "x"): "g / np.sqrt(x * x + 1)",
    (np.arctanh, "x"): "g / (1 - x * x)",
    (np.arctan2, "a"): "g * b / (a * a + b * b)",
    (np.arctan2, "b"): "-g * a / (a * a + b * b)",
    (np.hypot, "a"): "g * a / y",
    (np.hypot, "b"): "g * b / y",
    (np.deg2rad, "x"): "g * np.pi / 180",
    (np.radians, "x"): "g * np.pi / 180",
    (np.rad2deg, "x"): "g * 180 / np.pi",
    (np.degrees, "x"): "g * 180 / np.pi",
    (np.remainder, "b"): "-g * np.floor(a / b)",
    (np.sinc, "x"): "g * (np.cos(np.pi * x) - y) / x",
    (np.clip, "a"): "g where {a} is within the bounds, else 0",
    (np.cumprod, "a"): "np.cumsum((g * y)[::-1])[::-1] / a",
    (np.diff, "a"): "-np.diff(g, prepend=0, append=0)",
    (np.nansum, "a"): "np.where(np.isnan(a), 0, g)",
    (np.cross, "a"): "np.cross(b, g)",
    (np.cross, "b"): "np.cross(g, a)",
    (np.trace, "a"): "g * np.eye(*a.shape)",
    (np.diagonal, "a"): "zeros of {a}'s shape, with g on the diagonal",
    (np.transpose, "a"): "g, with the axes put back",
    (np.roll, "a"): "np.roll(g, -shift, axis)",
    (np.tile, "A"): "g, summed over the copies",
    (np.repeat, "a"): "g, summed over the copies",
    (np.take, "a"): "zeros of {a}'s shape, with g added at the indices",
    (np.pad, "array"): "g, without the padding",
    (np.sort, "a"): "g, put back to where each element came from",
    (np.median, "a"): "zeros of {a}'s shape, with g shared by the middle elements",
    (np.interp, "x"): "g times the slope of the piece in which {x} lies",
    (np.einsum, "operands"): "the einsum of g and the other operands",
    (np.tensordot, "a"): "the product of g and {b}, over the axes that only {b} has",
    (np.tensordot, "b"): "the product of {a} and g, over the axes that only {a} has",
    (np.vecdot, "a"): "g[..., None] * b",
    (np.vecdot, "b"): "g[..., None] * a",
    (np.linalg.slogdet, "a"): "g[1] * np.linalg.inv(a).T",
    (np.sum, "a"): "np.broadcast_to(g, a.shape)",
    (np.mean, "a"): "np.broadcast_to(g / a.size, a.shape)",
    (np.prod, "a"): "g * y / a",
    (np.max, "a"): "np.where(a == y, g, 0)",
    (np.min, "a"): "np.where(a == y, g, 0)",
    (np.var, "a"): "g * 2 * (a - a.mean()) / a.size",
    (np.std, "a"): "g * (a - a.mean()) / (a.size * y)",
    (np.cumsum, "a"): "np.cumsum(g[::-1])[::-1]",
    (np.power, "a"): "g * b * a ** (b - 1)",
    (np.power, "b"): "g * y * np.log(a)",
    (np.float_power, "a"): "g * b * a ** (b - 1)",
    (np.float_power, "b"): "g * y * np.log(a)",
    (np.absolute, "x"): "g * np.sign(x)",
    (np.fabs, "x"): "g * np.sign(x)",
    (np.arcsin, "x"): "g / np.sqrt(1 - x * x)",
    (np.arccos, "x"): "-g / np.sqrt(1 - x * x)",
    (np.maximum, "a"): "np.where(a > b, g, 0)",
    (np.maximum, "b"): "np.where(b > a, g, 0)",
    (np.minimum, "a"): "np.where(a < b, g, 0)",
    (np.minimum, "b"): "np.where(b < a, g, 0)",
    (np.matmul, "a"): "g @ b.T",
    (np.matmul, "b"): "a.T @ g",
    (np.dot, "a"): "g @ b.T",
    (np.dot, "b"): "a.T @ g",
    (np.reshape, "a"): "g.reshape(a.shape)",
    (np.ravel, "a"): "g.reshape(a.shape)",
    (np.concatenate, "arrays"): "g, split into the parts that were joined",
    (np.stack, "arrays"): "g, taken apart",
    (np.linalg.det, "a"): "g * y * np.linalg.inv(a).T",
    (np.linalg.inv, "a"): "-y.T @ g @ y.T",
    (np.linalg.solve, "a"): "-np.outer(np.linalg.solve(a.T, g), y)",
    (np.linalg.solve, "b"): "np.linalg.solve(a.T, g)",
    (np.linalg.norm, "x"): "g * x / y",
    (getitem, "a"): "zeros of {a}'s shape, with g at [{index}]",
    (replace, "a"): "g, with zeros at [{index}]",
    (replace, "value"): "g[index]",
    (taken, "a"): "zeros of {a}'s shape, with g at the place of the view",
    (put, "g"): "g, at the place of the view",
    (replaced, "a"): "g, with zeros at the place of the view",
    (replaced, "value"): "g, at the place of the view",
    (np.hstack, "tup"): "g, split into the parts that were joined",
    (np.vstack, "tup"): "g, split into the parts that were joined",
    (np.dstack, "tup"): "g, split into the parts that were joined",
    (np.column_stack, "tup"): "g, split into the parts that were joined",
    (np.split, "ary"): "the parts of g, joined",
    (np.array_split, "ary"): "the parts of g, joined",
}
# The formulas that differ for complex numbers.
OF_COMPLEX = {
    (np.absolute, "x"): "g * np.conj(np.sign(x))",
    (np.linalg.norm, "x"): "g * np.conj(x) / y",
    (np.var, "a"): "g * 2 * np.conj(a - a.mean()) / a.size",
    (np.std, "a"): "g * np.conj(a - a.mean()) / (a.size * y)",
}

# ---- Values ---------------------------------------------------------------------------------------------------------


def short(value: Any, digits: int = 4, whole: int = 6) -> str:
    """Return a value as a short text: whole if it is small, else its dtype, shape, range and mean."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(short(member, digits, whole) for member in value) + "]"
    value = innermost(value)
    if isinstance(value, (float, complex, np.inexact)):
        return f"{value:.{digits}g}"
    if isinstance(value, np.ndarray) and value.size <= whole:
        in_digits: Any = {kind: lambda x: f"{x:.{digits}g}" for kind in ("float_kind", "complex_kind")}
        text = np.array2string(value, separator=", ", formatter=in_digits)
        return re.sub(r"\s+", " ", text)
    if isinstance(value, np.ndarray):
        form = f"{value.dtype}[{', '.join(map(str, value.shape))}]"
        if value.dtype.kind not in "fiu":
            return form
        return f"{form} {np.min(value):.{digits}g} to {np.max(value):.{digits}g}, mean {np.mean(value):.{digits}g}"
    return repr(value)


# ---- Operations -----------------------------------------------------------------------------------------------------


def argument_text(value: Any) -> str:
    """Return an argument of an operation as one would write it: the name of a value, or the literal."""
    if isinstance(value, Value):
        return value.name
    if isinstance(value, slice):
        parts = [":" if part is None else argument_text(part) for part in (value.start, value.stop)]
        text = f"{'' if value.start is None else parts[0]}:{'' if value.stop is None else parts[1]}"
        return text if value.step is None else f"{text}:{argument_text(value.step)}"
    if isinstance(value, list):
        return f"[{', '.join(map(argument_text, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(argument_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, type) or isinstance(value, np.dtype):
        return getattr(value, "__name__", None) or str(value)
    if value is ...:
        return "..."
    return short(value) if isinstance(value, (np.generic, np.ndarray)) else repr(value)


def _index_text(index: Any) -> str:
    return ", ".join(map(argument_text, index)) if isinstance(index, tuple) and index else argument_text(index)


def operation_text(operation: Operation) -> str:
    """Return an operation as one would write it: ``w * x``, ``np.sum(a, axis=0)``, ``y[1:]``."""
    function, args, kwargs = operation.function, operation.args, operation.kwargs
    texts = [_atom(argument_text(a)) for a in args]
    if not kwargs and function in INFIX and len(args) == 2:
        return f"{texts[0]} {INFIX[function]} {texts[1]}"
    if not kwargs and function is np.negative:
        return f"-{texts[0]}"
    if function is getitem:
        return f"{texts[0]}[{_index_text(args[1])}]"
    if function is replace and len(args) == 3:
        return f"{texts[0]}[{_index_text(args[1])}] = {argument_text(args[2])}"
    if function is taken:
        return f"{texts[0]}[a view]"
    if function is replaced:
        return f"{texts[0]}[a view] = {argument_text(args[2])}"
    if function is astype:
        return f"{texts[0]}.astype({', '.join([*map(argument_text, args[1:]), *_keywords(kwargs)])})"
    return f"{operation.title}({', '.join([*map(argument_text, args), *_keywords(kwargs)])})"


def operation_sign(operation: Operation) -> str:
    """Return the sign or the name of an operation, without its operands: ``*``, ``sum``, ``[1:]``."""
    if operation.function in (getitem, replace):
        return f"[{_index_text(operation.args[1])}]{' =' if operation.function is replace else ''}"
    return INFIX.get(operation.function) or operation.title.rpartition(".")[2]


def _keywords(kwargs: dict[str, Any]) -> list[str]:
    return [f"{name}={argument_text(value)}" for name, value in kwargs.items()]


def _atom(text: str) -> str:
    """Return a text in parentheses if it is a negative number, which would not stand well beside an operator."""
    return f"({text})" if text.startswith("-") else text


# ---- Rules ----------------------------------------------------------------------------------------------------------


def formula(operation: Operation, share: Share) -> str:
    """Return the rule that a share came from: ``d/db (a * b) = g * a``, in the names of the operation's operands."""
    rule = rule_of(operation.function)
    name = next((name for name, vjp in rule.vjps.items() if vjp and vjp.fun is share.vjp), None)
    if name is None:  # of custom_vjp, or of checkpoint
        bwd = getattr(operation.function, "bwd", None)
        text = f"{getattr(bwd, '__name__', 'bwd')}(residuals, g)" if bwd else f"by the backward pass of {operation.title}"
        return f"d/d{share.parent.name} ({operation_text(operation)}) = {text}"
    of_complex = OF_COMPLEX.get((operation.function, name)) if np.iscomplexobj(share.parent.value) else None
    text = of_complex or FORMULAS.get((operation.function, name)) or source_of(share.vjp)
    texts = {argument: _in_formula(value) for argument, value in rule.bind(operation.args, operation.kwargs).items()}
    texts = {f"{argument}_shape": f"{value}.shape" for argument, value in texts.items()} | texts
    texts = {name: repr(default) for name, default in rule.defaults.items()} | texts
    texts.setdefault("y", operation.results[0].name if operation.results else "y")
    if not _is_python(text):
        return f"d/d{share.parent.name} ({operation_text(operation)}) = {text.format(**texts)}"
    text = re.sub(r"(?<![\w.'\"])([A-Za-z_]\w*)(?!\w*\s*=[^=])", lambda match: texts.get(match[1], match[1]), text)
    return f"d/d{share.parent.name} ({operation_text(operation)}) = {text}"


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text))
    except SyntaxError:
        return False


def _in_formula(value: Any) -> str:
    text = argument_text(value)
    return f"({text})" if re.search(r"[^\w.\[\]'\"]", text) and not isinstance(value, (list, tuple)) else text


@cache
def source_of(vjp: Callable) -> str:
    """Return the source of a VJP: the body of a lambda, or the call of a function."""
    vjp = inspect.unwrap(vjp)
    code = getattr(vjp, "__code__", None)
    if code is None:
        return f"{getattr(vjp, '__name__', vjp)}(g)"
    if vjp.__name__ == "<lambda>":
        tree = _parsed(code.co_filename)
        spans = set(code.co_positions())  # several lambdas may stand in one line
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Lambda):
                body = node.body
                if (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset) in spans:
                    return ast.unparse(body)
    try:
        return f"{vjp.__name__}({', '.join(inspect.signature(vjp).parameters)})"
    except (TypeError, ValueError):
        return f"{vjp.__name__}(g)"


@cache
def _parsed(file: str) -> ast.Module | None:
    source = "".join(linecache.getlines(file))
    try:
        return ast.parse(source) if source else None
    except SyntaxError:
        return None
