"""The values of a file with their places, and the parts that messages about them are made of."""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """A file cannot be used; the message, one line, says what is wrong and where."""


@dataclass(frozen=True)
class Cells:
    """Some columns of a file, as they stand there: text, or what pandas has read.

    Attributes
    ----------
    source : str
        The file, as messages name it.
    lines : sequence of int
        Where each row stands in the file.
    columns : dict
        From the name of a column to its values, one for each row.
    line : str
        What messages call a row: "line" or "row".
    """

    source: str
    lines: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    line: str = "line"

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.source}, {self.line} {self.lines[row]}"

    def shown(self, name: str, row: int) -> str:
        """A value, for messages."""
        return quoted(str(self.columns[name][row]).strip())

    def holds(self, name: str, row: int) -> str:
        """Where a value stands, and what it is: the beginning of a message."""
        return f"{self.place(row)}: column {quoted(name)} holds {self.shown(name, row)}"


def printable(text: str) -> str:
    """Escape characters that cannot be printed, so that no name in a file can steer the terminal."""
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def cut(text: str, most: int = 60) -> str:
    """Text that is no longer than that."""
    return text if len(text) <= most else text[: most - 3] + "..."


def exists(path: str | Path, given_with: str) -> bool:
    """Whether a path leads to something, if only to a broken link. A name that the system refuses is an error.

    Raises
    ------
    DataError
        If the name is too long, for example. The message begins with the option that named it.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DataError(f"{given_with}: {cut(str(path))}: {error.strerror}") from None
    return True


def width(text: str) -> int:
    """How many places text takes on a terminal: letters of Chinese or Japanese take two, accents that follow a letter none.

    Examples
    --------
    >>> width("area"), width("面积")
    (4, 4)
    """
    return sum(0 if unicodedata.combining(mark) else 1 + (unicodedata.east_asian_width(mark) in "WF") for mark in text)


def quoted(text: str) -> str:
    """Text from a file or a command line, for the middle of a message."""
    return repr(cut(text))


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names with commas between them, and no more than that many."""
    names = list(names)
    return ", ".join(map(quoted, names[:most])) + (", ..." if len(names) > most else "")


def counted(count: int, thing: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def option(name: str) -> str:
    """The name of a column as an option on the command line takes it."""
    if "," in name or '"' in name:
        name = '"' + name.replace('"', '""') + '"'
    return shlex.quote(cut(name))
