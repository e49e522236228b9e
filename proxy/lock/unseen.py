"""Characters that people do not see, or that change how the text around them reads, spelled for reviewers."""

from __future__ import annotations

from typing import Final

from integrations.schema_types import is_hidden

_USUAL: Final = frozenset("\n\t\r")


def is_unseen(char: str) -> bool:
    """Zero width, tags, variation selectors, direction marks, blanks that are letters, controls but line ends."""
    return char not in _USUAL and is_hidden(char)


def shown(text: str) -> str:
    """The text with what is unseen spelled: `<U+200B>`."""
    return "".join(f"<U+{ord(char):04X}>" if is_unseen(char) else char for char in text)


def unseen_in(text: str) -> list[str]:
    """The different unseen characters of a text, in order, spelled."""
    return list(dict.fromkeys(f"<U+{ord(char):04X}>" for char in text if is_unseen(char)))
