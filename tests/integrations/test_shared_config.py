import pytest
from pydantic import ValidationError

from integrations.shared_config import ClientCert, Health, HttpIntegration, PatchOperation


def test_patches_are_spelled_as_rfc_6902_does() -> None:
    operation = {"op": "move", "from": "/a", "path": "/b"}
    assert PatchOperation.model_validate(operation).as_json() == operation
    null = {"op": "replace", "path": "", "value": None}
    assert PatchOperation.model_validate(null).as_json() == null


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a"},
        {"op": "copy", "path": "/a"},
        {"op": "remove", "path": "a"},
        {"op": "delete", "path": "/a"},
    ],
)
def test_other_patches(operation: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PatchOperation.model_validate(operation)


def test_defaults() -> None:
    found = HttpIntegration()
    assert (found.timeout, found.retry.attempts, found.egress.allow, found.headers) == (30.0, 3, (), {})


def test_health_is_not_asked_too_often() -> None:
    assert Health.model_validate({"tool": "users.me"}).interval == 300.0
    with pytest.raises(ValidationError, match="at least 5s"):
        Health.model_validate({"tool": "users.me", "interval": "1s"})


def test_a_client_certificate_is_a_file_and_a_reference() -> None:
    found = ClientCert.model_validate({"cert": "client.pem", "key": {"env": "CLIENT_KEY"}})
    assert (found.cert, found.key.env) == ("client.pem", "CLIENT_KEY")
    with pytest.raises(ValidationError):
        ClientCert.model_validate({"cert": "client.pem", "key": "-----BEGIN PRIVATE KEY-----"})
