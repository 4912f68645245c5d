"""Data for the linear model: simulated, standardised, and its exact least-squares answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


def simulate(n: int = 100, w: float = 2.0, b: float = 1.0, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Draw n points from the line ``y = w * x + b`` with normal noise, from NumPy's global random state.

    Parameters
    ----------
    n : int
        The number of points.
    w, b : float
        The slope and the intercept of the line.
    noise : float
        The standard deviation of the noise.

    Returns
    -------
    x : array of shape (n,)
        Uniform between -1 and 3. The mean is not 0, so that w and b depend on each other.
    y : array of shape (n,)

    Examples
    --------
    >>> np.random.seed(0)
    >>> x, y = simulate(3, noise=0.0)
    >>> bool(np.all(y == 2 * x + 1))
    True
    """
    x = np.random.uniform(-1.0, 3.0, size=n)
    return x, w * x + b + np.random.normal(scale=noise, size=n)


class Scale(NamedTuple):
    """Where a column (or each of several) lies and how far it spreads."""

    center: Any
    spread: Any


def standardise(columns: np.ndarray) -> tuple[np.ndarray, Scale]:
    """Shift and stretch each column to mean 0 and standard deviation 1.

    A constant column has no spread; it becomes all zeros.

    Parameters
    ----------
    columns : array of shape (n,) or (n, k)

    Returns
    -------
    standardised : array of the same shape
    scale : Scale
        The means and standard deviations: floats, or arrays of shape (k,).

    Examples
    --------
    >>> z, scale = standardise(np.array([1.0, 3.0]))
    >>> print(z, scale.center, scale.spread)
    [-1.  1.] 2.0 1.0
    """
    # Squares of very large or very small numbers overflow or vanish; dividing by a power of two first is exact.
    exponent = np.frexp(np.abs(columns).max(axis=0))[1]
    reduced = np.ldexp(columns, -exponent)
    center = reduced.mean(axis=0)
    spread = np.where(np.ptp(reduced, axis=0) == 0, 1.0, reduced.std(axis=0))
    z = np.where(np.ptp(reduced, axis=0) == 0, 0.0, (reduced - center) / spread)
    return z, Scale(np.ldexp(center, exponent)[()], np.ldexp(spread, exponent)[()])


def restore(theta: dict[str, Any], x_scale: Scale, y_scale: Scale) -> dict[str, Any]:
    """Turn parameters found on standardised columns into parameters in the units of the data.

    Substituting ``(x - center) / spread`` for x and y in the standardised line gives the formulas.

    Parameters
    ----------
    theta : dict with 'w' and 'b'
        As from `initialize_linear_params`, for standardised x and y.
    x_scale, y_scale : Scale
        As from `standardise`.

    Returns
    -------
    dict with 'w' and 'b'
        In the same shapes.

    Examples
    --------
    >>> restore({'w': 1.0, 'b': 0.0}, Scale(center=10.0, spread=2.0), Scale(center=5.0, spread=6.0))
    {'w': np.float64(3.0), 'b': np.float64(-25.0)}
    """
    # The transposes let each input (a row of w) meet its own spread, whatever the number of outputs.
    w = (np.transpose(theta["w"]) / x_scale.spread).T * y_scale.spread
    return {"w": w, "b": y_scale.center + y_scale.spread * theta["b"] - np.dot(x_scale.center, w)}


def least_squares(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return the exact least-squares answer: the parameters with the smallest mean squared error.

    Solved on standardised columns by a singular value decomposition (``numpy.linalg.lstsq``), which keeps the
    digits that the normal equations would lose on nearly collinear columns.

    Parameters
    ----------
    x : array of shape (n,) or (n, k)
    y : array of shape (n,) or (n, m)

    Returns
    -------
    dict
        'w' and 'b', in the shapes that `linear_model` takes.

    Raises
    ------
    ValueError
        If the answer is not unique: fewer rows than parameters, or columns that depend on each other.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> answer = least_squares(x, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> print(f"{answer['w']:.6f} {answer['b']:.6f}")
    2.000000 1.000000
    """
    z, x_scale = standardise(x)
    target, y_scale = standardise(y)
    design = np.column_stack([z, np.ones(len(z))])
    solution, _, rank, _ = np.linalg.lstsq(design, target)
    if rank < design.shape[1]:
        raise ValueError(
            f"the least-squares answer is not unique: {design.shape[1]} parameters, "
            f"but x of shape {x.shape} determines only {rank}"
        )
    w, b = (solution[0] if x.ndim == 1 else solution[:-1]), solution[-1]
    return restore({"w": w, "b": b}, x_scale, y_scale)
