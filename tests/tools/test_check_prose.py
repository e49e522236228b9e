from pathlib import Path

import pytest

from tools.check_prose import COLUMNS, main, wrapped

LONG = "word " * 30


def test_long_prose_is_named_and_fixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "a.md"
    page.parent.mkdir()
    page.write_text(f"# Title\n\nshort\n\n{LONG}\n")
    assert main(tmp_path, fix=False) == 1
    assert capsys.readouterr().out.startswith("docs/a.md: prose over 100 columns in 5; ")
    assert main(tmp_path, fix=True) == 0
    assert main(tmp_path, fix=False) == 0
    assert max(map(len, page.read_text().splitlines())) <= COLUMNS


@pytest.mark.parametrize(
    "text",
    [
        f"| a | {LONG} |\n|---|---|\n",
        f"```\n{LONG}\n```\n",
        f"# {LONG}\n",
        f"https://example.com/{'x' * 200}\n",
        f"`{LONG}`\n",
    ],
)
def test_what_cannot_be_broken_is_left_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(text)
    assert main(tmp_path, fix=False) == 0


def test_items_hang_and_stay_apart() -> None:
    text = f"- {LONG}\n- second\n  - {LONG}\n\n1. {LONG}\n"
    lines = wrapped(text).splitlines()
    starts = ["- word", "  word", "- second", "  - word", "    word", "", "1. word", "   word"]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_no_line_begins_with_what_would_be_a_list() -> None:
    text = "x" * 97 + " - y " + "z " * 40
    assert not any(line.startswith("- ") for line in wrapped(text).splitlines())


def test_paragraphs_that_fit_are_not_touched() -> None:
    text = f"two\nlines\n\n{LONG}\n"
    assert wrapped(text).startswith("two\nlines\n\nword")
