"""Views and writes: the same program run by NumPy's arrays and by Tensors, whatever the layout of the argument in memory."""

import sys

import numpy as np
import pytest

import minigrad
from minigrad import checkpoint, grad, value_and_grad
from minigrad.arguments import Arguments
from minigrad.boundary import Options
from minigrad.graph import Observer
from minigrad.memory import innermost

from .support import assert_close, differences

grad_module = sys.modules["minigrad.grad"]

# ---- Arrays in memory -----------------------------------------------------------------------------------------------
# Each function takes an array, and returns one with the same elements that lies in another way in memory.


def with_gaps(x, step=2):
    """Every other element of a larger array, along each axis."""
    large = np.zeros([step * n for n in x.shape], x.dtype)
    part = large[tuple([slice(None, None, step)] * x.ndim)]
    part[...] = x
    return part


def column(x):
    large = np.zeros((*x.shape, 50), x.dtype)
    large[..., 7] = x
    return large[..., 7]


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "gaps": with_gaps,
    "gaps in F": lambda x: with_gaps(x.T).T,
    "backwards": lambda x: x[::-1].copy()[::-1],
    "all backwards": lambda x: np.flip(np.flip(x).copy()),
    "rows of a wider array": lambda x: np.concatenate([x, x], axis=-1)[..., : x.shape[-1]],
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "columns far apart": column,
    "F, backwards with gaps": lambda x: np.repeat(np.asfortranarray(x), 3, axis=-1)[..., ::-3][..., ::-1],
}

# ---- Functions that return views (some return copies, depending on the layout) --------------------------------------


def axis_of(y, rng):
    return int(rng.integers(y.ndim))


def some_slice(y, rng):
    index = []
    for n in y.shape:
        kind = rng.integers(6)
        start, stop = sorted(rng.integers(0, n + 1, 2).tolist())
        if kind == 0 and n:
            index.append(int(rng.integers(n)))
        elif kind == 1:
            index.append(slice(None, None, -1))
        elif kind == 2:
            index.append(slice(start, stop))
        elif kind == 3:
            index.append(slice(None, None, 2))
        else:
            index.append(slice(None))
    if rng.integers(3) == 0:
        index.insert(int(rng.integers(len(index) + 1)), None)
    if rng.integers(4) == 0:
        index[int(rng.integers(len(index))) :] = [...]
    return y[tuple(index)]


def any_reshape(y, rng):
    shapes = [(-1,), (y.size,), (1, -1), (-1, 1), (2, -1), (-1, 3), (3, 2), (2, 1, 3), (1, *y.shape), (*y.shape, 1)]
    shape = shapes[rng.integers(len(shapes))]
    order = "CFA"[rng.integers(3)]
    if (y.size == 0 and -1 in shape) or y.size % max(1, abs(np.prod(shape))):
        shape = (y.size,)
    elif -1 not in shape and np.prod(shape) != y.size:
        shape = (y.size,)
    return y.reshape(shape, order=order) if rng.integers(2) else np.reshape(y, shape, order=order)


def one_of(results, rng):
    results = list(results)
    return results[rng.integers(len(results))] if results else None


def flat_places(y, rng):
    if y.size:
        y.flat[int(rng.integers(y.size))] = 0.5
        y.flat[:2] = [0.25, 0.75]
    return y.flat[:3]


