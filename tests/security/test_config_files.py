"""Every kind of file in every place of a config that names one: refused with a word, and nothing waits for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from integrations.base import SourceError
from integrations.files import CONFIG, SECRET
from integrations.graphql import GraphQlOptions, SchemaSource
from integrations.graphql import load_toolset as load_graphql
from integrations.http import HttpClient, TransportOptions, Unreachable
from integrations.http.transport import tls_context
from integrations.openapi import OpenApiOptions, SpecSource
from integrations.openapi import load_toolset as load_openapi
from integrations.openapi.bundle import Files
from proxy.config import load_config
from proxy.connections.kinds import document_files
from tests.integrations.tls import Authority
from tests.proxy.support import inline, shop, written

HEAD = f"version: 1\nintegrations:\n  shop:\n    kind: openapi\n    spec: {inline(shop())}\n"
GRAPHQL = "version: 1\nintegrations:\n  shop: {kind: graphql, endpoint: 'https://a.example/q', %s}\n"
CONNECTED = "connections:\n  shop.org.main: %s\n"
# {ODD} is the file. The diagnostic comes at the key that names it.
PLACES = {
    "spec.file": "version: 1\nintegrations:\n  shop: {kind: openapi, spec: {file: {ODD}}}\n"
    + CONNECTED % "{}",
    "introspection.file": GRAPHQL % "introspection: {file: {ODD}}" + CONNECTED % "{}",
    "ca_bundle": HEAD + "    ca_bundle: {ODD}\n" + CONNECTED % "{}",
    "client_cert.cert": HEAD + "    client_cert: {cert: {ODD}, key: {env: KEY}}\n" + CONNECTED % "{}",
    "client_cert.key": HEAD + "    client_cert: {cert: {FINE}, key: {file: {ODD}}}\n" + CONNECTED % "{}",
    "auth.token": HEAD + CONNECTED % "{auth: {kind: bearer, token: {file: {ODD}}}}",
    "headers": HEAD + "    headers: {X-Key: {file: {ODD}}}\n" + CONNECTED % "{}",
    "encryption_key": HEAD + CONNECTED % "{}" + "state: {encryption_key: {file: {ODD}}}\n",
    "api key": HEAD + CONNECTED % "{}" + "auth: {api_keys: {keys: {bot: {value: {file: {ODD}}}}}}\n",
}
REASONS = {
    "fifo": "is a FIFO, and only regular files are read",
    "directory": "is a directory, and only regular files are read",
    "socket": "is a socket, and only regular files are read",
    "endless": "is a character device, and only regular files are read",
    "terminal": "is a character device, and only regular files are read",
}


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[dict[str, Path]]:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "socket"))
        yield {
            **{name: tmp_path / name for name in ("fifo", "directory", "socket")},
            "endless": Path("/dev/zero"),
            "terminal": Path("/dev/tty"),
        }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", REASONS)
def test_it_is_refused_with_the_reason(place: str, kind: str, tmp_path: Path, odd: dict[str, Path]) -> None:
    text = PLACES[place].replace("{ODD}", str(odd[kind])).replace("{FINE}", str(Authority(tmp_path).bundle))
    loaded = load_config([written(tmp_path, text)], env={"KEY": "a-key-of-a-test"}, advice=False)
    errors = [one.message for one in loaded.diagnostics if one.severity == "error"]
    assert len(errors) == 1
    assert REASONS[kind] in errors[0]
    assert str(odd[kind]) in errors[0]


@pytest.mark.parametrize("kind", ["fifo", "socket", "endless", "terminal"])
def test_as_a_config_file(kind: str, tmp_path: Path, odd: dict[str, Path]) -> None:
    loaded = load_config([odd[kind]], env={}, advice=False)
    (found,) = loaded.diagnostics
    assert (found.code, found.message) == ("E304", f"config file cannot be read: {REASONS[kind]}")


def test_too_much_of_it(tmp_path: Path) -> None:
    for kind, place in ((SECRET, "auth.token"), (CONFIG, "")):
        large = tmp_path / f"large{kind.max_bytes}.yaml"
        with large.open("wb") as file:
            file.truncate(kind.max_bytes + 1)
        path = written(tmp_path, PLACES[place].replace("{ODD}", str(large))) if place else large
        loaded = load_config([path], env={}, advice=False)
        said = f"is larger than {kind.max_bytes >> 20} MiB, the most for {kind.name}"
        assert said in loaded.diagnostics[0].message


@pytest.mark.parametrize("kind", REASONS)
async def test_what_is_read_when_connections_open(kind: str, tmp_path: Path, odd: dict[str, Path]) -> None:
    """The files may become something else between the check and the read."""
    schema = tmp_path / "schema.graphql"
    schema.write_text("type Query { a: Int }")
    async with HttpClient() as http:
        with pytest.raises(SourceError, match=REASONS[kind]):
            await load_openapi(SpecSource(file=odd[kind]), OpenApiOptions(root=tmp_path), http, None)
        with pytest.raises(SourceError, match=REASONS[kind]):
            await load_graphql(
                SchemaSource("https://a.example", odd[kind]), GraphQlOptions(), http, None, None
            )
        operations = GraphQlOptions(documents=(odd[kind],))
        with pytest.raises(SourceError, match=REASONS[kind]):
            await load_graphql(SchemaSource("https://a.example", schema), operations, http, None, None)
    with pytest.raises(SourceError, match=REASONS[kind]):
        Files(tmp_path, schema).read(str(odd[kind]))
    with pytest.raises(Unreachable, match=REASONS[kind]):
        tls_context(TransportOptions(ca_bundle=odd[kind]))


def test_documents_of_a_pattern_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b.graphql", "a.graphql"):
        (tmp_path / name).write_text("")
    assert [one.name for one in document_files([str(tmp_path / "*.graphql")])] == ["a.graphql", "b.graphql"]
