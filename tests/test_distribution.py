"""Executor owns three short top-level names; it is an application with an environment of its own."""

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).parent.parent
NAMES = {"proxy", "policies", "integrations", "executor_proxy"}


def test_no_other_distribution_owns_our_names() -> None:
    owners = {
        distribution.metadata["Name"]
        for distribution in metadata.distributions()
        for file in distribution.files or ()
        if file.parts[0].removesuffix(".py") in NAMES
    }
    assert owners <= {"executor-proxy"}


def test_the_command_is_installed() -> None:
    for name in ("executor", "executor-proxy"):
        scripts = metadata.entry_points(group="console_scripts", name=name)
        assert {script.value for script in scripts} == {"executor_proxy.__main__:main"}


def test_every_lock_line_is_a_pinned_version() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines
    assert all(line.count("==") == 1 and "/" not in line for line in lines)


def test_make_describes_every_public_target() -> None:
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    ).stdout
    for target in ("install", "run", "test", "check", "bench", "specs", "lock", "clean"):
        assert f"make {target} " in listed


def test_ci_runs_make_check_and_then_its_stages() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    made = [line for line in script.read_text().splitlines() if line.startswith("make ")]
    assert made == ["make check", "make deploy-test-if-possible", "make cluster-test-if-possible"]


def only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key stands twice: {[key for key, _ in pairs]}"
    return dict(pairs)


REGISTRY = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"


def text(longest: int = 1_000) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


INPUT = {
    "description": text(),
    "format": {"enum": ["string", "number", "boolean", "filepath"]},
    "isRequired": {"type": "boolean"},
    "placeholder": text(),
    "value": text(),
}
ARGUMENT = {
    "anyOf": [
        closed(["type", "value"], type={"const": "positional"}, **INPUT),
        closed(["type", "name"], type={"const": "named"}, name=text(), **INPUT),
    ]
}
PACKAGE = closed(
    ["registryType", "identifier", "transport"],
    registryType=text(),
    identifier=text(),
    version=text() | {"not": {"const": "latest"}},
    runtimeHint=text(),
    transport=closed(["type"], type={"const": "stdio"}),
    packageArguments={"type": "array", "items": ARGUMENT},
)
REGISTRY_SCHEMA = closed(
    ["$schema", "name", "description", "version"],
    name=text(200) | {"minLength": 3, "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
    title=text(100),
    description=text(100),
    version=text(255),
    packages={"type": "array", "items": PACKAGE},
    **{"$schema": {"const": REGISTRY}},
)


def test_the_registry_takes_the_entry() -> None:
    """By the constraints that the schema of 2025-12-11 has for the keys that are used here; it knows more keys."""
    Draft7Validator.check_schema(REGISTRY_SCHEMA)
    entry = json.loads((ROOT / "server.json").read_text())
    assert [one.message for one in Draft7Validator(REGISTRY_SCHEMA).iter_errors(entry)] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "no-slash"},
        {"description": "x" * 101},
        {"version": None},
        {"packages": [{"registryType": "pypi", "identifier": "x"}]},
        {
            "packages": [
                {
                    "registryType": "pypi",
                    "identifier": "x",
                    "transport": {"type": "stdio"},
                    "version": "latest",
                }
            ]
        },
        {"repository": {"url": "https://example.com"}},
    ],
)
def test_the_registry_refuses_what_is_none(changes: dict[str, Any]) -> None:
    entry = {**json.loads((ROOT / "server.json").read_text()), **changes}
    assert not Draft7Validator(REGISTRY_SCHEMA).is_valid(entry)


def test_the_entry_of_the_registry_says_what_there_is() -> None:
    """Keys that the schema does not know are our mistakes."""
    entry = json.loads((ROOT / "server.json").read_text(), object_pairs_hook=only_once)
    assert set(entry) == {"$schema", "name", "title", "description", "version", "packages"}
    assert f"mcp-name: {entry['name']} " in (ROOT / "README.md").read_text()
    (package,) = entry["packages"]
    assert {package["version"], entry["version"]} == {metadata.version("executor-proxy")}
    assert (package["registryType"], package["identifier"]) == ("pypi", "executor-proxy")
    assert package["transport"] == {"type": "stdio"}
    assert set(package) == {
        *("registryType", "identifier", "version", "runtimeHint", "transport", "packageArguments"),
    }
    command, config = package["packageArguments"]
    assert command == {"type": "positional", "value": "mcp"}
    assert set(config) == {"type", "name", "description", "format", "isRequired", "placeholder"}
    assert (config["type"], config["name"], config["format"]) == ("named", "--config", "filepath")
