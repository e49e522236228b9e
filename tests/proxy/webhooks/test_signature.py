from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from proxy.webhooks.signature import WrongSecret, check_secret, headers_of, keys_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What the documentation tells receivers to do (docs/execute.md)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(good, one) for one in headers["webhook-signature"].split())


def test_the_signature_is_that_of_other_implementations() -> None:
    """The sample of the libraries of standard-webhooks/standard-webhooks."""
    headers = headers_of(keys_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert headers == [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]


def test_while_a_secret_is_replaced_both_sign() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    headers = dict(headers_of(keys_of(f"{SECRET} {other}\n"), "msg_1", 1, BODY))
    assert verified(SECRET, headers, BODY)
    assert verified(other, headers, BODY)
    assert not verified(other, headers, BODY + b" ")
    assert not verified("whsec_" + base64.b64encode(b"y" * 32).decode(), headers, BODY)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_short",
        "whsec_not base64 at all!",
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        f"{SECRET} and-another-one",
    ],
)
def test_other_secrets_are_refused_without_repeating_them(secret: str) -> None:
    with pytest.raises(WrongSecret) as caught:
        check_secret(secret)
    assert "openssl rand" in str(caught.value)
    assert not secret or secret not in str(caught.value)
