"""Discrete Fourier transforms.

A transform is linear, and its matrix symmetric: so the cotangent is transformed like the value. What remains is to
undo the padding or cutting of the input; and to count what the transforms of real arrays leave out, the coefficients
that are the conjugates of others.
"""

import numpy as np

from ..table import defvjp

fft = np.fft


def _resized(a, length, axis):
    """The first elements along an axis, that many, with zeros for those that there are not."""
    shape = np.shape(a)
    along = (slice(None),) * (axis % len(shape))
    if length <= shape[axis]:
        return a if length == shape[axis] else a[(*along, slice(length))]
    missing = tuple(length - n if i == len(along) else n for i, n in enumerate(shape))
    return np.concatenate([a, np.zeros(missing, np.result_type(a))], axis=axis)


def _twofold(coefficients, n, axis):
    """Which coefficients of n real numbers stand for their conjugates too: not the first, nor the middle one."""
    shape = np.shape(coefficients)
    index = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis % len(shape)))
    return (index > 0) & (2 * index < n)


# The factor of a transform there is that of the transform back in the opposite convention.
_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}

# ---- Along one axis -------------------------------------------------------------------------------------------------
# In what follows `length` is that of the input.


def _fft(g, length, axis, norm):
    return _resized(fft.fft(g, axis=axis, norm=norm), length, axis)


def _ifft(g, length, axis, norm):
    return _resized(fft.ifft(g, axis=axis, norm=norm), length, axis)


def _rfft(g, length, n, axis, norm):
    """irfft takes a twofold coefficient two times, but rfft returns it once."""
    g = np.conjugate(g)
    x = fft.irfft(np.where(_twofold(g, n, axis), g / 2, g), n, axis=axis, norm=_OPPOSITE[norm])
    return _resized(x, length, axis)


def _irfft(g, length, axis, norm):
    coefficients = np.conjugate(fft.rfft(g, axis=axis, norm=_OPPOSITE[norm]))
    twofold = _twofold(coefficients, np.shape(g)[axis], axis)
    return _resized(np.where(twofold, 2 * coefficients, coefficients), length, axis)


def _fft_a(g, a_shape, n=None, axis=-1, norm=None):
    return _fft(g, a_shape[axis], axis, norm)


def _ifft_a(g, a_shape, n=None, axis=-1, norm=None):
    return _ifft(g, a_shape[axis], axis, norm)


def _rfft_a(g, a_shape, n=None, axis=-1, norm=None):
    return _rfft(g, a_shape[axis], a_shape[axis] if n is None else n, axis, norm)


def _irfft_a(g, a_shape, n=None, axis=-1, norm=None):
    return _irfft(g, a_shape[axis], axis, norm)


# hfft(a) is irfft(conj(a)), and ihfft(a) is conj(rfft(a)), in the opposite convention.


def _hfft_a(g, a_shape, n=None, axis=-1, norm=None):
    return np.conjugate(_irfft_a(g, a_shape, n, axis, _OPPOSITE[norm]))


def _ihfft_a(g, a_shape, n=None, axis=-1, norm=None):
    return _rfft_a(np.conjugate(g), a_shape, n, axis, _OPPOSITE[norm])


defvjp(fft.fft,   a=_fft_a)
defvjp(fft.ifft,  a=_ifft_a)
defvjp(fft.rfft,  a=_rfft_a)
defvjp(fft.irfft, a=_irfft_a)
defvjp(fft.hfft,  a=_hfft_a)
defvjp(fft.ihfft, a=_ihfft_a)

# ---- Along several axes ---------------------------------------------------------------------------------------------
# One after the other, which may even be the same again. The transforms of real arrays do the last axis as above, on
# the side where the numbers are real, and the others as fft does.


_LAST_AXIS_FIRST = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # rfftn; it makes a difference only if axes repeat


def _passes(a_shape, s, axes):
    """The axes, in NumPy's order, each with the length that it is brought to."""
    if axes is None:
        axes = range(len(a_shape)) if s is None else range(-len(s), 0)
    lengths = [-1] * len(axes) if s is None else s
    return [(axis, a_shape[axis] if n is None or n == -1 else n) for axis, n in zip(axes, lengths)]


def _undone(g, a_shape, passes, transform, norm):
    """The cotangent of the input, when there was a pass for each axis, from the first of the list on."""
    lengths = list(a_shape)
    found = []
    for axis, n in passes:
        found.append((axis, lengths[axis]))
        lengths[axis] = n
    for axis, length in reversed(found):
        g = transform(g, length, axis, norm)
    return g


def _fftn_a(g, a_shape, s=None, axes=None, norm=None):
    return _undone(g, a_shape, _passes(a_shape, s, axes)[::-1], _fft, norm)


def _ifftn_a(g, a_shape, s=None, axes=None, norm=None):
    return _undone(g, a_shape, _passes(a_shape, s, axes)[::-1], _ifft, norm)


def _rfftn_a(g, a_shape, s=None, axes=None, norm=None):
    *others, (axis, n) = _passes(a_shape, s, axes)
    half = tuple(n // 2 + 1 if i == axis % len(a_shape) else length for i, length in enumerate(a_shape))
    g = _undone(g, half, others[::-1] if _LAST_AXIS_FIRST else others, _fft, norm)
    return _rfft(g, a_shape[axis], n, axis, norm)


def _irfftn_a(g, a_shape, s=None, axes=None, norm=None):
    *others, (axis, _) = _passes(a_shape, s, axes)
    shape = list(a_shape)
    for other, n in others:
        shape[other] = n
    g = _irfft(g, shape[axis], axis, norm)
    return _undone(g, a_shape, others, _ifft, norm)


def _in_two_dimensions(vjp):
    return lambda g, a_shape, s=None, axes=(-2, -1), norm=None: vjp(g, a_shape, s, axes, norm)


defvjp(fft.fftn,   a=_fftn_a)
defvjp(fft.ifftn,  a=_ifftn_a)
defvjp(fft.rfftn,  a=_rfftn_a)
defvjp(fft.irfftn, a=_irfftn_a)
defvjp(fft.fft2,   a=_in_two_dimensions(_fftn_a))
defvjp(fft.ifft2,  a=_in_two_dimensions(_ifftn_a))
defvjp(fft.rfft2,  a=_in_two_dimensions(_rfftn_a))
defvjp(fft.irfft2, a=_in_two_dimensions(_irfftn_a))

# ---- Order ----------------------------------------------------------------------------------------------------------

defvjp(fft.fftshift,  x=lambda g, axes=None: fft.ifftshift(g, axes))
defvjp(fft.ifftshift, x=lambda g, axes=None: fft.fftshift(g, axes))
