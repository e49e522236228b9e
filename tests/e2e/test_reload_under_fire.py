"""Random edits of a config directory against an oracle that never reads config.

The oracle knows of each file whether its last content was valid, because it wrote it. After every edit and reload:
what serves is the last content that was valid as a whole; status, readiness and metrics say the truth; the generation
grows exactly when something else serves; and an MCP server whose part did not change was started once, ever.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.app.application import Application, open_application
from proxy.app.options import StartOptions
from tests.integrations.mcp import stdio_server

STEPS = int(os.environ.get("EXECUTOR_FIRE_STEPS", "60"))
SEEDS = int(os.environ.get("EXECUTOR_FIRE_SEEDS", "3"))
SERVER, INTEGRATIONS, POLICIES = "a-server.yaml", "b-integrations.yaml", "c-policies.yaml"
FILES = (SERVER, INTEGRATIONS, POLICIES)
# What a text editor, a script or a merge leaves behind. `{valid}` is a content that would be valid.
BROKEN = (
    "",
    "# only a comment\n",
    "policies: [\n",
    "colour: blue\n",
    "version: 2\n",
    "<<<<<<< HEAD\n{valid}\n=======\n",
    "{valid}\nunknown_section: 1\n",
    "a: &a [*a]\n",
    "\x00",
    "- a\n- list\n",
)


@dataclass
class Oracle:
    """By file: the marker of its valid content, None where it is invalid or absent in a way that matters."""

    now: dict[str, str | None] = field(default_factory=dict)
    served: dict[str, str | None] = field(default_factory=dict)
    generation: int = 1

    def edit(self, file: str, marker: str | None) -> None:
        self.now[file] = marker

    @property
    def valid(self) -> bool:
        return all(self.now[file] is not None for file in FILES)

    def reloaded(self) -> bool:
        """Whether something else serves now."""
        if not self.valid or self.now == self.served:
            return False
        self.served, self.generation = dict(self.now), self.generation + 1
        return True


class Directory:
    """The files, and every way in which they change. `marker` stands in each valid content."""

    def __init__(self, folder: Path, command: str, dice: random.Random, oracle: Oracle) -> None:
        self.folder, self.command, self.dice, self.oracle = folder, command, dice, oracle
        self.edits: tuple[Callable[[str], None], ...] = (
            self.write_valid, self.write_valid, self.write_valid, self.write_broken, self.write_part, self.delete,
            self.rename_over, self.hide, self.replace_by_directory, self.touch, self.comment,
        )  # fmt: skip

    def content(self, file: str, marker: str) -> str:
        if file == SERVER:  # its connections are nothing without the integrations
            return (
                f"version: 1\nstate: {{backend: memory}}\nelicitation: {{approval_timeout: {marker}s}}\n"
                "connections: {steady.org.main: {}, moving.org.main: {}}\n"
            )
        if file == INTEGRATIONS:
            return (
                "integrations:\n"
                f"  steady: {{kind: mcp, type: local, command: {self.command}}}\n"
                f"  moving: {{kind: openapi, description: m{marker}, spec: {{inline: {{openapi: 3.1.0, "
                'info: {title: t, version: "1"}, servers: [{url: "http://127.0.0.1:9"}], paths: {}}}}\n'
            )
        return f"policies:\n  - {{id: p{marker}, pattern: steady.*, action: block, reason: r{marker}}}\n"

    def marker(self) -> str:
        return str(self.dice.randrange(1, 6))

    def one(self) -> None:
        """One edit of one file, or of several at once; now and then somebody mends all that is broken."""
        if self.dice.random() < 0.4:
            for file in FILES:
                if self.oracle.now[file] is None:
                    self.write_valid(file)
            return
        for file in self.dice.sample(FILES, self.dice.choice((1, 1, 1, 2, 3))):
            self.dice.choice(self.edits)(file)

    def path(self, file: str) -> Path:
        path = self.folder / file
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        return path

    # ---- edits ------------------------------------------------------------------------------------------------------
    def write_valid(self, file: str) -> None:
        marker = self.marker()
        self.path(file).write_text(self.content(file, marker))
        self.oracle.edit(file, marker)

    def write_broken(self, file: str) -> None:
        text = self.dice.choice(BROKEN).replace("{valid}", self.content(file, self.marker()))
        self.path(file).write_text(text)
        self.oracle.edit(file, None)

    def write_part(self, file: str) -> None:
        """A write that was read half way: cut inside of the last mapping."""
        text = self.content(file, self.marker())
        self.path(file).write_text(text[: text.rindex("{") + 2])
        self.oracle.edit(file, None)

    def delete(self, file: str) -> None:
        """Without its policies a directory is another config, not an invalid one; all else is needed."""
        self.path(file)
        self.oracle.edit(file, "none" if file == POLICIES else None)

    def rename_over(self, file: str) -> None:
        marker = self.marker()
        other = self.folder / f".{file}.swp"
        other.write_text(self.content(file, marker))
        os.replace(other, self.path(file))
        self.oracle.edit(file, marker)

    def hide(self, file: str) -> None:
        """A link to nothing, or a file that may not be read (root may read everything)."""
        if os.geteuid() != 0 and self.dice.random() < 0.5:
            path = self.path(file)
            path.write_text(self.content(file, self.marker()))
            path.chmod(0)
        else:
            self.path(file).symlink_to(self.folder / "nowhere")
        self.oracle.edit(file, None)

    def replace_by_directory(self, file: str) -> None:
        self.path(file).mkdir()
        self.oracle.edit(file, None)

    def touch(self, file: str) -> None:
        path = self.folder / file
        if path.is_file() and not path.is_symlink():
            path.touch()

    def comment(self, file: str) -> None:
        """Another text that says the same."""
        path = self.folder / file
        if path.is_file() and os.access(path, os.R_OK) and self.oracle.now[file] not in (None, "none"):
            path.write_text(path.read_text() + f"# {self.dice.random()}\n")


def serves(application: Application) -> dict[str, str | None]:
    """The markers of what serves."""
    config = application.live.current.config
    rules = [str(getattr(entry, "id", "")) for entry in config.policies]
    return {
        SERVER: str(int(config.elicitation.approval_timeout)),
        INTEGRATIONS: str(config.integrations["moving"].description).removeprefix("m"),
        POLICIES: rules[0].removeprefix("p") if rules else "none",
    }


def check(application: Application, oracle: Oracle, said: str) -> None:
    status = application.gateway.status()["config"]
    assert serves(application) == oracle.served, said
    assert status["generation"] == application.live.current.number == oracle.generation, said
    assert status["sha256"] == application.live.current.sha256, said
    assert status["in_sync"] is oracle.valid, said
    assert application.gateway.ready(latest=True)[0] is oracle.valid, said
    assert application.gateway.ready(latest=False)[0], said
    rejected = status["last_reload"]["result"] == "rejected"
    assert rejected is not oracle.valid, said
    assert bool(status["last_reload"]["errors"]) is rejected, said
    metrics = application.metrics
    assert metrics.value("executor_config_last_reload_successful") == int(oracle.valid), said
    assert bool(metrics.value("executor_config_errors")) is rejected, said
    info = metrics.value("executor_config_info", sha256=status["sha256"], generation=str(oracle.generation))
    assert info == 1, said


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_what_serves_is_always_the_last_valid_content(tmp_path: Path, seed: int) -> None:
    env = {"PATH": os.environ["PATH"], "EXECUTOR_STATE_DIR": str(tmp_path / "state")}
    dice, oracle = random.Random(seed), Oracle()
    starts = tmp_path / "starts"
    command = f"[{sys.executable}, -I, -S, {stdio_server.__file__}], environment: {{STARTS: {starts}}}"
    folder = tmp_path / "config"
    folder.mkdir()
    directory = Directory(folder, command, dice, oracle)
    for file in FILES:
        directory.write_valid(file)
    oracle.served = dict(oracle.now)
    history: list[str] = []
    async with open_application(StartOptions((folder,), env, watch=False)) as application:
        check(application, oracle, "at the start")
        for step in range(STEPS):
            directory.one()
            expected = oracle.valid
            changes = oracle.reloaded()
            report = await application.gateway.reload()
            history.append(f"{step}: {oracle.now} -> {report.outcome}")
            said = "\n".join(history[-6:])
            wanted = "rejected" if not expected else "applied" if changes else "unchanged"
            assert report.outcome == wanted, f"{said}\n{report.body}"
            check(application, oracle, said)
    assert len(starts.read_text().splitlines()) == 1
    assert oracle.generation > 5
