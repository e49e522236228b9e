"""The store in a cluster: what one server does in one step, where the keys are in several slots.

All that is about one execution is in one slot, and stays one step: its record, journal, decisions and lease. The lists
that lead to executions and sessions are elsewhere, so they are written before the record that they lead to and cleaned
after it. Whoever dies in between leaves a name too many, never one too few:

- A name leads nowhere, or to a record that says something else: the reader looks at the record, which is the truth. A
  name that leads nowhere is taken out once it is certain that no record follows (`dead_names`).
- Decisions that are pending are counted where their owner is: a place is taken first and given back when the save is
  refused. One that is not given back counts until the execution would have been due.
- Tokens of leases are microseconds of the server's clock, and grow with each lease of the same name.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

from limits.aio.storage import Storage

from proxy.state.keys import KeyRing
from proxy.state.publications import Hub
from proxy.state.records import (
    Caps,
    ExecutionQuery,
    ExecutionRecord,
    Lease,
    Owner,
    PausedSummary,
    PendingFull,
    SessionRecord,
    SessionsFull,
    StateError,
    StateUnavailable,
)
from proxy.state.redis.dead_names import DeadNames
from proxy.state.redis.executions import FIELDS, MAX_LISTED, SAVE_HEAD, SAVE_JOURNAL, SAVE_ROW
from proxy.state.redis.link import Link, RedisRow, Script, owned, readable, seconds, text
from proxy.state.redis.listener import Listener
from proxy.state.redis.store import RedisState

_PAGE: Final = 100
# One first save in so many looks whether the oldest names of its lists still lead somewhere.
_PRUNE_ONE_IN: Final = 16
_PRUNED: Final = 64
_MARGIN_SECONDS: Final = 10.0

_SAVE: Final = Script(SAVE_HEAD + SAVE_ROW + SAVE_JOURNAL)
# KEYS: the owner's pending. ARGV: now, execution, cap (empty: none), pending, due, end. Fields: `pending due end`.
_TAKE_PLACE: Final = Script("""
local id, cap, others = ARGV[2], tonumber(ARGV[3]), 0
local fields = redis.call('HGETALL', KEYS[1])
local had = ''
for i = 1, #fields, 2 do
  local count, due, ends = string.match(fields[i + 1], '^(%d+) (%S*) (%S+)$')
  if fields[i] == id then
    had = fields[i + 1]
  elseif live(due) and live(ends) then
    others = others + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
if cap and others + tonumber(ARGV[4]) > cap then return {'pending', others} end
redis.call('HSET', KEYS[1], id, ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6])
lasts(KEYS[1], tonumber(ARGV[6]) - now)
return {'ok', had}
""")
# KEYS: a sorted set. ARGV: now, member, score, end.
_LIST: Final = Script("""
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
lasts(KEYS[1], tonumber(ARGV[4]) - now)
return {}
""")
# KEYS: execution, lease. ARGV: now. The record and whether somebody holds the lease.
_LOOK: Final = Script("""
local found = redis.call('HMGET', KEYS[1], 'ws', 'account', 'status', 'created', 'ends', 'body', 'session', 'due',
  'pending', 'version')
