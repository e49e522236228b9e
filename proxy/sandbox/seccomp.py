"""The system calls a worker may make, as a classic BPF program (seccomp(2), linux/filter.h, linux/audit.h).

Allowed: memory without execute permission, the one socket, clocks, signal returns, exit. Anything else kills
the process; the zygote then reports `SIGSYS`. The program is built once, in the zygote; a worker loads it
with one call."""

from __future__ import annotations

import ctypes
import os
from struct import pack

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PROT_EXEC = 4

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_PROTECTION = 0, 4, 16 + 2 * 8
_X32_BIT = 0x40000000

# machine -> (AUDIT_ARCH, numbers allowed with any arguments, numbers whose third argument must lack PROT_EXEC)
_MACHINES: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    # read write close munmap brk rt_sigaction rt_sigprocmask rt_sigreturn sched_yield mremap madvise
    # setitimer getpid sendto recvfrom exit gettimeofday sigaltstack gettid futex clock_gettime exit_group
    # getrandom rseq; mmap mprotect
    "x86_64": (
        0xC000003E,
        (0, 1, 3, 11, 12, 13, 14, 15, 24, 25, 28, 38, 39, 44, 45, 60, 96, 131, 186, 202, 228, 231, 318, 334),
        (9, 10),
    ),
    "aarch64": (
        0xC00000B7,
        (
            63,
            64,
            57,
            215,
            214,
            134,
            135,
            139,
            124,
            216,
            233,
            103,
            172,
            206,
            207,
            93,
            169,
            132,
            178,
            98,
            113,
            94,
            278,
            293,
        ),
        (222, 226),
    ),
}


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class SeccompFilter:
    """A built program; keeps the memory that the kernel copies from."""

    __slots__ = ("_buffer", "program")

    def __init__(self, code: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self.program = _Program(len(code) // 8, ctypes.addressof(self._buffer))


def build(machine: str | None = None) -> SeccompFilter | None:
    """The filter for this machine (or the named one), or None where none is known."""
    known = _MACHINES.get(machine or os.uname().machine)
    return SeccompFilter(program(*known)) if known else None


def program(arch: int, plain: tuple[int, ...], no_exec: tuple[int, ...]) -> bytes:
    """BPF instructions. A jump's two distances count the instructions skipped when it holds and when it does not."""
    code = [
        _instruction(_LOAD, _OFFSET_ARCH),
        _instruction(_JUMP_EQUAL, arch, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _OFFSET_NUMBER),
        _instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
        _instruction(_RETURN, _KILL),
    ]
    for number in plain:
        code += [_instruction(_JUMP_EQUAL, number, 0, 1), _instruction(_RETURN, _ALLOW)]
    for number in no_exec:
        code += [
            _instruction(_JUMP_EQUAL, number, 0, 4),
            _instruction(_LOAD, _OFFSET_PROTECTION),
            _instruction(_JUMP_BITS, PROT_EXEC, 0, 1),
            _instruction(_RETURN, _KILL),
            _instruction(_RETURN, _ALLOW),
        ]
    code.append(_instruction(_RETURN, _KILL))
    return b"".join(code)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return pack("=HBBI", code, if_true, if_false, value)
