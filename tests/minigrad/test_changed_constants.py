"""All of NumPy, with constants that change after the operation has used them: the derivative does not notice.

Each call of the surface has one argument that is differentiated. All others are constants, in one of many disguises: arrays,
views, lists, buffers, objects that NumPy asks for an array or an index. They change between the forward and the backward
pass. So a rule that keeps anything that the caller can still change gives another derivative.
"""

import array
import tempfile
from collections import UserList, deque

import jax
import numpy as np
import pytest
from scipy import special

import minigrad.numpy as mnp
from minigrad import jvp, linearize, vjp
from minigrad.table import rule_of, rules

from .support import assert_identical, read_only
from .test_surface import CALLS, LACKING, METHODS, NOT_DISPATCHED, SURFACE, Call, D, find, random

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


class OwnSequence:
    """A sequence that is no list, and does not say that it is one."""

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
    if a.ndim == 0:
        return number_as_array(a)
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
    make = (ARRAYS if isinstance(value, np.ndarray) else NUMBERS if isinstance(value, (int, float)) else {}).get(kind)
    if make is None:
        return kind(value) if callable(kind) and isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
    found, change = make(value)
    changes.append(change)
    return found


# ---- The calls ------------------------------------------------------------------------------------------------------


A, B, ROW, LONG = random(2, 3), random(2, 3, seed=1), random(3, seed=3), random(5, seed=4)
CUTS, MASK, CENTRE = np.array([1, 3]), A > 0.5, slice(0, 2)
# Constants that stand elsewhere than in the calls of the surface.
MORE = [
    ("sum", Call(D(A), where=MASK)),
    ("max", Call(D(A), where=MASK, initial=0.1)),
    ("std", Call(D(A), axis=(0, 1), where=MASK)),
    ("einsum", Call(D(A), [0, 1], B, [2, 1], [0, 2])),
    ("linalg.multi_dot", Call([A.T, D(A), B.T])),
    ("tensordot", Call(D(A), B, axes=[[0, 1], [0, 1]])),
    ("gradient", Call(D(LONG), np.cumsum(LONG))),
    ("gradient", Call(D(A), np.array([0.5, 2.0]), np.cumsum(ROW))),
    ("trapezoid", Call(D(A), np.cumsum(ROW))),
    ("apply_along_axis", Call(lambda row, w: row * w, 1, D(A), ROW)),
    ("apply_over_axes", Call(np.sum, D(A), CUTS[:1])),
    ("piecewise", Call(D(ROW), [ROW > 0.5], [lambda x, w: x * w, lambda x, w: x * x * w], np.array([2.0]))),
    ("insert", Call(D(LONG), CENTRE, np.array([5.0, 6.0]))),
    ("delete", Call(D(LONG), CENTRE)),
    ("delete", Call(D(LONG), CUTS)),
    ("split", Call(D(LONG), CUTS)),
    ("array_split", Call(D(LONG), CUTS)),
    ("repeat", Call(D(ROW), np.array([2, 1, 0]))),
    ("tile", Call(D(A), [2, 1])),
    ("roll", Call(D(A), [1, 2], [0, 1])),
    ("pad", Call(D(A), [(1, 2), (0, 1)], constant_values=[(1.0, 2.0), (3.0, 4.0)])),
    ("pad", Call(D(A), np.array([[1, 2], [0, 1]]))),
    ("transpose", Call(D(A), [1, 0])),
    ("moveaxis", Call(D(A), [0, 1], [1, 0])),
    ("reshape", Call(D(A), [3, 2])),
    ("broadcast_to", Call(D(ROW), [2, 3])),
    ("resize", Call(D(A), [4, 2])),
    ("broadcast_arrays", Call(D(A), ROW)),
    ("meshgrid", Call(D(ROW), LONG, copy=False)),
    ("atleast_2d", Call(D(ROW), A)),
    ("unwrap", Call(D(20 * LONG), discont=np.array(3.5))),
    ("cov", Call(D(A), fweights=np.array([1, 2, 3]))),
    ("histogram", Call(LONG, np.array([0.0, 0.4, 1.0]), weights=D(LONG))),
    ("histogram", Call(LONG, np.array([0.0, 0.4, 1.0]), weights=D(LONG), density=True)),
    ("histogram", Call(D(LONG), np.array([0.0, 0.4, 1.0]), weights=LONG, density=True)),
    ("histogram2d", Call(LONG, LONG[::-1], [CUTS / 4, CUTS / 5], weights=D(LONG))),
    ("linspace", Call(D(0.5), A, 5)),
    ("polyint", Call(D(LONG), 2, k=[0.5, 0.2])),
    ("fft.fftn", Call(D(A), s=[4, 2], axes=[0, 1])),
    ("fft.irfftn", Call(D(A), s=[4, 2], axes=[1, 0])),
    ("linalg.norm", Call(D(A), axis=[0, 1])),
    ("ndarray.__getitem__", Call(D(A), CENTRE)),
    ("ndarray.__getitem__", Call(D(A), (slice(None), CENTRE))),
    ("ndarray.__getitem__", Call(D(A), (slice(1, None, -1), ..., None, 1))),
    ("ndarray.__getitem__", Call(D(A), (1, np.array([2, 0])))),
    ("ndarray.__getitem__", Call(D(A), (1, [2, 0]))),
    ("ndarray.__getitem__", Call(D(A), ((0, 1), (2, 0)))),
    ("ndarray.__getitem__", Call(D(A), (CENTRE, (2, 0)))),
    ("ndarray.__getitem__", Call(D(A), 1)),
    ("ndarray.reshape", Call(D(A), 3, -1)),
    ("ndarray.sum", Call(D(A), 1)),
    ("emath.power", Call(D(A), ROW)),
    ("emath.logn", Call(ROW + 2, D(A))),
    ("union1d", Call(D(ROW), LONG)),
]


