"""The table of derivatives: for each function, the VJP of each argument.

A line of the table reads like a line of a table of derivatives:

    defvjp(np.multiply, a=lambda g, b: g * b,  b=lambda g, a: g * a)
    defvjp(np.exp,      x=lambda g, y: g * y)
    defvjp(np.sin,      x=lambda g, x: g * np.cos(x))

The names of a VJP's parameters say what it needs. `g` is the cotangent of the result. A parameter without a default is
a residual, which is kept until the backward pass: an argument, the result ``y``, or the shape of an argument
(``a_shape``). If a rule needs only the shape, the array is not kept. A parameter with a default is a keyword of the function
that the VJP honours. A call with any other keyword is refused.

The lines themselves are in `rules`. They are written with NumPy functions that are in the table too. So a VJP that
runs on values that are being differentiated is recorded like anything else, and second derivatives need no more lines.
"""

from __future__ import annotations

import inspect
import sys
from functools import cached_property, partial, wraps
from typing import Any, Callable, get_args

import numpy as np

from .graph import Node, describe


class VJP:
    """One entry of the table, and what the names of its parameters ask for.

    Attributes
    ----------
    fun : callable
        ``fun(g, *residuals, **keywords)``
    of_sequence : bool
        The argument is a sequence of arrays, and its cotangent is a list.
    residuals, keywords : list of str
        The parameters without and with a default.
    choices : dict
        For each keyword that is annotated with a `Literal`, the values that are honoured.
    """

    def __init__(self, fun: Callable) -> None:
        self.fun = fun
        self.of_sequence = getattr(fun, "of_sequence", False)

    # Each is computed when it is first needed. Computing all of them takes a tenth of the time of importing NumPy.
    parameters = cached_property(lambda self: list(inspect.signature(self.fun).parameters.values())[1:])
    residuals = cached_property(lambda self: [p.name for p in self.parameters if p.default is p.empty])
    keywords = cached_property(lambda self: [p.name for p in self.parameters if p.default is not p.empty])
    choices = cached_property(lambda self: {p.name: get_args(p.annotation) for p in self.parameters if get_args(p.annotation)})
    needs = cached_property(lambda self: {*self.residuals, *self.keywords})

    def prepared(self, given: dict[str, Any], known: dict[str, Any]) -> tuple[Callable, tuple]:
        """Return what an edge keeps: the function with the keywords of the call, and the residuals.

        `given` holds the arguments of the call. `known` also holds the defaults and the result.
        """
        keywords = {name: given[name] for name in self.keywords if name in given}
        residuals = [known[name] if name in known else shape_of(known[name.removesuffix("_shape")]) for name in self.residuals]
        return partial(self.fun, **keywords) if keywords else self.fun, tuple(residuals)


def shape_of(value: Any) -> Any:
    """Return the shape of a value; for a sequence, a list of shapes."""
    return [shape_of(member) for member in value] if isinstance(value, (list, tuple)) else describe(value)[0]


