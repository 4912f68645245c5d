"""The same loss over parts of the rows: for more rows than memory holds, or for several processors or machines.

A mean over rows is a weighted sum of the means over parts of the rows, and so is its gradient:

    loss = sum(n_i * loss_i) / sum(n_i),  where part i has n_i rows.

So no array has to hold all rows. A part gets the parameters, and gives back its number of rows, its loss and its gradient.
An executor can run the parts: threads, processes, or the workers of a cluster.

A part is computed in blocks of rows. So the intermediate results of a block can stay in the processor's cache.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .functions import check_callable, name_of, wraps
from .grad import value_and_grad as whole_value_and_grad

BLOCK = 32_768  # rows
PIECES = 97, 61  # the rows of the two pieces with which `check_is_mean` checks a loss
WHAT_TO_WRITE = (
    "Return a mean over rows, such as ((model(theta, x) - y) ** 2).mean(), and do what comes after it, such as a square "
    "root, with the value and the gradient of the whole"
)


class PartError(RuntimeError):
    """A part of the rows could not be read, or its loss could not be computed. The message names the part."""


class Sum(NamedTuple):
    """A sum over rows: how many rows, and the sums of their losses and gradients."""

    rows: int
    loss: Any
    gradient: Any  # a tree like theta

    def __add__(self, other: Sum) -> Sum:  # type: ignore[override]
        gradient = tree.map(lambda a, b: a + b, self.gradient, other.gradient)
        return Sum(self.rows + other.rows, self.loss + other.loss, gradient)


def value_and_grad(
    loss: Callable[..., Any], executor: Any = None, tasks: int | None = None, *, timeout: float | None = None
) -> Callable[[Any, Sequence[Any]], tuple[Any, Any]]:
    """Return the function that computes a loss and its gradient over parts of the rows.

    Parameters
    ----------
    loss : callable
        Called as ``loss(theta, *columns)``, where each column is an array of shape (rows, ...). It returns the mean over
        these rows, as a real number. Terms that depend on theta alone, such as a regulariser, may be added.
    executor : optional
        Anything with ``submit(function, *args)`` that returns an object with ``result()``: an executor of
        `concurrent.futures`, or ``Client(address).get_executor(pure=False)`` of Dask. Without one, the parts are
        worked on one after the other.
    tasks : int, optional
        How many calls are submitted in a step. The parts are dealt to them evenly. The default is the number of the
        executor's workers if it tells, otherwise 8. Theta is sent with each call, once.
    timeout : float, optional
        How many seconds a step may take with an executor. Without it, a step waits as long as the executor does. Dask
        pauses a worker whose memory is nearly full, and what was given to it may wait for ever.

    Returns
    -------
    callable
        Called as ``f(theta, parts)``, it returns the loss and the gradient, a tree like theta. A part is a tuple of arrays
        with equal numbers of rows, or a function without arguments that reads one and returns it. With an executor of
        processes, loss and parts are pickled: use functions of a module, and `functools.partial`.

    Raises
    ------
    TypeError
        If `loss` is not callable, if `executor` has no ``submit``, or if a part is neither a tuple nor a function.
    ValueError
        If `tasks` is not positive, if there are no rows, or, before the first step, if the loss is not a mean over rows.
    PartError
        In a step, if a part cannot be read, if its arrays have unequal numbers of rows, or if its loss or gradient is
        NaN or infinite.
    TimeoutError
        If a step takes longer than `timeout`.

    Notes
    -----
    The sums are taken in float64 (complex128), in the order of the parts for each task, and then in the order of the tasks.
    So a step gives the same bits again for the same parts and number of tasks, whichever worker does what.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import parts
    >>> def loss(theta, x, y):
    ...     return ((theta['w'] * x + theta['b'] - y) ** 2).mean()
    >>> x = np.arange(6.0)
    >>> f = parts.value_and_grad(loss)
    >>> f({'w': 1.0, 'b': 0.0}, [(x[:4], 2 * x[:4]), (x[4:], 2 * x[4:])])
    (9.166666666666666, {'b': -5.0, 'w': -18.333333333333332})
    """
    check_callable(loss)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(f"an executor must have a method submit, as in concurrent.futures, and {executor!r} does not have it")
    if tasks is None:
        tasks = getattr(executor, "_max_workers", 8)
    elif tasks < 1:
        raise ValueError(f"tasks must be 1 or more, got {tasks}")
    is_checked = False

    @wraps(loss, "Compute {fun} and its gradient over parts of the rows.")
    def value_and_gradient(theta: Any, parts: Sequence) -> tuple[Any, Any]:
        nonlocal is_checked
        parts = list(parts)
        if not parts:
            raise ValueError("there are no parts")
        numbers, count = range(len(parts)), 1 if executor is None else min(tasks, len(parts))
        if not is_checked:
            run(executor, timeout, [(check_is_mean, loss, theta, parts[0], parts[-1], len(parts) - 1)])
        dealt = [(sum_over, loss, theta, parts[i::count], numbers[i::count]) for i in range(count)]
        results = run(executor, timeout, dealt)
        is_checked = True
        return mean(add_up(results), theta)

    return value_and_gradient


# ---- What a task does -----------------------------------------------------------------------------------------------


def sum_over(loss: Callable, theta: Any, parts: Sequence, numbers: Sequence[int]) -> Sum:
    """Return the sum over several parts. No more than one of them is in memory. `numbers` numbers the parts, for errors."""
    keep_memory()
    value_and_gradient = whole_value_and_grad(loss)
    return add_up([sum_over_part(value_and_gradient, theta, part, number) for part, number in zip(parts, numbers)])


def sum_over_part(value_and_gradient: Callable, theta: Any, part: Any, number: int) -> Sum:
    columns = read(part, number)
    rows = len(columns[0])
    try:
        total = add_up([
            sum_over_block(value_and_gradient, theta, [column[start : start + BLOCK] for column in columns])
            for start in range(0, rows, BLOCK)
        ])
    except Exception as error:
        raise part_error(part, number, error) from error
    for name, value in [("loss", total.loss), *(("gradient", leaf) for leaf in tree.leaves(total.gradient))]:
        if not np.all(np.isfinite(value)):
            bad = next((i for i, column in enumerate(columns) if not is_finite(column)), None)
            where = "" if bad is None else f": there is a NaN or an infinity in array number {bad} of the part"
            raise part_error(part, number, f"its {name} is {'NaN' if np.any(np.isnan(value)) else 'infinite'}{where}")
    return total


def sum_over_block(value_and_gradient: Callable, theta: Any, columns: Sequence) -> Sum:
    value, gradient = value_and_gradient(theta, *columns)
    rows = np.float64(len(columns[0]))  # so that sums of float32 are taken in float64
    return Sum(len(columns[0]), rows * value, tree.map(lambda leaf: rows * leaf, gradient))


def add_up(sums: list[Sum]) -> Sum:
    """Return the sum of sums over different rows. A sum without rows has no gradient, and is left out."""
    total, *others = [one for one in sums if one.rows] or [Sum(0, 0.0, ())]
    for other in others:
        total = total + other
    return total


def mean(total: Sum, theta: Any) -> tuple[Any, Any]:
    """Return the mean loss and its gradient, whose leaves have the types and dtypes of theta's leaves."""
    if not total.rows:
        raise ValueError("the parts have no rows")

    def of_leaf(leaf: Any, g: Any) -> Any:
        g = g / total.rows
        return g.astype(leaf.dtype) if hasattr(leaf, "dtype") else g.item()

    return (total.loss / total.rows).item(), tree.map(of_leaf, theta, total.gradient)


