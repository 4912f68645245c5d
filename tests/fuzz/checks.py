"""A program is held against the reference, and against JAX; and written as a script if they differ.

A program is differentiated in one of several ways, the `MODES`. Derivatives are compared along a direction, which moves all
leaves at once. Values are those of NumPy up to a few rounding errors, in the same shape and dtype.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import Any, Callable

import numpy as np

import minigrad
import minigrad.numpy
from minigrad import guards, operands

from . import reference
from .programs import FUNCTIONS, HELPERS, Leaf, Program
from .reference import NARROW, WIDE, Rough, checked_slope, flat, slope

OURS = {name: getattr(minigrad, name) for name in "grad checkpoint primitive defvjp custom_vjp stop_gradient".split()}
OURS["mnp"] = minigrad.numpy

# What minigrad may refuse although NumPy does it; each with a clear error, as its README says.
REFUSALS = [
    (error, re.compile(pattern))
    for error, pattern in [
        (
            NotImplementedError,
            r"has no derivative|does not support|cannot (be written into|move rows|write into)|would write a value",
        ),
        (operands.TensorConversionError, r""),
        (operands.ForeignArrayError, r""),
        (
            TypeError,
            r"would drop their imaginary parts|a number does not support item assignment|cannot be seen as another",
        ),
        (ValueError, r"read-only|phases|full set|no derivative|depends on"),
        (np.linalg.LinAlgError, r""),
        (AttributeError, r"^'(float|complex)' object has no attribute"),  # np.sign(x) of a Python number is one too
    ]
]


@dataclass
class Failure(Exception):
    """What minigrad does, and what is right."""

    kind: str
    text: str
    script: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}\n\n{self.script}"


class Refused(Exception):
    """minigrad says that it cannot differentiate this."""


# ---- Directions and weights -----------------------------------------------------------------------------------------


def random_like(value: Any, seed: int) -> np.ndarray:
    """Numbers between -1 and 1, also in imaginary parts. They are exact in float16."""
    rng = np.random.default_rng([seed, 7])
    shape, kind = np.shape(value), np.result_type(value).kind
    found = rng.integers(-16, 17, shape) / 16
    return np.asarray(found + 1j * rng.integers(-16, 17, shape) / 16 if kind == "c" else found)


def weighted(outputs: list, weights: list) -> Any:
    """A real number that depends on all outputs."""
    return sum((np.real(np.sum(y * w)) for y, w in zip(outputs, weights)), 0.0)


def tolerance_for(program: Program) -> float:
    return 0.1 if "F16" in program.palette else 2e-3 if {"F32", "C64"} & set(program.palette) else 1e-5


class Run:
    """A program, ready to run in plain NumPy and in minigrad."""

    def __init__(self, program: Program) -> None:
        self.program, self.code = program, program.code
        self.dense = [leaf.dense for leaf in program.leaves]
        self.constants = reference.Constants()
        self.wide = self.names(reference.plain_names(self.constants), WIDE)

    def names(self, names: dict, dtypes: dict) -> dict[str, Any]:
        return reference.namespace(self.code, FUNCTIONS | names, dtypes)

    def plain(self) -> list:
        """The results of NumPy, in the dtypes of the program."""
        found = self.names(reference.plain_names(), NARROW)
        return found["program"](*self.leaves(found))

    def leaves(self, found: dict, dense: Any = None) -> list:
        given = self.dense if dense is None else dense
        dtypes = [found[leaf.dtype] for leaf in self.program.leaves]
        return found["leaves"](*(np.array(x).astype(dtype) for x, dtype in zip(given, dtypes)))

    def along(self, directions: list, h: float, others: list | None = None, r: float = 0.0) -> np.ndarray:
        """All results of plain NumPy, in wide dtypes, with the leaves moved by h, and by r in another direction."""
        self.constants.rewind()
        moved = [x + h * v for x, v in zip(self.dense, directions)]
        if others:
            moved = [x + r * v for x, v in zip(moved, others)]
        return flat(self.wide["program"](*self.leaves(self.wide, moved)))

    def slope(self, directions: list) -> np.ndarray:
        return checked_slope(lambda h: self.along(directions, h))

    def second_slope(self, directions: list, others: list) -> np.ndarray:
        def inner(h: float, step: float = reference.INNER_STEP) -> np.ndarray:
            return slope(lambda r: self.along(directions, h, others, r), step)

        if not np.allclose(inner(0.0), inner(0.0, reference.STEP), rtol=1e-6, atol=1e-6):
            raise Rough
        return checked_slope(inner, 1e-4)


# ---- The checks -----------------------------------------------------------------------------------------------------


def examine(program: Program, mode: str, seed: int) -> None:
    """Raise `Failure` if minigrad differs from the reference, `Refused` if it refuses, `Rough` if nobody can say."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            question = asked(program, mode, seed)
        except Rough:
            raise
        except Exception as error:  # the program goes another way at other numbers
            raise Rough from error
        before = [np.array(leaf) for leaf in question.leaves]
        try:
            ANSWERS[mode](question)
        except Failure:
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            if any(isinstance(error, kind) and pattern.search(str(error)) for kind, pattern in REFUSALS):
                raise Refused(text) from error
            if "returned something else" in text and re.search(r"\.at\(|memoryview", program.text):
                raise Refused(text) from error  # ufunc.at writes into read-only arrays, and a memoryview is no array to keep
            if isinstance(error, guards.EscapedTensorError) and "grad(" in program.text:
                raise Refused(text) from error  # what a function inside grad writes into values outside ends with grad
            raise Failure("error", text) from error
        for leaf, value in list(zip(question.leaves, before))[-1 if mode == "alone" else 0 :]:
            if not np.array_equal(np.asarray(leaf), value):
                raise Failure("argument", "the caller's array was changed")


