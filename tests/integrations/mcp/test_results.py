from __future__ import annotations

import base64
from typing import Any

import pytest

from integrations.base import Failure, Success
from integrations.mcp.results import data_of, interpret, names_unknown_tool, protocol_error

PNG = base64.b64encode(b"\x89PNG").decode()
FILE = {"_tag": "ToolFile", "mimeType": "image/png", "encoding": "base64", "data": PNG, "byteLength": 4}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("blocks", "data"),
    [
        ([], None),
        ([text("hello")], "hello"),
        ([text("")], ""),
        ([text('{"a": 1}')], {"a": 1}),
        ([text(" [1, 2] ")], [1, 2]),
        ([text("{not json}")], "{not json}"),
        # An identifier stays as it was written.
        ([text("12345678901234567890")], "12345678901234567890"),
        ([text("true")], "true"),
        ([text("a"), text("b")], "a\nb"),
        ([text('{"a": 1}'), text('{"b": 2}')], [{"a": 1}, {"b": 2}]),
        ([text('{"a":'), text("1}")], {"a": 1}),
        ([{"type": "image", "data": PNG, "mimeType": "image/png"}], FILE),
        ([text("look"), {"type": "image", "data": PNG, "mimeType": "image/png"}], [text("look"), FILE]),
        ([{"type": "image", "data": "no base64!", "mimeType": "image/png"}],
         {"type": "image", "data": "no base64!", "mimeType": "image/png"}),
        ([{"type": "resource", "resource": {"uri": "a://b", "text": "t", "_meta": {}}}],
         {"type": "resource", "uri": "a://b", "text": "t"}),
        ([{"type": "resource", "resource": {"uri": "a://b", "blob": PNG, "mimeType": "image/png"}}],
         {**FILE, "name": "a://b"}),
        ([{"type": "resource_link", "uri": "a://b", "name": "n", "annotations": {"priority": 1}}],
         {"type": "resource_link", "uri": "a://b", "name": "n"}),
    ],
)  # fmt: skip
def test_content_blocks_become_data(blocks: list[dict[str, Any]], data: object) -> None:
    assert data_of(blocks) == data


def test_structured_content_comes_first() -> None:
    answer = {"content": [text("ignored")], "structuredContent": {"a": []}}
    assert interpret("tools/call", answer, "t") == Success({"a": []})


@pytest.mark.parametrize("falsy", [{}, [], 0, False, ""])
def test_structured_content_may_be_falsy(falsy: object) -> None:
    assert interpret("tools/call", {"content": [], "structuredContent": falsy}, "t") == Success(falsy)


def test_an_error_keeps_the_words_and_the_data() -> None:
    answer = {"content": [text("no"), text("way")], "structuredContent": {"why": 1}, "isError": True}
    result = interpret("tools/call", answer, "t")
    assert isinstance(result, Failure)
    assert (result.code, result.message, result.details) == (
        "mcp_tool_error",
        "no\nway",
        {"data": {"why": 1}},
    )


def test_an_error_without_words_or_with_too_many() -> None:
    empty = interpret("tools/call", {"content": [], "isError": True}, "t")
    assert isinstance(empty, Failure)
    assert empty.message == "the tool reported an error without a text"
    long = interpret("tools/call", {"content": [text("x" * 5000)], "isError": True}, "t")
    assert isinstance(long, Failure)
    assert len(long.message) == 2000


@pytest.mark.parametrize(
    "words",
    [
        "Unknown tool: get_user",
        "MCP error -32602: Tool get_user not found",
        "Tool 'get_user' does not exist",
        "no such tool get_user",
    ],
)
def test_unknown_tools_are_recognised_by_their_words(words: str) -> None:
    result = interpret("tools/call", {"content": [text(words)], "isError": True}, "get_user")
    assert isinstance(result, Failure)
    assert result.code == "mcp_tool_unknown"


@pytest.mark.parametrize(
    "words", ["User get_user not found", "Unknown tool: other", "the tool broke: get_user"]
)
def test_other_errors_are_not(words: str) -> None:
    assert not names_unknown_tool(words, "get_user")


def test_resources() -> None:
    answer = {
        "contents": [{"uri": "a", "text": "t"}, {"uri": "b", "blob": PNG, "mimeType": "image/png"}],
        "ttlMs": 0,
    }
    assert interpret("resources/read", answer, "") == Success(
        {
            "contents": [
                {"uri": "a", "text": "t"},
                {"uri": "b", "mimeType": "image/png", "file": {**FILE, "name": "b"}},
            ]
        }
    )


def test_prompts() -> None:
    answer = {"description": "d", "messages": [{"role": "user", "content": text("hi")}], "_meta": {}}
    expected = {"description": "d", "messages": [{"role": "user", "content": text("hi")}]}
    assert interpret("prompts/get", answer, "") == Success(expected)


def test_lists_lose_what_is_the_protocols_own() -> None:
    answer = {
        "prompts": [{"name": "p"}],
        "nextCursor": "c",
        "ttlMs": 5,
        "cacheScope": "public",
        "resultType": "complete",
    }
    assert interpret("prompts/list", answer, "") == Success({"prompts": [{"name": "p"}], "nextCursor": "c"})


def test_protocol_errors_keep_small_data_only() -> None:
    assert protocol_error(-32603, "oops", {"a": 1}).details == {"code": -32603, "data": {"a": 1}}
    assert protocol_error(-32603, "", "x" * 5000) == Failure(
        "mcp_tool_error", "the MCP server answered with error -32603", details={"code": -32603}
    )
