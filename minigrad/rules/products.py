"""Products of vectors, matrices and tensors, convolutions, and `einsum`."""

import math

import numpy as np

from ..conversions import widened
from ..graph import adding_dtype
from ..table import C_FUNCTIONS, defvjp, sequence
from .composition import defstandin

# For matrices y = a @ b, the cotangent of a is g @ b.T, and the cotangent of b is a.T @ g.
#
# NumPy treats a vector on the left as a matrix of one row, and a vector on the right as a matrix of one column. It
# removes the added axis from y. If an operand has more than two axes, all but the last two count matrices.


def _transposed(matrices):
    return matrices.T if matrices.ndim == 2 else np.swapaxes(matrices, -1, -2)


# If g has fewer axes than one operand, then the other operand is a vector.


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

# np.dot multiplies each row of a (along the last axis) with each column of b (along the last axis but one). If all other
# axes of each operand are joined into one, it is a product of two matrices.


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
# These functions pair an axis of one operand with an axis of the other, and broadcast the rest. Broadcasting aligns the
# last axes, so the paired axes are moved there first.


def summed_to(g, shape):
    """Return the cotangent of a value of that shape. `g` is the cotangent of that value after it was broadcast."""
    added = np.ndim(g) - len(shape)
    axes = (*range(added), *(added + i for i, n in enumerate(shape) if n != np.shape(g)[added + i]))
    return np.reshape(np.sum(g, axis=axes, dtype=adding_dtype(np.result_type(g))), shape) if axes else g


def _from_last(g_last, a_last, axis):
    """Return the cotangent of an operand. `g_last` is the cotangent that it has while the axis is the last one."""
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
    """Return vectors of three components, along the last axis. A third component that is missing is 0."""
    return a if np.shape(a)[-1] == 3 else np.concatenate([a, np.zeros_like(a[..., :1])], axis=-1)


