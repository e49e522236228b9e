from proxy.config.model import DEFAULT_RATE_LIMITS, RateLimit
from proxy.limits import LimitRule, RateWindow, applying, limit_rules

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


def test_limits_of_a_tool() -> None:
    found = applying(SECTION, "github.org.main.repos.get")
    assert found == [{"name": "github-api", "limit": "5000/hour", "per": "connection"}]
    assert applying(SECTION, "crm.org.main.x") == []
