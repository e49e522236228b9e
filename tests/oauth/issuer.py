"""A small token issuer in a thread: metadata, a key set, introspection, and every token that one could wish for.

It signs with joserfc, or with whatever a test hands it; the log tells which documents were asked for.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from tests.e2e.threaded import served

JsonObject = dict[str, Any]
CLIENT = ("rs", "rs-secret")
METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def new_key(algorithm: str = "ES256") -> Key:
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(2048)
    if algorithm.startswith("HS"):
        return OctKey.generate_key(256)
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed25519")
    return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])


def encoded(value: Any) -> str:
    """One part of a token: JSON of a value, or these very bytes."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: JsonObject | bytes, payload: JsonObject | bytes, key: Key, algorithm: str) -> str:
    """A compact token of exactly these parts."""
    text = f"{encoded(header)}.{encoded(payload)}"
    signature = jws.JWSRegistry.algorithms[algorithm].sign(text.encode(), key)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@dataclass
class Issuer:
    """`keys` are (algorithm, key) by kid. `down`: every answer is a 503. `active`: opaque tokens and their claims.
    `granted`: what the token endpoint answers for a code, which is good once; `forms` are what it was sent."""

    url: str = ""
    keys: dict[str, tuple[str, Key]] = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    published: JsonObject | None = None
    active: dict[str, JsonObject] = field(default_factory=dict)
    granted: dict[str, JsonObject] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    down: bool = False
    log: list[str] = field(default_factory=list)

    def rotate(self, algorithm: str = "ES256", *, keep: bool = False, kid: str | None = None) -> str:
        """A new key, instead of the others or beside them; its kid."""
        name = kid or secrets.token_hex(4)
        self.keys = {**(self.keys if keep else {}), name: (algorithm, new_key(algorithm))}
        return name

    def key_set(self) -> JsonObject:
        if self.published is not None:
            return self.published
        keys = [
            {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}
            for kid, (algorithm, key) in self.keys.items()
            if not isinstance(key, OctKey)
        ]
        return {"keys": keys}

    def claims(self, audience: Any, **changes: Any) -> JsonObject:
        """Those of a good token for alice. None takes a claim away."""
        now = int(time.time())
        good = {"iss": self.url, "sub": "alice", "aud": audience, "iat": now, "exp": now + 300}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(
        self, audience: Any, *, kid: str | None = None, header: JsonObject | None = None, **changes: Any
    ) -> str:
        name = kid or next(reversed(self.keys))
        algorithm, key = self.keys[name]
        own = {"alg": algorithm, "kid": name, "typ": "at+jwt", **(header or {})}
        own = {field: value for field, value in own.items() if value is not None}
        return signed(own, self.claims(audience, **changes), key, algorithm)

    def opaque(self, audience: Any, **changes: Any) -> str:
        token = secrets.token_urlsafe(24)
        self.active[token] = {"active": True, **self.claims(audience, **changes)}
        return token

    def asked(self, path: str) -> int:
        return self.log.count(path)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, JsonObject]:
        self.log.append(path)
        if self.down:
            return 503, {"error": "down"}
        if path in METADATA:
            own = {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "introspection_endpoint": f"{self.url}/introspect",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
            return 200, {**own, **self.metadata}
        if path == "/jwks":
            return 200, self.key_set()
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.forms.append(form)
            found = self.granted.pop(form.get("code", ""), None)
            return (400, {"error": "invalid_grant"}) if found is None else (200, found)
        if path == "/introspect":
            return self._introspect(headers, body)
        return 404, {"error": "not_found"}

    def _introspect(self, headers: Mapping[str, str], body: bytes) -> tuple[int, JsonObject]:
        expected = base64.b64encode(":".join(CLIENT).encode()).decode()
        if headers.get("authorization") != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        token = parse_qs(body.decode())["token"][0]
        return 200, self.active.get(token, {"active": False})


@contextmanager
def issuing(algorithm: str = "ES256") -> Iterator[Issuer]:
    """An issuer with one key, on a free port of 127.0.0.1."""
    issuer = Issuer()
    issuer.rotate(algorithm)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, found = issuer.answer(self.path, headers, body)
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with served(Handler) as url:
        issuer.url = url
        yield issuer
