"""Choose columns by name: the targets, the features, and which of them are categories or dates."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .cells import DataError, listed, quoted
from .tables import Table, name_of


@dataclass(frozen=True)
class Choice:
    """Columns by name.

    Attributes
    ----------
    targets, features : list of str
        What is predicted, and from what.
    categorical, dates : list of str
        The columns among them that are not numbers.
    notes : list of str
        What is left out, although the user did not ask for it.
    """

    targets: list[str]
    features: list[str]
    categorical: list[str]
    dates: list[str]
    notes: list[str]

    @property
    def columns(self) -> list[str]:
        """All of them."""
        return [*self.features, *self.targets]

    @property
    def numeric(self) -> list[str]:
        """The chosen columns that are numbers in the file."""
        special = {*self.categorical, *self.dates}
        return [name for name in self.columns if name not in special]


def choose(
    table: Table,
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    dates: Sequence[str] = (),
) -> Choice:
    """Choose columns of a table; see `linear.read_csv`.

    Raises
    ------
    DataError
        If a column does not exist, or the choice contradicts itself.

    Examples
    --------
    >>> choice = choose(Table('t.csv', ['', 'rooms', 'when', 'price']), dates=['when'])
    >>> choice.features, choice.targets, choice.notes
    (['rooms', 'when'], ['price'], ['column 1 has no name, so it is left out'])
    """
    if len(table.names) == 1:
        one = quoted(table.names[0])
        raise DataError(f"{table.source} has one column, {one}: a target and at least one feature are needed{table.hint}")
    given = [[name_of(name) for name in names] for names in (targets or [], features or [], drop, categorical, dates)]
    _check_names(table, [name for names in given for name in names])
    chosen, used, dropped, categorical, dates = given
    gone = set(dropped)
    free = [name for name in table.names if name and name not in gone]
    if targets is None:
        chosen = free[-1:]
    targets = chosen
    if features is None:
        taken = set(targets)
        used = [name for name in free if name not in taken]
        if not used and targets:
            raise DataError(f"{table.source}: no column is left to predict {quoted(targets[-1])} from")
    for names, what in ((targets, "target"), (used, "feature")):
        repeated = next((name for name, count in Counter(names).items() if count > 1), None)
        if repeated:
            raise DataError(f"the {what} {quoted(repeated)} is named twice")
        both = next((name for name in names if name in gone), None)
        if both:
            raise DataError(f"{quoted(both)} is a {what}, so it cannot be left out with --drop")
    known = set(used)
    both = next((name for name in targets if name in known), None)
    if both:
        raise DataError(f"{quoted(both)} is the target, so it cannot be a feature as well")
    if not targets:
        raise DataError("at least one target is needed")
    if not used:
        raise DataError("at least one feature is needed")
    for name in categorical:
        if name not in known:
            why = "is the target, which must be a number" if name in targets else "is not among the features"
            raise DataError(f"--categorical: {quoted(name)} {why}")
        if name in dates:
            raise DataError(f"{quoted(name)} is either for --categorical or for --dates")
    for name in dates:
        if name not in known and name not in targets:
            raise DataError(f"--dates: {quoted(name)} is not among the features")
    return Choice(targets, used, categorical, dates, _left_out(table) if features is None else [])


def _left_out(table: Table) -> list[str]:
    numbers = [str(number) for number, name in enumerate(table.names, 1) if not name]
    if not numbers:
        return []
    if len(numbers) == 1:
        return [f"column {numbers[0]} has no name, so it is left out"]
    return [f"columns {', '.join(numbers[:10])}{', ...' if numbers[10:] else ''} have no names, so they are left out"]


def _check_names(table: Table, asked: list[str]) -> None:
    known = set(table.names)
    for name in asked:
        if name == "" and name in known:
            number = table.names.index(name) + 1
            raise DataError(f"{table.source}: column {number} has no name; choose others with --features and --target")
        if name not in known:
            lower = {name.lower(): name for name in filter(None, table.names)}
            close = difflib.get_close_matches(name.lower(), lower, n=1)
            hint = f"; did you mean {quoted(lower[close[0]])}?" if close else ""
            raise DataError(
                f"{table.source} has no column {quoted(name)}, only {listed(filter(None, table.names))}{hint or table.hint}"
            )


def check_same_columns(tables: Sequence[Table]) -> None:
    """Refuse files that do not have the same columns, whatever their order."""
    first, *others = tables
    for table in others:
        for here, there in ((table, first), (first, table)):
            known = set(here.names)
            lacking = [name for name in there.names if name and name not in known]
            if lacking:
                raise DataError(f"{here.source} has no column {listed(lacking, 5)}, unlike {there.source}")
