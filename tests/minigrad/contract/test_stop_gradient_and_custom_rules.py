"""Contract A20: stop_gradient, custom_vjp and checkpoint.

Not here: A20.3 and A20.10 to A20.15, JAX's custom_jvp, callbacks, compiled loops, jit and vmap.
"""

import functools
import gc
import weakref
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same

Point = namedtuple("Point", "a b")


# ---- stop_gradient --------------------------------------------------------------------------------------------------


def stopped_tree(m: Any) -> list:
    out = m.stop_gradient([1.0, {"b": Point(2.0, None), "a": np.arange(2.0)}, ()])
    return [type(out).__name__, list(out[1]), type(out[1]["b"]) is Point, out[1]["b"].a, out[1]["a"], out[2]]


@rows(
    same("A20.1", lambda m: m.grad(lambda x: m.stop_gradient(x) * x)(3.0)),
    same("A20.1 the value", lambda m: m.value_and_grad(lambda x: m.stop_gradient(x) * x)(3.0)),
    same("A20.1 alone", lambda m: m.value_and_grad(lambda x: m.stop_gradient(x))(3.0)),
    same("A20.1 an array", lambda m: m.grad(lambda x: (m.stop_gradient(x) * x**2).sum())(np.arange(3.0))),
    same("A20.1 float32", lambda m: m.value_and_grad(lambda x: (m.stop_gradient(x) * x).sum())(np.ones(2, np.float32))),
    same("A20.1 complex", lambda m: m.grad(lambda z: m.np.real(m.stop_gradient(z) * z))(1 + 2j)),
    same("A20.1 of an expression", lambda m: m.grad(lambda x: m.stop_gradient(x * x) * x + x)(3.0)),
    same("A20.1 straight through", lambda m: m.grad(lambda x: x * (x + m.stop_gradient(m.np.round(x) - x)))(2.4)),
    same("A20.1 one of two", lambda m: m.grad(lambda x, y: m.stop_gradient(x) * y, (0, 1))(2.0, 3.0)),
    same("A20.1 a NaN behind it", lambda m: m.grad(lambda x: m.stop_gradient(m.np.log(x)) * 0 + x * x)(-2.0)),
    same("A20.1 vjp", lambda m: m.vjp(lambda x: m.stop_gradient(x) * x, 3.0)[1](2.0)),
    same("A20.1 jvp", lambda m: m.jvp(lambda x: m.stop_gradient(x) * x, (3.0,), (2.0,))),
    same("A20.1 jacfwd", lambda m: m.jacfwd(lambda x: m.stop_gradient(x) * x)(np.arange(2.0))),
    same("A20.7", lambda m: m.grad(lambda p: m.stop_gradient(p)["a"] * p["a"])({"a": 2.0})),
    same("A20.7 all kinds", stopped_tree),
    same("A20.7 integers and arrays within", lambda m: m.grad(
        lambda x: m.stop_gradient({"x": x, "n": 3, "a": np.ones(2)})["x"] * x)(2.0)),
    same("A20.8", lambda m: int(m.stop_gradient(3))),
    same("A20.8 truth values", lambda m: [bool(m.stop_gradient(True)), bool(m.stop_gradient(np.bool_(False)))]),
    same("A20.8 an integer array", lambda m: m.stop_gradient(np.arange(3))),
    same("A20.8 a float", lambda m: m.stop_gradient(2.5)),
    same("A20.8 None", lambda m: m.stop_gradient(None)),
    same("A20.9", lambda m: m.grad(m.grad(lambda x: m.stop_gradient(x) * x**2))(3.0)),
    same("A20.9 between", lambda m: m.grad(lambda x: m.stop_gradient(m.grad(lambda y: y**3)(x)) * x)(2.0)),
    same("A20.9 the outer value", lambda m: m.grad(
        lambda x: m.grad(lambda y: m.stop_gradient(x) * y * x)(2.0) * x)(3.0)),
    same("A20.9 the inner value", lambda m: m.grad(lambda x: m.grad(lambda y: m.stop_gradient(y) * y * x)(x))(3.0)),
    same("A20.9 hessian", lambda m: m.hessian(lambda x: m.np.sum(m.stop_gradient(x) * x**2))(np.arange(1.0, 3.0))),
)
def test_stop_gradient(row: Any) -> None:
    check(row)


