"""Arrays of other libraries: they are refused with a remedy, and never taken for what they are not.

Their operations mean something else than NumPy's, or are not seen by NumPy. So minigrad refuses them wherever they meet
a value that is being differentiated. Other objects of which NumPy makes arrays become arrays when they are used.
"""

import array
import operator
import re
import tempfile
from collections import UserList, deque

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import aslinearoperator

from minigrad import defvjp, grad, hessian, hvp, jacfwd, jacrev, jvp, linearize, primitive, value_and_grad, vjp
from minigrad.operands import ForeignArrayError, TensorConversionError

from .support import Counted, cases

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")

# ---- The libraries --------------------------------------------------------------------------------------------------


class Wrapped:
    """An object of which NumPy makes an array."""

    def __init__(self, data):
        self.data = data

    def __array__(self, dtype=None, copy=None):
        return self.data

    def __setitem__(self, index, value):
        self.data[index] = value


def class_of(module, name="Wrapped"):
    """A class like `Wrapped`, of another module."""
    return type(name, (Wrapped,), {"__module__": module})


def library(name):
    """The maker of a library's arrays. Its tests are skipped if it is not installed."""
    return lambda make: lambda a: make(pytest.importorskip(name), a)


pandas, xarray, dask = library("pandas"), library("xarray"), library("dask.array")

# A maker of the array, and the remedy. The maker takes an array with two axes; some keep the first row only.
LIBRARIES = {
    "pandas.Series": (pandas(lambda pd, a: pd.Series(a[0])), ".to_numpy()"),
    "pandas.DataFrame": (pandas(lambda pd, a: pd.DataFrame(a)), ".to_numpy()"),
    "pandas.Index": (pandas(lambda pd, a: pd.Index(a[0])), ".to_numpy()"),
    "pandas.array": (pandas(lambda pd, a: pd.array(a[0])), ".to_numpy()"),
    "a subclass of pandas.Series": (pandas(lambda pd, a: type("Prices", (pd.Series,), {})(a[0])), ".to_numpy()"),
    "xarray.DataArray": (xarray(lambda xr, a: xr.DataArray(a)), ".to_numpy()"),
    "xarray.Variable": (xarray(lambda xr, a: xr.Variable(("i", "j"), a)), ".to_numpy()"),
    "xarray.Dataset": (xarray(lambda xr, a: xr.Dataset({"a": (("i", "j"), a)})), ".to_numpy()"),
    "dask.array": (dask(lambda da, a: da.from_array(a, chunks=1)), ".compute()"),
    "jax.Array": (jnp.array, "np.asarray(x)"),
    "a number of JAX's": (lambda a: jnp.array(a[0, 0]), "np.asarray(x)"),
    "csr_matrix": (scipy.sparse.csr_matrix, ".toarray()"),
    "csr_array": (scipy.sparse.csr_array, ".toarray()"),
    "coo_array": (scipy.sparse.coo_array, ".toarray()"),
    "dia_matrix": (scipy.sparse.dia_matrix, ".toarray()"),
    "lil_array": (scipy.sparse.lil_array, ".toarray()"),
    "dok_array": (scipy.sparse.dok_array, ".toarray()"),  # a subclass of dict
    "np.ma": (lambda a: np.ma.masked_array(a, a == a[0, 0]), ".filled()"),
    "np.ma.masked": (lambda a: np.ma.masked, ".filled()"),
    "np.matrix": (lambda a: a.view(np.matrix), "np.asarray(x)"),
    "torch.Tensor": (class_of("torch", "Tensor"), ".detach().numpy()"),  # stands for PyTorch's
}
EACH = pytest.mark.parametrize("name", LIBRARIES)
X = np.array([[1.5, 2.5], [3.5, 4.5]])
WHOLE = np.array([[0, 1], [1, 0]])

