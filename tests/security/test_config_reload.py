"""T39: what is validated is what runs. T40: never half a config; the last good one stays, visibly.

Real files, the real loader, watcher and reloader; only the generation is a list of what the config says.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from proxy.config import LoadedConfig, load_config
from proxy.config.watch import Watcher
from proxy.reload import Effects, Reloader, follow
from proxy.telemetry import MetricsRegistry

LIMIT_SECONDS = 60


class Site:
    """A config path that is served: `live` holds the revisions that went live, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.live: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        self.metrics = MetricsRegistry()
        self.building = asyncio.Event()
        self.may_build = asyncio.Event()
        self.may_build.set()
        self.watcher = Watcher([path], poll_interval_seconds=600, settle_seconds=0.3)
        self.reloader: Reloader[LoadedConfig, frozenset[str]] = Reloader(
            self.load, self.build, self.swap, metrics=self.metrics, watcher=self.watcher
        )

    def load(self) -> LoadedConfig:
        return load_config([self.path], env={})

    async def build(self, loaded: LoadedConfig, generation: int) -> frozenset[str]:
        self.building.set()
        await self.may_build.wait()
        assert loaded.config is not None
        return frozenset(str(made.description) for made in loaded.config.integrations.values())

    def swap(self, revisions: frozenset[str]) -> Effects | None:
        self.live.put_nowait(revisions)
        return None

    async def went_live(self) -> frozenset[str]:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await self.live.get()


@asynccontextmanager
async def site(path: Path, *, watched: bool = True) -> AsyncIterator[Site]:
    served = Site(path)
    async with (
        served.watcher,
        served.reloader,
        aclosing(served.watcher.changes()) as changes,  # type: ignore[type-var]
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(follow(changes, served.reloader)) if watched else None
        yield served
        if following is not None:
            following.cancel()


def config(revision: str, name: str = "api", *, version: bool = True) -> str:
    head = "version: 1\n" if version else ""
    entry = f"{name}: {{kind: openapi, description: '{revision}', spec: {{url: 'https://a.example/o.json'}}}}"
    return f"{head}integrations:\n  {entry}\n"


async def start(served: Site) -> frozenset[str]:
    async with asyncio.timeout(LIMIT_SECONDS):
        outcome = await served.reloader.reload("start")
    assert outcome.result == "applied", outcome.diagnostics
    return await served.went_live()


async def test_t39_the_validated_bytes_are_the_ones_that_run(tmp_path: Path) -> None:
    """The file becomes hostile after it was read and before it is built: the build never sees that."""
    file = tmp_path / "executor.yaml"
    file.write_text(config("reviewed"))
    async with site(file, watched=False) as served, asyncio.TaskGroup() as group:
        served.may_build.clear()
        starting = group.create_task(served.reloader.reload("start"))
        async with asyncio.timeout(LIMIT_SECONDS):
            await served.building.wait()
        file.write_text(config("swapped in"))
        served.may_build.set()
        assert (await starting).sha256 == load_text(tmp_path, config("reviewed")).sha256
        assert await served.went_live() == {"reviewed"}


def load_text(directory: Path, text: str) -> LoadedConfig:
    file = directory / "other" / "executor.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return load_config([file], env={})


async def test_t39_a_reload_reads_the_paths_of_the_command_line_and_no_others(tmp_path: Path) -> None:
    """Triggers carry no path: whoever may ask for a reload cannot say of what."""
    file = tmp_path / "executor.yaml"
    file.write_text(config("one"))
    (tmp_path / "unrelated.yaml").write_text(config("attacker"))
    async with site(file, watched=False) as served:
        await start(served)
        outcome = await served.reloader.reload("http")
    assert outcome.result == "unchanged"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# only comments\n",
        "version: 1\nintegrations: {api: {kind: openapi",
        "version: 2\n",
        "version: 1\nsurprise: true\n",
        "version: 1\npolicies:\n  - {pattern: api.*, action: blok}\n",
        "version: 1\n---\nversion: 1\n",
        "version: 1\nx: &x [*x]\n",
        "<<<<<<< HEAD\nversion: 1\n=======\nversion: 1\n>>>>>>> b\n",
        "version: 1\n\x00",
    ],
)
async def test_t40_a_broken_file_changes_nothing_and_says_why(tmp_path: Path, content: str) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(config("good"))
    async with site(file, watched=False) as served:
        await start(served)
        file.write_text(content)
        outcome = await served.reloader.reload("sighup")
        assert (outcome.result, outcome.generation) == ("rejected", 1)
        assert outcome.diagnostics
        assert served.live.empty()
        assert served.metrics.value("executor_config_last_reload_successful") == 0
        assert served.reloader.in_sync is False
        assert served.reloader.status()["last_reload"]["diagnostics"][0]["file"] == str(file)
        file.write_text(config("good"))
        assert (await served.reloader.reload("sighup")).result == "unchanged"
        assert served.metrics.value("executor_config_last_reload_successful") == 1


