"""Fit a linear model with three inputs and two outputs: the same model, loss and loop, in matrix form.

Here they come from the package `linear`. Nothing in them, and nothing in `grad`, has to know how many inputs and
outputs there are: the gradient has the shapes of the parameters.
The lines that begin with "prints:" are what the program prints.

    python examples/2_many_inputs_many_outputs.py
"""

import numpy as np

from linear import dmseloss, initialize_linear_params, linear_model, model_optimization_loop, mseloss

np.random.seed(0)
x = np.random.normal(size=(200, 3))
w_true = np.array([[1.0, -2.0], [0.5, 3.0], [4.0, 0.0]])  # a row for each input, a column for each output
b_true = np.array([10.0, -10.0])
y = x @ w_true + b_true + np.random.normal(scale=0.1, size=(200, 2))

theta = initialize_linear_params(n_inputs=3, n_outputs=2)
grads = dmseloss(theta, linear_model, x, y)
print("x", x.shape, "@ w", theta['w'].shape, "+ b", theta['b'].shape, "-> y", y.shape)
print("gradient for w", grads['w'].shape, "and for b", grads['b'].shape)
# prints: x (200, 3) @ w (3, 2) + b (2,) -> y (200, 2)
# prints: gradient for w (3, 2) and for b (2,)

# The matrix calculus that nobody had to do: the loss is the mean over all 200 * 2 squared residuals.
residuals = x @ theta['w'] + theta['b'] - y
by_hand = {'w': 2 * x.T @ residuals / residuals.size, 'b': 2 * residuals.sum(axis=0) / residuals.size}
print("equal to the formulas:", all(np.allclose(grads[name], by_hand[name], rtol=1e-12) for name in theta))
# prints: equal to the formulas: True

losses, theta = model_optimization_loop(theta, linear_model, mseloss, x, y, learning_rate=0.1)
print(f"loss {losses[0]:.6f} -> {losses[-1]:.6f}")
# prints: loss 89.619200 -> 0.009049

# b is the weight of one more input, which is always 1. With it as the last column, NumPy solves the problem at once.
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
