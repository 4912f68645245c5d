"""Read numbers as people write them, and refuse those that can be read in two ways.

A comma is a decimal mark in one country and separates thousands in another, so "204,024" may be one of two numbers. Other
values in the file may decide it: if the file also has "1,5" or "1.204,5", a comma is a decimal mark.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from .cells import Cells, DataError, option, quoted
from .dates import is_date

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat", "?", ".", "-", "--"}

_CURRENCIES = (
    "AED ARS AUD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW MXN MYR NGN NOK NZD PHP PLN "
    "RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_UNIT = rf"(?:US|A|C|NZ|HK|S|R)?[$£¥€₹₩₽₺₪₫₴₦฿¢]|{_CURRENCIES.replace(' ', '|')}|%|‰"
_NUMBER = re.compile(
    rf"(?P<sign>[-+−]?)\s*(?P<before>{_UNIT})?\s*(?P<sign_behind>[-+−]?)"
    rf"(?P<digits>(?:[\d.,][\d.,'’ \u00a0\u202f]*)?\d[.,]?)(?P<exponent>[eE][-+]?\d+)?\s*(?P<after>{_UNIT})?",
)
_LONGEST = 100  # characters: a float cannot hold more digits than such a number has
_OTHER = {".": ",", ",": "."}
_IN_WORDS = {".": "points", ",": "commas", "'": "apostrophes", "’": "apostrophes"}


def _digits(decimal: str) -> re.Pattern:
    """Digits with that decimal mark; in groups of three, or of two before the last three, as in India."""
    point, thousands = re.escape(decimal), rf"[{_OTHER[decimal]}'’ \u00a0\u202f]"
    in_threes = rf"[1-9]\d{{0,2}}(?P<three>{thousands})\d{{3}}(?:(?P=three)\d{{3}})*"
    in_twos = rf"[1-9]\d?(?P<two>{thousands})\d\d(?:(?P=two)\d\d)*(?P=two)\d{{3}}"
    return re.compile(rf"(?:\d+|{in_threes}|{in_twos})(?:{point}\d*)?|{point}\d+")


_DIGITS = {decimal: _digits(decimal) for decimal in _OTHER}


class _Number(NamedTuple):
    """A number that was text, with its unit and the mark that separated thousands, or "" for each."""

    value: float
    unit: str
    thousands: str


def _number(text: str, decimal: str) -> _Number | None:
    """The number that a text is with that decimal mark, if it is one."""
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    digits = found and _DIGITS[decimal].fullmatch(found["digits"])
    if not found or not digits or found["before"] and found["after"] or found["sign"] and found["sign_behind"]:
        return None
    thousands = digits["three"] or digits["two"] or ""
    plain = (digits[0].replace(thousands, "") if thousands else digits[0]).replace(decimal, ".")
    sign = "-" if found["sign"] + found["sign_behind"] in ("-", "−") else ""
    return _Number(float(sign + plain + (found["exponent"] or "")), found["before"] or found["after"] or "", thousands)


def _is_plain(text: str) -> bool:
    """Whether Python reads text as a number, and a file would write it so: Python also takes 1_000."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def decimal_marks(text: str) -> set[str]:
    """The decimal marks with which a text is a number.

    Examples
    --------
    >>> decimal_marks('1.5'), decimal_marks('1.204,5'), sorted(decimal_marks('204,024')), decimal_marks('tall')
    ({'.'}, {','}, [',', '.'], set())
    """
    marks = {decimal for decimal in _DIGITS if _number(text, decimal)}
    return marks or (set(_DIGITS) if _is_plain(text) else set())


