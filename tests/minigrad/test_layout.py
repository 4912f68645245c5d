"""How the source is laid out: which module knows which other, and how long each file is.

The core is read from the bottom up: the graph, the table, the Tensor, grad. So a module may import only what comes
before it. The list of layers below is that order.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import minigrad

from .support import cases

ROOT = Path(__file__).parents[2]

# The modules of minigrad, from the bottom up; a folder counts as one. Each may import what stands before it.
LAYERS = [
    "libraries",
    "operands",
    "memory",
    "guards",
    "graph",
    "table",
    "conversions",
    "views",
    "flat",
    "methods",
    "tensor",
    "containers",
    "tree",
    "functions",
    "arguments",
    "rules",
    "inplace",
    "ufunc_calls",
    "boundary",
    "grad",
    "transforms",
    "calls",
    "custom",
    "checkpoints",
    "fast_backward",
    "fast",
    "polynomial",
    "numpy",
    "scipy",
    "coverage",
    "parts",
    "inside",
    "programs",
    "crosscheck",
]
OPTIONAL = {"fast", "fast_backward"}  # the core does without it
CORE = ("graph", "table", "tensor", "grad")

# The imports inside of functions, and why they are there.
LATE_IMPORTS = {
    ("minigrad.numpy", "minigrad.polynomial"): "it loads numpy.polynomial, which NumPy too loads at its first use only",
    ("minigrad.containers", "dataclasses"): "it takes a fiftieth of the time that importing NumPy does, and few need it",
    ("minigrad.inside.drawing", "matplotlib.figure"): "only drawing needs matplotlib",
    ("minigrad.inside.drawing", "matplotlib.patches"): "only drawing needs matplotlib",
    ("minigrad.inside.drawing", "matplotlib.path"): "only drawing needs matplotlib",
    ("minigrad.inside.crosscheck", "jax.experimental"): "it is optional: without it, the table has no column of JAX",
    ("minigrad.inside.crosscheck", "jax.numpy"): "it is optional",
    ("minigrad.inside.crosscheck", "jax.scipy.special"): "it is optional",
    ("linear.pandas_files", "pandas"): "it is optional: only files that are no text need it",
    ("linear.pandas_files", "pyarrow.dataset"): "it is optional: only the files of Arrow need it",
    ("minigrad.programs.jit", "minigrad.programs.numba_backend"): "it needs Numba, which is optional",
    ("linear.large_files", "pyarrow"): "it is optional: only Parquet's files need it",
    ("linear.large_files", "pyarrow.parquet"): "it is optional: only Parquet's files need it",
    ("linear.large_files", "pyarrow.types"): "it is optional: only Parquet's files need it",
    ("linear.many_rows", "distributed"): "it is optional: only a cluster of Dask needs it",
    ("linear.report", "jax"): "it is optional: the report compares gradients with it, where it is installed",
    ("linear.methods", "scipy.optimize"): "it is optional: only L-BFGS needs it",
    ("linear.ways", "scipy.optimize"): "it is optional: the command says so before the training",
    ("linear.__main__", "linear.pictures"): "it needs matplotlib, which --no-pictures does without",
}

# ---- Reading imports ------------------------------------------------------------------------------------------------


def module_in(path):
    """The full name of the module in a file; that of a package is in its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = [path for package in ("minigrad", "linear") for path in sorted((ROOT / package).rglob("*.py"))]
SOURCES = {module_in(path): path.read_text(encoding="utf-8") for path in PATHS}
FOLDERS = {module for module in SOURCES if any(other.startswith(f"{module}.") for other in SOURCES)}


def imported_by(node, module, modules, folders):
    """The modules that an import statement names, as full names. Those of other packages are among them."""
    if isinstance(node, ast.Import):
        return {name.name for name in node.names}
    start = node.module or ""
    if node.level:
        package = module.split(".") if module in folders else module.split(".")[:-1]
        package = package[: len(package) - node.level + 1]
        start = ".".join([*package, start] if start else package)
    named = {f"{start}.{name.name}" for name in node.names}
    return {name if name in modules else start for name in named}


