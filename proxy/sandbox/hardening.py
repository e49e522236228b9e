"""What a worker gives up before it sees any agent code, in this order:

no_new_privs, not dumpable, every descriptor but the one socket, resource limits, the user id, death with the parent,
and last the system calls. `Hardener` is made once in the zygote, so that a worker only makes the calls themselves."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable
from signal import SIGKILL

from proxy.sandbox import seccomp

_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNET = 0x40000000
_NOBODY = 65534

_REHEARSALS = 24
SOCKET_FD = 0  # the worker's only descriptor
MECHANISMS = ("no_new_privs", "dumpable", "descriptors", "rlimits", "user", "parent_death", "seccomp")


class Hardener:
    """The steps, ready to be taken. `memory_bytes` is what may be mapped beyond what this process has mapped
    now; `cpu_seconds` is a life's; `parent` is the process with which the hardened one is to end."""

    def __init__(self, memory_bytes: int, cpu_seconds: float, *, parent: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._libc = libc
        self._prctl = libc.prctl
        self._prctl.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
        self._filter = seccomp.build()
        self._filter_pointer = ctypes.addressof(self._filter.program) if self._filter else 0
        self._limits = _limits(_mapped_bytes() + memory_bytes, cpu_seconds)
        self._is_root = os.geteuid() == 0
        self._parent = parent

    def rehearse(self) -> None:
        """Look up, in the zygote, what `harden` will: Python notes where it found each name, in pages of its own."""
        for name in (*vars(type(self)), *vars(self)):
            getattr(self, name)
        for _ in range(_REHEARSALS):
            self._set(_PR_GET_DUMPABLE, 0)

    def isolate_network(self) -> bool:
        """Put the zygote, and so every worker, into a network namespace of its own, where that is permitted."""
        return bool(self._is_root and self._libc.unshare(_CLONE_NEWNET) == 0)

    def harden(self, socket_fd: int) -> list[str]:
        """Take every step; return the mechanisms that failed. Afterwards the socket is descriptor 0."""
        steps = (
            lambda: self._set(_PR_SET_NO_NEW_PRIVS, 1),
            lambda: self._set(_PR_SET_DUMPABLE, 0),
            lambda: _keep_only(socket_fd),
            self._limit,
            self._drop_user,
            self._die_with_parent,
            self._filter_calls,
        )
        return [name for name, step in zip(MECHANISMS, steps, strict=True) if not _succeeds(step)]

    def _set(self, option: int, value: int) -> bool:
        return bool(self._prctl(option, value, 0, 0, 0) == 0)

    def _limit(self) -> bool:
        for which, value in self._limits:
            resource.setrlimit(which, (value, value))
        return True

    def _drop_user(self) -> bool:
        if not self._is_root:
            return True
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        # Changing the user id makes the kernel forget two earlier promises; repeat the one that is not done below.
        return self._set(_PR_SET_DUMPABLE, 0)

    def _die_with_parent(self) -> bool:
        asked = self._set(_PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != self._parent:
            os._exit(0)
        return asked

    def _filter_calls(self) -> bool:
        if self._filter is None:
            return False
        mode = seccomp.SECCOMP_MODE_FILTER
        return bool(self._prctl(seccomp.PR_SET_SECCOMP, mode, self._filter_pointer, 0, 0) == 0)


def _succeeds(step: Callable[[], bool]) -> bool:
    try:
        return step()
    except (OSError, ValueError):
        return False


def _keep_only(socket_fd: int) -> bool:
    os.dup2(socket_fd, SOCKET_FD, inheritable=False)
    os.closerange(SOCKET_FD + 1, os.sysconf("SC_OPEN_MAX"))
    return True


def _limits(address_space: int, cpu_seconds: float) -> tuple[tuple[int, int], ...]:
    # The CPU limit per run is a timer (worker.py); this one is the backstop that nothing inside can lift.
    return (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, int(cpu_seconds) + 2),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 1),
    )


def _mapped_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
