"""How a derivative rule is tested: tables of calls, and one checker for all of them.

A table is a list of cases, each one call of a NumPy function: ``case(np.sum, x, axis=1)``. Its arguments that are
floats, complex numbers, or arrays of either are differentiated, all together. `check` then holds against each other

- the value while it is being differentiated, and what NumPy returns: these are identical;
- minigrad's gradient, JAX's, and finite differences;
- minigrad's second derivatives, JAX's, and finite differences of minigrad's gradient.

A result that is an array is made a number by adding up its elements, each with a weight of its own.

A file of such tests starts with ``from .support import *``. ``test_float32 = for_each(CASES, check_precision, np.float32,
1e-6)`` makes a test of a table and a checker. The last part has small helpers of other tests.
"""

from __future__ import annotations

import inspect
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minigrad import grad, value_and_grad
from minigrad.conversions import astype
from minigrad.graph import Observer
from minigrad.inside import checks
from minigrad.rules.indexing import replace, scatter
from minigrad.views import getitem, put, replaced, taken

# What the tests of rules import with a star. The names of other helpers are written out where they are used.
__all__ = (
    *("Case", "case", "program", "each", "rows", "cases", "for_each", "array", "complex_array", "positive"),
    *("check", "check_precision", "check_special_point", "check_special_point_in_jax", "check_gradient_in_jax"),
    *("gradient_of", "jax_gradient_of", "weighted", "bent", "along", "dot", "differences", "random_like"),
    *("assert_identical", "assert_alike", "assert_close", "unused_lanes"),
)

# Whether the fast way is left out. Some tests of time and memory are for the fast way only.
PLAIN = os.environ.get("MINIGRAD_PLAIN", "0") not in ("", "0")

# Products of float32 matrices with five columns by vectors. On processors with AVX-512, OpenBLAS also computes with lanes
# that no element uses. NumPy warns when what was left in them is not a number. The products are right.
unused_lanes = pytest.mark.filterwarnings("ignore:invalid value encountered in (matmul|dot):RuntimeWarning")

grad_module = import_module("minigrad.grad")  # which the function of that name hides

# ---- Cases ----------------------------------------------------------------------------------------------------------

# Among keywords, those for values to compute with. A float for any other (correction=0.5) is an option.
DIFFERENTIABLE_KEYWORDS = (
    *("initial", "mean", "a_min", "a_max", "min", "max", "nan", "posinf", "neginf", "fill_value", "default", "weights"),
    *("constant_values", "end_values", "base", "range"),
)
# What NumPy does not look at when it decides whom to hand a call to: traced alone, it is refused.
NOT_ALONE = {"initial", "nan", "posinf", "neginf", "fill_value", "default", "constant_values", "end_values", "range"}
MEAN_NOT_ALONE = {np.nanvar, np.nanstd}



def _numbers(place: Any) -> np.ndarray:
    """The numbers of a root's elements that lie at a place."""
    numbers = np.arange(np.prod(place.root[1])).reshape(place.root[1])
    return place.of(place.laid_out(numbers * (1 + 1j) if place.part else numbers)).astype(int)


def _taken_in_jax(a: Any, place: Any) -> Any:
    taken = jnp.ravel(a)[_numbers(place)]
    return getattr(taken, place.part) if place.part else taken


def _put_in_jax(g: Any, place: Any) -> Any:
    g = g * {"": 1, "real": 1 + 0j, "imag": 1j}[place.part]
    return jnp.zeros(np.prod(place.root[1]), g.dtype).at[_numbers(place)].add(g).reshape(place.root[1])


def _replaced_in_jax(a: Any, place: Any, value: Any) -> Any:
    old = jnp.ravel(a)[_numbers(place)]
    value = {"": value, "real": value + 1j * jnp.imag(old), "imag": jnp.real(old) + 1j * value}[place.part]
    return jnp.ravel(a).at[_numbers(place)].set(value).reshape(place.root[1])


