"""Single-use decisions in Redis: one hash per execution.

Fields, for each interaction: `v:` the body, `b:` the binding, `e:` the end, and once it was used `u:` by which call.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from proxy.state.records import DecisionRecord, Lease, Owner
from proxy.state.redis.journals import APPEND_FUNCTION, RedisJournals
from proxy.state.redis.link import Script, owned, text
from proxy.state.redis.part import refuse

# KEYS: execution, decisions. ARGV: now, interaction, workspace, account, binding, end, body.
_DECIDE: Final = Script("""
local row = redis.call('HMGET', KEYS[1], 'ws', 'account', 'status', 'ends')
if row[1] ~= ARGV[3] or row[2] ~= ARGV[4] or row[3] == 'settled' or not live(row[4]) then return {} end
local id = ARGV[2]
local had = redis.call('HMGET', KEYS[2], 'v:' .. id, 'b:' .. id, 'e:' .. id, 'u:' .. id)
if had[1] and live(had[3]) then return had end
redis.call('HSET', KEYS[2], 'v:' .. id, ARGV[7], 'b:' .. id, ARGV[5], 'e:' .. id, ARGV[6])
redis.call('HDEL', KEYS[2], 'u:' .. id)
lasts(KEYS[2], tonumber(ARGV[6]) - now)
return {ARGV[7], ARGV[5], ARGV[6], false}
""")

# KEYS: decisions, lease, journal. ARGV: now, token, interaction, binding, this call, then as for `append`.
_USE: Final = Script(
    APPEND_FUNCTION
    + """
if not holds(KEYS[2], ARGV[2]) then return {'lease'} end
local id = ARGV[3]
local had = redis.call('HMGET', KEYS[1], 'b:' .. id, 'e:' .. id, 'u:' .. id)
if had[3] == ARGV[5] then return {'ok'} end
if had[3] or had[1] ~= ARGV[4] or not live(had[2]) then return {'no'} end
if ARGV[7] ~= '' then
  local answer = append(KEYS[3], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]))
  if answer[1] ~= 'ok' then return answer end
end
redis.call('HSET', KEYS[1], 'u:' .. id, ARGV[5])
return {'ok'}
"""
)


class RedisDecisions(RedisJournals):
    """Implements `DecisionRecords`."""

    async def decide(self, decision: DecisionRecord) -> DecisionRecord | None:
        found = await self._link.run(
            _DECIDE,
            [self._execution(decision.execution_id), self._decisions(decision)],
            decision.interaction_id,
            decision.owner.workspace_id,
            decision.owner.account_id,
            decision.binding,
            repr(decision.expires_at),
            self._cipher.seal(decision.body, *_names(decision)),
        )
        return self._decision(decision, *found) if found else None

    async def decisions(self, execution_id: str, owner: Owner) -> tuple[DecisionRecord, ...]:
        key = self._link.key("decisions", owned(owner), self._link.tagged(execution_id))
        fields = await self._link.command("HGETALL", key)
        found: list[DecisionRecord] = []
        for name in fields:
            if name.startswith(b"v:"):
                asked = DecisionRecord(execution_id, text(name[2:]), owner, "", 0.0, b"")
                values = [fields.get(part + name[2:]) for part in (b"v:", b"b:", b"e:", b"u:")]
                found.append(self._decision(asked, *values))
        return tuple(decision for decision in found if self._link.live(decision.expires_at))

    async def use_decision(
        self, decision: DecisionRecord, *, records: Sequence[bytes] = (), lease: Lease | None = None
    ) -> bool:
        # What was held back belongs to the journal whether the decision serves or not.
        await self._flush(decision.execution_id, decision.owner, lease)
        with self._held.writing(decision.execution_id, decision.owner):
            return await self._use(decision, records, lease)

    async def _use(self, decision: DecisionRecord, records: Sequence[bytes], lease: Lease | None) -> bool:
        execution_id, owner = decision.execution_id, decision.owner
        lease_key, token = self._lease(lease, execution_id)
        journal = self._journal(execution_id, owner)
        keys = [self._decisions(decision), lease_key, journal]
        this_call = secrets.token_hex(8)
        while True:
            at = self._lengths.get(journal, 0)
            chunk = self._sealed(execution_id, owner, records, at) if records else b""
            room = (
                at,
                chunk,
                sum(map(len, records)),
                self._caps.journal_bytes,
                self._caps.journal_ttl_seconds,
            )
            what = (decision.interaction_id, decision.binding, this_call)
            answer, *rest = await self._link.run(_USE, keys, token, *what, *room)
            if answer == b"no" or (answer == b"ok" and not records):
                return bool(answer == b"ok")
            if self._placed(journal, at, answer, rest):
                return True
            if answer != b"at":
                refuse(answer, execution_id, lease)

    def _decisions(self, decision: DecisionRecord) -> str:
        return self._link.key("decisions", owned(decision.owner), self._link.tagged(decision.execution_id))

    def _decision(
        self, asked: DecisionRecord, body: Any, binding: Any, ends: Any, used: Any
    ) -> DecisionRecord:
        found = replace(asked, binding=text(binding), expires_at=float(ends), used=bool(used))
        return replace(found, body=self._cipher.open(body, *_names(found)))


def _names(decision: DecisionRecord) -> tuple[str, ...]:
    """The binding and the end are part of what was decided: neither can be changed in the store."""
    owner = decision.owner
    names = (decision.execution_id, decision.interaction_id, owner.workspace_id, owner.account_id)
    return ("decision", *names, decision.binding, repr(decision.expires_at))