def test_what_stop_gradient_returns_is_no_longer_differentiated() -> None:
    seen: list = []

    def fun(x):
        plain = minigrad.stop_gradient(x)
        seen.extend([type(plain), float(plain[0]), np.sort(plain).tolist()])  # whatever NumPy can do
        return (x * x).sum()

    minigrad.grad(fun)(np.array([3.0, 2.0]))
    assert seen == [np.ndarray, 3.0, [2.0, 3.0]]


def test_changing_what_it_returns_does_not_change_the_argument() -> None:
    def fun(x):
        y = minigrad.stop_gradient(x * 1.0)
        z = x * x
        try:
            y[0] = 100.0
        except ValueError:  # read-only is as good
            pass
        return z.sum()

    x = np.array([2.0, 3.0])
    assert minigrad.grad(fun)(x).tolist() == [4.0, 6.0]
    assert x.tolist() == [2.0, 3.0]


def test_what_is_not_being_differentiated_comes_back_as_it_is() -> None:
    array, obj = np.ones(2), object()
    assert minigrad.stop_gradient(array) is array
    assert type(minigrad.stop_gradient(3)) is int
    assert type(minigrad.stop_gradient(2.5)) is float
    assert minigrad.stop_gradient({"s": "text", "o": obj}) == {"s": "text", "o": obj}


# ---- custom_vjp -----------------------------------------------------------------------------------------------------


def custom(m: Any, fun: Any, fwd: Any, bwd: Any, **options: Any) -> Any:
    fun = m.custom_vjp(fun, **options)
    fun.defvjp(fwd, bwd)
    return fun


def square(m: Any, bwd: Any) -> Any:
    """x * x, with the residual x, and that backward function."""
    return custom(m, lambda x: x * x, lambda x: (x * x, x), bwd)


def product(m: Any, bwd: Any) -> Any:
    return custom(m, lambda x, y: x * y, lambda x, y: (x * y, (x, y)), bwd)


def weighted(m: Any) -> Any:
    """x * y, with derivatives that are 10 and 100 times too large."""
    return product(m, lambda r, g: (10 * g * r[1], 100 * g * r[0]))


def as_decorator(m: Any) -> Any:
    @m.custom_vjp
    def f(x):
        return x * x

    f.defvjp(lambda x: (f(x), x), lambda r, g: (g * 100.0,))
    return m.grad(f)(3.0), f(3.0), f.defvjp(lambda x: (f(x), x), lambda r, g: (g * 7.0,)), m.grad(f)(3.0)


def clipped(m: Any) -> Any:
    """The usual example: the gradient is clipped on its way back."""
    f = custom(m, lambda low, high, x: x, lambda low, high, x: (x, (low, high)),
               lambda r, g: (None, None, m.np.minimum(m.np.maximum(g, r[0]), r[1])))
    return m.grad(lambda x: (m.np.array([0.5, 3.0, -9.0]) * f(-1.0, 1.0, x) ** 2).sum())(np.array([0.1, 2.0, 3.0]))


def calls(m: Any) -> list:
    seen: list = []
    f = custom(
        m,
        lambda x: (seen.append("fun"), x * x)[1],
        lambda x: (seen.append("fwd"), (x * x, x))[1],
        lambda r, g: (seen.append("bwd"), (2 * g,))[1],
    )
    f(2.0)
    seen.append("grad")
    m.grad(f)(2.0)
    seen.append("not reached")
    m.grad(lambda x: x * f(2.0))(1.0)
    seen.append("not used")
    m.grad(lambda x: (f(x), x)[1])(1.0)
    return seen


def log1pexp(m: Any) -> Any:
    """Stable where the plain derivative is NaN."""
    np_ = m.np

    def plain(x):
        return np_.log(1 + np_.exp(x))

    f = custom(m, plain, lambda x: (plain(x), x), lambda x, g: (g * (1 - 1 / (1 + np_.exp(x))),))
    return [m.grad(f)(100.0), m.grad(m.grad(f))(1.0), m.grad(f)(-2.0)]


