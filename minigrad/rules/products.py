"""Products of vectors and matrices."""

import math

import numpy as np

from ..table import C_FUNCTIONS, defvjp, sequence
from .composition import defstandin

# For matrices y = a @ b the rules are g @ b.T for a, and a.T @ g for b. In NumPy a vector counts as one row on the
# left, or as one column on the right, and y lacks that axis. With more axes, all but the last two are a batch.


def _transposed(matrices):
    return matrices.T if matrices.ndim == 2 else np.swapaxes(matrices, -1, -2)


# In g, the axis that a vector lacks is missing too: where g has fewer axes than one operand, the other is a vector.


def matmul_a(g, b):
    if b.ndim == 1:
        return g * b if g.ndim == 0 else np.matmul(g[..., None], b[None])
    if g.ndim < b.ndim:
        return np.matmul(b, g[..., None])[..., 0]
    return np.matmul(g, _transposed(b))


def matmul_b(g, a):
    if a.ndim == 1:
        return g * a if g.ndim == 0 else np.matmul(a[:, None], g[..., None, :])
    if g.ndim < a.ndim:
        return np.matmul(g, a) if a.ndim == 2 else np.matmul(g[..., None, :], a)[..., 0, :]
    return np.matmul(_transposed(a), g)


defvjp(np.matmul, a=matmul_a, b=matmul_b)

# np.dot pairs every row of a (its last axis) with every column of b (its last axis but one). It is a product of two
# matrices, when all other axes of each are taken as one.


def _rows(a_shape):
    return math.prod(a_shape[:-1]), a_shape[-1]


def _dot_a(g, a_shape, b):
    if a_shape == () or np.ndim(b) == 0:
        return g * b
    m, n = _rows(a_shape)
    b_shape = np.shape(b)
    count = math.prod(b_shape[:-2] + b_shape[-1:]) if len(b_shape) > 1 else 1
    columns = np.reshape(np.moveaxis(b, -2, 0) if len(b_shape) > 1 else b, (n, count))
    return np.reshape(np.matmul(np.reshape(g, (m, count)), np.transpose(columns)), a_shape)


def _dot_b(g, a, b_shape):
    if np.ndim(a) == 0 or b_shape == ():
        return g * a
    m, n = _rows(np.shape(a))
    outer, last = b_shape[:-2], b_shape[-1:] if len(b_shape) > 1 else ()
    product = np.matmul(np.transpose(np.reshape(a, (m, n))), np.reshape(g, (m, math.prod(outer + last))))
    product = np.reshape(product, (n, *outer, *last))
    return np.moveaxis(product, 0, -2) if len(b_shape) > 1 else product


defvjp(np.dot, a=_dot_a, b=_dot_b)

# ---- Along an axis of each ------------------------------------------------------------------------------------------
# What pairs an axis of one operand with an axis of the other is not aligned for broadcasting before these are last.


def summed_to(g, shape):
    """The cotangent of a value of that shape, from that of what it was broadcast to."""
    added = np.ndim(g) - len(shape)
    axes = (*range(added), *(added + i for i, n in enumerate(shape) if n != np.shape(g)[added + i]))
    return np.reshape(np.sum(g, axis=axes), shape) if axes else g


def _from_last(g_last, a_last, axis):
    """The cotangent of an operand, from one that fits when its axis is last."""
    return np.moveaxis(summed_to(g_last, np.shape(a_last)), -1, axis)


def _with_axis_last(g, a, b, axis, keepdims):
    return np.moveaxis(g, axis, -1) if keepdims else g[..., None], np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)


def _vecdot_a(g, a, b, axis=-1, keepdims=False):
    """The result is sum(conj(a) * b)."""
    g, a, b = _with_axis_last(g, a, b, axis, keepdims)
    return _from_last(np.conjugate(g * b), a, axis)


def _vecdot_b(g, a, b, axis=-1, keepdims=False):
    g, a, b = _with_axis_last(g, a, b, axis, keepdims)
    return _from_last(g * np.conjugate(a), b, axis)


defvjp(np.vecdot, a=_vecdot_a, b=_vecdot_b)
if hasattr(np, "matvec"):  # since NumPy 2.2
    defvjp(np.matvec,
           a=lambda g, b: g[..., :, None] * b[..., None, :],
           b=lambda g, a: np.matmul(_transposed(a), g[..., :, None])[..., 0])
    defvjp(np.vecmat,
           a=lambda g, b: np.conjugate(np.matmul(b, g[..., :, None])[..., 0]),
           b=lambda g, a: np.conjugate(a)[..., :, None] * g[..., None, :])


def _in_space(a):
    """Vectors along the last axis, with a third component, which counts as 0 where it is missing."""
    return a if np.shape(a)[-1] == 3 else np.concatenate([a, np.zeros_like(a[..., :1])], axis=-1)


