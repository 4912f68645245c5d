"""grad: from a function to the function that computes its gradient.

A call of ``grad(fun)(x)`` goes through five steps, which are the five parts of `value_and_grad`:

1. take the argument apart into leaves, and check that they can be differentiated;
2. make each leaf a Tensor of a new level, and put the argument together again;
3. call the function: plain NumPy code, whose operations on Tensors leave a graph;
4. check that the result is a number, and go backwards from its node to those of the leaves;
5. give the cotangents of the leaves the structure that the argument had.
"""

from __future__ import annotations

import operator
import sys
from functools import wraps
from typing import Any, Callable, Sequence

import numpy as np
from numpy import ndarray

from . import tree
from .engine import Level, Node, backward, describe
from .tensor import Tensor, TensorConversionError


def grad(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes the gradient of `fun`. Same as `jax.grad`.

    Parameters
    ----------
    fun : callable
        Written with NumPy. It returns a real number: a Python float, a NumPy scalar, or an array of shape ().
    argnums : int or sequence of int, default 0
        Which positional arguments to differentiate with respect to; negative ones count from the end. Each is a
        float, a complex number, an array of either (any shape, any floating dtype), or a pytree of those.
    has_aux : bool, default False
        `fun` returns a pair: the number to differentiate, and anything else, which comes back beside the gradient.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns the gradient: a tree like the argument (or, where `argnums` is a
        sequence, a tuple of them), with leaves of the same shape, dtype and kind. They are new arrays. With
        `has_aux`, a pair of the gradient and the auxiliary data.

    Raises
    ------
    TypeError
        Here, if `fun` is not callable or `argnums` are not integers; in the call, if a leaf is not a float or
        complex number or array, or the result is not a real number.
    ValueError
        If `argnums` has duplicates.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import grad
    >>> grad(np.sin)(0.0)
    1.0
    >>> def loss(params, x):
    ...     return np.sum((params['w'] * x + params['b']) ** 2)
    >>> grad(loss)({'w': 2.0, 'b': np.array([0.0, 1.0])}, np.array([1.0, 2.0]))
    {'b': array([ 4., 10.]), 'w': 24.0}
    """
    value_and_gradient = value_and_grad(fun, argnums, has_aux)

    @wraps(fun)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = value_and_gradient(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes both `fun` and its gradient. Same as `jax.value_and_grad`.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns a pair of its value and the gradient; with `has_aux`, the value is
        itself the pair that `fun` returned.

    Raises
    ------
    TypeError, ValueError
        As for `grad`.

    Examples
    --------
    >>> from minigrad import value_and_grad
    >>> value_and_grad(lambda x, y: x * y ** 2, argnums=(0, 1))(2.0, 3.0)
    (18.0, (9.0, 12.0))
    """
    if not callable(fun):
        raise TypeError(f"Expected a callable value, got {fun}")
    argnums = _check_argnums(argnums)

    @wraps(fun)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten(_selected(args, argnums))
        level = Level()
        try:
            for i, leaf in enumerate(leaves):
                if type(leaf) is not float:
                    leaves[i] = _check_leaf(leaf, i, structure, level)
            tensors = [Tensor(x, Node(x), level) for x in leaves]
            out = fun(*_replaced(args, argnums, tree.unflatten(structure, tensors)), **kwargs)

            aux = None
            if has_aux:
                out, aux = _check_pair(out)
                aux = tree.map(lambda leaf: _value(leaf, level), aux)
            _check_output(out)
            value = _value(out, level)
            cotangents = {}
            if value is not out:  # else it does not depend on the leaves
                root = [out.node]
                del out  # Nothing here may hold on to the graph, which is freed as the backward pass goes along.
                cotangents = backward(root.pop(), _one(value))
            gradients = []
            for t, x in zip(tensors, leaves):
                g = cotangents.pop(t.node, None)
                gradients.append(g if type(g) is float else _own(g, x))
        except ValueError as error:
            _explain(error)
            raise
        finally:
            level.open = False
        return ((value, aux) if has_aux else value), tree.unflatten(structure, gradients)

    return value_and_gradient


# ---- 1. The argument ------------------------------------------------------------------------------------------------


def _check_argnums(argnums: Any) -> int | tuple[int, ...]:
    try:
        return operator.index(argnums)
    except TypeError:
        argnums = tuple(operator.index(i) for i in argnums)
    if len(set(argnums)) < len(argnums):
        raise ValueError(f"argnums={argnums} names an argument twice")
    return argnums


def _selected(args: tuple, argnums: int | tuple[int, ...]) -> Any:
    """The argument that is differentiated, or a tuple of them."""
    if argnums == ():
        raise ValueError("argnums is empty: there is nothing to differentiate with respect to")
    try:
        if isinstance(argnums, int):
            return args[argnums]
        selected = tuple(args[i] for i in argnums)
    except IndexError:
        wanted = (argnums,) if isinstance(argnums, int) else argnums
        needed = max(i + 1 if i >= 0 else -i for i in wanted)
        raise (TypeError if max(wanted) >= len(args) else ValueError)(
            f"differentiating with respect to argnums={argnums} requires at least {needed} positional arguments to be "
            f"passed by the caller, but got only {len(args)} positional arguments (those passed by keyword, or left at "
            f"their defaults, do not count)"
        ) from None
    if len({i % len(args) for i in argnums}) < len(argnums):
        raise ValueError(f"argnums={argnums} names an argument twice")
    return selected


def _replaced(args: tuple, argnums: int | tuple[int, ...], new: Any) -> list:
    """The arguments, with new ones in place of those that are differentiated."""
    replaced = list(args)
    if isinstance(argnums, int):
        replaced[argnums] = new
    else:
        for i, argument in zip(argnums, new):
            replaced[i] = argument
    return replaced


def _check_leaf(leaf: Any, i: int, structure: tree.Structure, level: Level) -> Any:
    """Return leaf number i as a value that can be differentiated, or say why it cannot be."""
    value: Any
    if isinstance(leaf, ndarray) and hasattr(leaf, "mask"):
        raise ValueError(f"{_where(i, structure)} is a masked array; use its filled() to convert it to an array")
    if isinstance(leaf, ndarray):  # also a matrix, or another subclass
        value, kind = level.frozen(leaf.view(ndarray) if type(leaf) is not ndarray else leaf), leaf.dtype.kind
    elif isinstance(leaf, (np.generic, Tensor)):
        value, kind = leaf, leaf.dtype.kind
    elif isinstance(leaf, (bool, int)):
        value, kind = leaf, "i"
    elif isinstance(leaf, float):
        value, kind = float(leaf), "f"
    elif isinstance(leaf, complex):
        value, kind = complex(leaf), "c"
    else:
        raise TypeError(f"{_where(i, structure)} is {leaf!r} of type {type(leaf)}, which cannot be differentiated")
    if kind in "fc":
        return value
    if kind in "biu":
        raise TypeError(
            f"grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact), but got "
            f"{np.dtype(getattr(leaf, 'dtype', type(leaf)))}: {_where(i, structure)} is {leaf!r}. Make it a float, "
            f"or pass it in an argument that is not differentiated"
        )
    raise TypeError(f"{_where(i, structure)} has dtype {leaf.dtype}, which cannot be differentiated")


def _where(i: int, structure: tree.Structure) -> str:
    path = tree.paths(structure)[i]
    return f"the leaf {path} of the argument" if path else "the argument"


# ---- 4. The result --------------------------------------------------------------------------------------------------


def _check_pair(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(
            f"expected function with aux output to return a two-element tuple, but got type {type(out)} with value {out}"
        )
    return out[0], out[1]


def _check_output(out: Any) -> None:
    """Raise if a result is not a real number."""
    if type(out) is Tensor and type(out.value) in (float, np.float64):
        return
    if out is None or isinstance(out, (tuple, list, dict)):
        raise TypeError(f"Gradient only defined for scalar-output functions. Output was {out}.")
    if type(out) is not Tensor and not isinstance(out, (int, float, complex, ndarray, np.generic)):
        raise TypeError(f"grad requires a function that returns a number, and it returned {out!r} of type {type(out)}")
    shape, dtype = describe(out)
    if shape != ():
        example = "its only element, with .sum()" if np.size(out) == 1 else "its .sum() or .mean()"
        raise TypeError(
            f"Gradient only defined for scalar-output functions. Output had shape: {shape}. Return {example}"
        )
    if np.dtype(dtype).kind != "f":
        raise TypeError(
            f"grad requires real-valued outputs (output dtype that is a sub-dtype of np.floating), but got {np.dtype(dtype)}"
        )


def _value(leaf: Any, level: Level) -> Any:
    """What a Tensor of this level stands for; anything else is itself."""
    if type(leaf) is not Tensor:
        return leaf
    if leaf.level is level:
        return leaf.value
    if not leaf.level.open:
        raise RuntimeError("the function returned a Tensor of a grad call that had ended: it escaped from an inner function")
    return leaf


_ONE = np.float64(1)


def _one(value: Any) -> Any:
    """The derivative of the result with respect to itself, in its own dtype."""
    if type(value) is np.float64:
        return _ONE
    kind = describe(value)[1]
    return kind(1) if isinstance(kind, type) else kind.type(1)


# ---- 5. The gradient ------------------------------------------------------------------------------------------------


def _own(g: Any, x: Any) -> Any:
    """Return the gradient for a leaf: of the leaf's own kind, writable, and sharing memory with nothing.

    The cotangent that arrives may be a view (a sum hands out one number for all elements), or be held elsewhere: by
    another leaf (both operands of an addition receive the same), or by whatever a rule took it from. References
    tell: here it has two, the variable g and the argument of getrefcount.
    """
    if g is None:  # the result does not depend on this leaf
        shape, dtype = describe(x)
        g = dtype(0) if isinstance(dtype, type) else np.zeros(shape, dtype)
    elif type(g) is ndarray and (g.base is not None or not g.flags.writeable or sys.getrefcount(g) > 2):
        g = g.copy()
    if type(x) is ndarray and not isinstance(g, Tensor):
        return g if type(g) is ndarray and g.dtype == x.dtype else np.array(g, x.dtype)
    return g[()] if isinstance(x, np.generic) and type(g) is ndarray else g


# ---- Errors ---------------------------------------------------------------------------------------------------------


def _explain(error: ValueError) -> None:
    """Raise our own error where NumPy has hidden it behind "setting an array element with a sequence"."""
    ours = error.__cause__
    if isinstance(ours, TensorConversionError):
        error.__cause__ = None
        try:
            raise ours.with_traceback(error.__traceback__) from None
        finally:  # without these, the two exceptions and this frame would refer to each other
            del ours, error
