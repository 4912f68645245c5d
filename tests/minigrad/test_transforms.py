"""The transforms beyond JAX's: argnames, allow_objects and hvp; what they cost, what they leave behind, and the notes
that errors in the backward pass get.

Where JAX can compute the same, it says what is right; else the derivative is written out. Cost is shown by counting
calls and by traced memory, and what is left behind by the garbage collector, which is off meanwhile.
"""

import _thread
import functools
import gc
import inspect
import sys
import threading
import time
import traceback
import tracemalloc
import weakref
from dataclasses import dataclass, field
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minigrad
from minigrad import (
    checkpoint,
    custom_vjp,
    defvjp,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    primitive,
    tree,
    value_and_grad,
    vjp,
)

from .support import assert_alike, assert_close, cases


FAMILY = "checkpoint custom_vjp grad hessian jacfwd jacrev jvp vjp".split()
OURS = SimpleNamespace(np=np, **{name: globals()[name] for name in FAMILY})
THEIRS = SimpleNamespace(np=jnp, **{name: getattr(jax, name) for name in FAMILY})


class Counted:
    """A function that counts its calls."""

    def __init__(self, fun):
        self.fun = fun
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.fun(*args, **kwargs)


# ---- argnames -------------------------------------------------------------------------------------------------------


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
        lambda: grad(lambda x, /, **more: x * 2.0, argnames="x")(x=3.0), TypeError, "'x', which was not passed"),
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


# ---- allow_objects --------------------------------------------------------------------------------------------------


class Opaque:
    pass


OPAQUE = Opaque()
OBJECTS = {
    "text": "text",
    "bytes": b"bytes",
    "function": len,
    "lambda": lambda x: x,
    "type": float,
    "object": OPAQUE,
    "set": {1.0},
    "array of text": np.array(["a", "b"]),
    "array of objects": np.array([None, 1.0], dtype=object),
    "date": np.datetime64("2020-01-01"),
    "ellipsis": ...,
}


@cases(OBJECTS)
def test_objects_reach_the_function_unchanged_and_come_back_as_none(case):
    seen = []

    def loss(p):
        seen.append(p["object"][0])
        return p["w"] ** 2

    p = {"w": 3.0, "object": [case, None]}
    assert grad(loss, allow_objects=True)(p) == {"w": 6.0, "object": [None, None]}
    assert value_and_grad(loss, allow_objects=True)(p) == (9.0, {"w": 6.0, "object": [None, None]})
    assert grad(lambda p: grad(loss, allow_objects=True)(p)["w"], allow_objects=True)(p)["w"] == 2.0
    assert len(seen) == 3 and all(one is case for one in seen)
    assert p["object"][0] is case


@cases(OBJECTS)
def test_objects_are_refused_by_default(case):
    def loss(p):
        raise AssertionError("it was called")

    for transform in (grad, value_and_grad, functools.partial(grad, allow_int=True), jacrev, jacfwd, hessian):
        with pytest.raises(TypeError, match=r"p\['object'\]\[0\] is .*cannot be differentiated"):
            transform(loss)({"w": 3.0, "object": [case]})
    for call in (lambda p: vjp(loss, p), lambda p: linearize(loss, p), lambda p: hvp(loss, (p,), (p,))):
        with pytest.raises(TypeError, match=r"p\['object'\]\[0\] is .*cannot be differentiated"):
            call({"w": 3.0, "object": [case]})


def test_objects_that_the_function_uses():
    def loss(layer, x):
        return layer["activation"](layer["w"] * x).sum() * len(layer["name"]) + (0.0 if layer["bias"] is None else 1.0)

    layer = {"w": np.array([0.5, 1.5]), "name": "abc", "activation": np.tanh, "bias": None}
    gradient = grad(loss, allow_objects=True)(layer, 2.0)
    np.testing.assert_allclose(gradient.pop("w"), 6.0 / np.cosh(2.0 * layer["w"]) ** 2, rtol=1e-14)
    assert gradient == {"name": None, "activation": None, "bias": None}


def test_objects_with_the_other_options():
    def loss(mode, p, n=3):
        return p["w"] * n * len(mode), (mode, p, n)

    options = dict(has_aux=True, allow_objects=True)
    g, aux = grad(loss, (0, 1), **options)("ab", {"w": 2.0, "f": len})
    assert g == (None, {"w": 6.0, "f": None}) and aux == ("ab", {"w": 2.0, "f": len}, 3)
    g, _ = grad(loss, **options)("ab", {"w": 2.0})
    assert g is None
    g, _ = grad(loss, argnames=("p", "mode"), **options)(p={"w": 2.0}, mode="abc")
    assert g == ({"w": 9.0}, None)
    g, _ = grad(loss, argnames=("n", "mode"), allow_int=True, **options)("ab", {"w": 2.0})
    assert g[1] is None and g[0].dtype == np.dtype([("float0", "V")]) and g[0].shape == ()
    with pytest.raises(TypeError, match="n is 3"):  # a number is no object
        grad(loss, argnames="n", **options)("ab", {"w": 2.0})
    with pytest.raises(TypeError, match=r"p\['w'\] is True"):
        grad(loss, 1, **options)("ab", {"w": True})


def test_objects_in_registered_types():
    @tree.register_dataclass
    @dataclass
    class Layer:
        w: object
        activation: object
        name: str = field(default="layer", metadata={"static": True})

    gradient = grad(lambda p: p[0].activation(p[0].w).sum(), allow_objects=True)([Layer(np.zeros(2), np.sin)])
    assert type(gradient[0]) is Layer and gradient[0].activation is None and gradient[0].name == "layer"
    np.testing.assert_array_equal(gradient[0].w, [1.0, 1.0])


def test_objects_cannot_be_returned_in_place_of_a_number():
    for result in ("text", len, None, {"w": 1.0}):
        with pytest.raises(TypeError):
            grad(lambda p: result, allow_objects=True)({"w": 1.0, "name": "text"})


# ---- hvp ------------------------------------------------------------------------------------------------------------

MATRIX = np.array([[2.0, 0.5, -1.0], [0.5, 3.0, 0.25], [-1.0, 0.25, 4.0]])
VECTOR, DIRECTION = np.array([0.3, -0.7, 1.1]), np.array([1.0, 10.0, -3.0])
PARAMS = {"w": np.array([[0.5, -0.25, 0.75], [1.5, 0.1, -0.3]]), "b": [np.array([0.1, 0.2]), 0.3]}
STEP = {"w": np.array([[1.0, 0.5, -2.0], [0.25, 3.0, 1.0]]), "b": [np.array([-1.0, 2.0]), 0.5]}


