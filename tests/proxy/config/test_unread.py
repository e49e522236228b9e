"""Directories below a config directory: config in them is said not to be read; documents in them are let be."""

from __future__ import annotations

from pathlib import Path

from proxy.config import load_config

FILES = {
    "executor.yaml": "version: 1\n",
    "teams/a.yaml": "policies: []\n",
    "teams/b.yml": "# ours\nconnections: {}\n",
    "teams/deep/c.yaml": "auth: {}\n",
    "teams/a.test.yaml": "policies: []\n",
    "teams/notes.txt": "policies: []\n",
    "specs/shop.yaml": "openapi: 3.1.0\nserver: x\n",
    "k8s/app.yaml": "apiVersion: v1\nauth: x\n",
    "ops/list.yaml": "name: x\n",
    ".git/config.yaml": "policies: []\n",
}


def test_config_below_is_reported(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    found = load_config([tmp_path], env=None).diagnostics
    assert [(one.code, one.file.removeprefix(f"{tmp_path}/"), one.message) for one in found] == [
        ("W620", "teams", "config in a directory below is not read: a.yaml, b.yml"),
        ("W620", "teams/deep", "config in a directory below is not read: c.yaml"),
    ]
    assert f"--config {tmp_path}/teams" in str(found[0].help)
    assert load_config([tmp_path / "executor.yaml"], env=None).diagnostics == ()
    (tmp_path / "teams" / "a.yaml").unlink()
    both = load_config([tmp_path, tmp_path / "teams"], env=None)
    # Each of the two has the directory below.
    assert {one.file.removeprefix(f"{tmp_path}/") for one in both.diagnostics} == {"teams/deep"}
