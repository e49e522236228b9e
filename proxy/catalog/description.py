"""Description: the text of the `execute` tool, made from what this caller can reach, and what continues it.

By value: what it does, what goes wrong otherwise, what is connected, how to find tools, then signatures while they
fit; the others are counted. The text is a pure function of the catalog and of what is visible: sorted, no clock, no
counts of hidden things. Upstream text in it is limited to cleaned titles and reasons and to names (threats T1 and T41).
It is always shorter than `max_bytes`; what does not fit is left out in whole lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from proxy.catalog.branch import Branch
from proxy.catalog.entries import CONNECTED, CatalogConnection, CatalogTool, Visible, everything
from proxy.catalog.prose import plain_title
from proxy.catalog.signatures import ASKS, SIZES, by_value, signature
from proxy.catalog.words import split_identifier

PAUSE_RULE = "A call that needs approval pauses everything: tell the user what it asks, then call resume."
Asks = Callable[[CatalogTool], bool]
"""Whether a call waits for approval, as far as is known without its arguments."""

_HEAD = (
    "Run TypeScript or JavaScript in a sandbox whose `tools` object calls the connected APIs. "
    "The value that the code returns is the result; use it to combine, filter and shorten what calls return."
)
_SHORT_HEAD = "Run TypeScript or JavaScript whose `tools` object calls the connected APIs."
_RULES = (
    "Failing calls do not throw; branch on `ok`: {ok: true, data} or {ok: false, error: {code, message}}.",
    "Use the full address as found; guessed names fail.",
    "No fetch, imports, require or files: only `tools`, `console`, `emit` and plain JavaScript.",
    "Await calls; independent ones together with Promise.all.",
)
_TITLE_CHARACTERS = 60
_REASON_CHARACTERS = 80
_EXAMPLE_WORDS = 6
_EXAMPLES_LOOKED_AT = 100
_READING = frozenset({"list", "get", "search", "find"})
# No signature is shorter than this; and so many are tried for the last bytes before what is left counts as full.
_SHORTEST = 12
# Bytes kept for the line of one connection.
_LEAST_LISTED = 80
_MISSES = 10


@dataclass(frozen=True, slots=True)
class _Shown:
    """A connection as listed: its tools are looked at only as far as needed."""

    branch: Branch
    line: str
    bare: str


@dataclass(slots=True)
class _Signatures:
    """What is listed of the tools: the line of each by its address, and how many tools there are in all."""

    lines: dict[str, str] = field(default_factory=dict)
    total: int = 0


@dataclass(frozen=True, slots=True)
class DescriptionLimits:
    """`max_bytes` is of UTF-8; at most `inline_tools` signatures are listed."""

    max_bytes: int = 2_048
    inline_tools: int = 1_000
    pause_rule: str = PAUSE_RULE


def describe_execute(
    branches: Sequence[Branch], visible: Visible, asks: Asks, limits: DescriptionLimits
) -> tuple[str, frozenset[str]]:
    """The whole text, under `max_bytes`, and the addresses of the tools whose signatures are in it."""
    shown = [_shown(branch) for branch in _in_order(branches, visible)]
    rules = _section("Rules:", [f"- {rule}" for rule in (*_RULES, limits.pause_rule)])
    if not shown:
        text = _joined(_HEAD, rules, "Nothing is connected yet, or nothing that you may use.")
        return (text if _size(text) < limits.max_bytes else _cut(text, limits.max_bytes)), frozenset()
    example = _example(branches, visible)
    fixed = _fixed(example, limits)
    # The count of what is left out has its place before the titles of connections.
    counted = _size(_more(_count(shown, visible))) + 1
    lines = _connections(shown, limits.max_bytes - 1 - _size(fixed) - 2 - counted)
    room = limits.max_bytes - 1 - _size(_section(fixed, lines))
    listed = _signatures(shown, lines, visible, asks, (room, limits.inline_tools), frozenset())
    text = f"{fixed}\n{_listing(shown, lines, listed)}"
    return (text if _size(text) < limits.max_bytes else _cut(text, limits.max_bytes)), frozenset(listed.lines)


def _fixed(example: CatalogTool | None, limits: DescriptionLimits) -> str:
    """What is above the connections. Where room is short rules give way, by value, and never how to find a tool."""
    by_use = (_RULES[0], limits.pause_rule, *_RULES[1:])
    for kept in range(len(by_use), -1, -1):
        rules = [f"- {rule}" for rule in (*_RULES, limits.pause_rule) if rule in by_use[:kept]]
        text = _joined(_HEAD, *([_section("Rules:", rules)] if rules else []), _find(example))
        if _size(text) + _LEAST_LISTED < limits.max_bytes:
            return text
    return _joined(_SHORT_HEAD, _find(None))


def continue_description(
    branches: Sequence[Branch],
    visible: Visible,
    asks: Asks,
    limits: DescriptionLimits,
    told: frozenset[str],
) -> str:
    """What the description could not carry, under `max_bytes`: more signatures. Empty when there are none."""
    shown = [_shown(b) for b in _in_order(branches, visible) if any(visible(t) for t in b.tools)]
    head = "More tools than the description of `execute` has room for:"
    lines = _connections(shown, limits.max_bytes // 2)
    room = limits.max_bytes - 1 - _size(_section(head, lines))
    listed = _signatures(shown, lines, visible, asks, (room, limits.inline_tools), told)
    return _section(head, [_listing(shown, lines, listed)]) if listed.lines else ""


def _signatures(
    shown: Sequence[_Shown],
    lines: Sequence[str],
    visible: Visible,
    asks: Asks,
    room: tuple[int, int],
    told: frozenset[str],
) -> _Signatures:
    """All tools, in as much detail as fits; else the most valuable ones in turn, to the last byte."""
    named = [each.branch for each in shown if each.line in lines]
    out = _Signatures(total=_count(shown, visible) - len(told))
    left, most = room
    if out.total <= min(most, left // _SHORTEST) and len(named) == len(shown):
        everything_left = [
            (branch, tool)
            for branch in named
            for tool in branch.tools
            if visible(tool) and tool.address not in told
        ]
        if every := _fullest(everything_left, asks, left):
            out.lines = every
            return out
    left -= _size(_more(out.total)) + 1
    begun_with, misses = left, 0
    chosen: list[tuple[Branch, CatalogTool]] = []
    for branch, tool in _in_turn(named):
        if left < _SHORTEST or len(out.lines) >= most or misses > _MISSES:
            break
        if not visible(tool) or tool.address in told:
            continue
        line = _line(branch, tool, SIZES[-1], asks)
        if _size(line) >= left:
            misses += 1
            continue
        # The middle of the sizes: more detail would leave others out.
        fitting = (longer for size in SIZES[2:-1] if _size(longer := _line(branch, tool, size, asks)) < left)
        line = next(fitting, line)
        out.lines[tool.address] = line
        chosen.append((branch, tool))
        left -= _size(line) + 1
    if len(chosen) >= most and (fuller := _fullest(chosen, asks, begun_with)):
        out.lines = fuller  # no more are wanted: what is left goes into their detail
    return out


def _count(shown: Sequence[_Shown], visible: Visible) -> int:
    return sum(visible(tool) for each in shown for tool in each.branch.tools)


def _fullest(tools: Sequence[tuple[Branch, CatalogTool]], asks: Asks, room: int) -> dict[str, str]:
    """The lines of all these tools in as much detail as fits; none where even the tersest do not."""
    for size in SIZES:
        every = {tool.address: _line(branch, tool, size, asks) for branch, tool in tools}
        if sum(_size(line) + 1 for line in every.values()) <= room:
            return every
    return {}


def _in_turn(branches: Sequence[Branch]) -> Iterator[tuple[Branch, CatalogTool]]:
    """A tool of each connection, then the next of each."""
    turns = [(branch, by_value(branch)) for branch in branches]
    while turns:
        going = [(branch, turn, tool) for branch, turn in turns if (tool := next(turn, None)) is not None]
        yield from ((branch, tool) for branch, _, tool in going)
        turns = [(branch, turn) for branch, turn, _ in going]


def _line(branch: Branch, tool: CatalogTool, size: tuple[int, int], asks: Asks) -> str:
    return f"  {signature(branch, tool, size)}{ASKS if asks(tool) else ''}"


def _listing(shown: Sequence[_Shown], lines: Sequence[str], listed: _Signatures) -> str:
    """Each connection's line with its signatures below it, in source order."""
    by_line = {each.line: each.branch for each in shown}
    out: list[str] = []
    for line in lines:
        out.append(line)
        branch = by_line.get(line)
        if branch is not None and listed.lines:
            out += [listed.lines[tool.address] for tool in branch.tools if tool.address in listed.lines]
    left = listed.total - len(listed.lines)
    return "\n".join([*out, _more(left)] if left else out)


