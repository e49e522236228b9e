from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from proxy import descriptors


def told(code: str, soft: int, hard: int) -> str:
    """What a process says that may open this many."""
    program = f"import os; from proxy import descriptors\n{code}"
    command = f"ulimit -Sn {soft} && ulimit -Hn {hard} && exec {sys.executable} -c '{program}'"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert told("print(descriptors.limit(), descriptors.raise_limit(), descriptors.limit())", 100, 900) == (
        "100 900 900"
    )


@pytest.mark.parametrize(
    ("limit", "clients", "kept"), [(64, 48, 8), (256, 192, 32), (1024, 768, 64), (9000, 8744, 64)]
)
def test_some_stay_for_everything_else(limit: int, clients: int, kept: int) -> None:
    said = told("print(descriptors.for_clients(), descriptors.kept_back())", limit, limit)
    assert said == f"{clients} {kept}"


def test_the_last_ones_are_scarce() -> None:
    code = """
seen = [descriptors.are_scarce()]
held = [os.dup(0) for _ in range(61)]
print(seen, descriptors.are_scarce(), descriptors.scarce(held[0]), descriptors.scarce(held[-1]))
"""
    assert told(code, 72, 72) == "[False] True False True"


def test_none_left_is_scarce() -> None:
    code = """
try:
    while True:
        os.dup(0)
except OSError:
    print(descriptors.are_scarce())
"""
    assert told(code, 64, 64) == "True"


def test_how_many_are_open() -> None:
    before = descriptors.used()
    assert before is not None
    one = os.dup(0)
    assert descriptors.used() == before + 1
    os.close(one)
    assert descriptors.limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_threads_that_cannot_be_had_are_found_before_a_library_is_refused_one() -> None:
    """Each has a stack, so a limit of the address space does what a limit of processes does, for root too."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))"
    assert told(
        f"{code}; print(descriptors.can_start_threads(64), descriptors.can_start_threads(2))", 64, 64
    ) == ("False True")
