"""The checks of the exercises: is a function right, and if not, what is wrong with it, in words.

There is a check for each function of the program, named after it. It calls the function with a few numbers. A wrong
result is recognised by its value: the results of the known mistakes are worked out on purpose, and compared with it.
The texts stand in `linear.check_texts`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import html
import inspect
import io
import itertools
import os
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import grad, tree, value_and_grad

from .check_texts import LANGUAGES, TEXTS

RATE = 0.01  # the learning rate that the exercise states

# theta as the exercises may state it, made of w and b.
KINDS: dict[type, Callable[[Any, Any], Any]] = {
    dict: lambda w, b: {"w": w, "b": b},
    tuple: lambda w, b: (w, b),
    list: lambda w, b: [w, b],
    np.ndarray: lambda w, b: np.array([w, b]),
}

# ---- Public ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a check says. ``print`` shows it, a notebook shows it by itself, and it is true if the answer is right.

    Attributes
    ----------
    passed : bool
    text : str
        "Correct" in a sentence, or what is wrong: in words, then with numbers, then the line of an error.
    """

    passed: bool
    text: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """Show the text in a notebook, with a green or red bar beside it."""
        style = f"white-space: pre-wrap; padding-left: 1em; border-left: 6px solid {'#2a9d4a' if self.passed else '#d1495b'}"
        return f'<div style="{style}">{html.escape(self.text)}</div>'


def check_linear_model(
    function: Callable,
    language: str = "en",
    *,
    kind: type = dict,
    n_inputs: int | None = None,
    n_outputs: int | None = None,
) -> Verdict:
    """Check a model: ``linear_model(theta, x)`` returns ``w * x + b``.

    Parameters
    ----------
    function : callable
        The answer to the exercise.
    language : str
        "en" for English, "zh" for Chinese.
    kind : type
        What theta is: dict, with the keys 'w' and 'b', or tuple, list or numpy.ndarray, with w and b in that order.
    n_inputs, n_outputs : int, optional
        If they are given, the check is for ``x @ w + b``. x has the shape (n, n_inputs); w and b have the shapes that
        `initialize_linear_params` gives them. theta cannot be an array then.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If the language or the kind is none of these, or ``n_outputs`` is given without ``n_inputs``.

    Examples
    --------
    >>> check_linear_model(lambda theta, x: theta['w'] * x - theta['b'])
    Not yet: b has the wrong sign: it has to be added.
    For theta = {'w': 3, 'b': -2}, x = [-1, 0.5, 2, 3], linear_model should give [-5, -0.5, 4, 7], but it gives [-1, 3.5, 8, 11].
    """
    if n_inputs is None and n_outputs is not None or kind is np.ndarray and n_inputs is not None:
        raise ValueError("n_outputs needs n_inputs as well, and with n_inputs theta cannot be an array")
    answer = _Answer(function, "linear_model", ("theta", "x"), kind)
    return _verdict(answer, language, lambda answer: _examine_model(answer, n_inputs, n_outputs))


