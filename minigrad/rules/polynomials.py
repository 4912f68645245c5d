"""Polynomials, interpolation, differences, and statistics of several variables."""

import math

import numpy as np

from ..engine import defvjp, primitive, sequence
from .indexing import scatter
from .products import _convolve_a, _convolve_v, summed_to
from .reductions import _axes, _keep

# ---- Polynomials, given by their coefficients ------------------------------------------------------------------------
# The highest power is first. So coefficients of different polynomials are aligned at the last.


def _padded(g, before, after, axis=-1):
    """g with zeros before and after it, along an axis."""
    shape, axis = np.shape(g), axis % np.ndim(g)
    parts = [np.zeros((*shape[:axis], n, *shape[axis + 1:]), np.result_type(g)) for n in (before, after)]
    return np.concatenate([parts[0], g, parts[1]], axis=axis)


def _last(g, shape):
    """The cotangent of coefficients of that shape (maybe a single number), from that of as many or more."""
    n = math.prod(shape)
    return np.reshape(g[len(g) - n:], shape)


def _coefficients(p):
    return np.asarray(p) if isinstance(p, np.poly1d) else p


def _polyval_p(g, p_shape, x):
    """A row for each coefficient: g, times a power of x."""
    rows = [g]
    for _ in range(p_shape[0] - 1):
        rows.append(rows[-1] * x)
    if not p_shape[0]:
        return np.zeros(p_shape, np.result_type(g))
    return np.stack([summed_to(row, p_shape[1:]) for row in rows[::-1]])


def _polyval_x(g, p, x):
    p = _coefficients(p)
    powers = np.arange(len(p) - 1, 0, -1).reshape(-1, *[1] * (np.ndim(p) - 1)).astype(np.result_type(g))
    return g * np.polyval(p[:-1] * powers, x)


defvjp(np.polyval, p=_polyval_p, x=_polyval_x)
defvjp(np.polyadd, a1=lambda g, a1_shape: _last(g, a1_shape), a2=lambda g, a2_shape: _last(g, a2_shape))
defvjp(np.polysub, a1=lambda g, a1_shape: _last(g, a1_shape), a2=lambda g, a2_shape: -_last(g, a2_shape))


def _polymul_a1(g, a1_shape, a2):
    """A product of polynomials is a convolution. NumPy leaves zeros at the front away, but they count like others."""
    a2 = np.ravel(_coefficients(a2))
    return _convolve_a(_padded(g, math.prod(a1_shape) + len(a2) - 1 - len(g), 0), a1_shape, a2)


def _polydiv_u(g, u_shape, v):
    """u = q v + r: the quotient comes from the first coefficients of u, by a triangular system; r from what is left."""
    v = np.ravel(_coefficients(v))
    m, n = math.prod(u_shape), len(v) - 1
    if m <= n:
        return np.reshape(_padded(g[1], m - len(g[1]), 0), u_shape)
    of_r = g[1][max(len(g[1]) - n, 0):]
    of_r = _padded(of_r, n - len(of_r), 0)
    of_q = g[0] - np.convolve(_padded(of_r, m - n, 0), v[::-1], "valid")
    # The transpose of a triangular matrix that is constant along diagonals is the same one, read from the other end.
    quotient, _ = np.polydiv(_padded(of_q[::-1], 0, n), v)
    return np.reshape(np.concatenate([quotient[::-1], of_r]), u_shape)


def _polydiv_v(g, u_shape, v, y):
    """As q v + r stays u, a change of v is one of u by -q dv."""
    v_shape = np.shape(_coefficients(v))
    if math.prod(u_shape) < math.prod(v_shape):
        return np.zeros(v_shape, np.result_type(g[1]))
    return -_convolve_v(_polydiv_u(g, (math.prod(u_shape),), v), y[0], v_shape)


defvjp(np.polymul, a1=_polymul_a1, a2=lambda g, a1, a2_shape: _polymul_a1(g, a2_shape, a1))
defvjp(np.polydiv, u=_polydiv_u, v=_polydiv_v)


def _polyder_p(g, p_shape, m=1):
    return _padded(g * np.polyder(np.ones(p_shape, np.result_type(g)), m), 0, min(m, p_shape[0]))


