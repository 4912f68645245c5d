"""Linear algebra: products, equations, determinants, norms; and the diagonals and triangles of matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad
from minigrad.rules.linalg import cofactors, cofactors_vjp, on_diagonal

from .support import *

inf, nan = np.inf, np.nan
linalg = np.linalg


def _cofactors_in_jax(a):
    of_one = jax.grad(jnp.linalg.det, holomorphic=jnp.iscomplexobj(a))
    return jax.vmap(of_one)(a.reshape(-1, *a.shape[-2:])).reshape(a.shape)


def _lstsq_in_jax(a, b, rcond=None):
    """Its own does not return what NumPy's does."""
    x = jnp.linalg.pinv(a) @ b
    (m, n), rank = a.shape, min(a.shape)
    residuals = jnp.sum(jnp.abs(jnp.reshape(b - a @ x, (m, -1))) ** 2, axis=0) if m > n else jnp.zeros(0)
    return x, residuals, rank, jnp.linalg.svdvals(a)


def _cond_of_complex(x, p):
    """In older versions of NumPy it is complex, with the imaginary part 0."""
    return jnp.linalg.cond(x, p).astype(linalg.cond(COMPLEX, p).dtype)


IN_JAX = {
    np.matrix_transpose: jnp.matrix_transpose,
    on_diagonal: lambda values, shape, offset=0, axis1=0, axis2=1: jax.vjp(
        lambda a: jnp.diagonal(a, offset, axis1, axis2), jnp.zeros(shape, values.dtype)
    )[1](values)[0],
    cofactors: _cofactors_in_jax,
    cofactors_vjp: lambda g, a: jax.vjp(_cofactors_in_jax, a)[1](g)[0],
    linalg.lstsq: _lstsq_in_jax,
}


def _case(fun, *args, **kwargs):
    """A case of a function of np.linalg, or of another that JAX has elsewhere."""
    in_jax = IN_JAX.get(fun) or getattr(jnp.linalg, fun.__name__)
    return Case(fun, args, kwargs, in_jax)


SQUARE = array((3, 3)) + 3 * np.eye(3)
BATCH = array((2, 3, 3), seed=1) + 3 * np.eye(3)
COMPLEX = complex_array((3, 3)) + 3 * np.eye(3)
TALL, WIDE = array((4, 3), seed=5), array((3, 4), seed=6)
CUBE = array((2, 3, 4))
ROW = array((3,), seed=7)
EMPTY = np.zeros((0, 0))
ONE = np.array([[1.5]])

# ---- Diagonals, triangles and products ------------------------------------------------------------------------------

