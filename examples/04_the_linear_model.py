# %% [markdown]
# # 4. The linear model
#
#     python examples/04_the_linear_model.py
#     python examples/04_the_linear_model.py --plot losses.png
#
# minigrad was made for this program. It finds a line through points: it starts anywhere, and walks downhill. The
# program was written for JAX. To run it with minigrad, one line was changed, the import of `grad`.

# %%
import argparse
import sys

import numpy as np

from minigrad import grad

parser = argparse.ArgumentParser(description="Fit a line to 100 points by gradient descent.")
parser.add_argument('--plot', metavar='FILE', help="save a picture of the losses, for example to losses.png")
notebook = 'ipykernel' in sys.modules
options = parser.parse_args([] if notebook else None)

# %% [markdown]
# ## The model and the start
#
# A model computes predictions from its parameters, theta, and from the data, x. Here theta is a dict with a slope w
# and an intercept b. `linear_model` does not care how many points there are: if x is an array, `w * x + b` is one
# too. Nobody knows the right theta yet, so it starts at random.

# %%
def linear_model(theta, x):
    w, b = theta['w'], theta['b']
    return w * x + b


def initialize_linear_params():
    return {'w': np.random.normal(), 'b': np.random.normal()}

# %% [markdown]
# ## The loss and its gradient
#
# The loss is one number that says how wrong the model is: the mean of the squared differences between what it
# predicts and what was seen. It is 0 if the line meets every point. The first argument is theta, because `grad`
# differentiates by the first argument. `dmseloss` takes the same arguments as `mseloss`. It returns a dict like
# theta: the slope of the loss by w, and the slope by b.

# %%
def mseloss(theta, model, x, y):
    return ((model(theta, x) - y) ** 2).mean()


dmseloss = grad(mseloss)

# %% [markdown]
# ## The loop
#
# Chapter 1 walked down a curve. This is the same walk in two directions at once: each parameter makes a step against
# its own slope.

# %%
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

# %% [markdown]
# ## The walk
#
# The points lie on a line that we know, with noise, so that we can see whether the line is found again. At the start,
# both slopes are negative: the loss falls if w and b grow. And they should grow.

# %%
np.random.seed(42)
w_true, b_true = 2.0, 20.0
x = np.linspace(-5, 5, 100)
y = w_true * x + b_true + np.random.normal(size=len(x))

theta = initialize_linear_params()
grads = dmseloss(theta, linear_model, x, y)
print(f"start          w = {theta['w']:9.6f}   b = {theta['b']:9.6f}")
print(f"gradient       w = {grads['w']:9.5f}   b = {grads['b']:9.5f}")

losses, theta = model_optimization_loop(theta, linear_model, mseloss, x, y)
for step in 0, 10, 100, 1000, 2999:
    print(f"loss at step {step:4}: {losses[step]:10.6f}")
# prints: start          w = -1.415371   b = -0.420645
# prints: gradient       w = -58.30733   b = -40.63360
# prints: loss at step    0: 513.559924
# prints: loss at step   10: 278.789858
# prints: loss at step  100:   8.074722
# prints: loss at step 1000:   0.814905
# prints: loss at step 2999:   0.814905

# %% [markdown]
# ## Is it right?
#
# The learned parameters come close to the true ones. They do not meet them, because of the noise. No method could do
# better: least squares, which solves the same problem without a walk, gives the same line. The loss ends near 1 and
# not at 0, because the noise has variance 1.

# %%
w_best, b_best = np.polyfit(x, y, deg=1)
print(f"true           w = {w_true:.10f}   b = {b_true:.10f}")
print(f"learned        w = {theta['w']:.10f}   b = {theta['b']:.10f}")
print(f"least squares  w = {w_best:.10f}   b = {b_best:.10f}")
# prints: true           w = 2.0000000000   b = 20.0000000000
# prints: learned        w = 2.0137932673   b = 19.8961534826
# prints: least squares  w = 2.0137932673   b = 19.8961534826

# %% [markdown]
# ## The picture
#
# A notebook shows the losses here. On the command line, `--plot losses.png` saves the picture. Without it, the
# program writes no file.

# %%
if notebook or options.plot:
    try:
        import matplotlib.pyplot as plt

        plt.plot(losses)
        plt.yscale('log')
        plt.xlabel('step')
        plt.ylabel('mean squared error')
        plt.show() if notebook else plt.savefig(options.plot)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"there is no picture: {error}")
