"""Read files that are not text: spreadsheets, Parquet, Feather, ORC, Stata and JSON. pandas reads them all."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .cells import Cells, DataError, listed, quoted
from .tables import LARGEST_FILE, Table, name_of


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
    """The kind of a file, from its content. None if pandas does not read it: then it should be text.

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
            warnings.simplefilter("ignore")  # about settings in a file and plans of a library, which do not matter here
            yield
    except (DataError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except ImportError:
        named = libraries.replace(" ", " and ")
        raise DataError(f"{source} is {kind}: to read it, install {named} (pip install -U {libraries})") from None
    except BaseException as error:  # of many kinds: errors of libraries in Rust are not subclasses of Exception
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


def frame_table(source: str, data: bytes, kind: Kind, sheet: str | None) -> _Frame:
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
    """A Parquet file. Only the chosen columns are read."""
    import pandas
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
    stored, names = parquet_columns(file.schema_arrow)
    stored_as = dict(zip(names, stored))
    count = file.metadata.num_rows

    def load(chosen: list[str]) -> Any:
        columns = [stored_as[name] for name in chosen]
        frame = _with_index(pandas.read_parquet(io.BytesIO(data), columns=columns))
        return frame[columns].set_axis(chosen, axis=1).set_axis(range(1, count + 1))

    return _Frame(source, names, has_header_row=False, kind=kind, rows=count, load=load)


def parquet_columns(schema: Any) -> tuple[list[str], list[str]]:
    """The columns of a Parquet file, as they are stored, and their names.

    pandas stores the index of a table behind the other columns. It is put first, as in other formats, so that it is not
    taken for the target. For an index without a name, pandas writes a name of its own. This name is left out.
    """
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    stored = sorted(schema.names, key=lambda name: name not in index)
    return stored, ["" if re.fullmatch(r"__index_level_\d+__", name) else name_of(name) for name in stored]
