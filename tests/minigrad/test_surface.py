"""All of NumPy, name by name: what has a derivative has the right one under this name, and the rest says so.

The names are pinned in surface.json: those of numpy, numpy.linalg, numpy.fft and of numpy.ndarray that have a derivative,
with the arguments that have it; those whose derivative is zero; and those that have to be refused. A summary at the end
of the test run says for how many of them that holds.
"""

import copy
import json
import operator
import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import Tensor, grad
from minigrad.operands import TensorConversionError

from .support import Case, check, check_precision

SURFACE = json.loads(Path(__file__).with_name("surface.json").read_text(encoding="utf-8"))
# In these, plain NumPy does not look for Tensors, or not in all arguments: minigrad.numpy does.
NOT_DISPATCHED = (
    "array asarray asanyarray ascontiguousarray asfortranarray asarray_chkfinite require full full_like kaiser "
    "fft.fftfreq fft.rfftfreq interp pad select polyint"
).split()
# What cannot be called on a Tensor, because NumPy wants an array of integers there: it is refused.
IMPOSSIBLE = {"ndarray.choose"}


def find(np, name):
    """The function of that name, or None. A method is a function of the array, and so is an attribute."""
    namespace, _, last = name.rpartition(".")
    if namespace == "ndarray":
        return operators[last] if last in operators else method(last)
    for part in name.split("."):
        np = getattr(np, part, None)
    return np


def method(name):
    def call(array, *args, **kwargs):
        found = getattr(array, name)
        return found(*args, **kwargs) if callable(found) else found

    return call


def of_tensor(operate):
    """Of an array that is differentiated if one of the arguments is: a plain one cannot be written into, nor asked."""
    return lambda a, b: operate(a + 0 * b.sum(), b)


operators = {f"__{name}__": getattr(operator, f"__{name}__") for name in "neg pos abs getitem".split()}
for _name in "add sub mul truediv pow mod matmul floordiv".split():
    operators[f"__{_name}__"] = operators[f"__r{_name}__"] = getattr(operator, f"__{_name}__")
    operators[f"__i{_name}__"] = of_tensor(getattr(operator, f"__i{_name}__"))
for _name in "lt le gt ge eq ne".split():
    operators[f"__{_name}__"] = getattr(operator, f"__{_name}__")
operators |= {"__divmod__": divmod, "__rdivmod__": divmod, "__iter__": lambda a: list(iter(a)), "__bool__": bool}
operators |= {"__copy__": copy.copy, "__deepcopy__": copy.deepcopy, "__contains__": operator.contains}
operators |= {"flat": lambda a: a.flat[:], "dot": of_tensor(lambda a, b: a.dot(b))}

LACKING = [
    name
    for kind in ("differentiable", "zero", "refused")
    for name in SURFACE[kind]
    if not name.startswith("ndarray.") and find(np, name) is None
]

# ---- The calls ------------------------------------------------------------------------------------------------------


class D:
    """An argument that is differentiated, or what becomes one by a function of it."""

    def __init__(self, value, through=lambda x: x):
        self.value = value
        self.through = through


class Call:
    """Arguments of a function.

    Options: `only` this of several results counts; `in_jax` is False where JAX has no derivative, or a function of
    `jax.numpy` and the differentiated arguments, where it takes or returns something else; `compiled` is False where
    JAX looks at values; `second_in_jax` is False where it has first derivatives only.
    """

    def __init__(self, *args, only=None, in_jax=True, second_in_jax=True, compiled=True, tolerance=1e-4, **kwargs):
        self.args, self.kwargs, self.only = args, kwargs, only
        self.in_jax, self.second_in_jax, self.compiled, self.tolerance = in_jax, second_in_jax, compiled, tolerance

    def parameters(self):
        found = []

        def collect(value):
            if isinstance(value, D):
                found.append(value.value)
            for member in value if isinstance(value, (list, tuple)) else ():
                collect(member)

        collect([*self.args, *self.kwargs.values()])
        return found

    def run(self, fun, parameters):
        rest = iter(parameters)

        def fill(value):
            if isinstance(value, D):
                return value.through(next(rest))
            return type(value)(map(fill, value)) if isinstance(value, (list, tuple)) else value

        args = fill(list(self.args))
        result = fun(*args, **{name: fill(value) for name, value in self.kwargs.items()})
        return result if self.only is None else result[self.only]

    def case(self, name):
        namespace = mnp if name in NOT_DISPATCHED else np

        def in_numpy(*parameters):
            return self.run(find(namespace, name), parameters)

        def in_jax(*parameters):
            return self.in_jax(jnp, *parameters) if callable(self.in_jax) else self.run(find(jnp, name), parameters)

        in_numpy.__name__ = name
        return Case(in_numpy, tuple(self.parameters()), in_jax=in_jax)


