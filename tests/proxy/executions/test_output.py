"""Emitted values become MCP content blocks; every one of them validates as MCP sees it."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import ContentBlock
from pydantic import TypeAdapter

from integrations.json_text import JsonTooDeep
from proxy.executions.output import blocks, preview, shape, summaries
from proxy.state import MemoryCaps, MemoryState, Owner

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


OWNER = Owner("ws", "key:alice")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=60,
)


async def test_a_small_result_goes_out_as_it_is() -> None:
    shaped = await shape({"a": 1}, MemoryState(), OWNER, max_bytes=100, ttl_seconds=1)
    assert (shaped.value, shaped.text, shaped.ref) == ({"a": 1}, '{"a":1}', None)


async def test_a_string_is_its_own_text() -> None:
    assert (await shape('say "hi"', MemoryState(), OWNER, max_bytes=100, ttl_seconds=1)).text == 'say "hi"'


async def test_a_large_result_is_a_preview_with_a_reference() -> None:
    state = MemoryState()
    rows = [{"id": n, "name": "n" * 30} for n in range(1000)]
    shaped = await shape(rows, state, OWNER, max_bytes=1000, ttl_seconds=60)
    assert shaped.value["$truncated"] is True
    assert shaped.value["bytes"] == len(orjson.dumps(rows))
    assert shaped.value["preview"][:3] == rows[:3]
    assert len(orjson.dumps(shaped.value)) <= 1000
    assert await state.get_result(OWNER, shaped.value["resultRef"]) == orjson.dumps(rows)


async def test_a_result_that_the_store_does_not_take_has_no_reference() -> None:
    state = MemoryState(MemoryCaps(owner_result_bytes=10))
    shaped = await shape("x" * 5000, state, OWNER, max_bytes=1000, ttl_seconds=60)
    assert "resultRef" not in shaped.value
    assert shaped.ref is None


async def test_an_overdeep_value_is_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(JsonTooDeep):
        await shape(deep, MemoryState(), OWNER, max_bytes=1000, ttl_seconds=60)


@given(JSON, st.integers(16, 400))
def test_a_preview_is_valid_and_near_its_budget(value: Any, budget: int) -> None:
    shown = orjson.dumps(preview(value, budget))
    assert len(shown) <= 2 * budget + 600
    assert type(orjson.loads(shown)) is type(orjson.loads(orjson.dumps(value)))


IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}
FILE = {"_tag": "ToolFile", "mimeType": "image/png", "encoding": "base64", "data": PNG, "byteLength": 4}
TEXT = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    ("emitted", "shown"),
    [
        ([TEXT, IMAGE], [TEXT, IMAGE]),
        ([TEXT, FILE], [TEXT, IMAGE]),
        ([FILE], [IMAGE]),
        ({"content": [IMAGE, TEXT], "isError": False}, [IMAGE, TEXT]),
        ([TEXT, {"a": 1}], None),
        ([1, 2], None),
        ([], None),
        ({"content": []}, None),
        ({"content": "text"}, None),
        ({"type": "doc", "content": [TEXT]}, None),
        ([{**IMAGE, "data": "not base64!"}], None),
    ],
)
def test_an_array_of_content_blocks_is_emitted_block_by_block(
    emitted: Any, shown: list[dict[str, Any]] | None
) -> None:
    out = list(blocks([emitted]))
    assert out == (
        shown or [{"type": "text", "text": orjson.dumps(emitted, option=orjson.OPT_INDENT_2).decode()}]
    )


async def test_integers_that_clients_would_round_are_strings_and_said_so() -> None:
    shaped = await shape({"id": 2**60, "n": [5, 2**70]}, MemoryState(), OWNER, max_bytes=1000, ttl_seconds=60)
    assert shaped.value == {"id": "1152921504606846976", "n": [5, "1180591620717411303424"]}
    assert shaped.unsafe
    plain = await shape({"id": "12345678901234567890"}, MemoryState(), OWNER, max_bytes=1000, ttl_seconds=60)
    assert not plain.unsafe
