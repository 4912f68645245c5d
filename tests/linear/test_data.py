"""Standardising, exact least squares against certified answers, and reading CSV files."""

from pathlib import Path

import numpy as np
import pytest

from linear import DataError, least_squares, linear_model, read_csv, restore, simulate, standardise

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"

LONGLEY = [
    15.0618722713733,
    -0.0358191792925910,
    -2.02022980381683,
    -1.03322686717359,
    -0.0511041056535807,
    1829.15146461355,
]


def test_certified_answer_norris():
    data = read_csv(EXAMPLES / "norris.csv")
    answer = least_squares(data.x, data.y)
    np.testing.assert_allclose(answer["w"], 1.00211681802045, rtol=1e-13)
    np.testing.assert_allclose(answer["b"], -0.262323073774029, rtol=1e-11)
    residual = data.y - linear_model(answer, data.x)
    np.testing.assert_allclose(np.sqrt(residual @ residual / 34), 0.884796396144373, rtol=1e-12)


def test_certified_answer_longley():
    data = read_csv(EXAMPLES / "longley.csv")
    answer = least_squares(data.x, data.y)
    np.testing.assert_allclose(answer["w"], LONGLEY, rtol=1e-11)
    np.testing.assert_allclose(answer["b"], -3482258.63459582, rtol=1e-11)
    residual = data.y - linear_model(answer, data.x)
    np.testing.assert_allclose(np.sqrt(residual @ residual / 9), 304.854073561965, rtol=1e-11)


def test_least_squares_with_several_outputs():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(20, 3)), rng.normal(size=(3, 2)), np.array([100.0, -1e-3])
    answer = least_squares(x, x @ w + b)
    np.testing.assert_allclose(answer["w"], w, rtol=1e-12)
    np.testing.assert_allclose(answer["b"], b, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_least_squares_on_any_scale(scale):
    x = np.array([0.1, 0.2, 0.4, 0.7]) * scale
    answer = least_squares(x, 3 * x + scale)
    np.testing.assert_allclose([answer["w"], answer["b"] / scale], [3, 1], rtol=1e-13)


def test_least_squares_that_is_not_unique():
    x = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    with pytest.raises(ValueError, match="not unique: 3 parameters, but x of shape .3, 2. determines only 2"):
        least_squares(x, x[:, 0])


def test_standardised_columns():
    columns = np.array([[1.0, 1e200, 7.0], [2.0, 2e200, 7.0], [6.0, 3e200, 7.0]])
    z, scale = standardise(columns)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-16)
    np.testing.assert_allclose(z[:, :2].std(axis=0), 1, rtol=1e-15)
    assert not z[:, 2].any()
    np.testing.assert_allclose(scale.center, [3, 2e200, 7], rtol=1e-15)
    np.testing.assert_allclose(scale.spread[:2], [np.sqrt(14 / 3), np.sqrt(2 / 3) * 1e200], rtol=1e-15)


@pytest.mark.parametrize("shape", [(), (3,), (3, 2)])
def test_restore_gives_the_same_predictions(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, size=(10, 3) if shape else 10)
    y = rng.normal(-4, 7, size=(10, *shape[1:]))
    (z, x_scale), (_, y_scale) = standardise(x), standardise(y)
    theta = {"w": rng.normal(size=shape), "b": rng.normal(size=shape[1:])}
    predicted = y_scale.center + y_scale.spread * linear_model(theta, z)
    restored = restore(theta, x_scale, y_scale)
    assert np.shape(restored["w"]) == shape
    np.testing.assert_allclose(linear_model(restored, x), predicted, rtol=1e-13)


def test_simulated_points_lie_around_their_line():
    np.random.seed(0)
    x, y = simulate(100_000, w=3.0, b=-2.0, noise=0.5)
    assert x.min() >= -1 and x.max() <= 3
    answer = least_squares(x, y)
    # Five standard errors.
    np.testing.assert_allclose([answer["w"], answer["b"]], [3, -2], atol=5 * 0.5 * 1.2 / np.sqrt(100_000))
    np.testing.assert_allclose((y - 3 * x + 2).std(), 0.5, rtol=0.02)


def test_columns_are_chosen_by_name(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("name,a,b,c\nfoo,1,2,3\nbar,4,5,6.5\nbaz,0,0,9\n")
    data = read_csv(file, target="a", features=["c"])
    assert (data.target, data.features) == ("a", ["c"])
    np.testing.assert_array_equal(data.x, [3, 6.5, 9])
    np.testing.assert_array_equal(data.y, [1, 4, 0])
    data = read_csv(file, features=["b", "a"])
    assert (data.target, data.features) == ("c", ["b", "a"])
    np.testing.assert_array_equal(data.x, [[2, 1], [5, 4], [0, 0]])


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,2\n2,4.5\n3,5\n",
        b"a,b\r\n1,2\r\n2,4.5\r\n3,5\r\n\r\n\r\n",
        b"\xef\xbb\xbfa,b\n1,2\n2,4.5\n3,5",
        b'"a", b\n 1 ,"2"\n2, 4.5\n   \n+3,5e0\n',
        b"a,b\r1,2\r2,4.5\r3,5\r",
    ],
    ids=["plain", "windows, blank lines at the end", "byte order mark", "quotes and spaces", "old Mac"],
)
def test_every_way_to_write_the_same_file(tmp_path, text):
    file = tmp_path / "t.csv"
    file.write_bytes(text)
    data = read_csv(file)
    assert (data.features, data.target) == (["a"], "b")
    np.testing.assert_array_equal(data.x, [1, 2, 3])
    np.testing.assert_array_equal(data.y, [2, 4.5, 5])


