"""What each exercise asks for, and the mistakes that are known.

A wrong result is recognised by its value: the results of the mistakes are worked out on purpose, and compared with it.
A fault has the key of a text in `linear.check_texts`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from minigrad import grad, tree, value_and_grad

from .answers import Answer, Fault, as_array, compare, describe, examine_changes, inputs, numbers, raised, same, show

RATE = 0.01  # the learning rate that the exercise states

# ---- The model ------------------------------------------------------------------------------------------------------

X = np.array([-1.0, 0.5, 2.0, 3.0])
OTHER_X = np.array([4.0, -0.5, 1.0])


def examine_model(answer: Answer, n_inputs: int | None, n_outputs: int | None) -> None:
    """Does ``linear_model(theta, x)`` return ``w * x + b``, or the matrix form of it?"""
    x, other_x = X, OTHER_X
    parameters: list[tuple[Any, Any]] = [(3.0, -2.0), (-1.0, 4.0)]
    if n_inputs is not None:
        random = np.random.default_rng(0)
        x, other_x = (random.integers(-3, 4, size=(n, n_inputs)) + 0.5 for n in (4, 3))
        shape = (n_inputs,) if n_outputs is None else (n_inputs, n_outputs)
        parameters = [
            (random.integers(1, 9, size=shape) / 2, random.integers(1, 9, size=shape[1:]) - 0.25) for _ in range(2)
        ]
    theta, other = (answer.theta(w, b) for w, b in parameters)
    result, with_other_theta, with_other_x = answer(theta, x), answer(other, x), answer(theta, other_x)
    w, b = parameters[0]
    right = _predict(w, b, x)
    evidence = (inputs(theta=theta, x=x), show(right), describe(result))

    if isinstance(result, tuple):
        raise Fault("model_tuple", evidence, n=len(result))
    if isinstance(result, list):
        raise Fault("model_list", evidence)
    result = numbers(result)
    evidence = (*evidence[:2], show(result))
    if same(result, numbers(with_other_theta)):
        raise Fault("no_theta", evidence)
    if same(result, numbers(with_other_x)):
        raise Fault("no_x", evidence)
    _examine_shape_of_prediction(result.shape, right.shape, x.shape, evidence)
    compare(result, right, _wrong_predictions(w, b, x), evidence)
    for (w, b), x, result in ((parameters[1], x, with_other_theta), (parameters[0], other_x, with_other_x)):
        right = _predict(w, b, x)
        compare(numbers(result), right, [], (inputs(theta=answer.theta(w, b), x=x), show(right), show(result)))

    # The derivative of a weighted sum of the predictions has the derivative of each in it.
    weights = np.arange(1.0, right.size + 1).reshape(right.shape)
    exact = (other_x.T @ weights, weights.sum(axis=0))
    _examine_derivative(answer, lambda result: (result * weights).sum(), (theta, other_x), exact)


def _predict(w: Any, b: Any, x: Any) -> Any:
    return x @ w + b if np.ndim(w) else w * x + b


def _wrong_predictions(w: Any, b: Any, x: np.ndarray) -> list[tuple[str, Any]]:
    product = _predict(w, 0, x)
    wrong = [("minus_b", product - b), ("minus_w", -product + b), ("minus_all", -product - b), ("no_b", product)]
    if x.ndim == 1:
        wrong += [
            ("w_and_b", b * x + w), ("no_w", x + b), ("w_added", w + x + b), ("brackets", w * (x + b)), ("power", x**w + b),
        ]
    return wrong


def _examine_shape_of_prediction(got: tuple, right: tuple, x_shape: tuple, evidence: Sequence[str]) -> None:
    if got == right:
        return
    n = right[0]
    if got == ():
        raise Fault("model_scalar", evidence, n=n)
    values = {"got": got, "expected": right, "square": (n, n), "column": (n, 1)}
    key = {(n, 1): "column", (n, n): "square"}.get(got, "shape")
    if len(x_shape) > 1 and got == x_shape:
        key = "each_input"
    raise Fault(key, evidence if key == "shape" else (), **values)


def _examine_derivative(answer: Answer, scalar: Callable, arguments: tuple, exact: tuple[Any, Any]) -> None:
    """Can grad differentiate what the answer computes, by theta, which comes first?"""
    examine_changes(answer)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            gradient = answer.parts(grad(lambda *arguments: scalar(answer.function(*answer.ordered(arguments))))(*arguments))
    except Exception as error:
        raise raised("not_differentiable", error) from None
    assert gradient is not None
    if not all(map(same, gradient, exact)):
        raise Fault("other_derivative")


# ---- The start ------------------------------------------------------------------------------------------------------


def examine_start(answer: Answer) -> None:
    """Does ``initialize_linear_params()`` draw w and b from the standard normal distribution?"""
    first = _draw(answer)
    answer.quiet = True
    drawn = np.array([first, *(_draw(answer) for _ in range(999))])
    fixed = np.ptp(drawn, axis=0) == 0
    if fixed.all():
        raise Fault("start_fixed")
    for name, is_fixed in zip("wb", fixed):
        if is_fixed:
            raise Fault("start_half_fixed", name=name)
    if (drawn[:, 0] == drawn[:, 1]).all():
        raise Fault("start_equal")
    for name, values in zip("wb", drawn.T):
        mean, spread = values.mean(), values.std()
        # Of 20 normal numbers, one lies more than two standard deviations away. Among 1,000, there are always some.
        if np.abs(values - mean).max() < 2 * spread:
            raise Fault("start_uniform", name=name, low=values.min(), high=values.max())
        # The mean of 1,000 has the standard error 0.032, their standard deviation 0.022. Chance does not go to 0.2.
        if abs(mean) > 0.2 or abs(spread - 1) > 0.2:
            raise Fault("start_spread", name=name, mean=mean, spread=spread)


def _draw(answer: Answer) -> tuple[float, float]:
    """Call the function; return w and b."""
    start = answer()
    parts = answer.parts(start)
    if parts is None and isinstance(start, dict) and answer.kind is dict:
        raise Fault("start_keys", got=", ".join(map(repr, start)) or "{}")
    if parts is None:
        raise Fault("start_kind", got=describe(start))
    for name, part in zip("wb", parts):
        if callable(part):
            raise Fault("start_function", name=name)
        if numbers(part).shape:
            raise Fault("start_shape", name=name, got=np.shape(part))
    return float(parts[0]), float(parts[1])


# ---- What the user's loss and loop get to work with -------------------------------------------------------------------

Y = np.array([-3.0, 0.5, 1.0, 6.0])
OTHER_Y = np.array([2.0, 5.0, -1.0])
START = (3.0, -2.0)


def _refusing(key: str) -> Callable[[Callable], Callable]:
    """The decorator of a function that the user's function gets. If it is called with wrong arguments, that is a fault."""

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            try:
                signature.bind(*arguments, **keywords)
            except TypeError:
                raise Fault(key) from None
            return function(*arguments, **keywords)

        return called

    return decorate


