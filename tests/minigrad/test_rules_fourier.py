"""Discrete Fourier transforms."""

import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad

from .support import *


def _case(name, *args, **kwargs):
    return Case(getattr(np.fft, name), args, kwargs, in_jax=getattr(jnp.fft, name))


def _of(name, shape):
    """An array of the kind that a transform is for."""
    return array(shape) if name.startswith(("rfft", "ihfft")) else complex_array(shape)


# As they come; even and odd lengths; cut, padded, and padded to an odd length; each of the conventions.
ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
CASES = [
    _case(name, _of(name, shape), **kwargs)
    for name in ONE_AXIS
    for shape, kwargs in [
        ((6,), {}),
        ((5,), {}),
        ((2,), {}),
        ((5,), {"n": 3}),
        ((5,), {"n": 4}),
        ((3,), {"n": 8}),
        ((3,), {"n": 7}),
        ((4,), {"n": 1}),
        ((4,), {"n": 2}),
        ((2, 4), {}),
        ((4, 3), {"axis": 0}),
        ((2, 4, 3), {"n": 5, "axis": 1}),
        ((2, 4, 3), {"n": 3, "axis": -2}),
        ((4,), {"norm": "backward"}),
        ((4,), {"norm": "ortho"}),
        ((5,), {"norm": "forward"}),
        ((5,), {"n": 7, "norm": "ortho"}),
        ((2, 5), {"n": 4, "norm": "forward"}),
        ((0, 4), {}),
    ]
]
CASES += [_case(name, array((5,))) for name in ("fft", "ifft", "irfft", "hfft")]
CASES += [_case(name, array((1,))) for name in ("fft", "ifft", "rfft", "ihfft")]

TWO_AXES = ["fft2", "ifft2", "rfft2", "irfft2"]
CASES += [
    _case(name, _of(name, shape), **kwargs)
    for name in TWO_AXES
    for shape, kwargs in [
        ((3, 4), {}),
        ((2, 4, 3), {"norm": "ortho"}),
        ((3, 4), {"s": (4, 3)}),
        ((3, 2, 4), {"axes": (0, 2), "norm": "forward"}),
        ((3, 2, 4), {"s": (2, 5), "axes": (2, 0)}),
    ]
]
ALL_AXES = ["fftn", "ifftn", "rfftn", "irfftn"]
CASES += [
    _case(name, _of(name, shape), **kwargs)
    for name in ALL_AXES
    for shape, kwargs in [
        ((5,), {}),
        ((2, 3, 4), {}),
        ((2, 3, 4), {"norm": "ortho"}),
        ((2, 3, 4), {"axes": (1,), "norm": "forward"}),
        ((2, 3, 4), {"axes": (2, 0)}),
        ((2, 3, 4), {"s": (4, 2, 5), "axes": (0, 1, 2)}),
        ((2, 3, 4), {"s": (3, 2), "axes": (-1, 1), "norm": "backward"}),
    ]
]
CASES += [
    _case(name, x, **kwargs)
    for name in ("fftshift", "ifftshift")
    for x, kwargs in [
        (array((5,)), {}),
        (array((4, 3)), {}),
        (array((4, 3)), {"axes": 1}),
        (array((5, 2, 3)), {"axes": (0, -1)}),
        (complex_array((3, 4)), {"axes": 0}),
    ]
]

# An axis more than once, and lengths that are given as -1, for that of the array: JAX does not know these.
ONLY_IN_NUMPY = [
    _case(name, _of(name, (3, 4, 5)), **kwargs)
    for name in ALL_AXES
    for kwargs in [{"axes": (0, 0)}, {"s": (5, 2, 4), "axes": (1, 1, 2)}, {"s": (2, -1), "axes": (0, 1)}]
]

test_value_and_derivatives = for_each(CASES, check)
test_value_and_derivatives_of_what_is_only_in_numpy = for_each(ONLY_IN_NUMPY, check, against_jax=False)
test_float32 = for_each(CASES, check_precision, np.float32, 1e-6)


@pytest.mark.parametrize("name", ALL_AXES)
@pytest.mark.filterwarnings("ignore:.*should not be .None.:DeprecationWarning")
def test_lengths_without_axes_are_those_of_the_last_axes(name):
    check(_case(name, _of(name, (2, 3, 4)), s=(4, 2)))


def test_energy():
    """Parseval: the gradient of the energy of the spectrum is 2 n x."""
    x = array((7,))
    assert_close(grad(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(x), 14 * x, 1e-14)


@pytest.mark.parametrize("name", [*ONE_AXIS, *TWO_AXES, *ALL_AXES])
def test_an_array_to_write_into_is_refused(name):
    x = _of(name, (4, 4))
    out = np.zeros_like(getattr(np.fft, name)(x))
    with pytest.raises(NotImplementedError, match="does not support out="):
        grad(lambda x: np.sum(np.real(getattr(np.fft, name)(x, out=out))))(x)
    assert not out.any()


REFUSED = [lambda x: np.fft.fft(x, n=0), lambda x: np.fft.rfft(x, axis=1), lambda x: np.fft.ifft(x, norm="no")]


@pytest.mark.parametrize("call", REFUSED, ids=["length", "axis", "norm"])
def test_what_numpy_refuses_is_refused(call):
    for f in (call, grad(lambda x: np.sum(np.real(call(x))))):
        with pytest.raises((ValueError, IndexError)):
            f(np.ones(3))
