"""Bodies of registrations: what is right, and for everything else the place and the code of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.overlay.registration import (
    InvalidRegistration,
    ServerRegistration,
    inside_name,
    pointer_of,
    read_registration,
)

URL = "https://mcp.example.com/x"
REMOTE = {"type": "remote", "url": URL}
LOCAL = {"type": "local", "command": ["npx", "-y", "server"]}


def test_the_documented_bodies_are_read() -> None:
    found = read_registration({"name": "internal-docs", "config": REMOTE})
    assert (found.name, found.integration, found.prefix) == (
        "internal-docs",
        "internal_docs",
        "internal_docs.org.main",
    )
    assert (found.is_local, found.enabled) == (False, True)
    found = read_registration({"name": "fs", "config": {**LOCAL, "enabled": False, "environment": {"A": ""}}})
    assert (found.is_local, found.enabled) == (True, False)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "", "E202"),
        ({"name": "a"}, "", "E202"),
        ({"name": 1, "config": REMOTE}, "/name", "E203"),
        ({"name": "", "config": REMOTE}, "/name", "E206"),
        ({"name": "a" * 65, "config": REMOTE}, "/name", "E206"),
        ({"name": "a", "config": REMOTE, "more": 1}, "/more", "E201"),
        ({"name": "a", "config": []}, "/config", "E203"),
        ({"name": "a", "config": {}}, "/config", "E202"),
        ({"name": "a", "config": {"type": "http"}}, "/config/type", "E204"),
        ({"name": "a", "config": {"type": ["local"]}}, "/config/type", "E204"),
        ({"name": "a", "config": {"type": "remote"}}, "/config", "E202"),
        ({"name": "a", "config": {"type": "local"}}, "/config", "E202"),
        ({"name": "a", "config": {**REMOTE, "command": ["x"]}}, "/config/command", "E201"),
        ({"name": "a", "config": {**LOCAL, "url": URL}}, "/config/url", "E201"),
        ({"name": "a", "config": {**REMOTE, "timeout": 0}}, "/config/timeout", "E205"),
        ({"name": "a", "config": {**REMOTE, "timeout": -1}}, "/config/timeout", "E205"),
        ({"name": "a", "config": {**REMOTE, "timeout": 2**31}}, "/config/timeout", "E205"),
        ({"name": "a", "config": {**REMOTE, "timeout": 1.5}}, "/config/timeout", "E203"),
        ({"name": "a", "config": {**REMOTE, "timeout": "5s"}}, "/config/timeout", "E203"),
        ({"name": "a", "config": {**REMOTE, "timeout": False}}, "/config/timeout", "E203"),
        ({"name": "a", "config": {**REMOTE, "enabled": "no"}}, "/config/enabled", "E203"),
        ({"name": "a", "config": {**REMOTE, "url": ""}}, "/config/url", "E206"),
        ({"name": "a", "config": {**REMOTE, "url": None}}, "/config/url", "E203"),
        ({"name": "a", "config": {**REMOTE, "headers": []}}, "/config/headers", "E203"),
        ({"name": "a", "config": {**REMOTE, "headers": {"a/b~": 1}}}, "/config/headers/a~1b~0", "E203"),
        ({"name": "a", "config": {**REMOTE, "headers": {"A": "x\r\nB: y"}}}, "/config/headers/A", "E206"),
        ({"name": "a", "config": {**REMOTE, "headers": {"A": "\ud800"}}}, "/config/headers/A", "E206"),
        ({"name": "a", "config": {**REMOTE, "oauth": "yes"}}, "/config/oauth", "E203"),
        ({"name": "a", "config": {**REMOTE, "oauth": {"client_id": "x"}}}, "/config/oauth/client_id", "E201"),
        ({"name": "a", "config": {**LOCAL, "command": "npx"}}, "/config/command", "E203"),
        ({"name": "a", "config": {**LOCAL, "command": [""]}}, "/config/command/0", "E206"),
        ({"name": "a", "config": {**LOCAL, "command": ["a", 1]}}, "/config/command/1", "E203"),
        ({"name": "a", "config": {**LOCAL, "environment": {"A": None}}}, "/config/environment/A", "E203"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(body: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidRegistration) as refused:
        read_registration(body)
    first = refused.value.problems[0]
    assert (first.pointer, first.code) == (pointer, code)
    assert str(refused.value).startswith(pointer or "/")


def test_a_misspelt_key_is_recognised_and_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidRegistration) as refused:
        read_registration({"name": "a", "config": {**REMOTE, "headrs": {}, "timeout": 0}})
    problems = {one.pointer: one for one in refused.value.problems}
    assert problems["/config/headrs"].help == "did you mean `headers`?"
    assert set(problems) == {"/config/headrs", "/config/timeout"}
    assert problems["/config/timeout"].as_json().keys() == {"pointer", "code", "message"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (REMOTE, {**REMOTE, "enabled": True, "timeout": 5000, "headers": {}, "oauth": {}}, True),
        (REMOTE, {**REMOTE, "oauth": True}, True),
        (REMOTE, {**REMOTE, "oauth": False}, False),
        (REMOTE, {**REMOTE, "timeout": 5001}, False),
        (LOCAL, {**LOCAL, "environment": {}}, True),
        (LOCAL, {**LOCAL, "environment": {"A": "1"}}, False),
        (LOCAL, REMOTE, False),
    ],
)
def test_equal_means_the_same_with_defaults_filled_in(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert ServerRegistration("a", "a", one).same_as(ServerRegistration("a", "a", other)) is same


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("integrations.a", "/name"),
        ("integrations.a.url", "/config/url"),
        ("integrations.a.command[2]", "/config/command/2"),
        ("integrations.a.headers.X-Api-Key", "/config/headers/X-Api-Key"),
        ("integrations.a.oauth.client_secret", "/config/oauth/clientSecret"),
        ("connections.a.org.main", "/config"),
        ("", "/config"),
    ],
)
def test_places_of_the_config_lead_to_places_of_the_body(path: str, pointer: str) -> None:
    assert pointer_of("a", path) == pointer


def test_names_inside() -> None:
    assert [inside_name(name) for name in ("internal-docs", "a.b", "a_b")] == ["internal_docs", "a_b", "a_b"]
