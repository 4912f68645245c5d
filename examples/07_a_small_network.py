# %% [markdown]
# # 7. A small network that reads digits
#
#     python examples/07_a_small_network.py
#
# A network is one more model. The gradient and the loop stay as they were: `grad` needs no formula for a network, and
# the loop takes any model and any loss.
#
# The data are 1,797 pictures of digits that people wrote by hand. A picture has 8 x 8 pixels, and a pixel is a number
# from 0 (white) to 16 (black). A row of the file holds the 64 pixels of a picture, and then the digit that it shows.
# The network learns from the first 1,400 rows. The other 397 will show what it has learned.

# %%
from pathlib import Path

import numpy as np

from linear import model_optimization_loop
from minigrad import grad

here = Path(__file__).parent if "__file__" in globals() else Path()  # a notebook runs in its own folder
table = np.loadtxt(here / "data" / "digits.csv.gz", delimiter=",", dtype=int)
x, y = table[:, :64] / 16, table[:, 64]
x_seen, y_seen, x_new, y_new = x[:1400], y[:1400], x[1400:], y[1400:]


def show(picture):
    for row in picture.reshape(8, 8):
        print("".join(2 * " .:#"[min(3, int(4 * pixel))] for pixel in row).rstrip())


print("the first picture, a", y[0])
show(x[0])
# prints: the first picture, a 0
# prints:     ..##::
# prints:     ####::##..
# prints:     ##    ::::
# prints:   ..##    ::::
# prints:   ..::    ::::
# prints:   ..::    ##..
# prints:     ##..::##
# prints:     ..##::

# %% [markdown]
# ## The model
#
# A layer multiplies by a matrix and adds a vector: it is the linear model of chapter 5. But two linear layers in a row
# are only another linear model. So something that is not linear must stand between them. Here it is the function tanh.
# The parameters are a list of pairs. The last layer gives ten scores to each picture, one for each digit.

# %%
def network(layers, x):
    *hidden, (w, b) = layers
    for w_hidden, b_hidden in hidden:
        x = np.tanh(x @ w_hidden + b_hidden)
    return x @ w + b


def start(*sizes):
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(n, m)) / np.sqrt(n), np.zeros(m)) for n, m in zip(sizes, sizes[1:])]


layers = start(64, 32, 10)
print("scores of the first picture:", network(layers, x[0]).round(2))
# prints: scores of the first picture: [-0.12 -0.46  0.03  0.17 -0.13  0.03 -0.1  -0.18  0.04 -0.33]

# %% [markdown]
# ## The loss
#
# Scores become probabilities: each is exp(score), divided by the sum of exp over all ten scores. The loss is minus the
# logarithm of the probability that the network gives to the true digit, and the mean of this over all pictures. For two
# classes, it is the loss of chapter 6. `np.logaddexp.reduce` computes the logarithm of the sum of exp. It does not
# overflow, however large a score is.
#
# The derivative by the scores is well known. It is (probability - 1) / n for the true digit, and probability / n for the
# other digits, if there are n pictures. Nobody told minigrad. It follows from the rules for logaddexp, indexing,
# subtraction and mean.

# %%
def loss_of_scores(scores, y):
    return np.mean(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), y])


def cross_entropy(layers, model, x, y):
    return loss_of_scores(model(layers, x), y)


scores = network(layers, x_seen)
probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
by_hand = (probabilities - np.eye(10)[y_seen]) / len(y_seen)
print("equal to the formula:", np.allclose(grad(loss_of_scores)(scores, y_seen), by_hand, rtol=1e-10, atol=1e-15))
# prints: equal to the formula: True

# %% [markdown]
# ## The gradient
#
# It has the structure of the parameters, a list of pairs. From the scores, the backward pass goes on through the last
# layer, through tanh, and through the first layer. Each layer gets the cotangent of its result. It hands a share to its
# w, to its b, and to the layer before it. In books on networks this is called backpropagation. It is the backward pass of
# chapter 2.

# %%
gradient = grad(cross_entropy)(layers, network, x_seen, y_seen)
print("shapes:", [(w.shape, b.shape) for w, b in gradient])
# prints: shapes: [((64, 32), (32,)), ((32, 10), (10,))]

# %% [markdown]
# ## The training
#
# The same loop as for the line trains the network. For comparison, it also trains a network without a hidden layer.

# %%
def share_right(layers, x, y):
    return np.mean(network(layers, x).argmax(axis=1) == y)


for name, layers in ("one layer", start(64, 10)), ("two layers", start(64, 32, 10)):
    losses, layers = model_optimization_loop(layers, network, cross_entropy, x_seen, y_seen, 200, learning_rate=1.0)
    seen, new = share_right(layers, x_seen, y_seen), share_right(layers, x_new, y_new)
    print(f"{name:10} loss {losses[0]:.3f} -> {losses[-1]:.3f}, right: {seen:.1%} of the rows seen, {new:.1%} of the others")
# prints: one layer  loss 2.481 -> 0.163, right: 96.9% of the rows seen, 88.9% of the others
# prints: two layers loss 2.295 -> 0.048, right: 99.4% of the rows seen, 91.7% of the others

# %% [markdown]
# The hidden layer helps. How much it helps, only the new rows tell: a network is always better on the rows that it has
# seen. Here is the first new picture that it reads wrongly.

# %%
wrong = np.flatnonzero(network(layers, x_new).argmax(axis=1) != y_new)[0]
print(f"this {y_new[wrong]} was read as {network(layers, x_new[wrong]).argmax()}:")
show(x_new[wrong])
# prints: this 8 was read as 9:
# prints:     ..####..
# prints:     ##::::##
# prints:     ##    ##
# prints:     ::####..
# prints:       ..####
# prints:       ::  ##..
# prints:     ..::  ##
# prints:     ..####..
