"""check_grads: a function's derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..boundary import float0
from ..transforms import jvp, vjp
from .writing import short

# By the dtype of the least exact leaf: tolerance, and the step of the differences.
TOLERANCE = {"float16": 1e-2, "float32": 2e-3, "float64": 1e-6, "longdouble": 1e-6}
STEP = {"float16": 3e-2, "float32": 5e-3, "float64": 1e-3, "longdouble": 1e-3}


def check_grads(
    f: Callable[..., Any], args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None, rtol: float | None = None, eps: float | None = None, seed: int = 0,
) -> None:
    """Check the derivatives of a function against finite differences, along random directions.

    It is JAX's `jax.test_util.check_grads`, and checks the same: the forward derivative J u against central differences
    of `f` along u; and for the reverse mode, that v . (J u) is (J^T v) . u. For order 2, the same is checked of these
    derivatives, and so on.

    Parameters
    ----------
    f : callable
        Takes `args`. It returns a number, an array, or a pytree of them.
    args : sequence
        Where to check. Each is a float, a complex number, an array of either, or a pytree of them.
    order : int, default 2
        How many times to differentiate.
    modes : sequence of str, default ("fwd", "rev")
        Which derivatives to check: `jvp` ("fwd"), `vjp` ("rev"), or both.
    atol, rtol : float, optional
        The absolute and relative tolerance. By default, they follow from the least exact dtype: 1e-6 for float64, 2e-3
        for float32, 1e-2 for float16.
    eps : float, optional
        The step of the differences. By default 1e-3 for float64, 5e-3 for float32. The error of the differences is of the
        fourth order in it (Richardson's extrapolation).
    seed : int, default 0
        For the random directions.

    Raises
    ------
    AssertionError
        If a derivative differs from the finite difference. The message names the leaf, the direction, both numbers, and
        the likely cause.
    TypeError
        If none of the arguments can be differentiated.
    ValueError
        If a mode is neither "fwd" nor "rev".

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> minigrad.check_grads(lambda x: np.sum(np.sin(x) ** 2), (np.arange(3.0),), order=2)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"modes are 'fwd' and 'rev', and not {modes}")
    args = tuple(args)
    kinds = [np.asarray(leaf).dtype for leaf in tree.leaves(args)]
    if not any(kind.kind in "fc" for kind in kinds):
        raise TypeError("none of the arguments can be differentiated: no leaf is a float or a complex number")
    least = min((np.finfo(kind).precision, np.empty(0, kind).real.dtype.name) for kind in kinds if kind.kind in "fc")[1]
    tolerance, step = TOLERANCE.get(least, 1e-6), eps or STEP.get(least, 1e-3)
    rng = np.random.default_rng(seed)
    check = Check(rng, tolerance if atol is None else atol, tolerance if rtol is None else rtol, step, least)
    check.all(f, args, order, modes, "f")