CASES = [
    case(np.diagonal, SQUARE),
    case(np.diagonal, CUBE, 1, 0, 2),
    case(np.diagonal, CUBE, offset=-1, axis1=2, axis2=-2),
    case(np.diagonal, TALL, -5),
    _case(on_diagonal, ROW, (3, 3)),
    _case(on_diagonal, ROW[:2], (2, 3), offset=1),
    _case(on_diagonal, CUBE[0, :, :2], (2, 3, 3), offset=-1, axis1=2, axis2=0),
    case(np.diag, ROW),
    case(np.diag, ROW, 1),
    case(np.diag, ROW, k=-2),
    case(np.diag, ROW[:0]),
    case(np.diag, TALL),
    case(np.diag, TALL, k=-1),
    case(np.diag, complex_array((3, 2)), k=1),
    case(np.diagflat, ROW),
    case(np.diagflat, TALL, k=-1),
    case(np.trace, TALL),
    case(np.trace, CUBE, 1),
    case(np.trace, CUBE, offset=-1, axis1=2, axis2=0),
    case(np.trace, TALL, offset=9),
    case(np.trace, TALL, dtype=np.complex128),
    case(np.trace, COMPLEX),
    *(case(fun, x, **k) for fun in (np.tril, np.triu) for x in (TALL, CUBE) for k in ({}, {"k": 1}, {"k": -1})),
    Case(np.tril, (ROW,), {}, lambda m: jnp.tril(jnp.broadcast_to(m, (3, 3)))),
    Case(np.triu, (ROW,), {}, lambda m: jnp.triu(jnp.broadcast_to(m, (3, 3)))),
    *(case(fun, EMPTY) for fun in (np.tril, np.triu, np.diagonal, np.trace)),
    case(np.matrix_transpose, CUBE),
    _case(linalg.matrix_transpose, CUBE),
    _case(linalg.diagonal, CUBE),
    _case(linalg.diagonal, CUBE, offset=-1),
    _case(linalg.trace, CUBE),
    _case(linalg.trace, CUBE, offset=1),
    _case(linalg.trace, CUBE, dtype=np.complex128),
    _case(linalg.matmul, CUBE, array((4, 2))),
    _case(linalg.matmul, array((4,)), array((2, 4, 3))),
    _case(linalg.matmul, CUBE, array((4,))),
    _case(linalg.matmul, complex_array((2, 3)), array((3, 2))),
    _case(linalg.outer, ROW, array((4,))),
    _case(linalg.outer, complex_array((2,)), ROW),
    _case(linalg.outer, ROW[:0], ROW),
    _case(linalg.cross, ROW, array((3,))),
    _case(linalg.cross, array((2, 3)), array((4, 1, 3))),
    _case(linalg.cross, array((3, 2)), array((3, 2), seed=1), axis=0),
    _case(linalg.cross, array((2, 3, 2)), complex_array((3, 1)), axis=-2),
    _case(linalg.vecdot, ROW, array((3,))),
    _case(linalg.vecdot, complex_array((2, 3)), complex_array((4, 1, 3))),
    _case(linalg.vecdot, complex_array((3, 2)), array((3, 2)), axis=0),
    _case(linalg.tensordot, array((2, 3, 4)), array((3, 4, 2), seed=1)),
    _case(linalg.tensordot, array((2, 3, 4)), array((4, 2)), axes=1),
    _case(linalg.tensordot, array((2, 3, 4)), complex_array((4, 5, 2)), axes=([0, -1], [2, 0])),
    _case(linalg.tensordot, ROW, ROW[:2], axes=0),
    _case(linalg.multi_dot, [TALL, SQUARE]),
    _case(linalg.multi_dot, [TALL, array((3, 2)), array((2, 5)), array((5, 1))]),
    _case(linalg.multi_dot, [ROW, SQUARE, array((3, 2))]),
    _case(linalg.multi_dot, (TALL, SQUARE, ROW)),
    _case(linalg.multi_dot, [ROW, SQUARE, SQUARE.T, ROW + 1]),
    _case(linalg.multi_dot, [ROW, ROW + 1]),
    _case(linalg.multi_dot, [complex_array((2, 3)), SQUARE, complex_array((3, 2))]),
    *(_case(linalg.matrix_power, SQUARE / 4, n) for n in (0, 1, 6, 7)),
    *(_case(linalg.matrix_power, SQUARE, n) for n in (-1, -3)),
    _case(linalg.matrix_power, BATCH / 4, n=5),
    _case(linalg.matrix_power, COMPLEX, -2),
]

FOUR_AXES = array((2, 2, 3, 3)) + 5 * np.eye(6).reshape(2, 3, 2, 3).swapaxes(1, 2)

# ---- Equations, inverses and determinants ---------------------------------------------------------------------------

