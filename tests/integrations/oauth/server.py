"""A small authorization server and the API that it guards, with a switch for each way in which real ones differ.

Both are one origin. Whoever comes to `/authorize` is signed in at once, as the account that `account` names. Old
refresh tokens and codes are watched: using one again destroys the grant, as RFC 6749 section 10.4 wants.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus, urlencode

from tests.integrations.echo import Echo, Reply, Seen, echo_server, echo_thread

JSON = ("Content-Type", "application/json")
PROTECTED = "/.well-known/oauth-protected-resource"
METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@dataclass
class Quirks:
    """How this server differs. The defaults are a server that does everything by the book."""

    issuer: str = "{url}"
    metadata_at: tuple[str, ...] = (METADATA,)
    expires_in: Any = 3600
    refresh: bool = True
    rotates: bool = True
    dead_code: str = "invalid_grant"
    forms: bool = False
    errors_with_200: bool = False
    token_type: str = "Bearer"
    pkce: tuple[str, ...] | None = ("S256",)
    registers: bool = True
    forgets_clients: bool = False
    documents: bool = False
    names_itself: bool = True
    resource: str = "accepted"  # accepted, required, refused
    scopes: tuple[str, ...] | None = None
    refuses_scopes: tuple[str, ...] = ()
    strict_redirect: str = ""
    needs_params: dict[str, str] = field(default_factory=dict)
    client_auths: tuple[str, ...] | None = None
    html_wells: bool = False
    devices: bool = False
    device_interval: Any = 0.01
    device_url_name: str = "verification_uri"
    challenge: str = 'Bearer resource_metadata="{url}/.well-known/oauth-protected-resource/api"'
    extra_metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Grant:
    """One sign-in: what it may do, and the refresh token that is good now."""

    account: str
    client_id: str
    scope: str
    resource: str | None
    refresh: str = ""
    used: set[str] = field(default_factory=set)
    dead: bool = False


@dataclass
class AuthServer:
    """`behind` answers requests with a good token.

    `tokens` are those that the API takes, with their grants. `devices` are codes that nobody has redeemed yet, with
    what a person enters; `device_answers` are errors that come before the truth. `refused` counts requests for tokens
    that failed. `hold`: the next refresh gets no answer, be it that it was not read, or that it was done; `held` says
    that it has come."""

    echo: Echo
    quirks: Quirks
    account: str = "ann"
    clients: dict[str, str] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    codes: dict[str, tuple[Grant, str, str]] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    down: bool = False
    refused: int = 0
    issued: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    redirected: list[dict[str, str]] = field(default_factory=list)
    api_log: list[str] = field(default_factory=list)
    api_path: str = "/api"
    wanted_scope: str = ""
    behind: Callable[[Seen], Reply | None] | None = None
    devices: dict[str, tuple[str, Grant]] = field(default_factory=dict)
    device_asked: list[dict[str, str]] = field(default_factory=list)
    device_answers: list[str] = field(default_factory=list)
    hold: Literal["", "unread", "answered"] = ""
    held: threading.Event = field(default_factory=threading.Event)
    _numbers: Any = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return self.echo.url

    @property
    def issuer(self) -> str:
        return self.quirks.issuer.format(url=self.url)

    def answer(self, seen: Seen) -> Reply | None:
        if self.down and not seen.path.startswith(self.api_path):
            return Reply(503)
        if seen.path.startswith(PROTECTED):
            return self._well_known(self._resource())
        if seen.path in self.quirks.metadata_at:
            return self._well_known(self._metadata())
        if seen.path.startswith("/.well-known") or "/.well-known/" in seen.path:
            html = Reply(200, [("Content-Type", "text/html")], b"<html>hello</html>")
            return html if self.quirks.html_wells else Reply(404)
        routes = {
            "/authorize": self._authorize,
            "/token": self._token,
            "/register": self._register,
            "/revoke": self._revoke,
            "/device": self._device,
        }
        if seen.path in routes:
            return routes[seen.path](seen)
        return self._api(seen) if seen.path.startswith(self.api_path) else None

    def revoke_all(self) -> None:
        """Every access token ends now; what can be refreshed can be."""
        self.tokens.clear()

    # ---- documents ----------------------------------------------------------------------------------------------
    def _well_known(self, content: dict[str, Any]) -> Reply:
        if self.quirks.html_wells:
            return Reply(200, [("Content-Type", "text/html")], b"<html>hello</html>")
        return _json(200, content)

    def _resource(self) -> dict[str, Any]:
        scopes = {"scopes_supported": list(self.quirks.scopes)} if self.quirks.scopes else {}
        return {"resource": f"{self.url}{self.api_path}", "authorization_servers": [self.issuer], **scopes}

    def _metadata(self) -> dict[str, Any]:
        quirks = self.quirks
        found: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "revocation_endpoint": f"{self.url}/revoke",
            "code_challenge_methods_supported": list(quirks.pkce) if quirks.pkce is not None else None,
            "device_authorization_endpoint": f"{self.url}/device" if quirks.devices else None,
            "registration_endpoint": f"{self.url}/register" if quirks.registers else None,
            "client_id_metadata_document_supported": quirks.documents or None,
            "authorization_response_iss_parameter_supported": quirks.names_itself or None,
            "scopes_supported": list(quirks.scopes) if quirks.scopes is not None else None,
            "token_endpoint_auth_methods_supported": list(quirks.client_auths)
            if quirks.client_auths
            else None,
            **quirks.extra_metadata,
        }
        return {name: value for name, value in found.items() if value is not None}

    # ---- endpoints ----------------------------------------------------------------------------------------------
    def _register(self, seen: Seen) -> Reply:
        asked = json.loads(seen.body)
        client_id = f"client-{next(self._numbers)}"
        method = asked.get("token_endpoint_auth_method", "client_secret_basic")
        secret = "" if method == "none" else f"secret-of-{client_id}"
        self.clients[client_id] = secret
        return _json(201, {**asked, "client_id": client_id, **({"client_secret": secret} if secret else {})})

    def _authorize(self, seen: Seen) -> Reply:
        given = dict(parse_qsl(seen.query or "", keep_blank_values=True))
        self.redirected.append(given)
        back = given.get("redirect_uri", "")
        if self.quirks.strict_redirect and back != self.quirks.strict_redirect:
            return Reply(400, [], b"redirect_uri does not match")
        if given.get("client_id") not in self.clients and not self._by_document(given.get("client_id", "")):
            return Reply(400, [], b"unknown client")
        error = self._objection(given)
        iss = {"iss": self.issuer} if self.quirks.names_itself else {}
        if error:
            return _redirect(back, {"error": error, "state": given.get("state", ""), **iss})
        grant = Grant(self.account, given["client_id"], given.get("scope", ""), given.get("resource"))
        self.grants.append(grant)
        code = f"code-{next(self._numbers)}"
        self.codes[code] = (grant, given.get("code_challenge", ""), back)
        return _redirect(back, {"code": code, "state": given.get("state", ""), **iss})

    def _objection(self, given: dict[str, str]) -> str:
        quirks = self.quirks
        if given.get("code_challenge_method") != "S256":
            return "invalid_request"
        if quirks.resource == "refused" and "resource" in given:
            return "invalid_target"
        if quirks.resource == "required" and "resource" not in given:
            return "invalid_target"
        if set(given.get("scope", "").split()) & set(quirks.refuses_scopes):
            return "invalid_scope"
        return "" if quirks.needs_params.items() <= given.items() else "consent_required"

    def _by_document(self, client_id: str) -> bool:
        return self.quirks.documents and client_id.startswith("https://")

    def _token(self, seen: Seen) -> Reply:
        given = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        client_id, secret = self._shown(seen, given)
        self.asked.append({**given, "client_id": client_id})
        known = self.clients.get(client_id)
        if self.quirks.forgets_clients or (known is None and not self._by_document(client_id)):
            return self._refuse("invalid_client", 401)
        if known and secret != known and "client_assertion" not in given:
            return self._refuse("invalid_client", 401)
        if self.quirks.resource == "refused" and "resource" in given:
            return self._refuse("invalid_target")
        grants = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh,
            "client_credentials": self._by_itself,
            "urn:ietf:params:oauth:grant-type:device_code": self._by_device,
        }
        return grants[given["grant_type"]](given, client_id)

    @staticmethod
    def _shown(seen: Seen, given: dict[str, str]) -> tuple[str, str]:
        basic = (seen.header("authorization") or "").removeprefix("Basic ")
        if basic:
            name, _, secret = base64.b64decode(basic).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        return given.get("client_id", ""), given.get("client_secret", "")

    def _by_code(self, given: dict[str, str], client_id: str) -> Reply:
        grant, challenge, back = self.codes.pop(given["code"], (None, "", ""))
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        spelled = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or spelled != challenge or back != given.get("redirect_uri"):
            return self._refuse("invalid_grant")
        return self._issue(grant) if grant.client_id == client_id else self._refuse("invalid_grant")

    def _device(self, seen: Seen) -> Reply:
        given = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        client_id = given.get("client_id", "")
        self.device_asked.append(given)
        if client_id not in self.clients:
            return self._refuse("invalid_client", 401)
        if self.quirks.resource == "refused" and "resource" in given:
            return self._refuse("invalid_target")
        number = next(self._numbers)
        code, user_code = f"device-{number}-{'d' * 20}", f"USER-{number:04}"
        self.devices[code] = user_code, Grant("", client_id, given.get("scope", ""), given.get("resource"))
        page = {self.quirks.device_url_name: f"{self.url}/device-page"}
        found = {"device_code": code, "user_code": user_code, **page, "expires_in": 600}
        found |= {"interval": self.quirks.device_interval} if self.quirks.device_interval is not None else {}
        return self._spoken(200, found)

    def enter(self, user_code: str, account: str | None) -> None:
        """A person enters a code; `account` None: and says no."""
        for known, grant in self.devices.values():
            if known == user_code:
                grant.account, grant.dead = account or "", account is None

    def _by_device(self, given: dict[str, str], client_id: str) -> Reply:
        if self.device_answers:
            return self._refuse(self.device_answers.pop(0))
        _, grant = self.devices.get(given["device_code"], ("", None))
        if grant is None or grant.client_id != client_id:
            return self._refuse("invalid_grant")
        if grant.dead:
            return self._refuse("access_denied")
        if not grant.account:
            return self._refuse("authorization_pending")
        del self.devices[given["device_code"]]
        self.grants.append(grant)
        return self._issue(grant)

    def _by_refresh(self, given: dict[str, str], client_id: str) -> Reply:
        held, self.hold = self.hold, ""
        if held == "unread":
            return self._silence()
        answer = self._refreshed(given, client_id)
        return self._silence() if held else answer

    def _silence(self) -> Reply:
        self.held.set()
        return Reply(200, [JSON], then="hang", length=100)

    def _refreshed(self, given: dict[str, str], client_id: str) -> Reply:
        old = given["refresh_token"]
        grant = next((one for one in self.grants if old == one.refresh or old in one.used), None)
        if grant is None or grant.dead or grant.client_id != client_id or old in grant.used:
            if grant is not None:
                grant.dead = True
            return self._refuse(self.quirks.dead_code)
        return self._issue(grant)

    def _by_itself(self, given: dict[str, str], client_id: str) -> Reply:
        grant = Grant(f"client:{client_id}", client_id, given.get("scope", ""), given.get("resource"))
        return self._issue(grant, refresh=False)

    def _issue(self, grant: Grant, *, refresh: bool = True) -> Reply:
        number = next(self._numbers)
        token = f"access-{number}-{hashlib.sha256(str(number).encode()).hexdigest()[:16]}"
        self.tokens[token] = grant
        self.issued += 1
        found: dict[str, Any] = {"access_token": token, "token_type": self.quirks.token_type}
        if self.quirks.expires_in is not None:
            found["expires_in"] = self.quirks.expires_in
        if refresh and self.quirks.refresh and (self.quirks.rotates or not grant.refresh):
            if grant.refresh:
                grant.used.add(grant.refresh)
            grant.refresh = found["refresh_token"] = f"refresh-{number}-{'r' * 20}"
        found |= {"scope": grant.scope} if grant.scope else {}
        return self._spoken(200, found)

    def _refuse(self, code: str, status: int = 400) -> Reply:
        self.refused += 1
        status = 200 if self.quirks.errors_with_200 else status
        return self._spoken(status, {"error": code, "error_description": f"{code}, says the server"})

    def _spoken(self, status: int, content: dict[str, Any]) -> Reply:
        if not self.quirks.forms:
            return _json(status, content)
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return Reply(status, [kind], urlencode(content).encode())

    def _revoke(self, seen: Seen) -> Reply:
        given = dict(parse_qsl(seen.body.decode()))
        for grant in self.grants:
            grant.dead = grant.dead or grant.refresh == given["token"]
        self.tokens = {k: v for k, v in self.tokens.items() if k != given["token"] and not v.dead}
        return Reply(200)

    # ---- the API ------------------------------------------------------------------------------------------------
    def _api(self, seen: Seen) -> Reply | None:
        token = (seen.header("authorization") or "").removeprefix("Bearer ")
        self.api_log.append(token)
        grant = self.tokens.get(token)
        if grant is None:
            challenge = self.quirks.challenge.format(url=self.url)
            return Reply(401, [("WWW-Authenticate", challenge)] if challenge else [])
        missing = self.wanted_scope.split()
        if set(missing) - set(grant.scope.split()):
            words = f'Bearer error="insufficient_scope", scope="{self.wanted_scope}"'
            return Reply(403, [("WWW-Authenticate", words)])
        if self.behind is not None:
            return self.behind(seen)
        return _json(200, {"account": grant.account, "scope": grant.scope})


def _json(status: int, content: dict[str, Any]) -> Reply:
    return Reply(status, [JSON], json.dumps(content).encode())


def _redirect(place: str, parameters: dict[str, str]) -> Reply:
    return Reply(302, [("Location", f"{place}{'&' if '?' in place else '?'}{urlencode(parameters)}")])


@asynccontextmanager
async def auth_server(quirks: Quirks | None = None) -> AsyncIterator[AuthServer]:
    async with echo_server() as echo:
        server = AuthServer(echo, quirks or Quirks())
        echo.answer = server.answer
        yield server


@contextmanager
def auth_thread(quirks: Quirks | None = None) -> Iterator[AuthServer]:
    """The same in a thread, for tests that wait for processes."""
    with echo_thread() as echo:
        server = AuthServer(echo, quirks or Quirks())
        echo.answer = server.answer
        yield server
