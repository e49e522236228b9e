from pathlib import Path

import pytest

from tools.check_mirror import Exceptions, main, mirror_of


def write(root: Path, name: str, text: str = "") -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_source_and_test_must_meet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "proxy/x/y.py", "def f(): ...\n")
    write(tmp_path, "tests/proxy/x/test_z.py")
    assert main(tmp_path) == 1
    out = capsys.readouterr().out
    assert "proxy/x/y.py: no tests/proxy/x/test_y.py" in out
    assert "tests/proxy/x/test_z.py: no source file of this name" in out


def test_a_package_may_be_tested_as_one_file(tmp_path: Path) -> None:
    write(tmp_path, "proxy/x/__init__.py", "def f(): ...\n")
    write(tmp_path, "tests/proxy/test_x.py")
    write(tmp_path, "policies/table.py", "RULES = (1, 2)\n")
    assert mirror_of(tmp_path, tmp_path / "proxy/x/__init__.py") == tmp_path / "tests/proxy/test_x.py"
    assert main(tmp_path, Exceptions({}, {})) == 0


def test_exceptions_for_files_that_are_gone_are_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path, Exceptions({"proxy/gone.py": "why"}, {})) == 1
    assert "proxy/gone.py: listed as an exception" in capsys.readouterr().out
