"""Details of wording; the table of bad files has one file for each kind of mistake."""

import pytest

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
