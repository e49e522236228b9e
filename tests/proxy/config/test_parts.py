"""A file of a team alone: notes for what its neighbours say, errors for what nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import load_config
from proxy.config.parts import checked_alone

SERVER = "version: 1\nserver: {listen: 127.0.0.1:8080}\n"
API = "integrations:\n  api: {kind: openapi, spec: {url: https://a.example.com/o.json}}\n"
API += "connections: {api.org.main: {}}\n"
TEAM = "policies:\n  - {pattern: api.*, action: block}\n"


def said(folder: Path, text: str, beside: dict[str, str], part: bool = False) -> list[tuple[str, str, int]]:
    for name, other in beside.items():
        (folder / f"{name}.yaml").write_text(other)
    file = folder / "team.yaml"
    file.write_text(text)
    loaded = load_config([file], env=None)
    return [(one.severity, one.code, one.line) for one in checked_alone(loaded, file, None, part=part)]


def test_what_the_rest_says_is_a_note(tmp_path: Path) -> None:
    assert said(tmp_path, TEAM, {"server": SERVER, "api": API}) == [("note", "E202", 1), ("note", "E301", 2)]


def test_what_nobody_says_is_an_error(tmp_path: Path) -> None:
    wrong = TEAM + "  - {pattern: apy.*, action: block}\n  - {pattern: api.*, action: blok}\n"
    assert said(tmp_path, wrong, {"server": SERVER, "api": API}) == [
        ("note", "E202", 1),
        ("note", "E301", 2),
        ("error", "E301", 3),
        ("error", "E204", 4),
    ]


def test_a_whole_file_is_not_a_part(tmp_path: Path) -> None:
    assert said(tmp_path, SERVER + API + TEAM, {"api": "version: 1\n" + API}) == []


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"compose": "services: {api: {image: x}}\n"},
        {"broken": "a: [\n"},
        {"one": "version: 1\n" + API, "two": API},
    ],
)
def test_without_a_rest_that_is_one_config_everything_is_an_error(
    tmp_path: Path, beside: dict[str, str]
) -> None:
    assert said(tmp_path, TEAM, beside) == [("error", "E202", 1), ("error", "E301", 2)]
    assert said(tmp_path, TEAM, beside, part=True) == [("note", "E202", 1), ("note", "E301", 2)]


def test_a_neighbours_own_mistake_is_not_ours(tmp_path: Path) -> None:
    bad = "policies: [{pattern: other.*, action: block}]\n"
    assert said(tmp_path, TEAM, {"server": SERVER, "api": API, "zebra": bad}) == [
        ("note", "E202", 1),
        ("note", "E301", 2),
    ]


def test_an_integration_whose_connection_is_elsewhere(tmp_path: Path) -> None:
    api, _, connections = API.partition("connections")
    assert said(tmp_path, "version: 1\n" + api, {"rest": "connections" + connections}) == [
        ("note", "W611", 3)
    ]