def read_numbers(
    cells: Cells,
    names: Sequence[str],
    decimal: str | None = None,
    has_decimal_points: bool = False,
    targets: Sequence[str] = (),
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Turn columns of a file into numbers.

    Parameters
    ----------
    cells : Cells
        As a file holds them.
    names : sequence of str
        The columns to turn into numbers.
    decimal : str, optional
        The decimal mark, "." or ",". Left out, it is what the numbers themselves say.
    has_decimal_points : bool
        Whether a point is a decimal point where the numbers do not say it.
    targets : sequence of str
        Columns that are to be predicted, for messages.

    Returns
    -------
    columns : dict
        An array of floats for each name, with NaN where a value is missing.
    found : list of str
        What else than plain numbers was found.

    Raises
    ------
    DataError
        If a value is not a finite number, or can be read in two ways.

    Examples
    --------
    >>> cells = Cells('t.csv', [2, 3], {'price': ['1.204,50 €', '80 €']})
    >>> read_numbers(cells, ['price'])
    ({'price': array([1204.5,   80. ])}, ['decimal commas', 'points between thousands', "'price' in €"])
    """
    if decimal is None:
        decimal, because = _decimal_mark(cells, names, has_decimal_points)
    else:
        because = f"--decimal {decimal} is given"
    found = ["decimal commas"] if decimal == "," else []
    columns = {}
    for name in names:
        column = cells.columns[name]
        if isinstance(column, np.ndarray):
            values = column
        elif (plain := _plain_numbers(column, decimal)) is not None:
            values = plain
        else:
            try:
                values, notes = _any_numbers(cells, name, decimal)
            except _NotANumber as error:
                raise DataError(_about(cells, name, error.row, decimal, because, name in targets)) from None
            found += [note for note in notes if note not in found]
        infinite = np.flatnonzero(np.isinf(values))
        if infinite.size:
            row = int(infinite[0])
            raise DataError(f"{cells.holds(name, row)}, which is not a finite number")
        columns[name] = values
    return columns, found


def _decimal_mark(cells: Cells, names: Sequence[str], has_decimal_points: bool) -> tuple[str, str]:
    """The decimal mark. Also, for messages, a value that leaves no other choice, or "" if no value decides it."""

    def marked(marks: str) -> Iterator[tuple[str, int, str]]:
        for name in names:
            column = cells.columns[name]
            if not isinstance(column, np.ndarray):
                for row, cell in enumerate(column):
                    if isinstance(cell, str) and any(mark in cell for mark in marks):
                        yield name, row, cell

    if has_decimal_points and not any(decimal_marks(cell) for _, _, cell in marked(",")):
        return ".", ""
    doubtful = None
    for name, row, cell in marked(".,"):
        possible = decimal_marks(cell)
        if len(possible) == 1:
            return (
                possible.pop(),
                f"column {quoted(name)} holds {cells.shown(name, row)} in {cells.line} {cells.lines[row]}",
            )
        if possible and doubtful is None:
            doubtful = cells.holds(name, row), cell
    if doubtful is None:
        return ".", ""
    holds, cell = doubtful
    readings = [f"{number.value:.12g} (--decimal {mark})" for mark in _DIGITS if (number := _number(cell, mark))]
    raise DataError(f"{holds}, which is {' or '.join(readings)}; nothing in the file says which, so give the option")


def _plain_numbers(column: Sequence[Any], decimal: str) -> np.ndarray | None:
    """A column of texts that are all numbers without separators of thousands or units; None for any other column."""
    if not all(type(cell) is str and "_" not in cell for cell in column):
        return None
    if decimal == ",":
        if any("." in cell for cell in column):
            return None
        column = [cell.replace(",", ".") for cell in column]
    try:
        return np.array(list(map(float, column)))
    except ValueError:
        return None


class _NotANumber(Exception):
    """The value in this row is not a number."""

    def __init__(self, row: int) -> None:
        self.row = row


def _any_numbers(cells: Cells, name: str, decimal: str) -> tuple[np.ndarray, list[str]]:
    """A column of numbers and missing values, and the notes about it."""
    values = array("d")
    row_of: dict[str, int] = {}  # the first row with each unit
    thousands: set[str] = set()
    for row, cell in enumerate(cells.columns[name]):
        unit = ""
        if is_missing(cell):
            values.append(math.nan)
            continue
        if isinstance(cell, Number) and not isinstance(cell, bool):
            values.append(_float(cell))
        elif _is_plain(text := str(cell)) and (decimal == "." or "." not in text):
            values.append(float(text))
        else:
            number = _number(text, decimal)
            if number is None:
                raise _NotANumber(row)
            value, unit, mark = number
            values.append(value)
            thousands.add(mark)
        row_of.setdefault(unit, row)
    units = [unit for unit in row_of if unit]
    if len(units) > 1 or {"%", "‰"} & set(units) and "" in row_of:
        first, second = sorted(row_of.values())[:2]
        other = f"{cells.shown(name, second)} in {cells.line} {cells.lines[second]}"
        raise DataError(f"{cells.holds(name, first)}, but {other}, in another unit; write them all alike")
    notes = sorted({f"{_IN_WORDS.get(mark, 'spaces')} between thousands" for mark in thousands - {""}})
    return np.array(values), notes + [f"{quoted(name)} in {unit}" for unit in units]


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of Python may have any size
        return math.inf


def is_missing(cell: Any) -> bool:
    """Whether this value means that the value is missing."""
    return cell is None or cell != cell or isinstance(cell, str) and cell.strip().lower() in MISSING


def _about(cells: Cells, name: str, row: int, decimal: str, because: str, is_target: bool) -> str:
    """What to say of a value that is not a number, and what helps."""
    cell, holds, given = cells.columns[name][row], cells.holds(name, row), option(name)
    if isinstance(cell, str) and decimal_marks(cell):
        mark = _OTHER[decimal]
        reason = f", but {because}" if because else f" (--decimal {mark})"
        return f"{holds}, which is a number only if the decimal mark is a {'comma' if mark == ',' else 'point'}{reason}"
    if is_date(cell):
        return f"{holds}, a date; count its days with --dates {given}, or leave it out with --drop {given}"
    holds = f"{cells.place(row)}: column {quoted(name)} is not numeric, it holds {cells.shown(name, row)}"
    if is_target:
        return f"{holds}; it is the target, so choose another one with --target"
    return (
        f"{holds}; leave it out with --drop {given}, "
        f"or turn its values into columns of 0 and 1 with --categorical {given}"
    )
