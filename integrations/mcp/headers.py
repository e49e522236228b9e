"""A connection's credential as the headers of an MCP session."""

from __future__ import annotations

import base64

from integrations.base import Credential, CredentialPart, SourceError


def credential_headers(credential: Credential) -> dict[str, str]:
    """Header name to value. Raises `SourceError` for a part that is no header (a query parameter), or that holds
    characters no header may hold (RFC 9110 section 5.5).
    """
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for part in credential.parts:
        if part.kind == "query":
            raise SourceError(
                "an MCP server takes its credential in headers: `auth.kind: query` cannot be used"
            )
        if part.kind == "cookie":
            cookies.append(f"{part.name}={part.value.reveal()}")
        else:
            name, value = _header(part)
            headers[name] = value
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    for name, value in headers.items():
        if not value.isascii() or any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise SourceError(f"the value for header {name} holds characters that no header may hold")
    return headers


def _header(part: CredentialPart) -> tuple[str, str]:
    secret = part.value.reveal()
    if part.kind == "bearer":
        return "Authorization", f"{part.prefix or 'Bearer '}{secret}"
    if part.kind == "basic":
        user = part.username.reveal() if part.username else ""
        return "Authorization", "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")
    return part.name, part.prefix + secret
