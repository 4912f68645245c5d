"""The demo when something around it goes wrong: a status that is not zero, one clear line, and nothing half done."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from linear import DataError, __main__, read_csv
from linear.signals import answered_by, finish_first

from .test_demo import PICTURES, QUICK_COMMAND, demo, environment, png_files, succeed

SHORT = ["--steps", "5", "--no-pictures"]


def fail(folder, *arguments, status=2, **options):
    """Run the demo, which must fail with one line on standard error; return what it says there."""
    found, _, errors = demo(folder, *arguments, **{"command": QUICK_COMMAND, **options})
    assert errors.endswith("\n") and errors.count("\n") == 1
    assert found == status, errors
    return errors.removeprefix("linear: ")[:-1]


def in_shell(redirection, *arguments, **variables):
    """Run the demo as a shell does, with its streams redirected; return the status and what the streams hold."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *QUICK_COMMAND, *arguments]
    done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout, done.stderr


BUFFERED = {"PYTHONUNBUFFERED": ""}
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


# ---- Standard output and standard error -----------------------------------------------------------------------------

CLOSED = "linear: error: the output cannot be written: standard output is closed\n"
READ_ONLY = "linear: error: the output cannot be written: Bad file descriptor\n"
FULL = "linear: error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [SHORT, ["--help"]], ids=["fit", "help"])
@pytest.mark.parametrize(
    ("redirection", "variables", "message"),
    [
        (">&-", BUFFERED, CLOSED),
        (">&- <&-", BUFFERED, CLOSED),
        (">&- 2>&-", BUFFERED, ""),
        (">/dev/full", BUFFERED, FULL),
        (">/dev/full", UNBUFFERED, FULL),
        (">/dev/full 2>/dev/full", BUFFERED, ""),
        ("1</dev/null", BUFFERED, READ_ONLY),
    ],
)
def test_output_that_cannot_be_written(redirection, variables, message, arguments):
    assert in_shell(redirection, *arguments, **variables) == (2, "", message)


@pytest.mark.parametrize("redirection", ["2>&-", "2>&- <&-", "2>/dev/full"])
def test_errors_that_cannot_be_written(redirection):
    assert in_shell(redirection, "--steps", "-1") == (2, "", "")
    status, output, errors = in_shell(redirection, *SHORT)
    assert (status, errors) == (0, "") and output.startswith("Data ")


@pytest.mark.parametrize("variables", [BUFFERED, UNBUFFERED])
@pytest.mark.parametrize("arguments", [["--help"], SHORT])
def test_a_reader_that_never_reads(arguments, variables):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*QUICK_COMMAND, *arguments], env=environment(**variables), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_that_steers_the_terminal_is_printed(tmp_path):
    evil = "\x1b[2J\x07\x9b31m\u202e\r\n\x7f"
    (tmp_path / f"{evil}.csv").write_bytes(f'"a{evil}","b{evil}"\n1,2\n2,4.5\n3,5\n'.encode())
    file = tmp_path / f"{evil}.csv"
    output = succeed(tmp_path, "--data", file, "--out", f"o{evil}")
    escaped = r"\x1b[2J\x07\x9b31m\u202e\r\n\x7f"
    in_a_name = escaped.replace(r"\r\n", " ")  # a line break in a name becomes a space
    assert f"slope of a{in_a_name} " in output and f"b{in_a_name} from a{in_a_name}\n" in output
    assert f"o{escaped}/loss.png" in output
    assert png_files(tmp_path / f"o{evil}") == PICTURES
    errors = [
        fail(tmp_path, "--data", file, "--target", evil),
        fail(tmp_path, "--data", f"{evil}.csv", "--features", f'"a{evil}","a{evil}"'),
        fail(tmp_path, "--data", f"none{evil}"),
        fail(tmp_path, f"--{evil}"),
        fail(tmp_path, "--steps", evil),
        fail(tmp_path, "--out", f"{file}/x"),
    ]
    (tmp_path / f"{evil}.csv").write_bytes(f'"a{evil}",b\n1,{evil[:-3]}\n'.encode())
    errors.append(fail(tmp_path, "--data", file))
    assert all(r"\x1b[2J\x07\x9b31m\u202e" in error for error in errors)
    assert re.search("[^ -~\n]", output + "".join(errors)) is None


