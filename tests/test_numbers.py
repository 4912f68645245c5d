"""The numbers about speed and coverage in the READMEs have the form in which a program prints them today.

Nothing is measured here. The program formats invented times, and the README must have the same rows, columns and words.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")


def load_benchmark():
    spec = importlib.util.spec_from_file_location("benchmark", ROOT / "examples" / "benchmark.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


benchmark = load_benchmark()
ENGINES = benchmark.OF_README
ROWS = benchmark.steps_rows(benchmark.POINTS)
STEPS = {(workload, engine, size): 1.0 for workload, size in ROWS.values() for engine in ENGINES}
GROWTH = dict.fromkeys(benchmark.growth_cases(ENGINES), 1.0)
CHAIN = benchmark.GROWTH["chain"][2]
COPIES = benchmark.copies(times=1)

PRINTED = {
    "conditions": lambda: benchmark.conditions(["minigrad"], 5),
    "steps": lambda: benchmark.steps_table(ENGINES, ROWS, STEPS),
    "summary": lambda: benchmark.summary(ROWS, STEPS),
    "growth": lambda: benchmark.growth_text(GROWTH),
    "memory": lambda: benchmark.memory_text([1.0] * len(benchmark.MEMORY), (1.0, 1.0, 1.0), (1.0, 1.0)),
    "details": lambda: benchmark.details_text([1.0] * len(CHAIN), COPIES),
}


def block(name):
    """What stands in a block of examples/README.md."""
    [text] = re.findall(benchmark.BLOCK.format(name), EXAMPLES, re.DOTALL)
    return text.removeprefix("```text\n").removesuffix("\n```")


def form(text):
    """The text without what a measurement may change: its numbers, and the spaces before them."""
    lines = [re.sub(r" +", " ", re.sub(r"-?\d[\d,]*(\.\d+)?(e[-+]\d+)?", "0", line)).strip() for line in text.splitlines()]
    return "\n".join(lines)


def heads(table):
    """The heads of the columns and rows of a table, with the numbers in them, such as the sizes."""
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    return rows[0], [row[0] for row in rows[2:]]


@pytest.mark.parametrize("name", [name for name in PRINTED if name != "conditions"])
def test_a_block_has_the_form_of_what_is_printed(name):
    assert form(block(name)) == form(PRINTED[name]())


def test_the_table_has_the_workloads_and_engines_that_are_measured():
    assert heads(block("steps")) == heads(PRINTED["steps"]())


def test_the_growth_has_the_sizes_that_are_measured():
    for title, _, sizes, _ in benchmark.GROWTH.values():
        assert f"{title:24}" + "".join(f"{size:>14,}" for size in sizes) in block("growth").splitlines()


def test_the_conditions_name_what_is_compared():
    """The versions may be those of another day, and the machine another one."""
    shown, printed = block("conditions").splitlines(), PRINTED["conditions"]().splitlines()
    packages = [package for package, _ in re.findall(r"(\w+) (\d\S*?)[,.]?(?= |$)", shown[0])]
    compared = dict.fromkeys(benchmark.ENGINES[engine][1] for engine in ENGINES)
    assert packages == ["Python", "minigrad", *(package for package in compared if package != "minigrad")]
    assert re.fullmatch(r"\S+ \S+, .+, \d+ CPUs, threads: .+\.", shown[1])
    assert form(shown[2]) == form(printed[2])


def test_there_is_no_other_block():
    assert re.findall(r"<!-- benchmark: (\w+) -->", EXAMPLES) == list(PRINTED)


def test_blocks_are_replaced(tmp_path, monkeypatch):
    copy = tmp_path / "README.md"
    copy.write_text(EXAMPLES, encoding="utf-8")
    monkeypatch.setattr(benchmark, "README", copy)
    benchmark.write_blocks({"steps": r"new \1 text", "summary": "short"})
    expected = EXAMPLES.replace(block("steps"), r"new \1 text").replace(block("summary"), "short")
    assert copy.read_text(encoding="utf-8") == expected
    with pytest.raises(SystemExit, match="has 0 blocks with the name speed"):
        benchmark.write_blocks({"steps": "", "speed": ""})
    assert copy.read_text(encoding="utf-8") == expected


def test_the_summary_says_what_the_table_shows():
    shown = dict(re.findall(r"^\| (.*?) \|.*\*\*[\d,.]+ \(([\d.]+)\)\*\*", block("steps"), re.MULTILINE))
    times = STEPS | {(workload, "minigrad", size): float(shown[title]) for title, (workload, size) in ROWS.items()}
    expected = benchmark.summary(ROWS, times)
    assert form(block("summary")) == form(expected)
    # The table has the ratios with two decimals, so the last digit may differ.
    ours, theirs = (list(map(float, re.findall(r"\d+(?:\.\d+)?", text))) for text in (block("summary"), expected))
    assert ours == pytest.approx(theirs, abs=0.11)


def test_the_main_readme_has_the_summary():
    assert block("summary") in (ROOT / "README.md").read_text(encoding="utf-8"), f"write there: {block('summary')}"


def test_the_number_of_steps_that_longley_needs():
    """linear/README.md says how many steps of descent the demo predicts."""
    text = (ROOT / "linear" / "README.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"longley\.csv`, it prints ([\d,]+ more steps)", text)
    command = [sys.executable, "-m", "linear", "--data", "examples/data/longley.csv", "--no-pictures"]
    assert shown in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
