"""Decompositions of matrices."""

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad

from .support import *
from .test_rules_linalg import BATCH, COMPLEX, EMPTY, ONE, SQUARE, TALL, WIDE

nan = np.nan
linalg = np.linalg


def _mirrored(a, triangle="L"):
    """In JAX, what NumPy makes of a matrix of which it reads one triangle: JAX takes the mean of both."""
    strict = jnp.tril(a, -1) if triangle == "L" else jnp.triu(a, 1)
    return strict + jnp.conj(strict).mT + jnp.real(a) * jnp.eye(a.shape[-1])


IN_JAX = {
    linalg.eigh: lambda a, UPLO="L": jnp.linalg.eigh(_mirrored(a, UPLO), UPLO),
    linalg.eigvalsh: lambda a, UPLO="L": jnp.linalg.eigvalsh(_mirrored(a, UPLO)),
    linalg.cholesky: lambda a, upper=False: jnp.linalg.cholesky(_mirrored(a, "U" if upper else "L"), upper=upper),
    linalg.pinv: lambda a, hermitian=False, **kwargs: jnp.linalg.pinv(
        _mirrored(a) if hermitian else a, hermitian=hermitian, **kwargs
    ),
    linalg.svd: lambda a, full_matrices=True, compute_uv=True, hermitian=False: jnp.linalg.svd(
        _mirrored(a) if hermitian else a, full_matrices, compute_uv, hermitian
    ),
    linalg.eig: lambda a: jax.lax.linalg.eig(a, compute_left_eigenvectors=False, enable_eigvec_derivs=True),
    linalg.eigvals: lambda a: IN_JAX[linalg.eig](a)[0],  # its own have no second derivative
}


def _case(fun, *args, **kwargs):
    """A case of a function of np.linalg, or of another that JAX has elsewhere."""
    in_jax = IN_JAX.get(fun) or getattr(jnp.linalg, fun.__name__)
    return Case(fun, args, kwargs, in_jax)


DEFINITE = SQUARE @ SQUARE.T + 2 * np.tril(array((3, 3)), -1)
DEFINITE_COMPLEX = COMPLEX @ COMPLEX.conj().T + 2 * np.tril(complex_array((3, 3)), -1)
REAL_EIGENVALUES = np.diag([1.0, 2.0, 4.0]) + 0.2 * array((3, 3))
COMPLEX_EIGENVALUES = array((3, 3), seed=3)

CASES = [
    _case(linalg.cholesky, DEFINITE),
    _case(linalg.cholesky, DEFINITE.T, upper=True),
    _case(linalg.cholesky, np.stack([DEFINITE, 2 * DEFINITE])),
    _case(linalg.cholesky, DEFINITE_COMPLEX),
    _case(linalg.cholesky, DEFINITE_COMPLEX.T.conj(), upper=True),
    _case(linalg.cholesky, ONE),
    _case(linalg.cholesky, EMPTY),
    _case(linalg.eigh, SQUARE),
    _case(linalg.eigh, SQUARE, "U"),
    _case(linalg.eigh, BATCH, UPLO="U"),
    _case(linalg.eigh, ONE),
    _case(linalg.eigvalsh, SQUARE),
    _case(linalg.eigvalsh, BATCH, UPLO="U"),
    _case(linalg.eigvalsh, COMPLEX),
    _case(linalg.eigvalsh, COMPLEX, "U"),
    _case(linalg.eigvalsh, EMPTY),
    _case(linalg.eig, COMPLEX_EIGENVALUES),
    _case(linalg.eig, COMPLEX),
    _case(linalg.eig, np.stack([COMPLEX_EIGENVALUES, SQUARE])),
    Case(linalg.eig, (REAL_EIGENVALUES,), {}, lambda a: [jnp.real(x) for x in IN_JAX[linalg.eig](a)]),
    _case(linalg.eigvals, COMPLEX_EIGENVALUES),
    _case(linalg.eigvals, COMPLEX),
    _case(linalg.eigvals, np.stack([COMPLEX_EIGENVALUES, SQUARE])),
    Case(linalg.eigvals, (REAL_EIGENVALUES,), {}, lambda a: jnp.real(IN_JAX[linalg.eigvals](a))),
    _case(linalg.svd, SQUARE),
    _case(linalg.svd, BATCH, False),
    _case(linalg.svd, TALL, full_matrices=False),
    _case(linalg.svd, np.stack([WIDE, WIDE[::-1]]), full_matrices=False),
    _case(linalg.svd, array((2, 5)), full_matrices=False),
    _case(linalg.svd, ONE),
    _case(linalg.svd, TALL, compute_uv=False),
    _case(linalg.svd, complex_array((4, 3)), compute_uv=False),
    _case(linalg.svd, SQUARE, hermitian=True),
    _case(linalg.svd, BATCH, compute_uv=False, hermitian=True),
    _case(linalg.svdvals, WIDE),
    _case(linalg.svdvals, np.stack([TALL, 2 * TALL[::-1]])),
    _case(linalg.svdvals, EMPTY),
    _case(linalg.qr, BATCH),
    _case(linalg.qr, TALL),
    _case(linalg.qr, np.stack([WIDE, 2 * WIDE[::-1]]), "reduced"),
    _case(linalg.qr, COMPLEX),
    _case(linalg.qr, complex_array((4, 3))),
    _case(linalg.qr, complex_array((2, 4))),
    _case(linalg.qr, TALL, mode="complete"),
    _case(linalg.qr, array((2, 5, 2)), mode="complete"),
    _case(linalg.qr, WIDE, mode="complete"),
    _case(linalg.qr, complex_array((4, 2)), mode="complete"),
    _case(linalg.qr, TALL, mode="r"),
    _case(linalg.qr, WIDE, mode="r"),
    _case(linalg.qr, complex_array((3, 3)), mode="r"),
    _case(linalg.qr, ONE),
    _case(linalg.pinv, TALL),
    _case(linalg.pinv, np.stack([WIDE, 2 * WIDE[::-1]])),
    _case(linalg.pinv, SQUARE),
    _case(linalg.pinv, complex_array((4, 3))),
    _case(linalg.pinv, TALL, rcond=1e-6),
    _case(linalg.pinv, TALL, rtol=1e-6),
    _case(linalg.pinv, SQUARE, hermitian=True),
    _case(linalg.pinv, COMPLEX, hermitian=True),
]

