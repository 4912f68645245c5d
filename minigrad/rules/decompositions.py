"""Decompositions of matrices: Cholesky, eigenvalues, singular values, the pseudoinverse, QR.

In minigrad, `g` is the cotangent of y if the loss changes by the real part of ``sum(g * dy)``. In the literature the
cotangent of a complex value is ``conj(g)``. The functions `..._bar` here are written as in the literature. A rule passes
``conj(g)`` to them, and returns the conjugate of their result. For eigenvalues of any matrix this is not necessary,
because the formulas contain no conjugates.
"""

from typing import Literal

import numpy as np

from ..conversions import checked
from ..operands import some
from ..table import defconstant, defvjp
from .composition import unused
from .matrices import H, T, as_diagonal, column, conj, eye, product, row, with_zero

# ---- Hermitian matrices ---------------------------------------------------------------------------------------------
# cholesky and eigh read one triangle, and assume that the other triangle is its mirror image. If the matrix is symmetric,
# each triangle gets half of the cotangent, as in JAX. If it is not, the triangle that is read gets all of it.


def _folded(bar, a, triangle):
    """Return the cotangent of a matrix, if the function reads only one of its triangles.

    `bar` is the cotangent in the literature, for a function that reads all of the matrix.
    """
    rounding = 100 * np.finfo(a.dtype).eps * np.max(np.abs(a), axis=(-2, -1), keepdims=True, initial=0)
    symmetric = np.all(np.abs(a - H(a)) <= rounding, axis=(-2, -1), keepdims=True)
    if not some(~symmetric):
        return conj(bar)
    read = np.tril(bar) + np.tril(bar, -1) if triangle in ("L", "l") else np.triu(bar) + np.triu(bar, 1)
    return conj(np.where(symmetric, bar, read))


def _mirrored(a):
    """Return the Hermitian matrix that has the lower triangle of a."""
    strict = np.tril(a, -1)
    return strict + H(strict) + np.real(a) * eye(a)


def _cholesky_a(g, a, y, upper=False):
    """I. Murray, "Differentiation of the Cholesky decomposition", 2016."""
    lower_H, bar = (y, T(g)) if upper else (H(y), conj(g))
    bar = np.tril(np.matmul(lower_H, bar))
    bar = bar - bar * eye(bar) / 2
    bar = np.linalg.solve(lower_H, (bar + H(bar)) / 2)
    return _folded(H(np.linalg.solve(lower_H, H(bar))), a, "U" if upper else "L")


# The formulas for eigenvectors and singular vectors divide by differences of eigenvalues or singular values. If two of
# these are equal up to rounding, their vectors are an arbitrary basis of a space. A loss that depends on these vectors
# has no derivative here. The result is NaN then, because dividing by a rounding error would give large random numbers.


def _divisors(differences, values, idle):
    """Return the differences of eigenvalues or singular values: NaN if they are only rounding, 1 where `idle` is true."""
    rounding = 32 * np.finfo(differences.dtype).eps * np.max(np.abs(values), axis=-1, keepdims=True, initial=0)
    rounding = np.reshape(rounding, np.shape(rounding) + (1,) * (np.ndim(differences) - np.ndim(values)))
    return np.where(idle, 1, np.where(np.abs(differences) > rounding, differences, np.nan))


def _idle(*gs):
    """Return a mask of the vectors whose cotangents are all zeros. A Tensor never counts as zeros (see `unused`)."""
    if any(type(g) is not np.ndarray for g in gs):
        return np.zeros(np.shape(gs[0])[-1], bool)
    return np.all([~np.any(g, axis=-2) for g in gs], axis=0)


def _pairs(flags):
    return row(flags) & column(flags)


def _eigh_bar(w, v, gw, gv):
    """M. B. Giles, "An extended collection of matrix derivative results...", 2008.

    The eigenvalues change by the diagonal of d = v.H da v. The eigenvectors change by v times the other elements of d,
    each divided by the difference of two eigenvalues.
    """
    inner = as_diagonal(gw)
    if not unused(gv):
        turn = np.matmul(H(v), gv)
        turn = (turn - H(turn)) / 2
        diagonal = eye(w)
        if np.iscomplexobj(v):
            turn = with_zero(turn, turn * diagonal, _PHASE, gv)
        idle = _pairs(_idle(gv)) | (diagonal > 0)
        inner = inner + turn * (1 - diagonal) / _divisors(row(w) - column(w), w, idle)
    return np.matmul(v, np.matmul(inner, H(v)))


_PHASE = (
    "the result depends on the phases of complex eigenvectors or singular vectors, which are arbitrary: there is no "
    "derivative. It should not change when such a vector is multiplied by a number of absolute value 1"
)


