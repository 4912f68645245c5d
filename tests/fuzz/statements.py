"""The kinds of statements that a fuzzed program is made of. Each is a function that adds lines to a `Writer`.

`KINDS`, at the end, has their weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..minigrad import test_surface


class Impossible(Exception):
    """The statement cannot be written here."""


def is_numeric(value: Any) -> bool:
    """Whether it is a real or complex number, or an array of them."""
    return type(value) in (float, complex) or isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"


# ---- Operands -------------------------------------------------------------------------------------------------------


def some(w: Any) -> str:
    """A value that is differentiated. The newest come first."""
    return w.traced[-1 - w.pick(len(w.traced))]


def array(w: Any, least: int = 0, most: int = 9) -> str:
    """An array that is differentiated, with that many axes."""
    found = [
        n for n in w.traced if isinstance(w.env.get(n), np.ndarray) and least <= w.env[n].ndim <= most and w.env[n].size
    ]
    if found:
        return found[-1 - w.pick(len(found))]
    name = some(w)
    return {1: f"np.ravel({name})", 2: f"np.atleast_2d({name})"}.get(least, name)


def vector(w: Any) -> str:
    return array(w, 1, 1)


def matrix(w: Any) -> str:
    return array(w, 2, 2)


def square(w: Any) -> str:
    found = [n for n in w.traced if np.ndim(w.env.get(n)) == 2 and w.env[n].shape[0] == w.env[n].shape[1]]
    if found:
        return found[-1 - w.pick(len(found))]
    v = vector(w)
    return f"(np.outer({v}, {v}) + 3 * np.eye(np.size({v})))"


def value(w: Any, name: str) -> Any:
    """The value of an expression, in plain NumPy."""
    try:
        return eval(name, w.env)
    except Exception as error:
        raise Impossible from error


def constant(w: Any, shape: tuple | None = None, alike: str | None = None) -> str:
    """An array that is not differentiated. It may be changed later."""
    if shape is None:
        shape = np.shape(value(w, alike)) if alike else w.one_of([(3,), (2,), (2, 3), ()])
        shape = shape[w.pick(2) :] if shape else shape
    found = [
        n
        for n in w.constants
        if isinstance(w.env[n], np.ndarray) and w.env[n].shape == shape and w.env[n].dtype.kind in "fc"
    ]
    if found and w.chance(2):
        return w.one_of(found)
    dtype = w.one_of(w.palette)
    from .programs import numbers

    given = numbers(shape, w.pick(100), dtype.startswith("C"))
    text = f"np.array({given.tolist()}, {dtype})"
    forms = [text, text, text, text, f"np.asfortranarray({text})", f"np.repeat({text}, 2)[::2].reshape({shape})"]
    return w.define(w.one_of([*forms, f"memoryview({text})"] if shape else forms), False)


def integers(w: Any, size: int, below: int) -> str:
    """An array or list of integers: an index, or numbers of repetitions."""
    given = [w.pick(below) for _ in range(size)]
    return w.define(w.one_of(["np.array({})", "{}"]).format(given), False)


def later(w: Any) -> str:
    """A list whose first number a function looks up each time that it is called."""
    return w.define("[0.5, 2.0]", False)


def mask(w: Any, name: str) -> str:
    shape = np.shape(value(w, name))
    given = (np.arange(int(np.prod(shape))) * 7 + w.pick(5)) % 3 > 0
    return w.define(f"np.array({given.reshape(shape).tolist()})", False)


def number(w: Any) -> str:
    """A Python number, or one of NumPy's."""
    return w.one_of(["0.5", "1.5", "-0.75", "2", "{}(0.5)", "{}(1.25)", "np.array(0.75, {})"]).format(w.one_of(w.palette))


def operand(w: Any, alike: str) -> str:
    """Anything that may stand beside a value: differentiated, constant, or a number."""
    return [lambda: some(w), lambda: array(w), lambda: constant(w, alike=alike), lambda: number(w)][w.pick(4)]()


def positive(name: str) -> str:
    return f"({name} * {name} + 0.5)"


def within_one(name: str) -> str:
    return f"(0.5 * np.sin({name}))"


def axis(w: Any, name: str) -> str:
    ndim = np.ndim(value(w, name))
    return w.one_of(["", ", axis=None", *(f", axis={i}" for i in range(-ndim, ndim))])


