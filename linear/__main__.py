"""The demo's command line: ``python -m linear``."""

from __future__ import annotations

import argparse
import io
import logging
import math
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

import numpy as np

from .cells import DataError, cut, exists, printable, quoted
from .data import simulate
from .file_options import a_name, add_file_options
from .files import STANDARD_INPUT
from .large_files import are_large, in_folders, rows_of
from .many_rows import WorkerError, add_worker_options, first_pass, second_pass, workers_for
from .model import initialize_linear_params
from .problem import Problem
from .progress import microseconds_a_step, train
from .reading import Data, files_of, read_csv
from .report import print_divergence, print_fit, print_result, print_start
from .saved import Model, check_new, write_predictions
from .signals import answered_by, finish_first
from .training import DivergenceError
from .ways import NAMES, UsageError, choose_way

TRUE_LINE = {"w": 2.0, "b": 1.0}
NOISE = 0.5

EXAMPLES = """\
examples:
  python -m linear
      100 points from a known line, 3000 steps, pictures in the folder 'pictures'
  python -m linear --data examples/data/norris.csv
      the last column is predicted from all the others
  python -m linear --data houses.csv --target price --features area,rooms --steps 20000
  python -m linear houses.csv --method newton --save houses.json
      two steps of Newton's method; --predict new.csv --model houses.json predicts with the line
  python -m linear sales.xlsx --drop id --categorical region --dates day --missing drop
  python -m linear 'part-*.parquet' --jobs 2
      any number of rows, in two passes over the files, on two processes
  python -m linear 'part-*.csv.gz' --delimiter ';' --decimal , --encoding latin-1
"""


class Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file)  # argparse itself would not mind if this fails

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}  (see python -m linear --help)")


def main(argv: list[str] | None = None) -> int:
    """Run the demo and return its exit status: 0, 2 if it fails, 128 and a signal's number if that stopped it."""
    if sys.stderr is None:  # it was closed when Python began
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is None:
        return _fail("the output cannot be written: standard output is closed")
    # Column names may hold characters that the terminal cannot show.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    stopped_by: list[int] = []

    def stop(number: int, frame: Any) -> NoReturn:
        stopped_by.append(number)
        raise KeyboardInterrupt

    try:
        with answered_by(stop):
            try:
                _run(_parse(argv))
            finally:
                sys.stdout.flush()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        # C code that is interrupted may turn the interrupt into an error of any kind.
        if stopped_by or isinstance(error, KeyboardInterrupt):
            if isinstance(error, OSError):
                _give_up(sys.stdout)
            number = signal.Signals([*stopped_by, signal.SIGINT][0])
            _say("interrupted" if number == signal.SIGINT else f"stopped by {number.name}")
            return 128 + number
        return _failed(error)


def _failed(error: Exception) -> int:
    """Say what is wrong. An error in this program itself is raised again."""
    if isinstance(error, (UsageError, DataError, DivergenceError, WorkerError)):
        return _fail(str(error))
    if isinstance(error, MemoryError):
        return _fail("there is not enough memory")
    if not isinstance(error, OSError):
        raise error
    if error.filename is not None:
        return _fail(f"{error.filename}: {error.strerror}")
    _give_up(sys.stdout)
    if isinstance(error, BrokenPipeError):  # it only means that the reader has read enough
        return 0
    return _fail(f"the output cannot be written: {error.strerror}")


def _fail(message: str) -> int:
    _say(f"error: {message}")
    return 2


def _say(message: str) -> None:
    try:
        print(f"linear: {printable(message)}", file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)  # there is no other place to say it


