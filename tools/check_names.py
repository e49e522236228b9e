"""Checks that a name means one thing, and that a set of words is written down once.

Names: no public class or type alias of `proxy`, `policies` and `integrations` is defined in two files.

Words: a `Literal[...]`, or a tuple, list or set of the same words, stands in one file, and the others import it.
Two words are a set when they are a `Literal` or a constant of a module somewhere; three always are. What is no
identifier (punctuation, file names) is no word.

Every exception stands in one of the two tables below with its files and its reason.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("proxy", "policies", "integrations")
Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Exempt:
    """The files that may all define it, and why."""

    files: frozenset[str]
    reason: str


def in_files(*files: str, because: str) -> Exempt:
    return Exempt(frozenset(files), because)


APART = "policies and integrations must not import each other; tests/test_integrations.py holds the two equal"
APART_FROM_THE_ENGINE = (
    "commands that ask a server must not wait two seconds for the engine to load; "
    "tests/proxy/commands/test_results.py holds the two equal"
)
PARALLEL = "the two stores are built alike, so that each part can be read beside its other half"

NAMES: Mapping[str, Exempt] = {
    "Risk": in_files("integrations/base.py", "policies/rules.py", because=APART),
    "ApproveByDefault": in_files("integrations/shared_config.py", "policies/rules.py", because=APART),
    "Part": in_files("proxy/state/redis/part.py", "proxy/state/sqlite/part.py", because=PARALLEL),
}

LITERALS: Mapping[Words, Exempt] = {
    frozenset({"read", "write", "destructive"}): NAMES["Risk"],
    frozenset({"all", "reads", "none"}): NAMES["ApproveByDefault"],
    frozenset({"org", "user"}): in_files(
        "integrations/fields/names.py", "policies/patterns.py", because=APART
    ),
    frozenset({"waiting_for_interaction", "user_approval_required"}): in_files(
        "proxy/commands/results.py", "proxy/executions/result.py", because=APART_FROM_THE_ENGINE
    ),
}


@dataclass(slots=True)
class Found:
    """What the files define. `sets` holds those that are sets on their own, `pairs` what may be one of them."""

    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sets: dict[Words, set[str]] = field(default_factory=lambda: defaultdict(set))
    pairs: dict[Words, set[str]] = field(default_factory=lambda: defaultdict(set))


def scan(root: Path) -> Found:
    found = Found()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            place = file.relative_to(root).as_posix()
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for name in public_names(tree):
                found.names[name].add(place)
            for words, certain in word_sets(tree):
                (found.sets if certain else found.pairs)[words].add(place)
    return found


def public_names(tree: ast.Module) -> Iterator[str]:
    """Classes and type aliases of a module. `Name = other` in capitals is a constant, not an alias."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() | ast.BinOp() | ast.Name()):
                if name.isupper() or not name[0].isupper():
                    continue
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                pass
            case _:
                continue
        if not name.startswith("_"):
            yield name


def word_sets(tree: ast.Module) -> Iterator[tuple[Words, bool]]:
    """Every set of words, and whether it is one for certain."""
    constants = {id(value) for value in constant_values(tree)}
    exports = {id(node.value) for node in tree.body if isinstance(node, ast.Assign) and is_exports(node)}
    for node in ast.walk(tree):
        if id(node) in exports:
            continue
        match node:
            case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=elements)):
                certain = True
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                certain = len(elements) > 2 or id(node) in constants
            case _:
                continue
        words = words_of(elements)
        if len(words) > 1:
            yield words, certain


def constant_values(tree: ast.Module) -> Iterator[ast.expr]:
    """The values of `NAME = (...)` and `NAME = frozenset({...})` at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            yield node.value
            if isinstance(node.value, ast.Call):
                yield from node.value.args


def is_exports(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)


def words_of(elements: list[ast.expr]) -> Words:
    """Empty unless all of them are words."""
    values = [one.value if isinstance(one, ast.Constant) else None for one in elements]
    words = frozenset(one for one in values if isinstance(one, str) and one.isidentifier())
    return words if len(words) == len(elements) else frozenset()


def repeated_names(found: Found, known: Mapping[str, Exempt]) -> Iterator[str]:
    for name, files in sorted(found.names.items()):
        if len(files) > 1 and not is_exempt(files, known.get(name)):
            yield f"{name}: defined in {', '.join(sorted(files))}"


def repeated_words(found: Found, known: Mapping[Words, Exempt]) -> Iterator[str]:
    for words, files in sorted(found.sets.items(), key=lambda entry: sorted(entry[0])):
        places = files | found.pairs.get(words, set())
        if len(places) > 1 and not is_exempt(places, known.get(words)):
            yield f"{' | '.join(sorted(words))}: written down in {', '.join(sorted(places))}"


def is_exempt(files: set[str], exempt: Exempt | None) -> bool:
    return exempt is not None and files <= exempt.files


def stale_exceptions(
    found: Found, names: Mapping[str, Exempt], literals: Mapping[Words, Exempt]
) -> Iterator[str]:
    """Exceptions that name a file which does not define the thing (any more)."""
    for name, exempt in names.items():
        if gone := exempt.files - found.names.get(name, set()):
            yield f"{name}: listed as an exception, but not defined in {', '.join(sorted(gone))}"
    for words, exempt in literals.items():
        places = found.sets.get(words, set()) | found.pairs.get(words, set())
        if gone := exempt.files - places:
            shown = " | ".join(sorted(words))
            yield f"{shown}: listed as an exception, but does not stand in {', '.join(sorted(gone))}"


def main(root: Path, names: Mapping[str, Exempt] = NAMES, literals: Mapping[Words, Exempt] = LITERALS) -> int:
    found = scan(root)
    problems = [
        *repeated_names(found, names),
        *repeated_words(found, literals),
        *stale_exceptions(found, names, literals),
    ]
    if problems:
        print("\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
