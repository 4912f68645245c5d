"""Tests for faults that other tests did not notice when they were put into minigrad on purpose (see tests/mutation)."""

import inspect
import os
import subprocess
import sys
from array import array as buffer
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minigrad.numpy
from minigrad import defvjp, grad, primitive, tree, value_and_grad
from minigrad.operands import ForeignArrayError
from minigrad.table import rules
from minigrad.memory import innermost

from .support import array, assert_close, differences, notes, positive

# ---- Writing --------------------------------------------------------------------------------------------------------


def test_a_part_is_written_into_another_part():
    """A view of the same array is no reason to write nothing: only the view at the same index is."""

    def f(t):
        y = t * 1
        y[:2] = y[2:4]
        y[4:] = y[3:5]
        return (y * np.array([1.0, 2, 3, 4, 5, 6])).sum()

    np.testing.assert_array_equal(grad(f)(np.ones(6)), [0, 0, 1 + 3, 2 + 4 + 5, 6, 0])


def test_a_view_at_an_index_that_only_equals_another():
    """True equals 1 for Python. As an index it selects everything."""

    def f(t):
        y = (t * 1).reshape(2, 3)
        y[True] = y[1]
        return (y * np.arange(6.0).reshape(2, 3)).sum()

    np.testing.assert_array_equal(grad(f)(np.ones(6)), [0, 0, 0, 0 + 3, 1 + 4, 2 + 5])


@pytest.mark.parametrize(
    "narrow, wide, n", [(np.complex64, np.float64, 3), (np.float32, np.float64, 1), (np.float16, np.float32, 1)]
)
def test_a_result_of_another_dtype_takes_the_dtype_of_what_it_is_written_into(narrow, wide, n):
    """The elements of both have the same size, or there is only one. So they lie in memory in the same way."""
    seen = []

    def f(t):
        y = t.astype(narrow)
        np.multiply(t, t, out=y)
        seen.append(y.dtype)
        return (y * y).real.sum()

    x = np.linspace(0.5, 1.5, n, dtype=wide)
    assert grad(f)(x).dtype == wide
    np.testing.assert_allclose(grad(f)(x), 4 * x**3, rtol=2e-3 if narrow is np.float16 else 1e-6)
    assert set(seen) == {np.dtype(narrow)}


def test_nothing_is_written_at_an_index_that_selects_nothing():
    def f(t):
        y = t * 1
        y.flat[[]] = 3.0
        y.flat[2:2] = np.array([7.0, 8.0])
        y[y > 100] = 5.0
        return (y * np.arange(4.0).reshape(2, 2)).sum()

    np.testing.assert_array_equal(grad(f)(np.ones((2, 2))), np.arange(4.0).reshape(2, 2))


def test_an_array_with_an_axis_that_an_index_added_is_written_into():
    """The axis has the length 1, and the stride 0: but no two elements share memory."""
    x = np.arange(24.0).reshape(4, 6)[::2, None, ::2]
    assert x.strides[1] == 0 and not x.flags.forc

    def f(t):
        t[0] = t[1] * 2
        return (t * np.arange(6.0).reshape(2, 1, 3)).sum()

    np.testing.assert_array_equal(grad(f)(x).ravel(), [0, 0, 0, 0 + 3, 2 + 4, 4 + 5])


# ---- What is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Setting the dtype on a NumPy array")  # from NumPy 2.5 on
def test_the_same_bytes_read_as_another_dtype_are_another_array():
    """A large array is copied once for all its uses. After its dtype was changed in place, it holds other numbers."""
    a = np.arange(1.0, 4097)
    bits = a.view(np.int64).copy()

    def f(t):
        y = (t * a).sum()
        a.dtype = np.int64
        z = (t * a).sum()
        return y + z

    np.testing.assert_allclose(grad(f)(np.zeros(4096)), np.arange(1.0, 4097) + bits, rtol=1e-15)


def test_the_step_of_a_slice_is_kept_too():
    step = np.array(1)

    def f(t):
        y = t[0:4:step]
        step[...] = 2
        z = t[0:4:step]
        step[...] = 1
        return (y * np.arange(1.0, 5)).sum() + (z * 10).sum()

    np.testing.assert_array_equal(grad(f)(np.zeros(5)), [1 + 10, 2, 3 + 10, 4, 0])


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
def test_the_layout_of_a_copy(order):
    x = np.arange(6.0).reshape(2, 3)

    def f(t):
        for plain, traced in ((x, t * 1), (x.T, (t * 1).T), (x[:, ::2], (t * 1)[:, ::2])):
            one, other = innermost(traced.copy(order)), plain.copy(order)
            assert one.strides == other.strides and one.flags.writeable
            np.testing.assert_array_equal(one, other)
        return t.sum()

    np.testing.assert_array_equal(grad(f)(x), np.ones((2, 3)))


