"""An error in the backward pass gets a note that names the line of the operation, however the operation is written.

`broken` makes the backward pass fail at one operation.
"""

import inspect

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, defvjp, grad, primitive
from minigrad.graph import Node
from minigrad.guards import Lines
from minigrad.tensor import GradLevel

from .support import note, notes, place


def fail(g):
    raise KeyError("no derivative")


@primitive
def broken(y):
    """The same value; but the backward pass fails here."""
    return y + 0.0


defvjp(broken, y=fail)


@primitive
def shifted(x, by=1.0):
    return x + by


defvjp(shifted, x=lambda g, by=1.0: g)
COLUMN = np.array([[1.0], [2.0]])
OPERATIONS = [
    lambda x: x + 1.0,
    lambda x: 1.0 + x,
    lambda x: x + x,
    lambda x: x - 1.0,
    lambda x: 1.0 - x,
    lambda x: x * 2.0,
    lambda x: 2.0 * x,
    lambda x: COLUMN * x,
    lambda x: x * x,
    lambda x: x / 2.0,
    lambda x: 2.0 / x,
    lambda x: x**2,
    lambda x: x**3,
    lambda x: 2.0**x,
    lambda x: x**x,
    lambda x: x % 0.7,
    lambda x: 7.0 % x,
    lambda x: x @ COLUMN,
    lambda x: COLUMN.T @ x,
    lambda x: -x,
    lambda x: abs(x),
    lambda x: divmod(x, 0.7)[1],
    lambda x: x[0],
    lambda x: x[::-1],
    lambda x: x[np.array([0, 1, 1])],
    lambda x: x[x > 1.0],
    lambda x: np.add(x, 1.0),
    lambda x: np.add(1.0, x),
    lambda x: np.multiply(COLUMN, x),
    lambda x: np.subtract(x, x),
    lambda x: np.divide(1.0, x),
    lambda x: np.matmul(x, COLUMN),
    lambda x: np.power(x, 3.0),
    lambda x: np.negative(x),
    lambda x: np.sin(x),
    lambda x: np.exp(x),
    lambda x: np.sqrt(x),
    lambda x: np.maximum(x, 1.0),
    lambda x: np.add.reduce(x),
    lambda x: np.modf(x)[0],
    lambda x: np.sum(x),
    lambda x: np.mean(x, axis=0),
    lambda x: np.max(x),
    lambda x: np.reshape(x, (2, 1)),
    lambda x: np.concatenate([x, x]),
    lambda x: np.stack([x, np.ones(2)]),
    lambda x: np.where(x > 1.0, x, 0.0),
    lambda x: np.dot(x, x),
    lambda x: np.square(x),
    lambda x: np.abs(x),
    lambda x: np.transpose(x),
    lambda x: x.sum(),
    lambda x: x.sum(axis=0),
    lambda x: x.mean(),
    lambda x: x.max(),
    lambda x: x.prod(),
    lambda x: x.std(),
    lambda x: x.dot(x),
    lambda x: x.reshape(2, 1),
    lambda x: x.reshape((2, 1)),
    lambda x: x.ravel(),
    lambda x: x.flatten(),
    lambda x: x.T,
    lambda x: x.transpose(),
    lambda x: x.flat[1:],
    lambda x: x.astype(np.float32),
    lambda x: list(x)[1],
    lambda x: sum(x),
    lambda x: shifted(x),
    lambda x: shifted(x=x, by=2.0),
]


def noted_lines(case, x):
    """What is noted of the operations of a function, at a level that notes lines."""
    lines = Lines()
    level = GradLevel(lines)
    case(Tensor(x, Node(x), level))
    level.close()
    return set(lines.lines.values())


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda f: inspect.getsource(f).strip().rstrip(",")[10:])
@pytest.mark.parametrize("x", [np.array([0.8, 1.7])], ids=["array"])
def test_the_line_of_an_operation_is_noted(case, x):
    assert noted_lines(case, x) == {place(case)}


SCALAR_OPERATIONS = [
    lambda x: x + 1.0,
    lambda x: 2.0 * x,
    lambda x: x * x,
    lambda x: x / 2.0,
    lambda x: x**2,
    lambda x: 2.0**x,
    lambda x: -x,
    lambda x: x % 0.7,
    lambda x: np.sin(x),
    lambda x: np.add(x, 1.0),
    lambda x: shifted(x),
]


@pytest.mark.parametrize("case", SCALAR_OPERATIONS, ids=lambda f: inspect.getsource(f).strip().rstrip(",")[10:])
def test_the_line_of_an_operation_on_numbers_is_noted(case):
    for x in (0.8, np.float64(0.8), np.array(0.8)):
        assert noted_lines(case, x) == {place(case)}


def several_lines(x):
    y = np.sin(
        x
        * 2.0
    )
    z = y + 1.0
    return (
        z
        * broken(x**2)  # here
        + y
    ).sum()


def in_a_loop(x):
    for i in range(5):
        x = x * 1.5
        if i == 3:
            x = broken(x + 1.0)  # here
    return x.sum()


def helped(x):
    def helper(y):
        return broken(np.exp(y))  # here

    helped.helper = helper
    return (helper(x * 2.0) * 3.0).sum()


class Chain:
    def forward(self, x):
        return broken(np.tanh(x))  # here

    def __call__(self, x):
        return self.forward(x).sum()


def test_the_note_names_the_line_and_function_in_longer_programs():
    x = np.array([0.8, 1.7])
    assert notes(grad(several_lines), x) == note(place(several_lines))
    assert notes(grad(in_a_loop), x) == note(place(in_a_loop))
    found = notes(grad(helped), x)
    assert found == note(place(helped.helper))
    assert notes(grad(Chain()), x) == note(place(Chain.forward))


def test_a_file_beside_minigrad_whose_name_begins_like_it_is_the_user_s():
    filename = inspect.getsourcefile(minigrad).replace("__init__.py", "").rstrip("\\/") + "_example.py"
    names = {"np": np, "broken": broken, "__name__": "minigrad_example"}
    exec(compile("def f(x):\n    return broken(np.stack([x, x])).sum()\n", filename, "exec"), names)
    assert notes(grad(names["f"]), np.ones(2)) == note(f"{filename}, line 2, in f")
