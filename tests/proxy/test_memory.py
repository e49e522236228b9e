from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from pathlib import Path
from proxy.memory import return_freed_memory

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

assert return_freed_memory()
before = resident()
for _ in range(3):
    held = [(bytearray(4 * 1024 * 1024), b"x" * 1000) for _ in range(60)]
    kept = [small for _, small in held]
    del held
print((resident() - before) // 1024 // 1024)
"""


def test_large_blocks_leave_nothing_behind() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert int(said) < 16


HOLES = """
from pathlib import Path
from proxy.memory import give_back_holes

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

made = [bytes(60_000) for _ in range(1_000)]
kept = made[::10]
del made
before = resident()
assert give_back_holes()
print((before - resident()) // 1024 // 1024)
"""


def test_holes_between_small_blocks_are_given_back() -> None:
    said = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True).stdout
    assert int(said) > 32
