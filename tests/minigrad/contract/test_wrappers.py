"""Contract A14: the function that grad returns, and the functions that it accepts.

Not here: A14.30, JAX's own vectorize (numpy's is refused, see below).
"""

import functools
import inspect
import math
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import minigrad

from .support import check, differs, rows, same


def my_f(x: float, y=2, *, k=None) -> float:
    "The doc."
    return x * x


my_f.tag = 7
my_f.box = [1]


class Square:
    "The doc of the class."

    def __call__(self, x):
        return x * x


class Model:
    a = 3.0

    def method(self, x):
        return self.a * x * x

    @classmethod
    def of_class(cls, x):
        return cls.a * x * x

    @staticmethod
    def static(x):
        return x * x


# ---- What it is called ----------------------------------------------------------------------------------------------


@rows(
    same("A14.1", lambda m: m.grad(my_f).__name__),
    same("A14.1 value_and_grad", lambda m: m.value_and_grad(my_f).__name__),
    same("A14.1 jacrev", lambda m: m.jacrev(my_f).__name__),
    same("A14.1 hessian", lambda m: m.hessian(my_f).__name__),
    same("A14.1 checkpoint", lambda m: m.checkpoint(my_f).__name__),
    same("A14.1 custom_vjp", lambda m: m.custom_vjp(my_f).__name__),
    same("A14.2", lambda m: m.grad(my_f).__qualname__),
    same("A14.2 of a method", lambda m: m.grad(Model.method, 1).__qualname__),
    same("A14.2 of a local function", lambda m: m.grad((lambda: lambda x: x)()).__qualname__.split(".")[-2:]),
    same("A14.3", lambda m: "radient of my_f with respect to " in m.grad(my_f).__doc__),
    differs("A14.3 the function's own", lambda m: m.grad(my_f).__doc__.endswith("The doc."), True),
    same("A14.4", lambda m: ["alue" in m.value_and_grad(my_f).__doc__, "radient" in m.value_and_grad(my_f).__doc__]),
    same("A14.4 name", lambda m: " of my_f" in m.value_and_grad(my_f).__doc__),
    same("A14.5", lambda m: "radient of my_f with respect to " in m.grad(my_f, argnums=(1, 0)).__doc__),
    same("A14.6", lambda m: m.grad(my_f).__wrapped__ is my_f),
    same("A14.6 value_and_grad", lambda m: m.value_and_grad(my_f).__wrapped__ is my_f),
    same("A14.6 jacrev", lambda m: m.jacrev(my_f).__wrapped__ is my_f),
    same("A14.6 jacfwd", lambda m: m.jacfwd(my_f).__wrapped__ is my_f),
    same("A14.7", lambda m: str(inspect.signature(m.grad(my_f)))),
    same("A14.7 value_and_grad", lambda m: str(inspect.signature(m.value_and_grad(my_f)))),
    same("A14.7 nested", lambda m: str(inspect.signature(m.grad(m.grad(my_f))))),
    same("A14.7 a partial", lambda m: str(inspect.signature(m.grad(functools.partial(my_f, k=3))))),
    same("A14.8", lambda m: m.grad(my_f).__annotations__),
    same("A14.9", lambda m: m.grad(my_f).__module__),
    same("A14.10", lambda m: [m.grad(my_f).tag, m.grad(my_f).box is my_f.box]),
    same("A14.11", lambda m: m.grad(lambda x: x).__name__),
    same("A14.12", lambda m: m.grad(functools.partial(lambda x, y: x, 1.0)).__name__),
    same("A14.12 nested", lambda m: m.grad(functools.partial(functools.partial(my_f, 1.0))).__name__),
    same("A14.12 qualname", lambda m: m.grad(functools.partial(my_f)).__qualname__),
    same("A14.12 doc", lambda m: "radient of my_f " in m.grad(functools.partial(my_f)).__doc__),
    same("A14.13", lambda m: (m.grad(Square()).__name__, m.grad(Square())(3.0))),
    same("A14.13 qualname", lambda m: m.grad(Square()).__qualname__),
    same("A14.13 doc", lambda m: "<unnamed function>" in m.grad(Square()).__doc__),
    same("A14.14", lambda m: m.grad(m.grad(my_f)).__name__),
    same("A14.15", lambda m: (m.grad(m.np.sin).__name__, m.grad(m.np.sin)(0.0))),
    same("A14.16", lambda m: (m.jacfwd(my_f).__name__, "acobian of my_f with respect to " in m.jacfwd(my_f).__doc__)),
    same("A14.16 jacrev", lambda m: "acobian of my_f with respect to " in m.jacrev(my_f, (0,)).__doc__),
    differs("A14.32", lambda m:
        [type(m.grad(f)).__name__ for f in (lambda x: x, Square(), m.np.sin, functools.partial(my_f))], ["Transformed"] * 4),
    differs("A14.32 value_and_grad", lambda m: type(m.value_and_grad(lambda x: x)).__name__, "Transformed"),
)
def test_names_and_documentation(row: Any) -> None:
    check(row)