# ---- Calls of functions ---------------------------------------------------------------------------------------------

EVERYWHERE = (
    "sin cos tanh arctan arcsinh square negative positive absolute conj real imag expm1 sinh cosh exp exp2 deg2rad sinc "
    "nan_to_num angle fabs sign floor rint i0 copy zeros_like ones_like"
).split()
POSITIVE = "sqrt log log2 log10 log1p reciprocal cbrt".split()
WITHIN_ONE = "arcsin arccos arctanh tan".split()
OF_TWO = (
    "add subtract multiply maximum minimum fmax fmin hypot arctan2 logaddexp logaddexp2 heaviside copysign divide power "
    "float_power remainder fmod divmod"
).split()
SIGNS = ["+", "-", "*", "/", "**", "%", "//", "@"]
REDUCTIONS = (
    "sum mean prod max min var std median ptp nansum nanmean nanmax nanvar nanprod cumsum cumprod nancumsum amax average "
    "linalg.norm flip sort trapezoid diff argmax cumulative_sum add.reduce multiply.reduce maximum.reduce logaddexp.reduce "
    "add.accumulate multiply.accumulate gradient fft.fft fft.rfft"
).split()


def elementwise(w: Any) -> None:
    x = some(w)
    name = w.one_of(EVERYWHERE + POSITIVE + WITHIN_ONE)
    given = positive(x) if name in POSITIVE else within_one(x) if name in WITHIN_ONE else x
    w.used.append(name)
    if name == "angle" and not np.all(w.env[x]):
        raise Impossible  # it jumps at 0, where the derivative is NaN
    w.define(f"np.{name}({given})")


def of_two(w: Any) -> None:
    x = some(w)
    name = w.one_of(OF_TWO + SIGNS)
    y = operand(w, x)
    first, second = (x, y) if w.pick(2) == 0 else (y, x)
    if name in ("divide", "/", "remainder", "%", "fmod", "divmod", "//"):
        second = positive(second)
    if name in ("power", "float_power", "**"):
        first, second = positive(first), second if w.pick(2) else "2"
    if name in ("arctan2", "hypot") and not np.all(value(w, f"np.hypot(np.abs({first}), np.abs({second}))")):
        raise Impossible  # at (0, 0), the derivative is NaN
    w.used.append(name)
    w.define(f"{first} {name} {second}" if name in SIGNS else f"np.{name}({first}, {second})")


def reduction(w: Any) -> None:
    x = array(w, w.pick(3))
    name = w.one_of(REDUCTIONS)
    options = f", where={mask(w, x)}" if w.chance(8) else axis(w, x) + w.one_of(["", ", keepdims=True"])
    w.used.append(name)
    made = w.define(f"np.{name}({x}{options})")
    if name in ("std", "linalg.norm") and np.min(np.abs(w.env[made]), initial=1.0) < 1e-3:
        raise Impossible  # a kink that has no neighbours on one side: the reference sees 0, and the derivative is NaN


def method(w: Any) -> None:
    x = array(w)
    name = w.one_of(
        "sum() mean(0) prod() max(-1) std() var(0) cumsum() clip(0.5,1.0) round(1) dot(K) trace() repeat(2) take(I) "
        "astype(T) copy('K') flatten('F') conj() __deepcopy__({}) ptp item".split()
    )
    if "K" in name and name.startswith("dot"):
        name = f"dot({constant(w, np.shape(value(w, x))[-1:])})"
    name = (
        name.replace("(I)", f"({integers(w, 2, 2)})") if "(I)" in name else name.replace("(T)", f"({w.one_of(w.palette)})")
    )
    w.used.append("ndarray." + name.partition("(")[0])
    made = w.define(f"{x}.{name}")
    if name == "std()" and np.min(w.env[made]) < 1e-3:
        raise Impossible


