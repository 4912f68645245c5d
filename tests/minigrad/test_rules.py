"""What holds for the table of derivatives as a whole: all of it is tested, and no call goes wrong without a word."""

import warnings

import numpy as np
import pytest

from minigrad import Tensor, grad, stop_gradient, table
from minigrad.conversions import checked
from minigrad.guards import check_rule
from minigrad.rules.composition import looked_up
from minigrad.rules.elementwise import constant_sign
from minigrad.rules.shaping import in_memory

from . import (
    test_rules_calculus,
    test_rules_composition,
    test_rules_decompositions,
    test_rules_elementwise,
    test_rules_fourier,
    test_rules_indexing,
    test_rules_linalg,
    test_rules_polynomials,
    test_rules_products,
    test_rules_reductions,
    test_rules_selecting,
    test_rules_series,
    test_rules_shaping,
    test_rules_sorting,
    test_rules_statistics,
)
from .support import assert_identical, cases


def title(fun):
    return table.rule_of(fun).title


OURS = {
    fun: rule for fun, rule in list(table.rules.items())
    if rule.title.startswith(("np.", "minigrad.rules.", "minigrad.views.", "minigrad.conversions."))
}
RULES = {fun: rule for fun, rule in OURS.items() if not rule.composition}
COMPOSITIONS = {fun: rule for fun, rule in OURS.items() if rule.composition}
# The methods of ufuncs are tested as methods, with many ufuncs each, in test_rules_ufunc_methods. The functions of
# numpy.polynomial and scipy.special, which may have got their rules from another test, are tested in test_numpy_polynomial
# and test_precision; and the primitives of other tests, such as ``primitive(np.exp)``, there.
ELSEWHERE = ("minigrad.rules.ufunc_methods.", "minigrad.rules.special", "np.polynomial.")


def is_elsewhere(fun):
    return title(fun).startswith(ELSEWHERE) or (title(fun).startswith("np.") and hasattr(fun, "is_primitive"))


RULES = {fun: rule for fun, rule in RULES.items() if not is_elsewhere(fun)}
COMPOSITIONS = {fun: rule for fun, rule in COMPOSITIONS.items() if not is_elsewhere(fun)}

# ---- Every rule is tested -------------------------------------------------------------------------------------------

CASES = [
    *test_rules_elementwise.CASES,
    *test_rules_elementwise.IN_NUMPY,
    *test_rules_reductions.CASES,
    *test_rules_products.CASES,
    *test_rules_shaping.CASES,
    *test_rules_shaping.IN_NUMPY,
    *(case for case, _ in test_rules_shaping.TRIMMED),
    *test_rules_indexing.CASES,
    *test_rules_indexing.WHERE,
    *test_rules_linalg.CASES,
    *test_rules_decompositions.CASES,
    *test_rules_fourier.CASES,
    *test_rules_polynomials.CASES,
    *test_rules_calculus.CASES,
    *test_rules_statistics.CASES,
    *test_rules_series.CASES,
    *test_rules_selecting.IN_JAX,
    *test_rules_selecting.IN_NUMPY,
    *test_rules_sorting.IN_JAX,
    *test_rules_sorting.IN_NUMPY,
]
# Where the derivative is None because NumPy takes only whole numbers, or truth values; or no values at all.
NOT_FLOATING = {(np.ldexp, "b"), (np.where, "condition"), (checked, "is_wrong"), (checked, "message")}
# The slopes of other functions. Their rules give second derivatives: these are in the tables of the other functions, and in
# test_precision, over the whole range of each dtype.
SLOPES = (
    "arctanh_slope", "cosine", "cosine_of_arcsin", "direction", "sech_squared", "share", "unit",
)
TO_WRITE_INTO = {np.zeros_like, np.ones_like, np.empty_like}  # constant until something is written into them
# What some versions of NumPy call the shape= of reshape, if they have it at all.
OTHER_NAMES = {"newshape"}
LINES = [
    (fun, name, vjp) for fun, rule in RULES.items() for name, vjp in rule.vjps.items()
    if (fun, name) not in NOT_FLOATING and fun not in TO_WRITE_INTO and fun.__name__ not in SLOPES
]


def _calls(fun, name):
    """The calls in the tables that differentiate with respect to that argument, as its arguments by name."""
    for case in CASES:
        if case.fun is fun:
            given = RULES[fun].bind(case.args, case.kwargs)
            found = given.get(name)
            members = found if isinstance(found, (list, tuple)) else ()  # of any number of arguments
            if any(value is one for value in case.parameters.values() for one in (found, *members)):
                yield given


