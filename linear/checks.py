"""The checks of the exercises: is a function right, and if not, what is wrong with it, in words.

There is a check for each function of the program, named after it. It calls the function with a few numbers, and looks
for the mistakes in `linear.mistakes`. The texts are in `linear.check_texts`.
"""

from __future__ import annotations

import contextlib
import html
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .answers import KINDS, Answer, Fault, describe, examine_changes
from .check_texts import LANGUAGES, TEXTS
from .mistakes import examine_gradient, examine_loop, examine_loss, examine_model, examine_start


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
        color = "#2a9d4a" if self.passed else "#d1495b"
        style = f"white-space: pre-wrap; padding-left: 1em; border-left: 6px solid {color}"
        return f'<div style="{style}">{html.escape(self.text)}</div>'


def check_linear_model(
    function: Callable[..., Any],
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
    For theta = {'w': 3, 'b': -2}, x = [-1, 0.5, 2, 3], linear_model should give [-5, -0.5, 4, 7], \
but it gives [-1, 3.5, 8, 11].
    """
    if n_inputs is None and n_outputs is not None or kind is np.ndarray and n_inputs is not None:
        raise ValueError("n_outputs needs n_inputs as well, and with n_inputs theta cannot be an array")
    answer = Answer(function, "linear_model", ("theta", "x"), kind)
    return _verdict(answer, language, lambda answer: examine_model(answer, n_inputs, n_outputs))


def check_initialize_linear_params(function: Callable[..., Any], language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a start: ``initialize_linear_params()`` draws w and b from the standard normal distribution.

    The function is called some 1,000 times. NumPy's global random state is put back then.

    Parameters, result and errors are as for `check_linear_model`.

    Examples
    --------
    >>> check_initialize_linear_params(lambda: {'w': 0.5, 'b': 0.1})
    Not yet: initialize_linear_params returns the same numbers at every call. Draw new ones with np.random.normal(), \
inside the function, and do not set the seed there.
    """
    answer = Answer(function, "initialize_linear_params", (), kind)
    state = np.random.get_state()
    try:
        return _verdict(answer, language, examine_start)
    finally:
        np.random.set_state(state)


def check_mseloss(function: Callable[..., Any], language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a loss: ``mseloss(theta, model, x, y)`` is the mean of the squared differences of model(theta, x) and y.

    Parameters, result and errors are as for `check_linear_model`.

    Examples
    --------
    >>> print(check_mseloss(lambda theta, model, x, y: (model(theta, x) - y) ** 2))
    Not yet: the loss has the shape (4,), a number for each point. It has to be one number: take the mean.
    >>> bool(check_mseloss(lambda theta, model, x, y: np.mean((y - model(theta, x)) ** 2)))
    True
    """
    return _verdict(Answer(function, "mseloss", ("theta", "model", "x", "y"), kind), language, examine_loss)


def check_dmseloss(function: Callable[..., Any], language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a gradient: ``dmseloss(theta, model, x, y)`` has the derivatives of the loss, in the structure of theta.

    It may be ``grad(mseloss)``, or written by hand for the linear model.

    Parameters, result and errors are as for `check_linear_model`.

    Examples
    --------
    >>> from linear import mseloss
    >>> from minigrad import grad
    >>> check_dmseloss(grad(mseloss))
    Correct: dmseloss does what the exercise asks.
    >>> check_dmseloss(grad(mseloss, argnums=2), "zh").text.split("。")[0]
    '还不对：这是对 x 的梯度，不是对 theta 的梯度'
    """
    return _verdict(Answer(function, "dmseloss", ("theta", "model", "x", "y"), kind), language, examine_gradient)


def check_model_optimization_loop(function: Callable[..., Any], language: str = "en", *, kind: type = dict) -> Verdict:
    """Check a loop: ``model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000)`` returns (losses, theta).

    At every step it has to record the loss, and then move each parameter by -0.01 times its derivative. The theta of the
    caller has to stay as it is.

    Parameters, result and errors are as for `check_linear_model`.

    Examples
    --------
    >>> from linear import model_optimization_loop
    >>> check_model_optimization_loop(model_optimization_loop)
    Correct: model_optimization_loop does what the exercise asks.
    """
    answer = Answer(function, "model_optimization_loop", ("theta", "model", "loss_fn", "x", "y"), kind)
    return _verdict(answer, language, examine_loop)


# ---- How a check goes -----------------------------------------------------------------------------------------------

# Before a check says only this much, it tries whether the function is right if it is called in another way.
CALLS = {"model_called", "loss_called"}  # if the parameters have the right names, it is the call inside that is wrong
VAGUE = {"raises", "attribute_of_dict", "whole_dict", "value", "leaf_value", "update_wrong", "losses_wrong"} | CALLS


def _verdict(answer: Answer, language: str, examine: Callable[[Answer], None]) -> Verdict:
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


def _fault_of(answer: Answer, examine: Callable[[Answer], None]) -> Fault | None:
    """The first fault of an answer. If an error says little, see whether other arguments make the answer right."""
    try:
        _examine_call(answer)
        examine(answer)
        examine_changes(answer)
    except Fault as fault:
        if fault.key not in VAGUE or fault.key in CALLS and answer.has_the_names():
            return fault

        def is_right(**other: Any) -> bool:
            # A ValueError says that an array cannot hold a vector w and a number b.
            with np.errstate(all="ignore"), contextlib.suppress(Fault, ValueError):
                examine(Answer(**{**answer.__dict__, "quiet": True, **other}))
                return True
            return False

        _, *orders = itertools.permutations(range(len(answer.arguments)))
        for order in orders:
            if is_right(order=order):
                names = ", ".join(answer.arguments[i] for i in order)
                return Fault("other_order", order=f"({names})")
        for kind in KINDS:
            if kind is not answer.kind and is_right(kind=kind):
                advice = "dict" if answer.kind is dict else "other"
                advice = f"take_out_{'array' if kind is np.ndarray else advice}"
                return Fault("wrong_kind", line=fault.line, other=kind.__name__, advice=advice)
        return fault
    return None


def _examine_call(answer: Answer) -> None:
    """Can the answer be called with the arguments of the exercise?"""
    if answer.function is ...:
        raise Fault("dots")
    if not callable(answer.function):
        called = answer.exercise == "dmseloss" and answer.parts(answer.function) is not None
        check = f"check_{answer.exercise}"
        raise Fault("gradient_called" if called else "not_callable", got=describe(answer.function), check=check)
    signature = answer.signature()
    if signature is not None:
        keywords = {name: None for name in signature.parameters if name == "n_steps"}
        try:
            signature.bind(*answer.arguments, **keywords)
        except TypeError:
            raise Fault("arguments", takes=str(signature)) from None
