"""Handshake-era sessions in Redis: a hash each, and two sorted sets: an owner's by last use, all by their end."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy.state.records import Owner, SessionRecord, SessionsFull
from proxy.state.redis.link import RedisRow, Script, owned, text
from proxy.state.redis.part import Part

# KEYS: session, the owner's, all. ARGV: now, id, workspace, account, created, body, ttl, the owner's cap, the cap of
# all, the beginning of a session's key.
_OPEN: Final = Script("""
local id, ttl, start = ARGV[2], tonumber(ARGV[7]), ARGV[10]
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local mine, leaving = {}, {}
for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if not live(redis.call('HGET', start .. other, 'e')) then
    redis.call('ZREM', KEYS[2], other)
  elseif other ~= id then
    mine[#mine + 1] = other
  end
end
for i = 1, #mine - tonumber(ARGV[8]) + 1 do leaving[i] = mine[i] end
local others = redis.call('ZCARD', KEYS[3])
if redis.call('ZSCORE', KEYS[3], id) then others = others - 1 end
if others - #leaving >= tonumber(ARGV[9]) then return {'full'} end
for _, other in ipairs(leaving) do
  redis.call('UNLINK', start .. other)
  redis.call('ZREM', KEYS[2], other)
  redis.call('ZREM', KEYS[3], other)
end
local seen, ends = string.format('%.6f', now), string.format('%.6f', now + ttl)
redis.call('HSET', KEYS[1], 'ws', ARGV[3], 'account', ARGV[4], 'created', ARGV[5], 'seen', seen, 'v', ARGV[6],
  'e', ends, 'of', KEYS[2])
redis.call('PEXPIRE', KEYS[1], math.ceil(ttl * 1000))
redis.call('ZADD', KEYS[2], seen, id)
redis.call('ZADD', KEYS[3], ends, id)
lasts(KEYS[2], ttl)
lasts(KEYS[3], ttl)
return {'ok', unpack(leaving)}
""")

# KEYS: session, all. ARGV: now, id, ttl.
_USE: Final = Script("""
local row = redis.call('HMGET', KEYS[1], 'ws', 'account', 'created', 'seen', 'v', 'e', 'of')
if not row[1] or not live(row[6]) then return {} end
local ttl = tonumber(ARGV[3])
if now - tonumber(row[4]) >= ttl / 16 then
  local seen, ends = string.format('%.6f', now), string.format('%.6f', now + ttl)
  redis.call('HSET', KEYS[1], 'seen', seen, 'e', ends)
  redis.call('PEXPIRE', KEYS[1], math.ceil(ttl * 1000))
  redis.call('ZADD', row[7], seen, ARGV[2])
  redis.call('ZADD', KEYS[2], ends, ARGV[2])
  lasts(row[7], ttl)
  lasts(KEYS[2], ttl)
end
return {row[1], row[2], row[3], row[4], row[5]}
""")

_MINE: Final = """
local row = redis.call('HMGET', KEYS[1], 'ws', 'account', 'e')
if row[1] ~= ARGV[3] or row[2] ~= ARGV[4] or not live(row[3]) then return 0 end
"""
# KEYS: session. ARGV: now, id, workspace, account, body.
_SAVE: Final = Script(
    _MINE
    + """
redis.call('HSET', KEYS[1], 'v', ARGV[5])
return 1
"""
)
# KEYS: session, the owner's, all. ARGV: now, id, workspace, account.
_CLOSE: Final = Script(
    _MINE
    + """
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return 1
"""
)


class RedisSessions(Part):
    """Implements `Sessions`."""

    async def open_session(
        self, record: SessionRecord, *, ttl_seconds: float, owner_cap: int, total_cap: int
    ) -> tuple[str, ...]:
        owner = record.owner
        answer, *leaving = await self._link.run(
            _OPEN,
            self._keys(record.session_id, owner),
            record.session_id,
            owner.workspace_id,
            owner.account_id,
            repr(record.created_at),
            self._cipher.seal(record.body, *_names(record)),
            ttl_seconds,
            owner_cap,
            total_cap,
            self._link.key("session", ""),
        )
        if answer == b"full":
            raise SessionsFull(f"{total_cap} sessions are open already.")
        return tuple(map(text, leaving))

    async def use_session(self, session_id: str, ttl_seconds: float) -> SessionRecord | None:
        keys = [self._link.key("session", session_id), self._link.key("sessions", "all")]
        row = await self._link.run(_USE, keys, session_id, ttl_seconds)
        return self._session(session_id, row) if row else None

    async def save_session(self, session_id: str, owner: Owner, body: bytes) -> bool:
        sealed = self._cipher.seal(body, "session", session_id, owner.workspace_id, owner.account_id)
        names = (session_id, owner.workspace_id, owner.account_id)
        return bool(await self._link.run(_SAVE, self._keys(session_id, owner)[:1], *names, sealed))

    async def close_session(self, session_id: str, owner: Owner) -> bool:
        names = (session_id, owner.workspace_id, owner.account_id)
        return bool(await self._link.run(_CLOSE, self._keys(session_id, owner), *names))

    def _keys(self, session_id: str, owner: Owner) -> list[str]:
        return [
            self._link.key("session", session_id),
            self._link.key("sessions", "owner", owned(owner)),
            self._link.key("sessions", "all"),
        ]

    def _session(self, session_id: str, row: RedisRow) -> SessionRecord:
        workspace_id, account_id, created_at, seen_at, body = row
        owner = Owner(text(workspace_id), text(account_id))
        found = SessionRecord(session_id, owner, b"", float(created_at), float(seen_at))
        return replace(found, body=self._cipher.open(body, *_names(found)))


def _names(record: SessionRecord) -> tuple[str, ...]:
    return ("session", record.session_id, record.owner.workspace_id, record.owner.account_id)
