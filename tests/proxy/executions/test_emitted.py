"""Emitted values become MCP content blocks; every one of them validates as MCP sees it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mcp_types import ContentBlock
from pydantic import TypeAdapter

from proxy.executions.emitted import blocks, summaries

ADAPTER: TypeAdapter[Any] = TypeAdapter(ContentBlock)
PNG = base64.b64encode(b"\x89PNG").decode()


def file(mime: str, data: str = PNG, **more: Any) -> dict[str, Any]:
    return {"_tag": "ToolFile", "mimeType": mime, "encoding": "base64", "data": data, "byteLength": 4, **more}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hi", {"type": "text", "text": "hi"}),
        ([1], {"type": "text", "text": "[\n  1\n]"}),
        (None, {"type": "text", "text": "null"}),
        (file("image/png"), {"type": "image", "data": PNG, "mimeType": "image/png"}),
        (file("Audio/MPEG"), {"type": "audio", "data": PNG, "mimeType": "audio/mpeg"}),
        (
            file("application/pdf", name="a b.pdf"),
            {
                "type": "resource",
                "resource": {
                    "uri": "executor://emitted/a%20b.pdf",
                    "mimeType": "application/pdf",
                    "blob": PNG,
                },
            },
        ),
        (
            file("text/csv; charset=utf-8", base64.b64encode(b"a,b").decode()),
            {
                "type": "resource",
                "resource": {"uri": "executor://emitted/file", "mimeType": "text/csv", "text": "a,b"},
            },
        ),
        ({"type": "text", "text": "x", "evil": 1}, {"type": "text", "text": "x"}),
        (
            {"type": "image", "data": PNG, "mimeType": "image/png"},
            {"type": "image", "data": PNG, "mimeType": "image/png"},
        ),
        (
            {"type": "resource", "resource": {"uri": "a://b", "text": "t"}},
            {"type": "resource", "resource": {"uri": "a://b", "text": "t"}},
        ),
        (
            {"type": "resource", "resource": {"uri": "a://b", "blob": PNG}},
            {"type": "resource", "resource": {"uri": "a://b", "blob": PNG}},
        ),
        (
            {"type": "resource_link", "uri": "a://b", "name": "n", "size": "x"},
            {"type": "resource_link", "uri": "a://b", "name": "n"},
        ),
    ],
)
def test_a_value_becomes_its_block(value: Any, expected: dict[str, Any]) -> None:
    (block,) = blocks([value])
    assert block == expected
    ADAPTER.validate_python(block)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "image", "data": "not base64!", "mimeType": "image/png"},
        {"type": "image", "data": PNG},
        {"type": "resource", "resource": {"text": "no uri"}},
        {"type": "resource", "resource": {"uri": "a://b"}},
        {"type": "unknown"},
        file("image/png", "###"),
        file("image/png", encoding="hex"),
    ],
)
def test_what_only_looks_like_a_block_is_shown_as_json(value: Any) -> None:
    (block,) = blocks([value])
    assert block["type"] == "text"
    ADAPTER.validate_python(block)


def test_text_that_is_not_utf8_goes_out_as_bytes() -> None:
    (block,) = blocks([file("text/plain", base64.b64encode(b"\xff").decode())])
    assert "blob" in block["resource"]


def test_svg_is_a_file_because_it_can_hold_scripts() -> None:
    (block,) = blocks([file("image/svg+xml", base64.b64encode(b"<svg/>").decode())])
    assert block["resource"]["text"] == "<svg/>"


def test_an_overdeep_value_is_named_not_raised() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    assert "too deeply" in blocks([deep])[0]["text"]


def test_summaries_leave_the_bulk_out() -> None:
    made = blocks(["x" * 5000, file("image/png"), file("application/pdf")])
    assert summaries(made) == [
        {"type": "text", "text": "x" * 1000, "characters": 5000},
        {"type": "image", "mimeType": "image/png", "bytes": 6},
        {"type": "resource", "uri": "executor://emitted/file", "mimeType": "application/pdf"},
    ]
