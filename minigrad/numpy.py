"""NumPy for programs written for `jax.numpy` or `autograd.numpy`: change one import, and they run.

Most programs do not need it: plain NumPy passes nearly every call with a Tensor on to minigrad. This module is for the
other calls. Some make an array of Tensors. Some pass a list of Tensors where NumPy takes an array. Some have a Tensor in
an argument in which NumPy does not look for one. All other functions are NumPy's own. Calls without Tensors go to NumPy.

Examples
--------
>>> import minigrad.numpy as np
>>> from minigrad import grad
>>> grad(lambda a: np.sum(np.array([a, 2 * a, 1.0]) ** 2))(3.0)
30.0
>>> grad(lambda left: np.interp(-1.0, [0.0, 1.0], [2.0, 3.0], left=left))(5.0)
1.0
"""

from __future__ import annotations

from functools import wraps as _wraps
from types import SimpleNamespace as _Namespace
from typing import Any

import numpy as _np

from .rules import creation as _creation
from .rules.composition import apply_along_axis, apply_over_axes  # noqa: F401  (here they take plain arrays too)
from .rules.composition import stacked as _stacked
from .table import Rule as _Rule
from .table import find_tensor as _find
from .table import rule_of as _rule_of
from .tensor import record as _record


def __getattr__(name: str) -> Any:
    if name == "polynomial":
        from .polynomial import namespace

        return globals().setdefault(name, namespace(globals()))
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*dir(_np), *globals()})


def _with_tensors(function: Any, ours: Any) -> Any:
    """Return a NumPy function that passes its calls with Tensors on to `ours`."""
    return _wraps(function)(lambda *args, **kwargs: (ours if _find((args, kwargs)) is not None else function)(*args, **kwargs))


def _everywhere(function: Any) -> Any:
    """Return a NumPy function that looks for Tensors in all its arguments, and takes a list of Tensors as an array."""
    rule = _rule_of(function)

    def adapt(given):
        for name, vjp in rule.vjps.items():
            if isinstance(given.get(name), (list, tuple)) and vjp and not vjp.of_sequence and _find(given[name]) is not None:
                given[name] = _stacked(given[name])
        return rule.adapt(given) if rule.adapt else given

    ours = _with_tensors(function, lambda *args, **kwargs: _record(everywhere, args, kwargs))
    everywhere: Any = _Rule(ours, rule.vjps, adapt)
    return ours


def _with(module: Any, **others: Any) -> _Namespace:
    """Return the contents of a module, with some functions replaced."""
    return _Namespace(**{**{name: getattr(module, name) for name in dir(module) if name[0] != "_"}, **others})


for _name in "array asarray asarray_chkfinite ascontiguousarray asfortranarray require full full_like kaiser".split():
    globals()[_name] = _with_tensors(getattr(_np, _name), getattr(_creation, _name))
asanyarray = _with_tensors(_np.asanyarray, _creation.asarray)
for _name in (
    "sum prod max min amax amin nansum nanprod nanmax nanmin mean var std nanvar nanstd dot cumsum append ravel interp pad "
    "select nan_to_num polyint histogram histogram_bin_edges"
).split():
    globals()[_name] = _everywhere(getattr(_np, _name))
r_, c_ = _creation.Joined(_np.r_, False), _creation.Joined(_np.c_, True)
fft = _with(_np.fft, **{f.__name__: _with_tensors(f, _creation.frequencies(f)) for f in (_np.fft.fftfreq, _np.fft.rfftfreq)})
linalg = _with(_np.linalg, norm=_everywhere(_np.linalg.norm))
