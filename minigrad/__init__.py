"""minigrad: reverse-mode automatic differentiation of plain NumPy code."""

import sys

from . import engine, tree
from .boundary import float0
from .custom import checkpoint, custom_vjp
from .engine import defvjp, primitive
from .tensor import Tensor, stop_gradient
from .transforms import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, value_and_grad, vjp

__all__ = [
    "Tensor", "checkpoint", "custom_vjp", "defvjp", "float0", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev",
    "jvp", "linearize", "primitive", "stop_gradient", "tree", "value_and_grad", "vjp",
]
engine.table_is_loading = False
for _name, _module in list(sys.modules.items()):
    if _name.startswith(__name__ + "."):
        vars(_module)[engine.MARK] = True
del _name, _module
__version__ = "0.1.0"
