"""The options of the command line that say which files to read, and how. They are the arguments of `linear.read_csv`."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from typing import Any

from .cells import quoted
from .tables import LARGEST_FILE


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the files, and the options of `read_csv`. The options that are given are kept in ``options.read``."""
    parser.set_defaults(read={})
    group = parser.add_argument_group("the file (without one, the data are simulated)")
    group.add_argument(
        "files",
        metavar="FILE",
        type=a_name,
        nargs="*",
        help="CSV and other text, spreadsheets (.xlsx, .xls, .ods), Parquet, Feather, ORC, Stata, JSON or .npy files; "
        "patterns such as 'part-*.csv'; folders; or - for standard input. "
        f"Files with more than {LARGEST_FILE // 10**6} MB together are read in parts",
    )
    group.add_argument("--data", metavar="FILE", type=a_name, nargs="+", action="extend", help="the same as FILE alone")

    def add(option: str, metavar: str, kind: Callable[[str], Any], help: str) -> None:
        group.add_argument(option, metavar=metavar, type=kind, action=_Read, help=help)

    add("--target", "A,B", _names, "the column to predict, or several (default: the last)")
    add("--features", "A,B", _names, "the columns to use (default: all others)")
    add("--drop", "A,B", _names, "columns to leave out")
    add("--categorical", "A,B", _names, "features of a few kinds, which become columns of 0 and 1")
    add("--dates", "A,B", _names, "columns of dates, which become days since the first")
    add("--date-format", "F", str, "how dates are written, such as %%d.%%m.%%Y (default: found out)")
    add("--missing", "drop|mean", _missing, "leave out rows with missing values, or put in the mean")
    add("--delimiter", "C", _delimiter, "what separates the columns (default: found out)")
    add("--decimal", "C", _decimal, "the decimal mark, . or , (default: found out)")
    add("--encoding", "NAME", a_name, "such as utf-8, latin-1 or utf-16 (default: found out)")
    add("--sheet", "NAME", a_name, "the sheet of a spreadsheet (default: the first)")


class _Read(argparse.Action):
    """Keeps an option for `read_csv`."""

    def __call__(self, parser: Any, options: argparse.Namespace, value: Any, option: str | None = None) -> None:
        options.read = {**options.read, self.dest: value}


def a_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got ''")
    return text


def _names(text: str) -> list[str]:
    """Split at commas, as the header of a CSV file is: a name that holds a comma is put in quotes."""
    try:
        return [name.strip() for name in next(csv.reader([text], skipinitialspace=True, strict=True), [])]
    except csv.Error:
        raise argparse.ArgumentTypeError(f"expected names with commas between them, got {quoted(text)}") from None


def _missing(text: str) -> str:
    return _one_of(text, {"drop": "drop", "mean": "mean"})


def _decimal(text: str) -> str:
    return _one_of(text, {".": ".", ",": ",", "point": ".", "comma": ","})


def _one_of(text: str, values: dict[str, str]) -> str:
    if text not in values:
        raise argparse.ArgumentTypeError(f"expected {' or '.join(values)}, got {quoted(text)}")
    return values[text]


def _delimiter(text: str) -> str:
    """One character, or its name: a shell makes it hard to write some."""
    names = {"\\t": "\t", "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
    mark = names.get(text, text)
    if len(mark) != 1 or mark in '"\r\n\0' or mark.isalnum():
        raise argparse.ArgumentTypeError(
            f"expected one character, or comma, semicolon, tab, bar or space, got {quoted(text)}"
        )
    return mark
