"""The containers that compose and Kubernetes run, read from the deploy files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.unit.deploy.names import DEPLOY

BASE = DEPLOY / "kubernetes" / "base"
PARTS = (BASE, DEPLOY / "kubernetes" / "loops")
"""Kustomizations with manifests of Kubernetes' own kinds."""
POD_OWNERS = {"StatefulSet", "Deployment", "Job", "CronJob"}


@dataclass(frozen=True)
class Container:
    """One container of a deployment.

    Attributes
    ----------
    place : where it is declared
    image : name of its image; ours begin with ``eddyline/``
    module : what ``python -m`` runs, in ours
    settings : its environment
    declared : all that the file says about it
    """

    place: str
    image: str
    module: str
    settings: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, Any] = field(default_factory=dict)


@cache
def compose() -> dict[str, Any]:
    """The compose file."""
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())


def compose_containers() -> list[Container]:
    """Our services of the compose file that run a module."""
    return [
        Container(f"compose: {name}", service["image"], _module(service), service["environment"], service)
        for name, service in compose()["services"].items()
        if runs_module(service["image"])
    ]


@cache
def kubernetes_objects() -> list[dict[str, Any]]:
    """All objects that the manifests declare."""
    return [
        document
        for part in PARTS
        for path in listed(part)
        for document in yaml.safe_load_all(path.read_text())
    ]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by their names."""
    return {each["metadata"]["name"]: each for each in kubernetes_objects() if each["kind"] == kind}


def listed(part: Path) -> list[Path]:
    """Files or folders that a kustomization is made of."""
    return [part / name for name in yaml.safe_load((part / "kustomization.yaml").read_text())["resources"]]


def kubernetes_settings() -> dict[str, str]:
    """What the generated ConfigMap holds."""
    lines = (BASE / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def pod_specs() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(object, specification of its pods) of all that runs pods."""
    for owner in kubernetes_objects():
        if owner["kind"] in POD_OWNERS:
            spec = owner["spec"].get("jobTemplate", owner)["spec"]
            yield owner, spec["template"]["spec"]


def selected(selector: dict[str, str]) -> list[str]:
    """Names of the objects whose pods a selector finds."""
    wanted = selector.items()
    return [
        owner["metadata"]["name"] for owner, _ in pod_specs() if wanted <= owner["metadata"]["labels"].items()
    ]


def kubernetes_containers() -> list[Container]:
    """All containers of the base, those that prepare a pod included."""
    return [
        Container(
            f"kubernetes: {owner['metadata']['name']}/{container['name']}",
            container["image"],
            container.get("args", [""])[0],
            {each["name"]: each for each in container.get("env", [])},
            container,
        )
        for owner, pod in pod_specs()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    ]


def runs_module(image: str) -> bool:
    """Whether containers of an image run a module of ours."""
    return image.startswith("eddyline/") and image != "eddyline/triton"


def _module(service: dict[str, Any]) -> str:
    return [*service.get("entrypoint", []), *service.get("command", [])][-1]