def every_call():
    """A name, a call, and the function, for the whole surface."""
    for name, call in [*((name, call) for name in CALLS if name not in LACKING for call in CALLS[name]), *MORE]:
        yield name, call, find(mnp if name in NOT_DISPATCHED else np, name)
    for name in SURFACE["ufunc_methods"]:
        ufunc, method = name.split(".")
        if method != "at":
            yield name, METHODS[method], getattr(getattr(np, ufunc), method)


def programs(kind):
    """For each call, and each of its arguments: a function of this one, where it is, and what changes the others.

    Instead of a kind of disguise, there may be a function of an array.
    """
    for name, call, fun in every_call():
        for chosen in range(len(call.parameters())):
            yield name, *program(call, fun, chosen, kind)


def program(call, fun, chosen, kind):
    changes, arguments = [], iter(range(100))

    def fill(value):
        if isinstance(value, D) and next(arguments) == chosen:
            return value
        if isinstance(value, (list, tuple)) and holds_arguments(value):
            return type(value)(fill(member) for member in value)
        return disguised(value, kind, changes)

    args, kwargs = fill(list(call.args)) if call.args else [], {key: fill(value) for key, value in call.kwargs.items()}

    def f(x):
        results = leaves(Call(*args, only=call.only, **kwargs).run(fun, [x]))
        return [r + 0.25 * r * r for r in results if np.result_type(r).kind in "fc"]  # the cotangents depend on the results

    return f, call.parameters()[chosen], lambda: [change() for change in changes]


def holds_arguments(value):
    return isinstance(value, D) or isinstance(value, (list, tuple)) and any(map(holds_arguments, value))


def leaves(value):
    return [leaf for member in value for leaf in leaves(member)] if isinstance(value, (list, tuple)) else [value]


def ones(results):
    return [type(r)(1) if type(r) in (float, complex) else np.ones(r.shape, r.dtype)[()] for r in results]


