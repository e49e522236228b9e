from pathlib import Path

import pytest

from tools.check_references import main

THREATS = "| threat | what is tried |\n|---|---|\n| T1 | Orders |\n| T12 | Approving for oneself |\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "docs/threats.md", THREATS)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "(execute design, section 4)",
        "as the design says",
        "Rules (design 04-policy):",
        "published in seed 003",
        "(style 17)",
        "02-execute section 6",
        "see 07-threats.md",
        "in /work/shared/x",
    ],
)
@pytest.mark.parametrize("name", ["proxy/a.py", "tests/test_a.py", "tools/a.sh", "Makefile"])
def test_plans_that_are_elsewhere_are_no_sources(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    write(root, name, f"# first\n# {text}\n")
    assert main(root) == 1
    assert capsys.readouterr().out.startswith(f"{name}:2: ")


@pytest.mark.parametrize(
    "text",
    [
        "RFC 9110, section 15",
        "unsafe by design",
        "a style of writing",
        "docs/threats.md and threats.md",
        "T1 and T12",
    ],
)
def test_what_a_reader_can_look_up(root: Path, text: str) -> None:
    write(root, "proxy/a.py", f"# {text}\n")
    assert main(root) == 0


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("proxy/a.py", "# docs/gone.md", "proxy/a.py:1: there is no docs/gone.md"),
        ("docs/a.md", "[it](gone.md)", "docs/a.md:1: the link gone.md leads nowhere"),
        ("docs/a.md", "`proxy/gone.py`", "docs/a.md:1: there is no proxy/gone.py"),
        ("docs/a.md", "T2 and T1", "docs/a.md:1: T2 has no row in docs/threats.md"),
    ],
)
def test_what_is_named_is_there(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, complaint: str
) -> None:
    write(root, name, f"{text}\n")
    assert main(root) == 1
    assert complaint in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "[it](threats.md#anything)",
        "[it](https://example.com/gone.md)",
        "```\nproxy/gone.py\n```",
        "`docs/threats.md`",
    ],
)
def test_links_that_lead_somewhere(root: Path, text: str) -> None:
    write(root, "docs/a.md", f"{text}\n")
    assert main(root) == 0
