"""A program is held against the reference, and against JAX; and written as a script if they differ.

A program is differentiated in several ways, its `MODES`. What comes out is compared along one direction for all leaves
together. Of the values and dtypes, each bit is compared.
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
        (NotImplementedError, r"has no derivative|does not support|cannot be written into|was to write a value|cannot write into"),
        (operands.TensorConversionError, r""),
        (operands.ForeignArrayError, r""),
        (TypeError, r"which would drop their imaginary parts|cannot be seen as another dtype"),
        (ValueError, r"read-only|phases|full set|no derivative|depends on"),
        (np.linalg.LinAlgError, r""),
    ]
]
MODES = ["gradient", "gradient", "vjp", "alone", "jvp", "second", "checkpoint", "nested"]


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
        return checked_slope(lambda h: slope(lambda r: self.along(directions, h, others, r), reference.INNER_STEP), 1e-4)


# ---- The checks -----------------------------------------------------------------------------------------------------


def examine(program: Program, mode: str, seed: int) -> None:
    """Raise `Failure` if minigrad differs from the reference, `Refused` if it refuses, `Rough` if nobody can say."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _examine(Run(program), mode, seed)


def _examine(run: Run, mode: str, seed: int) -> None:
    program = run.program
    plain = run.plain()
    directions = [random_like(x, seed + i) for i, x in enumerate(run.dense)]
    if mode == "alone":
        directions = [v * (i == len(directions) - 1) for i, v in enumerate(directions)]
    try:
        middle = run.along(directions, 0.0)  # the first run: it says what is constant
        if middle.shape != flat(plain).shape:
            raise Rough  # a program that asks for dtypes
        tolerance = max(tolerance_for(program), 1e-4 if program.is_rough or mode in ("second", "nested") else 0)
        if not np.isfinite(middle).all() or (np.abs(flat(plain) - middle) > tolerance / 5 * (1 + np.abs(middle))).any():
            raise Rough  # rounding errors are large here
        tangents = run.slope(directions)
        others = [random_like(x, seed + i + 50) for i, x in enumerate(run.dense)]
        bend = run.second_slope(directions, others) if mode in ("second", "nested") else None
    except Rough:
        raise
    except Exception as error:  # a program that goes another way at other numbers
        raise Rough from error

    weights = [random_like(y, seed + i + 100) for i, y in enumerate(plain)]
    found = run.names(OURS, NARROW)
    leaves = run.leaves(found)
    before = [np.array(leaf) for leaf in leaves]
    along_leaves = found["leaves"](*(np.asarray(v, np.asarray(leaf).dtype) for v, leaf in zip(directions, leaves)))
    other_leaves = found["leaves"](*(np.asarray(v, np.asarray(leaf).dtype) for v, leaf in zip(others, leaves)))
    expected = float(np.real(np.sum(tangents * flat(weights)))) if plain else 0.0
    checker = Comparison(tolerance)
    try:
        CHECKS[mode](checker, found["program"], leaves, along_leaves, other_leaves, weights, plain, expected, tangents, bend)
    except (Failure, Refused):
        raise
    except RecursionError as error:
        raise Failure("error", repr(error)) from error
    except Exception as error:
        if isinstance(error, guards.EscapedTensorError) and "grad(" in program.text:
            raise Refused(str(error)) from error  # what a function inside grad writes into values outside ends with grad
        if any(isinstance(error, kind) and pattern.search(str(error)) for kind, pattern in REFUSALS):
            raise Refused(f"{type(error).__name__}: {error}") from error
        raise Failure("error", f"{type(error).__name__}: {error}") from error
    differentiated = slice(-1, None) if mode == "alone" else slice(None)
    for leaf, value in zip(leaves[differentiated], before[differentiated]):
        if not np.array_equal(np.asarray(leaf), value):
            raise Failure("argument", "the caller's array was changed")


