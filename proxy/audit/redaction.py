"""Arguments as an audit line may show them.

    none      nothing
    digest    {"sha256": ..., "bytes": ...}
    redacted  the same and {"value": ...}, with "[redacted]" for what the rules name
    full      the same, with everything

A pattern without a dot names a key at any depth; one with dots names the end of a path, each `*` one step (`*.card`
is `card` in anything). Case does not matter. Keys that nearly always hold a secret are always redacted. Whatever the
mode, a value longer than `LONGEST` bytes is left out, and its digest stands for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from integrations.json_text import read_json

if TYPE_CHECKING:
    from proxy.config.model import ShownArguments

HIDDEN: Final = "[redacted]"
LONGEST: Final = 16_384
_SECRET: Final = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|secret|token|authorization|cookie|api_?key|private_?key|access_?key"
    r"|credentials?|passphrase|pin|cvv|cvc)$"
)
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-. ]")


@dataclass(frozen=True, slots=True)
class Redaction:
    """How arguments are shown; `patterns` add to the keys that are known to hold secrets."""

    mode: ShownArguments = "redacted"
    patterns: tuple[str, ...] = ()
    _ends: tuple[tuple[str, ...], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        ends = tuple(tuple(one.lower().split(".")) for one in self.patterns)
        object.__setattr__(self, "_ends", ends)

    def shown(self, arguments: bytes | None, sha256: str | None) -> dict[str, Any]:
        """The `arguments` of a line from their canonical JSON; empty when there is nothing to show."""
        if self.mode == "none" or arguments is None or sha256 is None:
            return {}
        shown: dict[str, Any] = {"sha256": sha256, "bytes": len(arguments)}
        if self.mode != "digest" and len(arguments) <= LONGEST:
            value = read_json(arguments)
            shown["value"] = value if self.mode == "full" else self._redacted(value, ())
        return shown

    def _redacted(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._member(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self._member(item, (*path, str(at))) for at, item in enumerate(value)]
        return value

    def _member(self, value: Any, path: tuple[str, ...]) -> Any:
        return HIDDEN if self._hides(path) else self._redacted(value, path)

    def _hides(self, path: tuple[str, ...]) -> bool:
        if _SECRET.search(_BETWEEN_WORDS.sub("_", path[-1]).lower()):
            return True
        steps = tuple(step.lower() for step in path)
        return any(_ends_with(steps, end) for end in self._ends)


def _ends_with(steps: tuple[str, ...], end: tuple[str, ...]) -> bool:
    if len(steps) < len(end):
        return False
    tail = steps[len(steps) - len(end) :]
    return all(want in ("*", step) for want, step in zip(end, tail, strict=True))
