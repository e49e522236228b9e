from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sandbox.frames import FrameRate, FrameReader, FrameTooLarge, pack, read_frame, write_frame


@given(payloads=st.lists(st.binary(max_size=50)), cut=st.integers(1, 7))
def test_any_cutting_gives_the_same_payloads(payloads: list[bytes], cut: int) -> None:
    data = b"".join(pack(payload) for payload in payloads)
    reader = FrameReader(50)
    found = [payload for at in range(0, len(data), cut) for payload in reader.feed(data[at : at + cut])]
    assert found == payloads


def test_an_announcement_is_enough_to_refuse() -> None:
    with pytest.raises(FrameTooLarge, match="the limit is 10"):
        FrameReader(10).feed((11).to_bytes(4, "big"))


def test_blocking_frames_over_a_pipe() -> None:
    reading, writing = os.pipe()
    write_frame(writing, b"abc")
    write_frame(writing, b"x" * 20)
    os.close(writing)
    assert read_frame(reading, 10) == b"abc"
    with pytest.raises(FrameTooLarge):
        read_frame(reading, 10)
    os.close(reading)


def test_the_end_inside_a_frame_is_the_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, pack(b"abcdef")[:-2])
    os.close(writing)
    assert read_frame(reading, 10) is None
    os.close(reading)


def test_who_speaks_too_fast_waits_the_longer_the_more_it_says() -> None:
    rate = FrameRate(burst=3, per_second=10)
    assert [rate.wait_seconds(0.0) for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert rate.wait_seconds(0.3) == 0.0  # three came due meanwhile: two that were owed, and this one
    assert rate.wait_seconds(100.0) == 0.0
    assert [rate.wait_seconds(100.0) for _ in range(3)] == pytest.approx(
        [0, 0, 0.1]
    )  # no more than a burst is saved
    assert rate.wait_seconds(50.0) == pytest.approx(0.2)  # a clock that went back saves nothing
