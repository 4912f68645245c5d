"""`item()` and `int()` give plain numbers. A result that depends on its argument only through them has a wrong derivative.

So a result that does not depend on the argument is an error if one of the two was called. `stop_gradient` is not one of
them: it says that no derivative is wanted.
"""

import re

import numpy as np
import pytest

from minigrad import (
    checkpoint,
    custom_vjp,
    defvjp,
    float0,
    grad,
    guards,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    primitive,
    stop_gradient,
    value_and_grad,
    vjp,
)
from minigrad.operands import TensorConversionError

from .support import cases, place

X = np.array([1.5, 2.5])


def by_item(w):
    return np.sum(w * w).item()  # here


def by_int(w):
    return 1.0 * int(np.sum(w * w))  # here


def by_format(w):
    return float(f"{np.sum(w * w).item():.3f}")  # here


def of_an_element(w):
    return w.item(1) ** 2  # here


def lost_twice(w):
    first = np.sum(w).item()  # here
    return first + int(w[0])


LOST = {f.__name__: f for f in (by_item, by_int, by_format, of_an_element, lost_twice)}
TRANSFORMS = {
    "grad": lambda f: grad(f)(X),
    "value_and_grad": lambda f: value_and_grad(f)(X),
    "has_aux": lambda f: grad(lambda w: (f(w), w), has_aux=True)(X),
    "vjp": lambda f: vjp(f, X),
    "linearize": lambda f: linearize(f, X),
    "jvp": lambda f: jvp(f, (X,), (X,)),
    "jacrev": lambda f: jacrev(f)(X),
    "jacfwd": lambda f: jacfwd(f)(X),
    "hessian": lambda f: hessian(f)(X),
    "hvp": lambda f: hvp(f, (X,), (X,)),
    "grad of grad": lambda f: grad(lambda w: grad(f)(w).sum())(X),
    "checkpoint": lambda f: grad(checkpoint(lambda w: f(w * 1.0)))(X),
}


@cases(TRANSFORMS)
@pytest.mark.parametrize("fun", LOST.values(), ids=LOST)
def test_a_result_that_lost_its_derivative_is_an_error_with_the_line(case, fun):
    with pytest.raises(TensorConversionError, match=re.escape(place(fun))) as caught:
        case(fun)
    message = str(caught.value)
    assert "stop_gradient" in message and ("int() was" if fun is by_int else "item() was") in message


@primitive
def scaled(x, factor):
    return x * factor


defvjp(scaled, x=lambda g, factor: g.item() * factor)


@cases({
    "a result of several": lambda: vjp(lambda w: (w * 2, by_item(w)), X),
    "a row of a Jacobian": lambda: jacrev(lambda w: {"a": w * 2, "b": by_item(w)})(X),
    "a column of a Jacobian": lambda: jacfwd(lambda w: [w.sum(), np.array(by_item(w))])(X),
    "an array": lambda: vjp(lambda w: np.array([w.item(0), 1.0]), X),
    "a NumPy number": lambda: grad(lambda w: np.float64(w.item(0)))(X),
    "a number that was not used": lambda: grad(lambda w: (w.item(0), 1.0)[1])(X),
    "what an outer call differentiates": lambda: grad(lambda x: grad(lambda y: x * y.item())(2.0))(3.0),
    "a factor, which an outer call differentiates": lambda: grad(lambda x: grad(lambda y: y * (x * y).item())(2.0))(3.0),
    "the result of an inner call": lambda: grad(lambda x: grad(lambda y: x * y * y)(2.0).item())(3.0),
    "a VJP of one's own": lambda: jvp(lambda x: scaled(x, 3.0), (2.0,), (1.0,)),
})
def test_so_is_a_part_of_a_result_and_a_result_of_nested_calls(case):
    with pytest.raises(TensorConversionError, match=r"item\(\) was called in .*test_plain_numbers"):
        case()


def logged(w):
    loss = np.sum(w[:1] ** 2 * 3.0) + w[1]
    assert loss.item() > 0.0 and int(loss) >= 0 and f"{loss:.2f}"
    return loss


@custom_vjp
def cut(x):
    return x.item() * 2.0


cut.defvjp(lambda x: (x.item() * 2.0, None), lambda _, g: (g * 10.0,))


@cases({
    "a number that is logged": (lambda: grad(logged)(X), np.array([9.0, 1.0])),
    "in second derivatives": (lambda: hessian(logged)(X), np.array([[6.0, 0.0], [0.0, 0.0]])),
    "of several arguments": (lambda: hvp(lambda a, b: logged(np.stack([a, b])), (1.5, 2.5), (1.0, 1.0))[0], 6.0),
    "a factor": (lambda: grad(lambda w: np.sum(w * w.item(0)))(X), np.array([1.5, 1.5])),
    "auxiliary data": (lambda: value_and_grad(lambda w: (w @ w, by_item(w)), has_aux=True)(X)[1], 2 * X),
    "an integer beside the result": (lambda: vjp(lambda w: (w @ w, int(w[0])), X)[1]((1.0, np.zeros((), float0)))[0], 2 * X),
    "a constant": (lambda: grad(lambda w: 3.0)(X), np.zeros(2)),
    "a constant, in spite of a comparison": (lambda: grad(lambda w: 3.0 if w[0] > 0 else w[1])(X), np.zeros(2)),
    "stop_gradient": (lambda: grad(lambda w: stop_gradient(w @ w))(X), np.zeros(2)),
    "item() of it": (lambda: grad(lambda w: stop_gradient(w @ w).item())(X), np.zeros(2)),
    "round, whose derivative is 0": (lambda: grad(lambda w: round(w[0], 1))(X), np.zeros(2)),
    "a whole number as an index": (lambda: grad(lambda w: w[int(w[0])] ** 2)(X), np.array([0.0, 5.0])),
    "a call before": (lambda: [grad(lambda w: w @ w * w.item(0))(X), grad(lambda w: 3.0)(X)][1], np.zeros(2)),
    "an inner call, which has no derivative": (lambda: grad(lambda x: x * grad(lambda y: y * y.item())(2.0))(3.0), 2.0),
    "another call": (lambda: grad(lambda x: [x.item(), grad(lambda y: 3.0)(2.0)][1] + x)(3.0), 1.0),
    "custom_vjp": (lambda: grad(cut)(np.float64(3.0)), 10.0),
})
def test_a_result_that_depends_on_the_argument_may_contain_such_numbers(case):
    call, expected = case
    np.testing.assert_array_equal(call(), expected)


def test_only_the_first_call_takes_the_time_to_find_its_line(monkeypatch):
    lines = []
    monkeypatch.setattr(guards, "user_line", lambda: lines.append(1) or "a line")
    grad(lambda x: [x.item() for _ in range(5)][0] * x)(2.0)
    assert len(lines) == 1


def test_the_error_of_float_says_what_item_loses():
    with pytest.raises(TensorConversionError, match=r"t.item\(\) for a plain number, which has no derivative"):
        grad(float)(1.0)