def _give_up(stream: TextIO) -> None:
    """Send what a stream still holds nowhere. Python would write it when it ends, and fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m linear",
        description="Fit a linear model by gradient descent, with gradients from minigrad, and compare it with the\n"
        "exact least-squares answer.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_file_options(parser)
    add_worker_options(parser)
    parser.add_argument(
        "--method", choices=NAMES, default="descent", help="the way to the minimum (default: descent); lbfgs needs SciPy"
    )
    parser.add_argument("--steps", metavar="N", type=_steps, help="steps of the method (default: 3000, for newton 2)")
    parser.add_argument(
        "--learning-rate",
        metavar="R",
        type=_rate,
        help="size of a step (default: for descent 0.01, less if that is unstable; for momentum the fastest; for adam 0.1)",
    )
    parser.add_argument(
        "--diverge", action="store_true", help="allow a learning rate that is too large, and draw what happens"
    )
    parser.add_argument("--seed", metavar="N", type=_seed, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument(
        "--out", metavar="DIR", type=a_name, default="pictures", help="folder for the pictures (default: pictures)"
    )
    parser.add_argument(
        "--jit", action="store_true", help="run the steps as a program (minigrad.jit), and print both times of a step"
    )
    parser.add_argument("--save", metavar="MODEL.json", type=a_name, help="write the fitted line to a new file")
    parser.add_argument(
        "--predict",
        metavar="FILE",
        type=a_name,
        nargs="+",
        help="fit nothing; predict for the rows of files, and write the predictions as CSV to standard output",
    )
    parser.add_argument("--model", metavar="MODEL.json", type=a_name, help="the line that predicts, from --save")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--no-pictures", action="store_true", help="draw no pictures")
    choice.add_argument("--show", action="store_true", help="show the pictures in windows as well")
    options = parser.parse_intermixed_args(argv)  # options may stand between files
    options.data = [*options.files, *(options.data or [])]
    if (options.predict is None) != (options.model is None):
        parser.error("--predict NEW.csv and --model MODEL.json need each other")
    if options.predict is not None:
        _check_prediction(parser, options)
        return options
    if options.jit and options.method != "descent":
        parser.error("--jit: only gradient descent runs as a program")
    if options.diverge:
        if options.method not in ("descent", "momentum"):
            parser.error(f"--diverge: {NAMES[options.method]} has no largest stable learning rate")
        if options.save:
            parser.error("--save: with --diverge, there is no line to save")
    given = [*options.read, *(name for name in ("jobs", "scheduler") if getattr(options, name) is not None)]
    if not options.data and given:
        parser.error(f"--{given[0].replace('_', '-')} needs a file")
    return options


def _check_prediction(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options about fitting: with --predict, nothing is fitted."""
    allowed = ("predict", "model", "read", "files", "data", "seed", "out", "no_pictures", "show")
    given = [name for name, value in vars(options).items() if name not in allowed and value != parser.get_default(name)]
    given += ["data"] if options.data else []
    given += [name for name in options.read if name in ("target", "features", "drop", "categorical", "dates")]
    if given:
        parser.error(f"--{given[0].replace('_', '-')}: with --predict nothing is fitted, and --model says which columns are used")


def _predict(options: argparse.Namespace) -> None:
    model = Model.load(options.model)
    predictions, notes = model.predict(options.predict, **options.read)
    for note in notes:
        _say(note)  # standard output is for the predictions
    write_predictions(sys.stdout, model.targets, predictions)


def _run(options: argparse.Namespace) -> None:
    if options.predict is not None:
        return _predict(options)
    np.random.seed(options.seed)
    if not options.data:
        problem = Problem.simulated(*simulate(100, TRUE_LINE["w"], TRUE_LINE["b"], NOISE), TRUE_LINE)
        source = f"100 points simulated from y = {TRUE_LINE['w']:g} x + {TRUE_LINE['b']:g} with noise of size {NOISE:g}"
        _fit(options, problem, source)
        return
    files = in_folders(options.data)
    if not (options.jobs or options.scheduler or are_large(files)):
        _say_what_takes_long(files)
        data = read_csv(files, **options.read)
        _fit(options, Problem.standardised(data), _about(data, len(data.y)))
        return
    rows = rows_of(files, **options.read)
    with workers_for(options.jobs, options.scheduler) as workers:
        problem, passed = first_pass(rows, workers)
        passed += f"\n          The descent runs on {len(problem.y)} rows that have the same loss as all rows"
        _fit(options, problem, _about(problem.data, problem.rows), passed, lambda theta: second_pass(problem, theta, rows, workers))


def _about(data: Data, rows: int) -> str:
    names = [", ".join(map(cut, columns)) for columns in (data.targets, data.features)]
    return f"{data.source}: {rows:,} rows, {' from '.join(names)}"


def _fit(
    options: argparse.Namespace, problem: Problem, source: str, passed: str = "", check: Callable[[Any], str] | None = None
) -> None:
    """Train, and print and draw the results. `passed` says what a first pass did, and `check` makes the second pass."""
    way = choose_way(problem, options.method, options.steps, options.learning_rate, options.diverge, options.jit)
    if options.save:
        check_new(options.save)
    folder = Path(options.out)
    pictures = None if options.no_pictures else _load_pictures(folder, options.show)
    start = initialize_linear_params(*(None if array.ndim == 1 else array.shape[1] for array in (problem.x, problem.y)))

    print(f"Data      {printable(source)}")
    for title, note in zip(["Reading   ", *[" " * 10] * len(problem.data.notes)], problem.data.notes):
        print(title + printable(note))
    if passed:
        print(f"Pass 1    {passed}")
    for title, text in zip(("Training  ", " " * 10), way.lines(problem)):
        print(title + text)
    print_start(problem, start)
    training = train(problem, start, way)
    if options.diverge and problem.loss(training.theta) > problem.loss(start):
        print_divergence(problem, training, way)
        if pictures is not None:
            _save_pictures(pictures, pictures.draw_diverging(problem, training, way, options.show), folder, options.show)
        return
    has_converged = print_result(problem, training, way)
    name, line = ("learned", training.theta) if has_converged else ("least-squares", problem.best)
    if options.jit:
        of_engine, of_program = (microseconds_a_step(problem, start, way.rate, jit) for jit in (False, True))
        print(f"Program   a step takes {of_program:,.1f} us as a program, and {of_engine:,.1f} us without --jit")
        if way.n_steps:
            print(f"          making the program took {training.first_seconds:.1f} s of the time above", flush=True)
    print_fit(problem, line, name)
    if check is not None:
        print(f"Pass 2    {check(training.theta)}", flush=True)
    if options.save:
        Model.of(problem, line, NAMES[way.method] if has_converged else "least squares").save(options.save)
        print(f"Saved     the {name} line in {printable(options.save)}; --predict FILE --model {printable(options.save)} uses it")
    if pictures is not None:
        print("Drawing   the pictures and an animation, which takes a few seconds", flush=True)
        _save_pictures(pictures, pictures.draw_all(problem, training, options.show), folder, options.show)


