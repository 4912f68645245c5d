# %% [markdown]
# # 5. Many inputs, many outputs
#
#     python examples/05_many_inputs_many_outputs.py
#
# A house has an area, an age and a distance to the station, and each of them counts for its price and for its heating
# costs. A linear model with three inputs and two outputs has a weight for each pair: the weight says by how much the
# output grows if the input grows by 1. And each output has an intercept, so there are 8 parameters.
#
# ## The matrix form
#
# The weights stand in a matrix w, with a row for each input and a column for each output. The data stand in a matrix
# x, with a row for each house. The product `x @ w` multiplies each input by its weight and adds up, for all houses
# and outputs at once. Then b is added to each row:
#
#     prediction[i, j] = x[i, 0] * w[0, j] + x[i, 1] * w[1, j] + x[i, 2] * w[2, j] + b[j]
#
# The package `linear` has the functions of chapter 4 with this change: if w is an array, `linear_model` computes
# `x @ w + b`. The loss and the loop do not change at all. The points come from weights that we know, as before.

# %%
import numpy as np

from linear import dmseloss, initialize_linear_params, linear_model, model_optimization_loop, mseloss

np.random.seed(0)
x = np.random.normal(size=(200, 3))
w_true = np.array([[1.0, -2.0], [0.5, 3.0], [4.0, 0.0]])
b_true = np.array([10.0, -10.0])
y = x @ w_true + b_true + np.random.normal(scale=0.1, size=(200, 2))

theta = initialize_linear_params(n_inputs=3, n_outputs=2)
print("x", x.shape, "@ w", theta['w'].shape, "+ b", theta['b'].shape, "-> y", y.shape)
# prints: x (200, 3) @ w (3, 2) + b (2,) -> y (200, 2)

# %% [markdown]
# ## The gradient
#
# The gradient has the shapes of the parameters. One backward pass gives all eight slopes, with the rules of chapter
# 3. Let r be the differences prediction - y. (Statistics calls them residuals too. They have nothing to do with the
# residuals that a node keeps.) The loss is the mean of the squares of all 400 differences, so the cotangent of r is
# `2 * r / 400`. The matrix product hands `x.T @ (2 * r / 400)` to w. And b was stretched to 200 rows, so its share is
# summed over the rows. Without `grad`, one would derive these two formulas on paper. Here they only check the result.

# %%
grads = dmseloss(theta, linear_model, x, y)
r = x @ theta['w'] + theta['b'] - y
by_hand = {'w': x.T @ (2 * r / r.size), 'b': (2 * r / r.size).sum(axis=0)}
for name in 'w', 'b':
    print("gradient of", name, grads[name].shape, "agrees:", np.allclose(grads[name], by_hand[name], rtol=1e-12))
# prints: gradient of w (3, 2) agrees: True
# prints: gradient of b (2,) agrees: True

# %% [markdown]
# ## The walk
#
# Eight parameters walk downhill at once. The noise has variance 0.01, and the loss ends near it.

# %%
losses, theta = model_optimization_loop(theta, linear_model, mseloss, x, y, learning_rate=0.1)
for step in 0, 10, 100, 2999:
    print(f"loss at step {step:4}: {losses[step]:10.6f}")
# prints: loss at step    0:  89.619200
# prints: loss at step   10:  12.135195
# prints: loss at step  100:   0.009052
# prints: loss at step 2999:   0.009049

# %% [markdown]
# ## Is it right?
#
# NumPy solves the same problem at once, by least squares. It knows no intercept. But b is only the weight of one more
# input, which is always 1. So x gets a column of ones, and b becomes the last row of the weights. All digits agree.
# The true parameters are a little different, because of the noise.

# %%
best = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y)[0]
learned, true = np.vstack([theta['w'], theta['b']]), np.vstack([w_true, b_true])
print(f"{'':4}{'learned':>20}{'least squares':>26}{'true':>16}")
for name, row in zip(["w[0]", "w[1]", "w[2]", "b"], np.hstack([learned, best, true])):
    print(f"{name:4}", *(f"{number:12.8f}" for number in row))
# prints:                  learned             least squares            true
# prints: w[0]   0.99197164  -1.99589699   0.99197164  -1.99589699   1.00000000  -2.00000000
# prints: w[1]   0.49763397   2.98440679   0.49763397   2.98440679   0.50000000   3.00000000
# prints: w[2]   4.00091572  -0.00836499   4.00091572  -0.00836499   4.00000000   0.00000000
# prints: b      9.99682816 -10.00459158   9.99682816 -10.00459158  10.00000000 -10.00000000

# %% [markdown]
# ## Where to go from here
#
# `python -m linear` does this for a file of your own, with as many inputs as it has.
#
# A linear model adds up, and then it does nothing more: its last function is the identity. Chapter 6 puts another
# function in its place, and so it answers questions with yes or no. Chapter 7 puts a function between two linear
# models.
