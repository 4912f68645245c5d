"""Open one file of columns, whatever its format, and find out how it is written: CSV and its relatives, Excel, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import warnings
import zipfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from .cells import Cells, DataError, listed, quoted
from .numerals import decimal_marks

LARGEST_FILE = 100_000_000  # bytes: some ten million numbers. To fit more takes minutes, and an endless pipe for ever
STANDARD_INPUT = "-"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
SAMPLE = 50  # lines that are enough to see what separates the columns
# How the content of a file begins that is neither text nor Excel nor Parquet, and what to do about it.
FOREIGN = {
    b"\xd0\xcf\x11\xe0": "is from an Excel before 2007, or has a password; save it as a plain .xlsx file or as CSV",
    b"%PDF": "is a PDF document; save the table in it as CSV",
    b"BZh": "is compressed with bzip2; unpack it first",
    b"\xfd7zXZ": "is compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first",
    b"7z\xbc\xaf": "is an archive of 7-Zip; unpack it first",
}


@dataclass(frozen=True)
class Format:
    """How a file is written. What is None is found out.

    Attributes
    ----------
    delimiter : str, optional
        The character that separates the columns of a text file.
    decimal : str, optional
        The decimal mark of the numbers in text: "." or ",".
    encoding : str, optional
        The encoding of a text file, by the name that Python has for it.
    sheet : str, optional
        The name of a sheet of an Excel file.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None


@dataclass
class Table:
    """An open file, of which the names of the columns are known and the rows not yet read.

    Attributes
    ----------
    source : str
        The file, as messages name it.
    names : list of str
        The names of all columns, "" where there is none.
    found : list of str
        What was found out about how the file is written, if it is not plain CSV.
    encoding : str
        The encoding of a text that is not in UTF-8.
    has_decimal_points : bool
        Whether the format leaves no doubt that a point in a number is a decimal point.
    """

    source: str
    names: list[str]
    found: list[str] = field(default_factory=list)
    encoding: str = ""
    has_decimal_points: bool = False

    def read(self, chosen: Iterable[str]) -> Cells:
        """Read all rows of the chosen columns. This can be done once."""
        raise NotImplementedError


def open_table(path: str | Path, how: Format = Format()) -> Table:
    """Open a file: text (CSV and what is like it), Excel or Parquet, plain or compressed with gzip.

    Parameters
    ----------
    path : str or Path
        The file, of at most 100 MB; "-" is standard input.
    how : Format
        How the file is written, where that is known.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file cannot be read, or its header does not name columns.

    Examples
    --------
    >>> table = open_table('examples/data/norris.csv')
    >>> table.names, table.read(['y']).columns['y'][:3]
    (['x', 'y'], ['0.1', '338.8', '118.1'])
    """
    source = "standard input" if str(path) == STANDARD_INPUT else str(path)
    data, found = _content(path, source), []
    if data.startswith(b"\x1f\x8b"):
        data, found = _unpacked(source, data), ["gzip"]
    table: Table
    if data.startswith(b"PK\x03\x04"):
        table = _sheet(source, data, how.sheet)
    elif data.startswith(b"PAR1"):
        table = _parquet(source, data)
    else:
        table = text_table(source, data, how)
    table.found[:0] = found
    check_header(table)
    return table


def _content(path: str | Path, source: str) -> bytes:
    """The bytes of a file, or of standard input."""
    try:
        if str(path) == STANDARD_INPUT:
            if sys.stdin is None:
                raise DataError("standard input is closed")
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}") from None
    return _of_bearable_size(source, data)


