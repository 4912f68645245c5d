"""What `grad` and `value_and_grad` promise: which arguments they differentiate, what comes back, what they refuse.

Wherever JAX can run the same function, `jax.grad` says what is right; a function that calls NumPy takes it as `np`, and
JAX gets its own. Then: gradients own their memory, arguments stay as they were, and an error leaves no trace.
"""

import functools
import inspect
import math
import operator
import subprocess
import sys
from collections import OrderedDict, deque, defaultdict, namedtuple
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import Tensor, grad, stop_gradient, value_and_grad

from .support import assert_alike, assert_close, cases

Pair = namedtuple("Pair", "a b")


def assert_as_jax(fun, *args, argnums=0, rtol=1e-14):
    """Value and gradient have the structure and numbers that JAX's have, and the gradient is like the argument."""
    value, gradient = value_and_grad(fun, argnums)(*args)
    jax_value, jax_gradient = jax.value_and_grad(fun, argnums)(*args)
    assert jax.tree.structure(gradient) == jax.tree.structure(jax_gradient)
    assert_close(value, jax_value, rtol)
    assert_close(gradient, jax_gradient, rtol)
    assert_close(grad(fun, argnums)(*args), jax_gradient, rtol)
    assert_alike(gradient, args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums))


# ---- Which arguments ------------------------------------------------------------------------------------------------


def three(x, y, z):
    return x * x * y + 5.0 * y * z


@cases({repr(argnums): argnums for argnums in (0, 1, 2, -1, -3, (0,), (1, 2), (2, 0), (-1, 0), (0, 1, 2), [0, 2])})
def test_argnums_select_what_jax_selects(case):
    assert_as_jax(three, 2.0, 3.0, 4.0, argnums=case)


@cases({
    "bool": (True, 1),
    "np.int64": (np.int64(1), 1),
    "0-d array": (np.array(2), 2),
    "range": (range(2), (0, 1)),
    "set": ({0, 1}, (0, 1)),
    "array": (np.array([2, 0]), (2, 0)),
    "generator": ((i for i in (0, 1)), (0, 1)),
    "tuple of np.int32": ((np.int32(1),), (1,)),
})
def test_argnums_are_whatever_counts(case):
    argnums, plain = case
    assert grad(three, argnums)(2.0, 3.0, 4.0) == grad(three, plain)(2.0, 3.0, 4.0)


@cases({"float": 1.0, "str": "x", "None": None, "tuple with a float": (0, 1.0)})
def test_argnums_that_are_no_integers_are_refused_at_once(case):
    with pytest.raises(TypeError):
        grad(three, argnums=case)


@cases({
    "beyond": (2, (2.0, 3.0), TypeError, "argnums=2 requires at least 3 positional arguments.*only 2"),
    "one beyond": ((0, 5), (2.0, 3.0), TypeError, "requires at least 6 positional arguments.*only 2"),
    "before": (-3, (2.0, 3.0), ValueError, "-3"),
    "one before": ((0, -3), (2.0, 3.0), ValueError, "-3"),
    "no arguments": (0, (), TypeError, "requires at least 1 positional arguments.*only 0"),
    "twice, by another name": ((0, -2), (2.0, 3.0), ValueError, "twice"),
})
def test_argnums_that_do_not_fit_the_call(case):
    argnums, args, error, message = case
    with pytest.raises(error, match=message):
        grad(lambda x, y: x * y, argnums)(*args)


def test_duplicate_argnums_are_refused_at_once():
    with pytest.raises(ValueError, match="twice"):
        grad(three, (0, 0))


def test_arguments_by_keyword_or_default_cannot_be_selected():
    for call in (
        lambda: grad(lambda x: x * x)(x=3.0),
        lambda: grad(lambda x, y: x * y, 1)(2.0, y=3.0),
        lambda: grad(lambda x, y=2.0: x * y, 1)(3.0),
    ):
        with pytest.raises(TypeError, match="by keyword"):
            call()
    assert grad(lambda x, y=2.0: x * y, 1)(3.0, 5.0) == 3.0


def test_other_arguments_arrive_untouched():
    array, marker = np.arange(3.0), object()
    tree = {"b": [marker], "a": 2}
    seen = []

    def f(x, *args, **kwargs):
        seen.append((args, kwargs))
        return x * 2.0

    assert grad(f)(1.0, array, tree, None, "text", argnums=array, fun=marker) == 2.0
    ((args, kwargs),) = seen
    assert args[0] is array and args[1] is tree and args[2:] == (None, "text")
    assert kwargs["argnums"] is array and kwargs["fun"] is marker
    assert list(tree) == ["b", "a"] and array.flags.writeable


@cases({
    "too many": (lambda: grad(lambda x: x)(1.0, 2.0), "takes 1 positional argument but 2 were given"),
    "too few": (lambda: grad(lambda x, y: x)(1.0), "missing 1 required positional argument"),
    "unknown keyword": (lambda: grad(lambda x: x)(1.0, foo=1), "unexpected keyword argument 'foo'"),
    "no function": (lambda: grad(), "missing 1 required positional argument: 'fun'"),
    "a number for a function": (lambda: grad(3), "Expected a callable value, got 3"),
    "None for a function": (lambda: value_and_grad(None), "Expected a callable value, got None"),
})
def test_calls_that_python_itself_would_refuse(case):
    call, message = case
    with pytest.raises(TypeError, match=message):
        call()


