"""minigrad: reverse-mode automatic differentiation of plain NumPy code."""

import os

from . import inplace, rules, tree
from .boundary import float0
from .custom import checkpoint, custom_vjp, defvjp, primitive, stop_gradient
from .grad import grad, value_and_grad
from .tensor import Tensor
from .transforms import hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, vjp

__all__ = [
    "Tensor", "checkpoint", "custom_vjp", "defvjp", "float0", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev",
    "jvp", "linearize", "primitive", "stop_gradient", "tree", "value_and_grad", "vjp",
]
__version__ = "0.1.0"

if os.environ.get("MINIGRAD_PLAIN", "0") in ("", "0"):
    from . import fast

    fast.install()