def _cross(g, a, b, axisa, axisb, axisc, axis, of_a):
    """The triple product g . (a x b) is a . (b x g), and b . (g x a)."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if np.shape(a)[-1] == np.shape(b)[-1] == 2:  # two vectors in the plane: y is the third component
        g = np.stack([np.zeros_like(g), np.zeros_like(g), g], axis=-1)
    else:
        g = np.moveaxis(g, axisc, -1)
    if of_a:
        return _from_last(np.cross(_in_space(b), g)[..., :np.shape(a)[-1]], a, axisa)
    return _from_last(np.cross(g, _in_space(a))[..., :np.shape(b)[-1]], b, axisb)


def cross_a(g, a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    return _cross(g, a, b, axisa, axisb, axisc, axis, True)


def cross_b(g, a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    return _cross(g, a, b, axisa, axisb, axisc, axis, False)


defvjp(np.cross, a=cross_a, b=cross_b)

# ---- Every element of one with every element of the other -----------------------------------------------------------

# Before NumPy 2.4 these two do not tell their parameters.
C_FUNCTIONS.update(inner=lambda a, b: ..., vdot=lambda a, b: ...)

defvjp(np.outer,
       a=lambda g, a_shape, b: np.reshape(np.matmul(g, np.ravel(b)), a_shape),
       b=lambda g, a, b_shape: np.reshape(np.matmul(np.ravel(a), g), b_shape))
defvjp(np.vdot,
       a=lambda g, a_shape, b: np.reshape(np.conjugate(g * b), a_shape),
       b=lambda g, a, b_shape: np.reshape(g * np.conjugate(a), b_shape))


def _paired(axes, a_ndim, b_ndim):
    """The axes that tensordot sums over, of either operand, as numbers from 0 on; and those that are left."""
    try:
        a_axes, b_axes = axes
    except TypeError:
        a_axes, b_axes = range(a_ndim - axes, a_ndim), range(axes)
    a_axes = [i % a_ndim for i in np.atleast_1d(a_axes).tolist()]
    b_axes = [i % b_ndim for i in np.atleast_1d(b_axes).tolist()]
    return a_axes, b_axes, [i for i in range(a_ndim) if i not in a_axes], [i for i in range(b_ndim) if i not in b_axes]


def tensordot_a(g, a_shape, b, axes=2):
    """The product of g with b over the axes that come from b; its axes are then put where they are in a."""
    a_axes, b_axes, a_left, b_left = _paired(axes, len(a_shape), np.ndim(b))
    product = np.tensordot(g, b, (list(range(len(a_left), np.ndim(g))), b_left))
    partners = [a_axes[b_axes.index(i)] for i in sorted(b_axes)]
    return np.transpose(product, np.argsort(np.array(a_left + partners, int)).tolist())


def tensordot_b(g, a, b_shape, axes=2):
    a_axes, b_axes, a_left, b_left = _paired(axes, np.ndim(a), len(b_shape))
    product = np.tensordot(a, g, (a_left, list(range(len(a_left)))))
    partners = [b_axes[a_axes.index(i)] for i in sorted(a_axes)]
    return np.transpose(product, np.argsort(np.array(partners + b_left, int)).tolist())


def _inner_axes(a_ndim, b_ndim):
    return (-1, -1) if a_ndim and b_ndim else 0


defvjp(np.tensordot, a=tensordot_a, b=tensordot_b)
defvjp(np.inner,
       a=lambda g, a_shape, b: tensordot_a(g, a_shape, b, _inner_axes(len(a_shape), np.ndim(b))),
       b=lambda g, a, b_shape: tensordot_b(g, a, b_shape, _inner_axes(np.ndim(a), len(b_shape))))


def _kron(a, b):
    """Every number of a times all of b: the axes of a and of b in turns, and then each two of them as one."""
    ndim = max(np.ndim(a), np.ndim(b))
    a_shape, b_shape = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    a = np.reshape(a, [n for length in a_shape for n in (length, 1)])
    b = np.reshape(b, [n for length in b_shape for n in (1, length)])
    return np.reshape(a * b, [m * n for m, n in zip(a_shape, b_shape)])


defstandin(np.kron, _kron, "a", "b")

# ---- Convolution ----------------------------------------------------------------------------------------------------
# The full convolution of m and n numbers has m + n - 1. Its cotangent, convolved with one operand backwards, and
# taken where the two overlap in full, is that of the other operand. The modes "same" and "valid" are part of the full.


def _full(g, m, n, late=False):
    """The cotangent of the full convolution, of which the result was the middle part."""
    missing = m + n - 1 - len(g)
    before = (missing + late) // 2
    zeros = np.zeros(missing, np.result_type(g))
    return np.concatenate([zeros[:before], g, zeros[before:]])


def convolve_a(g, a_shape, v, mode="full"):
    v = np.ravel(v)
    return np.reshape(np.convolve(_full(g, math.prod(a_shape), len(v)), v[::-1], "valid"), a_shape)


def convolve_v(g, a, v_shape, mode="full"):
    return convolve_a(g, v_shape, a)


def _correlate_a(g, a_shape, v, mode="valid"):
    """Correlation is convolution with the conjugate of v, backwards. With v longer, NumPy does the reverse."""
    v = np.ravel(v)
    m = math.prod(a_shape)
    return np.reshape(np.convolve(_full(g, m, len(v), m < len(v)), np.conjugate(v), "valid"), a_shape)


def _correlate_v(g, a, v_shape, mode="valid"):
    a = np.ravel(a)
    n = math.prod(v_shape)
    product = np.convolve(_full(g, len(a), n, len(a) < n), a[::-1], "valid")
    return np.reshape(np.conjugate(product[::-1]), v_shape)


defvjp(np.convolve,  a=convolve_a,  v=convolve_v)
defvjp(np.correlate, a=_correlate_a, v=_correlate_v)

# ---- Einstein's summation -------------------------------------------------------------------------------------------
# Every call is brought into one form: einsum(a, [0, 1], b, [1, 2], [0, 2]), a number for every axis of an operand, and
# of the result. To get from the cotangent of the result to that of an operand, the two change places.


# When it optimizes, NumPy gives letters to the numbers of lists: before version 2.3, upper case ones to those from
# 26 on, which brings them to the front of a result that is not given.
_FROM_26_FIRST = np.lib.NumpyVersion(np.__version__) < "2.3.0"


def _in_one_form(given):
    """The arguments of a call, with the operands in that form."""
    args = given["operands"]
    if isinstance(args[0], str):
        terms, arrow, output = args[0].replace(" ", "").partition("->")
        operands, inputs = args[1:], [_labels(term) for term in terms.split(",")]
        result = _labels(output) if arrow else None
    else:
        end = len(args) // 2 * 2
        operands, inputs = args[:end:2], [list(labels) for labels in args[1:end:2]]
        result = list(args[end]) if end < len(args) else None
    used = [label for labels in inputs for label in labels if label is not Ellipsis]
    if result is None:
        moved = _FROM_26_FIRST and not isinstance(args[0], str) and given.get("optimize", False) is not False
        single = [label for label in used if used.count(label) == 1]
        result = [Ellipsis, *sorted(single, key=lambda label: (moved and label < 26, label))]
    # An ellipsis stands for the axes that have no label. It gets as many as it needs, aligned at the last.
    counts = [np.ndim(a) - len(labels) + 1 if Ellipsis in labels else 0 for a, labels in zip(operands, inputs)]
    longest = max(counts, default=0)
    free = [label for label in range(52) if label not in used][:longest]
    inputs = [_expanded(labels, free[longest - n:]) for labels, n in zip(inputs, counts)]
    return {**given, "operands": [*(x for pair in zip(operands, inputs) for x in pair), _expanded(result, free)]}


def _labels(term):
    """The numbers for the letters of a term such as ``ij`` or ``...k``; sorted, they are in the order of NumPy's."""
    letters = term.replace("...", ".")
    return [Ellipsis if c == "." else ord(c) - ord("A") if c <= "Z" else ord(c) - ord("a") + 26 for c in letters]