def method(m: Any) -> Any:
    class Layer:
        def __init__(self, w):
            self.w = w

        def run(self, x):
            f = custom(m, lambda w, x: w * x, lambda w, x: (w * x, (w, x)), lambda r, g: (g * r[1], g * r[0] * 10))
            return f(self.w, x)

    return m.grad(lambda x: Layer(3.0).run(x))(2.0), m.grad(lambda w: Layer(w).run(5.0))(2.0)


@rows(
    same("A20.2", as_decorator),
    same("A20.2 clipped", clipped),
    same("A20.2 stable", log1pexp),
    same("A20.2 calls", calls),
    same("A20.2 the value", lambda m: m.value_and_grad(square(m, lambda r, g: (100.0 * g,)))(3.0)),
    same("A20.2 arrays", lambda m: m.grad(lambda x: square(m, lambda r, g: (g * r * 5,))(x).sum())(np.arange(3.0))),
    same("A20.2 float32", lambda m: m.grad(
        lambda x: square(m, lambda r, g: (g * r * 5,))(x).sum())(np.ones(2, np.float32))),
    same("A20.2 in the middle", lambda m: m.grad(lambda x: m.np.sin(square(m, lambda r, g: (g * r * 3,))(x * 2)))(0.3)),
    same("A20.2 twice", lambda m:
        (lambda f: m.grad(lambda x: f(f(x)) + f(x))(1.5))(square(m, lambda r, g: (g * r * 3,)))),
    same("A20.2 a second gradient", lambda m: m.grad(m.grad(square(m, lambda r, g: (g * r**3,))))(3.0)),
    same("A20.2 a third gradient", lambda m: m.grad(m.grad(m.grad(square(m, lambda r, g: (g * r**3,)))))(3.0)),
    same("A20.2 two arguments", lambda m: m.grad(weighted(m), (0, 1))(2.0, 3.0)),
    same("A20.2 one of two", lambda m: m.grad(weighted(m), 1)(2.0, 3.0)),
    same("A20.2 the same value twice", lambda m: m.grad(lambda x: weighted(m)(x, x))(3.0)),
    same("A20.2 nested levels", lambda m: m.grad(lambda x: m.grad(lambda y: weighted(m)(x, y) * x)(2.0))(3.0)),
    same("A20.2 vjp", lambda m: m.vjp(weighted(m), 2.0, 3.0)[1](7.0)),
    same("A20.2 jacrev", lambda m: m.jacrev(square(m, lambda r, g: (g * r * 5,)))(np.arange(1.0, 3.0))),
    same("A20.2 in a method", method),
    differs("A20.2 jvp", lambda m: m.jvp(square(m, lambda r, g: (g * r * 100,)), (3.0,), (2.0,)), (9.0, 600.0)),
    same("A20.2 hessian", lambda m: m.hessian(square(m, lambda r, g: (g * r**3,)))(3.0)),
    same("A20.2 grad within", lambda m: m.grad(custom(
        m, lambda x: x, lambda x: (m.grad(lambda y: y**3)(x), x), lambda r, g: (g * m.grad(lambda y: y**2)(r),)))(2.0)),
)
def test_custom_vjp(row: Any) -> None:
    check(row)


