"""Large results in Redis: a hash each, and a list of them per owner. The total is bounded by Redis's own memory."""

from __future__ import annotations

import secrets
from typing import Final

from proxy.state.records import Owner
from proxy.state.redis.link import Script, owned, seconds, text
from proxy.state.redis.part import Part

# KEYS: the result, the owner's list (ref and size, by time); in a cluster the results in it. ARGV: now, ref, value,
# size, ttl, the owner's share, the beginning of a result's key. A result that was put between reading the list and this
# step is not declared, and is left as it is.
_PUT: Final = Script("""
local held = 0
local sizes = {}
local known = nil
for i = 3, #KEYS do
  known = known or {}
  known[KEYS[i]] = true
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local ref, size = string.match(member, '^(%S+) (%d+)$')
  if known and not known[ARGV[7] .. ref] then
    held = held + tonumber(size)
  elseif ref == ARGV[2] or not live(redis.call('HGET', ARGV[7] .. ref, 'e')) then
    redis.call('ZREM', KEYS[2], member)
  else
    held = held + tonumber(size)
    sizes[#sizes + 1] = {member, ref, tonumber(size)}
  end
end
for _, old in ipairs(sizes) do
  if held + tonumber(ARGV[4]) <= tonumber(ARGV[6]) then break end
  redis.call('UNLINK', ARGV[7] .. old[2])
  redis.call('ZREM', KEYS[2], old[1])
  held = held - old[3]
end
local ttl = tonumber(ARGV[5])
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'e', string.format('%.6f', now + ttl))
lasts(KEYS[1], ttl)
redis.call('ZADD', KEYS[2], now, ARGV[2] .. ' ' .. ARGV[4])
lasts(KEYS[2], ttl)
return {}
""")


class RedisResults(Part):
    """Implements `Results`."""

    async def put_result(self, owner: Owner, value: bytes, ttl_seconds: float) -> str | None:
        share = min(self._caps.owner_result_bytes, self._caps.result_bytes)
        if len(value) > share:
            return None
        ref = f"res_{secrets.token_hex(16)}"
        sealed = self._cipher.seal(value, "result", ref, owner.workspace_id, owner.account_id)
        start, listed = self._start(owner), self._link.key("results", self._link.tagged(owned(owner)))
        others = await self._others(start, listed) if self._link.in_cluster else ()
        keys = [start + ref, listed, *others]
        await self._link.run(_PUT, keys, ref, sealed, len(value), ttl_seconds, share, start)
        return ref

    def _start(self, owner: Owner) -> str:
        """The beginning of the keys of this owner's results."""
        return self._link.key("result", self._link.tagged(owned(owner)), "")

    async def _others(self, start: str, listed: str) -> list[str]:
        """The results that may have to go: a script in a cluster declares every key that it touches."""
        members = await self._link.command("ZRANGE", listed, 0, -1)
        return [start + text(member).split(" ")[0] for member in members]

    async def get_result(self, owner: Owner, ref: str) -> bytes | None:
        key = self._start(owner) + ref
        value, ends = await self._link.command("HMGET", key, "v", "e")
        if value is None or not self._link.live(seconds(ends)):
            return None
        return self._cipher.open(value, "result", ref, owner.workspace_id, owner.account_id)