def test_the_documentation_says_which_arguments() -> None:
    wanted = {0: "0", -1: "-1", (0,): "(0,)", (1, 0): "(1, 0)", range(2): "(0, 1)"}
    for argnums, text in wanted.items():
        for transform in (minigrad.grad, minigrad.value_and_grad, minigrad.jacrev, minigrad.jacfwd):
            assert text in transform(my_f, argnums).__doc__.partition("respect to")[2]
    assert "y" in minigrad.grad(my_f, argnames="y").__doc__.partition("respect to")[2]
    assert "('y', 'k')" in minigrad.grad(my_f, argnames=["y", "k"]).__doc__


def test_braces_in_a_name_do_no_harm() -> None:
    def f(x):
        return x * x

    f.__name__ = "f{x}"
    g = minigrad.grad(f)
    assert g.__name__ == "f{x}" and "f{x}" in g.__doc__ and g(3.0) == 6.0


# ---- Which functions ------------------------------------------------------------------------------------------------


def method_decorated(m: Any) -> Any:
    class C:
        @m.grad
        def method(self, x):
            return x * x

    return C().method(2.0)


def method_decorated_with_argnums(m: Any) -> Any:
    class C:
        a = 3.0

        @functools.partial(m.grad, argnums=1)
        def method(self, x):
            return self.a * x * x

    return C().method(2.0)


def nonlocal_counter(m: Any) -> tuple:
    count = 0

    def fun(x):
        nonlocal count
        count += 1
        return x * count

    g = m.grad(fun)
    return g(1.0), g(1.0)


def read_at_each_call(m: Any) -> tuple:
    d = {"a": 1.0}
    g = m.grad(lambda x: d["a"] * x)
    first = g(1.0)
    d["a"] = 5.0
    return first, g(1.0)


def closure(m: Any) -> Any:
    a = 3.0
    return m.grad(lambda x: a * x)(1.0)


def threads(m: Any) -> list:
    g = m.grad(lambda x: m.np.sum(m.np.sin(x) * m.grad(m.np.cos)(x)))
    found: list = [None] * 8

    def work(i: int) -> None:
        for _ in range(20):
            found[i] = g(float(i))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def pickled(m: Any, fun: Any) -> Any:
    try:
        pickle.dumps(m.grad(fun))
    except (pickle.PicklingError, AttributeError) as error:
        return isinstance(error, pickle.PicklingError)
    return "pickled"


@rows(
    same("A14.17", lambda m: m.grad(Model().method)(2.0)),
    same("A14.18", lambda m: m.grad(Model.method, argnums=1)(Model(), 2.0)),
    same("A14.19", method_decorated),
    same("A14.20", method_decorated_with_argnums),
    same("A14.21", lambda m: m.grad(Model.of_class)(2.0)),
    same("A14.21 of an object", lambda m: m.grad(Model().of_class)(2.0)),
    same("A14.22", lambda m: m.grad(Model.static)(2.0)),
    same("A14.23", lambda m: m.grad(functools.partial(lambda a, x: a * x * x, 3.0))(2.0)),
    same("A14.24", lambda m: m.grad(functools.partial(lambda x, a: a * x * x, a=3.0))(2.0)),
    same("A14.24 overridden", lambda m: m.grad(functools.partial(lambda x, a: a * x * x, a=3.0))(2.0, a=5.0)),
    same("A14.25", closure),
    same("A14.26", nonlocal_counter),
    same("A14.27", read_at_each_call),
    same("A14.28", lambda m: m.grad(functools.lru_cache(lambda x: x * x))(2.0), "unhashable"),
    differs("A14.29", lambda m: m.grad(np.sin)(1.0), math.cos(1.0)),
    same("A14.29 a function of arrays", lambda m: m.grad(np.mean)(np.ones(4))),
    differs("A14.29 of two", lambda m: m.grad(np.multiply, (0, 1))(2.0, 3.0), (3.0, 2.0)),
    differs("A14.31", lambda m: pickled(m, math.sin), "pickled"),
    differs("A14.31 a function of this module", lambda m: pickled(m, my_f), "pickled"),
    same("A14.33", threads),
)
def test_functions_of_every_kind(row: Any) -> None:
    check(row)


def cube(x):
    return x**3


@minigrad.grad
def slope_of_fourth(x):
    return x**4


def test_a_decorated_function_of_a_module_can_be_pickled_under_its_name() -> None:
    assert pickle.loads(pickle.dumps(slope_of_fourth)) is slope_of_fourth
    assert slope_of_fourth(2.0) == 32.0


def test_attributes_are_copied_not_shared() -> None:
    g = minigrad.grad(cube)
    g.tag = 1
    assert not hasattr(cube, "tag")
    assert not hasattr(minigrad.grad(cube), "tag")
    assert minigrad.grad(cube).__wrapped__ is cube


def test_numpys_vectorize_would_lose_the_derivative_and_is_refused() -> None:
    with pytest.raises(TypeError):
        minigrad.grad(lambda x: np.vectorize(lambda a: a * a)(x).sum())(np.arange(3.0))