@rows(
    same("A20.2 by keyword", lambda m: m.grad(lambda x: weighted(m)(x, y=3.0))(2.0)),
    same("A20.2 by keywords in another order", lambda m: m.grad(lambda x: weighted(m)(y=3.0, x=x))(2.0)),
    same("A20.2 a default", lambda m: m.grad(custom(
        m, lambda x, y=5.0: x * y, lambda x, y=5.0: (x * y, (x, y)), lambda r, g: (10 * g * r[1], g * r[0])))(3.0)),
    same("A20.2 any number", lambda m: m.grad(lambda x: custom(
        m, lambda *a: a[0] * a[1], lambda *a: (a[0] * a[1], a), lambda r, g: (g * r[1] * 10, g * r[0]))(x, x))(3.0)),
    same("A20.2 too many", lambda m: m.grad(square(m, lambda r, g: (g,)))(3.0, 4.0)),
    same("A20.2 an integer", lambda m: m.grad(lambda x: product(m, lambda r, g: (g * r[1] * 5, None))(x, 2))(3.0)),
    same("A20.2 an integer with float0", lambda m: m.grad(
        lambda x: product(m, lambda r, g: (g * r[1] * 5, np.zeros((), m.float0)))(x, 2))(3.0)),
    same("A20.2 None", lambda m: m.grad(lambda x: custom(
        m, lambda x, n: x, lambda x, n: (x, n), lambda r, g: (5 * g, None))(x, None))(3.0)),
    same("A20.2 nondiff_argnums", lambda m: m.grad(custom(
        m, lambda f, x: f(x), lambda f, x: (f(x), x), lambda f, r, g: (g * f(r) * 7,), nondiff_argnums=(0,)), 1)(
            lambda x: x + 1.0, 3.0)),
    same("A20.2 nondiff_argnums at the end", lambda m: m.grad(custom(
        m, lambda x, n: x**n, lambda x, n: (x**n, x), lambda n, r, g: (g * n * 100,), nondiff_argnums=(1,)))(3.0, 2)),
    same("A20.2 nondiff_argnums at both ends", lambda m: m.grad(custom(
        m, lambda a, x, b: x, lambda a, x, b: (x, x), lambda a, b, r, g: (g * a * b * r,),
        nondiff_argnums=(0, 2)), 1)(2, 3.0, 5)),
    same("A20.2 nondiff_argnums by keyword", lambda m: m.grad(lambda x: custom(
        m, lambda x, n: x**n, lambda x, n: (x**n, x), lambda n, r, g: (g * n * 100,),
        nondiff_argnums=(1,))(x, n=2))(3.0)),
    same("A20.2 nondiff_argnums a string", lambda m: m.grad(lambda x: custom(
        m, lambda s, x: x, lambda s, x: (x, None), lambda s, r, g: (g * len(s),),
        nondiff_argnums=(0,))("abc", x))(3.0)),
    same("A20.2 nondiff_argnums differentiated", lambda m: m.grad(custom(
        m, lambda x, n: x * n, lambda x, n: (x * n, x), lambda n, r, g: (g * n,),
        nondiff_argnums=(1,)), (0, 1))(3.0, 2.0)),
)
def test_arguments_of_custom_vjp(row: Any) -> None:
    check(row)


def tree_function(m: Any, bwd: Any) -> Any:
    f = custom(m, lambda p: p["a"] * p["b"][0], lambda p: (p["a"] * p["b"][0], p), bwd)
    return m.grad(lambda p: f(p))({"b": [3.0], "a": 2.0})


def two_results(m: Any) -> Any:
    seen: list = []

    def bwd(r, g):
        seen.append(g)
        return (g[0] * 10 + g[1] * 100,)

    f = custom(m, lambda x: (x, x * 2), lambda x: ((x, x * 2), x), bwd)
    functions = (lambda x: f(x)[1] * 3), (lambda x: f(x)[0] * 3), (lambda x: f(x)[0] * f(x)[1])
    return [[m.grad(fun)(2.0) for fun in functions], seen]


def results_of_all_kinds(m: Any) -> Any:
    seen: list = []

    def results(x):
        return {"z": x * 2, "a": [x], "none": None, "p": Point(x + 1, x)}

    f = custom(m, results, lambda x: (results(x), x), lambda r, g: (seen.append(g), (g["a"][0] * 10 + g["p"].a,))[1])
    g = m.grad(lambda x: f(x)["a"][0] * 3 + f(x)["p"].a)(2.0)
    return [g, [[list(c), c["z"], c["a"], c["none"], type(c["p"]) is Point, c["p"].a] for c in seen]]


def array_results(m: Any) -> Any:
    """The cotangent of a result that is not used is zeros, of its shape and dtype."""
    seen: list = []

    def results(x):
        return m.np.stack([x, x]), x.astype(np.float32)

    f = custom(m, results, lambda x: (results(x), None), lambda r, g: (seen.append(g), (g[0].sum(axis=0) + g[1],))[1])
    return [m.grad(lambda x: f(x)[0].sum())(np.ones(3)), m.grad(lambda x: f(x)[1].sum())(np.ones(3)), seen]


