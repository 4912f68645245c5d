"""argnames: arguments chosen by name, however they are passed; and the names that are refused."""

import functools

import numpy as np
import pytest

from minigrad import grad, jacrev, value_and_grad

from .support import cases


def weighted(x, y=3.0, *, k=5.0):
    return x * x * y * k


def only_positional(a, b=2.0, c=5.0, /):
    return a * b * c * c


def with_rest(x, *rest, scale=2.0, **named):
    return x * sum(rest) * scale * np.prod(np.stack(list(named.values())))


class Bowl:
    """A function as a method, as a class method, and as an object that can be called."""

    depth = 7.0

    def at(self, x, y=2.0):
        return self.depth * x * y * y

    @classmethod
    def of(cls, x, y=2.0):
        return cls.depth * x * y * y

    def __call__(self, x, y=2.0):
        return self.depth * x * y * y


def passing_on(fun):
    @functools.wraps(fun)
    def wrapper(*args, **kwargs):
        return fun(*args, **kwargs)

    return wrapper


def of(fun, names, *args, **kwargs):
    return lambda transform: transform(fun, argnames=names)(*args, **kwargs)


ARGNAMES = {
    "first, by position": (of(weighted, "x", 2.0), 60.0),
    "first, by keyword": (of(weighted, "x", x=2.0), 60.0),
    "second, by position": (of(weighted, "y", 2.0, 7.0), 20.0),
    "second, by keyword": (of(weighted, "y", 2.0, y=7.0), 20.0),
    "second, both by keyword": (of(weighted, "y", y=7.0, x=2.0), 20.0),
    "second, at its default": (of(weighted, "y", 2.0), 20.0),
    "keyword-only": (of(weighted, "k", 2.0, k=1.0), 12.0),
    "keyword-only, at its default": (of(weighted, "k", 2.0, 1.0), 4.0),
    "a tuple of one": (of(weighted, ("x",), 2.0), (60.0,)),
    "a list": (of(weighted, ["k", "x"], 2.0), (12.0, 60.0)),
    "all, in every way": (of(weighted, ("k", "y", "x"), 2.0, k=1.0), (12.0, 4.0, 12.0)),
    "the keys of a dict": (of(weighted, {"x": 0, "y": 1}, 2.0), (60.0, 20.0)),
    "an iterator": (lambda transform: transform(weighted, argnames=iter("yx"))(2.0), (20.0, 60.0)),
    "positional-only, given": (of(only_positional, "b", 3.0, 4.0), 75.0),
    "positional-only, at its default": (of(only_positional, "b", 3.0), 75.0),
    "positional-only, the last, at its default": (of(only_positional, "c", 3.0), 60.0),
    "positional-only, the last and the first": (of(only_positional, ("c", "a"), 3.0), (60.0, 50.0)),
    "with *args": (of(with_rest, "x", 2.0, 3.0, 4.0, u=1.0), 14.0),
    "with *args, keyword-only": (of(with_rest, "scale", 2.0, 3.0, 4.0, u=1.0), 14.0),
    "of **kwargs": (of(with_rest, "u", 2.0, 3.0, u=5.0, v=7.0), 84.0),
    "of **kwargs, two": (of(with_rest, ("v", "x", "u"), 2.0, 3.0, u=5.0, v=7.0), (60.0, 210.0, 84.0)),
    "a partial, what it holds": (of(functools.partial(weighted, y=7.0), "y", 2.0), 20.0),
    "a partial, what it holds, anew": (of(functools.partial(weighted, y=7.0), "x", 2.0, y=1.0), 20.0),
    "a partial, by position": (of(functools.partial(weighted, 2.0), "y", 7.0), 20.0),
    "a method": (of(Bowl().at, "x", 3.0), 28.0),
    "a method, at its default": (of(Bowl().at, "y", 3.0), 84.0),
    "a class method": (of(Bowl.of, "y", 3.0), 84.0),
    "an object": (of(Bowl(), "y", 3.0), 84.0),
    "a wrapped function": (of(passing_on(weighted), "y", 2.0), 20.0),
    "a wrapped function, positional-only": (of(passing_on(only_positional), "c", 3.0), 60.0),
    "a tree": (of(lambda *, p: p["a"] * p["b"][0] ** 2, "p", p={"b": [3.0], "a": 2.0}), {"a": 9.0, "b": [12.0]}),
    "a default that is a tree": (of(lambda x, p=(2.0, [3.0]): x * p[0] * p[1][0], "p", 5.0), (15.0, [10.0])),
    "a negative argnum is no name": (of(lambda **names: names["-1"] ** 2, "-1", **{"-1": 3.0}), 6.0),
}


@cases(ARGNAMES)
def test_argnames_select_an_argument_however_it_is_passed(case):
    call, expected = case
    assert call(grad) == expected
    value, gradient = call(value_and_grad)
    assert gradient == expected and type(value) in (float, np.float64)


def test_argnames_of_one_name_and_of_a_sequence_of_one_differ_as_argnums_do():
    assert grad(weighted, argnames="x")(2.0) == grad(weighted, argnums=0)(2.0) == 60.0
    assert grad(weighted, argnames=["x"])(2.0) == grad(weighted, argnums=[0])(2.0) == (60.0,)


