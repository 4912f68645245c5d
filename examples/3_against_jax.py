"""The same gradients from minigrad and from JAX, number by number.

Each case below is a function that is run twice: with minigrad's grad and NumPy, and with JAX's grad and jax.numpy.

    python examples/3_against_jax.py
"""

import sys

import numpy

import minigrad
from minigrad import tree

try:
    import jax
except ImportError:
    sys.exit('JAX, with which this program compares, is not installed; install it in the checkout with: pip install ".[test]"')

jax.config.update("jax_enable_x64", True)  # NumPy's precision; JAX would take float32


def linear(grad, np):
    """The mean squared error of a line."""

    def mseloss(theta, x, y):
        return ((theta['w'] * x + theta['b'] - y) ** 2).mean()

    x = np.linspace(-1, 1, 20)
    return grad(mseloss)({'w': 0.5, 'b': -0.5}, x, 3 * x + 1)


def network(grad, np):
    """A network with three hidden units. Its parameters are a list of pairs."""

    def loss(layers, x, y):
        (w1, b1), (w2, b2) = layers
        return ((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean()

    x = np.linspace(-2, 2, 20).reshape(-1, 1)
    layers = [
        (np.array([[0.5, -1.0, 1.5]]), np.array([0.0, 0.5, -0.5])),
        (np.array([[1.0], [-0.5], [0.8]]), np.array([0.2])),
    ]
    return grad(loss)(layers, x, np.sin(x))


def nested(grad, np):
    """The first three derivatives of one function, and a derivative inside a function that is differentiated."""

    def f(x):
        return np.exp(-x) * np.sin(3 * x)

    def outer(x):
        return x * grad(lambda y: x * y**2)(2.0)  # 4 x**2. An engine that mixes up x and y gets more than 8 x

    return [grad(f)(0.5), grad(grad(f))(0.5), grad(grad(grad(f)))(0.5), grad(outer)(1.5)]


def pytree(grad, np):
    """Parameters of every kind in one argument: a dict of a float, a nested tuple, an array, and nothing."""

    def f(theta):
        low, (high, _) = theta['range']
        inside = np.where(theta['points'] > low, theta['points'], low)
        return theta['scale'] * np.sum(np.log(inside)) + high / low

    return grad(f)({'scale': 2.0, 'range': (1.0, (3.0, None)), 'points': np.array([0.5, 1.5, 2.5])})


# Both engines round, each in its own order of operations: the last digit may differ, and no more.
largest = 0.0
print(f"{'':14}{'minigrad':>20}{'JAX':>20}{'difference':>14}")
for case in linear, network, nested, pytree:
    print(f"\n{case.__doc__}")
    ours, structure = tree.flatten(case(minigrad.grad, numpy))
    theirs = tree.leaves(case(jax.grad, jax.numpy))
    for path, our_leaf, their_leaf in zip(tree.paths(structure), ours, theirs, strict=True):
        for index, our_number in numpy.ndenumerate(our_leaf):
            their_number = float(numpy.asarray(their_leaf)[index])
            difference = abs(our_number - their_number)
            largest = max(largest, difference)
            name = tree.keystr(path) + (str(list(index)) if index else "")
            print(f"{name:14}{our_number:20.15f}{their_number:20.15f}{difference:14.1e}")
print(f"\nlargest difference: {largest:.1e}")
