"""check_grads: what passes, what fails, and what the error says."""

import itertools

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


NOISE = itertools.count(1.0)


@cases({
    "a kink": (lambda x: np.sum(np.abs(x)), (np.array([0.0, 1.0]),), "a kink nearby: the slope is -0.* on the left and"),
    "a constant branch": (lambda x: np.sum(minigrad.stop_gradient(x) ** 2), (np.array([0.5, 1.0]),), "a constant branch"),
    "float32": (lambda x: np.sum(cube(x)), (np.array([0.5, 1.0], np.float32),), "float32: differences"),
    "beside a kink": (lambda x: np.sum(np.abs(x)), (np.array([1e-5, 1.0]),), "a kink nearby, or a step that is too large: with eps=1e-05"),
    "a jump": (lambda x: np.sum(np.where(x > 0.5, 1.0, 0.0) * x), (np.array([0.5, 1.0]),), "a kink nearby"),
    "a constant part": (lambda x: np.sum(minigrad.stop_gradient(x) * x), (np.array([0.5, 1.0]),), "constant to grad"),
    "a steep function": (lambda x: np.sin(3000 * x), (0.3,), "a step that is too large"),
    "noise": (lambda x: x * next(NOISE), (0.3,), "does not return the same twice"),
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


SQUARE, KINKED = np.array([[2.0, 0.3], [0.1, 1.5]]), np.array([0.0, 1.0])


@cases({
    "a smooth function": (lambda x, np: np.sum(np.sin(x) ** 2), KINKED, True),
    "a kink": (lambda x, np: np.sum(np.abs(x)), KINKED, False),
    "beside a kink": (lambda x, np: np.abs(x), KINKED + 1e-5, False),
    "far from a kink": (lambda x, np: np.maximum(x, 0.5), KINKED, True),
    "steps": (lambda x, np: np.floor(x), KINKED + 0.3, True),
    "a jump": (lambda x, np: np.where(x > 0, 1.0, 0.0) * x + np.where(x > 0, 1.0, 0.0), KINKED, False),
    "an infinite slope": (lambda x, np: np.sqrt(x), KINKED, False),
    "NaN": (lambda x, np: np.log(x - 0.5), KINKED, False),
    "a matrix": (lambda x, np: np.linalg.inv(x), SQUARE, True),
    "eigenvalues": (lambda x, np: np.linalg.eigh(x @ x.T)[0], SQUARE, True),
    "complex numbers": (lambda z, np: z * np.exp(z), SQUARE + 1j, True),
    "conj": (lambda z, np: np.conj(z) * z, SQUARE + 1j, True),
    "large numbers": (lambda x, np: 1e6 * np.sin(x), SQUARE, True),
    "small numbers": (lambda x, np: 1e-9 * np.sin(x), SQUARE, True),
    "a constant": (lambda x, np: np.ones(3), SQUARE, True),
    "a transform": (lambda x, np: np.fft.fft(x), SQUARE, True),
    "float32": (lambda x, np: np.sin(x) * x, SQUARE.astype(np.float32), True),
})
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_jax_comes_to_the_same_verdict(case):
    f, x, expected = case
    verdicts = []
    for check, xp in ((check_grads, np), (check_grads_of_jax, jnp)):
        try:
            with jax.enable_x64(True):
                check(lambda x: f(x, xp), (xp.asarray(x),), order=1)
            verdicts.append(True)
        except AssertionError:
            verdicts.append(False)
    assert verdicts == [expected, expected]


def test_what_cannot_be_checked():
    with pytest.raises(TypeError, match="none of the arguments"):
        check_grads(lambda n: n * 2, (3,))
    with pytest.raises(IndexError):
        check_grads(lambda x: x[9], (KINKED,))
