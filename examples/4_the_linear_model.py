"""Fit a line to 100 points by gradient descent, with the gradient supplied by minigrad.

This program was written for JAX. The import of grad is the only line that was changed: `from jax import grad`.
The lines that begin with "prints:" are what the program prints.

    python examples/1_linear_regression.py
    python examples/1_linear_regression.py --plot losses.png
"""

import argparse

import numpy as np

from minigrad import grad


def linear_model(theta, x):
    w, b = theta['w'], theta['b']
    return w * x + b


def initialize_linear_params():
    return {'w': np.random.normal(), 'b': np.random.normal()}


def mseloss(theta, model, x, y):
    # theta comes first, because the gradient is taken with respect to the first argument
    return ((model(theta, x) - y) ** 2).mean()


dmseloss = grad(mseloss)  # takes the same arguments, and returns a dict with a derivative for w and one for b


def model_optimization_loop(theta, model, loss_fn, x, y, n_steps=3000, learning_rate=0.01):
    dloss_fn = grad(loss_fn)
    losses = []
    for _ in range(n_steps):
        loss = loss_fn(theta, model, x, y)
        grads = dloss_fn(theta, model, x, y)
        losses.append(loss)
        theta['w'] -= learning_rate * grads['w']
        theta['b'] -= learning_rate * grads['b']
    return losses, theta


parser = argparse.ArgumentParser(description="Fit a line to 100 points by gradient descent.")
parser.add_argument("--plot", metavar="FILE", help="save a picture of the losses")
options = parser.parse_args()

# Points on a line that we know, with noise, so that we can tell whether it is found again.
np.random.seed(42)
w_true, b_true = 2.0, 20.0
x = np.linspace(-5, 5, 100)
y = w_true * x + b_true + np.random.normal(size=len(x))

theta = initialize_linear_params()
print(f"start          w = {theta['w']:9.6f}   b = {theta['b']:9.6f}")
# prints: start          w = -1.415371   b = -0.420645

# Both derivatives are negative: the loss falls when w and b grow, and so they should.
grads = dmseloss(theta, linear_model, x, y)
print(f"gradient       w = {grads['w']:9.5f}   b = {grads['b']:9.5f}")
# prints: gradient       w = -58.30733   b = -40.63360

losses, theta = model_optimization_loop(theta, linear_model, mseloss, x, y)
for step in 0, 10, 100, 1000, 2999:
    print(f"loss at step {step:4}: {losses[step]:10.6f}")
# prints: loss at step    0: 513.559924
# prints: loss at step   10: 278.789858
# prints: loss at step  100:   8.074722
# prints: loss at step 1000:   0.814905
# prints: loss at step 2999:   0.814905

# The parameters come close to the true ones. What noise leaves between them, no method could undo: the loss cannot
# be smaller than at the least-squares line, and that is where the descent has arrived.
w_best, b_best = np.polyfit(x, y, deg=1)
print(f"true           w = {w_true:.10f}   b = {b_true:.10f}")
print(f"learned        w = {theta['w']:.10f}   b = {theta['b']:.10f}")
print(f"least squares  w = {w_best:.10f}   b = {b_best:.10f}")
# prints: true           w = 2.0000000000   b = 20.0000000000
# prints: learned        w = 2.0137932673   b = 19.8961534826
# prints: least squares  w = 2.0137932673   b = 19.8961534826

if options.plot:
    import matplotlib.pyplot as plt

    plt.plot(losses)
    plt.yscale('log')
    plt.xlabel('step')
    plt.ylabel('mean squared error')
    plt.savefig(options.plot)
