"""Contract A15: exceptions and warnings pass through, and whatever happens leaves nothing behind."""

import gc
import threading
import traceback
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, rows, same


class Own(Exception):
    pass


class OwnBase(BaseException):
    pass


def raising(error: Any) -> Any:
    def fun(*args, **kwargs):
        raise error

    return fun


def identity(m: Any) -> list:
    """The same object comes out, whatever it is and whichever function of the family it passes through."""
    found = []
    for error in (Own("z"), ValueError("v"), TypeError("t"), KeyError("k"), RecursionError(), OSError(2, "o"), Own):
        for run in (
            lambda f: m.grad(f)(1.0),
            lambda f: m.value_and_grad(f)(np.ones(2)),
            lambda f: m.grad(m.grad(f))(1.0),
            lambda f: m.vjp(f, 1.0),
            lambda f: m.jvp(f, (1.0,), (1.0,)),
            lambda f: m.linearize(f, 1.0),
            lambda f: m.jacrev(f)(1.0),
            lambda f: m.jacfwd(f)(1.0),
            lambda f: m.hessian(f)(1.0),
            lambda f: m.grad(m.checkpoint(f))(1.0),
        ):
            try:
                run(raising(error))
                found.append("nothing")
            except Exception as caught:
                found.append(caught is error or type(caught) is error)
    return found


