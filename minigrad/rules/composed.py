"""Derivatives of functions that are made of others: NumPy computes the value, and a composition has the derivative.

Where a function is a short program in terms of others, that program is the best way to say what its derivative is. It
runs in the backward pass, and is differentiated there.
"""

import inspect
from functools import cached_property

import numpy as np

from ..engine import Level, backward, defvjp, fit


def unused(g):
    """Whether a cotangent is all zeros, of a result that was not used. (What is traced may change, and is used.)"""
    return type(g) is np.ndarray and not g.any()


def through(composition, x, g):
    """Return the cotangent of x, from that of ``composition(x)``. Either may be a list of arrays."""
    from ..tensor import Tensor, node_of, recorded  # which are made with the rules

    several = isinstance(x, (list, tuple))
    level = Level()
    leaves = [
        recorded(value, level) if np.result_type(value).kind in "fc" else value
        for value in (x if several else [x])
    ]
    try:
        y = composition(leaves if several else leaves[0])
    finally:
        level.close()
    if isinstance(y, (list, tuple)):
        root = node_of([0.0 if unused(one) else value for value, one in zip(y, g)], level)
    else:
        root = y.node if type(y) is Tensor and y.level is level else None
        g = g if root is None else fit(g, root.shape, root.dtype)
    found = {} if root is None else backward(root, g)
    shares = [found.get(leaf.node, _zeros(leaf)) if type(leaf) is Tensor else None for leaf in leaves]
    return shares if several else shares[0]


def _zeros(leaf):
    return np.zeros(leaf.shape, leaf.dtype) if leaf.shape else 0.0


class Composed:
    """The VJP for one argument of a function, by way of a composition that takes the same arguments.

    It keeps that argument, and those for which the composition has no default; the others are keywords it honours.
    """

    def __init__(self, composition, name):
        self.composition = composition
        self.name = name

    @cached_property
    def __signature__(self):
        given = inspect.signature(self.composition).parameters.values()
        kept = [p.replace(default=p.empty) for p in given if p.default is p.empty or p.name == self.name]
        keywords = [p for p in given if p.default is not p.empty and p.name != self.name]
        g = inspect.Parameter("g", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return inspect.Signature([g, *kept, *keywords])

    @cached_property
    def _names(self):
        return list(self.__signature__.parameters)[1:]

    def __call__(self, g, *residuals, **keywords):
        arguments = dict(zip(self._names, residuals)) | keywords

        def of_argument(x):
            return self.composition(**{**arguments, self.name: x})

        return through(of_argument, arguments[self.name], g)


def defcomposed(fun, composition, *names):
    """Define the derivative of a function with respect to some arguments as that of a composition."""
    defvjp(fun, **{name: Composed(composition, name) for name in names})
