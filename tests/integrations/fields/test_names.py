import pytest
from pydantic import TypeAdapter, ValidationError

from integrations.fields import RESERVED, ConnectionKey, IntegrationName, Name
from integrations.fields.names import as_identifier

INTEGRATION = TypeAdapter(IntegrationName)
CONNECTION = TypeAdapter(ConnectionKey)


def help_of(adapter: TypeAdapter[str], value: object) -> str | None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    (error,) = caught.value.errors()
    found: str | None = error.get("ctx", {})["help"]
    return found


@pytest.mark.parametrize("name", ["a", "_", "A1_b", "x" * 64])
def test_identifiers(name: str) -> None:
    assert INTEGRATION.validate_python(name) == name


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("my-api", "did you mean `my_api`?"),
        ("1api", "did you mean `_1api`?"),
        ("a b", "did you mean `a_b`?"),
        ("x" * 65, None),
    ],
)
def test_other_names(name: str, help: str | None) -> None:
    assert help_of(INTEGRATION, name) == help


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_system_tools_keep_their_names(name: str) -> None:
    why = "`tools.*` is every tool" if name == "tools" else "system tools"
    assert why in str(help_of(INTEGRATION, name))
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("key", ["github.org.main", "a.user.b_2"])
def test_connections(key: str) -> None:
    assert CONNECTION.validate_python(key) == key


@pytest.mark.parametrize(
    ("key", "help"),
    [
        ("github", "did you mean `github.org.main`?"),
        ("github.main", "did you mean `github.org.main`?"),
        ("github.team.main", "did you mean `github.org.main`?"),
        ("git-hub.org.main", "did you mean `git_hub.org.main`?"),
        ("a.org.b.c", None),
    ],
)
def test_other_connections(key: str, help: str | None) -> None:
    assert help_of(CONNECTION, key) == help


def test_empty_parts_have_no_suggestion_that_is_wrong_too() -> None:
    assert "letters" in str(help_of(CONNECTION, "a.org."))


def test_the_nearest_name_is_valid() -> None:
    for text in ("9", "-", "é.x", "y" * 99):
        assert INTEGRATION.validate_python(as_identifier(text))