VIEWS = {
    "slice": some_slice,
    "slice of a slice": lambda y, rng: some_slice(some_slice(y, rng), rng),
    "ellipsis": lambda y, rng: y[...],
    "first": lambda y, rng: y[0],
    "last": lambda y, rng: y[..., -1],
    "new axis": lambda y, rng: y[None],
    "reshape": any_reshape,
    "ravel": lambda y, rng: y.ravel("CFAK"[rng.integers(4)]),
    "np.ravel": lambda y, rng: np.ravel(y, "CFAK"[rng.integers(4)]),
    "T": lambda y, rng: y.T,
    "transpose": lambda y, rng: np.transpose(y, rng.permutation(y.ndim).tolist()),
    "permute_dims": lambda y, rng: np.transpose(y, tuple(rng.permutation(y.ndim).tolist())),
    "swapaxes": lambda y, rng: y.swapaxes(axis_of(y, rng), axis_of(y, rng)),
    "moveaxis": lambda y, rng: np.moveaxis(y, axis_of(y, rng), axis_of(y, rng)),
    "rollaxis": lambda y, rng: np.rollaxis(y, axis_of(y, rng), axis_of(y, rng)),
    "flip": lambda y, rng: np.flip(y, axis_of(y, rng)),
    "flip all": lambda y, rng: np.flip(y),
    "fliplr": lambda y, rng: np.fliplr(y),
    "flipud": lambda y, rng: np.flipud(y),
    "rot90": lambda y, rng: np.rot90(y, int(rng.integers(4))),
    "squeeze": lambda y, rng: y.squeeze(),
    "expand_dims": lambda y, rng: np.expand_dims(y, axis_of(y, rng)),
    "atleast_1d": lambda y, rng: np.atleast_1d(y),
    "atleast_2d": lambda y, rng: np.atleast_2d(y),
    "atleast_3d": lambda y, rng: one_of(np.atleast_3d(y, y), rng),
    "split": lambda y, rng: one_of(np.split(y, 1, axis_of(y, rng)), rng),
    "array_split": lambda y, rng: one_of(np.array_split(y, int(rng.integers(1, 4)), axis_of(y, rng)), rng),
    "split at": lambda y, rng: one_of(np.split(y, [1, 2]), rng),
    "vsplit": lambda y, rng: one_of(np.vsplit(y, 1), rng),
    "hsplit": lambda y, rng: one_of(np.hsplit(y, [1]), rng),
    "dsplit": lambda y, rng: one_of(np.dsplit(y, 1), rng),
    "unstack": lambda y, rng: one_of(np.unstack(y, axis=axis_of(y, rng)) if hasattr(np, "unstack") else [y], rng),
    "iter": lambda y, rng: one_of(y, rng),
    "broadcast_arrays": lambda y, rng: one_of(np.broadcast_arrays(y), rng),
    "broadcast_arrays of two": lambda y, rng: one_of(np.broadcast_arrays(y[:-1], y[1:]), rng),
    "broadcast_arrays with more": lambda y, rng: one_of(np.broadcast_arrays(y, y[:1]), rng),
    "broadcast_to": lambda y, rng: np.broadcast_to(y, (2, *y.shape)),
    "meshgrid": lambda y, rng: one_of(np.meshgrid(y.ravel(), copy=False), rng),
    "sparse meshgrid": lambda y, rng: one_of(np.meshgrid(y[0], y[-1], copy=False, sparse=True), rng),
    "diagonal": lambda y, rng: y.diagonal(),
    "diagonal by einsum": lambda y, rng: np.einsum("ii->i", y[:2, :2]),
    "transpose by einsum": lambda y, rng: np.einsum("ij->ji", y),
    "real": lambda y, rng: y.real,
    "np.real": lambda y, rng: np.real(y),
    "imag": lambda y, rng: y.imag,
    "conj": lambda y, rng: y.conj(),
    "np.conj, a copy": lambda y, rng: np.conj(y),
    "view": lambda y, rng: y.view(),
    "astype": lambda y, rng: y.astype(y.dtype, order="CFAK"[rng.integers(4)], copy=bool(rng.integers(2))),
    "copy": lambda y, rng: y.copy("CFAK"[rng.integers(4)]),
    "np.copy": lambda y, rng: np.copy(y, "CFAK"[rng.integers(4)]),
    "flatten": lambda y, rng: y.flatten("CFAK"[rng.integers(4)]),
    "trim_zeros": lambda y, rng: np.trim_zeros(np.atleast_1d(y).ravel()),
    "flat": flat_places,
    "stop_gradient": lambda y, rng: 0.0 * minigrad.stop_gradient(y).ravel("K") + y.ravel("C"),
    "checkpoint, a view": lambda y, rng: checkpoint(lambda y: y[1:] if len(y) > 1 else y)(y),
    "checkpoint, two views": lambda y, rng: one_of(checkpoint(lambda a, b: (a, b[::-1]))(y, y[:1]), rng),
    "checkpoint, the order": lambda y, rng: checkpoint(lambda y: y.ravel("K") * 1.0)(y),
    "positive, a copy": lambda y, rng: +y,
    "indices, a copy": lambda y, rng: y[[0, 0]],
}

