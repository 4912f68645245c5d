"""crosscheck: a function's gradient by minigrad, by JAX, and by finite differences, side by side."""

from __future__ import annotations

import argparse
import inspect
import runpy
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import tree
from ..arguments import Arguments
from ..grad import grad
from .checks import moved, zero_like
from .explanation import table
from .writing import short

# By dtype: the relative tolerance against JAX, that against differences, and the step of the differences.
TOLERANCES = {"float16": (2e-2, 2e-1, 3e-2), "float32": (1e-4, 2e-2, 1e-2), "float64": (1e-9, 1e-6, 1e-3)}
MOST_DIFFERENCES = 2_000  # elements of a leaf; of a larger one, a random sample is compared


@dataclass
class Row:
    """The gradient by one leaf, three times.

    Attributes
    ----------
    leaf : str
        Its place, such as ``theta['w']``.
    minigrad, jax, differences
        The gradient. None for JAX if it is not installed, or cannot run the function.
    largest, relative : float
        The largest difference from minigrad's gradient, absolute, and relative to the largest element.
    worst : tuple of int
        The element with the largest difference.
    agrees : bool
    """

    leaf: str
    minigrad: Any
    jax: Any
    differences: Any
    largest: float
    relative: float
    worst: tuple
    agrees: bool


class Comparison:
    """What `crosscheck` found. ``print`` shows it as a table.

    Attributes
    ----------
    rows : list of Row
    agrees : bool
    note : str
        Why there is no column of JAX, if there is none, and what was left out.
    """

    def __init__(self, rows: list[Row], note: str = "") -> None:
        self.rows, self.note = rows, note
        self.agrees = all(row.agrees for row in rows)

    def __str__(self) -> str:
        titles = ("leaf", "minigrad", "jax", "differences", "largest difference", "relative", "at", "")
        cells = [
            (
                row.leaf, short(row.minigrad), "-" if row.jax is None else short(row.jax), short(row.differences),
                f"{row.largest:.1e}", f"{row.relative:.1e}", str(list(row.worst)) if row.worst else "",
                "agrees" if row.agrees else "DIFFERS",
            )
            for row in self.rows
        ]
        return table(titles, cells) + (f"\n{self.note}" if self.note else "")

    __repr__ = __str__


def crosscheck(
    f: Callable, *args: Any, argnums: int | Sequence[int] | None = None, rtol: float | None = None, show: bool = True
) -> Comparison:
    """Compare a function's gradient by minigrad with JAX's and with finite differences, leaf by leaf.

    Parameters
    ----------
    f : callable
        Returns a real number. It is run with NumPy, and with JAX: if it has a parameter ``xp``, this receives the
        namespace. Else the names of its modules that mean NumPy (``np``) mean `jax.numpy` while JAX runs it.
    *args
        Its arguments.
    argnums : int or sequence of int, optional
        Which arguments to differentiate with respect to. By default, all whose leaves are floats.
    rtol : float, optional
        The relative tolerance against JAX. By default 1e-9 for float64, 1e-4 for float32, 2e-2 for float16. Against
        differences it is 1000 times larger.
    show : bool, default True
        Print the table.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`. Also if no argument can be differentiated.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> comparison = minigrad.crosscheck(lambda w, x: np.sum(np.tanh(w * x)), 0.5, np.arange(3.0), show=False)
    >>> comparison.agrees, [row.leaf for row in comparison.rows]
    (True, ['w', 'x'])
    """
    if argnums is None:
        argnums = tuple(i for i, argument in enumerate(args) if _is_differentiable(argument))
        if not argnums:
            raise TypeError("none of the arguments can be differentiated: their leaves are not all floats")
    arguments = Arguments(f, argnums)
    with_numpy = _with_namespace(f, np)
    leaves, structure = tree.flatten(arguments.selected(args, {}))
    ours = tree.leaves(grad(with_numpy, argnums)(*args))
    theirs, note = _by_jax(f, args, argnums)
    rows = []
    for i, (leaf, g) in enumerate(zip(leaves, ours)):
        kind = np.asarray(leaf).dtype
        against_jax, against_differences, step = TOLERANCES.get(kind.name, TOLERANCES["float64"])
        if rtol is not None:
            against_jax, against_differences = rtol, 1e3 * rtol
        chosen = _chosen(np.size(leaf))
        if len(chosen) < np.size(leaf):
            note += f"\nof {arguments.place(i, structure, args)}, {len(chosen)} elements of {np.size(leaf)} were compared with differences"
        differences = _differences(with_numpy, arguments, args, leaves, structure, i, chosen, step)
        found = [_largest(g, differences, against_differences)]
        if theirs is not None:
            found.append(_largest(g, theirs[i], against_jax))
        largest, relative, worst, _ = max(found, key=lambda entry: (not entry[3], entry[1]))
        jax_leaf = None if theirs is None else theirs[i]
        agrees = all(entry[3] for entry in found)
        rows.append(Row(arguments.place(i, structure, args), g, jax_leaf, differences, largest, relative, worst, agrees))
    comparison = Comparison(rows, note.strip())
    if show:
        print(comparison)
    return comparison


