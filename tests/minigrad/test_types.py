"""A type checker sees the arguments of what a transform returns: they are the function's own."""

import re

import mypy.api

PROGRAM = """
import numpy as np
from linear import dmseloss, linear_model
from minigrad import checkpoint, grad, hessian, jacfwd, jacobian, jit, value_and_grad

def f(w: float, x: float, *, scale: float = 1.0) -> float:
    return w * x * scale

grad(f)(1.0, 2.0)
grad(f)(1.0, x=2.0, scale=3.0)
grad(f, argnums=(0, 1))(1.0, 2.0)
value_and_grad(f, argnames="x")(1.0, 2.0)
grad(lambda w: w * w)(1.0)
grad(np.sin)(0.0)
grad(grad(np.sin))(0.0)
hessian(f)(1.0, 2.0)
checkpoint(f)(1.0, 2.0)
dmseloss({"w": 1.0, "b": 0.0}, linear_model, 1.0, 2.0)
grad(f)(1.0)  # Too few arguments
grad(f)(1.0, 2.0, 3.0)  # Too many positional arguments
grad(f)(1.0, 2.0, factor=3.0)  # Unexpected keyword argument "factor"
grad(f)("w", 2.0)  # Argument 1 has incompatible type "str"; expected "float"
value_and_grad(f)(1.0)  # Too few arguments
jacobian(f)(1.0)  # Too few arguments
jacfwd(f)(1.0)  # Too few arguments
hessian(grad(f))(1.0)  # Too few arguments
jit(f)(1.0)  # Too few arguments
checkpoint(f)()  # Too few arguments
dmseloss({"w": 1.0, "b": 0.0}, linear_model, 1.0)  # Too few arguments
"""


def test_wrong_arguments_are_found(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    output, errors, _ = mypy.api.run([str(tmp_path / "program.py"), f"--cache-dir={tmp_path}"])
    found = re.findall(r"program\.py:(\d+): error: (.*?)  \[", output)
    expected = [(str(i), text) for i, line in enumerate(PROGRAM.splitlines(), 1) for text in re.findall(r"  # (.*)", line)]
    assert found == expected and errors == ""
