"""Functions of each element on its own: arithmetic, powers, exponentials, trigonometry.

In every rule `g` is the cotangent of the result, `y` is the result, and the other names are the arguments. Where a
function has no derivative, the rule returns what JAX returns. A comment says what that is if the formula does not show it.
"""

import inspect

import numpy as np

from ..conversions import widened
from ..graph import describe
from ..memory import undifferentiated
from ..operands import Guarded, some
from ..table import defcomposition, defconstant, defvjp, primitive

LN2, LN10, PI = float(np.log(2)), float(np.log(10)), float(np.pi)

# Some rules are not the formulas of the textbooks. A square may overflow where the derivative does not. A difference of
# nearly equal numbers has few correct digits, and so has the derivative of a formula with such a difference. If the
# derivative of a function has a name below, such as `sech_squared`, it has a rule of its own for the second derivative.

# ---- Arithmetic -----------------------------------------------------------------------------------------------------


def _whole_quotient(a, b):
    """Return a / b, rounded down. If b is infinite, a / b may be -0.0, but the rounded quotient is -1."""
    return np.where(np.isinf(b), np.floor_divide(a, b), np.floor(a / b))


defvjp(np.add,       a=lambda g: g,              b=lambda g: g)
defvjp(np.subtract,  a=lambda g: g,              b=lambda g: -g)
defvjp(np.multiply,  a=lambda g, b: g * b,       b=lambda g, a: g * a)
defvjp(np.divide,    a=lambda g, b: g / b,       b=lambda g, b, y: -g * y / b)
defvjp(np.remainder, a=lambda g: g,              b=lambda g, a, b: -g * _whole_quotient(a, b))
defvjp(np.fmod,      a=lambda g: g,              b=lambda g, a, b: -g * np.trunc(a / b))
defvjp(np.divmod,    a=lambda g: g[1],           b=lambda g, a, b: -g[1] * _whole_quotient(a, b))

defvjp(np.negative,   x=lambda g: -g)
defvjp(np.positive,   x=lambda g: g)
defvjp(np.square,     x=lambda g, x: 2 * g * x)
defvjp(np.reciprocal, x=lambda g, y: -g * y * y)
defvjp(np.conjugate,  x=lambda g: np.conjugate(g))


def _sloped(g, x):
    """Return the cotangent of x for y = |x|. The slope at 0 is 1. For a complex x it is conj(x) / |x|, and 0 at 0."""
    return g * np.conjugate(np.sign(x)) if np.iscomplexobj(x) else np.where(x >= 0, g, -g)


@primitive
def direction(z):
    """Return the sign of a complex number, z / |z|. It is 0 at 0."""
    return np.sign(z)


@primitive
def constant_sign(x):
    """Return the sign of a real number."""
    return np.sign(x)


def _direction_z(g, z, y):
    """If z turns by the small angle Im(dz / z), so does its direction y, and dy is i y Im(dz / z)."""
    return 1j * np.imag(g * y) / np.where(y == 0, 1, z)


defvjp(np.absolute, x=_sloped)
defvjp(np.fabs,     x=_sloped)
defvjp(direction,   z=_direction_z)
defconstant(constant_sign)
defcomposition(np.sign, lambda x: direction(x) if np.iscomplexobj(x) else constant_sign(x))

# ---- Powers ---------------------------------------------------------------------------------------------------------


def _precise(constant, like):
    """Return a constant in the dtype of the result. In its own dtype, b - 1 may overflow, and log a lose digits."""
    is_weak = type(constant) in (int, float) or isinstance(describe(constant)[1], type)
    if is_weak or undifferentiated(constant) is not constant:
        return constant
    return constant.astype(np.result_type(constant, like), copy=False)


def _power_base(g, a, b):
    """g b a**(b-1). At a = b = 0 the result is 0, because a**0 is constant. The formula would give 0 * inf."""
    a, b = widened(a), _precise(b, a)
    if np.shape(b) == () and not some(b == 0):
        # For arrays the operator ** is faster than np.power with some exponents. For some Python numbers it raises.
        return g * b * (np.power(a, b - 1) if np.shape(a) == () else a ** (b - 1))
    constant = (a == 0) & (b == 0)
    return g * b * np.power(np.where(constant, 1, a) if some(constant) else a, b - 1)


def _power_exponent(g, a, y):
    """g y log a. At a = 0 the result is 0, because 0**b stays 0 when b changes."""
    if type(a) in (float, int, complex):  # of a Python number, a Python number
        return g * y * np.log(a or 1).item()
    a = _precise(a, y)
    return g * y * np.log(np.where(a == 0, 1, a))