def check_initialize_linear_params(function: Callable, language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a start: ``initialize_linear_params()`` draws w and b from the standard normal distribution.

    The function is called some 1,000 times. NumPy's global random state is put back then.

    Parameters and what is returned and raised are as for `check_linear_model`.

    Examples
    --------
    >>> check_initialize_linear_params(lambda: {'w': 0.5, 'b': 0.1})
    Not yet: initialize_linear_params returns the same numbers at every call. Draw new ones with np.random.normal(), \
inside the function, and do not set the seed there.
    """
    answer = _Answer(function, "initialize_linear_params", (), kind)
    state = np.random.get_state()
    try:
        return _verdict(answer, language, _examine_start)
    finally:
        np.random.set_state(state)


def check_mseloss(function: Callable, language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a loss: ``mseloss(theta, model, x, y)`` is the mean of the squared differences of model(theta, x) and y.

    Parameters and what is returned and raised are as for `check_linear_model`.

    Examples
    --------
    >>> print(check_mseloss(lambda theta, model, x, y: (model(theta, x) - y) ** 2))
    Not yet: the loss has the shape (4,), a number for each point. It has to be one number: take the mean.
    >>> bool(check_mseloss(lambda theta, model, x, y: np.mean((y - model(theta, x)) ** 2)))
    True
    """
    return _verdict(_Answer(function, "mseloss", ("theta", "model", "x", "y"), kind), language, _examine_loss)


def check_dmseloss(function: Callable, language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a gradient: ``dmseloss(theta, model, x, y)`` has the derivatives of the loss, in the structure of theta.

    It may be ``grad(mseloss)``, or written by hand for the linear model.

    Parameters and what is returned and raised are as for `check_linear_model`.

    Examples
    --------
    >>> from linear import mseloss
    >>> check_dmseloss(grad(mseloss))
    Correct: dmseloss does what the exercise asks.
    >>> check_dmseloss(grad(mseloss, argnums=2), "zh").text.split("。")[0]
    '还不对：这是对 x 的梯度，不是对 theta 的梯度'
    """
    return _verdict(_Answer(function, "dmseloss", ("theta", "model", "x", "y"), kind), language, _examine_gradient)


def check_model_optimization_loop(function: Callable, language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a loop: ``model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000)`` returns (losses, theta).

    At every step it has to record the loss, and then move each parameter by -0.01 times its derivative. The theta of the
    caller has to stay as it is.

    Parameters and what is returned and raised are as for `check_linear_model`.

    Examples
    --------
    >>> from linear import model_optimization_loop
    >>> check_model_optimization_loop(model_optimization_loop)
    Correct: model_optimization_loop does what the exercise asks.
    """
    answer = _Answer(function, "model_optimization_loop", ("theta", "model", "loss_fn", "x", "y"), kind)
    return _verdict(answer, language, _examine_loop)


# ---- How a check goes -----------------------------------------------------------------------------------------------


class _Fault(Exception):
    """What is wrong: the key of a text, and what its places are filled with.

    There may be evidence: the inputs, what is right there, and what came back. And the line of the user's code.
    """

    def __init__(
        self, key: str, evidence: Sequence[str] = (), line: tuple[int, str] | None = None, **values: Any
    ) -> None:
        super().__init__(key)
        self.key, self.evidence, self.line, self.values = key, evidence, line, values


# Before a check says only this much, it tries whether the function is right if it is called in another way.
CALLS = {"model_called", "loss_called"}  # if the parameters have the right names, it is the call inside that is wrong
VAGUE = {"raises", "value", "leaf_value", "update_wrong", "losses_wrong"} | CALLS


@dataclass
class _Answer:
    """The user's function, as the checks call it, and what the exercise says of it."""

    function: Callable
    exercise: str  # the name that the function has in the program
    arguments: tuple[str, ...]
    kind: type
    order: tuple[int, ...] | None = None  # in which the function gets the arguments
    quiet: bool = False
    changed: str | None = None  # the first argument that a call has changed

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the function with copies. Raise a fault if it raises an error, or returns nothing."""
        given = copy.deepcopy(arguments)
        ordered = [given[i] for i in self.order] if self.order else given
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                result = self.function(*ordered, **keywords)
        except _Fault as fault:
            fault.line = _line_of(fault)
            raise
        except Exception as error:
            caret = "bitwise_xor" in str(error) or "for ^" in str(error)
            raise _raised("caret" if caret else "raises", error) from None
        finally:
            if not self.quiet:
                sys.stdout.write(printed.getvalue())
        if result is None or result is Ellipsis:
            raise _Fault("prints" if printed.getvalue() else "none")
        for name, before, after in zip(self.arguments, arguments, given):
            if not callable(before) and not _equal(before, after):
                self.changed = self.changed or name
        return result

    @property
    def name(self) -> str:
        """The name that the user gave to the function. What grad returns has that of the loss, so it does not count."""
        name = getattr(self.function, "__name__", "")
        given = isinstance(self.function, types.FunctionType) and not hasattr(self.function, "__wrapped__")
        return name if given and name.isidentifier() else self.exercise

    def theta(self, w: Any, b: Any) -> Any:
        return KINDS[self.kind](w, b)

    def parts(self, value: Any) -> tuple[Any, Any] | None:
        """w and b in a value that has the structure of theta; None if it has another one."""
        if self.kind is dict:
            return (value["w"], value["b"]) if isinstance(value, dict) and value.keys() == {"w", "b"} else None
        if self.kind is np.ndarray:
            return tuple(value) if hasattr(value, "dtype") and np.shape(value) == (2,) else None
        return tuple(value) if isinstance(value, self.kind) and len(value) == 2 else None

    def leaf(self, i: int, of: str) -> str:
        """How the user writes w (0) or b (1) of theta, or of the gradient."""
        return f"{of}[{'wb'[i]!r}]" if self.kind is dict else f"{of}[{i}]"

    def signature(self) -> inspect.Signature | None:
        """The parameters of the function; None if Python does not know them."""
        try:
            return inspect.signature(self.function)
        except (TypeError, ValueError):
            return None


def _verdict(answer: _Answer, language: str, examine: Callable[[_Answer], None]) -> Verdict:
    """Examine an answer, and put what is found into words."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(map(repr, LANGUAGES))}, got {language!r}")
    if answer.kind not in KINDS:
        raise ValueError(f"kind must be dict, tuple, list or numpy.ndarray, got {answer.kind!r}")
    fault = _fault_of(answer, examine)

    def text(key: str, **values: Any) -> str:
        return TEXTS[key][LANGUAGES.index(language)].format(**values)

    if fault is None:
        return Verdict(True, text("right", f=answer.name))
    values = {"f": answer.name, "args": f"({', '.join(answer.arguments)})", "kind": answer.kind.__name__, **fault.values}
    if "advice" in values:
        values["advice"] = text(values["advice"], **values)
    lines = [text("wrong", fault=text(fault.key, **values))]
    if fault.evidence:
        inputs, expected, got = fault.evidence
        lines.append(text("evidence", f=answer.name, inputs=inputs, expected=expected, got=got))
    if fault.line:
        lines.append(text("where", number=fault.line[0], code=fault.line[1]))
    return Verdict(False, "\n".join(lines))


def _fault_of(answer: _Answer, examine: Callable[[_Answer], None]) -> _Fault | None:
    """The first fault of an answer. If an error says little, see whether other arguments make the answer right."""
    try:
        _examine_call(answer)
        examine(answer)
        _examine_changes(answer)
    except _Fault as fault:
        signature = answer.signature()
        if fault.key not in VAGUE or fault.key in CALLS and signature and tuple(signature.parameters)[: len(answer.arguments)] == answer.arguments:
            return fault

        def is_right(**other: Any) -> bool:
            # (An array cannot hold a vector w and a number b. That is the ValueError.)
            with np.errstate(all="ignore"), contextlib.suppress(_Fault, ValueError):
                examine(_Answer(**{**answer.__dict__, "quiet": True, **other}))
                return True
            return False

        for order in itertools.permutations(range(len(answer.arguments))):
            if is_right(order=order):
                names = ", ".join(answer.arguments[i] for i in order)
                return _Fault("other_order", order=f"({names})")
        for kind in KINDS:
            if kind is not answer.kind and is_right(kind=kind):
                advice = "take_out_array" if kind is np.ndarray else "take_out_dict" if answer.kind is dict else "take_out_other"
                return _Fault("wrong_kind", line=fault.line, other=kind.__name__, advice=advice)
        return fault
    return None


def _examine_changes(answer: _Answer) -> None:
    if answer.changed:
        raise _Fault("changes", what=answer.changed)


def _examine_call(answer: _Answer) -> None:
    """Can the answer be called with the arguments of the exercise?"""
    if not callable(answer.function):
        called = answer.exercise == "dmseloss" and answer.parts(answer.function) is not None
        check = f"check_{answer.exercise}"
        raise _Fault("gradient_called" if called else "not_callable", got=_describe(answer.function), check=check)
    signature = answer.signature()
    if signature is not None:
        keywords = {name: None for name in signature.parameters if name == "n_steps"}
        try:
            signature.bind(*answer.arguments, **keywords)
        except TypeError:
            raise _Fault("arguments", takes=str(signature)) from None


def _raised(key: str, error: Exception) -> _Fault:
    return _Fault(key, line=_line_of(error), kind=type(error).__name__, error=str(error))


# Where the code lies that is not the user's.
INSTALLED = tuple(
    os.path.join(folder, "")
    for folder in (
        *(str(Path(__file__).parents[1] / package) for package in ("linear", "minigrad")),
        *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    )
)


def _line_of(error: BaseException) -> tuple[int, str] | None:
    """The number and the text of the user's line that an error comes from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.lineno and frame.line and not frame.filename.startswith(INSTALLED):
            return frame.lineno, frame.line
    return None


# ---- Numbers --------------------------------------------------------------------------------------------------------


def _array(value: Any) -> np.ndarray | None:
    """A value as an array of numbers; None if it is something else."""
    try:
        array = np.asarray(value)
    except Exception:  # lists of different lengths, for one
        return None
    return array if array.dtype.kind in "biuf" else None


def _numbers(value: Any) -> np.ndarray:
    """A value as an array of numbers. It is a fault if it is something else."""
    array = _array(value)
    if array is None:
        raise _Fault("not_numbers", got=_describe(value))
    return array


def _same(value: Any, other: Any) -> bool:
    """Are the numbers the same, but for rounding, also that of float32 and of finite differences?"""
    one, two = _array(value), _array(other)
    return one is not None and two is not None and one.shape == two.shape and np.allclose(one, two, rtol=1e-4, atol=1e-6)


def _equal(value: Any, other: Any) -> bool:
    """Are two arguments the same, in all their leaves?"""
    leaves, others = tree.leaves(value), tree.leaves(other)
    return len(leaves) == len(others) and all(map(np.array_equal, leaves, others))


def _compare(result: np.ndarray, right: Any, mistakes: Sequence[tuple[str, Any]], evidence: Sequence[str], **values: Any) -> None:
    """Raise the fault whose result this is."""
    if _same(result, right):
        return
    for key, wrong in mistakes:
        if _same(result, wrong):
            raise _Fault(key, evidence, **values)
    raise _Fault("value", evidence)


def _show(value: Any) -> str:
    """Write numbers, or what holds them, as short as one can."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_show(part)}" for name, part in value.items()) + "}"
    if isinstance(value, (tuple, list)) and not hasattr(value, "dtype"):
        inside = ", ".join(map(_show, value)) + ("," if isinstance(value, tuple) and len(value) == 1 else "")
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    array = _array(value)
    if array is None:
        return repr(value)
    formatter = {"float_kind": lambda number: f"{number:.6g}"}
    return np.array2string(array, separator=", ", threshold=20, formatter=formatter).replace("\n", "")  # type: ignore[arg-type]


