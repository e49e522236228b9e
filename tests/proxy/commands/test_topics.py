"""`executor help TOPIC` for every kind of topic."""

from __future__ import annotations

import pytest

from proxy.cli import COMMANDS
from proxy.config.diagnostic import CODES
from tests.proxy.commands.running import Run


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("", "usage: executor "),
        ("tools list", "usage: executor tools list"),
        ("E402", "E402: environment variable not set"),
        ("w609", "A warning"),
        ("codes", "E702"),
        ("exit-codes", "the config is invalid"),
        ("environment", "EXECUTOR_STATE_DIR"),
        ("server", "listen"),
        ("server.listen", "server.listen: HOST:PORT"),
        ("connections.auth", "kind"),
        ("policies.pattern", "policies.pattern: "),
        ("config", "integrations"),
        ("topics", "exit-codes"),
        ("integrations.github.spec", "integrations.github.spec: "),
        ("connections.github.org.main.auth", "kind"),
        ("workspaces.acme.policies.pattern", "workspaces.acme.policies.pattern: "),
    ],
)
def test_a_topic_is_explained(run: Run, topic: str, said: str) -> None:
    ran = run("help", *topic.split())
    assert (ran.code, ran.err) == (0, "")
    assert said in ran.out


def test_every_command_and_code_is_a_topic(run: Run) -> None:
    assert not [one for one in (*CODES, *(each.name for each in COMMANDS)) if run("help", one).code]


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("servr", "did you mean `server`?"),
        ("xyzzy", "see `executor help topics`"),
        ("integrations.sepc", "did you mean"),
        ("server.x.listen", ""),
    ],
)
def test_what_is_no_topic(run: Run, topic: str, hint: str) -> None:
    ran = run("help", topic)
    assert (ran.code, ran.out) == (1, "")
    assert hint in ran.err
