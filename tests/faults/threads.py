"""Use everything for the first time in many threads at once, in fresh processes. Each result has to be right.

Each process starts many threads, which wait for each other. Then each does all pieces of work (see workload.py) and calls
every function in the table of derivatives, in an order of its own, while Python changes from one thread to another as
often as it can. The results are compared with those of a process with one thread, to the last bit. An error has to be the
same error. The threads import scipy.special, too, and another thread defines the rule of an operator again and again.

    python -m tests.faults.threads                  20 processes with 16 threads
    python -m tests.faults.threads --processes 200
"""

import argparse
import os
import pickle
import random
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

ARGUMENTS = (np.array([[0.3, 0.6], [0.2, 0.7]]), np.array([[1.3, 0.4], [0.1, 1.1]]), np.array([[0.9, 0.8], [0.5, 0.6]]))


def calls():
    """For each function in the table and in scipy.special, its name, the function, and a number of arguments."""
    import scipy.special

    from minigrad.table import rules

    special = {f"special.{name}": getattr(scipy.special, name) for name in scipy.special.__all__}
    special = {name: fun for name, fun in special.items() if isinstance(fun, np.ufunc)}
    ours = {f"{fun.__module__}.{fun.__name__}" if hasattr(fun, "__module__") else fun.__name__: fun for fun in list(rules)
            if isinstance(getattr(np, fun.__name__, None), np.ufunc) or hasattr(fun, "_implementation")
            if fun is not np.empty_like}
    ours = {name: fun for name, fun in ours.items() if fun not in special.values()}
    return {f"{name} of {n}": (fun, n) for name, fun in (ours | special).items() for n in (1, 2, 3)}


def outcome(fun, n):
    """What the derivative of a function is, as text, or what error it raises."""
    from minigrad import vjp

    from .workload import exactly

    try:
        with np.errstate(all="ignore"):
            value, vjp_fun = vjp(fun, *ARGUMENTS[:n])
            return exactly([value, vjp_fun(value)])
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(' at 0x')[0]}"


def everything(order, is_strict=False):
    """All results by name, computed in the order of a generator of random numbers."""
    from .workload import PIECES, exactly

    jobs = {piece.__name__: lambda piece=piece: exactly(piece()) for piece in PIECES}
    jobs |= {name: lambda fun=fun, n=n: outcome(fun, n) for name, (fun, n) in calls().items()}
    names = sorted(jobs)
    order.shuffle(names)
    found = {}
    for name in names:
        try:
            found[name] = jobs[name]()
        except Exception as error:  # of a piece of work
            if is_strict:
                raise
            found[name] = f"{type(error).__name__}: {error}"
    return found


def one_process(count, seed, interval, expected):
    """Print what is different in some thread."""
    from minigrad.table import Rule, define, rules

    sys.setswitchinterval(interval)
    barrier, wrong, is_done = threading.Barrier(count + 1), [], threading.Event()

    def run(number):
        barrier.wait()
        for name, found in everything(random.Random(f"{seed} {number}")).items():
            if found != expected[name]:
                wrong.append(f"{name}: {str(found)[:300]} for {str(expected[name])[:300]}")

    def define_again():
        barrier.wait()
        while not is_done.wait(0.001):
            define(Rule(np.multiply, dict(rules[np.multiply].vjps)))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    other = threading.Thread(target=define_again)
    for thread in (*threads, other):
        thread.start()
    for thread in threads:
        thread.join()
    is_done.set()
    other.join()
    from . import workload  # the threads import it first

    after = workload.surroundings()
    print(len(wrong), *dict.fromkeys(wrong), sep="\n")
    assert all(flags[0] for flags in after[1]), after


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.faults.threads", description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=20, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=16, metavar="N", help="in each process (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=1e-6, metavar="SECONDS",
                        help="after which Python changes to another thread (default: %(default)s)")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        path, seed = options.child
        if seed == "expected":
            with open(path, "wb") as file:
                pickle.dump(everything(random.Random(0), is_strict=True), file)
        else:
            with open(path, "rb") as file:
                one_process(options.threads, seed, options.interval, pickle.load(file))
        return 0
    start, failed = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.faults.threads", "--threads", str(options.threads)]
        command += ["--interval", str(options.interval), "--child", os.path.join(folder, "expected")]
        subprocess.run([*command, "expected"], check=True)
        with open(command[-1], "rb") as file:
            number = len(pickle.load(file))
        for i in range(options.processes):
            done = subprocess.run([*command, str(i)], capture_output=True, text=True)
            if done.returncode or not done.stdout.startswith("0\n"):
                failed += 1
                print(f"process {i}:", done.stdout[:3000], done.stderr[-3000:], flush=True)
    seconds = time.perf_counter() - start
    print(f"{options.processes} processes, {options.threads} threads, {number} results in each thread, "
          f"{failed} processes with a wrong result, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
