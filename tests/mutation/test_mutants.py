"""The program that puts faults into minigrad: its mutants are programs, and stay the same when other lines change."""

import ast

import pytest

from .mutants import by_hand, chosen, is_fault, mutants_of, read_list

SOURCE = '''"""A file."""
from x import fit

LIMIT = 3  # of something


def total(g, a: int, *, axis=0):
    """Do 1 + 1."""
    if a > LIMIT and g:
        raise ValueError(f"{a} is more than {LIMIT + 1}")
    for i in range(a):
        if not i:
            continue
        g += fit(a[1:] - g * 2.0, g.T, out=None)
    return -g if isinstance(g, (int, str)) else g[0] @ a


defvjp(total, g=lambda g, a: g * a / 2)
'''


def diffs(source=SOURCE):
    return {mutant.diff for mutant in mutants_of("file.py", source) if is_fault(mutant, source)}


@pytest.mark.parametrize(
    "diff",
    [
        "- LIMIT = 3  # of something\n+ LIMIT = 4  # of something",
        "- def total(g, a: int, *, axis=0):\n+ def total(g, a: int, *, axis=1):",
        "- if a > LIMIT and g:\n+ if a >= LIMIT and g:",
        "- if a > LIMIT and g:\n+ if a > LIMIT or g:",
        "- if a > LIMIT and g:\n+ if not (a > LIMIT and g):",
        '- raise ValueError(f"{a} is more than {LIMIT + 1}")\n+ pass',
        "- if not i:\n+ if i:",
        "- continue\n+ pass",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g = fit(a[1:] - g * 2.0, g.T, out=None)",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g += fit(a[1:] - g * 2.0, g.T)",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g += fit(a[1:] + g * 2.0, g.T, out=None)",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g += fit(a[1:] - g, g.T, out=None)",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g += fit(a[2:] - g * 2.0, g.T, out=None)",
        "- g += fit(a[1:] - g * 2.0, g.T, out=None)\n+ g += fit(a[1:] - g * 2.0, g, out=None)",
        "- return -g if isinstance(g, (int, str)) else g[0] @ a\n+ return g if isinstance(g, (int, str)) else g[0] @ a",
        "- return -g if isinstance(g, (int, str)) else g[0] @ a\n+ return -g if isinstance(g, (str,)) else g[0] @ a",
        "- return -g if isinstance(g, (int, str)) else g[0] @ a\n+ return -g if isinstance(g, (int, str)) else (a @ g[0])",
        "- defvjp(total, g=lambda g, a: g * a / 2)\n+ defvjp(total, g=lambda g, a: (g * a))",
    ],
)
def test_mutants_that_there_are(diff):
    assert diff in diffs()


def test_messages_docstrings_imports_and_annotations_stay_as_they_are():
    for mutant in mutants_of("file.py", SOURCE):
        assert '"""Do 1 + 1."""' in mutant.source and "from x import fit" in mutant.source and "a: int" in mutant.source
        assert "LIMIT + 1" in mutant.source or mutant.kind == "remove a check"


def test_each_mutant_differs_in_one_place_and_most_are_programs():
    mutants = mutants_of("file.py", SOURCE)
    assert sum(is_fault(mutant, SOURCE) for mutant in mutants) > 0.9 * len(mutants)
    lines = SOURCE.splitlines()
    for mutant in mutants:
        changed = mutant.source.splitlines()
        assert len(changed) == len(lines)
        assert [i for i, (a, b) in enumerate(zip(lines, changed), 1) if a != b] == [mutant.first]


def test_the_choice_depends_on_the_seed_and_not_on_other_lines():
    assert len(chosen("file.py", SOURCE, 5, 0)) == 5
    keys = [mutant.key for mutant in chosen("file.py", SOURCE, 5, 0)]
    assert keys == [mutant.key for mutant in chosen("file.py", SOURCE, 5, 0)]
    moved = SOURCE.replace('"""A file."""', '"""A file."""\n\n\nimport y\n')
    assert keys == [mutant.key for mutant in chosen("file.py", moved, 5, 0)]
    assert keys != [mutant.key for mutant in chosen("file.py", SOURCE, 5, 1)]


def test_a_mutant_of_a_list(tmp_path):
    text = "# words\n\nfile.py\n- return -g if a\n+ return g\nIt does not\nmatter.\n\nfile.py\n- gone\n+ pass\n"
    (tmp_path / "list.txt").write_text(text)
    listed = read_list(tmp_path / "list.txt")
    assert list(listed.values()) == ["It does not matter.", ""]
    source = "def f(g, a):\n    return -g if a\n"
    mutants = [by_hand(file, source, removed, added) for file, removed, added in listed]
    assert mutants[0].source == "def f(g, a):\n    return g\n" and (mutants[0].first, mutants[0].last) == (2, 2)
    assert ast.parse(mutants[0].source)
    assert mutants[1] is None
