"""A line goes into a file, and comes back to predict; what does not fit is refused in one line."""

import csv
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest

from linear import read_csv

from linear.__main__ import main
from linear.problem import Problem
from linear.reading import Data
from linear.saved import Model

HOUSES = """id,area,rooms,region,sold,price
1,50,2,east,2024-01-10,151.5
2,60,2,north,2024-01-05,190.25
3,80,3,east,2024-02-01,240
4,95,4,west,2024-03-20,330
5,70,3,north,2024-02-15,230
6,110,5,west,2024-04-01,371.5
7,65,2,east,2024-03-01,199
8,120,5,north,2024-01-31,381
"""
FIT = ["--drop", "id", "--categorical", "region", "--dates", "sold", "--no-pictures", "--method", "newton"]


def run(folder, *arguments):
    """The command in a folder: its exit status, standard output and standard error."""
    before, output, errors = os.getcwd(), io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
            patch.setitem(sys.modules, "jax", None)  # it takes long to load
            status = main([str(argument) for argument in arguments])
    finally:
        os.chdir(before)
    return status, output.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a file, the line that was fitted to it, and its predictions by hand."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "houses.csv").write_text(HOUSES)
    status, output, errors = run(folder, "houses.csv", *FIT, "--save", "model.json")
    assert (status, errors) == (0, "")
    assert output.endswith("Saved     the learned line in model.json; --predict FILE --model model.json uses it\n")
    data = read_csv(folder / "houses.csv", drop=["id"], categorical=["region"], dates=["sold"])
    design = np.column_stack([data.x, np.ones(8)])
    return folder, design @ np.linalg.lstsq(design, data.y)[0]


def predicted(folder, text, *arguments, name="new.csv"):
    (folder / name).write_text(text)
    status, output, errors = run(folder, "--predict", name, "--model", "model.json", *arguments)
    assert status == 0, errors
    header, *rows = csv.reader(io.StringIO(output))
    assert header == ["price"]
    return np.array([float(row[0]) if row[0] else np.nan for row in rows]), errors


def test_one_feature_beside_an_index_without_a_name(tmp_path):
    """As pandas writes them. The only name is not a title."""
    (tmp_path / "old.csv").write_text(",x,y\n0,1,3\n1,2,5\n2,4,9\n")
    (tmp_path / "new.csv").write_text(",x\n0,10\n1,-0.5\n")
    assert run(tmp_path, "old.csv", "--no-pictures", "--method", "newton", "--save", "model.json")[0] == 0
    status, output, errors = run(tmp_path, "--predict", "new.csv", "--model", "model.json")
    assert status == 0, errors
    assert output.startswith("y\n")
    np.testing.assert_allclose([float(line) for line in output.split()[1:]], [21, 0], rtol=1e-12, atol=1e-12)


def test_predicts_what_the_line_predicts(saved):
    folder, expected = saved
    found, errors = predicted(folder, HOUSES)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert "'sold' becomes days since 2024-01-05" in errors
    header_and_last = "".join(HOUSES.splitlines(True)[i] for i in (0, -1))
    found, errors = predicted(folder, header_and_last)
    np.testing.assert_allclose(found, expected[-1:], rtol=1e-11)
    assert "'sold' becomes days since 2024-01-05" in errors  # which is not a date of this file


def test_other_order_more_columns_and_fewer_rows(saved):
    folder, expected = saved
    rows = list(csv.reader(io.StringIO(HOUSES)))
    order = [3, 4, 2, 1, 0]  # without the price
    text = "\n".join(",".join([*(row[i] for i in order), "x"]) for row in [rows[0], rows[4], rows[6]]) + "\n"
    found, _ = predicted(folder, text)
    np.testing.assert_allclose(found, expected[[3, 5]], rtol=1e-11)  # the first date is another one here


def test_files_that_are_written_in_other_ways(saved):
    folder, expected = saved
    text = "area;rooms;region;sold\n50,0;2;east;10.01.2024\n"
    found, errors = predicted(folder, text)
    np.testing.assert_allclose(found, expected[:1], rtol=1e-11)
    assert "semicolons" in errors
    found, _ = predicted(folder, text.replace("10.01", "01.10"), "--delimiter", ";", "--date-format", "%m.%d.%Y")
    np.testing.assert_allclose(found, expected[:1], rtol=1e-11)


def test_missing_values(saved):
    folder, expected = saved
    text = "area,rooms,region,sold\n50,2,east,2024-01-10\n60,,north,2024-01-05\n80,3,,2024-02-01\n"
    (folder / "new.csv").write_text(text)
    status, output, errors = run(folder, "--predict", "new.csv", "--model", "model.json")
    assert (status, output) == (2, "") and "new.csv: 2 rows have missing values; the first is line 3, column 'rooms'" in errors
    found, errors = predicted(folder, text, "--missing", "drop")
    np.testing.assert_allclose(found, [expected[0], np.nan, np.nan], rtol=1e-11)
    assert "no prediction for 2 of 3 rows, which have missing values" in errors
    found, errors = predicted(folder, text, "--missing", "mean")
    assert "put the mean of the data of the model in the place of 2 missing values" in errors
    assert np.isfinite(found).all()
    with_mean = text.replace("60,,", "60,3.25,").splitlines(True)[:3]  # the mean of the file that was fitted
    np.testing.assert_allclose(found[:2], predicted(folder, "".join(with_mean))[0], rtol=1e-12)