@dataclass
class Comparison:
    """Compares numbers, and raises `Failure`."""

    tolerance: float

    def values(self, values: list, plain: list) -> None:
        """Results are those of NumPy: each bit, the shape, and the dtype."""
        for i, (value, wanted) in enumerate(zip(values, plain, strict=True)):
            if np.shape(value) != np.shape(wanted) or np.result_type(value) != np.result_type(wanted):
                form = lambda x: f"{np.result_type(x)}{list(np.shape(x))}"  # noqa: E731
                raise Failure("value", f"output {i} is {form(value)} where NumPy gives {form(wanted)}")
            accuracy = 1e-5 if self.tolerance == 1e-4 else 100 * np.finfo(np.result_type(value)).eps
            if not np.allclose(value, wanted, rtol=accuracy, atol=accuracy, equal_nan=True):
                raise Failure("value", f"output {i} is {value!r} where NumPy gives {wanted!r}")

    def gradient(self, gradient: list, leaves: list, directions: list, expected: float, what: str = "gradient") -> None:
        """A gradient has the form of the leaves, and the right slope along the direction."""
        for g, leaf in zip(gradient, leaves, strict=True):
            if np.shape(g) != np.shape(leaf) or np.result_type(g) != np.result_type(leaf) or type(g) is not type(leaf):
                raise Failure("form", f"the {what} for {leaf!r} is {g!r}")
        got = float(sum(np.real(np.sum(np.asarray(g) * np.asarray(v))) for g, v in zip(gradient, directions)))
        size = float(sum(np.sum(np.abs(np.asarray(g) * np.asarray(v))) for g, v in zip(gradient, directions)))
        self.number(got, expected, size, what)

    def number(self, got: Any, expected: Any, size: Any = 0.0, what: str = "derivative") -> None:
        wrong = ~(np.abs(got - expected) <= self.tolerance * (1 + size + np.abs(expected)))
        if np.any(wrong):
            raise Failure("gradient", f"the {what} along the direction is {got!r}, and {expected!r} is right")


def loss_of(program: Callable, weights: list) -> Callable:
    """A function of a list of leaves: a number, and the outputs."""

    def loss(leaves: list) -> tuple[Any, list]:
        outputs = program(*leaves)
        return weighted(outputs, weights), outputs

    return loss


