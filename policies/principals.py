"""Who is meant: `key:ID`, `user:NAME`, `group:NAME`, `anonymous`. Rules and roles name callers in these words."""

from __future__ import annotations

from collections.abc import Sequence

from policies.rules import Caller

WORDS = ("key", "user", "group")


class PrincipalError(ValueError):
    """A word that names nobody; the text repeats it."""


class Principals:
    """Compiled names of callers. Immutable."""

    __slots__ = ("_anonymous", "_named")

    def __init__(self, names: Sequence[str]) -> None:
        """Raises `PrincipalError`."""
        for name in names:
            if name != "anonymous" and name.partition(":")[0] not in WORDS:
                raise PrincipalError(f"`{name}` is no principal")
        self._named = {word: _after(f"{word}:", names) for word in WORDS}
        self._anonymous = "anonymous" in names

    def admit(self, caller: Caller) -> bool:
        """Whether one of the names is this caller's."""
        named = self._named
        return (
            (caller.key is not None and caller.key in named["key"])
            or (caller.user is not None and caller.user in named["user"])
            or not named["group"].isdisjoint(caller.groups)
            or (self._anonymous and caller.anonymous)
        )


def _after(prefix: str, names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))
