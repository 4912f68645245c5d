"""Open one file of columns, whatever its format, and find out how it is written.

Text (CSV and what is like it) needs NumPy and the csv module alone. All other formats are read by pandas.
"""

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .cells import Cells, DataError, listed, quoted
from .numerals import decimal_marks

LARGEST_FILE = 100_000_000  # bytes: some ten million numbers. To fit more takes minutes, and an endless pipe for ever
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
    has_header_row : bool
        Whether the names stand where the first row of numbers might stand.
    hint : str
        What may help where a column is not there: the end of a message.
    """

    source: str
    names: list[str]
    found: list[str] = field(default_factory=list)
    encoding: str = ""
    has_decimal_points: bool = False
    has_header_row: bool = True
    hint: str = ""

    def plain_numbers(self, chosen: Iterable[str]) -> Cells | None:
        """Read the chosen columns in a fast way, which is right for plain numbers only. None if there is anything else."""
        return None

    def read(self, chosen: Iterable[str]) -> Cells:
        """Read all rows of the chosen columns. This can be done once."""
        raise NotImplementedError


def open_table(path: str | Path, how: Format = Format()) -> Table:
    """Open a file: text (CSV and what is like it), or one of the other `KINDS`, plain or compressed with gzip.

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
    table: Table = _frame_table(source, data, kind, how.sheet) if kind else text_table(source, data, how)
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
        raise DataError(f"{table.source} is empty: expected a header line with the names of the columns{table.hint}")
    if table.has_header_row and all(map(decimal_marks, names)):
        raise DataError(f"{table.source}: the first line must hold the names of the columns, but it holds numbers")
    name, count = Counter(filter(None, names)).most_common(1)[0] if any(names) else ("", 0)
    if count > 1:
        raise DataError(f"{table.source}: the header has {count} columns named {quoted(name)}")


def name_of(header: Any) -> str:
    """The name of a column without line breaks, and "" if there is none: pandas writes "Unnamed: 0" for that."""
    name = " ".join(str(header).split()) if header is not None and header == header else ""
    return "" if re.fullmatch(r"Unnamed: \d+", name) else name


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
        chosen = list(chosen)
        places = [self.names.index(name) for name in chosen]
        lines = list(islice(self.lines(), self.header, None))
        # The csv module divides lines in the same way if none has quotes, and all have as many values as the header.
        count = len(self.names) - 1
        is_even = all(line.count(self.delimiter) == count and '"' not in line for line in lines)
        if not lines or not is_even or self.delimiter == " ":  # several spaces separate as one does
            return None
        # What NumPy reads has no commas. So one number that needs a decimal point shows that a point is that in all.
        sample = (line.split(self.delimiter)[place] for line in lines[:SAMPLE] for place in places)
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
        # What is not UTF-8 is most often the encoding of Windows. Latin-1 is the same without 27 of its characters.
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


