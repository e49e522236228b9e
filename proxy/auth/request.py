"""What a request says about its caller: the credential it presents and the workspace it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.auth.errors import bad_request, credential_invalid

WORKSPACE_PARAMETER: Final = "workspaceId"
_LONGEST_NAME: Final = 128

# Names under which clients put credentials into URLs, where proxies log and browsers keep them (RFC 6750,
# section 2.3; RFC 9700, section 4.3.2). Compared in lower case, without `-` and `_`.
_CREDENTIAL_PARAMETERS: Final = frozenset(
    {
        "apikey",
        "xapikey",
        "key",
        "token",
        "accesstoken",
        "bearer",
        "bearertoken",
        "authorization",
        "authtoken",
    }
)


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """Headers as they came (names in any case, repeats included), the parsed query, and what the route says.

    `path_workspace` is the first segment of `/<workspaceId>/mcp`; `anonymous_path` is true on
    `/mcp/anonymous` and `/v1/mcp/anonymous`, which take the workspace from the query only. `resource_path` is the
    MCP path as it is published (`/mcp`, `/v1/mcp`, `/<workspaceId>/mcp`), empty for every other route.
    """

    headers: Sequence[tuple[str, str]]
    query: Mapping[str, Sequence[str]]
    path_workspace: str | None = None
    anonymous_path: bool = False
    resource_path: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str], query: Mapping[str, str]) -> AuthRequest:
        """Of headers and a query whose names occur once."""
        return cls(tuple(headers.items()), {name: (value,) for name, value in query.items()})


def credential(request: AuthRequest) -> str | None:
    """What `Authorization: Bearer` or `x-api-key` holds; None without either. Raises `AuthError`."""
    _refuse_credentials_in_query(request.query)
    presented = {_bearer(value) for value in _values(request, "authorization")}
    presented |= {value.strip() for value in _values(request, "x-api-key")}
    if len(presented) > 1:
        raise bad_request("The request carries two different credentials: send one.")
    return next(iter(presented), None)


def wanted_workspace(request: AuthRequest) -> str | None:
    """The workspace that path or query names, or None. Raises `AuthError` when they disagree."""
    named = {value for value in request.query.get(WORKSPACE_PARAMETER, ()) if value}
    if request.anonymous_path and not named:
        raise bad_request(
            f"Missing `{WORKSPACE_PARAMETER}` query parameter: "
            f"call /mcp/anonymous?{WORKSPACE_PARAMETER}=<id>."
        )
    if request.path_workspace:
        named.add(request.path_workspace)
    if len(named) > 1:
        raise bad_request(f"The path and `{WORKSPACE_PARAMETER}` name different workspaces: name one.")
    return next(iter(named), None)


def named_workspace(request: AuthRequest) -> str | None:
    """What path or query say, for those who were not let in: be it wrong, or one of several. At most 128 characters."""
    named = request.path_workspace or next(iter(request.query.get(WORKSPACE_PARAMETER, ())), "")
    return named[:_LONGEST_NAME] or None


def _values(request: AuthRequest, name: str) -> list[str]:
    return [value for header, value in request.headers if header.lower() == name]


def _bearer(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise credential_invalid("The Authorization header must be: Bearer, a space, and the key or token")
    return token.strip()


def _refuse_credentials_in_query(query: Mapping[str, Sequence[str]]) -> None:
    for name in query:
        if name.lower().replace("-", "").replace("_", "") in _CREDENTIAL_PARAMETERS:
            raise bad_request(
                f"Credentials in the URL are refused (`{name[:40]}`), because URLs end up in logs: "
                "send `Authorization: Bearer <key>` or `x-api-key: <key>`, and replace this key."
            )