@pytest.mark.parametrize("fun, name, vjp", LINES, ids=[f"{title(fun)}-{name}" for fun, name, _ in LINES])
def test_every_derivative_is_in_a_table(fun, name, vjp):
    """For each argument that has a derivative, there is a case; and for each keyword that this derivative honours."""
    calls = list(_calls(fun, name))
    assert calls, "a case in the tables"
    honoured = [name for name in (vjp.keywords if vjp else ()) if name in RULES[fun].parameters and name not in OTHER_NAMES]
    assert [keyword for keyword in honoured if not any(keyword in call for call in calls)] == []


@pytest.mark.parametrize("fun", COMPOSITIONS, ids=title)
def test_every_composition_is_in_a_table(fun):
    """For each argument of the function, there is a case that gives it."""
    cases = [*CASES, *test_rules_composition.IN_JAX, *test_rules_composition.IN_NUMPY]
    calls = [COMPOSITIONS[fun].bind(case.args, case.kwargs) for case in cases if case.fun is fun]
    named = [name for name, p in COMPOSITIONS[fun].parameters.items() if p.kind is not p.VAR_KEYWORD]
    assert [name for name in named if not any(name in call for call in calls)] == []


@pytest.mark.parametrize("fun", RULES, ids=title)
def test_every_rule_fits_its_function(fun):
    check_rule(RULES[fun])


# ---- Constants ------------------------------------------------------------------------------------------------------

X = np.array([[1.5, -0.3, 0.0], [2.0, 2.5, -1.7]])
Y = np.array([[1.5, 0.4, 0.2], [-2.0, 2.0, 1.1]])
CONSTANTS = {
    **{
        fun: (X,)
        for fun in (
            *(constant_sign, np.floor, np.ceil, np.trunc, np.rint, np.round, np.around),
            *(np.signbit, np.isnan, np.isfinite, np.isinf, np.logical_not),
            *(np.nonzero, np.argmax, np.argmin, np.argsort, np.argwhere, np.flatnonzero, np.count_nonzero),
            *(np.fix, np.isneginf, np.isposinf, np.isreal, np.iscomplex, np.nanargmax, np.nanargmin),
            *(np.any, np.all, np.shape, np.ndim, np.size, np.zeros_like, np.ones_like),
            *(np.iscomplexobj, np.isrealobj, np.array_repr, np.array_str, np.array2string, np.linalg.matrix_rank),
            *(np.tril_indices_from, np.triu_indices_from),
        )
    },
    **{
        fun: (X, Y)
        for fun in (
            *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
            *(np.isclose, np.allclose, np.array_equal, np.array_equiv),
            *(np.logical_and, np.logical_or, np.logical_xor, np.floor_divide, np.result_type, np.may_share_memory),
            *(np.shares_memory, np.isin),
        )
    },
}
UNPREDICTABLE = {np.empty_like: (X,)}  # what is in it is not known
OF_DTYPES = {np.can_cast: (np.float32, np.float64)}  # no value goes into it


def _in1d(row):
    with warnings.catch_warnings(action="ignore"):  # it is deprecated
        return np.in1d(row, row[:2])


WITH_OPTIONS = {  # calls that take more than arrays to differentiate
    np.argpartition: lambda row: np.argpartition(row, 1),
    np.lexsort: lambda row: np.lexsort((row, -row)),
    np.searchsorted: lambda row: np.searchsorted([-1.0, 0.0, 1.0], row),
    np.digitize: lambda row: np.digitize(row, [-1.0, 0.0, 1.0]),
    np.ix_: lambda row: np.ix_(row > 0)[0],
    np.common_type: lambda row: np.dtype(np.common_type(row)).itemsize,
    np.min_scalar_type: lambda row: np.min_scalar_type(row[0]).itemsize,
    np.einsum_path: lambda row: len(np.einsum_path("i,i", row, row)),
    np.diag_indices_from: lambda row: np.diag_indices_from(np.reshape(row[:4], (2, 2)))[0],
    np.ravel_multi_index: lambda row: np.ravel_multi_index(np.argsort(row)[:2], row.shape * 2),
    np.unravel_index: lambda row: np.unravel_index(np.argmax(row), (2, 3))[0],
    looked_up: lambda row: looked_up(np.cumsum, row),
    in_memory: lambda row: in_memory(row, "K"),
} | ({np.in1d: _in1d} if hasattr(np, "in1d") else {})


