"""explain: every number of a small computation can be followed with a pocket calculator."""

import re

import numpy as np
import pytest

import minigrad
from minigrad import explain, grad


def linear_model(theta, x):
    return theta["w"] * x + theta["b"]


def mseloss(theta, model, x, y):
    residual = model(theta, x) - y
    return np.mean(residual ** 2)


THETA, X, Y = {"w": 1.5, "b": 0.5}, np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 8.0])

# Worked by hand: w x + b = [2, 3.5, 5], the residuals are [0, 0.5, -3], their squares [0, 0.25, 9], the mean 9.25 / 3 = 3.083.
# Backwards: 1 / 3 = 0.3333 for each square, 2 / 3 of the residual, [0, 0.3333, -2], for each residual and each prediction;
# the sum, -1.667, for b; and the sum of their products with x, 0 + 0.6667 - 6 = -5.333, for w.
BY_HAND = """\
Inputs
name        value
----------  -----
theta['b']  0.5
theta['w']  1.5

Constants
name  value
----  ---------
x     [1, 2, 3]
y     [2, 3, 8]

Forward
   line                                    name      operation        value
-  --------------------------------------  --------  ---------------  -------------
0  13: return theta["w"] * x + theta["b"]  v0        theta['w'] * x   [1.5, 3, 4.5]
1                                          v1        v0 + theta['b']  [2, 3.5, 5]
2  17: residual = model(theta, x) - y      residual  v1 - y           [0, 0.5, -3]
3  18: return np.mean(residual ** 2)       v3        residual ** 2    [0, 0.25, 9]
4                                          v4        np.mean(v3)      3.083

Backward
   of        cotangent g               rule                                                          hands                     to          sum so far
-  --------  ------------------------  ------------------------------------------------------------  ------------------------  ----------  ----------
4  v4        1                         d/dv3 (np.mean(v3)) = np.broadcast_to(g / v3.size, v3.shape)  [0.3333, 0.3333, 0.3333]  v3
3  v3        [0.3333, 0.3333, 0.3333]  d/dresidual (residual ** 2) = g * 2 * residual ** (2 - 1)     [0, 0.3333, -2]           residual
2  residual  [0, 0.3333, -2]           d/dv1 (v1 - y) = g                                            [0, 0.3333, -2]           v1
1  v1        [0, 0.3333, -2]           d/dv0 (v0 + theta['b']) = g                                   [0, 0.3333, -2]           v0
                                       d/dtheta['b'] (v0 + theta['b']) = g                           -1.667                    theta['b']
0  v0        [0, 0.3333, -2]           d/dtheta['w'] (theta['w'] * x) = g * x                        -5.333                    theta['w']

Gradient
of          value
----------  ------
theta['b']  -1.667
theta['w']  -5.333"""


def test_the_linear_model_with_three_points_by_hand():
    explanation = explain(mseloss)(THETA, linear_model, X, Y)
    assert str(explanation) == BY_HAND
    assert explanation.value == pytest.approx(9.25 / 3, rel=1e-15)
    assert explanation.gradient == pytest.approx({"w": -16 / 3, "b": -5 / 3}, rel=1e-15)


def test_the_running_sum_of_a_value_that_is_used_more_than_once():
    trace = explain(lambda x: x * x + np.sin(x))(2.0).trace
    totals = [share.total for visit in trace.visits for share in visit.shares if share.parent.name == "x"]
    np.testing.assert_allclose(totals, [np.cos(2), np.cos(2) + 2, np.cos(2) + 4], rtol=1e-15)
    assert [visit.operation.title for visit in trace.visits] == ["np.add", "np.sin", "np.multiply"]


def test_both_passes_of_a_nested_gradient():
    explanation = explain(grad(lambda x: x * x * x))(2.0)
    assert explanation.gradient == 12.0
    # The values of the inner function's two products, and of the products of its backward pass, are all recorded.
    assert [operation.title for operation in explanation.trace.operations].count("np.multiply") >= 4
    assert explanation.value == 12.0


