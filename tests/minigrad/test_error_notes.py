"""Errors in the backward pass that get a note with a line: from rules, from NumPy, and from custom functions.

The note names the user's line also inside of checkpoints and of inner gradients, and each line comes once.
"""

import _thread
import sys
import time
import traceback
import weakref

import numpy as np
import pytest

from minigrad import checkpoint, custom_vjp, defvjp, grad, hessian, hvp, jacrev, jvp, primitive, value_and_grad, vjp

from .support import cases, note, notes, place

# ---- Rules, and NumPy's errors --------------------------------------------------------------------------------------


@primitive
def raising(x):
    return x + 0.0


@primitive
def wrong_shape(x):
    return x + 0.0


@primitive
def not_a_number(x):
    return x + 0.0


@primitive
def dividing(x):
    return x + 0.0


def rule(g):
    raise LookupError("this rule does not work")


defvjp(raising, x=rule)
defvjp(wrong_shape, x=lambda g: np.ones(7))
defvjp(not_a_number, x=lambda g: "text")
defvjp(dividing, x=lambda g: 1 // 0)
RULES = {
    "raises": (raising, LookupError, "this rule does not work"),
    "wrong shape": (wrong_shape, ValueError, r"cotangent of shape \(7,\)"),
    "no number": (not_a_number, TypeError, "'text'"),
    "divides by zero": (dividing, ZeroDivisionError, "zero"),
}


@cases(RULES)
def test_the_note_of_a_rule_that_fails(case):
    function, error, message = case

    def loss(x):
        y = np.sin(x)
        z = function(y)  # here
        return (z * 2.0).sum()

    x = np.ones(2)
    for call in (
        lambda: grad(loss)(x),
        lambda: value_and_grad(loss)(x),
        lambda: vjp(loss, x)[1](np.float64(1)),
        lambda: jacrev(loss)(x),
        lambda: grad(lambda x: grad(loss)(x).sum())(x),
    ):
        with pytest.raises(error, match=message) as caught:
            call()
        assert caught.value.__notes__ == note(place(loss))


def half_power(x):
    return (x**0.5).sum()  # here


def root(x):
    y = np.sqrt(x)  # here
    return y.sum()


def reciprocal(x):
    y = x * 1.0
    return np.divide(1, y).sum()  # here


def reciprocal_by_operator(x):
    return (1 / x).sum()  # here


def log(x):
    return np.log(x).sum()  # here


def norm(x):
    return np.sqrt(np.sum(x * x))  # here


def spread(x):
    return x.std()  # here


def too_large(x):
    return (x * 1e200).sum()  # here


def summed(x):
    y = x[0] + np.zeros(4)  # here
    return y.sum()


def squares(x):
    y = np.exp(x)
    return (y**2).mean()  # here


@cases({
    "x ** 0.5": (half_power, np.zeros(2), 1.0, "divide"),
    "sqrt": (root, np.zeros(2), 1.0, "divide"),
    "1 / x, as a ufunc": (reciprocal, np.full(2, 1e-200), 1.0, "overflow"),
    "1 / x": (reciprocal_by_operator, np.full(2, 1e-200), 1.0, "overflow"),
    "log": (log, np.zeros(2), 1.0, "divide"),
    "norm": (norm, np.zeros(2), 1.0, "divide"),
    "std": (spread, np.ones(2), 1.0, "divide|invalid"),
    "overflow": (too_large, np.ones(2), 1e200, "overflow"),
    "overflow of a sum": (summed, np.ones(2), 1e308, "overflow"),
    "overflow of what is multiplied late": (squares, np.full(2, 300.0), 1e200, "overflow"),
})
def test_the_note_of_an_error_that_numpy_raises(case):
    fun, x, g, message = case
    with np.errstate(all="ignore"):
        _, vjp_fun = vjp(fun, x)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match=message) as caught:
        vjp_fun(np.float64(g))
    assert caught.value.__notes__ == note(place(fun))


