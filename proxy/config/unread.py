"""Directories below a config directory: their files are not read, so config in them is reported.

They hold documents (specs, operations) as a rule; what is config among them was most likely meant to be served.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from integrations.files import READER
from proxy.config.diagnostic import Diagnostic
from proxy.config.footprint import is_config_name

CODE: Final = "W620"
_MOST_FILES: Final = 200
_HEAD_BYTES: Final = 16_384
_OURS: Final = re.compile(
    rb"^(?:integrations|connections|policies|workspaces|rate_limits|auth|server):", re.MULTILINE
)
_OTHERS: Final = re.compile(
    rb"^[\"']?(?:openapi|swagger|apiVersion|kind|services|on|jobs)[\"']?:", re.MULTILINE
)


def unread_directories(paths: Sequence[Path | str]) -> Iterator[Diagnostic]:
    """A warning for each directory below one of `paths` with files that look like config; `paths` are read."""
    named = {os.path.realpath(path) for path in paths}
    for path in paths:
        try:
            found = READER.look(Path(path), _config_below) if str(path) != "-" else []
        except OSError:
            continue
        for folder, files in found:
            if os.path.realpath(folder) in named:
                continue
            shown = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
            message = f"config in a directory below is not read: {shown}"
            help = f"name it too: --config {folder}; or move the files up"
            yield Diagnostic(CODE, "warning", message, help, file=str(folder))


def _config_below(path: Path) -> list[tuple[Path, list[str]]]:
    if not path.is_dir():
        return []
    found, left = [], _MOST_FILES
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        own = [name for name in sorted(names) if is_config_name(name)] if Path(folder) != path else []
        ours = [name for name in own[:left] if _is_config(Path(folder, name))]
        left -= len(own[:left])
        if ours:
            found.append((Path(folder), ours))
        if left <= 0:
            break
    return found


def _is_config(file: Path) -> bool:
    try:
        with file.open("rb") as source:
            head = source.read(_HEAD_BYTES)
    except OSError:
        return False
    return _OURS.search(head) is not None and _OTHERS.search(head) is None
