"""The loop: programs are made, held against the references, and counted. Hypothesis draws all decisions."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Callable

import hypothesis
from hypothesis import strategies as st

from . import checks
from .programs import Writer

NUMBERS = [st.integers(0, n - 1) for n in range(1, 1001)]
START = st.integers(0, 2**24 - 1)  # Hypothesis draws larger ones less evenly


class Fuzzer:
    """Makes programs, holds them against the references, and counts.

    Parameters
    ----------
    in_jax : int
        Each program with a number that this divides is held against JAX too. 0 means none.
    without : frozenset of str
        Kinds of statements (see `statements.KINDS`) to leave out.
    length : int
        The most statements that a program has.
    """

    def __init__(self, in_jax: int = 0, without: frozenset[str] = frozenset(), length: int = 8) -> None:
        self.in_jax, self.without, self.length = in_jax, without, length
        self.counts: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.examples: dict[str, str] = {}  # a program for each refusal
        self.failures: dict[str, tuple[str, int]] = {}

    def one(self, pick: Callable[[int], int]) -> None:
        """One program. Raises `Found`."""
        mode, seed = checks.MODES[pick(len(checks.MODES))], pick(100)
        writer = Writer(pick, 1 + pick(self.length), self.without)
        program = writer.finished()
        self.counts["programs"] += 1
        try:
            checks.examine(program, mode, seed)
            if self.in_jax and self.counts["programs"] % self.in_jax == 0 and checks.examine_in_jax(program, seed):
                self.counts["also in JAX"] += 1
        except checks.Rough:
            self.counts["not smooth"] += 1
            return
        except checks.Refused as error:
            self.counts["refused"] += 1
            self.refusals[str(error)[:110]] += 1
            self.examples.setdefault(str(error)[:60], program.text)
            return
        except checks.Failure as failure:
            self.counts["failed"] += 1
            raise Found(program, mode, seed, failure) from failure
        self.counts["right"] += 1
        self.functions.update(set(program.used))

    def note(self, found: Found) -> None:
        """Keep a failure, made short, unless there is one like it."""
        program, mode, failure = found.program, found.mode, found.failure
        if failure.kind != "JAX":
            program, mode, failure = checks.shortened(program, mode, found.seed, failure)
        key = checks.signature(program, failure)
        if key not in self.failures:
            text = checks.script(program, mode, found.seed, failure)
            self.failures[key] = text, 1
            print(f"\n# ---- {len(self.failures)}\n{text}", flush=True)
        else:
            text, n = self.failures[key]
            self.failures[key] = text, n + 1


class Found(Exception):
    """A failure, and the program."""

    def __init__(self, program, mode, seed, failure) -> None:
        self.program, self.mode, self.seed, self.failure = program, mode, seed, failure

    def __str__(self) -> str:
        program, mode, failure = checks.shortened(self.program, self.mode, self.seed, self.failure)
        return checks.script(program, mode, self.seed, failure)


def explore(fuzzer: Fuzzer, seed: int, size: int) -> None:
    """Run programs that follow from a seed. Hypothesis draws one number for each: so no program is like one before."""

    @hypothesis.seed(seed)
    @hypothesis.settings(COMMON, max_examples=size, phases=[hypothesis.Phase.generate])
    @hypothesis.given(START)
    def run(start: int) -> None:
        try:
            fuzzer.one(random.Random(seed << 24 | start).randrange)
        except Found as found:
            fuzzer.note(found)

    run()


def hunt(fuzzer: Fuzzer, seed: int, size: int) -> None:
    """The same, until a program fails. Hypothesis draws each decision, and makes the program small."""

    @hypothesis.seed(seed)
    @hypothesis.settings(COMMON, max_examples=size, phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink])
    @hypothesis.given(st.data())
    def run(data: Any) -> None:
        fuzzer.one(lambda n: data.draw(NUMBERS[n - 1]))

    run()


COMMON = hypothesis.settings(
    deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck), report_multiple_bugs=False
)
