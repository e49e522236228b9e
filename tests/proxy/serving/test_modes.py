from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from proxy.config import ElicitationMode
from proxy.serving.http.errors import RequestRefusal
from proxy.serving.modes import ChosenMode, ModeRules, choose, requested_mode_of


@pytest.mark.parametrize(
    ("query", "requested"),
    [
        ("", None),
        ("elicitation_mode=model", "model"),
        ("elicitation_mode=browser", "browser"),
        ("elicitation_mode=native", "native"),
        ("allow_model_resume=true", "model"),
        ("allow_model_resume=0", None),
        ("elicitation_mode=browser&allow_model_resume=true", "browser"),
    ],
)
def test_what_a_client_asks_for(query: str, requested: str | None) -> None:
    assert requested_mode_of(dict(parse_qsl(query))) == requested


@pytest.mark.parametrize("word", ["", "Browser", "telepathy"])
def test_a_word_that_is_no_mode_never_means_model(word: str) -> None:
    with pytest.raises(RequestRefusal, match="one of model, browser, native") as refused:
        requested_mode_of({"elicitation_mode": word})
    assert refused.value.fault.status == 400


@pytest.mark.parametrize(
    ("rules", "requested", "mode"),
    [
        (ModeRules("browser"), None, "browser"),
        (ModeRules("browser"), "model", "model"),
        (ModeRules("model"), "native", "native"),
        (ModeRules("browser", client_may_choose=False), None, "browser"),
        (ModeRules("browser", client_may_choose=False), "browser", "browser"),
    ],
)
def test_who_may_choose_gets_what_it_asks_for(
    rules: ModeRules, requested: ElicitationMode | None, mode: ElicitationMode
) -> None:
    assert choose(rules, requested) == ChosenMode(mode)


def test_who_may_not_choose_gets_the_configs_mode_and_is_told() -> None:
    chosen = choose(ModeRules("browser", client_may_choose=False), "model")
    assert chosen.mode == "browser"
    assert "`model` was asked for" in (chosen.note or "")


def test_a_wish_for_a_person_is_never_turned_into_model() -> None:
    with pytest.raises(RequestRefusal, match="`browser` was asked for"):
        choose(ModeRules("model", client_may_choose=False), "browser")