# ---- Rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [30_000, 10_000, 10_001, 20_001])
@pytest.mark.parametrize("z", [0.5, 0.5 + 1j])
def test_the_cotangent_of_a_number_that_multiplied_a_long_complex_array(z, n):
    w = np.cos(np.arange(n)) * (1 + 2j)
    v = np.sin(np.arange(n)) + 1j
    expected = (v * w).sum()
    gradient = grad(lambda z: (v * (z * w)).sum().real)(z)
    np.testing.assert_allclose(gradient, expected if isinstance(z, complex) else expected.real, rtol=1e-12)


def test_a_rule_that_uses_a_value_from_outside_that_is_differentiated():
    def f(x):
        @primitive
        def square(v):
            return v * v

        defvjp(square, v=lambda g: g * x)
        return square(x).sum()

    message = "a rule uses a value that is being differentiated and is not one of its arguments"
    for x in (2.0, np.ones(2)):
        with pytest.raises(TypeError, match=message):
            grad(f)(x)
    with pytest.raises(TypeError, match=message):
        grad(lambda x: grad(f)(x))(2.0)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
@pytest.mark.parametrize("other", [0.0, np.zeros(3)])
def test_an_infinite_cotangent_at_a_maximum(name, other):
    """The operand that is not taken gets the cotangent times zero, as in JAX: where it is infinite, this is NaN."""

    def f(x, xp):
        return xp.sum(xp.sqrt(getattr(xp, name)(x, other)))

    x = np.array([-1.0, 0.0, 2.0])
    with np.errstate(all="ignore"):
        gradient = grad(lambda x: f(x, np))(x)
    expected = [np.nan, np.inf, 0.5 / np.sqrt(2)] if name == "maximum" else [np.nan, np.inf, np.nan]
    np.testing.assert_allclose(gradient, expected, rtol=1e-15)
    np.testing.assert_allclose(jax.grad(lambda x: f(x, jnp))(x), expected, rtol=1e-15)

# What a keyword means that has the default "no value" in NumPy, or that is not in a signature.
LEFT_OUT = {"keepdims": False, "where": True, "axis": -1, "constant_values": 0, "end_values": 0, "reflect_type": "even"}
INITIAL = {np.sum: 0, np.nansum: 0, np.prod: 1, np.nanprod: 1}
OTHERWISE = {(np.unwrap, "period"), *((fun, "casting") for fun in (np.concatenate, np.stack, np.hstack, np.vstack, np.einsum))}


def test_the_keywords_of_rules_have_the_defaults_of_numpy():
    """If a call leaves a keyword out, the VJP takes its own default. So the two have to mean the same."""
    checked = 0
    for fun, rule in list(rules.items()):
        if rule.title.startswith("np.polynomial."):  # their rules are made of each other, and the checks of maxpower are NumPy's
            continue
        for vjp in rule.vjps.values():
            for name, parameter in inspect.signature(vjp.fun).parameters.items() if vjp else ():
                default = rule.defaults.get(name)
                is_open = name in rule.defaults and default is not np._NoValue
                if parameter.default in (np._NoValue, parameter.empty) or (fun, name) in OTHERWISE:
                    continue
                if not is_open and parameter.kind is not parameter.VAR_KEYWORD:
                    default = INITIAL.get(fun) if name == "initial" else LEFT_OUT.get(name)
                    default = 0 if fun is np.vsplit else "K" if (fun, name) == (np.einsum, "order") else default
                assert (type(parameter.default), parameter.default) == (type(default), default), (rule.title, name)
                checked += 1
    assert checked > 300