test_value_and_derivatives = for_each(CASES, check)
test_float32 = for_each(CASES, check_precision, np.float32, 2e-3)


# ---- What does not depend on what is arbitrary ----------------------------------------------------------------------
# Complex eigenvectors and singular vectors have arbitrary phases; and null spaces have arbitrary bases.


def _H(x):
    return x.swapaxes(-1, -2).conj()


def _hermitian(a):
    return (a + _H(a)) / 2


TALL_COMPLEX = complex_array((4, 3))
PROGRAMS = [
    program("complex eigenvectors", lambda np, a: np.abs(np.linalg.eigh(_hermitian(a))[1]) ** 2, COMPLEX),
    program("complex svd of a number", lambda np, a: _spectral(np, *np.linalg.svd(a)), COMPLEX[:1, :1]),
    program("function of a matrix", lambda np, a: _spectral(np, *np.linalg.eigh(_hermitian(a))), COMPLEX),
    program("upper triangle", lambda np, a: _spectral(np, *np.linalg.eigh(_hermitian(a), "U")), BATCH),
    program("complex svd", lambda np, a: _spectral(np, *np.linalg.svd(a)), COMPLEX),
    program("tall complex svd", lambda np, a: _spectral(np, *np.linalg.svd(a, full_matrices=False)), TALL_COMPLEX),
    program("wide complex svd", lambda np, a: _spectral(np, *np.linalg.svd(a, full_matrices=False)), TALL_COMPLEX.T),
    program("complex left singular vectors", lambda np, a: np.abs(np.linalg.svd(a, False)[0]) ** 2, TALL_COMPLEX),
    program("hermitian svd", lambda np, a: _spectral(np, *np.linalg.svd(_hermitian(a), hermitian=True)), COMPLEX),
    program("nested", lambda np, a: np.linalg.slogdet(np.linalg.inv(a) @ np.linalg.cholesky(a @ a.T))[1], SQUARE),
]
# JAX has no derivative of these.
MORE_PROGRAMS = [
    program("null space", lambda np, a: _projector(np.linalg.svd(a)[0][..., 2:]), array((2, 5, 2))),
    program("complex null space", lambda np, a: _projector(np.linalg.svd(a)[0][:, 2:]), complex_array((4, 2))),
    program("null space on the right", lambda np, a: _projector(_H(np.linalg.svd(a)[2][2:])), complex_array((2, 4))),
    program("what is left of both", lambda np, a: _spectral(np, *_first(*np.linalg.svd(a))), complex_array((2, 4))),
    # With one more column there is no choice but a sign.
    *(case(linalg.svd, a) for a in (TALL, WIDE, np.stack([TALL, TALL[::-1]]))),
]