# ---- Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "file"),
    [
        (":", "/dev/zero"),
        (":", "/dev/urandom"),
        ("yes 1,2", "/dev/stdin"),
        ("yes 1, | tr -d '\\n'", "/dev/stdin"),
    ],
    ids=["zeros", "random bytes", "lines", "a line"],
)
def test_a_file_without_end(tmp_path, source, file):
    command = ["sh", "-c", f'{source} | "$@"', "sh", *QUICK_COMMAND]
    assert fail(tmp_path, "--data", file, command=command) == f"error: {file} is larger than 100 MB, the most that is read"


def test_a_file_for_which_there_is_not_enough_memory(tmp_path):
    """More memory than that of a process which has done its imports is not allowed."""
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 1_000_000)
    limit = (
        "import resource, sys; sys.modules['jax'] = None\n"
        "from linear.__main__ import main\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000,) * 2)\n"
        "sys.exit(main())"
    )
    command = [sys.executable, "-c", limit]
    assert fail(tmp_path, "--data", "t.csv", "--no-pictures", command=command) == "error: there is not enough memory"


def test_many_columns_take_no_longer_than_their_number(tmp_path):
    names = [f"c{i}" for i in range(100_000)]
    lines = [names, ["1"] * len(names), ["2"] * len(names)]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(map(",".join, lines)))
    began = time.process_time()
    with pytest.raises(DataError, match="at least 100000 rows are needed"):
        read_csv(file)
    with pytest.raises(DataError, match="has no column 'c', only 'c0', .* 'c19', ...; did you mean"):
        read_csv(file, features=["c"])
    np.testing.assert_array_equal(read_csv(file, target="c9", features=["c99999"]).y, [1, 2])
    file.write_text("\n".join(map(",".join, [[*names, "c0"], *lines[1:]])))
    with pytest.raises(DataError, match="the header has 2 columns named 'c0'"):
        read_csv(file)
    assert time.process_time() - began < 20  # it takes one second; compared one by one, the names took a quarter of an hour


def test_the_first_dependent_feature_among_many(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 250))
    x[:, 200] = x[:, :3].sum(axis=1)
    x[:, 230] = x[:, 7] - x[:, 9]
    names = [f"c{i}" for i in range(250)]
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header=",".join(names), comments="")
    with pytest.raises(DataError, match="the feature 'c200' is a linear combination of the features before it"):
        read_csv(tmp_path / "t.csv", features=names[:-1])


def test_names_and_values_without_end_are_cut(tmp_path):
    long = "n" * 100_000
    (tmp_path / "t.csv").write_text(f"{long},b\n1,2\n2,4.5\n3,5\n")
    assert len(succeed(tmp_path, "--data", "t.csv", "--no-pictures")) < 3000
    assert len(fail(tmp_path, "--data", "t.csv", "--target", long + "m")) < 300
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n2,{long}\n")
    assert len(fail(tmp_path, "--data", "t.csv")) < 300