def _unpacked(source: str, data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{source} is compressed with gzip, and cannot be unpacked: {error}") from None
    return _of_bearable_size(source, data)


def _of_bearable_size(source: str, data: bytes) -> bytes:
    if len(data) > LARGEST_FILE:
        raise DataError(f"{source} is larger than {LARGEST_FILE // 10**6} MB, the most that is read")
    return data


def check_header(table: Table) -> None:
    """Refuse names that cannot tell the columns apart."""
    names = table.names
    if not names:
        raise DataError(f"{table.source} is empty: expected a header line with the names of the columns")
    if not isinstance(table, _Parquet) and all(map(decimal_marks, names)):
        raise DataError(f"{table.source}: the first line must hold the names of the columns, but it holds numbers")
    name, count = Counter(filter(None, names)).most_common(1)[0] if any(names) else ("", 0)
    if count > 1:
        raise DataError(f"{table.source}: the header has {count} columns named {quoted(name)}")


def name_of(header: Any) -> str:
    """The name of a column without line breaks, and "" if there is none: pandas writes "Unnamed: 0" for that."""
    name = " ".join(str(header).split()) if header is not None and header == header else ""
    return "" if re.fullmatch(r"Unnamed: \d+", name) else name


# ---- Text -----------------------------------------------------------------------------------------------------------


@dataclass
class _Text(Table):
    """A text file with a header line."""

    rows: Iterator[tuple[int, list[str]]] = iter(())
    delimiter: str = ","

    def read(self, chosen: Iterable[str]) -> Cells:
        place_of = {name: place for place, name in enumerate(self.names)}
        columns: dict[str, list[str]] = {name: [] for name in chosen}
        filled = [(place_of[name], column) for name, column in columns.items()]
        lines = array("L")
        for line, row in self.rows:
            if len(row) != len(self.names):
                raise DataError(
                    f"{self.source}, line {line}: expected {len(self.names)} values, as in the header, found {len(row)}"
                )
            lines.append(line)
            for place, column in filled:
                column.append(row[place])
        return Cells(self.source, lines, columns)


def text_table(source: str, data: bytes, how: Format) -> _Text:
    encoding, in_words = _encoding(source, data, how.encoding)

    def lines() -> Iterator[str]:
        return io.TextIOWrapper(io.BytesIO(data), encoding, newline="")

    start = list(islice(lines(), SAMPLE))
    named = re.fullmatch(r'sep=([^\w"\r\n])\s*', start[0]) if start else None  # Excel's own way to say it
    delimiter = how.delimiter or (named[1] if named else _delimiter(start))
    rows = _rows(source, lines(), delimiter)
    if named:
        next(rows)
    _, header = next(rows, (0, []))
    found = [SEPARATORS.get(delimiter, f"columns separated by {delimiter!r}")] if delimiter != "," else []
    return _Text(source, list(map(name_of, header)), found, in_words, delimiter == ",", rows, delimiter)


def _encoding(source: str, data: bytes, encoding: str | None) -> tuple[str, str]:
    """The encoding of a text, and what to call it if it is not UTF-8 and was found out."""
    in_words = ""
    marks = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\xef\xbb\xbf": "UTF-8-sig"}
    marked = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    if encoding is None:
        encoding = marked or "UTF-8"
        # What is not UTF-8 is most often the encoding of Windows. Latin-1 is the same without 27 of its characters.
        if marked is None and not _fits(data, "UTF-8") and _fits(data, "cp1252"):
            encoding = "Latin-1" if re.search(rb"[\x80-\x9f]", data) is None else "cp1252"
        if encoding not in ("UTF-8", "UTF-8-sig"):
            in_words = "Windows-1252" if encoding == "cp1252" else encoding
    elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "UTF-8-sig"
    foreign = next((remedy for magic, remedy in FOREIGN.items() if data.startswith(magic)), None)
    if foreign:
        raise DataError(f"{source} {foreign}")
    try:
        text = data.decode(encoding)
    except LookupError:
        raise DataError(
            f"--encoding: Python knows no encoding {quoted(encoding)}; among many others it knows utf-8, utf-16, "
            "latin-1, cp1252, cp1251, mac-roman, shift-jis and gb18030"
        ) from None
    except UnicodeError as error:
        # A codec that leaves out the byte order mark counts from behind it.
        start = getattr(error, "start", 0) + (3 if encoding == "UTF-8-sig" and data.startswith(b"\xef\xbb\xbf") else 0)
        name = "UTF-8" if encoding == "UTF-8-sig" else encoding
        raise DataError(
            f"{source} is not a text file in {name} (byte {start + 1} cannot be read); name its encoding with --encoding"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{source} is not a text file (it holds a zero byte); if it is UTF-16, say --encoding utf-16-le"
        )
    return encoding, in_words


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _reader(lines: Iterable[str], delimiter: str) -> Any:
    if delimiter == " ":
        lines = (line.rstrip(" \r\n") + "\n" for line in lines)  # spaces at the end separate nothing
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True)


