"""Measure losses over parts of the rows (minigrad.parts) on two worker processes, against the same step written by hand.

Run it by hand, on a machine that does nothing else. It writes 0.8 GB to a folder for temporary files, and removes them. It
needs Dask, pyarrow and scipy: pip install ".[test]". Most results are ratios of two times of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, NoReturn

import numpy as np

from minigrad import parts, tree, value_and_grad

EXAMPLE = "example:  python examples/parts_benchmark.py --rows 400000 --measure tasks lost"
README = Path(__file__).parents[1] / "linear" / "README.md"
PICTURE = README.with_name("parts.png")
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0])
THETA = {"w": np.zeros(4), "b": 0.0}
FILES = 40


class Result(NamedTuple):
    """A line of the table: what was measured, the result in words, the number, and the most that it may be."""

    what: str
    text: str
    number: float
    limit: float

    def line(self) -> str:
        missed = "" if self.number <= self.limit else " (**missed**)"
        return f"| {self.what} | {self.text}{missed} | {self.limit:g} |"


# ---- Losses, and the data -------------------------------------------------------------------------------------------


def linear(theta: Any, x: Any, y: Any) -> Any:
    """The mean squared error of a linear model."""
    return ((x @ theta["w"] + theta["b"] - y) ** 2).mean()


def logistic(theta: Any, x: Any, y: Any) -> Any:
    """Logistic regression: is y greater than 0?"""
    z = x @ theta["w"] + theta["b"]
    return np.mean(np.logaddexp(0.0, z) - (y > 0) * z)


def ridge(theta: Any, x: Any, y: Any) -> Any:
    """The linear model, with a price for large weights."""
    return linear(theta, x, y) + 0.1 * np.sum(theta["w"] ** 2)


def huber(theta: Any, x: Any, y: Any) -> Any:
    """Squares near the line, and straight further away."""
    away = np.abs(x @ theta["w"] + theta["b"] - y)
    return np.mean(np.where(away < 1, away**2 / 2, away - 0.5))


def network(theta: Any, x: Any, y: Any) -> Any:
    """A network with a hidden layer of 8 units."""
    return ((np.tanh(x @ theta["W"] + theta["b"]) @ theta["v"] + theta["c"] - y) ** 2).mean()


def network_start() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"W": rng.normal(size=(4, 8)), "b": np.zeros(8), "v": rng.normal(size=8), "c": 0.0}


def linear_by_hand(theta: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Value and gradient of `linear`, worked out on paper."""
    r = x @ theta["w"] + theta["b"] - y
    return (r**2).mean(), {"w": 2 / len(y) * (r @ x), "b": 2 * r.mean()}