def rosenbrock(m, x):
    return m.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def perceptron(m, p):
    return m.sum(m.tanh(p["w"] @ VECTOR + p["b"][0]) ** 2) * m.exp(p["b"][1])


HVP = {
    "a number": (lambda m, x: m.sin(x) * x**3, (0.7,), (2.0,)),
    "squares": (lambda m, x: m.sum(x**2), (VECTOR,), (DIRECTION,)),
    "cubes": (lambda m, x: m.sum(x**3), (VECTOR,), (DIRECTION,)),
    "a quadratic form": (lambda m, x: x @ MATRIX @ x / 2, (VECTOR,), (DIRECTION,)),
    "linear": (lambda m, x: m.sum(x * VECTOR), (VECTOR,), (DIRECTION,)),
    "constant": (lambda m, x: 3.0 * m.sum(VECTOR), (VECTOR,), (DIRECTION,)),
    "rosenbrock": (rosenbrock, (VECTOR,), (DIRECTION,)),
    "log of a sum of exponentials": (lambda m, x: m.log(m.sum(m.exp(MATRIX @ x))), (VECTOR,), (DIRECTION,)),
    "variance": (lambda m, x: m.var(x) * m.max(x), (VECTOR,), (DIRECTION,)),
    "products": (lambda m, x: m.prod(x), (VECTOR,), (DIRECTION,)),
    "a matrix": (lambda m, a: m.sum((a @ a) ** 2), (MATRIX,), (MATRIX[::-1].copy(),)),
    "float32": (lambda m, x: m.sum(x**3), (VECTOR.astype(np.float32),), (DIRECTION.astype(np.float32),)),
    "a 0-d array": (lambda m, x: m.exp(2.0 * x), (np.array(0.5),), (np.array(3.0),)),
    "a tree": (perceptron, (PARAMS,), (STEP,)),
    "two arguments": (lambda m, x, y: x**2 * y**3, (2.0, 3.0), (0.5, 0.25)),
    "two, one unused": (lambda m, x, y: m.sum(x**3), (VECTOR, 3.0), (DIRECTION, 0.25)),
    "three, with a tree": (
        lambda m, x, p, y: perceptron(m, p) * m.sum(x**2) * y, (VECTOR, PARAMS, 2.0), (DIRECTION, STEP, 0.5)),
}


@cases(HVP)
def test_hvp_is_jvp_of_grad_in_jax(case):
    fun, primals, tangents = case
    ours = hvp(functools.partial(fun, np), primals, tangents)
    gradient = jax.grad(functools.partial(fun, jnp), tuple(range(len(primals))))
    theirs = jax.jvp(gradient, primals, tangents)[1]
    narrow = getattr(primals[0], "dtype", None) == np.float32
    one = len(primals) == 1
    assert jax.tree.structure(ours) == jax.tree.structure(theirs[0] if one else theirs)
    assert_alike(ours, primals[0] if one else primals)
    assert_close(ours, theirs[0] if one else theirs, 1e-6 if narrow else 1e-12)
    again = jvp(grad(functools.partial(fun, np), tuple(range(len(primals)))), primals, tangents)[1]
    assert_close(ours, again[0] if one else again, 1e-6 if narrow else 1e-12)
    assert_close(hvp(functools.partial(fun, np), list(primals), list(tangents)), ours, 1e-15)


def test_hvp_is_the_hessian_times_the_vector():
    def fun(x):
        return rosenbrock(np, x)

    def form(x):
        return x @ MATRIX @ x / 2

    expected = hessian(fun)(VECTOR) @ DIRECTION
    np.testing.assert_allclose(hvp(fun, (VECTOR,), (DIRECTION,)), expected, rtol=1e-13)
    np.testing.assert_allclose(hvp(form, (VECTOR,), (DIRECTION,)), MATRIX @ DIRECTION, rtol=1e-14)


def test_hvp_calls_the_function_once_and_needs_no_hessian():
    n = 100_000
    x, v = np.linspace(0.1, 1.0, n), np.linspace(-1.0, 1.0, n)
    fun = Counted(lambda x: np.sum(x**3) / 3 + np.sum(x) ** 2 / 2)
    np.testing.assert_allclose(hvp(fun, (x,), (v,)), 2 * x * v + v.sum(), rtol=1e-12, atol=1e-12)
    assert fun.calls == 1


def test_hvp_under_other_transforms():
    def fun(c, x):
        return c * rosenbrock(np, x)

    def product(c, x, v):
        return hvp(lambda x: fun(c, x), (x,), (v,))

    def in_jax(c, x, v):
        return jax.jvp(jax.grad(lambda x: c * rosenbrock(jnp, x)), (x,), (v,))[1]

    ours = grad(lambda *args: np.sum(product(*args) ** 2), (0, 1, 2))(2.0, VECTOR, DIRECTION)
    theirs = jax.grad(lambda *args: jnp.sum(in_jax(*args) ** 2), (0, 1, 2))(2.0, VECTOR, DIRECTION)
    assert_close(ours, theirs, 1e-12)
    h = jacrev(lambda v: product(2.0, VECTOR, v))(DIRECTION)
    np.testing.assert_allclose(h, hessian(lambda x: fun(2.0, x))(VECTOR), rtol=1e-13, atol=1e-12)
    third = jax.jacfwd(in_jax, 1)(2.0, VECTOR, DIRECTION)
    np.testing.assert_allclose(jacfwd(product, 1)(2.0, VECTOR, DIRECTION), third, rtol=1e-12, atol=1e-10)


def cubes(x):
    return np.sum(x**3)