# ---- What pandas reads ----------------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A format that pandas reads.

    Attributes
    ----------
    in_words : str
        What messages call a file of this kind.
    start : bytes
        A regular expression for how such a file begins.
    libraries : str
        What has to be installed.
    reader : str
        The function of pandas.
    """

    in_words: str
    start: bytes
    libraries: str
    reader: str


KINDS = [
    # A ZIP archive (.xlsx, .xlsb, .ods), or what Microsoft put its files into before 2007 (.xls).
    Kind("a spreadsheet", rb"PK\x03\x04|\xd0\xcf\x11\xe0", "pandas python-calamine", "ExcelFile"),
    Kind("a Parquet file", rb"PAR1", "pandas pyarrow", "read_parquet"),
    Kind("a Feather file", rb"ARROW1\0\0", "pandas pyarrow", "read_feather"),
    Kind("an ORC file", rb"(?s:ORC.*ORC.\Z)", "pandas pyarrow", "read_orc"),
    Kind("a Stata file", rb"<stata_dta>|[ilnoqrs][\x01\x02]\x01", "pandas", "read_stata"),
    Kind("a JSON file", rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*\{|\{\s*\")", "pandas", "read_json"),
]


def kind_of(data: bytes) -> Kind | None:
    """The kind of a file, from its content; None if it is none that pandas reads here, so that it should be text.

    Examples
    --------
    >>> kind_of(b'PAR1...').in_words, kind_of(b'[{"area": 81}]').in_words, kind_of(b'area,price')
    ('a Parquet file', 'a JSON file', None)
    """
    return next((kind for kind in KINDS if re.match(kind.start, data)), None)


@contextmanager
def read_by(libraries: str, source: str, kind: str) -> Iterator[None]:
    """Say in one line that libraries are missing, or what they find wrong with a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings in a file and of plans of a library, which do not matter here
            yield
    except (DataError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except ImportError:
        named = libraries.replace(" ", " and ")
        raise DataError(f"{source} is {kind}: to read it, install {named} (pip install -U {libraries})") from None
    except BaseException as error:  # of many kinds: those of libraries in Rust are no Exception
        raise DataError(f"{source} cannot be read as {kind}: {' '.join(str(error).split())}") from None


@dataclass(kw_only=True)
class _Frame(Table):
    """A file that pandas reads.

    Attributes
    ----------
    kind : Kind
    rows : int
        How many rows it has.
    load : callable
        Returns a DataFrame with these columns, whose index has the numbers of the rows.
    """

    kind: Kind
    rows: int
    load: Callable[[list[str]], Any]

    def read(self, chosen: Iterable[str]) -> Cells:
        chosen = list(chosen)
        if self.rows * len(chosen) > LARGEST_FILE // 2:
            raise DataError(f"{self.source} holds more than {LARGEST_FILE // 2:,} values, the most that is read")
        with read_by(self.kind.libraries, self.source, self.kind.in_words):
            frame = self.load(chosen)
            columns = {name: _values(frame[name]) for name in chosen}
        return Cells(self.source, frame.index, columns, "row")


def _values(column: Any) -> Sequence[Any]:
    """The values of a Series: an array of floats if it holds numbers, otherwise a list, with None for what is missing."""
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=float, na_value=np.nan)
    return [None if is_gap else _plain(cell) for cell, is_gap in zip(column.tolist(), column.isna())]


def _plain(cell: Any) -> Any:
    """A value as Python has it: a moment, or a list in a cell."""
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    return cell.to_pydatetime() if hasattr(cell, "to_pydatetime") else cell


def _frame_table(source: str, data: bytes, kind: Kind, sheet: str | None) -> _Frame:
    if data.startswith(b"PK"):
        _check_archive(source, data)
    if kind.reader == "ExcelFile" and "EncryptedPackage".encode("utf-16-le") in data:
        raise DataError(f"{source} has a password; save it without one, or as CSV")
    with read_by(kind.libraries, source, kind.in_words):
        import pandas

        if kind.reader == "read_parquet":
            return _parquet(source, data, kind)
        if kind.reader == "ExcelFile":
            return _sheet(source, pandas.ExcelFile(io.BytesIO(data), engine="calamine"), kind, sheet)
        if kind.reader == "read_json":
            text = data.decode("utf-8-sig").strip()
            first, _, rest = text.partition("\n")
            frame = pandas.read_json(
                io.StringIO(text),
                lines=first.rstrip().endswith("}") and rest.lstrip().startswith("{"),  # an object in each line
                precise_float=True,
                # Otherwise pandas guesses from the names of columns which of them are dates.
                **dict.fromkeys(("dtype", "convert_axes", "convert_dates"), False),
            )
        else:
            frame = _with_index(getattr(pandas, kind.reader)(io.BytesIO(data)))
        names = list(map(name_of, frame.columns))
        frame = frame.set_axis(names, axis=1).set_axis(range(1, len(frame) + 1))
    return _Frame(source, names, has_header_row=False, kind=kind, rows=len(frame), load=lambda chosen: frame[chosen])


