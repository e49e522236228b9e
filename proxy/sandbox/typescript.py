"""The transform as workers use it: in turn, bounded in time and size, remembered, and replaced when it fails."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict

from integrations.json_text import write_json
from proxy.fair import FairQueue
from proxy.sandbox.compiled_transform import is_complete, memory_file
from proxy.sandbox.executable_memory import may_execute_memory
from proxy.sandbox.frames import FrameTooLarge
from proxy.sandbox.transform_process import NO_MEMORY, TransformProcess

_REQUEST_SECONDS = 5.0
_SECONDS_A_CHARACTER = 30e-6
_START_SECONDS = 20.0
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_KNOWN_BYTES = 4 * 1024 * 1024
# Compiled in some milliseconds; long code takes seconds.
_SHORT_CHARACTERS = 8_192
_MANY_WAITING = 4
_IDLE_SECONDS = 60.0
_SAMPLE = "const one: number = 1"
_Turn = asyncio.Future[TransformProcess]


class TypeScript:
    """`transform(code, account)` gives the payload of the `source` message for a worker.

    Rules:
    - Accounts take turns, by the time that their code has taken.
    - Long code waits for long code: a second process, started when it is needed and ended when it was idle for a
      while, compiles short code only.
    - What code may take, and what may come of it, is in proportion to its length.
    - An account that sends the same code again gets the same answer, without a process.
    """

    def __init__(self, *, request_seconds: float = _REQUEST_SECONDS) -> None:
        self._request_seconds = request_seconds
        self._first, self._second = TransformProcess(memory_file()), TransformProcess(memory_file())
        self._long: FairQueue[_Turn] = FairQueue()
        self._short: FairQueue[_Turn] = FairQueue()
        self._known = KnownAnswers(_KNOWN_BYTES)
        self._closing: asyncio.TimerHandle | None = None
        self._tried = False
        self._trouble: str | None = None

    @property
    def status(self) -> str:
        """`not tried yet`, `ok`, or why the last code was not compiled."""
        return self._trouble or ("ok" if self._tried else "not tried yet")

    async def transform(self, code: str, account: str = "") -> bytes:
        """Never raises for bad code or a broken transform: those are answers too. The worker is told why there is no
        code, so that its caller does not look for the mistake in it."""
        known = self._known.get(code, account)
        if known is not None:
            return known
        process = await self._turn(code, account)
        began = time.perf_counter()
        try:
            answer, keep = await self._compiled(process, code)
        finally:
            queue = self._long if process.long else self._short
            queue.charge(account, time.perf_counter() - began)
            self._free(process)
        if keep:
            self._known.put(code, account, answer)
        return answer

    async def _compiled(self, process: TransformProcess, code: str) -> tuple[bytes, bool]:
        """The answer, and whether it is one to remember."""
        seconds = self._request_seconds + _SECONDS_A_CHARACTER * len(code)
        limit = seconds if process.answered else max(seconds, _START_SECONDS)
        self._tried = True
        try:
            async with asyncio.timeout(limit):
                answer = await process.ask(write_json({"code": code}), _most_bytes(code))
        except (TimeoutError, OSError, FrameTooLarge) as error:
            process.stop()
            said = self._trouble = _reason(error, limit)
            if code != _SAMPLE and await self._works(process):
                self._trouble = None
                said += "; it compiles other code, so this code is too much for it"
            return write_json({"t": "source", "unavailable": said}), False
        self._trouble = None
        return answer, True

    async def _works(self, process: TransformProcess) -> bool:
        """Whether a new process compiles a line: what failed was the code then, and nothing is wrong here."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                await process.ask(write_json({"code": _SAMPLE}), _most_bytes(_SAMPLE))
        except (TimeoutError, OSError, FrameTooLarge):
            process.stop()
            return False
        return True

    # ---- turns ----------------------------------------------------------------------------------------------
    async def _turn(self, code: str, account: str) -> TransformProcess:
        turn: _Turn = asyncio.get_running_loop().create_future()
        (self._long if len(code) > _SHORT_CHARACTERS else self._short).push(account, turn)
        self._assign()
        try:
            return await asyncio.shield(turn)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free(turn.result())  # given to us just as we stopped waiting
            turn.cancel()
            raise

    def _assign(self) -> None:
        """Give each free process what is next for it."""
        if not self._first.busy and not self._give(self._first, self._long, long=True):
            self._give(self._first, self._short)
        needed = self._first.long or len(self._short) >= _MANY_WAITING
        if self._first.busy and needed and not self._second.busy and self._give(self._second, self._short):
            self._close_later()

    def _give(self, process: TransformProcess, queue: FairQueue[_Turn], *, long: bool = False) -> bool:
        while (following := queue.pop()) is not None:
            if not following[1].done():
                process.busy, process.long = True, long
                following[1].set_result(process)
                return True
        return False

    def _free(self, process: TransformProcess) -> None:
        process.busy = process.long = False
        self._assign()

    def _close_later(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(_IDLE_SECONDS, self._close_second)

    def _close_second(self) -> None:
        if self._second.busy:
            self._close_later()
        else:
            self._second.stop()

    # ---- the life of the processes --------------------------------------------------------------------------
    async def check(self) -> str | None:
        """Compile a line of TypeScript. Why that does not work, or None. A process that was not there is ended."""
        was_idle = not self._first.running
        self._known.forget(_SAMPLE, "")
        await self.transform(_SAMPLE)
        if was_idle and not self._first.busy:
            self._first.stop()
        return self._trouble

    async def prepare(self) -> None:
        """Compile the transform ahead of the first use, in a process that ends when it is done."""
        process = await self._turn("", "")
        try:
            if is_complete(memory_file()) or not may_execute_memory():
                return
            await process.compile(_START_SECONDS)
        finally:
            self._free(process)

    def close(self) -> None:
        """End the processes."""
        if self._closing is not None:
            self._closing.cancel()
        self._first.stop()
        self._second.stop()


def _most_bytes(code: str) -> int:
    """What may come of code: an enum becomes six times as long, and JSON may double that."""
    return min(_MAX_ANSWER_BYTES, 64 * 1024 + 16 * len(code.encode("utf-8", "replace")))


class KnownAnswers:
    """Answers by the digest of their code and whose it is, those used last, so many bytes of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, code: str, account: str) -> bytes | None:
        """The answer to exactly this code."""
        key = _digest(code, account)
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, code: str, account: str, answer: bytes) -> None:
        self.forget(code, account)
        self._answers[_digest(code, account)] = answer
        self._bytes += len(answer)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._answers.popitem(last=False)[1])

    def forget(self, code: str, account: str) -> None:
        self._bytes -= len(self._answers.pop(_digest(code, account), b""))


def _digest(code: str, account: str) -> bytes:
    return hashlib.sha256(f"{len(account)} {account}{code}".encode("utf-8", "replace")).digest()


def _reason(error: Exception, limit_seconds: float) -> str:
    if isinstance(error, PermissionError) and error.strerror == NO_MEMORY:
        return NO_MEMORY
    if isinstance(error, TimeoutError):
        return f"it took longer than {limit_seconds:g} s"
    if isinstance(error, FrameTooLarge):
        return "the compiled code is too large"
    return "the process that compiles it ended; the server's log says more"
