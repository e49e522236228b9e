from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from proxy.catalog import CatalogConnection, everything
from proxy.config import ELICITATION_MODES, ElicitationMode
from proxy.serving.mcp.tools import (
    PAUSE_RULES,
    BadArgument,
    ResumeArguments,
    execute_schema,
    read_execute,
    read_resume,
    resume_schema,
)
from tests.proxy.catalog.samples import Tools, catalog, connection, tool

RUNTIMES = ("quickjs", "other")


def test_defaults() -> None:
    request = read_execute({"code": " return 1 "}, RUNTIMES, "mcp_1")
    assert request.code == " return 1 "
    assert (request.timeout_ms, request.runtime_id, request.session_id) == (None, "quickjs", "mcp_1")


def test_all_given() -> None:
    given = {"code": "1", "timeoutMs": 100, "runtimeId": "other", "sessionId": "s", "metadata": {"a": 1}}
    request = read_execute(given, RUNTIMES, "mcp_1")
    assert (request.timeout_ms, request.runtime_id, request.session_id, dict(request.metadata)) == (
        100,
        "other",
        "s",
        {"a": 1},
    )


def test_field_17_what_models_spell_otherwise_is_read_as_what_it_means() -> None:
    request = read_execute({"code": "1", "timeoutMs": "5000", "metadata": '{"a": 1}'}, RUNTIMES, None)
    assert (request.timeout_ms, dict(request.metadata)) == (5000, {"a": 1})
    nothing = dict.fromkeys(("timeoutMs", "runtimeId", "sessionId", "metadata"))
    assert read_execute({"code": "1", **nothing}, RUNTIMES, "s") == read_execute({"code": "1"}, RUNTIMES, "s")


BAD_EXECUTE = [
    ({}, "`code` is required"),
    ({"code": None}, "`code` is required"),
    ({"code": 1}, "`code` must be a string"),
    ({"code": ""}, "`code` must not be empty"),
    ({"code": " \n\t "}, "`code` must not be empty"),
    ({"code": "x" * 262_145}, "`code` has 262,145 characters; at most 262,144"),
    ({"code": "1", "timeoutMs": 99}, "`timeoutMs` must be an integer from 100 to 600000"),
    ({"code": "1", "timeoutMs": 600_001}, "`timeoutMs`"),
    ({"code": "1", "timeoutMs": 100.5}, "`timeoutMs`"),
    ({"code": "1", "timeoutMs": "soon"}, 'not "soon"; leave it out'),
    ({"code": "1", "timeoutMs": True}, "`timeoutMs`"),
    ({"code": "1", "runtimeId": "deno"}, "`runtimeId` must be one of quickjs, other"),
    ({"code": "1", "runtimeId": 1}, "`runtimeId` must be a string"),
    ({"code": "1", "sessionId": "s" * 257}, "`sessionId` must have at most 256"),
    ({"code": "1", "metadata": []}, "`metadata` must be an object, not []"),
    ({"code": "1", "metadata": ""}, 'must be an object, not ""; leave it out'),
    ({"code": "1", "timeout": 5}, "unknown property `timeout`; the properties are code, timeoutMs"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_EXECUTE)
def test_bad_execute_arguments_name_the_field(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArgument) as caught:
        read_execute(arguments, RUNTIMES, None)
    assert words in str(caught.value)


def test_t22_metadata_is_bounded_because_every_audit_record_holds_it() -> None:
    with pytest.raises(BadArgument, match="`metadata` must not be larger than 16384 bytes"):
        read_execute({"code": "1", "metadata": {"a": "b" * 20_000}}, RUNTIMES, None)


def test_the_schema_refuses_no_more_than_the_check() -> None:
    validator = Draft202012Validator(execute_schema(RUNTIMES))
    for arguments in (
        {"code": "1"},
        {"code": "x" * 262_144},
        {"code": "1", "timeoutMs": 5000.0, "metadata": {}},
    ):
        assert validator.is_valid(arguments)
        read_execute(arguments, RUNTIMES, None)
    assert all(
        not validator.is_valid(arguments) for arguments, _ in BAD_EXECUTE if arguments != {"code": " \n\t "}
    )


def test_resume_arguments() -> None:
    assert read_resume({"executionId": "e", "action": "accept"}) == ResumeArguments("e", "accept", None, None)
    assert read_resume({"executionId": "e"}) == ResumeArguments("e", None, None, None)
    given = {"executionId": "e", "action": "decline", "content": '{"a": 1}', "interactionId": "i"}
    assert read_resume(given) == ResumeArguments("e", "decline", {"a": 1}, "i")
    Draft202012Validator(resume_schema()).validate(given)


def test_where_a_person_decides_resume_only_waits() -> None:
    waiting = Draft202012Validator(resume_schema(decides=False))
    waiting.validate({"executionId": "e"})
    assert not waiting.is_valid({"executionId": "e", "action": "accept"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"action": "accept"}, "`executionId` is required"),
        ({"executionId": "", "action": "accept"}, "`executionId` is required"),
        ({"executionId": "e", "action": "yes"}, "`action`"),
        ({"executionId": "e", "action": "accept", "content": "{"}, "`content`"),
        ({"executionId": "e", "action": "accept", "content": "[1]"}, "`content`"),
        ({"executionId": "e", "action": "accept", "content": 3}, "`content`"),
        ({"executionId": "e", "action": "accept", "code": "1"}, "unknown property `code`"),
    ],
)
def test_bad_resume_arguments_name_the_field(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArgument) as caught:
        read_resume(arguments)
    assert words in str(caught.value)


NAMES = st.text("abcdefghij", min_size=1, max_size=12)
TITLES = st.text(max_size=90) | st.sampled_from(
    ["", "GitHub v3 REST API", "\u00fc" * 60, *PAUSE_RULES.values()]
)
TOOLS = st.lists(
    st.builds(tool, NAMES.map(lambda name: f"items.{name}"), TITLES, st.sampled_from(["read", "write"])),
    max_size=25,
    unique_by=lambda each: each.name,
).map(lambda tools: Tools(tuple(tools)))
CONNECTIONS = st.lists(
    st.builds(
        connection,
        st.builds("{}.{}.{}".format, NAMES, NAMES, NAMES),
        st.none() | TOOLS,
        TITLES,
        st.sampled_from(["connected", "needs_auth"]),
    ),
    max_size=60,
    unique_by=lambda each: each.prefix,
)


@given(CONNECTIONS, st.sampled_from(ELICITATION_MODES), st.integers(1, 6_000), st.integers(0, 30))
def test_no_description_reaches_its_limit_in_any_mode(
    connections: list[CatalogConnection], mode: ElicitationMode, max_bytes: int, inline_tools: int
) -> None:
    text = catalog(*connections).description(
        everything, max_bytes=max_bytes, inline_tools=inline_tools, pause_rule=PAUSE_RULES[mode]
    )
    assert len(text.encode()) < max_bytes
    if max_bytes >= 2_048:
        assert f"\n- {PAUSE_RULES[mode]}\n" in text


@pytest.mark.parametrize("mode", ELICITATION_MODES)
def test_a_full_description_keeps_its_limit_in_every_mode(mode: ElicitationMode) -> None:
    services = [
        connection(f"svc{n:04}.org.main", Tools((tool("a.list"),)), f"Service {n}") for n in range(300)
    ]
    text = catalog(*services).description(everything, inline_tools=0, pause_rule=PAUSE_RULES[mode])
    assert 1_900 < len(text.encode()) < 2_048
