"""Leases in Redis: a hash each (`h` holder, `t` token, `e` end). Tokens come from one counter."""

from __future__ import annotations

from typing import Any, Final

from proxy.state.records import Lease
from proxy.state.redis.link import Script, text
from proxy.state.redis.part import Part

# KEYS: lease, counter. ARGV: now, holder, ttl.
_ACQUIRE: Final = Script("""
local had = redis.call('HMGET', KEYS[1], 'h', 't', 'e')
if had[1] and live(had[3]) then return had end
local token = redis.call('INCR', KEYS[2])
local ends = string.format('%.6f', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'h', ARGV[2], 't', token, 'e', ends)
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(tonumber(ARGV[3]) * 1000)))
return {ARGV[2], tostring(token), ends}
""")
# KEYS: lease. ARGV: now, token, ttl.
_RENEW: Final = Script("""
if not holds(KEYS[1], ARGV[2]) then return false end
local ends = string.format('%.6f', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'e', ends)
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(tonumber(ARGV[3]) * 1000)))
return ends
""")
# KEYS: lease. ARGV: now, token.
_RELEASE: Final = Script("""
if redis.call('HGET', KEYS[1], 't') == ARGV[2] then redis.call('UNLINK', KEYS[1]) end
return false
""")
# KEYS: lease. ARGV: now.
_OF: Final = Script("""
local had = redis.call('HMGET', KEYS[1], 'h', 't', 'e')
if had[1] and live(had[3]) then return had end
return {}
""")


class RedisLeases(Part):
    """Implements `Leases`."""

    async def acquire_lease(self, name: str, holder: str, ttl_seconds: float) -> Lease | None:
        held = lease_of_row(name, await self._acquire(name, holder, ttl_seconds))
        return held if held is not None and held.holder == holder else None

    async def renew_lease(self, lease: Lease, ttl_seconds: float) -> Lease | None:
        ends = await self._link.run(_RENEW, [self._key(lease.name)], lease.token, ttl_seconds)
        return Lease(lease.name, lease.holder, lease.token, float(ends)) if ends is not None else None

    async def release_lease(self, lease: Lease) -> None:
        await self._link.run(_RELEASE, [self._key(lease.name)], lease.token)

    async def lease_of(self, name: str) -> Lease | None:
        return lease_of_row(name, await self._link.run(_OF, [self._key(name)]))

    async def _acquire(self, name: str, holder: str, ttl_seconds: float) -> Any:
        keys = [self._key(name), self._link.key("tokens")]
        return await self._link.run(_ACQUIRE, keys, holder, ttl_seconds)

    def _key(self, name: str) -> str:
        return self._link.key("lease", self._link.tagged(name))


def lease_of_row(name: str, row: Any) -> Lease | None:
    if not row:
        return None
    holder, token, ends = row
    return Lease(name, text(holder), int(token), float(ends))
