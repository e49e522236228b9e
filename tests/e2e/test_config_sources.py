"""Where configs come from in earnest, by simulation: git-sync, a ConfigMap, a CSI secret mount, an NFS mount."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import configs
from tests.e2e.running import MODERN, Proxy, serving
from tests.e2e.upstream import Upstream

AUTHORIZATION = "return (await tools.shop.org.main.things.list({})).http"


@dataclass
class Mount:
    """A directory whose content is replaced as a whole; each edition names itself in the description of `execute`."""

    root: Path
    api: Upstream

    def write(self, folder: Path, number: int) -> str:
        name = f"Edition {number}"
        shop = configs.shop(self.api, description=name)
        configs.write(folder / "executor.yaml", configs.base(self.api, integrations={"shop": shop}))
        return name

    def link(self, name: str, target: str) -> None:
        """Let `name` lead to `target`, at once."""
        draft = self.root / f"{name}_tmp"
        draft.symlink_to(target)
        draft.replace(self.root / name)


@pytest.fixture
def mount(api: Upstream, tmp_path: Path) -> Mount:
    root = tmp_path / "mount"
    root.mkdir()
    return Mount(root, api)


async def described(proxy: Proxy) -> str:
    async with proxy.sdk(MODERN) as client:
        return (await client.list_tools()).tools[0].description or ""


async def applied(proxy: Proxy, since: int, name: str) -> None:
    await asyncio.to_thread(proxy.logged, "config applied", since)
    assert name in await described(proxy)


async def test_config_map_swaps_are_seen_three_in_a_row(mount: Mount, tmp_path: Path) -> None:
    """Kubernetes: `executor.yaml -> ..data/executor.yaml`, `..data -> ..<timestamp>`, swapped by a rename."""

    def publish(number: int) -> str:
        folder = mount.root / f"..2026_{number}"
        folder.mkdir()
        name = mount.write(folder, number)
        mount.link("..data", folder.name)
        return name

    publish(0)
    (mount.root / "executor.yaml").symlink_to("..data/executor.yaml")
    with serving(mount.root, tmp_path / "state", env=configs.ENV) as proxy:
        for number in (1, 2, 3):
            since = proxy.err.mark()
            await applied(proxy, since, publish(number))
        assert (await proxy.status())["config"]["generation"] == 4


async def test_git_sync_puts_another_checkout_behind_a_link(mount: Mount, tmp_path: Path) -> None:
    """git-sync: `current -> .worktrees/<commit>`, swapped by a rename; the checkout before is removed afterwards."""

    def publish(number: int) -> str:
        folder = mount.root / ".worktrees" / f"{number:040x}"
        folder.mkdir(parents=True)
        name = mount.write(folder, number)
        mount.link("current", f".worktrees/{folder.name}")
        return name

    publish(0)
    with serving(mount.root / "current", tmp_path / "state", env=configs.ENV) as proxy:
        for number in (1, 2, 3):
            since = proxy.err.mark()
            name = publish(number)
            before = mount.root / ".worktrees" / f"{number - 1:040x}"
            (before / "executor.yaml").unlink()
            before.rmdir()
            await applied(proxy, since, name)
        assert (await proxy.status())["config"]["in_sync"] is True


async def test_a_secret_of_a_csi_mount_is_read_anew_when_it_was_rotated(mount: Mount, tmp_path: Path) -> None:
    """Secrets Store CSI: `token -> ..data/token`, whose directory is replaced; no reload is needed."""

    def rotate(number: int) -> None:
        folder = mount.root / f"..2026_{number}"
        folder.mkdir()
        (folder / "token").write_text(f"rotated-token-{number}\n")
        mount.link("..data", folder.name)

    rotate(0)
    (mount.root / "token").symlink_to("..data/token")
    auth = {"kind": "bearer", "token": {"file": str(mount.root / "token")}}
    config = configs.base(mount.api, connections={"shop.org.main": {"auth": auth}})
    file = configs.write(tmp_path / "executor.yaml", config)
    with serving(file, tmp_path / "state") as proxy:
        for number in (0, 1, 2):
            if number:
                rotate(number)
            assert (await proxy.value(AUTHORIZATION))["status"] == 200
            assert mount.api.seen[-1].headers["Authorization"] == f"Bearer rotated-token-{number}"


async def test_a_change_that_no_event_tells_is_found_by_comparing(mount: Mount, tmp_path: Path) -> None:
    """NFS: another machine writes. Here through a second name of the file, in a directory that nobody watches."""
    mount.write(mount.root, 0)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.link(mount.root / "executor.yaml", elsewhere / "executor.yaml")
    with serving(mount.root, tmp_path / "state", env=configs.ENV) as proxy:
        for number in (1, 2):
            since = proxy.err.mark()
            await applied(proxy, since, mount.write(elsewhere, number))
