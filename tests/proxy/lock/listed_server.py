"""A small MCP server on stdin and stdout that offers what a JSON file says: `python listed_server.py TOOLS.json`.

The file is read for every `tools/list`. A call of any tool answers its name; a signal (SIGUSR1) tells the client that
the list has changed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def send(message: dict[str, Any]) -> None:
    os.write(1, (json.dumps({"jsonrpc": "2.0", **message}) + "\n").encode())


def changed(*_: Any) -> None:
    send({"method": "notifications/tools/list_changed", "params": {}})


def result_of(message: dict[str, Any], file: Path) -> dict[str, Any] | None:
    method = message.get("method")
    if method == "initialize":
        info = {"name": "listed", "version": "1"}
        capabilities = {"tools": {"listChanged": True}}
        return {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        return {"tools": json.loads(file.read_text(encoding="utf-8"))}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": message["params"]["name"]}]}
    return None


def main() -> None:
    file = Path(sys.argv[1])
    signal.signal(signal.SIGUSR1, changed)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(str(os.getpid()), encoding="ascii")
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = result_of(message, file)
        missing = {"error": {"code": -32601, "message": "Method not found"}}
        send({"id": message["id"], **({"result": result} if result is not None else missing)})


if __name__ == "__main__":
    main()
