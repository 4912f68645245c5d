"""Divide files that are too large for memory into parts of their rows: text, Parquet, and arrays of NumPy (.npy).

The names of the columns, and how text is written, are found out as for any file (`linear.files`), from its first lines. The
rows are read by pyarrow. It is much faster than `linear.read_csv`, and it takes nothing but plain numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .cells import DataError, option, quoted
from .choice import Choice, check_same_columns, choose
from .files import STANDARD_INPUT, Format, text_table
from .numerals import MISSING, decimal_marks, read_numbers
from .pandas_files import kind_of, parquet_columns, read_by
from .reading import files_of
from .tables import LARGEST_FILE, Table, check_header

START = 1 << 16  # bytes at the start of a file; the header and the first rows are read from them
PART = 1 << 25  # bytes that a part takes in memory, about
TEXT_PART = PART >> 1  # and in a text file
NUMPY, PARQUET = b"\x93NUMPY", b"PAR1"
SUFFIXES = {".csv", ".tsv", ".txt", ".parquet", ".npy"}


@dataclass(frozen=True)
class Part:
    """Rows of a file. It is sent to the process that reads them.

    Called, it returns them as a part for `minigrad.parts`: (x, y), in the shapes that `linear_model` takes.

    Attributes
    ----------
    path, source : str
        The file, and what messages call it.
    names : tuple of str
        The chosen columns: the features, then the targets.
    places : tuple
        Where these columns are in the file: their numbers, or in Parquet files their names.
    targets : int
        How many of them are targets.
    start, stop : int
        The rows, counted from 0; in a text file the bytes.
    drop : bool
        Whether rows with missing values are left out. Otherwise they are refused.
    """

    path: str
    source: str
    names: tuple[str, ...]
    places: tuple
    targets: int
    start: int
    stop: int
    drop: bool

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        return in_shapes(self.columns()[0], self.targets)

    def __repr__(self) -> str:
        return f"{self.source}, rows {self.start + 1:,} to {self.stop:,}"

    def columns(self) -> tuple[np.ndarray, int]:
        """Return the chosen columns as an array of shape (rows, columns), and how many rows are left out."""
        values = self.read()
        is_good = np.isfinite(values)
        if is_good.all():
            return values, 0
        gaps = np.isnan(values).any(axis=1) if self.drop else np.zeros(len(values), bool)
        bad = np.argwhere(~is_good & ~gaps[:, None])
        if len(bad):
            row, column = bad[0]
            place, name = self.place(int(row)), quoted(self.names[column])
            if np.isnan(values[row, column]):
                raise DataError(f"{place}: the column {name} has no value; leave such rows out with --missing drop")
            raise DataError(f"{place}: the column {name} holds an infinite number")
        return values[~gaps], int(gaps.sum())

    def read(self) -> np.ndarray:
        """Return the chosen columns, NaN where a value is missing."""
        raise NotImplementedError

    def place(self, row: int) -> str:
        """Where a row of the part stands, for messages."""
        return f"{self.source}, row {self.start + row + 1}"


def in_shapes(values: np.ndarray, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y in the shapes that `linear_model` takes, from an array with the targets in its last columns."""
    x, y = values[:, :-targets], values[:, -targets:]
    if targets > 1:
        return x, y
    return x[:, 0] if x.shape[1] == 1 else x, y[:, 0]


@dataclass(frozen=True)
class Rows:
    """The rows to fit.

    Attributes
    ----------
    choice : Choice
        The columns.
    parts : list of Part
    source : str
        The file or the files, as messages name them.
    size : int
        How many bytes the files have.
    notes : list of str
        What was found out about the files.
    """

    choice: Choice
    parts: list[Part]
    source: str
    size: int
    notes: list[str]


def in_folders(paths: Sequence[str]) -> list[str]:
    """Put the files of a folder in its place: those whose names end in .csv, .tsv, .txt, .parquet or .npy.

    Examples
    --------
    >>> [Path(path).name for path in in_folders(['examples/data', 'part-*.csv'])]
    ['breast_cancer.csv', 'longley.csv', 'norris.csv', 'part-*.csv']
    """
    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside = [file for file in Path(path).iterdir() if file.name[0] not in "._"]
        files = sorted(str(file) for file in inside if file.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"the folder {quoted(path)} has no file whose name ends in {', '.join(sorted(SUFFIXES))}")
        found += files
    return found


def are_large(paths: Sequence[str]) -> bool:
    """Whether files are to be read in parts: if they have more than 100 MB together, or if one is an .npy file."""
    if STANDARD_INPUT in paths:
        return False
    files = [file for file in files_of(paths) if os.path.isfile(file)]
    return sum(map(os.path.getsize, files)) > LARGEST_FILE or any(_start(file, 6) == NUMPY for file in files)