@pytest.mark.parametrize("name", ["linspace", "logspace", "geomspace"])
def test_a_range_without_further_arguments(name):
    weights = np.cos(np.arange(50.0))
    one, other = (
        jax_or_grad(lambda x: (getattr(xp, name)(x[0], x[1]) * weights).sum())(np.array([0.5, 1.5]))
        for jax_or_grad, xp in ((grad, np), (jax.grad, jnp))
    )
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("dtype, bits", [(np.float16, np.uint16), (np.float32, np.uint32), (np.float64, np.uint64)])
def test_the_median_of_many_numbers(dtype, bits):
    """Each number is the next one in its dtype. There are more of them than float16 can count."""
    n = 5001
    order = np.random.default_rng(0).permutation(n)
    x = (int(np.ones((), dtype).view(bits)) + order).astype(bits).view(dtype)
    np.testing.assert_array_equal(grad(np.median)(x), (order == n // 2).astype(dtype), strict=True)


@pytest.mark.parametrize(
    "method", ["linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased", "lower"]
)
def test_the_slope_of_a_quantile_by_its_rank(method):
    x = np.array([0.3, -1.7, 2.9, 0.8, 1.1, -0.4, 5.2])

    def f(q):
        return np.quantile(x, q, method=method) ** 2 + np.percentile(x, 100 * q, method=method)

    for q in (0.33, 0.61):
        assert_close(grad(f)(q), differences(f, q, 1.0), 1e-9)


@pytest.mark.parametrize(
    "x, expected",
    [
        (30.5, -0.0006055170982254389),
        (31.0, -0.0005861719430369728),
        (50.0, -0.00022554056313532387),
        (1e3, -5.641887372654967e-07),
    ],
)
def test_erfcx_beyond_30(x, expected):
    """The numbers are 2 x erfcx(x) - 2 / sqrt(pi), computed with 40 digits."""
    special = pytest.importorskip("scipy.special")
    np.testing.assert_allclose(grad(special.erfcx)(x), expected, rtol=1e-14)


@pytest.mark.filterwarnings("ignore:Degrees of freedom|invalid value")
@pytest.mark.parametrize("y_shape", [None, (3, 1), (1, 3)])
@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (3, 2)])
def test_the_covariance_of_columns(shape, y_shape):
    """A matrix of one row has one observation, or it is one variable, in the way in which NumPy takes it."""

    def f(x, y=None):
        c = np.cov(x, y, rowvar=False, bias=True)
        return (c * np.cos(np.arange(np.size(c))).reshape(np.shape(c))).sum()

    x, v = array(shape), array(shape, 1)
    if y_shape is None:
        assert_close((grad(f)(x) * v).sum(), differences(f, x, v), 1e-9)
        return
    y = array(y_shape, 2)
    try:
        np.cov(x, y, rowvar=False, bias=True)
    except ValueError:  # NumPy finds a different number of observations in the two
        with pytest.raises(ValueError):
            grad(f)(x, y)
        return
    assert_close((grad(f)(x, y) * v).sum(), differences(lambda x: f(x, y), x, v), 1e-9)
    w = array(y_shape, 3)
    assert_close((grad(f, 1)(x, y) * w).sum(), differences(lambda y: f(x, y), y, w), 1e-9)


class Pair(NamedTuple):
    a: Any
    b: Any


@pytest.mark.parametrize(
    "f, expected",
    [
        (lambda t: np.stack(Pair(t, 2 * t)).sum(), [3, 3]),
        (lambda t: np.stack(Pair(t, buffer("d", [1.0, 2.0]))).sum(), [1, 1]),
        (lambda t: np.stack([t, t]).sum(Pair(0, 1)), [2, 2]),
        (lambda t: (np.stack([t, t])[Pair(0, slice(None))] * t).sum(), [2, 4]),
    ],
)
def test_named_tuples_are_tuples(f, expected):
    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), expected)


def test_a_foreign_array_in_a_named_tuple_is_refused():
    series = pytest.importorskip("pandas").Series([1.0, 2.0])
    with pytest.raises(ForeignArrayError, match="pass x.to_numpy()"):
        grad(lambda t: np.stack(Pair(t, series)).sum())(np.ones(2))
    with pytest.raises(ForeignArrayError, match="pass x.to_numpy()"):
        grad(lambda t: np.stack([t, t])[Pair(0, series)].sum())(np.ones(2))


# ---- Decompositions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 4), (4, 2)])
def test_a_singular_vector_of_a_matrix_of_lower_rank(shape):
    """One singular value is zero, but the loss does not depend on its vectors. So nothing is divided by it."""
    a = np.zeros(shape)
    a[1, 0] = 2
    weights = [np.array([0.3, -1.2, 0.7, 0.4])[:n] for n in shape]

    def f(a):
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return (u[:, 0] @ weights[0]) ** 2 + (vh[0] @ weights[1]) ** 2

    v = np.sin(np.arange(8.0)).reshape(shape)
    assert_close((grad(f)(a) * v).sum(), differences(f, a, v), 1e-9)


