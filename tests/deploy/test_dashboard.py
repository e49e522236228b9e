"""The dashboard of deploy/monitoring by what Grafana publishes of its dashboards: types on npm, and no program."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tools.fetch_specs import GRAFANA, install

pytestmark = pytest.mark.specs
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".specs" / "grafana"
TYPES = Path(__file__).with_name("dashboard.ts")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text())
OPTIONS = {
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "node",
    "skipLibCheck": True,
    "strict": True,
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> jsonschema.Draft7Validator:
    """Those types as a JSON Schema, in which no key is left open that they do not have."""
    install(GRAFANA, FOLDER)
    folder = tmp_path_factory.mktemp("grafana")
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS}))
    shutil.copy(TYPES, folder)
    words = ["--path", TYPES.name, "--type", "Checked", "--tsconfig", "tsconfig.json", "--expose", "none"]
    program = folder / "node_modules" / ".bin" / "ts-json-schema-generator"
    done = subprocess.run(
        [str(program), *words, "--no-type-check"], cwd=folder, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return jsonschema.Draft7Validator(json.loads(done.stdout))


def test_it_is_one_of_grafanas(judge: jsonschema.Draft7Validator) -> None:
    assert [f"{list(one.absolute_path)}: {one.message[-300:]}" for one in judge.iter_errors(DASHBOARD)] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(refreshes="30s"),
        lambda one: one["panels"][1].update(type="stats"),
        lambda one: one["panels"][1]["options"].update(colourMode="value"),
        lambda one: one["panels"][1]["targets"][0].pop("expr"),
        lambda one: one["panels"][1]["fieldConfig"]["defaults"].update(min="0"),
        lambda one: one["annotations"]["list"][0]["target"].update(query="up"),
    ],
    ids=[
        "a key",
        "a kind of panel",
        "an option",
        "a query without one",
        "a number",
        "a key of an annotation",
    ],
)
def test_a_mistake_in_it_is_found(judge: jsonschema.Draft7Validator, change: Callable[[Any], object]) -> None:
    assert DASHBOARD["panels"][1]["type"] == "stat"
    wrong = copy.deepcopy(DASHBOARD)
    change(wrong)
    assert not judge.is_valid(wrong)
