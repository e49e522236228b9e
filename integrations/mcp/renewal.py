"""A credential that is replaced while a session is open: the request that met a 401 is sent again with the new one.

A refusal with 401 has not run anything, so this cannot do a thing twice; and the session, which knows nothing of the
credential, goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx2

from integrations.base import SourceError

Renew = Callable[[], Mapping[str, str]]


class Renewal:
    """The configured headers of one session: as they were when it was opened, and as they are now."""

    def __init__(self, given: Mapping[str, str], renew: Renew) -> None:
        self._given = dict(given)
        self._now = dict(given)
        self._renew = renew

    def apply(self, request: httpx2.Request) -> None:
        """Replace what was replaced. What the SDK set itself (`Accept`, the session) is not the config's to change."""
        for name, value in self._now.items():
            if request.headers.get(name, value) == self._given.get(name, value):
                request.headers[name] = value

    def differs(self) -> bool:
        """Ask again, after a 401. Whether there is anything new to try."""
        try:
            fresh = {**self._given, **self._renew()}
        except SourceError:
            return False
        changed, self._now = fresh != self._now, fresh
        return changed