def _expanded(labels, instead):
    parts = [instead if label is Ellipsis else [label] for label in labels]
    return np.array([label for part in parts for label in part], int)


def _einsum_operand(i, g, operands, optimize):
    """The cotangent of the operand at place i, where its number i + 1 is that of its labels."""
    a_shape, labels = np.shape(operands[i]), operands[i + 1].tolist()
    terms = [*operands[:i], g, operands[-1], *operands[i + 2:-1]]
    lengths = [pair for a, numbers in zip(terms[::2], terms[1::2]) for pair in zip(numbers.tolist(), np.shape(a))]
    long = {label for label, n in lengths if n != 1}
    # An axis that was stretched is summed over; so is one that nothing else has, where all elements get the same.
    # Of several axes with the same label, the first is filled, and then all is zero but their diagonal.
    filled = [n != 1 and label in long and label not in labels[:k] for k, (label, n) in enumerate(zip(labels, a_shape))]
    share = np.einsum(*terms, [label for label, fill in zip(labels, filled) if fill], optimize=optimize)
    share = np.reshape(share, [n if fill else 1 for n, fill in zip(a_shape, filled)])
    for k, label in enumerate(labels):
        if label in labels[:k]:
            share = np.where(_diagonal(labels.index(label), k, a_shape), share, 0)
    return np.broadcast_to(share, a_shape)


def _diagonal(i, k, shape):
    """Where the indices along the axes i and k are the same."""
    along = [np.arange(n).reshape(-1, *[1] * (len(shape) - 1 - axis)) for axis, n in enumerate(shape)]
    return along[i] == along[k]


class _Shares:
    """The cotangents of the operands, each found when it is asked for: nobody asks for those of constants."""

    def __init__(self, *args):
        self.args = args

    def __getitem__(self, i):
        return _einsum_operand(i, *self.args)


@sequence
def _einsum_operands(g, operands, optimize=False, dtype=None, order="K", casting="safe"):
    return _Shares(g, operands, optimize)


defvjp(np.einsum, _in_one_form, operands=_einsum_operands)
