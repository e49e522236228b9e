"""Cases of `tests/data/exact`: what a tool is described as, and what its answers are read as, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.base import Credential, InvalidArguments, JsonObject
from integrations.http import HttpClient
from integrations.openapi import OpenApiToolset, OpenApiUpstream
from integrations.schema_types import ToolTypes, render_tool_types
from tests.integrations.echo import Echo, Reply, Seen, echo_thread
from tests.integrations.openapi.documents import only_tool, toolset_of

EXACT = Path(__file__).parents[2] / "data" / "exact"
FILE = {"_tag": "ToolFile", "mimeType": "image/png", "encoding": "base64", "data": "AAH/"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Echo]:
    with echo_thread() as echo:
        yield echo


def document_of(case: str, url: str = "http://127.0.0.1:9") -> JsonObject:
    text = (EXACT / f"openapi.{case}.json").read_text().replace("http://UPSTREAM", url)
    document: JsonObject = json.loads(text)["document"]
    return document


def types_of(toolset: OpenApiToolset) -> ToolTypes:
    tool = only_tool(toolset)
    return render_tool_types(tool, toolset.outline(tool), 4_096)


def flat(text: str) -> str:
    return " ".join(text.split())


# Case, which part of the description, what it has to hold.
DESCRIBED = [
    ("r.32-itemSchema-describe", "output", "Array<{ event?: string; data?: { n?: number; }; }>"),
    ("r.head-describe", "output", "null"),
    ("r.star-star-describe", "output", "{ a?: number; }"),
    ("r.two-success-describe", "output", "{ w: string; } | { job: string; } | null"),
    ("r.vendor-no-suffix-describe", "output", "{ a?: number; }"),
    ("b.multipart-ref-describe", "input",
     "{ body: { file: ToolFile | string; files?: Array<ToolFile | string>; note?: string; }; }"),
    ("b.two-types-two-schemas-describe", "input",
     "body: { url: string; } /* application/json */ | { file: ToolFile | string; } /* multipart/form-data */;"),
    ("b.discriminator-allOf-describe", "definitions", 'type Pet = Cat /* kind: "cat" */ | Dog /* kind: "dog" */;'),
    ("b.discriminator-allOf-describe", "definitions", "type Cat = PetBase & { claws: number; };"),
    ("v.describe-constraints", "input", "/** Default: 30; minimum 1; maximum 100 */ per_page?: number;"),
    ("v.describe-constraints", "input", "/** minLength 2; pattern ^[A-Z]{2}$ */ code?: string;"),
    ("v.describe-error-shape", "definitions", "// error.details.body of 422: { errs?: string[]; }"),
    ("v.describe-int64", "output", "{ id?: number | bigint; }"),
    ("v.choose-response-type", "input",
     'answer Default: application/json */ accept?: "application/json" | "text/csv" | "application/pdf";'),
]  # fmt: skip


@pytest.mark.parametrize(("case", "part", "expected"), DESCRIBED)
def test_described(case: str, part: str, expected: str) -> None:
    assert expected in flat(getattr(types_of(toolset_of(document_of(case))), part))


# Case, type of the answer, its body, further headers, what `data` is.
READ: list[tuple[str, str, bytes, dict[str, str], Any]] = [
    ("r.1e400", "application/json", b'{"a":1e400,"b":1}', {}, {"a": "1e400", "b": 1}),
    ("r.json-seq", "application/json-seq", b'\x1e{"a":1}\n\x1e{"a":2}\n', {}, [{"a": 1}, {"a": 2}]),
    ("r.vendor-no-suffix", "application/vnd.acme.v3", b'{"a":1}', {}, {"a": 1}),
    ("r.xml-prolog-encoding", "application/xml",
     '<?xml version="1.0" encoding="ISO-8859-1"?><a>né</a>'.encode("latin-1"), {},
     '<?xml version="1.0" encoding="ISO-8859-1"?><a>né</a>'),
    ("r.multipart-response", "multipart/mixed; boundary=xyz", b"--xyz\r\n\r\na\r\n--xyz--", {},
     {"_tag": "ToolFile", "mimeType": "multipart/mixed; boundary=xyz", "encoding": "base64",
      "data": "LS14eXoNCg0KYQ0KLS14eXotLQ==", "byteLength": 19}),
    ("r.cd-semicolon", "application/pdf", b"\x00",
     {"Content-Disposition": 'attachment; filename="a;b.pdf"'}, "a;b.pdf"),
    ("r.cd-ext", "application/pdf", b"\x00",
     {"Content-Disposition": "attachment; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.pdf"}, "naïve €.pdf"),
    ("r.cd-ext-wins", "application/pdf", b"\x00",
     {"Content-Disposition": "attachment; filename=fallback.pdf; filename*=UTF-8''na%C3%AFve.pdf"}, "naïve.pdf"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "kind", "body", "headers", "expected"), READ, ids=[one[0] for one in READ])
async def test_read(
    shared: Echo, case: str, kind: str, body: bytes, headers: dict[str, str], expected: Any
) -> None:
    document = document_of(case, shared.url)
    (path,) = document["paths"]
    shared.replies[path] = [Reply(200, [("Content-Type", kind), *headers.items()], body)]
    data = (await called(document, {}))["data"]
    assert (data["name"] if "Content-Disposition" in headers else data) == expected


async def called(document: JsonObject, arguments: JsonObject) -> JsonObject:
    toolset = toolset_of(document)
    async with HttpClient() as http:
        upstream = OpenApiUpstream(toolset, http, base_url=None, headers={})
        call = upstream.prepare(only_tool(toolset), arguments)
        return (await upstream.invoke(call, Credential(), 5.0)).as_json()


async def sent(shared: Echo, case: str, arguments: JsonObject) -> Seen:
    shared.replies.clear()
    await called(document_of(case, shared.url), arguments)
    return shared.log[-1]


async def test_the_described_type_is_asked_for_most(shared: Echo) -> None:
    seen = await sent(shared, "r.accept-preference", {})
    assert seen.header("accept") == "application/json, text/csv;q=0.9, application/xml;q=0.9, */*;q=0.1"


@pytest.mark.parametrize("wanted", ["text/csv", "TEXT/CSV", " text/csv; header=present"])
async def test_a_declared_type_can_be_asked_for(shared: Echo, wanted: str) -> None:
    assert (await sent(shared, "v.choose-response-type", {"accept": wanted})).header("accept") == "text/csv"


def test_only_a_declared_type_can_be_asked_for() -> None:
    toolset = toolset_of(document_of("v.choose-response-type"))
    upstream = OpenApiUpstream(toolset, HttpClient(), base_url=None, headers={})
    with pytest.raises(
        InvalidArguments, match=r"/accept: has to be one of application/json, text/csv, application/pdf"
    ):
        upstream.prepare(only_tool(toolset), {"accept": "text/html"})
    call = upstream.prepare(only_tool(toolset), {"accept": "text/csv"})
    assert call.arguments == {"accept": "text/csv"}


async def test_a_file_is_sent_as_the_type_that_can_hold_it(shared: Echo) -> None:
    seen = await sent(shared, "b.two-types-file-inference", {"body": {"file": FILE}})
    assert str(seen.header("content-type")).startswith("multipart/form-data; boundary=")


def test_a_body_that_fits_another_type_is_told_which() -> None:
    toolset = toolset_of(document_of("b.two-types-file-inference"))
    upstream = OpenApiUpstream(toolset, HttpClient(), base_url=None, headers={})
    with pytest.raises(InvalidArguments) as refused:
        upstream.prepare(only_tool(toolset), {"body": {"file": "text"}})
    assert [(one.pointer, one.reason) for one in refused.value.problems] == [
        ("/body", "`url` is missing; known are `url`"),
        ("/contentType", 'the body fits another type: give contentType: "multipart/form-data"'),
    ]


def test_a_name_that_code_cannot_call_is_listed_otherwise() -> None:
    assert only_tool(toolset_of(document_of("names-toString-valueOf"))) == "grp.toString_"
