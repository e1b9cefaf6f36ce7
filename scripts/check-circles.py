#!/usr/bin/env python3
"""Finds files that import each other in a circle.

Reads the Rust files below `crates/*/src` and the Python files below `clients/python/src`, and draws a graph: a file leads to
another when it names something that the other one defines. A name that a module only passes on (`pub use`) leads to the file that
defines it. What a Rust file names of the modules that it lies in does not count: it is a part of them. Tests do not count. In
Python, imports within functions and below `if TYPE_CHECKING:` count like all others.

Every circle of more than LARGEST files is printed with the names that tie it, and the exit code is 1. Two files may need each
other: a type and the module that builds it.

    scripts/check-circles.py           # checks the repository
    scripts/check-circles.py --test    # checks itself
"""

import ast
import collections
import doctest
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Files that may form a circle.
LARGEST = 2

COMMENT = re.compile(r"//[^\n]*")
TEXT = re.compile(r'b?r(#+)".*?"\1|b?"(?:\\.|[^"\\])*"', re.DOTALL)
CHARACTER = re.compile(r"b?'(?:\\.[^']*|[^'\\])'")
TEST_ITEM = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))? )?(?:mod|fn|struct|enum|impl|use|const|type|trait)\b[^;{]*([;{])")
TEST_MODULE = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod (\w+);")
USE = re.compile(r"(?:^|(?<=[\s;{}]))(pub(?:\([^)]*\))? )?use ([^;]+);")
PATH = re.compile(r"(?<![\w:])\w+(?:::\w+)+")


def without_tests(source):
    """The code of a Rust file without comments, texts and what only tests have.

    >>> without_tests('use a::b; // c\\n#[cfg(test)]\\nmod tests { fn f() { "}" } }\\nfn g() {}')
    'use a::b; \\n\\nfn g() {}'
    """
    code = COMMENT.sub("", CHARACTER.sub("' '", TEXT.sub('""', source)))
    while found := TEST_ITEM.search(code):
        end = found.end()
        if found.group(1) == "{":
            depth = 1
            while depth and end < len(code):
                depth += {"{": 1, "}": -1}.get(code[end], 0)
                end += 1
        code = code[: found.start()] + code[end:]
    return code


def expanded(tree):
    """The paths of a `use`, each with the name it has afterwards.

    >>> expanded("crate::a::{self, B, c::{D as E, *}}")
    [('crate::a', 'a'), ('crate::a::B', 'B'), ('crate::a::c::D', 'E'), ('crate::a::c::*', '*')]
    """
    tree = " ".join(tree.split())
    head, brace, rest = tree.partition("{")
    if not brace:
        path, _, alias = tree.partition(" as ")
        path = path.strip().removesuffix("::self")
        return [(path, alias.strip() or path.rsplit("::", 1)[-1])]
    parts, depth, begin = [], 0, 0
    rest = rest[: rest.rindex("}")]
    for index, character in enumerate(rest + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(rest[begin:index].strip())
            begin = index + 1
    return [found for part in parts if part for found in expanded(head.strip() + part)]


class Module:
    """A file of a crate."""

    def __init__(self, file, code):
        self.file = file
        uses = USE.findall(code)
        self.body = USE.sub("", code)
        self.imports = [each for public, tree in uses if not public for each in expanded(tree)]
        self.passed_on = {name: path for public, tree in uses if public for path, name in expanded(tree) if name != "*"}
        self.all_passed_on = [path.removesuffix("::*") for public, tree in uses if public for path, name in expanded(tree) if name == "*"]
        self.names_in_body = set(re.findall(r"\w+", self.body))


class Crate:
    """The files of a crate by the path of their module."""

    def __init__(self, source):
        files = {}
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            files[parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts] = file
        texts = {path: file.read_text(encoding="utf-8") for path, file in files.items()}
        tests = {path + (name,) for path, text in texts.items() for name in TEST_MODULE.findall(text)}
        is_test = lambda path: any(path[: len(test)] == test for test in tests)
        self.modules = {
            path: Module(file, without_tests(texts[path])) for path, file in files.items() if not is_test(path)
        }

    def definer(self, module, path, seen=()):
        """The module that defines what a path names in a module, and the name; `None` for other crates."""
        first, *rest = path
        if first == "crate":
            at = ()
        elif first == "self":
            at = module
        elif first == "super":
            at, rest = module[:-1], rest
            while rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
        elif module + (first,) in self.modules:
            at = module + (first,)
        else:
            return None
        for index, name in enumerate(rest):
            if at + (name,) in self.modules:
                at += (name,)
                continue
            here = self.modules.get(at)
            if here is None:
                return None
            if name in here.passed_on and (at, name) not in seen:
                onward = here.passed_on[name].split("::") + rest[index + 1 :]
                return self.definer(at, onward, (*seen, (at, name))) or (at, name)
            return at, name
        return at, path[-1]

    def edges(self):
        """For every file the files that it needs, each with the names that it needs of it."""
        edges = collections.defaultdict(lambda: collections.defaultdict(set))
        for path, module in self.modules.items():
            named = [each for each, _ in module.imports]
            named += PATH.findall(module.body)
            named += [full for name, full in module.passed_on.items() if name in module.names_in_body]
            for each in named:
                found = self.definer(path, each.removesuffix("::*").split("::"))
                if found is not None and found[0] in self.modules and found[0] != path[: len(found[0])]:
                    edges[module.file][self.modules[found[0]].file].add(found[1])
        return edges


def python_edges(source):
    """The same for a Python package: what `from .x import y` and `import x` name, wherever they stand."""
    files = {}
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        files[parts[:-1] if parts[-1] == "__init__" else parts] = file
    edges = collections.defaultdict(lambda: collections.defaultdict(set))
    for path, file in files.items():
        package = path if file.name == "__init__.py" else path[:-1]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom):
                continue
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple((node.module or "").split(".")) if node.module else ()
            for alias in node.names:
                target = files.get((*base, alias.name)) or files.get(base)
                if target not in (None, file):
                    edges[file][target].add(alias.name)
    return edges


def circles(edges):
    """Sets of nodes that all lead to each other (Tarjan), of two nodes and more.

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"e"}})
    [['a', 'b', 'c'], ['d', 'e']]
    """
    numbers, lowest, stack, found = {}, {}, [], []

    def visit(node):
        numbers[node] = lowest[node] = len(numbers)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == numbers[node]:
            begin = stack.index(node)
            circle = sorted(stack[begin:])
            del stack[begin:]
            if len(circle) > 1:
                found.append(circle)

    for node in list(edges):
        if node not in numbers:
            visit(node)
    return sorted(found)


def main():
    failures = doctest.testmod().failed
    if failures or "--test" in sys.argv[1:]:
        return min(failures, 1)
    sys.setrecursionlimit(10_000)
    graphs = [Crate(source).edges() for source in sorted(ROOT.glob("crates/*/src"))]
    graphs.append(python_edges(ROOT / "clients/python/src"))
    large = 0
    for edges in graphs:
        for circle in circles(edges):
            if len(circle) <= LARGEST:
                continue
            large += 1
            print(f"{len(circle)} files import each other in a circle:")
            for file in circle:
                for other, names in sorted(edges[file].items()):
                    if other in circle:
                        print(f"  {file.relative_to(ROOT)} -> {other.relative_to(ROOT)}: {', '.join(sorted(names))}")
    if large:
        print(f"{large} circles: move what the files share into a file of its own", file=sys.stderr)
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
