"""crosscheck: a function's gradient by minigrad, by JAX, and by finite differences, side by side."""

from __future__ import annotations

import argparse
import functools
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
from .checks import differences
from .explanation import table
from .writing import short

# By dtype: the relative tolerances against JAX and against differences, and the step of the differences.
TOLERANCES = {"float16": (2e-2, 2e-1, 3e-2), "float32": (1e-4, 2e-2, 1e-2), "float64": (1e-9, 1e-6, 1e-3)}
MOST_ENTRIES = 1_000  # of a list or dict that may hold functions of NumPy
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
    worst: tuple[int, ...]
    agrees: bool


class Comparison:
    """What `crosscheck` found. ``print`` shows it as a table.

    Attributes
    ----------
    rows : list of Row
    agrees : bool
    note : str
        Why JAX's column is empty, if it is, and what was left out.
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
    f: Callable[..., Any], *args: Any, argnums: int | Sequence[int] | None = None, rtol: float | None = None, show: bool = True
) -> Comparison:
    """Compare a function's gradient by minigrad with JAX's and with finite differences, leaf by leaf.

    Parameters
    ----------
    f : callable
        Returns a real number. It is run with NumPy, and with JAX: if it has a parameter ``xp``, this receives the
        namespace. Else the names that mean NumPy (``np``), or functions of it, mean `jax.numpy` while JAX runs it, in
        the function and in all that it uses.
    *args
        Its arguments.
    argnums : int or sequence of int, optional
        Which arguments to differentiate with respect to. By default, all whose leaves are floats or complex numbers.
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
            raise TypeError("none of the arguments can be differentiated: their leaves are not all floats or complex numbers")
    arguments = Arguments(f, argnums)
    with_numpy = _with_namespace(f, np)
    leaves, structure = tree.flatten(arguments.selected(args, {}))
    ours = tree.leaves(grad(with_numpy, argnums)(*args))
    theirs, note = _by_jax(f, args, argnums)
    rows = []
    for i, (leaf, g) in enumerate(zip(leaves, ours)):
        kind = np.asarray(leaf).real.dtype
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
            if found[1][3] and not found[0][3]:
                note += f"\nby {arguments.place(i, structure, args)}, minigrad and JAX agree, and the differences do not: perhaps a kink nearby"
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
        isinstance(leaf, (float, complex)) or (isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "fc") for leaf in leaves
    )


def _largest(g: Any, other: Any, tolerance: float) -> tuple[float, float, tuple, bool]:
    """Return the largest difference, absolute and relative, where it is, and whether it is within the tolerance."""
    a, b = np.asarray(g), np.asarray(other)
    a, b = a.astype(np.result_type(a, np.float64)), b.astype(np.result_type(b, np.float64))
    known = ~np.isnan(b) | np.isnan(a)  # if only a sample was computed, the other elements are NaN
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

    def value(leaf: Any) -> float:
        new_leaves = [*leaves[:i], leaf, *leaves[i + 1 :]]
        new_args, new_kwargs = arguments.replaced(args, {}, tree.unflatten(structure, new_leaves))
        return float(np.asarray(f(*new_args, **new_kwargs)))

    dtype = np.result_type(leaves[i], np.float64)
    gradient = np.full(np.size(leaves[i]), np.nan, dtype)
    for place in chosen:
        h = step * max(abs(np.ravel(leaves[i])[place]), 1.0)
        slopes = []
        for one in (1, 1j) if dtype.kind == "c" else (1,):
            unit = np.zeros(np.size(leaves[i]), dtype)
            unit[place] = one
            direction = unit.reshape(np.shape(leaves[i])) if np.ndim(leaves[i]) else unit[0].item()
            slopes.append(differences(value, (leaves[i],), (direction,), h))
        gradient[place] = slopes[0] - 1j * slopes[1] if len(slopes) == 2 else slopes[0]  # as grad defines it
    return gradient.reshape(np.shape(leaves[i])) if np.ndim(leaves[i]) else gradient[0].item()


# ---- JAX ------------------------------------------------------------------------------------------------------------


def _by_jax(f: Callable, args: tuple, argnums: Any) -> tuple[list | None, str]:
    """Return JAX's gradients, or None and the reason."""
    try:
        import jax.experimental
        import jax.numpy as jnp
        import jax.scipy.special
    except ImportError:
        return None, "JAX is not installed (pip install jax), so its column is empty"
    enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64  # type: ignore[attr-defined]
    try:
        with enable_x64(True), _Exchange(jax) as exchange:
            g = exchange.counterpart(f) or _with_namespace(f, jnp)
            exchange.visit(f)
            gradient = jax.grad(g, argnums)(*args)
            return [np.asarray(leaf) if np.ndim(leaf) else np.asarray(leaf).item() for leaf in tree.leaves(gradient)], ""
    except Exception as error:
        return None, f"JAX cannot run the function: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _with_namespace(f: Callable, xp: Any) -> Callable:
    """Hand the namespace to a function that has a parameter for it."""
    try:
        takes_xp = "xp" in inspect.signature(f).parameters
    except (TypeError, ValueError):
        takes_xp = False
    return (lambda *args: f(*args, xp=xp)) if takes_xp else f


