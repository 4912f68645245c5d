"""minigrad.numpy: programs written against jax.numpy run with it, to the same numbers."""

import jax
import jax.numpy as jnp
import numpy
import pytest

import minigrad.numpy as mnp
from minigrad import grad

X = numpy.array([0.5, 1.5, -2.0])

PROGRAMS = {
    "array": lambda np, x: np.sum(np.array([x[0], 2 * x[1], 1.0]) ** 2),
    "array of rows": lambda np, x: np.sum(np.array([[x[0], 2.0], [x[1] * x[2], x[0]]]) ** 3),
    "array of a Tensor": lambda np, x: np.sum(np.array(x) ** 2),
    "array with a dtype": lambda np, x: np.sum(np.array([x[0], x[1]], dtype=np.float32).astype(float) ** 2),
    "array with more axes": lambda np, x: np.sum(np.array([x[0], x[1]], ndmin=3) ** 2 * np.ones((2, 1, 2))),
    "asarray": lambda np, x: np.sum(np.asarray([x[0], x[2]]) ** 2),
    "full": lambda np, x: np.sum(np.full((2, 3), x[0]) * np.arange(6.0).reshape(2, 3)),
    "mean of a list": lambda np, x: np.mean(np.array([x[0] * x[1], x[2]])) ** 2,
    "r_": lambda np, x: np.sum(np.r_[x, 1.0, x[0]] ** 2),
    "c_": lambda np, x: np.sum(np.c_[x, 2 * x] ** 3),
    "fftfreq": lambda np, x: np.sum(np.fft.fftfreq(5, x[0]) * np.arange(5.0)),
    "rfftfreq": lambda np, x: np.sum(np.fft.rfftfreq(5, x[0]) * np.arange(3.0)),
    "norm": lambda np, x: np.linalg.norm(np.array([x[0], x[1]])),
    "what is NumPy's own": lambda np, x: np.sum(np.tanh(np.concatenate([x, x * x]))) + np.pi,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_for_jax(program):
    numpy.testing.assert_allclose(program(mnp, X), program(jnp, X), rtol=1e-14)
    numpy.testing.assert_allclose(grad(lambda x: program(mnp, x))(X), jax.grad(lambda x: program(jnp, x))(X), rtol=1e-12)
    second = grad(lambda x: numpy.sum(grad(lambda x: program(mnp, x))(x) * X))(X)
    in_jax = jax.grad(lambda x: jnp.sum(jax.grad(lambda x: program(jnp, x))(x) * X))(X)
    numpy.testing.assert_allclose(second, in_jax, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", "sum mean std var prod max min cumsum append".split())
def test_lists_of_tensors(name):
    """Which JAX refuses: the same as of the array."""
    more = ([3.0],) if name == "append" else ()
    of_list = grad(lambda x: numpy.sum(getattr(mnp, name)([x[0], x[1] * x[1], x[2]], *more) ** 2))(X)
    of_array = grad(lambda x: numpy.sum(getattr(numpy, name)(numpy.stack([x[0], x[1] * x[1], x[2]]), *more) ** 2))(X)
    numpy.testing.assert_array_equal(of_list, of_array)


def test_kaiser_in_its_parameter():
    weights = numpy.arange(7.0)
    ours = grad(lambda beta: numpy.sum(mnp.kaiser(7, beta) * weights))(2.5)
    step = 1e-6
    difference = (numpy.kaiser(7, 2.5 + step) - numpy.kaiser(7, 2.5 - step)) @ weights / (2 * step)
    numpy.testing.assert_allclose(ours, difference, rtol=1e-8)
    assert mnp.kaiser(1, 2.5) == 1.0 and grad(lambda beta: mnp.kaiser(1, beta)[0])(2.5) == 0.0


def test_plain_values_stay_plain():
    assert mnp.sin is numpy.sin and mnp.float64 is numpy.float64 and "sin" in dir(mnp)
    for call in (lambda np: np.array([1, 2]), lambda np: np.full(2, 3), lambda np: np.r_[1:3, 5], lambda np: np.kaiser(4, 2.0)):
        numpy.testing.assert_array_equal(call(mnp), call(numpy))
        assert call(mnp).dtype == call(numpy).dtype
    with pytest.raises(AttributeError):
        mnp.no_such_function
    with pytest.raises(NotImplementedError, match="np.concatenate"):
        grad(lambda x: mnp.r_["0,2", x, x].sum())(X)
