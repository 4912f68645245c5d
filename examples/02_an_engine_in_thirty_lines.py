# %% [markdown]
# # 2. An engine in thirty lines
#
#     python examples/02_an_engine_in_thirty_lines.py
#
# A program is made of simple operations, and each has a simple derivative. The chain rule puts them together. Take
# `a = x * x` and `y = sin(a)`. If x grows by a small step, a grows by `2*x` times this step, and y grows by `cos(a)`
# times the step of a. So y grows by `cos(a) * 2*x` times the step of x: along a way from x to y, the derivatives are
# multiplied. If several ways lead from x to y, their products are added. An engine in reverse mode goes backwards,
# from y to x.
#
# So it has to remember how each value was made: from which values, its parents, and for each parent a function that
# carries the derivative back to it. This function is the VJP (vector-Jacobian product). It takes g, the cotangent of
# the value: the derivative of the final result by this value. It returns the share that the parent gets.

# %%
import math
from collections import defaultdict
from itertools import count

import numpy as np

from minigrad import explain

numbers = count()


class Value:
    def __init__(self, value, parents=()):
        self.value, self.parents, self.number = value, parents, next(numbers)

    def __add__(self, other):
        return Value(self.value + other.value, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Value(self.value * other.value, [(self, lambda g: g * other.value), (other, lambda g: g * self.value)])


def sin(x):
    return Value(math.sin(x.value), [(x, lambda g: g * math.cos(x.value))])


def derivative(f, x, backward):
    x, sums = Value(x), defaultdict(float)  # for each value the sum of its shares: its cotangent
    backward(f(x), 1.0, sums)
    return sums[x]

# %% [markdown]
# The backward pass begins at the result, whose cotangent is 1, and ends at x. Three simple ways to write it look right,
# and are wrong. **The first** puts a share in the place of the share before. But `x * x` uses x twice, and both shares
# count.

# %%
def overwriting(node, g, sums):
    for parent, vjp in node.parents:
        sums[parent] = vjp(g)
        overwriting(parent, sums[parent], sums)


print("x * x at 3:", derivative(lambda x: x * x, 3.0, overwriting), "is wrong: 2 * x is", 2 * 3.0)
# prints: x * x at 3: 3.0 is wrong: 2 * x is 6.0

# %% [markdown]
# **The second** adds. But a node hands on its whole sum each time that it is reached. In `a + a` with `a = x * x`, a
# is reached twice. It hands on 1 the first time, and 1 + 1 the second time, so the first share is counted twice.

# %%
def counting_twice(node, g, sums):
    for parent, vjp in node.parents:
        sums[parent] += vjp(g)
        counting_twice(parent, sums[parent], sums)


def double(a):
    return a + a


print("a + a at 3:", derivative(lambda x: double(x * x), 3.0, counting_twice), "is wrong: 4 * x is", 4 * 3.0)
# prints: a + a at 3: 18.0 is wrong: 4 * x is 12.0

# %% [markdown]
# **The third** hands on only the share that has just arrived. The result is right. But this program walks every way
# from the result to x, and if a value is doubled n times, there are `2**n` ways. A hundred doublings would never end.

# %%
def exponential(node, g, sums):
    sums["calls"] += 1
    for parent, vjp in node.parents:
        sums[parent] += vjp(g)
        exponential(parent, vjp(g), sums)


x = y = Value(1.0)
for _ in range(16):
    y = double(y)
sums = defaultdict(float)
exponential(y, 1.0, sums)
print(f"16 doublings: {sums[x]:.0f} is right, after {sums['calls']:.0f} calls")
# prints: 16 doublings: 65536 is right, after 131071 calls

# %% [markdown]
# Could each node hand on its sum only once, when it is first reached? Then a would hand on 1 and not 2, because its
# second share comes too late. This is why **the backward pass needs an order**. A node may be visited only when its
# cotangent is complete: after all nodes that use it. Such an order is easy to find. A value exists before it is used,
# so the nodes that use it are newer, and have larger numbers. Visit the newest node first.

# %%
def newest_first(node, g, sums):
    sums[node], pending = g, {node}
    while pending:
        node = max(pending, key=lambda node: node.number)
        pending.remove(node)
        for parent, vjp in node.parents:
            sums[parent] += vjp(sums[node])
            pending.add(parent)


sums = defaultdict(float)
newest_first(y, 1.0, sums)
print("x * x at 3:", derivative(lambda x: x * x, 3.0, newest_first))
print("a + a at 3:", derivative(lambda x: double(x * x), 3.0, newest_first))
print(f"16 doublings: {sums[x]:.0f}, after {len(sums)} visits")
print(f"x * x + sin(x) at 2: {derivative(lambda x: x * x + sin(x), 2.0, newest_first):.6f} is {4 + math.cos(2):.6f}")
# prints: x * x at 3: 6.0
# prints: a + a at 3: 12.0
# prints: 16 doublings: 65536, after 17 visits
# prints: x * x + sin(x) at 2: 3.583853 is 3.583853

# %% [markdown]
# `minigrad/graph.py` does the same. A `Node` has a number and its parents with their VJPs, and `backward` is this
# loop, where a heap finds the newest node. Neither loop is a recursion, which Python would end after a thousand
# calls. `explain` knows in which order minigrad visited the nodes, and `print(explain(f)(2.0))` shows every number.
#
# One thing is different. Here, a node is the value itself, so the graph keeps all values. A node of minigrad keeps
# only its number, shape and dtype, its parents, and what their VJPs need: of a product the other factor, of a sum
# nothing.

# %%
def f(x):
    return x * x + np.sin(x)


print("minigrad visited:", *(visit.operation.title for visit in explain(f)(2.0).trace.visits))
# prints: minigrad visited: np.add np.sin np.multiply
