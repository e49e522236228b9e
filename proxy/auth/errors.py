"""Why a caller is not let in.

    AuthError
    |-- 400 -32000   the request is ambiguous or incomplete: two credentials, one in the URL, no workspace named
    |-- 401 -32001   no credential, or one that is unknown, expired or of the wrong kind
    `-- 403 -32001   known, but not admitted to this workspace

A workspace that does not exist answers 403 like one of somebody else: names must not be guessable, and MCP
clients take a 404 for the end of their session and start over.
"""

from __future__ import annotations

REALM = 'Bearer realm="executor"'


class AuthError(Exception):
    """`message` is for the caller and never repeats a credential. `www_authenticate` goes with every 401."""

    def __init__(self, status: int, code: int, message: str, www_authenticate: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.www_authenticate = www_authenticate


def bad_request(message: str) -> AuthError:
    return AuthError(400, -32000, message)


def credential_missing(message: str) -> AuthError:
    """No credential was given, so there is no `error` in the challenge (RFC 6750, section 3.1)."""
    return AuthError(401, -32001, message, REALM)


def credential_invalid(message: str) -> AuthError:
    """A credential was given, and it is no good."""
    return AuthError(401, -32001, message, f'{REALM}, error="invalid_token", error_description="{message}"')


def not_admitted(message: str) -> AuthError:
    return AuthError(403, -32001, message)
