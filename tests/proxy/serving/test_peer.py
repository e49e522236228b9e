from __future__ import annotations

import pytest

from proxy.serving.http import Request
from proxy.serving.peer import Memories, requested_mode
from tests.proxy.serving.support import TOKENS


def request(query: bytes) -> Request:
    return Request.of(
        {"method": "POST", "path": "/mcp", "headers": [], "query_string": query, "client": None}
    )


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        (b"", "model"),
        (b"elicitation_mode=model", "model"),
        (b"elicitation_mode=browser", "browser"),
        (b"elicitation_mode=native", "native"),
        (b"elicitation_mode=other", "model"),
        (b"elicitation_mode=browser&allow_model_resume=true", "model"),
        (b"elicitation_mode=browser&allow_model_resume=0", "browser"),
    ],
)
def test_mode(query: bytes, mode: str) -> None:
    assert requested_mode(request(query)) == mode


def test_memory_is_per_workspace_account_and_client_and_bounded() -> None:
    memories = Memories(limit=2)
    first = memories.of(TOKENS["alice"], "cli")
    first.revision = "r1"
    assert memories.of(TOKENS["alice-too"], "cli") is first
    assert memories.of(TOKENS["eve"], "cli") is not first
    memories.of(TOKENS["alice"], "other")
    assert memories.of(TOKENS["alice"], "cli").revision is None