def of_surface(w: Any, name: str = "") -> None:
    """A call of the table of test_surface.py. Its numbers are moved a little by a value of the program."""
    name = name or w.one_of(NAMES)
    call = w.one_of(test_surface.CALLS[name])
    x = some(w)
    real = f"np.real({x})" if np.iscomplexobj(w.env[x]) else x

    def text(argument: Any) -> str:
        if isinstance(argument, test_surface.D):
            base, given = argument.value, x
            if not np.iscomplexobj(base):
                given = real
            if np.shape(base):
                moved = f"{constant_of(base)} + 0.125 * np.sin(np.resize({given}, {np.shape(base)}))"
            else:
                moved = f"{base!r} + 0.125 * np.sin(np.max({real}))"
            function = getattr(argument.through, "__name__", "")
            return f"symmetric({moved})" if function == "symmetric" else moved
        if isinstance(argument, np.ndarray):
            return constant_of(argument)
        if isinstance(argument, (list, tuple)):
            members = ", ".join(map(text, argument))
            return f"[{members}]" if isinstance(argument, list) else f"({members},)"
        if isinstance(argument, slice):
            return f"slice({text(argument.start)}, {text(argument.stop)}, {text(argument.step)})"
        if isinstance(argument, type):
            return "C128" if argument is np.complex128 else f"np.{argument.__name__}"
        if callable(argument):
            return argument.__name__
        return repr(argument)

    def constant_of(given: np.ndarray) -> str:
        wanted = np.isnan(given).any() if given.dtype.kind in "fc" else False
        numbers = repr(given.tolist()).replace("nan", "np.nan")
        dtype = ""
        if given.dtype.kind == "f":
            dtype = f", {w.palette[0]}" if not w.palette[0].startswith("C") else ", F64"
        line = f"np.array({numbers}{dtype})"
        return line if wanted else w.define(line, False)

    w.used.append(name)
    arguments = [text(argument) for argument in call.args]
    keywords = [f"{key}={text(argument)}" for key, argument in call.kwargs.items()]
    namespace, _, last = name.rpartition(".")
    if namespace == "ndarray":
        arguments[0] = f"({arguments[0]})"
        expression = of_array(last, arguments, keywords)
    else:
        library = "mnp" if name in test_surface.NOT_DISPATCHED else "np"
        expression = f"{library}.{name}({', '.join(arguments + keywords)})"
    w.define(expression if call.only is None else f"{expression}[{call.only}]")


OPERATORS = dict(add="+", sub="-", mul="*", truediv="/", pow="**", mod="%", matmul="@")


def of_array(name: str, arguments: list[str], keywords: list[str]) -> str:
    """A method or attribute of an array, as a program writes it."""
    word = name.strip("_")
    if name.startswith("__"):
        sign = OPERATORS.get(word) or OPERATORS.get(word[1:]) if word != "pos" else None
        if sign:
            return f"{arguments[0]} {sign} ({arguments[1]})"
        if "divmod" in word:
            return f"divmod({', '.join(arguments)})"
        if word in ("neg", "pos", "abs", "iter", "copy", "deepcopy"):
            return {
                "neg": "-{}",
                "pos": "+{}",
                "abs": "abs({})",
                "iter": "list({})",
                "copy": "{}.copy()",
                "deepcopy": "{}.__deepcopy__({{}})",
            }[word].format(arguments[0])
        return f"{arguments[0]}[{arguments[1]}]"
    if name in ("T", "mT", "real", "imag", "flat"):
        return f"{arguments[0]}.{name}" + ("[:]" if name == "flat" else "")
    return f"{arguments[0]}.{name}({', '.join(arguments[1:] + keywords)})"


NAMES = [name for name in test_surface.CALLS if name not in test_surface.LACKING]


