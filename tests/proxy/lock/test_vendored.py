"""Files of vendored catalogs: only those that the lock names are read. What they are good for is at the end."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from proxy.lock.file import read_lock
from proxy.lock.vendored import VendoredCatalog, VendoredError, catalog_path, catalog_text, write_catalog
from tests.integrations.graphql.server import introspection
from tests.proxy.commands.conftest import run as run
from tests.proxy.commands.running import Run
from tests.proxy.support import shop

LISTED = Path(__file__).parent / "listed_server.py"


# ---- files --------------------------------------------------------------------------------------------------------
def test_equal_content_has_equal_bytes_and_is_read_back(tmp_path: Path) -> None:
    path = catalog_path(tmp_path / "executor.lock", "files.org.main")
    assert path == tmp_path / ".executor" / "catalog" / "files.org.main.json"
    digest = write_catalog(path, catalog_text("mcp", {"offer": {"b": 1, "a": 2}}))
    assert digest == write_catalog(path, catalog_text("mcp", {"offer": {"a": 2, "b": 1}}))
    assert VendoredCatalog(path, digest).read()["offer"] == {"a": 2, "b": 1}
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name]


def test_another_file_than_the_lock_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    digest = write_catalog(path, catalog_text("mcp", {}))
    for content, said in (
        (b"{}", "is not the one that the lock names"),
        (None, "cannot be read: No such file"),
    ):
        path.write_bytes(content) if content is not None else path.unlink()
        with pytest.raises(VendoredError, match=said):
            VendoredCatalog(path, digest).read()
    newer = write_catalog(path, b'{"version": 2}')
    with pytest.raises(VendoredError, match="is of another version"):
        VendoredCatalog(path, newer).read()


# ---- with sources of every kind -----------------------------------------------------------------------------------
class _Source(BaseHTTPRequestHandler):
    """An OpenAPI document, and a GraphQL endpoint that wants a credential."""

    def do_GET(self) -> None:
        self._answer(200, shop())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.headers.get("Authorization") == "Bearer key"
        self._answer(200 if known else 401, {"data": introspection()})

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


CONFIG = """\
version: 1
lock: {{mode: enforce}}
integrations:
  shop: {{kind: openapi, spec: {{url: "{url}/openapi.json"}}, egress: {{allow: [127.0.0.1]}}}}
  graph: {{kind: graphql, endpoint: "{url}/graphql", egress: {{allow: [127.0.0.1]}}}}
  files: {{kind: mcp, type: local, command: [{python}, {server}, {tools}]}}
connections:
  shop.org.main: {{}}
  graph.org.main: {{auth: {{kind: bearer, token: {{env: GRAPH_KEY}}}}}}
  files.org.main: {{}}
policies:
  - {{id: no-deletes, pattern: shop.*.*.items.delete, action: block}}
  - {{id: writes, pattern: graph.*, risk: [write, destructive], action: require_approval}}
  - {{id: readers, pattern: files.*.*.read_file, when: {{path: {{equals: a}}}}, action: approve}}
"""
TEST = """\
tests:
  - {name: a, tool: shop.org.main.items.delete, arguments: {id: "1"}, expect: {action: block}}
  - {name: b, tool: files.org.main.read_file, arguments: {path: a}, expect: {action: approve, rule: readers}}
  - {name: c, tool: graph.org.main.mutation.deleteAll, arguments: {}, expect: {action: require_approval, rule: writes}}
"""


class Site:
    """A folder whose sources are there until `down`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Source)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self._is_up = True
        self.tools = folder / "tools.json"
        self.offers("path")
        url = f"http://127.0.0.1:{self._server.server_port}"
        text = CONFIG.format(url=url, python=sys.executable, server=LISTED, tools=self.tools)
        (folder / "executor.yaml").write_text(text)
        (folder / "a.test.yaml").write_text(TEST)

    def offers(self, argument: str) -> None:
        schema = {"type": "object", "properties": {argument: {"type": "string"}}}
        self.tools.write_text(json.dumps([{"name": "read_file", "inputSchema": schema}]))

    def down(self) -> None:
        if self._is_up:
            self._is_up = False
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self.tools.unlink()

    @property
    def catalogs(self) -> list[str]:
        return sorted(one.stem for one in (self.folder / ".executor" / "catalog").glob("*"))


