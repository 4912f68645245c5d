"""minigrad.numpy: programs written against jax.numpy run with it, to the same numbers."""

import jax
import jax.numpy as jnp
import numpy
import pytest

import minigrad.numpy as mnp
from minigrad import Tensor, grad, value_and_grad

X = numpy.array([0.5, 1.5, -2.0])
GAPS = numpy.array([numpy.nan, 1.0, numpy.inf, -numpy.inf])

PROGRAMS = {
    # Arrays of Tensors
    "array": lambda np, x: np.array([x[0], 2 * x[1], 1.0]),
    "array of rows": lambda np, x: np.array([[x[0], 2.0], (x[1] * x[2], x[0])]),
    "array of arrays": lambda np, x: np.array([[x, 2 * x], [np.ones(3), x * x]]),
    "array of a Tensor": lambda np, x: np.array(x),
    "array of one number": lambda np, x: np.array(x[0]),
    "array with a dtype": lambda np, x: np.array([x[0], x[1]], dtype=np.float32).astype(float),
    "array with more axes": lambda np, x: np.array([x[0], x[1]], ndmin=3) * np.ones((2, 1, 2)),
    "asarray": lambda np, x: np.asarray([x[0], x[2]]),
    "asarray of a Tensor": lambda np, x: np.asarray(x, dtype=complex) * (1 + 2j),
    "full": lambda np, x: np.full((2, 3), x[0]) * np.arange(6.0).reshape(2, 3),
    "full of a row": lambda np, x: np.full((2, 3), x),
    "full_like": lambda np, x: np.full_like(np.ones((2, 3)), x[0]),
    "full_like in another shape": lambda np, x: np.full_like(np.ones(3, np.float32), x[0], dtype=float, shape=(2,)),
    "r_": lambda np, x: np.r_[x, 1.0, x[0]],
    "r_ with a range": lambda np, x: np.r_[1:3, x, 0:1:3j],
    "c_": lambda np, x: np.c_[x, 2 * x],
    "c_ of numbers": lambda np, x: np.c_[x[0], 2.0, x[2]],
    # What NumPy computes with numbers only
    "fftfreq": lambda np, x: np.fft.fftfreq(5, x[0]),
    "rfftfreq": lambda np, x: np.fft.rfftfreq(6, d=x[0]),
    "kaiser": lambda np, x: np.kaiser(6, x[1]),
    # Arguments in which NumPy does not look for Tensors
    "initial of sum": lambda np, x: np.sum(np.ones(3), initial=x[0]),
    "initial of prod": lambda np, x: np.prod(X, initial=x[0]),
    "initial of max": lambda np, x: np.max(np.zeros((2, 2)), axis=0, initial=x[1]),
    "initial of min": lambda np, x: np.min(np.zeros(2), initial=x[2]),
    "initial of nanmax": lambda np, x: np.nanmax(GAPS[:2], initial=x[1]),
    "nan": lambda np, x: np.nan_to_num(GAPS, nan=x[0], posinf=x[1], neginf=x[2]),
    "default": lambda np, x: np.select([X > 1, X < -1], [1.0 * X, 2.0 * X], default=x[0]),
    "left": lambda np, x: np.interp(X, np.array([0.0, 1.0]), np.array([2.0, 3.0]), left=x[0], right=x[1]),
    "mean of var": lambda np, x: np.var(X, mean=x[0]),
    "mean of std": lambda np, x: np.std(X, mean=x[:1]),
    "a function over an axis": lambda np, x: np.apply_along_axis(lambda row: row * x[0], 0, np.ones((2, 3))),
    # NumPy's own
    "norm": lambda np, x: np.linalg.norm(np.array([x[0], x[1]])),
    "mean": lambda np, x: np.mean(np.array([x[0] * x[1], x[2]])),
    "what is NumPy's own": lambda np, x: np.sum(np.tanh(np.concatenate([x, x * x]))) + np.pi,
    "what lies deeper": lambda np, x: np.linalg.det(np.outer(x, x) + np.eye(3)) + np.real(np.fft.fft(x)[1]),
}
NOT_IN_JAX = {"mean of var", "mean of std"}  # by that name


