"""Being process 1 of a container: orphans of MCP servers and of their children become ours and have to be reaped.

The server runs in a child. Process 1 does nothing but wait: it reaps whatever ends, passes signals on, and ends with
the child's exit code. The server itself never waits for a process that it did not start, so no exit status is lost.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

_PASSED_ON: Final = {
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
}
# `si_code` of what the kernel sends to a whole group, such as a terminal's Ctrl-C: the child has got it already.
_FROM_KERNEL: Final = 0x80


def run_below(work: Callable[[], int]) -> int:
    """The exit code of `work`, done in a child; 128 and the number of the signal that ended it. Before any thread."""
    awaited = {*_PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()
    while True:
        told = signal.sigwaitinfo(awaited)
        if told.si_signo != signal.SIGCHLD:
            if told.si_code != _FROM_KERNEL:
                os.kill(child, told.si_signo)
            continue
        code = _reap(child)
        if code is not None:
            return code


def _reap(child: int) -> int | None:
    """Take everything that has ended. The child's exit code, when it was among it."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            ended = os.waitstatus_to_exitcode(status)
            code = ended if ended >= 0 else 128 - ended
