"""checkpoint: a function that is computed again in the backward pass, so that nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import memory, operands, tensor, tree
from .boundary import kind_of, value_of
from .calls import as_one_operation, check_numbers, differentiating, in_root, inner_arguments, is_of, reaches
from .functions import P, check_callable, name_of, transform, wraps
from .graph import Node
from .inplace import only_new_values
from .memory import innermost
from .tensor import Tensor
from .transforms import vjp


@transform
def checkpoint(
    fun: Callable[P, Any], *, prevent_cse: bool = True, policy: None = None, static_argnums: int | Sequence[int] = ()
) -> Callable[P, Any]:
    """Return a function that computes `fun`, and keeps nothing for the backward pass. Same as `jax.checkpoint`.

    The backward pass calls `fun` again to compute what it needs. This saves memory and costs time
    (A. Griewank and A. Walther, "Algorithm 799: Revolve", ACM Transactions on Mathematical Software 26, 2000).

    Parameters
    ----------
    fun : callable
        It must compute the same when it is called again. So it must use no random numbers, and no arrays from outside
        that change in between. (The values that it returns are compared. This does not find a change that has no effect on
        them.) It may use a value from outside that is being differentiated. Then the derivative is right, but no memory is
        saved. Nor is memory saved if it writes into an array among its arguments, or returns a view of one, that is not
        being differentiated. It must not write into what is being differentiated: arguments, or values from outside.
    prevent_cse, policy, static_argnums
        They exist only because JAX has them. Arguments that are not numbers or arrays need not be declared.

    Raises
    ------
    NotImplementedError
        If a `policy` is given. In a call, if `fun` writes into a value from outside that is being differentiated.
    ValueError
        In a call, if `fun` writes into an argument that is being differentiated.
    RuntimeError
        In the backward pass, if `fun` returns something else when it is called again.

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
        level = differentiating(leaves)
        if level is None:
            return fun(*args, **kwargs)
        values = inner_arguments(leaves, level)
        traced = [i for i, leaf in enumerate(leaves) if is_of(leaf, level)]
        primals = [values[i] for i in traced]

        def call(new_leaves: list, primals: Sequence) -> Any:
            for i, primal in zip(traced, primals):
                new_leaves[i] = primal
            new_args, new_kwargs = tree.unflatten(structure, new_leaves)
            out = fun(*new_args, **new_kwargs)
            check_numbers(fun, tree.leaves(out))
            return out

        def again(*primals: Any) -> Any:
            return tree.map(memory.own, call(memory.own_all(values), primals))

        used = memory.own_all(values)
        with only_new_values(level):
            if any(type(primal) in operands.PYTHON_NUMBERS for primal in primals):
                out = _with_weak_numbers(lambda primals: call(used, primals), primals)
            else:
                out = call(used, primals)
        out_leaves, out_structure = tree.flatten(tree.map(in_root, out))
        constants = {id(used[i]): i for i in range(len(leaves)) if i not in traced}
        numbers = [constants.get(id(y)) for y in out_leaves]  # of the constants that are results
        others = [y for y, i in zip(out_leaves, numbers) if i is None]
        if reaches(others, level) or any(memory.was_used(used[i], values[i], others) for i in constants.values()):
            return fun(*args, **kwargs)  # without a checkpoint: that works on copies, and NumPy changes the array itself
        out_leaves = [y if i is None else leaves[i] for y, i in zip(out_leaves, numbers)]
        out_leaves = memory.apart(out_leaves, leaves, level, constants_stay=True)
        expected = [y if i is None else values[i] for y, i in zip(out_leaves, numbers)]

        def back(g: list) -> list:
            out, pullback = vjp(again, *primals)
            # Small differences are rounding errors: with Tensors, some sums are taken in another order.
            if not _are_alike(tree.leaves(out), expected) and not _are_alike(tree.leaves(again()), expected):
                raise RuntimeError(
                    f"{name_of(fun)}, a function of minigrad.checkpoint, returned something else when the backward pass called "
                    f"it again. It uses random numbers, or an array from outside that has changed: pass them as arguments"
                )
            return list(pullback(tree.unflatten(out_structure, g)))

        outputs = as_one_operation(fun, args, kwargs, out_leaves, [leaves[i] for i in traced], level, back, leaves)
        return tree.unflatten(out_structure, outputs)

    return checkpointed


def _with_weak_numbers(fun: Callable, primals: list) -> Any:
    """Call a function on values, some of which are Python numbers. What it computes of Python numbers is a Python number too.

    NumPy's functions would return NumPy's numbers. With Tensors of a level of their own, they return weak numbers.
    """
    level = tensor.GradLevel()
    try:
        out = fun([Tensor(primal, Node(primal), level) for primal in primals])
        return tree.map(lambda leaf: value_of(in_root(leaf), level), out)
    finally:
        level.close()


def _are_alike(leaves: list, others: list) -> bool:
    """Return whether numbers are the same, except for rounding errors."""
    return len(leaves) == len(others) and all(map(_is_alike, map(innermost, leaves), map(innermost, others)))


def _is_alike(a: Any, b: Any) -> bool:
    if kind_of(a) == "O" or np.array_equal(a, b):
        return True
    if kind_of(a) not in "fc" or kind_of(b) not in "fc" or np.shape(a) != np.shape(b):
        return False
    size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    return np.allclose(a, b, rtol=0, atol=size * np.sqrt(np.finfo(np.result_type(b)).eps), equal_nan=True)
