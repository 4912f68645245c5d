"""Writing into Tensors: held against NumPy's own arrays, and against finite differences."""

import copy
import gc
import weakref

import jax
import numpy as np
import pytest

import minigrad
from minigrad import checkpoint, grad, hessian, jvp, value_and_grad, vjp
from minigrad.guards import EscapedTensorError
from minigrad.operands import TensorConversionError
from minigrad.tensor import Tensor

from .support import assert_close, differences

X = np.array([0.5, -1.2, 1.7, 0.3, -0.8, 1.1])
V = np.array([0.7, 1.3, -0.4, 0.9, 1.1, -0.6])


def check(program, x=X, v=V):
    """Hold the value of a program against NumPy's, and its first two derivatives against finite differences."""
    before = x.copy()
    value, gradient = value_and_grad(program)(x)
    np.testing.assert_array_equal(x, before)  # whatever the program writes, the caller's array stays as it is
    plain = program(x.copy())
    np.testing.assert_allclose(value, plain, rtol=1e-13)
    slope = differences(lambda x: program(x.copy()), x, v)
    assert_close(gradient @ v, slope, 1e-9)
    second = grad(lambda x: grad(program)(x) @ v)(x)
    assert_close(second, differences(lambda x: grad(program)(x), x, v), 1e-8)


def program(body):
    """A program that returns a number that depends on all that `body` returns, and on x itself."""

    def run(x):
        total = (x * x).sum()
        for i, result in enumerate(body(x)):
            weights = np.cos(np.arange(1.0, 1 + np.size(result)) + i).reshape(np.shape(result))
            total = total + (weights * result * result).sum() + (weights * result).sum()
        return total

    return run


# ---- Programs as people write them ----------------------------------------------------------------------------------


def build_from_zeros(x):
    y = np.zeros_like(x)
    y[0] = x[1]
    y[2:] += x[2:] ** 2
    y[2:] *= x[0]
    return [y]