@rows(
    same("A20.2 a tree", lambda m: tree_function(m, lambda r, g: ({"a": g * 10, "b": [g * 20]},))),
    same("A20.2 a tree, keys in another order", lambda m:
        tree_function(m, lambda r, g: ({"b": [g * 20], "a": g * 10},))),
    same("A20.2 a tree, None for it", lambda m: tree_function(m, lambda r, g: (None,))),
    same("A20.2 a tree, None for a part", lambda m: tree_function(m, lambda r, g: ({"a": g * 10, "b": None},))),
    same("A20.4 a tree of another form", lambda m: tree_function(m, lambda r, g: ({"a": g * 10, "b": (g * 20,)},))),
    same("A20.4 a tree, a part missing", lambda m: tree_function(m, lambda r, g: ({"a": g * 10},))),
    same("A20.2 two results", two_results),
    same("A20.2 results of all kinds", results_of_all_kinds),
    same("A20.2 results that are arrays", array_results),
    same("A20.2 residuals None", lambda m: m.grad(custom(
        m, lambda x: x, lambda x: (x, None), lambda r, g: (g * (7 if r is None else 0),)))(3.0)),
    same("A20.2 residuals a tree", lambda m: m.grad(custom(
        m, lambda x: x, lambda x: (x, {"k": [x, (x * 2,)]}), lambda r, g: (g * r["k"][1][0],)))(3.0)),
    same("A20.2 a list for the pair", lambda m: m.grad(
        custom(m, lambda x: x, lambda x: [x, 5.0], lambda r, g: (g * r,)))(3.0)),
    differs("A20.2 residuals of any kind", lambda m: m.grad(custom(
        m, lambda x: x, lambda x: (x, ["abc", len]), lambda r, g: (g * r[1](r[0]),)))(3.0), 3.0),
    differs("A20.2 a string for an argument", lambda m: m.grad(lambda x: custom(
        m, lambda x, s: x, lambda x, s: (x, s), lambda r, g: (g * len(r), None))(x, "abc"))(2.0), 3.0),
)
def test_trees_in_custom_vjp(row: Any) -> None:
    check(row)


def outside(m: Any, which: str) -> Any:
    """A value that is being differentiated is used without being an argument: its derivative would be lost."""

    def fun(y):
        f = custom(
            m,
            lambda x: x * y,
            lambda x: (x * y if which == "value" else x * 2, y if which == "residual" else x),
            lambda r, g: (g * (y if which == "backwards" else r),),
        )
        return f(y)

    return m.grad(fun)(2.0)


@rows(
    same("A20.4", lambda m: m.grad(square(m, lambda r, g: g))(3.0)),
    same("A20.4 too few", lambda m: m.grad(product(m, lambda r, g: (g,)))(3.0, 2.0)),
    same("A20.4 too many", lambda m: m.grad(square(m, lambda r, g: (g, g)))(3.0)),
    same("A20.4 nothing", lambda m: m.grad(square(m, lambda r, g: None))(3.0)),
    same("A20.4 None for zero", lambda m: m.grad(square(m, lambda r, g: (None,)))(3.0)),
    same("A20.4 None for zeros", lambda m: m.grad(
        lambda x: square(m, lambda r, g: (None,))(x).sum() + x.sum())(np.ones((2, 1), np.float32))),
    differs("A20.4 float64 for float32", lambda m: m.grad(
        lambda x: square(m, lambda r, g: (np.ones(2),))(x).sum())(np.ones(2, np.float32)), np.ones(2, np.float32)),
    same("A20.4 a string", lambda m: m.grad(square(m, lambda r, g: ("s",)))(3.0)),
    same("A20.4 shape (2,) for ()", lambda m: m.grad(square(m, lambda r, g: (np.ones(2),)))(3.0)),
    same("A20.4 shape () for (2,)", lambda m: m.grad(lambda x: square(m, lambda r, g: (1.0,))(x).sum())(np.ones(2))),
    same("A20.4 shape (3, 2) for (2,)", lambda m: m.grad(
        lambda x: square(m, lambda r, g: (np.ones((3, 2)),))(x).sum())(np.ones(2))),
    same("A20.4 shape (1,) for (2,)", lambda m: m.grad(
        lambda x: square(m, lambda r, g: (np.ones(1),))(x).sum())(np.ones(2))),
    same("A20.5", lambda m: m.grad(
        m.custom_vjp(lambda x: x * x))(3.0), "No VJP defined for custom_vjp function <lambda> using defvjp"),
    same("A20.5 without grad", lambda m: m.custom_vjp(lambda x: x * x)(3.0), "No VJP defined"),
    same("A20.2 forward gives no pair", lambda m: m.grad(custom(m, lambda x: x, lambda x: x, lambda r, g: (g,)))(3.0)),
    same("A20.2 forward gives three", lambda m: m.grad(
        custom(m, lambda x: x, lambda x: (x, x, x), lambda r, g: (g,)))(3.0)),
    same("A20.2 backward raises", lambda m: m.grad(square(m, lambda r, g: {}["k"]))(3.0), "'k'"),
    same("A20.2 a value from outside", lambda m: outside(m, "value")),
    same("A20.2 a value from outside in the residuals", lambda m: outside(m, "residual")),
    same("A20.2 a value from outside in the backward pass", lambda m: outside(m, "backwards")),
)
def test_what_custom_vjp_refuses(row: Any) -> None:
    check(row)


