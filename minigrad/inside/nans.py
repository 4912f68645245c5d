"""find_nan: where the first NaN or infinity comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .trace import Line, Operation, Share, Trace, Value
from .writing import formula, operation_text, short

TWICE = (
    "Behind a mask, write np.where twice, because it computes both branches, and 0 * inf is NaN: "
    "safe = np.where(ok, x, 1.0), then np.where(ok, {call}, 0.0)"
)

# What people usually write instead: functions, the condition under which an entry holds (by the operands at the element), and
# the advice. The first entry that holds is taken.
ADVICE: list[tuple[tuple, Callable[..., Any], str]] = [
    ((np.log, np.log2, np.log10), lambda x: x == 0, "the logarithm of 0; add a small number, np.log(x + 1e-12); for x * log(x) "
     "use scipy.special.xlogy; for the logarithm of a softmax, z - logsumexp(z). " + TWICE.format(call="np.log(safe)")),
    ((np.log, np.log2, np.log10), lambda x: np.isinf(x) or x > 0, "log of a large number: for log(exp(a) + exp(b)) write np.logaddexp(a, b)"),
    ((np.log, np.log2, np.log10), lambda x: x < 0, "the logarithm of a negative number. " + TWICE.format(call="np.log(safe)")),
    ((np.log1p,), lambda x: x <= -1, "log1p of -1 or less; keep x above -1, with np.maximum(x, -1 + 1e-12)"),
    ((np.sqrt,), lambda x: x == 0, "the square root has an infinite slope at 0; write np.sqrt(x + 1e-12). " + TWICE.format(call="np.sqrt(safe)")),
    ((np.sqrt,), lambda x: x < 0, "the square root of a negative number. " + TWICE.format(call="np.sqrt(safe)")),
    ((np.cbrt,), lambda x: x == 0, "the cube root has an infinite slope at 0. " + TWICE.format(call="np.cbrt(safe)")),
    ((np.linalg.norm,), lambda *_: True, "the norm has no slope at 0; write np.sqrt(np.sum(x ** 2) + 1e-12), or leave zeros out: "
     "safe = np.where(np.any(x != 0), x, 1.0)"),
    ((np.hypot,), lambda *_: True, "the length of a vector overflows, or has no slope at 0; scale it, or add 1e-12 under the root"),
    ((np.arctan2, np.angle), lambda *_: True, "the angle of the point (0, 0) is not defined. " + TWICE.format(call="np.arctan2(y, safe)")),
    ((np.divide, np.reciprocal), lambda a, b=0: np.isfinite(b) and b == 0, "a division by 0. For a mean x / n of what may be nothing, write "
     "x / np.maximum(n, 1). " + TWICE.format(call="a / safe")),
    ((np.divide, np.reciprocal), lambda *_: True, "the quotient overflows: the divisor is very small; divide by np.maximum(b, 1e-12)"),
    ((np.remainder, np.fmod, np.floor_divide), lambda *_: True, "a division by 0. " + TWICE.format(call="a % safe")),
    ((np.exp, np.exp2, np.expm1), lambda x: x > 0, "exp overflows; for a softmax subtract the largest first, z - z.max(); for "
     "log(exp(a) + exp(b)) write np.logaddexp(a, b); for log(1 + exp(x)) write np.logaddexp(0, x); for 1 / (1 + exp(-x)) write "
     "0.5 * (1 + np.tanh(x / 2))"),
    ((np.sinh, np.cosh), lambda *_: True, "sinh and cosh overflow; work with their logarithms, or scale x"),
    ((np.power, np.float_power), lambda a, b: a == 0, "a power of 0 with an exponent below 1 has an infinite slope, and below 0 an infinite value. "
     + TWICE.format(call="safe ** b")),
    ((np.power, np.float_power), lambda a, b: a < 0, "a negative number to a power that is not whole; write np.abs(x) ** b, or "
     + TWICE.format(call="safe ** b")),
    ((np.power, np.float_power, np.square, np.multiply, np.matmul, np.dot, np.prod, np.einsum), lambda *_: True,
     "the product overflows; scale the data, use float64, or add logarithms"),
    ((np.arcsin, np.arccos), lambda x: abs(x) >= 1, "arcsin and arccos have an infinite slope at 1 and -1, and no value beyond; "
     "write np.arccos(np.clip(x, -1 + 1e-7, 1 - 1e-7)), or np.arctan2 of both sides of the triangle"),
    ((np.arctanh,), lambda x: abs(x) >= 1, "arctanh is infinite at 1 and -1; keep x between them, with np.clip"),
    ((np.arccosh,), lambda x: x <= 1, "arccosh has an infinite slope at 1 and no value below it; write np.arccosh(np.maximum(x, 1 + 1e-12))"),
    ((np.std, np.nanstd), lambda *_: True, "the standard deviation has no slope where all numbers are equal, and no value for fewer "
     "numbers than ddof allows; write np.sqrt(np.var(x) + 1e-12)"),
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
    "gammaln": "the gamma function is infinite at 0, -1, -2, and so on",
    "gamma": "the gamma function overflows from 171 on, and is infinite at 0, -1, -2, and so on; work with gammaln",
    "digamma": "the digamma function is infinite at 0, -1, -2, and so on",
    "logit": "the logit is infinite at 0 and 1; write logit(np.clip(p, 1e-12, 1 - 1e-12))",
    "erfinv": "erfinv is infinite at 1 and -1; keep x between them, with np.clip",
    "xlogy": "x * log(y) has an infinite slope at y = 0",
}


@dataclass
class Finding:
    """Where the first NaN or infinity came from. ``print`` says it in words.

    Attributes
    ----------
    stage : str
        "input", "forward" or "backward".
    line : Line or None
        The line of the user's program. An input has none.
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
    index: tuple
    result: Any
    operands: dict[str, Any] = field(default_factory=dict)
    advice: str = ""
    ends_finite: bool = False

    def __str__(self) -> str:
        at = f" at {list(self.index)}" if self.index else ""
        if self.stage == "input":
            return f"{self.text}{at} is {self.result} when the function begins"
        operands = ", ".join(f"{name} = {value}" for name, value in self.operands.items())
        parts = [
            f"{self.stage}: {self.text}{at} gave {self.result}",
            f"    {self.line}" + (f"\n        {self.line.text}" if self.line and self.line.text else ""),
            f"    with {operands}" if operands else "",
            f"    {self.advice}" if self.advice else "",
            "    (the value and the gradient are finite all the same)" if self.ends_finite else "",
        ]
        return "\n".join(part for part in parts if part)


