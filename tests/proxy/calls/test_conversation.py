from __future__ import annotations

import asyncio

import pytest

from integrations.conversation import ElicitationAnswer, ElicitationRequest
from proxy.calls.conversation import (
    SHORTEST_PAUSE_SECONDS,
    ProgressThrottle,
    step_text,
    throttled_progress,
    without_deadline,
)
from proxy.calls.scrub import REDACTED, Scrubber
from tests.proxy.support import LIMIT_SECONDS


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ((1.0, 3.0, None), "1 of 3"),
        ((2.5, None, "half way"), "2.5: half way"),
        ((1.0, 2.0, " two\nlines\r\n"), "1 of 2: two lines"),
        ((1.0, 2.0, "a\u202eb\x1b[31m"), "1 of 2: a\\u{202E}b\\u{1B}[31m"),
        ((float("inf"), float("inf"), ""), "inf of inf"),
    ],
)
def test_a_step_is_one_line_of_inert_text(step: tuple[float, float | None, str | None], text: str) -> None:
    assert step_text(*step) == text


def test_a_long_message_is_cut() -> None:
    assert len(step_text(1, 2, "x" * 100_000)) < 220


def test_pace() -> None:
    pace = ProgressThrottle()
    assert [pace.admits(now) for now in (0.0, 0.1, SHORTEST_PAUSE_SECONDS, 0.3, 10.0, 10.1)] == [
        True, False, True, False, True, False,
    ]  # fmt: skip


def test_a_flood_becomes_a_few_lines_without_secrets() -> None:
    heard: list[str] = []
    time = iter(number / 1000 for number in range(2000))
    scrubber = Scrubber()
    on_progress = throttled_progress(
        heard.append, lambda text: scrubber.clean_text(text, ["hunter22"]), lambda: next(time)
    )
    for number in range(2000):
        on_progress(number, None, "with hunter22")
    assert len(heard) == 8
    assert heard[0] == f"0: with {REDACTED}"


async def test_the_deadline_stands_still_while_somebody_is_asked() -> None:
    seen: list[float | None] = []
    async with asyncio.timeout(LIMIT_SECONDS) as limit:
        before = limit.when()

        async def ask(question: ElicitationRequest) -> ElicitationAnswer:
            seen.append(limit.when())
            return ElicitationAnswer("decline")

        assert await without_deadline(ask, limit)(ElicitationRequest("?")) == ElicitationAnswer("decline")
        assert seen == [None]
        assert before is not None
        assert (limit.when() or 0) >= before