# ---- Which functions ------------------------------------------------------------------------------------------------


class Scale:
    factor = 3.0

    def method(self, x):
        return self.factor * x * x

    __call__ = method

    @classmethod
    def of_class(cls, x):
        return cls.factor * x * x

    @staticmethod
    def static(x):
        return 3.0 * x * x

    @functools.partial(grad, argnums=1)
    def decorated(self, x):
        return self.factor * x * x


@cases({
    "bound method": Scale().method,
    "callable object": Scale(),
    "classmethod": Scale.of_class,
    "staticmethod": Scale.static,
    "partial": functools.partial(lambda a, x: a * x * x, 3.0),
    "partial by keyword": functools.partial(lambda x, a: a * x * x, a=3.0),
})
def test_anything_callable_is_differentiated(case):
    assert grad(case)(2.0) == 12.0


def test_grad_as_a_decorator_and_of_builtins():
    assert Scale().decorated(2.0) == 12.0
    assert grad(Scale.method, 1)(Scale(), 2.0) == 12.0
    assert grad(abs)(-2.0) == -1.0
    assert grad(sum)([1.0, 2.0, 3.0]) == [1.0, 1.0, 1.0]
    assert grad(max)([1.0, 3.0, 2.0]) == [0.0, 1.0, 0.0]
    assert grad(np.sin)(1.0) == math.cos(1.0)
    np.testing.assert_allclose(grad(pow, (0, 1))(2.0, 3.0), (12.0, 8.0 * math.log(2.0)), rtol=1e-15)


def test_the_wrapper_looks_like_the_function():
    def loss(x: float, y=2, *, k=None) -> float:
        "What it is about."
        return x * x

    loss.tag = 7
    for transform in (grad, value_and_grad):
        wrapper = transform(loss)
        assert callable(wrapper)
        for name in ("__name__", "__qualname__", "__module__", "__annotations__", "tag"):
            assert getattr(wrapper, name) == getattr(loss, name)
        assert "What it is about." in wrapper.__doc__
        assert wrapper.__wrapped__ is loss
        assert inspect.signature(wrapper) == inspect.signature(loss)
    assert grad(grad(loss)).__name__ == "loss"


def test_the_transform_runs_nothing_and_the_gradient_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(x)
        return x * x

    gradient = grad(f)
    assert not calls
    gradient(2.0)
    assert len(calls) == 1
    value_and_grad(f)(2.0)
    assert len(calls) == 2


def test_a_gradient_function_takes_other_shapes_and_reads_globals_at_each_call():
    settings = {"scale": 1.0}
    g = grad(lambda x: settings["scale"] * (x * x).sum())
    assert g(1.5) == 3.0
    np.testing.assert_array_equal(g(np.ones((1, 2))), [[2.0, 2.0]])
    settings["scale"] = 5.0
    assert g(1.5) == 15.0


# ---- Trees ----------------------------------------------------------------------------------------------------------


def halves():
    return np.array([0.5, 1.5])


TREES = {
    "dict": (lambda p: p["w"] * p["b"], {"w": 2.0, "b": 3.0}),
    "dict with int keys": (lambda p: p[2] * p[1], {2: 2.0, 1: 3.0}),
    "list": (lambda p: p[0] * p[1], [2.0, 3.0]),
    "tuple": (lambda p: p[0] * p[1], (2.0, 3.0)),
    "namedtuple": (lambda p: p.a * p.b, Pair(2.0, 3.0)),
    "OrderedDict": (lambda p: p["b"] * p["a"], OrderedDict([("b", 2.0), ("a", 3.0)])),
    "defaultdict": (lambda p: p["b"] * p["a"], defaultdict(float, {"b": 2.0, "a": 3.0})),
    "None": (lambda p: 1.0, None),
    "empty list": (lambda p: 1.0, []),
    "None and empty containers inside": (
        lambda p: p["a"] * 2.0 if p["n"] is None else 0.0,
        {"n": None, "a": 1.0, "d": {}, "t": (), "l": [], "e": [None]},
    ),
    "nested": (
        lambda p: p["l"][0] * p["l"][1][0] + p["t"][0]["z"].b,
        {"l": [2.0, (3.0,)], "t": ({"z": Pair(4.0, 1.0)},)},
    ),
    "nested lists are no array": (lambda p: p[0][0] * p[1][1], [[1.0, 2.0], [3.0, 4.0]]),
    "leaves of every kind": (
        lambda p: (p["a"] * p["f"] * p["z"] * p["s"]).sum() * p["m"].sum(),
        {"f": 2.0, "s": np.float64(3.0), "z": np.array(1.5), "a": halves(), "m": np.ones((2, 1, 3))},
    ),
    "one array at two places": (lambda p: (p[0] * p[0] * p[1]).sum(), (lambda a: [a, a])(halves())),
    "a leaf that is not used": (lambda p: p["a"] * 1.0, {"a": 1.0, "b": halves(), "c": np.float64(1.0)}),
}


