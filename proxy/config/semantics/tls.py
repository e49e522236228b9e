"""`server.tls` and `state.tls`: the files are there, belong together and are not expired (E304, E410, W613).

Like secrets they belong to the machine that serves: they are looked at where its environment is known too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from integrations.files import CERTIFICATES, READER
from proxy.config.locations import Finding
from proxy.config.model import PemFile
from proxy.config.nodes import Path, find
from proxy.config.semantics.files import check_file
from proxy.config.semantics.view import ConfigView
from proxy.config.tls_files import problems_of_files


def check_tls(view: ConfigView) -> Iterator[Finding]:
    if view.environment is None:
        return
    for section, tls in (("server", view.config.server.tls), ("state", view.config.state.tls)):
        if tls is not None and not view.has_lost(section):
            yield from _of_section(view, (section, "tls"), tls.files())


def _of_section(view: ConfigView, at: Path, files: Mapping[str, PemFile]) -> Iterator[Finding]:
    names = {part: held.file for part, held in files.items()}
    missing = [found for part, name in names.items() for found in check_file(view, (*at, part, "file"), name)]
    yield from missing
    if missing or find(view.root, at).node.source.path.endswith(".example"):
        return
    yield from _judged(view, at, names)


def _judged(view: ConfigView, at: Path, names: dict[str, str]) -> Iterator[Finding]:
    content: dict[str, bytes] = {}
    for part, name in names.items():
        path: Path = (*at, part, "file")
        try:
            content[part] = READER.read(view.directory(path) / name, CERTIFICATES)
        except OSError as error:
            yield Finding("E304", path, f"file `{name}` cannot be read: {error.strerror}", None)
            return
    for one in problems_of_files(content, view.now):
        code = "W613" if one.mild else "E410"
        yield Finding(code, (*at, one.part, "file"), f"`{names[one.part]}` {one.why}", one.help)