def test_the_message_names_the_function_and_what_is_wrong() -> None:
    @minigrad.custom_vjp
    def my_square(x):
        return x * x

    with pytest.raises(AttributeError, match="my_square"):
        my_square(2.0)
    my_square.defvjp(lambda x: (x * x, x), lambda r, g: (g, g))
    with pytest.raises(TypeError, match="my_square.*tuple"):
        minigrad.grad(my_square)(2.0)
    my_square.defvjp(lambda x: x * x, lambda r, g: (g,))
    with pytest.raises(TypeError, match="my_square.*pair"):
        minigrad.grad(my_square)(2.0)
    assert my_square(2.0) == 4.0


def test_nondiff_argnums_that_are_no_arguments() -> None:
    for argnum in (2, 5, -3):
        fwd, bwd = (lambda x, n: (x * n, n)), (lambda n, r, g: (g * r,))
        f = custom(minigrad, lambda x, n: x * n, fwd, bwd, nondiff_argnums=(argnum,))
        with pytest.raises((IndexError, ValueError, TypeError)):
            minigrad.grad(f)(2.0, 3.0)


def test_a_function_with_its_own_rule_keeps_its_name_and_documentation() -> None:
    @functools.partial(minigrad.custom_vjp, nondiff_argnums=(1,))
    def my_power(x, n=2):
        "The doc."
        return x**n

    my_power.defvjp(lambda x, n: (x**n, x), lambda n, x, g: (g * n,))
    assert my_power.__name__ == "my_power" and my_power.__doc__ == "The doc."
    assert minigrad.grad(my_power).__name__ == "my_power"
    assert minigrad.grad(my_power)(3.0, 4) == 4.0 and my_power(3.0, 2) == 9.0


def test_the_functions_get_plain_numpy_values() -> None:
    seen: list = []
    f = custom(
        minigrad,
        lambda x: x * 2,
        lambda x: (seen.append(type(x)), (x * 2, x))[1],
        lambda r, g: (seen.extend([type(r), type(g)]), (np.cos(np.asarray(r)) * g,))[1],
    )
    g = minigrad.grad(lambda x: f(x).sum())(np.zeros(3))
    assert g.tolist() == [1.0, 1.0, 1.0]
    assert seen == [np.ndarray, np.ndarray, np.ndarray]


def test_what_the_backward_function_returns_is_not_shared() -> None:
    kept = np.ones(2)
    f = custom(minigrad, lambda x: x * 2, lambda x: (x * 2, None), lambda r, g: (kept,))
    g = minigrad.grad(lambda x: f(x).sum())(np.zeros(2))
    g[0] = 9.0
    assert kept.tolist() == [1.0, 1.0]


# ---- checkpoint -----------------------------------------------------------------------------------------------------


