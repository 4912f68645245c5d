"""What stands for a number or an array while a function is being differentiated, as plain NumPy code meets it.

Operators, methods and attributes give what they give for arrays, and are differentiated; whatever would quietly drop
the derivative raises, and says what to write instead.
"""

import array
import copy
import decimal
import fractions
import json
import math
import operator
import pickle
import statistics
import traceback
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import Tensor, grad, stop_gradient, value_and_grad

from .support import assert_alike, assert_close, assert_identical, cases


def inside(fun, x):
    """What `fun` makes of a number or array that is being differentiated."""
    made = []
    grad(lambda t: (made.append(fun(t)), 0.0 * np.real(np.sum(t)))[1])(x)
    return made[0]


def inside_twice(fun, x):
    """The same of one that is being differentiated by two calls of grad, one inside the other."""
    return inside(lambda t: inside(fun, t), x)


INSIDE = pytest.mark.parametrize("inside", [inside, inside_twice], ids=["once", "twice"])
VECTOR = np.array([1.5, -2.5, 3.0])


# ---- Operators ------------------------------------------------------------------------------------------------------

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "%": lambda a, b: a % b,
    "//": lambda a, b: a // b,
    "divmod": lambda a, b: divmod(a, b)[0] + divmod(a, b)[1],
}
OPERANDS = {
    "numbers": (2.5, 1.25),
    "array, number": (np.array([2.5, 0.7]), 1.25),
    "number, array": (2.5, np.array([1.25, 0.4])),
    "np.float64, array": (np.float64(2.5), np.array([1.25, 0.4])),
    "array, np.float64": (np.array([2.5, 0.7]), np.float64(1.25)),
    "0-d, np.float64": (np.array(2.5), np.float64(1.25)),
    "column, row": (np.array([[2.5], [0.7]]), np.array([[1.25, 0.4, 3.1]])),
    "matrix, vector": (np.array([[2.5, 0.7], [1.1, 1.9]]), np.array([1.25, 0.4])),
    "size one, vector": (np.array([2.5]), np.array([1.25, 0.4])),
    "empty, number": (np.zeros((0, 2)), 1.25),
    "float32, number": (np.array([2.5, 0.75], np.float32), 1.25),
    "number, float32": (2.5, np.array([1.25, 0.5], np.float32)),
    "float32, float64": (np.array([2.5, 0.75], np.float32), np.array([1.25, 0.5])),
}


@cases(OPERATORS)
@pytest.mark.parametrize("operands", OPERANDS.values(), ids=OPERANDS.keys())
def test_operators(case, operands):
    a, b = operands
    rtol = 1e-6 if np.float32 in (np.asarray(a).dtype, np.asarray(b).dtype) else 1e-13
    expected = jax.grad(lambda a, b: jnp.sum(case(a, b) * 1.0), (0, 1))(a, b)

    def loss(a, b):
        y = case(a, b)
        return np.sum(y) * 1.0, y

    for argnums in (0, 1, (0, 1)):
        (_, value), gradient = value_and_grad(loss, argnums, has_aux=True)(a, b)
        assert_identical(value, case(a, b))
        assert_alike(gradient, operands if argnums == (0, 1) else operands[argnums])
        assert_close(gradient, expected if argnums == (0, 1) else expected[argnums], rtol)


@cases({
    "int": 3,
    "bool": True,
    "complex": 2.0 + 1.0j,
    "np.float32": np.float32(3),
    "np.int64": np.int64(3),
    "np.bool": np.True_,
    "int array": np.array([1, 2, 3]),
    "uint8 array": np.array([1, 2, 3], np.uint8),
    "bool array": np.array([True, False, True]),
    "0-d array": np.array(3.0),
    "list": [1.0, 2.0, 3.0],
    "tuple": (1, 2, 3),
    "range": np.arange(3),
})
def test_operands_on_either_side(case):
    x = np.array([1.5, 2.5, 3.0])
    constant = np.asarray(case) if isinstance(case, (list, tuple)) else case
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        for fun in (lambda a, b: op(a, b), lambda a, b: op(b, a)):
            with np.errstate(divide="ignore"):
                (_, value), gradient = value_and_grad(lambda x: (lambda y: (np.sum(np.real(y)), y))(fun(x, case)),
                                                      has_aux=True)(x)
                assert_identical(value, fun(x, constant))
            exact = jnp.asarray(constant, complex if np.iscomplexobj(constant) else float)
            expected = jax.grad(lambda x: jnp.sum(jnp.real(fun(x, exact))))(x)
            assert_alike(gradient, x)
            assert_close(gradient, expected, 1e-13)


