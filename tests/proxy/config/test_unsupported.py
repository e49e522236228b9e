import pytest

from proxy.config.model import Config
from proxy.config.suggestions import allowed_keys
from proxy.config.unsupported import GAPS, gaps_in, refusals
from tests.proxy.config.texts import API, codes, load, only


def test_defaults_ask_for_nothing() -> None:
    assert codes(API) == []


def test_a_gap_names_its_line_and_what_happens_instead() -> None:
    found = only(API + "lock:\n  mode: warn\n")
    assert (found.code, found.severity, found.line) == ("W690", "warning", 9)
    assert (
        found.message == "`lock.mode: warn` is not supported yet: tools are not compared with the lock file"
    )


@pytest.mark.parametrize(
    "text",
    ["state: {backend: memory}", "audit: {sink: off}", "lock: {mode: off}", "api: {registration: off}"],
)
def test_what_asks_for_nothing_is_not_warned_about(text: str) -> None:
    assert codes(f"{API}{text}\n") == []


def test_what_would_be_unsafe_to_ignore() -> None:
    data = {"lock": {"mode": "enforce"}, "integrations": {"a": {}}}
    assert refusals(data) == [("lock",)]
    assert "refuses to start" in load(API + "lock: {}\n").diagnostics[0].message


def test_every_gap_is_a_key_of_the_language() -> None:
    for gap in GAPS:
        *above, last = (
            0 if step == "*" and index else step for index, step in enumerate(gap.path.split("."))
        )
        path = tuple("x" if step == 0 and above[0] != "policies" else step for step in above)
        assert last in (allowed_keys(path, {}) if path else Config.model_fields), gap.path


def test_gaps_reach_into_lists_and_maps() -> None:
    data = {
        "server": {"listen": "127.0.0.1:1"},
        "lock": {"mode": "warn"},
    }
    assert [path for _, path, _ in gaps_in(data)] == [("lock", "mode")]
