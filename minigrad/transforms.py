"""The family of grad: vjp, linearize, jvp, Jacobians, Hessians.

They have the names, arguments and results of JAX's functions. All of them use one backward pass over a recorded graph:

1. `vjp` keeps the graph, and returns the backward pass as a function. This function takes the cotangent of the result,
   and returns the cotangents of the arguments.
2. This function, g -> J^T g, is linear. Its own VJP is t -> J t, the forward derivative. `linearize` and `jvp` use it.
3. `jacrev` computes a Jacobian row by row, with `vjp`. `jacfwd` computes it column by column, with `linearize`. A Hessian
   is the Jacobian (by `jacfwd`) of a Jacobian (by `jacrev`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from . import boundary, graph, guards, operands, tensor, tree
from .arguments import Arguments
from .boundary import Options, as_array, check_leaf, check_output_dtype, dtype_of, float0, kind_of, note_line
from .boundary import one_like, show_cause, split_aux, value_of, zero_cotangent
from .functions import P, check_callable, name_of, transform, wraps
from .grad import grad
from .graph import NOBODY, Observer, describe
from .tensor import top_level

# ---- 1. The backward pass as a function -----------------------------------------------------------------------------


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of a function, and its vector-Jacobian product as a function. Same as `jax.vjp`.

    Parameters
    ----------
    fun : callable
        Returns a number, an array, or a pytree of them.
    *primals : pytree
        The arguments of `fun`. All are differentiated. Their leaves may also be integers and truth values.
    has_aux : bool, default False
        If true, `fun` returns a pair: the value, and auxiliary data.

    Returns
    -------
    value : pytree
    vjp_fun : callable
        Takes the cotangent of the value, and returns a tuple with the cotangent of each primal. The cotangent of the
        value has the structure, shapes and dtypes of the value. `vjp_fun` can be called any number of times. It keeps the
        graph as long as it lives.
    aux
        The auxiliary data. Only with `has_aux`.

    Raises
    ------
    TypeError
        If `fun` is not callable, or a leaf of the primals or of the value cannot be differentiated.
    ValueError
        In a call of `vjp_fun`, if the cotangent does not match the value.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import vjp
    >>> y, vjp_fun = vjp(lambda x, a: a * x, np.array([1.0, 2.0]), 3.0)
    >>> y
    array([3., 6.])
    >>> vjp_fun(np.array([1.0, 10.0]))
    (array([ 3., 30.]), 21.0)
    """
    check_callable(fun)
    leaves, structure = tree.flatten(primals)
    level, nodes, root, out, aux = _forward(fun, primals, has_aux)
    out_leaves, out_structure = tree.flatten(out)
    expected = [_form(leaf) if kind_of(leaf) in "fc" else None for leaf in out_leaves]

    def vjp_fun(*cotangent: Any) -> tuple:
        if len(cotangent) != 1:
            raise TypeError(
                f"the function returned by vjp for {name_of(fun)} takes one argument, the cotangent of the value "
                f"(a tree, if the value is a tree), and got {len(cotangent)}"
            )
        given, form = tree.flatten(tree.map(as_array, cotangent[0]))
        if form != out_structure:
            raise ValueError(
                f"unexpected tree structure: the value of {name_of(fun)} has {out_structure}, and the cotangent {form}"
            )
        _check_forms("cotangent", given, expected, out_structure, like=f"the value of {name_of(fun)}")
        try:
            cotangents = graph.backward(root, given) if root else {}
        except Exception as error:
            note_line(error, lambda lines: graph.backward(_forward_again(fun, primals, has_aux, lines)[2], given, lines))
            raise
        return tree.unflatten(structure, boundary.gradients_for(leaves, nodes, level, cotangents))

    return (out, vjp_fun, aux) if has_aux else (out, vjp_fun)


def _form(leaf: Any) -> tuple:
    return np.shape(leaf), dtype_of(leaf)


