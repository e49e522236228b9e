"""The image, built as the Dockerfile says on a Debian base made here, and containers of it.

There is no container engine to ask for: buildah builds without one, podman runs without one. Both keep all they make in
one directory of the test. A namespace of mounts gives podman a tree of cgroups it understands.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.deploy.tools import KIT, ROOT, run
from tests.e2e.running import Proxy

IMAGE: Final = "localhost/executor"
_BASE: Final = "localhost/base"
_POLICY: Final = {"default": [{"type": "insecureAcceptAnything"}]}
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_MOUNTS: Final = (
    "mount --make-rprivate / && { umount -R /sys/fs/cgroup 2>/dev/null || true; } && "
    'mount -t cgroup2 none /sys/fs/cgroup && exec podman "$@"'
)
# What a careful user runs it with; `--cgroups` and the rest are this machine's.
_HARDENED: Final = (
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp:size=64m",
)  # fmt: skip
_HERE: Final = (
    "--cgroups=disabled", "--network", "host", "--no-healthcheck",
    "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096",
)  # fmt: skip


def debian_mirror() -> str:
    """Where this machine gets Debian's packages from."""
    for file in sorted(Path("/etc/apt").rglob("*.sources")) + sorted(Path("/etc/apt").rglob("*.list")):
        found = re.search(r"^(?:URIs:|deb)\s.*?(https?://\S+)", file.read_text(), re.MULTILINE)
        if found:
            return found[1]
    raise AssertionError("no Debian mirror in /etc/apt")


@dataclass(frozen=True)
class Builder:
    """Storage below one directory, used by nobody else."""

    folder: Path

    @property
    def storage(self) -> tuple[str, ...]:
        places = ("--root", str(self.folder / "store"), "--runroot", str(self.folder / "run"))
        return ("--storage-driver", "overlay", *places)

    def build(self) -> None:
        """The base, then the image. Minutes where nothing is there yet."""
        policy = self.folder / "policy.json"
        policy.write_text(json.dumps(_POLICY))
        base = self.folder / "base.tar"
        packages = "--include=python3-venv,ca-certificates"
        run("mmdebstrap", "--variant=minbase", packages, "bookworm", base, debian_mirror())
        made = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", made, base, "/")
        self.buildah("commit", "--quiet", "--signature-policy", policy, made, _BASE)
        pip = self.folder / "pip.conf"
        pip.write_text("[global]\ncert = /run/secrets/ca.pem\n")
        self.buildah(
            "bud", "--isolation", "chroot", "--signature-policy", policy, "--pull-never", "--format", "docker",
            "--build-arg", f"BASE={_BASE}", "--ignorefile", KIT / "Dockerfile.dockerignore",
            "--secret", f"id=pip.conf,src={pip}", "--secret", f"id=ca.pem,src={_AUTHORITIES}",
            "-f", KIT / "Dockerfile", "-t", IMAGE, ".",
        )  # fmt: skip

    def buildah(self, command: str, *arguments: str | Path) -> str:
        return run("buildah", *self.storage, command, *arguments, cwd=ROOT).stdout

    def image(self) -> dict[str, Any]:
        """What the image says of itself, in Docker's format."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", IMAGE))["Docker"][
            "config"
        ]
        return found

    def megabytes(self) -> float:
        size, unit = self.buildah("images", "--format", "{{.Size}}", IMAGE).split()
        return float(size) * {"MB": 1, "GB": 1000}[unit]

    def command(self, *arguments: str | Path, options: tuple[str, ...] = ()) -> list[str]:
        podman = ("podman", *self.storage, "--cgroup-manager", "cgroupfs", "run", "--rm", "-i")
        words = (*podman[1:], *_HERE, *_HARDENED, *options, IMAGE, *map(str, arguments))
        return ["unshare", "-m", "sh", "-c", _MOUNTS, "podman", *words]

    def once(
        self, *arguments: str | Path, options: tuple[str, ...] = (), said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A container that runs to its end."""
        command = self.command(*arguments, options=options)
        return subprocess.run(command, input=said, capture_output=True, text=True, timeout=180, check=False)

    @contextmanager
    def serving(self, *options: str) -> Iterator[Proxy]:
        """A container that serves what is mounted, until the block ends."""
        process = subprocess.Popen(
            self.command(options=options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        proxy = Proxy(process)
        try:
            proxy.ready()
            yield proxy
        finally:
            proxy.stop()


def owned(folder: Path, user: int = 10001) -> Path:
    """The directory and all in it, as the container's user has it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)
    return folder
