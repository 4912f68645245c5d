"""A recording as one Python function that calls NumPy: what `jit` runs if there is no compiler.

The function has a line for each operation. It takes less time than the recording, for these reasons:

- Nothing stands between two calls of NumPy: no Tensor, no rule, no check.
- An operation writes into the memory of an operand (``out=``) that nothing uses any more. Other values are deleted after their
  last use. So a call never holds more than the values that are still needed, and large arrays stay in the cache.
- Single numbers are Python floats. Python computes with them faster than with NumPy's scalars, and the results are the same.
- Functions that check and convert their arguments, such as `np.mean`, give way to what they call in the end. The sum of the
  products of two vectors is computed without the vector of products, and `np.logaddexp` with vector instructions.

All arrays that the function writes into are made in the same call. So two threads can run it at once.

Python raises errors where NumPy returns infinity or NaN (1 / 0.0), and it does not warn of an overflow. If this happens, or if an
operation fails, `again` runs the operations one by one. This gives NumPy's result and warnings, or an error with a line.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import tree
from .operations import FRESH, UFUNC_OF, Method, Operation, Recording, Variable, may_share, replaced, text_of, variables
from .simplifying import simplified, with_own_outputs

FLOAT = np.dtype(float)

# What Python writes for functions of numbers
ARITHMETIC: dict[Any, str] = {
    np.add: "{} + {}", np.subtract: "{} - {}", np.multiply: "{} * {}", np.divide: "{} / {}", np.negative: "-{}",
    np.square: "{0} * {0}",
}

# What NumPy's functions call in the end
REDUCTIONS: dict[Any, Any] = {np.sum: np.add, np.mean: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}
METHODS = {np.reshape: "reshape", np.transpose: "transpose", np.ravel: "ravel", np.squeeze: "squeeze", np.swapaxes: "swapaxes"}


def compile_recording(recording: Recording) -> Callable[..., list]:
    """Return a function of the inputs of a recording. It returns the leaves of the outputs.

    Operations write into arrays that no output may hold. So the outputs must not share memory: see `with_own_outputs`.
    """
    source = Source(without_logaddexp(recording))
    source.namespace["again"] = partial(again, recording)  # as it was recorded
    return source.compiled()


class Source:
    """The source of the function while it is written.

    Attributes
    ----------
    values : dict of Variable to str
        The expression for a value in the source: the name of a local variable, or a literal.
    numbers : dict of Variable to str
        The same for a float64 that is held as a Python float.
    own : set of Variable
        Arrays that were made in this call, and whose memory no other value shares.
    last : dict of Variable to int
        The number of the last operation that uses the value, or a value that may share memory with it.
    """

    warns = True  # where NumPy does: the operations run again if a result is infinite or NaN

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.outputs = tree.leaves(recording.outputs)
        self.operations = with_products(recording.operations, self.outputs)
        self.namespace: dict[str, Any] = {"inf": math.inf, "nan": math.nan, "float64": np.float64, "isfinite": math.isfinite}
        self.lines: list[str] = []
        self.values = {v: f"v{i}" for i, v in enumerate(recording.inputs)}
        self.values |= {v: self.constant(array) for v, array in recording.constants.items()}
        self.numbers: dict[Variable, str] = {}
        self.own: set[Variable] = set()
        self.last = last_uses(self.operations, variables(self.outputs))
        self.ending: dict[int, list[Variable]] = {}  # the numbers of operations to the values that nothing uses after them
        for v, i in self.last.items():
            if v not in self.values:
                self.ending.setdefault(i, []).append(v)

    def compiled(self) -> Callable[..., list]:
        """Write the source, and compile it."""
        inputs = "".join(f"{self.values[v]}, " for v in self.recording.inputs)
        for i, operation in enumerate(self.operations):
            self.write(i, operation)
        results = ", ".join(map(self.expression, self.outputs))
        doubtful = [self.numbers[v] for v in self.outputs if v in self.numbers and not v.is_weak]
        if doubtful and self.warns:
            self.lines.append(f"if not ({' and '.join(f'isfinite({number})' for number in doubtful)}): return again({inputs})")
        body = "\n  ".join([*self.lines, f"return [{results}]"])
        source = f"def program({inputs}):\n try:\n  {body}\n except Exception as error:\n  return again({inputs}error=error)"
        exec(compile(source, "<a program of minigrad.jit>", "exec"), self.namespace)
        return self.namespace.pop("program")  # otherwise, the function would keep itself alive

    # ---- Expressions

    def constant(self, value: Any) -> str:
        """The expression for an object that is the same in every call."""
        if value is None or type(value) in (int, bool, str) or (type(value) is float and math.isfinite(value)):
            return f"({value!r})"
        name = f"c{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def value(self, v: Variable) -> str:
        """The expression for a value as NumPy returned it, or as NumPy would have."""
        if v not in self.values:
            self.values[v] = f"s{len(self.values)}"
            self.lines.append(f"{self.values[v]} = float64({self.numbers[v]})")
        return self.values[v]

    def number(self, v: Variable) -> str:
        """The expression for a float64 as a Python float."""
        if v not in self.numbers:
            self.numbers[v] = self.values[v] if v.is_weak else f"n{len(self.numbers)}"
            if not v.is_weak:
                self.lines.append(f"{self.numbers[v]} = float({self.values[v]})")
        return self.numbers[v]

    def expression(self, value: Any) -> str:
        """The expression for an argument of a call."""
        if isinstance(value, Variable):
            return self.value(value)
        return text_of(value, self.expression) if variables(value) else self.constant(value)

    def call(self, function: str, args: Any, kwargs: dict[str, Any] = {}) -> str:
        """The expression for a call."""
        options = [f"{name}={self.expression(value)}" for name, value in kwargs.items()]
        return f"{function}({', '.join([*map(self.expression, args), *options])})"

    # ---- Statements

    def write(self, i: int, operation: Operation) -> None:
        """Write the line for an operation."""
        if self.write_arithmetic(operation):
            return
        target = None  # the operand whose memory the result takes
        if is_elementwise(operation):
            dying = [v for v in operation.operands if v in self.own and self.last[v] == i]
            target = next((v for v in dying if (v.shape, v.dtype) == (operation.shape, operation.dtype)), None)
            expression = self.elementwise(operation, target)
        else:
            expression = self.short(operation) or self.general(operation)
        names = []
        for v in operation.results:
            names.append(self.values[target] if target else f"v{len(self.values)}")
            self.values[v] = names[-1]
            if not may_share(operation):
                self.own.add(v)
        many = "," if isinstance(operation.result, tuple) else ""
        self.lines.append(f"{', '.join(names)}{many} = {expression}")
        self.delete([v for v in operation.results if v not in self.last] + [v for v in self.ending.get(i, ()) if v is not target])

    def delete(self, ended: list[Variable]) -> None:
        """Write that arrays are deleted."""
        names = [self.values[v] for v in ended if v.shape != ()]
        if names:
            self.lines[-1] += f"; del {', '.join(names)}"

    def write_arithmetic(self, operation: Operation) -> bool:
        """Write an operation on float64 numbers with Python's operators. Return whether it is one."""
        function, result = UFUNC_OF.get(operation.function, operation.function), operation.result
        parts = [result, *operation.args]
        if operation.kwargs or not all(is_number(part) for part in parts):
            return False
        texts = [self.number(a) if isinstance(a, Variable) else self.constant(float(a)) for a in operation.args]
        if function is float:
            name = texts[0]
        elif function in ARITHMETIC:
            name = f"n{len(self.numbers)}"
            self.lines.append(f"{name} = {ARITHMETIC[function].format(*texts)}")
        else:
            return False
        self.numbers[result] = name
        if result.is_weak:
            self.values[result] = name
        return True

    def elementwise(self, operation: Operation, target: Variable | None) -> str:
        """The expression for a ufunc on arrays. Among float64 arrays, numbers may be of any kind. Arrays are the fastest."""
        all_float = all(v.dtype == FLOAT for v in operation.operands if v.shape != ())
        takes_floats = all_float and getattr(np, operation.function.__name__, None) is operation.function is not np.ldexp
        args = []
        for x in operation.args:
            if isinstance(x, Variable):
                args.append(self.numbers[x] if all_float and x in self.numbers else self.value(x))
            else:
                args.append(self.constant(np.array(float(x)) if takes_floats and is_number(x) else x))
        if target:  # NumPy will read the third argument of maximum and minimum as another operand
            args.append("out=" * (operation.function in (np.maximum, np.minimum)) + self.values[target])
        return f"{self.constant(operation.function)}({', '.join(args)})"

    def short(self, operation: Operation) -> str | None:
        """The expression for what a function of NumPy calls in the end, if it is known."""
        function, args, kwargs = operation.function, operation.args, operation.kwargs
        x = args[0] if args and isinstance(args[0], Variable) else None
        if function is operator.getitem and x is not None and not kwargs:
            return f"{self.value(x)}[{self.expression(args[1])}]"
        if isinstance(function, Method):
            return self.call(f"{self.expression(args[0])}.{function.__name__}", args[1:], kwargs)
        if function is np.broadcast_arrays and not kwargs:  # a look at its results, such as Numba's, brings a warning
            shape = operation.results[0].shape
            return f"[{', '.join(self.call(self.constant(np.broadcast_to), (arg, shape)) for arg in args)}]"
        if x is None or x.shape == ():
            return None
        if function in METHODS and not kwargs and (len(args) < 3 or function is np.swapaxes):
            return self.call(f"{self.value(x)}.{METHODS[function]}", args[1:])
        if function in (np.matmul, np.dot) and is_product_of_matrices(operation):
            return f"{self.value(x)}.dot({self.value(args[1])})"
        axes = summed_axes(operation)
        if axes is None or function is np.mean and x.dtype not in (FLOAT, np.float32):
            return None
        reduce = self.constant(REDUCTIONS[function].reduce)
        if axes == (0,) and operation.shape == ():
            expression = f"{reduce}({self.value(x)})"
        else:
            expression = f"{reduce}({self.value(x)}, {axes}, None, None, {len(operation.shape) == len(x.shape)})"
        return f"{expression} / {float(math.prod(x.shape[axis] for axis in axes))}" if function is np.mean else expression

    def general(self, operation: Operation) -> str:
        """The expression for any call. Numbers are divided and multiplied with operators, which take less time than ufuncs."""
        operands = operation.operands
        if operation.function in ARITHMETIC and operation.shape == () and not operation.kwargs:
            if all(v.dtype in (FLOAT, np.float32) for v in operands) and not all(v.is_weak for v in operands):
                return ARITHMETIC[operation.function].format(*map(self.expression, operation.args))
        return self.call(self.constant(operation.function), operation.args, operation.kwargs)