def _polyint_p(g, p_shape, m=1, k=None):
    n = p_shape[0]
    return g[:n] * np.polyint(np.ones(p_shape, np.result_type(g)), m)[:n]


def _polyint_k(g, p_shape, k, m=1):
    """A constant of integration is itself integrated in the steps after its own."""
    n, given = p_shape[0], math.prod(np.shape(k))
    g = g[n:] / np.array([math.factorial(m - 1 - i) for i in range(m)])
    if given == 1 and m > 1:
        g = np.sum(g, keepdims=True)
    return np.reshape(_padded(g, 0, given - len(g)), np.shape(k))


defvjp(np.polyder, p=_polyder_p)
defvjp(np.polyint, p=_polyint_p, k=_polyint_k)


def _vander_x(g, x, N=None, increasing=False):
    n = np.shape(g)[1]
    if n < 2:
        return np.zeros(np.shape(x))
    g = g if increasing else g[:, ::-1]
    return np.sum(g[:, 1:] * np.vander(x, n - 1, increasing=True) * np.arange(1, n), axis=1)


defvjp(np.vander, x=_vander_x)

# ---- Polynomials and their zeros ------------------------------------------------------------------------------------


def _poly_seq(g, seq_of_zeros, y):
    """Of zeros z: the product of all factors t - z changes by minus the product of the others.

    Of a matrix A it is det(t - A), which changes by -tr(adj(t - A) dA). The coefficients of the adjugate are found one
    from the other, as by Faddeev and LeVerrier (Gantmacher, "The Theory of Matrices", IV.5).
    """
    z = seq_of_zeros
    if np.ndim(z) < 2:
        z = np.reshape(z, -1)
        others = [np.concatenate([z[:i], z[i + 1:]]) for i in range(len(z))]
        zeros = [-np.sum(g[1:] * np.poly(other)) for other in others]
        return np.reshape(np.stack(zeros), np.shape(seq_of_zeros)) if zeros else np.zeros(0)
    identity = np.eye(len(z), dtype=np.result_type(z))
    coefficient = identity
    total = g[1] * identity
    for i in range(1, len(z)):
        coefficient = np.matmul(z, coefficient) + y[i] * identity
        total = total + g[i + 1] * np.transpose(coefficient)
    return -total


def _roots_p(g, p, y):
    """Where p(y) = 0 and p changes by dp, y changes by -dp(y) / p'(y)."""
    coefficients = np.reshape(p, -1)
    slope = _polyval_x(np.ones_like(y), coefficients, y)
    if np.any(slope == 0):
        raise ValueError("np.roots has no derivative at a multiple root")
    return np.reshape(_polyval_p(-g / slope, (len(coefficients),), y), np.shape(p))


defvjp(np.poly,  seq_of_zeros=_poly_seq)
defvjp(np.roots, p=_roots_p)

# ---- Fitting a polynomial -------------------------------------------------------------------------------------------
# The coefficients c that fit best have V' W (y - V c) = 0, where V has the powers of x, and W the squares of weights.
# That stays so when c changes by N (V' W dy + V' dW (y - V c) + dV' W (y - V c) - V' W dV c), N the inverse of V' W V.
# N is also the second result, if one asks for it (cov); multiplied, but for "unscaled", by the mean square residual.


def _full_rank(x, deg, rcond, w):
    columns = np.vander(x, deg + 1) * (1 if w is None else w[:, None])
    columns = columns / np.sqrt(np.sum(columns * columns, axis=0))
    rtol = len(x) * np.finfo(columns.dtype).eps if rcond is None else rcond
    return np.linalg.matrix_rank(columns, rtol=rtol) == deg + 1


