# %% [markdown]
# # Beside the tour: SciPy's solvers, for parameters in a dict
#
#     python examples/scipy_minimize.py
#
# `scipy.optimize.minimize` has many ways to a minimum. All of them take one flat array of parameters. With `jac=True`, the
# function returns two things: the value and the gradient. `value_and_grad` returns just these. But our parameters
# are a dict, and `tree.ravel_pytree` translates: it puts all numbers of a tree into one array, and returns a function that
# makes the tree again.

# %%
import numpy as np
from scipy.optimize import minimize

from linear import linear_model, mseloss
from minigrad import hessian, tree, value_and_grad

np.random.seed(0)
x = np.random.normal(size=(200, 3))
w = np.array([[1.0, -2.0], [0.5, 3.0], [4.0, 0.0]])
y = x @ w + np.array([10.0, -10.0]) + np.random.normal(scale=0.1, size=(200, 2))

theta = {'w': np.zeros((3, 2)), 'b': np.zeros(2)}
flat, unravel = tree.ravel_pytree(theta)
print("as one array:", flat.shape, "and again as a tree:", {name: part.shape for name, part in unravel(flat).items()})
# prints: as one array: (8,) and again as a tree: {'b': (2,), 'w': (3, 2)}

# %% [markdown]
# Both directions can be differentiated. So the loss may begin with `unravel`, and its gradient is a flat array again.

# %%
def loss(flat):
    return mseloss(unravel(flat), linear_model, x, y)


found = minimize(value_and_grad(loss), flat, jac=True, method='L-BFGS-B', options={'ftol': 1e-15, 'gtol': 1e-12})
learned = unravel(found.x)
best = np.linalg.lstsq(np.column_stack([x, np.ones(200)]), y)[0]
print("weights      ", np.array2string(learned['w'].ravel(), precision=6, sign=' '))
print("least squares", np.array2string(best[:-1].ravel(), precision=6, sign=' '))
print("biases       ", np.array2string(learned['b'], precision=6, sign=' '))
print("least squares", np.array2string(best[-1], precision=6, sign=' '))
# prints: weights       [ 0.991972 -1.995897  0.497634  2.984407  4.000916 -0.008365]
# prints: least squares [ 0.991972 -1.995897  0.497634  2.984407  4.000916 -0.008365]
# prints: biases        [  9.996828 -10.004592]
# prints: least squares [  9.996828 -10.004592]

# %% [markdown]
# Some methods take the second derivatives too. The Hessian of a function of one array is one matrix. Here is a loss that is
# not quadratic: it takes the distances in place of their squares, with a rounded corner at 0. So it cares less about
# a value that is far off.

# %%
y_with_error = y.copy()
y_with_error[0] += 1000.0


def rounded_distance(flat):
    difference = linear_model(unravel(flat), x) - y_with_error
    return np.mean(np.sqrt(difference ** 2 + 0.01))


wrong = minimize(value_and_grad(lambda flat: mseloss(unravel(flat), linear_model, x, y_with_error)), flat, jac=True)
robust = minimize(value_and_grad(rounded_distance), flat, jac=True, hess=hessian(rounded_distance), method='trust-exact')
print("true biases      ", np.array([10.0, -10.0]))
print("squared distances", np.round(unravel(wrong.x)['b'], 1))
print("distances        ", np.round(unravel(robust.x)['b'], 1))
# prints: true biases       [ 10. -10.]
# prints: squared distances [15.7 -4.3]
# prints: distances         [ 10. -10.]