def base_exceptions(m: Any) -> list:
    found = []
    for error in (OwnBase("b"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()):
        try:
            m.grad(raising(error))(1.0)
            found.append("nothing")
        except BaseException as caught:
            found.append(caught is error)
    return found


def causes(m: Any) -> list:
    """What a function raises in place of another error, from it or while it is handled, stays as it is."""
    found = []

    def from_it(x):
        try:
            {}["k"]
        except KeyError as error:
            raise ValueError("mine") from error

    def from_a_conversion(x):
        try:
            float(x)
        except TypeError as error:
            raise ValueError("mine") from error

    def meanwhile(x):
        try:
            {}["k"]
        except KeyError:
            raise ValueError("mine")

    for fun in (from_it, from_a_conversion, meanwhile):
        try:
            m.grad(fun)(1.0)
            found.append("nothing")
        except ValueError as caught:
            cause = caught.__cause__
            kinds = [kind.__name__ for kind in type(cause).__mro__ if kind.__module__ == "builtins"]
            found.append([str(caught), kinds[0], isinstance(caught.__context__, KeyError)])
        except Exception as caught:
            found.append("another error")
    return found


def handled_inside(m: Any) -> Any:
    def fun(x):
        try:
            y = float(x)
        except TypeError:
            y = 1.0
        return x * x * y

    return m.grad(fun)(3.0)


@rows(
    same("A15.1", lambda m: m.grad(raising(KeyError("boom")))(1.0), "'boom'"),
    same("A15.2", identity),
    same("A15.2 causes", causes),
    same("A15.2 notes and arguments", lambda m: m.grad(raising(ValueError("a", 3)))(1.0), "('a', 3)"),
    same("A15.3", lambda m: m.grad(lambda x: x * (1 / 0))(1.0), "division by zero"),
    same("A15.4", lambda m: m.grad(raising(StopIteration))(1.0)),
    same("A15.4 from next", lambda m: m.grad(lambda x: next(iter(())))(1.0)),
    same("A15.4 in a generator of gradients", lambda m: list(m.grad(lambda x: x**n)(2.0) for n in range(1, 4))),
    same("A15.5", base_exceptions),
    same("A15.7 an error handled in the function", handled_inside),
)
def test_exceptions_pass_through(row: Any) -> None:
    check(row)


def in_the_backward_pass(m: Any) -> list:
    error = Own("backwards")
    fun = m.custom_vjp(lambda x: x * x)
    fun.defvjp(lambda x: (x * x, x), raising(error))
    try:
        m.grad(lambda x: fun(x) + m.np.sin(x))(3.0)
    except Own as caught:
        return [caught is error, m.grad(lambda x: x * x)(3.0)]
    return []


@rows(same("A15.2 in the backward pass", in_the_backward_pass))
def test_exceptions_of_rules_pass_through(row: Any) -> None:
    check(row)


def test_the_traceback_leads_to_the_line() -> None:
    def culprit(x):
        return {}[0] * x  # this line

    try:
        minigrad.grad(lambda x: culprit(x * 2))(1.0)
    except KeyError as error:
        frames = traceback.extract_tb(error.__traceback__)
        assert frames[-1].name == "culprit" and "this line" in frames[-1].line
        assert len(frames) <= 6  # not drowned in frames of ours
    else:
        raise AssertionError("no error")


def after_errors(m: Any) -> list:
    found = []
    fine = lambda: m.grad(lambda x: x * m.grad(lambda y: x * y * y)(2.0))(3.0)  # noqa: E731
    for broken in (
        lambda: m.grad(raising(ValueError))(1.0),
        lambda: m.grad(lambda x: m.grad(raising(ValueError))(x))(1.0),
        lambda: m.grad(lambda x: (x, x))(1.0),
        lambda: m.grad(lambda x: x)(np.ones(3)),
        lambda: m.grad(lambda x: x, has_aux=True)(1.0),
        lambda: m.grad(lambda x: x)(3),
        lambda: m.grad(lambda x: x[5:, None, :])(np.ones(3)),
        lambda: m.vjp(lambda x: x * x, 1.0)[1](1.0, 2.0),
    ):
        try:
            broken()
            found.append("nothing")
        except Exception:
            found.append(fine())
    return found


def nested(m: Any) -> Any:
    def fun(x):
        try:
            m.grad(lambda y: 1 / 0)(x)
        except ZeroDivisionError:
            pass
        return x * x

    return m.grad(fun)(3.0)


def nested_halfway(m: Any) -> Any:
    """The inner call breaks off after it has used the outer value."""

    def fun(x):
        def inner(y):
            z = x * y * y
            raise Own(z)

        try:
            m.grad(inner)(x)
        except Own:
            pass
        return x * m.grad(lambda y: x * y * y)(x)

    return m.grad(fun)(3.0), m.grad(m.grad(fun))(3.0)


def tensor_in_the_exception(m: Any) -> Any:
    """A value of the outer call may travel in an exception; that of an inner one has escaped."""

    def fun(x):
        try:
            m.grad(lambda y: raising(Own(x * x))())(x)
        except Own as error:
            return error.args[0]

    return m.grad(fun)(3.0)


def escaped_in_an_exception(m: Any) -> Any:
    def fun(x):
        try:
            m.grad(lambda y: raising(Own(y * x))())(x)
        except Own as error:
            return error.args[0] * 2

    return m.grad(fun)(3.0)


def generator_left(m: Any) -> list:
    def fun(x):
        def terms():
            try:
                yield x * x
                yield x
            finally:
                left.append(1)

        return next(terms())

    left: list = []
    return [m.grad(fun)(3.0), m.grad(fun)(4.0)]


@rows(
    same("A15.6", after_errors),
    same("A15.7", nested),
    same("A15.7 halfway", nested_halfway),
    same("A15.7 a value in the exception", tensor_in_the_exception),
    same("A15.7 an escaped value in the exception", escaped_in_an_exception, "escape"),
    same("A15.6 a generator that is not exhausted", generator_left),
)
def test_nothing_is_left_behind(row: Any) -> None:
    check(row)


def test_the_argument_stays_writable() -> None:
    x = np.ones(3)
    for broken in (raising(ValueError), lambda x: x, lambda x: x.sum() > 0):
        with pytest.raises((ValueError, TypeError)):
            minigrad.grad(broken)(x)
        assert x.flags.writeable
        x[0] += 1.0
    assert x.tolist() == [4.0, 1.0, 1.0]


def test_an_array_that_was_read_only_stays_so() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    g = minigrad.grad(lambda x: (x * x).sum())(x)
    assert not x.flags.writeable and g.flags.writeable and g.tolist() == [2.0, 2.0, 2.0]


def test_no_memory_is_kept_when_a_call_ends() -> None:
    class Array(np.ndarray):
        pass

    def run(end: Any) -> list:
        kept = []

        def fun(x):
            y = np.ones(5).view(Array)
            kept.append(weakref.ref(y))
            return end((x * np.asarray(y)).sum())

        try:
            minigrad.grad(fun)(np.ones(5))
        except ZeroDivisionError:
            pass
        return kept

    gc.collect()
    gc.disable()
    try:
        refs = run(lambda s: s) + run(lambda s: 1 / 0)
        assert [ref() is None for ref in refs] == [True, True]
    finally:
        gc.enable()


def test_an_error_in_one_thread_does_not_disturb_another() -> None:
    found: list = [None] * 8

    def work(i: int) -> None:
        for _ in range(50):
            if i % 2:
                try:
                    minigrad.grad(lambda x: minigrad.grad(raising(Own))(x))(1.0)
                except Own:
                    found[i] = "raised"
            else:
                found[i] = minigrad.grad(lambda x: minigrad.grad(lambda y: x * y**2)(x))(float(i))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [0.0, "raised", 8.0, "raised", 16.0, "raised", 24.0, "raised"]


# ---- Warnings -------------------------------------------------------------------------------------------------------


def warned(m: Any) -> list:
    def fun(x):
        warnings.warn("hey")
        return x

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        g = m.grad(fun)(1.0)
    return [g, [(w.category.__name__, str(w.message), w.filename == __file__) for w in seen]]


def warnings_as_errors(m: Any) -> Any:
    def fun(x):
        warnings.warn("hey")
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return m.grad(fun)(1.0)


@rows(
    same("A15.8", warned),
    same("A15.8 as an error", warnings_as_errors, "hey"),
    same("A15.9", lambda m: m.grad(m.np.log)(-1.0)),
    same("A15.9 value", lambda m: m.value_and_grad(m.np.log)(-1.0)),
    same("A15.9 sqrt", lambda m: m.value_and_grad(m.np.sqrt)(np.float32(-4.0))),
    same("A15.10", lambda m: m.grad(lambda x: 1.0 / x)(0.0)),
    same("A15.10 an array", lambda m: m.grad(lambda x: (1.0 / x).sum())(np.array([0.0, 2.0, np.inf]))),
)
def test_warnings(row: Any) -> None:
    check(row)


def test_numpys_warnings_are_numpys() -> None:
    """A difference on purpose: where NumPy would warn, so does the function that is differentiated."""
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert minigrad.grad(lambda x: 1.0 / x)(0.0) == -np.inf
    with pytest.warns(RuntimeWarning, match="invalid value"):
        value, g = minigrad.value_and_grad(np.log)(-1.0)
    assert np.isnan(value) and g == -1.0


def test_errstate_governs_them() -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        assert minigrad.grad(lambda x: 1.0 / x)(0.0) == -np.inf
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        minigrad.grad(lambda x: 1.0 / x)(0.0)
    assert minigrad.grad(lambda x: 1.0 / x)(2.0) == -0.25


def test_errstate_is_left_as_it_was() -> None:
    before = np.geterr()
    minigrad.grad(lambda x: np.exp(x) / x)(1.0)
    with pytest.raises(Own):
        minigrad.grad(raising(Own))(1.0)
    assert np.geterr() == before


def test_silence_where_numpy_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert minigrad.grad(lambda x: np.sqrt(x) + x**0.5)(4.0) == 0.5
        assert minigrad.grad(lambda x: np.sum(np.abs(x) + np.maximum(x, 0)))(np.zeros(2)).tolist() == [1.5, 1.5]
        assert minigrad.grad(lambda x: x**2)(0.0) == 0.0
        assert minigrad.grad(lambda x: 1.0)(0.0) == 0.0
        assert minigrad.grad(lambda x: x**3 + x**1)(0.0) == 1.0
        assert minigrad.grad(np.prod)(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
