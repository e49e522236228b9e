"""Tokens that an attacker would try, and odd ones that real issuers make. Each is made for one issuer and audience."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey, RSAKey

from tests.oauth.issuer import Issuer, JsonObject, encoded, new_key, signed

Make = Callable[[Issuer, str], str]
OTHER_KEY = new_key("ES256")
OTHER_RSA = RSAKey.generate_key(2048)


def kid_of(issuer: Issuer, algorithm: str = "ES256") -> str:
    return next(kid for kid, (known, _) in issuer.keys.items() if known == algorithm)


def _claims(**changes: Any) -> Make:
    """A token whose claims differ from a good one's."""
    return lambda issuer, audience: issuer.token(audience, kid=kid_of(issuer), scope="executor", **changes)


def _header(algorithm: str = "ES256", **changes: Any) -> Make:
    """A well signed token whose header differs."""
    return lambda issuer, audience: issuer.token(
        audience, kid=kid_of(issuer, algorithm), header=changes, scope="executor"
    )


def _audience(value: Any) -> Make:
    return lambda issuer, _: issuer.token(value, kid=kid_of(issuer), scope="executor")


def _good(issuer: Issuer, audience: str) -> str:
    return issuer.token(audience, kid=kid_of(issuer), scope="executor")


def _changed(change: Callable[[str], str]) -> Make:
    """The text of a good token, changed."""
    return lambda issuer, audience: change(_good(issuer, audience))


def _parts(header: Any = None, payload: Any = None, algorithm: str = "ES256") -> Make:
    """Well signed, of exactly these parts (bytes, values, or made from the good one)."""

    def make(issuer: Issuer, audience: str) -> str:
        kid = kid_of(issuer, algorithm)
        good_header: JsonObject = {"alg": algorithm, "kid": kid}
        good_claims = issuer.claims(audience, scope="executor")
        shown: Any = header(good_header) if callable(header) else header or good_header
        told: Any = payload(good_claims) if callable(payload) else payload or good_claims
        return signed(shown, told, issuer.keys[kid][1], algorithm)

    return make


def _text(change: Callable[[str], str]) -> Callable[[JsonObject], bytes]:
    """The JSON text of a part, changed by hand."""
    return lambda part: change(json.dumps(part)).encode("utf-8", "surrogatepass")


def _unsigned(algorithm: Any, signature: str = "") -> Make:
    def make(issuer: Issuer, audience: str) -> str:
        return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(issuer.claims(audience))}.{signature}"

    return make


def _confused(issuer: Issuer, audience: str, secret: bytes, algorithm: str = "HS256") -> str:
    """Signed with what everybody knows as if it were a shared secret."""
    head = f"{encoded({'alg': algorithm, 'kid': kid_of(issuer, 'RS256')})}.{encoded(issuer.claims(audience))}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{head}.{encoded(hmac.new(secret, head.encode(), digest).digest())}"


def _public(issuer: Issuer, form: str) -> bytes:
    key = issuer.keys[kid_of(issuer, "RS256")][1]
    if form == "pem":
        return key.as_pem(private=False)  # type: ignore[union-attr]
    if form == "der":
        return key.as_der(private=False)  # type: ignore[union-attr]
    return json.dumps(key.as_dict(private=False)).encode()


def _forged(algorithm: str, key: Any, **header: Any) -> Make:
    """Signed by somebody else, who names the issuer's key or brings one along."""

    def make(issuer: Issuer, audience: str) -> str:
        own = {"alg": algorithm, "kid": kid_of(issuer, algorithm), **header}
        return signed(own, issuer.claims(audience), key, algorithm)

    return make


def _without_kid(algorithm: str) -> Make:
    return _header(algorithm, kid=None)


def _nested(issuer: Issuer, audience: str) -> str:
    inner = _good(issuer, audience)
    kid = kid_of(issuer)
    return signed({"alg": "ES256", "kid": kid, "cty": "JWT"}, inner.encode(), issuer.keys[kid][1], "ES256")