def test_several_targets(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,z\n1,2,5\n2,3,1\n3,5,0\n")
    assert run(tmp_path, "t.csv", "--target", "z,y", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    status, output, _ = run(tmp_path, "--predict", "t.csv", "--model", "m.json")
    header, *rows = csv.reader(io.StringIO(output))
    assert header == ["z", "y"]
    np.testing.assert_allclose(np.array(rows, float), [[4.5, 11 / 6], [2, 10 / 3], [-0.5, 29 / 6]], rtol=1e-12)


def test_one_feature(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,3\n2,5\n3,8\n")
    assert run(tmp_path, "t.csv", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    (tmp_path / "new.csv").write_text("x\n0\n10\n")
    status, output, errors = run(tmp_path, "--predict", "new.csv", "--model", "m.json")
    assert (status, errors) == (0, "")
    np.testing.assert_allclose(list(map(float, output.split()[1:])), [1 / 3, 25 + 1 / 3], rtol=1e-12)


def test_units_are_saved_and_have_to_fit(tmp_path):
    text = "share,price,income\n" + "".join(f"{i}%,{p} €,{3 * i + p}\n" for i, p in enumerate([5, 3, 8, 1]))
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert run(tmp_path, "t.csv", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["units"] == {"share": "%", "price": "€"}
    for row, message in {
        "2%,3 €": None,
        "2%,3": None,
        "0.02,3 €": "the numbers of column 'share' are without a unit, but the line was fitted to numbers in %",
        "2%,$3": "the numbers of column 'price' are in $, but the line was fitted to numbers in €",
    }.items():
        (tmp_path / "new.csv").write_text(f"share,price\n{row}\n", encoding="utf-8")
        status, output, errors = run(tmp_path, "--predict", "new.csv", "--model", "m.json")
        if message is None:
            np.testing.assert_allclose(float(output.split()[1]), 9, rtol=1e-12)
        else:
            assert (status, output, errors) == (2, "", f"linear: error: new.csv: {message}\n")


def test_a_target_of_dates(tmp_path):
    (tmp_path / "t.csv").write_text("a,when\n1,2024-01-01\n2,2024-01-03\n3,2024-01-05\n")
    assert run(tmp_path, "t.csv", "--dates", "when", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    status, output, errors = run(tmp_path, "--predict", "t.csv", "--model", "m.json")
    assert (status, errors) == (0, "")
    np.testing.assert_allclose(np.array(output.split()[1:], float), [0, 2, 4], atol=1e-12)  # days since the first of the fit


def test_a_column_that_is_named_as_a_category_would_be(tmp_path):
    (tmp_path / "t.csv").write_text("r,r=c,y\na,1,3\nb,2,4\na,5,9\nb,3,7\n")
    assert run(tmp_path, "t.csv", "--categorical", "r", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    assert run(tmp_path, "--predict", "t.csv", "--model", "m.json")[::2] == (0, "")


def test_the_means_of_a_file_in_parts_are_those_of_all_its_rows(tmp_path):
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(20_000, 3)) + [5.0, 6.0, 7.0]
    np.save(tmp_path / "t.npy", columns)
    assert run(tmp_path, "t.npy", "--no-pictures", "--method", "newton", "--save", "m.json")[0] == 0
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["rows"] == 20_000
    np.testing.assert_allclose([*content["means"].values()], columns[:, :2].mean(axis=0), rtol=1e-12)


def test_a_source_whose_name_is_no_text(tmp_path):
    problem = Problem.standardised(Data(np.arange(3.0), np.array([1.0, 2, 4]), ["x"], "y", "\udcff.csv"))
    Model.of(problem, problem.best, "least squares").save(tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["source"] == "\udcff.csv"
    assert Model.load(tmp_path / "m.json").features == ["x"]


def test_what_is_in_the_file(saved):
    content = json.loads((saved[0] / "model.json").read_text())
    assert content["source"] == "houses.csv" and content["rows"] == 8 and content["found by"] == "Newton's method"
    assert list(content["lines"]["price"]["slopes"]) == ["area", "rooms", "region=north", "region=west", "sold"]
    assert content["categories"] == {"region": ["east", "north", "west"]}
    assert content["first dates"] == {"sold": "2024-01-05T00:00:00"}


def test_where_the_descent_has_not_converged_the_least_squares_line_is_saved(tmp_path):
    (tmp_path / "houses.csv").write_text(HOUSES)
    output = run(tmp_path, "houses.csv", *FIT[:-2], "--steps", 10, "--save", "m.json")[1]
    assert "Saved     the least-squares line" in output
    assert json.loads((tmp_path / "m.json").read_text())["found by"] == "least squares"


@pytest.mark.parametrize("new, message", [
    ("area,region,sold\n1,east,2024-01-01\n", "new.csv has no column 'rooms', only 'area', 'region', 'sold'"),
    ("area\n1\n", "new.csv has no column 'rooms', 'sold', 'region', only 'area'"),
    ("area,rooms,region,sold\n1,2,south,2024-01-01\n",
     "new.csv, line 2: column 'region' holds 'south', and the model knows only 'east', 'north', 'west'"),
    ("area,rooms,region,sold\n1,two,east,2024-01-01\n", "new.csv, line 2: column 'rooms' is not numeric, it holds 'two'\n"),
    ("area,rooms,region,sold\n1,2,east,spring\n", "new.csv, line 2: column 'sold' holds 'spring'"),
    ("area,rooms,region,sold\n1e308,2,east,2024-01-01\n", "new.csv, line 2: the values are too large to predict from"),
])
def test_files_that_do_not_fit(saved, new, message):
    (saved[0] / "new.csv").write_text(new)
    status, output, errors = run(saved[0], "--predict", "new.csv", "--model", "model.json")
    assert (status, output) == (2, "")
    assert errors.startswith(f"linear: error: {message}") and errors.count("\n") == 1


def damaged(change):
    def text(content):
        change(content)
        return json.dumps(content)
    return text


@pytest.mark.parametrize("text, message", [
    (lambda content: "a,b\n1,2\n", "bad.json is not a model that --save wrote"),
    (lambda content: "[1]", "bad.json is not a model that --save wrote"),
    (lambda content: "{}", "bad.json is not a model that --save wrote"),
    (damaged(lambda c: c.update(version=1)), "bad.json is a model of version 1, and this program reads version 2"),
    (damaged(lambda c: c.pop("lines")), "bad.json is damaged: KeyError: 'lines'"),
    (damaged(lambda c: c["lines"]["price"]["slopes"].pop("area")), "bad.json is damaged: KeyError: 'area'"),
    (damaged(lambda c: c["lines"]["price"].update(intercept="much")), "bad.json is damaged: ValueError"),
    (damaged(lambda c: c["means"].update(area=float("nan"))), "bad.json is damaged: it lacks numbers"),
    (damaged(lambda c: c.update(lines={})), "bad.json is damaged: it lacks numbers"),
    (lambda content: json.dumps(content).replace('"sold": ', '"solid": ', 2), "houses.csv has no column 'solid'"),
    (damaged(lambda c: c["categories"].update(region=["east", "north", "south"])), "bad.json is damaged: the categories of 'region' do not"),
])
def test_models_that_are_none(saved, text, message):
    folder = saved[0]
    (folder / "bad.json").write_text(text(json.loads((folder / "model.json").read_text())))
    status, output, errors = run(folder, "--predict", "houses.csv", "--model", "bad.json")
    assert (status, output) == (2, "")
    assert errors.startswith(f"linear: error: {message}") and errors.count("\n") == 1


@pytest.mark.parametrize("arguments, message", [
    ("--predict houses.csv", "--predict NEW.csv and --model MODEL.json need each other"),
    ("houses.csv --model model.json", "--predict NEW.csv and --model MODEL.json need each other"),
    ("--predict houses.csv --model model.json --target price", "--target: with --predict nothing is fitted"),
    ("--predict houses.csv --model model.json --data houses.csv", "--data: with --predict nothing is fitted"),
    ("--predict houses.csv --model model.json --steps 5", "--steps: with --predict nothing is fitted"),
    ("--predict houses.csv --model model.json --save other.json", "--save: with --predict nothing is fitted"),
    ("--predict houses.csv --model none.json", "none.json: No such file or directory"),
    ("--predict none.csv --model model.json", "none.csv: No such file or directory"),
    ("houses.csv --drop id,region,sold --save model.json", "--save: model.json exists already, and is not overwritten"),
    ("houses.csv --drop id,region,sold --save none/model.json", "--save: there is no folder none"),
    (f"houses.csv --drop id,region,sold --save {'x' * 300}", f"--save: {'x' * 57}...: "),
    *([("houses.csv --drop id,region,sold --save /proc/m.json", "--save: /proc cannot be written to")] if os.path.isdir("/proc") else []),
    ("--save m.json --learning-rate 9 --diverge", "--save: with --diverge, there is no line to save"),
])
def test_options_that_contradict_each_other(saved, arguments, message):
    before = sorted(os.listdir(saved[0]))
    status, output, errors = run(saved[0], *arguments.split())
    assert (status, output) == (2, "")
    assert errors.startswith(f"linear: error: {message}") and errors.count("\n") == 1
    assert sorted(os.listdir(saved[0])) == before
