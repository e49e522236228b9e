"""Small documents in Redis: a hash each (`v` value, `n` version, `e` end or empty), and a set of their keys by kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy.state.records import Conflict, Entry
from proxy.state.redis.link import RedisRow, Script, readable, seconds, text
from proxy.state.redis.part import Part

MAX_LISTED: Final = 500

# KEYS: entry, the keys of its kind. ARGV: now, key, old version, value, end.
_WRITE: Final = Script("""
local had = redis.call('HMGET', KEYS[1], 'n', 'v', 'e')
local version = (had[1] and live(had[3])) and had[1] or '0'
local new = tonumber(ARGV[3]) + 1
if had[2] == ARGV[4] and tonumber(version) == new then return {'ok'} end
if version ~= ARGV[3] then return {'conflict', version} end
redis.call('HSET', KEYS[1], 'n', new, 'v', ARGV[4], 'e', ARGV[5])
redis.call('PERSIST', KEYS[1])
if ARGV[5] ~= '' then lasts(KEYS[1], tonumber(ARGV[5]) - now) end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
return {'ok'}
""")
# KEYS: entry, the keys of its kind. ARGV: now, key, version.
_DROP: Final = Script("""
local had = redis.call('HMGET', KEYS[1], 'n', 'e')
if had[1] ~= ARGV[3] or not live(had[2]) then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
""")
# KEYS: the keys of a kind, and in a cluster the entries. ARGV: now, the beginning of an entry's key, limit, and in a
# cluster the keys of the entries: a script there declares every key that it touches.
_LIST: Final = Script("""
local found = {}
for _, key in ipairs(#ARGV > 3 and {unpack(ARGV, 4)} or #KEYS == 1 and redis.call('ZRANGE', KEYS[1], 0, -1) or {}) do
  if #found >= tonumber(ARGV[3]) then break end
  local row = redis.call('HMGET', ARGV[2] .. key, 'v', 'n', 'e')
  if not row[1] then
    redis.call('ZREM', KEYS[1], key)
  elseif live(row[3]) then
    found[#found + 1] = {key, row[1], row[2], row[3]}
  end
end
return found
""")


class RedisEntries(Part):
    """Implements `Entries`."""

    async def read_entry(self, kind: str, workspace_id: str, key: str) -> Entry | None:
        name = self._places(kind, workspace_id, key)[0]
        value, version, ends = await self._link.command("HMGET", name, "v", "n", "e")
        if value is None or not self._link.live(seconds(ends)):
            return None
        return self._entry(kind, workspace_id, (key.encode(), value, version, ends))

    async def write_entry(self, entry: Entry) -> Entry:
        answer, *rest = await self._link.run(
            _WRITE,
            self._places(entry.kind, entry.workspace_id, entry.key),
            entry.key,
            entry.version,
            self._cipher.seal(entry.value, *_names(entry)),
            "" if entry.expires_at is None else repr(entry.expires_at),
        )
        if answer == b"conflict":
            raise Conflict(
                f"The {entry.kind} `{entry.key}` is in version {text(rest[0])}, and not {entry.version}, by now."
            )
        return replace(entry, version=entry.version + 1)

    async def drop_entry(self, entry: Entry) -> bool:
        keys = self._places(entry.kind, entry.workspace_id, entry.key)
        return bool(await self._link.run(_DROP, keys, entry.key, entry.version))

    async def list_entries(self, kind: str, workspace_id: str, limit: int = 500) -> tuple[Entry, ...]:
        start, listed = self._places(kind, workspace_id, "")
        keys = await self._link.command("ZRANGE", listed, 0, -1) if self._link.in_cluster else ()
        names = [text(key) for key in keys]
        rows = await self._link.run(
            _LIST, [listed, *(start + name for name in names)], start, max(1, min(limit, MAX_LISTED)), *names
        )
        return readable(rows, lambda row: self._entry(kind, workspace_id, row))

    def _places(self, kind: str, workspace_id: str, key: str) -> list[str]:
        return [
            self._link.key("entry", self._link.tagged(f"{kind}:{workspace_id}"), key),
            self._link.key("entries", self._link.tagged(f"{kind}:{workspace_id}")),
        ]

    def _entry(self, kind: str, workspace_id: str, row: RedisRow) -> Entry:
        key, value, version, ends = row
        found = Entry(kind, workspace_id, text(key), b"", int(version), seconds(ends))
        return replace(found, value=self._cipher.open(value, *_names(found)))


def _names(entry: Entry) -> tuple[str, ...]:
    return (entry.kind, entry.workspace_id, entry.key)
