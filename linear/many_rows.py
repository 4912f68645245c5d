"""Fit more rows than memory holds, in two passes over the files, whatever the number of steps.

The mean squared error of a linear model depends on the rows only through their number n, the mean m of each column, and
the products of the columns around it. With Z for features and targets side by side, and R of a QR decomposition,

    Z - m = Q R,   so   (Z - m)ᵀ (Z - m) = Rᵀ R,

and R is a triangle that has a row for each column. Put the triangles of two parts one above the other, with one more row for
the distance of their means: the triangle of these rows is the triangle of both parts. This is a tree of small QR decompositions
(J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU factorizations",
SIAM J. Sci. Comput. 34, 2012; for the means, T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for
computing sample variances", 1979). R is as exact as if it came from all rows at once: the products, which would cost half of
the digits, are never formed.

So the first pass makes R. From it come a few rows that have the same loss as all rows, and the descent runs on these. At its
end, the second pass computes the loss and its gradient over all rows, with `minigrad.parts`, to check it all.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial, reduce
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from minigrad import parts

from .cells import DataError, counted, printable
from .data import Scale
from .large_files import Part, Rows, in_shapes
from .model import dmseloss, linear_model, mseloss
from .problem import Problem, vector
from .progress import Bar
from .reading import Data, check_features, check_range, check_size

SHOWN = 2000  # rows for the pictures
AGREES = 1e-9  # how far loss and gradient over all rows may be from what the triangle gives, in standardised units


class WorkerError(RuntimeError):
    """The processes that should do the work cannot be reached, or were lost."""


# ---- The triangle ---------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """All that the loss of a linear model needs to know of rows, and a little more for the report.

    Attributes
    ----------
    rows, left_out : int
        How many rows there are, and how many were left out.
    mean, rest : array of shape (columns,)
        The mean of each column, and what has to be added to it because the mean is rounded.
    low, high : array of shape (columns,)
        The smallest and the largest value of each column.
    triangle : array of shape (at most columns, columns)
        R of the QR decomposition of the rows, from which the mean is subtracted.
    shown : array of shape (some, columns)
        Some of the rows, for pictures.
    """

    rows: int
    left_out: int
    mean: np.ndarray
    rest: np.ndarray
    low: np.ndarray
    high: np.ndarray
    triangle: np.ndarray
    shown: np.ndarray


def moments_of(values: np.ndarray) -> Moments:
    """Return the moments of a few rows, which are all in memory.

    Examples
    --------
    >>> moments = moments_of(np.array([[1.0, 2.0], [3.0, 6.0]]))
    >>> print(moments.mean, np.abs(moments.triangle[0]))
    [2. 4.] [1.41421356 2.82842712]
    """
    if not len(values):
        nothing = np.zeros(values.shape[1])
        return Moments(0, 0, nothing, nothing, nothing, nothing, values, values)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers as large as that are refused later
        mean = values.mean(axis=0)
        low, high = values.min(axis=0), values.max(axis=0)
        mean = np.where(low == high, low, mean)  # so that a constant column becomes exactly 0
        away = values - mean
        rest = away.mean(axis=0)
        triangle: Any = np.linalg.qr(away - rest, mode="r")
        return Moments(len(values), 0, mean, rest, low, high, triangle, values[:0])


def joined(a: Moments, b: Moments) -> Moments:
    """Return the moments of the rows of both."""
    shown, left_out = np.vstack([a.shown, b.shown]), a.left_out + b.left_out
    if not a.rows or not b.rows:
        return (a if a.rows else b)._replace(left_out=left_out, shown=shown)
    rows = a.rows + b.rows
    with np.errstate(over="ignore", invalid="ignore"):
        way = b.mean - a.mean + (b.rest - a.rest)
        between = np.sqrt(a.rows / rows * b.rows) * way
        triangle: Any = np.linalg.qr(np.vstack([a.triangle, b.triangle, between]), mode="r")
        move = a.rest + b.rows / rows * way
        mean = a.mean + move
        rest = move - (mean - a.mean)
        low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
        return Moments(rows, left_out, mean, rest, low, high, triangle, shown)


def moments_over(some: Sequence[Part], shown: int) -> Moments:
    """Return the moments of parts. This is what a task does in the first pass: no more than one part is in memory."""
    parts.keep_memory()

    def of_part(part: Part) -> Moments:
        values, left_out = part.columns()
        blocks = [values[start : start + parts.BLOCK] for start in range(0, max(len(values), 1), parts.BLOCK)]
        few = values[:: -(-len(values) // shown) or 1].copy()
        return reduce(joined, map(moments_of, blocks))._replace(left_out=left_out, shown=few)

    return reduce(joined, map(of_part, some))


def stand_in(moments: Moments) -> tuple[np.ndarray, Scale]:
    """Return a few rows with the same mean squared error as all rows, in standardised units, and the scale of these units.

    There is one row more than columns. Multiplying the triangle by orthonormal columns does not change the products of
    its columns. If these are also orthogonal to a column of ones, each column of the result has the mean 0. At the end, what
    rounding took from the means is added.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(1000, 3))
    >>> z, scale = stand_in(moments_of(values))
    >>> z.shape, np.allclose(z.mean(axis=0), 0), np.allclose(z.std(axis=0), 1)
    ((4, 3), True, True)
    >>> np.allclose(np.cov(z.T, bias=True), np.corrcoef(values.T))
    True
    """
    triangle = moments.triangle
    columns = triangle.shape[1]
    is_constant = moments.low == moments.high
    lengths = np.where(is_constant, 1.0, np.linalg.norm(triangle, axis=0))
    few = np.zeros((columns, columns))
    few[: len(triangle)] = np.where(is_constant, 0.0, triangle / lengths)
    basis = np.linalg.qr(np.column_stack([np.ones(columns + 1), np.eye(columns + 1, columns)]))[0][:, 1:]
    spread = np.where(is_constant, 1.0, lengths / np.sqrt(moments.rows))
    return np.sqrt(columns + 1) * basis @ few + moments.rest / spread, Scale(moments.mean, spread)


# ---- The two passes -------------------------------------------------------------------------------------------------


class Workers(NamedTuple):
    """Who does the work: an executor for `minigrad.parts`, how many tasks so many parts become, and the words for it."""

    executor: Any
    tasks: Callable[[int], int]
    name: str


def first_pass(rows: Rows, workers: Workers) -> tuple[Problem, str]:
    """Make a problem of a few rows that has the same loss as all rows. Also return what to say about the pass."""
    shown = max(SHOWN // len(rows.parts), 1) if rows.parts else 1
    tasks = workers.tasks(len(rows.parts))
    began = time.perf_counter()
    with _progress(workers, len(rows.parts), lambda call: len(call[1])) as executor, _said_in_one_line():
        calls = [(moments_over, rows.parts[i::tasks], shown) for i in range(tasks)]
        moments = reduce(joined, parts.run(executor, None, calls)) if calls else None
    seconds = time.perf_counter() - began
    names, features = [*rows.choice.features, *rows.choice.targets], rows.choice.features
    check_size(rows.source, moments.rows if moments else 0, features)
    assert moments is not None
    check_range(rows.source, names, np.array([moments.low, moments.high]))
    z, scale = stand_in(moments)
    is_constant = moments.low == moments.high
    check_features(rows.source, np.where(is_constant, moments.low, z)[:, : len(features)], features, moments.rows)
    notes = list(rows.notes)
    if moments.left_out:
        whole = moments.rows + moments.left_out
        notes.append(f"left out {counted(moments.left_out, 'row')} of {whole:,} with missing values")
    targets = rows.choice.targets
    x, y = in_shapes(moments.shown, len(targets))
    data = Data(x, y, features, targets[0] if len(targets) == 1 else targets, rows.source, notes)
    (x, y), scales = in_shapes(z, len(targets)), [in_shapes(row[None], len(targets)) for row in scale]
    x_scale, y_scale = (Scale(*(pair[which][0] for pair in scales)) for which in (0, 1))
    made = f"{counted(len(rows.parts), 'part')} in {counted(len(calls), 'task')}, {workers.name}: {rows.size / 1e6:,.1f} MB"
    return Problem(data, x, y, x_scale, y_scale, n_rows=moments.rows), f"{made} in {seconds:.2f} s"


def second_pass(problem: Problem, theta: dict[str, Any], rows: Rows, workers: Workers) -> str:
    """Check loss and gradient over all rows against those of the few rows, and return what to say about it.

    Raises
    ------
    DataError
        If they are not the same.
    """
    loss = partial(standardised_loss, x_scale=problem.x_scale, y_scale=problem.y_scale)
    tasks = workers.tasks(len(rows.parts))
    began = time.perf_counter()
    with _progress(workers, len(rows.parts), lambda call: len(call[3])) as executor, _said_in_one_line():
        value, gradient = parts.value_and_grad(loss, executor, tasks)(theta, rows.parts)
    seconds = time.perf_counter() - began
    expected = problem.loss(theta)
    away = np.linalg.norm(vector(gradient) - vector(dmseloss(theta, linear_model, problem.x, problem.y)))
    off = abs(value - expected) / max(expected, 1.0)
    if not max(off, away) <= AGREES * max(1.0, float(np.linalg.norm(vector(theta)))):
        raise DataError(
            f"{rows.source}: the loss over all rows is {value:.12g}, and the first pass promised {expected:.12g} "
            f"(standardised units; the gradients differ by {away:.1e}); were the files changed meanwhile?"
        )
    return (
        f"{counted(tasks, 'task')}, {seconds:.2f} s. "
        f"Over all rows, minigrad finds the loss {value * problem.loss_unit:.10g}{problem.loss_note},\n"
        f"          and the gradient differs by {away:.1e} from the gradient in the descent"
    )


def standardised_loss(theta: Any, x: np.ndarray, y: np.ndarray, *, x_scale: Scale, y_scale: Scale) -> Any:
    """The mean squared error of rows in the units of the data, for parameters in standardised units."""
    return mseloss(theta, linear_model, (x - x_scale.center) / x_scale.spread, (y - y_scale.center) / y_scale.spread)


# ---- Who does the work ----------------------------------------------------------------------------------------------


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who does the work."""
    group = parser.add_argument_group("more than 100 MB, or files of NumPy (.npy): two passes over parts of the rows")
    choice = group.add_mutually_exclusive_group()
    processes = "work with N processes on this machine (default: in this one)"
    choice.add_argument("--jobs", metavar="N", type=_jobs, help=processes)
    cluster = "work with the Dask cluster of this scheduler, such as tcp://host:8786"
    choice.add_argument("--scheduler", metavar="ADDRESS", help=cluster)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