def random(*shape, seed=0, low=0.2, high=0.8):
    return np.random.default_rng(seed).uniform(low, high, shape)


A, B, CUBE = random(2, 3), random(2, 3, seed=1), random(2, 2, 2, seed=2)
ROW, LONG, PAIR, COLUMN = random(3, seed=3), random(5, seed=4), random(2, seed=5), random(2, 1, seed=6)
SQUARE, TALL = random(3, 3, seed=7) + np.diag([1.0, 2.0, 3.0]), random(4, 2, seed=8) + np.eye(4, 2)
COMPLEX = A + 1j * B
GAPS = np.where(np.arange(6).reshape(2, 3) == 1, np.nan, A)
MASK, ORDER = A > 0.5, np.array([2, 0])
TENSORS = random(2, 3, 2, 3, seed=9) + 5 * np.eye(6).reshape(2, 3, 2, 3)


def symmetric(a):
    return (a + a.T) / 2


def squared(x):
    return x * x


def minus_square(x):
    return -x * x


def scaled(row):
    return row * row.sum()


def total(a, axis):
    return a.sum(axis)


CALLS = {}


def calls(names, *arguments):
    for name in names.split():
        CALLS[name] = arguments


calls("abs absolute acos arccos arcsin arctan arctanh asin asinh arcsinh atan atanh cbrt cos cosh deg2rad degrees", Call(D(A)))
calls("exp exp2 expm1 fabs log log10 log1p log2 negative positive rad2deg radians reciprocal sin sinh sqrt square", Call(D(A)))
calls("tan tanh modf frexp sinc i0", Call(D(A)))
calls("acosh arccosh", Call(D(A + 1)))
calls("conj conjugate real imag angle", Call(D(COMPLEX)))
calls("add subtract multiply divide true_divide power pow float_power arctan2 atan2 hypot logaddexp logaddexp2", Call(D(A), D(ROW)))
calls("maximum minimum fmax fmin mod remainder fmod copysign heaviside divmod", Call(D(A), D(ROW)))
calls("ldexp", Call(D(A), np.array([1, 2, -1])))
calls("matmul linalg.matmul", Call(D(A), D(TALL[:3])))
calls("vecdot linalg.vecdot matvec inner", Call(D(A), D(ROW)))
calls("vecmat", Call(D(PAIR), D(A)))
calls("dot", Call(D(A), D(TALL[:3])))
calls("tensordot linalg.tensordot", Call(D(A), D(TALL[:3]), axes=1))
calls("outer linalg.outer vdot", Call(D(ROW), D(LONG[:3])))
calls("kron", Call(D(A), D(PAIR)))
calls("cross linalg.cross", Call(D(A), D(B)))
calls("einsum", Call("ij,kj->ik", D(A), D(B)))
calls("convolve correlate", Call(D(LONG), D(ROW)))
calls("linalg.multi_dot", Call([D(A), D(SQUARE), D(ROW)]))

calls("nan_to_num", Call(D(GAPS)))
calls("real_if_close", Call(D(A)))
calls("clip", Call(D(A), D(0.4), D(np.float64(0.6))))
calls("unwrap", Call(D(20 * LONG)))
calls("sum prod max min amax amin ptp mean std var median", Call(D(A)), Call(D(A), axis=1))
calls("average", Call(D(A), weights=D(B)))
calls("percentile nanpercentile", Call(D(LONG), D(np.array([30.0, 60.0]))))
calls("quantile nanquantile", Call(D(LONG), D(np.array([0.3, 0.6]))))
calls("cov", Call(D(A), D(B), aweights=D(ROW)))
calls("corrcoef", Call(D(A), D(random(2, 3, seed=11))))
calls("nansum nanprod nanmax nanmin nanmean nanstd nanvar nanmedian nancumsum nancumprod", Call(D(GAPS)))
calls("cumsum cumprod cumulative_sum cumulative_prod", Call(D(A), axis=1))
calls("diff", Call(D(A), prepend=D(COLUMN), append=D(COLUMN + 1)))
calls("ediff1d", Call(D(LONG), D(PAIR), D(ROW)))
calls("gradient", Call(D(LONG), D(0.5)))
calls("trapezoid", Call(D(A), D(np.cumsum(ROW))))
calls("interp", Call(D(np.array([-1.0, 0.3, 0.9, 3.0])), D(np.array([0.0, 0.5, 2.0])), D(ROW), D(1.5), D(2.5)))