# ---- Writes ---------------------------------------------------------------------------------------------------------


def value_like(y, arrays, rng):
    kind = rng.integers(5)
    if kind == 0:
        return float(rng.normal())
    if kind == 1:
        return rng.normal(size=y.shape)
    other = arrays[rng.integers(len(arrays))]
    if kind == 2 and other.shape == y.shape and not (np.iscomplexobj(other) and not np.iscomplexobj(y)):
        return other if y.ndim > 1 else other * 1.0  # NumPy does not notice all overlaps of arrays of one axis
    total = np.sum(np.real(arrays[0])) * 0.1
    return total if kind == 3 else total + rng.normal(size=y.shape)


def assign(y, arrays, rng):
    y[...] = value_like(y, arrays, rng)


def assign_part(y, arrays, rng):
    i = int(rng.integers(len(y)))
    y[i] = value_like(y[i], arrays, rng)


def assign_slice(y, arrays, rng):
    y[1:] = value_like(y[1:], arrays, rng)


def add_to_part(y, arrays, rng):
    y[::2] += value_like(y[::2], arrays, rng)


def multiply(y, arrays, rng):
    y *= 0.5
    y += value_like(y, arrays, rng)


def write_out(y, arrays, rng):
    np.multiply(y, 0.7, out=y)


def mask(y, arrays, rng):
    y[np.arange(y.size).reshape(y.shape) % 2 == 0] *= 0.8


def numbers(y, arrays, rng):
    y[[0, -1]] = 0.3 * y[[-1, 0]]


def add_at(y, arrays, rng):
    np.add.at(y, [0, 0], 0.4)


def flat(y, arrays, rng):
    y.flat = value_like(y, arrays, rng)


def real(y, arrays, rng):
    y.real[...] = np.real(value_like(y, arrays, rng))


def imag(y, arrays, rng):
    y.imag[...] *= 0.5


WRITES = [assign, assign_part, assign_slice, add_to_part, multiply, write_out, mask, numbers, add_at, flat, real, imag]


def swap(y, arrays, rng):
    y[0], y[-1] = y[-1] * 1.0, y[0]


WRITES.append(swap)

# ---- Random programs ------------------------------------------------------------------------------------------------