# ---- What operations are ---------------------------------------------------------------------------------------------


def is_number(value: Any) -> bool:
    """Whether a value is a float64 number, or a constant that counts as one among such numbers."""
    if isinstance(value, Variable):
        return value.shape == () and (value.dtype is float or value.dtype == FLOAT)
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**53)


def is_elementwise(operation: Operation) -> bool:
    """Whether it is a ufunc of one result, an array, that computes each element from one element of each operand."""
    function = operation.function
    is_ufunc = isinstance(function, np.ufunc) and function.nout == 1 and function.signature is None
    return is_ufunc and operation.shape != () and len(operation.args) == function.nin and not operation.kwargs


def is_product_of_matrices(operation: Operation) -> bool:
    """Whether a product is one of matrices or vectors of one floating dtype. Then `numpy.ndarray.dot` does the same in less time."""
    args, result = operation.args, operation.result
    return len(args) == 2 and not operation.kwargs and all(
        isinstance(x, Variable) and len(x.shape) in (1, 2) and x.dtype == result.dtype and x.dtype in (FLOAT, np.float32) for x in args
    )


def summed_axes(operation: Operation) -> tuple | None:
    """The axes over which a reduction goes. None if it is not a reduction, or has other options than axis and keepdims."""
    function, args, kwargs = operation.function, operation.args, operation.kwargs
    if function not in REDUCTIONS or len(args) > 2 or not set(kwargs) <= {"axis", "keepdims", "dtype"} or not isinstance(args[0], Variable):
        return None
    axis = args[1] if len(args) == 2 else kwargs.get("axis")
    ndim = len(args[0].shape)
    if kwargs.get("dtype") is not None or type(kwargs.get("keepdims", False)) is not bool or 0 in args[0].shape:
        return None
    return tuple(range(ndim)) if axis is None or not ndim else tuple(i % ndim for i in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def last_uses(operations: list[Operation], outputs: list[Variable]) -> dict[Variable, int]:
    """Return the number of the last operation that uses each value, or a value that may share memory with it."""
    last = {v: len(operations) for v in outputs}
    for i, operation in reversed(list(enumerate(operations))):
        end = i if not may_share(operation) else max([i, *(last.get(v, i) for v in operation.results)])
        last |= {v: max(last.get(v, end), end) for v in operation.operands}
    return last


# ---- Logarithms of sums ----------------------------------------------------------------------------------------------

FEW = 128  # For more elements than that, NumPy's functions with vector instructions take less time than others.


def without_logaddexp(recording: Recording) -> Recording:
    """Return the recording with vectorised functions in the place of `np.logaddexp` of a finite number and a large array.

    NumPy uses the same formula. The derivative has some of the same steps, which are then computed once.
    """
    operations: list[Operation] = []
    for operation in recording.operations:
        numbers: list[Any] = []
        if operation.function is np.logaddexp and not operation.kwargs and math.prod(operation.shape) > FEW:
            numbers = [x for x in operation.args if isinstance(x, (int, float)) and abs(x) <= np.finfo(operation.dtype).max]
        if not numbers or operation.operands[0].dtype != operation.dtype:
            operations.append(operation)
            continue

        def step(function: Any, *args: Any) -> Variable:
            result = Variable("", operation.shape, operation.dtype)
            operations.append(Operation(result, function, args, {}, operation.line, operation.part))
            return result

        (x,), (number,) = operation.operands, numbers
        small = step(np.log1p, step(np.exp, step(np.negative, step(np.absolute, step(np.subtract, x, number)))))
        operations.append(replace(operation, function=np.add, args=(step(np.maximum, x, number), small)))
    is_changed = len(operations) > len(recording.operations)
    return with_own_outputs(simplified(replace(recording, operations=operations))) if is_changed else recording


# ---- Sums of products ------------------------------------------------------------------------------------------------


def with_products(operations: list[Operation], outputs: list[Any]) -> list[Operation]:
    """Return the operations, with one operation in place of each product of vectors that is only summed."""
    uses = Counter([*(v for operation in operations for v in operation.operands), *variables(outputs)])
    factors = {
        operation.result: operation.args * (3 - len(operation.args))
        for operation in operations
        if operation.function in (np.multiply, np.square) and not operation.kwargs and len(operation.shape) == 1
        and uses[operation.result] == 1 and operation.dtype in (FLOAT, np.float32)
        and all(isinstance(x, Variable) and (x.shape, x.dtype) == (operation.shape, operation.dtype) for x in operation.args)
    }
    sums = {o: o.args[0] for o in operations if o.function in (np.sum, np.mean) and o.shape == () and summed_axes(o)}
    only_summed = factors.keys() & sums.values()
    new = []
    for operation in operations:
        v = sums.get(operation, operation.result)
        if v not in only_summed:
            new.append(operation)
        elif operation.function is np.sum:
            new.append(Operation(operation.result, sum_of_products, factors[v], {}, operation.line, operation.part))
        elif operation.function is np.mean:
            total = Variable("total", (), operation.dtype)
            new.append(Operation(total, sum_of_products, factors[v], {}, operation.line, operation.part))
            new.append(Operation(operation.result, np.divide, (total, float(v.shape[0])), {}, operation.line, operation.part))
    return new


BLOCK = 1024


def sum_of_products(a: np.ndarray, b: np.ndarray) -> Any:
    """Return the sum of the products of two vectors. The sums of blocks are added in pairs, so it is as exact as `np.sum`."""
    if len(a) <= 8 * BLOCK:
        return a.dot(b)
    end = len(a) // BLOCK * BLOCK
    blocks = np.vecdot(a[:end].reshape(-1, BLOCK), b[:end].reshape(-1, BLOCK))
    return np.add.reduce(blocks) + a[end:].dot(b[end:])


FRESH.add(sum_of_products)


# ---- Once more, slowly -----------------------------------------------------------------------------------------------


def again(recording: Recording, *inputs: Any, error: Exception | None = None) -> list:
    """Run the operations one by one, as NumPy computes them. This is the meaning of a recording.

    An error gets a note with the line of the user's program.
    """
    values = recording.constants | dict(zip(recording.inputs, inputs))
    for operation in recording.operations:
        try:
            y = operation.function(*replaced(operation.args, values.__getitem__), **replaced(operation.kwargs, values.__getitem__))
        except Exception as failure:
            failure.add_note(f"This operation was recorded in {operation.line}")
            raise failure from None
        values.update(zip(operation.results, y if isinstance(operation.result, tuple) else (y,)))
    if error is not None and not isinstance(error, ArithmeticError):
        raise error  # it is an error of the function that was compiled, and not of an operation
    return [values[leaf] if isinstance(leaf, Variable) else leaf for leaf in tree.leaves(recording.outputs)]