def rows_of(
    paths: Sequence[str],
    target: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    *,
    drop: Sequence[str] = (),
    missing: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    **others: Any,
) -> Rows:
    """Look into files, and divide them into parts. The options are those of `linear.read_csv`.

    Raises
    ------
    DataError
        If a file cannot be read, if the files do not have the same columns, or if an option needs all values at once.
    """
    for name in others:
        raise DataError(f"--{name.replace('_', '-')} cannot be used with so many rows: prepare such columns in the files")
    if missing == "mean":
        raise DataError("--missing mean cannot be used with so many rows: the mean is known at the end; use --missing drop")
    files = files_of(paths)
    tables = [_open(file, Format(delimiter, decimal, encoding)) for file in files]
    check_same_columns(tables)
    choice = choose(tables[0], target, features, drop)
    chosen = [*choice.features, *choice.targets]
    parts: list[Part] = []
    for file, table in zip(files, tables):
        blank = Part(os.path.abspath(file), file, tuple(chosen), (), len(choice.targets), 0, 0, missing == "drop")
        parts += table.parts(blank, choice, decimal)
    named = ", ".join(files[:3]) + (", ..." if files[3:] else "")
    source = files[0] if len(files) == 1 else f"{len(files)} files ({named})"
    notes = list(dict.fromkeys(note for table in tables for note in (*table.found, table.encoding) if note))
    return Rows(choice, parts, source, sum(map(os.path.getsize, files)), [*notes, *choice.notes])


def _start(file: str, count: int) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from None


def _open(file: str, how: Format) -> Any:
    if file == STANDARD_INPUT:
        raise DataError("standard input cannot be read twice, and so many rows take two passes: write them to a file")
    start = _start(file, START)
    if start.startswith(NUMPY):
        table: Table = _open_numpy(file)
    elif start.startswith(PARQUET):
        table = _open_parquet(file)
    elif start.startswith(b"\x1f\x8b"):
        raise DataError(f"{file} is compressed, so it cannot be read in parts; unpack it, or save it as Parquet")
    elif kind := kind_of(start):
        raise DataError(f"{file} is {kind.in_words}, which cannot be read in parts; save it as Parquet")
    else:
        table = _open_text(file, start, how)
    check_header(table)
    return table


