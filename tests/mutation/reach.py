"""Which tests reach which lines, and what the tests say about one mutant.

Everything runs in forks of one process that has imported NumPy, JAX and pytest, but not minigrad, and in a copy of the
checkout. So the tests of a mutant start at once, and processes that the tests start see the mutant too.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Callable, Iterator, NoReturn

import pytest

# These tests look at the text of files, at times, or at what other processes do. They say little about a mutant.
LEFT_OUT = {"test_layout.py", "test_cost.py", "test_faults.py", "test_readme.py", "test_mutants.py", "support.py"}

# Where the tests of a file are that no file of tests is named after. They run first.
TESTED_IN = {
    "graph": ["test_backward_order", "test_grad", "test_levels"],
    "table": ["test_own_rules", "test_rules.py", "test_custom"],
    "tensor": ["test_tensor", "test_levels", "test_nesting", "test_grad"],
    "grad": ["test_grad", "test_argn", "test_error", "contract"],
    "fast": ["test_plain_and_fast", "test_late_products", "test_backward_order", "test_changed_arrays", "test_tensor"],
    "guards": ["test_changed_arrays", "test_foreign", "test_what_is_kept", "test_own_rules"],
    "operands": ["test_foreign", "test_changed_arrays"],
    "views": ["test_inplace", "test_writable"],
    "ufunc_calls": ["test_inplace", "test_rules_ufunc"],
    "boundary": ["test_tree", "test_grad", "test_writable", "contract"],
    "arguments": ["test_argn", "contract"],
    "custom": ["test_custom", "test_own_rules", "contract"],
    "calls": ["test_custom", "test_checkpoint", "contract"],
    "containers": ["test_tree", "contract"],
    "conversions": ["test_tensor", "test_rules_shaping", "test_rules.py"],
    "flat": ["test_inplace", "test_tensor"],
    "transforms": ["contract", "test_hvp"],
    "methods": ["test_tensor", "test_rules_shaping"],
    "special": ["test_rules_special", "test_precision"],
    "special_integrals": ["test_rules_special_integrals", "test_precision"],
}
# The fast way replaces parts of these files, so their mutants are tried in both ways.
REPLACED = {"graph", "table", "tensor", "grad", "boundary", "calls"}


@dataclass(frozen=True)
class Outcome:
    """What the tests said: "killed", "survived" or "not reached"; by which test; and how many tests ran out of how many."""

    verdict: str
    by: str = ""
    way: str = ""
    ran: int = 0
    of: int = 0


class Sandbox:
    """A copy of the checkout, in which one mutant at a time is tried."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home, self.tree = root, home, home / "tree"
        if home.exists():
            shutil.rmtree(home)
        ignored = shutil.ignore_patterns(".git", ".venv", "build", "pictures", ".pytest_cache", ".mypy_cache", "*.egg-info")
        shutil.copytree(root, self.tree, ignore=ignored)
        self.log = home / "log"
        self.progress = home / "progress"
        self.writes_bytecode = True

    def collect(self, files: list[str]) -> None:
        """Write the bytecode of all modules and tests, which the tests of each mutant use."""
        self.in_child("fast", lambda: pytest.main(["--collect-only", "-qq", *OPTIONS, *files]), 600)

    def try_tests(self, order: list[str], way: str, seconds: dict[str, float]) -> tuple[str, str, int]:
        """Run tests in this order until one fails. Return the verdict, the test, and how many tests ran."""
        lines = self.run(order, way, seconds, "-x")
        failed = [line.removeprefix("failed ") for line in lines if line.startswith("failed ")]
        started = [line.removeprefix("start ") for line in lines if line.startswith("start ")]
        if failed:
            return "killed", failed[0], len(started)
        if lines[-1:] == ["done"]:
            return "survived", "", len(started)
        return "killed", f"timeout or crash in {started[-1]}" if started else "nothing can be imported", len(started)

    def failing(self, names: list[str], way: str, seconds: dict[str, float]) -> list[str]:
        """Return which of these tests fail now."""
        return [line.removeprefix("failed ") for line in self.run(names, way, seconds) if line.startswith("failed ")]

    def run(self, order: list[str], way: str, seconds: dict[str, float], *options: str) -> list[str]:
        """Run tests in this order. Return what `InOrder` writes down."""
        files = sorted({name.partition("::")[0] for name in order})
        files = [file for file in files if (self.tree / file).exists()]  # with an old map, some may be gone
        limit = 120 + 30 * sum(seconds[name] for name in order)  # of all time; it ends what waits for ever

        def work() -> None:
            pytest.main(["-q", *options, *OPTIONS, *files], plugins=[InOrder(order, seconds, self.progress)])

        self.in_child(way, work, limit)
        return self.progress.read_text().splitlines() if self.progress.exists() else []

    def in_child(self, way: str, work: Callable[[], Any], limit: float) -> None:
        """Do some work in a fork, inside the copy. After `limit` seconds, end it and everything that it started."""
        self.progress.unlink(missing_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # JAX warns of forks; it has not started its threads yet
            child = os.fork()
        if not child:
            self._work(way, work)
        end = time.monotonic() + limit
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return
            time.sleep(0.02)
        try:
            os.killpg(child, signal.SIGKILL)  # what the tests may have left
        except ProcessLookupError:
            pass

    def _work(self, way: str, work: Callable[[], Any]) -> NoReturn:
        try:
            os.setsid()
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.chdir(self.tree)
            sys.path[:] = [str(self.tree), *(entry for entry in sys.path if Path(entry or ".").resolve() != self.root)]
            for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
                del sys.modules[name]
            sys.dont_write_bytecode = not self.writes_bytecode
            os.environ |= {"PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1"}
            os.environ["MINIGRAD_PLAIN"] = "1" if way == "plain" else "0"
            work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    @contextmanager
    def changed(self, file: str, source: str) -> Iterator[None]:
        """Put another text into a file for some time. Then put back its text, and its time, so that its bytecode fits."""
        path = self.tree / file
        text, times = path.read_bytes(), path.stat()
        path.write_text(source, encoding="utf-8")
        self.writes_bytecode = False
        try:
            yield
        finally:
            path.write_bytes(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


OPTIONS = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "--no-header", "--tb=short"]


def prepare(cache: Path) -> None:
    """Import what all tests need, except minigrad. Keep what JAX compiles."""
    os.nice(max(0, 10 - os.nice(0)))
    os.environ |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    os.environ |= {"JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1", "JAX_ENABLE_X64": "1"}
    for name in ("numpy", "jax", "jax.numpy", "jax.scipy.special", "scipy.special", "coverage", "_pytest.doctest"):
        try:
            __import__(name)
        except ImportError:
            pass
    assert "minigrad" not in sys.modules, "minigrad was imported too early: its mutants would not be seen"


class InOrder:
    """A plugin of pytest that runs some tests in an order, and writes down how far it came."""

    def __init__(self, order: list[str], seconds: dict[str, float], progress: Path) -> None:
        self.places = {name: place for place, name in enumerate(order)}
        self.seconds = seconds
        self.progress = progress.open("w", buffering=1)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        print("start", nodeid, file=self.progress)
        # Its signal ends a process in an endless loop. The time of the processor counts, and leaves room for starting JAX.
        signal.setitimer(signal.ITIMER_PROF, 10 + 10 * self.seconds[nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            print("failed", report.nodeid, file=self.progress)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            print("failed", report.nodeid, file=self.progress)

    def pytest_sessionfinish(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        print("done", file=self.progress)


# ---- The map --------------------------------------------------------------------------------------------------------


class Map:
    """For each way and each file of tests: how long each test takes, and which lines of minigrad it reaches.

    The lines are those of the sources that were measured. If a source has changed since, its lines are found by their text.
    If a file of tests has changed, it is measured again.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.saved = path, time.monotonic()
        self.known: dict[str, Any] = {"texts": {}, "tests": {}}
        if path.exists():
            self.known = json.loads(path.read_text(encoding="utf-8"))

    def refresh(self, sandbox: Sandbox, ways: dict[str, list[str]], only: list[str], say: Callable[[str], None]) -> None:
        for way, files in ways.items():
            for file in files:
                if only and file not in only:
                    continue
                stamp = hashlib.sha256((sandbox.root / file).read_bytes()).hexdigest()
                if self.known["tests"].get(f"{way} {file}", {}).get("stamp") != stamp:
                    record = self.measure(sandbox, way, file)
                    self.known["tests"][f"{way} {file}"] = {"stamp": stamp, **record}
                    broken = f", of which {len(record['broken'])} fail" if record["broken"] else ""
                    say(f"measured {len(record['seconds'])} tests{broken}, {way}, in {file}")
                    if time.monotonic() > self.saved + 30:
                        self.save()
            for key in [key for key in self.known["tests"] if key.startswith(way + " ") and key.split()[1] not in files]:
                del self.known["tests"][key]
        self.save()

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.known), encoding="utf-8")
        self.saved = time.monotonic()

    def measure(self, sandbox: Sandbox, way: str, file: str) -> dict[str, Any]:
        found = sandbox.home / "found"
        found.unlink(missing_ok=True)

        def work() -> None:
            import coverage

            cov = coverage.Coverage(data_file=None, config_file=False, include=[str(sandbox.tree / "minigrad" / "*")])
            cov.start()
            watch = Watch(cov)
            pytest.main(["-q", *OPTIONS, file], plugins=[watch])
            cov.stop()
            data = cov.get_data()
            numbers = {name: number for number, name in enumerate(watch.seconds)}
            lines: dict[str, dict[int, str]] = {}
            for source in data.measured_files():
                masks = {}
                for line, contexts in data.contexts_by_lineno(source).items():
                    masks[line] = hex(sum(1 << numbers[name] for name in contexts if name in numbers))
                lines[str(Path(source).relative_to(sandbox.tree))] = masks
            found.write_text(json.dumps({"seconds": watch.seconds, "broken": sorted(watch.broken), "lines": lines}))

        sandbox.in_child(way, work, 3600)
        if not found.exists():
            raise SystemExit(f"the tests in {file} could not be measured:\n{sandbox.log.read_text()[-3000:]}")
        record = json.loads(found.read_text())
        record["texts"] = {}
        for source in record["lines"]:
            text = (sandbox.root / source).read_text(encoding="utf-8")
            stamp = hashlib.sha256(text.encode()).hexdigest()[:16]
            self.known["texts"][stamp] = text
            record["texts"][source] = stamp
        return record

    def reaching(self, way: str, file: str, source: str, first: int, last: int) -> tuple[list[str], dict[str, float]]:
        """Return the tests that reach one of these lines, in the order in which they should run, and how long they take.

        If the lines run when the file is imported, return all tests of the files of tests that import it.
        """
        names, everything = [], []
        seconds: dict[str, float] = {}
        runs_on_import = not executable(source) & set(range(first, last + 1))
        for key, record in self.known["tests"].items():
            if not key.startswith(way + " ") or file not in record["lines"]:
                continue
            masks = record["lines"][file]
            then = self.known["texts"][record["texts"][file]]
            found = [masks.get(str(line)) for line in lines_then(then, source, first, last)]
            runs_on_import |= any(mask is not None and int(mask, 16) == 0 for mask in found)
            mask = 0
            for line in found:
                mask |= int(line or "0x0", 16)
            tests = [name for name in record["seconds"] if name not in record["broken"]]
            numbers = {name: number for number, name in enumerate(record["seconds"])}
            names += [name for name in tests if mask >> numbers[name] & 1]
            everything += tests
            seconds |= record["seconds"]
        names = names or everything * runs_on_import
        groups: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names, key=seconds.__getitem__):
            groups[name.partition("[")[0]].append(name)
        turns = {name: turn for group in groups.values() for turn, name in enumerate(group)}
        return sorted(names, key=lambda name: (not is_near(name, file), turns[name], seconds[name])), seconds


def is_near(test: str, file: str) -> bool:
    """Return whether a test is in a file for the tests of this source."""
    stem = Path(file).stem
    own = TESTED_IN.get(stem, [f"test_{stem}", f"test_rules_{stem}"])
    return any(name in test.partition("::")[0] for name in (*own, "test_survivors"))


@cache
def lines_then(then: str, now: str, first: int, last: int) -> list[int]:
    """Return which lines of an older text the lines `first` to `last` of a text were; or else the lines around them."""
    if then == now:
        return list(range(first, last + 1))
    pairs = dict(matched(then, now))
    found = [pairs[line] for line in range(first, last + 1) if line in pairs]
    before, after = [n for n in pairs if n < first], [n for n in pairs if n > last]
    return found or [pairs[n] for n in [*before[-1:], *after[:1]]]


@cache
def matched(then: str, now: str) -> list[tuple[int, int]]:
    blocks = difflib.SequenceMatcher(None, then.splitlines(), now.splitlines(), autojunk=False).get_matching_blocks()
    return [(block.b + i + 1, block.a + i + 1) for block in blocks for i in range(block.size)]


@cache
def executable(source: str) -> frozenset[int]:
    """Return the lines of a text that have bytecode."""
    codes, lines = [compile(source, "", "exec", dont_inherit=True)], set()
    for code in codes:
        lines |= {line for _, _, line in code.co_lines() if line}
        codes += [const for const in code.co_consts if hasattr(const, "co_lines")]
    return frozenset(lines)


class Watch:
    """A plugin of pytest that tells `coverage` which test runs, and how long each takes."""

    def __init__(self, cov: Any) -> None:
        self.cov = cov
        self.seconds: dict[str, float] = {}
        self.broken: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.cov.switch_context(item.nodeid)
        start = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.monotonic() - start, 4)
            self.cov.switch_context("")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.broken.add(report.nodeid)


# ---- One mutant -----------------------------------------------------------------------------------------------------


def tried(mutant: Any, source: str, sandbox: Sandbox, reach: Map, budget: float) -> Outcome:
    """Run the tests that reach a mutant, for about `budget` seconds in each way, until one fails."""
    ran, total = 0, 0
    with sandbox.changed(mutant.file, mutant.source):
        for way in ("fast", "plain") if Path(mutant.file).stem in REPLACED else ("fast",):
            order, seconds = reach.reaching(way, mutant.file, source, mutant.first, mutant.last)
            total += len(order)
            near = within_budget([name for name in order if is_near(name, mutant.file)], seconds, budget / 2)
            left = budget - sum(seconds[name] for name in near)
            far = within_budget([name for name in order if not is_near(name, mutant.file)], seconds, left)
            for names in (near, far):
                if names:
                    verdict, by, count = sandbox.try_tests(names, way, seconds)
                    ran += count
                    if verdict == "killed":
                        return Outcome("killed", by, way, ran, total)
    return Outcome("survived" if ran else "not reached", ran=ran, of=total)


def wrongly_killed(outcomes: dict[Any, Outcome], sandbox: Sandbox, reach: Map) -> list[Any]:
    """Return the mutants that were killed by a test that fails without a mutant too. This test is not used any more."""
    wrong = []
    for way in ("fast", "plain"):
        seconds = {name: s for record in reach.known["tests"].values() for name, s in record["seconds"].items()}
        killers = sorted({outcome.by for outcome in outcomes.values() if outcome.way == way and outcome.by in seconds})
        failing = set(sandbox.failing(killers, way, seconds)) if killers else set()
        for key, record in reach.known["tests"].items():
            record["broken"] += sorted(failing & record["seconds"].keys()) if key.startswith(way + " ") else []
        wrong += [mutant for mutant, outcome in outcomes.items() if outcome.way == way and outcome.by in failing]
    return wrong


def within_budget(names: list[str], seconds: dict[str, float], budget: float) -> list[str]:
    chosen, spent = [], 0.0
    for name in names:
        spent += seconds[name]
        if spent > budget:
            break
        chosen.append(name)
    return chosen
