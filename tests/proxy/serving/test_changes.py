"""How changes reach listeners is in `test_asgi`."""

from __future__ import annotations

from proxy.serving.changes import Changes


def test_announcing_without_listeners_is_nothing() -> None:
    changes = Changes()
    changes.announce(frozenset({"ws_one"}))
    changes.end_streams()
