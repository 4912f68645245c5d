"""jit: what is traced and what is static, when a program is made, and what comes back. With each backend that is installed."""

import gc
import inspect
import math
import os
import subprocess
import sys
import threading
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import grad, hessian, tree, value_and_grad
from minigrad.programs.tracing import ConcretizationTypeError

ROOT = Path(minigrad.__file__).parents[1]
BACKENDS = ["numpy", *(["numba"] if find_spec("numba") else [])]
X, Y = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.0, 3.0])


@pytest.fixture(params=BACKENDS)
def jit(request):
    return partial(minigrad.jit, backend=request.param)


def counted(fun):
    """The function, and a list that grows with each call of it."""
    calls = []

    def counting(*args, **kwargs):
        calls.append(1)
        return fun(*args, **kwargs)

    return counting, calls


def same(found, expected):
    """Assert that two trees have the same structure, types and dtypes, and equal numbers but for a few ulp."""
    assert tree.structure(found) == tree.structure(expected)
    for a, b in zip(tree.leaves(found), tree.leaves(expected)):
        assert type(a) is type(b) and getattr(a, "dtype", None) == getattr(b, "dtype", None)
        if isinstance(b, (float, complex, np.ndarray, np.generic)):
            np.testing.assert_allclose(a, b, rtol=4e-15, atol=0)
        else:
            assert a == b


# ---- The program is made once -----------------------------------------------------------------------------------------


def step(theta, x, y):
    loss, slope = value_and_grad(lambda theta: np.mean((theta["w"] * x + theta["b"] - y) ** 2))(theta)
    return loss, {name: theta[name] - 0.1 * slope[name] for name in theta}


def test_a_training_step_comes_to_the_same_numbers(jit):
    jitted = jit(step)
    theta = expected = {"w": 0.5, "b": -0.5}
    for _ in range(20):
        loss, theta = jitted(theta, X, Y)
        wanted, expected = step(expected, X, Y)
        same((loss, theta), (wanted, expected))


def test_the_function_runs_once_for_each_form_of_its_arguments(jit):
    fun, calls = counted(lambda x, y=1.0: x * 2.0 + y)
    jitted = jit(fun)
    forms = [
        ((1.0,), {}), ((np.float64(1.0),), {}), ((np.float32(1.0),), {}), ((1j,), {}), ((X,), {}), ((X[:2],), {}),
        ((X.astype(np.float32),), {}), ((np.arange(3),), {}), ((np.array(1.0),), {}), ((1.0, 2.0), {}), ((1.0,), {"y": 2.0}),
        ((X > 0,), {}),
    ]
    for i, (args, kwargs) in enumerate(forms * 3):
        same(jitted(*args, **kwargs), fun(*args, **kwargs))
        calls.pop()
        assert len(calls) == min(i + 1, len(forms))
    same(jitted(3.0), 7.0)  # other values, the same form
    assert len(calls) == len(forms)


def test_side_effects_happen_at_the_first_call_only(jit, capsys):
    @jit
    def f(x):
        print("f runs")
        return x * 2

    f(1.0), f(2.0)
    assert capsys.readouterr().out == "f runs\n"


def test_values_from_outside_are_those_of_the_first_call(jit):
    factor = np.array([1.0, 2.0, 3.0])
    jitted = jit(lambda x: x * factor)
    jitted(X)
    factor[:] = 0.0
    same(jitted(X), X * [1.0, 2.0, 3.0])


# ---- Trees ------------------------------------------------------------------------------------------------------------

Line = namedtuple("Line", "w b")


@tree.register_dataclass
@dataclass
class Model:
    w: object
    b: object


TREES = [
    {"w": 0.5, "b": X}, {"b": X, "w": 0.5}, [0.5, X], (0.5, X), Line(0.5, X), Model(0.5, X), {"a": [{}, None, (X, {"b": 0.5})]},
    OrderedDict(w=0.5, b=X), defaultdict(list, w=0.5, b=X), {1: X, 2: 0.5}, (), [[]],
]


@pytest.mark.parametrize("value", TREES, ids=repr)
def test_trees_go_in_and_come_out(jit, value):
    fun, calls = counted(lambda value, factor: tree.map(lambda leaf: leaf * factor, value))
    jitted = jit(fun)
    for _ in range(2):
        same(jitted(value, 2.0), tree.map(lambda leaf: leaf * 2.0, value))
        same(jitted(tree.map(lambda leaf: leaf + 1.0, value), 2.0), tree.map(lambda leaf: (leaf + 1.0) * 2.0, value))
    assert len(calls) == 1