class _Exchange:
    """While it lasts, the names of NumPy and of its functions mean JAX's, in all that a function uses.

    It goes through the variables of the function, and of the functions, classes, objects and modules that the function
    uses. At its end, everything is as it was.
    """

    def __init__(self, jax: Any) -> None:
        self.undo: list[Callable[[], Any]] = []
        self.seen: dict[Any, Any] = {}
        self.new: dict[int, Any] = {}
        ours = sys.modules.get("minigrad.scipy")
        pairs = [(np, jax.numpy), (np.linalg, jax.numpy.linalg), (np.fft, jax.numpy.fft), (ours, jax.scipy)]
        pairs += [(sys.modules.get("scipy"), jax.scipy), (sys.modules.get("scipy.special"), jax.scipy.special)]
        pairs += [(getattr(ours, "special", None), jax.scipy.special)]
        for old, new in pairs:
            self.new[id(old)] = new
            for name in dir(new) if old else ():
                if callable(getattr(old, name, None)) and not name.startswith("_"):
                    self.new[id(getattr(old, name))] = getattr(new, name)
        self.new.pop(id(None), None)

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *error: object) -> None:
        for undo in reversed(self.undo):
            undo()

    def counterpart(self, value: Any) -> Any:
        """Return what means the same in JAX, or None if the value does not belong to NumPy."""
        return self.new.get(id(value))

    def visit(self, value: Any, names: Any = None) -> None:
        """Exchange the names in all that a value uses. Of a module, only some names matter."""
        key = (id(value), frozenset(names or ())) if isinstance(value, types.ModuleType) else id(value)
        if key in self.seen or _is_foreign(value):
            return
        self.seen[key] = value
        if isinstance(value, types.FunctionType):
            names = {name for code in _codes(value.__code__) for name in code.co_names}
            self.exchange(value.__globals__, value.__globals__.__setitem__, names)
            for cell in value.__closure__ or ():
                self.exchange(_contents(cell), functools.partial(setattr, cell), {*names, "cell_contents"})
            defaults = tuple(self.new.get(id(default), default) for default in value.__defaults__ or ())
            self.exchange(value.__kwdefaults__ or {}, (value.__kwdefaults__ or {}).__setitem__, None)
            if value.__defaults__:
                self.undo.append(functools.partial(setattr, value, "__defaults__", value.__defaults__))
                value.__defaults__ = defaults
            self.visit(getattr(value, "__wrapped__", None))
        elif isinstance(value, types.ModuleType):
            self.exchange(vars(value), vars(value).__setitem__, names)
        elif isinstance(value, (list, dict)) and len(value) <= MOST_ENTRIES:
            self.exchange(value if isinstance(value, dict) else dict(enumerate(value)), value.__setitem__, None)
        elif isinstance(value, type):
            self.exchange(vars(value), functools.partial(setattr, value), None)
            for base in value.__bases__:
                self.visit(base)
        elif isinstance(value, (types.MethodType, staticmethod, classmethod, functools.partial)):
            for part in ("__func__", "__self__", "func"):
                self.visit(getattr(value, part, None))
        elif isinstance(getattr(value, "__dict__", None), dict):
            self.exchange(vars(value), vars(value).__setitem__, None)
            self.visit(type(value))

    def exchange(self, old: Any, put: Callable, names: Any) -> None:
        """Replace named values that belong to NumPy by their counterparts, and visit the other values."""
        for name in [name for name in old if names is None or name in names]:
            value = old[name]
            plain = value.__func__ if isinstance(value, staticmethod) else value
            new = self.counterpart(plain)
            if new is None:
                self.visit(value, names)
                continue
            self.undo.append(functools.partial(put, name, value))
            put(name, staticmethod(new) if plain is not value else new)


def _is_foreign(value: Any) -> bool:
    """Return whether a value is of a library, or holds no names."""
    if value is None or isinstance(value, (str, int, float, complex, np.ndarray, np.generic)):
        return True
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    root = (module if isinstance(module, str) else "").partition(".")[0]
    is_tool = isinstance(value, (list, dict, types.MethodType, staticmethod, classmethod, functools.partial))
    is_object = not isinstance(value, (type, types.ModuleType, types.FunctionType))
    if root == "minigrad" and is_object:
        return False  # such as a custom_vjp, which holds the user's functions
    return not is_tool and (root in ("numpy", "scipy", "jax", "jaxlib", "minigrad", "builtins") or root in sys.stdlib_module_names)


def _contents(cell: Any) -> dict[str, Any]:
    try:
        return {"cell_contents": cell.cell_contents}
    except ValueError:  # it is empty
        return {}


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
