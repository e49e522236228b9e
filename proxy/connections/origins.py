"""Where the documents of this process have sent calls so far.

A document that is fetched is nobody's reviewed text: whoever can change it could have the credential sent to a server
of their own. So the origins it gave when it was first loaded are written down and outlive restarts, and one that comes
later is refused until the config names `base_url` (T26). The origin of the document's own URL stands in the config and
is always fine. One file a document; replicas with directories of their own each remember for themselves.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from integrations.base import JsonObject
from integrations.files import DOCUMENT, READER
from integrations.http import origin_of
from integrations.json_text import read_json, write_json
from proxy.telemetry import Logger

log = Logger("connections")


class KnownOrigins:
    """`directory` None: what is known lives as long as the process."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._known: dict[str, frozenset[str]] = {}

    def objection(self, url: str, patches: Sequence[JsonObject], origins: frozenset[str]) -> str | None:
        """Why calls must not go to these origins, or None; the first that are asked about become the known ones.

        `patches` are the config's own changes to the servers: with others it is another document.
        """
        key = hashlib.sha256(write_json([url, list(patches)])).hexdigest()
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(key, url, origins)
        strangers = origins - known - {origin_of(url)}
        if not strangers:
            return None
        before = ", ".join(sorted(known)) or "its own origin"
        return (
            f"{url.split('?')[0]}: the document now sends calls to {', '.join(sorted(strangers))}, which it did not"
            f" when it was first loaded (then: {before}): set `base_url` to say where calls go"
        )

    def _read(self, key: str, url: str, origins: frozenset[str]) -> frozenset[str]:
        """What is written down, else what is written down now. A file that cannot be read knows no origin."""
        if self._directory is None:
            return origins
        file = self._directory / f"{key}.json"
        try:
            return _origins_in(read_json(READER.read(file, DOCUMENT)))
        except FileNotFoundError:
            self._write(file, {"url": url.split("?")[0], "origins": sorted(origins)})
            return origins
        except (OSError, ValueError) as error:
            log.warning("origins_not_read", document=url.split("?")[0], path=file, error=str(error))
            return frozenset()

    def _write(self, file: Path, content: JsonObject) -> None:
        try:
            os.makedirs(file.parent, mode=0o700, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as fresh:
                fresh.write(write_json(content))
            os.replace(fresh.name, file)
        except OSError as error:
            log.warning("origins_not_kept", document=content["url"], path=file, error=str(error))


def _origins_in(content: Any) -> frozenset[str]:
    """Raises ValueError for what this module has not written."""
    listed = content.get("origins") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a list of origins")
    return frozenset(map(str, listed))