def test_the_complete_qr_of_a_triangular_matrix_whose_last_columns_are_not_used():
    """Here q is a part of the identity. Its other columns have no derivative, and the loss does not ask for one."""
    a = np.array([[2.0, 1.0], [0.0, 3.0], [0.0, 0.0]])

    def f(a, mode):
        q, r = np.linalg.qr(a, mode)
        return (q[:, :2] ** 2 * np.array([[1.0, 2], [3, 4], [5, 6]])).sum() + (r[:2] * np.array([[1.0, 2], [3, 4]])).sum()

    expected = grad(lambda a: f(a, "reduced"))(a)
    np.testing.assert_allclose(grad(lambda a: f(a, "complete"))(a), expected, rtol=1e-14)
    v = np.array([[1.0, 2.0], [0.0, 4.0], [0.0, 0.0]])  # a step in another direction turns q around
    assert_close((expected * v).sum(), differences(lambda a: f(a, "reduced"), a, v), 1e-9)


@pytest.mark.filterwarnings("ignore:Polyfit may be poorly conditioned")
@pytest.mark.parametrize("k", [2, 4, 6, 12, 16])
def test_polyfit_has_a_derivative_where_numpy_finds_a_full_rank(k):
    """The points are so close together that the number of points times the rounding error decides about the rank."""
    x, y = 1 + np.array([0, 1, 2, 0, 3]) * k * np.finfo(float).eps, np.arange(5.0)
    rank = np.polyfit(x, y, 1, full=True)[2]
    assert rank == (2 if k > 10 else 1)
    if rank == 2:
        assert np.isfinite(grad(lambda y: np.polyfit(x, y, 1).sum())(y)).all()
    else:
        with pytest.raises(ValueError, match="do not determine the polynomial"):
            grad(lambda y: np.polyfit(x, y, 1).sum())(y)


@pytest.mark.parametrize("order", ["K", "A", "F", "C"])
def test_the_order_in_memory_of_an_array_with_an_axis_that_was_added_by_broadcasting(order):
    """The axis has the length 1. So each element is in memory once, and there is an order."""
    weights = np.arange(24.0)

    def f(x):
        y = np.broadcast_to(np.transpose(x, (1, 0, 2)), (1, 3, 2, 4))
        return (np.ravel(y, order) * weights).sum()

    x = np.zeros((2, 3, 4))
    y = np.broadcast_to(np.transpose(weights.reshape(2, 3, 4), (1, 0, 2)), (1, 3, 2, 4))
    assert y.strides[0] == 0
    places = np.ravel(y, order).astype(int)  # where each element of y comes from
    np.testing.assert_array_equal(grad(f)(x).ravel()[places], weights)


# ---- Programs in place of functions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [False, True])
def test_the_histogram_of_nothing(density):
    """The edges do not depend on the points, because there are none."""
    seen = []

    def f(t):
        with np.errstate(invalid="ignore"):
            values, edges = np.histogramdd([t[:0], t[:0]], bins=2, density=density)
        seen.append((values, edges))
        return (t * t).sum()

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(grad(f)(x), 2 * x)
    with np.errstate(invalid="ignore"):
        values, edges = np.histogramdd([x[:0], x[:0]], bins=2, density=density)
    np.testing.assert_array_equal(seen[0][0], values)
    np.testing.assert_array_equal(seen[0][1], edges)


def test_full_like_of_minigrad_numpy_with_a_plain_number():
    """All arguments reach NumPy, each at its place."""
    calls = [(7,), (7, np.float32), (7, int, "C"), (7, None, "K", True, (4,)), (7.5, np.int8, "C", False, (2, 2))]

    def f(t):
        for args in calls:
            for one in (minigrad.numpy.full_like(t, *args), minigrad.numpy.full_like(np.ones((2, 3)), *args)):
                value, expected = innermost(one), np.full_like(np.ones((2, 3)), *args)
                np.testing.assert_array_equal(value, expected, strict=True)
        return (t * minigrad.numpy.full_like(t, 7)).sum()

    np.testing.assert_array_equal(grad(f)(np.ones((2, 3))), np.full((2, 3), 7.0))


@pytest.mark.parametrize("requirements, copies", [("W", True), (["C", "O"], True), (["C"], False), (None, False), ("F", False)])
def test_require_of_minigrad_numpy_copies_where_memory_of_its_own_is_required(requirements, copies):
    def f(t):
        y = t[1:]
        result = minigrad.numpy.require(y, requirements=requirements)
        result[0] = 5.0  # it writes into y as well, unless there is a copy
        return (y * y).sum() + result.sum()

    expected = np.array([0, 2 * 2.0 + 0, 2 * 3.0 + 1]) if copies else np.array([0, 0, 2 * 3.0 + 1])
    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0, 3.0])), expected)


