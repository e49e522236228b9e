"""What commands without a server need, and what they do without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proxy.commands.running import Run
from tests.proxy.support import config_text, written

NEEDY = "{auth: {kind: bearer, token: {env: LOCAL_T}}}"
MAIN = "shop.org.main.items"


@pytest.mark.parametrize(
    "words",
    [
        ["explain", f"{MAIN}.get"],
        ["tools", "list"],
        ["tools", "search", "items"],
        ["tools", "describe", f"{MAIN}.get"],
        ["tools", "sources"],
    ],
)
def test_what_only_reads_the_config_needs_no_secrets(run: Run, tmp_path: Path, words: list[str]) -> None:
    ran = run(*words, "--config", str(written(tmp_path, config_text(connection=NEEDY))))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


def test_a_missing_secret_is_said_where_it_matters(run: Run, tmp_path: Path) -> None:
    config = str(written(tmp_path, config_text(connection=NEEDY)))
    assert "shop.org.main: needs_secret, auth bearer" in run("explain", f"{MAIN}.get", "--config", config).out
    assert "needs_secret LOCAL_T is not set" in run("tools", "sources", "--config", config).out


def test_a_call_needs_them(run: Run, tmp_path: Path) -> None:
    config = str(written(tmp_path, config_text(connection=NEEDY)))
    ran = run("call", f"{MAIN}.get", '{"id": "1"}', "--config", config)
    assert (ran.code, ran.out) == (78, "")
    assert "environment variable LOCAL_T is not set" in ran.err


@pytest.mark.parametrize("words", [["explain", f"{MAIN}.get"], ["tools", "list"], ["call", f"{MAIN}.get"]])
def test_settings_and_shape_are_still_judged(run: Run, tmp_path: Path, words: list[str]) -> None:
    config = str(written(tmp_path, config_text("{url: {env: LOCAL_URL}}")))
    ran = run(*words, "--config", config)
    assert (ran.code, ran.out) == (78, "")
    assert "environment variable LOCAL_URL is not set" in ran.err


def test_a_document_that_cannot_be_used_is_2(run: Run, tmp_path: Path) -> None:
    config = str(written(tmp_path, config_text('{inline: {"swagger": "1.2"}}')))
    ran = run("tools", "list", "--config", config)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("executor: ")
