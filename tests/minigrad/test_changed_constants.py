"""All of NumPy, with constants that change after the operation has used them: the derivative does not notice.

Each call of the surface has one argument that is differentiated. All others are constants, in one of many disguises: arrays,
views, lists, buffers, objects that NumPy asks for an array or an index. They change between the forward and the backward
pass. So a rule that keeps anything that the caller can still change gives another derivative.
"""

import array
import operator
import tempfile
from collections import UserList, deque
from collections.abc import Sequence

import jax
import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import Tensor, grad, linearize, vjp

from .support import assert_identical, read_only
from .test_surface import CALLS, LACKING, NOT_DISPATCHED, D, Call, find

# ---- Constants that can change --------------------------------------------------------------------------------------


def scramble(a):
    """Write other numbers into an array. They are valid indices where the old ones were."""
    a[...] = ~a if a.dtype == bool else np.where(a == 0, 1, 0) if a.dtype.kind in "iu" else 7.5


class WithArray:
    """An object that NumPy asks for its array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


class OwnSequence(Sequence):
    """A sequence that is no list."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


class Number:
    """A whole number that can change."""

    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


def as_view(a):
    base = np.concatenate([a.ravel(), a.ravel()])
    return base[: a.size].reshape(a.shape), lambda: scramble(base)


def as_locked_view(a):
    view, change = as_view(a)
    return read_only(view), change


def as_memmap(a):
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, a.dtype, "w+", shape=a.shape)
    mapped[...] = a
    return mapped, lambda: scramble(mapped)


def as_list(a):
    numbers = a.tolist()

    def change(numbers):
        for i, member in enumerate(numbers):
            if isinstance(member, list):
                change(member)
            else:
                numbers[i] = not member if isinstance(member, bool) else int(member == 0) if isinstance(member, int) else 7.5

    return numbers, lambda: change(numbers)


def as_other(make):
    """For a container of another kind, which is made from a list, and in which elements can be replaced."""

    def disguise(a):
        if a.ndim != 1:
            return as_list(a)
        other, later = make(a.tolist()), a.copy()
        scramble(later)

        def change():
            for i, number in enumerate(later.tolist()):
                other[i] = number

        return other, change

    return disguise


def as_sequence(a):
    numbers, change = as_list(a)
    return OwnSequence(numbers), change


def as_buffer(numbers):
    return array.array("d" if isinstance(numbers[0], float) else "b" if isinstance(numbers[0], bool) else "q", numbers)


def with_change(make):
    def disguise(a):
        a = a.copy()
        return make(a), lambda: scramble(a)

    return disguise


ARRAYS = {
    "array": with_change(lambda a: a),
    "array in Fortran order": with_change(lambda a: a.T.copy().T if a.ndim > 1 else a),
    "view": as_view,
    "read-only view": as_locked_view,
    "reversed view": with_change(lambda a: a[::-1].copy()[::-1] if a.ndim else a),
    "memmap": as_memmap,
    "memoryview": with_change(memoryview),
    "read-only memoryview": with_change(lambda a: memoryview(a).toreadonly()),
    "object with an array": with_change(WithArray),
    "list": as_list,
    "deque": as_other(deque),
    "UserList": as_other(UserList),
    "sequence": as_sequence,
    "buffer": as_other(as_buffer),
}


def number_as_array(n):
    a = np.array(n)
    return a, lambda: scramble(a)


def number_as_object(n):
    if not isinstance(n, int) or isinstance(n, bool):
        return number_as_array(n)
    number = Number(n)
    return number, lambda: setattr(number, "n", int(n == 0))


NUMBERS = {"array of shape ()": number_as_array, "object with an index": number_as_object}


