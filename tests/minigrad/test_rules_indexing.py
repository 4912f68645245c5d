"""Taking elements of an array, and choosing between arrays."""

import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.rules.indexing import replace, scatter
from minigrad.views import getitem, put, replaced, taken, whole

from .support import *

A = array((2, 3, 4))
TABLE = A[:, :, 0]
ROW = TABLE[0]
COMPLEX = TABLE + 1j * A[:, :, 1]
EMPTY = np.zeros((0, 3))

# ---- Indices --------------------------------------------------------------------------------------------------------

i_ = np.array
ALL = slice(None)
BASIC = {
    "0": 0,
    "-1": -1,
    "np.int64(1)": np.int64(1),
    ":": ALL,
    "1:": slice(1, None),
    "::2": slice(None, None, 2),
    "::-1": slice(None, None, -1),
    "3:0:-2": slice(3, 0, -2),
    "5:9": slice(5, 9),
    "...": ...,
    "None": None,
    "()": (),
    "0, 1": (0, 1),
    "0, 1, 2": (0, 1, 2),
    "-1, -1, -1": (-1, -1, -1),
    ":, 1": (ALL, 1),
    "..., 0": (..., 0),
    "0, ...": (0, ...),
    "..., None": (..., None),
    "None, :, None, 1": (None, ALL, None, 1),
    "::-1, :2, 1::2": (slice(None, None, -1), slice(0, 2), slice(1, None, 2)),
    "1:1": slice(1, 1),
}
ADVANCED = {
    "integers": i_([0, 1]),
    "negative integers": i_([-1, 0, -2]),
    "repeated integers": i_([0, 1, 1, 0, 1]),
    "table of integers": i_([[0, 1], [1, 1]]),
    "0-d integer": i_(1),
    "uint8": i_([1, 0, 1], np.uint8),
    "list": [1, 0, 1],
    "nested list": [[1, 0], [1, 1]],
    "no integers": i_([], int),
    "empty list": [],
    "two arrays": (i_([0, 1, 1]), i_([2, 0, 0])),
    "two arrays, broadcast": (i_([[0], [1], [0]]), i_([0, 2])),
    "two lists": ([0, 1, 0], [1, 1, 1]),
    "three arrays": (i_([0, 0, 1]), i_([1, 1, 2]), i_([3, 3, 0])),
    "slice, array": (ALL, i_([0, 2, 2])),
    "array, slice": (i_([1, 1]), slice(0, 2)),
    "array, slice, array": (i_([0, 1, 0]), ALL, i_([1, 1, 1])),
    "integer, slice, array": (0, ALL, i_([1, 1, 3])),
    "array, integer": (i_([1, 1, 0]), 2),
    "..., array": (..., i_([0, 0])),
    "array, None, integer": (i_([0, 1]), None, 1),
    "None, array, slice": (None, i_([0, 0]), slice(1, None)),
    "slice with step, list": (ALL, slice(None, None, -1), [0, 0, 2]),
}
MASKS = {
    "mask": A > 0,
    "mask of nothing": np.zeros(A.shape, bool),
    "mask of rows": i_([True, False]),
    "mask of two axes": A[:, :, 0] > 0,
    "slice, mask": (ALL, i_([True, False, True])),
    "slice, mask of two axes": (ALL, A[0] > 0),
    "mask, integer": (i_([True, True]), 1),
    "mask, array": (i_([True, True]), i_([0, 2])),
    "mask, slice, array": (i_([True, True]), ALL, i_([0, 0])),
    "True": True,
    "False": False,
    "True, 0": (True, 0),
    "list of booleans": [True, False],
}
INDICES = BASIC | ADVANCED | MASKS


def _at(name, x=A):
    """The case x[index]; JAX takes arrays where NumPy takes lists."""
    index = INDICES[name]

    def take(np_, x):
        if np_ is np:
            return x[index]
        parts = index if isinstance(index, tuple) else (index,)
        return x[tuple(np.asarray(p, dtype=None if p else int) if isinstance(p, list) else p for p in parts)]

    return program(name, take, x)


