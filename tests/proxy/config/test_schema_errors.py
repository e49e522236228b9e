"""Details of wording; the table of bad files has one file for each kind of mistake."""

import pytest
from pydantic_core import ErrorDetails

from proxy.config.locations import Finding
from proxy.config.parse import parse
from proxy.config.schema_errors import SchemaError, locate, one_per_mistake
from proxy.config.source import read_text
from tests.proxy.config.texts import API, codes, load, only


def test_a_misspelt_key_is_not_also_missing() -> None:
    assert codes("version: 1\nintegrations:\n  a: {kind: openapi, sepc: {url: https://x.example.com}}\n") == [
        "E201"
    ]
    assert codes("version: 1\nintegrations:\n  a: {knd: openapi}\n") == ["E201"]


def test_suggestions_quote_the_file_not_the_value() -> None:
    found = only("version: 1\nintegrations:\n  a: {kind: mcp, type: local, command: [1.10]}\n")
    assert found.help == 'quote it: "1.10"'


@pytest.mark.parametrize(
    ("word", "help"),
    [("yes", "write true"), ("On", "write true"), ("n", "write false"), ("OFF", "write false")],
)
def test_words_of_yaml_11(word: str, help: str) -> None:
    found = only(f"version: 1\nauth: {{anonymous: {word}}}\n")
    assert (found.code, found.help) == ("E207", help)


def test_a_quoted_word_of_yaml_11_is_a_string() -> None:
    assert only('version: 1\nauth: {anonymous: "yes"}\n').code == "E203"


@pytest.mark.parametrize(
    "text",
    [
        "server:",
        "auth:",
        "policies:",
        "rate_limits:",
        "server: {public_url: }",
        "workspaces: {ws: }",
        "sandbox: {workers: }",
    ],
)
def test_keys_without_a_value(text: str) -> None:
    assert only(f"version: 1\n{text}\n").code == "E210"


def test_every_error_has_one_place() -> None:
    text = (
        API + "policies:\n  - {pattern: 5, action: deny, principals: ci, risk: [x], when: {a: 5}, id: []}\n"
    )
    diagnostics = load(text).diagnostics
    assert len(diagnostics) == len({(one.line, one.column) for one in diagnostics}) == 6


def test_union_tags_are_not_taken_for_keys() -> None:
    found = only("version: 1\naudit: {sink: {file: a, fil: b}}\n")
    assert (found.code, found.column, found.path) == ("E201", 25, "audit.sink.fil")
    found = only(
        "version: 1\nintegrations: {a: {kind: mcp, type: remote, url: https://x.example.com, headers: {text: 5}}}\n"
    )
    assert found.path == "integrations.a.headers.text"


TEXT = b"""\
version: 1
server: {listen: 1.10}
policies:
  - {pattern: a.*, action: block}
"""


def located(*loc: str | int) -> SchemaError:
    source, _ = read_text("executor.yaml", TEXT)
    parsed = parse(source)
    assert parsed.root is not None
    detail: ErrorDetails = {"type": "string_type", "loc": loc, "msg": "", "input": None}
    return locate(detail, parsed.data, parsed.root)


@pytest.mark.parametrize(
    ("loc", "path", "name"),
    [
        (("server", "listen"), ("server", "listen"), "listen"),
        (("policies", 0, "rule", "pattern"), ("policies", 0, "pattern"), "pattern"),
        (("policies", 0, "RuleConfig"), ("policies", 0), "policies"),
        (("policies", 7), ("policies",), "policies"),
        (("server", "listen", "[key]"), ("server", "listen"), "listen"),
        ((), (), "config"),
    ],
)
def test_tags_are_skipped_and_keys_are_found(
    loc: tuple[str | int, ...], path: tuple[str | int, ...], name: str
) -> None:
    error = located(*loc)
    assert (error.path, error.name, error.at_key) == (path, name, "[key]" in loc)


def test_values_are_called_as_they_are_written() -> None:
    error = located("server", "listen")
    assert (error.raw, error.value, error.context) == ("1.10", 1.1, {})


def test_an_unknown_key_takes_the_place_of_the_missing_one() -> None:
    unknown = Finding("E201", ("a", "sepc"), "unknown", "did you mean `spec`?", "key")
    missing = Finding("E202", ("a", "spec"), "missing", None, "key")
    other = Finding("E202", ("a", "kind"), "missing", None, "key")
    assert one_per_mistake([missing, unknown, other]) == [unknown, other]


def test_one_place_has_one_error() -> None:
    first, second = Finding("E203", ("a",), "first"), Finding("E204", ("a",), "second")
    assert one_per_mistake([first, second]) == [first]
