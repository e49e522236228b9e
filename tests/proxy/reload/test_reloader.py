import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.config.diagnostic import Diagnostic
from proxy.config.watch import Watcher
from proxy.reload import Rejected, Reloader, ReloadOutcome, ReloadStopped, Trigger, follow
from proxy.reload.reloader import READS
from proxy.telemetry import MetricsRegistry
from tests.proxy.reload.sources import LIMIT_SECONDS, Source, Text


def reloader_of(
    source: Source, metrics: MetricsRegistry | None = None, **options: Any
) -> Reloader[Text, tuple[int, str]]:
    return Reloader(source.load, source.build, source.swap, metrics=metrics or MetricsRegistry(), **options)


async def soon(outcome: "asyncio.Future[Any] | Any") -> Any:
    async with asyncio.timeout(LIMIT_SECONDS):
        return await outcome


async def test_a_config_is_applied_kept_and_replaced() -> None:
    source = Source()
    async with reloader_of(source) as reloader:
        first = await reloader.reload("start")
        again = await reloader.reload("sighup")
        source.text = "two"
        second = await reloader.reload("http")
    assert [(first.result, first.generation), (again.result, again.generation)] == [
        ("applied", 1),
        ("unchanged", 1),
    ]
    assert (second.result, second.generation, second.trigger) == ("applied", 2, "http")
    assert source.live == [(1, "one"), (2, "two")]


async def test_a_rejected_config_changes_nothing_and_going_back_ends_the_alarm() -> None:
    source, metrics = Source(), MetricsRegistry()
    async with reloader_of(source, metrics) as reloader:
        good = await reloader.reload("start")
        source.text = "bad"
        rejected = await reloader.reload("watch")
        assert rejected.result == "rejected"
        assert (rejected.generation, rejected.sha256) == (1, good.sha256)
        assert metrics.value("executor_config_last_reload_successful") == 0
        assert metrics.value("executor_config_errors") == 2
        assert reloader.status()["in_sync"] is False
        source.text = "one"
        back = await reloader.reload("watch")
        assert back.result == "unchanged"
        assert metrics.value("executor_config_last_reload_successful") == 1
        assert metrics.value("executor_config_errors") == 0
        assert reloader.in_sync is True
    assert source.live == [(1, "one")]


async def test_comments_do_not_count() -> None:
    source = Source("one# first")
    async with reloader_of(source) as reloader:
        await reloader.reload("start")
        source.text = "one# second"
        assert (await reloader.reload("watch")).result == "unchanged"


async def test_newer_content_supersedes_a_build_and_everyone_gets_the_same_answer() -> None:
    source = Source("slow")
    source.hold("slow")
    async with reloader_of(source) as reloader, asyncio.TaskGroup() as group:
        first = group.create_task(reloader.reload("start"))
        assert await soon(source.started.get()) == "slow"
        source.text = "newest"
        second = group.create_task(reloader.reload("watch"))
        outcomes = [await soon(first), await soon(second)]
    assert source.cancelled == ["slow"]
    assert source.live == [(1, "newest")]
    assert outcomes[0] is outcomes[1]
    assert outcomes[0].trigger == "watch"


async def test_asking_again_without_new_content_joins_the_build() -> None:
    source = Source("slow")
    gate = source.hold("slow")
    async with reloader_of(source) as reloader, asyncio.TaskGroup() as group:
        first = group.create_task(reloader.reload("start"))
        await soon(source.started.get())
        second = group.create_task(reloader.reload("http"))
        for _ in range(2):
            await asyncio.to_thread(source.read.get, timeout=LIMIT_SECONDS)
        gate.set()
        assert await soon(first) is await soon(second)
    assert source.live == [(1, "slow")]
    assert source.cancelled == []


