"""What somebody copies to connect a client: commands and files for each, with the right URL and how to say who calls.

The formats are those of the clients' own documentation, looked up in November 2026 (docs/console.md names the pages).
Tokens stay out of files wherever the client can read one from its environment or ask for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

VARIABLE: Final = "EXECUTOR_TOKEN"
NAME: Final = "executor"


@dataclass(frozen=True, slots=True)
class SetUp:
    """`where` says where `text` goes: a shell, or a file. `note` is what else has to be known."""

    client: str
    where: str
    text: str
    note: str = ""

    @property
    def id(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.client.lower())


@dataclass(frozen=True, slots=True)
class ConnectFacts:
    """`url` is the MCP endpoint of this person's workspace, `base` the address of the server. `https`: whether people
    elsewhere can reach it. `issuers`: whether clients can sign in by themselves (`auth.oauth`)."""

    url: str
    base: str
    https: bool
    issuers: bool


def set_ups(facts: ConnectFacts) -> tuple[SetUp, ...]:
    """All of them, the clients first."""
    return (*_agents(facts), _hosted(facts), *_programs(facts))


def _agents(facts: ConnectFacts) -> tuple[SetUp, ...]:
    url, bearer = facts.url, "Authorization: Bearer"
    headers = "" if facts.issuers else f' --header "{bearer} ${VARIABLE}"'
    sign_in = "It opens a browser to sign in." if facts.issuers else ""
    return (
        SetUp("Claude Code", "In a shell", f"claude mcp add --transport http {NAME} {url}{headers}", sign_in),
        SetUp(
            "Cursor", "In .cursor/mcp.json, or ~/.cursor/mcp.json for all projects", _cursor(facts), sign_in
        ),
        SetUp("VS Code", "In .vscode/mcp.json", _vs_code(facts), sign_in or "It asks for the token once."),
        SetUp("OpenCode", "In opencode.json", _open_code(facts), sign_in),
        SetUp(
            "Codex", "In ~/.codex/config.toml", _codex(facts), sign_in and "Then: codex mcp login executor"
        ),
    )


def _cursor(facts: ConnectFacts) -> str:
    headers = {} if facts.issuers else {"headers": {"Authorization": f"Bearer ${{env:{VARIABLE}}}"}}
    return _json({"mcpServers": {NAME: {"url": facts.url, **headers}}})


def _vs_code(facts: ConnectFacts) -> str:
    server: dict[str, Any] = {"type": "http", "url": facts.url}
    if facts.issuers:
        return _json({"servers": {NAME: server}})
    asked = {
        "type": "promptString",
        "id": "executor-token",
        "description": "Executor token",
        "password": True,
    }
    headers = {"Authorization": "Bearer ${input:executor-token}"}
    return _json({"inputs": [asked], "servers": {NAME: {**server, "headers": headers}}})


def _open_code(facts: ConnectFacts) -> str:
    server: dict[str, Any] = {"type": "remote", "url": facts.url}
    if not facts.issuers:
        server |= {"oauth": False, "headers": {"Authorization": f"Bearer {{env:{VARIABLE}}}"}}
    return _json({"$schema": "https://opencode.ai/config.json", "mcp": {"servers": {NAME: server}}})


def _codex(facts: ConnectFacts) -> str:
    lines = [f"[mcp_servers.{NAME}]", f'url = "{facts.url}"']
    if not facts.issuers:
        lines.append(f'bearer_token_env_var = "{VARIABLE}"')
    return "\n".join(lines)


def _hosted(facts: ConnectFacts) -> SetUp:
    """ChatGPT and claude.ai call from their own machines, and only with OAuth."""
    missing = []
    if not facts.https:
        missing.append("a public https address (server.public_url)")
    if not facts.issuers:
        missing.append("an authorization server that they can sign in at (auth.oauth)")
    note = "Both call from the internet, and ask you to sign in."
    if missing:
        note = f"Both call from the internet and sign in with OAuth: this server still needs {' and '.join(missing)}."
    where = "ChatGPT: Settings, Apps, Create app (developer mode); claude.ai: Customize, Connectors, custom connector"
    return SetUp("ChatGPT and claude.ai", where, facts.url, note)


def _programs(facts: ConnectFacts) -> tuple[SetUp, ...]:
    body = '{"code": "return await tools.search({query: \'send a message\'})"}'
    curl = "\n".join(
        (
            f"curl -sS {facts.base}/api/executions \\",
            f'  -H "Authorization: Bearer ${VARIABLE}" -H "Content-Type: application/json" \\',
            f"  -d {_shell(body)}",
        )
    )
    return (
        SetUp("curl", "In a shell", curl, "The REST API; /api/openapi.json describes it."),
        SetUp("Python SDK", "pip install mcp", _PYTHON.replace("@URL", facts.url)),
        SetUp(
            "TypeScript SDK", "npm install @modelcontextprotocol/sdk", _TYPESCRIPT.replace("@URL", facts.url)
        ),
    )


_PYTHON: Final = """import asyncio, os
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main():
    headers = {"Authorization": f"Bearer {os.environ['EXECUTOR_TOKEN']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
        async with Client(streamable_http_client("@URL", http_client=http)) as client:
            print(await client.call_tool("execute", {"code": "return 1 + 1"}))

asyncio.run(main())"""

_TYPESCRIPT: Final = """import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "example", version: "1.0.0" });
const headers = { Authorization: `Bearer ${process.env.EXECUTOR_TOKEN}` };
await client.connect(new StreamableHTTPClientTransport(new URL("@URL"), { requestInit: { headers } }));
console.log(await client.callTool({ name: "execute", arguments: { code: "return 1 + 1" } }));
await client.close();"""


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def _shell(text: str) -> str:
    """In single quotes, for any POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
