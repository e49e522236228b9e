"""Sends the webhook. The state store is its queue, so that nothing is lost by a restart or a lost replica.

Rules:
- Executions never wait for it: it listens to what is published about pauses, and searches the store now and then.
- Under the lease `webhook.<execution>` one replica at a time makes one attempt, and writes down what came of it.
- At least once: a process that dies between the attempt and the record makes the next one send the same message again,
  under the same `webhook-id`.
- The URL is the operator's own word, so its origin may be private; redirects are not followed.
- The secret is read anew for every attempt, and goes nowhere but into the signature.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from integrations.http import EgressRules, HttpClient, HttpError, origin_of
from proxy.config.model import Webhook
from proxy.config.secrets import Resolver, SecretMissing
from proxy.executions import ExecutionView, pauses
from proxy.executions.records import view
from proxy.live import Live
from proxy.state import Conflict, Entry, ExecutionQuery, ExecutionRecord, State, StateError
from proxy.telemetry import Logger, MetricsRegistry
from proxy.webhooks.notice import KIND, Notice, message, notice_of
from proxy.webhooks.schedule import Timing, retry_after
from proxy.webhooks.signature import WrongSecret, headers_of, keys_of

_log = Logger("webhook")
_LEASE_SECONDS: Final = 60.0
_QUEUE: Final = 1024
_SENDERS: Final = 4
_PAGE: Final = 200
_ANSWER_BYTES: Final = 1024 * 1024
_Place = tuple[str, str]
"""A workspace and an execution in it."""


class WebhookSender:
    """See the module text. `run` is called once, and runs until it is cancelled."""

    def __init__(
        self,
        live: Live,
        state: State,
        http: HttpClient,
        resolver: Resolver,
        approval_url: Callable[[str, str | None], str | None],
        metrics: MetricsRegistry,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._state = state
        self._http = http
        self._resolver = resolver
        self._approval_url = approval_url
        self._metrics = metrics
        self._timing = timing or Timing()
        self._clock = clock
        self._queue: asyncio.Queue[_Place] = asyncio.Queue(_QUEUE)
        self._queued: set[_Place] = set()
        self._alarms: dict[_Place, asyncio.TimerHandle] = {}
        self._reloaded = asyncio.Event()
        self._gone: str | None = None

    @property
    def _webhook(self) -> Webhook | None:
        webhook = self._live.current.config.approvals.webhook
        return webhook if webhook is not None and webhook.url != self._gone else None

    async def run(self) -> None:
        """Tell of every pause as long as the config has a webhook."""
        unsubscribe = self._live.subscribe(lambda _: self._reloaded.set())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(_SENDERS):
                    group.create_task(self._send_on(), name=f"webhook sender {number}")
                while True:
                    self._reloaded.clear()
                    await self._listen()
        finally:
            unsubscribe()
            for alarm in self._alarms.values():
                alarm.cancel()

    async def _listen(self) -> None:
        """Take in pauses until the config changes. Messages under way are not disturbed by that."""
        if self._webhook is None:
            await self._reloaded.wait()
            return
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._hear(one)) for one in self._live.current.workspaces]
            tasks.append(group.create_task(self._search()))
            await self._reloaded.wait()
            for task in tasks:
                task.cancel()

    async def _hear(self, workspace_id: str) -> None:
        while True:
            try:
                async with self._state.subscribe(pauses(workspace_id)) as news:
                    while (told := await news.receive()) is not None:
                        self._offer((workspace_id, told.decode()))
                await self._search_in(workspace_id)
            except StateError as error:
                _log.warning("webhook_deaf", workspace=workspace_id, reason=str(error))
                await asyncio.sleep(self._timing.first_pause_seconds)
            # A boundary, as in `_send_on`; the regular search goes on.
            except Exception as error:
                _log.exception("webhook_deaf", error, workspace=workspace_id)
                await asyncio.sleep(self._timing.longest_pause_seconds)

    async def _search(self) -> None:
        """Pauses of before the start, of replicas that died, and whatever else was not heard of."""
        while True:
            try:
                for workspace_id in self._live.current.workspaces:
                    await self._search_in(workspace_id)
            except StateError as error:
                _log.warning("webhook_search_failed", reason=str(error))
            # A boundary, as in `_send_on`.
            except Exception as error:
                _log.exception("webhook_search_broke", error)
            await asyncio.sleep(self._timing.sweep_seconds)

    async def _search_in(self, workspace_id: str) -> None:
        last: ExecutionRecord | None = None
        while True:
            query = ExecutionQuery(workspace_id, status="paused", before=last, limit=_PAGE)
            page = await self._state.list_executions(query)
            for record in page:
                place = (workspace_id, record.execution_id)
                if place not in self._queued and place not in self._alarms and await self._is_news(record):
                    await self._offer_patiently(place)
            if len(page) < _PAGE:
                return
            last = page[-1]

    async def _is_news(self, record: ExecutionRecord) -> bool:
        entry = await self._state.read_entry(KIND, record.owner.workspace_id, record.execution_id)
        notice = Notice.decoded(entry.value) if entry is not None else Notice()
        return not notice.done or notice.news(view(record).interactions)

    # ---- the queue ----------------------------------------------------------------------------------------------
    def _offer(self, place: _Place) -> None:
        """What does not fit is found by the next search."""
        if place not in self._queued and not self._queue.full():
            self._queued.add(place)
            self._queue.put_nowait(place)

    async def _offer_patiently(self, place: _Place) -> None:
        self._queued.add(place)
        await self._queue.put(place)

    async def _send_on(self) -> None:
        while True:
            place = await self._queue.get()
            self._queued.discard(place)
            try:
                again = await self._attempt(*place)
            except StateError as error:
                _log.warning("webhook_state_failed", execution=place[1], reason=str(error))
                again = self._timing.longest_pause_seconds
            # A boundary: one execution that cannot be told of must not silence all others, nor stop the server.
            except Exception as error:
                _log.exception("webhook_broke", error, execution=place[1])
                again = None
            if again is not None:
                self._remind(place, again)

    def _remind(self, place: _Place, seconds: float) -> None:
        if len(self._alarms) >= _QUEUE and place not in self._alarms:
            return
        old = self._alarms.pop(place, None)
        if old is not None:
            old.cancel()
        self._alarms[place] = asyncio.get_running_loop().call_later(seconds, self._ring, place)

    def _ring(self, place: _Place) -> None:
        self._alarms.pop(place, None)
        self._offer(place)

    # ---- one attempt --------------------------------------------------------------------------------------------
    async def _attempt(self, workspace_id: str, execution_id: str) -> float | None:
        """Send if there is something to send. Seconds until it is worth another look; None: nothing is left to do."""
        webhook = self._webhook
        if webhook is None:
            return None
        lease = await self._state.acquire_lease(
            f"webhook.{execution_id}", secrets.token_hex(8), _LEASE_SECONDS
        )
        if lease is None:
            return self._timing.first_pause_seconds
        try:
            return await self._tell(webhook, workspace_id, execution_id)
        except Conflict:
            return self._timing.first_pause_seconds
        finally:
            await self._state.release_lease(lease)

    async def _tell(self, webhook: Webhook, workspace_id: str, execution_id: str) -> float | None:
        now = self._clock()
        record = await self._state.find_execution(execution_id, workspace_id)
        if record is None or record.status != "paused":
            return None
        seen = view(record)
        asked = [one for one in seen.interactions if one.expires_at_ms > now * 1000]
        if not asked:
            return None
        entry = await self._state.read_entry(KIND, workspace_id, execution_id)
        entry = entry or Entry(KIND, workspace_id, execution_id, b"", expires_at=record.expires_at)
        notice = Notice.decoded(entry.value) if entry.version else Notice()
        if notice.news(asked):
            notice = notice_of(execution_id, asked, notice, now)
            entry = await self._state.write_entry(replace(entry, value=notice.encoded()))
        elif notice.done or notice.next_at > now:
            return None if notice.done else notice.next_at - now
        body = message(seen, asked, notice.at, self._approval_url(execution_id, seen.session_id))
        notice = await self._sent(webhook, notice, seen, body)
        await self._state.write_entry(replace(entry, value=notice.encoded()))
        return None if notice.done else max(notice.next_at - self._clock(), 0.0)

    async def _sent(self, webhook: Webhook, notice: Notice, seen: ExecutionView, body: bytes) -> Notice:
        """The notice after one more attempt."""
        attempts = notice.attempts + 1
        trouble, asked = await self._post(webhook, notice.message_id, body)
        if trouble is None:
            self._metrics.count("executor_webhook_deliveries_total", outcome="sent")
            return replace(notice, attempts=attempts, done=True)
        pause = self._timing.pause(attempts, asked, random.random())  # noqa: S311 (jitter, no secret)
        where = {"execution": seen.id, "to": origin_of(webhook.url), "attempt": attempts, "reason": trouble}
        if pause is None or webhook.url == self._gone:
            self._metrics.count("executor_webhook_deliveries_total", outcome="failed")
            _log.error("webhook_given_up", **where)
            return replace(notice, attempts=attempts, done=True)
        self._metrics.count("executor_webhook_deliveries_total", outcome="retried")
        _log.warning("webhook_failed", **where)
        return replace(notice, attempts=attempts, next_at=self._clock() + pause)

    async def _post(self, webhook: Webhook, message_id: str, body: bytes) -> tuple[str | None, float | None]:
        """What went wrong, if anything, and for how long the receiver wants to be left alone."""
        try:
            keys = keys_of(self._resolver.resolve(webhook.secret).reveal())
        except SecretMissing as missing:
            return f"approvals.webhook.secret: {missing}", None
        except WrongSecret as wrong:
            return str(wrong), None
        signed = headers_of(keys, message_id, int(self._clock()), body)
        try:
            answer = await self._http.request(
                "POST",
                webhook.url,
                [("Content-Type", "application/json"), *signed],
                body,
                timeout_seconds=self._timing.request_seconds,
                max_bytes=_ANSWER_BYTES,
                allow=EgressRules(origins=frozenset({origin_of(webhook.url)})),
            )
        except HttpError as error:
            return str(error), None
        if answer.status == 410:
            # Standard Webhooks: the receiver wants no more of this. A config with another URL ends it.
            self._gone = webhook.url
        if 200 <= answer.status < 300:
            return None, None
        return f"HTTP {answer.status}", retry_after(answer.header("retry-after"))
