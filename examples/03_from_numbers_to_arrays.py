# %% [markdown]
# # 3. From numbers to arrays
#
#     python examples/03_from_numbers_to_arrays.py
#
# A model works on arrays. What has to change in the engine of chapter 2? The graph and the order stay the same. The
# cotangent of an array is an array of the same shape. Each of its elements is the derivative of the final result,
# which is a number, by the element at this place. A VJP takes such an array and returns one.
#
# ## What happens to broadcasting?
#
# NumPy can add arrays of different shapes. A column of shape `(3, 1)` and a row of shape `(4,)` are both stretched to
# `(3, 4)`. So each number of the column is used 4 times, and each number of the row 3 times. Chapter 2 says what
# follows: a value that is used several times gets several shares, and they are added. The sum goes over what was
# stretched, and it has the shape that the argument had. Below, every share is 1.

# %%
from collections import defaultdict
from itertools import count

import numpy as np

from minigrad import grad, profile

numbers = count()


def fit(share, shape):
    """Undo broadcasting: sum over the axes that were added in front, and over those that had length 1."""
    share = share.sum(axis=tuple(range(share.ndim - len(shape))))
    return share.sum(axis=tuple(axis for axis, n in enumerate(shape) if n == 1), keepdims=True)


g = np.ones((3, 4))
print("column", fit(g, (3, 1)).tolist(), "row", fit(g, (4,)).tolist(), "number", fit(g, ()).tolist())
# prints: column [[4.0], [4.0], [4.0]] row [3.0, 3.0, 3.0, 3.0] number 12.0

# %% [markdown]
# ## The engine
#
# In `backward`, one line is new: it fits a share to the shape of the parent. So no VJP has to know about
# broadcasting. Two operations are new. `sum` hands its cotangent to each of its terms, so its VJP stretches: it is
# the opposite of `fit`. The matrix product is explained below.

# %%
class Value:
    def __init__(self, value, parents=()):
        self.value, self.parents, self.number = value, parents, next(numbers)

    def __add__(self, other):
        return Value(self.value + other.value, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Value(self.value * other.value, [(self, lambda g: g * other.value), (other, lambda g: g * self.value)])

    def __matmul__(self, other):
        return Value(self.value @ other.value, [(self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)])

    def sum(self):
        shape = self.value.shape
        return Value(self.value.sum(), [(self, lambda g: np.broadcast_to(g, shape))])


def backward(node):
    cotangents, pending = defaultdict(float, {node: np.ones(())}), {node}
    while pending:
        node = max(pending, key=lambda node: node.number)
        pending.remove(node)
        for parent, vjp in node.parents:
            share = fit(vjp(cotangents[node]), parent.value.shape)
            cotangents[parent] = cotangents[parent] + share
            pending.add(parent)
    return cotangents

# %% [markdown]
# ## The matrix product
#
# In `y = x @ w`, the element `y[i, j]` is the sum of `x[i, k] * w[k, j]` over k. If `w[k, j]` grows by a small step,
# `y[i, j]` grows by `x[i, k]` times this step, in every row i. So the cotangent of `w[k, j]` is the sum of
# `x[i, k] * g[i, j]` over i. This is a matrix product again: `x.T @ g`. In the same way, x gets `g @ w.T`. The shapes
# help to remember it: if x is `(5, 3)`, w is `(3, 2)` and g is `(5, 2)`, then `x.T @ g` is `(3, 2)`, as w is.
#
# Here is a linear model with three inputs and two outputs, and the sum of the squares of its outputs. The row b is
# stretched to five rows. A finite difference, as in chapter 1, agrees.

# %%
def loss(w, b, x):
    y = x @ w + b
    return (y * y).sum()


rng = np.random.default_rng(0)
w, b, x = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(5, 3))
leaves = [Value(w), Value(b), Value(x)]  # values without parents
cotangents = backward(loss(*leaves))
ours = [cotangents[leaf] for leaf in leaves]
print("shapes", *(cotangent.shape for cotangent in ours))

step = np.array([1e-6, 0.0])
print(f"by b[0]: {ours[1][0]:.6f}, by finite differences {(loss(w, b + step, x) - loss(w, b - step, x)) / 2e-6:.6f}")
# prints: shapes (3, 2) (2,) (5, 3)
# prints: by b[0]: 10.269991, by finite differences 10.269991

# %% [markdown]
# minigrad finds the same. Its `fit`, in `minigrad/graph.py`, undoes broadcasting as above. It also undoes the steps
# from float32 to float64 and from real to complex numbers, so that a cotangent has not only the shape of its value,
# but also its dtype.

# %%
theirs = grad(loss, argnums=(0, 1, 2))(w, b, x)
print("minigrad agrees:", *(np.allclose(our, their, rtol=1e-12) for our, their in zip(ours, theirs)))
# prints: minigrad agrees: True True True

# %% [markdown]
# ## What does a node keep?
#
# Arrays fill the memory, so a graph should keep few of them. A node of minigrad does not keep its value. It keeps its
# number, shape and dtype, its parents and their VJPs, and the residuals: what these VJPs need of the operation. The
# VJP of a sum of two arrays only hands on g, so it keeps nothing. The VJP of the sine needs a cosine, so it keeps the
# argument. `np.sum` needs a shape. Every other array is freed as soon as your program does not use it any more.
# `profile` counts what was kept. Each array has 8,000 bytes.

# %%
for entry in profile(lambda w: np.sum(np.sin(w + 1.0)))(np.ones(1000)).entries:
    print(f"{entry.title:6} keeps {entry.kept:4} bytes")
# prints: np.add keeps    0 bytes
# prints: np.sin keeps 8000 bytes
# prints: np.sum keeps    0 bytes
