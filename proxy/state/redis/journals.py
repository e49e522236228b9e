"""Journals in Redis: one hash each. Fields: the chunks by number, `n` how many, `b` their bytes, `e` the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from proxy.state.held import Held
from proxy.state.keys import Cipher
from proxy.state.packing import pack, unpack
from proxy.state.records import Caps, Lease, Owner
from proxy.state.redis.link import Link, Script, owned, seconds
from proxy.state.redis.part import Part, refuse

_REMEMBERED: Final = 4096

# A chunk is sealed for its place. Is the place another one by now, the script says which; the same chunk again is
# the same call again.
APPEND_FUNCTION: Final = """
local function append(key, at, chunk, size, cap, ttl)
  local had = redis.call('HMGET', key, 'n', 'b', 'e')
  if had[3] and not live(had[3]) then
    redis.call('DEL', key)
    had = {false, false, false}
  end
  local n, bytes = tonumber(had[1] or '0'), tonumber(had[2] or '0')
  if n > at and redis.call('HGET', key, tostring(at)) == chunk then return {'ok'} end
  if n ~= at then return {'at', n} end
  if bytes + size > cap then return {'full'} end
  local ends = math.max(now + ttl, tonumber(had[3] or '0'))
  redis.call('HSET', key, tostring(at), chunk, 'n', n + 1, 'b', bytes + size, 'e', string.format('%.6f', ends))
  lasts(key, ends - now)
  return {'ok'}
end
"""
_APPEND: Final = Script(
    APPEND_FUNCTION
    + """
if not holds(KEYS[2], ARGV[2]) then return {'lease'} end
return append(KEYS[1], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
"""
)


class RedisJournals(Part):
    """Implements `Journals`."""

    def __init__(self, link: Link, cipher: Cipher, caps: Caps, held: Held) -> None:
        super().__init__(link, cipher, caps, held)
        # How many chunks a journal had when we last wrote to it: a guess that saves asking. Wrong, it costs asking.
        self._lengths: OrderedDict[str, int] = OrderedDict()

    async def append_journal(
        self,
        execution_id: str,
        owner: Owner,
        records: Sequence[bytes],
        *,
        lease: Lease | None = None,
        durable: bool = True,
    ) -> None:
        if not durable and self._held.add(execution_id, owner, records):
            return
        with self._held.writing(execution_id, owner) as held:
            await self._append(execution_id, owner, (*held, *records), lease)

    async def read_journal(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        self._held.settled(execution_id, owner)
        key = self._journal(execution_id, owner)
        fields = await self._link.command("HGETALL", key)
        if not fields or not self._link.live(seconds(fields[b"e"])):
            stored: tuple[bytes, ...] = ()
        else:
            chunks = [fields[str(number).encode()] for number in range(int(fields[b"n"]))]
            stored = self._opened(execution_id, owner, chunks)
        return (*stored, *self._held.of(execution_id, owner))

    async def drop_journal(self, execution_id: str, owner: Owner, *, written: bool = True) -> None:
        if not self._held.drop(execution_id, owner) and not written:
            return
        key = self._journal(execution_id, owner)
        self._lengths.pop(key, None)
        await self._link.command("UNLINK", key)

    async def _flush(self, execution_id: str, owner: Owner, lease: Lease | None) -> None:
        """Write what is held back, in a step of its own."""
        with self._held.writing(execution_id, owner) as held:
            await self._append(execution_id, owner, held, lease)

    async def _append(
        self, execution_id: str, owner: Owner, records: Sequence[bytes], lease: Lease | None
    ) -> None:
        if not records:
            return
        journal = self._journal(execution_id, owner)
        lease_key, token = self._lease(lease, execution_id)
        size = sum(map(len, records))
        while True:
            at = self._lengths.get(journal, 0)
            chunk = self._sealed(execution_id, owner, records, at)
            room = (at, chunk, size, self._caps.journal_bytes, self._caps.journal_ttl_seconds)
            answer, *rest = await self._link.run(_APPEND, [journal, lease_key], token, *room)
            if self._placed(journal, at, answer, rest):
                return
            if answer != b"at":
                refuse(answer, execution_id, lease)

    def _placed(self, journal: str, at: int, answer: bytes, rest: Sequence[int]) -> bool:
        """Whether a chunk was added there; remembers the length either way."""
        if answer in (b"ok", b"at"):
            self._lengths[journal] = at + 1 if answer == b"ok" else rest[0]
            self._lengths.move_to_end(journal)
            if len(self._lengths) > _REMEMBERED:
                self._lengths.popitem(last=False)
        return answer == b"ok"

    def _sealed(self, execution_id: str, owner: Owner, records: Sequence[bytes], at: int) -> bytes:
        return self._cipher.seal(pack(records), *_names(execution_id, owner, at))

    def _opened(self, execution_id: str, owner: Owner, chunks: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(
            record
            for at, chunk in enumerate(chunks)
            for record in unpack(self._cipher.open(chunk, *_names(execution_id, owner, at)))
        )

    def _journal(self, execution_id: str, owner: Owner) -> str:
        return self._link.key("journal", owned(owner), self._link.tagged(execution_id))


def _names(execution_id: str, owner: Owner, chunk: int) -> tuple[str, ...]:
    return ("journal", execution_id, owner.workspace_id, owner.account_id, str(chunk))
