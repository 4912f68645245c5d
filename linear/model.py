"""The linear model, its starting parameters, its loss, and the gradient of that loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from minigrad import grad

from .frames import as_array, as_arrays

Model = Callable[[Any, Any], Any]
Loss = Callable[[Any, Model, Any, Any], Any]


def linear_model(theta: Any, x: Any) -> Any:
    """Predict with ``w * x + b``, or with ``x @ w + b`` when ``w`` is a vector or a matrix.

    Parameters
    ----------
    theta : dict with 'w' and 'b', or two values in that order
        A tuple, list, named tuple or array of two does as well. One input: ``w`` and ``b`` are scalars.
        k inputs: ``w`` has shape (k,) and ``b`` is a scalar. k inputs and m outputs: shapes (k, m) and (m,).
    x : array, Series, DataFrame or DataArray
        Shape (n,) when ``w`` is a scalar, otherwise (n, k).

    Returns
    -------
    array
        The predictions, of shape (n,), or (n, m) when there are m outputs.

    Examples
    --------
    >>> linear_model({'w': 2.0, 'b': 1.0}, np.array([0.0, 1.0, 2.0]))
    array([1., 3., 5.])
    >>> linear_model((np.array([1.0, 10.0]), 5.0), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([26., 48.])
    """
    w, b = (theta["w"], theta["b"]) if isinstance(theta, dict) else theta
    if type(x) is not ndarray:
        x = as_array(x)
    return x @ w + b if getattr(w, "ndim", 0) else w * x + b


def initialize_linear_params(n_inputs: int | None = None, n_outputs: int | None = None) -> dict[str, Any]:
    """Draw starting parameters from the standard normal distribution with ``numpy.random.normal``.

    Parameters
    ----------
    n_inputs : int, optional
        The number of columns of ``x``. Left out, there is one input and ``w`` and ``b`` are floats.
    n_outputs : int, optional
        The number of columns of ``y``. Left out, ``y`` has one dimension.

    Returns
    -------
    dict
        'w': a float, or an array of shape (n_inputs,) or (n_inputs, n_outputs).
        'b': a float, or an array of shape (n_outputs,).

    Raises
    ------
    ValueError
        If ``n_outputs`` is given without ``n_inputs``.

    Examples
    --------
    >>> np.random.seed(0)
    >>> initialize_linear_params()
    {'w': 1.764052345967664, 'b': 0.4001572083672233}
    >>> initialize_linear_params(3, 2)['w'].shape
    (3, 2)
    """
    if n_inputs is None and n_outputs is not None:
        raise ValueError("n_outputs needs n_inputs as well: initialize_linear_params(n_inputs, n_outputs)")
    inputs = () if n_inputs is None else (n_inputs,)
    outputs = () if n_outputs is None else (n_outputs,)
    # Without a size, numpy.random.normal returns a Python float.
    return {
        "w": np.random.normal(size=inputs + outputs or None),
        "b": np.random.normal(size=outputs or None),
    }


def mseloss(theta: Any, model: Model, x: Any, y: Any) -> Any:
    """Return the mean of the squared differences between ``model(theta, x)`` and ``y``.

    ``theta`` comes first because ``grad`` differentiates by the first argument. ``grad(mseloss)`` takes the same arguments.

    Parameters
    ----------
    theta : pytree of floats and arrays
        The parameters of the model.
    model : callable
        Takes theta and x and returns the predictions, in the shape of ``y``.
    x : array, Series, DataFrame or DataArray
        What the model predicts from. The model gets an array.
    y : array, Series, DataFrame or DataArray
        What was observed. Its rows belong to the rows of x by position.

    Returns
    -------
    scalar
        The mean over all elements of ``y``.

    Raises
    ------
    ValueError
        If the predictions do not have the shape of ``y``. Broadcasting, say, (n,) against (n, 1) would compare
        every prediction with every observation, and give a wrong answer without a sign of it. Also if x and y have
        labels that differ.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> mseloss({'w': 2.0, 'b': 1.0}, linear_model, x, 2 * x + 4)
    np.float64(9.0)
    >>> print(dmseloss({'w': 2.0, 'b': 1.0}, linear_model, x, 2 * x + 4)['b'])
    -6.0
    """
    if type(x) is not ndarray or type(y) is not ndarray:
        x, y = as_arrays(x, y)
    prediction = model(theta, x)
    if prediction.shape != np.shape(y):
        raise ValueError(
            f"the model predicts shape {prediction.shape} but y has shape {np.shape(y)}; "
            f"reshape y, for example y.reshape({prediction.shape}), or change the shape of w and b"
        )
    difference = prediction - y
    del prediction  # with large data, a step takes half the time when its memory can be used again at once
    return (difference**2).mean()


dmseloss = grad(mseloss)
