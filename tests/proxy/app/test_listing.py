"""Connections as rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

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
    (idle,) = ready["warnings"]
    assert "executor.yaml:7:24 W609 `nothing.*` matches no tool that `shop` offers" in idle
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


async def test_a_connection_without_tools_says_why(tmp_path: Path, env: Mapping[str, str]) -> None:
    spec = (
        "{inline: {openapi: 3.1.0}}\n  picky: {kind: openapi, include: [none], spec: " + inline(shop()) + "}"
    )
    more = "  picky.org.main: {}\n"
    bare, picky = connection_rows(await generation_of(tmp_path, config_text(spec, more=more), env))
    assert (bare["status"], bare["tools"]) == ("connected", 0)
    assert bare["warnings"] == ["inline document: it offers nothing that can become a tool"]
    none_left, idle = picky["warnings"]
    assert none_left == "inline document: `include` and `exclude` leave none of its 4 tools"
    assert "`none` matches no tool that `picky` offers" in idle


async def test_rules_that_match_no_tool_stand_once(tmp_path: Path, env: Mapping[str, str]) -> None:
    more = "  shop.user.me: {}\npolicies:\n  - {id: r, pattern: shop.*.*.items.delet, action: block}\n"
    rows = connection_rows(await generation_of(tmp_path, config_text(more=more), env))
    (said,) = [warning for row in rows for warning in row["warnings"]]
    assert said.endswith(":11:22 W609 rule `r` matches no tool (did you mean `shop.*.*.items.delete`?)")


async def test_a_secret_too_short_to_be_redacted_is_said(tmp_path: Path, env: Mapping[str, str]) -> None:
    pin = tmp_path / "pin"
    text = config_text(connection=f"{{auth: {{kind: bearer, token: {{file: {pin}}}}}}}")
    pin.write_text("abc")
    (short,) = connection_rows(await generation_of(tmp_path, text, env))
    assert short["warnings"] == [
        "a secret of fewer than 4 characters is not redacted from what upstreams answer"
    ]
    pin.write_text("abc4")
    (long,) = connection_rows(await generation_of(tmp_path, text, env))
    assert long["warnings"] == []


@pytest.mark.parametrize("secret", ["main", "admin", "passwort"])
async def test_a_secret_like_an_ordinary_word_is_said(
    tmp_path: Path, env: Mapping[str, str], secret: str
) -> None:
    """Field recipe 16: redacting it mangles every result."""
    word = tmp_path / "word"
    word.write_text(secret)
    text = config_text(connection=f"{{auth: {{kind: bearer, token: {{file: {word}}}}}}}")
    (row,) = connection_rows(await generation_of(tmp_path, text, env))
    assert row["warnings"] == [
        "a secret is short and all letters, like an ordinary word: it is replaced wherever it occurs in results"
    ]


async def test_needs_auth_stands_without_an_error_of_ours(tmp_path: Path, env: Mapping[str, str]) -> None:
    """`needs_auth` is a bare word in a status; the reason stands with the warnings."""
    text = config_text(
        connection="{auth: {kind: oauth2, grant: authorization_code, issuer: https://i.example.com}}"
    )
    (row,) = connection_rows(await generation_of(tmp_path, text, env))
    assert (row["status"], "error" in row) == ("needs_auth", False)
    assert row["warnings"] == ["nobody has signed in: run `executor auth login shop.org.main`"]


async def test_a_local_server_that_failed_shows_what_it_said_last(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    """The status has the line that looks like the reason, the row for operators all of the last ones."""
    code = "import sys; sys.stderr.write('cannot open the database\\nsecond line\\n'); sys.exit(3)"
    server = json.dumps({"kind": "mcp", "type": "local", "command": [sys.executable, "-c", code]})
    text = config_text(f"{inline(shop())}\n  broken: {server}", more="  broken.org.main: {}\n")
    generation = await generation_of(tmp_path, text, env)
    row = next(one for one in connection_rows(generation) if one["connection"] == "broken.org.main")
    assert (row["status"], row["error"].endswith("exited with code 3: cannot open the database")) == (
        "failed",
        True,
    )
    assert row["stderr"] == ["cannot open the database", "second line"]