@cases({
    "no function": (lambda: hvp(3, (1.0,), (1.0,)), TypeError, "callable"),
    "primals without a tuple": (lambda: hvp(cubes, 1.0, (1.0,)), TypeError, "tuples or lists"),
    "tangents without a tuple": (lambda: hvp(cubes, (1.0,), 1.0), TypeError, "tuples or lists"),
    "arrays in place of tuples": (lambda: hvp(cubes, VECTOR, DIRECTION), TypeError, "tuples or lists"),
    "too few tangents": (lambda: hvp(lambda x, y: x * y, (1.0, 2.0), (1.0,)), TypeError, "same length"),
    "too many tangents": (lambda: hvp(cubes, (1.0,), (1.0, 2.0)), TypeError, "same length"),
    "no arguments": (lambda: hvp(lambda: 1.0, (), ()), ValueError, "empty"),
    "a complex argument": (lambda: hvp(lambda z: (z * z).real, (1j,), (1j,)), TypeError, "real-valued inputs"),
    "a complex one in a tree": (
        lambda: hvp(lambda p: p["a"], ({"a": 1.0, "z": VECTOR + 0j},), ({"a": 1.0, "z": VECTOR + 0j},)),
        TypeError, "real-valued inputs"),
    "an integer": (lambda: hvp(cubes, (3,), (1.0,)), TypeError, "x is 3"),
    "a text": (lambda: hvp(cubes, ("text",), (1.0,)), TypeError, "x is 'text'"),
    "a complex result": (lambda: hvp(lambda x: x * 1j, (1.0,), (1.0,)), TypeError, "real-valued outputs"),
    "an array as the result": (lambda: hvp(lambda x: x, (VECTOR,), (VECTOR,)), TypeError, r"Output had shape: \(3,\)"),
    "an integer result": (lambda: hvp(lambda x: 3, (1.0,), (1.0,)), TypeError, "real-valued outputs"),
    "a wrong shape": (lambda: hvp(cubes, (VECTOR,), (np.ones(2),)), ValueError, r"float64\[2\].*float64\[3\]"),
    "a number for an array": (lambda: hvp(cubes, (VECTOR,), (1.0,)), ValueError, r"float64\[\].*float64\[3\]"),
    "a wrong dtype": (lambda: hvp(cubes, (VECTOR,), (VECTOR.astype(np.float32),)), ValueError, "float32.*float64"),
    "integers for floats": (lambda: hvp(cubes, (VECTOR,), (np.arange(3),)), ValueError, "int64.*float64"),
    "complex for real": (lambda: hvp(cubes, (VECTOR,), (VECTOR + 0j,)), ValueError, "complex128.*float64"),
    "another structure": (
        lambda: hvp(lambda p: p["a"], ({"a": 1.0},), ({"b": 1.0},)), ValueError, "structure"),
    "a list for an array": (lambda: hvp(cubes, (VECTOR,), ([1.0, 2.0, 3.0],)), ValueError, "structure"),
    "a text as a tangent": (lambda: hvp(cubes, (1.0,), ("text",)), TypeError, "'text'"),
    "None as a tangent": (lambda: hvp(cubes, (1.0,), (None,)), ValueError, "structure"),
})
def test_what_hvp_refuses(case):
    call, error, message = case
    with pytest.raises(error, match=message):
        call()


def test_the_place_of_a_wrong_tangent_of_hvp_is_named():
    with pytest.raises(ValueError, match=r"\[1\]\['w'\]"):
        hvp(lambda x, p: x * cubes(p["w"]), (1.0, {"w": VECTOR}), (1.0, {"w": np.ones(2)}))


# ---- What they cost -------------------------------------------------------------------------------------------------


def test_jacrev_of_many_outputs_calls_the_function_once():
    t = np.linspace(0.0, 3.0, 1000)
    fun = Counted(lambda p: p[0] * np.sin(p[1] * t) + np.exp(-p[2] * t))
    p = np.array([1.5, 2.0, 0.5])
    expected = np.stack([np.sin(2.0 * t), 1.5 * t * np.cos(2.0 * t), -t * np.exp(-0.5 * t)], axis=1)
    found = jacrev(fun)(p)
    assert fun.calls == 1 and found.shape == (1000, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_jacfwd_of_many_arguments_calls_the_function_once():
    x = np.linspace(0.1, 2.0, 1000)
    fun = Counted(lambda x: np.stack([np.sum(x**2), np.sum(np.sin(x)), x[0] * x[-1]]))
    corner = np.zeros(1000)
    corner[[0, -1]] = x[[-1, 0]]
    found = jacfwd(fun)(x)
    assert fun.calls == 1 and found.shape == (3, 1000)
    np.testing.assert_allclose(found, np.stack([2 * x, np.cos(x), corner]), rtol=1e-13, atol=1e-13)


def test_the_jacobian_of_every_element_of_a_wide_elementwise_function():
    x = np.linspace(0.1, 2.0, 300)
    for transform in (jacrev, jacfwd, jacobian):
        fun = Counted(lambda x: np.exp(x) * x)
        np.testing.assert_allclose(transform(fun)(x), np.diag(np.exp(x) * (1 + x)), rtol=1e-13, atol=0)
        assert fun.calls == 1


def test_a_hessian_of_200_parameters():
    n = 200
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(50, n)) / np.sqrt(n), rng.normal(size=n)

    def loss(x):
        return np.log(np.sum(np.exp(w @ x))) + np.sum(x**4) / 12

    p = np.exp(w @ x) / np.sum(np.exp(w @ x))
    expected = w.T @ (np.diag(p) - np.outer(p, p)) @ w + np.diag(x**2)
    fun = Counted(loss)
    found = hessian(fun)(x)
    assert fun.calls == 1 and found.shape == (n, n)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found, found.T, rtol=1e-11, atol=1e-14)


X, ROW = np.array([0.5, 1.5]), np.array([1.0, 10.0])


@cases({
    "vjp": lambda f: vjp(f, X)[1](ROW),
    "vjp, five times": lambda f: [vjp_fun(ROW) for vjp_fun in [vjp(f, X)[1]] * 5],
    "linearize": lambda f: linearize(f, X)[1](ROW),
    "linearize, five times": lambda f: [jvp_fun(ROW) for jvp_fun in [linearize(f, X)[1]] * 5],
    "jvp": lambda f: jvp(f, (X,), (ROW,)),
    "jacrev": lambda f: jacrev(f)(X),
    "jacfwd": lambda f: jacfwd(f)(X),
    "hessian": lambda f: hessian(f)(X),
    "jvp of jvp": lambda f: jvp(lambda x: jvp(f, (x,), (ROW,))[1], (X,), (ROW,)),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f))(X),
    "vjp of grad": lambda f: vjp(grad(lambda x: f(x).sum()), X)[1](ROW),
    "hvp": lambda f: hvp(lambda x: f(x).sum(), (X,), (ROW,)),
})
def test_the_function_is_called_once(case):
    fun = Counted(lambda x: np.sin(x) * x[::-1])
    case(fun)
    assert fun.calls == 1


# ---- What can be written into ---------------------------------------------------------------------------------------

