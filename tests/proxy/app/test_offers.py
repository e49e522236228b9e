"""What sources offer: each is asked by itself, and why one could not be asked is said of it alone."""

from __future__ import annotations

from pathlib import Path

from proxy.app.offers import ask_sources
from tests.proxy.support import config_text, load, written


async def test_a_wrong_document_stops_no_other_source(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    text = config_text().replace(
        "connections:\n",
        "  broken: {kind: openapi, spec: {file: broken.json}}\n"
        "  gone: {kind: mcp, type: local, command: [/nonexistent/program]}\n"
        "  idle: {kind: mcp, type: local, command: [/nonexistent/program], enabled: false}\n"
        "connections:\n  broken.org.main: {}\n  gone.org.main: {}\n  idle.org.main: {}\n",
    )
    loaded = load(written(tmp_path, text))
    env = {"EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    found = await ask_sources(loaded, env)
    assert list(found.tools) == ["shop.org.main"]
    assert sorted(found.tools["shop.org.main"].tools)[:2] == ["items.create", "items.delete"]
    assert list(found.unreached) == ["broken.org.main", "gone.org.main"]
    assert "broken.json" in found.unreached["broken.org.main"]
    assert found.skipped == {"idle.org.main": "it is disabled"}
    quiet = await ask_sources(loaded, env, ["gone"], launch=False)
    assert (quiet.tools, quiet.unreached) == ({}, {})
    assert "--no-launch" in quiet.skipped["gone.org.main"]
