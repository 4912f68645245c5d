"""Take many steps of different kinds, and watch the memory. Without the garbage collector, it has to stay the same.

For each kind of step: how many objects, memory blocks and kibibytes there are more after the last step than after the first
hundred. A step that keeps one object would show as many of them as there were steps.

    python -m tests.faults.memory                  100,000 steps of each kind
    python -m tests.faults.memory --steps 1000
"""

import argparse
import gc
import os
import sys
import time

import numpy as np

from minigrad import checkpoint, custom_vjp, defvjp, grad, hessian, jvp, linearize, primitive, value_and_grad, vjp

X, Y, LARGE = np.linspace(0, 1, 50), np.linspace(1, 3, 50), np.linspace(0, 1, 20_000)


def mean_square(w):
    return ((w[0] * X + w[1] - Y) ** 2).mean()


class Linear:
    """A step of training changes the parameters, which the next step uses."""

    w = np.zeros(2)

    def __call__(self):
        self.w = self.w - 0.1 * value_and_grad(mean_square)(self.w)[1]


@primitive
def failing(x):
    return x * 1.0


defvjp(failing, x=lambda g: g["no"])


def caught(call):
    try:
        call()
    except (TypeError, ValueError, KeyError, ZeroDivisionError, IndexError, NotImplementedError):
        return
    raise AssertionError("nothing was raised")


def written(x):
    y = np.zeros_like(x)
    row = y[:2]
    y[1:] = x[1:] * x[0]
    row += x[:2]
    return y @ y


@custom_vjp
def custom(x):
    return x * x


custom.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g * x,))


def generator_left_open():
    def parts(x):
        for i in range(3):
            yield x[i] * 2.0

    grad(lambda x: next(parts(x)))(X)


def new_function():
    double = custom_vjp(lambda x: 2.0 * x)
    double.defvjp(lambda x: (2.0 * x, None), lambda _, g: (2.0 * g,))
    return grad(lambda x: checkpoint(lambda y: double(y) * y)(x))(0.5)


STEPS = {
    "linear": Linear(),
    "numbers": lambda: grad(lambda x: x * x + 2.0 / x)(1.5),
    "large": lambda: grad(lambda x: (x * LARGE * LARGE).mean())(0.5),
    "nested": lambda: grad(lambda x: x * grad(lambda y: y * y * x)(x))(1.5),
    "hessian": lambda: hessian(lambda x: x[0] ** 2 * x[1])(X[:2]),
    "jvp": lambda: jvp(lambda x: np.tanh(x) * x, (X,), (X,)),
    "linearize, not called": lambda: linearize(np.sin, X),
    "vjp, not called": lambda: vjp(np.sin, X),
    "checkpoint": lambda: grad(lambda x: checkpoint(lambda z: np.tanh(z) * z)(x).sum())(X),
    "custom_vjp": lambda: grad(lambda x: custom(x).sum())(X),
    "writes and views": lambda: grad(written)(X),
    "an error in the function": lambda: caught(lambda: grad(lambda x: np.sum(x * x) / {}["a"])(X)),
    "an error in the backward pass": lambda: caught(lambda: grad(lambda x: failing(x * x).sum())(X)),
    "an error of the result": lambda: caught(lambda: grad(lambda x: x * x)(X)),
    "an error of a number that lost its derivative": lambda: caught(lambda: grad(lambda x: x.item(0))(X)),
    "an error in an inner call": lambda: caught(lambda: grad(lambda x: x * grad(lambda y: failing(x * y))(2.0))(1.0)),
    "a function that does not use its argument": lambda: grad(lambda x: 1.0)(X),
    "a generator that is left open": generator_left_open,
    "new functions": new_function,
}
KINDS = ("objects", "blocks", "KiB")


def resident():
    """The memory of the process, in bytes. Only on Linux; elsewhere 0."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def growth(step, steps, warm_up=100):
    """What a number of steps left behind, with the garbage collector off.

    These are objects; memory blocks, without those that Python keeps for later objects, which the collector gives back; and
    kibibytes.
    """
    for _ in range(warm_up):
        step()
    gc.collect()
    gc.disable()
    try:
        objects, blocks, memory = len(gc.get_objects()), sys.getallocatedblocks(), resident()
        for _ in range(steps):
            step()
        objects, memory = len(gc.get_objects()) - objects, resident() - memory
    finally:
        gc.enable()
    gc.collect()
    return objects, sys.getallocatedblocks() - blocks, memory // 1024


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.faults.memory", description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=100_000, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--kinds", nargs="*", metavar="NAME", help="only these kinds of steps")
    options = parser.parse_args(arguments)
    failed = 0
    for name, step in STEPS.items():
        if not options.kinds or name in options.kinds:
            start = time.perf_counter()
            left = growth(step, options.steps)
            failed += left[0] >= 10 or left[1] >= 500 or left[2] > 4096
            text = ", ".join(f"{n:+} {kind}" for n, kind in zip(left, KINDS))
            print(f"{name}: {text}, {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{options.steps} steps of each kind, {failed} kinds that keep something")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
