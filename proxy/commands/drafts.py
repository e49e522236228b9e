"""What `init` and `import` share: reading another program's file, the schema beside a new config, and the summary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from proxy.authoring.draft import Draft
from proxy.authoring.foreign import UnknownFormat, read_foreign
from proxy.authoring.starter import SCHEMA_FILE
from proxy.commands.common import CannotRun, print_json
from proxy.config.json_schema import schema_text


def read_file(source: str) -> Draft:
    """The draft of another program's file. Raises `CannotRun`, `UnknownFormat`."""
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise CannotRun(f"{source}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return read_foreign(source, content)[1]
    except UnknownFormat as error:
        raise UnknownFormat(f"{source} {error}") from None


def write_schema(folder: Path) -> str | None:
    """The JSON Schema for editors, which the first line of a new config names. One that is there stays."""
    try:
        with (folder / SCHEMA_FILE).open("x", encoding="utf-8") as out:
            out.write(schema_text())
    except FileExistsError:
        return None
    return str(folder / SCHEMA_FILE)


def print_draft(
    draft: Draft, wrote: str | None, schema: str | None, *, as_json: bool, stream: IO[str] | None = None
) -> None:
    """What was written, what it needs, and what is missing in it. Values of secrets are nowhere in a draft."""
    if as_json:
        print_json(
            {
                "format_version": "1",
                "wrote": [name for name in (wrote, schema) if name],
                "integrations": list(draft.integrations),
                "connections": list(draft.connections),
                "variables": [{"name": name, "for": what} for name, what in draft.needed().items()],
                "left": draft.left,
                "notes": draft.notes,
            }
        )
        return
    for line in _lines(draft, wrote, schema):
        print(line, file=stream or sys.stdout)


def _lines(draft: Draft, wrote: str | None, schema: str | None) -> list[str]:
    entries = ", ".join(draft.integrations)
    head = [f"wrote {wrote}" + (f": {entries}" if entries else "")] if wrote else ["nothing was written"]
    head += [f"wrote {schema} (for editors)"] if schema else []
    variables = [f"needs  {name}  ({what})" for name, what in draft.needed().items()]
    notes = [f"note   {one}" for one in draft.notes]
    left = [f"left   {one}" for one in draft.left]
    steps = "set the variables, then " if draft.needed() else ""
    tail = [f"next   {steps}executor validate, then executor serve"] if wrote else []
    return [*head, *variables, *notes, *left, *tail]