# What JAX writes in another way; and keywords that it lacks, because they do not change values.
IN_JAX: dict[Callable, Callable] = {
    getitem: lambda a, index: a[np.asarray(index) if isinstance(index, list) else index],
    scatter: lambda values, indices, shape: sum(
        jnp.zeros(shape, value.dtype).at[index].add(value) for value, index in zip(values, indices)
    ),
    replace: lambda a, index, value: jnp.asarray(a).at[index].set(value),
    astype: lambda x, dtype: jnp.asarray(x).astype(dtype),
    taken: _taken_in_jax,
    put: _put_in_jax,
    replaced: _replaced_in_jax,
}
NOT_IN_JAX = {
    np.concatenate: {"casting"},
    np.stack: {"casting"},
    np.hstack: {"casting"},
    np.vstack: {"casting"},
    np.copy: {"order"},
    np.full_like: {"order"},
    astype: {"casting", "order"},
    np.astype: {"device"},
}


@dataclass(frozen=True)
class Case:
    """One call of a function.

    Attributes
    ----------
    fun : callable
    args, kwargs
    in_jax : callable, optional
        What computes the same in JAX, if it is not the function of that name.
    """

    fun: Callable
    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)
    in_jax: Callable | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments that are differentiated: the position, as a string, or the keyword, and the value."""
        given = {str(i): value for i, value in enumerate(self.args)}
        given |= {name: self.kwargs[name] for name in DIFFERENTIABLE_KEYWORDS if name in self.kwargs}
        return {name: value for name, value in given.items() if _is_inexact(value)}

    def __call__(self, parameters: dict[str, Any], xp: Any = np) -> Any:
        """The result, with those parameters in place of the case's own, from NumPy or from JAX."""
        args = [parameters.get(str(i), value) for i, value in enumerate(self.args)]
        kwargs = self.kwargs | {name: value for name, value in parameters.items() if name in self.kwargs}
        if xp is np:
            return self.fun(*args, **kwargs)
        fun = self.in_jax or IN_JAX.get(self.fun) or getattr(jnp, self.fun.__name__)
        return fun(*args, **{k: v for k, v in kwargs.items() if k not in NOT_IN_JAX.get(self.fun, ())})

    def replaced(self, change: Callable[[Any], Any]) -> Case:
        """The case with each number and array that is differentiated changed."""
        new = jax.tree.map(change, self.parameters)
        args = tuple(new.get(str(i), value) for i, value in enumerate(self.args))
        return Case(self.fun, args, {name: new.get(name, value) for name, value in self.kwargs.items()}, self.in_jax)

    def __repr__(self) -> str:
        words = [_brief(value) for value in self.args] + [f"{name}={_brief(v)}" for name, v in self.kwargs.items()]
        return f"{self.fun.__name__}({', '.join(words)})"


def case(fun: Callable, *args: Any, **kwargs: Any) -> Case:
    """A case, written as the call that it is."""
    return Case(fun, args, kwargs)


def program(name: str, fun: Callable, *args: Any) -> Case:
    """A case of several operations: ``fun(np, *args)``, for which JAX gets its own `np`."""

    def in_numpy(*args: Any) -> Any:
        return fun(np, *args)

    in_numpy.__name__ = name
    return Case(in_numpy, args, {}, in_jax=lambda *args: fun(jnp, *args))


def each(table: list[Case]) -> pytest.MarkDecorator:
    """Run a test once for each case of a table."""
    return pytest.mark.parametrize("case", table, ids=repr)


def rows(table: list[tuple]) -> pytest.MarkDecorator:
    """Run a test once for each row of a table: a case, and the gradient for each of its arguments."""
    return pytest.mark.parametrize("case, expected", [(case, list(e)) for case, *e in table], ids=[repr(row[0]) for row in table])


def cases(table: dict[str, Any]) -> pytest.MarkDecorator:
    """Parametrize by a dict, whose keys are the names of the cases."""
    return pytest.mark.parametrize("case", table.values(), ids=table.keys())


def for_each(table: list, checker: Callable, *args: Any, **options: Any) -> Callable:
    """A test that runs a checker for each case of a table, or for each row: a case, and its gradients."""
    if isinstance(table[0], tuple):

        @rows(table)
        def test(case: Case, expected: list) -> None:
            checker(case, expected, *args, **options)

    else:

        @each(table)
        def test(case: Case) -> None:
            checker(case, *args, **options)

    return test


def array(shape: tuple, seed: int = 0) -> np.ndarray:
    """Random numbers between -2 and 2."""
    return np.random.default_rng(seed).uniform(-2, 2, shape)


def complex_array(shape: tuple, seed: int = 0) -> np.ndarray:
    """Random complex numbers, with parts between -2 and 2."""
    return array(shape, seed) + 1j * array(shape, seed + 1)