def disguised(value, kind, changes):
    """A constant in another form. What changes it later is added to the changes."""
    if isinstance(value, D):
        return disguised(value.through(value.value), kind, changes)
    if isinstance(value, slice):
        return slice(*(disguised(n, kind, changes) for n in (value.start, value.stop, value.step)))
    if isinstance(value, (list, tuple)):
        found = type(value)(disguised(member, kind, changes) for member in value)
        if isinstance(found, list):
            changes.append(lambda: found.reverse())
            changes.append(lambda: found.append(found[0]))
        return found
    make = None
    if isinstance(value, np.ndarray):
        make = ARRAYS.get(kind)
    elif isinstance(value, (int, float)):
        make = NUMBERS.get(kind)
    if make is None:
        return value
    found, change = make(value)
    changes.append(change)
    return found


# ---- The calls ------------------------------------------------------------------------------------------------------


def programs(name, kind):
    """For each call of a function, and each of its arguments: a function of this one, where it is, and what changes the others."""
    for call in CALLS[name]:
        for chosen in range(len(call.parameters())):
            yield program(call, find(mnp if name in NOT_DISPATCHED else np, name), chosen, kind)


def program(call, fun, chosen, kind):
    changes, seen = [], iter(range(100))

    def fill(value):
        """All but one of the differentiated arguments become constants. A container that holds it is filled last."""
        if isinstance(value, D):
            if next(seen) == chosen:
                return value
        elif isinstance(value, (list, tuple)) and holds_arguments(value):
            return type(value)(fill(member) for member in value)
        return disguised(value, kind, changes)

    args, kwargs = fill(list(call.args)), {key: fill(value) for key, value in call.kwargs.items()}
    x = call.parameters()[chosen]

    def f(x):
        results = Call(*args, only=call.only, **kwargs).run(fun, [x])
        return [r for r in leaves(results) if np.result_type(r).kind in "fc"]

    return f, x, lambda: [change() for change in changes]


def holds_arguments(value):
    return isinstance(value, D) or isinstance(value, (list, tuple)) and any(map(holds_arguments, value))


def leaves(value):
    return [leaf for member in value for leaf in leaves(member)] if isinstance(value, (list, tuple)) else [value]


def quadratic(results):
    """The results, and their squares: so the cotangents of the results depend on the results."""
    return [r + 0.25 * r * r for r in results]


def attempt(run):
    """The result, or the kind of the error: some forms of a constant are refused, by NumPy or by minigrad."""
    try:
        return run()
    except (TypeError, ValueError, IndexError, NotImplementedError, AttributeError) as error:
        return type(error)


def ones(out):
    return [np.ones_like(leaf)[()] if isinstance(leaf, np.generic) else np.ones_like(leaf) if isinstance(leaf, np.ndarray)
            else type(leaf)(1) for leaf in out]


def check_unmoved(f, x, change):
    """The derivatives are the same before and after the constants change, backwards and forwards. Return whether any were."""
    found = attempt(lambda: vjp(lambda x: quadratic(f(x)), x))
    if isinstance(found, type):
        return False
    out, pullback = found
    kept = jax.tree.map(np.copy, out)
    cotangent = ones(out)
    _, pushforward = linearize(lambda x: quadratic(f(x)), x)
    before = pullback(cotangent), pushforward(x)
    change()
    assert_identical(cotangent, ones(out))
    after = pullback(cotangent), pushforward(x)
    assert_identical(before, after)
    jax.tree.map(np.testing.assert_array_equal, out, kept)
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*ARRAYS, *NUMBERS])
def test_constants_that_change(kind):
    """Every function of NumPy, by every argument."""
    wrong, taken = [], 0
    for name in CALLS:
        for f, x, change in programs(name, kind) if name not in LACKING else ():
            try:
                taken += check_unmoved(f, x, change)
            except AssertionError as error:
                wrong.append(f"{name}: {str(error).strip().splitlines()[:6]}")
            except Exception as error:
                wrong.append(f"{name}: {error!r}")
    assert not wrong, "\n".join(wrong)
    assert taken > 100
    print(kind, taken)
