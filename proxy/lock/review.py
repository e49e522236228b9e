"""The review of a lock: what changed of each tool, in words, with everything odd about the new text.

Where the old definition is known (a vendored catalog) every text is compared; else the lock's own line has the start
of the description, and of the other parts only that they changed: then the new text is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from integrations.base import JsonObject
from proxy.lock.compare import Drift, SourceDrift
from proxy.lock.definition import RISKS, SUMMARY_CHARACTERS, summary_of
from proxy.lock.jcs import jcs
from proxy.lock.suspicion import suspicions
from proxy.lock.words import one_line, word_diff

Definition = Callable[[str], JsonObject | None]
"""A tool's whole definition by its name; None where only its digest is known."""

_MOST_PLACES: Final = 12
_MOST_CHARACTERS: Final = 600
_SIGNS: Final = {"changed": "~", "new": "+", "gone": "-"}


@dataclass(frozen=True, slots=True)
class ToolReview:
    """One tool: `lines` say what changed, `warnings` what a reviewer should look at twice."""

    name: str
    drift: Drift
    lines: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> JsonObject:
        return {
            "tool": self.name,
            "kind": self.drift.kind,
            "parts": list(self.drift.parts),
            "changes": list(self.lines),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class SourceReview:
    """One integration, or one connection that differs from its integration's others."""

    key: str
    drift: SourceDrift
    tools: tuple[ToolReview, ...]

    def lines(self) -> Iterator[str]:
        yield self.key
        if self.drift.title is not None:
            yield f"  ~ title  {word_diff(*self.drift.title)}"
        if self.drift.servers is not None:
            before, now = (", ".join(one) or "none" for one in self.drift.servers)
            yield f"  ~ servers  {one_line(before)} → {one_line(now)}   ! calls go elsewhere, with the credential"
        width = min(max((len(one.name) for one in self.tools), default=0), 48)
        for one in self.tools:
            first, *more = one.lines or ("",)
            yield f"  {_SIGNS[one.drift.kind]} {one_line(one.name):<{width}}  {first}".rstrip()
            for line in more:
                yield f"    {'':<{width}}  {line}"
            for warning in one.warnings:
                yield f"    {'':<{width}}  ! {one_line(warning)}"

    def as_json(self) -> JsonObject:
        out: JsonObject = {"key": self.key, "tools": [one.as_json() for one in self.tools]}
        if self.drift.servers is not None:
            out["servers"] = {"before": list(self.drift.servers[0]), "after": list(self.drift.servers[1])}
        if self.drift.title is not None:
            out["title"] = {"before": self.drift.title[0], "after": self.drift.title[1]}
        return out


def review(key: str, drift: SourceDrift, now: Definition, before: Definition) -> SourceReview:
    """What a person has to see of one source. Tools that only moved with their servers are not repeated."""
    tools = []
    for name, one in drift.tools.items():
        if one.kind == "changed" and one.parts == ("servers",) and drift.servers is not None:
            continue
        tools.append(_tool(name, one, now(name), before(name)))
    return SourceReview(key, drift, tuple(tools))


def _tool(name: str, drift: Drift, now: JsonObject | None, before: JsonObject | None) -> ToolReview:
    if drift.now is None:
        return ToolReview(name, drift, ("gone",), ())
    warnings = (*_loosened(drift), *suspicions(now or {"description": drift.now.summary}))
    if drift.was is None:
        code = ", runs code" if drift.now.runs_code else ""
        about = f': "{one_line(drift.now.summary)}"' if drift.now.summary else ""
        return ToolReview(name, drift, (f"new, {drift.now.risk}{code}{about}",), warnings)
    lines = [*_risk(drift), *_words(drift, now, before)]
    return ToolReview(name, drift, tuple(lines) or ("changed",), warnings)


def _loosened(drift: Drift) -> Iterator[str]:
    """A hint of the upstream's own decides who is asked, so a milder one is worth a second look (T3)."""
    was, now = drift.was, drift.now
    if was is not None and now is not None and RISKS.index(now.risk) < RISKS.index(was.risk):
        yield f"it now says of itself that it is a {now.risk}: after this review it may run unasked"


def _risk(drift: Drift) -> Iterator[str]:
    assert drift.was is not None
    assert drift.now is not None
    if drift.was.risk != drift.now.risk:
        yield f"risk: {drift.was.risk} → {drift.now.risk}"
    if drift.was.runs_code != drift.now.runs_code:
        yield "runs code now" if drift.now.runs_code else "does not say any more that it runs code"


def _words(drift: Drift, now: JsonObject | None, before: JsonObject | None) -> Iterable[str]:
    if before and now:
        return _compared(before, now)
    return _told(drift, now) if now else _recorded(drift)


def _recorded(drift: Drift) -> Iterator[str]:
    """By two lines of locks alone."""
    was, now = drift.was, drift.now
    assert was is not None
    assert now is not None
    for part in drift.parts:
        a, b = was.part(part), now.part(part)
        if part == "description" and was.summary != now.summary:
            yield f'description: "{_cut(word_diff(was.summary, now.summary))}"'
        elif part == "description":
            yield f"description: changed behind its first {SUMMARY_CHARACTERS} characters"
        elif part == "request":
            yield f"request: {one_line(was.request)} → {one_line(now.request)}"
        elif a != b:
            yield f"{part}: {'changed' if a and b else 'new' if b else 'gone'} ({a or '-'} → {b or '-'})"
    if not drift.parts:
        yield "definition changed"


def _told(drift: Drift, now: JsonObject) -> Iterator[str]:
    """By the lock's line, and what the tool says now."""
    assert drift.was is not None
    for part in drift.parts:
        value = now.get(part)
        if part == "description":
            yield _description(drift.was.summary, str(value or ""))
        elif part == "request":
            yield f"request: {one_line(drift.was.request)} → {one_line(str(value or ''))}"
        elif part == "servers" and value is None:
            yield "servers: those of the whole source"
        elif value is None:
            yield f"{part}: gone"
        else:
            yield f"{part}: now {_cut(_compact(value))}"
    if not drift.parts:
        yield "definition changed"


def _description(was: str, now: str) -> str:
    if len(was) < SUMMARY_CHARACTERS - 8 or not was.endswith(" ..."):
        return f'description: "{_cut(word_diff(was, " ".join(now.split())))}"'
    if summary_of(now) == was:
        return f'description: changed behind its first {SUMMARY_CHARACTERS} characters, now: "{_cut(one_line(now))}"'
    return f'description: "{_cut(word_diff(was, summary_of(now)))}", now in full: "{_cut(one_line(now))}"'


def _compared(before: JsonObject, now: JsonObject) -> Sequence[str]:
    lines = [_change(*one) for one in _changes("", before, now)]
    more = len(lines) - _MOST_PLACES
    return lines if more <= 0 else [*lines[:_MOST_PLACES], f"and {more} more places"]


def _change(place: str, old: Any, new: Any) -> str:
    if isinstance(old, str) and isinstance(new, str):
        return f'{place}: "{_cut(word_diff(old, new))}"'
    if old is None:
        return f"{place}: {{+{_cut(_compact(new))}+}}"
    if new is None:
        return f"{place}: [-{_cut(_compact(old))}-]"
    if isinstance(old, list) and isinstance(new, list):
        return f"{place}: {_cut(word_diff(_compact(old), _compact(new)))}"
    return f"{place}: {_cut(_compact(old))} → {_cut(_compact(new))}"


def _changes(place: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _changes(f"{place}.{key}" if place else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{place}[{index}]", a, b)
    elif type(old) is not type(new) or old != new:
        yield one_line(place), old, new


def _compact(value: Any) -> str:
    return one_line(value if isinstance(value, str) else jcs(value).decode())


def _cut(text: str) -> str:
    """Never so that a change is out of sight without a word about it."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ... ({len(text) - _MOST_CHARACTERS} more characters)"