def _check_forms(name: str, given: list, expected: list, structure: tree.Structure, like: str) -> None:
    """Raise if a leaf of a cotangent or tangent is not a number or array, or if it has another shape or dtype than expected.

    `like` says, for the message, what has the expected shapes and dtypes. If None is expected, the leaf may have any.
    """
    for leaf, form, path in zip(given, expected, tree.paths(structure)):
        if kind_of(leaf) == "O":
            raise TypeError(f"the {name}{tree.keystr(path)} is {leaf!r} of type {type(leaf)}: it must be a number or array")
        if form is not None and _form(leaf) != form:
            raise ValueError(
                f"the {name}{tree.keystr(path)} does not match {like}: got {dtype_of(leaf)}{list(np.shape(leaf))}, but "
                f"expected {form[1]}{list(form[0])}"
            )


def _forward(fun: Callable, primals: tuple, has_aux: bool, observer: Observer = NOBODY) -> tuple:
    """Run the function on Tensors. Return the level, the leaves' nodes, the result's node, the result, and aux."""
    leaves, structure = tree.flatten(primals)
    every, options = Arguments(fun, range(len(primals))), Options("vjp", allow_int=True)
    level = tensor.GradLevel(observer)
    try:
        inputs, nodes = boundary.tensors_for(leaves, structure, level, options, every, primals)
        out = fun(*tree.unflatten(structure, inputs))
        out, aux = split_aux(out) if has_aux else (out, None)
        results = tree.leaves(out)
        for leaf in results:
            operands.refuse_foreign(leaf)
            if kind_of(leaf) == "O":
                raise TypeError(f"the function returned {leaf!r} of type {type(leaf)}, which cannot be differentiated")
        guards.check_dependence([leaf for leaf in results if kind_of(leaf) in "fc"], level)
        root = level.node_of(results) if top_level(results) is level else None
        out, aux = (tree.map(lambda leaf: _safe(value_of(leaf, level)), result) for result in (out, aux))
        return level, nodes, root, out, aux
    except Exception as error:
        show_cause(error)
        raise
    finally:
        level.close()


def _forward_again(*args: Any) -> tuple:
    """Run the function once more, with NumPy's errors off. The user may have switched them on since the first run."""
    with np.errstate(all="ignore"):
        return _forward(*args)


def _safe(value: Any) -> Any:
    """Return a copy of an array. The user may write into it while the graph is still used."""
    return value.copy() if type(value) is ndarray else value