class Here:
    """An executor that does the work at once, in this process."""

    def submit(self, function: Callable, *args: Any) -> Future:
        future: Future = Future()
        future.set_result(function(*args))
        return future


@contextmanager
def workers_for(jobs: int | None, scheduler: str | None) -> Iterator[Workers]:
    """Start processes, or connect to a cluster, or do the work here."""
    if scheduler is not None:
        with _dask_client(scheduler) as client:
            threads = sum(client.nthreads().values())
            if not threads:
                raise WorkerError(f"--scheduler: {scheduler} has no workers")
            name = f"{counted(len(client.nthreads()), 'worker')} of {printable(scheduler)}"
            yield Workers(client.get_executor(pure=False), partial(_tasks, threads), name)
    elif jobs is not None:
        # The processes share the processors, so the linear algebra in each of them must not use all.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        with ProcessPoolExecutor(jobs, get_context("spawn"), _leave_interrupts_to_the_parent) as executor:
            with _interrupts_are_not_inherited():
                started = [executor.submit(os.getpid) for _ in range(jobs)]
            with _said_in_one_line():
                for future in started:  # it takes a second, which is not counted as time of the first pass
                    future.result()
            yield Workers(executor, partial(_tasks, jobs), "1 process" if jobs == 1 else f"{jobs} processes")
    else:
        yield Workers(Here(), lambda count: count, "in this process")