PROGRAMS = [_at(name) for name in INDICES]
CASES = [
    case(getitem, TABLE, (0, ALL)),
    case(getitem, COMPLEX, i_([0, 0, 1])),
    case(getitem, EMPTY, (ALL, 1)),
    case(scatter, [ROW], [slice(1, 4)], (5,)),
    case(scatter, [ROW], [i_([0, 2, 0])], (4,)),
    case(scatter, [TABLE], [(ALL, i_([1, 1, 0]))], (2, 2)),
    case(scatter, [COMPLEX], [i_([True, False, True])], (3, 3)),
    case(scatter, [ROW, ROW[0], ROW[:2] ** 2], [slice(1, 4), 2, i_([0, 0])], (5,)),
    case(replace, TABLE, (0, ALL), ROW * 2),
    case(replace, ROW, i_([0, 2]), 0.5),
    case(replace, COMPLEX, i_([True, False]), COMPLEX[:1] ** 2),
]


def place(view, root):
    return whole(root).inside(root, view(root))


PLACES = {
    "part": (place(lambda a: a[1:, ::-1], TABLE), TABLE),
    "transposed, of an array in Fortran order": (place(lambda a: a.T[1:], np.asfortranarray(TABLE)), TABLE),
    "reshaped": (place(lambda a: a.reshape(3, 2)[::2], TABLE), TABLE),
    "of an array with gaps, backwards": (place(lambda a: a[::-1, 1], np.repeat(TABLE, 2, 0)[::2, ::-1]), TABLE),
    "elements several times": (place(lambda a: np.broadcast_to(a[:, :1], (2, 2, 3)), TABLE), TABLE),
    "real": (place(lambda z: z.real[1:], COMPLEX), COMPLEX),
    "imag": (place(lambda z: z.imag.T[:, ::-1], COMPLEX), COMPLEX),
}
for _place, _root in PLACES.values():
    _value = np.cos(np.arange(1.0, 1 + np.prod(_place.shape))).reshape(_place.shape)
    CASES += [case(taken, _root, _place), case(put, _value, _place)]
    if _place.is_writable:
        CASES += [case(replaced, _root, _place, _value)]
PROGRAMS += [
    program("again and again", lambda np, x: x[::-1][1:][0] * x[0], A),
    program("an element of it twice", lambda np, x: x[1, 2, 3] * x[1, 2, 3] * x[..., -1], A),
    program("mask of itself", lambda np, x: x[x > 0] ** 2 if np is globals()["np"] else np.where(x > 0, x, 0)[A > 0] ** 2, A),
    program("largest element", lambda np, x: x[1] ** 2 * x[0], ROW),
    program("squares of repeated elements", lambda np, x: x[i_([0, 0, 1])] ** 3, ROW),
    program("unpacked", lambda np, x: (lambda a, b, c: a * b + np.sin(c))(*x), ROW),
    program("iterated", lambda np, x: sum(row[0] * row for row in x), TABLE),
]

test_value_and_derivatives = for_each(PROGRAMS + CASES, check)
test_float32 = for_each(PROGRAMS + CASES, check_precision, np.float32, 1e-6)


@pytest.mark.parametrize("name", INDICES)
def test_what_is_taken_gets_the_cotangent(name):
    """x[index] has the cotangent that putting it there, element by element, gives."""
    index = INDICES[name]
    weights = np.random.default_rng(1).uniform(0.5, 1.5, A[index].shape)
    expected = np.zeros(A.shape)
    np.add.at(expected, index, weights)
    np.testing.assert_allclose(grad(lambda x: np.sum(weights * x[index]))(A), expected, rtol=1e-15)


def test_an_element_is_a_number():
    seen = []
    grad(lambda x: (seen.append((x[1].shape, np.shape(x[1]), x[1].dtype)), x[1] * 2.0)[1])(ROW)
    assert seen == [((), (), np.float64)]
    (value, aux), gradient = value_and_grad(lambda x: (x[1], x[1]), has_aux=True)(ROW)
    assert type(value) is type(aux) is np.float64
    np.testing.assert_array_equal(gradient, [0, 1, 0])


def test_an_index_may_be_computed_from_the_array():
    x = np.array([0.3, 2.0, 1.1])
    np.testing.assert_array_equal(grad(lambda x: x[np.argmax(x)])(x), [0, 1, 0])
    np.testing.assert_array_equal(grad(lambda x: x[x.argmax()])(x), [0, 1, 0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[np.argsort(x)] * np.array([1, 2, 3])))(x), [1, 3, 2])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[: x[1].astype(int)]))(x), [1, 1, 0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[np.nonzero(x > 1)]))(x), [0, 1, 1])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[x > 1]))(x), [0, 1, 1])


