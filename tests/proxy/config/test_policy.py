import pytest
from pydantic import ValidationError

from proxy.config.policy import ConditionConfig, RuleConfig
from tests.proxy.config.texts import API, only


def test_an_absent_key_and_null_are_two_things() -> None:
    assert ConditionConfig.model_validate({"equals": None}).model_fields_set == {"equals"}
    assert ConditionConfig.model_validate({"exists": True}).model_fields_set == {"exists"}


@pytest.mark.parametrize("condition", [{}, None, "main", 5, ["a"], {"at_most": True}, {"in": []}])
def test_conditions_that_say_nothing(condition: object) -> None:
    with pytest.raises(ValidationError):
        ConditionConfig.model_validate(condition)


@pytest.mark.parametrize(
    ("value", "help"),
    [("main", "{equals: main}"), ("true", "{equals: true}"), ("[a, 1]", "{equals: [a, 1]}")],
)
def test_a_bare_value_is_probably_meant_to_be_equal(value: str, help: str) -> None:
    found = only(API + f"policies:\n  - {{pattern: api.*, action: block, when: {{a: {value}}}}}\n")
    assert found.help == f"did you mean {help}?"


def test_defaults_of_a_rule() -> None:
    rule = RuleConfig.model_validate({"pattern": "*", "action": "block"})
    assert (rule.approver, rule.disclose, rule.principals, rule.risk) == ("model", True, None, None)
