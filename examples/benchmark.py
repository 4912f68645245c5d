"""Measure minigrad, the gradient written by hand in NumPy, and other engines: time of a step, memory, growth.

Run it by hand, on a machine that does nothing else. Each measurement is made in a process of its own, and the engines
take turns, so that none of them gains or loses by what another leaves behind, or by a slow minute. To add a workload,
write its loss, its gradient by hand and its data, and enter them in MODELS.

What it prints is what examples/README.md shows. With --readme, it writes it there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import timeit
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import numpy as np

EXAMPLE = "example:  python examples/benchmark.py --engines minigrad jit --parts steps --rounds 9"

# The name of an engine on the command line, its title in the tables, and the package that it needs
ENGINES = {
    "numpy": ("NumPy by hand", "numpy"),
    "cold": ("NumPy by hand, cold", "numpy"),
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
    """With minigrad, and the data as users have them."""
    return linear_eager("minigrad", n)


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


# ---- Other workloads: for each the loss, the gradient by hand, and the data ------------------------------------------
# A loss is written once: `np` is numpy, jax.numpy, autograd.numpy, or what stands for it with PyTorch.


def logistic_loss(np: Any, theta: dict[str, Any], x: Any, y: Any) -> Any:
    """Logistic regression: the mean negative log-likelihood of labels 0 and 1."""
    z = x @ theta["w"] + theta["b"]
    return np.mean(np.logaddexp(0.0, z) - y * z)


def logistic_by_hand(theta: dict[str, Any], x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
    """Its value and gradient."""
    z = x @ theta["w"] + theta["b"]
    loss = np.mean(np.logaddexp(0.0, z) - y * z)
    gz = (1 / (1 + np.exp(-z)) - y) / len(y)
    return loss, {"w": x.T @ gz, "b": gz.sum()}


def logistic_data(rng: Any) -> tuple:
    """As many as in the Wisconsin breast cancer data: 569 rows of 30 features."""
    x = rng.normal(size=(569, 30))
    return {"w": np.zeros(30), "b": 0.0}, x, (x[:, 0] + rng.normal(size=569) > 0).astype(float)


def scalar_loss(np: Any, theta: dict[str, Any], target: Any) -> Any:
    """A chain of 400 operations on single numbers."""
    y = theta["y"]
    for _ in range(200):
        y = y * 0.99 + 0.01
    return (y - target) ** 2


def scalar_by_hand(theta: dict[str, Any], target: Any) -> tuple[Any, dict[str, Any]]:
    """Its value and gradient, operation by operation."""
    y = theta["y"]
    for _ in range(200):
        y = y * 0.99 + 0.01
    g = 2 * (y - target)
    for _ in range(200):
        g = g * 0.99
    return (y - target) ** 2, {"y": g}


def scalar_data(rng: Any) -> tuple:
    """Start, and target: numbers of NumPy's, as elements of arrays are."""
    return {"y": np.float64(2.0)}, 0.7


def recurrence_loss(np: Any, theta: dict[str, Any], x: Any) -> Any:
    """A recurrence: h = tanh(W h + u x + b), 60 times."""
    h = 0 * theta["b"]
    for t in range(60):
        h = np.tanh(theta["W"] @ h + theta["u"] * x[t] + theta["b"])
    return np.sum(h * h)


def recurrence_by_hand(theta: dict[str, Any], x: Any) -> tuple[Any, dict[str, Any]]:
    """Its value and gradient."""
    W, u, b = theta["W"], theta["u"], theta["b"]
    hs = [0 * b]
    for t in range(60):
        hs.append(np.tanh(W @ hs[-1] + u * x[t] + b))
    gW, gu, gb = np.zeros_like(W), np.zeros_like(u), np.zeros_like(b)
    gh = 2 * hs[-1]
    for t in reversed(range(60)):
        ga = gh * (1 - hs[t + 1] * hs[t + 1])
        gW += np.outer(ga, hs[t])
        gu += ga * x[t]
        gb += ga
        gh = W.T @ ga
    return np.sum(hs[-1] * hs[-1]), {"W": gW, "u": gu, "b": gb}