def test_trees_of_other_forms_are_told_apart(jit):
    fun, calls = counted(lambda value: tree.leaves(value)[0] * 1.0)
    jitted = jit(fun)
    values = [{"w": 0.5}, {"v": 0.5}, {"w": 0.5, "v": None}, [0.5], (0.5,), [0.5, None], [[0.5]], OrderedDict(w=0.5), [0.5, []]]
    for value in values * 2:
        assert jitted(value) == 0.5
    assert len(calls) == len(values)


def test_results_that_are_no_numbers(jit):
    same(jit(lambda x: {"x": x, "name": "line", "n": 3, "none": None, "kind": np.sum})(1.0)["x"], 1.0)
    found = jit(lambda x: {"name": "line", "n": 3, "none": None, "kind": np.sum})(1.0)
    assert found == {"name": "line", "n": 3, "none": None, "kind": np.sum}


# ---- Static arguments -------------------------------------------------------------------------------------------------


def test_integers_strings_and_functions_are_static(jit):
    def f(x, n, name, function, flag):
        assert type(n) is int and type(flag) is bool
        return function(x) ** n if name == "power" and flag else x

    fun, calls = counted(f)
    jitted = jit(fun)
    for n in (2, 3, 2):
        same(jitted(X, n, "power", np.cos, True), np.cos(X) ** n)
    same(jitted(X, 2, "no", np.cos, True), X)
    same(jitted(X, 2, "power", np.cos, False), X)
    same(jitted(X, 2, "power", np.sin, True), np.sin(X) ** 2)
    assert len(calls) == 5


def test_true_is_not_one(jit):
    jitted = jit(lambda x, flag: x * 2 if flag is True else x)
    assert [jitted(3.0, flag) for flag in (True, 1, True, 1)] == [6.0, 3.0, 6.0, 3.0]


class Scale:
    """Equal to others of the same size."""

    def __init__(self, size):
        self.size = size

    def __eq__(self, other):
        return isinstance(other, Scale) and other.size == self.size

    def __hash__(self):
        return hash(self.size)


def test_objects_are_compared_as_they_say(jit):
    fun, calls = counted(lambda x, scale: x * scale.size)
    jitted = jit(fun)
    assert [jitted(3.0, Scale(size)) for size in (2.0, 2.0, 3.0, 2.0)] == [6.0, 6.0, 9.0, 6.0]
    assert len(calls) == 2


@pytest.mark.parametrize("static", [{"static_argnums": 1}, {"static_argnums": (-1,)}, {"static_argnames": "rate"}, {"static_argnames": ["rate"]}])
def test_static_arguments_may_be_numbers(jit, static):
    def f(x, rate):
        assert type(rate) is float
        return x * rate if rate > 0 else x / rate

    fun, calls = counted(f)
    fun.__signature__ = inspect.signature(f)
    jitted = jit(fun, **static)
    for rate in (0.5, 2.0, -2.0, 0.5):
        same(jitted(X, rate), X * rate if rate > 0 else X / rate)
        same(jitted(X, rate=rate), X * rate if rate > 0 else X / rate)
    assert len(calls) == 6


def test_zeros_and_nans_that_are_static(jit):
    fun, calls = counted(lambda x, rate: math.copysign(1.0, rate) * x)
    jitted = jit(fun, static_argnums=1)
    assert [jitted(1.0, rate) for rate in (0.0, -0.0, 0.0, -0.0)] == [1.0, -1.0, 1.0, -1.0]
    jitted(1.0, math.nan), jitted(1.0, float("nan"))
    assert len(calls) == 3


def test_a_static_argument_may_be_a_container(jit):
    jitted = jit(lambda x, shape, options: x.reshape(shape) * options["factor"], static_argnames=("shape", "options"))
    same(jitted(X, [3, 1], {"factor": 2.0}), 2 * X.reshape(3, 1))
    same(jitted(X, [1, 3], {"factor": 3.0}), 3 * X.reshape(1, 3))


def test_ten_values_of_a_static_argument_bring_a_warning(jit):
    def power(x, options):
        return x ** options["n"]

    jitted = jit(power)
    for n in range(9):
        jitted(2.0, {"n": n})
        jitted(2.0, {"n": n})
    with pytest.warns(UserWarning, match=r"power was recorded for 10 different values of options\['n'\], the last of type int") as found:
        assert jitted(2.0, {"n": 9}) == 512.0
    assert found[0].filename == __file__
    jitted(2.0, {"n": 10})  # once is enough