@cases(TREES)
def test_the_gradient_has_the_structure_of_the_argument(case):
    fun, argument = case
    assert_as_jax(fun, argument)


def test_the_gradient_of_a_dict_has_sorted_keys_and_that_of_an_ordered_one_its_own():
    assert list(grad(lambda p: p["a"] * p["b"])({"b": 2.0, "a": 3.0})) == ["a", "b"]
    assert list(grad(lambda p: p["a"] * p["b"])(OrderedDict(b=2.0, a=3.0))) == ["b", "a"]
    assert grad(lambda p: p["a"])(defaultdict(list, a=1.0)).default_factory is list


def test_several_arguments_some_of_them_trees():
    assert_as_jax(lambda p, y: p["a"] * y, {"a": 2.0}, 3.0, argnums=(0, 1))
    assert_as_jax(lambda x, y: (x * x * y).sum(), halves(), halves(), argnums=(1, 0))


def test_the_function_gets_containers_of_its_own():
    given = {"b": [2.0], "a": 1.0}

    def f(p):
        assert type(p) is dict and list(p) == ["a", "b"]
        value = p["a"] * p["b"][0]
        p["b"].append(None)
        p["a"], p["z"] = None, 3
        return value

    assert grad(f)(given) == {"a": 2.0, "b": [1.0]}
    assert given == {"b": [2.0], "a": 1.0}


def test_keys_that_cannot_be_sorted_are_refused():
    with pytest.raises(ValueError, match="sort"):
        grad(lambda p: p["a"])({"a": 2.0, 1: 3.0})


# ---- Leaves: their kinds and dtypes ---------------------------------------------------------------------------------


def squares(x):
    return (x * x.conj()).real.sum()


def read_only(array):
    array.flags.writeable = False
    return array


KINDS = {
    "float": 3.0,
    "complex": 1.0 + 2.0j,
    "np.float64": np.float64(3.0),
    "np.float32": np.float32(3.0),
    "np.float16": np.float16(3.0),
    "np.complex64": np.complex64(1 + 2j),
    "0-d": np.array(3.0),
    "0-d float32": np.array(3.0, np.float32),
    "float64": np.arange(3.0),
    "float32": np.arange(3, dtype=np.float32),
    "float16": np.arange(3, dtype=np.float16),
    "complex64": np.array([1 + 2j], np.complex64),
    "2-d": np.arange(6.0).reshape(2, 3),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other element": np.arange(6.0)[::2],
    "no elements": np.zeros((2, 0)),
    "negative zero": -0.0,
    "infinite": math.inf,
    "nan": math.nan,
}


@cases(KINDS)
def test_a_gradient_is_of_the_kind_of_its_leaf(case):
    assert_as_jax(squares, case)
    zero = grad(lambda x: 1.0)(case)
    assert_alike(zero, case)
    assert not np.any(zero)


# JAX does not take these. longdouble and foreign byte order are dtypes like others; a subclass counts as its base.
@cases({
    "np.longdouble": (np.longdouble(3.0), np.longdouble(6.0)),
    "longdouble": (np.arange(3, dtype=np.longdouble), np.array([0, 2, 4], np.longdouble)),
    "big-endian": (np.arange(3, dtype=">f8"), np.array([0, 2, 4], ">f8")),
    "float subclass": (type("Meters", (float,), {})(3.0), 6.0),
    "array subclass": (np.arange(3.0).view(type("Named", (np.ndarray,), {})), np.array([0.0, 2.0, 4.0])),
    "read-only": (read_only(np.arange(3.0)), np.array([0.0, 2.0, 4.0])),
})
def test_leaves_of_kinds_that_jax_lacks(case):
    leaf, expected = case
    for gradient in (grad(squares)(leaf), grad(lambda x: (x * x).sum())(leaf)):
        assert type(gradient) is type(expected)
        assert getattr(gradient, "dtype", None) == getattr(expected, "dtype", None)
        np.testing.assert_array_equal(gradient, expected, strict=isinstance(expected, np.ndarray))
        if isinstance(expected, np.ndarray):
            assert gradient.flags.writeable and not np.may_share_memory(gradient, leaf)


CONVERSIONS = {
    "float32 through float64": (lambda x: (x.astype(np.float64) * np.float64(2)).sum(), np.ones(2, np.float32)),
    "float64 through float32": (lambda x: (x.astype(np.float32) * np.float32(0.1)).sum(), np.ones(2)),
    "float32 by both ways": (lambda x: (x.astype(np.float64) * 2).sum() + (x * 3).sum(), np.ones(2, np.float32)),
    "real through complex": (lambda x: ((x * 1j + 2) ** 2).real, 3.0),
    "real array through complex": (lambda x: ((x * 1j + 2) ** 2).real.sum(), np.ones(2, np.float32)),
    "float result": (lambda x: x.astype(np.float32), 1.0),
    "float32 and a float": (lambda x: x * 2.5, np.float32(1)),
    "float32 and np.float64": (lambda x: x * np.float64(2.5), np.float32(1)),
    "float16 and a float": (lambda x: x + 1.5, np.float16(2)),
    "float16 array": (lambda x: (x * x).sum(), np.ones(2, np.float16)),
    "float and float32 array": (lambda x: (x * np.ones(2, np.float32)).sum(), 1.0),
    "float32 and float64 array": (lambda x: (x + np.ones(2)).sum(), np.float32(2)),
    "complex of real parts": (lambda t: t[0].real * t[1] + t[0].imag, (1 + 1j, 2.0)),
}


