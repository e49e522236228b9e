"""Description: the text of the `execute` tool, made from what this caller can reach.

Order: what it does, what is connected, how to work, what goes wrong otherwise. The text is a pure function of
the catalog and of what is visible: sorted, no clock, no counts of hidden things. Upstream text in it is
limited to cleaned titles and to names (threats T1 and T41). It is always shorter than `max_bytes`; what does
not fit is left out in whole lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from integrations.base import outline_of
from integrations.schema_types import render_inline_type
from proxy.catalog.branch import Branch
from proxy.catalog.entries import CONNECTED, CatalogTool, Visible, everything
from proxy.catalog.prose import plain_title
from proxy.catalog.words import split_identifier

PAUSE_RULE = "A call that needs approval pauses everything: tell the user what it asks, then call resume."

_HEAD = (
    "Run TypeScript or JavaScript in a sandbox whose `tools` object calls the connected APIs. "
    "The value that the code returns is the result; use it to combine, filter and shorten what calls return."
)
_RULES = (
    "Failing calls do not throw; branch on `ok`: {ok: true, data} or {ok: false, error: {code, message}}.",
    "Use the full address as found; guessed names fail.",
    "No fetch, imports, require or files: only `tools`, `console`, `emit` and plain JavaScript.",
    "Await calls; independent ones together with Promise.all.",
)
_TITLE_CHARACTERS = 60
_EXAMPLE_WORDS = 6
_EXAMPLES_LOOKED_AT = 100
_READING = frozenset({"list", "get", "search", "find"})
# Bytes for the arguments and for the result of one inline signature, from generous to terse.
_SIGNATURE_SIZES = ((400, 200), (240, 100), (160, 0), (80, 0))


@dataclass(frozen=True, slots=True)
class _Shown:
    """A connection as listed: its tools are looked at only as far as needed."""

    branch: Branch
    line: str
    bare: str


def describe_execute(
    branches: Sequence[Branch],
    visible: Visible,
    *,
    max_bytes: int,
    inline_tools: int,
    pause_rule: str = PAUSE_RULE,
) -> str:
    """The whole text, under `max_bytes` of UTF-8. With at most `inline_tools` visible tools their signatures
    are listed (where they fit) and search is not asked for.
    """
    shown = [_shown(branch) for branch in _in_order(branches, visible)]
    rules = _section("Rules:", [f"- {rule}" for rule in (*_RULES, pause_rule)])
    few = _at_most(branches, visible, inline_tools)
    if few:
        for sizes in _SIGNATURE_SIZES:
            text = _joined(_HEAD, _signatures(shown, few, sizes), rules)
            if _size(text) < max_bytes:
                return text
    steps = _workflow(_example(branches, visible)) if shown else ""
    room = max_bytes - _size(_joined(_HEAD, "x", steps, rules))
    text = _joined(_HEAD, _connections(shown, room), steps, rules)
    return text if _size(text) < max_bytes else _cut(text, max_bytes)


def _in_order(branches: Sequence[Branch], visible: Visible) -> list[Branch]:
    """Connected ones first, then by prefix. A connection none of whose tools is visible does not show."""
    listed = [b for b in branches if not b.tools or any(visible(tool) for tool in b.tools)]
    return sorted(listed, key=lambda b: (b.connection.status != CONNECTED, b.prefix))


def _shown(branch: Branch) -> _Shown:
    here = branch.connection
    bare = branch.prefix if here.status == CONNECTED else f"{branch.prefix} [{plain_title(here.status, 24)}]"
    title = plain_title(here.title, _TITLE_CHARACTERS)
    return _Shown(branch, f"- {bare}: {title}" if title else f"- {bare}", bare)


def _connections(shown: Sequence[_Shown], room: int) -> str:
    """As many titled lines as leave room to name all the others; else as many bare names as fit."""
    if not shown:
        return "Nothing is connected yet, or nothing that you may use."
    lines = [each.line for each in shown]
    bare = [each.bare for each in shown]
    if _size(_section("Connected:", lines)) <= room:
        return _section("Connected:", lines)
    # A title is worth less than a name: first all names, then titles for as many as there is room.
    used = _size(_section("Connected:", [f"- {', '.join(bare)}"]))
    if used > room:
        return _some(bare, room)
    titled = 0
    for line, name in zip(lines[:-1], bare, strict=False):
        used += _size(line) + 1 - _size(name) - 2
        if used > room:
            break
        titled += 1
    return _section("Connected:", [*lines[:titled], f"- {', '.join(bare[titled:])}"])


def _some(bare: Sequence[str], room: int) -> str:
    used = _size("Connected:\n- ") + _size(
        f", ... {len(bare)} more (tools.catalog.namespaces({{}}) lists all)"
    )
    fitting = 0
    for name in bare:
        used += _size(name) + 2
        if used > room:
            break
        fitting += 1
    more = f"... {len(bare) - fitting} more (tools.catalog.namespaces({{}}) lists all)"
    return f"Connected:\n- {', '.join([*bare[:fitting], more])}"


def _workflow(example: CatalogTool | None) -> str:
    words = " ".join(split_identifier(example.name)[:_EXAMPLE_WORDS]) if example else "what you need"
    call = _call(example.address) if example else "tools.<path>"
    return _section(
        "Workflow:",
        [
            f'1. Search: const {{items}} = await tools.search({{query: "{words}"}}); each item has a `path`.',
            "2. Read its types: await tools.describe.tool({path: items[0].path})",
            f"3. Call: const r = await {call}({{/* arguments as described */}}); "
            "return r.ok ? r.data : r.error;",
        ],
    )


def _call(address: str) -> str:
    return f"tools.{address}" if _is_dotted(address) else f'tools["{plain_title(address, 200)}"]'


def _is_dotted(address: str) -> bool:
    """Whether code can write the address as it is. Tools are named so that it can, if a kind keeps to its rules."""
    return all(part.replace("$", "_").isidentifier() for part in address.split("."))


def _example(branches: Sequence[Branch], visible: Visible) -> CatalogTool | None:
    """A visible tool that says in its name that it reads; else one that reads; else any."""
    tools = [t for b in branches if b.connection.status == CONNECTED for t in b.tools[:_EXAMPLES_LOOKED_AT]]
    for wanted in (_is_named_as_reading, _reads, everything):
        for tool in tools:
            if wanted(tool) and visible(tool):
                return tool
    return None


def _reads(tool: CatalogTool) -> bool:
    return tool.definition.risk == "read" and not tool.definition.deprecated


def _is_named_as_reading(tool: CatalogTool) -> bool:
    return _reads(tool) and not _READING.isdisjoint(split_identifier(tool.name))


def _at_most(branches: Sequence[Branch], visible: Visible, limit: int) -> dict[str, list[CatalogTool]]:
    """The visible tools by connection, if there are at most `limit` and at least one; else nothing."""
    seen = (tool for branch in branches for tool in branch.tools if visible(tool))
    first = list(islice(seen, limit + 1))
    if len(first) > limit:
        return {}
    out: dict[str, list[CatalogTool]] = {}
    for tool in first:
        out.setdefault(tool.prefix, []).append(tool)
    return out


def _signatures(shown: Sequence[_Shown], tools: dict[str, list[CatalogTool]], sizes: tuple[int, int]) -> str:
    lines: list[str] = []
    for each in shown:
        lines.append(each.line)
        lines += [f"  {_signature(tool, *sizes)}" for tool in tools.get(each.branch.prefix, ())]
    sample = next(iter(tools.values()))[0]
    head = f"Connected, with all tools; a call is `await {_call(sample.address)}(args)`:"
    return _section(head, lines)


def _signature(tool: CatalogTool, input_bytes: int, output_bytes: int) -> str:
    schemas = outline_of(tool.toolset, tool.name)
    arguments = render_inline_type(schemas.input, input_bytes)
    optional = "" if schemas.input.get("required") else "?"
    text = f"{tool.name}()" if arguments == "{}" else f"{tool.name}(args{optional}: {arguments})"
    if output_bytes and schemas.output is not None:
        result = render_inline_type(schemas.output, output_bytes)
        text += f" -> {result}" if result != "unknown" else ""
    return text


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
