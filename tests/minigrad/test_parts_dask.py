"""Losses over parts of the rows on a cluster of Dask with two worker processes, some of which are killed."""

import os
import signal
import sys
import threading
import time
from functools import partial

import cloudpickle
import dask
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

from minigrad import parts

from .test_parts import Counting, equal, linear, value_and_grad

pytestmark = pytest.mark.filterwarnings("default")  # distributed warns of workers that are gone
LIMIT = 500_000_000  # bytes of memory for a worker
THETA = {"w": np.array([0.3, 0.1, -0.2]), "b": 0.1}


def make(seed, seconds=0.0):
    time.sleep(seconds)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1000, 3))
    return x, x[:, 0] + rng.normal(size=1000)


def too_large():
    return (np.ones((60_000_000, 2)), np.ones(60_000_000))  # 1.4 GB


@pytest.fixture(scope="module")
def cluster():
    for name in (__name__, linear.__module__):  # the workers do not know the tests
        cloudpickle.register_pickle_by_value(sys.modules[name])
    # A result may be in a worker that is killed. The scheduler then tries for 30 seconds to reach it, unless this is set.
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
        with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=":0") as cluster:
            yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def test_few_calls_and_the_same_bits_as_here(client):
    some = [partial(make, seed) for seed in range(40)]
    here, there = Counting(), client.get_executor(pure=False)
    f, g = parts.value_and_grad(linear, here, tasks=4), parts.value_and_grad(linear, there, tasks=4)
    for _ in range(2):
        (value, gradient), (expected, of_here) = g(THETA, some), f(THETA, some)
        assert value == expected and np.array_equal(gradient["w"], of_here["w"]) and gradient["b"] == of_here["b"]
    whole = [np.concatenate(columns) for columns in zip(*(part() for part in some))]
    equal((value, gradient), value_and_grad(linear)(THETA, *whole))


def test_errors_come_back(client):
    executor = client.get_executor(pure=False)
    with pytest.raises(parts.PartError, match="part 1, too_large.*: .*|part 1, load.*: FileNotFoundError"):
        parts.value_and_grad(linear, executor)(THETA, [partial(make, 0), partial(np.load, "part-1.npy"), partial(make, 2)])
    with pytest.raises(ValueError, match="only a mean over rows"):
        parts.value_and_grad(lambda t, x, y: np.sqrt(linear(t, x, y)), executor)(THETA, [partial(make, 0), partial(make, 2)])


def test_a_part_that_is_too_large_is_an_error(client):
    f = parts.value_and_grad(linear, client.get_executor(pure=False), tasks=2, timeout=60)
    start = time.monotonic()
    with pytest.raises(Exception, match="worker|memory|Killed") as caught:
        f(THETA, [partial(make, 0), too_large, partial(make, 1)])
    assert not isinstance(caught.value, TimeoutError)
    assert time.monotonic() - start < 30


def fill_memory(dask_worker):
    """Leave so little memory that the worker pauses (80 per cent), and not so little that it is killed (95)."""
    dask_worker.held = np.ones(int(0.87 * LIMIT - psutil.Process().memory_info().rss), np.uint8)


def free_memory(dask_worker):
    del dask_worker.held


def statuses(client):
    return {worker["status"] for worker in client.scheduler_info()["workers"].values()}


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_workers_that_are_paused_end_in_an_error(client):
    some = [partial(make, seed) for seed in range(4)]
    f = parts.value_and_grad(linear, client.get_executor(pure=False), tasks=2, timeout=3)
    expected, _ = f(THETA, some)
    client.run(fill_memory)
    wait_until(lambda: statuses(client) == {"paused"})
    try:
        with pytest.raises(TimeoutError, match="longer than 3 seconds: a worker may be paused"):
            f(THETA, some)
    finally:
        client.run(free_memory)
    wait_until(lambda: statuses(client) == {"running"})
    assert f(THETA, some)[0] == expected


def kill(client, n):
    for pid in list(client.run(os.getpid).values())[:n]:
        os.kill(pid, signal.SIGKILL)


def retire(client, n):
    client.retire_workers(list(client.scheduler_info()["workers"])[:n])


# The last of these leaves the cluster with one worker, so no test may follow.
@pytest.mark.parametrize("lose, n", [(kill, 1), (kill, 2), (retire, 1)], ids=["one is killed", "both are killed", "one is taken away"])
def test_workers_that_are_lost_in_the_middle_of_a_step(client, lose, n):
    some = [partial(make, seed, 0.1) for seed in range(12)]
    f = parts.value_and_grad(linear, client.get_executor(pure=False), tasks=6, timeout=25)
    expected_value, expected = f(THETA, some)

    # A scheduler that waits for an answer of a process that is gone may take longer. But not three times in a row.
    for last in (False, False, True):
        losing = threading.Timer(0.3, lose, (client, n))  # the step takes 0.6 seconds
        losing.start()
        start = time.monotonic()
        try:
            value, gradient = f(THETA, some)
            break
        except TimeoutError:
            if last:
                raise
            client.wait_for_workers(2, timeout=60)
        finally:
            took = time.monotonic() - start
            losing.join()
    assert took > 0.5
    assert value == expected_value and np.array_equal(gradient["w"], expected["w"]) and gradient["b"] == expected["b"]
    print(f"a step took {took:.1f} s")
