"""The index of executions in Redis.

A hash per execution, and sorted sets that lead to it: by workspace and by owner (all, and the paused ones; by time of
creation), all running ones, and all paused ones by when they are due. Redis forgets the hashes; their names in the sets
are taken away by whoever comes across them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from proxy.state.records import (
    Conflict,
    ExecutionQuery,
    ExecutionRecord,
    ExecutionStatus,
    Lease,
    Owner,
    PausedSummary,
    PendingFull,
)
from proxy.state.redis.journals import RedisJournals
from proxy.state.redis.link import RedisRow, Script, owned, readable, seconds, text
from proxy.state.redis.part import refuse

MAX_LISTED: Final = 500

# KEYS: execution, lease, journal, running, due, then all and paused of the workspace, all and paused of the owner.
# ARGV: now, token, id, old version, cap, the beginning of an execution's key, then the fields in the order of FIELDS.
FIELDS: Final = ("ws", "account", "status", "created", "ends", "body", "session", "due", "pending", "version")
SAVE_HEAD: Final = """
if not holds(KEYS[2], ARGV[2]) then return {'lease'} end
local id, cap, start = ARGV[3], tonumber(ARGV[5]), ARGV[6]
local ws, account, status, created, ends = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local due, pending, version = ARGV[14], tonumber(ARGV[15]), ARGV[16]
local had = redis.call('HMGET', KEYS[1], 'version', 'body', 'ends', 'ws', 'account')
if had[1] and not live(had[3]) then
  redis.call('DEL', KEYS[1])
  had = {false}
end
if had[1] == version and had[2] == ARGV[12] then return {'ok'} end
if (had[1] or '0') ~= ARGV[4] or (had[1] and (had[4] ~= ws or had[5] ~= account)) then
  return {'conflict', had[1] or '0'}
end
"""
_SAVE_CAP: Final = """
if cap and status == 'paused' then
  local others = 0
  for _, other in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
    local row = redis.call('HMGET', start .. other, 'pending', 'due', 'ends')
    if not row[1] then
      redis.call('ZREM', KEYS[9], other)
    elseif other ~= id and live(row[2]) and live(row[3]) then
      others = others + tonumber(row[1])
    end
  end
  if others + pending > cap then return {'pending', others} end
end
"""
SAVE_ROW: Final = """
redis.call('HSET', KEYS[1], 'ws', ws, 'account', account, 'status', status, 'created', ARGV[10], 'ends', ARGV[11],
  'body', ARGV[12], 'session', ARGV[13], 'due', due, 'pending', pending, 'version', version)
redis.call('PERSIST', KEYS[1])
lasts(KEYS[1], ends - now)
"""
_SAVE_LISTS: Final = """
local function list(key, wanted, score)
  if not wanted then
    redis.call('ZREM', key, id)
    return
  end
  for _, old in ipairs(redis.call('ZRANGE', key, 0, 3)) do
    if redis.call('EXISTS', start .. old) == 0 then redis.call('ZREM', key, old) end
  end
  redis.call('ZADD', key, score, id)
  lasts(key, ends - now)
end
local paused = status == 'paused'
list(KEYS[4], status == 'running', created)
list(KEYS[5], paused and due ~= '', due)
list(KEYS[6], true, created)
list(KEYS[7], paused, created)
list(KEYS[8], true, created)
list(KEYS[9], paused, created)
"""
SAVE_JOURNAL: Final = """
local journal = redis.call('HGET', KEYS[3], 'e')
if journal and live(journal) and tonumber(journal) < ends then
  redis.call('HSET', KEYS[3], 'e', ARGV[11])
  lasts(KEYS[3], ends - now)
end
return {'ok'}
"""
_SAVE: Final = Script(SAVE_HEAD + _SAVE_CAP + SAVE_ROW + _SAVE_LISTS + SAVE_JOURNAL)

_ROW_FUNCTION: Final = """
local function row(key, id)
  local found = redis.call('HMGET', key, 'ws', 'account', 'status', 'created', 'ends', 'body', 'session', 'due',
    'pending', 'version')
  if not found[1] then return nil end
  table.insert(found, 1, id)
  return found
