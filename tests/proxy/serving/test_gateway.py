from __future__ import annotations

from proxy.serving.gateway import Gateway, ReloadReport
from tests.proxy.serving.support import Board


async def test_the_test_gateway_is_a_gateway() -> None:
    gateway: Gateway = Board()
    assert await gateway.reload() == ReloadReport(
        "applied", {"generation": 2, "sha256": "ab12", "changed": True, "summary": "tools=+1"}
    )