def test_changing_the_index_later_changes_nothing():
    index = np.array([0, 0, 2])

    def f(x):
        taken = x[index]
        index[:] = 1
        return np.sum(taken * np.array([1.0, 10.0, 100.0]))

    np.testing.assert_array_equal(grad(f)(np.ones(3)), [11, 0, 100])


@pytest.mark.parametrize(
    "index",
    [3, -4, (0, 0), i_([0, 3]), i_([True, False]), 1.0, "a", (..., ...), i_([0.5])],
    ids=["3", "-4", "0, 0", "[0, 3]", "short mask", "1.0", "'a'", "..., ...", "[0.5]"],
)
def test_a_wrong_index_is_an_error_of_numpys(index):
    with pytest.raises(IndexError) as numpys:
        ROW[index]
    with pytest.raises(IndexError) as ours:
        grad(lambda x: np.sum(x[index]))(ROW)
    assert str(ours.value) == str(numpys.value)


# ---- Iteration ------------------------------------------------------------------------------------------------------


def test_iteration_and_unpacking():
    x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    weights = np.array([1.0, 10.0, 100.0])
    expected = np.repeat(weights[:, None], 2, axis=1)
    np.testing.assert_array_equal(grad(lambda x: sum(w * row.sum() for w, row in zip(weights, x)))(x), expected)
    np.testing.assert_array_equal(grad(lambda x: sum(w * r.sum() for w, r in zip(weights[::-1], reversed(x))))(x), expected)

    def unpacked(x):
        first, *others = x
        return first.sum() + 10 * others[0].sum() + 100 * others[1].sum()

    np.testing.assert_array_equal(grad(unpacked)(x), expected)
    np.testing.assert_array_equal(grad(lambda x: sum(x))(x[:, 0]), np.ones(3))
    np.testing.assert_array_equal(grad(lambda x: len(list(x)) * max(x))(x[:, 0]), [0, 0, 3])


def test_iteration_over_a_number_is_refused():
    for x in (1.5, np.array(1.5)):
        with pytest.raises(TypeError, match="iteration over a 0-d array"):
            grad(lambda x: sum(x))(x)


# ---- where ----------------------------------------------------------------------------------------------------------

MASK = i_([[True, False, True], [False, True, False]])
WHERE = [
    case(np.where, MASK, TABLE, 2 * TABLE),
    case(np.where, MASK, TABLE, 3.0),
    case(np.where, MASK, 2.0, 3.0),
    # All three are broadcast together
    case(np.where, MASK, ROW, TABLE[:, :1]),
    case(np.where, MASK[0], TABLE[:, :1], 2.0),
    case(np.where, MASK, A.reshape(4, 1, 6)[:, :, :1], ROW),
    case(np.where, MASK[:, :1], ROW, 1.5),
    case(np.where, True, ROW, TABLE[:, :1]),
    case(np.where, np.bool_(False), 1.5, 2.5),
    case(np.where, i_([1, 0, 2]), ROW, 2 * ROW),
    case(np.where, MASK, TABLE, COMPLEX),
    case(np.where, MASK, TABLE, np.arange(3)),
    case(np.where, np.zeros((0, 3), bool), ROW, 2.5),
    program("condition from traced values", lambda np, x: np.where(x > 0, x * x, -x), TABLE),
]

test_where = for_each(WHERE, check)
test_where_in_float32 = for_each(WHERE, check_precision, np.float32, 1e-6)


def test_where_with_lists():
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.where([True, False, True], x, [7.0, 8.0, 9.0])))(ROW), [1, 0, 1])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.where([1, 0, 0], (7, 8, 9), x)))(ROW), [0, 1, 1])


def test_where_does_not_protect_from_what_is_not_chosen():
    # It multiplies by 0 there, and 0 times infinity is NaN: as in JAX, the argument has to be made harmless before.
    x = np.array([0.0, 4.0])
    with np.errstate(all="ignore"):
        gradient = grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)))(x)
    np.testing.assert_array_equal(gradient, [np.nan, 0.25])
    safe = grad(lambda x: np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0)))(x)
    np.testing.assert_array_equal(safe, [0, 0.25])


def test_where_of_a_condition_alone_is_plain():
    def f(x):
        (places,) = np.where(x > 1)
        return np.sum(x[places] ** 2)

    np.testing.assert_array_equal(grad(f)(np.array([0.5, 2.0, 3.0])), [0, 4, 6])
