"""Gradient descent: the training loop, and the largest learning rate at which it is stable."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad
from minigrad import grad, tree, value_and_grad, vjp

from .frames import as_arrays
from .model import Loss, Model


class DivergenceError(ArithmeticError):
    """The loss of a training run is no longer finite.

    Attributes
    ----------
    step : int
        The step at which it happened.
    largest_stable_rate : float
        The learning rate above which descent from the starting theta is unstable (see `largest_stable_rate`).
        NaN when the learning rate is not the cause, or when the Hessian at the start is not finite.
    """

    def __init__(self, message: str, step: int = 0, largest_stable_rate: float = math.nan) -> None:
        super().__init__(message)
        self.step = step
        self.largest_stable_rate = largest_stable_rate


def model_optimization_loop(
    theta: Any,
    model: Model,
    loss_fn: Loss,
    x: Any,
    y: Any,
    n_steps: int = 3000,
    learning_rate: float = 0.01,
    *,
    callback: Callable[[int, Any, float], object] | None = None,
    jit: bool = False,
) -> tuple[list[float], Any]:
    """Minimise a loss by gradient descent, with gradients from minigrad.

    At every step each leaf of theta moves by ``-learning_rate`` times its gradient.

    Parameters
    ----------
    theta : pytree of floats and arrays
        Where to start. It is left as it was.
    model : callable
        Takes theta and x. It is passed on to ``loss_fn``.
    loss_fn : callable
        Called as ``loss_fn(theta, model, x, y)``; returns a scalar.
    x, y : array, Series, DataFrame or DataArray
        The data. ``loss_fn`` gets read-only copies. Tables of pandas and xarray become arrays; their rows
        belong together by position.
    n_steps : int
        The number of steps. With 0, theta comes back as it is.
    learning_rate : float
        The size of a step, in units of the gradient.
    callback : callable, optional
        Called as ``callback(step, theta, loss)`` at every step, before the update.
    jit : bool
        Whether to run the steps as a program, with `minigrad.jit`. The steps take less time, and the results are the same but
        for rounding. ``model`` and ``loss_fn`` run at the first step only.

    Returns
    -------
    losses : list of float
        The loss at every step, before its update.
    theta : pytree
        The parameters after the last update, in the structure and dtypes of the starting theta.

    Raises
    ------
    ValueError
        If ``n_steps`` is negative, or ``learning_rate`` not a finite positive number, or the labels of x and y differ.
    TypeError
        If ``n_steps`` is not an integer, or a table holds other values than numbers.
    DivergenceError
        As soon as the loss is not finite.

    Examples
    --------
    >>> from linear import linear_model, mseloss
    >>> x = np.linspace(-1.0, 1.0, 11)
    >>> losses, theta = model_optimization_loop({'w': 0.0, 'b': 0.0}, linear_model, mseloss, x, 3 * x + 1)
    >>> print(f"{losses[0]:.3f} {theta['w']:.6f} {theta['b']:.6f}")
    4.600 3.000000 1.000000
    """
    n_steps = operator.index(n_steps)
    # A NumPy float64 would turn float32 parameters into float64; a Python float adapts to them.
    learning_rate = float(learning_rate)
    if n_steps < 0:
        raise ValueError(f"n_steps must be 0 or more, got {n_steps}")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be a finite positive number, got {learning_rate}")

    x, y = as_arrays(x, y)
    start, x, y = theta, _read_only(x), _read_only(y)
    loss_and_gradient = value_and_grad(loss_fn)
    leaves, structure = tree.flatten(theta)

    def loss_and_moves(theta: Any, x: Any, y: Any) -> tuple[Any, list]:
        loss, gradient = loss_and_gradient(theta, model, x, y)
        return loss, [learning_rate * slope for slope in tree.leaves(gradient)]

    if jit:
        loss_and_moves = minigrad.jit(loss_and_moves)
    losses: list[float] = []
    # A diverging run overflows long before its loss does; one error says it better than many warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(n_steps):
            loss, moves = loss_and_moves(theta, x, y)
            loss = float(loss)
            if not math.isfinite(loss):
                raise _divergence(losses, loss, start, model, loss_fn, x, y, learning_rate)
            losses.append(loss)
            if callback is not None:
                callback(step, theta, loss)
            leaves = [leaf - move for leaf, move in zip(leaves, moves)]
            theta = tree.unflatten(structure, leaves)
        if not all(np.isfinite(leaf).all() for leaf in leaves):
            raise _divergence(losses, float(loss_fn(theta, model, x, y)), start, model, loss_fn, x, y, learning_rate)
    return losses, theta


def _read_only(data: Any) -> Any:
    """Return data that cannot change. minigrad copies arrays that could, at every step."""
    if type(data) is np.ndarray:
        data = data.copy()
        data.flags.writeable = False
    return data


def largest_stable_rate(theta: Any, model: Model, loss_fn: Loss, x: Any, y: Any) -> float:
    """Return the learning rate above which gradient descent near theta is unstable.

    It is 2 divided by the largest eigenvalue of the Hessian of the loss. On a quadratic loss, such as the mean
    squared error of a linear model, the Hessian is the same everywhere and gradient descent converges from
    every start exactly if its learning rate is below that number (G. Goh, "Why Momentum Really Works",
    Distill, 2017, doi:10.23915/distill.00006). On another loss it holds near theta only.

    The Hessian itself is never formed. It is symmetric, so its product with a vector is the VJP of the gradient. That
    is recorded once, and the Lanczos method finds the eigenvalue from such products.

    Parameters
    ----------
    theta, model, loss_fn, x, y
        As for `model_optimization_loop`.

    Returns
    -------
    float
        Infinity if the loss does not curve upward in any direction, NaN if its Hessian is not finite.

    Examples
    --------
    The loss of this line is ``w**2 + b**2`` plus terms of lower order, so its Hessian is twice the identity.

    >>> from linear import linear_model, mseloss
    >>> x = np.array([-1.0, 1.0])
    >>> print(f"{largest_stable_rate({'w': 0.5, 'b': 0.5}, linear_model, mseloss, x, x):.6f}")
    1.000000
    """
    x, y = as_arrays(x, y)
    leaves, structure = tree.flatten(theta)
    ends = np.cumsum([np.size(leaf) for leaf in leaves])

    def gradient(theta: Any) -> Any:
        return grad(loss_fn)(theta, model, x, y)

    def hessian_times(vector: np.ndarray) -> np.ndarray:
        pieces = [np.reshape(piece, np.shape(leaf)) for piece, leaf in zip(np.split(vector, ends[:-1]), leaves)]
        direction = [piece.astype(np.result_type(leaf)) for piece, leaf in zip(pieces, leaves)]
        (product,) = vjp_of_gradient(tree.unflatten(structure, direction))
        return np.concatenate([np.ravel(leaf) for leaf in tree.leaves(product)])

    with np.errstate(over="ignore", invalid="ignore"):
        _, vjp_of_gradient = vjp(gradient, theta)
        curvature = _largest_eigenvalue(hessian_times, int(ends[-1]))
    return 2 / curvature if curvature > 0 else math.nan if math.isnan(curvature) else math.inf


def _largest_eigenvalue(times: Callable[[np.ndarray], np.ndarray], size: int) -> float:
    """Return the largest eigenvalue of a symmetric matrix that is given by its product with a vector.

    The Lanczos method: the matrix restricted to the space of v, Hv, HHv, ... has nearly the same extreme
    eigenvalues after a few products, and the same ones after ``size`` products (Golub and Van Loan, Matrix
    Computations, chapter 10). Unlike power iteration it does not mistake a large negative eigenvalue for the
    largest, nor stall between two that are close.
    """
    basis = images = np.empty((0, size))
    image = np.random.default_rng(0).normal(size=size)
    for _ in range(min(size, 60)):
        vector = image
        for _ in range(2):  # once leaves rounding errors that grow, twice is enough
            vector = vector - basis.T @ (basis @ vector)
        if np.linalg.norm(vector) <= 1e-10 * np.linalg.norm(image):
            break  # the space holds its own image: nothing new to find
        basis = np.vstack([basis, vector / np.linalg.norm(vector)])
        image = times(basis[-1])
        images = np.vstack([images, image])
    restricted = basis @ images.T
    if not np.isfinite(restricted).all():
        return math.nan
    return float(np.linalg.eigvalsh((restricted + restricted.T) / 2)[-1])


def _divergence(
    losses: list[float], loss: float, start: Any, model: Model, loss_fn: Loss, x: Any, y: Any, learning_rate: float
) -> DivergenceError:
    """Explain a loss that is not finite: the data, the start, the loss function, or the learning rate."""
    step = len(losses)
    for name, value in (("x", x), ("y", y), ("the starting theta", start)):
        arrays = [np.asarray(leaf) for leaf in tree.leaves(value)]
        if not all(np.isfinite(array).all() for array in arrays):
            return DivergenceError(f"the loss is {loss} at step {step}: {name} holds values that are not finite", step)
        if not all(array.size for array in arrays):
            return DivergenceError(f"the loss is {loss} at step {step}: {name} is empty", step)
    if step == 0:
        return DivergenceError(
            f"the loss is {loss} at step 0, before any update, though x, y and the starting theta are finite: "
            "look at the model and the loss function, and for values too large to square",
            step,
        )
    stable = largest_stable_rate(start, model, loss_fn, x, y)
    advice = f"gradient descent was stable at the start below {stable:.6g}, 2 / (largest eigenvalue of the Hessian)"
    if not stable < learning_rate:
        advice += "; the loss is not quadratic and curves more strongly further on, so choose a smaller rate still"
    return DivergenceError(
        f"the loss is {loss} at step {step} (the last finite loss was {losses[-1]:.6g}) "
        f"with learning_rate={learning_rate:g}: {advice}",
        step,
        stable,
    )
