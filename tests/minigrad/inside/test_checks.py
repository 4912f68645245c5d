"""check_grads: what passes, what fails, and what the error says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads as check_grads_of_jax

import minigrad
from minigrad import check_grads

from ..support import cases


@minigrad.primitive
def cube(x):
    return x ** 3


minigrad.defvjp(cube, x=lambda g, x: 2 * g * x ** 2)  # wrong


@minigrad.primitive
def bent(x):
    return np.sin(x)


minigrad.defvjp(bent, x=lambda g, x: g * np.cos(minigrad.stop_gradient(x)))  # right, but its own derivative is wrong


@cases({
    "a number": (lambda x: np.sin(x) * x, (0.5,)),
    "an array": (lambda x: np.sum(np.sin(x) ** 2), (np.arange(3.0),)),
    "an array of results": (lambda x: np.exp(x[:, None] * x), (np.array([0.3, -0.2]),)),
    "trees": (lambda p, x: {"a": np.tanh(p["w"] @ x), "b": [p["b"] * 2, x[0]]}, ({"w": np.ones((2, 3)) / 3, "b": 1.5}, np.ones(3))),
    "complex numbers": (lambda z: np.exp(z) * z, (np.array([1 + 2j, 0.5j]),)),
    "an integer beside": (lambda x, n: x ** n, (1.5, 3)),
    "float32": (lambda x: np.sum(np.sin(x) ** 2), (np.arange(3.0, dtype=np.float32),)),
    "float16": (lambda x: np.sum(np.sin(x)), (np.array([0.5, 0.25], np.float16),)),
})
@pytest.mark.parametrize("modes", [("fwd", "rev"), "fwd", ["rev"]])
def test_right_derivatives_pass(case, modes):
    f, args = case
    check_grads(f, args, order=1 if np.asarray(args[0]).dtype == np.float16 else 2, modes=modes)


def test_third_order():
    check_grads(lambda x: np.sum(np.sin(x) * x), (np.array([0.3, 1.2]),), order=3)


def test_a_wrong_rule_names_leaf_direction_numbers_and_cause():
    def f(p):
        return np.sum(p["right"] ** 2) + np.sum(cube(p["wrong"][1]))

    with pytest.raises(AssertionError) as caught:
        check_grads(f, ({"right": np.ones(2), "wrong": [1.0, np.array([0.4, 1.0])]},), order=1)
    text = str(caught.value)
    assert "by the leaf args[0]['wrong'][1]" in text and "wrong rule" in text
    numbers = {line.split()[0]: line.split()[-1] for line in text.splitlines() if line.strip()[:8] in ("minigrad", "finite d")}
    assert float(numbers["minigrad"]) / float(numbers["finite"]) == pytest.approx(2 / 3, rel=1e-6)
    direction = np.array(eval(text.partition("along the direction ")[2].partition("\n")[0]))
    assert direction.shape == (2,)


def test_a_wrong_second_derivative_is_found_by_order_2_only():
    check_grads(lambda x: np.sum(bent(x)), (np.array([0.4, 1.0]),), order=1)
    with pytest.raises(AssertionError, match="of the (gradient|forward derivative) of f differs"):
        check_grads(lambda x: np.sum(bent(x)), (np.array([0.4, 1.0]),), order=2)


@cases({
    "a kink": (lambda x: np.sum(np.abs(x)), (np.array([0.0, 1.0]),), "a kink nearby: the slope is -0.* on the left and"),
    "a constant branch": (lambda x: np.sum(minigrad.stop_gradient(x) ** 2), (np.array([0.5, 1.0]),), "a constant branch"),
    "float32": (lambda x: np.sum(cube(x)), (np.array([0.5, 1.0], np.float32),), "float32: differences"),
    "an infinite slope": (lambda x: np.sqrt(x), (np.float64(0.0),), "find_nan"),
})
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_likely_cause(case):
    f, args, cause = case
    with pytest.raises(AssertionError, match=cause):
        check_grads(f, args, order=1)


def test_tolerances_and_step_are_honoured():
    args = (np.array([0.4, 1.0]),)
    check_grads(lambda x: np.sum(cube(x)), args, order=1, rtol=0.6)
    check_grads(lambda x: np.sum(cube(x)), args, order=1, atol=10.0)
    with pytest.raises(AssertionError):
        check_grads(lambda x: np.sin(50 * x), (0.3,), order=1, eps=0.1)
    check_grads(lambda x: np.sin(50 * x), (0.3,), order=1, eps=1e-4)
    with pytest.raises(ValueError, match="'fwd' and 'rev'"):
        check_grads(np.sin, (0.3,), modes=("forward",))


@cases({
    "right": (lambda x, np: np.sum(np.sin(x) ** 2), True),
    "a kink": (lambda x, np: np.sum(np.abs(x)), False),
})
def test_jax_comes_to_the_same_verdict(case):
    f, expected = case
    x = np.array([0.0, 1.0])
    verdicts = []
    for check, xp, stop in ((check_grads, np, None), (check_grads_of_jax, jnp, None)):
        try:
            with jax.enable_x64(True):
                check(lambda x: f(x, xp), (xp.asarray(x),), order=1)
            verdicts.append(True)
        except AssertionError:
            verdicts.append(False)
    assert verdicts == [expected, expected]
