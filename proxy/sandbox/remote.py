"""The pool's end of one worker process.

The worker is hostile: it may speak once for each message it was sent, within the size limit, in known words, with no
more calls than it was told; anything else ends it. Frames that come too fast wait before they are read. Errors:
`WorkerGone` is the only one that leaves this module.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from proxy.sandbox.background import Background
from proxy.sandbox.foreground import ForegroundPlace
from proxy.sandbox.frames import FrameRate, FrameReader, FrameTooLarge, pack
from proxy.sandbox.messages import (
    Delivery,
    Done,
    NeedsTransform,
    ProtocolError,
    SandboxLimits,
    StartMessage,
    WorkerMessage,
    decode_message,
    encode_deliver,
    encode_start,
)
from proxy.sandbox.scheduling import put_behind, put_last
from proxy.sandbox.system_limits import limits_hit
from proxy.sandbox.worker import EXIT_HARDENING, EXIT_MEMORY, EXIT_PROTOCOL, NO_FORK
from proxy.telemetry import Logger

_log = Logger("sandbox")
GoneReason = Literal["memory", "cpu", "crash", "protocol", "killed"]
Transform = Callable[[str, str], Awaitable[bytes]]
"""Code and whose it is: gives the payload that answers `NeedsTransform`."""
_READ_BYTES = 1 << 18
_EXIT_WAIT_SECONDS = 5.0
# Code that awaits a timer over and over makes thousands of frames a second, and each costs the event loop its time.
_FRAMES_AT_ONCE = 2000
_FRAMES_PER_SECOND = 1000.0
# Code that computes for longer goes on beside others, not before them: a worker that begins is served first.
_LOOK_SECONDS = 0.02
_FOREGROUND_CPU_SECONDS = 0.02
_FOREGROUND_LOOKS = 25  # a worker that has not answered after so many holds no seat, whatever keeps it
_NO_ZYGOTE = -1  # in place of a wait status: the zygote ended, and every worker with it


class WorkerGone(Exception):
    """The worker process ended before its execution did. Costs that execution, nothing else."""

    def __init__(self, reason: GoneReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: GoneReason = reason
        self.detail = detail


class Worker:
    """One worker process, leased for one execution at a time."""

    def __init__(self, sock: socket.socket, *, max_message_bytes: int, transform: Transform) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(max_message_bytes)
        self._transform = transform
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._payload: bytes | None = None
        self._wakeup: asyncio.Future[None] | None = None
        self._expecting = False
        self._transformed = False
        self._begun = False  # has answered once
        self._ended = False
        self._verdict: WorkerGone | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._code = ""
        self._limits = SandboxLimits()
        self._made = 0
        self._rate = FrameRate(_FRAMES_AT_ONCE, _FRAMES_PER_SECOND)
        self._foreground = ForegroundPlace()
        self._background: Background | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._looks = 0
        self._counted = 0.0  # seconds of CPU
        self.background = False  # has computed for long, and is served after others
        self.lowered = False  # has a lower priority than workers begin with
        self._pidfd: int | None = None
        self.pid: int | None = None
        self.finished = False  # the last execution ended with a successful Done
        self.runs = 0
        self.account = ""
        # Hears when the code begins and ends to wait for something that is not its own work.
        self.on_wait: Callable[[bool], None] = lambda waits: None

    # ---- what the machine uses -----------------------------------------------------------------------------
    async def start(self, message: StartMessage) -> None:
        """Send the code. Follow with `receive`."""
        self._code, self._limits, self._made = message.code, message.limits, 0
        self._rate = FrameRate(_FRAMES_AT_ONCE, _FRAMES_PER_SECOND)
        self._transformed = self.finished = False
        self.runs += 1
        await self._send(encode_start(message))

    async def receive(self) -> WorkerMessage:
        """The answer to what was last sent. Raises WorkerGone."""
        while True:
            payload = await self._next_payload()
            early = self._rate.wait_seconds(self._loop.time())
            if early:
                await asyncio.sleep(early)
            message = self._decode(payload)
            if not isinstance(message, NeedsTransform):
                self._made += len(message.calls)
                self.finished = isinstance(message, Done) and message.ok
                return message
            if self._transformed:
                raise self._condemn("protocol", "asked for a second transform")
            self._transformed = True
            await self._send(await self._transformed_code())

    async def deliver(self, deliveries: list[Delivery]) -> None:
        """Send results and timer ticks, in this order. Follow with `receive`."""
        await self._send(encode_deliver(deliveries))

    def kill(self, detail: str = "killed by the server") -> None:
        """End the process now. A waiting `receive` raises WorkerGone("killed")."""
        if self._verdict is None:
            self._verdict = WorkerGone("killed", detail)
        self._signal_kill()

    # ---- what the pool uses --------------------------------------------------------------------------------
    @property
    def alive(self) -> bool:
        """False once the process is known to be ending."""
        return not (self._exit.done() or self._ended or self._verdict)

    def open(
        self,
        deadline_seconds: float,
        account: str = "",
        foreground: ForegroundPlace | None = None,
        background: Background | None = None,
    ) -> None:
        """Begin a lease for an account: listen to the socket, and kill the process when the deadline passes.

        It is told something only when there is room in the foreground; when it computes for long, it does so in turns
        with others in the background.
        """
        self.account = account
        self._background = background
        self._foreground = foreground or ForegroundPlace()
        if self._foreground.behind:
            self._lower(put_behind)
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
        detail = f"the deadline of {deadline_seconds:g} s passed"
        self._deadline = self._loop.call_later(deadline_seconds, self.kill, detail)

    def rest(self) -> None:
        """End a lease but keep the process."""
        self.on_wait = lambda waits: None
        self.count()
        self._answered()
        self._loop.remove_reader(self._sock.fileno())
        if self._deadline is not None:
            self._deadline.cancel()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def close(self) -> None:
        """End the process and free what belongs to it here. Safe to repeat."""
        if self._sock.fileno() < 0:
            return
        self.rest()
        self.kill("the lease ended")
        self._sock.close()

    def spawned(self, pid: int, pidfd: int | None) -> None:
        """The zygote made the process."""
        self.pid, self._pidfd = pid, pidfd
        if self.lowered:
            self._lower(put_behind)
        if self._verdict is not None:
            self._signal_kill()

    def exited(self, status: int = _NO_ZYGOTE) -> None:
        """The zygote reaped the process (`status` as waitpid gives it), or died itself."""
        if not self._exit.done():
            self._exit.set_result(status)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    # ---- what the background uses --------------------------------------------------------------------------
    def stand_still(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def count(self) -> None:
        """Tell what was used since the last time."""
        used = self._cpu_seconds()
        if used > self._counted:
            self._foreground.charge(used - self._counted)
            self._counted = used

    # ---- inside --------------------------------------------------------------------------------------------
    def _signal_kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, number)
            elif self.pid is not None and not self._exit.done():
                os.kill(self.pid, number)

    def _look(self) -> None:
        """Give way once the answer takes more computing than most executions need in all."""
        self._looking = None
        if not self._expecting or self.background or not self.alive:
            return
        if self._cpu_seconds() < _FOREGROUND_CPU_SECONDS:
            self._looks += 1
            if self._looks == _FOREGROUND_LOOKS:
                self._foreground.leave()
            self._looking = self._loop.call_later(_LOOK_SECONDS, self._look)
            return
        self._lower(put_last)
        self.background = True
        self._foreground.leave()
        if self._background is not None:
            self._background.enter(self)

    def _answered(self) -> None:
        """It does not compute for us any more."""
        self._foreground.leave()
        if self._background is not None:
            self._background.leave(self)

    def _lower(self, how: Callable[[int], None]) -> None:
        self.lowered = True
        if self.pid is not None and self.alive:
            how(self.pid)

    def _cpu_seconds(self) -> float:
        """What the process has used so far; 0 when that is not known."""
        if self.pid is None or self._exit.done():
            return 0.0
        try:
            return time.clock_gettime(_cpu_clock(self.pid))
        except OSError:
            return 0.0

    async def _send(self, payload: bytes) -> None:
        if not self.background:
            await self._foreground.enter(self.on_wait)
        elif self._background is not None:
            self._background.enter(self)
        self._expecting = True
        self._looks = 0
        if self._looking is None and not self.background:
            self._looking = self._loop.call_later(_LOOK_SECONDS, self._look)
        data = pack(payload)
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # `receive` tells why
        if sent < len(data):
            with suppress(OSError):
                await self._loop.sock_sendall(self._sock, memoryview(data)[sent:])

    async def _transformed_code(self) -> bytes:
        self.on_wait(True)
        try:
            return await self._transform(self._code, self.account)
        finally:
            self.on_wait(False)

    async def _next_payload(self) -> bytes:
        while self._payload is None:
            if self._ended or self._verdict is not None:
                raise await self._gone()
            self._wakeup = self._loop.create_future()
            await self._wakeup
        payload, self._payload = self._payload, None
        return payload

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._accept(data)
        else:
            self._ended = True
            self._answered()
            self._loop.remove_reader(self._sock.fileno())
        if self._wakeup is not None and not self._wakeup.done() and self._has_news():
            self._wakeup.set_result(None)

    def _has_news(self) -> bool:
        return self._payload is not None or self._ended or self._verdict is not None

    def _accept(self, data: bytes) -> None:
        try:
            payloads = self._reader.feed(data)
        except FrameTooLarge as error:
            self._condemn("protocol", str(error))
            return
        for payload in payloads:
            if not self._expecting:
                self._condemn("protocol", "spoke without being asked")
                return
            self._expecting = False
            self._payload = payload
            if not self._begun and self.lowered:
                # A process that begins sets its own priority, and may so have undone what it was given meanwhile.
                self._lower(put_behind)
            self._begun = True
            self._answered()

    def _decode(self, payload: bytes) -> WorkerMessage | NeedsTransform:
        try:
            return decode_message(payload, self._limits, self._made)
        except ProtocolError as error:
            raise self._condemn("protocol", str(error)) from error

    def _condemn(self, reason: GoneReason, detail: str) -> WorkerGone:
        if self._verdict is None:
            self._verdict = WorkerGone(reason, detail)
        self._signal_kill()
        return self._verdict

    async def _gone(self) -> WorkerGone:
        if self._verdict is None:
            try:
                status = await asyncio.wait_for(asyncio.shield(self._exit), _EXIT_WAIT_SECONDS)
                self._verdict = explain_exit(status)
                if by_the_system(status):
                    _log.warning(
                        "worker_killed", detail=str(self._verdict), limits_hit=limits_hit() or "none is known"
                    )
            except TimeoutError:
                self._condemn("crash", "the worker closed its socket and did not end")
        assert self._verdict is not None
        return self._verdict


def _cpu_clock(pid: int) -> int:
    """The clock that counts a process's CPU time (clock_getcpuclockid(3): the number's complement and two bits)."""
    return (~pid << 3) | 2


_BY_CODE: dict[int, tuple[GoneReason, str]] = {
    EXIT_MEMORY: ("memory", "the worker process ran out of memory"),
    EXIT_HARDENING: ("crash", "the worker could not be hardened"),
    EXIT_PROTOCOL: ("protocol", "the worker was sent a message that it does not accept"),
}
_BY_SIGNAL: dict[int, tuple[GoneReason, str]] = {
    signal.SIGPROF: ("cpu", "the code used up its CPU time"),
    signal.SIGXCPU: ("cpu", "the code used up its CPU time"),
    signal.SIGKILL: ("memory", "the system killed the worker, most likely for lack of memory"),
    signal.SIGSYS: ("crash", "the worker made a forbidden system call"),
}


def by_the_system(status: int) -> bool:
    """Whether it was the system that ended the worker, or kept it from starting."""
    killed = status >= 0 and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return status == NO_FORK or killed


def explain_exit(status: int) -> WorkerGone:
    """A wait status in words."""
    if status == NO_FORK:
        return WorkerGone(
            "crash", "the system lets no further process start (a limit of processes or memory)"
        )
    if status == _NO_ZYGOTE:
        return WorkerGone("crash", "the process that makes workers ended")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        known: Any = _BY_SIGNAL.get(number)
        return WorkerGone(*known) if known else WorkerGone("crash", f"the worker died of signal {number}")
    code = os.WEXITSTATUS(status)
    known = _BY_CODE.get(code)
    return WorkerGone(*known) if known else WorkerGone("crash", f"the worker ended early with status {code}")