def nested(w: Any) -> None:
    """Values among the members of a list, and constants beside them, which may change later."""
    v = vector(w)
    n = int(np.size(value(w, v)))
    m = matrix(w)
    rows, columns = np.shape(np.atleast_2d(value(w, m)))[:2]
    x = array(w)
    templates = {
        "einsum": lambda: w.one_of(
            [
                f"np.einsum('i,i->', {v}, {constant(w, (n,))})",
                f"np.einsum('i,i->i', {constant(w, (n,))}, {v})",
                f"np.einsum('ij,j->i', {m}, {constant(w, (columns,))})",
                f"np.einsum('ij,ik->jk', {m}, {constant(w, (rows, 2))})",
                f"np.einsum({v}, [0], {constant(w, (n,))}, [1], [0, 1])",
                f"np.einsum('i,i,i', {v}, {constant(w, (n,))}, {v})",
            ]
        ),
        "linalg.multi_dot": lambda: f"np.linalg.multi_dot([{constant(w, (2, rows))}, {m}, {constant(w, (columns,))}])",
        "gradient": lambda: f"np.gradient({v}, np.cumsum({positive(constant(w, (n,)))}))",
        "broadcast_arrays": lambda: f"np.broadcast_arrays({x}, {constant(w, alike=x)})",
        "atleast_1d": lambda: f"np.atleast_{w.one_of([1, 2])}d({x}, {constant(w)})",
        "meshgrid": lambda: f"np.meshgrid({v}, {constant(w, (2,))}, copy={w.one_of([True, False])}, indexing='ij')",
        "concatenate": lambda: f"np.{w.one_of(['concatenate', 'stack', 'hstack', 'vstack', 'dstack', 'column_stack'])}"
        f"([{v}, {constant(w, (n,))}])",
        "block": lambda: f"np.block([[{v}, {constant(w, (2,))}]])",
        "select": lambda: f"np.select([{mask(w, v)}], [{v}], {constant(w, ())})",
        "choose": lambda: f"np.choose({integers(w, n, 2)}, [{v}, {constant(w, (n,))}])",
        "piecewise": lambda: f"np.piecewise({v}, [{mask(w, v)}], [squared, minus_square])",
        "piecewise, later": lambda: f"np.piecewise({v}, [{mask(w, v)}], [lambda p: p * {later(w)}[0], lambda p: p / 2])",
        "apply_along_axis, later": lambda: f"np.apply_along_axis(lambda p: np.sin(p) * {later(w)}[0], 0, {x})",
        "where": lambda: f"np.where({mask(w, v)}, {v}, {constant(w, (n,))})",
        "interp": lambda: f"np.interp({v}, [-2.0, 0.0, 4.0], {constant(w, (3,))})",
        "histogram": lambda: f"np.histogram({constant(w, (n,))}, 2, weights={v})[0]",
        "bincount": lambda: f"np.bincount({integers(w, n, 3)}, weights={v})",
        "average": lambda: f"np.average({v}, weights={positive(constant(w, (n,)))})",
        "cov": lambda: f"np.cov({v}, {constant(w, (n,))})",
        "clip": lambda: f"np.clip({x}, {constant(w, ())} - 1, {constant(w, alike=x)})",
        "insert": lambda: f"np.insert({v}, {integers(w, 2, 2)}, {constant(w, (2,))})",
        "repeat": lambda: f"np.repeat({v}, {integers(w, n, 3)})",
        "roll": lambda: f"np.roll({m}, {integers(w, 2, 3)}, axis=(0, 1))",
        "take": lambda: f"np.take({x}, {integers(w, 2, 2)}, axis=-1)",
        "delete": lambda: f"np.delete({v}, {integers(w, 1, 2)})",
        "polyval": lambda: f"np.polyval({constant(w, (2,))}, {x})",
        "convolve": lambda: f"np.convolve({v}, {constant(w, (2,))}, {w.one_of(['full', 'same', 'valid'])!r})",
        "trapezoid": lambda: f"np.trapezoid({v}, {constant(w, (n,))})",
        "quantile": lambda: f"np.quantile({v}, np.abs({constant(w, (2,))}) / 4)",
        "tensordot": lambda: f"np.tensordot({m}, {constant(w, (columns, 2))}, axes=[[1], [0]])",
        "diff": lambda: f"np.diff({v}, prepend={constant(w, (1,))})",
        "add.reduceat": lambda: f"np.add.reduceat({v}, {integers(w, 2, min(2, n))})",
        "subtract.outer": lambda: f"np.{w.one_of(['subtract', 'power'])}.outer({positive(v)}, {constant(w, (2,))})",
        "ldexp": lambda: f"np.ldexp({v}, {integers(w, n, 3)})",
        "matmul": lambda: f"{m} @ {constant(w, (columns, 2))}",
        "vecdot": lambda: f"np.vecdot({v}, {constant(w, (2, n))})",
        "append": lambda: (
            f"np.append({v}, [{v}[0], 2.0, {number(w)}])" if w.chance(3) else f"np.append({v}, {constant(w, (2,))})"
        ),
        "pad": lambda: f"mnp.pad({v}, {integers(w, 2, 2)}, constant_values={constant(w, ())})",
        "split": lambda: f"np.split({v}, {integers(w, 1, n)})",
        "full_like": lambda: f"np.full_like({x}, {constant(w, ())}) * {x}",
        "ufunc.where": lambda: f"np.multiply({v}, {constant(w, (n,))}, where={mask(w, v)}, out=np.zeros_like({v}))",
        "ufunc.dtype": lambda: f"np.multiply({x}, {constant(w, alike=x)}, dtype={w.one_of(w.palette)})",
        "apply_along_axis": lambda: f"np.apply_along_axis(scaled, 0, {x})",
        "linspace": lambda: f"np.linspace({v}, {constant(w, (n,))}, 3)",
        "kron": lambda: f"np.kron({v}, {constant(w, (2,))})",
        "cross": lambda: f"np.cross({v}, {constant(w, (3,))})",
        "polyfit": lambda: f"np.polyfit(np.arange({n}.0), {v}, 1)",
        "linalg.solve": lambda: f"np.linalg.solve({constant(w, (n, n))} + 4 * np.eye({n}), {v})",
        "dot": lambda: f"np.dot({m}, {constant(w, (columns,))})",
        "vander": lambda: f"np.vander({v}, 3)",
        "outer": lambda: f"np.outer({v}, {constant(w, (2,))})",
    }
    name = w.one_of(list(templates))
    w.used.append(name.partition(".")[0] if name.startswith("ufunc") else name.partition(",")[0])
    w.define(templates[name]())


