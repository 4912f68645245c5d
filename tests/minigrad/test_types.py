"""A type checker sees the arguments of what a transform returns: they are the function's own."""

import re

import mypy.api

PROGRAM = """
from functools import partial
from typing import Any

import numpy as np
from linear import adam, dmseloss, linear_model, mseloss
from minigrad import Tensor, checkpoint, custom_vjp, explain, grad, hessian, jacfwd, jacobian, jit, jvp, parts, primitive
from minigrad import program, tree, value_and_grad, vjp

def f(w: float, x: float, *, scale: float = 1.0) -> float:
    return w * x * scale

class Line:
    slope = 2.0

    def at(self, x: float) -> float:
        return self.slope * x

    @grad
    def slope_at(self, x: float) -> float:
        return self.slope * x

    @partial(grad, argnums=1)
    def slope_of_square(self, x: float) -> float:
        return self.slope * x * x

    def __call__(self, w: float, x: float) -> float:
        return self.slope * w * x

@grad
def slope(w: float) -> float:
    return w * w

@primitive
def cube(x: float) -> float:
    return x ** 3

@custom_vjp
def square(x: float) -> float:
    return x ** 2

def total(t: Tensor) -> Any:
    t[0] = 1.0
    t += 1
    return t.sum() + np.sum(t.T @ t) + t.max()

x = np.arange(3.0)
grad(f)(1.0, 2.0)
grad(f)(1.0, x=2.0, scale=3.0)
grad(f, argnums=(0, 1))(1.0, 2.0)
grad(f, (0, 1), has_aux=True, allow_int=True)(1.0, 2.0)
value_and_grad(f, argnames="x")(1.0, 2.0)
value, gradient = value_and_grad(f)(1.0, 2.0)
grad(fun=f)(1.0, 2.0)
grad(lambda w: w * w)(1.0)
grad(partial(f, scale=2.0))(1.0, 2.0)
grad(np.sin)(0.0)
grad(grad(np.sin))(0.0)
jacobian(np.sin)(x)
jacobian(grad(np.logaddexp))(x, x)
hessian(f)(1.0, 2.0)
checkpoint(f)(1.0, 2.0)
checkpoint(np.tanh)(x)
jit(np.tanh)(x)
jit(grad(f), backend="numpy")(1.0, 2.0)
explain(np.sin)(1.0).save("page.html")
program(value_and_grad(f), simplify=False)(1.0, 2.0).source
out, back = vjp(f, 1.0, 2.0)
out, change = jvp(np.sin, (x,), (x,))
parts.value_and_grad(f, tasks=2)(1.0, [(x, x)])
tree.map(lambda a, b: a + b, {"w": 1.0}, {"w": 2.0})
grad(Line())(1.0, 2.0)
grad(Line().at)(1.0)
Line().slope_at(1.0)
Line().slope_of_square(1.0)
slope(1.0)
cube(2.0) + 1
grad(grad(cube))(2.0)
square.defvjp(lambda x: (x ** 2, x), lambda x, g: (g * 2 * x,))
grad(square)(2.0)
dmseloss({"w": 1.0, "b": 0.0}, linear_model, 1.0, 2.0)
losses, theta = adam({"w": 1.0, "b": 0.0}, linear_model, mseloss, x, x)
grad(f)(1.0)  # Too few arguments
grad(f)(1.0, 2.0, 3.0)  # Too many positional arguments
grad(f)(1.0, 2.0, factor=3.0)  # Unexpected keyword argument "factor"
grad(f)("w", 2.0)  # Argument 1 has incompatible type "str"; expected "float"
grad(grad(f))(1.0)  # Too few arguments
grad(Line())(1.0)  # Too few arguments
grad(Line().at)()  # Too few arguments
value_and_grad(f)(1.0)  # Too few arguments
jacobian(f)(1.0)  # Too few arguments
jacfwd(f)(1.0)  # Too few arguments
hessian(grad(f))(1.0)  # Too few arguments
jit(f)(1.0)  # Too few arguments
checkpoint(f)()  # Too few arguments
dmseloss({"w": 1.0, "b": 0.0}, linear_model, 1.0)  # Too few arguments
Line().slope_at()  # Missing positional argument "x" in call to "slope_at" of "Line"
slope()  # Missing positional argument "w" in call to "slope"
cube()  # Missing positional argument "x" in call to "cube"
"""


def test_wrong_arguments_are_found(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    output, errors, _ = mypy.api.run([str(tmp_path / "program.py"), f"--cache-dir={tmp_path}"])
    found = re.findall(r"program\.py:(\d+): error: (.*?)  \[", output)
    expected = [(str(i), text) for i, line in enumerate(PROGRAM.splitlines(), 1) for text in re.findall(r"  # (.*)", line)]
    assert found == expected and errors == ""