def test_names_are_the_users():
    def f(p):
        squares = p["a"] ** 2
        total = np.sum(squares)
        for _ in range(2):
            total = total + p["b"][1]
        return total

    trace = explain(f)({"a": np.ones(2), "b": [1.0, 2.0]}).trace
    assert [value.name for value in trace.inputs] == ["p['a']", "p['b'][0]", "p['b'][1]"]
    assert [result.name for operation in trace.operations for result in operation.results] == ["squares", "total", "total_2", "total_3"]


def test_several_results_sequences_and_writes():
    def f(x):
        a, b = np.split(x, 2)
        c = np.stack([a, b * a])
        c[0] = 2.0
        return np.sum(c)

    x = np.arange(4.0)
    explanation = explain(f)(x)
    np.testing.assert_array_equal(explanation.gradient, grad(f)(x))
    by_name = {result.name: result.value for operation in explanation.trace.operations for result in operation.results}
    np.testing.assert_array_equal(by_name["b"], [2.0, 3.0])
    np.testing.assert_array_equal(by_name["c"], [[0.0, 1.0], [0.0, 3.0]])
    assert "c[0] = 2.0" in str(explanation) and "np.split(x, 2)" in str(explanation)
    last = {share.parent.name: share.total for visit in explanation.trace.visits for share in visit.shares}
    np.testing.assert_array_equal(last["x"], explanation.gradient)