@cases(CONVERSIONS)
def test_dtypes_of_value_and_gradient(case):
    fun, argument = case
    assert_as_jax(fun, argument, rtol=1e-7)
    value, _ = value_and_grad(fun)(argument)
    assert np.result_type(np.asarray(value)) == jax.value_and_grad(fun)(argument)[0].dtype


def test_each_argument_keeps_its_own_dtype():
    x, y = np.ones(2, np.float32), np.ones(2)
    assert_as_jax(lambda x, y: (x * y).sum(), x, y, argnums=(0, 1))


# A Python float takes on the dtype of what it meets, in NumPy and in JAX; so must one that is being differentiated, and
# all that is computed from such floats alone. Each of these is then combined with a float32 array.
WEAK = {
    "itself": lambda np, x: x,
    "+": lambda np, x: 1.0 + x,
    "-": lambda np, x: 3 - x,
    "*": lambda np, x: x * x,
    "/": lambda np, x: 1 / x,
    "**": lambda np, x: x**2 + x**3 + x**-1 + x**0.5 + 2.0**x,
    "%": lambda np, x: x % 2 + 2 % x,
    "//": lambda np, x: x // 1 + 7.0 // x,
    "divmod": lambda np, x: sum(divmod(x, 2.0)),
    "-x, +x, abs": lambda np, x: -x + +x + abs(x),
    "round": lambda np, x: round(x) * x,
    "sin": lambda np, x: np.sin(x),
    "exp, log": lambda np, x: np.exp(np.log(x)),
    "np.add": lambda np, x: np.add(x, 1.0),
    "maximum": lambda np, x: np.maximum(x, 0.0),
    "arctan2, hypot": lambda np, x: np.arctan2(x, 1.0) + np.hypot(x, 1.0),
    "floor": lambda np, x: np.floor(x) + x,
    "modf": lambda np, x: np.modf(x)[0],
    "where": lambda np, x: np.where(x > 0, x, 0.0),
    "real": lambda np, x: x.real,
}


@cases(WEAK)
def test_a_python_float_stays_weak(case):
    single = np.full(2, 1.5, np.float32)
    fun, in_jax = [functools.partial(lambda np, x: (case(np, x) * single).sum(), xp) for xp in (np, jnp)]
    value, gradient = value_and_grad(fun)(2.5)
    jax_value, jax_gradient = jax.value_and_grad(in_jax)(2.5)
    assert value.dtype == np.float32
    assert type(gradient) is float
    np.testing.assert_allclose((value, gradient), (jax_value, jax_gradient), rtol=1e-6)


@cases({name: WEAK[name] for name in ("itself", "*", "/", "**", "%", "-x, +x, abs", "sin", "exp, log", "maximum")})
def test_a_python_float_stays_weak_inside_another_gradient(case):
    single = np.full(2, 1.5, np.float32)

    def outer(x):
        slope = grad(functools.partial(case, np))(x)
        assert (slope * single).dtype == np.float32
        return (slope * single).sum()

    value, gradient = value_and_grad(outer)(2.5)
    assert value.dtype == np.float32
    assert type(gradient) is float


def test_the_gradient_of_a_float_that_met_float32_is_a_float_inside_another_gradient_too():
    single = np.full(2, 1.1, np.float32)
    kinds = []

    def outer(x):
        slope = grad(lambda y: (y * y * single).sum())(x)
        kinds.append((slope * np.ones(2, np.float32)).dtype)
        kinds.append((slope * 1e-300).item() > 0.0)  # float32 would make it zero
        return slope

    assert type(grad(outer)(2.0)) is float
    assert kinds == [np.float32, True]


def test_the_zero_gradient_of_a_float_is_weak_inside_another_gradient_too():
    single = np.ones(2, np.float32)
    value, _ = value_and_grad(lambda x: ((grad(lambda y: 1.0)(x) + x) * single).sum())(2.0)
    assert value.dtype == np.float32


def test_float32_parameters_and_intermediates_stay_float32():
    single = np.ones(3, np.float32)
    seen = []

    def loss(p, x):
        prediction = np.tanh(p["scale"] * (x @ p["w"]) + p["b"]) / 2
        loss = ((prediction - 1) ** 2).mean() + 0.1 * np.sqrt(p["w"].var() + 1)
        seen.extend(t.dtype for t in (prediction, loss))
        return loss

    p = {"w": single.copy(), "b": np.float32(0), "scale": 1.0}
    gradient = grad(loss)(p, np.ones((4, 3), np.float32))
    assert_alike(gradient, p)
    assert set(seen) == {np.dtype(np.float32)}