def check_gradient(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    (value, outputs), gradient = minigrad.value_and_grad(loss_of(program, weights), has_aux=True)(leaves)
    c.values(outputs, plain)
    c.gradient(gradient, leaves, along, expected)


def check_alone(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    """By the last leaf only; the other is an ordinary array."""
    loss = lambda *given: loss_of(program, weights)(given)  # noqa: E731
    (value, outputs), gradient = minigrad.value_and_grad(loss, len(leaves) - 1, has_aux=True)(*leaves)
    c.values(outputs, plain)
    c.gradient([gradient], leaves[-1:], along[-1:], expected)


def check_vjp(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    """The same function is asked three times, and its answers are written into."""
    outputs, back = minigrad.vjp(program, *leaves)
    c.values(outputs, plain)
    cotangents = [np.asarray(w).astype(np.result_type(y))[()] for w, y in zip(weights, plain)]
    kept = [np.array(g) for g in cotangents]
    first = list(back(cotangents))
    c.gradient(first, leaves, along, expected)
    doubled = list(back([2 * g for g in cotangents]))
    c.gradient(doubled, leaves, along, 2 * expected, "second vjp")
    for g in (*first, *doubled):
        if isinstance(g, np.ndarray):
            g[...] = 99
    c.gradient(list(back(cotangents)), leaves, along, expected, "third vjp")
    if not all(np.array_equal(g, old) for g, old in zip(cotangents, kept)):
        raise Failure("argument", "the caller's cotangent was changed")


def check_jvp(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    outputs, found = minigrad.jvp(program, tuple(leaves), tuple(along))
    c.values(outputs, plain)
    c.number(flat(found), tangents, np.abs(tangents).max(initial=0), "jvp")


def check_checkpoint(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    check_gradient(c, minigrad.checkpoint(program), leaves, along, others, weights, plain, expected, tangents, bend)


def check_second(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    """The derivative of the slope in one direction, along another."""

    def slope_of(given: list) -> Any:
        gradient, _ = minigrad.grad(loss_of(program, weights), has_aux=True)(given)
        return sum((np.real(np.sum(g * v)) for g, v in zip(gradient, along)), 0.0)

    second = float(np.real(np.sum(bend * flat(weights))))
    c.gradient(minigrad.grad(slope_of)(leaves), leaves, others, second, "second derivative")


def check_nested(c, program, leaves, along, others, weights, plain, expected, tangents, bend):
    """The same by jvp of the gradient."""
    gradient = lambda *given: minigrad.grad(loss_of(program, weights), has_aux=True)(list(given))[0]  # noqa: E731
    _, found = minigrad.jvp(gradient, tuple(leaves), tuple(others))
    got = float(sum(np.real(np.sum(np.asarray(g) * np.asarray(v))) for g, v in zip(found, along)))
    size = float(sum(np.sum(np.abs(np.asarray(g) * np.asarray(v))) for g, v in zip(found, along)))
    c.number(got, float(np.real(np.sum(bend * flat(weights)))), size, "second derivative")


CHECKS = {mode: globals()[f"check_{mode}"] for mode in set(MODES)}


def examine_in_jax(program: Program, seed: int) -> bool:
    """Hold the reference against JAX. Return whether JAX can run the program."""
    import jax
    import jax.numpy as jnp

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        run = Run(program)
        plain = run.plain()
        directions = [random_like(x, seed + i) for i, x in enumerate(run.dense)]
        run.along(directions, 0.0)
        tangents = run.slope(directions)
        weights = [random_like(y, seed + i + 100) for i, y in enumerate(plain)]
        names = {"grad": jax.grad, "checkpoint": jax.checkpoint, "stop_gradient": jax.lax.stop_gradient, "np": jnp, "mnp": jnp}
        found = run.names(names, {name: jnp.dtype(dtype).type for name, dtype in NARROW.items()})
        ours = run.names(OURS, NARROW)
        leaves = run.leaves(ours)
        along = ours["leaves"](*(np.asarray(v, np.asarray(leaf).dtype) for v, leaf in zip(directions, leaves)))

        def loss(given: list) -> Any:
            outputs = found["program"](*given)
            return sum((jnp.real(jnp.sum(y * w)) for y, w in zip(outputs, weights)), 0.0)

        try:
            gradient = jax.grad(loss)([jnp.asarray(x) for x in leaves])
        except Exception:
            return False
    got = float(sum(np.real(np.sum(np.asarray(g) * np.asarray(v))) for g, v in zip(gradient, along)))
    size = float(sum(np.sum(np.abs(np.asarray(g) * np.asarray(v))) for g, v in zip(gradient, along)))
    expected = float(np.real(np.sum(tangents * flat(weights))))
    if not abs(got - expected) <= tolerance_for(program) * (1 + size + abs(expected)):
        raise Failure("JAX", f"the slope is {got!r} in JAX, and {expected!r} by the reference")
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


def script(program: Program, mode: str, seed: int, failure: Failure) -> str:
    """A program that can be pasted into a file, which shows the failure."""
    run = Run(program)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        plain = run.plain()
        weights = [random_like(y, seed + i + 100) for i, y in enumerate(plain)]
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
    leaves = ", ".join(f"np.array({x.tolist()}, {leaf.dtype})" for x, leaf in zip(run.dense, program.leaves))
    helpers = "".join(f"\n\n{part.strip()}\n" for part in HELPERS.split("\n\n\n") if part.split("(")[0].split()[-1] + "(" in program.text)
    dtypes = ", ".join(NARROW), ", ".join(f"np.{np.dtype(dtype).name}" for dtype in NARROW.values())
    ask = {
        "vjp": "outputs, back = vjp(program, *x)\n"
        "gradient = back([np.asarray(w, np.asarray(y).dtype)[()] for w, y in zip(weights, outputs)])",
    }.get(mode, "gradient, outputs = grad(loss, has_aux=True)(x)")
    text = f"""# {failure.kind} ({mode}): {failure.text}
import numpy as np
import minigrad.numpy as mnp
from minigrad import checkpoint, custom_vjp, defvjp, grad, primitive, stop_gradient, vjp

{dtypes[0]} = {dtypes[1]}
{helpers}

{program.text}

weights = [{", ".join(f"np.array({w.tolist()})" for w in weights)}]


def loss(x):
    outputs = program(*x)
    return sum((np.real(np.sum(y * w)) for y, w in zip(outputs, weights)), 0.0), outputs


x = leaves({leaves})
{ask}
print("NumPy's outputs", program(*leaves({leaves})) if {"grad(" not in program.text} else "")
print("outputs        ", outputs)
print("gradient       ", gradient)
print("expected       ", {expected!r})
"""
    return re.sub(r"(?<![.\w])array\(", "np.array(", text)
