"""Write into a chapter of the tour what it prints: `python tests/examples/fill.py examples/07_a_small_network.py`.

Each group of lines that begin with "# prints:" is replaced by what was printed since the group before. Look at the
difference before you keep it: the tests hold the chapter against these lines, and cannot tell whether they are right.
"""

import ast
import contextlib
import io
import sys
from pathlib import Path


def printed_by_statements(path):
    """Run a program. Return what its statements print, by the number of their last lines."""
    source = path.read_text(encoding="utf-8")
    namespace, printed = {"__name__": "__main__", "__file__": str(path)}, {}
    for statement in ast.parse(source).body:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(ast.Module([statement], []), str(path), "exec"), namespace)
        printed[statement.end_lineno] = output.getvalue()
    return printed


def filled(path):
    """Return the text of a program with the lines that it prints."""
    lines, waiting = [], ""
    printed = printed_by_statements(path)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        waiting += printed.get(number, "")
        if not line.startswith("# prints:"):
            lines.append(line)
        else:
            lines += [f"# prints: {text}".rstrip() for text in waiting.splitlines()]
            waiting = ""
    if waiting:
        sys.exit(f"{path}: no line with '# prints:' follows what is printed last:\n{waiting}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.argv = [name]  # as a chapter that looks at its arguments expects them
        Path(name).write_text(filled(Path(name)), encoding="utf-8")