# Where the library raises an error of its own, or NumPy does, before either of them asks the other operand.
ASKED_TOO_LATE = {
    **{(name, "f @ t"): TypeError for name in ("xarray.DataArray", "xarray.Dataset")},
    # SciPy's own error becomes minigrad's when it leaves the differentiated function.
    **{
        (name, "f ** t"): TensorConversionError
        for name in ("csr_matrix", "dia_matrix", "csr_array", "coo_array", "lil_array", "dok_array")
    },
    ("np.matrix", "f ** t"): TypeError,
}
# Where the library hands its numbers over as an array, before it asks the other operand.
HANDED_OVER = [("pandas.Index", use) for use in ("ufunc, first", "np.maximum", "np.floor_divide")]


def foreign(name, a=X):
    """An array of a library, and a pattern for its remedy."""
    make, remedy = LIBRARIES[name]
    return make(a), remedy


def assert_refused(call, remedy):
    """The call raises an error of ours, which names the remedy."""
    with pytest.raises((ForeignArrayError, TensorConversionError)) as caught:
        call()
    assert remedy in str(caught.value)


def meet(call, x=X):
    """Make a call with a value that is being differentiated."""
    grad(lambda t: (call(t), 0.0)[1])(x)


# ---- Where they meet a value that is being differentiated -----------------------------------------------------------

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "@": operator.matmul,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@EACH
@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("x", [X, 2.0, np.float64(2.0)], ids=["array", "float", "np.float64"])
def test_operands(name, symbol, x):
    (f, remedy), operate = foreign(name), OPERATORS[symbol]
    meet(lambda t: assert_refused(lambda: operate(t, f), remedy), x)
    own = ASKED_TOO_LATE.get((name, f"f {symbol} t"))
    if own is None:
        meet(lambda t: assert_refused(lambda: operate(f, t), remedy), x)
    else:
        with pytest.raises(own, match=re.escape(remedy) if own is TensorConversionError else None):
            meet(lambda t: operate(f, t), x)


@primitive
def scaled(x, factors, *more):
    return x * 2.0


defvjp(scaled, x=lambda g, factors: g * 2.0)


def write(t, value):
    t[0] = value


USES = {
    "+=": lambda t, f: operator.iadd(t, f),
    "@=": lambda t, f: operator.imatmul(t, f),
    "divmod": lambda t, f: divmod(t, f),
    "ufunc, second": lambda t, f: np.multiply(t, f),
    "ufunc, first": lambda t, f: np.multiply(f, t),
    "np.maximum": lambda t, f: np.maximum(f, t),
    "np.dot, second": lambda t, f: np.dot(t, f),
    "np.dot, first": lambda t, f: np.dot(f, t),
    "np.concatenate, second": lambda t, f: np.concatenate([t, f]),
    "np.concatenate, first": lambda t, f: np.concatenate([f, t]),
    "np.stack": lambda t, f: np.stack((t, f)),
    "np.where, second": lambda t, f: np.where(X > 2.0, t, f),
    "np.where, first": lambda t, f: np.where(X > 2.0, f, t),
    "np.where, condition": lambda t, f: np.where(f, t, 0.0),
    "np.einsum, second": lambda t, f: np.einsum("ij,...j->...i", t, f),
    "np.einsum, first": lambda t, f: np.einsum("...j,ij->...i", f, t),
    "np.clip": lambda t, f: np.clip(t, f, 9.0),
    "np.sum(where=)": lambda t, f: np.sum(t, where=f),
    "np.max(initial=)": lambda t, f: np.max(t, initial=f),
    "np.floor_divide": lambda t, f: np.floor_divide(f, t),
    "t.dot": lambda t, f: t.dot(f),
    "in a list": lambda t, f: t * [f, f],
    "written": lambda t, f: write(t, f),
    "primitive": lambda t, f: scaled(t, f),
    "primitive, in a list": lambda t, f: scaled(t, [1.0, f]),
    "primitive, in a dict": lambda t, f: scaled(t, {"f": f}),
    "primitive, by keyword": lambda t, f: scaled(t, factors=f),
}