def test_argnames_can_be_used_again_with_other_calls():
    g = grad(weighted, argnames=("y", "x"))
    for _ in range(2):
        assert g(2.0) == (20.0, 60.0)
        assert g(2.0, 7.0) == (20.0, 140.0)
        assert g(y=7.0, x=2.0, k=1.0) == (4.0, 28.0)


def test_argnames_with_aux():
    def loss(x, *, scale=2.0):
        return x * scale**2, {"x": x, "scale": [scale]}

    g, aux = grad(loss, has_aux=True, argnames="scale")(3.0)
    assert (g, aux) == (12.0, {"x": 3.0, "scale": [2.0]})
    (value, aux), g = value_and_grad(loss, has_aux=True, argnames=("scale", "x"))(3.0, scale=5.0)
    assert (value, aux, g) == (75.0, {"x": 3.0, "scale": [5.0]}, (30.0, 25.0))


def test_argnames_with_the_other_options():
    def f(x, *, z=1j, n=2):
        return (x * z) ** n

    assert grad(f, argnames="z", holomorphic=True)(2.0, z=3j) == pytest.approx(24j, rel=1e-15)
    g = grad(lambda x, n=3: x * n, argnames=("x", "n"), allow_int=True)(2.0)
    assert g[0] == 3.0 and g[1].dtype == np.dtype([("float0", "V")])
    assert grad(lambda x, mode="up": x * len(mode), argnames=["mode", "x"], allow_objects=True)(1.0) == (None, 2.0)


def test_argnames_in_nested_gradients():
    inner = grad(weighted, argnames="y")
    assert grad(inner, argnames="x")(2.0) == 20.0
    assert grad(grad(inner, argnames="x"), argnames="x")(2.0, k=1.0) == 2.0
    assert jacrev(grad(weighted, argnames=("y", "k")))(2.0) == (20.0, 12.0)


def test_a_default_is_neither_changed_nor_handed_out():
    default = np.array([1.0, 2.0])

    def f(x, w=default):
        return (x * w**2).sum()

    for _ in range(2):
        g = grad(f, argnames="w")(3.0)
        np.testing.assert_array_equal(g, [6.0, 12.0])
        g[:] = 99.0
    np.testing.assert_array_equal(default, [1.0, 2.0])


def test_the_caller_s_keywords_stay_as_they_were():
    given = {"x": 2.0, "y": np.array(7.0)}
    before = dict(given)
    assert grad(weighted, argnames=("x", "y", "k"))(**given) == (140.0, 20.0, 28.0)
    assert given.keys() == before.keys() and all(given[name] is before[name] for name in before)


@cases({
    "no such name": (lambda: grad(weighted, argnames="z"), TypeError, "weighted has no argument 'z', only x, y, k"),
    "one of them": (lambda: grad(weighted, argnames=("x", "z")), TypeError, "no argument 'z'"),
    "of a function without any": (lambda: grad(lambda *args: args[0], argnames="args"), TypeError, "'args'.*only none"),
    "*args": (lambda: grad(lambda x, *more: x, argnames="more"), TypeError, "no argument 'more', only x"),
    "**kwargs": (lambda: grad(lambda x, **more: x, argnames="more")(2.0), TypeError, "'more', which was not passed"),
    "a number": (lambda: grad(weighted, argnames=0), TypeError, "argnames must be"),
    "numbers": (lambda: grad(weighted, argnames=(0, 1)), TypeError, "argnames must be"),
    "bytes": (lambda: grad(weighted, argnames=b"x"), TypeError, "argnames must be"),
    "one twice": (lambda: grad(weighted, argnames=("x", "y", "x")), ValueError, "argument twice"),
    "none": (lambda: grad(weighted, argnames=())(2.0), ValueError, "argnames is empty"),
    "with argnums": (lambda: grad(weighted, 1, argnames="x"), ValueError, "argnums or argnames, not both"),
    "not passed": (lambda: grad(weighted, argnames="x")(y=2.0), TypeError, "'x', which was not passed"),
    "one not passed": (lambda: grad(weighted, argnames=("y", "x"))(k=2.0), TypeError, "'x', which was not passed"),
    "a keyword not passed": (lambda: grad(with_rest, argnames="u")(2.0, v=1.0), TypeError, "'u', which was not passed"),
    "positional-only, by keyword": (
        lambda: grad(lambda x, /, **more: x * 2.0, argnames="x")(x=3.0), TypeError, "which was not passed|positional.only"),
    "given twice": (lambda: grad(weighted, argnames="x")(2.0, x=3.0), TypeError, "multiple values"),
    "an unknown keyword": (lambda: grad(weighted, argnames="x")(2.0, q=3.0), TypeError, "unexpected keyword"),
    "an integer": (lambda: grad(weighted, argnames="k")(2.0, k=3), TypeError, "k is 3"),
    "an integer default": (lambda: grad(lambda x, n=3: x * n, argnames="n")(2.0), TypeError, "n is 3"),
    "in a tree": (lambda: grad(weighted, argnames=("y", "k"))(2.0, k={"a": "s"}), TypeError, r"k\['a'\] is 's'"),
    "a default of None": (lambda: grad(lambda x, y=None: x, argnames=["y", "x"])(3), TypeError, "x is 3"),
})
def test_argnames_that_cannot_be(case):
    call, error, message = case
    with pytest.raises(error, match=message):
        call()