def recurrence_data(rng: Any) -> tuple:
    """16 units, 60 inputs."""
    return {"W": 0.3 * rng.normal(size=(16, 16)), "u": rng.normal(size=16), "b": np.zeros(16)}, rng.normal(size=60)


def network_loss(np: Any, theta: dict[str, Any], x: Any, y: Any) -> Any:
    """A network with a hidden layer, 784-256-10, batch 128: softmax and cross-entropy."""
    h = np.maximum(x @ theta["W1"] + theta["b1"], 0.0)
    z = h @ theta["W2"] + theta["b2"]
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(y * z, axis=1))


def network_by_hand(theta: dict[str, Any], x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
    """Its value and gradient."""
    a = x @ theta["W1"] + theta["b1"]
    h = np.maximum(a, 0.0)
    z = h @ theta["W2"] + theta["b2"]
    e = np.exp(z)
    s = np.sum(e, axis=1)
    gz = (e / s[:, None] - y) / len(x)
    ga = (gz @ theta["W2"].T) * (a > 0)
    loss = np.mean(np.log(s) - np.sum(y * z, axis=1))
    return loss, {"W1": x.T @ ga, "b1": ga.sum(axis=0), "W2": h.T @ gz, "b2": gz.sum(axis=0)}


def network_data(rng: Any) -> tuple:
    """128 images of noise, with labels."""
    theta = {"W1": 0.05 * rng.normal(size=(784, 256)), "b1": np.zeros(256), "W2": 0.05 * rng.normal(size=(256, 10))}
    return {**theta, "b2": np.zeros(10)}, rng.normal(size=(128, 784)), np.eye(10)[rng.integers(0, 10, 128)]


# Title, loss, gradient by hand, data
MODELS: dict[str, tuple[str, Callable, Callable, Callable]] = {
    "logistic": ("logistic, 569 x 30", logistic_loss, logistic_by_hand, logistic_data),
    "scalar": ("400 scalar operations", scalar_loss, scalar_by_hand, scalar_data),
    "recurrence": ("recurrence, 60 x 16", recurrence_loss, recurrence_by_hand, recurrence_data),
    "network": ("network 784-256-10", network_loss, network_by_hand, network_data),
}


def model_step(name: str, engine: str, _: int) -> tuple[Step, list]:
    """A training step of one of the models with one of the engines."""
    title, loss_fn, by_hand, make_data = MODELS[name]
    theta, *data = make_data(np.random.default_rng(0))
    losses: list = []
    if engine == "torch":
        return _torch_step(loss_fn, theta, data, losses), losses
    if engine == "warm":
        np.empty(16_000_000, np.uint8)
    wait: Callable = lambda result: result
    if engine in ("numpy", "cold", "warm"):
        loss_and_gradient: Callable = by_hand
    else:
        package = import_module({"jit": "jax"}.get(engine, engine))
        xp = np if engine == "minigrad" else import_module("autograd.numpy" if engine == "autograd" else "jax.numpy")
        loss_and_gradient = package.value_and_grad(partial(loss_fn, xp))
        if engine in ("jax", "jit"):
            theta, data = package.device_put((theta, data))
            wait = package.block_until_ready

    def update(theta: dict[str, Any], *data: Any) -> tuple[Any, dict[str, Any]]:
        loss, gradient = loss_and_gradient(theta, *data)
        return loss, {name: theta[name] - LEARNING_RATE * gradient[name] for name in theta}

    if engine == "jit":
        update = package.jit(update)

    def step() -> None:
        nonlocal theta
        loss, theta = wait(update(theta, *data))
        losses.append(loss)

    return step, losses


def _torch_step(loss_fn: Callable, start: dict[str, Any], data: list, losses: list) -> Step:
    import torch

    class Torch:
        """Its functions under NumPy's names."""

        exp, log, tanh, mean = torch.exp, torch.log, torch.tanh, torch.mean
        sum = staticmethod(lambda x, axis=None: torch.sum(x) if axis is None else torch.sum(x, axis))
        maximum = staticmethod(lambda x, floor: torch.clamp(x, min=floor))
        logaddexp = staticmethod(lambda a, x: torch.logaddexp(torch.tensor(a, dtype=torch.float64), x))

    theta = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in start.items()}
    inputs = [torch.tensor(array, dtype=torch.float64) for array in data]

    def step() -> None:
        loss = loss_fn(Torch, theta, *inputs)
        gradients = torch.autograd.grad(loss, list(theta.values()))
        losses.append(loss.detach())
        with torch.no_grad():
            for parameter, gradient in zip(theta.values(), gradients):
                parameter -= LEARNING_RATE * gradient

    return step


