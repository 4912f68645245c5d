"""Time a training step with minigrad, with the gradient written by hand in NumPy, and with other engines.

Run it by hand, on a machine that does nothing else. Each measurement is made in a process of its own, and the engines
take turns, so that none of them gains or loses by what another leaves behind, or by a slow minute. To add a workload,
write for each engine a function that prepares a step, and enter them in WORKLOADS.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import timeit
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from statistics import median
from typing import Any, NoReturn

import numpy as np

import minigrad

EXAMPLE = "example:  python examples/benchmark.py --engines minigrad jit --sizes 100 1000 --rounds 9"

# The name of an engine on the command line, its title in the tables, and the package that it needs
ENGINES = {
    "numpy": ("NumPy by hand", "numpy"),
    "warm": ("NumPy by hand, warm", "numpy"),
    "minigrad": ("minigrad", "minigrad"),
    "jax": ("JAX, not compiled", "jax"),
    "jit": ("JAX, jit of the step", "jax"),
    "autograd": ("autograd", "autograd"),
    "torch": ("PyTorch", "torch"),
}

# ---- Workload: a training step of the linear model ------------------------------------------------------------------
# Value and gradient of the loss, the loss appended to a list, and the update.

LEARNING_RATE = 0.01
Step = Callable[[], Any]


def line(n: int) -> tuple[dict[str, float], np.ndarray, np.ndarray, list]:
    """Return the start, n points, and a list for the losses."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return {"w": 0.5, "b": -0.5}, x, 2 * x + 1 + rng.normal(size=n), []


def linear_model(theta: dict[str, Any], x: Any) -> Any:
    """The line."""
    return theta["w"] * x + theta["b"]


def mseloss(theta: dict[str, Any], model: Callable, x: Any, y: Any) -> Any:
    """The mean of the squared differences."""
    return ((model(theta, x) - y) ** 2).mean()


def linear_numpy(n: int) -> tuple[Step, list]:
    """With the derivatives worked out on paper."""
    theta, x, y, losses = line(n)

    def step() -> None:
        r = theta["w"] * x + theta["b"] - y
        loss = (r**2).mean()
        gw = 2 * (r * x).mean()
        gb = 2 * r.mean()
        losses.append(loss)
        theta["w"] -= LEARNING_RATE * gw
        theta["b"] -= LEARNING_RATE * gb

    return step, losses


def linear_warm(n: int) -> tuple[Step, list]:
    """The same, with the help that minigrad gives itself: glibc is made to keep the memory of large arrays."""
    np.empty(16_000_000, np.uint8)
    return linear_numpy(n)


def linear_eager(package: str, n: int, put: Callable = lambda data: data) -> tuple[Step, list]:
    """With the value_and_grad of minigrad, autograd or JAX."""
    loss_and_gradient = import_module(package).value_and_grad(mseloss)
    *start, losses = line(n)
    theta, x, y = put(start)

    def step() -> Any:
        loss, g = loss_and_gradient(theta, linear_model, x, y)
        losses.append(loss)
        theta["w"] -= LEARNING_RATE * g["w"]
        theta["b"] -= LEARNING_RATE * g["b"]
        return theta

    return step, losses


def linear_minigrad(n: int) -> tuple[Step, list]:
    """With minigrad. The data are read-only, as in the loop of `linear`: otherwise each step would make a copy of x."""
    return linear_eager("minigrad", n, read_only)


def read_only(data: Any) -> Any:
    """Protect the arrays among the data."""
    for array in data:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return data


def linear_jax(n: int) -> tuple[Step, list]:
    """With JAX, operation by operation. The data are on its device already; a step ends when its results are there."""
    import jax

    step, losses = linear_eager("jax", n, jax.device_put)
    return lambda: jax.block_until_ready(step()), losses


def linear_jit(n: int) -> tuple[Step, list]:
    """With JAX, the whole step compiled as one function."""
    import jax

    *start, losses = line(n)
    theta, x, y = jax.device_put(start)

    @jax.jit
    def compiled(theta: Any, x: Any, y: Any) -> tuple[Any, Any]:
        loss, g = jax.value_and_grad(mseloss)(theta, linear_model, x, y)
        return loss, {name: theta[name] - LEARNING_RATE * g[name] for name in theta}

    def step() -> None:
        nonlocal theta
        loss, theta = jax.block_until_ready(compiled(theta, x, y))
        losses.append(loss)

    return step, losses


def linear_torch(n: int) -> tuple[Step, list]:
    """With PyTorch."""
    import torch

    start, x, y, losses = line(n)
    theta = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in start.items()}
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> None:
        loss = mseloss(theta, linear_model, x, y)
        gw, gb = torch.autograd.grad(loss, [theta["w"], theta["b"]])
        losses.append(loss.detach())
        with torch.no_grad():
            theta["w"] -= LEARNING_RATE * gw
            theta["b"] -= LEARNING_RATE * gb

    return step, losses


# ---- Workload: a chain of operations --------------------------------------------------------------------------------


def chain_minigrad(n: int) -> tuple[Step, list]:
    """The gradient of n multiplications in a row: what does an operation cost, and does that grow with their number?"""

    def chain(x: Any) -> Any:
        for _ in range(n):
            x = x * 0.999999
        return x

    gradient, results = minigrad.grad(chain), []
    return lambda: results.append(gradient(1.5)), results


