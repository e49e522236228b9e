"""What clients find out before they have a credential (RFC 9728, RFC 8414).

Open to every caller, under any host name and from any origin: the answers hold nothing of the request and nothing that
is not meant for everybody. Errors have `error` as a text (RFC 6749 section 5.2): clients that believe they talk to an
authorization server read only that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

from quart import Quart, Response, request

from integrations.base import JsonObject
from integrations.json_text import write_json
from integrations.oauth.errors import DiscoveryFailed
from proxy.auth import AuthError
from proxy.serving.admission import not_let_in
from proxy.serving.gateway import Discovery
from proxy.serving.http.asgi import HttpRequest, read_object
from proxy.serving.http.errors import RateLimited, RequestRefusal, rate_limited
from proxy.serving.rest.views import refused
from proxy.telemetry import Logger

RESOURCE_PATH: Final = "/.well-known/oauth-protected-resource"
TOKEN_PATH: Final = "/v1/auth/anonymous/token"  # noqa: S105 - a path
SERVER_PATH: Final = "/.well-known/oauth-authorization-server"
# Where clients without any metadata expect an authorization server beside the resource.
_NOT_HERE: Final = ("/register", "/authorize", "/token", "/.well-known/openid-configuration")
_ANY_METHOD: Final = ("GET", "HEAD", "POST", "OPTIONS")
_OPEN = re.compile(
    r"/\.well-known/(oauth-protected-resource|oauth-authorization-server|openid-configuration)(/.*)?"
)
_CORS: Final = {"access-control-allow-origin": "*"}
_PREFLIGHT: Final = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "mcp-protocol-version, content-type",
    "access-control-max-age": "600",
}
_log = Logger("auth")


def is_discovery(path: str) -> bool:
    """Whether a path is open to everybody, whatever Host and Origin say."""
    return path in _NOT_HERE or _OPEN.fullmatch(path) is not None


def add_discovery(app: Quart, gateway: Discovery) -> None:
    async def resource(path: str = "") -> Response:
        if request.method == "OPTIONS":
            return Response(b"", 204, {**_CORS, **_PREFLIGHT})
        found = gateway.protected_resource(f"/{path}" if path else "", request.args)
        return _absent("Tokens are not accepted for this resource.") if found is None else _json(200, found)

    async def server(path: str = "") -> Response:
        if request.method == "OPTIONS":
            return Response(b"", 204, {**_CORS, **_PREFLIGHT})
        try:
            found = await gateway.authorization_server()
        except DiscoveryFailed as error:
            _log.warning("metadata of the authorization server cannot be fetched", detail=str(error))
            body = {
                "error": "temporarily_unavailable",
                "error_description": "The authorization server does not answer.",
            }
            return _json(502, body)
        return _absent(_KEYS) if found is None else _json(200, found)

    async def not_here() -> Response:
        return _absent(_KEYS)

    for at, view in ((RESOURCE_PATH, resource), (SERVER_PATH, server)):
        for rule in (at, f"{at}/<path:path>"):
            app.add_url_rule(
                rule, rule, view, methods=["GET", "HEAD", "OPTIONS"], provide_automatic_options=False
            )
    for rule in _NOT_HERE:
        app.add_url_rule(rule, rule, not_here, methods=list(_ANY_METHOD), provide_automatic_options=False)


def add_anonymous_tokens(app: Quart, gateway: Discovery, client_ip: Callable[[HttpRequest], str]) -> None:
    """`POST /v1/auth/anonymous/token?workspaceId=`: also `{"workspaceId": ...}` as the body."""

    async def token() -> Response:
        asked = HttpRequest.of(cast(Any, request.scope))
        try:
            body = read_object(cast(bytes, await request.get_data()))
            named = asked.query.get("workspaceId") or body.get("workspaceId")
            if named is not None and not isinstance(named, str):
                raise RequestRefusal("bad_request", "`workspaceId` must be a text.")
            made = await gateway.anonymous_token(named, client_ip(asked))
        except AuthError as error:
            return refused(not_let_in(error, asked))
        except RateLimited as error:
            return refused(rate_limited(error))
        except RequestRefusal as refusal:
            return refused(refusal)
        return Response(write_json(made), 200, {"cache-control": "no-store"}, content_type="application/json")

    app.add_url_rule(TOKEN_PATH, TOKEN_PATH, token, methods=["POST"])


_KEYS: Final = "There is no authorization server here. Send a key: `Authorization: Bearer <key>`."


def _absent(why: str) -> Response:
    return _json(404, {"error": "not_found", "error_description": why})


def _json(status: int, body: JsonObject) -> Response:
    headers = {**_CORS, "cache-control": "no-cache"}
    return Response(write_json(body), status, headers, content_type="application/json")