def _jwk(key: Any) -> JsonObject:
    found: JsonObject = key.as_dict(private=False)
    return found


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


LATER = time.time() + 86_400

# Never let in: exactly 401.
HOSTILE: Mapping[str, Make] = {
    # no signature, or another one
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg NONE": _unsigned("NONE"),
    "alg none with a signature": _unsigned("none", "AAAA"),
    "alg empty": _unsigned("", "AAAA"),
    "alg null": _unsigned(None, "AAAA"),
    "alg a number": _unsigned(256, "AAAA"),
    "alg a list": _unsigned(["ES256"], "AAAA"),
    "alg an object": _unsigned({"name": "ES256"}, "AAAA"),
    "alg unknown": _unsigned("XX256", "AAAA"),
    "alg ES256K": _unsigned("ES256K", "AAAA"),
    "alg of encryption": _unsigned("RSA-OAEP", "AAAA"),
    "alg dir": _unsigned("dir", "AAAA"),
    "alg missing": _parts(lambda header: {"kid": header["kid"]}),
    "no signature": _changed(lambda text: text.rpartition(".")[0] + "."),
    "no signature and no dot": _changed(lambda text: text.rpartition(".")[0]),
    "signature of zeros": _changed(lambda text: text.rpartition(".")[0] + "." + encoded(b"\0" * 64)),
    "signature cut": _changed(lambda text: text[:-8]),
    "signature longer": _changed(lambda text: text + "AAAA"),
    "signature of another token": lambda issuer, audience: (
        _good(issuer, audience).rpartition(".")[0] + "." + issuer.token("x").rpartition(".")[2]
    ),
    "signature in DER": _changed(
        lambda text: text.rpartition(".")[0] + "." + encoded(b"\x30\x06\x02\x01\x01\x02\x01\x01")
    ),
    "payload changed": _changed(
        lambda text: ".".join([text.split(".")[0], encoded({"sub": "root"}), text.split(".")[2]])
    ),
    "header changed": _changed(lambda text: ".".join([encoded({"alg": "ES256"}), *text.split(".")[1:]])),
    # confusion of algorithms
    "HS256 with the public key as PEM": lambda i, a: _confused(i, a, _public(i, "pem")),
    "HS256 with the stripped PEM": lambda i, a: _confused(i, a, _public(i, "pem").strip()),
    "HS256 with the public key as DER": lambda i, a: _confused(i, a, _public(i, "der")),
    "HS256 with the public key as JWK": lambda i, a: _confused(i, a, _public(i, "jwk")),
    "HS384 with the public key": lambda i, a: _confused(i, a, _public(i, "pem"), "HS384"),
    "HS512 with the public key": lambda i, a: _confused(i, a, _public(i, "pem"), "HS512"),
    "HS256 with an empty secret": lambda i, a: _confused(i, a, b""),
    "HS256 with a zero": lambda i, a: _confused(i, a, b"\0"),
    "ES256 that says RS256": _parts(lambda header: {**header, "alg": "RS256"}),
    "ES256 that says PS256": _parts(lambda header: {**header, "alg": "PS256"}),
    "ES256 that says ES384": _parts(lambda header: {**header, "alg": "ES384"}),
    "ES256 that says EdDSA": _parts(lambda header: {**header, "alg": "EdDSA"}),
    "RS256 that says ES256": _parts(lambda header: {**header, "alg": "ES256"}, algorithm="RS256"),
    "RS256 that says PS256": _parts(lambda header: {**header, "alg": "PS256"}, algorithm="RS256"),
    "RS256 with the kid of the ES256 key": lambda i, a: signed(
        {"alg": "RS256", "kid": kid_of(i)}, i.claims(a), i.keys[kid_of(i, "RS256")][1], "RS256"
    ),
    # keys of the attacker
    "another key": _forged("ES256", OTHER_KEY),
    "another RSA key": _forged("RS256", OTHER_RSA),
    "embedded jwk": _forged("ES256", OTHER_KEY, jwk=_jwk(OTHER_KEY)),
    "embedded jwk without kid": _forged("ES256", OTHER_KEY, jwk=_jwk(OTHER_KEY), kid=""),
    "embedded private jwk": _forged("ES256", OTHER_KEY, jwk=OTHER_KEY.as_dict(private=True)),
    "jku": _forged("ES256", OTHER_KEY, jku="http://127.0.0.1:1/jwks"),
    "jku a number": _forged("ES256", OTHER_KEY, jku=5),
    "x5u": _forged("RS256", OTHER_RSA, x5u="http://127.0.0.1:1/cert"),
    "x5c": _forged("RS256", OTHER_RSA, x5c=["AAAA"]),
    "x5c that is no list": _forged("RS256", OTHER_RSA, x5c={"a": 1}),
    "unknown kid": _forged("ES256", OTHER_KEY, kid="nobody"),
    "unknown kid, good signature": _header(kid="nobody"),
    "kid a path": _forged("ES256", OTHER_KEY, kid="../../../../dev/null"),
    "kid a statement": _forged("ES256", OTHER_KEY, kid="' or 1=1 --"),
    "kid empty": _header(kid=""),
    "kid a number": _header(kid=5),
    "kid a list": _header(kid=["a"]),
    "kid null": _parts(lambda header: {**header, "kid": None}),
    "kid of 3,000 characters": _header(kid="k" * 3000),
    "no kid, another key": _forged("ES256", OTHER_KEY, kid=None),
    # extensions
    "crit": _header(crit=["exp"]),
    "crit b64": _header(crit=["b64"], b64=False),
    "b64 false": _header(b64=False),
    "crit empty": _header(crit=[]),
    "crit a text": _header(crit="exp"),
    "crit unknown": _header(crit=["x-strange"], strange=1),
    # other kinds of token
    "typ id_token": _header(typ="id_token"),
    "typ id_token+jwt": _header(typ="id_token+jwt"),
    "typ logout+jwt": _header(typ="logout+jwt"),
    "typ application/logout+jwt": _header(typ="application/logout+jwt"),
    "typ dpop+jwt": _header(typ="dpop+jwt"),
    "typ DPOP+JWT": _header(typ="DPoP+JWT"),
    "typ secevent+jwt": _header(typ="secevent+jwt"),
    "typ of a key of ours": _header(typ="executor-key+jwt"),
    "typ of an anonymous token of ours": _header(typ="executor-anonymous+jwt"),
    "typ a number": _header(typ=5),
    "typ a list": _header(typ=["JWT"]),
    "claim typ ID": _claims(typ="ID"),
    "claim typ Refresh": _claims(typ="Refresh"),
    "bound by DPoP": _claims(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "bound to a certificate": _claims(cnf={"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
    # audience and issuer
    "audience missing": _audience(None),
    "audience empty": _audience(""),
    "audience an empty list": _audience([]),
    "audience another server": _audience("https://other.example.com/mcp"),
    "audience a prefix": _audience("https://executor.example.co"),
    "audience longer": _audience("https://executor.example.com/mcp/more"),
    "audience another path": _audience("https://executor.example.com/v1/mcp"),
    "audience another workspace": _audience("https://executor.example.com/mcp?workspaceId=other"),
    "audience in capitals": _audience("HTTPS://EXECUTOR.EXAMPLE.COM/mcp"),
    "audience authenticated": _audience("authenticated"),
    "audience a number": _audience(5),
    "audience true": _audience(True),
    "audience an object": _audience({"https://executor.example.com/mcp": True}),
    "audience a list of lists": _audience([["https://executor.example.com/mcp"]]),
    "audience a list with a number": _audience(["https://executor.example.com/mcp", 5]),
    "audience a star": _audience("*"),
    "issuer missing": _claims(iss=None),
    "issuer another": _claims(iss="https://evil.example.com"),
    "issuer longer": lambda i, a: i.token(a, kid=kid_of(i), iss=f"{i.url}/evil"),
    "issuer a prefix": lambda i, a: i.token(a, kid=kid_of(i), iss=i.url[:-1]),
    "issuer with user information": lambda i, a: i.token(a, kid=kid_of(i), iss=i.url.replace("//", "//x@")),
    "issuer a list": lambda i, a: i.token(a, kid=kid_of(i), iss=[i.url]),
    "issuer a number": _claims(iss=5),
    # times
    "expired": _claims(exp=int(time.time()) - 1),
    "expired long ago": _claims(exp=1),
    "exp missing": _claims(exp=None),
    "exp a text": _claims(exp=str(int(LATER))),
    "exp true": _claims(exp=True),
    "exp a list": _claims(exp=[LATER]),
    "exp negative": _claims(exp=-1),
    "exp beyond every date": _claims(exp=10**30),
    "exp NaN": _claims(exp=float("nan")),
    "exp Infinity": _claims(exp=float("inf")),
    "exp 1e400": _parts(payload=_text(lambda text: text.replace('"exp": ', '"exp": 1e400, "old": '))),
    "nbf in the future": _claims(nbf=int(LATER)),
    "nbf a text": _claims(nbf="now"),
    "nbf NaN": _claims(nbf=float("nan")),
    "iat in the future": _claims(iat=int(LATER)),
    "iat a text": _claims(iat="now"),
    # subject
    "sub missing": _claims(sub=None),
    "sub empty": _claims(sub=""),
    "sub a number": _claims(sub=5),
    "sub a list": _claims(sub=["alice"]),
    "sub with a line break": _claims(sub="alice\nroot"),
    "sub with a zero": _claims(sub="alice\x00"),
    "sub of 600 characters": _claims(sub="a" * 600),
    # JSON that readers understand differently
    "sub twice": _parts(payload=_text(lambda text: text[:-1] + ', "sub": "root"}')),
    "exp twice": _parts(payload=_text(lambda text: text[:-1] + f', "exp": {int(LATER)}}}')),
    "alg twice": _parts(_text(lambda text: text[:-1] + ', "alg": "none"}')),
    "a member twice, deep inside": _parts(payload=_text(lambda text: text[:-1] + ', "a": {"b": 1, "b": 2}}')),
    "half a surrogate pair": _parts(payload=_text(lambda text: text.replace("alice", "ali\\ud800ce"))),
    "half a surrogate pair as a name": _parts(payload=_text(lambda text: text[:-1] + ', "\\udfff": 1}')),
    "NaN anywhere": _parts(payload=_text(lambda text: text[:-1] + ', "x": NaN}')),
    "-Infinity anywhere": _parts(payload=_text(lambda text: text[:-1] + ', "x": [-Infinity]}')),
    "NaN in the header": _parts(_text(lambda text: text[:-1] + ', "x": NaN}')),
    "nested 200 deep": _parts(payload=_text(lambda text: text[:-1] + f', "x": {deep(200)}}}')),
    "nested 5,000 deep": _parts(payload=_text(lambda text: text[:-1] + f', "x": {deep(5000)}}}')),
    "header nested 1,000 deep": _parts(_text(lambda text: text[:-1] + f', "x": {deep(1000)}}}')),
    "a number of 5,000 digits": _parts(payload=_text(lambda text: text[:-1] + f', "x": {"9" * 5000}}}')),
    "payload not UTF-8": _parts(payload=b'{"sub": "\xff\xfe"}'),
    "payload UTF-16": _parts(payload=lambda claims: json.dumps(claims).encode("utf-16")),
    "payload with a byte order mark": _parts(
        payload=lambda claims: b"\xef\xbb\xbf" + json.dumps(claims).encode()
    ),
    "payload a list": _parts(payload=b"[1]"),
    "payload a text": _parts(payload=b'"alice"'),
    "payload null": _parts(payload=b"null"),
    "payload empty": _changed(lambda text: ".".join([text.split(".")[0], "", text.split(".")[2]])),
    "payload two objects": _parts(payload=_text(lambda text: text + text)),
    "payload cut": _parts(payload=_text(lambda text: text[:-1])),
    "payload with a comment": _parts(payload=_text(lambda text: text[:-1] + "/* */}")),
    "payload in single quotes": _parts(payload=_text(lambda text: text.replace('"', "'"))),
    "header a list": _parts(b'["ES256"]'),
    "header null": _parts(b"null"),
    "header not JSON": _parts(b"eyJ"),
    "header of 5,000 bytes": _header(x="y" * 5000),
    # not even a token
    "nested token": _nested,
    "four parts": _changed(lambda text: text + ".AAAA"),
    "five parts": _changed(lambda text: f"{text.split('.')[0]}.a.b.c.d"),
    "JSON serialization": lambda i, a: json.dumps(
        {"payload": encoded(i.claims(a)), "signatures": []}
    ).replace(" ", ""),
    "padding": _changed(lambda text: text.split(".")[0] + "==." + ".".join(text.split(".")[1:])),
    "standard base64": _changed(lambda text: text.replace("-", "+").replace("_", "/") + "+/"),
    "a percent sign": _changed(lambda text: text.replace(".", "%2E")),
    "a space inside": _changed(lambda text: text.replace(".", " .", 1)),
    "a tab inside": _changed(lambda text: text.replace(".", "\t.", 1)),
    "three dots": lambda i, a: "...",
    "two dots": lambda i, a: "ey..",
    "ey123456": lambda i, a: "ey123456",
    "ey.ey.ey": lambda i, a: "ey.ey.ey",
    "60 KB of letters": lambda i, a: "ey" + "a" * 12_000 + "." + "b" * 20_000 + "." + "c" * 28_000,
    "a great many dots": lambda i, a: "ey" + "." * 10_000,
    "a payload of 14 KB": _claims(x="y" * 14_000),
    "base64 of zeros": lambda i, a: f"{base64.urlsafe_b64encode(bytes(30)).decode()}.AAAA.AAAA",
}


def _signature(change: Callable[[bytes], bytes]) -> Make:
    """A good ES256 token whose signature (r and s, 32 bytes each) is changed."""

    def changed(text: str) -> str:
        head, _, last = text.rpartition(".")
        return f"{head}.{encoded(change(base64.urlsafe_b64decode(last + '==')))}"

    return _changed(changed)


_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_N = _ORDER.to_bytes(32, "big")


def _as_der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def _other_s(raw: bytes) -> bytes:
    return raw[:32] + (_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")


HOSTILE = {
    **HOSTILE,
    "signature good, in DER": _signature(_as_der),
    "r of zero": _signature(lambda raw: bytes(32) + raw[32:]),
    "s of zero": _signature(lambda raw: raw[:32] + bytes(32)),
    "r and s the order": _signature(lambda raw: _N + _N),
    "signature of one byte": _signature(lambda raw: b"\1"),
    "signature of 10,000 bytes": _signature(lambda raw: b"\xff" * 10_000),
    "EdDSA identity point": lambda i, a: (
        f"{encoded({'alg': 'EdDSA', 'kid': kid_of(i, 'EdDSA')})}.{encoded(i.claims(a))}."
        + encoded(b"\1" + bytes(63))
    ),
    "alg with a space": _parts(lambda header: {**header, "alg": "ES256 "}),
    "alg in small letters": _parts(lambda header: {**header, "alg": "es256"}),
    "alg with a zero": _parts(lambda header: {**header, "alg": "ES256\0"}),
    "alg __class__": _parts(lambda header: {**header, "alg": "__class__"}),
    "alg half a surrogate pair": _parts(_text(lambda text: text.replace('"ES256"', '"\\ud800"'))),
    "alg twice, once escaped": _parts(_text(lambda text: text[:-1] + ', "\\u0061lg": "none"}')),
    "sub twice, once escaped": _parts(payload=_text(lambda text: text[:-1] + ', "s\\u0075b": "root"}')),
    "kid __proto__": _header(kid="__proto__"),
    "kid a zero": _header(kid="\0"),
    "kid of a key of another family": lambda i, a: signed(
        {"alg": "ES256", "kid": kid_of(i, "RS256")}, i.claims(a), i.keys[kid_of(i)][1], "ES256"
    ),
    "compressed": lambda i, a: signed(
        {"alg": "ES256", "kid": kid_of(i), "zip": "DEF"},
        zlib.compress(json.dumps(i.claims(a)).encode()),
        i.keys[kid_of(i)][1],
        "ES256",
    ),
    "encrypted": lambda i, a: encoded({"alg": "dir", "enc": "A256GCM"}) + "..AAAAAAAAAAAAAAAA.AAAA.AAAA",
    "typ with a parameter": _header(typ="JWT; charset=utf-8"),
    "typ JOSE": _header(typ="JOSE"),
    "typ kb+jwt": _header(typ="kb+jwt"),
    "typ token-introspection+jwt": _header(typ="token-introspection+jwt"),
    "typ of a key of ours in capitals": _header(typ="EXECUTOR-KEY+JWT"),
    "exp 2**53": _claims(exp=2**53),
    "exp minus zero": _claims(exp=-0.0),
    "exp null": _parts(payload=_text(lambda text: text.replace('"exp": ', '"exp": null, "old": '))),
    "nbf negative": _claims(nbf=-5),
    "iat true": _claims(iat=True),
    "bound to nothing": _claims(cnf={}),
    "bound to a text": _claims(cnf="x"),
    "sub written from right to left": _claims(sub="ali\u202ece"),
    "sub with a line separator": _claims(sub="a\u2028b"),
    "sub with a space of no width": _claims(sub="a\u200bb"),
    "issuer an object": _claims(iss={}),
    "issuer with a fragment": lambda i, a: i.token(a, kid=kid_of(i), iss=f"{i.url}#x"),
    "issuer with two slashes": lambda i, a: i.token(a, kid=kid_of(i), iss=f"{i.url}//"),
    "audience with a zero": lambda i, a: i.token(f"{a}\0", kid=kid_of(i)),
    "audience with a space": lambda i, a: i.token(f"{a} ", kid=kid_of(i)),
    "audience with a fragment": lambda i, a: i.token(f"{a}#x", kid=kid_of(i)),
    "audience with the port": lambda i, a: i.token(a.replace(".com", ".com:443"), kid=kid_of(i)),
    "a comma at the end": _parts(payload=_text(lambda text: text[:-1] + ",}")),
    "a number with a zero in front": _parts(payload=_text(lambda text: text[:-1] + ', "x": 01}')),
    "a control character": _parts(payload=_text(lambda text: text.replace("alice", "al\x01ice"))),
    "header of spaces": _parts(b"   "),
    "payload of spaces": _parts(payload=b"   "),
    "header like a payload": _changed(lambda text: ".".join([text.split(".")[1]] * 2 + [text.split(".")[2]])),
    "disclosures (SD-JWT)": _changed(lambda text: text + "~WyJhIiwiYiIsMV0~"),
    "twice, with a comma": _changed(lambda text: f"{text},{text}"),
    "Bearer twice": _changed(lambda text: f"Bearer {text}"),
    "in quotes": _changed(lambda text: f'"{text}"'),
    "like a key by hash": lambda i, a: "exk_" + "A" * 43,
}

# Odd, and good.
ODD: Mapping[str, Make] = {
    "as it should be": _good,
    "typ JWT": _header(typ="JWT"),
    "typ application/at+jwt": _header(typ="application/at+jwt"),
    "typ AT+JWT": _header(typ="AT+JWT"),
    "typ of Okta": _header(typ="application/okta-internal-at+jwt"),
    "typ missing": _header(typ=None),
    "RS256": _header("RS256"),
    "EdDSA": _header("EdDSA"),
    "no kid": _without_kid("RS256"),
    "no kid, EdDSA": _without_kid("EdDSA"),
    "x5t and x5c beside a known key": _header(x5t="abc", x5c=["MIIB"]),
    "nonce in the header (Entra)": _header(nonce="abc"),
    "private headers": _header(tenant={"a": [1, 2]}),
    "jku that nobody follows": _header(jku="http://127.0.0.1:1/jwks"),
    "audience in a list": lambda i, a: i.token(
        ["https://other.example.com", a], kid=kid_of(i), scope="executor"
    ),
    "audience the server": _audience("https://executor.example.com"),
    "audience the server with a slash": _audience("https://executor.example.com/"),
    "issuer with a slash": lambda i, a: i.token(a, kid=kid_of(i), scope="executor", iss=f"{i.url}/"),
    "exp a fraction": _claims(exp=time.time() + 3600.5),
    "nbf now": _claims(nbf=int(time.time()) + 5),
    "scope as scp list": lambda i, a: i.token(a, kid=kid_of(i), scp=["executor", "x"]),
    "scope as scp text": lambda i, a: i.token(a, kid=kid_of(i), scp="x executor"),
    "scope a number beside scp": lambda i, a: i.token(a, kid=kid_of(i), scope=5, scp=["executor"]),
    "groups a number": _claims(groups=5),
    "groups a list with objects": _claims(groups=[{"a": 1}, "dev"]),
    "claims of other worlds": _claims(address={"a": {"b": ["c", None, 1.5]}}, amr=["pwd"]),
    "a subject in Greek": _claims(sub="Ωμέγα"),
    "a subject with quotes": _claims(sub='o\'brien "x" <y>'),
    "kept space around JSON": _parts(payload=_text(lambda text: f" \n{text}\t")),
    "200 groups": _claims(groups=[f"group-{number:04}" for number in range(200)]),
    "typ Bearer in the claims (Keycloak)": _claims(typ="Bearer"),
    "ES256 with the other s": _signature(_other_s),
    "alg Ed25519 with a key that says EdDSA": lambda i, a: signed(
        {"alg": "Ed25519", "kid": kid_of(i, "EdDSA")},
        i.claims(a, scope="executor"),
        i.keys[kid_of(i, "EdDSA")][1],
        "EdDSA",
    ),
    "alg escaped": _parts(_text(lambda text: text.replace("ES256", "\\u0045S256"))),
    "exp 2**53 - 1": _claims(exp=2**53 - 1),
    "exp 1e15": _parts(payload=_text(lambda text: text.replace('"exp": ', '"exp": 1e15, "old": '))),
    "cnf null": _parts(payload=_text(lambda text: text[:-1] + ', "cnf": null}')),
    "cty JWT": _header(cty="JWT"),
    "a subject of 512 emoji": _claims(sub="\U0001f600" * 512),
    "a subject like an account": _claims(sub="key:fixed#user:root"),
    "groups that are no texts": _claims(groups={"ops": 1}),
    "groups with control characters": _claims(groups=["a\nb", "\x00"]),
    "2,000 audiences": lambda i, a: i.token([*["x"] * 2000, a], kid=kid_of(i), scope="executor"),
    "900 claims": _claims(**{f"m{number}": 1 for number in range(900)}),
    "a claim without a name": _parts(payload=_text(lambda text: text[:-1] + ', "": 1}')),
}


def issuer_keys(issuer: Issuer) -> None:
    """A key of each family, and an EC key that must never be taken for another's."""
    issuer.rotate("RS256", keep=True)
    issuer.rotate("EdDSA", keep=True)
    assert isinstance(issuer.keys[kid_of(issuer)][1], ECKey)
