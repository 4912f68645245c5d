"""The pieces of work that are interrupted, or done in many threads. Each returns numbers, which are the same each time.

Together they use everything that keeps something for later: rules, short ways and plans at their first use, SciPy's
functions, levels, views, copies of arrays, and the second run that finds the line of an error.
"""

import numpy as np
import scipy.special

from minigrad import (
    checkpoint,
    custom_vjp,
    defvjp,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    primitive,
    stop_gradient,
    tree,
    value_and_grad,
    vjp,
)

X = np.array([0.3, 0.7, 1.1, 0.2])
M = np.array([[2.0, 0.3, 0.1, 0.0], [0.4, 3.0, 0.2, 0.1], [0.0, 0.5, 2.5, 0.3], [0.1, 0.2, 0.0, 1.5]])
LARGE = np.linspace(0.1, 1.0, 4000)  # from 16 KiB on, the copies are shared
P = {"w": [X.copy(), 0.5], "b": {"c": np.array(2.0)}}


def elementwise():
    def f(x):
        return np.sum(np.sin(x) * np.exp(-x) + np.tanh(x) / np.sqrt(x) - np.hypot(x, 2.0) ** 3 + abs(-x) @ x)

    return grad(f)(X)


def numbers():
    return grad(lambda x: (2.0 * x - x / 3.0) ** 2 + x**0.5 + (1.0 - x) * (x % 0.2) + 2.0**x + np.arctan2(x, 0.5))(0.7)


def options():
    def f(x):
        y = np.reshape(x, (2, 2))
        y = y.sum(axis=0) + np.mean(y, axis=1, keepdims=True) + np.max(y, axis=-1)
        return np.var(y, ddof=1) + np.cumsum(y, 0)[1, 0] + np.linalg.norm(y) + y.T.ravel()[::2].std()

    return grad(f)(X)


def matrices():
    def f(m, x):
        a = m @ x + np.einsum("ij,j->i", m, x)
        return np.linalg.solve(m, a) @ np.linalg.inv(m) @ x + np.linalg.det(m) + np.linalg.eigvalsh(m @ m.T).sum()

    return grad(f, argnums=(0, 1))(M, X)


def several_results():
    def f(x):
        a, b = np.split(x, 2)
        joined = np.concatenate([a, b * b, np.stack([a, b])[1]])
        return joined.prod() + np.fft.ifft(np.fft.fft(x) ** 2).real[1] + np.sort(x)[0]

    return grad(f)(X)


def special_functions():
    s = scipy.special

    def f(x):
        return np.sum(s.erf(x) * s.gammaln(x) + s.expit(x) - s.jv(1.5, x) + s.i1e(x) + s.xlogy(x, x) + s.zeta(2.5, x))

    return grad(f)(X)


def ufunc_methods():
    def f(x):
        return np.sum(np.multiply.outer(x, x)) + np.hypot.reduce(x) + np.maximum.accumulate(x)[2] + np.add.reduce(x)

    return grad(f)(X)


def writes():
    def f(x):
        y = np.zeros_like(x, shape=(3, 4))
        row = y[1]
        y[0] = x
        y[1:, ::2] = x[:2] * 3.0
        row += x
        y[0, 1] *= x[2]
        np.add.at(y, ([0, 0], [1, 1]), x[:2])
        np.multiply(x, x, out=row, where=X > 0.5)
        return (y * y).sum() + (row * M[0]).sum()

    return grad(f)(X)


def large_arrays():
    def f(w):
        y = LARGE * w[0] + LARGE * LARGE
        return np.mean((y - w[1] * LARGE) ** 2) + (w[2] * LARGE).max()

    return grad(f)(X)


def nested():
    return grad(lambda x: x * grad(lambda y: np.sin(x * y) * grad(lambda z: z**3 * y)(x))(0.5))(0.7)


def second_derivatives():
    second = hessian(lambda x: np.sum(np.exp(x) * x[::-1]) + x[0] * x[1])(X[:2])
    return second, jacfwd(jacrev(lambda p: p["a"] ** 3))({"a": 2.0})


def forwards():
    y, push = linearize(lambda x: np.tanh(M @ x), X)
    tangent = jvp(lambda p: {"a": np.sin(p[0]) * p[1]}, ((X, 0.5),), ((X, 1.0),))
    return y, push(X), push(2 * X), tangent, vjp(np.cosh, X)[1](X)


def checkpoints():
    layer = checkpoint(lambda x, m: {"y": np.tanh(m @ x)})
    return grad(lambda x: layer(layer(x, M)["y"], M * x)["y"].sum())(X), jvp(lambda x: layer(x, M), (X,), (X,))


def own_derivatives():
    @custom_vjp
    def f(p):
        return p["a"] * p["b"]

    f.defvjp(lambda p: (p["a"] * p["b"], p), lambda p, g: ({"a": 3.0 * g * p["b"], "b": g * p["a"]},))

    @primitive
    def cube(x):
        return x**3

    defvjp(cube, x=lambda g, x: 3 * g * np.square(x))
    return grad(lambda x: np.sum(f({"a": x, "b": x[::-1]}) + cube(x)) + stop_gradient(x)[0] * x[1])(X), grad(grad(cube))(2.0)


def containers():
    def f(p):
        return p["b"]["c"] * (p["w"][0] ** 2).sum() * p["w"][1]

    value, gradient = value_and_grad(f)(P)
    return value, tree.leaves(gradient), grad(lambda x, *, k: (x * k).sum(), argnames=("x", "k"))(X, k=2.0)


@primitive
def broken(x):
    return x * 1.0


defvjp(broken, x=lambda g: g["no"])


def errors():
    """What fails: in the backward pass, which runs the function again to find the line; in the function; in a check."""
    texts = []
    for call in (
        lambda: grad(lambda x: broken(np.sin(x) * x).sum())(X),
        lambda: vjp(lambda x: broken(x) * 2.0, X)[1](X),
        lambda: grad(lambda x: np.packbits(x))(X),
        lambda: grad(lambda x: x.item(0))(X),
        lambda: grad(lambda x: np.array([x[0], 1.0]))(X),
        lambda: grad(checkpoint(lambda x: (x / {}["a"]).sum()))(X),
        lambda: jacrev(lambda x: x + np.ones(3))(X),
    ):
        try:
            call()
        except (TypeError, KeyError, ValueError, NotImplementedError, IndexError) as error:
            texts.append(f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}")
    return texts


PIECES = [
    elementwise, numbers, options, matrices, several_results, special_functions, ufunc_methods, writes, large_arrays, nested,
    second_derivatives, forwards, checkpoints, own_derivatives, containers, errors,
]


def exactly(value):
    """The value as text, to the last bit."""
    if isinstance(value, dict):
        return {key: exactly(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [exactly(member) for member in value]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, value.tobytes().hex()]
    return f"{type(value).__name__} {value!r}"


def surroundings():
    """What belongs to the user, and must stay as it is."""
    arrays = [X, M, LARGE, *tree.leaves(P)]
    flags = [(a.flags.writeable, a.flags.owndata) for a in arrays if isinstance(a, np.ndarray)]
    return [exactly(arrays), flags, str(tree.structure(P)), [id(leaf) for leaf in tree.leaves(P)], np.geterr()]