# Some forms of a constant are refused, by NumPy or by minigrad. They are refused before they could change.
REFUSALS = TypeError, ValueError, IndexError, NotImplementedError, AttributeError


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*ARRAYS, *NUMBERS])
def test_a_constant_that_changes_between_the_passes(kind):
    """Backwards and forwards, the derivatives are the same after the change. So are the results, and the cotangent."""
    taken = 0
    for name, f, x, change in programs(kind):
        try:
            out, pullback = vjp(f, x)
            pushforward = linearize(f, x)[1] if kind == "array" else None
        except REFUSALS:
            continue
        kept, cotangent = jax.tree.map(np.copy, out), ones(out)
        before = pullback(cotangent), pushforward and pushforward(x)
        change()
        try:
            assert_identical((pullback(cotangent), pushforward and pushforward(x)), before)
            jax.tree.map(np.testing.assert_array_equal, out, kept)
            assert_identical(cotangent, ones(out))
        except Exception as error:
            raise AssertionError(f"np.{name}") from error
        taken += 1
    assert taken > (570 if kind in ("array", *NUMBERS) else 550)  # all but those that are refused


@pytest.mark.filterwarnings("ignore")
def test_a_constant_of_an_outer_level_that_is_written_into():
    """It is a Tensor. The inner derivative and the outer one, which goes through it, are those of its old values."""

    taken = 0
    for name, call, fun, chosen in [(*found, i) for found in every_call() for i in range(len(found[1].parameters()))]:
        arrays = []
        program(call, fun, chosen, lambda a: arrays.append(a) or a)

        def outer(constants, write):
            rest = iter(constants)
            f, x, _ = program(call, fun, chosen, lambda a: next(rest))
            out, pullback = vjp(f, x)
            if write:
                for constant in constants:
                    constant[...] = 7.5
            return pullback(ones(out))

        try:
            old, pullback = vjp(lambda constants: outer(constants, False), arrays)
        except REFUSALS:
            continue
        new, pullback_after = vjp(lambda constants: outer(constants, True), arrays)
        try:
            assert_identical(new, old)
            assert_identical(pullback_after((ones(new)[0],)), pullback((ones(old)[0],)))
        except Exception as error:
            raise AssertionError(f"np.{name}") from error
        taken += bool(arrays)
    assert taken > 250


# ---- Writing --------------------------------------------------------------------------------------------------------