def asked(program: Program, mode: str, seed: int) -> Question:
    """What minigrad is asked, and what the reference says. Raise `Rough` if it cannot say."""
    run = Run(program)
    plain = run.plain()
    directions = [random_like(x, seed + i) for i, x in enumerate(run.dense)]
    others = [random_like(x, seed + i + 50) for i, x in enumerate(run.dense)]
    if mode == "alone":
        directions = [v * (i == len(directions) - 1) for i, v in enumerate(directions)]
    tolerance = max(tolerance_for(program), 1e-4 if program.is_rough or mode in ("second", "nested") else 0)
    middle = run.along(directions, 0.0)  # the first run: it says what is constant
    if middle.shape != flat(plain).shape or not np.isfinite(middle).all():
        raise Rough
    if (np.abs(flat(plain) - middle) > tolerance / 5 * (1 + np.abs(middle))).any():
        raise Rough  # rounding errors are large here
    tangents = run.slope(directions)
    if "F16" in program.palette and np.abs(tangents).max(initial=0) > 1e3:
        raise Rough  # products of such numbers are too large for float16
    bend = run.second_slope(directions, others) if mode in ("second", "nested") else np.zeros_like(tangents)

    rounding = 4 * float(max(np.finfo(NARROW[name]).eps for name in program.palette))
    found = run.names(OURS, NARROW)
    leaves = run.leaves(found)
    alike = lambda vs: found["leaves"](*(np.asarray(v, np.asarray(x).dtype) for v, x in zip(vs, leaves)))  # noqa: E731
    weights = [random_like(y, seed + i + 100) for i, y in enumerate(plain)]
    slopes = [float(np.real(np.sum(t * flat(weights)))) for t in (tangents, bend)]
    return Question(
        found["program"], leaves, alike(directions), alike(others), weights, plain, tangents, *slopes, tolerance, rounding
    )


