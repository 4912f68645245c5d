"""What all readers of files share: a table whose columns have names, and the checks of these names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .cells import Cells, DataError, quoted
from .numerals import decimal_marks

LARGEST_FILE = 100_000_000  # bytes: some ten million numbers. To fit more takes minutes, and an endless pipe for ever


@dataclass
class Table:
    """An open file. The names of its columns are known, and its rows are not read yet.

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
    empty_cell : str
        What messages say of a missing value, if more than an empty cell may have led to it.
    """

    source: str
    names: list[str]
    found: list[str] = field(default_factory=list)
    encoding: str = ""
    has_decimal_points: bool = False
    has_header_row: bool = True
    hint: str = ""
    empty_cell: str = ""

    def plain_numbers(self, chosen: Iterable[str]) -> Cells | None:
        """Read the chosen columns in a fast way, which is right for plain numbers only. None if there is anything else."""
        return None

    def read(self, chosen: Iterable[str]) -> Cells:
        """Read all rows of the chosen columns. This can be done once."""
        raise NotImplementedError


def check_header(table: Table) -> None:
    """Refuse names that cannot tell the columns apart."""
    names = table.names
    if not names:
        raise DataError(f"{table.source} is empty: expected a header line with the names of the columns{table.hint}")
    if table.has_header_row and all(map(decimal_marks, names)):
        raise DataError(f"{table.source}: the first line must hold the names of the columns, but it holds numbers")
    if table.has_header_row and len(names) > 1 and names[0] and not any(names[1:]):
        raise DataError(
            f"{table.source}: of {len(names)} columns, only {quoted(names[0])} has a name; if that is a title, "
            f"delete what stands above the names of the columns{table.hint}"
        )
    name, count = Counter(filter(None, names)).most_common(1)[0] if any(names) else ("", 0)
    if count > 1:
        raise DataError(f"{table.source}: the header has {count} columns named {quoted(name)}; give each a name of its own")


def name_of(header: Any) -> str:
    """The name of a column without line breaks. A column without a name has "", where pandas writes "Unnamed: 0"."""
    name = " ".join(str(header).split()) if header is not None and header == header else ""
    return "" if re.fullmatch(r"Unnamed: \d+", name) else name