def _is_differentiable(argument: Any) -> bool:
    leaves = tree.leaves(argument)
    return bool(leaves) and all(
        isinstance(leaf, float) or (isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind == "f") for leaf in leaves
    )


def _largest(g: Any, other: Any, tolerance: float) -> tuple[float, float, tuple, bool]:
    """Return the largest difference, absolute and relative, where it is, and whether it is within the tolerance."""
    a, b = np.asarray(g, float), np.asarray(other, float)
    known = ~np.isnan(b) | np.isnan(a)  # of a sample, what was not computed is NaN
    with np.errstate(invalid="ignore"):
        distance = np.where((a == b) | ~known | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    distance = np.where(np.isnan(distance), np.inf, distance)
    if not distance.size:
        return 0.0, 0.0, (), True
    at = np.unravel_index(int(np.argmax(distance)), distance.shape)
    finite = np.abs(b[np.isfinite(b)])
    scale = max(float(finite.max()) if finite.size else 0.0, 1e-3)
    largest = float(distance[at])
    return largest, largest / scale, tuple(int(i) for i in at), largest <= tolerance * scale


# ---- Finite differences ---------------------------------------------------------------------------------------------


def _chosen(size: int) -> np.ndarray:
    """Return the elements to compare: all of them, or a sample."""
    return np.arange(size) if size <= MOST_DIFFERENCES else np.sort(np.random.default_rng(0).choice(size, MOST_DIFFERENCES, False))


def _differences(
    f: Callable, arguments: Arguments, args: tuple, leaves: list, structure: Any, i: int, chosen: np.ndarray, step: float
) -> Any:
    """Return the gradient by leaf number i: central differences, extrapolated. Elements that were not chosen are NaN."""

    def value(direction: Any, s: float) -> float:
        new_leaves = list(leaves)
        new_leaves[i] = moved((leaves[i],), (direction,), s)[0]
        new_args, new_kwargs = arguments.replaced(args, {}, tree.unflatten(structure, new_leaves))
        return float(np.asarray(f(*new_args, **new_kwargs)))

    gradient = np.full(np.size(leaves[i]), np.nan)
    for place in chosen:
        unit = np.zeros(np.size(leaves[i]))
        unit[place] = 1
        direction = unit.reshape(np.shape(leaves[i])) if np.ndim(leaves[i]) else float(unit[0])
        size = abs(np.ravel(np.asarray(leaves[i], float))[place])
        h = step * max(size, 1.0)
        central = [(value(direction, s) - value(direction, -s)) / (2 * s) for s in (h, h / 2)]
        gradient[place] = (4 * central[1] - central[0]) / 3
    return gradient.reshape(np.shape(leaves[i])) if np.ndim(leaves[i]) else float(gradient[0])


# ---- JAX ------------------------------------------------------------------------------------------------------------


def _by_jax(f: Callable, args: tuple, argnums: Any) -> tuple[list | None, str]:
    """Return JAX's gradients, or None and the reason."""
    try:
        import jax.experimental
        import jax.numpy as jnp
    except ImportError:
        return None, "JAX is not installed (pip install jax): no column of JAX"
    enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    try:
        with enable_x64(True):
            gradient = jax.grad(_with_namespace(f, jnp), argnums)(*args)
            return [np.asarray(leaf) if np.ndim(leaf) else float(leaf) for leaf in tree.leaves(gradient)], ""
    except Exception as error:
        return None, f"JAX cannot run the function: {type(error).__name__}: {str(error).splitlines()[0]}"


def _with_namespace(f: Callable, xp: Any) -> Callable:
    """Return a function that computes with another namespace than NumPy."""
    try:
        takes_xp = "xp" in inspect.signature(f).parameters
    except (TypeError, ValueError):
        takes_xp = False
    if takes_xp:
        return lambda *args: f(*args, xp=xp)
    if xp is np:
        return f
    if f in vars(np).values():
        return getattr(xp, f.__name__)
    return _rebound(f, xp, {})


def _rebound(f: Any, xp: Any, done: dict[int, Any]) -> Any:
    """Return a function in whose modules and closures the names for NumPy, and for such functions, mean the new ones."""
    if not isinstance(f, types.FunctionType) or (f.__module__ or "").partition(".")[0] in ("numpy", "jax", "minigrad"):
        return f
    if id(f) in done:
        return done[id(f)]
    names = {name for code in _codes(f.__code__) for name in code.co_names}
    new_globals = dict(f.__globals__)
    new = types.FunctionType(f.__code__, new_globals, f.__name__, f.__defaults__, None if not f.__closure__ else tuple(
        types.CellType() for _ in f.__closure__
    ))
    new.__kwdefaults__ = f.__kwdefaults__
    done[id(f)] = new  # before what it refers to, because it may refer to itself
    for name in names & f.__globals__.keys():
        new_globals[name] = _replaced(f.__globals__[name], xp, done)
    for old_cell, cell in zip(f.__closure__ or (), new.__closure__ or ()):
        cell.cell_contents = _replaced(old_cell.cell_contents, xp, done)
    return new


def _replaced(value: Any, xp: Any, done: dict[int, Any]) -> Any:
    if value is np:
        return xp
    if value is np.linalg or value is np.fft:
        return getattr(xp, value.__name__.rpartition(".")[2])
    return _rebound(value, xp, done)


def _codes(code: types.CodeType) -> list[types.CodeType]:
    """Return the code of a function, and of the functions in it."""
    return [code] + [inner for constant in code.co_consts if isinstance(constant, types.CodeType) for inner in _codes(constant)]


# ---- The command ----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its status: 0 if all agree, 1 if not, 2 if the command cannot be run."""
    parser = argparse.ArgumentParser(
        prog="python -m minigrad.crosscheck",
        description="Compare the gradient of a function in a file by minigrad, by JAX, and by finite differences.",
        epilog="The status is 0 if they agree, 1 if they differ, and 2 if the comparison could not be made.",
    )
    parser.add_argument("function", metavar="FILE.py:function", help="a function that returns a real number")
    parser.add_argument("--args", metavar="FILE.py:name", help="its arguments: a tuple, or a function that returns one")
    parser.add_argument("--shape", metavar="3,4", action="append", default=[],
                        help="an argument of random normal numbers of this shape; once for each argument ('' is a number)")
    parser.add_argument("--seed", type=int, default=0, help="for the random numbers (default 0)")
    options = parser.parse_args(arguments)
    try:
        f = _loaded(options.function)
        if options.args:
            args = _loaded(options.args)
            args = args() if callable(args) else args
            args = args if isinstance(args, tuple) else (args,)
        else:
            rng = np.random.default_rng(options.seed)
            shapes = [tuple(int(n) for n in text.split(",") if n) for text in options.shape]
            args = tuple(float(rng.normal()) if shape == () else rng.normal(size=shape) for shape in shapes)
        if not args:
            raise ValueError("the function needs arguments: --args FILE.py:name, or --shape 3,4")
        comparison = crosscheck(f, *args)
    except Exception as error:
        print(f"minigrad.crosscheck: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0 if comparison.agrees else 1


def _loaded(place: str) -> Any:
    file, colon, name = place.rpartition(":")
    if not colon or not name:
        raise ValueError(f"{place!r} is not of the form FILE.py:name")
    if not Path(file).is_file():
        raise ValueError(f"there is no file {file}")
    sys.path.insert(0, str(Path(file).resolve().parent))
    try:
        names = runpy.run_path(file, run_name="<crosscheck>")
    finally:
        del sys.path[0]
    if name not in names:
        raise ValueError(f"{file} has no {name}")
    return names[name]
