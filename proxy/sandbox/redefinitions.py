"""Where code declares a name for the second time: the engine says that it does, but at a place behind it."""

from __future__ import annotations

from typing import Final

from proxy.sandbox.recovery import Recovered, place_at, unshifted
from proxy.sandbox.tokens import Tokens

SAID: Final = "invalid redefinition"
_LEXICAL: Final = frozenset(("let", "const", "class"))
_DECLARING: Final = _LEXICAL | {"var", "function"}


def redefinition(recovered: Recovered) -> tuple[str, tuple[int, int]] | None:
    """The first name that is declared twice in one block, and its second place; None where none is seen."""
    tokens = Tokens(recovered.source)
    blocks: list[dict[str, str]] = [{}]
    for index, (_, word, _) in enumerate(tokens.items):
        if word == "{":
            blocks.append({})
        elif word == "}" and len(blocks) > 1:
            blocks.pop()
        elif word in _DECLARING and (named := _name_after(tokens, index)) is not None:
            name, at = named
            if name in blocks[-1] and not _LEXICAL.isdisjoint((word, blocks[-1][name])):
                return name, unshifted(place_at(recovered.source, at), recovered.shifts)
            blocks[-1].setdefault(name, word)
    return None


def _name_after(tokens: Tokens, index: int) -> tuple[str, int] | None:
    """The one name that a keyword declares here; a property or a pattern is none."""
    items = tokens.items
    if index and items[index - 1][1] in (".", "?."):
        return None
    index += 2 if index + 1 < len(items) and items[index + 1][1] == "*" else 1
    if index >= len(items) or items[index][0] != "name":
        return None
    return items[index][1], items[index][2]
