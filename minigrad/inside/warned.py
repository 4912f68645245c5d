"""NumPy's warnings point at the user's line.

When NumPy warns of a division by zero, the line that it names is the one that called NumPy. Within minigrad, this is a line of
a rule or of the engine, which says nothing to the user. So `show` replaces the place with the user's line: the one that is
running, or, in the backward pass of `grad` or `vjp`, the one that recorded the operation.

To find this line, the function runs once more, with the lines noted, as after an error. This happens once for each place of a
rule and function, and the random generators that the function uses are put back to where they were.

Python passes every warning that no filter has dropped to a function of the module `warnings`. `show` takes the place of this
function, and passes the warning on to it. So recorded warnings (``catch_warnings(record=True)``, ``pytest.warns``) have the
user's line too, and `warnings.showwarning` stays the program's own. Filters act before: they see the place within minigrad,
and a filter "error" raises there.
"""

from __future__ import annotations

import inspect
import os.path
import sys
import warnings
from functools import partial
from types import CellType, FunctionType
from typing import Any

import numpy as np

from ..guards import Lines
from ..libraries import is_library, user_frame

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
known: dict[tuple, str | None] = {}  # the lines that were found, by rule, function, and kind of warning


class _Found(Exception):
    """The second run has come to the operation that NumPy warned of."""


def _call_in_backward(frame: Any) -> Any:
    """Return the frame of the call of `grad` or of a `vjp_fun` whose backward pass is running, if there is one."""
    in_backward = False
    while frame and is_library(frame):
        in_backward |= frame.f_code.co_name == "backward"
        if in_backward and frame.f_code.co_name in ("differentiate", "vjp_fun"):
            is_own = getattr(frame.f_locals["fun"], "__name__", None) == "vjp_fun"  # as in the second pass of jvp
            return None if is_own else frame
        frame = frame.f_back
    return None


def _line_of_operation(call: Any, place: tuple[str, int], text: str) -> str | None:
    """Return the line that recorded the operation whose VJP gave a warning at a place of a rule, from a second run."""
    key = *place, text, _identity(call.f_locals["fun"])
    if key not in known:
        known[key] = None  # if the second run warns too
        known[key] = _line_in_second_run(call, place, text)
    return known[key]


def _identity(fun: Any, depth: int = 4) -> Any:
    """Return what tells functions apart, without keeping them alive: the code, and the code of functions in the closure."""
    while isinstance(fun, partial):  # such as what grad returns
        fun = fun.func
    code = getattr(fun, "__code__", None)
    if code is None:
        return getattr(fun, "__name__", type(fun))
    inner = [cell.cell_contents for cell in fun.__closure__ or () if cell != CellType()]
    return code, *(_identity(other, depth - 1) for other in inner if depth and isinstance(other, (FunctionType, partial)))


def _line_in_second_run(call: Any, place: tuple[str, int], text: str) -> str | None:
    lines, names = Lines(), call.f_locals
    is_rule = place[0].startswith(FOLDER) and not os.path.basename(place[0]).startswith("fast")  # the second run does not take the short ways

    def found(kind: str, flag: int) -> None:
        frame = sys._getframe(1)
        is_same = text.startswith(kind) and (not is_rule or (frame.f_code.co_filename, frame.f_lineno) == place)
        if lines.line is not None and is_same:  # in the backward pass
            raise _Found

    generators = _generators(names["fun"], [*names.get("args", names.get("primals", ())), *names.get("kwargs", {}).values()])
    states = [generator.state for generator in generators]
    random = sys.modules.get("random")  # if it is not loaded, nobody uses it
    state, state_of_numpy = random and random.getstate(), np.random.get_state()
    try:
        with np.errstate(all="call", call=found):
            _run_again(call.f_code.co_name, names, call.f_globals, lines)
    except _Found:
        return lines.line
    except Exception:
        return None
    finally:
        lines.lines.clear()
        if random:
            random.setstate(state)
        np.random.set_state(state_of_numpy)
        for generator, state in zip(generators, states):
            generator.state = state
    return None


def _run_again(name: str, names: dict[str, Any], module: dict[str, Any], lines: Lines) -> None:
    """Do what the call did, forwards and backwards."""
    if name == "differentiate":
        module["differentiate"](*(names[name] for name in ("fun", "arguments", "options", "has_aux", "args", "kwargs")), lines)
    else:
        root = module["_forward"](names["fun"], names["primals"], names["has_aux"], lines)[2]
        module["graph"].backward(root, names["given"], lines)


def _generators(fun: Any, values: list) -> list:
    """Return the random generators of NumPy among the arguments of a function and the variables that it uses."""
    try:
        variables = inspect.getclosurevars(inspect.unwrap(fun))
        values = [*values, *variables.nonlocals.values(), *variables.globals.values()]
    except (TypeError, ValueError):
        pass
    found = [value.bit_generator if isinstance(value, np.random.Generator) else value._bit_generator
             for value in values if isinstance(value, (np.random.Generator, np.random.RandomState))]
    return list({id(generator): generator for generator in found}.values())


def show(message: Any) -> None:
    """Show a warning as Python does. If it comes from within minigrad, name the user's line."""
    if issubclass(message.category, RuntimeWarning) and message.filename.startswith((FOLDER, "<a short way")):
        frame, place, text = sys._getframe(1), (message.filename, message.lineno), str(message.message)
        user, _ = user_frame()
        message.filename, message.lineno = user.f_code.co_filename, user.f_lineno
        call = _call_in_backward(frame)
        recorded = _line_of_operation(call, place, text) if call else None
        if recorded and not recorded.startswith(f"{message.filename}, line {message.lineno}, "):
            message.filename, _, rest = recorded.rpartition(", line ")
            message.lineno = int(rest.partition(",")[0])
            message.message = message.category(f"{text}, in the backward pass of this operation")
    shown(message)


shown: Any = getattr(warnings, "_showwarnmsg", None)


def install() -> None:
    """Let all warnings come to `show` from now on."""
    if shown is not None:
        warnings._showwarnmsg = show  # type: ignore[attr-defined]