def _with_index(frame: Any) -> Any:
    """A DataFrame whose index is a column before the others, if it has a name."""
    return frame.reset_index([name for name in frame.index.names if name is not None])


def _check_archive(source: str, data: bytes) -> None:
    """Refuse a ZIP archive that holds no spreadsheet, or one that is too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            names = archive.namelist()
            is_open_document = "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype")
            starts = [archive.open(name).read(2000) for name in names if name.startswith("xl/worksheets/")]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{source} is a ZIP archive, and cannot be unpacked: {error}") from None
    if not is_open_document and not any(name.startswith("xl/workbook") for name in names):
        raise DataError(f"{source} is a ZIP archive, but no spreadsheet; unpack it, or save it as .xlsx or as CSV")
    if size > 10 * LARGEST_FILE:
        raise DataError(f"{source} would be unpacked larger than {LARGEST_FILE // 10**5} MB, the most that is read")
    # A value may have got into the last corner of a sheet: the cells up to there would not go into memory.
    for corner in filter(None, (re.search(rb'<dimension ref="\w+:([A-Z]+)(\d+)"', start) for start in starts)):
        width = 0
        for letter in corner[1]:  # A is 1, Z is 26, AA is 27
            width = 26 * width + letter - 64
        if width * int(corner[2]) > LARGEST_FILE // 2:
            cell = (corner[1] + corner[2]).decode()
            advice = "delete what is far from the table, or save the table as CSV"
            raise DataError(f"{source} has a sheet that goes on to the cell {cell}; {advice}")


def _sheet(source: str, book: Any, kind: Kind, sheet: str | None) -> _Frame:
    """A sheet of a spreadsheet, whose first row that is not blank holds the names."""
    sheets = book.sheet_names
    if sheet is not None and sheet not in sheets:
        raise DataError(f"{source} has no sheet {quoted(sheet)}, only {listed(sheets)}")
    cells = book.parse(sheet or sheets[0], header=None, dtype=object, na_filter=False)
    cells = cells.set_axis(range(1, len(cells) + 1))
    is_blank = cells.map(lambda cell: isinstance(cell, str) and not cell.strip())
    cells = cells[~is_blank.all(axis=1)]
    names = [name_of(cell) for cell in cells.iloc[0]] if len(cells) else []
    found, hint = [], ""
    if sheet is None and sheets[1:]:
        found = [f"the sheet {quoted(sheets[0])}, the first of {len(sheets)}"]
        hint = f"; this is {found[0]}, and --sheet names another"
    frame = cells[1:].set_axis(names, axis=1) if names else cells
    return _Frame(source, names, found, hint=hint, kind=kind, rows=len(frame), load=lambda chosen: frame[chosen])


def _parquet(source: str, data: bytes, kind: Kind) -> _Frame:
    """A Parquet file, of which only the chosen columns are read."""
    import pandas
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
    stored, names = parquet_columns(file.schema_arrow)
    count = file.metadata.num_rows

    def load(chosen: list[str]) -> Any:
        columns = [stored[names.index(name)] for name in chosen]
        frame = _with_index(pandas.read_parquet(io.BytesIO(data), columns=columns))
        return frame[columns].set_axis(chosen, axis=1).set_axis(range(1, count + 1))

    return _Frame(source, names, has_header_row=False, kind=kind, rows=count, load=load)


def parquet_columns(schema: Any) -> tuple[list[str], list[str]]:
    """The columns of a Parquet file, as they are stored, and their names.

    pandas stores the index of a table behind the other columns. It is put first, as in other formats, so that it is not
    taken for the target. An index without a name has one in the file, which is left out.
    """
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    stored = sorted(schema.names, key=lambda name: name not in index)
    return stored, ["" if re.fullmatch(r"__index_level_\d+__", name) else name_of(name) for name in stored]
