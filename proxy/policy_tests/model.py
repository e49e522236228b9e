"""What a `*.test.yaml` may say."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from integrations.fields import Maybe, Model, Name, NonEmptyTuple, Text, Tuple
from policies import Action


class Expectation(Model):
    """What must come out, and, where given, which rule decides (its id, `policies[3]`, or `approve_by_default`)."""

    action: Action
    rule: Maybe[Text] = None


class TestCaller(Model):
    """Who calls. A key brings its workspace and groups with it."""

    __test__ = False

    key: Maybe[Text] = None
    user: Maybe[Text] = None
    groups: Tuple[Text] = ()
    workspace: Maybe[Name] = None


class PolicyTest(Model):
    """One call and what must become of it. Without `arguments` no rule may depend on them."""

    name: Text
    tool: Text
    arguments: Maybe[dict[str, Any]] = None
    as_: Annotated[TestCaller, Field(alias="as")] = TestCaller()
    expect: Expectation


class PolicyTests(Model):
    """One file."""

    version: Maybe[Literal[1]] = None
    tests: NonEmptyTuple[PolicyTest]


def tests_schema_text() -> str:
    """The JSON Schema (2020-12) of a file of tests, for editors."""
    schema = PolicyTests.model_json_schema(by_alias=True)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **schema}, indent=2, ensure_ascii=False) + "\n"
