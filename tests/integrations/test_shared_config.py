import pytest
from pydantic import ValidationError

from integrations.shared_config import HttpIntegration, PatchOperation


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
