"""What a policy rule may say. What it means is decided in the `policies` package."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from integrations.fields import Maybe, Model, NonEmptyTuple, PrincipalName, Regex, Text, problem
from policies import Action, Approver, Risk

Number = Annotated[int | float, Field(union_mode="left_to_right")]


class ConditionConfig(Model):
    """A test of one argument. Every given key must hold; `equals: null` is given, an absent key is not."""

    equals: Any = None
    in_: Annotated[Maybe[NonEmptyTuple[Any]], Field(alias="in")] = None
    not_in: Maybe[NonEmptyTuple[Any]] = None
    matches: Maybe[Regex] = None
    at_most: Maybe[Number] = None
    at_least: Maybe[Number] = None
    exists: Maybe[bool] = None

    @model_validator(mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if value == {} or value is None:
            raise problem("E206", "condition is empty", "write for example {equals: acme}")
        if not isinstance(value, dict):
            raise problem("E206", "expected a condition", f"did you mean {{equals: {_inline(value)}}}?")
        return value


def _inline(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"[:60]
    return (
        {True: "true", False: "false"}.get(value, str(value)[:40])
        if isinstance(value, bool)
        else str(value)[:40]
    )


class RuleConfig(Model):
    """One rule. `approver: human` can never be satisfied by the caller that asks."""

    id: Maybe[Text] = None
    pattern: Text
    action: Action
    principals: Maybe[NonEmptyTuple[PrincipalName]] = None
    when: dict[Text, ConditionConfig] = Field(
        default_factory=dict, description="Conditions by argument path; all must hold"
    )
    risk: Maybe[NonEmptyTuple[Risk]] = None
    approver: Approver = "model"
    reason: Maybe[str] = None
    disclose: bool = True