if not found[1] then return {} end
found[11] = live(redis.call('HGET', KEYS[2], 'e')) and 1 or 0
found[12] = found[8] ~= '' and tonumber(found[8]) <= now and 1 or 0
return found
""")
# KEYS: due. ARGV: now, limit.
_DUE: Final = Script(
    "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))"
)
# KEYS: due. ARGV: now.
_WAITING: Final = Script("""
local after = '(' .. string.format('%.6f', now)
local first = redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {redis.call('ZCOUNT', KEYS[1], after, '+inf'), first[2] or '', first[1] or ''}
""")
# KEYS: lease. ARGV: now, holder, ttl.
_ACQUIRE: Final = Script("""
local had = redis.call('HMGET', KEYS[1], 'h', 't', 'e')
if had[1] and live(had[3]) then return had end
local time = redis.call('TIME')
local token = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(had[2] or '0') + 1)
local said, ends = string.format('%.0f', token), string.format('%.6f', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'h', ARGV[2], 't', said, 'e', ends)
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(tonumber(ARGV[3]) * 1000)))
return {ARGV[2], said, ends}
""")
# KEYS: the owner's sessions by their end. ARGV: now, id, ttl, the owner's cap. Those that leave, and when they end.
_JOIN_OWNER: Final = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREM', KEYS[1], ARGV[2])
local leaving = {}
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4]) + 1
if over > 0 then leaving = redis.call('ZPOPMIN', KEYS[1], over) end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + tonumber(ARGV[3])), ARGV[2])
lasts(KEYS[1], tonumber(ARGV[3]))
return leaving
""")
# KEYS: all sessions by their end. ARGV: now, id, ttl, the cap of all, those that leave.
_JOIN_ALL: Final = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local others = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then others = others - 1 end
for i = 5, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then others = others - 1 end
end
if others >= tonumber(ARGV[4]) then return 0 end
for i = 5, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + tonumber(ARGV[3])), ARGV[2])
lasts(KEYS[1], tonumber(ARGV[3]))
return 1
""")
# KEYS: session. ARGV: now, workspace, account, created, body, ttl.
_OPEN: Final = Script("""
local ttl = tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'ws', ARGV[2], 'account', ARGV[3], 'created', ARGV[4], 'v', ARGV[5],
  'seen', string.format('%.6f', now), 'e', string.format('%.6f', now + ttl))
redis.call('PEXPIRE', KEYS[1], math.ceil(ttl * 1000))
return {}
""")
# KEYS: session. ARGV: now, ttl. The session, and its new end if that was moved.
_USE: Final = Script("""
local row = redis.call('HMGET', KEYS[1], 'ws', 'account', 'created', 'seen', 'v', 'e')
if not row[1] or not live(row[6]) then return {} end
local ttl, ends = tonumber(ARGV[2]), ''
if now - tonumber(row[4]) >= ttl / 16 then
  ends = string.format('%.6f', now + ttl)
  redis.call('HSET', KEYS[1], 'seen', string.format('%.6f', now), 'e', ends)
  redis.call('PEXPIRE', KEYS[1], math.ceil(ttl * 1000))