# ---- Leaves that are refused ----------------------------------------------------------------------------------------

INTEGERS = {
    "int": 3,
    "bool": True,
    "np.int64": np.int64(3),
    "np.bool": np.True_,
    "int array": np.arange(3),
    "uint8 array": np.arange(3, dtype=np.uint8),
    "bool array": np.array([True]),
    "huge int": 2**70,
}
OTHERS = {
    "str": "foo",
    "bytes": b"x",
    "object": object(),
    "Decimal": Decimal("1.5"),
    "set": {1.0},
    "deque": deque([1.0]),
    "range": range(3),
    "SimpleNamespace": SimpleNamespace(a=1.0),
    "dict subclass": type("D", (dict,), {})(a=1.0),
    "list subclass": type("L", (list,), {})([1.0]),
    "tuple subclass": type("T", (tuple,), {})([1.0]),
    "object array": np.array([1.0, None]),
    "str array": np.array(["a"]),
    "np.str_": np.str_("a"),
    "datetime array": np.array(["2020-01-01"], "M8[D]"),
    "structured array": np.zeros(2, [("a", float)]),
    "memoryview": memoryview(np.arange(3.0)),
    "function": math.sin,
}


@cases(INTEGERS | OTHERS)
def test_leaves_without_derivative_are_refused_before_the_function_runs(case):
    def f(p):
        raise AssertionError("it was called")

    for argument, place in (({"a": [1.0, case]}, r"\['a'\]\[1\]"), (Pair(1.0, case), r"\.b"), (case, "^p is|: p is")):
        with pytest.raises(TypeError, match=place):
            grad(f)(argument)


@cases(INTEGERS)
def test_the_error_for_integers_says_what_to_do(case):
    with pytest.raises(TypeError, match="real- or complex-valued inputs.*Make it a float"):
        grad(lambda x, y: x, 1)(1.0, case)


def test_masked_arrays_are_refused():
    with pytest.raises(ValueError, match="masked"):
        grad(lambda x: x.sum())(np.ma.array([1.0, 2.0], mask=[0, 1]))


def test_a_none_is_no_leaf():
    with pytest.raises(TypeError, match="NoneType"):
        grad(lambda x: x * x)(None)


# ---- The result of the function -------------------------------------------------------------------------------------


@cases({
    "vector": (lambda x: x, np.zeros(3), r"shape: \(3,\)"),
    "one element": (lambda x: x, np.zeros(1), r"shape: \(1,\)"),
    "one element in 2-d": (lambda x: x, np.zeros((1, 1)), r"shape: \(1, 1\)"),
    "no element": (lambda x: x, np.zeros(0), r"shape: \(0,\)"),
    "constant array": (lambda x: np.array([2.5]), 1.0, r"shape: \(1,\)"),
    "complex array": (lambda x: x * 1j, np.ones(2), r"shape: \(2,\)"),
    "tuple": (lambda x: (x, x), 1.0, r"scalar-output functions. Output was \(Tensor"),
    "1-tuple": (lambda x: (x,), 1.0, "scalar-output"),
    "list": (lambda x: [1.0, 2.0], 1.0, r"Output was \[1.0, 2.0\]"),
    "dict": (lambda x: {"a": x}, 1.0, "scalar-output"),
    "empty tuple": (lambda x: (), np.zeros(3), r"Output was \(\)"),
    "None": (lambda x: None, 1.0, "Output was None"),
    "str": (lambda x: "s", 1.0, "'s' of type <class 'str'>"),
    "object": (lambda x: object(), 1.0, "object"),
    "function": (lambda x: math.sin, 1.0, "sin"),
    "generator": (lambda x: (i for i in [x]), 1.0, "generator"),
    "int": (lambda x: 3, 1.0, "real-valued outputs.*int64"),
    "int of the argument": (lambda x: x.astype(int), 1.0, "real-valued outputs.*int64"),
    "uint8": (lambda x: np.uint8(3), 1.0, "real-valued outputs.*uint8"),
    "argmax": (lambda x: np.argmax(x), np.ones(3), "real-valued outputs.*int64"),
    "bool": (lambda x: True, 1.0, "real-valued outputs.*bool"),
    "comparison": (lambda x: x > 0, 1.0, "real-valued outputs.*bool"),
    "complex": (lambda x: x**2 + 1j, 3.0, "real-valued outputs.*complex128"),
    "complex of complex": (lambda x: np.sin(x), 1 + 2j, "real-valued outputs.*complex128"),
    "complex constant": (lambda x: 1j, 3.0, "real-valued outputs.*complex128"),
    "object array": (lambda x: np.array(None), 1.0, "object"),
})
def test_results_that_are_no_real_number_are_refused(case):
    fun, argument, message = case
    for transform in (grad, value_and_grad):
        with pytest.raises(TypeError, match=message):
            transform(fun)(argument)


