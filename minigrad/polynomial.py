"""`numpy.polynomial` for `minigrad.numpy`: NumPy's own functions, with `minigrad.numpy` in the place of NumPy.

The functions of `numpy.polynomial` are written in Python, with many calls such as ``np.array(c, ndmin=1)``. NumPy does not
look for Tensors there, but `minigrad.numpy` has functions that do. So each function gets a copy with the same code, whose
global name ``np`` is another object. The copy computes with Tensors, in the same steps as NumPy.

A few functions have rules instead: arithmetic, because it drops zeros that have a derivative; functions that sort in place;
and functions that import others when they are called.
"""

from __future__ import annotations

import numbers
import sys
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, Callable

import numpy as np
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial, polyutils

from .rules.composition import defstandin
from .table import defvjp, find_tensor, primitive
from .tensor import Tensor

BASES = {"poly": polynomial, "cheb": chebyshev, "leg": legendre, "lag": laguerre, "herm": hermite, "herme": hermite_e}
HOMES = {module.__name__ for module in (*BASES.values(), polyutils)} | {"numpy.polynomial._polybase"}

# ---- Copies ---------------------------------------------------------------------------------------------------------


class Substitute:
    """What stands for NumPy: the names of `minigrad.numpy`, and new arrays into which Tensors can be written."""

    ndarray = (np.ndarray, Tensor)  # for isinstance

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def __getattr__(self, name: str) -> Any:
        return self.names[name] if name in self.names else getattr(np, name)

    def zeros(self, shape: Any, dtype: Any = float) -> Any:
        """Return zeros. They are a Tensor if the running functions compute with one."""
        found = _tensor_of_callers()
        return np.zeros(shape, dtype) if found is None else np.zeros_like(found, dtype=dtype, shape=shape)

    empty = zeros

    def array(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return an array. It is a Tensor if the running functions compute with one: they may write a Tensor into it."""
        result = self.names["array"](value, *args, **kwargs)
        found = _tensor_of_callers() if isinstance(result, np.ndarray) else None
        if found is not None and result.dtype.kind in "iu" and kwargs.get("copy"):
            result = result + 0.0  # coefficients, which NumPy makes floats too
        if found is None or result.dtype.kind not in "fc":
            return result
        return np.zeros_like(found, dtype=result.dtype, shape=result.shape) + result


def _tensor_of_callers() -> Any:
    """Return a Tensor in a variable of one of the functions of `numpy.polynomial` that are running, or None."""
    frame: Any = sys._getframe(2)
    found = None
    while found is None and frame.f_globals.get("__name__") in HOMES:
        found = find_tensor(list(frame.f_locals.values()))
        frame = frame.f_back
    return found


class Copies:
    """Makes the copies of modules, functions and classes, each once.

    Parameters
    ----------
    known : dict
        What takes the place of some objects. The keys are their ids.
    """

    def __init__(self, known: dict[int, Any]) -> None:
        self.known = known
        self.scopes: dict[str, dict[str, Any]] = {}  # for each module, the globals of its copied functions

    def scope(self, module: str) -> dict[str, Any]:
        if module not in self.scopes:
            names = self.scopes[module] = {}
            names.update({name: self.of(value) for name, value in vars(sys.modules[module]).items()})
        return self.scopes[module]

    def of(self, value: Any) -> Any:
        """Return the copy of a value. What does not belong to `numpy.polynomial` stays as it is."""
        if id(value) in self.known:
            return self.known[id(value)]
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(self.of(value.__func__))
        if isinstance(value, property):
            return property(self.of(value.fget), self.of(value.fset), self.of(value.fdel), value.__doc__)
        if isinstance(value, ModuleType) and value.__name__ in HOMES:
            return self.known.setdefault(id(value), SimpleNamespace(**self.scope(value.__name__)))
        if getattr(value, "__module__", None) not in HOMES:
            return value
        if isinstance(value, type):
            return value if value.__name__ == "ABCPolyBase" else self.class_of(value)  # the copies are subclasses of it
        fun = getattr(value, "_implementation", value)  # some have a wrapper that looks for Tensors
        return self.function_of(value, fun) if isinstance(fun, FunctionType) else value

    def function_of(self, value: Any, fun: FunctionType) -> Callable:
        copy = FunctionType(fun.__code__, self.scope(fun.__module__), fun.__name__, fun.__defaults__, fun.__closure__)
        copy.__kwdefaults__, copy.__doc__ = fun.__kwdefaults__, fun.__doc__
        return self.known.setdefault(id(value), copy)

    def class_of(self, original: type) -> type:
        """Return a subclass in which all functions are replaced by their copies."""
        copy = self.known[id(original)] = type(original.__name__, (original,), {"__doc__": original.__doc__})
        members: dict[str, Any] = {}
        for base in reversed(original.__mro__):
            members |= vars(base) if base.__module__ in HOMES else {}
        for name, member in members.items():
            if isinstance(member, (FunctionType, staticmethod, classmethod, property)):
                setattr(copy, name, self.of(member))
        return copy


def namespace(names: dict[str, Any]) -> SimpleNamespace:
    """Return the contents of `numpy.polynomial`, for the names of `minigrad.numpy`."""
    substitutes = {
        id(np): Substitute(names),
        id(numbers): SimpleNamespace(Number=(numbers.Number, Tensor)),  # for isinstance
        id(polyutils._fromroots): from_roots(names),
    }
    copies, untrimmed = Copies(dict(substitutes)), Copies(substitutes | {id(polyutils.trimseq): lambda seq: seq})
    for prefix, module in BASES.items():
        for make, words in ((arithmetic, "add sub mul mulx pow div"), (roots_of, "roots")):
            for word in words.split():
                original = getattr(module, prefix + word)
                copies.known[id(original)] = make(original, module, prefix, copies if word == "roots" else untrimmed)
        for conversion in (f"{prefix}2poly", f"poly2{prefix}"):
            if hasattr(module, conversion):
                copies.known[id(getattr(module, conversion))] = converted(getattr(module, conversion))
    return SimpleNamespace(**{name: copies.of(value) for name, value in vars(np.polynomial).items() if name[0] != "_"})


# ---- What has a rule ------------------------------------------------------------------------------------------------


def arithmetic(original: Callable, module: Any, prefix: str, untrimmed: Copies) -> Callable:
    """Return a sum, product, quotient or power of series. NumPy computes the values.

    NumPy drops zeros at the end of coefficients, but they have a derivative. So the backward pass differentiates a copy that
    drops nothing, as far as NumPy's result goes.
    """
    operation, program = primitive(original), untrimmed.of(original)
    if original.__name__.endswith("div"):

        def quotient(c1: Any, c2: Any, y: Any) -> Any:
            c2 = np.atleast_1d(c2)
            degree = np.max(np.flatnonzero(c2))
            return tuple(result[: len(one)] for result, one in zip(program(c1, c2[: degree + 1]), y))

        defstandin(operation, quotient, "c1", "c2")
    elif original.__name__.endswith("pow"):
        defstandin(operation, lambda c, pow, y, maxpower=None: program(c, pow, maxpower)[: len(y)], "c")
    elif original.__name__.endswith("mulx"):
        defstandin(operation, lambda c, y: program(c)[: len(y)], "c")
    else:
        defstandin(operation, lambda c1, c2, y: program(c1, c2)[: len(y)], "c1", "c2")
    return operation


def from_roots(names: dict[str, Any]) -> Callable:
    """Return the function that multiplies the lines through some roots. NumPy's sorts the roots in place."""

    def product(line_f: Callable, mul_f: Callable, roots: Any) -> Any:
        factors = [line_f(-root, 1) for root in np.sort(names["array"](roots, ndmin=1) + 0.0)]
        while len(factors) > 1:  # NumPy multiplies the first half with the second
            half = len(factors) // 2
            pairs = [mul_f(factors[i], factors[i + half]) for i in range(half)]
            factors = [mul_f(pairs[0], factors[-1]), *pairs[1:]] if len(factors) % 2 else pairs
        return factors[0] if factors else np.ones(1)

    return product


def roots_of(original: Callable, module: Any, prefix: str, copies: Copies) -> Callable:
    """Return the function for the roots of a series. NumPy computes the values.

    If the coefficient of a basis function B changes by dc, a root y changes by -B(y) dc / p'(y).
    """
    roots = primitive(original)

    def vjp(g: Any, c: Any, y: Any) -> Any:
        value, derivative, basis = (copies.of(getattr(module, prefix + name)) for name in ("val", "der", "vander"))
        slope = value(y, derivative(c))
        if np.any(slope == 0):
            raise ValueError(f"{prefix}roots has no derivative at a multiple root")
        return np.dot(-g / slope, basis(y, len(c) - 1))

    defvjp(roots, c=vjp)
    return roots


def converted(convert: Callable) -> Callable:
    """Return a function that converts a series to another basis. NumPy computes the values. The function is linear."""
    function = primitive(convert)

    def share(g: Any, n: int) -> Any:
        rows = [convert(np.eye(1, k + 1, k)[0])[: len(g)] for k in range(n)]  # NumPy drops zeros at the end of the result
        return np.stack([np.dot(g[: len(row)], row) for row in rows])

    if convert.__name__.startswith("poly2"):
        defvjp(function, pol=lambda g, pol_shape: share(g, *pol_shape))
    else:
        defvjp(function, c=lambda g, c_shape: share(g, *c_shape))
    return function
