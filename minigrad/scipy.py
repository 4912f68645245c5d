"""``scipy.special`` for values that are being differentiated: change one import, and the functions that are not ufuncs work.

SciPy's ufuncs, such as ``scipy.special.erf``, take Tensors by themselves. Other functions make plain arrays of their
arguments first. This module has those functions of ``scipy.special`` that programs differentiate most. SciPy computes the
values. All other names are SciPy's own. To import this module, SciPy has to be installed.

Examples
--------
>>> import numpy as np
>>> from minigrad import grad
>>> from minigrad.scipy import special
>>> grad(special.logsumexp)(np.array([0.0, 0.0]))
array([0.5, 0.5])
>>> grad(lambda x: special.polygamma(0, x))(1.0) == special.polygamma(1, 1.0)
np.True_
"""

from __future__ import annotations

from types import SimpleNamespace as _Namespace
from typing import Any

import numpy as _np
import scipy.special as _special
from scipy import __version__ as VERSION  # noqa: F401

from .table import defvjp as _defvjp
from .table import primitive as _primitive

# ---- Sums of exponentials -------------------------------------------------------------------------------------------


@_primitive
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Same as `scipy.special.logsumexp`: the logarithm of the sum of ``b * exp(a)``."""
    return _special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)


def _terms(g: Any, a: Any, y: Any, axis: Any, keepdims: bool, return_sign: bool) -> Any:
    """Return ``exp(a)`` divided by the sum, times the cotangent."""
    if return_sign:
        y, sign = y
        g = g[0] * sign
        if _np.iscomplexobj(sign):
            raise NotImplementedError("the derivative of logsumexp does not support return_sign=True for complex numbers")
    if not keepdims and axis is not None:
        g, y = _np.expand_dims(g, axis), _np.expand_dims(y, axis)
    return g * _np.exp(a - y)


def _logsumexp_a(g, a, b, y, axis=None, keepdims=False, return_sign=False):
    terms = _terms(g, a, y, axis, keepdims, return_sign)
    return terms if b is None else terms * b


def _logsumexp_b(g, a, y, axis=None, keepdims=False, return_sign=False):
    return _terms(g, a, y, axis, keepdims, return_sign)


_defvjp(logsumexp, a=_logsumexp_a, b=_logsumexp_b)


@_primitive
def softmax(x: Any, axis: Any = None) -> Any:
    """Same as `scipy.special.softmax`: ``exp(x)`` divided by its sum."""
    return _special.softmax(x, axis=axis)


@_primitive
def log_softmax(x: Any, axis: Any = None) -> Any:
    """Same as `scipy.special.log_softmax`: the logarithm of `softmax`."""
    return _special.log_softmax(x, axis=axis)


_defvjp(softmax,     x=lambda g, y, axis=None: y * (g - _np.sum(g * y, axis=axis, keepdims=True)))
_defvjp(log_softmax, x=lambda g, y, axis=None: g - _np.exp(y) * _np.sum(g, axis=axis, keepdims=True))


@_primitive
def softplus(x: Any) -> Any:
    """Same as `scipy.special.softplus` of newer SciPy: the logarithm of ``1 + exp(x)``."""
    return _np.logaddexp(0, x)


_defvjp(softplus, x=lambda g, x: g * _special.expit(x))

# ---- Gamma functions: DLMF 5.2.2, 5.15.1 ----------------------------------------------------------------------------


@_primitive
def polygamma(n: Any, x: Any) -> Any:
    """Same as `scipy.special.polygamma`: the derivative of psi of order `n`. There is no derivative by `n`."""
    return _special.polygamma(n, x)


@_primitive
def multigammaln(a: Any, d: int) -> Any:
    """Same as `scipy.special.multigammaln`: the logarithm of the gamma function of dimension `d`."""
    return _special.multigammaln(a, d)


@_primitive
def factorial(n: Any, exact: bool = False, **options: Any) -> Any:
    """Same as `scipy.special.factorial`: gamma(n + 1), and 0 for negative `n`. ``exact=True`` is for integers only."""
    return _special.factorial(n, exact=exact, **options)


@_primitive
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Same as `scipy.special.perm`: ``N! / (N - k)!``."""
    return _special.perm(N, k, exact=exact)


@_primitive
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Same as `scipy.special.comb`: ``N! / (N - k)! / k!``."""
    return _special.comb(N, k, exact=exact, repetition=repetition)


def _where_not_0(y: Any, slope: Any, *arguments: Any) -> Any:
    """Return y times the slope. Where y is 0, it is 0 in a neighbourhood too, and the arguments may be at a pole."""
    gone = _np.equal(y, 0)
    return _np.where(gone, 0.0, y * slope(*(_np.where(gone, 1.0, x) for x in arguments)))


def _psi(x: Any) -> Any:
    return _special.psi(_np.add(x, 1.0))


def _comb_N(g, N, k, y, repetition=False):
    if repetition:  # it is comb(N + k - 1, k)
        N = N + k - 1
    return g * _where_not_0(y, lambda N, k: _psi(N) - _psi(N - k), N, k)


def _comb_k(g, N, k, y, repetition=False):
    if repetition:
        return g * _where_not_0(y, lambda N, k: _psi(N + k - 1) - _psi(k), N, k)
    return g * _where_not_0(y, lambda N, k: _psi(N - k) - _psi(k), N, k)


_defvjp(polygamma,    x=lambda g, n, x: g * polygamma(_np.add(n, 1), x))
_defvjp(multigammaln, a=lambda g, a, d: g * sum(_special.psi(a - i / 2) for i in range(int(d))))
_defvjp(factorial,    n=lambda g, n, y: g * _where_not_0(y, _psi, n))
_defvjp(perm,         N=lambda g, N, k, y: g * _where_not_0(y, lambda N, k: _psi(N) - _psi(N - k), N, k),
                      k=lambda g, N, k, y: g * _where_not_0(y, lambda N, k: _psi(N - k), N, k))
_defvjp(comb,         N=_comb_N, k=_comb_k)

# ---- The namespace --------------------------------------------------------------------------------------------------

FUNCTIONS = (comb, factorial, log_softmax, logsumexp, multigammaln, perm, polygamma, softmax, softplus)
special = _Namespace(
    **{name: getattr(_special, name) for name in dir(_special) if name[0] != "_"} | {f.__name__: f for f in FUNCTIONS}
)
