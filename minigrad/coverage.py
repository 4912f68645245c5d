"""Which functions of NumPy and `scipy.special` can be differentiated: a list made from what is installed.

    python -m minigrad.coverage                     how many functions and methods of each kind
    python -m minigrad.coverage --list unknown      their names
    python -m minigrad.coverage --markdown          all names, as a table for the documentation

If a new release of NumPy has new functions, they appear at once, as unknown.
"""

from __future__ import annotations

import argparse
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from .polynomial import BASES
from .table import rule_of
from .tensor import Tensor

try:
    from . import scipy
except ImportError:  # SciPy is not installed
    scipy = None  # type: ignore[assignment]

KINDS = {
    "differentiable": "have rules for their derivatives, or are made of functions that have rules",
    "constant": "do not change with small changes of their arguments: zero derivative, or not about values",
    "refused": "write into an array, or return something that has no derivative: they raise an error that says so",
    "unknown": "have no rule: they raise an error that says how to add one",
}
# They write into their first argument, or return no array of numbers, or need integers, or look for equal numbers.
REFUSED = (
    "copyto put place putmask put_along_axis fill_diagonal frompyfunc nextafter spacing packbits unpackbits "
    "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_invert bitwise_left_shift bitwise_right_shift bitwise_count "
    "invert left_shift right_shift gcd lcm intersect1d isnat datetime_as_string datetime_data busday_count busday_offset "
    "is_busday save savez savez_compressed savetxt"
).split()
# Attributes and methods whose results have no derivative.
NOT_ABOUT_VALUES = ("device", "dtype", "item", "itemsize", "nbytes")


def functions(module: ModuleType = np, prefix: str = "np") -> dict[str, Any]:
    """Return the public functions that take Tensors, of NumPy and of `scipy.special` if SciPy is installed, by name.

    Among them are the functions of `numpy.polynomial`, which take Tensors in `minigrad.numpy`, and of `minigrad.scipy`.
    """
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        is_polynomial = getattr(value, "__module__", None) == module.__name__ and ".polynomial" in module.__name__
        takes_tensors = isinstance(value, np.ufunc) or hasattr(value, "_implementation") or is_polynomial
        if not name.startswith("_") and takes_tensors and not isinstance(value, type):
            found[f"{prefix}.{name}"] = value
    if module is np:
        for part in ("linalg", "fft", "emath"):
            found |= functions(getattr(np, part), f"np.{part}")
        found["np.lib.stride_tricks.sliding_window_view"] = np.lib.stride_tricks.sliding_window_view
        for base in BASES.values():
            found |= functions(base, base.__name__.replace("numpy", "np"))
        if scipy:
            special = SimpleNamespace(**vars(scipy.special), __name__="scipy.special")
            own = {f"scipy.special.{f.__name__}": f for f in scipy.FUNCTIONS}
            found |= dict(sorted((functions(special, "scipy.special") | own).items()))  # type: ignore[arg-type]
    return found


def kind(function: Any) -> str:
    """Return the kind of a function: one of `KINDS`.

    Examples
    --------
    >>> import numpy as np
    >>> kind(np.sin), kind(np.floor), kind(np.copyto)
    ('differentiable', 'constant', 'refused')
    """
    if getattr(function, "__module__", "").startswith("numpy.polynomial.") and not hasattr(function, "_implementation"):
        return "constant" if function.__name__.endswith(("gauss", "pts1", "pts2")) else "differentiable"
    rule = rule_of(function)
    if rule.constant or (rule.vjps and not any(rule.vjps.values())):
        return "constant"
    if rule.vjps or rule.composition:
        return "differentiable"
    return "refused" if function.__name__ in REFUSED else "unknown"


def kind_of_method(name: str) -> str:
    """Return the kind of a method or attribute of arrays: one of `KINDS`."""
    found = getattr(Tensor, name, None)
    if found is None or getattr(found, "__annotations__", {}).get("return") == "NoReturn":
        return "refused"
    if name in NOT_ABOUT_VALUES:
        return "constant"
    function = functions().get(f"np.{name}")
    return "differentiable" if function is None else kind(function)


def table() -> dict[str, list[str]]:
    """Return the names of all functions, methods and attributes, by kind."""
    found: dict[str, list[str]] = {name: [] for name in KINDS}
    for name, function in functions().items():
        found[kind(function)].append(name)
    for name in sorted(dir(np.ndarray)):
        if not name.startswith("_"):
            found[kind_of_method(name)].append(f"np.ndarray.{name}")
    return found


def markdown() -> str:
    """Return the table in Markdown: a paragraph for each kind, with a row for each part of NumPy."""
    lines = []
    for title, names in table().items():
        lines += [f"**{title}** ({len(names)}): {KINDS[title]}.", ""]
        rows: dict[str, list[str]] = {}
        for name in names:
            part, _, last = name.rpartition(".")
            rows.setdefault(part, []).append(last)
        if rows:
            lines += ["| of | names |", "| --- | --- |", *(f"| `{part}` | {' '.join(row)} |" for part, row in rows.items()), ""]
    return "\n".join(lines).rstrip() + "\n"


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help shows what there is\n")


def main(arguments: list[str] | None = None) -> None:
    """Print what the command line asks for."""
    parser = _Parser(
        prog="python -m minigrad.coverage",
        description="Show which functions of NumPy and scipy.special minigrad can differentiate.",
        epilog="example:  python -m minigrad.coverage --list constant unknown",
    )
    names_of = f"print the names: {', '.join(KINDS)}"
    parser.add_argument("--list", nargs="+", choices=KINDS, default=[], metavar="KIND", help=names_of)
    parser.add_argument("--markdown", action="store_true", help="print all names, as a table for the documentation")
    options = parser.parse_args(arguments)
    if options.markdown:
        print(markdown(), end="")
        return
    names = table()
    total = sum(map(len, names.values()))
    with_scipy = f" and scipy.special {scipy.VERSION}" if scipy else ""
    print(f"NumPy {np.__version__}{with_scipy}: {total} functions that take Tensors, and methods and attributes of arrays\n")
    for name, meaning in KINDS.items():
        print(f"{len(names[name]):5} {name:16}{meaning}")
    for name in options.list:
        print(f"\n{name}:")
        for line in _wrapped(names[name]):
            print(f"  {line}")


def _wrapped(words: list[str], width: int = 100) -> list[str]:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += word + " "
    return [line.rstrip() for line in lines]


if __name__ == "__main__":
    main(sys.argv[1:])