def recurrence(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = np.tanh(y[i - 1]) * x[i] + y[i - 1]
    return [y]


def matrix_by_rows(x):
    y = np.zeros_like(x, shape=(3, 2))
    for i, row in enumerate(y):
        row += x[2 * i : 2 * i + 2]
        row *= x[i]
    return [y]


def heat(x):
    y = x.copy()
    for _ in range(3):
        y[1:-1] += 0.3 * (y[2:] - 2 * y[1:-1] + y[:-2])
    return [y]


def sum_in_a_loop(x):
    total = np.zeros_like(x)
    for i in range(4):
        total += np.sin(i * x)
    return [total]


def argument(x):
    x[0] = x[1] * x[2]
    x *= 2
    return [x]


def other_name(x):
    y = x * 1
    z = y
    z += x[::-1]
    return [y, z]


def fancy(x):
    y = np.ones_like(x)
    y[[0, 2, 2]] = x[:3] * x[3:]
    y[[1, 1, 4]] += x[:3]
    y[np.array([True, False, False, True, False, True])] *= x[:3]
    return [y]


def masked(x):
    y = x * 2
    y[y < 0] = 0
    y[x > 1] = x[x > 1] ** 3
    return [y]


def broadcast(x):
    y = np.zeros_like(x, shape=(2, 3))
    y[:] = x[:3]
    y[0] = x[4]
    y[:, 1] = x[:2].reshape(1, 2)
    y[1, 2:] = x[5:6].reshape(1, 1)
    y[..., None] *= x[2]
    return [y]


def plain_values(x):
    y = x * x
    y[0] = 3
    y[1:3] = np.array([1.5, 2.5])
    y[3:] = [1, 2, 3]
    y[-1] += 1
    return [y]


OPERATORS = {
    "+=": lambda y, x: y.__iadd__(x[:3]),
    "-=": lambda y, x: y.__isub__(x[:3]),
    "*=": lambda y, x: y.__imul__(x[:3]),
    "/=": lambda y, x: y.__itruediv__(x[:3]),
    "%=": lambda y, x: y.__imod__(np.abs(x[:3])),
    "**=": lambda y, x: y.__ipow__(x[:3]),
    "**= 2": lambda y, x: y.__ipow__(2),
    "+= a number": lambda y, x: y.__iadd__(x[0]),
    "-= an array": lambda y, x: y.__isub__(np.array([0.5, 1.5, 2.5])),
}

PROGRAMS = [
    build_from_zeros, recurrence, matrix_by_rows, heat, sum_in_a_loop, argument, other_name, fancy, masked, broadcast,
    plain_values,
]


@pytest.mark.parametrize("body", PROGRAMS, ids=lambda body: body.__name__)
def test_programs(body):
    check(program(body))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("through_a_view", [False, True], ids=["itself", "a view"])
def test_operators(name, through_a_view):
    def body(x):
        y = np.exp(x)
        part = y[1:4] if through_a_view else y[1:4].copy()
        result = OPERATORS[name](part, x)
        assert result is part
        return [y, part]

    check(program(body))


def test_matmul_and_floor_division_in_place():
    def body(x):
        y = x.reshape(2, 3) * 1
        y @= np.arange(9.0).reshape(3, 3)
        z = y.copy()
        z //= 0.75
        return [y, z]

    check(program(body))


# ---- Views ----------------------------------------------------------------------------------------------------------

VIEWS = {
    "slice": lambda y: y[1:3],
    "row": lambda y: y[1],
    "backwards": lambda y: y[::-1, ::2],
    "ellipsis": lambda y: y[..., 0],
    "new axis": lambda y: y[:, None, 1:],
    "an array of an integer": lambda y: y[np.int64(1)],
    "view of a view": lambda y: y[1:][0][1:],
    "T": lambda y: y.T,
    "T, slice": lambda y: y.T[1:],
    "slice, T, reshape": lambda y: y[:, 1:].T.reshape(2, 1, 2),
    "transpose": lambda y: np.transpose(y, (1, 0))[1],
    "swapaxes": lambda y: y.swapaxes(0, 1),
    "moveaxis": lambda y: np.moveaxis(y, 0, 1),
    "reshape": lambda y: y.reshape(3, 2),
    "reshape in Fortran's order, of which that is a copy": lambda y: y.reshape(3, 2, order="F"),
    "ravel": lambda y: y.ravel(),
    "ravel of the transpose, a copy": lambda y: y.T.ravel(),
    "flatten, a copy": lambda y: y.flatten(),
    "copy": lambda y: y.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "np.copy": np.copy,
    "positive": lambda y: +y,
    "astype, a copy": lambda y: y.astype(float),
    "astype without a copy, the array itself": lambda y: y.astype(float, copy=False),
    "np.astype without a copy": lambda y: np.astype(y, float, copy=False) if hasattr(np, "astype") else y,
    "view": lambda y: y.view(),
    "times one": lambda y: y * 1,
    "atleast_3d": np.atleast_3d,
    "atleast_1d, the array itself": np.atleast_1d,
    "real, of real numbers": np.real,
    "squeeze": lambda y: np.squeeze(y[:, :1]),
    "expand_dims": lambda y: np.expand_dims(y, 0),
    "flip": lambda y: np.flip(y, 0),
    "rot90": np.rot90,
    "split": lambda y: np.split(y, 2)[1],
    "hsplit": lambda y: np.hsplit(y, [1])[1],
    "diagonal by einsum": lambda y: np.einsum("ii->i", y[:, :2]),
    "array of indices, a copy": lambda y: y[[0, 1, 1]],
    "mask, a copy": lambda y: y[np.array([True, False])],
    "take, a copy": lambda y: np.take(y, [1, 0], axis=0),
    "repeat, a copy": lambda y: np.repeat(y, 2),
    "concatenate, a copy": lambda y: np.concatenate([y, y]),
}


@pytest.mark.parametrize("name", VIEWS)
def test_writing_into_a_view_writes_into_what_it_is_a_view_of(name):
    def body(x):
        y = x.reshape(2, 3) * 1
        other = y[:, 1]
        view = VIEWS[name](y)
        view *= x[2]
        view[...] = view * view + x[0]
        return [y, view, other]

    check(program(body))


@pytest.mark.parametrize("name", VIEWS)
def test_writing_into_an_array_writes_into_its_views(name):
    def body(x):
        y = x.reshape(2, 3) * 1
        view = VIEWS[name](y)
        y[1] = x[3:] * x[:3]
        between = view * 1
        y *= x[0]
        y[0, 1] += 1
        return [y, view, between]

    check(program(body))


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_what_has_been_written_into(name):
    def body(x):
        y = x.reshape(2, 3) * 1
        part = y[:, ::-1]
        part[1] = x[:3] ** 2
        view = VIEWS[name](part)
        view += x[4]
        part -= 1
        y[0] *= x[1]
        return [y, view, part]

    check(program(body))


def test_flat_is_a_view_whatever_the_layout():
    def body(x):
        y = (x.reshape(2, 3) * 1).T
        if isinstance(y, Tensor):
            part = y.flat
            part[1:3] = x[:2] ** 2
        else:
            y.flat[1:3] = x[:2] ** 2
        return [y]

    check(program(body))


def test_a_view_outlives_what_it_is_a_view_of():
    def body(x):
        a, b = (lambda y: (y[:4], y[2:]))(x * 1)
        a[3] = x[0]
        b[0] *= x[1]
        return [a, b]

    check(program(body))


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    """Thirty steps, each of which takes a view of an array, or writes into one."""

    def body(x):
        rng = np.random.default_rng(seed)
        arrays = [x * 1, x.reshape(2, 3) * 1]

        def value_like(shape):
            kind = rng.integers(4)
            if kind == 0:
                return float(rng.normal())
            if kind == 1:
                return rng.normal(size=shape)
            start = x[rng.integers(6)]
            return start * 0.9 if kind == 2 else start + rng.normal(size=shape)

        for _ in range(30):
            a = arrays[rng.integers(len(arrays))]
            shape, step = np.shape(a), rng.integers(7)
            if step <= 1 and len(shape) > 0:
                axis = rng.integers(len(shape))
                start, stop = sorted(rng.integers(0, shape[axis] + 1, 2))
                index = (slice(None),) * axis + (slice(start, stop, None) if rng.integers(2) else slice(None, None, -1),)
                arrays.append(a[index])
            elif step == 2:
                arrays.append([lambda a: a.T, lambda a: a.reshape(-1), lambda a: a[None], lambda a: a.copy()][rng.integers(4)](a))
            elif step == 3:
                a[...] = value_like(shape)
            elif step == 4 and len(shape) > 0 and shape[0] > 0:
                i = int(rng.integers(shape[0]))
                a[i] = value_like(shape[1:])
            elif step == 5 and len(shape) > 0 and shape[0] > 0:
                indices = rng.integers(0, shape[0], 3)
                a[indices] = a[indices] * 0.5 + value_like((3, *shape[1:]))
            else:
                a *= 0.7
                a += value_like(shape)
        return arrays

    check(program(body))


# ---- Under other transforms, and between levels ------------------------------------------------------------------------


def test_other_transforms():
    run = program(heat)
    tangent = jvp(run, (X,), (V,))[1]
    assert_close(tangent, grad(run)(X) @ V, 1e-13)
    assert_close(hessian(run)(X) @ V, grad(lambda x: grad(run)(x) @ V)(X), 1e-12)
    saved = grad(lambda x: checkpoint(run)(x * 1))(X)
    assert_close(saved, grad(run)(X), 1e-13)


def test_an_outer_value_changes_after_an_inner_derivative_has_used_it():
    def outer(x):
        y = x * 2
        slope = grad(lambda z: (y * z * z).sum())(x)
        y *= 10  # what the inner derivative has kept of y is not this
        return (slope * x).sum() + y.sum()

    np.testing.assert_allclose(grad(outer)(X), 12 * X**2 + 20)


def test_what_vjp_has_kept_does_not_change_with_what_it_gave():
    def outer(x):
        y, pull = vjp(np.exp, x)
        g = y * 1
        y *= 0
        (slope,) = pull(g)
        return slope.sum() + y.sum()

    np.testing.assert_allclose(grad(outer)(X), 2 * np.exp(2 * X))


def test_a_gradient_can_be_written_into():
    for inner in (lambda z, x: z.sum() * x.sum(), lambda z, x: (z * z).sum(), lambda z, x: z @ x):

        def outer(x):
            g = grad(inner)(x, x)
            g[0] = x[1]
            g += x
            return (g * g).sum()

        check(outer)


def test_an_argument_of_a_checkpoint_changes_later():
    def outer(x):
        y = x * 2
        square = checkpoint(lambda z: z * z)(y)
        y += 100
        return square.sum() + 0 * y.sum()

    np.testing.assert_allclose(grad(outer)(X), 8 * X)


def test_a_constant_becomes_a_value_of_an_inner_level_and_stays_there():
    def outer(x):
        y = np.zeros_like(x)

        def inner(z):
            y[0] = z[0]
            return (y * z).sum()

        grad(inner)(x)
        return y.sum()

    with pytest.raises(EscapedTensorError):
        grad(outer)(X)


def test_the_callers_arrays_and_leaves_stay_as_they_are():
    a, b = X.copy(), X.copy()

    def f(tree):
        tree["a"] *= 2
        tree["b"][0] = tree["a"][1]
        return (tree["a"] * tree["b"]).sum()

    gradient = grad(f)({"a": a, "b": b})
    np.testing.assert_array_equal((a, b), (X, X))
    np.testing.assert_allclose(gradient["a"], 2 * np.array([0, *X[1:]]) + 4 * np.array([0, X[0], 0, 0, 0, 0]) + 4 * X[1] * np.eye(6)[0])
    np.testing.assert_allclose(gradient["b"], 2 * np.array([0, *X[1:]]))


# ---- ufunc.at ---------------------------------------------------------------------------------------------------------

AT = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.logaddexp, np.arctan2]


