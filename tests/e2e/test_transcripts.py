"""Transcripts (tests/data/transcripts.txt): what agents write, and the whole text that they get from `executor serve`.

A text that changes there is one that every agent reads: look at it as one of them would.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import Proxy

_FILE = Path(__file__).parents[1] / "data" / "transcripts.txt"
_ENTRY = re.compile(r"^======== (.*)\n", re.MULTILINE)


def transcripts() -> list[Any]:
    """Subject, code and text of each."""
    _, *parts = _ENTRY.split(_FILE.read_text())
    found: list[Any] = []
    for number, (subject, body) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        code, text = body.removesuffix("\n").split("\n--------\n", 1)
        found.append(pytest.param(code, text, id=f"{subject.partition(':')[0]}-{number}"))
    return found


def shown(content: list[dict[str, Any]]) -> str:
    """The blocks of a result as one text."""
    return "\n---\n".join(one.get("text") or f"[{one['type']} {one['mimeType']}]" for one in content)


@pytest.mark.parametrize(("code", "text"), transcripts())
async def test_what_an_agent_reads(shop: Proxy, code: str, text: str) -> None:
    assert shown((await shop.execute(code)).raw["content"]) == text


def test_there_are_many() -> None:
    assert len(transcripts()) > 80
