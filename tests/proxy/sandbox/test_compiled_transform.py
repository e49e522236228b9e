from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from proxy.sandbox.compiled_transform import complete, is_complete, memory_file


@pytest.fixture
def file() -> Iterator[int]:
    made = os.memfd_create("transform", os.MFD_ALLOW_SEALING)
    yield made
    os.close(made)


def test_a_part_that_somebody_left_is_replaced(file: int) -> None:
    os.write(file, b"a part of what is longer than the whole")
    assert not is_complete(file)
    complete(file, lambda: b"whole")
    assert is_complete(file)
    assert os.pread(file, 100, 0) == b"whole"


def test_what_is_complete_stays_as_it_is(file: int) -> None:
    complete(file, lambda: b"first")
    complete(file, lambda: b"second")
    assert os.pread(file, 100, 0) == b"first"
    for change in (lambda: os.write(file, b"x"), lambda: os.ftruncate(file, 0)):
        with pytest.raises(PermissionError):
            change()


def test_a_process_has_one() -> None:
    assert memory_file() == memory_file()