@dataclass
class Question:
    """A program with its arguments, and what is right.

    Attributes
    ----------
    program : callable
    leaves : list
        Its arguments.
    along, others : list
        Two directions, with the layout of the leaves.
    weights, plain, tangents
        Weights for the outputs, the outputs of NumPy, and their derivatives along the first direction.
    slope, second_slope : float
        The derivative of the weighted sum along the first direction, and the derivative of that along the other one.
    tolerance : float
    rounding : float
        A few units in the last place of the narrowest dtype.
    """

    program: Callable
    leaves: list
    along: list
    others: list
    weights: list
    plain: list
    tangents: np.ndarray
    slope: float
    second_slope: float
    tolerance: float
    rounding: float

    def loss(self, leaves: list) -> tuple[Any, list]:
        """A number, and the outputs."""
        outputs = self.program(*leaves)
        return weighted(outputs, self.weights), outputs

    def check_values(self, values: list) -> None:
        """Results are those of NumPy, up to a few rounding errors, and have their shape and dtype."""
        form = lambda x: f"{np.result_type(x)}{list(np.shape(x))}"  # noqa: E731
        for i, (value, wanted) in enumerate(zip(values, self.plain, strict=True)):
            if form(value) != form(wanted):
                raise Failure("value", f"output {i} is {form(value)} where NumPy gives {form(wanted)}")
            accuracy = 1e-5 if self.tolerance == 1e-4 else max(100 * np.finfo(np.result_type(value)).eps, self.rounding)
            if not np.allclose(value, wanted, rtol=accuracy, atol=accuracy, equal_nan=True):
                raise Failure("value", f"output {i} is {value!r} where NumPy gives {wanted!r}")

    def check_gradient(self, gradient: list, along: list, slope: float, what: str = "gradient") -> None:
        """A gradient has the form of the last leaves, and the right slope along the direction."""
        for g, leaf in zip(gradient, self.leaves[-len(gradient) :]):
            if np.shape(g) != np.shape(leaf) or np.result_type(g) != np.result_type(leaf) or type(g) is not type(leaf):
                raise Failure("form", f"the {what} for {leaf!r} is {g!r}")
        self.check_slope(gradient, along[-len(gradient) :], slope, what)

    def check_slope(self, gradient: list, along: list, slope: float, what: str) -> None:
        products = [np.real(np.asarray(g) * np.asarray(v)) for g, v in zip(gradient, along, strict=True)]
        size = float(sum(np.sum(np.abs(product)) for product in products))
        self.check_close(float(sum(np.sum(product) for product in products)), slope, size, what)

    def check_close(self, got: Any, wanted: Any, size: Any, what: str) -> None:
        if not np.all(np.abs(got - wanted) <= self.tolerance * (1 + size + np.abs(wanted))):
            raise Failure("gradient", f"the {what} along the direction is {got!r}, and {wanted!r} is right")


def gradient(q: Question) -> None:
    (_, outputs), found = minigrad.value_and_grad(q.loss, has_aux=True)(q.leaves)
    q.check_values(outputs)
    q.check_gradient(found, q.along, q.slope)


def alone(q: Question) -> None:
    """By the last leaf only; the other is an ordinary array."""
    by_last = minigrad.value_and_grad(lambda *leaves: q.loss(leaves), len(q.leaves) - 1, has_aux=True)
    (_, outputs), found = by_last(*q.leaves)
    q.check_values(outputs)
    q.check_gradient([found], q.along, q.slope)


def checkpointed(q: Question) -> None:
    """The whole program is computed again in the backward pass."""
    gradient(replace(q, program=minigrad.checkpoint(q.program)))


def vjp(q: Question) -> None:
    """The same function is called three times, and what it returned is written into."""
    outputs, back = minigrad.vjp(q.program, *q.leaves)
    q.check_values(outputs)
    cotangents = [np.asarray(w).astype(np.result_type(y))[()] for w, y in zip(q.weights, q.plain)]
    kept = [np.array(g) for g in cotangents]
    for factor, what in ((1, "first vjp"), (2, "second vjp"), (1, "third vjp")):
        found = list(back([2 * g for g in cotangents] if factor == 2 else cotangents))
        q.check_gradient(found, q.along, factor * q.slope, what)
        for g in found:
            if isinstance(g, np.ndarray):
                g[...] = 99
    if not all(np.array_equal(g, old) for g, old in zip(cotangents, kept)):
        raise Failure("argument", "the caller's cotangent was changed")


