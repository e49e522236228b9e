"""Why a caller is not let in.

    AuthError
    |-- 400 -32000   the request is ambiguous or incomplete: two credentials, one in the URL, no workspace named
    |-- 401 -32001   no credential, or one that is unknown, expired or of the wrong kind
    |-- 403 -32001   known, but not admitted to this workspace, or without the scopes
    `-- 503 -32001   nobody can say who it is: the authorization server is down, or signing is not configured

A workspace that does not exist answers 403 like one of somebody else: names must not be guessable, and MCP
clients take a 404 for the end of their session and start over.
"""

from __future__ import annotations

from typing import Final

REALM = 'Bearer realm="executor"'
RETRY_SECONDS: Final = 2


class AuthError(Exception):
    """`message` is for the caller and never repeats a credential. `www_authenticate` goes with every 401.

    `guessed`: the credential may be a guess, and counts against its address. `retry_seconds`: when to come back.
    `account`: whose credential it was, where that is known; for the audit trail only.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        www_authenticate: str | None = None,
        *,
        guessed: bool | None = None,
        retry_seconds: int | None = None,
        account: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.www_authenticate = www_authenticate
        self.guessed = status == 401 if guessed is None else guessed
        self.retry_seconds = retry_seconds
        self.account = account


def bad_request(message: str) -> AuthError:
    return AuthError(400, -32000, message)


def credential_missing(message: str) -> AuthError:
    """No credential was given, so there is no `error` in the challenge (RFC 6750, section 3.1)."""
    return AuthError(401, -32001, message, REALM)


def credential_invalid(message: str, *, guessed: bool = True) -> AuthError:
    """A credential was given, and it is no good."""
    challenge = f'{REALM}, error="invalid_token", error_description={quoted(message)}'
    return AuthError(401, -32001, message, challenge, guessed=guessed)


def not_admitted(message: str, account: str | None = None) -> AuthError:
    return AuthError(403, -32001, message, account=account)


def unavailable(message: str, retry_seconds: int | None = RETRY_SECONDS) -> AuthError:
    """Sessions survive it: the client tries the same again."""
    return AuthError(503, -32001, message, retry_seconds=retry_seconds)


def quoted(text: str) -> str:
    """A quoted string of a header (RFC 9110, section 5.6.4); what cannot stand in one is left out."""
    shown = "".join(char for char in text if " " <= char <= "~" and char not in '"\\')
    return f'"{shown}"'
