"""Whether this process may make code at run time, which WebAssembly needs. Not imported where agent code runs."""

from __future__ import annotations

import ctypes
import mmap


def may_execute_memory() -> bool:
    """Whether memory that was written may become executable (PR_SET_MDWE, seccomp and SELinux may forbid it)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    size = mmap.PAGESIZE
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    address = libc.mmap(None, size, writable, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return False
    allowed = libc.mprotect(address, size, mmap.PROT_READ | mmap.PROT_EXEC) == 0
    libc.munmap(address, size)
    return bool(allowed)