async def test_a_build_that_is_done_before_it_is_superseded_is_not_lost() -> None:
    source = Source("slow")
    gate, may_read, built = source.hold("slow"), threading.Event(), asyncio.Event()

    def load() -> Text:
        loaded = source.load()
        if source.reads == 2:
            assert may_read.wait(LIMIT_SECONDS)
        return loaded

    async def build(loaded: Text, generation: int) -> tuple[int, str]:
        made = await source.build(loaded, generation)
        asyncio.get_running_loop().call_soon(built.set)
        return made

    async with (
        Reloader(load, build, source.swap, metrics=MetricsRegistry()) as reloader,
        asyncio.TaskGroup() as group,
    ):
        outcome = group.create_task(reloader.reload("start"))
        await soon(source.started.get())
        source.text = "newest"
        reloader.request("watch")
        for _ in range(2):
            await asyncio.to_thread(source.read.get, timeout=LIMIT_SECONDS)
        gate.set()
        await soon(built.wait())
        may_read.set()
        assert (await soon(outcome)).generation == 2
    assert source.live == [(1, "slow"), (2, "newest")]


async def test_bad_content_during_a_build_is_rejected_and_the_build_is_dropped() -> None:
    source = Source("one")
    async with reloader_of(source) as reloader:
        await reloader.reload("start")
        source.text = "slow"
        source.hold("slow")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(reloader.reload("watch"))
            assert await soon(source.started.get()) == "one"
            assert await soon(source.started.get()) == "slow"
            source.text = "bad"
            reloader.request("watch")
            assert (await soon(first)).result == "rejected"
    assert source.live == [(1, "one")]


async def test_a_defect_in_a_build_is_reported_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    async with reloader_of(source) as reloader:
        await reloader.reload("start")
        source.text, source.failure = "two", ZeroDivisionError("secret details")
        broken = await reloader.reload("watch")
        assert broken.result == "rejected"
        assert broken.error is not None
        assert broken.error.startswith("internal error [")
        assert "secret details" not in str(broken.as_json())
        assert "secret details" in caplog.text
        source.failure = None
        assert (await reloader.reload("watch")).result == "applied"
    assert source.live == [(1, "one"), (2, "two")]


async def test_a_build_may_reject_with_a_place() -> None:
    source = Source()
    async with reloader_of(source) as reloader:
        await reloader.reload("start")
        source.text, source.failure = (
            "two",
            Rejected([Diagnostic("E304", "error", "no such file", file="a.yaml")]),
        )
        rejected = await reloader.reload("http")
    assert (rejected.result, rejected.error) == ("rejected", None)
    assert [found.code for found in rejected.diagnostics] == ["E304"]
    assert rejected.as_json()["valid"] is False


async def test_a_running_process_says_restart_for_a_new_variable() -> None:
    source = Source("bad")
    async with reloader_of(source) as reloader:
        at_start = await reloader.reload("start")
        source.text = "one"
        await reloader.reload("sighup")
        source.text = "bad again"
        later = await reloader.reload("sighup")
    assert at_start.diagnostics[1].help is None
    assert later.diagnostics[1].help == (
        "this process was started without GITHUB_TOKEN; restart it, or use {file: PATH}"
    )


async def test_files_that_never_rest_are_not_read_in_half(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("0")
    source = Source()

    def load_while_somebody_writes() -> Text:
        file.write_text(f"read {source.reads}")
        return source.load()

    watcher = Watcher([file], poll_interval_seconds=600, settle_seconds=0.1)
    async with Reloader(
        load_while_somebody_writes, source.build, source.swap, metrics=MetricsRegistry(), watcher=watcher
    ) as reloader:
        outcome = await reloader.reload("start")
    assert outcome.error == "the config files keep changing while they are read"
    assert source.reads == READS
    assert source.live == []


async def test_changed_references_are_a_change(tmp_path: Path) -> None:
    spec = tmp_path / "api.json"
    spec.write_text("{}")
    source = Source()
    async with reloader_of(source, references=lambda _config: [spec]) as reloader:
        await reloader.reload("start")
        assert (await reloader.reload("sighup")).result == "unchanged"
        spec.write_text('{"openapi": "3.1.0"}')
        assert (await reloader.reload("sighup")).result == "applied"


async def test_a_rejection_is_repeated_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "executor.config")
    said = asyncio.Event()

    class Counting(logging.Handler):
        lines = 0

        def emit(self, record: logging.LogRecord) -> None:
            self.lines += record.getMessage() == "config rejected"
            if self.lines == 3:
                said.set()

    handler = Counting()
    logging.getLogger("executor.config").addHandler(handler)
    try:
        async with reloader_of(Source("bad"), remind_seconds=0.001) as reloader:
            await reloader.reload("start")
            await soon(said.wait())
    finally:
        logging.getLogger("executor.config").removeHandler(handler)