SOURCES = {
    "the argument itself": lambda x, c: x,
    "a view": lambda x, c: x[::-1],
    "a slice": lambda x, c: x[1:],
    "reshaped": lambda x, c: x.reshape(2, -1),
    "raveled": lambda x, c: x.ravel(),
    "transposed": lambda x, c: x.reshape(2, -1).T,
    "exp": lambda x, c: np.exp(x),
    "tanh": lambda x, c: np.tanh(x),
    "square": lambda x, c: x * x,
    "divided": lambda x, c: c / x,
    "a power": lambda x, c: 2.0**x * x**3,
    "times a constant": lambda x, c: x * c,
    "two outputs": lambda x, c: (np.exp(x), {"y": x * x}),
    "one output twice": lambda x, c: [y := np.exp(x), y],
    "argument and result": lambda x, c: (x, np.exp(x)),
    "max": lambda x, c: x.max() * x,
    "matmul": lambda x, c: np.outer(c, c) @ x if x.size < 100 else x @ c * x,
    "added": lambda x, c: x + c,
    "indexed": lambda x, c: x[np.array([0, 0, 1])] * x[:3],
}


@cases(SOURCES)
@pytest.mark.parametrize("n", [4, 50_000], ids=["small", "large"])
def test_writing_into_anything_does_not_change_later_calls_of_vjp_fun(case, n):
    x, c = np.linspace(0.5, 1.5, n), np.linspace(2.0, 1.0, n)
    value, vjp_fun, aux = vjp(lambda x: (case(x, c), [x, np.exp(x)]), x, has_aux=True)
    g = tree.map(lambda y: np.linspace(-1.0, 2.0, y.size).reshape(y.shape), value)
    expected_value, g_before = tree.map(np.copy, value), tree.map(np.copy, g)
    (first,) = vjp_fun(g)
    expected = first.copy()
    assert np.abs(expected).max() > 0

    def overwrite(array):
        assert array.flags.writeable
        array[...] = 77.0

    for written in (value, x, c, first, aux, g):
        tree.map(overwrite, written)
        g = tree.map(np.copy, g_before)
        (again,) = vjp_fun(g)
        np.testing.assert_array_equal(again, expected)
        tree.map(np.testing.assert_array_equal, g, g_before)
        again[...] = 88.0
    np.testing.assert_array_equal(x, np.full(n, 77.0), "the gradient is no view of it")
    assert not any(np.array_equal(y, e) for y, e in zip(tree.leaves(value), tree.leaves(expected_value)))


@cases(SOURCES)
def test_writing_into_anything_does_not_change_later_calls_of_jvp_fun(case):
    x, c = np.linspace(0.5, 1.5, 4), np.linspace(2.0, 1.0, 4)
    value, jvp_fun = linearize(lambda x: case(x, c), x)
    t = np.array([1.0, -2.0, 3.0, 0.5])
    first = jvp_fun(t)
    expected = tree.map(np.copy, first)
    for written in (value, x, c, first):
        for array in tree.leaves(written):
            array[...] = 77.0
        again = jvp_fun(t)
        tree.map(np.testing.assert_array_equal, again, expected)
        np.testing.assert_array_equal(t, [1.0, -2.0, 3.0, 0.5])
        for array in tree.leaves(again):
            array[...] = 88.0


@cases({
    "vjp": lambda f, x: vjp(f, x)[1],
    "vjp of checkpoint": lambda f, x: vjp(checkpoint(f), x)[1],
    "linearize": lambda f, x: lambda t: (linearize(f, x)[1](t),),
    "one jvp_fun for all": lambda f, x: (lambda jvp_fun: lambda t: (jvp_fun(t),))(linearize(f, x)[1]),
    "grad of vjp_fun": lambda f, x: (lambda vjp_fun: lambda g: (
        grad(lambda g: (vjp_fun(g)[0] * vjp_fun(g)[0]).sum())(g),))(vjp(f, x)[1]),
})
def test_several_threads_can_use_one_vjp_fun(case):
    def fun(x):
        a, b = np.modf(x * 1.5)[0] * x, np.exp(np.sin(x) * x)
        return np.concatenate([a * b, (a + b)[::-1]])[:5]

    apply = case(fun, np.linspace(0.5, 1.5, 5))
    cotangents = [np.linspace(-i, 2.0, 5) for i in range(8)]
    expected = [apply(g)[0] for g in cotangents]
    assert not np.allclose(expected[0], expected[1])
    wrong, barrier = [], threading.Barrier(8)

    def work(i):
        try:
            barrier.wait(60)
            for _ in range(100):
                np.testing.assert_array_equal(apply(cotangents[i])[0], expected[i])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)


# ---- What they leave behind -----------------------------------------------------------------------------------------


def wave(x):
    return np.sin(x) * x * ROW


def bowl(x):
    return (np.exp(x) * x[::-1] * ROW).sum()


@custom_vjp
def tenfold(p):
    return {"y": p["a"] * p["b"]}


tenfold.defvjp(lambda p: ({"y": p["a"] * p["b"]}, p), lambda p, g: ({"a": 10.0 * g["y"] * p["b"], "b": None},))


@primitive
def failing(x):
    return x + 0.0


defvjp(failing, x=lambda g: {}["no derivative"])


@custom_vjp
def misshapen(x):
    return x * 1.0