def network_by_hand(theta: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Value and gradient of `network`."""
    h = np.tanh(x @ theta["W"] + theta["b"])
    r = h @ theta["v"] + theta["c"] - y
    g = 2 / len(y) * r
    ga = g[:, None] * theta["v"] * (1 - h**2)
    return (r**2).mean(), {"W": x.T @ ga, "b": ga.sum(axis=0), "v": g @ h, "c": g.sum()}


MEANS = {
    "linear": (linear, THETA),
    "logistic": (logistic, THETA),
    "network": (network, network_start()),
    "ridge": (ridge, THETA),
    "Huber": (huber, THETA),
}
NO_MEANS: dict[str, Callable] = {
    "root": lambda theta, x, y: np.sqrt(linear(theta, x, y)),
    "sum": lambda theta, x, y: linear(theta, x, y) * len(y),
    "largest": lambda theta, x, y: np.max(np.abs(x @ theta["w"] - y)),
    "normalised by the batch": lambda theta, x, y: linear(theta, (x - x.mean(0)) / x.std(0), y),
}


def make(rows: int, seed: int = 0) -> np.ndarray:
    """Rows of four features and a target."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 5))
    table[:, 4] += table[:, :4] @ WEIGHTS + 1
    return table


def write(folder: Path, rows: int, files: int) -> list[str]:
    """Write so many rows into so many .npy files."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"part-{i:03}.npy" for i in range(files)]
    for i, path in enumerate(paths):
        np.save(path, make(rows * (i + 1) // files - rows * i // files, i))
    return list(map(str, paths))


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a part from an .npy file."""
    table = np.load(path)
    return table[:, :4], table[:, 4]


def read_parquet(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a part from a Parquet file, column by column, so that no second copy of it is in memory."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
        table = np.empty((file.metadata.num_rows, 5))
        for i in range(5):
            table[:, i] = file.read(columns=[f"c{i}"], use_threads=False)[0].to_numpy()
    return table[:, :4], table[:, 4]


def whole(paths: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read all parts into arrays in memory."""
    x, y = zip(*map(read, paths))
    return np.concatenate(x), np.concatenate(y)


# ---- Measuring ------------------------------------------------------------------------------------------------------


def seconds(call: Callable, times: int) -> float:
    """Return the median time of a call. What the first call prepares is not counted."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)


@contextmanager
def cluster(limit: str = "300MB") -> Iterator[Any]:
    """Two worker processes of Dask with so much memory each."""
    import logging

    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # workers are killed on purpose
    options = {"memory_limit": limit, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    # A result may be in a worker that is killed. The scheduler then tries for 30 seconds to reach it, unless this is set.
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
        with LocalCluster(n_workers=2, threads_per_worker=1, **options) as workers, Client(workers) as client:
            yield client


def on(client: Any, loss: Callable, tasks: int = 8) -> Callable:
    """The loss over parts on the workers."""
    return parts.value_and_grad(loss, client.get_executor(pure=False), tasks, timeout=600)


def most_memory() -> float:
    """The most memory that this process has had, in MB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1000


def far(one: Any, other: Any) -> float:
    """The largest relative difference between two results."""
    pairs = zip(tree.leaves(one), tree.leaves(other))
    return max(float(np.max(np.abs(np.subtract(a, b)) / np.maximum(np.abs(b), 1))) for a, b in pairs)


def measure_means(folder: Path, rows: int) -> Iterator[Result]:
    """Parts against whole arrays, and losses that are not means."""
    x, y = make(100_000)[:, :4], make(100_000)[:, 4]
    worst = 0.0
    with cluster() as client:
        for loss, theta in MEANS.values():
            expected = value_and_grad(loss)(theta, x, y)
            for count in (1, 4, 32, 256):
                cuts = np.sort(np.random.default_rng(count).integers(0, len(y), count - 1))
                pieces = list(zip(np.split(x, cuts), np.split(y, cuts)))
                worst = max(worst, far(on(client, loss)(theta, pieces), expected))
        what = f"{len(MEANS)} losses over 1 to 256 unequal parts: difference from whole arrays"
        yield Result(what, f"{worst:.0e}", worst, 1e-12)
        accepted = []
        for name, loss in NO_MEANS.items():
            try:
                on(client, loss)(THETA, [(x[:50_000], y[:50_000]), (x[50_000:], y[50_000:])])
                accepted.append(name)
            except ValueError:
                pass
    text = f"{len(accepted)} of {len(NO_MEANS)}"
    yield Result("losses that are not means, and are not refused", text, len(accepted), 0)


def measure_tasks(folder: Path, rows: int) -> Iterator[Result]:
    """Few and many parts, and dask.array."""
    import dask
    import dask.array as da

    few, many = (write(folder / f"{count}-parts", min(rows, 1_000_000), count) for count in (4, 256))
    with cluster() as client:
        calls = []

        class Counting:
            def __init__(self) -> None:
                self.executor = client.get_executor(pure=False)

            def submit(self, *call: Any) -> Any:
                calls.append(call[0])
                return self.executor.submit(*call)

        counts, times = [], []
        for paths in (few, many):
            f = parts.value_and_grad(linear, Counting(), 4, timeout=600)
            files = [partial(read, path) for path in paths]
            times.append(seconds(lambda: f(THETA, files), 10))
            calls.clear()
            f(THETA, files)
            counts.append(len(calls))
        tables = [da.from_delayed(dask.delayed(np.load)(path), np.load(path, mmap_mode="r").shape, float) for path in many]
        table = da.concatenate(tables)

        def step() -> None:
            r = table[:, :4] @ THETA["w"] + THETA["b"] - table[:, 4]
            dask.compute((r**2).mean(), 2 / len(table) * (r @ table[:, :4]), 2 * r.mean())

        by_dask = seconds(step, 3)
    yield Result("calls in a step with 4 tasks, over 4 and over 256 parts", f"{counts[0]} and {counts[1]}", max(counts), 4)
    text = f"{1000 * times[0]:.0f} and {1000 * times[1]:.0f} ms, ratio {times[1] / times[0]:.1f}"
    yield Result("a step over 4 and over 256 parts", text, times[1] / times[0], 3)
    text = f"{1000 * by_dask:.0f} ms, {by_dask / times[1]:.0f} times as long"
    yield Result("by hand on a dask.array of 256 chunks; parts take this share", text, times[1] / by_dask, 0.1)


def measure_size(folder: Path, rows: int) -> Iterator[Result]:
    """All rows, with little memory."""
    paths = write(folder / "all", rows, FILES)
    x, y = whole(paths)
    by_hand = seconds(lambda: linear_by_hand(THETA, x, y), 5)
    del x, y
    yield from measure_in_workers([partial(read, path) for path in paths], ".npy", "300MB", 150, 4, by_hand)
    import pyarrow
    import pyarrow.parquet

    columns = folder / "parquet"
    columns.mkdir()
    for path in paths:
        table = np.load(path)
        arrays = {f"c{i}": table[:, i] for i in range(5)}
        pyarrow.parquet.write_table(pyarrow.table(arrays), columns / f"{Path(path).stem}.parquet")
    files = [partial(read_parquet, str(path)) for path in sorted(columns.iterdir())]
    yield from measure_in_workers(files, "Parquet", "400MB", 300, 8, by_hand)


def measure_in_workers(
    files: list[Callable], kind: str, limit: str, memory: int, ratio: float, by_hand: float
) -> Iterator[Result]:
    """20 steps over files in workers with so much memory."""
    with cluster(limit) as client:
        before = set(client.run(os.getpid).values())
        f, theta = on(client, linear), THETA

        def step() -> None:
            nonlocal theta
            _, gradient = f(theta, files)
            theta = {name: theta[name] - 0.1 * gradient[name] for name in theta}

        taken = seconds(step, 20)
        most = max(client.run(most_memory).values())
        replaced = len(before - set(client.run(os.getpid).values()))
    yield Result(f"{kind}, workers limited to {limit}: MB in a worker", f"{most:.0f} MB", most, memory)
    yield Result(f"{kind}: workers that were replaced in 20 steps", str(replaced), replaced, 0)
    text = f"{taken:.2f} s against {by_hand:.2f} s, ratio {taken / by_hand:.2f}"
    yield Result(f"{kind}: a step against NumPy by hand on arrays in memory", text, taken / by_hand, ratio)


def measure_processor(folder: Path, rows: int) -> Iterator[Result]:
    """What Dask's environment costs, and one process with parts against whole arrays."""
    other = partial(in_process, rows)
    usual, in_dask = other("parts"), other("parts", MALLOC_TRIM_THRESHOLD_="65536")
    without = other("parts", MALLOC_TRIM_THRESHOLD_="65536", MINIGRAD_PRIME_ALLOCATOR="0")
    text = f"{in_dask / usual:.2f} (without the setting {without / usual:.1f})"
    yield Result("processor time with Dask's environment against without", text, in_dask / usual, 1.5)
    for name, limit in (("linear", 1.3), ("network", 0.8)):
        by_hand, by_parts = other(name)
        text = f"{by_parts:.3f} s against {by_hand:.3f} s, ratio {by_parts / by_hand:.2f}"
        yield Result(f"one process, {name}: parts against the step by hand on whole arrays", text, by_parts / by_hand, limit)


def in_process(rows: int, what: str, **variables: str) -> Any:
    """Measure in a process of its own, with one thread."""
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_TRIM_THRESHOLD_"}
    environment |= {"OMP_NUM_THREADS": "1"} | variables
    command = [sys.executable, __file__, "--worker", what, "--rows", str(rows)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def work(what: str, rows: int) -> Any:
    """Do the work of that process. If it is the path of a folder, measure the memory of a step over its files."""
    if os.path.isabs(what):
        files = [partial(read, str(path)) for path in sorted(Path(what).iterdir())]
        parts.value_and_grad(linear)(THETA, files)
        over_parts = most_memory()
        value_and_grad(linear)(THETA, *whole([str(part.args[0]) for part in files]))
        return over_parts, most_memory()
    if what == "parts":
        table = make(min(rows, 2_000_000))
        f, part = parts.value_and_grad(linear), [(table[:, :4], table[:, 4])]
        f(THETA, part)
        start = time.process_time()
        for _ in range(10):
            f(THETA, part)
        return time.process_time() - start
    table = make(min(rows, 5_000_000))
    x, y = np.ascontiguousarray(table[:, :4]), np.ascontiguousarray(table[:, 4])
    cases = {"linear": (linear, linear_by_hand, THETA), "network": (network, network_by_hand, network_start())}
    loss, by_hand, theta = cases[what]
    np.empty(16_000_000, np.uint8)  # glibc then keeps memory for both alike
    f = parts.value_and_grad(loss)
    return seconds(lambda: by_hand(theta, x, y), 5), seconds(lambda: f(theta, [(x, y)]), 5)


def kill(count: int, client: Any) -> Callable[[], None]:
    """Return what kills so many workers, as the system does when memory is short."""
    pids = list(client.run(os.getpid).values())[:count]
    return lambda: [os.kill(pid, signal.SIGKILL) for pid in pids] and None


def take_away(client: Any) -> Callable[[], None]:
    """Return what takes away a worker in good order."""
    return partial(client.retire_workers, list(client.scheduler_info()["workers"])[:1])


LOST: dict[str, Callable[[Any], Callable[[], None]]] = {
    "one worker is killed": partial(kill, 1),
    "both workers are killed": partial(kill, 2),
    "one worker is taken away": take_away,
}


def measure_lost(folder: Path, rows: int) -> Iterator[Result]:
    """Workers that are lost in the middle of a step."""
    files = [partial(read, path) for path in write(folder / "all", rows, FILES)]
    for what, lose in LOST.items():
        with cluster() as client:
            f = on(client, linear)
            usual = seconds(lambda: f(THETA, files), 3)
            expected = f(THETA, files)
            timer = threading.Timer(0.4 * usual, lose(client))
            start = time.perf_counter()
            timer.start()
            found = f(THETA, files)
            taken = time.perf_counter() - start
            timer.join()
        same = all(map(np.array_equal, tree.leaves(found), tree.leaves(expected)))
        text = f"{taken:.1f} s (otherwise {usual:.1f} s), {'the same bits' if same else '**other bits**'}"
        yield Result(f"{what} in the middle of a step: seconds for that step", text, taken if same else np.inf, 5)


def measure_lbfgs(folder: Path, rows: int) -> Iterator[Result]:
    """How many passes L-BFGS takes."""
    from scipy.optimize import minimize

    files = [partial(read, path) for path in write(folder / "all", rows, FILES)]
    for loss, limit in ((linear, 15), (logistic, 18)):
        found = []
        for loses in (False, True):
            with cluster() as client:
                f, passes = on(client, loss), 0
                lose = threading.Timer(0.1, kill(1, client))

                def of_vector(p: np.ndarray) -> tuple[float, np.ndarray]:
                    nonlocal passes
                    passes += 1
                    if loses and passes == 2:
                        lose.start()
                    value, gradient = f({"w": p[:4], "b": p[4]}, files)
                    return value, np.append(gradient["w"], gradient["b"])

                result = minimize(of_vector, np.zeros(5), jac=True, method="L-BFGS-B")
                found.append((passes, result.x))
                if loses:
                    lose.join()
        same = np.array_equal(found[0][1], found[1][1])
        text = f"{found[0][0]} passes; with a worker killed {found[1][0]}, {'the same bits' if same else '**other bits**'}"
        most = max(passes for passes, _ in found)
        yield Result(f"L-BFGS, {loss.__name__} model: passes over all rows", text, most if same else np.inf, limit)


def measure_demo(folder: Path, rows: int) -> Iterator[Result]:
    """The demo, against least squares on all rows."""
    paths = write(folder / "all", rows, FILES)
    x, y = whole(paths)
    exact = np.linalg.lstsq(np.column_stack([x, np.ones(len(y))]), y)[0]
    del x, y
    command = [sys.executable, "-m", "linear", *paths, "--jobs", "2", "--no-pictures", "--steps", "3000"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    passes = re.findall(r"^Pass \d .* (\d+\.\d+) s", output, re.MULTILINE)
    table = output.split("The result")[1]
    lines = re.findall(r"^  (?:slope of c\d|intercept) +\S+ +(\S+)$", table, re.MULTILINE)
    away = far(np.array(lines, dtype=float), exact)
    text = f"{away:.0e}; passes {' and '.join(passes)} s"
    yield Result("python -m linear --jobs 2: coefficients against lstsq on all rows", text, away, 1e-10)


MEASURES: dict[str, Callable[[Path, int], Iterator[Result]]] = {
    "means": measure_means,
    "tasks": measure_tasks,
    "size": measure_size,
    "processor": measure_processor,
    "lost": measure_lost,
    "lbfgs": measure_lbfgs,
    "demo": measure_demo,
}

# ---- The picture ----------------------------------------------------------------------------------------------------


def draw(folder: Path, rows: int, file: Path) -> None:
    """Draw time and memory of a step against the rows: whole arrays, parts in one process, and parts on two workers."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = [n for n in (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000) if n < rows] + [rows]
    times: dict[str, list[float]] = {
        "whole arrays in memory, by hand": [],
        "whole arrays in memory, minigrad": [],
        "parts from files, one process": [],
        "parts from files, two workers": [],
    }
    memory = []
    with cluster() as client:
        for size in sizes:
            paths = write(folder / f"rows-{size}", size, max(2, size * FILES // rows))
            files = [partial(read, path) for path in paths]
            x, y = whole(paths)
            repeat = 10 if size <= 1_000_000 else 3
            calls: list[Callable] = [
                lambda: linear_by_hand(THETA, x, y),
                partial(value_and_grad(linear), THETA, x, y),
                partial(parts.value_and_grad(linear), THETA, files),
                partial(on(client, linear), THETA, files),
            ]
            for taken, call in zip(times.values(), calls):
                taken.append(seconds(call, repeat))
            memory.append(in_process(size, str((folder / f"rows-{size}").resolve())))
            print(f"{size:>12,} rows: " + ", ".join(f"{taken[-1]:.4f} s" for taken in times.values()), flush=True)
    figure, (axis, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    for (title, taken), style in zip(times.items(), ("k--", "-", "-", "-")):
        axis.loglog(sizes, taken, style, marker="o", markersize=4, label=title)
    over_parts, over_all = zip(*memory)
    right.loglog(sizes, over_all, color="C0", marker="o", markersize=4, label="whole arrays, minigrad")
    right.loglog(sizes, over_parts, color="C1", marker="o", markersize=4, label="parts from files")
    axis.set(title="A step of the linear model", ylabel="seconds for value and gradient")
    right.set(title="The most memory that the process has", ylabel="MB")
    for each in (axis, right):
        each.set_xlabel("rows of 4 features and a target (float64)")
        each.grid(alpha=0.3)
        each.legend()
    figure.savefig(file, dpi=110)
    print(file)


# ---- The command line -----------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}  (see --help)\n")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 10_000:
        raise argparse.ArgumentTypeError(f"expected a whole number, 10000 or more, and got {text!r}")
    return int(text)


def main() -> None:
    """Measure and print, or do the work of one process."""
    parser = Parser(description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=positive, metavar="N", default=20_000_000, help="how many rows (default: 20000000)")
    names = f"what to measure (default: {' '.join(MEASURES)})"
    parser.add_argument("--measure", choices=MEASURES, metavar="NAME", nargs="+", default=list(MEASURES), help=names)
    parser.add_argument("--picture", metavar="FILE", help="draw the time of a step against the rows to a PNG file")
    written = "measure what linear/README.md shows, and write it there, with the picture"
    parser.add_argument("--readme", action="store_true", help=written)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options.rows)))
        return
    if options.readme and (options.measure != list(MEASURES) or options.picture or options.rows != 20_000_000):
        parser.error("--readme says what to measure: leave out --rows, --measure and --picture")
    lines = ["| what | measured | at most |", "| --- | --- | --- |"]
    print(*lines, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.measure:
            for result in MEASURES[name](Path(folder), options.rows):
                lines.append(result.line())
                print(lines[-1], flush=True)
        picture = PICTURE if options.readme else options.picture
        if picture:
            print()
            draw(Path(folder), options.rows, picture)
    if options.readme:
        write_table("\n".join(lines))
        print(README)


def write_table(table: str) -> None:
    """Replace the table of the README, between two comments."""
    block = f"<!-- parts -->\n{table}\n<!-- end -->"
    pattern = r"<!-- parts -->\n.*?\n<!-- end -->"
    readme, count = re.subn(pattern, lambda _: block, README.read_text(encoding="utf-8"), flags=re.DOTALL)
    if count != 1:
        sys.exit(f"{README} has {count} tables of parts, and not one")
    README.write_text(readme, encoding="utf-8")


if __name__ == "__main__":
    main()