# ---- All workloads --------------------------------------------------------------------------------------------------
# Each function takes a size. It returns a step, and the list to which every step appends a number, so that it can be
# seen that all engines compute the same.

LINEAR = {
    "numpy": linear_numpy,
    "warm": linear_warm,
    "minigrad": linear_minigrad,
    "jax": linear_jax,
    "jit": linear_jit,
    "autograd": partial(linear_eager, "autograd"),
    "torch": linear_torch,
}
WORKLOADS: dict[str, dict[str, Callable]] = {"linear": LINEAR, "chain": {"minigrad": chain_minigrad}}
POINTS = [100, 10_000, 100_000]
CHAINS = [1_000, 10_000, 100_000, 1_000_000]

# ---- Measuring ------------------------------------------------------------------------------------------------------


def work(workload: str, engine: str, size: int) -> dict[str, Any]:
    """Measure, in the process that was started for it: the microseconds of a step, and the first numbers."""
    step, numbers = WORKLOADS[workload][engine](size)
    timer = timeit.Timer(step, "import gc; gc.enable()")  # which timeit would turn off
    count, _ = timer.autorange()  # how many steps take 0.2 seconds; to find out is a warm-up, too
    return {"us": 1e6 * median(timer.repeat(5, count)) / count, "first": [float(number) for number in numbers[:3]]}


def measure(workload: str, engines: list[str], sizes: list[int], rounds: int) -> dict[tuple[str, int], float]:
    """Return the microseconds of a step for each engine and size: the medians over all rounds."""
    times: dict[tuple[str, int], list[float]] = {(engine, size): [] for size in sizes for engine in engines}
    expected: dict[int, list[float]] = {}
    for i in range(rounds):
        for engine, size in times:
            what = f"round {i + 1} of {rounds}: {workload}, size {size:,}, {ENGINES[engine][0]}"
            command = [sys.executable, __file__, "--worker", workload, engine, str(size)]
            environment = {**os.environ, "JAX_ENABLE_X64": "1"}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(f"{what}: failed")
            result = json.loads(done.stdout)
            print(f"{what}: {result['us']:,.1f} us", file=sys.stderr)
            np.testing.assert_allclose(result["first"], expected.setdefault(size, result["first"]), err_msg=what)
            times[engine, size].append(result["us"])
    return {case: median(of_all_rounds) for case, of_all_rounds in times.items()}


# ---- Reporting ------------------------------------------------------------------------------------------------------


def print_conditions(engines: list[str], rounds: int) -> None:
    """Print what the numbers depend on."""
    packages = dict.fromkeys(ENGINES[engine][1] for engine in engines if engine != "minigrad")
    versions = [f"Python {platform.python_version()}", f"minigrad {minigrad.__version__}"]
    print(", ".join(versions + [f"{package} {version(package)}" for package in packages]))
    limits = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.endswith("_NUM_THREADS")]
    threads = " ".join(limits) or "no limit set"
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, threads: {threads}")
    print(f"float64; medians of {rounds} rounds, each measurement in its own process")


def print_steps(engines: list[str], sizes: list[int], times: dict[tuple[str, int], float]) -> None:
    """Print a row for each engine, and for each size the time and its ratio to the hand-written step."""
    print("\nA training step of the linear model: microseconds, and the ratio to NumPy by hand\n")
    print(" " * 20 + "".join(f"{f'{size:,} points':>24}" for size in sizes))
    for engine in engines:
        cells = [f"{times[engine, size]:16,.1f}{times[engine, size] / times['numpy', size]:8.2f}" for size in sizes]
        print(f"{ENGINES[engine][0]:20}" + "".join(cells))


def print_chains(sizes: list[int], times: dict[tuple[str, int], float]) -> None:
    """Print a row for each length of the chain."""
    print("\nThe gradient of a chain of operations with minigrad\n")
    for size in sizes:
        time = times["minigrad", size]
        print(f"{size:12,} operations {time:16,.0f} us {time / size:8.2f} us an operation")


# ---- The command line -----------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}  (see --help)\n")


def positive(text: str) -> int:
    """Read a whole number, 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, and got {text!r}")
    return int(text)


def main() -> None:
    """Measure and print, or do the work of one process."""
    parser = Parser(description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, metavar="N", default=5, help="how often to measure each (default: 5)")
    names = f"engines beside numpy (default: what is installed of {', '.join(ENGINES)})"
    parser.add_argument("--engines", choices=ENGINES, metavar="NAME", nargs="+", default=ENGINES, help=names)
    points = f"numbers of points (default: {' '.join(map(str, POINTS))})"
    parser.add_argument("--sizes", type=positive, metavar="N", nargs="+", default=POINTS, help=points)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        workload, engine, size = options.worker
        print(json.dumps(work(workload, engine, int(size))))
        return

    wanted = [engine for engine in ENGINES if engine in ("numpy", *options.engines)]
    engines = [engine for engine in wanted if importlib.util.find_spec(ENGINES[engine][1])]
    for engine in set(wanted) - set(engines):
        print(f"{ENGINES[engine][0]} is left out: {ENGINES[engine][1]} is not installed", file=sys.stderr)
    print_conditions(engines, options.rounds)
    print_steps(engines, options.sizes, measure("linear", engines, options.sizes, options.rounds))
    if "minigrad" in engines:
        print_chains(CHAINS, measure("chain", ["minigrad"], CHAINS, options.rounds))


if __name__ == "__main__":
    main()