@cases({
    "vector, vector": (np.array([1.0, 2.0]), np.array([3.0, 4.0])),
    "matrix, vector": (np.arange(6.0).reshape(2, 3), np.array([3.0, 4.0, 5.0])),
    "vector, matrix": (np.array([3.0, 4.0]), np.arange(6.0).reshape(2, 3)),
    "matrix, matrix": (np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)),
    "stacks": (np.arange(12.0).reshape(2, 2, 3), np.arange(3.0).reshape(3, 1)),
})
def test_matmul(case):
    a, b = case
    for argnums in (0, 1, (0, 1)):
        value, gradient = value_and_grad(lambda a, b: ((a @ b) ** 2).sum(), argnums)(a, b)
        assert value == ((a @ b) ** 2).sum()
        assert_alike(gradient, case if argnums == (0, 1) else case[argnums])
        assert_close(gradient, jax.grad(lambda a, b: ((a @ b) ** 2).sum(), argnums)(a, jnp.asarray(b)), 1e-14)


def test_unary_operators():
    for op in (operator.neg, operator.pos, operator.abs):
        np.testing.assert_array_equal(grad(lambda x: (op(x) * [1, 2, 3]).sum())(VECTOR),
                                      jax.grad(lambda x: (op(x) * np.array([1, 2, 3])).sum())(VECTOR))


@pytest.mark.parametrize(
    "exponent", [0, 1, 2, 3, -1, -2, 0.5, 2.0, 1.0, True, np.int64(2), np.float64(2.0), np.array(2)], ids=repr
)
@pytest.mark.parametrize("x", [3.0, np.float32(3), np.array([3.0, 0.5])], ids=["float", "np.float32", "array"])
def test_powers_to_second_order(exponent, x):
    ours = [grad(lambda x: np.sum(x**exponent))(x), grad(lambda x: np.sum(grad(lambda y: np.sum(y**exponent))(x)))(x)]
    n = int(exponent) if isinstance(exponent, (bool, np.integer, np.ndarray)) else exponent
    n = float(n) if isinstance(exponent, np.floating) else n
    first = jax.grad(lambda x: jnp.sum(x**n))
    assert_close(ours, [first(x), jax.grad(lambda x: jnp.sum(first(x)))(x)], 1e-6 if type(x) is np.float32 else 1e-14)


def test_a_number_to_a_power_that_python_would_refuse():
    """Python raises, or turns to complex numbers, where NumPy has inf and nan: and floats count as NumPy's."""
    with np.errstate(all="ignore"):
        assert inside(lambda t: (1.0 / (t - t)).item(), 2.0) == math.inf
        assert inside(lambda t: ((t - t) ** -1).item(), 2.0) == math.inf
        assert math.isnan(inside(lambda t: ((-t) ** 0.5).item(), 2.0))
        assert math.isnan(inside(lambda t: (t % 0.0).item(), 2.0))
        assert inside(lambda t: ((t * 1e200) ** 2).item(), 2.0) == math.inf
        assert inside(lambda t: (10.0 ** (t * 200.0)).item(), 2.0) == math.inf
        assert grad(lambda x: (x * 1e200) ** 2)(1.0) == math.inf
        assert grad(lambda x: 1 / x)(0.0) == -math.inf
        assert grad(lambda x: x**0.5)(0.0) == math.inf
        assert grad(np.log)(0.0) == math.inf


def test_a_numpy_number_on_the_left_does_not_swallow_the_tensor():
    for number in (np.float64(3.0), np.float32(3.0), np.int64(3), np.True_):
        for op in (operator.add, operator.mul, operator.truediv, operator.pow, operator.mod, operator.sub):
            if op is operator.sub and number is np.True_:
                continue
            assert isinstance(inside(lambda t: op(number, t), 2.0), Tensor)
    assert grad(lambda x: np.float64(3.0) - x)(2.0) == -1.0


@cases({
    "str": "a",
    "None": None,
    "dict": {},
    "object": object(),
    "set": {1.0},
    "Decimal": decimal.Decimal(1),
    "object array": np.array([1.0, 2.0, None], dtype=object),
    "numbers in an object array": np.array([1.0, 2.0, 3.0], dtype=object),
    "array of strings": np.array(["a", "b", "c"]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "function": math.sin,
})
@pytest.mark.parametrize("x", [2.0, VECTOR], ids=["float", "array"])
@INSIDE
def test_operands_that_make_no_sense(case, x, inside):
    for op in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod):
        for call in (lambda t: op(t, case), lambda t: op(case, t)):
            if op is operator.mod and isinstance(case, str):
                continue  # 'a' % t is Python's own
            with pytest.raises(TypeError):
                inside(call, x)
    with pytest.raises(TypeError):
        inside(lambda t: np.add(t, case), x)


