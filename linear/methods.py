"""Other ways to the minimum than gradient descent: Newton's method, momentum, Adam and L-BFGS.

Each takes the arguments of `model_optimization_loop`, and returns the same pair. All of them see theta as one flat array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from minigrad import hessian, tree, value_and_grad

from .frames import as_arrays
from .model import Loss, Model
from .training import DivergenceError

Callback = Callable[[int, Any, float], object]
Moves = Generator[Any, tuple[Any, Any], None]  # see `_walk`


def newton(
    theta: Any, model: Model, loss_fn: Loss, x: Any, y: Any, n_steps: int = 2, *, callback: Callback | None = None
) -> tuple[list[float], Any]:
    """Minimise a loss by Newton's method: each step goes to the minimum of the parabola that touches the loss here.

    The Hessian comes from minigrad. If the loss is quadratic, such as the mean squared error of a linear model, the first step
    leads to the minimum, up to rounding errors, which grow with the condition number of the Hessian. The second step removes
    them. It is much smaller than the first step, and so are its own rounding errors.

    Parameters
    ----------
    theta, model, loss_fn, x, y, n_steps, callback
        As for `model_optimization_loop`.

    Returns
    -------
    losses : list of float
    theta : pytree

    Raises
    ------
    DivergenceError
        If the loss is not finite, or the Hessian is singular.

    Examples
    --------
    >>> from linear import linear_model, mseloss
    >>> x = np.linspace(-1.0, 1.0, 11)
    >>> losses, theta = newton({'w': 0.0, 'b': 0.0}, linear_model, mseloss, x, 3 * x + 1, 1)
    >>> print(f"{theta['w']:.6f} {theta['b']:.6f}")
    3.000000 1.000000
    """
    def moves(loss: Callable, flat: Any) -> Moves:
        flat, gradient = yield
        while True:
            try:
                move = -np.linalg.solve(hessian(loss)(flat), gradient)
            except np.linalg.LinAlgError:
                raise DivergenceError("the Hessian is singular, so Newton's method has no next step") from None
            flat, gradient = yield move

    return _walk(moves, theta, model, loss_fn, x, y, n_steps, callback)


def momentum(
    theta: Any, model: Model, loss_fn: Loss, x: Any, y: Any, n_steps: int = 3000, learning_rate: float = 0.01,
    friction: float = 0.9, *, callback: Callback | None = None,
) -> tuple[list[float], Any]:
    """Minimise a loss by gradient descent with momentum, also called the heavy ball.

    A step is the last step times `friction`, minus the learning rate times the gradient (B. Polyak, "Some Methods of
    Speeding up the Convergence of Iteration Methods", 1964). See `best_momentum` for the best two numbers.

    Parameters
    ----------
    theta, model, loss_fn, x, y, n_steps, learning_rate, callback
        As for `model_optimization_loop`.
    friction : float
        From 0, which is plain descent, to below 1.

    Returns
    -------
    losses : list of float
    theta : pytree

    Raises
    ------
    DivergenceError
        If the loss is not finite.
    """
    def moves(loss: Callable, flat: Any) -> Moves:
        _, gradient = yield
        move = np.zeros_like(flat)
        while True:
            move = friction * move - learning_rate * gradient
            _, gradient = yield move

    return _walk(moves, theta, model, loss_fn, x, y, n_steps, callback)


def best_momentum(largest: float, smallest: float, learning_rate: float | None = None) -> tuple[float, float]:
    """Return the learning rate and the friction with which momentum is fastest on a quadratic loss.

    Each step then multiplies the distance by about ``sqrt(friction)``. If the condition number of the Hessian is c, momentum
    needs about sqrt(c) steps where plain descent needs c (G. Goh, "Why Momentum Really Works", Distill, 2017).

    Parameters
    ----------
    largest, smallest : float
        The largest and the smallest eigenvalue of the Hessian.
    learning_rate : float, optional
        If it is given, only the friction is chosen. It must be below ``4 / largest``.

    Examples
    --------
    >>> print("{:.6f} {:.6f}".format(*best_momentum(1.0, 0.01)))
    3.305785 0.669421
    """
    if learning_rate is None:
        learning_rate = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2
    return learning_rate, max((1 - math.sqrt(learning_rate * curvature)) ** 2 for curvature in (largest, smallest))


def adam(
    theta: Any, model: Model, loss_fn: Loss, x: Any, y: Any, n_steps: int = 3000, learning_rate: float = 0.1,
    *, callback: Callback | None = None,
) -> tuple[list[float], Any]:
    """Minimise a loss with Adam: each parameter has its own step size, by the size of its gradients so far.

    D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", 2015, with their numbers 0.9, 0.999 and 1e-8. With a
    constant learning rate, Adam circles around the minimum. So here the learning rate falls from the one that is given
    to 0, along half a wave of a cosine (I. Loshchilov and F. Hutter, "SGDR", 2017).

    Parameters
    ----------
    theta, model, loss_fn, x, y, n_steps, callback
        As for `model_optimization_loop`.
    learning_rate : float
        About the largest step of a parameter.

    Returns
    -------
    losses : list of float
    theta : pytree

    Raises
    ------
    DivergenceError
        If the loss is not finite.
    """
    def moves(loss: Callable, flat: Any) -> Moves:
        _, gradient = yield
        mean, square = np.zeros_like(flat), np.zeros_like(flat)
        for step in range(1, n_steps + 1):
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            rate = learning_rate * (1 + math.cos(math.pi * (step - 1) / n_steps)) / 2
            _, gradient = yield -rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)

    return _walk(moves, theta, model, loss_fn, x, y, n_steps, callback)


def _walk(
    moves: Callable[[Callable, Any], Moves], theta: Any, model: Model, loss_fn: Loss, x: Any, y: Any, n_steps: int,
    callback: Callback | None,
) -> tuple[list[float], Any]:
    """Move n_steps times.

    `moves` takes the loss of a flat theta, and the flat theta at the start. It is a generator: it is sent a place and the
    gradient there, and yields the next move.
    """
    x, y = as_arrays(x, y)
    flat, unravel = tree.ravel_pytree(theta)

    def loss(flat: Any) -> Any:
        return loss_fn(unravel(flat), model, x, y)

    loss_and_gradient, next_moves = value_and_grad(loss), moves(loss, flat)
    losses: list[float] = []
    next(next_moves)  # it waits for the first gradient
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(n_steps):
            value, gradient = loss_and_gradient(flat)
            if not math.isfinite(value):
                raise DivergenceError(f"the loss is {value} at step {step}", step)
            losses.append(float(value))
            if callback is not None:
                callback(step, unravel(flat), losses[-1])
            flat = flat + next_moves.send((flat, gradient))
        if not np.isfinite(flat).all():
            raise DivergenceError(f"theta is not finite after step {n_steps}", n_steps)
    return losses, unravel(flat)


def lbfgs(
    theta: Any, model: Model, x: Any, y: Any, n_steps: int = 3000, *, rounds: int = 3, callback: Callback | None = None
) -> tuple[list[float], Any]:
    """Minimise the mean squared error of a linear model with L-BFGS from SciPy, which takes value and gradient from minigrad.

    L-BFGS finds the curvature from the changes of the gradient (D. Liu and J. Nocedal, "On the Limited Memory BFGS Method",
    1989). It compares losses, and these have 16 digits. Near the minimum the loss is flat, so half of the digits of theta are
    lost. This is why there are several rounds. Each begins where the last one ended, and minimises how much the loss
    changes from there. The change is small, and has 16 digits too: if theta moves the predictions by m, and r are the
    residuals at the beginning, the mean of (r + m)**2 - r**2 is the mean of m * (m + 2 * r).

    Parameters
    ----------
    theta, x, y, n_steps, callback
        As for `model_optimization_loop`. `n_steps` is the most that a round takes; it ends earlier if nothing gets better.
    model : callable
        It must be linear in theta, as `linear_model` is.
    rounds : int

    Returns
    -------
    losses : list of float
    theta : pytree

    Raises
    ------
    ImportError
        If SciPy is not installed.
    DivergenceError
        If the loss is not finite.
    """
    from scipy.optimize import minimize

    x, y = as_arrays(x, y)
    flat, unravel = tree.ravel_pytree(theta)
    losses: list[float] = []

    def loss_at(flat: np.ndarray) -> float:
        loss = float(np.mean((model(unravel(flat), x) - y) ** 2))
        if not math.isfinite(loss):
            raise DivergenceError(f"the loss is {loss} at step {len(losses)}", len(losses))
        return loss

    def note(flat: np.ndarray) -> None:
        loss = loss_at(flat)
        if callback is not None:
            callback(len(losses), unravel(flat), loss)
        losses.append(loss)

    for _ in range(rounds if n_steps else 0):
        loss_at(flat)
        residuals, before = model(unravel(flat), x) - y, flat

        def change(move: Any) -> Any:
            moved = model(unravel(move), x)
            return (moved * (moved + 2 * residuals)).mean()

        places = [np.zeros_like(flat)]
        found = minimize(
            value_and_grad(change), places[0], jac=True, method="L-BFGS-B", callback=lambda move: places.append(move.copy()),
            options={"ftol": 0.0, "gtol": 0.0, "maxiter": n_steps, "maxcor": 20},
        )
        for place in places[:-1]:
            note(before + place)
        if not found.fun < 0:  # nothing has become smaller
            break
        flat = before + found.x
    return losses, unravel(flat)
