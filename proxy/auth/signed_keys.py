"""Keys of our own that carry what they open: signed tokens with workspace, account and groups.

Rules:
- `typ` tells a key from an anonymous token, so that neither passes for the other. With the shared secret
  `JWT` is taken for a key too, as the original wrote it.
- A key belongs to the algorithm that it was made with: the secret never verifies ES256, nor the public key HS256.
- Anonymous tokens are signed with the key pair where there is one, and then with nothing else.
- A revoked id is out with the reload that brought it; so is everything that was remembered.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey

from proxy.auth.jwt import (
    BadToken,
    UnverifiedToken,
    check_times,
    fitting,
    is_signed_by,
    listed_audiences,
    looks_like_jwt,
    read_jwt,
    text_claim,
)
from proxy.config.callers import SigningAlgorithm
from proxy.config.signing_keys import clean_pem

KEY_TYPE: Final = "executor-key+jwt"
ANONYMOUS_TYPE: Final = "executor-anonymous+jwt"
ANONYMOUS_SECONDS: Final = 3600.0
_SHARED_SECRET_TYPES: Final = frozenset({"", "jwt", KEY_TYPE})
_MOST_REMEMBERED: Final = 4096
_REMEMBERED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class SignedCredential:
    """What a key or token says, once it is known to be ours. `expires` is in seconds since 1970."""

    kind: Literal["key", "anonymous"]
    account: str
    workspace: str
    groups: frozenset[str]
    id: str
    expires: float


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs and what verifies. `signs_keys` is the algorithm of new keys."""

    signs_keys: SigningAlgorithm
    private: ECKey | None = None
    public: tuple[Key, ...] = ()
    secret: OctKey | None = None

    @classmethod
    def load(
        cls,
        algorithm: SigningAlgorithm,
        private: str | None = None,
        public: Sequence[str] = (),
        secret: str | None = None,
    ) -> SigningKeys:
        """From PEM texts and the secret. The config has judged them before; what is wrong raises all the same."""
        own = ECKey.import_key(clean_pem(private)) if private is not None else None
        known: list[Key] = [ECKey.import_key(clean_pem(text)) for text in public]
        if own is not None:
            known.append(ECKey.import_key(own.as_dict(private=False)))
        shared = OctKey.import_key(secret.replace("\\n", "\n").strip()) if secret is not None else None
        return cls(algorithm, own, tuple(known), shared)


class SignedKeys:
    """Makes and verifies them. Immutable but for what it remembers: a reload makes a new one."""

    def __init__(
        self,
        keys: SigningKeys,
        *,
        ttl_seconds: float,
        audiences: Sequence[str],
        revoked: Sequence[str] = (),
        anonymous: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._ttl = ttl_seconds
        self._audiences = tuple(audiences)
        self._revoked = frozenset(revoked)
        self._anonymous = anonymous
        self._clock = clock
        self._known: dict[bytes, tuple[SignedCredential, float]] = {}

    @property
    def can_create(self) -> bool:
        keys = self._keys
        return (keys.secret if keys.signs_keys == "HS256" else keys.private) is not None

    @property
    def gives_anonymous_tokens(self) -> bool:
        return self._anonymous and (self._keys.private or self._keys.secret) is not None

    def create(
        self, account: str, workspace: str, groups: Sequence[str] = (), ttl_seconds: float | None = None
    ) -> tuple[str, SignedCredential]:
        """A key, and what it says. Only where `can_create`."""
        found = self._new("key", account, workspace, groups, ttl_seconds or self._ttl)
        return self._signed(found, self._keys.signs_keys, KEY_TYPE), found

    def anonymous_token(self, workspace: str) -> tuple[str, SignedCredential]:
        """A token for an account that lives as long as it. Only where `gives_anonymous_tokens`."""
        account = f"anon_{secrets.token_hex(16)}"
        found = self._new("anonymous", account, workspace, (), ANONYMOUS_SECONDS)
        algorithm = "ES256" if self._keys.private is not None else "HS256"
        return self._signed(found, algorithm, ANONYMOUS_TYPE), found

    def _new(
        self,
        kind: Literal["key", "anonymous"],
        account: str,
        workspace: str,
        groups: Sequence[str],
        seconds: float,
    ) -> SignedCredential:
        expires = float(int(self._clock() + seconds))
        return SignedCredential(
            kind, account, workspace, frozenset(groups), secrets.token_urlsafe(12), expires
        )

    def _signed(self, found: SignedCredential, algorithm: str, kind: str) -> str:
        key: Key | None = self._keys.private if algorithm == "ES256" else self._keys.secret
        assert key is not None
        header: dict[str, Any] = {"alg": algorithm, "typ": kind}
        if algorithm == "ES256":
            header["kid"] = key.thumbprint()
        claims: dict[str, Any] = {
            "sub": found.account,
            "workspaceId": found.workspace,
            "accountId": found.account,
            "aud": self._audiences[0],
            "jti": found.id,
            "iat": int(self._clock()),
            "exp": int(found.expires),
        }
        if found.groups:
            claims["groups"] = sorted(found.groups)
        return jwt.encode(header, claims, key, algorithms=[algorithm])

    def verify(self, text: str) -> SignedCredential | None:
        """Whose it is; None for what is none of ours. Raises `BadToken`."""
        if not looks_like_jwt(text):
            return None
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > self._clock():
            return known[0]
        token = read_jwt(text)
        if token.type not in (KEY_TYPE, ANONYMOUS_TYPE) and token.algorithm != "HS256":
            return None
        found = self._judged(token)
        while len(self._known) >= _MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = (found, min(found.expires, self._clock() + _REMEMBERED_SECONDS))
        return found

    def _judged(self, token: UnverifiedToken) -> SignedCredential:
        self._check_signature(token)
        claims = token.claims
        expires = check_times(claims, self._clock())
        if listed_audiences(claims).isdisjoint(self._audiences):
            raise BadToken("This key is for another server", genuine=True)
        workspace = text_claim(claims, "workspaceId")
        account = text_claim(claims, "accountId") or text_claim(claims, "sub")
        if workspace is None or account is None:
            raise BadToken("This key names no workspace or no account", genuine=True)
        kind: Literal["key", "anonymous"] = "anonymous" if token.type == ANONYMOUS_TYPE else "key"
        if kind == "anonymous" and not (self._anonymous and account.startswith("anon_")):
            raise BadToken("Anonymous tokens are not accepted here", genuine=True)
        found = SignedCredential(
            kind, account, workspace, _groups(claims), text_claim(claims, "jti") or "", expires
        )
        if not self.is_current(found.id, found.expires):
            raise BadToken("This key has been revoked", genuine=True)
        return found

    def _check_signature(self, token: UnverifiedToken) -> None:
        keys: tuple[Key, ...] = ()
        anonymous = token.type == ANONYMOUS_TYPE and self._keys.private is None
        if token.algorithm == "HS256" and (token.type in _SHARED_SECRET_TYPES or anonymous):
            keys = (self._keys.secret,) if self._keys.secret is not None else ()
        elif token.algorithm == "ES256":
            keys = fitting(self._keys.public, "ES256")
        if not is_signed_by(token, keys):
            raise BadToken("This key is not signed by this server")

    def is_current(self, id: str, expires: float) -> bool:
        """Whether a credential of before would still be let in."""
        return id not in self._revoked and expires > self._clock()


def _groups(claims: Mapping[str, Any]) -> frozenset[str]:
    found = claims.get("groups")
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()
