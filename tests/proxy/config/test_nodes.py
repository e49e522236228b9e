import pytest

from proxy.config.nodes import SourceNode, find, parse_path, show_path
from proxy.config.parse import parse
from proxy.config.source import read_text

TEXT = """version: 1
connections:
  github.org.main: {auth: {kind: none}}
policies:
  - {pattern: a.*, when: {"repo.name": {exists: true}}}
x: &a {deep: 1}
y: *a
"""


def tree() -> SourceNode:
    source, _ = read_text("a.yaml", TEXT.encode())
    root = parse(source).root
    assert root is not None
    return root


@pytest.mark.parametrize(
    "path",
    [
        ("connections", "github.org.main", "auth", "kind"),
        ("policies", 0, "when", "repo.name", "exists"),
        ("policies", 0),
        ("version",),
    ],
)
def test_paths_are_read_as_they_are_shown(path: tuple[str | int, ...]) -> None:
    assert parse_path(tree(), show_path(path)) == path


def test_a_path_leads_as_far_as_it_exists() -> None:
    found = find(tree(), ("policies", 0, "nothing", "here"))
    assert found.depth == 2
    assert found.node.value_span().line == 5


def test_spans_are_one_based_and_on_one_line() -> None:
    node = find(tree(), ("connections", "github.org.main")).node
    assert (node.key_span().line, node.key_span().column, node.key_span().end_column) == (3, 3, 18)
    assert (node.value_span().column, node.value_span().end_column) == (20, 40)
    whole = tree().value_span()
    assert (whole.line, whole.end_column) == (1, 11)


def test_below_an_alias_the_alias_is_known() -> None:
    found = find(tree(), ("y", "deep"))
    assert found.through is not None
    assert found.through.value_span().line == 7
    assert found.node.value_span().line == 6
