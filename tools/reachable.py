#!/usr/bin/env python3
"""Lists what a package defines and nothing in it uses: capabilities that no command, session or window reaches.

Usage: tools/reachable.py [ROOT] [--package bcikit] [--allow FILE] [--count]

It reads names, runs nothing, and is a place to look, not a verdict: an entry point or a class that users import from a
room's face is reached by them (put it in the allow file, one `module:name` a line, with the reason after a #).
Three lists: public functions and classes named in no other module of the package; fields of settings classes that
nothing reads; methods of public classes that nothing outside tests calls. Exit status 1 if any list is not empty.
"""

import argparse
import ast
import collections
import pathlib
import re
import sys

FACES = ("__init__.py",)


def words(text: str) -> collections.Counter:
    return collections.Counter(re.findall(r"[A-Za-z_]\w*", text))


def strip_docstrings(tree: ast.AST, text: str) -> str:
    """Return the text without docstrings and comments, so that prose does not count as use."""
    lines = text.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                for line in range(first.lineno - 1, first.end_lineno):
                    lines[line] = ""
    return "\n".join(re.sub(r"(?<!['\"])#.*$", "", line) for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default=".", type=pathlib.Path)
    parser.add_argument("--package", default="bcikit")
    parser.add_argument("--allow", type=pathlib.Path)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()
    package = options.root / options.package
    allowed = set()
    if options.allow and options.allow.exists():
        allowed = {line.split("#")[0].strip() for line in options.allow.read_text().splitlines()} - {""}

    trees, used, own, stripped = {}, {}, {}, {}
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        trees[path] = ast.parse(text)
        stripped[path] = strip_docstrings(trees[path], text)
        own[path] = words(stripped[path])
        used[path] = collections.Counter() if path.name in FACES else own[path]
    for path in package.rglob("*"):
        if path.suffix in (".toml", ".js", ".j2", ".html"):
            used[path] = words(path.read_text(encoding="utf-8", errors="ignore"))
    used[options.root / "pyproject.toml"] = words((options.root / "pyproject.toml").read_text())
    total = sum(used.values(), collections.Counter())

    unused, unread, uncalled = [], [], []
    for path, tree in trees.items():
        module = ".".join(path.relative_to(options.root).with_suffix("").parts)
        if path.name in FACES or ".testing" in module:
            continue
        for node in tree.body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            elsewhere = total[node.name] - own[path][node.name]
            outside = (
                own[path][node.name]
                - words("\n".join(stripped[path].split("\n")[node.lineno - 1 : node.end_lineno]))[node.name]
            )
            if not elsewhere and not outside:
                unused.append(f"{module}:{node.name}")
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        name = item.target.id
                        if (
                            node.name.endswith(("Settings", "Profile", "Config"))
                            and total[name] <= 1
                            and not name.startswith("_")
                        ):
                            unread.append(f"{module}:{node.name}.{name}")
                    if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                        decorated = any(
                            isinstance(d, ast.Name) and d.id in ("abstractmethod", "override")
                            for d in item.decorator_list
                        )
                        qt = re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*(?:Event|Filter)", item.name)
                        if total[item.name] <= 1 and not decorated and not qt:
                            uncalled.append(f"{module}:{node.name}.{item.name}")
    lists = {
        "used by no other module": unused,
        "settings that nothing reads": unread,
        "methods that nothing calls": uncalled,
    }
    bad = 0
    for title, names in lists.items():
        names = sorted(set(names) - allowed)
        bad += len(names)
        if options.count:
            print(f"{title}: {len(names)}")
        else:
            print(f"== {title} ({len(names)})")
            print(*names, sep="\n")
    print(f"{bad} names that the product does not reach")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