CASES += [
    _case(linalg.inv, SQUARE),
    _case(linalg.inv, BATCH),
    _case(linalg.inv, COMPLEX),
    _case(linalg.inv, ONE),
    _case(linalg.inv, EMPTY),
    _case(linalg.solve, SQUARE, ROW),
    _case(linalg.solve, SQUARE, array((3, 2))),
    _case(linalg.solve, BATCH, ROW),
    _case(linalg.solve, BATCH, array((3, 2))),
    _case(linalg.solve, SQUARE, array((2, 3, 2))),
    _case(linalg.solve, BATCH[:1], array((4, 2, 3, 1))),
    _case(linalg.solve, COMPLEX, array((3, 2))),
    _case(linalg.solve, SQUARE, complex_array((3,))),
    _case(linalg.solve, ONE, np.array([2.0])),
    _case(linalg.tensorinv, array((4, 6, 8, 3))[:2, :3, :2, :3].reshape(2, 3, 2, 3) + np.eye(6).reshape(2, 3, 2, 3) * 5),
    _case(linalg.tensorinv, SQUARE[:, None], ind=1),
    _case(linalg.tensorinv, complex_array((6, 2, 3)) + 5 * np.eye(6).reshape(6, 2, 3), ind=1),
    _case(linalg.tensorsolve, array((2, 3, 6)) + 5 * np.eye(6).reshape(2, 3, 6), array((2, 3))),
    _case(linalg.tensorsolve, array((6, 2, 3)) + 5 * np.eye(6).reshape(6, 2, 3), complex_array((6,))),
    _case(linalg.tensorsolve, array((6, 3, 2)) + 5 * np.eye(6).reshape(6, 3, 2), array((3, 2)), axes=(0,)),
    _case(linalg.tensorsolve, FOUR_AXES, array((2, 3)), axes=(1,)),
    _case(linalg.det, SQUARE),
    _case(linalg.det, BATCH),
    _case(linalg.det, COMPLEX),
    _case(linalg.det, array((2, 5, 5))),
    _case(linalg.det, SQUARE[:2, :2]),
    _case(linalg.det, ONE),
    _case(cofactors, SQUARE),
    _case(cofactors, BATCH),
    _case(cofactors, COMPLEX),
    _case(cofactors, ONE),
    _case(cofactors_vjp, array((2, 3, 3)), BATCH),
    _case(cofactors_vjp, complex_array((3, 3)), COMPLEX),
    _case(linalg.slogdet, SQUARE),
    _case(linalg.slogdet, -BATCH),
    _case(linalg.slogdet, COMPLEX),
    _case(linalg.slogdet, np.stack([COMPLEX, COMPLEX.T * 1j])),
    _case(linalg.slogdet, EMPTY),
]

# ---- Least squares and norms ----------------------------------------------------------------------------------------

CASES += [
    _case(linalg.lstsq, TALL, array((4,))),
    _case(linalg.lstsq, TALL, array((4, 2)), rcond=None),
    _case(linalg.lstsq, SQUARE, ROW, rcond=-1),
    _case(linalg.lstsq, WIDE, array((3, 2)), rcond=1e-12),
    _case(linalg.lstsq, complex_array((4, 2)), complex_array((4,))),
]
VECTOR_ORDERS = [None, 1, 2, 3, 1.5, 0.5, -1, -2.5, 0, inf, -inf]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, inf, -inf]
CASES += [_case(linalg.norm, ROW, ord=ord) for ord in VECTOR_ORDERS]
CASES += [_case(linalg.norm, TALL, ord=ord) for ord in MATRIX_ORDERS]
CASES += [_case(linalg.norm, CUBE, ord=ord, axis=1) for ord in (None, 3, inf)]
CASES += [_case(linalg.norm, CUBE, ord=ord, axis=(-1,), keepdims=True) for ord in (1, -2.5, 0, -inf)]
CASES += [_case(linalg.norm, CUBE, ord=ord, axis=(2, 0)) for ord in (1, inf, 2, "nuc")]
CASES += [_case(linalg.norm, CUBE, ord=ord, axis=(0, 2), keepdims=True) for ord in (None, 1, -1, -2, "nuc", inf)]
CASES += [_case(linalg.norm, CUBE), _case(linalg.norm, CUBE, keepdims=True), _case(linalg.norm, TALL, keepdims=True)]
CASES += [_case(linalg.norm, x, ord=ord) for x in (complex_array((3,)),) for ord in (None, 1, 3, inf)]
CASES += [_case(linalg.norm, complex_array((3, 2)), ord=ord) for ord in (None, "nuc", 1, 2)]
CASES += [
    _case(linalg.vector_norm, CUBE),
    _case(linalg.vector_norm, CUBE, ord=3),
    _case(linalg.vector_norm, CUBE, ord=inf, axis=(0, 2)),
    _case(linalg.vector_norm, CUBE, ord=1, axis=1, keepdims=True),
    _case(linalg.vector_norm, CUBE, ord=-2, axis=(-1, 0), keepdims=True),
    _case(linalg.vector_norm, CUBE, ord=2, keepdims=True),
    _case(linalg.vector_norm, complex_array((3,)), ord=-inf),
    _case(linalg.matrix_norm, TALL),
    *(_case(linalg.matrix_norm, CUBE, ord=ord, keepdims=True) for ord in ("nuc", 1, -2)),
    _case(linalg.matrix_norm, CUBE, ord=-inf),
    *(_case(linalg.cond, SQUARE, p=p) for p in ("fro", "nuc", -1, 2, inf)),
    _case(linalg.cond, BATCH),
    _case(linalg.cond, BATCH, p=1),
    _case(linalg.cond, TALL, -2),
    Case(linalg.cond, (COMPLEX, "fro"), {}, _cond_of_complex),
]


