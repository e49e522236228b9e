from __future__ import annotations

import subprocess
import sys

import pytest

import integrations.openapi


def test_names_are_loaded_when_used() -> None:
    for name in integrations.openapi.__all__:
        assert getattr(integrations.openapi, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = integrations.openapi.nope


def test_the_config_of_the_kind_loads_no_client() -> None:
    heavy = "{'httpx2', 'httpcore2', 'jsonschema', 'orjson'}"
    code = f"import integrations.openapi.config, sys; print(sorted({heavy} & sys.modules.keys()))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
