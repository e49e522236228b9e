"""A small MCP server over stdio, with nothing but the standard library: `add`, `list` and `clear` notes.

It speaks the handshake of 2025-11-25: one JSON-RPC message a line, answers on stdout.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

NOTES = [os.environ.get("NOTES_GREETING", "Hello")]
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    {"name": "add", "description": "Add a note", "inputSchema": TEXT},
    {
        "name": "list",
        "description": "All notes, oldest first",
        "inputSchema": NOTHING,
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "clear",
        "description": "Forget all notes",
        "inputSchema": NOTHING,
        "annotations": {"destructiveHint": True},
    },
]


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The result of `tools/call`."""
    if name == "add":
        NOTES.append(arguments["text"])
    elif name == "clear":
        NOTES.clear()
    answer = {"notes": list(NOTES)}
    return {"content": [{"type": "text", "text": json.dumps(answer)}], "structuredContent": answer}


def respond(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None where this server does not know the method."""
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}))
    return {} if method == "ping" else None


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        result = respond(message["method"], message.get("params", {}))
        answer = (
            {"result": result}
            if result is not None
            else {"error": {"code": -32601, "message": "unknown method"}}
        )
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
