from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.mcp.errors import McpError
from integrations.mcp.stdio import LineSplitter, MessageThrottle


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes], size: int) -> None:
    data = b"\n".join(pieces) + b"\n"
    lines = LineSplitter(1000)
    found = [line for start in range(0, len(data), size) for line in lines.feed(data[start : start + size])]
    assert found == [line for line in data.split(b"\n") if line.strip()]


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6 + b"\n"]]
)
def test_a_line_has_a_limit(chunks: list[bytes]) -> None:
    lines = LineSplitter(10)
    with pytest.raises(McpError):
        list(map(lines.feed, chunks))


def test_a_line_up_to_the_limit_is_fine() -> None:
    assert LineSplitter(10).feed(b"x" * 10 + b"\n" + b"y" * 10) == [b"x" * 10]


def test_the_throttle_lets_ordinary_traffic_pass() -> None:
    throttle = MessageThrottle(1000)
    assert [throttle.pause(now / 10, 40) for now in range(1, 20)] == [0.0] * 19


def test_the_throttle_holds_a_flood_to_its_rate() -> None:
    throttle, now, read = MessageThrottle(1000), 1.0, 0
    while now < 11.0:
        read += 500
        now += throttle.pause(now, 500) + 0.0001
    assert read <= 11_000
