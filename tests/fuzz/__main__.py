"""Fuzz minigrad: ``python -m tests.fuzz --programs 100000``. See `--help`."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from typing import Callable

import hypothesis
from hypothesis import strategies as st

from . import checks
from .programs import Writer

NUMBERS = [st.integers(0, n - 1) for n in range(1, 1001)]
ANY_NUMBER = st.integers(0, 2**62)


class Fuzzer:
    """Makes programs, holds them against the references, and counts."""

    def __init__(self, in_jax: int = 0, without: frozenset[str] = frozenset(), length: int = 8) -> None:
        self.in_jax, self.without, self.length = in_jax, without, length
        self.counts: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
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


def chunk(fuzzer: Fuzzer, seed: int, size: int, stop: bool) -> None:
    """Run programs that follow from a seed. Stop at the first failure and make it small, or go on."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=size,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink] if stop else [hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(st.data())
    def run(data) -> None:
        if stop:
            fuzzer.one(lambda n: data.draw(NUMBERS[n - 1]))
            return
        # Hypothesis draws one number for all decisions. So no program is a variation of one before.
        try:
            fuzzer.one(random.Random(data.draw(ANY_NUMBER)).randrange)
        except Found as found:
            fuzzer.note(found)

    run()


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Random programs against plain NumPy and JAX.")
    parser.add_argument("--programs", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each 500 programs have one of their own")
    parser.add_argument("--length", type=int, default=8, help="the most statements in a program (default 8)")
    parser.add_argument("--jax", type=int, default=0, metavar="N", help="hold each N-th program against JAX too (default: none)")
    parser.add_argument("--without", default="", help="kinds of statements to leave out, with commas between: write,change")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure, which Hypothesis makes small")
    options = parser.parse_args()
    if options.jax:
        import jax

        jax.config.update("jax_enable_x64", True)
    fuzzer = Fuzzer(options.jax, frozenset(options.without.split(",")), options.length)
    start, seed = time.time(), options.seed
    while fuzzer.counts["programs"] < options.programs:
        chunk(fuzzer, seed, min(500, options.programs - fuzzer.counts["programs"]), options.stop)
        seed += 1
        counts = ", ".join(f"{n} {what}" for what, n in fuzzer.counts.items())
        print(f"{counts}; {len(fuzzer.failures)} kinds; {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    print("\nRefused:", *(f"\n{n:6} {text}" for text, n in fuzzer.refusals.most_common(40)))
    print("\nFailures:", *(f"\n{n:6} {key}" for key, (_, n) in fuzzer.failures.items()))
    never = sorted(set(checks_names()) - set(fuzzer.functions))
    print(f"\n{len(fuzzer.functions)} functions; never right: {' '.join(never)}")
    return 1 if fuzzer.failures else 0


def checks_names() -> list[str]:
    from .statements import NAMES

    return NAMES


if __name__ == "__main__":
    sys.exit(main())
