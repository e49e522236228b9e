from __future__ import annotations

import pytest

from integrations.http.errors import EgressDenied, HttpError, TimedOut, TooLarge, Unreachable


@pytest.mark.parametrize("kind", [EgressDenied, Unreachable, TimedOut, TooLarge])
def test_every_error_says_whether_something_was_sent(kind: type[HttpError]) -> None:
    assert kind("x").sent is False
    assert kind("x", sent=True).sent is True
