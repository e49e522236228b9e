import pytest

from integrations.http.disposition import file_name

# RFC 6266 section 4.1 (grammar), 4.3 (`filename*` first, no path), RFC 8187.
NAMES: list[tuple[str, str | None]] = [
    ('attachment; filename="a;b.pdf"', "a;b.pdf"),
    ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
    ("attachment; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.pdf", "naïve €.pdf"),
    ("attachment; filename=fallback.pdf; filename*=UTF-8''na%C3%AFve.pdf", "naïve.pdf"),
    ("attachment; filename*=utf-8''na%C3%AFve.pdf; filename=fallback.pdf", "naïve.pdf"),
    ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
    ("attachment; filename*=bad; filename=ok.pdf", "ok.pdf"),
    ("attachment; filename*=UTF-8''%FF; filename=ok.pdf", "ok.pdf"),
    ("attachment; filename*=none''x; filename=ok.pdf", "ok.pdf"),
    ('attachment; filename="../../etc/passwd"', "passwd"),
    ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
    ('attachment; filename="C:\\x\\y.txt"', "y.txt"),
    ('attachment; filename="C:\\\\x\\\\y.txt"', "y.txt"),
    ('attachment; filename=".."', None),
    ('attachment; filename="a/"', None),
    ('attachment; filename="a\u202egnp.exe"', "agnp.exe"),
    ("attachment", None),
    ("", None),
    ('attachment; filename=""', None),
    ("inline; filename=a b.pdf; size=3", "a b.pdf"),
    ("attachment;FILENAME=x.pdf;size=3", "x.pdf"),
    ('attachment; filename="unclosed.pdf', "unclosed.pdf"),
    ('attachment; filename="x.pdf"; filename="y.pdf"', "x.pdf"),
    ('attachment; x="filename=no"; filename=yes', "yes"),
    ('form-data; name="f"; filename="q.txt"', "q.txt"),
    ('filename="x.pdf"', "x.pdf"),
]


@pytest.mark.parametrize(("header", "name"), NAMES)
def test_names(header: str, name: str | None) -> None:
    assert file_name(header) == name


def test_names_are_bounded() -> None:
    assert file_name(f"attachment; filename={'a' * 9_000}") == "a" * 255
    assert file_name("attachment; " + '\\"' * 100_000) is None
