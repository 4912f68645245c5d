"""The derivative of a NumPy program, from plain NumPy alone. No rule of minigrad's, and none of its own, is used.

It is forward mode: each argument x stands for the line x + h * v, and so does each value that is computed from it. A dual
number represents a line by a value and a slope, which needs a rule for each function. Here a line is represented by
values at a few points h. The program itself runs at each point, in plain NumPy. So it knows every function, view, write
and alias: they are NumPy's own. The slope of a result is that of the polynomial through its values.

The points are in float64 or complex128, whatever the program computes in. If the slopes of two polynomials differ, or the
slopes to the left and to the right, there is a kink or jump near x, and `Rough` is raised.
"""

from __future__ import annotations

import types
from typing import Any, Callable

import numpy as np

# The weights of the slope of a polynomial of degree 6 through -3h, -2h, -h, (0,) h, 2h, 3h
STENCIL = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
STEP, SMALL_STEP, INNER_STEP = 1e-3, 1e-4, 4e-3


class Rough(Exception):
    """The program is not smooth near this point, or it is computed with too large rounding errors."""


def slope(fun: Callable[[float], np.ndarray], step: float = STEP) -> np.ndarray:
    """The derivative of a function of one number at 0. Its result is an array."""
    return sum(weight * fun(i * step) for i, weight in STENCIL.items()) / step


def checked_slope(fun: Callable[[float], np.ndarray], tolerance: float = 3e-6) -> np.ndarray:
    """The same, or `Rough`."""
    values = {i: fun(i * STEP) for i in STENCIL}
    middle, left, right = fun(0.0), fun(-SMALL_STEP), fun(SMALL_STEP)
    derivative = sum(weight * values[i] for i, weight in STENCIL.items()) / STEP
    if not np.isfinite(derivative).all():
        raise Rough
    scale = 1 + np.abs(derivative)
    bend = np.abs(values[1] + values[-1] - 2 * middle) / STEP  # at a kink, this is the same for each step
    small_bend = np.abs(left + right - 2 * middle) / SMALL_STEP
    is_kink = (small_bend > tolerance * scale) & (small_bend > bend / 3)
    if is_kink.any() or (np.abs((right - left) / (2 * SMALL_STEP) - derivative) > tolerance * scale).any():
        raise Rough
    return derivative


def flat(values: Any) -> np.ndarray:
    """All numbers in a list of results, as one array."""
    return np.concatenate([np.ravel(np.asarray(value)) for value in values]) if len(values) else np.zeros(0)


# ---- The functions of minigrad, in plain NumPy ----------------------------------------------------------------------


def grad(fun: Callable) -> Callable:
    """The gradient of a function of one array or number, element by element."""

    def gradient(x: Any) -> Any:
        x = np.array(x, np.result_type(x, float))
        result = np.zeros(x.shape, x.dtype)
        held = [(array, array.copy()) for array in reachable(fun)]
        for index in np.ndindex(x.shape):
            for unit in (1.0, 1j) if np.iscomplexobj(x) else (1.0,):

                def at(h: float) -> Any:
                    moved = x.copy()
                    moved[index] += h * unit
                    value = fun(moved if moved.shape else moved[()])
                    for array, content in held:  # each evaluation begins with what the first one found
                        array[...] = content
                    return value

                found = slope(at, INNER_STEP)
                if not abs(found - slope(at, STEP)) <= 1e-6 * (1 + abs(found)):
                    raise Rough
                result[index] += found / unit
        fun(x.copy() if x.shape else x[()])  # the writes of one call stay
        return result if x.shape else result[()]

    return gradient


def reachable(fun: Callable) -> list[np.ndarray]:
    """The arrays into which a function may write: those that it uses from outside."""
    code, outer = fun.__code__, fun.__globals__
    values = [cell.cell_contents for cell in fun.__closure__ or ()] + [outer.get(name) for name in code.co_names]
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    for i, array in enumerate(arrays):
        while isinstance(array.base, np.ndarray):
            array = array.base
        arrays[i] = array
    return [array for array in arrays if array.flags.writeable]


class Constants:
    """`stop_gradient`: the value at the point in the middle, for all points."""

    def __init__(self) -> None:
        self.values: list = []
        self.used = 0

    def rewind(self) -> None:
        self.used = 0

    def __call__(self, x: Any) -> Any:
        if self.used == len(self.values):
            self.values.append(np.array(x))
        self.used += 1
        return self.values[self.used - 1].copy()[()]


class custom_vjp:
    """The function itself. Its backward function is not used."""

    def __init__(self, fun: Callable) -> None:
        self.fun = fun

    def __call__(self, *args: Any) -> Any:
        return self.fun(*args)

    def defvjp(self, forward: Callable, backward: Callable) -> None:
        pass


def plain_names(constants: Constants | None = None) -> dict[str, Any]:
    """What a program finds under the names of minigrad's functions."""
    itself = lambda fun: fun  # noqa: E731
    return {
        "grad": grad,
        "checkpoint": itself,
        "primitive": itself,
        "defvjp": lambda fun, **vjps: None,
        "custom_vjp": custom_vjp,
        "stop_gradient": constants or (lambda x: np.array(x)[()]),
        "mnp": np,
    }


# The dtypes of a program, as they are, and wide enough for the reference
NARROW = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "C64": np.complex64, "C128": np.complex128}
WIDE = {name: np.complex128 if name.startswith("C") else np.float64 for name in NARROW}


def namespace(code: types.CodeType, names: dict[str, Any], dtypes: dict[str, Any]) -> dict[str, Any]:
    """Run the code of a program, which defines functions, and return all that it defined."""
    found = {"np": np, **names, **dtypes}
    exec(code, found)
    return found
