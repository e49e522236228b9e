from __future__ import annotations

import subprocess
import sys

import pytest

import integrations.graphql


def test_names_are_loaded_when_used() -> None:
    for name in integrations.graphql.__all__:
        assert getattr(integrations.graphql, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = integrations.graphql.nope


@pytest.mark.parametrize("module", ["config", "upstream"])
def test_graphql_core_is_imported_only_to_parse(module: str) -> None:
    code = f"import integrations.graphql.{module}, sys; print('graphql' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
