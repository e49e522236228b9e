"""The commands that the documents print, and where they are run: a fresh clone, a network of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import SIGTERM

from tests.e2e.running import LIMIT_SECONDS, ROOT, Transcript

BLOCK = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLACES = ("*.md", "docs/*.md", "deploy/*.md", "examples/**/*.md")
_NETWORK = ("unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@dataclass(frozen=True)
class Block:
    """`commands` are the lines that a person pastes, continued lines as one."""

    place: str
    commands: tuple[str, ...]

    @property
    def file(self) -> str:
        return self.place.partition(":")[0]


def blocks() -> list[Block]:
    files = sorted({file for pattern in PLACES for file in ROOT.glob(pattern)})
    return [block for file in files for block in _blocks_of(file)]


def _blocks_of(file: Path) -> Iterator[Block]:
    text = file.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        place = f"{file.relative_to(ROOT).as_posix()}:{line}"
        yield Block(place, tuple(_commands(found[1])))


def _commands(text: str) -> Iterator[str]:
    """After `$` where the block has answers too, else every line; a quote or a backslash goes on in the next."""
    console = text.startswith("$ ")
    pending = ""
    for line in text.splitlines():
        if console:
            if line.startswith("$ "):
                yield line.removeprefix("$ ")
            continue
        pending += line
        if pending.endswith("\\") or pending.count("'") % 2:
            pending += "\n"
        elif pending.strip():
            yield pending
            pending = ""


def fresh_clone(folder: Path) -> Path:
    """Every file of the repository as it stands here, and the environment that `make install` made."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _installed(folder / ".venv")
    return folder


def _installed(place: Path) -> None:
    """As `make install` leaves it, without writing into the one that runs the tests."""
    place.mkdir()
    for one in Path(sys.prefix).glob("[!.]*"):
        (place / one.name).symlink_to(one)
    for stamp in (".installed", ".runtime", ".browser"):
        (place / stamp).touch()


@cache
def _isolated() -> tuple[str, ...]:
    """Printed ports are free in a network of its own. Where the system gives none, those of the machine have to be."""
    tried = subprocess.run([*_NETWORK, "true"], capture_output=True, check=False, timeout=LIMIT_SECONDS)
    return _NETWORK if tried.returncode == 0 else ()


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A new login: nothing but PATH with our commands, and a home of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **more}


@dataclass
class Pasted:
    """A shell that has got lines and runs them; another terminal of the same machine is `other`."""

    process: subprocess.Popen[str]
    out: Transcript
    folder: Path

    def other(self, line: str, **env: str) -> subprocess.CompletedProcess[str]:
        """One line in another terminal, where the server can be reached."""
        inside = ("nsenter", "-t", str(self.process.pid), "-U", "-n", "--preserve-credentials")
        return ran(line, self.folder, environment(self.folder, **env), inside if _isolated() else ())


@contextmanager
def paste(lines: Sequence[str], folder: Path) -> Iterator[Pasted]:
    """Lines that begin servers, until the block ends."""
    process = subprocess.Popen(
        [*_isolated(), "bash", "-euc", "\n".join(lines)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, cwd=folder, env=environment(folder), start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    out = Transcript(process.stdout)
    try:
        yield Pasted(process, out, folder)
    finally:
        for number in (SIGTERM, SIGTERM):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        process.wait(LIMIT_SECONDS)
        out.join()


def ran(
    line: str, folder: Path, env: Mapping[str, str], inside: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """One line, or several, to its end. What it said is in `stdout`, errors too."""
    return subprocess.run(
        [*inside, "bash", "-euc", line],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, cwd=folder, env=dict(env), timeout=2 * LIMIT_SECONDS, check=False,
    )  # fmt: skip
