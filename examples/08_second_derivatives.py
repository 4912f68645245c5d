# %% [markdown]
# # 8. Second derivatives: Newton's method
#
#     python examples/08_second_derivatives.py
#
# The gradient says which way is down, but not how far to go. Gradient descent asks its user: that is the learning rate.
# The second derivatives know. This chapter uses them on the bowl of the linear model, and then on data on which descent
# needs millions of steps.

# %%
from pathlib import Path

import numpy as np

from linear import initialize_linear_params, linear_model, model_optimization_loop, mseloss
from linear import restore, simulate, standardise
from minigrad import grad, hessian

np.random.seed(0)
x, y = simulate(100, w=2.0, b=1.0, noise=0.5)
start = initialize_linear_params()

for theta in start, {'w': 100.0, 'b': -100.0}:
    second = hessian(mseloss)(theta, linear_model, x, y)
    print(" ".join(f"d2/d{p}d{q} {second[p][q]:.6f}" for p, q in ["ww", "wb", "bw", "bb"]))
# prints: d2/dwdw 4.248157 d2/dwdb 1.782351 d2/dbdw 1.782351 d2/dbdb 2.000000
# prints: d2/dwdw 4.248157 d2/dwdb 1.782351 d2/dbdw 1.782351 d2/dbdb 2.000000

# %% [markdown]
# `hessian(f)` gives the derivatives of the derivatives: for each pair of parameters, how the slope by the first one changes
# with the second one. It is a dict of dicts, because theta is a dict. The numbers are symmetric. And they are the same at
# both places, because the loss is quadratic: its second derivatives are the constants 2 mean(x x), 2 mean(x) and 2.
#
# ## One step
#
# So the gradient changes evenly: at theta + step, it is exactly g + H step. Here g is the gradient at theta, and H is
# the matrix of the second derivatives. At the bottom of the bowl the gradient is 0. This is the equation H step = -g,
# and its solution leads to the bottom from any place, in one step. There is no learning rate.
#
# For a matrix, the parameters must stand in one vector. `linear_model` takes such a vector if we cut it in two.

# %%
def model_of_vector(v, x):
    return linear_model({'w': v[:-1] if x.ndim == 2 else v[0], 'b': v[-1]}, x)


def newton_step(v, x, y):
    g = grad(mseloss)(v, model_of_vector, x, y)
    H = hessian(mseloss)(v, model_of_vector, x, y)
    return v - np.linalg.solve(H, g)


v = np.array([start['w'], start['b']])
for step in range(3):
    print(f"after {step} steps: w = {v[0]:.10f}, b = {v[1]:.10f}, loss {mseloss(v, model_of_vector, x, y):.10f}")
    v = newton_step(v, x, y)
print("least squares: w = {:.10f}, b = {:.10f}".format(*np.polyfit(x, y, 1)))
# prints: after 0 steps: w = -0.3539939113, b = -1.3749512934, loss 28.4433217843
# prints: after 1 steps: w = 1.9921168777, b = 1.1031924164, loss 0.2481096622
# prints: after 2 steps: w = 1.9921168777, b = 1.1031924164, loss 0.2481096622
# prints: least squares: w = 1.9921168777, b = 1.1031924164

# %% [markdown]
# A loss that is not quadratic needs several steps, because H changes on the way. But near the bottom every loss is nearly
# quadratic. There, each step doubles the number of correct digits. The lowest point of exp(w) - 2 w is at w = log(2):

# %%
w = 0.0
for step in range(6):
    print(f"step {step}   w = {w:.12f}   error {abs(w - np.log(2)):.0e}")
    slope = grad(lambda w: np.exp(w) - 2 * w)
    w = w - slope(w) / grad(slope)(w)
# prints: step 0   w = 0.000000000000   error 7e-01
# prints: step 1   w = 1.000000000000   error 3e-01
# prints: step 2   w = 0.735758882343   error 4e-02
# prints: step 3   w = 0.694042299919   error 9e-04
# prints: step 4   w = 0.693147581060   error 4e-07
# prints: step 5   w = 0.693147180560   error 8e-14

