# %% [markdown]
# # 13. More rows than memory
#
#     python examples/13_more_rows_than_memory.py
#
# The loss of a model is a mean over rows. A mean over all rows is a weighted mean of the means over parts of the rows:
#
#     loss = (n1 * loss1 + n2 * loss2 + ...) / (n1 + n2 + ...),   where part i has n_i rows
#
# The same is true of the gradient. So no array has to hold all rows: one part after the other is read, and only its number
# of rows, its loss and its gradient are kept. This chapter needs scipy: `pip install scipy`.

# %%
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import scipy.optimize

from minigrad import parts, value_and_grad

folder = tempfile.TemporaryDirectory()  # it is removed at the end
files = [Path(folder.name) / f"part-{i}.npy" for i in range(10)]
rng = np.random.default_rng(0)
for i, file in enumerate(files):
    x = rng.normal(size=(1000 + 200 * i, 4)) * [1.0, 0.5, 2.0, 1.0]
    x[:, 1] += x[:, 0]  # these two features move together
    np.save(file, np.column_stack([x, x @ [1.0, -2.0, 0.5, 3.0] + 1 + rng.normal(size=len(x))]))
print(f"{len(files)} files, with {len(np.load(files[0]))} to {len(np.load(files[-1]))} rows")
# prints: 10 files, with 1000 to 2800 rows

# %% [markdown]
# ## The loss over parts
#
# A part is a tuple of arrays, or a function that reads them. `partial(read, file)` is such a function: it reads its file
# when it is called, and not before. The loss is written as for arrays that hold all rows.

# %%
def read(file):
    table = np.load(file)
    return table[:, :4], table[:, 4]


def linear(theta, x, y):
    return ((x @ theta['w'] + theta['b'] - y) ** 2).mean()


some = [partial(read, file) for file in files]
theta = {'w': np.zeros(4), 'b': 0.0}
loss, gradient = parts.value_and_grad(linear)(theta, some)
print("over parts:   ", f"{loss:.10f}", gradient['w'].round(6))

x, y = (np.concatenate(columns) for columns in zip(*(part() for part in some)))
loss, gradient = value_and_grad(linear)(theta, x, y)
print("over all rows:", f"{loss:.10f}", gradient['w'].round(6))
# prints: over parts:    13.9003004182 [ 1.874297  2.885164 -3.970075 -5.992903]
# prints: over all rows: 13.9003004182 [ 1.874297  2.885164 -3.970075 -5.992903]

# %% [markdown]
# A loss that is not a mean over rows cannot be computed in this way. An example is the root of a mean of squares. So
# before the first step, minigrad compares the loss of two small pieces together with the mean of their losses.

# %%
try:
    parts.value_and_grad(lambda theta, x, y: np.sqrt(linear(theta, x, y)))(theta, some)
except ValueError as error:
    print(str(error).split(": ")[1].split(". ")[0])
# prints: only a mean over rows can be computed in parts

# %% [markdown]
# ## Each step is a pass over all files
#
# Gradient descent takes many small steps. That does not matter if a step takes microseconds. Here, each step reads all
# files. The method L-BFGS takes few steps: it remembers how the gradient changed on the last ones, and so it learns how the
# loss curves. `scipy` has it. With `jac=True`, it takes a function of a vector that returns the loss and its gradient.

# %%
class Passes:
    """A loss over all parts, of a vector of parameters. It counts the passes over the files."""

    def __init__(self, loss, executor=None):
        self.loss_and_gradient = parts.value_and_grad(loss, executor)
        self.count = 0

    def __call__(self, vector):
        self.count += 1
        loss, gradient = self.loss_and_gradient({'w': vector[:4], 'b': vector[4]}, some)
        return loss, np.append(gradient['w'], gradient['b'])


def lbfgs(f):
    return scipy.optimize.minimize(f, np.zeros(5), jac=True, method="L-BFGS-B")


f = Passes(linear)
best = lbfgs(f)
exact = np.linalg.lstsq(np.column_stack([x, np.ones(len(y))]), y)[0]
print(f"L-BFGS: {f.count} passes; it is the least-squares answer to 4 digits: {np.allclose(best.x, exact, rtol=1e-4)}")

f, vector, loss = Passes(linear), np.zeros(5), np.inf  # gradient descent from the same start
while loss > best.fun + 1e-6:
    loss, gradient = f(vector)
    vector = vector - 0.2 * gradient
print(f"gradient descent: {f.count} passes, until the loss is as small to 6 digits")
# prints: L-BFGS: 14 passes; it is the least-squares answer to 4 digits: True
# prints: gradient descent: 139 passes, until the loss is as small to 6 digits

# %% [markdown]
# ## Logistic regression
#
# Is y greater than 0? Chapter 6 explains this loss.

# %%
def logistic(theta, x, y):
    z = x @ theta['w'] + theta['b']
    return np.mean(np.logaddexp(0, z) - (y > 0) * z)


f = Passes(logistic)
best = lbfgs(f)
print(f"L-BFGS: {f.count} passes, loss {best.fun:.6f}")
f, vector, loss = Passes(logistic), np.zeros(5), np.inf
while loss > best.fun + 1e-6 and f.count < 200:
    loss, gradient = f(vector)
    vector = vector - 0.5 * gradient
print(f"gradient descent: {f.count} passes, loss {loss:.6f}")
# prints: L-BFGS: 16 passes, loss 0.189503
# prints: gradient descent: 200 passes, loss 0.207867

# %% [markdown]
# ## Who does the work
#
# The second argument is an executor: threads or processes of `concurrent.futures`, or the workers of a Dask cluster, with
# `Client(address).get_executor(pure=False)`. It gets the parts in a few tasks. The tour ends here. `minigrad/README.md`
# goes on: it leads through the four files of the core.

# %%
with ThreadPoolExecutor(2) as threads:
    loss, gradient = Passes(linear, threads)(exact)
print(f"with two threads: {loss:.6f}, and all slopes are below 1e-12: {np.abs(gradient).max() < 1e-12}")
folder.cleanup()
# prints: with two threads: 0.989227, and all slopes are below 1e-12: True