# ---- Views, names, and changes --------------------------------------------------------------------------------------


def place(w: Any, x: str) -> str:
    """An index for an array: a slice, a number, a mask, a list."""
    ndim = np.ndim(value(w, x))
    options = ["...", "()", "..., 0", "None"]
    if ndim:
        options += [
            "0",
            "-1",
            "1:",
            ":-1",
            "::-1",
            "::2",
            "0:2",
            "np.array([1, 0])",
            "[0, 0]",
            "..., ::-1",
            "slice(None, 2)",
            "..., None",
        ]
    if ndim > 1:
        options += [":, 0", "1, :2", "(0, 1)", ":, [1, 0]", "[0, 1], [1, 0]", ":, None, 0", "0, ..., 1", "1:, ::-1"]
    if ndim and w.chance(4):
        last = w.one_of(["slice(np.array(0), np.array(2))", "Index(1)", "slice(Index(0), None)", "(np.array([0, 1]), ...)"])
        return [lambda: mask(w, x), lambda: integers(w, 2, 2), lambda: w.define(last, False)][w.pick(3)]()
    return w.one_of(options)


VIEWS = (
    "{x}.T|{x}.reshape(-1)|{x}.ravel()|{x}.ravel('F')|{x}.ravel('K')|np.ravel({x})|np.flip({x})|{x}[...]|{x}.real|{x}.imag|"
    "np.squeeze({x})|np.expand_dims({x}, 0)|np.atleast_1d({x})|np.atleast_2d({x})|np.atleast_3d({x})|{x}.view()|{x}[()]|"
    "np.asarray({x})|np.diagonal({m})|np.diag({m})|{m}.swapaxes(0, 1)|np.moveaxis({m}, 0, -1)|np.rot90({m})|np.fliplr({m})|"
    "np.flipud({x})|np.rollaxis({m}, 1)|np.split({x}, 1)|np.array_split({x}, 2)|np.unstack({x})|np.broadcast_arrays({x})|"
    "np.broadcast_arrays({x}[:-1], {x}[1:])|np.meshgrid({v}, copy=False)|np.trim_zeros({v})|np.real({x})|np.imag({x})|"
    "list({x})|{x}.astype({t}, copy=False)|np.transpose({m}, {a})|np.reshape({x}, (-1,), order='F')|{x}.flat|"
    "np.broadcast_to({v}, (2, np.size({v})))|np.permute_dims({m}, (1, 0))|np.matrix_transpose({m})|np.reshape({x}, (1, -1))|"
    "{x}.astype({t}, order='C')|"
    "{x}.copy()|np.copy({x}, order='F')|np.nan_to_num({x}, copy=False)|np.conj({x})|{x}.squeeze()|np.linalg.diagonal({m})|"
    "np.vsplit({m}, [1])|np.hsplit({x}, [1])|np.split({v}, {c})|np.take({x}, [0], axis=0)|np.require({x})|np.tile({x}, 1)|"
    "np.roll({x}, 0)|np.positive({x})|{x} + 0|np.where(True, {x}, 0.0)|np.asfortranarray({x})|np.ascontiguousarray({x})|"
    "np.zeros_like({x})|np.zeros_like({x}, shape=(3,))|np.ones_like({x})|np.full_like({x}, 0.5)"
).split("|")