def _take_out(theta: Any, x: Any) -> tuple[Any, Any]:
    """w and b of theta, if that is theta."""
    try:
        if isinstance(x, (dict, tuple, list)) or callable(x):
            raise TypeError
        w, b = (theta["w"], theta["b"]) if isinstance(theta, dict) else theta
    except Exception:
        raise Fault("model_called") from None
    return w, b


@_refusing("model_called")
def _line(theta: Any, x: Any) -> Any:
    w, b = _take_out(theta, x)
    return w * x + b


@_refusing("model_called")
def _parabola(theta: Any, x: Any) -> Any:
    w, b = _take_out(theta, x)
    return w * x**2 + b


def examine_loss(answer: Answer) -> None:
    """Does ``mseloss(theta, model, x, y)`` return the mean squared error?"""
    w, b = START
    theta = answer.theta(w, b)
    result = answer(theta, _line, X, Y)
    if callable(result):
        raise Fault("not_called")
    result = numbers(result)
    difference = w * X + b - Y
    right = np.mean(difference**2)
    evidence = (inputs(theta=theta, x=X, y=Y), show(right), show(result))
    _examine_shape_of_loss(result.shape)
    compare(result, right, _wrong_losses(w * X + b, Y), evidence, **_shapes(len(X)))

    # The same with other data, and with another model.
    result = numbers(answer(theta, _line, OTHER_X, OTHER_Y))
    right = np.mean((w * OTHER_X + b - OTHER_Y) ** 2)
    if not same(result, right):
        evidence = (inputs(theta=theta, x=OTHER_X, y=OTHER_Y), show(right), show(result))
        raise Fault("other_data", evidence, n=len(X), m=len(OTHER_X))
    result = numbers(answer(theta, _parabola, OTHER_X, OTHER_Y))
    difference = w * OTHER_X**2 + b - OTHER_Y
    if not same(result, np.mean(difference**2)):
        raise Fault("no_model")
    exact = (np.mean(2 * difference * OTHER_X**2), np.mean(2 * difference))
    _examine_derivative(answer, lambda loss: loss, (theta, _parabola, OTHER_X, OTHER_Y), exact)


