"""Which local commands may be registered at run time: whole command lines that the config lists (T29).

An item of `api.allow_local_commands` is written as in a shell: `npx -y @modelcontextprotocol/server-filesystem /data`.
Variables that a registration may set stand before the program, as `NAME=`. Everything else is refused: a variable such
as NODE_OPTIONS makes any program run any code.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from integrations.base import JsonObject
from proxy.config.local_commands import split_allowed


def allowed_command(config: JsonObject, allowed: Sequence[str]) -> str | None:
    """None when `config` (a local server) may be registered; else what is not allowed, with the remedy."""
    command, names = tuple(config["command"]), frozenset(config.get("environment", {}))
    line = shlex.join(command)
    fitting = [variables for variables, words in map(split_allowed, allowed) if words == command]
    if not fitting:
        return f"`{line}` is not in `api.allow_local_commands`: list this whole command line there"
    if any(names <= variables for variables in fitting):
        return None
    missing = _listed(names - frozenset[str]().union(*fitting) or names)
    return (
        f"`{line}` may not be given {missing}: put `NAME=` before it in `api.allow_local_commands` for each "
        "variable that may be set"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
