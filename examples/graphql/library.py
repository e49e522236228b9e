"""A small GraphQL server for this example: the schema is library.graphql, the books live in memory.

    LIBRARY_CARD=secret .venv/bin/python examples/graphql/library.py [PORT]

`graphql-core` executes it; Executor brings that along.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from graphql import build_schema, graphql_sync

SCHEMA = build_schema((Path(__file__).parent / "library.graphql").read_text(encoding="utf-8"))
LARGEST_BODY = 1 << 20


class Library:
    """The root value: each field of Query and Mutation is a method."""

    def __init__(self) -> None:
        rows = (
            ("1", "A Wizard of Earthsea", "Le Guin"),
            ("2", "Kindred", "Butler"),
            ("3", "The Dispossessed", "Le Guin"),
        )
        self._books = {
            id: {"id": id, "title": title, "author": author, "lentTo": None} for id, title, author in rows
        }

    def books(self, _info: Any, author: str | None = None) -> list[dict[str, Any]]:
        return [book for book in self._books.values() if author in (None, book["author"])]

    def book(self, _info: Any, id: str) -> dict[str, Any] | None:
        return self._books.get(id)

    def lend(self, _info: Any, id: str, reader: str) -> dict[str, Any] | None:
        book = self._books.get(id)
        if book is not None:
            book["lentTo"] = reader
        return book

    def discard(self, _info: Any, id: str) -> bool:
        return self._books.pop(id, None) is not None


LIBRARY = Library()


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(min(int(self.headers["content-length"]), LARGEST_BODY)))
        if self.headers.get("x-library-card") != os.environ["LIBRARY_CARD"]:
            self._answer(401, {"errors": [{"message": "no library card"}]})
            return
        done = graphql_sync(
            SCHEMA,
            request["query"],
            root_value=LIBRARY,
            variable_values=request.get("variables"),
            operation_name=request.get("operationName"),
        )
        self._answer(200, dict(done.formatted))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: Executor's log tells of every call."""


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9798
    with HTTPServer(("127.0.0.1", port), Endpoint) as server:
        print(f"listening on http://127.0.0.1:{server.server_address[1]}/graphql", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