def _describe(value: Any) -> str:
    """Write the type of a value, and its beginning."""
    text = _show(value)
    name = type(value).__name__
    text = text if len(text) <= 80 else text[:77] + "..."
    return text if text.startswith("<") else f"{name} {text}"


def _inputs(**values: Any) -> str:
    return ", ".join(f"{name} = {_show(value)}" for name, value in values.items())


# ---- The model ------------------------------------------------------------------------------------------------------

X = np.array([-1.0, 0.5, 2.0, 3.0])
OTHER_X = np.array([4.0, -0.5, 1.0])


def _examine_model(answer: _Answer, n_inputs: int | None, n_outputs: int | None) -> None:
    x, other_x = X, OTHER_X
    parameters = [(3.0, -2.0), (-1.0, 4.0)]
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
    evidence = (_inputs(theta=theta, x=x), _show(right), _describe(result))

    if isinstance(result, tuple):
        raise _Fault("model_tuple", evidence, n=len(result))
    if isinstance(result, list):
        raise _Fault("model_list", evidence)
    result = _numbers(result)
    evidence = (*evidence[:2], _show(result))
    if _same(result, _numbers(with_other_theta)):
        raise _Fault("no_theta", evidence)
    if _same(result, _numbers(with_other_x)):
        raise _Fault("no_x", evidence)
    _examine_shape_of_prediction(result.shape, right.shape, x.shape, evidence)
    _compare(result, right, _wrong_predictions(w, b, x), evidence)
    for parameter, theta, x, result in ((parameters[1], other, x, with_other_theta), (parameters[0], theta, other_x, with_other_x)):
        right = _predict(*parameter, x)
        _compare(_numbers(result), right, [], (_inputs(theta=theta, x=x), _show(right), _show(result)))
    weights = np.arange(1.0, right.size + 1).reshape(right.shape)
    exact = (other_x.T @ weights, weights.sum(axis=0))
    _examine_derivative(answer, lambda theta: (answer.function(*_ordered(answer, theta, other_x)) * weights).sum(), theta, exact)


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
        raise _Fault("model_scalar", evidence, n=n)
    values = {"got": got, "expected": right, "square": (n, n), "column": (n, 1)}
    key = {(n, 1): "column", (n, n): "square"}.get(got, "shape")
    if len(x_shape) > 1 and got == x_shape:
        key = "each_input"
    raise _Fault(key, evidence if key == "shape" else (), **values)


