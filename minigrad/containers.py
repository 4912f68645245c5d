"""Which types are containers of a pytree, and how each is taken apart and rebuilt.

`tree` walks through trees of containers. The functions that register types have the same names as in `jax.tree_util`, and
are reached as `minigrad.tree.register_dataclass`, for example.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple


class Container(NamedTuple):
    """How to take one type of container apart and rebuild it.

    `split` returns the children and the rest. The rest is what else is needed to rebuild the container, such as the keys
    of a dict. It must be comparable. `join` takes the rest and the children, and rebuilds the container. `label` returns
    the key of a child, such as ``['w']``.
    """

    split: Callable[[Any], tuple[Any, Any]]
    join: Callable[[Any, list], Any]
    label: Callable[[Any, int], Any]


class DictKey(NamedTuple):
    """The step of a path to a child of a dict."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class SequenceKey(NamedTuple):
    """The step of a path to a child of a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx}]"


class GetAttrKey(NamedTuple):
    """The step of a path to a child that is an attribute."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


class FlattenedIndexKey(NamedTuple):
    """The step of a path to a child of a type that was registered without names for its children."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


def _split_dict(tree: dict) -> tuple[list, list]:
    try:
        keys = sorted(tree)  # the order of the leaves must not depend on the order in which the dict was filled
    except TypeError:
        raise ValueError(f"the keys of a dict of parameters must be sortable, and {list(tree)} are not") from None
    return list(map(tree.__getitem__, keys)), keys


containers: dict[type, Container] = {
    dict: Container(
        _split_dict,
        lambda keys, children: dict(zip(keys, children)),
        lambda keys, i: DictKey(keys[i]),
    ),
    OrderedDict: Container(
        lambda tree: (list(tree.values()), list(tree)),
        lambda keys, children: OrderedDict(zip(keys, children)),
        lambda keys, i: DictKey(keys[i]),
    ),
    defaultdict: Container(
        lambda tree: (_split_dict(tree)[0], (tree.default_factory, _split_dict(tree)[1])),
        lambda rest, children: defaultdict(rest[0], zip(rest[1], children)),
        lambda rest, i: DictKey(rest[1][i]),
    ),
    list: Container(lambda tree: (tree, None), lambda _, children: list(children), lambda _, i: SequenceKey(i)),
    tuple: Container(lambda tree: (tree, None), lambda _, children: tuple(children), lambda _, i: SequenceKey(i)),
    type(None): Container(lambda tree: ((), None), lambda _, children: None, lambda _, i: SequenceKey(i)),
}
_namedtuple = Container(
    lambda tree: (tree, type(tree)),
    lambda kind, children: kind(*children),
    lambda kind, i: GetAttrKey(kind._fields[i]),
)


def container_of(tree: Any) -> Container | None:
    """Return the `Container` for the type of a tree, or None for a leaf."""
    container = containers.get(type(tree))
    if container is None and isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return _namedtuple
    return container


def register_pytree_node(nodetype: type, flatten_func: Callable[..., Any], unflatten_func: Callable[..., Any]) -> None:
    """Register a type as a container, so that `grad` finds the leaves in it. Same as in `jax.tree_util`.

    Parameters
    ----------
    nodetype : type
        Its subclasses are not registered with it.
    flatten_func : callable
        Takes an object of this type. Returns a pair: the children, and the rest. The rest is what else is needed to
        rebuild the object, such as keys or options. It must be comparable.
    unflatten_func : callable
        Takes the rest and new children. Returns a new object. The children may be anything, so it must not check them.

    Raises
    ------
    ValueError
        If the type is already a container.

    Examples
    --------
    >>> from minigrad import grad, tree
    >>> class Line:
    ...     def __init__(self, w, b):
    ...         self.w, self.b = w, b
    >>> tree.register_pytree_node(Line, lambda line: ((line.w, line.b), None), lambda _, children: Line(*children))
    >>> gradient = grad(lambda line: line.w * 3.0 + line.b)(Line(1.0, 2.0))
    >>> gradient.w, gradient.b
    (3.0, 1.0)
    """
    _register(nodetype, flatten_func, unflatten_func, lambda _, i: FlattenedIndexKey(i))


def register_pytree_node_class(cls: type) -> type:
    """Register a class as a container by its methods ``tree_flatten`` and ``tree_unflatten``. It is a decorator.

    ``tree_flatten(self)`` returns the children and the rest. The class method ``tree_unflatten(rest, children)`` returns
    a new object. See `register_pytree_node`.
    """
    register_pytree_node(cls, cls.tree_flatten, cls.tree_unflatten)  # type: ignore[attr-defined]
    return cls


def register_dataclass(nodetype: type, data_fields: Sequence[str] | None = None, meta_fields: Sequence[str] | None = None) -> type:
    """Register a dataclass as a container. Its children are its data fields. Can be used as a decorator.

    Parameters
    ----------
    nodetype : type
    data_fields : sequence of str, optional
        The fields that hold parameters. By default, all except those declared with ``field(metadata={"static": True})``.
    meta_fields : sequence of str, optional
        The other fields, which stay as they are.

    Raises
    ------
    TypeError
        If `nodetype` is not a dataclass and no fields are given, or if only one of `data_fields` and `meta_fields` is
        given.
    ValueError
        If the dataclass has other fields than those given, or if the type is already a container.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> from minigrad import grad, tree
    >>> @tree.register_dataclass
    ... @dataclass
    ... class Power:
    ...     base: float
    ...     exponent: int = field(metadata={"static": True})
    >>> grad(lambda p: p.base ** p.exponent)(Power(2.0, 3))
    Power(base=12.0, exponent=3)
    """
    import dataclasses  # only here, because it takes a fiftieth of the time that importing NumPy takes

    fields = [f for f in dataclasses.fields(nodetype) if f.init] if dataclasses.is_dataclass(nodetype) else []
    if (data_fields is None) != (meta_fields is None):
        raise TypeError("data_fields and meta_fields are given together, or not at all")
    if data_fields is None or meta_fields is None:
        if not dataclasses.is_dataclass(nodetype):
            raise TypeError(f"{nodetype!r} is not a dataclass: its data_fields and meta_fields are needed")
        data_fields = [f.name for f in fields if not f.metadata.get("static", False)]
        meta_fields = [f.name for f in fields if f.metadata.get("static", False)]
    data, meta = tuple(data_fields), tuple(meta_fields)
    if set(data) & set(meta):
        raise ValueError(f"data_fields and meta_fields of {nodetype.__name__} both name {sorted(set(data) & set(meta))}")
    if fields and {f.name for f in fields} != {*data, *meta}:
        raise ValueError(f"{nodetype.__name__} has the fields {[f.name for f in fields]}, but given were {[*data, *meta]}")

    def split(tree: Any) -> tuple[list, tuple]:
        return [getattr(tree, name) for name in data], tuple(getattr(tree, name) for name in meta)

    def join(rest: tuple, children: Iterable) -> Any:
        return nodetype(**dict(zip(data, children)), **dict(zip(meta, rest)))

    _register(nodetype, split, join, lambda _, i: GetAttrKey(data[i]))
    return nodetype


def _register(nodetype: type, split: Callable, join: Callable, label: Callable) -> None:
    if not isinstance(nodetype, type):
        raise TypeError(f"only a type can be registered, and {nodetype!r} is not a type")
    if nodetype in containers:
        raise ValueError(f"{nodetype.__name__} is registered as a container already")

    def as_sequence(tree: Any) -> tuple[list, Any]:
        children, rest = split(tree)
        return list(children), (nodetype, rest)  # without the type, two types could have equal structures

    containers[nodetype] = Container(
        as_sequence, lambda rest, children: join(rest[1], tuple(children)), lambda rest, i: label(rest[1], i)
    )