def view(w: Any) -> None:
    if w.pick(2) == 0:
        x = array(w)
        w.used.append("ndarray.__getitem__")
        w.define(f"{x}[{place(w, x)}]")
        return
    form = w.one_of(VIEWS)
    given = {
        "x": array,
        "m": matrix,
        "v": vector,
        "t": lambda w: w.one_of(w.palette),
        "a": lambda w: w.define("[1, 0]", False),
    }
    given["c"] = lambda w: w.define("np.array([1])", False)
    expression = form.format(**{letter: make(w) if "{%s}" % letter in form else "" for letter, make in given.items()})
    for name in ("asarray", "require", "asfortranarray", "ascontiguousarray"):
        expression = expression.replace(f"np.{name}", f"mnp.{name}")
    w.used.append(form.partition("(")[0].removeprefix("np.").replace("{x}.", "ndarray.").replace("{m}.", "ndarray."))
    w.define(expression)


def alias(w: Any) -> None:
    """A second name."""
    name = some(w)
    other = w.new("v")
    w.add(f"{other} = {name}")
    w.traced.append(other)


def write(w: Any) -> None:
    """A write into a value that is differentiated, or into a part of it."""
    w.used.append("write")
    y = array(w)
    where = place(w, y)
    part = f"{y}[{where}]"
    given = [
        lambda: number(w),
        lambda: some(w),
        lambda: constant(w, alike=y),
        lambda: f"np.sin({some(w)})",
        lambda: array(w),
    ][w.pick(5)]()
    small = f"0.5 * np.sin({given})"
    if w.chance(8):
        places = integers(w, 2, 2)
        w.add(f"np.multiply.at({y}, {places}, {given})")
        return
    if w.chance(8):
        chosen = mask(w, y)
        w.add(f"np.multiply({y}, {given}, out={y}, where={chosen})")
        return
    w.add(
        w.one_of(
            [
                f"{part} = {given}",
                f"{part} += {given}",
                f"{part} *= {given}",
                f"{y} += {given}",
                f"{y} *= {given}",
                f"{y} -= {small}",
                f"{part} /= {positive(given)}",
                f"{y} **= 2",
                f"{y}[1:] = {y}[:-1]",
                f"{y}[:-1] += {y}[1:]",
                f"{y}[...] = {y}[::-1]",
                f"{y}[[0, 1]] = {y}[[1, 0]]",
                f"{y}[0], {y}[-1] = {y}[-1], {y}[0]",
                f"{y}[0] = {y}[-1]\n{y}[-1] = 2.0",
                f"np.add({y}, {given}, out={y})",
                f"np.sin({y}, out={y})",
                f"np.add.at({y}, [0, 0], {given})",
                f"np.subtract.at({y}, 0, {given})",
                f"{y}.flat[1] = 0.5",
                f"{y}.flat[:] = 0.25 * {y}.flat[:] + {y}.flat[0]",
                f"{y}.real[...] = 0.5",
                f"{y}.imag[...] = {small}",
                f"{y}.T[0] = {given}",
                f"{y}.ravel()[0] = {given}",
                f"{y}.reshape(-1)[-1] *= {given}",
                f"for i in range(1, len({y})):\n    {y}[i] = {y}[i - 1] * 0.5",
                f"for row in {y}:\n    row *= 0.5",
                f"for row in list({y}):\n    row[...] = row[::-1]",
                f"for part in np.split({y}, 1):\n    part[0] = {given}",
                f"for part in np.array_split({y}, 2):\n    part *= {number(w)}",
                f"{y} @= 0.5 * np.eye({y}.shape[-1])",
                f"np.negative({part}, out={part})",
                f"{y}[{where}][...] = {given}",
            ]
        )
    )