@pytest.mark.parametrize(
    "f, expected",
    [
        (lambda t: t.clip(0.2, 0.9), [0, 1, 0]),
        (lambda t: t.clip(max=0.9), [1, 1, 0]),
        (lambda t: t.clip(a_min=0.2), [0, 1, 1]),
        (lambda t: t.clip(a_min=0.2, a_max=0.9), [0, 1, 0]),
    ],
)
def test_the_method_clip(f, expected):
    np.testing.assert_array_equal(grad(lambda t: f(t).sum())(np.array([0.1, 0.5, 1.5])), expected)


# ---- Trees, and methods of ufuncs -----------------------------------------------------------------------------------


def test_trees_of_another_structure_are_refused():
    """Only where a cotangent or a tangent is expected, None stands for a whole container."""
    assert tree.map(lambda *leaves: leaves, [1.0, 2.0], [None, None]) == [(1.0, None), (2.0, None)]
    for other in (None, (1.0, 2.0), [1.0]):
        with pytest.raises(ValueError, match="the trees differ in structure"):
            tree.map(lambda *leaves: leaves, [1.0, 2.0], other)
        with pytest.raises(ValueError, match="the trees differ in structure"):
            tree.map_with_path(lambda path, *leaves: leaves, [1.0, 2.0], other)


@pytest.mark.parametrize("ufunc", [np.logaddexp, np.hypot])
def test_an_initial_value_and_no_axis(ufunc):
    a = positive((3, 2))

    def f(t):
        return (ufunc.reduce(a * t, initial=t) * np.array([1.0, 2.0])).sum()

    assert_close(grad(f)(0.7), differences(f, 0.7, 1.0), 1e-9)


# ---- The fast way ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given, way", [(None, "fast"), ("", "fast"), ("0", "fast"), ("1", "plain"), ("yes", "plain")])
def test_the_variable_that_leaves_the_fast_way_out(given, way):
    environment = {name: value for name, value in os.environ.items() if name != "MINIGRAD_PLAIN"}
    environment |= {} if given is None else {"MINIGRAD_PLAIN": given}
    program = "import sys, minigrad; print(sys.modules['minigrad.graph'].backward.__module__)"
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.stdout.strip() == {"fast": "minigrad.fast_backward", "plain": "minigrad.graph"}[way], run.stderr


def test_the_remainder_of_a_number_stays_a_number():
    """So it takes the dtype of the array that it meets, and a remainder by 0 is NaN, as in NumPy."""
    seen = []

    def f(t):
        rest = t % 2.0
        seen.append((type(rest.value), (rest * np.ones(2, np.float32)).dtype))
        seen.append((type((5.5 % t).value), ((5.5 % t) * np.ones(2, np.float32)).dtype))
        return rest * 3.0 + 5.5 % t

    assert grad(f)(2.25) == 3.0 - 5.5 // 2.25
    assert set(seen) == {(float, np.dtype(np.float32))}
    with np.errstate(all="ignore"):
        assert np.isnan(value_and_grad(lambda t: t % 0.0)(2.25)[0])


# ---- Errors ---------------------------------------------------------------------------------------------------------


def test_an_error_gets_no_note_if_the_second_run_fails_in_another_way():
    errors = [ValueError("first"), KeyError("second")]

    @primitive
    def same(x):
        return x * 1

    def fail(g):
        raise errors.pop(0)

    defvjp(same, x=fail)
    assert notes(grad(same), 2.0, error=ValueError) == []
    assert not errors  # so there was a second run
    errors += [ValueError("first"), ValueError("second")]
    assert len(notes(grad(same), 2.0, error=ValueError)) == 1


# ---- Other libraries ------------------------------------------------------------------------------------------------


def test_a_tracer_of_jax_is_refused_by_name():
    with pytest.raises(ForeignArrayError, match="JAX's operations are not NumPy's"):
        jax.make_jaxpr(lambda x: grad(lambda t: t * x)(1.0))(1.0)


def test_the_namespace_of_scipy_has_public_names_only():
    from minigrad.scipy import special

    assert [name for name in vars(special) if name.startswith("_")] == []
    assert {"logsumexp", "softmax", "gammaln"} <= vars(special).keys()
