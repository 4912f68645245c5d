"""Moving elements about, copying them, and joining arrays."""

from typing import Literal

import numpy as np

from ..engine import defconstant, defvjp, primitive, sequence

# ---- One array ------------------------------------------------------------------------------------------------------


# An order other than C and F depends on how the array lies in memory, which its cotangent need not share.


def _reshape_a(g, a_shape, shape=None, newshape=None, order: Literal["C", "F"] = "C", copy=None):
    return np.reshape(g, a_shape, order=order)


def _ravel_a(g, a_shape, order: Literal["C", "F"] = "C"):
    return np.reshape(g, a_shape, order=order)


def _inverse(permutation):
    return tuple(np.argsort([i % len(permutation) for i in permutation]))


defvjp(np.reshape,      a=_reshape_a)
defvjp(np.ravel,        a=_ravel_a)
defvjp(np.squeeze,      a=lambda g, a_shape, axis=None: np.reshape(g, a_shape))
defvjp(np.expand_dims,  a=lambda g, a_shape, axis: np.reshape(g, a_shape))
defvjp(np.transpose,    a=lambda g, axes=None: np.transpose(g, None if axes is None else _inverse(axes)))
defvjp(np.swapaxes,     a=lambda g, axis1, axis2: np.swapaxes(g, axis1, axis2))
defvjp(np.moveaxis,     a=lambda g, source, destination: np.moveaxis(g, destination, source))
defvjp(np.broadcast_to, array=lambda g, shape: g)
defvjp(np.copy,         a=lambda g, order="K": g)
defvjp(np.real,         val=lambda g: g)
defvjp(np.imag,         val=lambda g: g * -1j)


@primitive
def astype(x, dtype, casting="unsafe"):
    """The value in another dtype."""
    return np.asarray(x).astype(dtype, casting=casting)[()]


defvjp(astype, x=lambda g, dtype, casting="unsafe": g)

# ---- Several arrays -------------------------------------------------------------------------------------------------


@sequence
def _split(g, arrays_shape, axis=0, dtype=None, casting=None):
    """The parts of g that came from each array; each was flattened where there is no axis."""
    lengths = [np.prod(shape, dtype=int) if axis is None else shape[axis] for shape in arrays_shape]
    ends = np.cumsum(lengths)
    along = (slice(None),) * (0 if axis is None else axis % g.ndim)
    parts = [g[(*along, slice(end - length, end))] for end, length in zip(ends, lengths)]
    return [np.reshape(part, shape) for part, shape in zip(parts, arrays_shape)]


@sequence
def _unstack(g, arrays_shape, axis=0, dtype=None, casting=None):
    along = (slice(None),) * (axis % g.ndim)
    return [g[(*along, i)] for i in range(len(arrays_shape))]


defvjp(np.concatenate, arrays=_split)
defvjp(np.stack,       arrays=_unstack)

# ---- Not about values -----------------------------------------------------------------------------------------------

defconstant(np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.iscomplexobj, np.isrealobj,
            np.result_type, np.array_repr, np.array_str, np.array2string, np.can_cast, np.may_share_memory)
