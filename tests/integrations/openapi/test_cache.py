from __future__ import annotations

from pathlib import Path

import orjson

from integrations.openapi.cache import CompiledCache, Seen, digest_of
from integrations.openapi.compile import compile_document
from tests.integrations.openapi.documents import operation

COMPILED = compile_document(orjson.dumps(operation("/x")), "m")


def test_keys_depend_on_every_part() -> None:
    assert len({digest_of("a", []), digest_of("a"), digest_of("b", []), digest_of("a", [{}])}) == 4


def test_kept_and_found(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path / "new")
    assert cache.find("k") is None
    with cache.place() as fresh:
        fresh.write_bytes(COMPILED)
        assert len(cache.keep(fresh, "k").rows) == 1
    found = cache.find("k")
    assert found is not None
    assert len(found.rows) == 1
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["k.openapi"]


def test_without_a_directory_nothing_stays() -> None:
    cache = CompiledCache(None)
    with cache.place() as fresh:
        fresh.write_bytes(COMPILED)
        doc = cache.keep(fresh, "k")
    assert not fresh.exists()
    assert doc.path_item("/x")
    cache.remember("u", Seen("0", "https://x.example", {"If-None-Match": "1"}))
    assert (cache.find("k"), cache.seen("u")) == (None, None)


def test_what_was_seen(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path)
    seen = Seen("0a", "https://x.example/d", {"If-None-Match": '"1"'})
    cache.remember("u", seen)
    assert cache.seen("u") == seen
    cache.remember("v", Seen("0a", "https://x.example/d", {}))
    assert cache.seen("v") is None


def test_damaged_files_are_nothing(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path)
    for text in ("", "{}", "[]", '{"sha256": 1, "url": "", "validators": []}', "garbage"):
        (tmp_path / "u.fetched").write_text(text)
        (tmp_path / "u.openapi").write_text(text)
        assert (cache.seen("u"), cache.find("u")) == (None, None)
