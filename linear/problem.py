"""What the demo fits: a line, the data in their own units, and everything that is known exactly about the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from minigrad import hessian

from .cells import cut, printable
from .data import Scale, least_squares, restore, standardise
from .model import linear_model, mseloss
from .reading import Data

# The distance from the least-squares answer that counts as converged, in the units of the training. On standardised
# columns it means that predictions agree to about 8 digits of the target's standard deviation.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Problem:
    """A line to fit to data; ``x`` and ``y`` are in the units of the training, ``data`` in its own.

    If there are more rows than memory holds, ``x`` and ``y`` are a few rows with the same loss, ``data`` are some of the
    rows, for pictures, and ``n_rows`` says how many there are (see `linear.many_rows`).
    """

    data: Data
    x: np.ndarray
    y: np.ndarray
    x_scale: Scale = Scale(0.0, 1.0)
    y_scale: Scale = Scale(0.0, 1.0)
    true: dict[str, Any] | None = None
    n_rows: int | None = None

    @property
    def rows(self) -> int:
        """How many rows are fitted."""
        return len(self.y) if self.n_rows is None else self.n_rows

    @classmethod
    def simulated(cls, x: np.ndarray, y: np.ndarray, true: dict[str, Any]) -> Problem:
        """A problem whose true line is known, trained on as it is."""
        return cls(Data(x, y, ["x"], "y"), x, y, true=true)

    @classmethod
    def standardised(cls, data: Data) -> Problem:
        """A problem on any scale, trained on after standardising."""
        (x, x_scale), (y, y_scale) = standardise(data.x), standardise(data.y)
        return cls(data, x, y, x_scale, y_scale)

    @property
    def shown(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows in ``data``, in the units of the training."""
        if self.n_rows is None:
            return self.x, self.y
        (x, y), scales = (self.data.x, self.data.y), (self.x_scale, self.y_scale)
        return (x - scales[0].center) / scales[0].spread, (y - scales[1].center) / scales[1].spread

    @property
    def names(self) -> list[str]:
        """What the parameters are called, in the order of `vector`, as they may be printed."""
        parameters = [*(f"slope of {printable(cut(name))}" for name in self.data.features), "intercept"]
        return ["w", "b"] if self.true else [parameter + of for parameter in parameters for of in self.of_targets]

    @property
    def of_targets(self) -> list[str]:
        """What stands behind the name of a number to tell the targets apart. With one target, nothing."""
        targets = self.data.targets
        return [""] if len(targets) == 1 else [f", for {printable(cut(target))}" for target in targets]

    @property
    def loss_note(self) -> str:
        """The unit of the loss, in words, if it is not the unit of the data."""
        return "" if self.y.ndim == 1 else " (standardised units)"

    def losses_in_data_units(self, theta: dict[str, Any]) -> np.ndarray:
        """The mean squared error of each target, in the units of the data."""
        squares = (linear_model(theta, self.x) - self.y) ** 2
        return np.atleast_1d(squares.mean(axis=0) * np.square(self.y_scale.spread))

    @property
    def units(self) -> str:
        """The units of the training, in words."""
        return "units of the data" if self.true else "standardised units"

    @property
    def loss_unit(self) -> float:
        """The training's unit of loss in the data's own units. For several targets, which have no unit in common, it is 1."""
        return float(self.y_scale.spread**2) if self.y.ndim == 1 else 1.0

    @cached_property
    def best(self) -> dict[str, Any]:
        """The least-squares answer."""
        return least_squares(self.x, self.y)

    @cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray]:
        """The eigenvalues of the Hessian, largest first, and its eigenvectors as rows.

        The loss is quadratic, so its Hessian is the same everywhere: 2/n times the design matrix multiplied by
        itself. The singular values of the design matrix give the small eigenvalues with more digits. With m outputs
        the Hessian has this block m times, and n is the number of all observed values.
        """
        design = np.column_stack([self.x, np.ones(len(self.y))])
        _, singular_values, directions = np.linalg.svd(design, full_matrices=False)
        return 2 / self.y.size * singular_values**2, directions

    @cached_property
    def hessian(self) -> np.ndarray:
        """The Hessian of the mean squared error of one target, by minigrad. It is the same for every target and everywhere."""
        def loss(v: Any) -> Any:
            return mseloss(self.of_one_target(v), linear_model, self.x, np.zeros(len(self.y)))

        return hessian(loss)(np.zeros(self.x.size // len(self.y) + 1))

    def of_one_target(self, v: Any) -> dict[str, Any]:
        """The parameters of one target, from one row: the slopes, then the intercept."""
        return {"w": v[0] if self.x.ndim == 1 else v[:-1], "b": v[-1]}

    @property
    def stable_rate(self) -> float:
        """The learning rate from which descent no longer converges (see `linear.largest_stable_rate`)."""
        return float(2 / self.modes[0][0])

    def loss(self, theta: dict[str, Any]) -> float:
        """The mean squared error."""
        return float(mseloss(theta, linear_model, self.x, self.y))

    def theta(self, parameters: np.ndarray) -> dict[str, Any]:
        """The inverse of `vector`."""
        if self.x.ndim == 1:
            return {"w": parameters[0], "b": parameters[-1]}
        rows = parameters.reshape(self.x.shape[1] + 1, *self.y.shape[1:])
        return {"w": rows[:-1], "b": rows[-1]}

    def in_data_units(self, theta: dict[str, Any]) -> np.ndarray:
        """The parameters of the line in the data's own units."""
        return vector(restore(theta, self.x_scale, self.y_scale))

    def from_best(self, theta: dict[str, Any]) -> np.ndarray:
        """The way from the least-squares answer to theta."""
        return vector(theta) - vector(self.best)

    def steps_needed(self, theta: dict[str, Any], learning_rate: float) -> float:
        """How many steps take theta to within the tolerance of the least-squares answer.

        Along each eigenvector of the Hessian, a step multiplies the distance by ``1 - learning_rate * eigenvalue``.
        """
        eigenvalues, directions = self.modes
        away = self.from_best(theta)
        left = np.abs(directions @ away.reshape(len(eigenvalues), -1)).max(axis=1) * math.sqrt(len(away)) / TOLERANCE
        z = learning_rate * eigenvalues
        with np.errstate(divide="ignore"):  # where z is 1, a single step goes all the way
            speed = -np.log1p(-np.minimum(z, 2 - z))  # that is -log(abs(1 - z)), exact for small z too
        return float(np.max(np.log(np.maximum(left, 1)) / speed))


def vector(theta: dict[str, Any]) -> np.ndarray:
    """The parameters in one row: the slopes, then the intercept; with several outputs, all of the first input first."""
    return np.append(theta["w"], theta["b"])
