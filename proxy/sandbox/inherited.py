"""The zygote's heap as its workers inherit it: what they allocate comes from pages that nothing else is in.

A forked process pays for a copy of each page that it is the first to write. What was freed while the zygote got ready
has left gaps all over its heap, and whoever allocates takes the gaps first: one page for each. So they are filled here,
with what is never freed. Nothing depends on it but time; where an allocator works otherwise it has no effect.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Final

# Python's own allocator (Objects/obmalloc.c): pools hold objects of one of its sizes, the first behind a header.
_POOL_BYTES: Final = 16 * 1024
_POOL_HEADER_BYTES: Final = 48
_STEP_BYTES: Final = 16
_LARGEST_OBJECT: Final = 512
_BYTES_OVERHEAD: Final = 33
_IN_ROW: Final = 4  # so many behind each other, from the header on, are no gaps
_MOST_GAPS: Final = 4096  # of one size
# The C library's (malloc): larger ones are mapped by themselves; up to the second there is a list for each size.
_LARGEST_GAP: Final = 64 * 1024
_LARGEST_LISTED: Final = 1032
_LEAST: Final = 24


def fill_gaps() -> list[object]:
    """Fill both. The list holds Python's and must live as long as the process."""
    fill_heap()
    return fill_pools()


def fill_pools() -> list[object]:
    """Python's small objects, until each of their sizes begins a pool of its own."""
    fillers: list[object] = []
    for size in range(_STEP_BYTES, _LARGEST_OBJECT + 1, _STEP_BYTES):
        at = in_row = 0
        for _ in range(_MOST_GAPS):
            fillers.append(_of_size(size))
            before, at = at, id(fillers[-1])
            if at % _POOL_BYTES == _POOL_HEADER_BYTES:
                in_row = 1
            else:
                in_row = in_row + 1 if in_row and at == before + size else 0
            if in_row == _IN_ROW:
                break
    return fillers


def _of_size(size: int) -> object:
    if size > _BYTES_OVERHEAD:
        return bytes(size - _BYTES_OVERHEAD)
    return object() if size == _STEP_BYTES else float(size)


def fill_heap() -> None:
    """What the C library hands out, until it takes every size from the end of the heap, or has none such."""
    libc = ctypes.CDLL(None)
    try:
        malloc, sbrk = libc.malloc, libc.sbrk
    except AttributeError:
        return
    malloc.restype = sbrk.restype = ctypes.c_size_t
    malloc.argtypes, sbrk.argtypes = (ctypes.c_size_t,), (ctypes.c_ssize_t,)
    end = sbrk(0)
    for size in _gap_sizes():
        for _ in range(_MOST_GAPS):
            if not 0 < malloc(size) < end:
                break


def _gap_sizes() -> Iterator[int]:
    size = _LARGEST_GAP
    while size > _LARGEST_LISTED:
        yield size
        size = size * 3 // 4
    yield from range(_LARGEST_LISTED, _LEAST - 1, -_STEP_BYTES)