def _pieces(count: int, most: int) -> list[tuple[int, int]]:
    """Divide so many rows, or bytes, evenly into pieces that have no more than that.

    Examples
    --------
    >>> _pieces(10, 4)
    [(0, 3), (3, 6), (6, 10)]
    """
    pieces = max(-(-count // most), 1)
    cuts = [count * i // pieces for i in range(pieces + 1)]
    return list(zip(cuts, cuts[1:]))


# ---- Arrays of NumPy ------------------------------------------------------------------------------------------------


class _NumpyPart(Part):
    """Rows of an array in an .npy file. Only they are read from the disk."""

    def read(self) -> np.ndarray:
        array = np.load(self.path, mmap_mode="r")[self.start : self.stop]
        if array.dtype.names:
            return np.column_stack([array[name] for name in self.places]).astype(float, copy=False)
        return array[:, list(self.places)].astype(float, copy=False)


class _Numpy(Table):
    """An open .npy file."""

    shape: tuple[int, ...]
    width: int
    is_structured: bool

    def parts(self, blank: Part, choice: Choice, decimal: str | None) -> list[Part]:
        places = blank.names if self.is_structured else tuple(map(self.names.index, blank.names))
        pieces = _pieces(self.shape[0], max(PART // self.width, 1))
        return [_NumpyPart(**vars(replace(blank, places=places, start=start, stop=stop))) for start, stop in pieces]


def _open_numpy(file: str) -> _Numpy:
    try:
        array = np.load(file, mmap_mode="r")
    except (ValueError, EOFError) as error:  # it ends too early, or holds objects
        raise DataError(f"{file} cannot be read as an array of NumPy: {' '.join(str(error).split())}") from None
    kinds = [array.dtype[name].kind for name in array.dtype.names] if array.dtype.names else [array.dtype.kind]
    if not set(kinds) <= set("biuf") or array.ndim != (1 if array.dtype.names else 2):
        raise DataError(
            f"{file}: expected an array of real numbers with rows and columns, or one with named fields, "
            f"found shape {array.shape} and dtype {array.dtype}"
        )
    names = list(array.dtype.names or (f"c{number}" for number in range(1, array.shape[1] + 1)))
    table = _Numpy(file, names, [] if array.dtype.names else [f"the columns are called c1 to c{len(names)}"])
    table.shape, table.width, table.is_structured = array.shape, 8 * len(names), bool(array.dtype.names)
    return table


# ---- Parquet --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class _ParquetPart(Part):
    """Groups of rows of a Parquet file, in which the rows stand together."""

    groups: tuple[int, ...] = ()

    def read(self) -> np.ndarray:
        with read_by("pyarrow", self.source, "a Parquet file"):
            import pyarrow.parquet

            # Column by column, so that no second copy of the part is in memory.
            with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as file:
                values = np.empty((self.stop - self.start, len(self.places)))
                for i, name in enumerate(self.places):
                    column = file.read_row_groups(self.groups, columns=[name], use_threads=False)[0]
                    values[:, i] = column.cast("float64", safe=False).to_numpy()  # what is missing becomes NaN
        return values


class _Parquet(Table):
    """An open Parquet file."""

    stored: list[str]
    types: list[Any]
    group_rows: list[int]

    def parts(self, blank: Part, choice: Choice, decimal: str | None) -> list[Part]:
        import pyarrow.types as types

        numbers = [self.names.index(name) for name in blank.names]
        for name, number in zip(blank.names, numbers):
            kind = self.types[number]
            if not (types.is_floating(kind) or types.is_integer(kind)):
                advice = f"numbers are needed; leave it out with --drop {option(name)}"
                raise DataError(f"{self.source}: the column {quoted(name)} holds values of type {kind}, and {advice}")
        places = tuple(self.stored[number] for number in numbers)
        most = max(PART // (8 * len(places)), 1)
        parts: list[Part] = []
        start = stop = 0
        groups: list[int] = []
        for group, rows in enumerate(self.group_rows):
            stop += rows
            groups.append(group)
            following = self.group_rows[group + 1] if group + 1 < len(self.group_rows) else most
            if stop - start + following > most:
                fields = vars(replace(blank, places=places, start=start, stop=stop))
                parts.append(_ParquetPart(**fields, groups=tuple(groups)))
                start, groups = stop, []
        return parts


def _open_parquet(file: str) -> _Parquet:
    with read_by("pyarrow", file, "a Parquet file"):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(file) as stored:
            columns, names = parquet_columns(stored.schema_arrow)
            table = _Parquet(file, names, has_header_row=False)
            table.stored, types = columns, dict(zip(stored.schema_arrow.names, stored.schema_arrow.types))
            table.types = [types[name] for name in columns]
            table.group_rows = [stored.metadata.row_group(i).num_rows for i in range(stored.metadata.num_row_groups)]
    return table


# ---- Text -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class _TextPart(Part):
    """Whole lines of a text file.

    Attributes
    ----------
    width : int
        How many columns the file has.
    delimiter : str
    decimal : str
        The decimal mark.
    is_sure : bool
        Whether the decimal mark is known. Otherwise it is taken for a point, and each part makes sure of that.
    """

    width: int = 0
    delimiter: str = ","
    decimal: str = "."
    is_sure: bool = True

    def __repr__(self) -> str:
        return f"{self.source}, bytes {self.start + 1:,} to {self.stop:,}"

    def read(self) -> np.ndarray:
        with open(self.path, "rb") as file:
            file.seek(self.start)
            data = file.read(self.stop - self.start)
        if not data.strip():
            return np.empty((0, len(self.places)))
        if data.count(b'"') % 2:
            why = "a text in quotes goes on in the next line, so the file cannot be divided"
            raise DataError(f"{self!r}: {why}; save it as Parquet")
        with read_by("pyarrow", self.source, "text of this size"):
            import pyarrow
            from pyarrow import csv

            names = [str(number) for number in range(self.width)]
            chosen = [names[place] for place in self.places]

            def table(kind: Any) -> Any:
                return csv.read_csv(
                    pyarrow.BufferReader(data),
                    csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data)),
                    csv.ParseOptions(delimiter=self.delimiter),
                    csv.ConvertOptions(
                        include_columns=chosen,
                        column_types=dict.fromkeys(chosen, kind),
                        null_values=_MISSING,
                        decimal_point=self.decimal,
                    ),
                )

            try:
                numbers = table(pyarrow.float64())
            except pyarrow.ArrowInvalid as error:
                raise self.invalid(str(error)) from None
            if not self.is_sure and b"." in data:
                self.check_points(table(pyarrow.string()))
            return np.column_stack([numbers[name].to_numpy() for name in chosen])

    def check_points(self, table: Any) -> None:
        """Refuse numbers such as 204.024 if no other one shows that the point is a decimal mark."""
        first = None
        for name, column in zip(self.names, table.columns):
            for row, text in enumerate(column.to_pylist()):
                if text and "." in text:
                    if len(decimal_marks(text.strip())) == 1:
                        return
                    first = first or (row, name, text)
        if first is not None:
            row, name, text = first
            raise DataError(
                f"{self.place(row)}: the column {quoted(name)} holds {quoted(text)}, and no number near it says that a point is "
                "a decimal mark; if it is, say --decimal ."
            )

    def invalid(self, problem: str) -> DataError:
        """Say in which line a value is that is not a number, from the message of pyarrow."""
        row = re.search(r"Row #(\d+)", problem)
        place = self.place(int(row[1]) - 1) if row else repr(self)
        value = re.search(r"invalid value '(.*)'", problem, re.DOTALL)
        column = re.search(r"CSV column #(\d+)", problem)
        if value and column:
            name = quoted(dict(zip(self.places, self.names)).get(int(column[1]), "?"))
            holds = f"the column {name} holds {quoted(value[1])}"
            return DataError(f"{place}: {holds}, and in so many rows it must be a plain number")
        count = re.search(r"Expected (\d+) columns, got (\d+)", problem)
        if count:
            return DataError(f"{place}: expected {count[1]} values, as in the header, found {count[2]}")
        return DataError(f"{place}: {' '.join(problem.split())}")

    def place(self, row: int) -> str:
        with open(self.path, "rb") as file:
            line = 1
            while file.tell() < self.start:
                line += file.read(min(self.start - file.tell(), 1 << 20)).count(b"\n")
            lines = enumerate(file.read(self.stop - self.start).split(b"\n"), line)
        filled = [number for number, text in lines if text.strip(b"\r")]
        return f"{self.source}, line {filled[row]}" if row < len(filled) else repr(self)


# pyarrow takes them as they are written.
_FORMS = {form(text) for text in MISSING for form in (str.lower, str.upper, str.title)} | {"NaN"}
_MISSING = sorted(space + form for form in _FORMS for space in ("", " "))


class _Text(Table):
    """A text file. Its first lines are known."""

    start: Any  # a table of the first lines
    first: int  # the byte at which the rows begin
    size: int

    def parts(self, blank: Part, choice: Choice, decimal: str | None) -> list[Part]:
        cells = self.start.read(blank.names)
        # If the first rows are not numbers, this says what is wrong.
        read_numbers(cells, list(blank.names), decimal, self.start.has_decimal_points, choice.targets)
        is_sure = decimal is not None or self.start.has_decimal_points
        if decimal is None:
            texts = [text for column in cells.columns.values() for text in column if "," in text or "." in text]
            with_commas = any("," in text for text in texts)
            decimal = "," if with_commas and self.start.delimiter != "," else "."
            is_sure = is_sure or any(len(decimal_marks(text)) == 1 for text in texts)
        common = vars(replace(blank, places=tuple(map(self.names.index, blank.names))))
        rest = {"width": len(self.names), "delimiter": self.start.delimiter, "decimal": decimal, "is_sure": is_sure}
        cuts = [self.first]
        with open(self.source, "rb") as file:
            for _, stop in _pieces(self.size - self.first, TEXT_PART):
                file.seek(max(self.first + stop - 1, cuts[-1]))
                file.readline()
                cuts.append(file.tell())
        return [
            _TextPart(**(common | {"start": start, "stop": stop}), **rest)
            for start, stop in zip(cuts, cuts[1:])
            if stop > start
        ]


def _open_text(file: str, start: bytes, how: Format) -> _Text:
    size = os.path.getsize(file)
    while size > len(start) and start.count(b"\n") < 20 and len(start) < LARGEST_FILE:
        start = _start(file, 4 * len(start))  # wide lines
    if size > len(start):
        start = start[: start.rfind(b"\n") + 1]
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
        raise DataError(f"{file} is in UTF-16, which cannot be divided at its bytes; save it as UTF-8, or as Parquet")
    head = text_table(file, start, how)
    table = _Text(file, head.names, head.found, head.encoding, hint=head.hint)
    table.start, table.size = head, size
    table.first = _end_of_header(start)
    return table


def _end_of_header(start: bytes) -> int:
    """The byte behind the header, which is the first line that is neither blank nor Excel's line of the separator."""
    end = 0
    for line in start.splitlines(keepends=True):
        end += len(line)
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if text and not (text.startswith(b"sep=") and len(text) <= 5):
            break
    return end