def _cross(g, a, b, axisa, axisb, axisc, axis, of_a):
    """The triple product g . (a x b) equals a . (b x g) and b . (g x a). So the cotangents are b x g and g x a."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if np.shape(a)[-1] == np.shape(b)[-1] == 2:  # of two vectors in the plane, y is the third component
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

# Before NumPy 2.4, `inspect.signature` fails for these two.
C_FUNCTIONS.update(inner=lambda a, b: ..., vdot=lambda a, b: ...)

defvjp(np.outer,
       a=lambda g, a_shape, b: np.reshape(np.matmul(g, np.ravel(b)), a_shape),
       b=lambda g, a, b_shape: np.reshape(np.matmul(np.ravel(a), g), b_shape))
defvjp(np.vdot,
       a=lambda g, a_shape, b: np.reshape(np.conjugate(g * b), a_shape),
       b=lambda g, a, b_shape: np.reshape(g * np.conjugate(a), b_shape))


def _paired(axes, a_ndim, b_ndim):
    """Return the axes of a and of b that tensordot sums over, and the other axes of a and of b."""
    try:
        a_axes, b_axes = axes
    except TypeError:
        a_axes, b_axes = range(a_ndim - axes, a_ndim), range(axes)
    a_axes = [i % a_ndim for i in np.atleast_1d(a_axes).tolist()]
    b_axes = [i % b_ndim for i in np.atleast_1d(b_axes).tolist()]
    return a_axes, b_axes, [i for i in range(a_ndim) if i not in a_axes], [i for i in range(b_ndim) if i not in b_axes]


def tensordot_a(g, a_shape, b, axes=2):
    """Multiply `g` with b, and sum over the axes that `g` has from b. Then put the axes into the order they have in a."""
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
    """Let axes of a and of b alternate, multiply, and join each axis of a with the axis of b that follows it."""
    ndim = max(np.ndim(a), np.ndim(b))
    a_shape, b_shape = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    a = np.reshape(a, [n for length in a_shape for n in (length, 1)])
    b = np.reshape(b, [n for length in b_shape for n in (1, length)])
    return np.reshape(a * b, [m * n for m, n in zip(a_shape, b_shape)])


defstandin(np.kron, _kron, "a", "b")

# ---- Convolution ----------------------------------------------------------------------------------------------------
# The full convolution of m and n numbers is y[k] = sum(a[i] * v[k-i]), with m + n - 1 numbers. So the cotangent of a[i]
# is sum(g[k] * v[k-i]): this is the convolution of g with the reversed v, where the two overlap completely. The modes
# "same" and "valid" return the middle part of the full convolution.


def _full(g, m, n, late=False):
    """Return the cotangent of the full convolution, whose middle part was the result."""
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
    """Correlation is convolution with the reversed conjugate of v.

    If v is longer than a, NumPy exchanges the two and reverses the result. Then its middle part may be one later.
    """
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
# When the arguments are bound, each call is brought into one form: einsum(a, [0, 1], b, [1, 2], [0, 2]). Each axis of an
# operand, and of the result, has a label, which is a number. The VJP is einsum too: the cotangent of the result and the
# operand change places.


# With optimize=True, NumPy turns the labels of lists into letters. Before version 2.3, the labels from 26 on become upper
# case letters, which sort before the others. This matters if the call does not name the labels of the result.
_FROM_26_FIRST = np.lib.NumpyVersion(np.__version__) < "2.3.0"


def _in_one_form(given):
    """Return the arguments of a call, with the operands in that form."""
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
    # An ellipsis stands for the axes without a label. They get labels that are not in use, and are aligned at the last.
    counts = [np.ndim(a) - len(labels) + 1 if Ellipsis in labels else 0 for a, labels in zip(operands, inputs)]
    longest = max(counts, default=0)
    free = [label for label in range(52) if label not in used][:longest]
    inputs = [_expanded(labels, free[longest - n:]) for labels, n in zip(inputs, counts)]
    return {**given, "operands": [*(x for pair in zip(operands, inputs) for x in pair), _expanded(result, free)]}


def _labels(term):
    """Return numbers for the letters of a term such as ``ij`` or ``...k``. They sort as the letters do in NumPy."""
    letters = term.replace("...", ".")
    return [Ellipsis if c == "." else ord(c) - ord("A") if c <= "Z" else ord(c) - ord("a") + 26 for c in letters]


def _expanded(labels, instead):
    parts = [instead if label is Ellipsis else [label] for label in labels]
    return np.array([label for part in parts for label in part], int)


def _einsum_operand(i, g, operands, optimize):
    """Return the cotangent of ``operands[i]``, whose labels are ``operands[i + 1]``."""
    a_shape, labels = np.shape(operands[i]), operands[i + 1].tolist()
    terms = [widened(term) for term in (*operands[:i], g, operands[-1], *operands[i + 2:-1])]
    lengths = [pair for a, numbers in zip(terms[::2], terms[1::2]) for pair in zip(numbers.tolist(), np.shape(a))]
    long = {label for label, n in lengths if n != 1}
    # einsum fills an axis if one of the terms has its label with a length other than 1. Every other axis gets the length
    # 1, and is broadcast at the end. Either it was stretched, and einsum sums over it; or its elements all get the same.
    # If several axes have the same label, the first is filled. The elements that are not on their diagonal are zero.
    filled = [n != 1 and label in long and label not in labels[:k] for k, (label, n) in enumerate(zip(labels, a_shape))]
    share = np.einsum(*terms, [label for label, fill in zip(labels, filled) if fill], optimize=optimize)
    share = np.reshape(share, [n if fill else 1 for n, fill in zip(a_shape, filled)])
    for k, label in enumerate(labels):
        if label in labels[:k]:
            share = np.where(_diagonal(labels.index(label), k, a_shape), share, 0)
    return np.broadcast_to(share, a_shape)


def _diagonal(i, k, shape):
    """Return a mask that is true where the indices along the axes i and k are equal."""
    along = [np.arange(n).reshape(-1, *[1] * (len(shape) - 1 - axis)) for axis, n in enumerate(shape)]
    return along[i] == along[k]


class _Shares:
    """The cotangents of the operands. Each is computed when it is asked for, because some operands are constants."""

    def __init__(self, *args):
        self.args = args

    def __getitem__(self, i):
        return _einsum_operand(i, *self.args)


@sequence
def _einsum_operands(g, operands, optimize=False, dtype=None, order="K", casting="safe"):
    return _Shares(g, operands, optimize)


defvjp(np.einsum, _in_one_form, operands=_einsum_operands)
