"""Files of tests: found beside the config, read with the places of everything in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from integrations.fields import Model
from integrations.files import CONFIG, READER
from proxy.config.diagnostic import Diagnostic
from proxy.config.locations import Finding, diagnose, flaw_diagnostic
from proxy.config.nodes import SourceNode, find
from proxy.config.parse import Parsed, parse
from proxy.config.schema_errors import read_errors
from proxy.config.source import Flaw, read_text
from proxy.config.suggestions import nearest_name
from proxy.policy_tests.model import Expectation, PolicyTest, PolicyTests, TestCaller

ENDINGS: Final = (".test.yaml", ".test.yml")
_HELP: Final = "a file of tests is: tests: [{name: ..., tool: ..., expect: {action: block}}]"


@dataclass(frozen=True, slots=True)
class PlacedTest:
    """A test and where it stands (its line counts from 1); `expect_line` is where what it expects stands."""

    test: PolicyTest
    file: str
    line: int
    expect_line: int


def test_files(directory: Path) -> list[Path]:
    """The files of tests in a directory, by name."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [directory / name for name in names if name.endswith(ENDINGS) and not name.startswith(".")]


def read_tests(files: Sequence[Path]) -> tuple[list[PlacedTest], list[Diagnostic]]:
    """Every test of the files, or what is wrong with them. Raises `OSError` for a file that cannot be read."""
    tests: list[PlacedTest] = []
    wrong: list[Diagnostic] = []
    for file in files:
        source, flaw = read_text(str(file), READER.read(file, CONFIG))
        if flaw is not None:
            wrong.append(flaw_diagnostic(source, flaw))
            continue
        parsed = parse(source)
        found, faults = _tests(parsed)
        tests += found
        wrong += faults
    return tests, [*wrong, *_twice(tests)]


def _tests(parsed: Parsed) -> tuple[list[PlacedTest], list[Diagnostic]]:
    flaws = [flaw_diagnostic(parsed.source, flaw) for flaw in parsed.flaws]
    if flaws or parsed.root is None or not isinstance(parsed.data, dict):
        shape = Flaw("E111", "the top level must be a mapping with `tests`", _HELP)
        return [], flaws or [flaw_diagnostic(parsed.source, shape)]
    if parsed.duplicates:
        return [], [flaw_diagnostic(parsed.source, _double(one.second)) for one in parsed.duplicates]
    try:
        tests = PolicyTests.model_validate(parsed.data).tests
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        findings = read_errors(details, parsed.data, parsed.root)
        return [], diagnose(parsed.root, [_with_help(one, parsed.data) for one in findings])
    return [_placed(parsed.root, index, test) for index, test in enumerate(tests)], []


def _double(place: tuple[int, int, int, int]) -> Flaw:
    return Flaw(
        "E103", "duplicate key", "remove one of them", place[0], place[1], max(1, place[3] - place[1])
    )


def _placed(root: SourceNode, index: int, test: PolicyTest) -> PlacedTest:
    node = find(root, ("tests", index)).node
    expect = find(root, ("tests", index, "expect")).node
    return PlacedTest(test, node.source.path, node.start[0] + 1, expect.key_span().line)


def _with_help(finding: Finding, data: dict[str, Any]) -> Finding:
    """Suggestions for unknown keys: those of the config's language know other sections."""
    if finding.code != "E201":
        return finding
    near = nearest_name(str(finding.path[-1]), _keys_at(finding))
    known = ", ".join(_keys_at(finding))
    return replace(finding, help=f"did you mean `{near}`?" if near else f"known keys: {known}")


def _keys_at(finding: Finding) -> list[str]:
    model: type[Model] = Expectation if "expect" in finding.path else TestCaller
    if len(finding.path) == 1:
        model = PolicyTests
    elif len(finding.path) == 3:
        model = PolicyTest
    return [field.alias or name for name, field in model.model_fields.items()]


def _twice(tests: Sequence[PlacedTest]) -> Iterator[Diagnostic]:
    """Reports name tests by their names."""
    first: dict[str, PlacedTest] = {}
    for one in tests:
        before = first.setdefault(one.test.name, one)
        if before is not one:
            message = f"two tests are called `{one.test.name}`"
            help = f"the first one stands in {before.file}:{before.line}"
            yield Diagnostic("E103", "error", message, help, file=one.file, line=one.line)