def test_the_byte_that_cannot_be_read_is_counted_from_the_first(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\n\xff")
    with pytest.raises(DataError, match=r"not a text file in UTF-8 \(byte 8 cannot be read\)"):
        read_csv(tmp_path / "t.csv")


# ---- Numbers --------------------------------------------------------------------------------------------------------


def test_values_too_far_apart(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1e308,2\n-1e308,3\n1,4\n")
    expected = "error: t.csv: the values of column 'a' cannot be squared in floating point; rescale them"
    assert fail(tmp_path, "--data", "t.csv") == expected


@pytest.mark.parametrize("rate", ["1e-320", "5e-324", "1e-300", "1e-17"])
def test_a_learning_rate_too_small_to_move(tmp_path, rate):
    message = fail(tmp_path, "--learning-rate", rate)
    assert re.fullmatch(r"error: the learning rate \S+ is too small: on these data .* stands still below 3.8e-16", message)


def test_more_steps_than_anyone_waits_for(tmp_path):
    message = fail(tmp_path, "--steps", "9" * 400)
    assert message.startswith("error: argument --steps: so many steps would take years: '999") and len(message) < 200


@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e149])
@pytest.mark.parametrize("k", [1, 2])
def test_no_warnings_on_any_scale(tmp_path, scale, k):
    x = np.random.default_rng(0).normal(size=(10, k + 1)) * [1.0, scale, scale][-k - 1 :]
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header="a,b,c"[: 2 * k + 1], comments="")
    succeed(tmp_path, "--data", "t.csv", "--steps", 5)


def test_many_rows(tmp_path):
    x = np.random.default_rng(0).normal(size=(200_000, 2))
    np.savetxt(tmp_path / "t.csv", x, fmt="%.3f", delimiter=",", header="a,b", comments="")
    succeed(tmp_path, "--data", "t.csv", "--steps", 5)


# ---- Pictures -------------------------------------------------------------------------------------------------------


def test_a_wrong_backend(tmp_path):
    def message(name, *arguments):
        return fail(tmp_path, *arguments, env=environment(MPLBACKEND=name))

    start = "error: the pictures need matplotlib (MPLBACKEND=nonsense: Key backend: 'nonsense' is not a valid value"
    assert message("nonsense").startswith(start)
    assert message("nonsense").endswith("; leave them out with --no-pictures")
    assert message("module://none", "--show") == (
        "error: --show needs a display (No module named 'none'); without --show the pictures become files"
    )
    assert message("module://os", "--show").startswith("error: --show needs a display (module 'os' has no attribute")
    succeed(tmp_path, *SHORT, env=environment(MPLBACKEND="nonsense"))
    assert os.listdir(tmp_path) == []