def imports(module, modules=SOURCES, folders=FOLDERS, within_functions=False):
    """All modules that a module imports, anywhere, or within its functions only."""
    tree = ast.parse(modules[module])
    places = [tree]
    if within_functions:
        places = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    nodes = [node for place in places for node in ast.walk(place) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return set().union(*(imported_by(node, module, modules, folders) for node in nodes))


def graph_of(modules, folders):
    """For each module, those of the same packages that it imports."""
    return {module: imports(module, modules, folders) & set(modules) - {module} for module in modules}


GRAPH = graph_of(SOURCES, FOLDERS)


def circle_in(graph):
    """The modules of a circle of imports, in order; an empty list, if there is none."""
    finished = set()

    def search(module, path):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in finished:
            return []
        found = next(filter(None, (search(other, [*path, module]) for other in sorted(graph[module]))), [])
        finished.add(module)
        return found

    return next(filter(None, (search(module, []) for module in graph)), [])


def layer_of(module):
    """How high a module stands. The packages themselves know all their modules, and `linear` stands on minigrad."""
    package, _, rest = module.partition(".")
    if package == "linear" or not rest:
        return len(LAYERS) + (package == "linear")
    return LAYERS.index(rest.partition(".")[0])


def rising(graph):
    """The imports of what stands higher, or equally high in another module; each as a sentence."""
    pairs = [(module, other) for module in graph for other in sorted(graph[module])]
    return [
        f"{module} imports {other}, which stands above it"
        for module, other in pairs
        if layer_of(other) > layer_of(module) or other == "minigrad" and module.startswith("minigrad.")
    ]


def not_public(modules):
    """The imports of what minigrad does not list in `__all__`, by modules of other packages; each as a sentence."""
    found = []
    for module, source in modules.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module == "minigrad":
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and f"{node.module}.".startswith("minigrad."):
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names if name.name.startswith("minigrad.")]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "minigrad":
                names = [node.attr]
            else:
                continue
            found += [f"{module} imports {name}, which is not public" for name in names if name not in minigrad.__all__]
    return found


# ---- Imports --------------------------------------------------------------------------------------------------------


def test_no_module_imports_itself_by_way_of_others():
    circle = circle_in(GRAPH)
    assert not circle, " imports ".join(circle)


def test_every_module_has_a_layer():
    names = {module.split(".")[1] for module in SOURCES if module.startswith("minigrad.")}
    assert names | OPTIONAL == set(LAYERS)


def test_imports_run_down():
    found = rising(GRAPH)
    assert not found, "\n".join(found)


def test_nobody_but_the_package_imports_fast():
    def is_part_of_it(module):
        return f"{module}.".startswith(("minigrad.fast.", "minigrad.fast_backward."))

    knowing = [module for module in GRAPH if any(map(is_part_of_it, GRAPH[module])) and not is_part_of_it(module)]
    assert set(knowing) <= {"minigrad"}


def test_minigrad_does_not_know_the_programs_that_use_it():
    known = {other.partition(".")[0] for module in GRAPH if module.startswith("minigrad") for other in GRAPH[module]}
    assert known == {"minigrad"}


def test_linear_imports_public_names_only():
    found = not_public({module: source for module, source in SOURCES.items() if module.startswith("linear")})
    assert not found, "\n".join(found)


def test_imports_inside_of_functions_are_few():
    late = {(module, other) for module in SOURCES for other in imports(module, within_functions=True)}
    assert late == LATE_IMPORTS.keys()


def test_nothing_is_imported_by_a_call():
    hidden = {"__import__", "import_module"}
    assert {module for module in SOURCES if hidden & {token.string for token in code_tokens(SOURCES[module])}} == {"minigrad"}  # its tools are loaded late


@cases({
    "relative": ("from .table import rule_of", {"m.table"}),
    "a module": ("from . import table", {"m.table"}),
    "a name of the package": ("from . import __version__", {"m"}),
    "two": ("from . import table, rules", {"m.table", "m.rules"}),
    "in a folder": ("from .rules.sums import total", {"m.rules.sums"}),
    "a module in a folder": ("from .rules import sums", {"m.rules.sums"}),
    "absolute": ("from m.table import rule_of", {"m.table"}),
    "absolute, a module": ("from m import table", {"m.table"}),
    "plain": ("import m.rules.sums as s, numpy", {"m.rules.sums", "numpy"}),
    "in a function": ("def f():\n    from . import table", {"m.table"}),
    "other package": ("from numpy.linalg import inv", {"numpy.linalg"}),
})
def test_imports_are_found(case):
    source, expected = case
    modules = {"m": "", "m.here": source, "m.table": "", "m.rules": "", "m.rules.sums": source.replace("from .", "from ..")}
    assert imports("m.here", modules, {"m", "m.rules"}) == expected
    assert imports("m.rules.sums", modules, {"m", "m.rules"}) == expected


