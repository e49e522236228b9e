import pytest

from integrations.schema_types.text import comment_text, one_line, property_name, string_literal, visible

HIDDEN = [
    "\u202e",
    "\u200b",
    "\u2066",
    "\ufeff",
    "\U000e0041",
    "\x1b",
    "\x00",
    "\u2028",
    "\ufe0f",
    "\u3164",
    "\ud800",
]


@pytest.mark.parametrize("character", HIDDEN)
def test_hidden_characters_are_written_out_everywhere(character: str) -> None:
    spelled = f"\\u{{{ord(character):X}}}"
    assert visible(f"a{character}b") == f"a{spelled}b"
    assert character not in comment_text(f"a{character}b", 80)
    assert string_literal(f"a{character}b") == f'"a{spelled}b"'
    string_literal(character).encode("utf-8")


def test_ordinary_text_is_left_alone() -> None:
    assert visible("Größe, 日本語, 😀 ok") == "Größe, 日本語, 😀 ok"
    assert string_literal("Größe 'x'") == "\"Größe 'x'\""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a */ b", "a *\\/ b"),
        ("/* /*/ **/", "/\\* /\\*\\/ **\\/"),
        ("`code`", "'code'"),
        ("two\nlines\r\n\tmore", "two lines more"),
    ],
)
def test_comments_cannot_be_ended(text: str, expected: str) -> None:
    assert comment_text(text, 80) == expected


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert one_line("word " * 100, 20) == "word word word wo..."
    assert len(one_line("x" * 10_000_000, 50)) == 50
    assert one_line("exact", 5) == "exact"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("*/", '"*\\/"'),
        ("`${x}`", '"\\u{60}${x}\\u{60}"'),
        ("a\nb", '"a\\u{A}b"'),
    ],
)
def test_literals_are_escaped(text: str, expected: str) -> None:
    assert string_literal(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain_1", "plain_1"),
        ("$ref", "$ref"),
        ("__proto__", "__proto__"),
        ("with-dash", '"with-dash"'),
        ("1st", '"1st"'),
        ("", '""'),
        ("größe", '"größe"'),
        ("a\n", '"a\\u{A}"'),
    ],
)
def test_names_are_quoted_unless_ascii_identifiers(name: str, expected: str) -> None:
    assert property_name(name) == expected
