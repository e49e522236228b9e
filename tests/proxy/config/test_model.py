from pathlib import Path

import pytest
from pydantic import ValidationError

from integrations.fields import Listen
from proxy.config import load_config
from proxy.config.model import Config
from tests.proxy.config.texts import only, valid

EXAMPLE = Path(__file__).parents[3] / "executor.yaml.example"


def test_the_example_has_no_errors_and_warns_of_nothing() -> None:
    loaded = load_config([EXAMPLE], env=None)
    assert loaded.diagnostics == ()
    assert loaded.config is not None
    counts = (len(loaded.config.integrations), len(loaded.config.connections), len(loaded.config.policies))
    assert counts == (5, 7, 5)


def test_the_documented_defaults() -> None:
    config = Config(version=1)
    assert config.server.listen == Listen("127.0.0.1", 8080)
    assert (config.sandbox.timeout, config.sandbox.memory) == (300.0, 128 * 1024 * 1024)
    assert config.elicitation.client_may_choose is True
    assert str(config.rate_limits["per-workspace"].limit) == "100/minute"
    assert config.auth is None


def test_models_are_frozen() -> None:
    config = Config(version=1)
    with pytest.raises(ValidationError):
        config.server.public_url = "https://x.example.com"


def test_an_empty_rate_limits_section_turns_the_default_off() -> None:
    assert valid("version: 1\nrate_limits: {}\n").config.rate_limits == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("sandbox: {timeout: 20m}", 20, "`timeout` is longer than `max_timeout`"),
        ("sandbox: {max_timeout: 1s}", 24, "`timeout` is longer than `max_timeout`"),
        ("sandbox: {memory: 129MiB}", 19, "must be at most 128MiB"),
        ("rate_limits: {a: {per: tool, limit: 1/day}}", 24, "`tool` is only for `applies_to: tool_calls`"),
    ],
)
def test_rules_over_several_keys(line: str, column: int, message: str) -> None:
    found = only(f"version: 1\n{line}\n")
    assert (found.code, found.line, found.column) == ("E206", 2, column)
    assert message in found.message
