"""Differences, integrals and slopes along an axis, and interpolation."""

import numpy as np

from ..table import defvjp, sequence
from .composition import StandIn, defstandin

# ---- Differences ----------------------------------------------------------------------------------------------------


def _part(a, axis, start, stop=None):
    return a[(*(slice(None),) * (axis % np.ndim(a)), slice(start, stop))]


def _diff(a, n=1, axis=-1, prepend=None, append=None):
    """If prepend or append is a number, it is repeated along the other axes."""
    if n == 0:
        return a
    one = [1 if i == axis % np.ndim(a) else length for i, length in enumerate(np.shape(a))]
    parts = [part if np.ndim(part) else np.broadcast_to(part, one) for part in (prepend, a, append) if part is not None]
    a = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    for _ in range(n):
        a = _part(a, axis, 1) - _part(a, axis, 0, -1)
    return a


def _ediff1d(ary, to_end=None, to_begin=None):
    parts = (to_begin, np.diff(np.ravel(ary)), to_end)
    return np.concatenate([np.ravel(part) for part in parts if part is not None])


defstandin(np.diff, _diff, "a", "prepend", "append")
defstandin(np.ediff1d, _ediff1d, "ary", "to_end", "to_begin")
defvjp(np.unwrap, p=lambda g, discont=None, axis=-1, period=None: g)  # it adds whole periods, which are constant

# ---- Integrals ------------------------------------------------------------------------------------------------------


def _trapezoid(y, x=None, dx=1.0, axis=-1):
    if x is not None:
        dx = np.diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if np.ndim(x) == 1:
            dx = np.reshape(dx, [-1 if i == axis % np.ndim(y) else 1 for i in range(np.ndim(y))])
    return np.sum(dx * ((_part(y, axis, 1) + _part(y, axis, 0, -1)) / 2), axis=axis)


defstandin(np.trapezoid, _trapezoid, "y", "x", "dx")

# ---- Slopes ---------------------------------------------------------------------------------------------------------
# Between two points, the slope is diff(f) / d, where d is their distance. At a point between two others, it is a weighted
# mean of the slopes on both sides, in which the shorter side has the greater weight. At an end, it is the slope of the
# interval there or, with edge_order=2, the slope of the parabola through the three points there.


def _gradient(f, varargs, axis=None, edge_order=1):
    axes = range(np.ndim(f)) if axis is None else [axis] if np.ndim(axis) == 0 else axis
    spacing = varargs or [1.0]
    spacing = spacing if len(spacing) == len(axes) else [spacing[0]] * len(axes)
    slopes = [_slopes(f, along, i, edge_order) for i, along in zip(axes, spacing)]
    return slopes if len(slopes) != 1 else slopes[0]


def _slopes(f, along, axis, edge_order):
    f = np.moveaxis(f, axis, -1)
    d = np.diff(along) if np.ndim(along) else along
    left, right = (d[:-1], d[1:]) if np.ndim(d) else (d, d)
    s = np.diff(f) / d
    first, last = s[..., :1], s[..., -1:]
    inner = (right * s[..., :-1] + left * s[..., 1:]) / (left + right)
    if edge_order == 2:
        weights = left / (left + right), right / (left + right)
        at_first, at_last = (weights[0][:1], weights[1][-1:]) if np.ndim(d) else weights
        first = first + (first - s[..., 1:2]) * at_first
        last = last + (last - s[..., -2:-1]) * at_last
    return np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, axis)


defvjp(np.gradient, f=StandIn(_gradient, "f"), varargs=sequence(StandIn(_gradient, "varargs")))

# ---- Interpolation --------------------------------------------------------------------------------------------------
# At a knot, the derivative is the slope of the interval to its right. At the last knot, it is the slope of the interval to
# its left. Outside of the knots, it is 0.


def _interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        period, left, right = abs(period), None, None
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(len(xp) - 2, 0))
    k = np.minimum(i + 1, len(xp) - 1)
    width = xp[k] - xp[i]
    jump = width == 0  # the last knot is the only one, or it is there twice
    y = np.where(jump, fp[k], fp[i] + (x - xp[i]) * ((fp[k] - fp[i]) / np.where(jump, 1, width)))
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    return np.where(x > xp[-1], fp[-1] if right is None else right, y)


defstandin(np.interp, _interp, "x", "xp", "fp", "left", "right")
