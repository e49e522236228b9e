import argparse
import json
from pathlib import Path

import pytest

from proxy.commands import schema


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    schema.add_parser(parser.add_subparsers())
    return schema.run(parser.parse_args(["schema", *words]))


def test_it_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    file = tmp_path / "schema.json"
    file.write_text(capsys.readouterr().out)
    assert run("--check", str(file)) == 0
    file.write_text("{}")
    assert run("--check", str(file)) == 1
    assert "out of date" in capsys.readouterr().out
    assert run("--check", str(tmp_path / "none")) == 2
    assert "No such file" in capsys.readouterr().err
