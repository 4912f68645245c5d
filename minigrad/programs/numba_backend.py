"""A recording as one Python function that calls kernels, which Numba compiles, and NumPy for everything else.

What belongs into one kernel follows from stages. Kernels run in even stages, calls of NumPy in odd ones. An operation comes into
the first stage in which its operands are there. All operations of an even stage are one kernel, with a loop for each shape.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import tree
from .kernels import SAME_ELEMENTS, Kernel, Step, Writer, steps_of, without_ones
from .numpy_backend import FLOAT, Source, again
from .operations import Operation, Recording, Variable, variables

MANY = 1000  # steps of one kernel at most
WAIT = 4.0  # seconds of compiling that need no word


def compile_recording(recording: Recording) -> Callable[..., list]:
    """Return a function of the inputs of a recording. It returns the leaves of the outputs.

    The arrays among its results are new. They share memory with nothing else. Numba compiles the kernels in the first call.
    NumPy's warnings, such as of a division by zero, are not given.
    """
    outputs = variables(tree.leaves(recording.outputs))
    operations = with_kernels(recording.operations, outputs)
    changed = Recording(recording.fun, recording.inputs, recording.in_tree, operations, recording.outputs, recording.constants)
    source = KernelSource(changed)
    source.namespace["again"] = partial(again, recording)
    return source.compiled()


class KernelSource(Source):
    """The source of the function, with calls of kernels."""

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
        call = f"{self.constant(kernel.compiled())}({', '.join([*map(str, kernel.sizes), *numbers, *arrays, *made])})"
        names = [f"k{i}_{j}" for j in range(len(kernel.results))]
        self.namespace["empty"] = np.empty
        self.lines.append(f"{', '.join(names)} = {call}" if names else call)
        for v, name in zip(kernel.results, names):
            if v.is_weak or v.shape == () and v.dtype == FLOAT:
                self.numbers[v] = name
            if v.is_weak:
                self.values[v] = name
            elif v not in self.numbers:
                self.values[v] = f"v{len(self.values)}"
                kind = self.constant(np.dtype(v.dtype).type)
                boxed = f"{kind}({name})"
                self.lines.append(f"{self.values[v]} = {boxed}" if v.shape == () else f"{self.values[v]} = {self.constant(np.full)}({v.shape}, {boxed})")
        self.delete(self.ending.get(i, []))

    def plain_number(self, v: Variable) -> str:
        """The expression for a number as one of Python's."""
        if v.is_weak or v.shape == () and v.dtype == FLOAT:
            return self.number(v)
        return f"{self.value(v)}.item()"


# ---- Stages ---------------------------------------------------------------------------------------------------------


def with_kernels(operations: list[Operation], outputs: list[Variable]) -> list[Operation]:
    """Return the operations in another order, with kernels in the place of those that kernels can do."""
    maker = {v: operation for operation in operations for v in operation.results}
    users: dict[Variable, list[Operation]] = {}
    for operation in operations:
        for v in dict.fromkeys(operation.operands):
            users.setdefault(v, []).append(operation)
    steps = {operation: steps_of(operation) for operation in operations}
    for operation in reversed(operations):  # what only gives an array another shape is a call, if a call needs it
        if operation.function in SAME_ELEMENTS and steps[operation]:
            if operation.result in outputs or not all(steps[user] for user in users.get(operation.result, [])):
                steps[operation] = []
    stage = stages(operations, steps, maker, users, outputs)
    new: list[Operation] = []
    for number in sorted(set(stage.values())):
        members = [operation for operation in operations if stage[operation] == number]
        if number % 2:
            new += members
            continue
        for part in parts(members, steps):
            inside = set(part)
            wanted = {v for operation in part for v in operation.results if v in outputs or any(user not in inside for user in users.get(v, []))}
            new += as_kernel(part, steps, wanted)
    return new


def as_kernel(part: list[Operation], steps: dict[Operation, list[Step]], wanted: set[Variable]) -> list[Operation]:
    """Return the operation that calls a kernel; or the operations as they are, if a kernel would save nothing."""
    members = [step for operation in part for step in steps[operation]]
    arrays = sum(bool(step.loop) for step in members)
    if arrays < 2 and len(part) < 8:
        return part
    kernel = Writer(members, wanted).kernel
    return [Operation((*kernel.results, *kernel.made), kernel, (*kernel.numbers, *kernel.arrays))]


def parts(members: list[Operation], steps: dict[Operation, list[Step]]) -> list[list[Operation]]:
    """Return the operations of a stage in parts, none of which takes long to compile."""
    return [members[i : i + MANY] for i in range(0, len(members), MANY)]


def stages(
    operations: list[Operation], steps: dict[Operation, list[Step]], maker: dict, users: dict, outputs: list[Variable]
) -> dict[Operation, int]:
    """Return the stage of each operation."""
    stage: dict[Operation, int] = {}
    for operation in operations:
        first = max((stage[maker[v]] for v in operation.operands if v in maker), default=0)
        stage[operation] = first + (first % 2 != (not steps[operation]))
    # An operation moves to where its result is needed, if all its operands are still there.
    for operation in reversed(operations):
        if not any(v in outputs for v in operation.results):
            needed = [stage[user] - (bool(steps[user]) != bool(steps[operation])) for v in operation.results for user in users.get(v, [])]
            last = min(needed, default=stage[operation])
            if last > stage[operation] and all(
                v not in maker or v.shape == () or max(stage[user] for user in users[v] if user is not operation or len(users[v]) == 1) >= last
                for v in operation.operands
            ):
                stage[operation] = last
    return stage
