import codecs

import pytest

from integrations.http.charsets import decode_text, says_utf8

XML = '<?xml version="1.0" encoding="{}"?><a>né</a>'
CASES: list[tuple[str, bytes, str]] = [
    ("text/plain", "né".encode(), "né"),
    ("text/plain; charset=iso-8859-1", "né".encode("latin-1"), "né"),
    ("text/plain; charset='windows-1252'", "€".encode("cp1252"), "€"),
    ("text/plain; charset=nonsense", "né".encode(), "né"),
    ("text/plain; charset=base64", "né".encode(), "né"),
    ("application/xml", XML.format("ISO-8859-1").encode("latin-1"), XML.format("ISO-8859-1")),
    ("image/svg+xml", XML.format("windows-1252").encode("cp1252"), XML.format("windows-1252")),
    ("text/xml; charset=utf-8", XML.format("ISO-8859-1").encode(), XML.format("ISO-8859-1")),
    ("application/xml", codecs.BOM_UTF8 + XML.format("ISO-8859-1").encode(), XML.format("ISO-8859-1")),
    ("application/xml", XML.format("UTF-16").encode(), XML.format("UTF-16")),
    ("application/xml", XML.format("UTF-16").encode("utf-16"), XML.format("UTF-16")),
    ("application/xml", XML.format("UTF-16").encode("utf-16-be"), XML.format("UTF-16")),
    ("text/plain; charset=utf-16", "né".encode("utf-16"), "né"),
    ("text/plain; charset=utf-16", "né".encode("utf-16-le"), "né"),
    ("text/plain; charset=utf-16", "né".encode("utf-16-be"), "né"),
    ("text/plain; charset=UTF-16BE", "né".encode("utf-16-be"), "né"),
    ("text/plain; charset=utf-32", "né".encode("utf-32"), "né"),
    ("text/html", '<meta charset="iso-8859-1"><p>né'.encode("latin-1"), '<meta charset="iso-8859-1"><p>né'),
    ("text/plain", '<meta charset="iso-8859-1">é'.encode(), '<meta charset="iso-8859-1">é'),
    ("text/plain", b"\xff", "\ufffd"),
    ("text/plain", b"", ""),
]


@pytest.mark.parametrize(("declared", "body", "text"), CASES)
def test_text(declared: str, body: bytes, text: str) -> None:
    assert decode_text(body, declared) == text


def test_what_is_utf8() -> None:
    assert says_utf8(b"{}", "application/json")
    assert says_utf8(codecs.BOM_UTF8 + b"{}", "application/json; charset=latin-1")
    assert not says_utf8("{}".encode("utf-16"), "application/json; charset=utf-8")
    assert not says_utf8("{}".encode("utf-16-le"), "application/json")
    assert not says_utf8(b"{}", "application/json; charset=iso-8859-1")
