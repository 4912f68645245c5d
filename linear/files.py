"""Open one file of columns, whatever its format, and find out how it is written.

Text (CSV and similar formats) needs NumPy and the csv module alone. All other formats are read by pandas.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .cells import Cells, DataError, quoted
from .numerals import decimal_marks
from .pandas_files import frame_table, kind_of
from .tables import LARGEST_FILE, Table, check_header, name_of

STANDARD_INPUT = "-"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
SAMPLE = 50  # lines that are enough to see what separates the columns
# How the content of a file begins that cannot be read, as a regular expression, and what to do about it.
FOREIGN = {
    rb"%PDF-": "is a PDF document; save the table in it as CSV",
    rb"BZh\d1AY": "is compressed with bzip2; unpack it first",
    rb"\xfd7zXZ": "is compressed with xz; unpack it first",
    rb"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first",
    rb"7z\xbc\xaf": "is an archive of 7-Zip; unpack it first",
    rb"\x89HDF": "is an HDF5 file; save the table in it as Parquet or as CSV",
    rb"\$FL[23]@": "is a file of SPSS; save it as a Stata file (.dta) or as CSV",
    rb"\x80[\x02-\x05]": "is a pickle of Python, which is not opened, because it may run programs; "
    "save the table as Parquet or CSV",
    rb"(?i)\s*<(?:!doctype|html|table|\?xml)": "is a page of HTML or XML; "
    "open it in a spreadsheet program, and save it as .xlsx or CSV",
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
        The name of a sheet of a spreadsheet.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None


def open_table(path: str | Path, how: Format = Format()) -> Table:
    """Open a file: text (CSV and similar formats), or one of the other `KINDS`, plain or compressed with gzip.

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
    kind = kind_of(data)
    table: Table = frame_table(source, data, kind, how.sheet) if kind else text_table(source, data, how)
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


# ---- Text -----------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Text(Table):
    """A text file with a header line.

    Attributes
    ----------
    rows : iterator
        The number and the values of each line below the header that is not blank.
    lines : callable
        Returns an iterator over all lines.
    header : int
        The number of the line in which the header ends.
    delimiter : str
    decimal : str, optional
        The decimal mark, where it is given.
    """

    rows: Iterator[tuple[int, list[str]]]
    lines: Callable[[], Iterator[str]]
    header: int
    delimiter: str
    decimal: str | None

    def plain_numbers(self, chosen: Iterable[str]) -> Cells | None:
        place_of = {name: place for place, name in enumerate(self.names)}
        chosen = list(chosen)
        places = [place_of[name] for name in chosen]
        lines = list(islice(self.lines(), self.header, None))
        # The csv module divides lines in the same way if none has quotes, and all have as many values as the header.
        count = len(self.names) - 1
        is_even = all(line.count(self.delimiter) == count and '"' not in line for line in lines)
        if not lines or not is_even or self.delimiter == " ":  # several spaces separate as one does
            return None
        # NumPy reads no numbers with commas. So if one number needs a decimal point, every point is a decimal point.
        sample = (row[place] for row in (line.split(self.delimiter) for line in lines[:SAMPLE]) for place in places)
        has_points = self.has_decimal_points or any(decimal_marks(cell) == {"."} for cell in sample)
        if self.decimal == "," or self.decimal is None and not has_points:
            return None
        try:
            values = np.loadtxt(lines, delimiter=self.delimiter, comments=None, usecols=places, ndmin=2)
        except ValueError:
            return None
        if not np.isfinite(values).all():
            return None
        return Cells(self.source, range(self.header + 1, self.header + 1 + len(lines)), dict(zip(chosen, values.T)))

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
    line, header = next(rows, (0, []))
    found = [SEPARATORS.get(delimiter, f"columns separated by {delimiter!r}")] if delimiter != "," else []
    names = list(map(name_of, header))
    is_doubtful = len(names) == 1 and not names[0].isalnum()
    hint = "; if there are more, say with --delimiter what separates them" if is_doubtful else ""
    return _Text(
        source, names, found, in_words, delimiter == ",", hint=hint,
        rows=rows, lines=lines, header=line, delimiter=delimiter, decimal=how.decimal,
    )  # fmt: skip


def _encoding(source: str, data: bytes, encoding: str | None) -> tuple[str, str]:
    """The encoding of a text, and what to call it if it is not UTF-8 and was found out."""
    in_words = ""
    marks = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\xef\xbb\xbf": "UTF-8-sig"}
    marked = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    if encoding is None:
        encoding = marked or "UTF-8"
        # A text that is not UTF-8 mostly comes from Windows. Latin-1 is the same encoding without 27 of its characters.
        if marked is None and not _fits(data, "UTF-8") and _fits(data, "cp1252"):
            encoding = "Latin-1" if re.search(rb"[\x80-\x9f]", data) is None else "cp1252"
        if encoding not in ("UTF-8", "UTF-8-sig"):
            in_words = "Windows-1252" if encoding == "cp1252" else encoding
    elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "UTF-8-sig"
    foreign = next((remedy for beginning, remedy in FOREIGN.items() if re.match(beginning, data)), None)
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
    """The first rows that are not blank. A fault ends them: a quoted text may go on behind the sample."""
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
        # A header without rows counts little.
        score = (alike, numeric) if rows else (1e-3, 0.0)
        if score > most:
            best, most = delimiter, score
    return best
