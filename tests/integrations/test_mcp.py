from __future__ import annotations

import subprocess
import sys

import pytest

import integrations.mcp as mcp


@pytest.mark.parametrize("name", mcp.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(mcp, name) is not None


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = mcp.Nothing


def test_the_package_and_its_config_do_not_load_the_sdk() -> None:
    code = "import sys, integrations.mcp.config; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