def test_forms_do_not_count_as_values(jit):
    jitted = jit(lambda x, n: x * n)
    for n in range(1, 15):
        jitted(np.ones(n), 3)


@pytest.mark.parametrize("call, message", [
    (lambda jit: jit(lambda x: x)({1, 2}), "x is of type <class 'set'>. It is static, because only numbers and arrays of numbers are inputs"),
    (lambda jit: jit(lambda x, y: x, static_argnums=1)(1.0, {"a": [X]}), r"y\['a'\]\[0\] is of type <class 'numpy.ndarray'>. It is static, because it was declared static"),
    (lambda jit: jit(lambda *x: x)(np.array(["a"])), r"x\[0\] is of type <class 'numpy.ndarray'>. It is static"),
    (lambda jit: jit(3), "Expected a callable value, got 3"),
    (lambda jit: jit(lambda x: x, static_argnums="x"), "static_argnums must be a whole number"),
    (lambda jit: jit(lambda x: x)(1.0, 2.0), "takes 1 positional argument but 2 were given"),
])
def test_refusals(jit, call, message):
    with pytest.raises(TypeError, match=message):
        call(jit)


@pytest.mark.parametrize("options, message", [
    ({"static_argnums": 2}, "static_argnums has 2, and f takes 2 positional arguments"),
    ({"static_argnums": -3}, "static_argnums has -3, and f takes 2 positional arguments"),
    ({"static_argnames": "z"}, "static_argnames has 'z', and f takes x, y"),
    ({"backend": "c"}, "backend must be 'numba' or 'numpy', and is 'c'"),
])
def test_options_that_select_nothing(options, message):
    def f(x, y):
        return x

    with pytest.raises(ValueError, match=message):
        minigrad.jit(f, **options)