@cases({
    "x ** 0.5": (half_power, np.zeros(2)),
    "sqrt": (root, np.zeros(2)),
    "norm": (norm, np.zeros(2)),
})
def test_the_note_where_only_the_derivative_is_infinite(case):
    fun, x = case
    with np.errstate(all="raise"):
        for transform in (grad, value_and_grad, jacrev):
            assert notes(transform(fun), x, error=FloatingPointError) == note(place(fun))
        assert notes(grad(fun), x.astype(np.float32), error=FloatingPointError) == note(place(fun))
    with np.errstate(all="ignore"):
        assert not np.isfinite(grad(fun)(x)).any()


# ---- When the line is looked for ------------------------------------------------------------------------------------


def test_lines_are_looked_for_only_after_an_error():
    """The function runs once where all goes well, and once more where the backward pass fails."""
    runs = []

    def f(x):
        runs.append(1)
        return np.sum(np.sqrt(x * x))  # here

    with np.errstate(all="raise"):
        grad(f)(np.ones(2))
        assert len(runs) == 1
        assert notes(grad(f), np.zeros(2)) == note(place(f))
        assert len(runs) == 3
        assert notes(grad(lambda x: grad(f)(x).sum()), np.zeros(2)) == note(place(f))
        assert len(runs) == 5
        with pytest.raises(IndexError) as caught:
            grad(lambda x: [f(x)][1])(np.ones(2))
        assert len(runs) == 6 and not hasattr(caught.value, "__notes__")
        assert notes(lambda x: vjp(f, x)[1](np.float64(1)), np.zeros(2)) == note(place(f))
        assert len(runs) == 8


def test_a_function_that_does_not_fail_again_has_no_line():
    """The first error is raised, and nothing else."""
    for start in (iter([0.0]), iter([0.0, 1.0])):  # the second run finds nothing, or something else

        def f(x):
            return np.sum(np.sqrt(x * next(start)))

        with np.errstate(all="raise"), pytest.raises(FloatingPointError) as caught:
            grad(f)(np.ones(2))
        assert not hasattr(caught.value, "__notes__") and vars(caught.value) == {}
        assert caught.value.__context__ is None and caught.value.__cause__ is None


def test_the_notes_of_an_error_are_not_doubled():
    noted = primitive(lambda x: x + 0.0)

    def refuse(g):
        error = LookupError("no derivative")
        error.add_note("my own")
        raise error

    defvjp(noted, x=refuse)

    def f(x):
        return noted(x * 2.0)  # here

    assert notes(grad(f), 1.0) == ["my own", *note(place(f))]


# ---- Checkpoints, custom_vjp and inner gradients --------------------------------------------------------------------


def in_a_checkpoint(x):
    return raising(np.sin(x))  # here


def outside_of_it(x):
    y = checkpoint(in_a_checkpoint)(x * 2.0)  # here
    return y.sum()


def outside_of_that(x):
    y = checkpoint(outside_of_it)(x * 2.0)  # here
    return y * 2.0


def test_the_notes_of_a_checkpoint_name_the_operation_and_the_call():
    x = np.ones(2)
    assert notes(grad(outside_of_it), x) == note(place(in_a_checkpoint), place(outside_of_it))
    assert notes(grad(outside_of_that), x) == note(
        place(in_a_checkpoint), place(outside_of_it), place(outside_of_that))


def failing_on_the_way_back(mistake):
    f = custom_vjp(lambda x: x * 2.0)

    def bwd(r, g):
        if mistake == "raises":
            raise LookupError("no derivative")
        return {"shape": (np.ones(7),), "no tuple": np.ones(2), "too many": (g, g), "structure": ({"x": g},)}[mistake]

    f.defvjp(lambda x: (x * 2.0, None), bwd)
    return f


