"""Signatures as Standard Webhooks 1.0.0 has them: HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64.

A secret is `whsec_` and 24 to 64 random bytes in base64. Several, separated by spaces, sign each message once each, so
that a receiver can change from one to the next without missing a message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64


class WrongSecret(ValueError):
    """The text says what a secret looks like, and never what this one is."""

    def __init__(self) -> None:
        super().__init__(
            f"the webhook's secret must be `{PREFIX}` and {_SHORTEST} to {_LONGEST} bytes in base64; "
            f'make one with: echo "{PREFIX}$(openssl rand -base64 32)"'
        )


def keys_of(secret: str) -> tuple[bytes, ...]:
    """The keys of a secret, newest first as written. Raises `WrongSecret`."""
    keys = tuple(_key(one) for one in secret.split())
    if not keys:
        raise WrongSecret
    return keys


def check_secret(secret: str) -> None:
    """Raises `WrongSecret`."""
    keys_of(secret)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise WrongSecret from None
    if not text.startswith(PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise WrongSecret
    return key


def headers_of(
    keys: tuple[bytes, ...], message_id: str, timestamp: int, body: bytes
) -> list[tuple[str, str]]:
    """The three headers of one attempt; `timestamp` in whole seconds since 1970."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(f"v1,{one}" for one in signatures)),
    ]
