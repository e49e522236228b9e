from pathlib import Path

import pytest

from tools.check_mirror import SMALL_LINES, Exceptions, main, mirror_of

NONE = Exceptions({}, {})
LONG = "def f(): ...\n" + "# a line\n" * (SMALL_LINES - 1)


def write(root: Path, name: str, text: str = "") -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_source_and_test_must_meet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "proxy/x/y.py", LONG)
    write(tmp_path, "tests/proxy/x/test_z.py")
    assert main(tmp_path, NONE) == 1
    out = capsys.readouterr().out
    assert "proxy/x/y.py: no tests/proxy/x/test_y.py" in out
    assert "tests/proxy/x/test_z.py: no source file of this name" in out


@pytest.mark.parametrize(
    "test", ["tests/proxy/x/test_y.py", "tests/proxy/x/test_x.py", "tests/proxy/test_x.py"]
)
def test_a_module_has_its_own_test_or_that_of_its_package(tmp_path: Path, test: str) -> None:
    write(tmp_path, "proxy/x/__init__.py")
    write(tmp_path, "proxy/x/y.py", LONG)
    write(tmp_path, test)
    assert main(tmp_path, NONE) == 0


def test_the_test_of_a_package_above_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, "proxy/x/__init__.py")
    write(tmp_path, "proxy/x/z/y.py", LONG)
    write(tmp_path, "tests/proxy/test_x.py")
    assert main(tmp_path, NONE) == 1


def test_small_modules_and_modules_without_functions_need_no_test(tmp_path: Path) -> None:
    write(tmp_path, "proxy/x/small.py", "def f(): ...\n" + "# a line\n" * (SMALL_LINES - 2))
    write(tmp_path, "policies/table.py", "RULES = (1, 2)\n" * 200)
    assert main(tmp_path, NONE) == 0


def test_a_package_may_be_tested_as_one_file(tmp_path: Path) -> None:
    write(tmp_path, "proxy/x/__init__.py", LONG)
    write(tmp_path, "tests/proxy/test_x.py")
    assert mirror_of(tmp_path, tmp_path / "proxy/x/__init__.py") == tmp_path / "tests/proxy/test_x.py"
    assert main(tmp_path, NONE) == 0


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        (Exceptions({"proxy/gone.py": "why"}, {}), "proxy/gone.py: listed as an exception, but there is no"),
        (Exceptions({"proxy/x.py": "why"}, {}), "proxy/x.py: listed as an exception, but needs none"),
        (Exceptions({}, {"tests/proxy/test_x.py": "why"}), "tests/proxy/test_x.py: listed as an exception"),
    ],
)
def test_exceptions_that_are_not_needed_are_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known: Exceptions, complaint: str
) -> None:
    write(tmp_path, "proxy/x.py", LONG)
    write(tmp_path, "tests/proxy/test_x.py")
    assert main(tmp_path, known) == 1
    assert complaint in capsys.readouterr().out
