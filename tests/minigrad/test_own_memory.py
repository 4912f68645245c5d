"""Who may write into which array: functions of the user, the caller of a transform, and minigrad share none."""

import array
import functools

import numpy as np
import pytest

from minigrad import Tensor, checkpoint, custom_vjp, defvjp, grad, hvp, jacrev, linearize, primitive, value_and_grad, vjp

from .support import assert_alike, cases, read_only

X = np.array([1.0, 2.0, 3.0])

# ---- Functions that use their arrays again ----------------------------------------------------------------------------


def own_primitive(function, rule):
    operation = primitive(function)
    defvjp(operation, x=rule)
    return operation


def own_rule(function, forward, backward):
    ruled = custom_vjp(function)
    ruled.defvjp(forward, backward)
    return ruled


def with_buffer(function, *, locked=False):
    """The function, whose result is the same array at each call."""
    buffer = np.empty(3)

    @functools.wraps(function)
    def into_buffer(*args):
        buffer.flags.writeable = True
        buffer[...] = function(*args)
        buffer.flags.writeable = not locked
        return buffer

    return into_buffer


def written(g, *factors):
    """The product, in the memory of the first factor."""
    for factor in factors:
        g *= factor
    return g


kept_cotangents = []


def keeping(g, x):
    """The VJP of a square, which writes into the cotangents that it got before."""
    for old in kept_cotangents:
        old[...] = 100.0
    kept_cotangents.append(g)
    return 2 * g * x


SQUARES = {
    "a primitive returns its buffer": own_primitive(with_buffer(lambda x: x * x), lambda g, x: 2 * g * x),
    "a primitive returns its buffer, locked": own_primitive(
        with_buffer(lambda x: x * x, locked=True), lambda g, x: 2 * g * x
    ),
    "a primitive returns its buffer in a list": lambda x: own_list(x)[0],
    "its rule asks for the result": own_primitive(with_buffer(lambda x: x * x), lambda g, y: 2 * g * np.sqrt(y)),
    "its rule returns a buffer": own_primitive(lambda x: x * x, with_buffer(lambda g, x: 2 * g * x)),
    "its rule writes into the cotangent": own_primitive(lambda x: x * x, lambda g, x: written(g, x, 2.0)),
    "its rule keeps the cotangent": own_primitive(lambda x: x * x, keeping),
    "custom_vjp returns its buffer": own_rule(
        lambda x: x * x, lambda x, f=with_buffer(np.square): (f(x), x), lambda x, g: (2 * g * x,)
    ),
    "the residual is its buffer": own_rule(
        lambda x: x * x, lambda x, f=with_buffer(np.copy): (x * x, {"x": [f(x)]}), lambda kept, g: (2 * g * kept["x"][0],)
    ),
    "the residual is a buffer of Python's": own_rule(
        lambda x: x * x,
        lambda x, b=array.array("d", X): (b.__setitem__(slice(None), array.array("d", x)) or x * x, b),
        lambda b, g: (2 * g * np.array(b),),
    ),
    "its argument is its residual, and changes": own_rule(
        lambda x: x * x, lambda x: (x * x, [x, x.copy()]), lambda kept, g: (2 * g * kept[0],)
    ),
    "bwd returns a buffer": own_rule(
        lambda x: x * x, lambda x: (x * x, x), lambda x, g, f=with_buffer(np.multiply): (f(2 * g, x),)
    ),
    "bwd writes into the cotangent": own_rule(lambda x: x * x, lambda x: (x * x, x), lambda x, g: (written(g, x, 2.0),)),
    "bwd keeps the cotangent": own_rule(lambda x: x * x, lambda x: (x * x, x), lambda x, g: (keeping(g, x),)),
    "a checkpoint returns its buffer": checkpoint(lambda x, f=with_buffer(np.square): x * x if type(x) is Tensor else f(x)),
}


@primitive
def own_list(x, f=with_buffer(np.square)):
    return [f(x), x + 1.0]


defvjp(own_list, x=lambda g, x: 2 * g[0] * x + g[1])


