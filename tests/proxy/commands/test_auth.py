"""The listener that waits for the browser. Signing in as a whole is in tests/e2e/test_connections.py."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from proxy.commands.auth import CallbackListener
from proxy.commands.common import CannotRun


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_expected_callback_is_taken() -> None:
    with CallbackListener(0) as listener:
        statuses: list[int] = []
        own = listener.redirect_uri
        asked = [
            f"{own}?state=other&code=x",
            own,
            f"{own}/else?state=st&code=x",
            f"{own}?state=st&code=c&more=m&iss=i",
        ]

        def browse() -> None:
            statuses.extend(map(status_of, asked))

        browser = threading.Thread(target=browse)
        browser.start()
        given = listener.wait("st")
        browser.join(30)
    assert statuses == [404, 404, 404, 200]
    assert given == {"code": "c", "state": "st", "iss": "i"}


def test_a_port_that_is_taken_is_named() -> None:
    with CallbackListener(0) as listener:
        port = urlsplit(listener.redirect_uri).port
        assert port is not None
        with pytest.raises(CannotRun, match=f"127.0.0.1:{port}"):
            CallbackListener(port)
