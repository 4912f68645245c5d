"""minigrad: reverse-mode automatic differentiation of plain NumPy code."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import inplace, rules, tree, ufunc_calls
from .boundary import float0
from .checkpoints import checkpoint
from .custom import custom_vjp, defvjp, primitive, stop_gradient
from .grad import grad, value_and_grad
from .inside import warned
from .tensor import Tensor
from .transforms import hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, vjp

if TYPE_CHECKING:
    from . import parts
    from .inside.checks import check_grads
    from .inside.crosscheck import crosscheck
    from .inside.drawing import graph
    from .inside.explanation import explain
    from .inside.nans import find_nan
    from .inside.profile import profile
    from .programs.jit import jit
    from .programs.program import Program, program

__all__ = [
    "Tensor", "check_grads", "checkpoint", "crosscheck", "custom_vjp", "defvjp", "explain", "find_nan", "float0", "grad",
    "graph", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jit", "jvp", "linearize", "parts", "primitive", "profile", "program",
    "stop_gradient", "tree", "value_and_grad", "vjp",
]
__version__ = "0.1.0"

if os.environ.get("MINIGRAD_PLAIN", "0") in ("", "0"):
    from . import fast

    fast.install()

# The tools that look inside a computation, programs, and parts. They are loaded when they are first used.
LATE = {
    "check_grads": "inside.checks", "crosscheck": "inside.crosscheck", "explain": "inside.explanation", "find_nan": "inside.nans",
    "graph": "inside.drawing", "jit": "programs.jit", "parts": "parts", "profile": "inside.profile",
    "program": "programs.program", "Program": "programs.program",
}
warned.install()
globals().pop("graph", None)  # the module minigrad.graph gives way to the function


def __getattr__(name: str) -> Any:
    if name in LATE:
        module = import_module(f"{__name__}.{LATE[name]}")
        tool = globals()[name] = getattr(module, name, module)  # `parts` is the module itself
        return tool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
