"""Tools of open connections as the checks of a config see them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from policies import parse_pattern
from proxy.app.known_tools import known_tools
from tests.proxy.support import (
    DOWN_ERROR,
    config_text,
    inline,
    load,
    opened,
    shop,
    with_a_connection_down,
    written,
)


async def test_known_and_unknown(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with opened(load(written(tmp_path, with_a_connection_down())), env) as found:
        known = known_tools(found, {"other.org.main": "not opened"})
    assert known.tools.reaches(parse_pattern("shop.org.main.items.get"))
    unknown = known.tools.unknown(parse_pattern("*"))
    assert list(unknown) == ["crm.org.main", "other.org.main"]
    assert unknown["crm.org.main"].startswith(f"failed: {DOWN_ERROR}")
    assert "id" in (known.schema_of("shop.org.main", "items.get") or {})["properties"]


async def test_what_is_left_out_is_offered(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = config_text(f"{inline(shop())}\n    include: [items.get]")
    async with opened(load(written(tmp_path, text)), env) as found:
        known = known_tools(found)
    assert known.tools.of("shop") == ["items.get"]
    assert len(known.offered["shop"]) == 4
