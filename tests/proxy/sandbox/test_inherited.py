"""What a process allocates after its gaps were filled lies together. Each case is a process of its own: gaps that were
filled stay so."""

from __future__ import annotations

import json
import subprocess
import sys

_GAPS = """
import ctypes, json
from proxy.sandbox.inherited import fill_gaps, fill_pools
# Every second one of many is freed again: as many gaps, of all sizes.
kept = [bytes(n % 2000) for n in range(60_000)]
del kept[::2]
"""
_HEAP = """
malloc = ctypes.CDLL(None).malloc
malloc.restype, malloc.argtypes = ctypes.c_size_t, (ctypes.c_size_t,)
sizes = [*range(24, 1000, 16)] * 8
print(len({malloc(size) >> 12 for size in sizes}))
"""
_POOLS = """
fillers = fill_pools()
begun = {id(one) >> 14 for one in fillers if id(one) % (1 << 14) == 48}
new = [bytes(size - 33) for size in range(48, 513, 16)]
print(json.dumps([sum(id(one) >> 14 in begun for one in new), len(new)]))
"""


def _printed(code: str) -> str:
    command = [sys.executable, "-c", _GAPS + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_c_code_allocates_lies_together() -> None:
    assert int(_printed("kept.append(fill_gaps())" + _HEAP)) * 2 < int(_printed(_HEAP))


def test_python_objects_go_to_pools_that_were_just_begun() -> None:
    there, made = json.loads(_printed(_POOLS))
    assert there >= made - 2  # making the list itself takes some