@cases({
    "matrix": np.array([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix),
    "masked array": np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[True, False], [False, False]]),
})
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_arrays_with_operators_of_their_own_are_refused(case):
    for call in (lambda t: t * case, lambda t: case * t, lambda t: np.multiply(t, case), lambda t: np.multiply(case, t),
                 lambda t: t + case, lambda t: np.maximum(t, case)):
        with pytest.raises(TypeError):
            grad(lambda x: call(x).sum())(np.ones((2, 2)))


def test_a_class_with_operators_of_its_own_computes_itself():
    class Tripling:
        __array_ufunc__ = None  # tells NumPy, and so us, to leave operators to this class

        def __radd__(self, other):
            return other * 3.0

        __rmul__ = __radd__

    for x in (1.0, np.float64(1.0)):
        assert grad(lambda x: x + Tripling())(x) == grad(lambda x: x * Tripling())(x) == 3.0
    np.testing.assert_array_equal(grad(lambda x: (x + Tripling()).sum())(VECTOR), np.full(3, 3.0))


def test_operators_that_floats_do_not_have():
    for call in (lambda t: t & 1, lambda t: t | 1, lambda t: t ^ 1, lambda t: t << 1, lambda t: t >> 1, lambda t: ~t,
                 lambda t: pow(t, 2, 3), lambda t: t()):
        with pytest.raises(TypeError):
            inside(call, 2.0)


def test_errors_of_shape_are_those_of_numpy():
    for call in (lambda t: t + np.ones(2), lambda t: t @ np.ones(2), lambda t: t @ 2.0, lambda t: np.ones(2) * t,
                 lambda t: t.reshape(2)):
        with pytest.raises(ValueError):
            inside(call, VECTOR)
    for call in (lambda t: t[0, 0], lambda t: t[10], lambda t: t[np.array([10])], lambda t: t[1.0], lambda t: t["a"]):
        with pytest.raises(IndexError):
            inside(call, VECTOR)


def test_augmented_assignment_makes_a_new_tensor():
    def f(x):
        before = x
        x += 1.0
        x *= 2.0
        x -= 3.0
        x /= 4.0
        x **= 2
        assert stop_gradient(before) == 5.0
        return x

    assert grad(f)(5.0) == 2 * (12 - 3) / 4 * 0.5


# ---- Comparisons and truth ------------------------------------------------------------------------------------------


