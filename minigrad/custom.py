"""Derivatives that the user defines, and functions that are recorded as one operation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from . import guards, table, tree
from .arguments import check_callable, name_of, wraps
from .boundary import float0, kind_of
from .graph import Edge, Level, Node
from .inplace import only_new_values
from .tensor import Tensor, top_level, unwrap
from .transforms import vjp
from .views import innermost, note_views, tensors

# ---- Rules of one's own ---------------------------------------------------------------------------------------------


def defvjp(fun: Callable, **vjps: Callable | None) -> None:
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
    table.defvjp(fun, **vjps)


primitive = table.primitive


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
    return tree.map(lambda leaf: _plain(leaf) if isinstance(leaf, Tensor) else leaf, x)


def _plain(t: Tensor) -> Any:
    value = innermost(t)
    return guards.copied(value) if isinstance(value, ndarray) else value  # a copy, because a rule may need the array


# ---- Checkpoints ----------------------------------------------------------------------------------------------------


def checkpoint(
    fun: Callable, *, prevent_cse: bool = True, policy: None = None, static_argnums: int | Sequence[int] = ()
) -> Callable:
    """Return a function that computes `fun`, and keeps nothing for the backward pass. Same as `jax.checkpoint`.

    The backward pass calls `fun` again to compute what it needs. This saves memory and costs time
    (A. Griewank and A. Walther, "Algorithm 799: Revolve", ACM Transactions on Mathematical Software 26, 2000).

    Parameters
    ----------
    fun : callable
        It must compute the same when it is called again. So it must use no random numbers, and no arrays from outside
        that change in between. It may use a value from outside that is being differentiated. Then the derivative is
        right, but no memory is saved. It must not write into arguments that are being differentiated, nor into such values
        from outside.
    prevent_cse, policy, static_argnums
        They exist only because JAX has them. Arguments that are not numbers or arrays need not be declared.

    Raises
    ------
    NotImplementedError
        If a `policy` is given. In a call, if `fun` writes into a value from outside that is being differentiated.
    ValueError
        In a call, if `fun` writes into an argument that is being differentiated.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import checkpoint, grad
    >>> layer = checkpoint(lambda x: np.tanh(np.sin(x)))
    >>> round(grad(lambda x: layer(layer(x)))(0.5), 6)
    0.529732
    """
    check_callable(fun)
    if policy is not None:
        raise NotImplementedError("checkpoint keeps nothing: a policy is not supported")

    @wraps(fun, "Compute {fun}, keeping nothing for the backward pass.")
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        level = top_level(leaves)
        if level is None:
            return fun(*args, **kwargs)
        lowered = [_lowered(leaf, level) for leaf in leaves]
        taken = [_own_copy(leaf) for leaf in lowered]
        new_args, new_kwargs = tree.unflatten(structure, taken)
        with only_new_values(level):
            out_leaves, out_structure = tree.flatten(fun(*new_args, **new_kwargs))
        if _reaches(out_leaves, level):
            return fun(*args, **kwargs)
        for leaf, before, after in zip(leaves, lowered, taken):
            if type(leaf) is ndarray and before.tobytes() != after.tobytes():
                if any(np.shares_memory(innermost(other), leaf) for other in leaves if other is not leaf):
                    raise NotImplementedError(f"{name_of(fun)} writes into an argument that shares memory with another one")
                leaf[...] = after
        traced = [i for i, leaf in enumerate(leaves) if type(leaf) is Tensor and leaf.level is level]

        def again(*primals: Any) -> Any:
            new_leaves = [_own_copy(leaf) for leaf in lowered]
            for i, primal in zip(traced, primals):
                new_leaves[i] = primal
            new_args, new_kwargs = tree.unflatten(structure, new_leaves)
            return fun(*new_args, **new_kwargs)

        def back(g: list) -> list:
            return list(vjp(again, *(lowered[i] for i in traced))[1](tree.unflatten(out_structure, g)))

        return tree.unflatten(out_structure, _recorded(fun, args, kwargs, out_leaves, [leaves[i] for i in traced], level, back))

    return checkpointed


# ---- Derivatives of one's own ----------------------------------------------------------------------------------------


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

    def __init__(self, fun: Callable, nondiff_argnums: int | Sequence[int] = ()) -> None:
        check_callable(fun)
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.fwd: Callable | None = None
        self.bwd: Callable | None = None
        self.nondiff_argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)

    def defvjp(self, fwd: Callable, bwd: Callable) -> None:
        """Define the derivative.

        Parameters
        ----------
        fwd : callable
            Takes the arguments of the function. Returns a pair: the value, and the residuals (any pytree).
        bwd : callable
            Takes the arguments that `nondiff_argnums` selects, the residuals, and the cotangent of the value. Returns a
            tuple with one cotangent for each other argument. It has the structure of the argument. None means zero.
        """
        self.fwd, self.bwd = fwd, bwd

    def __get__(self, instance: Any, owner: Any = None) -> Callable:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = name_of(self.fun)
        if self.fwd is None or self.bwd is None:
            raise AttributeError(f"No VJP defined for custom_vjp function {name} using defvjp.")
        fwd, bwd = self.fwd, self.bwd
        try:
            bound = inspect.signature(self.fun).bind(*args, **kwargs)
        except ValueError:  # some functions written in C have no signature
            pass
        else:
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if kwargs:
            raise TypeError(f"custom_vjp functions take no keyword-only arguments, and {name} got {', '.join(kwargs)}")
        for i in self.nondiff_argnums:
            if not -len(args) <= i < len(args):
                raise ValueError(f"nondiff_argnums of {name} has {i}, and the call {len(args)} arguments")
        static = [i % len(args) for i in self.nondiff_argnums]
        if top_level(tree.leaves([args[i] for i in static])) is not None:
            raise TypeError(f"a value is being differentiated that is one of the nondiff_argnums of {name}")
        dynamic = [argument for i, argument in enumerate(args) if i not in static]
        leaves, structure = tree.flatten(dynamic)
        level = top_level(leaves)
        if level is None:
            return self.fun(*args)

        new = iter(tree.unflatten(structure, [_lowered(leaf, level) for leaf in leaves]))
        result = fwd(*(argument if i in static else next(new) for i, argument in enumerate(args)))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"the forward function of {name} must return a pair, of the value and the residuals, not {result!r}")
        out, residuals = result
        out_leaves, out_structure = tree.flatten(out)
        if _reaches([*out_leaves, *tree.leaves(residuals)], level):
            raise TypeError(_OUTSIDE.format(name))

        def back(g: list) -> list:
            for i, y in enumerate(out_leaves):
                if kind_of(y) not in "fc":
                    g[i] = np.zeros(np.shape(y), float0)
            cotangents = bwd(*(args[i] for i in static), residuals, tree.unflatten(out_structure, g))
            if not isinstance(cotangents, tuple) or len(cotangents) != len(dynamic):
                raise TypeError(
                    f"the backward function of {name} must return a tuple of {len(dynamic)}, a cotangent for each "
                    f"argument, not {cotangents!r}"
                )
            try:
                shares = tree.match(structure, list(cotangents))
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
                if type(leaf) is Tensor and leaf.level is level
            ]

        traced = [leaf for leaf in leaves if type(leaf) is Tensor and leaf.level is level]
        return tree.unflatten(out_structure, _recorded(self, args, kwargs, out_leaves, traced, level, back))


_OUTSIDE = "{} uses a value from outside that is being differentiated: pass it as an argument"


def _recorded(
    fun: Callable, args: tuple, kwargs: dict[str, Any], results: list, arguments: list[Tensor], level: Any, vjp: Callable
) -> list:
    """Record a call as one operation, and return Tensors for its results.

    `vjp` takes a list of the results' cotangents, and returns a list of the arguments' cotangents.
    """
    for result in results:
        guards.refuse_foreign(result)
    node = Node(results, [Edge(level.node_of(arguments), vjp, ())])
    outputs = level.wrapped(results, node)
    for output in tensors(outputs):
        _unlock(output, [innermost(argument) for argument in arguments])
    note_views(outputs, arguments)
    level.observer.recorded(fun, args, kwargs, outputs, node)
    return outputs


def _lowered(leaf: Any, level: Level) -> Any:
    """Return an argument for a function that is recorded as one operation.

    A Tensor of the level becomes its value, which is read-only. So the results that are views of it are found by their
    memory, and a write into it raises. An array is copied.
    """
    if type(leaf) is ndarray:
        return guards.copied(leaf)
    return _read_only(leaf.value if leaf.level is level else leaf) if type(leaf) is Tensor else leaf


def _read_only(value: Any) -> Any:
    return Tensor(_read_only(value.value), value.node, value.level) if type(value) is Tensor else guards.locked(value)


def _unlock(t: Tensor, arrays: list) -> None:
    """Undo `_read_only` for the array of a result if it is a view of one of these arrays, and that one is not read-only."""
    while type(t.value) is Tensor:
        t = t.value
    arrays = [array for array in arrays if isinstance(array, ndarray) and isinstance(t.value, ndarray)]
    if any(array.flags.writeable and np.shares_memory(array, t.value) for array in arrays):
        t.value = t.value.view()
        t.value.flags.writeable = True


def _own_copy(leaf: Any) -> Any:
    """Return a copy of an array, which the function may write into."""
    return guards.copied(leaf) if type(leaf) is ndarray and leaf.flags.writeable else leaf


def _reaches(leaves: list, level: Level) -> bool:
    """Return whether a result depends on a Tensor of this level or a higher one. The arguments had no such Tensor."""
    return any(type(leaf) is Tensor and leaf.level.number >= level.number for leaf in leaves)
