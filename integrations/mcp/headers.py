"""A connection's credential as the headers of an MCP session."""

from __future__ import annotations

from integrations.base import Credential, SourceError
from integrations.credentials import CredentialProblem, cookie_pair, placements_of


def credential_headers(credential: Credential) -> dict[str, str]:
    """Header name to value. Raises `SourceError` for a part that is no header (a query parameter), or that holds
    what no header may hold.
    """
    try:
        placements = placements_of(credential)
    except CredentialProblem as problem:
        raise SourceError(problem.failure.message) from None
    if any(one.target == "query" for one in placements):
        raise SourceError("an MCP server takes its credential in headers: `auth.kind: query` cannot be used")
    headers = {one.name: one.text for one in placements if one.target == "header"}
    cookies = [cookie_pair(one.name, one.text) for one in placements if one.target == "cookie"]
    return {**headers, "Cookie": "; ".join(cookies)} if cookies else headers
