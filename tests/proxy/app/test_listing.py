"""Connections as rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.listing import connection_rows
from tests.proxy.support import DOWN_ERROR, DOWN_URL, config_text, generation_of, inline, shop


async def test_a_row_for_every_connection(tmp_path: Path, env: Mapping[str, str]) -> None:
    spec = f"{inline(shop())}\n    include: [items.*, nothing.*]\n  crm: {{kind: openapi, spec: {{url: {DOWN_URL}}}}}"
    more = "  crm.org.main: {}\n  shop.org.needy: {auth: {kind: bearer, token: {env: TOKEN}}}\n"
    rows = connection_rows(await generation_of(tmp_path, config_text(spec, more=more), env))
    ready, crm, needy = rows
    assert (ready["connection"], ready["kind"], ready["tools"], ready["status"]) == (
        "shop.org.main",
        "openapi",
        4,
        "connected",
    )
    assert ready["warnings"] == ["inline document: `nothing.*` matches no tool"]
    assert "error" not in ready
    assert crm.pop("error").startswith(DOWN_ERROR)
    assert crm == {
        "connection": "crm.org.main",
        "kind": "openapi",
        "tools": 0,
        "status": "failed",
        "warnings": [],
    }
    assert (needy["status"], needy["error"], needy["tools"]) == ("needs_secret", "TOKEN is not set", 4)