@cache
def keep_memory() -> None:
    """Make glibc keep freed memory for later arrays, also in the workers of Dask.

    In an ordinary process, `minigrad.fast.prime_allocator` does this. But Dask starts its workers with the environment
    variable MALLOC_TRIM_THRESHOLD_. Then glibc no longer raises its thresholds, and most of a step would be spent waiting
    for pages. So this function sets the thresholds.
    """
    if os.environ.get("MINIGRAD_PRIME_ALLOCATOR") == "0" or "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # without glibc
        return
    mallopt(-3, 64 << 20)  # M_MMAP_THRESHOLD, in malloc.h
    mallopt(-1, 128 << 20)  # M_TRIM_THRESHOLD


# ---- Reading and checking -------------------------------------------------------------------------------------------


def read(part: Any, number: int) -> tuple:
    """Return the arrays of a part."""
    try:
        columns = part() if callable(part) else part
    except Exception as error:
        raise part_error(part, number, error) from error
    if not isinstance(columns, (tuple, list)) or not columns:
        wanted = "a part is a tuple of arrays, or a function without arguments that returns one"
        raise TypeError(f"{wanted}; part {number}{' returned' if callable(part) else ' is'} a {type(columns).__name__}")
    shapes = [np.shape(column) for column in columns]
    if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        raise part_error(part, number, f"its arrays must have equal numbers of rows, and their shapes are {shapes}")
    return tuple(column if hasattr(column, "shape") else np.asarray(column) for column in columns)


