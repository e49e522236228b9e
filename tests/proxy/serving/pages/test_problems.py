from __future__ import annotations

from proxy.serving.pages.guard import (
    foreign_request,
    not_found,
    stale_form,
    too_many,
    unavailable,
    unreadable_form,
)


def test_statuses() -> None:
    problems = (
        not_found(),
        foreign_request(),
        stale_form(),
        unreadable_form("x"),
        too_many(0.2),
        unavailable("x"),
    )
    assert [one.status for one in problems] == [404, 403, 403, 400, 429, 503]


def test_waiting_is_told_in_whole_seconds() -> None:
    assert dict(too_many(0.2).headers) == {"retry-after": "1"}
