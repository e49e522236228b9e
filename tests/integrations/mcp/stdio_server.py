"""A small MCP server of the handshake era on stdin and stdout, without any library, so that it starts in no time and
misbehaves on request.

Run as `python stdio_server.py [behaviour]`. Every start appends the pid to the file in STARTS, if that is set.
Tools are named after what they do; see `Server`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

Json = dict[str, Any]
OBJECT: Json = {"type": "object", "properties": {}}
TEXT: Json = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
READ = {"readOnlyHint": True}


def send(message: Json) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def notify(method: str, params: Json | None = None) -> None:
    send({"method": method, "params": params or {}})


def text(value: object) -> Json:
    return {"content": [{"type": "text", "text": value if isinstance(value, str) else json.dumps(value)}]}


class Server:
    """One method per tool: `tool_x(request id, arguments)` returns a result, or None to leave the call unanswered."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.added: list[str] = []
        self.answers: list[Json] = []
        self.fail_lists = 0
        self.emptied = False
        self.lists = 0
        self.waiting: Any = None
        self.asked_by: Any = None
        self.line = ""

    def tools(self) -> list[Json]:
        if self.emptied:
            return []
        names = sorted(name.removeprefix("tool_") for name in dir(self) if name.startswith("tool_"))
        return [self.tool(name) for name in (*names, *self.added)]

    def tool(self, name: str) -> Json:
        out: Json = {"name": name, "inputSchema": TEXT if name == "echo" else OBJECT}
        if name in ("echo", "pid", "lists", "die_reading", "hang_reading"):
            out["annotations"] = READ
        return out

    def handle(self, message: Json) -> None:
        method, number = message.get("method"), message.get("id")
        if method is None:
            self.answered(message)
        elif method == "initialize":
            self.initialize(number)
        elif method == "tools/list":
            self.list(number, message.get("params") or {})
        elif method == "tools/call":
            self.call(number, message["params"])
        elif method == "notifications/cancelled":
            self.cancelled(message["params"])
        elif number is not None:
            send({"id": number, "error": {"code": -32601, "message": "Method not found"}})

    def initialize(self, number: Any) -> None:
        if self.behaviour == "silent":
            return
        if self.behaviour == "slow" and (gate := os.environ.pop("GATE", None)):
            sys.stderr.write("waiting for the download\n")
            sys.stderr.flush()
            with open(gate) as opened:
                opened.read()
        info = {"name": "raw", "version": "1"}
        capabilities = {"tools": {"listChanged": True}}
        if self.behaviour == "toolless":
            capabilities = {}
        answer = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
        send({"id": number, "result": answer})

    def list(self, number: Any, params: Json) -> None:
        self.lists += 1
        if self.fail_lists:
            self.fail_lists -= 1
            send({"id": number, "error": {"code": -32603, "message": "the shelf is broken"}})
        elif self.behaviour == "pages":
            start = int(params.get("cursor", 0))
            tools = [{"name": f"t{index}", "inputSchema": OBJECT} for index in range(start, start + 3)]
            more = {"nextCursor": str(start + 3)} if start < 6 else {}
            send({"id": number, "result": {"tools": tools, **more}})
        elif self.behaviour == "circle":
            tools = [{"name": "t", "inputSchema": OBJECT}]
            send({"id": number, "result": {"tools": tools, "nextCursor": "again"}})
        elif self.behaviour == "broken list":
            send({"id": number, "result": {"tools": [{"name": 5}]}})
        else:
            send({"id": number, "result": {"tools": self.tools()}})

    def call(self, number: Any, params: Json) -> None:
        name, arguments = params["name"], params.get("arguments") or {}
        tool = getattr(self, f"tool_{name}", None)
        if tool is None and name not in self.added:
            error = {"code": -32602, "message": f"Unknown tool: {name}"}
            send({"id": number, "error": error})
            return
        token = (params.get("_meta") or {}).get("progressToken")
        result = tool(number, {**arguments, "token": token}) if tool is not None else text(name)
        if result is not None:
            send({"id": number, "result": result})

    def cancelled(self, params: Json) -> None:
        with open(os.environ["CANCELLED"], "w") as file:
            file.write(json.dumps(params["requestId"] == self.waiting))

    def answered(self, message: Json) -> None:
        self.answers.append(message.get("result") or {"error": message["error"]["message"]})
        if len(self.answers) == 3:
            send({"id": self.asked_by, "result": text(self.answers)})

    # Tools.

    def tool_echo(self, number: Any, given: Json) -> Json:
        return text(given["text"])

    def tool_pid(self, number: Any, given: Json) -> Json:
        return text({"pid": os.getpid(), "group": os.getpgid(0)})

    def tool_lists(self, number: Any, given: Json) -> Json:
        return text({"lists": self.lists})

    def tool_environment(self, number: Any, given: Json) -> Json:
        return text({**os.environ, "cwd": os.getcwd()})

    def tool_die(self, number: Any, given: Json) -> None:
        sys.stderr.write(f"dying with {os.environ.get('TOKEN', '')}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    tool_die_reading = tool_die

    def tool_hang(self, number: Any, given: Json) -> None:
        """Leaves the call unanswered, and goes on."""
        self.waiting = number
        with open(os.environ.get("HUNG", os.devnull), "w") as file:
            file.write("hung")

    tool_hang_reading = tool_hang

    def tool_freeze(self, number: Any, given: Json) -> None:
        """Reads nothing any more."""
        while True:
            time.sleep(1000)

    def tool_error(self, number: Any, given: Json) -> Json:
        return {**text("it went wrong"), "isError": True}

    def tool_malformed(self, number: Any, given: Json) -> Json:
        return {"content": "not a list"}

    def tool_raw(self, number: Any, given: Json) -> None:
        """Writes its result as it is given, whatever JSON that is."""
        sys.stdout.write(f'{{"jsonrpc":"2.0","id":{json.dumps(number)},"result":{given["result"]}}}\n')
        sys.stdout.flush()

    def tool_line(self, number: Any, given: Json) -> Json:
        """The very line that the call came in."""
        return text(self.line.strip())

    def tool_progress(self, number: Any, given: Json) -> Json:
        for step in (1, 2, 3):
            notify("notifications/progress", {"progressToken": given["token"], "progress": step, "total": 3})
        return text("done")

    def tool_grow(self, number: Any, given: Json) -> Json:
        """One more tool, and a storm of notifications about it."""
        self.added.append(f"more{len(self.added)}")
        for _ in range(500):
            notify("notifications/tools/list_changed")
        return text("grown")

    def tool_empty(self, number: Any, given: Json) -> Json:
        self.emptied = True
        notify("notifications/tools/list_changed")
        return text("emptied")

    def tool_break_list(self, number: Any, given: Json) -> Json:
        self.fail_lists = 1
        notify("notifications/tools/list_changed")
        return text("broken")

    def tool_log(self, number: Any, given: Json) -> Json:
        notify("notifications/message", {"level": "info", "data": f"token {os.environ.get('TOKEN', '')}"})
        return text("logged")

    def tool_stray(self, number: Any, given: Json) -> Json:
        sys.stdout.write("Loading the model...\n\n")
        return text("said")

    def tool_flood(self, number: Any, given: Json) -> None:
        while True:
            sys.stdout.write("no JSON at all " * 20 + "\n")

    def tool_notification_flood(self, number: Any, given: Json) -> Json:
        for _ in range(5_000):
            notify("notifications/message", {"level": "debug", "data": "x" * 50})
        return text("flooded")

    def tool_long_line(self, number: Any, given: Json) -> None:
        while True:
            sys.stdout.write("x" * 65536)

    def tool_grandchild(self, number: Any, given: Json) -> Json:
        """Starts a process that holds the pipe in HOLD open until it ends."""
        hold = os.open(os.environ["HOLD"], os.O_WRONLY)
        process = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"],
            pass_fds=[hold],
            stdin=subprocess.DEVNULL,
        )
        os.close(hold)
        return text({"pid": process.pid})

    def tool_ask(self, number: Any, given: Json) -> None:
        """Asks for everything a server may ask of its client, and answers with what it got."""
        self.answers.clear()
        self.asked_by = number
        form = {"type": "object", "properties": {"name": {"type": "string"}}}
        send(
            {
                "id": "a",
                "method": "elicitation/create",
                "params": {"message": "who?", "requestedSchema": form},
            }
        )
        message = {"role": "user", "content": {"type": "text", "text": "hi"}}
        send(
            {"id": "b", "method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": 5}}
        )
        send({"id": "c", "method": "roots/list"})


def main(behaviour: str) -> None:
    if path := os.environ.get("STARTS"):
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")
    if behaviour == "crash":
        sys.stderr.write(f"cannot work with {os.environ.get('TOKEN', 'nothing')}\n")
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = Server(behaviour)
    for line in sys.stdin:
        server.line = line
        message = json.loads(line)
        if behaviour == "strict" and message["method"] == "server/discover":
            sys.exit(1)
        server.handle(message)
    if behaviour == "stubborn":
        while True:
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
