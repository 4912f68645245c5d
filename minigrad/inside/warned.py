"""NumPy's warnings point at the user's line.

When NumPy warns of a division by zero, the line that it names is the one that called NumPy. Within minigrad, this is a line of
a rule or of the engine, which says nothing to the user. So `show` replaces the place with the user's line: the one that is
running, or, in the backward pass, the one that recorded the operation.

To find this line, the function runs once more, with the lines noted, as after an error. Python shows a warning of one place
only once, so this happens rarely.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..guards import Lines

FOLDER = str(Path(__file__).parents[1])


class _Found(Exception):
    """The second run has come to the operation that NumPy warned of."""


def _is_ours(frame: Any) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in ("minigrad", "numpy", "warnings")


def _line_of_call(frame: Any) -> tuple[str, int]:
    """Return the user's line that is running."""
    while frame.f_back and _is_ours(frame):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _line_of_operation(frame: Any) -> str | None:
    """Return the line that recorded the operation whose VJP is running. Return None outside of the backward pass of `grad`."""
    in_backward = False
    while frame and _is_ours(frame):
        in_backward |= frame.f_code.co_name == "backward"
        if in_backward and frame.f_code.co_name == "differentiate":
            return _line_in_second_run(frame)
        frame = frame.f_back
    return None


def _line_in_second_run(frame: Any) -> str | None:
    lines, call = Lines(), frame.f_locals
    call_again = frame.f_globals["differentiate"]

    def found(kind: str, flag: int) -> None:
        if lines.line is not None:  # in the backward pass
            raise _Found

    try:
        with np.errstate(all="call", call=found):
            call_again(*(call[name] for name in ("fun", "arguments", "options", "has_aux", "args", "kwargs")), lines)
    except _Found:
        return lines.line
    except Exception:
        return None
    finally:
        lines.lines.clear()
    return None


def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    """Show a warning as Python does. If it comes from within minigrad, name the user's line."""
    if issubclass(category, RuntimeWarning) and filename.startswith((FOLDER, "<a short way")):
        frame = sys._getframe(1)
        recorded = _line_of_operation(frame)
        filename, lineno = _line_of_call(frame)
        if recorded:
            filename, _, rest = recorded.rpartition(", line ")
            lineno = int(rest.partition(",")[0])
            message = f"{message}, in the backward pass of this operation"
    shown(message, category, filename, lineno, file, line)


shown = warnings.showwarning


def install() -> None:
    """Let `show` show warnings from now on."""
    warnings.showwarning = show