def loss(np, program):
    """A number made of the results: twice differentiable, and different for each of them."""
    return lambda x: np.sum(np.real(program(np, x)) ** 2 * (1 + np.arange(float(np.size(program(np, X)))).reshape(np.shape(program(np, X)))))


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NOT_IN_JAX])
def test_programs_for_jax(name):
    ours, theirs = loss(mnp, PROGRAMS[name]), loss(jnp, PROGRAMS[name])
    in_jax = jax.jit(lambda x: (theirs(x), jax.grad(theirs)(x), jax.grad(lambda x: jnp.sum(jax.grad(theirs)(x) * X))(x)))
    value, first, second = in_jax(X)
    numpy.testing.assert_allclose(ours(X), value, rtol=1e-7 if "dtype" in name else 1e-13)
    rtol = 1e-6 if name == "array with a dtype" else 1e-11
    numpy.testing.assert_allclose(grad(ours)(X), first, rtol=rtol, atol=1e-12)
    numpy.testing.assert_allclose(grad(lambda x: numpy.sum(grad(ours)(x) * X))(X), second, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_finite_differences(name):
    program = loss(mnp, PROGRAMS[name])
    if name == "array with a dtype":
        return  # float32 is too coarse
    for fun in (program, lambda x: numpy.sum(grad(program)(x) * X)):
        step = 1e-5
        expected = [(fun(X + d) - fun(X - d)) / (2 * step) for d in step * numpy.eye(3)]
        numpy.testing.assert_allclose(grad(fun)(X), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_are_those_of_numpy(name):
    """Of plain arrays, and while they are differentiated: the same numbers, of the same dtype and shape."""
    try:
        expected = PROGRAMS[name](numpy, X)
    except TypeError:  # mean= is newer than the oldest version
        assert name in NOT_IN_JAX
        return
    _, value = value_and_grad(lambda x: (numpy.sum(x), PROGRAMS[name](mnp, x)), has_aux=True)(X)[0]
    for one in (PROGRAMS[name](mnp, X), value):
        numpy.testing.assert_array_equal(one, expected)
        assert numpy.asarray(one).dtype == numpy.asarray(expected).dtype


LISTS = {
    **{name: () for name in "sum mean std var prod max min cumsum ravel amax amin nansum nanprod nanmax nanmin nanvar nanstd".split()},
    "append": ([3.0],),
    "dot": ([1.0, 2.0, 3.0],),
    "linalg.norm": (),
    "pad": (1,),
    "nan_to_num": (),
}


def named(np, name):
    for part in name.split("."):
        np = getattr(np, part)
    return np


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_tensors(name):
    """Which JAX refuses: the same as of the array."""
    of_list = grad(lambda x: numpy.sum(named(mnp, name)([x[0], x[1] * x[1], x[2]], *LISTS[name]) ** 2))
    of_array = grad(lambda x: numpy.sum(named(numpy, name)(numpy.stack([x[0], x[1] * x[1], x[2]]), *LISTS[name]) ** 2))
    numpy.testing.assert_array_equal(of_list(X), of_array(X))
    second = [grad(lambda x: numpy.sum(one(x) * X))(X) for one in (of_list, of_array)]
    numpy.testing.assert_array_equal(*second)


def test_padding():
    """JAX has no derivative for constant_values. They may be in lists, too."""
    corner = numpy.ones((2, 2))
    assert grad(lambda c: mnp.sum(mnp.pad(corner, 1, constant_values=c)))(2.0) == 12.0
    pairs = grad(lambda x: mnp.sum(mnp.pad([1.0, 2.0], 1, constant_values=(x[0], x[1])) ** 2))(X)
    numpy.testing.assert_array_equal(pairs, [1.0, 3.0, 0.0])
    ramp = grad(lambda c: mnp.sum(mnp.pad(numpy.ones(1), (2, 0), "linear_ramp", end_values=c)))(3.0)
    assert ramp == 1.5


def test_the_range_of_a_histogram():
    edges = grad(lambda high: mnp.sum(mnp.histogram_bin_edges(X, 4, (0.0, high)) ** 2))(8.0)
    assert edges == 2 * sum(8.0 * (i / 4) ** 2 for i in range(5))
    assert grad(lambda high: mnp.histogram(X, 4, range=[0.0, high])[1][-1])(8.0) == 1.0


@pytest.mark.parametrize("dtype", [numpy.float16, numpy.float32])
def test_kaiser_of_a_narrow_number_is_computed_as_in_numpy(dtype):
    beta = dtype(2.6)
    (_, window), slope = value_and_grad(lambda beta: (numpy.sum((y := mnp.kaiser(6, beta))), y), has_aux=True)(beta)
    numpy.testing.assert_allclose(window, numpy.kaiser(6, beta), rtol=1e-14)
    assert window.dtype == numpy.float64 and slope.dtype == dtype


def test_kaiser_of_one_and_none():
    assert mnp.kaiser(1, 2.5) == 1.0 and grad(lambda beta: mnp.kaiser(1, beta)[0])(2.5) == 0.0
    assert grad(lambda beta: numpy.sum(mnp.kaiser(0, beta)) + beta)(2.5) == 1.0


def test_an_array_is_a_copy_and_asarray_is_not():
    def f(x):
        assert mnp.asarray(x) is x and mnp.asarray(x, float) is x and mnp.require(x, float, "C") is x
        for copy in (mnp.array(x), mnp.array(x, float), mnp.full(3, x)):
            assert type(copy) is Tensor and copy is not x and not numpy.shares_memory(copy.value, x.value)
        assert mnp.asarray(x, copy=True) is not x and mnp.asarray(x, order="F", device="cpu") is x
        assert mnp.array(x, copy=None) is x and mnp.array(x, copy=False, ndmin=2).shape == (1, 3)
        for convert in (mnp.asanyarray, mnp.ascontiguousarray, mnp.asfortranarray, mnp.asarray_chkfinite):
            assert convert(x) is x
        assert type(mnp.array(x, int)) is numpy.ndarray  # which have no derivative
        return mnp.sum(x)

    numpy.testing.assert_array_equal(grad(f)(X), numpy.ones(3))


def test_dtypes():
    def f(x):
        assert mnp.r_[x, 1.0].dtype == mnp.c_[x, 2 * x].dtype == mnp.full(2, x[0]).dtype == numpy.float32
        assert mnp.r_[x, numpy.ones(1)].dtype == numpy.float64
        assert type(mnp.full_like(numpy.arange(3), x[0])) is numpy.ndarray
        return mnp.sum(mnp.array([x[0], x[1]]))

    assert grad(f)(X.astype(numpy.float32)).dtype == numpy.float32
    # A Python number is weak, but an array of it is not.
    assert grad(lambda x: mnp.array(x) * numpy.float32(2) if mnp.array(x).dtype == float else None)(1.5) == 2.0


def test_plain_values_stay_plain():
    assert mnp.sin is numpy.sin and mnp.float64 is numpy.float64 and "sin" in dir(mnp)
    for call in (
        lambda np: np.array([1, 2]),
        lambda np: np.array([[1.5]], float, copy=None, order="F", ndmin=3),
        lambda np: np.asarray((1, 2), order="F"),
        lambda np: np.asarray_chkfinite([1.0]),
        lambda np: np.require([1.0], np.float32, ["F"]),
        lambda np: np.full(2, 3),
        lambda np: np.full_like([1.0, 2.0], 3),
        lambda np: np.r_[1:3, 5],
        lambda np: np.r_["0,2", [1, 2], [3, 4]],
        lambda np: np.c_[[1, 2], [3, 4]],
        lambda np: np.kaiser(4, 2.0),
        lambda np: np.fft.fftfreq(5, 0.3),
        lambda np: np.fft.rfftfreq(5),
        lambda np: np.sum([1, 2], initial=3),
        lambda np: np.apply_along_axis(np.sum, 0, np.ones((2, 3))),
        lambda np: np.apply_over_axes(np.sum, np.ones((2, 3)), [0, 1]),
    ):
        assert type(call(mnp)) is type(call(numpy))
        numpy.testing.assert_array_equal(call(mnp), call(numpy))
        assert call(mnp).dtype == call(numpy).dtype
    assert mnp.asfortranarray(numpy.ones((2, 3))).flags.f_contiguous
    assert type(mnp.asanyarray(numpy.ma.ones(3))) is numpy.ma.MaskedArray


def test_errors():
    with pytest.raises(AttributeError):
        mnp.no_such_function
    with pytest.raises(ValueError, match="infs or NaNs"):
        grad(lambda x: mnp.sum(mnp.asarray_chkfinite(x)))(GAPS)
    for match, call in {
        "np.concatenate": lambda x: mnp.r_["0,2", x, x],
        r"np\.sum does not support out=": lambda x: mnp.sum(x, out=numpy.zeros(())),
        r"np\.interp has no derivative with respect to 'period'": lambda x: mnp.interp(X, X, X, period=x[0]),
    }.items():
        with pytest.raises(NotImplementedError, match=match):
            grad(lambda x: mnp.sum(call(x)))(X)
    for call in (lambda x: mnp.array([x[0]], copy=False), lambda x: mnp.asarray(x, numpy.float32, copy=False)):
        with pytest.raises(ValueError, match="without a copy"):
            grad(lambda x: mnp.sum(call(x)))(X)
    for call in (lambda x: mnp.array(x, like=X), lambda x: mnp.asarray(x, like=X), lambda x: mnp.full(2, x[0], like=X)):
        with pytest.raises(NotImplementedError, match="like="):
            grad(lambda x: mnp.sum(call(x)))(X)
    with pytest.raises(ValueError, match="same shape"):
        grad(lambda x: mnp.sum(mnp.array([[x[0]], [x[1], x[2]]])))(X)
