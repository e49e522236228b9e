from pathlib import Path

from proxy.config import Config, load_config
from proxy.config.model import DEFAULT_RATE_LIMITS, RateLimit
from proxy.limits import LimitRule, RateWindow, applying, limit_rules, rules_of

SECTION = {
    "per-workspace": RateLimit.model_validate({"per": "workspace", "limit": "100/minute"}),
    "github-api": RateLimit.model_validate(
        {
            "per": "connection",
            "applies_to": "tool_calls",
            "limit": "5000/hour",
            "pattern": "github.*",
            "burst": 50,
            "wait": "10s",
            "on_store_failure": "deny",
        }
    ),
}


def test_every_key_arrives() -> None:
    assert limit_rules(SECTION) == (
        LimitRule("per-workspace", "workspace", "requests", RateWindow(100, 60)),
        LimitRule(
            "github-api", "connection", "tool_calls", RateWindow(5000, 3600), "github.*", 50, 10.0, "deny"
        ),
    )


def test_the_default() -> None:
    assert limit_rules(DEFAULT_RATE_LIMITS) == (
        LimitRule("per-workspace", "workspace", "requests", RateWindow(100, 60)),
    )


def config(folder: Path, text: str) -> Config:
    file = folder / "executor.yaml"
    file.write_text(text)
    loaded = load_config((file,), env={}).config
    assert loaded is not None
    return loaded


WORKSPACES = """
version: 1
workspaces: {big: {rate_limits: {all: 300/minute}}, small: {}}
rate_limits:
  all: {per: workspace, limit: 30/minute, respond: tool_error}
"""


def test_a_workspace_has_its_own_number(tmp_path: Path) -> None:
    (rule,) = rules_of(config(tmp_path, WORKSPACES))
    assert (rule.window("big"), rule.window("small")) == (RateWindow(300, 60), RateWindow(30, 60))
    assert (rule.as_result, rule.wait_seconds, rule.built_in) == (True, 2.0, False)


def test_only_what_no_config_names_is_built_in(tmp_path: Path) -> None:
    (rule,) = rules_of(config(tmp_path, "version: 1\n"))
    assert (rule.name, rule.window(), rule.built_in) == ("per-workspace", RateWindow(100, 60), True)
    assert rules_of(config(tmp_path, "version: 1\nrate_limits: {}\n")) == ()


def test_limits_of_a_tool() -> None:
    found = applying(SECTION, "github.org.main.repos.get")
    assert found == [{"name": "github-api", "limit": "5000/hour", "per": "connection"}]
    assert applying(SECTION, "crm.org.main.x") == []
