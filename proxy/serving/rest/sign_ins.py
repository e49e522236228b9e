"""Signing in to connections over REST: what the command line uses, with a browser or without."""

from __future__ import annotations

from integrations.base import JsonObject
from integrations.oauth.authorization import CALLBACK_PARAMETERS
from proxy.connections.oauth.basis import SignInProblem
from proxy.connections.oauth.sign_in import SignInState
from proxy.serving.gateway import Gateway
from proxy.serving.rest.request import ApiProblem, ApiRequest, ApiResponse, invalid_argument

_LONGEST = 8192


async def sign_ins(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Every connection that people sign in to, with the caller's own status."""
    request.check_query()
    return ApiResponse({"items": [_shown(one) for one in await gateway.sign_ins(request.principal)]})


async def begin(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Begin a sign-in; the caller opens the answer's `authorizationUrl` in a browser."""
    request.check_query()
    redirect = _texts(request.body, "redirectUri").get("redirectUri")
    try:
        begun = await gateway.begin_sign_in(request.path["connection"], request.principal, redirect)
    except SignInProblem as problem:
        raise _refused(problem) from None
    return ApiResponse(
        {
            "authorizationUrl": begun.url,
            "state": begun.state,
            "redirectUri": begun.redirect_uri,
            "expiresAtMs": round(begun.expires_at * 1000),
        }
    )


async def complete(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Finish the caller's own sign-in with what the browser brought back."""
    request.check_query()
    given = _texts(request.body, *CALLBACK_PARAMETERS)
    if "state" not in given:
        raise invalid_argument("`state` is required: the one that the sign-in began with.")
    try:
        connection = await gateway.complete_sign_in(given, request.principal)
    except SignInProblem as problem:
        raise _refused(problem) from None
    return ApiResponse({"connection": connection, "status": "connected"})


async def begin_device(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Begin a sign-in on another device (RFC 8628): the caller shows the answer's page and code to a person."""
    request.check_query()
    _texts(request.body)
    try:
        begun = await gateway.begin_device_sign_in(request.path["connection"], request.principal)
    except SignInProblem as problem:
        raise _refused(problem) from None
    more = {"verificationUriComplete": begun.complete_url} if begun.complete_url else {}
    return ApiResponse(
        {
            "verificationUri": begun.url,
            "userCode": begun.user_code,
            "state": begun.state,
            "intervalMs": round(begun.interval * 1000),
            "expiresAtMs": round(begun.expires_at * 1000),
            **more,
        }
    )


async def ask_device(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Whether a person has entered the code of the caller's own sign-in."""
    request.check_query()
    given = _texts(request.body, "state")
    if "state" not in given:
        raise invalid_argument("`state` is required: the one that the sign-in began with.")
    try:
        standing = await gateway.ask_device_sign_in(given["state"], request.principal)
    except SignInProblem as problem:
        raise _refused(problem) from None
    if standing.connected:
        return ApiResponse({"connection": standing.connection, "status": "connected"})
    waiting = {
        "connection": standing.connection,
        "status": "pending",
        "intervalMs": round(standing.interval * 1000),
    }
    return ApiResponse({**waiting, **({"reason": standing.why} if standing.why else {})})


async def end(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Forget the caller's token, here and at the authorization server."""
    request.check_query()
    _texts(request.body)
    try:
        was = await gateway.sign_out(request.path["connection"], request.principal)
    except SignInProblem as problem:
        raise _refused(problem) from None
    return ApiResponse({"connection": request.path["connection"], "signedOut": was})


def _shown(state: SignInState) -> JsonObject:
    owner = "user" if state.per_user else "org"
    own = {"connection": state.prefix, "title": state.title, "owner": owner, "maySignIn": state.may}
    more = {"reason": state.why, "redirectPort": state.redirect_port}
    return {**own, **state.status, **{name: value for name, value in more.items() if value}}


def _texts(body: JsonObject, *names: str) -> dict[str, str]:
    """The named members of a body, all of them texts. Raises `ApiProblem` for others."""
    for name, value in body.items():
        if name not in names:
            raise invalid_argument(
                f"Unknown property `{name[:64]}`; there are: {', '.join(names) or 'none'}."
            )
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise invalid_argument(f"`{name}` must be a string of at most {_LONGEST} characters.")
    return dict(body)


def _refused(problem: SignInProblem) -> ApiProblem:
    return ApiProblem(problem.status, problem.code, str(problem))
