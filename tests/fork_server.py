"""A process that has imported the program and runs `executor WORDS` in forks of itself, so that what hundreds of tests
start has its second of imports behind it. All else is as with a process of its own: descriptors, environment, working
directory, session, signals, exit code. `tests/processes.py` asks it.
"""

from __future__ import annotations

import array
import asyncio
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
from typing import Any

from proxy.sandbox.typescript import TypeScript

LARGEST_REQUEST = 1 << 17
DESCRIPTORS = 4  # standard input, output and error, and the pipe that is told how it ended
PACKAGES = ("proxy", "policies", "integrations")


def main(control: socket.socket) -> dict[str, Any] | None:
    """Start what is asked for until the asking process is gone. In a fork: what it is to run."""
    told, tell = socket.socketpair()
    tell.setblocking(False)
    told.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    running: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(told, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is told:
                    told.recv(4096)
                    _report_ended(running)
                elif (asked := _received(control)) is None:
                    return None
                else:
                    request, descriptors = asked
                    pid = os.fork()
                    if pid == 0:
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        for status in running.values():
                            os.close(status)
                        _become(request, descriptors)
                        control.send(str(os.getpid()).encode())
                        for one in (control, told, tell):
                            one.close()
                        return request
                    for descriptor in descriptors[:3]:
                        os.close(descriptor)
                    running[pid] = descriptors[3]


def _received(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    numbers = array.array("i")
    message, ancillary, _, _ = control.recvmsg(
        LARGEST_REQUEST, socket.CMSG_SPACE(DESCRIPTORS * numbers.itemsize)
    )
    if not message:
        return None
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data)
    return json.loads(message), list(numbers)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    if request["new_session"]:
        os.setsid()
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin = open(0, closefd=False)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")


def _report_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = running.pop(pid)
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(told)


def _import_all() -> None:
    for package in PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


if __name__ == "__main__":
    _import_all()
    asyncio.run(TypeScript().prepare())
    gc.collect()
    gc.freeze()
    asked = main(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        sys.argv = ["executor", *asked["words"]]
        runpy.run_module("proxy", run_name="__main__", alter_sys=True)
