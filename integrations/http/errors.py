"""What can go wrong before a response is complete.

HttpError
|-- EgressDenied    the address, scheme or URL is not one this integration may use; nothing was sent
|-- Unreachable     no connection, a broken one, or an answer that is not HTTP (`sent`: it may have arrived)
|-- TimedOut        the time ran out (`sent`: it may have arrived)
`-- TooLarge        the body, as received or as decompressed, passed the limit
"""

from __future__ import annotations


class HttpError(Exception):
    """Root of this tree. `sent` is False only when the upstream certainly saw no byte of the request."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class EgressDenied(HttpError):
    """Refused by the egress guard."""


class Unreachable(HttpError):
    """No usable answer."""


class TimedOut(HttpError):
    """No complete answer in time."""


class TooLarge(HttpError):
    """More bytes than allowed."""
