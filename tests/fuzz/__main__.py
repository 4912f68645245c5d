"""Fuzz minigrad: ``python -m tests.fuzz --programs 100000``. See `--help`, and `fuzzer`."""

from __future__ import annotations

import argparse
import sys
import time

from .fuzzer import Found, Fuzzer, explore, hunt
from .statements import NAMES


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description="Random programs against plain NumPy and JAX.")
    parser.add_argument("--programs", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each 500 programs have one of their own")
    parser.add_argument("--length", type=int, default=8, help="the most statements in a program (default 8)")
    parser.add_argument(
        "--jax", type=int, default=0, metavar="N", help="hold each N-th program against JAX too (default: none)"
    )
    parser.add_argument("--without", default="", help="kinds of statements to leave out, with commas between: write,change")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure, which Hypothesis makes small")
    options = parser.parse_args()
    if options.jax:
        import jax

        jax.config.update("jax_enable_x64", True)
    fuzzer = Fuzzer(options.jax, frozenset(options.without.split(",")), options.length)
    start, seed = time.time(), options.seed
    while fuzzer.counts["programs"] < options.programs:
        size = min(500, options.programs - fuzzer.counts["programs"])
        if options.stop:
            try:
                hunt(fuzzer, seed, size)
            except Found as found:
                print(found)
                return 1
        else:
            explore(fuzzer, seed, size)
        seed += 1
        counts = ", ".join(f"{n} {what}" for what, n in fuzzer.counts.items())
        print(f"{counts}; {len(fuzzer.failures)} kinds; {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    print("\nRefused:", *(f"\n{n:6} {text}" for text, n in fuzzer.refusals.most_common(40)))
    print("\nFailures:", *(f"\n{n:6} {key}" for key, (_, n) in fuzzer.failures.items()))
    never = sorted(set(NAMES) - set(fuzzer.functions))
    print(f"\n{len(fuzzer.functions)} functions; never right: {' '.join(never)}")
    return 1 if fuzzer.failures else 0


if __name__ == "__main__":
    sys.exit(main())
