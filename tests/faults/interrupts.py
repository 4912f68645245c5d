"""Raise an exception at every place in minigrad, one after the other. The next result has to be right all the same.

Each piece of work (see workload.py) is run in a process of its own, which has used nothing before. The exception comes at
the n-th event: a line, a call or a return in a file of minigrad. Then the same process does the piece again, and compares
the result with what a process computes in which nothing is raised, to the last bit. It also compares the user's arrays.

    python -m tests.faults.interrupts                         every place; takes many minutes
    python -m tests.faults.interrupts --every 50              every 50th place
    python -m tests.faults.interrupts --how depth             RecursionError, with less and less room on the stack
    python -m tests.faults.interrupts --how same-process      all in one process, one place after the other
    python -m tests.faults.interrupts --how signals           a signal, as from the keyboard, at random times

The lines of `with` statements are left out, because Python does not look for signals there: an interrupt between the end of
a block and the release of its lock does not happen.
"""

import argparse
import ast
import os
import pickle
import random
import signal
import sys
import time
import traceback
from functools import cache
from pathlib import Path

import minigrad

from . import workload

FOLDER = str(Path(minigrad.__file__).parent)


class Fault(BaseException):
    """An exception that no program expects."""


ERRORS = {error.__name__: error for error in (Fault, KeyboardInterrupt, MemoryError, RecursionError, ValueError)}


@cache
def lines_of_with(filename):
    """The numbers of the lines on which a `with` statement of a file begins."""
    if not os.path.exists(filename):
        return frozenset()
    found = ast.walk(ast.parse(Path(filename).read_text(encoding="utf-8")))
    return frozenset(node.lineno for node in found if isinstance(node, ast.With))


class Bomb:
    """Counts the events in minigrad, and raises at one of them."""

    def __init__(self, error=None, place=None):
        self.error, self.place, self.count, self.where = error, place, 0, None

    def __call__(self, frame, event, argument):
        filename = frame.f_code.co_filename
        if not filename.startswith((FOLDER, "<a short way")):
            return None
        if frame.f_lineno not in lines_of_with(filename):
            self.count += 1
            if self.count == self.place:
                self.where = f"{os.path.basename(filename)}, line {frame.f_lineno} ({event})"
                raise self.error("boom")
        return self

    def run(self, piece):
        """Run a piece. Return whether the exception came out of it."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            piece()
        except BaseException as error:
            if not isinstance(error, self.error or ()):
                raise
            return True
        finally:
            sys.settrace(before)
        return False


def in_a_child(work):
    """Do some work in a copy of this process, and return its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("a child failed")
    return pickle.loads(data)


def compared(piece, expected, before):
    """What is wrong after an exception, in words; None if all is right."""
    try:
        after = workload.surroundings()
        found = workload.exactly(piece())
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}"
    if after != before:
        return f"changed the surroundings: {after} was {before}"
    return None if found == expected else f"returned {found} for {expected}"


def at_lines(piece, expected, before, error, places, others):
    """Raise at each of these places. Each is a process of its own."""
    for place in places:

        def work(place=place):
            bomb = Bomb(error, place)
            out = bomb.run(piece)
            wrong = compared(piece, expected[piece.__name__], before)
            if wrong is None and others and place % others == 0:
                found = [(other.__name__, compared(other, expected[other.__name__], before)) for other in workload.PIECES]
                wrong = next((f"then {name} {text}" for name, text in found if text), None)
            return bomb.where, out, wrong

        yield place, *in_a_child(work)


def in_one_process(piece, expected, before, error, places, others):
    """Raise at each of these places, all in this process."""

    def work():
        rows = []
        for place in places:
            bomb = Bomb(error, place)
            out = bomb.run(piece)
            rows.append((place, bomb.where, out, compared(piece, expected[piece.__name__], before)))
        return rows

    yield from in_a_child(work)


def at_depths(piece, expected, before, every):
    """Leave room for so many more calls on the stack, and for more each time, until the piece has enough."""
    room = 1
    while True:

        def work():
            old = sys.getrecursionlimit()
            depth = len(traceback.extract_stack())
            while True:  # the interpreter counts some calls more than there are frames
                try:
                    sys.setrecursionlimit(depth + room)
                    break
                except RecursionError:
                    depth += 1
            failed = False
            try:
                piece()
            except RecursionError:
                failed = True
            finally:
                sys.setrecursionlimit(old)
            return f"room for {room} calls", failed, compared(piece, expected[piece.__name__], before)

        where, failed, wrong = in_a_child(work)
        yield room, where, failed, wrong
        if not failed:
            return
        room += every


def at_signals(piece, expected, before, tries):
    """Send this process a signal at a random time, whose handler raises KeyboardInterrupt, as Python's own handler does."""

    def timed():
        start = time.perf_counter()
        piece()
        return time.perf_counter() - start

    longest = in_a_child(timed)
    for i in range(tries):

        def work():
            armed = [True]

            def interrupt(number, frame):
                if armed[0]:
                    raise KeyboardInterrupt

            signal.signal(signal.SIGALRM, interrupt)
            out = False
            try:
                signal.setitimer(signal.ITIMER_REAL, random.Random(i).uniform(1e-6, longest))
                piece()
                armed[0] = False
            except KeyboardInterrupt:
                out = True
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            return "after a random time", out, compared(piece, expected[piece.__name__], before)

        yield i, *in_a_child(work)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.faults.interrupts", description=__doc__.partition("\n")[0])
    parser.add_argument("--how", choices=("lines", "same-process", "depth", "signals"), default="lines")
    parser.add_argument("--error", choices=ERRORS, default="Fault", help="what is raised at lines (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth place (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first place (default: %(default)s)")
    parser.add_argument("--others", type=int, default=20, metavar="N",
                        help="at places that N divides, all other pieces are done afterwards too (default: %(default)s)")
    parser.add_argument("--tries", type=int, default=200, metavar="N", help="signals for each piece (default: %(default)s)")
    parser.add_argument("--pieces", nargs="*", metavar="NAME", help="only these pieces of work")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    for path in Path(FOLDER).rglob("*.py"):  # here, and not again in each child
        lines_of_with(str(path))
    before = workload.surroundings()
    pieces = [piece for piece in workload.PIECES if not options.pieces or piece.__name__ in options.pieces]
    expected = {}
    for piece in workload.PIECES:
        expected[piece.__name__] = in_a_child(lambda: workload.exactly(piece()))
    tried = raised = 0
    wrong = []
    for piece in pieces:
        if options.how == "depth":
            rows = at_depths(piece, expected, before, options.every)
        elif options.how == "signals":
            rows = at_signals(piece, expected, before, options.tries)
        else:

            def count(piece=piece):
                bomb = Bomb()
                bomb.run(piece)
                return bomb.count

            places = range(options.first, in_a_child(count) + 1, options.every)
            way = at_lines if options.how == "lines" else in_one_process
            rows = way(piece, expected, before, ERRORS[options.error], places, options.others)
        number = 0
        for place, where, out, text in rows:
            number, raised = number + 1, raised + out
            if text:
                wrong.append(text)
                print(f"{piece.__name__}, place {place}, {where}: {text[:500]}", flush=True)
        tried += number
        print(f"{piece.__name__}: {number} places", flush=True)
    seconds = time.perf_counter() - start
    print(f"{tried} places, {raised} exceptions came out, {len(wrong)} wrong results afterwards, {seconds:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