misshapen.defvjp(lambda x: (x * 1.0, None), lambda _, g: (np.ones(7),))
LEFT = {
    "vjp": lambda: vjp(wave, X)[1](ROW),
    "vjp, not called": lambda: vjp(wave, X),
    "vjp, with aux": lambda: vjp(lambda x: (wave(x), [x]), X, has_aux=True)[1](ROW),
    "vjp of a tree": lambda: vjp(lambda p: {"y": p["a"] * p["b"]}, {"a": X, "b": 2.0})[1]({"y": ROW}),
    "linearize": lambda: linearize(wave, X)[1](ROW),
    "linearize, not called": lambda: linearize(wave, X),
    "jvp": lambda: jvp(wave, (X,), (ROW,)),
    "jacrev": lambda: jacrev(wave)(X),
    "jacfwd": lambda: jacfwd(wave)(X),
    "hessian": lambda: hessian(bowl)(X),
    "hvp": lambda: hvp(bowl, (X,), (ROW,)),
    "hvp of two": lambda: hvp(lambda x, y: bowl(x) * y**2, (X, 2.0), (ROW, 1.0)),
    "value_and_grad": lambda: value_and_grad(bowl)(X),
    "argnames": lambda: grad(lambda x, *, w=X: bowl(x * w), argnames=("x", "w"))(X),
    "allow_objects": lambda: grad(lambda p: bowl(p["x"]), allow_objects=True)({"x": X, "f": len, "name": "text"}),
    "checkpoint": lambda: grad(lambda x: checkpoint(wave)(checkpoint(np.sin)(x)).sum())(X),
    "checkpoint, without grad": lambda: checkpoint(wave)(X),
    "checkpoint of a value from outside": lambda: grad(lambda x: checkpoint(lambda y: y * x)(X).sum())(X),
    "checkpoint, second order": lambda: hessian(checkpoint(bowl))(X),
    "checkpoint, not used": lambda: grad(lambda x: (checkpoint(wave)(x), x.sum())[1])(X),
    "custom_vjp": lambda: grad(lambda p: tenfold(p)["y"].sum())({"a": X, "b": ROW}),
    "custom_vjp, without grad": lambda: tenfold({"a": X, "b": ROW}),
    "custom_vjp, second order": lambda: hessian(lambda p: tenfold(p)["y"].sum())({"a": X, "b": ROW}),
    "custom_vjp, under jvp": lambda: jvp(tenfold, ({"a": X, "b": ROW},), ({"a": X, "b": ROW},)),
    "custom_vjp, a new one": lambda: grad(lambda x: new_custom()(x).sum())(X),
    "nested": lambda: jacrev(jacrev(jacrev(bowl)))(X),
    "a wrong cotangent": lambda: vjp(wave, X)[1](np.ones(3)),
    "a wrong tangent": lambda: linearize(wave, X)[1](np.ones(3)),
    "a wrong argument of jvp": lambda: jvp(wave, (X,), (np.ones(3),)),
    "a wrong vector of hvp": lambda: hvp(bowl, (X,), (np.ones(3),)),
    "an object": lambda: vjp(wave, {"a": "text"}),
    "an integer": lambda: jacrev(wave)({"a": 3}),
    "a name that is none": lambda: grad(wave, argnames="z"),
    "an error of the function, in vjp": lambda: vjp(lambda x: wave(x) * (1 // 0), X),
    "an error of the function, in hessian": lambda: hessian(lambda x: bowl(x) * (1 // 0))(X),
    "an error of the function, in checkpoint": lambda: grad(checkpoint(lambda x: bowl(x) * (1 // 0)))(X),
    "an error in the backward pass": lambda: grad(lambda x: failing(wave(x)).sum())(X),
    "an error in the backward pass of vjp": lambda: vjp(lambda x: failing(wave(x)), X)[1](ROW),
    "an error in the backward pass of jvp": lambda: jvp(lambda x: failing(wave(x)), (X,), (ROW,)),
    "an error in the backward pass of jacrev": lambda: jacrev(lambda x: failing(wave(x)))(X),
    "an error in the backward pass of a checkpoint": lambda: grad(checkpoint(lambda x: failing(wave(x)).sum()))(X),
    "an error in the backward pass of custom_vjp": lambda: grad(lambda x: misshapen(wave(x)).sum())(X),
    "an error in a nested backward pass": lambda: grad(lambda x: grad(lambda y: failing(y * x).sum())(x).sum())(X),
}


def new_custom():
    f = custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, g: (g * x,))
    return f


@cases(LEFT)
def test_nothing_is_left_for_the_garbage_collector(case, no_collector):
    def call():
        try:
            case()
        except (TypeError, ValueError, KeyError, ZeroDivisionError):
            pass

    call()  # whatever is done only once
    gc.collect()
    call()
    assert gc.collect() == 0


def test_a_graph_lives_as_long_as_its_vjp_fun(no_collector):
    n = 100_000

    def chain(x):
        for _ in range(10):
            x = np.sin(x)
        return x

    x = np.ones(n)
    vjp(chain, x)[1](x)
    tracemalloc.start()
    try:
        vjp_fun = vjp(chain, x)[1]
        kept = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            vjp_fun(x)
        after_calls = tracemalloc.get_traced_memory()[0]
        del vjp_fun
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept > 9 * x.nbytes and abs(after_calls - kept) < 0.1 * x.nbytes and left < 0.1 * x.nbytes


# ---- checkpoint -----------------------------------------------------------------------------------------------------


def deep(x, w):
    """A layer that keeps ten arrays on its way, or twenty, with those of the products."""
    for _ in range(10):
        x = np.sin(x * w)
    return x


def peak(fun, *args):
    tracemalloc.start()
    try:
        result = fun(*args)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_checkpoint_lowers_the_peak_memory_of_a_chain_of_layers():
    n, layers = 50_000, 20
    x, w = np.linspace(0.1, 1.0, n), np.linspace(1.0, 1.5, n)

    def chain(layer):
        def loss(p):
            y = p["x"]
            for _ in range(layers):
                y = layer(y, p["w"])
            return y.sum()

        return grad(loss)

    small = {"x": x[:10], "w": w[:10]}
    chain(deep)(small), chain(checkpoint(deep))(small)
    plain, plain_peak = peak(chain(deep), {"x": x, "w": w})
    saved, saved_peak = peak(chain(checkpoint(deep)), {"x": x, "w": w})
    assert_close(saved, plain, 1e-13)
    assert plain_peak > 10 * layers * x.nbytes
    assert saved_peak < 5 * layers * x.nbytes
    blocks, blocks_peak = peak(chain(checkpoint(checkpoint(deep))), {"x": x, "w": w})
    assert_close(blocks, plain, 1e-13)
    assert blocks_peak < 5 * layers * x.nbytes


def test_nested_checkpoints_keep_only_what_the_outer_ones_do():
    x = np.linspace(0.1, 1.0, 50_000)
    inner = checkpoint(lambda y: deep(y, 1.1))

    def block(y):
        for _ in range(6):
            y = inner(y)
        return y

    def loss(block):
        def total(x):
            for _ in range(6):
                x = block(x)
            return x.sum()

        return grad(total)

    plain, _ = peak(loss(block), x)
    flat, flat_peak = peak(loss(block), x)
    nested, nested_peak = peak(loss(checkpoint(block)), x)
    np.testing.assert_allclose(nested, plain, rtol=1e-13)
    np.testing.assert_array_equal(flat, plain)
    assert nested_peak < flat_peak - 10 * x.nbytes


def layered(m, ck, x, w, scale):
    """Two layers, with a value of the outer function in one of them, and keyword arguments."""
    first = ck(lambda x, *, w: m.tanh(x * w["a"]) * w["b"][0])
    second = ck(lambda x: m.sin(x) * scale)
    return m.sum(second(first(x, w=w)) ** 2)


LAYER_ARGS = (np.array([0.3, -0.8]), {"a": np.array([1.5, 0.5]), "b": [2.0]}, 1.25)


def test_checkpoint_with_keywords_trees_and_values_from_outside():
    every = (0, 1, 2)
    ours = grad(functools.partial(layered, np, checkpoint), every)(*LAYER_ARGS)
    plain = grad(functools.partial(layered, np, lambda f: f), every)(*LAYER_ARGS)
    theirs = jax.grad(functools.partial(layered, jnp, jax.checkpoint), every)(*LAYER_ARGS)
    assert_close(ours, plain, 1e-14)
    assert_close(ours, theirs, 1e-13)
    assert_alike(ours, LAYER_ARGS)
    nested = grad(functools.partial(layered, np, lambda f: checkpoint(checkpoint(checkpoint(f)))), every)(*LAYER_ARGS)
    assert_close(nested, plain, 1e-14)


@cases({
    "grad(grad)": lambda m, f, x: m.grad(lambda x: m.np.sum(m.grad(f)(x) ** 2))(x),
    "grad(grad(grad))": lambda m, f, x: m.grad(lambda x: m.np.sum(
        m.grad(lambda x: m.np.sum(m.grad(f)(x) ** 2))(x) ** 2))(x),
    "jacrev of grad": lambda m, f, x: m.jacrev(m.grad(f))(x),
    "jacfwd of grad": lambda m, f, x: m.jacfwd(m.grad(f))(x),
    "hessian": lambda m, f, x: m.hessian(f)(x),
    "jvp of grad": lambda m, f, x: m.jvp(m.grad(f), (x,), (x,)),
    "jvp": lambda m, f, x: m.jvp(f, (x,), (x,)),
    "vjp of grad": lambda m, f, x: m.vjp(m.grad(f), x)[1](x),
})
@pytest.mark.parametrize("nested", [1, 2], ids=["once", "in itself"])
@pytest.mark.parametrize("outside", [False, True], ids=["arguments alone", "a value from outside"])
def test_checkpoint_under_other_transforms(case, nested, outside):
    def loss(xp, ck):
        def wrapped(f):
            for _ in range(nested):
                f = ck(f)
            return f

        def total(x):
            layer = wrapped(lambda y, k: xp.sin(y) * y**2 * k * (x[::-1] if outside else 1.0))
            return xp.sum(wrapped(lambda y: layer(y, 2.0) * xp.exp(y))(x * 1.5))

        return total

    ours = case(OURS, loss(np, checkpoint), LAYER_ARGS[0])
    plain = case(OURS, loss(np, lambda f: f), LAYER_ARGS[0])
    theirs = case(THEIRS, loss(jnp, jax.checkpoint), LAYER_ARGS[0])
    assert_close(ours, plain, 1e-12)
    assert_close(ours, theirs, 1e-11)


def test_the_jacobian_of_a_checkpointed_layer():
    x, w = np.linspace(0.1, 1.0, 5), np.linspace(1.0, 2.0, 5)
    expected = np.diag(w * np.cos(x * w)), np.diag(x * np.cos(x * w))
    layer = checkpoint(lambda x, w: np.sin(x * w))
    for transform in (jacrev, jacfwd, jacobian):
        for found, wanted in zip(transform(layer, (0, 1))(x, w), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=0)


@cases({
    "an argument": lambda layer, x, w: layer(x, w),
    "a keyword": lambda layer, x, w: layer(x, w=w),
    "in a tree": lambda layer, x, w: checkpoint(lambda p, x: layer(x, p["w"][0]))({"w": [w, None]}, x),
    "nested": lambda layer, x, w: checkpoint(checkpoint(layer))(x, w),
    "a view": lambda layer, x, w: layer(x, w[:]),
})
@pytest.mark.parametrize("n", [4, 50_000], ids=["small", "large"])
def test_an_array_that_changes_after_a_checkpointed_call(case, n):
    layer = checkpoint(lambda x, w: np.sin(x * w))
    x, w = np.linspace(0.1, 1.0, n), np.linspace(1.0, 2.0, n)
    expected = w * np.cos(x * w)

    def loss(x):
        y = case(layer, x, w)
        w[:] = 100.0
        return y.sum()

    np.testing.assert_allclose(grad(loss)(x), expected, rtol=1e-14)
    np.testing.assert_array_equal(w, np.full(n, 100.0))


def test_the_argument_of_a_checkpointed_vjp_may_change():
    x = np.linspace(0.1, 1.0, 4)
    expected = np.cos(x)
    _, vjp_fun = vjp(checkpoint(np.sin), x)
    x[:] = 100.0
    for _ in range(2):
        np.testing.assert_allclose(vjp_fun(np.ones(4))[0], expected, rtol=1e-15)


def test_a_checkpointed_function_may_write_into_its_arrays():
    def layer(x, w):
        w *= 2.0
        return x * w

    for layered in (checkpoint(layer), checkpoint(checkpoint(layer))):
        w = np.array([1.0, 2.0])
        np.testing.assert_array_equal(grad(lambda x: layered(x, w).sum())(np.ones(2)), [2.0, 4.0])
        w = np.array([1.0, 2.0])
        np.testing.assert_array_equal(jacrev(lambda x: layered(x, w))(np.ones(2)), np.diag([2.0, 4.0]))


def test_checkpoint_as_a_method():
    class Layer:
        def __init__(self, w):
            self.w = w

        @checkpoint
        def __call__(self, x):
            return np.sin(self.w * x)

    x = np.array([0.5, 1.5])
    np.testing.assert_allclose(grad(lambda x: Layer(2.0)(x).sum())(x), 2.0 * np.cos(2.0 * x), rtol=1e-15)
    assert grad(lambda w: Layer(w)(x).sum())(2.0) == pytest.approx((x * np.cos(2.0 * x)).sum(), rel=1e-15)


# ---- custom_vjp -----------------------------------------------------------------------------------------------------


def scaled(m, factor):
    """x ** 3, with a derivative that is `factor` times too large."""
    f = m.custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, x), lambda x, g: (factor * 3.0 * g * x**2,))
    return f


def test_custom_vjp_under_jacobian_hessian_and_jvp():
    x, v = np.array([0.5, 1.5, -2.0]), np.array([1.0, 10.0, -3.0])
    f = scaled(OURS, 10.0)
    first, second = 30.0 * x**2, 60.0 * x
    for transform in (jacrev, jacfwd, jacobian):
        np.testing.assert_allclose(transform(f)(x), np.diag(first), rtol=1e-15, atol=0)
    np.testing.assert_allclose(jacrev(f)(x), jax.jacrev(scaled(jax, 10.0))(x), rtol=1e-14)
    np.testing.assert_allclose(hessian(lambda x: f(x).sum())(x), np.diag(second), rtol=1e-15, atol=0)
    value, tangent = jvp(f, (x,), (v,))
    np.testing.assert_array_equal(value, x**3)
    np.testing.assert_allclose(tangent, first * v, rtol=1e-15)
    np.testing.assert_allclose(linearize(f, x)[1](v), first * v, rtol=1e-15)
    np.testing.assert_allclose(hvp(lambda x: f(x).sum(), (x,), (v,)), second * v, rtol=1e-15)
    np.testing.assert_allclose(vjp(f, x)[1](v)[0], first * v, rtol=1e-15)
    np.testing.assert_allclose(grad(lambda x: checkpoint(f)(np.sin(x)).sum())(x), 30.0 * np.sin(x) ** 2 * np.cos(x),
                               rtol=1e-14)


def test_the_derivative_of_a_custom_derivative_is_that_of_its_backward_function():
    f = custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, x), lambda x, g: (g * np.sin(x),))
    assert grad(f)(0.5) == np.sin(0.5)
    assert grad(grad(f))(0.5) == np.cos(0.5)
    assert hessian(f)(0.5) == np.cos(0.5)
    assert grad(grad(grad(f)))(0.5) == -np.sin(0.5)


class Gate:
    def __init__(self, factor):
        self.factor = factor

    @custom_vjp
    def __call__(self, x):
        return x * self.factor

    @custom_vjp
    def of_two(self, x, y=2.0):
        return x * y * self.factor

    __call__.defvjp(lambda self, x: (x * self.factor, self), lambda self, g: (None, g * self.factor * 10.0))
    of_two.defvjp(lambda self, x, y: (x * y * self.factor, (self, x, y)),
                  lambda r, g: (None, g * r[2] * r[0].factor * 100.0, g * r[1] * r[0].factor * 1000.0))


def test_custom_vjp_as_a_method():
    gate, x = Gate(3.0), np.array([1.0, 2.0])
    np.testing.assert_array_equal(gate(x), [3.0, 6.0])
    np.testing.assert_array_equal(grad(lambda x: gate(x).sum())(x), [30.0, 30.0])
    np.testing.assert_array_equal(jacrev(gate)(x), np.diag([30.0, 30.0]))
    np.testing.assert_array_equal(jacfwd(gate)(x), np.diag([30.0, 30.0]))
    np.testing.assert_array_equal(jvp(gate, (x,), (x,))[1], [30.0, 60.0])
    assert grad(gate.of_two)(5.0) == 600.0
    assert grad(lambda y: gate.of_two(5.0, y))(7.0) == 15000.0
    assert grad(lambda y: gate.of_two(x=5.0, y=y))(7.0) == 15000.0
    assert grad(gate.of_two, (0, 1))(5.0, 7.0) == (2100.0, 15000.0)
    assert hessian(lambda x: gate.of_two(x, x))(2.0) == 3.0 * (100.0 + 1000.0)
    assert Gate.of_two(gate, 5.0) == gate.of_two(5.0) == 30.0
    assert gate.of_two.func is Gate.of_two and Gate.of_two.__name__ == "of_two"


def trees_of(m):
    @m.custom_vjp
    def dense(p, x):
        return {"y": p["w"] * x + p["b"][0], "norm": (m.np.sum(p["w"] ** 2),)}

    def fwd(p, x):
        return dense(p, x), {"p": p, "x": x}

    def bwd(r, g):
        by_w = g["y"] * r["x"] + 2.0 * g["norm"][0] * r["p"]["w"]
        return {"w": 10.0 * by_w, "b": [m.np.sum(g["y"]) * 100.0]}, g["y"] * r["p"]["w"] * 1000.0

    dense.defvjp(fwd, bwd)
    return dense


@cases({
    "grad": lambda m, f, p, x: m.grad(lambda p, x: m.np.sum(f(p, x)["y"] ** 2) * f(p, x)["norm"][0], (0, 1))(p, x),
    "one result alone": lambda m, f, p, x: m.grad(lambda p, x: f(p, x)["norm"][0], (0, 1))(p, x),
    "vjp": lambda m, f, p, x: m.vjp(f, p, x)[1]({"y": x, "norm": (m.np.float64(2.0),)}),
    "jacrev": lambda m, f, p, x: m.jacrev(f, (0, 1))(p, x),
    "hessian": lambda m, f, p, x: m.jacrev(m.jacrev(f))(p, x),
    "grad(grad)": lambda m, f, p, x: m.grad(
        lambda p: m.np.sum(m.grad(lambda p: m.np.sum(f(p, x)["y"] ** 2))(p)["w"] ** 2))(p),
})
def test_custom_vjp_with_trees(case):
    p, x = {"w": np.array([0.5, -1.5]), "b": [0.25]}, np.array([3.0, 0.75])
    ours, theirs = case(OURS, trees_of(OURS), p, x), case(THEIRS, trees_of(THEIRS), p, x)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert_close(ours, theirs, 1e-13)


def test_custom_vjp_with_trees_forwards():
    f = trees_of(OURS)
    p, x = {"w": np.array([0.5, -1.5]), "b": [0.25]}, np.array([3.0, 0.75])
    dp, dx = {"w": np.array([1.0, 2.0]), "b": [0.5]}, np.array([-1.0, 0.1])
    value, tangent = jvp(f, (p, x), (dp, dx))
    np.testing.assert_array_equal(value["y"], p["w"] * x + 0.25)
    np.testing.assert_allclose(tangent["y"], 10.0 * dp["w"] * x + 50.0 + 1000.0 * dx * p["w"], rtol=1e-14)
    np.testing.assert_allclose(tangent["norm"][0], 20.0 * (p["w"] * dp["w"]).sum(), rtol=1e-14)
    columns = jacfwd(f)(p, x)
    np.testing.assert_allclose(columns["y"]["w"], 10.0 * np.diag(x), rtol=1e-14, atol=0)
    np.testing.assert_allclose(columns["y"]["b"][0], [100.0, 100.0], rtol=1e-15)
    np.testing.assert_allclose(columns["norm"][0]["w"], 20.0 * p["w"], rtol=1e-14)
    assert columns["norm"][0]["b"][0] == 0.0


# ---- Where an error in the backward pass comes from -----------------------------------------------------------------


def place(fun, mark="# here"):
    """Where the marked line of a function is (the only one of a lambda), as a note names it."""
    lines, first = inspect.getsourcelines(fun)
    numbers = [i for i, line in enumerate(lines) if mark in line] or [0]
    assert len(numbers) == 1, f"{mark} is in {fun} several times"
    return f"{inspect.getsourcefile(fun)}, line {first + numbers[0]}, in {fun.__name__}"


def notes(call, *args, error=Exception):
    """The notes of the error that a call raises."""
    with pytest.raises(error) as caught:
        call(*args)
    return list(getattr(caught.value, "__notes__", []))


def note(*places):
    return [f"This is an error in the backward pass, at an operation that was recorded in {p}" for p in places]


def fail(g, *residuals):
    raise KeyError("no derivative")


def broken(y):
    """The same value; but the backward pass fails at the operation that made it."""
    edge = y.node
    while edge is not None:
        edge.vjp, edge = fail, edge.next_edge
    return y


@primitive
def shifted(x, by=1.0):
    return x + by


defvjp(shifted, x=lambda g, by=1.0: g)
COLUMN = np.array([[1.0], [2.0]])
OPERATIONS = [
    lambda x: x + 1.0,
    lambda x: 1.0 + x,
    lambda x: x + x,
    lambda x: x - 1.0,
    lambda x: 1.0 - x,
    lambda x: x * 2.0,
    lambda x: 2.0 * x,
    lambda x: COLUMN * x,
    lambda x: x * x,
    lambda x: x / 2.0,
    lambda x: 2.0 / x,
    lambda x: x**2,
    lambda x: x**3,
    lambda x: 2.0**x,
    lambda x: x**x,
    lambda x: x % 0.7,
    lambda x: 7.0 % x,
    lambda x: x @ COLUMN,
    lambda x: COLUMN.T @ x,
    lambda x: -x,
    lambda x: abs(x),
    lambda x: divmod(x, 0.7)[1],
    lambda x: x[0],
    lambda x: x[::-1],
    lambda x: x[np.array([0, 1, 1])],
    lambda x: x[x > 1.0],
    lambda x: np.add(x, 1.0),
    lambda x: np.add(1.0, x),
    lambda x: np.multiply(COLUMN, x),
    lambda x: np.subtract(x, x),
    lambda x: np.divide(1.0, x),
    lambda x: np.matmul(x, COLUMN),
    lambda x: np.power(x, 3.0),
    lambda x: np.negative(x),
    lambda x: np.sin(x),
    lambda x: np.exp(x),
    lambda x: np.sqrt(x),
    lambda x: np.maximum(x, 1.0),
    lambda x: np.add.reduce(x),
    lambda x: np.modf(x)[0],
    lambda x: np.sum(x),
    lambda x: np.mean(x, axis=0),
    lambda x: np.max(x),
    lambda x: np.reshape(x, (2, 1)),
    lambda x: np.concatenate([x, x]),
    lambda x: np.stack([x, np.ones(2)]),
    lambda x: np.where(x > 1.0, x, 0.0),
    lambda x: np.dot(x, x),
    lambda x: np.square(x),
    lambda x: np.abs(x),
    lambda x: np.transpose(x),
    lambda x: x.sum(),
    lambda x: x.sum(axis=0),
    lambda x: x.mean(),
    lambda x: x.max(),
    lambda x: x.prod(),
    lambda x: x.std(),
    lambda x: x.dot(x),
    lambda x: x.reshape(2, 1),
    lambda x: x.reshape((2, 1)),
    lambda x: x.ravel(),
    lambda x: x.flatten(),
    lambda x: x.T,
    lambda x: x.transpose(),
    lambda x: x.flat,
    lambda x: x.astype(np.float32),
    lambda x: list(x)[1],
    lambda x: sum(x),
    lambda x: shifted(x),
    lambda x: shifted(x=x, by=2.0),
]


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda f: inspect.getsource(f).strip().rstrip(",")[10:])
@pytest.mark.parametrize("x", [np.array([0.8, 1.7])], ids=["array"])
def test_the_note_names_the_line_of_the_operation(case, x):
    found = notes(grad(lambda x: broken(case(x)).sum() * 1.0), x, error=KeyError)
    assert found == note(place(case))


SCALAR_OPERATIONS = [
    lambda x: x + 1.0,
    lambda x: 2.0 * x,
    lambda x: x * x,
    lambda x: x / 2.0,
    lambda x: x**2,
    lambda x: 2.0**x,
    lambda x: -x,
    lambda x: x % 0.7,
    lambda x: np.sin(x),
    lambda x: np.add(x, 1.0),
    lambda x: shifted(x),
]


@pytest.mark.parametrize("case", SCALAR_OPERATIONS, ids=lambda f: inspect.getsource(f).strip().rstrip(",")[10:])
def test_the_note_names_the_line_of_an_operation_on_numbers(case):
    for x in (0.8, np.float64(0.8), np.array(0.8)):
        assert notes(grad(lambda x: broken(case(x)) * 1.0), x, error=KeyError) == note(place(case))


def several_lines(x):
    y = np.sin(
        x
        * 2.0
    )
    z = y + 1.0
    return (
        z
        * broken(x**2)  # here
        + y
    ).sum()


def in_a_loop(x):
    for i in range(5):
        x = x * 1.5
        if i == 3:
            x = broken(x + 1.0)  # here
    return x.sum()


def helped(x):
    def helper(y):
        return broken(np.exp(y))  # here

    helped.helper = helper
    return (helper(x * 2.0) * 3.0).sum()


class Chain:
    def forward(self, x):
        return broken(np.tanh(x))  # here

    def __call__(self, x):
        return self.forward(x).sum()


def test_the_note_names_the_line_and_function_in_longer_programs():
    x = np.array([0.8, 1.7])
    assert notes(grad(several_lines), x) == note(place(several_lines))
    assert notes(grad(in_a_loop), x) == note(place(in_a_loop))
    found = notes(grad(helped), x)
    assert found == note(place(helped.helper))
    assert notes(grad(Chain()), x) == note(place(Chain.forward))


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
    y = np.exp(x)  # here
    return (y**2).mean()


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
        # What is recorded inside of another call is noted at once.
        assert notes(grad(lambda x: grad(f)(x).sum()), np.zeros(2)) == note(place(f))
        assert len(runs) == 4
        with pytest.raises(IndexError) as caught:
            grad(lambda x: [f(x)][1])(np.ones(2))
        assert len(runs) == 5 and not hasattr(caught.value, "__notes__")
        assert notes(lambda x: vjp(f, x)[1](np.float64(1)), np.zeros(2)) == note(place(f))
        assert len(runs) == 6


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


def test_a_file_beside_minigrad_whose_name_begins_like_it_is_the_user_s():
    filename = inspect.getsourcefile(minigrad).replace("__init__.py", "").rstrip("\\/") + "_example.py"
    names = {"np": np, "broken": broken}
    exec(compile("def f(x):\n    return broken(np.stack([x, x])).sum()\n", filename, "exec"), names)
    assert notes(grad(names["f"]), np.ones(2)) == note(f"{filename}, line 2, in f")


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