def _polyfit(g, x, y, deg, rcond, w, cov):
    """The cotangents of V, y and w."""
    if not _full_rank(x, deg, rcond, w):
        raise ValueError("np.polyfit has no derivative where the data do not determine the polynomial")
    powers = np.vander(x, deg + 1)
    weights = (np.ones(np.shape(x)) if w is None else w)[:, None]
    squares = weights * weights
    y = np.reshape(y, (len(x), -1))
    c, inverse = np.polyfit(x, y, deg, w=w, cov="unscaled")
    inverse = inverse[:, :, 0]
    residuals = y - np.matmul(powers, c)
    of_c = np.matmul(inverse, np.reshape(g[0] if cov else g, np.shape(c)))
    of_fitted = np.matmul(powers, of_c)
    of_y = squares * of_fitted
    of_powers = np.matmul(squares * residuals, np.transpose(of_c)) - np.matmul(of_y, np.transpose(c))
    of_w = 2 * np.sum(weights * of_fitted * residuals, axis=1)
    if not cov:
        return of_powers, of_y, of_w

    of_inverse = np.reshape(g[1], (deg + 1, deg + 1, -1))
    if cov == "unscaled":
        of_inverse = np.sum(of_inverse, axis=-1)
    else:
        # The sum of squares is at its least: that c moves changes nothing in it.
        free = len(x) - deg - 1
        sizes = np.real(residuals * np.conjugate(residuals))
        of_squares = np.sum(np.expand_dims(inverse, -1) * of_inverse, axis=(0, 1)) / free
        of_inverse = np.matmul(of_inverse, np.sum(squares * sizes, axis=0) / free)
        of_residuals = 2 * squares * np.conjugate(residuals) * of_squares
        of_y = of_y + of_residuals
        of_powers = of_powers - np.matmul(of_residuals, np.transpose(c))
        of_w = of_w + 2 * np.sum(weights * sizes * of_squares, axis=1)
    of_normal = -np.matmul(np.matmul(inverse, of_inverse + np.transpose(of_inverse)), inverse)
    of_weighted = weights * np.matmul(powers, of_normal)
    return of_powers + weights * of_weighted, of_y, of_w + np.sum(of_weighted * powers, axis=1)


def _polyfit_x(g, x, y, deg, rcond=None, w=None, cov=False):
    of_powers, _, _ = _polyfit(g, x, y, deg, rcond, w, cov)
    return _vander_x(of_powers, x)


def _polyfit_y(g, x, y, deg, rcond=None, w=None, cov=False):
    _, of_y, _ = _polyfit(g, x, y, deg, rcond, w, cov)
    return np.reshape(of_y, np.shape(y))


def _polyfit_w(g, x, y, deg, w, rcond=None, cov=False):
    _, _, of_w = _polyfit(g, x, y, deg, rcond, w, cov)
    return of_w


defvjp(np.polyfit, x=_polyfit_x, y=_polyfit_y, w=_polyfit_w)

# ---- Interpolation --------------------------------------------------------------------------------------------------
# At a knot the slope is that of the interval to the right; at the last one, of that to the left; outside it is 0.


def _extended(xp, fp, period):
    """The knots over one period and a little more, in order; and what they were."""
    if period is None:
        return xp, fp, np.arange(len(xp))
    period = abs(period)
    xp = np.remainder(xp, period)
    order = np.argsort(xp)
    order = np.concatenate([order[-1:], order, order[:1]])
    shift = np.zeros(len(order))
    shift[0], shift[-1] = -period, period
    return xp[order] + shift, fp[order], order


def _interval(x, xp):
    """The interval that each x is in, as the number of the knot to the left; -1 and len(xp) - 1 outside."""
    i = np.searchsorted(xp, x, side="right") - 1
    return np.where(x == xp[-1], max(len(xp) - 2, 0), i)


def _interpolation(x, xp, fp, period):
    """For each x: which it is, of outside on the left, inside, and outside on the right; and its interval.

    That is given by the knots on both sides, by how far x is on the way from one to the other, and by the slope.
    """
    x = x if period is None else np.remainder(x, abs(period))
    xp, fp, knots = _extended(xp, fp, period)
    i = _interval(x, xp)
    left, right = i < 0, i == len(xp) - 1
    if len(xp) == 1:
        right = x > xp[0]
    i = np.clip(i, 0, max(len(xp) - 2, 0))
    k = np.minimum(i + 1, len(xp) - 1)
    width = np.where(xp[k] == xp[i], 1, xp[k] - xp[i])
    return left, ~(left | right), right, knots[i], knots[k], (x - xp[i]) / width, (fp[k] - fp[i]) / width


def _interp_x(g, x, xp, fp, left=None, right=None, period=None):
    _, inside, _, _, _, _, slope = _interpolation(x, xp, fp, period)
    return np.where(inside, g * slope, 0)


