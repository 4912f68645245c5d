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
from .training import model_optimization_loop


@dataclass(frozen=True)
class Training:
    """What a training gave: the loss at every step, the last parameters, some of those before, and the time."""

    losses: list[float]
    theta: dict[str, Any]
    path: np.ndarray
    seconds: float


def train(problem: Problem, start: dict[str, Any], n_steps: int, learning_rate: float) -> Training:
    """Run the training loop on a problem and print its progress."""
    print(f"\nThe descent{problem.loss_note}\n")
    print(f"  {'step':>9}  {'mean squared error':>18}  {'distance to minimum':>19}", flush=True)
    watcher = _Watcher(problem, n_steps)
    try:
        losses, theta = model_optimization_loop(
            start, linear_model, mseloss, problem.x, problem.y, n_steps, learning_rate, callback=watcher
        )
        seconds = time.perf_counter() - watcher.began
    finally:
        watcher.bar.clear()
    watcher.print_line(n_steps, theta, problem.loss(theta))
    return Training(losses, theta, np.array([*watcher.path, vector(theta)]), seconds)


class _Watcher:
    """The callback of the loop."""

    def __init__(self, problem: Problem, n_steps: int) -> None:
        self.problem, self.n_steps = problem, n_steps
        self.path: list[np.ndarray] = []
        self.printed = {digit * 10**power for power in range(1, 12) for digit in (1, 3)} | {0}
        # Descent is fast at first: steps that are evenly spaced on a log scale draw a smooth path.
        self.kept = {0, *np.geomspace(1, max(n_steps, 1), 500).astype(int).tolist()}
        self.began = time.perf_counter()
        self.bar = Bar(n_steps, "steps")

    def __call__(self, step: int, theta: dict[str, Any], loss: float) -> None:
        if step in self.kept:
            self.path.append(vector(theta))
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
