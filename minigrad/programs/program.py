"""`program`: a function, its derivative or a whole training step as a NumPy program, to read, to keep and to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .. import tree
from ..functions import check_callable, name_of
from ..graph import describe
from .operations import Operation, Recording, Variable
from .simplifying import simplified, with_own_outputs
from .tracing import is_traced, place_of, trace
from .writing import Source


class Program:
    """What a function computes, for arguments of one form, as NumPy source. ``print`` shows the source, and a call runs it.

    Attributes
    ----------
    source : str
    operations : list of Operation
        One for each line: its name, function, operands, shape, dtype, and the line of the user's program.
    constants : dict
        The arrays that are too large to be in the source, by name.
    recording : Recording
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        written = Source(recording)
        self.source, self.handed_over = str(written), written.handed_over
        self.constants = {name: value for name, value in self.handed_over.items() if isinstance(value, ndarray)}
        names = dict(self.handed_over)
        exec(compile(written.code, f"<program {written.name}>", "exec"), names)
        self.run = names[written.name]

    @property
    def operations(self) -> list[Operation]:
        """The operations, in the order in which they run."""
        return self.recording.operations

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self.check(args, kwargs)
        return self.run(*args, **kwargs)

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<Program {name_of(self.recording.fun)}: {len(self.operations)} operations>"

    def check(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise if arguments do not have the form for which the program was recorded."""
        leaves, structure = tree.flatten((args, kwargs))
        expected, its_structure = tree.flatten(self.recording.in_tree)
        if structure != its_structure:
            raise TypeError(f"the program was recorded for arguments of the structure {its_structure}, and got {structure}. {AGAIN}")
        for leaf, known, path in zip(leaves, expected, tree.paths(structure)):
            if isinstance(known, Variable):
                form = describe(leaf) if is_traced(leaf) else (None, type(leaf))
                if form != (known.shape, known.dtype):
                    raise TypeError(
                        f"the program was recorded for {place_of(self.recording.fun, path)} of shape {known.shape} and dtype "
                        f"{np.dtype(known.dtype) if not known.is_weak else known.dtype.__name__}, and got shape {np.shape(leaf)} and {form[1]}. {AGAIN}"
                    )
            elif not (leaf is known or (type(leaf) is type(known) and np.all(leaf == known))):
                raise ValueError(
                    f"the program was recorded for {place_of(self.recording.fun, path)} = {known!r}, which is a part of it, and got {leaf!r}. {AGAIN}"
                )


AGAIN = "Make another program with minigrad.program"


def program(fun: Callable[..., Any], simplify: bool = True) -> Callable[..., Program]:
    """Return the function that records a call of `fun`, and returns it as a NumPy program.

    Parameters
    ----------
    fun : callable
        Any function of arrays and pytrees, written with NumPy and with minigrad's transforms: ``grad(loss)``, ``hessian(f)``, or a
        whole training step. It runs once. So its side effects, prints and random numbers happen once, and random numbers and
        arrays from outside become constants of the program.
    simplify : bool, default True
        If false, the program holds everything that was recorded.

    Returns
    -------
    callable
        Takes the arguments of `fun`, and returns a `Program`. Floats, complex numbers and arrays among the arguments are the
        inputs of the program. Everything else (Python integers, bools, strings, None, functions) is a part of it.

    Raises
    ------
    ConcretizationTypeError
        In the call, if `fun` needs a value of an argument and not only computes with it: by an ``if``, by ``float(t)`` or
        ``t.item()``, or where the shape of a result depends on it.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import grad, program
    >>> p = program(grad(lambda x, c: np.sum(c * x ** 3)))(np.array([1.0, 2.0]), 0.5)
    >>> p(np.array([1.0, 3.0]), 2.0)
    array([ 6., 54.])
    """
    check_callable(fun)

    def record(*args: Any, **kwargs: Any) -> Program:
        recording = trace(fun, args, kwargs)
        recording = simplified(recording) if simplify else recording
        return Program(with_own_outputs(recording))

    return record