def _save_pictures(pictures: ModuleType, drawn: Any, folder: Path, show: bool) -> None:
    for stand_in, name in drawn.replaced.items():
        print(f"          {stand_in} stands for {cut(name)}: no font here has its characters")
    earlier = [name for name in drawn.files if os.path.lexists(folder / name)]
    files = pictures.save(drawn, folder)
    print("Pictures  " + printable(", ".join(map(str, files))), flush=True)
    if earlier:
        print(f"          in place of {', '.join(earlier)} of an earlier run; --out DIR keeps both", flush=True)
    if show:
        pictures.plt.show()


def _say_what_takes_long(paths: list[str]) -> None:
    """Say on a terminal that its user is to type, or that there is much to read."""
    if STANDARD_INPUT in paths and sys.stdin is not None and sys.stdin.isatty():
        _say(f"reads standard input, until {'Ctrl-Z and Enter' if os.name == 'nt' else 'Ctrl-D'}")
    size = sum(os.path.getsize(file) for file in files_of(paths) if os.path.isfile(file))
    if size > 10_000_000 and sys.stderr.isatty():
        _say(f"reads {size / 10**6:.0f} MB")


def _load_pictures(folder: Path, show: bool) -> ModuleType:
    """Import what draws, after making sure that the pictures can be written and shown."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of its caches, its fonts and its settings
    try:
        with finish_first():
            from . import pictures
    except Exception as error:  # matplotlib is absent, or broken in any way, or does not know MPLBACKEND
        backend = os.environ.get("MPLBACKEND")
        where = f"MPLBACKEND={backend}: " if backend and "backend" in str(error) else ""
        raise UsageError(f"the pictures need matplotlib ({where}{error}); leave them out with --no-pictures") from None
    exists(folder, "--out")  # raises if the name is too long
    present = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    if not present.exists():
        raise UsageError(f"--out: {present} leads nowhere: it is a broken link, or its folder is gone")
    if not present.is_dir():
        raise UsageError(f"--out: {present} is a file, not a folder")
    try:
        with finish_first():
            _try_to_write(present, new_folder=present != folder)
    except OSError as error:
        raise UsageError(f"--out: {present} cannot be written to: {error.strerror}") from None
    if show:
        try:
            cause = None if pictures.has_display() else " and there is none here"
        except Exception as error:  # each backend has errors of its own
            cause = f" ({error})"
        if cause is not None:
            raise UsageError(f"--show needs a display{cause}; without --show the pictures become files")
    return pictures


def _try_to_write(folder: Path, new_folder: bool) -> None:
    """Write a file in a folder, or in a new folder there, and take it away. Special file systems refuse only that."""
    if new_folder:
        with tempfile.TemporaryDirectory(dir=folder) as below, tempfile.TemporaryFile(dir=below):
            pass
    else:
        with tempfile.TemporaryFile(dir=folder):
            pass


def _steps(text: str) -> int:
    steps = _number(int, text, lambda steps: steps >= 0, "a whole number, 0 or more")
    if steps > 10**12:
        raise argparse.ArgumentTypeError(f"so many steps would take years: {quoted(text)}")
    return steps


def _rate(text: str) -> float:
    return _number(float, text, lambda rate: 0 < rate < math.inf, "a number greater than 0")


def _seed(text: str) -> int:
    return _number(int, text, lambda seed: 0 <= seed < 2**32, "a whole number from 0 to 4294967295")


def _number(kind: type, text: str, is_good: Callable[[Any], bool], wanted: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not is_good(number):
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {quoted(text)}")
    return number


if __name__ == "__main__":
    sys.exit(main())