@pytest.mark.parametrize("mistake", ["raises", "shape", "no tuple", "too many", "structure"])
def test_the_note_of_custom_vjp_names_the_call(mistake):
    f = failing_on_the_way_back(mistake)

    def loss(x):
        y = x * 2.0
        z = f(y)  # here
        return z.sum()

    error = {"raises": LookupError, "shape": ValueError, "structure": ValueError}.get(mistake, TypeError)
    assert notes(grad(loss), np.ones(2), error=error) == note(place(loss))


def test_the_note_of_custom_vjp_as_a_method():
    class Layer:
        @custom_vjp
        def scale(self, x):
            return x * 2.0

        scale.defvjp(lambda self, x: (x * 2.0, None), lambda r, g: {}["no derivative"])

        def __call__(self, x):
            return self.scale(x).sum()  # here

    assert notes(grad(Layer()), np.ones(2), error=KeyError) == note(place(Layer.__call__))


def steep(x):
    """At 0, the derivative is finite, and the second is not."""
    return (x**1.5).sum()


def inner_gradient(x):
    return grad(steep)(x).sum()  # here


def inner_value_and_gradient(x):
    value, gradient = value_and_grad(steep)(x)  # here
    return gradient.sum()


def inner_pullback(x):
    _, vjp_fun = vjp(steep, x)
    (gradient,) = vjp_fun(np.float64(1.0))  # here
    return gradient.sum()


@cases({fun.__name__: fun for fun in (inner_gradient, inner_value_and_gradient, inner_pullback)})
def test_the_note_of_an_operation_of_a_rule_names_the_call_of_the_inner_gradient(case):
    with np.errstate(all="raise"):
        assert notes(grad(case), np.zeros(2), error=FloatingPointError) == note(place(case))


def test_the_notes_of_second_derivatives_name_no_file_of_minigrad():
    def product():
        return hvp(steep, (np.zeros(2),), (np.ones(2),))

    def matrix():
        return hessian(steep)(np.zeros(2))

    def slope():
        return jvp(grad(steep), (np.zeros(2),), (np.ones(2),))

    with np.errstate(all="raise"):
        for call in (product, matrix, slope):
            found = notes(call, error=FloatingPointError)
            assert found and all(f"recorded in {__file__}, line " in each for each in found)


# ---- Which errors get no note, and what Python prints ---------------------------------------------------------------


def test_a_gradient_may_be_the_outermost_call_of_a_thread(monkeypatch):
    """No function of the user's is there to be named: neither above minigrad's own, nor below."""
    errors = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: errors.append(repr(info.exc_value)))
    for fun in (np.sin, np.negative, np.sum):
        gradient = grad(fun)
        running = weakref.ref(gradient)
        _thread.start_new_thread(gradient, (1.0,))
        del gradient  # the thread has the last reference, and gives it up when it ends
        end = time.monotonic() + 60
        while running() is not None and time.monotonic() < end:
            time.sleep(0.001)
        assert running() is None and errors == []


def test_an_error_of_the_function_gets_no_note():
    for call in (
        lambda: grad(lambda x: x.sum() * (1 // 0))(np.ones(2)),
        lambda: vjp(lambda x: x * (1 // 0), np.ones(2)),
        lambda: grad(checkpoint(lambda x: x * (1 // 0)))(1.0),
    ):
        assert notes(call, error=ZeroDivisionError) == []
    assert notes(vjp(np.sin, 1.0)[1], np.ones(2), error=ValueError) == []


def test_the_note_is_part_of_what_python_prints():
    try:
        grad(in_a_checkpoint)(1.0)
    except LookupError as error:
        text = "".join(traceback.format_exception(error))
    assert "this rule does not work\n" + note(place(in_a_checkpoint))[0] in text


def test_the_same_error_raised_again_has_each_place_once():
    """An error object that a rule keeps, and raises every time."""
    error = LookupError("always the same")

    @primitive
    def stubborn(x):
        return x + 0.0

    def vjp_of_stubborn(g):
        raise error

    defvjp(stubborn, x=vjp_of_stubborn)

    def loss(x):
        return stubborn(x).sum()  # here

    assert notes(grad(loss), np.ones(2)) == note(place(loss))