end
return {row[1], row[2], row[3], row[4], row[5], ends}
""")
# KEYS: a set of sessions. ARGV: now, id, end, ttl. A session that was closed meanwhile does not come back.
_PROLONG: Final = Script("""
redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[2])
lasts(KEYS[1], tonumber(ARGV[4]))
return {}
""")
# KEYS: session. ARGV: now, workspace, account.
_CLOSE: Final = Script("""
local row = redis.call('HMGET', KEYS[1], 'ws', 'account', 'e')
if row[1] ~= ARGV[2] or row[2] ~= ARGV[3] or not live(row[3]) then return 0 end
redis.call('UNLINK', KEYS[1])
return 1
""")


class RedisClusterState(RedisState):
    """Implements `State`."""

    def __init__(
        self, link: Link, keys: KeyRing, caps: Caps, listener: Listener, hub: Hub, counters: Storage
    ) -> None:
        super().__init__(link, keys, caps, listener, hub, counters)
        # A name, then the record: two calls, each of which may take all of its time.
        self._dead = DeadNames(2 * link.limit_seconds + _MARGIN_SECONDS)

    # ---- executions
    async def _save(self, record: ExecutionRecord, lease: Lease | None, cap: int | None) -> None:
        wanted, unwanted = self._lists(record)
        place = await self._take_place(record, cap) if record.status == "paused" else None
        try:
            await asyncio.gather(*(self._listed(key, score, record) for key, score in wanted))
            await self._saved(_SAVE, (), record, lease, None)
        except StateUnavailable:
            raise
        except StateError:
            if place is not None:
                await self._give_back(record, place)
            raise
        if record.version > 1:
            await asyncio.gather(*(self._link.command("ZREM", key, record.execution_id) for key in unwanted))
            if record.status != "paused":
                await self._give_back(record, "")
        elif random.randrange(_PRUNE_ONE_IN) == 0:  # noqa: S311 - no secret
            await asyncio.gather(*(self._prune(key) for key, _ in wanted))

    def _lists(self, record: ExecutionRecord) -> tuple[list[tuple[str, str]], list[str]]:
        """The lists that have it, with its place in them, and those that have not."""
        running, due, of_workspace, paused_of_workspace, of_owner, paused_of_owner = self._sets(record.owner)
        created, paused = repr(record.created_at), record.status == "paused"
        places = {
            running: created if record.status == "running" else None,
            due: repr(record.due_at) if paused and record.due_at is not None else None,
            of_workspace: created,
            paused_of_workspace: created if paused else None,
            of_owner: created,
            paused_of_owner: created if paused else None,
        }
        wanted = [(key, score) for key, score in places.items() if score is not None]
        return wanted, [key for key, score in places.items() if score is None]

    async def _listed(self, key: str, score: str, record: ExecutionRecord) -> None:
        await self._link.run(_LIST, [key], record.execution_id, score, repr(record.expires_at))

    async def _take_place(self, record: ExecutionRecord, cap: int | None) -> str:
        """What stood there before. Raises `PendingFull`."""
        due = "" if record.due_at is None else repr(record.due_at)
        answer, found = await self._link.run(
            _TAKE_PLACE,
            [self._places_of(record.owner)],
            record.execution_id,
            "" if cap is None else cap,
            record.pending,
            due,
            repr(record.expires_at),
        )
        if answer == b"pending":
            raise PendingFull(f"{found} decisions of this caller are pending already; at most {cap} may be.")
        return text(found)

    async def _give_back(self, record: ExecutionRecord, place: str) -> None:
        key = self._places_of(record.owner)
        if place:
            await self._link.command("HSET", key, record.execution_id, place)
        else:
            await self._link.command("HDEL", key, record.execution_id)

    def _places_of(self, owner: Owner) -> str:
        return self._link.key("pending", owned(owner))

    async def _prune(self, listed: str) -> None:
        names = [text(name) for name in await self._link.command("ZRANGE", listed, 0, _PRUNED - 1)]
        there = await asyncio.gather(*(self._link.command("EXISTS", self._execution(name)) for name in names))
        await self._forget(listed, [name for name, found in zip(names, there, strict=True) if not found])

    async def _forget(self, listed: str, dead: Sequence[str]) -> None:
        certain = self._dead.certain(listed, dead)
        if certain:
            await self._link.command("ZREM", listed, *certain)

    async def list_executions(self, query: ExecutionQuery) -> tuple[ExecutionRecord, ...]:
        listed, limit = self._list_of(query), max(1, min(query.limit, MAX_LISTED))
        before = query.before
        latest = "+inf" if before is None else repr(before.created_at)
        found: list[RedisRow] = []
        dead: list[str] = []
        at = 0
        while len(found) < limit:
            page = await self._link.command("ZREVRANGEBYSCORE", listed, latest, "-inf", "LIMIT", at, _PAGE)
            if not page:
                break
            at += len(page)
            names = [text(name) for name in page]
            for name, row in zip(names, await self._rows(names), strict=True):
                if row[0] is None:
                    dead.append(name)
                elif self._fits((name.encode(), *row), query):
                    found.append((name.encode(), *row))
        await self._forget(listed, dead)
        return readable(found[:limit], self._record)

    async def _rows(self, names: Sequence[str]) -> list[Sequence[Any]]:
        return list(
            await asyncio.gather(
                *(self._link.command("HMGET", self._execution(name), *FIELDS) for name in names)
            )
        )

    def _fits(self, row: RedisRow, query: ExecutionQuery) -> bool:
        name, _, _, status, created, ends, _, session, *_ = row
        if not self._link.live(float(ends)) or (query.status and text(status) != query.status):
            return False
        if query.session_id and text(session) != query.session_id:
            return False
        before = query.before
        return before is None or (float(created), text(name)) < (before.created_at, before.execution_id)

    async def unattended(self, limit: int = 100) -> tuple[ExecutionRecord, ...]:
        most = max(1, min(limit, MAX_LISTED))
        running, due = self._link.key("executions", "running"), self._link.key("executions", "due")
        over = await self._link.run(_DUE, [due], most)
        found = [row for row in await self._looked(due, over) if row[3] == b"paused" and row[12] == 1]
        begun = await self._link.command("ZRANGE", running, 0, -1)
        for at in range(0, len(begun), _PAGE):
            if len(found) >= most:
                break
            looked = await self._looked(running, begun[at : at + _PAGE])
            found += [row for row in looked if row[3] == b"running" and row[11] == 0]
        records = readable([row[:11] for row in found[:most]], self._record)
        return tuple(sorted(records, key=lambda record: (record.created_at, record.execution_id)))

    async def _looked(self, listed: str, names: Sequence[bytes]) -> list[RedisRow]:
        """The records behind these names, each with whether its lease is held and whether it is due."""
        asked = [text(name) for name in names]
        rows = await asyncio.gather(*(self._link.run(_LOOK, self._with_lease(name)) for name in asked))
        await self._forget(listed, [name for name, row in zip(asked, rows, strict=True) if not row])
        found = [(name.encode(), *row) for name, row in zip(asked, rows, strict=True) if row]
        return [row for row in found if self._link.live(float(row[5]))]

    def _with_lease(self, execution_id: str) -> list[str]:
        return [self._execution(execution_id), self._key(execution_id)]

    async def paused_summary(self) -> PausedSummary:
        count, due, first = await self._link.run(_WAITING, [self._link.key("executions", "due")])
        workspace = await self._link.command("HGET", self._execution(text(first)), "ws") if first else None
        return PausedSummary(int(count), seconds(due), text(workspace) if workspace else None)

    # ---- leases
    async def _acquire(self, name: str, holder: str, ttl_seconds: float) -> Any:
        return await self._link.run(_ACQUIRE, [self._key(name)], holder, ttl_seconds)

    # ---- sessions
    async def open_session(
        self, record: SessionRecord, *, ttl_seconds: float, owner_cap: int, total_cap: int
    ) -> tuple[str, ...]:
        _, of_owner, everybody = self._keys(record.session_id, record.owner)
        left = await self._link.run(_JOIN_OWNER, [of_owner], record.session_id, ttl_seconds, owner_cap)
        leaving = [text(one) for one in left[::2]]
        joined = await self._link.run(
            _JOIN_ALL, [everybody], record.session_id, ttl_seconds, total_cap, *leaving
        )
        if not joined:
            back = [word for name, end in zip(left[::2], left[1::2], strict=True) for word in (end, name)]
            if back:
                await self._link.command("ZADD", of_owner, *back)
            await self._link.command("ZREM", of_owner, record.session_id)
            raise SessionsFull(f"{total_cap} sessions are open already.")
        await asyncio.gather(
            *(self._link.command("UNLINK", self._link.key("session", one)) for one in leaving)
        )
        await self._write_session(record, ttl_seconds)
        return tuple(leaving)

    async def _write_session(self, record: SessionRecord, ttl_seconds: float) -> None:
        owner = record.owner
        names = (record.session_id, owner.workspace_id, owner.account_id)
        await self._link.run(
            _OPEN,
            [self._link.key("session", record.session_id)],
            owner.workspace_id,
            owner.account_id,
            repr(record.created_at),
            self._cipher.seal(record.body, "session", *names),
            ttl_seconds,
        )

    async def use_session(self, session_id: str, ttl_seconds: float) -> SessionRecord | None:
        row = await self._link.run(_USE, [self._link.key("session", session_id)], ttl_seconds)
        if not row:
            return None
        found = self._session(session_id, row[:5])
        if row[5]:
            _, *sets = self._keys(session_id, found.owner)
            await asyncio.gather(
                *(self._link.run(_PROLONG, [key], session_id, row[5], ttl_seconds) for key in sets)
            )
        return found

    async def close_session(self, session_id: str, owner: Owner) -> bool:
        session, *sets = self._keys(session_id, owner)
        if not await self._link.run(_CLOSE, [session], owner.workspace_id, owner.account_id):
            return False
        await asyncio.gather(*(self._link.command("ZREM", key, session_id) for key in sets))
        return True