def _tasks(workers: int, count: int) -> int:
    """A few tasks for each worker, so that none waits long for the last."""
    return min(count, 8 * workers)


@contextmanager
def _interrupts_are_not_inherited() -> Iterator[None]:
    """Ctrl-C goes to all processes of a terminal. Those that are started here leave it to this one."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise WorkerError('--scheduler needs Dask: pip install "dask[distributed]"') from None
    try:
        return Client(address, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise WorkerError(f"--scheduler: no scheduler of Dask answers at {address} ({type(error).__name__})") from None


@contextmanager
def _said_in_one_line() -> Iterator[None]:
    """Turn the errors of executors and of `minigrad.parts` into one line."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except parts.PartError as error:
        raise DataError(str(error)) from None
    except Exception as error:
        is_of_a_file = isinstance(error, OSError) and error.filename is not None
        is_of_workers = type(error).__module__.split(".")[0] in ("distributed", "concurrent", "asyncio")
        if is_of_a_file or not (is_of_workers or isinstance(error, (OSError, ImportError))):
            raise
        raise WorkerError(f"the workers failed ({type(error).__name__}: {' '.join(str(error).split())})") from None


@contextmanager
def _progress(workers: Workers, total: int, parts_in: Callable[[tuple], int]) -> Iterator[Any]:
    """An executor that moves a bar when a call ends, by as many parts as are in the call."""
    bar = Bar(total, "parts")
    done = 0

    class Watched:
        def submit(self, *call: Any) -> Any:
            future = workers.executor.submit(*call)
            future.add_done_callback(lambda future: add(call))
            return future

    def add(call: tuple) -> None:
        nonlocal done
        if call[0] is not parts.check_is_mean:
            done += parts_in(call)
            bar.draw(done)

    try:
        yield Watched()
    finally:
        bar.clear()
