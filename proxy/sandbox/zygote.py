"""The process that makes workers: everything a worker needs is imported and built here once, then inherited by fork.

It is started with an empty environment and holds no secret, no configuration and no listening socket. It
talks to the pool over one SOCK_SEQPACKET socket, one message a packet (below); each names a worker by a token
of the pool."""

from __future__ import annotations

import gc
import json
import os
import time

# What `signal` has makes enumerations of the signals each time, 30 pages a fork.
from _signal import pthread_sigmask  # type: ignore[import-not-found]
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from signal import SIG_BLOCK, SIG_IGN, SIG_SETMASK, SIGCHLD, SIGHUP, SIGINT, SIGTERM, signal
from typing import Any

from proxy.sandbox.engine import JsContext, Native
from proxy.sandbox.hardening import SOCKET_FD, Hardener
from proxy.sandbox.inherited import fill_gaps
from proxy.sandbox.scheduling import become_worker, favour_this_thread
from proxy.sandbox.worker import EXIT_HARDENING, NO_FORK, WorkerLoop, rehearse

# pool -> zygote: FORK + token, with the worker's socket.
# zygote -> pool: READY + JSON report; SPAWNED + token + pid, with a pidfd where the kernel has them;
# EXITED + token + wait status. All numbers are 4 bytes, big endian.
FORK, READY, SPAWNED, EXITED = b"F", b"R", b"S", b"X"
_BLOCK, _SET, _CHILD = int(SIG_BLOCK), int(SIG_SETMASK), (int(SIGCHLD),)


class Zygote:
    """Forks on request, reaps, reports."""

    def __init__(self, control: socket, options: dict[str, Any]) -> None:
        self._control = control
        self._options = options
        self._tokens: dict[int, bytes] = {}
        self._refused: list[str] = []
        self._hardener = Hardener(
            options["memory_bytes"], options["cpu_seconds"] * options["runs"], parent=os.getpid()
        )
        # Made before the fork and used after it: a worker never pays for a context. One for each run it may serve.
        native = Native(options["extension"])
        self._contexts = [JsContext(native, options["prelude"]) for _ in range(options["runs"])]

    def run(self) -> None:
        """Serve until the pool closes its end."""
        network = self._hardener.isolate_network()
        failed = self._probe()
        rehearse(self._contexts[0])
        self._hardener.rehearse()
        gc.collect()
        self._fillers = fill_gaps()
        gc.freeze()
        # A terminal's Ctrl-C and a service manager's stop reach the whole group; only the pool ends workers, so that
        # executions can still be drained. SIGKILL, and the end of the control socket, always work.
        for number in (SIGINT, SIGTERM, SIGHUP):
            signal(number, SIG_IGN)
        signal(SIGCHLD, self._reap)
        report = {"failed": failed + ([] if network else ["network"])}
        self._control.send(READY + json.dumps(report).encode())
        while self._serve_one():
            pass

    def _probe(self) -> list[str]:
        """Harden a child that does nothing else and let it tell which steps this system refuses."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            failed = self._hardener.harden(writing)
            os.write(SOCKET_FD, ",".join(failed).encode())
            os._exit(0)
        os.close(writing)
        text = os.read(reading, 4096).decode()
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        if status:
            return [f"probe ended with status {status}"]
        self._refused = [name for name in text.split(",") if name]
        return self._refused

    def _serve_one(self) -> bool:
        try:
            data, ancillary, _, _ = self._control.recvmsg(64, CMSG_LEN(4))
        except ConnectionError:
            return False
        if not data:
            return False
        for level, kind, content in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                self._fork(data[1:5], int.from_bytes(content[:4], "little"))
        return True

    def _fork(self, token: bytes, fd: int) -> None:
        # A child that ends at once must not be reaped before its token is known.
        before = pthread_sigmask(_BLOCK, _CHILD)
        try:
            pid = os.fork()
        except OSError:
            self._control.send(EXITED + token + NO_FORK.to_bytes(4, "big"))
            pid = -1
        if pid == 0:
            self._become_worker(fd)  # with SIGCHLD blocked: it has no children
        os.close(fd)
        if pid > 0:
            self._tokens[pid] = token
            self._announce(token, pid)
        pthread_sigmask(_SET, before)

    def _announce(self, token: bytes, pid: int) -> None:
        message = SPAWNED + token + pid.to_bytes(4, "big")
        try:
            pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self._control.send(message)
            return
        self._control.sendmsg([message], [(SOL_SOCKET, SCM_RIGHTS, pidfd.to_bytes(4, "little"))])
        os.close(pidfd)

    def _become_worker(self, fd: int) -> None:
        status = EXIT_HARDENING
        try:
            become_worker()
            if set(self._hardener.harden(fd)) <= set(self._refused):
                options = self._options
                worker = WorkerLoop(
                    SOCKET_FD,
                    max_message_bytes=options["max_message_bytes"],
                    cpu_seconds=options["cpu_seconds"],
                )
                status = worker.serve(self._contexts)
        finally:  # a fork must never return into the zygote's loop, whatever happened
            os._exit(status)

    def _reap(self, number: int, frame: object) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            token = self._tokens.pop(pid, None)
            if token is not None:
                self._control.send(EXITED + token + status.to_bytes(4, "big"))


def main(arguments: list[str]) -> None:
    """`arguments`: the control socket's descriptor. The options follow on it as the first packet."""
    os.environ["TZ"] = "UTC0"  # a rule, not a name: local time is UTC everywhere and no file is read for it
    time.tzset()
    control = socket(fileno=int(arguments[0]))
    favour_this_thread()
    length = int.from_bytes(control.recv(4), "big")
    text = b""
    while len(text) < length:
        text += control.recv(1 << 16)
    try:
        Zygote(control, json.loads(text)).run()
    except OSError as error:  # no process or descriptor is left: the pool says that there is no zygote
        raise SystemExit(f"executor: zygote: {error.strerror}") from None
