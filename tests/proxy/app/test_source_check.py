"""What only the documents of a config show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from proxy.app.source_check import SourceCheck, check_sources
from tests.proxy.support import DOWN_URL, config_text, inline, load, shop, written

SDL = "type Query { user(id: ID!): String }  type Mutation { removeUser(id: ID!): Boolean }"
GRAPHQL = "\n  g: {kind: graphql, endpoint: http://127.0.0.1:9, introspection: {file: schema.graphql}}"
REMOTE = (
    f"\n  crm: {{kind: openapi, spec: {{url: {DOWN_URL}}}}}\n  m: {{kind: mcp, type: local, command: [none]}}"
)


async def checked(folder: Path, text: str, env: Mapping[str, str]) -> SourceCheck:
    (folder / "shop.json").write_text(json.dumps(shop()))
    (folder / "schema.graphql").write_text(SDL)
    return await check_sources(load(written(folder, text)), env)


def told(check: SourceCheck) -> list[tuple[str, str, str | None]]:
    return [(one.code, one.path, one.help) for one in check.diagnostics]


async def test_documents_in_files_and_inline(tmp_path: Path, env: Mapping[str, str]) -> None:
    spec = f"{{file: shop.json}}\n  two: {{kind: openapi, spec: {inline(shop())}}}{GRAPHQL}"
    more = """  two.org.main: {}
  g.org.main: {}
policies:
  - {pattern: shop.*.*.items.delet, action: block}
  - {pattern: two.*.*.delete, action: block}
  - {pattern: g.*.*.mutation.remove_user, action: block}
  - {pattern: g.*.*.query.user, action: approve, when: {ids: {equals: "1"}}}
"""
    assert told(await checked(tmp_path, config_text(spec, more=more), env)) == [
        ("W609", "policies[0].pattern", "did you mean `shop.*.*.items.delete`?"),
        ("W609", "policies[1].pattern", "did you mean `two.*.*.items.delete`?"),
        ("W609", "policies[2].pattern", "did you mean `g.*.*.mutation.removeUser`?"),
        ("W610", "policies[3].when.ids", "did you mean `id`?"),
    ]


async def test_nothing_is_fetched_or_started(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "  crm.org.main: {}\n  m.org.main: {}\npolicies:\n"
    more += "".join(f"  - {{pattern: {name}.*.*.nope, action: block}}\n" for name in ("shop", "crm", "m"))
    found = await checked(tmp_path, config_text(f"{{file: shop.json}}{REMOTE}", more=more), env)
    assert [one.path for one in found.diagnostics] == ["policies[0].pattern"]
    assert found.unchecked == {
        "crm.org.main": "its document is fetched at the start",
        "m.org.main": "an MCP server tells its tools when it is connected",
    }


async def test_every_wrong_document_is_told_at_its_key(tmp_path: Path, env: Mapping[str, str]) -> None:
    patched = "\n    overrides:\n      - {op: remove, path: /paths/~1item}"
    spec = (
        f"{inline(shop())}{patched}\n  two: {{kind: openapi, spec: {{inline: {{openapi: '9.0'}}}}}}{GRAPHQL}"
    )
    text = config_text(spec, more="  two.org.main: {}\n  g.org.main: {}\n")
    (tmp_path / "schema.graphql").write_text("type Nothing { a: Int }")
    found = await check_sources(load(written(tmp_path, text)), env)
    assert [(one.code, one.severity, one.path) for one in found.diagnostics] == [
        ("E206", "error", "integrations.g.introspection"),
        ("E206", "error", "integrations.shop.overrides[0]"),
        ("E206", "error", "integrations.two.spec"),
    ]
    assert "did you mean `/items`?" in found.diagnostics[1].message


async def test_probes(tmp_path: Path, env: Mapping[str, str]) -> None:
    found = await checked(tmp_path, config_text("{file: shop.json}\n    health: {tool: items.lst}"), env)
    assert told(found) == [("E206", "integrations.shop.health.tool", "did you mean `items.list`?")]