defvjp(np.power,       a=_power_base,               b=_power_exponent)
defvjp(np.float_power, a=_power_base,               b=_power_exponent)
defvjp(np.sqrt,        x=lambda g, y: g / (2 * y))
defvjp(np.cbrt,        x=lambda g, y: g / (3 * y) / y)


@primitive
def cosine(a, b, size):
    """Return a / size, where size is hypot(a, b): the slope of hypot by a. At the origin it is 1/2."""
    zero = size == 0
    return np.where(zero, 0.5, a / np.where(zero, 1, size)) if some(zero) else a / size


def _per_size(x, size):
    """Return x / size, and 0 at the origin."""
    return np.where(size == 0, 0, x / np.where(size == 0, 1, size))


# In polar coordinates a = r cos(t), b = r sin(t), and r does not change with t. So d cos(t) = -sin(t) dt, where
# dt = (cos(t) db - sin(t) da) / r. These are the derivatives by a and b alone, as if the size were not an argument.
defvjp(np.hypot, a=lambda g, a, b, y: g * cosine(a, b, y), b=lambda g, a, b, y: g * cosine(b, a, y))
defvjp(cosine,   a=lambda g, a, b, size: g * _per_size(np.square(cosine(b, a, size)), size),
                 b=lambda g, a, b, size, y: -g * _per_size(cosine(b, a, size) * y, size),
                 size=None)

# ---- Exponentials and logarithms ------------------------------------------------------------------------------------

defvjp(np.exp,    x=lambda g, y: g * y)
defvjp(np.exp2,   x=lambda g, y: g * y * LN2)
defvjp(np.expm1,  x=lambda g, x: g * np.exp(x))
defvjp(np.log,    x=lambda g, x: g / x)
defvjp(np.log2,   x=lambda g, x: g * (1 / LN2) / x)
defvjp(np.log10,  x=lambda g, x: g * (1 / LN10) / x)
defvjp(np.log1p,  x=lambda g, x: g / (1 + x))


@primitive
def share(a, b, base=np.e):
    """Return the share that base**a has in base**a + base**b. It depends on a - b alone. It is 1 if both are inf."""
    infinite = a == np.inf
    if some(infinite):
        b = np.where(infinite, 0, b)
    difference = a - b
    is_known = not isinstance(difference, Guarded) and getattr(difference, "dtype", None) == np.float64
    if is_known and np.min(difference, initial=0) > -700:  # the usual case
        return 1 / (1 + (np.exp if base == np.e else np.exp2)(-difference))
    small = (np.exp if base == np.e else np.exp2)(-np.abs(difference))
    return np.where(difference < 0, small, 1) / (1 + small)


def _shift(g, a, b, base):
    """Return the cotangent of a - b for the cotangent `g` of ``share(a, b)``."""
    return g * (share(a, b, base) * share(b, a, base) * float(np.log(base)))


defvjp(np.logaddexp,  a=lambda g, a, b: g * share(a, b),      b=lambda g, a, b: g * share(b, a))
defvjp(np.logaddexp2, a=lambda g, a, b: g * share(a, b, 2.0), b=lambda g, a, b: g * share(b, a, 2.0))
defvjp(share,
       a=lambda g, a, b, base=np.e: _shift(g, a, b, base),
       b=lambda g, a, b, base=np.e: -_shift(g, a, b, base))

# ---- Trigonometric and hyperbolic functions -------------------------------------------------------------------------


@primitive
def cosine_of_arcsin(x):
    """Return the square root of 1 - x**2. For complex numbers it is on the same side of the branch cuts as arcsin."""
    if np.iscomplexobj(x):
        return np.sqrt(-(x - 1)) * np.sqrt(1 + x)  # -(x - 1) keeps the sign of a zero imaginary part, and 1 - x does not
    return np.sqrt((1 - x) * (1 + x))


@primitive
def arctanh_slope(x):
    """Return 1 / (1 - x**2)."""
    return np.divide(1, 1 - x) / (1 + x)


def _one_plus_square(g, x):
    """Return g / (1 + x**2). The square of a large x overflows, so it is not computed."""
    return g / (x + 1j) / (x - 1j) if np.iscomplexobj(x) else g / np.hypot(x, 1) / np.hypot(x, 1)


def _over_square(g, x, a, b):
    """Return g x / (a**2 + b**2). If a and b are so large that their hypotenuse overflows, it takes a quarter of them."""
    part = np.where(np.isinf(np.hypot(a, b)), 0.25, 1)
    size = np.hypot(part * a, part * b)
    return g * (part * x / size) / size * part


