"""allow_objects: arguments that are not numbers reach the function unchanged, and their gradient is None.

Without the option they are refused.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
import pytest

from minigrad import grad, hessian, hvp, jacfwd, jacrev, linearize, tree, value_and_grad, vjp

from .support import cases


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