def part_error(part: Any, number: int, problem: Any) -> PartError:
    if isinstance(problem, Exception):
        problem = f"{type(problem).__name__}: {problem}"
    name = f", {described(part)}" if callable(part) else ""
    return PartError(f"part {number}{name}: {problem}")


def described(part: Callable) -> str:
    """Return a call as one would write it, such as ``read('part-3.npy')``. An object that can be called has a repr."""
    if not hasattr(part, "func") and not hasattr(part, "__name__"):
        return repr(part)
    args, keywords = getattr(part, "args", ()), getattr(part, "keywords", {})
    given = [*map(repr, args), *(f"{name}={value!r}" for name, value in keywords.items())]
    text = f"{name_of(getattr(part, 'func', part))}({', '.join(given)})"
    return text if len(text) <= 200 else text[:197] + "..."


def is_finite(column: Any) -> bool:
    return np.asarray(column).dtype.kind not in "fc" or bool(np.all(np.isfinite(column)))


def check_is_mean(loss: Callable, theta: Any, first: Any, last: Any, number_of_last: int) -> None:
    """Raise if a loss is not a mean over rows: if the loss of two pieces together is not the mean of their losses.

    The pieces are the first rows of the first part, and the last rows of the last.
    """
    a = tuple(column[: PIECES[0]].copy() for column in read(first, 0))
    b = tuple(column[-PIECES[1] :].copy() for column in read(last, number_of_last))
    if not len(a[0]) or not len(b[0]):
        return
    value_and_gradient = whole_value_and_grad(loss)
    apart = add_up([sum_over_block(value_and_gradient, theta, piece) for piece in (a, b)])
    together = sum_over_block(value_and_gradient, theta, [np.concatenate(columns) for columns in zip(a, b)])
    pairs = list(zip(tree.leaves(tuple(together)), tree.leaves(tuple(apart))))
    dtypes = [np.asarray(array).dtype for array in (*tree.leaves(theta), *a)]
    tolerance = max(np.finfo(dtype).eps for dtype in dtypes if dtype.kind in "fc") ** 0.5  # half of the digits
    scale = max(np.max(np.abs(one), initial=0.0) for one, _ in pairs[1:])
    for one, other in pairs:
        if not np.allclose(one, other, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            raise ValueError(
                f"the loss of two pieces of the data together is {together.loss / together.rows:.6g}, and the mean of their "
                f"losses is {apart.loss / apart.rows:.6g}, or their gradients differ so: only a mean over rows can be computed "
                f"in parts. {WHAT_TO_WRITE}"
            )


# ---- The executor ---------------------------------------------------------------------------------------------------


def run(executor: Any, timeout: float | None, calls: list[tuple]) -> list:
    """Submit the calls, and return their results. If one fails, or if time is up, the others are cancelled.

    Without an executor, make the calls here.
    """
    if executor is None:
        return [function(*args) for function, *args in calls]
    end = None if timeout is None else time.monotonic() + timeout
    futures = [executor.submit(*call) for call in calls]
    try:
        return [future.result(*[] if end is None else [max(end - time.monotonic(), 0.0)]) for future in futures]
    except TimeoutError:
        raise TimeoutError(
            f"a step over parts took longer than {timeout} seconds: a worker may be paused, or its memory too small for a part"
        ) from None
    finally:
        for future in futures:
            getattr(future, "cancel", bool)()
