"""minigrad: reverse-mode automatic differentiation of plain NumPy code."""

from . import tree
from .engine import defvjp, primitive
from .tensor import Tensor, stop_gradient
from .transforms import grad, value_and_grad

__all__ = ["Tensor", "defvjp", "grad", "primitive", "stop_gradient", "tree", "value_and_grad"]
__version__ = "0.1.0"