def _shapes(n: int) -> dict[str, tuple]:
    return {"row": (n,), "column": (n, 1), "square": (n, n)}


def _examine_shape_of_loss(got: tuple) -> None:
    n = len(X)
    if got == (n,):
        raise Fault("no_mean", got=got)
    if got == (n, n):
        raise Fault("crossed", **_shapes(n))
    if got:
        raise Fault("not_scalar", got=got)


def _wrong_losses(prediction: np.ndarray, y: np.ndarray) -> list[tuple[str, Any]]:
    difference = prediction - y
    squares = difference**2
    return [
        ("sum", squares.sum()), ("no_square", difference.mean()), ("no_square", -difference.mean()),
        ("absolute", np.abs(difference).mean()), ("root", np.sqrt(squares.mean())), ("square_late", difference.mean() ** 2),
        ("half", squares.mean() / 2), ("minus_loss", -squares.mean()),
        ("squares_apart", (prediction**2 - y**2).mean()), ("squares_apart", (y**2 - prediction**2).mean()),
        ("square_of_y", (prediction - y**2).mean()),
        ("crossed", ((prediction[:, None] - y) ** 2).mean()), ("first_point", squares[0]), ("last_point", squares[-1]),
    ]


# ---- The gradient ---------------------------------------------------------------------------------------------------


def examine_gradient(answer: Answer) -> None:
    """Does ``dmseloss(theta, model, x, y)`` return the gradient of the mean squared error?"""
    w, b = START
    theta = answer.theta(w, b)
    for x, y in ((X, Y), (OTHER_X, OTHER_Y)):
        result = answer(theta, _line, x, y)
        difference = w * x + b - y
        right = (np.mean(2 * difference * x), np.mean(2 * difference))
        evidence = (inputs(theta=theta, x=x, y=y), show(answer.theta(*right)), show(result))
        given = answer.parts(result)
        if given is None:
            _examine_structure(answer, result, right, w, difference, evidence)
        parts = tuple(map(numbers, given))
        if all(map(same, parts, right)):
            continue
        if x is OTHER_X:
            raise Fault("other_data", evidence, n=len(X), m=len(OTHER_X))
        _examine_leaves(answer, parts, right, x, w * x + b, y, evidence)


def _examine_structure(
    answer: Answer, result: Any, right: tuple, w: float, difference: np.ndarray, evidence: Sequence[str]
) -> NoReturn:
    """The gradient is not like theta. What is it then?"""
    loss = np.mean(difference**2)
    n = len(difference)
    if callable(result):
        raise Fault("gradient_function")
    if isinstance(result, tuple) and len(result) == 2 and same(result[0], loss) and answer.parts(result[1]):
        raise Fault("gradient_and_loss")
    flat = np.concatenate([[], *(numbers(leaf).ravel() for leaf in tree.leaves(result))])
    for key, wrong in (
        ("gradient_is_loss", [loss]), ("gradient_of_x", 2 * difference * w / n), ("gradient_of_y", -2 * difference / n),
        ("gradient_kind", right), ("gradient_kind", right[::-1]),
    ):
        if same(flat, wrong):
            raise Fault(key, got=describe(result))
    raise Fault("gradient_structure", evidence, got=describe(result))