class Program:
    """A random program of views and writes. It returns a number that depends on all arrays.

    A step that raises is left out, also when the program runs again: then `refused` says what is left out, and why.
    """

    def __init__(self, seed, steps, names=tuple(VIEWS)):
        self.seed, self.steps, self.names = seed, steps, names
        self.refused, self.done = {}, []

    def __call__(self, t):
        rng = np.random.default_rng(self.seed)
        arrays = [t, t * (1 + 0.5j) if rng.integers(4) == 0 else t * 1.0]
        self.done = []
        for i in range(self.steps):
            which, is_view, step = rng.random(), rng.integers(2), np.random.default_rng(rng.integers(1 << 40))
            if i in self.refused:
                continue
            y = arrays[int(which * len(arrays))]
            try:
                if is_view:
                    name = self.names[step.integers(len(self.names))]
                    result = VIEWS[name](y, step)
                    if isinstance(innermost(result), np.ndarray):  # not a number
                        arrays.append(result)
                elif np.ndim(y):
                    name = WRITES[step.integers(len(WRITES))]
                    name(y, arrays, step)
                else:
                    name = "y += u"
                    y += value_like(y, arrays, step)
            except (IndexError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
                self.refused[i] = f"{name} {error}"
            else:
                self.done.append((i, name, np.shape(y)))
        total = 0.0
        for i, y in enumerate(arrays):
            weights = np.cos(np.arange(1.0, 1 + np.size(y)) + i).reshape(np.shape(y))
            total = total + np.real(weights * (y * y * (1 - 0.3j) + 0.1 * y)).sum()
        return total


X = np.array([[0.5, -1.2, 1.7], [0.3, -0.8, 1.1]])
V = np.array([[0.7, 1.3, -0.4], [0.9, 1.1, -0.6]])


def check(program, lay, second=False):
    """Hold value and gradient of a program against NumPy's. A step that NumPy refuses has to be refused too."""
    x = lay(X.copy())
    value, gradient = value_and_grad(program)(x)
    ours = dict(program.refused)
    np.testing.assert_allclose(value, program(lay(X.copy())), rtol=1e-12, err_msg=str((program.done, ours)))
    assert program.refused == ours
    slope = differences(lambda x: program(lay(x)), X, V)
    assert_close((gradient * V).sum(), slope, 1e-7, str((program.done, ours)))
    if second:
        slope = differences(lambda x: grad(program)(lay(x)), X, V)
        assert_close(grad(lambda x: (grad(program)(x) * V).sum())(x), slope, 1e-6, str((program.done, ours)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_programs(layout):
    for seed in range(25):
        check(Program(seed, 20), LAYOUTS[layout])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_second_derivatives_of_random_programs(layout):
    """The inner gradient writes into Tensors whose values are Tensors of the outer call."""
    for seed in range(100, 106):
        check(Program(seed, 12), LAYOUTS[layout], second=True)


# ---- Programs of their own ------------------------------------------------------------------------------------------


def alike(body, x=X, layouts=("C", "F", "gaps", "all backwards")):
    """Hold a program that returns a list of arrays against NumPy, by value and by two derivatives, for several layouts."""

    def program(t):
        total = (t * t).sum()
        for i, y in enumerate(body(t)):
            weights = np.cos(np.arange(1.0, 1 + np.size(y)) + i).reshape(np.shape(y))
            total = total + np.real(weights * (y * y * (1 - 0.3j) + 0.1 * y)).sum()
        return total

    v = np.cos(np.arange(1.0, 1 + x.size)).reshape(x.shape)
    for layout in layouts if x.ndim else ["C"]:
        lay = LAYOUTS[layout]
        value, gradient = value_and_grad(program)(lay(x.copy()))
        np.testing.assert_allclose(value, program(lay(x.copy())), rtol=1e-13, err_msg=layout)
        assert_close((gradient * v).sum(), differences(lambda x: program(lay(x)), x, v), 1e-8, layout)
        second = grad(lambda x: (grad(program)(x) * v).sum())(lay(x.copy()))
        assert_close(second, differences(lambda x: grad(program)(lay(x)), x, v), 1e-7, layout)


def view_of_two_views(t):
    y = t.reshape(-1) * 1.0
    a, b = np.broadcast_arrays(y[0:3], y[1:4])
    y[2] = t[0, 0] ** 2
    first = a * b
    a *= t[1, 1]
    b += a[::-1]
    return [y, a, b, first]


def extent_that_follows_values(t):
    y = np.concatenate([np.zeros(2), t.reshape(-1)[:3], np.zeros(2)])
    part = np.trim_zeros(y)
    y[0] = t[0, 0]
    y[2:4] *= t[0, 1]
    part[-1] += 1.0
    y[3] = 0.0
    return [y, part]


def options_that_change_after_the_call(t):
    y = t * 1.0
    cuts, axes, shape = np.array([1, 2]), [1, 0], [3, 2]
    left, middle, right = np.split(y, cuts, axis=1)
    turned, other = np.transpose(y, axes), y.reshape(shape)
    cuts -= 1
    axes[:], shape[:] = [0, 1], [6, 1]
    middle *= t[0, 2]
    y[1] = t[0] ** 2
    turned[0] += 1.0
    return [y, left, middle, right, turned, other]


def an_index_of_objects(t):
    stop = np.array(2)
    y = t * 1.0
    part = y[:, slice(np.array(0), stop)]
    stop[...] = 1
    y += t[0, 0]
    part *= 2.0
    return [y, part]


def one_piece(t):
    y = t * 1.0
    (a,) = np.split(y, 1)
    (b,) = np.broadcast_arrays(y)
    (c,) = np.meshgrid(y[0], copy=False)
    (d,) = np.atleast_3d(y, y)[:1]
    y **= 2
    a[0] *= t[1, 0]
    b[1] += 1.0
    c -= t[1]
    d[0, 0, 0] = t[0, 1]
    return [y, a, b, c, d]


def rows_and_columns(t):
    y = t * 1.0
    rows, columns = list(y), list(y.T)
    for i, row in enumerate(rows):
        row *= t[0, i]
    for column in columns[::2]:
        column += t[0, 2]
    y[:, 1] = t[:, 0]
    rows[0][1] *= 3.0
    return [y, *rows, *columns]


def order_of_the_elements(t):
    y = t * 1.0
    results = [t.astype(float, order="C").ravel("K"), t.astype(float).ravel("K"), y.T.astype(float, order="F").ravel("K")]
    results += [y.astype(float, copy=False, order="F").ravel("K"), checkpoint(lambda t: t.ravel("K") * 1.0)(t)]
    results += [checkpoint(lambda t: t)(t).ravel("A") * 1.0, passed(t).ravel("K"), passed(t.T).ravel("K")]
    return results


@minigrad.custom_vjp
def passed(x):
    return x


passed.defvjp(lambda x: (x, None), lambda residuals, g: (g,))


def copies_where_numpy_copies(t):
    for flat in (t.ravel(), t.reshape(-1), t.ravel("K"), t.T.ravel("A"), t[:, :2].reshape(-1), t[::-1].ravel(), t.T.reshape(6)):
        flat[0] += t[1, 2]
        t[1, 1] *= 1.5
        yield flat


def arrays_of_no_axes(t):
    y = t[0, 0, ...].astype(float)
    z = y
    z += t[1, 1]
    part = t[1, 1, ...]
    part *= 2.0
    whole = y[...]
    whole[()] = t[0, 1]
    y[...] += 1.0
    return [y, z, part, whole]


def real_and_imaginary_parts(t):
    z = t * (1 + 2j)
    re, im, turned = z.real, z.imag[::-1], z.T
    re[...] = t**2
    im[0] *= 2.0
    z.imag += t
    z.real[0] = z.imag[0]
    turned[1] *= 1j * t[0, 0]
    z.imag = z.real * 0.5
    return [z, re, im, turned]


def one_element_after_the_other(t):
    y = t.T * 1.0
    taken = y.flat[1:3]
    y.flat[2] = t[0, 0] ** 2
    y.flat[3:] = t[1, :2]
    y.flat[[0, 1]] *= 2.0
    taken *= 10.0
    total = sum(x * x for x in y.flat) + np.sum(y.flat) + np.sin(y.flat)[0] + len(y.flat)
    y.T.flat = t[0, :2]
    return [y, taken, total]


def nothing_to_write(t):
    y = t * 1.0
    none, left = y[:0], y[1:1, ::-1]
    none += 1.0
    left[...] = 5.0
    y[:0] = 3.0
    y[0] = t[1]
    np.split(y, [0, 1])[0][...] = 2.0
    empty = np.zeros_like(t, shape=(0, 3))
    empty *= 2.0
    return [y, none.sum() + left.sum() + empty.sum()]


def views_far_from_the_array(t):
    y = np.zeros_like(t, shape=(4, 5, 6))
    view = y
    for _ in range(50):
        view = view.T[::-1]
    view[1:3, 2] = t[0, 0]
    y[1, :, ::2] += t[0]
    np.einsum("iij->ij", y[:, :4])[:, :3] *= 1.0 + t[1]
    np.add.at(y.reshape(-1)[::7], [0, 0, 3], t[0, 1])
    return [y, view]


BODIES = [
    view_of_two_views, extent_that_follows_values, options_that_change_after_the_call, an_index_of_objects, one_piece,
    rows_and_columns, order_of_the_elements, copies_where_numpy_copies, arrays_of_no_axes, real_and_imaginary_parts,
    one_element_after_the_other, nothing_to_write, views_far_from_the_array,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_programs(body):
    alike(body, layouts=LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stop_gradient_keeps_the_order_of_the_elements(layout):
    seen = []

    def f(t):
        for y in (t, t.T, t[:, ::-1], t * 1.0):
            for order in "CFAK":
                seen.append(minigrad.stop_gradient(y).ravel(order))
        return (t * t).sum()

    grad(f)(LAYOUTS[layout](X))
    n = len(seen)
    f(LAYOUTS[layout](X))
    np.testing.assert_array_equal(seen[:n], seen[n:])


def test_an_argument_of_no_axes():
    def body(t):
        y = t.astype(float)
        z = y
        z += t
        w = np.atleast_1d(y)
        w *= 3.0
        return [y, z, w]

    alike(body, np.array(0.7))


def test_a_leaf_with_large_gaps_takes_little_memory():
    x = np.broadcast_to(np.ones((1, 1000)), (4, 1000))
    large = np.zeros((1000, 1000))
    seen = []
    grad(lambda t: (seen.append(innermost(t)), (t * t).sum())[1])(large[:, 3])
    grad(lambda t: (seen.append(innermost(t)), (t * t).sum())[1])(x)
    assert seen[0].base.nbytes <= 2 * seen[0].nbytes and seen[0].strides == (16,)
    assert seen[1].strides == (0, 8) and not seen[1].flags.writeable


# ---- What is refused ------------------------------------------------------------------------------------------------


def writes_into_a_closure(y):
    def inner(z):
        y[0] *= 3.0
        return (z * z).sum()

    return checkpoint(inner)(y)


def into(y, value=1.0):
    y[...] = value
    return y


@pytest.mark.parametrize(
    "do, error, message",
    [
        (lambda y: np.random.default_rng(3).shuffle(y), NotImplementedError, "shuffle.*permutation"),
        (lambda y: np.random.RandomState(3).shuffle(y), NotImplementedError, "shuffle.*permutation"),
        (lambda y: into(np.broadcast_to(y, (2, 2, 3))), ValueError, "read-only"),
        (lambda y: into(np.broadcast_arrays(y[0], y)[0]), ValueError, "read-only"),
        (lambda y: into(np.meshgrid(y[0], y[1], copy=False)[0]), ValueError, "read-only"),
        (lambda y: into(np.diagonal(y)), ValueError, "read-only"),
        (lambda y: into(y.imag), ValueError, "read-only"),
        (lambda y: y.flat.__setitem__(slice(None), y[::-1]), NotImplementedError, "x.copy()"),
        (lambda y: checkpoint(into)(y), ValueError, "read-only"),
        (lambda y: checkpoint(lambda a, b: into(a, b))(y, y[::-1]), ValueError, "read-only"),
        (lambda y: checkpoint(lambda a, b: a.__imul__(b))(y, y), ValueError, "read-only|output array"),
        (writes_into_a_closure, NotImplementedError, "checkpointed function"),
    ],
)
@pytest.mark.filterwarnings("ignore:you are shuffling")
def test_what_is_refused_changes_nothing(do, error, message):
    def f(t):
        y = t * 1.0
        with pytest.raises(error, match=message):
            do(y)
        np.testing.assert_array_equal(minigrad.stop_gradient(y), X)
        return (y * y).sum()

    np.testing.assert_array_equal(grad(f)(X), 2 * X)
    np.testing.assert_array_equal(grad(lambda x: (grad(f)(x) * V).sum())(X), 2 * V)


def test_a_checkpointed_function_changes_the_callers_arrays_as_numpy_does():
    def layer(x, w):
        w *= 2.0
        return x * w

    w, expected = np.arange(3.0), np.arange(3.0) * 2
    np.testing.assert_array_equal(grad(lambda x: checkpoint(layer)(x, w).sum())(X[0]), expected)
    np.testing.assert_array_equal(w, expected)
    gradient = grad(lambda x: checkpoint(lambda x, w, v: (layer(x, w) * v).sum())(x, w, w[::-1]))(X[0])
    np.testing.assert_array_equal(w, expected * 2)
    np.testing.assert_array_equal(gradient, w * w[::-1])


def test_results_of_a_checkpoint_that_share_memory():
    def body(t):
        a, b, c, d = checkpoint(lambda x: [y := x * 2.0, y[:, 1:], y, x[0]])(t)
        a[0] *= t[1]
        b += 1.0
        c[1, 2] = t[0, 0]
        d *= 3.0
        return [a, b, c, d]

    alike(body)


# ---- Time -----------------------------------------------------------------------------------------------------------


class Counter(Observer):
    """An observer that counts the operations."""

    count = 0

    def recorded(self, *_):
        self.count += 1


def operations(f, x):
    counter = Counter()
    grad_module.differentiate(f, Arguments(f, 0, None), Options("grad"), False, (x,), {}, counter)
    return counter.count


@pytest.mark.parametrize(
    "parts",
    [list, lambda y: list(y.T), lambda y: np.split(y, len(y)), lambda y: np.array_split(y, 30), lambda y: np.vsplit(y, len(y)),
     lambda y: np.hsplit(y, 10), lambda y: [y[i : i + 1, 3:] for i in range(len(y))],
     lambda y: [y.reshape(-1)[i : i + 4] for i in range(0, 400, 4)], lambda y: [y.reshape(20, 2, 10)[i, :, ::2] for i in range(20)]],
    ids=["rows", "columns", "split", "array_split", "vsplit", "hsplit", "parts of rows", "parts of ravel", "blocks"],
)
def test_a_write_into_a_part_costs_nothing_for_the_other_parts(parts):
    x = np.cos(np.arange(400.0)).reshape(40, 10)

    def f(t, writes):
        y = t * 1.0
        for part in parts(y)[: writes * 100]:
            part *= 2.0
        return (y * y).sum()

    n = len(parts(x))
    added = operations(lambda t: f(t, 1), x) - operations(lambda t: f(t, 0), x)
    assert added <= 3 * n  # the product, the new value of the root, and the part of it if the product lies in another order
    y = x.copy()
    for part in parts(y):
        part *= 2.0
    np.testing.assert_allclose(grad(lambda t: f(t, 1))(x), 2 * y * y / x)


def test_a_write_into_every_fiftieth_element_costs_nothing_for_the_others():
    x = np.cos(np.arange(400.0))

    def f(t, writes):
        y = t * 1.0
        for part in [y[i::50] for i in range(50)][: writes * 50]:
            part *= 2.0
        return (y * y).sum()

    assert operations(lambda t: f(t, 1), x) - operations(lambda t: f(t, 0), x) <= 3 * 50
    np.testing.assert_allclose(grad(lambda t: f(t, 1))(x), 8 * x)