@EACH
@pytest.mark.parametrize("use", USES)
def test_arguments(name, use):
    (f, remedy), call = foreign(name), USES[use]
    if (name, use) in HANDED_OVER:
        gradient, expected = (grad(lambda x: np.sum(call(x, w) * x))(X) for w in (f, f.to_numpy()))
        np.testing.assert_array_equal(gradient, expected)
    else:
        meet(lambda t: assert_refused(lambda: call(t, f), remedy))


INDICES = {
    "t[f]": lambda t, f: t[f],
    "t[f, 0]": lambda t, f: t[f, 0],
    "t[:, f]": lambda t, f: t[:, f],
    "np.take": lambda t, f: np.take(t, f),
    "np.repeat": lambda t, f: np.repeat(t, f),
}


@EACH
@cases(INDICES)
@pytest.mark.parametrize("a", [WHOLE, WHOLE > 0], ids=["numbers", "mask"])
def test_indices(name, case, a):
    f, remedy = foreign(name, a)
    meet(lambda t: assert_refused(lambda: case(t, f), remedy))


def test_tracers_of_jax_are_refused():
    for call in (lambda a: grad(lambda x: x * a)(2.0), lambda a: grad(lambda x: a * x)(2.0), lambda a: grad(np.sin)(a)):
        for transformed in (jax.jit(call), jax.grad(call)):
            assert_refused(lambda: transformed(3.0), "np.asarray(x)")


# ---- Where they meet a transform ------------------------------------------------------------------------------------


def squares(x):
    return np.sum(x * x)


LEAVES = {
    "grad": lambda f: grad(squares)(f),
    "grad, second argument": lambda f: grad(lambda a, x: a * squares(x), argnums=(0, 1))(2.0, f),
    "grad, by name": lambda f: grad(squares, argnames="x")(x=f),
    "grad, in a tree": lambda f: grad(lambda p: squares(p["x"][0]))({"x": [f]}),
    "grad, allow_int": lambda f: grad(squares, allow_int=True)(f),
    "grad, allow_objects": lambda f: grad(squares, allow_objects=True)(f),
    "grad, not used": lambda f: grad(lambda x: 1.0)(f),
    "value_and_grad": lambda f: value_and_grad(squares)(f),
    "vjp": lambda f: vjp(squares, f),
    "jvp": lambda f: jvp(squares, (f,), (X,)),
    "linearize": lambda f: linearize(squares, f),
    "jacrev": lambda f: jacrev(squares)(f),
    "jacfwd": lambda f: jacfwd(squares)(f),
    "hessian": lambda f: hessian(squares)(f),
    "hvp": lambda f: hvp(squares, (f,), (X,)),
}
DIRECTIONS = {
    "vjp": lambda f: vjp(lambda x: x * x, X)[1](f),
    "vjp of a number": lambda f: vjp(squares, X)[1](f),
    "vjp, in a tree": lambda f: vjp(lambda x: (x, x), X)[1]((X, f)),
    "jvp": lambda f: jvp(squares, (X,), (f,)),
    "linearize": lambda f: linearize(squares, X)[1](f),
    "hvp": lambda f: hvp(squares, (X,), (f,)),
}
RESULTS = {
    "grad": lambda f: grad(lambda x: f)(X),
    "value_and_grad": lambda f: value_and_grad(lambda x: f)(X),
    "grad, with aux": lambda f: grad(lambda x: (f, 1), has_aux=True)(X),
    "vjp": lambda f: vjp(lambda x: f, X),
    "vjp, beside another": lambda f: vjp(lambda x: (x * x, f), X),
    "jvp": lambda f: jvp(lambda x: f, (X,), (X,)),
    "linearize": lambda f: linearize(lambda x: f, X),
    "jacrev": lambda f: jacrev(lambda x: f)(X),
    "jacfwd": lambda f: jacfwd(lambda x: f)(X),
    "hessian": lambda f: hessian(lambda x: f)(X),
}


@EACH
@cases(LEAVES)
def test_leaves(name, case):
    f, remedy = foreign(name)
    assert_refused(lambda: case(f), remedy)


@EACH
@cases(DIRECTIONS)
def test_tangents_and_cotangents(name, case):
    f, remedy = foreign(name)
    assert_refused(lambda: case(f), remedy)


