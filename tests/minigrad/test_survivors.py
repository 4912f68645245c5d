"""Tests for faults that other tests did not notice when they were put into minigrad on purpose (see tests/mutation)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import defvjp, grad, primitive, value_and_grad

from .support import notes

# ---- Writing --------------------------------------------------------------------------------------------------------


def test_a_part_is_written_into_another_part():
    """A view of the same array is no reason to write nothing: only the view at the same index is."""

    def f(t):
        y = t * 1
        y[:2] = y[2:4]
        y[4:] = y[3:5]
        return (y * np.array([1.0, 2, 3, 4, 5, 6])).sum()

    np.testing.assert_array_equal(grad(f)(np.ones(6)), [0, 0, 1 + 3, 2 + 4 + 5, 6, 0])


@pytest.mark.parametrize("narrow, wide, n", [(np.complex64, np.float64, 3), (np.float32, np.float64, 1), (np.float16, np.float32, 1)])
def test_a_result_of_another_dtype_takes_the_dtype_of_what_it_is_written_into(narrow, wide, n):
    """The elements of both have the same size, or there is only one. So they lie in memory in the same way."""
    seen = []

    def f(t):
        y = t.astype(narrow)
        np.multiply(t, t, out=y)
        seen.append(y.dtype)
        return (y * y).real.sum()

    x = np.linspace(0.5, 1.5, n, dtype=wide)
    assert grad(f)(x).dtype == wide
    np.testing.assert_allclose(grad(f)(x), 4 * x**3, rtol=2e-3 if narrow is np.float16 else 1e-6)
    assert set(seen) == {np.dtype(narrow)}


# ---- What is kept ---------------------------------------------------------------------------------------------------


def test_the_same_bytes_read_as_another_dtype_are_another_array():
    """A large array is copied once for all its uses. After its dtype was changed in place, it holds other numbers."""
    a = np.arange(1.0, 4097)
    bits = a.view(np.int64).copy()

    def f(t):
        y = (t * a).sum()
        a.dtype = np.int64
        z = (t * a).sum()
        return y + z

    np.testing.assert_allclose(grad(f)(np.zeros(4096)), np.arange(1.0, 4097) + bits, rtol=1e-15)


# ---- Rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [30_000, 10_000, 10_001, 20_001])
@pytest.mark.parametrize("z", [0.5, 0.5 + 1j])
def test_the_cotangent_of_a_number_that_multiplied_a_long_complex_array(z, n):
    w = np.cos(np.arange(n)) * (1 + 2j)
    v = np.sin(np.arange(n)) + 1j
    expected = (v * w).sum()
    gradient = grad(lambda z: (v * (z * w)).sum().real)(z)
    np.testing.assert_allclose(gradient, expected if isinstance(z, complex) else expected.real, rtol=1e-12)


def test_a_rule_that_uses_a_value_from_outside_that_is_differentiated():
    def f(x):
        @primitive
        def square(v):
            return v * v

        defvjp(square, v=lambda g: g * x)
        return square(x).sum()

    message = "a rule uses a value that is being differentiated and is not one of its arguments"
    for x in (2.0, np.ones(2)):
        with pytest.raises(TypeError, match=message):
            grad(f)(x)
    with pytest.raises(TypeError, match=message):
        grad(lambda x: grad(f)(x))(2.0)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("other", [0.0, np.zeros(3)])
def test_an_infinite_cotangent_at_a_maximum(name, other):
    """The operand that is not taken gets the cotangent times zero, as in JAX: where it is infinite, this is NaN."""

    def f(x, xp):
        return xp.sum(xp.sqrt(getattr(xp, name)(x, other)))

    x = np.array([-1.0, 0.0, 2.0])
    with np.errstate(all="ignore"):
        gradient = grad(lambda x: f(x, np))(x)
    expected = [np.nan, np.inf, 0.5 / np.sqrt(2)] if name == "maximum" else [np.nan, np.inf, np.nan]
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)
    np.testing.assert_allclose(jax.grad(lambda x: f(x, jnp))(x), expected, rtol=1e-15)

# ---- The fast way ---------------------------------------------------------------------------------------------------


def test_the_remainder_of_a_number_stays_a_number():
    """So it takes the dtype of the array that it meets, and a remainder by 0 is NaN, as in NumPy."""
    seen = []

    def f(t):
        rest = t % 2.0
        seen.append((type(rest.value), (rest * np.ones(2, np.float32)).dtype))
        seen.append((type((5.5 % t).value), ((5.5 % t) * np.ones(2, np.float32)).dtype))
        return rest * 3.0 + 5.5 % t

    assert grad(f)(2.25) == 3.0 - 5.5 // 2.25
    assert set(seen) == {(float, np.dtype(np.float32))}
    with np.errstate(all="ignore"):
        assert np.isnan(value_and_grad(lambda t: t % 0.0)(2.25)[0])


# ---- Errors ---------------------------------------------------------------------------------------------------------


def test_an_error_gets_no_note_if_the_second_run_fails_in_another_way():
    errors = [ValueError("first"), KeyError("second")]

    @primitive
    def same(x):
        return x * 1

    def fail(g):
        raise errors.pop(0)

    defvjp(same, x=fail)
    assert notes(grad(same), 2.0, error=ValueError) == []
    assert not errors  # so there was a second run
    errors += [ValueError("first"), ValueError("second")]
    assert len(notes(grad(same), 2.0, error=ValueError)) == 1