def _more(count: int) -> str:
    return f"and {count:,} more: tools.search"


def _in_order(branches: Sequence[Branch], visible: Visible) -> list[Branch]:
    """Connected ones first, then by prefix. A connection none of whose tools is visible does not show."""
    listed = [b for b in branches if not b.tools or any(visible(tool) for tool in b.tools)]
    return sorted(listed, key=lambda b: (b.connection.status != CONNECTED, b.prefix))


def _status(here: CatalogConnection) -> str:
    """The status, with its reason where there are no tools because of it."""
    word = plain_title(here.status, 24)
    if here.toolset is not None or not here.error:
        return word
    whole, reason = (plain_title(here.error, most) for most in (len(here.error), _REASON_CHARACTERS))
    return f"{word}: {reason}" if reason == whole else f"{word}: {reason.rpartition(' ')[0] or reason} ..."


def _shown(branch: Branch) -> _Shown:
    here = branch.connection
    bare = branch.prefix if here.status == CONNECTED else f"{branch.prefix} [{_status(here)}]"
    title = plain_title(here.title, _TITLE_CHARACTERS)
    return _Shown(branch, f"- {bare}: {title}" if title else f"- {bare}", bare)


def _connections(shown: Sequence[_Shown], room: int) -> list[str]:
    """As many titled lines as leave room to name all the others; else as many bare names as fit."""
    lines = [each.line for each in shown]
    bare = [each.bare for each in shown]
    if sum(_size(line) + 1 for line in lines) <= room:
        return lines
    # A title is worth less than a name: first all names, then titles for as many as there is room.
    used = _size(f"- {', '.join(bare)}") + 1
    if used > room:
        return [_some(bare, room)]
    titled = 0
    for line, name in zip(lines[:-1], bare, strict=False):
        used += _size(line) + 1 - _size(name) - 2
        if used > room:
            break
        titled += 1
    return [*lines[:titled], f"- {', '.join(bare[titled:])}"]


