#!/usr/bin/env python3
"""Finds files of a crate that import each other in a circle. Usage: import_circles.py SRC

Followed are `use` items and paths in the code that begin with crate, super or self, through
re-exports to the file that has the item. A re-export of a folder's own file is no import, and
tests are left out.
"""
import os
import re
import sys
from collections import defaultdict


def read(source):
    """Returns the text of each module by its path, without comments, strings and tests."""
    texts = {}
    for folder, _, names in os.walk(source):
        for name in names:
            if not name.endswith(".rs"):
                continue
            path = os.path.join(folder, name)
            module = os.path.relpath(path, source)[:-3].split("/")
            if module[-1] in ("mod", "lib"):
                module.pop()
            with open(path, encoding="utf-8") as file:
                text = file.read()
            text = text.split("#[cfg(test)]\nmod tests")[0]
            text = re.sub(r"//[^\n]*", "", text)
            text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
            texts[tuple(module)] = re.sub(r"pub\(in [^)]*\)", "pub(super)", text)
    return texts


def expand(tree):
    """Yields the path and the name of each item of a `use` tree."""
    def split(text):
        depth, part = 0, ""
        for char in text:
            depth += (char == "{") - (char == "}")
            if char == "," and depth == 0:
                yield part.strip()
                part = ""
            else:
                part += char
        yield part.strip()

    def walk(prefix, text):
        for part in filter(None, split(text)):
            nested = re.match(r"^((?:\w+::)*)\{(.*)\}$", part, re.S)
            if nested:
                yield from walk(prefix + nested[1].split("::")[:-1], nested[2])
                continue
            item = re.match(r"^([\w:*]+)(?:\s+as\s+(\w+))?$", part)
            if item:
                path = prefix + item[1].split("::")
                if path[-1] == "self":
                    path.pop()
                yield path, item[2] or path[-1]

    return walk([], tree)


class Crate:
    def __init__(self, texts):
        self.texts = texts
        self.names = defaultdict(dict)
        self.imports = defaultdict(list)
        for module, text in texts.items():
            pattern = r"((?:pub(?:\([\w: ]+\))?\s+)?)use\s+([^;]+);"
            for public, tree in re.findall(pattern, text):
                for path, name in expand(tree):
                    path = self.absolute(module, path)
                    if path is not None:
                        self.names[module][name] = path
                        if not public:
                            self.imports[module].append(path)
            body = re.sub(r"use\s+[^;]+;", "", text)
            for path in re.findall(r"\b((?:crate|super|self)(?:::\w+)+)", body):
                self.imports[module].append(self.absolute(module, path.split("::")))

    def absolute(self, module, path):
        """The path from the crate's root; None for another crate's."""
        base, path = list(module), list(path)
        if path[0] == "crate":
            return tuple(path[1:])
        if path[0] == "self":
            return tuple(base + path[1:])
        is_above = path[0] == "super"
        while path and path[0] == "super":
            base.pop()
            path.pop(0)
        if is_above or tuple(base + path[:1]) in self.texts:
            return tuple(base + path)
        return None

    def file_of(self, path, seen=()):
        """The module that has what a path names."""
        for length in range(len(path), -1, -1):
            module, rest = path[:length], path[length:]
            if module not in self.texts:
                continue
            step = (module, rest[:1])
            if rest and rest[0] in self.names[module] and step not in seen:
                kinds = "struct|enum|fn|const|static|trait|type"
                defined = rf"\b(?:{kinds})\s+{rest[0]}\b"
                if not re.search(defined, self.texts[module]):
                    named = self.names[module][rest[0]] + rest[1:]
                    return self.file_of(named, seen + (step,))
            return module
        return None

    def edges(self):
        edges = {module: set() for module in self.texts}
        for module, paths in self.imports.items():
            found = {self.file_of(path) for path in paths if path is not None}
            edges[module] = found - {None, module}
        return edges


def circles(edges):
    """Removes what nothing of the rest leads back to; the rest is in circles."""
    left = {module: set(targets) for module, targets in edges.items()}
    while True:
        targets = set().union(*left.values()) if left else set()
        loose = [m for m in left if not left[m] & left.keys() or m not in targets]
        if not loose:
            return left
        for module in loose:
            del left[module]


left = circles(Crate(read(sys.argv[1])).edges())
for module, targets in sorted(left.items()):
    into = ", ".join(sorted("::".join(target) for target in targets & left.keys()))
    print(f"{'::'.join(module)} imports {into}, in a circle", file=sys.stderr)
sys.exit(1 if left else 0)
