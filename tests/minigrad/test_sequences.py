"""Tuples and lists where NumPy makes an array of them: in every function, beside each argument that is differentiated."""

import operator

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import Tensor, grad
from minigrad.operands import TensorConversionError

from .support import cases
from .test_surface import CALLS, NOT_DISPATCHED, D, find


def plain(value):
    """A value without what marks it as differentiated."""
    if isinstance(value, D):
        return value.through(value.value)
    return type(value)(map(plain, value)) if isinstance(value, (list, tuple)) else value


def nested(array, kind):
    return kind(nested(row, kind) for row in array) if np.ndim(array) else array.item() if hasattr(array, "item") else array


def total(y):
    """The sum of all elements of all results, each with a weight of its own."""
    if isinstance(y, (list, tuple)):
        return sum(map(total, y))
    products = y * np.cos(np.arange(np.size(y)).reshape(np.shape(y)))
    return np.sum(np.real(products)) + (np.sum(np.imag(products)) if np.result_type(y).kind == "c" else 0)


def surface():
    """For each function: which argument is a sequence, and which are differentiated. Both are keys of a call's arguments."""
    for name, calls in CALLS.items():
        fun = find(mnp if name in NOT_DISPATCHED else np, name)
        for i, call in enumerate(calls if fun is not None else ()):
            given = dict(enumerate(call.args)) | call.kwargs
            arrays = [key for key, value in given.items() if isinstance(value, (D, np.ndarray))]
            for key in arrays:
                others = [other for other in arrays if other != key and isinstance(given[other], D)]
                if others:
                    yield pytest.param(fun, call, given, key, others, id=f"{name}-{i}-{key}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fun, call, given, key, others", list(surface()))
def test_a_sequence_is_what_numpy_takes_it_for(fun, call, given, key, others):
    array = np.asarray(plain(given[key]))
    values = [given[other].value for other in others]
    directions = [np.cos(np.asarray(value).real + 1) for value in values]

    def loss(argument):
        def f(values):
            new = {k: plain(v) for k, v in given.items()} | {key: argument}
            new |= {other: given[other].through(value) for other, value in zip(others, values)}
            y = fun(*(new[k] for k in new if isinstance(k, int)), **{k: v for k, v in new.items() if isinstance(k, str)})
            return total(y if call.only is None else y[call.only])

        return f

    for kind in (tuple, list):
        try:
            loss(nested(array, kind))(values)
        except Exception:
            continue  # NumPy does not take it
        for derivative in (grad, lambda f: grad(lambda v: sum(total(a * b) for a, b in zip(grad(f)(v), directions)))):
            found, expected = derivative(loss(nested(array, kind)))(values), derivative(loss(array))(values)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-13)
                assert type(one) is type(other) and np.result_type(one) == np.result_type(other)


V, M = np.array([1.2, 0.7, 2.1]), np.array([[2.0, 1.0, 0.3], [0.4, 3.0, 0.1], [0.2, 0.5, 1.7]])


def written(t, s):
    y = t + 0
    y[:2] = s((1.0, 2.0))
    return y * y


def added_at(t, s):
    y = t + 0
    np.add.at(y, [0, 1, 1], s((5.0, 6.0, 7.0)))
    return y * y


# Other forms of calls. `s` makes an array of a tuple, or leaves it a tuple, or makes lists of it.
FORMS = {
    "insert, two": (lambda t, s: np.insert(t, s((0, 1)), s((5, 6))), V),
    "insert along an axis": (lambda t, s: np.insert(t, 1, s((5.0, 6, 7)), axis=1), M),
    "solve, several": (lambda t, s: np.linalg.solve(t, s(((1.0, 2), (2, 1), (3, 0)))), M),
    "dot, method": (lambda t, s: t.dot(s((1.0, 2, 3))), V),
    "interp, by keyword": (lambda t, s: np.interp(t, xp=s((0.0, 1, 2)), fp=s((1.0, 3, 2))), V),
    "average along an axis": (lambda t, s: np.average(t, 1, s((1.0, 2, 3))), M),
    "cov, fweights": (lambda t, s: np.cov(t, fweights=s((1, 2, 1))), M),
    "histogram": (lambda t, s: np.histogram(s((0.1, 0.5, 0.9)), s((0.0, 0.5, 1.0)), weights=t)[0], V),
    "gradient": (lambda t, s: np.gradient(t, s((0.0, 1, 3))), V),
    "diff": (lambda t, s: np.diff(t, prepend=s((0.0,)), append=s((1.0, 2.0))), V),
    "polyfit": (lambda t, s: np.polyfit(s((0.0, 1, 3)), t, 1, w=s((1.0, 2, 1))), V),
    "pad": (lambda t, s: np.pad(t, s((1, 2)), constant_values=s((1.0, 2.0))), V),
    "reduceat": (lambda t, s: np.add.reduceat(t, s((0, 2))), V),
    "outer": (lambda t, s: np.multiply.outer(s((1.0, 2)), t), V),
    "at": (added_at, V),
    "write": (written, V),
    "mean, where=": (lambda t, s: t.mean(where=s((True, False, True))), V),
    "clip, method": (lambda t, s: t.clip(s((1.0, 1, 1)), None), V),
    "tensordot": (lambda t, s: np.tensordot(t, s(((1.0, 2), (3, 4), (5, 6))), 1), M),
    "linspace": (lambda t, s: np.linspace(s((0.0, 1, 2)), t, 4), V),
    "polydiv": (lambda t, s: np.polydiv(s((1.0, 2, 3, 4)), t), V),
    "setxor1d": (lambda t, s: np.setxor1d(t, s((1.0, 2, 0.7))), V),
    "transpose": (lambda t, s: np.transpose(t, s((1, 0))), M),
}


