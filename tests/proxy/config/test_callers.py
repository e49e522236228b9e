import pytest

from proxy.config.callers import ApiKey, AuthConfig, Claims
from tests.proxy.config.texts import only


def test_a_key_has_a_digest_or_a_reference() -> None:
    assert ApiKey.model_validate({"value": {"env": "K"}}).hash is None
    for key in ("{}", "{groups: [a]}"):
        assert only(f"version: 1\nauth: {{api_keys: {{keys: {{k: {key}}}}}}}\n").code == "E209"


def test_a_misspelt_source_is_the_error() -> None:
    assert only("version: 1\nauth: {api_keys: {keys: {k: {vlaue: {env: K}}}}}\n").code == "E201"


def test_nobody_is_anonymous_by_default() -> None:
    auth = AuthConfig()
    assert (auth.anonymous, auth.anonymous_tokens, auth.roles.admin) == (False, False, ())
    assert Claims().user == "sub"


@pytest.mark.parametrize(
    "signing",
    [
        "{algorithm: HS256}",
        "{algorithm: HS256, secret: {env: S}, public_key: {env: P}}",
        "{algorithm: ES256}",
        "{algorithm: ES256, secret: {env: S}}",
    ],
)
def test_signing_keys_fit_the_algorithm(signing: str) -> None:
    assert only(f"version: 1\nauth: {{api_keys: {{signing: {signing}}}}}\n").code == "E209"
