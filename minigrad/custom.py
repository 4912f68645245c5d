"""Derivatives that the user defines: `defvjp` and `primitive`, `custom_vjp`, and `stop_gradient`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from . import guards, memory, operands, table, tree
from .arguments import whole_numbers
from .boundary import float0, kind_of
from .calls import as_one_operation, differentiating, in_root, inner_arguments, is_of, reaches, unlocked
from .functions import Function, check_callable, name_of, signature_of
from .tensor import Tensor, record, top_level

# ---- Rules of the user ----------------------------------------------------------------------------------------------


def defvjp(fun: Callable[..., Any], **vjps: Callable[..., Any] | None) -> None:
    """Define the derivative of a NumPy function, a ufunc, or a function made by `primitive`.

    Parameters
    ----------
    fun : callable
    **vjps : callable or None
        The VJP of each differentiable argument, under the name of the argument. None means that the derivative is zero.
        A ufunc has no names for its arguments: give a VJP or None for each of them, in order, under any names.

        A VJP is a function ``vjp(g, ...)``. It takes the cotangent `g` of the result, and returns the cotangent of the
        argument. The names of its other parameters say what it needs:

        - A parameter without a default is an argument of `fun`, the shape of an argument (``<argument>_shape``), or the
          result ``y`` (unless `fun` has a parameter ``y``). Only these values are kept until the backward pass.
        - A parameter with a default is a keyword of `fun` that the VJP honours. A call with any other keyword is refused.

        A VJP may write into `g`, which is a copy. All other arrays that it gets are read-only.

        A VJP need not undo broadcasting, changes of dtype, or the step from real to complex numbers: the backward pass
        does that. If it is written with NumPy functions that have rules, it can be differentiated too. Then higher
        derivatives need no further rules.

    Raises
    ------
    TypeError
        If `fun` is neither a NumPy function nor made by `primitive`. Also if `fun` has no parameter of the name that a
        VJP is given for, or that a VJP asks for.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> @minigrad.primitive
    ... def softplus(x):
    ...     return np.logaddexp(x, 0)
    >>> minigrad.defvjp(softplus, x=lambda g, x: g / (1 + np.exp(-x)))
    >>> minigrad.grad(softplus)(0.0)
    0.5
    """
    if not isinstance(fun, np.ufunc) and not hasattr(fun, "_implementation") and not hasattr(fun, "is_primitive"):
        raise TypeError(f"{table.Rule(fun).title} is neither a function of NumPy's nor one made by minigrad.primitive")
    guards.check_rule(table.Rule(fun, {name: vjp and table.VJP(vjp) for name, vjp in vjps.items()}))
    with guards.changing:  # two threads may define the VJPs of different arguments of one function
        table.defvjp(fun, **{name: vjp and _kept_apart(vjp) for name, vjp in vjps.items()})


def _kept_apart(vjp: Callable) -> Callable:
    """Return a VJP that can neither change nor keep what others use: the cotangent, the residuals, and what it returned."""

    @functools.wraps(vjp)
    def apart(g: Any, *residuals: Any, **keywords: Any) -> Any:
        return memory.own(vjp(_writable(g), *memory.locked(residuals), **memory.locked(keywords)))

    return apart


def _writable(g: Any) -> Any:
    """Return copies of cotangents, for a function that may write into them, or keep them."""
    return [_writable(member) for member in g] if isinstance(g, list) else g.copy() if isinstance(g, ndarray) else memory.own(g)


def primitive(fun: Function) -> Function:
    """Make a function one operation of the graph, whatever it does inside. `defvjp` defines its VJPs.

    Parameters
    ----------
    fun : callable
        Returns a number, an array, or a list or tuple of them. While one of its arguments is being differentiated, the
        arrays that it gets are read-only, and what it returns is copied, unless it is a view of an argument. An argument
        that is neither a number or array, nor a container of them, is kept as it is: it should not change.

    Examples
    --------
    >>> from minigrad import defvjp, grad, primitive
    >>> @primitive
    ... def cube(x):
    ...     return x ** 3
    >>> defvjp(cube, x=lambda g, x: g * 3 * x ** 2)
    >>> grad(cube)(2.0)
    12.0
    """

    @functools.wraps(fun)
    def operation(*args: Any, **kwargs: Any) -> Any:
        level = top_level([args, kwargs])
        if level is None:
            return fun(*args, **kwargs)
        args, kwargs = operands.admitted(args), operands.admitted(kwargs)

        def compute(*values: Any, **options: Any) -> Any:
            y = operation(*memory.locked(values), **memory.locked(options))
            return unlocked(memory.apart(y, [args, kwargs], level, isinstance(y, (list, tuple))), [values, options])

        return record(table.rule_of(operation), args, kwargs, compute)

    operation.is_primitive = True  # type: ignore[attr-defined]
    return operation  # type: ignore[return-value]


def stop_gradient(x: Any) -> Any:
    """Return a value without its derivative, as `jax.lax.stop_gradient` does.

    Parameters
    ----------
    x : number, array or pytree
        Leaves that are not being differentiated come back as they are.

    Examples
    --------
    >>> from minigrad import grad, stop_gradient
    >>> grad(lambda x: stop_gradient(x) * x)(3.0)
    3.0
    """
    # A copy, because a rule may need the array.
    return tree.map(lambda leaf: memory.own(memory.undifferentiated(leaf)) if isinstance(leaf, Tensor) else leaf, x)


# ---- Derivatives of the user ----------------------------------------------------------------------------------------


class custom_vjp:
    """A function with a derivative that the user defines. Same as `jax.custom_vjp`.

    Parameters
    ----------
    fun : callable
    nondiff_argnums : sequence of int, default ()
        Positional arguments that are not differentiated. The backward function takes them first.

    Raises
    ------
    AttributeError
        In a call, if `defvjp` was not called before.
    TypeError
        In a call or in the backward pass, if the forward or backward function returned something of the wrong form. Also
        if a value is being differentiated that is not passed as an argument, or that `nondiff_argnums` selects.

    Examples
    --------
    A derivative that is cut off at 1:

    >>> from minigrad import custom_vjp, grad
    >>> @custom_vjp
    ... def square(x):
    ...     return x ** 2
    >>> square.defvjp(lambda x: (x ** 2, x), lambda x, g: (g * min(2 * x, 1.0),))
    >>> grad(square)(0.25), grad(square)(3.0)
    (0.5, 1.0)
    """

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        check_callable(fun)
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.nondiff_argnums = whole_numbers("nondiff_argnums", nondiff_argnums)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Define the derivative.

        Parameters
        ----------
        fwd : callable
            Takes the arguments of the function. Returns a pair: the value, and the residuals (any pytree).
        bwd : callable
            Takes the arguments that `nondiff_argnums` selects, the residuals, and the cotangent of the value. Returns a
            tuple with one cotangent for each other argument. It has the structure of the argument. None means zero. The
            function may write into the cotangent, but not into the residuals: their arrays are read-only.
        """
        self.fwd, self.bwd = fwd, bwd

    def __get__(self, instance: Any, owner: Any = None) -> Callable[..., Any]:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = name_of(self.fun)
        if self.fwd is None or self.bwd is None:
            raise AttributeError(f"No VJP defined for custom_vjp function {name} using defvjp.")
        fwd, bwd = self.fwd, self.bwd
        bound = signature_of(self.fun).bind(*args, **kwargs)
        bound.apply_defaults()
        args, kwargs = bound.args, bound.kwargs
        if kwargs:
            raise TypeError(f"custom_vjp functions take no keyword-only arguments, and {name} got {', '.join(kwargs)}")
        for i in self.nondiff_argnums:
            if not -len(args) <= i < len(args):
                raise ValueError(f"nondiff_argnums of {name} has {i}, and the call has {len(args)} arguments")
        static = [i % len(args) for i in self.nondiff_argnums]
        if differentiating(tree.leaves([args[i] for i in static])) is not None:
            raise TypeError(f"a value that is being differentiated is passed to {name} in an argument of nondiff_argnums")
        dynamic = [argument for i, argument in enumerate(args) if i not in static]
        leaves, structure = tree.flatten(dynamic)
        level = differentiating(leaves)
        if level is None:
            return self.fun(*args)

        values = inner_arguments(leaves, level)
        new = iter(tree.unflatten(structure, values))
        result = fwd(*(argument if i in static else next(new) for i, argument in enumerate(args)))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"the forward function of {name} must return a pair, of the value and the residuals, not {result!r}")
        out, residuals = result
        out_leaves, out_structure = tree.flatten(tree.map(in_root, out))
        given = [leaf if is_of(leaf, level) else value for leaf, value in zip(leaves, values)]
        out_leaves = memory.apart(out_leaves, given, level)
        residuals, nondiff = tree.map(memory.to_keep, (residuals, [args[i] for i in static]))
        if reaches([*out_leaves, *tree.leaves(residuals)], level):
            raise TypeError(_OUTSIDE.format(name))

        def back(g: list) -> list:
            for i, y in enumerate(out_leaves):
                if kind_of(y) not in "fc":
                    g[i] = np.zeros(np.shape(y), float0)
            cotangents = bwd(*tree.map(memory.locked, [*nondiff, residuals]), tree.unflatten(out_structure, _writable(g)))
            if not isinstance(cotangents, tuple) or len(cotangents) != len(dynamic):
                raise TypeError(
                    f"the backward function of {name} must return a tuple of {len(dynamic)}, a cotangent for each "
                    f"argument, not {cotangents!r}"
                )
            try:
                shares = memory.own(tree.match(structure, list(cotangents)))
            except ValueError as error:
                raise TypeError(f"the backward function of {name} returned cotangents unlike the arguments: {error}") from None
            for share, leaf in zip(shares, leaves):
                if type(share) is Tensor and share.level is level:
                    raise TypeError(_OUTSIDE.format(name))
                if share is not None and np.shape(share) != np.shape(leaf):
                    raise ValueError(
                        f"the backward function of {name} returned a cotangent of shape {np.shape(share)} for an "
                        f"argument of shape {np.shape(leaf)}"
                    )
            return [
                np.zeros(leaf.shape, leaf.dtype) if share is None else share
                for leaf, share in zip(leaves, shares)
                if is_of(leaf, level)
            ]

        traced = [leaf for leaf in leaves if is_of(leaf, level)]
        return tree.unflatten(out_structure, as_one_operation(self, args, kwargs, out_leaves, traced, level, back))


_OUTSIDE = "{} uses a value from outside that is being differentiated: pass it as an argument"
