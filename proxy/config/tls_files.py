"""Whether a certificate and a key can serve TLS, and the context that does.

The certificate file holds the server's own certificate first, then those that lead from it to an authority. The key has
no password: nobody could type it when the server starts at night.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from integrations.held_files import pem_file

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TlsPart = Literal["cert", "key", "client_ca", "ca"]
REMEDY: Final = "the key that this certificate was issued for, in PEM, without a password"
_BEGIN_CERTIFICATE: Final = "a file with a block that begins with -----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class TlsProblem:
    """`why` is half a sentence about the file of `part`. A `mild` one keeps nobody from serving."""

    part: TlsPart
    why: str
    help: str
    mild: bool = False


@dataclass(frozen=True, slots=True)
class TlsPair:
    """The contents of the files of `server.tls`, or of the client certificate of `state.tls`."""

    cert: bytes
    key: bytes
    client_ca: bytes | None = None


def problems_of_files(content: Mapping[str, bytes], now: datetime) -> Iterator[TlsProblem]:
    """What is wrong with the files of `server.tls` or `state.tls`, by their keys."""
    if "ca" in content:
        yield from _authorities_problem("ca", content["ca"])
    if "cert" in content:
        yield from tls_problems(TlsPair(content["cert"], content["key"], content.get("client_ca")), now)


def tls_problems(pair: TlsPair, now: datetime) -> Iterator[TlsProblem]:
    """What is wrong, worst first; nothing of a key is in any text."""
    found = list(_flaws(pair))
    yield from found
    if not found:
        try:
            tls_context(pair)
        except (ssl.SSLError, OSError) as error:
            # Such as a key or a signature that OpenSSL takes for too weak.
            yield TlsProblem("cert", f"cannot be used: {getattr(error, 'reason', None) or error}", REMEDY)
        yield from _times(certificates(pair.cert)[0], now)


def tls_context(pair: TlsPair) -> ssl.SSLContext:
    """What a listener needs. HTTP/1.1 is the only protocol that is offered (ALPN, RFC 7301), TLS 1.2 the oldest. Raises
    `ssl.SSLError`, `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with pem_file(pair.cert) as cert, pem_file(pair.key) as key:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(cert, key, password="")
    if pair.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=pair.client_ca.decode("ascii", "replace"))
    return context


def _flaws(pair: TlsPair) -> Iterator[TlsProblem]:
    chain = certificates(pair.cert)
    if chain:
        yield from _key_problem(pair.key, chain)
    else:
        yield TlsProblem("cert", "holds no certificate in PEM", _BEGIN_CERTIFICATE)
    if pair.client_ca is not None:
        yield from _authorities_problem("client_ca", pair.client_ca)


def _authorities_problem(part: TlsPart, content: bytes) -> Iterator[TlsProblem]:
    if not certificates(content):
        yield TlsProblem(part, "holds no certificate in PEM", _BEGIN_CERTIFICATE)


def certificates(content: bytes) -> list[Certificate]:
    """The certificates of a PEM file, in their order; none when one of them cannot be read."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(content)
    except ValueError:
        return []


def expires_at(content: bytes) -> float | None:
    """When the first certificate ends, in seconds since 1970."""
    chain = certificates(content)
    return chain[0].not_valid_after_utc.timestamp() if chain else None


def _key_problem(content: bytes, chain: list[Certificate]) -> Iterator[TlsProblem]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        public = _public(load_pem_private_key(content, None))
    except TypeError:
        help = "take the password off: `openssl pkey -in with.key -out without.key`"
        yield TlsProblem("key", "is encrypted", help)
        return
    except Exception:  # whatever is wrong with it, its text must not get into a message
        yield TlsProblem("key", "is no private key in PEM", REMEDY)
        return
    matches = [index for index, one in enumerate(chain) if _public(one) == public]
    if not matches:
        yield TlsProblem("key", "does not belong to the certificate", REMEDY)
    elif matches[0] != 0:
        why = f"holds the certificate of the key in place {matches[0] + 1}"
        yield TlsProblem(
            "cert", why, "put the server's own certificate first, then those that lead to an authority"
        )


def _times(leaf: Certificate, now: datetime) -> Iterator[TlsProblem]:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if ends < now:
        yield TlsProblem(
            "cert", f"expired on {ends:%Y-%m-%d}", "the other side refuses it: renew it", mild=True
        )
    elif begins > now:
        help = "the other side refuses it until then: check the clock of this machine"
        yield TlsProblem("cert", f"is valid only from {begins:%Y-%m-%d}", help, mild=True)


def _public(holder: object) -> bytes:
    """The public key of a certificate or a private key, in one form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = holder.public_key()  # type: ignore[attr-defined]
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
