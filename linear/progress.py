"""The demo's training: the loop, with a few lines of progress, and the path kept for the pictures."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .model import linear_model, mseloss
from .problem import Problem, vector
from .training import DivergenceError, model_optimization_loop
from .ways import Way


@dataclass(frozen=True)
class Training:
    """The results of a training: the loss at every step, the last parameters, some earlier ones with their steps, and the time.

    `first_seconds` is the part of the time that went into the first gradient, and into a program if one was made.
    """

    losses: list[float]
    theta: dict[str, Any]
    path: np.ndarray
    steps: list[int]
    seconds: float
    first_seconds: float


def train(problem: Problem, start: dict[str, Any], way: Way) -> Training:
    """Run the training on a problem and print its progress. If it may diverge, it ends before the loss overflows."""
    print(f"\nThe descent{problem.loss_note}\n")
    print(f"  {'step':>9}  {'mean squared error':>18}  {'distance to minimum':>19}", flush=True)
    watcher = _Watcher(problem, way)
    try:
        losses, theta = way.run(problem, start, watcher)
    except DivergenceError:
        if not way.may_diverge or not watcher.losses:
            raise
        losses, theta = watcher.losses[:-1], watcher.theta
    finally:
        watcher.bar.clear()
    seconds = time.perf_counter() - watcher.began
    watcher.print_line(len(losses), theta, problem.loss(theta))
    path, steps = np.array([*watcher.path, vector(theta)]), [*watcher.steps, len(losses)]
    return Training(losses, theta, path, steps, seconds, watcher.first_seconds)


def microseconds_a_step(problem: Problem, start: dict[str, Any], learning_rate: float, jit: bool) -> float:
    """Return how long a step takes: the median of 200 steps."""
    times: list[float] = []
    model_optimization_loop(
        start, linear_model, mseloss, problem.x, problem.y, 201, learning_rate, jit=jit,
        callback=lambda *args: times.append(time.perf_counter()),
    )
    return 1e6 * float(np.median(np.diff(times)))


class _Watcher:
    """The callback of the loop."""

    def __init__(self, problem: Problem, way: Way) -> None:
        self.problem, self.n_steps = problem, way.n_steps
        n_steps = way.n_steps
        self.path: list[np.ndarray] = []
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.theta: dict[str, Any] = {}
        # Larger losses cannot be drawn.
        self.largest = 1e200 / max(problem.loss_unit, 1.0) if way.may_diverge else math.inf
        self.printed = {digit * 10**power for power in range(1, 12) for digit in (1, 3)} | {0}
        # Descent is fast at first: steps that are evenly spaced on a log scale draw a smooth path.
        self.kept = {0, *np.geomspace(1, max(n_steps, 1), 500).astype(int).tolist()}
        if way.takes_few_steps:
            self.printed |= {*range(10)}
        self.began = time.perf_counter()
        self.bar = Bar(way.n_steps, "steps")
        self.first_seconds = 0.0

    def __call__(self, step: int, theta: dict[str, Any], loss: float) -> None:
        if step == 0:
            self.first_seconds = time.perf_counter() - self.began
        if loss > self.largest:
            raise DivergenceError(f"the loss is {loss} at step {step}", step)
        self.losses.append(loss)
        self.theta = theta
        if step in self.kept:
            self.path.append(vector(theta))
            self.steps.append(step)
        if step in self.printed:
            self.bar.clear()
            self.print_line(step, theta, loss)
        if step % 100 == 0:
            self.bar.draw(step)

    def print_line(self, step: int, theta: dict[str, Any], loss: float) -> None:
        distance = np.linalg.norm(self.problem.from_best(theta))
        print(f"  {step:>9,}  {loss * self.problem.loss_unit:>18.10g}  {distance:>19.1e}", flush=True)


class Bar:
    """How much of something is done. It appears, on a terminal, when that has lasted for a second."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit = total, unit
        self.began = time.perf_counter()
        self.next = self.began + 1 if sys.stderr.isatty() else math.inf
        self.is_drawn = False

    def draw(self, done: int) -> None:
        now = time.perf_counter()
        if now <= self.next:
            return
        left = f", {(now - self.began) * (self.total - done) / done:.0f} s left" if done else ""
        bar = ("#" * (30 * done // self.total)).ljust(30, ".")
        self.is_drawn = True  # first, because an interrupt may come in between
        print(f"\r  [{bar}] {done:,} of {self.total:,} {self.unit}{left} ", end="", file=sys.stderr, flush=True)
        self.next = now + 0.1

    def clear(self) -> None:
        """Wipe the bar, so that the next line is not written behind it."""
        if self.is_drawn:
            print("\r" + " " * 79 + "\r", end="", file=sys.stderr, flush=True)
            self.is_drawn = False
