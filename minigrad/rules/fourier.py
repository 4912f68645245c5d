"""Discrete Fourier transforms.

A transform is linear, and its matrix is symmetric, so the VJP is the same transform. Two things are added. The input may
have been padded or cut, and this is undone. And the transforms of real arrays leave out half of the coefficients, because
these are conjugates of the other half. Most of the coefficients that are left stand for two, and this is counted.
"""

import numpy as np

from ..table import defvjp

fft = np.fft


def _resized(a, length, axis):
    """Return the first elements along an axis. If there are fewer than `length`, zeros follow."""
    shape = np.shape(a)
    along = (slice(None),) * (axis % len(shape))
    if length <= shape[axis]:
        return a if length == shape[axis] else a[(*along, slice(length))]
    missing = tuple(length - n if i == len(along) else n for i, n in enumerate(shape))
    return np.concatenate([a, np.zeros(missing, np.result_type(a))], axis=axis)


def _twofold(coefficients, n, axis):
    """Return a mask of the coefficients that stand for their conjugates too: all but the first and the middle one."""
    shape = np.shape(coefficients)
    index = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis % len(shape)))
    return (index > 0) & (2 * index < n)


# norm= decides whether a transform or its inverse has the factor 1/n. A transform has the same factor as its inverse has
# under the opposite convention.
_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}

# ---- Along one axis -------------------------------------------------------------------------------------------------
# `length` is the length of the input here.


def _fft(g, length, axis, norm):
    return _resized(fft.fft(g, axis=axis, norm=norm), length, axis)


def _ifft(g, length, axis, norm):
    return _resized(fft.ifft(g, axis=axis, norm=norm), length, axis)


def _rfft(g, length, n, axis, norm):
    """irfft counts a coefficient that stands for two twice, but rfft returned it once. So `g` is halved for these."""
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


# Under the opposite convention, hfft(a) is irfft(conj(a)), and ihfft(a) is conj(rfft(a)).


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
# NumPy transforms one axis after the other, and an axis may come twice. In the transforms of real arrays, rfft or irfft
# transforms the last axis that is given, and fft or ifft the others.


_LAST_AXIS_FIRST = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # in rfftn; this matters only if an axis comes twice


def _passes(a_shape, s, axes):
    """Return the axes in the order in which they are given. Each comes with its length after padding or cutting."""
    if axes is None:
        axes = range(len(a_shape)) if s is None else range(-len(s), 0)
    lengths = [-1] * len(axes) if s is None else s
    return [(axis, a_shape[axis] if n is None or n == -1 else n) for axis, n in zip(axes, lengths)]


def _undone(g, a_shape, passes, transform, norm):
    """Return the cotangent of the input of the passes, which were made in the order of the list."""
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
