"""Tables of pandas and xarray as x and y: taken as arrays, by position."""

import functools

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from linear import dmseloss, largest_stable_rate, linear_model, model_optimization_loop, mseloss
from minigrad import grad, value_and_grad

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2))
Y = X @ [2.0, -1.0] + 0.5
THETA = {"w": np.array([0.1, 0.2]), "b": 0.3}
FRAME, SERIES = pd.DataFrame(X, columns=["area", "rooms"]), pd.Series(Y, name="price")
TABLES = {
    "pandas": (FRAME, SERIES),
    "x only": (FRAME, Y),
    "y only": (X, SERIES),
    "an index": (FRAME.set_index(np.arange(20) * 10), SERIES.set_axis(np.arange(20) * 10)),
    "nullable": (FRAME.convert_dtypes(), SERIES.convert_dtypes()),
    "mixed types": (FRAME.astype({"area": object}), SERIES),
    "xarray": (xr.DataArray(X, dims=("house", "what")), xr.DataArray(Y, dims="house")),
    "xarray with labels": (
        xr.DataArray(X, {"house": np.arange(20)}, ("house", "what")), xr.DataArray(Y, {"house": np.arange(20)}, ("house",))
    ),
    "both libraries": (FRAME, xr.DataArray(Y, {"house": np.arange(20)}, ("house",))),
}


@pytest.mark.parametrize("name", TABLES)
def test_results_are_those_of_the_arrays(name):
    x, y = TABLES[name]
    assert mseloss(THETA, linear_model, x, y) == pytest.approx(mseloss(THETA, linear_model, X, Y), rel=1e-14)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-13)
    predicted = linear_model(THETA, x)
    assert type(predicted) is np.ndarray
    close(predicted, linear_model(THETA, X))
    ours, expected = dmseloss(THETA, linear_model, x, y), dmseloss(THETA, linear_model, X, Y)
    close(ours["w"], expected["w"])
    close(largest_stable_rate(THETA, linear_model, mseloss, x, y), largest_stable_rate(THETA, linear_model, mseloss, X, Y))
    losses, theta = model_optimization_loop(THETA, linear_model, mseloss, x, y, 50, 0.1)
    expected_losses, expected = model_optimization_loop(THETA, linear_model, mseloss, X, Y, 50, 0.1)
    close(losses, expected_losses, rtol=1e-10)
    close(theta["w"], expected["w"])


def test_one_feature_and_several_targets():
    line = {"w": 2.0, "b": 1.0}
    assert mseloss(line, linear_model, FRAME["area"], SERIES) == mseloss(line, linear_model, X[:, 0], Y)
    matrix = {"w": np.ones((2, 2)), "b": np.zeros(2)}
    assert mseloss(matrix, linear_model, FRAME, FRAME) == mseloss(matrix, linear_model, X, X)


def test_float32_and_integers_keep_their_dtypes():
    assert linear_model({"w": np.ones(2, np.float32), "b": 0.0}, FRAME.astype(np.float32)).dtype == np.float32
    assert linear_model({"w": 2.0, "b": 1.0}, pd.Series([1, 2])).tolist() == [3.0, 5.0]


def test_a_model_and_a_loss_of_the_user_get_arrays():
    def model(theta, x):
        assert type(x) is np.ndarray
        return x @ theta

    assert grad(mseloss)(np.ones(2), model, FRAME, SERIES).shape == (2,)

    def loss(theta, model, x, y):
        assert type(x) is type(y) is np.ndarray
        return ((model(theta, x) - y) ** 2).sum()

    model_optimization_loop(np.ones(2), model, loss, FRAME, SERIES, 3)
    assert value_and_grad(mseloss)(np.ones(2), model, FRAME, SERIES)[0] > 0


@pytest.mark.parametrize("call", [
    lambda x, y: mseloss(THETA, linear_model, x, y),
    lambda x, y: dmseloss(THETA, linear_model, x, y),
    lambda x, y: model_optimization_loop(THETA, linear_model, mseloss, x, y, 1),
    lambda x, y: largest_stable_rate(THETA, linear_model, mseloss, x, y),
])
def test_another_order_of_the_rows_is_refused_by_name(call):
    order = [0, 2, 1, *range(3, 20)]
    with pytest.raises(ValueError, match=(
        r"the DataFrame 'area', 'rooms' \(x\) and the Series 'price' \(y\) have different indices: in row 1, 1 and 2\. "
        r"Rows are paired by position\..*y = y\.loc\[x\.index\]"
    )):
        call(FRAME, SERIES.iloc[order])
    call(FRAME, SERIES.iloc[order].loc[FRAME.index])  # the remedy


def test_other_differences_of_the_index():
    with pytest.raises(ValueError, match=r"in row 19, 19 and nothing"):
        mseloss(THETA, linear_model, FRAME, SERIES.iloc[:19])
    with pytest.raises(ValueError, match=r"the DataArray \(x\) and the Series 'price' \(y\).*in row 0, 5 and 0"):
        mseloss(THETA, linear_model, xr.DataArray(X, {"house": np.arange(5, 25)}, ("house", "what")), SERIES)
    x, y = (xr.DataArray(X, {"house": np.arange(20)}, ("house", "what")), SERIES.rename_axis("house").to_xarray())
    with pytest.raises(ValueError, match=r"with y = y\.reindex_like\(x\), or"):
        mseloss(THETA, linear_model, x, y[::-1])
    assert mseloss(THETA, linear_model, x, y[::-1].reindex_like(x)) == mseloss(THETA, linear_model, FRAME, SERIES)  # the remedy


def test_values_that_are_no_numbers_are_refused_by_name():
    with pytest.raises(TypeError, match=r"the DataFrame 'area', 'rooms' \(x\) holds values that are not numbers: the text 'many'$"):
        mseloss(THETA, linear_model, FRAME.assign(rooms="many"), SERIES)
    with pytest.raises(TypeError, match=r"the Series 'price' \(y\) holds values that are not numbers, of dtype datetime64"):
        mseloss(THETA, linear_model, X, pd.Series(pd.date_range("2020", periods=20), name="price"))
    with pytest.raises(TypeError, match="the text '1_000'$"):  # which Python would read as 1000
        mseloss(THETA, linear_model, X, pd.Series(["1_000"] * 20))
    gap = SERIES.astype(object).where(SERIES > 0, pd.NA)
    with pytest.raises(TypeError, match=r"the Series 'price' \(y\) holds values that are not numbers: .*NA"):
        model_optimization_loop(THETA, linear_model, mseloss, X, gap, 1)