def _spectral(np, u, s, vh=None):
    if vh is None:
        u, s, vh = s, u, _H(s)
    return (u * np.exp(s / 4)[..., None, :]) @ vh


def _projector(basis):
    return basis @ _H(basis)


def _first(u, s, vh):
    return u, s, vh[: len(s)]


test_programs = for_each(PROGRAMS, check)
test_full_matrices = for_each(MORE_PROGRAMS, check, against_jax=False)


ARBITRARY = {
    "phases of eigenvectors": lambda a: np.linalg.eigh(a)[1],
    "phases of left singular vectors": lambda a: np.linalg.svd(a)[0],
    "phases of right singular vectors": lambda a: np.linalg.svd(a)[2],
    "bases of the null space": lambda a: np.linalg.svd(a[:, :1])[0],
    "real bases of the null space": lambda a: np.linalg.svd(a[:, :1].real)[0],
    "bases on the right": lambda a: np.linalg.svd(a[:1])[2] ** 2,
}


@pytest.mark.parametrize("name", ARBITRARY)
def test_what_is_arbitrary_has_no_derivative(name):
    with pytest.raises(ValueError, match="arbitrary.*there is no derivative") as error:
        grad(lambda a: np.sum(ARBITRARY[name](a)).real)(COMPLEX)
    assert __file__ in "".join(error.value.__notes__)


# ---- Symmetric matrices ---------------------------------------------------------------------------------------------

SYMMETRIC = SQUARE + SQUARE.T
POSITIVE = SQUARE @ SQUARE.T
HERMITIAN = COMPLEX @ COMPLEX.conj().T
OF_SYMMETRIC = [
    program("eigvalsh", lambda np, a: np.linalg.eigvalsh(a), SYMMETRIC),
    program("eigvalsh complex", lambda np, a: np.linalg.eigvalsh(a), HERMITIAN),
    program("eigh", lambda np, a: np.linalg.eigh(a), SYMMETRIC),
    program("eigh upper", lambda np, a: np.linalg.eigh(a, "U"), SYMMETRIC),
    program("cholesky", lambda np, a: np.linalg.cholesky(a), np.stack([POSITIVE, 3 * POSITIVE])),
    program("cholesky complex", lambda np, a: np.linalg.cholesky(a, upper=True), HERMITIAN),
    program("rounded", lambda np, a: np.linalg.cholesky(a), POSITIVE * (1 + 1e-16 * np.tri(3))),
]


@each(OF_SYMMETRIC)
def test_a_symmetric_matrix_has_a_symmetric_gradient(case):
    """As in JAX. (Finite differences are none: they leave the symmetric matrices.)"""
    weights, v = random_like(case({}), seed=1), random_like(case.parameters, seed=2)
    loss = bent(case, weights, np)
    in_jax = jax.grad(lambda x: bent(case, weights, jnp)(x)[0])
    first, second = jax.jit(lambda x: jax.jvp(in_jax, (x,), (v,)))(case.parameters)
    assert_close(grad(loss, has_aux=True)(case.parameters)[0], first, 1e-12)
    assert_close(grad(along(loss, v), has_aux=True)(case.parameters)[0], second, 1e-11)


def test_symmetric_and_other_matrices_in_one_call():
    for a, fun in ((SQUARE, linalg.eigvalsh), (DEFINITE, linalg.cholesky)):
        symmetric = np.tril(a) + np.tril(a, -1).T
        both = gradient_of(_case(fun, np.stack([symmetric, a])))["0"]
        np.testing.assert_allclose(both[0], both[0].T, rtol=1e-13)
        np.testing.assert_allclose(both[1], np.tril(both[0] + both[0].T) - np.diag(np.diag(both[0])), rtol=1e-13)


# ---- Special points -------------------------------------------------------------------------------------------------

ZEROS, EYE = np.zeros((2, 2)), np.eye(2)

SPECIAL_POINTS = [
    (_case(linalg.pinv, ZEROS), ZEROS),
    # Repeated eigenvalues and singular values have a derivative as long as the vectors are not used.
    (_case(linalg.eigvalsh, EYE), EYE),
    (_case(linalg.eigvalsh, ZEROS), EYE),
    (_case(linalg.eigvals, EYE), EYE),
    (_case(linalg.svdvals, EYE), EYE),
    (_case(linalg.svdvals, ZEROS), EYE),
    (program("only eigenvalues", lambda np, a: np.linalg.eigh(a)[0], EYE), EYE),
    (program("only singular values", lambda np, a: np.linalg.svd(a)[1], EYE), EYE),
    (program("eigenvectors", lambda np, a: np.linalg.eigh(a)[1], EYE), np.full((2, 2), nan)),
    (program("singular vectors", lambda np, a: np.linalg.svd(a)[0], EYE), np.full((2, 2), nan)),
]