@EACH
@cases(RESULTS)
def test_results(name, case):
    f, remedy = foreign(name)
    assert_refused(lambda: case(f), remedy)


@EACH
def test_arguments_that_are_not_differentiated_pass(name):
    f, remedy = foreign(name)
    seen = []
    assert grad(lambda x, data: (seen.append(data), x * x)[1])(3.0, f) == 6.0
    assert len(seen) == 1 and seen[0] is f
    assert_refused(lambda: grad(lambda x, data: x * data)(3.0, f), remedy)


@EACH
def test_auxiliary_data_passes(name):
    f, _ = foreign(name)
    gradient, aux = grad(lambda x: (x * x, f), has_aux=True)(3.0)
    assert gradient == 6.0 and aux is f


# A library's own functions ask for an array of the Tensor, or do not know it. Either raises.
FUNCTIONS = {
    "pandas.Series": pandas(lambda pd, t: pd.Series(t)),
    "pandas.DataFrame": pandas(lambda pd, t: pd.DataFrame(t)),
    "xarray.DataArray": xarray(lambda xr, t: xr.DataArray(t)),
    "xarray.where": xarray(lambda xr, t: xr.where(xr.DataArray(X) > 2.0, t, 0.0)),
    "jnp.sin": jnp.sin,
    "jnp.asarray": jnp.asarray,
    "jnp.add": lambda t: jnp.add(jnp.array(X), t),
    "jnp.where": lambda t: jnp.where(X > 2.0, t, 0.0),
    "jax.jit": lambda t: jax.jit(lambda a: a)(t),
    "csr_array.dot": lambda t: scipy.sparse.csr_array(X).dot(t),
    "csr_array.multiply": lambda t: scipy.sparse.csr_array(X).multiply(t),
    "np.ma.array": np.ma.array,
    "np.ma.add": lambda t: np.ma.add(np.ma.array(X), t),
    "np.matrix": np.matrix,
}


@cases(FUNCTIONS)
def test_functions_of_other_libraries_raise(case):
    def call(t):
        with pytest.raises(TypeError):
            case(t)

    meet(call)


def test_an_error_names_the_class_that_was_written_into():
    """NumPy runs the method in a function of np.errstate, which the user has not called."""
    with pytest.raises(TensorConversionError, match="^np.ma.MaskedArray: "):
        grad(lambda t: np.ma.masked_array(X, X > 2.0).__setitem__(0, t))(1.0)


# ---- What is no array of another library ----------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["pandas_helpers", "jax_utils", "torchlike", "matrix", "MaskedArray", "numpy_extras"])
@pytest.mark.parametrize("name", ["Series", "matrix", "MaskedArray"])
def test_a_class_is_not_mistaken_for_one_of_a_library(module, name):
    w = class_of(module, name)(np.array([2.0, 3.0]))
    for call in (lambda x: x * w, lambda x: w * x, lambda x: np.multiply(w, x)):
        np.testing.assert_array_equal(grad(lambda x: np.sum(call(x)))(np.ones(2)), w.data)
    np.testing.assert_array_equal(grad(lambda x: x @ w)(np.ones(2)), w.data)


@pytest.mark.parametrize("module", ["pandas_helpers", "matrix", "__main__"])
@pytest.mark.parametrize("name", ["Series", "matrix"])
def test_a_subclass_of_arrays_is_not_mistaken_for_one_of_a_library(module, name):
    w = np.array([2.0, 3.0]).view(type(name, (np.ndarray,), {"__module__": module}))
    for call in (lambda x: x * w, lambda x: w * x, lambda x: np.multiply(w, x), lambda x: np.dot(x, w), lambda x: x[w]):
        with pytest.raises(ForeignArrayError, match=rf"{name} .* has operations of its own; pass np\.asarray\(x\)$"):
            meet(call, np.ones(2))
    np.testing.assert_array_equal(grad(squares)(w), [4.0, 6.0])  # as a leaf it counts as its base


