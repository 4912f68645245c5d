"""profile: what it counts."""

import numpy as np

from minigrad import profile


def test_sizes_calls_and_lines():
    def f(w, x):
        h = np.exp(x @ w)
        return np.sum(h * h)

    measured = profile(f, runs=2)(np.ones((100, 50)), np.ones((200, 100)))
    assert [entry.title for entry in measured.entries] == ["np.matmul", "np.exp", "np.multiply", "np.sum"]
    assert [entry.result for entry in measured.entries] == [80_000, 80_000, 80_000, 8]
    assert [entry.kept for entry in measured.entries] == [160_000, 80_000, 0, 0]  # x; h, which the product keeps too
    line = f.__code__.co_firstlineno
    assert [entry.line.number - line for entry in measured.entries] == [1, 1, 2, 2]
    assert all(entry.forward > 0 and entry.backward > 0 for entry in measured.entries)


def test_time_goes_to_the_operation_that_takes_it():
    def f(w):
        big = np.sum(np.sin(w @ w))
        for _ in range(3):
            big = big * 1.0
        return big

    measured = profile(f)(np.ones((300, 300)))
    slowest = max(measured.entries, key=lambda entry: entry.forward + entry.backward)
    assert slowest.title in ("np.matmul", "np.sin")


def test_the_tables():
    text = str(profile(lambda x: np.sum(np.sin(x) * x))(np.ones(1000)))
    by_line, by_operation = text.split("\n\n")
    assert by_line.startswith("By line\n") and "in all" in by_line
    rows = {line.split()[0]: line.split() for line in by_operation.splitlines()[3:]}
    assert {"np.sin", "np.multiply", "np.sum"} <= rows.keys()
    assert rows["np.sin"][1] == "1" and rows["np.sin"][-4:] == ["8000", "B", "8000", "B"]
