"""Prose: how upstream text is cut and cleaned for each place that it may appear in.

Results of `tools.search` and `tools.describe` are data, and carry visible-only text of bounded length. The
description of `execute` is read by models unasked, so it gets less: titles with nothing but letters, digits
and light punctuation.
"""

from __future__ import annotations

import re

from integrations.base import ToolDefinition
from integrations.schema_types import one_line, visible

SUMMARY_CHARACTERS = 200
_NOT_PLAIN = re.compile(r"[^\w .,:+&()/'-]+")


def summary(tool: ToolDefinition) -> str:
    """One line: the title where it sums up the description (OpenAPI's summary, a first line), else the description."""
    first = tool.description.lstrip().partition("\n")[0].strip()
    sums_up = bool(tool.method) or first == tool.title.strip()
    return one_line((tool.title if sums_up else "") or tool.description or tool.title, SUMMARY_CHARACTERS)


def full_text(tool: ToolDefinition, limit: int) -> str:
    """Title and description with their line breaks, everything invisible written out, at most `limit` characters."""
    title, body = tool.title.strip(), tool.description.strip()
    text = body if not title or body.startswith(title) else f"{title}\n{body}".strip()
    lines = [visible(line) for line in text[: limit + 1].splitlines()]
    joined = "\n".join(lines)
    return joined if len(joined) <= limit else joined[: limit - 3].rstrip() + "..."


def plain_title(title: str, limit: int) -> str:
    """A title for text that models read unasked: no markup, no quotes, no code, one line."""
    return one_line(_NOT_PLAIN.sub(" ", title), limit).strip(" .")
