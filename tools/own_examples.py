"""How many of the body examples that documents give themselves are refused before sending, and why.

    python -m tools.own_examples .specs [--validate strict|lenient|off] [--every N] [--jobs N] [--verbose]

An example of an operation's own body should pass: who wrote the document sent it. What is refused is either a mistake
of the example, or of the schema, or ours; the kinds of refusal are counted, so that ours show. Nothing is sent.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from integrations.base import JsonObject
from integrations.http.media import is_json
from integrations.openapi.bodies import structured_body
from integrations.openapi.compile import compile_document
from integrations.openapi.doc import Doc
from integrations.openapi.load import parse_source
from integrations.openapi.operations import resolve
from integrations.openapi.pointer import mapping
from integrations.openapi.toolset import OpenApiToolset, make_toolset
from integrations.openapi.validate import body_problems
from tools.sweep_specs import documents_in

# A reason holds -> the kind it is counted as; the first that fits.
KINDS = (
    (r"^has to be .*, not null(;|$)", "null"),
    (r"more than one of the choices", "several fit"),
    (r"not known here", "closed"),
    (r"` is missing", "required"),
    (r"has to be one of", "enum"),
    (r"has to be (at|more|less|a multiple)", "number"),
    (r"has to match", "pattern"),
    (r"has to have|once only", "size"),
    (r"has to be (an?|true|null|\")", "type"),
    (r"none of the choices|has to be", "none fits"),
)


@dataclass
class Report:
    """What one document gave; `refused` are (kind, sentence)."""

    name: str
    examples: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    failure: str = ""


def examine(path: Path, validate: Any) -> Report:
    report = Report(path.name)
    try:
        content = path.read_bytes()
        doc = Doc(compile_document(content, path.name))
        document = parse_source(content, path.name)
    except Exception as error:
        report.failure = f"{type(error).__name__}: {error}"
        return report
    toolset = make_toolset(doc, path.name, None, path.name, (), ())
    for tool in toolset.tools:
        _examine_tool(toolset, tool.name, document, report, validate)
    return report


def _examine_tool(
    toolset: OpenApiToolset, name: str, document: JsonObject, report: Report, validate: Any
) -> None:
    closure = toolset.closure(name)
    binding, path = closure.binding, toolset.definition(name).path
    for media in binding.body.media if binding.body is not None else ():
        if not is_json(media.essence):
            continue
        for example in examples_of(document, path, binding.method, media.type):
            report.examples += 1
            body = structured_body(closure.doc, media, example)
            problems = body_problems(closure, media, body, validate)
            if problems:
                first = problems[0]
                report.refused.append((kind_of(first.reason), f"{name}: {first.pointer}: {first.reason}"))


def kind_of(reason: str) -> str:
    return next((kind for pattern, kind in KINDS if re.search(pattern, reason)), "other")


def examples_of(document: JsonObject, path: str, method: str, media_type: str) -> Iterator[Any]:
    """Every example of one request body: those beside the schema, else those of the schema itself."""
    item = resolve(document, mapping(document.get("paths")).get(path)) or {}
    operation = mapping(item.get(method.lower()))
    holder = _holder(document, item, operation, media_type)
    listed = mapping(holder.get("examples"))
    found = [entry["value"] for raw in listed.values() if "value" in (entry := resolve(document, raw) or {})]
    if "example" in holder:
        found.append(holder["example"])
    schema = resolve(document, holder.get("schema")) or {}
    if not found and "example" in schema:
        found.append(schema["example"])
    if not found and isinstance(schema.get("examples"), list):
        found += schema["examples"]
    yield from found


def _holder(document: JsonObject, item: JsonObject, operation: JsonObject, media_type: str) -> JsonObject:
    """What holds the schema of the body: a Media Type Object, or Swagger's body parameter."""
    if "swagger" not in document:
        body = resolve(document, operation.get("requestBody")) or {}
        return resolve(document, mapping(body.get("content")).get(media_type)) or {}
    for raw in [*(operation.get("parameters") or []), *(item.get("parameters") or [])]:
        parameter = resolve(document, raw) or {}
        if parameter.get("in") == "body":
            return parameter
    return {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--validate", choices=("strict", "lenient", "off"), default="lenient")
    parser.add_argument("--every", type=int, default=1, help="take every Nth document")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="show each refused example")
    options = parser.parse_args()
    paths = sorted(documents_in(options.directory), key=lambda path: -path.stat().st_size)[:: options.every]
    with ProcessPoolExecutor(options.jobs) as pool:
        reports = list(pool.map(partial(examine, validate=options.validate), paths, chunksize=8))
    for report in reports:
        for kind, sentence in report.refused if options.verbose else ():
            print(f"{kind}: {report.name}: {sentence[:300]}")
    refused = Counter(kind for report in reports for kind, _ in report.refused)
    examples = sum(report.examples for report in reports)
    print(f"{len(reports)} documents, {examples} examples of bodies, {refused.total()} refused")
    print(", ".join(f"{kind} {count}" for kind, count in refused.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