def _eigvalsh_a(g, a, UPLO="L"):
    w, v = np.linalg.eigh(a, UPLO)
    return _folded(_eigh_bar(w, v, g, np.zeros(())), a, UPLO)


defvjp(np.linalg.cholesky, a=_cholesky_a)
defvjp(np.linalg.eigh,     a=lambda g, a, y, UPLO="L": _folded(_eigh_bar(y[0], y[1], g[0], conj(g[1])), a, UPLO))
defvjp(np.linalg.eigvalsh, a=_eigvalsh_a)

# ---- Eigenvalues of any matrix --------------------------------------------------------------------------------------


def _eig_bar(w, v, gw, gv):
    """This is like `_eigh_bar`, with inv(v) in the place of v.H.

    An eigenvector times any number is an eigenvector too. LAPACK returns the one that has the norm 1, and whose largest
    element is real. So the parts of `gv` that would change the norm, or turn that element, are removed first.
    """
    if not np.size(v):
        return np.zeros_like(v)
    is_wrong = np.linalg.cond(v) > 1e-2 / np.finfo(v.dtype).eps
    v = checked(v, is_wrong, "the matrix has no full set of eigenvectors: its eigenvalues have no derivative")
    inner = as_diagonal(gw)
    if not unused(gv):
        diagonal = eye(w)
        idle = _pairs(_idle(gv)) | (diagonal > 0)
        sizes = np.abs(v)
        largest = row(np.argmax(sizes, axis=-2)) == column(np.arange(np.shape(v)[-2]))
        along = np.sum(gv * v, axis=-2, keepdims=True)
        gv = gv - conj(v) * np.real(along)
        if np.iscomplexobj(v):
            gv = gv - largest * (1j * np.imag(along)) / np.sum(largest * np.real(v), axis=-2, keepdims=True)
        inner = inner + np.matmul(T(v), gv) * (1 - diagonal) / _divisors(row(w) - column(w), w, idle)
    return np.linalg.solve(T(v), np.matmul(inner, T(v)))


def _eigvals_a(g, a, y):
    w, v = np.linalg.eig(a)
    w = with_zero(w, w - y, "np.linalg.eigvals and np.linalg.eig disagree about the order; use np.linalg.eig(a)[0]", a)
    return _eig_bar(w, v, g, np.zeros(()))


defvjp(np.linalg.eig,     a=lambda g, y: _eig_bar(y[0], y[1], g[0], g[1]))
defvjp(np.linalg.eigvals, a=_eigvals_a)

# ---- Singular values ------------------------------------------------------------------------------------------------


def _svd_bar(u, s, vh, gu, gs, gvh):
    """J. Townsend, "Differentiating the singular value decomposition", 2016; for complex matrices Z.-Q. Wan and S.-X.
    Zhang, "Automatic differentiation for complex valued SVD", 2019.

    Rotations of u and v in the same direction are divided by differences of singular values, and rotations in opposite
    directions by sums. The last columns of a full u complete an orthonormal basis in an arbitrary way. So the loss has a
    derivative only if it depends on nothing but the space that they span.
    """
    k = np.shape(s)[-1]
    u, u_more, vh, vh_more = u[..., :k], u[..., k:], vh[..., :k, :], vh[..., k:, :]
    inner = as_diagonal(gs)
    if unused(gu) and unused(gvh):
        return np.matmul(u, np.matmul(inner, vh))
    gu, gu_more, gv, gv_more = gu[..., :k], gu[..., k:], H(gvh[..., :k, :]), H(gvh[..., k:, :])
    of_u, of_v = np.matmul(H(u), gu), np.matmul(vh, gv)
    of_u, of_v = (of_u - H(of_u)) / 2, (of_v - H(of_v)) / 2
    diagonal = eye(s)
    idle = _pairs(_idle(gu, gv))
    of_itself = diagonal > 0
    together = (of_u + of_v) * (1 - diagonal) / _divisors(row(s) - column(s), s, idle | of_itself)
    if np.iscomplexobj(u):
        of_u = with_zero(of_u, (of_u + of_v) * diagonal, _PHASE, gu, gv)
        of_itself = False
    against = (of_u - of_v) / _divisors(row(s) + column(s), s, idle | of_itself)
    inner = inner + together + against
    bar = np.matmul(u, np.matmul(inner, vh))
    if np.shape(u)[-2] > k:
        outside = gu - np.matmul(u, np.matmul(H(u), gu)) - np.matmul(u_more, np.matmul(H(gu_more), u))
        bar = bar + np.matmul(outside / row(_divisors(s, s, _idle(outside))), vh)
    if np.shape(vh)[-1] > k:
        v = H(vh)
        outside = gv - np.matmul(v, np.matmul(vh, gv)) - np.matmul(H(vh_more), np.matmul(H(gv_more), v))
        bar = bar + np.matmul(u, H(outside / row(_divisors(s, s, _idle(outside)))))
    for more, g_more in ((u_more, gu_more), (H(vh_more), gv_more)):
        if np.size(more):
            inside = np.matmul(H(more), g_more)
            bar = with_zero(bar, inside - H(inside), _BASIS, g_more)
    return bar


