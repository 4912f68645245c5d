"""``python -m tests.mutation``: put faults into minigrad, and see whether the tests notice them."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
import textwrap
import time
from collections import Counter, defaultdict
from pathlib import Path

from .mutants import Mutant, by_hand, chosen, mutants_of, read_list, shares
from .reach import LEFT_OUT, Map, Outcome, Sandbox, prepare, tried, wrongly_killed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    """Return 0 if each mutant was killed or is explained, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="only these files, such as inplace.py or 'rules/*' (default: all)")
    parser.add_argument("--count", type=int, default=480, help="how many mutants for all files together (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed chooses other mutants (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="how long tests may run for a mutant, about (%(default)s)")
    parser.add_argument("--part", default="1/1", help="2/3 tries the second third of the mutants (%(default)s)")
    parser.add_argument("--only", type=Path, help="only the mutants of this list, such as the last survivors")
    parser.add_argument("--match", default="", help="only mutants with this text in the lines that they change")
    parser.add_argument("--list", action="store_true", help="show the mutants, and try none")
    parser.add_argument("--map", action="store_true", help="measure which lines the tests in `files` reach, and try none")
    parser.add_argument("--old-map", action="store_true", help="do not measure tests again that have changed")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "mutation", help="where the map is (%(default)s)")
    options = parser.parse_args()

    files = sorted((ROOT / "minigrad").rglob("*.py"))
    sources = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in files}
    explained = read_list(HERE / "explained.txt")
    mutants = listed(options.only or HERE / "by_hand.txt", sources)
    listed(HERE / "explained.txt", sources)
    if not options.only:
        counts = shares({file: len(mutants_of(file, source)) for file, source in sources.items()}, options.count)
        taken = {mutant.key for mutant in mutants}
        for file, source in sources.items():
            mutants += [mutant for mutant in chosen(file, source, counts[file], options.seed) if mutant.key not in taken]
    wanted = [f"minigrad/{file.removeprefix('minigrad/')}" for file in options.files] or ["*"]
    mutants = [m for m in mutants if any(fnmatch.fnmatch(m.file, name) for name in wanted) and options.match in m.diff]
    part, parts = map(int, options.part.split("/"))
    mutants = mutants[part - 1::parts]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.file}:{mutant.first}: {mutant.kind}\n{mutant.diff}\n")
        print(f"{len(mutants)} mutants")
        return 0

    prepare(options.build / "jax")
    with tempfile.TemporaryDirectory(prefix="mutation-") as home:
        sandbox = Sandbox(ROOT, Path(home) / "copy")
        reach = Map(options.build / "map.json")
        say = lambda text: print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: E731
        if not options.old_map:
            reach.refresh(sandbox, ways(), options.files if options.map else [], say)
        if options.map:
            return 0
        sandbox.collect(ways()["fast"])
        outcomes: dict[Mutant, Outcome] = {}
        left = [mutant for mutant in mutants if mutant.key not in explained]
        while left:
            for number, mutant in enumerate(left, 1):
                start = time.monotonic()
                outcome = outcomes[mutant] = tried(mutant, sources[mutant.file], sandbox, reach, options.seconds)
                by = f" by {outcome.by} ({outcome.way})" if outcome.by else f", {outcome.ran} of {outcome.of} tests"
                seconds = time.monotonic() - start
                say(f"{number}/{len(left)} {mutant.file}:{mutant.first} {outcome.verdict}{by} ({seconds:.1f} s)")
                if outcome.verdict != "killed":
                    print(textwrap.indent(f"{mutant.kind}\n{mutant.diff}", "    "), flush=True)
            left = wrongly_killed(outcomes, sandbox, reach)
            if left:
                say(f"{len(left)} mutants were killed by tests that fail in any case")
    return report({mutant: "explained" if mutant.key in explained else outcomes[mutant].verdict for mutant in mutants})


def listed(path: Path, sources: dict[str, str]) -> list[Mutant]:
    """Return the mutants of a list. Say which of them have no place in the sources."""
    mutants = []
    for file, removed, added in read_list(path):
        mutant = by_hand(file, sources.get(file, ""), removed, added)
        if mutant:
            mutants.append(mutant)
        else:
            print(f"{path.name}: not once in {file} now: {removed[0] if removed else ''}")
    return mutants


def ways() -> dict[str, list[str]]:
    """Return the files of tests that are used in each way. The tests of rules are the same in both, so they run in one."""
    paths = [path for path in sorted((ROOT / "tests/minigrad").rglob("test_*.py")) if path.name not in LEFT_OUT]
    files = [path.relative_to(ROOT).as_posix() for path in paths]
    examples = [path for path in sorted((ROOT / "minigrad").glob("*.py")) if ">>> " in path.read_text("utf-8")]
    modules = [path.relative_to(ROOT).as_posix() for path in examples]
    of_core = [file for file in files if not Path(file).name.startswith(("test_rules_", "test_surface"))]
    return {"fast": files + modules, "plain": of_core + modules}


def report(outcomes: dict) -> int:
    table: dict[str, Counter] = defaultdict(Counter)
    for mutant, verdict in outcomes.items():
        table[mutant.file][verdict] += 1
        table["all files"][verdict] += 1
    columns = ["killed", "explained", "survived", "not reached"]
    print(f"\n{'':34}{'mutants':>10}" + "".join(f"{name:>13}" for name in columns))
    for file, row in sorted(table.items(), key=lambda item: (item[0] == "all files", item[0])):
        print(f"{file:34}{sum(row.values()):10}" + "".join(f"{row[name]:13}" for name in columns))
    left = [mutant for mutant, verdict in outcomes.items() if verdict not in ("killed", "explained")]
    for mutant in left:
        print(f"\n{mutant.file}\n{mutant.diff}\n({outcomes[mutant]}; line {mutant.first}: {mutant.kind})")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
