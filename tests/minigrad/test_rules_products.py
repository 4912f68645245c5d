"""Products of vectors and matrices."""

import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.rules import products

from .support import *


# Vectors, matrices, and stacks of matrices that are broadcast: either operand, both, along new axes and those of size 1
MATMUL = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((3,), (5, 3, 2)),
    ((3,), (4, 5, 3, 2)),
    ((5, 2, 3), (3,)),
    ((4, 5, 2, 3), (3,)),
    ((0,), (0,)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((0, 2, 3), (3, 4)),
    ((2, 3), (3, 0)),
]
# Numbers; and every row of the first with every column of the second, which are not paired as in matmul.
DOT = [
    ((), ()),
    ((), (3,)),
    ((2, 3), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((2, 1), (1, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((2, 5, 3), (4, 3, 2)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3,)),
    ((2, 3), (4, 5, 3, 2)),
    ((0,), (0,)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((2, 3), (3, 0)),
    ((4, 0, 3), (2, 3, 2)),
]
CASES = [case(np.matmul, array(a), array(b, 1)) for a, b in MATMUL]
CASES += [case(np.dot, array(a), array(b, 1)) for a, b in DOT]
CASES += [case(np.matmul, array(a), array(b, 1)) for a, b in [((30, 40), (40, 26)), ((30, 40), (40,)), ((40,), (40, 30))]]
for product in (np.matmul, np.dot):
    CASES += [
        case(product, complex_array((2, 3)), complex_array((3, 2))),
        case(product, array((2, 3)), complex_array((3,))),
        case(product, complex_array((3,)), array((3, 2))),
        case(product, array((2, 3)), np.array([1, 0, -2])),
    ]
CASES += [case(np.dot, 1.5, 2.5), case(np.dot, 1.5, array((2, 3))), case(np.dot, array((3,)), np.float64(2.5))]

# ---- Along an axis of each ------------------------------------------------------------------------------------------


def _vecdot_in_jax(a, b, axis=-1, keepdims=False):
    y = jnp.vecdot(a, b, axis=axis)
    return jnp.expand_dims(y, axis) if keepdims else y


VECDOT = [
    Case(np.vecdot, args, kwargs, in_jax=_vecdot_in_jax)
    for args, kwargs in [
        ((array((3,)), array((3,), 1)), {}),
        ((array((2, 3)), array((3,), 1)), {}),
        ((array((1, 3)), array((4, 2, 3), 1)), {}),
        ((array((3, 2)), array((3, 2), 1)), {"axis": 0}),
        ((array((3, 2)), array((4, 3, 1), 1)), {"axis": -2}),
        ((array((2, 3)), array((1, 3), 1)), {"keepdims": True}),
        ((array((2, 3, 1)), array((2, 3, 4), 1)), {"axis": 1, "keepdims": True}),
        ((complex_array((2, 3)), complex_array((3,))), {}),
        ((array((2, 3)), complex_array((3,))), {}),
        ((complex_array((2, 3)), array((3,))), {}),
        ((array((2, 0)), array((0,))), {}),
    ]
]
MATVEC = [
    case(getattr(np, name), *(operands if name == "matvec" else operands[::-1]))
    for name in ("matvec", "vecmat")
    if hasattr(np, name)
    for operands in [
        (array((3, 3)), array((3,), 1)),
        (array((4, 3, 3)), array((3,), 1)),
        (array((3, 3)), array((4, 3), 1)),
        (array((2, 1, 3, 3)), array((1, 4, 3), 1)),
        (complex_array((2, 3, 3)), complex_array((3,))),
        (array((3, 3)), complex_array((3,))),
        (complex_array((3, 3)), array((3,))),
    ]
]
CROSS = [
    case(np.cross, array((3,)), array((3,), 1)),
    case(np.cross, array((2, 3)), array((3,), 1)),
    case(np.cross, array((1, 3)), array((4, 2, 3), 1)),
    case(np.cross, array((3, 2)), array((3, 2), 1), axis=0),
    case(np.cross, array((3, 2)), array((2, 3), 1), axisa=0),
    case(np.cross, array((2, 3)), array((3, 2), 1), axisb=0),
    case(np.cross, array((2, 3)), array((2, 3), 1), axisc=0),
    case(np.cross, array((3, 4, 2)), array((4, 3, 1), 1), axisa=0, axisb=-2, axisc=1),
    case(np.cross, array((3,)), array((3, 4), 1), 0, 0, 0),
    case(np.cross, complex_array((2, 3)), complex_array((2, 3))),
    case(np.cross, array((2, 3)), complex_array((3,))),
]
# In the plane, which NumPy discourages.
IN_THE_PLANE = [
    case(np.cross, array((2,)), array((2,), 1)),
    case(np.cross, array((4, 2)), array((2,), 1)),
    case(np.cross, array((4, 2)), array((4, 3), 1)),
    case(np.cross, array((3, 4)), array((2, 4), 1), axis=0),
]

# ---- Every element of one with every element of the other -----------------------------------------------------------

OUTER = [
    case(np.outer, array((2,)), array((3,), 1)),
    case(np.outer, array((2, 2)), array((3, 1), 1)),
    case(np.outer, array((2, 3)), np.float64(2.5)),
    case(np.outer, 1.5, 2.5),
    case(np.outer, complex_array((2,)), complex_array((3,))),
    case(np.outer, array((0,)), array((3,), 1)),
    case(np.vdot, array((3,)), array((3,), 1)),
    case(np.vdot, array((2, 3)), array((3, 2), 1)),
    case(np.vdot, 1.5, 2.5),
    case(np.vdot, complex_array((2, 3)), complex_array((2, 3))),
    case(np.vdot, array((3,)), complex_array((3,))),
    case(np.vdot, complex_array((3,)), array((3,))),
    case(np.vdot, array((0,)), array((0,))),
    case(np.inner, array((3,)), array((3,), 1)),
    case(np.inner, array((2, 3)), array((4, 3), 1)),
    case(np.inner, array((5, 2, 3)), array((3,), 1)),
    case(np.inner, array((3,)), array((4, 2, 3), 1)),
    case(np.inner, array((2, 3)), 2.5),
    case(np.inner, np.float64(1.5), array((2, 3))),
    case(np.inner, 1.5, 2.5),
    case(np.inner, complex_array((2, 3)), complex_array((4, 3))),
    case(np.inner, array((2, 0)), array((3, 0))),
]
TENSORDOT = [
    case(np.tensordot, array((2, 3, 4)), array((3, 4, 5), 1)),
    case(np.tensordot, array((2, 3)), array((3, 4), 1), 1),
    case(np.tensordot, array((2, 3)), array((4,), 1), axes=0),
    case(np.tensordot, array((2, 3, 4)), array((4, 5, 2), 1), axes=([0, 2], [2, 0])),
    case(np.tensordot, array((2, 3, 4)), array((4, 5, 2), 1), axes=((-1, 0), (0, -1))),
    case(np.tensordot, array((2, 3, 4)), array((5, 3), 1), axes=(1, 1)),
    case(np.tensordot, array((3, 4, 2)), array((2, 3, 4), 1), axes=([0, 1, 2], [1, 2, 0])),
    case(np.tensordot, array((2, 3)), array((4, 5), 1), axes=([], [])),
    case(np.tensordot, np.float64(1.5), array((2, 3)), axes=0),
    case(np.tensordot, complex_array((2, 3)), complex_array((3, 2)), axes=1),
    case(np.tensordot, array((2, 0)), array((0, 3)), axes=1),
]
KRON = [
    case(np.kron, array((2,)), array((3,), 1)),
    case(np.kron, array((2, 3)), array((3, 2), 1)),
    case(np.kron, array((2, 3)), array((4,), 1)),
    case(np.kron, array((2,)), array((3, 1, 2), 1)),
    case(np.kron, 1.5, array((2, 3))),
    case(np.kron, array((2, 3)), np.float64(2.5)),
    case(np.kron, 1.5, 2.5),
    case(np.kron, complex_array((2, 2)), complex_array((3,))),
]

# ---- Convolution ----------------------------------------------------------------------------------------------------

CONVOLVE = [
    case(product, array((m,)), array((n,), 1), mode)
    for product in (np.convolve, np.correlate)
    for mode in ("full", "same", "valid")
    for m, n in [(5, 3), (5, 4), (3, 5), (4, 5), (4, 4)]
]
for product in (np.convolve, np.correlate):
    CONVOLVE += [
        case(product, array((5,)), array((3,), 1)),
        case(product, array((1,)), array((4,), 1), mode="same"),
        case(product, array((1,)), array((1,), 1), mode="full"),
        case(product, complex_array((5,)), complex_array((2,)), mode="same"),
        case(product, complex_array((2,)), complex_array((5,)), mode="same"),
        case(product, array((4,)), complex_array((3,)), mode="full"),
    ]
CONVOLVE += [Case(np.convolve, (2.5, array((3,))), in_jax=lambda a, v: a * v)]

# ---- Einstein's summation -------------------------------------------------------------------------------------------

SUBSCRIPTS = [
    # implicit results, and explicit ones; transposed, summed out, a number
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("bA", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->i", (2, 3)),
    ("ij->ji", (2, 3)),
    ("i,i->", (3,), (3,)),
    ("i,j->", (3,), (2,)),
    ("i,i", (3,), (3,)),
    ("i,j->ji", (3,), (2,)),
    ("ij,j->", (2, 3), (3,)),
    (" i j , j -> i ", (2, 3), (3,)),
    ("->", ()),
    (",i->i", (), (3,)),
    # an index twice in one operand
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (2, 2, 2)),
    ("iij->j", (2, 2, 3)),
    ("iji->ij", (2, 3, 2)),
    ("ijji->ij", (2, 3, 3, 2)),
    ("ii,i->i", (3, 3), (3,)),
    ("ii,jj->ij", (2, 2), (3, 3)),
    ("ijij->", (2, 3, 2, 3)),
    ("ii,ij->j", (1, 1), (3, 2)),
    # more than two operands
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)),
    ("i,j,k->kij", (2,), (3,), (2,)),
    ("bi,bj,ijk->bk", (2, 3), (2, 4), (3, 4, 2)),
    ("i,i,i,i", (3,), (3,), (3,), (3,)),
    # axes that are stretched
    ("ij,ij->ij", (2, 1), (2, 3)),
    ("ij,ij->i", (1, 3), (2, 1)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("i,i->", (1,), (3,)),
    ("ij->j", (1, 3)),
    # ellipses
    ("...ij,...jk->...ik", (2, 2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("...ij,...jk", (2, 3), (5, 3, 4)),
    ("...i,...i", (2, 3), (2, 3)),
    ("i...->...", (2, 3, 4)),
    ("i...i->...i", (2, 3, 2)),
    ("...", (2, 3)),
    ("...,...", (2, 3), (3,)),
    ("...a->a...", (2, 3, 4)),
    ("...ij->...", (2, 3)),
    ("i...,...->...i", (2, 3), (1, 3)),
    # nothing
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("i->", (0,)),
]
EINSUM = [
    case(np.einsum, subscripts, *(array(shape, seed) for seed, shape in enumerate(shapes)))
    for subscripts, *shapes in SUBSCRIPTS
]
_A, _B, _C = array((2, 3)), array((3, 4), 1), array((4, 2), 2)
EINSUM += [
    # lists of numbers in place of letters
    case(np.einsum, _A, [0, 1], _B, [1, 2], [0, 2]),
    case(np.einsum, _A, [0, 1], _B, [1, 2]),
    case(np.einsum, _A, [5, 1]),
    case(np.einsum, _A, [30, 2], _B, [2, 51], [51, 30]),
    case(np.einsum, array((5, 2, 3)), [Ellipsis, 0, 1], _B, [Ellipsis, 1, 2], [Ellipsis, 0, 2]),
    case(np.einsum, array((3, 3)), [0, 0]),
    case(np.einsum, array((2, 3, 3)), [Ellipsis, 0, 0], [0, Ellipsis]),
    # in the order that is the fastest, or a given one
    case(np.einsum, "ij,jk,kl->il", _A, _B, _C, optimize=True),
    case(np.einsum, "ij,jk,ki", _A, _B, _C, optimize="greedy"),
    Case(np.einsum, ("ij,jk,kl->il", _A, _B, _C), {"optimize": ["einsum_path", (1, 2), (0, 1)]},
         lambda _, a, b, c, **__: a @ (b @ c)),
    case(np.einsum, "ij,ij,jk->ik", array((2, 1)), _A, _B, optimize="optimal"),
    case(np.einsum, "iij,jk->k", array((2, 2, 3)), _B, optimize=True),
    case(np.einsum, _A, [0, 1], _B, [1, 2], [0, 2], optimize=True),
    # complex numbers, integers
    case(np.einsum, "ij,jk->ik", complex_array((2, 3)), complex_array((3, 2))),
    case(np.einsum, "ij,j->i", array((2, 3)), complex_array((3,))),
    case(np.einsum, "ii,i->i", complex_array((3, 3)), array((3,))),
    case(np.einsum, "ij,j->i", np.arange(6).reshape(2, 3), array((3,))),
    # what does not change the values
    Case(np.einsum, ("ij,j->i", _A, array((3,))), {"dtype": np.float64, "casting": "safe", "order": "C"},
         lambda _, a, b, **__: a @ b),
]
CASES += [*VECDOT, *MATVEC, *CROSS, *OUTER, *TENSORDOT, *KRON, *CONVOLVE, *EINSUM]

# ---- All of them -----------------------------------------------------------------------------------------------------


test_value_and_derivatives = for_each(CASES, check)


@each(CASES)
def test_float32(case):
    if case.kwargs.get("dtype") is None:
        check_precision(case, np.float32, 3e-6)


@pytest.mark.parametrize("a, b", MATMUL, ids=str)
def test_operator(a, b):
    """a @ b is np.matmul, also where only one of the two is traced; so is the method dot."""
    a, b = array(a), array(b, 1)
    expected, reference = a @ b, list(gradient_of(case(np.matmul, a, b)).values())
    calls = [(lambda x: x @ b, a, reference[0]), (lambda x: a @ x, b, reference[1])]
    calls += [(lambda x: x[0] @ x[1], (a, b), tuple(reference))]
    if a.size and b.size:  # else a list does not tell its shape
        calls += [(lambda x: a.tolist() @ x, b, reference[1]), (lambda x: x @ b.tolist(), a, reference[0])]
    for f, x, wanted in calls:
        (_, value), gradient = value_and_grad(lambda x: (np.sum(f(x)), f(x)), has_aux=True)(x)
        assert_identical(value, expected)
        assert_alike(gradient, x)
        assert_close(gradient, wanted, 1e-15)


@pytest.mark.parametrize("a, b", DOT, ids=str)
def test_method(a, b):
    a, b = array(a), array(b, 1)
    if a.ndim:  # else it is a number, which has no methods before it is traced
        (_, value), gradient = value_and_grad(lambda a: (np.sum(a.dot(b)), a.dot(b)), has_aux=True)(a)
        assert_identical(value, a.dot(b))
        assert_close(gradient, gradient_of(case(np.dot, a, b))["0"], 1e-15)


def test_operands_that_do_not_fit_are_an_error_of_numpys():
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        grad(lambda x: np.sum(x @ np.ones((2, 2))))(np.ones(3))
    with pytest.raises(ValueError, match="not aligned"):
        grad(lambda x: np.sum(np.dot(x, np.ones((2, 2)))))(np.ones(3))
    with pytest.raises(ValueError, match="does not have enough dimensions"):
        grad(lambda x: x @ 2.0)(np.ones(3))


@each(IN_THE_PLANE)
@pytest.mark.filterwarnings("ignore:.*2-dimensional vectors:DeprecationWarning")
def test_cross_in_the_plane(case):
    if np.lib.NumpyVersion(np.__version__) >= "2.5.0":
        with pytest.raises(ValueError, match="3-dimensional vectors"):
            grad(lambda x: np.sum(case({"0": x, "1": case.args[1]})))(case.args[0])
    else:
        check(case)


def test_einsum_of_a_list_and_of_an_operand_that_is_used_twice():
    x = array((3,))
    assert_close(grad(lambda x: np.einsum("i,i", [1, 2, 3], x))(x), np.array([1.0, 2.0, 3.0]), 1e-15)
    assert_close(grad(lambda x: np.einsum("i,i", x, x))(x), 2 * x, 1e-15)
    assert_close(grad(lambda x: np.einsum(x, [0], x, [0]))(x), 2 * x, 1e-15)


def test_einsum_finds_no_cotangents_of_constants(monkeypatch):
    asked = []
    one = products._einsum_operand
    monkeypatch.setattr(products, "_einsum_operand", lambda i, *args: (asked.append(i), one(i, *args))[1])
    grad(lambda x: np.einsum("ij,jk,kl->", _A, x, _C))(_B)
    assert asked == [2]


@pytest.mark.parametrize("optimize", [False, True])
def test_einsum_of_lists_with_large_numbers(optimize):
    """The order of a result that is not given may depend on how it is computed."""
    check(case(np.einsum, _A, [30, 2], optimize=optimize), against_jax=False)
    check(case(np.einsum, array((2, 2)), [26, 25], array((2, 2), 1), [0, 25], optimize=optimize), against_jax=False)


@pytest.mark.parametrize("subscripts", ["ij,j", "ij", "i->ii", "i.", "i->k"])
def test_subscripts_that_do_not_fit_are_an_error_of_numpys(subscripts):
    for f in (lambda x: np.einsum(subscripts, x), grad(lambda x: np.sum(np.einsum(subscripts, x)))):
        with pytest.raises(ValueError):
            f(np.ones(3))


@unused_lanes
@pytest.mark.parametrize("m", [1, 2, 3, 16, 60, 200])
def test_the_operator_has_the_results_of_matmul(m):
    """To the bit, though it takes another way for small ones."""
    rng = np.random.default_rng(m)
    for n in (0, 1, 2, 5, 16, 62):
        a, v, b = rng.normal(size=(m, n)), rng.normal(size=n), rng.normal(size=(n, 3))
        for x, y in ((a, v), (np.asfortranarray(a), v), (a, b), (v, b), (a, v.astype(np.float32)), (a, np.arange(n))):
            for x, y in ((x, y), (x.astype(np.float32), y.astype(np.float32))):
                seen = []
                grad(lambda x: (seen.append(x @ y), np.sum(seen[0]))[1])(x)
                np.testing.assert_array_equal(seen[0].value, x @ y)
                assert seen[0].value.dtype == (x @ y).dtype


def test_the_operator_reports_what_matmul_reports():
    a, v = np.full((2, 2), 1e308), np.full(2, 10.0)
    with pytest.warns(RuntimeWarning, match="overflow"):
        grad(lambda v: np.sum(a @ v))(v)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        grad(lambda v: np.sum(a @ v))(v)
    for x in (np.ones(3), 1.0):
        with pytest.raises(ValueError, match="matmul"):
            grad(lambda v: np.sum(a @ v))(x)
