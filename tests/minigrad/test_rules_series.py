"""Functions of each element, with derivatives from power series."""

import jax
import jax.numpy as jnp
import numpy as np

from minigrad import grad
from minigrad.rules.series import bessel_i, sinc_derivative

from .support import *


def _jax_sinc(x, k):
    f = jnp.sinc
    for _ in range(k):
        f = jax.grad(f)
    return jnp.vectorize(f)(x)


CASES = [
    case(np.sinc, np.array([0.0, 0.3, -0.7, 1.0, 1.4, -2.5, 7.3])),
    case(np.sinc, 0.4),
    case(np.sinc, complex_array((3,))),
    case(np.i0, np.array([0.3, -0.7, 2.0, -5.0, 12.0])),
    case(np.i0, array((2, 3))),
    Case(sinc_derivative, (np.array([0.6, -0.7, 1.4]), 1), in_jax=_jax_sinc),
    Case(bessel_i, (np.array([0.6, -0.7, 2.4]), 1), in_jax=lambda x, n: jax.scipy.special.i1(x)),
    Case(bessel_i, (np.array([0.6, -1.9]), 0), in_jax=lambda x, n: jax.scipy.special.i0(x)),
]

test_value_and_derivatives = for_each(CASES, check)
test_float32 = for_each(CASES, check_precision, np.float32, 2e-5)


# ---- Special points -------------------------------------------------------------------------------------------------

SPECIAL = [
    (case(np.sinc, 0.0), 0.0),
    (case(np.sinc, 1.0), -1.0),
    (case(np.i0, 0.0), 0.0),
    (case(bessel_i, 0.0, 1), 0.5),
    (case(bessel_i, 0.0, 0), 0.0),
]

test_special_points = for_each(SPECIAL, check_special_point)


def test_second_derivative_of_sinc_at_and_near_zero():
    for x in (0.0, 1e-9, -1e-5):
        assert_close(grad(grad(np.sinc))(x), -np.pi**2 / 3, 1e-9)
    assert_close(grad(grad(grad(grad(np.sinc))))(0.0), np.pi**4 / 5, 1e-14)


def test_sinc_in_float16():
    """The terms of its series are not."""
    x = np.linspace(-3, 3, 41).astype(np.float16)
    for k in (1, 2, 3):
        np.testing.assert_allclose(sinc_derivative(x, k), sinc_derivative(x.astype(float), k), rtol=1e-2, atol=1e-2)
        assert sinc_derivative(x, k).dtype == np.float16


def test_sinc_is_smooth_where_the_series_ends():
    """Derivatives of all orders agree on both sides of the point where they are computed in another way."""
    for k in range(6):
        edge = (2 + k) / np.pi
        inside, outside = sinc_derivative(np.array([edge * (1 - 1e-13), edge * (1 + 1e-13)]), k)
        assert_close(inside, outside, 1e-11 * np.pi**k)


def test_large_bessel_function():
    # https://dlmf.nist.gov/10.40.E1, and the recurrence 10.29.1
    x = np.array([700.0])
    assert_close(bessel_i(x, 0) / np.i0(x), np.ones(1), 1e-12)
    assert_close((bessel_i(x, 0) - bessel_i(x, 2)) * x / (2 * bessel_i(x, 1)), np.ones(1), 1e-10)
