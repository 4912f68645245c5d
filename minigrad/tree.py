"""Pytrees: parameters in nested containers, taken apart into a list of leaves, and put together again.

The parameters that `grad` differentiates with respect to may have any structure. `grad` takes them apart,
differentiates with respect to the leaves, and builds the gradient with the same structure. The functions have the same
names as in `jax.tree`. `containers` says which types are containers, and has the functions that register more.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from .containers import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey, container_of, containers
from .containers import register_dataclass, register_pytree_node, register_pytree_node_class
from .graph import describe
from .operands import refuse_foreign

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "SequenceKey", "Structure", "all", "flatten", "keystr", "leaves", "map",
    "map_with_path", "match", "paths", "ravel_pytree", "reduce", "register_dataclass", "register_pytree_node",
    "register_pytree_node_class", "structure", "unflatten",
]


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


# ---- Apart and together ---------------------------------------------------------------------------------------------


class Structure(tuple):
    """The form of a tree, without its leaves. Trees of the same form have equal structures.

    A leaf has an empty structure. The structure of a container has three entries: the `Container`, the rest that its
    `split` returned, and the structures of the children.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Structure({_text(self)})"

    @property
    def num_leaves(self) -> int:
        """The number of leaves in the tree."""
        return sum(child.num_leaves for child in self[2]) if self else 1


class _Text(str):
    """A text that stands for a leaf or a container, and is shown without quotes."""

    __repr__ = str.__str__


def _text(structure: Structure) -> _Text:
    if not structure:
        return _Text("*")
    container, rest, children = structure
    texts = [_text(child) for child in children]
    try:
        return _Text(repr(container.join(rest, texts)))
    except Exception:  # a registered type may check its children, and refuse texts
        return _Text(f"{rest[0].__name__}({', '.join(texts)})")


_LEAF = Structure()
_PLAIN_LEAVES = (float, ndarray)


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], Structure]:
    """Take a tree apart into its leaves and its structure.

    Parameters
    ----------
    tree : pytree
        Dicts (in the order of their sorted keys), lists, tuples, namedtuples, OrderedDicts, defaultdicts, None, and
        registered types, nested in any way. Anything else is a leaf.
    is_leaf : callable, optional
        Takes a container, and returns whether it counts as a leaf.

    Returns
    -------
    leaves : list
    structure : Structure
        What `unflatten` needs to build the tree again.

    Raises
    ------
    ValueError
        If the keys of a dict cannot be sorted.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.flatten({'w': [1.0, 2.0], 'b': 3.0})
    ([3.0, 1.0, 2.0], Structure({'b': *, 'w': [*, *]}))
    """
    leaves: list = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list, is_leaf: Callable[[Any], bool] | None) -> Structure:
    container = containers.get(type(tree)) or container_of(tree)
    if container is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return _LEAF
    children, rest = container.split(tree)
    structures = []
    for child in children:
        if type(child) in _PLAIN_LEAVES:  # saves a call for each leaf, and there may be thousands
            leaves.append(child)
            structures.append(_LEAF)
        else:
            structures.append(_flatten(child, leaves, is_leaf))
    return Structure((container, rest, structures))


def unflatten(treedef: Structure, leaves: Iterable[Any]) -> Any:
    """Build a tree from its structure and its leaves: the inverse of `flatten`.

    Raises
    ------
    ValueError
        If the structure has another number of leaves.

    Examples
    --------
    >>> from minigrad import tree
    >>> leaves, structure = tree.flatten({'w': 1.0, 'b': 3.0})
    >>> tree.unflatten(structure, [10.0, 20.0])
    {'b': 10.0, 'w': 20.0}
    """
    if type(leaves) is not list:
        leaves = list(leaves)
    if treedef:
        container, rest, children = treedef
        if len(leaves) == len(children) and not any(children):  # all children are leaves
            return container.join(rest, leaves)
    if len(leaves) != treedef.num_leaves:
        raise ValueError(f"the structure has {treedef.num_leaves} leaves, and got {len(leaves)}")
    return _unflatten(treedef, iter(leaves))


