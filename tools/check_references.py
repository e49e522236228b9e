"""Checks that the repository explains itself: nothing in it refers to a document, file or threat that is not there.

- Plans that were written elsewhere ("design, section 4", "seed 003", "style 17", "02-execute") are no sources for a
  reader who has only this repository. Write the rule itself, or name a file of `docs/`.
- A `.md` file that is named exists, and in Markdown so does every link and every path into the repository.
- A threat (T1, T2, ...) has a row in docs/threats.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PLACES = ("proxy", "policies", "integrations", "tests", "tools", "bench", "docs", "examples", ".ci")
KINDS = frozenset({".py", ".md", ".toml", ".sh", ".yaml", ".yml", ".html", ".css", ".js", ".example", ""})
OWN = ("tools/check_references.py", "tests/tools/test_check_references.py")
THREATS = Path("docs/threats.md")
MADE = ("bench/results/",)  # by `make bench`; not kept in git

_TOPICS = (
    "architecture|config|execute|integrations?|openapi|policy|serving|gitops|threats?|style|performance|house|"
    "oauth|deploy"
)
_ELSEWHERE = re.compile(
    rf"\bseed \d{{2,}}|\bstyle \d+|\bdesign,? (?:section )?\d|\bdesign,? section\b|\bthe design\b|\bdesign's\b"
    rf"|\b(?:{_TOPICS}) design\b|\b\d\d[a-z]?-(?:{_TOPICS})\b|/work/(?:main|shared)",
    re.IGNORECASE,
)
_THREAT = re.compile(r"\bT[1-9]\d?\b")
_ROW = re.compile(r"^\| *(T[1-9]\d?) *\|", re.MULTILINE)
_DOCUMENT = re.compile(r"(?<![\w/.>}*-])[\w./-]*\w\.md\b")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(
    r"(?<![\w/.-])(?:proxy|policies|integrations|tests|tools|bench|docs|examples|schema)/[\w./-]*\w(?!\w*[*<{])"
)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file that people read, with its text. Data of tests is none."""
    files = [one for place in PLACES for one in (root / place).rglob("*")]
    top = [one for one in root.iterdir() if not one.name.startswith(".")]
    for file in sorted([*files, *top]):
        name = file.relative_to(root)
        if (
            file.is_file()
            and file.suffix in KINDS
            and name.as_posix() not in OWN
            and "data" not in name.parts
        ):
            yield name, file.read_text(encoding="utf-8", errors="replace")


def lines_with(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[match.re.groups]


def references_elsewhere(_: Path, name: Path, text: str) -> Iterator[str]:
    for line, found in lines_with(_ELSEWHERE, text):
        yield f"{name}:{line}: '{found}' is not in this repository; write the rule itself"


def missing_documents(root: Path, name: Path, text: str) -> Iterator[str]:
    """A name without a folder may stand for any file of that name. Tests of the tools name files that they make."""
    if name.parts[:2] == ("tests", "tools"):
        return
    for line, found in lines_with(_DOCUMENT, without_links(text)):
        nearby = (root / found, (root / name).parent / found)
        if not any(file.exists() for file in nearby) and not ("/" not in found and is_anywhere(root, found)):
            yield f"{name}:{line}: there is no {found}"


def is_anywhere(root: Path, document: str) -> bool:
    return any(next((root / place).rglob(document), None) is not None for place in PLACES)


def without_links(text: str) -> str:
    """Addresses of the web name files of others."""
    return re.sub(r"https?://\S+", "", text)


def missing_paths(root: Path, name: Path, text: str) -> Iterator[str]:
    """Links and paths in Markdown, outside of code blocks."""
    if name.suffix != ".md":
        return
    prose = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), without_links(text))
    for line, link in lines_with(_LINK, prose):
        target = link.partition("#")[0]
        if target and not ((root / name).parent / target).exists():
            yield f"{name}:{line}: the link {link} leads nowhere"
    for line, path in lines_with(_PATH, prose):
        if not (path.startswith(MADE) or (root / path).exists() or ((root / name).parent / path).exists()):
            yield f"{name}:{line}: there is no {path}"


def unknown_threats(root: Path, name: Path, text: str) -> Iterator[str]:
    table = root / THREATS
    known = set(_ROW.findall(table.read_text(encoding="utf-8"))) if table.exists() else set()
    for line, threat in lines_with(_THREAT, text):
        if threat not in known:
            yield f"{name}:{line}: {threat} has no row in {THREATS}"


def main(root: Path) -> int:
    checks = (references_elsewhere, missing_documents, missing_paths, unknown_threats)
    problems = [
        problem for name, text in texts(root) for check in checks for problem in check(root, name, text)
    ]
    if problems:
        print("\n".join(problems))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