end
"""

# KEYS: the set to list. ARGV: now, the beginning of an execution's key, limit, account, session, status, and time and
# id of the record before, all but the first three may be empty.
_LIST: Final = Script(
    _ROW_FUNCTION
    + """
local start, limit, status = ARGV[2], tonumber(ARGV[3]), ARGV[5]
local session, before, last = ARGV[4], tonumber(ARGV[6]), ARGV[7]
local found, dead, at = {}, {}, 0
if before then at = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[6], '+inf') end
while #found < limit do
  local ids = redis.call('ZREVRANGE', KEYS[1], at, at + 99)
  if #ids == 0 then break end
  at = at + #ids
  for _, id in ipairs(ids) do
    local got = row(start .. id, id)
    if not got then
      dead[#dead + 1] = id
    elseif live(got[6]) and (session == '' or got[8] == session) and (status == '' or got[4] == status)
      and (not before or tonumber(got[5]) < before or (tonumber(got[5]) == before and id < last))
      and #found < limit then
      found[#found + 1] = got
    end
  end
end
for _, id in ipairs(dead) do redis.call('ZREM', KEYS[1], id) end
return found
"""
)

# KEYS: running, due. ARGV: now, the beginning of an execution's key, the beginning of a lease's key, limit.
_UNATTENDED: Final = Script(
    _ROW_FUNCTION
    + """
local found, limit = {}, tonumber(ARGV[4])
local function take(key, ids, wanted)
  for _, id in ipairs(ids) do
    if #found >= limit then return end
    local got = row(ARGV[2] .. id, id)
    if not got then
      redis.call('ZREM', key, id)
    elseif live(got[6]) and wanted(id) then
      found[#found + 1] = got
    end
  end
end
take(KEYS[2], redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, limit), function() return true end)
take(KEYS[1], redis.call('ZRANGE', KEYS[1], 0, -1), function(id)
  return not live(redis.call('HGET', ARGV[3] .. id, 'e'))
end)
return found
"""
)

# KEYS: due. ARGV: now, the beginning of an execution's key.
_PAUSED_SUMMARY: Final = Script("""
local after = '(' .. string.format('%.6f', now)
local first = redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {
  redis.call('ZCOUNT', KEYS[1], after, '+inf'),
  first[2] or '',
  first[1] and redis.call('HGET', ARGV[2] .. first[1], 'ws') or '',
}
""")


class RedisExecutions(RedisJournals):
    """Implements `ExecutionRecords`."""

    async def save_execution(
        self, record: ExecutionRecord, *, lease: Lease | None = None, pending_cap: int | None = None
    ) -> ExecutionRecord:
        saved = replace(record, version=record.version + 1)
        if record.status != "settled":
            await self._flush(record.execution_id, record.owner, lease)
        await self._save(saved, lease, pending_cap)
        return saved

    async def find_execution(self, execution_id: str, workspace_id: str) -> ExecutionRecord | None:
        key = self._execution(execution_id)
        values = await self._link.command("HMGET", key, *FIELDS)
        if values[0] is None or text(values[0]) != workspace_id or not self._link.live(float(values[4])):
            return None
        return self._record((execution_id.encode(), *values))

    async def list_executions(self, query: ExecutionQuery) -> tuple[ExecutionRecord, ...]:
        listed, before = self._list_of(query), query.before
        rows = await self._link.run(
            _LIST,
            [listed],
            self._link.key("execution", ""),
            max(1, min(query.limit, MAX_LISTED)),
            query.session_id or "",
            query.status or "",
            "" if before is None else repr(before.created_at),
            "" if before is None else before.execution_id,
        )
        return readable(rows, self._record)

    def _list_of(self, query: ExecutionQuery) -> str:
        """The shortest list that has all that are asked for."""
        paused = "paused" if query.status == "paused" else "all"
        if query.account_id is None:
            return self._link.key("executions", "workspace", paused, query.workspace_id)
        owner = Owner(query.workspace_id, query.account_id)
        return self._link.key("executions", "owner", paused, owned(owner))

    async def unattended(self, limit: int = 100) -> tuple[ExecutionRecord, ...]:
        keys = [self._link.key("executions", "running"), self._link.key("executions", "due")]
        starts = (self._link.key("execution", ""), self._link.key("lease", ""))
        rows = await self._link.run(_UNATTENDED, keys, *starts, max(1, min(limit, MAX_LISTED)))
        return tuple(
            sorted(readable(rows, self._record), key=lambda record: (record.created_at, record.execution_id))
        )

    async def paused_summary(self) -> PausedSummary:
        listed, start = self._link.key("executions", "due"), self._link.key("execution", "")
        count, due, workspace_id = await self._link.run(_PAUSED_SUMMARY, [listed], start)
        return PausedSummary(int(count), seconds(due), text(workspace_id) or None)

    async def _save(self, record: ExecutionRecord, lease: Lease | None, cap: int | None) -> None:
        await self._saved(_SAVE, self._sets(record.owner), record, lease, cap)

    async def _saved(
        self,
        script: Script,
        sets: Sequence[str],
        record: ExecutionRecord,
        lease: Lease | None,
        cap: int | None,
    ) -> None:
        """Run one of the scripts that save. Raises what it refuses."""
        lease_key, token = self._lease(lease, record.execution_id)
        answer, *rest = await self._link.run(
            script,
            [
                self._execution(record.execution_id),
                lease_key,
                self._journal(record.execution_id, record.owner),
                *sets,
            ],
            token,
            record.execution_id,
            record.version - 1,
            "" if cap is None else cap,
            self._link.key("execution", ""),
            *self._fields(record),
        )
        if answer == b"conflict":
            raise Conflict(
                f"{record.execution_id} is in version {text(rest[0])}, and not {record.version - 1}, by now."
            )
        if answer == b"pending":
            raise PendingFull(
                f"{rest[0]} decisions of this caller are pending already; at most {cap} may be."
            )
        if answer != b"ok":
            refuse(answer, record.execution_id, lease)

    def _sets(self, owner: Owner) -> list[str]:
        key = self._link.key
        return [
            key("executions", "running"),
            key("executions", "due"),
            key("executions", "workspace", "all", owner.workspace_id),
            key("executions", "workspace", "paused", owner.workspace_id),
            key("executions", "owner", "all", owned(owner)),
            key("executions", "owner", "paused", owned(owner)),
        ]

    def _fields(self, record: ExecutionRecord) -> tuple[str | bytes | int, ...]:
        owner = record.owner
        return (
            owner.workspace_id,
            owner.account_id,
            record.status,
            repr(record.created_at),
            repr(record.expires_at),
            self._cipher.seal(record.body, *_names(record)),
            record.session_id or "",
            "" if record.due_at is None else repr(record.due_at),
            record.pending,
            record.version,
        )

    def _record(self, row: RedisRow) -> ExecutionRecord:
        execution_id, workspace_id, account_id, status, created_at, ends, body, *rest = row
        session_id, due_at, pending, version = rest
        found = ExecutionRecord(
            execution_id=text(execution_id),
            owner=Owner(text(workspace_id), text(account_id)),
            status=_STATUS[status],
            created_at=float(created_at),
            expires_at=float(ends),
            body=b"",
            session_id=text(session_id) or None,
            due_at=seconds(due_at),
            pending=int(pending),
            version=int(version),
        )
        return replace(found, body=self._cipher.open(body, *_names(found)))


_STATUS: Final[Mapping[bytes, ExecutionStatus]] = {
    b"running": "running",
    b"paused": "paused",
    b"settled": "settled",
}


def _names(record: ExecutionRecord) -> tuple[str, ...]:
    return ("execution", record.execution_id, record.owner.workspace_id, record.owner.account_id)