@INSIDE
@pytest.mark.parametrize("op", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_comparisons_are_plain(op, inside):
    for x, other in ((2.0, 3.0), (2.0, 2), (2.0, np.float64(1.0)), (2.0, VECTOR), (VECTOR, 0.0), (VECTOR, VECTOR),
                     (VECTOR, np.ones((2, 3))), (np.float32(2), 2.0), (VECTOR, [1.5, 2, 3])):
        for call in (lambda a, b: op(a, b), lambda a, b: op(b, a)):
            result = inside(lambda t: call(t, other), x)
            expected = call(x, np.asarray(other) if isinstance(other, list) else other)
            assert not isinstance(result, Tensor)
            np.testing.assert_array_equal(result, expected, strict=isinstance(expected, np.ndarray))
            assert isinstance(result, (bool, np.bool_)) == (np.ndim(expected) == 0)
    assert type(inside(lambda t: op(t, 1.0), 2.0)) is bool
    assert type(inside(lambda t: op(t, t * 2.0), 2.0)) is bool
    assert type(inside(lambda t: op(1, t), 2.0)) is bool


@INSIDE
def test_equality_with_things_of_other_kinds(inside):
    assert inside(lambda t: t == None, 2.0) is False  # noqa: E711
    assert inside(lambda t: t != None, 2.0) is True  # noqa: E711
    assert inside(lambda t: t is None, 2.0) is False
    assert inside(lambda t: t == "a", 2.0) is False
    assert inside(lambda t: t in [1.0, 2.0], 2.0) is True
    assert inside(lambda t: t in (1.0, None, "a"), 2.0) is False
    for other in ("a", None):
        with pytest.raises(TypeError):
            inside(lambda t: t < other, 2.0)
        with pytest.raises(TypeError):
            inside(lambda t: t >= other, VECTOR)


@INSIDE
def test_truth(inside):
    assert inside(bool, 2.0) is True and inside(bool, 0.0) is False
    assert inside(bool, np.array([0.5])) is True
    assert inside(lambda t: not t, 0.0) is True
    assert type(inside(lambda t: t and 1, 0.0)) is Tensor
    with pytest.raises(ValueError, match="ambiguous"):
        inside(bool, VECTOR)


@INSIDE
def test_membership(inside):
    assert inside(lambda t: -2.5 in t, VECTOR) is True
    assert inside(lambda t: 7 in t, VECTOR) is False
    assert inside(lambda t: t[0] in t, VECTOR) is True
    with pytest.raises(TypeError):
        inside(lambda t: 1.0 in t, 1.0)


# ---- Sequences ------------------------------------------------------------------------------------------------------


@INSIDE
def test_length_and_iteration(inside):
    for x in (VECTOR, np.ones((2, 3)), np.zeros((0, 2))):
        assert inside(len, x) == len(x)
        items = inside(list, x)
        assert len(items) == len(x)
        assert all(type(item) is Tensor and item.shape == x.shape[1:] for item in items)
    assert [t.item() for t in inside(lambda t: list(reversed(t)), VECTOR)] == [3.0, -2.5, 1.5]
    assert inside(lambda t: [i for i, _ in enumerate(t)], VECTOR) == [0, 1, 2]
    for x in (2.0, np.float64(2.0), np.array(2.0)):
        with pytest.raises(TypeError, match="unsized"):
            inside(len, x)
        with pytest.raises(TypeError, match="0-d"):
            inside(list, x)


def test_unpacking_and_iteration_are_differentiated():
    x = np.array([2.0, 3.0, 5.0])

    def unpacked(x):
        a, *rest = x
        (b, c) = rest
        return a * b + c

    np.testing.assert_array_equal(grad(unpacked)(x), [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(grad(lambda x: sum(v * w for v, w in zip(x, [1, 2, 3])))(x), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: sum(i * v for i, v in enumerate(reversed(x))))(x), [2.0, 1.0, 0.0])
    np.testing.assert_array_equal(grad(lambda m: sum(row[1] * row[0] for row in m))(np.ones((2, 2))), np.ones((2, 2)))


INDICES = {
    "int": 1,
    "negative": -1,
    "np.int64": np.int64(1),
    "slice": slice(1, None),
    "step": slice(None, None, -2),
    "Ellipsis": Ellipsis,
    "None": None,
    "empty tuple": (),
    "pair": (1, 2),
    "slices": (slice(None), slice(0, 2)),
    "None in between": (0, None, slice(None)),
    "Ellipsis and number": (Ellipsis, 0),
    "array": np.array([0, 1, 0]),
    "negative aliases": np.array([0, -2, 1, -1]),
    "matrix of indices": np.array([[0, 0], [1, 1]]),
    "0-d array": np.array(1),
    "list": [0, 0, 1],
    "tuple in a tuple": ((0, 0),),
    "range": range(2),
    "range in a tuple": (slice(None), range(2)),
    "mask": np.array([[True, False, True], [False, False, True]]),
    "mask of rows": np.array([False, True]),
    "list as mask": [False, True],
    "True": True,
    "False": False,
    "arrays": (np.array([0, 1, 1]), np.array([2, 2, 2])),
    "array and slice": (slice(None), np.array([2, 2])),
    "array and None": (np.array([0, 0]), None),
    "array and list": (np.array([0, 0]), [1, 1]),
    "array and mask": (np.array([0]), np.array([True, False, True])),
    "apart": (np.array([0, 0]), slice(None), None),
    "no element": np.array([], int),
    "of np.ix_": np.ix_([0, 1, 0], [2, 2]),
    "uint8": np.array([1, 1], np.uint8),
}


@cases(INDICES)
def test_indexing_to_second_order(case):
    """Against a definition without scatter: each element is worth the number of times that it was taken."""
    x = np.array([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]])
    positions = np.arange(6).reshape(2, 3)[case]
    times = np.bincount(np.ravel(positions), minlength=6).reshape(2, 3)
    (_, value), gradient = value_and_grad(lambda x: (lambda y: ((y**3).sum(), y))(x[case]), has_aux=True)(x)
    assert_identical(value, x[case])
    assert_alike(gradient, x)
    np.testing.assert_allclose(gradient, times * 3 * x**2, rtol=1e-14)
    second = grad(lambda x: grad(lambda y: (y[case] ** 3).sum())(x).sum())(x)
    np.testing.assert_allclose(second, times * 6 * x, rtol=1e-14)


@INSIDE
def test_a_number_is_indexed_like_a_0d_array(inside):
    for x in (2.0, np.float32(2), np.array(2.0)):
        assert inside(lambda t: (t[()].shape, t[None].shape, t[..., None].shape), x) == ((), (1,), (1,))
        with pytest.raises(IndexError):
            inside(lambda t: t[0], x)
    assert grad(lambda x: (x[None] * np.ones(3)).sum())(2.0) == 3.0


# ---- What it looks like ---------------------------------------------------------------------------------------------


@INSIDE
def test_attributes(inside):
    numbers = (2.0, 1j, np.float64(2), np.float32(2), np.array(2.0))
    for x in (*numbers, VECTOR, np.ones((2, 3), np.float32), np.zeros((0, 2))):
        plain = np.asarray(x)
        attributes = inside(lambda t: (t.shape, t.ndim, t.size, t.dtype), x)
        assert attributes == (plain.shape, plain.ndim, plain.size, plain.dtype)
        assert isinstance(attributes[3], np.dtype) and type(attributes[2]) is int
        shapes = inside(lambda t: (np.shape(t), np.ndim(t), np.size(t), np.iscomplexobj(t), np.result_type(t)), x)
        assert shapes == (np.shape(x), np.ndim(x), np.size(x), np.iscomplexobj(x), plain.dtype)


@INSIDE
def test_it_is_no_array_and_no_number(inside):
    for kind in (np.ndarray, float, np.generic):
        assert inside(lambda t: isinstance(t, kind), 2.0) is False
        assert inside(lambda t: isinstance(t, kind), VECTOR) is False
    for name in ("__array_interface__", "__array_struct__", "__index__", "__len_hint__"):
        assert inside(lambda t: hasattr(t, name), VECTOR) is False


def test_text():
    assert inside(repr, 2.0) == inside(str, 2.0) == inside(lambda t: f"{t}", 2.0) == "Tensor(2.0)"
    assert inside(repr, np.array([1.0, 2.0])) == "Tensor(array([1., 2.]))"
    assert inside_twice(repr, 2.0) == "Tensor(Tensor(2.0))"
    assert inside(lambda t: "%s" % t, 2.0) == "Tensor(2.0)"


@INSIDE
def test_formats(inside):
    for x in (2.0, np.float32(2), np.array(2.0)):
        assert inside(lambda t: f"{t:.3f} {t:8.2e} {t:>6}", x) == "2.000 2.00e+00    2.0"
        assert inside(lambda t: "{:.1f}".format(t * 2.0), x) == "4.0"
    with pytest.raises(TypeError):
        inside(lambda t: f"{t:.3f}", VECTOR)


@INSIDE
def test_there_is_no_hash(inside):
    for use in (hash, lambda t: {t: 1}, lambda t: {t}):
        with pytest.raises(TypeError, match="unhashable"):
            inside(use, 2.0)


@INSIDE
def test_copies_and_weak_references(inside):
    for copied in (copy.copy, copy.deepcopy, lambda t: t.copy(), lambda t: copy.deepcopy({"a": [t]})["a"][0],
                   lambda t: weakref.ref(t)(), np.copy):
        assert type(inside(copied, VECTOR)) is Tensor
        np.testing.assert_array_equal(grad(lambda x: (copied(x) * copied(x)).sum())(VECTOR), 2 * VECTOR)


# ---- Methods --------------------------------------------------------------------------------------------------------

MATRIX = np.array([[0.5, 1.5, -2.5], [3.5, -4.5, 5.5]])
METHODS = {
    "sum": lambda x: x.sum(),
    "sum(0)": lambda x: x.sum(0),
    "sum(axis, keepdims)": lambda x: x.sum(axis=1, keepdims=True),
    "mean": lambda x: x.mean(),
    "mean(axis)": lambda x: x.mean(axis=(0, 1)),
    "max": lambda x: x.max(),
    "max(axis)": lambda x: x.max(1),
    "min": lambda x: x.min(axis=0),
    "prod": lambda x: x.prod(),
    "prod(axis)": lambda x: x.prod(axis=0),
    "var": lambda x: x.var(ddof=1),
    "std": lambda x: x.std(axis=0),
    "dot": lambda x: x.dot(np.arange(3.0)),
    "conj": lambda x: x.conj(),
    "squeeze": lambda x: x.reshape(2, 1, 3).squeeze(1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(),
    "flatten F": lambda x: x.flatten("F"),
    "reshape of numbers": lambda x: x.reshape(3, 2),
    "reshape of a tuple": lambda x: x.reshape((3, 2)),
    "reshape -1": lambda x: x.reshape(-1),
    "reshape F": lambda x: x.reshape(3, 2, order="F"),
    "transpose": lambda x: x.transpose(),
    "transpose of numbers": lambda x: x.transpose(1, 0),
    "transpose of a tuple": lambda x: x.transpose((1, 0)),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "astype": lambda x: x.astype(np.float32),
    "astype by name": lambda x: x.astype("float64"),
    "astype complex": lambda x: x.astype(complex),
    "copy": lambda x: x.copy(),
    "abs": abs,
}


@cases(METHODS)
def test_methods_are_those_of_arrays(case):
    x = MATRIX
    expected = case(x)
    weights = np.arange(1.0, 1.0 + np.size(expected)).reshape(np.shape(expected))
    (_, value), gradient = value_and_grad(lambda x: (lambda y: (np.sum(y * weights).real, y))(case(x)), has_aux=True)(x)
    assert_identical(value, expected)
    assert_alike(gradient, x)
    rtol = 1e-7 if value.dtype == np.float32 else 1e-14
    assert_close(gradient, jax.grad(lambda x: jnp.sum(case(x) * weights).real)(x), rtol)
    np.testing.assert_array_equal(inside_twice(lambda t: stop_gradient(case(t)), x), expected)


@cases({
    "add": lambda x: np.add.reduce(x),
    "add over all": lambda x: np.add.reduce(x, axis=None),
    "add by position": lambda x: np.add.reduce(x, 1, None, None, True),
    "multiply": lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    "maximum": lambda x: np.maximum.reduce(x, axis=1),
    "minimum": lambda x: np.minimum.reduce(x),
})
def test_reductions_by_ufuncs(case):
    (_, value), gradient = value_and_grad(lambda x: (lambda y: (np.sum(y * y), y))(case(x)), has_aux=True)(MATRIX)
    assert_identical(value, case(MATRIX))
    steps = 1e-6 * np.eye(6).reshape(6, 2, 3)
    slope = [(np.sum(case(MATRIX + step) ** 2) - np.sum(case(MATRIX - step) ** 2)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, np.reshape(slope, (2, 3)), rtol=1e-6, atol=1e-6)


@INSIDE
@cases({
    "round": lambda x: x.round(),
    "round(1)": lambda x: x.round(1),
    "argmax": lambda x: x.argmax(),
    "argmin(axis)": lambda x: x.argmin(axis=0),
    "argsort": lambda x: x.argsort(),
    "all": lambda x: x.all(),
    "any(axis)": lambda x: x.any(axis=0),
    "astype(int)": lambda x: x.astype(int),
    "astype(bool)": lambda x: x.astype(bool),
    "item": lambda x: x.item(3),
    "item of a pair": lambda x: x.item(1, 2),
    "floor division": lambda x: x // 2,
    "np.round": lambda x: np.round(x, 1),
    "np.floor": lambda x: np.floor(x),
    "np.sign": lambda x: np.sign(x),
    "np.argmax": lambda x: np.argmax(x, axis=1),
    "np.isfinite": lambda x: np.isfinite(x),
    "np.nonzero": lambda x: np.nonzero(x > 0)[0],
    "np.greater": lambda x: np.greater(x, 1.0),
    "np.logical_and": lambda x: np.logical_and(x > 0, x),
    "np.array2string": lambda x: np.array2string(x),
})
def test_what_is_piecewise_constant_is_plain(case, inside):
    result = inside(case, MATRIX)
    assert type(result) is type(case(MATRIX))
    np.testing.assert_array_equal(result, case(MATRIX), strict=isinstance(result, np.ndarray))


@INSIDE
def test_methods_of_a_number(inside):
    for x in (2.4, np.float32(2.4), np.array(2.4)):
        assert inside(lambda t: int(t), x) == 2
        assert inside(lambda t: t.item(), x) == pytest.approx(2.4) and type(inside(lambda t: t.item(), x)) is float
        assert inside(lambda t: t.round(), x) == 2.0
        assert inside(lambda t: (t.sum() + t.mean() + t.max() - t.prod()).item(), x) == pytest.approx(4.8)
        assert inside(lambda t: (t.all(), t.argmax()), x) == (True, 0)
        assert inside(lambda t: (t.T.shape, t.real.shape, t.ravel().shape), x) == ((), (), (1,))
        assert inside(lambda t: (t.reshape(1, 1).shape, t.reshape(()).shape), x) == ((1, 1), ())
    assert inside(lambda t: (round(t), round(t, 1)), 2.44) == (2, 2.4)
    assert inside(lambda t: (round(t), round(t, 1)), np.float64(2.44)) == (2, 2.4)
    assert inside(lambda t: [10, 20, 30][t.astype(int)], 2.4) == 30
    assert inside(lambda t: np.arange(5)[t.astype(int)], 2.4) == 2


@INSIDE
@pytest.mark.parametrize("x", [2.5, np.float64(2.5), np.float32(2.5)], ids=["float", "np.float64", "np.float32"])
def test_constants_have_the_dtype_that_numpy_gives_them(x, inside):
    for fun in (np.floor, np.sign, np.rint, lambda x: x // 1.0, np.round):
        result = inside(fun, x)
        assert type(result) is (float if type(x) is float else type(x))
        assert result == fun(x)


@INSIDE
def test_attributes_that_do_not_exist(inside):
    for call, message in (
        (lambda t: t.foo, "no attribute 'foo'"),
        (lambda t: t.sort(), r"np.sort\(t\)"),
        (lambda t: t.fill(0.0), "no attribute 'fill'"),
        (lambda t: t.strides, "no attribute 'strides'"),
        (lambda t: t.resize(3), "no attribute 'resize'"),
        (lambda t: setattr(t, "foo", 1), "foo"),
        (lambda t: setattr(t, "shape", (3, 1)), "shape"),
    ):
        with pytest.raises(AttributeError, match=message):
            inside(call, VECTOR)
    assert inside(lambda t: getattr(t, "foo", 5), VECTOR) == 5


# ---- What would drop the derivative ---------------------------------------------------------------------------------


def assigned(t):
    a = np.zeros(3)
    a[0] = t


def assigned_all(t):
    a = np.zeros(3)
    a[:] = t


def assigned_where(t):
    a = np.zeros(3)
    a[a == 0] = t


CONVERSIONS = {
    "np.asarray": (np.asarray, "np.stack"),
    "np.array": (np.array, "np.stack"),
    "np.array of a list": (lambda t: np.array([t, t]), "np.stack"),
    "np.array of a list, dtype": (lambda t: np.array([t], dtype=float), "np.stack"),
    "np.array of a nested list": (lambda t: np.array([[t, 1.0], [2.0, t]]), "np.stack"),
    "np.asanyarray": (np.asanyarray, "np.stack"),
    "np.ascontiguousarray": (np.ascontiguousarray, "np.stack"),
    "np.sum of a list": (lambda t: np.sum([t, t]), "np.stack"),
    "np.sin of a list": (lambda t: np.sin([t, t]), "np.stack"),
    "t + [t]": (lambda t: t + [t], "np.stack"),
    "np.float64": (np.float64, "np.stack"),
    "np.full": (lambda t: np.full(3, t), "minigrad.numpy"),
    "np.full_like": (lambda t: np.full_like(np.ones(3), t), "np.stack|np.full_like"),
    "np.copyto": (lambda t: np.copyto(np.zeros(3), t), "np.where"),
    "np.put": (lambda t: np.put(np.zeros(3), 0, t), "np.where"),
    "np.place": (lambda t: np.place(np.zeros(3), [True] * 3, t), "np.where"),
    "np.putmask": (lambda t: np.putmask(np.zeros(3), [True] * 3, t), "np.where"),
    "np.fill_diagonal": (lambda t: np.fill_diagonal(np.zeros((3, 3)), t), "zeros_like"),
    "array[0] =": (assigned, "zeros_like"),
    "array[:] =": (assigned_all, "zeros_like"),
    "array[mask] =": (assigned_where, "zeros_like"),
    "array.fill": (lambda t: np.zeros(3).fill(t), "zeros_like"),
    "array.put": (lambda t: np.zeros(3).put(0, t), "zeros_like"),
    "np.fromiter": (lambda t: np.fromiter([t], float), "np.sin"),
    "np.arange": (lambda t: np.arange(t), "np.stack"),
    "np.vectorize": (lambda t: np.vectorize(lambda a: a * a)(t), "np.stack"),
    "random": (lambda t: np.random.default_rng(0).normal(t), "np.stack"),
    "array[t]": (lambda t: np.arange(3.0)[t], "np.stack"),
    "float": (float, "t.item()"),
    "complex": (complex, r"t \+ 0j"),
    "math.sin": (math.sin, "np.sin"),
    "math.sqrt": (math.sqrt, "np.sin"),
    "math.floor": (math.floor, "np.sin"),
    "math.isnan": (math.isnan, "np.sin"),
    "math.fsum": (lambda t: math.fsum([t]), "np.sin"),
    "statistics.fmean": (lambda t: statistics.fmean([t]), "np.sin"),
    "array.array": (lambda t: array.array("d", [t]), "np.sin"),
    "%.2f": (lambda t: "%.2f" % t, "item"),
    "tolist": (lambda t: t.tolist(), r"list\(t\)"),
    "pickle": (pickle.dumps, "stop_gradient"),
}


@INSIDE
@cases(CONVERSIONS)
@pytest.mark.parametrize("x", [1.0, np.float32(1), np.array(1.0), VECTOR], ids=["float", "np.float32", "0-d", "array"])
def test_conversions_are_refused(case, x, inside):
    convert, remedy = case
    with pytest.raises((TypeError, NotImplementedError), match=remedy):
        inside(convert, x)


@cases({
    "json": json.dumps,
    "range": range,
    "index of a list": lambda t: [1.0, 2.0][t],
    "operator.index": operator.index,
    "memoryview": memoryview,
    "bytes": bytes,
    "math.trunc": math.trunc,
    "Fraction": fractions.Fraction,
    "Decimal": decimal.Decimal,
})
def test_what_has_no_meaning_is_a_type_error(case):
    for x in (1.0, np.array(1.0), VECTOR):
        with pytest.raises(TypeError):
            inside(case, x)


def test_deleting_an_element():
    with pytest.raises((TypeError, AttributeError)):
        inside(lambda t: t.__delitem__(0), VECTOR)

    def f(t):
        del t[0]

    with pytest.raises((TypeError, AttributeError)):
        inside(f, VECTOR)


def test_the_error_for_an_assignment_shows_the_line():
    """NumPy hides our error behind its own, "setting an array element with a sequence"."""

    def f(x):
        a = np.zeros(3)
        a[0] = x  # this line
        return a.sum()

    for function in (f, lambda x: grad(f)(x)):
        with pytest.raises(TypeError, match="zeros_like") as caught:
            grad(function)(1.0)
        assert "# this line" in "".join(traceback.format_exception(caught.value))


@cases({
    "function": (lambda t: np.packbits(t), NotImplementedError, r"np\.packbits.*minigrad\.defvjp\(np\.packbits"),
    "ufunc": (lambda t: np.spacing(t), NotImplementedError, r"np\.spacing.*minigrad\.defvjp"),
    "method of a ufunc": (lambda t: np.nextafter.reduce(t), NotImplementedError, r"np\.nextafter\.reduce"),
    "np.add.at": (lambda t: np.add.at(np.zeros(3), [0], t), (NotImplementedError, TypeError), "np.add.at"),
    "a list of Tensors": (lambda t: np.packbits(np.stack([t, t])), NotImplementedError, "np.packbits"),
})
@INSIDE
def test_operations_without_a_rule(case, inside):
    call, error, message = case
    with pytest.raises(error, match=message):
        inside(call, VECTOR)


def test_the_error_of_a_function_without_rule_shows_the_line():
    def f(x):
        return np.packbits(x).sum()  # this line

    with pytest.raises(NotImplementedError) as caught:
        grad(f)(VECTOR)
    assert any("# this line" in str(entry.statement) for entry in caught.traceback)


def test_functions_of_scipy_without_rule_are_named():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(NotImplementedError, match="pbvv"):
        grad(lambda x: special.pbvv(1.0, x)[0])(1.0)


def test_integers_and_detached_values_have_no_derivative():
    assert grad(lambda x: x * int(x) + x * bool(x) + x * x.item() + x * stop_gradient(x))(2.0) == 2 + 1 + 2 + 2
    assert grad(lambda x: x * round(x) + x * np.floor(x) + x * (x // 1.0))(2.4) == 6.0
    assert grad(lambda x: x * stop_gradient({"a": [x, 3.0]})["a"][0])(2.0) == 2.0
    assert grad(lambda x: np.where(x, x * 2.0, 5.0))(3.0) == 2.0
    assert stop_gradient(3.0) == 3.0 and stop_gradient(VECTOR) is VECTOR


# ---- Tensors that outlive their gradient ----------------------------------------------------------------------------

USES = {
    "t + 1": lambda t: t + 1,
    "1 - t": lambda t: 1 - t,
    "t * t": lambda t: t * t,
    "-t": lambda t: -t,
    "t ** 2": lambda t: t**2,
    "array * t": lambda t: np.ones(3) * t,
    "np.sin": np.sin,
    "np.sum": np.sum,
    "t.sum()": lambda t: t.sum(),
    "t.mean()": lambda t: t.mean(),
    "t[...]": lambda t: t[...],
    "np.stack": lambda t: np.stack([t, t]),
    "np.modf": np.modf,
    "t.astype": lambda t: t.astype(np.float32),
    "t.reshape": lambda t: t.reshape(-1),
    "with a Tensor that lives": lambda t: grad(lambda x: (x * t).sum())(2.0),
    "as a constant of another gradient": lambda t: grad(lambda x: x + t * 0.0)(2.0),
    "as an argument of another gradient": lambda t: grad(lambda x: (x * x).sum())(t),
    "returned by another gradient": lambda t: grad(lambda x: t.sum())(2.0),
    "as aux of another gradient": lambda t: grad(lambda x: (x, t), has_aux=True)(2.0),
}


@cases(USES)
@pytest.mark.parametrize("x", [2.0, VECTOR], ids=["float", "array"])
def test_a_tensor_cannot_be_used_after_its_gradient(case, x):
    escaped = []
    grad(lambda t: (escaped.extend([t, t * 2.0]), t.sum())[1])(x)
    for tensor in escaped:
        with pytest.raises((RuntimeError, TypeError), match="ended|escaped"):
            case(tensor)
    assert grad(lambda x: x * x)(3.0) == 6.0


@cases(USES)
def test_a_tensor_of_an_inner_gradient_cannot_be_used_in_the_outer_one(case):
    def f(x):
        box = []

        def inner(y):
            box.append(y * y * x)
            return y * x

        return grad(inner)(3.0) * np.sum(case(box[0]))

    with pytest.raises((RuntimeError, TypeError), match="ended|escaped"):
        grad(f)(2.0)


def test_an_outer_tensor_may_pass_through_an_inner_function():
    def f(x):
        box = []

        def inner(y):
            box.append(x * 2)
            return y * x

        return grad(inner)(3.0) * box[0]

    assert grad(f)(2.0) == 8.0