def _examine_leaves(
    answer: Answer,
    parts: tuple,
    right: tuple,
    x: np.ndarray,
    prediction: np.ndarray,
    y: np.ndarray,
    evidence: Sequence[str],
) -> None:
    """The gradient is like theta, but wrong. Find the mistake of each leaf, and name the leaves that share the first."""
    if all(map(same, parts, right[::-1])):
        raise Fault("leaves_swapped", evidence)
    difference = prediction - y
    found: dict[str, list[int]] = {}
    for i, (part, exact, factor) in enumerate(zip(parts, right, (x, np.ones_like(x)))):
        if same(part, exact):
            continue
        if part.shape:
            raise Fault("leaf_shape", leaf=answer.leaf(i, "grads"), got=part.shape)
        wrong = [
            ("leaf_minus", -exact), ("leaf_sum", len(x) * exact), ("leaf_half", exact / 2),
            ("leaf_with_x" if i else "leaf_no_x", right[1 - i]), ("leaf_no_square", factor.mean()),
            ("leaf_no_square", -factor.mean()), ("leaf_root", exact / (2 * np.sqrt(np.mean(difference**2)))),
            ("leaf_crossed", np.mean(2 * (prediction - y.mean()) * factor)),
        ]
        found.setdefault(next((key for key, value in wrong if same(part, value)), "leaf_value"), []).append(i)
    key = next(iter(found))
    raise Fault(key, evidence, leaf=", ".join(answer.leaf(i, "grads") for i in found[key]), **_shapes(len(x)))


# ---- The loop -------------------------------------------------------------------------------------------------------

N = 5  # steps


@_refusing("loss_called")
def _squares(theta: Any, model: Any, x: Any, y: Any) -> Any:
    _examine_loss_call(theta, model, x, y)
    return ((model(theta, x) - y) ** 2).mean()


@_refusing("loss_called")
def _fourth_powers(theta: Any, model: Any, x: Any, y: Any) -> Any:
    _examine_loss_call(theta, model, x, y)
    return ((model(theta, x) - y) ** 4).mean() / 10


def _examine_loss_call(theta: Any, model: Any, x: Any, y: Any) -> None:
    if not callable(model) or callable(theta) or not (np.shape(x) == np.shape(y) == X.shape):
        raise Fault("loss_called")


def _descend(answer: Answer, model: Callable, loss_fn: Callable, n: int) -> tuple[np.ndarray, np.ndarray]:
    """w and b at the start and after each of n steps, and the loss there."""
    points, losses = [np.array(START)], []
    for _ in range(n + 1):
        loss, gradient = value_and_grad(loss_fn)(answer.theta(*points[-1]), model, X, Y)
        losses.append(loss)
        points.append(points[-1] - RATE * np.array(answer.parts(gradient)))
    return np.array(points[:-1]), np.array(losses)


def examine_loop(answer: Answer) -> None:
    """Does ``model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000)`` descend, and record the losses?"""
    signature = answer.signature()
    default = 3000
    if signature is not None:
        named = signature.parameters.get("n_steps")
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
        if named is None and not takes_all or named is not None and named.default is named.empty:
            raise Fault("no_n_steps", args=f"({', '.join(answer.arguments)}, n_steps=3000)")
        default = named.default if named is not None else default

    points, exact = _descend(answer, _line, _squares, N + 2)
    losses, end = _run(answer, _line, _squares, N)
    _examine_steps(answer, points, losses, end)
    _examine_losses(exact, losses)
    for model, loss_fn in ((_line, _fourth_powers), (_parabola, _squares)):
        points, exact = _descend(answer, model, loss_fn, N)
        losses, end = _run(answer, model, loss_fn, N)
        if not same(end, points[N]):
            raise Fault("other_loss" if model is _line else "other_model")
        if not same(losses, exact[:N]):
            raise Fault("other_loss_recorded" if model is _line else "other_model")
    if isinstance(default, int) and default != 3000:
        raise Fault("default_steps", got=default)
    if answer.changed == "theta":
        copies: dict[type, str] = {dict: "dict(theta)", list: "list(theta)"}
        raise Fault("start_altered", copy=copies.get(answer.kind, "theta.copy()"))