@cases(SQUARES)
@pytest.mark.parametrize("use", ["two results", "twice in a row", "a sum", "the second first"])
def test_functions_that_use_their_arrays_again(case, use):
    """Several calls and several backward passes. The cotangent is used elsewhere too, and the caller sees no change."""
    kept_cotangents.clear()

    def f(x, square):
        y = square(x)
        if use == "two results":
            return y * 1.0 + square(2.0 * x) * np.array([1.0, 3.0, 5.0])
        if use == "twice in a row":
            return square(y)
        if use == "the second first":  # the backward pass comes to it when the argument has its first share
            z = square(2.0 * x)
            return square(x) * 5.0 + z + y
        return y + square(x + 1.0) + x

    expected, pull = vjp(lambda x: f(x, lambda v: v * v), X)
    value, pullback = vjp(lambda x: f(x, case), X)
    np.testing.assert_array_equal(value, expected)
    for cotangent in (np.array([1.0, 2.0, 4.0]), np.broadcast_to(2.0, 3), np.ones(3)):
        start = cotangent.copy()
        (share,) = pullback(cotangent)
        np.testing.assert_allclose(share, pull(cotangent)[0], rtol=1e-14)
        np.testing.assert_array_equal(cotangent, start)
        share[:] = 100.0
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(grad(lambda x: case(x).sum())(X), 2 * X)


WRITERS = {
    "a primitive, into its argument": own_primitive(lambda x: written(x, x), lambda g, x: 2 * g * x),
    "a primitive, into a constant": lambda x: own_product(x, np.ones(3)),
    "a primitive, into a constant in a dict": lambda x: own_product(x, {"w": [np.ones(3)]}),
    "a rule, into its residual": own_primitive(lambda x: x * x, lambda g, x: written(x, 2 * g)),
    "a rule, into the result": own_primitive(np.exp, lambda g, y: written(y, g)),
    "a checkpoint, into its argument": checkpoint(lambda x: written(x, 2.0)),
    "fwd, into its argument": own_rule(lambda x: x * x, lambda x: (written(x, x), x), lambda x, g: (2 * g * x,)),
    "bwd, into its residual": own_rule(lambda x: x * x, lambda x: (x * x, [x]), lambda kept, g: (written(kept[0], 2 * g),)),
}


@primitive
def own_product(x, w):
    return x * written(w["w"][0] if isinstance(w, dict) else w, 2.0)


defvjp(own_product, x=lambda g, w: g * w)


@cases(WRITERS)
def test_what_others_use_cannot_be_written_into(case):
    start = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        grad(lambda x: case(x).sum())(start)
    np.testing.assert_array_equal(start, X)


def test_a_primitive_is_a_plain_function_without_tensors():
    a = np.ones(3)
    assert own_primitive(lambda x: written(x, 3.0), lambda g: g)(a) is a and a[0] == 3.0


def test_a_primitive_may_return_a_view():
    """Of its argument: then it changes with it, and the other way round."""
    first = own_primitive(lambda x: x[:2], lambda g: np.concatenate([g, [0.0]]))

    def f(x):
        y = first(x)
        x[0] = 5.0 * x[1]
        y[1] = 2.0 * y[0]
        return (y * y).sum() + x[1]

    value, gradient = value_and_grad(f)(X)
    assert value == 125 * X[1] ** 2 + 10 * X[1]
    np.testing.assert_array_equal(gradient, [0.0, 250 * X[1] + 10, 0.0])


def test_a_primitive_that_returns_a_constant():
    """Its derivative is what its rule says. What the constant becomes later does not matter."""
    operation = own_primitive2(lambda x, c: c, x=lambda g, c: g * c)
    c = X.copy()

    def f(x):
        y = operation(x, c)
        c[:] = 7.0
        return (y * y).sum()

    np.testing.assert_array_equal(grad(f)(X), 2 * X * X)


def own_primitive2(function, **rules):
    operation = primitive(function)
    defvjp(operation, **rules)
    return operation


