"""The Kustomize overlays and the Helm chart: sound for Kubernetes, and each config in them valid for Executor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import KIT, run
from tools.make_helm_schema import PLACE, schema_file

OVERLAYS = ("base", "overlays/single-sqlite", "overlays/replicas-valkey", "overlays/git-sync")
VERSIONS = ("1.31.0", "1.34.0", "1.36.0")
CHART = KIT / "helm" / "executor"
REDIS = {"state": {"backend": "redis", "url": {"env": "U"}, "encryption_key": {"env": "K"}}}
SECRETS = {
    "EXECUTOR_KEY": "exk_a-key-of-the-kit-000000000000",
    "EXECUTOR_STATE_URL": "redis://127.0.0.1:6379/0",
    "EXECUTOR_STATE_KEY": "a-key-of-the-deployment-32-bytes",
    "U": "redis://127.0.0.1:6379/0",
    "K": "a-key-of-the-deployment-32-bytes",
}
# Runs in the interpreter that has Helm's library: prints what it renders, or why not.
RENDER = """
import json, sys
from helm_python import chart
values = json.load(sys.stdin)
with chart.Chart.load(sys.argv[1]) as found:
    try:
        print(json.dumps({"files": found.render(values=values, name="executor")}))
    except Exception as error:
        print(json.dumps({"error": str(error)}))
"""

Resource = dict[str, Any]
pytestmark = pytest.mark.timeout(600)


def resources(text: str) -> list[Resource]:
    return [one for one in yaml.safe_load_all(text) if one]


def of_kind(found: list[Resource], kind: str) -> Resource:
    (one,) = [resource for resource in found if resource["kind"] == kind]
    return one


def kustomized(overlay: str) -> str:
    return run("kubectl", "kustomize", KIT / "kustomize" / overlay).stdout


def helm(values: Resource) -> Resource:
    from tests.deploy.tools import tool

    python = tool("helm")
    assert python is not None
    done = subprocess.run(
        [python, "-c", RENDER, str(CHART)],
        input=json.dumps(values), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answer: Resource = json.loads(done.stdout.splitlines()[-1])
    return answer


def rendered(values: Resource) -> list[Resource]:
    answer = helm(values)
    assert "files" in answer, answer
    files = {name: text for name, text in answer["files"].items() if not name.endswith("NOTES.txt")}
    return [one for text in files.values() for one in resources(text)]


def is_valid_config(files: dict[str, str], folder: Path) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "validate", "--strict", "--config", str(folder)],
        capture_output=True, text=True, timeout=120, check=False, env={"PATH": "/usr/bin:/bin", **SECRETS},
        cwd=KIT.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def is_valid_for_kubernetes(text: str, folder: Path) -> None:
    (folder / "all.yaml").write_text(text)
    for version in VERSIONS:
        run("kubernetes-validate", "--strict", "-k", version, folder / "all.yaml")


def test_the_chart_has_the_schema_of_the_product() -> None:
    assert PLACE.read_text() == schema_file(), "run make schema"


@pytest.mark.parametrize(
    "file", sorted((KIT / "kustomize").rglob("config/*.yaml")), ids=lambda p: p.parts[-3]
)
def test_every_line_about_the_schema_names_it(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    if "$schema=" in first:
        assert (
            file.parent / first.partition("$schema=")[2]
        ).resolve() == KIT.parent / "schema/executor.schema.json"


@pytest.mark.deploy("kubectl", "kubernetes-validate")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays(overlay: str, tmp_path: Path) -> None:
    text = kustomized(overlay)
    is_valid_for_kubernetes(text, tmp_path)
    found = resources(text)
    configs = [
        one for one in found if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "executor-config"
    ]
    config = tmp_path / "config"
    config.mkdir()
    is_valid_config(configs[0]["data"], config)
    pod = of_kind(found, "Deployment")["spec"]["template"]["spec"]
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        limits = container["securityContext"]
        assert (limits["readOnlyRootFilesystem"], limits["allowPrivilegeEscalation"]) == (True, False)
        assert limits["capabilities"] == {"drop": ["ALL"]}
        assert not any("subPath" in mount for mount in container["volumeMounts"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
    assert pod["terminationGracePeriodSeconds"] > 5 + 25
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


@pytest.mark.deploy("kubectl")
def test_replicas_share_a_store() -> None:
    found = resources(kustomized("overlays/replicas-valkey"))
    deployment = of_kind(found, "Deployment")
    assert deployment["spec"]["replicas"] == 2
    (config,) = [one for one in found if one["metadata"]["name"] == "executor-config"]
    assert "backend: redis" in config["data"]["state.yaml"]
    variables = {one["name"] for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert {"EXECUTOR_KEY_FILE", "EXECUTOR_STATE_KEY_FILE", "EXECUTOR_STATE_URL_FILE"} <= variables


@pytest.mark.deploy("helm", "kubernetes-validate")
@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, {"ConfigMap", "Deployment", "Service", "NetworkPolicy"}),
        ({"persistence": {"enabled": True}}, {"PersistentVolumeClaim"}),
        ({"replicas": 3, "config": REDIS}, {"PodDisruptionBudget"}),
        ({"autoscaling": {"enabled": True}, "config": REDIS}, {"HorizontalPodAutoscaler"}),
        ({"ingress": {"enabled": True, "host": "tools.example.com", "tlsSecret": "tls"}}, {"Ingress"}),
    ],
    ids=["defaults", "persistence", "replicas", "autoscaling", "ingress"],
)
def test_the_chart_renders(values: Resource, kinds: set[str], tmp_path: Path) -> None:
    found = rendered(values)
    assert kinds <= {one["kind"] for one in found}
    is_valid_for_kubernetes(yaml.safe_dump_all(found), tmp_path)
    config = tmp_path / "config"
    config.mkdir()
    is_valid_config(of_kind(found, "ConfigMap")["data"], config)


@pytest.mark.deploy("helm")
def test_a_service_monitor_has_the_labels_asked_for() -> None:
    found = rendered({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}})
    monitor = of_kind(found, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    ports = {port["name"] for port in of_kind(found, "Service")["spec"]["ports"]}
    assert {one["port"] for one in monitor["spec"]["endpoints"]} <= ports


@pytest.mark.deploy("helm")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 2}, "need config.state.backend: redis"),
        ({"autoscaling": {"enabled": True}}, "need config.state.backend: redis"),
        (
            {"persistence": {"enabled": True}, "config": REDIS},
            "keeps the file of config.state.backend: sqlite",
        ),
        ({"ingress": {"enabled": True}}, "needs ingress.host"),
        ({"config": {"serverr": {}}}, "serverr"),
        ({"config": {"server": {"listen": 5}}}, "/config/server/listen"),
        ({"replica": 2}, "replica"),
        ({"secret": {"env": {"A-B": "key"}}}, "A-B"),
        ({"files": {"executor.yaml": ""}}, "executor.yaml"),
        ({"files": {"../x": ""}}, "../x"),
    ],
)
def test_values_that_cannot_work_are_refused(values: Resource, said: str) -> None:
    assert said in helm(values)["error"]


@pytest.mark.deploy("helm")
def test_the_chart_has_no_lint() -> None:
    program = (
        "import sys; from helm_python import chart; print(chart.lint(sys.argv[1], strict=True)['errors'])"
    )
    assert run("helm", "-c", program, CHART).stdout.strip() == "[]"