# ---- 2. Forwards ----------------------------------------------------------------------------------------------------


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of a function, and its derivative there as a linear function. Same as `jax.linearize`.

    Parameters
    ----------
    fun, *primals, has_aux
        As for `vjp`.

    Returns
    -------
    value : pytree
    jvp_fun : callable
        Takes one tangent for each primal, and returns the tangent of the value. A tangent has the structure, shapes and
        dtypes of its primal (dtype `float0` for integers). `jvp_fun` can be called any number of times. It does not call
        `fun` again.
    aux
        The auxiliary data. Only with `has_aux`.

    Raises
    ------
    TypeError, ValueError
        As for `vjp`. Also in a call of `jvp_fun`, if the tangents do not match the primals.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import linearize
    >>> y, jvp_fun = linearize(lambda x: x ** 2, np.array([1.0, 2.0]))
    >>> jvp_fun(np.array([1.0, 0.0])), jvp_fun(np.array([1.0, 1.0]))
    (array([2., 0.]), array([2., 4.]))
    """
    out, vjp_fun, *aux = vjp(fun, *primals, has_aux=has_aux)
    # vjp_fun is linear, g -> J^T g. So its own VJP is t -> J t at every point, also at zero.
    _, transposed = vjp(vjp_fun, tree.map(zero_cotangent, out))
    expected, structure = tree.flatten(tree.map(as_array, primals))
    forms = [(np.shape(leaf), _tangent_dtype(leaf)) for leaf in expected]

    def jvp_fun(*tangents: Any) -> Any:
        given, its_structure = tree.flatten(tangents)
        given = list(map(as_array, given))
        if its_structure != structure:
            raise TypeError(f"the primals have the structure {structure}, and the tangents {its_structure}")
        _check_forms("tangent", given, forms, structure, like="its primal")
        return transposed(tree.unflatten(structure, given))[0]

    return out, jvp_fun, *aux


def _tangent_dtype(leaf: Any) -> np.dtype:
    return dtype_of(leaf) if kind_of(leaf) in "fc" else float0


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of a function, and its derivative along a direction. Same as `jax.jvp`.

    It takes two backward passes. So no function needs another rule for the forward direction.

    Parameters
    ----------
    fun : callable
    primals : tuple or list of pytrees
        The arguments of `fun`.
    tangents : tuple or list of pytrees
        The direction. It has the structure, shapes and dtypes of the primals (dtype `float0` for integers).
    has_aux : bool, default False
        If true, `fun` returns a pair: the value, and auxiliary data.

    Returns
    -------
    value, tangent : pytree
        Both have the same structure. With `has_aux`, the auxiliary data follows.

    Raises
    ------
    TypeError
        If primals and tangents are not both tuples or both lists, or if they differ in structure or dtype.
    ValueError
        If primals and tangents differ in shape.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import jvp
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.5))
    (6.0, 4.0)
    """
    check_callable(fun)
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"the primals and tangents of jvp must be tuples or lists; found {type(primals).__name__} and "
            f"{type(tangents).__name__}"
        )
    primals, tangents = tree.map(as_array, primals), tree.map(as_array, tangents)
    (leaves, structure), (directions, its_structure) = tree.flatten(primals), tree.flatten(tangents)
    if structure != its_structure:
        raise TypeError(f"the primals of jvp have the structure {structure}, and the tangents {its_structure}")
    for leaf, direction, path in zip(leaves, directions, tree.paths(structure)):
        if "O" in (kind_of(leaf), kind_of(direction)):
            raise TypeError(f"primals{tree.keystr(path)} is {leaf!r}, and its tangent {direction!r}: both must be numbers or arrays")
        if dtype_of(direction) != _tangent_dtype(leaf):
            raise TypeError(
                f"tangents{tree.keystr(path)} has dtype {dtype_of(direction)}, and the primal {dtype_of(leaf)}: expected "
                f"{_tangent_dtype(leaf)}"
            )
        if np.shape(direction) != np.shape(leaf):
            raise ValueError(f"tangents{tree.keystr(path)} has shape {np.shape(direction)}, and the primal {np.shape(leaf)}")
    out, jvp_fun, *aux = linearize(fun, *primals, has_aux=has_aux)
    return out, jvp_fun(*tangents), *aux


# ---- 3. All rows, or all columns ------------------------------------------------------------------------------------


