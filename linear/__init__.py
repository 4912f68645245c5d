"""The linear model, trained with gradients that minigrad computes.

The program is `linear_model`, `mseloss`, ``dmseloss = grad(mseloss)`` and `model_optimization_loop`;
``python -m linear`` is its demo. `check_linear_model` and the other checks say what is wrong with a program of your own.
"""

from .cells import DataError
from .checks import (
    Verdict,
    check_dmseloss,
    check_initialize_linear_params,
    check_linear_model,
    check_model_optimization_loop,
    check_mseloss,
)
from .data import Scale, least_squares, restore, simulate, standardise
from .methods import adam, lbfgs, momentum, newton
from .model import dmseloss, initialize_linear_params, linear_model, mseloss
from .reading import read_csv
from .training import DivergenceError, largest_stable_rate, model_optimization_loop

__all__ = [
    "DataError",
    "DivergenceError",
    "Scale",
    "Verdict",
    "adam",
    "check_dmseloss",
    "check_initialize_linear_params",
    "check_linear_model",
    "check_model_optimization_loop",
    "check_mseloss",
    "dmseloss",
    "initialize_linear_params",
    "largest_stable_rate",
    "lbfgs",
    "least_squares",
    "linear_model",
    "model_optimization_loop",
    "momentum",
    "mseloss",
    "newton",
    "read_csv",
    "restore",
    "simulate",
    "standardise",
]