async def test_whoever_waits_at_shutdown_is_told() -> None:
    source = Source("slow")
    source.hold("slow")
    async with asyncio.TaskGroup() as group:
        async with reloader_of(source) as reloader:
            waiting = group.create_task(_refused(reloader.reload, "start"))
            await soon(source.started.get())
        assert await soon(waiting)
        assert await _refused(reloader.reload, "http")
    assert source.cancelled == ["slow"]


async def _refused(reload: Callable[[Trigger], Any], trigger: Trigger) -> bool:
    try:
        await reload(trigger)
    except ReloadStopped:
        return True
    return False


async def test_a_caller_that_hangs_up_does_not_stop_the_reload() -> None:
    source = Source("slow")
    gate = source.hold("slow")
    async with reloader_of(source) as reloader, asyncio.TaskGroup() as group:
        caller = group.create_task(reloader.reload("http"))
        await soon(source.started.get())
        caller.cancel()
        gate.set()
        outcome: ReloadOutcome = await soon(reloader.reload("sighup"))
    assert outcome.generation == 1
    assert source.live == [(1, "slow")]
    assert source.cancelled == []


async def test_following_a_watcher_asks_without_waiting() -> None:
    source = Source("slow")
    source.hold("slow")

    async def changes() -> AsyncIterator[str]:
        yield "1"
        await source.started.get()
        source.text = "newest"
        yield "2"

    async with reloader_of(source) as reloader:
        await soon(follow(changes(), reloader))
        assert (await soon(reloader.reload("sighup"))).generation == 1
    assert source.live == [(1, "newest")]


async def test_settings_that_need_a_restart_are_named_until_they_are_back() -> None:
    source, metrics = Source("listen a"), MetricsRegistry()
    async with reloader_of(source, metrics) as reloader:
        await reloader.reload("start")
        source.text = "listen b"
        changed = await reloader.reload("watch")
        assert changed.result == "applied"
        assert changed.restart_required == ("server.listen",)
        assert metrics.value("executor_config_restart_required") == 1
        assert reloader.status()["restart_required"] == ["server.listen"]
        source.text = "listen a"
        assert (await reloader.reload("watch")).restart_required == ()
    assert metrics.value("executor_config_restart_required") == 0


class Advised(Text):
    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (Diagnostic("W601", "warning", "never"),)


async def test_advice_comes_after_the_swap_and_is_part_of_the_answer() -> None:
    source = Source()
    seen: list[int] = []

    def advise(loaded: Text) -> Text:
        seen.append(len(source.live))
        return Advised(loaded.text)

    async with reloader_of(source, advise=advise) as reloader:
        applied, unchanged = await reloader.reload("start"), await reloader.reload("http")
    assert seen == [1, 1]
    assert [[one.code for one in outcome.diagnostics] for outcome in (applied, unchanged)] == [["W601"]] * 2


async def test_a_reload_without_change_answers_what_the_tools_show_to_be_wrong() -> None:
    found = (Diagnostic("W609", "warning", "no such tool"),)
    async with reloader_of(Source(), standing=lambda: found) as reloader:
        await reloader.reload("start")
        unchanged = await reloader.reload("http")
        assert unchanged.result == "unchanged"
        assert [one["code"] for one in unchanged.as_json()["warnings"]] == ["W609"]


async def test_a_newer_reload_does_not_wait_for_advice() -> None:
    source = Source()
    advising, gate = threading.Event(), threading.Event()

    def advise(loaded: Text) -> Text:
        advising.set()
        if len(source.live) == 1:
            assert gate.wait(LIMIT_SECONDS)
        return loaded

    async with reloader_of(source, advise=advise) as reloader, asyncio.TaskGroup() as group:
        first = group.create_task(reloader.reload("start"))
        assert await asyncio.to_thread(advising.wait, LIMIT_SECONDS)
        source.text = "block"
        second = group.create_task(reloader.reload("watch"))
        assert [(await soon(first)).result, (await soon(second)).result] == ["applied", "applied"]
        gate.set()
    assert source.live == [(1, "one"), (2, "block")]
