"""Read the target and the features of a linear model from files, and say exactly what is wrong with a file."""

from __future__ import annotations

import glob
import os
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .cells import DataError, counted, listed, option, quoted
from .choice import Choice, check_same_columns, choose
from .data import standardise
from .dates import read_dates
from .files import STANDARD_INPUT, Format, open_table
from .numerals import is_missing, read_numbers
from .tables import Table

MOST_CATEGORIES = 50  # with more values than that, a column is a name or a number, not a kind


@dataclass(frozen=True)
class Data:
    """Columns of numbers.

    Attributes
    ----------
    x : array of shape (n,) for one feature, (n, k) for several, and for several targets
    y : array of shape (n,), or (n, m) for several targets
    features : list of str
    target : str, or list of str for several
    source : str
        The file or the files, as messages name them.
    notes : list of str
        What was found out about the file, and what was done to its columns, one sentence each.
    categories : dict
        From the name of a column of categories to its categories. The first has no column of 0 and 1.
    first_dates : dict
        From the name of a column of dates to the first date.
    """

    x: np.ndarray
    y: np.ndarray
    features: list[str]
    target: str | list[str]
    source: str = ""
    notes: list[str] = field(default_factory=list)
    categories: dict[str, list[str]] = field(default_factory=dict)
    first_dates: dict[str, datetime] = field(default_factory=dict)

    @property
    def targets(self) -> list[str]:
        return [self.target] if isinstance(self.target, str) else self.target


