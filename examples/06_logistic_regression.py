# %% [markdown]
# # 6. Logistic regression
#
#     python examples/06_logistic_regression.py
#
# Is a tumour malignant? The answer is yes or no, and a linear model gives any number. One more function at its end
# makes a probability of it. The rest of the program stays: the model, `grad`, and the loop.
#
# The file has a row for each of 569 tumours: 30 measures of the cells under a microscope, and then 1 for malignant or
# 0 for benign (`examples/data/README.md` says where it comes from). The model learns from 400 rows. The other 169
# will show what it has learned. The measures have different units. So each column is standardised: it is shifted and
# divided, to have mean 0 and standard deviation 1 in the 400 rows. Otherwise no learning rate would suit them all.

# %%
from pathlib import Path

import numpy as np

from linear import linear_model, model_optimization_loop
from minigrad import grad

here = Path(__file__).parent if "__file__" in globals() else Path()  # a notebook runs in its own folder
table = np.loadtxt(here / "data" / "breast_cancer.csv", delimiter=",", skiprows=1)
x, y = table[:, :-1], table[:, -1]
x = (x - x[:400].mean(axis=0)) / x[:400].std(axis=0)
x_seen, y_seen, x_new, y_new = x[:400], y[:400], x[400:], y[400:]
print(f"{y_seen.sum():.0f} of {len(y_seen)} seen tumours are malignant, and {y_new.sum():.0f} of {len(y_new)} new ones")
# prints: 173 of 400 seen tumours are malignant, and 39 of 169 new ones

# %% [markdown]
# ## One more function
#
# Let z be the number that the linear model gives. The logistic function of z has values between 0 and 1. It is 1/2 at
# z = 0, and it comes close to 0 and 1 on the two sides.

# %%
def probability(z):
    return 1 / (1 + np.exp(-z))


for z in -4.0, -1.0, 0.0, 1.0, 4.0:
    print(f"z = {z:4.1f}   probability {probability(z):.6f}")
# prints: z = -4.0   probability 0.017986
# prints: z = -1.0   probability 0.268941
# prints: z =  0.0   probability 0.500000
# prints: z =  1.0   probability 0.731059
# prints: z =  4.0   probability 0.982014

# %% [markdown]
# ## The loss
#
# A good model gives a high probability p to what happened: p if the tumour is malignant, `1 - p` if it is benign. The
# loss of one row is minus the logarithm of it. It is near 0 if the model was sure and right, and large if it was sure
# and wrong.
#
# Written in this way, it fails at z = 40 for a benign tumour: p is rounded to 1, so the loss and its slope are
# infinite. A little algebra helps: `-log(1 - p)` is `log(1 + exp(z))`, and `-log(p)` is the same minus z. NumPy has a
# function for the first, `logaddexp(0, z)`, which does not compute the large numbers between.

# %%
def naive(z):
    return -np.log(1 - probability(z))


def stable(z):
    return np.logaddexp(0, z)


with np.errstate(divide="ignore", invalid="ignore"):
    for z in 1.0, 40.0:
        print(f"z = {z:4.1f}   naive {naive(z):.6f}, slope {grad(naive)(z):.6f}", end="")
        print(f"   stable {stable(z):9.6f}, slope {grad(stable)(z):.6f}")
# prints: z =  1.0   naive 1.313262, slope 0.731059   stable  1.313262, slope 0.731059
# prints: z = 40.0   naive inf, slope inf   stable 40.000000, slope 1.000000

# %% [markdown]
# The loss is the mean over all rows, and a small price for large weights. Without this price, the walk would never
# end: there are weights without an error in the 400 rows, and with all of them twice as large, the model is even
# surer.
#
# The gradient has a simple form: the derivative of the loss by z is `p - y`. It is the error of the model, as it was
# with squares. So the slope by w is the mean of this error times x, here written by hand to check `grad`.

# %%
def logistic_loss(theta, model, x, y):
    z = model(theta, x)
    return np.mean(np.logaddexp(0, z) - y * z) + 0.01 * np.sum(theta['w'] ** 2)


theta = {'w': np.full(30, 0.1), 'b': 0.0}
grads = grad(logistic_loss)(theta, linear_model, x_seen, y_seen)
error = probability(linear_model(theta, x_seen)) - y_seen
by_hand = {'w': x_seen.T @ error / 400 + 0.02 * theta['w'], 'b': error.mean()}
for name in 'w', 'b':
    print("gradient of", name, np.shape(grads[name]), "agrees:", np.allclose(grads[name], by_hand[name], rtol=1e-12))
# prints: gradient of w (30,) agrees: True
# prints: gradient of b () agrees: True

# %% [markdown]
# ## The same loop
#
# The curve of this loss bends upward everywhere, so there is one minimum only. Where all slopes are 0, the walk has
# found it.

# %%
losses, theta = model_optimization_loop(theta, linear_model, logistic_loss, x_seen, y_seen, learning_rate=0.3)
for step in 0, 10, 100, 1000, 2999:
    print(f"loss at step {step:4}: {losses[step]:.6f}")
grads = grad(logistic_loss)(theta, linear_model, x_seen, y_seen)
print("all slopes are below 1e-9:", np.abs(grads['w']).max() < 1e-9 and abs(grads['b']) < 1e-9)
# prints: loss at step    0: 0.346843
# prints: loss at step   10: 0.158119
# prints: loss at step  100: 0.121951
# prints: loss at step 1000: 0.121032
# prints: loss at step 2999: 0.121032
# prints: all slopes are below 1e-9: True

# %% [markdown]
# ## Tumours that it has not seen
#
# The model says "malignant" if this is more probable than not: p > 1/2, and that means z > 0.

# %%
says_malignant = linear_model(theta, x_new) > 0
for name, answer in ("malignant", 1), ("benign", 0):
    right = np.sum(says_malignant[y_new == answer] == answer)
    print(f"{name:9}: {right} of {np.sum(y_new == answer)} are recognised")
# prints: malignant: 39 of 39 are recognised
# prints: benign   : 127 of 130 are recognised
