"""Making mutants: copies of a source file that differ in one place.

A mutant is made from the syntax tree, but written as a replacement of one piece of the text. So comments, line breaks, and
the names of parameters stay as they are.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable


@dataclass(frozen=True)
class Mutant:
    """A source file with a fault in one place."""

    file: str  # relative to the root of the checkout
    kind: str  # what was done, such as "negate a condition"
    first: int  # the lines of the piece that was replaced, counted from 1
    last: int
    source: str  # the whole file, with the fault
    removed: tuple[str, ...]  # the lines that differ, without indentation
    added: tuple[str, ...]

    @property
    def diff(self) -> str:
        return "\n".join([*(f"- {line}" for line in self.removed), *(f"+ {line}" for line in self.added)])

    @property
    def key(self) -> tuple:
        return self.file, self.removed, self.added


# ---- Which mutants there are ----------------------------------------------------------------------------------------

OPERATORS = {
    **{ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "//", ast.Pow: "*"},
    **{ast.BitAnd: "|", ast.BitOr: "&", ast.MatMult: "*"},
}
COMPARISONS = {
    **{ast.Lt: ("<=", ">="), ast.LtE: ("<", ">"), ast.Gt: (">=", "<="), ast.GtE: (">", "<")},
    **{ast.Eq: ("!=",), ast.NotEq: ("==",), ast.Is: ("is not",), ast.IsNot: ("is",)},
    **{ast.In: ("not in",), ast.NotIn: ("in",)},
}
NAMES = {
    **{"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "argmax": "argmin", "any": "all"},
    **{"all": "any", "sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh", "zeros": "ones", "ones": "zeros"},
    **{"zeros_like": "ones_like", "sum": "prod", "real": "imag", "imag": "real", "triu": "tril", "tril": "triu"},
    **{"exp": "log", "log": "exp"},
    **{"less": "less_equal", "greater": "greater_equal", "isnan": "isinf", "isfinite": "isnan"},
}
NOT_MUTATED = {"__slots__", "__all__", "__doc__", "__version__"}
# Without these calls, or with their arguments swapped, almost every program fails at once. Such mutants show nothing.
NOT_DROPPED = {
    *("len", "type", "range", "zip", "map", "filter", "enumerate", "getattr", "hasattr", "setattr", "isinstance"),
    *("issubclass", "vars", "items", "keys", "values", "split", "any", "all", "sum", "max", "min", "next", "iter", "super"),
    *("shape", "ndim", "id", "partial", "get", "pop", "setdefault", "append", "update", "join", "signature", "repr", "eval"),
    *("import_module", "defvjp", "defconstant", "cache", "prod", "warn", "lru_cache"),
}


CLOSED = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Constant, ast.List, ast.Dict, ast.Set)  # need no parentheses
SYMBOLS = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"},
    **{ast.BitAnd: "&", ast.BitOr: "|", ast.MatMult: "@", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="},
    **{ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"},
}


class Places(ast.NodeVisitor):
    """Collects the possible replacements of a file: what is done, where the piece begins and ends, and the new text."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[tuple[str, int, int, str]] = []

    def span(self, node: ast.AST) -> tuple[int, int]:
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.AST) -> str:
        begin, end = self.span(node)
        text = self.source[begin:end].decode()
        is_closed = isinstance(node, CLOSED) or text.startswith("(") and isinstance(node, ast.Tuple)
        return text if is_closed else f"({text})"

    def put(self, kind: str, node: ast.AST, text: str) -> None:
        self.found.append((kind, *self.span(node), text))

    def put_between(self, kind: str, left: ast.AST, right: ast.AST, old: Iterable[str], new: str) -> None:
        """Replace the operator between two nodes."""
        begin, end = self.span(left)[1], self.span(right)[0]
        between = self.source[begin:end].decode()
        for operator in old:
            at = between.find(operator)
            if at >= 0:
                at += begin
                self.found.append((kind, at, at + len(operator), new))
                return

    def without(self, kind: str, nodes: list, index: int, spans: list) -> None:
        """Leave out one member of a list of nodes, and a comma next to it."""
        if index + 1 < len(spans):
            begin, end = spans[index][0], spans[index + 1][0]
        else:
            begin, end = spans[index - 1][1], spans[index][1]
        if b"#" not in self.source[begin:end]:
            self.found.append((kind, begin, end, ""))

    # Parts that are no code of minigrad's own: annotations, decorators, messages, docstrings.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in NOT_MUTATED for target in node.targets):
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.put("remove a check", node, "pass")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    # Statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.put("remove a call", node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self.generic_visit(node)

    def condition(self, test: ast.expr) -> None:
        self.put("negate a condition", test, f"not {self.text(test)}")
        self.put("take a condition for true", test, "True")
        self.put("take a condition for false", test, "False")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        operator = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.BitOr: "|="}.get(type(node.op))
        if operator:
            self.put_between("forget the old value", node.target, node.value, [operator], "=")
            if operator in ("+=", "-="):
                self.put_between("flip a sign", node.target, node.value, [operator], "-=" if operator == "+=" else "+=")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self.put("go on instead of returning", node, "pass")
        self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.put("change how a loop goes on", node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self.put("change how a loop goes on", node, "continue")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if isinstance(node.type, ast.Tuple):
            self.members(node.type)
        for statement in node.body:
            self.visit(statement)

    # Expressions

    def visit_BinOp(self, node: ast.BinOp) -> None:
        sides = node.left, node.right
        if not any(isinstance(x, ast.JoinedStr) or isinstance(getattr(x, "value", None), str) for x in sides):
            symbol = SYMBOLS.get(type(node.op))
            if type(node.op) in OPERATORS:
                kind = "flip a sign" if symbol in "+-" else "change an operator"
                self.put_between(kind, node.left, node.right, [symbol], OPERATORS[type(node.op)])
            self.put("drop a factor or a term", node, self.text(node.left))
            self.put("drop a factor or a term", node, self.text(node.right))
            if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
                self.put("swap arguments", node, f"({self.text(node.right)} {symbol} {self.text(node.left)})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            kind = "negate a condition" if isinstance(node.op, ast.Not) else "flip a sign"
            self.put(kind, node, self.text(node.operand))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators):
            for new in COMPARISONS[type(op)]:
                self.put_between("change a comparison", left, right, [SYMBOLS[type(op)]], new)
            if isinstance(right, (ast.Tuple, ast.List)):
                self.members(right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        spans = [self.span(value) for value in node.values]
        for left, right in zip(node.values, node.values[1:]):
            self.put_between("change a condition", left, right, [old], new)
        for index in range(len(spans)):
            rest = [self.text(value) for i, value in enumerate(node.values) if i != index]
            self.put("drop a part of a condition", node, f"({f' {old} '.join(rest)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.put("negate a condition", node.test, f"not {self.text(node.test)}")
        self.put("drop a case", node, self.text(node.body))
        self.put("drop a case", node, self.text(node.orelse))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        plain = [a for a in node.args if not isinstance(a, ast.Starred)]
        given = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if given in ("isinstance", "issubclass") and isinstance(node.args[1], ast.Tuple):
            self.members(node.args[1])
        if len(plain) >= 2 and len(plain) == len(node.args) and given not in NOT_DROPPED:
            for one, other in zip(plain, plain[1:]):
                (begin, middle), (start, end) = self.span(one), self.span(other)
                between = self.source[middle:start].decode()
                text = self.source[start:end].decode() + between + self.source[begin:middle].decode()
                self.found.append(("swap arguments", begin, end, text))
        if given not in NOT_DROPPED:
            if plain and plain[0] is node.args[0] and not isinstance(plain[0], (ast.GeneratorExp, ast.Lambda)):
                self.put("drop a call", node, self.text(plain[0]))
            elif not node.args and isinstance(node.func, ast.Attribute):
                self.put("drop a call", node, self.text(node.func.value))
        items = [*node.args, *node.keywords]
        spans = [self.span(item) for item in items]
        for index in range(len(node.args), len(items)):
            if len(items) > 1 and items[index].arg is not None:
                self.without("drop a keyword", items, index, spans)
        if given in NAMES:
            end = self.span(node.func)[1]
            self.found.append(("take another function", end - len(given), end, NAMES[given]))
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in ("T", "real", "imag", "mT"):
            self.put("drop a call", node, self.text(node.value))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load):
            self.put("drop an index", node, self.text(node.value))
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                self.put("shift an index", bound, "")
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, (ast.Constant, ast.UnaryOp)):
                self.put("shift an index", bound, f"{self.text(bound)} + 1")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if value is True or value is False:
            self.put("replace a constant", node, str(not value))
        elif isinstance(value, int):
            self.put("replace a constant", node, str(value + 1))
            if value:
                self.put("replace a constant", node, str(value - 1))
        elif isinstance(value, float):
            self.put("replace a constant", node, repr(2 * value) if value else "1.0")
            self.put("flip a sign", node, f"(-{value!r})")

    def members(self, node: ast.Tuple | ast.List | ast.Set) -> None:
        if len(node.elts) > 1 and not any(isinstance(member, ast.Starred) for member in node.elts):
            spans = [self.span(member) for member in node.elts]
            for index in range(len(spans)):
                if len(spans) > 2 or not isinstance(node, ast.Tuple):
                    self.without("drop a member", node.elts, index, spans)
                elif isinstance(node, ast.Tuple):
                    self.put("drop a member", node, f"({self.text(node.elts[1 - index])},)")

    def visit_Set(self, node: ast.Set) -> None:
        self.members(node)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        pairs = zip(node.keys, node.values)  # a key is None for **value
        spans = [(self.span(key or value)[0] - (0 if key else 2), self.span(value)[1]) for key, value in pairs]
        for index in range(len(spans)):
            if len(spans) > 1:
                self.without("drop a member", node.values, index, spans)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.put("take a condition for true", test, "True")
            self.put("negate a condition", test, f"not {self.text(test)}")
        self.generic_visit(node)


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Return all mutants of a file, in the order of their places. A few of them may be the same program, or no program."""
    data = source.encode()
    places = Places(data)
    places.visit(ast.parse(source))
    old = source.splitlines()
    found, seen = [], {source}
    for kind, begin, end, text in sorted(set(places.found), key=lambda place: place[1:]):
        changed = (data[:begin] + text.encode() + data[end:]).decode()
        if changed in seen:
            continue
        seen.add(changed)
        first, last = data.count(b"\n", 0, begin) + 1, data.count(b"\n", 0, end) + 1
        new = changed.splitlines()
        tail = len(old) - last
        added = new[first - 1:len(new) - tail]
        removed = tuple(line.strip() for line in old[first - 1:last])
        found.append(Mutant(file, kind, first, last, changed, removed, tuple(line.strip() for line in added)))
    return found


def is_fault(mutant: Mutant, source: str) -> bool:
    """Return whether a mutant is a program, and another one than its file."""
    try:
        return ast.dump(ast.parse(mutant.source)) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


# ---- Which mutants are chosen ---------------------------------------------------------------------------------------


def chosen(file: str, source: str, count: int, seed: int) -> list[Mutant]:
    """Return some of the mutants of a file. A mutant keeps its turn when other places of the file change."""

    def turn(mutant: Mutant) -> str:
        return hashlib.sha256(repr((seed, mutant.key)).encode()).hexdigest()

    taken, lines = [], set()
    for mutant in sorted(mutants_of(file, source), key=turn):
        if len(taken) < count and mutant.first not in lines and is_fault(mutant, source):
            taken.append(mutant)
            lines.add(mutant.first)
    return sorted(taken, key=lambda mutant: mutant.first)


def shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Return how many mutants each file gets. A file with four times as many places gets twice as many mutants."""
    weights = {file: size**0.5 for file, size in sizes.items()}
    return {file: min(sizes[file], round(total * weight / sum(weights.values()))) for file, weight in weights.items()}


# ---- Lists of mutants -----------------------------------------------------------------------------------------------


def read_list(path: Path) -> dict[tuple, str]:
    """Read a list of mutants. A paragraph has the file, the lines that are removed and added, and a reason."""
    listed = {}
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line.startswith("#")]
        if lines:
            removed = tuple(line[1:].strip() for line in lines[1:] if line.startswith("-"))
            added = tuple(line[1:].strip() for line in lines[1:] if line.startswith("+"))
            reason = " ".join(line for line in lines[1:] if line[0] not in "+-")
            listed[lines[0].strip(), removed, added] = reason
    return listed


def by_hand(file: str, source: str, removed: tuple[str, ...], added: tuple[str, ...]) -> Mutant | None:
    """Return the mutant that a list describes, or None if the file has no such lines (any more), or has them twice."""
    old = source.splitlines()
    stripped = [line.strip() for line in old]
    n = len(removed)
    at = [i for i in range(len(old) - n + 1) if tuple(stripped[i:i + n]) == removed]
    if len(at) != 1:
        return None
    i = at[0]
    indent = old[i][:len(old[i]) - len(old[i].lstrip())]
    changed = [*old[:i], *(indent + line for line in added), *old[i + n:]]
    return Mutant(file, "by hand", i + 1, i + n, "\n".join(changed) + "\n", removed, added)