def _run(answer: Answer, model: Callable, loss_fn: Callable, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Call the loop, and take its result apart: the losses, and w and b."""
    result = answer(answer.theta(*START), model, loss_fn, X, Y, n_steps=n)
    parts = answer.parts(result)
    if parts is not None and not any(map(np.ndim, parts)):
        raise Fault("loop_theta_only")
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Fault("loop_losses_only" if _are_losses(result) else "loop_pair", got=describe(result))
    losses, theta = result
    parts = answer.parts(theta)
    if parts is None:
        raise Fault("loop_theta" if answer.parts(losses) is None else "loop_order", got=describe(theta))
    if isinstance(losses, (list, tuple)) and any(answer.parts(loss) is not None for loss in losses):
        raise Fault("loop_grads")
    if not _are_losses(losses):
        raise Fault("loop_losses", got=describe(losses))
    for i, part in enumerate(parts):
        if numbers(part).shape:
            raise Fault("theta_shape", leaf=answer.leaf(i, "theta"), got=np.shape(part))
    return numbers(losses), np.array(parts, dtype=float)


def _are_losses(value: Any) -> bool:
    """Is that a list or an array of numbers?"""
    array = as_array(value)
    return array is not None and array.ndim == 1 and not isinstance(value, tuple)


def _examine_steps(answer: Answer, points: np.ndarray, losses: np.ndarray, end: np.ndarray) -> None:
    """Has theta made N steps? If not, how many, or what is wrong with a step?"""
    if same(end, points[N]):
        return
    if len(losses) > 2 * N:
        raise Fault("ignores_n_steps", n=N, got=len(losses))
    for made, point in enumerate(points):
        if same(end, point):
            key = "theta_stays" if made == 0 else "steps"
            if made == 1:
                key = "first_step_only" if len(losses) == 1 else "restarts"
            raise Fault(key, n=N, got=made)

    start, right = points[:2]
    for n in (1, 2):  # a loop with one step too few makes no step for n = 1
        _, end = _run(answer, _line, _squares, n)
        if not same(end, start):
            break
    if same(end, right):
        slopes = (start - right) / RATE
        _, end = _run(answer, _line, _squares, N)
        evidence = (inputs(n_steps=N), show(answer.theta(*points[N])), show(answer.theta(*end)))
        raise Fault("gradient_once" if same(end, start - N * RATE * slopes) else "later_steps", evidence)
    given = inputs(theta=answer.theta(*start), n_steps=n)
    evidence = (given, show(answer.theta(*points[n])), show(answer.theta(*end)))
    _examine_one_step(answer, start, right, end, evidence)
    raise Fault("update_wrong", evidence)


def _examine_one_step(
    answer: Answer, start: np.ndarray, right: np.ndarray, end: np.ndarray, evidence: Sequence[str]
) -> None:
    """Recognise a wrong step by how far each parameter moves, as a multiple of the step that is right."""
    way = right - start
    ratios = (end - start) / way
    if same(ratios, [-1.0, -1.0]):
        raise Fault("uphill", evidence)
    if same(ratios[0], ratios[1]):
        raise Fault("rate", evidence, rate=RATE * ratios[0])
    if same(end, way):
        raise Fault("old_theta_lost", evidence)
    if same(end, start - RATE * _squares(answer.theta(*start), _line, X, Y)):
        raise Fault("loss_as_gradient", evidence)
    _, slope = answer.parts(grad(_squares)(answer.theta(right[0], start[1]), _line, X, Y)) or (0, 0)
    if same(end, [right[0], start[1] - RATE * slope]):
        raise Fault("one_after_other", evidence)
    for i, ratio in enumerate(ratios):
        leaf = answer.leaf(i, "theta")
        rate = RATE * ratio
        for key, wrong in (("leaf_stays", 0.0), ("leaf_uphill", -1.0), ("leaf_other_gradient", way[1 - i] / way[i])):
            if same(ratio, wrong):
                raise Fault(key, evidence, leaf=leaf)
        if not same(ratio, 1.0) and same(rate, float(f"{rate:.2g}")):
            raise Fault("leaf_rate", evidence, leaf=leaf, rate=rate)


def _examine_losses(exact: np.ndarray, losses: np.ndarray) -> None:
    """theta is right. Is there one loss for each step, taken before the update?"""
    if len(losses) != N:
        raise Fault("losses_count", n=N, got=len(losses))
    if same(losses, exact[:N]):
        return
    evidence = (inputs(n_steps=N), show(exact[:N]), show(losses))
    if same(losses, exact[1 : N + 1]):
        raise Fault("losses_late", evidence)
    if same(losses, np.full(N, exact[0])):
        raise Fault("losses_once", evidence)
    raise Fault("losses_wrong", evidence)