REMEDY = "; leave such rows out with --missing drop, or put in the mean of the column with --missing mean"
BAD = {
    "empty": (b"", " is empty: expected a header line with the names of the columns"),
    "blank": (b"\n\n  \n", " is empty: expected a header line with the names of the columns"),
    "binary": (b"a,b\n\x80\x81\xff\n", " is not a text file in UTF-8 (byte 5 cannot be read); name its encoding with --encoding"),
    "zero byte": (
        b"a,b\n1,\x002\n",
        " is not a text file (it holds a zero byte); if it is UTF-16, say --encoding utf-16-le",
    ),
    "one column": (b"a\n1\n2\n", " has one column, 'a': a target and at least one feature are needed"),
    "no header": (b"1,2\n3,4\n5,7\n", ": the first line must hold the names of the columns, but it holds numbers"),
    "same name twice": (b"a,b,a\n1,2,3\n", ": the header has 2 columns named 'a'; give each a name of its own"),
    "no name": (b",a\n1,2\n", ": no column is left to predict 'a' from"),
    "a title": (
        b"Houses,\na,b\n1,2\n",
        ": of 2 columns, only 'Houses' has a name; if that is a title, delete what stands above the names of the columns",
    ),
    "too many values": (b"a,b\n1,2\n\n3,4,5\n", ", line 4: expected 2 values, as in the header, found 3"),
    "too few values": (b"a,b\n1,2\n3\n", ", line 3: expected 2 values, as in the header, found 1"),
    "open quote": (b'a,b\n1,2\n3,"4\n', ", line 3: unexpected end of data"),
    "text": (
        b"a,b\n1,2\n2,tall\n",
        ", line 3: column 'b' is not numeric, it holds 'tall'; it is the target, so choose another one with --target",
    ),
    "underscore": (
        b"a,b\n1,2\n2,1_000\n",
        ", line 3: column 'b' is not numeric, it holds '1_000'; it is the target, so choose another one with --target",
    ),
    "one missing": (b"a,b\n1,2\n2,\n3,4\n", ": 1 row has missing values; the first is line 3, column 'b'" + REMEDY),
    "many missing": (b"a,b\n1,2\nNA,\n3,null\n4,1\n", ": 2 rows have missing values; the first is line 3, column 'a', which holds 'NA'" + REMEDY),
    "nan": (b"a,b\n1,2\n3,NaN\n", ": 1 row has missing values; the first is line 3, column 'b', which holds 'NaN'" + REMEDY),
    "infinity": (b"a,b\n-inf,2\n3,1\n", ", line 2: column 'a' holds '-inf', which is not a finite number"),
    "too large": (b"a,b\n1,1e999\n3,1\n", ", line 2: column 'b' holds '1e999', which is not a finite number"),
    "too large to square": (
        b"a,b\n1,1e200\n3,1\n",
        ": the values of column 'b' cannot be squared in floating point; rescale them",
    ),
    "too close to square": (
        b"a,b\n0,1\n1e-200,1\n",
        ": the values of column 'a' cannot be squared in floating point; rescale them",
    ),
    "no rows": (
        b"a,b\n",
        ": at least 2 rows are needed for 2 parameters (the intercept and one slope for each feature), "
        "but there are 0",
    ),
    "few rows": (
        b"a,b,c\n1,2,3\n2,5,6\n",
        ": at least 3 rows are needed for 3 parameters (the intercept and one slope for each feature), "
        "but there are 2; name fewer features with --features",
    ),
    "constant": (
        b"a,b,c\n1,2,3\n2,2,6\n3,2,4\n",
        ": the feature 'b' is constant (2 in every row), so its slope cannot be told from the intercept; leave it out with --drop b",
    ),
    "dependent": (
        b"a,b,c,d\n1,2,4,1\n2,0,3,5\n3,7,11,4\n9,1,11,0\n5,5,11,2\n",
        ": the feature 'c' is a linear combination of the features before it, so the slopes are not unique; "
        "leave it out with --drop c",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, message = BAD[name]
    file = tmp_path / "t.csv"
    file.write_bytes(text)
    with pytest.raises(DataError) as info:
        read_csv(file)
    assert str(info.value) == f"{file}{message}"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"target": "height"}, "{file} has no column 'height', only 'Height', 'b', 'c'; did you mean 'Height'?"),
        ({"features": ["b", "xyz"]}, "{file} has no column 'xyz', only 'Height', 'b', 'c'"),
        ({"features": ["b", "b"]}, "the feature 'b' is named twice"),
        ({"features": ["b", "c"]}, "'c' is the target, so it cannot be a feature as well"),
        ({"features": []}, "at least one feature is needed"),
    ],
)
def test_bad_choices_of_columns(tmp_path, choice, message):
    file = tmp_path / "t.csv"
    file.write_text("Height,b,c\n1,2,3\n2,4,7\n3,9,1\n4,4,4\n")
    with pytest.raises(DataError) as info:
        read_csv(file, **choice)
    assert str(info.value) == message.format(file=file)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(DataError) as info:
        read_csv(tmp_path / "none.csv")
    assert str(info.value) == f"{tmp_path / 'none.csv'}: No such file or directory"
    with pytest.raises(DataError) as info:
        read_csv(tmp_path)
    assert str(info.value) == f"{tmp_path}: Is a directory"


def test_a_constant_target_is_a_flat_line(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("a,b\n1,5\n2,5\n4,5\n")
    data = read_csv(file)
    answer = least_squares(data.x, data.y)
    assert (answer["w"], answer["b"]) == (0, 5)