# ---- Checkpoints ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_computes_something_else_later():
    """What it uses from outside changes between the passes, or it uses random numbers."""
    c, rng = X.copy(), np.random.default_rng(0)

    def change(y):
        c[:] = 100.0
        return y

    uses = {
        "an array": lambda x: x * c,
        "an array, for one of the results": lambda x: [x, x * c],
        "an array, in a dict": lambda x: {"y": x.sum() * c},
        "a number": lambda x: x * c[0],
        "a length": lambda x: x[: int(c[0])],
        "a condition": lambda x: x if c[0] < 10 else x * 2.0,
        "nan": lambda x: x + np.where(c > 10, np.nan, 0.0),
        "a random number": lambda x: x * rng.normal(),
        "a random mask": lambda x: x * (rng.uniform(size=(100, 3)) > 0.5),
    }
    for use in uses.values():
        c[:] = X
        f = checkpoint(use)
        with pytest.raises(RuntimeError, match=r"returned something else when the backward pass called it again"):
            grad(lambda x: change(total(f(x))))(X)


def total(y):
    members = y if isinstance(y, list) else y.values() if isinstance(y, dict) else [y]
    return sum(member.sum() for member in members)


def test_a_checkpoint_that_uses_an_outer_value_that_changes():
    def f(x):
        def inner(z):
            y = checkpoint(lambda v: v * x)(z).sum()
            x[:] = 7.0
            return y

        return grad(inner)(np.ones(3)).sum()

    with pytest.raises(RuntimeError, match="returned something else"):
        grad(f)(X)


@cases({
    "small products of matrices": lambda x: np.linalg.inv(np.vander(x) + 1e-9 * np.outer(x, x)) @ (np.outer(x, x) @ x),
    "nan and infinity": lambda x: np.where(x > 1, x, [np.nan, np.inf, -np.inf]) * x,
    "whole numbers and text": lambda x: [x * x, np.array([1, 2]), 3],
    "nothing": lambda x: x[:0],
    "complex": lambda x: np.exp(1j * x),
    "a Python number": lambda x: x * 2.0,
})
def test_a_checkpoint_that_computes_the_same(case):
    f = checkpoint(case)
    _, expected = vjp(lambda x: real_total(case(x)), X)
    value, found = vjp(lambda x: real_total(f(x)), X)
    np.testing.assert_allclose(found(np.float64(1.0))[0], expected(np.float64(1.0))[0], rtol=1e-6)


def test_a_checkpoint_may_round_differently_with_tensors():
    """If plain numbers still give the first result, nothing has changed."""
    f = checkpoint(lambda x: x * x + (0.0 if type(x) is Tensor else 1e-3))
    np.testing.assert_array_equal(grad(lambda x: f(x).sum())(X), 2 * X)


def real_total(y):
    return np.real(y[0] if isinstance(y, list) else y).sum()


def test_an_argument_of_a_checkpoint_that_changes():
    for n in (3, 30_000):
        w, x = np.full(n, 2.0), np.full(n, 3.0)

        def f(x):
            y = checkpoint(lambda p, x: p["w"][0] * x)({"w": [w]}, x)
            w[:] = 100.0
            return y.sum()

        np.testing.assert_array_equal(grad(f)(x), np.full(n, 2.0))


def test_an_argument_that_custom_vjp_does_not_differentiate():
    product = custom_vjp(lambda w, x: w * x, nondiff_argnums=(0,))
    product.defvjp(lambda w, x: (w * x, None), lambda w, _, g: (w * g,))
    w = X.copy()

    def f(x):
        y = product(w, x)
        w[:] = 100.0
        return y.sum()

    np.testing.assert_array_equal(grad(f)(X), X)


@primitive
def weighted(x, w):
    return x * w


@primitive
def weighted_by_member(x, w):
    return x * only(w)


def only(w):
    return only(next(iter(w.values()))) if isinstance(w, dict) else only(w[0]) if isinstance(w, (list, tuple)) else w


defvjp(weighted, x=lambda g, w: g * w, w=lambda g, x: g * x)
defvjp(weighted_by_member, x=lambda g, w: g * only(w))
own_weighted = own_rule(
    lambda x, p: x * p["w"], lambda x, p: (x * p["w"], (x, p)), lambda kept, g: (g * kept[1]["w"], {"w": g * kept[0]})
)
USES = {
    "a primitive": lambda x, w: weighted(x, w),
    "a primitive, by keyword": lambda x, w: weighted(x, w=w),
    "a checkpoint": lambda x, w: checkpoint(lambda x, p: x * p["w"])(x, {"w": w}),
    "custom_vjp": lambda x, w: own_weighted(x, {"w": w}),
    "einsum": lambda x, w: np.einsum("i,i->i", x, w),
    "multi_dot": lambda x, w: np.linalg.multi_dot([np.diag(w), x]),
    "a view of it": lambda x, w: x * w[::-1][::-1],
}


