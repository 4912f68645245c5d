"""find_nan: where the first NaN or infinity comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..table import rule_of
from .trace import Line, Operation, Share, Trace, Value
from .writing import formula, operation_text, short

TWICE = (
    "Behind a mask, write np.where twice, because it computes both branches, and 0 * inf is NaN: "
    "safe = np.where(ok, x, 1.0), then np.where(ok, {call}, 0.0)"
)
ALL_HIDDEN = (
    "If a mask of -np.inf hides a whole row, leave the row out, or mask with a large finite number, np.where(mask, x, -1e4), instead"
)

# What people usually write instead: functions, the condition under which an entry holds (by the operands at the element), and
# the advice. The first entry that holds is taken.
# In these texts, 1e-12 is small beside 0, and 1e-7 beside 1; for float16 they are replaced by larger numbers.
ADVICE: list[tuple[tuple, Callable[..., Any], str]] = [
    ((np.log, np.log2, np.log10), lambda x: abs(x) < 1e-30, "the logarithm of 0; add a small number, np.log(x + 1e-12); for x * log(x) "
     "write x * np.log(np.maximum(x, 1e-12)) (scipy.special.xlogy is right at 0, but has an infinite slope there); for the logarithm "
     "of a softmax, z - minigrad.scipy.special.logsumexp(z); for log(det(a)), np.linalg.slogdet(a)[1]. " + TWICE.format(call="np.log(safe)")),
    ((np.log, np.log2, np.log10), lambda x: np.isinf(x) or x > 0, "log of a large number: for log(exp(a) + exp(b)) write np.logaddexp(a, b)"),
    ((np.log, np.log2, np.log10), lambda x: x < 0, "the logarithm of a negative number. " + TWICE.format(call="np.log(safe)")),
    ((np.log1p,), lambda x: x <= -1, "log1p of -1 or less; keep x above -1, with np.maximum(x, -1 + 1e-7)"),
    ((np.sqrt,), lambda x: abs(x) < 1e-30, "the square root has an infinite slope at 0; write np.sqrt(x + 1e-12). " + TWICE.format(call="np.sqrt(safe)")),
    ((np.sqrt,), lambda x: x < 0, "the square root of a negative number. " + TWICE.format(call="np.sqrt(safe)")),
    ((np.cbrt,), lambda x: abs(x) < 1e-30, "the cube root has an infinite slope at 0. " + TWICE.format(call="np.cbrt(safe)")),
    ((np.linalg.norm,), lambda *_: True, "the norm has no slope at 0; write np.sqrt(np.sum(x ** 2) + 1e-12), with the axis= of the norm"),
    ((np.hypot,), lambda *_: True, "the length of a vector overflows, or has no slope at 0; scale it, or add 1e-12 under the root"),
    ((np.arctan2, np.angle), lambda *_: True, "the angle of the point (0, 0) is not defined. " + TWICE.format(call="np.arctan2(y, safe)")),
    ((np.divide, np.reciprocal), lambda a, b=None: abs(a if b is None else b) < 1e-30, "a division by 0. For a mean x / n of what may be "
     "nothing, write x / np.maximum(n, 1); in place of a norm, divide by np.sqrt(np.sum(x ** 2) + 1e-12); in place of a spread, by "
     "np.sqrt(np.var(x) + 1e-12); learn a scale as the exp of a parameter. " + TWICE.format(call="a / safe") + ", where safe is the divisor"),
    ((np.divide, np.reciprocal), lambda *_: True, "the quotient overflows: the divisor is very small; divide by np.maximum(b, 1e-12)"),
    ((np.remainder, np.fmod, np.floor_divide), lambda *_: True, "a division by 0. " + TWICE.format(call="a % safe")),
    ((np.exp, np.exp2, np.expm1), lambda x: x > 0, "exp overflows; for a softmax subtract the largest first, z - z.max(); for "
     "log(exp(a) + exp(b)) write np.logaddexp(a, b); for log(1 + exp(x)) write np.logaddexp(0, x); for 1 / (1 + exp(-x)) write "
     "0.5 * (1 + np.tanh(x / 2)), and for its logarithm -np.logaddexp(0, -x)"),
    ((np.sinh, np.cosh), lambda *_: True, "sinh and cosh overflow; for log(cosh(x)) write np.logaddexp(x, -x) - np.log(2), else scale x"),
    ((np.power, np.float_power), lambda a, b: abs(a) < 1e-30, "a power of 0 with an exponent below 1 has an infinite slope, and below 0 an "
     "infinite value. " + TWICE.format(call="safe ** b")),
    ((np.power, np.float_power), lambda a, b: a < 0, "a negative number to a power that is not whole; write np.abs(x) ** b, or "
     + TWICE.format(call="safe ** b")),
    ((np.subtract, np.add), lambda a, b: np.isinf(a) and np.isinf(b), "infinity minus infinity. " + ALL_HIDDEN),
    ((np.logaddexp, np.logaddexp2), lambda *_: True, ALL_HIDDEN),
    ((np.multiply, np.matmul, np.dot, np.einsum), lambda a, b=1.0, *_: np.isinf(a) or np.isinf(b), "0 times infinity. A mask that multiplies "
     "does not hide an infinity; np.where(mask, x, 0.0) does"),
    ((np.power, np.float_power, np.square, np.multiply, np.matmul, np.dot, np.prod, np.einsum), lambda *_: True,
     "the product overflows; scale the data, use float64, or add logarithms"),
    ((np.cumprod,), lambda *_: True, "the product overflows; add logarithms with np.cumsum"),
    ((np.arcsin, np.arccos), lambda x: abs(x) >= 1, "arcsin and arccos have an infinite slope at 1 and -1, and no value beyond; "
     "write np.arccos(np.clip(x, -1 + 1e-7, 1 - 1e-7)), or np.arctan2 of both sides of the triangle"),
    ((np.arctanh,), lambda x: abs(x) >= 1, "arctanh is infinite at 1 and -1; write np.arctanh(np.clip(x, -1 + 1e-7, 1 - 1e-7))"),
    ((np.arccosh,), lambda x: x <= 1, "arccosh has an infinite slope at 1 and no value below it; write np.arccosh(np.maximum(x, 1 + 1e-7))"),
    ((np.std, np.nanstd), lambda *_: True, "the standard deviation has no slope where all numbers are equal, and no value for fewer "
     "numbers than ddof allows; write np.sqrt(np.var(x) + 1e-12), with the axis= of the deviation"),
    ((np.var, np.nanvar, np.cov), lambda *_: True, "there are fewer numbers than ddof allows"),
    ((np.mean, np.average, np.nanmean), lambda *_: True, "a mean of nothing, or of numbers whose sum overflows; write "
     "x.sum() / np.maximum(x.size, 1), or use float64"),
    ((np.corrcoef,), lambda *_: True, "the correlation with a constant is not defined; add a little noise, or leave the column out"),
    ((np.add, np.subtract, np.sum, np.cumsum, np.trace), lambda *_: True, "the sum overflows; scale the data, or use float64"),
    ((np.linalg.det, np.linalg.inv, np.linalg.solve, np.linalg.slogdet, np.linalg.cholesky), lambda *_: True,
     "the matrix is singular, or nearly; add a small multiple of the identity, a + 1e-6 * np.eye(n)"),
    ((np.linalg.eigh, np.linalg.eig, np.linalg.svd), lambda *_: True, "two eigenvalues (or singular values) are equal, so that the vectors "
     "have no derivative; use the values alone, or add a small different number to each diagonal element"),
    ((np.tan,), lambda *_: True, "tan is infinite at odd multiples of pi / 2"),
]
BY_NAME = {
    "logsumexp": ALL_HIDDEN,
    "gammaln": "the gamma function is infinite at 0, -1, -2, and so on",
    "gamma": "the gamma function overflows from 171 on, and is infinite at 0, -1, -2, and so on; work with gammaln",
    "digamma": "the digamma function is infinite at 0, -1, -2, and so on",
    "logit": "the logit is infinite at 0 and 1; write logit(np.clip(p, 1e-7, 1 - 1e-7))",
    "erfinv": "erfinv is infinite at 1 and -1; write erfinv(np.clip(x, -1 + 1e-7, 1 - 1e-7))",
    "xlogy": "x * log(y) has an infinite slope at y = 0, and for x = 0 too; write x * np.log(np.maximum(y, 1e-12))",
    "entr": "-x * log(x) has an infinite slope at 0; write -x * np.log(np.maximum(x, 1e-12))",
    "rel_entr": "x * log(x / y) has an infinite slope at 0; write x * np.log(np.maximum(x, 1e-12) / np.maximum(y, 1e-12))",
}
IN_BACKWARD = "this is a step of the backward pass of an inner derivative; minigrad.find_nan of the inner function says which one"
IN_CALL = "this happened inside of the function; call minigrad.find_nan with it alone, without the decorator"


@dataclass
class Finding:
    """Where the first NaN or infinity came from. ``print`` says it in words.

    Attributes
    ----------
    stage : str
        "input", "forward" or "backward".
    line : Line or None
        The line of the user's program; of an input, the first line that uses it.
    operation : Operation or None
    text : str
        The operation, and for the backward pass the rule, as one would write it.
    index : tuple of int
        The element of the result (backward: of the operand's cotangent).
    result : float
        What came out: NaN or an infinity.
    operands : dict
        The operands' values at that element, by name.
    advice : str
        What people usually write instead. Empty if nothing usual is known.
    ends_finite : bool
        The value and the gradient of the whole function are finite all the same.
    """

    stage: str
    line: Line | None
    operation: Operation | None
    text: str
    index: tuple[int, ...]
    result: Any
    operands: dict[str, Any] = field(default_factory=dict)
    advice: str = ""
    ends_finite: bool = False

    def __str__(self) -> str:
        at = f" at {list(self.index)}" if self.index else ""
        if self.stage == "input":
            used = f"; it is first used in\n    {self.line}\n        {self.line.text}" if self.line else ""
            return f"{self.text}{at} is {self.result} from the beginning{used}".rstrip()
        operands = ", ".join(f"{name} = {value}" for name, value in self.operands.items())
        parts = [
            f"{self.stage}: {self.text}{at} gave {self.result}",
            f"    {self.line}" + (f"\n        {self.line.text}" if self.line and self.line.text else ""),
            f"    with {operands}" if operands else "",
            f"    {self.advice}" if self.advice else "",
            "    (the value and the gradient are finite all the same)" if self.ends_finite else "",
        ]
        return "\n".join(part for part in parts if part)


def find_nan(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Finding | None]:
    """Return the function that says where the first NaN or infinity came from in a call of `fun` and in its gradient.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `minigrad.grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`. Returns a `Finding`, or None if there is nothing to find. An infinity that the
        program writes itself, as in ``np.where(mask, x, -np.inf)``, does not count, as long as it does no harm.

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`. An error of `fun` comes through.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> finding = minigrad.find_nan(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.array([4.0, 0.0]))
    >>> finding.stage, finding.operation.title, finding.index, finding.operands
    ('backward', 'np.sqrt', (1,), {'g': 0.0, 'x': 0.0})
    """

    def find(*args: Any, **kwargs: Any) -> Finding | None:
        trace = Trace()
        with np.errstate(all="ignore"):
            try:
                trace.run(fun, args, kwargs, argnums, has_aux)
            except np.linalg.LinAlgError:  # perhaps because of a NaN, which is found below
                finding = _in_inputs(trace, np.isnan) or _forward(trace)
                if finding is None:
                    raise
                return finding
            ends_finite = all(_is_finite(value) for value in trace.final_values())
            finding = _in_inputs(trace, np.isnan) or _forward(trace) or _backward(trace)
            if finding is None and not ends_finite:
                finding = _in_inputs(trace, np.isinf)
        if finding:
            finding.ends_finite = ends_finite
        return finding

    return find


# ---- The search -----------------------------------------------------------------------------------------------------


def _in_inputs(trace: Trace, is_bad: Callable) -> Finding | None:
    """Find a number that is not finite in the inputs, or in a constant that holds a bad number."""
    constants = [value for _, value in trace.constants.values() if _has(value.value, is_bad)]
    for value in [*trace.inputs, *constants]:
        if not _is_finite(value.value):
            index = _first(value.value)
            line = next((operation.line for operation in trace.operations if value in operation.operands), None)
            return Finding("input", line, None, value.name, index, _element(value.value, index))
    return None


def _forward(trace: Trace) -> Finding | None:
    for operation in trace.operations:
        for result in operation.results:
            index = _first_new(result.value, operation)
            if index is not None:
                operands = {value.name: _at(value.value, index, np.shape(result.value)) for value in operation.operands}
                return Finding(
                    "forward", operation.line, operation, operation_text(operation), index, _element(result.value, index),
                    operands, _advice(operation, _numbers(operation, index, np.shape(result.value))),
                )
    return None


def _first_new(result: Any, operation: Operation) -> tuple | None:
    """Return the first element that is not finite although its operands are, or is NaN although none of them is."""
    if _is_finite(result) or isinstance(result, (list, tuple)):
        return None
    infinite, nan = np.zeros(np.shape(result), bool), np.zeros(np.shape(result), bool)
    for operand in _arrays((operation.args, operation.kwargs)):
        for found, is_bad in ((infinite, np.isinf), (nan, np.isnan)):
            bad = is_bad(operand)
            try:
                found |= np.broadcast_to(bad, found.shape)
            except ValueError:
                found |= bad.any()
    new = (np.isnan(result) & ~nan) | (np.isinf(result) & ~nan & ~infinite)
    return tuple(int(i) for i in np.argwhere(new)[0]) if new.any() else None


def _arrays(argument: Any) -> list[np.ndarray]:
    """Return the arrays and numbers among the arguments of an operation."""
    argument = argument.value if isinstance(argument, Value) else argument
    members = argument.values() if isinstance(argument, dict) else argument if isinstance(argument, (list, tuple)) else None
    if members is not None:
        return [array for member in members for array in _arrays(member)]
    is_number = isinstance(argument, (float, complex, np.ndarray, np.generic)) and np.asarray(argument).dtype.kind in "fc"
    return [np.asarray(argument)] if is_number else []


def _backward(trace: Trace) -> Finding | None:
    for visit in trace.visits:
        for share in visit.shares:
            if not _is_finite(share.value):
                if not all(map(_is_finite, _arrays((visit.operation.args, visit.operation.kwargs)))) and not _has(share.value, np.isnan):
                    continue  # it comes from an infinity in an operand, which was there before
                return _of_share(visit.operation, visit.cotangent, share, share.value, formula(visit.operation, share))
            if not _is_finite(share.total):
                text = f"the sum of the cotangents of {share.parent.name}"
                return _of_share(visit.operation, visit.cotangent, share, share.total, text)
    return None


def _has(value: Any, is_bad: Callable) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "fc" and bool(is_bad(array).any())


def _of_share(operation: Operation, g: Any, share: Share, value: Any, text: str) -> Finding:
    index, shape = _first(value), np.shape(value)
    operands = {"g": _at(g, index, shape)} | {other.name: _at(other.value, index, shape) for other in operation.operands}
    advice = _advice(operation, _numbers(operation, index, shape))
    return Finding("backward", operation.line, operation, text, index, _element(value, index), operands, advice)


def _advice(operation: Operation, numbers: list) -> str:
    if operation.in_backward:
        return IN_BACKWARD
    text = BY_NAME.get(getattr(operation.function, "__name__", ""), IN_CALL if not rule_of(operation.function).vjps else "")
    for functions, condition, advice in ADVICE:
        if operation.function in functions:
            try:
                if condition(*numbers):
                    text = advice
                    break
            except TypeError:  # it was called with other arguments than the entry is for
                continue
    if any(np.asarray(result.value).dtype == np.float16 for result in operation.results if not isinstance(result.value, list)):
        text = text.replace("1e-12", "1e-4").replace("1e-7", "1e-3")
    return text


def _numbers(operation: Operation, index: tuple, shape: tuple) -> list:
    """Return the positional operands at an element. A summary, for an operand that has no such element, is NaN."""
    numbers = []
    for argument in operation.args:
        value = argument.value if isinstance(argument, Value) else argument
        if isinstance(value, (int, float, np.ndarray, np.generic)):
            element = _at(value, index, shape)
            numbers.append(np.nan if isinstance(element, str) else element)
    return numbers


def _is_finite(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    array = np.asarray(value)
    return array.dtype.kind not in "fc" or bool(np.all(np.isfinite(array)))


def _first(value: Any) -> tuple:
    """Return the index of the first element that is not finite."""
    while isinstance(value, (list, tuple)):
        value = next(member for member in value if not _is_finite(member))
    return tuple(int(i) for i in np.argwhere(~np.isfinite(np.asarray(value)))[0]) if np.ndim(value) else ()


def _element(value: Any, index: tuple) -> Any:
    while isinstance(value, (list, tuple)):
        value = next(member for member in value if not _is_finite(member))
    return np.asarray(value)[index].item()


def _at(value: Any, index: tuple, shape: tuple) -> Any:
    """Return the element of an operand that went into an element of the result. If there are several, return a summary."""
    try:
        return np.broadcast_to(np.asarray(value), shape)[index].item()
    except (ValueError, TypeError):
        return short(value)