def find_nan(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Finding | None]:
    """Return the function that says where the first NaN or infinity came from in a call of `fun` and in its gradient.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `minigrad.grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`. Returns a `Finding`, or None if all numbers are finite.

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`.

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
            trace.run(fun, args, kwargs, argnums, has_aux)
            finding = _in_inputs(trace) or _forward(trace) or _backward(trace)
        if finding:
            finding.ends_finite = all(_is_finite(value) for value in trace.final_values())
        return finding

    return find


# ---- The search -----------------------------------------------------------------------------------------------------


def _in_inputs(trace: Trace) -> Finding | None:
    constants = [value for operation in trace.operations for value in operation.operands if value.node is None]
    for value in [*trace.inputs, *constants]:
        if not _is_finite(value.value):
            index = _first(value.value)
            return Finding("input", None, None, value.name, index, _element(value.value, index))
    return None


def _forward(trace: Trace) -> Finding | None:
    for operation in trace.operations:
        for result in operation.results:
            if not _is_finite(result.value):
                index = _first(result.value)
                operands = {value.name: _at(value.value, index, np.shape(result.value)) for value in operation.operands}
                return Finding(
                    "forward", operation.line, operation, operation_text(operation), index, _element(result.value, index),
                    operands, _advice(operation, _numbers(operation, index, np.shape(result.value))),
                )
    return None


def _backward(trace: Trace) -> Finding | None:
    for visit in trace.visits:
        for share in visit.shares:
            if not _is_finite(share.value):
                return _of_share(visit.operation, visit.cotangent, share, share.value, formula(visit.operation, share))
            if not _is_finite(share.total):
                text = f"the sum of the cotangents of {share.parent.name}"
                return _of_share(visit.operation, visit.cotangent, share, share.total, text)
    return None


def _of_share(operation: Operation, g: Any, share: Share, value: Any, text: str) -> Finding:
    index, shape = _first(value), np.shape(value)
    operands = {"g": _at(g, index, shape)} | {other.name: _at(other.value, index, shape) for other in operation.operands}
    advice = _advice(operation, _numbers(operation, index, shape))
    return Finding("backward", operation.line, operation, text, index, _element(value, index), operands, advice)


def _advice(operation: Operation, numbers: list) -> str:
    for functions, condition, text in ADVICE:
        if operation.function in functions:
            try:
                if condition(*numbers):
                    return text
            except TypeError:  # it was called with other arguments than the entry is for
                continue
    return BY_NAME.get(getattr(operation.function, "__name__", ""), "")


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
    """Return the element of an operand that went into an element of the result, or a summary if that is not one element."""
    try:
        return np.broadcast_to(np.asarray(value), shape)[index].item()
    except (ValueError, TypeError):
        return short(value)