@cases({
    "float": 2.5,
    "np.float64": np.float64(2.5),
    "0-d": np.array(2.5),
    "float32": np.float32(2.5),
    "float subclass": type("Meters", (float,), {})(2.5),
})
def test_a_result_that_does_not_depend_on_the_argument(case):
    argument = {"a": np.ones((2, 3), np.float32), "b": 1.0}
    value, gradient = value_and_grad(lambda p: case)(argument)
    assert value == 2.5
    assert_alike(gradient, argument)
    assert_close(gradient, {"a": np.zeros((2, 3)), "b": 0.0}, 0)


@cases({
    "float": (2.0, float),
    "np.float64": (np.float64(2.0), np.float64),
    "np.float32": (np.float32(2.0), np.float32),
    "array": (np.full(2, 0.5), np.float64),
})
def test_the_value_is_a_plain_number(case):
    argument, kind = case
    value, _ = value_and_grad(lambda x: (3.0 * x).sum())(argument)
    assert type(value) is kind
    assert type(value_and_grad(lambda x: 3.0 * x.sum())(argument)[0]) is kind


def test_the_value_is_what_the_function_returns():
    def f(p, x):
        return (np.tanh(p["w"] * x) ** 2).mean() / p["b"]

    p, x = {"w": 0.3, "b": np.float64(1.7)}, np.linspace(-1, 1, 7)
    assert value_and_grad(f)(p, x)[0] == f(p, x)


def test_detached_values_have_no_gradient():
    assert value_and_grad(lambda x: stop_gradient(x * x))(3.0) == (9.0, 0.0)
    assert value_and_grad(lambda x: round(x) * 1.0)(3.5) == (4.0, 0.0)


# ---- Auxiliary data -------------------------------------------------------------------------------------------------


def test_aux_comes_back_as_plain_values_in_its_own_structure():
    marker = object()

    def f(x):
        return x**3, {"y": [x**2, Pair(x > 0, x)], "c": x * 1j, **others}

    others = {"s": "text", "n": None, "o": marker, "f": math.sin, "i": 3}
    expected = {"y": [9.0, Pair(True, 3.0)], "c": 3j, **others}
    gradient, aux = grad(f, has_aux=True)(3.0)
    assert gradient == 27.0
    assert aux == expected
    assert [type(leaf) for leaf in jax.tree.leaves(aux)] == [type(leaf) for leaf in jax.tree.leaves(expected)]
    assert value_and_grad(f, has_aux=True)(3.0) == ((27.0, expected), 27.0)


@cases({"list": lambda x: [x, 1.0], "namedtuple": lambda x: Pair(x, 1.0)})
def test_any_pair_holds_aux(case):
    assert grad(case, has_aux=True)(1.0) == (1.0, 1.0)
    assert grad(case, has_aux=1)(1.0) == (1.0, 1.0)
    assert grad(lambda x, y: (x * y, 7), 1, True)(2.0, 3.0) == (2.0, 7)


def test_aux_is_not_differentiated_and_may_have_any_shape():
    gradient, aux = grad(lambda x: (x.sum(), x**100), has_aux=True)(np.ones(2))
    np.testing.assert_array_equal(gradient, [1.0, 1.0])
    np.testing.assert_array_equal(aux, [1.0, 1.0])


@cases({
    "not a pair": lambda x: x,
    "triple": lambda x: (1, 2, 3),
    "1-tuple": lambda x: (x,),
    "None": lambda x: None,
    "array of two": lambda x: np.ones(2),
})
def test_without_a_pair_there_is_no_aux(case):
    for transform in (grad, value_and_grad):
        with pytest.raises(TypeError, match="two-element tuple, but got type"):
            transform(case, has_aux=True)(1.0)


def test_the_first_of_the_pair_has_to_be_a_number():
    with pytest.raises(TypeError, match=r"shape: \(2,\)"):
        grad(lambda x: (x, 1), has_aux=True)(np.ones(2))


# ---- Control flow ---------------------------------------------------------------------------------------------------


def while_loop(x):
    while x < 10:
        x = x * 2
    return x


def for_loop(x):
    y = x
    for _ in range(int(x)):
        y = y * x
    return y


def caught(x):
    try:
        raise ValueError
    except ValueError:
        return x * 3


def containers(x):
    d = {"k": [x, x * 2]}
    d["k"].append(x**2)
    return sum(d["k"])


def factorial(x, n=3):
    return x if n == 1 else x * factorial(x - 1, n - 1)


def asserting(x):
    assert x > 0
    assert not x < 0
    return x


def augmented(x):
    x += 1
    x *= 2
    return x


def printed(x):
    return x * len(str(x)) * 0 + x


