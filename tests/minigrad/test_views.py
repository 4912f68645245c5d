"""Views and writes: the same program run by NumPy's arrays and by Tensors, whatever the layout of the argument in memory."""

import warnings

import numpy as np
import pytest

import minigrad
from minigrad import checkpoint, grad, value_and_grad
from minigrad.views import innermost

from .support import assert_close, differences

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
        return other
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
    ours, program.refused = program.refused, {}
    program(lay(X.copy()))
    assert set(program.refused) <= set(ours), (program.refused, ours)
    program.refused = ours
    np.testing.assert_allclose(value, program(lay(X.copy())), rtol=1e-12, err_msg=str((program.done, ours)))
    slope = differences(lambda x: program(lay(x)), X, V)
    assert_close((gradient * V).sum(), slope, 1e-7, str((program.done, ours)))
    if second:
        slope = differences(lambda x: grad(program)(lay(x)), X, V)
        assert_close(grad(lambda x: (grad(program)(x) * V).sum())(x), slope, 1e-6, str((program.done, ours)))
    return {i: reason for i, reason in ours.items() if i not in program.refused}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_programs(layout):
    for seed in range(25):
        check(Program(seed, 20), LAYOUTS[layout])
