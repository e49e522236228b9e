import pytest
from pydantic import TypeAdapter, ValidationError

from integrations.fields import SecretRef, TextOrSecret, looks_like_a_secret, mask_secrets, names_a_secret


def code(value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        SecretRef.model_validate(value)
    found: str = caught.value.errors()[0].get("ctx", {})["code"]
    return found


def test_references() -> None:
    assert SecretRef.model_validate({"env": "A"}).env == "A"
    assert SecretRef.model_validate({"file": "x/y"}).file == "x/y"
    assert str(SecretRef(env="A")) == "env A"
    assert str(SecretRef(file="x")) == "file x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hunter2", "E401"), ("${TOKEN}", "E406"), ("$TOKEN", "E406"), ("${TOKEN:-x}", "E406"), ("a${T}", "E401"),
        ("", "E206"), (5, "E206"), (None, "E206"), ([], "E206"), ({}, "E206"), ({"evn": "A"}, "E206"),
        ({"env": "A", "default": "x"}, "E206"), ({"env": "A", "file": "x"}, "E209"), ({"env": None}, "E210"),
        ({"env": "A-B"}, "E206"),
    ],
)  # fmt: skip
def test_everything_else(value: object, expected: str) -> None:
    assert code(value) == expected


def test_plain_text_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        SecretRef.model_validate("hunter2")
    assert "hunter2" not in str(caught.value)


def test_text_or_reference() -> None:
    adapter: TypeAdapter[str | SecretRef] = TypeAdapter(TextOrSecret)
    assert adapter.validate_python("x") == "x"
    assert adapter.validate_python({"env": "A"}) == SecretRef(env="A")
    for value in (5, "a\nb", {"x": 1}):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize(
    "name", ["Authorization", "COOKIE", "x-api-key", "API_KEY", "MyToken", "client_secret", "DB_PASSWORD"]
)
def test_names_of_secrets(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["Accept", "X-Api-Key-Version", "NODE_ENV", "X-Author"])
def test_other_names(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    "value",
    [
        "ghp_0123456789abcdef",
        "github_pat_0123456789",
        "glpat-0123456789",
        "sk_live_01234567",
        "AKIA0123456789ABCDEF",
        "eyJhbGciOi.eyJzdWIi.x",
        "xoxb-12345678",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Bearer ghp_0123456789abcdef",
    ],
)
def test_the_look_of_secrets(value: str) -> None:
    assert looks_like_a_secret(value)
    assert value not in mask_secrets(f"see {value}")


@pytest.mark.parametrize(
    "value",
    [
        "2022-11-28",
        "application/json",
        "sk_test",
        "key",
        "https://a.example.com/ghp",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_other_values(value: str) -> None:
    assert not looks_like_a_secret(value)
    assert mask_secrets(value) == value


def test_user_information_of_urls_is_masked() -> None:
    assert mask_secrets("https://bob:hunter2@x.example.com/a@b") == "https://********@x.example.com/a@b"
