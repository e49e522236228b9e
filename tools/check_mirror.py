"""Checks that `proxy/x/y.py` has `tests/proxy/x/test_y.py`, and the other way round.

Modules without a function (tables, types, re-exports) need no test file of their own. Every other exception
stands in one of the two lists below, with its reason.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("proxy", "policies", "integrations")

# Source file -> why it has no test file.
UNTESTED: Mapping[str, str] = {}

# Test file -> why it has no source file of its name.
SOURCELESS: Mapping[str, str] = {
    "tests/proxy/executions/test_histories.py": "random histories go through all of the machine's modules",
    "tests/integrations/mcp/test_npm.py": "servers from npm through the whole kind, over every transport",
    "tests/integrations/openapi/test_cases.py": "acceptance cases through the whole kind, over real HTTP",
    "tests/integrations/openapi/test_documents.py": "real documents through the whole kind",
    "tests/integrations/test_quality.py": "what it checks are the QUALITY.md files of the kinds",
    "tests/proxy/serving/test_replicas.py": "what two replicas do together goes through all of the MCP paths",
    "tests/proxy/catalog/test_relevance.py": "search quality over a whole API is a property of no one module",
}


@dataclass(frozen=True, slots=True)
class Exceptions:
    """The two lists above."""

    untested: Mapping[str, str]
    sourceless: Mapping[str, str]


OURS = Exceptions(UNTESTED, SOURCELESS)


def missing_tests(root: Path, known: Exceptions) -> Iterator[str]:
    for package in PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            name = source.relative_to(root).as_posix()
            if name not in known.untested and has_functions(source) and not mirror_of(root, source).exists():
                yield f"{name}: no {mirror_of(root, source).relative_to(root).as_posix()}"


def missing_sources(root: Path, known: Exceptions) -> Iterator[str]:
    for package in PACKAGES:
        for test in sorted((root / "tests" / package).rglob("test_*.py")):
            name = test.relative_to(root).as_posix()
            if name not in known.sourceless and not has_source(root, test):
                yield f"{name}: no source file of this name"


def stale_exceptions(root: Path, known: Exceptions) -> Iterator[str]:
    """Exceptions for files that are gone, or that no longer need one."""
    for name in (*known.untested, *known.sourceless):
        if not (root / name).exists():
            yield f"{name}: listed as an exception, but there is no such file"
    for name in known.untested:
        if (root / name).exists() and mirror_of(root, root / name).exists():
            yield f"{name}: listed as an exception, but it has a test"


def mirror_of(root: Path, source: Path) -> Path:
    """`x/__init__.py` is tested as `test_x.py` beside the tests of `x`."""
    place = root / "tests" / source.relative_to(root)
    if source.name == "__init__.py":
        return place.parent.with_name(f"test_{place.parent.name}.py")
    return place.with_name(f"test_{source.name}")


def has_source(root: Path, test: Path) -> bool:
    place = (root / test.relative_to(root / "tests")).with_name(test.stem.removeprefix("test_"))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def has_functions(source: Path) -> bool:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def main(root: Path, known: Exceptions = OURS) -> int:
    checks = (missing_tests, missing_sources, stale_exceptions)
    problems = [problem for check in checks for problem in check(root, known)]
    if problems:
        print("\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
