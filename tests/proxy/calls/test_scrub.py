"""Secrets in the encodings they travel in never reach agent code, and results stay valid JSON."""

from __future__ import annotations

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.http.toolfile import file_bytes, tool_file
from proxy.calls import scrub
from proxy.calls.scrub import REDACTED, Scrubber

SECRET = 'p@ss/w"rd+é\\1 x'
PLAIN = "ghp_0123456789abcdef"


def cleaned(value: Any, *secrets: str) -> Any:
    return orjson.loads(Scrubber().clean(orjson.dumps(value), secrets))


def test_a_result_without_secrets_is_handed_through_untouched() -> None:
    body = b'{"ok":true}'
    assert Scrubber().clean(body, [PLAIN, SECRET]) is body


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"Bearer {SECRET}",
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        json.dumps({"echo": SECRET}),
        json.dumps({"echo": SECRET}, ensure_ascii=False),
        json.dumps({"echo": SECRET}).replace("/", "\\/"),
        SECRET.encode().hex(),
        "".join(f"%{byte:02X}" for byte in SECRET.encode()),
        "".join(f"%{byte:02x}" for byte in SECRET.encode()),
        "".join(f"%{ord(c):02x}" if c.isascii() and n % 2 else c for n, c in enumerate(SECRET)),
        html.escape(SECRET),
        "".join(f"&#{ord(c)};" for c in SECRET),
        "".join(f"&#x{ord(c):04X};" for c in SECRET),
        "".join(f"&#{ord(c):09};" for c in SECRET),
        "".join(f"&#X{ord(c):06000x}" for c in SECRET),
        "p&commat;ss&sol;w&quot;rd&plus;&eacute;&bsol;1 x",
        base64.encodebytes(b"-" * 50 + SECRET.encode() + b"-" * 50).decode(),
        base64.encodebytes(b"-" * 51 + SECRET.encode() + b"-" * 50).decode().replace("\n", "\r\n"),
        base64.encodebytes(b"-" * 52 + SECRET.encode() + b"-" * 50).decode().replace("\n", "\r\n\t"),
        base64.b32encode(SECRET.encode()).decode(),
        base64.b32encode(b"user:" + SECRET.encode()).decode().lower(),
        base64.b32encode(b"u:" + SECRET.encode() + b"more").decode(),
        SECRET.encode("utf-16-le").decode("latin-1"),
        SECRET.encode("utf-16-be").decode("latin-1"),
        base64.b64encode(("user:" + SECRET).encode("utf-16-le")).decode(),
        base64.b64encode(SECRET.encode("utf-16-be")).decode(),
        SECRET.encode("utf-16-le").hex(),
    ],
)
def test_a_reflected_secret_is_redacted_in_every_spelling(text: str) -> None:
    (shown,) = cleaned([f"before {text} after"], SECRET)
    assert REDACTED in shown
    assert SECRET not in shown


@pytest.mark.parametrize("user", ["a", "ab", "abc", "user.name", ""])
def test_a_basic_header_gives_the_password_away_at_no_alignment(user: str) -> None:
    header = base64.b64encode(f"{user}:{PLAIN}".encode()).decode()
    (shown,) = cleaned([f"Basic {header}"], PLAIN)
    assert REDACTED in shown
    left = shown.removeprefix("Basic ").replace(REDACTED, "")
    assert len(left) <= len(user) * 2 + 6


def test_keys_numbers_and_deep_places_are_covered() -> None:
    value = {PLAIN: {"a": [{"b": f"x{PLAIN}y"}]}, "n": 123456789}
    assert cleaned(value, PLAIN, "123456789") == {REDACTED: {"a": [{"b": f"x{REDACTED}y"}]}, "n": REDACTED}


def test_an_escape_before_the_secret_does_not_break_the_json() -> None:
    assert cleaned(["\nabcdef"], "nabcdef") == ["\nabcdef"]
    assert cleaned(['"abcdef\\'], "abcdef") == [f'"{REDACTED}\\']