# ---- Growth: time over the number of operations, of elements, of parameters -----------------------------------------


def chain(package: str, n: int) -> tuple[Step, list]:
    """The gradient of n multiplications in a row."""

    def fun(x: Any) -> Any:
        for _ in range(n):
            x = x * 0.999999
        return x

    return _repeated(package, fun, 1.5)


def elements(package: str, n: int) -> tuple[Step, list]:
    """The gradient of a loop over the n elements of an array."""

    def fun(x: Any) -> Any:
        total = 0.0
        for i in range(n):
            total = total + x[i] * x[i]
        return total

    return _repeated(package, fun, np.linspace(0.0, 1.0, n))


def uses(package: str, n: int) -> tuple[Step, list]:
    """The gradient of n uses of one array of 100."""

    def fun(x: Any) -> Any:
        total = x * 0.0
        for _ in range(n):
            total = total + x
        return (total * total).sum()

    return _repeated(package, fun, np.linspace(0.0, 1.0, 100))


def parameters(package: str, n: int) -> tuple[Step, list]:
    """The gradient with respect to n numbers in a dict of lists."""

    def fun(theta: dict[str, list]) -> Any:
        total = 0.0
        for pair in theta.values():
            total = total + pair[0] * pair[1]
        return total

    return _repeated(package, fun, {f"p{i:05}": [float(i % 7), 0.5] for i in range(n // 2)})


def _repeated(package: str, fun: Callable, x: Any) -> tuple[Step, list]:
    results: list = []
    if package == "torch":
        import torch

        leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)

        def step() -> None:
            out = fun(leaf)
            torch.autograd.grad(out, leaf)
            results.append(out.detach())

        return step, results
    loss_and_gradient = import_module(package).value_and_grad(fun)
    return lambda: results.append(loss_and_gradient(x)[0]), results


# Title, function, sizes, and the largest size for other engines than minigrad (they take minutes, or fail)
GROWTH: dict[str, tuple[str, Callable, list[int], dict[str, int]]] = {
    "chain": ("operations in a row", chain, [10**3, 10**4, 10**5, 10**6], {"autograd": 10**5, "torch": 10**5}),
    "elements": ("elements in a loop", elements, [10**2, 10**3, 10**4], {"autograd": 10**4, "torch": 10**4}),
    "uses": ("uses of one array", uses, [10**2, 10**3, 10**4], {"autograd": 10**4, "torch": 10**4}),
    "parameters": ("numbers in a tree", parameters, [10**2, 10**3, 10**4], {}),
}

# ---- Memory ---------------------------------------------------------------------------------------------------------


def additions(x: Any) -> Any:
    """50 additions, which need to keep nothing."""
    for _ in range(50):
        x = x + 1.0
    return x.sum()


def sines(x: Any) -> Any:
    """50 sines, each of which needs its argument."""
    for _ in range(50):
        x = np.sin(x)
    return x.sum()


def branches(x: Any) -> Any:
    """50 results that nothing is made of."""
    for _ in range(50):
        np.sin(x)
    return x.sum()


MEMORY = {"50 additions": additions, "50 sines": sines, "50 unused branches": branches}


def peak(name: str) -> float:
    """The most memory that was in use at a time, in arrays of 8 MB, as tracemalloc sees it."""
    x = np.ones(1_000_000)
    grad = import_module("minigrad").grad
    grad(MEMORY[name])(x[:10])
    tracemalloc.start()
    grad(MEMORY[name])(x)
    most = tracemalloc.get_traced_memory()[1] / x.nbytes
    tracemalloc.stop()
    return most


def resident() -> tuple[float, float, float]:
    """The resident size in MB: before anything, after a hundred steps on large arrays, and after three thousand."""
    step, _ = linear_minigrad(100_000)
    sizes = [_resident_now()]
    for steps in (100, 2_900):
        for _ in range(steps):
            step()
        sizes.append(_resident_now())
    return tuple(sizes)  # type: ignore[return-value]


def _resident_now() -> float:
    if not os.path.exists("/proc/self/statm"):
        return float("nan")
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def import_times() -> tuple[float, float]:
    """The milliseconds of `import numpy` and of `import minigrad`, each in processes of its own: medians of 31."""
    times: dict[str, list[float]] = {"numpy": [], "minigrad": []}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(31):
        for package in times:
            code = f"import time; start = time.perf_counter(); import {package}; print(time.perf_counter() - start)"
            done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
            times[package].append(1e3 * float(done.stdout))
    return median(times["numpy"]), median(times["minigrad"])


# ---- Details: numbers that explain the others -----------------------------------------------------------------------


def without_collector(n: int) -> float:
    """The microseconds of an operation in a row of n, with Python's garbage collector off."""
    step, _ = chain("minigrad", n)
    step()
    return 1e6 * min(timeit.repeat(step, "import gc; gc.disable()", number=1, repeat=5 if n < 10**6 else 2)) / n


def copies(times: int = 200) -> dict[str, float]:
    """The microseconds of what keeps values as they were, and of what would be in its place."""
    weights = network_data(np.random.default_rng(0))[0]["W1"]
    x = logistic_data(np.random.default_rng(0))[1]
    same = x.copy()
    statements = {
        "a copy of the weights of the network": weights.copy,
        "a copy of the data of logistic regression": x.copy,
        "a comparison of these data with an older copy": lambda: np.array_equal(x, same),
    }
    return {title: 1e6 * min(timeit.repeat(do, number=times, repeat=20)) / times for title, do in statements.items()}


# ---- All workloads --------------------------------------------------------------------------------------------------
# Each function takes a size. It returns a step, and the list to which every step appends a number, so that it can be
# seen that all engines compute the same.

LINEAR = {
    "numpy": linear_numpy,
    "cold": linear_numpy,
    "warm": linear_warm,
    "minigrad": linear_minigrad,
    "jax": linear_jax,
    "jit": linear_jit,
    "autograd": partial(linear_eager, "autograd"),
    "torch": linear_torch,
}
WORKLOADS: dict[str, dict[str, Callable]] = {"linear": LINEAR}
WORKLOADS |= {name: {engine: partial(model_step, name, engine) for engine in ENGINES} for name in MODELS}
WORKLOADS |= {
    name: {package: partial(fun, package) for package in ("minigrad", "autograd", "torch")}
    for name, (_, fun, _, _) in GROWTH.items()
}
POINTS = [100, 10_000, 100_000]
PARTS = ["steps", "growth", "memory", "details"]

# ---- Measuring ------------------------------------------------------------------------------------------------------


def work(workload: str, engine: str, size: int) -> Any:
    """Measure, in the process that was started for it: the microseconds of a step, and the first numbers."""
    if workload == "memory":
        return [peak(name) for name in MEMORY]
    if workload == "resident":
        return resident()
    if workload == "details":
        return [[without_collector(n) for n in GROWTH["chain"][2]], copies()]
    step, numbers = WORKLOADS[workload][engine](size)
    timer = timeit.Timer(step, "import gc; gc.enable()")  # which timeit would turn off
    step()
    count, seconds = timer.autorange() if size < 10**6 else (1, 1.0)  # which takes about that
    per_step = seconds / count
    # The least of many short measurements: other tenants of a machine come and go, and can only add to a time.
    count = max(1, int(0.05 / per_step))
    times = timer.repeat(max(1, int(4 / (count * per_step))), count)
    return {"us": 1e6 * min(times) / count, "first": [float(number) for number in numbers[:3]]}


# With glibc, whether large arrays come from fresh pages each time depends on what else the process has allocated before:
# the threshold for them starts here, and grows when larger blocks are freed. Set by hand, it stays.
COLD = {"MALLOC_MMAP_THRESHOLD_": "131072"}


def in_process(what: str, workload: str, engine: str, size: int) -> Any:
    """Have something measured in a process of its own."""
    command = [sys.executable, __file__, "--worker", workload, engine, str(size)]
    environment = {**os.environ, "JAX_ENABLE_X64": "1", **(COLD if engine == "cold" else {})}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{what}: failed")
    return json.loads(done.stdout)


Times = dict[tuple[str, str, int], float]


def measure(cases: list[tuple[str, str, int]], rounds: int) -> Times:
    """Return the microseconds of a step for each workload, engine and size: the medians over all rounds."""
    times: dict[tuple[str, str, int], list[float]] = {case: [] for case in cases}
    expected: dict[tuple[str, int], list[float]] = {}
    for i in range(rounds):
        for workload, engine, size in times:
            what = f"round {i + 1} of {rounds}: {workload}, size {size:,}, {ENGINES[engine][0]}"
            result = in_process(what, workload, engine, size)
            print(f"{what}: {result['us']:,.1f} us", file=sys.stderr)
            first = expected.setdefault((workload, size), result["first"])
            np.testing.assert_allclose(result["first"], first, rtol=1e-6, err_msg=what)
            times[workload, engine, size].append(result["us"])
    return {case: median(of_all_rounds) for case, of_all_rounds in times.items()}


# ---- Reporting ------------------------------------------------------------------------------------------------------


def conditions(engines: list[str], rounds: int) -> str:
    """Return what the numbers depend on."""
    packages = dict.fromkeys(ENGINES[engine][1] for engine in engines)
    packages.pop("minigrad", None)  # another package may be installed than the one that is measured
    versions = [f"Python {platform.python_version()}", f"minigrad {import_module('minigrad').__version__}"]
    versions += [f"{package} {version(package)}" for package in packages]
    limits = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.endswith("_NUM_THREADS")]
    threads = " ".join(limits) or "no limit set"
    return (
        f"{', '.join(versions)}.\n"
        f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} CPUs, threads: {threads}.\n"
        f"float64; medians of {rounds} rounds (growth: {growth_rounds(rounds)}), each the best 50 ms of 4 s in a process of its own."
    )