test_special_points = for_each(SPECIAL_POINTS, check_special_point)
test_special_points_in_jax = for_each(SPECIAL_POINTS, check_special_point_in_jax)


def test_eigenvectors_of_repeated_eigenvalues_in_part_of_a_batch():
    a = np.stack([EYE, np.diag([1.0, 3.0])])
    with np.errstate(invalid="ignore"):
        gradient = grad(lambda a: np.sum(np.linalg.eigh(a)[1]))(a)
    assert np.isnan(gradient[0]).all() and np.isfinite(gradient[1]).all()


ROTATION, _ = np.linalg.qr(array((4, 4), seed=8))
NEARLY = ROTATION @ np.diag([1.0, 1.0, 2.0, 3.0]) @ ROTATION.T  # of which rounding tells the first two apart
LOW_RANK = array((5, 2)) @ array((2, 4), seed=1)
ROUNDED = [
    program("a function of a matrix", lambda np, a: _spectral(np, *np.linalg.eigh(a)), NEARLY),
    program("of any matrix", lambda np, a: np.abs(np.linalg.eig(a)[1]), NEARLY),
    program("singular vectors", lambda np, a: _spectral(np, *np.linalg.svd(a)), NEARLY),
    program("those of zeros", lambda np, a: np.linalg.svd(a, full_matrices=False)[0], LOW_RANK),
]


@each(ROUNDED)
def test_what_only_rounding_tells_apart_is_repeated(case):
    with np.errstate(all="ignore"):
        assert np.isnan(gradient_of(case)["0"]).all()


# That others are repeated, or zero, does not matter to those that are not.
SINGLED_OUT = [
    program("eigenvector", lambda np, a: np.linalg.eigh((a + a.T) / 2)[1][:, 3], NEARLY),
    program("its direction", lambda np, a: np.abs(np.linalg.eig(a)[1][:, np.argmax(np.linalg.eigvals(a))]), NEARLY),
    program("eigenvector beside equal ones", lambda np, a: np.linalg.eigh((a + a.T) / 2)[1][:, 2], np.diag([1.0, 1, 3])),
    program("low rank", lambda np, a: _first_two(*np.linalg.svd(a, full_matrices=False)), LOW_RANK),
    program("low rank with zeros", lambda np, a: _first_two(*np.linalg.svd(a)), np.diag([3.0, 2, 0, 0])),
]


def _first_two(u, s, vh):
    return u[:, :2] * np.sin(s[:2]) @ vh[:2]


@each(SINGLED_OUT)
def test_what_is_not_repeated_has_a_derivative(case):
    v = random_like(case.parameters, seed=2)
    weights = random_like(case({}), seed=1)
    gradient, _ = grad(weighted(case, weights, np), has_aux=True)(case.parameters)
    slope = differences(lambda x: weighted(case, weights, np)(x)[0], case.parameters, v)
    assert_close(dot(gradient, v, np), slope, 1e-8)


def test_matrices_without_columns_or_rows():
    for fun in (linalg.eigvals, linalg.eigvalsh, linalg.svdvals, linalg.cholesky, linalg.pinv):
        np.testing.assert_array_equal(grad(lambda a: np.sum(np.real(fun(a))))(EMPTY), EMPTY)
    np.testing.assert_array_equal(grad(lambda a: np.sum(np.real(linalg.eig(a)[1])))(EMPTY), EMPTY)


def test_tall_matrices_do_not_make_large_square_ones():
    a = array((3000, 2))
    tracemalloc.start()
    grad(lambda a: np.sum(linalg.pinv(a)))(a)
    grad(lambda a: np.sum(linalg.pinv(a)))(a.T.copy())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * a.nbytes


def test_a_defective_matrix_has_no_derivative():
    with pytest.raises(ValueError, match="no full set of eigenvectors"):
        grad(lambda a: np.sum(np.linalg.eigvals(a)).real)(np.array([[1.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize("mode", ["raw", "full"])
def test_modes_of_qr_without_a_derivative_are_refused(mode):
    with pytest.raises(NotImplementedError, match=f"mode='{mode}'"):
        grad(lambda a: np.sum(np.linalg.qr(a, mode)[0]))(TALL)