def test_an_object_of_a_library_that_is_no_array_passes():
    @primitive
    def product(x, matrix):
        return matrix.matvec(x)

    defvjp(product, x=lambda g, matrix: matrix.rmatvec(g))
    gradient = grad(lambda x: np.sum(product(x, aslinearoperator(X))))(np.ones(2))
    np.testing.assert_array_equal(gradient, X.sum(axis=0))


class Meters(Wrapped):
    """Has operations of its own, and says so."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return "meters"

    def __mul__(self, other):
        return "meters"

    __rmul__ = __mul__


def test_what_has_operations_of_its_own_is_refused():
    w = Meters(np.array([2.0, 3.0]))
    for call in (lambda t: t * w, lambda t: t + w, lambda t: np.multiply(t, w), lambda t: np.dot(t, w), lambda t: t[w]):
        meet(lambda t: assert_refused(lambda: call(t), "np.asarray(x)"), np.ones(2))
    assert w * 1.0 == "meters"  # on the left, it computes itself


def test_what_opts_out_of_operators_computes_itself():
    class Tripling(Meters):
        __array_ufunc__ = None

        def __mul__(self, other):
            return other * 3.0

        __rmul__ = __mul__

    w = Tripling(np.array([2.0, 3.0]))
    for call in (lambda x: x * w, lambda x: w * x):
        np.testing.assert_array_equal(grad(lambda x: np.sum(call(x)))(np.ones(2)), [3.0, 3.0])
    with pytest.raises(TypeError):
        meet(lambda t: t + w, np.ones(2))


# ---- What becomes an array ------------------------------------------------------------------------------------------


class Described:
    """An object that describes its memory to NumPy."""

    def __init__(self, data):
        self.data = data

    @property
    def __array_interface__(self):
        return self.data.__array_interface__

    def __setitem__(self, index, value):
        self.data[index] = value


def mapped(a):
    """The numbers in a file."""
    with tempfile.TemporaryFile() as file:
        found = np.memmap(file, a.dtype, shape=a.shape)
    found[:] = a
    return found


# A maker of the object, from an array of whole numbers; and whether it can be written into.
ALIKE = {
    "list": (lambda a: a.tolist(), True),
    "range": (lambda a: range(a[0], a[-1] + 1), False),
    "array.array": (lambda a: array.array("q", a.tolist()), True),
    "deque": (lambda a: deque(a.tolist()), True),
    "bytearray": (lambda a: bytearray(a.tolist()), True),
    "memoryview": (lambda a: memoryview(a.copy()), True),
    "memoryview of bytes": (lambda a: memoryview(bytes(a.tolist())), False),
    "np.memmap": (mapped, True),
    "__array__": (lambda a: Wrapped(a.copy()), True),
    "__array_interface__": (lambda a: Described(a.copy()), True),
}
WRITABLE = {name: make for name, (make, is_writable) in ALIKE.items() if is_writable}
NUMBERS = np.array([1, 2, 3])
VECTOR = np.array([1.5, 2.5, 3.5, 4.5])

PRODUCTS = {
    "x * w": lambda x, w: x * w,
    "w * x": lambda x, w: w * x,
    "x / w": lambda x, w: x / w,
    "w / x": lambda x, w: w / x,
    "w - x": lambda x, w: (w - x) ** 2,
    "x ** w": lambda x, w: x**w,
    "w ** x": lambda x, w: w**x,
    "x % w": lambda x, w: x % w,
    "x @ w": lambda x, w: x @ w,
    "w @ x": lambda x, w: w @ x,
    "x > w": lambda x, w: np.where(x > w, x, 0.0),
    "w == x": lambda x, w: np.where(w == x + 0.5, x, 0.0),
    "x *= w": lambda x, w: operator.imul(x + 0.0, w),
    "np.multiply, second": lambda x, w: np.multiply(x, w),
    "np.multiply, first": lambda x, w: np.multiply(w, x),
    "np.arctan2": lambda x, w: np.arctan2(w, x),
    "np.dot": lambda x, w: np.dot(w, x),
    "np.einsum": lambda x, w: np.einsum("i,j->", w, x),
    "np.where": lambda x, w: np.where(x > 2.0, w, x) ** 2,
    "np.concatenate": lambda x, w: np.concatenate([w, x]) ** 2 * 2.0,
    "np.stack": lambda x, w: np.prod(np.stack([w, x])),
    "np.outer": lambda x, w: np.outer(w, x),
    "np.convolve": lambda x, w: np.convolve(x, w),
    "in a list": lambda x, w: x * [w, w],
}


@pytest.mark.parametrize("name", ALIKE)
@cases(PRODUCTS)
def test_an_object_becomes_an_array(name, case):
    w, x = ALIKE[name][0](NUMBERS), VECTOR[:3]
    value, gradient = value_and_grad(lambda x: np.sum(case(x, w)))(x)
    expected, its_gradient = value_and_grad(lambda x: np.sum(case(x, NUMBERS)))(x)
    assert value == expected
    np.testing.assert_array_equal(gradient, its_gradient)


@pytest.mark.parametrize("name", WRITABLE)
@cases(PRODUCTS)
def test_an_object_that_is_changed_after_its_use(name, case):
    w, x = WRITABLE[name](NUMBERS), VECTOR[:3]

    def fun(x):
        y = np.sum(case(x, w))
        w[0] = 100
        return y * y

    expected = grad(lambda x: np.sum(case(x, NUMBERS)) ** 2)(x)
    np.testing.assert_array_equal(grad(fun)(x), expected)
    assert np.asarray(w)[0] == 100


def written(x, w):
    y = x + 0.0
    y[w] = 0.0
    return y


PLACES = {
    "x[w]": lambda x, w: x[w],
    "x[w] twice": lambda x, w: x[w] * x[w],
    "x[:, w]": lambda x, w: np.stack([x, x])[:, w],
    "x[w] = 0": written,
    "np.take": lambda x, w: np.take(x, w),
    "np.repeat": lambda x, w: np.repeat(x[:3], w),
}


@pytest.mark.parametrize("name", ALIKE)
@cases(PLACES)
def test_an_index_becomes_an_array(name, case):
    w = ALIKE[name][0](NUMBERS)
    expected = grad(lambda x: np.sum(case(x, NUMBERS) ** 2))(VECTOR)
    np.testing.assert_array_equal(grad(lambda x: np.sum(case(x, w) ** 2))(VECTOR), expected)


@pytest.mark.parametrize("name", WRITABLE)
@cases(PLACES)
def test_an_index_that_is_changed_after_its_use(name, case):
    w = WRITABLE[name](NUMBERS)

    def fun(x):
        y = case(x, w)
        w[0] = 0
        return np.sum(y * y)

    expected = grad(lambda x: np.sum(case(x, NUMBERS) ** 2))(VECTOR)
    np.testing.assert_array_equal(grad(fun)(VECTOR), expected)


@pytest.mark.parametrize("name", WRITABLE)
def test_a_value_that_is_written_and_changed_afterwards(name):
    w = WRITABLE[name](NUMBERS)

    def fun(x):
        y = x * 1.0
        y[1:] = w
        w[0] = 100
        return np.sum(y * y * x)

    np.testing.assert_array_equal(grad(fun)(VECTOR), [3 * 1.5**2, 1.0, 4.0, 9.0])


def test_an_object_whose_class_has_the_operator_comes_second():
    w = UserList([2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * w + np.multiply(w, x)))(np.ones(2)), [4.0, 6.0])
    assert_refused(lambda: grad(lambda x: np.sum(w * x))(np.ones(2)), "np.stack")  # to Python, a list is repeated


@cases({name: call for name, call in PRODUCTS.items() if name not in ("x *= w", "in a list")})
def test_an_object_is_asked_for_its_array_once(case):
    asked = Counted(lambda self, dtype=None, copy=None: self.data)
    w = type("Asked", (Wrapped,), {"__array__": lambda self, dtype=None, copy=None: asked(self)})(NUMBERS)
    grad(lambda x: np.sum(case(x, w)))(VECTOR[:3])
    assert asked.calls == 1
