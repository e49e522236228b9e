"""The keys of one issuer (RFC 7517), fetched when they are needed and kept for as long as they serve.

Rules:
- A token that the known keys verify never waits for a request. Keys older than `FRESH_SECONDS` are renewed beside it.
- One that they do not verify may be signed with a new key: then the set is fetched again, once for all who wait, and
  at most every `PAUSE_SECONDS`. Strangers with made-up key ids cannot make it more.
- While the issuer is down the keys that are known go on serving. Without any, nobody can be checked: `KeysUnavailable`.
- A fetched set replaces the old one whole, so a withdrawn key is out. One without usable keys counts as a failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from joserfc.jwk import Key

from integrations.oauth.errors import DiscoveryFailed
from proxy.auth.jwt import BadToken, UnverifiedToken, fitting, is_signed_by
from proxy.tasks import TaskSupervisor
from proxy.telemetry import Logger

FRESH_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 2.0
"""Between attempts while no keys are known at all; callers are told to come back after as long."""
MOST_WITHOUT_ID: Final = 4

_log = Logger("auth")


class KeysUnavailable(Exception):
    """No keys are known and none can be had: nobody can say whether the token is good."""


class KeySet:
    """`fetch` gives the usable keys of the issuer, or raises `DiscoveryFailed`. `clock` gives seconds."""

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Awaitable[Sequence[Key]]],
        tasks: TaskSupervisor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._tasks = tasks
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched = self._asked = -float("inf")
        self._running: asyncio.Future[None] | None = None
        self._down = False
        self.version = 0
        """Another number after each change of the keys: what was verified with the old ones counts no more."""

    async def verify(self, token: UnverifiedToken, algorithms: Collection[str]) -> None:
        """Raises `BadToken`, or `KeysUnavailable`."""
        if token.algorithm not in algorithms:
            raise BadToken("This token is signed in a way that is not accepted here")
        if self._verifies(token):
            if self._clock() - self._fetched > FRESH_SECONDS:
                self._renewal()
            return
        renewal = self._renewal()
        if renewal is not None:
            with suppress(OSError):  # the supervisor of tasks has said and counted it
                await asyncio.shield(renewal)
            if self._verifies(token):
                return
        if not self._keys:
            raise KeysUnavailable(self._name)
        raise BadToken("This token is not signed by its issuer")

    def _verifies(self, token: UnverifiedToken) -> bool:
        keys = fitting(self._keys, token.algorithm)
        if token.key_id is not None:
            return is_signed_by(token, (key for key in keys if key.kid == token.key_id))
        return len(keys) <= MOST_WITHOUT_ID and is_signed_by(token, keys)

    def _renewal(self) -> asyncio.Future[None] | None:
        """The fetch that is under way, or a new one; None when it is too early for one."""
        if self._running is not None and not self._running.done():
            return self._running
        pause = PAUSE_SECONDS if self._keys else RETRY_SECONDS
        now = self._clock()
        if now - self._asked < pause:
            return None
        self._asked = now
        self._running = self._tasks.ask("issuer", self._renew, about=self._name)
        return self._running

    async def _renew(self) -> None:
        try:
            keys = tuple(await self._fetch())
            if not keys:
                raise DiscoveryFailed("the key set holds no key that can be used")
        except DiscoveryFailed as error:
            if not self._down:
                _log.warning(
                    "keys cannot be fetched", issuer=self._name, detail=str(error), known=len(self._keys)
                )
            self._down = True
            return
        if self._down:
            _log.info("keys can be fetched again", issuer=self._name)
        self._down = False
        self._fetched = self._clock()
        if _prints(keys) != _prints(self._keys):
            self._keys = keys
            self.version += 1


def _prints(keys: Sequence[Key]) -> list[tuple[str | None, str]]:
    return [(key.kid, key.thumbprint()) for key in keys]
