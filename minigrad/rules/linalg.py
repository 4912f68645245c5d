"""Linear algebra: np.linalg, and the diagonals and triangles of matrices.

Matrices are in the last two axes, and there may be any number of them. Where a rule is not school mathematics, it is
from Giles 2008, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation", unless something else is said.

As everywhere, `g` is the cotangent for which the loss changes by the real part of ``sum(g * dy)``. The literature
conjugates: its cotangent is ``conj(g)``. So the rules of what is not holomorphic (all in which a matrix meets its own
conjugate transpose) hand ``conj(g)`` to a function `..._bar`, and return the conjugate of what that returns.
"""

import math
from typing import Literal

import numpy as np

from ..engine import defconstant, defvjp, primitive, sequence
from .elementwise import _sloped
from .products import _cross_a, _cross_b, _matmul_a, _matmul_b, _tensordot_a, _tensordot_b, _vecdot_a, _vecdot_b
from .reductions import _extreme_a, _keep, _others
from .shaping import _inverse


def _T(x):
    return np.swapaxes(x, -1, -2)


def _conj(x):
    return np.conjugate(x) if np.iscomplexobj(x) else x


def _H(x):
    return _conj(_T(x))


def _eye(like):
    return np.eye(np.shape(like)[-1], dtype=np.finfo(like.dtype).dtype)


def _as_diagonal(d):
    """The matrix with that diagonal."""
    return np.expand_dims(d, -1) * _eye(d)


def _row(d):
    return np.expand_dims(d, -2)


def _column(d):
    return np.expand_dims(d, -1)


def _scalar(d):
    """Numbers, one for each matrix, such that they multiply the matrices."""
    return np.expand_dims(d, (-2, -1))


def _unused(g):
    """Whether a cotangent is all zeros, of a result that was not used. (What is traced may change, and is used.)"""
    return type(g) is np.ndarray and not g.any()


def _require_zero(x, message, *scales):
    """Raise if x is not zero, as far as rounding goes in comparison with the largest number in some arrays."""
    for_each = np.stack([np.max(np.abs(scale), initial=0) for scale in scales])
    if np.any(np.abs(x) > np.sqrt(np.finfo(x.dtype).eps) * np.max(for_each)):
        raise ValueError(message)


# ---- Diagonals and triangles ----------------------------------------------------------------------------------------


@primitive
def on_diagonal(values, shape, offset=0, axis1=0, axis2=1):
    """Zeros of that shape, with the values on a diagonal: what np.diagonal does, backwards."""
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
    defvjp(matrix_transpose, x=lambda g: _T(g))

# ---- Products -------------------------------------------------------------------------------------------------------


@sequence
def _multi_dot(g, arrays):
    """For each factor, what is left of it, transposed, times g, times what is right of it, transposed."""
    shapes = [np.shape(array) for array in arrays]
    if len(shapes[-1]) == 1:  # a vector is a row as the first factor, and a column as the last
        arrays, g = [*arrays[:-1], _column(arrays[-1])], np.expand_dims(g, -1)
    if len(shapes[0]) == 1:
        arrays, g = [_row(arrays[0]), *arrays[1:]], np.expand_dims(g, -2)
    before, after = [None], [None]
    for array in arrays[:-1]:
        before.append(array if before[-1] is None else np.matmul(before[-1], array))
    for array in arrays[:0:-1]:
        after.append(array if after[-1] is None else np.matmul(array, after[-1]))
    shares = []
    for left, right, shape in zip(before, after[::-1], shapes):
        factors = [*([] if left is None else [_T(left)]), g, *([] if right is None else [_T(right)])]
        shares.append(np.reshape(np.linalg.multi_dot(factors), shape))
    return shares


# These are the functions of the same names in np, with other names for the arguments, and fewer options.
defvjp(np.linalg.matmul,
       x1=lambda g, x1_shape, x2: _matmul_a(g, x1_shape, x2),
       x2=lambda g, x1, x2_shape: _matmul_b(g, x1, x2_shape))
