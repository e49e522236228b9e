"""Load, bind, describe (input, output, types) and call every operation of real documents, without sending.

    python -m tools.sweep_specs .specs [--every N] [--jobs N] [--progress] [--verbose]

A call is built from arguments made from the operation's own input schema, and its request is checked against
what must hold for every request. Exit code 1 when anything failed: a load, bind, schema or type error, a
duplicate name, a request that breaks a rule. Arguments that the operation refuses are counted, not failed:
nobody can make a value for every pattern.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integrations.base import InvalidArguments
from integrations.openapi.compile import compile_document
from integrations.openapi.dialect import Dialect, Direction
from integrations.openapi.doc import BrokenReference, Doc
from integrations.openapi.pointer import join_pointer, mapping
from integrations.openapi.request import OutgoingRequest, build_request
from integrations.openapi.toolset import OpenApiToolset, make_toolset
from integrations.schema_types import render_tool_types
from tools.sample_arguments import sample_arguments

_SOURCE = "https://documents.example/openapi.json"
_BASE = "https://api.example"
_URL = re.compile(
    r"https://api\.example/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?"
)
_BUDGET = 10_000
_OTHER = frozenset(
    "npm graphql compiled conformance oauth axe grafana python-1.30 node_modules".split()
)  # folders of what other tests fetch


@dataclass
class Report:
    """What one document gave. `slowest` is the longest description in seconds, with its tool."""

    name: str
    version: str = ""
    operations: int = 0
    built: int = 0
    refused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0


def documents_in(directory: Path) -> list[Path]:
    """Every OpenAPI document below a directory, in one order. Packages for other tests lie beside them."""
    found = (p for kind in ("*.json", "*.yaml") for p in directory.rglob(kind))
    return sorted(p for p in found if _OTHER.isdisjoint(p.relative_to(directory).parts))


def sample_of(paths: list[Path], count: int) -> list[Path]:
    """The same few of many every time, spread over all of them."""
    return sorted(paths, key=lambda path: hashlib.sha256("/".join(path.parts[-2:]).encode()).digest())[:count]


def sweep_document(path: Path) -> Report:
    report = Report(path.name)
    started = time.perf_counter()
    try:
        doc = Doc(compile_document(path.read_bytes(), path.name))
    except Exception as error:
        report.failures.append(f"load: {type(error).__name__}: {error}")
        return report
    toolset = make_toolset(doc, path.name, _SOURCE, path.name, (), ())
    report.version = doc.version
    report.operations = len(toolset.tools)
    report.warnings = list(toolset.warnings)
    names = Counter(tool.name for tool in toolset.tools)
    report.failures += [f"duplicate name {name}" for name, count in names.items() if count > 1]
    for tool in toolset.tools:
        try:
            _sweep_tool(toolset, tool.name, report)
        except Exception as error:
            report.failures.append(f"{tool.name}: {type(error).__name__}: {error}")
    _convert_everything(doc, report)
    report.seconds = time.perf_counter() - started
    return report


def _convert_everything(doc: Doc, report: Report) -> None:
    """Every schema once for each direction: a tool converts only what it needs, and all of them share the rest."""
    pointer = "/definitions" if doc.version == "2.0" else "/components/schemas"
    directions: tuple[Direction, ...] = ("request", "response")
    for direction in directions:
        dialect = Dialect(doc, direction)
        for name in _schema_names(doc, pointer):
            reference = f"#{pointer}{join_pointer(name)}"
            try:
                defined = dialect.convert({"$ref": reference})["$ref"].removeprefix("#/$defs/")
                _ = dialect.defs[defined]
            except Exception as error:
                report.failures.append(f"{reference} of a {direction}: {type(error).__name__}: {error}")


def _schema_names(doc: Doc, pointer: str) -> Iterable[str]:
    try:
        return mapping(doc.get("#" + pointer))
    except BrokenReference:
        return ()


def _sweep_tool(toolset: OpenApiToolset, name: str, report: Report) -> None:
    begun = time.perf_counter()
    schemas = toolset.outline(name)
    types = render_tool_types(name, schemas, _BUDGET)
    report.slowest = max(report.slowest, (time.perf_counter() - begun, name))
    if len((types.input + types.output + types.definitions).encode()) > _BUDGET:
        report.failures.append(f"{name}: its types are larger than {_BUDGET} bytes")
    arguments = sample_arguments(schemas.input)
    try:
        request, _ = build_request(toolset.closure(name), arguments, _BASE)
    except InvalidArguments as error:
        report.refused.append(f"{name}: {error}")
        return
    report.built += 1
    report.failures += [f"{name}: {problem}" for problem in broken_rules(request)]


def broken_rules(request: OutgoingRequest) -> list[str]:
    """What is wrong with a request, whatever the operation and the arguments are."""
    out: list[str] = []
    if not _URL.fullmatch(request.url):
        out.append(f"no URL: {request.url[:200]}")
    path = request.binding.path.split("#")[0].split("?")[0]
    path = path if path.startswith("/") else "/" + path
    segments = request.url.split("?")[0].removeprefix(_BASE).split("/")
    if "{+" not in path and len(segments) != len(path.split("/")):
        out.append(f"left its template {path}: {request.url[:200]}")
    if any(part in (".", "..") for part in segments):
        out.append(f"dot segments: {request.url[:200]}")
    for header, value in request.headers:
        if any(ord(char) < 32 and char != "\t" for char in value):
            out.append(f"control characters in {header}")
    return out + _broken_body(request)


def _broken_body(request: OutgoingRequest) -> list[str]:
    kinds = [value.split(";")[0] for name, value in request.headers if name == "Content-Type"]
    if len(kinds) != (request.body is not None):
        return [f"{len(kinds)} content types for {'a' if request.body is not None else 'no'} body"]
    if kinds and request.body and kinds[0].lower().endswith(("/json", "+json")):
        try:
            _: Any = json.loads(request.body)
        except ValueError:
            return ["the body is no JSON"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth document")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--progress", action="store_true", help="say on stderr when each document is done")
    parser.add_argument("--verbose", action="store_true", help="show warnings and refused arguments")
    options = parser.parse_args()
    paths = documents_in(options.directory)[:: options.every]
    started = time.perf_counter()
    reports: list[Report] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for report in pool.map(sweep_document, sorted(paths, key=lambda path: -path.stat().st_size)):
            reports.append(report)
            if options.progress:
                print(f"{len(reports)}/{len(paths)} {report.name}: {report.seconds:.1f} s", file=sys.stderr)
    print_summary(reports, time.perf_counter() - started, options.verbose)
    return 1 if any(report.failures for report in reports) else 0


def print_summary(reports: list[Report], seconds: float, verbose: bool) -> None:
    for report in reports:
        for failure in report.failures[:3]:
            print(f"FAILED {report.name}: {failure}")
        for line in (*report.warnings, *report.refused) if verbose else ():
            print(f"{report.name}: {line[:300]}")
    operations = sum(report.operations for report in reports)
    built = sum(report.built for report in reports)
    failed = sum(1 for report in reports if report.failures)
    warnings = sum(len(report.warnings) for report in reports)
    slowest = max(reports, key=lambda report: report.slowest)
    print(f"{len(reports)} documents, {operations} operations, {warnings} warnings, {failed} failed")
    print(
        f"{built} requests built from samples ({built / max(operations, 1):.1%}), the rest refused their arguments"
    )
    print(f"versions: {dict(Counter(report.version for report in reports))}; {seconds:.0f} s")
    print(f"slowest description: {slowest.slowest[0] * 1000:.0f} ms, {slowest.name} {slowest.slowest[1]}")


if __name__ == "__main__":
    sys.exit(main())
