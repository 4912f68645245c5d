"""A recording as one Python function that calls kernels, which Numba compiles, and NumPy for everything else.

Stages decide which operations become one kernel. Kernels run in even stages, calls of NumPy in odd stages. An operation gets
the first stage that has its operands. Then it moves to the stage that needs its result, if that stage still has the operands.
So a result that is quickly computed from an input is computed where it is used, and is not kept. All operations of an even
stage are one kernel, with a loop for each shape.

Products of matrices are calls of NumPy, also small ones. So the steps of a recurrence are in stages of their own, with equal kernels.
Where a kernel would save nothing, its operations are calls. A long computation with single numbers is cut into kernels, and
only some of them are compiled. Compiling takes one or two milliseconds for each operation, and Python does an operation in less
than a tenth of a microsecond.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numba.core.errors import NumbaError

from .. import tree
from .kernels import FUNCTIONS, Kernel, Writer, compiled
from .numpy_backend import FLOAT, Source, again, without_logaddexp
from .operations import Operation, Recording, Variable, variables
from .steps import alias, dtype_of, steps_of

MANY = 1000  # operations of one kernel at most
PART = 240  # operations of the kernels in place of a larger one; a period of 2, 3, 4, 5, 6 or 8 operations gives them equal sources
MOST = 12  # kernels of single numbers that are compiled, about four seconds; Python computes what would be in others
WAIT = 4.0  # seconds of compiling that need no word


def compile_recording(recording: Recording) -> Callable[..., list]:
    """Return a function of the inputs of a recording. It returns the leaves of the outputs.

    Numba compiles the kernels in the first call. They give no warnings, such as of a division by zero.
    """
    changed = without_logaddexp(recording)
    operations = Plan(changed.operations, variables(tree.leaves(changed.outputs))).with_kernels()
    announce([operation.function.source for operation in operations if isinstance(operation.function, Kernel)])
    source = KernelSource(replace(changed, operations=operations))
    source.namespace["again"] = partial(once_more, recording)
    return source.compiled()


def once_more(recording: Recording, *inputs: Any, error: Exception | None = None) -> list:
    """Run the operations one by one, after a call of NumPy failed."""
    if isinstance(error, NumbaError):
        raise RuntimeError("Numba could not compile a kernel. This is an error in minigrad; write backend='numpy'") from error
    return again(recording, *inputs, error=error)


def announce(sources: list[str]) -> None:
    """Say how long Numba will compile, if that takes long."""
    new = {source for source in sources if source not in FUNCTIONS}
    seconds = sum(0.25 + 0.002 * source.count("\n") for source in new)
    if seconds > WAIT:
        print(f"minigrad.jit: Numba compiles {len(new)} loops in the first call, for about {seconds:.0f} seconds", file=sys.stderr)


class KernelSource(Source):
    """The source of the function, with calls of kernels. They do not warn, so nothing need run again to warn."""

    warns = False

    def write(self, i: int, operation: Operation) -> None:
        """Write the lines for an operation."""
        kernel = operation.function
        if not isinstance(kernel, Kernel):
            return super().write(i, operation)
        numbers = [self.plain_number(v) for v in kernel.numbers]
        arrays = [self.value(v) for v in kernel.arrays]
        for v in kernel.made:
            self.values[v] = f"v{len(self.values)}"
            self.own.add(v)
            self.lines.append(f"{self.values[v]} = empty({v.shape}, {self.constant(np.dtype(v.dtype))})")
        made = [self.values[v] for v in kernel.made]
        call = f"{self.constant(compiled(kernel.source))}({', '.join([*map(str, kernel.sizes), *numbers, *arrays, *made])})"
        names = [f"k{i}_{j}" for j in range(len(kernel.results))]
        self.namespace["empty"] = np.empty
        self.lines.append(f"{', '.join(names)} = {call}" if names else call)
        for v, name in zip(kernel.results, names):  # they come as Python's numbers
            if v.is_weak:
                self.values[v] = self.numbers[v] = name
            elif v.shape == () and v.dtype == FLOAT:
                self.numbers[v] = name
            else:
                number = f"{self.constant(np.dtype(v.dtype).type)}({name})"
                self.values[v] = f"v{len(self.values)}"
                self.lines.append(f"{self.values[v]} = " + (f"{self.constant(np.full)}({v.shape}, {number})" if v.shape else number))
        self.delete(self.ending.get(i, []))

    def plain_number(self, v: Variable) -> str:
        """The expression for a number as one of Python's."""
        if v.is_weak or v.shape == () and v.dtype == FLOAT:
            return self.number(v)
        return f"{self.value(v)}.item()"


# ---- Stages ---------------------------------------------------------------------------------------------------------