def shuffled(w: Any) -> None:
    w.add(f"np.random.default_rng({w.pick(3)}).shuffle({array(w, 1)})")


def change(w: Any) -> None:
    """A change of something that an operation may have used: an array, list or dict."""
    w.used.append("change")
    if not w.constants:
        raise Impossible
    name = w.one_of(w.constants)
    value = w.env[name]
    if isinstance(value, list):
        line = w.one_of(["{}.reverse()", "{}[0] = 1", "{}.append(0)", "{}[:] = {}[::-1]", "{}.clear()"])
    elif isinstance(value, dict):
        line = w.one_of(["{}['w'] = 5.0", "{}['w'] *= 2", "{}.clear()"])
    elif isinstance(value, np.ndarray) and value.dtype.kind == "b":
        line = w.one_of(["{}[...] = ~{}", "{}[...] = True", "{}.flat[0] ^= True"])
    elif isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        line = w.one_of(["{}[...] = 0", "{} -= {}", "{}[...] = 1 - {}", "{}.sort()"])
    elif isinstance(value, np.ndarray):
        line = w.one_of(
            [
                "{}[...] = 3.0",
                "{} += 1",
                "{} *= -1",
                "{}.flat[0] = 7.0",
                "{}.fill(0.5)",
                "{}[...] = {}[::-1].copy()",
                "{}.sort()",
            ]
        )
    elif isinstance(value, memoryview):
        line = w.one_of(["np.asarray({})[...] = 3.0", "{}[0] = {}[-1]"])
    elif isinstance(value, (slice, tuple)) or hasattr(value, "number"):
        line = w.one_of(["{}.stop[...] = 1", "{}.number = 0", "{}.start.number = 1", "{}[0][...] = 1"])
    else:
        raise Impossible
    w.add(line.replace("{}", name))


def other_name(w: Any) -> None:
    """A view or a second name of a constant: to change one changes both."""
    arrays = [name for name in w.constants if isinstance(w.env[name], np.ndarray)]
    if not arrays:
        raise Impossible
    name = w.one_of(arrays)
    w.define(w.one_of(["{}", "{}[::-1]", "{}.T", "{}[...]", "{}.reshape(-1)", "{}.view()"]).format(name), False)


# ---- Functions ------------------------------------------------------------------------------------------------------


def inner_function(w: Any, name: str, may_write: bool, is_number: bool) -> None:
    """A function of p that uses values from outside."""
    outside = some(w)
    lines = []
    if may_write and w.chance(2):
        y = array(w)
        lines.append(
            w.one_of([f"{y}[0] = {y}[-1] * np.sum(p)", f"{y} *= 0.5", f"{y}[...] = np.sum(p)", f"{y}.reshape(-1)[0] = 0.5"])
        )
    if w.chance(4):
        lines.append(w.one_of(["p = p + 0\np[...] = p[::-1] * 2", "p = p * 1\np *= p", "p[0] = 0.5", "p *= 0.5"]))
    lines.append(f"q = {w.one_of(['np.sin(p)', 'p * p', 'np.tanh(p) * p', 'np.exp(0.25 * p)', 'np.cumsum(p)'])}")
    lines.append(
        w.one_of(
            [
                f"q = q * {outside}",
                f"q = q + {constant(w)}",
                f"q = q * np.sum({outside})",
                "q = np.ravel(q)[::-1]",
                "q = q * 2",
            ]
        )
    )
    if w.chance(4):
        lines.append(f"q = q * {w.one_of(w.constants)}" if w.constants else "q[...] *= 2")
    lines.append(
        w.one_of(
            [
                f"q = q + np.einsum('i,i->', np.ravel(p), np.ravel({outside}))",
                f"q = np.stack([q, q * {outside}])",
                "q = q * 1",
            ]
        )
    )
    if may_write and w.chance(4):
        lines.append(w.one_of([f"{outside} *= 0.5", f"{outside}[...] = 2.0"]))
    lines.append("return np.real(np.sum(q))" if is_number else "return q")
    w.add(f"def {name}(p):\n" + "\n".join("    " + part for line in lines for part in line.split("\n")))