def _interp_xp(g, x, xp, fp, left=None, right=None, period=None):
    _, inside, _, i, k, way, slope = _interpolation(x, xp, fp, period)
    g = np.where(inside, -g * slope, 0)
    return scatter([g * (1 - way), g * way], [i, k], np.shape(xp))


def _interp_fp(g, x, xp, fp, left=None, right=None, period=None):
    below, inside, above, i, k, way, _ = _interpolation(x, xp, fp, period)
    if period is not None:
        left = right = None
    # Outside, the first or the last value goes on, unless there is another one for that.
    way = np.where(below, 0, np.where(above, 1, way))
    taken = inside if left is not None else inside | below
    g = np.where(taken if right is not None else taken | above, g, 0)
    return scatter([g * (1 - way), g * way], [i, k], np.shape(fp))


def _interp_left(g, x, xp, fp, period=None):
    below = _interpolation(x, xp, fp, period)[0]
    return np.sum(np.where(below, g, 0) if period is None else 0 * g)


def _interp_right(g, x, xp, fp, period=None):
    above = _interpolation(x, xp, fp, period)[2]
    return np.sum(np.where(above, g, 0) if period is None else 0 * g)


defvjp(np.interp, x=_interp_x, xp=_interp_xp, fp=_interp_fp, left=_interp_left, right=_interp_right)

# ---- Differences and sums along an axis -----------------------------------------------------------------------------


def _part(a, axis, start, stop=None):
    """Part of an array along an axis; a number, which stands for as many as are needed, is its own part."""
    return a[(*(slice(None),) * (axis % np.ndim(a)), slice(start, stop))] if np.ndim(a) else a


def _undiff(g, axis=-1):
    """The cotangent of what neighbours were subtracted in: a difference adds to the one, and takes from the other."""
    return _padded(g, 1, 0, axis) - _padded(g, 0, 1, axis)


def _diff(g, a_shape, n, axis, prepend, append):
    """The cotangents of what comes before, of the array, and of what comes after."""
    along = axis % len(a_shape)
    lengths = [0 if b is None else np.shape(b)[along] if np.ndim(b) else 1 for b in (prepend, append)]
    before, middle, total = lengths[0], a_shape[along], sum(lengths) + a_shape[along]
    if n == 0:
        return None, g, None
    if n >= total:
        g = np.zeros([total if i == along else length for i, length in enumerate(a_shape)], np.result_type(g))
    else:
        for _ in range(n):
            g = _undiff(g, along)
    return _part(g, along, 0, before), _part(g, along, before, before + middle), _part(g, along, before + middle)


def _diff_a(g, a_shape, n=1, axis=-1, prepend=None, append=None):
    return _diff(g, a_shape, n, axis, prepend, append)[1]


def _diff_prepend(g, a_shape, prepend, n=1, axis=-1, append=None):
    share = _diff(g, a_shape, n, axis, prepend, append)[0]
    return np.zeros(np.shape(prepend), np.result_type(g)) if share is None else share


def _diff_append(g, a_shape, append, n=1, axis=-1, prepend=None):
    share = _diff(g, a_shape, n, axis, prepend, append)[2]
    return np.zeros(np.shape(append), np.result_type(g)) if share is None else share


defvjp(np.diff, a=_diff_a, prepend=_diff_prepend, append=_diff_append)


def _ediff1d_ary(g, ary_shape, to_end=None, to_begin=None):
    n = math.prod(ary_shape)
    if n == 0:
        return np.zeros(ary_shape)
    before = 0 if to_begin is None else np.size(to_begin)
    return np.reshape(_undiff(g[before: before + n - 1]), ary_shape)


defvjp(np.ediff1d,
       ary=_ediff1d_ary,
       to_begin=lambda g, to_begin_shape: np.reshape(g[:math.prod(to_begin_shape)], to_begin_shape),
       to_end=lambda g, to_end_shape: np.reshape(g[len(g) - math.prod(to_end_shape):], to_end_shape))


def _trapezoid_y(g, y_shape, x=None, dx=1.0, axis=-1):
    """Every interval takes half from the value on either side, times its width."""
    width = dx if x is None else np.diff(x, axis=axis) if np.ndim(x) > 1 else _as_axis(np.diff(x), axis, len(y_shape))
    half = np.expand_dims(g, axis) * (width / 2)
    shape = list(np.shape(half))
    shape[axis] = max(y_shape[axis] - 1, 0)
    half = np.broadcast_to(half, shape)
    return _padded(half, 0, 1, axis) + _padded(half, 1, 0, axis) if y_shape[axis] else np.zeros(y_shape)