@transform
def jacrev(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False, allow_int: bool = False
) -> Callable[P, Any]:
    """Return the function that computes the Jacobian of `fun`, with one backward pass for each element of the result.

    Same as `jax.jacrev`. `jacobian` is another name for it. It is better than `jacfwd` if the result has fewer
    elements than the argument.

    Parameters
    ----------
    fun : callable
        Returns a real number, a real array, or a pytree of them.
    argnums, has_aux, holomorphic, allow_int
        As for `grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`. Returns a tree with the structure of the result. In place of each leaf ``y`` stands
        a tree with the structure of the argument. In that tree, in place of each leaf ``x``, stands an array with the
        derivatives of ``y`` by ``x``. Its shape is ``y.shape + x.shape``, and its dtype is ``x.dtype``. With `has_aux`,
        the function returns a pair: this tree, and the auxiliary data.

    Raises
    ------
    TypeError
        If a leaf of the argument or the result is not real (or, for a holomorphic function, not complex).
    ValueError
        If the call has no such argument.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import jacrev
    >>> jacrev(lambda x: x ** 2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    check_callable(fun)
    arguments, options = Arguments(fun, argnums), Options("jacrev", holomorphic, allow_int)

    @wraps(fun, f"Compute the Jacobian of {{fun}} with respect to {arguments}, row by row.")
    def jacobian_of_fun(*args: Any, **kwargs: Any) -> Any:
        of_argument, argument = _restricted(fun, arguments, options, args, kwargs)
        out, vjp_fun, *aux = vjp(of_argument, argument, has_aux=has_aux)
        in_leaves, in_structure = tree.flatten(argument)
        out_leaves, out_structure = tree.flatten(out)
        for leaf in out_leaves:
            check_output_dtype(leaf, options)
        jacobians = []
        for y, rows in zip(out_leaves, _of_units(lambda g: vjp_fun(g)[0], out_leaves, out_structure, len(in_leaves))):
            found = [_stacked(parts, np.shape(y), x, 0) for parts, x in zip(rows, in_leaves)]
            jacobians.append(tree.unflatten(in_structure, found))
        jacobian_tree = tree.unflatten(out_structure, jacobians)
        return (jacobian_tree, *aux) if has_aux else jacobian_tree

    return jacobian_of_fun


jacobian = jacrev


@transform
def jacfwd(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[P, Any]:
    """Return the function that computes the Jacobian of `fun`, with one pass for each element of the argument.

    Same as `jax.jacfwd`. It is better than `jacrev` if the argument has fewer elements than the result.

    Parameters
    ----------
    fun : callable
        Returns a number, an array, or a pytree of them. They may be complex.
    argnums, has_aux, holomorphic
        As for `grad`.

    Returns
    -------
    callable
        As for `jacrev`, but the dtype of each array is ``y.dtype``, where ``y`` is the leaf of the result.

    Raises
    ------
    TypeError
        If a leaf of the argument is not real (or, for a holomorphic function, not complex).
    ValueError
        If the call has no such argument.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import jacfwd
    >>> jacfwd(lambda a: np.stack([a, a ** 2, a ** 3]))(2.0)
    array([ 1.,  4., 12.])
    """
    check_callable(fun)
    arguments, options = Arguments(fun, argnums), Options("jacfwd", holomorphic)

    @wraps(fun, f"Compute the Jacobian of {{fun}} with respect to {arguments}, column by column.")
    def jacobian_of_fun(*args: Any, **kwargs: Any) -> Any:
        of_argument, argument = _restricted(fun, arguments, options, args, kwargs)
        out, jvp_fun, *aux = linearize(of_argument, argument, has_aux=has_aux)
        in_leaves, in_structure = tree.flatten(argument)
        out_leaves, out_structure = tree.flatten(out)
        if holomorphic:
            for leaf in out_leaves:
                check_output_dtype(leaf, options)
        columns = _of_units(jvp_fun, in_leaves, in_structure, len(out_leaves))
        jacobians = []
        for i, y in enumerate(out_leaves):
            found = [_stacked(parts[i], np.shape(x), y, -1) for parts, x in zip(columns, in_leaves)]
            jacobians.append(tree.unflatten(in_structure, found))
        jacobian_tree = tree.unflatten(out_structure, jacobians)
        return (jacobian_tree, *aux) if has_aux else jacobian_tree

    return jacobian_of_fun


def _restricted(
    fun: Callable, arguments: Arguments, options: Options, args: tuple, kwargs: dict[str, Any]
) -> tuple[Callable, Any]:
    """Check the leaves of the selected argument. Return `fun` as a function of this argument alone, and the argument."""
    try:
        argument = arguments.selected(args, kwargs)
    except TypeError as error:
        raise ValueError(str(error)) from None
    leaves, structure = tree.flatten(argument)
    for i, leaf in enumerate(leaves):
        check_leaf(leaf, options, lambda: arguments.place(i, structure, args))

    def of_argument(new: Any) -> Any:
        new_args, new_kwargs = arguments.replaced(args, kwargs, new)
        return fun(*new_args, **new_kwargs)

    return of_argument, tree.map(as_array, argument)


def _of_units(linear: Callable, leaves: list, structure: tree.Structure, n: int) -> list:
    """Call a linear function with each unit of each leaf of its argument (see `_units`).

    Return a list for each leaf of the argument. It has an entry for each of the n leaves of the function's result. An entry
    has one part for each unit.
    """
    zeros = [zero_cotangent(leaf) for leaf in leaves]
    found = []
    for i, leaf in enumerate(leaves):
        trees = [linear(tree.unflatten(structure, [*zeros[:i], unit, *zeros[i + 1 :]])) for unit in _units(leaf)]
        found.append(list(zip(*map(tree.leaves, trees))) or [()] * n)
    return found


def _units(leaf: Any) -> list:
    """Return, for each element of a leaf, a leaf of the same form with 1 at this element and 0 elsewhere."""
    shape, dtype = describe(leaf)
    if shape == ():
        return [one_like(leaf)] if not isinstance(leaf, ndarray) else [np.ones((), dtype)]
    units = []
    for i in range(int(np.prod(shape))):
        unit = np.zeros(shape, dtype)
        unit.flat[i] = 1
        units.append(unit)
    return units


def _stacked(parts: Sequence, shape: tuple, like: Any, axis: int) -> Any:
    """Join the parts, one for each element of a leaf of that shape. The axes of the leaf come first or last."""
    its_shape, dtype = describe(like)
    whole = shape + its_shape if axis == 0 else its_shape + shape
    if kind_of(like) not in "fc":  # integers have no derivative
        return np.zeros(whole, float0 if axis == 0 else dtype)
    if shape == ():
        return parts[0]
    return np.reshape(np.stack(parts, axis=axis), whole) if parts else np.zeros(whole, dtype)


@transform
def hessian(
    fun: Callable[P, Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[P, Any]:
    """Return the function that computes the second derivatives of `fun`. Same as `jax.hessian`.

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic
        As for `jacrev`.

    Returns
    -------
    callable
        Takes the arguments of `fun`. Returns the Jacobian of the Jacobian. For each leaf ``y`` of the result and each two
        leaves ``a`` and ``b`` of the argument, it has an array of shape ``y.shape + a.shape + b.shape``. The trees are
        nested in the same order: first the structure of the result, then twice the structure of the argument.

    Raises
    ------
    TypeError, ValueError
        As for `jacrev`.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    return jacfwd(jacrev(fun, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def hvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return the product of the Hessian of a function with a vector, without forming the Hessian.

    It costs a few gradients, however many parameters there are. The Hessian is symmetric, so the product is the VJP of the
    gradient (B. Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994).

    Parameters
    ----------
    fun : callable
        Returns a real number.
    primals : tuple or list of pytrees
        The arguments of `fun`, all real.
    tangents : tuple or list of pytrees
        The vector. It has the structure, shapes and dtypes of the primals.

    Returns
    -------
    pytree
        A tree like the argument. If there are several arguments, a tuple with one such tree for each.

    Raises
    ------
    TypeError
        If primals and tangents are not tuples or lists of the same length. Also as for `grad`.
    ValueError
        If a tangent does not match its primal.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import hvp
    >>> hvp(lambda x: np.sum(x ** 3), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    array([  6., 120.])
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)) or len(primals) != len(tangents):
        raise TypeError("the primals and tangents of hvp must be tuples or lists of the same length")
    if any(kind_of(leaf) == "c" for leaf in tree.leaves(primals)):
        raise TypeError("hvp requires real-valued inputs; for a complex one, use jvp(grad(fun), primals, tangents)")
    gradient = grad(fun, argnums=tuple(range(len(primals))))
    products = vjp(gradient, *primals)[1](tuple(tangents))
    return products[0] if len(primals) == 1 else products
