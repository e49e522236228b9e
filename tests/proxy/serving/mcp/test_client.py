from __future__ import annotations

from proxy.serving.mcp.client import ClientStates
from tests.proxy.serving.support import TOKENS


def test_memory_is_per_workspace_account_and_client_and_bounded() -> None:
    memories = ClientStates(limit=2)
    first = memories.of(TOKENS["alice"], "cli")
    first.revision = "r1"
    assert memories.of(TOKENS["alice-too"], "cli") is first
    assert memories.of(TOKENS["eve"], "cli") is not first
    memories.of(TOKENS["alice"], "other")
    assert memories.of(TOKENS["alice"], "cli").revision is None