def _unflatten(structure: Structure, remaining: Iterator) -> Any:
    if not structure:
        return next(remaining)
    container, rest, children = structure
    return container.join(rest, [_unflatten(child, remaining) if child else next(remaining) for child in children])


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """Return the leaves of a tree, in the order of `flatten`."""
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Structure:
    """Return the structure of a tree. See `flatten`."""
    return flatten(tree, is_leaf)[1]


# ---- On all leaves --------------------------------------------------------------------------------------------------


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Apply a function to every leaf, and return a tree of the results.

    Parameters
    ----------
    f : callable
        Takes a leaf of `tree`, and what each tree of `rest` has at the same place.
    tree : pytree
    *rest : pytree
        Trees with the structure of `tree`. Where `tree` has a leaf, they may have a container. Then `f` takes the whole
        container.
    is_leaf : callable, optional
        As for `flatten`.

    Raises
    ------
    ValueError
        If a tree of `rest` has a different structure.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.map(lambda p, g: p - 0.1 * g, {'w': 1.0, 'b': 2.0}, {'w': 10.0, 'b': 0.0})
    {'b': 2.0, 'w': 0.0}
    """
    first, form = flatten(tree, is_leaf)
    return unflatten(form, [f(*row) for row in zip(first, *(_subtrees(other, form, form) for other in rest))])


def _subtrees(tree: Any, form: Structure, whole: Structure, none_for_all: bool = False) -> list:
    """Return what a tree has at each leaf of a structure. With `none_for_all`, None may stand for a whole container."""
    if not form:
        return [tree]
    if tree is None and none_for_all:
        return [None] * form.num_leaves
    container, rest, forms = form
    children, its_rest = container.split(tree) if container_of(tree) == container else (None, None)
    if children is None or len(children) != len(forms) or its_rest != rest:
        raise ValueError(f"the trees differ in structure: the first has {whole}, and another one has {tree!r} in place of {form}")
    return [leaf for child, its_form in zip(children, forms) for leaf in _subtrees(child, its_form, whole, none_for_all)]


def match(structure: Structure, tree: Any) -> list:
    """Return what a tree has at each leaf of a structure. If it has None for a container, return None for each leaf there.

    Raises
    ------
    ValueError
        If the tree has a different structure.
    """
    return _subtrees(tree, structure, structure, none_for_all=True)


_NOTHING = object()


def reduce(
    function: Callable[..., Any], tree: Any, initializer: Any = _NOTHING, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Combine all leaves, from the first to the last, as `functools.reduce` does.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.reduce(lambda total, leaf: total + leaf, {'w': [1.0, 2.0], 'b': 3.0}, 0.0)
    6.0
    """
    values = leaves(tree, is_leaf)
    return functools.reduce(function, values) if initializer is _NOTHING else functools.reduce(function, values, initializer)


