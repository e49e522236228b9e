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


def test_every_file_may_say_the_version_when_all_say_the_same() -> None:
    assert merged("version: 1\n", "version: 1\n").findings == []
    for other in ("2", "'1'", "1.0", "true", "null"):
        found = merged("version: 1\n", f"version: {other}\n").findings
        assert [(one.code, one.message) for one in found] == [
            ("E103", "section `version` says another version")
        ]


def test_keys_of_teams_are_united_and_the_rest_of_auth_stands_once() -> None:
    one = "auth: {anonymous: false, api_keys: {keys: {a: 1}}}\n"
    two = "auth:\n  api_keys:\n    keys:\n      b: 2\n"
    three = "auth: {api_keys: {signing: 3}}\n"
    found = merged(one, two, three)
    assert found.findings == []
    assert found.data == {"auth": {"anonymous": False, "api_keys": {"keys": {"a": 1, "b": 2}, "signing": 3}}}
    node = find(found.root, ("auth", "api_keys", "keys", "b")).node
    assert (node.source.path, node.key_span().line) == ("1.yaml", 4)


def test_what_stands_twice_is_said_with_both_places() -> None:
    cases = {
        "auth: {anonymous: false}\n": ("auth", "anonymous"),
        "auth: {api_keys: {signing: 1}}\n": ("auth", "api_keys", "signing"),
        "auth: {api_keys: {keys: {a: 1}}}\n": ("auth", "api_keys", "keys", "a"),
        "rate_limits: {a: 1}\n": ("rate_limits", "a"),
        "workspaces: {a: 1}\n": ("workspaces", "a"),
        "connections: {a: 1}\n": ("connections", "a"),
        "server: {}\n": ("server",),
    }
    for text, path in cases.items():
        (found,) = merged(text, text).findings
        assert (found.code, found.path) == ("E103", path)
        assert found.raw is not None
        assert (found.raw[0].path, found.related) == ("1.yaml", (("first here", path),))