def _arcsinh_x(g, x):
    """g / sqrt(1 + x**2)"""
    if not np.iscomplexobj(x):
        return g / np.hypot(x, 1)
    large = np.abs(x) > 1e9  # there the 1 does not count
    inner = np.where(large, 1, x)
    return g / np.where(large, np.where(np.signbit(np.real(x)), -x, x), np.sqrt(inner * inner + 1))


@primitive
def sech_squared(x):
    """Return 1 / cosh(x)**2, the slope of tanh. 1 - tanh(x)**2 would have no correct digits where tanh(x) is nearly 1."""
    if isinstance(x, float):  # also float64
        slope = 1 / np.cosh(min(abs(x), 700.0))
        return slope * slope
    limit = _LIMITS_OF_COSH.get(getattr(x, "dtype", None))
    if limit == 700.0 and not isinstance(x, Guarded) and np.vdot(x, x) < 1e5:  # the usual case: no element is so large that cosh overflows
        return 1 / np.square(np.cosh(x))
    if limit is None:  # complex numbers, and long double
        e = np.exp(np.where(np.real(x) < 0, x, -x))
        return np.square(2 * e / (1 + e * e))
    slope = 1 / np.cosh(np.minimum(np.abs(x), limit))
    return slope * slope


# Beyond these numbers, cosh overflows, and the slope of tanh is 0.
_LIMITS_OF_COSH = {np.dtype(np.float16): 11.0, np.dtype(np.float32): 88.0, np.dtype(np.float64): 700.0}

defvjp(np.sin,     x=lambda g, x: g * np.cos(x))
defvjp(np.cos,     x=lambda g, x: -g * np.sin(x))
defvjp(np.tan,     x=lambda g, x, y: g * (sech_squared(1j * x) if np.iscomplexobj(x) else 1 + y * y))
defvjp(np.arcsin,  x=lambda g, x: g / cosine_of_arcsin(x))
defvjp(np.arccos,  x=lambda g, x: -g / cosine_of_arcsin(x))
defvjp(cosine_of_arcsin, x=lambda g, x, y: -g * x / y)
defvjp(np.arctan,  x=_one_plus_square)
defvjp(np.arctan2, a=lambda g, a, b: _over_square(g, b, a, b), b=lambda g, a, b: -_over_square(g, a, a, b))
defvjp(np.sinh,    x=lambda g, x: g * np.cosh(x))
defvjp(np.cosh,    x=lambda g, x: g * np.sinh(x))
defvjp(np.tanh,    x=lambda g, x: g * sech_squared(x))
defvjp(sech_squared, x=lambda g, x, y: -2 * g * y * np.tanh(x))
defvjp(np.arcsinh, x=_arcsinh_x)
defvjp(np.arccosh, x=lambda g, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)))
defvjp(np.arctanh, x=lambda g, x: g * arctanh_slope(x))
defvjp(arctanh_slope, x=lambda g, x, y: 2 * g * (x * y) * y)

for to_radians in (np.deg2rad, np.radians):
    defvjp(to_radians, x=lambda g: g * (PI / 180))
for to_degrees in (np.rad2deg, np.degrees):
    defvjp(to_degrees, x=lambda g: g * (180 / PI))

# ---- Choosing between two values ------------------------------------------------------------------------------------
# If the operands of maximum or minimum are equal, each gets half of the cotangent. If one is NaN, neither gets any. If
# the operands of fmax or fmin are equal, the second one gets the cotangent. `np.greater` compares complex numbers, and > does
# not.


def _share(g, wins, ties):
    """Return the cotangent of an operand: `g` where it wins, and half of `g` where the operands are equal."""
    share = g * wins  # this takes half the time of np.where
    return np.where(ties, g / 2, share) if some(ties) else share


defvjp(np.maximum,
       a=lambda g, a, b: _share(g, np.greater(a, b), a == b),
       b=lambda g, a, b: _share(g, np.greater(b, a), a == b))
defvjp(np.minimum,
       a=lambda g, a, b: _share(g, np.less(a, b), a == b),
       b=lambda g, a, b: _share(g, np.less(b, a), a == b))
defvjp(np.fmax,
       a=lambda g, a, b: np.where(np.greater(a, b) | np.isnan(b), g, 0),
       b=lambda g, a, b: np.where(np.greater(a, b) | np.isnan(b), 0, g))
defvjp(np.fmin,
       a=lambda g, a, b: np.where(np.less(a, b) | np.isnan(b), g, 0),
       b=lambda g, a, b: np.where(np.less(a, b) | np.isnan(b), 0, g))
