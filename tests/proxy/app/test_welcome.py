"""What `executor serve` prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.app.welcome import curl_line, listening, welcome
from proxy.auth import hash_key
from tests.proxy.app.started import application_of
from tests.proxy.support import DOWN_ERROR, config_text, inline, shop, with_a_connection_down

URL = "http://127.0.0.1:8080"


async def said(folder: Path, text: str, env: Mapping[str, str]) -> str:
    async with application_of(folder, text, env) as application:
        return welcome(application, URL)


async def test_a_token_and_commands_to_paste(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = await said(tmp_path, config_text(), env)
    token = (Path(env["EXECUTOR_STATE_DIR"]) / "local-token").read_text().strip()
    lines = text.splitlines()
    assert lines[0] == "Executor serves http://127.0.0.1:8080/mcp"
    assert lines[1] == "  shop.org.main  connected  4 tools"
    assert lines[2].startswith(f"  Token: {token} ")
    add = next(line for line in lines if "add-mcp" in line)
    assert shlex.split(add)[-2:] == ["--header", f"Authorization: Bearer {token}"]
    curl = next(line for line in lines if "curl -s" in line)
    assert "return await tools.shop.org.main.items.list({})" in curl


async def test_the_approver_is_told_where_the_other_token_is(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = await said(tmp_path, config_text(), env)
    path = Path(env["EXECUTOR_STATE_DIR"]) / "approver.token"
    assert str(path) in text
    assert path.read_text().strip() not in text
    assert f"executor approvals ls --server {URL}" in text


async def test_the_command_names_a_state_directory_that_was_moved(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    moved = tmp_path / "the state"
    text = await said(tmp_path, config_text(), {**env, "EXECUTOR_STATE_DIR": str(moved)})
    line = next(line for line in text.splitlines() if "approvals ls" in line)
    assert shlex.split(line) == [
        f"EXECUTOR_STATE_DIR={moved}",
        *("executor", "approvals", "ls", "--server", URL),
    ]


async def test_files_are_named_so_that_another_directory_finds_them(
    tmp_path: Path, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make run` keeps its state in a relative directory."""
    monkeypatch.chdir(tmp_path)
    text = await said(tmp_path, config_text(), {**env, "EXECUTOR_STATE_DIR": "kept"})
    assert f"kept in {tmp_path}/kept/local-token)" in text
    assert f"it is in {tmp_path}/kept/approver.token " in text


async def test_the_command_names_no_state_directory_where_it_is_the_usual_one(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    usual = {name: value for name, value in env.items() if name != "EXECUTOR_STATE_DIR"}
    text = await said(tmp_path, config_text(), {**usual, "HOME": str(tmp_path)})
    line = next(line for line in text.splitlines() if "approvals ls" in line)
    assert line == f"  executor approvals ls --server {URL}"


async def test_without_a_tool_to_try_there_is_still_something_to_see(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    document = shop()
    del document["paths"]["/items"]
    text = await said(tmp_path, config_text(inline(document)), env)
    assert "return await tools.catalog.namespaces({})" in text


async def test_with_keys_of_their_own_no_token_is_shown(tmp_path: Path, env: Mapping[str, str]) -> None:
    keys = f'auth: {{api_keys: {{keys: {{bot: {{hash: "sha256:{hash_key("k3y")}"}}}}}}}}\n'
    text = await said(tmp_path, config_text(more=keys), env)
    assert "Callers bring their own keys" in text
    assert "Bearer" not in text


async def test_what_is_not_ready_says_why(tmp_path: Path, env: Mapping[str, str]) -> None:
    text = await said(tmp_path, with_a_connection_down(), env)
    line = next(line for line in text.splitlines() if "crm.org.main" in line)
    assert line.startswith(f"  crm.org.main  failed: {DOWN_ERROR}")
    assert line.endswith("  0 tools")


async def test_a_service_says_one_line_and_no_token(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        line = listening(application, URL)
    assert "\n" not in line
    said = json.loads(line)
    folder = Path(env["EXECUTOR_STATE_DIR"])
    assert said == {
        "event": "listening",
        "url": f"{URL}/mcp",
        "connections": {"shop.org.main": "connected"},
        "token_file": str(folder / "local-token"),
        "approver_token_file": str(folder / "approver.token"),
    }


async def test_the_command_is_the_one_that_was_started(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, config_text(), env) as application:
        text = welcome(application, URL, "/opt/x/executor")
    assert f"/opt/x/executor approvals ls --server {URL}" in text


def test_the_curl_line_is_one_stateless_call() -> None:
    code = "return 'it''s'"
    words = shlex.split(curl_line(f"{URL}/mcp", "Authorization: Bearer t", code))
    assert words[:3] == ["curl", "-s", f"{URL}/mcp"]
    body = json.loads(words[words.index("-d") + 1])
    assert body["params"]["arguments"] == {"code": code}
    headers = dict(word.split(": ", 1) for word, flag in zip(words[1:], words, strict=False) if flag == "-H")
    assert headers["Mcp-Name"] == body["params"]["name"] == "execute"
    assert headers["Mcp-Method"] == body["method"]
    meta = body["params"]["_meta"]
    assert headers["MCP-Protocol-Version"] == meta["io.modelcontextprotocol/protocolVersion"]
