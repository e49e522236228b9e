from policies import Caller, Condition, Layer, Rule, ToolFacts, compile_policies, explain_json, explain_text
from policies.explain import split_source

POLICIES = compile_policies(
    [
        Layer(
            "policies",
            (
                Rule(
                    "sandbox-is-free",
                    "github.org.main.*",
                    "approve",
                    when={
                        "owner": Condition(equals="acme"),
                        "repo": Condition(in_=("sandbox", "playground")),
                    },
                    source="executor.yaml:113",
                ),
                Rule("crm-sandbox", "crm.org.sandbox.*", "approve", source="executor.yaml:123"),
            ),
        ),
        Layer(
            "workspaces.ws_support.policies",
            (
                Rule(
                    "workspaces.ws_support.policies[0]",
                    "crm.*.*.mutation.*",
                    "require_approval",
                    reason="Support changes need a second pair of eyes",
                    source="executor.yaml:46",
                ),
            ),
        ),
    ]
)
CONTACT = ToolFacts(
    "crm.org.sandbox.mutation.deleteContact", "crm", "write", "reads", "executor.yaml:60", "mutation"
)
UPDATE = ToolFacts(
    "github.org.main.repos.update",
    "github",
    "write",
    "reads",
    "executor.yaml:48",
    "PATCH /repos/{owner}/{repo}",
)

# Two explanations, to the character.
REASON = "Support changes need a second pair of eyes"
CONTACT_TEXT = f"""\
crm.org.sandbox.mutation.deleteContact: require_approval
  approve           crm-sandbox                        executor.yaml:123
  require_approval  workspaces.ws_support.policies[0]  executor.yaml:46    {REASON}
                    ↑ the stricter layer wins"""
UPDATE_TEXT = """\
github.org.main.repos.update: require_approval
  skipped           sandbox-is-free                    executor.yaml:113   `repo` does not hold
  require_approval  approve_by_default: reads          executor.yaml:48    PATCH /repos/{owner}/{repo}"""


def test_two_explanations_to_the_character() -> None:
    assert explain_text(CONTACT, POLICIES.decide(CONTACT, Caller(), {})) == CONTACT_TEXT
    decision = POLICIES.decide(UPDATE, Caller(), {"owner": "acme", "repo": "website"})
    assert explain_text(UPDATE, decision) == UPDATE_TEXT


def test_long_names_widen_their_column() -> None:
    rule = Rule("r" * 50, "*", "block", reason="two\nlines", source="/etc/executor/30-policies.yaml:7")
    decision = compile_policies([Layer("policies", (rule,))]).decide(UPDATE, Caller(), {})
    line = explain_text(UPDATE, decision).splitlines()[1]
    assert line == f"  block             {rule.id}  {rule.source}  two lines"


def test_no_arrow_when_the_layers_agree() -> None:
    layers = [Layer("policies", (Rule("a", "*", "block"),)), Layer("ws", (Rule("b", "*", "block"),))]
    text = explain_text(UPDATE, compile_policies(layers).decide(UPDATE, Caller(), {}))
    assert "↑" not in text
    assert len(text.splitlines()) == 3


def test_json_says_the_same() -> None:
    assert explain_json(UPDATE, POLICIES.decide(UPDATE, Caller(), None)) == {
        "tool": "github.org.main.repos.update",
        "action": "require_approval",
        "rule": None,
        "default": "reads",
        "file": "executor.yaml",
        "line": 48,
        "reason": None,
        "approver": "model",
        "conditional": True,
        "considered": [
            {
                "rule": "sandbox-is-free",
                "action": "approve",
                "outcome": "skipped",
                "file": "executor.yaml",
                "line": 113,
                "note": "depends on `owner`, `repo`",
            },
            {
                "rule": "approve_by_default: reads",
                "action": "require_approval",
                "outcome": "decided",
                "file": "executor.yaml",
                "line": 48,
                "note": "PATCH /repos/{owner}/{repo}",
            },
        ],
    }
    ruled = explain_json(CONTACT, POLICIES.decide(CONTACT, Caller(), {}))
    assert (ruled["rule"], ruled["default"]) == ("workspaces.ws_support.policies[0]", None)


def test_sources_are_split_at_the_line() -> None:
    assert split_source("a/b.yaml:12") == ("a/b.yaml", 12)
    assert split_source("c:/b.yaml:12") == ("c:/b.yaml", 12)
    assert split_source("b.yaml") == ("b.yaml", None)
    assert split_source("") == (None, None)
