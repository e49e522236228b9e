from pathlib import Path

import pytest

from tools.check_names import Exempt, main

NO_EXCEPTIONS: dict[str, Exempt] = {}
NO_WORDS: dict[frozenset[str], Exempt] = {}


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def said(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    main(root, NO_EXCEPTIONS, NO_WORDS)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "definition",
    ["class Page: ...\n", "Page = dict[str, int]\n", "Page = int | str\n", "Page: TypeAlias = str\n"],
)
def test_a_public_name_is_defined_in_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], definition: str
) -> None:
    write(tmp_path, "proxy/a.py", "class Page: ...\n")
    assert said(tmp_path, capsys) == ""
    write(tmp_path, "integrations/b.py", definition)
    assert said(tmp_path, capsys) == "Page: defined in integrations/b.py, proxy/a.py\n"


@pytest.mark.parametrize(
    "text",
    ["class _Page: ...\n", "page = dict[str, int]\n", "PAGE = SIZES[0]\n", "def f():\n    class Page: ...\n"],
)
def test_what_is_no_public_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    write(tmp_path, "proxy/a.py", f"{text}class Page: ...\n" if text[0] == "d" else text)
    write(tmp_path, "proxy/b.py", text)
    assert said(tmp_path, capsys) == ""


@pytest.mark.parametrize(
    "again",
    [
        'Other = Literal["c", "b", "a"]\n',
        'f(choices=["a", "b", "c"])\n',
        'NAMES = frozenset({"a", "b", "c"})\n',
        'if x in ("a", "b", "c"): ...\n',
    ],
)
def test_a_set_of_words_stands_in_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], again: str
) -> None:
    write(tmp_path, "proxy/a.py", 'Mode = Literal["a", "b", "c"]\n')
    write(tmp_path, "proxy/b.py", again)
    assert said(tmp_path, capsys) == "a | b | c: written down in proxy/a.py, proxy/b.py\n"


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        ('Mode = Literal["a", "b"]\n', 'f(["b", "a"])\n', True),
        ('MODES = ("a", "b")\n', 'MODES = frozenset({"a", "b"})\n', True),
        ('if x in ("a", "b"): ...\n', 'if x in ("a", "b"): ...\n', False),
        ('if x in (",", ":", ";"): ...\n', 'if x in (",", ":", ";"): ...\n', False),
        ('__all__ = ["A", "B", "C"]\n', 'NAMES = ("A", "B", "C")\n', False),
    ],
)
def test_two_words_count_where_one_place_defines_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str, second: str, counts: bool
) -> None:
    write(tmp_path, "proxy/a.py", first)
    write(tmp_path, "policies/b.py", second)
    assert bool(said(tmp_path, capsys)) == counts


def test_exceptions_are_for_these_files_and_stale_ones_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "proxy/a.py", 'class Part: ...\nWords = Literal["a", "b"]\n')
    write(tmp_path, "proxy/b.py", 'class Part: ...\nNames = Literal["a", "b"]\n')
    both = Exempt(frozenset({"proxy/a.py", "proxy/b.py"}), "the two are built alike")
    names, words = {"Part": both}, {frozenset({"a", "b"}): both}
    assert main(tmp_path, names, words) == 0
    write(tmp_path, "proxy/c.py", "class Part: ...\n")
    assert main(tmp_path, names, words) == 1
    (tmp_path / "proxy/c.py").unlink()
    write(tmp_path, "proxy/b.py", "")
    assert main(tmp_path, names, words) == 1
    out = capsys.readouterr().out
    assert "Part: listed as an exception, but not defined in proxy/b.py" in out
    assert "a | b: listed as an exception, but does not stand in proxy/b.py" in out
