"""How the contract with JAX is tested: tables of rows, each a piece of code that runs with JAX and with minigrad.

A row is ``same("A2.1", lambda m: m.grad(lambda x, y: x * y, argnums=1)(2.0, 3.0))``. The code gets an engine, `m`: the
functions of the family under their names, ``m.np`` (`numpy`, or `jax.numpy`) and ``m.tree``. Either both sides return
the same (structure, types of containers, shapes, dtypes, values), or both raise an error of the same family; a piece
of the message that both must have can be given. The number is that of the row in the description of JAX's behaviour.

Where minigrad differs on purpose, the row is ``differs("A2.10", code, ValueError)`` with what minigrad does instead:
an exception, or a value. Such a row asserts that JAX does something else, so that it is not kept longer than needed.
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any, Callable, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minigrad
from minigrad import tree

jax.config.update("jax_enable_x64", True)

FAMILY = "grad value_and_grad vjp jvp linearize jacrev jacfwd jacobian hessian checkpoint custom_vjp".split()
JAX = SimpleNamespace(
    name="JAX", np=jnp, tree=jax.tree, stop_gradient=jax.lax.stop_gradient, float0=jax.dtypes.float0,
    register_pytree_node=jax.tree_util.register_pytree_node,
    register_pytree_node_class=jax.tree_util.register_pytree_node_class,
    register_dataclass=jax.tree_util.register_dataclass,
    **{name: getattr(jax, name) for name in FAMILY},
)
MINIGRAD = SimpleNamespace(
    name="minigrad", np=np, tree=tree, stop_gradient=minigrad.stop_gradient, float0=getattr(minigrad, "float0", None),
    register_pytree_node=getattr(tree, "register_pytree_node", None),
    register_pytree_node_class=getattr(tree, "register_pytree_node_class", None),
    register_dataclass=getattr(tree, "register_dataclass", None),
    **{name: getattr(minigrad, name, None) for name in FAMILY},
)


class Row(NamedTuple):
    """One row: see `same` and `differs`."""

    number: str
    code: Callable[[Any], Any]
    message: str | None
    instead: Any
    rtol: float


class _SAME:
    pass


def same(number: str, code: Callable[[Any], Any], message: str | None = None, rtol: float = 1e-13) -> Row:
    """A row on which both sides agree. `message` is a piece of the error's text in both."""
    return Row(number, code, message, _SAME, rtol)


def differs(number: str, code: Callable[[Any], Any], instead: Any, message: str | None = None, rtol: float = 1e-13) -> Row:
    """A row on which minigrad differs on purpose: it raises `instead` (with that message), or returns it."""
    return Row(number, code, message, instead, rtol)


def rows(*table: Row) -> pytest.MarkDecorator:
    """Run a test once for each row."""
    numbers = [row.number for row in table]
    assert len(set(numbers)) == len(numbers), "a number twice"
    return pytest.mark.parametrize("row", table, ids=numbers)


def check(row: Row) -> None:
    """Run a row with both sides, and compare."""
    ours, theirs = _outcome(row.code, MINIGRAD), _outcome(row.code, JAX)
    if row.instead is _SAME:
        _compare(ours, theirs, row)
        return
    expected = row.instead
    if isinstance(expected, type) and issubclass(expected, BaseException):
        assert isinstance(ours, expected), f"{ours!r} in place of {expected}"
        assert row.message is None or row.message in str(ours), str(ours)
    else:
        assert row.message is None, "a message, but no exception"
        _compare(ours, expected, row)
    with pytest.raises(AssertionError):  # else it is no difference
        _compare(ours, theirs, row)


def _outcome(code: Callable[[Any], Any], side: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return code(side)
        except Exception as error:
            return error


def _compare(ours: Any, theirs: Any, row: Row) -> None:
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert isinstance(ours, Exception) and isinstance(theirs, Exception), f"{ours!r} and {theirs!r}"
        family = _family(theirs)
        assert row.message or family not in (AttributeError, NameError), f"a slip in the row? {theirs!r}"
        assert isinstance(ours, family), f"{ours!r} is no {family.__name__}, as {theirs!r} is"
        if row.message is not None:
            assert row.message in str(ours), f"{row.message!r} is not in {str(ours)!r}"
            assert row.instead is not _SAME or row.message in str(theirs), f"{row.message!r} is not in {str(theirs)!r}"
        return
    _compare_values(ours, theirs, row.rtol, "")


def _family(error: Exception) -> type:
    """The built-in exception type that an exception is, whatever its library calls it."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


def _compare_values(ours: Any, theirs: Any, rtol: float, where: str) -> None:
    """Hold a result against JAX's: containers by type and contents, arrays and numbers by shape, dtype and elements."""
    assert not isinstance(ours, minigrad.Tensor), f"a Tensor leaked {where}"
    if isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs), f"{type(ours)} and {type(theirs)} {where}"
        assert len(ours) == len(theirs), f"lengths {len(ours)} and {len(theirs)} {where}"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            _compare_values(a, b, rtol, f"{where}[{i}]")
    elif isinstance(theirs, dict):
        assert type(ours) is type(theirs), f"{type(ours)} and {type(theirs)} {where}"
        assert list(ours) == list(theirs), f"keys {list(ours)} and {list(theirs)} {where}"
        for key in theirs:
            _compare_values(ours[key], theirs[key], rtol, f"{where}[{key!r}]")
    elif isinstance(theirs, (jax.Array, np.ndarray, np.generic, float, complex)) and not isinstance(ours, (str, type(None), list, tuple, dict)):
        a, b = np.asarray(ours), np.asarray(theirs)
        assert a.shape == b.shape, f"shapes {a.shape} and {b.shape} {where}"
        assert a.dtype == b.dtype, f"dtypes {a.dtype} and {b.dtype} {where}"
        if a.dtype.kind in "fc":
            np.testing.assert_allclose(a, b, rtol=max(rtol, 4 * np.finfo(a.dtype).eps), atol=0, err_msg=where)
        elif a.dtype.kind != "V":
            np.testing.assert_array_equal(a, b, err_msg=where)
    else:
        assert type(ours) is type(theirs), f"{ours!r} and {theirs!r} {where}"
        if type(theirs).__eq__ is not object.__eq__:
            assert ours == theirs, f"{ours!r} and {theirs!r} {where}"
