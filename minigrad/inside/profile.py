"""profile: the time and the memory of a computation and of its gradient, by operation and by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ..arguments import Arguments
from ..boundary import Options
from ..functions import check_callable
from ..grad import differentiate
from ..graph import Node, Observer
from ..libraries import user_frame
from ..memory import innermost
from ..table import rule_of
from .explanation import cut, table
from .trace import Line, note_place


@dataclass
class Entry:
    """What one operation took. Times are in seconds, sizes in bytes.

    Attributes
    ----------
    title : str
    line : Line
    forward, backward : float
        The time from the step before to the end of this one. It contains the user's own code in between.
    result : int
        The size of the result.
    kept : int
        The size of what the rule keeps until the backward pass, and no rule before it has kept.
    """

    title: str
    line: Line
    forward: float
    backward: float
    result: int
    kept: int


class Timer(Observer):
    """An observer that takes the time between the steps."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.of_node: dict[Node, Entry] = {}
        self.seen: set[int] = set()  # arrays that some rule keeps
        self.entry: Entry | None = None
        self.now = perf_counter()

    def recorded(self, function: Callable, args: tuple, kwargs: dict[str, Any], result: Any, node: Node) -> None:
        elapsed = perf_counter() - self.now
        frame, _ = user_frame()
        line = Line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        title = rule_of(function).title
        kept = sum(array.nbytes for edge in node.edges for array in self._arrays(edge[2]))
        self.of_node[node] = entry = Entry(title, line, elapsed, 0.0, sum(array.nbytes for array in _arrays_in(result)), kept)
        self.entries.append(entry)
        self.now = perf_counter()

    def visited(self, node: Node, g: Any) -> None:
        self.entry = self.of_node.get(node, self.entry)  # a node that only deals out cotangents belongs to the operation before

    def handed_back(self, node: Node, parent: Node, share: Any, total: Any) -> None:
        if self.entry is not None:
            self.entry.backward += perf_counter() - self.now
        self.now = perf_counter()

    def _arrays(self, residuals: Any) -> list[np.ndarray]:
        """Return the arrays among residuals that no rule before has kept."""
        found = [array for array in _arrays_in(residuals) if id(array) not in self.seen]
        self.seen.update(map(id, found))
        return found


class Profile:
    """The time and the memory of a call. ``print`` shows it by line and by operation.

    Attributes
    ----------
    entries : list of Entry
        One for each operation that was recorded.
    """

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def __str__(self) -> str:
        lines = self._table("line", lambda entry: f"{entry.line.number}: {cut(entry.line.text or entry.line.function, 60)}")
        return f"By line\n{lines}\n\nBy operation\n{self._table('operation', lambda entry: entry.title)}"

    __repr__ = __str__

    def _table(self, title: str, key: Callable[[Entry], str]) -> str:
        groups: dict[str, list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault(key(entry), []).append(entry)
        ordered = sorted(groups.items(), key=lambda item: -sum(entry.forward + entry.backward for entry in item[1]))
        titles = (title, "calls", "forward", "backward", "share", "results", "kept")
        whole = sum(entry.forward + entry.backward for entry in self.entries) or 1.0
        rows = [self._row(name, entries, whole) for name, entries in [*ordered, ("in all", self.entries)]]
        return table(titles, rows)

    @staticmethod
    def _row(name: str, entries: Sequence[Entry], whole: float) -> tuple[str, ...]:
        forward, backward = sum(entry.forward for entry in entries), sum(entry.backward for entry in entries)
        return (
            name, str(len(entries)), _time(forward), _time(backward), f"{(forward + backward) / whole:.0%}",
            _size(sum(entry.result for entry in entries)), _size(sum(entry.kept for entry in entries)),
        )


def profile(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, runs: int = 5
) -> Callable[..., Profile]:
    """Return the function that measures a call of `fun` and of its gradient.

    It measures the plain way, in which everything can be watched. The fast way spends less time between NumPy's calls.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `minigrad.grad`.
    runs : int, default 5
        The call is repeated, and the least time of each step counts.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns a `Profile`. Its times are in seconds, its sizes in bytes.

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> measured = minigrad.profile(lambda x: np.sum(np.sin(x) * x))(np.ones(1000))
    >>> [(entry.title, entry.result, entry.kept) for entry in measured.entries]
    [('np.sin', 8000, 8000), ('np.multiply', 8000, 8000), ('np.sum', 8, 0)]
    """
    check_callable(fun)
    arguments = Arguments(fun, argnums)

    def measure(*args: Any, **kwargs: Any) -> Profile:
        found: list[list[Entry]] = []
        for _ in range(max(runs, 1)):
            timer = Timer()
            try:
                differentiate(_started(fun, timer), arguments, Options("grad"), has_aux, args, kwargs, timer)
            except Exception as error:
                if timer.entry:
                    note_place(error, timer.entry.line)
                raise
            found.append(timer.entries)
        entries = found[0]
        for others in found[1:]:
            for entry, other in zip(entries, others):
                entry.forward, entry.backward = min(entry.forward, other.forward), min(entry.backward, other.backward)
        return Profile(entries)

    return measure


def _started(fun: Callable, timer: Timer) -> Callable:
    def started(*args: Any, **kwargs: Any) -> Any:
        timer.now = perf_counter()
        result = fun(*args, **kwargs)
        timer.now = perf_counter()
        return result

    return started


def _arrays_in(value: Any) -> Iterable[Any]:
    value = innermost(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [array for member in members for array in _arrays_in(member)]


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-2 else f"{seconds * 1e3:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _size(size: int) -> str:
    return f"{size} B" if size < 10_000 else f"{size / 1e3:.0f} kB" if size < 10_000_000 else f"{size / 1e6:.0f} MB"
