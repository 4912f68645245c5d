"""What a transform returns goes through pickle, into other processes, and through copy; and it is like a function otherwise."""

import concurrent.futures
import copy
import functools
import inspect
import multiprocessing
import pickle

import numpy as np
import pytest

from linear import dmseloss, linear_model, mseloss
from minigrad import checkpoint, grad, hessian, jacfwd, jacrev, jit, value_and_grad, vjp


def cubes(x, scale=1.0):
    """Add up cubes."""
    return scale * np.sum(x**3)


@grad
def decorated(x):
    return x**2


@checkpoint
def layer(x):
    return np.tanh(x)


class Model:
    def __init__(self, scale):
        self.scale = scale

    def loss(self, w):
        return self.scale * w**2

    slope = grad(loss, argnums=1)


X = np.array([1.0, 2.0])
TRANSFORMS = {
    "grad": grad(cubes),
    "value_and_grad": value_and_grad(cubes),
    "argnums": grad(cubes, argnums=(0, 1)),
    "argnames": grad(cubes, argnames="scale"),
    "jacrev": jacrev(cubes),
    "jacfwd": jacfwd(cubes),
    "hessian": hessian(cubes),
    "checkpoint": checkpoint(cubes),
    "jit": jit(cubes),
    "jit of grad": jit(grad(cubes)),
    "nested": jacrev(grad(cubes)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_comes_back_from_pickle(name):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(TRANSFORMS[name], protocol))
        ours, theirs = TRANSFORMS[name](X, 2.0), again(X, 2.0)
        assert repr(ours) == repr(theirs)
        assert again.__name__ == "cubes" and again.__doc__ == TRANSFORMS[name].__doc__
        assert inspect.signature(again) == inspect.signature(cubes)


def test_of_ufuncs_methods_and_partials():
    assert pickle.loads(pickle.dumps(grad(np.sin)))(0.0) == 1.0
    assert pickle.loads(pickle.dumps(grad(Model(3.0).loss)))(2.0) == 12.0
    assert pickle.loads(pickle.dumps(grad(functools.partial(cubes, scale=2.0))))(3.0) == 54.0


def test_names_of_a_module_keep_their_identity():
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps(layer)) is layer
    assert grad(pickle.loads(pickle.dumps(layer)))(0.0) == 1.0


def test_another_process_computes_with_it():
    x = np.linspace(-1.0, 1.0, 11)
    thetas = [{"w": float(i), "b": 0.5} for i in range(3)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        found = list(pool.map(dmseloss, thetas, [linear_model] * 3, [x] * 3, [2 * x] * 3))
    assert found == [grad(mseloss)(theta, linear_model, x, 2 * x) for theta in thetas]


def test_what_cannot_be_pickled_says_so():
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(grad(lambda x: x))
    with pytest.raises((AttributeError, pickle.PicklingError), match="vjp_fun"):  # it holds a graph
        pickle.dumps(vjp(cubes, X)[1])


def test_copies():
    assert copy.copy(dmseloss).__name__ == copy.deepcopy(dmseloss).__name__ == "mseloss"
    assert copy.deepcopy(grad(lambda x: x**2))(3.0) == 6.0


def test_is_a_method_in_a_class():
    assert Model(3.0).slope(2.0) == 12.0
    assert Model.slope(Model(3.0), 2.0) == 12.0


def test_is_called_by_name_and_shown_by_name():
    assert repr(grad(cubes)) == "<grad of cubes>" and repr(hessian(np.sin)) == "<hessian of sin>"
    assert repr(checkpoint(grad(cubes))) == "<checkpoint of cubes>"
    assert functools.partial(grad(cubes), scale=2.0)(3.0) == 54.0
    assert grad(cubes).__wrapped__ is cubes
    assert inspect.getdoc(grad(cubes)) == "Compute the gradient of cubes with respect to the argument 0.\n\nAdd up cubes."
