"""What `executor serve` prints when it listens. On a terminal: where, with what token, and commands to paste; elsewhere
one line of JSON."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from itertools import islice

from proxy.app.application import Application
from proxy.app.listing import connection_rows

_VERSION = "2026-07-28"


def welcome(application: Application, url: str, command: str = "executor") -> str:
    """Plain text, for a person at a terminal. The agents' token is shown only when this process minted it, the
    approver's never. `command` is how another terminal runs this program."""
    endpoint, token = f"{url}/mcp", application.access.local_token
    lines = [f"Executor serves {endpoint}"]
    lines += [f"  {_row(row)}" for row in connection_rows(application.live.current)]
    if token is None:
        return "\n".join([*lines, "  Callers bring their own keys (auth in the config)."])
    shown = token.reveal()
    header = f"Authorization: Bearer {shown}"
    add = f"npx add-mcp {endpoint} --transport http --name executor --header {shlex.quote(header)}"
    return "\n".join(
        [
            *lines,
            f"  Token: {shown}   (kept in {application.access.token_file})",
            "",
            "Run some code (paste this):",
            f"  {curl_line(endpoint, header, _first_code(application), _cacert(application))}",
            "",
            "Connect an agent:",
            f"  {add}",
            "",
            "Approve what agents ask for, in another terminal or on the page that a waiting call names:",
            f"  {state_prefix(application.options.env)}{command} approvals ls --server {url}{_trusting(application)}",
            f"  The page asks for a token: it is in {application.access.approver_file} (never give it to an agent).",
            "",
        ]
    )


def listening(application: Application, url: str) -> str:
    """One line of JSON, for whoever reads the output of a service: paths of token files, and no token."""
    rows = connection_rows(application.live.current)
    access = application.access
    said: dict[str, object] = {"event": "listening", "url": f"{url}/mcp"}
    said["connections"] = {str(row["connection"]): row["status"] for row in rows}
    if access.local_token is not None:
        said |= {"token_file": str(access.token_file), "approver_token_file": str(access.approver_file)}
    return json.dumps(said)


def _row(row: dict[str, object]) -> str:
    error = f": {row['error']}" if row.get("error") else ""
    return f"{row['connection']}  {row['status']}{error}  {row['tools']} tools"


def state_prefix(env: Mapping[str, str]) -> str:
    """What a command must be told so that it finds this process's tokens, when they are not in the usual place."""
    moved = env.get("EXECUTOR_STATE_DIR")
    return f"EXECUTOR_STATE_DIR={shlex.quote(os.path.abspath(moved))} " if moved else ""


def _first_code(application: Application) -> str:
    """Code that shows a real result whatever is connected."""
    tools = list(islice(_first_tools(application), 100))
    listing = [tool for tool in tools if tool.endswith((".list", "List"))]
    for tool in (*listing, *tools):
        return f"return await tools.{tool}({{}})"
    return "return await tools.catalog.namespaces({})"


def _first_tools(application: Application) -> Iterator[str]:
    """Addresses of tools that run unasked and need no argument: what a first try should call."""
    for workspace in application.live.current.workspaces.values():
        for tool in workspace.catalog.all():
            needs = tool.toolset.schemas(tool.definition.name).input.get("required")
            if tool.definition.risk == "read" and not needs:
                yield tool.address


def _trusting(application: Application) -> str:
    cacert = _cacert(application)
    return f" --cacert {shlex.quote(cacert)}" if cacert else ""


def _cacert(application: Application) -> str:
    """For a certificate that nobody trusts by itself."""
    identity = application.tls.identity
    return str(identity.file) if identity is not None and identity.is_self_signed else ""


def curl_line(endpoint: str, header: str, code: str, cacert: str = "") -> str:
    """One `execute` in the stateless protocol era: a single request, no handshake."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": _VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "execute", "arguments": {"code": code}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = [
        header,
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {_VERSION}",
        "Mcp-Method: tools/call",
        "Mcp-Name: execute",
    ]
    trusted = ["--cacert", shlex.quote(cacert)] if cacert else []
    given = [f"-H {shlex.quote(one)}" for one in headers]
    return " ".join(["curl -s", *trusted, endpoint, *given, "-d", shlex.quote(body)])
