# %% [markdown]
# # 10. A rule of your own
#
#     python examples/10_a_rule_of_your_own.py
#
# minigrad knows the derivatives of NumPy's functions from a table. Its lines look like this:
#
#     defvjp(np.add,      a=lambda g: g,         b=lambda g: g)
#     defvjp(np.multiply, a=lambda g, b: g * b,  b=lambda g, a: g * a)
#     defvjp(np.sin,      x=lambda g, x: g * np.cos(x))
#     defvjp(np.exp,      x=lambda g, y: g * y)
#
# Each argument has a function, its VJP. It gets g, the cotangent of the result, and returns the cotangent of the argument.
# In this chapter we add a line.
#
# ## What a node keeps
#
# The backward pass comes later than the operation. What a rule needs until then, the node must keep: these are its
# residuals. The names of the parameters say what it needs. The name of an argument asks for that argument, `y` asks for the
# result, and `x_shape` for the shape of the argument x. A node keeps what its rule names, and nothing else. The rule of
# `np.add` names nothing, so a sum keeps no array alive. `profile` shows the bytes:

# %%
import numpy as np

from minigrad import check_grads, defvjp, grad, primitive, profile, stop_gradient


def loss(w):
    return np.sum(np.exp(np.sin(w * points + 1)))


def print_kept(f, x):
    print(", ".join(f"{entry.title} {entry.kept:,}" for entry in profile(f)(x).entries))


points = np.linspace(-2, 2, 1000)  # 8,000 bytes
print_kept(loss, 3.0)
# prints: np.multiply 8,000, np.add 0, np.sin 8,000, np.exp 8,000, np.sum 0

# %% [markdown]
# The product keeps `points`, for the derivative by w. The addition keeps nothing. The sine keeps its argument, and exp its
# own result. The sum keeps only the shape of its argument. (What is kept stays as it was: if an array could be changed
# later, the node keeps a copy.)
#
# ## A new function
#
# log(cosh(x)) is a smooth form of the absolute value. But cosh overflows where x is above 710. This form does not:

# %%
def log_cosh(x):
    a = np.abs(x)
    return a + np.log1p(np.exp(-2 * a)) - np.log(2)


print(f"{log_cosh(1.0):.12f} = {np.log(np.cosh(1.0)):.12f}, and log_cosh(1000.0) = {log_cosh(1000.0):.6f}")
print_kept(lambda x: np.sum(log_cosh(x)), points)
# prints: 0.433780830483 = 0.433780830483, and log_cosh(1000.0) = 999.306853
# prints: np.absolute 8,000, np.multiply 0, np.exp 8,000, np.log1p 0, np.add 0, np.subtract 0, np.sum 0

# %% [markdown]
# minigrad differentiates it as it is, step by step, and keeps two arrays. (The logarithm needs the result of exp. It is
# kept already, so it is counted once.) On paper, the derivative is just tanh(x), and needs x alone. So let us make the
# function one operation with a rule. `primitive` makes it one operation, whatever it does inside: it may even call
# compiled code, into which minigrad cannot look. `defvjp` adds the line. Here is a first try, with a mistake, and
# `check_grads`, which compares a derivative with finite differences:

# %%
log_cosh = primitive(log_cosh)
defvjp(log_cosh, x=lambda g, x: g * np.sinh(x))

try:
    check_grads(log_cosh, [0.5])
except AssertionError as error:
    print(*str(error).split("\n    ")[:4], sep="\n")
# prints: jvp of f differs from finite differences by the leaf args[0]:
# prints: along the direction 0.1257
# prints: minigrad            -0.008655170865
# prints: finite differences  -0.007675568967

# %% [markdown]
# A rule that is defined again replaces the old one. With the right one, `check_grads` has nothing to say. It checks both
# directions, backwards and forwards, up to the order that it is told. Higher derivatives need no further rules: the rule
# is NumPy code, so minigrad can differentiate it (chapter 9).

# %%
defvjp(log_cosh, x=lambda g, x: g * np.tanh(x))

check_grads(log_cosh, [points[::100]], order=3)
print("slope at 1000:", grad(log_cosh)(1000.0), "  second derivative at 0:", grad(grad(log_cosh))(0.0))
print_kept(lambda x: np.sum(log_cosh(x)), points)
# prints: slope at 1000: 1.0   second derivative at 0: 1.0
# prints: __main__.log_cosh 8,000, np.sum 0

# %% [markdown]
# The rule says nothing of broadcasting. If a vector meets a matrix in one operation, the backward pass sums the cotangent to
# the vector's shape, for all rules alike (chapter 3). A rule for a function with a keyword, such as `axis`, has a
# parameter of that name with a default. A call with a keyword that the rule does not know is refused.
#
# A name that means nothing is refused at once:

# %%
try:
    defvjp(log_cosh, x=lambda g, z: g * np.tanh(z))
except TypeError as error:
    print(error)
# prints: a rule for __main__.log_cosh can name x, y, x_shape, y_shape, but not z

# %% [markdown]
# ## Two other ways
#
# `custom_vjp` is JAX's way to the same end. Its forward function returns the value and whatever the backward function should
# get, so it can keep an intermediate result, which is neither an argument nor the result.
#
# `stop_gradient(x)` is x, but a constant. Rounding has slope 0 everywhere. With it, one can give it the slope 1, as
# if it were not there:

# %%
def round_with_slope(x):
    return x + stop_gradient(np.round(x) - x)


print("value", round_with_slope(2.7), " slope", grad(round_with_slope)(2.7), " slope of round", grad(np.round)(2.7))
# prints: value 3.0  slope 1.0  slope of round 0.0
