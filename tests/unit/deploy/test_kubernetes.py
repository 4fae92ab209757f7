"""Kubernetes manifests: valid, complete, able to tell how their pods are, and closed to the rest."""

import os
import re
import shutil
import subprocess
import tomllib
from contextlib import closing

import httpx
import kubernetes_validate
import pytest
import yaml
from prometheus_client import CollectorRegistry

from eddyline.stack.workers import KINDS
from feature_store.telemetry.health import HealthServer
from tests.unit.deploy.manifests import (
    compose_containers,
    kubernetes_containers,
    kubernetes_objects,
    kubernetes_settings,
    listed,
    of_kind,
    pod_specs,
    runs_module,
    selected,
)
from tests.unit.deploy.names import DEPLOY, ROOT, main_of, setting_names

KUBERNETES = "1.32"
"""What the manifests ask for at least: `apps.kubernetes.io/pod-index` is there for good since then."""
OBJECTS = kubernetes_objects()
CONTAINERS = kubernetes_containers()
PARTS = ["base", "redis-cluster", "loops", "monitoring"]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
"""The tag that docs/deploy.md builds images under."""
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")


def name_of(declared):
    return f"{declared['kind']} {declared['metadata']['name']}"


@pytest.mark.parametrize("declared", OBJECTS, ids=name_of)
def test_each_object_is_what_kubernetes_knows(declared):
    kubernetes_validate.validate(declared, KUBERNETES, strict=True)


def test_a_misspelt_field_is_found():
    broken = {**of_kind("Service")["eddyline"], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


@pytest.mark.parametrize("part", ["base", "loops", "monitoring"])
def test_every_manifest_is_listed_once(part):
    folder = DEPLOY / "kubernetes" / part
    assert sorted([*listed(folder), folder / "kustomization.yaml"]) == sorted(folder.glob("*.yaml"))


def built(folder):
    argv = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def images(objects):
    """Images of all containers, as the kubelet pulls them."""
    return re.findall(r"\bimage: (\S+)", yaml.safe_dump_all(objects))


@needs_kubectl
@pytest.mark.parametrize("part, redis_cluster", [("base", "false"), ("redis-cluster", "true")])
def test_kustomize_builds_it(part, redis_cluster):
    [settings] = [each["data"] for each in built(DEPLOY / "kubernetes" / part) if each["kind"] == "ConfigMap"]
    assert settings["EDDYLINE_REDIS_CLUSTER"] == redis_cluster


@needs_kubectl
def test_kustomize_builds_an_overlay_with_every_component(tmp_path):
    place = {part: os.path.relpath(DEPLOY / "kubernetes" / part, tmp_path.resolve()) for part in PARTS}
    overlay = {"resources": [place["base"]], "components": [place["loops"], place["monitoring"]]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = built(tmp_path)
    assert {name_of(each) for each in OBJECTS} | {"PodMonitor eddyline"} <= {
        name_of(each) for each in objects
    }
    assert {image.partition(":")[2] for image in images(objects)} == {VERSION}


@pytest.mark.parametrize("part", PARTS)
def test_what_a_kustomization_names_exists(part):
    folder = DEPLOY / "kubernetes" / part
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    files = [file for each in kustomization.get("configMapGenerator", []) for file in each.get("envs", [])]
    for path in [*listed(folder), *(folder / name for name in files)]:
        assert path.exists(), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_of_worker_has_stable_instance_numbers_and_a_budget(kind):
    worker = of_kind("StatefulSet")[f"eddyline-{kind.name}"]
    [container] = worker["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [kind.module]
    instance = {each["name"]: each for each in container["env"]}["EDDYLINE_INSTANCE"]
    assert "pod-index" in instance["valueFrom"]["fieldRef"]["fieldPath"]
    budget = of_kind("PodDisruptionBudget")[f"eddyline-{kind.name}"]
    assert selected(budget["spec"]["selector"]["matchLabels"]) == [f"eddyline-{kind.name}"]


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.place)
def test_each_container_runs_a_module_that_exists_in_an_image_that_compose_builds(container):
    if runs_module(container.image):
        assert main_of(container.module)
        assert container.image in {each.image for each in compose_containers()}


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.place)
def test_each_setting_exists(container):
    assert set(container.settings) | set(kubernetes_settings()) <= setting_names()


def probes(container):
    """(path, port) of all that the kubelet asks a container for."""
    ports = {port["name"]: port["containerPort"] for port in container.declared.get("ports", [])}
    asked = [container.declared[probe]["httpGet"] for probe in container.declared if probe.endswith("Probe")]
    return {(get["path"], ports[get["port"]]) for get in asked}


def test_probes_ask_workers_for_what_they_serve_where_they_serve_it():
    asked = set().union(*(probes(container) for container in CONTAINERS if runs_module(container.image)))
    assert {port for _, port in asked} == {int(kubernetes_settings()["EDDYLINE_METRICS_PORT"])}
    health = HealthServer("127.0.0.1", 0, live=lambda: None, ready=lambda: None, registry=CollectorRegistry())
    with closing(health):
        for path in {path for path, _ in asked} | {"/metrics"}:
            assert httpx.get(f"http://127.0.0.1:{health.port}{path}").status_code == 200


def test_probes_ask_triton_where_its_image_lets_it_listen():
    [triton] = [container for container in CONTAINERS if container.image == "eddyline/triton"]
    command = (DEPLOY / "images" / "triton.Dockerfile").read_text()
    ports = {port["name"]: port["containerPort"] for port in triton.declared["ports"]}
    assert all(f"--{name}-port={port}" in command for name, port in ports.items())
    assert probes(triton) == {("/v2/health/live", 8000), ("/v2/health/ready", 8000)}


@pytest.mark.parametrize(
    "owner, pod", list(pod_specs()), ids=lambda value: value.get("metadata", {}).get("name", "pod")
)
def test_what_runs_for_good_is_probed_and_what_ends_is_not(owner, pod):
    probes = {"startupProbe", "livenessProbe", "readinessProbe"}
    for container in pod["containers"]:
        expected = set() if owner["kind"] in {"Job", "CronJob"} else probes
        assert probes & set(container) == expected


@pytest.mark.parametrize(
    "owner, pod", list(pod_specs()), ids=lambda value: value.get("metadata", {}).get("name", "pod")
)
def test_a_pod_may_do_no_more_than_it_must(owner, pod):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        allowed = container["securityContext"]
        assert (allowed["allowPrivilegeEscalation"], allowed["readOnlyRootFilesystem"]) == (False, True)
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
        assert {mount["name"] for mount in container["volumeMounts"]} <= {
            each["name"] for each in pod["volumes"]
        }


@pytest.mark.parametrize("name, service", of_kind("Service").items())
def test_a_service_finds_pods_with_the_ports_it_names(name, service):
    owners = selected(service["spec"]["selector"])
    assert len(owners) == 1
    pods = {owner["metadata"]["name"]: pod for owner, pod in pod_specs()}
    ports = {port["name"] for container in pods[owners[0]]["containers"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_the_address_of_triton_is_that_of_its_service():
    host, port = kubernetes_settings()["EDDYLINE_TRITON_GRPC"].split(":")
    assert int(port) in {each["port"] for each in of_kind("Service")[host]["spec"]["ports"]}


def test_no_credential_is_written_down():
    assert not of_kind("Secret")
    for name in kubernetes_settings():
        assert not any(word in name for word in ("PASSWORD", "USERNAME", "REDIS_URL", "KEY"))