class Rule:
    """What the table says of one function. A rule does not change. If a function is defined again, it gets a new rule.

    Attributes
    ----------
    fun : callable
    vjps : dict
        Argument to `VJP`, or to None where the derivative is zero.
    adapt : callable or None
        Takes the arguments of a call by name, and returns them in the form that the VJPs expect.
    constant : bool
        The result does not change with small changes of the arguments (`numpy.floor`), or it is not about values
        (`numpy.shape`).
    composition : callable or None
        A program of functions that have rules. A call on Tensors runs it instead of the function.
    """

    def __init__(
        self, fun: Callable, vjps: dict[str, Any] = {}, adapt: Callable[[dict], dict] | None = None,
        constant: bool = False, composition: Callable | None = None,
    ) -> None:
        self.fun, self.vjps, self.adapt, self.constant, self.composition = fun, vjps, adapt, constant, composition

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters of the function, by name. A ufunc has no names for its parameters, so the table names them."""
        if isinstance(inspect.unwrap(self.fun), np.ufunc):
            return {name: inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in self.vjps}
        try:
            return dict(inspect.signature(self.fun).parameters)
        except ValueError:  # before NumPy 2.4, functions written in C have no signature
            return dict(inspect.signature(C_FUNCTIONS.get(self.fun.__name__, lambda *args, **kwargs: ...)).parameters)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The defaults of those parameters that have one."""
        return {name: p.default for name, p in self.parameters.items() if p.default is not p.empty}

    @property
    def title(self) -> str:
        """The function's name as users write it."""
        module = getattr(self.fun, "__module__", None) or "numpy"
        name = self.fun.__name__
        if isinstance(self.fun, np.ufunc) and getattr(np, name, None) is not self.fun:
            # Ufuncs do not tell where they are from. SciPy's function of that name may call a private one.
            name = name.lstrip("_")
            module = "scipy.special" if hasattr(sys.modules.get("scipy.special"), name) else ""
        return f"{module.replace('numpy', 'np', 1)}.{name}".lstrip(".")

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name. The arguments of a parameter ``*operands`` are a tuple."""
        for i, parameter in enumerate(self.parameters.values()):
            if parameter.kind is parameter.VAR_POSITIONAL:
                args = (*args[:i], args[i:])
        given = dict(zip(self.parameters, args)) | kwargs
        return self.adapt(given) if self.adapt else given


# Before NumPy 2.4, these have no signature.
C_FUNCTIONS: dict[str, Callable] = {
    "concatenate": lambda arrays, axis=0, out=None, *, dtype=None, casting="same_kind": ...,
    "where": lambda condition, x=None, y=None: ...,
    "dot": lambda a, b, out=None: ...,
    "empty_like": lambda prototype, dtype=None, order="K", subok=True, shape=None, *, device=None: ...,
}

# ---- The table ------------------------------------------------------------------------------------------------------

rules: dict[Any, Rule] = {}
late_rules: list[Callable[[], None]] = []  # functions that enter more rules; they are called when a rule is missing
ufunc_methods: dict[str, Callable] = {}  # for ``np.hypot.reduce(a)``: "reduce" to a function of the ufunc and the array


def rule_of(fun: Any) -> Rule:
    """Return the rule of a function. If the table has no rule, return an empty one."""
    if fun not in rules:
        for add_more in late_rules:
            add_more()
    return rules.get(fun) or Rule(fun)


def define(rule: Rule) -> None:
    """Put a rule into the table, in the place of the function's older one."""
    rules[rule.fun] = rule


def defvjp(fun: Callable, adapt: Callable[[dict], dict] | None = None, /, **vjps: Callable | None) -> None:
    """Define VJPs for the arguments of a function: by name or, for a ufunc, all of them in order. None means zero."""
    old = rules.get(fun) or Rule(fun)
    kept = {} if isinstance(fun, np.ufunc) else old.vjps
    define(Rule(fun, kept | {name: vjp and VJP(vjp) for name, vjp in vjps.items()}, adapt or old.adapt))


def defconstant(*funs: Callable) -> None:
    """Declare that the derivative of functions is zero, or that they are not about values."""
    for fun in funs:
        define(Rule(fun, constant=True))


def defcomposition(fun: Any, composition: Callable) -> None:
    """Define what a call of a function runs if there are Tensors among its arguments."""
    define(Rule(fun, composition=composition))


def sequence(vjp: Callable) -> Callable:
    """Mark a VJP as one for an argument that is a sequence of arrays: it returns a list, a cotangent for each."""
    vjp.of_sequence = True  # type: ignore[attr-defined]
    return vjp


def primitive(fun: Callable) -> Callable:
    """Make a function one operation of the graph, whatever it does inside. `defvjp` defines its VJPs."""

    @wraps(fun)
    def operation(*args: Any, **kwargs: Any) -> Any:
        tensor = find_tensor((args, kwargs))
        if tensor is None:
            return fun(*args, **kwargs)
        return tensor.__array_function__(operation, (type(tensor),), args, kwargs)

    operation.is_primitive = True  # type: ignore[attr-defined]
    return operation


def find_tensor(value: Any) -> Any:
    """Return the first value with a node, also in lists, tuples and dicts. Return None if there is no such value."""
    if isinstance(value, (list, tuple, dict)):
        found = map(find_tensor, value.values() if isinstance(value, dict) else value)
        return next((tensor for tensor in found if tensor is not None), None)
    return value if isinstance(getattr(value, "node", None), Node) else None