defvjp(np.linalg.outer,
       x1=lambda g, x2: np.matmul(g, x2),
       x2=lambda g, x1: np.matmul(x1, g))
defvjp(np.linalg.cross,
       x1=lambda g, x1, x2, axis=-1: _cross_a(g, x1, x2, axis=axis),
       x2=lambda g, x1, x2, axis=-1: _cross_b(g, x1, x2, axis=axis))
defvjp(np.linalg.vecdot,
       x1=lambda g, x1, x2, axis=-1: _vecdot_a(g, x1, x2, axis),
       x2=lambda g, x1, x2, axis=-1: _vecdot_b(g, x1, x2, axis))
defvjp(np.linalg.tensordot,
       x1=lambda g, x1_shape, x2, axes=2: _tensordot_a(g, x1_shape, x2, axes),
       x2=lambda g, x1, x2_shape, axes=2: _tensordot_b(g, x1, x2_shape, axes))
defvjp(np.linalg.multi_dot, arrays=_multi_dot)


def _matrix_power_a(g, a, n):
    """By halving, as the power itself: a**n is b b with b = a**(n/2), or a b b for an odd n."""
    if n == 0:
        return np.zeros_like(a)
    if n < 0:
        inverse = np.linalg.inv(a)
        return _inv_a(_matrix_power_a(g, inverse, -n), inverse)
    if n == 1:
        return g
    half = _T(np.linalg.matrix_power(a, n // 2))
    if n % 2 == 0:
        return _matrix_power_a(np.matmul(g, half) + np.matmul(half, g), a, n // 2)
    rest = np.matmul(_T(a), g)
    first = np.matmul(g, np.matmul(half, half))
    return first + _matrix_power_a(np.matmul(rest, half) + np.matmul(half, rest), a, n // 2)


defvjp(np.linalg.matrix_power, a=_matrix_power_a)

# ---- Inverses and linear equations ----------------------------------------------------------------------------------


def _inv_a(g, y):
    return -np.matmul(_T(y), np.matmul(g, _T(y)))


def _solve_b(g, a, b_shape):
    """a.T x = g. A vector b is one, whatever the number of matrices; then y and g have one for each of them."""
    if len(b_shape) > 1:
        return np.linalg.solve(_T(a), g)
    return np.linalg.solve(_T(a), np.expand_dims(g, -1))[..., 0]


def _solve_a(g, a, b_shape, y):
    g = _solve_b(g, a, b_shape)
    if len(b_shape) == 1:
        g, y = _column(g), _column(y)
    return -np.matmul(g, _T(y))


defvjp(np.linalg.inv,   a=_inv_a)
defvjp(np.linalg.solve, a=_solve_a, b=_solve_b)


def _tensorinv_a(g, a_shape, y, ind=2):
    n = math.prod(a_shape[:ind])
    return np.reshape(_inv_a(np.reshape(g, (n, n)), np.reshape(y, (n, n))), a_shape)


def _tensorsolve_order(ndim, axes):
    """The axes of a: those listed come last, in that order."""
    moved = [i % ndim for i in axes or ()]
    return [i for i in range(ndim) if i not in moved] + moved


def _tensorsolve_b(g, a, b_shape, axes=None):
    n = math.prod(b_shape)
    matrix = np.reshape(np.transpose(a, _tensorsolve_order(np.ndim(a), axes)), (n, n))
    return np.reshape(np.linalg.solve(_T(matrix), np.reshape(g, (n,))), b_shape)


def _tensorsolve_a(g, a, b_shape, y, axes=None):
    order = _tensorsolve_order(np.ndim(a), axes)
    n = math.prod(b_shape)
    share = -np.linalg.outer(np.reshape(_tensorsolve_b(g, a, b_shape, axes), (n,)), np.reshape(y, (n,)))
    return np.transpose(np.reshape(share, [np.shape(a)[i] for i in order]), _inverse(order))


defvjp(np.linalg.tensorinv,   a=_tensorinv_a)
defvjp(np.linalg.tensorsolve, a=_tensorsolve_a, b=_tensorsolve_b)

# ---- Determinants ---------------------------------------------------------------------------------------------------
# The derivative of a determinant is the matrix of cofactors: for a matrix with an inverse, det(a) inv(a).T, but it
# exists for every matrix. The singular value decomposition a = u diag(s) vh has it for all: there, cofactors are
# products of all singular values but one, and their derivatives products of all but two.


def _frame(a):
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, _scalar(np.linalg.det(u) * np.linalg.det(vh))


@primitive
def cofactors(a):
    """The derivative of det(a): at i, j the determinant of a without row i and column j, with its sign."""
    u, s, vh, sign = _frame(a)
    return sign * np.matmul(_conj(u) * _row(_others(s, -1)), _conj(vh))


@primitive
def cofactors_vjp(g, a):
    """The second derivative of det(a), in direction g."""
    u, s, vh, sign = _frame(a)
    eye = np.eye(s.shape[-1], dtype=s.dtype)
    # At i, j the product of all singular values but i and j. On the diagonal nothing is wanted.
    all_but_two = _others(np.where(eye, 1, _row(s)), -1) * (1 - eye)
    g = np.matmul(_H(u), np.matmul(g, _H(vh)))
    diagonal = np.diagonal(g, 0, -2, -1)
    second = _as_diagonal(np.matmul(all_but_two, _column(diagonal))[..., 0]) - all_but_two * _T(g)
    return sign * np.matmul(_conj(u), np.matmul(second, _conj(vh)))


def _third_derivative(g, direction, a):
    """The third derivative of det(a), in two directions: for matrices with an inverse."""
    if np.size(a) and np.any(np.linalg.cond(a) > 1e-3 / np.finfo(a.dtype).eps):
        raise NotImplementedError("np.linalg.det has no third derivative (yet) at a singular matrix")
    b = _T(np.linalg.inv(a))
    g, h = np.matmul(b, _T(g)), np.matmul(b, _T(direction))
    of_g, of_h, of_both = (_scalar(np.linalg.trace(x)) for x in (g, h, np.matmul(g, h)))
    factor = (of_g * of_h - of_both) * _eye(b) - of_g * h - of_h * g + np.matmul(g, h) + np.matmul(h, g)
    return _scalar(np.linalg.det(a)) * np.matmul(factor, b)


def _slogdet_a(g, a, y):
    """A complex sign is det / |det|. It turns with the imaginary part of the logarithm of det."""
    g = g[1] + 1j * np.imag(g[0] * y[0]) if np.iscomplexobj(a) else g[1]
    return _scalar(g) * _T(np.linalg.inv(a))


defvjp(cofactors,         a=lambda g, a: cofactors_vjp(g, a))
defvjp(cofactors_vjp,     g=lambda h, g, a: cofactors_vjp(h, a),
                          a=lambda h, g, a: _third_derivative(h, g, a))
defvjp(np.linalg.det,     a=lambda g, a: _scalar(g) * cofactors(a))
defvjp(np.linalg.slogdet, a=_slogdet_a)

# ---- Hermitian matrices ---------------------------------------------------------------------------------------------
# cholesky and eigh read one triangle, and take the rest for its mirror image. Of a matrix that is indeed symmetric,
# either triangle gets half of the cotangent, as in JAX; of any other, all of it goes to the triangle that is read.


def _folded(bar, a, triangle):
    """The cotangent of a matrix of which one triangle was read, from the literature's of the Hermitian matrix."""
    rounding = 100 * np.finfo(a.dtype).eps * np.max(np.abs(a), axis=(-2, -1), keepdims=True, initial=0)
    symmetric = np.all(np.abs(a - _H(a)) <= rounding, axis=(-2, -1), keepdims=True)
    if np.all(symmetric):
        return _conj(bar)
    read = np.tril(bar) + np.tril(bar, -1) if triangle in ("L", "l") else np.triu(bar) + np.triu(bar, 1)
    return _conj(np.where(symmetric, bar, read))


def _mirrored(a):
    """The Hermitian matrix with the lower triangle of a."""
    strict = np.tril(a, -1)
    return strict + _H(strict) + np.real(a) * _eye(a)


def _cholesky_a(g, a, y, upper=False):
    """Murray 2016, "Differentiation of the Cholesky decomposition"."""
    lower_H, bar = (y, _T(g)) if upper else (_H(y), _conj(g))
    bar = np.tril(np.matmul(lower_H, bar))
    bar = bar - bar * _eye(bar) / 2
    bar = np.linalg.solve(lower_H, (bar + _H(bar)) / 2)
    return _folded(_H(np.linalg.solve(lower_H, _H(bar))), a, "U" if upper else "L")


def _eigh_bar(w, v, gw, gv):
    """Eigenvalues move with the diagonal of v.H da v, eigenvectors by the rest over the differences of eigenvalues.

    So there is no derivative of the eigenvectors of an eigenvalue that is repeated.
    """
    inner = _as_diagonal(gw)
    if not _unused(gv):
        product = np.matmul(_H(v), gv)
        product = product - _H(product)
        eye = _eye(w)
        if np.iscomplexobj(v):
            _require_zero(product * eye, _PHASE, gv)
        inner = inner + product * (1 - eye) / (2 * (_row(w) - _column(w) + eye))
    return np.matmul(v, np.matmul(inner, _H(v)))


_PHASE = (
    "the result depends on the phases of complex eigenvectors or singular vectors, which are arbitrary: there is no "
    "derivative. It should not change when such a vector is multiplied by a number of absolute value 1"
)


def _eigvalsh_a(g, a, UPLO="L"):
    w, v = np.linalg.eigh(a, UPLO)
    return _folded(_eigh_bar(w, v, g, np.zeros(())), a, UPLO)


defvjp(np.linalg.cholesky, a=_cholesky_a)
defvjp(np.linalg.eigh,     a=lambda g, a, y, UPLO="L": _folded(_eigh_bar(y[0], y[1], g[0], _conj(g[1])), a, UPLO))
defvjp(np.linalg.eigvalsh, a=_eigvalsh_a)

# ---- Eigenvalues of any matrix --------------------------------------------------------------------------------------


def _eig_bar(w, v, gw, gv):
    """Like `_eigh_bar`, with inv(v) in the place of v.H. (This is holomorphic, but for the norm: so no conjugates.)

    An eigenvector is one times any number. LAPACK's has the norm 1, and a real number as its largest element.
    """
    if np.size(v) and np.any(np.linalg.cond(v) > 1e-2 / np.finfo(v.dtype).eps):
        raise ValueError("the matrix has no full set of eigenvectors: its eigenvalues have no derivative")
    inner = _as_diagonal(gw)
    if not _unused(gv):
        sizes = np.abs(v)
        largest = _row(np.argmax(sizes, axis=-2)) == _column(np.arange(np.shape(v)[-2]))
        along = np.sum(gv * v, axis=-2, keepdims=True)
        gv = gv - _conj(v) * np.real(along)
        if np.iscomplexobj(v):
            gv = gv - largest * (1j * np.imag(along)) / np.sum(largest * np.real(v), axis=-2, keepdims=True)
        eye = _eye(w)
        inner = inner + np.matmul(_T(v), gv) * (1 - eye) / (_row(w) - _column(w) + eye)
    return np.linalg.solve(_T(v), np.matmul(inner, _T(v)))


def _eigvals_a(g, a, y):
    w, v = np.linalg.eig(a)
    _require_zero(w - y, "np.linalg.eigvals and np.linalg.eig disagree about the order; use np.linalg.eig(a)[0]", a)
    return _eig_bar(w, v, g, np.zeros(()))


defvjp(np.linalg.eig,     a=lambda g, y: _eig_bar(y[0], y[1], g[0], g[1]))
defvjp(np.linalg.eigvals, a=_eigvals_a)

# ---- Singular values ------------------------------------------------------------------------------------------------


def _svd_bar(u, s, vh, gu, gs, gvh):
    """Townsend 2016, "Differentiating the singular value decomposition"; and Wan and Zhang 2019 for complex matrices.

    The last columns of a full u complete an orthonormal basis, in any way: as long as the loss depends on no more
    than the space they span, it has a derivative.
    """
    k = np.shape(s)[-1]
    u, u_more, vh, vh_more = u[..., :k], u[..., k:], vh[..., :k, :], vh[..., k:, :]
    inner = _as_diagonal(gs)
    if _unused(gu) and _unused(gvh):
        return np.matmul(u, np.matmul(inner, vh))
    gu, gu_more, gv, gv_more = gu[..., :k], gu[..., k:], _H(gvh[..., :k, :]), _H(gvh[..., k:, :])
    eye, s_row, s_column = _eye(s), _row(s), _column(s)
    of_u, of_v = np.matmul(_H(u), gu), np.matmul(vh, gv)
    of_u, of_v = of_u - _H(of_u), of_v - _H(of_v)
    gaps = (s_row - s_column) * (s_row + s_column) + eye
    inner = inner + (of_u * s_row + s_column * of_v) * (1 - eye) / gaps
    if np.iscomplexobj(u):
        _require_zero((of_u + of_v) * eye, _PHASE, gu, gv)
        inner = inner + of_u * eye / (2 * s_row)
    bar = np.matmul(u, np.matmul(inner, vh))
    if np.shape(u)[-2] > k:
        outside = gu - np.matmul(u, np.matmul(_H(u), gu)) - np.matmul(u_more, np.matmul(_H(gu_more), u))
        bar = bar + np.matmul(outside / s_row, vh)
    if np.shape(vh)[-1] > k:
        v = _H(vh)
        outside = gv - np.matmul(v, np.matmul(vh, gv)) - np.matmul(_H(vh_more), np.matmul(_H(gv_more), v))
        bar = bar + np.matmul(u, _H(outside / s_row))
    for more, g_more in ((u_more, gu_more), (_H(vh_more), gv_more)):
        if np.size(more):
            inside = np.matmul(_H(more), g_more)
            _require_zero(inside - _H(inside), _BASIS, g_more)
    return bar


_BASIS = (
    "the result depends on the last singular vectors of a full decomposition, which are an arbitrary basis of what "
    "the others leave: there is no derivative. Use full_matrices=False"
)


def _svd_hermitian_bar(u, s, vh, gu, gs, gvh):
    """The singular values are those of eigh without their signs, and vh has the signs."""
    sign = np.sign(np.real(np.sum(u * _T(vh), axis=-2)))
    return _eigh_bar(s * sign, u, gs * np.where(sign == 0, 1, sign), gu + _H(gvh) * _row(sign))


def _svd_a(g, a, y, full_matrices=True, compute_uv=True, hermitian=False):
    if not compute_uv:
        y = np.linalg.svd(a, full_matrices=False, hermitian=hermitian)
        g = [np.zeros(np.shape(y[0]), g.dtype), g, np.zeros(np.shape(y[2]), g.dtype)]
    parts = (*y, _conj(g[0]), g[1], _conj(g[2]))
    return _folded(_svd_hermitian_bar(*parts), a, "L") if hermitian else _conj(_svd_bar(*parts))


def _svdvals_x(g, x):
    return _svd_a(g, x, None, compute_uv=False)


defvjp(np.linalg.svd,     a=_svd_a)
defvjp(np.linalg.svdvals, x=_svdvals_x)
defconstant(np.linalg.matrix_rank)


# ---- Generalised inverses -------------------------------------------------------------------------------------------


def _pinv_a(g, a, y, rcond=None, hermitian=False, rtol=None):
    """Golub and Pereyra 1973. It is the derivative along matrices of the same rank: along others, pinv jumps."""
    matrix = _mirrored(a) if hermitian else a
    g_H, y_H = _T(g), _H(y)
    from_left = g_H - np.matmul(matrix, np.matmul(y, g_H))
    from_right = g_H - np.matmul(np.matmul(g_H, y), matrix)
    bar = np.matmul(from_left, np.matmul(y, y_H)) + np.matmul(np.matmul(y_H, y), from_right)
    bar = bar - np.matmul(y_H, np.matmul(_H(g_H), y_H))
    return _folded((bar + _H(bar)) / 2, a, "L") if hermitian else _conj(bar)


def _lstsq_parts(g, a, b, y, rcond):
    """The pseudoinverse of a; the cotangent of a solution, and that of the residuals b - a x; b and x as columns."""
    eps = np.finfo(a.dtype).eps
    rcond = eps * max(np.shape(a)) if rcond is None else eps if rcond < 0 else rcond
    columns = (lambda r: np.reshape(r, (-1, 1))) if np.ndim(b) == 1 else lambda r: r
    b, x, gx = columns(b), columns(y[0]), columns(g[0])
    if np.size(g[1]):  # sums of squares; none for fewer equations than unknowns
        residuals = 2 * g[1] * _conj(b - np.matmul(a, x))
    else:
        residuals = np.zeros_like(b)
    return np.linalg.pinv(a, rcond), gx, residuals, b, x


def _lstsq_b(g, a, b, y, rcond=None):
    inverse, gx, residuals, _, _ = _lstsq_parts(g, a, b, y, rcond)
    return np.reshape(np.matmul(_T(inverse), gx) + residuals, np.shape(b))


def _lstsq_a(g, a, b, y, rcond=None):
    """x = pinv(a) b. That x minimises the residuals, so they change with a as if x did not."""
    inverse, gx, residuals, b, x = _lstsq_parts(g, a, b, y, rcond)
    share = _pinv_a(np.matmul(gx, _T(b)), a, inverse) - np.matmul(residuals, _T(x))
    return share if _unused(g[3]) else share + _svdvals_x(g[3], a)


defvjp(np.linalg.pinv,  a=_pinv_a)
defvjp(np.linalg.lstsq, a=_lstsq_a, b=_lstsq_b)

# ---- Norms ----------------------------------------------------------------------------------------------------------
# Sums and extremes of absolute values or singular values. The conventions for those (a slope of 1 at 0, ties that
# share) hold here. The 2-norm has no derivative at 0: it is NaN, as in JAX.


def _vector_norm_share(g, x, y, ord, axis):
    """g and y still have the axes, with the size 1."""
    if ord in (None, 2, "f", "fro"):
        return g * _conj(x) / y
    size = np.abs(x)
    if ord == 0:
        return np.zeros_like(size)
    if ord in (np.inf, -np.inf):
        g = _extreme_a(g, size, y, axis, True, 0 if ord > 0 else None)
    elif ord != 1:
        g = g * np.power(y, 1 - ord) * np.power(size, ord - 1)
    return _sloped(g, x)


def _matrix_norm_share(g, x, y, ord, row, column):
    if ord in (None, "f", "fro"):
        return g * _conj(x) / y
    if ord in (2, -2, "nuc"):
        x, g = np.moveaxis(x, (row, column), (-2, -1)), np.moveaxis(g, (row, column), (-2, -1))[..., 0]
        s = np.linalg.svdvals(x)
        if ord == "nuc":
            g = g * np.ones_like(s)
        else:
            g = _largest(g, s, -1) if ord == 2 else _smallest(g, s, -1)
        return np.moveaxis(_svdvals_x(g, x), (-2, -1), (row, column))
    summed, other = (row, column) if ord in (1, -1) else (column, row)
    sums = np.sum(np.abs(x), axis=summed, keepdims=True)
    return _sloped(_largest(g, sums, other) if ord > 0 else _smallest(g, sums, other), x)


def _largest(g, a, axis):
    return _extreme_a(g, a, np.max(a, axis=axis, keepdims=True), axis, True, 0)


def _smallest(g, a, axis):
    return _extreme_a(g, a, np.min(a, axis=axis, keepdims=True), axis, True)


def _norm_x(g, x, y, ord=None, axis=None, keepdims=False):
    shape = np.shape(x)
    if axis is None:
        axis = tuple(range(len(shape)))
    axis = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    g, y = _keep(g, shape, axis), _keep(y, shape, axis)
    if len(axis) == 2:
        return _matrix_norm_share(g, x, y, ord, *axis)
    return _vector_norm_share(g, x, y, ord, axis)


def _vector_norm_x(g, x, y, axis=None, keepdims=False, ord=2):
    shape = np.shape(x)
    return _vector_norm_share(_keep(g, shape, axis), x, _keep(y, shape, axis), ord, axis)


def _matrix_norm_x(g, x, y, keepdims=False, ord="fro"):
    return _norm_x(g, x, y, ord, (-2, -1))


def _cond_x(g, x, y, p=None):
    """The ratio of two singular values; or the norm of the matrix, times that of its inverse."""
    g = np.real(g)  # in older versions of NumPy, the result for complex matrices is complex
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        first, last = s[..., :1], s[..., -1:]
        i = np.arange(np.shape(s)[-1])
        is_first, is_last = i == 0, i == len(i) - 1
        if p == -2:
            first, last, is_first, is_last = last, first, is_last, is_first
        return _svdvals_x(np.expand_dims(g, -1) * (is_first - is_last * (first / last)) / last, x)
    inverse = np.linalg.inv(x)
    of_x, of_inverse = (np.linalg.norm(matrix, p, (-2, -1)) for matrix in (x, inverse))
    g_inverse = _norm_x(g * of_x, inverse, of_inverse, p, (-2, -1))
    return _norm_x(g * of_inverse, x, of_x, p, (-2, -1)) + _inv_a(g_inverse, inverse)


defvjp(np.linalg.norm,        x=_norm_x)
defvjp(np.linalg.vector_norm, x=_vector_norm_x)
defvjp(np.linalg.matrix_norm, x=_matrix_norm_x)
defvjp(np.linalg.cond,        x=_cond_x)

# ---- Orthogonal and triangular factors ------------------------------------------------------------------------------


def _thin_qr_bar(q, r, gq, gr):
    """Walter and Lehmann 2010, "Algorithmic differentiation of linear algebra functions..."

    The diagonal of r is real, also of a complex matrix.
    """
    inner = np.triu(np.matmul(np.triu(gr), _H(r)) - np.matmul(_H(q), gq))
    inner = inner - inner * _eye(inner) / 2
    return _H(np.linalg.solve(r, _H(gq + np.matmul(q, inner + _H(inner)))))


def _qr_bar(q, r, gq, gr):
    m, n = np.shape(q)[-2], np.shape(r)[-1]
    if m < n:  # a = q [r1 r2]: r1 is square, and r2 = q.H a2
        more, gr_more = np.matmul(q, r[..., m:]), gr[..., m:]
        first = _thin_qr_bar(q, r[..., :m], gq + np.matmul(more, _H(gr_more)), gr[..., :m])
        return np.concatenate([first, np.matmul(q, gr_more)], axis=-1)
    q, q_more, r, gq, gq_more, gr = q[..., :n], q[..., n:], r[..., :n, :], gq[..., :n], gq[..., n:], gr[..., :n, :]
    if np.size(q_more) and not _unused(gq_more):
        # Papanicolopulos 2024, "Derivatives of the full QR factorisation...": the other columns of Householder's q.
        top, bottom = q[..., :n, :], q[..., n:, :]
        z_H = np.linalg.solve(_H(top - _eye(top)), _H(bottom))
        moved = -np.matmul(_H(gq_more), q + np.matmul(q_more, _H(z_H)))
        gq = gq + np.matmul(gq_more, _H(z_H)) + np.concatenate([-np.matmul(z_H, moved), moved], axis=-2)
    return _thin_qr_bar(q, r, gq, gr)


def _qr_a(g, a, y, mode: Literal["reduced", "complete", "r"] = "reduced"):
    if mode == "r":
        q, r = np.linalg.qr(a)
        return _conj(_qr_bar(q, r, np.zeros(np.shape(q), g.dtype), _conj(g)))
    return _conj(_qr_bar(y[0], y[1], _conj(g[0]), _conj(g[1])))


defvjp(np.linalg.qr, a=_qr_a)