def closure(w: Any) -> None:
    """A function that uses and writes values from outside; as it is, or differentiated."""
    w.used.append("closure")
    name = w.new("f")
    is_nested = w.is_wide and w.pick(2) == 1
    inner_function(w, name, True, is_nested)
    x = array(w) if w.pick(3) else constant(w)
    call = f"grad({name})({x})" if is_nested else f"{name}({x})"
    if is_nested:
        w.used.append("grad")
        w.is_rough = True
    w.define(call)
    if w.chance(3):
        w.define(call)


def checkpointed(w: Any) -> None:
    """A function that is computed again in the backward pass. Its argument may be another's alias."""
    w.used.append("checkpoint")
    name = w.new("f")
    x, y = array(w), array(w)
    body = w.one_of(
        [
            "np.sin(p) * q",
            "p * q + p",
            "np.ravel(p, 'K')",
            "np.exp(0.25 * p) * np.sum(q)",
            "p",
            "[p * 2, q]",
            "p.reshape(-1)",
        ]
    )
    first = w.one_of(["", "", "", "    p = p + 0\n    p *= 2\n", "    p[...] = 0.5 * q\n", "    q = q[::-1]\n"])
    w.add(f"def {name}(p, q):\n{first}    return {body}")
    other = constant(w, alike=x) if w.chance(4) else w.one_of([y, x, f"{x}[::-1]"])
    if other in w.constants and "q]" in body:
        raise Impossible  # minigrad returns a copy of a constant, and NumPy the constant itself
    w.define(f"checkpoint({name})({x}, {other})")


def own_rule(w: Any) -> None:
    """A function with a derivative of its own. It may return the same buffer each time, and write into its cotangent."""
    x = array(w)
    n = np.shape(value(w, x))
    name, buffer = w.new("f"), w.new("buffer")
    same = w.pick(2) == 1
    compute = f"    {buffer}[...] = np.exp(0.25 * p)\n    return {buffer}" if same else "    return np.exp(0.25 * p)"
    if same:
        w.add(f"{buffer} = np.empty({n}, np.result_type({x}))")
    if w.pick(2):
        w.used.append("primitive")
        rule = w.one_of(["lambda g, y: 0.25 * g * y", "lambda g, p: 0.25 * g * np.exp(0.25 * p)"])
        w.add(f"@primitive\ndef {name}(p):\n{compute}\n\n\ndefvjp({name}, p={rule})")
    else:
        w.used.append("custom_vjp")
        back = w.one_of(
            ["return (0.25 * g * y,)", "g *= 0.25\n    g *= y\n    return (g,)", "y *= 0.25 * g\n    return (y,)"]
        )
        forward = f"y = {name}(p)\n    return y, y" if w.pick(2) else "y = np.exp(0.25 * p)\n    return y, y"
        w.add(
            f"@custom_vjp\ndef {name}(p):\n{compute}\n\n\ndef {name}_forward(p):\n    {forward}\n\n\n"
            f"def {name}_backward(y, g):\n    {back}\n\n\n{name}.defvjp({name}_forward, {name}_backward)"
        )
    w.define(f"{name}({x}) * 1")
    w.define(f"{name}({w.one_of([x, f'{x}[::-1]', f'2 * {x}'])}) + 0")


def with_dict(w: Any) -> None:
    """A function of one's own with a dict among its arguments, which may change later."""
    w.used.append("primitive")
    name, parts = w.new("f"), w.new("k")
    x = array(w)
    w.add(
        f"@primitive\ndef {name}(p, parts):\n    return p * parts['w']\n\n\n"
        f"defvjp({name}, p=lambda g, parts: g * parts['w'])"
    )
    w.add(f"{parts} = {{'w': {constant(w, alike=x)}}}")
    w.constants.append(parts)
    w.define(f"{name}({x}, {parts})")


def stopped(w: Any) -> None:
    w.used.append("stop_gradient")
    w.define(f"stop_gradient({some(w)}) * {some(w)}")


KINDS = {
    elementwise: 6,
    of_two: 8,
    of_surface: 16,
    nested: 14,
    view: 14,
    write: 16,
    change: 10,
    reduction: 5,
    method: 3,
    alias: 3,
    other_name: 2,
    closure: 5,
    checkpointed: 3,
    own_rule: 3,
    with_dict: 1,
    stopped: 1,
    shuffled: 1,
}
