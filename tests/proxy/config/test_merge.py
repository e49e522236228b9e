from proxy.config.merge import Merged, merge
from proxy.config.nodes import find
from proxy.config.parse import parse
from proxy.config.source import read_text


def merged(*texts: str) -> Merged:
    return merge([parse(read_text(f"{i}.yaml", text.encode())[0]) for i, text in enumerate(texts)])


def test_identities_are_united_with_their_places() -> None:
    found = merged("integrations: {a: 1}\n", "integrations:\n  b: 2\n", "integrations:\n\n  c: 3\n")
    assert found.data == {"integrations": {"a": 1, "b": 2, "c": 3}}
    node = find(found.root, ("integrations", "c")).node
    assert (node.source.path, node.key_span().line) == ("2.yaml", 3)


def test_policies_are_strung_together() -> None:
    found = merged("policies: [1]\n", "policies: [2, 3]\n")
    assert found.data == {"policies": [1, 2, 3]}
    assert find(found.root, ("policies", 2)).node.source.path == "1.yaml"


def test_nothing_is_overridden() -> None:
    found = merged("server: {a: 1}\n", "server: {b: 2}\n")
    assert found.data == {"server": {"a": 1}}
    assert [one.code for one in found.findings] == ["E103"]


def test_the_value_with_the_wrong_type_stays_to_be_complained_about() -> None:
    assert merged("policies: [1]\n", "policies: {a: 1}\n").data == {"policies": {"a": 1}}
    assert merged("policies: {a: 1}\n", "policies: [1]\n").data == {"policies": {"a": 1}}


def test_broken_paths_move_with_their_list() -> None:
    found = merged("policies: [1, 2]\n", "policies: [!x 3]\n")
    assert found.broken == {("policies", 2)}


def test_the_files_own_trees_are_left_alone() -> None:
    one = parse(read_text("0.yaml", b"policies: [1]\n")[0])
    merge([one, parse(read_text("1.yaml", b"policies: [2]\n")[0])])
    assert one.data == {"policies": [1]}
    assert one.root is not None
    assert len(one.root.child("policies").children) == 1  # type: ignore[union-attr, arg-type]