def positive(shape: tuple, seed: int = 0) -> np.ndarray:
    """Random numbers between 0.5 and 2."""
    return np.random.default_rng(seed).uniform(0.5, 2, shape)


def _is_inexact(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_inexact, value))
    return not isinstance(value, (str, type)) and np.asarray(value).dtype.kind in "fc"


def _brief(value: Any) -> str:
    """An argument as it is shown in the name of a test: arrays by dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}".replace(" ", "")
    if isinstance(value, (list, tuple)):
        return ("[%s]" if isinstance(value, list) else "(%s)") % ", ".join(map(_brief, value))
    text = getattr(value, "__name__", None) or repr(value)
    return type(value).__name__ if " at 0x" in text else text  # names of tests are the same in every process


# ---- The checker ----------------------------------------------------------------------------------------------------


def check(case: Case, against_jax: bool = True, second_in_jax: bool = True, compiled: bool = True) -> None:
    """Hold value, gradient and second derivatives of a case against NumPy, JAX and finite differences.

    JAX can be asked for the gradient only; or uncompiled, for what depends on the values of arrays.
    """
    x = case.parameters
    assert x, "nothing in this case can be differentiated"
    expected = case(x)
    weights, v = random_like(expected, seed=1), random_like(x, seed=2)
    loss = bent(case, weights, np)

    (_, value), gradient = value_and_grad(loss, has_aux=True)(x)
    assert_identical(value, expected)
    assert_alike(gradient, x)

    second, first = grad(along(loss, v), has_aux=True)(x)
    assert_alike(second, x)
    assert_close(first, gradient, 1e-14, "the gradient, and the gradient inside a gradient")

    if against_jax:
        in_jax = jax.grad(lambda x: bent(case, weights, jnp)(x)[0])
        both = (lambda x: jax.jvp(in_jax, (x,), (v,))) if second_in_jax else lambda x: (in_jax(x), second)
        jax_first, jax_second = (jax.jit(both) if compiled else both)(x)
        assert_close(gradient, jax_first, 1e-11, "the gradients of minigrad and JAX")
        assert_close(second, jax_second, 1e-10, "the second derivatives of minigrad and JAX")

    slope = differences(lambda x: loss(x)[0], x, v)
    assert_close(dot(gradient, v, np), slope, 1e-9, "the gradient and finite differences")
    bend = differences(lambda x: grad(loss, has_aux=True)(x)[0], x, v)
    assert_close(second, bend, 1e-9, "the second derivatives and finite differences of the gradient")

    # With one argument traced and the others plain, or of another level, operations take other ways.
    names = sorted(x.keys() - NOT_ALONE - ({"mean"} if case.fun in MEAN_NOT_ALONE else set()))
    for name in names:
        (_, value), alone = value_and_grad(lambda p: loss(x | {name: p}), has_aux=True)(x[name])
        assert_identical(value, expected)
        assert_close(alone, gradient[name], 1e-14, f"the gradient for argument {name} alone, and for all arguments")
    for one, other in [names[:2], names[1::-1]] if len(names) > 1 else []:

        def slope(p: Any) -> Any:
            return dot(grad(lambda q: loss(x | {one: p, other: q}), has_aux=True)(x[other])[0], v[other], np)

        v_other = jax.tree.map(np.zeros_like, v) | {other: v[other]}
        together = grad(along(loss, v_other), has_aux=True)(x)[0][one]
        assert_close(grad(slope)(x[one]), together, 1e-12, f"the mixed derivative for arguments {one} and {other}")


def check_precision(case: Case, dtype: Any, tolerance: float) -> None:
    """Hold a case in a narrower dtype against the same numbers in float64; and see that nothing wider comes up.

    Python numbers stay as they are: being weak, they leave the dtype to the arrays. Where NumPy itself answers in a
    wider dtype (float_power, or with dtype=), only the value and the gradient are looked at.
    """
    narrow = case.replaced(lambda leaf: _cast(leaf, dtype))
    wide = narrow.replaced(lambda leaf: _cast(leaf, np.float64))
    x, expected = narrow.parameters, narrow(narrow.parameters)
    weights = random_like(expected, seed=1)
    with watched_cotangents() as cotangents:
        (_, value), gradient = value_and_grad(weighted(narrow, weights, np), has_aux=True)(x)
    assert_identical(value, expected)
    assert_alike(gradient, x)
    reference, _ = grad(weighted(wide, weights, np), has_aux=True)(wide.parameters)
    assert_close(gradient, reference, tolerance, "the gradients in this dtype and in float64")
    if {_precision(leaf) for leaf in _leaves(expected)} - {None} == {dtype}:
        assert {_precision(seen) for seen in cotangents} <= {None, dtype}


class Watcher(Observer):
    """An observer that collects all cotangents: as they reach the VJPs, and as they come out of them."""

    def __init__(self) -> None:
        self.cotangents: list = []

    def visited(self, node: Any, g: Any) -> None:
        self.cotangents += _leaves(g)

    def handed_back(self, node: Any, parent: Any, share: Any, total: Any) -> None:
        self.cotangents += _leaves((share, total))


@contextmanager
def watched_cotangents() -> Iterator[list]:
    """Collect the cotangents of all calls of `grad`."""
    watcher = Watcher()
    differentiate = grad_module.differentiate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grad_module, "differentiate", lambda *args: differentiate(*args, watcher))
        yield watcher.cotangents
    assert watcher.cotangents, "nothing was seen"


def _cast(leaf: Any, dtype: Any) -> Any:
    if type(leaf) in (float, complex):
        return leaf
    return leaf.astype(np.result_type(dtype, np.complex64) if leaf.dtype.kind == "c" else dtype)


def _precision(value: Any) -> Any:
    """The floating type that the numbers of an array are made of. None for integers, and for Python's own numbers."""
    kind = value.dtype.kind if isinstance(value, (np.ndarray, np.generic)) else "O"
    return np.finfo(value.dtype).dtype.type if kind in "fc" else None


