from __future__ import annotations

from typing import Any

import pytest

from integrations.http.toolfile import decode_base64, file_bytes, is_tool_file, tool_file


def test_round_trip() -> None:
    file = tool_file(b"\x00\xff", "image/png", "a.png")
    assert is_tool_file(file)
    assert (file_bytes(file), file["byteLength"], file["name"]) == (b"\x00\xff", 2, "a.png")
    assert "name" not in tool_file(b"", "a/b")


@pytest.mark.parametrize("text", ["-_8", "+/8=", "+/8", " +/\n8= "])
def test_alphabets_and_padding(text: str) -> None:
    assert decode_base64(text) == b"\xfb\xff"


@pytest.mark.parametrize("value", ["a", "é", 1, None, "a b*"])
def test_no_base64(value: Any) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64(value)


def test_no_file() -> None:
    assert not is_tool_file({"data": ""})
    with pytest.raises(ValueError, match="ToolFile"):
        file_bytes({"_tag": "ToolFile", "encoding": "hex", "data": ""})