defvjp(np.copysign,
       a=lambda g, a, b: np.where((a >= 0) != np.signbit(b), g, -g),
       b=None)
defvjp(np.heaviside, a=None, b=lambda g, a: np.where(a == 0, g, 0))

# ---- Parts of a number ----------------------------------------------------------------------------------------------

defvjp(np.modf,  x=lambda g: g[0])
defvjp(np.frexp, x=lambda g, y: np.ldexp(g[0], -y[1]))
defvjp(np.ldexp, a=lambda g, b: np.ldexp(g, b), b=None)

# ---- Functions that are not ufuncs ----------------------------------------------------------------------------------


def _raised(g, a, low, high):
    """Return the maximum in y = minimum(maximum(a, low), high), and the cotangent of that maximum."""
    raised = a if low is None else np.maximum(a, low)
    return raised, g if high is None else _share(g, raised < high, raised == high)


def _clip_a(g, a, a_min=None, a_max=None, min=None, max=None):
    low, high = min if a_min is None else a_min, max if a_max is None else a_max
    _, g = _raised(g, a, low, high)
    return g if low is None else _share(g, a > low, a == low)


def _clip_low(g, a, low, high):
    _, g = _raised(g, a, low, high)
    return _share(g, low > a, low == a)


def _clip_high(g, a, low, high):
    raised, _ = _raised(g, a, low, None)
    return _share(g, raised > high, raised == high)


# Before NumPy 2.1 the bounds are only called a_min and a_max.
defvjp(np.clip, a=_clip_a, **{
    name: vjp for name, vjp in {
        "a_min": lambda g, a, a_min, a_max=None: _clip_low(g, a, a_min, a_max),
        "a_max": lambda g, a, a_max, a_min=None: _clip_high(g, a, a_min, a_max),
        "min": lambda g, a, min, max=None: _clip_low(g, a, min, max),
        "max": lambda g, a, max, min=None: _clip_high(g, a, min, max),
    }.items() if name in inspect.signature(np.clip).parameters
})


class _Asked:
    """An operand that returns the ufunc that it is passed to."""

    def __array_ufunc__(self, ufunc, *args, **kwargs):
        return ufunc


# The method ``a.clip`` does not call np.clip. It calls a ufunc that has no public name.
clip_method = np.zeros(1).clip(_Asked(), _Asked())  # type: ignore[call-overload]
defvjp(clip_method,
       a=lambda g, a, low, high: _clip_a(g, a, low, high),
       low=lambda g, a, low, high: _clip_low(g, a, low, high),
       high=lambda g, a, low, high: _clip_high(g, a, low, high))


def _where_part(g, x, chosen):
    """Return `g` where x is chosen, and 0 elsewhere. The two parts of a complex x are chosen separately."""
    if not np.iscomplexobj(x):
        return np.where(chosen(x), g, 0)
    return np.where(chosen(np.real(x)), np.real(g), 0) + 1j * np.where(chosen(np.imag(x)), np.imag(g), 0)


def _instead_of(g, x, chosen):
    """Return the cotangent of the real number that replaced the parts of x that are chosen."""
    part = _where_part(g, x, chosen)
    return np.real(part) - np.imag(part) if np.iscomplexobj(x) else part


defvjp(np.nan_to_num,
       x=lambda g, x, nan=0.0, posinf=None, neginf=None: _where_part(g, x, np.isfinite),
       nan=lambda g, x, posinf=None, neginf=None: _instead_of(g, x, np.isnan),
       posinf=lambda g, x, nan=0.0, neginf=None: _instead_of(g, x, np.isposinf),
       neginf=lambda g, x, nan=0.0, posinf=None: _instead_of(g, x, np.isneginf))


def _angle_z(g, z, deg=False):
    """The angle is the imaginary part of the logarithm. The angle of a real number does not change."""
    return g * (180 / PI if deg else 1) * (-1j if np.iscomplexobj(z) else 0) / z


defvjp(np.angle, z=_angle_z)
defvjp(np.real_if_close, a=lambda g, tol=100: g)

# ---- Piecewise constant ---------------------------------------------------------------------------------------------

defconstant(
    np.floor, np.ceil, np.trunc, np.rint, np.signbit, np.isnan, np.isfinite, np.isinf, np.logical_not,
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and, np.logical_or,
    np.logical_xor, np.floor_divide, np.round, np.around, np.fix, np.isneginf, np.isposinf, np.isreal, np.iscomplex,
    np.isclose, np.allclose, np.array_equal, np.array_equiv,
)
