"""Linear algebra: products, equations, determinants and norms. Also the diagonals and triangles of matrices.

Matrices are in the last two axes. The other axes count matrices. Rules that are not school mathematics are from M. B.
Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic differentiation",
2008, unless a comment names another source.
"""

import math

import numpy as np

from ..conversions import astype, widened
from ..table import defcomposition, defvjp, primitive, sequence
from .composition import defstandin, through
from .matrices import H, T, as_diagonal, column, conj, eye, row, scalar
from .products import cross_a, cross_b
from .reductions import others

# ---- Diagonals and triangles ----------------------------------------------------------------------------------------


@primitive
def on_diagonal(values, shape, offset=0, axis1=0, axis2=1):
    """Return zeros of that shape, with the values on a diagonal. This is the VJP of np.diagonal."""
    out = np.zeros(shape, values.dtype)
    i = np.arange(values.shape[-1])
    np.moveaxis(out, (axis1, axis2), (-2, -1))[..., i + max(-offset, 0), i + max(offset, 0)] = values
    return out


def _diag_v(g, v_shape, k=0):
    return np.diagonal(g, k) if len(v_shape) == 1 else on_diagonal(g, v_shape, k)


def _trace_a(g, a_shape, offset=0, axis1=0, axis2=1, dtype=None):
    rows, columns = a_shape[axis1], a_shape[axis2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    values = np.broadcast_to(np.expand_dims(g, -1), (*np.shape(g), length))
    return on_diagonal(values, a_shape, offset, axis1, axis2)


defvjp(on_diagonal,
       values=lambda g, shape, offset=0, axis1=0, axis2=1: np.diagonal(g, offset, axis1, axis2))
defvjp(np.diagonal,
       a=lambda g, a_shape, offset=0, axis1=0, axis2=1: on_diagonal(g, a_shape, offset, axis1, axis2))
defvjp(np.diag,     v=_diag_v)
defvjp(np.diagflat, v=lambda g, v_shape, k=0: np.reshape(np.diagonal(g, k), v_shape))
defvjp(np.trace,    a=_trace_a)
defvjp(np.tril,     m=lambda g, k=0: np.tril(g, k))
defvjp(np.triu,     m=lambda g, k=0: np.triu(g, k))

defvjp(np.linalg.diagonal, x=lambda g, x_shape, offset=0: on_diagonal(g, x_shape, offset, -2, -1))
defvjp(np.linalg.trace,    x=lambda g, x_shape, offset=0, dtype=None: _trace_a(g, x_shape, offset, -2, -1))
for matrix_transpose in (np.matrix_transpose, np.linalg.matrix_transpose):
    defvjp(matrix_transpose, x=lambda g: T(g))

# ---- Products -------------------------------------------------------------------------------------------------------


@sequence
def _multi_dot(g, arrays):
    """The cotangent of a factor is left.T @ g @ right.T, with the products of the factors to its left and right."""
    shapes = [np.shape(array) for array in arrays]
    if len(shapes[-1]) == 1:  # the last factor may be a column, and the first one a row
        arrays, g = [*arrays[:-1], column(arrays[-1])], np.expand_dims(g, -1)
    if len(shapes[0]) == 1:
        arrays, g = [row(arrays[0]), *arrays[1:]], np.expand_dims(g, -2)
    before, after = [None], [None]
    for array in arrays[:-1]:
        before.append(array if before[-1] is None else np.matmul(before[-1], array))
    for array in arrays[:0:-1]:
        after.append(array if after[-1] is None else np.matmul(array, after[-1]))
    shares = []
    for left, right, shape in zip(before, after[::-1], shapes):
        factors = [*([] if left is None else [T(left)]), g, *([] if right is None else [T(right)])]
        shares.append(np.reshape(np.linalg.multi_dot(factors), shape))
    return shares


# These functions are also in np, with other names for the arguments. NumPy only calls the function in np.
defcomposition(np.linalg.matmul,    np.matmul)
defcomposition(np.linalg.vecdot,    np.vecdot)
defcomposition(np.linalg.tensordot, np.tensordot)
# NumPy checks the shapes in these two. A composition would have to repeat that, so they have rules.
defvjp(np.linalg.outer,
       x1=lambda g, x2: np.matmul(g, x2),
       x2=lambda g, x1: np.matmul(x1, g))
defvjp(np.linalg.cross,
       x1=lambda g, x1, x2, axis=-1: cross_a(g, x1, x2, axis=axis),
       x2=lambda g, x1, x2, axis=-1: cross_b(g, x1, x2, axis=axis))
defvjp(np.linalg.multi_dot, arrays=_multi_dot)


def _matrix_power(a, n):
    """Return the power by repeated squaring, as NumPy does. For n = 0 the result is None, which is a constant."""
    if n < 0:
        a, n = np.linalg.inv(a), -n
    y = None
    while n:
        if n % 2:
            y = a if y is None else np.matmul(y, a)
        n = n // 2
        a = np.matmul(a, a) if n else a
    return y


defstandin(np.linalg.matrix_power, _matrix_power, "a")

# ---- Inverses and linear equations ----------------------------------------------------------------------------------


def _inv_a(g, y):
    return -np.matmul(T(y), np.matmul(g, T(y)))


def _solve_b(g, a, b_shape):
    """The cotangent of b is the solution x of a.T @ x = g. If b is one vector, `g` has a vector for each matrix."""
    if len(b_shape) > 1:
        return np.linalg.solve(T(a), g)
    return np.linalg.solve(T(a), np.expand_dims(g, -1))[..., 0]


def _solve_a(g, a, b_shape, y):
    g = _solve_b(g, a, b_shape)
    if len(b_shape) == 1:
        g, y = column(g), column(y)
    return -np.matmul(g, T(y))


defvjp(np.linalg.inv,   a=_inv_a)
defvjp(np.linalg.solve, a=_solve_a, b=_solve_b)


def _tensorinv(a, ind=2):
    shape = np.shape(a)
    n = math.prod(shape[:ind])
    return np.reshape(np.linalg.inv(np.reshape(a, (n, n))), shape[ind:] + shape[:ind])


def _tensorsolve(a, b, axes=None):
    """Move the axes of a that are listed to the end, and solve as for a matrix."""
    axes = list(axes or ())
    a = np.transpose(a, [i for i in range(np.ndim(a)) if i not in axes] + axes)
    x = np.linalg.solve(np.reshape(a, (np.size(b), -1)), np.ravel(b))
    return np.reshape(x, np.shape(a)[np.ndim(b):])


defstandin(np.linalg.tensorinv,   _tensorinv,   "a")
defstandin(np.linalg.tensorsolve, _tensorsolve, "a", "b")

# ---- Least squares --------------------------------------------------------------------------------------------------


def _lstsq(a, b, y, rcond=None):
    """Solve with the pseudoinverse, in float64 as NumPy does. The result `y` tells whether it returned residuals."""
    a = astype(a, np.result_type(a, np.float64))
    eps = np.finfo(np.float64).eps
    rcond = eps * max(np.shape(a)) if rcond is None else eps if rcond < 0 else rcond
    x = np.matmul(np.linalg.pinv(a, rcond), b)
    residuals = b - np.matmul(a, x)
    squares = np.sum(np.real(residuals * conj(residuals)), axis=0)
    return x, np.reshape(squares, np.shape(y[1])) if np.size(y[1]) else 0.0, 0, np.linalg.svdvals(a)


defstandin(np.linalg.lstsq, _lstsq, "a", "b")

# ---- Determinants ---------------------------------------------------------------------------------------------------
# The derivative of det(a) is the matrix of cofactors. It equals det(a) inv(a).T if a has an inverse, but it exists for
# every matrix. It is computed from the singular value decomposition a = u diag(s) vh, which exists for every matrix too:
# the cofactors of diag(s) are the products of all singular values but one. In their derivatives, two are left out.


def _frame(a):
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, scalar(np.linalg.det(u) * np.linalg.det(vh))


@primitive
def cofactors(a):
    """Return the derivative of det(a). At i, j it is the determinant of a without row i and column j, with a sign."""
    u, s, vh, sign = _frame(a)
    return sign * np.matmul(conj(u) * row(others(s, -1)), conj(vh))


@primitive
def cofactors_vjp(g, a):
    """Return the second derivative of det(a) in the direction `g`."""
    u, s, vh, sign = _frame(a)
    identity = eye(s)
    # At i, j this is the product of all singular values but i and j. On the diagonal it is 0.
    all_but_two = others(np.where(identity, 1, row(s)), -1) * (1 - identity)
    g = np.matmul(H(u), np.matmul(g, H(vh)))
    diagonal = np.diagonal(g, 0, -2, -1)
    second = as_diagonal(np.matmul(all_but_two, column(diagonal))[..., 0]) - all_but_two * T(g)
    return sign * np.matmul(conj(u), np.matmul(second, conj(vh)))


def _third_derivative(g, direction, a):
    """Return the third derivative of det(a) in two directions. The matrices need an inverse."""
    if np.size(a) and np.any(np.linalg.cond(a) > 1e-3 / np.finfo(a.dtype).eps):
        raise NotImplementedError("np.linalg.det has no third derivative in minigrad at a singular matrix")
    b = T(np.linalg.inv(a))
    g, h = np.matmul(b, T(g)), np.matmul(b, T(direction))
    of_g, of_h, of_both = (scalar(np.linalg.trace(x)) for x in (g, h, np.matmul(g, h)))
    factor = (of_g * of_h - of_both) * eye(b) - of_g * h - of_h * g + np.matmul(g, h) + np.matmul(h, g)
    return scalar(np.linalg.det(a)) * np.matmul(factor, b)


def _slogdet_a(g, a, y):
    """The real part of log(det(a)) is y[1]. The imaginary part is the angle of the sign y[0], if that is complex."""
    g = g[1] + 1j * np.imag(g[0] * y[0]) if np.iscomplexobj(a) else g[1]
    return scalar(g) * T(np.linalg.inv(a))


defvjp(cofactors,         a=lambda g, a: cofactors_vjp(g, a))
defvjp(cofactors_vjp,     g=lambda h, g, a: cofactors_vjp(h, a),
                          a=lambda h, g, a: _third_derivative(h, g, a))
defvjp(np.linalg.det,     a=lambda g, a: scalar(g) * cofactors(a))
defvjp(np.linalg.slogdet, a=_slogdet_a)

# ---- Norms ----------------------------------------------------------------------------------------------------------
# A norm is a sum or an extreme of absolute values or singular values, so the conventions for these hold: the slope of |x|
# at 0 is 1, and elements that tie share the cotangent. The derivative of the 2-norm at 0 is NaN, as in JAX.


def _norm_of_vector(x, ord, axis):
    size = np.abs(x)
    if ord == np.inf:
        return np.max(size, axis=axis, initial=0)
    if ord == -np.inf:
        return np.min(size, axis=axis)
    return np.sum(size, axis=axis) if ord == 1 else np.power(np.sum(np.power(size, ord), axis=axis), 1 / ord)


def _norm_of_matrix(x, ord, axis):
    if ord in (2, -2, "nuc"):
        numbers, axis = np.linalg.svdvals(np.moveaxis(x, axis, (-2, -1))), -1
    else:
        summed, axis = axis if ord in (1, -1) else axis[::-1]
        numbers = np.sum(np.abs(x), axis=summed, keepdims=True)
    if ord == "nuc":
        return np.sum(numbers, axis=axis)
    return np.max(numbers, axis=axis, initial=0) if ord > 0 else np.min(numbers, axis=axis)


@primitive
def unit(x, size, axis):
    """Return x / size, where size is the norm of x: the slope of the norm of real numbers."""
    return x / size


def _unit_x(g, x, size, axis, y):
    """Return (g - y sum(y g)) / size. Where one element is much larger than the others, these terms are nearly equal.

    As 1 is sum(y**2), the part of each element in the sums cancels. So the sums are taken over the other elements only.
    """
    return (g * others(y * y, axis, np.add) - y * others(y * g, axis, np.add)) / size


defvjp(unit, x=_unit_x, size=None)  # it is the derivative by x alone, as if the size were not an argument


def _of_norm(g, x, y, ord, axis, norm):
    if ord in (None, "f", "fro") or (ord == 2 and norm is _norm_of_vector):
        g, y = (r if np.ndim(r) == np.ndim(x) else np.expand_dims(r, axis) for r in (g, y))
        return g * conj(x) / y if np.iscomplexobj(x) else g * unit(x, y, axis)
    if ord == 0:  # the number of elements that are not zero
        return np.zeros(np.shape(x), np.result_type(g))
    return through(lambda x: np.reshape(norm(x, ord, axis), np.shape(g)), widened(x), g)


def _all(axis, x):
    return tuple(range(np.ndim(x))) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def _norm_x(g, x, y, ord=None, axis=None, keepdims=False):
    axis = _all(axis, x)
    return _of_norm(g, x, y, ord, axis, _norm_of_matrix if len(axis) == 2 else _norm_of_vector)


def _vector_norm_x(g, x, y, axis=None, keepdims=False, ord=2):
    return _of_norm(g, x, y, ord, _all(axis, x), _norm_of_vector)


def _matrix_norm_x(g, x, y, keepdims=False, ord="fro"):
    return _of_norm(g, x, y, ord, (-2, -1), _norm_of_matrix)


def _cond(x, p=None):
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


defvjp(np.linalg.norm,        x=_norm_x)
defvjp(np.linalg.vector_norm, x=_vector_norm_x)
defvjp(np.linalg.matrix_norm, x=_matrix_norm_x)
defstandin(np.linalg.cond, _cond, "x")
