from proxy.config.locations import Finding, SourceLocation, diagnose, flaw_diagnostic, location_of
from proxy.config.nodes import SourceNode
from proxy.config.parse import parse
from proxy.config.source import Flaw, read_text


def tree(text: str) -> SourceNode:
    root = parse(read_text("a.yaml", text.encode())[0]).root
    assert root is not None
    return root


def test_key_or_value() -> None:
    root = tree("server: {listen: here}\n")
    path = ("server", "listen")
    key, value = diagnose(root, [Finding("E1", path, "k", at="key"), Finding("E1", path, "v")])
    assert (key.column, key.end_column) == (10, 16)
    assert (value.column, value.end_column) == (18, 22)
    assert value.excerpt == "server: {listen: here}"
    assert value.path == "server.listen"


def test_what_is_missing_is_shown_at_the_key_above() -> None:
    (found,) = diagnose(tree("server: {a: 1}\n"), [Finding("E202", ("server", "listen"), "m")])
    assert (found.line, found.column) == (1, 1)


def test_a_secret_found_once_is_hidden_everywhere() -> None:
    root = tree("a: {note: hunter2, b: 1}\n")
    findings = [Finding("E201", ("a", "b"), "unknown", at="key"), Finding("E401", ("a", "note"), "plain")]
    assert all("hunter2" not in one.excerpt for one in diagnose(root, findings))


def test_warnings_and_errors() -> None:
    warning, error = diagnose(tree("a: 1\n"), [Finding("W601", ("a",), "w"), Finding("E301", ("a",), "e")])
    assert (warning.severity, error.severity) == ("warning", "error")


def test_places_print_as_file_and_line() -> None:
    assert str(location_of(tree("a: 1\nb: 2\n"), "b")) == "a.yaml:2"
    assert SourceLocation("x", 1, 2).column == 2


def test_flaws_have_a_width() -> None:
    source, _ = read_text("a.yaml", b"a: 1\n")
    found = flaw_diagnostic(source, Flaw("E101", "m", None, 0, 3, 1))
    assert (found.line, found.column, found.end_column, found.excerpt) == (1, 4, 5, "a: 1")