# What is left to finite differences alone, since compiling takes its time: functions that have the tests of their
# namesakes elsewhere; and a keyword that only reshapes.
ALIASES = (linalg.matmul, linalg.outer, linalg.cross, linalg.vecdot, linalg.tensordot, linalg.trace, linalg.diagonal)


@each(CASES)
def test_value_and_derivatives(case):
    check(case, against_jax=case.fun not in ALIASES and "keepdims" not in case.kwargs)


NARROW = [case for case in CASES if "dtype" not in case.kwargs]
test_float32 = unused_lanes(for_each(NARROW, check_precision, np.float32, 2e-3))


# ---- Special points -------------------------------------------------------------------------------------------------

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
RANK_TWO = np.arange(1.0, 10).reshape(3, 3)
ZERO, ZEROS, EYE = np.zeros(2), np.zeros((2, 2)), np.eye(2)
HALF = np.full((2, 2), 0.5)
NAN = np.full(2, nan)

SPECIAL_POINTS = [
    *((_case(linalg.norm, ZERO, ord=ord), NAN) for ord in (None, 2, 3, 1.5, 0.5, -1)),
    (_case(linalg.norm, ZERO, ord=0), [0, 0]),
    (_case(linalg.norm, ZERO, ord=1), [1, 1]),
    (_case(linalg.norm, ZERO, ord=inf), [0.25, 0.25]),
    (_case(linalg.norm, ZERO, ord=-inf), [0.5, 0.5]),
    (_case(linalg.norm, np.array([0.0, -2, 2]), ord=1), [1, -1, 1]),
    (_case(linalg.norm, np.array([0.0, -2, 2]), ord=3), [0, -(2 ** (-2 / 3)), 2 ** (-2 / 3)]),
    (_case(linalg.norm, np.array([0.0, -2, 2]), ord=0.5), [inf, -2, 2]),
    (_case(linalg.norm, np.array([0.0, -2, 2]), ord=inf), [0, -0.5, 0.5]),
    (_case(linalg.norm, np.array([0.0, -2, 2]), ord=-inf), [1, 0, 0]),
    (_case(linalg.norm, np.zeros(0)), np.zeros(0)),
    (_case(linalg.norm, ZEROS), np.full((2, 2), nan)),
    *((_case(linalg.norm, EYE, ord=ord), HALF) for ord in (1, -1, inf, -inf)),
    *((_case(linalg.norm, EYE, ord=ord), EYE / 2) for ord in (2, -2)),
    *((_case(linalg.norm, ZEROS, ord=ord), HALF / 2) for ord in (1, inf)),
    (_case(linalg.norm, EYE, ord="nuc"), EYE),
    (_case(linalg.norm, ZEROS, ord=2), EYE / 4),
    (_case(linalg.cond, EYE), np.diag([1.0, -1.0])),
    (_case(linalg.det, SINGULAR), [[4, -2], [-2, 1]]),
    (_case(linalg.det, ZEROS), ZEROS),
    (_case(linalg.det, np.zeros((3, 3))), np.zeros((3, 3))),
    (_case(linalg.det, RANK_TWO), [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]]),
    (_case(linalg.det, np.stack([SINGULAR, EYE])), [[[4, -2], [-2, 1]], EYE]),
    (_case(linalg.det, np.zeros((1, 1))), [[1]]),
    (_case(linalg.matrix_power, ZEROS, 3), ZEROS),
    (_case(linalg.matrix_power, ZEROS, 0), ZEROS),
]

test_special_points = for_each(SPECIAL_POINTS, check_special_point)
test_special_points_in_jax = for_each(SPECIAL_POINTS, check_special_point_in_jax)


DETERMINANTS = [
    SINGULAR,
    np.zeros((1, 1)),
    ZEROS,
    RANK_TWO,
    np.ones((3, 3)),
    np.diag([1.0, 2, 0, 3]),
    np.stack([np.diag([0.0, 2, 0, 3]), np.zeros((4, 4)), array((4, 4))]),
    np.zeros((0, 3, 3)),
    EMPTY,
    complex_array((3, 1)) @ complex_array((1, 3)),
]


