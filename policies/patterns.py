"""Patterns over tool addresses: `<integration>.<owner>.<connection>.<tool...>`.

Rules:
- `*` alone matches everything; a trailing `.*` matches everything below a prefix, and the prefix itself.
- `*` as a whole segment matches exactly one segment; inside the tool part it also matches within a segment
  (`issues.create*`), and there it never crosses a dot.
- A pattern that could never match a tool is an error, because such a rule would silently do nothing. No tool
  has a hyphen in its address: names are identifiers, so that code can write them.
- What is suggested instead is itself a pattern.

Matching is case-sensitive and uses no regular expressions. It compares code points of NFC, the form in which tools
are named.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

ADDRESS_SEGMENTS = 4
"""The fewest segments a tool's address has: integration, owner, connection, and one of the tool's name."""

OWNERS = ("org", "user")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Letters of every script; marks beside letters are outside of `\w`, and what no name can hold is not worth a list.
_TOOL_SEGMENT = re.compile(r"(?:[\w$*]|[^\x00-\x7f\s])+")
_NAME_HASH = 8
_HEAD = ("integration", "owner", "connection")

PatternFault = Literal["syntax", "segments", "owner", "hyphen"]


class PatternError(ValueError):
    """A pattern that can never match a tool. `message` names the fault, `help` (when known) the remedy.

    `guesses` are patterns that may have been meant, likeliest first.
    """

    def __init__(
        self, message: str, kind: PatternFault, help: str | None = None, guesses: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.guesses = tuple(filter(is_pattern, guesses))
        self.help = f"did you mean `{self.guesses[0]}`?" if self.guesses else help


@dataclass(frozen=True, slots=True)
class Pattern:
    """A checked pattern. `segments` excludes the trailing `*`; `below` says that there was one."""

    text: str
    segments: tuple[str, ...]
    below: bool

    @property
    def integration(self) -> str | None:
        """The integration it names, or None when any will do."""
        return self._named(0)

    @property
    def owner(self) -> str | None:
        return self._named(1)

    @property
    def connection(self) -> str | None:
        return self._named(2)

    def _named(self, position: int) -> str | None:
        segment = self.segments[position] if len(self.segments) > position else "*"
        return None if segment == "*" else segment

    def matches(self, address: str) -> bool:
        """Whether it covers this address (no leading `tools.`)."""
        return self.matches_segments(tuple(address.split(".")))

    def matches_segments(self, address: tuple[str, ...]) -> bool:
        """The same for an address that is already cut at its dots."""
        own = len(self.segments)
        if len(address) < own or (len(address) > own and not self.below):
            return False
        return all(map(segment_matches, self.segments, address))

    def reaches_below(self, head: Sequence[str]) -> bool:
        """Whether it may match something below these first segments (integration, owner, connection)."""
        return all(map(segment_matches, self.segments, head))

    def padded(self) -> tuple[str, ...]:
        """Segments filled up with `*` to the shortest address: no tool that `github.*` matches has fewer."""
        missing = ADDRESS_SEGMENTS - len(self.segments)
        return self.segments + ("*",) * missing if self.below and missing > 0 else self.segments


def segment_matches(segment: str, text: str) -> bool:
    """Whether one pattern segment covers one address segment.

    A `*` in `text` is covered only by a `*`, so the same function tells whether one pattern covers another.
    """
    if segment in ("*", text):
        return True
    if "*" not in segment:
        return False
    first, *middle, last = segment.split("*")
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    return _in_order(middle, text, len(first), len(text) - len(last))


def _in_order(parts: list[str], text: str, start: int, end: int) -> bool:
    """Whether the parts stand in `text[start:end]` in this order; the leftmost place will do."""
    for part in parts:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Whether every tool address that `narrow` matches is matched by `wide`. Errs on the side of False."""
    inner = narrow.padded()
    if narrow.below and not wide.below:
        return False
    return wide.matches_segments(inner)


def parse_pattern(text: str) -> Pattern:
    """Check a pattern; a leading `tools.` is dropped. Raises `PatternError`."""
    body = unicodedata.normalize("NFC", text.removeprefix("tools."))
    if body == "*":
        return Pattern(text, (), below=True)
    parts = body.split(".")
    _check_stars(body, parts)
    _check_owner(parts)
    below = parts[-1] == "*"
    if not below and len(parts) < ADDRESS_SEGMENTS:
        raise _too_short(parts)
    for position in range(len(parts)):
        _check_segment(position, parts)
    return Pattern(text, tuple(parts[:-1] if below else parts), below)