class Plan:
    """In which stage each operation runs.

    Attributes
    ----------
    maker : dict of Variable to Operation
    users : dict of Variable to list of Operation
    steps : dict of Operation to list of Step
        What kernels do for an operation. The list is empty if it is a call of NumPy.
    reads : dict of Operation to list of Variable
        The operands. If an operand is an array in another shape, a kernel reads the array in its original shape.
    shaping : dict of Variable to Operation
        The operations that only give an array another shape. Those that kernels alone need are left out.
    stage : dict of Operation to int
    """

    def __init__(self, operations: list[Operation], outputs: list[Variable]) -> None:
        self.outputs = set(outputs)
        self.steps = {operation: steps_of(operation) for operation in operations}
        aliases = {operation.result: found for operation in operations if (found := alias(operation))}
        self.reads: dict[Operation, list[Variable]] = {}
        for operation, steps in self.steps.items():
            for step in steps:
                step.read_through(aliases)
            made = {step.result for step in steps}
            self.reads[operation] = [v for step in steps for v in step.variables if v not in made] or operation.operands
        read = self.outputs.union(*self.reads.values())
        self.operations = [operation for operation in operations if not read.isdisjoint(operation.results)]
        self.shaping = {operation.result: operation for operation in operations if operation.result in aliases}
        self.done: set[Operation] = set()
        self.sources: set[str] = set()  # of the kernels of single numbers
        self.maker = {v: operation for operation in self.operations for v in operation.results}
        self.users: dict[Variable, list[Operation]] = {v: [] for v in read}
        for operation in self.operations:
            for v in dict.fromkeys(self.reads[operation]):
                self.users[v].append(operation)
        self.stage: dict[Operation, int] = {}
        for operation in self.operations:
            first = max((self.stage[self.maker[v]] for v in self.reads[operation] if v in self.maker), default=0)
            self.stage[operation] = first + (first % 2 != (not self.steps[operation]))
        for operation in reversed(self.operations):
            last = self.last(operation)
            if last > self.stage[operation] and all(self.is_there(v, last, operation) for v in self.reads[operation]):
                self.stage[operation] = last

    def last(self, operation: Operation) -> int:
        """The last stage in which an operation can run: the stage of the first user of its results."""
        if not self.outputs.isdisjoint(operation.results):
            return self.stage[operation]
        users = [user for v in operation.results for user in self.users.get(v, [])]
        is_call = not self.steps[operation]
        return min([self.stage[user] - (is_call != (not self.steps[user])) for user in users], default=self.stage[operation])

    def is_there(self, v: Variable, stage: int, operation: Operation) -> bool:
        """Whether a value is kept until a stage anyway, or takes less memory than all that operations make of it before."""
        if v not in self.maker or v.shape == ():
            return True
        if any(self.stage[user] >= stage and user is not operation for user in reversed(self.users[v])):
            return True
        if len(self.users[v]) > 100:
            return False  # the rest would take long
        made = self.stage[self.maker[v]]
        later = [user for user in self.users[v] if self.steps[user] and self.last(user) > max(made, self.stage[user] - 1)]
        return sum(size_of(user.result) for user in later) > size_of(v)

    def with_kernels(self) -> list[Operation]:
        """Return the operations stage by stage, with calls of kernels in the place of those that kernels do."""
        new: list[Operation] = []
        stages: dict[int, list[Operation]] = {}
        for operation in self.operations:
            stages.setdefault(self.stage[operation], []).append(operation)
        for number, members in sorted(stages.items()):
            size = len(members) if number % 2 or len(members) <= MANY else PART
            for i in range(0, len(members), size):
                new += self.as_calls(members) if number % 2 else self.as_kernel(members[i : i + size])
        return new

    def as_kernel(self, members: list[Operation]) -> list[Operation]:
        """Return the operation that calls a kernel; or the operations as they are, if a kernel would save nothing.

        Python computes with numbers as fast as it hands them over to a kernel.
        """
        steps = [step for operation in members for step in self.steps[operation]]
        inside = set(members)
        results = [operation.result for operation in members]
        wanted = {v for v in results if v in self.outputs or not inside.issuperset(self.users[v])}
        loops = sum(bool(step.loop) for step in steps)
        given = {v for operation in members for v in self.reads[operation] if self.maker.get(v) not in inside}
        if loops < 2 and len(steps) < max(8, 2 * len(given | wanted)):
            return self.as_calls(members)
        kernel = Writer(steps, wanted).kernel
        if not loops:
            if len(self.sources) == MOST and kernel.source not in self.sources:
                return self.as_calls(members)
            self.sources.add(kernel.source)
        return [Operation((*kernel.results, *kernel.made), kernel, (*kernel.numbers, *kernel.arrays))]

    def as_calls(self, members: list[Operation]) -> list[Operation]:
        """Return operations as they are, and before them what gives operands their shape, if that is not done yet."""
        new: list[Operation] = []
        for operation in members:
            if operation not in self.done:
                self.done.add(operation)
                new += self.as_calls([self.shaping[v] for v in operation.operands if v in self.shaping])
                new.append(operation)
        return new


def size_of(v: Variable) -> int:
    """The bytes of an array."""
    return math.prod(v.shape) * dtype_of(v).itemsize
