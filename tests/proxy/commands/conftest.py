"""The fixture that runs commands."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.proxy.commands.running import Run


@pytest.fixture
def run(env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(env, monkeypatch, capsys)
