"""Files that the config names: documents, certificates, programs, directories (E304, E206)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath

from integrations import GraphQl, McpLocal, OpenApi
from integrations.files import CERTIFICATES, READER, UnreadableFile
from integrations.graphql.config import IntrospectionFile
from integrations.held_files import pem_file
from proxy.config.locations import Finding
from proxy.config.nodes import Path, find
from proxy.config.semantics.view import ConfigView
from proxy.config.suggestions import nearest_name


def check_files(view: ConfigView) -> Iterator[Finding]:
    """Files that the config names and that belong beside it (E304). Secret files are E404, the lock is E702."""
    for name, integration in view.config.integrations.items():
        path: Path = ("integrations", name)
        if isinstance(integration, OpenApi) and integration.spec.file:
            yield from check_file(view, (*path, "spec", "file"), integration.spec.file)
        if isinstance(integration, GraphQl) and isinstance(integration.introspection, IntrospectionFile):
            yield from check_file(view, (*path, "introspection", "file"), integration.introspection.file)
        if not isinstance(integration, McpLocal):
            if integration.ca_bundle:
                yield from _certificates(view, (*path, "ca_bundle"), integration.ca_bundle)
            if integration.client_cert:
                yield from _certificates(view, (*path, "client_cert", "cert"), integration.client_cert.cert)
        else:
            yield from _program(view, (*path, "command", 0), integration.command[0])
            if integration.cwd:
                yield from _folder(view, (*path, "cwd"), integration.cwd)
        if isinstance(integration, GraphQl):
            for index, pattern in enumerate(integration.documents):
                yield from _glob(view, (*path, "documents", index), pattern)


def _is_example(view: ConfigView, path: Path) -> bool:
    """A file called `*.example` is a template: the files it names belong to whoever copies it."""
    return find(view.root, path).node.source.path.endswith(".example")


def check_file(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    """A file that has to be there and to be readable (E304)."""
    if _is_example(view, path):
        return
    file = view.directory(path) / name
    try:
        READER.check(file)
    except UnreadableFile as error:
        yield Finding("E304", path, f"file `{name}` {error.strerror}", "name a regular file that can be read")
    except OSError as error:
        words = f"cannot be read: {(error.strerror or str(error)).lower()}"
        gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        yield Finding("E304", path, f"file `{name}` {'does not exist' if gone else words}", _similar(file))


def _certificates(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    missing = list(check_file(view, path, name))
    yield from missing
    if missing or _is_example(view, path):
        return
    file = view.directory(path) / name
    try:
        # The name of a PEM block (RFC 7468); what is inside is OpenSSL's to judge.
        content = READER.read(file, CERTIFICATES)
        found = b"-----BEGIN CERTIFICATE-----" in content
        if found:
            with pem_file(content) as pem:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(pem)
    except (OSError, ssl.SSLError) as error:
        yield Finding("E206", path, f"`{name}` cannot be used as a certificate: {error.strerror or error}")
    else:
        if not found:
            help = "it needs a block that begins with -----BEGIN CERTIFICATE-----"
            yield Finding("E206", path, f"`{name}` holds no PEM certificate", help)


def _program(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    """A program beside the config. One that is found by `PATH` belongs to the machine that serves."""
    if "/" not in name or FilePath(name).is_absolute() or _is_example(view, path):
        return
    file = view.directory(path) / name
    if not _is(file, FilePath.is_file):
        yield Finding("E304", path, f"program `{name}` does not exist", _similar(file))
    elif not _is(file, lambda one: os.access(one, os.X_OK)):
        yield Finding("E206", path, f"program `{name}` is not executable", f"chmod +x {name}")


def _folder(view: ConfigView, path: Path, name: str) -> Iterator[Finding]:
    if FilePath(name).is_absolute() or _is_example(view, path):
        return
    if _is(view.directory(path) / name, FilePath.is_dir):
        return
    yield Finding("E304", path, f"directory `{name}` does not exist", "the path is relative to this file")


def _is(file: FilePath, what: Callable[[FilePath], bool]) -> bool:
    """Not so where the file system does not answer."""
    try:
        return READER.look(file, what)
    except OSError:
        return False


def _similar(file: FilePath) -> str:
    try:
        names = READER.look(file.parent, os.listdir)
    except OSError:
        return f"the path is relative to this file: {file}"
    likely = nearest_name(file.name, [name for name in names if name != file.name])
    return f"did you mean `{likely}`?" if likely else f"the path is relative to this file: {file}"


def _glob(view: ConfigView, path: Path, pattern: str) -> Iterator[Finding]:
    if _is_example(view, path):
        return
    directory, is_relative = view.directory(path), not FilePath(pattern).is_absolute()
    try:
        found = READER.look(directory, lambda place: any(place.glob(pattern))) if is_relative else True
    except (ValueError, NotImplementedError, OSError):
        found = False
    if not found:
        yield Finding("E304", path, f"no file matches `{pattern}`", "patterns are relative to this file")