_BASIS = (
    "the result depends on the last singular vectors of a full decomposition, which are an arbitrary basis of what "
    "the others leave: there is no derivative. Use full_matrices=False"
)


def _svd_hermitian_bar(u, s, vh, gu, gs, gvh):
    """The singular values are the absolute values of the eigenvalues. The rows of vh have the signs."""
    sign = np.sign(np.real(np.sum(u * T(vh), axis=-2)))
    return _eigh_bar(s * sign, u, gs * np.where(sign == 0, 1, sign), gu + H(gvh) * row(sign))


def _svd_a(g, a, y, full_matrices=True, compute_uv=True, hermitian=False):
    if not compute_uv:
        y = np.linalg.svd(a, full_matrices=False, hermitian=hermitian)
        g = [np.zeros(np.shape(y[0]), g.dtype), g, np.zeros(np.shape(y[2]), g.dtype)]
    parts = (*y, conj(g[0]), g[1], conj(g[2]))
    return _folded(_svd_hermitian_bar(*parts), a, "L") if hermitian else conj(_svd_bar(*parts))


defvjp(np.linalg.svd,     a=_svd_a)
defvjp(np.linalg.svdvals, x=lambda g, x: _svd_a(g, x, None, compute_uv=False))
defconstant(np.linalg.matrix_rank)


def _pinv_a(g, a, y, rcond=None, hermitian=False, rtol=None):
    """G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses...", 1973.

    It holds for changes that keep the rank of the matrix. Where the rank changes, pinv is not continuous.
    """
    matrix = _mirrored(a) if hermitian else a
    g_H, y_H = T(g), H(y)
    from_left = g_H - product(matrix, y, g_H)
    from_right = g_H - product(g_H, y, matrix)
    bar = product(from_left, y, y_H) + product(y_H, y, from_right) - product(y_H, conj(g), y_H)
    return _folded((bar + H(bar)) / 2, a, "L") if hermitian else conj(bar)


defvjp(np.linalg.pinv, a=_pinv_a)

# ---- Orthogonal and triangular factors ------------------------------------------------------------------------------


def _thin_qr_bar(q, r, gq, gr):
    """S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions...", 2010.

    The diagonal of r is real, even if the matrix is complex.
    """
    inner = np.triu(np.matmul(np.triu(gr), H(r)) - np.matmul(H(q), gq))
    inner = inner - inner * eye(inner) / 2
    return H(np.linalg.solve(r, H(gq + np.matmul(q, inner + H(inner)))))


def _qr_bar(q, r, gq, gr):
    m, n = np.shape(q)[-2], np.shape(r)[-1]
    if m < n:  # a = q [r1 r2]: r1 is square, and r2 = q.H a2
        more, gr_more = np.matmul(q, r[..., m:]), gr[..., m:]
        first = _thin_qr_bar(q, r[..., :m], gq + np.matmul(more, H(gr_more)), gr[..., :m])
        return np.concatenate([first, np.matmul(q, gr_more)], axis=-1)
    q, q_more, r, gq, gq_more, gr = q[..., :n], q[..., n:], r[..., :n, :], gq[..., :n], gq[..., n:], gr[..., :n, :]
    if np.size(q_more) and not unused(gq_more):
        # S.-A. Papanicolopulos, "Derivatives of the full QR factorisation...", 2024. NumPy finds q with Householder
        # reflections, which determine the other columns too.
        top, bottom = q[..., :n, :], q[..., n:, :]
        z_H = np.linalg.solve(H(top - eye(top)), H(bottom))
        moved = -np.matmul(H(gq_more), q + np.matmul(q_more, H(z_H)))
        gq = gq + np.matmul(gq_more, H(z_H)) + np.concatenate([-np.matmul(z_H, moved), moved], axis=-2)
    return _thin_qr_bar(q, r, gq, gr)


def _qr_a(g, a, y, mode: Literal["reduced", "complete", "r"] = "reduced"):
    if mode == "r":
        q, r = np.linalg.qr(a)
        return conj(_qr_bar(q, r, np.zeros(np.shape(q), g.dtype), conj(g)))
    return conj(_qr_bar(y[0], y[1], conj(g[0]), conj(g[1])))


defvjp(np.linalg.qr, a=_qr_a)
