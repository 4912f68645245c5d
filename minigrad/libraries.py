"""Which line of a program is the user's, and what to say when a function of a library cannot take a Tensor.

Functions of other libraries, and some of NumPy's that are written in Python, make a plain array or number of a Tensor,
somewhere deep inside. So the error is raised there. The user needs to know which function of the library the program has
called, and what to write instead.
"""

from __future__ import annotations

import sys
from typing import Any, Iterable, Iterator

LIBRARIES = ("scipy", "numpy")
# The functions of scipy.special that `minigrad.scipy` has too.
IN_MINIGRAD_SCIPY = "comb factorial log_softmax logsumexp multigammaln perm polygamma softmax softplus".split()
# The functions of NumPy that are in `minigrad.numpy`, and take Tensors there.
IN_MINIGRAD_NUMPY = "asarray_chkfinite full full_like kaiser require fft.fftfreq fft.rfftfreq".split()


def user_frame() -> tuple[Any, bool]:
    """Return the frame of the user's line that is running, and whether it runs the backward pass of a derivative inside of it.

    It is the innermost frame outside of libraries.
    """
    frame: Any = sys._getframe(1)
    in_backward = False
    while frame.f_back and is_library(frame):
        in_backward |= frame.f_code.co_name == "backward"
        frame = frame.f_back
    return frame, in_backward


def is_library(frame: Any) -> bool:
    """Return whether a frame runs a function of minigrad, NumPy, SciPy, or Python's library."""
    module = frame.f_globals.get("__name__", "").partition(".")[0]
    return module in ("minigrad", "numpy", "scipy") or module in sys.stdlib_module_names


def running(frame: Any) -> Iterator:
    """Return a frame, the frame that called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def called_in(frames: Iterable) -> str:
    """Return the name of the library's function that the user's program called. Return "" if no library is running.

    Parameters
    ----------
    frames
        Python's frames, from the innermost outwards. Those of the library come before any frame of the user.
    """
    calls: list = []
    values: list = []
    for frame in frames:
        module = frame.f_globals.get("__name__", "")
        library = module.partition(".")[0]
        if library in LIBRARIES:
            calls.append((library, module, frame.f_code.co_qualname))
            values = [*frame.f_locals.values(), *values] if library == "scipy" else values
            owner, name = type(frame.f_locals.get("self")), frame.f_code.co_name
            is_method = "." in frame.f_code.co_qualname and "<" not in frame.f_code.co_qualname
            if is_method and owner.__module__.partition(".")[0] == library:
                calls.append((library, owner.__module__, f"{owner.__name__}.{name}"))  # it may be a subclass
        elif library != "minigrad":
            break
    names = (_public_name(*call) for call in reversed(calls))  # the outermost may be a decorator's
    return next(filter(None, names), "").replace("numpy", "np", 1) or next(filter(None, map(_name_in_scipy, values)), "")


def _name_in_scipy(value: Any) -> str:
    """Return the public name of an object that can be called, or of a function with a decorator."""
    for place in sorted(sys.modules, key=lambda name: name.count(".")):
        if callable(value) and not isinstance(value, type) and f"{place}.".startswith("scipy.") and "._" not in place:
            for name, member in vars(sys.modules[place]).items():
                if name[0] != "_" and (member is value or getattr(member, "__wrapped__", None) is value):
                    return f"{place}.{name}"
    return ""


def _public_name(library: str, module: str, qualname: str) -> str:
    """Return the name under which users know a function or method, or "" if it is not public."""
    parts = [part for part in qualname.split(".") if not (part.startswith("__") and part.endswith("__"))]
    if not parts or any(part[0] in "_<" for part in parts):
        return ""
    home = module.split("._")[0]
    modules = [name for name in sys.modules if f"{name}.".startswith(f"{library}.") and "._" not in name]
    places = [home, *sorted(modules, key=lambda name: (name.count("."), name))]
    place = next((name for name in places if hasattr(sys.modules.get(name), parts[0])), None)
    return f"{place}.{'.'.join(parts)}" if place else ""


def advice(name: str) -> str:
    """Return what to say of a function that cannot take a Tensor."""
    if name.startswith("scipy.special.") and name.rpartition(".")[2] in IN_MINIGRAD_SCIPY:
        return f"{name} makes a plain array of a value that is being differentiated; call minigrad.{name} instead"
    if name.startswith("scipy.sparse.") and name.count(".") == 2:
        return f"{name} cannot be combined with a value that is being differentiated; pass x.toarray() in its place"
    if name.startswith("scipy."):
        return (
            f"{name} makes plain numbers and arrays of its arguments, and of what the functions return that it calls, which "
            f"would drop the derivative of a value that is being differentiated. Make the call a function with "
            f"minigrad.primitive, and define its derivative with minigrad.defvjp; or pass minigrad.stop_gradient(t) where no "
            f"derivative is wanted"
        )
    if name.startswith("np.polynomial.") or name.removeprefix("np.") in IN_MINIGRAD_NUMPY:
        return (
            f"{name} makes a plain array of a value that is being differentiated; import minigrad.numpy as np, where "
            f"{name} takes such values"
        )
    if name == "np.lib.stride_tricks.as_strided":
        return f"{name} reads the memory of an array; write np.lib.stride_tricks.sliding_window_view, or t[index]"
    if name == "np.nditer":
        return "np.nditer makes plain arrays of its operands, which would drop the derivative of a Tensor; write for x in t.flat"
    return ""
