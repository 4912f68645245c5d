"""ravel_pytree: a tree as one flat array and back, with the arrays, dtypes and errors of JAX."""

from collections import namedtuple

import jax.flatten_util
import numpy as np
import pytest
import scipy.optimize

import minigrad
from minigrad import grad, hessian, tree, value_and_grad

from .support import cases

Pair = namedtuple("Pair", "a b")
TREES = {
    "dict": {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([5.0])},
    "nested": [np.arange(3.0), Pair(np.ones((1, 2)), {"x": np.array(2.0)}), None],
    "one array": np.arange(6.0).reshape(2, 3),
    "floats of two sizes": [np.float32([1.5, 2.5]), np.array([0.1])],
    "float32": {"a": np.float32([1.0]), "b": np.ones((2, 2), np.float32)},
    "integers too": [np.array([1, 2]), np.array([0.5])],
    "complex too": [np.array([1 + 2j]), np.array([0.5])],
    "truth values": [np.array([True, False]), np.array([3])],
    "an empty array": [np.zeros((0, 2)), np.ones(2)],
}


@cases(TREES)
def test_is_what_jax_makes(case):
    with jax.enable_x64(True):
        expected, back = jax.flatten_util.ravel_pytree(case)
        expected_tree = back(expected)
    flat, unravel = tree.ravel_pytree(case)
    assert flat.dtype == expected.dtype
    np.testing.assert_array_equal(flat, expected)
    found = unravel(flat)
    assert tree.structure(found) == tree.structure(case)
    for ours, theirs in zip(tree.leaves(found), tree.leaves(expected_tree), strict=True):
        assert type(ours) is np.ndarray and (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(ours, theirs)


def test_plain_numbers_come_back_as_plain_numbers():
    flat, unravel = tree.ravel_pytree({"w": 2.0, "b": 1.0})
    np.testing.assert_array_equal(flat, [1.0, 2.0])
    found = unravel(flat)
    assert found == {"w": 2.0, "b": 1.0} and type(found["w"]) is float
    flat, unravel = tree.ravel_pytree([np.float32([1.0]), 0.1, 3, True])
    assert flat.dtype == np.float64
    assert repr(unravel(flat)) == "[array([1.], dtype=float32), 0.1, 3, True]"


@cases({"nothing": {}, "None": None, "empty lists": [[], ()]})
def test_a_tree_without_leaves(case):
    flat, unravel = tree.ravel_pytree(case)
    assert flat.shape == (0,) and unravel(flat) == case


def test_the_array_has_another_dtype_or_shape():
    flat, unravel = tree.ravel_pytree(TREES["dict"])
    assert unravel(flat.astype(np.float32))["w"].dtype == np.float32  # as in JAX
    with pytest.raises(ValueError, match=r"shape \(5,\), and got one of shape \(4,\)"):
        unravel(flat[1:])
    with pytest.raises(ValueError, match=r"got one of shape \(5, 1\)"):
        unravel(flat[:, None])
    flat, unravel = tree.ravel_pytree(TREES["floats of two sizes"])
    with pytest.raises(TypeError, match="dtype float64, and got one of dtype float32"):
        unravel(flat.astype(np.float32))


@cases({
    "text": ({"a": ["x"]}, r"tree\['a'\]\[0\] is 'x' of type <class 'str'>"),
    "object": ([object], r"tree\[0\] is <class 'object'>"),
    "array of text": (np.array(["a"]), "cannot be part of an array of numbers"),
    "array of objects": (np.array([1.0], object), "cannot be part of an array of numbers"),
})
def test_leaves_that_are_no_numbers(case):
    given, message = case
    with pytest.raises(TypeError, match=message):
        tree.ravel_pytree(given)


def test_both_directions_can_be_differentiated():
    theta = {"w": np.array([[1.0, 2.0]]), "b": 3.0, "c": np.float32([4.0])}
    slopes = grad(lambda theta: np.sum(tree.ravel_pytree(theta)[0] ** 3))(theta)
    assert repr(slopes) == repr({"b": 27.0, "c": np.float32([48.0]), "w": np.array([[3.0, 12.0]])})
    flat, unravel = tree.ravel_pytree(theta)

    def loss(flat):
        part = unravel(flat)
        return np.sum(part["w"] ** 2) * part["b"] + part["c"][0] ** 2

    np.testing.assert_array_equal(grad(loss)(flat), [5.0, 8.0, 6.0, 12.0])  # b, c, w
    np.testing.assert_array_equal(hessian(loss)(flat), [[0, 0, 2, 4], [0, 2, 0, 0], [2, 0, 6, 0], [4, 0, 0, 6]])


def test_scipy_minimises_over_a_dict():
    x = np.linspace(-1.0, 1.0, 20)
    start, unravel = tree.ravel_pytree({"w": 0.0, "b": 0.0})
    loss = value_and_grad(lambda v: np.mean((unravel(v)["w"] * x + unravel(v)["b"] - (3 * x + 1)) ** 2))
    found = unravel(scipy.optimize.minimize(loss, start, jac=True).x)
    assert found == pytest.approx({"w": 3.0, "b": 1.0}, abs=1e-5)


def test_only_public_names_are_completed():
    for module in (minigrad, tree):
        assert set(module.__all__) == {name for name in dir(module) if not name.startswith("__")}
        assert all(hasattr(module, name) for name in dir(module))