def test_without_numba():
    code = """
import sys
sys.modules["numba"] = None
import minigrad
print(minigrad.jit(lambda x: x * 2)(3.0))
minigrad.jit(lambda x: x, backend="numba")
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == "6.0\n"
    assert done.stderr.splitlines()[-1].startswith("ImportError: backend='numba' needs Numba (") and "pip install numba" in done.stderr


def test_arrays_of_other_libraries_are_refused(jit):
    jax, pandas = pytest.importorskip("jax.numpy"), pytest.importorskip("pandas")
    jitted = jit(lambda theta, x: theta["w"] * x)
    for foreign in (jax.ones(3), pandas.Series(X), np.ma.array(X)):
        with pytest.raises(minigrad.operands.ForeignArrayError, match=r"theta\['w'\]: a .* cannot take part"):
            jitted({"w": foreign}, 1.0)


def test_a_function_that_depends_on_a_value_is_refused_with_its_line(jit):
    def f(x):
        return x if x > 0 else -x

    with pytest.raises(ConcretizationTypeError, match=f"{__file__}, line {f.__code__.co_firstlineno + 1}, in f"):
        jit(f)(1.0)


# ---- The function -----------------------------------------------------------------------------------------------------


def test_it_looks_like_the_function(jit):
    def line(w, x, *, b=1.0):
        """The line."""
        return w * x + b

    jitted = jit(line)
    assert jitted.__name__ == "line" and jitted.__wrapped__ is line
    assert jitted.__doc__ == "Run line as a program, which is recorded at the first call.\n\nThe line."
    assert inspect.signature(jitted) == inspect.signature(line)
    assert jitted(2.0, 3.0) == 7.0 and jitted(2.0, x=3.0, b=2.0) == 8.0 and jitted(x=3.0, w=2.0) == 7.0


def test_the_program_that_would_run(jit):
    jitted = jit(step, static_argnames=())
    program = jitted.program({"w": 0.5, "b": -0.5}, X, Y)
    assert isinstance(program, minigrad.Program) and "np.square" in str(program)
    same(program({"w": 0.1, "b": 0.2}, X, Y), step({"w": 0.1, "b": 0.2}, X, Y))


def test_the_program_of_a_function_with_static_arguments(jit):
    jitted = jit(lambda x, rate: x / rate if rate > 1.0 else x * rate, static_argnames="rate")
    program = jitted.program(X, 4.0)
    same(program(X + 1, 4.0), (X + 1) / 4.0)
    with pytest.raises(ValueError, match="the program was recorded for rate = 4.0, which is a part of it, and got 0.5"):
        program(X, 0.5)


def test_methods(jit):
    class Line:
        def __init__(self, w):
            self.w = w

        @jit
        def at(self, x):
            return self.w * x

    first, second = Line(2.0), Line(3.0)
    assert [line.at(2.0) for line in (first, second, first, second)] == [4.0, 6.0, 4.0, 6.0]


# ---- With derivatives, and inside of each other -----------------------------------------------------------------------


def f(w, x):
    return np.sum(np.tanh(w * x) ** 2)


def test_gradients_of_a_jitted_function_and_jitted_gradients(jit):
    for transform in (grad, value_and_grad, hessian, partial(grad, argnums=(0, 1)), lambda f: grad(grad(f))):
        expected = transform(f)(0.5, X)
        same(transform(jit(f))(0.5, X), expected)
        jitted = jit(transform(f))
        jitted(0.25, X)
        same(jitted(0.5, X), expected)
        same(jit(transform(jit(f)))(0.5, X), expected)


def test_a_jitted_function_inside_of_another(jit):
    inner, calls = counted(lambda x: x * 2.0)
    inner = jit(inner)
    outer = jit(lambda x: inner(x) + inner(1.0))
    same([outer(X), outer(2 * X), inner(1.0)], [2 * X + 2.0, 4 * X + 2.0, 2.0])
    assert len(calls) == 2  # once for x in outer, which becomes a part of it, once as a program of its own


def test_a_jitted_function_that_takes_from_outside_what_is_differentiated(jit):
    assert grad(lambda w: jit(lambda x: w * x)(2.0))(3.0) == 2.0
    assert grad(lambda w: jit(lambda x: w * w)(2.0))(3.0) == 6.0
    assert hessian(lambda w: w * jit(lambda x: w * x)(2.0))(3.0) == 4.0


# ---- What comes back --------------------------------------------------------------------------------------------------


def test_results_share_memory_with_nothing(jit):
    constant = np.ones(3)

    def f(x):
        y = x * 2.0
        return x, x[1:], x.reshape(3, 1), y, y, y[::-1], constant, np.broadcast_to(y, (2, 3)), np.split(y, 3)

    jitted = jit(f)
    x = X.copy()
    first, second = tree.leaves(jitted(x)), tree.leaves(jitted(x))
    arrays = [x, constant, *first, *second]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    same(first, tree.leaves(f(x)))
    for array in first:
        array[...] = 9.0  # all of them can be written into
    same(tree.leaves(jitted(x)), tree.leaves(f(X)))


def test_arguments_are_never_written_into(jit):
    x = np.linspace(0.0, 1.0, 5)
    jitted = jit(lambda x: np.exp(x * 2.0 + 1.0) - x)
    jitted(x), jitted(x)
    same(x, np.linspace(0.0, 1.0, 5))
    x.flags.writeable = False
    same(jitted(x), np.exp(x * 2.0 + 1.0) - x)


def test_two_threads_at_once(jit):
    x = np.linspace(0.0, 1.0, 10_000)
    jitted = jit(lambda w: grad(lambda w: np.sum(np.sin(w * x) * x))(w))
    expected = {w: grad(lambda w: np.sum(np.sin(w * x) * x))(w) for w in np.linspace(0.0, 2.0, 8).tolist()}
    wrong, start = [], threading.Barrier(8)

    def work(w):
        start.wait()
        for _ in range(200):
            if abs(jitted(w) - expected[w]) > 1e-12 * abs(expected[w]):
                wrong.append(w)

    threads = [threading.Thread(target=work, args=(w,)) for w in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_grows(jit):
    jitted = jit(step)
    theta = {"w": 0.5, "b": -0.5}
    values = [jitted(theta, X, Y) for _ in range(10)]
    del values
    gc.collect()
    tracemalloc.start()
    for _ in range(100):
        jitted(theta, X, Y)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(3000):
        jitted(theta, X, Y)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 500


def test_a_jitted_function_is_freed(jit):
    import weakref

    class Owner:
        pass

    owner = Owner()
    jitted = jit(lambda x, owner: x * 2.0)
    jitted(1.0, owner)
    gone = weakref.ref(owner)
    del jitted, owner
    gc.collect()
    assert gone() is None


# ---- Errors ----------------------------------------------------------------------------------------------------------


def test_an_error_of_a_later_call_has_the_line(jit):
    def f(a):
        return np.linalg.inv(a) * 2.0

    jitted = jit(f)
    jitted(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError, match="Singular") as found:
        jitted(np.zeros((2, 2)))
    line = f"{__file__}, line {f.__code__.co_firstlineno + 1}, in f"
    assert found.value.__notes__ == [f"This operation was recorded in {line}"]
    same(jitted(np.eye(2)), 2 * np.eye(2))