def read_csv(
    path: str | Path | Sequence[str | Path],
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    *,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    dates: Sequence[str] = (),
    date_format: str | None = None,
    missing: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Data:
    """Read the target and the features of a linear model from a CSV file with a header line, or a similar file.

    How the file is written is found out: what separates its columns, its decimal mark, its encoding, and whether it
    is compressed with gzip. With pandas, other files are read as well: spreadsheets (.xlsx, .xls, .ods), Parquet, Feather,
    ORC, Stata and JSON.

    Parameters
    ----------
    path : str, Path, or a sequence of them
        A file of at most 100 MB, a pattern such as "part-*.csv", or several of these, whose rows are put together.
        The files must have the same columns, in any order. "-" is standard input.
    target : str or sequence of str, optional
        The column to predict, or several columns; the last one if left out.
    features : sequence of str, optional
        The columns to predict from; all others if left out. A column without a name is always left out.
    drop : sequence of str
        Columns to leave out.
    categorical : sequence of str
        Features of a few kinds, such as names of regions. Each becomes columns of 0 and 1: one for each kind but
        the first in the alphabet.
    dates : sequence of str
        Columns of dates. They become days since the first date.
    date_format : str, optional
        How dates in text are written, as `datetime.strptime` takes it.
    missing : "drop" or "mean", optional
        What to do about missing values: leave out the row, or put in the mean of the column. A row without a target
        is left out in both cases. Otherwise they are refused.
    delimiter, decimal, encoding, sheet : str, optional
        How the file is written, where it is not to be found out; see `linear.files.Format`.

    Returns
    -------
    Data

    Raises
    ------
    DataError
        If a file cannot be read, a column does not exist, a value in a chosen column is missing or not a
        finite number or can be read as two numbers, or the columns do not determine the parameters of a linear
        model: too few rows, a constant feature, a feature that is a linear combination of others.

    Examples
    --------
    >>> data = read_csv('examples/data/norris.csv')
    >>> data.features, data.target, data.x.shape
    (['x'], 'y', (36,))
    """
    if missing not in (None, "drop", "mean"):
        raise ValueError(f"missing must be None, 'drop' or 'mean', got {missing!r}")
    targets = [target] if isinstance(target, str) else target
    tables = [open_table(file, Format(delimiter, decimal, encoding, sheet)) for file in files_of(path)]
    check_same_columns(tables)
    choice = choose(tables[0], targets, features, drop, categorical, dates)
    rows = Rows(tables, choice)
    rows.read_columns(decimal, date_format)
    rows.handle_missing(missing)
    check_size(rows.source, len(rows.columns[choice.targets[0]]), rows.features)
    rows.expand_categories()
    x = np.column_stack([rows.columns[name] for name in rows.features])
    y = np.column_stack([rows.columns[name] for name in choice.targets])
    check_size(rows.source, len(y), rows.features)
    check_range(rows.source, [*rows.features, *choice.targets], np.hstack([x, y]))
    check_features(rows.source, x, rows.features, len(x))
    if len(choice.targets) == 1:
        only = x[:, 0] if x.shape[1] == 1 else x
        return Data(only, y[:, 0], rows.features, choice.targets[0], rows.source, rows.notes, rows.categories, rows.first_dates)
    return Data(x, y, rows.features, choice.targets, rows.source, rows.notes, rows.categories, rows.first_dates)


def read_rows(
    path: str | Path | Sequence[str | Path], choice: Choice, *, date_format: str | None = None, delimiter: str | None = None,
    decimal: str | None = None, encoding: str | None = None, sheet: str | None = None,
) -> Rows:
    """Read the chosen columns as `read_csv` reads them. Missing values are still missing, and categories are text.

    Raises
    ------
    DataError
        If a file cannot be read, a column does not exist, or a value is not what its column holds.
    """
    tables = [open_table(file, Format(delimiter, decimal, encoding, sheet)) for file in files_of(path)]
    check_same_columns(tables)
    for table in tables:
        lacking = [name for name in choice.columns if name not in table.names]
        if lacking:
            raise DataError(f"{table.source} has no column {listed(lacking, 5)}, only {listed(filter(None, table.names))}")
    rows = Rows(tables, choice)
    rows.read_columns(decimal, date_format)
    return rows


def files_of(paths: str | Path | Sequence[str | Path]) -> list[str]:
    """The files that paths and patterns name, each once.

    Examples
    --------
    >>> [Path(file).name for file in files_of('examples/data/*r*s.csv')]
    ['norris.csv']
    """
    files: list[str] = []
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        path = os.fspath(path)
        is_pattern = glob.has_magic(path) and not os.path.lexists(path)
        matches = sorted(glob.glob(path, recursive=True)) if is_pattern else [path]
        if not matches:
            raise DataError(f"no file matches {quoted(path)}")
        files += matches
    if not files:
        raise DataError("no file is named")
    seen: set[str] = set()
    for file in files:
        same = file if file == STANDARD_INPUT else os.path.realpath(file)
        if same in seen:
            raise DataError(f"{file} is named twice, so its rows would count twice")
        seen.add(same)
    return files


class Rows:
    """The rows of all files, on their way from cells to numbers.

    Attributes
    ----------
    source : str
        The file or the files, as messages name them.
    columns : dict
        From the name of a column to its numbers, NaN where one is missing; for categories to its texts or None.
    features : list of str
        What x is made of.
    notes : list of str
        What there is to say, one sentence each.
    categories, first_dates : dict
        As in `Data`.
    """

    def __init__(self, tables: list[Table], choice: Choice) -> None:
        self.tables, self.choice = tables, choice
        # Dates and kinds are read from their texts. Plain numbers alone are read in a quarter of the time.
        has_texts = bool(choice.dates or choice.categorical)
        self.parts = [
            (None if has_texts else table.plain_numbers(choice.columns)) or table.read(choice.columns) for table in tables
        ]
        self.ends = np.cumsum([len(part.lines) for part in self.parts])
        names = [table.source for table in tables]
        listed_names = ", ".join(names[:3]) + (", ..." if names[3:] else "")
        self.source = names[0] if len(names) == 1 else f"{len(names)} files ({listed_names})"
        self.columns: dict[str, np.ndarray] = {}
        self.features = list(choice.features)
        self.notes: list[str] = []
        self.categories: dict[str, list[str]] = {}
        self.first_dates: dict[str, datetime] = {}

    def read_columns(self, decimal: str | None, date_format: str | None) -> None:
        """Turn the cells of the files into numbers. A note that is true of several files is made once."""
        found: dict[str, list[str]] = {}
        pieces = []
        for table, part in zip(self.tables, self.parts):
            numbers, notes = read_numbers(
                part, self.choice.numeric, decimal, table.has_decimal_points, self.choice.targets
            )
            pieces.append(numbers)
            for note in filter(None, [*table.found, *notes, table.encoding]):
                found.setdefault(note, []).append(table.source)
        everywhere = [note for note, sources in found.items() if len(sources) == len(self.tables)]
        self.notes += [", ".join(everywhere)] if everywhere else []
        self.notes += [f"{note} in {listed(found[note], 5)}" for note in found if note not in everywhere]
        self.notes += self.choice.notes
        for name in self.choice.numeric:
            self.columns[name] = np.concatenate([piece[name] for piece in pieces])
        for name in (*self.choice.dates, *self.choice.categorical):
            cells = chain.from_iterable(part.columns[name] for part in self.parts)
            texts = [None if is_missing(cell) else cell.strip() if isinstance(cell, str) else cell for cell in cells]
            if name in self.choice.dates:
                self.columns[name], first = read_dates(name, texts, self.place, date_format)
                self.first_dates[name] = first
                since = f"{first:%Y-%m-%d}" + (f" {first:%H:%M:%S}" if first.time() > time.min else "")
                self.notes.append(f"{quoted(name)} becomes days since {since}")
            else:
                self.columns[name] = np.array(list(map(_category, texts)), dtype=object)

    def place(self, row: int) -> str:
        """Where a row stands."""
        part = int(np.searchsorted(self.ends, row, side="right"))
        return self.parts[part].place(row - int(self.ends[part - 1] if part else 0))

    def handle_missing(self, missing: str | None) -> None:
        """Refuse missing values, or leave out their rows, or put in the mean of the other rows."""
        gaps = {name: is_gap(column) for name, column in self.columns.items()}
        gaps = {name: gap for name, gap in gaps.items() if gap.any()}
        if not gaps:
            return
        empty = next((name for name, gap in gaps.items() if gap.all()), None)
        if empty is not None:
            leave = f"leave it out with --drop {option(empty)}"
            raise DataError(f"{self.source}: the column {quoted(empty)} has no values; {leave}")
        if missing is None:
            count = int(np.any([*gaps.values()], axis=0).sum())
            row = min(int(gap.argmax()) for gap in gaps.values())
            name = next(name for name in self.choice.columns if name in gaps and gaps[name][row])
            rows_have = "1 row has" if count == 1 else f"{count} rows have"
            place = self.place(row).removeprefix(f"{self.source}, ")
            raise DataError(
                f"{self.source}: {rows_have} missing values; the first is {place}, column {quoted(name)}; leave such "
                "rows out with --missing drop, or put in the mean of the column with --missing mean"
            )
        fatal = [name for name in gaps if missing == "drop" or name in self.choice.targets]
        texts = [name for name in gaps if name not in fatal and name in self.choice.categorical]
        if texts:
            raise DataError(
                f"{self.source}: the column {quoted(texts[0])} has missing values, and text has no mean; "
                "leave such rows out with --missing drop"
            )
        if fatal:
            kept = ~np.any([gaps[name] for name in fatal], axis=0)
            self.columns = {name: column[kept] for name, column in self.columns.items()}
            why = "missing values" if missing == "drop" else "no target"
            gone = counted(len(kept) - int(kept.sum()), "row")
            self.notes.append(f"left out {gone} of {len(kept):,} with {why} (in {listed(fatal, 5)})")
        for name in gaps:
            column = self.columns[name]
            gap = is_gap(column)
            if gap.any():
                if gap.all():
                    raise DataError(
                        f"{self.source}: the column {quoted(name)} has no values in rows that have a target"
                    )
                with np.errstate(over="ignore"):  # numbers as large as that are refused later
                    mean = column[~gap].mean()
                self.columns[name] = np.where(gap, mean, column)
                self.notes.append(f"put the mean {mean:.6g} into {counted(int(gap.sum()), 'row')} of {quoted(name)}")

    def expand_categories(self) -> None:
        """Turn each feature of categories into columns of 0 and 1."""
        for name in self.choice.categorical:
            column = self.columns.pop(name)
            base, *others = sorted(set(column))
            if len(others) >= MOST_CATEGORIES:
                raise DataError(
                    f"{self.source}: the column {quoted(name)} has {len(others) + 1} different values, and at most "
                    f"{MOST_CATEGORIES} can become columns of 0 and 1; leave it out with --drop {option(name)}"
                )
            if not others:
                raise DataError(
                    f"{self.source}: the feature {quoted(name)} is constant ({quoted(base)} in every row), so it says "
                    f"nothing; leave it out with --drop {option(name)}"
                )
            indicators = {f"{name}={value}": (column == value).astype(float) for value in others}
            taken = next((each for each in indicators if each in self.columns), None)
            if taken:
                raise DataError(
                    f"{self.source}: {quoted(name)} would become {quoted(taken)}, which is a column already"
                )
            self.categories[name] = [base, *others]
            self.columns |= indicators
            place = self.features.index(name)
            self.features[place : place + 1] = indicators
            self.notes.append(
                f"{quoted(name)} becomes {counted(len(others), 'column')} of 0 and 1, compared with {quoted(base)}"
            )


def _category(cell: Any) -> str | None:
    """The name of a category. A whole number is the same in a column that has other numbers, and in one that has not."""
    if cell is None:
        return None
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def is_gap(column: np.ndarray) -> np.ndarray:
    """Return where a column, of numbers or of text, has a missing value."""
    if column.dtype == object:
        return np.equal(column, None)  # type: ignore[call-overload]
    return np.isnan(column)


def check_size(source: str, count: int, features: Sequence[str]) -> None:
    if count < len(features) + 1:
        raise DataError(
            f"{source}: at least {len(features) + 1} rows are needed for {len(features) + 1} parameters "
            f"(the intercept and one slope for each feature), but there are {count}"
        )


def check_range(source: str, names: Sequence[str], columns: np.ndarray) -> None:
    with np.errstate(over="ignore"):  # a width that overflows is too large as well
        widths = np.ptp(columns, axis=0)
    for name, largest, width in zip(names, np.abs(columns).max(axis=0), widths):
        if largest > 1e150 or 0 < width < 1e-150:
            raise DataError(
                f"{source}: the values of column {quoted(name)} cannot be squared in floating point; rescale them"
            )


def check_features(source: str, x: np.ndarray, features: Sequence[str], rows: int) -> None:
    """Refuse columns that leave the parameters undetermined. `rows` is the number of rows that x stands for."""
    for name, column in zip(features, x.T):
        if np.ptp(column) == 0:
            raise DataError(
                f"{source}: the feature {quoted(name)} is constant ({column[0]:g} in every row), "
                "so its slope cannot be told from the intercept"
            )
    z = standardise(x)[0]

    def is_dependent(count: int) -> bool:
        return bool(np.linalg.matrix_rank(z[:, :count], rtol=rows * np.finfo(float).eps) < count)

    if is_dependent(len(features)):
        # If the first n features are dependent, so are the first n + 1. So the smallest n is found by halving.
        count = bisect_left(range(len(features)), True, lo=2, key=is_dependent)
        raise DataError(
            f"{source}: the feature {quoted(features[count - 1])} is a linear combination of the features before it, "
            "so the slopes are not unique; leave it out with --features"
        )
