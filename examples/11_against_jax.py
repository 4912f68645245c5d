# %% [markdown]
# # 11. minigrad against JAX
#
#     python examples/11_against_jax.py
#
# minigrad's functions have the names, arguments and results of JAX's. So the same program can be run with both: with
# NumPy and minigrad's `grad`, and with `jax.numpy` and JAX's `grad`. Each function below gets one of these pairs, as
# `grad` and `np`. The program needs JAX: `pip install ".[test]"` in the checkout.

# %%
import sys

import numpy

import minigrad
from minigrad import tree

try:
    import jax
except ImportError:
    sys.exit('JAX, with which this program compares, is not installed; in the checkout: pip install ".[test]"')

jax.config.update("jax_enable_x64", True)  # NumPy's precision; JAX would take float32
largest = 0.0


def compare(case):
    """Run a function with both, and print the numbers side by side."""
    global largest
    ours, structure = tree.flatten(case(minigrad.grad, numpy))
    theirs = tree.leaves(case(jax.grad, jax.numpy))
    for path, our_leaf, their_leaf in zip(tree.paths(structure), ours, theirs, strict=True):
        for index, our_number in numpy.ndenumerate(our_leaf):
            their_number = float(numpy.asarray(their_leaf)[index])
            largest = max(largest, abs(our_number - their_number))
            name = tree.keystr(path) + (str(list(index)) if index else "")
            print(f"{name:14}{our_number:18.12f}{their_number:18.12f}")


# %% [markdown]
# ## The mean squared error of a line

# %%
def linear(grad, np):
    def mseloss(theta, x, y):
        return ((theta['w'] * x + theta['b'] - y) ** 2).mean()

    x = np.linspace(-1, 1, 20)
    return grad(mseloss)({'w': 0.5, 'b': -0.5}, x, 3 * x + 1)


print(f"{'':14}{'minigrad':>18}{'JAX':>18}")
compare(linear)
# prints:                         minigrad               JAX
# prints: ['b']            -3.000000000000   -3.000000000000
# prints: ['w']            -1.842105263158   -1.842105263158

# %% [markdown]
# ## A network with three hidden units
#
# Its parameters are a list of pairs, and so is the gradient. The names are paths: `[0][1][2]` stands for `layers[0][1][2]`.

# %%
def network(grad, np):
    def loss(layers, x, y):
        (w1, b1), (w2, b2) = layers
        return ((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean()

    x = np.linspace(-2, 2, 20).reshape(-1, 1)
    layers = [
        (np.array([[0.5, -1.0, 1.5]]), np.array([0.0, 0.5, -0.5])),
        (np.array([[1.0], [-0.5], [0.8]]), np.array([0.2])),
    ]
    return grad(loss)(layers, x, np.sin(x))


compare(network)
# prints: [0][0][0, 0]      1.001365988640    1.001365988640
# prints: [0][0][0, 1]     -0.227647417780   -0.227647417780
# prints: [0][0][0, 2]      0.138279634761    0.138279634761
# prints: [0][1][0]        -0.133581274214   -0.133581274214
# prints: [0][1][1]        -0.059591625262   -0.059591625262
# prints: [0][1][2]         0.003048467026    0.003048467026
# prints: [1][0][0, 0]      0.718361010223    0.718361010223
# prints: [1][0][1, 0]     -1.049193097086   -1.049193097086
# prints: [1][0][2, 0]      1.194371850595    1.194371850595
# prints: [1][1][0]        -0.081734684182   -0.081734684182

# %% [markdown]
# ## Derivatives inside derivatives
#
# The first three derivatives of a function, and a derivative inside of a function that is differentiated. The last number
# is 12, the slope of 4 x**2 at 1.5. An engine that mixes up x and y finds another one (chapter 9).

# %%
def nested(grad, np):
    def f(x):
        return np.exp(-x) * np.sin(3 * x)

    def outer(x):
        return x * grad(lambda y: x * y**2)(2.0)

    return [grad(f)(0.5), grad(grad(f))(0.5), grad(grad(grad(f)))(0.5), grad(outer)(1.5)]


compare(nested)
# prints: [0]              -0.476298447504   -0.476298447504
# prints: [1]              -5.097516027842   -5.097516027842
# prints: [2]              14.958016530723   14.958016530723
# prints: [3]              12.000000000000   12.000000000000

# %% [markdown]
# ## Parameters of every kind in one argument
#
# A dict of a float, a nested tuple, an array, and nothing.

# %%
def pytree(grad, np):
    def f(theta):
        low, (high, _) = theta['range']
        inside = np.where(theta['points'] > low, theta['points'], low)
        return theta['scale'] * np.sum(np.log(inside)) + high / low

    return grad(f)({'scale': 2.0, 'range': (1.0, (3.0, None)), 'points': np.array([0.5, 1.5, 2.5])})


compare(pytree)
# prints: ['points'][0]     0.000000000000    0.000000000000
# prints: ['points'][1]     1.333333333333    1.333333333333
# prints: ['points'][2]     0.800000000000    0.800000000000
# prints: ['range'][0]     -1.000000000000   -1.000000000000
# prints: ['range'][1][0]    1.000000000000    1.000000000000
# prints: ['scale']         1.321755839982    1.321755839982

# %% [markdown]
# Both engines round, each in its own order of operations. So the last digit may differ, and no more:

# %%
print("largest difference below 1e-13:", largest < 1e-13)
# prints: largest difference below 1e-13: True

# %% [markdown]
# At kinks, ties and zeros there is a choice, and minigrad makes the same one as JAX, with a few exceptions, which
# `minigrad/README.md` lists. For a function of your own, `minigrad.crosscheck(f, *args)` makes this comparison.
