from pathlib import Path
from typing import Any

from proxy.config.anchor import anchored
from proxy.config.parse import parse
from proxy.config.source import read_text


def absolute(text: str, name: str = "conf/a.yaml") -> Any:
    found = parse(read_text(name, text.encode())[0])
    assert found.root is not None
    return anchored(found.data, found.root)


HERE = Path.cwd() / "conf"


def test_paths_are_relative_to_their_file() -> None:
    found = absolute("a: {file: x.json, ca_bundle: b.pem, cwd: sub, documents: [ops/*.graphql]}\n")
    assert found["a"]["file"] == str(HERE / "x.json")
    assert found["a"]["documents"] == [str(HERE / "ops/*.graphql")]


def test_absolute_paths_stay() -> None:
    assert absolute("a: {file: /run/secrets/x}\n")["a"]["file"] == "/run/secrets/x"


def test_only_the_state_has_a_path() -> None:
    found = absolute("state: {path: state.db}\na: {path: /info}\n")
    assert found["state"]["path"] == str(HERE / "state.db")
    assert found["a"]["path"] == "/info"


def test_documents_arguments_and_patches_are_not_touched() -> None:
    text = "a: {inline: {file: x}, arguments: {file: x}, overrides: [{value: {file: x}}], when: {file: {equals: x}}}\n"
    found = absolute(text)["a"]
    assert found["inline"] == {"file": "x"}
    assert found["arguments"] == {"file": "x"}
    assert found["overrides"] == [{"value": {"file": "x"}}]
    assert found["when"] == {"file": {"equals": "x"}}


def test_names_of_headers_and_variables_are_not_keys_of_ours() -> None:
    found = absolute(
        "a: {headers: {file: x, B: {file: b}}, environment: {cwd: y}, client_cert: {cert: c.pem}}\n"
    )["a"]
    assert found["headers"] == {"file": "x", "B": {"file": str(HERE / "b")}}
    assert found["environment"] == {"cwd": "y"}
    assert found["client_cert"] == {"cert": str(HERE / "c.pem")}
