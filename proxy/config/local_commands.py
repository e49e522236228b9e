"""Items of `api.allow_local_commands`: whole command lines, and the variables that may be set for them."""

from __future__ import annotations

import re
import shlex

_VARIABLE = re.compile(r"([A-Za-z_]\w*)=", re.ASCII)


def split_allowed(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The variables and the command of one item. Raises `ValueError` for what is no command line."""
    words = shlex.split(text)
    names = []
    while words and (found := _VARIABLE.fullmatch(words[0])):
        names.append(found[1])
        words.pop(0)
    if not words:
        raise ValueError("there is no program in it")
    if _VARIABLE.match(words[0]):
        raise ValueError(f"`{words[0]}`: whoever registers the server gives the value, write `NAME=` alone")
    return frozenset(names), tuple(words)