@rows(
    same("A20.6", lambda m: m.grad(m.checkpoint(lambda x: m.np.sin(x)))(0.0)),
    same("A20.6 value", lambda m: m.value_and_grad(m.checkpoint(lambda x: m.np.sin(x) * x))(1.0)),
    same("A20.6 without grad", lambda m: m.checkpoint(lambda x, y: (x, [y * 2, None]))(1.0, np.ones(2))),
    same("A20.6 None", lambda m: m.checkpoint(lambda x: None)(2.0)),
    same("A20.6 arrays", lambda m: m.grad(lambda x: m.checkpoint(m.np.exp)(x).sum())(np.arange(3.0))),
    same("A20.6 float32", lambda m: m.value_and_grad(
        lambda x: m.checkpoint(m.np.exp)(x).sum())(np.arange(3.0, dtype=np.float32))),
    same("A20.6 a second gradient", lambda m: m.grad(m.grad(m.checkpoint(lambda x: m.np.sin(x) * x)))(1.0)),
    same("A20.6 a third gradient", lambda m: m.grad(m.grad(m.grad(m.checkpoint(lambda x: m.np.sin(x) * x))))(1.0)),
    same("A20.6 of a gradient", lambda m: m.grad(m.checkpoint(m.grad(lambda x: m.np.sin(x) * x)))(1.0)),
    same("A20.6 a gradient within", lambda m: m.grad(m.checkpoint(lambda x: x * m.grad(lambda y: y**3)(x)))(2.0)),
    same("A20.6 nested", lambda m: m.grad(lambda x: m.checkpoint(m.checkpoint(m.np.sin))(x) * 2)(0.3)),
    same("A20.6 a chain", lambda m: m.grad(
        lambda x: functools.reduce(lambda y, f: f(y), [m.checkpoint(m.np.sin)] * 5, x))(0.3)),
    same("A20.6 several arguments", lambda m: m.grad(m.checkpoint(lambda x, y: x * y**2), (0, 1))(2.0, 3.0)),
    same("A20.6 the same value twice", lambda m: m.grad(lambda x: m.checkpoint(lambda a, b: a * b)(x, x))(3.0)),
    same("A20.6 an argument unused", lambda m: m.grad(m.checkpoint(lambda x, y: x * 2), 1)(1.0, np.ones(3))),
    same("A20.6 a constant argument", lambda m: m.grad(lambda x: x * m.checkpoint(lambda y: y**2)(3.0))(2.0)),
    same("A20.6 an integer", lambda m: m.grad(lambda x: m.checkpoint(lambda x, i: x * i)(x, 2))(2.0)),
    same("A20.6 a keyword", lambda m: m.grad(lambda x: m.checkpoint(lambda x, *, k: x * k)(x, k=3.0))(2.0)),
    same("A20.6 a keyword differentiated", lambda m: m.grad(
        lambda x: m.checkpoint(lambda a, *, k: a * k**2)(x, k=x))(2.0)),
    same("A20.6 trees", lambda m: m.grad(
        lambda p: m.checkpoint(lambda p: {"o": (p["a"] * p["b"][0], 3), "z": None})(p)["o"][0])(
            {"b": [3.0], "a": 2.0})),
    same("A20.6 several results", lambda m: m.grad(
        lambda x: (lambda a, b: a.sum() * b[0])(*m.checkpoint(lambda x: (x * 2, x[1:] ** 3))(x)))(np.arange(3.0))),
    same("A20.6 a value from outside", lambda m: m.grad(lambda y: m.checkpoint(lambda x: x * x * y)(y))(2.0)),
    same("A20.6 only a value from outside", lambda m: m.grad(lambda y: m.checkpoint(lambda x: x * y)(3.0) * y)(2.0)),
    same("A20.6 a value from outside, of an outer gradient", lambda m: m.grad(
        lambda y: m.grad(m.checkpoint(lambda x: x * x * y))(y) * y)(2.0)),
    same("A20.6 stop_gradient within", lambda m: m.grad(m.checkpoint(lambda x: m.stop_gradient(x) * x))(3.0)),
    same("A20.6 a custom rule within", lambda m: m.grad(m.checkpoint(square(m, lambda r, g: (g * r * 100,))))(3.0)),
    same("A20.6 within a custom rule", lambda m: m.grad(custom(
        m, lambda x: x, lambda x: (m.checkpoint(m.np.sin)(x), x), lambda r, g: (g * m.checkpoint(m.np.exp)(r),)))(0.5)),
    same("A20.6 has_aux", lambda m: m.grad(m.checkpoint(lambda x: (x * x, {"aux": x + 1})), has_aux=True)(3.0)),
    same("A20.6 jvp", lambda m: m.jvp(m.checkpoint(lambda x: x**2), (3.0,), (2.0,))),
    same("A20.6 vjp", lambda m: m.vjp(m.checkpoint(lambda x, y: x**2 * y), 3.0, 2.0)[1](2.0)),
    same("A20.6 jacrev", lambda m: m.jacrev(m.checkpoint(lambda x: x**2))(np.arange(2.0))),
    same("A20.6 jacfwd", lambda m: m.jacfwd(m.checkpoint(lambda x: x**2))(np.arange(2.0))),
    same("A20.6 hessian", lambda m: m.hessian(m.checkpoint(lambda x: (x**3).sum()))(np.arange(2.0))),
    same("A20.6 complex", lambda m: m.grad(lambda z: m.np.real(m.checkpoint(lambda z: z**2)(z)))(1 + 2j)),
    same("A20.6 holomorphic", lambda m: m.grad(m.checkpoint(lambda z: z**2), holomorphic=True)(1 + 2j)),
    same("A20.6 as a decorator", lambda m: [m.checkpoint(np.ndarray.sum).__name__, m.checkpoint(square).__name__]),
    same("A20.6 raises", lambda m: m.grad(m.checkpoint(lambda x: {}["k"]))(0.0), "'k'"),
    same("A20.6 not a scalar", lambda m: m.grad(m.checkpoint(lambda x: x))(np.ones(2)), "Output had shape: (2,)"),
    differs("A20.6 control flow", lambda m: m.grad(m.checkpoint(lambda x: x * x if x > 0 else -x))(-2.0), -1.0),
    differs("A20.6 a string", lambda m: m.grad(lambda x: m.checkpoint(lambda x, s: x * len(s))(x, "abc"))(2.0), 3.0),
)
def test_checkpoint(row: Any) -> None:
    check(row)


