"""What is copied is well formed, has the right URL, and holds no token."""

from __future__ import annotations

import json
import shlex
import tomllib

import pytest

from proxy.serving.console.set_ups import ConnectFacts, SetUp, set_ups

URL = "https://tools.example/team/red/mcp"


def made(issuers: bool = False) -> dict[str, SetUp]:
    facts = ConnectFacts(URL, "https://tools.example/team", https=True, issuers=issuers)
    return {one.client: one for one in set_ups(facts)}


@pytest.mark.parametrize("issuers", [False, True])
def test_each_has_the_url_and_only_names_the_token(issuers: bool) -> None:
    found = made(issuers)
    for one in found.values():
        assert (URL in one.text) or one.client == "curl"
        assert one.id.replace("-", "").isalnum()
    assert len({one.id for one in found.values()}) == len(found)


def test_files_are_what_their_clients_read() -> None:
    found = made()
    cursor = json.loads(found["Cursor"].text)["mcpServers"]["executor"]
    assert cursor == {"url": URL, "headers": {"Authorization": "Bearer ${env:EXECUTOR_TOKEN}"}}
    code = json.loads(found["VS Code"].text)
    assert code["servers"]["executor"]["headers"] == {
        "Authorization": f"Bearer ${{input:{code['inputs'][0]['id']}}}"
    }
    open_code = json.loads(found["OpenCode"].text)["mcp"]["servers"]["executor"]
    assert (open_code["type"], open_code["oauth"]) == ("remote", False)
    codex = tomllib.loads(found["Codex"].text)["mcp_servers"]["executor"]
    assert codex == {"url": URL, "bearer_token_env_var": "EXECUTOR_TOKEN"}
    words = shlex.split(found["Claude Code"].text)
    assert words[:6] == ["claude", "mcp", "add", "--transport", "http", "executor"]
    assert words[6:] == [URL, "--header", "Authorization: Bearer $EXECUTOR_TOKEN"]
    curl = shlex.split(found["curl"].text.replace("\\\n", " "))
    assert json.loads(curl[-1])["code"].startswith("return")
    compile(found["Python SDK"].text, "example", "exec")


def test_where_clients_sign_in_no_header_is_sent() -> None:
    found = made(issuers=True)
    for client in ("Claude Code", "Cursor", "VS Code", "OpenCode", "Codex"):
        assert "EXECUTOR_TOKEN" not in found[client].text


def test_hosted_clients_are_told_what_is_missing() -> None:
    local = ConnectFacts("http://127.0.0.1:1/mcp", "http://127.0.0.1:1", https=False, issuers=False)
    note = next(one.note for one in set_ups(local) if one.client.startswith("ChatGPT"))
    assert "server.public_url" in note
    assert "auth.oauth" in note
    assert "needs" not in made(issuers=True)["ChatGPT and claude.ai"].note