@pytest.mark.parametrize("ufunc", AT, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("index", [[0, 2, 2, 1, 2], slice(0, 5), np.array([True, False, True, True, True, True])], ids=["repeated", "slice", "mask"])
def test_at(ufunc, index):
    def body(x):
        y = np.exp(x)
        view = y[::-1]
        ufunc.at(y, index, x[1:])
        ufunc.at(y, index, 1.5)
        return [y, view]

    check(program(body))


def test_at_in_more_dimensions_and_of_one_argument():
    def body(x):
        y = x.reshape(2, 3) * 1
        np.multiply.at(y, ([0, 1, 1], [2, 0, 0]), x[:3])
        np.power.at(y, (slice(None), [1, 1]), 2)
        np.sin.at(y, [0, 0])
        return [y]

    check(program(body))


def test_at_against_jax():
    i = np.array([0, 2, 2, 1])
    for name, in_jax in {"add": "add", "multiply": "multiply", "maximum": "max", "minimum": "min"}.items():
        if name != "multiply":  # JAX has no derivative of it with repeated indices

            def ours(x):
                y = x * 1
                getattr(np, name).at(y, i, x[2:] * 2)
                return (y * V).sum()

            expected = jax.grad(lambda x: (getattr((x * 1).at[i], in_jax)(x[2:] * 2) * V).sum())(X)
            np.testing.assert_allclose(grad(ours)(X), expected, rtol=1e-14)


# ---- out=, where= and dtype= of ufuncs ------------------------------------------------------------------------------

MASK = np.array([True, False, True, True, False, True])


def divide_where_it_can_be_divided(x):
    y = np.where(MASK, x, 0.0)
    return [np.divide(x[::-1], y, out=np.zeros_like(x), where=y != 0)]


def out_keeps_its_derivative(x):
    y = np.exp(x)
    view = y[2:]
    assert np.multiply(x, x[0], out=y, where=MASK) is y
    np.sin(x, out=y, where=x > 1)
    return [y, view]


def out_of_the_argument(x):
    y = x * 1
    np.exp(y, y)
    np.add(y, 1.5, out=y)
    np.floor(3 * x, out=y, where=x < 0)
    return [y]


def broadcast_mask(x):
    y = np.zeros_like(x, shape=(2, 3))
    np.power(np.exp(x[:3]), x[3:].reshape(3)[:1], out=y, where=np.array([[True], [False]]))
    np.add(x[0], x[1], out=y, where=np.array([False, True, False]))
    np.add(y, x[:3], out=y)
    return [y]


def without_out(x):
    return [np.add(x, x[0] * 2, where=MASK)[MASK], np.sin(0.5 * x, where=x > 0)[x > 0]]


@pytest.mark.filterwarnings("ignore:'where' used without 'out'")
@pytest.mark.parametrize(
    "body", [divide_where_it_can_be_divided, out_keeps_its_derivative, out_of_the_argument, broadcast_mask, without_out],
    ids=lambda body: body.__name__,
)
def test_keywords_of_ufuncs(body):
    check(program(body))


def test_dtype_of_a_ufunc():
    def f(x):
        y = np.multiply(x, 3, dtype=np.float32)
        assert y.dtype == np.float32
        return (y * y).sum()

    gradient = grad(f)(X)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 18 * X, rtol=1e-6)
    z = grad(lambda x: np.abs(np.exp(x, dtype=complex)).sum())(X)
    np.testing.assert_allclose(z, np.exp(X), rtol=1e-14)
    np.testing.assert_allclose(grad(lambda x: np.add(x, x, dtype=np.float32, where=MASK, out=np.zeros_like(x)).sum())(X), 2.0 * MASK)
    assert grad(lambda x: np.add(x, 0.5, where=True, out=None).sum())(X.astype(np.float32)).dtype == np.float32
    kept = np.add(X.astype(np.float32), 0.5, where=MASK, out=None).dtype
    seen = []
    grad(lambda x: (y := np.add(x, 0.5, where=MASK), seen.append(y.dtype))[0][MASK].sum())(X.astype(np.float32))
    assert seen == [kept] == [np.float32]


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda x: np.add(x, 1, out=np.zeros(6)), NotImplementedError, "plain array.*zeros_like"),
        (lambda x: np.divide(1, x, out=np.zeros(6), where=MASK), NotImplementedError, "np.divide.*plain array.*zeros_like"),
        (lambda x: np.add(x, 1, out=x[1:].copy()), ValueError, "broadcast"),
        (lambda x: np.add(x, 1, out=x[1:].copy(), where=MASK), ValueError, "broadcast"),
        (lambda x: np.add(x, 1j, out=x.copy()), TypeError, "complex128.*float64"),
        (lambda x: np.add(x, 1, dtype=int), TypeError, "np.add with dtype=int64 cannot take a float64"),
        (lambda x: np.modf(x, where=MASK), NotImplementedError, "np.modf.*where="),
        (lambda x: np.matmul(x, x, out=x.copy()), NotImplementedError, "np.matmul.*out="),
        (lambda x: np.add(x, 1, casting="unsafe"), NotImplementedError, "casting="),
        (lambda x: np.add(x, 1, order="F", where=MASK), NotImplementedError, "order=|where="),
        (lambda x: np.round(x, 1, out=x.copy()), NotImplementedError, "np.round cannot write into a Tensor"),
        (lambda x: np.round(x, 1, x.copy()), ValueError, "read-only"),
        (lambda x: np.argmax(x, 0, x.copy()), ValueError, "output array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_ufuncs_cannot_write_is_refused(do, error, message):
    with pytest.raises(error, match=message):
        grad(lambda x: do(x).sum())(X)


# ---- dtypes, numbers, errors --------------------------------------------------------------------------------------------


def test_the_dtype_of_the_array_stays():
    x = X.astype(np.float32)

    def f(x):
        y = x * 1
        y[0] = np.float64(1) * x[1].astype(np.float64)
        y += x.astype(np.float64)
        assert y.dtype == np.float32 and y[1:].dtype == np.float32
        return (y * y).sum()

    gradient = grad(f)(x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, grad(f_wide)(x.astype(float)), rtol=1e-6)


def f_wide(x):
    y = x * 1
    y[0] = x[1]
    y += x
    return (y * y).sum()


def test_complex_arrays():
    def body(x):
        z = x * (1 + 2j)
        z[0] = x[1]
        z[1:3] *= 1j * z[3:5]
        return [np.abs(z)]

    check(program(body))
    with pytest.raises(TypeError, match="imaginary parts"):
        grad(lambda x: _after(x * 1, lambda y: y.__setitem__(0, 1j * x[0])).sum())(X)
    with pytest.raises(TypeError, match="complex128.*float64"):
        grad(lambda x: _after(x * 1, lambda y: y.__iadd__(1j)).sum())(X)

    def parts(x):
        z = x * (1 + 2j)
        part, other = z.real, z.imag
        z[0] = x[2] * (3 - 1j)
        return [part, other]

    check(program(parts))

    def written_parts(x):
        z = x * (1 + 2j)
        z.real[1:3] = x[:2] ** 2
        z.imag += x[::-1]
        part = z.imag[::2]
        z[0] *= 2j * x[1]
        return [np.abs(z), part]

    check(program(written_parts))


def _after(y, do):
    do(y)
    return y


def test_numbers_get_a_new_value_and_arrays_of_no_axes_change():
    def f(x):
        y = x.sum()
        z = y
        y += 1
        return y * z

    np.testing.assert_allclose(grad(f)(X), 2 * X.sum() + 1)

    def g(x):
        y = x * 1
        z = y
        y += 1
        return y * z

    assert grad(g)(3.0) == 7.0
    assert grad(g)(np.float64(3.0)) == 7.0

    def h(x):
        y = np.zeros_like(x)
        z = y
        y += x
        y[...] += x
        return z * z

    check(lambda x: h(x[:1].reshape(())))


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda x, y: x.sum().__setitem__(..., 1.0), TypeError, "a number does not support item assignment"),
        (lambda x, y: y.__setitem__(10, 1.0), IndexError, "index 10 is out of bounds"),
        (lambda x, y: y.__setitem__(slice(2), np.ones(3)), ValueError, "could not broadcast"),
        (lambda x, y: y.__setitem__(slice(2), x[:3]), ValueError, "could not broadcast"),
        (lambda x, y: y.__iadd__(np.ones((2, 6))), ValueError, r"non-broadcastable output operand with shape \(6,\)"),
        (lambda x, y: y.__iadd__("a"), TypeError, "'str'"),
        (lambda x, y: y.__setitem__(0, "a"), ValueError, "could not convert"),
        (lambda x, y: y.__setitem__(slice(2), [x[0], x[1]]), TensorConversionError, "np.stack"),
        (lambda x, y: np.broadcast_to(y, (2, 6)).__setitem__(0, 1.0), ValueError, r"read-only.*t \+ 0"),
        (lambda x, y: np.diagonal(y.reshape(2, 3)).__iadd__(1.0), ValueError, r"read-only.*t \+ 0"),
        (lambda x, y: np.zeros(6).__setitem__(slice(None), x), TensorConversionError, "zeros_like"),
        (lambda x, y: np.zeros(6).__iadd__(x), NotImplementedError, "a = a \\+ t"),
        (lambda x, y: np.add.at(np.zeros(6), [0], x[0]), NotImplementedError, "np.add.at.*zeros_like"),
        (lambda x, y: np.copyto(y, x), TensorConversionError, r"t\[index\] = value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_written_is_refused_and_changes_nothing(do, error, message):
    def f(x):
        y = np.exp(x)
        view = y[1:]
        with pytest.raises(error, match=message):
            result = do(x, y)
            if result is NotImplemented:
                y += "a"
        np.testing.assert_array_equal(minigrad.stop_gradient(y), np.exp(X))
        return (y * y).sum() + view.sum()

    np.testing.assert_allclose(grad(f)(X), 2 * np.exp(2 * X) + np.exp(X) - np.exp(X) * np.eye(6)[0])


def test_arrays_to_write_into_have_no_derivative_of_their_own():
    for make in (np.zeros_like, np.ones_like, np.empty_like, lambda x: np.full_like(x, 2.0)):

        def f(x):
            y = make(x)
            assert type(y) is Tensor
            y[:3] = 1.0
            return (y[:3] * x[:3]).sum()

        np.testing.assert_allclose(grad(f)(X), [1, 1, 1, 0, 0, 0])
    assert type(value_and_grad(lambda x: (x.sum(), np.zeros_like(x, dtype=int)), has_aux=True)(X)[0][1]) is np.ndarray
    assert grad(lambda x: np.zeros_like(x).sum())(X).tolist() == [0.0] * 6


def test_nothing_is_left_for_the_garbage_collector():
    run = program(heat)
    run_by_rows = program(matrix_by_rows)
    gc.collect()
    gc.disable()
    try:
        for f in (run, run_by_rows):
            seen = []

            def watched(x):
                y = x * 1
                view = y.reshape(2, 3).T
                seen.append([weakref.ref(y), weakref.ref(view)])
                view += 1
                return f(y)

            grad(watched)(X)
            grad(lambda x: grad(watched)(x).sum())(X)
            assert [found() for pair in seen for found in pair] == [None] * 4
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_time_of_a_loop_is_that_of_its_copies():
    """Views that are gone are forgotten: a loop over rows keeps no list of all of them."""

    def f(x):
        y = np.zeros_like(x, shape=(50, 2))
        for i in range(500):
            y[i % 50] += x[:2]
        assert len(y.family) < 10
        return (y * y).sum()

    np.testing.assert_allclose(grad(f)(X), [*(50 * 2 * 100 * X[:2]), 0, 0, 0, 0])


def test_flat_of_an_array_without_axes():
    def f(x):
        x.flat[:] = 3 * x.flat[0]
        x.flat[0] += sum(x.flat)
        return x + 0

    assert f(np.array(0.5)) == 3.0
    value, slope = value_and_grad(f)(np.array(0.5))
    assert value == 3.0 and slope == 6.0


@pytest.mark.parametrize("make", [np.zeros_like, np.ones_like, np.empty_like, lambda x: np.full_like(x, 7.0), lambda x: np.full_like(x, x)])
@pytest.mark.parametrize("write", [
    lambda a, value: a.__setitem__(..., value),
    lambda a, value: a.ravel().__setitem__(0, value),
    lambda a, value: a.reshape(1, 1).__setitem__((0, 0), value),
    lambda a, value: a.__imul__(0).__iadd__(value),
], ids=["a", "ravel", "reshape", "operators"])
def test_arrays_like_a_python_number_can_be_written_into(make, write):
    """In NumPy they are arrays of no axes, so what is written into a view of one is in the array."""

    def f(x):
        a = make(x)
        if make is np.empty_like:
            a[()] = 1.0
        write(a, x**3)
        return a * x

    assert value_and_grad(f)(2.0) == (f(2.0), 32.0) and f(2.0) == 16.0
    assert grad(grad(f))(2.0) == 48.0