def _ordered(answer: _Answer, *arguments: Any) -> list[Any]:
    return [arguments[i] for i in answer.order or range(len(arguments))]


def _examine_derivative(answer: _Answer, function: Callable, theta: Any, exact: tuple[Any, Any]) -> None:
    """Can grad differentiate what the answer computes?"""
    _examine_changes(answer)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            gradient = answer.parts(grad(function)(theta))
    except Exception as error:
        raise _raised("not_differentiable", error) from None
    assert gradient is not None
    if not all(map(_same, gradient, exact)):
        raise _Fault("other_derivative")


# ---- The start ------------------------------------------------------------------------------------------------------


def _examine_start(answer: _Answer) -> None:
    values = []
    for _ in range(2):
        start = answer()
        parts = answer.parts(start)
        if isinstance(start, dict) and answer.kind is dict and parts is None:
            raise _Fault("start_keys", got=", ".join(map(repr, start)) or "{}")
        if parts is None:
            raise _Fault("start_kind", got=_describe(start))
        for name, part in zip("wb", parts):
            if callable(part):
                raise _Fault("start_function", name=name)
            if _numbers(part).shape:
                raise _Fault("start_shape", name=name, got=_numbers(part).shape)
        values.append(np.array(parts, dtype=float))
    answer.quiet = True
    drawn = np.array([*values, *(answer.parts(answer()) for _ in range(998))], dtype=float)
    fixed = np.ptp(drawn, axis=0) == 0
    if fixed.all():
        raise _Fault("start_fixed")
    for name, is_fixed in zip("wb", fixed):
        if is_fixed:
            raise _Fault("start_half_fixed", name=name)
    if (drawn[:, 0] == drawn[:, 1]).all():
        raise _Fault("start_equal")
    # 95 of 100 normal numbers lie within two standard deviations of the mean. With 2,000 numbers, none outside is no chance.
    if np.abs(drawn - drawn.mean()).max() < 2 * drawn.std():
        raise _Fault("start_uniform", low=drawn.min(), high=drawn.max())
    # The mean of 1,000 has the standard error 0.032, and the standard deviation 0.022. Chance does not go to 0.2.
    for name, mean, spread in zip("wb", drawn.mean(axis=0), drawn.std(axis=0)):
        if abs(mean) > 0.2 or abs(spread - 1) > 0.2:
            raise _Fault("start_spread", name=name, mean=mean, spread=spread)