@pytest.mark.parametrize("n", [5, 2_000])
def test_long_computations_are_folded(n):
    def f(x):
        for _ in range(n // 2):
            x = np.sin(x) * 0.5
        return x

    text = str(explain(f)(0.5))
    assert len(text.splitlines()) < 300
    assert ("more rows" in text) == (n > 100)


def test_a_rule_of_ones_own_shows_its_source():
    @minigrad.primitive
    def cube(x):
        return x ** 3

    minigrad.defvjp(cube, x=lambda g, x: 3 * g * x ** 2)
    assert "= 3 * g * w ** 2" in str(explain(lambda w: cube(w))(2.0))


def test_formulas_say_what_the_rules_compute():
    """The text of each formula, run as Python, is the share that the rule handed back."""
    calls = {
        "x * y": lambda x, y: np.sum(x * y), "x / y": lambda x, y: np.sum(x / y), "x ** y": lambda x, y: np.sum(x ** y),
        "x @ y": lambda x, y: np.sum(x @ y), "mean": lambda x, y: np.mean(x) * 2.0, "prod": lambda x, y: np.prod(x),
        "max": lambda x, y: np.max(x), "min": lambda x, y: np.min(x), "var": lambda x, y: np.var(x), "std": lambda x, y: np.std(x),
        "sin": lambda x, y: np.sum(np.sin(x)), "arcsin": lambda x, y: np.sum(np.arcsin(x / 5)), "abs": lambda x, y: np.sum(np.abs(x)),
        "arccos": lambda x, y: np.sum(np.arccos(x / 5)), "maximum": lambda x, y: np.sum(np.maximum(x, y)), "tanh": lambda x, y: np.sum(np.tanh(x)),
        "minimum": lambda x, y: np.sum(np.minimum(x, y)), "exp": lambda x, y: np.sum(np.exp(x)), "log": lambda x, y: np.sum(np.log(x)),
        "det": lambda x, y: np.linalg.det(x), "inv": lambda x, y: np.sum(np.linalg.inv(x)), "norm": lambda x, y: np.linalg.norm(x),
        "dot": lambda x, y: np.sum(np.dot(x, y)), "reshape": lambda x, y: np.sum(x.reshape(4) * 2.0), "ravel": lambda x, y: np.sum(np.ravel(x) * 3.0),
        "sqrt": lambda x, y: np.sum(np.sqrt(x)), "transpose": lambda x, y: np.sum(x.T @ y), "subtract": lambda x, y: np.sum(x - y),
        "cumsum": lambda x, y: np.sum(np.cumsum(x[0]) * y[0]), "float_power": lambda x, y: np.sum(np.float_power(x, y)),
        "exp2": lambda x, y: np.sum(np.exp2(x) + np.log2(x) + np.log10(x)), "logaddexp2": lambda x, y: np.sum(np.logaddexp2(x, y)),
        "tan": lambda x, y: np.sum(np.tan(x / 5) + np.arctan(x) + np.arcsinh(x) + np.arctanh(x / 5)), "arctan2": lambda x, y: np.sum(np.arctan2(x, y)),
        "hypot": lambda x, y: np.sum(np.hypot(x, y)), "degrees": lambda x, y: np.sum(np.deg2rad(x) + np.rad2deg(x) + np.degrees(x) + np.radians(x)),
        "remainder": lambda x, y: np.sum(np.remainder(x, y)), "sinc": lambda x, y: np.sum(np.sinc(x)), "cumprod": lambda x, y: np.sum(np.cumprod(x[0]) * y[0]),
        "diff": lambda x, y: np.sum(np.diff(x[0]) * y[0, 0]), "nansum": lambda x, y: np.nansum(x), "trace": lambda x, y: np.trace(x) * 2.0,
        "roll": lambda x, y: np.sum(np.roll(x[0], 1) * y[0]), "slogdet": lambda x, y: np.linalg.slogdet(x)[1], "vecdot": lambda x, y: np.sum(np.vecdot(x, y)),
        "solve": lambda x, y: np.sum(np.linalg.solve(x, y[0])), "expm1": lambda x, y: np.sum(np.expm1(x) + np.log1p(x)),
        "logaddexp(x, y)": lambda x, y: np.sum(np.logaddexp(x, y)),
        "fabs": lambda x, y: np.sum(np.fabs(x)), "negative": lambda x, y: np.sum(-x), "logaddexp": lambda x, y: np.sum(np.cosh(x) + np.sinh(y)),
    }
    from minigrad.inside.writing import formula

    x, y = np.array([[1.5, 2.5], [0.5, 3.0]]), np.array([[0.7, 1.2], [2.2, 0.4]])
    evaluated = 0
    for fun in calls.values():
        trace = explain(fun, argnums=(0, 1))(x, y).trace
        for visit in trace.visits:
            operation = visit.operation
            known = {value.name: np.asarray(value.value) for value in (*operation.operands, *operation.results)} | {"g": visit.cotangent, "np": np}
            for share in visit.shares:
                if operation.title.endswith("getitem"):
                    continue
                text = formula(operation, share).split(" = ", 1)[1]
                if re.match(r"g, |g where |g times |zeros of |the ", text):  # a formula in words
                    continue
                value = np.asarray(eval(text, known))
                if value.shape != np.shape(share.value):  # what broadcasting did is undone by the engine, not by the rule
                    value = np.sum(value)
                np.testing.assert_allclose(value, share.value, rtol=1e-12, err_msg=text)
                evaluated += 1
    assert evaluated > 110


TABLE = np.array([0.5, 0.25])


class Holder:
    shared = np.array([3.0, 4.0])

    def __init__(self):
        self.own = {"rate": np.array([5.0, 6.0])}


def test_constants_have_the_names_of_what_holds_them():
    holder, entries = Holder(), {"k": np.array([7.0, 8.0]), "all": 1}
    rate = holder.own["rate"]
    del rate

    def f(x):
        return np.sum(x * TABLE + x * holder.shared + x * entries["k"] - x * np.array([9.0, 1.0]) + x * np.float64(2.5))

    trace = explain(f)(np.ones(2)).trace
    products = [operation.operands[1].name for operation in trace.operations if operation.title == "np.multiply"]
    assert products == ["TABLE", "holder.shared", "entries['k']", "c0", "2.5"]
    assert [value.name for value in trace.named_constants] == products[:-1]
    text = str(explain(f)(np.ones(2)))
    assert re.search(r"holder.shared +\[3, 4\]", text) and re.search(r"c0 +\[9, 1\]", text)


def test_sequences_have_the_formula_of_their_rule():
    text = str(explain(lambda x: np.sum(np.stack([x, 2 * x])) + np.einsum("i,i->", x, TABLE) + np.sum(np.hstack([x, x])))(np.ones(2)))
    for words in ("= g, taken apart", "= the einsum of g", "= g, split into the parts"):
        assert words in text
    assert "itemgetter" not in text


def test_functions_with_a_vjp_of_their_own_and_checkpoints():
    @minigrad.custom_vjp
    def sine(x):
        return np.sin(x)

    def backwards(x, g):
        return (g * np.cos(x),)

    sine.defvjp(lambda x: (np.sin(x), x), backwards)
    text = str(explain(lambda x: np.sum(minigrad.checkpoint(lambda y: y * y)(sine(x))))(np.ones(2)))
    assert "d/dx (sine(x)) = backwards(residuals, g)" in text and "by the backward pass of <lambda>" in text and "v0[0]" not in text


def test_formulas_for_complex_numbers():
    from minigrad.inside.writing import formula

    z = np.array([1.0 + 2.0j, -0.5 + 0.25j, 3.0 - 1.0j])
    for fun in (np.abs, np.linalg.norm, np.var, np.std):
        trace = explain(lambda z, fun=fun: np.sum(fun(z)))(z).trace
        visit = trace.visits[-1]
        known = {value.name: np.asarray(value.value) for value in (*visit.operation.operands, *visit.operation.results)}
        value = eval(formula(visit.operation, visit.shares[0]).split(" = ", 1)[1], known | {"g": visit.cotangent, "np": np})
        np.testing.assert_allclose(value, visit.shares[0].value, rtol=1e-13)
    assert "[1+2j, -0.5+0.25j, 3-1j]" in str(explain(lambda z: np.sum(np.abs(z)))(z))


def test_the_inner_backward_pass_is_marked():
    def outer(x):
        inner = grad(lambda y: y * y * y)(x)
        return inner * 2.0

    operations = explain(outer)(2.0).trace.operations
    assert [operation.in_backward for operation in operations[:2]] == [False, False] and not operations[-1].in_backward
    assert any(operation.in_backward for operation in operations) and "(backward) " in str(explain(outer)(2.0))


@pytest.mark.parametrize("tool", [minigrad.explain, minigrad.graph, minigrad.find_nan, minigrad.profile])
def test_errors_come_through_with_the_users_line(tool):
    @minigrad.primitive
    def broken(x):
        return x * 1.0

    def vjp(g, x):
        raise KeyError("rule")

    minigrad.defvjp(broken, x=vjp)

    def in_backward(x):
        return np.sum(broken(x))

    def in_forward(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        tool(in_forward)(np.ones(2))
    assert caught.traceback[-1].name == "in_forward" and not hasattr(caught.value, "__notes__")
    with pytest.raises(KeyError, match="rule") as caught:
        tool(in_backward)(np.ones(2))
    line = in_backward.__code__.co_firstlineno + 1
    assert caught.value.__notes__ == [
        f"This is an error in the backward pass, at an operation that was recorded in {__file__}, line {line}, in in_backward"
    ]


def test_a_profiler_that_is_at_work_stays_so():
    import cProfile

    profiler = cProfile.Profile()
    assert profiler.runcall(explain(lambda x: x * x), 3.0).gradient == 6.0
    assert any("explain" in str(entry.code) for entry in profiler.getstats())


def test_the_result_is_the_input():
    explanation = explain(lambda x: x)(2.0)
    assert explanation.gradient == 1.0 and explanation.trace.cotangents[explanation.trace.inputs[0]] == 1.0
