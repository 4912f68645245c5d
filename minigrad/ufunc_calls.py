"""Ufuncs that may write into a Tensor: ``np.add(a, b, out=t, where=mask)``, and ``np.add.at(t, i, u)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from . import memory, operands
from .inplace import filled, fitting, renew, writable
from .rules.indexing import replace, scatter
from .table import rule_of, ufunc_methods
from .tensor import Tensor, record


def update_at(ufunc: np.ufunc, t: Any, index: Any, *values: Any) -> None:
    """Do ``ufunc.at(t, index, *values)``. If the index names an element twice, the operation is applied to it twice."""
    if not isinstance(t, Tensor):
        raise NotImplementedError(
            f"np.{ufunc.__name__}.at would write a value that is being differentiated into a plain array, and drop its "
            f"derivative; write into np.zeros_like(x, shape=...), where x is being differentiated"
        )
    index, values = operands.admitted(index), operands.admitted(values)
    elements = np.arange(t.size).reshape(writable(t).shape)[index]
    spread = [np.broadcast_to(fitting(t, elements, value), elements.shape) for value in values]
    if ufunc in (np.add, np.subtract):
        renew(t, replace(t, ..., ufunc(t, scatter(spread, [index], t.shape))))
        return
    # If the index names an element twice, it has two turns. All first turns are done, then all second turns, and so on.
    where = elements.ravel()
    flat, spread, turns = t.ravel(), [operand.ravel() for operand in spread], _turns(where)
    for turn in range(turns.max(initial=-1) + 1):
        now = np.flatnonzero(turns == turn)
        flat = replace(flat, where[now], ufunc(flat[where[now]], *(operand[now] for operand in spread)))
    renew(t, flat.reshape(t.shape))


def call_ufunc(ufunc: np.ufunc, *inputs: Any, **options: Any) -> Any:
    """Do ``ufunc(*inputs, out=out, where=where, dtype=dtype)``.

    Where `where` is false, nothing is computed: these elements of `out` keep their values and their derivatives.

    Raises
    ------
    NotImplementedError
        If the result would have to be written into a plain array.
    """
    rule, inputs, options = rule_of(ufunc), operands.admitted(inputs), operands.admitted(options)
    out, where, dtype = options.get("out"), options.get("where", True), options.get("dtype")
    if options.keys() - {"out", "where", "dtype"} or ufunc.nout > 1 or ufunc.signature or not (rule.vjps or rule.constant):
        return record(rule, inputs, options)
    target = out[0] if isinstance(out, tuple) else out
    if target is not None and not isinstance(target, Tensor):
        raise NotImplementedError(
            f"the derivative of {rule.title} does not support out=a, nor a += t, for a plain array a, which cannot hold "
            f"a value that is being differentiated; write a = a + t, or begin with a = np.zeros_like(t)"
        )
    if dtype is not None:
        for x in inputs:
            if hasattr(x, "dtype") and not np.can_cast(x.dtype, dtype, "same_kind"):
                raise TypeError(f"{rule.title} with dtype={np.dtype(dtype)} cannot take a {x.dtype}")
        inputs = tuple(x.astype(dtype) if hasattr(x, "dtype") else x for x in inputs)
    if where is True:
        result = ufunc(*inputs)
        if target is None:
            return result
    else:
        mask = np.asarray(memory.undifferentiated(where), bool)
        shapes = [mask.shape, *map(np.shape, inputs), *([] if target is None else [target.shape])]
        mask = np.broadcast_to(mask, np.broadcast_shapes(*shapes))
        chosen = ufunc(*(np.broadcast_to(x, mask.shape)[mask] if np.shape(x) else x for x in inputs))
        if target is None:
            return replace(np.empty(mask.shape, chosen.dtype), mask, chosen)
        if mask.shape != target.shape:
            raise ValueError(f"non-broadcastable output operand with shape {target.shape} doesn't match {mask.shape}")
        result = replace(target, mask, chosen)
    return filled(target, result)


def _turns(numbers: ndarray) -> ndarray:
    """Return, for each number, how many times it has occurred before."""
    order = np.argsort(numbers, kind="stable")
    turns = np.empty_like(order)
    turns[order] = np.arange(order.size) - np.searchsorted(numbers, numbers[order], sorter=order)
    return turns


ufunc_methods.update({"__call__": call_ufunc, "at": update_at})
