"""What can be wrong with a certificate and its key."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from proxy.config.tls_files import TlsPair, certificates, expires_at, tls_context, tls_problems
from tests.integrations.tls import Authority, Issued

NOW = datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue("localhost")


def pair(issued: Issued, **other: bytes) -> TlsPair:
    return TlsPair(**{"cert": issued.cert.read_bytes(), "key": issued.key.read_bytes(), **other})


def found(pair: TlsPair, now: datetime = NOW) -> list[tuple[str, str, bool]]:
    return [(one.part, one.why, one.mild) for one in tls_problems(pair, now)]


def encrypted(issued: Issued) -> bytes:
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )


def test_a_pair_serves(authority: Authority, issued: Issued) -> None:
    made = pair(issued, client_ca=authority.bundle.read_bytes())
    assert found(made) == []
    context = tls_context(made)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(pair(issued)).verify_mode == ssl.CERT_NONE
    assert expires_at(made.cert) == certificates(made.cert)[0].not_valid_after_utc.timestamp()


def test_a_chain_serves_in_its_order_only(authority: Authority, issued: Issued) -> None:
    leaf, ca = issued.cert.read_bytes(), authority.bundle.read_bytes()
    assert found(pair(issued, cert=leaf + ca)) == []
    assert found(pair(issued, cert=ca + leaf)) == [
        ("cert", "holds the certificate of the key in place 2", False)
    ]


def test_what_is_wrong_is_said_of_the_right_file(authority: Authority, issued: Issued) -> None:
    other = authority.issue("other").key.read_bytes()
    assert found(pair(issued, key=other)) == [("key", "does not belong to the certificate", False)]
    assert found(pair(issued, key=encrypted(issued))) == [("key", "is encrypted", False)]
    assert found(pair(issued, key=issued.cert.read_bytes())) == [("key", "is no private key in PEM", False)]
    assert found(pair(issued, cert=b"x")) == [("cert", "holds no certificate in PEM", False)]
    assert found(pair(issued, client_ca=b"x")) == [("client_ca", "holds no certificate in PEM", False)]


@pytest.mark.parametrize("cut", [10, 200, -30])
def test_half_a_file_is_none(issued: Issued, cut: int) -> None:
    assert found(pair(issued, cert=issued.cert.read_bytes()[:cut]))[0][0] == "cert"
    assert found(pair(issued, key=issued.key.read_bytes()[:cut]))[0][0] == "key"


def test_no_text_of_a_key_gets_into_a_message(issued: Issued) -> None:
    wrong = pair(issued, key=issued.key.read_bytes().replace(b"BEGIN PRIVATE", b"BEGIN PUBLIC"))
    said = " ".join(f"{one.why} {one.help}" for one in tls_problems(wrong, NOW))
    assert issued.key.read_text().splitlines()[1][:12] not in said


def test_times_are_mild(issued: Issued) -> None:
    late, early = NOW + timedelta(days=3), NOW - timedelta(days=60)
    (after,) = tls_problems(pair(issued), late)
    (before,) = tls_problems(pair(issued), early)
    assert after.mild
    assert before.mild
    assert after.why.startswith("expired on ")
    assert before.why.startswith("is valid only from ")


@pytest.mark.parametrize("kind", ["rsa", "ec", "sec1"])
def test_keys_of_every_form(kind: str, tmp_path: Path, authority: Authority) -> None:
    """RSA, an EC key in PKCS8, and one as `openssl ecparam -genkey` writes it."""
    issued = authority.issue("localhost")
    if kind == "rsa":
        assert found(pair(issued, key=_pem(rsa.generate_private_key(65537, 2048)))) == [
            ("key", "does not belong to the certificate", False)
        ]
        return
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert found(pair(issued, key=_pem(key, traditional=kind == "sec1"))) == []


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, traditional: bool = False) -> bytes:
    form = (
        serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    )
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
