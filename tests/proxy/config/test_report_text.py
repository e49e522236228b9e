from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from proxy.config.diagnostic import Diagnostic
from proxy.config.report_text import WIDEST, counted, excerpt, one_line, printable

FOUND = Diagnostic(code="E201", severity="error", message="m", file="f.yaml", line=1, end_line=1)


def caret_line(diagnostic: Diagnostic) -> str:
    return excerpt(diagnostic, color=False).splitlines()[4]


def source_line(diagnostic: Diagnostic) -> str:
    return excerpt(diagnostic, color=False).splitlines()[3]


def test_counts_read_like_english() -> None:
    assert [counted(0, "file"), counted(1, "file"), counted(2, "policy", "policies")] == [
        "0 files",
        "1 file",
        "2 policies",
    ]


def test_carets_stand_below_wide_characters() -> None:
    found = replace(FOUND, excerpt="名: \N{GRINNING FACE}x", column=4, end_column=5)
    assert caret_line(found) == "  | " + " " * 4 + "^^"


def test_tabs_before_the_mark_are_kept() -> None:
    assert caret_line(replace(FOUND, excerpt="\ta: b", column=2, end_column=3)) == "  | \t^"


def test_a_mark_over_several_lines_runs_to_the_end_of_the_first() -> None:
    found = replace(FOUND, excerpt="a: >\n  text", column=4, end_line=2, end_column=3)
    assert caret_line(found) == "  |    ^"


def test_a_mark_behind_the_line_is_still_drawn() -> None:
    assert caret_line(replace(FOUND, excerpt="a:", column=3, end_column=3)) == "  |   ^"


def test_a_long_line_is_cropped_around_the_mark() -> None:
    found = replace(FOUND, excerpt="x" * 500 + "BAD" + "y" * 500, column=501, end_column=504)
    source, carets = source_line(found), caret_line(found)
    assert len(source) <= WIDEST + len("1 | ") + 2
    assert source[carets.index("^") : carets.rindex("^") + 1] == "BAD"


def test_one_line_stays_one_line() -> None:
    hostile = replace(FOUND, message="a\nERROR forged\x1b[2J\u2028", help="h\r\n")
    assert len(one_line(hostile).splitlines()) == 1
    assert "\x1b" not in one_line(hostile)


def test_printable_keeps_the_columns() -> None:
    assert printable("a\x00b\x1bc\u2028d\u202ee\tf") == "a\ufffdb\ufffdc\ufffdd\ufffde\tf"


@given(st.text(max_size=300), st.integers(1, 320), st.integers(0, 20))
def test_no_excerpt_can_break_out_of_its_block(text: str, column: int, length: int) -> None:
    source = text.replace("\n", " ")
    found = replace(FOUND, message=source, excerpt=source, column=column, end_column=column + length)
    block = excerpt(found, color=False)
    assert "\x1b" not in block
    assert len(block.splitlines()) == (5 if source else 2)
    assert not source or "^" in block