WRITES = {
    "a value": lambda t, c, i: t.__setitem__(slice(0, 3), c[:3]),
    "an array": lambda t, c, i: t.__setitem__(..., c),
    "an index": lambda t, c, i: t.__setitem__(i, c[i] * t[i]),
    "an index in a tuple": lambda t, c, i: t.__setitem__((i,), t[i] * t[1]),
    "a mask": lambda t, c, i: t.__setitem__(c > 0.5, 3.0 * t[c > 0.5]),
    "a list": lambda t, c, i: t.__setitem__([int(n) for n in i], t[i] * t[0]),
    "+=": lambda t, c, i: t.__iadd__(c),
    "*=": lambda t, c, i: t.__imul__(c),
    "**=": lambda t, c, i: t.__ipow__(c),
    "into a view": lambda t, c, i: t[1:].__imul__(c[1:]),
    "into elements of a view": lambda t, c, i: t[::-1].__setitem__(i, c[i] * t[i]),
    "add.at": lambda t, c, i: np.add.at(t, i, c[i] * t[i]),
    "multiply.at": lambda t, c, i: np.multiply.at(t, i, c[i]),
    "power.at": lambda t, c, i: np.power.at(t, i, c[i]),
    "out": lambda t, c, i: np.multiply(t, c, out=t),
    "where": lambda t, c, i: np.multiply(t, c, out=t, where=c > 0.5),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_was_written_may_change(name):
    """The value, the index, the condition: also what was written into is used later."""

    def f(x, change):
        t, c, i = np.sin(x), LONG.copy(), np.array([3, 1])
        WRITES[name](t, c, i)
        if change:
            c[:], i[:] = 7.0, 0
        return t * t

    (out, pullback), (expected, wanted) = vjp(lambda x: f(x, True), LONG), vjp(lambda x: f(x, False), LONG)
    assert_identical((out, pullback(LONG), pullback(LONG)), (expected, wanted(LONG), wanted(LONG)))


# ---- Other functions ------------------------------------------------------------------------------------------------


def special_ufuncs():
    """The ufuncs of SciPy that have derivatives and take several arguments."""
    rule_of(special.expit)
    return [fun for fun in rules if isinstance(fun, np.ufunc) and fun.nin > 1 and not hasattr(np, fun.__name__)]


@pytest.mark.filterwarnings("ignore")
def test_constants_of_special_functions():
    taken = 0
    for fun in special_ufuncs():
        for chosen in range(fun.nin):
            call = Call(*(D(LONG + 0.1 * i) for i in range(fun.nin)))
            for kind in ("array", "view", "list", "object with an array"):
                f, x, change = program(call, fun, chosen, kind)
                try:
                    _, pullback = vjp(f, x)
                except NotImplementedError:  # there is no derivative by this argument
                    continue
                before = attempt(pullback, x)
                change()
                assert_identical(attempt(pullback, x), before)
                taken += 1
    assert taken > 100


def attempt(pullback, x):
    try:
        return pullback([np.ones(x.shape)])
    except (NotImplementedError, ValueError):
        return None


@pytest.mark.parametrize("name", ["array", "stack", "r_", "full", "append", "interp", "pad"])
def test_constants_of_functions_of_minigrad_numpy(name):
    uses = {
        "array": lambda t, c: mnp.array([t, c]) ** 2,
        "stack": lambda t, c: mnp.stack([t, c]) * c,
        "r_": lambda t, c: mnp.r_[t, c] ** 2,
        "full": lambda t, c: mnp.full((2, 5), t) * c,
        "append": lambda t, c: mnp.append(t, c) ** 2,
        "interp": lambda t, c: mnp.interp(0.3, c, t * t),
        "pad": lambda t, c: mnp.pad(c, 1, constant_values=t[0]) * t[1],
    }

    def f(x, change):
        c = np.cumsum(LONG)
        y = uses[name](x, c)
        c[:] = 7.0 if change else c
        return y

    (out, pullback), (expected, wanted) = vjp(lambda x: f(x, True), LONG), vjp(lambda x: f(x, False), LONG)
    assert_identical((out, pullback(out), pullback(out)), (expected, wanted(out), wanted(out)))


def test_the_arguments_of_linearize_and_of_jvp_may_change():
    x, tangent = LONG.copy(), np.ones(5)
    out, pushforward = linearize(lambda x: x * x * LONG, x)
    expected = pushforward(tangent)
    kept = tangent.copy()
    x[:] = 7.0
    out[:] = 7.0
    result = pushforward(tangent)
    np.testing.assert_array_equal(result, expected)
    result[:] = 7.0
    np.testing.assert_array_equal(pushforward(tangent), expected)
    np.testing.assert_array_equal(tangent, kept)
    w = LONG.copy()
    _, slope = jvp(lambda x: changing(x * w, w), (LONG,), (tangent,))
    np.testing.assert_array_equal(slope, LONG)


def changing(y, w):
    w[:] = 7.0
    return y


def test_another_array_in_the_same_place():
    """It has the same numbers, in another order in memory. The layout of a product depends on it."""

    def f(x):
        products = []
        for order in ("C", "F", "C"):
            w = np.empty((100, 200), order=order)
            w[...] = 2.0
            products.append(x * w)
            del w
        return [np.ravel(y, "A") for y in products]

    x = np.asfortranarray(np.arange(20_000.0).reshape(100, 200))
    for found, expected in zip(vjp(f, x)[0], f(x)):
        np.testing.assert_array_equal(found, expected)
