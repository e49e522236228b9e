"""`executor serve` as a process, and what a test does with it: wait for what it says, call it, stop it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from typing import IO, Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests import processes

LIMIT_SECONDS = 60.0
MODERN = "2026-07-28"
ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
JsonObject = dict[str, Any]


class Transcript:
    """The lines of one output stream, read by a thread for as long as the process writes."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def mark(self) -> int:
        """The place from which `wait` may look: what was said before does not count."""
        with self._changed:
            return len(self._lines)

    def wait(self, fits: Callable[[str], bool], since: int = 0) -> str:
        """The first line that fits. Fails with everything that was said when none comes."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: self._ended or any(map(fits, self._lines[since:])), LIMIT_SECONDS
            )
            found = next(filter(fits, self._lines[since:]), None)
            assert found is not None, f"{'ended' if arrived else 'silent'}; it said:\n" + "\n".join(
                self._lines
            )
            return found

    def join(self) -> None:
        self._thread.join(LIMIT_SECONDS)


@dataclass(frozen=True)
class Answer:
    """One `execute` or `resume`, as it came over the wire."""

    raw: JsonObject

    @property
    def structured(self) -> JsonObject:
        found: JsonObject = self.raw["structuredContent"]
        return found

    @property
    def text(self) -> str:
        found: str = self.raw["content"][0]["text"]
        return found

    @property
    def status(self) -> str:
        found: str = self.structured["status"]
        return found

    @property
    def value(self) -> Any:
        """What the code returned; fails with the error when it did not complete."""
        assert self.status == "completed", self.text
        return self.structured.get("result")


class Proxy:
    """A running server. `token` is the one it minted, if it did."""

    def __init__(self, process: subprocess.Popen[str] | processes.Executor) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out = Transcript(process.stdout)
        self.err = Transcript(process.stderr)
        self.url = ""
        self.token: str | None = None

    def ready(self) -> None:
        """Wait until it has said where it listens; read the token where it keeps one."""
        try:
            first = self.out.wait(lambda line: line.startswith(("Executor serves ", '{"event": "listening"')))
        except AssertionError:
            raise AssertionError(f"the server did not start; it said:\n{self.err.text}") from None
        # Where callers bring their own keys: one with the admin role, for the operations routes.
        self.admin: str | None = None
        if first.startswith("{"):
            said = _entry(first)
            self.url = said["url"].removesuffix("/mcp")
            self.token = Path(said["token_file"]).read_text().strip() if "token_file" in said else None
            return
        self.url = first.removeprefix("Executor serves ").removesuffix("/mcp")
        self.out.wait(lambda line: "npx add-mcp" in line or "Callers bring their own keys" in line)
        found = re.search(r"Token: (\S+)", self.out.text)
        self.token = found[1] if found else None

    def logged(self, event: str, since: int = 0, **fields: Any) -> JsonObject:
        """Wait for a log line with this event and these fields."""

        def fits(line: str) -> bool:
            entry = _entry(line)
            return entry.get("event") == event and all(entry.get(k) == v for k, v in fields.items())

        return _entry(self.err.wait(fits, since))

    def client(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        bearer = token or self.token
        own = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx2.AsyncClient(base_url=self.url, headers={**own, **headers}, timeout=60, verify=False)

    async def execute(
        self, code: str, *, token: str | None = None, path: str = "/mcp", **arguments: Any
    ) -> Answer:
        """One stateless `execute` over plain HTTP."""
        async with self.client(token) as client:
            response = await post(client, "execute", {"code": code, **arguments}, path)
        assert response.status_code == 200, response.text
        return Answer(json.loads(message(response))["result"])

    async def value(self, code: str, **arguments: Any) -> Any:
        return (await self.execute(code, **arguments)).value

    async def get(self, path: str) -> httpx2.Response:
        async with self.client(self.admin) as client:
            return await client.get(path)

    async def status(self) -> JsonObject:
        body: JsonObject = (await self.get("/-/status")).json()
        return body

    async def metrics(self) -> str:
        return (await self.get("/metrics")).text

    async def counted(self, metric: str, **labels: str) -> float:
        """The sum over all series of a metric that have these labels; 0 when there is none."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        lines = [one for one in (await self.metrics()).splitlines() if re.match(rf"{metric}[ {{]", one)]
        return sum(float(one.rsplit(" ", 1)[1]) for one in lines if all(label in one for label in wanted))

    async def until_counted(self, metric: str, at_least: float, **labels: str) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            while await self.counted(metric, **labels) < at_least:
                pass

    @asynccontextmanager
    async def sdk(
        self, mode: str, path: str = "/mcp", token: str | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        """The official client in one of its two eras."""
        async with self.client(token) as http:
            transport = streamable_http_client(self.url + path, http_client=http)
            async with Client(transport, mode=mode, cache=None, **options) as client:
                yield client

    def signal(self, number: Signals) -> None:
        self.process.send_signal(number)

    def signal_group(self, number: Signals) -> None:
        """To everything it started as well: what a terminal's Ctrl-C, and `systemctl stop`, do."""
        os.killpg(self.process.pid, number)

    def wait(self) -> int:
        code = self.process.wait(LIMIT_SECONDS)
        self.out.join()
        self.err.join()
        return code

    def stop(self) -> None:
        """At once, and with everything it started."""
        if self.process.poll() is None:
            self.signal(SIGTERM)
            self.signal(SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise


def _entry(line: str) -> JsonObject:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def environment(state: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with a state directory of its own."""
    return {**os.environ, "EXECUTOR_STATE_DIR": str(state), **(extra or {})}


def spawn(
    *arguments: str, state: Path, env: Mapping[str, str] | None = None, descriptors: int | None = None
) -> Proxy:
    """`executor ARGUMENTS`, with both outputs being read. `descriptors` is how many it may open."""
    own = environment(state, env)
    if descriptors is None and processes.can_fork(own):
        return Proxy(processes.start(*arguments, env=own, new_session=True))
    limit = f"ulimit -n {descriptors}; " if descriptors else ""
    process = subprocess.Popen(
        ["sh", "-c", f'{limit}exec "$@"', "sh", sys.executable, "-m", "proxy", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=own,
        cwd=ROOT,
        start_new_session=True,
    )
    return Proxy(process)


@contextmanager
def serving(
    config: Path,
    state: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> Iterator[Proxy]:
    """A server on a free port until the block ends."""
    listen = ("serve", "--config", str(config), "--listen", "127.0.0.1:0")
    proxy = spawn(*listen, *arguments, state=state, env=env, descriptors=descriptors)
    try:
        proxy.ready()
        yield proxy
    finally:
        proxy.stop()


def envelope(method: str, params: JsonObject | None = None, **meta: Any) -> JsonObject:
    """A 2026-07-28 request: it stands alone."""
    own = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        **meta,
    }
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": own}}


def headers_of(method: str, name: str | None = None) -> dict[str, str]:
    found = {
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        "accept": "application/json, text/event-stream",
    }
    return {**found, "mcp-name": name} if name else found


def message(response: httpx2.Response) -> str:
    """The answer as JSON text. One that took long came on an event stream, after pings."""
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response.text
    return [line for line in response.text.splitlines() if line.startswith("data:")][-1][5:]


async def post(
    client: httpx2.AsyncClient, tool: str, arguments: JsonObject, path: str = "/mcp", **meta: Any
) -> httpx2.Response:
    """`tools/call` as it is, whatever the answer."""
    body = envelope("tools/call", {"name": tool, "arguments": arguments}, **meta)
    return await client.post(path, json=body, headers=headers_of("tools/call", tool))