def replace_with_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_with_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def make_unreadable(file: Path) -> None:
    """For root, who may read everything, /proc/self/mem stands in: opening works and reading fails."""
    if os.geteuid():
        file.chmod(0)
    else:
        file.unlink()
        file.symlink_to("/proc/self/mem")


@pytest.mark.parametrize("damage", [Path.unlink, replace_with_directory, replace_with_loop, make_unreadable])
async def test_t40_a_file_that_cannot_be_read_is_never_the_defaults(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(config("good"))
    async with site(file, watched=False) as served:
        await start(served)
        damage(file)
        outcome = await served.reloader.reload("sighup")
    assert (outcome.result, outcome.generation) == ("rejected", 1)


async def test_t40_one_bad_file_of_many_rejects_all(tmp_path: Path) -> None:
    (tmp_path / "00.yaml").write_text(config("one", "a"))
    (tmp_path / "10.yaml").write_text(config("one", "b", version=False))
    async with site(tmp_path, watched=False) as served:
        assert await start(served) == {"one"}
        (tmp_path / "00.yaml").write_text(config("two", "a"))
        (tmp_path / "10.yaml").write_text("integrations: {b: {kind: opnapi}}\n")
        outcome = await served.reloader.reload("sighup")
        assert outcome.result == "rejected"
        assert served.live.empty()


async def test_t40_config_map_swaps_go_live_one_after_the_other(tmp_path: Path) -> None:
    def mount(revision: str) -> None:
        fresh = tmp_path / f"..{revision}"
        fresh.mkdir()
        (fresh / "executor.yaml").write_text(config(revision))
        (tmp_path / "..data_tmp").symlink_to(fresh.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    mount("r1")
    (tmp_path / "executor.yaml").symlink_to("..data/executor.yaml")
    async with site(tmp_path) as served:
        assert await start(served) == {"r1"}
        for revision in ("r2", "r3", "r4"):
            mount(revision)
            assert await served.went_live() == {revision}


async def test_t40_a_partial_write_is_never_served(tmp_path: Path) -> None:
    """Every prefix of this file that ends at a line is valid YAML, and means something else."""
    file = tmp_path / "executor.yaml"
    whole = config("r2") + "".join(
        f"  api{n}: {{kind: openapi, description: r2, spec: {{url: 'https://a.example/o.json'}}}}\n"
        for n in range(40)
    )
    file.write_text(config("r1"))

    def write_slowly() -> None:
        with file.open("w") as out:
            for line in whole.splitlines(keepends=True):
                out.write(line)
                out.flush()
                os.fsync(out.fileno())

    async with site(file) as served:
        await start(served)
        await asyncio.to_thread(write_slowly)
        assert await served.went_live() == {"r2"}
        assert served.reloader.status()["summary"]["integrations"] == 41


async def test_t40_a_git_checkout_of_forty_files_is_one_change(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    def commit(revision: str) -> None:
        for number in range(40):
            text = config(revision, f"api{number}", version=number == 0)
            (tmp_path / f"{number:02}.yaml").write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", revision)
        git("tag", revision)

    git("init", "-q")
    for revision in ("r1", "r2", "r3"):
        commit(revision)
    git("checkout", "-q", "r1")
    async with site(tmp_path) as served:
        assert await start(served) == {"r1"}
        for revision in ("r3", "r2", "r1"):
            await asyncio.to_thread(git, "checkout", "-q", revision)
            assert await served.went_live() == {revision}
        assert served.live.empty()


async def test_t40_invalid_then_valid(tmp_path: Path) -> None:
    file = tmp_path / "executor.yaml"
    file.write_text(config("one"))
    async with site(file) as served:
        await start(served)
        file.write_text("version: 1\nsurprise: true\n")
        assert (await served.reloader.reload("http")).result == "rejected"
        file.write_text(config("two"))
        assert await served.went_live() == {"two"}
        assert served.reloader.in_sync is True