def jvp(q: Question) -> None:
    outputs, found = minigrad.jvp(q.program, tuple(q.leaves), tuple(q.along))
    q.check_values(outputs)
    q.check_close(flat(found), q.tangents, np.abs(q.tangents).max(initial=0), "jvp")


def second(q: Question) -> None:
    """The gradient of the slope along a direction."""

    def slope_of(leaves: list) -> Any:
        found, _ = minigrad.grad(q.loss, has_aux=True)(leaves)
        return weighted(found, q.along)

    q.check_gradient(minigrad.grad(slope_of)(q.leaves), q.others, q.second_slope, "second derivative")


def nested(q: Question) -> None:
    """The same by jvp of the gradient."""
    first = lambda *leaves: minigrad.grad(q.loss, has_aux=True)(list(leaves))[0]  # noqa: E731
    _, found = minigrad.jvp(first, tuple(q.leaves), tuple(q.others))
    q.check_slope(found, q.along, q.second_slope, "second derivative")


# The modes; the first is the most common one
ANSWERS = {"gradient": gradient, "vjp": vjp, "alone": alone, "jvp": jvp, "second": second, "checkpoint": checkpointed}
ANSWERS["nested"] = nested
MODES = ["gradient", *ANSWERS]


def examine_in_jax(program: Program, seed: int) -> bool:
    """Hold the reference against JAX. Return whether JAX can run the program."""
    import jax
    import jax.numpy as jnp

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        question = asked(program, "gradient", seed)
        names = {
            "grad": jax.grad,
            "checkpoint": jax.checkpoint,
            "stop_gradient": jax.lax.stop_gradient,
            "np": jnp,
            "mnp": jnp,
        }
        found = Run(program).names(names, {name: jnp.dtype(dtype).type for name, dtype in NARROW.items()})

        def loss(leaves: list) -> Any:
            outputs = found["program"](*leaves)
            return sum((jnp.real(jnp.sum(y * w)) for y, w in zip(outputs, question.weights)), 0.0)

        try:
            gradient = jax.grad(loss)([jnp.asarray(x) for x in question.leaves])
        except Exception:
            return False
    try:
        question.check_slope(gradient, question.along, question.slope, "gradient in JAX")
    except Failure as failure:
        raise Failure("JAX", failure.text) from None
    return True


# ---- Failures -------------------------------------------------------------------------------------------------------


def outcome(program: Program, mode: str, seed: int, check: Callable = examine) -> Failure | None:
    """The failure of a program, or None: also if it cannot run any more."""
    try:
        check(program, mode, seed)
    except Failure as failure:
        return failure
    except Exception:
        pass
    return None


def shortened(program: Program, mode: str, seed: int, failure: Failure) -> tuple[Program, str, Failure]:
    """The same failure with as few statements and outputs as possible, in the simplest mode."""

    def attempt(candidate: Program, mode: str) -> Failure | None:
        found = outcome(candidate, mode, seed)
        return found if found and found.kind == failure.kind else None

    for simple in ("gradient", "vjp"):
        found = attempt(program, simple) if mode != simple else None
        if found:
            mode, failure = simple, found
            break
    changed = True
    while changed:
        changed = False
        for name in ("outputs", "statements"):
            i = len(getattr(program, name)) - 1
            while i >= 0:
                members = getattr(program, name)
                if len(members) > (1 if name == "outputs" else 0):
                    smaller = replace(program, **{name: members[:i] + members[i + 1 :]})
                    found = attempt(smaller, mode)
                    if found:
                        program, failure, changed = smaller, found, True
                i -= 1
        for i, leaf in enumerate(program.leaves):
            if leaf.layout != "{0}" and leaf.dense.shape:
                plain = program.leaves[:i] + [Leaf(leaf.dense, leaf.dtype, "{0}")] + program.leaves[i + 1 :]
                found = attempt(replace(program, leaves=plain), mode)
                if found:
                    program, failure, changed = replace(program, leaves=plain), found, True
    return program, mode, failure