def _check_stars(body: str, parts: list[str]) -> None:
    if not body:
        raise PatternError("pattern is empty", "syntax", 'write "*" for every tool')
    if "" in parts:
        raise PatternError(f"pattern has an empty segment: `{body}`", "syntax", "remove the stray dot")
    if "**" in body:
        raise PatternError(
            "`**` is not part of the pattern language",
            "syntax",
            "a trailing `.*` already means everything below",
        )
    if parts[0] == "*":
        raise PatternError(
            "a pattern cannot start with `*.`: name the integration",
            "syntax",
            'write "*" alone for every tool, or one rule for each integration',
        )


def _check_owner(parts: list[str]) -> None:
    if len(parts) < 2 or parts[1] in (*OWNERS, "*"):
        return
    raise PatternError(
        f"the second segment is the owner: org, user or *, not `{parts[1]}`",
        "owner",
        "write <integration>.<owner>.<connection>.<tool>",
        tuple(_with_owner(*parts)),
    )


def _with_owner(integration: str, second: str, *rest: str) -> Iterator[str]:
    """Patterns in which the second segment is what else it may have been meant for."""
    owner = second.lower().removesuffix("s")
    if owner in OWNERS:
        yield ".".join((integration, owner, *rest))
    if rest:
        yield ".".join((integration, "*", second, *rest))
    yield ".".join((integration, "*", "*", second, *rest))
    yield ".".join((integration, "*", second, *(rest or ("*",))))


def _too_short(parts: list[str]) -> PatternError:
    count = f"{len(parts)} segment{'' if len(parts) == 1 else 's'}"
    body = ".".join(parts)
    guesses = (f"{body}.*",) if len(parts) < 3 else (f"{parts[0]}.{parts[1]}.*.{parts[2]}", f"{body}.*")
    return PatternError(f"pattern has {count} and matches no tool", "segments", None, guesses)


def _check_segment(position: int, parts: list[str]) -> None:
    part = parts[position]
    if part == "*":
        return
    if position < len(_HEAD):
        _check_head(_HEAD[position], part)
    elif "-" in part and _TOOL_SEGMENT.fullmatch(part.replace("-", "_")):
        raise PatternError(
            f"no tool address contains `-`, so `{part}` matches nothing",
            "hyphen",
            None,
            tuple(".".join((*parts[: len(_HEAD)], way(".".join(parts[len(_HEAD) :])))) for way in DEHYPHENED),
        )
    elif not _TOOL_SEGMENT.fullmatch(part):
        raise PatternError(
            f"no tool address contains `{part}`", "syntax", "write letters, digits, `_` or `*`"
        )


def underscored(tool: str) -> str:
    """How tools of MCP servers are called here (`integrations.naming`): a hash of the original name at the end."""
    plain = tool.replace("-", "_")
    if "*" in tool:
        return plain if plain.endswith("*") else f"{plain}_*"
    return f"{plain}_{hashlib.sha256(tool.encode()).hexdigest()[:_NAME_HASH]}"


def camel_cased(tool: str) -> str:
    """How operations of OpenAPI documents are called here: `delete-file` is `deleteFile`."""
    return ".".join(map(_camel_cased, tool.split(".")))


def _camel_cased(segment: str) -> str:
    first, *others = [word for word in segment.split("-") if word] or [""]
    return first + "".join(word[0].upper() + word[1:] for word in others)


DEHYPHENED = (underscored, camel_cased)


def is_pattern(text: str) -> bool:
    """Whether the text is a pattern."""
    try:
        parse_pattern(text)
    except PatternError:
        return False
    return True


def _check_head(role: str, part: str) -> None:
    if _IDENTIFIER.fullmatch(part):
        return
    if "*" in part:
        raise PatternError(
            f"`{part}`: in the {role} `*` stands for the whole segment",
            "syntax",
            "within a segment `*` works in the tool part only",
        )
    raise PatternError(f"no {role} can be called `{part}`", "syntax", "names are letters, digits and `_`")