calls("reshape", Call(D(A), (3, 2)))
calls("ravel transpose matrix_transpose linalg.matrix_transpose flip fliplr flipud rot90", Call(D(A)))
calls("trim_zeros", Call(D(ROW), compiled=False))
calls("permute_dims", Call(D(A), (1, 0)))
calls("swapaxes moveaxis", Call(D(A), 0, 1))
calls("rollaxis roll", Call(D(A), 1))
calls("expand_dims", Call(D(A), 1))
calls("squeeze", Call(D(COLUMN)))
calls("broadcast_to", Call(D(ROW), (2, 3)))
calls("atleast_1d atleast_2d atleast_3d", Call(D(ROW)), Call(D(0.5), D(A)))
calls("tile", Call(D(A), (2, 2)))
calls("repeat", Call(D(A), 2, axis=0))
calls("resize", Call(D(A), (4, 2)))
calls("broadcast_arrays", Call(D(A), D(ROW)))
calls("meshgrid", Call(D(ROW), D(PAIR)))
calls("pad", Call(D(A), 1), Call(D(A), 1, constant_values=D(0.5), in_jax=False))
calls("concatenate concat stack hstack vstack dstack column_stack", Call([D(A), D(B)]))
calls("block", Call([[D(A), D(COLUMN)]]))
calls("append", Call(D(A), D(ROW)))
calls("insert", Call(D(LONG), np.array([1, 3]), D(PAIR)))
calls("delete", Call(D(LONG), 1))
calls("split array_split vsplit hsplit", Call(D(random(4, 4)), 2))
calls("dsplit", Call(D(CUBE), 2))
calls("unstack", Call(D(A)))
calls("take", Call(D(A), ORDER, axis=1))
calls("take_along_axis", Call(D(A), np.array([[2, 0], [1, 1]]), 1))
calls("compress", Call(np.array([True, False, True]), D(A), axis=1, compiled=False))
calls("extract", Call(MASK, D(A), compiled=False))
calls("choose", Call(np.array([0, 1, 1]), [D(ROW), D(LONG[:3])], compiled=False))
calls("where", Call(MASK, D(A), D(ROW)))
calls("select", Call([A > 0.6, A < 0.4], [D(A), D(B)], D(0.5)))
calls("piecewise", Call(D(ROW), [ROW > 0.5, ROW <= 0.5], [squared, minus_square]))
calls("diag diagflat diagonal linalg.diagonal tril triu trace linalg.trace", Call(D(SQUARE)))
calls("sort sort_complex", Call(D(LONG)))
calls("partition", Call(D(ROW), 1))

calls("poly", Call(D(ROW)))
calls("roots", Call(D(np.array([1.0, -3.5, 3.2, -0.7])), in_jax=lambda jnp, p: jnp.roots(p, strip_zeros=False), second_in_jax=False))
calls("polyadd polysub polymul", Call(D(LONG), D(PAIR)))
calls("polydiv", Call(D(LONG), D(np.array([1.0, 0.6])), in_jax=lambda jnp, u, v: (jnp.polydiv(u, v)[0], jnp.polydiv(u, v)[1][-1:])))
calls("polyder", Call(D(LONG)))
calls("polyint", Call(D(LONG), k=D(0.5)))
calls("polyval", Call(D(LONG), D(A)))
calls("polyfit", Call(D(np.cumsum(LONG)), D(LONG), 1, w=D(LONG + 1), tolerance=1e-3))
calls("vander", Call(D(ROW)))
calls("kaiser", Call(6, D(2.5)))
calls("linspace logspace geomspace", Call(D(0.5), D(2.0), 5))
calls("histogram", Call(D(LONG), 3, weights=D(LONG + 1)))
calls("histogram2d", Call(LONG, random(5, seed=10), 3, weights=D(LONG)))
calls("histogramdd", Call(random(5, 2), 3, weights=D(LONG)))
calls("histogram_bin_edges", Call(D(LONG), 3))
calls("bincount", Call(np.array([0, 2, 1, 2, 0]), D(LONG), compiled=False))