# ---- What the user's loss and loop get to work with -------------------------------------------------------------------

Y = np.array([-3.0, 0.5, 1.0, 6.0])
OTHER_Y = np.array([2.0, 5.0, -1.0])
START = (3.0, -2.0)


def _refusing(key: str) -> Callable[[Callable], Callable]:
    """The decorator of a function that is handed to the user's: a fault says that it is not called as it has to be."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            try:
                inspect.signature(function).bind(*arguments, **keywords)
            except TypeError:
                raise _Fault(key) from None
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
        raise _Fault("model_called") from None
    return w, b


@_refusing("model_called")
def _line(theta: Any, x: Any) -> Any:
    w, b = _take_out(theta, x)
    return w * x + b


@_refusing("model_called")
def _parabola(theta: Any, x: Any) -> Any:
    w, b = _take_out(theta, x)
    return w * x**2 + b


def _examine_loss(answer: _Answer) -> None:
    w, b = START
    theta = answer.theta(w, b)
    result = _numbers(answer(theta, _line, X, Y))
    difference = w * X + b - Y
    right = np.mean(difference**2)
    inputs = _inputs(theta=theta, x=X, y=Y)
    evidence = (inputs, _show(right), _show(result))
    _examine_shape_of_loss(result.shape)
    _compare(result, right, _wrong_losses(w * X + b, Y), evidence, **_shapes(len(X)))

    # The same with other data, and with another model.
    result = _numbers(answer(theta, _line, OTHER_X, OTHER_Y))
    right = np.mean((w * OTHER_X + b - OTHER_Y) ** 2)
    if not _same(result, right):
        evidence = (_inputs(theta=theta, x=OTHER_X, y=OTHER_Y), _show(right), _show(result))
        raise _Fault("other_data", evidence, n=len(X), m=len(OTHER_X))
    result = _numbers(answer(theta, _parabola, OTHER_X, OTHER_Y))
    difference = w * OTHER_X**2 + b - OTHER_Y
    if not _same(result, np.mean(difference**2)):
        raise _Fault("no_model")
    exact = (np.mean(2 * difference * OTHER_X**2), np.mean(2 * difference))
    _examine_derivative(answer, lambda theta: answer.function(*_ordered(answer, theta, _parabola, OTHER_X, OTHER_Y)), theta, exact)


def _shapes(n: int) -> dict[str, tuple]:
    return {"row": (n,), "column": (n, 1), "square": (n, n)}


def _examine_shape_of_loss(got: tuple) -> None:
    n = len(X)
    if got == (n,):
        raise _Fault("no_mean", got=got)
    if got == (n, n):
        raise _Fault("crossed", **_shapes(n))
    if got:
        raise _Fault("not_scalar", got=got)


def _wrong_losses(prediction: np.ndarray, y: np.ndarray) -> list[tuple[str, Any]]:
    difference = prediction - y
    squares = difference**2
    return [
        ("sum", squares.sum()), ("no_square", difference.mean()), ("no_square", -difference.mean()),
        ("absolute", np.abs(difference).mean()), ("root", np.sqrt(squares.mean())), ("square_late", difference.mean() ** 2),
        ("half", squares.mean() / 2), ("minus_loss", -squares.mean()),
        ("squares_apart", (prediction**2 - y**2).mean()), ("squares_apart", (y**2 - prediction**2).mean()),
        ("crossed", ((prediction[:, None] - y) ** 2).mean()), ("first_point", squares[0]), ("last_point", squares[-1]),
    ]


# ---- The gradient ---------------------------------------------------------------------------------------------------


def _examine_gradient(answer: _Answer) -> None:
    w, b = START
    theta = answer.theta(w, b)
    for x, y in ((X, Y), (OTHER_X, OTHER_Y)):
        result = answer(theta, _line, x, y)
        difference = w * x + b - y
        right = (np.mean(2 * difference * x), np.mean(2 * difference))
        evidence = (_inputs(theta=theta, x=x, y=y), _show(answer.theta(*right)), _show(result))
        parts = answer.parts(result)
        if parts is None:
            _examine_structure(answer, result, right, w, difference, evidence)
        parts = tuple(map(_numbers, parts))
        if all(map(_same, parts, right)):
            continue
        if x is OTHER_X:
            raise _Fault("other_data", evidence, n=len(X), m=len(OTHER_X))
        _examine_leaves(answer, parts, right, x, w * x + b, y, evidence)


def _examine_structure(
    answer: _Answer, result: Any, right: tuple, w: float, difference: np.ndarray, evidence: Sequence[str]
) -> None:
    """The gradient is not like theta. What is it then?"""
    loss = np.mean(difference**2)
    n = len(difference)
    if callable(result):
        raise _Fault("gradient_function")
    if isinstance(result, tuple) and len(result) == 2 and _same(result[0], loss) and answer.parts(result[1]):
        raise _Fault("gradient_and_loss")
    leaves = [np.asarray(leaf) for leaf in tree.leaves(result)]
    flat = np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.array([])
    if flat.dtype.kind not in "biuf":
        raise _Fault("not_numbers", got=_describe(result))
    for key, wrong in (
        ("gradient_is_loss", [loss]), ("gradient_of_x", 2 * difference * w / n), ("gradient_of_y", -2 * difference / n),
        ("gradient_kind", right), ("gradient_kind", right[::-1]),
    ):
        if _same(flat, wrong):
            raise _Fault(key, got=_describe(result))
    raise _Fault("gradient_structure", evidence, got=_describe(result))


def _examine_leaves(
    answer: _Answer, parts: tuple, right: tuple, x: np.ndarray, prediction: np.ndarray, y: np.ndarray, evidence: Sequence[str]
) -> None:
    """The gradient is like theta, but wrong. Find the mistake of each leaf, and name the leaves that share the first."""
    if all(map(_same, parts, right[::-1])):
        raise _Fault("leaves_swapped", evidence)
    difference = prediction - y
    found: dict[str, list[int]] = {}
    for i, (part, exact, factor) in enumerate(zip(parts, right, (x, np.ones_like(x)))):
        if _same(part, exact):
            continue
        if part.shape:
            raise _Fault("leaf_shape", leaf=answer.leaf(i, "grads"), got=part.shape)
        wrong = [
            ("leaf_minus", -exact), ("leaf_sum", len(x) * exact), ("leaf_half", exact / 2),
            ("leaf_with_x" if i else "leaf_no_x", right[1 - i]), ("leaf_no_square", factor.mean()),
            ("leaf_no_square", -factor.mean()), ("leaf_root", exact / (2 * np.sqrt(np.mean(difference**2)))),
            ("leaf_crossed", np.mean(2 * (prediction - y.mean()) * factor)),
        ]
        found.setdefault(next((key for key, value in wrong if _same(part, value)), "leaf_value"), []).append(i)
    key = next(iter(found))
    raise _Fault(key, evidence, leaf=", ".join(answer.leaf(i, "grads") for i in found[key]), **_shapes(len(x)))


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
        raise _Fault("loss_called")


def _descend(answer: _Answer, model: Callable, loss_fn: Callable, n: int) -> tuple[np.ndarray, np.ndarray]:
    """w and b at the start and after each of n steps, and the loss there."""
    points, losses = [np.array(START)], []
    for _ in range(n + 1):
        loss, gradient = value_and_grad(loss_fn)(answer.theta(*points[-1]), model, X, Y)
        losses.append(loss)
        points.append(points[-1] - RATE * np.array(answer.parts(gradient)))
    return np.array(points[:-1]), np.array(losses)


def _examine_loop(answer: _Answer) -> None:
    signature = answer.signature()
    default = 3000
    if signature is not None:
        named = signature.parameters.get("n_steps")
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
        if named is None and not takes_all or named is not None and named.default is named.empty:
            raise _Fault("no_n_steps", args=f"({', '.join(answer.arguments)}, n_steps=3000)")
        default = named.default if named is not None else default

    points, exact = _descend(answer, _line, _squares, N + 2)
    losses, end = _run(answer, _line, _squares, N)
    _examine_steps(answer, points, exact, losses, end)
    _examine_losses(exact, losses)
    for model, loss_fn in ((_line, _fourth_powers), (_parabola, _squares)):
        points, exact = _descend(answer, model, loss_fn, N)
        losses, end = _run(answer, model, loss_fn, N)
        if not _same(end, points[N]):
            raise _Fault("other_loss" if model is _line else "other_model")
        if not _same(losses, exact[:N]):
            raise _Fault("other_loss_recorded" if model is _line else "other_model")
    if isinstance(default, int) and default != 3000:
        raise _Fault("default_steps", got=default)
    if answer.changed == "theta":
        copied = {dict: "dict(theta)", list: "list(theta)"}.get(answer.kind, "theta.copy()")
        raise _Fault("start_altered", copy=copied)


def _run(answer: _Answer, model: Callable, loss_fn: Callable, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Call the loop, and take its result apart: the losses, and w and b."""
    result = answer(answer.theta(*START), model, loss_fn, X, Y, n_steps=n)
    parts = answer.parts(result)
    if parts is not None and not any(map(np.ndim, parts)):
        raise _Fault("loop_theta_only")
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise _Fault("loop_losses_only" if _are_losses(result) else "loop_pair", got=_describe(result))
    losses, theta = result
    parts = answer.parts(theta)
    if parts is None:
        raise _Fault("loop_theta" if answer.parts(losses) is None else "loop_order", got=_describe(theta))
    if isinstance(losses, (list, tuple)) and any(answer.parts(loss) is not None for loss in losses):
        raise _Fault("loop_grads")
    if not _are_losses(losses):
        raise _Fault("loop_losses", got=_describe(losses))
    return _numbers(losses), np.array([_numbers(part) for part in parts], dtype=float)