def test_settings_of_the_user_that_cannot_be_met(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nnonsense: 1\nfont.family: no such font\n")
    succeed(tmp_path, "--steps", 5)
    assert png_files(tmp_path / "pictures") == PICTURES


@pytest.mark.parametrize("trouble", ["SyntaxError", "RuntimeError", "AttributeError"])
def test_a_broken_matplotlib(tmp_path, trouble):
    (tmp_path / "matplotlib.py").write_text(f"raise {trouble}('broken backend')")
    env = environment(tmp_path)
    del env["MPLBACKEND"]
    expected = "error: the pictures need matplotlib (broken backend); leave them out with --no-pictures"
    assert fail(tmp_path, env=env) == expected


def test_a_folder_that_leads_nowhere(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder, link in (("link", "link"), ("link/below", "link"), ("loop", "loop")):
        expected = f"error: --out: {link} leads nowhere: it is a broken link, or its folder is gone"
        assert fail(tmp_path, "--out", folder) == expected
    assert sorted(os.listdir(tmp_path)) == ["link", "loop"]


@pytest.mark.parametrize("option", ["--data", "--out"])
def test_names_that_are_empty(tmp_path, option):
    assert fail(tmp_path, option, "") == f"error: argument {option}: expected a name, got ''  (see python -m linear --help)"
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such folders")
@pytest.mark.parametrize("folder", ["/proc", "/proc/new", "/proc/self/a/b", "/sys", "/sys/new", "/sys/kernel"])
def test_a_folder_that_cannot_be_written_to(tmp_path, folder):
    """Not even by root, though it says that root may."""
    message = fail(tmp_path, "--out", folder)
    there = folder if Path(folder).exists() else str(Path(folder).parent).removesuffix("/a")
    assert re.fullmatch(f"error: --out: {there} cannot be written to: [A-Z].*", message)


def test_a_folder_is_tried_without_a_trace(tmp_path):
    for folder in (tmp_path, tmp_path / "a" / "b"):
        __main__._load_pictures(folder, show=False)
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full(tmp_path):
    """A limit for the size of a file stands for a full disk; the error names the picture, and the old ones stay."""
    limited = (
        "import resource, sys; sys.modules['jax'] = None\n"
        "from linear.__main__ import main\n"
        "_, most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, most))\n"
        "status = main()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", limited]
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "loss.png").write_text("old")
    expected = f"error: {Path('pictures', 'loss.png')}: File too large"
    assert fail(tmp_path, "--steps", 5, command=command) == expected
    assert os.listdir(tmp_path / "pictures") == ["loss.png"]
    assert (tmp_path / "pictures" / "loss.png").read_text() == "old"
    (tmp_path / "pictures" / ".loss.png.part").symlink_to("/dev/full")
    assert fail(tmp_path, "--steps", 5) == f"error: {Path('pictures', 'loss.png')}: No space left on device"


# ---- Signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\nraise ImportError('an extension failed to import')"])
@pytest.mark.parametrize("module", ["matplotlib", "jax"])
def test_an_interrupt_while_an_extension_is_imported(tmp_path, module, end):
    (tmp_path / f"{module}.py").write_text(f"import signal\nsignal.raise_signal(signal.SIGINT){end}")
    command = [sys.executable, "-m", "linear"]
    assert fail(tmp_path, status=130, env=environment(tmp_path), command=command) == "interrupted"
    assert "pictures" not in os.listdir(tmp_path)


DURING = """
import os, signal, sys
sys.modules['jax'] = None
from linear import __main__, pictures
before = {patched}
def interrupted(*args, **kwargs):
    signal.raise_signal(signal.{name})
    return before(*args, **kwargs)
{patched} = interrupted
sys.exit(__main__.main())
"""


@pytest.mark.parametrize(
    ("patched", "name", "left"),
    [
        ("__main__.train", "SIGHUP", []),
        ("pictures.draw_bowl", "SIGTERM", []),
        ("pictures.Path.write_bytes", "SIGTERM", PICTURES),
        ("pictures.Path.replace", "SIGINT", PICTURES),
    ],
)
def test_a_signal_leaves_all_pictures_or_none(tmp_path, patched, name, left):
    message = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    command = [sys.executable, "-c", DURING.format(name=name, patched=patched)]
    assert fail(tmp_path, "--steps", 5, status=128 + signal.Signals[name], command=command) == message
    assert [path.name for path in sorted(tmp_path.glob("pictures/*"))] == left
    assert not left or png_files(tmp_path / "pictures") == PICTURES


def test_an_interrupt_when_nobody_reads_any_more():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", DURING.format(name="SIGINT", patched="__main__.train"), *SHORT]
    done = subprocess.run(command, env=environment(**BUFFERED), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (130, b"linear: interrupted\n")


def test_a_signal_from_outside(tmp_path):
    command = [*QUICK_COMMAND, "--steps", "100000000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), **pipes) as process:
        while b"distance to minimum" not in process.stdout.readline():
            pass
        process.terminate()
        assert process.stderr.read() == b"linear: stopped by SIGTERM\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_an_interrupt_that_becomes_an_error_of_another_kind(monkeypatch, capsys):
    def interrupted(*_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemError("an extension is confused") from None

    monkeypatch.setattr(__main__, "_run", interrupted)
    assert __main__.main([]) == 130
    assert capsys.readouterr() == ("", "linear: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(__main__, "_run", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        __main__.main([])


def test_signals_that_are_ignored_stay_ignored_and_threads_leave_them_alone():
    seen = []

    def handlers():
        with answered_by(seen.append):
            seen.append([signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)])

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        handlers()
        thread = threading.Thread(target=handlers)
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [[signal.SIG_IGN, seen.append], [signal.SIG_IGN, signal.SIG_DFL]]


def test_the_block_is_finished_before_the_signal_acts():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with finish_first():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
    assert done == [1]
