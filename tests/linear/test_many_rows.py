"""More rows than memory holds: the triangle of all rows, held against least squares on all rows, and the demo's two passes."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import csv, parquet

from linear import DataError, large_files, many_rows, read_csv
from linear.__main__ import main
from linear.problem import Problem, vector
from linear.statistics import statistics_of

from .test_demo import LONGLEY, environment, rows


RNG = np.random.default_rng(5)
SCALES, CENTERS = np.array([1, 20, 0.01, 3]), np.array([0, 1e4, 5, -2])
X = RNG.normal(size=(10_007, 4)) * SCALES + CENTERS
Y = X @ [1.0, -0.2, 50.0, 0.3] + 4 + RNG.normal(size=len(X))
TABLE = np.column_stack([X, Y])
NAMES = ["c1", "c2", "c3", "c4", "c5"]
CUTS = [10, 4000]  # of the rows between the files
EXACT = np.linalg.lstsq(np.column_stack([X - CENTERS, np.ones(len(X))]), Y)[0]
EXACT[-1] -= EXACT[:-1] @ CENTERS
HERE = many_rows.Workers(many_rows.Here(), lambda count: count, "in this process")


def save_numpy(path, table):
    np.save(path, table)


def save_structured(path, table):
    np.save(path, np.rec.fromarrays(table.T.astype(np.float64), names=NAMES).view(np.ndarray))


def save_fortran(path, table):
    np.save(path, np.asfortranarray(table))


def save_text(path, table):
    csv.write_csv(pyarrow.table(dict(zip(NAMES, table.T))), path)


def save_semicolons(path, table):
    lines = [";".join(f"{value!r}".replace(".", ",") for value in row) for row in table.tolist()]
    path.write_bytes("\r\n".join(["sep=;", "", ";".join(NAMES), *lines]).encode())  # no line break at the end


def save_parquet(path, table):
    parquet.write_table(pyarrow.table(dict(zip(NAMES, table.T))), path, row_group_size=999)


KINDS = {
    "numpy": (save_numpy, "npy"),
    "structured": (save_structured, "npy"),
    "fortran": (save_fortran, "npy"),
    "csv": (save_text, "csv"),
    "semicolons": (save_semicolons, "csv"),
    "parquet": (save_parquet, "parquet"),
}


def save(folder, kind, table=TABLE, cuts=CUTS):
    write, suffix = KINDS[kind]
    for i, piece in enumerate(np.split(table, cuts)):
        write(folder / f"part-{i}.{suffix}", piece)
    return [str(folder / f"part-*.{suffix}")]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts of some thousand rows, and blocks of some hundred."""
    monkeypatch.setattr(large_files, "PART", 5 * 8 * 3000)
    monkeypatch.setattr(large_files, "TEXT_PART", 100_000)
    monkeypatch.setattr(large_files, "START", 1 << 12)
    monkeypatch.setattr(many_rows.parts, "BLOCK", 512)


@pytest.fixture(params=KINDS)
def saved(request, tmp_path):
    return save(tmp_path, request.param)