def _some(bare: Sequence[str], room: int) -> str:
    used = _size(f"- , ... {len(bare)} more (tools.catalog.namespaces({{}}) lists all)") + 1
    fitting = 0
    for name in bare:
        used += _size(name) + 2
        if used > room:
            break
        fitting += 1
    more = f"... {len(bare) - fitting} more (tools.catalog.namespaces({{}}) lists all)"
    return f"- {', '.join([*bare[:fitting], more])}"


def _find(example: CatalogTool | None) -> str:
    """The one line that is always there: how to find a tool, read its types and call it."""
    words = " ".join(split_identifier(example.name)[:_EXAMPLE_WORDS]) if example else "what you need"
    call = _call(example.address) if example else "tools.<path>"
    return (
        f'Find tools: (await tools.search("{words}")).items, each with a path. Types: await '
        f"tools.describe.tool(path). Call: const r = await {call}(args); return r.ok ? r.data : r.error. "
        "Connected ([asks]: a call waits for approval):"
    )


def _call(address: str) -> str:
    return f"tools.{address}" if _is_dotted(address) else f'tools["{plain_title(address, 200)}"]'


def _is_dotted(address: str) -> bool:
    """Whether code can write the address as it is. Tools are named so that it can, if a kind keeps to its rules."""
    return all(part.replace("$", "_").isidentifier() for part in address.split("."))


def _example(branches: Sequence[Branch], visible: Visible) -> CatalogTool | None:
    """A visible tool that says in its name that it reads; else one that reads; else any."""
    tools = [
        tool
        for branch in branches
        if branch.connection.status == CONNECTED
        for tool in islice(by_value(branch), _EXAMPLES_LOOKED_AT)
    ]
    for wanted in (_is_named_as_reading, _reads, everything):
        for tool in tools:
            if wanted(tool) and visible(tool):
                return tool
    return None


def _reads(tool: CatalogTool) -> bool:
    return tool.definition.risk == "read" and not tool.definition.deprecated


def _is_named_as_reading(tool: CatalogTool) -> bool:
    return _reads(tool) and not _READING.isdisjoint(split_identifier(tool.name))


def _section(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, *lines])


def _joined(*sections: str) -> str:
    return "\n\n".join(section for section in sections if section)


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _cut(text: str, max_bytes: int) -> str:
    """For limits too small for the fixed parts: whole lines from the start."""
    kept: list[str] = []
    used = 0
    for line in text.split("\n"):
        used += _size(line) + 1
        if used > max_bytes:
            break
        kept.append(line)
    return "\n".join(kept)