def growth_rounds(rounds: int) -> int:
    """How often growth is measured. It takes long, and is drawn on logarithmic scales."""
    return max(1, rounds // 2)


def _processor() -> str:
    """The model of the processor, where Linux tells it."""
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", file.read_text() if file.exists() else "", re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown processor"


def steps_table(engines: list[str], rows: dict[str, tuple[str, int]], times: Times) -> str:
    """Return a row for each workload, and for each engine the microseconds, and in brackets the ratio to NumPy by hand."""

    def bold(text: str, engine: str) -> str:
        return f"**{text}**" if engine == "minigrad" else text

    titles = [bold(ENGINES[engine][0], engine) for engine in engines]
    table = [["workload", *titles], ["---"] * (1 + len(engines))]
    for title, (workload, size) in rows.items():
        by_hand = times[workload, "numpy", size]
        cells = [f"{by_hand:,.1f}"]
        for engine in engines[1:]:
            us = times[workload, engine, size]
            cells.append(bold(f"{us:,.1f} ({us / by_hand:.2f})", engine))
        table.append([title, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def summary(rows: dict[str, tuple[str, int]], times: Times) -> str:
    """Return in a sentence how much longer minigrad takes than the derivatives by hand. README.md has it too."""
    ratios = {title: times[name, "minigrad", size] / times[name, "numpy", size] for title, (name, size) in rows.items()}
    scalars = ratios.pop(MODELS["scalar"][0])
    return (
        f"A training step takes {min(ratios.values()):.1f} to {max(ratios.values()):.1f} times as long as with the gradient "
        f"written by hand. For a chain of operations on single numbers, it takes {scalars:.0f} times as long."
    )


def growth_text(times: Times) -> str:
    """Return for each kind of growth a row for each engine: microseconds for one operation, element, use or parameter."""
    lines = ["Growth: microseconds for each operation, element, use or parameter", ""]
    for name, (title, _, sizes, _) in GROWTH.items():
        lines.append(f"{title:24}" + "".join(f"{size:>14,}" for size in sizes))
        for engine in dict.fromkeys(engine for workload, engine, _ in times if workload == name):
            cells = [times.get((name, engine, size)) for size in sizes]
            shown = ["" if us is None else f"{us / n:.3g}" for us, n in zip(cells, sizes)]
            lines.append((f"  {ENGINES[engine][0]:22}" + "".join(f"{cell:>14}" for cell in shown)).rstrip())
    return "\n".join(lines)


def draw_growth(times: Times, file: str) -> None:
    """Draw the same: a panel for each kind of growth, a line for each engine, with logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(GROWTH), figsize=(4 * len(GROWTH), 4), layout="constrained", sharey=True)
    colours = {"minigrad": "tab:blue", "autograd": "tab:orange", "torch": "tab:green"}
    for axis, (name, (title, _, sizes, _)) in zip(axes, GROWTH.items()):
        for engine in dict.fromkeys(engine for workload, engine, _ in times if workload == name):
            points = [(size, times[name, engine, size] / 1e6) for size in sizes if (name, engine, size) in times]
            axis.loglog(*zip(*points), "o-", color=colours[engine], label=ENGINES[engine][0])
        axis.set_xlabel(title)
        axis.grid(True, which="major", alpha=0.3)
    axes[0].set_ylabel("seconds for value and gradient")
    axes[0].legend()
    figure.savefig(file, dpi=110)


def memory_text(arrays: list[float], sizes: tuple[float, float, float], imports: tuple[float, float]) -> str:
    """Return the peak memory, the resident size, and what an import costs."""
    lines = ["Memory: the most that the gradient had in use, in arrays of 8 MB", ""]
    lines += [f"{name:24}{most:8.1f}" for name, most in zip(MEMORY, arrays)]
    start, early, late = sizes
    of_numpy, of_minigrad = imports
    return "\n".join(lines) + (
        f"\n\nResident size: {start:.0f} MB before, {early:.0f} MB after 100 steps with 100,000 points, {late:.0f} MB after 3,000"
        f"\nimport numpy: {of_numpy:.0f} ms; import minigrad: {of_minigrad:.0f} ms, {of_minigrad / of_numpy:.2f} times that"
    )


def details_text(of_chain: list[float], of_copies: dict[str, float]) -> str:
    """Return the numbers that explain the others."""
    lines = ["Details: microseconds", "", f"{'operations in a row':48}" + "".join(f"{n:>12,}" for n in GROWTH["chain"][2])]
    lines.append(f"{'  each, without the garbage collector':48}" + "".join(f"{us:>12.3g}" for us in of_chain))
    return "\n".join(lines + [f"{title:48}{us:>12.1f}" for title, us in of_copies.items()])


# ---- The README ------------------------------------------------------------------------------------------------------
# A block of examples/README.md stands between two comments. In it is exactly what was printed.

README = Path(__file__).parent / "README.md"
BLOCK = "<!-- benchmark: {} -->\n(.*?)\n<!-- end -->"
OF_README = [engine for engine in ENGINES if engine != "jax"]  # without compilation it takes milliseconds


def write_blocks(blocks: dict[str, str]) -> None:
    """Replace blocks of the README, by their names."""
    readme = README.read_text(encoding="utf-8")
    for name, text in blocks.items():
        block = f"<!-- benchmark: {name} -->\n{text}\n<!-- end -->"
        readme, count = re.subn(BLOCK.format(name), lambda _: block, readme, flags=re.DOTALL)
        if count != 1:
            sys.exit(f"{README} has {count} blocks with the name {name}, and not one")
    README.write_text(readme, encoding="utf-8")


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
    points = f"numbers of points of the linear model (default: {' '.join(map(str, POINTS))})"
    parser.add_argument("--sizes", type=positive, metavar="N", nargs="+", default=POINTS, help=points)
    parts = f"what to measure (default: {' '.join(PARTS)})"
    parser.add_argument("--parts", choices=PARTS, metavar="PART", nargs="+", default=PARTS, help=parts)
    parser.add_argument("--picture", metavar="FILE", help="draw the growth to a PNG file")
    written = "measure what examples/README.md shows, and write it there, with the picture"
    parser.add_argument("--readme", action="store_true", help=written)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        workload, engine, size = options.worker
        print(json.dumps(work(workload, engine, int(size))))
        return
    if options.readme:
        chosen = (options.engines, options.sizes, options.parts, options.picture)
        if chosen != (ENGINES, POINTS, PARTS, None):
            parser.error("--readme says what to measure: leave out --engines, --sizes, --parts and --picture")
        options.engines, options.picture = OF_README, str(README.with_name("growth.png"))

    wanted = [engine for engine in ENGINES if engine in ("numpy", *options.engines)]
    engines = [engine for engine in wanted if importlib.util.find_spec(ENGINES[engine][1])]
    absent = [f"{ENGINES[engine][0]} is left out: {ENGINES[engine][1]} is not installed" for engine in wanted if engine not in engines]
    if absent and options.readme:
        parser.error('--readme needs all engines: pip install ".[benchmark]"')
    print(*absent, sep="\n", end="\n" if absent else "", file=sys.stderr)

    blocks = {}

    def report(name: str, text: str) -> None:
        print(f"{text}\n", flush=True)
        blocks[name] = text if name in ("conditions", "steps", "summary") else f"```text\n{text}\n```"

    report("conditions", conditions(engines, options.rounds))
    if "steps" in options.parts:
        rows = steps_rows(options.sizes)
        cases = [(workload, engine, size) for workload, size in rows.values() for engine in engines]
        times = measure(cases, options.rounds)
        print("A training step: microseconds, and in brackets the ratio to NumPy by hand\n")
        report("steps", steps_table(engines, rows, times))
        if "minigrad" in engines:
            report("summary", summary(rows, times))
    if "growth" in options.parts:
        times = measure(growth_cases(engines), growth_rounds(options.rounds))
        report("growth", growth_text(times))
        if options.picture:
            draw_growth(times, options.picture)
            print(f"{options.picture}\n")
    if "memory" in options.parts:
        memory, sizes = (in_process(what, what, "minigrad", 0) for what in ("memory", "resident"))
        report("memory", memory_text(memory, sizes, import_times()))
    if "details" in options.parts:
        report("details", details_text(*in_process("details", "details", "minigrad", 0)))
    if options.readme:  # all at once, so that all are of one run
        write_blocks(blocks)
        print(README)


def steps_rows(sizes: list[int]) -> dict[str, tuple[str, int]]:
    """Return the workload and the size for the title of each row of the table."""
    rows = {f"linear, {size:,} points": ("linear", size) for size in sizes}
    return rows | {title: (name, 0) for name, (title, *_) in MODELS.items()}


def growth_cases(engines: list[str]) -> list[tuple[str, str, int]]:
    """Return the workloads, engines and sizes of the growth. Some engines are too slow for the largest sizes."""
    return [
        (name, engine, size)
        for name, (_, _, sizes, limits) in GROWTH.items()
        for engine in ("minigrad", "autograd", "torch")
        for size in sizes
        if engine in engines and size <= limits.get(engine, size if engine == "minigrad" else 0)
    ]


if __name__ == "__main__":
    main()
