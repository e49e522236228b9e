"""Values that a client hands back to us: sealed, so that only what we made counts, and readable on every replica.

The keys are those of the state store (`state.encryption_key`). Without one, as with the memory store, a key of this
process is made: what it sealed is worthless after a restart, and so are the executions of such a store.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Final

from mcp.server.request_state import InvalidRequestState

from integrations.base import Secret
from proxy.state import StateUnreadable
from proxy.state.keys import KeyRing

_PREFIX: Final = "x1."
_STATE: Final = "request-state"


class Forged(Exception):
    """Not sealed by this deployment, or for another purpose."""


class Seals:
    """Seals texts for a purpose. Implements the SDK's `RequestStateCodec` (`seal`, `unseal`)."""

    def __init__(self, keys: Sequence[Secret] = ()) -> None:
        self._ring = KeyRing(keys or (Secret(secrets.token_urlsafe(32)),))

    def close(self, purpose: str, text: bytes) -> str:
        """A token of URL-safe characters."""
        sealed = base64.urlsafe_b64encode(self._ring.seal(text, purpose))
        return _PREFIX + sealed.decode().rstrip("=")

    def open(self, purpose: str, token: str) -> bytes:
        """Raises `Forged`."""
        version, body = token[: len(_PREFIX)], token[len(_PREFIX) :]
        if version != _PREFIX:
            raise Forged("not in a format that this version writes")
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return self._ring.open(raw, purpose)
        except (ValueError, binascii.Error, StateUnreadable) as error:
            raise Forged(str(error)) from None

    def seal(self, payload: bytes) -> str:
        """For `requestState`."""
        return self.close(_STATE, payload)

    def unseal(self, token: str) -> bytes:
        """Raises `InvalidRequestState`."""
        try:
            return self.open(_STATE, token)
        except Forged as error:
            raise InvalidRequestState(str(error)) from None
