"""Signed tokens (RFC 7519), read with distrust and verified by joserfc.

Rules:
- Nothing that a token says chooses how it is verified, but its `alg` among the allowed ones and its `kid` among known
  keys: `jwk`, `jku`, `x5u` and `x5c` are never looked at, and `crit` is refused (RFC 8725, section 3).
- JSON is strict: no member twice, no NaN, no half surrogate pairs. It is as deep as any JSON may be (`MAX_DEPTH`).
- An algorithm belongs to one type of key, so that a public key is never taken for a shared secret.
- Whatever goes wrong is a `BadToken`. Its text is for the caller and repeats nothing of the token.
"""

from __future__ import annotations

import base64
import json
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

from integrations.json_text import MAX_DEPTH
from integrations.oauth.client import KeyType

LONGEST_TOKEN: Final = 16_384
"""Characters. Tokens with hundreds of groups have about half of that."""
LONGEST_HEADER: Final = 4096
LEEWAY_SECONDS: Final = 30.0
"""For `nbf` and `iat`, which the clock of the issuer writes. `exp` has none: a client renews a token in time."""

_MOST_KEYS: Final = 64
_RSA_BITS: Final = range(2048, 8193)
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_OPAQUE = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# Algorithm -> type of key and, for curves, the curve (RFC 7518 section 3.1, RFC 8037, RFC 9864).
_FITS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    **{f"{family}{bits}": ("RSA", ()) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
    "Ed25519": ("OKP", ("Ed25519",)),
    "HS256": ("oct", ()),
}