CONTROL_FLOW = {
    "if": (lambda x: x * 2 if x > 0 else x * 3, 1.0),
    "else": (lambda x: x * 2 if x > 0 else x * 3, -1.0),
    "while": (while_loop, 1.0),
    "range(int(x))": (for_loop, 2.0),
    "int": (lambda x: x * int(x), 2.0),
    "bool": (lambda x: x * bool(x), 2.0),
    "item": (lambda x: x * x.item(), 2.0),
    "and, not": (lambda x: (x and 2 * x) if not (x < 0) else x, 2.0),
    "chained comparison": (lambda x: x if 0 < x < 2 else -x, 1.0),
    "assert": (asserting, 1.0),
    "==": (lambda x: x * 2 if x == 3.0 else x, 3.0),
    "in a list": (lambda x: x * 2 if x in [1.0, 3.0] else x, 3.0),
    "in x": (lambda x: x.sum() if 1.0 in x else 0.0 * x.sum(), np.ones(2)),
    "max": (lambda x: max(x, 0.0), 2.0),
    "max, first of a tie": (lambda x: max(x, 0.0), 0.0),
    "max, second of a tie": (lambda x: max(0.0, x), 0.0),
    "min of an array": (lambda x: min(x), np.array([3.0, 1.0])),
    "sorted": (lambda p: sorted(p)[0], [3.0, 1.0, 2.0]),
    "sum": (lambda x: sum(x), np.ones(3)),
    "round": (lambda x: round(x) * x, 2.4),
    "round to a digit": (lambda x: round(x, 1) * x, 2.44),
    "try": (caught, 1.0),
    "containers": (containers, 3.0),
    "comprehension": (lambda x: sum([x**i for i in range(4)]), 2.0),
    "reduce": (lambda x: functools.reduce(operator.mul, [x] * 4), 2.0),
    "recursion": (factorial, 4.0),
    "+=": (augmented, 1.0),
    "str": (printed, 1.0),
    "loop over elements": (lambda x: sum(v * v for v in x), np.array([2.0, 3.0])),
    "unpacking": (lambda x: (lambda a, *b: a * b[0])(*x), np.array([2.0, 3.0])),
    "reversed": (lambda x: [v * i for i, v in enumerate(reversed(x))][1], np.ones(2)),
    "zip": (lambda x: sum(a * b for a, b in zip(x, [1.0, 2.0])), np.ones(2)),
    "len": (lambda x: x.sum() * len(x), np.ones(3)),
    "mod, floordiv": (lambda x: x % 3.0 + x // 3.0, 7.5),
    "a list by an index": (lambda x: x * [1.0, 2.0, 3.0][x.astype(int)], 2.0),
    "slice to an index": (lambda x: x[: x[0].astype(int)].sum(), np.array([2.0, 3.0, 4.0])),
    "mask": (lambda x: x[x > 1].sum(), np.array([1.0, 3.0, 2.0])),
    "repeated index": (lambda x: x[np.array([0, 0, 1])].sum(), np.array([2.0, 3.0])),
}


@cases(CONTROL_FLOW)
def test_python_runs_as_it_is_written(case):
    fun, argument = case
    assert_as_jax(fun, argument)


CORE = {
    "identity": (lambda x: x, 2.0),
    "identity of a 0-d array": (lambda x: x, np.array(2.0, np.float32)),
    "x + x": (lambda x: x + x, 2.0),
    "x - x": (lambda x: x - x, 3.0),
    "x / x": (lambda x: x / x, 3.0),
    "x * x": (lambda x: x * x, 3.0),
    "x @ x": (lambda x: (x @ x).sum(), np.arange(4.0).reshape(2, 2)),
    "a chain": (lambda x: ((x + 1) * 2 - 3) / 4**2, 1.0),
    "2 ** x": (lambda x: 2**x, 3.0),
    "negative base": (lambda x: x**3 + x**3.0, -2.0),
    "broadcast number": (lambda t: (t[0] * t[1]).sum(), (2.0, np.ones((2, 3)))),
    "broadcast both": (lambda t: (t[0] * t[1]).sum(), (np.ones((3, 1)), np.ones((1, 4)))),
    "empty": (lambda x: x.sum(), np.zeros((0, 3))),
    "nan": (lambda x: x * math.nan, 1.0),
    "an element": (lambda x: x[0, 0], np.ones((2, 2))),
}


@cases(CORE)
def test_small_functions(case):
    fun, argument = case
    assert_as_jax(fun, argument)


def test_a_nan_counts_only_where_it_is_used():
    def f(x):
        with np.errstate(all="ignore"):
            np.log(x - 2.0)
        return x * 2.0

    assert grad(f)(1.0) == 2.0
    with np.errstate(all="ignore"):
        assert math.isnan(grad(lambda x: 0.0 * np.log(x) + x)(0.0))
        assert math.isnan(grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0))(0.0))
        assert grad(lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))(0.0) == 0.0
        assert grad(lambda x: 1 / x)(0.0) == -math.inf
        assert grad(lambda x: x**-1)(0.0) == -math.inf


# ---- Memory that belongs to the caller ------------------------------------------------------------------------------


def two(p):
    return (p[0] + p[1]).sum()