def test_the_least_squares_answer_of_all_rows(saved):
    found = large_files.rows_of(saved)
    problem, _ = many_rows.first_pass(found, HERE)
    assert len(found.parts) > 4 and problem.rows == len(Y) and len(problem.y) == 6
    np.testing.assert_allclose(problem.in_data_units(problem.best), EXACT, rtol=1e-10)
    np.testing.assert_allclose(problem.x_scale.center, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(problem.x_scale.spread, X.std(axis=0), rtol=1e-12)

    # Not only the minimum: the loss is the same everywhere, and so is its Hessian.
    data = large_files.in_shapes(TABLE, 1)
    whole = Problem.standardised(many_rows.Data(*data, NAMES[:4], NAMES[4]))
    for _ in range(3):
        theta = problem.theta(RNG.normal(size=5))
        over_all = many_rows.standardised_loss(theta, X, Y, x_scale=problem.x_scale, y_scale=problem.y_scale)
        assert problem.loss(theta) == pytest.approx(over_all, rel=1e-14)
    np.testing.assert_allclose(problem.modes[0], whole.modes[0], rtol=1e-10)
    np.testing.assert_allclose(problem.losses_in_data_units(problem.best), whole.losses_in_data_units(whole.best), rtol=1e-11)
    assert 1000 < len(problem.data.y) <= 2010  # rows for the pictures, which are rows of the files
    assert {tuple(row) for row in np.column_stack([problem.data.x, problem.data.y])} <= {tuple(row) for row in TABLE}


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_statistics_are_those_of_all_rows(outputs, tmp_path):
    targets = NAMES[5 - outputs :]
    problem, _ = many_rows.first_pass(large_files.rows_of(save(tmp_path, "csv"), target=targets), HERE)
    whole = Problem.standardised(many_rows.Data(*large_files.in_shapes(TABLE, outputs), NAMES[: 5 - outputs], targets))
    pairs = zip(*(statistics_of(of, of.best) for of in (problem, whole)), strict=True)
    for few, all_rows in pairs:
        np.testing.assert_allclose(few.errors, all_rows.errors, rtol=1e-9)
        np.testing.assert_allclose(few.noise, all_rows.noise, rtol=1e-11)
        assert few.freedom == all_rows.freedom == len(TABLE) - 6 + outputs
        assert few.r_squared == pytest.approx(all_rows.r_squared, rel=1e-11)
        assert few.adjusted_r_squared == pytest.approx(all_rows.adjusted_r_squared, rel=1e-11)


def test_each_row_is_read_once_and_in_order(saved):
    x, y = zip(*(part() for part in large_files.rows_of(saved).parts))
    assert np.array_equal(np.vstack(x), X) and np.array_equal(np.concatenate(y), Y)


@pytest.mark.parametrize("size", range(1, 60))
def test_text_is_cut_at_its_lines(size, tmp_path, monkeypatch):
    monkeypatch.setattr(large_files, "TEXT_PART", size)
    (tmp_path / "t.csv").write_text("a,b\n\n1,2\n3,4.25\n\n-5e3,6\n7,8\n")
    found = large_files.rows_of([str(tmp_path / "t.csv")])
    assert np.vstack([part.columns()[0] for part in found.parts]).tolist() == [[1, 2], [3, 4.25], [-5000, 6], [7, 8]]


def test_as_exact_as_certified_answers(tmp_path):
    """Features that move together, with means far from 0."""
    certified = [15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807,
                 1829.15146461355, -3482258.63459582]  # fmt: skip
    data = read_csv(LONGLEY)
    np.save(tmp_path / "a.npy", np.column_stack([data.x, data.y])[:9])
    np.save(tmp_path / "b.npy", np.column_stack([data.x, data.y])[9:])
    problem, _ = many_rows.first_pass(large_files.rows_of([str(tmp_path / "*.npy")]), HERE)
    np.testing.assert_allclose(problem.in_data_units(problem.best), certified, rtol=1e-10)


def test_means_that_are_far_away(tmp_path):
    """The second pass finds the loss that the first has promised, though a mean is rounded to 4 digits of the spread."""
    away = np.column_stack([X + [0, 1e6, 1e9, 3e12], Y])
    found = large_files.rows_of(save(tmp_path, "numpy", away))
    problem, _ = many_rows.first_pass(found, HERE)
    many_rows.second_pass(problem, problem.theta(np.array([0.3, -2, 1, 0.5, 2])), found, HERE)


@pytest.mark.parametrize("targets, features", [(["c5", "c1"], ["c2", "c4"]), (["c2"], ["c5"]), (["c1", "c3"], ["c4"])])
def test_chosen_columns(targets, features, tmp_path):
    for kind in ("numpy", "csv", "parquet"):
        problem, _ = many_rows.first_pass(large_files.rows_of(save(tmp_path, kind), targets, features), HERE)
        read = read_csv(sorted(tmp_path.glob("*.csv")) or save(tmp_path, "csv"), targets, features)
        whole = Problem.standardised(read)
        assert problem.x.ndim == whole.x.ndim and problem.y.ndim == whole.y.ndim
        np.testing.assert_allclose(problem.in_data_units(problem.best), whole.in_data_units(whole.best), rtol=1e-9)


def test_missing_values_are_refused_or_left_out(tmp_path):
    table = TABLE.copy()
    table[5000:5003, 2] = np.nan
    for kind in KINDS:
        if kind == "semicolons":
            continue  # its writer knows no missing values
        files = save(tmp_path, kind, table)
        with pytest.raises(DataError, match=r"part-2\.\w+, (line|row) 100[12]: the column 'c3' has no value; .* --missing drop"):
            many_rows.first_pass(large_files.rows_of(files), HERE)
        problem, _ = many_rows.first_pass(large_files.rows_of(files, missing="drop"), HERE)
        assert problem.rows == len(Y) - 3 and problem.data.notes[-1] == "left out 3 rows of 10,007 with missing values"
        kept = ~np.isnan(table).any(axis=1)
        np.testing.assert_allclose(problem.x_scale.center, X[kept].mean(axis=0), rtol=1e-14)


TROUBLES = {
    "a text": ("t.csv", "a,b\n1,2\n3,4\n" + "5,6\n" * 5000 + "\n7,x8\n", {}, "line 5005: the column 'b' holds 'x8', and in so many"),
    "a short line": ("t.csv", "a,b\n" + "5,6\n" * 5000 + "7\n", {}, "line 5002: expected 2 values, as in the header, found 1"),
    "infinity": ("t.csv", "a,b\n" + "5,6\n" * 5000 + "1e999,7\n", {}, "line 5002: the column 'a' holds an infinite number"),
    "a text of two lines": ("t.csv", "t,a,b\n" + 'x,5,6\n' * 40_000 + '"p\nq",5,6\n' * 40_000, {"drop": ["t"]}, "a text in quotes goes on"),
    "one row": ("t.csv", "a,b\n1,2\n", {}, "at least 2 rows are needed"),
    "a constant": ("t.csv", "a,b\n7,2\n7,3\n7,5\n", {}, r"the feature 'a' is constant \(7 in every row\)"),
    "a copy": ("t.csv", "a,b,c\n7,14,2\n8,16,3\n9,18,5\n3,6,7\n", {}, "the feature 'b' is a linear combination"),
    "too large": ("t.csv", "a,b\n7,2\n8e200,3\n7,5\n", {}, "the values of column 'a' cannot be squared"),
    "no such column": ("t.csv", "a,b\n1,2\n", {"target": ["c"]}, "has no column 'c', only 'a', 'b'"),
    "categories": ("t.csv", "a,b\n1,2\n", {"categorical": ["a"]}, "--categorical cannot be used with so many rows"),
    "means": ("t.csv", "a,b\n1,2\n", {"missing": "mean"}, "--missing mean cannot be used with so many rows"),
    "UTF-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), {}, "is in UTF-16, which cannot be divided"),
    "more of UTF-16": ("t.csv", ("a,b\n" + "1,2\n" * 5000).encode("utf-16"), {}, "is in UTF-16, which cannot be divided"),
    "a point that may stand between thousands": (
        "t.csv", "a;b\n" + "5;6\n3;1\n" * 3000 + "204.024;7\n5;.\n", {"missing": "drop"},
        r"line 6002: the column 'a' holds '204.024', and no number near it says that a point is a decimal mark; .* --decimal \.$",
    ),
    "gzip": ("t.csv.gz", b"\x1f\x8b\x08", {}, "is compressed, so it cannot be read in parts; unpack it, or"),
    "a spreadsheet": ("t.xlsx", b"PK\x03\x04", {}, "is a spreadsheet, which cannot be read in parts; save it as Parquet"),
    "broken": ("t.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", {}, "cannot be read as an array of NumPy"),
    "broken Parquet": ("t.parquet", b"PAR1abcPAR1", {}, "cannot be read as a Parquet file"),
    "standard input": ("-", "", {}, "standard input cannot be read twice"),
}


@pytest.mark.parametrize("case", TROUBLES.values(), ids=TROUBLES)
def test_what_is_wrong_is_said(case, tmp_path):
    name, content, options, message = case
    if name != "-":
        name = tmp_path / name
        name.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        many_rows.first_pass(large_files.rows_of([str(name)], **options), HERE)


@pytest.mark.parametrize("last, options", [("204.024;7.5", {}), ("204.024;.7", {}), ("204.024;0.024", {}), ("204.024;7", {"decimal": "."})])
def test_a_point_that_is_a_decimal_mark(last, options, tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n" + "5;6\n3;1\n" * 3000 + last + "\n")
    problem, _ = many_rows.first_pass(large_files.rows_of([str(tmp_path / "t.csv")], **options), HERE)
    assert problem.x_scale.center * 6001 == pytest.approx(8 * 3000 + 204.024, rel=1e-12)


def test_arrays_that_are_no_table(tmp_path):
    for array in (np.zeros(3), np.zeros((2, 2, 2)), np.array([["a", "b"]]), np.zeros((2, 2), complex)):
        np.save(tmp_path / "t.npy", array)
        with pytest.raises(DataError, match="expected an array of real numbers with rows and columns"):
            large_files.rows_of([str(tmp_path / "t.npy")])


def test_text_columns_of_parquet(tmp_path):
    parquet.write_table(pyarrow.table({"a": ["x", "y"], "b": [1, 2], "c": [3, 4]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the column 'a' holds values of type string, .* leave it out with --drop a"):
        large_files.rows_of([str(tmp_path / "t.parquet")])
    assert len(large_files.rows_of([str(tmp_path / "t.parquet")], drop=["a"]).parts) == 1


def test_the_index_of_pandas_in_parquet(tmp_path):
    """It is stored behind the other columns, but the last of those is the target."""
    frame = pandas.DataFrame({"a": [1.0, 2, 4], "b": [3.0, 1, 2]}, pandas.Index([5, 6, 9], name="id"))
    frame.to_parquet(tmp_path / "t.parquet")
    rows = large_files.rows_of([str(tmp_path / "t.parquet")])
    assert (rows.choice.features, rows.choice.targets) == (["id", "a"], ["b"])
    x, y = rows.parts[0]()
    np.testing.assert_array_equal(np.c_[x, y], [[5, 1, 3], [6, 2, 1], [9, 4, 2]])
    small = read_csv(tmp_path / "t.parquet")
    np.testing.assert_array_equal(np.c_[small.x, small.y], np.c_[x, y])


def test_when_files_are_read_in_parts(tmp_path, monkeypatch):
    files = [*save(tmp_path, "csv"), *save(tmp_path, "parquet")]
    assert not large_files.are_large(files) and not large_files.are_large(["-"])
    assert large_files.are_large(save(tmp_path, "numpy"))
    monkeypatch.setattr(large_files, "LARGEST_FILE", 100_000)
    assert large_files.are_large(files[:1])


# ---- The demo -------------------------------------------------------------------------------------------------------


def check_output(output, count, tasks):
    """The coefficients, as far as they are printed, and the report of the passes."""
    for i, name in enumerate(["slope of c1", "slope of c2", "slope of c3", "slope of c4", "intercept"]):
        np.testing.assert_allclose(rows(output, name)[-1], EXACT[i], rtol=1e-10)
    assert f": {len(Y):,} rows, c5 from c1, c2, c3, c4\n" in output
    assert re.search(rf"^Pass 1    {count} parts in {tasks} tasks, .+: \d\.\d MB in \d+\.\d\d s$", output, re.MULTILINE)
    assert "\n          The descent runs on 6 rows that have the same loss as all rows\n" in output
    [shown] = re.findall(r"^Pass 2    .* Over all rows, minigrad finds the loss (\S+),$", output, re.MULTILINE)
    assert float(shown) == pytest.approx(rows(output, "mean squared error")[0][0], rel=1e-9)
    [away] = re.findall(r"^ +and the gradient differs by (\S+) from the gradient in the descent$", output, re.MULTILINE)
    assert float(away) < 1e-13


@pytest.mark.parametrize("steps", [0, 3000])
def test_two_passes_at_any_number_of_steps(steps, tmp_path, monkeypatch, capsys):
    files, reads, drawn = save(tmp_path, "numpy"), [], []
    columns = large_files.Part.columns
    monkeypatch.setattr(large_files.Part, "columns", lambda part: reads.append(part) or columns(part))
    monkeypatch.setattr(many_rows.Bar, "draw", lambda bar, done: drawn.append(done) if bar.unit == "parts" else None)
    assert main(["--data", *files, "--steps", str(steps), "--out", str(tmp_path / "pictures")]) == 0
    output = capsys.readouterr().out
    count = len(set(reads))
    # Once in each pass; and the rows of the first and the last part show that the loss is a mean.
    assert len(reads) == 2 * count + 2
    assert drawn == 2 * list(range(1, count + 1))
    if steps:
        check_output(output, count, count)
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir())[0] == "bowl.png"


def test_with_processes(tmp_path):
    save(tmp_path, "parquet")
    done = subprocess.run(
        [sys.executable, "-m", "linear", tmp_path, "--jobs", "2", "--no-pictures"],
        env=environment(), capture_output=True, text=True, timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    check_output(done.stdout, 3, 3)
    assert "3 parts in 3 tasks, 2 processes: " in done.stdout


@pytest.mark.filterwarnings("default")
def test_with_a_cluster(tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    files = save(tmp_path, "csv")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        command = ["--data", *files, "--scheduler", cluster.scheduler_address, "--no-pictures"]
        assert main(command) == 0
    output = capsys.readouterr().out
    assert ", 1 worker of tcp://" in output
    check_output(output, 11, 8)  # no more tasks than 8 for each worker


@pytest.mark.filterwarnings("default")
def test_no_cluster_there(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n2,3\n3,5\n")
    assert main([str(tmp_path / "t.csv"), "--scheduler", "nonsense", "--no-pictures"]) == 2
    assert capsys.readouterr().err == "linear: error: --scheduler: no scheduler of Dask answers at nonsense (ValueError)\n"


def kill_a_worker(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed(tmp_path, monkeypatch, capsys):
    files = save(tmp_path, "numpy")
    monkeypatch.setattr(many_rows, "moments_over", kill_a_worker)
    assert main([*files, "--jobs", "1", "--no-pictures"]) == 2
    assert capsys.readouterr().err.startswith("linear: error: the workers failed (BrokenProcessPool: ")


def test_files_that_change_between_the_passes(tmp_path):
    files = save(tmp_path, "numpy")
    found = large_files.rows_of(files)
    problem, _ = many_rows.first_pass(found, HERE)
    many_rows.second_pass(problem, problem.best, found, HERE)
    table = np.load(tmp_path / "part-1.npy")
    table[7, 4] += 1
    np.save(tmp_path / "part-1.npy", table)
    with pytest.raises(DataError, match="the loss over all rows is .* were the files changed meanwhile?"):
        many_rows.second_pass(problem, problem.best, found, HERE)


def test_parts_are_named_in_errors(tmp_path):
    found = large_files.rows_of(save(tmp_path, "numpy"))
    problem, _ = many_rows.first_pass(found, HERE)
    (tmp_path / "part-1.npy").unlink()
    with pytest.raises(DataError, match=r"^part 1, .*part-1\.npy, rows 1 to 1,995: FileNotFoundError: "):
        many_rows.second_pass(problem, problem.best, found, HERE)
    assert vector(problem.best).shape == (5,)
