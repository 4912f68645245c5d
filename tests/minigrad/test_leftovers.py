"""Calls leave nothing behind, with or without an error: no reference cycles, and no memory.

The garbage collector is off meanwhile, so only the end of the last reference frees an object.
"""

import gc
import tracemalloc

import numpy as np

from minigrad import (
    checkpoint,
    custom_vjp,
    defvjp,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    primitive,
    value_and_grad,
    vjp,
)

from .support import cases

# ---- Every transform ------------------------------------------------------------------------------------------------

X, ROW = np.array([0.5, 1.5]), np.array([1.0, 10.0])


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


# ---- Every kind of operation ----------------------------------------------------------------------------------------

CYCLES = {
    "elementwise": lambda x: np.sin(np.exp(x) * x).sum(),
    "several results": lambda x: divmod(x, 2.0)[1].sum() + np.modf(x)[0].sum() + np.frexp(x)[0].sum(),
    "lists": lambda x: np.concatenate([x, np.stack([x, x]).sum(axis=0), np.ones(2)]).sum(),
    "indexing": lambda x: x[np.array([0, 0])].sum() + x[1] + sum(v for v in x),
    "reductions": lambda x: x.max() * x.prod() + x.var() + x.mean(),
    "constants": lambda x: (x * ONES).sum(),
    "nested": lambda x: grad(lambda y: (np.sin(y) * x * ONES).sum())(x).sum(),
    "nested, of lists": lambda x: grad(lambda p: (np.concatenate(p) ** 3).sum())([x, x * 2])[1].sum(),
    "zero division": lambda x: (1 / (x.sum() * 0.0 + np.exp(x.sum()))),
    "an error of the function": lambda x: x.sum() * (1 // 0),
    "an unknown function": lambda x: np.unwrap(x).sum(),
    "no number": lambda x: x,
    "a wrong shape": lambda x: (x + np.ones(4)).sum(),
    "an unknown keyword": lambda x: np.sum(x, dtype=None, out=np.zeros(())),
    "np.asarray": lambda x: np.asarray(x).sum(),
    "float": lambda x: float(x),
    "array[0] = t": lambda x: np.zeros(3).__setitem__(0, x.sum()),
    "array[:] = t": lambda x: np.zeros(3).__setitem__(slice(None), x),
    "an error in a nested gradient": lambda x: grad(lambda y: (y * x).sum() * (1 // 0))(x).sum(),
    "array[0] = t in a nested gradient": lambda x: grad(lambda y: np.zeros(3).__setitem__(0, y.sum()))(x).sum(),
}
ONES = np.ones(3)


@cases(CYCLES)
def test_no_reference_cycles(case, no_collector):
    x = np.array([1.0, 2.0, 3.0])
    for call in (grad(case), value_and_grad(lambda x: (case(x), {"aux": [x]}), has_aux=True)):
        for _ in range(2):  # with the first, rules are read, and Python's inspect leaves something
            gc.collect()
            try:
                call(x)
            except (TypeError, ValueError, NotImplementedError, ZeroDivisionError):
                pass
        assert gc.collect() == 0


def test_no_reference_cycles_where_an_argument_is_refused(no_collector):
    for call in (lambda: grad(np.sin)(3), lambda: grad(np.sin, 1)(3.0), lambda: grad(np.sin)({"a": 1.0, 2: 3.0})):
        gc.collect()
        try:
            call()
        except (TypeError, ValueError):
            pass
        assert gc.collect() == 0
