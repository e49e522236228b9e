"""`server.tls`: the files are there, belong together and are not expired (E304, E410, W613).

Like secrets they belong to the machine that serves: they are looked at where its environment is known too.
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations.files import CERTIFICATES, READER
from proxy.config.locations import Finding
from proxy.config.nodes import Path, find
from proxy.config.semantics.files import check_file
from proxy.config.semantics.view import ConfigView
from proxy.config.tls_files import TlsPair, tls_problems

_PATH: Path = ("server", "tls")


def check_tls(view: ConfigView) -> Iterator[Finding]:
    tls = view.config.server.tls
    if tls is None or view.environment is None or view.has_lost("server"):
        return
    names = {part: held.file for part, held in tls.files().items()}
    missing = [
        found for part, name in names.items() for found in check_file(view, (*_PATH, part, "file"), name)
    ]
    yield from missing
    if missing or find(view.root, _PATH).node.source.path.endswith(".example"):
        return
    yield from _judged(view, names)


def _judged(view: ConfigView, names: dict[str, str]) -> Iterator[Finding]:
    content: dict[str, bytes] = {}
    for part, name in names.items():
        path: Path = (*_PATH, part, "file")
        try:
            content[part] = READER.read(view.directory(path) / name, CERTIFICATES)
        except OSError as error:
            yield Finding("E304", path, f"file `{name}` cannot be read: {error.strerror}", None)
            return
    for one in tls_problems(TlsPair(**content), view.now):
        code = "W613" if one.mild else "E410"
        yield Finding(code, (*_PATH, one.part, "file"), f"`{names[one.part]}` {one.why}", one.help)
