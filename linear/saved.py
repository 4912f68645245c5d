"""A line in a file: saved with the names of its columns, and used to predict from new files."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .cells import DataError, counted, exists, listed, quoted
from .choice import Choice
from .data import restore
from .numerals import are_alike, in_words
from .problem import Problem
from .reading import Rows, indicators_of, is_gap, read_rows
from .signals import finish_first

FORMAT, VERSION = "linear model of minigrad", 2


@dataclass(frozen=True)
class Model:
    """A line in the units of its data.

    Attributes
    ----------
    targets : list of str
    features : list of str
        The columns that are multiplied with slopes. A column of categories has become several of these.
    slopes : array of shape (number of features, number of targets)
    intercepts : array of shape (number of targets,)
    means : array of shape (number of features,)
        Of the rows that the line was fitted to.
    categories : dict
        From the name of a column to its categories. The first has no feature.
    first_dates : dict
        From the name of a column of dates to the date from which days are counted.
    units : dict
        From the name of a column to the sign beside its numbers, such as "%" or "€", if there is one.
    about : dict
        Where the line comes from, for people who read the file.
    """

    targets: list[str]
    features: list[str]
    slopes: np.ndarray
    intercepts: np.ndarray
    means: np.ndarray
    categories: dict[str, list[str]]
    first_dates: dict[str, datetime]
    units: dict[str, str]
    about: dict[str, Any]

    @classmethod
    def of(cls, problem: Problem, theta: dict[str, Any], method: str) -> Model:
        """The line with these parameters."""
        data = problem.data
        line = restore(theta, problem.x_scale, problem.y_scale)
        x = data.x.reshape(len(data.x), -1)
        about = {"source": data.source or "simulated data", "rows": problem.rows, "found by": method}
        return cls(
            data.targets,
            data.features,
            np.reshape(line["w"], (x.shape[1], -1)),
            np.reshape(line["b"], -1),
            x.mean(axis=0) if problem.n_rows is None else np.atleast_1d(problem.x_scale.center),
            data.categories,
            data.first_dates,
            data.units,
            about,
        )

    @property
    def columns(self) -> list[str]:
        """The columns that a file must have."""
        made = {each for name, values in self.categories.items() for each in indicators_of(name, values)}
        return [*(name for name in self.features if name not in made), *self.categories]

    def save(self, path: str | Path) -> None:
        """Write the line to a new JSON file.

        Raises
        ------
        FileExistsError
            If there is such a file.
        """
        lines = {
            target: {"intercept": float(intercept), "slopes": dict(zip(self.features, map(float, slopes)))}
            for target, intercept, slopes in zip(self.targets, self.intercepts, self.slopes.T)
        }
        content = {
            "format": FORMAT,
            "version": VERSION,
            **self.about,
            "lines": lines,
            "means": dict(zip(self.features, map(float, self.means))),
            "categories": self.categories,
            "first dates": {name: first.isoformat() for name, first in self.first_dates.items()},
            "units": self.units,
        }
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        # A name of a file may hold bytes that are no text. What stands for them is written as JSON writes it: \udcff.
        with finish_first(), open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a line that `save` wrote.

        Raises
        ------
        DataError
            If the file holds anything else.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:  # no JSON, or no text
            raise DataError(f"{path} is not a model that --save wrote: {error}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path} is not a model that --save wrote")
        if content.get("version") != VERSION:
            raise DataError(f"{path} is a model of version {content.get('version')!r}, and this program reads version {VERSION}")
        try:
            lines, means = content["lines"], content["means"]
            features = [*means]
            model = cls(
                [*lines],
                features,
                np.array([[float(line["slopes"][name]) for line in lines.values()] for name in features]),
                np.array([float(line["intercept"]) for line in lines.values()]),
                np.array([float(mean) for mean in means.values()]),
                {name: [str(value) for value in values] for name, values in content["categories"].items()},
                {name: datetime.fromisoformat(first) for name, first in content["first dates"].items()},
                {name: str(unit) for name, unit in content["units"].items()},
                {},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from None
        numbers = [model.slopes, model.intercepts, model.means]
        if not (lines and features) or not all(np.isfinite(part).all() for part in numbers):
            raise DataError(f"{path} is damaged: it lacks numbers, or holds some that are not finite")
        for name, values in model.categories.items():
            if not {*indicators_of(name, values)} <= {*features}:
                raise DataError(f"{path} is damaged: the categories of {quoted(name)} do not fit the slopes")
        return model

    def predict(self, paths: Sequence[str], missing: str | None = None, **options: Any) -> tuple[np.ndarray, list[str]]:
        """Predict the targets for each row of files.

        Parameters
        ----------
        paths : sequence of str
            The files must have the columns that the line needs, in any order, and may have others.
        missing : "drop" or "mean", optional
            What to do where a value is missing: predict nothing, or take the mean of the rows that the line was fitted to.
        **options
            As for `linear.read_csv`: date_format, delimiter, decimal, encoding, sheet.

        Returns
        -------
        predictions : array of shape (number of rows, number of targets)
            NaN where nothing is predicted.
        notes : list of str
            What was found out about the files.

        Raises
        ------
        DataError
            If a file cannot be read or lacks a column, or if a category is unknown.
        """
        dates = [name for name in self.first_dates if name in self.features]  # a target may be a date as well
        choice = Choice([], self.columns, [*self.categories], dates, [])
        try:
            rows = read_rows(paths, choice, first_dates=self.first_dates, **options)
        except DataError as error:  # in a fit, leaving the column out would help; here it would not
            raise DataError(re.split("; leave it out|; count its days", str(error))[0]) from None
        if missing is None:
            rows.handle_missing(None)
        for name, unit in rows.units.items():
            fitted = self.units.get(name, "")
            if not are_alike(unit, fitted):
                raise DataError(
                    f"{rows.source}: the numbers of column {quoted(name)} are {in_words(unit)}, but the line was fitted to "
                    f"numbers {in_words(fitted)}"
                )
        columns = {name: rows.columns[name] for name in (*choice.numeric, *choice.dates)}
        for name, values in self.categories.items():
            columns |= self._indicators(rows, name, values)
        x = np.column_stack([columns[name] for name in self.features])
        notes = list(rows.notes)
        gaps = np.isnan(x)
        if gaps.any() and missing == "mean":
            x = np.where(gaps, self.means, x)
            count = sum(int(gap.sum()) for gap in rows.gaps().values())
            notes.append(f"put the mean of the data of the model in the place of {counted(count, 'missing value')}")
        elif gaps.any():
            notes.append(f"no prediction for {gaps.any(axis=1).sum():,} of {len(x):,} rows, which have missing values")
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = x @ self.slopes + self.intercepts
        wrong = ~np.isnan(x).any(axis=1) & ~np.isfinite(predictions).all(axis=1)
        if wrong.any():
            raise DataError(f"{rows.place(int(wrong.argmax()))}: the values are too large to predict from")
        return predictions, notes

    @staticmethod
    def _indicators(rows: Rows, name: str, values: list[str]) -> dict[str, np.ndarray]:
        """The columns of 0 and 1 of a column of categories."""
        column = rows.columns[name]
        known = {*values}
        for row, value in enumerate(column):
            if value is not None and value not in known:
                raise DataError(
                    f"{rows.place(row)}: column {quoted(name)} holds {quoted(value)}, and the model knows only {listed(values)}"
                )
        gap = is_gap(column)
        columns = [np.where(gap, np.nan, column == value).astype(float) for value in values[1:]]
        return dict(zip(indicators_of(name, values), columns))


def check_new(path: str) -> None:
    """Refuse a path to which no new file can be written, before the work for it is done.

    Raises
    ------
    DataError
    """
    if exists(path, "--save"):
        raise DataError(f"--save: {path} exists already, and is not overwritten; name another file")
    folder = Path(path).parent
    if not folder.is_dir():
        raise DataError(f"--save: there is no folder {folder}")
    try:
        with tempfile.TemporaryFile(dir=folder):  # some file systems refuse only that
            pass
    except OSError as error:
        raise DataError(f"--save: {folder} cannot be written to: {error.strerror}") from None


def write_predictions(file: TextIO, targets: Sequence[str], predictions: np.ndarray) -> None:
    """Write predictions as CSV: a header with the targets, and a line for each row. Where nothing is predicted, it is empty."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(targets)
    for row in predictions.tolist():
        cells = ["" if number != number else repr(number) for number in row]
        writer.writerow(cells)
