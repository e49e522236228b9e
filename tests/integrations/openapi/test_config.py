import pytest
from pydantic import ValidationError

from integrations.openapi.config import OpenApi


def error(spec: object) -> tuple[str, str | None]:
    with pytest.raises(ValidationError) as caught:
        OpenApi.model_validate({"kind": "openapi", "spec": spec})
    context = caught.value.errors()[0].get("ctx", {})
    return context["code"], context["help"]


def test_exactly_one_source() -> None:
    found = OpenApi.model_validate(
        {"kind": "openapi", "spec": {"url": "https://x.example.com", "refresh": "1d"}}
    )
    assert (found.spec.url, found.spec.refresh) == ("https://x.example.com", 86400.0)
    assert error({})[0] == "E209"
    assert error({"url": "https://x.example.com", "file": "a"})[0] == "E209"
    assert error({"refresh": "1d"})[0] == "E209"


def test_text_is_probably_a_url_or_a_file() -> None:
    assert error("https://x.example.com/o.json") == (
        "E206",
        "did you mean `{url: https://x.example.com/o.json}`?",
    )
    assert error("specs/o.json") == ("E206", "did you mean `{file: specs/o.json}`?")
    assert error(5) == ("E206", "write {url: ...} or {file: ...}")


def test_files_are_not_refreshed() -> None:
    assert error({"file": "a.json", "refresh": "1d"})[0] == "E206"