def _are_losses(value: Any) -> bool:
    """Is that a list or an array of numbers?"""
    array = _array(value)
    return array is not None and array.ndim == 1 and not isinstance(value, tuple)


def _examine_steps(answer: _Answer, points: np.ndarray, exact: np.ndarray, losses: np.ndarray, end: np.ndarray) -> None:
    """Has theta made N steps? If not, how many, or what is wrong with a step?"""
    if _same(end, points[N]):
        return
    if len(losses) > 2 * N:
        raise _Fault("ignores_n_steps", n=N, got=len(losses))
    for made, point in enumerate(points):
        if _same(end, point):
            key = "theta_stays" if made == 0 else "steps"
            if made == 1:
                key = "first_step_only" if len(losses) == 1 else "restarts"
            raise _Fault(key, n=N, got=made)

    start, right = points[:2]
    for n in (1, 2):  # who makes a step too few makes none at first
        _, end = _run(answer, _line, _squares, n)
        if not _same(end, start):
            break
    if _same(end, right):
        slopes = (start - right) / RATE
        _, end = _run(answer, _line, _squares, N)
        evidence = (_inputs(n_steps=N), _show(answer.theta(*points[N])), _show(answer.theta(*end)))
        raise _Fault("gradient_once" if _same(end, start - N * RATE * slopes) else "later_steps", evidence)
    evidence = (_inputs(theta=answer.theta(*start), n_steps=n), _show(answer.theta(*points[n])), _show(answer.theta(*end)))
    _examine_one_step(answer, start, right, end, evidence)
    raise _Fault("update_wrong", evidence)