@pytest.mark.parametrize("call", WITH_OPTIONS.values(), ids=map(title, WITH_OPTIONS))
def test_constants_with_options_are_plain(call):
    row = X.ravel()
    results = []

    def f(row):
        results.append(call(row))
        return np.sum(np.sum(row) * 0.0)

    np.testing.assert_array_equal(grad(f)(row), np.zeros(row.shape))
    assert_identical(results[0], call(row))


def test_every_constant_function_is_tested():
    constant = {fun for fun, rule in RULES.items() if rule.constant} | TO_WRITE_INTO
    assert constant == CONSTANTS.keys() | UNPREDICTABLE.keys() | OF_DTYPES.keys() | WITH_OPTIONS.keys()


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")
@pytest.mark.parametrize("fun", CONSTANTS, ids=title)
def test_constants_are_plain_and_have_no_derivative(fun):
    args = CONSTANTS[fun]
    expected = fun(*args)

    def f(*args):
        result = fun(*args)
        if fun in TO_WRITE_INTO:
            assert type(result) is Tensor
            result = stop_gradient(result)
        assert not any(type(one) is Tensor for one in (result if isinstance(result, tuple) else (result,)))
        if isinstance(expected, (str, np.dtype)):
            assert result == expected
            return 0.0
        assert_identical(result, expected)
        return np.sum(np.sum(result) + np.float64(0) * args[0]) if np.size(expected) else 0.0

    for gradient in grad(f, range(len(args)))(*args):
        np.testing.assert_array_equal(gradient, np.zeros(X.shape))


