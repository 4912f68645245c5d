"""explain: a computation and its derivative, step by step, with the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import tree
from .page import fragment, page
from .trace import Trace, Visit
from .writing import formula, operation_text, short

FOLD = 120  # a table with more rows than this shows its beginning and its end


class Explanation:
    """What happened in one call of a function and of its gradient. ``print`` shows it as two tables.

    Attributes
    ----------
    trace : minigrad.inside.trace.Trace
        The operations, and the steps of the backward pass, for programs that want to do something else with them.
    value, gradient
        What `value_and_grad` returns.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.value, self.gradient = trace.value, trace.gradient

    def __str__(self) -> str:
        inputs = [(value.name, short(value.value)) for value in self.trace.inputs]
        leaves = [(name, short(g)) for name, g in zip((name for name, _ in inputs), tree.leaves(self.gradient))]
        constants = [(value.name, short(value.value)) for value in self.trace.named_constants]
        return "\n\n".join([
            "Inputs\n" + table(("name", "value"), inputs),
            *(["Constants\n" + table(("name", "value"), constants)] if constants else []),
            "Forward\n" + table(("", "line", "name", "operation", "value"), self._forward_rows()),
            "Backward\n" + table(("", "of", "cotangent g", "rule", "hands", "to", "sum so far"), self._backward_rows()),
            "Gradient\n" + table(("of", "value"), leaves),
        ])

    __repr__ = __str__

    def save(self, file: Any) -> None:
        """Write a page for the browser that steps through the computation. It is one file, and needs no network.

        Parameters
        ----------
        file : str or path
        """
        Path(file).write_text(page(self.trace), encoding="utf-8")

    def _repr_html_(self) -> str:
        """Show the same in a notebook."""
        return fragment(self.trace, with_style=True)

    def _forward_rows(self) -> list[tuple]:
        rows = []
        last = None
        for operation in self.trace.operations:
            line = "" if (operation.line, operation.in_backward) == last else f"{operation.line.number}: {operation.line.text or '?'}"
            line = f"(backward) {line}" if line and operation.in_backward else line
            last = operation.line, operation.in_backward
            names = ", ".join(result.name for result in operation.results)
            values = ", ".join(short(result.value) for result in operation.results)
            rows.append((str(operation.number), cut(line, 48), names, cut(operation_text(operation), 48), values))
        return rows

    def _backward_rows(self) -> list[tuple]:
        uses = Counter(share.parent for visit in self.trace.visits for share in visit.shares)
        return [row for visit in self.trace.visits for row in self._rows_of(visit, uses)]

    def _rows_of(self, visit: Visit, uses: Counter) -> list[tuple]:
        names = ", ".join(result.name for result in visit.operation.results)
        first = (str(visit.operation.number), names, short(visit.cotangent))
        rows = []
        for share in visit.shares:
            total = "" if uses[share.parent] == 1 else short(share.total)
            rule = cut(formula(visit.operation, share), 64)
            rows.append((*first, rule, short(share.value), share.parent.name, total))
            first = ("", "", "")
        return rows


def explain(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Explanation]:
    """Return the function that differentiates a call of `fun`, and explains every step.

    Parameters
    ----------
    fun, argnums, has_aux
        As for `minigrad.grad`.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns an `Explanation`.

    Raises
    ------
    TypeError, ValueError
        As for `minigrad.grad`.

    Examples
    --------
    >>> import numpy as np, minigrad
    >>> explanation = minigrad.explain(lambda x: x * np.sin(x))(2.0)
    >>> explanation.value, explanation.gradient
    (1.8185948536513634, 0.0770037537313969)
    >>> [operation.title for operation in explanation.trace.operations]
    ['np.sin', 'np.multiply']
    """
    return lambda *args, **kwargs: Explanation(Trace().run(fun, args, kwargs, argnums, has_aux))


# ---- Tables ---------------------------------------------------------------------------------------------------------


def cut(text: str, width: int) -> str:
    """Return a text, cut off at a width."""
    return text if len(text) <= width else text[: width - 3] + "..."


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], fold: int = FOLD) -> str:
    """Return rows as a table of text. The middle of a long table is left out."""
    if len(rows) > fold:
        left_out = f"... {len(rows) - fold} more rows"
        rows = [*rows[: fold // 2], (left_out, *[""] * (len(titles) - 1)), *rows[-fold // 2 :]]
    else:
        left_out = ""
    widths = [
        max(len(title), *(len(row[i]) for row in rows if row[0] != left_out or not left_out), 0) if rows else len(title)
        for i, title in enumerate(titles)
    ]
    lines = [titles, *rows]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    texts.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(texts)
