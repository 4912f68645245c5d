"""The linear model, trained with gradients that minigrad computes.

The program is `linear_model`, `mseloss`, ``dmseloss = grad(mseloss)`` and `model_optimization_loop`;
``python -m linear`` is its demo.
"""

from .cells import DataError
from .data import Scale, least_squares, restore, simulate, standardise
from .model import dmseloss, initialize_linear_params, linear_model, mseloss
from .reading import read_csv
from .training import DivergenceError, largest_stable_rate, model_optimization_loop

__all__ = [
    "DataError",
    "DivergenceError",
    "Scale",
    "dmseloss",
    "initialize_linear_params",
    "largest_stable_rate",
    "least_squares",
    "linear_model",
    "model_optimization_loop",
    "mseloss",
    "read_csv",
    "restore",
    "simulate",
    "standardise",
]
