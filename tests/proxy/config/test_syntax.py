import pytest

from tests.proxy.config.texts import only


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "message", "help"),
    [
        ('a: "b\n', "E101", 1, 4, "this quote is never closed", 'add a closing "'),
        ("a: 'b\n", "E101", 1, 4, "this quote is never closed", "add a closing '"),
        ("a: *\n", "E101", 1, 4, "`*` starts an alias here", 'quote it: "*"'),
        ("a: [*.b]\n", "E101", 1, 5, "`*` starts an alias here", 'quote it: "*.b"'),
        ("a: & b\n", "E101", 1, 4, "`&` starts an anchor here", 'quote it: "&"'),
        ("a: @b\n", "E101", 1, 4, "a value cannot start with `@`", 'quote it: "@b"'),
        ("a:\n\tb: 1\n", "E102", 2, 1, "a tab cannot be used for indentation", "use spaces"),
        ("a: b: c\n", "E101", 1, 5, "a second `:` is not allowed here", 'quote the value: "b: c"'),
        ("a: 1\nb\n", "E101", 2, 1, "this line is no `key: value` pair", None),
        ("a: 1\nb:2\n", "E101", 2, 1, "a space is missing after `:`", "write b: 2"),
        ("a: [1\nb: 2\n", "E101", 1, 4, "this `[` is never closed", None),
        ("a: {b: [1}\n", "E101", 1, 10, "expected `,` or `]` before `}`", None),
        ("a: [1, , 2]\n", "E101", 1, 8, "a value is expected before `,`", None),
        ("a: 1\nb: [\n", "E101", 3, 1, "a value is expected before the end", None),
        ("a:\n    b: 1\n  c: 2\n", "E101", 3, 3, "the indentation does not fit", None),
        ('a: "b" c\n', "E101", 1, 8, "this is not expected here", None),
        ('a: "\\d"\n', "E101", 1, 5, "unknown escape in a double-quoted string", None),
        ("a: !x!y z\n", "E106", 1, 4, "YAML tags are not supported", "remove the tag"),
        ("a: | b\n", "E101", 1, 6, "the text of a block starts on the line after", None),
    ],
)
def test_words_for_syntax_errors(
    text: str, code: str, line: int, column: int, message: str, help: str | None
) -> None:
    found = only(text)
    assert (found.code, found.line, found.column) == (code, line, column)
    assert message in found.message
    if help is not None:
        assert found.help == help


def test_columns_count_code_points() -> None:
    found = only('é😀: "x\n')
    assert (found.line, found.column) == (1, 5)


def test_advice_does_not_quote_a_masked_line() -> None:
    found = only("token: @hunter2hunter2\n")
    assert "hunter2" not in f"{found.message}{found.help}{found.excerpt}"