def _as_axis(a, axis, ndim):
    """Numbers along that axis, to go with an array of that many."""
    return np.reshape(a, [-1 if i == axis % ndim else 1 for i in range(ndim)])


def _trapezoid_dx(g, y, axis=-1):
    return np.expand_dims(g, axis) * ((_part(y, axis, 1) + _part(y, axis, 0, -1)) / 2)


def _trapezoid_x(g, y, x, axis=-1):
    of_width = _trapezoid_dx(g, y, axis)
    if np.ndim(x) > 1:
        return _undiff(of_width, axis)
    others = tuple(i for i in range(np.ndim(y)) if i != axis % np.ndim(y))
    return _undiff(np.sum(of_width, axis=others))


defvjp(np.trapezoid, y=_trapezoid_y, x=_trapezoid_x, dx=_trapezoid_dx)

# ---- The slopes of what an array holds -------------------------------------------------------------------------------
# Between two points the slope is s = diff(f) / d, where d is their distance. At a point it is the mean of the slopes on
# both sides, that of the shorter side counting more: (d2 s1 + d1 s2) / (d1 + d2). At an end it is the first slope; or,
# with edge_order=2, that slope and some of its difference to the next one: s1 + (s1 - s2) d1 / (d1 + d2).


def _axes_and_spacing(f, varargs, axis):
    axes = list(_axes(tuple(axis) if isinstance(axis, list) else axis, np.ndim(f)))
    spacing = varargs or [1.0]
    return [*zip(axes, spacing if len(spacing) == len(axes) else [spacing[0]] * len(axes))]


def _gradient(g, f, spacing, axis, edge_order):
    """The cotangents of f, and of the distances or coordinates, for the slopes along one axis."""
    g, f = np.moveaxis(g, axis, -1), np.moveaxis(f, axis, -1)
    n = np.shape(f)[-1]
    d = np.diff(spacing) if np.ndim(spacing) else spacing
    s = np.diff(f) / d

    inner = g[..., 1:-1]
    d1, d2, s1, s2 = _part(d, -1, 0, -1), _part(d, -1, 1), s[..., :-1], s[..., 1:]
    inner = inner / (d1 + d2)
    mean = (d2 * s1 + d1 * s2) / (d1 + d2)
    of_s = _padded(inner * d2, 0, 1) + _padded(inner * d1, 1, 0)
    of_d = _padded(inner * (s2 - mean), 0, 1) + _padded(inner * (s1 - mean), 1, 0)
    if edge_order == 1:
        of_s = of_s + _padded(g[..., :1], 0, n - 2) + _padded(g[..., -1:], n - 2, 0)
    else:
        for end, first, second in ((g[..., :1], 0, 1), (g[..., -1:], n - 2, n - 3)):
            d1, d2 = _part(d, -1, first, first + 1), _part(d, -1, second, second + 1)
            step = s[..., first: first + 1] - s[..., second: second + 1]
            more = end / (d1 + d2)
            for place, s_share, d_share in (
                (first, end + more * d1, more * step * (d2 / (d1 + d2))),
                (second, -more * d1, -more * step * (d1 / (d1 + d2))),
            ):
                of_s = of_s + _padded(s_share, place, n - 2 - place)
                of_d = of_d + _padded(d_share, place, n - 2 - place)

    of_d = of_d - of_s * s / d
    of_d = summed_to(of_d, (n - 1,) if np.ndim(spacing) else ())
    return np.moveaxis(_undiff(of_s / d), -1, axis), _undiff(of_d) if np.ndim(spacing) else of_d


def _gradient_f(g, f, varargs, axis=None, edge_order=1):
    pairs = _axes_and_spacing(f, varargs, axis)
    g = g if isinstance(g, list) else [g]
    return sum(_gradient(one, f, spacing, i, edge_order)[0] for one, (i, spacing) in zip(g, pairs))