def _examine_one_step(answer: _Answer, start: np.ndarray, right: np.ndarray, end: np.ndarray, evidence: Sequence[str]) -> None:
    """Recognise a wrong step by how far each parameter moves, as a multiple of the step that is right."""
    way = right - start
    ratios = (end - start) / way
    if _same(ratios, [-1.0, -1.0]):
        raise _Fault("uphill", evidence)
    if _same(ratios[0], ratios[1]):
        raise _Fault("rate", evidence, rate=RATE * ratios[0])
    if _same(end, way):
        raise _Fault("old_theta_lost", evidence)
    _, slope = answer.parts(grad(_squares)(answer.theta(right[0], start[1]), _line, X, Y)) or (0, 0)
    if _same(end, [right[0], start[1] - RATE * slope]):
        raise _Fault("one_after_other", evidence)
    for i, ratio in enumerate(ratios):
        leaf = answer.leaf(i, "theta")
        rate = RATE * ratio
        for key, wrong in (("leaf_stays", 0.0), ("leaf_uphill", -1.0), ("leaf_other_gradient", way[1 - i] / way[i])):
            if _same(ratio, wrong):
                raise _Fault(key, evidence, leaf=leaf)
        if not _same(ratio, 1.0) and _same(rate, float(f"{rate:.2g}")):
            raise _Fault("leaf_rate", evidence, leaf=leaf, rate=rate)


def _examine_losses(exact: np.ndarray, losses: np.ndarray) -> None:
    """theta is right. Is there one loss for each step, that before the update?"""
    if len(losses) != N:
        raise _Fault("losses_count", n=N, got=len(losses))
    if _same(losses, exact[:N]):
        return
    evidence = (_inputs(n_steps=N), _show(exact[:N]), _show(losses))
    if _same(losses, exact[1 : N + 1]):
        raise _Fault("losses_late", evidence)
    if _same(losses, np.full(N, exact[0])):
        raise _Fault("losses_once", evidence)
    raise _Fault("losses_wrong", evidence)