def signature(program: Program, failure: Failure) -> str:
    """What failures with the same cause have in common, more or less: the statements without numbers and names."""
    text = re.sub(r"\b[a-z]+\d+\b", "_", " ; ".join(program.statements))
    return failure.kind + ": " + re.sub(r"[\d.\[\], -]+", " ", text)


NEW_LINE = "\n"


def listed(values: list) -> str:
    return "[" + ", ".join(f"array({np.asarray(value).tolist()})" for value in values) + "]"


def name_of(helper: str) -> str:
    """The name that a function or class defines."""
    return re.split(r"\W+", helper.strip())[1]


def script(program: Program, mode: str, seed: int, failure: Failure) -> str:
    """A program that can be pasted into a file, which shows the failure."""
    run = Run(program)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        question = asked(program, mode, seed)
        plain, weights = question.plain, question.weights
        zeros = [np.zeros_like(x) for x in run.dense]
        expected = []
        run.along(zeros, 0.0)
        for i, x in enumerate(run.dense):
            gradient = np.zeros(x.shape, x.dtype)
            for index in np.ndindex(x.shape):
                for unit in (1.0, 1j) if x.dtype.kind == "c" else (1.0,):
                    direction = [z.copy() for z in zeros]
                    direction[i][index] = unit
                    tangents = slope(lambda h: run.along(direction, h))
                    gradient[index] += np.real(np.sum(tangents * flat(weights))) / unit
            expected.append(gradient.round(6) + 0.0)
    arrays = [f"array({x.tolist()}, {leaf.dtype})" for x, leaf in zip(run.dense, program.leaves)]
    helpers = [part.strip() for part in HELPERS.split("\n\n\n") if re.search(rf"\b{name_of(part)}\b", program.text)]
    ask, right = {
        "vjp": (
            "outputs, back = vjp(program, *x)\nfor _ in range(3):\n"
            "    print('minigrad', back([np.asarray(w, np.asarray(y).dtype)[()] for w, y in zip(weights, outputs)]))",
            expected,
        ),
        "alone": ("print('minigrad', grad(lambda *x: loss(x)[0], len(x) - 1)(*x))", expected[-1]),
        "checkpoint": ("program = checkpoint(program)\nprint('minigrad', grad(loss, has_aux=True)(x))", expected),
        "jvp": (
            f"along = leaves(*{listed(question.along)})\nprint('minigrad', jvp(program, tuple(x), tuple(along))[1])",
            question.tangents,
        ),
    }.get(mode, ("print('minigrad', grad(loss, has_aux=True)(x))", expected))
    if mode in ("second", "nested"):
        ask = (
            f"along, other = {listed(question.along)}, {listed(question.others)}\n"
            "slope = lambda x: sum(np.real(np.sum(g * v)) for g, v in zip(grad(loss, has_aux=True)(x)[0], along))\n"
            "print('minigrad', sum(np.real(np.sum(g * v)) for g, v in zip(grad(slope)(x), other)))"
        )
        right = question.second_slope
    text = f"""# {failure.kind} ({mode}): {failure.text.replace(NEW_LINE, NEW_LINE + "# ")}
import numpy as np
import minigrad.numpy as mnp
from minigrad import checkpoint, custom_vjp, defvjp, grad, jvp, primitive, stop_gradient, vjp

{", ".join(NARROW)} = {", ".join(f"np.{np.dtype(dtype).name}" for dtype in NARROW.values())}
{"".join(f"{NEW_LINE * 2}{part}{NEW_LINE}" for part in helpers)}

{program.text}

weights = {listed(weights)}


def loss(x):
    outputs = program(*x)
    return sum((np.real(np.sum(y * w)) for y, w in zip(outputs, weights)), 0.0), outputs


x = leaves({", ".join(arrays)})
{ask}
# right: {repr(right).replace(NEW_LINE, NEW_LINE + "# ")}
# outputs of NumPy: {repr(plain).replace(NEW_LINE, NEW_LINE + "# ")}
"""
    return re.sub(r"(?<![.\w])array\(", "np.array(", text)