class Check:
    """One run of `check_grads`."""

    def __init__(self, rng: np.random.Generator, atol: float, rtol: float, step: float, dtype: str) -> None:
        self.rng, self.atol, self.rtol, self.step, self.dtype = rng, atol, rtol, step, dtype

    def all(self, f: Callable, args: tuple, order: int, modes: tuple, title: str) -> None:
        """Check the derivatives of `f` up to an order."""
        if order == 0:
            return
        u = random_like(args, self.rng)
        v = random_like(f(*args), self.rng)
        for mode in modes:
            derivative = (lambda t: dot(v, jvp(f, args, t)[1])) if mode == "fwd" else (lambda t: dot(vjp(f, *args)[1](v), t))
            self.one(f, args, u, v, derivative, f"{'jvp' if mode == 'fwd' else 'vjp'} of {title}")
        if "fwd" in modes:
            self.all(lambda *x: jvp(f, x, u)[1], args, order - 1, modes, f"the forward derivative of {title}")
        if "rev" in modes:
            self.all(lambda *x: vjp(f, *x)[1](v), args, order - 1, modes, f"the gradient of {title}")

    def one(self, f: Callable, args: tuple, u: tuple, v: Any, derivative: Callable, title: str) -> None:
        """Check one derivative along one direction. If it is wrong, find the leaf."""
        ours, numerical = derivative(u), self.difference(f, args, u, v)
        if self.agree(ours, numerical):
            return
        leaves, structure = tree.flatten(u)
        names = [f"args{tree.keystr(path)}" for path in tree.paths(structure)]
        found = []
        for i, name in enumerate(names):
            alone = tree.unflatten(structure, [leaf if i == j else zero_like(leaf) for j, leaf in enumerate(leaves)])
            ours_alone, numerical_alone = derivative(alone), self.difference(f, args, alone, v)
            found.append((abs(ours_alone - numerical_alone), name, leaves[i], ours_alone, numerical_alone, alone))
        _, name, direction, ours, numerical, alone = max(found, key=lambda entry: np.nan_to_num(entry[0], nan=np.inf))
        raise AssertionError(
            f"{title} differs from finite differences by the leaf {name}:\n"
            f"    along the direction {short(direction)}\n"
            f"    minigrad            {ours:.10g}\n"
            f"    finite differences  {numerical:.10g}\n"
            f"    likely cause: {self.cause(f, args, alone, v, ours, numerical)}"
        )

    def agree(self, a: float, b: float) -> bool:
        """Return whether two numbers are equal within the tolerances."""
        return bool(np.isclose(a, b, rtol=self.rtol, atol=self.atol, equal_nan=True))

    def difference(self, f: Callable, args: tuple, u: tuple, v: Any, h: float | None = None) -> float:
        """Return v . (derivative of f along u) by finite differences."""
        return dot(v, differences(f, args, u, h or self.step))

    def cause(self, f: Callable, args: tuple, u: tuple, v: Any, ours: float, numerical: float) -> str:
        """Return why the two numbers may differ."""
        h, here = self.step, dot(v, f(*args))
        if not np.isfinite(ours) or not np.isfinite(numerical):
            return "a number that is not finite; minigrad.find_nan says where it comes from"
        if here != dot(v, f(*args)):
            return "the function does not return the same twice"
        if self.dtype != "float64":
            return f"{self.dtype}: differences of such numbers are not exact; check in float64, or set atol, rtol and eps"
        if np.isclose(ours, self.difference(f, args, u, v, h / 100), rtol=100 * self.rtol, atol=100 * self.atol):
            return f"a kink nearby, or a step that is too large: with eps={h / 100:g} the two agree"
        (right, left), (closer_right, closer_left) = (
            [(dot(v, f(*moved(args, u, s))) - here) / s for s in (h / n, -h / n)] for n in (100, 1000)
        )
        # Without a kink, the two slopes approach each other with the step, and neither grows.
        gap, closer_gap, size = abs(right - left), abs(closer_right - closer_left), abs(right) + abs(left)
        if closer_gap > max(gap / 3, 1e-6 * size) or abs(closer_right) + abs(closer_left) > 3 * size > 0:
            return f"a kink nearby: the slope is {left:.6g} on the left and {right:.6g} on the right"
        if ours == 0:
            return "a constant branch: the function passes through something without a derivative (stop_gradient, item(), rounding)"
        return "a wrong rule (a defvjp or custom_vjp of your own?), or a part that is constant to grad (stop_gradient, item())"


def differences(f: Callable, args: tuple, u: tuple, step: float) -> Any:
    """Return the derivative of ``f(*args)`` along `u`: central differences with two steps, extrapolated (Richardson)."""
    values = (f(*moved(args, u, s)) for s in (-step, -step / 2, step / 2, step))

    def slope(a: Any, b: Any, c: Any, d: Any) -> Any:
        return (8 * (c - b) - (d - a)) / (6 * step) if np.asarray(a).dtype.kind in "fc" else a  # an integer has none

    return tree.map(slope, *values)


# ---- Trees ----------------------------------------------------------------------------------------------------------


def random_like(value: Any, rng: np.random.Generator) -> Any:
    """Return random normal numbers in the form of a pytree. An integer has no direction."""

    def random(leaf: Any) -> Any:
        dtype = getattr(leaf, "dtype", np.asarray(leaf).dtype)
        if dtype.kind not in "fc":
            return np.zeros(np.shape(leaf), float0)
        numbers = rng.normal(size=np.shape(leaf))
        numbers = numbers + 1j * rng.normal(size=np.shape(leaf)) if dtype.kind == "c" else numbers
        return type(leaf)(numbers) if type(leaf) in (float, complex) else np.asarray(numbers, dtype)[()]

    return tree.map(random, value)


def zero_like(leaf: Any) -> Any:
    """Return zeros in the form of a leaf."""
    return type(leaf)(0) if isinstance(leaf, (int, float, complex)) and not isinstance(leaf, np.generic) else np.zeros_like(leaf)[()]


def moved(args: tuple, direction: tuple, step: float) -> tuple:
    """Return arguments, moved along a direction. The dtypes stay."""

    def move(leaf: Any, u: Any) -> Any:
        if np.asarray(leaf).dtype.kind not in "fc":
            return leaf
        return leaf + step * u if type(leaf) in (float, complex) else np.asarray(leaf + step * u, np.asarray(leaf).dtype)[()]

    return tree.map(move, args, direction)


def dot(a: Any, b: Any) -> float:
    """Return the sum of the products of all elements of two pytrees. Of complex numbers, the real part."""
    pairs = zip(tree.leaves(a), tree.leaves(b))
    return float(sum(np.sum(np.multiply(x, y, dtype=np.result_type(x, y, np.float64))).real for x, y in pairs if np.asarray(y).dtype.kind in "fc"))
