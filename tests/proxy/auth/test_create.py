from datetime import date
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from proxy.auth import create_key, hash_key
from proxy.config import load_config


def test_the_lines_hold_the_hash_and_not_the_key() -> None:
    key, lines = create_key("ci_bot", "ws_platform", ["ci", "ops"], date(2027, 6, 30))
    assert key.startswith("exk_")
    assert len(key) == 4 + 43  # 32 bytes in base64url
    assert key not in lines
    assert lines == (
        "auth:\n"
        "  api_keys:\n"
        "    keys:\n"
        "      ci_bot:\n"
        f"        hash: sha256:{hash_key(key)}\n"
        "        workspace: ws_platform\n"
        "        groups: [ci, ops]\n"
        "        expires: 2027-06-30\n"
    )


def test_every_key_is_new() -> None:
    assert len({create_key("a", "ws")[0] for _ in range(100)}) == 100


def test_what_was_not_given_is_left_out() -> None:
    _, lines = create_key("a", "ws")
    assert "groups" not in lines
    assert "expires" not in lines


@given(st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=3))
def test_any_group_survives_yaml(groups: list[str]) -> None:
    read = yaml.safe_load(create_key("a", "ws", groups)[1])
    assert read["auth"]["api_keys"]["keys"]["a"]["groups"] == groups


def test_the_config_takes_the_lines(tmp_path: Path) -> None:
    _, lines = create_key("ci_bot", "ws", ["yes", "null", "1.10", "a b", "team/ops"], date(2999, 6, 30))
    path = tmp_path / "executor.yaml"
    path.write_text(f"version: 1\nworkspaces: {{ws: {{name: W}}}}\n{lines}")
    loaded = load_config([path], env=None)
    assert loaded.diagnostics == ()
    assert loaded.config is not None
    assert loaded.config.auth is not None
    assert loaded.config.auth.api_keys is not None
    assert loaded.config.auth.api_keys.keys["ci_bot"].groups == ("yes", "null", "1.10", "a b", "team/ops")