@pytest.fixture
def site(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    run.set(GRAPH_KEY="key")
    made = Site(tmp_path)
    yield made
    made.down()


def test_every_kind_is_vendored_and_judged_without_its_source(run: Run, site: Site) -> None:
    ran = run("lock", "--vendor", "--yes")
    assert ran.code == 0, ran
    assert "wrote 3 catalogs to .executor/catalog" in ran.out
    assert site.catalogs == ["files", "graph", "shop"]
    assert set(read_lock(site.folder / "executor.lock").catalogs) == {"files", "graph", "shop"}
    live = run("tools", "list", "--schemas", "--json").json
    site.down()
    run.set(GRAPH_KEY="")

    assert run("tools", "list", "--schemas", "--json").json == live
    assert run("validate", "--no-env", "--strict").code == 0
    tested = run("test", "--coverage-min", "100")
    assert (tested.code, tested.err) == (0, ""), tested
    assert run("explain", "files.org.main.read_file", "--expect", "require_approval").code == 0
    assert "as reviewed" in run("explain", "shop.org.main.items.list").out
    for tool in ("files.org.main.read_file", "shop.org.main.items.list"):
        assert "not asked, by its vendored catalog, auth" in run("explain", tool).out
    compared = run("diff", "executor.yaml", "executor.yaml", "--json").json
    assert (compared["changes"], compared["not_compared"]) == ([], {})
    rows = {row["connection"]: row for row in run("tools", "sources", "--json").json}
    assert {row.get("catalog") for row in rows.values()} == {"vendored"}
    assert rows["shop.org.main"]["tools"] == 4
    assert "its tools are those of the vendored catalog" in str(rows["shop.org.main"]["warnings"])


def test_a_changed_or_missing_catalog_is_refused_everywhere(run: Run, site: Site) -> None:
    run("lock", "--vendor", "--yes")
    catalog = site.folder / ".executor" / "catalog" / "files.json"
    catalog.write_text(catalog.read_text().replace("read_file", "read_fila"))
    for words in (["validate", "--no-env"], ["test"], ["explain", "files.org.main.read_file"]):
        ran = run(*words)
        assert ran.code != 0, words
        assert "files.json is not the one that the lock names" in ran.out + ran.err, words
    assert "E704" in run("validate", "--no-env").out
    checked = run("lock", "--check")
    assert (checked.code, "is not the one that the lock names" in checked.out) == (1, True)
    catalog.unlink()
    assert "files.json cannot be read" in run("validate", "--no-env").out
    assert run("lock", "--yes").code == 0
    assert run("validate", "--no-env").code == 0


def test_once_vendored_it_is_kept_up_to_date(run: Run, site: Site) -> None:
    run("lock", "--vendor", "--yes")
    assert run("lock", "--check").code == 0
    site.offers("place")
    checked = run("lock", "--check")
    assert checked.code == 1
    assert "! its vendored catalog is of the tools before" in checked.out
    assert run("lock", "--yes").code == 0
    assert run("lock", "--check").code == 0
    assert "place" in (site.folder / ".executor" / "catalog" / "files.json").read_text()


def test_vendoring_needs_a_lock_that_verifies_it(run: Run, site: Site) -> None:
    config = site.folder / "executor.yaml"
    config.write_text(config.read_text().replace("mode: enforce", 'mode: "off"'))
    ran = run("lock", "--vendor", "--yes")
    assert (ran.code, "--vendor needs `lock: {mode: enforce}`" in ran.err) == (2, True)
    assert run("lock", "--vendor", "--check").code == 2