# %% [markdown]
# ## Where descent needs millions of steps
#
# The Longley data are 16 years of the US economy. Six columns predict a seventh, and they nearly all grow together. So
# they can replace one another: there are changes of theta that hardly change the loss. The bowl is a long, flat valley.
# Every bowl of n parameters has n directions, at right angles to each other, along which it is a parabola of its own. The
# second derivatives along these are its curvatures, the eigenvalues of H: `np.linalg.eigvalsh` sorts them from the flattest
# to the steepest. The condition number is the steepest divided by the flattest: 1 for a round bowl, large for a valley.
#
# A part of this comes from the units only. A column with small changes around 1,950 (the year) is nearly a constant, and b
# has a constant already. `standardise` moves and scales each column to mean 0 and standard deviation 1, and `restore`
# translates the parameters back.

# %%
here = Path(__file__).parent if "__file__" in globals() else Path()  # a notebook runs in its own folder
data = np.loadtxt(here / "data" / "longley.csv", delimiter=",", skiprows=1)
x, y = data[:, :-1], data[:, -1]
(z, x_scale), (target, y_scale) = standardise(x), standardise(y)
curvatures = np.linalg.eigvalsh(hessian(mseloss)(np.zeros(7), model_of_vector, z, target))
before = np.linalg.cond(np.column_stack([x, np.ones(len(x))])) ** 2  # H is this matrix, transposed, times itself, times 2/n
print(f"condition number: {before:.0e} before, {curvatures[-1] / curvatures[0]:.0f} after")
# prints: condition number: 2e+19 before, 12220 after

# %% [markdown]
# In the direction of a curvature c, a step of descent multiplies the distance to the bottom by 1 - rate * c (chapter 1). The
# rate must be below 2 / c for the steepest direction, or the walk runs away. For the flattest direction, such a rate is
# far too small. With half of the largest rate, how many steps make the distance ten billion times smaller, for ten
# correct digits? Then the table shows what 3,000 of these steps reach, and what one step of Newton's method reaches. The
# certified answer comes from the agency that publishes the data.

# %%
rate = 1 / curvatures[-1]
print(f"steps for ten digits: {np.log(1e10) / -np.log1p(-rate * curvatures[0]):,.0f}, "
      f"and {np.log(1e10) / -np.log1p(-0.01 * curvatures[0]):,.0f} with the rate 0.01")
_, descended = model_optimization_loop({'w': np.zeros(6), 'b': 0.0}, linear_model, mseloss, z, target, 3000, rate)
v = newton_step(np.zeros(7), z, target)
descended, newton = (restore(theta, x_scale, y_scale) for theta in (descended, {'w': v[:-1], 'b': v[-1]}))

certified = [15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807,
             1829.15146461355, -3482258.63459582]
print(f"{'3,000 steps of descent':>22}{'one step of Newton':>22}{'certified':>22}")
for numbers in zip(np.append(descended['w'], descended['b']), np.append(newton['w'], newton['b']), certified):
    print("".join(f"{number:22.11g}" for number in numbers))
# prints: steps for ten digits: 281,365, and 3,056,181 with the rate 0.01
# prints: 3,000 steps of descent    one step of Newton             certified
# prints:          -16.577678839          15.061872271          15.061872271
# prints:        0.0072799338898       -0.035819179293       -0.035819179293
# prints:          -1.3822836668         -2.0202298038         -2.0202298038
# prints:         -0.85181763054         -1.0332268672         -1.0332268672
# prints:         -0.20292009788       -0.051104105654       -0.051104105654
# prints:           1129.7712812          1829.1514646          1829.1514646
# prints:          -2113495.5734         -3482258.6346         -3482258.6346

# %% [markdown]
# A step costs more: H has n x n numbers for n parameters, and to solve the equation takes about n**3 operations. For the
# seven parameters here, this is nothing. For a network with a million, H does not fit into any memory. So
# networks are trained with gradients. Chapter 9 shows how to multiply by H without having it.
