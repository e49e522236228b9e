"""Checks that every source file has tests that can be found by its name, and every test file a source.

`proxy/x/y.py` is tested by `tests/proxy/x/test_y.py`, or by the test module of its package: `test_x.py` in
`tests/proxy/x/` or beside it. Modules without a function (tables, types, re-exports) and modules under 80 lines
need neither. Every other exception stands in one of the two lists below, with its reason.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("proxy", "policies", "integrations")
SMALL_LINES = 80

# Source file -> why it has no test file.
UNTESTED: Mapping[str, str] = {
    "proxy/app/servers.py": "tests/e2e/test_workspace_api.py: real servers behind the whole API",
    "proxy/app/server_sign_ins.py": "tests/e2e/test_workspace_api.py: a real authorization server behind the API",
}

# Test file -> why it has no source file of its name.
SOURCELESS: Mapping[str, str] = {
    "tests/proxy/test_one_truth.py": "that gate, explain, test, diff and lock agree is a property of all of them",
    "tests/proxy/executions/machine/test_histories.py": "random histories go through all of the machine's modules",
    "tests/proxy/executions/test_old_journals.py": "executions of earlier versions go through the whole package",
    "tests/proxy/sandbox/test_engine_contract.py": "the extension that engine.py loads, without the prelude",
    "tests/proxy/sandbox/test_numbers.py": "prelude/b_numbers.js, which is no Python",
    "tests/integrations/mcp/test_npm.py": "servers from npm through the whole kind, over every transport",
    "tests/integrations/openapi/test_cases.py": "acceptance cases through the whole kind, over real HTTP",
    "tests/integrations/graphql/test_exact.py": "acceptance cases through the whole kind, over real HTTP",
    "tests/integrations/openapi/test_exact_types.py": "acceptance cases through the whole kind, over real HTTP",
    "tests/integrations/openapi/test_exact_variations.py": "small documents through the whole kind, over real HTTP",
    "tests/integrations/openapi/test_documents.py": "real documents through the whole kind",
    "tests/integrations/openapi/test_exact_requests.py": "small documents through the whole kind, over real HTTP",
    "tests/integrations/test_quality.py": "what it checks are the QUALITY.md files of the kinds",
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
            if name in known.untested or not needs_tests(source) or is_tested(root, source):
                continue
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
        if (root / name).exists() and (is_tested(root, root / name) or not needs_tests(root / name)):
            yield f"{name}: listed as an exception, but needs none"
    for name in known.sourceless:
        if (root / name).exists() and has_source(root, root / name):
            yield f"{name}: listed as an exception, but needs none"


def mirror_of(root: Path, source: Path) -> Path:
    """`x/__init__.py` is tested as `test_x.py` beside the tests of `x`."""
    place = root / "tests" / source.relative_to(root)
    if source.name == "__init__.py":
        return place.parent.with_name(f"test_{place.parent.name}.py")
    return place.with_name(f"test_{source.name}")


def package_tests(root: Path, folder: Path) -> tuple[Path, Path]:
    """The two places where the test module of a package may stand: in the folder of its tests, or beside it."""
    place = root / "tests" / folder.relative_to(root)
    name = f"test_{folder.name}.py"
    return place / name, place.with_name(name)


def is_tested(root: Path, source: Path) -> bool:
    candidates = (mirror_of(root, source), *package_tests(root, source.parent))
    return any(test.exists() for test in candidates)


def has_source(root: Path, test: Path) -> bool:
    folder = root / test.parent.relative_to(root / "tests")
    name = test.stem.removeprefix("test_")
    candidates = (folder / f"{name}.py", folder / name / "__init__.py")
    own_package = folder.name == name and folder.is_dir()
    return own_package or any(source.exists() for source in candidates)


def needs_tests(source: Path) -> bool:
    text = source.read_text(encoding="utf-8")
    return len(text.splitlines()) >= SMALL_LINES and has_functions(text)


def has_functions(text: str) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) for node in ast.walk(ast.parse(text)))


def main(root: Path, known: Exceptions = OURS) -> int:
    checks = (missing_tests, missing_sources, stale_exceptions)
    problems = [problem for check in checks for problem in check(root, known)]
    if problems:
        print("\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
