# %% [markdown]
# # 9. Derivatives inside derivatives
#
#     python examples/09_nested_derivatives.py
#
# `grad(f)` is a function. So it can be differentiated again, and it can be called inside of a function that is being
# differentiated. This chapter shows what can go wrong there, and what one gets for nothing if it goes right: derivatives
# of any order, and derivatives in the forward direction.
#
# ## An engine that gets it wrong
#
# There is an engine that is simpler than the one of chapter 2. Each number carries its slope along:

# %%
import numpy as np

from minigrad import grad, hessian, hvp, jvp, vjp


class Dual:
    def __init__(self, value, slope=0.0): self.value, self.slope = value, slope
    def __add__(a, b): b = dual(b); return Dual(a.value + b.value, a.slope + b.slope)
    def __mul__(a, b): b = dual(b); return Dual(a.value * b.value, a.slope * b.value + a.value * b.slope)
    __radd__, __rmul__ = __add__, __mul__


def dual(number): return number if isinstance(number, Dual) else Dual(number)
def naive(f): return lambda x: dual(f(Dual(x, 1.0))).slope


def cube(x): return x * x * x
print(naive(cube)(2.0), naive(naive(cube))(2.0), naive(naive(naive(cube)))(2.0))
# prints: 12.0 12.0 6.0

# %% [markdown]
# The derivatives of x**3 at 2 are 12, 12 and 6. So it seems to work. Now an inner derivative that uses the variable of
# the outer one. The inner function is y -> x + y. Its slope is 1, whatever x is. So the outer function is x -> x * 1,
# and the answer is 1.

# %%
def inner(d, x): return d(lambda y: x + y)(1.0)


print("naive:", naive(lambda x: x * inner(naive, x))(1.0), "  grad:", grad(lambda x: x * inner(grad, x))(1.0))
# prints: naive: 2.0   grad: 1.0

# %% [markdown]
# The naive engine says 2. In `x + y`, both numbers carry a slope, 1 and 1, and it adds them. But they are slopes in
# different directions: one belongs to the outer call, the other to the inner one. To the inner call, x is a constant. This
# mistake is called perturbation confusion.
#
# ## Levels
#
# minigrad calls your function with Tensors. A Tensor is a value together with its node in the graph. Each call of `grad`
# has a level, a number that grows, and a Tensor knows the level that it belongs to. An operation belongs to the
# highest level among its operands, and everything else is a constant to that level. So `x + y` is recorded in the inner
# graph with a single parent, y. Its value is computed by the same `x + y`, now with a plain number in place of y. So it
# is recorded once more, in the outer graph. The result is a Tensor of the inner level, with a Tensor of the outer one in it:

# %%
def show(x, y):
    print("x:", x, "  y:", y, "  x + y:", x + y)
    return x + y


grad(lambda x: grad(lambda y: show(x, y))(1.0))(1.0)
# prints: x: Tensor(1.0)   y: Tensor(1.0)   x + y: Tensor(Tensor(2.0))

# %% [markdown]
# The inner backward pass runs on the values in the inner Tensors. They are Tensors of the outer level. So the inner
# backward pass is itself recorded, like any other NumPy code, and the outer one can go back over it. That is all there
# is to a nested `grad`. It asks one thing of the rules: they must be written with NumPy functions that have rules.

# %%
f = np.sin
for order in range(5):
    print(f"derivative {order} of sin at 1: {f(1.0):7.4f}")
    f = grad(f)
# prints: derivative 0 of sin at 1:  0.8415
# prints: derivative 1 of sin at 1:  0.5403
# prints: derivative 2 of sin at 1: -0.8415
# prints: derivative 3 of sin at 1: -0.5403
# prints: derivative 4 of sin at 1:  0.8415

# %% [markdown]
# ## Forwards, out of two steps backwards
#
# Let f have 3 arguments and 2 results. Its first derivatives form a matrix J, with 2 rows and 3 columns. The naive engine
# computes J t: how fast do the results change if the arguments move along t? A backward pass computes g -> J^T g. How
# can one get J t out of backward passes alone?
#
# The function g -> J^T g is linear. The derivative of a linear function is its own matrix, here J^T, at every point, as
# the derivative of g -> 3 g is 3 everywhere. A backward pass multiplies by the transposed matrix of derivatives. So a
# backward pass over g -> J^T g is t -> (J^T)^T t = J t. It does not matter at which g: below, it is 0. `jvp` does this,
# and so no rule has to be written twice.

# %%
def f(x):
    return np.stack([x[0] * x[1], np.sin(x[2])])


x, t = np.array([2.0, 3.0, 0.0]), np.array([1.0, 10.0, 100.0])
J = np.array([[3.0, 2.0, 0.0], [0.0, 0.0, 1.0]])  # by hand

_, backwards = vjp(f, x)  # g -> J^T g, in a tuple: it has a place for each argument of f
print("J^T g:", backwards(np.array([1.0, 5.0]))[0], "by hand", J.T @ [1.0, 5.0])
_, forwards = vjp(backwards, np.zeros(2))  # t -> J t
print("J t:  ", forwards((t,))[0], "by hand", J @ t, "by jvp", jvp(f, (x,), (t,))[1])
# prints: J^T g: [3. 2. 5.] by hand [3. 2. 5.]
# prints: J t:   [ 23. 100.] by hand [ 23. 100.] by jvp [ 23. 100.]

# %% [markdown]
# ## H v without H
#
# The derivative of `grad(f)` along v is H v, where H is the matrix of the second derivatives. `jvp` of `grad(f)` computes it
# without the matrix: the forward direction goes over a backward pass. `hvp` is a shorter name for this. With 2,000
# parameters, H would have four million numbers, and H v has only 2,000.

# %%
def chained(x):
    return np.sum(np.cosh(x[1:] - x[:-1]))


x, v = np.linspace(0, 1, 5), np.arange(5.0)
print("from H:      ", hessian(chained)(x) @ v)
print("jvp of grad: ", jvp(grad(chained), (x,), (v,))[1])
print("hvp:         ", hvp(chained, (x,), (v,)))
print("2,000 numbers:", hvp(chained, (np.linspace(0, 1, 2000),), (np.ones(2000),)).shape)
# prints: from H:       [-1.0314131  0.         0.         0.         1.0314131]
# prints: jvp of grad:  [-1.0314131  0.         0.         0.         1.0314131]
# prints: hvp:          [-1.0314131  0.         0.         0.         1.0314131]
# prints: 2,000 numbers: (2000,)
