"""jit: a function that runs as a program, which is recorded at the first call."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .. import boundary, operands, tree
from ..arguments import whole_numbers
from ..functions import P, check_callable, name_of, signature_of, transform, wraps
from . import numpy_backend
from .calls import MISS, quick
from .operations import Recording
from .program import Program
from .simplifying import simplified, with_own_outputs
from .tracing import ANY_LEAF, OuterTensorError, is_traced, place_of, plain, trace

MANY = 10  # so many values of one static argument bring a warning


@transform
def jit(
    fun: Callable[P, Any], *, static_argnums: int | Iterable[int] = (), static_argnames: str | Iterable[str] = (),
    backend: str | None = None,
) -> Callable[P, Any]:
    """Return a function that does what `fun` does, as a program that runs without the engine. Same as `jax.jit`.

    The first call records `fun` and makes a program of it. Later calls run the program. There is a program for each
    combination of tree structure, shapes, dtypes and static arguments.

    Floats, complex numbers, NumPy scalars and arrays are inputs of the program. Everything else is static, that is, a part
    of the program: Python ints, bools, strings, functions and other objects. A new value makes a new program. A program does not
    see what changes inside of an object later.

    Parameters
    ----------
    fun : callable
        Written with NumPy. It takes and returns pytrees. It may use `grad` and all other transforms. Values from outside,
        such as global variables, stay as they were at the first call. Side effects, such as printing, happen at the first
        call only.
    static_argnums : int or sequence of int, optional
        Positions of arguments that are static as a whole, with all numbers in them.
    static_argnames : str or sequence of str, optional
        The names of such arguments.
    backend : {"numba", "numpy"}, optional
        What runs the program. "numba" compiles loops, and needs Numba (``pip install numba``). It is the default
        where Numba is installed, and gives no warnings, such as of a division by 0. "numpy" calls NumPy, which warns.

    Returns
    -------
    callable
        Takes the arguments of `fun`. Its results are new: they share memory with nothing else. ``jitted.program(*args)``
        returns the program that would run. If an argument is being differentiated, `fun` itself runs.

    Raises
    ------
    TypeError
        Here, if `fun` is not callable. In the call, if a static value is not hashable.
    ValueError
        If `fun` has no argument that `static_argnums` or `static_argnames` select, or if there is no such backend.
    ImportError
        If the backend is "numba", and Numba is not installed or does not work.
    ConcretizationTypeError
        In the call, if what `fun` does depends on a value of its inputs, such as by an ``if``.

    Warns
    -----
    UserWarning
        If a static argument has its tenth value: each of them took a new program.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad import jit, value_and_grad
    >>> @jit
    ... def step(w, x, y):
    ...     loss, slope = value_and_grad(lambda w: np.mean((w * x - y) ** 2))(w)
    ...     return loss, w - 0.1 * slope
    >>> x = np.array([1.0, 2.0])
    >>> step(0.0, x, 3 * x)
    (np.float64(22.5), 1.5)
    >>> step(1.5, x, 3 * x)
    (np.float64(5.625), 2.25)
    """
    check_callable(fun)
    compile_recording, static = backend_of(backend), StaticArguments(fun, static_argnums, static_argnames)
    known: dict[tuple, list[tuple[tree.Structure, Compiled]]] = {}  # the kinds of the leaves to programs, one for each structure
    recent: tuple[Callable, ...] = ()  # the quick ways into the programs that ran last

    @wraps(fun, "Run {fun} as a program, which is recorded at the first call.")
    def jitted(*args: Any, **kwargs: Any) -> Any:
        for call in recent:
            result = call(args, kwargs)
            if result is not MISS:
                return result
        return find_and_run(args, kwargs)

    def find_and_run(args: tuple, kwargs: dict[str, Any]) -> Any:
        nonlocal recent
        leaves, structure = tree.flatten((args, kwargs))
        if any(isinstance(leaf, operands.Guarded) for leaf in leaves):
            return fun(*args, **kwargs)  # it is being differentiated, or it is part of another program
        is_input = static.inputs(args, kwargs, leaves)
        kinds = tuple([kind_of(leaf, is_input[i], partial(static.place, structure, i)) for i, leaf in enumerate(leaves)])
        compiled = next((compiled for form, compiled in known.get(kinds, ()) if form == structure), None)
        if compiled is None:
            try:
                recording = recorded(args, kwargs, is_input)
            except OuterTensorError:  # the function takes from outside what is being differentiated
                return fun(*args, **kwargs)
            run = compile_recording(recording)
            compiled = Compiled(run, tree.structure(recording.outputs), quick(args, kwargs, is_input, run, recording.outputs))
            known.setdefault(kinds, []).append((structure, compiled))
            static.warn_of_many(structure, kinds)
        if compiled.quick is not None:
            recent = (compiled.quick, *[call for call in recent if call is not compiled.quick])[:4]
        results = compiled.run(*[plain(leaf) for leaf, is_one in zip(leaves, is_input) if is_one])
        return tree.unflatten(compiled.outputs, results)

    def recorded(args: tuple, kwargs: dict[str, Any], is_input: list[bool]) -> Recording:
        return with_own_outputs(simplified(trace(fun, args, kwargs, is_input)))

    def program_of(*args: Any, **kwargs: Any) -> Program:
        return Program(recorded(args, kwargs, static.inputs(args, kwargs, tree.leaves((args, kwargs)))))

    jitted.program = program_of  # type: ignore[attr-defined]
    return jitted


class Compiled(NamedTuple):
    """A program that was made, the form of its results, and a quick way into it, or None."""

    run: Callable[..., list]
    outputs: tree.Structure
    quick: Callable | None


def backend_of(name: str | None) -> Callable:
    """Return what compiles a recording."""
    if name not in (None, "numpy", "numba"):
        raise ValueError(f"backend must be 'numba' or 'numpy', and is {name!r}")
    if name != "numpy":
        try:
            from . import numba_backend

            return numba_backend.compile_recording
        except ImportError as error:  # Numba is not installed, or does not work with this NumPy
            if name == "numba":
                raise ImportError(f"backend='numba' needs Numba ({error}): pip install numba; or write backend='numpy'") from None
    return numpy_backend.compile_recording


# ---- Arguments ------------------------------------------------------------------------------------------------------


def kind_of(leaf: Any, is_input: bool, place: Callable[[], str]) -> tuple:
    """Return what a program depends on: of an input its type, dtype and shape, of a static leaf its value too."""
    boundary.check_leaf(leaf, ANY_LEAF, place)
    if is_input:
        return (type(leaf), leaf.dtype, leaf.shape) if isinstance(leaf, (ndarray, np.generic)) else (type(leaf),)
    if isinstance(leaf, (float, complex, np.generic)):
        return None, type(leaf), repr(leaf)  # -0.0 is not 0.0, and NaN is NaN
    try:
        hash(leaf)
    except TypeError:
        reason = "it was declared static" if is_traced(leaf) else "only numbers and arrays of numbers are inputs of a program"
        raise TypeError(
            f"{place()} is of type {type(leaf)}. It is static, because {reason}. There is a program for each value of a static "
            f"argument, so the value must be hashable"
        ) from None
    return None, type(leaf), leaf


class StaticArguments:
    """Which arguments of a function are static as a whole."""

    def __init__(self, fun: Callable, argnums: Any, argnames: Any) -> None:
        self.fun = fun
        self.values: dict[str, set] = {}  # of each static leaf, the values that were seen
        kinds = {name: parameter.kind for name, parameter in signature_of(fun).parameters.items()}
        positional = [name for name, kind in kinds.items() if kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        numbers = whole_numbers("static_argnums", argnums)
        names = (argnames,) if isinstance(argnames, str) else tuple(argnames)
        for i in numbers:
            most = len(positional) if inspect.Parameter.VAR_POSITIONAL not in kinds.values() else i + 1
            if not -len(positional) <= i < most:
                raise ValueError(f"static_argnums has {i}, and {name_of(fun)} takes {len(positional)} positional arguments")
        for name in names:
            if name not in kinds and inspect.Parameter.VAR_KEYWORD not in kinds.values():
                raise ValueError(f"static_argnames has {name!r}, and {name_of(fun)} takes {', '.join(kinds) or 'no arguments'}")
        self.numbers = {i + len(positional) if i < 0 else i for i in numbers} | {positional.index(name) for name in names if name in positional}
        self.names = {*names, *(positional[i] for i in self.numbers if i < len(positional))}

    def inputs(self, args: tuple, kwargs: dict[str, Any], leaves: list) -> list[bool]:
        """Return for each leaf of a call whether it is an input."""
        if not self.names and not self.numbers:
            return [is_traced(leaf) for leaf in leaves]
        static = [[i in self.numbers] * len(tree.leaves(value)) for i, value in enumerate(args)]
        named = {name: [name in self.names] * len(tree.leaves(value)) for name, value in kwargs.items()}
        return [is_traced(leaf) and not is_static for leaf, is_static in zip(leaves, tree.leaves((static, named)))]

    def place(self, structure: tree.Structure, i: int) -> str:
        """Return the place of a leaf, as the user would write it: ``params['w'][0]``."""
        return place_of(self.fun, tree.paths(structure)[i])

    def warn_of_many(self, structure: tree.Structure, kinds: tuple) -> None:
        """Warn if a static leaf has had many values, each of which took a new program."""
        for i, kind in enumerate(kinds):
            if kind[0] is None:  # the leaf is static
                place = self.place(structure, i)
                values = self.values.setdefault(place, set())
                if kind not in values and len(values) == MANY - 1:
                    warnings.warn(
                        f"{name_of(self.fun)} was recorded for {MANY} different values of {place}, the last of type "
                        f"{kind[1].__name__}: values of this type are static, so each new one takes a new program. Pass a number that "
                        f"changes as a float, or as an array, np.asarray({place}); define a function once, outside of the loop",
                        stacklevel=4,
                    )
                if len(values) < MANY:
                    values.add(kind)

