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
        watcher.clear_bar()
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
        # The bar appears, on a terminal, when the training has lasted for a second.
        self.next_bar = self.began + 1 if sys.stderr.isatty() else math.inf
        self.bar_is_drawn = False

    def __call__(self, step: int, theta: dict[str, Any], loss: float) -> None:
        if step in self.kept:
            self.path.append(vector(theta))
        if step in self.printed:
            self.clear_bar()
            self.print_line(step, theta, loss)
        if step % 100 == 0 and time.perf_counter() > self.next_bar:
            self.draw_bar(step)

    def print_line(self, step: int, theta: dict[str, Any], loss: float) -> None:
        distance = np.linalg.norm(self.problem.from_best(theta))
        print(f"  {step:>9,}  {loss * self.problem.loss_unit:>18.10g}  {distance:>19.1e}", flush=True)

    def draw_bar(self, step: int) -> None:
        now = time.perf_counter()
        left = (now - self.began) * (self.n_steps - step) / step
        bar = ("#" * (30 * step // self.n_steps)).ljust(30, ".")
        line = f"\r  [{bar}] {step:,} of {self.n_steps:,} steps, {left:.0f} s left "
        self.bar_is_drawn = True  # first, because an interrupt may come in between
        print(line, end="", file=sys.stderr, flush=True)
        self.next_bar = now + 0.1

    def clear_bar(self) -> None:
        """Wipe the bar, so that the next line is not written behind it."""
        if self.bar_is_drawn:
            print("\r" + " " * 79 + "\r", end="", file=sys.stderr, flush=True)
            self.bar_is_drawn = False
