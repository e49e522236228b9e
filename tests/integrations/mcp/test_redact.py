from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from integrations.mcp.redact import Redactor

SECRET = "p@ss word/+ü"


@pytest.mark.parametrize(
    "shown", [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), f"[{SECRET}]"]
)
def test_a_secret_is_hidden_in_every_usual_form(shown: str) -> None:
    text = Redactor([SECRET]).clean(f"token={shown}!")
    assert SECRET not in text
    assert "[redacted]" in text


def test_the_token_of_a_header_is_hidden_alone_too() -> None:
    assert Redactor(["Bearer abcdef-123"]).clean("got abcdef-123") == "got [redacted]"


def test_short_values_are_not_secrets() -> None:
    assert Redactor(["1", "true", ""]).clean("1 is true") == "1 is true"


def test_one_bounded_line_without_control_characters() -> None:
    text = Redactor([]).clean("a\r\nb\x1b[31m\u202e" + "x" * 1000, 50)
    assert text.startswith("a b [31m x")
    assert len(text) == 50
