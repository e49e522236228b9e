"""A Debian with systemd as process 1 and the unit of the kit, booted in namespaces: no virtual machine is needed.

The program is the one of the image (`/opt/executor`), called `/usr/local/bin/executor` as the unit has it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.container import IMAGE, Builder, debian_mirror
from tests.deploy.tools import KIT, run

_BOOT: Final = Path(__file__).with_name("boot.sh")
# What waits for hardware or a network that namespaces do not have.
_MASKED: Final = (
    "systemd-networkd.service", "systemd-networkd-wait-online.service", "systemd-logind.service",
    "systemd-udevd.service", "systemd-timesyncd.service", "getty.target", "console-getty.service",
)  # fmt: skip
_SECONDS: Final = 300


def installed(folder: Path, builder: Builder) -> Path:
    """The tree: Debian, the program, and the units. The config and the key are the test's."""
    packed, root = folder / "root.tar", folder / "root"
    run("mmdebstrap", "--variant=minbase", "--include=systemd,python3", "bookworm", packed, debian_mirror())
    root.mkdir()
    subprocess.run(["tar", "-xf", str(packed), "-C", str(root)], check=True)
    packed.unlink()
    container = builder.buildah("from", "--pull-never", IMAGE).strip()
    mounted = Path(builder.buildah("mount", container).strip())
    subprocess.run(["cp", "-a", str(mounted / "opt/executor"), str(root / "opt/executor")], check=True)
    builder.buildah("rm", container)
    (root / "usr/local/bin/executor").symlink_to("/opt/executor/bin/executor")
    units = root / "etc/systemd/system"
    for unit in (KIT / "systemd").iterdir():
        shutil.copy(unit, units / unit.name)
    for name in _MASKED:
        (units / name).symlink_to("/dev/null")
    return root


@dataclass(frozen=True)
class Machine:
    """`init` is the process id of its systemd, as we see it."""

    root: Path
    init: int

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of its administrator."""
        inside = ("nsenter", "-t", str(self.init), "-m", "-p", "-u", "-i", "-C", "-r", "-w", "--")
        return subprocess.run(
            [*inside, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )

    def done(self, *words: str) -> str:
        ran = self.run(*words)
        assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}{self.log()}"
        return ran.stdout

    def log(self) -> str:
        return self.run("journalctl", "-u", "executor", "--no-pager", "-o", "cat").stdout

    def shown(self, name: str) -> str:
        """A property of the service."""
        return self.done("systemctl", "show", "executor.service", "--value", "-p", name).strip()

    def inside(self, path: str) -> Path:
        """What lies at this absolute path of the machine, runtime directories too."""
        return Path(f"/proc/{self.init}/root{path}")


@contextmanager
def booted(root: Path) -> Iterator[Machine]:
    """Running until the block ends."""
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", str(_BOOT), str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        machine = Machine(root, _init(process))
        said = machine.run("systemctl", "is-system-running", "--wait").stdout.strip()
        assert said == "running", said
        yield machine
        machine.run("systemctl", "poweroff")
        process.wait(timeout=_SECONDS)
    finally:
        process.kill()
        process.wait()


def _init(process: subprocess.Popen[bytes]) -> int:
    """The id of its systemd: what the outer `unshare` and the script lead to, once it answers."""
    while process.poll() is None:
        try:
            script = process.pid
            (unshare,) = _children(script)
            (init,) = _children(unshare)
        except (ValueError, OSError):
            continue
        if Path(f"/proc/{init}/comm").read_text().strip() == "systemd" and _answers(init):
            return init
    raise AssertionError(f"the machine did not boot: {process.returncode}")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(init: int) -> bool:
    return Path(f"/proc/{init}/root/run/systemd/private").exists()
