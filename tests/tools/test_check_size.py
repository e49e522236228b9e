from pathlib import Path

import pytest

from tools.check_size import main


def test_the_soft_limit_lists_and_the_hard_limit_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "proxy"
    package.mkdir()
    (package / "fits.py").write_text("pass\n" * 400)
    assert main(tmp_path) == 0
    assert capsys.readouterr().out == ""
    (package / "long.py").write_text("pass\n" * 401)
    assert main(tmp_path) == 0
    assert capsys.readouterr().out == "proxy/long.py: 401 lines, over 400\n"
    (package / "longer.py").write_text("pass\n" * 501)
    assert main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("proxy/longer.py: 501 lines, too long")
