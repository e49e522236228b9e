from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

import integrations
from integrations import base, shared_config
from integrations.fields import names
from integrations.openapi.config import OpenApi
from policies import patterns, rules


def test_every_kind_is_a_name_of_the_package() -> None:
    assert integrations.OpenApi is OpenApi
    assert all(hasattr(integrations, name) for name in integrations.__all__)


def test_what_policies_and_integrations_both_write_down_is_equal() -> None:
    """Neither may import the other; `tools/check_names.py` knows these as its exceptions."""
    assert get_args(base.Risk) == get_args(rules.Risk)
    assert set(get_args(shared_config.ApproveByDefault)) == set(get_args(rules.ApproveByDefault))
    assert names.OWNERS == patterns.OWNERS


def test_other_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Soap'"):
        _ = integrations.Soap


@pytest.mark.parametrize("heavy", ["pydantic", "asyncio", "jsonschema", "httpcore2"])
def test_the_compiling_child_imports_little(heavy: str) -> None:
    code = f"import sys, integrations.openapi.compile; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
