"""Read a CSV file of numbers, and say exactly what is wrong with it when something is."""

from __future__ import annotations

import csv
import difflib
import io
import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data import standardise

MISSING = {"", "na", "n/a", "#n/a", "null", "none"}
LARGEST_FILE = 100_000_000  # bytes: some ten million numbers. To fit more takes minutes, and an endless pipe for ever


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
        A comma-separated file in UTF-8, of at most 100 MB.
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
    lines = _lines(path)
    names = _header(path, lines)
    if target is None:
        target = names[-1]
    if features is None:
        features = [name for name in names if name != target]
    _check_names(path, names, target, features)
    columns = _numbers(path, names, lines, [*features, target])
    x, y = columns[:, :-1], columns[:, -1]
    _check_features(path, x, features)
    return Data(x[:, 0] if len(features) == 1 else x, y, list(features), target)


def _lines(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the values of each line that is not blank; the header comes first."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    if len(data) > LARGEST_FILE:
        raise DataError(f"{path} is larger than {LARGEST_FILE // 10**6} MB, the most that is read")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8 (byte {error.start + 1} cannot be read)") from None
    if b"\0" in data:
        raise DataError(f"{path} is not a text file (it holds a zero byte)")
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if "".join(row).strip() or row[1:]:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None


def _header(path: str | Path, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    """Return the names of the columns."""
    _, names = next(lines, (0, []))
    if not names:
        raise DataError(f"{path} is empty: expected a header line with the names of the columns")
    if len(names) == 1:
        separator = next((mark for mark in (";", "\t", "|") if mark in names[0]), None)
        if separator is not None:
            raise DataError(f"{path}: the columns must be separated by commas, not by {separator!r}")
        raise DataError(f"{path} has one column, {quoted(names[0])}: a target and at least one feature are needed")
    if all(_is_number(name) for name in names):
        raise DataError(f"{path}: the first line must hold the names of the columns, but it holds numbers")
    repeated = _repeated(names)
    if repeated:
        name, count = repeated
        raise DataError(f"{path}: the header has {count} columns named {quoted(name)}")
    return names


def _repeated(names: Sequence[str]) -> tuple[str, int] | None:
    """The first name that occurs more than once, and how often. (A column that is not used needs no name.)"""
    return next(((name, count) for name, count in Counter(names).items() if name and count > 1), None)


def _check_names(path: str | Path, names: list[str], target: str, features: Sequence[str]) -> None:
    known = set(names)
    for name in [target, *features]:
        if name == "" and name in known:
            number = names.index(name) + 1
            raise DataError(f"{path}: column {number} has no name; choose others with --features and --target")
        if name not in known:
            listed = ", ".join(map(quoted, names[:20])) + (", ..." if len(names) > 20 else "")
            lower = {name.lower(): name for name in names}
            close = difflib.get_close_matches(name.lower(), lower, n=1)
            hint = f"; did you mean {quoted(lower[close[0]])}?" if close else ""
            raise DataError(f"{path} has no column {quoted(name)}, only {listed}{hint}")
    repeated = _repeated(features)
    if repeated:
        raise DataError(f"the feature {quoted(repeated[0])} is named twice")
    if target in features:
        raise DataError(f"{quoted(target)} is the target, so it cannot be a feature as well")
    if not features:
        raise DataError("at least one feature is needed")


def _numbers(
    path: str | Path, names: list[str], lines: Iterator[tuple[int, list[str]]], chosen: list[str]
) -> np.ndarray:
    """Return the chosen columns as an array of floats."""
    place_of = {name: place for place, name in enumerate(names)}
    places = [(name, place_of[name]) for name in chosen]
    values, missing = array("d"), []
    for line, row in lines:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: expected {len(names)} values, as in the header, found {len(row)}")
        gap = None
        for name, place in places:
            cell = row[place]
            if cell.lower() in MISSING:
                gap = gap or name
                continue
            if not _is_number(cell):
                raise DataError(
                    f"{path}, line {line}: column {quoted(name)} is not numeric, it holds {quoted(cell)}; "
                    "choose the columns with --features and --target"
                )
            values.append(float(cell))
            if not math.isfinite(values[-1]):
                holds = f"column {quoted(name)} holds {quoted(cell)}"
                raise DataError(f"{path}, line {line}: {holds}, which is not a finite number")
        if gap:
            missing.append((line, gap))
    if missing:
        (line, name), count = missing[0], len(missing)
        rows_have = "1 row has" if count == 1 else f"{count} rows have"
        raise DataError(f"{path}: {rows_have} missing values; the first is line {line}, column {quoted(name)}")
    columns = np.array(values).reshape(-1, len(chosen))
    if len(columns) < len(chosen):
        raise DataError(
            f"{path}: at least {len(chosen)} rows are needed for {len(chosen)} parameters "
            f"(the intercept and one slope for each feature), but the file has {len(columns)}"
        )
    with np.errstate(over="ignore"):  # a width that overflows is too large as well
        widths = np.ptp(columns, axis=0)
    for name, largest, width in zip(chosen, np.abs(columns).max(axis=0), widths):
        if largest > 1e150 or 0 < width < 1e-150:
            raise DataError(
                f"{path}: the values of column {quoted(name)} cannot be squared in floating point; rescale them"
            )
    return columns


def _check_features(path: str | Path, x: np.ndarray, features: Sequence[str]) -> None:
    """Refuse columns that leave the parameters undetermined."""
    for name, column in zip(features, x.T):
        if np.ptp(column) == 0:
            raise DataError(
                f"{path}: the feature {quoted(name)} is constant ({column[0]:g} in every row), "
                "so its slope cannot be told from the intercept"
            )
    z = standardise(x)[0]

    def is_dependent(count: int) -> bool:
        return bool(np.linalg.matrix_rank(z[:, :count]) < count)

    if is_dependent(len(features)):
        # If some features are dependent, they are with more features too: so the first is found by halving.
        count = bisect_left(range(len(features)), True, lo=2, key=is_dependent)
        raise DataError(
            f"{path}: the feature {quoted(features[count - 1])} is a linear combination of the features before it, "
            "so the slopes are not unique; leave it out with --features"
        )


def _is_number(text: str) -> bool:
    """Whether text is a number as files write it: Python alone would also read 1_000."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def printable(text: str) -> str:
    """Escape what has no shape of its own, so that no name in a file can steer the terminal."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def cut(text: str, most: int = 60) -> str:
    """Text that is no longer than that."""
    return text if len(text) <= most else text[: most - 3] + "..."


def quoted(text: str) -> str:
    """Text from a file or a command line, for the middle of a message."""
    return repr(cut(text))
