# %% [markdown]
# # 1. What a derivative is
#
#     python examples/01_what_a_derivative_is.py
#
# Each chapter of this tour is a program. It prints what stands behind "prints:". The marks `# %%` divide it into
# cells: many editors show such a file as a notebook, and can run one cell at a time.
#
# The question of this chapter is the question of the whole project. A function is given as a piece of code. If its
# argument changes a little, how much does its result change?

# %%
from minigrad import grad


def f(w):
    return w**2 + 3*w - 5

# %% [markdown]
# ## By hand
#
# Let w grow by a small step h. Then the result grows by `f(w + h) - f(w)`, and that is `2*w*h + h**2 + 3*h`. Divide
# this by h: for each unit of the step, the result grows by `2*w + 3 + h`. Now let h become smaller and smaller. What
# remains is the derivative, `2*w + 3`, the slope of the curve at w. The rules that are taught at school give the same
# at once: the derivative of `w**2` is `2*w`, the derivative of `3*w` is 3, and the derivative of a constant is 0.

# %%
def derivative_by_hand(w):
    return 2*w + 3


print(derivative_by_hand(4.0))
# prints: 11.0

# %% [markdown]
# ## By finite differences
#
# A computer can take a small step and divide. This is a finite difference. It needs no rules. It needs only the values
# of the function. But how small should the step be?

# %%
for h in 1.0, 1e-2, 1e-4, 1e-8, 1e-12, 1e-14, 1e-16:
    slope = (f(4.0 + h) - f(4.0)) / h
    print(f"step {h:5.0e}   slope {slope:12.9f}   error {abs(slope - 11):5.0e}")
# prints: step 1e+00   slope 12.000000000   error 1e+00
# prints: step 1e-02   slope 11.010000000   error 1e-02
# prints: step 1e-04   slope 11.000100000   error 1e-04
# prints: step 1e-08   slope 10.999999844   error 2e-07
# prints: step 1e-12   slope 10.999201550   error 8e-04
# prints: step 1e-14   slope 10.658141036   error 3e-01
# prints: step 1e-16   slope  0.000000000   error 1e+01

# %% [markdown]
# If the step is too large, the curve bends on the way. The error is h, as we found by hand. If the step is too small,
# rounding spoils the result. A float has about 16 digits. The values f(4 + h) and f(4) are near 23, so each of them
# has an error of about 1e-15. Their difference keeps such an error, and the division by h makes it large. The last
# step is so small that 4 + h is rounded to 4: the function seems to be flat. The best step lies between, near 1e-8,
# and even there half of the digits are lost.
#
# There is a second price. To know the slopes of a function of a million numbers, one needs a million steps.
#
# ## By `grad`
#
# `grad` is automatic differentiation. It does what we did by hand: it applies the rules. It applies them to each
# operation of the program, at the numbers that the program meets. There is no step, so there is no such error. And
# one call gives the slopes for all arguments, even if there are a million. Chapter 2 shows how this is possible.

# %%
df = grad(f)
for w in -3.0, -1.5, 0.0, 4.0:
    print(f"w = {w:4.1f}   by hand {derivative_by_hand(w):4.1f}   by grad {df(w):4.1f}")
# prints: w = -3.0   by hand -3.0   by grad -3.0
# prints: w = -1.5   by hand  0.0   by grad  0.0
# prints: w =  0.0   by hand  3.0   by grad  3.0
# prints: w =  4.0   by hand 11.0   by grad 11.0

# %% [markdown]
# ## Walking downhill
#
# The sign of the slope says which way is up. A step against it goes down. If the step is a multiple of the slope, it
# is long where the hill is steep, and short near the bottom. This is gradient descent. The multiple is the learning
# rate.

# %%
w, learning_rate = 4.0, 0.1
for step in range(51):
    if step in (0, 1, 2, 5, 10, 20, 50):
        print(f"step {step:2}   w = {w:9.6f}   f(w) = {f(w):9.6f}   slope {df(w):9.6f}")
    w = w - learning_rate * df(w)
# prints: step  0   w =  4.000000   f(w) = 23.000000   slope 11.000000
# prints: step  1   w =  2.900000   f(w) = 12.110000   slope  8.800000
# prints: step  2   w =  2.020000   f(w) =  5.140400   slope  7.040000
# prints: step  5   w =  0.302240   f(w) = -4.001931   slope  3.604480
# prints: step 10   w = -0.909442   f(w) = -6.901241   slope  1.181116
# prints: step 20   w = -1.436589   f(w) = -7.245979   slope  0.126821
# prints: step 50   w = -1.499922   f(w) = -7.250000   slope  0.000157

# %% [markdown]
# The walk ends where the slope is 0. By hand: `2*w + 3` is 0 at w = -1.5, and f(-1.5) is -7.25. Each step multiplies
# the distance to -1.5 by `1 - 2*learning_rate`, here by 0.8. So a small rate is slow. A large one is dangerous. With
# 0.9, the factor is -0.8, and the walk jumps across the valley at every step, but it arrives. With 1.1 the factor is
# -1.2, and every jump ends higher than it began.

# %%
for learning_rate in 0.001, 0.1, 0.9, 1.1:
    w = 4.0
    for step in range(50):
        w = w - learning_rate * df(w)
    print(f"learning rate {learning_rate:5}   w after 50 steps {w:13.6f}")
# prints: learning rate 0.001   w after 50 steps      3.476107
# prints: learning rate   0.1   w after 50 steps     -1.499922
# prints: learning rate   0.9   w after 50 steps     -1.499922
# prints: learning rate   1.1   w after 50 steps  50050.909825

# %% [markdown]
# A model with a million parameters learns in the same way: it walks downhill on its loss. Chapter 4 does it with two
# parameters.
