"""The process of a local server: a process group of its own, a minimal environment, stderr to the log.

The child gets PATH, HOME, LANG and TMPDIR of this process and what the config declares, never anything else (T29). At
the end its whole process group is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping

from integrations.logs import with_fields
from integrations.mcp.errors import McpError
from integrations.mcp.redact import Redactor
from integrations.mcp.servers import ChildSlots, LocalServer

log = logging.getLogger("executor.mcp")
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_STDERR_LINE = 400
_STDERR_LINES_PER_START = 500
_STDERR_KEPT = 10
_STDERR_SHOWN = 2000
_LOOKS_LIKE_AN_ERROR = re.compile(
    r"\b(error|exception|fatal|panic(ked)?|failed|failure|cannot|denied|refused|not found|err!)|\w(Error|Exception)\b",
    re.IGNORECASE,
)
_TRACEBACK = re.compile(r"\s*(Traceback \(|File \"|at )")
_KILL_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.01


def child_environment(declared: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child; `own` is the environment of this process."""
    return {**{name: own[name] for name in _INHERITED if name in own}, **declared}


class StderrTail:
    """What is worth telling of a server's stderr: the first line that looks like an error, else the last ten."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=_STDERR_KEPT)
        self._error = ""

    def add(self, line: str) -> None:
        self._last.append(line)
        if not self._error and _LOOKS_LIKE_AN_ERROR.search(line) and not _TRACEBACK.match(line):
            self._error = line

    @property
    def lines(self) -> tuple[str, ...]:
        """The last ten, each once: a server that is tried in two eras says the same twice."""
        return tuple(dict.fromkeys(self._last))

    def __str__(self) -> str:
        return self._error or " | ".join(self._last)[-_STDERR_SHOWN:]


class Child:
    """A running server. `child_process` starts and ends it."""

    def __init__(
        self, process: asyncio.subprocess.Process, command: str, redactor: Redactor, stderr: StderrTail
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdin = process.stdin
        self.stdout = process.stdout
        self._stderr = process.stderr
        self._command = command
        self._redactor = redactor
        self._tail = stderr

    @property
    def pid(self) -> int:
        return self.process.pid

    async def log_stderr(self) -> None:
        """Reads until the end, so that the child never blocks; logs a bounded number of lines of bounded length."""
        logged, rest = 0, b""
        while chunk := await self._stderr.read(16384):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_STDERR_LINE * 4 :]
            for line in lines:
                text = self._redactor.clean(line.decode("utf-8", "replace"), _STDERR_LINE)
                if not text:
                    continue
                self._tail.add(text)
                logged += 1
                if logged <= _STDERR_LINES_PER_START:
                    log.debug("mcp_stderr", extra=with_fields(command=self._command, detail=text))
        if text := self._redactor.clean(rest.decode("utf-8", "replace"), _STDERR_LINE):
            self._tail.add(text)

    def exit_reason(self) -> str:
        """How the process ended, as far as it is known, and what its stderr says about it."""
        code = self.process.returncode
        if code is None:
            ending = "closed its output"
        elif code < 0:
            ending = f"was ended by signal {-code}"
        else:
            ending = f"exited with code {code}"
        said = str(self._tail)
        return f"`{self._command}` {ending}{f': {said}' if said else ''}"

    async def end(self, grace_seconds: float) -> None:
        """Close stdin, wait, then send SIGTERM and SIGKILL to the whole group (specification 2025-11-25, lifecycle,
        shutdown of stdio). That ends grandchildren too, even if the child has already exited.

        Output is read and discarded meanwhile: a child that is blocked in a write cannot notice that its stdin closed.
        """
        async with asyncio.TaskGroup() as tasks:
            drains = [tasks.create_task(_drain(stream)) for stream in (self.stdout, self._stderr)]
            await self._stop(grace_seconds)
            await asyncio.wait(drains, timeout=_KILL_WAIT_SECONDS)
            for drain in drains:
                drain.cancel()
        # A daemon that left the group may still hold the pipes; without this the event loop would keep them open.
        close = getattr(getattr(self.process, "_transport", None), "close", None)
        if callable(close):
            close()

    async def _stop(self, grace_seconds: float) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.stdin.close()
        if not await self.ended(grace_seconds):
            self._signal_group(signal.SIGTERM)
            await self.ended(grace_seconds)
        self._signal_group(signal.SIGKILL)
        if not await self.ended(_KILL_WAIT_SECONDS):
            log.warning(
                "mcp_process_not_ended", extra=with_fields(pid=self.pid, detail="not even by SIGKILL")
            )

    async def ended(self, seconds: float, poll_seconds: float = _POLL_SECONDS) -> bool:
        """Whether the process ends within this time.

        Polls, because `Process.wait` also waits for the end of pipes that grandchildren may hold open.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.process.returncode is None:
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(poll_seconds)
        return True

    def _signal_group(self, number: signal.Signals) -> None:
        # The leader's pid is the group's id, because the child was started in a session of its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def _drain(stream: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await stream.read(65536):
            pass


@contextlib.asynccontextmanager
async def child_process(
    server: LocalServer,
    environment: Mapping[str, str],
    slots: ChildSlots,
    grace_seconds: float,
    stderr: StderrTail | None = None,
) -> AsyncIterator[Child]:
    """Start the server; end it and its process group on exit, whatever happened. Raises `McpError`."""
    if not slots.acquire():
        raise McpError("start", f"{slots.maximum} local MCP servers are running already, which is the limit")
    try:
        child = await _spawn(server, environment, stderr or StderrTail())
        try:
            yield child
        finally:
            await child.end(grace_seconds)
    finally:
        slots.release()


async def _spawn(server: LocalServer, environment: Mapping[str, str], stderr: StderrTail) -> Child:
    program = server.command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *server.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=server.cwd,
            env=child_environment(environment, os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable command"
        raise McpError("start", f"cannot start `{program}`: {reason}") from None
    return Child(process, program, Redactor(environment.values()), stderr)