def all(tree: Any, *, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether all leaves are true. If there are no leaves, return True."""
    return builtins.all(leaves(tree, is_leaf))


# ---- As one array ----------------------------------------------------------------------------------------------------


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Put all leaves into one flat array, and return it with the function that makes the tree again. As in JAX.

    JAX has it in `jax.flatten_util`. Solvers such as `scipy.optimize.minimize` take one flat array. Both directions can be
    differentiated.

    Parameters
    ----------
    pytree : pytree of numbers and arrays

    Returns
    -------
    flat : array of shape (n,)
        The elements of all leaves, in the order of `flatten`. Its dtype is one that holds the values of all leaves
        (`numpy.result_type`).
    unravel : callable
        Takes such an array, and returns a tree. The leaves have their shapes. Python's numbers become Python's numbers. If
        the leaves have different dtypes, each gets back its own dtype. Otherwise the leaves get the dtype of the array.

    Raises
    ------
    TypeError
        If a leaf is neither a number nor an array of numbers. In a call of `unravel`, if the leaves have different dtypes
        and the array has another dtype than `flat`.
    ValueError
        In a call of `unravel`, if the array has another shape than `flat`.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import tree
    >>> flat, unravel = tree.ravel_pytree({'w': np.array([[1.0, 2.0]]), 'b': 3.0})
    >>> flat
    array([3., 1., 2.])
    >>> unravel(10 * flat)
    {'b': 30.0, 'w': array([[10., 20.]])}
    """
    given, form = flatten(pytree)
    for leaf, path in zip(given, paths(form)):
        refuse_foreign(leaf)
        if np.result_type(type(leaf) if not hasattr(leaf, "dtype") else leaf.dtype).kind not in "fcbiu":
            raise TypeError(f"tree{keystr(path)} is {leaf!r} of type {type(leaf)}, which cannot be part of an array of numbers")
    described = [describe(leaf) for leaf in given]
    shapes, dtypes = [shape for shape, _ in described], [np.dtype(dtype) for _, dtype in described]
    are_python, are_mixed = [isinstance(dtype, type) for _, dtype in described], len(set(dtypes)) > 1
    whole = np.result_type(*dtypes) if dtypes else np.dtype(float)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes], dtype=int)
    size = int(ends[-1]) if given else 0

    def unravel(flat: Any) -> Any:
        if np.shape(flat) != (size,):
            raise ValueError(f"unravel takes an array of shape {(size,)}, and got one of shape {np.shape(flat)}")
        dtype = np.dtype(describe(flat)[1])
        if are_mixed and dtype != whole:
            raise TypeError(f"unravel takes an array of dtype {whole}, and got one of dtype {dtype}")
        parts = []
        for end, shape, its_dtype, is_python in zip(ends, shapes, dtypes, are_python):
            part = np.reshape(flat[end - int(np.prod(shape)) : end], shape)
            if are_mixed and its_dtype != whole:
                part = (np.real(part) if its_dtype.kind != "c" else part).astype(its_dtype)
            parts.append(part.item() if is_python and type(part) is ndarray else part)
        return unflatten(form, parts)

    rows = [np.ravel(leaf).astype(whole) for leaf in given]
    return (np.concatenate(rows) if rows else np.zeros(0)), unravel


# ---- Paths to leaves ------------------------------------------------------------------------------------------------


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Apply a function to every leaf and the path to it. See `map`.

    Parameters
    ----------
    f : callable
        Takes the path to a leaf, the leaf, and what each tree of `rest` has at the same place. The path is a tuple of keys
        (`DictKey`, `SequenceKey`, `GetAttrKey`, `FlattenedIndexKey`).
    tree, *rest, is_leaf
        As for `map`.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.map_with_path(lambda path, leaf: tree.keystr(path), {'layers': [(1.0, 2.0)], 'b': 3.0})
    {'b': "['b']", 'layers': [("['layers'][0][0]", "['layers'][0][1]")]}
    """
    first, form = flatten(tree, is_leaf)
    rows = zip(paths(form), first, *(_subtrees(other, form, form) for other in rest))
    return unflatten(form, [f(*row) for row in rows])


def paths(structure: Structure) -> list[tuple]:
    """Return the path to each leaf: a tuple of keys. See `keystr`."""
    if not structure:
        return [()]
    container, rest, children = structure
    return [(container.label(rest, i), *path) for i, child in enumerate(children) for path in paths(child)]


def keystr(path: tuple[Any, ...]) -> str:
    """Return the path to a leaf as you would write it in Python.

    Examples
    --------
    >>> from minigrad import tree
    >>> [tree.keystr(path) for path in tree.paths(tree.structure({'layers': [(1.0, 2.0)], 'b': 3.0}))]
    ["['b']", "['layers'][0][0]", "['layers'][0][1]"]
    """
    return "".join(str(key) for key in path)
