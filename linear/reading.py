"""Read a CSV file of numbers, and say exactly what is wrong with it when something is."""

from __future__ import annotations

import csv
import difflib
import io
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data import standardise

MISSING = {"", "na", "n/a", "#n/a", "null", "none"}


class DataError(ValueError):
    """A file cannot be used; the message, one line, says what is wrong and where."""


@dataclass(frozen=True)
class Data:
    """Columns of numbers: x of shape (n,) for one feature, (n, k) for several, and y of shape (n,)."""

    x: np.ndarray
    y: np.ndarray
    features: list[str]
    target: str


def read_csv(path: str | Path, target: str | None = None, features: Sequence[str] | None = None) -> Data:
    """Read the target and the features of a linear model from a CSV file with a header line.

    Parameters
    ----------
    path : str or Path
        A comma-separated file in UTF-8.
    target : str, optional
        The column to predict; the last one if left out.
    features : sequence of str, optional
        The columns to predict from; all but the target if left out.

    Returns
    -------
    Data

    Raises
    ------
    DataError
        If the file cannot be read, a column does not exist, a value in a chosen column is missing or not a
        finite number, or the columns do not determine the parameters of a linear model: too few rows, a
        constant feature, a feature that is a linear combination of others.

    Examples
    --------
    >>> data = read_csv('examples/data/norris.csv')
    >>> data.features, data.target, data.x.shape
    (['x'], 'y', (36,))
    """
    names, rows = _read_rows(path)
    if target is None:
        target = names[-1]
    if features is None:
        features = [name for name in names if name != target]
    _check_names(path, names, target, features)
    columns = _numbers(path, names, rows, [*features, target])
    x, y = columns[:, :-1], columns[:, -1]
    _check_features(path, x, features)
    return Data(x[:, 0] if len(features) == 1 else x, y, list(features), target)


def _read_rows(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and each row with the number of its line in the file."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 (byte {error.start + 1} cannot be read)") from None
    if "\0" in text:
        raise DataError(f"{path} is not a text file (it holds a zero byte)")
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if "".join(row).strip() or row[1:]]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    if not lines:
        raise DataError(f"{path} is empty: expected a header line with the names of the columns")

    (_, names), rows = lines[0], lines[1:]
    if len(names) == 1:
        separator = next((mark for mark in (";", "\t", "|") if mark in names[0]), None)
        if separator is not None:
            raise DataError(f"{path}: the columns must be separated by commas, not by {separator!r}")
        raise DataError(f"{path} has one column, {names[0]!r}: a target and at least one feature are needed")
    if all(_is_number(name) for name in names):
        raise DataError(f"{path}: the first line must hold the names of the columns, but it holds numbers")
    repeated = [name for name in names if name and names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: the header has {names.count(repeated[0])} columns named {repeated[0]!r}")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: expected {len(names)} values, as in the header, found {len(row)}")
    return names, rows


def _check_names(path: str | Path, names: list[str], target: str, features: Sequence[str]) -> None:
    for name in [target, *features]:
        if name == "" and name in names:
            number = names.index(name) + 1
            raise DataError(f"{path}: column {number} has no name; choose others with --features and --target")
        if name not in names:
            known = ", ".join(repr(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
            lower = {name.lower(): name for name in names}
            close = difflib.get_close_matches(name.lower(), lower, n=1)
            hint = f"; did you mean {lower[close[0]]!r}?" if close else ""
            raise DataError(f"{path} has no column {name!r}, only {known}{hint}")
        if list(features).count(name) > 1:
            raise DataError(f"the feature {name!r} is named twice")
    if target in features:
        raise DataError(f"{target!r} is the target, so it cannot be a feature as well")
    if not features:
        raise DataError("at least one feature is needed")


def _numbers(path: str | Path, names: list[str], rows: list[tuple[int, list[str]]], chosen: list[str]) -> np.ndarray:
    """Return the chosen columns as an array of floats."""
    places = [(name, names.index(name)) for name in chosen]
    values, missing = [], []
    for line, row in rows:
        gaps = [name for name, place in places if row[place].lower() in MISSING]
        if gaps:
            missing.append((line, gaps[0]))
        for name, place in places:
            cell = row[place]
            if cell.lower() in MISSING:
                continue
            if not _is_number(cell):
                raise DataError(
                    f"{path}, line {line}: column {name!r} is not numeric, it holds {reprlib.repr(cell)}; "
                    "choose the columns with --features and --target"
                )
            if not math.isfinite(float(cell)):
                raise DataError(f"{path}, line {line}: column {name!r} holds {cell!r}, which is not a finite number")
        if not gaps:
            values.append([float(row[place]) for _, place in places])
    if missing:
        (line, name), count = missing[0], len(missing)
        rows_have = "1 row has" if count == 1 else f"{count} rows have"
        raise DataError(f"{path}: {rows_have} missing values; the first is line {line}, column {name!r}")
    if len(values) < len(chosen):
        raise DataError(
            f"{path}: at least {len(chosen)} rows are needed for {len(chosen)} parameters "
            f"(the intercept and one slope for each feature), but the file has {len(values)}"
        )
    columns = np.array(values)
    for name, largest, width in zip(chosen, np.abs(columns).max(axis=0), np.ptp(columns, axis=0)):
        if largest > 1e150 or 0 < width < 1e-150:
            raise DataError(f"{path}: the values of column {name!r} cannot be squared in floating point; rescale them")
    return columns


def _check_features(path: str | Path, x: np.ndarray, features: Sequence[str]) -> None:
    """Refuse columns that leave the parameters undetermined."""
    for name, column in zip(features, x.T):
        if np.ptp(column) == 0:
            raise DataError(
                f"{path}: the feature {name!r} is constant ({column[0]:g} in every row), "
                "so its slope cannot be told from the intercept"
            )
    z = standardise(x)[0]
    if np.linalg.matrix_rank(z) == len(features):
        return
    for count in range(2, len(features) + 1):
        if np.linalg.matrix_rank(z[:, :count]) < count:
            raise DataError(
                f"{path}: the feature {features[count - 1]!r} is a linear combination of the features before it, "
                "so the slopes are not unique; leave it out with --features"
            )


def _is_number(text: str) -> bool:
    """Whether text is a number as files write it: Python alone would also read 1_000."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
