# %% [markdown]
# # 12. The derivative as a program
#
#     python examples/12_the_derivative_as_a_program.py
#
# Whatever a gradient computes, forwards and backwards, it computes with NumPy, one call after the other. So the calls can
# be written down. `program(f)(*args)` runs f once, and records each call that NumPy gets. The record is a program too. One
# can read it, keep it, and run it without minigrad. Here is the gradient of chapter 4:

# %%
import numpy as np

from minigrad import grad, jit, program, value_and_grad


def linear_model(theta, x):
    return theta['w'] * x + theta['b']


def mseloss(theta, model, x, y):
    residual = model(theta, x) - y
    return (residual ** 2).mean()


np.random.seed(0)
x = np.random.normal(size=100)
y = 2 * x + 1 + np.random.normal(size=100)
theta = {'w': 0.5, 'b': -0.5}

derivative = program(value_and_grad(mseloss))(theta, linear_model, x, y)
print(derivative)
# prints: import numpy as np
# prints:
# prints:
# prints: def mseloss(theta, model, x, y):
# prints:     """Compute the value of mseloss, and its gradient with respect to the argument 0."""
# prints:     b = theta['b']            # float
# prints:     w = theta['w']            # float
# prints:     # Forward
# prints:     v0 = w * x                # float64[100]
# prints:     v1 = v0 + b               # float64[100]
# prints:     residual = v1 - y         # float64[100]
# prints:     v2 = np.square(residual)  # float64[100]
# prints:     value = np.mean(v2)       # float64
# prints:     # Backward: the derivatives, from the last operation to the first
# prints:     v3 = 0.02 * residual      # float64[100]
# prints:     v4 = np.sum(v3)           # float64
# prints:     v5 = v3 * x               # float64[100]
# prints:     v6 = np.sum(v5)           # float64
# prints:     d_b = float(v4)           # float
# prints:     d_w = float(v6)           # float
# prints:     return value, {'b': d_b, 'w': d_w}
# prints:

# %% [markdown]
# It is the derivation on paper. First the loss: the residuals, their squares, the mean. Then backwards: the residuals times
# 2 / n, their sum for b, and their sum with x for w. No Tensor, no node and no rule is left in it: each rule that was
# used has become a line. The names come from this program. A value without a name there is called v0, v1, and so on. The
# last two operations make Python floats, because w and b are Python floats.
#
# It needs nothing but NumPy. Run as a text of its own, it gives the same numbers:

# %%
namespace = {}
exec(str(derivative), namespace)
loss, gradient = namespace['mseloss'](theta, linear_model, x, y)
loss_of_engine, gradient_of_engine = value_and_grad(mseloss)(theta, linear_model, x, y)
print(f"program: loss {loss:.12f}, w {gradient['w']:.12f}, b {gradient['b']:.12f}")
print(f"engine:  loss {loss_of_engine:.12f}, w {gradient_of_engine['w']:.12f}, b {gradient_of_engine['b']:.12f}")
# prints: program: loss 6.500351310488, w -3.480472410429, b -3.343449988099
# prints: engine:  loss 6.500351310488, w -3.480472410429, b -3.343449988099

# %% [markdown]
# ## What was left out
#
# With `simplify=False`, the program has everything that was recorded. Otherwise, results that nothing uses are left out,
# what is computed twice is computed once, and constants are folded. Here is a function whose value is not needed for its
# gradient. The second derivatives are a program too. They need the sine and the cosine once each, however often a rule
# asks for them.

# %%
def f(x):
    return np.sum(np.sin(x) ** 3)


recorded, simplified = program(grad(f), simplify=False)(x), program(grad(f))(x)
print(f"gradient: {len(recorded.operations)} operations recorded, {len(simplified.operations)} left")

second = str(program(grad(lambda x: np.sum(grad(f)(x))))(x))
print(f"second derivatives: {second.count('np.sin(')} sine, {second.count('np.cos(')} cosine")
# prints: gradient: 7 operations recorded, 5 left
# prints: second derivatives: 1 sine, 1 cosine

# %% [markdown]
# ## A program in a loop
#
# `jit(f)` makes the program in the first call, and calls it from then on. For other shapes or dtypes it makes another one.
# The function may be a whole step of the training. The 299 steps after the first one run without the engine, so they are
# faster. (`examples/benchmark.py` measures how much. `backend="numpy"` stays with calls of NumPy. If Numba
# is installed, the default compiles loops.)

# %%
def step(theta, x, y):
    loss, gradient = value_and_grad(mseloss)(theta, linear_model, x, y)
    return loss, {name: theta[name] - 0.1 * gradient[name] for name in theta}


for name, one_step in ("engine", step), ("program", jit(step, backend="numpy")):
    theta = {'w': 0.5, 'b': -0.5}
    for _ in range(300):
        loss, theta = one_step(theta, x, y)
    print(f"{name:8} w = {theta['w']:.10f}, b = {theta['b']:.10f}, loss {loss:.10f}")
# prints: engine   w = 2.1146984335, b = 1.0751530851, loss 1.0571718542
# prints: program  w = 2.1146984335, b = 1.0751530851, loss 1.0571718542

# %% [markdown]
# ## What it cannot do
#
# The function runs once, and the program does what was done in this run. So an `if` on a value that may be another one next
# time cannot be recorded. It is refused. `np.where` is an operation like others, and can be recorded. In the same way, what
# the function prints is printed once, and random numbers are drawn once. It is so in JAX, for the same reason.

# %%
try:
    program(lambda w: w * w if w > 0 else 0.0)(2.0)
except TypeError as error:
    print(str(error).partition(", in ")[0])
print(program(lambda w: np.where(w > 0, w * w, 0.0))(2.0)(-3.0))
# prints: A condition (of if, while, assert, and, or, not) needs the value of an array
# prints: 0.0

# %% [markdown]
# Chapter 13 is about data: what to do if there are more rows than memory holds.