calls("copy", Call(D(A)))
calls("array asarray", Call([D(0.5), D(1.5)]), Call(D(A)))
calls("asanyarray ascontiguousarray asfortranarray asarray_chkfinite require", Call(D(A)))
calls("astype", Call(D(A), np.complex128))
calls("full", Call((2, 3), D(0.5)), Call((2, 3), D(ROW)))
calls("full_like", Call(A, D(0.5)))
calls("apply_along_axis", Call(scaled, 0, D(A)))
calls("apply_over_axes", Call(total, D(A), [0, 1]))

calls("linalg.cholesky", Call(D(SQUARE @ SQUARE.T, symmetric)))
calls("linalg.cond linalg.det linalg.inv linalg.slogdet", Call(D(SQUARE), tolerance=1e-3))
calls("linalg.eig", Call(D(SQUARE), tolerance=1e-3))
calls("linalg.eigvals", Call(D(SQUARE), second_in_jax=False, tolerance=1e-3))
calls("linalg.eigh linalg.eigvalsh", Call(D(SQUARE, symmetric), tolerance=1e-3))
calls("linalg.lstsq", Call(D(TALL), D(LONG[:4]), only=0, tolerance=1e-3))
calls("linalg.matrix_norm linalg.vector_norm linalg.svdvals", Call(D(A)))
calls("linalg.norm", Call(D(A)), Call(D(A), axis=1))
calls("linalg.matrix_power", Call(D(SQUARE), 3))
calls("linalg.pinv linalg.qr", Call(D(TALL), tolerance=1e-3))
calls("linalg.solve", Call(D(SQUARE), D(ROW), tolerance=1e-3))
calls("linalg.svd", Call(D(TALL), full_matrices=False, tolerance=1e-3))
calls("linalg.tensorinv", Call(D(TENSORS)))
calls("linalg.tensorsolve", Call(D(TENSORS), D(A)))

calls("fft.fft fft.ifft fft.fft2 fft.ifft2 fft.fftn fft.ifftn fft.irfft fft.hfft fft.irfft2 fft.irfftn", Call(D(COMPLEX)))
calls("fft.rfft fft.ihfft fft.rfft2 fft.rfftn fft.fftshift fft.ifftshift", Call(D(A)))
calls("fft.fftfreq fft.rfftfreq", Call(5, D(0.3)))

for _name in "T mT flat copy cumprod cumsum diagonal flatten max min mean prod ravel squeeze std sum trace transpose var view".split():
    calls(f"ndarray.{_name}", Call(D(A)))
calls("ndarray.real ndarray.imag ndarray.conj ndarray.conjugate", Call(D(COMPLEX)))
calls("ndarray.astype", Call(D(A), np.complex128))
calls("ndarray.clip", Call(D(A), D(0.4), D(0.6)))
calls("ndarray.compress", Call(D(A), np.array([True, False, True]), axis=1, compiled=False))
calls("ndarray.dot", Call(D(A), D(ROW)))
calls("ndarray.repeat", Call(D(A), 2))
calls("ndarray.reshape", Call(D(A), 3, 2))
calls("ndarray.swapaxes", Call(D(A), 0, 1))
calls("ndarray.take", Call(D(A), ORDER))
calls("ndarray.to_device", Call(D(A), "cpu"))
for _name in "add sub mul truediv pow mod".split():
    calls(f"ndarray.__{_name}__ ndarray.__i{_name}__", Call(D(A), D(ROW)))
    calls(f"ndarray.__r{_name}__", Call(B, D(A)))
calls("ndarray.__divmod__", Call(D(A), D(ROW)))
calls("ndarray.__rdivmod__", Call(B, D(A)))
calls("ndarray.__matmul__ ndarray.__imatmul__", Call(D(A), D(SQUARE)))
calls("ndarray.__rmatmul__", Call(B, D(SQUARE)))
calls("ndarray.__neg__ ndarray.__pos__ ndarray.__abs__ ndarray.__iter__ ndarray.__copy__ ndarray.__deepcopy__", Call(D(A)))
calls("ndarray.__getitem__", Call(D(A), (slice(None), 1)), Call(D(A), (slice(None), ORDER)), Call(D(A), MASK))


# ---- What has a derivative ------------------------------------------------------------------------------------------