def check_special_point(case: Case, expected: list) -> None:
    """Hold the gradients against numbers. NumPy may warn on the way only where a number is infinite or NaN."""
    with np.errstate(all="ignore"):
        value = case(case.parameters)
    finite = all(np.isfinite(leaf).all() for leaf in _leaves((value, expected)))
    with np.errstate(all="warn" if finite else "ignore", under="ignore"):  # as by default
        gradients = gradient_of(case)
    for gradient, wanted in zip(gradients.values(), expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-14)


def check_special_point_in_jax(case: Case, expected: list) -> None:
    """Hold the gradients of JAX against numbers."""
    with np.errstate(all="ignore"):  # of NumPy, which is asked for the form of the result
        weights = _ones_like_result(case)
    # Not compiled: the compiler takes liberties with NaN.
    gradients, _ = jax.grad(weighted(case, weights, jnp), has_aux=True)(case.parameters)
    for gradient, wanted in zip(gradients.values(), expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-14)


def check_gradient_in_jax(case: Case, tolerance: float) -> None:
    """Hold the gradients against those of JAX, where it differentiates only once."""
    assert_close(gradient_of(case), jax_gradient_of(case), tolerance)


def gradient_of(case: Case) -> dict[str, Any]:
    """The gradient for each argument of a case, where every element of the result has the weight 1."""
    return grad(weighted(case, _ones_like_result(case), np), has_aux=True)(case.parameters)[0]


def jax_gradient_of(case: Case) -> dict[str, Any]:
    """What `gradient_of` returns, from JAX."""
    return jax.grad(weighted(case, _ones_like_result(case), jnp), has_aux=True)(case.parameters)[0]


def _ones_like_result(case: Case) -> Any:
    return jax.tree.map(lambda leaf: np.ones_like(leaf)[()], case(case.parameters))


def weighted(case: Case, weights: Any, xp: Any) -> Callable[[Any], tuple[Any, Any]]:
    """A function of the parameters of a case: the weighted sum of its results, and the results."""

    def loss(parameters: Any) -> tuple[Any, Any]:
        results = case(parameters, xp)
        return dot(weights, results, xp), results

    return loss


