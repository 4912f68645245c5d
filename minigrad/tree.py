"""Pytrees: parameters in nested containers, taken apart into a list of leaves, and put together again.

`grad` differentiates with respect to whatever structure the parameters have. It flattens them, differentiates with
respect to the leaves, and builds the gradient with the same structure. The names are those of `jax.tree`.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from numpy import ndarray


class Container(NamedTuple):
    """How to take one type of container apart and rebuild it.

    `split` returns the children and whatever else it takes to rebuild the container: the keys of a dict, say.
    `join` rebuilds it from those two. `label` says how to write the way to a child, for messages: ``['w']``.
    """

    split: Callable[[Any], tuple[Any, Any]]
    join: Callable[[Any, list], Any]
    label: Callable[[Any, int], str] = lambda rest, i: f"[{i}]"


def _split_dict(tree: dict) -> tuple[list, list]:
    try:
        keys = sorted(tree)  # so that the same parameters give the same leaves, however the dict was filled
    except TypeError:
        raise ValueError(f"the keys of a dict of parameters must be sortable, and {list(tree)} are not") from None
    return [tree[key] for key in keys], keys


_containers: dict[type, Container] = {
    dict: Container(
        _split_dict,
        lambda keys, children: dict(zip(keys, children)),
        lambda keys, i: f"[{keys[i]!r}]",
    ),
    OrderedDict: Container(
        lambda tree: (list(tree.values()), list(tree)),
        lambda keys, children: OrderedDict(zip(keys, children)),
        lambda keys, i: f"[{keys[i]!r}]",
    ),
    defaultdict: Container(
        lambda tree: (_split_dict(tree)[0], (tree.default_factory, _split_dict(tree)[1])),
        lambda rest, children: defaultdict(rest[0], zip(rest[1], children)),
        lambda rest, i: f"[{rest[1][i]!r}]",
    ),
    list: Container(lambda tree: (tree, None), lambda _, children: list(children)),
    tuple: Container(lambda tree: (tree, None), lambda _, children: tuple(children)),
    type(None): Container(lambda tree: ((), None), lambda _, children: None),
}
_namedtuple = Container(
    lambda tree: (tree, type(tree)),
    lambda kind, children: kind(*children),
    lambda kind, i: f".{kind._fields[i]}",
)


def _container_of(tree: Any) -> Container | None:
    """The container that `tree` is, or None for a leaf."""
    container = _containers.get(type(tree))
    if container is None and isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return _namedtuple
    return container


class Structure(tuple):
    """What is left of a tree without its leaves; equal for trees of the same form.

    The structure of a leaf is empty. That of a container is: the container, what its `split` returned besides the
    children, and their structures.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Structure({unflatten(self, [_Star()] * self.n_leaves)!r})"

    @property
    def n_leaves(self) -> int:
        """How many leaves the tree has."""
        return sum(child.n_leaves for child in self[2]) if self else 1


class _Star:
    def __repr__(self) -> str:
        return "*"


_LEAF = Structure()
_PLAIN_LEAVES = (float, ndarray)


def flatten(tree: Any) -> tuple[list, Structure]:
    """Take a tree apart.

    Parameters
    ----------
    tree : pytree
        Dicts (in the order of their sorted keys), lists, tuples, namedtuples, OrderedDicts, defaultdicts and None,
        nested in any way. Anything else is a leaf.

    Returns
    -------
    leaves : list
    structure : Structure
        What `unflatten` needs to put it together again.

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
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list) -> Structure:
    container = _containers.get(type(tree)) or _container_of(tree)
    if container is None:
        leaves.append(tree)
        return _LEAF
    children, rest = container.split(tree)
    structures = []
    for child in children:
        if type(child) in _PLAIN_LEAVES:  # saves a call for each of what may be thousands
            leaves.append(child)
            structures.append(_LEAF)
        else:
            structures.append(_flatten(child, leaves))
    return Structure((container, rest, structures))


def unflatten(structure: Structure, leaves: Iterable) -> Any:
    """Build the tree of that structure with those leaves: the inverse of `flatten`.

    Raises
    ------
    ValueError
        If the number of leaves is not that of the structure.

    Examples
    --------
    >>> from minigrad import tree
    >>> leaves, structure = tree.flatten({'w': 1.0, 'b': 3.0})
    >>> tree.unflatten(structure, [10.0, 20.0])
    {'b': 10.0, 'w': 20.0}
    """
    if type(leaves) is not list:
        leaves = list(leaves)
    if structure:
        container, rest, children = structure
        if len(leaves) == len(children) and not any(children):  # a container of leaves alone
            return container.join(rest, leaves)
    if len(leaves) != structure.n_leaves:
        raise ValueError(f"the structure has {structure.n_leaves} leaves, and got {len(leaves)}")
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, remaining: Iterator) -> Any:
    if not structure:
        return next(remaining)
    container, rest, children = structure
    return container.join(rest, [_unflatten(child, remaining) if child else next(remaining) for child in children])


def leaves(tree: Any) -> list:
    """Return the leaves of a tree, in the order of `flatten`."""
    return flatten(tree)[0]


def structure(tree: Any) -> Structure:
    """Return the structure of a tree. See `flatten`."""
    return flatten(tree)[1]


def map(fun: Callable, tree: Any, *others: Any) -> Any:
    """Apply a function to every leaf, and return a tree of the results.

    Parameters
    ----------
    fun : callable
        Takes a leaf of `tree`, and the leaf at the same place of each of `others`.
    tree : pytree
    *others : pytree
        Of the same structure as `tree`.

    Raises
    ------
    ValueError
        If one of the others has a different structure.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.map(lambda p, g: p - 0.1 * g, {'w': 1.0, 'b': 2.0}, {'w': 10.0, 'b': 0.0})
    {'b': 2.0, 'w': 0.0}
    """
    first, form = flatten(tree)
    columns = [first]
    for other in others:
        column, its_form = flatten(other)
        if its_form != form:
            raise ValueError(f"the trees differ in structure: {form} and {its_form}")
        columns.append(column)
    return unflatten(form, [fun(*row) for row in zip(*columns)])


def paths(structure: Structure) -> list[str]:
    """Return the way to each leaf, as one would write it in Python.

    Examples
    --------
    >>> from minigrad import tree
    >>> tree.paths(tree.structure({'layers': [(1.0, 2.0)], 'b': 3.0}))
    ["['b']", "['layers'][0][0]", "['layers'][0][1]"]
    """
    if not structure:
        return [""]
    container, rest, children = structure
    return [container.label(rest, i) + path for i, child in enumerate(children) for path in paths(child)]