OWNERSHIP = {
    "sum": (lambda x: x.sum(), np.ones(3)),
    "two leaves of one addition": (two, [np.ones(3), np.ones(3)]),
    "one array twice": (two, (lambda a: [a, a])(np.ones(3))),
    "reshape": (lambda x: (x.reshape(6) * np.arange(6.0)).sum(), np.ones((2, 3))),
    "transpose": (lambda x: (x.T * np.arange(6.0).reshape(3, 2)).sum(), np.ones((2, 3))),
    "slice": (lambda x: x[1:].sum(), np.ones(3)),
    "all of it": (lambda x: x[...].sum() + x[:].sum(), np.ones(3)),
    "concatenate": (lambda p: (np.concatenate(p) * np.arange(6.0)).sum(), [np.ones(3), np.ones(3)]),
    "stack": (lambda p: (np.stack(p) * np.arange(6.0).reshape(2, 3)).sum(), [np.ones(3), np.ones(3)]),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3)).sum(), np.ones(3)),
    "copy": (lambda x: np.copy(x).sum(), np.ones(3)),
    "0-d identity": (lambda x: x, np.array(2.0)),
    "0-d pair": (lambda p: p[0] + p[1], [np.array(2.0), np.array(3.0)]),
    "not used": (lambda p: 1.0, [np.ones(3), np.ones(3)]),
    "mean": (lambda x: x.mean(), np.ones((2, 3))),
    "times an array": (lambda p: (p["x"] * FACTOR).sum(), {"x": np.ones(3)}),
}
FACTOR = np.array([1.0, 2.0, 3.0])


@cases(OWNERSHIP)
def test_gradients_own_their_memory(case):
    fun, argument = case
    before = jax.tree.map(np.copy, argument)
    value, gradient = value_and_grad(fun)(argument)
    assert_alike(gradient, argument)  # also that no two leaves share memory, and none with the argument
    for g in jax.tree.leaves(gradient):
        assert not np.may_share_memory(g, FACTOR)
        g[...] = 99.0
    assert_close(value_and_grad(fun)(argument)[0], value, 0)
    assert_close(argument, before, 0)


def test_aux_and_value_do_not_alias_what_is_handed_out_elsewhere():
    argument = np.ones(3)
    gradient, aux = grad(lambda x: (x.sum(), (x, x + 0.0)), has_aux=True)(argument)
    gradient[...] = 99.0
    np.testing.assert_array_equal(aux, np.ones((2, 3)))
    zero_d = np.array(2.0)
    value, gradient = value_and_grad(lambda x: x)(zero_d)
    zero_d[...] = 7.0
    assert (value, gradient) == (2.0, 1.0)


# ---- Errors ---------------------------------------------------------------------------------------------------------


class Interrupted(BaseException):
    pass


@cases({
    "exception": KeyError("boom"),
    "ValueError": ValueError("boom"),
    "TypeError": TypeError("boom"),
    "StopIteration": StopIteration(),
    "BaseException": Interrupted(),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "SystemExit": SystemExit(3),
    "ZeroDivisionError": ZeroDivisionError("boom"),
})
def test_errors_of_the_function_pass_through_unchanged(case):
    weights = np.ones(2)

    def f(x):
        (x * weights).sum()
        raise case

    for call in (lambda: grad(f)(1.0), lambda: grad(lambda x: grad(f)(x) * x)(1.0)):
        with pytest.raises(type(case)) as caught:
            call()
        assert caught.value is case
        assert case.__cause__ is None and case.__context__ is None and not hasattr(case, "__notes__")
        assert weights.flags.writeable
        assert grad(lambda x: x * x)(3.0) == 6.0


def test_an_error_inside_an_inner_gradient_does_not_disturb_the_outer_one():
    weights = np.array([1.0, 2.0])

    def f(x):
        try:
            grad(lambda y: (y * weights).sum() * (1 // 0))(x)
        except ZeroDivisionError:
            pass
        return (x * x * weights).sum()

    assert grad(f)(3.0) == 18.0
    assert weights.flags.writeable


def test_an_error_shows_the_line_that_made_it():
    def f(x):
        return (x + np.ones(3)).sum()  # the line

    with pytest.raises(ValueError, match="broadcast") as caught:
        grad(f)(np.ones(2))
    assert any("# the line" in str(entry.statement) for entry in caught.traceback)


def test_warnings_of_the_function_come_out_and_grad_adds_none():
    def f(x):
        import warnings

        warnings.warn("hey", stacklevel=1)
        return x

    with pytest.warns(UserWarning, match="hey"):
        assert grad(f)(1.0) == 1.0
    assert grad(lambda x: 1.0)(2.0) == 0.0


def test_no_tensor_is_left_over():
    seen = []

    def f(p):
        seen.append(p["a"])
        return (p["a"] * p["b"]).sum(), {"a": p["a"], "n": [p["b"] * 2.0, (None, 1)]}

    result = value_and_grad(f, has_aux=True)({"a": np.ones(2), "b": 2.0})
    assert isinstance(seen[0], Tensor)
    assert not any(isinstance(leaf, Tensor) for leaf in jax.tree.leaves(result))


def test_the_import_loads_nothing_but_numpy_and_small_modules_of_python():
    program = "import sys, numpy; before = {*sys.modules}; import minigrad; print(*{*sys.modules} - before)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in done.stdout.split()} - {"minigrad", "numpy"}
    assert packages <= sys.stdlib_module_names and "dataclasses" not in packages
