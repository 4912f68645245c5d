"""What of NumPy can be differentiated: a list made from the NumPy that is installed.

    python -m minigrad.coverage                     how many functions of each kind
    python -m minigrad.coverage --list unknown      their names

A new release of NumPy shows its new functions at once, as unknown.
"""

from __future__ import annotations

import argparse
import sys
from types import ModuleType
from typing import Any

import numpy as np

from .engine import rule_of

KINDS = {
    "differentiable": "have rules for their derivatives",
    "constant": "do not change with small changes of their arguments: zero derivative, or not about values",
    "refused": "write into an array, or hand out what has no derivative: they raise an error that says so",
    "unknown": "have no rule: they raise an error that says how to add one",
}
# They write into their first argument, or make what is no array of numbers, or need whole numbers.
REFUSED = (
    "copyto put place putmask put_along_axis fill_diagonal frompyfunc nextafter spacing packbits unpackbits "
    "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_invert bitwise_left_shift bitwise_right_shift bitwise_count "
    "invert left_shift right_shift gcd lcm isnat datetime_as_string datetime_data busday_count busday_offset is_busday "
    "save savez savez_compressed savetxt"
).split()


def functions(module: ModuleType = np, prefix: str = "np") -> dict[str, Any]:
    """Return the public functions of NumPy's that hand a Tensor over to minigrad, by name."""
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if not name.startswith("_") and (isinstance(value, np.ufunc) or hasattr(value, "_implementation")):
            found[f"{prefix}.{name}"] = value
    if module is np:
        found |= functions(np.linalg, "np.linalg") | functions(np.fft, "np.fft")
    return found


def kind(function: Any) -> str:
    """Return which of `KINDS` a function is."""
    rule = rule_of(function)
    if rule.constant:
        return "constant"
    if rule.vjps:
        return "differentiable"
    return "refused" if function.__name__ in REFUSED else "unknown"


def table() -> dict[str, list[str]]:
    """Return the names of all functions, by kind."""
    found: dict[str, list[str]] = {name: [] for name in KINDS}
    for name, function in functions().items():
        found[kind(function)].append(name)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m minigrad.coverage",
        description="Show which of NumPy's functions minigrad can differentiate.",
        epilog="example:  python -m minigrad.coverage --list constant unknown",
    )
    parser.add_argument("--list", nargs="+", choices=KINDS, default=[], metavar="KIND", help=f"print the names: {', '.join(KINDS)}")
    options = parser.parse_args(arguments)
    names = table()
    print(f"NumPy {np.__version__}, {sum(map(len, names.values()))} functions that hand a Tensor over\n")
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
