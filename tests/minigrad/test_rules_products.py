"""Products of vectors and matrices."""

import numpy as np
import pytest

from minigrad import grad, value_and_grad

from .support import assert_alike, assert_close, assert_identical, case, check, check_precision, each, gradient_of


def _array(shape, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, shape)


def _complex(shape):
    return _array(shape) + 1j * _array(shape, 1)


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
CASES = [case(np.matmul, _array(a), _array(b, 1)) for a, b in MATMUL]
CASES += [case(np.dot, _array(a), _array(b, 1)) for a, b in DOT]
for product in (np.matmul, np.dot):
    CASES += [
        case(product, _complex((2, 3)), _complex((3, 2))),
        case(product, _array((2, 3)), _complex((3,))),
        case(product, _complex((3,)), _array((3, 2))),
        case(product, _array((2, 3)), np.array([1, 0, -2])),
    ]
CASES += [case(np.dot, 1.5, 2.5), case(np.dot, 1.5, _array((2, 3))), case(np.dot, _array((3,)), np.float64(2.5))]


@each(CASES)
def test_value_and_derivatives(case):
    check(case)


@each(CASES)
def test_float32(case):
    check_precision(case, np.float32, 1e-6)


@pytest.mark.parametrize("a, b", MATMUL, ids=str)
def test_operator(a, b):
    """a @ b is np.matmul, also where only one of the two is traced; so is the method dot."""
    a, b = _array(a), _array(b, 1)
    expected, reference = a @ b, list(gradient_of(case(np.matmul, a, b)).values())
    calls = [(lambda x: x @ b, a, reference[0]), (lambda x: a @ x, b, reference[1]), (lambda x: x[0] @ x[1], (a, b), tuple(reference))]
    if a.size and b.size:  # else a list does not tell its shape
        calls += [(lambda x: a.tolist() @ x, b, reference[1]), (lambda x: x @ b.tolist(), a, reference[0])]
    for f, x, wanted in calls:
        (_, value), gradient = value_and_grad(lambda x: (np.sum(f(x)), f(x)), has_aux=True)(x)
        assert_identical(value, expected)
        assert_alike(gradient, x)
        assert_close(gradient, wanted, 1e-15)


@pytest.mark.parametrize("a, b", DOT, ids=str)
def test_method(a, b):
    a, b = _array(a), _array(b, 1)
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
