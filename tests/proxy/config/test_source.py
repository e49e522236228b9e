from pathlib import Path

import pytest

from proxy.config.source import LARGEST_FILE_BYTES, STDIN, SourceFile, read_text, shown_path


def test_lines_and_digest() -> None:
    source, flaw = read_text("dir/a.yaml", b"a: 1\r\nb: 2\rc: 3\n")
    assert flaw is None
    assert source.lines == ("a: 1", "b: 2", "c: 3", "")
    assert source.line(2) == "b: 2"
    assert source.line(99) == ""
    assert source.directory == Path("dir")
    assert SourceFile(STDIN, "").directory == Path()


def test_a_byte_order_mark_counts_as_nothing() -> None:
    source, flaw = read_text("a", b"\xef\xbb\xbfa: 1")
    assert flaw is None
    assert source.text == "a: 1"


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"a: 1\nb: \xe9", "E110", 1, 3),
        ("é: 1\nb: ".encode() + b"\xff", "E110", 1, 3),
        (b"\xff\xfea", "E110", 0, 0),
        (b"a: \x00", "E110", 0, 3),
        ("a: \u2028".encode(), "E110", 0, 3),
        ("a: \U0001f600\ufeff".encode(), "E110", 0, 4),
        (b"a: ENC[AES256_GCM,data]", "E111", 0, 3),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "E111", 0, 0),
        (b"a: 1\n>>>>>>> main\n", "E115", 1, 0),
        (b"#" * (LARGEST_FILE_BYTES + 1), "E101", 0, 0),
    ],
)
def test_what_makes_parsing_pointless(data: bytes, code: str, line: int, column: int) -> None:
    flaw = read_text("a", data)[1]
    assert flaw is not None
    assert (flaw.code, flaw.line, flaw.column) == (code, line, column)


def test_underlined_headings_are_no_conflicts() -> None:
    assert read_text("a", b"a: |\n  Title\n  =======\n")[1] is None


def test_a_path_is_shown_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "conf" / "executor.lock"
    monkeypatch.chdir(tmp_path)
    assert shown_path(file) == "conf/executor.lock"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert shown_path(file) == str(file)
    assert shown_path(Path("executor.lock")) == "executor.lock"
