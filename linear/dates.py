"""Read dates as people write them, and refuse dates that can be read in two ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np

from .cells import DataError, quoted

_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y-%m"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%d. %B %Y"),
)
# A year with two digits does not say its century. So such forms must be given with --date-format.
FORMATS = [day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S")]


def is_date(cell: Any) -> bool:
    """Whether a value is a date in one of the usual forms."""
    if isinstance(cell, date):
        return True
    return isinstance(cell, str) and any(_read(cell.strip(), form) for form in (None, *FORMATS))


def read_dates(
    name: str, values: Sequence[Any], place: Callable[[int], str], form: str | None = None
) -> tuple[np.ndarray, datetime]:
    """Turn dates into days since the first of them.

    Parameters
    ----------
    name : str
        The column, for messages.
    values : sequence
        Dates as text or as Python's; None where one is missing.
    place : callable
        Says where in a file a row stands.
    form : str, optional
        How the dates are written, in the directives of `datetime.strptime`. Left out, it is found out.

    Returns
    -------
    days : array of float
        NaN where a date is missing.
    first : datetime

    Raises
    ------
    DataError
        If a value is not a date, or if the dates can be read in two ways.

    Examples
    --------
    >>> days, first = read_dates('when', ['31.12.2023', '02.01.2024'], 'row {}'.format)
    >>> print(days, first)
    [0. 2.] 2023-12-31 00:00:00
    """
    rows: dict[str, int] = {}  # the first row of each text
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, date):
            rows.setdefault(str(value).strip(), row)
    forms = [form] if form else [None, *FORMATS]
    fitting = []
    furthest = 0
    for each in forms:
        read: dict[str, datetime] = {}
        for text in rows:
            moment = _read(text, each)
            if moment is None:
                break
            read[text] = moment
        else:
            fitting.append((each, read))
        furthest = max(furthest, len(read))
    if not fitting:
        text = [*rows][furthest]
        wanted = f"a date of the form {form}" if form else "a date, or not in the same form as the others"
        hint = "" if form else "; say how they are written with --date-format, for example '%d.%m.%Y'"
        raise DataError(f"{place(rows[text])}: column {quoted(name)} holds {quoted(text)}, which is not {wanted}{hint}")
    for other, differently in fitting[1:]:
        first_form, read = fitting[0]
        for text, row in rows.items():
            if read[text] != differently[text]:
                raise DataError(
                    f"{place(row)}: column {quoted(name)} holds {quoted(text)}, which is {read[text]:%Y-%m-%d} "
                    f"(--date-format {first_form}) or {differently[text]:%Y-%m-%d} (--date-format {other})"
                )
    read = fitting[0][1]
    moments = [
        None if value is None else _moment(value) if isinstance(value, date) else read[str(value).strip()]
        for value in values
    ]
    present = [moment for moment in moments if moment is not None]
    if not present:
        return np.full(len(values), np.nan), datetime.min
    first = min(present)
    return np.array([np.nan if moment is None else (moment - first) / timedelta(days=1) for moment in moments]), first


def _read(text: str, form: str | None) -> datetime | None:
    """The moment that a text of that form means, in UTC if it says so; None stands for ISO 8601."""
    try:
        return _moment(datetime.fromisoformat(text) if form is None else datetime.strptime(text, form))
    except ValueError:
        return None


def _moment(value: date) -> datetime:
    """A date as a moment, without a time zone."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value if value.tzinfo is None else value.astimezone(timezone.utc).replace(tzinfo=None)