@cases(FORMS)
def test_other_forms(case):
    call, x = case

    def both(s):
        first = grad(lambda t: total(call(t, s)))
        return first(x), grad(lambda t: np.sum(first(t) ** 2))(x)

    expected = both(np.asarray)
    for s in (lambda sequence: sequence, lambda sequence: nested(np.asarray(sequence), list)):
        for found, wanted in zip(both(s), expected):
            np.testing.assert_allclose(found, wanted, rtol=1e-13)


X = np.array([1.2, 2.7])
SEQUENCES = {
    "list": [1.5, 2.0],
    "tuple": (1.5, 2.0),
    "integers": (2, 1),
    "nested lists": [[1.5, 2.0], [0.5, 3.0]],
    "nested tuples": ((1.5, 2.0), (0.5, 3.0)),
    "mixed": [(1.5, 2.0), [0.5, 3.0]],
    "NumPy's numbers": [np.float64(2.0), 1],
    "arrays": [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
    "one": [2.0],
}
OPERATORS = {name: getattr(operator, name) for name in "add sub mul truediv floordiv mod pow matmul lt ge eq ne".split()}
OPERATORS |= {"divmod": divmod} | {f"i{name}": getattr(operator, f"i{name}") for name in "add sub mul truediv mod pow".split()}


@pytest.mark.parametrize("name", OPERATORS)
@cases(SEQUENCES)
def test_operators(name, case):
    def both(other, x):
        results = []
        for call in (lambda t: OPERATORS[name](t + 0, other), lambda t: OPERATORS[name](other, t)):
            try:
                results.append(grad(lambda t: total(call(t)) + 0 * np.sum(t))(x))
            except ValueError:  # the shapes do not match
                results.append(None)
            if name[0] == "i":
                break  # ``sequence += t`` is not minigrad's
        return results

    for x in (X, X[:, None] * X, np.array(1.7), X.astype(np.float32)):
        for found, expected in zip(both(case, x), both(np.asarray(case), x), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_lists_of_tensors_are_refused():
    for call in (lambda t: [t[0], 2.0] * t, lambda t: np.dot(t, (t[0], 2.0)), lambda t: (t[1], 1.0) ** t):
        with pytest.raises(TensorConversionError, match="np.stack"):
            grad(lambda t: np.sum(call(t)))(X)


# ---- Methods --------------------------------------------------------------------------------------------------------

MATRIX, CUBE = np.arange(1.0, 7.0).reshape(2, 3) / 7, np.arange(1.0, 7.0).reshape(1, 2, 3) / 7
METHODS = {
    "transpose of a vector": (lambda t: t.transpose(0), X),
    "transpose of a vector, from the end": (lambda t: t.transpose(-1), X),
    "np.transpose of a vector": (lambda t: np.transpose(t, 0), X),
    "transpose by a NumPy integer": (lambda t: t.transpose(np.int64(1), np.int64(0)), MATRIX),
    "transpose by an array": (lambda t: t.transpose(np.array([1, 0])), MATRIX),
    "transpose by a tuple": (lambda t: t.transpose((2, 0, 1)), CUBE),
    "transpose of a number": (lambda t: t.transpose(()), np.array(0.3)),
    "clip from below": (lambda t: t.clip(0.4), MATRIX),
    "clip, min=": (lambda t: t.clip(min=0.4), MATRIX),
    "clip, max=": (lambda t: t.clip(max=0.4), MATRIX),
    "clip on both sides": (lambda t: t.clip(0.3, 0.6), MATRIX),
    "clip by lists": (lambda t: t.clip([0.3, 0.2, 0.1], (0.5, 0.6, 0.7)), MATRIX),
    "cumprod of a number": (lambda t: t.cumprod(0), np.array(0.3)),
    "repeat of a number": (lambda t: t.repeat(3, 0), np.array(0.3)),
    "take of a number": (lambda t: t.take([0, 0], -1), np.array(0.3)),
    "compress of a number": (lambda t: t.compress([True], 0), np.array(0.3)),
    "compress, all positional": (lambda t: t.compress([True, False], 0, None), MATRIX),
    "reshape by an array": (lambda t: t.reshape(np.array([3, 2])), MATRIX),
    "squeeze": (lambda t: t.squeeze((0,)), CUBE),
    "swapaxes": (lambda t: t.swapaxes(np.int64(0), -1), CUBE),
    "sum, all positional": (lambda t: t.sum(0, None, None, True), MATRIX),
    "max, all positional": (lambda t: t.max(1, None, True), MATRIX),
    "std, all positional": (lambda t: t.std(1, None, None, 1, True), MATRIX),
    "trace": (lambda t: t.trace(1, 0, 1), MATRIX),
    "diagonal": (lambda t: t.diagonal(0, 1, 0), MATRIX),
}


@cases(METHODS)
def test_methods_take_what_numpy_takes(case):
    method, x = case
    value = []

    def loss(t):
        y = method(t)
        value.append(y.value if isinstance(y, Tensor) else y)
        return total(y)

    gradient = grad(loss)(x)
    np.testing.assert_array_equal(value[0], method(x))
    assert np.shape(value[0]) == np.shape(method(x))
    for place in np.ndindex(x.shape):
        h = np.zeros_like(x)
        h[place] = 1e-6
        np.testing.assert_allclose(gradient[place], (total(method(x + h)) - total(method(x - h))) / 2e-6, rtol=1e-7, atol=1e-9)


def test_reshape_needs_a_shape():
    with pytest.raises(TypeError, match="argument"):
        grad(lambda t: t.reshape().sum())(np.array([1.0]))


def test_the_namespace_of_a_tensor_is_numpy():
    assert grad(lambda t: (t.__array_namespace__().sum(t)) * (t.__array_namespace__() is np))(X).tolist() == [1.0, 1.0]


def test_sliding_windows():
    x = np.arange(12.0).reshape(3, 4) + 1
    windows = np.lib.stride_tricks.sliding_window_view
    for shape, axis in ((2, 1), ((2, 3), None), ((2,), (0,)), ((2, 2), (1, 1))):
        def loss(t):
            return total(windows(t, shape, axis) ** 2)

        weights = np.cos(np.arange(windows(x, shape, axis).size)).reshape(windows(x, shape, axis).shape)
        expected = np.zeros_like(x)
        places = windows(np.arange(12).reshape(3, 4), shape, axis)
        np.add.at(expected.reshape(-1), places, weights * 2 * windows(x, shape, axis))
        np.testing.assert_allclose(grad(loss)(x), expected, rtol=1e-13)
        second = grad(lambda t: np.sum(grad(loss)(t) * t))(x)  # 2 x H x with a diagonal H
        np.testing.assert_allclose(second, 2 * expected, rtol=1e-13)


def test_masks_of_dtype_object():
    for n in (4, 5_000):
        x, mask = np.linspace(1, 2, n), np.arange(n) % 2 == 0
        uses = (lambda m, t: np.where(m, t, 0), lambda m, t: np.compress(m, t), lambda m, t: np.extract(m, t), lambda m, t: t[np.nonzero(m)])
        for use in uses:
            def twice(m):
                return lambda t: np.sum(use(m, t) * use(m, t * t))

            np.testing.assert_array_equal(grad(twice(mask.astype(object)))(x), grad(twice(mask))(x))
            second = [grad(lambda t: np.sum(grad(twice(m))(t)))(x) for m in (mask.astype(object), mask)]
            np.testing.assert_array_equal(*second)
        with pytest.raises(TypeError, match=r"np.multiply returned an array of dtype object.*x.astype\(float\)"):
            grad(lambda t: np.sum(t * mask.astype(object)))(x)


# ---- Python's numbers -----------------------------------------------------------------------------------------------


@cases({
    "b[()]": lambda b: b[()] ** 2,
    "b[...]": lambda b: b[...] ** 2,
    "b[None]": lambda b: np.sum(b[None] ** 2),
    "with an array": lambda b: np.sum(np.exp(b * X)),
    "b[()] with an array": lambda b: np.sum(b[()] * b * X),
    "reshape": lambda b: b.reshape(1)[0] * b,
})
def test_derivatives_of_a_python_number_are_python_numbers(case):
    """Of all orders, and by all transforms of it."""
    from minigrad import hessian, hvp, jacfwd, jacrev, vjp

    for derivative in (
        grad(case), grad(grad(case)), jacrev(grad(case)), jacfwd(grad(case)), hessian(case), grad(jacrev(case)),
        lambda b: hvp(case, (b,), (1.0,)), lambda b: (lambda y, back: back(y * 0 + 1)[0])(*vjp(case, b)),
    ):
        assert type(derivative(3.0)) is float
    assert type(grad(case)(np.array(3.0))) is np.ndarray