def test_each_argument_is_in_a_call():
    assert CALLS.keys() == SURFACE["differentiable"].keys() - IMPOSSIBLE
    for name, arguments in SURFACE["differentiable"].items():
        assert name in IMPOSSIBLE or max(len(call.parameters()) for call in CALLS[name]) >= len(arguments), name


def test_only_what_is_newer_is_lacking(record_property):
    assert not LACKING or np.lib.NumpyVersion(np.__version__) < "2.4.0"
    for name in LACKING:
        record_property("surface", f"lacking {name}")


@pytest.mark.parametrize("name", [name for name in CALLS if name not in LACKING])
def test_differentiable(name, record_property):
    """First and second derivatives, for all arguments, are those of JAX and of finite differences; float32 stays float32."""
    for call in CALLS[name]:
        case = call.case(name)
        in_jax = call.in_jax and (name not in SURFACE["not_in_jax"] or name == "pad")
        check(case, bool(in_jax), call.second_in_jax, call.compiled)
        check_precision(case, np.float32, call.tolerance)
    record_property("surface", f"differentiable {name}")


# ---- What has none --------------------------------------------------------------------------------------------------


def zero(names, call):
    for name in names.split():
        ZERO[name] = call


ZERO = {}
zero("sign floor ceil trunc rint signbit isnan isfinite isinf logical_not round around fix", lambda f, x: f(x))
zero("isneginf isposinf iscomplex isreal argmax argmin nanargmax nanargmin argsort argwhere nonzero", lambda f, x: f(x))
zero("flatnonzero count_nonzero any all linalg.matrix_rank zeros_like ones_like", lambda f, x: f(x))
zero("empty_like", lambda f, x: f(x) * 0 if np.isfinite(f(x)).all() else 0.0)  # there may be anything in it
zero("equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor", lambda f, x: f(x, 2 * x))
zero("floor_divide isclose allclose array_equal array_equiv", lambda f, x: f(x, 2 * x))
zero("argpartition", lambda f, x: f(x, 1))
zero("lexsort", lambda f, x: f((x[0], x[1])))
zero("searchsorted", lambda f, x: f(x[0] * 0 + [1.0, 2.0, 3.0], x))
zero("digitize", lambda f, x: f(x, x[0] * 0 + [1.0, 2.0, 3.0]))
for _name in "all any argmax argmin argsort nonzero round".split():
    zero(f"ndarray.{_name}", lambda f, x: f(x))
zero("ndarray.argpartition", lambda f, x: f(x, 1))
zero("ndarray.searchsorted", lambda f, x: f(x[0] * 0 + [1.0, 2.0, 3.0], x))
zero("ndarray.__lt__ ndarray.__le__ ndarray.__gt__ ndarray.__ge__ ndarray.__eq__ ndarray.__ne__", lambda f, x: f(x, 2 * x))
zero("ndarray.__floordiv__ ndarray.__ifloordiv__", lambda f, x: f(x, 2 * x))
zero("ndarray.__rfloordiv__", lambda f, x: f(A, x))
zero("ndarray.__bool__", lambda f, x: f(x[0, 0]))
zero("ndarray.__contains__", lambda f, x: f(x, A[0, 0]))


def test_each_zero_is_in_a_call():
    assert ZERO.keys() == set(SURFACE["zero"])


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")
@pytest.mark.parametrize("name", [name for name in ZERO if name not in LACKING])
def test_zero(name, record_property):
    """The result counts in what is computed with it, but its derivative is exactly zero."""
    seen = []

    def f(x):
        result = ZERO[name](find(np, name), x)
        seen.append([one.value if type(one) is Tensor else one for one in (result if isinstance(result, tuple) else [result])])
        results = result if isinstance(result, tuple) else (result,)
        return sum((np.sum(one * 1.0) for one in results), 0.0) + 0 * np.sum(x)

    for x in (A, A.astype(np.float32)):
        gradient = grad(f)(x)
        np.testing.assert_array_equal(gradient, np.zeros(x.shape), strict=False)
        assert gradient.dtype == x.dtype
        expected = ZERO[name](find(np, name), x)
        for one, wanted in zip(seen.pop(), expected if isinstance(expected, tuple) else (expected,), strict=True):
            np.testing.assert_array_equal(one, wanted)
    np.testing.assert_array_equal(grad(lambda x: np.sum(grad(f)(x) * x))(A), np.zeros(A.shape))
    record_property("surface", f"zero {name}")


# ---- What is refused ------------------------------------------------------------------------------------------------