def inner_gradient(use, w):
    def f(x):
        y = use(x, w)
        w[:] = 7.0
        return (y * y).sum()

    return grad(f)(X)


@cases(USES | {
    "a primitive, in a list": lambda x, w: weighted_by_member(x, [w]),
    "a primitive, in a tuple in a dict": lambda x, w: weighted_by_member(x, {"w": (w, 1.0)}),
    "a primitive, in a dict by keyword": lambda x, w: weighted_by_member(x, w={"w": [w]}),
})
def test_a_constant_that_changes_after_a_function_of_the_user(case):
    np.testing.assert_allclose(inner_gradient(case, X + 1.0), 2 * X * (X + 1.0) ** 2, rtol=1e-15)


@cases(USES)
def test_a_constant_of_an_outer_level_that_changes(case):
    value, slope = value_and_grad(lambda w: inner_gradient(case, w * 1.0).sum())(X + 1.0)
    np.testing.assert_allclose(value, (2 * X * (X + 1.0) ** 2).sum(), rtol=1e-15)
    np.testing.assert_allclose(slope, 4 * X * (X + 1.0), rtol=1e-15)


# ---- Gradients ------------------------------------------------------------------------------------------------------

PAIRS = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a": lambda a, b: a,
    "a, b": lambda a, b: [a, b],
    "a, a": lambda a, b: [a, a],
    "reshapes": lambda a, b: a.reshape(1, 3) + b[None],
    "views": lambda a, b: a[::-1] + b[...],
    "a list": lambda a, b: np.stack([a, b]),
    "broadcast": lambda a, b: np.broadcast_to(a, (2, 3)) + b,
    "where": lambda a, b: np.where(X > 1, a, b),
    "constants": lambda a, b: [a * X, X * b],
    "a checkpoint": checkpoint(lambda a, b: a + b),
    "a primitive": lambda a, b: same_shares(a, b),
    "custom_vjp": lambda a, b: own_same_shares(a, b),
    "custom_vjp of a residual": lambda a, b: own_residual_shares(a, b),
}
same_shares = own_primitive2(lambda a, b: a + b, a=lambda g: g, b=lambda g: g)
own_same_shares = own_rule(lambda a, b: a + b, lambda a, b: (a + b, None), lambda _, g: (g, g))
own_residual_shares = own_rule(lambda a, b: X * a + X * b, lambda a, b: (X * a + X * b, X), lambda x, g: (x, x))


@cases(PAIRS)
def test_gradients_share_no_memory(case):
    """Neither with each other, nor with the arguments, the cotangent, or the values that the rules keep."""
    a, b = X.copy(), X + 1.0
    out, pullback = vjp(case, a, b)
    cotangent = [np.ones(y.shape) for y in out] if isinstance(out, list) else np.ones(out.shape)
    first = pullback(cotangent)
    assert_alike(first, (a, b))
    mine = [a, b, X, *leaves(cotangent), *leaves(out)]
    assert not any(np.may_share_memory(g, other) for g in first for other in mine)
    kept = [g.copy() for g in first]
    for mine_too in (*first, a, b, *leaves(out)):
        if mine_too.flags.writeable:
            mine_too[...] = 100.0
    np.testing.assert_array_equal(pullback(cotangent), kept)
    assert_alike(grad(lambda a, b: sum(np.sum(y) for y in leaves(case(a, b))), (0, 1))(a, b), (a, b))
    tangent, pushforward = linearize(case, a, b)
    once = pushforward(a, b)
    again = pushforward(a, b)
    for one, two in zip(leaves(once), leaves(again)):
        assert not np.may_share_memory(one, two) and not any(np.may_share_memory(one, other) for other in (a, b))
        np.testing.assert_array_equal(one, two)


def leaves(value):
    return value if isinstance(value, list) else [value]


# ---- Results that are no Tensors ------------------------------------------------------------------------------------