def bent(case: Case, weights: Any, xp: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Like `weighted`, with squares: so the cotangent of the result varies, and linear rules are tested twice too."""

    def loss(parameters: Any) -> tuple[Any, Any]:
        results = case(parameters, xp)
        return dot(weights, jax.tree.map(lambda r: r + 0.25 * r * r, results), xp), results

    return loss


def along(loss: Callable, v: Any) -> Callable[[Any], tuple[Any, Any]]:
    """A function of the parameters: the slope of the loss in direction v, and the gradient."""

    def slope(parameters: Any) -> tuple[Any, Any]:
        g, _ = grad(loss, has_aux=True)(parameters)
        return dot(g, v, np), g

    return slope


def dot(a: Any, b: Any, xp: Any) -> Any:
    """The sum of the products of all numbers in two trees; of complex ones the real part. (Integers do not count.)"""
    total = 0.0
    for one, other in zip(_leaves(a), _leaves(b), strict=True):
        kind = xp.result_type(one, other).kind
        if kind in "fc":
            total = total + (xp.real(xp.sum(one * other)) if kind == "c" else xp.sum(one * other))
    return total


def differences(fun: Callable, x: Any, v: Any, step: float = 6e-4) -> Any:
    """The derivative of a function at x in direction v, by the finite differences of `minigrad.check_grads`."""
    return checks.differences(fun, (x,), (v,), step)


def random_like(x: Any, seed: int) -> Any:
    """A tree like another, of random numbers between 0.5 and 1.5 (also in imaginary parts)."""
    rng = np.random.default_rng(seed)

    def draw(leaf: Any) -> Any:
        numbers = rng.uniform(0.5, 1.5, np.shape(leaf))
        if np.iscomplexobj(leaf):
            numbers = numbers + 1j * rng.uniform(0.5, 1.5, np.shape(leaf))
        return np.asarray(numbers).astype(np.asarray(leaf).dtype)[()]

    return jax.tree.map(draw, x)


def _leaves(x: Any) -> list:
    return jax.tree.leaves(x)


# ---- What has to hold -----------------------------------------------------------------------------------------------


def assert_identical(value: Any, expected: Any) -> None:
    """The same numbers to the last bit, of the same shape and dtype."""
    for one, other in zip(_leaves(value), _leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=False)
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype


def assert_alike(gradient: Any, x: Any) -> None:
    """A gradient has the structure of x, leaves of the same type, shape and dtype, and memory of its own."""
    assert jax.tree.structure(gradient) == jax.tree.structure(x)
    taken = [leaf for leaf in _leaves(x) if isinstance(leaf, np.ndarray)]
    for g, leaf in zip(_leaves(gradient), _leaves(x)):
        assert type(g) is type(leaf)
        if isinstance(leaf, np.ndarray):
            assert (g.shape, g.dtype) == (leaf.shape, leaf.dtype)
            assert g.flags.writeable and g.flags.owndata
            assert leaf.flags.writeable, "the argument was left read-only"
            assert not any(np.may_share_memory(g, array) for array in taken)
            taken.append(g)


def assert_close(actual: Any, expected: Any, rtol: float, what: str = "") -> None:
    """Two trees of numbers differ by no more than rtol, relative to the largest number in each leaf, or to 1."""
    for one, other in zip(_leaves(actual), _leaves(expected), strict=True):
        assert np.shape(one) == np.shape(other), what
        sizes = np.abs(np.asarray(other))
        largest = float(np.max(sizes, initial=1, where=np.isfinite(sizes)))
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * largest, err_msg=what)


# ---- Helpers of other tests -----------------------------------------------------------------------------------------


class Counted:
    """A function that counts its calls."""

    def __init__(self, fun: Callable) -> None:
        self.fun = fun
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.fun(*args, **kwargs)


def read_only(array: np.ndarray) -> np.ndarray:
    """The same array, which can no longer be written into."""
    array.flags.writeable = False
    return array


def place(fun: Callable, mark: str = "# here") -> str:
    """Where the marked line of a function is (the only one of a lambda), as a note names it."""
    lines, first = inspect.getsourcelines(fun)
    numbers = [i for i, line in enumerate(lines) if mark in line] or [0]
    assert len(numbers) == 1, f"{mark} is in {fun} several times"
    return f"{inspect.getsourcefile(fun)}, line {first + numbers[0]}, in {fun.__name__}"


def notes(call: Callable, *args: Any, error: type[BaseException] = Exception) -> list[str]:
    """The notes of the error that a call raises."""
    with pytest.raises(error) as caught:
        call(*args)
    return list(getattr(caught.value, "__notes__", []))


def note(*places: str) -> list[str]:
    """The notes that name these places."""
    return [f"This is an error in the backward pass, at an operation that was recorded in {p}" for p in places]
