"""The committed schema is current, and it never rejects what the models accept."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from proxy.config.json_schema import config_schema, schema_text
from proxy.config.merge import Merged
from proxy.config.model import Config
from proxy.config.nodes import SourceNode
from proxy.config.parse import parse
from proxy.config.presets import expand_presets
from proxy.config.source import read_text

ROOT = Path(__file__).parents[3]
SCHEMA = config_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def data_of(file: Path) -> dict[str, Any]:
    data = parse(read_text(str(file), file.read_bytes())[0]).data
    assert isinstance(data, dict)
    return data


SEEDS = [
    data_of(ROOT / "executor.yaml.example"),
    *map(data_of, sorted((ROOT / "tests/config/good").glob("*.yaml"))),
]
BAD = sorted((ROOT / "tests/config/bad").glob("*.yaml"))


def accepted(data: dict[str, Any]) -> bool:
    source = read_text("data", b"")[0]
    merged = Merged(
        {key: value for key, value in data.items() if not key.startswith("x-")},
        SourceNode(source, (0, 0), (0, 0)),
    )
    expand_presets(merged)
    try:
        Config.model_validate(merged.data)
    except ValidationError:
        return False
    return not merged.findings


def test_the_committed_schema_is_current() -> None:
    assert (ROOT / "schema/executor.schema.json").read_text() == schema_text()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("data", SEEDS)
def test_good_configs_pass_both(data: dict[str, Any]) -> None:
    assert accepted(data)
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_the_schema_accepts_what_the_models_accept(file: Path) -> None:
    source, flaw = read_text(str(file), file.read_bytes())
    parsed = parse(source)
    if flaw is None and not parsed.flaws and isinstance(parsed.data, dict) and accepted(parsed.data):
        assert [error.message for error in VALIDATOR.iter_errors(parsed.data)] == []


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield from paths(inner, (*path, key))


WORDS = st.sampled_from(
    [
        "30s",
        "1h30m",
        "٣s",
        "64MiB",
        "100/minute",
        "off",
        "yes",
        "reads",
        "block",
        "org",
        "github",
        "*",
        "a.*",
        "x y",
        "",
        "https://a.example.com",
        "HTTPS://A",
        "127.0.0.1:80",
        "[::1]:0",
        "10.0.0.0/8",
        "10.0.0.0/255.0.0.0",
        "::/0",
        "2027-06-30",
        "2027-W26-3T00:00:00Z",
        "20270630T000000Z",
        "group:x",
        "anonymous",
        "/a",
        "api.user.x",
        "é_1",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 2000) | st.floats(-1, 10) | WORDS | st.text(max_size=8)
OTHERS = (
    SCALARS
    | st.lists(WORDS, max_size=2)
    | st.dictionaries(
        st.sampled_from(["env", "file", "default", "kind", "type", "url", "value", "token", "equals", "in"]),
        SCALARS,
        max_size=3,
    )
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_schema_never_rejects_what_the_models_accept(draw: st.DataObject) -> None:
    data = copy.deepcopy(draw.draw(st.sampled_from(SEEDS)))
    places = [path for path in paths(data) if path]
    for _ in range(draw.draw(st.integers(1, 3))):
        *parents, last = draw.draw(st.sampled_from(places))
        owner: Any = data
        for step in parents:
            try:
                owner = owner[step]
            except (KeyError, IndexError, TypeError):
                owner = None
                break
        if (isinstance(owner, dict) and last in owner) or (
            isinstance(owner, list) and last in range(len(owner))
        ):
            if draw.draw(st.booleans()):
                owner[last] = draw.draw(OTHERS)
            elif isinstance(owner, dict):
                owner[draw.draw(WORDS)] = owner.pop(last)
            else:
                del owner[last]
    if accepted(data):
        assert [error.message for error in VALIDATOR.iter_errors(data)] == []


def test_editors_find_every_kind_and_no_titles() -> None:
    entry = next(iter(SCHEMA["properties"]["integrations"]["patternProperties"].values()))
    names = [member["$ref"].rpartition("/")[2] for member in entry["oneOf"]]
    assert names == [
        "openapi-integration",
        "graphql-integration",
        "local-mcp-server",
        "remote-mcp-server",
        "preset-integration",
    ]
    text = json.dumps(SCHEMA)
    assert '"discriminator"' not in text
    title = SCHEMA["$defs"]["openapi-integration"]["properties"]["title"]
    assert {**title, "description": ""} == {"minLength": 1, "type": "string", "description": ""}
    assert not any("title" in definition for definition in SCHEMA["$defs"].values())


def test_every_validated_type_is_known_to_editors() -> None:
    for name, definition in SCHEMA["$defs"].items():
        for key, schema in definition.get("properties", {}).items():
            assert set(schema) - {"description"} or (name, key) in {
                ("condition", "equals"),
                ("patch-operation", "value"),
            }, (
                name,
                key,
            )


def test_defaults_are_spelled_as_in_the_file() -> None:
    sandbox = SCHEMA["$defs"]["sandbox"]["properties"]
    assert (sandbox["timeout"]["default"], sandbox["memory"]["default"]) == ("5m", "128MiB")
    assert SCHEMA["$defs"]["local-mcp-server"]["properties"]["timeout"]["default"] == "5s"
