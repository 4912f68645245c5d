"""grad: the function that computes the gradient of a function of one number.

It makes a Tensor of every leaf of the argument. It calls the function on these Tensors. Then it goes backwards over the
graph that they left. Names, arguments and results are JAX's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from . import boundary, graph, tensor, tree
from .arguments import Arguments
from .functions import P, check_callable, transform, wraps


@transform
def grad(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
    allow_int: bool = False, reduce_axes: Sequence[Any] = (), *,
    argnames: str | Sequence[str] | None = None, allow_objects: bool = False,
) -> Callable[P, Any]:
    """Return the function that computes the gradient of `fun`. Same as `jax.grad`.

    Parameters
    ----------
    fun : callable
        Written with NumPy. It returns a real number: a Python float, a NumPy scalar, or an array of shape ().
    argnums : int or sequence of int, default 0
        Which positional arguments to differentiate with respect to; negative ones count from the end. Each is a
        float, a complex number, an array of either (any shape, any floating dtype), or a pytree of those.
    has_aux : bool, default False
        If true, `fun` returns a pair: the number to differentiate, and auxiliary data, which comes back with the gradient.
    holomorphic : bool, default False
        `fun` is a holomorphic function: arguments and result are complex, and the gradient is its derivative. Without
        it, the gradient of a real result with respect to z = x + iy is df/dx - i df/dy.
    allow_int : bool, default False
        Leaves may be integers or truth values. What comes back for them has the dtype `float0`, and no content.
    reduce_axes
        Exists only because JAX has it. Must be empty.
    argnames : str or sequence of str, optional
        The names of the arguments, in place of `argnums`. A call may pass them by position or by keyword, or leave them
        at their defaults.
    allow_objects : bool, default False
        Leaves may be strings and any other objects. They reach `fun` as they are; what comes back for them is None.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns the gradient: a tree like the argument. If `argnums` or `argnames` is a
        sequence, it is a tuple of such trees. The leaves have the shape, dtype and kind of the argument's leaves, and
        are new arrays. With `has_aux`, it is a pair of the gradient and the auxiliary data.

    Raises
    ------
    TypeError
        Here, if `fun` is not callable, if `argnums` are not integers, or if `fun` has no argument that `argnames` names. In
        the call, if a leaf cannot be differentiated, if the result is not a real number, or if it does not depend on the
        argument and ``item()`` or ``int()`` made a plain number of a Tensor.
    ValueError
        If an argument is selected twice, or if no argument is selected.

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
    >>> grad(loss, argnames='x')({'w': 2.0, 'b': 0.0}, x=np.array([1.0, 2.0]))
    array([ 8., 16.])
    """
    arguments, options = _checked(fun, argnums, holomorphic, allow_int, reduce_axes, argnames, allow_objects)

    @wraps(fun, f"Compute the gradient of {{fun}} with respect to {arguments}.")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradients = differentiate(fun, arguments, options, has_aux, args, kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


@transform
def value_and_grad(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
    allow_int: bool = False, reduce_axes: Sequence[Any] = (), *,
    argnames: str | Sequence[str] | None = None, allow_objects: bool = False,
) -> Callable[P, Any]:
    """Return the function that computes both `fun` and its gradient. Same as `jax.value_and_grad`.

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic, allow_int, reduce_axes, argnames, allow_objects
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
    arguments, options = _checked(fun, argnums, holomorphic, allow_int, reduce_axes, argnames, allow_objects)

    @wraps(fun, f"Compute the value of {{fun}}, and its gradient with respect to {arguments}.")
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        return differentiate(fun, arguments, options, has_aux, args, kwargs)

    return value_and_gradient


def _checked(
    fun: Callable, argnums: Any, holomorphic: bool, allow_int: bool, reduce_axes: Sequence, argnames: Any, allow_objects: bool
) -> tuple[Arguments, boundary.Options]:
    check_callable(fun)
    if reduce_axes:
        raise NotImplementedError("reduce_axes is not supported")
    return Arguments(fun, argnums, argnames), boundary.Options("grad", holomorphic, allow_int, allow_objects)


def differentiate(
    fun: Callable, arguments: Arguments, options: boundary.Options, has_aux: bool, args: tuple, kwargs: dict[str, Any],
    observer: graph.Observer = graph.NOBODY,
) -> tuple:
    """Return the value of a call and the gradient. With `has_aux`, the value is a pair of the value and the auxiliary data."""
    leaves, structure = tree.flatten(arguments.selected(args, kwargs))
    level = tensor.GradLevel(observer)
    try:
        inputs, nodes = boundary.tensors_for(leaves, structure, level, options, arguments, args)
        new_args, new_kwargs = arguments.replaced(args, kwargs, tree.unflatten(structure, inputs))
        out = fun(*new_args, **new_kwargs)
        out, aux = boundary.split_aux(out) if has_aux else (out, None)
        boundary.check_output(out, options, level)
        value = boundary.value_of(out, level)
        aux = tree.map(partial(boundary.value_of, level=level), aux) if has_aux else None
        root = [] if value is out else [out.node]  # empty if the result does not depend on the leaves
        del inputs, new_args, new_kwargs, out  # Only the root holds the graph now: it is freed as the pass goes along.
        try:
            cotangents = graph.backward(root.pop(), boundary.one_like(value), observer) if root else {}
        except Exception as error:
            if observer is graph.NOBODY:
                boundary.note_line(error, partial(differentiate, fun, arguments, options, has_aux, args, kwargs))
            raise
        gradients = boundary.gradients_for(leaves, nodes, level, cotangents)
    except Exception as error:
        boundary.show_cause(error)
        raise
    finally:
        level.close()
    return (value, aux) if has_aux else value, tree.unflatten(structure, gradients)