class BadToken(Exception):
    """Why a token is not accepted. `genuine`: it is signed as it should be, so nobody was guessing."""

    def __init__(self, message: str, *, genuine: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.genuine = genuine


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token says. Nothing of it is true before `is_signed_by`."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def algorithm(self) -> str:
        found = self.header.get("alg")
        return found if isinstance(found, str) else ""

    @property
    def key_id(self) -> str | None:
        found = self.header.get("kid")
        return found if isinstance(found, str) else None

    @property
    def type(self) -> str:
        """In lower case without `application/` (RFC 7515 section 4.1.9); "" when there is none."""
        found = self.header.get("typ", "")
        return found.lower().removeprefix("application/") if isinstance(found, str) else "?"


def may_be_opaque(text: str) -> bool:
    """Whether an issuer could have made it: RFC 6750 section 2.1 says of which characters."""
    return len(text) <= LONGEST_TOKEN and _OPAQUE.fullmatch(text) is not None


def looks_like_jwt(text: str) -> bool:
    """Three base64url parts, of which the first begins a JSON object."""
    return text.startswith("ey") and text.count(".") == 2


def read_jwt(text: str) -> UnverifiedToken:
    """Raises `BadToken`."""
    parts = _COMPACT.fullmatch(text) if len(text) <= LONGEST_TOKEN else None
    if parts is None or len(parts[1]) > LONGEST_HEADER:
        raise BadToken("This token is malformed")
    header, claims = _read_part(parts[1]), _read_part(parts[2])
    for name, kind in (("alg", str), ("kid", str), ("typ", str)):
        if name in header and not isinstance(header[name], kind):
            raise BadToken(f"This token has an invalid {name} header")
    if "crit" in header or "b64" in header:
        raise BadToken("This token needs an extension that is not supported here")
    return UnverifiedToken(text, header, claims)


def _read_part(part: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8")
        found = json.loads(raw, object_pairs_hook=_members, parse_constant=_no_constant)
        _check_depth(found, MAX_DEPTH)
    except (ValueError, RecursionError):
        raise BadToken("This token is malformed") from None
    if not isinstance(found, dict):
        raise BadToken("This token is malformed")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _check_depth(value: Any, levels: int) -> None:
    """Raises ValueError for what is nested too deep, and for text that is no Unicode."""
    if isinstance(value, str):
        value.encode("utf-8")
        return
    if levels == 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        for name, below in value.items():
            name.encode("utf-8")
            _check_depth(below, levels - 1)
    elif isinstance(value, list):
        for below in value:
            _check_depth(below, levels - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a number")


class _Algorithms(jws.JWSRegistry):
    """Exactly one algorithm, the one that was allowed before; unknown headers are none of our business (Entra)."""

    max_header_length = LONGEST_HEADER
    max_payload_length = LONGEST_TOKEN

    def get_alg(self, name: str) -> Any:
        # The base class warns of names that RFC 9864 replaces, which issuers use all the same.
        if self.allowed is None or name not in self.allowed:
            raise ValueError("algorithm")
        return self.algorithms[name]


_REGISTRIES: Final = {name: _Algorithms(algorithms=[name], strict_check_header=False) for name in _FITS}


def is_signed_by(token: UnverifiedToken, keys: Iterable[Key]) -> bool:
    """Whether one of the keys signed it. They fit its algorithm, as `fitting` picks them. Never raises."""
    registry = _REGISTRIES.get(token.algorithm)
    return registry is not None and any(_verifies(token.text, key, registry) for key in keys)


def _verifies(text: str, key: Key, registry: _Algorithms) -> bool:
    try:
        jws.deserialize_compact(text, key, registry=registry)
    except Exception:  # whatever a library makes of hostile input, the token is not good
        return False
    return True


def fitting(keys: Sequence[Key], algorithm: str) -> tuple[Key, ...]:
    """The keys that this algorithm may use: its type, its curve, for signatures, and not for another algorithm."""
    kind, curves = _FITS.get(algorithm, ("", ()))
    return tuple(
        key
        for key in keys
        if key.key_type == kind
        and (not curves or getattr(key, "curve_name", None) in curves)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and "verify" in (key.get("key_ops") or ("verify",))
    )


def public_keys(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys of a JWK set (RFC 7517 section 5) that can verify; others are passed over, shared secrets among them."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        return ()
    found = (_public_key(one) for one in listed[:_MOST_KEYS])
    return tuple(key for key in found if key is not None)


def _public_key(entry: Any) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in get_args(KeyType):
        return None
    # What a set wrongly publishes of a private key is not kept.
    shown = {name: value for name, value in entry.items() if name not in _PRIVATE}
    if shown.get("alg") in _NAMES_OF_EDDSA and shown.get("crv") == "Ed25519":
        del shown["alg"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # short keys are refused below
            key = JWKRegistry.import_key(shown)
            return key if _is_strong(key) else None
    except Exception:  # the same: a key that a library cannot read is none
        return None


# Two names of one algorithm on this curve (RFC 9864): a key published under one serves tokens that say the other.
_NAMES_OF_EDDSA: Final = ("EdDSA", "Ed25519")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def _is_strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.raw_value.key_size in _RSA_BITS
    if isinstance(key, ECKey | OKPKey):
        return any(key.curve_name in curves for _, curves in _FITS.values())
    return not isinstance(key, OctKey)


def check_times(claims: Mapping[str, Any], now: float) -> float:
    """When the token ends, in seconds since 1970. Raises `BadToken` when it is over, or not good yet."""
    end = _time(claims, "exp")
    if end is None:
        raise BadToken("This token does not say when it expires", genuine=True)
    if end <= now:
        raise BadToken("This token has expired", genuine=True)
    for name in ("nbf", "iat"):
        begin = _time(claims, name)
        if begin is not None and begin > now + LEEWAY_SECONDS:
            raise BadToken("This token is not valid yet", genuine=True)
    return end


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """NumericDate (RFC 7519 section 2). Raises `BadToken` for anything else."""
    if name not in claims:
        return None
    found = claims[name]
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 2**53:
        raise BadToken(f"This token has an invalid {name} claim", genuine=True)
    return float(found)


def text_claim(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim of 1 to 512 printable characters; None when it is missing or something else."""
    found = claims.get(name)
    fits = isinstance(found, str) and 0 < len(found) <= 512 and found.isprintable()
    return found if fits else None


def listed_audiences(claims: Mapping[str, Any]) -> frozenset[str]:
    """`aud` is one text or a list of texts (RFC 7519 section 4.1.3); empty for anything else."""
    found = claims.get("aud")
    if isinstance(found, str):
        return frozenset((found,)) if found else frozenset()
    if isinstance(found, list) and all(isinstance(one, str) for one in found):
        return frozenset(filter(None, found))
    return frozenset()
