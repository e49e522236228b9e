"""Local commands over the API: whole command lines, and no variable that is not listed (T29)."""

from __future__ import annotations

import pytest

from proxy.config.local_commands import split_allowed
from proxy.overlay import allowed_command

LISTED = ("npx -y server /data", "TOKEN= REGION= ./run 'with space'")


@pytest.mark.parametrize(
    ("command", "names", "reason"),
    [
        (["npx", "-y", "server", "/data"], [], None),
        (["./run", "with space"], ["TOKEN"], None),
        (["./run", "with space"], ["TOKEN", "REGION"], None),
        (["npx", "-y", "server"], [], "is not in"),
        (["npx", "-y", "server", "/data", "/etc"], [], "is not in"),
        (["npx", "-y server /data"], [], "is not in"),
        (["npx", "-y", "server", "/data"], ["NODE_OPTIONS"], "`NODE_OPTIONS`"),
        (["./run", "with space"], ["TOKEN", "LD_PRELOAD"], "`LD_PRELOAD`"),
        (["sh", "-c", "npx -y server /data"], [], "is not in"),
    ],
)
def test_which_are_allowed(command: list[str], names: list[str], reason: str | None) -> None:
    config = {"type": "local", "command": command, "environment": dict.fromkeys(names, "x")}
    found = allowed_command(config, LISTED)
    assert (found is None) if reason is None else (found is not None and reason in found)
    assert allowed_command(config, ()) is not None


@pytest.mark.parametrize("text", ["", "A=", "A=1 run", "run 'open", "   "])
def test_what_is_no_command_line_is_no_config(text: str) -> None:
    with pytest.raises(ValueError):
        split_allowed(text)
