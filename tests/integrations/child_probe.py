"""A child process for the tests of `integrations.child`: does what the request says."""

from __future__ import annotations

import os
import sys

import orjson

from integrations.base import JsonObject, SourceError
from integrations.child import serve_child


def endless(depth: int) -> int:
    return endless(depth + 1) + 1


def work(request: JsonObject, content: bytes) -> bytes:
    if request["do"] == "refuse":
        raise SourceError(f"{request['name']}: not like this")
    if request["do"] == "recurse":
        return bytes(endless(0))
    if request["do"] == "hoard":
        return bytes(1 << 40)
    return orjson.dumps({"environment": dict(os.environ), "content": content.decode()})


if __name__ == "__main__":
    sys.exit(serve_child(work))