@sequence
def _gradient_varargs(g, f, varargs, axis=None, edge_order=1):
    pairs = _axes_and_spacing(f, varargs, axis)
    g = g if isinstance(g, list) else [g]
    shares = [_gradient(one, f, spacing, i, edge_order)[1] for one, (i, spacing) in zip(g, pairs)]
    return shares if len(varargs) == len(pairs) else [sum(shares)]


defvjp(np.gradient, f=_gradient_f, varargs=_gradient_varargs)

# What unwrap adds are whole periods.
defvjp(np.unwrap, p=lambda g, discont=None, axis=-1, period=None: g)

# ---- Functions of each element, with derivatives that NumPy lacks ----------------------------------------------------


@primitive
def sinc_derivative(x, k):
    """The derivative of that order of sin(pi x) / (pi x); also where x is 0, or so small that the quotient is noise."""
    x = np.asarray(x)
    u = np.pi * x
    small = np.abs(u) < 2 + k
    # Of sin(u) / u: the power series is differentiated term by term; or u f = sin(u) is, k times.
    t = np.where(small, u, 0)
    orders = range((k + 1) // 2, 20 + 2 * k)
    series = sum((-1) ** j / ((2 * j + 1) * math.factorial(2 * j - k)) * t ** (2 * j - k) for j in orders)
    u = np.where(small, 1, u)
    f = np.sin(u) / u
    for i in range(1, k + 1):
        f = ((np.sin(u), np.cos(u), -np.sin(u), -np.cos(u))[i % 4] - i * f) / u
    return (np.pi**k * np.where(small, series, f)).astype(x.dtype)[()]


@primitive
def bessel_i(x, n):
    """The modified Bessel function of the first kind and of whole order n, by its power series (DLMF 10.25.2)."""
    x = np.asarray(x)
    term = (x / 2) ** n / math.factorial(n)
    total, m = term, 0
    while np.any(np.abs(term) > np.finfo(x.dtype).eps / 4 * np.abs(total)):
        m += 1
        term = term * (x / 2) ** 2 / (m * (m + n))
        total = total + term
    return total[()]


defvjp(np.sinc,         x=lambda g, x: g * sinc_derivative(x, 1))
defvjp(sinc_derivative, x=lambda g, x, k: g * sinc_derivative(x, k + 1))
defvjp(np.i0,           x=lambda g, x: g * bessel_i(x, 1))
defvjp(bessel_i,        x=lambda g, x, n: g * (bessel_i(x, abs(n - 1)) + bessel_i(x, n + 1)) / 2)  # DLMF 10.29.1

# ---- Weighted means, and how variables vary together -----------------------------------------------------------------


def _aligned(weights, shape, axes):
    """Weights that broadcast with an array of that shape, if they are given along its axes only."""
    if np.shape(weights) == shape:
        return weights
    weights = np.transpose(weights, np.argsort(axes).tolist())
    return np.reshape(weights, [n if i in axes else 1 for i, n in enumerate(shape)])


def _average_a(g, a_shape, axis=None, weights=None, returned=False, keepdims=False):
    axes = tuple(_axes(tuple(axis) if isinstance(axis, list) else axis, len(a_shape)))
    g = _keep(g[0] if returned else g, a_shape, axes)
    if weights is None:
        return np.broadcast_to(g / math.prod(a_shape[i] for i in axes), a_shape)
    weights = _aligned(weights, a_shape, axes)
    return g * weights / np.sum(weights, axis=axes, keepdims=True)


def _average_weights(g, a, weights, axis=None, returned=False, keepdims=False):
    shape = np.shape(a)
    axes = tuple(_axes(tuple(axis) if isinstance(axis, list) else axis, len(shape)))
    w = _aligned(weights, shape, axes)
    total = np.sum(w, axis=axes, keepdims=True)
    deviation = a - np.sum(a * w, axis=axes, keepdims=True) / total
    share = _keep(g[0] if returned else g, shape, axes) * deviation / total
    if returned:
        share = share + _keep(g[1], shape, axes)
    share = summed_to(share, np.shape(w))
    if np.shape(weights) == shape:
        return share
    order = np.argsort(axes).tolist()
    share = np.reshape(share, [np.shape(weights)[i] for i in order])
    return np.transpose(share, np.argsort(order).tolist())


defvjp(np.average, a=_average_a, weights=_average_weights)


# Some versions of NumPy take a matrix of one row for one variable, though rowvar=False says that rows are observations.
_ROW_IS_VARIABLE = np.ndim(np.cov(np.ones((1, 2)), rowvar=False, bias=True)) == 0


def _turned(shape, rowvar, row_is_variable):
    return not rowvar and len(shape) == 2 and (shape[0] != 1 or not row_is_variable)


def _variables(a, rowvar, row_is_variable):
    """A row for each variable."""
    if np.ndim(a) < 2:
        return np.reshape(a, (1, -1))
    return np.transpose(a) if _turned(np.shape(a), rowvar, row_is_variable) else a


def _unturned(g, shape, rowvar, row_is_variable):
    return np.reshape(np.transpose(g) if _turned(shape, rowvar, row_is_variable) else g, shape)


def _cov(g, m, y, rowvar, bias, ddof, fweights, aweights):
    """The cotangents of the variables, m's and y's, and of aweights.

    The covariance is X W X' / n, with X the deviations from the mean. That the mean moves changes nothing: it is where
    the deviations add up to 0. The weights W also go into n, in the way that np.cov documents.
    """
    x = _variables(m, rowvar, _ROW_IS_VARIABLE)
    if y is not None:
        x = np.concatenate([x, _variables(y, rowvar, True)])
    ddof = (0 if bias else 1) if ddof is None else ddof
    g = np.reshape(g, (np.shape(x)[0],) * 2)
    frequencies = np.ones(np.shape(x)[1]) if fweights is None else fweights
    w = frequencies if aweights is None else frequencies * aweights
    total = np.sum(w)
    relative = 1 if aweights is None else np.sum(w * aweights) / total
    n = total - ddof * relative
    n = np.where(n > 0, n, 0)
    x = x - np.sum(x * w, axis=1, keepdims=True) / total
    forth, back = np.matmul(g, np.conjugate(x)), np.conjugate(np.matmul(np.transpose(g), x))
    of_x = (forth + back) * w / n
    if aweights is None:
        return of_x, None
    products = np.real(np.sum(forth * x, axis=0)) / n
    of_n = -np.sum(products * w) / n
    of_relative = -ddof * of_n
    of_w = products + of_n + of_relative * (aweights - relative) / total
    return of_x, of_w * frequencies + of_relative * w / total


def _cov_m(g, m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, dtype=None):
    of_x, _ = _cov(g, m, y, rowvar, bias, ddof, fweights, aweights)
    variables = np.shape(_variables(m, rowvar, _ROW_IS_VARIABLE))[0]
    return _unturned(of_x[:variables], np.shape(m), rowvar, _ROW_IS_VARIABLE)


def _cov_y(g, m, y, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, dtype=None):
    of_x, _ = _cov(g, m, y, rowvar, bias, ddof, fweights, aweights)
    variables = np.shape(_variables(m, rowvar, _ROW_IS_VARIABLE))[0]
    return _unturned(of_x[variables:], np.shape(y), rowvar, True)


def _cov_aweights(g, m, aweights, y=None, rowvar=True, bias=False, ddof=None, fweights=None, dtype=None):
    _, of_aweights = _cov(g, m, y, rowvar, bias, ddof, fweights, aweights)
    return of_aweights


def _of_cov(g, x, y, rowvar):
    """The cotangent of the covariances c, that are divided by the deviations: r_ij = c_ij / (s_i s_j), s_i^2 = c_ii."""
    c = np.cov(x, y, rowvar=rowvar)
    if np.ndim(c) == 0:
        return np.zeros(())
    s = np.sqrt(np.real(np.einsum("ii->i", c)))
    g = g / (s[:, None] * s)
    both = np.real(g * c + np.transpose(g * c))
    return g - np.sum(both, axis=1) / (2 * s * s) * np.eye(len(s), dtype=s.dtype)


def _corrcoef_x(g, x, y=None, rowvar=True, dtype=None):
    return _cov_m(_of_cov(g, x, y, rowvar), x, y, rowvar)


def _corrcoef_y(g, x, y, rowvar=True, dtype=None):
    return _cov_y(_of_cov(g, x, y, rowvar), x, y, rowvar)


defvjp(np.cov,      m=_cov_m, y=_cov_y, aweights=_cov_aweights)
defvjp(np.corrcoef, x=_corrcoef_x, y=_corrcoef_y)