@pytest.mark.parametrize("a", DETERMINANTS, ids=lambda a: str(a.shape))
def test_two_derivatives_of_the_determinant_of_a_singular_matrix(a):
    """(JAX has the first one, if there is no zero among the pivots but the last; the second one is NaN.)"""
    check(_case(linalg.det, a), against_jax=False)


def test_third_derivative_of_the_determinant():
    def third(a):
        return grad(lambda a: np.sum(grad(lambda a: np.sum(grad(np.linalg.det)(a) * V))(a) * V))(a)

    a, V = SQUARE, array((3, 3), seed=9)
    # det(a + t v) is a polynomial in t; what is left after two derivatives along v is linear in a.
    np.testing.assert_allclose(third(a), 2 * cofactors(V), rtol=1e-11, atol=1e-11)
    with pytest.raises(NotImplementedError, match="no third derivative .* at a singular matrix"):
        third(RANK_TWO)


def test_what_numpy_cannot_compute_has_no_derivative():
    for fun in (linalg.inv, linalg.cholesky, lambda a: linalg.solve(a, ZERO), lambda a: linalg.slogdet(a)[1]):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix|not positive definite"):
            grad(lambda a: np.sum(fun(a)))(ZEROS)


# ---- Arguments that are not differentiated --------------------------------------------------------------------------


def test_plain_operands_may_be_lists():
    a, b = SQUARE.tolist(), ROW.tolist()
    for fun in (linalg.solve, linalg.matmul, linalg.vecdot, linalg.cross):
        matrix, vector = (b, b) if fun in (linalg.vecdot, linalg.cross) else (a, b)
        by_list = grad(lambda x: np.sum(fun(matrix, x)))(ROW)
        np.testing.assert_array_equal(by_list, grad(lambda x: np.sum(fun(np.array(matrix), x)))(ROW))
        by_list = grad(lambda x: np.sum(fun(x, vector)))(np.array(matrix))
        np.testing.assert_array_equal(by_list, grad(lambda x: np.sum(fun(x, ROW)))(np.array(matrix)))
    by_list = grad(lambda x: np.sum(linalg.multi_dot([a, x, b])))(SQUARE)
    np.testing.assert_allclose(by_list, np.outer(SQUARE.sum(0), ROW), rtol=1e-14)


def test_rank_of_least_squares_is_plain():
    def f(a):
        x, residuals, rank, s = np.linalg.lstsq(a, np.ones(4))
        assert rank == 3 and isinstance(rank, (int, np.integer))
        return np.sum(x) * rank

    gradient = grad(lambda a: 3 * np.sum(np.linalg.pinv(a) @ np.ones(4)))(TALL)
    np.testing.assert_allclose(grad(f)(TALL), gradient, rtol=1e-12)


def test_norm_of_a_number():
    assert grad(np.linalg.norm)(-1.5) == -1.0


def test_least_squares_of_lower_rank():
    """The derivative is that along matrices of the same rank."""
    columns, combinations = array((5, 2)), array((2, 3), seed=1)
    b = array((5,), seed=2)
    weights = np.arange(1.0, 4)

    def solution(columns):
        return np.sum(weights * np.linalg.lstsq(columns @ combinations, b, rcond=1e-10)[0])

    def closed_form(c):
        m = combinations
        return np.sum(weights * (m.T @ np.linalg.solve(m @ m.T, np.linalg.solve(c.T @ c, c.T @ b))))

    assert_close(grad(solution)(columns), grad(closed_form)(columns), 1e-11)


def test_least_squares_with_integers():
    """NumPy makes floats of them."""
    a, b = np.array([[2, 1], [1, 3], [0, 1]]), array((3,))
    expected = grad(lambda b: np.sum(np.linalg.lstsq(a.astype(float), b)[0]))(b)
    np.testing.assert_array_equal(grad(lambda b: np.sum(np.linalg.lstsq(a, b)[0]))(b), expected)


def test_least_squares_of_float32_keep_the_precision_that_numpy_computes_in():
    a = np.vander(np.linspace(1, 2, 8), 7).astype(np.float32)  # in float32, it would count as of lower rank
    b = array((8,)).astype(np.float32)
    narrow, wide = (grad(lambda b: np.linalg.lstsq(a, b)[0][0])(b.astype(dtype)) for dtype in (np.float32, float))
    np.testing.assert_allclose(narrow, wide, rtol=1e-6, atol=1e-6 * np.abs(wide).max())