def test_circles_and_rising_imports_are_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert rising({"minigrad.graph": {"minigrad.tensor"}}) == ["minigrad.graph imports minigrad.tensor, which stands above it"]
    assert rising({"minigrad.grad": {"minigrad"}}) == ["minigrad.grad imports minigrad, which stands above it"]
    assert len(rising({"minigrad.tensor": {"minigrad.rules.sorting"}})) == 1
    assert rising({"minigrad.rules.sorting": {"minigrad.tensor", "minigrad.rules.shaping"}, "linear.model": {"minigrad"}}) == []
    for source in ("from minigrad.graph import Node", "import minigrad.graph", "from minigrad import guards", "minigrad.guards"):
        assert len(not_public({"linear.model": source})) == 1
    assert not_public({"linear.model": "import minigrad\nfrom minigrad import grad\nminigrad.vjp"}) == []


# ---- Lines ----------------------------------------------------------------------------------------------------------


def code_tokens(source):
    """The tokens of a source without comments, docstrings, and what only lays it out."""
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                docstrings |= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout and not (token.type == tokenize.STRING and token.start[0] in docstrings):
            yield token


def lines_of_code(source):
    """How many lines have code in them."""
    text = source.splitlines()
    lines = {i for token in code_tokens(source) for i in range(token.start[0], token.end[0] + 1)}
    return sum(bool(text[i - 1].strip()) for i in lines)


FOLDER = ROOT / "minigrad"
LINES = {path.name: lines_of_code(SOURCES[module_in(path)]) for path in FOLDER.glob("*.py") if path.name != "__init__.py"}
ROW = re.compile(r"^\| \[([^\]]+)\]\(\1\) \| (\d+) \| \S.* \|$", re.MULTILINE)


def lines_in(name):
    """How many lines of code a file of minigrad has, or all files in a folder."""
    return sum(lines_of_code(SOURCES[module_in(path)]) for path in PATHS if FOLDER / name in (path, *path.parents))


def test_the_readme_gives_the_lines_of_code_of_each_file():
    rows = ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    given = {name: int(number) for name, number in rows}
    assert len(given) == len(rows), "a file has two rows"
    expected = {name: lines_in(name) for name in given} | LINES
    wrong = [name for name in sorted(expected) if given.get(name) != expected[name]]
    assert not wrong, "\n".join(f"{name} has {expected[name]} lines, and its row says {given.get(name)}" for name in wrong)


def test_the_core_is_small():
    assert sum(LINES[f"{module}.py"] for module in CORE) <= 385


@pytest.mark.parametrize("module", CORE)
def test_the_core_does_not_mention_fast(module):
    assert [token.string for token in code_tokens(SOURCES[f"minigrad.{module}"]) if "fast" in token.string.lower()] == []


@cases({
    "code": ("x = 1\ny = 2\n", 2),
    "blanks and comments": ("# a\n\nx = 1  # b\n\n    # c\n", 1),
    "docstrings": ('"""A\n\nB"""\nclass A:\n    """C"""\n    def f(self):\n        """D\n        E"""\n        return 1\n', 3),
    "a function with a docstring alone": ('def f():\n    """A."""\n', 1),
    "async": ('async def f():\n    """A."""\n    return 1\n', 2),
    "other strings": ('x = """a\n\nb\n"""\n"c"\n', 4),
    "a string after the docstring": ('"""A"""\n"b"\n', 1),
    "several lines": ("x = (\n    1,  # one\n\n    # two\n    2,\n)\n", 4),
    "a backslash": ("x = 1 + \\\n    2\n", 2),
    "several statements": ("x = 1; y = 2\n", 1),
    "f-string": ('x = f"""{1}\n{2}"""\n', 2),
})
def test_lines_of_code_are_counted(case):
    source, expected = case
    assert lines_of_code(source) == expected


def test_rows_are_found():
    text = "| file | lines | what |\n| --- | --- | --- |\n| [a.py](a.py) | 85 | what it holds |\n| [b](c) | 3 | other |\n"
    assert ROW.findall(text) == [("a.py", "85")]
