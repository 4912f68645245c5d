"""The model, its starting parameters, its loss, and the gradient of that loss."""

from collections import namedtuple

import jax
import numpy as np
import pytest

from linear import dmseloss, initialize_linear_params, linear_model, mseloss

jax.config.update("jax_enable_x64", True)

Line = namedtuple("Line", "w b")
X = np.array([-1.0, 0.5, 2.0])


@pytest.mark.parametrize(
    "theta", [{"w": 3.0, "b": 1.0}, {"b": 1.0, "w": 3.0}, (3.0, 1.0), [3.0, 1.0], Line(3.0, 1.0), np.array([3.0, 1.0])]
)
def test_one_input_in_every_kind_of_theta(theta):
    np.testing.assert_array_equal(linear_model(theta, X), [-2.0, 2.5, 7.0])


def test_several_inputs_and_outputs():
    x = np.arange(6.0).reshape(3, 2)
    w = np.array([[1.0, -1.0, 0.5], [2.0, 0.0, 3.0]])
    b = np.array([10.0, 20.0, 30.0])
    expected = [[sum(row[k] * w[k, m] for k in range(2)) + b[m] for m in range(3)] for row in x]
    np.testing.assert_array_equal(linear_model({"w": w, "b": b}, x), expected)
    np.testing.assert_array_equal(linear_model((w[:, 0], 10.0), x), np.array(expected)[:, 0])
    # One input and one output, in matrix form.
    np.testing.assert_array_equal(linear_model({"w": np.array([[2.0]]), "b": np.ones(1)}, x[:, :1]), 2 * x[:, :1] + 1)


def test_scalars_of_every_kind_mean_one_input():
    for w in (2.0, np.float32(2), np.array(2.0)):
        np.testing.assert_array_equal(linear_model({"w": w, "b": 1.0}, X), 2 * X + 1)


def test_initial_parameters_come_from_numpys_global_state():
    np.random.seed(7)
    drawn = np.random.normal(size=2)
    np.random.seed(7)
    theta = initialize_linear_params()
    assert theta == {"w": drawn[0], "b": drawn[1]}
    assert [type(value) for value in theta.values()] == [float, float]


def test_shapes_of_initial_parameters():
    assert {k: np.shape(v) for k, v in initialize_linear_params(3).items()} == {"w": (3,), "b": ()}
    assert {k: np.shape(v) for k, v in initialize_linear_params(3, 2).items()} == {"w": (3, 2), "b": (2,)}
    assert {k: np.shape(v) for k, v in initialize_linear_params(1, 1).items()} == {"w": (1, 1), "b": (1,)}
    with pytest.raises(ValueError, match="n_outputs needs n_inputs"):
        initialize_linear_params(n_outputs=2)


def test_loss_is_the_mean_over_all_elements():
    assert mseloss({"w": 1.0, "b": 0.0}, linear_model, X, X + [1.0, 2.0, 4.0]) == (1 + 4 + 16) / 3
    x = np.eye(2)
    y = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert mseloss({"w": np.zeros((2, 3)), "b": np.zeros(3)}, linear_model, x, y) == 91 / 6


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError) as info:
        mseloss({"w": np.ones((1, 1)), "b": np.ones(1)}, linear_model, X[:, None], X)
    assert str(info.value) == (
        "the model predicts shape (3, 1) but y has shape (3,); "
        "reshape y, for example np.reshape(y, (3, 1)), or change the shape of w and b"
    )
    with pytest.raises(ValueError, match=r"predicts shape \(3,\) but y has shape \(3, 1\)"):
        dmseloss({"w": 1.0, "b": 1.0}, linear_model, X, X[:, None])


@pytest.mark.parametrize(
    ("theta", "x", "y"),
    [
        ({"w": 0.3, "b": -0.2}, X, X**2),
        ((0.3, -0.2), X, X**2),
        (np.array([0.3, -0.2]), X, X**2),
        ({"w": np.array([0.3, 0.1]), "b": 0.7}, np.arange(6.0).reshape(3, 2), X),
        ({"w": np.ones((2, 2)), "b": np.zeros(2)}, np.arange(6.0).reshape(3, 2), np.ones((3, 2))),
    ],
)
def test_gradient_equals_that_of_jax(theta, x, y):
    expected = jax.grad(mseloss)(theta, linear_model, x, y)
    ours = dmseloss(theta, linear_model, x, y)
    assert type(ours) is type(theta)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15), ours, expected)