@cases({
    "exponents": lambda x: np.frexp(x),
    "places of the first ones": lambda x: np.unique(x, return_index=True, return_inverse=True, return_counts=True),
    "unique_all": lambda x: tuple(np.unique_all(x)),
    "quotients": lambda x: np.divmod(x, 0.75),
})
def test_whole_numbers_among_the_results_belong_to_the_caller(case):
    def f(x, write):
        first, *others = case(x)
        for other in others:
            if write and type(other) is np.ndarray:
                other[...] = 0
        return (first * first).sum()

    np.testing.assert_array_equal(grad(f)(X, True), grad(f)(X, False))


@cases({
    "broadcast_arrays": lambda t, c: np.broadcast_arrays(t, c)[1],
    "broadcast_arrays, the other way": lambda t, c: np.broadcast_arrays(c, t)[0],
    "atleast_1d": lambda t, c: np.atleast_1d(t, c)[1],
    "atleast_2d": lambda t, c: np.atleast_2d(t, c)[1][0],
    "meshgrid": lambda t, c: np.meshgrid(t, c, copy=False, indexing="ij")[1][0],
    "the edges of a histogram": lambda t, c: np.histogram(X, c, weights=t)[1],
    "the edges of histogramdd": lambda t, c: np.histogramdd(X[:, None], [c], weights=t)[1][0],
})
@pytest.mark.parametrize("of", ["array", "Tensor"])
def test_a_constant_among_the_results_is_what_it_is_in_numpy(case, of):
    """It changes with the constant, and what is computed from it has the derivative of what was computed."""

    def f(t, c):
        view = case(t, c)
        before = (t * view).sum()
        c[:] = [0.5, 2.5, 4.5]
        return before + 10.0 * (t * view).sum()

    def gradient(c):
        return grad(lambda t: f(t, c))(X)

    expected = X + 10.0 * np.array([0.5, 2.5, 4.5])
    assert f(X, X.copy()) == (X * expected).sum()
    if of == "array":
        np.testing.assert_array_equal(gradient(X.copy()), expected)
    else:
        value, slope = value_and_grad(lambda c: gradient(c * 1.0).sum())(X)
        assert value == expected.sum()
        np.testing.assert_array_equal(slope, np.ones(3))


# ---- Indices --------------------------------------------------------------------------------------------------------


class Number:
    def __init__(self, n):
        self.n = n

    def __index__(self):
        return self.n


@cases({
    "an array": lambda n: np.array(n),
    "an object": Number,
    "a NumPy integer": np.int64,
})
def test_a_slice_is_what_it_was_when_it_was_taken(case):
    """For the backward pass, and for writing into the view, or into what it is a view of."""
    start, stop = case(0), case(2)

    def f(t):
        t = t * 1.0
        view = t[start:stop]
        for bound in (start, stop):
            if isinstance(bound, np.ndarray):
                bound[...] = 1
            elif isinstance(bound, Number):
                bound.n = 1
        t *= 3.0
        view += 1.0
        return (view * view).sum() + t.sum()

    def g(t):
        t = t * 1.0
        view = t[0:2]
        t *= 3.0
        view += 1.0
        return (view * view).sum() + t.sum()

    np.testing.assert_array_equal(grad(f)(X), grad(g)(X))
    np.testing.assert_array_equal(hvp(g, (X,), (X,)), hvp(g, (X,), (X,)))


def test_objects_that_hold_arrays_are_copied_with_them():
    """An array of objects, and a container in a container."""
    pick = own_primitive2(
        lambda x, c: x * c["c"][0][0].astype(float), x=lambda g, c: g * c["c"][0][0].astype(float), c=None
    )
    inner = np.array([2.0, 3.0, 4.0])
    objects = np.empty(1, object)
    objects[0] = inner

    def f(x):
        y = pick(x, {"c": (objects,)})
        inner[:] = 100.0
        return y.sum()

    np.testing.assert_array_equal(grad(f)(X), [2.0, 3.0, 4.0])


def test_a_read_only_array_is_trusted():
    """It saves a copy in every step of training. The docstring of `to_keep` says when this is wrong."""
    locked = read_only(X.copy())
    view = X.copy()
    before = view[:]
    read_only(view)

    def f(x):
        y = x * view + x * locked
        before[:] = 100.0
        return y.sum()

    np.testing.assert_array_equal(grad(f)(X), 100.0 + X)
    np.testing.assert_array_equal(jacrev(lambda x: x * locked)(X), np.diag(X))