@pytest.mark.parametrize("fun", [np.sign, np.floor, np.round, lambda x: x // 1, lambda x: 3 // (x * x + 1)])
def test_constants_count_as_numbers_in_products(fun):
    np.testing.assert_array_equal(grad(lambda x: np.sum(fun(x) * x))(X), fun(X))


COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "//": lambda a, b: a // b,
}


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("other", [0.5, 2, np.float64(0.5), Y, np.array([2, 1, 3])], ids=["float", "int", "float64", "array", "row"])
def test_comparison_operators(name, other):
    """From either side, and between Tensors, they give plain arrays."""
    compare = COMPARISONS[name]

    def f(x):
        for result, expected in [
            (compare(x, other), compare(X, other)),
            (compare(x, x * 2), compare(X, X * 2)),
            (compare(x * 2, x), compare(X * 2, X)),
        ]:
            assert type(result) is np.ndarray
            assert_identical(result, expected)
        if name != "//":  # which would divide by the zero in X
            assert_identical(compare(other, x), compare(other, X))
        return np.sum(x)

    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(grad(f)(X), np.ones(X.shape))


def test_constants_of_a_python_number_are_as_weak_as_it_is():
    ones = np.ones(2, np.float32)
    for call in (lambda x: x // 2, lambda x: 7 // x, lambda x: divmod(x, 2)[0], round, lambda x: round(x, 1), np.floor):
        seen = []
        gradient = grad(lambda x: (seen.append((call(x) * ones).dtype), x * 1.0)[1])(5.5)
        assert (seen, gradient) == ([np.float32], 1.0)


@cases({
    "isnan": np.isnan,
    "isfinite": lambda x: ~np.isfinite(x),
    "logical_not": lambda x: ~np.logical_not(np.isnan(x)),
    "isclose": lambda x: ~np.isclose(x, x),
    "not_equal": lambda x: np.not_equal(x, x),
    "signbit": lambda x: ~np.signbit(x),
    "any": lambda x: np.any(np.isnan(x)) & ~np.all(x == x),
})
@pytest.mark.parametrize("depth", [1, 2])
def test_a_truth_value_of_a_python_number_is_negated_as_in_numpy(case, depth):
    """Python's own truth values are not: ~True is -2, which counts as true."""

    def f(x):
        assert type(case(x)) is np.bool
        return np.where(case(x), 3 * x, 5 * x) + np.where(~case(x), 7 * x, 11 * x)

    gradient = grad(f) if depth == 1 else lambda x: grad(lambda x: x * grad(f)(x))(x)
    assert gradient(float("nan")) == 14.0 and case(float("nan")) and not case(-1.5)
    assert gradient(-1.5) == 12.0


# ---- What is not honoured is refused --------------------------------------------------------------------------------

ROW = np.array([1.5, 2.5, 3.5])
OUT = np.zeros(3)
REFUSED = [
    ("out", lambda x: np.add(x, 1, out=OUT)),
    ("out", lambda x: np.add(x, 1, OUT)),
    ("out", lambda x: np.sin(x, out=(OUT,))),
    ("out", lambda x: np.modf(x, out=(OUT, None))),
    ("out", lambda x: np.matmul(x, np.ones((3, 3)), out=OUT)),
    ("out", lambda x: np.dot(x, np.ones((3, 3)), out=OUT)),
    ("out", lambda x: np.sum(x, out=np.zeros(()))),
    ("out", lambda x: np.sum(x, None, None, np.zeros(()))),
    ("out", lambda x: x.sum(out=np.zeros(()))),
    ("out", lambda x: np.prod(x, out=np.zeros(()))),
    ("out", lambda x: np.mean(x, out=np.zeros(()))),
    ("out", lambda x: np.max(x, out=np.zeros(()))),
    ("out", lambda x: np.min(x, out=np.zeros(()))),
    ("out", lambda x: np.var(x, out=np.zeros(()))),
    ("out", lambda x: np.std(x, out=np.zeros(()))),
    ("out", lambda x: np.add.reduce(x, out=np.zeros(()))),
    ("out", lambda x: np.concatenate([x, x], out=np.zeros(6))),
    ("out", lambda x: np.stack([x, x], out=np.zeros((2, 3)))),
    ("where", lambda x: np.modf(x, where=ROW > 2)),
    ("dtype", lambda x: np.matmul(x, x, dtype=np.float32)),
    ("casting", lambda x: np.sin(x, casting="unsafe")),
    ("order", lambda x: np.sin(x, order="F")),
    ("subok", lambda x: np.sin(x, subok=False)),
    ("signature", lambda x: np.sin(x, signature="d->d")),
    ("axes", lambda x: np.matmul(x, np.ones((3, 3)), axes=[(0,), (0, 1), (0,)])),
    ("subok", lambda x: np.broadcast_to(x, (2, 3), subok=True)),
    ("subok", lambda x: np.copy(x, subok=True)),
]


@pytest.mark.parametrize("keyword, call", REFUSED, ids=[f"{i}-{keyword}" for i, (keyword, _) in enumerate(REFUSED)])
def test_a_keyword_that_is_not_honoured_is_refused_at_the_call(keyword, call):
    def f(x):
        with pytest.raises(NotImplementedError, match=rf"the derivative of np\.\w+ does not support {keyword}="):
            call(x)
        return np.sum(x)

    np.testing.assert_array_equal(grad(f)(ROW), np.ones(3))
    assert not OUT.any(), "and nothing is computed"


DEFAULTS = [
    lambda x: np.sin(x, out=None),
    lambda x: np.sin(x, where=True),
    lambda x: np.sin(x, dtype=None),
    lambda x: np.sin(x, casting="same_kind", order="K", subok=True),
    lambda x: np.add(x, 1, None, where=True),
    lambda x: np.power(x, 2, where=True, dtype=None),
    lambda x: np.sum(x, None, None, None, False),
    lambda x: np.sum(x, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True),
    lambda x: np.prod(x, axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True),
    lambda x: np.max(x, axis=None, out=None, keepdims=False, where=True),
    lambda x: np.mean(x, axis=None, dtype=None, out=None, keepdims=False, where=True),
    lambda x: np.var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, where=True),
    lambda x: np.add.reduce(x, 0, None, None, False),
    lambda x: np.maximum.reduce(x, 0, None, None, False),
    lambda x: np.multiply.reduce(x, axis=0, dtype=None, out=None),
    lambda x: np.dot(x, x, None),
    lambda x: np.dot(x, x, out=None),
    lambda x: np.matmul(x, x, out=None),
    lambda x: np.concatenate([x, x], out=None, casting="same_kind", dtype=None),
    lambda x: np.stack([x, x], out=None, casting="same_kind", dtype=None),
    lambda x: np.copy(x, order="K", subok=False),
    lambda x: np.broadcast_to(x, (2, 3), subok=False),
    lambda x: np.reshape(x, (3, 1), order="C"),
    lambda x: np.transpose(x, None),
]


@pytest.mark.parametrize("call", DEFAULTS, ids=map(str, range(len(DEFAULTS))))
def test_a_keyword_with_its_default_is_no_keyword(call):
    """It changes no value, and so no derivative."""
    gradient = grad(lambda x: np.sum(call(x)))(ROW)
    step = 1e-6
    differences = [(np.sum(call(ROW + d)) - np.sum(call(ROW - d))) / (2 * step) for d in step * np.eye(3)]
    np.testing.assert_allclose(gradient, differences, rtol=1e-8, atol=1e-9)

