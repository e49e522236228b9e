from __future__ import annotations

import subprocess
import sys

import pytest

import integrations
from integrations.openapi.config import OpenApi


def test_every_kind_is_a_name_of_the_package() -> None:
    assert integrations.OpenApi is OpenApi
    assert all(hasattr(integrations, name) for name in integrations.__all__)


def test_other_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Soap'"):
        _ = integrations.Soap


@pytest.mark.parametrize("heavy", ["pydantic", "asyncio", "jsonschema", "httpcore2"])
def test_the_compiling_child_imports_little(heavy: str) -> None:
    code = f"import sys, integrations.openapi.compile; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
