# %% [markdown]
# # 9. Derivatives inside derivatives
#
#     python examples/09_nested_derivatives.py
#
# `grad(f)` is a function, so `grad` can be applied to it, and it can be called inside of a function that is
# differentiated itself. This chapter shows what can go wrong there, how minigrad avoids it, and what it gives for free: second
# derivatives, and derivatives in the forward direction.
#
# ## An engine that gets it wrong
#
# There is a simpler engine than the one of chapter 2. It carries the slope of every number along with the number:

# %%
import numpy as np

from minigrad import grad, hvp, jacfwd, jvp, vjp


class Dual:
    def __init__(self, value, slope): self.value, self.slope = value, slope
    def __add__(self, other): return Dual(self.value + other.value, self.slope + other.slope)
    def __mul__(self, other): return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)


def derivative(f):
    return lambda x: f(Dual(x, x * 0 + 1)).slope

print(derivative(lambda x: x * x * x)(2.0), "should be", 3 * 2.0 ** 2)
# prints: PLACE