def _rows(source: str, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the values of each line that is not blank; the header comes first."""
    reader = _reader(lines, delimiter)
    try:
        for row in reader:
            if "".join(row).strip() or row[1:]:
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: {error}") from None


def _sample(start: list[str], delimiter: str) -> Iterator[list[str]]:
    """The first rows that are not blank, up to a fault. It may be that a quoted text goes on behind the sample."""
    try:
        for row in _reader(start, delimiter):
            if "".join(row).strip():
                yield row
    except csv.Error:
        return


def _delimiter(start: list[str]) -> str:
    """The character that separates the columns: it divides the lines as it divides the header, and into numbers.

    Spaces also stand between words. They count only where nothing else divides the header.
    """
    best, most = ",", (0.0, 0.0)
    for delimiter in SEPARATORS:
        if delimiter == " " and most > (0, 0):
            break
        header, *rows = list(_sample(start, delimiter)) or [[]]
        if len(header) < 2:
            continue
        alike = sum(len(row) == len(header) for row in rows) / max(len(rows), 1)
        cells = [cell for row in rows for cell in row]
        numeric = sum(bool(decimal_marks(cell)) for cell in cells) / max(len(cells), 1)
        if delimiter == " " and alike < 1:
            continue
        # A header alone has nothing but this to show.
        score = (alike, numeric) if rows else (1e-3, 0.0)
        if score > most:
            best, most = delimiter, score
    return best


# ---- Excel and Parquet ----------------------------------------------------------------------------------------------


@contextmanager
def read_by(library: str, source: str, kind: str) -> Iterator[None]:
    """Say in one line that a library is missing, or what it finds wrong with a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and settings of a sheet, which do not matter here
            yield
    except (DataError, MemoryError):
        raise
    except ImportError:
        raise DataError(f"{source} is {kind}: to read it, install {library} (pip install {library})") from None
    except Exception as error:  # these libraries have errors of many kinds
        raise DataError(f"{source} cannot be read as {kind}: {' '.join(str(error).split())}") from None


@dataclass
class _Sheet(Table):
    """A sheet of an Excel file, whose first row holds the names."""

    rows: list[tuple[int, tuple]] = field(default_factory=list)

    def read(self, chosen: Iterable[str]) -> Cells:
        place_of = {name: place for place, name in enumerate(self.names)}
        columns = {name: [row[place_of[name]] for _, row in self.rows] for name in chosen}
        return Cells(self.source, [line for line, _ in self.rows], columns, "row")


def _sheet(source: str, data: bytes, sheet: str | None) -> _Sheet:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            is_excel = any(name.startswith("xl/workbook") for name in archive.namelist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{source} is a ZIP archive, and cannot be unpacked: {error}") from None
    if not is_excel:
        raise DataError(f"{source} is a ZIP archive, but not an .xlsx file; unpack it, or save it as .xlsx or as CSV")
    if size > 10 * LARGEST_FILE:
        raise DataError(f"{source} would be unpacked larger than {LARGEST_FILE // 10**5} MB, the most that is read")
    with read_by("openpyxl", source, "an Excel file"):
        import openpyxl

        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = book.sheetnames
        if sheet is not None and sheet not in sheets:
            raise DataError(f"{source} has no sheet {quoted(sheet)}, only {listed(sheets)}")
        rows = list(enumerate(book[sheet or sheets[0]].iter_rows(values_only=True), 1))
    rows = [(line, row) for line, row in rows if any(cell is not None and str(cell).strip() for cell in row)]
    # A sheet may have a format, but no value, in columns behind the last.
    width = max((place for _, row in rows for place, cell in enumerate(row, 1) if cell is not None), default=0)
    rows = [(line, (row + width * (None,))[:width]) for line, row in rows]
    names = [name_of(cell) for cell in rows[0][1]] if rows else []
    found = [f"the sheet {quoted(sheets[0])}, the first of {len(sheets)}"] if sheet is None and sheets[1:] else []
    return _Sheet(source, names, found, rows=rows[1:])


@dataclass
class _Parquet(Table):
    """A Parquet file, of which only the chosen columns are read."""

    file: Any = None

    def read(self, chosen: Iterable[str]) -> Cells:
        chosen, count = list(chosen), self.file.metadata.num_rows
        if count * len(chosen) > LARGEST_FILE // 2:
            raise DataError(f"{self.source} holds more than {LARGEST_FILE // 2:,} values, the most that is read")
        with read_by("pyarrow", self.source, "a Parquet file"):
            stored_as = dict(zip(self.names, self.file.schema_arrow.names))
            stored = [stored_as[name] for name in chosen]
            table = self.file.read(columns=stored)
            columns = {name: _values(table[column]) for name, column in zip(chosen, stored)}
        return Cells(self.source, range(1, count + 1), columns, "row")


def _values(column: Any) -> Sequence[Any]:
    """The values of a column of pyarrow: an array of floats if it holds numbers, otherwise a list."""
    import pyarrow.types as types

    if types.is_floating(column.type) or types.is_integer(column.type):
        return column.cast("float64", safe=False).to_numpy()  # what is missing becomes NaN
    return column.to_pylist()


def _parquet(source: str, data: bytes) -> _Parquet:
    with read_by("pyarrow", source, "a Parquet file"):
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        names = parquet_names(file)
    return _Parquet(source, names, file=file)


def parquet_names(file: Any) -> list[str]:
    """The names of the columns of an open Parquet file."""
    names = file.schema_arrow.names
    # pandas stores an index without a name under this one.
    return ["" if re.fullmatch(r"__index_level_\d+__", name) else name_of(name) for name in names]