# What the message says: that it would drop the derivative, or the name of what has none.
REFUSED = {
    **{name: (lambda t, f: f(t, 1.0), TypeError, rf"np\.{name} writes into") for name in ("copyto", "fill_diagonal")},
    "place": (lambda t, f: f(t, MASK, [1.0]), TypeError, r"np\.place writes into"),
    "put": (lambda t, f: f(t, [0], [1.0]), TypeError, r"np\.put writes into"),
    "putmask": (lambda t, f: f(t, MASK, 1.0), TypeError, r"np\.putmask writes into"),
    "put_along_axis": (lambda t, f: f(t, np.array([[0], [1]]), 1.0, 1), TypeError, r"np\.put_along_axis writes into"),
    "nextafter": (lambda t, f: f(t, 1.0), NotImplementedError, r"np\.nextafter has no derivative rule"),
    "spacing": (lambda t, f: f(t), NotImplementedError, r"np\.spacing has no derivative rule"),
    "frompyfunc": (lambda t, f: f(squared, 1, 1)(t), NotImplementedError, r"squared .* has no derivative rule"),
    "arange": (lambda t, f: f(t[0, 0], 3.0), TensorConversionError, "would drop the derivative"),
    "vectorize": (lambda t, f: f(squared)(t), TensorConversionError, "would drop the derivative"),
    "asmatrix": (lambda t, f: f(t), TensorConversionError, "would drop the derivative"),
    "bmat": (lambda t, f: f([[t, t]]), TensorConversionError, "would drop the derivative"),
    "ndenumerate": (lambda t, f: f(t), TensorConversionError, "would drop the derivative"),
    # Of these, NumPy puts its own message in the place of ours; in the second, ours is the cause that it gives for it.
    "nditer": (lambda t, f: f(t), TypeError, "Iterator operand .* is an object which cannot be written back"),
    "fromiter": (lambda t, f: f(t[0], float), ValueError, "setting an array element"),
    **{
        f"ndarray.{name}": (lambda t, f, args=args: f(t, *args), AttributeError, f"'Tensor' object has no attribute '{name}'")
        for name, args in {
            **{"fill": (1.0,), "put": ([0], 1.0), "resize": ((3, 2),), "partition": (1,), "sort": (), "byteswap": ()},
            **{"setfield": (1.0, float), "setflags": (), "getfield": (float,), "tobytes": (), "dump": ("x",), "dumps": ()},
            **{"tofile": ("x",), "data": (), "ctypes": (), "base": (), "strides": (), "flags": ()},
        }.items()
    },
    "ndarray.tolist": (lambda t, f: f(t), TensorConversionError, r"tolist\(\) would drop the derivative"),
    "ndarray.__delitem__": (lambda t, f: operator.delitem(t, 0), (AttributeError, TypeError), "__delitem__|deletion"),
    "ndarray.__float__": (lambda t, f: float(t[0, 0]), TensorConversionError, r"float\(\) would drop the derivative"),
    "ndarray.__complex__": (lambda t, f: complex(t[0, 0]), TensorConversionError, r"complex\(\) would drop the derivative"),
    "ndarray.__index__": (lambda t, f: [1, 2][t[0, 0]], TypeError, "must be integers .* not Tensor"),
    "ndarray.__hash__": (lambda t, f: hash(t), TypeError, "unhashable type: 'Tensor'"),
    "ndarray.__array__": (lambda t, f: np.asarray(t), TensorConversionError, "would drop the derivative"),
    "ndarray.__dlpack__": (lambda t, f: np.from_dlpack(t), AttributeError, "'Tensor' .*has no attribute '__dlpack"),
    "ndarray.__reduce__": (lambda t, f: pickle.dumps(t), TensorConversionError, "pickling a Tensor would drop the derivative"),
    "ndarray.__invert__": (lambda t, f: ~t, TypeError, "bad operand type .* 'Tensor'"),
    **{
        f"ndarray.__{name}__": (lambda t, f, name=name: getattr(operator, name)(t, t), TypeError, "unsupported operand .* 'Tensor'")
        for name in ("and_", "or_", "xor", "lshift", "rshift")
    },
}
for _name in ("and", "or"):
    REFUSED[f"ndarray.__{_name}__"] = REFUSED.pop(f"ndarray.__{_name}___")