def test_very_short_secrets_do_not_wipe_out_results() -> None:
    assert cleaned(["a banana"], "a", "ban") == ["a banana"]


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert cleaned(["token-token-long"], "token", "token-token-long") == [REDACTED]


def test_plain_text_is_cleaned_too() -> None:
    assert Scrubber().clean_text(f"Error: {PLAIN}", [PLAIN]) == f"Error: {REDACTED}"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives_anywhere_and_json_stays_json(secret: str, before: str, after: str) -> None:
    scrubber = Scrubber()
    shown = orjson.loads(scrubber.clean(orjson.dumps({"v": before + secret + after}), [secret]))
    assert secret not in shown["v"].replace(REDACTED, "") or secret in REDACTED


def test_what_is_remembered_is_bounded() -> None:
    scrubber = Scrubber()
    for number in range(600):
        scrubber.clean(b"[]", [f"secret-{number}"])
    assert len(scrubber._known) == 512


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"\xff\xfe\x00"])
def test_a_file_that_holds_a_secret_stays_a_file(before: bytes) -> None:
    content = before + f"Authorization: Bearer {PLAIN}\r\n".encode() + b"\xff\x00"
    (shown,) = cleaned([tool_file(content, "text/plain", f"{PLAIN}.txt")], PLAIN)
    kept = file_bytes(shown)
    assert kept == before + f"Authorization: Bearer {REDACTED}\r\n".encode() + b"\xff\x00"
    assert shown["byteLength"] == len(kept)
    assert shown["name"] == f"{REDACTED}.txt"
    assert shown["mimeType"] == "text/plain"


def test_a_file_beside_a_secret_is_left_as_it_is() -> None:
    file = tool_file(b"\x00\x01 nothing in here", "image/png")
    assert cleaned([PLAIN, file], PLAIN) == [REDACTED, file]


def test_what_only_calls_itself_a_file_is_text() -> None:
    shown = cleaned({"_tag": "ToolFile", "data": f"not base64: {PLAIN}"}, PLAIN)
    assert shown == {"_tag": "ToolFile", "data": f"not base64: {REDACTED}"}


def test_long_secrets_are_found_in_the_usual_encodings() -> None:
    key = "-----BEGIN KEY-----" + "Ab/+" * 600
    for text in (key, quote(key, safe=""), base64.b64encode(key.encode()).decode(), key.encode().hex()):
        assert REDACTED in cleaned([text], key)[0]


@pytest.mark.parametrize(
    "filler",
    ["%", "&", "&#", "%67%68", "&#103;&#104;", "&#000000000000000103;", "&#0000", "g", "Z2hw\n", "\\u0000"],
)
def test_hostile_text_is_read_in_bounded_steps(filler: str) -> None:
    """A megabyte of beginnings of the secret, which is also there, for twenty secrets at once."""
    text = filler * (1_000_000 // len(filler)) + PLAIN
    (shown,) = cleaned([text], PLAIN, *(f"{PLAIN}{number}" for number in range(20)))
    assert shown.endswith(REDACTED)


@given(st.text("%=4126FfAz&;#x", max_size=30))
def test_percent_encodings_are_undone_like_the_library_does(text: str) -> None:
    body = text.encode()
    assert scrub._comparable(scrub._without_percent(body)) == scrub._comparable(unquote_to_bytes(body))


@given(
    st.lists(
        st.sampled_from(
            [
                "&#x41",
                "&#65",
                "&#0065",
                "&#00000000000000065",
                "&#x0000000000000041",
                "&amp",
                "&lt",
                "&nosuch",
                ";",
                "A",
                "&",
                "#",
                "x",
            ]
        )
    )
)
def test_entities_are_undone_like_the_library_does(parts: list[str]) -> None:
    text = "".join(parts)
    assert scrub._without_entities(text.encode()).decode() == html.unescape(text)


@pytest.mark.parametrize("text", ["gh&#112;%5F0123456789abcdef", "%67%68p&#95;0123456789abcdef"])
def test_one_secret_in_two_encodings_at_once_is_found(text: str) -> None:
    assert cleaned([text], PLAIN) == [REDACTED]
