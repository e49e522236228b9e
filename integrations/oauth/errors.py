"""What can go wrong with an authorization server. No text holds a secret: what was sent is cut out of what came back.

OAuthError
|-- OAuthRefused       the server said no (RFC 6749 section 5.2): `code` is its word, such as `invalid_grant`
|-- OAuthUnavailable   no answer, or one that says "later" (429, 5xx): nothing is known, trying again makes sense
|-- OAuthAnswerWrong   an answer that is no token, no metadata, or none that may be used; trying again does not help
|   `-- OtherIssuer    a callback from another server than the one that was asked (RFC 9207)
`-- DiscoveryFailed    no authorization server was found, or none that fits; the text says what to configure
"""

from __future__ import annotations


class OAuthError(Exception):
    """Root of this tree."""


class OAuthRefused(OAuthError):
    """`code` is at most 64 characters of what RFC 6749 allows in an error code."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code


class OAuthUnavailable(OAuthError):
    """`retry_after_seconds` is what the server asks for, if it does."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OAuthAnswerWrong(OAuthError):
    """Not what the protocol says."""


class OtherIssuer(OAuthAnswerWrong):
    """A mix-up, by accident or by intent: the code is given to nobody."""


class DiscoveryFailed(OAuthError):
    """No usable authorization server."""