# These are not refused. A polynomial holds Tensors and has a right derivative; the others say that they give the plain
# number, and do so in JAX, too.
BETTER = {
    "poly1d": (lambda t: np.poly1d(t)(2.0), [4.0, 2.0, 1.0]),
    "ndarray.item": (lambda t: t * t[0].item(), [ROW[0]] * 3),
    "ndarray.__int__": (lambda t: t * int(10 * t[0]), [int(10 * ROW[0])] * 3),
}


def test_each_refused_name_is_in_a_call():
    assert REFUSED.keys() | BETTER.keys() == set(SURFACE["refused"])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", [name for name in REFUSED if name not in LACKING])
def test_refused(name, record_property):
    call, error, match = REFUSED[name]

    def f(t):
        with pytest.raises(error, match=match) as caught:
            call(t, find(np, name))
        assert name != "fromiter" or isinstance(caught.value.__cause__, TensorConversionError)
        return np.sum(t * t)

    np.testing.assert_array_equal(grad(f)(A), 2 * A)  # and nothing has changed
    record_property("surface", f"refused {name}")


@pytest.mark.parametrize("name", BETTER)
def test_what_need_not_be_refused(name, record_property):
    call, expected = BETTER[name]
    np.testing.assert_allclose(grad(lambda t: np.sum(call(t)))(ROW), expected, rtol=1e-14)
    record_property("surface", f"allowed {name}")


def test_what_cannot_be_asked_of_an_array_of_integers():
    """ndarray.choose turns the choices into arrays on its own; np.choose is the same."""
    with pytest.raises(TensorConversionError):
        grad(lambda t: np.sum(np.array([0, 1, 1]).choose([t, 2 * t])))(ROW)
    with pytest.raises(TypeError, match=r"np\.choose\(index, choices\)"):
        grad(lambda t: np.sum(t.choose([t, 2 * t])))(ROW)


def test_views_and_devices():
    """The bytes of a Tensor cannot be seen as others, and it is where NumPy keeps arrays."""

    def f(t):
        assert t.view(float).dtype == float and t.device == "cpu" and t.to_device("cpu") is t
        for call in (lambda: t.view(np.int64), lambda: t.view(np.float32), lambda: t.view(type=np.matrix)):
            with pytest.raises(TypeError, match="cannot be seen as another dtype"):
                call()
        for call in (lambda: t.to_device("gpu"), lambda: t.to_device("cpu", stream=1)):
            with pytest.raises(ValueError, match='whose only device is "cpu"'):
                call()
        return np.sum(t.view() * t)

    np.testing.assert_array_equal(grad(f)(ROW), 2 * ROW)


# ---- The methods of ufuncs ------------------------------------------------------------------------------------------

METHODS = {
    "reduce": Call(D(A), axis=1),
    "accumulate": Call(D(A), axis=1),
    "outer": Call(D(ROW), D(PAIR)),
    "reduceat": Call(D(LONG), np.array([0, 3])),
    "at": Call(D(LONG), np.array([0, 3, 0]), D(ROW)),
}
# In which NumPy makes mistakes, on some processors. Of plain arrays, the last results on the way are right.
MISTAKEN = {"power.reduce", "power.reduceat", "arctan2.reduce", "arctan2.reduceat"}
IN_JAX = ("add", "multiply", "subtract", "logaddexp", "maximum", "minimum")


@pytest.mark.parametrize("name", SURFACE["ufunc_methods"])
def test_ufunc_methods(name, record_property):
    ufunc, method = name.split(".")
    call = METHODS[method]

    def run(np, parameters):
        return call.run(getattr(getattr(np, ufunc), method), parameters)

    def in_numpy(*parameters):
        if method != "at":
            return run(np, parameters)
        x, values = parameters
        x = x + 0 * values.sum()  # of a plain array, NumPy could not write derivatives into it
        assert run(np, (x, values)) is None
        return x

    def in_order(x):
        if name not in MISTAKEN or isinstance(x, Tensor):
            return in_numpy(x)
        parts = [x] if method == "reduce" else [x[:3], x[3:]]
        last = [getattr(np, ufunc).accumulate(part, axis=-1)[..., -1] for part in parts]
        return last[0] if method == "reduce" else np.stack(last)

    in_numpy.__name__ = in_order.__name__ = name
    case = Case(in_order if name in MISTAKEN else in_numpy, tuple(call.parameters()), in_jax=lambda *x: run(jnp, x))
    check(case, against_jax=ufunc in IN_JAX and method != "at")
    check_precision(case, np.float32, 1e-4)
    record_property("surface", f"ufunc_methods {name}")