def test_the_function_runs_again_on_the_way_back_and_only_then() -> None:
    seen: list = []

    def fun(x):
        seen.append(type(x))
        return np.sin(x) * x

    layer = minigrad.checkpoint(fun)
    layer(1.0)
    assert seen == [float]
    seen.clear()
    minigrad.grad(layer)(np.float64(1.0))
    assert len(seen) == 2 and minigrad.Tensor not in seen[:1]  # first forwards, where nothing is recorded
    seen.clear()
    minigrad.grad(layer)(1.0)
    assert len(seen) == 2  # a Python number is a Tensor the first time too, because it is weak then
    seen.clear()
    minigrad.grad(lambda x: x * layer(2.0))(1.0)  # not reached
    assert len(seen) == 1
    seen.clear()
    minigrad.grad(lambda x: (layer(x), x * x)[1])(1.0)  # not used
    assert len(seen) == 1


def test_it_saves_memory() -> None:
    """What the function computes on the way is gone when it returns; without checkpoint it is kept."""

    def alive(transform: Any) -> int:
        refs: list = []
        counts: list = []

        def fun(x):
            y = np.sin(x)
            z = np.exp(y)
            refs.append(weakref.ref(z.value if isinstance(z, minigrad.Tensor) else z))
            return z * z

        def loss(x):
            out = transform(fun)(x)
            counts.append(sum(ref() is not None for ref in refs))
            return out.sum()

        gc.collect()
        minigrad.grad(loss)(np.ones(4))
        return counts[0]

    assert alive(lambda f: f) == 1
    assert alive(minigrad.checkpoint) == 0


def test_the_name_and_the_argument_that_is_no_function() -> None:
    @minigrad.checkpoint
    def layer(x):
        return x * x

    assert layer.__name__ == "layer" and layer.__wrapped__(3.0) == 9.0
    with pytest.raises(TypeError, match="callable"):
        minigrad.checkpoint(3)
    with pytest.raises(TypeError, match="callable"):
        minigrad.custom_vjp(3)
